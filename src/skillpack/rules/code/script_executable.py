"""A script that is run by its path can be run.

Why: `./scripts/x.py` needs both the executable bit and a first line such as `#!/usr/bin/env python3`. Some installers
     lose the bit, so naming the interpreter always works.
Fix: write `uv run scripts/x.py` or `python scripts/x.py`; or add what is missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.rules._text import commands
from skillpack.skill import Skill
from skillpack.source import is_executable


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Scripts that a command names as its program, without the bit or the line."""
    said: set[str] = set()
    for where, command, line in commands(skill):
        match = re.match(r"(?:\./)?([\w./-]+\.(?:py|sh|bash|js|mjs|rb|pl))(?=\s|$)", command)
        if match is None or match[1] not in skill.tree.names or match[1] in said or match[1] not in skill.texts:
            continue
        name = match[1]
        lacks = [] if skill.texts[name].startswith("#!") else ["no `#!` line"]
        if os.name == "posix" and not is_executable(skill.tree, name):
            lacks.append("no executable bit")
        if lacks:
            said.add(name)
            message = f"{quoted(name)} is run by its path and has {' and '.join(lacks)}"
            yield Finding(
                message, f"name the interpreter, or `chmod +x {name}` and add the line", line=line, path=where
            )
