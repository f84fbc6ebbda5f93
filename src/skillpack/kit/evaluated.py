"""The region of the scripts that write eval.json: metrics with intervals, what a reader must know, the lines shown."""

from __future__ import annotations

from skillpack.kit.scoring import paired_interval

# region skillpack:evaluated
import math


def metrics_of(samples: list[dict], better: dict) -> dict:
    """{metric: {value: mean over the rows that have it, low, high: 95 % interval, interval: how, better, rows}}."""
    metrics = {}
    for name, kind in better.items():
        having = [sample for sample in samples if name in sample["scores"]]
        if not having:
            continue
        values = [sample["scores"][name] for sample in having]
        groups = [sample["group"] for sample in having]
        value = sum(values) / len(values)
        if set(values) <= {0.0, 1.0} and len(set(groups)) == len(groups):
            low, high = wilson(sum(values), len(values))
            how = "Wilson"
        else:
            found = paired_interval([0.0] * len(values), values, groups)
            low, high, how = found["low"], found["high"], "bootstrap over groups"
        metrics[name] = {"value": value, "low": low, "high": high, "interval": how, "better": kind, "rows": len(values)}
    return metrics


def wilson(right: float, rows: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % score interval of a share of independent rows (Wilson, 1927): it holds at 0, at 1 and for few rows."""
    share = right / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return max(0.0, middle - half), min(1.0, middle + half)


def warnings_of(task: dict) -> list[str]:
    """What a reader of the score must know."""
    found = []
    if task["rows"] < 100:
        found.append(f"{task['rows']} rows: the interval is wide, and only a large difference would show")
    if task["unscored"]:
        found.append(f"{task['unscored']} rows have no score; samples say why")
    if task["cut"]:
        found.append(f"{task['cut']} answers were cut at --max-new-tokens, and may be judged wrong for that")
    if task["left_out"]:
        found.append(f"{task['left_out']} rows were left out, because they cannot be used")
    return found


def summary(document: dict) -> str:
    lines = [f"{document['model']['id']} ({document['model']['version'] or document['model']['endpoint']})"]
    for task in document["tasks"]:
        for name, metric in task["metrics"].items():
            interval = f" [{metric['low']:.3f}, {metric['high']:.3f}]" if metric["interval"] else " (no interval)"
            lines.append(f"  {task['task']} {name}: {metric['value']:.3f}{interval}, {metric['rows']} rows")
    return "\n".join([*lines, *(f"warning: {warning}" for warning in document["warnings"])])


# endregion skillpack:evaluated
