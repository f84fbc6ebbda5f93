"""A script asks nothing on the terminal.

Why: an agent has no terminal to answer at: `input()` waits for ever, or fails at the end of an empty input.
Fix: take the answer as an argument or an environment variable, and stop with a message without it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules.scripts._imports import is_test
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Calls of input and getpass in scripts that do not look for a terminal first."""
    for script in skill.scripts:
        # A script that asks only where it is told to, or where there is a terminal, does as it should.
        if (
            "isatty" in script.text
            or "--interactive" in script.text
            or ("input(" not in script.text and "getpass" not in script.text)
        ):
            continue
        if is_test(script.name):
            continue
        for name, call in script.calls:
            if name == "getpass" or (name == "input" and isinstance(call.func, ast.Name)):
                message = f"`{name}()` waits for a person"
                fix = "take the answer as an argument or an environment variable"
                yield Finding(message, fix, line=call.lineno, column=call.col_offset + 1, path=script.path)
