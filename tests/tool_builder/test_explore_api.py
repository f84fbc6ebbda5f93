"""explore_api.py over the local Hub's document, a written one with references, and real answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from .conftest import Desk

WRITTEN = {
    "openapi": "3.1.0",
    "paths": {
        "/api/things/{namespace}/{repo}/tree/{rev}/{path}": {
            "parameters": [{"$ref": "#/components/parameters/namespace"}],
            "get": {
                "summary": "List a folder",
                "tags": ["things"],
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}],
                "responses": {"200": {"$ref": "#/components/responses/Tree"}},
            },
            "put": {
                "summary": "Change it",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Change"}}}},
                "responses": {"200": {"description": "done"}},
            },
        },
    },
    "components": {
        "parameters": {
            "namespace": {"name": "namespace", "in": "path", "required": True, "schema": {"type": "string"}}
        },
        "responses": {
            "Tree": {
                "description": "entries",
                "content": {
                    "application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/E"}}}
                },
            }
        },
        "schemas": {
            "E": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "kind": {"enum": ["file", "directory"]},
                    "size": {"type": ["integer", "null"]},
                    "inside": {"type": "array", "items": {"$ref": "#/components/schemas/E"}},
                },
                "required": ["path", "kind"],
            },
            "Change": {
                "allOf": [
                    {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
                    {"type": "object", "properties": {"to": {"anyOf": [{"type": "string"}, {"const": False}]}}},
                ]
            },
        },
    },
}  # fmt: skip


class Documents(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str | None, str | None]]] = []

    def do_GET(self) -> None:
        Documents.seen.append((self.headers.get("If-None-Match"), self.headers.get("Authorization")))
        known = self.headers.get("If-None-Match") == '"1"'
        body = b"" if known else json.dumps(WRITTEN).encode()
        self.send_response(304 if known else 200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def documents() -> Iterator[ThreadingHTTPServer]:
    Documents.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Documents)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_operations_of_the_local_hub_are_found_by_words(desk: Desk) -> None:
    found = desk.json("explore_api.py", "search", "models", "commits")["operations"]
    assert ("GET", "/api/models/{namespace}/{name}/commits/{revision}") in {(e["method"], e["path"]) for e in found}
    assert "commits" in found[0]["path"]
    assert desk.json("explore_api.py", "search", "no-such-word", code=1) == {"operations": [], "nearest": []}
    both = desk.json("explore_api.py", "search", "users", "organizations", "overview", code=1)
    assert both["operations"] == [] and len(both["nearest"]) == 2
    assert {each["path"].split("/")[2] for each in both["nearest"]} == {"users", "organizations"}
    said = desk.script("explore_api.py", "search", "users", "organizations", "overview")
    assert (said.returncode, said.stdout) == (1, "") and "every word" in said.stderr and "/overview" in said.stderr
    everything = desk.json("explore_api.py", "search")["operations"]
    writing = desk.json("explore_api.py", "search", "--method", "post")["operations"]
    assert len(everything) > len(writing) > 20 and {each["method"] for each in writing} == {"POST"}


def test_a_real_path_shows_its_operation_and_parameters(desk: Desk) -> None:
    (shown,) = desk.json("explore_api.py", "show", f"/api/models/{desk.user}/one?x=1")["operations"]
    assert shown["path"] == "/api/models/{namespace}/{name}"
    names = {p["name"]: (p["in"], p["required"]) for p in shown["parameters"]}
    assert names["namespace"] == ("path", True) and names["blobs"] == ("query", False)
    (made,) = desk.json("explore_api.py", "show", "/api/repos/create")["operations"]
    assert made["body"]["application/json"]["name"] == "string" and "private?" in made["body"]["application/json"]
    done = desk.script("explore_api.py", "show", "/api/model/x/commits")
    assert done.returncode == 1 and "commits" in done.stderr and "shape" in done.stderr


def test_references_are_followed_and_one_that_refers_to_itself_ends(desk: Desk) -> None:
    (desk.folder / "written.json").write_text(json.dumps(WRITTEN), encoding="utf-8")
    path = "/api/things/a/b/tree/main/deep/er"
    read, change = desk.json("explore_api.py", "show", path, "--document", "written.json")["operations"]
    assert [p["name"] for p in read["parameters"]] == ["namespace", "limit"] and read["parameters"][0]["required"]
    (entry,) = read["responses"]["200"]["shape"]
    assert {"path": "string", "kind": "'file' | 'directory'", "size?": "integer | null"}.items() <= entry.items()
    assert entry["inside?"][0]["path"] == "string"
    assert change["body"]["application/json"] == {"name": "string", "to?": "string | False"}
    assert "not described" in desk.script("explore_api.py", "show", path, "--document", "written.json").stdout


def test_the_document_is_kept_asked_about_and_used_without_a_network(
    desk: Desk, documents: ThreadingHTTPServer
) -> None:
    environment = {"HF_ENDPOINT": f"http://127.0.0.1:{documents.server_port}", "HF_TOKEN": desk.token}
    for _ in range(2):
        assert len(desk.json("explore_api.py", "search", "things", **environment)["operations"]) == 2
    assert Documents.seen == [(None, f"Bearer {desk.token}")]
    desk.json("explore_api.py", "search", "things", "--refresh", **environment)
    assert [tag for tag, _ in Documents.seen] == [None, '"1"']
    kept = [p for p in (desk.folder / "cache").rglob("*.json") if environment["HF_ENDPOINT"] in p.read_text()]
    old = json.loads(kept[0].read_text()) | {"checked_at": 0}
    kept[0].write_text(json.dumps(old))
    documents.shutdown()
    documents.server_close()
    done = desk.script("explore_api.py", "search", "folder", **environment)
    assert done.returncode == 0 and "GET" in done.stdout and "days ago" in done.stderr


def test_a_shape_is_what_the_hub_answers(desk: Desk) -> None:
    found = desk.json("explore_api.py", "shape", f"/api/models?author={desk.user}&expand=config&limit=3")
    assert found["items"] == 3 and found["next_page"] is True
    (model,) = found["shape"]
    assert model["id"] == "string" and model["config?"] == {"model_type": "string"}
    private = f"/api/models/{desk.user}/hidden"
    assert desk.json("explore_api.py", "shape", private)["shape"]["private"] == "boolean"
    assert desk.script("explore_api.py", "shape", private, HF_TOKEN="").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ((), 2, "COMMAND"), (("shape", "api/models"), 2, "begin with /"), (("shape", "/api/models/a/gone"), 3, "404"),
        (("search", "x", "--document", "absent.json"), 2, "no OpenAPI document"), (("show",), 2, "path"),
        (("shape", "/{user}/one/resolve/main/README.md"), 3, "not JSON"),
    ],
)  # fmt: skip
def test_wrong_calls_and_refusals_say_what_to_do(desk: Desk, arguments: tuple[str, ...], code: int, word: str) -> None:
    done = desk.script("explore_api.py", *(each.replace("{user}", desk.user) for each in arguments))
    assert (done.returncode, done.stdout) == (code, "") and word in done.stderr, done.stderr


def test_a_hub_out_of_reach_without_a_kept_document_is_said(desk: Desk) -> None:
    done = desk.script("explore_api.py", "search", "x", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 3 and "cannot be reached" in done.stderr
