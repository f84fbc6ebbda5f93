"""The license is a string.

Why: the specification: the name of a license, or the name of a bundled license file.
Fix: write `license: Apache-2.0` or `license: LICENSE.txt`.
Spec: "License name or reference to a bundled license file."
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.edits import Fix, quoting
from skillpack.rules import rule
from skillpack.rules._fields import empty, not_a_string
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """A license that is not text, or is there with nothing in it."""
    yield from not_a_string(skill, "license")
    yield from empty(skill, "license")


def fix(skill: Skill) -> Iterator[Fix]:
    """The value, as it is written, in quotes."""
    found = quoting(skill, "license")
    if found is not None:
        yield found
