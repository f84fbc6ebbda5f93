"""`skillpack rehearse --tiny`: the whole workflow on a local Hub, as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skillpack.hub import server

pytestmark = pytest.mark.slow
NAME = "tiny-qwen3-stdlib-docstrings-sft"


def rehearse(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "skillpack", "rehearse", "--tiny", "--keep", "kept", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=400)


def test_a_rehearsal_leaves_plan_run_report_and_logs_and_a_second_one_does_nothing_twice(tmp_path):
    done = rehearse(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"report: kept/training_reports/{NAME}.md")
    assert "SFT: READY" in done.stdout
    kept = tmp_path / "kept"
    report = (kept / f"training_reports/{NAME}.md").read_text()
    run = json.loads((kept / f"runs/{NAME}/run.json").read_text())
    assert run["status"] == "completed"
    assert run["plan"]["dataset"]["source"]["id"] == "me/stdlib-docstrings"
    assert f"{run['comparison']['metrics']['loss']['tuned']:.3f}" in report
    assert (kept / f"runs/{NAME}/model/model.safetensors").is_file()
    assert {"inspect_dataset.log", "plan_run.log", "submit_run.log", "watch_run.log", "report_run.log"} <= {
        path.name for path in (kept / "logs").iterdir()
    }
    assert server.running(kept / "hub") is None, "the Hub was left running"
    token = (kept / "hub/token").read_text().strip()
    for path in [*(kept / "logs").iterdir(), kept / "plan.json", kept / f"runs/{NAME}/run.json"]:
        assert token not in path.read_text(errors="replace"), f"the token stands in {path}"

    again = rehearse(tmp_path)
    assert again.returncode == 0, again.stderr
    assert "trained already; nothing is done twice" in again.stderr
    assert "scoring base and tuned" not in again.stderr

    other = rehearse(tmp_path, "--steps", "3")
    assert other.returncode == 2
    assert "holds another rehearsal" in other.stderr


def test_a_rehearsal_that_is_killed_is_taken_up_by_the_next(tmp_path):
    command = [sys.executable, "-m", "skillpack", "rehearse", "--tiny", "--steps", "100", "--keep", "kept"]
    first = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watched = tmp_path / "kept/logs/watch_run.log"
    deadline = time.monotonic() + 240
    while not watched.is_file():
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = rehearse(tmp_path, "--steps", "100")
    assert second.returncode == 0, second.stderr
    assert "inspected and planned already" in second.stderr
    run = json.loads((tmp_path / f"kept/runs/{NAME}/run.json").read_text())
    assert [entry["step"] for entry in run["log"]] == list(range(1, 101))


@pytest.mark.parametrize(
    ("method", "metric"),
    # One that learns from pairs and one that writes; tests/trainer inspects, plans and trains KTO and reward.
    [("dpo", "preference_accuracy"), ("grpo", "reward")],
)
def test_other_methods_are_rehearsed_from_rows_to_report(tmp_path, method, metric):
    done = rehearse(tmp_path, "--method", method, "--steps", "2")
    assert done.returncode == 0, done.stderr
    assert f"{metric}: base" in done.stdout
    run_file = next((tmp_path / "kept/runs").glob("*/run.json"))
    run = json.loads(run_file.read_text())
    assert (run["plan"]["method"], run["status"], run["steps"]) == (method, "completed", 2)
    assert (run_file.parent / "model/model.safetensors").is_file()


def test_a_method_without_a_script_and_a_missing_model_are_usage_errors(tmp_path):
    assert rehearse(tmp_path, "--method", "sorcery").returncode == 2
    assert rehearse(tmp_path, "--model", "nowhere").returncode == 2
    assert not (tmp_path / "kept").exists()
