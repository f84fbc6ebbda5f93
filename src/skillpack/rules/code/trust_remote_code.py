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

MESSAGE = "`trust_remote_code` runs whatever code the model's repository holds"
FIX = "leave it out, or pin `revision` to a commit that was read"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """The argument set to True in Python, in scripts and in fences."""
    for script in skill.scripts:
        for node in script.nodes() if "trust_remote_code" in script.text else ():
            if not isinstance(node, ast.keyword) or node.arg != "trust_remote_code":
                continue
            if isinstance(node.value, ast.Constant) and node.value.value is True:
                yield Finding(MESSAGE, FIX, line=node.lineno, column=node.col_offset + 1, path=script.path)
    for name, document in skill.documents():
        for block in document.blocks:
            if block.fenced and "trust_remote_code" in block.text:
                for match in re.finditer(r"trust_remote_code\s*=\s*True|--trust[-_]remote[-_]code\b", block.text):
                    line = block.line + 1 + block.text.count("\n", 0, match.start())
                    yield Finding(MESSAGE, FIX, line=line, path=skill.tree.path(name))
