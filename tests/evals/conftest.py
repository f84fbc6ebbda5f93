"""Graders as processes, each run as a user of the local Hub of its own."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import LocalHub

ROOT = Path(__file__).parents[2]
SKILLS = ROOT / "skills"
PAGE = ROOT / "docs/evals.md"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tasks(hub: LocalHub, tmp_path: Path) -> Run:
    """`tasks(skill_folder, *arguments)`: its evals/tasks.py, as a new user."""
    token = hub.add_token(f"user-{secrets.token_hex(4)}")

    def run(skill: Path, *arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = hub.env(token=token, HF_HOME=str(tmp_path / "hf-home"), **changes)
        command = [sys.executable, str(skill / "evals/tasks.py"), *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    return run


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A skill with the example of docs/evals.md as its only task."""
    page = re.sub(r"^   ", "", PAGE.read_text("utf-8"), flags=re.M)
    task, program = (re.search(rf"^```{kind}\n(.*?)^```", page, re.S | re.M) for kind in ("json", "python"))
    assert task and program
    skill = tmp_path / "example"
    (skill / "evals").mkdir(parents=True)
    evals = {"skill_name": "example", "evals": [json.loads(task[1])]}
    (skill / "evals/evals.json").write_text(json.dumps(evals), encoding="utf-8")
    (skill / "evals/tasks.py").write_text(program[1], encoding="utf-8")
    shutil.copy(SKILLS / "hugging-face-datasets/evals/grading.py", skill / "evals/grading.py")
    front = "---\nname: example\ndescription: Adds rows to datasets. Use when the user has more rows.\n---\n\n# Rows\n"
    (skill / "SKILL.md").write_text(front, encoding="utf-8")
    return skill
