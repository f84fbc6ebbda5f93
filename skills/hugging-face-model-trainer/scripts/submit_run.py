# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Start the run of a plan, on Hugging Face Jobs or here: shows what it may cost, and starts nothing without --yes.

The same plan submitted again finds its job instead of starting another; after a failed, canceled or timed-out
job it starts the next one, which continues from the checkpoints. Writes runs/NAME/submission.json.

examples:
  python scripts/submit_run.py --plan plan.json
  python scripts/submit_run.py --plan plan.json --max-cost 5 --yes
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

import math
import shutil
import subprocess

BUCKET = "skillpack-runs"  # private; holds checkpoints, log, run.json and model of every run of the namespace
MOUNT = "/runs"
MODEL_MOUNT = "/model"  # what an earlier run's job left, where the plan goes on from it
LABEL = "skillpack-run"
LOCAL_FORMATS = (".jsonl", ".json", ".csv", ".parquet")


def require_inputs(api, plan: dict) -> None:
    """Raises Failure unless a job can read the plan's model and dataset from the Hub."""
    model, source = plan["model"], plan["dataset"]["source"]
    name = plan["name"]
    if is_local(model["id"]) and not model.get("bucket"):
        raise Failure(
            f"the model {model['id']!r} is a folder on this machine, and a job cannot read it",
            f"`hf upload {name}-base {shlex.quote(model['id'])} --private`, then plan again with that id as --model",
            EXIT_USAGE,
        )
    if is_local(source["id"]):
        raise Failure(
            f"the dataset {source['id']!r} is on this machine, and a job cannot read it",
            f"`hf upload {name}-rows {shlex.quote(source['id'])} --repo-type dataset --private`, then inspect that id "
            "and plan again",
            EXIT_USAGE,
        )
    read = [("model", part["id"], part.get("revision")) for part in (model, model.get("base")) if part]
    if model.get("bucket"):
        require_in_bucket(api, **model["bucket"])
        read = read[1:]
    for kind, repo, revision in [*read, ("dataset", source["id"], source.get("revision"))]:
        if kind == "model" and is_local(repo):
            raise Failure(f"the adapter's base {repo!r} is on this machine", "train both stages as jobs", EXIT_USAGE)
        require_readable(api, kind, repo, revision)


def require_in_bucket(api, id: str, path: str) -> None:
    """Raises Failure unless the model of an earlier run's job is still in the bucket `id` at `path`."""
    with on_hub(f"looking up {path} in the bucket {id}"):
        files = list(api.list_bucket_tree(id, prefix=path, recursive=True))
    if not files:
        raise Failure(f"the bucket {id} has no {path}", "push the earlier model, and plan with its id", EXIT_USAGE)


def is_local(name: str) -> bool:
    return Path(name).suffix in LOCAL_FORMATS or name.startswith((".", "/", "~")) or Path(name).expanduser().exists()


def require_readable(api, kind: str, repo: str, revision: str | None) -> None:
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.utils import validate_repo_id

    known = (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError, HFValidationError)
    try:
        validate_repo_id(repo)
        with on_hub(f"looking up the {kind} {repo}", passing=known):
            api.auth_check(repo, repo_type=kind)
            api.repo_info(repo, repo_type=kind, revision=revision)
    except GatedRepoError:
        page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repo}"
        raise Failure(f"the {kind} {repo} is gated", f"accept its terms at {page}, then run this again") from None
    except RepositoryNotFoundError:
        raise Failure(
            f"the {kind} {repo} does not exist, or is private and this token may not read it",
            "check the id; for a private one use a token of its owner or organization",
            EXIT_USAGE,
        ) from None
    except RevisionNotFoundError:
        raise Failure(f"the {kind} {repo} has no revision {revision!r}", "plan again", EXIT_USAGE) from None
    except HFValidationError as error:
        raise Failure(f"the {kind}'s id {repo!r} cannot be: {error}", "correct it and plan again", EXIT_USAGE) from None


def timeout_of(plan: dict, asked: int | None) -> int:
    """Seconds after which the job is killed: as asked, else the plan's, else twice its slowest estimate."""
    if asked:
        return asked
    for part in (plan["hardware"], plan["estimate"]):
        if part.get("timeout_seconds"):
            return math.ceil(part["timeout_seconds"])
    return max(1800, math.ceil(2 * plan["estimate"]["train_seconds_range"][1] + 900))


