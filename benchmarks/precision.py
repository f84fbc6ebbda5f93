"""How often a rule is right: findings on public skills, a sample to read by hand, and what the reading gave.

    python benchmarks/precision.py obra/superpowers@44c9b2d=../superpowers --sample sample.txt
    python benchmarks/precision.py

Each argument is OWNER/NAME@COMMIT=FOLDER, the folder being that commit checked out. Printed is how many findings each
rule of the recommended profile has in each. --sample FILE writes some of each rule (--each, 20), drawn with --seed, the
repositories in turn so that none outweighs the others, at most one of a skill before each skill has given one. A line
of the file begins with the finding's key; write `+` (right) or `-` (wrong) in front of it, and --marks FILE takes them
over into benchmarks/precision_marks.json. Without arguments the precision that the marks give is printed, as the table
of docs/precision.md. The file of a sample holds others' text and is not for this repository; the marks hold none.

A finding is right when what it says is so, and when someone who maintains that skill would do what it proposes or
would want to know it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from skillpack.config import Settings, adjusted, chosen
from skillpack.diagnostics import Diagnostic, Severity, redacted
from skillpack.rules import discover
from skillpack.source import find
from skillpack.workers import check_trees

MARKS = Path(__file__).parent / "precision_marks.json"
#: What share of the findings of a severity must be right.
GOALS = {"error": 0.95, "warning": 0.8, "notice": 0.8}


class Found(NamedTuple):
    """A finding in a repository; `key` is the same for the same finding in the same commit."""

    repository: str
    rule: str
    key: str
    path: Path
    diagnostic: Diagnostic


def findings(repository: str, folder: Path) -> Iterator[Found]:
    """What the recommended profile finds in `folder`."""
    rules = discover()
    settings = Settings(profile="recommended")
    for one in adjusted(check_trees(find(str(folder)), chosen(rules, settings)), rules, settings):
        path = Path(one.location.path)
        said = (path.relative_to(folder).as_posix(), one.slug, one.location.line, one.location.column, one.message)
        key = hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]
        yield Found(repository, one.slug, key, path, one)


def draw(found: Iterable[Found], each: int, seed: int) -> list[Found]:
    """Up to `each` of every rule: repositories in turn, and in each of them skills in turn."""
    by_rule: dict[str, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        by_rule[one.rule][one.repository].append(one)
    drawn = []
    for rule in sorted(by_rule):
        queues = []
        for repository in sorted(by_rule[rule]):
            listed = by_rule[rule][repository]
            random.Random(f"{seed} {rule} {repository}").shuffle(listed)
            met: Counter[str] = Counter()
            turns = []
            for one in listed:
                skill = one.path.parts[-3] if len(one.path.parts) > 2 else ""
                turns.append((met[skill], len(turns), one))
                met[skill] += 1
            queues.append([one for *_, one in sorted(turns, key=lambda turn: turn[:2])])
        chosen_here: list[Found] = []
        for turn in range(max(map(len, queues))):
            chosen_here += [queue[turn] for queue in queues if turn < len(queue)]
        drawn += chosen_here[:each]
    return drawn


def excerpt(one: Found) -> str:
    """The line of the finding."""
    lines = one.path.read_bytes().decode("utf-8", "replace").split("\n") if one.path.is_file() else []
    line = one.diagnostic.location.line
    return redacted(lines[line - 1].strip()[:160]) if 0 < line <= len(lines) else ""


def read_marks() -> dict[str, dict[str, dict[str, bool]]]:
    """Repository -> rule -> key -> whether the finding is right."""
    return json.loads(MARKS.read_text(encoding="utf-8")) if MARKS.exists() else {}


def take_over(file: Path) -> None:
    """Adds the marked lines of a sample to the marks."""
    marks = read_marks()
    for line in file.read_text(encoding="utf-8").split("\n"):
        if line[:1] in ("+", "-"):
            key, repository, rule = line[1:].split()[:3]
            marks.setdefault(repository, {}).setdefault(rule, {})[key] = line[0] == "+"
    MARKS.write_text(json.dumps(marks, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def table(marks: dict[str, dict[str, dict[str, bool]]]) -> str:
    """The precision of each rule as Markdown."""
    right: Counter[str] = Counter()
    read: Counter[str] = Counter()
    for rules in marks.values():
        for rule, keys in rules.items():
            read[rule] += len(keys)
            right[rule] += sum(keys.values())
    severity = {rule.slug: Severity(rule.severity).label for rule in discover()}
    rows = ["| rule | severity | read | right | precision |", "|---|---|---:|---:|---:|"]
    for rule in sorted(read, key=lambda rule: (-Severity[severity[rule].upper()], rule)):
        share = right[rule] / read[rule]
        below = "" if share >= GOALS[severity[rule]] else " (below the goal)"
        rows.append(f"| {rule} | {severity[rule]} | {read[rule]} | {right[rule]} | {share:.2f}{below} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", metavar="OWNER/NAME@COMMIT=FOLDER")
    parser.add_argument("--sample", type=Path, metavar="FILE", help="write findings to read by hand")
    parser.add_argument("--each", type=int, default=20, help="of each rule (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--rule", action="append", help="only this rule; may be given again")
    parser.add_argument("--marks", type=Path, metavar="FILE", help="a sample that was read")
    arguments = parser.parse_args()
    if arguments.marks:
        take_over(arguments.marks)
    if not arguments.corpora:
        print(table(read_marks()), end="")
        return
    found: list[Found] = []
    for corpus in arguments.corpora:
        repository, _, folder = corpus.partition("=")
        if "@" not in repository or not Path(folder).is_dir():
            sys.exit(f"{corpus}: write OWNER/NAME@COMMIT=FOLDER")
        found += findings(repository, Path(folder))
    found = [one for one in found if not arguments.rule or one.rule in arguments.rule]
    totals = Counter((one.rule, one.repository) for one in found)
    for rule in sorted({one.rule for one in found}):
        counts = {repository: number for (slug, repository), number in sorted(totals.items()) if slug == rule}
        print(f"{rule:<28}{sum(counts.values()):>6}  " + "  ".join(f"{r.split('@')[0]} {n}" for r, n in counts.items()))
    if arguments.sample:
        marked = {key for rules in read_marks().values() for keys in rules.values() for key in keys}
        drawn = draw((one for one in found if one.key not in marked), arguments.each, arguments.seed)
        lines = [
            f" {one.key} {one.repository} {one.rule} {one.path}:{one.diagnostic.location.line} "
            f"{one.diagnostic.message}\n      | {excerpt(one)}"
            for one in drawn
        ]
        arguments.sample.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"\n{len(drawn)} findings to read in {arguments.sample}", file=sys.stderr)


if __name__ == "__main__":
    main()
