"""benchmarks/train_throughput.py runs: what it measures needs a GPU, and that it works does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from .conftest import script_environment

PROGRAM = Path(__file__).parents[2] / "benchmarks/train_throughput.py"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        cwd=folder, env=script_environment(folder), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_tiny_model_gives_a_row_of_the_table_and_one_for_the_planner(tmp_path):
    done = run(tmp_path, "--tiny", "--changes", "lora")
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| tiny")]
    assert [[cell.strip() for cell in row[:3]] for row in rows] == [
        ["tiny", "lora", "planner"],
        ["tiny", "lora", "trl sft"],
    ]
    assert all(float(row[5].replace(",", "")) > 0 for row in rows), done.stdout
    [row] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert row["tokens_per_second_per_gpu"] > 0 and row["change"] == "lora"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine can measure")
def test_without_a_gpu_it_measures_nothing_and_says_so(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 2
    assert "no CUDA GPU" in done.stderr and "--tiny" in done.stderr
    assert done.stdout == ""
