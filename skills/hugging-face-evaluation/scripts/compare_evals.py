# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "numpy>=1.26,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Two results of run_eval.py, row by row: differences with paired intervals, what flipped, a table and a picture.

BASE and NEW are eval.json files or their folders, of the same tasks on the same rows; results whose rows or right
answers differ are refused, since their difference would be of the rows. A difference counts as shown where its 95 %
interval excludes zero and, of right and wrong, the exact McNemar test agrees (p < 0.05).

Writes comparison.json, comparison.md and comparison.svg. As a gate for CI it exits 1 when a metric is shown to be
worse; with --max-drop also when a drop larger than that is not excluded; with --require-better when none is better.

examples:
  python scripts/compare_evals.py evals/base-test evals/mine-test
  python scripts/compare_evals.py evals/base-test evals/mine-test --gate test/accuracy --max-drop 0.02 --json
"""

# region skillpack:script
import argparse
import json
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

EXIT_OK, EXIT_NO, EXIT_USAGE, EXIT_FAILED, EXIT_UNCONFIRMED, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = """exit codes:
  0    done
  1    done, and the answer is no (incompatible, does not fit, not better)
  2    wrong arguments or wrong input; nothing was done
  3    could not be done; the message says why and what to do
  4    would spend or publish: run again with --yes
  130  interrupted; run the same command to continue
"""
RESULT = sys.stdout  # `run` sends what libraries print elsewhere, so that one document stays one document
SECRET = re.compile(r"\b(hf_|sk-|api_org_|ghp_)[A-Za-z0-9_-]{8,}")


class Failure(Exception):
    """What went wrong, what to do about it, and the exit code that says so."""

    def __init__(self, problem: str, fix: str = "", code: int = EXIT_FAILED) -> None:
        super().__init__(f"{problem}\n  fix: {fix}" if fix else problem)
        self.problem, self.fix, self.code = problem, fix, code


def redact(text: str) -> str:
    """`text` without the token of the environment and without anything that has the shape of one."""
    token = os.environ.get("HF_TOKEN", "")
    if len(token) > 3:
        text = text.replace(token, "***")
    return SECRET.sub(lambda match: match[1] + "***", text)


def log(message: str) -> None:
    """One line for the person who watches; standard output is for the result alone."""
    print(redact(message), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """The result, for a person, on standard output."""
    print(redact(text), file=RESULT, flush=True)


def emit(document: dict) -> None:
    """The result, for a machine, as one JSON document on standard output."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes beside `path` and renames, so that a reader sees the old file or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_artifact(path: Path, document: dict) -> None:
    """A JSON artefact that the next script reads."""
    write_atomic(path, redact(json.dumps(document, indent=2, ensure_ascii=False)) + "\n")


def read_artifact(path: Path, kind: str, version: int = 1) -> dict:
    """A JSON artefact that an earlier script wrote, `kind` being the name of its schema in assets/.

    It is held against that schema when the script still lies in its skill; a copy sent to a job lies alone,
    and was checked before it was sent. Raises Failure with EXIT_USAGE and the place of the error.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", f"make it first: it is the {kind}", EXIT_USAGE) from None
    except ValueError as error:
        raise Failure(f"{path}: not JSON: {error}", "make it again, or undo the edit", EXIT_USAGE) from None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != f"skillpack/{kind}/{version}":
        raise Failure(
            f"{path}: schema is {found!r}, this script reads 'skillpack/{kind}/{version}'",
            "use scripts of one version of the skill, or make the file again with these",
            EXIT_USAGE,
        )
    schema = Path(__file__).resolve().parent.parent / "assets" / f"{kind}.schema.json"
    if schema.is_file():
        from jsonschema import Draft202012Validator

        validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
        errors = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.path)))
        if errors:
            lines = "; ".join(f"{'.'.join(map(str, e.path)) or 'top'}: {e.message[:200]}" for e in errors[:5])
            raise Failure(f"{path}: {lines}", "correct these fields, or make the file again", EXIT_USAGE)
    return document


def beside(name: str) -> str:
    """The path of a script that lies beside this one, in the words by which this one was called."""
    return shlex.quote(str(Path(sys.argv[0]).parent / name))


class Parser(argparse.ArgumentParser):
    def print_help(self, file=None) -> None:
        super().print_help(file or RESULT)


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose --help is the script's docstring and the exit codes."""
    return Parser(description=doc, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)


