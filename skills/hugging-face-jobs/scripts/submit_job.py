# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "tomli>=2,<3; python_version < '3.11'",
# ]
# ///
"""Run a script or a container on Hugging Face Jobs: shows what it may cost, and starts nothing without --yes.

SCRIPT is a Python file with a PEP 723 header, or its URL; what follows `--` are its arguments, and those that are files
go along. Its `[tool.hf-jobs]` table gives defaults, as it does for `hf jobs uv run`. With --image and no SCRIPT, what
follows `--` is the command. The same call again finds its job; after a failed or canceled one it starts the next.
Writes jobs/NAME.json. With --schedule it makes a scheduled job instead.

examples:
  python scripts/submit_job.py infer.py --flavor a10g-small --timeout 2h --secret HF_TOKEN -- --model org/model
  python scripts/submit_job.py --image python:3.12 --timeout 10m --yes -- python -c "print('hello')"
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

# region skillpack:flavors
import datetime


def dated_flavors() -> tuple[list[dict], str]:
    """(the flavors of assets/hardware.json, where they come from); none for a copy of the script that lies alone."""
    path = Path(__file__).resolve().parent.parent / "assets" / "hardware.json"
    table = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"flavors": []}
    dated = f"the table of {table.get('dated', 'no date')} in assets/hardware.json (not the live list)"
    return table["flavors"], dated


def read_flavors(prices: str = "auto") -> tuple[list[dict], str, bool]:
    """(flavors, where they come from, whether they are live), in the columns of assets/hardware.json.

    `prices`: "live" raises Failure where the Hub does not answer, "dated" does not ask, "auto" falls back.
    """
    if prices != "dated":
        try:
            return (*live_flavors(), True)
        except OSError as error:
            if prices == "live":
                raise Failure(f"the Hub did not list its hardware: {error}", "try again, or --prices dated") from None
            log(f"the Hub did not list its hardware ({type(error).__name__}); taking the dated table")
    return (*dated_flavors(), False)


def live_flavors() -> tuple[list[dict], str]:
    """GET /api/jobs/hardware in the columns of assets/hardware.json. Raises OSError when no answer comes."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]

    api = HfApi()
    try:
        answer = api.list_jobs_hardware()
    except (HTTPError, OfflineModeIsEnabled, ValueError, KeyError) as error:
        raise OSError(str(error)[:200]) from None

    def number(text: str | None) -> float:
        found = re.search(r"[0-9.]+", text or "")
        return float(found[0]) if found else 0.0

    flavors = []
    for entry in answer:
        gpu = entry.accelerator
        count = int(gpu.quantity) if gpu else 0
        disk = entry.ephemeral_storage or ""
        flavors.append(
            {
                "name": entry.name,
                "cores": int(number(entry.cpu)),
                "ram_gb": number(entry.ram),
                "disk_gb": number(disk) * (1000 if "TB" in disk else 1),
                "gpu": gpu.model if gpu else None,
                "gpus": count,
                "gpu_memory_gb": number(gpu.vram) / count if gpu else 0,
                "usd_per_hour": round(entry.unit_cost_micro_usd * 60 / 1e6, 4),
            }
        )
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return flavors, f"{api.endpoint}/api/jobs/hardware, {today}"


# endregion skillpack:flavors

# region skillpack:submission
import datetime
import hashlib
import shlex
import time

NODE_LABEL = "skillpack-node"
HEAD = "head"  # the alias of the first node, where the others meet it
INTENT_SECONDS = 120  # an intent younger than this may belong to a call whose job is not in the list yet


def key_of(said: list[str]) -> str:
    """What makes two submissions the same: a hash of all that the job is made of, as the value of a label."""
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:24]


def require_namespace(who: dict, namespace: str | None) -> str:
    """The namespace that pays. Raises Failure when this token's user may not write there."""
    roles = {org["name"].lower(): org.get("roleInOrg") for org in who.get("orgs", [])}
    chosen = namespace or who["name"]
    if chosen.lower() != who["name"].lower():
        if chosen.lower() not in roles:
            known = ", ".join([who["name"], *roles])
            raise Failure(f"{who['name']} is not a member of {chosen!r}", f"give --namespace one of: {known}")
        if roles[chosen.lower()] == "read":
            raise Failure(f"{who['name']} may only read in {chosen!r}", "ask its admin for write, or use another")
    return chosen


def secret_values(names: list[str], token: str) -> dict[str, str]:
    """Name -> value of the variables that a job gets as secrets: from the environment, HF_TOKEN from the sign-in."""
    known = {**os.environ, "HF_TOKEN": token}
    missing = [name for name in names if not known.get(name)]
    if missing:
        raise Failure(f"--secret {missing[0]}: no such variable is set", "set it in the environment", EXIT_USAGE)
    return {name: known[name] for name in names}


def prepare_bucket(api, bucket: str) -> None:
    """A private bucket for what jobs write, made if there is none. Raises Failure when it is public."""
    with on_hub(f"making the bucket {bucket}"):
        api.create_bucket(bucket, private=True, exist_ok=True)
        if not api.bucket_info(bucket).private:
            fix = f"`hf buckets settings {bucket} --private`"
            raise Failure(f"the bucket {bucket} is public, and what jobs write would be too", fix)


