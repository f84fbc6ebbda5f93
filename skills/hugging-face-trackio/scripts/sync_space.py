# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "pyarrow>=18,<27",
#   "trackio>=0.43,<0.44",
# ]
# ///
"""Publish a project of trackio to a Space of the Hub: a live dashboard, private by default, or a static page.

Live (the default): a Space that runs trackio, and a bucket with the project's database; both private unless --public.
--static: a page without a server that reads Parquet files from a public bucket. It is always public: pages run in the
browser of whoever looks, so --static needs --public beside it.

Without --yes the plan is printed and nothing leaves this machine (exit 4): which runs and config keys go, where to,
who can read them. What goes is a copy: empty dicts and tokens are taken out of its configs, and nothing is written to
your database. Runs that others put there are overwritten only with --replace. Run it again to bring it up to date.
A new live Space builds for minutes; --wait 0 ends without looking whether it has (`answers` is null in --json).

examples:
  python scripts/sync_space.py --project sweep --space sweep-metrics --wait 0
  python scripts/sync_space.py --project sweep --space me/sweep-page --static --public --yes --json
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

import time


def mended(value: Any, where: str, changed: list[str]) -> Any:
    """`value` without empty dicts, which Parquet cannot hold, and without tokens; `changed` gets the places."""
    if isinstance(value, dict):
        kept = {key: mended(item, f"{where}.{key}".lstrip("."), changed) for key, item in value.items()}
        changed += [f"{where}.{key}".lstrip(".") + ": an empty dict" for key, item in kept.items() if item == {}]
        return {key: item for key, item in kept.items() if item != {}}
    if isinstance(value, list):
        return [mended(item, where, changed) for item in value]
    if isinstance(value, str) and redact(value) != value:
        changed.append(f"{where}: a token")
        return redact(value)
    return value


def paths_in(config: dict, where: str = "") -> list[str]:
    """Keys of a config whose values are absolute paths, which tell about this machine."""
    found = []
    for key, value in config.items():
        if isinstance(value, dict):
            found += paths_in(value, f"{where}{key}.")
        elif isinstance(value, str) and re.match(r"(/[\w.-]+){2,}|[A-Za-z]:\\", value):
            found.append(where + key)
    return found


def copy_project(database: Path, folder: Path, scratch: Path) -> list[str]:
    """A copy of the project in `scratch`, fit to be published; its media are links. Returns what was mended."""
    changed: list[str] = []
    copy = scratch / database.name
    with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
        source.backup(target)  # whole, also while a run writes
        for run, config in target.execute("SELECT run_id, config FROM configs").fetchall():
            safe = mended(json.loads(config), "", changed)
            target.execute("UPDATE configs SET config = ? WHERE run_id = ?", (json.dumps(safe).encode(), run))
        target.commit()
    for kind in ("media", "artifacts"):
        if (folder / kind / database.stem).is_dir():
            (scratch / kind).mkdir()
            (scratch / kind / database.stem).symlink_to((folder / kind / database.stem).resolve())
    return sorted(set(changed))


def tokens_in_rows(connection: sqlite3.Connection) -> int:
    """Rows whose text (tables, traces, notes, alerts) has the shape of a token."""
    known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    columns = {"metrics": "metrics", "alerts": "title || ' ' || coalesce(text, '')", "traces": "messages || spans"}
    texts = (
        text for table, column in columns.items() if table in known
        for (text,) in connection.execute(f"SELECT CAST({column} AS TEXT) FROM {table}")
    )  # fmt: skip
    return sum(redact(text) != text for text in texts)


def look(api: Any, space: str, bucket: str | None) -> dict:
    """What is on the Hub already: {space, sdk, private, whole, bucket, bucket_private, bucket_files}.

    `whole` is whether the Space has its bucket, which it gets last. Raises Failure for a Space of something else.
    """
    from huggingface_hub.errors import BucketNotFoundError

    there: dict = {
        "space": None,
        "sdk": None,
        "private": None,
        "whole": False,
        "bucket_private": None,
        "bucket_files": [],
    }
    with on_hub(f"looking for the Space {space}"):
        exists = api.repo_exists(space, repo_type="space")
    if exists:
        mounted, info = space_bucket(api, space)
        refuse_others(info)
        there |= {"space": space, "sdk": info.sdk, "private": bool(info.private), "whole": bool(mounted)}
        bucket = mounted or bucket
    there["bucket"] = bucket or f"{space}-bucket"
    with on_hub(f"reading the bucket {there['bucket']}"):
        try:
            there["bucket_private"] = bool(api.bucket_info(there["bucket"]).private)
            tree = api.list_bucket_tree(there["bucket"], recursive=True)
            there["bucket_files"] = [each.path for each in tree if each.type == "file"]
        except BucketNotFoundError:
            pass
    return there


def refuse_others(info: Any) -> None:
    """Raises Failure for a Space that holds something and is not trackio's, which marks its own with a tag, first."""
    own = {each.rfilename for each in info.siblings or []} - {"README.md", ".gitattributes", "style.css", "index.html"}
    if own and "trackio" not in (info.tags or []):
        raise Failure(
            f"{info.id} is a Space of something else: {', '.join(sorted(own)[:5])} would be overwritten",
            "name another Space", EXIT_USAGE,
        )  # fmt: skip


