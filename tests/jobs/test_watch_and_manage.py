"""watch_jobs.py and manage_jobs.py as processes, on jobs that really run, fail, are killed and are canceled."""

from __future__ import annotations

import importlib.util
import json
import signal
import time
from types import ModuleType
from typing import Any

import pytest

from .conftest import SCRIPTS, Desk, kill, until

OOM = "x = []\nwhile True: x.append(bytearray(50_000_000))"
FAILURES: dict[str, tuple[str, list[str], dict[str, Any], str]] = {
    # case: (kind, command, options of the job, what the next command holds)
    "memory": ("oom", ["python", "-c", OOM], {"labels": {"rlimit-as-mb": "500"}}, "more memory"),
    "a package": ("import", ["python", "-c", "import a_package_that_is_not_there"], {}, "--with PACKAGE"),
    "a token": ("auth", ["python", "-c", "from huggingface_hub import whoami; whoami()"], {}, "--secret HF_TOKEN"),
    "a program": ("command", ["no-such-program"], {}, "correct the command"),
    "disk": ("disk", ["python", "-c", "open('/dev/full', 'w').write('x' * 100_000)"], {}, "more storage"),
    "time": ("timeout", ["sleep", "60"], {"timeout": 1}, "--timeout"),
    "the code": ("unknown", ["python", "-c", "raise ZeroDivisionError('one by none')"], {}, "hf jobs logs"),
}


def test_each_failed_job_is_diagnosed_from_what_it_really_said(desk: Desk) -> None:
    jobs = {case: desk.run(*command, **options).id for case, (_, command, options, _) in FAILURES.items()}
    killed = desk.run("sleep", "60").id
    until(lambda: desk.stage(killed) == "RUNNING")
    kill(killed)
    status = desk.json("watch_jobs.py", *jobs.values(), killed, "--follow", code=1)
    found = {job["id"]: job["diagnosis"] for job in status["jobs"]}
    assert {case: found[job]["kind"] for case, job in jobs.items()} == {case: f[0] for case, f in FAILURES.items()}
    assert found[killed]["kind"] == "killed"
    for case, job in jobs.items():
        assert FAILURES[case][3] in found[job]["next"], case
    assert "one by none" in found[jobs["the code"]]["evidence"]
    assert f"manage_jobs.py rerun {desk.user}/{killed} --yes" in found[killed]["next"]
    shown = desk.script("watch_jobs.py", jobs["the code"], "--logs", 2)
    assert shown.returncode == 1 and "ERROR" in shown.stdout and "one by none" in shown.stdout


def test_every_stage_has_its_exit_code_and_ends_following(desk: Desk) -> None:
    done, waiting = desk.run("echo", "well"), desk.run("sleep", "60", labels={"team": "ml"})
    followed = desk.script("watch_jobs.py", done.id, "--follow", "--logs", 5)
    assert followed.returncode == 0 and "COMPLETED" in followed.stdout and "well" in followed.stdout
    until(lambda: desk.stage(waiting.id) == "RUNNING")
    running = desk.json("watch_jobs.py", "--label", "team=ml", "--metrics", code=5)
    assert [job["id"] for job in running["jobs"]] == [waiting.id]
    assert running["cost_usd"] == 0.0002 and running["jobs"][0]["metrics"]["memory_of_gb"] > 10
    assert desk.script("watch_jobs.py").returncode == 5, "without a name: those that are active"
    follower = desk.start("watch_jobs.py", waiting.id, "--follow")
    time.sleep(1.5)
    follower.send_signal(signal.SIGINT)
    assert follower.wait(timeout=20) == 130
    assert desk.stage(waiting.id) == "RUNNING", "to stop watching stops no job"
    follower = desk.start("watch_jobs.py", done.id, waiting.id, "--follow")
    time.sleep(1.5)
    desk.api.cancel_job(job_id=waiting.id, namespace=desk.user)
    assert follower.wait(timeout=20) == 6