def run(main: Callable[[list[str]], int]) -> int:
    """Calls `main(argv)` and turns what it raises into a message and an exit code; a crash is no answer, so never 1."""
    sys.stdout = sys.stderr
    # whatever a locale or the name of a file holds:
    RESULT.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return main(sys.argv[1:])
    except Failure as failure:
        waits = failure.code == EXIT_UNCONFIRMED  # for the user's word: the usual way, and no error
        log(f"{failure.problem}; {failure.fix}" if waits else f"error: {failure}")
        return failure.code
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), RESULT.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        log("interrupted; run the same command to continue")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the boundary: no crash leaves with 1, which is an answer)
        if "No space left on device" in str(error):  # each library raises it as a type of its own
            log("error: the disk is full\n  fix: free some (HF_HOME and TMPDIR count too), then run the same command")
        elif isinstance(error, OSError) and error.filename and error.strerror:
            log(f"error: {error.filename}: {error.strerror}\n  fix: a file or folder that this user may use")
        else:
            log(f"{traceback.format_exc()}unforeseen: a defect of the script, or of a library that it calls")
        return EXIT_FAILED


# endregion skillpack:script


# region skillpack:intervals
def compare_scores(base: list[dict], tuned: list[dict], metrics: dict, **more: object) -> dict | None:
    """The `comparison` of run.json over the same rows; `metrics` is {key of a score: "lower" or "higher"}."""
    if not base:
        return None
    document: dict = {"rows": len(base), **more, "metrics": {}}
    for key, better in metrics.items():
        before, after = [float(score[key]) for score in base], [float(score[key]) for score in tuned]
        interval = paired_interval(before, after, [score["group"] for score in base])
        document["metrics"][key] = {
            "better": better,
            "base": sum(before) / len(before),
            "tuned": sum(after) / len(after),
            **interval,
            "beyond_interval": interval["high"] < 0 if better == "lower" else interval["low"] > 0,
        }
    return document


def paired_interval(before: list, after: list, groups: list | None = None, draws: int = 4000, seed: int = 0) -> dict:
    """Mean of (after - before) over rows, with the 95 % percentile interval of a paired bootstrap.

    Rows are drawn in pairs, so that what is hard for both models cancels, and by whole `groups` (one name a row),
    since rows that repeat a prompt are not independent. Source: Efron and Tibshirani, An Introduction to the
    Bootstrap (1993), chapter 13; Davison and Hinkley, Bootstrap Methods (1997), section 3.8 for groups.
    One group can be drawn in one way only, and shows nothing: its interval reaches to zero.
    """
    import numpy

    differences = numpy.asarray(after, dtype=float) - numpy.asarray(before, dtype=float)
    names = groups if groups is not None else numpy.arange(len(differences))
    _, first, member = numpy.unique(names, return_index=True, return_inverse=True)
    member = first.argsort().argsort()[member]  # in the order of the rows: how groups are called draws no other rows
    sums, counts = numpy.bincount(member, differences), numpy.bincount(member)
    drawn = numpy.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = numpy.percentile(means, [2.5, 97.5])
    if len(sums) == 1:
        low, high = min(0.0, low), max(0.0, high)
    return {"difference": float(differences.mean()), "low": float(low), "high": float(high)}


# endregion skillpack:intervals


# region skillpack:verdict
def standing(metric: dict) -> str:
    """ "better" or "worse" where the 95 % interval of tuned - base excludes zero, else "not shown to differ"."""
    if metric["low"] <= 0 <= metric["high"]:
        return "not shown to differ"
    return "better" if (metric["low"] > 0) == (metric["better"] == "higher") else "worse"


