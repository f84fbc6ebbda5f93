# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "matplotlib>=3.9,<4",
#   "pyarrow>=18,<27",
# ]
# ///
"""Read what trackio logged: projects, runs, metrics, comparisons, the best run, tables, plots, SQL.

Reads the folder of trackio on this machine (--dir, TRACKIO_DIR, or trackio's default) or, with --space, what the
bucket of a Space holds, private ones with the token of HF_TOKEN or `hf auth login`. Nothing is ever written there.
A run is named by its name (the newest of that name) or by the first characters of its id.

examples:
  python scripts/read_runs.py best --project sweep --metric eval/loss --mode min --json
  python scripts/read_runs.py plot --project sweep --metric train/loss --run base --run lora --to loss.png
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

# region skillpack:tracked
import contextlib
import json
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from typing import Any

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # how trackio writes what JSON has not
COLUMNS = ("id", "run_id", "run_name", "step", "timestamp", "log_id", "space_id")  # of a row, the rest is metrics


def tracking_folder(given: str | None) -> Path:
    """Where trackio keeps its databases: `given`, else TRACKIO_DIR, else its default below HF_HOME."""
    home = os.environ.get("HF_HOME") or str(Path.home() / ".cache/huggingface")
    return Path(given or os.environ.get("TRACKIO_DIR") or Path(home) / "trackio").expanduser()


def project_key(project: str) -> str:
    """The name of a project's file, which keeps letters, digits, `-` and `_` of it and nothing else."""
    return "".join(c for c in project if c.isalnum() or c in "-_") or "default"


def project_database(folder: Path, project: str | None) -> Path:
    """The database of `project`, or the only one in `folder`. Raises Failure with what there is."""
    known = sorted(path.stem for path in folder.glob("*.db"))
    inbox = "; rows wait in its inbox/ (a network file system): `trackio show` imports them"
    waiting = inbox if (folder / "inbox").is_dir() else ""
    if project is None and len(known) == 1:
        return folder / f"{known[0]}.db"
    if project and project_key(project) in known:
        return folder / f"{project_key(project)}.db"
    problem = (
        f"no project {project!r} in {folder}" if project else f"{len(known)} projects in {folder}, and no --project"
    )
    there = f"there are: {', '.join(known)}" if known else "nothing was logged there: give --dir, or set TRACKIO_DIR"
    raise Failure(problem, there + waiting, EXIT_USAGE)


@contextlib.contextmanager
def open_database(database: Path) -> Iterator[sqlite3.Connection]:
    """`database` for reading while a run writes to it; a copy of it, where this user may not lock it.

    A view `points` (run, run_id, step, time, metric, value) holds each number; NULL stands for NaN.
    """
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(database, timeout=30)))
            try:
                connection.execute("SELECT 1 FROM metrics LIMIT 1")
            except sqlite3.OperationalError:
                copy = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                for path in database.parent.glob(f"{database.name}*"):
                    shutil.copy(path, copy)
                connection = stack.enter_context(contextlib.closing(sqlite3.connect(copy / database.name)))
            connection.execute(
                "CREATE TEMP VIEW points AS SELECT m.run_name AS run, m.run_id, m.step, m.timestamp AS time, "
                "e.key AS metric, CASE e.atom WHEN 'NaN' THEN NULL WHEN 'Infinity' THEN 9e999 "
                "WHEN '-Infinity' THEN -9e999 ELSE e.atom END AS value "
                "FROM metrics m, json_each(CAST(m.metrics AS TEXT)) e "
                "WHERE e.type IN ('integer', 'real') OR e.atom IN ('NaN', 'Infinity', '-Infinity')"
            )
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT run_id FROM metrics LIMIT 1")
            yield connection
        except sqlite3.DatabaseError as error:
            raise Failure(f"{database}: {error}", "is it a database of trackio, and whole?") from None


def numbers(text: str | bytes) -> dict[str, float]:
    """The numbers among the metrics of a row; tables, images and text are left out."""
    values = {
        name: WORDS.get(value, value) if isinstance(value, str) else value for name, value in json.loads(text).items()
    }
    return {
        name: value for name, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }


