"""The field description is there and not empty.

Why: the specification requires it, and it is all that an agent sees when it decides whether to open the
     skill; Codex and Gemini CLI drop a skill without it.
Fix: add `description:` with what the skill does and when to use it.
Spec: "Max 1024 characters. Non-empty. Describes what the skill does and when to use it."
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.rules._fields import missing
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """A description that is missing or empty."""
    return missing(skill, "description")
