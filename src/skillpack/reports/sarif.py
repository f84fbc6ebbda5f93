"""Diagnostics as SARIF 2.1.0, for code scanning. Paths are relative to the folder that the command was run in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from skillpack.diagnostics import ERROR, NOTICE, WARNING, Diagnostic

_LEVELS = {ERROR: "error", WARNING: "warning", NOTICE: "note"}


def render(diagnostics: Sequence[Diagnostic], skills: int, *, summaries: dict[str, str], version: str) -> str:
    """The whole document. `summaries` holds the first line of each rule's page."""
    slugs = sorted({diagnostic.slug for diagnostic in diagnostics})
    rules = [{"id": slug, "shortDescription": {"text": summaries.get(slug, slug)}} for slug in slugs]
    driver = {"name": "skillpack", "version": version, "rules": rules}
    results = [_result(diagnostic, slugs.index(diagnostic.slug)) for diagnostic in diagnostics]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"skills": skills},
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(diagnostic: Diagnostic, index: int) -> dict[str, Any]:
    from urllib.parse import quote

    path, line, column = diagnostic.location
    what = f"{diagnostic.field}: {diagnostic.message}" if diagnostic.field else diagnostic.message
    place = {
        "artifactLocation": {"uri": quote(path.replace("\\", "/").removeprefix("./"), errors="surrogateescape")},
        "region": {"startLine": line, "startColumn": column},
    }
    return {
        "ruleId": diagnostic.slug,
        "ruleIndex": index,
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": f"{what}; {diagnostic.fix}" if diagnostic.fix else what},
        "locations": [{"physicalLocation": place}],
    }
