"""Text -> links, code blocks and comments, by a CommonMark parser. Nothing is rendered.

What stands inside a fence or inline code is no link, as CommonMark says; that is where most false findings of
expressions over raw text come from.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Link(NamedTuple):
    """A link or an image; `target` as the parser resolved it, the place that of its beginning."""

    target: str
    line: int
    column: int


class Block(NamedTuple):
    """A fenced block or inline code. `language` is the first word of the fence, "" where there is none."""

    language: str
    text: str
    line: int
    column: int
    fenced: bool


class Comment(NamedTuple):
    """An HTML comment, without its marks."""

    text: str
    line: int
    column: int


class Document(NamedTuple):
    """What the rules want to know of a Markdown file, in its order."""

    links: list[Link]
    blocks: list[Block]
    comments: list[Comment]


EMPTY = Document([], [], [])


def parse(text: str, first_line: int = 1) -> Document:
    """Reads `text`, whose first line is the line `first_line` of its file."""
    if "[" not in text and "`" not in text and "~~~" not in text and "<" not in text:
        return EMPTY  # the parser need not be loaded
    from bisect import bisect_right

    import pyromark

    data = text.encode()
    starts = [0]
    at = data.find(b"\n")
    while at >= 0:
        starts.append(at + 1)
        at = data.find(b"\n", at + 1)

    def place(offset: int) -> tuple[int, int]:
        line = bisect_right(starts, offset)
        return first_line + line - 1, len(data[starts[line - 1] : offset].decode("utf-8", "replace")) + 1

    document = Document([], [], [])
    fence: tuple[str, int] | None = None
    pieces: list[str] = []
    html: tuple[int, list[str]] | None = None
    for event, extent in pyromark.events_with_range(text):
        if isinstance(event, str):
            continue  # a break or a rule
        kind: str
        value: Any
        ((kind, value),) = event.items()
        if kind == "Text":
            if fence is not None:
                pieces.append(value)
            continue
        start = extent["start"]
        if kind == "Start":
            name, detail = _only(value)
            if name in ("Link", "Image"):
                if detail["link_type"] not in ("Autolink", "Email"):
                    document.links.append(Link(detail["dest_url"], *place(start)))
            elif name == "CodeBlock":
                fence, pieces = (detail["Fenced"] if isinstance(detail, dict) else "", start), []
            elif name == "HtmlBlock":
                html = (start, [])
        elif kind == "End":
            name = _only(value)[0]
            if name == "CodeBlock" and fence is not None:
                line, column = place(fence[1])
                words = fence[0].split()
                document.blocks.append(Block(words[0].lower() if words else "", "".join(pieces), line, column, True))
                fence = None
            elif name == "HtmlBlock" and html is not None:
                _comments("".join(html[1]), html[0], place, document.comments)
                html = None
        elif kind == "Code":
            document.blocks.append(Block("", value, *place(start), False))
        elif kind == "Html" and html is not None:
            html[1].append(value)
        elif kind == "InlineHtml":
            _comments(value, start, place, document.comments)
    return document


def _only(event: Any) -> tuple[str, Any]:
    """The name and the value of an event, which is a name alone or a mapping with one key."""
    return next(iter(event.items())) if isinstance(event, dict) else (event, None)


def _comments(html: str, offset: int, place: Any, found: list[Comment]) -> None:
    at = html.find("<!--")
    while at >= 0:
        end = html.find("-->", at + 4)
        text = html[at + 4 : end if end >= 0 else len(html)]
        found.append(Comment(text, *place(offset + len(html[:at].encode()))))
        at = html.find("<!--", end) if end >= 0 else -1
