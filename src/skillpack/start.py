"""Where the command begins. `skillpack validate SKILL` is done here without click; all else is handed to `cli`.

Importing click takes longer than validating a skill. What this does, `cli.validate` does too, with every option; a
test holds their reports against each other.
"""

from __future__ import annotations

import gc
import os
import sys

# Starting creates thousands of objects and hardly any garbage; looking for it at every 700th takes 5 % of a start.
gc.set_threshold(20_000)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) == 2 and given[0] == "validate" and given[1][:1] not in ("", "-"):
        code = _validate(given[1])
        if code is not None:
            return code
    from skillpack import cli

    return cli.main(arguments)


def _validate(path: str) -> int | None:
    """Reports on the one skill at `path`; None, and nothing is printed, when that is not what is there."""
    from skillpack.config import adjusted, chosen, load
    from skillpack.diagnostics import ERROR
    from skillpack.errors import EXIT_FINDINGS, Failure
    from skillpack.frontmatter import LIBYAML
    from skillpack.reports import text
    from skillpack.rules import discover
    from skillpack.source import find_all, lines_of
    from skillpack.workers import check_trees

    try:
        trees, empty = find_all([path])
        if empty or len(trees) != 1 or not LIBYAML:
            return None
        every = discover()
        settings = load(None, every)
        diagnostics = adjusted(check_trees(trees, chosen(every, settings)), every, settings)
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        report = text.render(diagnostics, 1, color=color, lines_of=lines_of)
    except (Failure, KeyboardInterrupt):
        return None  # `cli` comes to the same, and knows how to say it
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stdout.write(report)
    sys.stdout.flush()
    return EXIT_FINDINGS if any(found.severity >= ERROR for found in diagnostics) else 0
