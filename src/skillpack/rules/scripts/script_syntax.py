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
        error, oldest = script.syntax_error, script.oldest_python
        if error is None or (oldest is not None and oldest > sys.version_info[:2]):
            continue
        asked = ""
        fix = "correct the line"
        if script.tree is not None and oldest is not None:
            asked = f" for Python {oldest[0]}.{oldest[1]}, which `requires-python` admits"
            fix = "raise `requires-python` or write it in the older form"
        elif oldest is None and sys.version_info < (3, 12) and "f-string" in error.msg:
            asked = f" with Python {sys.version_info[0]}.{sys.version_info[1]}"  # 3.12 reads more than those before it
            fix = "write it in the older form, or say in `requires-python` which Python it needs"
        line, column = max(error.lineno or 1, 1), max(error.offset or 1, 1)
        yield Finding(f"it does not compile{asked}: {error.msg}", fix, line=line, column=column, path=script.path)
