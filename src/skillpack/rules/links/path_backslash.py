r"""Paths are written with forward slashes.

Why: `scripts\run.py` works on Windows only; forward slashes work everywhere, on Windows too.
Fix: write `scripts/run.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Backslashes in the path of a file that the skill has."""
    if len(skill.tree.files) < 2:
        return
    for source, document in skill.documents("\\"):
        places = [(link.target, link.line, link.column) for link in document.links]
        places += [(block.text, block.line, block.column) for block in document.blocks]
        for text, line, column in places:
            if "\\" not in text:
                continue
            for match in re.finditer(r"(?<![\w\\/:])[\w.-]+(?:\\[\w.-]+)+", text):
                if match[0].replace("\\", "/") in skill.tree.names:
                    yield Finding(
                        f"{quoted(match[0])} is a path on Windows only",
                        f"write {match[0]!r} with forward slashes".replace("\\\\", "/"),
                        line=line,
                        column=column,
                        path=skill.tree.path(source),
                    )
