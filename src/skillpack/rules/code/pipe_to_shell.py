"""Nothing fetched is run unread.

Why: `curl … | sh` runs what a server sends at that moment, to that caller; nobody can review it.
Fix: install from a package registry with a version, or download, check a digest, and then run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.rules._text import commands
from skillpack.skill import Skill

FETCHERS = ("curl", "wget", "iwr", "irm", "Invoke-WebRequest", "Invoke-RestMethod")
_FETCH = rf"(?:{'|'.join(FETCHERS)})"
_SHELL = (
    r"(?:sudo\s+(?:-\S+\s+)*)?(?:env\s+)?(?:/(?:usr/)?bin/)?"
    r"(?:(?:ba|z|da|k|fi)?sh|python3?(?=\s*(?:-\s|-$|$))|iex|Invoke-Expression)"
)
PIPED = (
    rf"\b{_FETCH}\s[^|;&\n]*(?:&[^&|;\n]*)*\|\s*{_SHELL}\b(?![\w./-])"
    rf"|(?:\b(?:ba|z)?sh|\beval|\bsource|(?:^|\s)\.)\s+(?:-c\s+)?[\"']?(?:<\(|\$\(|`)\s*{_FETCH}\s"
)
PRINTED = r"(?:^|[\s;&|({])(?:echo|printf|die|error|warn|info|log\w*)\s[^;&|]*$"
#: What is left of PIPED in the raw text, where a command may go over lines, each after a margin or a prompt. Each
#: begins with signs of its own, which `re` finds many times as fast.
_ON = r"[\s\\>$]*"
_TO_SHELL = rf"\|{_ON}(?:sudo|env|/(?:usr/)?bin|(?:ba|z|da|k|fi)?sh|python|iex|Invoke-E)"
_OF_FETCHED = rf"[(`]{_ON}{_FETCH}"


def maybe_piped(text: str) -> bool:
    """Whether a command in the Markdown `text` may run what it fetches; most that fetch do not."""
    return re.search(_TO_SHELL, text) is not None or re.search(_OF_FETCHED, text) is not None


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Commands in fences and shell scripts that fetch and run in one."""
    for where, command, line in commands(skill, FETCHERS, maybe_piped):
        match = re.search(PIPED, command)
        # What is printed is a hint to a person; a program in a here-document reads what was fetched as data.
        if match and not re.search(PRINTED, command[: match.start()]) and "<<" not in command[match.end() :]:
            message = f"{quoted(' '.join(match[0].split()), 80)} runs what a server sends"
            yield Finding(message, "download it, check it, then run it", line=line, path=where)
