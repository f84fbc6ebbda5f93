"""Memory that runs out: the run goes on with half the batch, on a process whose memory is really limited."""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from pathlib import Path

import pytest
import torch

from skillpack.kit.guard import batch_of, halve_batch, out_of_memory
from skillpack.kit.script import Failure
from tests import warm

from .conftest import SCRIPTS, script_environment

pytestmark = pytest.mark.slow
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "joist", "kelp", "larch"]
ROWS = 32  # of about 800 tokens: one step of them takes some 0.6 GB, one row some 20 MB


def data_bytes(pid: int) -> int:
    """What RLIMIT_DATA counts: the writable private memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmData")))


def start(folder: Path, plan: Path) -> warm.Process:
    with (folder / "log").open("wb") as said:
        command = [str(SCRIPTS / "train_sft.py"), "--plan", str(plan)]
        return warm.popen(command, folder, script_environment(folder), said, said)


def wait_for(condition, process: warm.Process, log: Path) -> None:
    end = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit(2) is Linux's")
@pytest.mark.parametrize("when", ["before the first step", "between two steps"])
def test_a_step_out_of_memory_halves_the_batch_and_loses_no_step(tmp_path: Path, plan, when: str) -> None:
    rows, draw = tmp_path / "rows.jsonl", random.Random(0)
    texts = [" ".join(draw.choice(WORDS) for _ in range(400)) + f" {index}" for index in range(60)]
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    log, run = tmp_path / "log", tmp_path / "runs/tiny"
    early = when == "before the first step"
    path = plan(rows=rows, batch_size=ROWS, steps=2 if early else 4, max_length=1024, held_out_rows=2,
                save_seconds=300 if early else 0.01)  # fmt: skip
    process = start(tmp_path, path)
    if early:
        wait_for(lambda: "scoring the base model" in log.read_text(), process, log)
        room = data_bytes(process.pid) + 450_000_000
    else:
        wait_for(lambda: list(run.glob("checkpoints/checkpoint-*/whole")), process, log)
        room = min(data_bytes(process.pid) for _ in range(100) if not time.sleep(0.01)) + 300_000_000
    resource.prlimit(process.pid, resource.RLIMIT_DATA, (room, room))
    process.wait(timeout=240)
    said = log.read_text()
    assert process.returncode == 0, said
    document = json.loads((run / "run.json").read_text())
    assert document["out_of_memory"], "the limit was not felt"
    now = json.loads((run / "batch.json").read_text())
    assert now["batch_size"] < ROWS and now["batch_size"] * now["accumulation"] == ROWS
    assert f"out of memory at step {document['out_of_memory'][0]['step']} with {ROWS} rows at a time" in said
    assert [entry["step"] for entry in document["log"]] == list(range(1, document["plan"]["settings"]["steps"] + 1))
    assert early or "resuming from checkpoint-" in said
    assert document["plan"]["settings"]["batch_size"] == ROWS, "the plan is what was approved"


def test_the_batch_goes_down_to_one_with_the_rows_of_a_step_kept_and_then_says_what_to_change(tmp_path: Path) -> None:
    settings, seen = {"batch_size": 6, "accumulation": 1}, []
    for step, size in enumerate((6, 3)):
        for _ in range(2):  # a second process of the same run does not halve again
            halve_batch(settings, tmp_path, size, step, MemoryError())
        now = batch_of(settings, tmp_path)
        seen.append((now["batch_size"], now["accumulation"]))
    assert seen == [(3, 2), (1, 6)]
    assert [event["batch_size"] for event in now["halved"]] == [6, 3]
    with pytest.raises(Failure, match="--max-length"):
        halve_batch(settings, tmp_path, 1, 2, MemoryError())


def test_what_memory_says_is_told_from_other_errors() -> None:
    with pytest.raises(RuntimeError) as short:
        torch.empty(1 << 50)
    with pytest.raises(RuntimeError) as other:
        torch.ones(2) @ torch.ones(3)
    with pytest.raises(MemoryError) as python:
        bytearray(1 << 60)
    assert out_of_memory(short.value) and out_of_memory(python.value)
    assert out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert not out_of_memory(other.value) and not out_of_memory(ValueError("out of memory"))
