"""The frontmatter has no YAML tags.

Why: a tag asks the reader to construct an object; a skill's fields are text, and a reader that obeys can be
     made to run code.
Fix: remove the tag; quote the value if it has to be text.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("yaml-tags")
