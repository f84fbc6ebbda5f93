"""No path belongs to one person's machine.

Why: `/Users/ada/…` and `C:\\Users\\ada\\…` exist where the skill was written and nowhere else.
Fix: write the path relative to the skill's folder, or a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill

FIX = "write it relative to the skill's folder"
#: Names that stand for anyone.
_ANYONE = (
    r"(?i:you|your\w*|(?:some)?user\d*|username|name|me|runner|shared|public|default|app|node|ubuntu|vscode|xxx|path|home"
    r"|alice|bob|john|jane|dev|developer|example|sample|demo|test|foo|bar|work|workspace|project|projects|admin|pi"
    r"|root|linuxbrew|[a-z]|ec2-user|opc|local|jovyan|jetson|nvidia|worker|agent|claude|codex|sandbox|jdoe|johndoe|joe|someone|somebody|my\w*)"
)
_HOMES = r"(?<![\w/.:~}])(?:/Users|/home|[A-Za-z]:\\+Users)[/\\]+"
HOME = rf"{_HOMES}(?!{_ANYONE}(?![a-zA-Z0-9])|[^\w])[A-Za-z][\w-]*(?=[/\\])"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Links to, and commands and code with, a path in a home folder."""
    for source, document in skill.documents("/Users", "/home", "\\Users", "file:", ":\\"):
        where = skill.tree.path(source)
        for link in document.links:
            if re.match(r"file:|[A-Za-z]:[\\/]", link.target) or re.search(HOME, link.target):
                message = f"{quoted(link.target)} is a path on one machine"
                yield Finding(message, FIX, line=link.line, column=link.column, path=where)
        for block in document.blocks:
            for match in re.finditer(HOME, block.text):
                line = block.line + block.text.count("\n", 0, match.start()) + block.fenced
                yield Finding(f"{quoted(match[0])} is a path on one machine", FIX, line=line, path=where)
