"""The scripts of the jobs skill as processes, each test as a user of the local Hub of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import JobInfo

from skillpack import samples
from skillpack.hub import processes
from tests.conftest import LocalHub
from tests.desk import BaseDesk

SKILL = Path(__file__).parents[2] / "skills/hugging-face-jobs"
SCRIPTS = SKILL / "scripts"


class Desk(BaseDesk):
    scripts = SCRIPTS
    traceback = r"(?m)^Traceback"  # further right, it is what a job has said

    def run(self, *command: str, **options: Any) -> JobInfo:
        """A job by the real client, not by the scripts."""
        return self.api.run_job(image="python:3.12", command=list(command), namespace=self.user, **options)

    def stage(self, job_id: str) -> str:
        return str(self.api.inspect_job(job_id=job_id, namespace=self.user).status.stage)

    def wait(self, *ids: str) -> None:
        self.api.wait_for_job(list(ids), namespace=self.user, poll_interval=0.1, timeout=60)

    def log_now(self, job_id: str) -> str:
        return "\n".join(self.api.fetch_job_logs(job_id=job_id, namespace=self.user))

    def log(self, job_id: str) -> str:
        return "\n".join(self.api.fetch_job_logs(job_id=job_id, namespace=self.user, follow=True))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come so far in time"
        time.sleep(0.05)


def kill(job_id: str) -> None:
    """As a machine that is taken away does: no process of the job has a last word."""
    for process in processes.of_job(job_id):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


@pytest.fixture
def desk(hub: LocalHub, tmp_path: Path) -> Iterator[Desk]:
    made = Desk.new(hub, tmp_path / "desk")
    yield made
    for job in made.jobs():
        if job.status.stage in ("SCHEDULING", "RUNNING"):
            made.api.cancel_job(job_id=job.id, namespace=made.user)


@pytest.fixture(scope="module")
def writer(hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model on the local Hub, readable by all: a stand-in for one that is worth its GPU."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    samples.write_tiny_model(folder, [text for text, _ in samples.docstrings()])
    api = hub.api()
    api.create_repo(f"{hub.user}/jobs-writer", exist_ok=True)
    api.upload_folder(repo_id=f"{hub.user}/jobs-writer", folder_path=folder)
    return f"{hub.user}/jobs-writer"
