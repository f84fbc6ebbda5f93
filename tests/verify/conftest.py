"""Skills that are written for a test, and one cache, so that each tool is asked once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from skillpack.diagnostics import Diagnostic
from skillpack.skill import load_skill
from skillpack.source import find_all
from skillpack.verify.cache import Cache, default_folder
from skillpack.verify.checker import Tally, verify
from skillpack.verify.settings import Settings

Verify = Callable[..., tuple[list[Diagnostic], Tally]]


@pytest.fixture(scope="session")
def cache() -> Cache:
    """The user's: what is in it was computed by this code with these versions, so `make lint` need not be repeated."""
    return Cache(default_folder())


@pytest.fixture(scope="session")
def run(cache: Cache) -> Verify:
    """Verifies the skills in a folder, whose scripts may be run."""

    def verified(folder: Path, **settings: object) -> tuple[list[Diagnostic], Tally]:
        skills = [load_skill(tree) for tree in find_all([str(folder)])[0] if tree.skill_file]
        return verify(skills, Settings(**{"scripts": ("*",), **settings}), cache)  # type: ignore[arg-type]

    return verified
