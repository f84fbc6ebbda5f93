"""What the skill's documents say: commands and flags are those of the scripts, places and files exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from skillpack.kit.article import MARK, TEMPLATES

from .conftest import SCRIPTS, SKILL, module_of

DOCUMENTS = sorted(
    [SKILL / "SKILL.md", *(SKILL / "references").glob("*.md"), *(SKILL / "assets/templates").glob("*.md")]
)
NAMES = sorted(path.name for path in SCRIPTS.glob("*.py"))


def helps() -> dict[str, str]:
    """Script -> its --help, with that of each of its commands."""
    found = {}
    for name in NAMES:
        commands = [[]]
        if name == "paper.py":
            commands += [
                [each] for each in ("info", "check", "citation", "search", "daily", "index", "claim", "page", "link")
            ]
        run = [subprocess.run([sys.executable, str(SCRIPTS / name), *words, "--help"], capture_output=True, text=True)
               for words in commands]  # fmt: skip
        assert all(done.returncode == 0 for done in run)
        found[name] = "".join(done.stdout for done in run)
    return found


@pytest.fixture(scope="module")
def help_of() -> dict[str, str]:
    return helps()


def commands() -> list[list[str]]:
    """The words of every command with a script of the skill between backticks."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    spans = re.findall(r"`((?:uv run scripts/)?\w+\.py [^`]+)`", text)
    return [
        shlex.split(span.removeprefix("uv run scripts/")) for span in spans if span.split("/")[-1].split()[0] in NAMES
    ]


def test_every_command_of_the_documents_is_taken_by_its_script(help_of: dict[str, str]) -> None:
    found = commands()
    assert len(found) > 15
    for name, *words in found:
        if name == "paper.py" and len(words) > 1 and "ID" not in words:
            module_of(name).arguments(words)  # argparse exits where it does not take them
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert flags <= set(re.findall(r"--[a-z][\w-]*", help_of[name])), (name, words)


def test_every_flag_that_a_document_names_exists(help_of: dict[str, str]) -> None:
    known = {flag for text in help_of.values() for flag in re.findall(r"--[a-z][\w-]*", text)} | {"--plan"}
    for path in DOCUMENTS:
        named = set(re.findall(r"(?<![\w<!-])--[a-z][\w-]*", path.read_text(encoding="utf-8")))
        assert named <= known, path.name


def test_every_script_helps_at_once_with_examples_and_exit_codes(help_of: dict[str, str]) -> None:
    for name in NAMES:
        assert "examples:" in help_of[name] and "exit codes:" in help_of[name]
        command = [sys.executable, "-X", "importtime", str(SCRIPTS / name), "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert not re.search(r"\|\s+(huggingface_hub|matplotlib|yaml|typst|pypandoc|jsonschema)$", done.stderr, re.M)


def test_every_template_is_offered_and_its_parts_are_known() -> None:
    new_article = module_of("new_article.py")
    parts = {*new_article.PARTS, "figure_comparison", "figure_training"}
    for name in TEMPLATES:
        text = (SKILL / f"assets/templates/{name}.md").read_text(encoding="utf-8")
        used = re.findall(r"\{\{(\w+)\}\}", text)
        assert sorted(used) == sorted(parts), "each part stands once"
    assert {path.stem for path in (SKILL / "assets/templates").glob("*.md")} == set(TEMPLATES)


def test_the_mark_that_the_skill_shows_is_one_and_the_table_of_identifiers_is_right() -> None:
    from skillpack.kit.arxiv import arxiv_id

    text = (SKILL / "SKILL.md").read_text(encoding="utf-8")
    marks = list(MARK.finditer(text))
    assert len(marks) == 1 and marks[0]["factor"].strip() == "*100"
    table = (SKILL / "references/papers-api.md").read_text(encoding="utf-8").partition("## Identifiers")[2]
    examples = re.findall(r"\| `([^`]+)`", table)
    assert [arxiv_id(example).id for example in examples] == examples and len(examples) == 3
    assert arxiv_id("math.GT/0309136").id == "math/0309136"


def test_what_the_checklist_says_is_filled_stands_in_a_run(report: Path) -> None:
    import json

    run = json.loads((report / "results/run.json").read_text())
    text = (SKILL / "references/reproducibility.md").read_text(encoding="utf-8")
    places = re.findall(r"`((?:plan|versions|train_seconds|peak_memory_gb|comparison)[\w.]*)`", text)
    assert len(places) > 8
    for place in places:
        value = run
        for key in place.split("."):
            if key == "revision":
                break  # of a model or dataset on the Hub; this run's are folders
            value = value[key]
