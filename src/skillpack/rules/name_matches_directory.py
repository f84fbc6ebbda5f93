"""The name is the name of the skill's folder.

Why: the specification: the name must match the parent directory's. Clients take the one or the other, so a
     skill with two names is listed under one and called by the other.
Fix: rename the folder or the field.
Spec: "Must match the parent directory name"
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
    """A name that differs from the folder's."""
    name = skill.string("name") or ""
    normal = unicodedata.normalize("NFKC", name.strip())
    if normal and normal != unicodedata.normalize("NFKC", skill.tree.folder):
        folder = quoted(skill.tree.folder)
        yield skill.at("name", f"{quoted(name)} is in the folder {folder}", "rename the folder or the skill")


def fix(skill: Skill) -> Iterator[Fix]:
    """The folder's name for the skill: the folder is what is installed, and it is not renamed here."""
    found = replaced(skill, "name", skill.tree.folder, safe=False)
    if found is not None:
        yield found
