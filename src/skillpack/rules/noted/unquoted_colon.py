"""A value that holds a colon and a space is quoted.

Why: YAML reads `description: Use when: …` as a field within a field and refuses it. It is the commonest way
     in which a skill disappears without a word.
Fix: put the value into double quotes, or write it as a block: `description: >-` and the text indented below
     it.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("unquoted-colon")
