"""The allowed tools are a string.

Why: the specification: a string of tools with spaces between them. Claude Code takes a list too, so a list is
     a warning here; the reference library lets it pass or refuses it, depending on how it is written.
Fix: write `allowed-tools: Bash(git:*) Read`.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._fields import empty, not_a_string
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """Allowed tools that are a list, or no text at all."""
    field = skill.fields.get("allowed-tools")
    if field is not None and isinstance(field.value, list):
        tools = " ".join(item.value for item in field.value if isinstance(item.value, str))
        fix = f"write `allowed-tools: {tools}`" if tools and len(tools) <= 200 else "write one string with spaces"
        message = "it is a list: Claude Code reads it, and the specification has a string"
        yield skill.at("allowed-tools", message, fix)._replace(severity=WARNING)
    else:
        yield from not_a_string(skill, "allowed-tools")
        yield from empty(skill, "allowed-tools")
