"""Every file of the skill is named somewhere.

Why: an agent opens what it reads about; a file in scripts/, references/ or assets/ that neither SKILL.md nor a file
     reached from it names is dead weight. A name, a folder's name, a Python import and a link all count. In the
     strict profile only: such files may be there for other programs.
Fix: say in SKILL.md when to use it, or delete it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding
from skillpack.rules import rule
from skillpack.skill import Skill

FOLDERS = ("scripts/", "references/", "assets/")
CODE = (".py", ".js", ".mjs", ".ts", ".sh")
#: Files that are there for others than the agent.
EXEMPT = (
    r"(?i)(^|/)(__init__\.py|license[^/]*|notice[^/]*|readme[^/]*|\.[^/]+|package(-lock)?\.json|py\.typed|.*\.lock"
    r"|pyproject\.toml|conftest\.py|test_[^/]*\.py|[^/]*_test\.py)$|/tests?/"
)


@rule(severity=NOTICE, profile="strict")
def check(skill: Skill) -> Iterator[Finding]:
    """Files that nothing reaches, transitively."""
    if skill.text is None:
        return
    names = [name for name in skill.tree.files if name.startswith(FOLDERS)]
    left = {name for name in names if not re.search(EXEMPT, name)}
    # What lies elsewhere is read by a client or is the skill's own page: both may name files.
    queue = [text for name, text in skill.texts.items() if not name.startswith(FOLDERS)]
    while queue and left:
        text = queue.pop()
        found = [name for name in sorted(left) if _named(name, text)]
        left.difference_update(found)
        queue.extend(skill.texts[name] for name in found if name in skill.texts)
    for name in sorted(left):
        message = "neither SKILL.md nor a file reached from it names this file"
        yield Finding(message, "say in SKILL.md when to use it, or delete it", path=skill.tree.path(name))


def _named(name: str, text: str) -> bool:
    """Whether `text` names the file, imports it, or names the folder that it is in or a pattern in it."""
    folder, _, base = name.rpartition("/")
    stem = base.rpartition(".")[0] or base
    if base in text:
        return True
    # As a module, or as a command without its ending.
    if (
        name.endswith(CODE)
        and len(stem) > 2
        and stem in text
        and re.search(rf"(?<![\w-]){re.escape(stem)}(?![\w-])", text)
    ):
        return True
    while folder:
        # `assets/fonts/`, `references/*.md`, `scripts/<name>.py`: the folder itself, not another file in it.
        if folder in text and re.search(
            rf"(?<![\w-]){re.escape(folder)}(?:/?[`\"')\s,;:]|/?$|/[*<{{$\[]|/?\.\s)", text
        ):
            return True
        folder, _, last = folder.rpartition("/")
        if folder and last in text and re.search(rf"[\"'`/]{re.escape(last)}/?[\"'`]", text):
            return True  # joined in code: `Path(__file__).parent / "schemas"`
    return False
