"""Every path in a manifest leads to something in the repository.

Why: clients accept a manifest with a missing folder and install nothing, with exit code 0.
Fix: correct the path; it begins with `./` and holds no `..`.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import join, normpath
from typing import Any

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.rules.data._json import quiet_json
from skillpack.skill import Skill
from skillpack.source import has


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Sources and skills that are not there."""
    for name in skill.data_files:
        if name.startswith("evals/") or not name.endswith(("marketplace.json", "plugin.json")):
            continue
        document = quiet_json(skill, name)
        if not isinstance(document, dict):
            continue
        for where, base, target in _paths(document):
            joined = normpath(join(base, target))
            if joined.startswith("..") or "/../" in f"/{target}/":
                message = f"{quoted(target)} leads out of the repository"
            elif not has(skill.tree, joined):
                message = f"{quoted(target)} is not there"
            else:
                continue
            yield Finding(message, "correct the path", where, path=skill.tree.path(name))


def _paths(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each path as (place in the document, folder that it counts from, path)."""
    plugins = document.get("plugins")
    for index, plugin in enumerate(plugins if isinstance(plugins, list) else []):
        source = plugin.get("source") if isinstance(plugin, dict) else None
        if isinstance(source, dict):
            source = source.get("path") if source.get("source") == "local" else None
        if isinstance(source, str) and source.startswith((".", "/")):
            yield f"plugins[{index}].source", "", source
            yield from _listed(plugin, f"plugins[{index}].", source)
    if plugins is None:
        yield from _listed(document, "", "")


def _listed(entry: dict[str, Any], where: str, base: str) -> Iterator[tuple[str, str, str]]:
    for key in ("skills", "commands", "agents", "mcpServers"):
        value = entry.get(key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                yield f"{where}{key}", base, item
