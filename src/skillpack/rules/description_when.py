"""The description says when to use the skill.

Why: it is all that an agent reads before it chooses; the specification wants what the skill does and when to use it.
     Judged by structure: a clause of time or condition, a sentence that is an instruction to use, or the words of a
     user's request. Only descriptions in English are judged.
Fix: add a sentence such as "Use when …", with the words that a user would say.
Spec: "Should describe both what the skill does and when to use it"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding
from skillpack.rules import rule
from skillpack.skill import Skill

WHEN = (
    # a clause of time or condition
    r"(?i)\b(when|whenever|if|once|before|after|while|during|upon|until|unless|where|as soon as|in case)\b"
    # who asks, and for what
    r"|\btrigger|\binvoke|\bactivat|\buser\b|\b(asks?|asked|requests?|needs?|wants?)\b|\bworking (with|on)\b"
    # a sentence that begins with an instruction to use it
    r"|(^|[.;:!?)]\s+|\n)\W*(also |always |proactively |best |only )?"
    r"(use|used|useful|apply|run|load|read|call|reach|consult|prefer)\b"
    r"|\b(use|used|useful|designed|intended|suitable|helpful|ideal|meant|tasks?) (it |this |this skill )?"
    r"(for|to|in|on|as|like)\b"
    # what it is for
    r"|\bfor (any|all|tasks|questions|projects|[a-z]+ing)\b"
)


@rule(severity=NOTICE)
def check(skill: Skill) -> Iterator[Finding]:
    """Descriptions that say only what the skill does."""
    text = skill.string("description")
    if text is None or len(text) < 8 or not text.isascii():
        return
    if any(word in text.lower() for word in ("when", "user", "trigger")):
        return  # the usual ones; compiling the expression takes longer than a start may
    import re

    if re.search(WHEN, text) is None:
        yield skill.at("description", "it does not say when to use the skill", 'add a sentence such as "Use when …"')
