"""A plugin has one version.

Why: clients warn, or keep an old copy in their cache, when a marketplace's entry and the plugin's manifest disagree.
Fix: write the same version in both, or in the manifest only.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.rules.data._json import quiet_json
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Versions of one plugin that differ between the manifests of the tree."""
    said: dict[str, tuple[str, str]] = {}
    for name in skill.data_files:
        document = quiet_json(skill, name) if not name.startswith("evals/") else None
        if not isinstance(document, dict):
            continue
        plugins = document.get("plugins")
        for index, entry in enumerate(plugins if isinstance(plugins, list) else [document]):
            own, version = (entry.get("name"), entry.get("version")) if isinstance(entry, dict) else (None, None)
            if not isinstance(own, str) or not isinstance(version, str):
                continue
            before, where = said.setdefault(own, (version, name))
            if before != version:
                message = f"{quoted(own)} has version {quoted(version)} here and {quoted(before)} in {where}"
                field = f"plugins[{index}].version" if plugins is not None else "version"
                yield Finding(message, "write the same version in both", field, path=skill.tree.path(name))
