"""Diagnostics as one JSON document, in ASCII: the form for programs.

`version` rises when a reader of the former version would misread the document; new keys do not raise it.

    version       1
    summary       skills, errors, warnings, notices: how many
    diagnostics   sorted by path, line and column; each has
                    path, line, column   the place; both count from 1, columns in characters
                    severity             error, warning or notice
                    slug                 the rule; `skillpack rules SLUG` documents it
                    field                dotted name of the frontmatter's field, "" when it is about none
                    message, fix         what is wrong; what to do ("" when there is nothing to propose)
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from skillpack.diagnostics import Diagnostic, count

VERSION = 1


def render(diagnostics: Sequence[Diagnostic], skills: int) -> str:
    """The whole document, with its last newline. `skills` is how many were checked."""
    totals = {f"{severity.label}s": number for severity, number in count(diagnostics).items()}
    document = {
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
    return json.dumps(document, indent=2) + "\n"