def verdict_of(metrics: dict) -> str:
    """How the tuned model stands to its base by {name: metric}, and no more than the intervals allow."""
    names: dict = {"better": [], "worse": [], "not shown to differ": []}
    for name, metric in metrics.items():
        names[standing(metric)].append(name)
    openings = {"better": "better than its base on", "worse": "worse than its base on"}
    parts = [f"{openings.get(kind, kind + ' on')} {listed(found)}" for kind, found in names.items() if found]
    return ", and ".join(parts)


def listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


# endregion skillpack:verdict

import datetime
import html
import math

SIGNIFICANT = 0.05
SAME = {  # of a task in both results: a difference in one of these would be taken for one of the models
    "items_sha256": "rows, prompts or right answers", "harness": "harness", "score": "way to score",
    "judge": "judge", "shots": "number of examples",
}  # fmt: skip
FLIPS_SHOWN = 5  # a task and metric, in comparison.md; all are in comparison.json


def main(argv: list[str]) -> int:
    args = arguments(argv)
    sides = {"base": folder_of(args.base), "new": folder_of(args.new)}
    results = {side: read_artifact(folder / "eval.json", "eval") for side, folder in sides.items()}
    tasks = [compared_task(task, results, sides) for task in shared_tasks(results)]
    metrics = {f"{task['task']}/{name}": metric for task in tasks for name, metric in task["metrics"].items()}
    if missing := [name for name in args.gate if name not in metrics]:
        raise Failure(f"no metric {missing[0]!r}", f"--gate takes: {', '.join(metrics) or 'nothing here'}", EXIT_USAGE)
    gating = {name: metrics[name] for name in args.gate or metrics}
    document = {
        "schema": "skillpack/eval-comparison/1",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        **{side: {**result["model"], "eval": str(sides[side] / "eval.json")} for side, result in results.items()},
        "tasks": tasks,
        "warnings": warnings_of(results),
        "verdict": verdict(gating, tasks, args),
    }
    out = args.out or sides["new"]
    write_artifact(out / "comparison.json", document)
    write_atomic(out / "comparison.svg", picture(metrics))
    write_atomic(out / "comparison.md", redact(report(document)))
    log(f"wrote {out / 'comparison.json'}, .md and .svg")
    emit(document) if args.json else say(table(document))
    return EXIT_OK if document["verdict"]["passed"] else EXIT_NO


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("base", type=Path, help="eval.json of the model to compare with, or its folder")
    options.add_argument("new", type=Path, help="eval.json of the model in question, or its folder")
    options.add_argument("--gate", action="append", default=[], help="TASK/METRIC that decides the exit code; "
                         "repeatable (default: all)")  # fmt: skip
    options.add_argument("--max-drop", type=float, help="exit 1 unless the interval excludes a loss larger than this")
    options.add_argument("--require-better", action="store_true", help="exit 1 unless a metric is shown to be better")
    options.add_argument("--out", type=Path, help="folder of the comparison (default: NEW's)")
    options.add_argument("--json", action="store_true", help="print comparison.json on standard output")
    args = options.parse_args(argv)
    if args.max_drop is not None and not args.max_drop >= 0:
        options.error("--max-drop is a loss, and at least 0")
    return args


def folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def shared_tasks(results: dict) -> list[str]:
    """Names of the tasks of both. Raises Failure where there are none, or where the rows are not the same."""
    tasks = {side: {task["task"]: task for task in result["tasks"]} for side, result in results.items()}
    shared = [name for name in tasks["base"] if name in tasks["new"]]
    if not shared:
        raise Failure(f"no task in both: {', '.join(tasks['base'])} and {', '.join(tasks['new'])}",
                      "run run_eval.py for both models with the same --task or --data", EXIT_USAGE)  # fmt: skip
    for name in shared:
        base, new = tasks["base"][name], tasks["new"][name]
        for key, what in SAME.items():
            if base.get(key) != new.get(key):
                raise Failure(f"{name}: the two results differ in their {what}",
                              "run run_eval.py for both models with the same arguments", EXIT_USAGE)  # fmt: skip
    return shared


