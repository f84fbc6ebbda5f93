"""Diagnostics as workflow commands, which GitHub Actions shows beside the lines of a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from skillpack.diagnostics import Diagnostic
from skillpack.reports.text import render as as_text


def render(diagnostics: Sequence[Diagnostic], skills: int) -> str:
    """One command a finding, and the summary of the text report as a line of the log."""
    summary = as_text(diagnostics, skills).splitlines()[-1]
    return "\n".join([*(_command(diagnostic) for diagnostic in diagnostics), summary, ""])


def _command(diagnostic: Diagnostic) -> str:
    path, line, column = diagnostic.location
    what = f"{diagnostic.field}: {diagnostic.message}" if diagnostic.field else diagnostic.message
    text = f"{what}; {diagnostic.fix}" if diagnostic.fix else what
    place = f"file={_property(path)},line={line},col={column},title={_property(diagnostic.slug)}"
    return f"::{diagnostic.severity.label} {place}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
