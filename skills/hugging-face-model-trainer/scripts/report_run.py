# /// script
# requires-python = ">=3.10"
# dependencies = ["matplotlib>=3.9,<4", "jsonschema>=4.21,<5"]
# ///
"""Write the report of a run: the verdict first, then base against tuned, what to try next, curves, cost, settings.

Reads run.json, and where they are there comparison.json (compare_models.py), submission.json, log.jsonl and
gguf/gguf.json beside it. Every number of the report stands in one of these.

examples:
  python scripts/report_run.py runs/qwen3-0.6b-codeforces-cots-sft
  python scripts/report_run.py runs/mine --out training_reports --json
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

import statistics
from typing import NamedTuple

MEANING = {
    "loss": "mean negative log-likelihood of the right answer's tokens, in nats",
    "preference_accuracy": "share of pairs in which the chosen answer is likelier, by the mean over its tokens",
    "margin": "by how much it is likelier, in nats per token",
    "pair_accuracy": "share of pairs in which the chosen answer scores higher; the base is an untrained head",
    "reward": "sum of the rewards of the model's likeliest answer, each by its weight",
    "accuracy": "share of rows in which the right answer is the likeliest of the task's answers",
    "exact_match": "share of rows whose likeliest answer is, word for word, the right one",
    "shift": "by how much good answers became likelier and bad ones less likely, in nats per token",
    "likelihood_good": "mean log-likelihood of the tokens of answers that are marked good",
    "likelihood_bad": "the same of answers that are marked bad",
    "number_match": "share of rows whose likeliest answer comes to the right number",
}
CURVES = {
    "loss": "training loss, nats per token", "reward": "mean reward", "rewards/accuracies": "pairs ranked right",
    "accuracy": "pairs ranked right", "mean_token_accuracy": "tokens guessed right", "learning_rate": "learning rate",
}  # fmt: skip
GREY, BLUE, PALE = "#9aa7b8", "#1f4e9c", "#c9d3e0"
LONGEST = 600  # characters of a prompt or an answer that are shown


class Run(NamedTuple):
    """What is known of a run, each from one file of its folder."""

    folder: Path
    run: dict
    comparison: dict | None
    submission: dict | None
    gguf: dict | None
    log: list[dict]

    @property
    def held_out(self) -> dict | None:
        """The comparison over held-out rows: compare_models.py's where it was run, else the training's."""
        return self.comparison["held_out"] if self.comparison else self.run["comparison"]


def read_run(path: Path) -> Run:
    """Raises Failure for a run that has not ended, and for a comparison of another run."""
    folder = path if path.is_dir() else path.parent
    run_file = path / "run.json" if path.is_dir() else path
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines() if (folder / "log.jsonl").is_file() else []
    entries = [json.loads(line) for line in lines]
    if not run_file.is_file() and entries:
        raise Failure(
            f"{path} has trained to step {entries[-1]['step']} and is not finished",
            "wait for it, or run the training script again: it continues, or with --finish scores what is there",
        )
    run = read_artifact(run_file, "run")

    def beside(name: str, kind: str) -> dict | None:
        return read_artifact(folder / name, kind) if (folder / name).is_file() else None

    comparison = beside("comparison.json", "comparison")
    if comparison and (comparison["run"] or {}).get("plan_sha256") != run["plan_sha256"]:
        raise Failure(f"{folder / 'comparison.json'} compares other models than this run's",
                      f"make it again: compare_models.py {folder}", EXIT_USAGE)  # fmt: skip
    logged = entries if [entry["step"] for entry in entries] == [entry["step"] for entry in run["log"]] else run["log"]
    submission = beside("submission.json", "submission")
    return Run(folder, run, comparison, submission, beside("gguf/gguf.json", "gguf"), logged)


def verdict(known: Run) -> str:
    """One sentence on whether the tuned model is better than its base, and no more than the intervals allow."""
    if known.run["status"] == "stopped":
        return "The run stopped before its end; base and tuned have not been compared."
    if known.comparison:
        return known.comparison["verdict"]["sentence"]
    if known.held_out is None:
        return "No held-out row could be scored; base and tuned have not been compared."
    rows, metrics = known.held_out["rows"], known.held_out["metrics"]
    return f"The tuned model is {verdict_of(metrics)}, over {rows} held-out rows (95 % intervals)."


def draw_curves(entries: list[dict], path: Path) -> list[str]:
    """What was logged by step, each value and its running mean of ten, as one picture; returns what is in it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in CURVES if all(name in entry for entry in entries)]
    if "reward" in names:  # the loss of GRPO is about zero by design, and says nothing
        names = ["reward", *(name for name in names if name not in ("reward", "loss", "mean_token_accuracy"))]
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure, grid = pyplot.subplots(lines, columns, figsize=(3.6 * columns, 2.7 * lines), dpi=130, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        steps, values = [entry["step"] for entry in entries], [entry[name] for entry in entries]
        if name == "learning_rate":
            axes.plot(steps, values, color=BLUE, linewidth=2)
            axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 3))
        else:
            smooth = [statistics.fmean(values[max(0, i - 9) : i + 1]) for i in range(len(values))]
            axes.plot(steps, values, color=PALE, linewidth=1, label="each step")
            axes.plot(steps, smooth, color=BLUE, linewidth=2, label="mean of the last 10")
            axes.legend(frameon=False, fontsize=8)
        axes.set_title(CURVES[name], fontsize=10, loc="left")
        axes.set_xlabel("step", fontsize=9)
        axes.set_ylim(min(0, *values), None)
    for axes in list(grid.flat)[len(names) :]:
        axes.set_visible(False)
    save(figure, grid.flat, path)
    return [CURVES[name] for name in names]


