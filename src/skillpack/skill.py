"""Tree -> Skill: what a skill's folder says, read once, for the rules to judge."""

from __future__ import annotations

from collections.abc import Iterator

from skillpack import frontmatter
from skillpack.diagnostics import Finding, Problem
from skillpack.frontmatter import Field
from skillpack.source import SKILL_FILE, Tree, read_text


class Skill:
    """A skill as it was read. `fields` is empty and `readable` false when there was no frontmatter to read."""

    __slots__ = ("body", "body_line", "fields", "first_line", "path", "problems", "readable", "text", "tree")

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


def load_skill(tree: Tree) -> Skill:
    """Reads the skill in `tree`. What is wrong with it is in its `problems`; nothing is raised."""
    return Skill(tree)
