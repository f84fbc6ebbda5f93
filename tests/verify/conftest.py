"""Skills that are written for a test, and one cache for all tests, so that each tool is asked once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from skillpack.diagnostics import Diagnostic
from skillpack.skill import load_skill
from skillpack.source import find_all
from skillpack.verify.cache import Cache
from skillpack.verify.checker import Tally, verify
from skillpack.verify.settings import Settings

Verify = Callable[..., tuple[list[Diagnostic], Tally]]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Empty at first: what is installed is asked, and nothing that an earlier run kept."""
    here = tmp_path_factory.getbasetemp()
    # Of several processes each has a folder of its own in one that they share.
    return Cache((here.parent if "PYTEST_XDIST_WORKER" in os.environ else here) / "verify-cache")


@pytest.fixture(scope="session")
def run(cache: Cache) -> Verify:
    """Verifies the skills in a folder, whose scripts may be run."""

    def verified(folder: Path, **settings: object) -> tuple[list[Diagnostic], Tally]:
        skills = [load_skill(tree) for tree in find_all([str(folder)])[0] if tree.skill_file]
        return verify(skills, Settings(**{"scripts": ("*",), **settings}), cache)  # type: ignore[arg-type]

    return verified
