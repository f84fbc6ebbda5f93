"""The description is a string.

Why: Claude Code refuses a list here, and other clients show its Python or JSON form to the model.
Fix: write it as text, or as a block: `description: >-` and the text indented below it.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.edits import Fix, quoting
from skillpack.rules import rule
from skillpack.rules._fields import not_a_string
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """A description that a YAML reader takes for something else than text."""
    return not_a_string(skill, "description")


def fix(skill: Skill) -> Iterator[Fix]:
    """The value, as it is written, in quotes."""
    found = quoting(skill, "description")
    if found is not None:
        yield found
