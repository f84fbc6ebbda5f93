"""The file is called SKILL.md, in these letters.

Why: the specification names it so. Claude Code, Codex, Gemini CLI and Copilot CLI look for exactly SKILL.md; the
     reference library takes skill.md too. On file systems that ignore case the difference shows only after the skill
     has moved.
Fix: rename it (`git mv skill.md SKILL.md`).
Spec: "A skill is a directory containing, at minimum, a `SKILL.md` file"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """A file that only some clients find."""
    if skill.misnamed:
        name = quoted(skill.tree.skill_file or "")
        yield Finding(
            f"the file is called {name}: Claude Code, Codex, Gemini CLI and Copilot CLI do not find it",
            "rename it to SKILL.md",
        )
