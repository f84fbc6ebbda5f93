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
from skillpack.skill import Skill

FIX = "write the code as code"
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
        if re.search(r"\b(exec|eval|compile)\s*\(", script.text) is None:
            continue
        for node in script.nodes():
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("exec", "eval", "compile")
            ):
                inner = (part for argument in node.args for part in ast.walk(argument) if isinstance(part, ast.Call))
                if any(_name(part.func) in DECODERS for part in inner):
                    message = f"`{node.func.id}` runs decoded data"
                    yield Finding(message, FIX, line=node.lineno, column=node.col_offset + 1, path=script.path)
    for where, command, line in commands(skill):
        if re.search(SHELL, command):
            yield Finding("a shell runs decoded data", FIX, line=line, path=where)


def _name(called: ast.expr) -> str:
    return called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
