"""Every folder below the path was checked.

Why: a folder that cannot be listed, or that a link leads out to, may hold skills that nobody looked at;
     silence would read as approval.
Fix: make the folder readable, or name the link's target as a path of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("folder-unchecked")
