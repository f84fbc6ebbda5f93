# /// script
# requires-python = ">=3.10"
# dependencies = ["matplotlib>=3.9,<4", "jsonschema>=4.21,<5"]
# ///
"""Write the report of a run: the verdict first, the loss curve as a picture, settings, base against tuned.

Reads run.json and nothing else, so that every number in the report is in that file.

examples:
  python scripts/report_run.py runs/qwen3-0.6b-codeforces-cots-sft
  python scripts/report_run.py runs/mine --out training_reports --json
"""

# region skillpack:script
import argparse
import json
import os
import re
import sys
import tempfile
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


def write_atomic(path: Path, text: str) -> None:
    """Writes beside `path` and renames, so that a reader sees the old file or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
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


class Parser(argparse.ArgumentParser):
    def print_help(self, file=None) -> None:
        super().print_help(file or RESULT)


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose --help is the script's docstring and the exit codes."""
    return Parser(description=doc, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)


def run(main: Callable[[list[str]], int]) -> int:
    """Calls `main(argv)` and turns what it raises into a message and an exit code."""
    sys.stdout = sys.stderr
    try:
        return main(sys.argv[1:])
    except Failure as failure:
        log(f"error: {failure}")
        return failure.code
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), RESULT.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        log("interrupted; run the same command to continue")
        return EXIT_INTERRUPTED


# endregion skillpack:script

import datetime

MEANING = {
    "loss": "mean negative log-likelihood of the right answer's tokens, in nats",
    "preference_accuracy": "share of pairs in which the chosen answer is likelier, by the mean over its tokens",
    "margin": "by how much it is likelier, in nats per token",
    "pair_accuracy": "share of pairs in which the chosen answer scores higher; the base is an untrained head",
    "reward": "sum of the rewards of the model's likeliest answer",
    "accuracy": "share of rows in which the right answer is the likeliest of the task's answers",
}


def verdict(run: dict) -> str:
    """One sentence on whether the tuned model is better than its base, and no more than the interval allows."""
    comparison = run["comparison"]
    if run["status"] == "stopped":
        return "The run stopped before its end; base and tuned have not been compared."
    if comparison is None:
        return "No held-out row could be scored; base and tuned have not been compared."
    rows, metrics = comparison["rows"], comparison["metrics"]
    better, worse, open_ = [], [], []
    for name, metric in metrics.items():
        gain = metric["difference"] * (1 if metric["better"] == "higher" else -1)
        (open_ if not metric["low"] > 0 and not metric["high"] < 0 else better if gain > 0 else worse).append(name)
    parts = []
    if better:
        parts.append(f"better than its base on {' and '.join(better)}")
    if worse:
        parts.append(f"worse than its base on {' and '.join(worse)}")
    if open_:
        parts.append(f"not shown to differ on {' and '.join(open_)}")
    return f"The tuned model is {', and '.join(parts)}, over {rows} held-out rows (95 % intervals)."


