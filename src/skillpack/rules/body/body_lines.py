"""SKILL.md stays under 500 lines.

Why: the specification recommends it (a recommendation, not a limit): the whole body enters the context of every
     task that uses the skill.
Fix: move what only some tasks need into files under references/ and say when to open each.
Spec: "Keep your main `SKILL.md` under 500 lines."
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.skill import Skill

LIMIT = 500


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """A body of more lines."""
    lines = skill.body.rstrip().count("\n") + 1
    if lines > LIMIT:
        message = f"the body has {lines:,} lines, and at most {LIMIT} are recommended"
        yield Finding(message, "move what only some tasks need into files under references/", line=skill.body_line)
