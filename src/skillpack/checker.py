"""Skills x rules -> diagnostics. Nothing prints, nothing is raised for what a skill contains."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from skillpack.diagnostics import ERROR, Diagnostic, Finding, Location, Severity, redacted
from skillpack.rules import GROUPS, Rule
from skillpack.skill import Brief, Skill
from skillpack.suppress import Suppression, apply, suppressions

#: The slug under which a rule that failed is reported. It has no module: it is about the program.
CRASHED = "rule-crashed"


class Judged(NamedTuple):
    """What the rules said of some skills, and what is kept of those to compare them."""

    found: set[Diagnostic]
    stated: list[Suppression]
    briefs: list[Brief]


def check(skills: Iterable[Skill], rules: Sequence[Rule]) -> list[Diagnostic]:
    """Every finding of every rule on every skill, sorted by place, each once. A skill is let go once it is judged."""
    return conclude([judge(skills, rules)], rules)


def judge(skills: Iterable[Skill], rules: Sequence[Rule]) -> Judged:
    """What each skill by itself gives, in no order."""
    groups: dict[str, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(rule.group, []).append(rule)
    groups.pop("tree", None)
    judged = Judged(set(), [], [])
    # Syntax trees and the events of a parser are hundreds of thousands of objects and no cycles among them.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for skill in skills:
            noted = {slug for slug, _ in skill.problems}
            for group, asked in groups.items():
                if GROUPS[group](skill):
                    for rule in asked:
                        if group != "noted" or rule.slug in noted:
                            _apply(rule, skill.path, skill, judged.found)
            judged.stated.extend(suppressions(skill))
            if (brief := skill.brief) is not None:
                judged.briefs.append(brief)
    finally:
        if collecting:
            gc.enable()
    return judged


def conclude(parts: Iterable[Judged], rules: Sequence[Rule]) -> list[Diagnostic]:
    """The findings of all parts and of the rules that compare skills, without what is suppressed, sorted."""
    found: set[Diagnostic] = set()
    stated: list[Suppression] = []
    briefs: list[Brief] = []
    for part in parts:
        found |= part.found
        stated += part.stated
        briefs += part.briefs
    briefs.sort()
    if len(briefs) > 1:
        for rule in rules:
            if rule.group == "tree":
                _apply(rule, briefs[0].path, briefs, found)
    return sorted(apply(found, stated, {rule.slug for rule in rules}) if stated else found)


def _apply(rule: Rule, path: str, judged: Skill | Sequence[Brief], found: set[Diagnostic]) -> None:
    """Adds to `found` what one rule finds in one skill or tree; when the rule fails, that is a finding too."""
    try:
        for finding in rule.judge(judged):
            found.add(_diagnostic(path, rule.slug, finding, rule.severity))
    except Exception as error:  # noqa: BLE001 a defect of one rule must neither hide the others nor pass
        # The type only: the message may hold what the skill holds.
        message = f"the rule {rule.slug} failed with {type(error).__name__} and judged nothing"
        fix = "report it as a defect of skillpack"
        found.add(_diagnostic(path, CRASHED, Finding(message, fix, severity=ERROR), ERROR))


def _diagnostic(path: str, slug: str, finding: Finding, severity: Severity) -> Diagnostic:
    return Diagnostic(
        Location(finding.path or path, finding.line, finding.column),
        slug,
        finding.severity or severity,
        redacted(finding.field),
        redacted(finding.message),
        redacted(finding.fix),
    )
