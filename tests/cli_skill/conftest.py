"""The scripts of the CLI skill as processes, each test as a user of its own; a second Hub to copy from."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from tests.conftest import LocalHub

SKILL = Path(__file__).parents[2] / "skills/hugging-face-cli"
SCRIPTS = SKILL / "scripts"


@dataclass(frozen=True)
class Desk:
    """A folder in which the scripts run as one user of a local Hub."""

    hub: LocalHub
    folder: Path
    user: str
    token: str

    @property
    def api(self) -> HfApi:
        return self.hub.api(self.token)

    @property
    def home(self) -> Path:
        return self.folder.parent / "hf-home"

    def environment(self, **changes: str | None) -> dict[str, str]:
        kept = {"HF_HOME": str(self.home), **changes}
        found = self.hub.env(token=self.token) | {k: v for k, v in kept.items() if v is not None}
        return {name: value for name, value in found.items() if kept.get(name, "") is not None}

    def command(self, name: str, *arguments: object) -> list[str]:
        return [sys.executable, str(SCRIPTS / name), *map(str, arguments)]

    def script(self, name: str, *arguments: object, **changes: str | None) -> subprocess.CompletedProcess[str]:
        """A script of the skill, run to its end; a change of None takes a variable away. No output holds a token."""
        done = subprocess.run(
            self.command(name, *arguments), cwd=self.folder, env=self.environment(**changes),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        for token in (self.token, changes.get("HF_TOKEN"), changes.get("HF_SOURCE_TOKEN")):
            assert not token or token not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, name: str, *arguments: object, code: int = 0, **changes: str | None) -> Any:
        """What a script prints with --json, and that it ends with `code`."""
        done = self.script(name, *arguments, "--json", **changes)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def hf(self, *arguments: object, **changes: str | None) -> str:
        """The `hf` command, which must succeed."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("hf")), *map(str, arguments)], cwd=self.folder,
            env=self.environment(**changes), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def contents(self, repo: str, revision: str = "main", repo_type: str = "model") -> dict[str, str]:
        """Path -> hash of what each file holds."""
        tree = self.api.list_repo_tree(repo, repo_type=repo_type, revision=revision, recursive=True)
        return {each.path: (each.lfs and each.lfs.sha256) or each.blob_id for each in tree if hasattr(each, "blob_id")}


def new_desk(hub: LocalHub, folder: Path) -> Desk:
    user = f"user-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    return Desk(hub, folder, user, hub.add_token(user))


@pytest.fixture
def desk(hub: LocalHub, tmp_path: Path) -> Desk:
    return new_desk(hub, tmp_path / "desk")


@pytest.fixture(scope="session")
def other_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """A second Hub, with users and tokens of its own."""
    from skillpack.hub import server

    root = tmp_path_factory.mktemp("other-hub")
    address, process = server.spawn(root, "elsewhere")
    yield LocalHub(address.url, address.token, root, "elsewhere", tmp_path_factory.mktemp("other-home"), address.pid)
    process.terminate()
    process.wait(timeout=10)
