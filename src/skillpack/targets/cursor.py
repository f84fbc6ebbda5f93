"""Cursor: the bundle's manifest, and a marketplace with this one entry.

Cursor has no client that runs offline; the documents fit the JSON Schemas that it publishes, which forbid `$schema`
and an author's URL.
"""

from __future__ import annotations

from typing import Any

from skillpack.catalog import Catalog
from skillpack.targets import present

MARKETPLACE, PLUGIN = ".cursor-plugin/marketplace.json", ".cursor-plugin/plugin.json"
SCHEMAS = {MARKETPLACE: "cursor-marketplace", PLUGIN: "cursor-plugin"}


def files(catalog: Catalog) -> dict[str, Any]:
    """The two files."""
    return {
        MARKETPLACE: {
            "name": catalog.name,
            "owner": catalog.owner,
            "metadata": {"description": catalog.description},
            "plugins": [{"name": catalog.name, "source": "./", "description": catalog.description}],
        },
        PLUGIN: present(
            name=catalog.name,
            version=catalog.version,
            description=catalog.description,
            author=catalog.owner,
            homepage=catalog.homepage,
            repository=catalog.repository,
            license=catalog.license,
            keywords=catalog.keywords,
            category=catalog.category,
            skills=f"./{catalog.skills}/",
            mcpServers="./.mcp.json" if catalog.mcp else "",
        ),
    }
