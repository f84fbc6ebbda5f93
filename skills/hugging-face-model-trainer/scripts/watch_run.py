# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Say how far a run is and what it has cost; when it failed, why, and the next command.

RUN is the folder that submit_run.py, a training script or trackio wrote, its submission.json, or the id of a job.
Steps come from the log and, where there is none, from trackio; alerts come from trackio. When a job has completed,
its run.json, log and trackio are fetched into the folder, where report_run.py reads them.

examples:
  python scripts/watch_run.py runs/NAME --follow
  python scripts/watch_run.py 6787fe8a0c5e4f1d2b3a4c5d --json
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

# region skillpack:hub
import contextlib
from collections.abc import Iterator
from typing import Any

HUB_FIXES = {
    401: "the token is missing, wrong, expired or revoked: `hf auth login`, or set HF_TOKEN",
    402: "the namespace has no credit: add some at https://huggingface.co/settings/billing, or give --namespace of an "
    "organization that pays",
    403: "the token may not do this: make one with write permission, or name another namespace",
    404: "check the name, and that the token may read it",
    409: "somebody else wrote at the same time: run the same command again",
    412: "somebody else wrote at the same time: run the same command again",
    429: "a quota or rate limit: wait a few minutes, and run the same command again",
}


class Refused(Failure):
    """The Hub answered, and said no: nothing was made or changed."""


