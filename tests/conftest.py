"""Fixtures that every test may use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from skillpack.hub.state import Hub

USER = "tester"


@dataclass(frozen=True)
class LocalHub:
    """A local Hub in a process of its own, and what a client needs to use it."""

    url: str
    token: str
    root: Path
    user: str
    home: Path  # HF_HOME of its clients: no cache of the machine is read or written
    pid: int

    def env(self, xet: bool = True, token: str | None = None, **more: str) -> dict[str, str]:
        """The environment of a client process: this machine's, with every Hub setting replaced."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGINGFACE_", "TRACKIO_"))}
        settings = {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": token or self.token,
            "HF_HOME": str(self.home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "OMP_NUM_THREADS": "1",
        }
        if not xet:
            settings["HF_HUB_DISABLE_XET"] = "1"
        return {**kept, **settings, **more}

    def api(self, token: str | None = None) -> HfApi:
        """A client in this process. HF_ENDPOINT is read when huggingface_hub is imported: hence the argument."""
        from huggingface_hub import HfApi

        return HfApi(endpoint=self.url, token=token or self.token)

    def state(self) -> Hub:
        """The same Hub, opened beside the server: to add users, or to look at what it keeps."""
        from skillpack.hub.state import Hub

        opened = Hub(self.root)
        opened.url = self.url
        return opened

    def add_token(self, user: str, role: str = "write") -> str:
        """A token of another user, who is made when there is none of that name."""
        from skillpack.hub import auth

        state = self.state()
        auth.add_namespace(state, user)
        return auth.add_token(state, user, role)

    def run(
        self, *command: str, xet: bool = True, timeout: float = 180, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """A client as a process; `python` is this environment's, other names are looked up beside it."""
        program = sys.executable if command[0] == "python" else str(Path(sys.executable).with_name(command[0]))
        return subprocess.run(
            [program, *command[1:]],
            env=self.env(xet, **more),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """A local Hub, one for each xdist worker."""
    from skillpack.hub import server

    root = tmp_path_factory.mktemp("hub")
    address, process = server.spawn(root, USER)
    yield LocalHub(address.url, address.token, root, USER, tmp_path_factory.mktemp("hf-home"), address.pid)
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
