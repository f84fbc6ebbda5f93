"""SKILL.md is UTF-8.

Why: clients read it as UTF-8; the reference library crashes on Latin-1, others show damaged text.
Fix: save the file as UTF-8 without a byte order mark.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("encoding-utf-8")
