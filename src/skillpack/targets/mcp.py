""".mcp.json: the servers that the pack brings along, for Claude Code, Cursor and those who read theirs.

There is no field for a token: with HF_TOKEN unset Claude Code sends the literal `${HF_TOKEN}`, and Codex ignores
`headers`. docs/install.md says how each client adds one.
"""

from __future__ import annotations

from typing import Any

from skillpack.catalog import Catalog

MCP = ".mcp.json"
SCHEMAS = {MCP: "mcp"}


def files(catalog: Catalog) -> dict[str, Any]:
    """The file, if there are servers. Without `type` Claude Code drops a server and says nothing."""
    if not catalog.mcp:
        return {}
    return {MCP: {"mcpServers": {name: {"type": "http", "url": url} for name, url in catalog.mcp.items()}}}
