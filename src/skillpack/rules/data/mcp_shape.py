"""`.mcp.json` has the form that clients read.

Why: Claude Code drops a server without a word when the JSON is broken or an address has no `type`.
Fix: write `{"mcpServers": {"name": {"type": "http", "url": "…"}}}`, or `command` and `args`.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules.data._json import read_json
from skillpack.schemas import misfits
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Files that are no JSON, do not fit the schema, or name an address without its type."""
    for name in skill.data_files:
        if name != ".mcp.json":
            continue
        path = skill.tree.path(name)
        document = yield from read_json(skill, name)
        if document is None:
            continue
        wrong = list(misfits(document, "mcp"))
        yield from (Finding(message, "correct the value", where, path=path) for where, message in wrong)
        servers = document.get("mcpServers", {}) if isinstance(document, dict) and not wrong else {}
        for server, settings in servers.items():
            if "url" in settings and "type" not in settings:
                message = "an address without a `type`: Claude Code drops the server"
                yield Finding(message, 'add `"type": "http"`', f"mcpServers.{server}", path=path)
