"""new_tool.py: what it writes runs, passes its own tests, and can ask a real Hub."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from .conftest import Desk, typescript

BY_AUTHOR = ["--path", "/api/models?author={author}", "--fields", "id,downloads", "--example", "acme",
             "--purpose", "Lists the models of an author, the real ones."]  # fmt: skip


@pytest.fixture(scope="module")
def made(desk: Desk) -> dict[str, Path]:
    """A tool in each language."""
    found = {}
    for language in ("python", "bash", "typescript"):
        answer = desk.json("new_tool.py", f"by-author-{language}", "--language", language, *BY_AUTHOR, "--out", "made")
        found[language] = desk.folder / answer["tool"]
        assert found[language].exists() and os.access(found[language], os.X_OK) and len(answer["next"]) == 2
        assert "what came in, and id, downloads." in found[language].read_text(encoding="utf-8")
    return found


def start(language: str) -> list[str]:
    return {"python": lambda: [sys.executable], "bash": lambda: ["bash"], "typescript": typescript}[language]()


def test_the_tests_that_come_with_a_tool_pass_and_can_fail(made: dict[str, Path], desk: Desk) -> None:
    def tested(language: str, folder: Path, only: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "unittest", "discover", "-s", str(folder), "-p", f"test_by_author_{language}.py",
             "-k", only],
            env={**os.environ, "TOOL_RUNNER": shlex.join(start(language))},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    # tsx takes half a second to start, and check_tool.py runs papers_to_models.mts in all these ways
    only = {"python": "", "bash": "", "typescript": "every_page"}
    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(tested, made, [path.parent for path in made.values()], only.values()):
            assert done.returncode == 0 and re.search(r"Ran [19] test", done.stderr), done.stderr
    worse = desk.folder / "worse"
    worse.mkdir()
    text = made["bash"].read_text(encoding="utf-8").replace("url=$next", "url=")  # reads one page
    (worse / made["bash"].name).write_text(text, encoding="utf-8")
    test = made["bash"].with_name("test_by_author_bash.py")
    (worse / test.name).write_text(test.read_text(encoding="utf-8"), encoding="utf-8")
    failed = tested("bash", worse, only="every_page")
    assert failed.returncode == 1 and "test_every_page_is_read" in failed.stderr


@pytest.mark.parametrize("language", ["python", "bash", "typescript"])
def test_a_new_tool_asks_the_hub(made: dict[str, Path], desk: Desk, language: str) -> None:
    done = subprocess.run(
        [*start(language), str(made[language]), desk.user],
        env=desk.environment(), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(row["id"] for row in rows) == [f"{desk.user}/{name}" for name in ("hidden", "one", "other", "two")]
    assert all(row["author"] == desk.user and row["downloads"] == 0 for row in rows)


class Mirror(BaseHTTPRequestHandler):
    """A Hub under /hub whose pages lead on in every way that a Link can; /hub/api/gone is on another host now."""

    LINKS: ClassVar[dict[str, str]] = {
        "": '<https://huggingface.co/api/list?author=a&cursor=1>; rel="next"',
        "1": '</hub/api/list?author=a&cursor=0>; rel="prev", </api/list?author=a&cursor=2>; rel="next"',
        "2": "<?author=a&cursor=3>; rel=next",
        "3": '<http://HOST/hub/api/list?author=a&cursor=4>; title="more"; rel="next"',
        "4": '<http://HOST/hub/api/list?author=a>; rel="first"',
    }
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        Mirror.seen.append(self.path)
        where, host = urlsplit(self.path), self.headers["Host"]
        cursor = parse_qs(where.query).get("cursor", [""])[0]
        moved = where.path == "/hub/api/gone"
        self.send_response(307 if moved else 200 if where.path in ("/hub/api/list", "/away") else 404)
        body = b"" if moved else json.dumps([{"id": f"a/{cursor or 0}", "downloads": 0}]).encode()
        if moved:
            self.send_header("Location", f"http://{host.replace('127.0.0.1', 'localhost')}/away")
        elif where.path == "/hub/api/list":
            link = self.LINKS[cursor] if "author=a" in where.query else f'<{self.path}>; rel="next"'
            self.send_header("Link", link.replace("HOST", host))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def mirror() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hub"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("language", ["python", "bash", "typescript"])
def test_a_mirror_is_read_to_its_end_and_what_moved_to_another_host_is_no_whole_answer(
    made: dict[str, Path], desk: Desk, mirror: str, language: str
) -> None:
    def run(path: str, token: str = desk.token) -> subprocess.CompletedProcess[str]:
        tool = desk.folder / f"mirrored{made[language].suffix}"
        text = made[language].read_text(encoding="utf-8").replace("/api/models?author={author}", path)
        tool.write_text(text, encoding="utf-8")
        return subprocess.run(
            [*start(language), str(tool), "a"], env=desk.environment(HF_ENDPOINT=mirror, HF_TOKEN=token),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    done = run("/api/list?author={author}")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [f"a/{n}" for n in range(5)]
    assert all(path.startswith("/hub/api/list") for path in Mirror.seen)
    circle = run("/api/list?by={author}")
    assert circle.returncode == 3 and len(circle.stdout.splitlines()) <= 1 and "itself" in circle.stderr
    moved = run("/api/gone?author={author}")
    assert (moved.returncode, moved.stdout) == (3, "") and "private" in moved.stderr
    assert run("/api/gone?author={author}", token="").returncode == 0  # there is nothing that a token would add
    Mirror.seen.clear()


def test_a_command_that_fails_inside_of_a_bash_tool_ends_it(made: dict[str, Path], desk: Desk, mirror: str) -> None:
    broken = desk.folder / "broken"
    broken.mkdir()
    (broken / "tr").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    (broken / "tr").chmod(0o755)
    done = subprocess.run(
        ["bash", str(made["bash"]), "a"],
        env={**desk.environment(), "PATH": f"{broken}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "") and "failed: tr" in done.stderr


def test_the_same_again_changes_nothing_and_edits_are_never_undone(made: dict[str, Path], desk: Desk) -> None:
    again = ["new_tool.py", "by-author-python", *BY_AUTHOR, "--out", "made"]
    assert "already" in desk.script(*again).stderr
    edited = made["python"].read_text(encoding="utf-8") + "# mine\n"
    made["python"].write_text(edited, encoding="utf-8")
    done = desk.script(*again)
    assert done.returncode == 2 and "differs" in done.stderr
    assert made["python"].read_text(encoding="utf-8") == edited


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("name", "By_Author"), ("name", "../up"), ("--path", "api/models?author={author}"), ("--path", "/api/models"),
        ("--path", "/api/{a}/{b}"), ("--path", "/api/'{id}"), ("--fields", "id, downloads"), ("--fields", ""),
        ("--fields", "author,id"),
        ("--example", "$(id)"), ("--purpose", 'says "hello"'), ("--purpose", "two\nlines"), ("--purpose", "`id`"),
        ("--language", "perl"),
    ],
)  # fmt: skip
def test_what_could_mean_something_else_in_code_is_refused(desk: Desk, change: str, value: str) -> None:
    arguments = ["refused", "--language", "bash", *BY_AUTHOR, "--out", "refused"]
    arguments[0 if change == "name" else arguments.index(change) + 1] = value
    done = desk.script("new_tool.py", *arguments)
    assert done.returncode == 2 and done.stdout == "" and done.stderr
    assert not (desk.folder / "refused").exists()
