"""The frontmatter is YAML.

Why: clients drop a skill whose frontmatter does not parse, most of them silently.
Fix: write each field as `field: value`; quote values that begin with a special character, or write them as a
     block: `field: >-` and the text indented below it.
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
    return skill.found("yaml-syntax")
