"""Diagnostics as lines for people: `path:line:column severity field: what; fix [slug]`, and a summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skillpack.diagnostics import ERROR, NOTICE, REDACTED, WARNING, Diagnostic, Location, count, redacted

_COLORS = {ERROR: "31", WARNING: "33", NOTICE: "36"}
#: How many characters of a line are shown.
WIDTH = 100


def render(
    diagnostics: Sequence[Diagnostic],
    skills: int,
    *,
    color: bool = False,
    lines_of: Callable[[str], list[str]] | None = None,
) -> str:
    """The whole report, with its last newline. `skills` is how many were checked.

    `lines_of` gives the lines of the file at a path; with it each finding is followed by the line that it is about.
    """
    shown: list[str] = []
    path, lines = "", []
    for diagnostic in diagnostics:
        shown.append(_line(diagnostic, color))
        whole = diagnostic.location[1:] == (1, 1) or diagnostic.slug == "not-checked"  # about the file, not its line
        if lines_of is not None and not whole:
            if diagnostic.location.path != path:
                path = diagnostic.location.path
                lines = redacted("\n".join(lines_of(path))).split("\n")
            shown += excerpt(lines, diagnostic.location, color)
    return "\n".join([*shown, _summary(diagnostics, skills), ""])


def excerpt(lines: Sequence[str], location: Location, color: bool = False) -> list[str]:
    """The line at `location` with its number, and a caret below its column; nothing where there is no such line.

    A long line is cut around the caret. Where a token was redacted the columns are no longer those of the file, so
    the line stands alone.
    """
    _, number, column = location
    if number > len(lines) or not lines[number - 1].strip():
        return []
    line, at = lines[number - 1].rstrip("\r"), column - 1
    first = max(0, min(at - WIDTH // 2, len(line) - WIDTH))
    before, after = visible(line[first:at].replace("\t", " ")), visible(line[at : first + WIDTH].replace("\t", " "))
    before = ("…" if first else "") + before
    margin = " " * len(str(number))
    shown = [f"  {number} | {before}{after}{'…' if first + WIDTH < len(line) else ''}"]
    if at <= len(line) and REDACTED not in line:
        caret = "\x1b[32m^\x1b[0m" if color else "^"
        shown.append(f"  {margin} | {' ' * _columns(before)}{caret}")
    return shown


def _columns(text: str) -> int:
    """How many columns of a terminal `text` takes: East Asian characters take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


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
