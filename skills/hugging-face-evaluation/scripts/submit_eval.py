# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "datasets>=5.2,<6",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""run_eval.py as a job on Hugging Face Jobs: what it needs and can cost at most, and after --yes the job itself.

NAME is of the result; what follows `--` are the arguments of run_eval.py (not --out, not --endpoint). The rows are read
here first, so that a wrong column costs nothing. A GPU is chosen by price among those that hold the model, unless
--flavor says which; --timeout ends the job, so it caps the cost, and --max-cost refuses above a sum.

The same command again finds the same job, which is written down in evals/NAME.job.json. The result lies in the private
bucket NAMESPACE/skillpack-evals, where a second job of the same NAME and arguments continues; --fetch brings it to
evals/NAME.

examples:
  python scripts/submit_eval.py mine-gsm8k --timeout 1h --max-cost 3 -- me/mine --task gsm8k --chat --limit 500
  python scripts/submit_eval.py mine-gsm8k --fetch
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

import subprocess

BUCKET, MOUNT, LABEL, NAME_LABEL = "skillpack-evals", "/evals", "skillpack-eval", "skillpack-eval-name"
LM_EVAL = "lm-eval==0.4.13"
BYTES = {"gpu": 2, "cpu": 4}  # of a parameter, in the dtype that run_eval.py takes there
MARGIN, BESIDE_GB = 1.2, 2.0  # rule of thumb, not measured: cache of one batch, logits, the libraries themselves


def main(argv: list[str]) -> int:
    args = arguments(argv)
    api, who = sign_in()
    namespace = require_namespace(who, args.namespace)
    if args.fetch:
        return fetch(api, namespace, args)
    check_arguments(args)
    document = plan(api, namespace, args)
    (log if args.json else say)(card(document))
    most = document["at_most_usd"]
    if args.max_cost is not None and not most <= args.max_cost:  # nothing is below NaN
        raise Failure(f"it can cost {money(most, at_most=True)}, and --max-cost is {money(args.max_cost)}",
                      "a shorter --timeout, a cheaper --flavor, or a --limit for run_eval.py", EXIT_NO)  # fmt: skip
    path = Path("evals") / f"{args.name}.job.json"
    label = {LABEL: document["label"]}
    before = read_artifact(path, "eval-submission") if path.is_file() else None
    if not args.yes and not known_jobs(api, document, before, label):
        if args.json:
            emit(document)
        raise Failure("nothing was started", "after the user agrees, the same command with --yes", EXIT_UNCONFIRMED)
    with one_at_a_time(path.with_name(f".{args.name}.lock")):
        before = read_artifact(path, "eval-submission") if path.is_file() else None
        if jobs := known_jobs(api, document, before, label):
            log(f"this was submitted before: {jobs[0].id} is {stage_of(jobs[0])}")
        else:
            prepare_bucket(api, document["bucket"])
            jobs = submit(api, document, [call_of(api, document)], path, label)
        (job,) = jobs
        document |= {"state": "submitted", "jobs": [{"id": job.id, "url": job.url, "stage": stage_of(job)}]}
        write_artifact(path, document)
    if args.json:
        emit(document)
    else:
        say(f"Job {job.id}: {job.url}\nnext: python {beside('submit_eval.py')} {args.name} --fetch")
    return EXIT_OK


def arguments(argv: list[str]) -> argparse.Namespace:
    own, passed = (argv[: argv.index("--")], argv[argv.index("--") + 1 :]) if "--" in argv else (argv, [])
    options = parser(__doc__)
    options.add_argument("name", help="of the result: evals/NAME")
    options.add_argument("--flavor", help="hardware (default: the cheapest single GPU that holds the model)")
    options.add_argument(
        "--timeout", type=seconds_of, default=3600, help="as 90m or 2h; the job ends then (default: 1h)"
    )
    options.add_argument("--max-cost", type=float, metavar="USD", help="refuse when it can cost more than this")
    options.add_argument("--namespace", help="user or organization that pays (default: the token's user)")
    options.add_argument("--fetch", action="store_true", help="bring the result here; exit 1 when the job failed")
    options.add_argument("--yes", action="store_true", help="start it; without this only the plan is shown")
    options.add_argument("--json", action="store_true", help="print the plan or the state as JSON")
    args = options.parse_args(own)
    args.passed = passed
    if not re.fullmatch(r"\w[\w.-]{0,79}", args.name):
        options.error("NAME is of letters, digits, '.', '-' and '_'")
    if bool(passed) == args.fetch:
        options.error("give the arguments of run_eval.py behind --" if not passed else "--fetch takes no arguments")
    for flag in ("--out", "--endpoint", "--judge-url", "--device", "--json"):
        if any(word == flag or word.startswith(f"{flag}=") for word in passed):
            options.error(f"{flag} is not for a job" + (": a server is asked from here" if "url" in flag else ""))
    return args


