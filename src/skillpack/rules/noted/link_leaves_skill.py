"""Links stay inside the skill's folder.

Why: an installed skill has no surroundings, and a link out of it can show an agent any file of the machine;
     installers refuse such links. The link is not followed here.
Fix: remove the link, or put a copy of its target there.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import ERROR, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=ERROR)
def check(skill: Skill) -> Iterator[Finding]:
    """What the reader noted."""
    return skill.found("link-leaves-skill")
