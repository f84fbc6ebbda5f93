"""The dependencies of a script's header have an upper bound.

Why: `trl>=0.12` resolves to whatever is newest on the day of the run; the script was written for another one. The
     commonest way in which a bundled example stops working.
Fix: write `name>=1.2,<2`, or `name==1.2.3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding, quoted
from skillpack.rules import rule
from skillpack.rules.scripts._imports import is_test
from skillpack.skill import Skill


@rule(severity=NOTICE)
def check(skill: Skill) -> Iterator[Finding]:
    """Requirements that admit any future version."""
    for script in skill.scripts:
        for item in [] if is_test(script.name) else script.dependencies or []:
            versions = item.partition(";")[0]
            if "@" not in versions and not re.search(r"(==|~=|<)", versions):
                line = next((n for n, row in enumerate(script.text.split("\n"), 1) if item in row), script.header_line)
                message = f"{quoted(item)} admits every future version"
                yield Finding(message, "add an upper bound, such as `<2`", line=line, path=script.path)
