"""skills-lock.json: what `npx skills` writes beside installed skills, here for those that the repository has.

Whoever installed a skill can hold its hash against this file's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from skillpack.archive import Member
from skillpack.catalog import Catalog

LOCK = "skills-lock.json"
SCHEMAS = {LOCK: "skills-lock"}
#: Characters in the order of the Unicode collation that JavaScript's localeCompare uses; letters come after.
ORDER = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"


def files(catalog: Catalog) -> dict[str, Any]:
    """The lock, by the version 1 of `npx skills` 1.5."""
    repository = re.fullmatch(r"https://github\.com/([^/]+/[^/]+?)(?:\.git)?/?", catalog.repository)
    source = {"source": repository[1], "sourceType": "github"} if repository else {"source": ".", "sourceType": "local"}
    return {
        LOCK: {
            "version": 1,
            "skills": {
                entry.name: {
                    **source,
                    "skillPath": f"{entry.path}/SKILL.md",
                    "computedHash": computed_hash(entry.members),
                }
                for entry in catalog.entries
            },
        }
    }


def computed_hash(members: Sequence[Member]) -> str:
    """SHA-256 over each file's name and bytes, in the order of localeCompare, as `npx skills` computes it."""
    digest = hashlib.sha256()
    for member in sorted(members, key=lambda member: _collation(member.name)):
        digest.update(member.name.encode())
        digest.update(member.data)
    return digest.hexdigest()


def _collation(name: str) -> tuple[list[tuple[int, str]], list[bool]]:
    """By characters first, and small letters before capitals where nothing else differs."""
    plain = name.lower()
    return [(ORDER.find(c) if c in ORDER else len(ORDER), c) for c in plain], [c.isupper() for c in name]
