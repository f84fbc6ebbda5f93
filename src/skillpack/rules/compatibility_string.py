"""The compatibility is a string.

Why: the specification: text about the environment that the skill needs.
Fix: write it as one line of text.
Spec: "Indicates environment requirements (intended product, system packages, network access, etc.)."
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
    """A compatibility that is not text."""
    return not_a_string(skill, "compatibility")


def fix(skill: Skill) -> Iterator[Fix]:
    """The value, as it is written, in quotes."""
    found = quoting(skill, "compatibility")
    if found is not None:
        yield found
