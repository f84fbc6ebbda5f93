"""Every file of text was looked at.

Why: files past 1 MiB, past 16 MiB of text in one skill, or that are not UTF-8 are not searched for hidden text, tokens
     and commands. No finding about them does not mean that there is nothing.
Fix: keep large data out of the skill, save text as UTF-8, and read yourself what is named here.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import NOTICE, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill


@rule(severity=NOTICE)
def check(skill: Skill) -> Iterator[Finding]:
    """What the rules about text left out, one finding a skill."""
    read = len(skill.texts)  # which fills `unread`
    said = {finding.path for _, finding in skill.problems}  # a link that leads out, which is its own finding
    unread = [name for name in skill.unread if skill.tree.path(name) not in said]
    if unread:
        number, first = len(unread), quoted(unread[0])
        what = f"{first} was" if number == 1 else f"{first} and {number - 1:,} other file{'s' * (number > 2)} were"
        message = f"{what} not looked at: too large, not UTF-8, or past the 16 MiB of one skill; {read:,} were"
        fix = "keep large data out of the skill, or read them yourself"
        yield Finding(message, fix, path=skill.tree.path(unread[0]))
