"""What a rule would change to be satisfied: a rule proposes, `fixes` tries it, keeps what helps, and writes.

A rule that can be fixed has, beside its `check`, a function `fix(skill)` that yields a `Fix` for each thing it would
change. It touches the bytes of what is wrong and no others, so comments, quotes and spacing elsewhere stay.
"""

from __future__ import annotations

from typing import NamedTuple

import yaml

from skillpack.frontmatter import LOADER
from skillpack.skill import Skill


class Edit(NamedTuple):
    """The bytes from `start` up to `end` of the file `name` of a skill become `text`."""

    name: str
    start: int
    end: int
    text: str


class Fix(NamedTuple):
    """Edits that belong together and do not overlap.

    `said` tells the user what was done. A fix is safe when every reader of the file that reads it today reads the
    same afterwards; one that changes what the skill says, or guesses what was meant, is not.
    """

    said: str
    edits: tuple[Edit, ...]
    safe: bool = True
    #: The name of a file that becomes executable.
    executable: str = ""


def edit(skill: Skill, start: int, end: int, text: str) -> Edit:
    """The edit of the characters from `start` up to `end` of `skill.text`, which has no byte order mark."""
    before = skill.text or ""
    mark = 3 if any(slug == "byte-order-mark" for slug, _ in skill.problems) else 0
    first = mark + len(before[:start].encode())
    return Edit(skill.tree.skill_file or "", first, first + len(before[start:end].encode()), text)


def offset(skill: Skill, line: int, column: int = 1) -> int:
    """Where line `line`, column `column`, both from 1, is in `skill.text`."""
    lines = (skill.text or "").split("\n")
    return sum(len(text) + 1 for text in lines[: line - 1]) + column - 1


class Written(NamedTuple):
    """A value of the frontmatter as it stands in `skill.text`: the node, and its first and last offsets."""

    node: yaml.Node
    start: int
    end: int


def written(skill: Skill, name: str) -> Written | None:
    """The value of the field `name`; None where there is none, or the frontmatter is not YAML as it stands."""
    if not skill.readable or skill.text is None:
        return None
    first = offset(skill, skill.first_line + 1)
    source = skill.text[first : offset(skill, skill.body_line - 1)]
    try:
        root = yaml.compose(source, Loader=LOADER)
    except yaml.YAMLError:
        return None
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for key, value in pairs:
        if isinstance(key, yaml.ScalarNode) and key.value == name:
            return within(value, first)
    return None


def within(node: yaml.Node, first: int) -> Written:
    """`node` of YAML that begins at the offset `first`."""
    return Written(node, first + node.start_mark.index, first + node.end_mark.index)


def scalar(text: str) -> str:
    """`text` as YAML on one line: plain where every reader takes that for this text, else in double quotes."""
    if text.isprintable() and text.isascii():
        try:
            root = yaml.compose(f"key: {text}\n", Loader=LOADER)
        except yaml.YAMLError:
            return quote(text)
        node = root.value[0][1] if isinstance(root, yaml.MappingNode) else None
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":str") and node.value == text:
            return text
    return quote(text)


def quote(text: str) -> str:
    """`text` in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def replaced(skill: Skill, name: str, text: str, *, safe: bool) -> Fix | None:
    """The fix that gives the field `name` the value `text`; None where its value cannot be placed."""
    value = written(skill, name)
    if value is None or not isinstance(value.node, yaml.ScalarNode) or value.node.style in ("|", ">"):
        return None
    new = scalar(text) if not value.node.style else quote(text)
    if value.node.style == "'" and "'" not in text and text.isprintable():
        new = f"'{text}'"
    return Fix(f"set {name} to {new}", (edit(skill, value.start, value.end, new),), safe=safe)


def quoting(skill: Skill, name: str) -> Fix | None:
    """The fix that puts the value of the field `name`, a plain scalar that is no text, into quotes."""
    value = written(skill, name)
    if value is None or not isinstance(value.node, yaml.ScalarNode) or value.node.style:
        return None
    if not value.node.value:
        return None
    return Fix(f"quoted {name}", (edit(skill, value.start, value.end, quote(value.node.value)),), safe=False)
