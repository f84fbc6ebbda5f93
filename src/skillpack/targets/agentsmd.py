"""AGENTS.md: an index of the skills, for agents that do not know what a skill is.

It does not lie in `agents/`, where Claude Code takes it for a subagent and Gemini CLI for a broken one.
"""

from __future__ import annotations

import re
from typing import Any

from skillpack.catalog import Catalog, Entry

INDEX = "agentsmd/AGENTS.md"
SCHEMAS: dict[str, str] = {}


def files(catalog: Catalog) -> dict[str, Any]:
    """The index: when to read which SKILL.md."""
    lines = [
        f"# {catalog.name}: skills",
        "",
        "Before a task that one of these lines fits, read that skill's SKILL.md and follow it. Paths are from the",
        "folder above this one. A client that loads skills by itself has read their descriptions already.",
        "",
        *(f"- `{entry.path}/SKILL.md`: {_when(entry)}" for entry in catalog.entries),
    ]
    return {INDEX: "\n".join(lines) + "\n"}


def _when(entry: Entry) -> str:
    """From the sentence of the description that says when to use the skill; the whole where there is none."""
    said = re.search(r"(?:^|(?<=[.!?]) )(Use (?:this skill )?(?:when|for|whenever|to|if)\b.*)", entry.description)
    return said[1] if said else entry.description
