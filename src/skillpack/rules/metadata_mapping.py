"""The metadata is a mapping.

Why: the specification: a map from string keys to string values.
Fix: write `metadata:` and `key: value` lines indented below it.
Spec: "A map from string keys to string values"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.rules._fields import KINDS, empty
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """Metadata that has no keys."""
    field = skill.fields.get("metadata")
    if field is not None and field.kind not in ("map", "null"):
        what = KINDS.get(field.kind, "plain text")
        yield skill.at(
            "metadata", f"it is {what}, not a mapping", "write `key: value` lines indented below `metadata:`"
        )
    yield from empty(skill, "metadata")
