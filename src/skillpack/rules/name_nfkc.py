"""The name is in Unicode's normal form NFKC.

Why: the reference library compares names in this form. Two spellings of one name (a full-width letter, an
     accent as a character of its own) look alike and are different folders.
Fix: write the normal form, and rename the folder alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """A name whose normal form is another."""
    name = skill.string("name") or ""
    normal = unicodedata.normalize("NFKC", name)
    if name != normal:
        codes = " ".join(f"U+{ord(c):04X}" for c in name if not c.isascii())
        yield skill.at("name", f"{quoted(name)} ({codes}) is not in the normal form NFKC", f"use {quoted(normal)}")
