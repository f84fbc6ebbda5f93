"""A name with letters beyond a to z is accepted, and not everywhere.

Why: the specification says `unicode lowercase alphanumeric characters` and explains them as `a-z`, `0-9`. The
     reference library accepts café and 技能; other validators and some clients take the explanation literally
     and refuse them.
Fix: nothing has to be done; for the widest reach use a to z.
Spec: "May only contain unicode lowercase alphanumeric characters (`a-z`, `0-9`) and hyphens (`-`)"
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=NOTICE)
def check(skill: Skill) -> Iterator[Finding]:
    """A name that validators disagree about."""
    name = unicodedata.normalize("NFKC", skill.string("name") or "")
    if not name.isascii() and all(character.isalnum() or character == "-" for character in name):
        message = f"{quoted(name)} has letters beyond a-z: the reference library accepts it, other validators do not"
        yield skill.at("name", message, "for the widest reach use a-z")
