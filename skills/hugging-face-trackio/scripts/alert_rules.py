# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "pyarrow>=18,<27",
#   "trackio>=0.43,<0.44",
# ]
# ///
"""Judge a run by rules while it trains: not a number, divergence, plateau, throughput, thresholds.

Exit 0: quiet. Exit 1: a rule of at least --fail-on is broken, which is what a loop waits for (also where the
webhook failed, which standard error and "undelivered" then say). With --follow the
script looks again until a rule is broken (exit 1), or until the run has logged nothing new for --idle seconds or
--for seconds are over (exit 0, and "ended" says which). Rules are JSON: --print-rules writes those in force, to be
edited and given with --rules. Each alert is kept in alerts/PROJECT-RUN.json, and sent and recorded once.

--notify posts new alerts to the address in TRACKIO_WEBHOOK_URL (Slack, Discord, or plain JSON): it is a secret, so
it is never an argument. --record writes them into trackio, where the dashboard shows them.

examples:
  python scripts/alert_rules.py --project sweep --run lora --follow --every 30 --for 3600 --json
  python scripts/alert_rules.py --project sweep --print-rules > rules.json
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

import datetime
import statistics
import time
import urllib.error
import urllib.parse
import urllib.request

LEVELS = ("info", "warn", "error")
LOSSES = ("eval/loss", "eval_loss", "val/loss", "train/loss", "loss")  # the first that a run has is its loss
GLOBAL_STEP = "train/global_step"
LOST = 0.1  # share of the gain since the start
FLUSH = 0.5  # seconds: trackio stamps rows when it writes them, in batches of this length
DEFAULT = [
    {"rule": "not-finite", "level": "error"},
    {"rule": "divergence", "level": "error", "mode": "min", "factor": 2.0, "points": 8},
    {"rule": "plateau", "level": "warn", "mode": "min", "points": 20, "min_delta": 0.001},
    {"rule": "throughput", "level": "warn", "points": 20, "drop": 0.5},
]


def read_run(connection: sqlite3.Connection, run: dict) -> dict[str, list]:
    """Metric -> its points [(step, seconds since 1970, value)] in the order of logging.

    The step is the trainer's own where it was logged. The metric "" holds every row, with value 0.
    """
    found: dict[str, list] = {"": []}
    query = "SELECT step, timestamp, metrics FROM metrics WHERE run_id = ? ORDER BY id"
    for step, stamp, text in connection.execute(query, (run["id"],)):
        values = numbers(text)
        at = datetime.datetime.fromisoformat(stamp).timestamp()
        step = int(values.get(GLOBAL_STEP, step))
        found[""].append((step, at, 0.0))
        for name, value in values.items():
            found.setdefault(name, []).append((step, at, value))
    return found


def finite(points: list) -> list:
    return [point for point in points if math.isfinite(point[2])]


def median(points: list) -> float:
    return statistics.median(value for _, _, value in points)


def not_finite(rule: dict, name: str, points: list) -> tuple | None:
    for step, _, value in points:
        if not math.isfinite(value):
            advice = "lower the learning rate, clip gradients, or look at that batch"
            return step, f"{name} is {value}", f"{name} was {value} at step {step}; {advice}"
    return None


def divergence(rule: dict, name: str, points: list) -> tuple | None:
    """Each of the last `points` is worse than each of the best window of as many, and the median `factor` times.

    And a tenth of what was gained since the start is lost, since a loss near 0 swings by any factor. Silent where
    the best is not above 0: the loss of GRPO lies around 0, and has no factor.
    """
    size, factor = rule.get("points", 8), rule.get("factor", 2.0)
    lower, values = rule.get("mode", "min") == "min", [value for *_, value in finite(points)]
    if len(values) < 2 * size:
        return None
    windows = [values[at : at + size] for at in range(len(values) - size + 1)]
    good, now = (min if lower else max)(windows, key=statistics.median), windows[-1]
    best, last, first = statistics.median(good), statistics.median(now), statistics.median(windows[0])
    apart = min(now) > max(good) if lower else max(now) < min(good)
    limit = best + LOST * (first - best)
    if best <= 0 or not apart or (last <= max(limit, best * factor) if lower else last >= min(limit, best / factor)):
        return None
    text = f"{name} is {last:.4g}, after {best:.4g} at its best (medians of {size} points)"
    return points[-1][0], f"{name} diverges", text


def plateau(rule: dict, name: str, points: list) -> tuple | None:
    """No better by `min_delta`, relative to the best before, in the last `points` points."""
    size, points = rule.get("points", 20), finite(points)
    if len(points) < 2 * size:
        return None
    sign = 1 if rule.get("mode", "min") == "min" else -1
    before, after = min(sign * p[2] for p in points[:-size]), min(sign * p[2] for p in points[-size:])
    delta = rule.get("min_delta", 0.001)
    if before - after > delta * abs(before):
        return None
    better = f"best {sign * before:.4g} before, {sign * after:.4g} in the last {size} points: under {delta:.2%} better"
    return points[-1][0], f"{name} has stopped improving", better


def throughput(rule: dict, name: str, points: list) -> tuple | None:
    """With a metric: the median of its last `points` fell below (1 - drop) of the median before.

    Without: steps a second by the rows' times, over the last `points` rows, against the median of such windows.
    """
    size, drop = rule.get("points", 20), rule.get("drop", 0.5)
    if name:
        points = finite(points)
        if len(points) < 2 * size:
            return None
        before, now = median(points[:-size]), median(points[-size:])
    else:
        ends = range(len(points) - 1, size - 1, -size)
        spans = [(points[end][0] - points[end - size][0], points[end][1] - points[end - size][1]) for end in ends]
        paces = [steps / seconds for steps, seconds in spans if seconds >= 2 * FLUSH and steps > 0]
        if len(paces) < 2 or spans[0][1] < 2 * FLUSH:
            return None
        before, now = statistics.median(paces[1:]), paces[0]
    if now >= (1 - drop) * before:
        return None
    what = name or "steps a second"
    return points[-1][0], "training has slowed down", f"{what}: {now:.4g}, after {before:.4g} (last {size} points)"


def threshold(rule: dict, name: str, points: list) -> tuple | None:
    above, limit = rule["rule"] == "above", rule["value"]
    for step, _, value in points:
        if value > limit if above else value < limit:
            return step, f"{name} is {rule['rule']} {limit:g}", f"{name} was {value:.6g} at step {step}"
    return None


RULES = {
    "not-finite": not_finite, "divergence": divergence, "plateau": plateau, "throughput": throughput,
    "above": threshold, "below": threshold,
}  # fmt: skip


def judge(rules: list[dict], metrics: dict[str, list]) -> list[dict]:
    """The rules that are broken now: [{rule, metric, level, step, title, text}]."""
    loss = next((name for name in LOSSES if name in metrics), None)
    found = []
    for rule in rules:
        kind, named = rule["rule"], rule.get("metric")
        if kind == "not-finite" and not named:
            names = [name for name in metrics if name]
        elif kind == "throughput":
            names = [named or ""]
        else:
            names = [named or loss]
        for name in names:
            if name in metrics and (broken := RULES[kind](rule, name, metrics[name])):
                step, title, text = broken
                level = rule.get("level", "warn")
                found.append({"rule": kind, "metric": name, "level": level, "step": step, "title": title, "text": text})
    worse = {each["metric"] for each in found if each["rule"] == "divergence"}
    return [each for each in found if each["rule"] != "plateau" or each["metric"] not in worse]


def unseen(rules: list[dict], metrics: dict[str, list]) -> list[str]:
    """Metrics that a rule names and the run has not logged: a typing error would look like quiet."""
    return sorted({rule["metric"] for rule in rules if rule.get("metric") and rule["metric"] not in metrics})


def payload(url: str, alert: dict, project: str, run: str) -> dict:
    """What Slack, Discord or any other receiver takes."""
    host, place = urllib.parse.urlsplit(url).hostname or "", f"{project} / {run}, step {alert['step']}"
    line = f"[{alert['level'].upper()}] {alert['title']}"
    if host.endswith("hooks.slack.com"):
        return {"text": f"*{line}*\n{alert['text']}\n{place}"}
    if host.endswith(("discord.com", "discordapp.com")):
        return {"content": f"**{line}**\n{alert['text']}\n{place}"[:2000]}
    return {
        "project": project,
        "run": run,
        **{key: alert[key] for key in ("level", "rule", "metric", "step", "title", "text")},
    }


def post(url: str, document: dict) -> str | None:
    """None once the receiver has taken it, else why not. Three attempts; the address is never in the answer."""
    why = ""
    for attempt in range(3):
        if attempt:
            time.sleep(2**attempt)
        request = urllib.request.Request(
            url, json.dumps(document).encode(), {"Content-Type": "application/json", "User-Agent": "alert_rules"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10):
                return None
        except urllib.error.HTTPError as error:
            why = f"HTTP {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except (OSError, ValueError) as error:
            why = type(error).__name__
    return why


def record(folder: Path, project: str, run: dict, alerts: list[dict]) -> None:
    """Writes the alerts into trackio, by itself: the run is opened again, and nothing else of it changes."""
    os.environ["TRACKIO_DIR"] = str(folder)
    for name in ("TRACKIO_WEBHOOK_URL", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        os.environ.pop(name, None)  # what is recorded here is sent by --notify, and goes to no Space
    import trackio

    tracked = trackio.init(
        project=project, name=run["name"], resume="must", embed=False, auto_log_cpu=False, auto_log_gpu=False
    )
    for alert in alerts:
        level = trackio.AlertLevel(alert["level"])
        tracked.alert(alert["title"], alert["text"], level=level, step=alert["step"])
    trackio.finish()


def deliver(args: argparse.Namespace, url: str, report: dict, run: dict, newest: bool, keep: Path) -> list[str]:
    """Sends and records what is active and was not yet; returns what failed. Each is kept as soon as it is done."""
    failed = []
    for alert in report["alerts"] if args.notify else []:
        if alert["active"] and not alert["sent"]:
            why = post(url, payload(url, alert, report["project"], report["run"]))
            if why:
                failed.append(f"the webhook did not take {alert['title']!r}: {why}")
                continue
            alert["sent"] = True
            write_artifact(keep, report)
    due = [alert for alert in report["alerts"] if alert["active"] and not alert["recorded"]] if args.record else []
    if due and not newest:
        failed.append(f"--record: trackio would write to the newest run named {run['name']!r}, which is another")
    elif due:
        record(args.folder, report["project"], run, due)
        for alert in due:
            alert["recorded"] = True
        write_artifact(keep, report)
    return failed


def check(args: argparse.Namespace, rules: list[dict], url: str) -> tuple[dict, list[str], float]:
    """(report, failures, seconds since 1970 of the last row) of one look at the run."""
    with tempfile.TemporaryDirectory() as scratch:
        if args.space:
            from huggingface_hub import HfApi

            database = fetch_space(HfApi(), args.space, Path(scratch), args.project)
        else:
            database = project_database(args.folder, args.project)
        with open_database(database) as connection:
            runs = runs_of(connection)
            if not runs:
                raise Failure(f"{database.stem} has no run yet", "a run appears with its first log()", EXIT_USAGE)
            (run,) = chosen(runs, [args.run]) if args.run else runs[-1:]
            metrics = read_run(connection, run)
    project = args.project or database.stem
    keep = args.out / f"{project_key(project)}-{run['id'][:12]}.json"
    known = read_artifact(keep, "alert-report")["alerts"] if keep.is_file() else []
    broken = {(each["rule"], each["metric"]): each for each in judge(rules, metrics)}
    alerts = [{**each, "active": (each["rule"], each["metric"]) in broken} for each in known]
    seen = {(each["rule"], each["metric"]) for each in known}
    alerts += [
        each | {"active": True, "sent": False, "recorded": False} for key, each in broken.items() if key not in seen
    ]
    report = {
        "schema": "skillpack/alert-report/1", "project": project, "run": run["name"], "run_id": run["id"],
        "checked_step": metrics[""][-1][0], "rows": len(metrics[""]), "last_logged": run["last_logged"],
        "rules": rules, "not_logged": unseen(rules, metrics), "alerts": alerts,
    }  # fmt: skip
    write_artifact(keep, report)
    newest = run["id"] == [each for each in runs if each["name"] == run["name"]][-1]["id"]
    failed = deliver(args, url, report, run, newest, keep)
    return report, failed, metrics[""][-1][1]


def arguments(argv: list[str]) -> argparse.Namespace:
    top = parser(__doc__ or "")
    where = top.add_mutually_exclusive_group()
    where.add_argument("--dir", metavar="FOLDER", help="trackio's folder (default: TRACKIO_DIR, else its own default)")
    where.add_argument("--space", metavar="OWNER/NAME", help="watch the bucket of this Space instead")
    top.add_argument("--project", metavar="NAME", help="not needed where there is only one")
    top.add_argument("--run", metavar="NAME|ID", help="default: the newest run")
    top.add_argument("--rules", type=Path, metavar="FILE", help="JSON of the form that --print-rules writes")
    top.add_argument("--print-rules", action="store_true", help="print the rules in force, and do nothing else")
    top.add_argument("--fail-on", choices=LEVELS, default="warn", help="least level that exits 1 (default: warn)")
    top.add_argument("--follow", action="store_true", help="look again until a rule is broken or the run has ended")
    top.add_argument("--every", type=float, default=15, metavar="SECONDS", help="between two looks (default: 15)")
    top.add_argument("--for", type=float, dest="limit", metavar="SECONDS", help="with --follow, at most so long")
    top.add_argument(
        "--idle", type=float, default=600, metavar="SECONDS", help="silence that ends --follow (default: 600)"
    )
    top.add_argument("--notify", action="store_true", help="post new alerts to TRACKIO_WEBHOOK_URL")
    top.add_argument("--record", action="store_true", help="write new alerts into trackio")
    top.add_argument(
        "--out", type=Path, default=Path("alerts"), metavar="FOLDER", help="what was found (default: alerts)"
    )
    top.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = top.parse_args(argv)
    args.folder = tracking_folder(args.dir)
    if args.record and args.space:
        top.error("--record writes to a folder of this machine, not to a Space")
    if args.every <= 0 or args.idle <= 0 or (args.limit is not None and args.limit < 0):
        top.error("--every, --idle and --for are seconds above 0")
    if args.limit is not None and not args.follow:
        top.error("--for goes with --follow")
    return args


def main(argv: list[str]) -> int:
    args = arguments(argv)
    rules = read_artifact(args.rules, "alert-rules")["rules"] if args.rules else DEFAULT
    if args.print_rules:
        emit({"schema": "skillpack/alert-rules/1", "rules": rules})
        return EXIT_OK
    url = os.environ.get("TRACKIO_WEBHOOK_URL", "") if args.notify else ""
    if args.notify and urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise Failure("--notify needs an http or https address", "set TRACKIO_WEBHOOK_URL", EXIT_USAGE)
    begun = looked = time.monotonic()
    while True:
        try:
            report, failed, last = check(args, rules, url)
            looked = time.monotonic()
        except Failure as failure:  # a watch begins before the run has logged, and outlives a network that is away
            now, limit = time.monotonic() + args.every, args.limit if args.limit is not None else math.inf
            if not args.follow or now - looked > args.idle or now - begun > limit:
                raise
            log(f"waiting: {failure.problem}")
            time.sleep(args.every)
            continue
        for name in report["not_logged"]:
            log(f"warning: {name!r} has not been logged by {report['run']!r}: its rule is silent")
        broken = [
            alert for alert in report["alerts"]
            if alert["active"] and LEVELS.index(alert["level"]) >= LEVELS.index(args.fail_on)
        ]  # fmt: skip
        over = args.limit is not None and time.monotonic() - begun + args.every > args.limit
        ended = "alert" if broken else "idle" if time.time() - last > args.idle else "limit" if over else None
        if not args.follow or ended:
            break
        log(f"{report['run']}: step {report['checked_step']}, {report['rows']} rows, quiet")
        time.sleep(args.every)
    report["ended"] = ended if args.follow else None
    if args.json:
        emit({**report, "undelivered": failed})
    else:
        for alert in report["alerts"]:
            state = "" if alert["active"] else " (no longer)"
            say(f"{alert['level']:5}  step {alert['step']}  {alert['title']}: {alert['text']}{state}")
        if not report["alerts"]:
            say(f"quiet: {report['run']}, step {report['checked_step']}, {report['rows']} rows")
    for problem in failed:
        log(f"error: {problem}\n  fix: check the address and the network; the next call tries again")
    return EXIT_NO if broken else EXIT_FAILED if failed else EXIT_OK


if __name__ == "__main__":
    raise SystemExit(run(main))
