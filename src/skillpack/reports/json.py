"""Diagnostics as one JSON document, in ASCII: the form for programs.

`version` rises when a reader of the former version would misread the document; new keys do not raise it.

    version       1
    summary       skills, errors, warnings, notices: how many
    diagnostics   sorted by path, line and column; each has
                    path, line, column   the place; both count from 1, columns in characters
                    severity             error, warning or notice
                    slug                 the rule; `skillpack explain SLUG` documents it
                    field                dotted name of the frontmatter's field, "" when it is about none
                    message, fix         what is wrong; what to do ("" when there is nothing to propose)
    clients       only with --clients: for each skill path, name and verdicts, each with
                    client, version      which, and the version that was observed
                    verdict              loads, warns, truncated, dropped or unclear
                    reasons              why, in words; none for a skill that simply loads
    verified      only of `skillpack verify`: how many blocks, commands, python, data, scripts, sketches; `open`, the
                  programs whose commands were held against nothing; `tools`, those that were asked
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from skillpack.diagnostics import Diagnostic, count

if TYPE_CHECKING:
    from skillpack.clients import Row

VERSION = 1


def render(
    diagnostics: Sequence[Diagnostic],
    skills: int,
    clients: Sequence[Row] | None = None,
    verified: dict[str, Any] | None = None,
) -> str:
    """The whole document, with its last newline. `skills` is how many were checked, `clients` the verdicts on each.

    `verified` is what `skillpack verify` looked at.
    """
    totals = {f"{severity.label}s": number for severity, number in count(diagnostics).items()}
    document: dict[str, Any] = {
        "version": VERSION,
        "summary": {"skills": skills, **totals},
        "diagnostics": [
            {
                "path": diagnostic.location.path,
                "line": diagnostic.location.line,
                "column": diagnostic.location.column,
                "severity": diagnostic.severity.label,
                "slug": diagnostic.slug,
                "field": diagnostic.field,
                "message": diagnostic.message,
                "fix": diagnostic.fix,
            }
            for diagnostic in diagnostics
        ],
    }
    if clients is not None:
        document["clients"] = [
            {"path": row.path, "name": row.name, "verdicts": [verdict._asdict() for verdict in row.verdicts]}
            for row in clients
        ]
    if verified is not None:
        document["verified"] = verified
    return json.dumps(document, indent=2) + "\n"
