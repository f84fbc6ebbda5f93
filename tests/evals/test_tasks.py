"""Graders tell right from wrong: of every task of every skill, of the example in docs/evals.md, and of bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import SKILLS, Run

NAMES = sorted(path.parent.name for path in SKILLS.glob("*/SKILL.md"))
TASKS, QUERIES = 8, 20


@pytest.mark.parametrize("skill", NAMES)
def test_every_grader_of_a_skill_tells_right_from_wrong(skill: str, tasks: Run) -> None:
    done = tasks(SKILLS / skill, "check", "--json")
    problems = [line for line in done.stderr.splitlines() if line.startswith("  ")]
    assert done.returncode == 0, "\n".join(problems) or done.stderr
    found = json.loads(done.stdout)
    assert found["summary"] == {"tasks": len(found["tasks"]), "wrong": 0}
    assert len(found["tasks"]) >= TASKS


@pytest.mark.parametrize("skill", NAMES)
def test_a_skill_has_queries_that_should_call_it_and_near_misses(skill: str) -> None:
    rows = json.loads((SKILLS / skill / "evals/eval_queries.json").read_text("utf-8"))
    assert len({row["query"] for row in rows}) >= QUERIES
    assert min(sum(row["should_trigger"] is wanted for row in rows) for wanted in (True, False)) >= QUERIES * 0.4


def test_the_example_of_the_page_works(example: Path, tasks: Run) -> None:
    done = tasks(example, "check")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 of 1 graders tell right from wrong\n"
    assert "append: start 1, solved 2, spoiled 1 of 2" in done.stderr


def test_setup_grade_and_solve_are_steps_of_their_own(example: Path, tasks: Run, tmp_path: Path) -> None:
    assert tasks(example, "setup", "append", "--folder", "work").returncode == 0
    before = tasks(example, "grade", "append", "--folder", "work", "--json")
    assert before.returncode == 1
    assert json.loads(before.stdout)["summary"] == {"passed": 1, "failed": 1, "total": 2, "pass_rate": 0.5}
    assert tasks(example, "solve", "append", "--folder", "work").returncode == 0
    after = tasks(example, "grade", "append", "--folder", "work", "--json")
    assert after.returncode == 0
    assert [each["passed"] for each in json.loads(after.stdout)["assertion_results"]] == [True, True]
    assert (tmp_path / "work.report.md").read_text() == "Added 5 rows."
    again = tasks(example, "setup", "append", "--folder", "work")
    assert again.returncode == 2 and "is not empty" in again.stderr


@pytest.mark.parametrize(
    ("instead", "of", "problem"),
    [
        ("whole = True", "whole = texts ==", "the untouched start state meets every expectation"),
        ('same, now = True, {"README.md": ""}  #', "same = now.get", "never seen to fail: The README is unchanged"),
        ("whole = texts == []  #", "whole = texts ==", "solved, and not met: All rows are in the dataset"),
        ("raise ValueError('broken')  #", "whole = texts ==", "ValueError: broken"),
        ('yield "The README is as before", same, 0  #', 'yield "The README is unchanged"', "do not both have"),
    ],
)
def test_a_grader_that_cannot_tell_is_found(
    instead: str, of: str, problem: str, example: Path, tasks: Run, tmp_path: Path
) -> None:
    program = example / "evals/tasks.py"
    text = program.read_text("utf-8")
    assert text.count(of) == 1
    program.write_text(text.replace(of, f"{instead}  # " if of.startswith("whole") else instead), encoding="utf-8")
    done = tasks(example, "check")
    assert done.returncode == 1
    assert problem in done.stderr


def test_an_end_state_that_cannot_be_read_is_failed_and_not_an_error(example: Path, tasks: Run) -> None:
    program = example / "evals/tasks.py"
    text = program.read_text("utf-8")
    program.write_text(text.replace("same = now.get", "same = 1 / 0 or now.get"), encoding="utf-8")
    tasks(example, "setup", "append", "--folder", "work")
    done = tasks(example, "grade", "append", "--folder", "work", "--json")
    assert done.returncode == 1
    results = json.loads(done.stdout)["assertion_results"]
    assert "ZeroDivisionError" in results[1]["evidence"] and not results[1]["passed"]
    assert "20 rows" in results[0]["evidence"]


def test_the_real_hub_is_refused(example: Path, tasks: Run) -> None:
    done = tasks(example, "setup", "append", "--folder", "work", HF_ENDPOINT="https://huggingface.co")
    assert done.returncode == 2
    assert "deletes what its user has" in done.stderr and "skillpack hub" in done.stderr
