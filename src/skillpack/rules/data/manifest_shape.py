"""A plugin's manifests have the form that clients read.

Why: clients refuse the manifest, or drop the entry that does not fit and exit 0. Judged are `.claude-plugin/`,
     `.cursor-plugin/` and `.codex-plugin/plugin.json` and `.claude-plugin/marketplace.json` at the root of the tree.
Fix: correct the value that is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.rules.data._json import read_json
from skillpack.schemas import RESERVED_MARKETPLACES, misfits, reserved_words
from skillpack.skill import Skill

FIX = "correct the value"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Manifests that are no JSON, do not fit, repeat a plugin, or carry a reserved name."""
    for name in skill.data_files:
        schema = (
            "marketplace" if name.endswith("marketplace.json") else "plugin" if name.endswith("plugin.json") else ""
        )
        if not schema or name.startswith((".agents", "evals/")):
            continue
        path = skill.tree.path(name)
        document = yield from read_json(skill, name)
        if document is None:
            continue
        wrong = list(misfits(document, schema))
        yield from (Finding(message, FIX, where, path=path) for where, message in wrong)
        if schema != "marketplace" or wrong:
            continue
        own = document["name"].lower()
        if (own in RESERVED_MARKETPLACES or reserved_words(own)) and not _is_holder(document):
            message = f"{quoted(document['name'])} is reserved: `plugin marketplace add` refuses it from others"
            yield Finding(message, "take another name", "name", path=path)
        names = [plugin["name"] for plugin in document["plugins"]]
        for index, plugin in enumerate(names):
            if plugin in names[:index]:
                message = f"{quoted(plugin)} is there twice"
                yield Finding(message, "rename one", f"plugins[{index}].name", path=path)


def _is_holder(document: dict[str, Any]) -> bool:
    """Whether the marketplace is of those for whom the names are kept: anthropics/skills has one of them."""
    return str(document["owner"].get("email", "")).endswith("@anthropic.com")