def draw_bars(metrics: dict, path: Path) -> None:
    """Base and tuned of each metric as two bars; the whisker is the 95 % interval of tuned, drawn from the base."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(4, len(metrics))
    lines = -(-len(metrics) // columns)
    figure, grid = pyplot.subplots(lines, columns, figsize=(2.3 * columns, 2.9 * lines), dpi=130, squeeze=False)
    for axes, (name, m) in zip(grid.flat, metrics.items(), strict=False):
        below, above = m["difference"] - m["low"], m["high"] - m["difference"]
        axes.bar([f"base\n{m['base']:.3f}", f"tuned\n{m['tuned']:.3f}"], [m["base"], m["tuned"]],
                 color=[GREY, BLUE], width=0.6)  # fmt: skip
        reach = [[max(0, below)], [max(0, above)]]
        axes.errorbar([1], [m["tuned"]], yerr=reach, color="#20262e", capsize=5, linewidth=1.4)
        axes.set_title(f"{name}\n({m['better']} is better)", fontsize=9)
        axes.margins(y=0.1)
        if m["base"] == m["tuned"] == 0:
            axes.set_ylim(0, 1)
    for axes in list(grid.flat)[len(metrics) :]:
        axes.set_visible(False)
    save(figure, grid.flat, path)


def save(figure, grid, path: Path) -> None:
    from matplotlib import pyplot

    for axes in grid:
        axes.grid(axis="y", alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)


def compared(known: Run) -> dict:
    """{name: metric} of the held-out rows and of the tasks: what the bars show."""
    metrics = dict(known.held_out["metrics"]) if known.held_out else {}
    for task, entry in (known.comparison or {"tasks": {}})["tasks"].items():
        metrics |= {f"{task}/{name}": metric for name, metric in entry["metrics"].items()}
    return metrics


def table(header: list[str], rows: list[list]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


def metric_table(metrics: dict) -> list[str]:
    return table(
        ["metric", "base", "tuned", "tuned - base", "95 % interval", "better when", "so"],
        [
            [name, f"{m['base']:.3f}", f"{m['tuned']:.3f}", f"{m['difference']:+.3f}",
             f"{m['low']:+.3f} to {m['high']:+.3f}", m["better"], standing(m)]
            for name, m in metrics.items()
        ],
    )  # fmt: skip


def side_by_side(samples: list[dict]) -> list[str]:
    """Each sample as a block that Markdown leaves as it is: prompt, what is expected, both answers."""
    lines: list[str] = []
    for sample in samples:
        parts = []
        for title in ("prompt", "expected", "base", "tuned"):
            text = re.sub(r"\n{3,}", "\n\n", (sample[title] or "").strip("\n"))
            text = text if len(text) <= LONGEST else text[:LONGEST] + " …"
            if title != "expected" or sample[title] is not None:
                parts.append(f"{title + ':':<9} " + (text or "(nothing)").replace("\n", "\n" + " " * 10))
        block = "\n".join(parts)
        fence = "`" * max(3, *(len(ticks) + 1 for ticks in re.findall(r"`+", block)), 3)
        lines += [fence + "text", block, fence, ""]
    return lines


def comparison_section(known: Run, picture: str | None) -> list[str]:
    held_out, more = known.held_out, known.comparison
    lines = ["## Base against tuned", ""]
    if picture:
        lines += [f"![base and tuned by metric]({picture})", ""]
    if held_out:
        lines += [*metric_table(held_out["metrics"]), ""]
        lines += [
            f"Both models were scored by one code over the same {held_out['rows']} held-out rows, none of which "
            "shares its prompt's group with a training row. The interval is a paired bootstrap over groups; a "
            "whisker in the picture is the same interval, counted from the base.",
            "",
        ]
        lines += [f"- **{name}**: {MEANING[name]}." for name in held_out["metrics"] if name in MEANING]
        if held_out.get("choices"):
            lines += [f"- The task's answers: {', '.join(held_out['choices'])}."]
        if p := held_out.get("perplexity"):
            lines += [
                f"- **perplexity** (exponential of the loss): base {p['base']:.3f}, tuned {p['tuned']:.3f}; tuned is "
                f"{p['ratio']:.3f} of base, interval {p['low']:.3f} to {p['high']:.3f}."
            ]
        lines += [""]
    if more is None:
        return [*lines, "What this does not show: behaviour on other prompts than the data's, on other tasks, or "
                "whether anything that the base could do was lost.", ""]  # fmt: skip
    for task, entry in more["tasks"].items():
        lines += [f"### Task {task}", ""]
        if entry["metrics"]:
            lines += [*metric_table(entry["metrics"]), "", f"{entry['rows']} documents, {entry['harness']}.", ""]
        rest = entry["without_interval"].items()
        lines += [f"- {name}: base {m['base']:.3f}, tuned {m['tuned']:.3f}; no mean over documents, so no interval."
                  for name, m in rest]  # fmt: skip
        lines += [""] if rest else []
    if probes := more["probes"]:
        asked = f"{probes['rows']} prompts that are not of the data, {probes['scored']} with an expected answer."
        lines += ["### Probes", "", f"{asked} They decide no verdict.", ""]
        lines += [*metric_table(probes["metrics"]), ""] if probes["metrics"] else []
    lines += [*(f"- Note: {warning}." for warning in more["warnings"]), *([""] if more["warnings"] else [])]
    return [*lines, more["not_shown"], ""]


def answers_section(comparison: dict) -> list[str]:
    limit = comparison["settings"]["max_new_tokens"]
    lines = ["## Side by side", "", f"Both models answer greedily, with {limit} tokens at most.", ""]
    if comparison["samples"]:
        lines += ["### Held-out prompts, drawn by the seed", "", *side_by_side(comparison["samples"])]
    if comparison["probes"]:
        lines += ["### Probes", "", *side_by_side(comparison["probes"]["samples"][:10])]
    return lines


def next_steps(known: Run) -> list[str]:
    """What the numbers of this run suggest, each with the number that says so; the most pressing first."""
    run, settings, more = known.run, known.run["plan"]["settings"], known.comparison
    if run["status"] == "stopped":
        return [f"- Run the training script again: it continues after step {run['steps']}."]
    kinds: dict = {"better": [], "worse": [], "not shown to differ": []}
    for name, metric in compared(known).items():
        kinds[standing(metric)].append(name)
    steps = []
    if kinds["worse"]:
        steps.append(
            f"**A tenth of the learning rate** ({settings['learning_rate']:g} now), or fewer steps: "
            f"{listed(kinds['worse'])} became worse, beyond the interval."
        )
    steps += of_training(run, kinds) + of_scores(known, kinds)
    if more is None or not (more["probes"] or more["tasks"]):
        steps.append(
            f"**Look for what was lost**: `compare_models.py {known.folder} --probes probes.jsonl` asks both models "
            "what is not in the data; only the data's own prompts have been asked yet."
        )
    if kinds["better"] and not kinds["worse"]:
        steps.append(
            "**A second seed before a claim**: the intervals are over rows, and this is one run of training "
            f"(seed {settings['seed']})."
        )
    return [f"- {step}" for step in steps]


def of_training(run: dict, kinds: dict) -> list[str]:
    """What the course of training suggests."""
    settings, losses = run["plan"]["settings"], [entry["loss"] for entry in run["log"]]
    rewards = [entry["reward"] for entry in run["log"] if "reward" in entry]
    grpo, fifth = run["plan"]["method"] == "grpo", max(1, len(losses) // 5)
    long = len(losses) >= 10
    last, before = (
        (statistics.fmean(losses[-fifth:]), statistics.fmean(losses[-2 * fifth : -fifth])) if long else (0, 0)
    )
    steps = []
    if run["stopped_by"] and run["steps"] < settings["steps"]:
        reached = f"step {run['steps']} of {settings['steps']}"
        steps.append(f"**More time**: {run['stopped_by']} ended training at {reached}.")
    elif long and not grpo and last < 0.97 * before:
        steps.append(f"**More steps**: the training loss was still falling when it ended, at step {run['steps']}.")
    elif long and not grpo and not kinds["better"]:
        steps.append(
            "**More rows, or another base model, before more steps**: nothing is shown to be better, and the training "
            f"loss had stopped falling ({losses[-1]:.3f} at the last step)."
        )
    if long and rewards and abs(statistics.fmean(rewards[-fifth:]) - statistics.fmean(rewards[:fifth])) < 0.01:
        steps.append(
            f"**Easier prompts, or a reward in degrees**: the mean reward began at {rewards[0]:.3f} and ended at "
            f"{rewards[-1]:.3f}; where all answers to a prompt earn the same, nothing is learned."
        )
    if out_of_memory := run.get("out_of_memory"):
        steps.append(
            f"**Plan again with a smaller batch**: memory ran out at step {out_of_memory[-1]['step']} with "
            f"{out_of_memory[-1]['batch_size']} rows, and the batch was halved."
        )
    memory = run["plan"]["hardware"]["memory_gb"]
    if settings["device"] == "cuda" and run["peak_memory_gb"] < 0.5 * memory:
        steps.append(f"**A smaller GPU, or a larger batch**: {run['peak_memory_gb']:.1f} of {memory:.1f} GB were used.")
    return steps


def of_scores(known: Run, kinds: dict) -> list[str]:
    """What the scores of the held-out rows suggest."""
    run, held_out, more = known.run, known.held_out, known.comparison
    if not held_out:
        return ["**Rows that can be scored**: none of the held-out rows was; look at max_length and at the data."]
    metrics, steps = held_out["metrics"], []
    answers = [name for name in ("accuracy", "exact_match", "number_match") if name in metrics]
    open_ = [n for n, m in metrics.items() if standing(m) == "not shown to differ" and m["low"] < m["high"]]
    if open_ and held_out["rows"] < 300:
        low, high = metrics[open_[0]]["low"], metrics[open_[0]]["high"]
        steps.append(
            f"**More held-out rows** (`split.fraction` in the plan): with {held_out['rows']}, the difference in "
            f"{open_[0]} may be anything from {low:+.3f} to {high:+.3f}."
        )
    if "loss" in kinds["better"] and answers and not set(answers) & {*kinds["better"], *kinds["worse"]}:
        steps.append(
            f"**More rows or steps before a larger model**: the loss fell by {-metrics['loss']['difference']:.3f}, and "
            "answers are not shown to be right more often: their form was learned before their content."
        )
    losses, held_out_loss = [entry["loss"] for entry in run["log"]], metrics.get("loss", {"tuned": 0})["tuned"]
    if losses and statistics.fmean(losses[-10:]) < 0.5 * held_out_loss:
        steps.append(
            f"**Fewer epochs or more rows**: the training loss ended at {losses[-1]:.3f}, the held-out loss at "
            f"{held_out_loss:.3f}: rows are being learned by heart."
        )
    full = [name for name in (*answers, "preference_accuracy", "pair_accuracy")
            if name in metrics and metrics[name]["tuned"] > 0.97]  # fmt: skip
    if full:
        tuned = metrics[full[0]]["tuned"]
        steps.append(f"**Harder held-out rows**: {full[0]} is {tuned:.3f}, where no further gain can show.")
    if more and more["cut"]["tuned"] and {"exact_match", "number_match", "reward"} & set(metrics):
        steps.append(
            f"**Compare with a higher `--max-new-tokens`**: {more['cut']['tuned']} answers of the tuned model and "
            f"{more['cut']['base']} of the base were cut at {more['settings']['max_new_tokens']} tokens."
        )
    return steps


def expected_and_actual(known: Run) -> list[str]:
    run, plan, submission = known.run, known.run["plan"], known.submission
    estimate, job = plan["estimate"], run.get("job")
    low, high = estimate["train_seconds_range"]
    local = plan["hardware"]["where"] == "local" and not job
    hourly = (submission or {}).get("usd_per_hour")
    if job:
        paid = f"{job['cost_usd']:.2f}"
    elif local:
        paid = f"{0:.2f}"
    else:
        by_time = f"about {run['seconds'] / 3600 * hourly:.2f}, by its seconds and price" if hourly else ""
        paid = by_time or "see the job's page"
    rows = [
        ["training, s", f"{estimate['train_seconds']:.0f} ({low:.0f} to {high:.0f})", f"{run['train_seconds']:.0f}"]
    ]
    if job and "seconds" in job:
        rows.append(["the job, s", f"{estimate.get('run_seconds', 0):.0f}", f"{job['seconds']:.0f}"])
    if hourly:
        rows.append(["price, $ per hour", f"{hourly:.2f}", ""])
    at_most = (submission or {}).get("at_most_usd", estimate.get("cost_usd_at_most"))
    planned = (submission or {}).get("expected_usd", estimate["cost_usd"])
    rows += [
        ["cost, $", f"{planned:.2f}" + (f", at most {at_most:.2f}" if at_most else ""), paid],
        ["peak memory, GB", f"{estimate['memory_gb']:.1f}", f"{run['peak_memory_gb']:.1f}"],
    ]
    return ["## Expected and actual", "", *table(["", "planned", "actual"], rows), ""]


def stage_words(stage: dict) -> str:
    return f"{stage['name']}: {stage['method']} of {stage['model']} on {stage['dataset']}"


def settings_section(run: dict) -> list[str]:
    plan, settings = run["plan"], run["plan"]["settings"]
    source, lora, hardware = plan["dataset"]["source"], settings["lora"], plan["hardware"]
    change = "all parameters" if lora is None else (
        f"LoRA r={lora['r']}, alpha={lora['lora_alpha']}, {lora['target_modules']}")  # fmt: skip
    size = plan["model"]["parameters"]
    place = "a job" if run.get("job") else hardware["where"]
    rows = [
        ["base model", f"{plan['model']['id']} ({size / 1e9:.2f}B parameters)" if size >= 1e7 else
         f"{plan['model']['id']} ({size} parameters)"],
        ["data", f"{source['id']}, split {source['split']}; {run['train_rows']} rows trained on"],
        ["method", f"{plan['method']}, {change}"],
        ["precision", f"{settings['precision']} (weights kept in {settings['weights']})"],
        *([["after", "; ".join(map(stage_words, plan["model"]["stages"]))]] if plan["model"].get("stages") else []),
        ["batch", f"{settings['batch_size']} x {settings['accumulation']}"],
        ["steps", f"{run['steps']} of {settings['steps']}"],
        ["learning rate", f"{settings['learning_rate']:g}, {settings['warmup_steps']} warm-up steps, then cosine"],
        ["length", settings["max_length"]],
        *([["rewards", ", ".join(settings["rewards"])]] if settings.get("rewards") else []),
        ["hardware", f"{hardware.get('name', hardware['device'])} ({place})"],
        ["seed", settings["seed"]],
        ["versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())],
    ]  # fmt: skip
    return ["## Settings", "", *table(["setting", "value"], rows), ""]


def usage_section(known: Run) -> list[str]:
    """How the model is run: by transformers as it lies here (or on the Hub), and by llama.cpp where GGUF was made."""
    run = known.run
    if not run["model_path"]:
        return []
    here, reward = known.folder / run["model_path"], run["plan"]["method"] == "reward"
    model = run["pushed"]["repo_id"] if run.get("pushed") else str(here)
    task = "SequenceClassification" if reward else "CausalLM"
    adapter = run["plan"]["settings"]["lora"] is not None
    kind = f"AutoPeftModelFor{task}" if adapter else f"AutoModelFor{task}"
    head = ", num_labels=1" if reward else ""
    chat = (here / "chat_template.jinja").is_file()
    code = ["from peft import " + kind, "from transformers import AutoTokenizer"] if adapter else [
        f"from transformers import {kind}, AutoTokenizer"]  # fmt: skip
    code += ["", f"model = {kind}.from_pretrained({model!r}, dtype='auto'{head})"
             + (f"  # on top of {run['plan']['model']['id']}" if adapter else ""),
             f"tokenizer = AutoTokenizer.from_pretrained({model!r})"]  # fmt: skip
    question = "[{'role': 'user', 'content': 'Your prompt'}]"
    if reward and chat:
        code += [f"messages = {question} + [{{'role': 'assistant', 'content': 'An answer'}}]",
                 "inputs = tokenizer.apply_chat_template(messages, return_dict=True, return_tensors='pt')"]  # fmt: skip
    elif chat:
        code += [f"messages = {question}", "inputs = tokenizer.apply_chat_template(",
                 "    messages, add_generation_prompt=True, return_dict=True, return_tensors='pt')"]  # fmt: skip
    else:
        code += ["inputs = tokenizer('Your prompt', return_tensors='pt')"]
    code += ["print(model(**inputs.to(model.device)).logits[0, 0].item())"] if reward else [
        "answer = model.generate(**inputs.to(model.device), max_new_tokens=128)[0, inputs['input_ids'].shape[1]:]",
        "print(tokenizer.decode(answer, skip_special_tokens=True))"]  # fmt: skip
    lines = ["## Use it", "", "```python", *code, "```", ""]
    if known.gguf and known.gguf["files"]:
        files, folder = known.gguf["files"], known.folder / "gguf"
        lines += [
            "As GGUF, for llama.cpp, Ollama or LM Studio; the ratio is of the file's perplexity to the model's:",
            "",
        ]
        rows = [[file["file"], file["type"], file["bytes"], f"{file['ratio']:.4f}"] for file in files]
        lines += table(["file", "type", "bytes", "ratio"], rows)
        lines += ["", "```bash", f"llama-cli -m {folder / files[0]['file']} -p 'Your prompt'", "```", ""]
    return lines


def links(known: Run) -> list[str]:
    run = known.run
    found = [f"- [job {job['id']}]({job['url']})" for job in (known.submission or {"jobs": []})["jobs"]]
    if run.get("pushed"):
        found += [f"- [model {run['pushed']['repo_id']}]({run['pushed']['url']})"]
    database = next(iter(sorted((known.folder / "trackio").glob("*.db"))), None)
    place = f"TRACKIO_DIR={known.folder / 'trackio'} " if database else ""
    found += [f"- dashboard: `{place}trackio show --project {run['name']}`"]
    files = ["run.json", *(name for name, document in (
        ("comparison.json", known.comparison), ("submission.json", known.submission), ("gguf/gguf.json", known.gguf),
    ) if document)]  # fmt: skip
    return ["## Links", "", *found, f"- made from {', '.join(files)} in `{known.folder}`"]


def report(known: Run, curves: str | None, bars: str | None) -> str:
    """The report as Markdown; `curves` and `bars` are the paths of the pictures from the report."""
    run, settings = known.run, known.run["plan"]["settings"]
    lines = [f"# {run['name']}", "", f"**{verdict(known)}**", ""]
    if run["status"] == "completed" and run["stopped_by"]:
        lines += [f"Training was cut short by {run['stopped_by']} at step {run['steps']} of {settings['steps']}.", ""]
    if run["status"] == "stopped":
        lines += [f"Stopped by {run['stopped_by']} at step {run['steps']}; run the training script again to go on.", ""]
    if known.comparison or known.held_out:
        lines += comparison_section(known, bars)
    if steps := next_steps(known):
        lines += ["## What to try next", "", *steps, ""]
    if curves:
        first, last = run["log"][0], run["log"][-1]
        told = "reward" if "reward" in first else "loss"
        lines += ["## Training", "", f"![what was logged by step]({curves})", ""]
        ends = f"{first[told]:.3f} at step {first['step']}, {last[told]:.3f} at step {last['step']}"
        lines += [f"Training {told}: {ends}.", ""]
    if known.comparison and (known.comparison["samples"] or known.comparison["probes"]):
        lines += answers_section(known.comparison)
    lines += expected_and_actual(known) + settings_section(run) + usage_section(known) + links(known)
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("run", type=Path, help="folder of the run, or its run.json")
    arguments.add_argument("--out", type=Path, default=Path("training_reports"), help="folder of the report")
    arguments.add_argument("--json", action="store_true", help="print {report, pictures, verdict} on standard output")
    args = arguments.parse_args(argv)
    known = read_run(args.run)
    name = known.run["name"]
    curves, bars = args.out / f"{name}-training.png", args.out / f"{name}-comparison.png"
    pictures = []
    if known.run["log"]:
        draw_curves(known.log, curves)
        pictures.append(curves)
    if metrics := compared(known):
        draw_bars(metrics, bars)
        pictures.append(bars)
    path = args.out / f"{name}.md"
    text = report(known, *(picture.name if picture in pictures else None for picture in (curves, bars)))
    write_atomic(path, redact(text))
    sentence = verdict(known)
    log(sentence)
    if args.json:
        emit({"report": str(path), "pictures": [str(picture) for picture in pictures], "verdict": sentence})
    else:
        say(str(path))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
