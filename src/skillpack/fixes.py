"""Fixes -> files. A fix is tried on a draft of the skill and kept if the findings get fewer; then files are written.

Nothing outside the skill's folder is changed and no link is followed. A file is written in one step, so that whoever
reads it, or kills the program, sees the old bytes or the new ones.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from skillpack.checker import CRASHED
from skillpack.diagnostics import Diagnostic, count, redacted
from skillpack.edits import Fix
from skillpack.errors import Failure
from skillpack.reports.text import visible
from skillpack.rules import Rule
from skillpack.skill import Skill, load_skill
from skillpack.source import Tree, find, is_executable, peek_bytes

Judge = Callable[[Skill], list[Diagnostic]]


class Change(NamedTuple):
    """A file at `path` that is to become other than it was."""

    path: str
    before: bytes
    after: bytes
    #: Whether it becomes executable, which it was not.
    executable: bool


class Repair(NamedTuple):
    """What the fixes of one skill come to: (path, rule, what was done) for each, and the files."""

    done: list[tuple[str, str, str]]
    changes: list[Change]
    #: How many fixes wait for `--unsafe`.
    unsafe: int


def run(trees: Iterable[Tree], rules: Sequence[Rule], judge: Judge, unsafe: bool, show: bool) -> list[Change]:
    """Repairs every skill in `trees`, and says on standard error what was done; with `show` the diff is printed."""
    import click

    changes: dict[str, Change] = {}
    waiting = 0
    for tree in trees:
        if tree.skill_file is None:
            continue
        repaired = repair(tree, rules, judge, unsafe=unsafe)
        waiting += repaired.unsafe
        for path, slug, said in [] if show else repaired.done:
            click.echo(visible(f"fixed {path}: {said} [{slug}]"), err=True)
        for change in repaired.changes:
            if not show:
                write(change)
            changes.setdefault(change.path, change)  # a file can be in two skills, one inside the other
    if show:
        shown = diff(changes.values())
        click.echo(
            "".join(visible(line) + "\n" for line in shown.split("\n")[:-1]) if sys.stdout.isatty() else shown, nl=False
        )
    if waiting and not unsafe:
        click.echo(f"{waiting} more with --unsafe; they change what a skill says: look at them with --diff", err=True)
    return list(changes.values())


def repair(tree: Tree, rules: Sequence[Rule], judge: Judge, *, unsafe: bool = False) -> Repair:
    """The fixes of `rules` that leave the skill in `tree` with less to object to. Nothing is written.

    They are tried one after the other, each on what the last one left: so they never overlap, and one that does not
    help, or brings a finding of its own, is passed over.
    """
    drafts: dict[str, tuple[bytes, bool]] = {}
    done: list[tuple[str, str, str]] = []
    refused: set[Fix] = set()
    skill, found = _looked_at(tree, drafts, judge)
    while (proposal := _next(skill, found, rules, refused, unsafe)) is not None:
        slug, fix = proposal
        tried = _applied(skill.tree, fix, drafts)
        then, left = _looked_at(tree, tried, judge) if tried != drafts else (skill, found)
        if _is_better(skill, found, then, left, slug):
            paths = {skill.tree.path(name) for name in (*(edit.name for edit in fix.edits), fix.executable) if name}
            done += [(path, slug, redacted(fix.said)) for path in sorted(paths)]
            drafts, skill, found = tried, then, left
        else:
            refused.add(fix)
    waiting = {fix.edits for _, fix in _proposals(skill, found, rules) if not fix.safe and fix not in refused}
    return Repair(done, [_change(tree, path, draft) for path, draft in drafts.items()], len(waiting))


def _looked_at(tree: Tree, drafts: dict[str, tuple[bytes, bool]], judge: Judge) -> tuple[Skill, list[Diagnostic]]:
    """The skill as it would be with `drafts`, and what there is to object to then."""
    again = find(tree.path(tree.skill_file or ""))[0]
    again.drafts = drafts
    skill = load_skill(again)
    return skill, judge(skill)


def _proposals(skill: Skill, found: Sequence[Diagnostic], rules: Sequence[Rule]) -> Iterator[tuple[str, Fix]]:
    slugs = {diagnostic.slug for diagnostic in found}
    for rule in rules:
        if rule.slug in slugs and rule.fix is not None:
            for fix in rule.fix(skill):
                yield rule.slug, fix


def _next(
    skill: Skill, found: Sequence[Diagnostic], rules: Sequence[Rule], refused: set[Fix], unsafe: bool
) -> tuple[str, Fix] | None:
    for slug, fix in _proposals(skill, found, rules):
        if fix not in refused and (fix.safe or unsafe):
            return slug, fix
    return None


def _applied(tree: Tree, fix: Fix, drafts: dict[str, tuple[bytes, bool]]) -> dict[str, tuple[bytes, bool]]:
    """`drafts` with `fix`; the same where it would touch a file that is a link, or lies behind one."""
    names = {edit.name for edit in fix.edits} | ({fix.executable} if fix.executable else set())
    after = dict(drafts)
    for name in names:
        path = tree.path(name)
        data = peek_bytes(tree, name)
        if data is None or os.path.realpath(path) != str(Path(tree.real, name)):
            return drafts
        for edit in sorted((edit for edit in fix.edits if edit.name == name), reverse=True):
            data = data[: edit.start] + edit.text.encode() + data[edit.end :]
        after[path] = (data, is_executable(tree, name) or fix.executable == name)
    return after


def _is_better(before: Skill, found: Sequence[Diagnostic], after: Skill, left: Sequence[Diagnostic], slug: str) -> bool:
    """Whether a fix for `slug` helped: that rule has less to say, no other rule has begun to, and less is found."""
    slugs, then = ([diagnostic.slug for diagnostic in each] for each in (found, left))
    if CRASHED in then or then.count(slug) >= slugs.count(slug):
        return False
    if after.readable and not before.readable:
        return True  # what is wrong in the frontmatter shows for the first time
    return set(then) <= set(slugs) and list(count(left).values()) < list(count(found).values())


def _change(tree: Tree, path: str, draft: tuple[bytes, bool]) -> Change:
    name = os.path.relpath(path, tree.root)
    return Change(path, peek_bytes(tree, name) or b"", draft[0], draft[1] and not is_executable(tree, name))


def write(change: Change) -> None:
    """Writes the file in one step. Raises Failure where it was changed meanwhile or cannot be written."""
    from skillpack.kit.script import write_atomic

    path = Path(change.path)
    try:
        if path.is_symlink() or path.read_bytes() != change.before:
            raise Failure(f"{change.path} was changed while it was checked; run the command again")
        if change.after != change.before:
            write_atomic(path, change.after.decode())
        if change.executable:
            mode = path.stat().st_mode
            path.chmod(mode | (mode & 0o444) >> 2)
    except OSError as error:
        raise Failure(f"{change.path} cannot be written: {error.strerror}") from None


def diff(changes: Iterable[Change]) -> str:
    """The changes as a unified diff, which `git apply` and `patch` take. What looks like a token is redacted."""
    shown = []
    for change in changes:
        path = change.path.replace(os.sep, "/").lstrip("/")
        if change.executable:
            shown.append(f"diff --git a/{path} b/{path}\nold mode 100644\nnew mode 100755\n")
        before, after = (data.decode("utf-8", "replace") for data in (change.before, change.after))
        for line in difflib.unified_diff(_lines(before), _lines(after), f"a/{path}", f"b/{path}"):
            shown.append(redacted(line) if line.endswith("\n") else f"{redacted(line)}\n\\ No newline at end of file\n")
    return "".join(shown)


def _lines(text: str) -> list[str]:
    """The lines of `text` with their ends; only a line feed ends one, as in `git`."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
