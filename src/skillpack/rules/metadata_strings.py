"""The values of the metadata are strings.

Why: the specification: a map from string keys to string values. `version: 1.10` is the number 1.1 to many
     readers, and lists are dropped or shown in the form of a programming language. The reference library
     makes text of everything.
Fix: put the value into quotes; write a list as one string with commas.
Spec: "A map from string keys to string values"
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.edits import Fix, edit, quote, within, written
from skillpack.rules import rule
from skillpack.rules._fields import KINDS
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Values that a YAML reader takes for something else than text."""
    field = skill.fields.get("metadata")
    if field is None or not isinstance(field.value, dict):
        return
    for key, value in field.value.items():
        if value.kind != "str":
            shown = f"{quoted(value.value)} is " if isinstance(value.value, str) and value.value else "the value is "
            fix = f'write "{value.value}" in quotes' if isinstance(value.value, str) else "write it as one string"
            message = f"{shown}{KINDS.get(value.kind, value.kind)}, and the specification has strings here"
            yield Finding(message, fix, f"metadata.{key}", value.line, value.column)


def fix(skill: Skill) -> Iterator[Fix]:
    """Numbers, booleans and dates as they are written, in quotes; a list of them as one string with commas."""
    value = written(skill, "metadata")
    if value is None or not isinstance(value.node, yaml.MappingNode):
        return
    base = value.start - value.node.start_mark.index
    edits = []
    for _, node in value.node.value:
        item = within(node, base)
        if isinstance(node, yaml.ScalarNode) and not node.style and node.value and not node.tag.endswith(":str"):
            edits.append(edit(skill, item.start, item.end, quote(node.value)))
        elif isinstance(node, yaml.SequenceNode) and node.flow_style and node.value:
            plain = all(isinstance(one, yaml.ScalarNode) for one in node.value)
            if plain and "#" not in (skill.text or "")[item.start : item.end]:
                edits.append(edit(skill, item.start, item.end, quote(", ".join(one.value for one in node.value))))
    if edits:
        yield Fix("quoted the values of metadata", tuple(edits), safe=False)
