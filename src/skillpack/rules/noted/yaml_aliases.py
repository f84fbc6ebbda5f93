"""The frontmatter has no anchors and aliases.

Why: 280 bytes of aliases expand to megabytes, and clients with a simple YAML reader take them for text.
Fix: write the value out where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("yaml-aliases")
