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
from skillpack.edits import Edit, Fix
from skillpack.rules import rule
from skillpack.rules._text import commands
from skillpack.rules.code.shebang import LINES
from skillpack.skill import Skill
from skillpack.source import is_executable

RUNNABLE = (".py", ".sh", ".bash", ".js", ".mjs", ".rb", ".pl")
NO_LINE = "no `#!` line"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Scripts that a command names as its program, without the bit or the line."""
    for name, lacks, where, line in lacking(skill):
        message = f"{quoted(name)} is run by its path and has {' and '.join(lacks)}"
        todo = f"name the interpreter, or `chmod +x {name}` and add the line"
        yield Finding(message, todo, line=line, path=where)


def lacking(skill: Skill) -> Iterator[tuple[str, list[str], str, int]]:
    """Each such script, what it lacks, and where the first command that runs it stands."""
    said: set[str] = set()
    names = sorted(name for name in skill.tree.names if name.endswith(RUNNABLE))
    for where, command, line in commands(skill, names):
        match = re.match(r"(?:\./)?([\w./-]+\.(?:py|sh|bash|js|mjs|rb|pl))(?=\s+[^\s(]|\s*$)", command)
        if match is None or match[1] not in skill.tree.names or match[1] in said or match[1] not in skill.texts:
            continue
        name = match[1]
        lacks = [] if skill.texts[name].startswith("#!") else [NO_LINE]
        if os.name == "posix" and not is_executable(skill.tree, name):
            lacks.append("no executable bit")
        if lacks:
            said.add(name)
            yield name, lacks, where, line


def fix(skill: Skill) -> Iterator[Fix]:
    """The bit and the line, where the ending of the file says which line."""
    for name, lacks, _, _ in lacking(skill):
        line = LINES.get("." + name.rpartition(".")[2])
        if line or NO_LINE not in lacks:
            edits = (Edit(name, 0, 0, f"{line}\n"),) if NO_LINE in lacks else ()
            yield Fix(f"made {name} executable", edits, safe=False, executable=name)
