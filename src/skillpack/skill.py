"""Tree -> Skill: what a skill's folder says, read once, for the rules to judge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from skillpack import frontmatter, markdown
from skillpack.diagnostics import Finding, Problem
from skillpack.frontmatter import Field
from skillpack.markdown import Document
from skillpack.scripts import Script
from skillpack.source import SKILL_FILE, Tree, peek_text, read_text

#: Kinds of files whose text is looked at beside SKILL.md.
TEXTS = (".md", ".py", ".sh", ".bash", ".js", ".mjs", ".ts", ".json", ".toml", ".yaml", ".yml", ".txt")
#: What the commands and calls that the rules of the group `code` look for are written with, each at least one.
CODE_WORDS = ("curl", "wget", "iwr", "Invoke-", "base64", "trust_remote", "trust-remote")
#: The same for the command `irm`, which is not the end of "confirm". `re` is fast where letters come first.
IRM = r"irm(?<!\wirm)[\s\\]"
#: What the rules of the group `hidden` look for.
INVISIBLE = "[\u00ad\u180e\u200b-\u200d\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]"
_ASCII = bytes(range(128))
#: How much of them, in characters: what is past it is not looked at.
MAX_TEXT = 16 << 20


#: Whether a text may hold what a rule looks for; cheaper than to parse it.
Form = Callable[[str], bool]


class Brief(NamedTuple):
    """What is kept of a skill to compare it with the others of its tree."""

    path: str
    name: str
    description: str
    line: int
    column: int


class Skill:
    """A skill as it was read. `fields` is empty and `readable` false when there was no frontmatter to read."""

    __slots__ = (
        *("_documents", "_modules", "_scripts", "_texts", "body", "body_line", "fields", "first_line"),
        *("path", "problems", "readable", "text", "tree", "unread"),
    )

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        #: The SKILL.md as the user would write its path; the folder where there is none.
        self.path = tree.path(tree.skill_file) if tree.skill_file else tree.root
        self.text = read_text(tree, tree.skill_file) if tree.skill_file else None
        self.problems: list[Problem] = tree.problems
        self.fields: dict[str, Field] = {}
        self.readable = False
        #: The line of the frontmatter's `---`.
        self.first_line = 1
        self.body, self.body_line = "", 1
        self._texts: dict[str, str] | None = None
        self._documents: dict[str, Document] = {}
        self._scripts: list[Script] | None = None
        self._modules: frozenset[str] | None = None
        #: Files of the kinds in TEXTS that `texts` leaves out: too large, not text, or past MAX_TEXT.
        self.unread: list[str] = []
        if self.text is not None:
            parsed = frontmatter.parse(self.text)
            self.problems = [*tree.problems, *parsed.problems]
            self.body, self.body_line = parsed.body, parsed.body_line
            self.readable = parsed.fields is not None
            self.fields = parsed.fields or {}
            self.first_line = parsed.first_line

    @property
    def misnamed(self) -> bool:
        """Whether the file is spelled in another way than SKILL.md."""
        return self.tree.skill_file is not None and self.tree.skill_file != SKILL_FILE

    def found(self, slug: str) -> Iterator[Finding]:
        """What was found under `slug` while the skill was read."""
        return (finding for name, finding in self.problems if name == slug)

    def string(self, name: str) -> str | None:
        """The text of the field `name`; None when it is absent or not a string."""
        field = self.fields.get(name)
        return field.text if field is not None else None

    def at(self, name: str, message: str, fix: str = "") -> Finding:
        """A finding about the value of the field `name`, which the skill has."""
        field = self.fields[name]
        return Finding(message, fix, name, field.line, field.column)

    @property
    def texts(self) -> dict[str, str]:
        """The text of each file of a known kind, by its name in the skill; SKILL.md comes first."""
        if self._texts is None:
            self._texts = {}
            if self.text is not None and self.tree.skill_file:
                self._texts[self.tree.skill_file] = self.text
            left = MAX_TEXT
            for name in self.tree.files:
                if not name.endswith(TEXTS) or name in self._texts:
                    continue
                text = peek_text(self.tree, name) if left > 0 else None
                if text is None:
                    self.unread.append(name)
                else:
                    self._texts[name] = text
                    left -= len(text)
        return self._texts

    @property
    def scripts(self) -> list[Script]:
        """The Python files of the skill."""
        if self._scripts is None:
            names = [name for name in self.tree.files if name.endswith(".py")]
            self._scripts = [Script(n, self.tree.path(n), self.texts[n]) for n in names if n in self.texts]
        return self._scripts

    def document(self, name: str) -> Document:
        """The links, code and comments of the Markdown file `name`; of SKILL.md those of its body."""
        if name not in self._documents:
            if name == self.tree.skill_file:
                self._documents[name] = markdown.parse(self.body, self.body_line)
            else:
                self._documents[name] = markdown.parse(self.texts.get(name, ""))
        return self._documents[name]

    def documents(self, *signs: str, form: Form | None = None) -> Iterator[tuple[str, Document]]:
        """Each Markdown file of the skill that holds one of `signs`, and passes `form`; SKILL.md first.

        A file without a sign of what a rule looks for need not be parsed, which takes longer than all else.
        """
        for name, text in self.texts.items():
            if not name.endswith(".md") and name != self.tree.skill_file:
                continue
            if any(sign in text for sign in signs) and (form is None or form(text)):
                yield name, self.document(name)

    @property
    def modules(self) -> frozenset[str]:
        """The names under which the skill's own Python files and their folders can be imported, the skill's own too."""
        if self._modules is None:
            own = (part for name in self.tree.names if name.endswith(".py") for part in name.split("/"))
            self._modules = frozenset({self.tree.folder, *(part.removesuffix(".py") for part in own)})
        return self._modules

    @property
    def has_links(self) -> bool:
        """Whether there may be links, or files beside SKILL.md."""
        return self.text is not None and (len(self.tree.files) > 1 or "](" in self.body or "]:" in self.body)

    @property
    def has_code(self) -> bool:
        """Whether a rule about code may find something: there are files beside SKILL.md, or words of code in it."""
        if self.text is None:
            return False
        if len(self.tree.files) > 1 or any(word in self.body for word in CODE_WORDS):
            return True
        return "irm" in self.body and re.search(IRM, self.body) is not None

    @property
    def has_hidden(self) -> bool:
        """Whether there may be text that a reader does not see."""
        if self.text is None:
            return False
        if len(self.tree.files) > 1 or "<!--" in self.text:
            return True
        if self.text.isascii():
            return False
        others = self.text.encode().translate(None, _ASCII).decode()  # few, and found in half the time
        return re.search(INVISIBLE, others) is not None

    @property
    def data_files(self) -> list[str]:
        """The JSON files whose form is known: evals of a skill, manifests of a tree."""
        if self.tree.skill_file is None:
            return self.tree.files
        return [name for name in self.tree.files if name.endswith(".json") and name.startswith("evals/")]

    @property
    def brief(self) -> Brief | None:
        """What the rules of the tree compare; None without a description."""
        description = self.string("description")
        if not description:
            return None
        field = self.fields["description"]
        return Brief(self.path, self.string("name") or self.tree.folder, description, field.line, field.column)


def load_skill(tree: Tree) -> Skill:
    """Reads the skill in `tree`. What is wrong with it is in its `problems`; nothing is raised."""
    return Skill(tree)
