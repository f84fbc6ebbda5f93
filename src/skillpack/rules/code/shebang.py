"""An executable script says what runs it.

Why: the bit says that the file is a program; without a first line `#!…` the shell runs it as its own and fails.
Fix: add `#!/usr/bin/env python3` (or the shell's), or take the bit away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding
from skillpack.edits import Edit, Fix
from skillpack.rules import rule
from skillpack.skill import Skill
from skillpack.source import is_executable

#: Endings of scripts, and the line that runs each.
LINES = {
    ".py": "#!/usr/bin/env python3",
    ".sh": "#!/usr/bin/env bash",
    ".bash": "#!/usr/bin/env bash",
}


@rule(severity=NOTICE)
def check(skill: Skill) -> Iterator[Finding]:
    """Scripts with the executable bit and without a first line."""
    if os.name != "posix":
        return
    for name, text in skill.texts.items():
        if text.startswith("#!") or not text.strip() or not name.endswith(tuple(LINES)):
            continue
        if is_executable(skill.tree, name):
            message = "the file is executable and its first line is no `#!` line"
            yield Finding(message, "add the line, or take the bit away", path=skill.tree.path(name))


def fix(skill: Skill) -> Iterator[Fix]:
    """The line for the kind of the file."""
    for name, text in skill.texts.items():
        if name.endswith(tuple(LINES)) and not text.startswith("#!") and is_executable(skill.tree, name):
            line = LINES["." + name.rpartition(".")[2]]
            yield Fix(f"added `{line}`", (Edit(name, 0, 0, f"{line}\n"),), safe=False)
