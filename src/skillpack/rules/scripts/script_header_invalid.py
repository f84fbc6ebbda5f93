"""A script's header can be read (PEP 723).

Why: a header with an error is refused by `uv run`, or taken for a comment and ignored.
Fix: write `# /// script`, lines of TOML after `# `, and `# ///`; `dependencies` is a list of strings,
     `requires-python` a string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill

#: Name, extras, versions or an address, marker: PEP 508 as far as a mistake in it is common.
REQUIREMENT = (
    r"^\s*[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*(\[[\w\s.,-]*\])?\s*"
    r"(@\s*\S+.*|\(?\s*((===|==|~=|!=|<=|>=|<|>)\s*[\w.*+!-]+\s*,?\s*)*\)?\s*(;.*)?)$"
)


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Headers that do not parse, or hold values of another kind."""
    for script in skill.scripts:
        header, problem = script.header, script.header_problem
        if header is not None:
            listed = header.get("dependencies", [])
            if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
                problem = "`dependencies` is not a list of strings"
            elif not isinstance(header.get("requires-python", ""), str):
                problem = "`requires-python` is not a string"
            else:
                wrong = [item for item in listed if not re.match(REQUIREMENT, item)]
                if wrong:
                    problem = f"{quoted(wrong[0])} is no requirement"
        if problem:
            fix = "write it as PEP 723 says"
            yield Finding(f"the header cannot be used: {problem}", fix, line=script.header_line, path=script.path)
