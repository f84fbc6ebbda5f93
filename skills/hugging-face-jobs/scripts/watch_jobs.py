# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Say how far jobs are and what they have cost; of those that failed why, and the next command.

JOB is an id, NAMESPACE/ID, or jobs/NAME.json of submit_job.py; without one, the jobs of --label, or all active ones.
With --follow it stays until all have ended, whichever end that is, and shows their logs as they come. Stopping it stops
no job. Jobs of one network group need each other: when one fails, following ends, and the others are named.

examples:
  python scripts/watch_jobs.py jobs/infer.json --follow
  python scripts/watch_jobs.py --label team=ml --metrics --json
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

EXIT_RUNNING, EXIT_CANCELED = 5, 6
STAGE_CODES = """  5    one is still scheduled or running
  6    one was canceled or deleted, and none failed
Here 0 says that all have completed and 1 that one has failed; 2 and 3 that this script could not tell.
"""
MOST_FOLLOWED = 16  # logs that are read at once
DIAGNOSES = with_next(
    {
        "oom": "a flavor with more memory (`hf jobs hardware`), or smaller batches; then {again}",
        "disk": "a flavor with more storage (`hf jobs hardware`), or write to a mounted bucket; then {again}",
        "columns": "look at the data's columns, and at those that the script names; then {again}",
        "auth": "`hf auth whoami`, accept the terms of a gated repo, and hand the token on: --secret HF_TOKEN; then "
        "{again}",
        "import": "name the package in the script's PEP 723 header, or --with PACKAGE; then {again}",
        "hub": "{again}",
        "command": "correct the command; files go along only as arguments of a script, folders as --volume; then "
        "{again}",
        "killed": "{again}; killed twice at the same place means memory: a larger flavor",
    }
)


def main(argv: list[str]) -> int:
    args = arguments(argv)
    ids, namespace, submission = targets(args.jobs)
    api, who = sign_in(write=False)
    namespace = args.namespace or namespace or who["name"]
    if not ids:
        ids = listed(api, namespace, args.label)
    prices = prices_of(api)
    jobs = {each: job_now(api, namespace, each) for each in dict.fromkeys(ids)}
    stage = overall(jobs)
    if args.follow and stage in ACTIVE:
        stage = followed(api, namespace, jobs)
    logs = {each: read_log(api, job, namespace) for each, job in jobs.items() if needs_log(job, args)}
    statuses = [status_of(job, prices, logs.get(each, []), submission, api, args) for each, job in jobs.items()]
    document = {
        "stage": stage,
        "cost_usd": round(sum(status["cost_usd"] or 0 for status in statuses), 4),
        "jobs": statuses,
        "next": following_of(jobs, namespace, stage),
    }
    if args.json:
        emit(document)
    else:
        say(page(document, args.logs))
    return {"COMPLETED": EXIT_OK, "ERROR": EXIT_NO}.get(stage, EXIT_RUNNING if stage in ACTIVE else EXIT_CANCELED)


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.epilog = EXIT_CODES + STAGE_CODES
    add = options.add_argument
    add("jobs", metavar="JOB", nargs="*", help="ids, or one jobs/NAME.json (default: those of --label, or all active)")
    add("--label", action="append", default=[], metavar="KEY=VALUE", help="the jobs that carry all of these")
    add("--follow", action="store_true", help="stay until all have ended, with their logs on standard error")
    add("--logs", type=int, default=0, metavar="N", help="the last N lines of each log, in the answer")
    add("--metrics", action="store_true", help="processor, memory and GPU of those that run")
    add("--namespace", help="of the jobs (default: the token's user)")
    add("--json", action="store_true", help="print the status on standard output as JSON")
    args = options.parse_args(argv)
    if args.jobs and args.label:
        options.error("give JOB or --label, not both")
    if wrong := [label for label in args.label if "=" not in label]:
        options.error(f"--label {wrong[0]}: give KEY=VALUE")
    return args


# ---- which jobs


