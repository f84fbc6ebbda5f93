"""A server that stops, or is killed, while a job runs; jobs whose disk or secrets are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, JobStage
from huggingface_hub.errors import HfHubHTTPError

from skillpack.hub import processes, server


@pytest.fixture
def spawned(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def start(root: Path, spawned: list[subprocess.Popen[bytes]]) -> HfApi:
    address, process = server.spawn(root, "rose")
    spawned.append(process)
    return HfApi(endpoint=address.url, token=address.token)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_job_that_loses_its_server_ends_and_says_why(
    tmp_path: Path, spawned: list[subprocess.Popen[bytes]], how: signal.Signals
) -> None:
    api = start(tmp_path / "root", spawned)
    script = "setsid sleep 60 & echo up; exec sleep 60"
    job = api.run_job(image="i", command=["sh", "-c", script], secrets={"KEY": "planted-three"}, namespace="rose")
    made = api.create_scheduled_job(
        image="i", command=["true"], schedule="@daily", secrets={"KEY": "planted-three"}, namespace="rose"
    )
    for line in api.fetch_job_logs(job_id=job.id, namespace="rose", follow=True):
        if line == "up":
            break
    os.kill(spawned[0].pid, how)
    spawned[0].wait(timeout=20)
    api = start(tmp_path / "root", spawned)
    ended = api.inspect_job(job_id=job.id, namespace="rose")
    assert ended.status.stage == JobStage.ERROR and "local Hub" in (ended.status.message or "")
    assert processes.of_job(job.id) == []
    assert list(api.fetch_job_logs(job_id=job.id, namespace="rose"))[-1].endswith(ended.status.message or "?")
    for call in (
        lambda: api.rerun_job(job_id=job.id, namespace="rose"),
        lambda: api.trigger_scheduled_job(scheduled_job_id=made.id, namespace="rose"),
    ):
        with pytest.raises(HfHubHTTPError, match="memory only") as caught:
            call()
        assert caught.value.response.status_code == 409


def test_an_isolated_hub_gives_jobs_the_real_uv(tmp_path: Path, spawned: list[subprocess.Popen[bytes]]) -> None:
    address, process = server.spawn(tmp_path / "root", "rose", isolated=True)
    spawned.append(process)
    api = HfApi(endpoint=address.url, token=address.token)
    job = api.run_job(image="i", command=["uv", "--version"], namespace="rose")
    shown = list(api.fetch_job_logs(job_id=job.id, namespace="rose", follow=True))
    assert shown[0].endswith("uv installs what it needs") and shown[-1].startswith("uv 0.")


def test_a_job_that_floods_its_log_is_cut_short_and_the_server_lives(tmp_path: Path) -> None:
    import skillpack.hub.joblog as joblog
    from skillpack.hub.joblog import LogWriter, read_from

    path = tmp_path / "log.jsonl"
    writer = LogWriter(path)
    line = b"x" * 60_000 + b"\n"
    began = time.monotonic()
    for _ in range(joblog.MAX_LOG_BYTES // len(line) + 50):
        writer.feed(line)
    writer.close()
    assert path.stat().st_size < joblog.MAX_LOG_BYTES + 200_000 and time.monotonic() - began < 20
    assert read_from(path, 0)[0]
    assert "dropped" in joblog.tail(path, 1)[0][0]


def test_a_full_disk_ends_the_job_and_not_the_server(tmp_path: Path) -> None:
    from skillpack.hub import auth, runner
    from skillpack.hub.server import ThreadServer

    with ThreadServer(tmp_path) as running:
        auth.add_namespace(running.hub, "rose")
        api = HfApi(endpoint=running.url, token=auth.add_token(running.hub, "rose"))
        labels = {"rlimit-fsize-mb": "1"}
        write = ["python", "-c", "open('f', 'wb').write(bytes(5_000_000))"]
        job = api.run_job(image="i", command=write, labels=labels, namespace="rose")
        assert api.wait_for_job(job.id, namespace="rose", poll_interval=0.1).status.stage == JobStage.ERROR
        blocked = running.hub.root / "jobs"
        blocked.rename(running.hub.root / "jobs-moved")
        blocked.write_text("not a folder")
        job = api.run_job(image="i", command=["true"], namespace="rose")
        ended = api.wait_for_job(job.id, namespace="rose", poll_interval=0.1, timeout=20)
        assert ended.status.stage == JobStage.ERROR and runner.of(running.hub).runs == {}