@contextlib.contextmanager
def one_at_a_time(lock: Path):
    """Holds a lock file, so that submissions of this machine come one after the other."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            import fcntl
        except ImportError:  # Windows: the look at the list after the call is what is left
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_jobs(api, namespace: str, label: dict[str, str]) -> list:
    """The active or completed jobs of a label: of each node the oldest, so that every submitter agrees."""
    with on_hub("looking for the jobs"):
        found = list(api.list_jobs(namespace=namespace, labels=label))
    kept: dict = {}
    for job in sorted(found, key=lambda job: (job.created_at, job.id)):
        if stage_of(job) in (*ACTIVE, "COMPLETED"):
            kept.setdefault((job.labels or {}).get(NODE_LABEL, "0"), job)
    return [kept[node] for node in sorted(kept, key=int)]


def look_at(api, submission: dict) -> list:
    """The jobs of a submission as they are now; those that the Hub has forgotten are left out."""
    from huggingface_hub.errors import JobNotFoundError

    jobs = []
    for job in submission["jobs"]:
        with contextlib.suppress(JobNotFoundError), on_hub("looking at the jobs", passing=(JobNotFoundError,)):
            jobs.append(api.inspect_job(job_id=job["id"], namespace=submission["namespace"]))
    return jobs


def known_jobs(api, document: dict, before: dict | None, label: dict[str, str]) -> list:
    """Jobs of this submission that are active or completed, by the list and by what was written down before."""
    jobs = find_jobs(api, document["namespace"], label)
    if jobs or not before or before["label"] != document["label"]:
        return jobs
    if before["state"] != "intended":
        return [job for job in look_at(api, before) if stage_of(job) in (*ACTIVE, "COMPLETED")]
    age = time.time() - datetime.datetime.fromisoformat(before["created"]).timestamp()
    while age < INTENT_SECONDS and not jobs:  # an earlier call was cut off: give its job time to appear
        log("an earlier submission was cut off; looking whether its job was made")
        time.sleep(3)
        age += 30
        jobs = find_jobs(api, document["namespace"], label)
    return jobs


def submit(api, document: dict, calls: list[dict], path: Path, label: dict[str, str]) -> list:
    """Starts the jobs, the intent being on disk before the first call. If one fails, none is left running.

    A call is the arguments of `run_job` where it has a command, else of `run_uv_job`.
    """
    write_artifact(path, {**document, "state": "intended"})
    jobs: list = []
    try:
        for call in calls:
            with on_hub("submitting the job"):
                jobs.append((api.run_job if "command" in call else api.run_uv_job)(**call))
    except BaseException as error:
        cancel(api, jobs, "all of the jobs are needed")
        if isinstance(error, Refused):
            write_artifact(path, {**document, "state": "refused"})
        raise
    first = find_jobs(api, document["namespace"], label)
    if first and first[0].id != jobs[0].id:
        cancel(api, jobs, "the same was submitted a moment before from elsewhere")
        return first
    return jobs


def cancel(api, jobs: list, why: str) -> None:
    for job in jobs:
        log(f"canceling {job.id}: {why}")
        with on_hub(f"canceling {job.id}, which goes on and costs"):
            api.cancel_job(job_id=job.id, namespace=job.owner.name)


def equivalent(call: dict, schedule: str | None = None, overlap: bool = False) -> str:
    """The same job by the hf command, for a person who prefers it; secrets by name."""
    uv = "command" not in call
    words = ["hf", "jobs", *(["scheduled"] if schedule else []), *(["uv"] if uv else []), "run"]
    words += [] if schedule else ["--detach"]
    words += ["--concurrency"] if schedule and overlap else []
    words += ["--flavor", call["flavor"], "--timeout", f"{call['timeout']}s", "--namespace", call["namespace"]]
    words += ["--name", call["name"]]
    words += ["--image", call["image"]] if uv and call.get("image") else []
    words += ["--python", call["python"]] if call.get("python") else []
    words += [part for key, value in call["labels"].items() for part in ("--label", f"{key}={value}")]
    words += [part for key, value in call["env"].items() for part in ("--env", f"{key}={value}")]
    words += [part for name in call["secrets"] for part in ("--secrets", name)]
    for volume in call["volumes"]:  # a text is a folder of this machine, which is synced when the job is started
        words += ["--volume", volume if isinstance(volume, str) else volume.to_uri()]
    words += ["--attempts", str(call["attempts"])] if call["attempts"] > 1 else []
    words += [part for port in call.get("expose") or [] for part in ("--expose", str(port))]
    words += ["--ssh"] if call.get("ssh") else []
    if call.get("network_group"):
        words += ["--network-group", call["network_group"]]
        words += [part for alias in call["network_aliases"] for part in ("--network-alias", alias)]
    words += [part for package in call.get("dependencies") or [] for part in ("--with", package)]
    what = [call["script"], *(call["script_args"] or [])] if uv else [call["image"], *call["command"]]
    return shlex.join([*words, *([schedule] if schedule else []), *what])


# endregion skillpack:submission

# region skillpack:cron
import datetime
from dataclasses import dataclass

ALIASES = {
    "@annually": "0 0 1 1 *",
    "@yearly": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
HORIZON_DAYS = 366 * 8  # 29 February on a given weekday rule still comes round


@dataclass(frozen=True)
class Schedule:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool  # both day fields are restricted: one of them suffices, as in cron

    def _on(self, day: datetime.datetime) -> bool:
        if day.month not in self.months:
            return False
        by_date = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        return (by_date or by_weekday) if self.either_day else (by_date and by_weekday)

    def after(self, moment: datetime.datetime) -> datetime.datetime:
        """The first run strictly after `moment`; ValueError if none comes within eight years."""
        start = moment.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
        day = start.replace(hour=0, minute=0)
        for _ in range(HORIZON_DAYS):
            if self._on(day):
                for hour in sorted(self.hours):
                    if day.replace(hour=hour, minute=59) < start:  # or a schedule of each minute takes half a minute
                        continue
                    for minute in sorted(self.minutes):
                        run = day.replace(hour=hour, minute=minute)
                        if run >= start:
                            return run
            day += datetime.timedelta(days=1)
        raise ValueError("the schedule never runs")


def _cron_number(text: str, label: str, low: int, high: int) -> int:
    names = {"month": MONTHS, "day of week": WEEKDAYS}.get(label, ())
    if text.lower() in names:
        return names.index(text.lower()) + (1 if label == "month" else 0)
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise ValueError(f"{label} {text!r} is not between {low} and {high}")
    return int(text)


def _cron_values(text: str, label: str, low: int, high: int) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _cron_number(step_text, label, 1, high) if slash else 1
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first_text, _, last_text = span.partition("-")
            first, last = _cron_number(first_text, label, low, high), _cron_number(last_text, label, low, high)
            if first > last:
                raise ValueError(f"{label} {span!r} runs backwards")
        else:
            first = _cron_number(span, label, low, high)
            last = high if slash else first
        values.update(range(first, last + 1, step))
    return frozenset(value % 7 for value in values) if label == "day of week" else frozenset(values)


def parse_schedule(expression: str) -> Schedule:
    """A schedule, or ValueError that names the field at fault."""
    fields = ALIASES.get(expression.strip().lower(), expression).split()
    if len(fields) != len(FIELDS):
        raise ValueError(f"{expression!r} is not a schedule: five cron fields, or one of {', '.join(ALIASES)}")
    sets = [_cron_values(text, *field) for text, field in zip(fields, FIELDS, strict=True)]
    either_day = not fields[2].startswith("*") and not fields[4].startswith("*")
    return Schedule(sets[0], sets[1], sets[2], sets[3], sets[4], either_day)


# endregion skillpack:cron

import ast
import math

LABEL = "skillpack-job"
MONTH_DAYS = 30  # over which a schedule's cost is told
HEADER = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")  # the pattern of PEP 723
TEXT, TEXTS, TABLE = "a string", "a list of strings", "a table of strings"
HEADER_KEYS = {
    **dict.fromkeys(("image", "flavor", "python", "timeout", "name", "namespace", "network_group"), TEXT),
    **dict.fromkeys(("secrets", "volumes", "network_aliases"), TEXTS),
    **dict.fromkeys(("env", "labels"), TABLE),
}
ARTIFACTS = "/data"  # where run_uv_job mounts the script and its files
SHIPPED = (".py", ".sh", ".yaml", ".yml", ".toml")  # the client refuses an argument of such a name that is no file


def main(argv: list[str]) -> int:
    args = arguments(argv)
    settings = settings_of(args)
    api, who = sign_in(write=args.yes)
    flavor, prices, live = flavor_of(settings["flavor"], args.prices)
    namespace = require_namespace(who, settings["namespace"])
    volumes, made = volumes_of(api, namespace, settings["volumes"], bool(settings["script"]))
    values = secret_values(settings["secrets"], api.token)
    document = document_of(args, settings, flavor, prices, namespace)
    calls = calls_of(settings, document, volumes, values)
    document["commands"] = [equivalent(call, args.schedule, args.overlap) for call in calls]
    document["notes"] = notes_of(settings, volumes)
    (log if args.json else say)(card(settings, document, flavor, made))
    most = document["at_most_usd_30_days"] if args.schedule else document["at_most_usd"]
    if args.max_cost is not None and not most <= args.max_cost:  # NaN, too, is a ceiling that nothing is below
        raise Failure(
            f"it can cost {money(most, at_most=True)}{' in 30 days' if args.schedule else ''}, and --max-cost is "
            f"{money(args.max_cost)}",
            f"a shorter --timeout ({money(document['usd_per_hour'])} an hour), a cheaper --flavor, fewer --attempts",
            EXIT_NO,
        )
    path = Path(args.jobs) / f"{settings['name']}.json"
    if not args.yes:
        log("nothing was started; to start it: the same command with --yes")
        if args.json:
            emit(document)
        return EXIT_UNCONFIRMED
    if not live:
        raise Failure("the prices are not those of now, so nothing was started", "run the same command again")
    with one_at_a_time(path.with_name(f".{settings['name']}.lock")):
        found = start(api, args, document, calls, made, path)
    if args.json:
        emit(document)
    else:
        say(
            "\n".join(f"{'Schedule' if args.schedule else 'Job'} {job['id']}: {job['url']}" for job in document["jobs"])
        )
    following = (
        f"{beside('manage_jobs.py')} scheduled" if args.schedule else f"{beside('watch_jobs.py')} {path} --follow"
    )
    log(f"{'found, submitted before' if found else 'submitted'}; next: python {following}")
    for volume in volumes:
        if isinstance(volume, str) and volume.endswith(":rw"):
            log(f"what the job writes to {volume.rsplit(':', 2)[1]} is in the bucket {namespace}/jobs-artifacts")
    return EXIT_OK


def arguments(argv: list[str]) -> argparse.Namespace:
    own, passed = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    options = parser(__doc__)
    add = options.add_argument
    add("script", metavar="SCRIPT", nargs="?", help="Python file or URL; without it --image and a command behind --")
    add("--image", help="container image, or a Space as hf.co/spaces/ORG/NAME (for a SCRIPT: one that has uv)")
    add("--flavor", help="hardware, by `hf jobs hardware` (default: cpu-basic)")
    add("--timeout", type=seconds_of, help="90m, 2h or seconds: the job is killed then (no default: it caps the cost)")
    add("--max-cost", type=float, metavar="USD", help="refuse when it can cost more; of a schedule, in 30 days")
    add("--attempts", type=int, default=1, help="runs of the command while it fails; each begins anew (default: 1)")
    add("--secret", action="append", default=[], metavar="NAME", help="a variable of the environment, or HF_TOKEN")
    add("--env", action="append", default=[], metavar="KEY=VALUE", help="for the job; shown in its page")
    add("--volume", action="append", default=[], metavar="SPEC", help="hf://[datasets/|buckets/…]ID:/MOUNT[:ro|:rw] or "
        "./FOLDER:/MOUNT")  # fmt: skip
    add("--with", action="append", default=[], dest="packages", metavar="PACKAGE", help="for a SCRIPT, repeatable")
    add("--python", help="version for a SCRIPT (default: the image's)")
    add("--nodes", type=int, default=1, help="jobs of one network group; NODE_RANK and NODES tell them apart")
    add("--network-group", metavar="NAME", help="join the jobs that name the same group")
    add("--network-alias", action="append", default=[], metavar="NAME", help="this job's name in the group")
    add(
        "--expose",
        type=int,
        action="append",
        default=[],
        metavar="PORT",
        help="reachable with a token of the namespace",
    )
    add("--ssh", action="store_true", help="reachable by `hf jobs ssh`")
    add("--schedule", metavar="CRON", help="make a scheduled job: five cron fields in UTC, or @daily and the like")
    add("--overlap", action="store_true", help="a scheduled run starts though the last one goes on (default: skipped)")
    add("--name", help="of the job (default: the script's)")
    add("--label", action="append", default=[], metavar="KEY=VALUE", help="for the job, repeatable")
    add("--namespace", help="user or organization that pays (default: the token's user)")
    add("--prices", choices=["auto", "live", "dated"], default="auto", help=argparse.SUPPRESS)
    add("--jobs", default="jobs", metavar="FOLDER", help="for NAME.json (default: jobs)")
    add("--again", action="store_true", help="start another one though the same is running or has completed")
    add("--yes", action="store_true", help="start it; without this only the card is shown")
    add("--json", action="store_true", help="print what was planned or started as JSON")
    args = options.parse_args(own)
    args.passed = passed
    if not args.script and not (args.image and passed):
        options.error("give SCRIPT, or --image and a command behind --")
    if args.attempts < 1 or args.nodes < 1 or (args.max_cost is not None and args.max_cost < 0):
        options.error("--attempts and --nodes count from 1, --max-cost from 0")
    if args.schedule and (args.nodes > 1 or args.network_group or args.ssh):
        options.error("a scheduled job has no network group, nodes or ssh")
    if args.overlap and not args.schedule:
        options.error("--overlap is for --schedule")
    if not args.script and (args.packages or args.python):
        options.error("--with and --python are for a SCRIPT")
    return args


# ---- what the job is made of


def settings_of(args) -> dict:
    """The launch settings: the script's own `[tool.hf-jobs]` table, and the flags, which win."""
    text = script_text(args.script) if args.script else None
    table = header_table(text) if text else {}
    env = {"PYTHONUNBUFFERED": "1", **table.get("env", {})}  # or the log of a killed job lacks its last words
    labels = dict(table.get("labels", {}))
    env |= dict(pair("--env", each) for each in args.env)
    labels |= dict(pair("--label", each) for each in args.label)
    timeout = args.timeout or (seconds_from(table["timeout"]) if "timeout" in table else None)
    if timeout is None:
        fix = "--timeout 30m, or what the work needs: a job without one is killed after 30 minutes"
        raise Failure("no --timeout", fix, EXIT_USAGE)
    words = args.passed
    for word in [*words, *env.values()]:
        if SECRET.search(word) or (os.environ.get("HF_TOKEN") or "\0") in word:
            raise Failure("an argument or --env value is a secret, and would be shown to all who see the job",
                          "put it into the environment, and name it: --secret NAME", EXIT_USAGE)  # fmt: skip
    if args.script and not is_url(args.script):
        require_alone(Path(args.script), text or "", env)
        missing = [word for word in words if Path(word).suffix in SHIPPED and not is_file(word) and not is_url(word)]
        if missing:
            fix = "run this where it lies; a file that is in the job alone (in a volume): by --env NAME=PATH, since "
            fix += "the client takes no argument of such a name that is not here"
            raise Failure(f"no file {missing[0]}, an argument", fix, EXIT_USAGE)
        for word in words:
            try:
                Path(word).is_file()  # as the client asks
            except OSError as error:
                fix = "put it into a file and name that, or into --env NAME=VALUE"
                raise Failure(f"the client cannot take {word[:40]!r}…: {error.strerror}", fix, EXIT_USAGE) from None
    name = args.name or labels.pop("name", None) or table.get("name") or default_name(args)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", name):
        raise Failure(f"--name {name!r}", "letters of English, digits, '-' and '_', at most 63", EXIT_USAGE)
    for key, value in labels.items():
        if not re.fullmatch(r"[\w.-]{1,100}", key, re.ASCII) or not re.fullmatch(r"[\w.-]{0,100}", value, re.ASCII):
            raise Failure(f"--label {key}={value}", "letters, digits, '.', '-' and '_', at most 100", EXIT_USAGE)
        if key in (LABEL, NODE_LABEL):
            raise Failure(f"--label {key}={value}", "another key: by this one the scripts find their jobs", EXIT_USAGE)
    secrets = list(dict.fromkeys([*table.get("secrets", []), *args.secret]))
    if wrong := [each for each in secrets if not re.fullmatch(r"[A-Za-z_]\w*", each)]:
        shown = wrong[0].partition("=")[0]
        raise Failure(f"--secret {shown}: not a name", "give the name alone; its value is read from the environment",
                      EXIT_USAGE)  # fmt: skip
    return {
        "script": args.script, "text": text, "words": words, "image": args.image or table.get("image"),
        "flavor": args.flavor or table.get("flavor") or "cpu-basic", "timeout": timeout, "attempts": args.attempts,
        "python": args.python or table.get("python"), "packages": args.packages, "env": env, "secrets": secrets,
        "labels": labels, "name": name, "namespace": args.namespace or table.get("namespace"),
        "volumes": merged_volumes(table.get("volumes", []), args.volume), "nodes": args.nodes,
        "group": args.network_group or table.get("network_group"),
        "aliases": args.network_alias or table.get("network_aliases", []), "expose": args.expose, "ssh": args.ssh,
        "schedule": args.schedule, "overlap": args.overlap,
    }  # fmt: skip