def runs_there(api: Any, there: dict, key: str, static: bool, scratch: Path) -> dict[str, tuple[str, int]]:
    """Run id -> (name, rows) of the project as it is on the Hub now."""
    name = "runs.json" if static else f"trackio/{key}.db"
    if name not in there["bucket_files"]:
        return {}
    path = scratch / "there" / Path(name).name
    path.parent.mkdir()
    with on_hub(f"reading {there['bucket']}"):
        api.download_bucket_files(there["bucket"], files=[(name, str(path))])
    if static:
        return {run["id"]: (run["name"], run["log_count"]) for run in json.loads(path.read_text("utf-8"))}
    with open_database(path) as connection:
        return {run["id"]: (run["name"], run["rows"]) for run in runs_of(connection)}


def refuse_conflicts(args: argparse.Namespace, there: dict, here: list[dict], remote: dict) -> None:
    """Raises Failure where the Hub holds what this would make public, break or overwrite."""
    sdk, private = ("static", False) if args.static else ("gradio", not args.public)
    if there["sdk"] not in (None, sdk):
        raise Failure(
            f"{there['space']} is a {there['sdk']} Space, and {sdk} was asked for", "name another Space", EXIT_USAGE
        )
    wanted, other = ("private", "public") if private else ("public", "private")
    if there["private"] not in (None, private):
        raise Failure(
            f"the Space {there['space']} is {other}, and {wanted} was asked for; trackio would keep it {other}",
            f"`hf repos settings {there['space']} --repo-type space --{wanted}`, or name another Space", EXIT_USAGE,
        )  # fmt: skip
    if there["bucket_private"] not in (None, private):
        raise Failure(
            f"the bucket {there['bucket']} is {other}, and {wanted} was asked for; trackio would keep it {other}",
            f"`hf buckets settings {there['bucket']} --{wanted}`, or name another with --bucket", EXIT_USAGE,
        )  # fmt: skip
    known = {run["id"]: run["rows"] for run in here}
    lost = [f"{name} ({run[:8]}, {rows} rows)" for run, (name, rows) in remote.items() if rows > known.get(run, 0)]
    if lost and not args.replace:
        raise Failure(
            f"{there['bucket']} holds what is not here and would be overwritten: {', '.join(lost)}",
            "log from one machine to one project, name another Space, or give it up with --replace", EXIT_USAGE,
        )  # fmt: skip


def publish_live(project: str, space: str, there: dict, private: bool) -> None:
    """What `trackio.sync` does with sdk="gradio", but for its waiting: by run names, in vain where two share one."""
    from trackio import bucket_storage, deploy

    bucket_storage.create_bucket_if_not_exists(there["bucket"], private=private)
    bucket_storage.upload_project_to_bucket(project, there["bucket"])
    if not there["whole"]:  # new, or half made by an interrupted call
        deploy.deploy_as_space(space, bucket_id=there["bucket"], private=private)


