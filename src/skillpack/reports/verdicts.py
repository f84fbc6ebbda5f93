"""What clients do with each skill, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from skillpack.clients import CLIENTS, OBSERVED, Row
from skillpack.diagnostics import redacted
from skillpack.reports.text import visible


def render(rows: Sequence[Row]) -> str:
    """The verdicts as a table for people, the reasons below each skill, and what was observed."""
    heads = ["skill", *CLIENTS]
    cells = [[visible(redacted(row.name)), *(one.verdict for one in row.verdicts)] for row in rows]
    widths = [max(len(row[column]) for row in [heads, *cells]) for column in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()

    lines = [line(heads)]
    for row, cell in zip(rows, cells, strict=True):
        lines.append(line(cell))
        for one in row.verdicts:
            lines += [f"    {one.client}: {visible(redacted(reason))}" for reason in one.reasons if one.version]
    versions = ", ".join(f"{client} {version}" for client, (version, _) in CLIENTS.items() if version)
    unseen = ", ".join(client for client, (version, _) in CLIENTS.items() if not version)
    return "\n".join([*lines, f"observed on {OBSERVED}: {versions}; not observed: {unseen}", ""])
