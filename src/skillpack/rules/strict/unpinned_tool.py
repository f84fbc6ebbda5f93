"""Tools that a command fetches have a version.

Why: `npx -y x` and `uvx x` run whatever was published last; `pip install x` installs it. In the strict profile only:
     for a well-known tool the newest version is often meant.
Fix: write `npx x@1.2.3`, `uvx x@1.2.3`, `pip install x==1.2.3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding, quoted
from skillpack.rules import rule
from skillpack.rules._text import commands
from skillpack.skill import Skill

TOOLS = ("npx", "bunx", "uvx", "pipx", "uv tool", "pip install", "pip3 install", "npm install")
FETCHED = (
    r"(?:^|[;&|]\s*|\s)(?P<tool>npx|bunx|uvx|pipx run|uv tool run|(?:uv )?pip3? install|npm install -g)"
    r"\s+(?P<rest>[^;&|#]*)"
)


@rule(severity=NOTICE, profile="strict")
def check(skill: Skill) -> Iterator[Finding]:
    """Packages without a version in npx, uvx, pipx run and pip install."""
    for where, command, line in commands(skill, TOOLS):
        for match in re.finditer(FETCHED, command):
            words = iter(match["rest"].split())
            for word in words:
                if word in ("-r", "-c", "-e", "--requirement", "--constraint", "--editable", "-i", "--index-url"):
                    next(words, None)
                elif not word.startswith("-"):
                    name = word.strip("\"'")
                    if not re.fullmatch(r"(@[\w.-]+/)?[\w.\[\],-]+([@=<>~!].*)?", name) or name == ".":
                        break  # a path, a variable, the shell's own signs
                    if not re.search(r"[^@]@|[=<>~]", name):
                        yield Finding(f"{quoted(name)} is fetched without a version", "add one", line=line, path=where)
                    if "install" not in match["tool"]:
                        break
