"""`skillpack new`, `skillpack explain` and the generated docs/rules.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from skillpack import pages
from skillpack.cli import main
from skillpack.rules import discover

DOCS = Path(__file__).parents[1] / "docs" / "rules.md"


def test_a_new_skill_passes_strict_and_its_script_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "sort-lines"]) == 0
    assert main(["new", "count-2", "--dir", "more/skills"]) == 0
    assert main(["validate", "--strict", "sort-lines"]) == 0, capsys.readouterr().out
    assert main(["validate", "--strict", "more"]) == 0
    command = [sys.executable, "scripts/count.py", "evals/files/notes.txt", "--json"]
    done = subprocess.run(command, cwd=tmp_path / "sort-lines", capture_output=True, text=True)
    assert json.loads(done.stdout) == {"lines": 2, "words": 5}
    missing = subprocess.run([*command[:2], "missing"], cwd=tmp_path / "sort-lines", capture_output=True, text=True)
    assert (missing.returncode, missing.stdout) == (3, "")
    ruff = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "E,F,W,I,B,UP",
        "--line-length",
        "120",
        ".",
    ]
    assert subprocess.run(ruff, cwd=tmp_path / "sort-lines", capture_output=True).returncode == 0


@pytest.mark.parametrize("name", ["Sort", "a b", "-a", "a--b", "a/b", "../a", "a" * 65, "", "café", "a_b", "."])
def test_a_name_that_is_none_is_refused_and_nothing_is_made(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "--", name]) == 2
    assert "a name has 1 to 64" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sort").mkdir()
    assert main(["new", "sort"]) == 2
    assert list((tmp_path / "sort").iterdir()) == []


def test_explain_has_the_page_and_the_sentence_of_the_specification(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "name-length"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("name-length (error, spec)\n\nThe name has at most 64 characters.\n\nWhy: ")
    assert '\nSpec: "Must be 1-64 characters"\n' in out
    assert pages.SPECIFICATION in out
    assert main(["explain", "pipe-to-shell"]) == 0
    assert pages.SPECIFICATION not in capsys.readouterr().out


def test_an_unknown_rule_is_wrong_usage_with_a_proposal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "name-lenght"]) == 2
    assert "did you mean 'name-length'" in capsys.readouterr().err


def test_an_error_about_a_field_quotes_the_sentence_that_it_rests_on() -> None:
    resting = {rule.slug for rule in discover() if any(head == "Spec" for head, _ in pages.sections(rule))}
    names = {"name-required", "name-format", "name-length", "name-hyphens", "name-matches-directory"}
    assert names | {"description-required", "description-length", "compatibility-length", "metadata-mapping"} <= resting


def test_the_pages_are_in_step_and_drift_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--check", str(DOCS)]) == 0
    assert capsys.readouterr().out == ""
    copy = tmp_path / "rules.md"
    copy.write_text(DOCS.read_text(encoding="utf-8").replace("Must be 1-64", "Must be 1-65"), encoding="utf-8")
    assert main(["rules", "--check", str(copy)]) == 1
    assert '-> "Must be 1-65 characters"' in capsys.readouterr().out
    assert main(["rules", "--check", str(tmp_path / "missing.md")]) == 1
    for rule in discover():
        assert f"\n## {rule.slug}\n" in DOCS.read_text(encoding="utf-8")