def answers(space: str, project: str, runs: list[dict], seconds: float) -> str | None:
    """None once the live dashboard shows these runs, else why not."""
    from huggingface_hub import get_token
    from trackio.remote_client import RemoteClient

    wanted, why, begun = {run["id"] for run in runs}, "", time.monotonic()
    while True:
        try:
            shown = RemoteClient(space, hf_token=get_token()).predict(project=project, api_name="/get_runs_for_project")
            missing = wanted - {run["id"] for run in shown}
            if not missing:
                return None
            why = f"it does not show {len(missing)} of {len(wanted)} runs yet"
        except Exception as error:  # noqa: BLE001 - a Space that is being built fails in many ways
            why = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        if time.monotonic() - begun > seconds:
            return why
        time.sleep(min(5.0, max(0.5, seconds / 20)))


def arguments(argv: list[str]) -> argparse.Namespace:
    top = parser(__doc__ or "")
    top.add_argument("--project", metavar="NAME", help="not needed where there is only one")
    top.add_argument("--dir", metavar="FOLDER", help="trackio's folder (default: TRACKIO_DIR, else its own default)")
    top.add_argument("--space", required=True, metavar="[OWNER/]NAME")
    top.add_argument("--bucket", metavar="OWNER/NAME", help="for a new Space (default: SPACE-bucket)")
    top.add_argument("--public", action="store_true", help="anyone can read metrics, configs and media")
    top.add_argument("--static", action="store_true", help="a page without a server; public only")
    top.add_argument("--replace", action="store_true", help="overwrite runs that are there and not here")
    top.add_argument(
        "--wait", type=float, metavar="SECONDS",
        help="until the live dashboard shows the runs (default: 300); 0 does not wait, and is the default at an "
        "HF_ENDPOINT other than huggingface.co, since trackio asks at hf.space",
    )  # fmt: skip
    top.add_argument("--yes", action="store_true", help="publish")
    top.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = top.parse_args(argv)
    if args.static and not args.public:
        top.error(
            "a static Space is public, and so is its bucket: add --public, or leave out --static to keep it private"
        )
    if args.bucket and args.bucket.count("/") != 1:
        top.error("--bucket is OWNER/NAME")
    return args


