"""No two files differ only in case.

Why: on macOS and Windows they are one file, and unpacking the skill loses one of them.
Fix: rename one.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Names that are equal without case."""
    if len(skill.tree.files) < 2:
        return
    first: dict[str, str] = {}
    for name in skill.tree.files:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            message = f"{quoted(name)} and {quoted(other)} are one file on macOS and Windows"
            yield Finding(message, "rename one of them", path=skill.tree.path(name))
