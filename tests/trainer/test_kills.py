"""A run that is killed at any moment goes on where it was, and ends with the weights of one that was not."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from skillpack.hub import processes
from tests import warm

from .conftest import SCRIPTS, script_environment
from .hubrun import Bench

pytestmark = pytest.mark.slow
STEPS, KILLS = 150, 10


def steps_of(folder: Path) -> list[int]:
    path = folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [json.loads(line)["step"] for line in lines if line.endswith("}")]


def newest(folder: Path) -> int:
    """The step of the newest whole checkpoint, or 0."""
    whole = (folder / "checkpoints").glob("checkpoint-*/whole")
    return max((int(path.parent.name.rpartition("-")[2]) for path in whole), default=0)


def killed(folder: Path, plan: Path, draw: random.Random) -> str:
    """The log of a process that got SIGKILL: while it starts, between two steps, or within a save."""
    out = folder / "runs/tiny"
    begun = newest(out)
    command = [str(SCRIPTS / "train_sft.py"), "--plan", str(plan)]
    with (folder / "said").open("wb") as said:
        process = warm.popen(command, folder, script_environment(folder), said, said)
    if draw.random() < 0.3:
        time.sleep(draw.uniform(0, 2))
    else:
        wanted, end = min(begun + draw.randint(1, 15), STEPS - 3), time.monotonic() + 120
        while newest(out) < wanted:
            assert process.poll() is None and time.monotonic() < end, (folder / "said").read_text()
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.2))
    process.kill()
    process.wait()
    return (folder / "said").read_text()


def test_ten_kills_leave_the_steps_and_the_weights_of_a_run_without_any(tmp_path, plan, script):
    from safetensors.torch import load_file

    path = plan(steps=STEPS, save_seconds=0.05)
    draw, out = random.Random(20261121), tmp_path / "runs/tiny"
    for _ in range(KILLS):
        before = newest(out)
        said = killed(tmp_path, path, draw)
        resumed = re.search(r"resuming from checkpoint-(\d+)", said)
        assert resumed is None or int(resumed[1]) == before, "it went on from another checkpoint than the newest whole"
        assert steps_of(out) == list(range(1, len(steps_of(out)) + 1)), "a step is missing or was trained twice"
    assert 0 < newest(out) < STEPS, "the kills came too early or too late to show anything"
    done = script("train_sft.py", "--plan", path, "--json")
    assert done.returncode == 0, done.stderr
    assert [entry["step"] for entry in json.loads(done.stdout)["log"]] == list(range(1, STEPS + 1))

    whole = script("train_sft.py", "--plan", path, "--out", "runs/whole", "--json")
    assert whole.returncode == 0, whole.stderr
    expected = load_file(tmp_path / "runs/whole/model/model.safetensors")
    found = load_file(out / "model/model.safetensors")
    assert found.keys() == expected.keys()
    apart = max(float((found[name] - expected[name]).abs().max()) for name in expected)
    assert apart < 1e-5, f"the weights are {apart} apart: rows, random numbers or optimizer did not resume"
    scores = [json.loads(run.stdout)["comparison"]["metrics"]["loss"]["tuned"] for run in (done, whole)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def until(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come so far in time"
        time.sleep(0.1)


def test_a_job_goes_on_after_a_kill_and_after_its_timeout(bench: Bench) -> None:
    bench.edit(lambda document: document["settings"].update(steps=100_000, save_seconds=0.5))

    def said(job: str) -> str:
        return "\n".join(bench.api.fetch_job_logs(job_id=job, namespace=bench.user))

    def submit(*more: object) -> str:
        done = bench.script("submit_run.py", "--yes", "--json", *more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["jobs"][-1]["id"]

    first = submit("--timeout", "60s", "--attempts", 2)
    until(lambda: re.search(r"\b[1-9]\d+/100000", said(first)))
    for process in processes.of_job(first):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    [ended] = bench.api.wait_for_job([first], namespace=bench.user, poll_interval=0.5, timeout=120)
    assert ended.status.message == "Job timeout"
    after_kill = [int(step) for step in re.findall(r"resuming from checkpoint-(\d+)", said(first))]
    assert len(after_kill) == 1 and after_kill[0] > 0

    second = submit("--timeout", "1h")
    until(lambda: "resuming from checkpoint-" in said(second))
    [after_timeout] = re.findall(r"resuming from checkpoint-(\d+)", said(second))
    assert int(after_timeout) > after_kill[0], "what the second attempt trained is lost"
