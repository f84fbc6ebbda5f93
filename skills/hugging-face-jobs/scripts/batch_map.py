# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "datasets>=5.2,<6",
#   "pyarrow>=20,<30",
#   "jsonschema>=4.21,<5",
#   "tomli>=2,<3; python_version < '3.11'",
# ]
# ///
"""Map a dataset of the Hub through a function or a model, in shards over several jobs; nothing is lost or doubled.

The function gets a list of rows and gives a list as long: new columns of each row, None to leave it out, or a list of
such to make several. `--model` is a function that answers a column's prompts. What is done is kept in the private
bucket NAMESPACE/skillpack-maps as it comes, so the same command again starts jobs for the unfinished shards alone.

  COMMAND
    try     the function on the first rows, here, before anything costs
    run     start jobs for the shards that are neither done nor being worked on
    status  what is done, and why jobs failed
    merge   check that every row is there once, write Parquet, and push it if asked
    work    what a job runs

examples:
  python scripts/batch_map.py run org/rows --function clean.py:clean --shards 8 --jobs 4 --timeout 30m --yes --follow
  python scripts/batch_map.py merge clean --push-to clean-rows --yes
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

# region skillpack:rows
import contextlib
import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

ROW_FILES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
MAX_ROW_BYTES = 8_000_000  # a longer line is reported, not read: one such line can be a whole file without newlines
BATCH_ROWS = 2_000
#: Objects with keys of their own in each row. As an Arrow struct each would get the keys of all the others, as nulls.
FREE_FORM = frozenset({"arguments", "parameters", "tools", "properties", "input_schema", "json_schema"})
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@contextlib.contextmanager
def reading(source: str) -> Iterator[None]:
    """Turns what the Hub's client raises while `source` is read into a Failure; files of this machine cost nothing."""
    if Path(source).expanduser().exists():
        try:
            yield
        except PermissionError as error:
            raise Failure(f"{source}: {error.strerror}", "give a file that you may read", EXIT_USAGE) from None
        return
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client's own httpx

    try:
        yield
    except (HfHubHTTPError, FileNotFoundError, PermissionError) as error:
        raise Failure(
            f"{source}: {(str(error).splitlines() or ['not found'])[0][:300]}",
            "check the name, --config and --revision, and that the token may read it (`hf auth whoami`)",
            EXIT_USAGE,
        ) from None
    except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError is how hf_xet says that the network failed
        said = (str(error).splitlines() or [""])[0][:300]
        fix = "check the network and HF_ENDPOINT, then run the same command again"
        raise Failure(f"{source} cannot be read ({type(error).__name__}: {said})", fix) from None


def find_files(
    source: str, config: str | None = None, split: str | None = None, revision: str | None = None
) -> list[str]:
    """Paths or hf:// addresses of the files that hold the rows of `source`, in a fixed order.

    `source` is a file, a folder of such files, an hf:// pattern, or a dataset of the Hub, of which `config` and
    `split` choose the files as its card says. Raises Failure.
    """
    if source.startswith("hf://"):
        from huggingface_hub import HfFileSystem

        with reading(source):
            files = sorted("hf://" + name for name in HfFileSystem().glob(source) if name.endswith(ROW_FILES))
        return files or _no_rows(source, "check the address: hf://datasets/ORG/NAME/data/*.parquet")
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(
            str(each)
            for each in path.rglob("*")
            if each.suffix.lower() in ROW_FILES
            and not any(part.startswith(".") for part in each.relative_to(path).parts)
        )
        return files or _no_rows(source, f"put files of rows there: {', '.join(ROW_FILES)}")
    if path.is_file():
        return [str(path)] if path.suffix.lower() in ROW_FILES else _no_rows(source, f"give {', '.join(ROW_FILES)}")
    if path.suffix.lower() in ROW_FILES or not HUB_ID.fullmatch(source):
        raise Failure(f"no file or folder {source!r}", "give a path, a Hub id like org/name, or hf://…", EXIT_USAGE)
    return _files_of_dataset(source, config, split, revision)


def _no_rows(source: str, fix: str) -> list[str]:
    raise Failure(f"no files of rows in {source!r}", fix, EXIT_USAGE)


def _files_of_dataset(name: str, config: str | None, split: str | None, revision: str | None) -> list[str]:
    import datasets

    with reading(name):
        try:
            builder = datasets.load_dataset_builder(name, config, revision=revision)
        except ValueError as error:  # an unknown config; the message lists those there are
            raise FileNotFoundError(str(error)) from None
    splits = builder.config.data_files or {}
    chosen = split or (next(iter(splits)) if len(splits) == 1 else "train")
    if chosen not in splits:
        raise Failure(f"{name} has no split {chosen!r}", f"--split one of: {', '.join(map(str, splits))}", EXIT_USAGE)
    return sorted(map(str, splits[chosen]))


def open_file(path: str) -> BinaryIO:
    """`path`, on this machine or hf://, opened to read bytes."""
    if not path.startswith("hf://"):
        return open(path, "rb")  # noqa: PTH123 - the caller closes it
    from huggingface_hub import HfFileSystem

    return io.BufferedReader(HfFileSystem().open(path, "rb"), 1 << 20)


def read_rows(path: str, max_bytes: int = MAX_ROW_BYTES) -> Iterator[tuple[int, Any, str]]:
    """(line, row, problem) of each row: one of `row` and `problem` is empty. Lines of Parquet are numbers of rows.

    Raises Failure when nothing of the file can be read.
    """
    with reading(path), open_file(path) as file:
        suffix = Path(path).suffix.lower()
        if suffix == ".parquet":
            yield from _parquet_rows(path, file)
        elif suffix in (".csv", ".tsv"):
            yield from _csv_rows(path, file, "\t" if suffix == ".tsv" else ",", max_bytes)
        elif suffix == ".json" and _is_array(file):
            yield from _array_rows(path, file)
        else:
            yield from _json_lines(file, max_bytes)


def _is_array(file: BinaryIO) -> bool:
    """Whether a .json file is one list, as most are, and not an object a line."""
    start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    file.seek(0)
    return start.startswith(b"[")


