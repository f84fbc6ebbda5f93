"""The scripts of the datasets skill as processes, each test as a user of the local Hub of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.conftest import LocalHub
from tests.desk import BaseDesk

SKILL = Path(__file__).parents[2] / "skills/hugging-face-datasets"
SCRIPTS = SKILL / "scripts"


class Desk(BaseDesk):
    scripts = SCRIPTS

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
        command = [sys.executable, "-c", program, repo, config or "", split]
        done = self.finish(command, self.environment())
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
    return Desk.new(hub, tmp_path / "desk")
