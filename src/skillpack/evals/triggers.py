"""`skillpack triggers`: which skill's description a request is nearest to, by words alone.

A proxy: an agent reads descriptions as a language model does, and may use none of the skills. What the proxy finds is
two descriptions that claim the same words, and a description that lacks the words of its own requests.

The model is BM25 (Robertson and Zaragoza 2009, k1 1.2, b 0.75, the idf of Lucene, which is never negative) over one
document a skill: its name and description. Words are folded to lower case and cut to a stem by a handful of English
endings. The skill with the highest score is the route; a request that shares no word with any has none.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from skillpack.errors import EXIT_FINDINGS, NothingToCheck, UsageFailure

K1, B = 1.2, 0.75
NONE = "-"
WORD = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*")
ENDINGS = ("ations", "ation", "ings", "ing", "ers", "er", "ies", "ied", "es", "ed", "s", "e", "y")
#: Words of requests in general: they are in few descriptions, and say nothing of which skill is meant.
COMMON = (
    "a an and are as at be but by can do does for from has have how i in is it its me my no not of on one or our so"
    " than that the their them then there this to too use user want wants was we what when where which while who why"
    " will with you your"
)
STOPPED = frozenset(COMMON.split())


def words(text: str) -> list[str]:
    """The stems of a text. A compound (`lm-eval`) counts whole and by its parts."""
    found = []
    for word in WORD.findall(text.lower()):
        parts = re.split(r"[._+-]", word)
        found += [word, *parts] if len(parts) > 1 else parts
    return [stem(word) for word in found if word not in STOPPED]


def stem(word: str) -> str:
    """Without one of ENDINGS, where three letters stay."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


class Router:
    """BM25 over descriptions."""

    def __init__(self, descriptions: Mapping[str, str]) -> None:
        self.counts = {name: Counter(words(f"{name} {text}")) for name, text in descriptions.items()}
        self.mean = sum(count.total() for count in self.counts.values()) / len(self.counts) or 1.0
        seen = Counter(word for count in self.counts.values() for word in count)
        size = len(self.counts)
        self.idf = {word: math.log(1 + (size - n + 0.5) / (n + 0.5)) for word, n in seen.items()}

    def scores(self, query: str) -> dict[str, float]:
        """Skill -> score, the highest first; equal ones by name."""
        asked = set(words(query))
        found = {}
        for name, count in self.counts.items():
            length = K1 * (1 - B + B * count.total() / self.mean)
            found[name] = sum(
                self.idf[word] * count[word] * (K1 + 1) / (count[word] + length) for word in asked & count.keys()
            )
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    def route(self, query: str) -> str:
        name, score = next(iter(self.scores(query).items()))
        return name if score > 0 else NONE


@dataclass(frozen=True, order=True)
class Routed:
    """A query of a skill's eval_queries.json, and where it went."""

    skill: str
    query: str
    should_trigger: bool
    route: str

    @property
    def is_right(self) -> bool:
        return (self.route == self.skill) == self.should_trigger


def read_queries(roots: tuple[Path, ...]) -> tuple[dict[str, str], list[tuple[str, str, bool]]]:
    """(name -> description of every skill below `roots`, queries as (skill, query, should trigger)).

    Raises NothingToCheck where there is no skill with queries, UsageFailure for a file of another form.
    """
    from skillpack.skill import load_skill
    from skillpack.source import find_all

    descriptions: dict[str, str] = {}
    queries = []
    for tree in find_all([str(root) for root in roots])[0]:
        skill = load_skill(tree)
        name = skill.string("name")
        if not name:
            continue
        descriptions[name] = skill.string("description") or ""
        path = Path(tree.root) / "evals/eval_queries.json"
        if path.is_file():
            try:
                found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
                for each in found:
                    if not (isinstance(each["query"], str) and isinstance(each["should_trigger"], bool)):
                        raise TypeError("query is a string, and should_trigger true or false")
                    queries.append((name, each["query"], each["should_trigger"]))
            except (ValueError, KeyError, TypeError) as error:
                raise UsageFailure(f"{path}: {error!r}; `skillpack validate` says what it wants") from None
    if not queries:
        raise NothingToCheck(f"no evals/eval_queries.json under {', '.join(map(str, roots))}")
    return descriptions, queries