def _json_lines(file: BinaryIO, max_bytes: int) -> Iterator[tuple[int, Any, str]]:
    number = 0
    while line := file.readline(max_bytes + 1):
        number += 1
        if len(line) > max_bytes:
            size = len(line)
            while not line.endswith(b"\n") and (line := file.readline(1 << 20)):
                size += len(line)
            yield number, None, f"{size / 1e6:.1f} MB, and --max-row-mb is {max_bytes / 1e6:g}"
        elif line.strip(b"\xef\xbb\xbf \t\r\n"):
            yield number, *parse_row(line)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def parse_row(line: bytes) -> tuple[Any, str]:
    """(row, "") or (None, why not) of a line of JSON."""
    try:
        row = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse)
        if b"\\ud" in line or b"\\uD" in line:
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        return None, f"not UTF-8 at byte {error.start}"
    except UnicodeEncodeError:
        return None, "text with half a surrogate pair, which is not Unicode"
    except RecursionError:
        return None, "nested too deeply"
    except ValueError as error:
        return None, f"not JSON: {error}"
    return (row, "") if isinstance(row, dict) else (None, f"a {type(row).__name__}, not an object")


def _array_rows(path: str, file: BinaryIO) -> Iterator[tuple[int, Any, str]]:
    try:
        rows = json.loads(file.read().decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path}: not JSON: {error}", "correct the file, or write one object a line (.jsonl)") from None
    for number, row in enumerate(rows, 1):
        yield (number, row, "") if isinstance(row, dict) else (number, None, f"a {type(row).__name__}, not an object")


def _csv_reader(file: BinaryIO, delimiter: str, max_bytes: int) -> Any:
    csv.field_size_limit(max_bytes)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    return text, reader


def _csv_rows(path: str, file: BinaryIO, delimiter: str, max_bytes: int) -> Iterator[tuple[int, Any, str]]:
    """Twice through the file: a column is of numbers or booleans when all its values are."""
    read: list[_CsvColumn] = []
    for final in (False, True):
        text, reader = _csv_reader(file, delimiter, max_bytes)
        try:
            header: list[str] = next(reader, [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise Failure(f"{path}:1: {error}", "save it as UTF-8 with a header line", EXIT_USAGE) from None
        if "" in header or len(set(header)) != len(header):
            raise Failure(f"{path}:1: the header has empty or equal names: {header}", "name each column", EXIT_USAGE)
        if len(header) == 1 and (other := next((sign for sign in ";\t|" if sign in header[0]), "")):
            problem = f"{path}:1: {header[0]!r} is one name: {other!r} stands between the columns, not {delimiter!r}"
            fix = f"save it with {delimiter!r}, or as .parquet (DuckDB, and so query_dataset.py export, reads it)"
            raise Failure(problem, fix, EXIT_USAGE)
        read = read or [_CsvColumn() for _ in header]
        while True:
            line = reader.line_num + 1
            try:
                values = next(reader, None)
            except csv.Error as error:
                if final:
                    yield line, None, f"not CSV: {error}"
                continue
            except UnicodeDecodeError:
                if final:
                    yield line, None, "not UTF-8 from here on; the rest of the file was not read"
                break
            if values is None:
                break
            if len(values) != len(header):
                if final and values:
                    yield line, None, f"{len(values)} fields, and the header has {len(header)}"
            elif final:
                yield line, {n: c.value(v) for n, c, v in zip(header, read, values, strict=True)}, ""
            else:
                for column, value in zip(read, values, strict=True):
                    column.look(value)
        text.detach()


BOOLEANS = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}


class _CsvColumn:
    """What the values of a column allow; 007 and 1e5 stay text, since they may be codes."""

    INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
    NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")

    def __init__(self) -> None:
        self.kinds = {"int", "float", "bool"}

    def look(self, value: str) -> None:
        if value and self.kinds:
            fits = {
                "int": self.INTEGER.fullmatch(value),
                "float": self.NUMBER.fullmatch(value),
                "bool": value in BOOLEANS,
            }
            self.kinds &= {kind for kind, fit in fits.items() if fit}

    def value(self, value: str) -> Any:
        if not value:
            return None
        if "int" in self.kinds:
            return int(value)
        if "float" in self.kinds:
            return float(value)
        return BOOLEANS[value] if "bool" in self.kinds else value


def open_parquet(path: str, file: BinaryIO) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file)
    except pa.ArrowException as error:
        raise Failure(f"{path}: not Parquet, or cut short: {error}", "write or download the file again") from None


def _parquet_rows(path: str, file: BinaryIO) -> Iterator[tuple[int, Any, str]]:
    import pyarrow as pa

    number = 0
    with open_parquet(path, file) as parquet:
        decoders = {field.name: decode for field in parquet.schema_arrow if (decode := _decoder(field.type))}
        try:
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield number, {n: decoders[n](v) if n in decoders else v for n, v in row.items()}, ""
        except (pa.ArrowException, OSError) as error:
            problem = f"{path}: damaged after row {number}: {error}"
            raise Failure(problem, "write or download the file again") from None


def _decoder(kind: Any) -> Any:
    """A function that makes a value of this Arrow type what it was as JSON, or None where it is that already.

    JSON text is parsed, and the nulls that a struct has for keys which a row did not have are left out.
    """
    import pyarrow as pa

    if isinstance(kind, pa.JsonType):
        return lambda value: None if value is None else json.loads(value)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _decoder(kind.value_type)
        return inner and (lambda value: None if value is None else [inner(each) for each in value])
    if pa.types.is_struct(kind):
        fields = {kind.field(i).name: _decoder(kind.field(i).type) for i in range(kind.num_fields)}

        def decode(value: dict[str, Any] | None) -> dict[str, Any] | None:
            if value is None:
                return None
            kept = {name: each for name, each in value.items() if each is not None or name == "content"}
            return {name: fields[name](each) if fields[name] else each for name, each in kept.items()}

        return decode
    return None


# Kinds of values: "null", "bool", "int", "float", "string", "json", ("list", kind), ("struct", {name: kind}).


