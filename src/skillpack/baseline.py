"""Known findings, kept in a file so that a build fails for new ones only. The file gets shorter and never longer.

A finding is known by its rule, its file, its field and its message without the numbers in it: it stays the same when
lines move above it or a length changes. Paths are relative to the folder of the file, so any folder may be the
current one. What the file holds more than is found was fixed; `update` takes it out.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from skillpack.checker import CRASHED
from skillpack.diagnostics import Diagnostic
from skillpack.errors import Failure, UsageFailure
from skillpack.kit.script import write_atomic
from skillpack.rules import Rule

VERSION = 1


class Known(NamedTuple):
    """What makes a finding the same as one found before."""

    path: str
    slug: str
    field: str
    message: str


def compare(
    diagnostics: Sequence[Diagnostic], name: str, covered: Sequence[str], rules: Sequence[Rule], *, update: bool
) -> list[Diagnostic]:
    """The diagnostics that the baseline `name` does not know; how many it knows is said on standard error.

    `covered` are the paths that were checked, and `rules` those that took part: of anything else the baseline holds
    nothing is said to be fixed. With `update` the file loses what was fixed, or is made when there is none.
    Raises UsageFailure when there is none otherwise, or it cannot be read.
    """
    path = Path(name)
    if update and not path.exists():
        known = Counter(_known(one, path) for one in diagnostics if one.slug != CRASHED)
        _write(path, known)
        click.echo(f"wrote {name}: {known.total()} findings are known from now on", err=True)
        return [one for one in diagnostics if one.slug == CRASHED]
    known = _read(path)
    unseen = Counter(known)
    new = []
    for diagnostic in diagnostics:
        key = _known(diagnostic, path)
        if diagnostic.slug != CRASHED and unseen[key] > 0:
            unseen[key] -= 1
        else:
            new.append(diagnostic)
    roots = [_relative(root, path) for root in covered]
    slugs = {rule.slug for rule in rules}
    judged = {
        key: n for key, n in unseen.items() if key.slug in slugs and any(_is_in(key.path, root) for root in roots)
    }
    fixed = Counter(judged).total()
    hidden = len(diagnostics) - len(new)
    if update and fixed:
        _write(path, known - Counter(judged))
    todo = "" if not fixed else f"; {fixed} fixed, {'taken out' if update else '--update-baseline takes them out'}"
    click.echo(f"baseline: {hidden} known finding{'s' * (hidden != 1)} left out{todo}", err=True)
    return new


def _known(diagnostic: Diagnostic, baseline: Path) -> Known:
    message = re.sub(r"\d[\d,.]*", "#", diagnostic.message)
    return Known(_relative(diagnostic.location.path, baseline), diagnostic.slug, diagnostic.field, message)


def _relative(path: str, baseline: Path) -> str:
    return os.path.relpath(path, baseline.absolute().parent).replace(os.sep, "/")


def _is_in(path: str, root: str) -> bool:
    return root == "." or path == root or path.startswith(f"{root}/")


def _read(path: Path) -> Counter[Known]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != VERSION:
            raise UsageFailure(f"{path}: the version is {document['version']!r}; this program reads {VERSION}")
        entries = document["findings"]
        return Counter({Known(e["path"], e["slug"], e["field"], e["message"]): int(e["count"]) for e in entries})
    except FileNotFoundError:
        raise UsageFailure(f"{path} does not exist; --update-baseline makes it of what is found now") from None
    except OSError as error:
        raise UsageFailure(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageFailure(f"{path} is no baseline; delete it, and --update-baseline makes a new one") from None


def _write(path: Path, known: Counter[Known]) -> None:
    entries = [{**key._asdict(), "count": number} for key, number in sorted(known.items()) if number > 0]
    try:
        write_atomic(path, json.dumps({"version": VERSION, "findings": entries}, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None
