"""Tasks for Harbor: what its reader wants, and scripts that grade and solve. No container is built here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skillpack.evals.harbor import packages, write_task
from skillpack.evals.suite import read_suite
from tests.conftest import LocalHub

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def rebased(script: Path, root: Path) -> str:
    """The script with the container's folders below `root`."""
    text = script.read_text("utf-8")
    for name in ("app", "tests", "solution", "logs", "answer.md"):
        text = text.replace(f" /{name}", f" {root}/{name}").replace(f'"/{name}', f'"{root}/{name}')
    return text


@pytest.fixture
def task_folder(example: Path, tmp_path: Path) -> Path:
    (task,) = read_suite(example)
    return write_task(task, tmp_path / "harbor", 1800)


def test_a_task_for_harbor_holds_the_prompt_the_limits_and_the_skill_without_its_evals(task_folder: Path) -> None:
    assert task_folder.name == "example--append"
    config = tomllib.loads((task_folder / "task.toml").read_text("utf-8"))
    assert config["schema_version"] == "1.4" and config["task"]["name"] == "skillpack/example--append"
    assert config["agent"]["timeout_sec"] == 1800 and config["environment"]["skills_dir"] == "/skills"
    assert "week47.jsonl" in (task_folder / "instruction.md").read_text("utf-8")
    given = {str(path.relative_to(task_folder / "environment/skills")) for path in
             (task_folder / "environment/skills").rglob("*") if path.is_file()}  # fmt: skip
    assert given == {"example/SKILL.md"}
    assert (task_folder / "environment/skillpack/hub/app.py").is_file()
    for script in ("tests/test.sh", "solution/solve.sh", "environment/with-hub"):
        assert os.access(task_folder / script, os.X_OK)
        assert subprocess.run(["sh", "-n", task_folder / script], check=False).returncode == 0
    dockerfile = (task_folder / "environment/Dockerfile").read_text("utf-8")
    assert dockerfile.index("COPY skill /skill") < dockerfile.rindex("FROM base") < dockerfile.index("COPY skills/")
    assert any(each.startswith("starlette") for each in packages()) and not any("pytest" in each for each in packages())


def test_its_scripts_reward_the_start_state_less_than_the_solution(
    task_folder: Path, hub: LocalHub, tmp_path: Path
) -> None:
    root = tmp_path / "container"
    root.mkdir()
    for name in ("tests", "solution"):
        (root / name).symlink_to(task_folder / name)
    environment = hub.env(
        token=hub.add_token("harbor-user"), PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    )

    def run(script: str) -> None:
        done = subprocess.run(
            ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert "Traceback" not in done.stderr and done.returncode == 0, done.stderr

    run(f"python {root}/tests/evals/tasks.py setup append --folder {root}/app")
    rewards = []
    for solved in (False, True):
        if solved:
            run(rebased(task_folder / "solution/solve.sh", root))
        run(rebased(task_folder / "tests/test.sh", root))
        rewards.append(json.loads((root / "logs/verifier/reward.json").read_text())["reward"])
    assert rewards == [0.5, 1.0]
    assert (root / "app.report.md").read_text() == "Added 5 rows."
