"""watch_run.py as a process, against jobs of the local Hub that really run, fail, are killed and are canceled."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from huggingface_hub import JobInfo

from skillpack.hub import processes

from .conftest import SCRIPTS
from .hubrun import Bench, for_two_nodes


@pytest.fixture(scope="module")
def watch_run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("watch_run", SCRIPTS / "watch_run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(bench: Bench, *command: str, **options: Any) -> JobInfo:
    return bench.api.run_job(image="python:3.12", command=list(command), namespace=bench.user, **options)


def until(bench: Bench, condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come so far in time"
        time.sleep(0.1)


def kill(job_id: str) -> None:
    """As a machine that is taken away does: no process of the job has a last word."""
    for process in processes.of_job(job_id):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def log_of(bench: Bench, job_id: str) -> str:
    return "\n".join(bench.api.fetch_job_logs(job_id=job_id, namespace=bench.user))


@pytest.mark.slow
def test_a_run_goes_from_the_data_to_the_report_as_a_job(
    bench: Bench, published: tuple[str, str], watch_run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows = published
    assert bench.script("inspect_dataset.py", rows, "--model", model).returncode == 0
    planned = bench.script("plan_run.py", "--model", model, "--steps", 20, "--where", "hf-jobs", "--name", "end-to-end")
    assert planned.returncode == 0, planned.stderr
    assert bench.script("submit_run.py", "--yes").returncode == 0
    early = bench.script("watch_run.py", "runs/end-to-end", "--json")
    assert early.returncode == 5
    assert json.loads(early.stdout)["stage"] in ("SCHEDULING", "RUNNING")
    ended = bench.script("watch_run.py", "runs/end-to-end", "--follow")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Current step: 20/20" in ended.stdout
    assert "at start)" in ended.stdout and "Cost so far: $0.000" in ended.stdout and "(at most $" in ended.stdout
    record = json.loads((bench.folder / "runs/end-to-end/run.json").read_text())
    assert record["job"]["flavor"] == "cpu-basic" and record["job"]["cost_usd"] > 0
    assert not (bench.folder / "runs/end-to-end/model").exists()
    reported = bench.script("report_run.py", "runs/end-to-end")
    assert reported.returncode == 0, reported.stderr
    assert (bench.folder / "training_reports/end-to-end.md").is_file()
    assert "Dashboard: TRACKIO_DIR=runs/end-to-end/trackio trackio show --project end-to-end" in ended.stdout
    assert (bench.folder / "runs/end-to-end/trackio/end-to-end.db").is_file(), "the job's, from its bucket"
    fetched = bench.script("watch_run.py", "runs/end-to-end", "--download")
    assert fetched.returncode == 0, fetched.stderr
    folder = bench.folder / "runs/end-to-end"
    submission = json.loads((folder / "submission.json").read_text())
    watched = watch_run.Watched(bench.api, bench.user, record["job"]["ids"], submission)
    download = watched.api.download_bucket_files

    def and_another_watcher_writes(*arguments: Any, **options: Any) -> None:
        download(*arguments, **options)
        (folder / "run.json").write_text("{}")

    monkeypatch.setattr(watched.api, "download_bucket_files", and_another_watcher_writes)
    assert "run.json" in watched.fetch(folder, model=False)
    assert json.loads((folder / "run.json").read_text())["schema"] == "skillpack/run/1"
    assert not list(folder.glob(".fetch*"))
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(bench.folder / "runs/end-to-end" / record["model_path"])
    assert loaded.num_parameters() > 100_000
    again = bench.script("submit_run.py", "--yes")
    assert "is COMPLETED" in again.stderr
    assert len(bench.jobs()) == 1


@pytest.mark.slow
def test_a_job_that_was_killed_is_named_and_the_next_one_continues_from_its_checkpoint(bench: Bench) -> None:
    bench.edit(lambda plan: plan["settings"].update(steps=100_000, save_seconds=0.5))
    assert bench.script("submit_run.py", "--yes").returncode == 0
    first = bench.submission()["jobs"][0]["id"]
    until(bench, lambda: log_of(bench, first).count("'loss'") > 40)
    kill(first)
    failed = bench.script("watch_run.py", bench.run_folder, "--follow", "--json")
    assert failed.returncode == 1, failed.stderr
    status = json.loads(failed.stdout)
    assert status["diagnosis"]["kind"] == "killed"
    assert status["step"] > 40
    assert "submit_run.py --plan" in status["diagnosis"]["next"]

    assert bench.script("submit_run.py", "--yes").returncode == 0
    second = bench.submission()["jobs"][0]["id"]
    assert second != first
    until(bench, lambda: "'loss'" in log_of(bench, second))
    assert "resuming from checkpoint-" in log_of(bench, second)
    running = bench.script("watch_run.py", bench.run_folder, "--json")
    assert running.returncode == 5
    assert json.loads(running.stdout)["step"] > 1, "steps are counted from the checkpoint"
    assert json.loads(running.stdout)["seconds_left"] > 0

    follower = bench.start("watch_run.py", bench.run_folder, "--follow")
    time.sleep(2)
    bench.cancel_all()
    out, err = follower.communicate(timeout=30)
    assert follower.returncode == 6, err
    assert "was canceled" in out and "submit_run.py" in out


@pytest.mark.slow
def test_two_nodes_train_one_model(bench: Bench) -> None:
    bench.edit(for_two_nodes)
    assert bench.script("submit_run.py", "--yes").returncode == 0
    ended = bench.script("watch_run.py", bench.run_folder, "--follow", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    status = json.loads(ended.stdout)
    assert (status["step"], status["steps"]) == (12, 12)
    assert status["cost_usd"] == pytest.approx(0.0003, abs=1e-4), "a minute begun of each of two nodes"
    assert json.loads((bench.run_folder / "run.json").read_text())["job"]["nodes"] == 2
    assert all(job.status.stage == "COMPLETED" for job in bench.jobs())


@pytest.mark.slow
def test_rows_with_wrong_columns_are_named_from_the_jobs_own_log(bench: Bench) -> None:
    repo = bench.api.create_repo(f"{bench.user}/wrong", repo_type="dataset").repo_id
    bench.api.upload_file(
        repo_id=repo, repo_type="dataset", path_in_repo="rows.jsonl",
        path_or_fileobj="".join(json.dumps({"q": f"what {n}", "a": "that"}) + "\n" for n in range(20)).encode(),
    )  # fmt: skip
    bench.edit(lambda plan: plan["dataset"]["source"].update(id=repo))
    assert bench.script("submit_run.py", "--yes").returncode == 0
    done = bench.script("watch_run.py", bench.run_folder, "--follow", "--json")
    assert done.returncode == 1
    diagnosis = json.loads(done.stdout)["diagnosis"]
    assert diagnosis["kind"] == "columns"
    assert f"inspect_dataset.py {repo}" in diagnosis["next"]


@pytest.mark.slow
def test_a_run_that_has_too_little_memory_is_told_how_to_take_less(bench: Bench) -> None:
    assert bench.script("submit_run.py", "--yes", "--label", "rlimit-data-mb=400").returncode == 0
    done = bench.script("watch_run.py", bench.run_folder, "--follow", "--json")
    assert done.returncode == 1
    diagnosis = json.loads(done.stdout)["diagnosis"]
    assert diagnosis["kind"] == "oom", diagnosis
    assert "--where hf-jobs --max-length 128" in diagnosis["next"], "half of the plan's 256"


OOM = "x = []\nwhile True: x.append(bytearray(50_000_000))"
HUB_FILE = "from huggingface_hub import hf_hub_download as get; get('{private}', 'config.json')"
FAILURES = {
    # case: (kind, program, options of the job, what the next command holds)
    "main memory, within a limit": ("oom", OOM, {"labels": {"rlimit-as-mb": "500"}}, "--max-length"),
    "memory of torch": (
        "oom", "import torch; torch.empty(10**15)", {}, "--max-length"),
    "memory of a GPU": ("oom", "raise RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB')", {}, "memory"),
    "killed": ("killed", "import os; os.kill(os.getpid(), 9)", {}, "continues from the last checkpoint"),
    "timed out": ("timeout", "import time; time.sleep(60)", {"timeout": 1}, "--timeout"),
    "no token": ("auth", HUB_FILE, {}, "hf auth login"),
    "wrong token": ("auth", HUB_FILE, {"env": {"HF_TOKEN": "wrong"}}, "hf auth login"),
    "missing package": ("import", "import a_package_that_is_not_there", {}, "header"),
    "disk": ("disk", "open('/dev/full', 'w').write('x' * 100_000)", {}, "--lora"),
    "not a number": ("nan", "print('error: stopped by the loss was not a number for 3 steps'); exit(3)", {},
                     "--learning-rate"),
    "hub unreachable": ("hub", "import os; os.environ['HF_ENDPOINT'] = 'http://127.0.0.1:9'\n"
                        "from huggingface_hub import HfApi; HfApi().model_info('a/b')", {}, "continues"),
    "another plan's folder": ("plan", "print('error: /runs/x holds a run of another plan'); exit(2)", {}, "plan_run"),
    "something else": ("unknown", "raise ZeroDivisionError('one by none')", {}, "hf jobs logs"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_job_is_diagnosed_from_what_it_really_said(bench: Bench, case: str) -> None:
    kind, program, options, following = FAILURES[case]
    if "{private}" in program:
        private = bench.api.create_repo(f"{bench.user}/private", private=True).repo_id
        program = program.replace("{private}", private)
    job = run(bench, "python", "-c", program, **options)
    done = bench.script("watch_run.py", job.id, "--follow", "--json")
    assert done.returncode == 1, done.stderr
    status = json.loads(done.stdout)
    assert status["stage"] == "ERROR"
    assert status["diagnosis"]["kind"] == kind, status["diagnosis"]
    assert following in status["diagnosis"]["next"]
    assert "{" not in status["diagnosis"]["next"]
    shown = bench.script("watch_run.py", f"{bench.user}/{job.id}")
    assert shown.returncode == 1
    assert f"Job {job.id} has failed" in shown.stdout and "Cause: " in shown.stdout and "Next: " in shown.stdout


def test_every_stage_has_its_exit_code_and_ends_following(bench: Bench) -> None:
    assert bench.script("watch_run.py", run(bench, "true").id, "--follow").returncode == 0
    job = run(bench, "sleep", "60")
    assert bench.script("watch_run.py", job.id).returncode == 5
    follower = bench.start("watch_run.py", job.id, "--follow")
    time.sleep(1)
    bench.cancel_all()
    assert follower.wait(timeout=30) == 6
    import httpx2

    httpx2.delete(
        f"{bench.hub.url}/api/jobs/{bench.user}/{job.id}", headers={"Authorization": f"Bearer {bench.token}"}
    ).raise_for_status()
    deleted = bench.script("watch_run.py", job.id)
    assert deleted.returncode == 6
    assert "was deleted" in deleted.stdout


def test_the_status_is_the_block_that_people_know(watch_run: ModuleType) -> None:
    progress = watch_run.Progress(1200)
    progress.feed("run x in /runs/x: loading rows\n")
    for _ in range(849):
        progress.feed("{'loss': '2.41', 'grad_norm': '3.1', 'learning_rate': '2e-05', 'epoch': '0.1'}")
    progress.feed(" 71%|###  | 849/1200 [44:00<20:00]\r{'loss': 1.23, 'learning_rate': 1.2e-05, 'epoch': 0.2}")
    progress.feed("{'train_runtime': '9', 'train_loss': '1.5'}")
    status = {
        "what": "Job abc123xyz", "stage": "RUNNING", "elapsed_seconds": 2700, "cost_usd": 0.75, "at_most_usd": 2.0,
        "diagnosis": None, "next": [], "dashboard": None, **watch_run.figures(progress, 2910.0),
    }  # fmt: skip
    assert watch_run.block(status).splitlines() == [
        "Job abc123xyz is running (45 minutes elapsed)",
        "Current step: 850/1200",
        "Training loss: 1.23 (down from 2.41 at start)",
        "Learning rate: 1.2e-05",
        "Estimated completion: ~20 minutes",
        "Cost so far: $0.75 (at most $2.00)",
    ]


def test_an_earlier_attempts_failure_is_not_taken_for_the_last_ones(watch_run: ModuleType) -> None:
    progress = watch_run.Progress(10)
    progress.feed("run x in /runs/x: loading rows\ntorch.OutOfMemoryError: CUDA out of memory.")
    progress.feed("run x in /runs/x: loading rows\nOSError: [Errno 28] No space left on device")
    facts = watch_run.facts_of(None, None, None, "train_sft.py")
    assert watch_run.diagnose(progress, "Job failed with exit code: 1", facts)["kind"] == "disk"


def test_every_diagnosis_gives_a_whole_command(watch_run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [str(SCRIPTS / "watch_run.py")])
    facts = watch_run.facts_of({"plan": "my plan.json"}, None, None, None)
    for kind, _, cause, following in watch_run.DIAGNOSES:
        text = following.format_map(facts)
        assert "{" not in text and cause, kind
        for script in re.findall(r"python (\S+\.py)", text):
            assert Path(script).is_file(), script
    page = (SCRIPTS.parent / "references/troubleshooting.md").read_text()
    assert [kind for kind, *_ in watch_run.DIAGNOSES if f"`{kind}`" not in page] == []


@pytest.mark.parametrize(
    ("arguments", "changes", "code", "message"),
    [
        (["0123456789abcdef01234567"], {}, 3, "hf jobs ps -a"),
        (["no-such-folder/x.txt"], {}, 2, "is no folder"),
        (["."], {}, 2, "is not a run"),
        (["0123456789abcdef01234567"], {"HF_TOKEN": None}, 3, "no Hugging Face token"),
        (["0123456789abcdef01234567"], {"HF_TOKEN": "hf_unknownToTheHub0123"}, 3, "hf auth login"),
        (["0123456789abcdef01234567"], {"HF_ENDPOINT": "http://127.0.0.1:9"}, 3, "cannot be reached"),
        (["somebody/0123456789abcdef01234567"], {}, 3, "403"),
    ],
)
def test_what_cannot_be_watched_says_why(
    bench: Bench, arguments: list[str], changes: dict[str, str | None], code: int, message: str
) -> None:
    done = bench.script("watch_run.py", *arguments, **changes)
    assert done.returncode == code, done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
    assert bench.token not in done.stdout + done.stderr


def test_a_submission_from_the_future_or_in_pieces_is_refused(bench: Bench) -> None:
    path = bench.folder / "submission.json"
    path.write_text(json.dumps({"schema": "skillpack/submission/9"}))
    assert "this script reads 'skillpack/submission/1'" in bench.script("watch_run.py", path).stderr
    path.write_text("{")
    assert bench.script("watch_run.py", path).returncode == 2


def test_a_job_of_a_pair_that_fails_names_the_one_that_still_costs(bench: Bench) -> None:
    failed, waiting = run(bench, "false"), run(bench, "sleep", "60")
    bench.edit(for_two_nodes)
    document = json.loads(bench.script("submit_run.py", "--json").stdout)
    document |= {"state": "submitted", "jobs": [{"id": j.id, "node": n, "url": j.url} for n, j in
                                                enumerate((waiting, failed))]}  # fmt: skip
    bench.run_folder.mkdir(parents=True)
    (bench.run_folder / "submission.json").write_text(json.dumps(document))
    bench.api.wait_for_job(failed.id, namespace=bench.user, poll_interval=0.1)
    done = bench.script("watch_run.py", bench.run_folder, "--follow")
    assert done.returncode == 1, done.stderr
    assert f"Job {failed.id} has failed" in done.stdout
    assert f"hf jobs cancel {bench.user}/{waiting.id}" in done.stdout


def test_a_local_run_is_watched_by_what_it_wrote(bench: Bench) -> None:
    folder = bench.folder / "runs/here"
    folder.mkdir(parents=True)
    lines = [{"step": n, "seconds": 1.0, "time": time.time() - 5 + n, "loss": 3.0 - n / 2, "learning_rate": 1e-4}
             for n in (1, 2, 3)]  # fmt: skip
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 4, "lo')
    submission = {
        "schema": "skillpack/submission/1", "name": "here", "backend": "local", "state": "submitted", "label": "x",
        "plan": str(bench.plan), "plan_sha256": "0", "run_folder": str(folder), "steps": 12, "jobs": [],
        "pid": os.getpid(),
    }  # fmt: skip
    (folder / "submission.json").write_text(json.dumps(submission))
    running = bench.script("watch_run.py", folder, HF_TOKEN=None)
    assert running.returncode == 5, running.stderr
    assert "Current step: 3/12" in running.stdout
    assert "Training loss: 1.5 (down from 2.5 at start)" in running.stdout
    assert "Estimated completion: ~9 s" in running.stdout
    gone = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", ""])
    os.waitpid(gone, 0)
    (folder / "submission.json").write_text(json.dumps({**submission, "pid": gone}))
    killed = bench.script("watch_run.py", folder, "--follow")
    assert killed.returncode == 1
    assert "it was killed from outside" in killed.stdout and "train_sft.py --plan" in killed.stdout


def test_interrupting_the_watcher_leaves_the_job_running(bench: Bench) -> None:
    job = run(bench, "sleep", "60")
    follower = bench.start("watch_run.py", job.id, "--follow")
    time.sleep(1.5)
    follower.send_signal(signal.SIGINT)
    assert follower.wait(timeout=20) == 130
    stage = bench.api.inspect_job(job_id=job.id, namespace=bench.user).status.stage
    assert stage in ("RUNNING", "SCHEDULING")


def test_the_time_left_is_that_of_this_attempt_and_not_of_the_burst_that_a_log_begins_with(
    watch_run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(watch_run.time, "monotonic", lambda: now[0])
    step = "{'loss': '1.5', 'learning_rate': '2e-05'}"
    progress = watch_run.Progress(1000)
    progress.feed("run x in /runs/x: loading rows\nresuming from checkpoint-400\n" + f"{step}\n" * 100)
    assert (progress.step, progress.seconds_left(200.0)) == (500, 1000.0), "2 s a step since the checkpoint"
    for _ in range(10):
        now[0] += 3.0
        progress.feed(step)
    assert progress.seconds_left(230.0) == pytest.approx(490 * 3.0), "the pace that is seen"


# --- trackio ----------------------------------------------------------------------------------------------------------


def track(folder: Path, *losses: float, alert: bool = False) -> Path:
    """What a script that logs to trackio alone leaves in `folder`, written by trackio itself; the database."""
    program = (
        "import sys, trackio\n"
        "trackio.init(project='mine', name='a-run', embed=False)\n"
        "for step, loss in enumerate(map(float, sys.argv[2:]), 1):\n"
        "    trackio.log({'train/loss': loss, 'train/learning_rate': 1e-4, 'accuracy': step / 10}, step=step)\n"
        "if sys.argv[1] == 'True': trackio.alert('loss is flat', text='since step 2')\n"
        "trackio.finish()\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(alert), *map(str, losses)],
        env={**os.environ, "TRACKIO_DIR": str(folder)}, check=True, capture_output=True,
    )  # fmt: skip
    return folder / "mine.db"


def test_a_script_that_logs_to_trackio_alone_is_watched_by_its_database(script, tmp_path: Path) -> None:
    database = track(tmp_path / "mine/trackio", 3.0, 2.0, 1.5, alert=True)
    running = script("watch_run.py", "mine")
    assert running.returncode == 5, running.stderr
    assert running.stdout.splitlines() == [
        running.stdout.splitlines()[0],
        "Current step: 3/? (from trackio)",
        "Training loss: 1.5 (down from 3 at start)",
        "Learning rate: 0.0001",
        "Metrics: train/loss 1.5, train/learning_rate 0.0001, accuracy 0.3",
        "Cost so far: $0.00",
        "Alert (warn at step 3): loss is flat: since step 2",
        "Dashboard: TRACKIO_DIR=mine/trackio trackio show --project mine",
    ]
    status = json.loads(script("watch_run.py", "mine", "--json").stdout)
    assert (status["source"], status["step"], status["metrics"]["accuracy"]) == ("trackio", 3, 0.3)
    assert status["alerts"][0]["title"] == "loss is flat"
    os.utime(database, (0, time.time() - 3600))
    silent = script("watch_run.py", "mine", "--follow")
    assert silent.returncode == 3
    assert "trackio has heard nothing for ten minutes" in silent.stdout


def test_the_log_comes_first_and_trackio_adds_what_it_lacks(script, tmp_path: Path) -> None:
    track(tmp_path / "run/trackio", 9.0, 8.0, alert=True)
    line = {"step": 7, "seconds": 1.0, "time": time.time(), "loss": 0.5, "learning_rate": 1e-4}
    (tmp_path / "run/log.jsonl").write_text(json.dumps(line) + "\n")
    status = json.loads(script("watch_run.py", "run", "--json").stdout)
    assert (status["source"], status["step"], status["loss"]) == ("log.jsonl", 7, 0.5)
    assert status["metrics"]["accuracy"] == 0.2 and len(status["alerts"]) == 1


def test_a_loss_that_is_not_a_number_is_null_in_json(script, tmp_path: Path) -> None:
    track(tmp_path / "run/trackio", 2.0, float("nan"))
    assert "Training loss: nan (gone from 2 at start)" in script("watch_run.py", "run").stdout
    done = script("watch_run.py", "run", "--json")
    assert json.loads(done.stdout, parse_constant=pytest.fail)["loss"] is None


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"x" * 5000])
def test_a_database_that_cannot_be_read_is_a_warning(script, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run/trackio").mkdir(parents=True)
    (tmp_path / "run/trackio/run.db").write_bytes(content)
    alone = script("watch_run.py", "run")
    assert alone.returncode == 2
    assert "trackio cannot be read" in alone.stderr and "run is not a run" in alone.stderr
    line = {"step": 7, "seconds": 1.0, "time": time.time(), "loss": 0.5, "learning_rate": 1e-4}
    (tmp_path / "run/log.jsonl").write_text(json.dumps(line) + "\n")
    beside = script("watch_run.py", "run", "--json")
    assert beside.returncode == 5
    assert "warning" in beside.stderr and json.loads(beside.stdout)["dashboard"] is None


def test_a_training_run_leaves_its_trackio_in_its_folder_and_watch_finds_it(script, plan, tmp_path: Path) -> None:
    done = script("train_sft.py", "--plan", plan(steps=3), TRACKIO_DIR="")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "runs/tiny/trackio").glob("*.db*")] == ["tiny.db"], "no second file"
    (tmp_path / "runs/tiny/log.jsonl").unlink()
    status = json.loads(script("watch_run.py", "runs/tiny", "--json").stdout)
    assert (status["stage"], status["source"], status["step"], status["steps"]) == ("COMPLETED", "trackio", 3, 3)
    assert status["dashboard"] == "TRACKIO_DIR=runs/tiny/trackio trackio show --project tiny"


def test_where_trackio_was_told_to_write_it_is_found_as_well(script, plan, tmp_path: Path) -> None:
    (tmp_path / "runs/my.run").mkdir(parents=True)
    database = track(tmp_path / "elsewhere", 3.0, 2.0)
    database.rename(database.with_name("myrun.db"))
    found = json.loads(script("watch_run.py", "runs/my.run", "--json", TRACKIO_DIR=str(tmp_path / "elsewhere")).stdout)
    assert (found["step"], found["loss"]) == (2, 2.0)
    assert script("watch_run.py", "runs/my.run").returncode == 2


def test_a_job_whose_log_tells_nothing_is_watched_by_the_trackio_in_its_bucket(bench: Bench) -> None:
    job = run(bench, "true")
    document = json.loads(bench.script("submit_run.py", "--json").stdout)
    document |= {"state": "submitted", "jobs": [{"id": job.id, "node": 0, "url": job.url}]}
    bench.run_folder.mkdir(parents=True)
    (bench.run_folder / "submission.json").write_text(json.dumps(document))
    bench.api.create_bucket(document["bucket"], private=True)
    database = track(bench.folder / "made-by-the-job", 3.0, 2.0, alert=True)
    bench.api.batch_bucket_files(
        document["bucket"], add=[(str(database), f"{document['bucket_folder']}/trackio/mine.db")]
    )
    bench.api.wait_for_job(job.id, namespace=bench.user, poll_interval=0.1)
    done = bench.script("watch_run.py", bench.run_folder, "--json")
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert (status["source"], status["step"], status["loss"]) == ("trackio", 2, 2.0)
    assert status["alerts"][0]["title"] == "loss is flat"
    source = f"hf://buckets/{document['bucket']}/{document['bucket_folder']}/trackio"
    assert status["dashboard"].startswith(f"hf buckets sync {source} ")
