"""The scripts of the jobs skill as processes, each test as a user of the local Hub of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, JobInfo

from skillpack import samples
from skillpack.hub import processes
from tests.conftest import LocalHub

SKILL = Path(__file__).parents[2] / "skills/hugging-face-jobs"
SCRIPTS = SKILL / "scripts"


@dataclass(frozen=True)
class Desk:
    """A folder in which the scripts run as one user of the local Hub."""

    hub: LocalHub
    folder: Path
    user: str
    token: str

    @property
    def api(self) -> HfApi:
        return self.hub.api(self.token)

    def environment(self, **changes: str | None) -> dict[str, str]:
        """A change of None takes a variable away."""
        kept = {"HF_HOME": str(self.folder.parent / "hf-home"), **changes}
        found = self.hub.env(token=self.token) | {k: v for k, v in kept.items() if v is not None}
        return {name: value for name, value in found.items() if kept.get(name, "") is not None}

    def command(self, name: str, *arguments: object) -> list[str]:
        return [sys.executable, str(SCRIPTS / name), *map(str, arguments)]

    def script(self, name: str, *arguments: object, **changes: str | None) -> subprocess.CompletedProcess[str]:
        """A script of the skill, run to its end. No output holds the token."""
        done = subprocess.run(
            self.command(name, *arguments), cwd=self.folder, env=self.environment(**changes),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        for token in (self.token, changes.get("HF_TOKEN")):
            assert not token or token not in done.stdout + done.stderr
        assert "\nTraceback" not in f"\n{done.stderr}", done.stderr
        return done

    def json(self, name: str, *arguments: object, code: int = 0) -> Any:
        """What a script prints as JSON, and that it ends with `code`; `--json` goes before a `--`."""
        at = arguments.index("--") if "--" in arguments else len(arguments)
        done = self.script(name, *arguments[:at], "--json", *arguments[at:])
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def start(self, name: str, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(name, *arguments), cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's `&` ignores it
        )  # fmt: skip

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def dataset(self, name: str, rows: list[dict[str, Any]], private: bool = True) -> str:
        repo = f"{self.user}/{name}"
        self.api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        self.api.upload_file(path_or_fileobj=data, path_in_repo="train.jsonl", repo_id=repo, repo_type="dataset")
        return repo

    def run(self, *command: str, **options: Any) -> JobInfo:
        """A job by the real client, not by the scripts."""
        return self.api.run_job(image="python:3.12", command=list(command), namespace=self.user, **options)

    def jobs(self) -> list[JobInfo]:
        return list(self.api.list_jobs(namespace=self.user))

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
    user = f"user-{secrets.token_hex(4)}"
    folder = tmp_path / "desk"
    folder.mkdir()
    made = Desk(hub, folder, user, hub.add_token(user))
    yield made
    for job in made.jobs():
        if job.status.stage in ("SCHEDULING", "RUNNING"):
            made.api.cancel_job(job_id=job.id, namespace=user)


@pytest.fixture(scope="module")
def writer(hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model on the local Hub, readable by all: a stand-in for one that is worth its GPU."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    samples.write_tiny_model(folder, [text for text, _ in samples.docstrings()])
    api = hub.api()
    api.create_repo(f"{hub.user}/jobs-writer", exist_ok=True)
    api.upload_folder(repo_id=f"{hub.user}/jobs-writer", folder_path=folder)
    return f"{hub.user}/jobs-writer"
