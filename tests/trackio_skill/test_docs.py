"""What SKILL.md and the references say: each command is one that its own parser takes, the SQL and the loop run."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
import shlex
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from .conftest import SCRIPTS, SKILL, Bench

DOCUMENTS = [SKILL / "SKILL.md", *sorted((SKILL / "references").glob("*.md"))]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands(program: str) -> list[tuple[str, str]]:
    """(document, command) for each span of code that begins with `program`."""
    found = []
    for path in DOCUMENTS:
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)
        spans = (span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", text))
        found += [(path.name, span) for span in spans if span.split()[0] == program]
    return found


def test_every_command_of_a_script_is_taken_by_its_own_parser() -> None:
    parsed = 0
    for document, command in commands("uv"):
        words = shlex.split(command.split(" > ")[0])
        if words == ["uv", "run"] or "loop.py" in words:  # the loop is run below
            continue
        assert words[:2] == ["uv", "run"], command
        path = Path(words[2])
        assert path.parent == Path("scripts") and (SKILL / path).is_file(), f"{document}: {command}"
        try:
            loaded(path.stem).arguments(words[3:])
        except SystemExit:
            pytest.fail(f"{document}: {command}")
        parsed += 1
    assert parsed >= 11


def helped(main: Any, words: list[str]) -> str:
    """What `words --help` prints; fails where a word is no command."""
    out, before = io.StringIO(), sys.argv
    sys.argv = [*words, "--help"]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    assert ended.value.code == 0, f"{' '.join(words)}: {out.getvalue()[-300:]}"
    return out.getvalue()


def test_every_command_of_trackio_exists_with_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    from trackio.cli import main

    general = helped(main, ["trackio"])
    seen = 0
    for document, command in commands("trackio"):
        words = shlex.split(command)
        if len(words) > 2 and words[1] == "--space":
            words = words[:1] + words[3:]
        if len(words) == 1 or words[1].startswith("0."):
            continue
        named = [word for word in words[:3] if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
        help_text = general + helped(main, named)
        unknown = set(OPTION.findall(command)) - set(OPTION.findall(help_text))
        assert not unknown, f"{document}: `{command}`: {unknown}"
        seen += 1
    assert seen >= 18


def test_every_command_of_hf_exists_with_its_options() -> None:
    from huggingface_hub.cli.hf import app

    seen = 0
    for document, command in commands("hf"):
        words = shlex.split(command)[1:]
        named = [word for word in words[:3] if re.fullmatch(r"[a-z-]+", word)]
        help_text = CliRunner().invoke(app, [*named, "--help"])
        assert help_text.exit_code == 0, f"{document}: `{command}`: {help_text.output[-300:]}"
        unknown = set(OPTION.findall(command)) - set(OPTION.findall(help_text.output))
        assert not unknown, f"{document}: `{command}`: {unknown}"
        seen += 1
    assert seen >= 6


def test_every_option_in_a_span_of_its_own_belongs_to_a_script_or_a_command_that_is_named() -> None:
    from trackio.cli import main

    known = {option for path in SCRIPTS.glob("*.py") for option in OPTION.findall(path.read_text(encoding="utf-8"))}
    for words in (["sync"], ["freeze"], ["get", "alerts"]):
        known |= set(OPTION.findall(helped(main, ["trackio", *words])))
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    alone = set(re.findall(r"`(--[a-z-]+)`", text))
    assert alone <= known and len(alone) > 10, alone - known


def test_the_sql_of_the_reference_answers_its_questions(sweep: Bench) -> None:
    block = re.search(r"```sql\n(.*?)```", (SKILL / "references/storage.md").read_text(encoding="utf-8"), re.S)
    assert block
    queries = [query.strip() for query in block[1].split(";") if query.strip()]
    answers = [sweep.json("read_runs.py", "query", query)["rows"] for query in queries]
    assert [(row["run"], row["lowest"], row["step"]) for row in answers[0]] == [
        ("base", 1.0, 20), ("base", 2.0, 20), ("wild", 4.0, 0)
    ]  # fmt: skip
    assert answers[1] == [{"run": "wild", "times": 2, "first": 20}]
    assert len(answers[2]) == 11 and answers[2][0] == {"run": "base", "step": 0, "loss": 4.0, "accuracy": 0.0}
    assert answers[3] == [{"run": "base", "lr": 0.2, "lowest": 1.0}]
    assert len(answers[4]) == 3 and all(0 <= row["seconds"] < 60 for row in answers[4])


def test_the_tables_and_columns_of_the_reference_are_those_of_trackio(sweep: Bench) -> None:
    text = (SKILL / "references/storage.md").read_text(encoding="utf-8")
    with contextlib.closing(sqlite3.connect(sweep.tracked / "sweep.db")) as connection:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, columns in re.findall(r"^\| `(metrics|configs|alerts)` \| (.+?) \|$", text, re.M):
            known = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            assert set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", columns))) <= known, table
    for line in re.findall(r"^\| (`traces`.+?) \|", text, re.M):
        assert set(re.findall(r"`(\w+)`", line)) <= there


@pytest.mark.slow
def test_the_loop_of_the_reference_spends_its_trials_and_names_the_best(bench: Bench) -> None:
    text = (SKILL / "references/experiment-loop.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.S)
    assert block
    program = block[1].replace("(0.1, 0.02, 0.5, 2.0, 0.004, 0.3, 0.05)", "(0.02, 2.0, 0.3)")
    (bench.folder / "loop.py").write_text(program)
    first = bench.run(sys.executable, "loop.py", SCRIPTS)
    assert first.returncode == 0, first.stderr
    ledger = [json.loads(line) for line in (bench.folder / "ledger.jsonl").read_text().splitlines()]
    assert [row["settings"]["lr"] for row in ledger] == [0.02, 2.0, 0.3]
    assert ledger[1]["value"] is None and ledger[1]["ended"] != "done", "the diverging trial was ended and not counted"
    found = json.loads(first.stdout)
    assert found["stop"] == "nothing left" and found["best"] == min(ledger[0]["value"], ledger[2]["value"])
    again = bench.run(sys.executable, "loop.py", SCRIPTS)
    assert json.loads(again.stdout)["trials"] == 3, "nothing is trained twice"
