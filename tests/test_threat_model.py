"""docs/threat-model.md names ceilings, rules and tests that there are."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from skillpack.rules import discover

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
CEILINGS = {name: value for value, name in re.findall(r"\| ([\d,]+) \| `skillpack\.(\w+\.\w+)` \|", PAGE)}


@pytest.mark.parametrize("module", ["source", "skill", "frontmatter"])
def test_the_ceilings_on_the_page_are_those_of_the_code(module: str) -> None:
    values = vars(import_module(f"skillpack.{module}"))
    code = {f"{module}.{name}": f"{value:,}" for name, value in values.items() if name.startswith("MAX_")}
    assert code
    assert code == {name: value for name, value in CEILINGS.items() if name.startswith(f"{module}.")}


def test_the_rules_and_the_tests_on_the_page_exist() -> None:
    slugs = {rule.slug for rule in discover()}
    named = set(re.findall(r"`([a-z]+(?:-[a-z0-9]+)+|secret)`", PAGE))
    assert len(named) > 12
    assert named <= slugs
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    promised = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(promised) > 8
    for name in promised:
        assert f"def {name}(" in tests
    for path in re.findall(r"`(tests/\w+\.py)`", PAGE):
        assert (ROOT / path).exists()
