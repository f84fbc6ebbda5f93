"""The name is made of lower-case letters, digits and hyphens.

Why: the specification. Clients use the name as a command and a folder; capitals, spaces and underscores break
     on some of them.
Fix: write it in lower case with hyphens, and rename the folder alike.
Spec: "May only contain unicode lowercase alphanumeric characters (`a-z`, `0-9`) and hyphens (`-`)"
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding, quoted
from skillpack.edits import Fix, replaced
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
        proposal = proposed(name)
        todo = f"use {quoted(proposal)}" if proposal else "use letters"
        yield skill.at("name", f"{quoted(name)} has {' and '.join(faults)}", todo)


def proposed(name: str) -> str:
    """`name` in lower case, with one hyphen where others than letters and digits stood."""
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def fix(skill: Skill) -> Iterator[Fix]:
    """The name that the finding proposes. Spaces around a name are none of it; other changes rename the skill."""
    name = skill.string("name") or ""
    proposal = proposed(name)
    found = replaced(skill, "name", proposal, safe=name.strip() == proposal) if proposal else None
    if found is not None:
        yield found
