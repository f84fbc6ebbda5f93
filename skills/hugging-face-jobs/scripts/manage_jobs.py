# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""List jobs by label and stage, cancel them after a look at which, run one again, and keep schedules.

Jobs are named by id, NAMESPACE/ID, or chosen by --label and --stage. What costs, ends or deletes is shown first, and
done with --yes; an id that was run again is found and not run twice.

  COMMAND
    list       what there is, newest first, with times and costs
    cancel     end jobs; what they have not written elsewhere is lost
    rerun      run jobs again as they were, with their secrets, timeout and volumes
    scheduled  list, suspend, resume, trigger or delete schedules

examples:
  python scripts/manage_jobs.py list --label team=ml --stage ERROR
  python scripts/manage_jobs.py cancel --label team=ml
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

STAGES = ("SCHEDULING", "RUNNING", "COMPLETED", "ERROR", "CANCELED", "DELETED")
SHOWN = 100  # jobs that `list` shows unless --limit says more
ACTIONS = {"list": "", "suspend": "suspended", "resume": "resumed", "trigger": "triggered", "delete": "deleted"}


def main(argv: list[str]) -> int:
    args = arguments(argv)
    api, who = sign_in(write=args.command != "list" and args.yes)
    namespace = args.namespace or namespace_in(args.ids) or who["name"]
    return {"list": list_jobs, "cancel": cancel_jobs, "rerun": rerun_jobs, "scheduled": schedules}[args.command](
        api, namespace, args
    )


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    commands = options.add_subparsers(dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for name, what in (("list", "what there is"), ("cancel", "end jobs"), ("rerun", "run jobs again as they were"),
                       ("scheduled", "list, suspend, resume, trigger or delete schedules")):  # fmt: skip
        command = commands.add_parser(
            name, description=what, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        add = command.add_argument
        if name == "scheduled":
            add("action", choices=list(ACTIONS), nargs="?", default="list", help="default: list")
        add("ids", metavar="ID", nargs="*", help="ids; without one, those that --label names")
        add("--label", action="append", default=[], metavar="KEY=VALUE", help="those that carry all of these")
        add("--namespace", help="default: the token's user")
        add("--json", action="store_true", help="one JSON document on standard output")
        if name != "list":
            add("--yes", action="store_true", help="do it; without this it is only shown")
        if name in ("list", "cancel", "rerun"):
            add("--stage", action="append", default=[], type=str.upper, choices=STAGES, help="repeatable")
        if name == "list":
            add("--limit", type=int, default=SHOWN, help=f"default: {SHOWN}")
        if name == "rerun":
            add("--again", action="store_true", help="though a rerun of it is active or has completed")
    args = options.parse_args(argv)
    if wrong := [label for label in args.label if "=" not in label]:
        options.error(f"--label {wrong[0]}: give KEY=VALUE")
    named = args.ids or args.label
    if args.ids and args.label:
        options.error("give ids or --label, not both")
    if args.ids and getattr(args, "stage", []):
        options.error("--stage chooses among the jobs of --label; an id is taken in whichever stage it is")
    if getattr(args, "limit", 0) < 0:
        options.error("--limit counts from 0")
    if not named and (args.command in ("cancel", "rerun") or getattr(args, "action", "list") != "list"):
        options.error("name the jobs: ids, or --label")
    return args


def namespace_in(ids: list[str]) -> str | None:
    """The namespace that the ids carry. Raises Failure for two, and for what cannot be an id."""
    named = set()
    for text in ids:
        namespace, _, job = text.rstrip("/").rpartition("/")
        if not re.fullmatch(r"[A-Za-z0-9]{12,64}", job):
            raise Failure(f"{text!r} is no id", "`hf jobs ps -a` and `hf jobs scheduled ls` list them", EXIT_USAGE)
        named |= {namespace.rpartition("/")[2]} - {""}
    if len(named) > 1:
        raise Failure(f"ids of {', '.join(sorted(named))}", "one namespace at a time", EXIT_USAGE)
    return next(iter(named), None)


def chosen(api, namespace: str, args, stages: tuple[str, ...]) -> list:
    """The jobs by id, or by label and stage, newest first; `stages` where the arguments say none."""
    from huggingface_hub.errors import JobNotFoundError

    if args.ids:
        jobs = []
        for job_id in dict.fromkeys(text.rstrip("/").rpartition("/")[2] for text in args.ids):
            try:
                with on_hub(f"looking at {job_id}", passing=(JobNotFoundError,)):
                    jobs.append(api.inspect_job(job_id=job_id, namespace=namespace))
            except JobNotFoundError:
                fix = "check the id (`hf jobs ps -a`), and the namespace: NAMESPACE/ID"
                raise Failure(f"{namespace} has no job {job_id}", fix, EXIT_USAGE) from None
        return jobs
    labels = dict(label.split("=", 1) for label in args.label)
    with on_hub("listing the jobs"):
        found = api.list_jobs(namespace=namespace, labels=labels or None, status=args.stage or list(stages) or None)
        return sorted(found, key=lambda job: (job.created_at, job.id), reverse=True)


def rows_of(api, jobs: list) -> list[dict]:
    with on_hub("reading the prices"):
        prices = {flavor.name: flavor.unit_cost_usd * 60 for flavor in api.list_jobs_hardware()}
    rows = []
    for job in jobs:
        seconds = (job.durations.total_secs if job.durations else None) or 0
        hourly = prices.get(str(getattr(job.flavor, "value", job.flavor)))
        rows.append(
            {
                "id": job.id, "name": (job.labels or {}).get("name"), "stage": stage_of(job), "flavor": job.flavor,
                "created": job.created_at.isoformat() if job.created_at else None, "seconds": seconds,
                "usd_per_hour": None if hourly is None else round(hourly, 4),
                "cost_usd": None if hourly is None else usd_of(seconds, hourly),
                "command": " ".join([*(job.command or []), *(job.arguments or [])]), "labels": job.labels or {},
                "secrets": sorted(job.secrets or {}), "message": job.status.message, "url": job.url,
            }
        )  # fmt: skip
    return rows


def table(rows: list[dict], columns: dict[str, str]) -> str:
    """Lines of columns, `columns` being heading -> key; `{usd}` and times as people read them."""

    def cell(row: dict, key: str) -> str:
        value = row[key]
        if value is None:
            return "?" if key.endswith("usd") else ""
        return money(value) if key.endswith("usd") else clock(value) if key == "seconds" else str(value)[:80]

    lines = [list(columns), *([cell(row, key) for key in columns.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


JOB_COLUMNS = {"JOB": "id", "NAME": "name", "STAGE": "stage", "FLAVOR": "flavor", "CREATED": "created",
               "TIME": "seconds", "COST": "cost_usd"}  # fmt: skip


def list_jobs(api, namespace: str, args) -> int:
    rows = rows_of(api, chosen(api, namespace, args, ()))
    cost = round(sum(row["cost_usd"] or 0 for row in rows), 4)
    if args.json:
        emit({"namespace": namespace, "jobs": rows[: args.limit], "all": len(rows), "cost_usd": cost})
    else:
        say(table(rows[: args.limit], JOB_COLUMNS) if rows else f"{namespace} has no such job")
        more = f" ({len(rows) - args.limit} more: --limit)" if len(rows) > args.limit else ""
        say(f"{len(rows)} jobs, {money(cost)}{more}")
    return EXIT_OK


def unconfirmed(args, what: str, document: dict) -> int:
    log(f"nothing was {what}; to do it: the same command with --yes")
    if args.json:
        emit(document)
    return EXIT_UNCONFIRMED


def cancel_jobs(api, namespace: str, args) -> int:
    jobs = [job for job in chosen(api, namespace, args, ACTIVE) if stage_of(job) in ACTIVE]
    rows = rows_of(api, jobs) if jobs else []
    document = {"namespace": namespace, "jobs": rows, "canceled": []}
    if not jobs:
        log("no such job is active: nothing to cancel")
        if args.json:
            emit(document)
        return EXIT_OK
    (log if args.json else say)(table(rows, JOB_COLUMNS))
    if not args.yes:
        return unconfirmed(args, "canceled", document)
    failed = []
    for job in jobs:  # all are tried: one that cannot be canceled keeps no other alive
        try:
            with on_hub(f"canceling {job.id}, which goes on and costs"):
                api.cancel_job(job_id=job.id, namespace=namespace)
            document["canceled"].append(job.id)
        except Failure as failure:
            log(f"error: {failure}")
            failed.append(job.id)
    if args.json:
        emit(document)
    log(f"canceled {len(document['canceled'])} of {len(jobs)} jobs")
    return EXIT_FAILED if failed else EXIT_OK


def rerun_jobs(api, namespace: str, args) -> int:
    jobs = chosen(api, namespace, args, ("ERROR", "CANCELED"))
    if not jobs:
        raise Failure("no such job", "`list` shows what there is", EXIT_USAGE)
    rows = rows_of(api, jobs)
    with on_hub("looking for earlier reruns"):
        listed = list(api.list_jobs(namespace=namespace, status=[*ACTIVE, "COMPLETED"]))
    earlier = {job.initiator.id: job for job in listed if job.initiator and job.initiator.type == "duplicated-job"}
    document: dict = {"namespace": namespace, "jobs": rows, "reruns": []}
    (log if args.json else say)(table(rows, {**JOB_COLUMNS, "$/H": "usd_per_hour"}))
    log("each costs at most its price times its own timeout, which the Hub keeps: `hf jobs inspect ID` shows it")
    if not args.yes:
        return unconfirmed(args, "started", document)
    for job in jobs:
        again = None if args.again else earlier.get(job.id)
        if again:
            log(f"{job.id} was run again before: {again.id} is {stage_of(again)}; --again runs it once more")
        else:
            with on_hub(f"running {job.id} again"):
                again = api.rerun_job(job_id=job.id, namespace=namespace)
        document["reruns"].append({"of": job.id, "id": again.id, "stage": stage_of(again), "url": again.url})
    if args.json:
        emit(document)
    else:
        say("\n".join(f"{each['of']} runs as {each['id']}: {each['url']}" for each in document["reruns"]))
    ids = " ".join(f"{namespace}/{each['id']}" for each in document["reruns"])
    log(f"next: python {beside('watch_jobs.py')} {ids} --follow")
    return EXIT_OK


def schedules(api, namespace: str, args) -> int:
    labels = dict(label.split("=", 1) for label in args.label)
    with on_hub("listing the schedules"):
        found = list(api.list_scheduled_jobs(namespace=namespace, labels=labels or None))
    ids = [text.rstrip("/").rpartition("/")[2] for text in args.ids]
    if missing := set(ids) - {each.id for each in found}:
        raise Failure(f"{namespace} has no schedule {sorted(missing)[0]}", "`scheduled list` shows them", EXIT_USAGE)
    kept = [each for each in found if not ids or each.id in ids]
    rows = [schedule_row(each) for each in kept]
    document: dict = {"namespace": namespace, "schedules": rows, "action": args.action, "done": []}
    columns = {"SCHEDULE": "id", "NAME": "name", "CRON (UTC)": "schedule", "STATE": "state", "OVERLAP": "overlap",
               "NEXT": "next", "LAST": "last", "FLAVOR": "flavor"}  # fmt: skip
    (log if args.json else say)(table(rows, columns) if rows else f"{namespace} has no such schedule")
    if args.action == "list" or not kept:
        if args.json:
            emit(document)
        return EXIT_OK
    if not args.yes and args.action != "suspend":  # to suspend costs nothing and can be taken back
        return unconfirmed(args, ACTIONS[args.action], document)
    act = getattr(api, f"{args.action}_scheduled_job")
    for each in kept:
        with on_hub(f"{args.action} {each.id}"):
            job = act(scheduled_job_id=each.id, namespace=namespace)
        document["done"].append({"schedule": each.id, "job": job.id if args.action == "trigger" else None})
        log(f"{ACTIONS[args.action]} {each.id}" + (f": job {job.id}" if args.action == "trigger" else ""))
    if args.json:
        emit(document)
    return EXIT_OK


def schedule_row(each) -> dict:
    spec, status = each.job_spec, each.status
    return {
        "id": each.id, "name": (spec.labels or {}).get("name"), "schedule": each.schedule,
        "state": "suspended" if each.suspend else "active", "overlap": "allowed" if each.concurrency else "skipped",
        "next": status.next_job_run_at.isoformat() if status.next_job_run_at else None,
        "last": status.last_job.id if status.last_job else None, "flavor": spec.flavor,
        "timeout_seconds": spec.timeout, "command": " ".join(spec.command or []), "labels": spec.labels or {},
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(run(main))
