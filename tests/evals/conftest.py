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


STAND_IN = '''"""An agent without a model: it does the example, well where it finds the skill and badly elsewhere."""
import json, os, sys, time
from pathlib import Path

prompt = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read()
print("my key is", os.environ.get("PLANTED_API_KEY"), file=sys.stderr)
if "STAND_IN_SLEEPS" in os.environ:
    os.system("sleep 60 & echo $! > " + os.environ["STAND_IN_SLEEPS"])
    time.sleep(60)
from huggingface_hub import HfApi

skill = list(Path().glob("*/skills/*/SKILL.md"))
repo, api = "me/support-chats", HfApi()
assert "me/support-chats" in prompt and Path("week47.jsonl").is_file()
api.upload_file(path_or_fileobj="week47.jsonl", path_in_repo="data/2.jsonl", repo_id=repo, repo_type="dataset")
if not skill:
    api.upload_file(path_or_fileobj=b"# By machine", path_in_repo="README.md", repo_id=repo, repo_type="dataset")
peeked = [str(path) for path in [*Path().rglob("tasks.py"), *Path().rglob("evals.json")]]
job = api.run_job(image="python:3.12", command=["python", "-c", "raise SystemExit(1)"]) if not skill else None
told = {"skill": [str(path) for path in skill], "peeked": peeked, "key": os.environ.get("PLANTED_API_KEY"),
        "token": os.environ["HF_TOKEN"], "home": os.environ["HF_HOME"]}
print(json.dumps({"type": "assistant", "message": {"content": [{"type": "tool_use", "name": "Bash"}]}}))
usage = {"input_tokens": 700, "output_tokens": 50, "service_tier": "x"}
print(json.dumps({"type": "result", "result": json.dumps(told), "usage": usage, "total_cost_usd": 0.25}))
'''


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "stand_in.py"
    path.write_text(STAND_IN, encoding="utf-8")
    return path
