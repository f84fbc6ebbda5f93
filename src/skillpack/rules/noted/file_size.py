"""SKILL.md has at most 1 MiB.

Why: an agent loads the whole file; a file of this size is a mistake or an attack, and is not read.
Fix: move reference material into files under references/ and link to them.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("file-size")
