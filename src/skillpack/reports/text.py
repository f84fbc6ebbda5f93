"""Diagnostics as lines for people: `path:line:column severity field: what; fix [slug]`, and a summary."""

from __future__ import annotations

from collections.abc import Sequence

from skillpack.diagnostics import ERROR, NOTICE, WARNING, Diagnostic, count

_COLORS = {ERROR: "31", WARNING: "33", NOTICE: "36"}


def render(diagnostics: Sequence[Diagnostic], skills: int, *, color: bool = False) -> str:
    """The whole report, with its last newline. `skills` is how many were checked."""
    lines = [_line(diagnostic, color) for diagnostic in diagnostics]
    return "\n".join([*lines, _summary(diagnostics, skills), ""])


def _line(diagnostic: Diagnostic, color: bool) -> str:
    path, line, column = diagnostic.location
    label, slug = diagnostic.severity.label, f"[{diagnostic.slug}]"
    if color:
        label = f"\x1b[{_COLORS[diagnostic.severity]}m{label}\x1b[0m"
        slug = f"\x1b[2m{slug}\x1b[0m"
    field = f" {visible(diagnostic.field)}" if diagnostic.field else ""
    fix = f"; {visible(diagnostic.fix)}" if diagnostic.fix else ""
    return f"{visible(path)}:{line}:{column} {label}{field}: {visible(diagnostic.message)}{fix} {slug}"


def _summary(diagnostics: Sequence[Diagnostic], skills: int) -> str:
    found = [f"{n} {severity.label}{'s' * (n != 1)}" for severity, n in count(diagnostics).items() if n]
    return f"{skills} skill{'s' * (skills != 1)} checked: {', '.join(found) or 'no findings'}"


def visible(text: str) -> str:
    """`text` on one line, with control and invisible characters spelled out: a file's name may hold any."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
