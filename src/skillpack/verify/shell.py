"""Text of a shell -> the commands in it, by tree-sitter's grammar of bash. Nothing is run.

Placeholders (`<repo>`, `[--flag]`, `a|b` in inline code) are no redirections and no pipes: they are set apart before
the grammar sees them, character for character, so that places stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LANGUAGES = frozenset({"bash", "sh", "shell", "zsh", "console", "shell-session", "shellsession", "terminal"})
#: Of these only the lines after a prompt are commands.
_SESSIONS = frozenset({"console", "shell-session", "shellsession", "terminal"})
#: `<name>`: letters first, and neither a quote nor anything else that no name of a placeholder has.
_PLACEHOLDER = re.compile(r"<(?=[A-Za-z])[\w ./:|@,+-]*>")
_ALTERNATIVES = re.compile(r"(?<=[\w\]>*])\|(?=[\w<\[-])")
#: What stands for `<`, `>`, a space and `|` while the grammar reads.
_HIDDEN = str.maketrans("<> |", "\ue000\ue001\ue002\ue003")
_SHOWN = str.maketrans("\ue000\ue001\ue002\ue003", "<> |")


class Word(NamedTuple):
    """One word of a command, without its quotes. `literal` is false where the shell would put something in.

    `start` is its offset in the text that was read.
    """

    text: str
    literal: bool
    start: int

    @property
    def open(self) -> bool:
        """Whether what stands here is for the reader to fill in: nothing can be said of its value."""
        text = self.text
        return (
            not self.literal
            or bool(re.search(r"[<>{}…*$]|\.\.\.", text))
            or (text.upper() == text and bool(re.search("[A-Z]", text)))
        )


class Parsed(NamedTuple):
    """The commands of a text in its order, and the offsets at which it is no shell."""

    commands: list[list[Word]]
    errors: list[int]


@cache
def _parser() -> Parser:
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def parse(text: str, language: str = "bash", *, inline: bool = False) -> Parsed:
    """The commands in `text`."""
    source = _session(text) if language in _SESSIONS else text
    source = _PLACEHOLDER.sub(lambda found: found[0].translate(_HIDDEN), source)
    if inline:
        source = _ALTERNATIVES.sub("\ue003", source)
    data = source.encode()
    root = _parser().parse(data).root_node

    def offset(node: Node) -> int:
        return node.start_byte if len(data) == len(source) else len(data[: node.start_byte].decode())

    commands = [_words(node, offset) for node in _of_kind(root, "command")]
    errors = [offset(node) for node in _errors(root)] if root.has_error else []
    return Parsed([words for words in commands if words], errors)


def alternatives(word: Word) -> list[str]:
    """What a word that lists choices (`sft|dpo`, `<sft|dpo>`) stands for; the word itself for any other."""
    plain = word.text.strip("<>[]()")
    return plain.split("|") if "|" in plain else [word.text]


def elides(word: Word) -> bool:
    """Whether a word stands for words that are not shown: `…`, `[options]`."""
    return "…" in word.text or word.text in ("...", "\\") or re.fullmatch(r"\[(?!-)[\w ./…-]*\]", word.text) is not None


def _session(text: str) -> str:
    """`text` with spaces in place of the prompts and of what was printed."""
    kept, going_on = [], False
    for line in text.split("\n"):
        prompt = re.match(r"\s*(?:\([\w.-]+\)\s*)?[$%]\s", line)
        if prompt:
            line = " " * prompt.end() + line[prompt.end() :]
        elif not going_on:
            line = " " * len(line)
        going_on = line.rstrip().endswith("\\")
        kept.append(line)
    return "\n".join(kept)


def _of_kind(node: Node, kind: str) -> Iterator[Node]:
    waiting = [node]  # no recursion: a stranger's text may be nested as deep as it is long
    while waiting:
        node = waiting.pop()
        if node.type == kind:
            yield node
        waiting.extend(reversed(node.children))


def _errors(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.type == "ERROR" or node.is_missing:
            yield node
        elif node.has_error:
            waiting.extend(reversed(node.children))


def _words(command: Node, offset: Any) -> list[Word]:
    """The words of one command, the assignments before it left out, notation for what may be left out removed."""
    words = []
    for child in command.children:
        if child.type in ("variable_assignment", "file_redirect", "herestring_redirect", "heredoc_redirect"):
            continue
        text, literal = _value(child)
        text, start = text.translate(_SHOWN), offset(child)
        if literal and not elides(Word(text, True, 0)):
            bare = text.lstrip("[(") if text.startswith(("[-", "[<", "(-")) else text
            start += len(text) - len(bare)
            text = bare.rstrip("])") if "[" not in bare and "(" not in bare else bare
        words.append(Word(text, literal, start))
    return [word for word in words if word.text or not word.literal]


def _value(node: Node) -> tuple[str, bool]:
    """The text that the shell would make of a node, as far as that is known, and whether it is all known."""
    raw = (node.text or b"").decode()
    if node.type == "command_name" and node.children:
        return _value(node.children[0])
    if node.type == "raw_string":
        return raw[1:-1], True
    if node.type == "string":
        inner = [child for child in node.children if child.type != '"']
        return raw[1:-1].replace('\\"', '"'), all(child.type == "string_content" for child in inner)
    if node.type == "concatenation":
        parts = [_value(child) for child in node.children]
        return "".join(text for text, _ in parts), all(literal for _, literal in parts)
    return raw.replace("\\\n", ""), node.type in ("word", "number", "string_content", "command_name", "test_operator")
