"""Runs jobs: one thread a job, one local process at a time, in a session and a folder of its own.

Secrets live in this module's memory alone. The database and the log see masked text, and a job whose secrets
were lost to a restart cannot be repeated.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from . import hardware, jobspec, network, processes, volumes
from .errors import HubError
from .joblog import LogWriter
from .state import isoformat

if TYPE_CHECKING:
    from .state import Hub

log = logging.getLogger("skillpack.hub.jobs")

TERMINAL = ("COMPLETED", "CANCELED", "ERROR", "DELETED")
DEFAULT_TIMEOUT_S = 30 * 60
KEPT_VARIABLES = (
    "LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "LD_LIBRARY_PATH", "SSL_CERT_FILE",
    "HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM",
)  # fmt: skip
LIMITS = {"CORE": 0, "NOFILE": 65_536}
LIMIT_LABELS = {"rlimit-as-mb": "AS", "rlimit-data-mb": "DATA", "rlimit-fsize-mb": "FSIZE"}
POLL_S = 0.1


def folder(hub: Hub, job_id: str) -> Path:
    return hub.root / "jobs" / job_id


def log_path(hub: Hub, job_id: str) -> Path:
    return folder(hub, job_id) / "log.jsonl"


class _Ended(Exception):
    """A job's run came to an end: its last stage and why."""

    def __init__(self, stage: str, message: str | None = None):
        super().__init__(message)
        self.stage, self.message = stage, message


@dataclass
class Run:
    """A job that is scheduled or running in this process."""

    job_id: str
    owner: str
    spec: dict[str, Any]  # in clear, secrets included
    stop: threading.Event = field(default_factory=threading.Event)
    stop_as: tuple[str, str | None] = ("CANCELED", None)
    process: subprocess.Popen[bytes] | None = None
    thread: threading.Thread | None = None


