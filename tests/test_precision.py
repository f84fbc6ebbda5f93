"""docs/precision.md says what the marks say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_published_table_is_what_the_marks_give() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "precision.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.count("\n") > 20
    assert printed in (ROOT / "docs" / "precision.md").read_text(encoding="utf-8")
