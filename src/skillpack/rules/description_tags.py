"""The description holds no XML tags.

Why: clients put it into a prompt that is marked up with tags; a tag in it can end or open a part of that prompt.
     A placeholder such as `<name>` is none.
Fix: say it in words, or in backquotes without the angle brackets.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill

TAG = (
    r"</[A-Za-z][\w:-]*\s*>|<[A-Za-z][\w:-]*(\s+[\w:-]+\s*=\s*[\"'][^<>]*)?\s*/>|<[A-Za-z][\w:-]*\s+[\w:-]+\s*=\s*[\"'][^<>]*>"
    r"|<(?i:system|instructions?|available_skills|skills?|important|assistant|examples?|prompt|context)>|<!--"
)


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Closing tags, tags with attributes, and the tags that prompts are made of."""
    text = skill.string("description")
    if text is None or "<" not in text:
        return
    import re

    for match in re.finditer(TAG, text):
        yield skill.at("description", f"{quoted(match[0])} is a tag", "say it in words, without the angle brackets")