def read_samples(folder: Path, task: dict) -> dict:
    """{id: sample} of a task. Raises Failure where the log is not the one that the result was made from."""
    path = folder / task["samples"]
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[1:-1]]
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", "keep samples/ beside eval.json", EXIT_USAGE) from None
    except ValueError as error:
        raise Failure(f"{path}: {error}", "run run_eval.py again", EXIT_USAGE) from None
    if len(lines) != task["rows"]:
        raise Failure(
            f"{path} has {len(lines)} rows, and eval.json {task['rows']}", "run run_eval.py again", EXIT_USAGE
        )
    return {sample["id"]: sample for sample in lines}


def compared_task(name: str, results: dict, folders: dict) -> dict:
    """{task, rows, metrics with paired intervals, without_interval, flips} over the rows that both have a score for."""
    tasks = {side: next(t for t in result["tasks"] if t["task"] == name) for side, result in results.items()}
    samples = {side: read_samples(folders[side], task) for side, task in tasks.items()}
    entry: dict = {"task": name, "rows": tasks["base"]["rows"], "metrics": {}, "without_interval": {}, "flips": {}}
    for metric, before in tasks["base"]["metrics"].items():
        after = tasks["new"]["metrics"].get(metric)
        if after is None:
            continue
        if before["interval"] is None or after["interval"] is None:
            entry["without_interval"][metric] = {"base": before["value"], "new": after["value"]}
            continue
        pairs = [(sample, samples["new"][key]) for key, sample in samples["base"].items() if key in samples["new"]]
        pairs = [pair for pair in pairs if all(metric in sample["scores"] for sample in pair)]
        if not pairs:
            continue
        entry["metrics"][metric] = compared_metric(metric, pairs, before["better"])
        entry["flips"][metric] = flips_of(metric, pairs)
    return entry


def compared_metric(metric: str, pairs: list, better: str) -> dict:
    """The difference of a metric over pairs of samples, and how the new model stands."""
    scores = [[{metric: sample["scores"][metric], "group": sample["group"]} for sample in side]
              for side in zip(*pairs, strict=True)]  # fmt: skip
    found = (compare_scores(*scores, {metric: better}) or {})["metrics"][metric]
    found["new"] = found.pop("tuned")
    found.pop("beyond_interval")
    found["rows"] = len(pairs)
    found["p_value"] = mcnemar(*scores, metric)
    found["loss_at_most"] = -found["low"] if better == "higher" else found["high"]
    if found["p_value"] is not None:
        sides = scores if better == "higher" else scores[::-1]
        found["loss_at_most"] = max(found["loss_at_most"], -newcombe(*sides, metric))
    found["standing"] = standing(found)
    if found["p_value"] is not None and found["p_value"] >= SIGNIFICANT:
        found["standing"] = "not shown to differ"
    return found


def mcnemar(base: list[dict], new: list[dict], metric: str) -> float | None:
    """Two-sided p of the exact McNemar test, where every value is 0 or 1; rows of one group count as one.

    It holds for few rows, for which a bootstrap is too sure. Source: McNemar (1947); the exact form is a sign test
    over the rows on which the models differ, and of a group over which way most of its rows flip.
    """
    if {sample[metric] for sample in (*base, *new)} - {0.0, 1.0}:
        return None
    gains: dict = {}
    for one, other in zip(base, new, strict=True):
        gains[one["group"]] = gains.get(one["group"], 0.0) + other[metric] - one[metric]
    lost, won = sum(gain < 0 for gain in gains.values()), sum(gain > 0 for gain in gains.values())
    tail = sum(math.comb(lost + won, k) for k in range(min(lost, won) + 1)) / 2 ** (lost + won)
    return min(1.0, 2 * tail)


