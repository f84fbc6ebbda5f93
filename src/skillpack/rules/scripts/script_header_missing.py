"""A script that imports packages says which (PEP 723).

Why: an installed skill has no environment. With a `# /// script` header `uv run` makes one; without it the script
     works where somebody happened to install the packages.
Fix: add the header with `requires-python` and `dependencies`, or requirements.txt beside an app to deploy.
Spec: "Be self-contained or clearly document dependencies"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding
from skillpack.rules import rule
from skillpack.rules.scripts._imports import is_test, third_party
from skillpack.skill import Skill

#: Files in which a skill says what it needs in another way.
OTHERWISE = frozenset({"pyproject.toml", "requirements.txt", "scripts/requirements.txt", "scripts/pyproject.toml"})


@rule(severity=NOTICE)
def check(skill: Skill) -> Iterator[Finding]:
    """Scripts meant to be run that import third-party packages and have no header."""
    if not skill.tree.names.isdisjoint(OTHERWISE):
        return
    for script in skill.scripts:
        if script.name.startswith("evals/"):
            continue  # what a model is tested with
        if f"{script.name.rpartition('/')[0]}/requirements.txt" in skill.tree.names:
            continue  # the form that a Space reads
        if script.header is None and not script.header_problem and script.runs and not is_test(script.name):
            found = third_party(skill, script)
            if found:
                names = ", ".join(sorted(found)[:5])
                message = f"it imports {names} and has no `# /// script` header"
                fix = "add the header with `requires-python` and `dependencies`"
                yield Finding(message, fix, line=min(found.values()), path=script.path)
