"""Rules: one module each, found by discovery. The module's docstring is the rule's page.

A rule is `rules/<slug>.py` or `rules/<group>/<slug>.py` with the hyphens of its slug written as underscores: a
docstring (one line, `Why:`, `Fix:`) and one function, decorated with `@rule`, that yields a `Finding` for each place
that breaks it. A function `fix` beside it proposes what to change (`edits`). Its group says what a skill must have for
the rule to be asked at all (`GROUPS`); a module that no skill needs is not imported, which keeps a start cheap.
"""

# pathlib and pkgutil take longer to import than the rules themselves.
# ruff: noqa: PTH118, PTH120, PTH208

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from skillpack.diagnostics import Finding, Severity
from skillpack.skill import Brief, Skill

if TYPE_CHECKING:
    from skillpack.edits import Fix

Judge = Callable[[Skill], Iterator[Finding]]
JudgeAll = Callable[[Sequence[Brief]], Iterator[Finding]]

#: In which profile a rule takes part: its own and those after it.
PROFILES = ("spec", "recommended", "strict")

#: Group (a folder) -> whether a skill has what its rules are about. "" are the rules that every skill is asked;
#: `noted` report what was noted while reading; `strict` are of that profile alone; `tree` compare the skills of a tree.
GROUPS: dict[str, Callable[[Skill], bool]] = {
    "": lambda skill: True,
    "noted": lambda skill: bool(skill.problems),
    "body": lambda skill: skill.text is not None,
    "links": lambda skill: skill.has_links,
    "scripts": lambda skill: bool(skill.scripts),
    "code": lambda skill: skill.has_code,
    "hidden": lambda skill: skill.has_hidden,
    "data": lambda skill: bool(skill.data_files),
    "strict": lambda skill: skill.text is not None,
    "tree": lambda skill: False,
}

#: The groups of the profile `spec`: what the specification says, from the frontmatter and the names of files.
SPEC_GROUPS = ("", "noted")


class Rule:
    """A rule: slug, severity of its findings unless they carry their own, profile, and the function that judges.

    Made with a slug and a module alone, the rest is imported when it is first asked for.
    """

    __slots__ = ("group", "judge", "module", "profile", "severity", "slug")
    severity: Severity
    profile: str
    judge: Any  # a Judge, and in the group `tree` a JudgeAll

    def __init__(self, slug: str, severity: Severity, judge: Judge | JudgeAll, profile: str = "recommended") -> None:
        self.slug, self.severity, self.judge, self.profile = slug, severity, judge, profile
        self.module, self.group = judge.__module__, ""

    @classmethod
    def named(cls, slug: str, module: str, group: str) -> Rule:
        """The rule in `module`, which is not imported yet."""
        made = cls.__new__(cls)
        made.slug, made.module, made.group = slug, module, group
        return made

    def __getattr__(self, name: str) -> Any:
        if name not in ("severity", "judge", "profile"):
            raise AttributeError(name)
        found = import_module(self.module).check
        self.severity, self.judge, self.profile = found.severity, found.judge, found.profile
        return getattr(self, name)

    @property
    def fix(self) -> Callable[[Skill], Iterator[Fix]] | None:
        """The rule's `fix`, which its module may have beside its `check`."""
        found: Callable[[Skill], Iterator[Fix]] | None = getattr(import_module(self.module), "fix", None)
        return found

    @property
    def documentation(self) -> str:
        """The docstring of the rule's module."""
        return (import_module(self.module).__doc__ or "").strip()

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return self.documentation.partition("\n")[0]


def rule(*, severity: Severity, profile: str = "recommended") -> Callable[[Judge], Rule]:
    """Makes a rule of the function it decorates; the module's name gives the slug."""

    def register(judge: Judge) -> Rule:
        return Rule(_slug(judge.__module__), severity, judge, profile)

    return register


def rule_of_tree(*, severity: Severity, profile: str = "recommended") -> Callable[[JudgeAll], Rule]:
    """The same for a rule that compares all skills of a tree. Its findings carry their `path`."""

    def register(judge: JudgeAll) -> Rule:
        return Rule(_slug(judge.__module__), severity, judge, profile)

    return register


def _slug(module: str) -> str:
    return module.rpartition(".")[2].replace("_", "-")


def discover() -> list[Rule]:
    """Every rule of this package, sorted by slug. Modules that begin with an underscore are shared code."""
    rules = []
    here = os.path.dirname(__file__)
    for group in GROUPS:
        package = f"{__name__}.{group}" if group else __name__
        for name in os.listdir(os.path.join(here, group)):
            if name.endswith(".py") and name[0] != "_":
                module = f"{package}.{name[:-3]}"
                rules.append(Rule.named(_slug(module), module, group))
    return sorted(rules, key=lambda found: found.slug)
