"""No code of a model repository is trusted unseen.

Why: `trust_remote_code=True` runs whatever Python the repository holds today, with the rights of the user.
Fix: leave it out; where a model needs it, pin `revision` to a commit that was read and say so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.skill import Skill

NAME = "trust_remote_code"
GIVEN = rf"{NAME}\s*=\s*True"
MESSAGE = "`trust_remote_code` runs whatever code the model's repository holds"
FIX = "leave it out, or pin `revision` to a commit that was read"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """The argument set to True in Python, in scripts and in fences."""
    for script in skill.scripts:
        for _, call in script.calls if re.search(GIVEN, script.text) else ():
            for given in call.keywords:
                if given.arg == NAME and isinstance(given.value, ast.Constant) and given.value.value is True:
                    yield Finding(MESSAGE, FIX, line=given.lineno, column=given.col_offset + 1, path=script.path)
    for name, document in skill.documents(NAME, "trust-remote-code"):
        for block in document.blocks:
            if block.fenced and "trust" in block.text:
                for match in re.finditer(r"trust_remote_code\s*=\s*True|--trust[-_]remote[-_]code\b", block.text):
                    line = block.line + 1 + block.text.count("\n", 0, match.start())
                    yield Finding(MESSAGE, FIX, line=line, path=skill.tree.path(name))
