"""The frontmatter is a mapping of fields to values.

Why: name and description are looked up by their names; a list, plain text or a composite key has none.
Fix: write one `field: value` a line.
Spec: "The `SKILL.md` file must contain YAML frontmatter followed by Markdown content."
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("frontmatter-mapping")
