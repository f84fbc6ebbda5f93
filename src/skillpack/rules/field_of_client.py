"""No field is known to one client only.

Why: the skill does less, or another thing, everywhere else. Validators on the side of Codex and the reference
     library refuse fields beyond the specification.
Fix: keep it if the skill is for that client; otherwise say it in the body.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._fields import OF_CLIENTS
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Fields that one client reads."""
    for name, field in skill.fields.items():
        for client, names in OF_CLIENTS.items():
            if name in names:
                message = (
                    f"only {client} knows this field; other clients ignore it and the reference library refuses it"
                )
                yield Finding(
                    message, "keep it only if the skill is for that client", name, field.key_line, field.key_column
                )
