"""SKILL.md has YAML frontmatter.

Why: the specification: the file must contain YAML frontmatter followed by Markdown. Codex and Gemini CLI drop
     a skill without it.
Fix: begin the file with `---`, a line for name, one for description, and `---`.
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
    return skill.found("frontmatter-present")
