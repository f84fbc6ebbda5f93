"""The field name is there and not empty.

Why: the specification requires it; clients show and call the skill by it.
Fix: add `name:` with the folder's name.
Spec: "The required `name` field"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.rules._fields import missing
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """A name that is missing or empty."""
    return missing(skill, "name")