def is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def is_file(word: str) -> bool:
    """Whether an argument, which may be a program of many lines, names a file that is here."""
    return os.path.isfile(word)  # noqa: PTH113 - Path.is_file raises for what is too long to be a name


def script_text(script: str) -> str:
    """The script's source; a URL is read once here, for its header and to know it again."""
    if is_url(script):
        os.environ.setdefault("HF_HUB_DISABLE_EXPERIMENTAL_WARNING", "1")  # read when the client is imported
        from huggingface_hub.utils import get_session

        with on_hub(f"reading {script}"):
            answer = get_session().get(script, timeout=30)
        if answer.status_code != 200:
            raise Failure(f"{script}: {answer.status_code}", "give a URL of the raw file, or a local file", EXIT_USAGE)
        return answer.text
    path = Path(script)
    if not path.is_file():
        fix = "give a Python file; a command needs --image and stands behind --"
        raise Failure(f"no file {script}", fix, EXIT_USAGE)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"{script} is not UTF-8 text: {error.reason}", "save it as UTF-8", EXIT_USAGE) from None


def header_table(text: str) -> dict:
    """`[tool.hf-jobs]` of a script's PEP 723 header, with the keys that `hf jobs uv run` knows, or nothing."""
    match = HEADER.search(text.replace("\r\n", "\n"))
    if not match:
        return {}
    try:
        import tomllib
    except ImportError:
        import tomli as tomllib
    try:
        table = tomllib.loads(re.sub(r"(?m)^# ?", "", match["content"])).get("tool", {}).get("hf-jobs", {})
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"the script's header is not TOML: {error}", "correct it", EXIT_USAGE) from None
    if not isinstance(table, dict):
        raise Failure("hf-jobs in the script's header is no table", "write [tool.hf-jobs]", EXIT_USAGE)
    if unknown := sorted(set(table) - set(HEADER_KEYS)):
        fix = f"the keys are {', '.join(sorted(HEADER_KEYS))}"
        raise Failure(f"[tool.hf-jobs] has an unknown key {unknown[0]!r}", fix, EXIT_USAGE)
    for key, value in table.items():
        if kind_of(value) != HEADER_KEYS[key] and not (key == "timeout" and type(value) is int):
            raise Failure(f"[tool.hf-jobs] has {key} = {value!r}", f"it is {HEADER_KEYS[key]}", EXIT_USAGE)
    return table


