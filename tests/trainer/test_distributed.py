"""The training scripts as two processes on CPU and gloo, and as two jobs that meet, under DDP and under FSDP2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import SCRIPTS, script_environment
from .hubrun import Bench, for_two_nodes

pytestmark = pytest.mark.slow
LORA = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def two_processes(path: Path, strategy: str) -> Path:
    """The plan on two processes, each with half the batch: a step has the same rows."""
    plan = json.loads(path.read_text())
    plan["hardware"] |= {"gpus": 2, "nodes": 1, "strategy": strategy}
    plan["settings"]["batch_size"] //= 2
    path.write_text(json.dumps(plan))
    return path


def start(folder: Path, plan: Path, script: str = "train_sft.py") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TORCHRUN, str(SCRIPTS / script), "--plan", str(plan), "--json"],
        cwd=folder, env=script_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def trained(folder: Path, plan: Path, script: str = "train_sft.py") -> dict[str, Any]:
    """run.json of two processes that must succeed."""
    process = start(folder, plan, script)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr[-3000:]
    document: dict[str, Any] = json.loads(stdout)
    return document


def losses(run: dict[str, Any]) -> list[float]:
    return [entry["loss"] for entry in run["log"]]


def compared(run: dict[str, Any]) -> list[float]:
    loss = run["comparison"]["metrics"]["loss"]
    return [loss["base"], loss["tuned"]]


def same_weights(found: Path, expected: Path) -> None:
    from safetensors.torch import load_file

    left, right = load_file(found), load_file(expected)
    assert left.keys() == right.keys()
    apart = sum(float((left[name] - right[name]).square().sum()) for name in right) ** 0.5
    moved = sum(float(weight.square().sum()) for weight in right.values()) ** 0.5
    assert apart < 0.05 * moved  # sums of two processes are rounded in another order


def rank_of(process: subprocess.Popen[str], rank: int) -> int:
    """The pid of one of the processes that torchrun started."""
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        if f"RANK={rank}" in Path(f"/proc/{child}/environ").read_bytes().decode().split("\0"):
            return int(child)
    raise AssertionError(f"no process of rank {rank}")


@pytest.fixture
def alone(plan, script):
    """`alone(**settings)`: run.json of one process, which takes the same rows in a step as two would."""

    def train(**settings: object) -> dict[str, Any]:
        done = script("train_sft.py", "--plan", plan(**settings), "--json", "--out", "runs/alone")
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    return train


def test_two_processes_train_and_score_as_one_does(tmp_path, plan, alone):
    one = alone(steps=6)
    for strategy in ("ddp", "fsdp2"):
        path = two_processes(plan(steps=6), strategy)
        run = trained(tmp_path, path)
        assert losses(run) == pytest.approx(losses(one), abs=1e-3), strategy
        assert compared(run) == pytest.approx(compared(one), abs=1e-3), strategy
        assert run["comparison"]["rows"] == one["comparison"]["rows"]
        same_weights(tmp_path / "runs/tiny/model/model.safetensors", tmp_path / "runs/alone/model/model.safetensors")
        (tmp_path / "runs/tiny").rename(tmp_path / f"runs/{strategy}")


def test_one_of_two_processes_killed_ends_the_run_and_it_resumes_from_its_pieces(tmp_path, plan, alone):
    one = alone(steps=40, lora=LORA, activation_checkpointing=True)
    path = two_processes(plan(steps=40, lora=LORA, activation_checkpointing=True, save_seconds=0.3), "fsdp2")
    process = start(tmp_path, path)
    checkpoints = tmp_path / "runs/tiny/checkpoints"
    end = time.monotonic() + 120
    while not list(checkpoints.glob("checkpoint-*/whole")):
        assert process.poll() is None and time.monotonic() < end, process.communicate()[1][-3000:]
        time.sleep(0.02)
    os.kill(rank_of(process, 1), signal.SIGKILL)
    process.communicate(timeout=90)  # not a hang: the other process does not wait for the dead one
    assert process.returncode != 0
    assert not (tmp_path / "runs/tiny/run.json").exists()
    assert list(checkpoints.glob("checkpoint-*/pytorch_model_fsdp_0/__1_0.distcp")), "it saved no pieces"

    run = trained(tmp_path, path)
    assert [entry["step"] for entry in run["log"]] == list(range(1, 41))
    assert losses(run) == pytest.approx(losses(one), abs=0.02), "it went on with other rows, or from other weights"
    assert compared(run) == pytest.approx(compared(one), abs=0.02)
    name = "model/adapter_model.safetensors"
    same_weights(tmp_path / "runs/tiny" / name, tmp_path / "runs/alone" / name)
    assert not checkpoints.exists()


def test_the_other_methods_train_cut_in_pieces(tmp_path, plan):
    from skillpack import samples

    rows = tmp_path / "prompts.jsonl"
    samples.write_prompts(rows, per_module=5)
    path = plan(method="grpo", rows=rows, steps=2, batch_size=8, num_generations=4, max_completion_length=8,
                held_out_rows=4, rewards=["exact"])  # fmt: skip
    run = trained(tmp_path, two_processes(path, "fsdp2"), "train_grpo.py")
    assert [entry["step"] for entry in run["log"]] == [1, 2]
    assert run["comparison"]["rows"] == 4


def test_a_plan_for_two_processes_is_not_run_by_one(plan, script):
    done = script("train_sft.py", "--plan", two_processes(plan(), "ddp"))
    assert done.returncode == 2
    assert "the plan is for 2 processes, and this is one of 1" in done.stderr


def test_two_jobs_meet_and_train_one_model_in_pieces(bench: Bench, alone) -> None:
    def edit(document: dict[str, Any]) -> None:
        for_two_nodes(document)
        document["hardware"]["strategy"] = "fsdp2"
        document["settings"] |= {"steps": 6, "batch_size": 2}

    bench.edit(edit)
    done = bench.script("submit_run.py", "--yes", "--json", "--timeout", "1h")
    assert done.returncode == 0, done.stderr
    watched = bench.script("watch_run.py", bench.run_folder, "--follow", "--download")
    assert watched.returncode == 0, watched.stdout + watched.stderr
    run = json.loads((bench.run_folder / "run.json").read_text())
    one = alone(steps=6)
    assert losses(run) == pytest.approx(losses(one), abs=1e-3)
    assert compared(run) == pytest.approx(compared(one), abs=1e-3)


def test_an_adapter_trains_on_a_base_of_4_bits(tmp_path, plan, script):
    """On CPU: bitsandbytes has the same NF4 layers there, and no GPU is at hand."""
    four = {"bits": 4, "type": "nf4", "double": True}
    path = plan(steps=10, lora=LORA, learning_rate=0.01, quantization=four)
    done = script("train_sft.py", "--plan", path, "--json", anew=True)
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    base, tuned = compared(run)
    assert tuned < base
    whole = script("train_sft.py", "--plan", plan(steps=1, lora=LORA), "--out", "runs/whole", "--json")
    assert abs(compared(json.loads(whole.stdout))[0] - base) > 1e-4, "the base was not loaded in 4 bits"
    assert (tmp_path / "runs/tiny/model/adapter_model.safetensors").is_file()
