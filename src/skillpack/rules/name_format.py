"""The name is made of lower-case letters, digits and hyphens.

Why: the specification. Clients use the name as a command and a folder; capitals, spaces and underscores break
     on some of them.
Fix: write it in lower case with hyphens, and rename the folder alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """Capitals and characters that a name cannot have."""
    name = unicodedata.normalize("NFKC", skill.string("name") or "")
    others = sorted({character for character in name if not (character.isalnum() or character == "-")})
    faults = ["capitals"] if name != name.lower() else []
    if others:
        faults.append(", ".join(map(repr, others[:5])))
    if faults and name.strip():
        proposal = "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
        fix = f"use {quoted(proposal)}" if proposal else "use letters"
        yield skill.at("name", f"{quoted(name)} has {' and '.join(faults)}", fix)