def kind_of(value: object) -> str | None:
    """What of HEADER_KEYS a value of TOML is."""
    if isinstance(value, str):
        return TEXT
    each = value if isinstance(value, list) else value.values() if isinstance(value, dict) else [None]
    return (TEXTS if isinstance(value, list) else TABLE) if all(isinstance(one, str) for one in each) else None


def require_alone(script: Path, text: str, env: dict) -> None:
    """Raises Failure when a script imports a module that lies beside it: a job gets the script alone."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise Failure(f"{script}:{error.lineno}: {error.msg}", "correct it: the job would fail", EXIT_USAGE) from None
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    for name in sorted({each.partition(".")[0] for each in named}):
        beside = script.parent / name
        if (beside.with_suffix(".py").is_file() or (beside / "__init__.py").is_file()) and "PYTHONPATH" not in env:
            raise Failure(
                f"{script} imports {name}, which lies beside it, and a job gets the script alone",
                f"one file, or --volume {script.parent}:/code --env PYTHONPATH=/code",
                EXIT_USAGE,
            )


def pair(flag: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Failure(f"{flag} {text!r}", "give KEY=VALUE", EXIT_USAGE)
    return key, value


def seconds_from(value: object) -> int:
    try:
        return seconds_of(str(value))
    except argparse.ArgumentTypeError as error:
        raise Failure(f"timeout of [tool.hf-jobs]: {error}", "correct it", EXIT_USAGE) from None


def default_name(args) -> str:
    source = (
        Path(args.script.partition("?")[0]).stem if args.script else args.image.rpartition("/")[2].partition(":")[0]
    )
    return re.sub(r"[^A-Za-z0-9_-]", "-", source).strip("-_")[:63] or "job"


def merged_volumes(own: list[str], given: list[str]) -> list[str]:
    """The script's volumes and those of the command line, which win at the same mount path."""
    mount = re.compile(r":(/[^:]*)(?::r[ow])?$")
    taken = {found[1] for each in given if (found := mount.search(each))}
    return [*(each for each in own if not (found := mount.search(each)) or found[1] not in taken), *given]


