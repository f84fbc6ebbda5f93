"""The scripts of the trackio skill as processes, each test with a folder of trackio and a user of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from tests.conftest import LocalHub
from tests.desk import new_user

SKILL = Path(__file__).parents[2] / "skills/hugging-face-trackio"
SCRIPTS = SKILL / "scripts"
TRACKIO = str(Path(sys.executable).with_name("trackio"))

#: What trackio itself writes: two runs of one name, a run of another whose loss stops being a number, and an alert.
LOGGED = """
import trackio

def log(name, values, **config):
    trackio.init(project="sweep", name=name, config=config, embed=False, auto_log_cpu=False)
    for step, value in enumerate(values):
        trackio.log({"train/loss": value, "eval/accuracy": step / 10, "note": "text", "flag": True}, step=step * 10)
    if name == "wild":
        trackio.alert("look", text="at this", level=trackio.AlertLevel.ERROR)
    trackio.finish()

log("base", [4.0, 3.0, 2.0], lr=0.1)
log("base", [4.0, 2.0, 1.0, 1.5], lr=0.2, peft={"rank_pattern": {}, "r": 8})
log("wild", [4.0, 5.0, float("nan"), float("inf")], lr=9.0)
"""


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """Without a Hub: what a process of trackio needs to stay on this machine."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE_", "TRACKIO_"))}
    settings = {
        "TRACKIO_DIR": str(folder / "trackio"),
        "HF_HOME": str(folder / "hf-home"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    return {**kept, **settings, **changes}


@dataclass(frozen=True)
class Bench:
    """A working folder, in which trackio keeps its databases in trackio/."""

    folder: Path
    settings: dict[str, str]

    @property
    def tracked(self) -> Path:
        return self.folder / "trackio"

    def run(self, *command: object, timeout: float = 120, **changes: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            list(map(str, command)), cwd=self.folder, env={**self.settings, **changes},
            capture_output=True, text=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        for name in ("HF_TOKEN", "TRACKIO_WEBHOOK_URL"):
            secret = {**self.settings, **changes}.get(name)
            assert not secret or secret not in done.stdout + done.stderr, name
        return done

    def script(self, name: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """A script of the skill, run to its end. It never ends in a traceback."""
        done = self.run(sys.executable, SCRIPTS / name, *arguments, **options)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, name: str, *arguments: object, code: int = 0, **options: Any) -> Any:
        done = self.script(name, *arguments, "--json", **options)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def python(self, program: str, *arguments: object, **changes: str) -> None:
        done = self.run(sys.executable, "-c", program, *arguments, **changes)
        assert done.returncode == 0, done.stderr

    def sql(self, project: str, query: str, *values: Any) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.tracked / f"{project}.db")) as connection:
            rows = connection.execute(query, values).fetchall()
            connection.commit()
        return rows


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of trackio's, written by it once."""
    folder = tmp_path_factory.mktemp("logged")
    bench = Bench(folder, environment(folder))
    bench.python(LOGGED)
    return bench.tracked


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, environment(tmp_path))


@pytest.fixture
def sweep(bench: Bench, logged: Path) -> Bench:
    """A bench with the project `sweep` of LOGGED."""
    shutil.copytree(logged, bench.tracked)
    return bench


@dataclass(frozen=True)
class Desk(Bench):
    """A bench with the project `sweep`, of a user of the local Hub."""

    hub: LocalHub
    user: str
    token: str

    @property
    def api(self) -> HfApi:
        return self.hub.api(self.token)


@pytest.fixture
def desk(hub: LocalHub, tmp_path: Path, logged: Path) -> Desk:
    shutil.copytree(logged, tmp_path / "trackio")
    user, token = new_user(hub)
    settings = hub.env(token=token, TRACKIO_DIR=str(tmp_path / "trackio"), HF_HOME=str(tmp_path / "hf-home"))
    return Desk(tmp_path, settings, hub, user, token)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(command: list[str], port: int, settings: dict[str, str], folder: Path) -> Iterator[str]:
    """The address of a dashboard that runs as a process, once it answers."""
    process = subprocess.Popen(
        command, cwd=folder, env={**settings, "GRADIO_SERVER_PORT": str(port)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            assert process.poll() is None, "the dashboard has ended"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
