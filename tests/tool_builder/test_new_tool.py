"""new_tool.py: what it writes runs, passes its own tests, and can ask a real Hub."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import Desk, typescript

BY_AUTHOR = ["--path", "/api/models?author={author}", "--fields", "id,downloads", "--example", "acme",
             "--purpose", "Lists the models of an author, the real ones."]  # fmt: skip


@pytest.fixture(scope="module")
def made(desk: Desk) -> dict[str, Path]:
    """A tool in each language."""
    found = {}
    for language in ("python", "bash", "typescript"):
        answer = desk.json("new_tool.py", f"by-author-{language}", "--language", language, *BY_AUTHOR, "--out", "made")
        found[language] = desk.folder / answer["tool"]
        assert found[language].exists() and os.access(found[language], os.X_OK) and len(answer["next"]) == 2
    return found


def start(language: str) -> list[str]:
    return {"python": lambda: [sys.executable], "bash": lambda: ["bash"], "typescript": typescript}[language]()


def test_the_tests_that_come_with_a_tool_pass_and_can_fail(made: dict[str, Path], desk: Desk) -> None:
    def tested(language: str, folder: Path, only: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "unittest", "discover", "-s", str(folder), "-p", f"test_by_author_{language}.py",
             "-k", only],
            env={**os.environ, "TOOL_RUNNER": shlex.join(start(language))},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    # tsx takes half a second to start, and check_tool.py runs papers_to_models.mts in all these ways
    only = {"python": "", "bash": "", "typescript": "every_page"}
    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(tested, made, [path.parent for path in made.values()], only.values()):
            assert done.returncode == 0 and re.search(r"Ran [17] test", done.stderr), done.stderr
    worse = desk.folder / "worse"
    worse.mkdir()
    text = made["bash"].read_text(encoding="utf-8").replace("url=$next", "url=")  # reads one page
    (worse / made["bash"].name).write_text(text, encoding="utf-8")
    test = made["bash"].with_name("test_by_author_bash.py")
    (worse / test.name).write_text(test.read_text(encoding="utf-8"), encoding="utf-8")
    failed = tested("bash", worse, only="every_page")
    assert failed.returncode == 1 and "test_every_page_is_read" in failed.stderr


@pytest.mark.parametrize("language", ["python", "bash", "typescript"])
def test_a_new_tool_asks_the_hub(made: dict[str, Path], desk: Desk, language: str) -> None:
    done = subprocess.run(
        [*start(language), str(made[language]), desk.user],
        env=desk.environment(), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(row["id"] for row in rows) == [f"{desk.user}/{name}" for name in ("hidden", "one", "other", "two")]
    assert all(row["author"] == desk.user and row["downloads"] == 0 for row in rows)


def test_the_same_again_changes_nothing_and_edits_are_never_undone(made: dict[str, Path], desk: Desk) -> None:
    again = ["new_tool.py", "by-author-python", *BY_AUTHOR, "--out", "made"]
    assert "already" in desk.run(*again).stderr
    edited = made["python"].read_text(encoding="utf-8") + "# mine\n"
    made["python"].write_text(edited, encoding="utf-8")
    done = desk.run(*again)
    assert done.returncode == 2 and "differs" in done.stderr
    assert made["python"].read_text(encoding="utf-8") == edited


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("name", "By_Author"), ("name", "../up"), ("--path", "api/models?author={author}"), ("--path", "/api/models"),
        ("--path", "/api/{a}/{b}"), ("--path", "/api/'{id}"), ("--fields", "id, downloads"), ("--fields", ""),
        ("--fields", "author,id"),
        ("--example", "$(id)"), ("--purpose", 'says "hello"'), ("--purpose", "two\nlines"), ("--purpose", "`id`"),
        ("--language", "perl"),
    ],
)  # fmt: skip
def test_what_could_mean_something_else_in_code_is_refused(desk: Desk, change: str, value: str) -> None:
    arguments = ["refused", "--language", "bash", *BY_AUTHOR, "--out", "refused"]
    arguments[0 if change == "name" else arguments.index(change) + 1] = value
    done = desk.run("new_tool.py", *arguments)
    assert done.returncode == 2 and done.stdout == "" and done.stderr
    assert not (desk.folder / "refused").exists()
