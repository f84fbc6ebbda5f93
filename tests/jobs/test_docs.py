"""What SKILL.md, the references and the templates say, held against the installed `hf` and the scripts' own parsers."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from types import ModuleType
from typing import Any

import click
import pytest
from huggingface_hub.cli import hf
from huggingface_hub.cli._uv_script_header import parse_uv_script_header

from skillpack.kit import tables

from .conftest import SCRIPTS, SKILL

DOCUMENTS = [SKILL / "SKILL.md", *sorted((SKILL / "references").glob("*.md"))]
TEMPLATES = sorted((SKILL / "assets").glob("*.py"))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def spans() -> list[tuple[str, str]]:
    found = []
    for path in DOCUMENTS:
        text = re.sub(r"^---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.S)
        found += [(path.name, " ".join(span.split())) for span in re.findall(r"`([^`]+)`", text)]
    return found


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """(the command of `hf` that the words name, what follows it)."""
    command: Any = hf.app
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"no command {words[0]!r}"
        command, words = found, words[1:]
    return command, words


def parsed(words: list[str]) -> None:
    """Parses options by the real parser of `hf`; arguments may be missing."""
    command, left = command_of(words)
    if not isinstance(command, click.Group):
        command.make_parser(click.Context(command)).parse_args(left)


def test_every_hf_command_of_the_documents_is_one_of_the_installed_hf() -> None:
    commands = [(name, span) for name, span in spans() if span.startswith("hf ") and span != "hf"]
    assert len(commands) > 12
    for name, span in commands:
        try:
            parsed(shlex.split(span)[1:])
        except (click.ClickException, AssertionError) as error:
            pytest.fail(f"{name}: `{span}`: {error}")
    for wrong in ("jobs start x", "jobs run --price 3 image", "repo create x"):
        with pytest.raises((click.ClickException, AssertionError)):
            parsed(shlex.split(wrong))


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), SCRIPTS / name)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_every_call_of_a_script_is_one_that_its_parser_takes() -> None:
    called = set()
    texts = [*spans()]
    for path in TEMPLATES:  # the examples of their docstrings
        lines = path.read_text(encoding="utf-8").replace("\\\n", " ")
        texts += [(path.name, " ".join(line.split())) for line in re.findall(r"^  (python scripts/.*)$", lines, re.M)]
    for name, span in texts:
        match = re.match(r"(?:uv run|python) scripts/(\w+\.py)(.*)", span)
        if not match:
            continue
        words = shlex.split(match[2])
        try:
            module(match[1]).arguments(words)
        except SystemExit as stopped:
            pytest.fail(f"{name}: `{span}` is refused ({stopped.code})")
        called.add(match[1])
    assert called == {path.name for path in SCRIPTS.glob("*.py")}


def test_every_option_that_is_named_alone_is_one_of_a_script_a_template_or_hf() -> None:
    known: set[str] = set()
    for path in [*SCRIPTS.glob("*.py"), *TEMPLATES]:
        known |= set(re.findall(r'"(--[a-z][a-z-]+)"', path.read_text(encoding="utf-8")))
    for words in (
        ["jobs", "run"], ["jobs", "uv", "run"], ["jobs", "logs"], ["jobs", "expose"], ["webhooks", "create"],
        ["buckets", "rm"],
    ):  # fmt: skip
        known |= {option for param in command_of(words)[0].params for option in param.opts}
    known |= {"--nnodes", "--nproc-per-node", "--node-rank", "--master-addr", "--master-port"}  # torchrun's
    unknown = {(name, option) for name, span in spans() for option in OPTION.findall(span) if option not in known}
    assert not unknown


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_has_a_header_that_hf_reads_and_help_without_a_heavy_import(path: Any) -> None:
    header = parse_uv_script_header(path.read_text(encoding="utf-8"))
    assert header is not None and header.flavor and header.timeout
    done = subprocess.run(
        [sys.executable, "-X", "importtime", path, "--help"], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "transformers", "datasets", "numpy", "duckdb", "huggingface_hub"}
    assert "examples:" in done.stdout


def test_the_table_of_prices_is_that_of_the_one_source() -> None:
    copies = {path: source for path, source in tables(SKILL.parent) if path.name == "hardware.json"}
    assert {path.parents[1].name for path in copies} >= {"hugging-face-jobs", "hugging-face-model-trainer"}
    assert all(path.read_text() == source.read_text() for path, source in copies.items())
    page = (SKILL / "references/hardware-and-prices.md").read_text(encoding="utf-8")
    table = json.loads((SKILL / "assets/hardware.json").read_text(encoding="utf-8"))
    for flavor in table["flavors"]:
        assert re.search(rf"^\| {flavor['name']} \|.* {flavor['usd_per_hour']:.2f} \|$", page, re.M), flavor["name"]