def evaluator() -> Path:
    return Path(__file__).resolve().parent / "run_eval.py"


def check_arguments(args) -> None:
    """Raises Failure for what run_eval.py would refuse: arguments, columns, answers. No model is loaded for that."""
    done = subprocess.run([sys.executable, str(evaluator()), *args.passed, "--check"], capture_output=True, text=True,
                          check=False)  # fmt: skip
    if done.returncode:
        raise Failure(f"run_eval.py refuses these arguments:\n{done.stderr.strip()}", "correct them", EXIT_USAGE)
    model = args.passed[0]
    if model.startswith("-") or Path(model).exists():
        raise Failure("the first argument behind -- is a model of the Hub", "a job cannot read a folder of this "
                      f"machine: `hf upload {args.name}-model {model} --private` first", EXIT_USAGE)  # fmt: skip


# ---- the plan


def plan(api, namespace: str, args) -> dict:
    """What the job runs on and can cost. Raises Failure where the model fits nowhere or the flavor does not exist."""
    parameters = parameters_of(api, args.passed[0])
    with on_hub("reading the prices"):
        listed, prices = live_flavors()
    flavors = {flavor["name"]: flavor for flavor in listed}
    need = {kind: parameters * size * MARGIN / 1e9 + BESIDE_GB for kind, size in BYTES.items()}
    if args.flavor and args.flavor not in flavors:
        raise Failure(f"there is no flavor {args.flavor!r}", f"one of: {', '.join(flavors)}", EXIT_USAGE)
    fitting = [flavor for flavor in listed if flavor["gpus"] == 1 and memory_of(flavor) >= need["gpu"]]
    cheapest = min(fitting, key=lambda flavor: flavor["usd_per_hour"], default=None)
    chosen = flavors[args.flavor] if args.flavor else cheapest
    if chosen is None:
        raise Failure(f"no single GPU has the {need['gpu']:.0f} GB that {args.passed[0]} needs",
                      "evaluate it on a server: run_eval.py --endpoint", EXIT_NO)  # fmt: skip
    kind = "gpu" if chosen["gpu"] else "cpu"
    if memory_of(chosen) < need[kind]:
        problem = f"{chosen['name']} has {memory_of(chosen):g} GB, and {args.passed[0]} needs about {need[kind]:.0f}"
        raise Failure(problem, f"--flavor {cheapest['name']}" if cheapest else "use a server", EXIT_NO)
    files = sorted({word for word in args.passed if Path(word).is_file()})
    said = [args.name, json.dumps(args.passed), chosen["name"], str(args.timeout), evaluator().read_text("utf-8"),
            *(Path(file).read_bytes().hex() for file in files)]  # fmt: skip
    return {
        "schema": "skillpack/eval-submission/1", "state": "planned",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "name": args.name, "model": args.passed[0], "arguments": args.passed, "files": files, "namespace": namespace,
        "parameters": parameters, "memory_needed_gb": round(need[kind], 1), "flavor": chosen["name"],
        "memory_gb": memory_of(chosen), "usd_per_hour": chosen["usd_per_hour"], "prices_from": prices,
        "timeout_seconds": args.timeout, "at_most_usd": round(args.timeout / 3600 * chosen["usd_per_hour"], 4),
        "bucket": f"{namespace}/{BUCKET}", "label": key_of(said), "jobs": [],
    }  # fmt: skip


def parameters_of(api, model: str) -> int:
    """Parameters by the files' own headers; of an adapter, with its base."""
    from huggingface_hub.errors import NotASafetensorsRepoError

    with on_hub(f"reading {model}"):
        files = api.list_repo_files(model)
        base = None
        if "adapter_config.json" in files:
            config = Path(api.hf_hub_download(model, "adapter_config.json"))
            base = json.loads(config.read_text(encoding="utf-8"))["base_model_name_or_path"]
        try:
            return sum(api.get_safetensors_metadata(base or model).parameter_count.values())
        except NotASafetensorsRepoError:
            raise Failure(f"{base or model} has no safetensors", "its size is not known here; evaluate it on a machine "
                          "of yours", EXIT_USAGE) from None  # fmt: skip


