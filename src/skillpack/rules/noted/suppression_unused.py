"""A comment that suppresses a rule has a reason and an effect.

Why: `<!-- skillpack: ignore RULE: reason -->` silences a rule for its file; one that is no longer needed would hide the
     next finding of that rule, and one without a reason cannot be judged by anybody.
Fix: delete it, or write the reason after a colon.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """What `suppress` finds when all rules have been asked: nothing is known before."""
    return skill.found("suppression-unused")
