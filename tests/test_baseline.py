"""A baseline only ratchets; --changed asks git, and git runs nothing of the repository's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from skillpack.cli import main

GOOD = "---\nname: {name}\ndescription: Sorts. Use when unsorted.\n---\n\nRun `sort`.\n"
BAD = "---\nname: {name}\ndescription: Sorts. Use when unsorted.\nlicence: MIT\nmodel: x\n---\n\nRun `sort`.\n"


def make(root: Path, name: str, text: str = GOOD) -> Path:
    path = root / "skills" / name / "SKILL.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.format(name=name), encoding="utf-8")
    return path


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "one", BAD)
    make(tmp_path, "two", BAD)
    return tmp_path


def run(*arguments: str) -> int:
    return main(["validate", "skills", "--baseline", "known.json", "--fail-on", "warning", *arguments])


def entries(tree: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((tree / "known.json").read_text(encoding="utf-8"))["findings"]
    return found


def test_what_is_known_passes_and_what_is_new_fails(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "--update-baseline makes it" in capsys.readouterr().err
    assert run("--update-baseline") == 0
    assert len(entries(tree)) == 4
    assert run() == 0
    assert "4 known findings left out" in capsys.readouterr().err
    path = make(tree, "one", BAD)
    path.write_text(path.read_text().replace("name: one", "# a comment moves the lines\nname: one"))
    assert run() == 0
    path.write_text(path.read_text().replace("model: x", "model: x\neffort: high"))
    capsys.readouterr()
    assert run() == 1
    out = capsys.readouterr().out
    assert "[field-of-client]" in out
    assert out.count("SKILL.md:") == 1


def test_the_same_finding_once_more_is_new(tree: Path) -> None:
    script = tree / "skills" / "one" / "x.md"
    script.write_text("[a](gone.md)\n")
    assert run("--update-baseline") == 0
    assert run() == 0
    script.write_text("[a](gone.md)\n\n[a](gone.md)\n")
    assert run() == 1


def test_an_update_takes_out_what_is_fixed_and_adds_nothing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("--update-baseline")
    make(tree, "one")
    make(tree, "three", BAD)
    assert run() == 1
    assert "2 fixed, --update-baseline takes them out" in capsys.readouterr().err
    assert len(entries(tree)) == 4
    assert run("--update-baseline") == 1
    assert {entry["path"] for entry in entries(tree)} == {"skills/two/SKILL.md"}
    make(tree, "one", BAD)
    assert run() == 1


def test_a_run_over_a_part_calls_nothing_else_fixed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("--update-baseline")
    before = entries(tree)
    assert main(["validate", "skills/one", "--baseline", "known.json", "--update-baseline"]) == 0
    assert entries(tree) == before
    (tree / "skillpack.toml").write_text('select = ["name-format"]\n')
    assert run("--update-baseline") == 0
    assert entries(tree) == before
    monkeypatch.chdir(tree / "skills")  # paths are relative to the file, from wherever it is named
    (tree / "skillpack.toml").unlink()
    assert main(["validate", "two", "--baseline", "../known.json", "--fail-on", "warning"]) == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "findings": []}', '{"version": 1, "findings": [1]}'])
def test_a_file_that_is_no_baseline_is_wrong_usage_and_stays(tree: Path, text: str) -> None:
    (tree / "known.json").write_text(text)
    assert run() == 2
    assert run("--update-baseline") == 2
    assert (tree / "known.json").read_text() == text


def test_a_rule_that_crashed_is_never_known(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skillpack.diagnostics import ERROR
    from skillpack.rules import Rule

    def crash(_: object) -> None:
        raise ValueError

    monkeypatch.setattr("skillpack.rules.discover", lambda: [Rule("bad", ERROR, crash)])  # type: ignore[arg-type]
    assert run("--update-baseline") == 1
    assert entries(tree) == []
    assert run() == 1


def git(tree: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=tree, check=True, capture_output=True)


def changed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    capsys.readouterr()
    assert main(["validate", "--format", "json", *arguments]) in (0, 1)
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    return sorted({Path(one["path"]).absolute().parent.name for one in found if one["slug"] == "field-misspelled"})


@pytest.fixture
def repository(tree: Path) -> Path:
    git(tree, "init", "-q", "-b", "main")
    (tree / "skills" / "two" / "notes.txt").write_text("n\n")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "first")
    return tree


def test_only_the_skills_that_git_says_changed_are_checked(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changed(capsys, "skills", "--changed") == []
    assert main(["validate", "skills", "--changed"]) == 0
    assert "0 skills checked" in capsys.readouterr().out
    (repository / "skills" / "one" / "new.txt").write_text("untracked\n")
    assert changed(capsys, "skills", "--changed") == ["one"]
    assert changed(capsys, "--changed", "skills") == ["one"]
    (repository / "skills" / "two" / "notes.txt").unlink()
    assert changed(capsys, "skills", "--changed") == ["one", "two"]
    monkeypatch.chdir(repository / "skills" / "two")
    assert changed(capsys, ".", "--changed") == ["two"]
    assert changed(capsys, "..", "--changed") == ["one", "two"]
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "second")
    assert changed(capsys, "..", "--changed") == []
    assert changed(capsys, "..", "--changed", "HEAD~1") == ["one", "two"]
    make(repository, "three", BAD)
    assert changed(capsys, "..", "--changed") == ["three"]


def test_a_branch_is_compared_with_where_it_left(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(repository, "switch", "-q", "-c", "topic")
    make(repository, "three", BAD)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "topic")
    git(repository, "switch", "-q", "main")
    (repository / "skills" / "one" / "later.txt").write_text("main went on\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "main")
    git(repository, "switch", "-q", "topic")
    assert changed(capsys, "skills", "--changed", "main") == ["three"]


def test_before_the_first_commit_everything_is_changed(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(tree, "init", "-q")
    git(tree, "add", "skills/one")
    assert changed(capsys, "skills", "--changed") == ["one", "two"]


def test_no_repository_and_no_such_commit_are_wrong_usage(
    tree: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["validate", "skills", "--changed"]) == 2
    assert "--changed needs a git repository at" in capsys.readouterr().err
    git(tree, "init", "-q")
    for ref in ("nothing", "HEAD^{tree}"):
        assert main(["validate", "skills", f"--changed={ref}"]) == 2
    assert "git knows no commit 'nothing'" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tree))
    assert main(["validate", "skills", "--changed"]) == 2
    assert "not installed" in capsys.readouterr().err


def test_git_runs_no_program_that_the_repository_names(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = repository / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {repository}/ran-$1\ncat\n")
    program.chmod(0o755)
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "pre-auto-gc"):
        (hooks / hook).write_text(f"#!/bin/sh\ntouch {repository}/ran-{hook}\n")
        (hooks / hook).chmod(0o755)
    config = {
        "core.fsmonitor": f"{program} fsmonitor",
        "core.pager": f"{program} pager",
        "diff.external": f"{program} external",
        "diff.x.textconv": f"{program} textconv",
        "filter.x=y.clean": f"{program} clean",
        "filter.x=y.required": "true",
        "filter.z.process": f"{program} process",
        "core.sshCommand": f"{program} ssh",
    }
    for key, value in config.items():
        git(repository, "config", key, value)
    (repository / ".gitattributes").write_text("*.md filter=x=y diff=x\n*.txt filter=z\n")
    path = repository / "skills" / "one" / "SKILL.md"
    path.write_text(path.read_text())  # the index has to look at what is in the file
    ran = lambda: sorted(found.name for found in repository.glob("ran-*"))  # noqa: E731
    assert changed(capsys, "skills", "--changed", "HEAD") in ([], ["one"])
    assert ran() == []
    subprocess.run(["git", "status"], cwd=repository, capture_output=True)
    assert "ran-fsmonitor" in ran()  # the trap works
