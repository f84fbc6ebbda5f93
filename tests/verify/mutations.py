"""Planted errors: one name of a code block or of inline code is changed, as an upgrade or a slip of the hand would.

The places are found by expressions of its own, not by the parsers of `skillpack.verify`, so that what those overlook
counts as missed.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SHELL = ("bash", "sh", "shell", "console")
_FENCE = re.compile(
    r"^(?P<indent>[ >]*)(?P<marks>```+|~~~+)\s*(?P<language>[\w-]*).*?$(?P<body>.*?)^[ >]*(?P=marks)\s*$", re.M | re.S
)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_FLAG = re.compile(r"(?<![\w/-])--[a-z][a-z0-9-]*[a-z0-9]")
_PATH = re.compile(r"(?<![\w/.-])(?:scripts|references|assets)/[a-z_0-9-]+(?:/[a-z_0-9-]+)*\.(?:py|md|json|sh)\b")
#: A program whose second word is a command of it.
_COMMAND = re.compile(r"(?<![\w/.-])(?:hf|trackio|gradio|accelerate|trl|skillpack)(?: [a-z][a-z-]+)+")
_SKETCH = re.compile(r"skillpack: sketch")


class Mutation(NamedTuple):
    """One change: the text from `start` to `end` of `path` becomes `text`. `line` is where it stands.

    Changes of the same `unit`, a command or a line, are made one at a time: a first wrong word hides a second.
    """

    kind: str
    path: Path
    start: int
    end: int
    text: str
    line: int
    unit: int

    def __str__(self) -> str:
        return f"{self.kind} {self.path.parent.name}/{self.path.name}:{self.line} -> {self.text}"


def mutations(path: Path) -> Iterator[Mutation]:
    """Each change that can be made to the Markdown file at `path`, in its order."""
    text = path.read_text(encoding="utf-8")
    if "<!-- skillpack: ignore command-unknown" in text:  # its author answers for the commands in it
        return
    fences = list(_FENCE.finditer(text))
    for fence in fences:
        before = text[: fence.start()].rstrip().rpartition("\n")[2]
        if _SKETCH.search(before):
            continue
        language, first = fence["language"], fence.start("body")
        if language in SHELL:
            for command in re.finditer(r"(?:[^\n]*\\\n)*[^\n]+", fence["body"]):
                yield from _words(path, text, first + command.start(), first + command.end())
        elif language in ("python", "py") and not fence["indent"].strip():
            yield from _python(path, text, first, fence["body"])
    blank = "".join(_blanked(text, fences))
    for code in _INLINE.finditer(blank):
        if "\n\n" not in code[1]:
            yield from _words(path, text, code.start(1), code.end(1))


def _blanked(text: str, fences: list[re.Match[str]]) -> Iterator[str]:
    at = 0
    for fence in fences:
        yield text[at : fence.start()]
        yield re.sub(r"[^\n]", " ", fence[0])
        at = fence.end()
    yield text[at:]


def _words(path: Path, text: str, start: int, end: int) -> Iterator[Mutation]:
    """Flags, paths and names of commands in shell."""

    def mutation(kind: str, first: int, last: int, changed: str) -> Mutation:
        return Mutation(kind, path, first, last, changed, text.count("\n", 0, first) + 1, start)

    for found in _FLAG.finditer(text, start, end):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if found[0] != "--help" and not re.search(r"(^|\s)#\s", line):
            yield mutation("flag", found.start(), found.end(), f"{found[0][:-1]}qx")
    for found in _PATH.finditer(text, start, end):
        stem, _, ending = found[0].rpartition(".")
        yield mutation("path", found.start(), found.end(), f"{stem}_qx.{ending}")
    if found := _COMMAND.match(text, start, end):
        first = found.start() + len(found[0].split(" ")[0]) + 1
        last = first + len(found[0].split(" ")[1])
        yield mutation("command", first, last, f"{text[first : last - 1]}qx")


def _python(path: Path, text: str, first: int, body: str) -> Iterator[Mutation]:
    """Keyword arguments and imported names. A block that is no Python has none."""
    try:
        tree = ast.parse(body.lstrip("\n"))
    except SyntaxError:
        return
    skipped = len(body) - len(body.lstrip("\n"))
    lines = [0]
    for line in body.lstrip("\n").splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def mutation(kind: str, node: ast.AST, name: str) -> Mutation:
        start = first + skipped + lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        assert text[start : start + len(name)] == name, (path, name)
        line = text.count("\n", 0, start) + 1
        return Mutation(kind, path, start, start + len(name), f"{name}qx", line, line)

    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg:
            yield mutation("keyword", node, node.arg)
        elif isinstance(node, ast.alias) and isinstance(getattr(node, "name", None), str) and "." not in node.name:
            yield mutation("import", node, node.name)


def passes(skills: Path) -> list[list[Mutation]]:
    """All changes to the skills, in lists of which each changes a unit once at most.

    Imports have lists of their own: of a module that is not there nothing more can be said.
    """
    every = [one for path in sorted(skills.glob("*/**/*.md")) for one in mutations(path)]
    groups = ([one for one in every if one.kind == "import"], [one for one in every if one.kind != "import"])
    return [listed for group in groups for listed in _apart(group)]


def _apart(every: list[Mutation]) -> list[list[Mutation]]:
    lists: list[list[Mutation]] = []
    times: Counter[tuple[Path, int]] = Counter()
    for one in every:
        number = times[one.path, one.unit]
        times[one.path, one.unit] += 1
        if number == len(lists):
            lists.append([])
        lists[number].append(one)
    return lists


def apply(text: str, changes: list[Mutation]) -> str:
    """`text` with the changes to its file."""
    for one in sorted(changes, key=lambda change: -change.start):
        text = text[: one.start] + one.text + text[one.end :]
    return text
