"""What a stranger's skill may hold, and a machine may lack: a finding or a message, and never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from skillpack.errors import UsageFailure
from skillpack.verify import blocks, data, python, settings, shell, tools
from skillpack.verify.cache import Cache, default_folder

from .conftest import Verify

DEEP = 100_000


@pytest.mark.parametrize(
    ("language", "text"),
    [("json", "[" * DEEP + "]" * DEEP), ("yaml", "[" * 3000 + "]" * 3000), ("toml", "a=" + "[" * 3000 + "]" * 3000)],
)
def test_data_that_is_nested_too_deep_is_a_finding(language: str, text: str) -> None:
    assert ["nested too deep" in found.message for found in data.check(text, language, {})] == [True]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        *(("yaml", "date: 2024-13-45"), ("yaml", "script: !reference [.setup, script]")),
        *(("json", "9" * 5000), ("toml", "a = " + "9" * 5000)),
    ],
)
def test_data_that_parses_and_that_python_has_no_value_for_is_right(language: str, text: str) -> None:
    assert list(data.check(text, language, {})) == []
    if language == "yaml":
        assert [found.kind for found in data.check(text + "\n]", language, {})] == ["data-syntax"]


def test_shell_is_read_however_deep_it_is_nested() -> None:
    parsed = shell.parse("echo $(" * 3000 + "ls" + ")" * 3000)
    assert (len(parsed.commands), parsed.errors, parsed.commands[-1][0].text) == (3001, [], "ls")


def test_a_line_that_goes_on_with_a_percent_sign_is_no_magic() -> None:
    assert python.problem('text = ("%s"\n        % 1)\n') is None
    assert python.problem("%matplotlib inline\nx = 1\n") is None
    assert python.problem("x = (\n% 1)\n") is not None


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x85", "\u2028"])
def test_lines_are_those_of_an_editor(end: str) -> None:
    page = blocks.read(f"# One{end}two\n\n```python\nx{end} = 1\ny\n```\n")
    assert page.blocks[0].excerpt.at(2, 1) == (5, 1)


@pytest.mark.slow
def test_a_with_of_several_parts_is_read(run: Verify, tmp_path: Path) -> None:
    skill = tmp_path / "several"
    skill.mkdir()
    head = "---\nname: several\ndescription: A.\n---\n```python\nimport gradio as gr\n"
    parts = "with gr.Blocks() as demo, gr.Row() as row:\n    pass\nwith gr.Row(), gr.Column() as column:\n    pass\n"
    (skill / "SKILL.md").write_text(
        f'{head}{parts}gr.Nothing()\nwith gr.Blocks(title="a as b") as page:\n    pass\n```\n'
    )
    assert [(one.slug, one.location.line) for one in run(skill)[0]] == [("python-name", 11)]


@pytest.mark.slow
def test_what_cannot_be_read_as_text_is_said(run: Verify, tmp_path: Path) -> None:
    skill = tmp_path / "latin"
    (skill / "references").mkdir(parents=True)
    (skill / "references/a.md").write_bytes(b"\xe9")
    (skill / "SKILL.md").write_bytes(b"---\nname: latin\n---\n\xe9")
    assert [(one.slug, one.severity.label) for one in run(skill)[0]] == [
        ("skill-unread", "error"),
        ("not-checked", "notice"),
    ]


@pytest.mark.parametrize("text", ["verify = 3", "[tool]\nskillpack = 3", "tool = 3"])
def test_settings_that_are_no_table_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / ("skillpack.toml" if text.startswith("verify") else "pyproject.toml")
    path.write_text(text)
    with pytest.raises(UsageFailure, match="is a table"):
        settings.load(str(path))


def test_a_user_without_a_home_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 54321)
    with pytest.raises(UsageFailure, match="--no-cache"):
        default_folder()


def test_a_script_that_did_not_answer_in_time_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "near.py").write_text("NAME = '--x'\n")
    script = tmp_path / "tool.py"
    script.write_text(
        "import argparse, near\np = argparse.ArgumentParser()\np.add_argument(near.NAME)\np.parse_args()\n"
    )
    kept = Cache(tmp_path / "kept")
    with monkeypatch.context() as hurried:
        hurried.setattr(tools, "PATIENCE", 0.001)
        assert tools.Tools((), kept).script(str(script), script.read_text()) is None
    command = tools.Tools((), kept).script(str(script), script.read_text())
    assert command is not None and command.option("--x") is not None
    assert not (tmp_path / "__pycache__").exists(), "nothing is left beside a skill's script"


def test_a_module_is_not_taken_for_one_of_this_package(tmp_path: Path) -> None:
    asked = [("paths", "missing"), ("os", "sep")]
    assert python._present(asked, "", Cache(None)) == {("os", "sep")}


def test_a_secret_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOME_APIKEY", "DB_PASSWORD", "GH_TOKEN", "SESSION_COOKIE"):
        monkeypatch.setenv(name, "x")
    assert not {"SOME_APIKEY", "DB_PASSWORD", "GH_TOKEN", "SESSION_COOKIE"} & tools.environment().keys()
