"""The evals of a skill: its tasks, and the program that sets them up and grades them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skillpack.errors import Failure, UsageFailure
from skillpack.evals.agents import redact


@dataclass(frozen=True)
class EvalTask:
    """A task of evals/evals.json."""

    skill: Path
    id: str
    prompt: str
    expectations: tuple[str, ...]

    @property
    def skill_name(self) -> str:
        return self.skill.name

    def run(
        self, action: str, folder: Path, environment: Mapping[str, str], *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        """`evals/tasks.py ACTION` for this task. Raises Failure unless it ends with 0, or 1 for a grade below full."""
        program = self.skill / "evals/tasks.py"
        command = [sys.executable, str(program), action, self.id, "--folder", str(folder), *arguments]
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
        if done.returncode not in ((0, 1) if action == "grade" else (0,)):
            said = redact(done.stderr, environment).strip()[-2000:]
            raise Failure(f"{program} {action} {self.id} ended with {done.returncode}:\n{said}")
        return done


def read_suite(skill: Path, only: tuple[str, ...] = ()) -> list[EvalTask]:
    """The tasks of the skill in the folder `skill`, or those named `only`.

    Raises UsageFailure where the skill has none, nothing that grades them, or none of a name.
    """
    skill = skill.resolve()
    for name, what in (("SKILL.md", "no skill"), ("evals/evals.json", "no tasks"), ("evals/tasks.py", "no graders")):
        if not (skill / name).is_file():
            raise UsageFailure(f"{skill}: {what}, for there is no {name}; docs/evals.md says how to write it")
    try:
        document: Any = json.loads((skill / "evals/evals.json").read_text(encoding="utf-8"))
        tasks = [
            EvalTask(skill, str(each["id"]), each["prompt"], tuple(each["expectations"])) for each in document["evals"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageFailure(f"{skill}/evals/evals.json: {error!r}; `skillpack validate` says what it wants") from None
    if unknown := set(only) - {task.id for task in tasks}:
        known = ", ".join(task.id for task in tasks)
        raise UsageFailure(f"{skill.name} has no task {', '.join(sorted(unknown))}; there are: {known}")
    return [task for task in tasks if not only or task.id in only]
