"""No file turns the direction of text around.

Why: with a bidirectional control a line shows other than it reads; code reviews have been deceived with it. On lines
     with letters that run from right to left, isolates and embeddings are left out; overrides never are.
Fix: delete the character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._text import place
from skillpack.skill import Skill

#: All but the left-to-right embedding and its end.
TURNING = "[\u202b\u202d\u202e\u2066-\u2069]"
OVERRIDES = "\u202d\u202e"
RIGHT_TO_LEFT = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Bidirectional controls."""
    for name, text in skill.texts.items():
        if text.isascii():
            continue
        for match in re.finditer("[\u202a-\u202e\u2066-\u2069]", text):
            start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.start())
            if match[0] not in OVERRIDES and re.search(RIGHT_TO_LEFT, text[start : end if end >= 0 else len(text)]):
                continue
            if re.search(TURNING, text[start : end if end >= 0 else len(text)]) is None:
                continue  # text of web pages has embeddings left to right, which turn nothing around
            line, column = place(text, match.start())
            message = f"U+{ord(match[0]):04X} makes the line show other than it reads"
            yield Finding(message, "delete it", line=line, column=column, path=skill.tree.path(name))
