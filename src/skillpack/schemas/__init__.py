"""JSON Schemas of the files that clients and evaluators read, and what they do not say: names that are reserved."""

# pathlib takes longer to import than a validation takes to run.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from skillpack.diagnostics import quoted
from skillpack.source import own_text

#: Names that `plugin marketplace add` of Claude Code 2.1.197 or Codex 0.169.0 refuses.
RESERVED_MARKETPLACES = frozenset(
    {
        *("claude-code-marketplace", "claude-code-plugins", "claude-plugins-official", "anthropic-marketplace"),
        *("anthropic-plugins", "agent-skills", "anthropic-agent-skills", "life-sciences", "knowledge-work-plugins"),
        *("claude-for-legal", "claude-for-financial-services", "financial-services-plugins", "claude-community"),
        *("claude-plugins-community", "inline", "builtin", "skills-dir", "openai-curated"),
    }
)


def reserved_words(name: str) -> bool:
    """Whether Claude Code takes a marketplace of this name for an impersonation."""
    return "official" in name.lower() and re.search("claude|anthropic", name.lower()) is not None


def misfits(document: Any, schema: str) -> Iterator[tuple[str, str]]:
    """Where `document` does not fit the schema called `schema`, as (dotted place, what is wrong); the first 20."""
    import json
    import os

    from jsonschema.validators import validator_for

    path = os.path.join(os.path.dirname(__file__), f"{schema}.schema.json")
    loaded = json.loads(own_text(path))
    for number, error in enumerate(validator_for(loaded)(loaded).iter_errors(document)):
        if number == 20:
            return
        place = ""
        for step in error.absolute_path:
            place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
        yield place, _words(error)


def _words(error: Any) -> str:
    """The error in a few words, without the whole document that jsonschema quotes."""
    wanted, value = error.validator_value, error.instance
    if error.validator == "required":
        missing = [name for name in wanted if name not in value]
        return f"{quoted(missing[0])} is missing"
    if error.validator == "type":
        return f"it is not of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    if error.validator == "pattern":
        return f"{quoted(str(value))} does not have the form {wanted}"
    if error.validator in ("minLength", "minItems"):
        return "it is empty"
    if error.validator == "anyOf":
        keys = [option["required"][0] for option in wanted if "required" in option]
        return f"it has none of {', '.join(keys)}" if keys else "it fits none of the forms that are allowed"
    if error.validator == "enum":
        return f"{quoted(str(value))} is none of {', '.join(map(str, wanted))}"
    return str(error.message).replace(str(value), quoted(str(value)))[:200]
