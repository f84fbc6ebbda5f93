"""SKILL.md itself links to every reference.

Why: the specification asks to keep references one level deep from SKILL.md; a file that is named only by another
     reference is read late, in part, or not at all. In the strict profile only: large skills mean their indexes.
Fix: name the file in SKILL.md too, with when to open it.
Spec: "Keep file references one level deep from `SKILL.md`."
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding, quoted
from skillpack.rules import rule
from skillpack.rules.links._local import local_links, resolved
from skillpack.skill import Skill


@rule(severity=NOTICE, profile="strict")
def check(skill: Skill) -> Iterator[Finding]:
    """Markdown files that only another reference links to."""
    main = skill.tree.skill_file
    links = list(local_links(skill))
    seen = {resolved(skill, source, path) for source, _, path in links if source == main}
    for source, link, path in links:
        name = resolved(skill, source, path)
        if source == main or name is None or name in seen or not name.endswith(".md") or name not in skill.texts:
            continue
        seen.add(name)
        if name != main and name.rpartition("/")[2] not in skill.body and "/" in source:
            yield Finding(
                f"{quoted(name)} is linked here and not named in SKILL.md",
                "name it in SKILL.md too, with when to open it",
                line=link.line,
                column=link.column,
                path=skill.tree.path(source),
            )
