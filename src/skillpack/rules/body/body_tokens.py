"""The body of SKILL.md stays under about 5,000 tokens.

Why: the specification recommends it: the whole body enters the context of every task that uses the skill. The number
     is an estimate that needs no vocabulary; on real skills it was within 13 % of a count.
Fix: move what only some tasks need into files under references/ and say when to open each.
Spec: "**Instructions** (< 5000 tokens recommended): The full `SKILL.md` body is loaded when the skill is activated"
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._text import tokens
from skillpack.skill import Skill

LIMIT = 5_000


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """A body that is estimated higher, with room for the estimate's error."""
    if len(skill.body.encode()) < LIMIT * 2.5:
        return  # no prose has so many tokens for its bytes
    estimate = tokens(skill.body, least=LIMIT)
    if estimate > LIMIT * 1.1:
        message = f"the body has about {round(estimate, -2):,} tokens, and at most {LIMIT:,} are recommended"
        yield Finding(message, "move what only some tasks need into files under references/", line=skill.body_line)
