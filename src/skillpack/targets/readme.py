"""README.md: the table of skills between its two markers; the rest of the file is not touched."""

from __future__ import annotations

import re
from typing import Any

from skillpack.catalog import Catalog
from skillpack.errors import UsageFailure

README = "README.md"
SCHEMAS: dict[str, str] = {}
BEGIN, END = "<!-- skillpack:skills -->", "<!-- /skillpack:skills -->"


def files(catalog: Catalog) -> dict[str, Any]:
    """The README with its table, or nothing where it has no markers. Raises UsageFailure for a single marker."""
    if BEGIN not in catalog.readme and END not in catalog.readme:
        return {}
    rows = [f"| [{entry.name}]({entry.path}/SKILL.md) | {_cell(entry.summary)} |" for entry in catalog.entries]
    table = "\n".join(["| skill | what it does |", "| --- | --- |", *rows])
    text, count = re.subn(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: f"{BEGIN}\n{table}\n{END}", catalog.readme, flags=re.S
    )
    if count != 1:
        raise UsageFailure(f"README.md: the table of skills stands between one {BEGIN} and one {END}")
    return {README: text}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
