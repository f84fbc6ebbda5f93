"""The description has at most 1,024 characters.

Why: the specification's limit; Copilot CLI drops a skill with a longer one, Claude Code cuts it. Characters
     are counted, not bytes.
Fix: keep what the skill does and when to use it; move the rest into the body.
Spec: "Must be 1-1024 characters"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.rules._fields import too_long
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """A description over the limit."""
    return too_long(skill, "description", 1024, "keep what it does and when to use it; move the rest into the body")
