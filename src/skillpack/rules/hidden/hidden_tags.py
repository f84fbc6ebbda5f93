"""No file holds Unicode tag characters or runs of variation selectors.

Why: they are invisible, and a model reads them: whole instructions have been written in them. Flags of regions such as
     Scotland's, which are spelled with them, are left out.
Fix: delete them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._text import place
from skillpack.skill import Skill

TAG = "[\U000e0000-\U000e007f]"
SELECTOR = "[\U000e0100-\U000e01ef\ufe00-\ufe0f]"
TAGS = f"{TAG}+|{SELECTOR}{{2,}}"
FLAG = "\U0001f3f4[\U000e0030-\U000e007a]{2,7}\U000e007f"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Runs of invisible characters that carry letters."""
    for name, text in skill.texts.items():
        if text.isascii() or (re.search(TAG, text) is None and re.search(SELECTOR * 2, text) is None):
            continue  # two sets are looked for many times as fast as TAGS
        if "\U0001f3f4" in text:
            text = re.sub(FLAG, lambda flag: "." * len(flag[0]), text)
        for match in re.finditer(TAGS, text):
            line, column = place(text, match.start())
            message = f"{len(match[0])} invisible characters from U+{ord(match[0][0]):04X} on can carry hidden text"
            yield Finding(message, "delete them", line=line, column=column, path=skill.tree.path(name))
