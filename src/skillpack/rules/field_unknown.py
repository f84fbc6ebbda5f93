"""Every field is one of the specification.

Why: no client is known to read it, and the reference library refuses it; the specification keeps metadata for
     what is not its own.
Fix: move it under `metadata:`.
Spec: "Clients can use this to store additional properties not defined by the Agent Skills spec"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._fields import OF_CLIENTS, SPECIFIED, is_known, nearly
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Fields that nobody is known to read."""
    for name, field in skill.fields.items():
        if is_known(name) or nearly(name, SPECIFIED) is not None:
            continue
        meant = next((near for names in OF_CLIENTS.values() if (near := nearly(name, names))), None)
        fix = f"did you mean `{meant}`? Otherwise move it under `metadata:`" if meant else "move it under `metadata:`"
        yield Finding("no client is known to read this field", fix, name, field.key_line, field.key_column)