def choose_flavor(api, plan: dict, asked: str | None):
    """The flavor as the Hub lists it now, price included. Raises Failure when it is unknown or does not fit."""
    hardware = plan["hardware"]
    name = asked or hardware.get("flavor")
    if not name or (hardware["where"] == "local" and not asked):
        raise Failure(
            f"the plan is for this machine ({hardware.get('name', hardware['device'])}), not for a job",
            "plan again with --where hf-jobs, or use --backend local",
            EXIT_USAGE,
        )
    with on_hub("reading the prices"):
        flavors = {flavor.name: flavor for flavor in api.list_jobs_hardware()}
    if name not in flavors:
        raise Failure(f"there is no flavor {name!r}", f"one of: {', '.join(flavors)}", EXIT_USAGE)
    if (hardware["device"] == "cuda") != bool(flavors[name].accelerator):
        raise Failure(
            f"the plan trains on {hardware['device']}, and {name} has "
            f"{flavors[name].accelerator.model if flavors[name].accelerator else 'no GPU'}",
            "plan again for that flavor",
            EXIT_USAGE,
        )
    quantity = int(flavors[name].accelerator.quantity) if flavors[name].accelerator else 1
    if quantity != int(hardware.get("gpus") or 1):
        raise Failure(
            f"the plan is for {hardware.get('gpus') or 1} GPU, and {name} has {quantity}",
            f"plan again with --flavor {name}",
            EXIT_USAGE,
        )
    return flavors[name]


def training_script(plan: dict) -> Path:
    path = Path(__file__).resolve().parent / f"train_{plan['method']}.py"
    if not path.is_file():
        raise Failure(f"there is no training script for {plan['method']}", f"it would be {path.name}", EXIT_USAGE)
    return path


def run_label(plan: dict, script: Path, flavor: str, timeout: int) -> str:
    """What makes two submissions the same: what is trained, by which code, on what, for how long."""
    keys = [key for key in ("name", "method", "model", "dataset", "settings", "push") if key in plan]
    said = [json.dumps([plan[key] for key in keys], sort_keys=True), script.read_text("utf-8"), flavor, str(timeout)]
    said += [Path(path).read_text("utf-8") for path in reward_files(plan)]
    return key_of(said)


def nodes_of(plan: dict) -> int:
    return int(plan["hardware"].get("nodes") or 1)


def program(plan: dict, script: Path, arguments: list[str]) -> dict:
    """What `run_uv_job` gets: {script, script_args, dependencies}.

    One process runs the script itself. More need the plan's launcher, whose variables a shell fills in; the script
    and the plan stay arguments of their own, since only such files are uploaded.
    """
    hardware = plan["hardware"]
    if int(hardware.get("gpus") or 1) * nodes_of(plan) == 1:
        return {"script": str(script), "script_args": arguments, "dependencies": None}
    words = plan.get("launch", {}).get("command", [])
    launcher = words[: words.index(script.name)] if script.name in words else []
    if not launcher or not all(re.fullmatch(r"[\w.,:=/${}-]+", word) for word in launcher):
        raise Failure(
            f"the plan is for several processes, and its launch.command does not say how to start {script.name}",
            "make the plan again with this version's plan_run.py",
            EXIT_USAGE,
        )
    header = re.search(r"^# dependencies = \[\n(.*?)^# \]", script.read_text("utf-8"), re.M | re.S)
    return {
        "script": "sh",
        "script_args": ["-c", " ".join(["exec", *launcher]) + ' "$0" "$@"', str(script), *arguments],
        "dependencies": re.findall(r'"([^"]+)"', header[1]) if header else None,
    }


def passed_on(plan: dict, args) -> list:
    """The arguments that the training script gets too; this script's own --yes confirms what the card shows."""
    files = [part for path in reward_files(plan) for part in ("--reward-file", path)]
    return [*files, *(["--finish"] if args.finish else []), *(["--yes"] if plan.get("push") else [])]


def reward_files(plan: dict) -> list[str]:
    """The files of the plan's own rewards, which travel to a job as arguments. Raises Failure for a missing one."""
    named = (name.rpartition(":")[0] for name in plan["settings"].get("rewards", []))
    files = sorted({path for path in named if path.endswith(".py")})
    if missing := [path for path in files if not Path(path).is_file()]:
        raise Failure(f"no file {missing[0]}, a reward of the plan", "run this where the plan was made", EXIT_USAGE)
    return files


