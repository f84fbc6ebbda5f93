"""A skill has at most 20,000 files.

Why: an installed skill is copied whole; this many files are dependencies or data that slipped in.
Fix: keep node_modules, environments and data sets out of the skill's folder.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("file-count")