@contextlib.contextmanager
def on_hub(doing: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turns what the Hub's client raises while `doing` into a Failure with the way out; `passing` goes through."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError  # type: ignore[attr-defined]

    try:
        yield
    except passing:
        raise
    except HFValidationError as error:
        raise Failure(f"{doing}: {error}", "correct the name", EXIT_USAGE) from None
    except OfflineModeIsEnabled:
        raise Failure(f"{doing}: HF_HUB_OFFLINE is set", "unset it: this needs the network") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        said = (error.server_message or str(error).splitlines()[0])[:300]
        fix = HUB_FIXES.get(status, "the message is the Hub's own; if it is passing, run the same command again")
        raise (Refused if 400 <= status < 500 else Failure)(f"{doing}: {status} {said}", fix) from None
    except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError is how hf_xet says that the network failed
        said = (str(error).splitlines() or [""])[0][:300]
        if getattr(error, "filename", None) or "No space left on device" in str(error):
            raise  # a file or the disk of this machine: `run` says so
        if isinstance(error, FileNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise Failure(f"{doing}: {said}", HUB_FIXES[404]) from None  # how `datasets` says that there is none
        raise Failure(
            f"{doing}: {os.environ.get('HF_ENDPOINT', 'the Hub')} cannot be reached ({type(error).__name__}: {said})",
            "check the network and HF_ENDPOINT, then run the same command again: what arrived is not sent twice",
        ) from None


def sign_in(write: bool = True) -> tuple[Any, dict[str, Any]]:
    """(client, whoami). Raises Failure without a token, or with one that only reads where it must `write`."""
    os.environ.setdefault("HF_HUB_DISABLE_EXPERIMENTAL_WARNING", "1")  # read when the client is imported
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if not token:
        raise Failure("no Hugging Face token", "`hf auth login`, or set HF_TOKEN to one with write permission")
    os.environ["HF_TOKEN"] = token  # so that no message can show it
    api = HfApi(token=token)
    with on_hub("signing in"):
        who = api.whoami()
    if write and ((who.get("auth") or {}).get("accessToken") or {}).get("role") == "read":
        raise Failure("the token only reads", "make one with role write: https://huggingface.co/settings/tokens")
    return api, who


def full_id(who: dict[str, Any], repo_id: str) -> str:
    """`repo_id` with its namespace, the user's own by default. Raises Failure where this user may not write."""
    namespace, _, name = repo_id.rpartition("/")
    if not namespace or namespace.lower() == who["name"].lower():
        return f"{who['name']}/{name}"
    roles = {org["name"].lower(): org.get("roleInOrg") for org in who.get("orgs", [])}
    if roles.get(namespace.lower(), "read") == "read":
        known = ", ".join([who["name"], *(name for name, role in roles.items() if role != "read")])
        raise Failure(f"{who['name']} may not write to {namespace!r}", f"name one of: {known}", EXIT_USAGE)
    return repo_id


# endregion skillpack:hub

# region skillpack:jobs
import math

ACTIVE = ("SCHEDULING", "RUNNING")  # every other stage is an end: COMPLETED, ERROR, CANCELED, DELETED


def stage_of(job) -> str:
    return str(getattr(job.status.stage, "value", job.status.stage))


def decisive(stages: list[str]) -> str:
    """The stage of jobs that need each other: the worst that one of them is in."""
    for stage in ("ERROR", "CANCELED", "DELETED", "RUNNING", "SCHEDULING"):
        if stage in stages:
            return stage
    return "COMPLETED"


def usd_of(seconds: float, usd_per_hour: float) -> float:
    """Dollars for `seconds` since a job was made: starting and running are billed, by minutes begun.

    To a millionth: a minute of cpu-basic costs $0.000167, and sums of it rounded to $0.0002 would be a fifth too high.
    """
    return round(-(-max(1, seconds) // 60) / 60 * usd_per_hour, 6)


def money(usd: float, at_most: bool = False) -> str:
    """Dollars and cents, and more digits for sums below ten cents; `at_most` rounds up, to keep its word."""
    digits = 2 if usd >= 0.1 or not usd else 4
    if at_most:
        usd = math.ceil(round(usd * 10**digits, 6)) / 10**digits
    return f"${usd:,.{digits}f}"


def clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def seconds_of(text: str) -> int:
    """'90m', '2h', '1.5h', '3600' or '3600s' -> seconds; argparse shows what is raised."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]] if match else 0
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, or a number with s, m, h or d")
    return int(seconds)


# endregion skillpack:jobs

# region skillpack:diagnosis
LOG_LINES = 20_000  # kept of a log for the diagnosis
# What a log says when a job fails, whatever ran in it: kind -> (what to look for, cause). The first that matches is
# the cause, so the special stands before the general.
SYMPTOMS = {
    "oom": (
        r"CUDA out of memory|OutOfMemoryError|MPS backend out of memory|can't allocate memory|Cannot allocate memory"
        r"|^MemoryError|\bOOMKilled\b|std::bad_alloc|ArrayMemoryError|realloc of size \d+ failed"
        r"|No available memory for the cache blocks",
        "out of memory",
    ),
    "disk": (
        r"No space left on device|GB free, the checkpoints and the model need|Errno 28|Disk quota exceeded"
        r"|inline_container.*unexpected pos|a checkpoint could not be written",
        "the disk is full",
    ),
    "columns": (
        r"no row fits|Missing '.*column|KeyError: '(?:messages|prompt|completion|chosen|rejected|text)'"
        r"|Column .* not in the dataset|no token carries loss|CastError|DatasetGenerationCastError|has no column",
        "the rows do not have the columns that the script reads",
    ),
    "auth": (
        r"GatedRepoError|Cannot access gated repo|RepositoryNotFoundError|\b40[13] Client Error|Invalid username or "
        r"password|Invalid user token|LocalTokenNotFoundError|\bUnauthorized\b|DatasetNotFoundError|is not a local "
        r"folder and is not a valid model identifier|Access to .* is restricted|no Hugging Face token",
        "the job may not read or write something on the Hub, or it is not there: no token, an old one, or a wrong name",
    ),
    "import": (
        r"ModuleNotFoundError|ImportError|No solution found when resolving|cannot import name|uv: .*not installed"
        r"|undefined symbol|python\S*: No module named",  # not a library's remark on a package it does without
        "a package is missing or does not fit the others",
    ),
    "hub": (
        r"\b429 |Too Many Requests|\b50[0234] Server Error|ConnectionError|ConnectError|ReadTimeout|ConnectTimeout"
        r"|Name or service not known|Temporary failure in name resolution|RemoteDisconnected|LocalEntryNotFoundError",
        "the Hub could not be reached, or refused for a while",
    ),
    "command": (
        r"exec: .*not found|command not found|exit code: (?:126|127)\b|error: unrecognized arguments|No such file or",
        "the command, a file or an argument is not there",
    ),
    "killed": (
        r"exit code: (?:137|-9)\b|exit code: 143\b|\bKilled\b",
        "it was killed from outside: the machine ran out of main memory, or was taken away",
    ),
}


def with_next(following: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """(kind, pattern, cause, next command) of each symptom that `following` has a next command for."""
    return [(kind, *SYMPTOMS[kind], following[kind]) for kind in SYMPTOMS if kind in following]


def diagnosed(lines: list[str], message: str | None, diagnoses: list[tuple], facts: dict) -> dict:
    """{kind, cause, evidence, next} of a failed job. `facts` fill the {names} of the next command; `logs` is needed."""
    said = [*lines, message or ""]
    for kind, pattern, cause, following in diagnoses:
        found = next((line for line in reversed(said) if re.search(pattern, line)), None)
        if found is not None:
            return {"kind": kind, "cause": cause, "evidence": found[:300], "next": following.format_map(facts)}
    last = next((line for line in reversed(said) if re.search(r"error|exception", line, re.I)), message or "")
    return {
        "kind": "unknown",
        "cause": "the log shows none of the known causes",
        "evidence": last[:300],
        "next": f"read the end of the log: {facts['logs']}",
    }


def timed_out(message: str | None, running: float | None, timeout: float | None) -> bool:
    """Whether its timeout ended a job: it ran for so long, or its message says so."""
    return bool((running and timeout and running >= timeout) or re.search(r"time(?:d )?out", message or "", re.I))


# endregion skillpack:diagnosis

# region skillpack:following
import queue
import threading
import time
from collections.abc import Iterable

POLL_SECONDS = 3.0
MOST_TROUBLE = 20  # looks in a row that may fail before following gives up


def follow(
    logs: dict[str, Iterable[str]], look: Callable[[], str], heard: Callable[[str, str], None],
    shown: Callable[[str], None],
) -> str:  # fmt: skip
    """The stage that `look` gives at the end, whichever end it is.

    `heard` gets (name, line) of each log as it comes, `shown` the stage, several times a second. A network that fails
    for a while ends nothing: the jobs go on, and it looks again.
    """
    arrived: queue.Queue = queue.Queue()

    def read(name: str, lines: Iterable[str]) -> None:
        with contextlib.suppress(Exception):  # a log may break off; the stage is asked for by itself
            for line in lines:
                arrived.put((name, line))

    readers = [threading.Thread(target=read, args=item, daemon=True) for item in logs.items()]
    for reader in readers:
        reader.start()
    stage, asked, trouble = look(), time.monotonic(), 0
    while stage in ACTIVE:
        with contextlib.suppress(queue.Empty):
            heard(*arrived.get(timeout=0.3))
            while True:
                heard(*arrived.get_nowait())
        reading = any(reader.is_alive() for reader in readers)
        if time.monotonic() - asked > (POLL_SECONDS if reading or not readers else 0.5):  # no more log: it is ending
            asked = time.monotonic()
            try:
                stage, trouble = look(), 0
            except Failure as failure:
                trouble += 1
                if trouble > MOST_TROUBLE:
                    raise
                log(f"warning: {failure.problem}; looking again")
        shown(stage)
    return stage


def job_now(api, namespace: str, job_id: str):
    """A job as it is now. Raises Failure that says where to look for the id."""
    from huggingface_hub.errors import JobNotFoundError

    try:
        with on_hub("looking at the job", passing=(JobNotFoundError,)):
            return api.inspect_job(job_id=job_id, namespace=namespace)
    except JobNotFoundError:
        fix = "check the id (`hf jobs ps -a`), and the namespace: give NAMESPACE/ID"
        raise Failure(f"{namespace} has no job {job_id}", fix) from None


def whole_log(api, job, namespace: str) -> list[str]:
    """All lines of a job's log. Of an ended one it is followed: a plain read leaves out its last second."""
    ended = stage_of(job) not in ACTIVE
    with on_hub("reading the log"):
        return list(api.fetch_job_logs(job_id=job.id, namespace=namespace, follow=ended))


# endregion skillpack:following

import datetime
import math
import shlex
import shutil
import sqlite3

EXIT_RUNNING, EXIT_CANCELED = 5, 6
STAGE_CODES = """  5    still scheduled or running
  6    canceled or deleted
Here 0 says that the run completed and 1 that it failed; 2 and 3 that this script could not tell, 3 also for a run
that only trackio knows and that has logged nothing for ten minutes.
"""
BURST_SECONDS = 2.0  # a log that is followed starts with all that was said before
ALERTS = 5  # the newest, that a person is shown
SILENT_SECONDS = 600  # a local run that logged nothing for so long, and whose process is not known, is over
FETCHED = ("run.json", "log.jsonl", "baseline.json")
NUMBER = r"'?(-?(?:[\d.]+(?:e[+-]?\d+)?|nan|inf))'?"
STEP_LINE = re.compile(r"\{'loss': " + NUMBER + r".*?'learning_rate': " + NUMBER)
BAR = re.compile(r"\d+%\|.*?\| (\d+)/(\d+) \[")
SESSION = re.compile(r"^run \S+ in .*: loading rows$")
RESUMED = re.compile(r"^resuming from checkpoint-(\d+)$")
SCORING = re.compile(r"^scoring the (base|tuned) model")

# The training's own failures, then those of any job; {plan}, {model}, {again} and {script} are filled in.
DIAGNOSES = [
    (
        "nan",
        r"the loss was not a number",
        "the loss was not a number: it diverged, or fp16 overflowed",
        "plan with a tenth of the rate: {replan} --learning-rate {rate}, then {again}",
    ),
    (
        "checkpoint",
        r"no whole checkpoint to finish with",
        "there is no checkpoint to score: no attempt trained long enough to save one",
        "train first: {again}",
    ),
    (
        "plan",
        r"holds a run of another plan|this script reads 'skillpack/|correct these fields, or make the file again",
        "the plan is not what this script or this run's folder expects",
        "plan again: {replan}, then {again}",
    ),
    (
        "deadline",
        r"stopped by the deadline",
        "the plan's own deadline stopped it, with a checkpoint",
        "{again}: it continues from the checkpoint",
    ),
    (
        "stopped",
        r"stopped by SIG(?:TERM|INT)",
        "it was stopped from outside (preempted, canceled or interrupted), with a checkpoint",
        "{again}: it continues from the checkpoint",
    ),
    *with_next(
        {
            "oom": "plan for less: {replan} --max-length {shorter}, or a flavor with more memory; then {again}",
            "disk": "a flavor with more storage (`hf jobs hardware`), or LoRA, whose checkpoints are small: {replan} "
            "--lora",
            "columns": "see what the data has: {inspect} {dataset} --model {model}, then {replan}",
            "auth": "`hf auth whoami`, then `hf auth login` with a token that may; {again} hands it to the job",
            "import": "use the training script as the skill has it (its header names tested versions); then {again}",
            "hub": "{again}: it continues from the last checkpoint",
            "killed": "{again}: it continues from the last checkpoint; killed twice at the same place means memory: "
            "{replan} --max-length {shorter}",
        }
    ),
]


class Progress:
    """What the lines of a log say about a run's steps; lines are fed as they come."""

    def __init__(self, total: int | None = None) -> None:
        self.total, self.lines = total, []
        self.step = 0
        self.first: float | None = None
        self.loss: float | None = None
        self.rate: float | None = None
        self.source: str | None = None  # of step and loss: log, log.jsonl or trackio
        self.metrics: dict = {}  # name -> latest value, of trackio
        self.alerts: list[dict] = []
        self.doing = ""  # beside training: scoring the base or the tuned model
        self.resumed = 0  # the step from which this attempt continued
        self.began: float | None = None  # when the first step was seen: what came before arrives in one burst
        self.marks: list[tuple[float, int]] = []  # (when seen, step), for the time that is left

    def feed(self, text: str) -> None:
        for line in re.split(r"[\r\n]+", text):
            if line.strip():
                self._line(line.strip())

    def _line(self, line: str) -> None:
        self.lines.append(line[:2000])
        del self.lines[:-LOG_LINES]
        if SESSION.match(line):
            self.step, self.resumed, self.marks, self.doing = 0, 0, [], ""
        elif match := RESUMED.match(line):
            self.step = self.resumed = int(match[1])
        elif match := STEP_LINE.search(line):
            self.doing = ""
            self.logged(self.step + 1, float(match[1]), float(match[2]))
        elif match := SCORING.match(line):
            self.doing = match[0]
        elif (match := BAR.search(line)) and self.total in (None, int(match[2])) and self.loss is not None:
            self.total = int(match[2])

    def logged(self, step: int, loss: float, rate: float | None, source: str = "log") -> None:
        self.step, self.loss, self.rate, self.source = step, loss, rate, source
        self.first = loss if self.first is None else self.first
        now = time.monotonic()
        self.began = self.began or now
        kept = self.marks[-200:] if now - self.began > BURST_SECONDS else []
        self.marks = [*kept, (now, step)]

    def entries(self, text: str) -> None:
        """The same from a log.jsonl, which knows its steps."""
        for line in text.splitlines():
            with contextlib.suppress(ValueError, KeyError):  # the last line may be half written
                entry = json.loads(line)
                marks = self.marks
                self.logged(entry["step"], entry["loss"], entry["learning_rate"], "log.jsonl")
                self.marks = [*marks[-200:], (entry["time"], entry["step"])]

    def tracked(self, found: dict) -> None:
        """What trackio adds: alerts, the metrics of a script of one's own, and the steps where no log told of any."""
        self.alerts = found["alerts"]
        told = bool(self.step)
        for step, when, metrics in found["rows"]:
            self.metrics |= metrics
            if told:
                continue
            marks, loss = self.marks, metrics.get("loss", metrics.get("train/loss"))
            if loss is not None:
                self.logged(step, loss, metrics.get("learning_rate", metrics.get("train/learning_rate")), "trackio")
            self.step, self.source, self.marks = step, "trackio", [*marks[-200:], (when, step)]

    def seconds_left(self, running: float | None) -> float | None:
        """By the pace of the last steps seen, else of the whole time that the job has run."""
        if not self.total or not self.marks or self.doing:
            return None
        (begun, from_step), (seen, to_step) = self.marks[0], self.marks[-1]
        if to_step - from_step >= 2 and seen - begun > 1:
            return (self.total - self.step) * (seen - begun) / (to_step - from_step)
        done = self.step - self.resumed
        return (self.total - self.step) * running / done if running and done > 0 else None


def read_trackio(databases: list[Path]) -> dict | None:
    """{"database", "rows": [(step, seconds since 1970, {metric: value})], "alerts"} of the newest run of trackio.

    None without a database, and for one that cannot be read, with a warning: a dashboard fails nothing.
    The tables are those that `trackio query` offers; trackio itself would take a second to import. A copy is read,
    since a killed run leaves a journal, and opening a database plays it back.
    """
    if not databases:
        return None
    database = max(databases, key=lambda path: path.stat().st_mtime)
    try:
        with tempfile.TemporaryDirectory() as copy:
            for path in database.parent.glob(f"{database.name}*"):
                shutil.copy(path, copy)
            with contextlib.closing(sqlite3.connect(Path(copy) / database.name)) as connection:
                newest = "(SELECT run_id FROM metrics ORDER BY id DESC LIMIT 1)"
                rows = connection.execute(
                    f"SELECT step, timestamp, metrics FROM metrics WHERE run_id = {newest} ORDER BY id"
                ).fetchall()
                alerts = connection.execute(
                    f"SELECT level, step, title, text, timestamp FROM alerts WHERE run_id = {newest} ORDER BY id"
                ).fetchall()
        if not rows:  # begun, and nothing logged yet
            return None
        return {
            "database": database,
            "rows": [(step, datetime.datetime.fromisoformat(at).timestamp(), numbers(text)) for step, at, text in rows],
            "alerts": [dict(zip(("level", "step", "title", "text", "time"), alert, strict=True)) for alert in alerts],
        }
    except (sqlite3.Error, OSError, ValueError) as error:
        log(f"warning: {database}: trackio cannot be read: {error}")
        return None


def numbers(text: str | bytes) -> dict:
    """The numbers of a row of trackio's, which writes those that JSON has not as words."""
    odd = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    metrics = {
        name: odd.get(value, value) if isinstance(value, str) else value for name, value in json.loads(text).items()
    }
    return {name: value for name, value in metrics.items() if isinstance(value, int | float)}


def dashboard(database: Path) -> str:
    """The command that shows a run's dashboard."""
    return f"TRACKIO_DIR={shlex.quote(str(database.parent))} trackio show --project {shlex.quote(database.stem)}"


def diagnose(progress: Progress, message: str | None, facts: dict) -> dict:
    """{kind, cause, evidence, next} of a run that failed, from the end of its log and the job's message."""
    if timed_out(message, facts["running"], facts["timeout"]):
        after = f" after {clock(facts['running'])}" if facts["running"] else ""
        return {
            "kind": "timeout",
            "cause": f"the job's timeout ended it{after}, at step {progress.step} of {progress.total or '?'}",
            "evidence": message or f"it ran {facts['running']} s of {facts['timeout']} s",
            "next": f"{facts['again']} --timeout {facts['longer']}"
            + (": it continues from the last checkpoint" if progress.step else ": no step was trained yet"),
        }
    return diagnosed(session(progress.lines), message, DIAGNOSES, facts)


def session(lines: list[str]) -> list[str]:
    """The lines of the last attempt: an earlier one's failure is not this one's."""
    starts = [index for index, line in enumerate(lines) if SESSION.match(line)]
    return lines[starts[-1] :] if starts else lines


def facts_of(submission: dict | None, plan: dict | None, job, script: str | None) -> dict:
    """What the commands of a diagnosis are filled with."""
    plan = plan or {}
    settings, model = plan.get("settings", {}), plan.get("model", {}).get("id", "MODEL")
    plan_file = shlex.quote((submission or {}).get("plan", "plan.json"))
    running = job.durations.running_secs if job is not None and job.durations else None
    timeout = (submission or {}).get("timeout_seconds") or max(running or 0, 1800)
    replan = f"python {beside('plan_run.py')} --model {shlex.quote(model)}"
    if plan:
        replan += f" --method {plan['method']}"
        replan += " --where hf-jobs" if plan["hardware"]["where"] == "hf-jobs" else ""
    if script:
        again = f"python {beside(script)} --plan {plan_file}"
    elif submission or job is None:
        again = f"python {beside('submit_run.py')} --plan {plan_file} --yes"
    else:
        again = f"hf jobs rerun {job.owner.name}/{job.id}"
    return {
        "again": again,
        "replan": replan,
        "inspect": f"python {beside('inspect_dataset.py')}",
        "model": shlex.quote(model),
        "dataset": shlex.quote(plan.get("dataset", {}).get("source", {}).get("id", "DATASET")),
        "rate": f"{settings.get('learning_rate', 2e-4) / 10:g}",
        "shorter": str(max(64, settings.get("max_length", 1024) // 2)),
        "longer": f"{max(1, round(2 * timeout / 60))}m",
        "running": running,
        "timeout": (submission or {}).get("timeout_seconds"),
        "logs": f"hf jobs logs {job.owner.name}/{job.id}" if job is not None else "the terminal it ran in",
    }


class Watched:
    """A run on Jobs, seen through its jobs: of several nodes, the first has the log and any can fail."""

    def __init__(self, api, namespace: str, ids: list[str], submission: dict | None) -> None:
        self.api, self.namespace, self.ids, self.submission = api, namespace, ids, submission
        self.jobs: list = []
        self.price: float | None = submission.get("usd_per_hour") if submission else None
        self.prepared: dict | None = plan_of(submission)
        self.database: str | None = None  # trackio's, once it was seen in the bucket

    def look(self) -> str:
        """The stage of the run: of its nodes' stages the one that decides."""
        self.jobs = [job_now(self.api, self.namespace, job) for job in self.ids]
        if self.price is None:
            with on_hub("reading the prices"):
                prices = {flavor.name: flavor.unit_cost_usd * 60 for flavor in self.api.list_jobs_hardware()}
            self.price = sum(prices.get(job.flavor, 0.0) for job in self.jobs)
        return decisive([stage_of(job) for job in self.jobs])

    def deciding(self):
        """The job that failed, or the first node's."""
        return next((job for job in self.jobs if stage_of(job) == "ERROR"), self.jobs[0])

    def log(self, progress: Progress, job) -> None:
        """Feeds the whole log of a job."""
        for line in whole_log(self.api, job, self.namespace):
            progress.feed(line)

    def seconds(self) -> tuple[float, float | None]:
        """(since the job was made, of which running) of the longest node."""
        durations = [job.durations for job in self.jobs if job.durations]
        total = max((each.total_secs or 0 for each in durations), default=0)
        return total, max((each.running_secs or 0 for each in durations), default=None)

    def cost(self) -> float:
        """Dollars until now, by minutes begun, as they are billed."""
        return usd_of(self.seconds()[0], self.price or 0.0)

    def bucket_text(self, name: str) -> str | None:
        """A file of the run's folder in the bucket, or None when it is not there."""
        if not self.submission:
            return None
        from huggingface_hub.errors import EntryNotFoundError

        source = f"{self.submission['bucket_folder']}/{name}"
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / name
            try:
                with on_hub(f"reading {name} from the bucket"), contextlib.suppress(EntryNotFoundError):
                    self.api.download_bucket_files(
                        self.submission["bucket"], [(source, target)], raise_on_missing_files=True
                    )
            except Failure as failure:  # the job's stage is known and its log was read: they are told without it
                log(f"warning: {failure.problem}")
            return target.read_text("utf-8") if target.is_file() else None

    def read_trackio(self, progress: Progress) -> None:
        """Completes `progress` from trackio's database in the bucket, where the training script wrote one."""
        if not self.submission:
            return
        bucket, prefix = self.submission["bucket"], f"{self.submission['bucket_folder']}/trackio/"
        with tempfile.TemporaryDirectory() as folder:
            try:
                with on_hub("reading trackio from the bucket"):
                    files = [
                        (entry, Path(folder) / Path(entry.path).name)
                        for entry in self.api.list_bucket_tree(bucket, prefix, recursive=True)
                        if entry.type == "file" and re.search(r"\.db(-\w+)?$", entry.path)
                    ]
                    self.api.download_bucket_files(bucket, files)
            except Failure as failure:
                log(f"warning: {failure.problem}")
            if found := read_trackio(list(Path(folder).glob("*.db"))):
                progress.tracked(found)
                self.database = found["database"].name

    def dashboard(self) -> str | None:
        """The command that shows the run's dashboard; data that did not come here yet is fetched by it."""
        if not self.database or not self.submission:
            return None
        folder = Path(self.submission["run_folder"])
        show = dashboard(folder / "trackio" / self.database)
        if (folder / "run.json").is_file():  # what is in the bucket has come here
            return show
        source = f"hf://buckets/{self.submission['bucket']}/{self.submission['bucket_folder']}/trackio"
        return f"hf buckets sync {shlex.quote(source)} {shlex.quote(str(folder / 'trackio'))} && {show}"

    def fetch(self, folder: Path, model: bool) -> list[str]:
        """Brings the run's files, and its model if asked, from the bucket into `folder`; the names."""
        submission = self.submission or {}
        prefix = submission["bucket_folder"] + "/"
        with on_hub("listing the run's files"):
            entries = list(self.api.list_bucket_tree(submission["bucket"], prefix, recursive=True))
        wanted = []
        for entry in entries:
            name = entry.path[len(prefix) :] if entry.path.startswith(prefix) else ""
            wants = name in FETCHED or name.startswith("trackio/") or (model and name.startswith("model/"))
            if entry.type == "file" and wants:
                if ".." in Path(name).parts:
                    raise Failure(f"the bucket has a file {name!r}", "look at the bucket: a job wrote it")
                wanted.append((entry, name))
        # run.json last: where it stands, all that it speaks of does too.
        wanted.sort(key=lambda item: item[1] == "run.json")
        # Beside the run first, each then put in its place whole: another watcher may read it, or fetch the same now.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch.") as beside:
            came = [Path(beside) / str(number) for number in range(len(wanted))]
            entries = [entry for entry, _ in wanted]
            with on_hub("fetching the run's files"):
                self.api.download_bucket_files(submission["bucket"], list(zip(entries, came, strict=True)))
            for path, (entry, name) in zip(came, wanted, strict=True):
                if path.stat().st_size != entry.size:
                    raise Failure(f"{folder / name} did not come whole", "run the same command again")
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                path.replace(folder / name)
        return [name for _, name in wanted]


def plan_of(submission: dict | None) -> dict | None:
    """The plan of a submission, when it still lies where it was."""
    path = Path(submission["plan"]) if submission and submission.get("plan") else None
    return read_artifact(path, "plan") if path and path.is_file() else None


WORDS = {
    "SCHEDULING": "waits for its machine",
    "RUNNING": "is running",
    "COMPLETED": "has completed",
    "ERROR": "has failed",
    "CANCELED": "was canceled",
    "DELETED": "was deleted",
    "SILENT": "has ended or hangs: trackio has heard nothing for ten minutes, and does not know how a run ends",
}


def block(status: dict) -> str:
    """The status as a person reads it."""
    lines = [f"{status['what']} {WORDS[status['stage']]} ({clock(status['elapsed_seconds'])} elapsed)"]
    if status["step"]:
        source = "" if status["source"] == "log" else f" (from {status['source']})"
        lines.append(f"Current step: {status['step']}/{status['steps'] or '?'}{source}")
    if status["stage"] == "RUNNING" and status["doing"]:
        lines.append(f"Now: {status['doing']}")
    if status["loss"] is not None:
        moved = "down" if status["loss"] <= status["first_loss"] else "up" if math.isfinite(status["loss"]) else "gone"
        lines.append(f"Training loss: {status['loss']:.4g} ({moved} from {status['first_loss']:.4g} at start)")
    if status["learning_rate"] is not None:
        lines.append(f"Learning rate: {status['learning_rate']:.2g}")
    others = {name: value for name, value in status["metrics"].items() if name not in ("loss", "learning_rate")}
    if status["source"] == "trackio" and others:
        lines.append("Metrics: " + ", ".join(f"{name} {value:.4g}" for name, value in others.items()))
    if status["stage"] == "RUNNING" and status["seconds_left"] is not None:
        lines.append(f"Estimated completion: ~{clock(status['seconds_left'])}")
    if status["cost_usd"] is not None:
        limit = f" (at most {money(status['at_most_usd'], at_most=True)})" if status["at_most_usd"] is not None else ""
        lines.append(f"Cost so far: {money(status['cost_usd'])}{limit}")
    if status["diagnosis"]:
        found = status["diagnosis"]
        lines += [f"Cause: {found['cause']}", f"  {found['evidence']}", f"Next: {found['next']}"]
    for alert in status["alerts"][-ALERTS:]:
        at = f" at step {alert['step']}" if alert["step"] is not None else ""
        lines.append(f"Alert ({alert['level']}{at}): {alert['title']}{': ' + alert['text'] if alert['text'] else ''}")
    lines += [f"Next: {following}" for following in status["next"]]
    if status["dashboard"]:
        lines.append(f"Dashboard: {status['dashboard']}")
    return "\n".join(lines)


def status_of_job(watched: Watched, stage: str, progress: Progress) -> dict:
    elapsed, running = watched.seconds()
    job, submission = watched.deciding(), watched.submission
    status = {
        "what": f"Job {job.id}",
        "stage": stage,
        "message": job.status.message,
        "url": job.url,
        "elapsed_seconds": elapsed,
        "cost_usd": watched.cost(),
        "at_most_usd": submission.get("at_most_usd") if submission else None,
        **figures(progress, running),
        "diagnosis": None,
        "next": [],
        "dashboard": watched.dashboard(),
    }
    facts = facts_of(submission, watched.prepared, job, None)
    if stage == "ERROR":
        status["diagnosis"] = diagnose(progress, job.status.message, facts)
        left = [other for other in watched.jobs if stage_of(other) in ACTIVE]
        status["next"] += [f"hf jobs cancel {watched.namespace}/{other.id}" for other in left]
    elif stage in ("CANCELED", "DELETED"):
        status["next"].append(f"{facts['again']}: it continues from the last checkpoint, if there is one")
    return status


def figures(progress: Progress, running: float | None) -> dict:
    return {
        "step": progress.step,
        "steps": progress.total,
        "loss": progress.loss,
        "first_loss": progress.first,
        "learning_rate": progress.rate,
        "source": progress.source,
        "metrics": progress.metrics,
        "alerts": progress.alerts,
        "doing": progress.doing,
        "seconds_left": progress.seconds_left(running),
    }


def watch_job(watched: Watched, follow: bool) -> dict:
    """The status of a run on Jobs; with `follow`, once it has ended."""
    stage = watched.look()
    progress = Progress(watched.submission["steps"] if watched.submission else None)
    if follow and stage in ACTIVE:
        stage = follow_job(watched, progress)
        progress.lines.clear()  # the stream may have been cut: the whole log is read for the diagnosis
    job = watched.deciding()
    if stage == "DELETED":
        return status_of_job(watched, stage, progress)
    if not follow or stage == "ERROR" or not progress.step:
        fresh = Progress(progress.total)
        with contextlib.suppress(Failure) if stage == "CANCELED" else contextlib.nullcontext():
            watched.log(fresh, job)
        progress = fresh if fresh.lines or not progress.step else progress
    if not progress.step and (text := watched.bucket_text("log.jsonl")):
        progress.entries(text)
    if stage != "SCHEDULING":
        watched.read_trackio(progress)
    return status_of_job(watched, stage, progress)


def follow_job(watched: Watched, progress: Progress) -> str:
    """Follows log and stage until the run has ended; any stage that ends it ends this."""
    shown = 0

    def draw_once(stage: str) -> None:
        nonlocal shown
        shown = draw(watched, stage, progress, shown)

    lines = watched.api.fetch_job_logs(job_id=watched.ids[0], namespace=watched.namespace, follow=True)
    stage = follow({"log": lines}, watched.look, lambda _, line: progress.feed(line), draw_once)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return stage


def draw(watched: Watched, stage: str, progress: Progress, shown: int) -> int:
    """The progress bar on a terminal; elsewhere a line at every twentieth of the run. Returns the step shown."""
    total = progress.total or 0
    loss = f", loss {progress.loss:.4g}" if progress.loss is not None else ""
    loss += f", {progress.doing}" if progress.doing else ""
    if sys.stderr.isatty():
        done = 30 * progress.step // total if total else 0
        left = progress.seconds_left(None)
        about = f", about {clock(left)} left" if left is not None else ""
        text = f"{WORDS[stage]} |{'#' * done:<30}| {progress.step}/{total or '?'}{loss}{about}, {money(watched.cost())}"
        print(f"\r\x1b[K{text[:110]}", end="", file=sys.stderr, flush=True)
    elif progress.step and (not shown or progress.step - shown >= max(1, total // 20)):
        log(f"step {progress.step}/{total or '?'}{loss}, {money(watched.cost())}")
        return progress.step
    return shown


def local_stage(folder: Path, submission: dict | None) -> tuple[str, dict | None]:
    """(stage, run.json or None) of a run on this machine."""
    run_file = folder / "run.json"
    run_document = read_artifact(run_file, "run") if run_file.is_file() else None
    if run_document and run_document["status"] == "completed":
        return "COMPLETED", run_document
    if submission and submission.get("pid") and alive(submission["pid"]):
        return "RUNNING", None
    log_file = folder / "log.jsonl"
    newest = max(run_file.stat().st_mtime if run_document else 0, log_file.stat().st_mtime if log_file.is_file() else 0)
    if run_document and run_file.stat().st_mtime >= newest:
        return "ERROR", run_document
    tracked = max((path.stat().st_mtime for path in trackio_databases(folder)), default=0)
    fresh = not (submission and submission.get("pid")) and time.time() - max(newest, tracked) < SILENT_SECONDS
    if not fresh and not newest and not submission:
        return "SILENT", None
    return ("RUNNING" if fresh else "ERROR"), None


def trackio_databases(folder: Path) -> list[Path]:
    """What trackio wrote of a run on this machine: in the run's folder, or where TRACKIO_DIR says."""
    found = [*(folder / "trackio").glob("*.db"), *folder.glob("*.db")]
    if given := os.environ.get("TRACKIO_DIR"):
        found += Path(given).glob(re.sub(r"[^\w-]", "", folder.resolve().name) + ".db")  # as trackio names a project
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def watch_local(folder: Path, submission: dict | None, follow: bool) -> dict:
    """The status of a run on this machine, from what it wrote."""
    tracked = read_trackio(trackio_databases(folder))
    if not tracked and not any((folder / name).is_file() for name in ("run.json", "log.jsonl", "submission.json")):
        fix = "give a folder that a training script or trackio (TRACKIO_DIR) wrote, or a job's id"
        raise Failure(f"{folder} is not a run", fix, EXIT_USAGE)
    while True:
        stage, run_document = local_stage(folder, submission)
        plan = run_document["plan"] if run_document else plan_of(submission)
        progress = Progress(plan["settings"]["steps"] if plan else (submission or {}).get("steps"))
        log_file = folder / "log.jsonl"
        if log_file.is_file():
            progress.entries(log_file.read_text("utf-8"))
        if not follow or stage not in ACTIVE:
            break
        if sys.stderr.isatty() and progress.total:
            bar = "#" * (30 * progress.step // progress.total)
            print(f"\r\x1b[K|{bar:<30}| {progress.step}/{progress.total}", end="", file=sys.stderr, flush=True)
        time.sleep(1)
    begun = min((path.stat().st_mtime for path in folder.glob("*.json*")), default=time.time())
    if progress.marks:
        begun = min(begun, progress.marks[0][0])
    if tracked := read_trackio(trackio_databases(folder)) if follow else tracked:
        progress.tracked(tracked)
        begun = min(begun, tracked["rows"][0][1])
    elapsed = run_document["seconds"] if run_document and "seconds" in run_document else time.time() - begun
    if stage == "SILENT":
        elapsed = tracked["rows"][-1][1] - begun
    script = f"train_{plan['method']}.py" if plan else "train_sft.py"
    facts = facts_of(submission, plan, None, script)
    status = {
        "what": f"Run {folder.resolve().name}",
        "stage": stage,
        "message": run_document["stopped_by"] if run_document and stage == "ERROR" else None,
        "url": None,
        "elapsed_seconds": elapsed,
        "cost_usd": 0.0,
        "at_most_usd": None,
        **figures(progress, elapsed),
        "diagnosis": None,
        "next": [],
        "dashboard": dashboard(tracked["database"]) if tracked else None,
    }
    if stage == "ERROR":
        message = f"stopped by {status['message']}" if status["message"] else "exit code: 137 or a crash: no run.json"
        status["diagnosis"] = diagnose(progress, message, facts)
    elif stage == "COMPLETED":
        status["next"].append(f"python {beside('report_run.py')} {folder}")
    return status


def target(name: str) -> tuple[Path | None, dict | None, str | None, str | None]:
    """(folder, submission, job id, namespace) that the argument names."""
    path = Path(name)
    if path.is_dir() or path.suffix == ".json":
        file = path / "submission.json" if path.is_dir() else path
        folder = path if path.is_dir() else path.parent
        return folder, (read_artifact(file, "submission") if file.is_file() else None), None, None
    namespace, _, job = name.rstrip("/").rpartition("/")
    if not re.fullmatch(r"[A-Za-z0-9]{12,64}", job):
        raise Failure(f"{name!r} is no folder, submission.json or job id", "`hf jobs ps -a` lists jobs", EXIT_USAGE)
    return None, None, job, namespace.rpartition("/")[2] or None


def record_job(folder: Path, watched: Watched) -> None:
    """Writes into run.json which job made it and what that cost, for the report."""
    document = read_artifact(folder / "run.json", "run")
    elapsed, running = watched.seconds()
    document["job"] = {
        "ids": watched.ids,
        "url": watched.jobs[0].url,
        "flavor": watched.jobs[0].flavor,
        "nodes": len(watched.jobs),
        "seconds": elapsed,
        "running_seconds": running,
        "cost_usd": watched.cost(),
    }
    write_artifact(folder / "run.json", document)


def main(argv: list[str]) -> int:
    arguments = parser(__doc__)
    arguments.epilog = EXIT_CODES + STAGE_CODES
    arguments.add_argument("run", metavar="RUN", help="folder of the run, submission.json, or a job's id")
    arguments.add_argument("--follow", action="store_true", help="stay until it has ended, with a progress bar")
    arguments.add_argument("--download", action="store_true", help="once completed, fetch the model as well")
    arguments.add_argument("--namespace", help="of the job (default: the token's user)")
    arguments.add_argument("--json", action="store_true", help="print the status on standard output as JSON")
    args = arguments.parse_args(argv)
    folder, submission, job, namespace = target(args.run)
    if job is None and (submission is None or submission["backend"] == "local"):
        status = watch_local(folder, submission, args.follow)
    else:
        if submission and not submission["jobs"]:
            raise Failure(
                "the submission was cut off before its job was known",
                f"python {beside('submit_run.py')} --plan {submission['plan']} --yes: it finds the job, or makes it",
                EXIT_USAGE,
            )
        api, who = sign_in(write=False)
        if submission is None:
            watched = Watched(api, args.namespace or namespace or who["name"], [job], None)
        else:
            ids = [each["id"] for each in submission["jobs"]]
            watched = Watched(api, submission["namespace"], ids, submission)
        status = watch_job(watched, args.follow)
        if status["stage"] == "COMPLETED" and submission:
            names = watched.fetch(folder, args.download)
            if "run.json" in names:
                record_job(folder, watched)
                status["dashboard"] = watched.dashboard()
                status["next"].append(f"python {beside('report_run.py')} {folder}")
            if not args.download:
                status["next"].append(
                    f"python {beside('watch_run.py')} {folder} --download  # the model, {folder}/model"
                )
    if args.json:
        emit(json.loads(json.dumps(status), parse_constant=lambda _: None))  # JSON has no NaN
    else:
        say(block(status))
    return {"COMPLETED": EXIT_OK, "ERROR": EXIT_NO, "SILENT": EXIT_FAILED}.get(
        status["stage"], EXIT_RUNNING if status["stage"] in ACTIVE else EXIT_CANCELED
    )


if __name__ == "__main__":
    sys.exit(run(main))
