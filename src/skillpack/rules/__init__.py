"""Rules: one module each, found by discovery. The module's docstring is the rule's page.

A rule is `rules/<slug>.py` with the hyphens of its slug written as underscores: a docstring (one line, `Why:`,
`Fix:`) and one function, decorated with `@rule`, that yields a `Finding` for each place that breaks it.
"""

# pathlib and pkgutil take longer to import than the rules themselves.
# ruff: noqa: PTH208, PTH120

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module

from skillpack.diagnostics import Finding, Severity
from skillpack.skill import Skill

Judge = Callable[[Skill], Iterator[Finding]]


class Rule:
    """A rule: its slug, the severity of its findings unless they carry their own, and the function that judges."""

    __slots__ = ("judge", "severity", "slug")

    def __init__(self, slug: str, severity: Severity, judge: Judge) -> None:
        self.slug, self.severity, self.judge = slug, severity, judge

    @property
    def documentation(self) -> str:
        """The docstring of the rule's module."""
        return (import_module(self.judge.__module__).__doc__ or "").strip()

    @property
    def summary(self) -> str:
        """The first line of the documentation."""
        return self.documentation.partition("\n")[0]


def rule(*, severity: Severity) -> Callable[[Judge], Rule]:
    """Makes a rule of the function it decorates; the module's name gives the slug."""

    def register(judge: Judge) -> Rule:
        return Rule(judge.__module__.rpartition(".")[2].replace("_", "-"), severity, judge)

    return register


def discover() -> list[Rule]:
    """Every rule of this package, sorted by slug. Modules that begin with an underscore are shared code."""
    names = sorted(
        name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py") and name[0] != "_"
    )
    rules = [import_module(f"{__name__}.{name}").check for name in names]
    return sorted(rules, key=lambda found: found.slug)
