"""check_tool.py: tools that keep the rules pass, and each rule is broken by a tool that fails it."""

from __future__ import annotations

import ast
import json
import shlex
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from .conftest import SAMPLES, SCRIPTS, Desk, typescript

ARGUMENTS = {
    "find_models_by_paper.sh": ["--", "2401.00001"],
    "enrich_models.py": ["--stdin", "ids.ndjson"],
    "card_front_matter.sh": ["--stdin", "ids.ndjson"],
    "diff_models.py": ["--", "acme/tiny-1", "acme/tiny-2"],
    "papers_to_models.mts": ["--", "tiny"],
    "stale_repos.sh": ["--", "acme"],
}
RULES = next(
    ast.literal_eval(node.value)
    for node in ast.parse((SCRIPTS / "check_tool.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RULES"
)

CARELESS_BASH = r"""#!/bin/bash
declare -A seen
[ "$1" = --help ] && echo "usage: careless [--token TOKEN]" && exit
page=$(curl -sL -H "Authorization: Bearer $HF_TOKEN" "$HF_ENDPOINT/api/models?author=$1")
echo $page | jq -c '.[]? | {id}'
exit 0
"""
CARELESS_PYTHON = '''"""Shows models."""
import json, os, sys, time, urllib.request
KEY = "hf_abcdefghijklmnopqrstuvwxyz"
url = os.environ["HF_ENDPOINT"] + "/api/models?author=acme&token=" + os.environ.get("HF_TOKEN", "")
if sys.argv[1:] == ["--help"]:
    print("usage: --limit N, examples, exit codes, HF_TOKEN")
    sys.exit()
for attempt in range(20):
    try:
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + os.environ.get("HF_TOKEN", "")})
        models = json.load(urllib.request.urlopen(request))
        break
    except Exception:
        pass
for line in sys.stdin:
    print("read", line.strip(), file=sys.stderr)
print("\\x1b[32mModels\\x1b[0m", flush=True)
for model in models:
    print("*", model["id"], flush=True)
'''
HASTY_PYTHON = '''"""Renames as it goes, asks the wrong host, and takes half an answer for a whole one."""
# /// script
# requires-python = ">=3.10"
# dependencies = ["requests"]
# ///
import http.client, json, os, re, sys, urllib.request
for line in os.popen("curl -s https://huggingface.co/api/models"):
    pass
host = os.environ["HF_ENDPOINT"].removeprefix("http://")
def ask(method, path):
    connection = http.client.HTTPConnection(host)
    connection.request(method, path)
    try:
        return connection.getresponse().read().decode()
    except http.client.IncompleteRead as error:
        return error.partial.decode()
ask("POST", "/api/repos/move")
for found in re.findall(r'"id": "([^"]+)"', ask("GET", "/api/models?author=acme")) or ["none"]:
    print(json.dumps({"id": found}))
'''
TOOLS = {  # text, arguments, the rules that it breaks
    "careless.sh": (CARELESS_BASH, ["--", "acme"], {
        "strict-shell", "curl-fail", "bash-3.2", "shellcheck", "token-secret", "help", "token-no-option",
        "unknown-option", "pages", "waits-when-told", "waits-for-window", "retries", "gives-up",
        "fails-loudly", "half-answers", "works-without-token", "wrong-answers", "anonymous-answers", "full-disk",
    }),
    "careless.py": (CARELESS_PYTHON, ["--stdin", "ids.ndjson"], {
        "no-token-inside", "pinned", "ndjson", "token-secret", "unknown-option", "pages", "waits-when-told",
        "waits-for-window", "gives-up", "fails-loudly", "no-retry-of-no", "token-stays-home", "works-without-token",
        "closed-pipe", "broken-input", "limit", "wrong-answers",
    }),
    "hasty.py": (HASTY_PYTHON, ["--run", "python3"], {
        "endpoint", "token-sent", "asks-before-writing", "help", "unknown-option", "pages", "waits-when-told",
        "waits-for-window", "closed-pipe", "gives-up", "fails-loudly", "half-answers", "wrong-answers",
    }),
}  # fmt: skip


def verdicts(report: dict[str, Any], verdict: str) -> set[str]:
    return {check["rule"] for check in report["checks"] if check["verdict"] == verdict}


def write_ids(desk: Desk) -> None:
    (desk.folder / "ids.ndjson").write_text('{"id": "acme/tiny-1"}\n{"id": "acme/tiny-2"}\n', encoding="utf-8")


def test_every_sample_keeps_every_rule(desk: Desk) -> None:
    write_ids(desk)
    told = {"papers_to_models.mts": ["--run", shlex.join(typescript())]}

    def check(name: str) -> dict[str, Any]:
        *options, last = ARGUMENTS[name]
        arguments = ["--", *options[1:], last] if "--" in options else [*options, last]
        return desk.json("check_tool.py", *told.get(name, []), str(SCRIPTS / name), *arguments)

    with ThreadPoolExecutor(2) as pool:
        reports = dict(zip(SAMPLES, pool.map(check, SAMPLES), strict=True))
    for name, report in reports.items():
        assert verdicts(report, "fail") == set(), (name, report)
        assert verdicts(report, "skip") <= {"pages"}, name
    passed = {name: verdicts(report, "pass") for name, report in reports.items()}
    assert "pages" in passed["stale_repos.sh"] & passed["find_models_by_paper.sh"] & passed["papers_to_models.mts"]
    assert {"shellcheck", "bash-3.2", "curl-fail"} <= passed["card_front_matter.sh"]
    assert set().union(*passed.values()) == set(RULES)


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_that_breaks_rules_is_told_which_and_what_to_do(desk: Desk, name: str) -> None:
    write_ids(desk)
    text, arguments, broken = TOOLS[name]
    (desk.folder / name).write_text(text, encoding="utf-8")
    report = desk.json("check_tool.py", name, *arguments, code=1)
    assert verdicts(report, "fail") == broken
    assert all(check["fix"] == RULES[check["rule"]] for check in report["checks"] if check["verdict"] == "fail")
    assert report["counts"]["fail"] == len(broken)


def test_every_rule_is_broken_by_one_of_these_tools() -> None:
    assert set().union(*(broken for _, _, broken in TOOLS.values())) == set(RULES)


def test_a_real_hub_behind_the_front_is_only_read_and_its_token_stays_with_the_front(desk: Desk) -> None:
    report = desk.json(
        "check_tool.py", str(SCRIPTS / "stale_repos.sh"), "--endpoint", desk.hub.url, "--", "--days", "0", desk.user
    )
    assert report["hub"] == desk.hub.url and report["lines"] == 4 and verdicts(report, "fail") == set()
    (desk.folder / "hasty.py").write_text(HASTY_PYTHON.replace("author=acme", f"author={desk.user}"), encoding="utf-8")
    before = desk.api.model_info(f"{desk.user}/one").sha
    report = desk.json("check_tool.py", "hasty.py", "--endpoint", desk.hub.url, code=1)
    assert "asks-before-writing" in verdicts(report, "fail")
    assert desk.api.model_info(f"{desk.user}/one").sha == before


class FilesElsewhere(BaseHTTPRequestHandler):
    """A Hub whose files lie on another host, as those of the real one do."""

    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        FilesElsewhere.seen.append((host, self.headers.get("Authorization")))
        moved = host == "127.0.0.1"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", f"http://localhost:{self.server.server_port}/file")  # type: ignore[attr-defined]
        body = b"" if moved else b'[{"id": 1}, {"id": 2}]'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_files_that_lie_on_another_host_are_not_held_against_the_tool(desk: Desk) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FilesElsewhere)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    arguments = [
        "by-file",
        "--path",
        "/{id}/resolve/main/rows.json",
        "--fields",
        "n",
        "--example",
        "a",
        "--purpose",
        "X",
    ]
    desk.json("new_tool.py", *arguments)
    report = desk.json(
        "check_tool.py", "by-file.py", "--endpoint", f"http://127.0.0.1:{server.server_port}", "--", "a/b"
    )
    server.shutdown()
    server.server_close()
    assert report["lines"] == 2 and verdicts(report, "fail") == set()
    assert {token for host, token in FilesElsewhere.seen if host == "localhost"} == {None}
    assert {token for host, token in FilesElsewhere.seen if host == "127.0.0.1"} == {f"Bearer {desk.token}"}


def test_what_came_in_twice_may_be_asked_for_twice_and_a_refusal_of_some_may_end_with_1(desk: Desk) -> None:
    tool = str(SCRIPTS / "card_front_matter.sh")
    report = desk.json("check_tool.py", tool, "--", "--type", "dataset", "acme/rows-1", "acme/gone", "acme/rows-1")
    assert report["lines"] == 2 and verdicts(report, "fail") == set()
    assert {"no-retry-of-no", "limit", "retries"} <= verdicts(report, "pass")


def test_a_tool_that_crashes_at_a_refusal_has_not_refused_some(desk: Desk) -> None:
    text = (SCRIPTS / "enrich_models.py").read_text(encoding="utf-8")
    assert "        return error\n" in text
    crashing = text.replace("        return error\n", "        raise\n")
    (desk.folder / "crashing.py").write_text(crashing, encoding="utf-8")
    done = desk.script("check_tool.py", "crashing.py", "--", "acme/tiny-1", "acme/gone")
    assert done.returncode == 1 and "gives no answer" in done.stderr


def test_the_stand_in_has_lists_of_every_kind_for_two_authors(desk: Desk) -> None:
    for kind, count in (("datasets", 5), ("spaces", 4)):
        name = f"all-{kind}"
        path = ["--path", f"/api/{kind}?author={{author}}", "--fields", "id", "--example", "Qwen", "--purpose", "X"]
        hint = desk.json("new_tool.py", name, *path)["next"][1]
        assert hint.endswith("-- acme bolt")
        report = desk.json("check_tool.py", f"{name}.py", "--", *hint.partition(" -- ")[2].split())
        assert report["lines"] == count and verdicts(report, "fail") == set() == verdicts(report, "skip")


def test_what_cannot_be_checked_is_said(desk: Desk) -> None:
    desk.folder.joinpath("silent.sh").write_text("#!/bin/bash\nexit 0\n", encoding="utf-8")
    desk.folder.joinpath("notes.txt").write_text("no tool\n", encoding="utf-8")
    for arguments, code, word in (
        (["absent.sh"], 2, "no such file"), (["silent.sh", "--stdin", "none"], 2, "NDJSON"),
        (["silent.sh"], 1, "gives no answer"), (["notes.txt"], 2, "--run"),
        ([str(SCRIPTS / "stale_repos.sh"), "--endpoint", "http://127.0.0.1:9", "--", "a"], 3, "cannot be reached"),
    ):  # fmt: skip
        done = desk.script("check_tool.py", *arguments)
        assert (done.returncode, done.stdout) == (code, "") and word in done.stderr, done.stderr


def test_a_tool_that_hangs_is_ended(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "slow.sh").write_text("#!/bin/bash\nsleep 600\n", encoding="utf-8")
    done = desk.script("check_tool.py", tmp_path / "slow.sh", "--timeout", 1)
    assert done.returncode == 1 and "did not end in time" in done.stderr


def test_the_report_has_the_form_of_its_schema(desk: Desk) -> None:
    from jsonschema import Draft202012Validator

    write_ids(desk)
    schema = json.loads((SCRIPTS.parent / "assets/tool-check.schema.json").read_text(encoding="utf-8"))
    (desk.folder / "careless.sh").write_text(CARELESS_BASH, encoding="utf-8")
    report = desk.json("check_tool.py", "careless.sh", "--", "acme", code=1)
    assert list(Draft202012Validator(schema).iter_errors(report)) == []
    assert list(Draft202012Validator(schema).iter_errors({**report, "checks": [{"rule": "no such rule"}]})) != []
    assert set(schema["properties"]["checks"]["items"]["properties"]["rule"]["enum"]) == set(RULES)
