"""A Python script compiles.

Why: a script that does not parse fails at its first use. It is read with the grammar of the oldest Python that its
     header's `requires-python` admits, as far as this Python can: nothing is executed.
Fix: correct the line, or raise `requires-python`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Scripts that do not parse, at all or in the Python that they ask for."""
    for script in skill.scripts:
        oldest = script.oldest_python
        newest = sys.version_info[:2]
        result = script.parse()
        asked = ""
        if not isinstance(result, SyntaxError) and oldest is not None and (3, 7) <= oldest < newest:
            result, asked = script.parse(oldest), f" for Python {oldest[0]}.{oldest[1]}, which `requires-python` admits"
        if isinstance(result, SyntaxError) and not (oldest is not None and oldest > newest):
            fix = "raise `requires-python` or write it in the older form" if asked else "correct the line"
            line, column = max(result.lineno or 1, 1), max(result.offset or 1, 1)
            yield Finding(f"it does not compile{asked}: {result.msg}", fix, line=line, column=column, path=script.path)
