"""The command line: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import jsonschema
import pytest

import skillpack
from skillpack import cli
from skillpack.cli import main

CASES = Path(__file__).parent / "rules"
SCHEMA = Path(skillpack.__file__).parent / "schemas" / "report.schema.json"
GOOD = "---\nname: {name}\ndescription: Sorts <numbers> & more. Use when unsorted.\n---\n\nRun `sort`.\n"


def make(folder: Path, text: str = GOOD) -> Path:
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(text.format(name=folder.name), encoding="utf-8")
    return folder


@pytest.fixture
def good(tmp_path: Path) -> str:
    return str(make(tmp_path / "good"))


@pytest.fixture
def bad(tmp_path: Path) -> str:
    return str(make(tmp_path / "bad", "---\nname: bad\n---\nRun `sort`.\n"))


@pytest.fixture
def warned(tmp_path: Path) -> str:
    return str(make(tmp_path / "warned", "---\nname: warned\ndescription: d\nmodel: x\n---\n"))


def test_a_good_skill_exits_0_and_says_how_many_were_checked(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", good]) == 0
    assert capsys.readouterr() == ("1 skill checked: no findings\n", "")


def test_an_error_exits_1_and_says_where_what_and_what_to_do(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", bad]) == 1
    line, summary = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{bad}/SKILL.md:1:1 error description: ")
    assert line.endswith("; add `description: …` [description-required]")
    assert summary == "1 skill checked: 1 error"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--fail-on", "error"], 0),
        (["--fail-on", "warning"], 1),
        (["--strict"], 1),
        (["--fail-on", "never"], 0),
        (["--fail-on", "never", "--strict"], 1),
    ],
)
def test_a_warning_fails_only_where_that_is_asked_for(warned: str, options: list[str], code: int) -> None:
    assert main(["validate", warned, *options]) == code


def test_never_failing_still_reports(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", bad, "--fail-on", "never"]) == 0
    assert "[description-required]" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["validate"], ["validate", "missing"], ["validate", __file__], ["nonsense"], ["validate", ".", "--format", "x"]],
)
def test_wrong_usage_exits_2_and_prints_nothing_on_stdout(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("command", ["validate", "list", "show", "prompt"])
def test_a_folder_without_a_skill_exits_3(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(tmp_path)]) == 3
    assert "no SKILL.md under" in capsys.readouterr().err


def test_an_empty_folder_beside_a_good_skill_exits_3_too(good: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["validate", good, str(tmp_path / "empty")]) == 3


def test_an_interrupt_exits_130(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("skillpack.workers.check_trees", interrupt)
    assert main(["validate", good]) == 130


def test_an_internal_failure_exits_3_with_one_line(
    good: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken\nhf_abcdefghijklmnopqrstuvwxyz")

    monkeypatch.setattr("skillpack.workers.check_trees", fail)
    assert main(["validate", good]) == 3
    error = capsys.readouterr().err
    assert "RuntimeError: broken" in error
    assert error.count("\n") == 1


def test_the_json_report_fits_its_schema_whatever_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(CASES), "--format", "json"]) == 1
    out = capsys.readouterr().out
    report = json.loads(out)
    jsonschema.validate(report, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert out.isascii()
    assert report["summary"]["errors"] == sum(found["severity"] == "error" for found in report["diagnostics"])
    assert report["summary"]["skills"] > 100


def test_json_of_nothing_is_a_report_all_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(tmp_path), "--format", "json"]) == 3
    assert json.loads(capsys.readouterr().out)["summary"]["skills"] == 0


def test_a_warning_about_a_link_is_printed_when_nothing_was_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "elsewhere")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a").symlink_to("../elsewhere")
    assert main(["validate", str(tmp_path / "root")]) == 3
    assert "[folder-unchecked]" in capsys.readouterr().out


def in_terminal(*arguments: str) -> str:
    """What the command prints when stdout and stderr are a terminal."""
    import pty

    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "skillpack", *arguments], stdin=child, stdout=child, stderr=child, env=environment
    )
    os.close(child)
    chunks = []
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    process.wait()
    os.close(parent)
    return b"".join(chunks).decode()


def test_colours_and_a_progress_bar_are_for_terminals_only(tmp_path: Path) -> None:
    for number in range(cli.BAR_FROM):
        make(tmp_path / f"s{number}")
    assert "Checking" not in in_terminal("validate", str(tmp_path))
    make(tmp_path / "bad", "---\nname: bad\n---\nRun `sort`.\n")
    shown = in_terminal("validate", str(tmp_path))
    assert "Checking" in shown
    assert "\x1b[31merror\x1b[0m" in shown
    command = [sys.executable, "-m", "skillpack", "validate", str(tmp_path)]
    piped = subprocess.run(command, capture_output=True, text=True)
    assert piped.stderr == ""
    assert "\x1b" not in piped.stdout


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    for number in range(300):
        make(tmp_path / f"s{number}", "no frontmatter\n" * 3)
    shell = f"{sys.executable} -m skillpack validate {tmp_path} --format json | head -n 1"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_show_begins_with_what_the_reference_librarys_read_properties_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "---\nname: s\ndescription: ' Does. '\nlicense: MIT\ncompatibility: Needs uv\n"
        "metadata: {a: 1.10, b: no}\nallowed-tools: Read\nmodel: x\n---\nbody\n"
    )
    folder = make(tmp_path / "s", text.replace("{a", "{{a").replace("no}", "no}}"))
    (folder / "scripts").mkdir()
    (folder / "scripts" / "x.py").touch()
    assert main(["show", str(folder)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {key: shown.pop(key) for key in list(shown)[:6]} == {
        "name": "s",
        "description": "Does.",
        "license": "MIT",
        "compatibility": "Needs uv",
        "allowed-tools": "Read",
        "metadata": {"a": "1.10", "b": "no"},
    }
    assert shown == {
        "path": f"{folder}/SKILL.md",
        "other-fields": {"model": "x"},
        "body": {"line": 10, "lines": 1, "characters": 5},
        "files": ["SKILL.md", "scripts/x.py"],
    }


@pytest.mark.parametrize("command", ["show", "prompt"])
def test_a_skill_that_lacks_what_is_printed_exits_1_and_prints_nothing(
    command: str, bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, bad]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert "no description" in error


def test_list_names_every_skill_also_a_broken_one(
    good: str, bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", str(tmp_path)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["bad", "good"]


def test_prompt_prints_the_block_of_the_reference_library_escaped(
    good: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prompt", good]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "<available_skills>",
        "<skill>",
        "<name>",
        "good",
        "</name>",
        "<description>",
        "Sorts &lt;numbers&gt; &amp; more. Use when unsorted.",
        "</description>",
        "<location>",
        f"{good}/SKILL.md",
        "</location>",
        "</skill>",
        "</available_skills>",
    ]


def test_rules_lists_every_rule_and_prints_the_page_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == sorted(listed)
    assert {path.name for path in CASES.iterdir() if path.is_dir()} < set(listed)
    assert main(["rules", "unquoted-colon"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("unquoted-colon (error, spec, fix)\n\n")
    assert "\nWhy: " in page
    assert "\nFix: " in page


def test_an_unknown_rule_is_wrong_usage_with_a_proposal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "unquoted-colons"]) == 2
    assert "did you mean 'unquoted-colon'?" in capsys.readouterr().err


def test_every_command_of_this_module_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for name, command in cli.skillpack.commands.items():
        assert name in overview
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "form":
                assert parameter.help, (name, parameter.name)
    for name, (_, text) in cli.ELSEWHERE.items():
        assert name in overview
        assert text.endswith(".")


def test_help_imports_none_of_the_commands_that_live_elsewhere() -> None:
    code = (
        "import sys; from skillpack.cli import main; main(['--help']);"
        "sys.exit(any(name.startswith(('skillpack.hub', 'skillpack.kit', 'skillpack.reh')) for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"skillpack {skillpack.__version__}\n"
