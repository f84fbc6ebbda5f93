"""Skills x rules -> diagnostics. Nothing prints, nothing is raised for what a skill contains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from skillpack.diagnostics import ERROR, Diagnostic, Finding, Location, redacted
from skillpack.rules import Rule
from skillpack.skill import Skill

#: The slug under which a rule that failed is reported. It has no module: it is about the program.
CRASHED = "rule-crashed"


def check(skills: Iterable[Skill], rules: Sequence[Rule]) -> list[Diagnostic]:
    """Every finding of every rule on every skill, sorted by place."""
    return sorted(diagnostic for skill in skills for rule in rules for diagnostic in _apply(rule, skill))


def _apply(rule: Rule, skill: Skill) -> Iterator[Diagnostic]:
    """The findings of one rule on one skill; when the rule fails, that is a finding too."""
    try:
        for finding in rule.judge(skill):
            yield _diagnostic(skill, rule.slug, finding, rule)
    except Exception as error:  # noqa: BLE001 a defect of one rule must neither hide the others nor pass
        # The type only: the message may hold what the skill holds.
        message = f"the rule {rule.slug} failed with {type(error).__name__} and judged nothing"
        fix = "report it as a defect of skillpack"
        yield _diagnostic(skill, CRASHED, Finding(message, fix, severity=ERROR), rule)


def _diagnostic(skill: Skill, slug: str, finding: Finding, rule: Rule) -> Diagnostic:
    return Diagnostic(
        Location(finding.path or skill.path, finding.line, finding.column),
        slug,
        finding.severity or rule.severity,
        redacted(finding.field),
        redacted(finding.message),
        redacted(finding.fix),
    )
