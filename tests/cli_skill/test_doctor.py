"""hub_doctor.py: a verdict, and for each thing that stands in the way the fix."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .conftest import Desk

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
#: Nothing of this machine's own network settings.
BARE: dict[str, str | None] = {
    **dict.fromkeys(("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")),
    "HTTP_PROXY": None, "HTTPS_PROXY": None, "ALL_PROXY": None, "NO_PROXY": None,
    "http_proxy": None, "https_proxy": None, "all_proxy": None, "no_proxy": None, "PATH": PATH,
}  # fmt: skip


def test_a_machine_that_can_work_with_the_hub_is_ready(desk: Desk) -> None:
    repo = f"{desk.user}/mine"
    desk.api.create_repo(repo, private=True)
    found = desk.json("hub_doctor.py", "--repo", repo, "--write", **BARE)
    fine = {check["name"]: check["found"] for check in found["checks"] if check["state"] == "ok"}
    assert fine.keys() >= {"library", "hf", "xet", "endpoint", "token", "repository", "cache"}
    assert desk.user in fine["token"] and "role write" in fine["token"]
    assert fine["repository"] == f"{repo} can be read and written"
    assert found["verdict"].startswith("ready") and found["failed"] == []
    assert not [path for path in desk.home.rglob("*") if path.name.startswith(".doctor")]


@pytest.mark.parametrize(
    ("arguments", "changes", "name", "words"),
    [
        ([], {"HF_TOKEN": "hf_" + "x" * 34}, "token", "make a new token"),
        ([], {"HF_TOKEN": "hf_two words"}, "token", "white space"),
        (["--write"], {"HF_TOKEN": None}, "token", "hf auth login"),
        (["--write"], {"HF_TOKEN": "READER"}, "token", "cannot write"),
        ([], {"HF_HUB_OFFLINE": "1"}, "offline", "unset HF_HUB_OFFLINE"),
        ([], {"HF_ENDPOINT": "http://127.0.0.1:9"}, "endpoint", "check the network"),
        ([], {"HF_ENDPOINT": "huggingface.co"}, "endpoint", "unset HF_ENDPOINT"),
        ([], {"HTTP_PROXY": "http://me:secret@127.0.0.1:9"}, "proxy", "NO_PROXY=127.0.0.1"),
        ([], {"SSL_CERT_FILE": "/nowhere/ca.pem"}, "certificates", "SSL_CERT_FILE"),
        (["--repo", "nobody/nothing"], {}, "repository", "no model nobody/nothing"),
        (["--repo", "{tester}/theirs", "--type", "dataset"], {}, "repository", "--type model"),
        (["--repo", "{tester}/theirs", "--write"], {}, "repository", "cannot be written"),
        (["--repo", "{tester}/behind-a-gate"], {}, "repository", "is gated"),
        (["--need-gb", "9999999"], {}, "disk", "cache_report.py"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_thing_in_the_way_is_named_with_its_fix(
    desk: Desk, arguments: list[str], changes: dict[str, str | None], name: str, words: str
) -> None:
    if changes.get("HF_TOKEN") == "READER":
        changes = {"HF_TOKEN": desk.hub.add_token(desk.user, "read")}
    for repo in ("theirs", "behind-a-gate"):
        desk.hub.api().create_repo(f"{desk.hub.user}/{repo}", exist_ok=True)
    desk.hub.api().update_repo_settings(f"{desk.hub.user}/behind-a-gate", gated="manual")
    arguments = [each.format(tester=desk.hub.user) for each in arguments]
    found = desk.json("hub_doctor.py", *arguments, code=1, **{**BARE, **changes})
    assert name in found["failed"] and found["verdict"] == "not ready"
    (check,) = [check for check in found["checks"] if check["name"] == name and check["state"] == "fail"]
    assert words in check["found"] + check["fix"] and check["fix"]
    assert "secret" not in str(found)


def test_what_will_only_hurt_some_day_is_told_and_does_not_fail(desk: Desk) -> None:
    token_file = desk.home / "token"
    token_file.parent.mkdir(parents=True, exist_ok=True)
    token_file.write_text("hf_another_one_of_before")
    token_file.chmod(0o644)
    done = desk.script("hub_doctor.py", **{**BARE, "HF_HUB_ENABLE_HF_TRANSFER": "1", "PATH": "/nowhere"})
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "ready, with warnings"
    for words in ("chmod 600", "HF_TOKEN hides", "HF_XET_HIGH_PERFORMANCE", "no `hf` on PATH"):
        assert words in done.stdout


def test_wrong_arguments_are_a_usage_error(desk: Desk) -> None:
    done = desk.script("hub_doctor.py", "--repo", "model")
    assert done.returncode == 2 and "NAMESPACE/NAME" in done.stderr
