"""Catalog -> the files of each agent: one module a target, found by discovery.

A target is a module with `files(catalog) -> {path: document}`: a document is a text, or a JSON value that is held
against the schema `SCHEMAS[path]` of skillpack/schemas/. Nothing is read and nothing is written here. What each
client accepts was observed with the versions in tests/clients/package.json.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from skillpack.catalog import Catalog
from skillpack.errors import Failure, UsageFailure
from skillpack.schemas import misfits


def names() -> list[str]:
    """The targets, in the order of the alphabet."""
    return sorted(module.name for module in iter_modules(__path__))


def generate(catalog: Catalog, chosen: tuple[str, ...] = ()) -> dict[str, str]:
    """Path, from the root of the repository -> text, of the `chosen` targets or of all.

    Raises UsageFailure for a target that does not exist, and Failure when a document does not fit its schema.
    """
    known = names()
    for name in chosen:
        if name not in known:
            raise UsageFailure(f"there is no target {name!r}; there are {', '.join(known)}")
    texts: dict[str, str] = {}
    for name in chosen or known:
        target = import_module(f"{__name__}.{name}")
        for path, document in target.files(catalog).items():
            if not isinstance(document, str):
                wrong = list(misfits(document, target.SCHEMAS[path]))
                if wrong:
                    raise Failure(f"{path}: {wrong[0][0]}: {wrong[0][1]}; correct the identity or the skill it is from")
                document = _json(document)
            texts[path] = document
    return texts


def _json(document: Any) -> str:
    import json

    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def present(**values: Any) -> dict[str, Any]:
    """`values` without those that are empty: clients refuse an empty URL, and warn about an empty text."""
    return {key: value for key, value in values.items() if value}
