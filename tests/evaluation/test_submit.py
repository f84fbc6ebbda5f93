"""submit_eval.py: the plan and its price, nothing without --yes, a job on the local Hub, and its result fetched."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from .conftest import Desk, questions

ROWS = ("--data", "rows.jsonl", "--question", "messages", "--answer", "messages", "--score", "choice")


def wait(desk: Desk, job: str) -> str:
    end = time.monotonic() + 120
    while (stage := str(desk.api.inspect_job(job_id=job, namespace=desk.user).status.stage)) in (
        "RUNNING",
        "SCHEDULING",
    ):
        assert time.monotonic() < end
        time.sleep(0.2)
    return stage


@pytest.fixture
def model(desk: Desk, tiny_model: Path) -> str:
    name = f"{desk.user}/tiny"
    desk.api.create_repo(name, private=True)
    desk.api.upload_folder(repo_id=name, folder_path=tiny_model)
    desk.rows("rows.jsonl", questions(20))
    return name


@pytest.mark.slow
def test_a_job_evaluates_and_its_result_comes_here(desk: Desk, model: str) -> None:
    command = ("submit_eval.py", "mine", "--flavor", "cpu-basic", "--timeout", "10m")
    shown = desk.script(*command, "--", model, *ROWS)
    assert shown.returncode == 4 and "at most $0.0017" in shown.stdout and "cpu-basic" in shown.stdout
    assert f"{desk.hub.url}/api/jobs/hardware" in shown.stdout, "where the price is from"
    assert list(desk.api.list_jobs(namespace=desk.user)) == []
    dear = desk.script("submit_eval.py", "mine", "--timeout", "2h", "--max-cost", "0.5", "--yes", "--", model, *ROWS)
    assert dear.returncode == 1 and "t4-small" in dear.stdout and "can cost $0.80" in dear.stderr
    assert list(desk.api.list_jobs(namespace=desk.user)) == []

    done = desk.script(*command, "--yes", "--json", "--", model, *ROWS)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (started,) = document["jobs"]
    assert json.loads((desk.folder / "evals/mine.job.json").read_text()) == document
    again = json.loads(desk.script(*command, "--yes", "--json", "--", model, *ROWS).stdout)
    assert again["jobs"][0]["id"] == started["id"] and len(list(desk.api.list_jobs(namespace=desk.user))) == 1
    job = desk.api.inspect_job(job_id=started["id"], namespace=desk.user)
    assert desk.token not in json.dumps([job.command, job.arguments, job.environment, job.labels])
    assert wait(desk, started["id"]) == "COMPLETED", "\n".join(desk.api.fetch_job_logs(job_id=started["id"]))
    fetched = desk.json("submit_eval.py", "mine", "--fetch")
    assert fetched["stage"] == "COMPLETED"
    result = json.loads((desk.folder / "evals/mine/eval.json").read_text())
    assert result["model"]["id"] == model and result["model"]["kind"] == "hub" and len(result["model"]["version"]) == 40
    assert len((desk.folder / "evals/mine/samples/rows.jsonl").read_text().splitlines()) == 21
    assert not list((desk.folder / "evals").rglob("*.part-*"))


def test_what_would_fail_in_the_job_is_refused_before_it_costs(desk: Desk, model: str) -> None:
    def refused(*words: str, more: tuple = ()) -> str:
        done = desk.script("submit_eval.py", "mine", *more, "--yes", "--", *words)
        assert done.returncode == 2, done.stderr
        return done.stderr

    assert "no 'nothing'; the row has messages" in refused(model, *ROWS, "--choices", "nothing")
    assert "--out is not for a job" in refused(model, *ROWS, "--out", "x")
    assert "one of: cpu-basic" in refused(model, *ROWS, more=("--flavor", "abacus"))
    assert "of the Hub" in refused(str(desk.folder), *ROWS)
    assert desk.script("submit_eval.py", "mine", "--fetch").returncode == 2
    assert list(desk.api.list_jobs(namespace=desk.user)) == []