# ---- what it needs of the Hub


def flavor_of(name: str, prices: str) -> tuple[dict, str, bool]:
    """(the flavor, where its price comes from, whether that is live)."""
    flavors, source, live = read_flavors(prices)
    known = {flavor["name"]: flavor for flavor in flavors}
    if name not in known:
        raise Failure(f"there is no flavor {name!r}", f"one of: {', '.join(known)}", EXIT_USAGE)
    return known[name], source, live


def volumes_of(api, namespace: str, specs: list[str], uv: bool) -> tuple[list, list[str]]:
    """(volumes, buckets to make). A folder of this machine stays a text until the job is started."""
    from huggingface_hub import Volume
    from huggingface_hub.utils import parse_hf_mount

    volumes: list = []
    made = []
    for spec in specs:
        if not spec.startswith("hf://"):
            found = re.fullmatch(r"(.+?):(/[^:]+)(?::r[ow])?", spec)
            if not found or not Path(found[1]).expanduser().is_dir():
                fix = "./FOLDER:/MOUNT of a folder that is there, or hf://buckets/ORG/NAME:/MOUNT"
                raise Failure(f"--volume {spec}: no folder to mount", fix, EXIT_USAGE)
            volumes.append(spec)
            continue
        try:
            parsed = parse_hf_mount(spec)
        except ValueError as error:
            raise Failure(f"--volume {spec}: {error}", "hf://datasets/ORG/NAME:/MOUNT", EXIT_USAGE) from None
        mount, source = parsed.mount_path, parsed.source
        made += require_volume(api, namespace, source)
        volumes.append(
            Volume(type=source.type, source=source.id, mount_path=mount, read_only=parsed.read_only,
                   path=source.path_in_repo or None, revision=source.revision or None)
        )  # fmt: skip
    mounts = [each.mount_path if not isinstance(each, str) else re.search(r":(/[^:]+)", each)[1] for each in volumes]
    if len(set(mounts)) < len(mounts) or (uv and ARTIFACTS in mounts):
        raise Failure(f"mount paths {', '.join(mounts)}", f"each once; {ARTIFACTS} holds the script itself", EXIT_USAGE)
    return volumes, made


