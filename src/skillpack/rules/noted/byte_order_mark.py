"""SKILL.md does not begin with a byte order mark.

Why: the mark stands before `---`, so the frontmatter is not where clients look: Claude Code, Codex and Gemini
     CLI do not list the skill, Copilot CLI does, and the reference library reports that there is no frontmatter.
Fix: save the file as UTF-8 without a byte order mark.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.edits import Edit, Fix
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("byte-order-mark")


def fix(skill: Skill) -> Iterator[Fix]:
    """Without the three bytes."""
    yield Fix("removed the byte order mark", (Edit(skill.tree.skill_file or "", 0, 3, ""),))
