"""Hyphens stand single and inside the name.

Why: the specification: a name must not start or end with a hyphen, nor hold two in a row.
Fix: remove the extra hyphens, and rename the folder alike.
Spec: "Must not start or end with a hyphen (`-`)" "Must not contain consecutive hyphens (`--`)"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding, quoted
from skillpack.edits import Fix, replaced
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """Hyphens at an end or in a row."""
    name = skill.string("name")
    if name is not None and (name[:1] == "-" or name[-1:] == "-" or "--" in name):
        where = "two hyphens in a row" if "--" in name.strip("-") else "a hyphen at an end"
        proposal = proposed(name)
        todo = f"use {quoted(proposal)}" if proposal else "use letters"
        yield skill.at("name", f"{quoted(name)} has {where}", todo)


def proposed(name: str) -> str:
    """`name` with single hyphens between its parts."""
    return "-".join(part for part in name.split("-") if part)


def fix(skill: Skill) -> Iterator[Fix]:
    """The name that the finding proposes."""
    proposal = proposed(skill.string("name") or "")
    found = replaced(skill, "name", proposal, safe=False) if proposal else None
    if found is not None:
        yield found
