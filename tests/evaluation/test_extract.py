"""extract_evals.py: scores with their places, doubts that are reported, and a recorded answer served here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from .conftest import SKILL, Desk

CARDS = Path(__file__).parent / "cards"
SCHEMA = Draft202012Validator(json.loads((SKILL / "assets/extracted-evals.schema.json").read_text()))
# The form of the service's answer in November 2026; names and numbers are made up.
RECORDED = {
    "status": 200,
    "data": [
        {"id": "1", "name": "Mine 7B", "slug": "mine-7b", "model_creator": {"id": "9", "name": "Me"},
         "evaluations": {"artificial_analysis_intelligence_index": 31.4, "mmlu_pro": 0.512, "gpqa": 0.3, "hle": None}},
        {"id": "2", "name": "Mine 70B", "slug": "mine-70b", "evaluations": {"mmlu_pro": 0.7}},
    ],
}  # fmt: skip


def extract(desk: Desk, card: str, *more: str, code: int = 0) -> dict:
    (desk.folder / card).write_bytes((CARDS / card).read_bytes())
    found = desk.json("extract_evals.py", card, "--model", "me/Mine-7B", *more, code=code)
    assert not list(SCHEMA.iter_errors(found))
    assert json.loads((desk.folder / "evals-extracted.json").read_text()) == found
    return found


def short(result: dict) -> tuple:
    return (result["benchmark"], result["dataset"], result["metric"], result["value"], result["setup"])


def test_scores_keep_the_row_and_column_that_they_came_from(desk: Desk) -> None:
    found = extract(desk, "rows.md")
    assert [short(result) for result in found["results"]] == [
        ("MMLU", "cais/mmlu", "accuracy", 64.2, "5-shot"),
        ("GSM8K", "openai/gsm8k", "exact_match", 55.5, "8-shot"),
    ]
    assert found["results"][0]["place"] == {"line": 9, "table": 1, "row": "MMLU (5-shot)", "column": "Mine-7B"}
    lines = (CARDS / "rows.md").read_text().splitlines()
    assert all(r["raw"].strip("*") in lines[r["place"]["line"] - 1] for r in found["results"])
    assert found["ambiguous"] == []
    other = extract(desk, "rows.md", "--name", "Base-7B")
    assert [result["value"] for result in other["results"]] == [60.1, 50.0]


def test_benchmarks_may_be_columns(desk: Desk) -> None:
    found = extract(desk, "columns.md")
    assert [(r["benchmark"], r["value"], r["raw"]) for r in found["results"]] == [
        ("ARC-Challenge", 51.5, "51.5%"), ("HellaSwag", 77.1, "77.1")]  # fmt: skip
    assert found["results"][1]["place"] == {"line": 3, "table": 1, "row": "Mine-7B", "column": "HellaSwag"}


def test_what_could_be_read_in_two_ways_is_reported_and_not_guessed(desk: Desk) -> None:
    found = extract(desk, "doubts.md", code=1)
    assert found["results"] == []
    reasons = [(doubt["line"], doubt["why"]) for doubt in found["ambiguous"]]
    assert [line for line, _ in reasons] == [1, 8, 9, 13]
    for (_, why), said in zip(
        reasons, ["which of 'Base-7B', 'Ours'", "'MyBench' is no known", "'40.1 / 42.3' is not one number",
                  "more than one value: 55.5 (line 7), 54.0 (line 13)"], strict=True):  # fmt: skip
        assert said in why
    settled = extract(desk, "doubts.md", "--table", "1", "--name", "Ours")
    assert [short(result)[:4] for result in settled["results"]] == [("MMLU", "cais/mmlu", "accuracy", 64.2)]
    named = extract(desk, "doubts.md", "--table", "2", "--dataset", "MyBench=me/mybench", code=1)
    assert [short(result)[:2] for result in named["results"]] == [("GSM8K", "openai/gsm8k"), ("MyBench", "me/mybench")]


def test_the_scores_of_a_card_on_the_hub_are_published_with_their_source(desk: Desk) -> None:
    repo = f"{desk.user}/Mine-7B"
    desk.api.create_repo(repo)
    desk.api.upload_file(repo_id=repo, path_in_repo="README.md", path_or_fileobj=CARDS / "rows.md")
    found = desk.json("extract_evals.py", repo)
    assert found["source"]["url"].endswith("/blob/" + found["source"]["revision"] + "/README.md")
    done = desk.json("publish_eval.py", "evals-extracted.json", "--yes")
    assert len(done["added"]) == 2 and done["pull_request"]
    assert found["source"]["url"] in done["diff"] and "cais/mmlu" in done["diff"]
    assert desk.json("publish_eval.py", "evals-extracted.json", "--yes")["added"] == []


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.md", b"", "0 results"),
        ("broken.md", b"| MMLU | a\n| --- |\n| 1 | 2 | 3 |\n|||\n", "0 results"),
        ("latin.md", "| Benchmark | é |".encode("latin-1"), "UTF-8"),
        ("long.md", b"| MMLU | " + b"x" * 10_000_000, "10 MB"),
        ("missing.md", None, "No such file"),
    ],
)
def test_a_file_without_a_table_that_can_be_read_says_so(
    desk: Desk, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (desk.folder / name).write_bytes(content)
    done = desk.script("extract_evals.py", name, "--model", "me/mine")
    assert done.returncode in (1, 2) and said in done.stdout + done.stderr and len(done.stderr) < 1000


@pytest.fixture
def artificial_analysis() -> Iterator[Any]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.keys.append(self.headers.get("x-api-key"))  # type: ignore[attr-defined]
            right = self.headers.get("x-api-key") == "aa-key-for-tests"
            data = json.dumps(RECORDED if right else {"error": "Invalid API key"}).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.keys = []  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{server.server_port}/models"  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_artificial_analysis_is_read_with_its_own_key(desk: Desk, artificial_analysis: Any) -> None:
    command = ("extract_evals.py", "--model", "me/mine", "--artificial-analysis-url", artificial_analysis.url,
               "--artificial-analysis")  # fmt: skip
    key = {"ARTIFICIAL_ANALYSIS_API_KEY": "aa-key-for-tests"}
    found = desk.json(*command, "mine-7b", **key)
    assert not list(SCHEMA.iter_errors(found))
    assert {r["benchmark"]: r["value"] for r in found["results"]} == {
        "artificial_analysis_intelligence_index": 31.4, "mmlu_pro": 0.512, "gpqa": 0.3}  # fmt: skip
    assert found["source"]["url"] == "https://artificialanalysis.ai/models/mine-7b"
    assert artificial_analysis.keys == ["aa-key-for-tests"]
    near = desk.script(*command, "mine", **key)
    assert near.returncode == 2 and "mine-7b, mine-70b" in near.stderr
    assert desk.script(*command, "mine-7b", ARTIFICIAL_ANALYSIS_API_KEY="wrong-key").returncode == 3
    nokey = desk.script(*command, "mine-7b")
    assert nokey.returncode == 2 and "ARTIFICIAL_ANALYSIS_API_KEY is not set" in nokey.stderr
