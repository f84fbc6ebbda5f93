"""No field occurs twice.

Why: YAML forbids it; of the readers that accept it some keep the first value and some the last.
Fix: keep one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("duplicate-keys")
