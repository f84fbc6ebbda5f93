"""No field is a misspelling of one in the specification.

Why: clients ignore what they do not know, so `licence` or `allowed_tools` has no effect and nobody is told.
Fix: write the field as in the specification.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding, quoted
from skillpack.edits import Fix, edit, offset
from skillpack.rules import rule
from skillpack.rules._fields import SPECIFIED, is_known, nearly
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """Fields that are nearly one of the specification."""
    for name, field in skill.fields.items():
        meant = nearly(name, SPECIFIED) if not is_known(name) else None
        if meant is not None:
            message = f"{quoted(name)} is not a field of the specification and has no effect"
            yield Finding(message, f"write `{meant}`", name, field.key_line, field.key_column)


def fix(skill: Skill) -> Iterator[Fix]:
    """The field's right name, where the skill has no such field yet."""
    for name, field in skill.fields.items():
        meant = nearly(name, SPECIFIED) if not is_known(name) else None
        start = offset(skill, field.key_line, field.key_column)
        if meant is not None and meant not in skill.fields and (skill.text or "").startswith(name, start):
            yield Fix(f"renamed {name} to {meant}", (edit(skill, start, start + len(name), meant),), safe=False)
