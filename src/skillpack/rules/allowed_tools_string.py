"""The allowed tools are a string.

Why: the specification: a string of tools with spaces between them. Claude Code takes a list too, so a list is
     a warning here; the reference library lets it pass or refuses it, depending on how it is written.
Fix: write `allowed-tools: Bash(git:*) Read`.
Spec: "A space-separated string of tools that are pre-approved to run"
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from skillpack.diagnostics import ERROR, WARNING, Finding
from skillpack.edits import Fix, edit, quoting, scalar, written
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


def fix(skill: Skill) -> Iterator[Fix]:
    """The list as one string, or the number in quotes. Comments between the tools would be lost: nothing then."""
    value = written(skill, "allowed-tools")
    if value is None or not isinstance(value.node, yaml.SequenceNode):
        found = quoting(skill, "allowed-tools")
        if found is not None:
            yield found
        return
    items = value.node.value
    if not items or not all(isinstance(item, yaml.ScalarNode) and item.value.strip() for item in items):
        return
    flow = value.node.flow_style
    base = value.start - value.node.start_mark.index
    end = value.end if flow else base + items[-1].end_mark.index
    text = skill.text or ""
    start = value.start if flow else len(text[: value.start].rstrip())
    if "#" in text[start:end]:
        return
    # A space within one tool would divide it in the string.
    safe = not any(character.isspace() for item in items for character in item.value)
    tools = scalar(" ".join(item.value for item in items))
    edits = (edit(skill, start, end, tools if flow else f" {tools}"),)
    yield Fix("wrote allowed-tools as a string", edits, safe=safe)
