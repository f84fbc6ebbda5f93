"""The name has at most 64 characters.

Why: the specification's limit; Codex reports a longer one as an error.
Fix: shorten the name and the folder's name.
Spec: "Must be 1-64 characters"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.rules._fields import too_long
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """A name over the limit."""
    return too_long(skill, "name", 64, "shorten the name and the folder's name")