def require_volume(api, namespace: str, source) -> list[str]:
    """The bucket to make, if it is one's own and missing. Raises Failure for a source that cannot be mounted."""
    from huggingface_hub.errors import BucketNotFoundError, RepositoryNotFoundError

    passing = (BucketNotFoundError, RepositoryNotFoundError)
    try:
        with on_hub(f"looking up the volume {source.id}", passing=passing):
            if source.type == "bucket":
                api.bucket_info(source.id)
            else:
                api.repo_info(source.id, repo_type=source.type, revision=source.revision)
    except passing:
        if source.type == "bucket" and source.id.partition("/")[0].lower() == namespace.lower():
            return [source.id]
        fix = "check the name and its kind (hf://datasets/…, hf://buckets/…), and that this token may read it"
        raise Failure(f"the {source.type} {source.id} does not exist or is private", fix, EXIT_USAGE) from None
    return []


# ---- the plan


def document_of(args, settings: dict, flavor: dict, prices: str, namespace: str) -> dict:
    hourly = flavor["usd_per_hour"] * settings["nodes"]
    at_most = math.ceil(settings["timeout"] / 60) / 60 * hourly * settings["attempts"]
    document = {
        "schema": "skillpack/job-submission/1",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "name": settings["name"], "state": "planned", "label": label_of(settings, namespace), "namespace": namespace,
        "flavor": flavor["name"], "nodes": settings["nodes"], "attempts": settings["attempts"],
        "timeout_seconds": settings["timeout"], "usd_per_hour": round(hourly, 4), "at_most_usd": round(at_most, 4),
        "prices_from": prices, "schedule": args.schedule, "jobs": [],
    }  # fmt: skip
    if args.schedule:
        document |= schedule_of(args.schedule, at_most)
    if args.again:
        document["label"] += time.strftime("-%Y%m%d%H%M%S", time.gmtime())
    return document


