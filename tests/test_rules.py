"""Every rule against its folders of cases.

A case is `tests/rules/<slug>/{bad,good}-*/`: a tree as a user might have it, and in `expected.txt` the whole
report that it gives. Without that file the report has no findings. `SKILLPACK_UPDATE=1 pytest tests/test_rules.py`
writes the reports anew: read the difference before committing it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from skillpack import frontmatter, source
from skillpack.checker import check
from skillpack.diagnostics import Diagnostic
from skillpack.reports import text
from skillpack.rules import Rule, discover
from skillpack.skill import load_skill
from skillpack.source import find

CASES = Path(__file__).parent / "rules"
RULES = discover()
#: Their cases would be large or numerous files: tests/test_source.py makes them.
MADE_ELSEWHERE = {"file-size", "file-count"}
ALL = sorted(path for path in CASES.glob("*/*") if path.is_dir())


def diagnose(path: str = ".") -> tuple[list[Diagnostic], str]:
    trees = find(path)
    diagnostics = check(map(load_skill, trees), RULES)
    return diagnostics, text.render(diagnostics, sum(tree.skill_file is not None for tree in trees))


@pytest.mark.parametrize("case", ALL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_case_gives_the_report_that_is_written_down(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    diagnostics, report = diagnose()
    slugs = {diagnostic.slug for diagnostic in diagnostics}
    written = case / "expected.txt"
    if os.environ.get("SKILLPACK_UPDATE"):
        if diagnostics:
            written.write_text(report, encoding="utf-8")
        else:
            written.unlink(missing_ok=True)
    if case.name.startswith("bad-"):
        assert case.parent.name in slugs
    else:
        assert case.parent.name not in slugs
    if written.exists():
        assert report == written.read_text(encoding="utf-8")
    else:
        assert not diagnostics, report


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_a_rule_has_cases_of_both_kinds_and_a_page(rule: Rule) -> None:
    if rule.slug not in MADE_ELSEWHERE:
        kinds = {path.name.partition("-")[0] for path in (CASES / rule.slug).iterdir()}
        assert kinds == {"bad", "good"}
    summary, blank, *rest = rule.documentation.split("\n")
    assert summary.endswith(".") and len(summary) <= 80
    assert blank == ""
    assert rest[0].startswith("Why: ")
    assert any(line.startswith("Fix: ") for line in rest)


def test_the_rules_of_the_strict_profile_are_those_of_its_folder() -> None:
    strict = {rule.slug for rule in RULES if rule.group == "strict"}
    assert strict == {rule.slug for rule in RULES if rule.profile == "strict"} != set()


def test_every_folder_of_cases_belongs_to_a_rule() -> None:
    assert {path.name for path in CASES.iterdir() if path.is_dir()} <= {rule.slug for rule in RULES}


def test_every_problem_that_reading_notes_has_a_rule_that_reports_it() -> None:
    sources = [Path(module.__file__).read_text(encoding="utf-8") for module in (frontmatter, source)]
    noted = set(re.findall(r'(?:add|_add|_refuse|_unchecked)\(\s*(?:problems, )?"([a-z0-9-]+)"', "\n".join(sources)))
    assert len(noted) > 10
    assert noted <= {rule.slug for rule in RULES}


@pytest.mark.skipif(not frontmatter.LIBYAML, reason="this is about the difference to libyaml")
@pytest.mark.parametrize("case", ALL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_without_libyaml_the_same_rules_report_at_the_same_lines(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    with_libyaml = [(found.location[:2], found.slug) for found in diagnose()[0]]
    monkeypatch.setattr(frontmatter, "LOADER", yaml.SafeLoader)
    assert [(found.location[:2], found.slug) for found in diagnose()[0]] == with_libyaml


def test_an_f_string_that_only_newer_pythons_read_is_said_to_be_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a/scripts").mkdir(parents=True)
    (tmp_path / "a/SKILL.md").write_text("---\nname: a\ndescription: d\n---\nRun scripts/run.py.\n")
    (tmp_path / "a/scripts/run.py").write_text("print(f\"{'\\n'.join([])}\")\n")
    found = [one.message for one in diagnose()[0] if one.slug == "script-syntax"]
    if sys.version_info >= (3, 12):
        assert found == []
    else:
        (message,) = found
        assert message.startswith(f"it does not compile with Python 3.{sys.version_info[1]}: f-string")