def newcombe(base: list[dict], new: list[dict], metric: str, z: float = 1.959964) -> float:
    """Lower end of the 95 % score interval of the difference of two shares over the same rows.

    Where no row flips, a bootstrap says that the difference is exactly 0; this says how much the rows leave open.
    Rows of one group may say the same, so that there are no more independent ones than groups.
    Source: Newcombe, Statistics in Medicine 17 (1998), method 10.
    """
    rows = len({sample["group"] for sample in base})
    values = [(one[metric], other[metric]) for one, other in zip(base, new, strict=True)]
    kinds = ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
    both, lost, won, neither = (values.count(kind) * rows / len(values) for kind in kinds)

    def wilson(right: float) -> tuple[float, float, float]:
        share = right / rows
        middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
        half = z / (1 + z * z / rows) * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
        return share, middle - half, middle + half

    (after, after_low, _), (before, _, before_high) = wilson(both + won), wilson(both + lost)
    margins = (both + won) * (lost + neither) * (both + lost) * (won + neither)
    product = both * neither - won * lost
    product = max(product - rows / 2, 0) if product > 0 else product
    phi = product / math.sqrt(margins) if margins else 0.0
    down, up = after - after_low, before_high - before
    return after - before - math.sqrt(max(0.0, down * down - 2 * phi * down * up + up * up))


def flips_of(metric: str, pairs: list) -> dict:
    """{lost, won: samples that only the base, or only the new model, has right} of a metric of right and wrong."""
    if {sample["scores"][metric] for pair in pairs for sample in pair} - {0.0, 1.0}:
        return {"lost": [], "won": []}
    flips: dict = {"lost": [], "won": []}
    for base, new in pairs:
        if base["scores"][metric] != new["scores"][metric]:
            about = {"id": base["id"], "prompt": base["prompt"], "expected": base["expected"]}
            flip = {**about, "base": base["answer"], "new": new["answer"]}
            flips["lost" if base["scores"][metric] else "won"].append(flip)
    return flips


def verdict(metrics: dict, tasks: list, args) -> dict:
    """{passed, sentence, reasons why not, gate}: no more than the intervals allow."""
    reasons = [f"{name} is worse" for name, metric in metrics.items() if metric["standing"] == "worse"]
    for name, metric in metrics.items() if args.max_drop is not None else ():
        loss = metric["loss_at_most"]
        if loss > args.max_drop and f"{name} is worse" not in reasons:
            reasons.append(f"{name}: a loss of {loss:.3f} is not excluded, and --max-drop is {args.max_drop:g}")
    better = [name for name, metric in metrics.items() if metric["standing"] == "better"]
    if args.require_better and not better:
        reasons.append("no metric is shown to be better")
    if not metrics:
        return {"passed": False, "sentence": "Nothing could be compared.", "reasons": ["no metric"], "gate": []}
    groups: dict = {"better": [], "worse": [], "not shown to differ": []}
    for name, metric in metrics.items():
        groups[metric["standing"]].append(name)
    if not groups["better"] and not groups["worse"]:
        sentence = f"No difference shown on {listed(groups['not shown to differ'])}"
    else:
        openings = {"better": "better on", "worse": "worse on", "not shown to differ": "not shown to differ on"}
        parts = [f"{openings[kind]} {listed(names)}" for kind, names in groups.items() if names]
        sentence = f"The new model is {', and '.join(parts)}"
    rows = listed([f"{task['rows']} rows of {task['task']}" for task in tasks])
    return {"passed": not reasons, "sentence": f"{sentence}, over {rows} (paired 95 % intervals).", "reasons": reasons,
            "gate": list(metrics)}  # fmt: skip


def warnings_of(results: dict) -> list[str]:
    base, new = results["base"], results["new"]
    found = [f"{key} differs: {base['settings'].get(key)} and {new['settings'].get(key)}"
             for key in base["settings"] if base["settings"][key] != new["settings"].get(key)]  # fmt: skip
    found += [f"versions of {name} differ: {version} and {new['versions'].get(name)}"
              for name, version in base["versions"].items() if new["versions"].get(name) != version]  # fmt: skip
    return [*found, *(f"{side}: {warning}" for side in results for warning in results[side]["warnings"])]


