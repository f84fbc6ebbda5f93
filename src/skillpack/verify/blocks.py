"""Markdown -> fenced blocks, inline code and addresses, each with the place of every character in its file."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

#: `<!-- skillpack: sketch: reason -->` before a fence: the block is no code to copy, and is counted, not checked.
_SKETCH = re.compile(r"\s*skillpack:\s*sketch\b\s*:?\s*(?P<reason>.*?)\s*", re.DOTALL)
_ADDRESS = re.compile(r"(?:https?|hf)://[^\s<>\"'`|\\\u2026]+")


def _line_starts(text: str) -> list[int]:
    """Where each line begins. For an editor, and a parser, a form feed or U+2028 ends none: no `splitlines`."""
    return [0, *(found.end() for found in re.finditer("\n", text))]


class Lines:
    """Where the lines of a file begin, to turn an offset into a place."""

    def __init__(self, text: str, first_line: int = 1) -> None:
        self.text, self.first_line = text, first_line
        self._starts = _line_starts(text)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of the character at `offset`, both from 1."""
        line = bisect_right(self._starts, offset)
        return self.first_line + line - 1, offset - self._starts[line - 1] + 1


class Excerpt(NamedTuple):
    """A part of a file as the reader of it sees it; `offsets` says where in the file each character stands."""

    text: str
    offsets: Sequence[int]
    lines: Lines

    def place(self, index: int) -> tuple[int, int]:
        """Line and column in the file of the character `index` of `text`; of its end for an index past it."""
        if not self.offsets:
            return self.lines.first_line, 1
        return self.lines.place(self.offsets[min(max(index, 0), len(self.offsets) - 1)])

    def at(self, line: int, column: int) -> tuple[int, int]:
        """The place in the file of a place in `text`; both count from 1."""
        starts = _line_starts(self.text)
        return self.place(starts[min(line, len(starts)) - 1] + column - 1)


class Block(NamedTuple):
    """A fenced block, or inline code (`fenced` false). `sketch` is the reason that its author gives; None without."""

    language: str
    excerpt: Excerpt
    fenced: bool
    sketch: str | None = None


class Sketch(NamedTuple):
    """A sketch's comment that has no reason, or no block after it."""

    problem: str
    line: int
    column: int


class Page(NamedTuple):
    """What of a Markdown file can be held against something."""

    blocks: list[Block]
    sketches: list[Sketch]
    addresses: list[tuple[str, int, int]]


def whole(text: str) -> Excerpt:
    """All of a file as one excerpt."""
    return Excerpt(text, range(len(text)), Lines(text))


def read(text: str, first_line: int = 1) -> Page:
    """Reads `text`, whose first line is the line `first_line` of its file."""
    import pyromark

    lines = Lines(text, first_line)
    characters = _characters(text)
    page = Page([], [], [])
    offsets: list[int] = []
    fence: str | None = None
    pending: tuple[str, int] | None = None  # a sketch's reason, and where its comment begins
    reason: str | None = None
    event: Any
    for event, extent in pyromark.events_with_range(text):
        start, end = characters(extent["start"]), characters(extent["end"])
        kind, detail = next(iter(event.items())) if isinstance(event, dict) else (event, None)
        if kind == "Text" and fence is not None:
            offsets.extend(range(start, end))
        elif kind == "Code":
            page.blocks.append(Block("", _inline(text, start, end, lines), False))
        elif kind in ("Html", "InlineHtml") and (comment := re.fullmatch(r"\s*<!--(.*?)-->\s*", text[start:end], re.S)):
            if found := _SKETCH.fullmatch(comment[1]):
                _orphan(page, pending, lines)
                pending = (found["reason"], start)
        elif kind == "Start" and isinstance(detail, dict) and "CodeBlock" in detail:
            fenced = detail["CodeBlock"]
            fence = fenced["Fenced"].strip() if isinstance(fenced, dict) else ""
            offsets, reason = [], None
            if pending is not None:
                reason = pending[0]
                if not reason:
                    page.sketches.append(Sketch("the sketch gives no reason", *lines.place(pending[1])))
                pending = None
        elif kind == "End" and fence is not None and detail == "CodeBlock":
            excerpt = Excerpt("".join(text[at] for at in offsets), offsets, lines)
            page.blocks.append(Block(language(fence), excerpt, True, reason or None))
            fence = None
        elif kind == "Start" and detail != "HtmlBlock":
            _orphan(page, pending, lines)
            pending = None
    _orphan(page, pending, lines)
    page.addresses.extend((found[0], *lines.place(found.start())) for found in _ADDRESS.finditer(text))
    return page


def language(info: str) -> str:
    """The language that the text after a fence names."""
    word = re.match(r"\{?\.?([\w+#-]*)", info)
    return word[1].lower() if word else ""


def _orphan(page: Page, pending: tuple[str, int] | None, lines: Lines) -> None:
    if pending is not None:
        page.sketches.append(Sketch("no code block follows the comment", *lines.place(pending[1])))


def _inline(text: str, start: int, end: int, lines: Lines) -> Excerpt:
    """The code between its backticks, with line ends as spaces; `\\|` of a table's cell is `|` to its reader."""
    raw = text[start:end]
    ticks = len(raw) - len(raw.lstrip("`"))
    offsets = list(range(start + ticks, end - ticks))
    shown = [at for at in offsets if not (text[at] == "\\" and text[at + 1 : at + 2] == "|")]
    return Excerpt("".join(text[at] if text[at] not in "\r\n" else " " for at in shown), shown, lines)


def _characters(text: str) -> Any:
    """A function from offsets in bytes, which the parser counts, to offsets in characters."""
    if text.isascii():
        return lambda offset: offset
    starts = [0, *accumulate(len(character.encode("utf-8", "surrogatepass")) for character in text)]
    return lambda offset: bisect_right(starts, offset) - 1
