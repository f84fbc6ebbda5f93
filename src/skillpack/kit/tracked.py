"""The region of the scripts that read what trackio wrote: its databases, on this machine or behind a Space."""

from __future__ import annotations

import os
from pathlib import Path

from skillpack.kit.hub import on_hub
from skillpack.kit.script import EXIT_USAGE, Failure

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
