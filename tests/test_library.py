"""The validator as a library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import skillpack
from skillpack import Failure, Severity, Skill, check, load_skill, load_skills

CASES = Path(__file__).parent / "rules"


def test_a_skill_is_loaded_and_checked_in_two_calls() -> None:
    skill = load_skill(CASES / "name-format" / "bad-capitals-and-underscore" / "My_Skill")
    assert isinstance(skill, Skill)
    assert skill.string("name") == "My_Skill"
    (found,) = check(skill)
    assert (found.slug, found.severity, found.location.line) == ("name-format", Severity.ERROR, 2)


def test_a_profile_asks_more_and_an_unknown_one_is_refused() -> None:
    skills = load_skills(CASES / "link-target")
    assert len(skills) > 1
    assert "link-target" not in {found.slug for found in check(skills, profile="spec")}
    assert "link-target" in {found.slug for found in check(skills)}
    with pytest.raises(Failure, match="profile is one of"):
        check(skills, profile="all")


def test_nothing_there_and_several_are_failures_that_say_so(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="does not exist"):
        load_skill(tmp_path / "missing")
    with pytest.raises(Failure, match=r"no SKILL\.md under"):
        load_skill(tmp_path)
    with pytest.raises(Failure, match=r"holds \d+ skills"):
        load_skill(CASES / "link-target")


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = "import sys; before = set(sys.modules); import skillpack; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"skillpack", "typing", "__future__", "collections.abc", "re", "functools"} | {
        name for name in done.stdout.split() if not name.startswith("skillpack")
    }
    code = "import skillpack.checker; from skillpack import check; print(check.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "skillpack.library\n"


def test_every_exported_name_is_there_and_no_other() -> None:
    for name in skillpack.__all__:
        assert getattr(skillpack, name) is not None
    assert set(skillpack.__all__) < set(dir(skillpack))
    with pytest.raises(AttributeError, match="nothing"):
        _ = skillpack.nothing  # type: ignore[attr-defined]


def test_a_program_that_uses_it_is_typed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "from skillpack import Diagnostic, check, load_skill\n"
        "found: list[Diagnostic] = check(load_skill('x'), profile='strict')\n"
        "wrong: int = check(load_skill('x'))\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.count("error:") == 1, done.stdout
    assert "program.py:3: error: Incompatible types in assignment" in done.stdout
