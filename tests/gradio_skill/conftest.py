"""The scripts of the gradio skill as processes, its example apps as processes of their own, and one real browser."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.conftest import LocalHub
from tests.hub import chromium

SKILL = Path(__file__).parents[2] / "skills/gradio"
SCRIPTS, EXAMPLES = SKILL / "scripts", SKILL / "assets/examples"


def load(name: str) -> ModuleType:
    """A script as a module, for what a process would only do slower."""
    spec = importlib.util.spec_from_file_location(f"gradio_skill_{name}", SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_script(
    name: str, *arguments: object, cwd: Path, env: dict[str, str] | None = None, timeout: float = 180
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / name), *map(str, arguments)],
        cwd=cwd, env=env or {**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=timeout,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr or "exception in the app" in done.stdout + done.stderr, done.stderr
    return done


class Apps:
    """Example apps, started from one process that has imported what they import."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.models, self._logs = folder / "models", folder
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.gradio_skill.zygote", str(self.models)],
            cwd=Path(__file__).parents[2], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._answer() == "ready"

    def _answer(self) -> str:
        assert self._zygote.stdout
        return self._zygote.stdout.readline().strip()

    @contextlib.contextmanager
    def start(self, app: Path, checker: ModuleType, **environment: str) -> Iterator[Any]:
        """The app, answering; ended afterwards."""
        log = self._logs / f"{app.parent.name}.log"
        assert self._zygote.stdin
        order = {"app": str(app), "log": str(log), "env": {**environment, "PYTHONWARNINGS": "default"}}
        self._zygote.stdin.write(json.dumps(order) + "\n")
        self._zygote.stdin.flush()
        child, target = int(self._answer()), checker.Target("", log=log)
        try:
            end = time.monotonic() + 90
            while not (found := checker.RUNNING.search(target.printed() if log.exists() else "")):
                alive = Path(f"/proc/{child}/stat")
                assert time.monotonic() < end and alive.exists() and ") Z" not in alive.read_text(), target.printed()
                time.sleep(0.05)
            target.url = found[1].rstrip("/")
            yield target
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, 9)

    def close(self) -> None:
        assert self._zygote.stdin
        self._zygote.stdin.close()
        self._zygote.wait(20)


@pytest.fixture(scope="session")
def apps(hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    environment = hub.env() | {
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(tmp_path_factory.mktemp("g")),
    }
    started = Apps(tmp_path_factory.mktemp("apps"), environment)
    yield started
    started.close()


@pytest.fixture(scope="session")
def checker() -> ModuleType:
    return load("check_app")


@pytest.fixture(scope="session")
def browser(checker: ModuleType) -> Iterator[Any]:
    with checker.browser(chromium.find()) as found:
        yield found


@pytest.fixture
def options(tmp_path: Path) -> SimpleNamespace:
    return SimpleNamespace(screenshots=tmp_path / "shots", timeout=20, name="app")


@pytest.fixture(scope="module")
def running_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """A local Hub that starts Spaces."""
    from skillpack.hub import server

    root = tmp_path_factory.mktemp("running-hub")
    address, process = server.spawn(root, "rose", run_spaces=True)
    yield LocalHub(address.url, address.token, root, "rose", tmp_path_factory.mktemp("hf-home"), address.pid)
    process.terminate()
    process.wait(20)