def route_all(roots: tuple[Path, ...]) -> list[Routed]:
    descriptions, queries = read_queries(roots)
    router = Router(descriptions)
    return sorted(Routed(skill, query, wanted, router.route(query)) for skill, query, wanted in queries)


def confusion(routed: list[Routed]) -> dict[str, dict[str, int]]:
    """Skill -> route -> how many of the skill's own requests went there."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for each in routed:
        if each.should_trigger:
            found[each.skill][each.route] += 1
    return {skill: dict(routes) for skill, routes in found.items()}


def summary(routed: list[Routed]) -> dict[str, Any]:
    """Counts of a list of queries: own requests that arrived, and near misses that went elsewhere."""
    own = [each for each in routed if each.should_trigger]
    others = [each for each in routed if not each.should_trigger]
    return {
        "queries": len(routed),
        "right": sum(each.is_right for each in routed),
        "own": len(own),
        "own_right": sum(each.is_right for each in own),
        "near_misses": len(others),
        "near_misses_right": sum(each.is_right for each in others),
    }


def render(routed: list[Routed]) -> str:
    """The confusion matrix and what went wrong, as text."""
    matrix = confusion(routed)
    names = sorted({each.skill for each in routed} | {each.route for each in routed} - {NONE})
    letters = {name: f"{number}" for number, name in enumerate(names, 1)} | {NONE: NONE}
    width = max(map(len, names))
    lines = ["requests of a skill (row) by the skill that they were routed to (column), by words alone", ""]
    lines.append(" " * (width + 4) + "".join(f"{column:>4}" for column in letters.values()))
    for name in names:
        cells = "".join(f"{matrix.get(name, {}).get(route, 0) or '.':>4}" for route in letters)
        lines.append(f"{letters[name]:>2}  {name:<{width}}{cells}")
    wrong = [each for each in routed if not each.is_right]
    lines += ["", *(f"{each.skill}: {each.query!r} went to {each.route}" for each in wrong), ""] if wrong else [""]
    found = summary(routed)
    lines.append(
        f"{found['own_right']} of {found['own']} requests arrived,"
        f" {found['near_misses_right']} of {found['near_misses']} near misses went elsewhere"
    )
    return "\n".join(lines)


def lost(routed: list[Routed], baseline: Path) -> list[Routed]:
    """Queries that `baseline` has as right and that are wrong now. Raises UsageFailure when it cannot be read."""
    try:
        known = {(each["skill"], each["query"]) for each in json.loads(baseline.read_text(encoding="utf-8"))["right"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageFailure(f"--check {baseline}: {error}; `--write {baseline}` makes it") from None
    return [each for each in routed if not each.is_right and (each.skill, each.query) in known]


@click.command(
    epilog="Examples:\n\n  skillpack triggers skills/\n\n  skillpack triggers skills/ --check tests/evals/triggers.json"
)
@click.argument("roots", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--check", type=click.Path(path_type=Path), help="Exit 1 when a query that was right in FILE is wrong.")
@click.option("--write", type=click.Path(path_type=Path), help="Write FILE: the queries that are right now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def triggers(roots: tuple[Path, ...], check: Path | None, write: Path | None, as_json: bool) -> int:
    """Route every query of evals/eval_queries.json to the nearest description, by words alone.

    It is a proxy for what an agent does, run without one: BM25 over names and descriptions.

    Exit codes: 0 done, 1 --check found a query that stopped routing right, 2 wrong usage, 3 no queries.
    """
    routed = route_all(roots)
    if as_json:
        rows = [{**vars(each), "right": each.is_right} for each in routed]
        click.echo(json.dumps({"summary": summary(routed), "confusion": confusion(routed), "queries": rows}, indent=2))
    else:
        click.echo(render(routed))
    if write:
        from skillpack.kit.script import write_atomic

        right = [{"skill": each.skill, "query": each.query} for each in routed if each.is_right]
        try:
            write_atomic(write, json.dumps({"right": right}, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UsageFailure(f"--write {write}: {error.strerror}") from None
    stopped = lost(routed, check) if check else []
    for each in stopped:
        click.echo(f"used to route right: {each.skill}: {each.query!r} goes to {each.route}", err=True)
    return EXIT_FINDINGS if stopped else 0