def runs_of(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The runs, the oldest first: {id, name, group, created, last_logged, last_step, rows, alerts, config}.

    Two runs may bear one name: `trackio.init` with the default resume="never" begins another run each time.
    """
    configs = {run: json.loads(config) for run, config in connection.execute("SELECT run_id, config FROM configs")}
    alerts = dict(connection.execute("SELECT run_id, count(*) FROM alerts GROUP BY run_id"))
    found = []
    for run, name, begun, ended, step, rows in connection.execute(
        "SELECT run_id, max(run_name), min(timestamp), max(timestamp), max(step), count(*) FROM metrics "
        "GROUP BY run_id ORDER BY min(id)"
    ):
        config = configs.get(run, {})
        own = {key: value for key, value in config.items() if not key.startswith("_")}
        found.append(
            {"id": run, "name": name, "group": config.get("_Group"), "created": config.get("_Created") or begun}
            | {"last_logged": ended, "last_step": step, "rows": rows, "alerts": alerts.get(run, 0), "config": own}
        )
    return found


def chosen(runs: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """The runs of `names`, each a name (the newest of that name) or the beginning of an id; all, without names."""
    picked = []
    for name in names:
        fits = [run for run in runs if run["name"] == name][-1:] or [
            run for run in runs if len(name) >= 4 and run["id"].startswith(name)
        ]
        if len(fits) != 1:
            there = ", ".join(f"{run['name']} ({run['id'][:8]})" for run in runs)
            problem = f"{len(fits)} runs begin with {name!r}" if fits else f"no run {name!r}"
            raise Failure(problem, f"there are: {there}", EXIT_USAGE)
        picked += [run for run in fits if run not in picked]
    return picked if names else runs


def series(connection: sqlite3.Connection, run: str, metric: str) -> list[tuple[int, str, float]]:
    """[(step, time, value)] of one metric as it was logged; a step may come twice, after a resume."""
    rows = connection.execute("SELECT step, timestamp, metrics FROM metrics WHERE run_id = ? ORDER BY id", (run,))
    points = ((step, time, numbers(text).get(metric)) for step, time, text in rows)
    return [(step, time, value) for step, time, value in points if value is not None]


def space_bucket(api: Any, space: str) -> tuple[str | None, Any]:
    """(bucket in which a Space of trackio keeps its data, the Hub's info): mounted at /data, or named by its page."""
    with on_hub(f"reading the Space {space}"):
        info = api.space_info(space)
        if info.sdk != "static":
            volumes = api.get_space_runtime(space).volumes or []
            mounted = [each.source for each in volumes if each.type == "bucket" and each.mount_path == "/data"]
            return (mounted or [None])[0], info
        if not any(each.rfilename == "config.json" for each in info.siblings or []):
            return None, info
        page = json.loads(Path(api.hf_hub_download(space, "config.json", repo_type="space")).read_text("utf-8"))
    return page.get("bucket_id") if isinstance(page, dict) else None, info


def fetch_space(api: Any, space: str, folder: Path, project: str | None) -> Path:
    """The database of `project` behind a Space, in `folder`; of a static Space, one made from its Parquet files."""
    bucket, info = space_bucket(api, space)
    if not bucket:
        raise Failure(
            f"{space} has no bucket: it is not a Space of trackio, or an old one", "`trackio bump` mends old ones"
        )
    with on_hub(f"reading the bucket {bucket}"):
        names = [each.path for each in api.list_bucket_tree(bucket, recursive=True) if each.type == "file"]
        wanted = [
            name for name in names if name.startswith("trackio/") and name.count("/") == 1 and name.endswith(".db")
        ]
        wanted = wanted or [name for name in names if name in ("metrics.parquet", "aux/configs.parquet")]
        if not wanted:
            waits = any(name.startswith("trackio/inbox/") for name in names)
            why = (
                "rows wait in trackio/inbox/ until the Space runs: open it" if waits else "nothing was logged to it yet"
            )
            raise Failure(f"the bucket {bucket} of {space} holds no project", why)
        api.download_bucket_files(bucket, files=[(name, str(folder / Path(name).name)) for name in wanted])
    if info.sdk == "static":
        unpack_static(folder, folder / "static.db")
        return folder / "static.db"
    return project_database(folder, project)


def unpack_static(folder: Path, database: Path) -> None:
    """Makes a database of the Parquet files of a static Space, whose columns are the metrics' names."""
    import pyarrow.parquet as parquet

    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE metrics (id INTEGER PRIMARY KEY, run_id, run_name, step, timestamp, metrics)")
        connection.execute("CREATE TABLE configs (run_id, run_name, config)")
        connection.execute("CREATE TABLE alerts (id, run_id, timestamp, run_name, title, text, level, step)")
        for row in parquet.read_table(folder / "metrics.parquet").to_pylist():
            metrics = {key: value for key, value in row.items() if key not in COLUMNS and value is not None}
            values = (row["run_id"], row["run_name"], row["step"], row["timestamp"], json.dumps(metrics, default=str))
            connection.execute(
                "INSERT INTO metrics (run_id, run_name, step, timestamp, metrics) VALUES (?,?,?,?,?)", values
            )
        configs = folder / "configs.parquet"
        for row in parquet.read_table(configs).to_pylist() if configs.is_file() else []:
            config = {key: value for key, value in row.items() if key not in (*COLUMNS, "created_at")}
            line = (row["run_id"], row["run_name"], json.dumps(config, default=str))
            connection.execute("INSERT INTO configs VALUES (?,?,?)", line)
        connection.commit()


# endregion skillpack:tracked

import csv
import datetime
import io
import statistics

GLOBAL_STEP = "train/global_step"  # transformers logs it, since trackio's own step counts calls of log() there
SQL_ROWS = 10_000


def plain(value: Any) -> Any:
    """`value` as JSON can say it: what is not a number is a word, as in trackio itself."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return [plain(item) for item in value] if isinstance(value, list) else value


def short(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def table(rows: list[dict], columns: list[str]) -> str:
    lines = [columns, *([short(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def rows_of(connection: sqlite3.Connection, run: dict) -> list[tuple[int, str, dict[str, float]]]:
    """[(step, time, {metric: number})] of a run; the step is the trainer's own where it was logged."""
    found = []
    query = "SELECT step, timestamp, metrics FROM metrics WHERE run_id = ? ORDER BY id"
    for step, time, text in connection.execute(query, (run["id"],)):
        values = numbers(text)
        found.append((int(values.get(GLOBAL_STEP, step)), time, values))
    return found


def summaries(connection: sqlite3.Connection, run: dict) -> dict[str, dict]:
    """Metric -> {count, not_finite, first, last, min, min_step, max, max_step}; extremes are of finite values."""
    found: dict[str, dict] = {}
    for step, _, values in rows_of(connection, run):
        for name, value in values.items():
            each = found.setdefault(
                name, {"count": 0, "not_finite": 0, "first": value}
                | dict.fromkeys(("last", "min", "min_step", "max", "max_step"))
            )  # fmt: skip
            each |= {"count": each["count"] + 1, "last": value, "last_step": step}
            if not math.isfinite(value):
                each["not_finite"] += 1
                continue
            if each["min"] is None or value < each["min"]:
                each |= {"min": value, "min_step": step}
            if each["max"] is None or value > each["max"]:
                each |= {"max": value, "max_step": step}
    return found


def brief(run: dict) -> dict:
    return {key: run[key] for key in ("id", "name", "group", "created", "last_logged", "last_step", "rows", "alerts")}


def projects(folder: Path) -> dict:
    found: list[dict] = []
    for database in sorted(folder.glob("*.db")):
        try:
            with open_database(database) as connection:
                runs = runs_of(connection)
                known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
                kept = "SELECT value FROM project_metadata WHERE key = 'space_id'"
                space = connection.execute(kept).fetchone() if "project_metadata" in known else None
        except Failure as failure:  # one that is torn hides no other
            found.append({"project": database.stem, "error": failure.problem})
            log(f"warning: {failure}")
            continue
        last = max((run["last_logged"] for run in runs), default=None)
        found.append(
            {"project": database.stem, "runs": len(runs), "rows": sum(run["rows"] for run in runs)}
            | {"last_logged": last, "space": space[0] if space else None}
        )
    return {"folder": str(folder), "projects": found}


def list_runs(args: argparse.Namespace, connection: sqlite3.Connection, runs: list[dict]) -> dict:
    return {"runs": [{**brief(run), "config": run["config"]} for run in runs]}


def list_metrics(args: argparse.Namespace, connection: sqlite3.Connection, runs: list[dict]) -> dict:
    found = []
    for run in runs:
        each: dict = {**brief(run), "metrics": summaries(connection, run)}
        if args.metric:
            each["metrics"] = {name: values for name, values in each["metrics"].items() if name in args.metric}
        if args.values:
            rows = rows_of(connection, run)
            each["values"] = {
                name: [[step, time, values[name]] for step, time, values in rows if name in values]
                for name in each["metrics"]
            }
        found.append(each)
    return {"runs": found}


def flat(config: dict, prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, value in config.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return found


def compare(args: argparse.Namespace, connection: sqlite3.Connection, runs: list[dict]) -> dict:
    """What differs between the runs' configs, and each metric's last, min and max side by side."""
    if len(runs) < 2:
        raise Failure("one run compares to nothing", "name two or more: --run A --run B", EXIT_USAGE)
    configs = [flat(run["config"]) for run in runs]
    keys = sorted(set().union(*configs))
    differs = {key: [config.get(key) for config in configs] for key in keys}
    found = [summaries(connection, run) for run in runs]
    names = sorted(name for name in set().union(*found) if not args.metric or name in args.metric)
    sides = ("last", "min", "max", "count", "not_finite")
    return {
        "runs": [brief(run) for run in runs],
        "config": {key: values for key, values in differs.items() if any(value != values[0] for value in values)},
        "metrics": {name: {side: [each.get(name, {}).get(side) for each in found] for side in sides} for name in names},
    }


def best(args: argparse.Namespace, connection: sqlite3.Connection, runs: list[dict]) -> dict:
    """The runs by one metric, the best first; those without a finite value of it come apart, with the reason."""
    ranked, left_out = [], []
    for run in runs:
        summary = summaries(connection, run).get(args.metric[0])
        if summary is None or summary[args.mode] is None:
            reason = "never logged" if summary is None else "no finite value"
            left_out.append({"id": run["id"], "name": run["name"], "reason": reason})
            continue
        last = args.at == "last"
        value, step = (
            (summary["last"], summary["last_step"]) if last else (summary[args.mode], summary[f"{args.mode}_step"])
        )
        if not math.isfinite(value):
            left_out.append({"id": run["id"], "name": run["name"], "reason": "its last value is not a number"})
            continue
        ranked.append(
            {**brief(run), "value": value, "step": step, "not_finite": summary["not_finite"], "config": run["config"]}
        )
    ranked.sort(key=lambda run: run["value"], reverse=args.mode == "max")
    return {
        "metric": args.metric[0], "mode": args.mode, "at": args.at,
        "best": ranked[0] if ranked else None, "ranked": ranked, "left_out": left_out,
    }  # fmt: skip


def export(args: argparse.Namespace, connection: sqlite3.Connection, runs: list[dict]) -> dict:
    """One row for each time that something was logged, one column for each metric."""
    rows = [
        {"run": run["name"], "run_id": run["id"], "step": step, "time": time, **values}
        for run in runs
        for step, time, values in rows_of(connection, run)
    ]
    kept = ["run", "run_id", "step", "time"]
    names = sorted({name for row in rows for name in row if name not in kept})
    columns = kept + [name for name in names if not args.metric or name in args.metric]
    if not rows or len(columns) == len(kept):
        raise Failure("nothing to export", "`metrics` lists what was logged", EXIT_NO)
    kind = args.to.suffix.lower()
    if kind == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomic(args.to, text.getvalue())
    elif kind == ".json":
        chosen_rows = [{name: row.get(name) for name in columns} for row in rows]
        write_atomic(args.to, json.dumps([plain(row) for row in chosen_rows], indent=1, ensure_ascii=False) + "\n")
    else:
        import pyarrow
        import pyarrow.parquet as parquet

        whole = ("run", "run_id", "time")
        arrays = [
            pyarrow.array([row[name] for row in rows]) if name in (*whole, "step")
            else pyarrow.array([None if row.get(name) is None else float(row[name]) for row in rows], pyarrow.float64())
            for name in columns
        ]  # fmt: skip
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(pyarrow.table(arrays, names=columns), sink)
        write_atomic(args.to, sink.getvalue().to_pybytes())
    return {"file": str(args.to), "rows": len(rows), "columns": columns}


def smooth(values: list[float], window: int) -> list[float]:
    """The median of the last `window` values at each place, which an outlier does not move."""
    return [statistics.median(values[max(0, at - window + 1) : at + 1]) for at in range(len(values))]


def plot(args: argparse.Namespace, connection: sqlite3.Connection, runs: list[dict]) -> dict:
    drawn: dict[str, list] = {metric: [] for metric in args.metric}
    for run in runs:
        rows = rows_of(connection, run)
        begun = datetime.datetime.fromisoformat(rows[0][1])
        for metric in args.metric:
            points = [
                (
                    (datetime.datetime.fromisoformat(time) - begun).total_seconds() if args.x == "seconds" else step,
                    value,
                )
                for step, time, values in rows
                if (value := values.get(metric)) is not None and math.isfinite(value)
            ]
            if points:
                drawn[metric].append((run, points))
    empty = [metric for metric, lines in drawn.items() if not lines]
    if empty:
        raise Failure(f"no run has logged {', '.join(empty)}", "`metrics` lists what was logged", EXIT_NO)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(drawn), squeeze=False, figsize=(8, 3.6 * len(drawn)), layout="constrained")
    twice = [run["name"] for run in runs if sum(other["name"] == run["name"] for other in runs) > 1]
    for axis, (metric, lines) in zip(axes[:, 0], drawn.items(), strict=True):
        for run, points in lines:
            label = f"{run['name']} ({run['id'][:6]})" if run["name"] in twice else run["name"]
            at, values = zip(*points, strict=True)
            axis.plot(at, smooth(list(values), args.smooth), label=label, marker="o" if len(points) < 20 else None)
        axis.set(xlabel=args.x, ylabel=metric, yscale="log" if args.log_y else "linear")
        axis.grid(alpha=0.3)
        axis.legend()
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    write_atomic(args.to, sink.getvalue())
    lines_drawn = {m: {run["id"]: len(points) for run, points in lines} for m, lines in drawn.items()}
    return {"file": str(args.to), "points": lines_drawn}


def query(args: argparse.Namespace, connection: sqlite3.Connection, runs: list[dict]) -> dict:
    """SQL over trackio's tables and the view points(run, run_id, step, time, metric, value)."""
    allowed = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
    connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY)
    try:
        cursor = connection.execute(args.sql)
        rows = cursor.fetchmany(SQL_ROWS + 1)
    except (sqlite3.Error, sqlite3.Warning) as error:
        tables = "tables: metrics, configs, alerts, system_metrics, traces, artifacts; view: points"
        raise Failure(f"SQL: {error}", f"only SELECT is allowed; {tables}", EXIT_USAGE) from None
    if len(rows) > SQL_ROWS:
        raise Failure(f"more than {SQL_ROWS} rows", "aggregate, or add LIMIT", EXIT_USAGE)
    names = [column[0] for column in cursor.description or []]
    return {"columns": names, "rows": [dict(zip(names, row, strict=True)) for row in rows]}


def show(command: str, found: dict) -> str:
    """`found` for a person."""
    if command == "projects":
        return table(found["projects"], ["project", "runs", "rows", "last_logged", "space"])
    if command == "runs":
        rows = [{**run, "id": run["id"][:8]} for run in found["runs"]]
        return table(rows, ["name", "id", "group", "created", "last_logged", "last_step", "rows", "alerts"])
    if command == "metrics":
        rows = [
            {"run": run["name"], "metric": name, **values}
            for run in found["runs"]
            for name, values in run["metrics"].items()
        ]
        return table(
            rows, ["run", "metric", "count", "not_finite", "first", "last", "min", "min_step", "max", "max_step"]
        )
    if command == "compare":
        names = [f"{run['name']} ({run['id'][:6]})" for run in found["runs"]]
        rows = [{"": key, **dict(zip(names, values, strict=True))} for key, values in found["config"].items()]
        for metric, sides in found["metrics"].items():
            rows += [
                {"": f"{metric} {side}", **dict(zip(names, sides[side], strict=True))}
                for side in ("last", "min", "max")
            ]
        return table(rows, ["", *names])
    if command == "best":
        rows = [{**run, "id": run["id"][:8]} for run in found["ranked"]]
        left = [f"left out: {run['name']} ({run['id'][:8]}): {run['reason']}" for run in found["left_out"]]
        return "\n".join([table(rows, ["name", "id", "value", "step", "not_finite", "rows"]), *left])
    if command == "query":
        return table([plain(row) for row in found["rows"]], found["columns"])
    return json.dumps(found, indent=2)


COMMANDS = {
    "runs": (list_runs, "runs of a project, with their configs"),
    "metrics": (list_metrics, "count, first, last, min, max of each metric; --values for all points"),
    "compare": (compare, "runs side by side: what differs in the configs, last, min and max of the metrics"),
    "best": (best, "runs ranked by one metric; exit 1 when no run has a finite value of it"),
    "export": (export, "a row for each log call to FILE.csv, .json or .parquet"),
    "plot": (plot, "metrics of chosen runs as a PNG"),
    "query": (query, "read-only SQL; the view points(run, run_id, step, time, metric, value) holds each number"),
}


def arguments(argv: list[str]) -> argparse.Namespace:
    top = parser(__doc__ or "")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, text) in {"projects": (None, "what was logged in the folder"), **COMMANDS}.items():
        one = commands.add_parser(name, help=text, description=text)
        one.add_argument("--json", action="store_true", help="one JSON document on standard output")
        where = one.add_mutually_exclusive_group()
        where.add_argument(
            "--dir", metavar="FOLDER", help="trackio's folder (default: TRACKIO_DIR, else its own default)"
        )
        if name == "projects":
            continue
        where.add_argument("--space", metavar="OWNER/NAME", help="read the bucket of this Space, live or static")
        one.add_argument("--project", metavar="NAME", help="not needed where there is only one")
        if name == "query":
            one.add_argument("sql", metavar="SQL")
            continue
        one.add_argument("--run", action="append", default=[], metavar="NAME|ID", help="repeat for more; default all")
        if name != "runs":
            one.add_argument(
                "--metric", action="append", default=[], metavar="NAME", required=name in ("best", "plot"),
                help="repeat for more; default all" if name not in ("best", "plot") else "the metric",
            )  # fmt: skip
        if name == "metrics":
            one.add_argument("--values", action="store_true", help="every point, with --json")
        if name == "best":
            one.add_argument("--mode", choices=("min", "max"), required=True, help="is lower or higher better")
            one.add_argument(
                "--at", choices=("best", "last"), default="best", help="each run's best value, or its last"
            )
        if name in ("export", "plot"):
            one.add_argument("--to", type=Path, required=True, metavar="FILE")
        if name == "plot":
            one.add_argument("--x", choices=("step", "seconds"), default="step")
            one.add_argument("--smooth", type=int, default=1, metavar="N", help="median of the last N points")
            one.add_argument("--log-y", action="store_true")
    args = top.parse_args(argv)
    suffixes = {"export": (".csv", ".json", ".parquet"), "plot": (".png",)}.get(args.command, ())
    if suffixes and args.to.suffix.lower() not in suffixes:
        top.error(f"--to {args.to}: the name must end in {' or '.join(suffixes)}")
    if args.command == "best" and len(args.metric) > 1:
        top.error("best ranks by one --metric")
    if getattr(args, "smooth", 1) < 1:
        top.error("--smooth counts points: 1 or more")
    return args


def main(argv: list[str]) -> int:
    args = arguments(argv)
    if args.command == "projects":
        folder = tracking_folder(args.dir)
        if not folder.is_dir():
            raise Failure(f"{folder}: no such folder", "give --dir, or set TRACKIO_DIR", EXIT_USAGE)
        found = projects(folder)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            if args.space:
                from huggingface_hub import HfApi

                database = fetch_space(HfApi(), args.space, Path(scratch), args.project)
            else:
                database = project_database(tracking_folder(args.dir), args.project)
            with open_database(database) as connection:
                runs = chosen(runs_of(connection), getattr(args, "run", []))
                found = {"project": args.project or database.stem, **COMMANDS[args.command][0](args, connection, runs)}
    if args.json:
        emit(plain(found))
    else:
        say(show(args.command, found))
    return EXIT_NO if args.command == "best" and found["best"] is None else EXIT_OK


if __name__ == "__main__":
    raise SystemExit(run(main))