def kind_of(value: Any, name: str = "") -> Any:
    """The kind of a JSON value."""
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(2**63) <= value < 2**63 else "json"
    if isinstance(value, float):
        return "float"
    if name in FREE_FORM or value == {}:
        return "json"
    if isinstance(value, list):
        inner: Any = "null"
        for each in value:
            inner = merged(inner, kind_of(each))
        return ("list", inner)
    if isinstance(value, dict):
        return ("struct", {key: kind_of(each, key) for key, each in value.items()})
    return type(value).__name__  # of Parquet: its own schema says how to write it


def merged(one: Any, other: Any) -> Any:
    """The kind that holds values of both; what no column can hold together is kept as JSON."""
    if one == other or other == "null":
        return one
    if one == "null":
        return other
    if {one, other} == {"int", "float"} if isinstance(one, str) and isinstance(other, str) else False:
        return "float"
    if isinstance(one, tuple) and isinstance(other, tuple) and one[0] == other[0]:
        if one[0] == "list":
            return ("list", merged(one[1], other[1]))
        names = {**one[1], **other[1]}
        return ("struct", {n: merged(one[1].get(n, "null"), other[1].get(n, "null")) for n in names})
    return "json"


def arrow_type(kind: Any, stored: bool = False) -> Any:
    """The Arrow type of a kind; `stored` gives JSON as plain text, from which it is cast."""
    import pyarrow as pa

    if isinstance(kind, tuple):
        if kind[0] == "list":
            return pa.list_(arrow_type(kind[1], stored))
        return pa.struct([(name, arrow_type(each, stored)) for name, each in kind[1].items()])
    plain = {"null": pa.string(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "string": pa.string()}
    return plain[kind] if kind in plain else pa.string() if stored else pa.json_()


def _stored(value: Any, kind: Any) -> Any:
    if value is None or isinstance(kind, str):
        return json.dumps(value, ensure_ascii=False) if kind == "json" and value is not None else value
    if kind[0] == "list":
        return [_stored(each, kind[1]) for each in value]
    return {name: _stored(value.get(name), each) for name, each in kind[1].items()}


def _has_json(kind: Any) -> bool:
    if isinstance(kind, tuple):
        return any(map(_has_json, [kind[1]] if kind[0] == "list" else kind[1].values()))
    return bool(kind == "json")


def kind_of_type(kind: Any) -> Any:
    """The kind of an Arrow type: the inverse of `arrow_type`."""
    import pyarrow as pa

    if isinstance(kind, pa.JsonType):
        return "json"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return ("list", kind_of_type(kind.value_type))
    if pa.types.is_struct(kind):
        return ("struct", {kind.field(i).name: kind_of_type(kind.field(i).type) for i in range(kind.num_fields)})
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int"
    if pa.types.is_floating(kind):
        return "float"
    return "string" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else str(kind)


def to_table(rows: list[Any], schema: Any) -> Any:
    """`rows` as an Arrow table of `schema`. Raises pyarrow.ArrowException for a value of another type."""
    import pyarrow as pa

    kinds = {field.name: kind_of_type(field.type) for field in schema}
    json_names = [name for name, kind in kinds.items() if _has_json(kind)]
    if not json_names:
        return pa.Table.from_pylist(rows, schema=schema)
    for name in json_names:
        rows = [{**row, name: _stored(row.get(name), kinds[name])} for row in rows]
    plain = pa.schema([f if f.name not in json_names else (f.name, arrow_type(kinds[f.name], True)) for f in schema])
    return pa.Table.from_pylist(rows, schema=plain).cast(schema)


def schema_of(kinds: dict[str, Any]) -> Any:
    """The Arrow schema of {column: kind}."""
    import pyarrow as pa

    return pa.schema([(name, arrow_type(kind)) for name, kind in kinds.items()])


def in_batches(rows: Iterable[Any], size: int = BATCH_ROWS) -> Iterator[list[Any]]:
    """Lists of `size` rows; the last may be shorter."""
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


# endregion skillpack:rows

import ast
import math

BUCKET, MOUNT, LABEL = "skillpack-maps", "/map", "skillpack-map"
EXIT_RUNNING = 5
COUNTED_FILES, COUNTED_BYTES = 50, 20_000_000  # more are not read for the card: Parquet's footers, whole other files
COUNT_SECONDS = 20  # between two looks into the bucket, which may hold many files
ANSWER = Path(__file__).resolve().parent.parent / "assets" / "batch_inference.py"
DIAGNOSES = with_next(
    {
        "oom": "a flavor with more memory, or fewer rows at once: --part-rows; then {again}",
        "disk": "a flavor with more storage (`hf jobs hardware`); then {again}",
        "columns": "python {script} try … shows the columns that the function gets; then {again}",
        "auth": "accept the terms of a gated repo, or hand the token on: --secret HF_TOKEN; then {again}",
        "import": "name the package in the function's PEP 723 header, or --with PACKAGE; then {again}",
        "hub": "{again}",
        "command": "look at the log: {logs}",
        "killed": "{again}; killed twice at the same place means memory: a larger flavor",
    }
)


def main(argv: list[str]) -> int:
    args = arguments(argv)
    return {"try": try_here, "run": run_jobs, "status": show_status, "merge": merge, "work": work}[args.command](args)


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.epilog = EXIT_CODES + f"  {EXIT_RUNNING}    run, status: shards are being worked on\n"
    commands = options.add_subparsers(dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for name in ("try", "run", "status", "merge", "work"):
        command = commands.add_parser(name, epilog=options.epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
        add = command.add_argument
        if name in ("try", "run"):
            add("data", metavar="DATA", help="dataset of the Hub")
            add("--config")
            add("--split", default="train", help="default: train")
            add("--revision", help="default: its head now, which is then kept")
            add("--function", metavar="FILE.py:NAME", help="what is done to the rows")
            add("--model", help="in place of --function: a model that answers each row's prompt")
            add("--prompt-column", default="prompt", help="for --model: text or messages (default: prompt)")
            add("--env", action="append", default=[], metavar="KEY=VALUE", help="for the function; part of what the "
                "map is, so a changed one begins anew")  # fmt: skip
        if name == "try":
            add("--rows", type=int, default=3, help="default: 3")
        if name == "run":
            add("--name", help="default: the function's")
            add("--shards", type=int, default=8, help="pieces that are done or not (default: 8)")
            add(
                "--jobs",
                type=int,
                default=2,
                help="at once, each works on several shards and is billed by minutes begun (default: 2)",
            )
            add("--part-rows", type=int, default=256, help="rows of a call, and all that a kill costs (default: 256)")
            add("--flavor", default="cpu-basic", help="by `hf jobs hardware` (default: cpu-basic)")
            add("--timeout", type=seconds_of, required=True, help="of each job, as 90m or 2h")
            add("--max-cost", type=float, metavar="USD", help="refuse when it can cost more")
            add("--rounds", type=int, default=1, help="with --follow: times that unfinished shards are started")
            add(
                "--secret",
                action="append",
                default=[],
                metavar="NAME",
                help="a variable that the jobs get; HF_TOKEN they get unasked where DATA is private or gated",
            )
            add("--with", action="append", default=[], dest="packages", metavar="PACKAGE")
            add("--image", help="container image that has uv")
            add("--follow", action="store_true", help="with --yes: stay until the jobs have ended")
            add("--yes", action="store_true", help="start them; without this only the card is shown")
        if name in ("status", "merge"):
            add("name", metavar="NAME", help="as `run` printed it; or NAME-KEY where there are several")
        if name == "merge":
            add("--push-to", metavar="REPO", help="a dataset of the Hub, private unless --public")
            add("--public", action="store_true")
            add("--yes", action="store_true", help="push; without this it is only written here")
        if name == "work":
            add("function", type=Path, help="file of the function")
            add("--map", type=Path, required=True, help="folder of the map")
            add("--only", required=True, help="shards, as 0,3,6")
        else:
            add("--namespace", help="user or organization that pays and keeps (default: the token's user)")
            add("--maps", type=Path, default=Path("maps"), help="folder of what is merged (default: maps)")
            add("--json", action="store_true", help="one JSON document on standard output")
    args = options.parse_args(argv)
    if args.command in ("try", "run") and bool(args.function) == bool(args.model):
        options.error("give --function FILE.py:NAME, or --model")
    if args.command == "try" and args.rows < 1:
        options.error("--rows counts from 1")
    if args.command == "run" and min(args.shards, args.jobs, args.part_rows, args.rounds) < 1:
        options.error("--shards, --jobs, --part-rows and --rounds count from 1")
    return args


# ---- what is mapped, and by what


def function_of(args) -> tuple[Path, str, dict]:
    """(file, name in it, environment) of the function. Raises Failure where the file does not define it."""
    env = {}
    for text in args.env:
        key, equals, value = text.partition("=")
        if not equals or SECRET.search(value):
            raise Failure(f"--env {key}", "give KEY=VALUE; a secret by --secret NAME", EXIT_USAGE)
        env[key] = value
    if args.model:
        return ANSWER, "answer", {"MODEL": args.model, "PROMPT_COLUMN": args.prompt_column, **env}
    file, _, name = args.function.rpartition(":")
    path = Path(file)
    if not file or not path.is_file():
        raise Failure(f"--function {args.function}", "give FILE.py:NAME of a file that is here", EXIT_USAGE)
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not UTF-8 text: {error.reason}", "save it as UTF-8", EXIT_USAGE) from None
    except SyntaxError as error:
        raise Failure(f"{path}:{error.lineno}: {error.msg}", "correct it", EXIT_USAGE) from None
    known = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if name not in known:
        raise Failure(f"{path} defines no function {name!r}", f"it defines {', '.join(known) or 'none'}", EXIT_USAGE)
    return path, name, env


def default_name(path: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", path.stem).strip("-_")[:60] or "map"


def load_function(path: Path, name: str):
    import importlib.util

    spec = importlib.util.spec_from_file_location("mapped", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mapped"] = module  # where dataclasses and pickles look for it
    spec.loader.exec_module(module)
    return getattr(module, name)


def results_of(function, rows: list[dict], first: int) -> list[dict]:
    """The rows that the function makes of `rows`. Raises Failure when it does not give one thing for each."""
    which = f"rows {first} to {first + len(rows) - 1}"
    try:
        given = function([dict(row) for row in rows])
    except Exception as error:  # noqa: BLE001  (it is the user's, and may raise anything)
        log(traceback.format_exc())
        fix = "catch what a bad row may raise, and return a column that says so"
        raise Failure(f"{which}: the function raised {type(error).__name__}: {error}", fix) from None
    if not isinstance(given, list) or len(given) != len(rows):
        size = len(given) if hasattr(given, "__len__") else type(given).__name__
        fix = "return a list as long as what it gets: new columns, None, or a list of new columns for each"
        raise Failure(f"{which}: the function gave {size}", fix, EXIT_USAGE)
    made = []
    for row, result in zip(rows, given, strict=True):
        for each in result if isinstance(result, list) else [result]:
            if not isinstance(each, dict | None):
                fix = "give a dict of new columns, None, or a list of such for each row"
                raise Failure(f"{which}: the function gave a {type(each).__name__} for a row", fix, EXIT_USAGE)
            if each is not None:
                made.append({**row, **each})
    return made


def try_here(args) -> int:
    path, name, env = function_of(args)
    os.environ.update(env)
    from datasets import load_dataset

    try:
        with on_hub(f"reading {args.data}"):
            stream = load_dataset(args.data, args.config, split=args.split, revision=args.revision, streaming=True)
            rows = list(stream.take(args.rows))
    except ValueError as error:
        raise Failure(f"reading {args.data}: {error}", "check --config and --split", EXIT_USAGE) from None
    made = results_of(load_function(path, name), rows, 0)
    text = json.dumps({"rows_in": len(rows), "rows": made}, indent=2, ensure_ascii=False, default=plain)
    say(text)
    return EXIT_OK


def plain(value) -> object:
    """Dates as text, NumPy's values as Python's. Raises Failure for what JSON cannot keep."""
    for change in ("isoformat", "tolist"):
        if hasattr(value, change):
            return getattr(value, change)()
    fix = "give text, numbers, lists or objects; upload images and sounds, and give their path"
    raise Failure(f"a column holds {type(value).__name__}, which these files cannot keep", fix, EXIT_USAGE)


# ---- a job's work


def work(args) -> int:
    """Does the shards of `--only`, part by part; a part that is there and whole is not done again."""
    spec = read_artifact(args.map / "map.json", "map")
    os.environ.update(spec["env"])
    from datasets import load_dataset

    source = spec["source"]
    rows = load_dataset(source["id"], source["config"], split=source["split"], revision=source["revision"])
    function = load_function(args.function, spec["function"])
    for shard in map(int, args.only.split(",")):
        work_shard(spec, function, rows, shard, args.map / f"shard-{shard:05d}")
    return EXIT_OK


def work_shard(spec: dict, function, rows, shard: int, folder: Path) -> None:
    if (folder / "done.json").is_file():
        log(f"shard {shard}: done before")
        return
    each, more = divmod(len(rows), spec["shards"])
    begin = each * shard + min(shard, more)  # as `Dataset.shard(contiguous=True)` cuts
    empty = begin >= len(rows)  # more shards than rows: `shard` raises an IndexError
    piece = [] if empty else rows.shard(num_shards=spec["shards"], index=shard, contiguous=True)
    size, written = spec["part_rows"], 0
    for start in range(0, len(piece), size):
        path = folder / f"part-{begin + start:09d}.jsonl"
        count = min(size, len(piece) - start)
        made = whole_part(path, begin + start, count)
        if made is None:
            made = results_of(function, piece.select(range(start, start + count)).to_list(), begin + start)
            head = {"first": begin + start, "rows": count, "written": len(made)}
            lines = [json.dumps(line, ensure_ascii=False, default=plain) for line in (head, *made)]
            write_atomic(path, "\n".join(lines) + "\n")
            log(f"shard {shard}: rows {begin + start} to {begin + start + count - 1} done")
        written += len(made)
    done = {"shard": shard, "first": begin, "rows": len(piece), "written": written, "total": len(rows)}
    write_atomic(folder / "done.json", json.dumps(done) + "\n")


def whole_part(path: Path, first: int, count: int) -> list[dict] | None:
    """The rows of a part, or None for one that is missing, torn or of other rows."""
    try:
        with path.open(encoding="utf-8") as lines:
            head, *made = map(json.loads, lines)
    except (OSError, ValueError):
        return None
    whole = isinstance(head, dict) and (head.get("first"), head.get("rows")) == (first, count)
    return made if whole and head.get("written") == len(made) else None


# ---- the jobs


def run_jobs(args) -> int:
    path, name, env = function_of(args)
    api, who = sign_in(write=args.yes)
    namespace = require_namespace(who, args.namespace)
    source, private = source_of(api, args)
    flavors, prices, live = read_flavors()
    flavor = next((each for each in flavors if each["name"] == args.flavor), None)
    if flavor is None:
        known = ", ".join(each["name"] for each in flavors)
        raise Failure(f"there is no flavor {args.flavor!r}", f"one of: {known}", EXIT_USAGE)
    secrets = secret_values(list(dict.fromkeys([*args.secret, *(["HF_TOKEN"] if private else [])])), api.token)
    spec = {
        "schema": "skillpack/map/1", "name": args.name or default_name(path), "source": source,
        "function": name, "shards": args.shards, "part_rows": args.part_rows, "env": env,
    }  # fmt: skip
    if not re.fullmatch(r"[\w-]{1,60}", spec["name"], re.ASCII):
        raise Failure(f"--name {spec['name']!r}", "letters of English, digits, '-' and '_', at most 60", EXIT_USAGE)
    spec["key"] = key_of([json.dumps(spec, sort_keys=True), path.read_text(encoding="utf-8")])
    prefix = f"{spec['name']}-{spec['key'][:8]}"
    state = state_of(api, namespace, prefix, spec)
    wanted = min(args.jobs - len(state["active"]), len(state["open"]))
    later = (args.rounds - 1) * min(args.jobs, args.shards - len(state["done"]))  # whatever the first round leaves
    at_most = math.ceil(args.timeout / 60) / 60 * flavor["usd_per_hour"] * (max(wanted, 0) + later)
    document = {**status_document(prefix, namespace, state), "at_most_usd": round(at_most, 4), "flavor": args.flavor,
                "secrets": sorted(secrets), "rows": None if args.yes else rows_in(source)}  # fmt: skip
    (log if args.json else say)(card(args, spec, flavor, prices, document, wanted, private))
    if args.max_cost is not None and not at_most <= args.max_cost:  # NaN, too, is a ceiling that nothing is below
        fix = "a shorter --timeout, fewer --jobs or a cheaper --flavor"
        most = money(at_most, at_most=True)
        raise Failure(f"it can cost {most}, and --max-cost is {money(args.max_cost)}", fix, EXIT_NO)
    if not args.yes and wanted < 1:  # not even a later round starts what nobody agreed to
        return answer_state(api, args, namespace, prefix, state)
    if not args.yes:
        log("nothing was started; to start it: the same command with --yes")
        if args.json:
            emit(document)
        return EXIT_UNCONFIRMED
    if wanted + later > 0 and not live:
        raise Failure("the prices are not those of now, so nothing was started", "run the same command again")
    for round_ in range(args.rounds if args.follow else 1):
        if round_ and not state["open"]:
            break
        with one_at_a_time(args.maps / f".{prefix}.lock"):
            start_jobs(api, args, namespace, prefix, spec, path, secrets)
        if args.follow:
            watch(api, namespace, prefix, spec)
        state = state_of(api, namespace, prefix, spec)
    return answer_state(api, args, namespace, prefix, state)


def source_of(api, args) -> tuple[dict, bool]:
    """(what is read, at a fixed revision; whether a job needs the token for it)."""
    if Path(args.data).exists():
        fix = f"`hf upload {Path(args.data).stem} {args.data} --repo-type dataset --private`, then give that id"
        raise Failure(f"{args.data} is on this machine, and a job cannot read it", fix, EXIT_USAGE)
    with on_hub(f"looking up the dataset {args.data}"):
        info = api.dataset_info(args.data, revision=args.revision)
    found = {"id": args.data, "config": args.config, "split": args.split, "revision": info.sha}
    return found, bool(info.private or info.gated)


def rows_in(source: dict) -> int | None:
    """Rows of the split, for the card; None where only a job can know. Raises Failure where there is no such split."""
    if not re.fullmatch(r"[\w.-]+", source["split"]) or source["split"] == "all":  # a slice or a sum of splits
        return None
    files, total = _files_of_dataset(source["id"], source["config"], source["split"], source["revision"]), 0
    if len(files) > COUNTED_FILES or not all(path.endswith(ROW_FILES) for path in files):
        return None
    for path in files:
        with reading(path), open_file(path) as file:
            if path.endswith(".parquet"):
                with open_parquet(path, file) as parquet:
                    total += parquet.metadata.num_rows
                continue
            if file.seek(0, os.SEEK_END) > COUNTED_BYTES:
                return None
        total += sum(1 for _, row, _ in read_rows(path) if row is not None)
    return total


def state_of(api, namespace: str, prefix: str, spec: dict) -> dict:
    """What is done by the bucket, and which jobs work on what by the list: {done, active, failed, open, jobs}."""
    from huggingface_hub.errors import BucketNotFoundError

    bucket = f"{namespace}/{BUCKET}"
    try:
        with on_hub(f"reading the bucket {bucket}", passing=(BucketNotFoundError,)):
            files = [entry.path for entry in api.list_bucket_tree(bucket, f"{prefix}/", recursive=True)]
    except BucketNotFoundError:
        files = []
    parts = [file.split("/") for file in files]
    done = {int(part[1][6:]) for part in parts if len(part) == 3 and part[2] == "done.json"}
    with on_hub("listing the jobs"):
        jobs = sorted(api.list_jobs(namespace=namespace, labels={LABEL: spec["key"]}), key=lambda job: job.created_at)
    active = [job for job in jobs if stage_of(job) in ACTIVE]
    taken = {shard for job in active for shard in shards_of(job)}
    return {
        "shards": spec["shards"], "done": sorted(done), "jobs": jobs, "active": active, "parts": len(parts),
        "open": [shard for shard in range(spec["shards"]) if shard not in done | taken],
    }  # fmt: skip


def shards_of(job) -> list[int]:
    """The shards that a job was given, by its own command."""
    words = job.command or []
    return [int(each) for each in words[words.index("--only") + 1].split(",")] if "--only" in words else []


def start_jobs(api, args, namespace: str, prefix: str, spec: dict, function: Path, secrets: dict) -> None:
    """Starts jobs for the shards that nobody works on, as many as are missing to --jobs."""
    from huggingface_hub import Volume

    bucket = f"{namespace}/{BUCKET}"
    state = state_of(api, namespace, prefix, spec)
    count = min(args.jobs - len(state["active"]), len(state["open"]))
    if count < 1:
        return
    prepare_bucket(api, bucket)
    with on_hub(f"writing the map to the bucket {bucket}"):
        api.batch_bucket_files(bucket, add=[(json.dumps(spec, indent=2).encode(), f"{prefix}/map.json")])
    needs = dependencies_of(function)
    for job in range(count):
        only = ",".join(map(str, state["open"][job::count]))
        with on_hub("submitting a job"):
            started = api.run_uv_job(
                str(Path(__file__).resolve()),
                script_args=["work", str(function), "--map", MOUNT, "--only", only],
                dependencies=[*needs, *args.packages] or None, image=args.image, flavor=args.flavor,
                timeout=args.timeout, namespace=namespace, name=spec["name"], secrets=secrets,
                labels={LABEL: spec["key"]}, env={"PYTHONUNBUFFERED": "1"},
                volumes=[Volume(type="bucket", source=bucket, path=prefix, mount_path=MOUNT, read_only=False)],
            )  # fmt: skip
        log(f"job {started.id}: shards {only}")


def dependencies_of(function: Path) -> list[str]:
    """What the function's PEP 723 header says that it imports."""
    try:
        import tomllib
    except ImportError:
        import tomli as tomllib
    text = function.read_text("utf-8").replace("\r\n", "\n")
    header = re.search(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", text)  # the pattern of PEP 723
    try:
        table = tomllib.loads(re.sub(r"(?m)^# ?", "", header["content"])) if header else {}
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"{function}: its header is not TOML: {error}", "correct it", EXIT_USAGE) from None
    return table.get("dependencies", [])


def watch(api, namespace: str, prefix: str, spec: dict) -> None:
    """Stays until no job of the map is active."""
    said, counted = "", 0.0

    def look() -> str:
        nonlocal said, counted
        with on_hub("listing the jobs"):
            jobs = api.list_jobs(namespace=namespace, labels={LABEL: spec["key"]}, status=list(ACTIVE))
            active = any(True for _ in jobs)
        if not active or time.monotonic() - counted > COUNT_SECONDS:
            counted = time.monotonic()
            state = state_of(api, namespace, prefix, spec)
            line = f"{len(state['done'])} of {spec['shards']} shards done, {len(state['active'])} jobs at work"
            if line != said:
                said = line
                log(line)
        return "RUNNING" if active else "COMPLETED"

    follow({}, look, lambda name, line: None, lambda stage: None)


def card(args, spec: dict, flavor: dict, prices: str, document: dict, wanted: int, private: bool) -> str:
    source, rows, kept = spec["source"], document["rows"], f"kept every {spec['part_rows']} rows"
    counted = [] if args.yes else ["  rows       not known before a job reads them"]
    if rows is not None:
        largest = -(-rows // spec["shards"])
        counted = [f"  rows       {rows:,}, {largest:,} in the largest shard"]
        kept = "each kept when it is done" if largest <= spec["part_rows"] else kept
    token = f" ({source['id']} is private or gated)" if private else ""
    rounds = f" x {args.rounds} rounds" if args.rounds > 1 else ""
    lines = [
        f"Map {document['name']}: {args.function or args.model} over {source['id']} ({source['split']}, revision "
        f"{source['revision'][:8]})",
        *counted,
        f"  shards     {len(document['done'])} of {spec['shards']} done, {len(document['open'])} to start, {kept}",
        f"  where      {max(wanted, 0)} x {flavor['name']}, {money(flavor['usd_per_hour'])} an hour each, paid by "
        f"{document['namespace']}",
        f"  prices     {prices}",
        f"  timeout    {clock(args.timeout)} a job",
        f"  cost       at most {money(document['at_most_usd'], at_most=True)} more "
        f"(price x timeout{rounds}; starting is billed too)",
        *([f"  secrets    {', '.join(document['secrets'])}{token}"] if document["secrets"] else []),
    ]
    return "\n".join(lines)


# ---- how far it is


def status_document(prefix: str, namespace: str, state: dict) -> dict:
    return {
        "name": prefix, "namespace": namespace, "shards": state["shards"],
        "done": state["done"], "open": state["open"],
        "jobs": [{"id": job.id, "stage": stage_of(job), "shards": shards_of(job)} for job in state["jobs"]],
    }  # fmt: skip


def answer_state(api, args, namespace: str, prefix: str, state: dict) -> int:
    """Prints how far a map is; the exit code is 0 once all of it is done."""
    document = status_document(prefix, namespace, state)
    with on_hub("reading the prices"):
        prices = {each.name: each.unit_cost_usd * 60 for each in api.list_jobs_hardware()}
    seconds = [(job.flavor, (job.durations.total_secs if job.durations else 0) or 0) for job in state["jobs"]]
    document["cost_usd"] = round(sum(usd_of(each, prices.get(flavor, 0)) for flavor, each in seconds), 4)
    failed = [job for job in state["jobs"] if stage_of(job) == "ERROR" and set(shards_of(job)) & set(state["open"])]
    document["diagnosis"] = diagnosis_of(api, failed[-1], namespace) if failed else None
    if len(state["done"]) == state["shards"]:
        document["next"] = this_script("merge", prefix, args)
    elif state["active"]:
        document["next"] = this_script("status", prefix, args)
    else:
        document["next"] = "the same `run` command again: it starts the unfinished shards alone"
    if args.json:
        emit(document)
    else:
        lines = [f"Map {prefix}: {len(state['done'])} of {state['shards']} shards done, {len(state['active'])} jobs at "
                 f"work, cost so far {money(document['cost_usd'])}"]  # fmt: skip
        lines += [f"  job {each['id']} {each['stage']}: shards {each['shards']}" for each in document["jobs"]]
        if found := document["diagnosis"]:
            lines += [f"Cause: {found['cause']}", f"  {found['evidence']}", f"  next: {found['next']}"]
        say("\n".join([*lines, f"next: {document['next']}"]))
    if len(state["done"]) == state["shards"]:
        return EXIT_OK
    return EXIT_RUNNING if state["active"] else EXIT_NO


def this_script(command: str, prefix: str, args) -> str:
    """The next command, by the words by which this script was called."""
    more = ["--namespace", args.namespace] if args.namespace else []
    more += ["--maps", str(args.maps)] if args.maps != Path("maps") else []
    return f"python {beside('batch_map.py')} {shlex.join([command, prefix, *more])}"


def diagnosis_of(api, job, namespace: str) -> dict:
    facts = {
        "again": "the same `run` command again",
        "script": beside("batch_map.py"),
        "logs": f"hf jobs logs {namespace}/{job.id}",
    }
    if timed_out(job.status.message, None, None):
        return {"kind": "timeout", "cause": "the job's timeout ended it", "evidence": job.status.message,
                "next": "a longer --timeout or more --jobs: what is done is kept"}  # fmt: skip
    return diagnosed(whole_log(api, job, namespace)[-LOG_LINES:], job.status.message, DIAGNOSES, facts)


def named_map(api, namespace: str, name: str) -> tuple[str, dict]:
    """(folder in the bucket, map.json) of a map by its name."""
    from huggingface_hub.errors import BucketNotFoundError

    bucket = f"{namespace}/{BUCKET}"
    try:
        with on_hub(f"reading the bucket {bucket}", passing=(BucketNotFoundError,)):
            files = [entry.path for entry in api.list_bucket_tree(bucket, recursive=True)]
    except BucketNotFoundError:
        raise Failure(f"{namespace} has no maps", "`run` makes one; check --namespace", EXIT_USAGE) from None
    found = sorted(file.partition("/")[0] for file in files if file.endswith("/map.json"))
    kept = [each for each in found if name in (each, each[:-9])]
    if len(kept) != 1:
        known = ", ".join(kept or found) or "none"
        raise Failure(f"{len(kept)} maps are named {name!r}", f"there are: {known}", EXIT_USAGE)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.json"
        with on_hub("reading the map"):
            api.download_bucket_files(bucket, [(f"{kept[0]}/map.json", path)])
        return kept[0], read_artifact(path, "map")


def show_status(args) -> int:
    api, who = sign_in(write=False)
    namespace = args.namespace or who["name"]
    prefix, spec = named_map(api, namespace, args.name)
    return answer_state(api, args, namespace, prefix, state_of(api, namespace, prefix, spec))


# ---- the whole


def merge(args) -> int:
    api, who = sign_in(write=bool(args.push_to and args.yes))
    namespace = args.namespace or who["name"]
    prefix, spec = named_map(api, namespace, args.name)
    state = state_of(api, namespace, prefix, spec)
    if len(state["done"]) < spec["shards"]:
        missing = [shard for shard in range(spec["shards"]) if shard not in state["done"]]
        fix = "wait for its jobs (status), or run the same `run` command again"
        raise Failure(f"{len(missing)} of {spec['shards']} shards are not done: {missing[:20]}", fix, EXIT_NO)
    folder = args.maps / prefix
    fetch(api, f"{namespace}/{BUCKET}", prefix, folder / "parts")
    shards = [checked_shard(folder / "parts", shard) for shard in range(spec["shards"])]
    total = sum(done["rows"] for done, _ in shards)
    begins = [done["first"] for done, _ in shards]
    if begins != [sum(done["rows"] for done, _ in shards[:index]) for index in range(len(shards))] or any(
        done["total"] != total for done, _ in shards
    ):
        raise Failure("the shards are not one dataset", f"remove {prefix} from the bucket, and run again")
    written = write_parquet(folder / "data", spec["source"]["split"], [files for _, files in shards])
    document = {
        "name": prefix, "rows_in": total, "rows": written,
        "folder": str(folder / "data"), "pushed": None, "left": what_is_left(args, namespace, prefix),
    }  # fmt: skip
    (log if args.json else say)(f"{total} rows read, {written} written to {folder / 'data'}; each once")
    if args.push_to:
        repo = full_id(who, args.push_to)
        if not args.yes:
            log(f"not pushed; to push to {repo} ({'public' if args.public else 'private'}): with --yes")
            if args.json:
                emit(document)
            return EXIT_UNCONFIRMED
        document["pushed"] = push(api, repo, folder, spec, args.public)
    log("\n  ".join(["to remove what the map has left, once nobody needs it:", *document["left"]]))
    if args.json:
        emit(document)
    return EXIT_OK


def what_is_left(args, namespace: str, prefix: str) -> list[str]:
    """Commands that remove what a merged map has left here and in its bucket; the merged rows stay."""
    here = [args.maps / prefix / "parts", args.maps / f".{prefix}.lock"]
    return [
        f"hf buckets rm {namespace}/{BUCKET}/{prefix}/ --recursive --yes",
        shlex.join(["rm", "-rf", *map(str, here)]),
    ]


def fetch(api, bucket: str, prefix: str, target: Path) -> None:
    """The map's files in `target`; those that are there in their size are not fetched again."""
    with on_hub(f"reading the bucket {bucket}"):
        entries = [each for each in api.list_bucket_tree(bucket, f"{prefix}/", recursive=True) if each.type == "file"]
    wanted = []
    for entry in entries:
        path = target / entry.path.removeprefix(f"{prefix}/")
        if ".." in path.parts:
            raise Failure(f"the bucket has a file {entry.path!r}", "look at the bucket: a job wrote it")
        if not path.is_file() or path.stat().st_size != entry.size:
            path.parent.mkdir(parents=True, exist_ok=True)
            wanted.append((entry, path))
    with on_hub(f"fetching {len(wanted)} files of the map"):
        api.download_bucket_files(bucket, wanted)


def checked_shard(parts: Path, shard: int) -> tuple[dict, list[Path]]:
    """(done.json, its parts in order). Raises Failure unless they hold each row of the shard once."""
    folder = parts / f"shard-{shard:05d}"
    done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
    files, at, written = sorted(folder.glob("part-*.jsonl")), done["first"], 0
    for file in files:
        with file.open(encoding="utf-8") as lines:
            head = json.loads(next(lines, "{}"))
            count = sum(1 for _ in lines)
        if head.get("first") != at or head.get("written") != count:
            raise Failure(f"{file.name} of shard {shard} does not follow on row {at - 1}",
                          f"remove shard-{shard:05d} from the bucket, and run again: it is done anew")  # fmt: skip
        at, written = at + head["rows"], written + count
    if at != done["first"] + done["rows"] or written != done["written"]:
        fix = f"remove shard-{shard:05d} from the bucket, and run again: it is done anew"
        raise Failure(f"shard {shard} has rows to {at - 1} of {done['first'] + done['rows'] - 1}", fix)
    return done, files


def part_rows(files: list[Path]) -> Iterator[dict]:
    for file in files:
        with file.open(encoding="utf-8") as lines:
            next(lines)
            yield from map(json.loads, lines)


def write_parquet(folder: Path, split: str, shards: list[list[Path]]) -> int:
    """One Parquet file a shard, all of one schema; the number of rows."""
    import pyarrow.parquet as pq

    kinds: dict = {}
    for files in shards:
        for row in part_rows(files):
            for name, value in row.items():
                kinds[name] = merged(kinds.get(name, "null"), kind_of(value, name))
    schema, total = schema_of(kinds), 0
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.parquet"):
        old.unlink()
    for index, files in enumerate(shards):
        path = folder / f"{split}-{index:05d}-of-{len(shards):05d}.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for rows in in_batches(part_rows(files)):
                writer.write_table(to_table(rows, schema))
                total += len(rows)
    return total


def push(api, repo: str, folder: Path, spec: dict, public: bool) -> str:
    """Uploads the merged rows and a card that says how they were made; the commit's page."""
    source = spec["source"]
    with on_hub(f"pushing to {repo}"):
        api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
        if not public and not api.repo_info(repo, repo_type="dataset").private:
            raise Failure(f"{repo} is public", "name another, or say --public", EXIT_USAGE)
        if not api.file_exists(repo, "README.md", repo_type="dataset"):
            how = f"`{spec['function']}`" + (f" with {spec['env']['MODEL']}" if "MODEL" in spec["env"] else "")
            text = (
                f"---\ntags: [skillpack]\n---\n\n# {repo.rpartition('/')[2]}\n\nMade from `{source['id']}` "
                f"({source['split']}, revision {source['revision']}) by mapping its rows through {how}.\n"
            )
            write_atomic(folder / "README.md", text)
            api.upload_file(path_or_fileobj=folder / "README.md", path_in_repo="README.md", repo_id=repo,
                            repo_type="dataset")  # fmt: skip
        done = api.upload_folder(
            repo_id=repo, repo_type="dataset", folder_path=folder / "data", path_in_repo="data",
            allow_patterns="*.parquet", delete_patterns=f"{source['split']}-*.parquet",
        )  # fmt: skip
    log(f"pushed to {repo}")
    return str(done.commit_url)


if __name__ == "__main__":
    sys.exit(run(main))
