"""`validate --cache`: the same findings as without, and nothing is taken for known that may have changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from skillpack import cache as cache_module
from skillpack.cache import DAYS, Cache
from skillpack.checker import CRASHED, check
from skillpack.cli import main
from skillpack.diagnostics import ERROR
from skillpack.rules import Rule, discover
from skillpack.skill import load_skill
from skillpack.source import find
from skillpack.workers import check_trees

CASES = Path(__file__).parent / "rules"
RULES = discover()
TEXT = "---\nname: a\ndescription: Counts words. Use when asked for a length.\n---\nSee [more](references/more.md).\n"


@pytest.fixture
def skill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A skill named by a relative path; the current folder is the one it lies in."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a"
    (folder / "references").mkdir(parents=True)
    (folder / "scripts").mkdir()
    (folder / "SKILL.md").write_text(TEXT)
    (folder / "references/more.md").write_text("Run `scripts/count.py`.\n")
    (folder / "scripts/count.py").write_text("print(1)\n")
    return folder


def validate(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, int]:
    """(exit code, report, skills that were known) of `validate a --cache kept`."""
    code = main(["validate", "a", "--cache", "kept", *options])
    out, err = capsys.readouterr()
    return code, out, int(err.split("cache: ")[1].split()[0])


@pytest.mark.parametrize("number", [1, 2])
def test_the_second_time_the_findings_are_the_same_and_nearly_every_skill_is_known(tmp_path: Path, number: int) -> None:
    trees = find(str(CASES))
    plain = check(map(load_skill, trees), RULES)
    for known in (0, 1):
        kept = Cache(str(tmp_path / "kept"), RULES)
        assert check_trees(find(str(CASES)), RULES, workers=number, cache=kept) == plain
        assert kept.hits == 0 if not known else kept.hits > 0.9 * len(trees)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a word of SKILL.md": lambda a: (a / "SKILL.md").write_text(TEXT.replace("more.md", "less.md")),
    "a file of references": lambda a: (a / "references/more.md").write_text("Nothing.\n"),
    "a script that no longer compiles": lambda a: (a / "scripts/count.py").write_text("print(\n"),
    "the mode of a script": lambda a: (a / "scripts/count.py").chmod(0o755),
    "a new file": lambda a: (a / "references/other.md").write_text("Not reached.\n"),
    "a file that is gone": lambda a: (a / "references/more.md").unlink(),
    "a file of another name": lambda a: (a / "references/more.md").rename(a / "references/MORE.md"),
    "SKILL.md of another name": lambda a: (a / "SKILL.md").rename(a / "skill.md"),
    "a link": lambda a: (a / "references/link.md").symlink_to("more.md"),
    "a link that leads out": lambda a: (a / "references/link.md").symlink_to("/etc/hostname"),
    "a file too large to be read": lambda a: (a / "references/more.md").write_text("x" * (2 << 20)),
    "an asset": lambda a: (a / "data.bin").write_bytes(b"\0\1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_after_any_change_the_report_is_that_of_a_run_without_a_cache(
    skill: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(capsys)[2] == 0
    assert validate(capsys)[2] == 1
    CHANGES[change](skill)
    code, report, known = validate(capsys)
    assert (main(["validate", "a"]), capsys.readouterr().out) == (code, report)
    assert known == 0


def test_a_skill_is_known_after_a_fresh_checkout_and_not_under_another_path(
    skill: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    validate(capsys)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(skill, elsewhere / "a", copy_function=shutil.copy)  # other times, same bytes
    shutil.copytree(tmp_path / "kept", elsewhere / "kept")
    monkeypatch.chdir(elsewhere)
    assert validate(capsys)[2] == 1
    assert main(["validate", str(elsewhere / "a"), "--cache", "kept"]) == 0
    assert "cache: 0 of 1" in capsys.readouterr().err, "its findings would name another path"


def test_other_rules_and_another_program_begin_anew(
    skill: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    validate(capsys)
    assert validate(capsys, "--profile", "spec")[2] == 0
    assert validate(capsys, "--profile", "spec")[2] == 1
    monkeypatch.setattr(cache_module, "SCHEMA", "skillpack/cache/2")
    assert validate(capsys, "--profile", "spec")[2] == 0


def test_severities_and_exclusions_are_applied_to_what_is_known(
    skill: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (skill / "references/more.md").unlink()
    assert [validate(capsys)[0] for _ in range(2)] == [0, 0]
    Path("skillpack.toml").write_text('[severity]\nlink-target = "error"\n')
    code, report, known = validate(capsys)
    assert (code, known) == (1, 1)
    assert "error: 'references/more.md' leads to no file" in report


BROKEN = ["", "{", "[]", "null", '{"schema": "skillpack/cache/1", "program": "PROGRAM", "skills": []}']
ENTRIES = [
    "1",
    "{}",
    '{"used": "x"}',
    '{"used": 1, "found": [], "stated": [], "briefs": 7}',
    '{"used": 99999, "found": [1], "stated": [], "briefs": []}',
    '{"used": 99999, "found": [["a/SKILL.md", "x", 1, "s", 3, "", "m", "f"]], "stated": [], "briefs": []}',
    '{"used": 99999, "found": [["a/SKILL.md", 1, 1, "s", 9, "", "m", "f"]], "stated": [], "briefs": []}',
]
BROKEN += [BROKEN[-1].replace("[]", f'{{"KEY": {entry}}}') for entry in ENTRIES]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_cache_is_as_none(skill: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    validate(capsys)
    document = json.loads(Path("kept/validate.json").read_text())
    (key,) = document["skills"]
    Path("kept/validate.json").write_text(content.replace("PROGRAM", document["program"]).replace("KEY", key))
    (skill / "scripts/count.py").write_text("print(1)\n")
    code, report, known = validate(capsys)
    assert known == 0
    assert (main(["validate", "a"]), capsys.readouterr().out) == (code, report)
    assert validate(capsys)[2] == 1, "it is whole again"


def test_what_was_not_needed_for_a_month_is_dropped(
    skill: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    validate(capsys)
    (skill / "SKILL.md").write_text(TEXT + "More.\n")
    validate(capsys)
    kept = json.loads(Path("kept/validate.json").read_text())["skills"]
    assert len(kept) == 2, "a branch may come back to it"
    now = cache_module.time.time()
    monkeypatch.setattr(cache_module.time, "time", lambda: now + (DAYS + 1) * 86_400)
    validate(capsys)
    assert len(json.loads(Path("kept/validate.json").read_text())["skills"]) == 1


def test_a_rule_that_failed_is_not_kept(tmp_path: Path, skill: Path) -> None:
    def broken(_: object) -> None:
        raise RuntimeError

    rules = [Rule("broken", ERROR, broken)]  # type: ignore[arg-type]
    for _ in range(2):
        kept = Cache(str(tmp_path / "kept"), rules)
        assert [one.slug for one in check_trees(find("a"), rules, cache=kept)] == [CRASHED]
        assert not kept.asked


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_checked(
    skill: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("kept").write_text("")
    assert main(["validate", "a", "--cache", "kept"]) == 2
    out, err = capsys.readouterr()
    assert not out and "--cache 'kept': " in err and "name a folder" in err


def test_git_does_not_see_the_cache(skill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    validate(capsys)
    assert Path("kept/.gitignore").read_text() == "*\n"


def test_a_folder_that_was_there_is_not_hidden_from_git(skill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "a", "--cache", "."]) == 0
    assert Path("validate.json").exists() and not Path(".gitignore").exists()


def test_what_cannot_be_kept_is_reported_all_the_same(skill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (skill / "references/more.md").unlink()
    Path("kept/validate.json").mkdir(parents=True)
    code, report, known = validate(capsys, "--fail-on", "warning")
    assert (code, known, "link-target" in report) == (1, 0, True)
    assert main(["validate", "a", "--cache", "kept"]) == 0
    assert "validate.json' cannot be written: " in capsys.readouterr().err


def test_a_fix_is_seen(skill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (skill / "SKILL.md").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert validate(capsys)[0] == 1
    assert validate(capsys, "--fix")[::2] == (0, 0)
    assert validate(capsys)[::2] == (0, 1)