def draw_loss(entries: list[dict], path: Path) -> None:
    """The training loss by step, each step and its running mean of ten, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps, losses = [entry["step"] for entry in entries], [entry["loss"] for entry in entries]
    smooth = [sum(losses[max(0, i - 9) : i + 1]) / len(losses[max(0, i - 9) : i + 1]) for i in range(len(losses))]
    figure, axes = pyplot.subplots(figsize=(7, 3.6), dpi=130)
    axes.plot(steps, losses, color="#9aa7b8", linewidth=1, label="each step")
    axes.plot(steps, smooth, color="#1f4e9c", linewidth=2, label="mean of the last 10")
    axes.set(xlabel="step", ylabel="training loss (nats per token)", ylim=(0, None))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    pyplot.close(figure)


def table(header: list[str], rows: list[list]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


def comparison_section(comparison: dict) -> list[str]:
    lines = ["## Base against tuned", ""]
    lines += table(
        ["metric", "base", "tuned", "tuned - base", "95 % interval", "better when"],
        [
            [name, f"{m['base']:.3f}", f"{m['tuned']:.3f}", f"{m['difference']:+.3f}",
             f"{m['low']:+.3f} to {m['high']:+.3f}", m["better"]]
            for name, m in comparison["metrics"].items()
        ],
    )  # fmt: skip
    lines += [
        "",
        f"Both models were scored once, over the same {comparison['rows']} held-out rows, none of which "
        "shares its prompt's group with a training row. The interval is a paired bootstrap over rows.",
        "",
    ]
    lines += [f"- **{name}**: {MEANING[name]}." for name in comparison["metrics"] if name in MEANING]
    if comparison.get("choices"):
        lines += [f"- The task's answers: {', '.join(comparison['choices'])}."]
    return [*lines, "", "What this does not show: behaviour on other prompts than the data's, on other tasks, or "
            "whether anything that the base could do was lost.", ""]  # fmt: skip


def report(run: dict, picture: str, folder: Path) -> str:
    """The report as Markdown; `picture` is the path of the loss curve from the report, `folder` the run's."""
    plan, settings = run["plan"], run["plan"]["settings"]
    estimate, lora = plan["estimate"], settings["lora"]
    lines = [f"# {run['name']}", "", f"**{verdict(run)}**", ""]
    if run["status"] == "completed" and run["stopped_by"]:
        lines += [f"Training was cut short by {run['stopped_by']} at step {run['steps']} of {settings['steps']}.", ""]
    if run["status"] == "stopped":
        lines += [f"Stopped by {run['stopped_by']} at step {run['steps']}; run the training script again to go on.", ""]
    if run["comparison"]:
        lines += comparison_section(run["comparison"])
    if run["log"]:
        first, last = run["log"][0], run["log"][-1]
        lines += ["## Training", "", f"![training loss by step]({picture})", ""]
        lines += [f"Loss {first['loss']:.3f} at step {first['step']}, {last['loss']:.3f} at step {last['step']}.", ""]
    lines += ["## Expected and actual", ""]
    low, high = estimate["train_seconds_range"]
    job, hardware = run.get("job"), plan["hardware"]
    paid = f"{job['cost_usd']:.2f}" if job else "0.00" if hardware["where"] == "local" else "see the job's page"
    lines += table(
        ["", "planned", "actual"],
        [
            ["training time, s", f"{estimate['train_seconds']} ({low} to {high})", f"{run['train_seconds']:.0f}"],
            ["peak memory, GB", f"{estimate['memory_gb']:.1f}", f"{run['peak_memory_gb']:.1f}"],
            [
                "cost, $",
                f"{estimate['cost_usd']:.2f}",
                paid,
            ],
        ],
    )
    lines += ["", "## Settings", ""]
    source = plan["dataset"]["source"]
    change = (
        "all parameters"
        if lora is None
        else f"LoRA r={lora['r']}, alpha={lora['lora_alpha']}, {lora['target_modules']}"
    )
    lines += table(
        ["setting", "value"],
        [
            ["base model", f"{plan['model']['id']} ({plan['model']['parameters'] / 1e9:.3g}B parameters)"],
            ["data", f"{source['id']}, split {source['split']}; {run['train_rows']} rows trained on"],
            ["method", f"{plan['method']}, {change}"],
            ["precision", f"{settings['precision']} (weights kept in {settings['weights']})"],
            [
                "batch",
                f"{settings['batch_size']} x {settings['accumulation']}, {run['steps']} of {settings['steps']} steps",
            ],
            ["learning rate", f"{settings['learning_rate']:g}, {settings['warmup_steps']} warm-up steps, then cosine"],
            ["length", settings["max_length"]],
            ["hardware", f"{hardware.get('name', hardware['device'])} ({'a job' if job else hardware['where']})"],
            ["seed", settings["seed"]],
            ["versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())],
        ],
    )
    if run["model_path"]:
        code = usage(plan["model"]["id"], str(folder / run["model_path"]), lora)
        lines += ["", "## Use it", "", "```python", *code, "```"]
    return "\n".join(lines) + "\n"


def usage(base: str, path: str, lora: dict | None) -> list[str]:
    loading = (
        ["from transformers import AutoModelForCausalLM, AutoTokenizer", "",
         f"model = AutoModelForCausalLM.from_pretrained({path!r}, dtype='auto')"]
        if lora is None else
        ["from peft import AutoPeftModelForCausalLM", "from transformers import AutoTokenizer", "",
         f"model = AutoPeftModelForCausalLM.from_pretrained({path!r}, dtype='auto')  # on top of {base}"]
    )  # fmt: skip
    return [*loading, f"tokenizer = AutoTokenizer.from_pretrained({path!r})"]


def main(argv: list[str]) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("run", type=Path, help="folder of the run, or its run.json")
    arguments.add_argument("--out", type=Path, default=Path("training_reports"), help="folder of the report")
    arguments.add_argument("--json", action="store_true", help="print {report, picture, verdict} on standard output")
    args = arguments.parse_args(argv)
    run_file = args.run / "run.json" if args.run.is_dir() else args.run
    if not run_file.is_file() and (args.run / "log.jsonl").is_file():
        step = json.loads((args.run / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])["step"]
        raise Failure(
            f"{args.run} has trained to step {step} and is not finished",
            "wait for it, or run the training script again: it continues, or with --finish scores what is there",
        )
    document = read_artifact(run_file, "run")
    path = args.out / f"{document['name']}.md"
    picture = args.out / f"{document['name']}.png"
    if document["log"]:
        draw_loss(document["log"], picture)
    written = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    text = report(document, picture.name, run_file.parent) + f"\nWritten {written} from {run_file}.\n"
    write_atomic(path, redact(text))
    sentence = verdict(document)
    log(sentence)
    if args.json:
        emit({"report": str(path), "picture": str(picture) if document["log"] else None, "verdict": sentence})
    else:
        say(str(path))
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
