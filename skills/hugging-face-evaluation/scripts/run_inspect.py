# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "inspect-ai==0.3.285",
#   "openai>=3.4,<4",
#   "transformers>=5.23,<6",
#   "accelerate>=1.15,<2",
#   "peft>=0.21,<1",
#   "datasets>=5.2,<6",
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "torch>=2.8,<3",
# ]
# ///
"""Run tasks of inspect-ai (solvers, tools, several turns, agents) on a model, into the eval.json of run_eval.py.

MODEL is a Hub id or a folder, or with --endpoint a name that an OpenAI-compatible server knows. A task is FILE.py,
FILE.py@NAME, or PACKAGE/NAME of an installed package (`uv run --with inspect-evals scripts/run_inspect.py …`). What a
task brings runs as code on this machine: read it first, and let agents act in its own sandbox (docker).

Weights answer greedily, which inspect-ai does not do unless told. Writes eval.json, samples/*.jsonl, and inspect-ai's
own logs under inspect/ (`inspect view --log-dir …`). The same command continues after a crash, sample by sample.
An answer that several epochs give is one group of the interval, since its repeats are not independent.

examples:
  python scripts/run_inspect.py Qwen/Qwen3-0.6B --task sums.py@sums -T n=50 --limit 20
  python scripts/run_inspect.py my-model --endpoint http://localhost:8000/v1 --task inspect_evals/gsm8k --json
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

# region skillpack:identity
import hashlib


def file_of(model: str, name: str, revision: str | None = None) -> Path | None:
    """A file of a model's folder or repository, None where it has none. Raises Failure where there is no model."""
    if Path(model).is_dir():
        return Path(model) / name if (Path(model) / name).is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError, RemoteEntryNotFoundError

    try:
        return Path(hf_hub_download(model, name, revision=revision))
    except RemoteEntryNotFoundError:
        return None
    except (OSError, HFValidationError) as error:  # what the Hub answers is an OSError too
        problem = str(error).strip().splitlines()[0]
        raise Failure(
            f"{model}: {problem}", "give a folder, or a Hub id that your token may read", EXIT_USAGE
        ) from None


def version_of(model: str, revision: str | None = None) -> str:
    """What the weights of a model are known by: the commit on the Hub, or a hash of the folder's files and times."""
    if not Path(model).is_dir():
        found = file_of(model, "config.json", revision) or file_of(model, "adapter_config.json", revision)
        if found is None:
            raise Failure(f"{model} has neither config.json nor adapter_config.json", "is it a model?", EXIT_USAGE)
        return found.parent.name
    files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(Path(model).iterdir())]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


# endregion skillpack:identity

import contextlib
import datetime
import functools
import re
import time

HARNESS = "inspect-ai"
SHOWN_EVERY = 10  # seconds
ASIDE = "value"  # of a scorer whose value is no table of values


