"""What the tests of submit_run.py and watch_run.py share: inputs on the local Hub, plans for jobs, users."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, JobInfo

from tests import warm
from tests.conftest import LocalHub

from .conftest import SCRIPTS


@dataclass(frozen=True)
class Bench:
    """A folder in which the scripts run as one user of the local Hub, and a plan in it."""

    hub: LocalHub
    folder: Path
    user: str
    token: str
    plan: Path

    @property
    def api(self) -> HfApi:
        return self.hub.api(self.token)

    @property
    def run_folder(self) -> Path:
        return self.folder / "runs" / json.loads(self.plan.read_text())["name"]

    def environment(self, **changes: str | None) -> dict[str, str]:
        settings = {"TRACKIO_DIR": str(self.folder / "trackio")}
        environment = self.hub.env(token=self.token, **settings) | {k: v for k, v in changes.items() if v is not None}
        return {name: value for name, value in environment.items() if changes.get(name, "") is not None}

    def script(self, name: str, *arguments: object, **changes: str | None) -> subprocess.CompletedProcess[str]:
        """A script of the skill, run to its end; a change of None takes a variable away."""
        if name.startswith("train_"):
            command = [str(SCRIPTS / name), *map(str, arguments)]
            return warm.run(command, self.folder, self.environment(**changes), timeout=120)
        return subprocess.run(
            [sys.executable, str(SCRIPTS / name), *map(str, arguments)],
            cwd=self.folder, env=self.environment(**changes), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def start(self, name: str, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(SCRIPTS / name), *map(str, arguments)],
            cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's `&` ignores it
        )  # fmt: skip

    def edit(self, change: Callable[[dict[str, Any]], object]) -> None:
        document = json.loads(self.plan.read_text())
        change(document)
        self.plan.write_text(json.dumps(document))

    def jobs(self) -> list[JobInfo]:
        return list(self.api.list_jobs(namespace=self.user))

    def submission(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.run_folder / "submission.json").read_text())
        return found

    def cancel_all(self) -> None:
        for job in self.jobs():
            self.api.cancel_job(job_id=job.id, namespace=self.user)


def for_jobs(document: dict[str, Any]) -> None:
    """Makes a plan of this machine one for the cheapest flavor of Jobs."""
    hardware = {"where": "hf-jobs", "device": "cpu", "flavor": "cpu-basic", "name": "cpu-basic", "memory_gb": 16}
    document["hardware"] = hardware | {"gpus": 1, "nodes": 1, "strategy": "single"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def for_two_nodes(document: dict[str, Any]) -> None:
    document["hardware"] |= {"nodes": 2, "strategy": "ddp"}
    words = ["torchrun", "--nnodes", "2", "--nproc-per-node", "1", "--node-rank", "$NODE_RANK"]
    words += ["--master-addr", "${HF_NETWORK_GROUP_PREFIX}head", "--master-port", str(free_port())]
    script = [f"train_{document['method']}.py", "--plan", "plan.json"]
    document["launch"] = {"command": [*words, *script], "environment": {"OMP_NUM_THREADS": "1"}}


def new_user(hub: LocalHub) -> tuple[str, str]:
    """(name, token) of a user of its own: no other test's jobs, bucket or credit."""
    user = f"user-{secrets.token_hex(4)}"
    return user, hub.add_token(user)
