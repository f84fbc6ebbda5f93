"""Fixes: what they change, what they leave, and that a file is never half written.

A case of tests/rules may have `.fixed/` and `.fixed-unsafe/`: its files as its rule's safe fixes, and all of its fixes,
leave them. Without such a folder nothing is changed. `SKILLPACK_UPDATE=1 pytest tests/test_fix.py` writes them anew.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillpack.checker import check
from skillpack.cli import main
from skillpack.diagnostics import Diagnostic
from skillpack.fixes import Repair, repair, write
from skillpack.rules import Rule, discover
from skillpack.skill import Skill, load_skill
from skillpack.source import find

CASES = Path(__file__).parent / "rules"
RULES = {rule.slug: rule for rule in discover()}
FIXABLE = [slug for slug, rule in RULES.items() if rule.fix is not None]
ALL = sorted(path for path in CASES.glob("*/bad-*") if path.is_dir() and path.parent.name in FIXABLE)


def judge(skill: Skill) -> list[Diagnostic]:
    return check([skill], list(RULES.values()))


def contents(root: Path) -> dict[str, tuple[bytes, bool]]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): (path.read_bytes(), os.access(path, os.X_OK)) for path in files}


def repaired(folder: Path, rules: list[Rule], *, unsafe: bool) -> list[Repair]:
    repairs = [repair(tree, rules, judge, unsafe=unsafe) for tree in find(str(folder)) if tree.skill_file]
    for one in repairs:
        for change in one.changes:
            write(change)
    return repairs


@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
@pytest.mark.parametrize("case", ALL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_fix_leaves_the_bytes_that_are_written_down_and_a_second_run_nothing_to_do(
    case: Path, unsafe: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "case"
    shutil.copytree(case, folder, ignore=shutil.ignore_patterns("expected.txt", ".fixed*"))
    before = contents(folder)
    rules = [RULES[case.parent.name]]
    repaired(folder, rules, unsafe=unsafe)
    after = contents(folder)
    names = [".fixed-unsafe", ".fixed"] if unsafe else [".fixed"]
    if os.environ.get("SKILLPACK_UPDATE"):
        shutil.rmtree(case / names[0], ignore_errors=True)
        known = contents(case / ".fixed") if unsafe and (case / ".fixed").exists() else before
        if after != known:
            shutil.copytree(folder, case / names[0])
    written = next((case / name for name in names if (case / name).exists()), None)
    assert after == (contents(written) if written else before)
    again = repaired(folder, rules, unsafe=unsafe)
    assert [one.changes for one in again] == [[] for _ in again]
    assert contents(folder) == after


@pytest.mark.parametrize("slug", FIXABLE)
def test_every_rule_with_a_fix_has_a_case_that_it_fixes(slug: str) -> None:
    assert list((CASES / slug).glob("bad-*/.fixed*"))


def skill(folder: Path, text: str | bytes, name: str = "sort") -> Path:
    path = folder / name / "SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


MANY = (
    "\ufeff---\r\n# who wrote this\r\nname: 'sort '  # the folder's\r\n"
    "description: Sorts — numbers: all. # not this\r\n"
    "license: see: LICENSE\r\nallowed-tools: [Read, 'Bash(sort:*)'] # two\r\n"
    'metadata: {version: 1.10, author: "é: ü"}\r\nlicence: MIT\r\n---\r\n\r\n# Sort\t\r\n'
)


def test_many_things_are_mended_at_once_and_all_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = skill(tmp_path, MANY)
    assert main(["validate", str(tmp_path), "--fix", "--unsafe", "--profile", "strict", "--fail-on", "never"]) == 0
    assert path.read_bytes().decode() == (
        "---\n# who wrote this\nname: 'sort'  # the folder's\n"
        'description: "Sorts — numbers: all." # not this\n'
        'license: "see: LICENSE"\nallowed-tools: Read Bash(sort:*) # two\n'
        'metadata: {version: "1.10", author: "é: ü"}\nlicence: MIT\n---\n\n# Sort\t\n'
    )
    shown = capsys.readouterr()
    assert shown.err.count("fixed ") == 7
    assert f"fixed {path}: removed the byte order mark [byte-order-mark]" in shown.err
    assert "[field-misspelled]" in shown.out  # there is a license already, so renaming would be worse


def test_without_unsafe_the_meaning_stays_and_the_rest_is_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = skill(tmp_path, "---\nname: Sort\ndescription: Sorts: all.\n---\nRun `sort`.\n")
    assert main(["validate", str(tmp_path), "--fix"]) == 1
    assert path.read_text() == '---\nname: Sort\ndescription: "Sorts: all."\n---\nRun `sort`.\n'
    assert "1 more with --unsafe" in capsys.readouterr().err
    assert main(["validate", str(tmp_path), "--fix", "--unsafe"]) == 0
    assert "\nname: sort\n" in path.read_text()


def test_a_fix_that_does_not_help_is_not_made(tmp_path: Path) -> None:
    path = skill(tmp_path, "---\nname: My_Sort\ndescription: Sorts.\n---\nRun it.\n", "My_Sort")
    before = path.read_bytes()
    assert main(["validate", str(tmp_path), "--fix", "--unsafe"]) == 1  # my-sort would not be the folder's name
    assert path.read_bytes() == before


def test_a_suppressed_or_deselected_finding_is_not_fixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "<!-- skillpack: ignore allowed-tools-string: for one client -->\n"
    path = skill(tmp_path, f"---\nname: sort\ndescription: Sorts.\nallowed-tools: [Read]\n---\n{body}")
    before = path.read_bytes()
    assert main(["validate", str(tmp_path), "--fix"]) == 0
    path.write_bytes(before.replace(body.encode(), b"Run it.\n"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "skillpack.toml").write_text('ignore = ["allowed-tools-string"]\n')
    assert main(["validate", ".", "--fix"]) == 0
    assert b"[Read]" in path.read_bytes()
    (tmp_path / "skillpack.toml").unlink()
    assert main(["validate", ".", "--fix"]) == 0
    assert b"[Read]" not in path.read_bytes()


def test_the_diff_is_what_the_fix_does_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = skill(tmp_path / "skills", MANY)
    script = path.parent / "scripts" / "sort.py"
    script.parent.mkdir()
    script.write_text("import sys")  # no line feed at the end
    path.write_bytes(path.read_bytes() + b"\r\n```bash\r\n./scripts/sort.py\r\n```\r\n")
    before = contents(tmp_path)
    command = [sys.executable, "-m", "skillpack", "validate", "skills", "--profile", "strict", "--unsafe"]
    shown = subprocess.run([*command, "--diff"], capture_output=True)
    assert shown.returncode == 1
    assert contents(tmp_path) == before
    subprocess.run(["git", "init", "-q", "."], check=True)
    subprocess.run(["git", "apply"], input=shown.stdout, check=True)
    shutil.rmtree(tmp_path / ".git")
    by_git = contents(tmp_path)
    shutil.rmtree(tmp_path / "skills")
    for name, (data, _) in before.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    subprocess.run([*command, "--fix"], capture_output=True)
    assert contents(tmp_path) == by_git
    assert by_git["skills/sort/scripts/sort.py"] == (b"#!/usr/bin/env python3\nimport sys", True)
    nothing = subprocess.run([*command, "--diff"], capture_output=True)
    assert (nothing.returncode, nothing.stdout) == (0, b"")


def test_a_diff_shows_no_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    token = "hf_" + "QwErTyUiOpZmXnCvB7YtRjKlPgHfDwSq9V"
    skill(tmp_path, f"---\nname: sort\ndescription: Sorts: {token}\n---\n{token}\n")
    assert main(["validate", str(tmp_path), "--diff"]) == 1
    out = capsys.readouterr().out
    assert out.count("[redacted]") == 3
    assert token[:12] not in out


def test_no_link_is_followed_and_nothing_outside_the_skill_is_changed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("---\nname: sort\ndescription: Sorts: all.\n---\n")
    inside = tmp_path / "skills" / "sort"
    inside.mkdir(parents=True)
    (inside / "SKILL.md").symlink_to(outside)
    linked = skill(tmp_path / "skills", "---\nname: other\ndescription: Sorts: all.\n---\n", "other")
    linked.rename(linked.with_name("real.md"))
    linked.symlink_to("real.md")
    before = contents(tmp_path)
    assert main(["validate", str(tmp_path / "skills"), "--fix", "--unsafe"]) == 1
    assert contents(tmp_path) == before
    assert linked.is_symlink()


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = skill(tmp_path, "---\nname: sort\ndescription: Sorts: all.\n---\n")
    (tree,) = find(str(path.parent))
    done = repair(tree, list(RULES.values()), judge)
    path.write_text("---\nname: sort\ndescription: An author was faster.\n---\n")
    with pytest.raises(Exception, match="was changed while it was checked"):
        write(done.changes[0])
    assert "faster" in path.read_text()


def test_the_mode_of_a_file_stays(tmp_path: Path) -> None:
    path = skill(tmp_path, "---\nname: sort\ndescription: Sorts: all.\n---\n")
    path.chmod(0o640)
    assert main(["validate", str(tmp_path), "--fix"]) == 0
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "arguments", [["--unsafe"], ["--update-baseline"], ["--clients", "--format", "sarif"]], ids=lambda words: words[0]
)
def test_an_option_without_the_one_that_it_needs_is_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    skill(tmp_path, "---\nname: sort\ndescription: Sorts.\n---\nRun it.\n")
    assert main(["validate", str(tmp_path), *arguments]) == 2


KILLED = """
import sys
sys.argv = ["skillpack"]
from skillpack.cli import main
print("ready", flush=True)
sys.stdin.readline()
main(["validate", sys.argv[0] and %r, "--fix"])
"""


def test_killed_at_any_moment_each_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    old = b"---\nname: %b\ndescription: Sorts: " + b"many numbers, " * 60 + b"all.\n---\nRun `sort`.\n"
    new = old.replace(b"Sorts: ", b'"Sorts: ').replace(b"all.", b'all."')
    paths = [skill(tmp_path, old % f"s{number}".encode(), f"s{number}") for number in range(40)]
    seen = set()
    chance = random.Random(7)
    for _ in range(12):
        for path in paths:
            path.write_bytes(old % path.parent.name.encode())
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED % str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.stdin and process.stdout
        process.stdout.readline()
        process.stdin.write(b"\n")
        process.stdin.flush()
        while process.poll() is None and paths[0].read_bytes() == old % b"s0":
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdin.close()
        process.stdout.close()
        states = {path.read_bytes() == new % path.parent.name.encode() for path in paths}
        seen |= states
        for path in paths:
            name = path.parent.name.encode()
            assert path.read_bytes() in (old % name, new % name)
    assert seen == {True, False}  # it was killed in the midst of the work, and not before or after


LINES = st.sampled_from(
    [
        *("---", "----", "\ufeff---", "", "name: sort", "name: 'Sort '", "name: a--b", "name: 12", "compatibility: 3"),
        *("description: a: b", "description: Sorts: all. # x", " c: d", "  e", "licence: é", "!x", "*a"),
        *("allowed-tools: [Read, 'a b']", "allowed-tools:", "- Read # x", "- Bash(x:*)"),
        *("metadata: {a: 1, b: [1, 2]}", "metadata:", "  version: 1.10"),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(LINES, max_size=9), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff", "---\n", "\n---\n"])
)
def test_whatever_is_in_a_file_fixes_only_lessen_what_is_found_and_come_to_an_end(
    lines: list[str], end: str, start: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = skill(Path(folder), start + end.join([*lines, "---", "Sort."]))
        (tree,) = find(str(path.parent))
        before = {found.slug for found in judge(load_skill(find(str(path.parent))[0]))}
        readable = load_skill(find(str(path.parent))[0]).readable
        first = repair(tree, list(RULES.values()), judge, unsafe=True)
        for change in first.changes:
            write(change)
        after = {found.slug for found in judge(load_skill(find(str(path.parent))[0]))}
        if readable:
            assert after <= before
        assert repair(find(str(path.parent))[0], list(RULES.values()), judge, unsafe=True).changes == []
