"""Diagnostics as JUnit XML: a test case for each file with findings, and one that stands for the clean skills.

Errors and warnings fail their case; notices are its output.
"""

from __future__ import annotations

from collections.abc import Sequence

from skillpack.diagnostics import NOTICE, Diagnostic


def render(diagnostics: Sequence[Diagnostic], skills: int) -> str:
    """The whole document, with its last newline."""
    by_path: dict[str, list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        by_path.setdefault(diagnostic.location.path, []).append(diagnostic)
    cases, failures = [], 0
    for path, found in by_path.items():
        failing = [diagnostic for diagnostic in found if diagnostic.severity > NOTICE]
        failures += bool(failing)
        parts = [f'    <testcase classname="skillpack" name="{_escaped(path)}">']
        if failing:
            text = _escaped("\n".join(map(_line, failing)))
            worst = max(diagnostic.severity for diagnostic in failing).label
            said = f"{len(failing)} finding{'s' * (len(failing) != 1)}"
            parts.append(f'      <failure type="{worst}" message="{said}">{text}</failure>')
        if len(failing) < len(found):
            notices = "\n".join(_line(diagnostic) for diagnostic in found if diagnostic.severity == NOTICE)
            parts.append(f"      <system-out>{_escaped(notices)}</system-out>")
        cases += [*parts, "    </testcase>"]
    cases.append(f'    <testcase classname="skillpack" name="{skills} skills checked"/>')
    number = len(by_path) + 1
    head = f'  <testsuite name="skillpack" tests="{number}" failures="{failures}" errors="0" skipped="0">'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", head, *cases, "  </testsuite>", "</testsuites>"]
    return "\n".join([*lines, ""])


def _line(diagnostic: Diagnostic) -> str:
    path, line, column = diagnostic.location
    field = f" {diagnostic.field}" if diagnostic.field else ""
    fix = f"; {diagnostic.fix}" if diagnostic.fix else ""
    return f"{path}:{line}:{column} {diagnostic.severity.label}{field}: {diagnostic.message}{fix} [{diagnostic.slug}]"


def _escaped(text: str) -> str:
    """`text` for an attribute or an element, in ASCII, without the characters that XML cannot hold."""
    kept = "".join(c if c in "\n\t" or (c >= " " and not "\ud800" <= c <= "\udfff") else "\ufffd" for c in text)
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\n", "&#10;")):
        kept = kept.replace(sign, name)
    return kept.encode("ascii", "xmlcharrefreplace").decode()
