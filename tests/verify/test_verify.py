"""Each kind of error is found at its line, and its correction is not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from skillpack.diagnostics import Diagnostic
from skillpack.verify import KINDS
from skillpack.verify.checker import Tally

from .cases import CASES, SCHEMA, SKILL, TOOL, Case
from .conftest import Verify

pytestmark = pytest.mark.slow


def planted(folder: Path, files: Iterable[tuple[str, str]]) -> Path:
    """A skill with a script, a schema and `files` under references/."""
    skill = folder / "planted"
    (skill / "references").mkdir(parents=True)
    (skill / "scripts").mkdir()
    (skill / "assets").mkdir()
    (skill / "SKILL.md").write_text(SKILL, encoding="utf-8")
    (skill / "scripts/tool.py").write_text(TOOL, encoding="utf-8")
    (skill / "assets/plan.schema.json").write_text(SCHEMA, encoding="utf-8")
    for name, text in (("own.md", "# Own\n"), *files):
        (skill / "references" / name).write_text(text, encoding="utf-8")
    return skill


@pytest.fixture(scope="module")
def verified(run: Verify, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[Diagnostic]], Tally]:
    """What is found in each case's two files, by their names."""
    files = [
        (f"{way}-{case.name}.md", text) for case in CASES for way, text in (("bad", case.bad), ("good", case.good))
    ]
    found, tally = run(planted(tmp_path_factory.mktemp("cases"), files))
    by_name: dict[str, list[Diagnostic]] = {name: [] for name, _ in files}
    for one in found:
        by_name.setdefault(Path(one.location.path).name, []).append(one)
    return by_name, tally


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_error_is_found_where_it_is(case: Case, verified: tuple[dict[str, list[Diagnostic]], Tally]) -> None:
    found = verified[0][f"bad-{case.name}.md"]
    assert (case.kind, case.line) in {(one.slug, one.location.line) for one in found}, found
    assert {one.slug for one in found} <= {case.kind, "python-undefined"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_right_is_not_found(case: Case, verified: tuple[dict[str, list[Diagnostic]], Tally]) -> None:
    assert [one for one in verified[0][f"good-{case.name}.md"] if one.slug != "python-undefined"] == []


def test_every_kind_has_a_case() -> None:
    assert {case.kind for case in CASES} == set(KINDS) - {"skill-unread"}  # tests/verify/test_odd_input.py


def test_sketches_are_counted(verified: tuple[dict[str, list[Diagnostic]], Tally]) -> None:
    assert verified[1].sketches == 2


def test_a_script_that_may_not_be_run_is_not_run(run: Verify, tmp_path: Path) -> None:
    skill = planted(tmp_path, [("a.md", "```bash\nuv run scripts/tool.py f --nope\n```\n")])
    proof = tmp_path / "it-ran"
    script = skill / "scripts/tool.py"
    script.write_text(script.read_text() + f"\nopen({str(proof)!r}, 'w')\n", encoding="utf-8")
    script.write_text(script.read_text().replace("import argparse", f"import argparse\nopen({str(proof)!r}, 'w')"))
    found, tally = run(skill, scripts=())
    assert (found, dict(tally.open), proof.exists()) == ([], {"tool.py": 1}, False)
    found, tally = run(skill)
    assert ([one.slug for one in found], proof.exists()) == (["option-unknown"], True)


def test_a_script_whose_libraries_are_not_here_says_its_options(run: Verify, tmp_path: Path) -> None:
    skill = planted(tmp_path, [("a.md", "```bash\nuv run scripts/tool.py f --nope\n```\n")])
    script = skill / "scripts/tool.py"
    absent = "import argparse\nimport not_here\nfrom not_here.inside import Thing\nclass Mine(Thing): pass"
    script.write_text(script.read_text().replace("import argparse", absent), encoding="utf-8")
    assert [one.slug for one in run(skill)[0]] == ["option-unknown", "not-checked"]


def test_a_script_that_knows_no_help_is_not_run(run: Verify, tmp_path: Path) -> None:
    skill = planted(tmp_path, [("a.md", "```bash\nuv run scripts/app.py --nope\n```\n")])
    proof = tmp_path / "it-ran"
    (skill / "scripts/app.py").write_text(f"open({str(proof)!r}, 'w')\nif __name__ == '__main__': ...\n")
    found, tally = run(skill)
    assert (found, dict(tally.open), proof.exists()) == ([], {"app.py": 1}, False)


def test_a_script_is_asked_without_the_secrets_of_the_environment(
    run: Verify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_" + "a" * 30)
    skill = planted(tmp_path, [("a.md", "```bash\nuv run scripts/tool.py f\n```\n")])
    script = skill / "scripts/tool.py"
    seen = tmp_path / "seen"
    line = f"import argparse, os\nopen({str(seen)!r}, 'w').write(os.environ.get('HF_TOKEN', 'none'))"
    script.write_text(script.read_text().replace("import argparse", line), encoding="utf-8")
    run(skill)
    assert seen.read_text() == "none"


def test_a_block_is_never_run(run: Verify, tmp_path: Path) -> None:
    proof = tmp_path / "it-ran"
    text = f"```python\nopen({str(proof)!r}, 'w')\n```\n\n```bash\ntouch {proof}\n```\n"
    found, tally = run(planted(tmp_path, [("a.md", text)]))
    assert (found, tally.python, dict(tally.open), proof.exists()) == ([], 1, {"touch": 1}, False)


def test_a_finding_is_answered_for_by_a_comment(run: Verify, tmp_path: Path) -> None:
    block = "```bash\nhf repo list\n```\n"
    comment = "<!-- skillpack: ignore command-unknown: a table of old names -->\n\n"
    found, _ = run(planted(tmp_path, [("a.md", block), ("b.md", comment + block), ("c.md", comment + "`hf env`\n")]))
    said = {(Path(one.location.path).name, one.slug) for one in found}
    assert said == {("a.md", "command-unknown"), ("c.md", "suppression-unused")}


ABSENT = "a-tool-that-is-not-here"


def test_a_lone_option_may_be_of_a_tool_that_is_not_here(run: Verify, tmp_path: Path) -> None:
    page = f"`{ABSENT} list` takes `--sizes` too\n"
    skill = planted(tmp_path, [("a.md", page), ("b.md", "`--sizes 3` is more\n")])
    found, _ = run(skill, tools=("hf", ABSENT))
    assert [(Path(one.location.path).name, one.slug) for one in found] == [
        ("a.md", "not-checked"),
        ("b.md", "option-unowned"),
    ]
    assert [Path(one.location.path).name for one in run(skill, tools=("hf",))[0]] == ["a.md", "b.md"]


def test_a_comment_is_not_called_unused_where_a_tool_or_library_is_not_here(run: Verify, tmp_path: Path) -> None:
    names = "option-unknown, option-unowned, python-call, url-form"
    comment = f"<!-- skillpack: ignore {names}: gone in the next version -->\n\n"
    code = "```python\nimport unsloth_that_is_not_here\n```\n"
    pages = [("a.md", f"{comment}`{ABSENT} list`\n"), ("b.md", comment + code), ("c.md", comment + "`hf env`\n")]
    skill = planted(tmp_path, pages)

    def unused(*tools: str) -> set[tuple[str, str]]:
        found = [one for one in run(skill, tools=tools)[0] if one.slug == "suppression-unused"]
        return {(Path(one.location.path).name, one.message.split("'")[1]) for one in found}

    every = {(page, kind) for page in ("a.md", "b.md", "c.md") for kind in names.split(", ")} - {
        ("b.md", "python-call")
    }
    assert unused("hf") == every
    assert unused("hf", ABSENT) == {
        one for one in every if one[1] != "option-unowned" and one != ("a.md", "option-unknown")
    }


def test_the_text_says_once_what_is_not_here(tmp_path: Path, cache: object) -> None:
    code = "```python\nimport unsloth_that_is_not_here\n```\n"
    skill = planted(tmp_path, [("a.md", code), ("b.md", code), ("c.md", code.replace("unsloth", "sloth"))])
    (skill / "references/d.md").write_bytes(b"\xe9")
    (skill / "references/e.md").write_bytes(b"\xe9")
    kept = ["--cache-dir", str(cache.folder)]  # type: ignore[attr-defined]
    said = command(str(skill), *kept, folder=tmp_path).stdout.splitlines()
    once = "unsloth_that_is_not_here is not installed here: what uses it was not checked, in 2 files of which this is"
    assert f"references/a.md:2:8 notice: {once}" in said[0]
    assert "references/c.md:2:8 notice: sloth_that_is_not_here" in said[1] and "files" not in said[1]
    assert ["cannot be read" in line for line in said[2:4]] == [True, True]
    assert said[4] == "1 skill checked: 4 notices"
    document = json.loads(command(str(skill), *kept, "--format", "json", folder=tmp_path).stdout)
    assert len(document["diagnostics"]) == 5


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "skillpack", "verify", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_command_reports_in_every_format_and_exits_by_what_it_found(tmp_path: Path, cache: object) -> None:
    skill = planted(tmp_path, [("a.md", "```bash\nhf env\n\nhf repo list\n```\n")])
    kept = ["--cache-dir", str(cache.folder)]  # type: ignore[attr-defined]
    text = command(str(skill), *kept, folder=tmp_path)
    assert text.returncode == 1
    assert (
        "references/a.md:4:4 error: `hf` has no command 'repo'; did you mean 'repos'? [command-unknown]" in text.stdout
    )
    assert "0 sketches" in text.stdout
    document = json.loads(command(str(skill), *kept, "--format", "json", folder=tmp_path).stdout)
    assert [one["line"] for one in document["diagnostics"]] == [4]
    assert (document["verified"]["commands"], document["verified"]["tools"]) == (2, ["hf"])
    for form, sign in (("sarif", '"startLine": 4'), ("github", "line=4"), ("junit", "a.md:4")):
        assert sign in command(str(skill), *kept, "--format", form, folder=tmp_path).stdout, form
    assert command(str(skill), *kept, "--fail-on", "never", folder=tmp_path).returncode == 0


def test_nothing_to_check_is_no_success(tmp_path: Path) -> None:
    done = command(str(tmp_path), folder=tmp_path)
    assert (done.returncode, "no SKILL.md" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("tool = []", "no setting 'tool'"),
        ("tools = 'hf'", "list of strings"),
        ("extra-tools = ['']", "no name of a program"),
    ],
)
def test_settings_that_are_wrong_are_refused(setting: str, said: str, tmp_path: Path) -> None:
    skill = planted(tmp_path, [])
    (tmp_path / "skillpack.toml").write_text(f"[verify]\n{setting}\n", encoding="utf-8")
    done = command(str(skill), folder=tmp_path)
    assert (done.returncode, said in done.stderr) == (2, True)


def test_a_tool_that_is_not_listed_is_not_run(run: Verify, tmp_path: Path) -> None:
    found, tally = run(planted(tmp_path, [("a.md", "```bash\nhf repo list\n```\n")]), tools=("uv",))
    assert (found, dict(tally.open)) == ([], {"hf": 1})
