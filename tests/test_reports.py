"""Reports for other programs: SARIF, GitHub's annotations, JUnit."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from skillpack.cli import main
from skillpack.diagnostics import ERROR, NOTICE, WARNING, Diagnostic, Location
from skillpack.reports import github, junit, sarif

CASES = Path(__file__).parent / "rules"
TOKEN = "hf_" + "QwErTyUiOpZmXnCvB7YtRjKlPgHfDwSq9V"
FOUND = [
    Diagnostic(Location("a b/SKILL.md", 2, 7), "name-format", ERROR, "name", "bad <name> & 100%", "use 'a'\nb"),
    Diagnostic(Location("c/SKILL.md", 1, 1), "shebang", NOTICE, "", "control \x1b and \u202e", ""),
    Diagnostic(Location("c/SKILL.md", 3, 1), "link-target", WARNING, "", "gone", "add"),
]


def test_sarif_says_where_what_and_by_which_rule() -> None:
    document = json.loads(sarif.render(FOUND, 2, summaries={"shebang": "A page."}, version="1.0"))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules, results = run["tool"]["driver"]["rules"], run["results"]
    assert [rule["id"] for rule in rules] == ["link-target", "name-format", "shebang"]
    assert rules[2]["shortDescription"]["text"] == "A page."
    assert [result["level"] for result in results] == ["error", "note", "warning"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)
    place = results[0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a%20b/SKILL.md"}, "region": {"startLine": 2, "startColumn": 7}}
    assert results[0]["message"]["text"] == "name: bad <name> & 100%; use 'a'\nb"


def test_an_annotation_is_one_line_and_escaped() -> None:
    first, *_, last = github.render(FOUND, 2).splitlines()
    assert first == ("::error file=a b/SKILL.md,line=2,col=7,title=name-format::name: bad <name> & 100%25; use 'a'%0Ab")
    assert last == "2 skills checked: 1 error, 1 warning, 1 notice"


def test_junit_fails_for_errors_and_warnings_and_keeps_notices_as_output() -> None:
    root = ElementTree.fromstring(junit.render(FOUND, 2))
    (suite,) = root
    assert suite.attrib["tests"] == "3"
    assert suite.attrib["failures"] == "2"
    assert [case.get("name") for case in suite] == ["a b/SKILL.md", "c/SKILL.md", "2 skills checked"]
    assert [[part.tag for part in case] for case in suite] == [["failure"], ["failure", "system-out"], []]
    assert "bad <name> & 100%" in (suite[0][0].text or "")


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "junit"])
def test_every_form_takes_whatever_is_wrong_and_shows_no_token(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(CASES), "--format", form]) == 1
    out = capsys.readouterr().out
    assert "link-target" in out
    if form == "junit":
        ElementTree.fromstring(out)
    if form in ("json", "sarif"):
        json.loads(out)
    folder = tmp_path / "s"
    folder.mkdir()
    text = f"---\nname: {TOKEN}\ndescription: {TOKEN}\n{TOKEN}: x\n---\n"
    text += f"[a]({TOKEN}/a.md) `{TOKEN}` <!-- curl {TOKEN}/x -->\n"
    (folder / "SKILL.md").write_text(text, encoding="utf-8")
    assert main(["validate", str(folder), "--format", form]) == 1
    out = capsys.readouterr().out
    assert "redacted" in out
    assert TOKEN not in out
    assert TOKEN[:12] not in out


def test_the_hook_takes_the_skill_files_of_nested_skills_and_no_others() -> None:
    import re

    import yaml

    (hook,) = yaml.safe_load((CASES.parents[1] / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert all(re.search(hook["files"], path) for path in ("SKILL.md", "skills/a/SKILL.md", "a/b/c/SKILL.md"))
    assert not any(re.search(hook["files"], path) for path in ("skills/NOTSKILL.md", "SKILL.md.txt", "a/README.md"))


def test_the_action_puts_no_input_into_the_text_of_a_script() -> None:
    import yaml

    action = yaml.safe_load((CASES.parents[1] / "action.yml").read_text(encoding="utf-8"))
    runs = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    assert len(runs) == 2
    assert not any("${{" in run for run in runs)
