"""The compatibility has 1 to 500 characters, if it is there.

Why: the specification's limits.
Fix: shorten it, or remove the line when there is nothing to say.
Spec: "Must be 1-500 characters if provided"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.rules._fields import empty, too_long
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """A compatibility over the limit, or with nothing in it."""
    yield from too_long(skill, "compatibility", 500, "shorten it; details belong into the body")
    for finding in empty(skill, "compatibility"):
        yield finding._replace(severity=ERROR)
