"""The validator as a library: `from skillpack import load_skill, check`.

    skill = load_skill("skills/my-skill")
    for found in check(skill):
        print(found.location.path, found.location.line, found.severity.label, found.message)

Nothing is executed or fetched, and nothing of what a skill contains is raised: it is in the diagnostics.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from skillpack import checker
from skillpack.config import Settings, adjusted, chosen
from skillpack.diagnostics import Diagnostic
from skillpack.errors import NothingToCheck, UsageFailure
from skillpack.rules import PROFILES, discover
from skillpack.skill import Skill
from skillpack.skill import load_skill as _load
from skillpack.source import find


def load_skill(path: str | os.PathLike[str]) -> Skill:
    """The skill at `path`: its folder, or its SKILL.md.

    Raises UsageFailure when `path` does not exist or holds several skills, NothingToCheck when it holds none.
    """
    skills = load_skills(path)
    if len(skills) > 1:
        raise UsageFailure(f"{os.fspath(path)} holds {len(skills)} skills; name one, or use load_skills")
    return skills[0]


def load_skills(path: str | os.PathLike[str]) -> list[Skill]:
    """Every skill at or below `path`, sorted by path.

    Raises UsageFailure when `path` does not exist, NothingToCheck when it holds no skill.
    """
    skills = [_load(tree) for tree in find(os.fspath(path)) if tree.skill_file is not None]
    if not skills:
        raise NothingToCheck(f"no SKILL.md under {os.fspath(path)}")
    return skills


def check(skills: Skill | Iterable[Skill], *, profile: str = "recommended") -> list[Diagnostic]:
    """The findings of the rules of `profile` (spec, recommended or strict), sorted by place.

    Settings files are not read. Raises UsageFailure for a profile that there is not.
    """
    if profile not in PROFILES:
        raise UsageFailure(f"profile is one of {', '.join(PROFILES)}, not {profile!r}")
    settings = Settings(profile=profile)
    every = discover()
    found = checker.check([skills] if isinstance(skills, Skill) else skills, chosen(every, settings))
    return adjusted(found, every, settings)