def calls_of(plan: dict, document: dict, args, script: Path, flavor: str, secrets: dict) -> list[dict]:
    """The arguments of `run_uv_job`, one dict a node."""
    from huggingface_hub import Volume

    labels = dict(label.split("=", 1) for label in args.label)
    out = f"{MOUNT}/{document['bucket_folder']}"
    calls = []
    for node in range(document["nodes"]):
        call = {
            **program(plan, script, ["--plan", str(args.plan), "--out", out, *passed_on(plan, args)]),
            "flavor": flavor,
            "timeout": document["timeout_seconds"],
            "attempts": document["attempts"],
            "namespace": document["namespace"],
            "name": document["name"],
            "labels": {**labels, LABEL: document["label"], NODE_LABEL: str(node)},
            "env": {"PYTHONUNBUFFERED": "1", **plan.get("launch", {}).get("environment", {})},
            "secrets": secrets,
            "volumes": [Volume(type="bucket", source=document["bucket"], mount_path=MOUNT, read_only=False)],
        }
        if earlier := plan["model"].get("bucket"):
            there = {"type": "bucket", "source": earlier["id"], "path": earlier["path"], "mount_path": MODEL_MOUNT}
            call["volumes"].append(Volume(**there, read_only=True))
            call["env"]["SKILLPACK_MODEL"] = MODEL_MOUNT
        if document["nodes"] > 1:
            call["env"]["NODE_RANK"] = str(node)
            call["network_group"] = f"run-{document['label'][:24]}"
            call["network_aliases"] = [HEAD] if node == 0 else [f"node-{node}"]
        calls.append(call)
    return calls


def card(plan: dict, document: dict) -> str:
    """What a person reads before saying yes."""
    settings, estimate = plan["settings"], plan["estimate"]
    lines = [
        f"Run {plan['name']} ({plan['method']}, {settings['steps']} steps)",
        f"  model      {plan['model']['id']} ({plan['model']['parameters'] / 1e9:.3g}B parameters)",
        f"  data       {plan['dataset']['source']['id']}: {plan['dataset']['rows']} rows to train on",
    ]
    if push := plan.get("push"):
        lines.append(f"  pushes to  {push['repo_id']} ({'private' if push['private'] else 'public'}), at the end")
    low, high = (clock(seconds) for seconds in estimate["train_seconds_range"])
    time_line = f"  time       about {clock(estimate['train_seconds'])} of training ({low} to {high})"
    if document["backend"] == "local":
        return "\n".join(
            [*lines, "  where      this machine, in the foreground", time_line, "  cost       $0.00 (this machine)"]
        )
    nodes = f"{document['nodes']} x " if document["nodes"] > 1 else ""
    attempts = f" x {document['attempts']} attempts" if document["attempts"] > 1 else ""
    lines += [
        f"  where      {nodes}{document['flavor']}, {money(document['usd_per_hour'])} an hour, paid by "
        f"{document['namespace']}",
        time_line,
        f"  timeout    {clock(document['timeout_seconds'])}",
        f"  cost       about {money(document['expected_usd'])}, at most {money(document['at_most_usd'], at_most=True)} "
        f"(price x timeout{attempts}; starting is billed too)",
        f"  results    private bucket {document['bucket']}, folder {document['bucket_folder']}",
    ]
    planned = plan["hardware"].get("usd_per_hour")
    now = document["usd_per_hour"] / document["nodes"]
    if planned is not None and plan["hardware"].get("flavor") == document["flavor"] and abs(now - planned) > 0.02 * now:
        lines.append(f"  note       the plan was made at {money(planned)} an hour; the price is {money(now)} now")
    deadline = settings.get("deadline_seconds")
    if not deadline or deadline > document["timeout_seconds"]:
        lines.append(
            f"  note       a timeout would cost the steps since the last checkpoint (every "
            f"{settings['save_seconds']:g} s); submitting again continues there"
        )
    return "\n".join(lines)


def read_submission(path: Path) -> dict | None:
    return read_artifact(path, "submission") if path.is_file() else None


def require_own_folder(plan: dict, identity: str, folder: Path) -> None:
    """Raises Failure when the folder of this name holds a run of another plan."""
    run_file = folder / "run.json"
    if run_file.is_file() and read_artifact(run_file, "run")["plan_sha256"] != identity:
        raise Failure(
            f"the name is taken: {folder} holds a run of another plan",
            f"change `name` in the plan, or move {folder} away",
            EXIT_USAGE,
        )


