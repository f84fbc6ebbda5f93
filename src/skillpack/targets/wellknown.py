"""The index for `/.well-known/agent-skills/`, by which a web site offers skills (discovery 0.2.0).

Each skill is an archive beside the index: `skillpack pack --layout flat --out SITE/.well-known/agent-skills` makes
the same bytes, so that they meet the digests.
"""

from __future__ import annotations

from typing import Any

from skillpack.archive import sha256, zip_bytes
from skillpack.catalog import Catalog

INDEX = ".well-known/agent-skills/index.json"
SCHEMAS = {INDEX: "well-known-index"}


def files(catalog: Catalog) -> dict[str, Any]:
    """The index, with the digest of each archive."""
    return {
        INDEX: {
            "$schema": "https://schemas.agentskills.io/discovery/0.2.0/schema.json",
            "skills": [
                {
                    "name": entry.name,
                    "type": "archive",
                    "description": entry.description,
                    "url": f"{entry.name}.zip",
                    "digest": f"sha256:{sha256(zip_bytes(entry.members))}",
                }
                for entry in catalog.entries
            ],
        }
    }