def memory_of(flavor: dict) -> float:
    """GB that a model may use: of the accelerators, or of the machine where there is none."""
    return flavor["gpu_memory_gb"] * flavor["gpus"] if flavor["gpu"] else flavor["ram_gb"]


def card(document: dict) -> str:
    files = f"\n  files      {', '.join(document['files'])} go to the job" if document["files"] else ""
    return (
        f"Evaluation {document['name']}: run_eval.py {' '.join(document['arguments'])}\n"
        f"  model      {document['parameters'] / 1e6:,.1f} M parameters, about {document['memory_needed_gb']} GB\n"
        f"  hardware   {document['flavor']}, {document['memory_gb']:g} GB, {money(document['usd_per_hour'])} an hour\n"
        f"  prices     {document['prices_from']}\n"
        f"  timeout    {clock(document['timeout_seconds'])}; it can cost at most "
        f"{money(document['at_most_usd'], at_most=True)}, paid by {document['namespace']}{files}"
    )


# ---- the job


def call_of(api, document: dict) -> dict:
    """The arguments of `run_uv_job`."""
    from huggingface_hub import Volume

    return {
        "script": str(evaluator()), "script_args": [*document["arguments"], "--out", f"{MOUNT}/{document['name']}"],
        "dependencies": [LM_EVAL] if "--task" in document["arguments"] else None, "flavor": document["flavor"],
        "timeout": document["timeout_seconds"], "namespace": document["namespace"],
        "name": f"eval-{document['name']}"[:63], "secrets": secret_values(["HF_TOKEN"], api.token),
        "labels": {LABEL: document["label"], NAME_LABEL: document["name"]}, "env": {"PYTHONUNBUFFERED": "1"},
        "volumes": [Volume(type="bucket", source=document["bucket"], mount_path=MOUNT, read_only=False)],
    }  # fmt: skip


def fetch(api, namespace: str, args) -> int:
    """Brings evals/NAME here once the newest job of that name has ended, and says how it ended."""
    with on_hub("looking for the job"):
        jobs = sorted(api.list_jobs(namespace=namespace, labels={NAME_LABEL: args.name}),
                      key=lambda job: job.created_at)  # fmt: skip
    if not jobs:
        raise Failure(
            f"{namespace} has no job of an evaluation {args.name!r}", "check NAME and --namespace", EXIT_USAGE
        )
    job = jobs[-1]
    stage = stage_of(job)
    if stage in ACTIVE:
        raise Failure(f"job {job.id} is {stage}", f"wait, or read its log: hf jobs logs {namespace}/{job.id}")
    files = fetched_files(api, f"{namespace}/{BUCKET}", args.name)
    document = {"name": args.name, "job": job.id, "stage": stage, "files": [str(path) for path in files]}
    if stage != "COMPLETED":
        with on_hub("reading the job's log"):
            document["log"] = [redact(line) for line in api.fetch_job_logs(job_id=job.id, namespace=namespace)][-15:]
    if args.json:
        emit(document)
    else:
        say("\n".join([f"job {job.id}: {stage}", *document["files"], *document.get("log", [])]))
    if stage != "COMPLETED":
        log(f"the job ended as {stage} ({job.status.message or 'no message'}); submitted again, it continues")
        return EXIT_NO
    return EXIT_OK


def fetched_files(api, bucket: str, name: str) -> list[Path]:
    """The files of evals/NAME of the bucket, downloaded here beside each other and moved in at the end."""
    prefix = f"{name}/"
    with on_hub(f"reading the bucket {bucket}"):
        entries = [entry.path for entry in api.list_bucket_tree(bucket, prefix, recursive=True) if entry.type == "file"]
        wanted = [(entry, Path("evals") / entry) for entry in entries]
        if any(".." in path.parts or path.is_absolute() for _, path in wanted):
            raise Failure(f"the bucket {bucket} has a file that climbs out of its folder", "look at it: a job wrote it")
        part = f".part-{time.time_ns()}"
        api.download_bucket_files(bucket, [(entry, path.with_name(path.name + part)) for entry, path in wanted])
    for _, path in wanted:
        path.with_name(path.name + part).replace(path)
    return [path for _, path in wanted]


if __name__ == "__main__":
    sys.exit(run(main))
