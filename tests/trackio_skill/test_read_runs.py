"""read_runs.py on what trackio wrote: the numbers are those that were logged, and NaN never wins."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import TRACKIO, Bench


def read(bench: Bench, command: str, *arguments: object, code: int = 0):
    return bench.json("read_runs.py", command, *arguments, code=code)


def test_projects_and_runs_are_those_that_trackio_lists(sweep: Bench) -> None:
    (project,) = read(sweep, "projects")["projects"]
    assert (project["project"], project["runs"], project["rows"], project["space"]) == ("sweep", 3, 11, None)
    runs = read(sweep, "runs")["runs"]
    theirs = json.loads(sweep.run(TRACKIO, "list", "runs", "--project", "sweep", "--json").stdout)["runs"]
    assert sorted(run["name"] for run in runs) == sorted(theirs) == ["base", "base", "wild"]
    assert [(run["rows"], run["last_step"], run["alerts"]) for run in runs] == [(3, 20, 0), (4, 30, 0), (4, 30, 1)]
    assert runs[1]["config"] == {"lr": 0.2, "peft": {"rank_pattern": {}, "r": 8}}, "without trackio's own keys"


def test_a_torn_database_hides_no_other(sweep: Bench) -> None:
    (sweep.tracked / "torn.db").write_bytes(b"SQLite format 3\0 and no more")
    good, torn = read(sweep, "projects")["projects"]
    assert good["rows"] == 11 and "torn.db" in torn["error"]


def test_metrics_are_summed_up_and_what_is_not_finite_is_counted(sweep: Bench) -> None:
    (run,) = read(sweep, "metrics", "--run", "wild", "--values")["runs"]
    loss = run["metrics"]["train/loss"]
    assert (loss["count"], loss["not_finite"], loss["last"]) == (4, 2, "Infinity")
    assert (loss["min"], loss["min_step"], loss["max"], loss["max_step"]) == (4.0, 0, 5.0, 10)
    assert [(step, value) for step, _, value in run["values"]["train/loss"]] == [
        (0, 4.0), (10, 5.0), (20, "NaN"), (30, "Infinity")
    ]  # fmt: skip
    assert sorted(run["metrics"]) == ["eval/accuracy", "train/loss"], "text and flags are no metrics"


def test_the_best_run_is_by_a_finite_value_and_the_mode_is_never_guessed(sweep: Bench) -> None:
    lowest = read(sweep, "best", "--metric", "train/loss", "--mode", "min")
    assert (lowest["best"]["value"], lowest["best"]["step"], lowest["best"]["config"]["lr"]) == (1.0, 20, 0.2)
    assert [run["value"] for run in lowest["ranked"]] == [1.0, 2.0, 4.0]
    last = read(sweep, "best", "--metric", "train/loss", "--mode", "min", "--at", "last")
    assert [run["value"] for run in last["ranked"]] == [1.5, 2.0]
    assert [(run["name"], run["reason"]) for run in last["left_out"]] == [("wild", "its last value is not a number")]
    assert read(sweep, "best", "--metric", "train/loss", "--mode", "max")["best"]["value"] == 5.0
    none = read(sweep, "best", "--metric", "train/los", "--mode", "min", code=1)
    assert none["best"] is None and {run["reason"] for run in none["left_out"]} == {"never logged"}
    assert sweep.script("read_runs.py", "best", "--metric", "train/loss").returncode == 2


def test_runs_are_compared_by_what_differs(sweep: Bench) -> None:
    ids = [run["id"] for run in read(sweep, "runs")["runs"]]
    found = read(sweep, "compare", "--run", ids[0][:8], "--run", "base")
    assert [run["id"] for run in found["runs"]] == ids[:2], "a name is the newest of that name"
    assert found["config"] == {"lr": [0.1, 0.2], "peft.rank_pattern": [None, {}], "peft.r": [None, 8]}
    assert found["metrics"]["train/loss"]["min"] == [2.0, 1.0]
    alone = sweep.script("read_runs.py", "compare", "--run", "wild")
    assert alone.returncode == 2 and "two or more" in alone.stderr


def test_tables_hold_every_row_in_three_formats(sweep: Bench, tmp_path: Path) -> None:
    for kind in ("csv", "json", "parquet"):
        assert read(sweep, "export", "--to", f"out.{kind}")["rows"] == 11
    columns = ["run", "run_id", "step", "time", "eval/accuracy", "train/loss"]
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == columns and [row["train/loss"] for row in rows[-4:]] == ["4.0", "5.0", "nan", "inf"]
    as_json = json.loads((tmp_path / "out.json").read_text())
    assert [row["train/loss"] for row in as_json[-4:]] == [4.0, 5.0, "NaN", "Infinity"]
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.column_names == columns and table.num_rows == 11
    assert table["train/loss"].to_pylist()[:7] == [4.0, 3.0, 2.0, 4.0, 2.0, 1.0, 1.5]
    nothing = sweep.script("read_runs.py", "export", "--metric", "absent", "--to", "none.csv")
    assert nothing.returncode == 1 and not (tmp_path / "none.csv").exists()


def test_a_plot_is_a_picture_of_the_chosen_runs(sweep: Bench, tmp_path: Path) -> None:
    found = read(sweep, "plot", "--metric", "train/loss", "--metric", "eval/accuracy", "--to", "loss.png")
    assert sorted(found["points"]["train/loss"].values()) == [2, 3, 4], "what is not finite is not drawn"
    whole = (tmp_path / "loss.png").read_bytes()
    assert whole.startswith(b"\x89PNG") and len(whole) > 10_000
    read(sweep, "plot", "--metric", "train/loss", "--run", "wild", "--x", "seconds", "--smooth", "3", "--to", "one.png")
    assert (tmp_path / "one.png").read_bytes() != whole
    absent = sweep.script("read_runs.py", "plot", "--metric", "absent", "--to", "absent.png")
    assert absent.returncode == 1 and not (tmp_path / "absent.png").exists()


def test_sql_reads_each_number_once_and_writes_nothing(sweep: Bench) -> None:
    sql = (
        "SELECT run, count(*) AS n, count(value) AS numbers, min(value) AS low FROM points WHERE metric = 'train/loss' "
    )
    rows = read(sweep, "query", sql + "GROUP BY run_id ORDER BY min(time)")["rows"]
    assert [(row["run"], row["n"], row["numbers"], row["low"]) for row in rows] == [
        ("base", 3, 3, 2.0), ("base", 4, 4, 1.0), ("wild", 4, 3, 4.0)
    ]  # fmt: skip
    theirs = sweep.run(
        TRACKIO, "query", "project", "--project", "sweep", "--sql", "SELECT count(*) n FROM metrics", "--json"
    )
    assert json.loads(theirs.stdout)["rows"] == read(sweep, "query", "SELECT count(*) n FROM metrics")["rows"]
    before = (sweep.tracked / "sweep.db").read_bytes()
    for bad in (
        "DELETE FROM metrics",
        "ATTACH 'x.db' AS x",
        "SELECT nothing FROM metrics",
        "SELECT 1; SELECT 2",
        "DROP VIEW points",
    ):
        done = sweep.script("read_runs.py", "query", bad)
        assert done.returncode == 2 and "SQL:" in done.stderr, bad
    assert (sweep.tracked / "sweep.db").read_bytes() == before


def test_a_run_is_read_while_it_is_being_written(bench: Bench) -> None:
    program = (
        "import sys, subprocess, trackio\n"
        "trackio.init(project='live', name='now', embed=False, auto_log_cpu=False)\n"
        "for step in range(5): trackio.log({'loss': 1.0 / (step + 1)}, step=step)\n"
        "import time; time.sleep(1.2)\n"
        "done = subprocess.run(sys.argv[1:], check=True)\n"
        "trackio.log({'loss': 0.1}, step=5); trackio.finish()\n"
    )
    script = Path(__file__).parents[2] / "skills/hugging-face-trackio/scripts/read_runs.py"
    bench.python(program, os.sys.executable, script, "export", "--project", "live", "--to", "during.json")
    assert len(json.loads((bench.folder / "during.json").read_text())) == 5
    assert read(bench, "runs")["runs"][0]["rows"] == 6


BAD = [
    (["runs", "--project", "swep"], "there are: sweep"),
    (["runs", "--dir", "nowhere"], "nothing was logged there"),
    (["projects", "--dir", "nowhere"], "no such folder"),
    (["metrics", "--run", "bas"], "no run 'bas'"),
    (["export", "--to", "out.xlsx"], "must end in"),
    (["plot", "--metric", "train/loss", "--to", "out.pdf"], "must end in"),
    (["plot", "--metric", "train/loss", "--smooth", "0", "--to", "a.png"], "1 or more"),
    (["best", "--metric", "a", "--metric", "b", "--mode", "min"], "one --metric"),
    (["runs", "--dir", ".", "--space", "a/b"], "not allowed with"),
    ([], "COMMAND"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[said for _, said in BAD])
def test_bad_input_is_refused_with_the_way_out(sweep: Bench, arguments: list[str], said: str) -> None:
    done = sweep.script("read_runs.py", *arguments)
    assert done.returncode == 2 and said in done.stderr and not done.stdout
