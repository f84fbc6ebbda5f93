"""What SKILL.md and the references say is so: commands are the installed ones, and the facts are tried."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest

from .conftest import SCRIPTS, SKILL, Desk

DOCUMENTS = [SKILL / "SKILL.md", *sorted((SKILL / "references").glob("*.md"))]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def sync(script: Path, *arguments: object, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *map(str, arguments)], input=text, capture_output=True, text=True, check=False
    )


def test_every_command_of_the_documents_is_one_of_the_installed_hf() -> None:
    done = sync(SCRIPTS / "sync_reference.py", "--check")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 120  # and none of them was looked at in vain


def test_drift_is_found_and_mended(tmp_path: Path) -> None:
    skill = tmp_path / "skill"
    shutil.copytree(SKILL, skill)
    script = skill / "scripts/sync_reference.py"
    cache, renamed = skill / "references/cache.md", skill / "references/renamed.md"
    whole = cache.read_text(encoding="utf-8")
    assert whole.count("`--fail-on-missing-files`") == 1
    cache.write_text(whole.replace("`--fail-on-missing-files`", "`--strict`"), encoding="utf-8")
    drifted = sync(script, "--check")
    assert drifted.returncode == 1 and "+| `verify REPO_ID`" in drifted.stderr
    assert sync(script).returncode == 0 and cache.read_text(encoding="utf-8") == whole

    row = "| `hf repo list` |"
    text = renamed.read_text(encoding="utf-8")
    assert text.count(row) == 1
    renamed.write_text(text.replace(row, "| `hf cache list` |"), encoding="utf-8")
    back = sync(script, "--check")
    assert back.returncode == 1 and "stands under gone, and the installed hf has it" in back.stderr


BAD = r"""
# hf repo create comment
huggingface-cli login --token "$HF_TOKEN"
hf repo create me/x
for r in a b; do hf download "$r" --include "*.json" --local-dir ./x; done
HF_HUB_OFFLINE=1 hf upload me/x . --privat && hf cache list --sort size:desc --json > out.json
X=$(hf upload-large-folder me/x .) | hf repos list -q
hf discussions info me/x three
hf sync ./a \
  hf://buckets/me/b --deleted
hf cache list --sort age; echo hf nonsense
hf repos delete-files me/x
hf jobs run --flavor cpu-basic python:3.12 python -c "print(1)"
"""


def test_lint_names_each_wrong_command_with_its_line_and_no_right_one(tmp_path: Path) -> None:
    done = sync(SCRIPTS / "sync_reference.py", "--lint", "-", "--json", text=BAD)
    assert done.returncode == 1
    found = [(each["line"], each["problem"]) for each in json.loads(done.stdout)["problems"]]
    assert [line for line, _ in found] == [3, 4, 6, 7, 8, 9, 11, 12]
    for (_, problem), words in zip(
        found,
        ["now `hf auth login`", "now `hf repos create", "--privat", "now `hf upload ", "three", "--deleted", "age",
         "PATTERNS"],
        strict=True,
    ):  # fmt: skip
        assert words in problem
    good = tmp_path / "good.md"
    good.write_text("`hf upload … --create-pr`\n\n```bash\n$ hf auth whoami\n```\n\n```python\nhf nonsense\n```\n")
    assert sync(SCRIPTS / "sync_reference.py", "--lint", good).stdout.startswith("2 commands")
    good.write_text("```\n$ hf repo create x\n```\n\n```Bash\nhf upload a b --nope\n```\n")
    bare = sync(SCRIPTS / "sync_reference.py", "--lint", good)
    assert bare.returncode == 1 and "2 commands" in bare.stdout and "2 wrong" in bare.stdout, bare.stdout
    assert sync(SCRIPTS / "sync_reference.py", "--lint", tmp_path / "none.md").returncode == 2


def test_what_python_lost_is_gone_and_what_replaced_it_is_there() -> None:
    text = (SKILL / "references/renamed.md").read_text(encoding="utf-8").partition("Python, the same way")[2]
    rows = re.findall(r"^\| (`.+?) \| (`.+?) \|$", text, re.M)
    assert len(rows) >= 6
    there = {*dir(huggingface_hub), *dir(huggingface_hub.HfApi)}
    for old, new in rows:
        assert not there & set(re.findall(r"`(\w+)`", old)), old
        assert set(re.findall(r"`(\w+)`", new)) <= there, new


def test_every_option_of_the_skills_own_scripts_exists() -> None:
    known = {path.name: set(OPTION.findall(sync(path, "--help").stdout)) for path in sorted(SCRIPTS.glob("*.py"))}
    named = 0
    for path in DOCUMENTS:
        prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)
        for span in re.findall(r"`([^`]+)`", prose):
            script = next((name for name in known if name in span), None)
            if script:
                named += 1
                assert set(OPTION.findall(span)) <= known[script], f"{path.name}: {span}"
    assert named >= 12


def test_prune_takes_what_was_fetched_by_hash_and_the_report_says_so_before(desk: Desk) -> None:
    repo = f"{desk.user}/pinned"
    desk.api.create_repo(repo)
    commit = desk.api.upload_file(path_or_fileobj=b"one", path_in_repo="a.txt", repo_id=repo).oid
    snapshot = Path(desk.hf("download", repo, "--revision", commit, "-q").strip())
    assert (snapshot / "a.txt").is_file()
    assert commit[:12] in str(desk.json("cache_report.py")["candidates"]["detached"])
    desk.hf("cache", "prune", "--yes")
    assert not snapshot.exists()


def test_upload_makes_the_branch_it_is_told_and_names_win_over_include(desk: Desk) -> None:
    repo = f"{desk.user}/branches"
    (desk.folder / "a.txt").write_text("a")
    desk.hf("upload", repo, "a.txt", "--revision", "typo")
    assert "typo" in [branch.name for branch in desk.api.list_repo_refs(repo).branches]
    assert not desk.api.model_info(repo).private  # nobody said --private
    path = desk.hf("download", repo, "a.txt", "--revision", "typo", "--include", "*.json", "-q").strip()
    assert Path(path).read_text() == "a"


def test_an_upload_is_proved_by_hash_and_a_file_that_did_not_go_along_is_told(desk: Desk) -> None:
    repo, out = f"{desk.user}/proved", desk.folder / "out"
    out.mkdir()
    (out / "a.txt").write_text("a")
    desk.hf("upload", repo, "out")
    proof = ("cache", "verify", repo, "--local-dir", "out", "--fail-on-extra-files")
    desk.hf(*proof)
    (out / "b.txt").write_text("b")
    with pytest.raises(AssertionError, match=r"b\.txt"):
        desk.hf(*proof)


def test_run_by_an_agent_hf_fails_where_it_would_ask(desk: Desk) -> None:
    repo = f"{desk.user}/asked"
    desk.api.create_repo(repo)
    with pytest.raises(AssertionError, match="Use --yes"):
        desk.hf("repos", "delete", repo, AI_AGENT="any")
    assert desk.api.repo_exists(repo)
    nobody: dict[str, str | None] = {"AI_AGENT": None, "AGENT": None}
    assert "\t" in desk.hf("repos", "list", AI_AGENT="any")
    assert "\t" in desk.hf("repos", "list", "--format", "agent", **nobody)
    assert "\t" not in desk.hf("repos", "list", **nobody)
    desk.hf("repos", "delete", repo, "--yes", AI_AGENT="any")
    assert not desk.api.repo_exists(repo)