def targets(names: list[str]) -> tuple[list[str], str | None, dict | None]:
    """(ids, their namespace if named, the submission) that the arguments name."""
    if len(names) == 1 and (names[0].endswith(".json") or Path(names[0]).is_file()):
        submission = read_artifact(Path(names[0]), "job-submission")
        if submission["schedule"]:
            fix = f"python {beside('manage_jobs.py')} scheduled; its runs: python {beside('watch_jobs.py')} ID"
            raise Failure(f"{names[0]} is a schedule", fix, EXIT_USAGE)
        if not submission["jobs"]:
            fix = "run submit_job.py with the same arguments again: it finds the job, or makes it"
            raise Failure("the submission was cut off before its job was known", fix, EXIT_USAGE)
        return [job["id"] for job in submission["jobs"]], submission["namespace"], submission
    ids, namespaces = [], set()
    for name in names:
        namespace, _, job = name.rstrip("/").rpartition("/")  # a job's page ends in NAMESPACE/ID, too
        if not re.fullmatch(r"[A-Za-z0-9]{12,64}", job):
            raise Failure(f"{name!r} is no job id or jobs/NAME.json", "`hf jobs ps -a` lists jobs", EXIT_USAGE)
        ids.append(job)
        namespaces.add(namespace.rpartition("/")[2])
    named = namespaces - {""}
    if len(named) > 1:
        raise Failure(f"jobs of {', '.join(sorted(named))}", "watch one namespace at a time", EXIT_USAGE)
    return ids, next(iter(named), None), None


def listed(api, namespace: str, labels: list[str]) -> list[str]:
    """Ids of the jobs that carry the labels, oldest first; without labels of all that are active."""
    wanted = dict(label.split("=", 1) for label in labels)
    with on_hub("listing the jobs"):
        found = list(api.list_jobs(namespace=namespace, labels=wanted or None, status=None if wanted else list(ACTIVE)))
    if not found:
        what = f"with {', '.join(labels)}" if labels else "active"
        raise Failure(f"{namespace} has no job {what}", "`hf jobs ps -a` lists all", EXIT_USAGE)
    return [job.id for job in sorted(found, key=lambda job: (job.created_at, job.id))]


def prices_of(api) -> dict[str, float]:
    """Flavor -> dollars an hour now; nothing when the Hub does not say, which hides no job."""
    try:
        with on_hub("reading the prices"):
            return {flavor.name: flavor.unit_cost_usd * 60 for flavor in api.list_jobs_hardware()}
    except Failure as failure:
        log(f"warning: {failure.problem}; costs are not told")
        return {}


def overall(jobs: dict) -> str:
    """One stage for all: active while one is, unless it waits in vain for a failed one of its network group."""
    stages = [stage_of(job) for job in jobs.values()]
    groups = {job.network.group for job in jobs.values() if job.network}
    together = len(groups) == 1 and all(job.network for job in jobs.values())
    if not together and (active := [stage for stage in stages if stage in ACTIVE]):
        return decisive(active)
    return decisive(stages)


# ---- looking


def followed(api, namespace: str, jobs: dict) -> str:
    """Follows logs and stages until all have ended; updates `jobs`."""
    shown: dict[str, str] = {}

    def look() -> str:
        for each in [each for each, job in jobs.items() if stage_of(job) in ACTIVE]:
            jobs[each] = job_now(api, namespace, each)
            if shown.get(each) != stage_of(jobs[each]):
                shown[each] = stage_of(jobs[each])
                log(f"{each} {shown[each]}")
        return overall(jobs)

    def heard(each: str, line: str) -> None:
        log(f"{each[-6:]}| {line}" if len(jobs) > 1 else line)

    active = [each for each, job in jobs.items() if stage_of(job) in ACTIVE]
    if len(active) > MOST_FOLLOWED:
        log(f"the logs of {MOST_FOLLOWED} of {len(active)} jobs are shown; the stages of all are watched")
    streams = {
        each: api.fetch_job_logs(job_id=each, namespace=namespace, follow=True) for each in active[:MOST_FOLLOWED]
    }
    return follow(streams, look, heard, lambda stage: None)


def needs_log(job, args) -> bool:
    return bool(args.logs) or stage_of(job) == "ERROR"


def read_log(api, job, namespace: str) -> list[str]:
    """A job's log; one that cannot be read hides no stage."""
    try:
        return whole_log(api, job, namespace)[-LOG_LINES:]
    except Failure as failure:
        log(f"warning: {failure.problem}")
        return []


