"""No decoded data is run as code.

Why: `exec(b64decode(…))` hides what runs from everybody who reads the skill.
Fix: write the code as code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._text import commands
from skillpack.scripts import called
from skillpack.skill import Skill

FIX = "write the code as code"
RUNNERS = ("exec", "eval", "compile")
RUN = r"(?<![\w.])(?:exec|eval|compile)\s*\("
DECODERS = frozenset(
    {
        "b64decode",
        "b32decode",
        "b16decode",
        "a85decode",
        "b85decode",
        "urlsafe_b64decode",
        "decodebytes",
        "unhexlify",
        "fromhex",
        "decompress",
    }
)
SHELL = r"\bbase64\s+(-d|--decode|-D)\b[^|]*\|\s*(sudo\s+)?(ba|z|da)?sh\b|\beval\b.*\bbase64\s+(-d|--decode|-D)\b"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """exec and eval of what a decoder returns, and the same in a shell."""
    for script in skill.scripts:
        if not any(word in script.text for word in DECODERS) or re.search(RUN, script.text) is None:
            continue
        for name, call in script.calls:
            if name not in RUNNERS or not isinstance(call.func, ast.Name):
                continue
            inner = (part for argument in call.args for part in ast.walk(argument) if isinstance(part, ast.Call))
            if any(called(part) in DECODERS for part in inner):
                message = f"`{name}` runs decoded data"
                yield Finding(message, FIX, line=call.lineno, column=call.col_offset + 1, path=script.path)
    for where, command, line in commands(skill, ("base64",)):
        if re.search(SHELL, command):
            yield Finding("a shell runs decoded data", FIX, line=line, path=where)
