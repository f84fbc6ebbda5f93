"""Codex: the marketplace that it prefers to Claude Code's.

With Claude Code's layout (`source: "./skills/x", skills: "./"`) Codex installs nothing and exits 0. Here the source is
the folder of the skills, and `skills` names the one.
"""

from __future__ import annotations

from typing import Any

from skillpack.catalog import Catalog

MARKETPLACE = ".agents/plugins/marketplace.json"
SCHEMAS = {MARKETPLACE: "codex-marketplace"}


def files(catalog: Catalog) -> dict[str, Any]:
    """The marketplace. The bundle's manifest is Claude Code's plugin.json, whose name equals its entry's."""
    policy = {"installation": "AVAILABLE", "authentication": "ON_INSTALL"}
    folder, _, _ = catalog.entries[0].path.rpartition("/")

    def entry(name: str, version: str, description: str, **where: Any) -> dict[str, Any]:
        return {
            "name": name,
            "version": version,
            "description": description,
            **where,
            "policy": policy,
            "category": catalog.category,
        }

    return {
        MARKETPLACE: {
            "name": catalog.name,
            "plugins": [
                entry(catalog.name, catalog.version, catalog.description, source={"source": "local", "path": "./"}),
                *(
                    entry(
                        one.name,
                        one.version,
                        one.summary,
                        source={"source": "local", "path": f"./{folder}"},
                        skills=f"./{one.name}",
                    )
                    for one in catalog.entries
                ),
            ],
        }
    }
