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
    """A fenced block, or inline code with a slash: rules look for paths there. `language` is the fence's first word."""

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
    from itertools import accumulate

    import pyromark

    data = text.encode()
    starts = [0, *accumulate(len(line) + 1 for line in data.split(b"\n"))]

    def place(offset: int) -> tuple[int, int]:
        line = bisect_right(starts, offset)
        return first_line + line - 1, len(data[starts[line - 1] : offset].decode("utf-8", "replace")) + 1

    links: list[Link] = []
    blocks: list[Block] = []
    comments: list[Comment] = []
    fence: tuple[str, int] | None = None
    html: int | None = None
    pieces: list[str] = []
    event: Any  # its type is a union of thirty
    # An event is a mapping with one key, or a word for a break. This loop is a large part of a validation: the
    # frequent events come first, and what no rule looks at is passed over.
    for event, extent in pyromark.events_with_range(text):
        if "Text" in event:
            if fence is not None:
                pieces.append(event["Text"])
        elif "Code" in event:
            value = event["Code"]
            if "/" in value or "\\" in value:
                blocks.append(Block("", value, *place(extent["start"]), False))
        elif "Start" in event:
            tag = event["Start"]
            if tag == "HtmlBlock":
                html, pieces = extent["start"], []
            elif isinstance(tag, dict):
                ((name, detail),) = tag.items()
                if name == "CodeBlock":
                    fence, pieces = (detail["Fenced"] if isinstance(detail, dict) else "", extent["start"]), []
                elif name in ("Link", "Image") and detail["link_type"] not in ("Autolink", "Email"):
                    links.append(Link(detail["dest_url"], *place(extent["start"])))
        elif "End" in event:
            if fence is not None:
                words = fence[0].split()
                blocks.append(Block(words[0].lower() if words else "", "".join(pieces), *place(fence[1]), True))
                fence = None
            elif html is not None:
                _comments("".join(pieces), html, place, comments)
                html = None
        elif "Html" in event:
            pieces.append(event["Html"])
        elif "InlineHtml" in event:
            _comments(event["InlineHtml"], extent["start"], place, comments)
    return Document(links, blocks, comments)


def _comments(html: str, offset: int, place: Any, found: list[Comment]) -> None:
    at = html.find("<!--")
    while at >= 0:
        end = html.find("-->", at + 4)
        text = html[at + 4 : end if end >= 0 else len(html)]
        found.append(Comment(text, *place(offset + len(html[:at].encode()))))
        at = html.find("<!--", end) if end >= 0 else -1
