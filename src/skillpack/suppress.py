"""Findings that an author answers for: `<!-- skillpack: ignore RULE, RULE: reason -->` in a Markdown file.

The comment holds for the whole file that it stands in. It needs a reason, and it is reported once it is not needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from skillpack.diagnostics import WARNING, Diagnostic, Location, quoted
from skillpack.skill import Skill

UNUSED = "suppression-unused"
_MARK = "skillpack: ignore"


class Suppression(NamedTuple):
    """One rule of one comment."""

    path: str
    slug: str
    line: int
    column: int
    reason: str


def suppressions(skill: Skill) -> Iterator[Suppression]:
    """Those in the Markdown files of `skill`."""
    if skill.text is None:
        return
    for name, text in skill.texts.items() if len(skill.tree.files) > 1 else [(skill.tree.skill_file or "", skill.text)]:
        if not name.endswith(".md") or _MARK not in text:
            continue
        for comment in skill.document(name).comments:
            before, mark, said = comment.text.strip().partition(_MARK)
            if mark and not before:
                slugs, _, reason = said.partition(":")
                for slug in slugs.replace(",", " ").split():
                    place = (comment.line, comment.column, reason.strip())
                    yield Suppression(skill.tree.path(name), slug, *place)


def apply(found: set[Diagnostic], stated: list[Suppression], asked: Collection[str]) -> set[Diagnostic]:
    """`found` without what is suppressed, and with a finding for each suppression that is wrong or not needed.

    `asked` are the rules that took part: of another rule nothing can be said.
    """
    covered = {(one.path, one.slug) for one in stated if one.reason}
    used = {(finding.location.path, finding.slug) for finding in found}
    kept = {finding for finding in found if (finding.location.path, finding.slug) not in covered}
    for one in stated:
        if not one.reason:
            message, fix = "the comment gives no reason and has no effect", f"write `{_MARK} {one.slug}: why`"
        elif one.slug not in asked:
            continue
        elif (one.path, one.slug) not in used:
            message, fix = f"the comment suppresses {quoted(one.slug)}, which finds nothing here", "delete it"
        else:
            continue
        kept.add(Diagnostic(Location(one.path, one.line, one.column), UNUSED, WARNING, "", message, fix))
    return kept
