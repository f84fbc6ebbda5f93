"""The name is a string.

Why: readers differ on what `name: 123` or `name: on` is; a name is text. The reference library accepts a
     number, because its reader makes text of everything.
Fix: put it into quotes.
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
    """A name that a YAML reader takes for something else than text."""
    return not_a_string(skill, "name")


def fix(skill: Skill) -> Iterator[Fix]:
    """The value, as it is written, in quotes."""
    found = quoting(skill, "name")
    if found is not None:
        yield found