def status_of(job, prices: dict, lines: list[str], submission: dict | None, api, args) -> dict:
    stage, durations = stage_of(job), job.durations
    total = (durations.total_secs if durations else None) or 0
    running = durations.running_secs if durations else None
    hourly = prices.get(str(getattr(job.flavor, "value", job.flavor)))
    status = {
        "id": job.id,
        "name": (job.labels or {}).get("name"),
        "stage": stage,
        "message": job.status.message,
        "flavor": job.flavor,
        "created": job.created_at.isoformat() if job.created_at else None,
        "seconds": total,
        "running_seconds": running,
        "cost_usd": usd_of(total, hourly) if hourly is not None else None,
        "url": job.url,
        "labels": job.labels or {},
        "expose": job.status.expose_urls or [],
        "diagnosis": None,
        "metrics": metrics_of(api, job) if args.metrics and stage == "RUNNING" else None,
        "log": [redact(line) for line in lines[-args.logs :]] if args.logs else [],
    }
    if stage == "ERROR":
        status["diagnosis"] = diagnosis_of(job, running, lines, submission)
    return status


def diagnosis_of(job, running: int | None, lines: list[str], submission: dict | None) -> dict:
    timeout = (submission or {}).get("timeout_seconds")
    again = f"python {beside('manage_jobs.py')} rerun {job.owner.name}/{job.id} --yes"
    if submission:
        again = "the same submit_job.py command again"
    if timed_out(job.status.message, running, timeout):
        longer = f"{max(1, round(2 * (timeout or max(running or 0, 1800)) / 60))}m"
        return {
            "kind": "timeout",
            "cause": f"the job's timeout ended it{f' after {clock(running)}' if running else ''}",
            "evidence": job.status.message or f"it ran {running} s of {timeout} s",
            "next": f"submit_job.py with --timeout {longer}; `hf jobs rerun` would keep the timeout",
        }
    facts = {"again": again, "logs": f"hf jobs logs {job.owner.name}/{job.id}"}
    return diagnosed(lines, job.status.message, DIAGNOSES, facts)


def metrics_of(api, job) -> dict | None:
    """A sample of what a running job uses, or None when it has ended meanwhile."""
    try:
        with on_hub("reading the metrics"):
            sample = next(iter(api.fetch_job_metrics(job_id=job.id, namespace=job.owner.name)), None)
    except Failure as failure:
        log(f"warning: {failure.problem}")
        return None
    if sample is None:
        return None
    gpus = [
        {"percent": gpu["utilization"], "memory_gb": round(gpu["memory_used_bytes"] / 1e9, 1),
         "memory_of_gb": round(gpu["memory_total_bytes"] / 1e9, 1)}
        for gpu in sample["gpus"].values()
    ]  # fmt: skip
    return {
        "cpu_percent": sample["cpu_usage_pct"],
        "memory_gb": round(sample["memory_used_bytes"] / 1e9, 2),
        "memory_of_gb": round(sample["memory_total_bytes"] / 1e9, 1),
        "gpus": gpus,
    }


# ---- the answer


def following_of(jobs: dict, namespace: str, stage: str) -> list[str]:
    """What to do next: of a group that cannot go on, cancel those that still cost."""
    active = [each for each, job in jobs.items() if stage_of(job) in ACTIVE]
    if stage in ACTIVE or not active:
        return []
    ids = " ".join(f"{namespace}/{each}" for each in active)
    return [f"python {beside('manage_jobs.py')} cancel {ids} --yes"]


def page(document: dict, lines: int) -> str:
    """The status as a person reads it."""
    rows = [("JOB", "NAME", "STAGE", "FLAVOR", "TIME", "COST")]
    for job in document["jobs"]:
        cost = money(job["cost_usd"]) if job["cost_usd"] is not None else "?"
        rows.append((job["id"], job["name"] or "", job["stage"], job["flavor"], clock(job["seconds"]), cost))
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    text = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for job in document["jobs"]:
        if found := job["diagnosis"]:
            text += [f"{job['id']} failed: {found['cause']}", f"  {found['evidence']}", f"  next: {found['next']}"]
        if used := job["metrics"]:
            gpus = "".join(f", GPU {g['percent']} %, {g['memory_gb']} of {g['memory_of_gb']} GB" for g in used["gpus"])
            text.append(f"{job['id']} uses: CPU {used['cpu_percent']} %, {used['memory_gb']} of {used['memory_of_gb']} "
                        f"GB{gpus}")  # fmt: skip
        text += [f"{job['id']} is reachable at {url}" for url in job["expose"] if job["stage"] == "RUNNING"]
        if lines:
            text += [f"--- {job['id']}, the last {len(job['log'])} lines", *job["log"]]
    text.append(f"Cost so far: {money(document['cost_usd'])}")
    return "\n".join([*text, *(f"next: {each}" for each in document["next"])])


if __name__ == "__main__":
    sys.exit(run(main))
