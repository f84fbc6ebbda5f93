"""The scripts of the CLI skill as processes, each test as a user of its own; a second Hub to copy from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import LocalHub
from tests.desk import BaseDesk

SKILL = Path(__file__).parents[2] / "skills/hugging-face-cli"
SCRIPTS = SKILL / "scripts"


class Desk(BaseDesk):
    scripts = SCRIPTS

    def hf(self, *arguments: object, **changes: str | None) -> str:
        """The `hf` command, which must succeed."""
        program = str(Path(sys.executable).with_name("hf"))
        done = self.finish([program, *map(str, arguments)], self.environment(**changes))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def contents(self, repo: str, revision: str = "main", repo_type: str = "model") -> dict[str, str]:
        """Path -> hash of what each file holds."""
        tree = self.api.list_repo_tree(repo, repo_type=repo_type, revision=revision, recursive=True)
        return {each.path: (each.lfs and each.lfs.sha256) or each.blob_id for each in tree if hasattr(each, "blob_id")}


@pytest.fixture
def desk(hub: LocalHub, tmp_path: Path) -> Desk:
    return Desk.new(hub, tmp_path / "desk")


@pytest.fixture(scope="session")
def other_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """A second Hub, with users and tokens of its own."""
    from skillpack.hub import server

    root = tmp_path_factory.mktemp("other-hub")
    address, process = server.spawn(root, "elsewhere")
    yield LocalHub(address.url, address.token, root, "elsewhere", tmp_path_factory.mktemp("other-home"), address.pid)
    process.terminate()
    process.wait(timeout=10)
