"""A script's header names every package that the script imports.

Why: `uv run` installs what the header names and nothing else; the import fails on the first run.
Fix: add the package to `dependencies`. Imports in `try: … except ImportError` need not be named.
Spec: "Be self-contained or clearly document dependencies"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules.scripts._imports import provided, third_party
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Imports that no dependency of the header provides."""
    for script in skill.scripts:
        if script.dependencies is None:
            continue
        for name, line in third_party(skill, script).items():
            if not provided(name, script.dependencies):
                message = f"it imports {name!r}, which no dependency of the header provides"
                yield Finding(message, "add its package to `dependencies`", line=line, path=script.path)
