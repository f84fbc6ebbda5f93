"""The frontmatter begins on the first line.

Why: clients look for `---` at the very beginning; after a blank line, a comment or a title they read no
     frontmatter at all.
Fix: let the first line of the file be exactly `---`.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("frontmatter-first")