def schedule_of(expression: str, at_most: float) -> dict:
    """When a schedule runs next, and what it can cost in 30 days."""
    try:
        schedule = parse_schedule(expression)
        moment = datetime.datetime.now(datetime.timezone.utc)
        end, runs, first = moment + datetime.timedelta(days=MONTH_DAYS), 0, schedule.after(moment)
        moment = first
        while moment < end:
            runs, moment = runs + 1, schedule.after(moment)
    except ValueError as error:
        raise Failure(f"--schedule {expression!r}: {error}", "as '0 3 * * 1' or @daily, in UTC", EXIT_USAGE) from None
    return {"next_run": first.isoformat(), "runs_30_days": runs, "at_most_usd_30_days": round(runs * at_most, 4)}


def label_of(settings: dict, namespace: str) -> str:
    """What makes two submissions the same: the script, its files, and all that it is started with."""
    files = [Path(word).read_bytes().hex() for word in settings["words"] if is_file(word)]
    folders = []
    for spec in settings["volumes"]:
        if not spec.startswith("hf://"):
            root = Path(spec.partition(":/")[0]).expanduser()
            found = (path for path in sorted(root.rglob("*")) if path.is_file())
            folders += [f"{path.relative_to(root)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in found]
    return key_of([namespace, json.dumps(settings, sort_keys=True), *files, *folders])


def calls_of(settings: dict, document: dict, volumes: list, secrets: dict) -> list[dict]:
    """The arguments of `run_job` or `run_uv_job`, one dict a node."""
    calls = []
    for node in range(settings["nodes"]):
        call: dict = {
            "flavor": document["flavor"], "timeout": document["timeout_seconds"], "attempts": document["attempts"],
            "namespace": document["namespace"], "name": document["name"], "env": dict(settings["env"]),
            "labels": {**settings["labels"], LABEL: document["label"]}, "secrets": secrets, "volumes": list(volumes),
        }  # fmt: skip
        if settings["script"]:
            call |= {"script": settings["script"], "script_args": settings["words"], "image": settings["image"],
                     "dependencies": settings["packages"] or None, "python": settings["python"]}  # fmt: skip
        else:
            call |= {"image": settings["image"], "command": settings["words"]}
        if settings["expose"]:
            call["expose"] = settings["expose"]
        if settings["ssh"]:
            call["ssh"] = True
        if settings["nodes"] > 1:
            call["labels"][NODE_LABEL] = str(node)
            call["env"] |= {"NODE_RANK": str(node), "NODES": str(settings["nodes"])}
            call["network_group"] = settings["group"] or f"job-{document['label'][:24]}"
            call["network_aliases"] = [HEAD] if node == 0 else [f"node-{node}"]
        elif settings["group"]:
            call |= {"network_group": settings["group"], "network_aliases": settings["aliases"]}
        calls.append(call)
    return calls


def notes_of(settings: dict, volumes: list) -> list[str]:
    """What a person should know before saying yes."""
    notes = []
    text = settings["text"] or " ".join(settings["words"])
    keeps = any(
        v.type == "bucket" and not v.read_only if not isinstance(v, str) else v.endswith(":rw") for v in volumes
    )
    token = "HF_TOKEN" in settings["secrets"]
    if not token and re.search(r"push_to_hub|upload_file|upload_folder|create_repo|hf upload|HF_TOKEN", text):
        notes.append("it seems to write to the Hub, and gets no token: --secret HF_TOKEN")
    elif not token and not keeps:
        notes.append("nothing that it writes is kept: the disk goes with the job (a bucket: --volume "
                     "hf://buckets/NAMESPACE/NAME:/out, or --secret HF_TOKEN and a push)")  # fmt: skip
    if settings["text"] and not HEADER.search(settings["text"]) and not settings["packages"]:
        notes.append("the script has no PEP 723 header and no --with: it finds the standard library alone")
    if folders := [word for word in settings["words"] if os.path.isdir(word)]:  # noqa: PTH112 - as is_file
        notes.append(f"{folders[0]} is a folder here, and folders do not go along: --volume {folders[0]}:/MOUNT")
    if settings["attempts"] > 1:
        notes.append("an attempt begins from zero unless the script keeps and finds what it did")
    return notes


def card(settings: dict, document: dict, flavor: dict, made: list[str]) -> str:
    """What a person reads before saying yes."""
    what = " ".join([settings["script"] or settings["image"], *settings["words"]])
    has = f"{flavor['gpus']} x {flavor['gpu']}, {flavor['gpu_memory_gb']:g} GB each" if flavor["gpu"] else "no GPU"
    nodes = f"{document['nodes']} x " if document["nodes"] > 1 else ""
    attempts = f" x {document['attempts']} attempts" if document["attempts"] > 1 else ""
    lines = [
        f"{'Schedule' if document['schedule'] else 'Job'} {document['name']}: {what[:200]}",
        f"  where      {nodes}{document['flavor']} ({has}, {flavor['cores']} cores, {flavor['ram_gb']:g} GB), "
        f"{money(document['usd_per_hour'])} an hour, paid by {document['namespace']}",
        f"  prices     {document['prices_from']}",
        f"  timeout    {clock(document['timeout_seconds'])}",
        f"  cost       at most {money(document['at_most_usd'], at_most=True)}"
        f"{' a run' if document['schedule'] else ''} "
        f"(price x timeout{attempts}; starting is billed too)",
    ]
    if document["schedule"]:
        rule = "starts though the last one goes on" if settings["overlap"] else "is skipped while the last one goes on"
        lines.append(f"  schedule   {document['schedule']} UTC, next {document['next_run']}; a run {rule}")
        month = money(document["at_most_usd_30_days"], at_most=True)
        lines.append(f"  30 days    {document['runs_30_days']} runs, at most {month}")
    for title, values in (("secrets", settings["secrets"]), ("env", settings["env"]), ("volumes", settings["volumes"])):
        if values:
            lines.append(f"  {title:<10} {', '.join(values)}")
    lines += [f"  makes      private bucket {bucket}" for bucket in made]
    return "\n".join([*lines, *(f"  note       {note}" for note in document["notes"])])


# ---- the start


def start(api, args, document: dict, calls: list[dict], made: list[str], path: Path) -> bool:
    """Starts the jobs or the schedule unless the same is there, and writes it down; whether it was there."""
    label = {LABEL: document["label"]}
    before = read_artifact(path, "job-submission") if path.is_file() else None
    if args.schedule:
        with on_hub("looking for the schedule"):
            jobs = [] if args.again else api.list_scheduled_jobs(namespace=document["namespace"], labels=label)
    else:
        jobs = [] if args.again else known_jobs(api, document, before, label)
    if not (found := len(jobs) == document["nodes"]):
        if not args.schedule:
            warn_of_earlier(api, document, before)
            cancel(api, [job for job in jobs if stage_of(job) in ACTIVE], "its other nodes have ended")
        for bucket in made:
            prepare_bucket(api, bucket)
        for call in calls:
            call["volumes"] = [synced_folder(api, each, document["namespace"]) for each in call["volumes"]]
        jobs = [scheduled(api, args, calls[0])] if args.schedule else submit(api, document, calls, path, label)
    elif not args.schedule:
        log(f"this was submitted before: {jobs[0].id} is {stage_of(jobs[0])}; --again runs it once more")
    document["state"] = "submitted"
    pages = f"{api.endpoint}/jobs/{document['namespace']}"
    document["jobs"] = [
        {"id": job.id, "node": node, "url": getattr(job, "url", pages)} for node, job in enumerate(jobs)
    ]
    write_artifact(path, document)
    return found


def warn_of_earlier(api, document: dict, before: dict | None) -> None:
    """Says which job the file of this name spoke of, where that one goes on."""
    if before and before["label"] != document["label"] and not before["schedule"]:
        for job in look_at(api, before):
            if stage_of(job) in ACTIVE:
                log(f"note: another job of this name goes on and costs: {job.id}; --name tells them apart")


def scheduled(api, args, call: dict):
    call = {**call, "schedule": args.schedule, "concurrency": args.overlap}
    with on_hub("making the schedule"):
        return (api.create_scheduled_job if "command" in call else api.create_scheduled_uv_job)(**call)


def synced_folder(api, volume, namespace: str):
    """The volume of a folder of this machine: a copy of it in the bucket NAMESPACE/jobs-artifacts."""
    if not isinstance(volume, str):
        return volume
    folder, mount = volume.removesuffix(":ro").removesuffix(":rw").rsplit(":", 1)
    with on_hub(f"copying {folder}"):
        return api.sync_job_volume(folder, mount, read_only=not volume.endswith(":rw"), namespace=namespace)


if __name__ == "__main__":
    sys.exit(run(main))
