"""The frontmatter is small: 65,536 characters, 5,000 values, 16 levels.

Why: every client reads the frontmatter of every skill at its start; past these ceilings YAML readers get slow
     or fail. What is past them is not read here.
Fix: move the data into a file under assets/ or references/.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("yaml-budget")
