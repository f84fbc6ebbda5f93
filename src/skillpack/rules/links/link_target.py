"""A link leads to a file of the skill.

Why: an agent that follows a dead link loses a step and guesses; an installed skill is one folder, so a link above it is
     dead too. Only Markdown links and images count; code, addresses, site paths, variables and placeholders do not.
Fix: correct the path, or bring the file into the skill.
Spec: "When referencing other files in your skill, use relative paths from the skill root"
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.rules.links._local import exists, local_links, resolved
from skillpack.skill import Skill

#: A skill beside this one, as `../name/SKILL.md`.
OTHER_SKILL = r"(?:\.\./)+[\w./-]+/SKILL\.md"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Links to what is not there."""
    for source, link, path in local_links(skill):
        name = resolved(skill, source, path)
        if name is None:
            message, fix = f"{quoted(link.target)} leads out of the skill's folder", "bring the file into the skill"
            if re.fullmatch(OTHER_SKILL, path):
                message = f"{quoted(link.target)} is another skill, which may not be installed beside this one"
                fix = "name the skill instead of linking to it"
                where = skill.tree.path(source)
                yield Finding(message, fix, line=link.line, column=link.column, path=where, severity=NOTICE)
                continue
        elif not exists(skill, name):
            message, fix = f"{quoted(link.target)} leads to no file", "correct the path or add the file"
        else:
            continue
        yield Finding(message, fix, line=link.line, column=link.column, path=skill.tree.path(source))
