"""No file holds an access token.

Why: a skill is published; whoever installs it has the token. The token itself is never printed.
Fix: revoke it now, then read it from the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule
from skillpack.rules._text import place
from skillpack.skill import Skill

#: Each begins with letters of its own, which `re` finds many times as fast as one of many.
TOKENS = {
    "Hugging Face": r"hf_[A-Za-z0-9]{30,}",
    "GitHub": r"gh[pousr]_[A-Za-z0-9]{30,}",
    "GitHub (fine-grained)": r"github_pat_\w{40,}",
    "GitLab": r"glpat-[\w-]{20,}",
    "OpenAI or Anthropic": r"sk-[A-Za-z0-9_-]{32,}",
    "AWS": r"AKIA[0-9A-Z]{16}",
    "Slack": r"xox[abprs]-[\w-]{20,}",
    "Google": r"AIza[\w-]{35}",
    "a private key": r"-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40,}",
}
#: How they begin, where that is not the first four characters of the form.
LETTERS = {
    "Hugging Face": "hf_",
    "GitHub": "gh",
    "GitHub (fine-grained)": "github_pat_",
    "GitLab": "glpat-",
    "OpenAI or Anthropic": "sk-",
    "Slack": "xox",
    "a private key": "PRIVATE KEY",
}


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Tokens of known forms that look real: mixed characters, no words of an example."""
    for name, text in skill.texts.items():
        for service, form in TOKENS.items():
            if LETTERS.get(service, form[:4]) not in text:
                continue
            for match in re.finditer(form, text):
                if not _real(match[0]) or text[max(0, match.start() - 1) : match.start()].isalnum():
                    continue
                line, column = place(text, match.start())
                message = f"what looks like an access token ({service}) is in the file"
                fix = "revoke it, and read it from the environment"
                yield Finding(message, fix, line=line, column=column, path=skill.tree.path(name))


def _real(token: str) -> bool:
    """Whether it may be one: examples repeat characters, count up, or spell words."""
    if re.search(r"(?i)example|your|xxx|placeholder|dummy|fake|test|sample|token|secret|1234|abcd|\.\.\.", token):
        return False
    return len(set(token)) >= 10 and any(c.isdigit() for c in token) and any(c.isalpha() for c in token)
