"""SKILL.md is a regular file that can be read.

Why: a skill is a folder with a file SKILL.md; a folder of that name, a pipe or a file without read permission
     is none, and the reference library crashes on the first.
Fix: put a regular file there.
Spec: "A skill is a directory containing, at minimum, a `SKILL.md` file"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("skill-file")
