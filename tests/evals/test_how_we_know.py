"""docs/how-we-know.md: what it quotes stands in the README, and what it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest

from skillpack.cli import skillpack

from .conftest import ROOT

PAGE = (ROOT / "docs/how-we-know.md").read_text("utf-8")
ROWS = re.findall(r'^\| "(.+?)" \| (.+) \|$', PAGE, re.M)


def plain(text: str) -> str:
    return " ".join(re.sub(r"[#|]", " ", text).split())


@pytest.mark.parametrize("claim", [claim for claim, _ in ROWS])
def test_a_claim_stands_in_the_readme(claim: str) -> None:
    assert plain(claim) in plain((ROOT / "README.md").read_text("utf-8"))


def test_a_claim_that_the_readme_does_not_make_is_seen() -> None:
    with pytest.raises(AssertionError):
        test_a_claim_stands_in_the_readme("It makes coffee")


def named_tests(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}


def problems(text: str) -> list[str]:
    """What the commands between backticks name and is not there."""
    found = []
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for code in re.findall(r"`([^`]+)`", text):
        words = code.split()
        for word in words:
            path, _, test = word.partition("::")
            if re.match(r"(tests|benchmarks|docs|skills)/", word) and not (ROOT / path).exists():
                found.append(path)
            elif test and test not in named_tests(ROOT / path):
                found.append(word)
        if words[0] == "make" and not re.search(rf"^{words[1]}:", makefile, re.M):
            found.append(code)
        if words[0] == "skillpack" and skillpack.get_command(click.Context(skillpack), words[1]) is None:
            found.append(code)
    return found


def test_every_command_and_test_that_the_page_names_is_there() -> None:
    assert len(ROWS) > 20
    assert problems(PAGE) == []


def test_a_command_or_a_test_that_is_gone_is_seen() -> None:
    gone = "`make coffee` `skillpack brew` `pytest tests/no.py` `pytest tests/test_pack.py::test_none`"
    assert problems(gone) == ["make coffee", "skillpack brew", "tests/no.py", "tests/test_pack.py::test_none"]
