"""A link leads to a file of the skill.

Why: an agent that follows a dead link loses a step and guesses; an installed skill is one folder, so a link above it is
     dead too. Only Markdown links and images count; code, addresses, site paths, variables and placeholders do not.
Fix: correct the path, or bring the file into the skill.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.rules.links._local import exists, local_links, resolved
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Links to what is not there."""
    for source, link, path in local_links(skill):
        name = resolved(skill, source, path)
        where = skill.tree.path(source)
        if name is None:
            message, fix = f"{quoted(link.target)} leads out of the skill's folder", "bring the file into the skill"
        elif not exists(skill, name):
            message, fix = f"{quoted(link.target)} leads to no file", "correct the path or add the file"
        else:
            continue
        yield Finding(message, fix, line=link.line, column=link.column, path=where)