def main(argv: list[str]) -> int:
    args = arguments(argv)
    folder = tracking_folder(args.dir)
    database = project_database(folder, args.project)
    project, private = args.project or database.stem, not args.public
    with open_database(database) as connection:
        here = runs_of(connection)
        exposed = tokens_in_rows(connection)
    if not here:
        raise Failure(f"{project} has no run yet", "a run appears with its first log()", EXIT_USAGE)
    if exposed and args.public:
        raise Failure(
            f"{exposed} rows of {project} hold what looks like a token, and would be public",
            "find them with `read_runs.py query`, revoke the token, and delete the run", EXIT_USAGE,
        )  # fmt: skip
    api, who = sign_in()
    space = full_id(who, args.space)
    if args.wait is None:
        args.wait = 300.0 if api.endpoint.endswith("huggingface.co") else 0.0
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        there = look(api, space, args.bucket)
        remote = runs_there(api, there, database.stem, args.static, scratch)
        refuse_conflicts(args, there, here, remote)
        fixed = copy_project(database, folder, scratch)
        media = sum(
            path.is_file() for kind in ("media", "artifacts") for path in (folder / kind / database.stem).rglob("*")
        )
        keys = sorted({key for run in here for key in run["config"]})
        plan = {
            "project": project, "space": space, "sdk": "static" if args.static else "gradio", "private": private,
            "bucket": there["bucket"], "new": there["space"] is None, "files": media,
            "runs": [{"id": run["id"], "name": run["name"], "rows": run["rows"]} for run in here],
            "config_keys": keys, "left_out": fixed, "rows_with_tokens": exposed,
            "paths": sorted({key for run in here for key in paths_in(run["config"])}),
            "stores_token": not args.static and not there["whole"],
            "readers": "anyone" if args.public else readers(who, space),
        }  # fmt: skip
        tell(plan)
        if not args.yes:
            if args.json:
                emit({"published": False, **plan})
            raise Failure(
                "nothing was published", "show the plan to the user, then the same with --yes", EXIT_UNCONFIRMED
            )
        os.environ["TRACKIO_DIR"] = str(scratch)  # read when trackio is imported
        with on_hub(f"publishing to {space}"):
            api.create_repo(space, repo_type="space", space_sdk=plan["sdk"], private=private, exist_ok=True)
            if args.static:
                import trackio

                trackio.sync(project, space, private=False, sdk="static", bucket_id=there["bucket"], force=True)
            else:
                publish_live(project, space, there, private)
            now = api.space_info(space)
            seen = {"private": bool(now.private), "bucket_private": bool(api.bucket_info(there["bucket"]).private)}
        after = runs_there(
            api, look(api, space, there["bucket"]), database.stem, args.static, Path(tempfile.mkdtemp(dir=scratch))
        )
        lacking = [run["name"] for run in here if after.get(run["id"], ("", -1))[1] < run["rows"]]
        if lacking or seen != {"private": private, "bucket_private": private}:
            raise Failure(
                f"published, but the Hub shows {seen} and lacks {lacking}", "look at both before you share them"
            )
        why = None if args.static or not args.wait else answers(space, project, here, args.wait)
    found = {
        "published": True, **plan, **seen, "url": f"{api.endpoint}/spaces/{space}",
        "answers": None if args.static or not args.wait else why is None,
        "awaited": not args.static and args.wait > 0,
    }  # fmt: skip
    if args.json:
        emit(found)
    else:
        seen_by = f"{counted(len(here), 'run')}, {'private' if private else 'public'}; data in {there['bucket']}"
        say(f"published at {found['url']}: {seen_by}")
        if not args.static and not args.wait:
            say("its build was not awaited: a new Space takes minutes until it shows anything")
    if why:
        raise Failure(
            f"the data is in {there['bucket']}, but the dashboard does not answer: {why}",
            f"a new Space builds for minutes: `hf spaces logs {space} --build`; the same call again waits again",
        )
    return EXIT_OK


def readers(who: dict, space: str) -> str:
    """Who can read a private Space in this namespace."""
    namespace = space.partition("/")[0]
    return f"only you ({namespace})" if namespace == who["name"] else f"only members of {namespace}"


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def tell(plan: dict) -> None:
    """The plan, for the person who decides."""
    runs, keys = plan["runs"], plan["config_keys"]
    log(f"{plan['project']}: {counted(len(runs), 'run')}, {counted(sum(run['rows'] for run in runs), 'row')}, "
        f"{counted(plan['files'], 'file')} of media")  # fmt: skip
    for run in runs:
        log(f"  {run['name']} ({run['id'][:8]}): {counted(run['rows'], 'row')}")
    space = f"{'new ' if plan['new'] else ''}{plan['sdk']} Space {plan['space']}"
    log(f"to the {space} and the bucket {plan['bucket']}: "
        f"{plan['readers'] if plan['private'] else 'ANYONE'} can read")  # fmt: skip
    log(f"with {counted(len(keys), 'key')} of the runs' configs: {', '.join(keys) or 'none'}; "
        "and the name of the user who ran them")  # fmt: skip
    if plan["paths"]:
        log(f"  paths of this machine in: {', '.join(plan['paths'])}")
    for change in plan["left_out"]:
        log(f"  not in the copy: {change}")
    if plan["rows_with_tokens"]:
        log(f"  warning: {counted(plan['rows_with_tokens'], 'row')} with what looks like a token")
    if plan["stores_token"]:
        log("trackio stores this token in the Space as its secret HF_TOKEN; afterwards take it out, or put another in:")
        log(f"  hf spaces secrets delete {plan['space']} HF_TOKEN --yes")
        log(f"  hf spaces secrets add {plan['space']} --secrets-file FILE    (FILE has the line HF_TOKEN=...)")


if __name__ == "__main__":
    raise SystemExit(run(main))