def table(document: dict) -> str:
    """The verdict and a Markdown table, a line a metric."""
    lines = [document["verdict"]["sentence"], *(f"gate: {reason}" for reason in document["verdict"]["reasons"]), "",
             "| task/metric | base | new | difference [95 %] | p | lost | won | |",
             "| --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for task in document["tasks"]:
        for name, m in task["metrics"].items():
            flips, p = task["flips"][name], "" if m["p_value"] is None else f"{m['p_value']:.3f}"
            lines.append(
                f"| {task['task']}/{name} | {m['base']:.3f} | {m['new']:.3f} | {m['difference']:+.3f} "
                f"[{m['low']:+.3f}, {m['high']:+.3f}] | {p} | {len(flips['lost'])} | {len(flips['won'])} "
                f"| {m['standing']} |"
            )
        for name, m in task["without_interval"].items():
            lines.append(f"| {task['task']}/{name} | {m['base']:.3f} | {m['new']:.3f} | no interval | | | | |")
    return "\n".join([*lines, *(f"\nwarning: {warning}" for warning in document["warnings"])])


def report(document: dict) -> str:
    """comparison.md: the table, the picture, and the first flips of each metric."""
    sides = [f"- {side}: {document[side]['id']} ({document[side]['version'] or document[side]['endpoint']})"
             for side in ("base", "new")]  # fmt: skip
    lines = ["# Base against new", "", *sides, "", table(document), "", "![differences](comparison.svg)", ""]
    for task in document["tasks"]:
        for name, flips in task["flips"].items():
            for kind, title in (("lost", "Only the base is right"), ("won", "Only the new model is right")):
                if flips[kind]:
                    shown = flips[kind][:FLIPS_SHOWN]
                    lines += [f"## {title}: {task['task']}/{name}, {len(shown)} of {len(flips[kind])}", ""]
                    lines += [line for flip in shown for line in flip_lines(flip)]
    return "\n".join(lines) + "\n"


def flip_lines(flip: dict) -> list[str]:
    parts = {key: short(flip[key]) for key in ("prompt", "expected", "base", "new")}
    return [f"- `{flip['id']}`", *(f"  - {key}: {text}" for key, text in parts.items()), ""]


def short(value: object, most: int = 300) -> str:
    """The end of a text, where the question stands, on one line and as code: what a model wrote is not markup here."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    text = " ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split())
    text = text if len(text) <= most else "… " + text[-most:]
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if fence == "``" else f"`{text}`"


def picture(metrics: dict) -> str:
    """An SVG: a line a metric, its difference and interval, and zero. Colour is never the only sign."""
    width, left, right, row = 760, 300, 30, 34
    height = 50 + row * max(1, len(metrics))
    reach = max([abs(m[key]) for m in metrics.values() for key in ("low", "high", "difference")] or [1]) * 1.1 or 1

    def x(value: float) -> float:
        return left + (width - left - right) * (value + reach) / (2 * reach)

    colours = {"better": "#1a7f37", "worse": "#cf222e", "not shown to differ": "#57606a"}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13" role="img"><title>New minus base, with 95 % intervals</title>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<line x1="{x(0):.1f}" y1="10" x2="{x(0):.1f}" y2="{height - 32}" stroke="#8c959f" stroke-dasharray="4 3"/>',
    ]
    for index, (name, m) in enumerate(metrics.items()):
        y, colour = 28 + row * index, colours[m["standing"]]
        label = html.escape(name if len(name) <= 38 else name[:37] + "…")
        parts += [
            f'<text x="10" y="{y}" fill="#1f2328">{label}</text>',
            f'<text x="10" y="{y + 13}" font-size="10" fill="{colour}">{m["standing"]}, {m["difference"]:+.3f}</text>',
            f'<line x1="{x(m["low"]):.1f}" y1="{y}" x2="{x(m["high"]):.1f}" y2="{y}" stroke="{colour}" '
            'stroke-width="3"/>',
            f'<circle cx="{x(m["difference"]):.1f}" cy="{y}" r="5" fill="{colour}"/>',
        ]
    for value in (-reach, 0.0, reach):
        anchor = "start" if value < 0 else "end" if value > 0 else "middle"
        parts.append(
            f'<text x="{x(value):.1f}" y="{height - 12}" text-anchor="{anchor}" fill="#57606a">{value:+.3f}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    sys.exit(run(main))