def main(argv: list[str]) -> int:
    args = arguments(argv)
    require_inputs(args)
    started = time.monotonic()
    out = args.out or Path("evals") / default_name(args)
    tasks = []
    for log_of_task in run_tasks(args, out):
        task, samples = task_entry(log_of_task, args)
        lines = [{"key": log_of_task.eval.task_id}, *samples]
        write_atomic(out / task["samples"], "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        tasks.append(task)
    document = {
        "schema": "skillpack/eval/1",
        "name": out.name,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "model": model_of(args),
        "settings": settings_of(args),
        "tasks": tasks,
        "warnings": [f"{task['task']}: {warning}" for task in tasks for warning in warnings_of(task)],
        "versions": versions_of(args),
        "seconds": time.monotonic() - started,
    }
    write_artifact(out / "eval.json", document)
    log(f"wrote {out / 'eval.json'}")
    emit(document) if args.json else say(summary(document))
    return EXIT_OK


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("model", help="a Hub id or a folder; with --endpoint, the name that the server knows")
    options.add_argument("--revision", help="of a model of the Hub")
    options.add_argument(
        "--task", action="append", required=True, help="FILE.py, FILE.py@NAME, PACKAGE/NAME; repeatable"
    )
    options.add_argument("-T", dest="task_args", action="append", default=[], metavar="NAME=VALUE",
                         help="an argument of the tasks; repeatable")  # fmt: skip
    options.add_argument("--limit", type=int, help="the first so many samples of each task")
    options.add_argument("--epochs", type=int, help="how often each sample is asked (default: the task's)")
    options.add_argument("--max-new-tokens", type=int, default=2048, help="of one answer (default: 2048)")
    options.add_argument(
        "--message-limit", type=int, help="messages of one sample, at which it ends (default: the task's)"
    )
    options.add_argument("--batch-size", type=int, default=8, help="answers at once (default: 8)")
    options.add_argument("--device", help="cuda, mps or cpu (default: a GPU where there is one)")
    options.add_argument("--seed", type=int, default=0, help="of a server, and of a task that draws (default: 0)")
    options.add_argument("--endpoint", help="address of an OpenAI-compatible server, as http://localhost:8000/v1")
    options.add_argument("--endpoint-key-env", help="variable that holds its key (default: it needs none)")
    options.add_argument("--out", type=Path, help="folder of the result (default: evals/MODEL-TASK)")
    options.add_argument("--json", action="store_true", help="print eval.json on standard output")
    args = options.parse_args(argv)
    wrong = [each for each in args.task_args if "=" not in each]
    if wrong:
        options.error(f"-T {wrong[0]}: write NAME=VALUE")
    return args


def require_inputs(args) -> None:
    """Before anything is loaded: the files of the tasks, and the key that the user named."""
    missing = [task for task in args.task if ".py" in task and not Path(task.partition("@")[0]).is_file()]
    if missing:
        raise Failure(f"no file {missing[0].partition('@')[0]}", "give the path of the task's file", EXIT_USAGE)
    if args.endpoint_key_env and not os.environ.get(args.endpoint_key_env):
        raise Failure(f"{args.endpoint_key_env} is not set", "export it; a key is never an argument", EXIT_USAGE)


def default_name(args) -> str:
    what = args.task[0].rpartition("@")[2] if len(args.task) == 1 else "tasks"
    return re.sub(r"[^\w.-]+", "-", f"{Path(args.model).name}-{Path(what).stem}").strip("-.") or "eval"


def run_tasks(args, out: Path) -> list:
    """The finished logs of the tasks, in their order; what an earlier call finished is not asked again."""
    try:
        from inspect_ai import eval_set
        from inspect_ai.log import read_eval_log
    except ImportError as error:
        raise Failure(f"inspect-ai is not here: {error}", "uv run scripts/run_inspect.py …", EXIT_USAGE) from None
    show_progress()
    try:
        done, logs = eval_set(
            args.task, log_dir=str(out / "inspect"), model=model_to_ask(args), task_args=task_arguments(args.task_args),
            limit=args.limit, epochs=args.epochs, message_limit=args.message_limit, retry_attempts=1,
            max_tokens=args.max_new_tokens, max_connections=args.batch_size, seed=args.seed,
            **({"temperature": 0.0} if args.endpoint else {}), display="none", log_format="eval", ctl_server=False,
        )  # fmt: skip
    except Exception as error:  # a task is anyone's code
        problem = f"inspect-ai cannot run {', '.join(args.task)}: {type(error).__name__}: {hidden(error, args)}"
        raise Failure(problem, "correct the task or its arguments; what was answered is kept") from error
    failed = [each for each in logs if each.status != "success"]
    if not done or failed:
        said = failed[0].error.message if failed and failed[0].error else "no sample succeeded"
        where = f"inspect view --log-dir {out / 'inspect'}"
        raise Failure(f"{failed[0].eval.task if failed else args.task[0]}: {hidden(said, args)}",
                      f"{where} shows the samples; then the same command, which continues")  # fmt: skip
    return [read_eval_log(each.location) for each in sorted(logs, key=lambda each: each.eval.task)]


def show_progress() -> None:
    """A line now and then: inspect-ai's own display prints an error with the variables around it, a key among them."""
    from inspect_ai.hooks import Hooks, hooks

    @hooks(name="progress", description="counts samples")
    class Progress(Hooks):
        count, shown = 0, 0.0

        async def on_sample_end(self, data) -> None:
            self.count += 1
            if time.monotonic() - self.shown > SHOWN_EVERY:
                self.shown = time.monotonic()
                log(f"{self.count} samples done")


def model_to_ask(args):
    from inspect_ai.model import get_model

    if args.endpoint:
        key = os.environ[args.endpoint_key_env] if args.endpoint_key_env else "none"
        return get_model(f"openai-api/server/{args.model}", base_url=args.endpoint, api_key=key)
    named = {"revision": args.revision} if args.revision else {}
    if Path(args.model).is_dir():
        named |= {"model_path": args.model, "tokenizer_path": args.model}
    if args.device:
        named |= {"device": args.device}
    with contextlib.suppress(ImportError):
        import torch

        torch.manual_seed(args.seed)
    log(f"loading {args.model}")
    return get_model(f"hf/{Path(args.model).name if 'model_path' in named else args.model}", do_sample=False, **named)


def task_arguments(given: list[str]) -> dict:
    """NAME=VALUE -> {name: value}; a value that reads as JSON is that, else it is text."""
    found = {}
    for each in given:
        name, _, value = each.partition("=")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def hidden(text: object, args) -> str:
    key = os.environ.get(args.endpoint_key_env) if args.endpoint_key_env else None
    return str(text).replace(key, "***") if key else str(text)


def task_entry(found, args) -> tuple[dict, list[dict]]:
    """(entry of eval.json, samples) of inspect-ai's log of a task."""
    samples = [sample_of(sample) for sample in found.samples or []]
    names = sorted({name for sample in samples for name in sample["scores"]})
    asked = [(sample["prompt"], sample["expected"]) for sample in samples]
    dataset = found.eval.dataset
    entry = {
        "task": found.eval.task,
        "harness": f"{HARNESS} {found.eval.packages.get('inspect_ai', '')}".strip(),
        "source": {"id": dataset.name or dataset.location or found.eval.task_file, "config": None, "split": None,
                   "revision": found.eval.revision.commit if found.eval.revision else None},
        "score": ", ".join(scorer.name for scorer in found.eval.scorers or []) or None,
        "prompt": " > ".join(step.solver for step in found.plan.steps),
        "judge": None,
        "task_version": found.eval.task_version,
        "shots": None,
        "items_sha256": hashlib.sha256(json.dumps(asked).encode()).hexdigest(),
        "rows": len(samples),
        "left_out": 0,
        "unscored": sum(not sample["scores"] for sample in samples),
        "cut": sum(sample["cut"] for sample in samples),
        "metrics": metrics_of(samples, dict.fromkeys(names, "higher")),
        "samples": "samples/" + re.sub(r"[^\w.-]+", "-", found.eval.task) + ".jsonl",
    }  # fmt: skip
    return entry, samples


def sample_of(sample) -> dict:
    """One line of samples: what was asked, what is right, what was said at last, every score as a number."""
    from inspect_ai.scorer import value_to_float

    number = value_to_float()
    scores: dict[str, float] = {}
    for name, score in (sample.scores or {}).items():
        table = score.value if isinstance(score.value, dict) else {ASIDE: score.value}
        for part, value in table.items():
            if isinstance(value, (bool, int, float, str)):
                scores[name if part == ASIDE else f"{name} {part}"] = float(number(value))
    asked = sample.input if isinstance(sample.input, str) else [
        {"role": turn.role, "content": turn.text} for turn in sample.input
    ]  # fmt: skip
    target = sample.target if isinstance(sample.target, str) else json.dumps(sample.target, ensure_ascii=False)
    stops = [choice.stop_reason for choice in sample.output.choices] if sample.output else []
    return {
        "id": f"{sample.id}" if sample.epoch == 1 else f"{sample.id} ({sample.epoch})",
        "group": str(sample.id),
        "prompt": asked,
        "expected": target,
        "answer": sample.output.completion if sample.output else None,
        "cut": "max_tokens" in stops,
        "scores": scores,
        "problem": sample.error.message if sample.error else None,
    }


@functools.cache
def _version(model: str, revision: str | None) -> str:
    return version_of(model, revision)


def model_of(args) -> dict:
    """What was evaluated: where it lies and which version of it."""
    if args.endpoint:
        return {"id": args.model, "kind": "endpoint", "version": None, "endpoint": args.endpoint}
    kind = "folder" if Path(args.model).is_dir() else "hub"
    return {"id": args.model, "kind": kind, "version": _version(args.model, args.revision), "endpoint": None}


def settings_of(args) -> dict:
    """What moves a score beside the model and the task."""
    return {
        "device": None if args.endpoint else args.device or "as found", "dtype": None if args.endpoint else "as stored",
        "seed": args.seed, "limit": args.limit, "chat_template": True, "system": None, "batch_size": args.batch_size,
        "max_new_tokens": args.max_new_tokens, "max_length": None, "shots": None,
        "decoding": "temperature 0" if args.endpoint else "greedy", "task_args": task_arguments(args.task_args),
        "epochs": args.epochs, "message_limit": args.message_limit,
    }  # fmt: skip


def versions_of(args) -> dict:
    from importlib.metadata import version

    packages = ["inspect-ai", *(["openai"] if args.endpoint else ["torch", "transformers"])]
    return {"python": sys.version.split()[0]} | {package: version(package) for package in packages}


if __name__ == "__main__":
    sys.exit(run(main))
