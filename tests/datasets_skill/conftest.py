"""The scripts of the datasets skill as processes, each test as a user of the local Hub of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi

from tests.conftest import LocalHub

SKILL = Path(__file__).parents[2] / "skills/hugging-face-datasets"
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
        kept = {"HF_HOME": str(self.folder.parent / "hf-home"), **changes}
        found = self.hub.env(token=self.token) | {k: v for k, v in kept.items() if v is not None}
        return {name: value for name, value in found.items() if kept.get(name, "") is not None}

    def command(self, name: str, *arguments: object) -> list[str]:
        return [sys.executable, str(SCRIPTS / name), *map(str, arguments)]

    def script(
        self, name: str, *arguments: object, timeout: float = 120, **changes: str | None
    ) -> subprocess.CompletedProcess[str]:
        """A script of the skill, run to its end; a change of None takes a variable away. No output holds the token."""
        done = subprocess.run(
            self.command(name, *arguments), cwd=self.folder, env=self.environment(**changes),
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        for token in (self.token, changes.get("HF_TOKEN")):
            assert not token or token not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, name: str, *arguments: object, code: int = 0, **changes: str | None) -> Any:
        """What a script prints with --json, and that it ends with `code`."""
        done = self.script(name, *arguments, "--json", **changes)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def write(self, name: str, rows: list[Any]) -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    def dataset(self, name: str, rows: list[Any], split: str = "train", **options: Any) -> str:
        """A dataset on the Hub, made by the real client and not by the scripts."""
        repo = f"{self.user}/{name}"
        self.api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        self.api.upload_file(
            path_or_fileobj=data, path_in_repo=f"{split}.jsonl", repo_id=repo, repo_type="dataset", **options
        )
        return repo

    def rows(self, repo: str, split: str = "train") -> list[dict[str, Any]]:
        """The rows of a split's shards in the folder data/, in the order of their names."""
        home = self.folder.parent / "downloads"
        found: list[dict[str, Any]] = []
        for name in sorted(self.parquet(repo)):
            if name.startswith(f"data/{split}-"):
                found += pq.read_table(
                    self.api.hf_hub_download(repo, name, repo_type="dataset", cache_dir=home)
                ).to_pylist()
        return found

    def loaded(self, repo: str, config: str | None = None, split: str = "train") -> list[dict[str, Any]]:
        """The rows as `datasets` loads them, in a process of its own, since HF_ENDPOINT is read on import."""
        program = "import sys, json; from datasets import load_dataset; n, c, s = sys.argv[1:];"
        program += "print(json.dumps(load_dataset(n, c or None, split=s).to_list()))"
        done = subprocess.run(
            [sys.executable, "-c", program, repo, config or "", split],
            env=self.environment(), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return found

    def text(self, repo: str, path: str = "README.md") -> str:
        home = self.folder.parent / "downloads"
        return Path(self.api.hf_hub_download(repo, path, repo_type="dataset", cache_dir=home)).read_text("utf-8")

    def parquet(self, repo: str) -> dict[str, str]:
        """Path -> hash of every Parquet file of a dataset."""
        tree = self.api.list_repo_tree(repo, repo_type="dataset", recursive=True)
        return {each.path: each.blob_id for each in tree if each.path.endswith(".parquet")}


def chat(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **more}


@pytest.fixture
def desk(hub: LocalHub, tmp_path: Path) -> Desk:
    user = f"user-{secrets.token_hex(4)}"
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(hub, folder, user, hub.add_token(user))
