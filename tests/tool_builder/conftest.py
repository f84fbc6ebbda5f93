"""The tools of the skill as processes, and a user of the local Hub with a few repos and papers."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.conftest import LocalHub
from tests.desk import BaseDesk

SKILL = Path(__file__).parents[2] / "skills/hugging-face-tool-builder"
SCRIPTS, TEMPLATES = SKILL / "scripts", SKILL / "assets/templates"
TSX = Path(__file__).parent / "node_modules/.bin/tsx"
SAMPLES = (
    *("find_models_by_paper.sh", "enrich_models.py", "card_front_matter.sh", "diff_models.py"),
    *("papers_to_models.mts", "stale_repos.sh"),
)


def typescript() -> list[str]:
    """What runs TypeScript here: Node.js 22.18 or newer, or tsx."""
    if node := shutil.which("node"):
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        if tuple(map(int, re.findall(r"\d+", version)[:2])) >= (22, 18):
            return [node]
    if TSX.exists():
        return [str(TSX)]
    if os.environ.get("SKILLPACK_NO_CLIENTS"):
        pytest.skip("SKILLPACK_NO_CLIENTS leaves out what npm brings")
    pytest.fail("neither Node.js 22.18 nor tsx: run `make typescript`")


def command(name: str) -> list[str]:
    """What starts a tool of the skill."""
    path = SCRIPTS / name
    starts = {".py": lambda: [sys.executable], ".sh": lambda: ["bash"], ".mts": typescript}
    return [*starts[path.suffix](), str(path)]


@dataclass(frozen=True)
class Desk(BaseDesk):
    scripts = SCRIPTS
    paper: str

    @property
    def settings(self) -> dict[str, str]:
        return {"XDG_CACHE_HOME": str(self.folder / "cache"), "HF_TOOL_RETRIES": "1"}

    def command(self, name: str, *arguments: object) -> list[str]:
        return [*command(name), *map(str, arguments)]

    def rows(self, name: str, *arguments: object, given: str = "", code: int = 0, **changes: str | None) -> list[dict]:
        done = self.script(name, *arguments, given=given, **changes)
        assert done.returncode == code, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def pipe(self, line: str) -> str:
        """A pipe of the skill's tools as a user writes it: their names are replaced by how they are started."""
        for name in SAMPLES:
            line = line.replace(name, " ".join(command(name)))
        done = self.finish(["bash", "-o", "pipefail", "-c", line], self.environment())
        assert done.returncode == 0, done.stderr
        return done.stdout


def card(paper: str, **front: object) -> bytes:
    lines = "".join(f"{name}: {value}\n" for name, value in front.items())
    return f"---\n{lines}---\n# A model\n\nSee https://arxiv.org/abs/{paper}\n".encode()


@pytest.fixture(scope="module")
def desk(hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Models: one and two name the paper, other names none and has no card; hidden is private and names it."""
    paper = f"{secrets.randbelow(9000) + 1000}.{secrets.randbelow(90000) + 10000}"
    found = Desk.new(hub, tmp_path_factory.mktemp("tools") / "desk", paper)
    user = found.user
    files: dict[str, dict[str, bytes]] = {
        "one": {
            "README.md": card(paper, license="mit", pipeline_tag="text-generation"),
            "config.json": b'{"model_type": "llama", "hidden_size": 64, "rope": {"theta": 1e4}}',
        },
        "two": {
            "README.md": card(paper, license="apache-2.0", pipeline_tag="translation"),
            "config.json": b'{"model_type": "llama", "hidden_size": 128, "rope": {"theta": 1e4}}',
        },
        "other": {},
        "hidden": {"README.md": card(paper, license="other", license_name="house-rules")},
    }
    for name, contents in files.items():
        found.api.create_repo(f"{user}/{name}", private=name == "hidden")
        for path, data in contents.items():
            found.api.upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=f"{user}/{name}")
    for repo_type in ("dataset", "space"):
        sdk = {"space_sdk": "static"} if repo_type == "space" else {}
        found.api.create_repo(f"{user}/{repo_type}", repo_type=repo_type, **sdk)
        readme = b"---\nlicense: mit\nsdk: static\n---\n"
        found.api.upload_file(path_or_fileobj=readme, path_in_repo="README.md", repo_id=f"{user}/{repo_type}",
                              repo_type=repo_type)  # fmt: skip
    headers = {"Authorization": f"Bearer {found.token}"}
    posted = {"arxivId": paper, "title": f"Tiny {paper}", "summary": "s", "authors": ["A"]}
    assert httpx2.post(f"{hub.url}/api/papers/index", json=posted, headers=headers).status_code == 200
    return found