class Runner:
    """The running jobs of one Hub, and the clear specs that it still remembers."""

    def __init__(self, hub: Hub):
        self.hub = hub
        self.runs: dict[str, Run] = {}
        self._clear: dict[str, dict[str, Any]] = {}

    def remember(self, id_: str, spec: dict[str, Any]) -> None:
        """Keep the clear spec of a job or schedule that has secrets: what is stored is masked."""
        if spec["secrets"]:
            self._clear[id_] = spec

    def forget(self, id_: str) -> None:
        self._clear.pop(id_, None)

    def recall(self, id_: str, stored: dict[str, Any], what: str) -> dict[str, Any]:
        """The spec to run again; 409 when its secrets were lost to a restart."""
        if not stored["secrets"]:
            return stored
        if id_ not in self._clear:
            raise jobspec.lost_secrets(what)
        return {**self._clear[id_], "labels": stored["labels"]}

    def submit(self, job_id: str, owner: str, spec: dict[str, Any]) -> None:
        run = Run(job_id, owner, spec)
        self.remember(job_id, spec)
        self.runs[job_id] = run
        run.thread = threading.Thread(target=self._main, args=(run,), name=f"job-{job_id}", daemon=True)
        run.thread.start()

    def end(self, job_id: str, stage: str, message: str | None, wait_s: float = 10.0) -> None:
        """Stop a job's processes; returns once its last stage is in the database, or after `wait_s`."""
        run = self.runs.get(job_id)
        if run is None:
            return
        run.stop_as = (stage, message)
        run.stop.set()
        if run.thread:
            run.thread.join(wait_s)

    def end_all(self, message: str) -> None:
        for run in list(self.runs.values()):
            run.stop_as = ("ERROR", message)
            run.stop.set()
        for run in list(self.runs.values()):
            if run.thread:
                run.thread.join(10.0)

    def _main(self, run: Run) -> None:
        home = folder(self.hub, run.job_id)
        stage, message = "ERROR", "Internal error of the local Hub"
        try:
            writer = LogWriter(log_path(self.hub, run.job_id), run.spec.get("secrets", {}).values())
        except OSError as error:
            self.runs.pop(run.job_id, None)
            finish(self.hub, run.job_id, stage, f"Failed to write the log of the job: {error.strerror}")
            return
        try:
            self._attempts(run, writer, home)
        except _Ended as end:
            stage, message = end.stage, end.message or ""
        except HubError as error:
            message = f"Failed to run the job: {error.message}"
        except OSError as error:
            message = f"Failed to run the job: {error.strerror or error}"
        except Exception:
            log.exception("job %s", run.job_id)
        try:
            processes.signal_job(run.job_id, None, signal.SIGKILL)
            if stage == "ERROR" and message:
                writer.say(f"[local hub] {message}")
            writer.close()
        except OSError as error:
            log.warning("job %s: its log ends early: %s", run.job_id, error.strerror)
        finally:
            finish(self.hub, run.job_id, stage, message or None)
            self.runs.pop(run.job_id, None)
            for name in ("work", "home", "tmp", "volumes", "bin"):
                shutil.rmtree(home / name, ignore_errors=True)

    def _attempts(self, run: Run, writer: LogWriter, home: Path) -> None:
        spec = run.spec
        for name in ("work", "home", "tmp", "volumes", "bin"):
            (home / name).mkdir(parents=True, exist_ok=True)
        mounted = volumes.mount(self.hub, spec.get("volumes", []), home / "volumes")
        environment = self._environment(run, home, mounted)
        command = [*spec["command"], *spec.get("arguments", [])]
        hosts = network.join(self.hub, run.owner, spec.get("network"), environment)
        if spec.get("network") and hosts is None:
            command = [network.address_for_aliases(text) for text in command]
        command = [mounted.rewrite(text) for text in command]
        writer.say(f"===== Job started at {isoformat(time.time())[:19].replace('T', ' ')} =====")
        for note in self._notes(spec, mounted):
            writer.say(f"[local hub] {note}")
        attempts = int(spec.get("attempts", 1))
        deadline = time.monotonic() + spec.get("timeoutSeconds", DEFAULT_TIMEOUT_S)
        for attempt in range(1, attempts + 1):
            if attempt > 1:
                writer.say(f"===== Job started again: attempt {attempt} of {attempts} =====")
            try:
                code = self._once(run, writer, home, command, environment, hosts, attempt, deadline)
            finally:
                for note in mounted.write_back(self.hub, home / "tmp"):
                    writer.say(f"[local hub] {note}")
            if code == 0:
                raise _Ended("COMPLETED")
        raise _Ended("ERROR", f"Job failed with exit code: {code}")

    def _notes(self, spec: dict[str, Any], mounted: volumes.Mounted) -> list[str]:
        image = spec.get("dockerImage") or f"Space {spec.get('spaceId')}"
        how = "isolated: uv installs what it needs" if self.hub.isolated else "in the Hub's own environment"
        notes = [f"image {image!r} is recorded, not used: this is a process on this machine, {how}"]
        notes += [f"{mount} is {place}" for mount, place in mounted.folders.items()]
        if spec.get("ssh", {}).get("enabled"):
            notes.append("ssh into a local job is not offered")
        return notes

    def _environment(self, run: Run, home: Path, mounted: volumes.Mounted) -> dict[str, str]:
        binaries = Path(sys.executable).parent
        shims = [] if self.hub.isolated else [("uv", f'"{sys.executable}" -m skillpack.hub.uvrun')]
        shims += [(name, f'"{sys.executable}"') for name in ("python", "python3") if not (binaries / name).exists()]
        for name, target in shims:
            path = home / "bin" / name
            path.write_text(f'#!/bin/sh\nexec {target} "$@"\n')
            path.chmod(0o755)
        system = os.environ.get("PATH", os.defpath)
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        environment |= {
            "PATH": os.pathsep.join([str(home / "bin"), str(binaries), system]),
            "HOME": str(home / "home"),
            "TMPDIR": str(home / "tmp"),
            "PWD": str(home / "work"),
            "PYTHONUNBUFFERED": "1",
            "HF_ENDPOINT": self.hub.url,
        }
        if not self.hub.isolated:
            environment["PIP_NO_INDEX"] = "1"  # an install of what is not here fails, and never connects
        if sys.prefix != sys.base_prefix:
            environment["VIRTUAL_ENV"] = sys.prefix
        environment |= {name: mounted.rewrite(str(value)) for name, value in run.spec["environment"].items()}
        environment |= run.spec.get("secrets", {})
        environment |= mounted.environment()
        environment |= hardware.FLAVORS[run.spec["flavor"]].environment()
        environment["JOB_ID"] = run.job_id
        return environment

    def _once(
        self,
        run: Run,
        writer: LogWriter,
        home: Path,
        command: list[str],
        environment: dict[str, str],
        hosts: Path | None,
        attempt: int,
        deadline: float,
    ) -> int:
        """Run the command; its exit code as a shell would give it. Raises _Ended when stopped or timed out."""
        if run.stop.is_set():
            raise _Ended(*run.stop_as)
        limits = dict(LIMITS)
        for label, name in LIMIT_LABELS.items():
            value = run.spec.get("labels", {}).get(label, "")
            if value.isdigit():
                limits[name] = int(value) << 20
        config = {"limits": limits, "hosts": str(hosts) if hosts else None}
        process = subprocess.Popen(
            [*network.launcher(config), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=home / "work",
            env=environment,
            start_new_session=True,
        )
        run.process = process
        started(self.hub, run.job_id, attempt, process.pid)
        assert process.stdout is not None
        ended: _Ended | None = None
        try:
            ended = self._follow(run, writer, process, process.stdout, deadline)
        finally:
            if process.poll() is None:
                processes.end(run.job_id, process.pid)
            processes.signal_job(run.job_id, process.pid, signal.SIGKILL)  # what it left behind
            process.wait()
            if ended is not None or not run.stop.is_set():
                _drain(process.stdout, writer)
            process.stdout.close()
        if ended is not None:
            raise ended
        code = process.returncode
        return code if code >= 0 else 128 - code

    def _follow(
        self, run: Run, writer: LogWriter, process: subprocess.Popen[bytes], stream: IO[bytes], deadline: float
    ) -> _Ended | None:
        """Copy the output to the log until the first process ends; why it must end, if it has not."""
        os.set_blocking(stream.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            open_ = True
            while True:
                if run.stop.is_set():
                    return _Ended(*run.stop_as)
                if time.monotonic() > deadline:
                    return _Ended("ERROR", "Job timeout")
                if open_ and selector.select(POLL_S):
                    chunk = stream.read(1 << 16)
                    if chunk:
                        writer.feed(chunk)
                    elif chunk == b"":
                        open_ = False
                elif process.poll() is not None:
                    return None
                elif not open_:
                    run.stop.wait(POLL_S)


def _drain(stream: IO[bytes], writer: LogWriter, seconds: float = 1.0) -> None:
    """What is still in the pipe; a descendant that escaped may hold it open, so not for ever."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        chunk = stream.read(1 << 16)
        if chunk == b"":
            return
        if chunk:
            writer.feed(chunk)
        else:
            time.sleep(0.02)


def started(hub: Hub, job_id: str, attempt: int, pid: int) -> None:
    with hub.db.tx() as c:
        c.execute(
            "UPDATE jobs SET stage = 'RUNNING', message = NULL, started_at = COALESCE(started_at, ?),"
            " attempt = ?, pid = ? WHERE id = ?",
            (time.time(), attempt, pid, job_id),
        )


def finish(hub: Hub, job_id: str, stage: str, message: str | None) -> None:
    """Record the last stage of a job and what it cost."""
    now = time.time()
    row = hub.db.one("SELECT created_at, spec FROM jobs WHERE id = ?", (job_id,))
    if row is None:
        return
    flavor = hardware.FLAVORS[json.loads(row["spec"])["flavor"]]
    cost = hardware.cost_micro_usd(flavor, now - row["created_at"])
    with hub.db.tx() as c:
        c.execute(
            "UPDATE jobs SET stage = ?, message = ?, finished_at = ?, pid = NULL, cost_micro_usd = ? WHERE id = ?",
            (stage, message, now, cost, job_id),
        )


def recover(hub: Hub) -> None:
    """After a restart: end what a former server left running, and say so in its jobs."""
    for row in hub.db.query("SELECT id FROM jobs WHERE stage IN ('SCHEDULING', 'RUNNING')"):
        job_id = row["id"]
        processes.signal_job(job_id, None, signal.SIGKILL)
        reason = "The local Hub stopped while the job was running"
        writer = LogWriter(log_path(hub, job_id))
        writer.say(f"[local hub] {reason}")
        writer.close()
        finish(hub, job_id, "ERROR", reason)
        for name in ("work", "home", "tmp", "volumes", "bin"):
            shutil.rmtree(folder(hub, job_id) / name, ignore_errors=True)


_RUNNERS: WeakKeyDictionary[Hub, Runner] = WeakKeyDictionary()


def of(hub: Hub) -> Runner:
    if hub not in _RUNNERS:
        _RUNNERS[hub] = Runner(hub)
    return _RUNNERS[hub]
