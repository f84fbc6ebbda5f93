"""publish_eval.py against the local Hub: by pull request, once, every other byte kept, nothing half-published."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, ModelCard

from .conftest import SCRIPTS, Desk
from .test_run_and_compare import module_of

CARD = """---
license: apache-2.0   # as the base
tags: [one,   two]
model-index:
  - name: other
    results:
      - task: {type: text-generation}
        dataset: {type: me/old, name: Old}
        metrics:
        - type: accuracy
          value: 0.5  # by hand
# a comment at the end
---

# Title

Text with --- and trailing spaces   
| a | b |
"""  # noqa: W291 - bytes that an editor would lose


def result(value: float = 0.625, dataset: str = "org/rows") -> dict:
    metric = {"value": value, "low": 0.5, "high": 0.7, "interval": "Wilson", "better": "higher", "rows": 200}
    return {
        "schema": "skillpack/eval/1", "name": "n", "created": "2026-11-21T09:00:00+00:00",
        "model": {"id": "/somewhere/model", "kind": "folder", "version": "0" * 16, "endpoint": None},
        "settings": dict.fromkeys(["device", "dtype", "seed", "limit", "chat_template", "system", "batch_size",
                                   "max_new_tokens", "max_length", "decoding", "shots"]),
        "tasks": [{"task": "rows", "harness": "skillpack", "score": "choice", "prompt": "{q}", "judge": None,
                   "source": {"id": dataset, "config": None, "split": "test", "revision": None},
                   "items_sha256": "0", "rows": 200, "left_out": 0, "unscored": 0, "cut": 0,
                   "metrics": {"accuracy": metric}, "samples": "samples/rows.jsonl"}],
        "warnings": [], "versions": {}, "seconds": 1.0,
    }  # fmt: skip


@pytest.fixture
def repo(desk: Desk) -> str:
    name = f"{desk.user}/tiny"
    desk.api.create_repo(name)
    desk.api.upload_file(repo_id=name, path_in_repo="README.md", path_or_fileobj=CARD.replace("other", "tiny").encode())
    (desk.folder / "eval.json").write_text(json.dumps(result()))
    return name


def card(desk: Desk, repo: str, revision: str = "main") -> str:
    return (
        Path(desk.api.hf_hub_download(repo, "README.md", revision=revision, force_download=True)).read_bytes().decode()
    )


def only_inserted(before: str, after: str) -> bool:
    """Whether `after` is `before` with text put in at one place."""
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    return len(after) > len(before) and after[:start] + after[start + len(after) - len(before) :] == before


def commits(desk: Desk, repo: str) -> list:
    return [desk.api.list_repo_commits(repo), list(desk.api.get_repo_discussions(repo))]


def test_a_pull_request_holds_the_result_once_and_every_other_byte(desk: Desk, repo: str) -> None:
    before, history = card(desk, repo), len(commits(desk, repo)[0])
    command = ("publish_eval.py", "eval.json", "--repo", repo)
    shown = desk.script(*command)
    assert shown.returncode == 4 and "+" in shown.stdout and commits(desk, repo)[1] == []
    assert "this would add 1 result by a pull request" in shown.stderr and "error" not in shown.stderr
    planned = desk.json(*command, code=4)
    assert planned["diff"] in shown.stdout and planned["text"] in shown.stdout and planned["verified"] is None
    done = desk.json(*command, "--yes")
    assert done["pull_request"].endswith(f"{repo}/discussions/1")
    assert card(desk, repo) == before and len(commits(desk, repo)[0]) == history, "main is not touched"
    proposed = card(desk, repo, "refs/pr/1")
    assert only_inserted(before, proposed)
    inserted = len(proposed.encode()) - len(before.encode())
    assert done["verified"] == f"{inserted} bytes inserted into README.md, nothing else changed"
    results = ModelCard(proposed).data.eval_results or []
    assert [(r.dataset_type, r.metric_value) for r in results] == [("me/old", 0.5), ("org/rows", 0.625)]
    assert results[1].metric_name == "accuracy (skillpack, 200 rows)"

    again = desk.json(*command, "--yes")
    assert again["added"] == [] and again["pull_request"] == done["pull_request"], "it was proposed twice"
    desk.api.merge_pull_request(repo, 1)
    merged = desk.json(*command, "--yes")
    assert merged["added"] == [] and merged["already_there"] == 1 and merged["pull_request"] is None
    assert len(commits(desk, repo)[1]) == 1

    (desk.folder / "eval.json").write_text(json.dumps(result(0.7)))
    refused = desk.script(*command, "--yes")
    assert refused.returncode == 2 and "0.625, and this is 0.7" in refused.stderr
    replaced = desk.json(*command, "--yes", "--overwrite", "--direct")
    assert replaced["verified"] == "README.md is as the diff shows it, nothing else changed"
    assert card(desk, repo) == proposed.replace("0.625", "0.7")


def test_what_a_reader_would_miss_is_said_before_and_the_text_says_how_it_was_measured(desk: Desk, repo: str) -> None:
    command = ("publish_eval.py", "eval.json", "--repo", repo)
    vague = desk.json(*command, code=4)["warnings"]
    assert len([each for each in vague if "shows this token no dataset 'org/rows'" in each]) == 1
    (lacks,) = [each for each in vague if each.startswith("not recorded")]
    assert all(word in lacks for word in ("hash of the rows of rows", "revision of rows's", "seed", "chat_template"))
    whole, dataset = result(dataset=f"{desk.user}/rows"), f"{desk.user}/rows"
    desk.api.create_repo(dataset, repo_type="dataset")
    whole["settings"] |= {"seed": 0, "chat_template": True, "decoding": "greedy"}
    whole["tasks"][0]["items_sha256"] = "0" * 64
    (desk.folder / "eval.json").write_text(json.dumps(whole))
    done = desk.json(*command, "--notes", "Measured on one laptop.", "--yes")
    assert [each for each in done["warnings"] if "be sure that" not in each] == []
    (opened, *_) = desk.api.get_discussion_details(repo, 1).events
    how = 'accuracy: 0.625 (skillpack, 200 rows, 95 % interval 0.5 to 0.7)\n  score choice, prompt "{q}"'
    assert opened.content == done["text"] == f"Measured on one laptop.\n\n- rows/{how}"


def test_a_commit_that_touches_another_file_is_not_called_verified(desk: Desk, repo: str) -> None:
    script = module_of(SCRIPTS / "publish_eval.py")
    head, before = desk.api.model_info(repo).sha, card(desk, repo)
    operations = [CommitOperationAdd(name, b"x") for name in ("README.md", "config.json")]
    made = desk.api.create_commit(repo, operations, commit_message="two files")
    published = {"commit": made.commit_url, "pull_request": None}
    with pytest.raises(script.Failure, match=r"touches README\.md, config\.json"):
        script.verified(desk.api, repo, "README.md", before, "x", head, published)


def test_a_benchmarks_result_is_one_file_and_only_for_what_is_registered(desk: Desk, repo: str) -> None:
    benchmark = f"{desk.user}/bench"
    desk.api.create_repo(benchmark, repo_type="dataset")
    command = ("publish_eval.py", "eval.json", "--repo", repo, "--to", "eval-results", "--benchmark", benchmark,
               "--benchmark-task", "hard", "--yes")  # fmt: skip
    refused = desk.script(*command)
    assert refused.returncode == 2 and "no eval.yaml" in refused.stderr
    tasks = b"name: Bench\ntasks:\n  - id: easy\n"
    desk.api.upload_file(repo_id=benchmark, repo_type="dataset", path_in_repo="eval.yaml", path_or_fileobj=tasks)
    unknown = desk.script(*command)
    assert unknown.returncode == 2 and "one of: easy" in unknown.stderr
    command = tuple("easy" if word == "hard" else word for word in command)
    done = desk.json(*command, "--percent")
    assert done["file"] == ".eval_results/easy.yaml" and done["pull_request"]
    path = desk.api.hf_hub_download(repo, ".eval_results/easy.yaml", revision="refs/pr/1")
    assert "value: 62.5\n" in Path(path).read_text() and "95 % interval 0.5 to 0.7" in Path(path).read_text()
    assert desk.json(*command, "--percent")["added"] == [], "it was proposed twice"


def test_without_a_right_nothing_is_written(desk: Desk, repo: str) -> None:
    command = ("publish_eval.py", "eval.json", "--repo", repo, "--yes")
    reader = desk.hub.add_token(desk.user, "read")
    stranger = desk.hub.add_token("stranger")
    for token, more, said in (
        (reader, (), "only reads"),
        (stranger, ("--direct",), "may not write"),
        ("hf_revokedtoken1234567", (), "401"),
    ):
        refused = desk.script(*command, *more, HF_TOKEN=token)
        assert refused.returncode in (2, 3) and said in refused.stderr, refused.stderr
    nobody = desk.script(*command, HF_TOKEN=None)
    assert nobody.returncode == 3 and "HF_TOKEN" in nobody.stderr
    assert card(desk, repo) == CARD.replace("other", "tiny") and commits(desk, repo)[1] == []


@pytest.fixture
def cutting_hub(desk: Desk) -> Iterator[Any]:
    """The Hub behind a proxy that cuts the connection at the first commits, as `cuts` says: before or after it."""
    where = urlsplit(desk.hub.url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            cut = server.cuts.pop(0) if server.cuts and "/commit/" in self.path else ""  # type: ignore[attr-defined]
            if cut != "before":
                connection = http.client.HTTPConnection(where.hostname or "", where.port)
                connection.request(self.command, self.path, body, {**self.headers, "Host": where.netloc})
                answer = connection.getresponse()
                data = answer.read()
            if cut:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value.replace(desk.hub.url, own))
            self.send_header(
                "Content-Length", answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
            )
            self.end_headers()
            self.wfile.write(data if self.command != "HEAD" else b"")

        do_GET = do_POST = do_HEAD = pass_on

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    own = f"http://127.0.0.1:{server.server_port}"
    server.own, server.cuts = own, []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_network_that_drops_in_the_push_leaves_nothing_or_all_and_the_same_command_ends_it(
    desk: Desk, repo: str, cutting_hub: Any, cut: str
) -> None:
    command = ("publish_eval.py", "eval.json", "--repo", repo, "--yes")
    cutting_hub.cuts = [cut] * 20
    dropped = desk.script(*command, HF_ENDPOINT=cutting_hub.own)
    assert dropped.returncode == 3 and "run the same command again" in dropped.stderr, dropped.stderr
    proposals = len(commits(desk, repo)[1])
    assert proposals == (0 if cut == "before" else 1) and card(desk, repo) == CARD.replace("other", "tiny")
    cutting_hub.cuts = []
    done = desk.json(*command, HF_ENDPOINT=cutting_hub.own)
    assert done["pull_request"] and len(commits(desk, repo)[1]) == 1
    assert card(desk, repo, "refs/pr/1").count("org/rows") == 1


INDENTED = """---
model-index:
- name: m
  results:
  - task:
      type: t
    dataset:
      type: a/b
      name: B
    metrics:
    - type: acc
      value: 1
    source:
      url: https://x.y
      name: |
        two
        lines
