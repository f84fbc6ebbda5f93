"""The frontmatter ends with a line `---`.

Why: without it the whole file is frontmatter and the skill has no instructions.
Fix: put a line `---` between the fields and the text.
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
    return skill.found("frontmatter-closed")