def test_when_a_node_fails_following_ends_and_names_those_that_still_cost(desk: Desk) -> None:
    group = {"network_group": "pair", "network_aliases": ["head"]}
    waiting, failing = desk.run("sleep", "60", **group), desk.run("false", **group)
    status = desk.json("watch_jobs.py", waiting.id, failing.id, "--follow", code=1)
    assert status["next"] == [f"python {SCRIPTS / 'manage_jobs.py'} cancel {desk.user}/{waiting.id} --yes"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["watch_jobs.py", "0123456789abcdef01234567"], 3, "hf jobs ps -a"),
        (["watch_jobs.py", "what?"], 2, "is no job id"),
        (["watch_jobs.py", "somebody/0123456789abcdef01234567"], 3, "403"),
        (["watch_jobs.py", "a/0123456789abcdef01234567", "b/0123456789abcdef01234567"], 2, "one namespace"),
        (["watch_jobs.py", "--label", "team=none"], 2, "has no job with team=none"),
        (["watch_jobs.py", "torn.json"], 2, "not JSON"),
        (["watch_jobs.py", "future.json"], 2, "this script reads 'skillpack/job-submission/1'"),
        (["manage_jobs.py", "cancel"], 2, "name the jobs"),
        (["manage_jobs.py", "cancel", "what?"], 2, "is no id"),
        (["manage_jobs.py", "rerun", "0123456789abcdef01234567"], 2, "has no job"),
        (["manage_jobs.py", "scheduled", "delete", "0123456789abcdef01234567"], 2, "has no schedule"),
        (["manage_jobs.py", "scheduled", "delete"], 2, "name the jobs"),
        (["manage_jobs.py", "list", "--label", "team"], 2, "KEY=VALUE"),
        (["manage_jobs.py", "list", "--limit", "-1"], 2, "counts from 0"),
        (["manage_jobs.py", "rerun", "0123456789abcdef01234567", "--stage", "ERROR"], 2, "in whichever stage"),
    ],
)
def test_what_cannot_be_watched_or_managed_says_why(desk: Desk, arguments: list[str], code: int, message: str) -> None:
    desk.write("torn.json", "{")
    desk.write("future.json", json.dumps({"schema": "skillpack/job-submission/9"}))
    done = desk.script(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr


def test_jobs_are_listed_and_canceled_by_label_after_a_look_at_which(desk: Desk) -> None:
    mine = [desk.run("sleep", "60", labels={"team": "ml"}).id for _ in range(2)]
    other, done = desk.run("sleep", "60"), desk.run("true", labels={"team": "ml"})
    desk.wait(done.id)
    listed = desk.json("manage_jobs.py", "list", "--label", "team=ml")
    assert [job["id"] for job in listed["jobs"]] == [done.id, *reversed(mine)]
    assert listed["cost_usd"] == pytest.approx(0.0005), "three minutes of $0.01 an hour, rounded once"
    assert listed["jobs"][0]["command"] == "true"
    only = desk.json("manage_jobs.py", "list", "--stage", "completed")
    assert [job["id"] for job in only["jobs"]] == [done.id]
    preview = desk.json("manage_jobs.py", "cancel", "--label", "team=ml", code=4)
    assert {job["id"] for job in preview["jobs"]} == set(mine) and preview["canceled"] == []
    assert {desk.stage(job) for job in mine} <= {"SCHEDULING", "RUNNING"}
    assert set(desk.json("manage_jobs.py", "cancel", "--label", "team=ml", "--yes")["canceled"]) == set(mine)
    assert [desk.stage(job) for job in mine] == ["CANCELED"] * 2
    assert desk.stage(other.id) in ("SCHEDULING", "RUNNING") and desk.stage(done.id) == "COMPLETED"
    again = desk.script("manage_jobs.py", "cancel", "--label", "team=ml", "--yes")
    assert again.returncode == 0 and "nothing to cancel" in again.stderr


def test_a_job_is_run_again_once_with_its_secrets(desk: Desk) -> None:
    program = "import os; print('length', len(os.environ['KEY'])); raise SystemExit(3)"
    failed = desk.run("python", "-c", program, secrets={"KEY": "value"}).id
    desk.wait(failed)
    assert desk.script("manage_jobs.py", "rerun", failed).returncode == 4
    assert len(desk.jobs()) == 1
    [rerun] = desk.json("manage_jobs.py", "rerun", f"{desk.user}/{failed}", failed, "--yes")["reruns"]
    desk.wait(rerun["id"])
    assert "length 5" in desk.log(rerun["id"])
    sleeping = desk.run("sleep", "60").id
    first = desk.json("manage_jobs.py", "rerun", sleeping, "--yes")["reruns"]
    assert desk.json("manage_jobs.py", "rerun", sleeping, "--yes")["reruns"][0]["id"] == first[0]["id"]
    assert desk.json("manage_jobs.py", "rerun", sleeping, "--again", "--yes")["reruns"][0]["id"] != first[0]["id"]


def test_schedules_are_suspended_resumed_triggered_and_deleted(desk: Desk) -> None:
    made = desk.api.create_scheduled_job(
        image="python:3.12", command=["sleep", "60"], schedule="@yearly", labels={"team": "ml"}, namespace=desk.user
    )
    row = desk.json("manage_jobs.py", "scheduled")["schedules"][0]
    assert (row["id"], row["state"], row["overlap"]) == (made.id, "active", "skipped")

    def suspended() -> bool | None:
        return desk.api.inspect_scheduled_job(scheduled_job_id=made.id, namespace=desk.user).suspend

    assert desk.script("manage_jobs.py", "scheduled", "suspend", made.id).returncode == 0
    assert suspended()
    assert desk.script("manage_jobs.py", "scheduled", "resume", "--label", "team=ml").returncode == 4
    assert desk.script("manage_jobs.py", "scheduled", "resume", "--label", "team=ml", "--yes").returncode == 0
    assert not suspended()
    done = desk.json("manage_jobs.py", "scheduled", "trigger", made.id, "--yes")["done"]
    assert [job.id for job in desk.jobs()] == [done[0]["job"]]
    overlapping = desk.script("manage_jobs.py", "scheduled", "trigger", made.id, "--yes")
    assert overlapping.returncode == 3 and "409" in overlapping.stderr
    assert desk.script("manage_jobs.py", "scheduled", "delete", made.id).returncode == 4
    assert desk.script("manage_jobs.py", "scheduled", "delete", made.id, "--yes").returncode == 0
    assert list(desk.api.list_scheduled_jobs(namespace=desk.user)) == []


@pytest.fixture(scope="module")
def watch_jobs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watch_jobs", SCRIPTS / "watch_jobs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_symptom_has_a_cause_and_a_whole_next_command(watch_jobs: ModuleType) -> None:
    assert {kind for kind, *_ in watch_jobs.DIAGNOSES} == set(watch_jobs.SYMPTOMS)
    for kind, _, cause, following in watch_jobs.DIAGNOSES:
        assert cause and "{" not in following.format_map({"again": "x", "logs": "y"}), kind
    page = (SCRIPTS.parent / "references/troubleshooting.md").read_text(encoding="utf-8")
    assert [kind for kind in (*watch_jobs.SYMPTOMS, "timeout", "unknown") if f"`{kind}`" not in page] == []
