"""Findings are values: frozen, comparable, sorted by place.

These are named tuples and not dataclasses, and their annotations are not strings, because defining them is part
of every start of the command.
"""

import enum
from collections.abc import Iterable
from typing import NamedTuple


class Severity(enum.IntEnum):
    """How much a finding weighs. An error is a MUST of the specification, or a file that clients drop."""

    NOTICE = 1
    WARNING = 2
    ERROR = 3

    @property
    def label(self) -> str:
        """The word that reports and options use."""
        return self.name.lower()


NOTICE, WARNING, ERROR = Severity.NOTICE, Severity.WARNING, Severity.ERROR


class Location(NamedTuple):
    """A place in a file; lines and columns count from 1, columns in characters."""

    path: str
    line: int = 1
    column: int = 1


class Finding(NamedTuple):
    """What a rule yields. `check` adds the rule's slug, its severity and the path of the skill.

    `path` is set when the finding is about another file than the skill's SKILL.md; `severity` when this
    finding weighs less than its rule usually does.
    """

    message: str
    fix: str = ""
    field: str = ""
    line: int = 1
    column: int = 1
    path: str | None = None
    severity: Severity | None = None


class Problem(NamedTuple):
    """A finding made while reading, kept until the rule named `slug` reports it."""

    slug: str
    finding: Finding


class Diagnostic(NamedTuple):
    """One finding, complete. The order of the attributes is the order of a report."""

    location: Location
    slug: str
    severity: Severity
    field: str
    message: str
    fix: str


def quoted(value: str, limit: int = 60) -> str:
    """`value` as a Python literal, so that control and invisible characters show, cut to `limit` characters."""
    return repr(value if len(value) <= limit else value[: limit - 1] + "…")


_SECRETS = (
    r"\b(?:hf_|api_org_)[A-Za-z0-9]{16,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bsk-[\w-]{20,}|\bAKIA[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}|\bAIza[\w-]{30,}"
    # The whole of a private key, and of one whose end is missing all that looks like its text.
    r"|-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[^-]*-----END [A-Z0-9 ]*-----|[\\A-Za-z0-9+/=\s]*)"
    # A quoted value is cut: the beginning of a token at the cut is a token too.
    r"|\b(?:hf_|gh[pousr]_|sk-)[\w-]{4,}(?=…)"
)

#: One of these is in every token, and looking for them costs nothing beside compiling the expression.
_BEGINNINGS = (
    *("hf_", "api_org_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "sk-", "AKIA", "xox", "AIza"),
    "PRIVATE KEY",
)
#: What stands in place of a token.
REDACTED = "[redacted]"


def redacted(text: str) -> str:
    """`text` with what looks like an access token or a private key replaced: a report is often published.

    The number of lines stays.
    """
    for beginning in _BEGINNINGS:
        if beginning in text:
            break
    else:
        return text
    if "\n" in text and "PRIVATE KEY" not in text:  # the expression is slow, and most lines need none
        return "\n".join(map(redacted, text.split("\n")))
    import re

    return re.sub(_SECRETS, lambda found: REDACTED + "\n" * found[0].count("\n"), text)


def count(diagnostics: Iterable[Diagnostic]) -> dict[Severity, int]:
    """How many findings there are of each severity, the gravest first."""
    totals = {ERROR: 0, WARNING: 0, NOTICE: 0}
    for diagnostic in diagnostics:
        totals[diagnostic.severity] += 1
    return totals