def run_here(plan: dict, args, document: dict, path: Path) -> int:
    """Trains on this machine in the foreground; the exit code is the training script's."""
    from importlib.util import find_spec

    script, gpus = training_script(plan), int(plan["hardware"].get("gpus") or 1)
    uv = shutil.which("uv")
    python = [sys.executable, str(script)]
    if gpus > 1:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(gpus)]
        python = [sys.executable, *torchrun, str(script)]
    elif uv and not find_spec("trl"):
        python = [uv, "run", str(script)]
    words = ["--plan", str(args.plan), "--out", document["run_folder"], *passed_on(plan, args)]
    process = subprocess.Popen([*python, *words], stdout=sys.stderr)
    write_artifact(path, {**document, "state": "submitted", "pid": process.pid})
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            log("interrupted: the training saves a checkpoint and stops")  # it got the signal as well
    if code == EXIT_OK:
        say(f"done; next: python {beside('report_run.py')} {document['run_folder']}")
    return code if code >= 0 else EXIT_FAILED


def options() -> argparse.ArgumentParser:
    arguments = parser(__doc__)
    arguments.add_argument("--plan", type=Path, default=Path("plan.json"), help="plan.json of plan_run.py")
    arguments.add_argument("--backend", choices=["hf-jobs", "local"], help="default: where the plan says")
    arguments.add_argument("--yes", action="store_true", help="start it; without this only the card is shown")
    arguments.add_argument("--max-cost", type=float, metavar="USD", help="refuse when it can cost more than this")
    arguments.add_argument("--namespace", help="user or organization that pays (default: the token's user)")
    arguments.add_argument("--flavor", help="instead of the plan's, of the same kind of device")
    arguments.add_argument("--timeout", type=seconds_of, help="90m, 2h or seconds, instead of the plan's")
    arguments.add_argument("--attempts", type=int, default=1, help="runs of the job when it fails (default: 1)")
    arguments.add_argument("--secret", action="append", default=[], metavar="NAME", help="a variable the job gets too")
    arguments.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="for the job, repeatable")
    arguments.add_argument("--again", action="store_true", help="another run of a plan that was run, in a new folder")
    arguments.add_argument("--finish", action="store_true", help="train no further: score the last checkpoint as it is")
    arguments.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs here (default: runs)")
    arguments.add_argument("--json", action="store_true", help="print submission.json on standard output")
    return arguments


