"""No two skills of a tree are described alike.

Why: an agent chooses by description alone; of two that share most of their words it takes either. Copies of one skill
     for several clients, which have the same name, are no overlap.
Fix: let each description name what the other does not do, or merge the two skills.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from skillpack.diagnostics import WARNING, Finding
from skillpack.rules import rule_of_tree
from skillpack.skill import Brief

#: Share of the words of both that two descriptions have in common, and how many words that must be at least.
SHARE, WORDS = 0.7, 8
#: Words in more descriptions than this bring no pair together: the cost stays linear in the number of skills.
COMMON = 30
_EMPTY = frozenset(
    {
        "about",
        "after",
        "also",
        "and",
        "any",
        "are",
        "asks",
        "before",
        "been",
        "being",
        "but",
        "can",
        "could",
        "does",
        "each",
        "for",
        "from",
        "has",
        "have",
        "how",
        "including",
        "into",
        "its",
        "like",
        "more",
        "must",
        "need",
        "needs",
        "not",
        "only",
        "other",
        "over",
        "should",
        "skill",
        "skills",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "these",
        "they",
        "this",
        "to",
        "use",
        "used",
        "user",
        "users",
        "uses",
        "using",
        "want",
        "wants",
        "was",
        "what",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "work",
        "working",
        "would",
        "you",
        "your",
    }
)


@rule_of_tree(severity=WARNING)
def check(briefs: Sequence[Brief]) -> Iterator[Finding]:
    """Pairs whose descriptions share most of their words."""
    words = [_words(brief.description) for brief in briefs]
    first: dict[frozenset[str], int] = {}
    holders: dict[str, list[int]] = defaultdict(list)
    for index, own in enumerate(words):
        if first.setdefault(own, index) != index:
            if len(own) >= WORDS and briefs[first[own]].name != briefs[index].name:
                yield _finding(briefs[first[own]], briefs[index], own)
            continue
        for word in own:
            holders[word].append(index)
    shared: Counter[tuple[int, int]] = Counter()
    for holding in holders.values():
        if len(holding) <= COMMON:
            shared.update(combinations(holding, 2))
    for left, right in sorted(pair for pair, number in shared.items() if number >= 3):
        both = words[left] & words[right]
        if len(both) < WORDS or len(both) < SHARE * len(words[left] | words[right]):
            continue
        if briefs[left].name == briefs[right].name:
            continue
        if _told(briefs[left], words[left], briefs[right]) and _told(briefs[right], words[right], briefs[left]):
            continue
        yield _finding(briefs[left], briefs[right], both)


def _told(brief: Brief, words: frozenset[str], other: Brief) -> bool:
    """Whether the description says what tells it from the other: a word of its skill's name, or a name (Rust, .NET)."""
    import re

    others = frozenset(re.findall(r"\w+", other.description.lower()))
    names = re.findall(r"(?<=[^\s.!?:] )[(\"']?\.?([A-Z]\w+|\w+[A-Z]\w*)", brief.description)
    own = _words(brief.name) & words
    return not own <= others or any(name.lower() not in others for name in names)


def _words(text: str) -> frozenset[str]:
    import re

    return frozenset(word for word in re.findall(r"[^\W\d_]{3,}", text.lower()) if word not in _EMPTY)


def _finding(left: Brief, right: Brief, both: frozenset[str]) -> Finding:
    names = ", ".join(sorted(both)[:8]) + (", …" if len(both) > 8 else "")
    message = f"{right.name!r} and {left.name!r} ({left.path}) share {len(both)} words: {names}"
    fix = "say in each what the other does not do, or merge the two"
    return Finding(message, fix, "description", right.line, right.column, right.path)
