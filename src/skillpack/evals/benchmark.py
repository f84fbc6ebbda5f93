"""What trials add up to: benchmark.json in the shape that skill-creator's viewer reads, and a table with intervals."""

from __future__ import annotations

import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any

from skillpack.evals.trial import WITH, WITHOUT

DRAWS = 2000
#: Key of a run's result -> how the table calls it, and how it prints a value.
METRICS = {
    "pass_rate": ("expectations met", ".2f"),
    "solved": ("tasks solved", ".2f"),
    "skill_used": ("runs that opened the skill", ".2f"),
    "time_seconds": ("seconds", ",.0f"),
    "tokens": ("tokens", ",.0f"),
    "tool_calls": ("tool calls", ".1f"),
    "usd": ("agent, $", ".3f"),
    "jobs_failed": ("jobs failed", ".2f"),
    "jobs_usd": ("jobs, $", ".4f"),
}

Groups = list[list[float]]  # a list of values for each task


def value_of(run: dict[str, Any], key: str) -> float | None:
    """A metric of one run, None where the agent did not count it."""
    result = run["result"]
    if key == "solved":
        return float(result["failed"] == 0)
    if key.startswith("jobs_"):
        return float(result["jobs"][key.removeprefix("jobs_")])
    return result[key]  # type: ignore[no-any-return]


def by_task(runs: Sequence[dict[str, Any]], arm: str, key: str) -> dict[str, list[float]]:
    """Task -> the metric of each of its runs, without runs that did not count it."""
    found: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        value = value_of(run, key)
        if run["configuration"] == arm and value is not None:
            found[run["eval_id"]].append(float(value))
    return found


def mean(groups: Groups) -> float:
    """The mean over tasks of the mean over a task's runs: a task that was run more often weighs no more."""
    return statistics.fmean(statistics.fmean(values) for values in groups)


def interval(arms: Sequence[Groups], statistic: Callable[[list[Groups]], float]) -> list[float]:
    """[value, low, high] of `statistic`: a percentile bootstrap, 95 %.

    Tasks are drawn, the same for all arms, then runs within each task. With one task it speaks of that task's runs
    alone; with few of either it is too narrow, as every bootstrap is. Of one run in each arm, [value] alone.
    """
    draw = random.Random(0)
    size = len(arms[0])
    value = statistic(list(arms))
    if all(len(runs) == 1 for arm in arms for runs in arm) and size == 1:
        return [value]
    found = []
    for _ in range(DRAWS):
        chosen = draw.choices(range(size), k=size) if size > 1 else [0]
        found.append(statistic([[draw.choices(arm[n], k=len(arm[n])) for n in chosen] for arm in arms]))
    found.sort()
    return [value, found[round(0.025 * (DRAWS - 1))], found[round(0.975 * (DRAWS - 1))]]


def summarize(values: list[float]) -> dict[str, float]:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "stddev": spread, "min": min(values), "max": max(values)}


def benchmark(skill: str, agent: str, runs: list[dict[str, Any]], notes: list[str]) -> dict[str, Any]:
    """benchmark.json: {metadata, runs, run_summary: {with_skill, without_skill, delta}, notes}.

    `delta` holds strings with a sign, as skill-creator writes them; `intervals` is an addition: metric -> arm or
    "difference" -> [value, low, high], or [value] of one run.
    """
    summary: dict[str, Any] = {}
    for arm in (WITH, WITHOUT):
        counted = {key: [value for group in by_task(runs, arm, key).values() for value in group] for key in METRICS}
        if counted["pass_rate"]:
            summary[arm] = {key: summarize(values) for key, values in counted.items() if values}
    intervals = {key: found for key in METRICS if (found := _intervals(runs, key))}
    differences = {key: found["difference"][0] for key, found in intervals.items() if "difference" in found}
    summary["delta"] = {key: f"{value:+.2f}" for key, value in differences.items()}
    return {
        "metadata": {
            "skill_name": skill,
            "agent": agent,
            "timestamp": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "evals_run": sorted({run["eval_id"] for run in runs}),
            "runs_per_configuration": max((run["run_number"] for run in runs), default=0),
        },
        "runs": runs,
        "run_summary": summary,
        "intervals": intervals,
        "notes": [*notes, *_noted(runs), *_worse(runs)],
    }


def _intervals(runs: list[dict[str, Any]], key: str) -> dict[str, list[float]]:
    arms = {arm: found for arm in (WITH, WITHOUT) if (found := by_task(runs, arm, key))}
    rows = {}
    for arm, tasks in arms.items():
        groups = list(tasks.values())
        rows[arm] = interval([groups], lambda drawn: mean(drawn[0]))
    both = [task for task in arms.get(WITH, {}) if task in arms.get(WITHOUT, {})]
    if both:
        pair = [[arms[arm][task] for task in both] for arm in (WITH, WITHOUT)]
        rows["difference"] = interval(pair, lambda drawn: mean(drawn[0]) - mean(drawn[1]))
    return rows


def _noted(runs: list[dict[str, Any]]) -> list[str]:
    """How many runs have a note of their own: where the agent ended each with an error, all arms are alike."""
    counts = Counter(note for run in runs for note in run.get("notes", ()))
    return [f"{count} of {len(runs)} runs: {note}" for note, count in counts.most_common()]


def _worse(runs: list[dict[str, Any]]) -> list[str]:
    """Tasks that went worse with the skill: what a mean hides."""
    arms = [by_task(runs, arm, "pass_rate") for arm in (WITH, WITHOUT)]
    means = {task: [statistics.fmean(arm[task]) for arm in arms] for task in arms[0] if task in arms[1]}
    return [f"{task} went worse with the skill: {b:.2f} to {a:.2f}" for task, (a, b) in means.items() if a < b]


def _cell(found: list[float] | None, form: str) -> str:
    value, *bounds = [f"{number:{form}}" for number in found or [0.0]]
    return f"{value} [{', '.join(bounds)}]" if bounds else value if found else "–"


def table(document: dict[str, Any]) -> str:
    """The comparison as Markdown, with 95 % intervals."""
    about, rows = document["metadata"], []
    for key, (title, form) in METRICS.items():
        found = document["intervals"].get(key)
        if found:
            cells = [_cell(found.get(column), form) for column in (WITH, WITHOUT)]
            rows.append(f"| {title} | {' | '.join([*cells, _cell(found.get('difference'), f'+{form}')])} |")
    head = f"{about['skill_name']}, {about['agent']}: {len(about['evals_run'])} tasks, {len(document['runs'])} runs\n"
    lines = ["| | with the skill | without | difference |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([head, *lines, "", *(f"- {note}" for note in document["notes"])]).rstrip() + "\n"
