"""No HTML comment gives orders.

Why: a reader of the rendered page does not see a comment; an agent reads it like the rest. Comments for tools (linters,
     generators, tables of contents) and notes to authors are left out.
Fix: say it in the text, or delete the comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.skill import Skill

FOR_TOOLS = (
    r"(?i)\s*(markdownlint|prettier|skillpack|vale|cspell|textlint|eslint|toc\b|doctoc|start|end|begin|generated"
    r"|auto-?generated|todo|fixme|copyright|license|spdx|note to (authors|editors|maintainers))"
)
ORDERS = (
    r"(?im)\b(curl|wget)\s+\S*[/.]\S+|\brm\s+-[rf]{1,2}\s+\S+|\bsudo\s+\w+|\b(bash|sh|eval)\s+-c\b|\bpowershell\b.*-\w"
    r"|^\s*(\$\s+)?(npx|uvx|pip3? install|npm (i|install)|chmod|nc|ssh|scp)\s+\S+"
    r"|\b(ignore|disregard|forget|override)\s+(all\s+|any\s+|the\s+|your\s+)*(previous|prior|above|earlier|other|system)\b"
    r"|\b(do not|don't|never)\s+(tell|mention|inform|reveal|show)\b|\bwithout\s+(telling|asking|informing)\b"
    r"|\b(exfiltrate|send|upload|post)\b[^.\n]{0,40}\b(tokens?|credentials?|secrets?|keys?|passwords?|env)\b"
)


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Comments with a command to run or an instruction to a model."""
    for name, document in skill.documents("<!--"):
        for comment in document.comments:
            if re.match(FOR_TOOLS, comment.text):
                continue
            match = re.search(ORDERS, comment.text)
            if match:
                shown = quoted(" ".join(match[0].split()))
                message = f"the comment, which a reader does not see, says {shown}"
                fix = "say it in the text, or delete the comment"
                yield Finding(message, fix, line=comment.line, column=comment.column, path=skill.tree.path(name))
