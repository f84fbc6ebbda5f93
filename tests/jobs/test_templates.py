"""The job templates of assets/, each run as a job of the local Hub, with a tiny model in place of a large one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import SKILL, Desk

ASSETS = SKILL / "assets"


def submitted(desk: Desk, name: str, *arguments: object) -> str:
    kept = ("--volume", f"hf://buckets/{desk.user}/out:/out")
    made = desk.json("submit_job.py", ASSETS / name, "--flavor", "cpu-basic", *kept, "--yes", *arguments)
    return str(made["jobs"][0]["id"])


def fetched(desk: Desk, name: str) -> Path:
    target = desk.folder / name
    desk.api.download_bucket_files(f"{desk.user}/out", [(name, target)], raise_on_missing_files=True)
    return target


@pytest.mark.slow
def test_the_three_templates_do_their_work_as_jobs(desk: Desk, writer: str) -> None:
    rows = [{"prompt": f"what is {n}?", "topic": f"thing {n % 2}", "size": n} for n in range(6)]
    data = desk.dataset("prompts", rows)
    fed = ("--model", writer, "--max-new-tokens", 4, "--out", "/out")
    jobs = {
        "answers": submitted(desk, "batch_inference.py", "--", "--dataset", data, *fed, "--chunk", 4,
                             "--push-to", f"{desk.user}/answered"),
        "made": submitted(desk, "synthetic_data.py", "--", "--topics", data, *fed, "--per-topic", 2, "--keep-cut",
                          "--question-prompt", "{topic}", "--answer-temperature", 1),
        "counted": submitted(desk, "dataset_statistics.py", "--volume", f"hf://datasets/{data}:/dataset", "--",
                             "/dataset", "--out", "/out"),
        "wrong": submitted(desk, "batch_inference.py", "--name", "wrong", "--", "--dataset", data, *fed,
                           "--column", "question"),
    }  # fmt: skip
    status = desk.json("watch_jobs.py", *jobs.values(), "--follow", code=1)
    stages = {job["id"]: job["stage"] for job in status["jobs"]}
    assert {name: stages[job] for name, job in jobs.items()} == {
        "answers": "COMPLETED", "made": "COMPLETED", "counted": "COMPLETED", "wrong": "ERROR",
    }, "\n".join(desk.log(job) for job in jobs.values())  # fmt: skip
    [wrong] = [job["diagnosis"] for job in status["jobs"] if job["id"] == jobs["wrong"]]
    assert wrong["kind"] == "columns" and "prompt, topic, size" in wrong["evidence"]

    answers = [json.loads(line) for line in fetched(desk, "answers.jsonl").read_text().splitlines()]
    assert [row["prompt"] for row in answers] == [row["prompt"] for row in rows]
    assert all(row["answer"] and row["finish"] in ("stop", "length") for row in answers)
    assert desk.api.dataset_info(f"{desk.user}/answered").private
    assert "writes with transformers" in desk.log(jobs["answers"])

    made = [json.loads(line) for line in fetched(desk, "rows.jsonl").read_text().splitlines()]
    assert {row["topic"] for row in made} <= {"thing 0", "thing 1"} and 1 <= len(made) <= 4
    assert all([turn["role"] for turn in row["messages"]] == ["user", "assistant"] for row in made)
    questions = [row["messages"][0]["content"].lower() for row in made]
    assert len(set(questions)) == len(questions) and {row["model"] for row in made} == {writer}

    counted = json.loads(fetched(desk, "statistics.json").read_text())
    assert (counted["rows"], counted["files"]) == (6, 1)
    columns = {column["name"]: column for column in counted["columns"]}
    assert columns["size"]["value"]["max"] == 5 and columns["topic"]["about_distinct"] == 2
    assert columns["prompt"]["length"]["min"] == 10 and columns["prompt"]["missing"] == 0


@pytest.mark.slow
def test_a_model_maps_a_dataset_in_shards(desk: Desk, writer: str) -> None:
    data = desk.dataset("prompts", [{"prompt": f"what is {n}?"} for n in range(3)])
    done = desk.script(
        "batch_map.py", "run", data, "--model", writer, "--env", "MAX_NEW_TOKENS=3", "--shards", 2, "--jobs", 1,
        "--timeout", "10m", "--yes", "--follow",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    merged = desk.json("batch_map.py", "merge", "batch_inference")
    import pyarrow.parquet as pq

    rows = [
        row for file in sorted((desk.folder / merged["folder"]).iterdir()) for row in pq.read_table(file).to_pylist()
    ]
    assert [row["prompt"] for row in rows] == ["what is 0?", "what is 1?", "what is 2?"]
    assert all(row["answer"] and row["finish"] == "length" for row in rows)
