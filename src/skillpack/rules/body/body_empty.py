"""The body of SKILL.md says something.

Why: the body is what an agent reads once the skill is chosen; without one there are no instructions.
Fix: write below the frontmatter what to do.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Frontmatter with nothing after it."""
    if skill.readable and not skill.body.strip():
        yield Finding("there is no text below the frontmatter", "write what to do", line=skill.body_line)
