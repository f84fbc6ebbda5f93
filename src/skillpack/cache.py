"""What the rules said of each skill, kept in a folder: a skill that did not change is not judged again.

A skill is known by a hash of all that a judgement rests on: this program, its rules and Python, and the skill's files,
by name, content and mode. Nothing depends on times, so that a fresh checkout finds what another has kept. Rules that
compare skills are asked anew each time. The file is JSON, since a cache that is shared may come from anywhere; whoever
can write it can hide findings.
"""

# pathlib takes longer to import than a validation takes to run.
# ruff: noqa: PTH103, PTH112, PTH118, PTH120, PTH123

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

from skillpack.checker import CRASHED, Judged, judge
from skillpack.diagnostics import Diagnostic, Location, Severity, quoted
from skillpack.errors import UsageFailure
from skillpack.rules import Rule
from skillpack.skill import Brief, load_skill
from skillpack.source import Tree, is_executable, is_link, peek_bytes
from skillpack.suppress import Suppression

SCHEMA = "skillpack/cache/1"
#: A judgement that was not needed for so many days is dropped.
DAYS = 30

Entry = dict[str, Any]


class Cache:
    """The judgements in the folder `folder` by these rules. Raises UsageFailure where there can be no such folder."""

    def __init__(self, folder: str, rules: Sequence[Rule]) -> None:
        self.path = os.path.join(folder, "validate.json")
        self.rules = rules
        self.program = _program(rules)
        self.today = int(time.time() // 86_400)
        try:
            if not os.path.isdir(folder):
                os.makedirs(folder, exist_ok=True)
                # Only in a folder of its own: `--cache .` must not hide a repository from git.
                with open(os.path.join(folder, ".gitignore"), "w", encoding="utf-8") as file:
                    file.write("*\n")
        except OSError as error:
            raise UsageFailure(f"--cache {quoted(folder)}: {error.strerror}; name a folder to write in") from None
        self.known = _read(self.path, self.program)
        #: What was asked for, by key: what `known` had, and what is new and has no day on which it was used yet.
        self.asked: dict[str, Entry] = {}
        #: How many were known, once it is saved.
        self.hits = 0
        #: Why what is new was not kept, once it is saved; "" where it was.
        self.unsaved = ""

    def judge(self, trees: Iterable[Tree]) -> Judged:
        """What each skill by itself gives, from what is kept where it can be."""
        whole = Judged(set(), [], [])
        for tree in trees:
            key = self._key(tree)
            entry = self.known.get(key) if key else None
            part = _decoded(entry)
            if part is None:
                part = judge([load_skill(tree)], self.rules)
                entry = _encoded(part) if not any(one.slug == CRASHED for one in part.found) else None
            if key and entry is not None:
                self.asked[key] = entry
            whole.found.update(part.found)
            whole.stated.extend(part.stated)
            whole.briefs.extend(part.briefs)
        return whole

    def save(self, others: Iterable[dict[str, Entry]]) -> None:
        """Writes what was asked for here and, in the other processes, by the `others`.

        A file that cannot be written, as in a folder that is shared for reading, costs time later and no finding.
        """
        from skillpack.kit.script import write_atomic

        for other in others:
            self.asked.update(other)
        self.hits = sum("used" in entry for entry in self.asked.values())
        kept = {key: entry for key, entry in self.known.items() if self.today - entry["used"] <= DAYS}
        now = {**kept, **{key: {**entry, "used": self.today} for key, entry in self.asked.items()}}
        if now != self.known:
            from pathlib import Path

            document = {"schema": SCHEMA, "program": self.program, "skills": now}
            try:
                write_atomic(Path(self.path), json.dumps(document, separators=(",", ":")))
            except OSError as error:
                self.unsaved = f"{quoted(self.path)} cannot be written: {error.strerror}"

    def _key(self, tree: Tree) -> str | None:
        """The hash of a skill; None for what is judged anew each time, having links or looking outside its folder."""
        if tree.skill_file is None or tree.drafts:
            return None
        digest = hashlib.blake2b(self.program.encode(), digest_size=20)
        digest.update(repr((tree.root, tree.folder, tree.skill_file, tree.problems)).encode(errors="backslashreplace"))
        for name in sorted(tree.files):
            if is_link(tree, name):
                return None
            data = peek_bytes(tree, name)  # None: too large, or not to be read; so it is for the rules
            size = -1 if data is None else len(data)
            digest.update(repr((name, is_executable(tree, name), size)).encode(errors="backslashreplace"))
            digest.update(data or b"")
            if data is None and name == tree.skill_file:
                return None
        return digest.hexdigest()


def _program(rules: Sequence[Rule]) -> str:
    """A hash of this program, of what it parses with, and of the rules that are asked."""
    import pyromark
    import yaml

    parts = (sys.version, yaml.__version__, yaml.__with_libyaml__, pyromark.__version__, [rule.slug for rule in rules])
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=20)
    for folder, folders, names in os.walk(os.path.dirname(__file__)):
        folders[:] = sorted(set(folders) - {"__pycache__", "hub", "kit"})
        for name in sorted(names):
            with open(os.path.join(folder, name), "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()


def _read(path: str, program: str) -> dict[str, Entry]:
    """The judgements in the file; none when it is missing, broken, or of another program."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        known = document["skills"] if document["schema"] == SCHEMA and document["program"] == program else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {
        key: entry for key, entry in known.items() if isinstance(entry, dict) and isinstance(entry.get("used"), int)
    }


def _encoded(part: Judged) -> Entry:
    found = [
        [*one.location, one.slug, int(one.severity), one.field, one.message, one.fix] for one in sorted(part.found)
    ]
    return {"found": found, "stated": part.stated, "briefs": part.briefs}


def _decoded(entry: Entry | None) -> Judged | None:
    """The judgement; None where there is none, or what there is has another form."""
    if entry is None:
        return None
    try:
        found = {
            Diagnostic(Location(str(path), int(line), int(column)), slug, Severity(severity), field, message, fix)
            for path, line, column, slug, severity, field, message, fix in entry["found"]
        }
        stated = [Suppression(*one) for one in entry["stated"]]
        briefs = [
            Brief(str(path), str(name), str(description), int(line), int(column))
            for path, name, description, line, column in entry["briefs"]
        ]
    except (ValueError, KeyError, TypeError):
        return None
    return Judged(found, stated, briefs)
