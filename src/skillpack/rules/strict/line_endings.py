"""The lines of SKILL.md end in a line feed alone.

Why: carriage returns come and go with the editor and with git's settings, and then every line of the skill shows as
     changed. A reader that looks for `---` and a line feed finds no frontmatter. The clients that were observed take
     both.
Fix: save the file with Unix line ends; `*.md text eol=lf` in .gitattributes keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding
from skillpack.edits import Fix, edit
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=NOTICE, profile="strict")
def check(skill: Skill) -> Iterator[Finding]:
    """Carriage returns before a line feed."""
    text = skill.text or ""
    if "\r\n" in text:
        line = text.count("\n", 0, text.index("\r\n")) + 1
        number = text.count("\r\n")
        message = f"{number:,} line{'s' * (number != 1)} from here on end in a carriage return and a line feed"
        yield Finding(message, "save the file with Unix line ends", line=line)


def fix(skill: Skill) -> Iterator[Fix]:
    """Without the carriage returns."""
    text, start, edits = skill.text or "", 0, []
    while (start := text.find("\r\n", start)) >= 0:
        edits.append(edit(skill, start, start + 1, ""))
        start += 1
    if edits:
        yield Fix("removed the carriage returns", tuple(edits))
