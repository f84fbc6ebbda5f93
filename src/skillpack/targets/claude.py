"""Claude Code: a marketplace with one plugin a skill and one for all, and the manifest of the latter.

Copilot CLI reads the same marketplace.
"""

from __future__ import annotations

from typing import Any

from skillpack.catalog import Catalog
from skillpack.targets import present

MARKETPLACE, PLUGIN = ".claude-plugin/marketplace.json", ".claude-plugin/plugin.json"
SCHEMAS = {MARKETPLACE: "claude-marketplace", PLUGIN: "claude-plugin"}


def files(catalog: Catalog) -> dict[str, Any]:
    """The marketplace and the bundle's manifest, whose versions agree: the client warns where they differ."""
    shared = present(
        author=catalog.owner, homepage=catalog.homepage, repository=catalog.repository, keywords=catalog.keywords
    )
    bundle = present(
        name=catalog.name, version=catalog.version, description=catalog.description, license=catalog.license, **shared
    )
    return {
        MARKETPLACE: {
            "name": catalog.name,
            "owner": catalog.owner,
            "metadata": {"description": catalog.description, "version": catalog.version},
            "plugins": [
                {**bundle, "source": "./", "category": catalog.category},
                *(
                    present(
                        name=entry.name,
                        version=entry.version,
                        description=entry.summary,
                        license=entry.license,
                        source=f"./{entry.path}",
                        skills="./",
                        category=catalog.category,
                        **shared,
                    )
                    for entry in catalog.entries
                ),
            ],
        },
        PLUGIN: {**bundle, "skills": f"./{catalog.skills}/"},
    }
