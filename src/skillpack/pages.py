"""The rules as pages: `skillpack explain SLUG`, `skillpack rules`, and docs/rules.md, all from the rules' docstrings.

A docstring is one line, then `Why:`, `Fix:`, and `Spec:` where the rule rests on a sentence of the specification.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import click

from skillpack.errors import EXIT_FINDINGS
from skillpack.rules import SPEC_GROUPS, Rule, discover

SPECIFICATION = "https://agentskills.io/specification"
#: The text that the quotations were held against, and when.
QUOTED = "agentskills/agentskills at 69ef37e of 2026-08-09, read on 2026-11-21"


def page(rule: Rule) -> str:
    """All that is known of a rule, for a terminal."""
    text = f"{rule.slug} ({', '.join(_traits(rule))})\n\n{rule.documentation}\n"
    if "\nSpec: " in rule.documentation:
        text += f"\n{SPECIFICATION}\n({QUOTED})\n"
    return text


def markdown(rules: Sequence[Rule]) -> str:
    """The pages of all rules as one document."""
    lines = [
        "# Rules",
        "",
        "<!-- Generated: `skillpack rules --markdown > docs/rules.md`. -->",
        "",
        "An error is a MUST of the specification, or makes a client drop the skill; a warning is likely to be a",
        "mistake; a notice is a matter of judgment. `fix` means that `skillpack validate --fix` can mend it, or a part",
        "of it, some only with `--unsafe`. The cases of each rule are in `tests/rules/<slug>/`.",
        "",
        f"Quotations are from the [specification]({SPECIFICATION}): {QUOTED}.",
        "",
        "| rule | severity | profile | fix | says |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rule in rules:
        severity, profile, *more = _traits(rule)
        cells = (f"[{rule.slug}](#{rule.slug})", severity, profile, "yes" if more else "", rule.summary)
        lines.append(f"| {' | '.join(cells)} |")
    for rule in rules:
        lines += ["", f"## {rule.slug}", "", f"*{', '.join(_traits(rule))}*", "", rule.summary]
        for head, text in sections(rule):
            lines += ["", f"> {text}" if head == "Spec" else f"**{head}:** {text}"]
    return "\n".join([*lines, ""])


def sections(rule: Rule) -> list[tuple[str, str]]:
    """What follows the summary of a rule: (`Why`, `Fix` or `Spec`, its text on one line)."""
    found: list[tuple[str, str]] = []
    for line in rule.documentation.split("\n")[1:]:
        head, colon, text = line.partition(": ")
        if colon and head in ("Why", "Fix", "Spec"):
            found.append((head, text.strip()))
        elif line.strip() and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
    return found


def _traits(rule: Rule) -> list[str]:
    """Severity, first profile, and whether there is a fix."""
    profile = "spec" if rule.group in SPEC_GROUPS and rule.profile == "recommended" else rule.profile
    return [rule.severity.label, profile, *(["fix"] if rule.fix is not None else [])]


@click.command(epilog="Examples:\n\n  skillpack explain name-format\n\n  skillpack explain unquoted-colon")
@click.argument("slug")
def explain(slug: str) -> None:
    """Print what the rule SLUG wants, why, how to mend it, and the sentence of the specification behind it.

    Exit codes: 0 printed, 2 no rule has this name.
    """
    _print_page(slug)


def _print_page(slug: str) -> None:
    from skillpack.config import known_rule

    rules = {rule.slug: rule for rule in discover()}
    known_rule(slug, rules)
    click.echo(page(rules[slug]), nl=False)


@click.command(
    name="rules",
    epilog="Examples:\n\n  skillpack rules\n\n  skillpack rules --markdown > docs/rules.md\n\n"
    "  skillpack rules --check docs/rules.md",
)
@click.argument("slug", required=False)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the pages of all rules as Markdown.")
@click.option("--check", metavar="FILE", help="Print nothing if FILE is what --markdown prints; else the difference.")
def list_rules(slug: str | None, as_markdown: bool, check: str | None) -> int:
    """List the rules; with SLUG the same as `skillpack explain SLUG`.

    Exit codes: 0 printed or in step, 1 FILE has drifted, 2 no rule has this name.
    """
    rules = discover()
    if slug is not None:
        _print_page(slug)
    elif check is not None:
        path = Path(check)
        before = path.read_bytes().decode() if path.is_file() else ""
        after = markdown(rules)
        lines = difflib.unified_diff(
            before.splitlines(True), after.splitlines(True), f"{check} (now)", f"{check} (made)"
        )
        click.echo("".join(lines), nl=False)
        if before != after:
            click.echo(f"{check} has drifted; run `skillpack rules --markdown > {check}`", err=True)
            return EXIT_FINDINGS
    elif as_markdown:
        click.echo(markdown(rules), nl=False)
    else:
        width = max(len(rule.slug) for rule in rules)
        for rule in rules:
            click.echo(f"{rule.slug:<{width}}  {rule.severity.label:<7}  {rule.summary}")
    return 0
