"""Gemini CLI: an extension, whose `skills/` folder the client loads by itself."""

from __future__ import annotations

from typing import Any

from skillpack.catalog import Catalog
from skillpack.targets import present
from skillpack.targets.agentsmd import INDEX

EXTENSION = "gemini-extension.json"
SCHEMAS = {EXTENSION: "gemini-extension"}


def files(catalog: Catalog) -> dict[str, Any]:
    """The extension. Its context file is the index of the skills: the client refuses one that does not exist."""
    return {
        EXTENSION: present(
            name=catalog.name,
            version=catalog.version,
            description=catalog.description,
            contextFileName=INDEX,
            mcpServers={name: {"httpUrl": url} for name, url in catalog.mcp.items()},
        )
    }
