"""The frontmatter begins on the first line.

Why: clients look for `---` at the very beginning; after a blank line, a comment or a title they read no
     frontmatter at all.
Fix: let the first line of the file be exactly `---`.
Spec: "The `SKILL.md` file must contain YAML frontmatter followed by Markdown content."
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.edits import Fix, edit
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("frontmatter-first")


def fix(skill: Skill) -> Iterator[Fix]:
    """Without the blank lines and spaces before the dashes; a comment or a title stays for the author to move."""
    text = skill.text or ""
    rest = text.lstrip()
    first = rest.split("\n", 1)[0].rstrip()
    if first and not first.strip("-"):
        start = len(text) - len(rest)
        yield Fix("moved `---` to the first line", (edit(skill, 0, start + len(first), "---"),), safe=False)
