"""batch_map.py as a process: shards over jobs that are killed, and a whole that holds each row once."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import SCRIPTS, Desk, kill, until

ROWS = 200
MAPPED = """# /// script
# requires-python = ">=3.10"
# dependencies = []
# ///
import os, time
def double(rows):
    print("PART", rows[0]["n"], flush=True)
    if rows[0]["n"] >= 0 and os.environ.get("SLOW"):
        time.sleep(0.5)
    return [None if row["n"] % 50 == 7 else {"twice": 2 * row["n"]} for row in rows]
def twins(rows):
    return [[{"copy": 0}, {"copy": 1}] for row in rows]
def short(rows):
    return rows[:-1]
def words(rows):
    return ["a word" for row in rows]
def crash(rows):
    raise KeyError("ü")
def late(rows):
    time.sleep(6)
    crash(rows)
def pictures(rows):
    return [{"picture": b"x"} for row in rows]
"""


def numbers(desk: Desk, count: int = ROWS) -> str:
    return desk.dataset("numbers", [{"n": n, "text": f"row {n}\u2028\u00e9"} for n in range(count)])


def merged_rows(desk: Desk, folder: str) -> list[dict[str, object]]:
    files = sorted((desk.folder / folder).glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.mark.slow
def test_eight_shards_survive_three_killed_jobs_and_nothing_is_lost_or_doubled(desk: Desk) -> None:
    data = numbers(desk)
    desk.write("work.py", MAPPED)
    call = (
        "run", data, "--function", "work.py:double", "--env", "SLOW=1", "--shards", 8, "--jobs", 4, "--part-rows", 5,
        "--timeout", "10m", "--yes",
    )  # fmt: skip
    started = desk.json("batch_map.py", *call, code=5)
    assert (started["done"], len(started["jobs"]), started["open"]) == ([], 4, [])
    assert sorted(shard for job in started["jobs"] for shard in job["shards"]) == list(range(8))
    same = desk.json("batch_map.py", *call, code=5)
    assert [job["id"] for job in same["jobs"]] == [job["id"] for job in started["jobs"]], "nobody is at work twice"
    victims = [job["id"] for job in started["jobs"][:3]]
    for victim in victims:
        until(lambda victim=victim: sum("done" in line for line in desk.log_now(victim).splitlines()) >= 2)
        kill(victim)
    desk.wait(*victims)
    broken = desk.script("batch_map.py", "merge", "work")
    assert broken.returncode == 1 and "of 8 shards are not done" in broken.stderr
    rest = desk.json("batch_map.py", *call, "--follow", "--rounds", 2)
    assert rest["done"] == list(range(8)) and len(rest["jobs"]) >= 7
    lines = [re.findall(r"^PART (\d+)$", desk.log(job.id), re.M) for job in desk.jobs()]
    worked = Counter(int(first) for found in lines for first in found)
    assert sorted(worked) == list(range(0, ROWS, 5)), "every part was worked on"
    again = {first: times for first, times in worked.items() if times > 1}
    assert len(again) <= 3, f"a kill costs the part at hand and no other: {again}"
    merged = desk.json("batch_map.py", "merge", "work", "--push-to", "doubled", "--yes")
    assert (merged["rows_in"], merged["rows"]) == (ROWS, ROWS - 4)
    rows = merged_rows(desk, merged["folder"])
    assert rows == [{"n": n, "text": f"row {n}\u2028\u00e9", "twice": 2 * n} for n in range(ROWS) if n % 50 != 7]
    pushed = desk.api.list_repo_files(f"{desk.user}/doubled", repo_type="dataset")
    assert sum(name.endswith(".parquet") for name in pushed) == 8
    assert desk.api.dataset_info(f"{desk.user}/doubled").private
    jobs = len(desk.jobs())
    assert desk.json("batch_map.py", *call)["next"].startswith(f"python {SCRIPTS / 'batch_map.py'} merge work-")
    assert len(desk.jobs()) == jobs, "what is done is not started again"


def test_a_map_is_shown_tried_and_run_and_rows_may_become_several(desk: Desk) -> None:
    data = numbers(desk, 10)
    desk.write("work.py", MAPPED)
    tried = desk.script("batch_map.py", "try", data, "--function", "work.py:double", "--rows", 2)
    assert [row["twice"] for row in json.loads(tried.stdout)["rows"]] == [0, 2]
    call = ("run", data, "--function", "work.py:twins", "--shards", 3, "--jobs", 1, "--timeout", "10m")
    shown = desk.script("batch_map.py", *call)
    assert shown.returncode == 4 and "0 of 3 done, 3 to start, each kept" in shown.stdout, shown.stderr
    assert "rows       10, 4 in the largest shard" in shown.stdout and "at most $0.0017" in shown.stdout
    assert f"secrets    HF_TOKEN ({data} is private or gated)" in shown.stdout
    public = desk.dataset("public", [{"n": n} for n in range(9)], private=False)
    open_call = [public if word == data else word for word in call]
    card = desk.script("batch_map.py", *open_call, "--part-rows", 2).stdout
    assert "secrets" not in card and "rows       9, 3 in the largest shard" in card and "kept every 2 rows" in card
    assert "rows       not known" in desk.script("batch_map.py", *open_call, "--split", "train[:5]").stdout
    assert "--split one of: train" in desk.script("batch_map.py", *open_call, "--split", "dev").stderr
    assert desk.script("batch_map.py", *call, "--max-cost", "0.001").returncode == 1
    assert desk.jobs() == []
    assert desk.script("batch_map.py", *call, "--yes", "--follow").returncode == 0
    assert desk.script("batch_map.py", "status", "work").returncode == 0
    waits = desk.script("batch_map.py", "merge", "work", "--push-to", "twins")
    assert waits.returncode == 4 and "20 written to" in waits.stdout and "with --yes" in waits.stderr
    volumes = {volume.source: volume.path for volume in desk.jobs()[0].volumes or []}
    copies = volumes[f"{desk.user}/jobs-artifacts"]
    assert any(entry.path.startswith(f"{copies}/") for entry in desk.api.list_bucket_tree(
        f"{desk.user}/jobs-artifacts", recursive=True)), "as maps.md says"  # fmt: skip
    merged = desk.json("batch_map.py", "merge", "work")
    rows = merged_rows(desk, merged["folder"])
    assert [(row["n"], row["copy"]) for row in rows] == [(n, copy) for n in range(10) for copy in (0, 1)]
    shard = sorted((desk.folder / "maps").glob("work-*/parts/shard-00001/part-*.jsonl"))[0]
    text = shard.read_text()
    shard.write_text(text.replace('"copy": 1', '"copy": 9', 1))  # of the same size: fetching it again would not show
    shutil.copy(shard, shard.with_name("part-000000999.jsonl"))
    doubled = desk.script("batch_map.py", "merge", "work")
    assert doubled.returncode == 3 and "does not follow on row" in doubled.stderr
    bin_ = Path(sys.executable).parent
    env = desk.environment()
    for command in merged["left"]:
        subprocess.run(command, shell=True, cwd=desk.folder, env=env | {"PATH": f"{bin_}:{env['PATH']}"}, check=True)
    left = [path.relative_to(desk.folder).parts[-1] for path in desk.folder.rglob("*") if path.is_file()]
    assert sorted(left) == ["train-00000-of-00003.parquet", "train-00001-of-00003.parquet",
                            "train-00002-of-00003.parquet", "work.py"]  # fmt: skip
    assert list(desk.api.list_bucket_tree(f"{desk.user}/skillpack-maps", recursive=True)) == []


def test_more_shards_than_rows_are_no_failure(desk: Desk) -> None:
    data = numbers(desk, 2)
    desk.write("work.py", MAPPED)
    call = ("run", data, "--function", "work.py:twins", "--shards", 4, "--jobs", 1, "--timeout", "10m", "--yes")
    assert desk.json("batch_map.py", *call, "--follow")["done"] == [0, 1, 2, 3]
    merged = desk.json("batch_map.py", "merge", "work")
    assert (merged["rows_in"], len(merged_rows(desk, merged["folder"]))) == (2, 4)


def test_no_round_starts_what_nobody_agreed_to_and_the_ceiling_is_of_all_rounds(desk: Desk) -> None:
    data = numbers(desk, 4)
    desk.write("work.py", MAPPED.replace("dependencies = []", "dependencies = ['pyarrow']"))
    call = ("run", data, "--function", "work.py:late", "--shards", 1, "--jobs", 1, "--timeout", "10m")
    assert desk.script("batch_map.py", *call, "--yes").returncode == 5
    [job] = desk.jobs()
    command = job.command or []
    assert command[command.index("--with") + 1] == "pyarrow", "a header of one line counts"
    dear = desk.script("batch_map.py", *call, "--yes", "--follow", "--rounds", 2, "--max-cost", 0)
    assert dear.returncode == 1 and "at most $0.0017" in dear.stdout, "the round that follows on the job at work"
    assert desk.script("batch_map.py", *call, "--follow", "--rounds", 2).returncode == 5
    desk.wait(job.id)
    assert len(desk.jobs()) == 1
    failed = desk.script("batch_map.py", "status", "work")
    assert failed.returncode == 1 and "rows 0 to 3: the function raised KeyError: 'ü'" in failed.stdout


def test_what_goes_wrong_in_a_function_is_told(desk: Desk) -> None:
    data = numbers(desk, 4)
    desk.write("work.py", MAPPED)
    for tried, code, message in (
        (["--function", "work.py:words"], 2, "rows 0 to 2: the function gave a str for a row"),
        (["--function", "work.py:double", "--split", "dev"], 2, "check --config and --split"),
        (["--function", "work.py:double", "--rows", "0"], 2, "counts from 1"),
    ):
        done = desk.script("batch_map.py", "try", data, *tried)
        assert done.returncode == code and message in done.stderr, done.stderr
    missing = desk.script("batch_map.py", "try", "nobody/nothing", "--function", "work.py:double")
    assert missing.returncode == 3 and "check the name" in missing.stderr, missing.stderr
    call = ("run", data, "--function", "work.py:short", "--shards", 1, "--timeout", "10m", "--yes", "--follow")
    failed = desk.script("batch_map.py", *call)
    assert failed.returncode == 1
    assert "rows 0 to 3: the function gave 3" in failed.stdout and "the same `run` command again" in failed.stdout
    pictures = desk.script("batch_map.py", "try", data, "--function", "work.py:pictures")
    assert pictures.returncode == 2 and "holds bytes" in pictures.stderr
    changed = [word if word != "work.py:short" else "work.py:double" for word in call if word != "--yes"]
    other = desk.script("batch_map.py", *changed)
    assert other.returncode == 4 and "0 of 1 done, 1 to start" in other.stdout, "another function is another map"
    bucket = f"{desk.user}/skillpack-maps"
    desk.api.batch_bucket_files(bucket, add=[(b"{}", "work-00000000/map.json")])
    several = desk.script("batch_map.py", "status", "work")
    assert several.returncode == 2 and "2 maps are named 'work'" in several.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nobody/nothing", "--function", "work.py:double", "--timeout", "5m"], 3, "nobody/nothing"),
        (["run", "work.py", "--function", "work.py:double", "--timeout", "5m"], 2, "is on this machine"),
        (["run", "a/b", "--function", "work.py:triple", "--timeout", "5m"], 2, "it defines double"),
        (["run", "a/b", "--function", "double", "--timeout", "5m"], 2, "FILE.py:NAME"),
        (["run", "a/b", "--function", "work.py:double"], 2, "--timeout"),
        (["run", "a/b", "--timeout", "5m"], 2, "give --function"),
        (["run", "a/b", "--model", "c/d", "--timeout", "5m", "--env", "K=hf_abcdefghij012345"], 2, "--secret"),
        (["run", "a/b", "--model", "c/d", "--timeout", "5m", "--shards", "0"], 2, "count from 1"),
        (["merge", "nothing"], 2, "has no maps"),
    ],
)
def test_what_cannot_be_mapped_says_why(desk: Desk, arguments: list[str], code: int, message: str) -> None:
    desk.write("work.py", MAPPED)
    done = desk.script("batch_map.py", *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr, done.stderr
    assert desk.jobs() == []


def test_a_torn_part_is_none(tmp_path: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("batch_map", SCRIPTS / "batch_map.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path / "part.jsonl"
    whole = '{"first": 5, "rows": 2, "written": 2}\n{"a": 1}\n{"a": 2}\n'
    path.write_text(whole)
    assert module.whole_part(path, 5, 2) == [{"a": 1}, {"a": 2}]
    assert module.whole_part(path, 0, 2) is None and module.whole_part(path, 5, 3) is None
    for end in range(len(whole) - 1):
        path.write_text(whole[:end])
        assert module.whole_part(path, 5, 2) is None, whole[:end]