def main(argv: list[str]) -> int:
    arguments = options()
    args = arguments.parse_args(argv)
    if args.attempts < 1 or (args.max_cost is not None and args.max_cost < 0):
        raise Failure("--attempts and --max-cost count from 1 and from 0", "correct the number", EXIT_USAGE)
    if wrong := [label for label in args.label if not re.fullmatch(r"[\w.-]{1,100}=[\w.-]{0,100}", label)]:
        raise Failure(f"--label {wrong[0]}", "give KEY=VALUE of letters, digits, '.', '-' and '_'", EXIT_USAGE)
    plan = read_artifact(args.plan, "plan")
    backend = args.backend or ("hf-jobs" if args.flavor else plan["hardware"]["where"])
    script = training_script(plan)
    folder = args.runs / plan["name"]
    identity = hashlib.sha256(json.dumps([plan[key] for key in ("model", "dataset", "settings")]).encode()).hexdigest()
    require_own_folder(plan, identity, folder)
    document: dict = {
        "schema": "skillpack/submission/1",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "name": plan["name"],
        "backend": backend,
        "state": "intended",
        "label": "",
        "plan": str(args.plan),
        "plan_sha256": identity,
        "run_folder": str(folder),
        "steps": plan["settings"]["steps"],
        "jobs": [],
    }
    path = folder / "submission.json"
    if backend == "local":
        return start_local(plan, args, document, path, script)

    api, who = sign_in()
    namespace = require_namespace(who, args.namespace)
    flavor = choose_flavor(api, plan, args.flavor)
    require_inputs(api, plan)
    secrets = secret_values(["HF_TOKEN", *args.secret], api.token)
    document |= cost_of(plan, flavor, timeout_of(plan, args.timeout), args.attempts)
    document |= {
        "label": run_label(plan, script, flavor.name, document["timeout_seconds"]),
        "namespace": namespace,
        "endpoint": api.endpoint,
        "bucket": f"{namespace}/{BUCKET}",
        "bucket_folder": "",
    }
    if args.again:
        document["label"] += time.strftime("-%Y%m%d%H%M%S", time.gmtime())
    # The plan is part of the folder's name: a changed plan never continues from another one's checkpoints.
    again = document["label"][24:]
    document["bucket_folder"] = f"{plan['name'][:80]}-{identity[:8]}{again}"
    if args.finish:
        document["label"] += "-finish"  # another job than the one that trained, in the same folder
    calls = calls_of(plan, document, args, script, flavor.name, secrets)
    document["commands"] = [equivalent(call) for call in calls]
    (log if args.json else say)(card(plan, document))
    if args.max_cost is not None and not document["at_most_usd"] <= args.max_cost:  # nothing is below NaN
        raise Failure(
            f"it can cost {money(document['at_most_usd'], at_most=True)}, and --max-cost is {money(args.max_cost)}",
            f"a shorter --timeout ({money(document['usd_per_hour'])} an hour), a cheaper flavor, or fewer steps",
            EXIT_NO,
        )
    if not args.yes:
        log("nothing was started; to start it: the same command with --yes")
        if args.json:
            emit(document)
        return EXIT_UNCONFIRMED

    with one_at_a_time(folder / ".submit.lock"):
        before = read_submission(path)
        jobs = [] if args.again else known_jobs(api, document, before, {LABEL: document["label"]})
        if found := len(jobs) == document["nodes"]:
            log(f"this plan was submitted before: {jobs[0].id} is {jobs[0].status.stage}; --again runs it once more")
        else:
            if before and before["label"] != document["label"]:
                refuse_while_active(api, before)
            cancel(api, [job for job in jobs if stage_of(job) in ACTIVE], "its other nodes have ended")
            prepare_bucket(api, document["bucket"])
            jobs = submit(api, document, calls, path, {LABEL: document["label"]})
        document["state"] = "submitted"
        document["jobs"] = [{"id": job.id, "node": node, "url": job.url} for node, job in enumerate(jobs)]
        write_artifact(path, document)
    if args.json:
        emit(document)
    else:
        say("\n".join(f"Job {job['id']}: {job['url']}" for job in document["jobs"]))
        say("the same by hand:\n" + "\n".join(f"  {command}" for command in document["commands"]))
    log(f"{'found' if found else 'submitted'}; next: python {beside('watch_run.py')} {folder} --follow")
    return EXIT_OK


def start_local(plan: dict, args, document: dict, path: Path, script: Path) -> int:
    document["label"] = run_label(plan, script, "local", 0)
    (log if args.json else say)(card(plan, document))
    if plan["hardware"]["where"] != "local":
        log("warning: the plan was made for a job; memory and time on this machine are not what it says")
    if not args.yes:
        log("nothing was started; to start it: the same command with --yes")
        if args.json:
            emit(document)
        return EXIT_UNCONFIRMED
    code = run_here(plan, args, document, path)
    if args.json:
        emit(read_artifact(path, "submission"))
    return code


def refuse_while_active(api, before: dict) -> None:
    """Raises Failure when a run of the same name, by another plan, is still active."""
    for job in look_at(api, before) if before["backend"] == "hf-jobs" else []:
        if stage_of(job) in ACTIVE:
            raise Failure(
                f"the name is taken: job {job.id} runs another plan, script or timeout by the name {before['name']!r}",
                f"`hf jobs cancel {before['namespace']}/{job.id}`, or change `name` in the plan",
                EXIT_USAGE,
            )


def cost_of(plan: dict, flavor, timeout: int, attempts: int) -> dict:
    """Price, worst and expected cost in dollars, by the prices that the Hub gives now."""
    nodes = nodes_of(plan)
    minute = flavor.unit_cost_usd * nodes
    at_most = math.ceil(timeout / 60) * minute * attempts
    started = plan["estimate"].get("run_seconds") or plan["estimate"]["train_seconds"]
    return {
        "flavor": flavor.name,
        "nodes": nodes,
        "attempts": attempts,
        "timeout_seconds": timeout,
        "usd_per_hour": round(minute * 60, 4),
        "at_most_usd": round(at_most, 4),
        "expected_usd": round(min(at_most, max(plan["estimate"]["cost_usd"], started / 60 * minute)), 4),
    }


if __name__ == "__main__":
    sys.exit(run(main))
