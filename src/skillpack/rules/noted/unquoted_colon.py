"""A value that holds a colon and a space is quoted.

Why: YAML reads `description: Use when: …` as a field within a field and refuses it. Copilot
     CLI drops the skill and `claude plugin validate` refuses it; Codex and Gemini CLI mend it.
Fix: put the value into double quotes, or write it as a block: `description: >-` and the text indented below
     it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.edits import Fix, edit, offset, quote
from skillpack.frontmatter import KEY_AND_VALUE, indent
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("unquoted-colon")


def fix(skill: Skill) -> Iterator[Fix]:
    """Quotes around a value on one line; a value on several lines becomes a block."""
    lines = (skill.text or "").split("\n")
    for finding in skill.found("unquoted-colon"):
        key = finding.field
        number, match = finding.line, None
        while number and (match is None or match["key"] != key):
            number -= 1
            match = re.match(KEY_AND_VALUE, lines[number])
        if match is None or match["key"] != key:
            continue
        start, value = offset(skill, number + 1, match.start("value") + 1), match["value"].rstrip()
        margin = indent(lines[number])
        more = []
        for line in lines[number + 1 :]:
            if indent(line) <= margin or not line.strip():
                break
            more.append(line)
        if more:
            # Lines of one indentation are folded in a block as they are in a plain value.
            if len({indent(line) for line in more}) == 1 and not any("#" in line for line in [value, *more]):
                block = f">-\n{' ' * indent(more[0])}"
                yield Fix(f"wrote {key} as a block", (edit(skill, start, start, block),))
            continue
        # ` #` begins a comment, and after `Fix issue: #12` it may not be meant as one.
        said, mark, _ = value.partition(" #")
        said = said.rstrip()
        yield Fix(f"quoted {key}", (edit(skill, start, start + len(said), quote(said)),), safe=not mark)