tags:
- z
---
rest"""
CLAIM = {"model": "m", "label": "rows/accuracy", "name": "rows", "dataset": "org/rows", "config": None,
         "split": "test", "metric": "accuracy", "metric_name": "accuracy", "value": 0.625,
         "setup": "skillpack, 200 rows", "interval": "", "source": None, "date": "2026-11-21"}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# Only text\n",
        "---\nlicense: mit\n---\n# T\n",
        "---\r\nlicense: mit\r\n---\r\n# T\r\n\r\nend",
        "\ufeff---\nlicense: mit\n---\n",
        "---\n---\ntext",
        CARD,
        CARD.replace("\n", "\r\n"),
        INDENTED,
    ],
)
def test_a_card_keeps_every_byte_and_takes_a_result_once(text: str) -> None:
    script = module_of(SCRIPTS / "publish_eval.py")
    after, new = script.edited_card(text, "me/m", [CLAIM], False)
    assert new == [CLAIM]
    if text.lstrip("\ufeff").startswith("---"):
        assert only_inserted(text, after)
    else:
        assert after.endswith(text) and after.startswith("---\n")
    assert ("\r\n" in text) == ("\r\n" in after) and after.count("\n") - after.count("\r\n") == (
        0 if "\r\n" in text else after.count("\n")
    )
    results = ModelCard(after.lstrip("\ufeff")).data.eval_results or []
    assert ("org/rows", "accuracy", 0.625) in [(r.dataset_type, r.metric_type, r.metric_value) for r in results]
    assert script.edited_card(after, "me/m", [CLAIM], False) == (after, [])
    with pytest.raises(script.Failure, match=r"and this is 0\.7"):
        script.edited_card(after, "me/m", [{**CLAIM, "value": 0.7}], False)
    replaced, _ = script.edited_card(after, "me/m", [{**CLAIM, "value": 0.7}], True)
    assert replaced == after.replace("0.625", "0.7")


@pytest.mark.parametrize(
    "text",
    [
        "---\nmodel-index: [{name: m, results: [{task: {type: t}, dataset: {type: a, name: b}, metrics: []}]}]\n---\n",
        "---\nmodel-index: nothing\n---\n",
        "---\nmodel-index:\n- name: one\n  results: []\n- name: two\n  results: []\n---\n",
        "---\nlicense: [\n---\n",
    ],
)
def test_a_card_that_cannot_be_edited_safely_is_refused(text: str) -> None:
    script = module_of(SCRIPTS / "publish_eval.py")
    with pytest.raises(script.Failure):
        script.edited_card(text, "me/m", [CLAIM], False)


def test_a_file_on_this_machine_is_published_by_the_name_of_its_task(desk: Desk, repo: str) -> None:
    rows = desk.rows("private-rows.jsonl", [{"a": 1}])
    (desk.folder / "eval.json").write_text(json.dumps(result(dataset=str(rows))))
    shown = desk.script("publish_eval.py", "eval.json", "--repo", repo)
    assert shown.returncode == 4 and str(desk.folder) not in shown.stderr + shown.stdout
    assert "'rows' is no ORG/NAME of the Hub" in shown.stderr
    (desk.folder / "eval.json").write_text('{"schema": "skillpack/eval/1"}')
    wrong = desk.script("publish_eval.py", "eval.json", "--repo", repo)
    assert wrong.returncode == 2 and "'tasks' is a required property" in wrong.stderr
