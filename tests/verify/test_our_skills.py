"""Our own skills: nothing to object to, and an error that is planted in any of their blocks is found."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from skillpack.diagnostics import WARNING
from skillpack.skill import load_skill
from skillpack.source import find_all
from skillpack.verify.cache import Cache
from skillpack.verify.checker import verify
from skillpack.verify.settings import Settings

from .conftest import Verify
from .mutations import Mutation, apply, passes

pytestmark = pytest.mark.slow
SKILLS = Path(__file__).parents[2] / "skills"
#: Tools that our skills name, which `make setup` installs: without one of them clean would mean little.
TOOLS = {"hf", "uv", "uvx", "trackio", "gradio", "inspect"}
#: What is no package of PyPI.
ABSENT = {"llama-server"}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our skills where they may be changed."""
    folder = tmp_path_factory.mktemp("ours") / "skills"
    shutil.copytree(SKILLS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_our_skills_are_clean(run: Verify, copy: Path) -> None:
    found, tally = run(copy)
    assert [one for one in found if one.severity >= WARNING] == []
    assert {one.message.split()[0] for one in found if "its commands" in one.message} <= ABSENT
    assert tally.commands > 200 and tally.open.total() < tally.commands / 10
    assert tally.tools >= TOOLS, TOOLS - tally.tools


def test_a_second_run_asks_nobody(run: Verify, cache: Cache, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = run(copy)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    skills = [load_skill(tree) for tree in find_all([str(copy)])[0] if tree.skill_file]
    assert verify(skills, Settings(scripts=("*",)), cache)[0] == first
    with pytest.raises(AssertionError, match="a program was started"):
        verify(skills, Settings(scripts=("*",)), Cache(None))


def test_planted_errors_are_found(run: Verify, copy: Path) -> None:
    """A flag, a command, a path, an argument or an import is renamed, everywhere where one stands in our skills."""
    clean = {one[0] for one in _findings(run, copy)}
    made: Counter[str] = Counter()
    missed: list[Mutation] = []
    for changes in passes(copy):
        by_skill: dict[Path, dict[Path, list[Mutation]]] = defaultdict(lambda: defaultdict(list))
        for one in changes:
            by_skill[copy / one.path.relative_to(copy).parts[0]][one.path].append(one)
        for skill, files in by_skill.items():
            missed += _missed(run, skill, files, clean)
        made.update(one.kind for one in changes)
    print(f"{made.total() - len(missed)} of {made.total()} planted errors found")
    assert set(made) == {"flag", "command", "path", "keyword", "import"} and made.total() > 500
    assert len(missed) <= 0.05 * made.total(), "\n".join(map(str, missed))


def _missed(run: Verify, skill: Path, files: dict[Path, list[Mutation]], clean: set[object]) -> list[Mutation]:
    """Those of the changes to `files` of `skill` at whose line nothing new is found."""
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    try:
        for path, changes in files.items():
            path.write_text(apply(texts[path], changes), encoding="utf-8")
        seen = {place for what, place in _findings(run, skill) if what not in clean}
    finally:
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    return [one for path, changes in files.items() for one in changes if (str(path), one.line) not in seen]


def _findings(run: Verify, folder: Path) -> list[tuple[object, tuple[str, int]]]:
    """Each finding, and its path and line."""
    return [((one.location, one.message), (one.location.path, one.location.line)) for one in run(folder)[0]]
