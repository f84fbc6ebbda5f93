"""No file holds characters without width.

Why: they hide text, break a search for a word, and change a command without a trace. Left out are joiners in emoji and
     in scripts that are written with them (Arabic, the Indic ones), breaks in Thai, Lao, Khmer and Burmese, and one
     between two backticks, which keeps pieces of code apart.
Fix: delete the character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._text import place
from skillpack.skill import Skill

#: Beside a joiner: an emoji, a skin tone or variation selector, or a script that is written with joiners.
JOINED = "[\u0600-\u0dff\u1000-\u109f\u1780-\u18af\ufe0f\u2600-\u27bf\u2190-\u21ff\u2b00-\u2bff\U0001f000-\U0001faff]"
BROKEN = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u4e00-\u9fff]"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Characters without width where no script needs them, at most one finding a line."""
    for name, text in skill.texts.items():
        if text.isascii():
            continue
        said = 0
        for match in re.finditer("[\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufeff]", text):
            at = match.start()
            around = text[max(0, at - 2) : at + 2]
            if match[0] in "\u200c\u200d" and re.search(JOINED, around):
                continue
            if match[0] in "\u200b\u00ad" and re.search(
                BROKEN if match[0] == "\u200b" else r"[^\W\d_].[^\W\d_]", around
            ):
                continue
            if match[0] == "\u200b" and text[at - 1 : at] == "`" == text[at + 1 : at + 2]:
                continue
            line, column = place(text, at)
            if line != said:
                said = line
                message = f"U+{ord(match[0]):04X} has no width"
                yield Finding(message, "delete it", line=line, column=column, path=skill.tree.path(name))
