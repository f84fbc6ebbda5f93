"""Runs Spaces as processes of this machine, where the Hub was started with `--run-spaces`.

A Space is built and started when its runtime is first asked for, and again once its files, variables or secrets have
changed. "Building" is what can be checked without a container: the header of README.md, and requirements.txt against
the Python environment of the Hub; nothing is installed. The app then gets a free port of 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from . import network, repos
from .joblog import LogWriter
from .repos import Repo

if TYPE_CHECKING:
    from .state import Hub

SDKS = ("gradio", "docker", "static", "streamlit")
COLORS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")  # spaces-config-reference.md, hub-docs
KEPT_VARIABLES = ("LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
SETTLED = ("RUNNING", "BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE", "PAUSED")
POLL_S = 0.1


class _Refused(Exception):
    """The stage in which a build or a start ended."""

    def __init__(self, stage: str, message: str):
        super().__init__(message)
        self.stage = stage


@dataclass
class Run:
    """One version of a Space: its files, variables and secrets as they were when it was started."""

    version: str
    stage: str = "BUILDING"
    message: str | None = None
    port: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


def folder(hub: Hub, repo: Repo) -> Path:
    return hub.root / "spaces" / str(repo.id)


def log_path(hub: Hub, repo: Repo, kind: str) -> Path:
    return folder(hub, repo) / f"{kind}.jsonl"


def settings(hub: Hub, repo: Repo, kind: str) -> dict[str, str]:
    rows = hub.db.query("SELECT key, value FROM space_settings WHERE repo = ? AND kind = ?", (repo.id, kind))
    return {row["key"]: row["value"] for row in rows}


def _version(hub: Hub, repo: Repo) -> str:
    rows = hub.db.query("SELECT kind, key, updated_at FROM space_settings WHERE repo = ? ORDER BY 1, 2", (repo.id,))
    return repr([repos.commit_oid(hub, repo), *map(tuple, rows)])


def header(text: str) -> dict[str, Any]:
    import yaml

    match = re.match(r"---\r?\n(.*?)\r?\n---", text, re.S)
    try:
        found = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError as error:
        raise _Refused("CONFIG_ERROR", f"README.md: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise _Refused("CONFIG_ERROR", "Missing configuration in README")
    if found.get("sdk") not in SDKS:
        raise _Refused("CONFIG_ERROR", f'"sdk" must be one of [{", ".join(SDKS)}]')
    for name in ("colorFrom", "colorTo"):
        if name in found and found[name] not in COLORS:
            raise _Refused("CONFIG_ERROR", f'"{name}" must be one of [{", ".join(COLORS)}]')
    if len(str(found.get("short_description", ""))) > 60:
        raise _Refused("CONFIG_ERROR", '"short_description" length must be less than or equal to 60 characters long')
    return found


def lacking(requirements: str) -> list[str]:
    """Lines of a requirements.txt that the Hub's environment does not meet, in pip's words."""
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for line in requirements.splitlines():
        text = line.split(" #")[0].strip()
        if not text or text.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(text)
            installed = importlib.metadata.version(requirement.name)
        except InvalidRequirement:
            found.append(f"ERROR: Invalid requirement: {text!r}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"ERROR: No matching distribution found for {text}")
        else:
            if not requirement.specifier.contains(installed, prereleases=True):
                found.append(f"ERROR: Could not find a version that satisfies the requirement {text} ({installed})")
    return found


class Spaces:
    """The running Spaces of one Hub."""

    def __init__(self, hub: Hub):
        self.hub = hub
        self._runs: dict[int, Run] = {}
        self._lock = threading.Lock()

    def current(self, repo: Repo) -> Run:
        """The run of what the Space holds now, started if there is none."""
        version = _version(self.hub, repo)
        with self._lock:
            run = self._runs.get(repo.id)
            if run is None or run.version != version:
                self._end(run)
                run = self._runs[repo.id] = Run(version)
                run.thread = threading.Thread(target=self._main, args=(run, repo), name=f"space-{repo.id}", daemon=True)
                run.thread.start()
            return run

    def end(self, repo: Repo) -> None:
        with self._lock:
            self._end(self._runs.pop(repo.id, None))

    def end_all(self) -> None:
        with self._lock:
            for run in self._runs.values():
                self._end(run)
            self._runs.clear()

    def _end(self, run: Run | None) -> None:
        if run is not None and run.thread is not None:
            run.stop.set()
            run.thread.join(10)

    def _main(self, run: Run, repo: Repo) -> None:
        home = folder(self.hub, repo)
        shutil.rmtree(home, ignore_errors=True)
        secrets = settings(self.hub, repo, "secrets")
        logs = {kind: LogWriter(log_path(self.hub, repo, kind), secrets.values()) for kind in ("build", "run")}
        try:
            command = self._build(repo, home / "app", logs["build"])
            environment = self._environment(repo, home, run) | settings(self.hub, repo, "variables") | secrets
            self._serve(run, repo, command, environment, home / "app", logs["run"])
        except _Refused as refused:
            run.stage, run.message = refused.stage, str(refused)
            logs["run" if refused.stage == "RUNTIME_ERROR" else "build"].say(str(refused))
        except Exception as error:
            run.stage, run.message = "RUNTIME_ERROR", f"Internal error of the local Hub: {error}"
            raise
        finally:
            for writer in logs.values():
                writer.close()

    def _build(self, repo: Repo, place: Path, log: LogWriter) -> list[str]:
        """Writes the files and says how the app is started; raises _Refused where the real service would not."""
        repos.export(self.hub, "space", repo.full_name, "main", place)
        readme = place / "README.md"
        about = header(readme.read_text("utf-8", "replace") if readme.is_file() else "")
        app = str(about.get("app_file", "app.py"))
        if about["sdk"] != "gradio":
            raise _Refused("BUILD_ERROR", f"[local hub] Spaces of sdk {about['sdk']} do not run here")
        if not (place / app).is_file():
            raise _Refused("NO_APP_FILE", f"No application file: {app}")
        log.say(f"[local hub] gradio {about.get('sdk_version', 'newest')}: the Hub's own environment is used")
        requirements = place / "requirements.txt"
        if requirements.is_file():
            log.say("pip install -r requirements.txt")
            missing = lacking(requirements.read_text("utf-8", "replace"))
            for line in missing:
                log.say(line)
            if missing:
                raise _Refused("BUILD_ERROR", "Job failed with exit code: 1")
        return [*network.launcher({"limits": {"CORE": 0}}), sys.executable, "-u", app]

    def _environment(self, repo: Repo, home: Path, run: Run) -> dict[str, str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            run.port = probe.getsockname()[1]
        (home / "home").mkdir(parents=True, exist_ok=True)
        return {
            **{name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "HOME": str(home / "home"),
            "HF_ENDPOINT": self.hub.url,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(run.port),
            "SPACE_ID": repo.full_name,
            "SPACE_AUTHOR_NAME": repo.namespace,
            "SPACE_REPO_NAME": repo.name,
        }

    def _serve(
        self, run: Run, repo: Repo, command: list[str], environment: dict[str, str], place: Path, log: LogWriter
    ) -> None:
        """Runs the app until it ends or is to stop; it counts as running once its port answers."""
        run.stage = "APP_STARTING"
        log.say(f"===== Application Startup at {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} =====")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=place, env=environment, start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        reader = threading.Thread(target=_copy, args=(process.stdout, log), daemon=True)
        reader.start()
        try:
            while process.poll() is None and not run.stop.wait(POLL_S):
                if repos.lookup(self.hub, "space", repo.full_name) is None:
                    return  # deleted
                if run.stage == "APP_STARTING" and _answers(run.port):
                    run.stage = "RUNNING"
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            reader.join(2)
        if not run.stop.is_set():
            raise _Refused(
                "RUNTIME_ERROR", f"Exit code: {process.returncode}. Reason: application does not seem to run"
            )


def _copy(stream: Any, log: LogWriter) -> None:
    with contextlib.suppress(OSError, ValueError):
        while chunk := stream.read1(1 << 16):
            log.feed(chunk)


def _answers(port: int | None) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port or 0)) == 0


_SPACES: WeakKeyDictionary[Hub, Spaces] = WeakKeyDictionary()


def of(hub: Hub) -> Spaces:
    if hub not in _SPACES:
        _SPACES[hub] = Spaces(hub)
    return _SPACES[hub]
