"""A tiny model, rows, and the trainer's scripts as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skillpack import samples
from tests import warm
from tests.conftest import LocalHub

SCRIPTS = Path(__file__).parents[2] / "skills/hugging-face-model-trainer/scripts"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "Tiny-Qwen3"
    samples.write_tiny_model(folder, [text for text, _ in samples.docstrings()])
    return folder


@pytest.fixture(scope="session")
def docstring_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    samples.write_docstrings(path, per_module=20)
    return path


@pytest.fixture
def script(tmp_path: Path):
    """`script(name, *arguments)`: runs a script of the skill in the test's folder, as a user's agent would."""

    def run(name: str, *arguments: object, anew: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(SCRIPTS / name), *map(str, arguments)]
        settings = script_environment(tmp_path) | environment
        if anew:  # with bitsandbytes, which the warm Python leaves out
            command = [sys.executable, *command]
            return subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=240)
        return warm.run(command, tmp_path, settings, timeout=240)

    return run


def script_environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRACKIO_DIR": str(folder / "trackio")}


def plan_document(model: Path, rows: Path, method: str = "sft", **settings: object) -> dict:
    """plan.json of a tiny run of 12 steps, with these settings changed."""
    return {
        "schema": "skillpack/plan/1",
        "name": "tiny",
        "method": method,
        "model": {"id": str(model), "parameters": 140_000, "layers": 2, "hidden_size": 64, "vocab_size": 1024},
        "dataset": {
            "source": {"id": str(rows), "split": "train"},
            "mapping": {},
            "split": {"key": "group", "fraction": 0.2, "seed": 0},
            "rows": 128,
        },
        "hardware": {"where": "local", "device": "cpu", "name": "test", "memory_gb": 4},
        "settings": {
            "device": "cpu",
            "precision": "fp32",
            "weights": "fp32",
            "lora": None,
            "batch_size": 4,
            "accumulation": 1,
            "steps": 12,
            "learning_rate": 0.001,
            "warmup_steps": 1,
            "activation_checkpointing": False,
            "max_length": 256,
            "packing": False,
            "seed": 0,
            "save_seconds": 300,
            "deadline_seconds": None,
            "held_out_rows": 20,
            **settings,
        },
        "estimate": {
            "memory_gb": 1.0,
            "memory_parts_gb": {},
            "train_seconds": 1,
            "train_seconds_range": [1, 2],
            "disk_gb": 0.1,
            "cost_usd": 0.0,
        },
        "choices": [],
        "warnings": [],
    }


@pytest.fixture
def plan(tmp_path: Path, tiny_model: Path, docstring_rows: Path):
    """`plan(**settings)`: writes plan.json of a tiny run with these settings changed, and returns its path."""

    def write(model: Path = tiny_model, rows: Path = docstring_rows, method: str = "sft", **settings: object) -> Path:
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(plan_document(model, rows, method, **settings)), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def published(hub: LocalHub, tiny_model: Path, docstring_rows: Path) -> tuple[str, str]:
    """(model id, dataset id) on the local Hub, readable by every user of it."""
    api = hub.api()
    model, rows = f"{hub.user}/tiny-qwen3", f"{hub.user}/docstrings"
    api.create_repo(model)
    api.upload_folder(repo_id=model, folder_path=tiny_model)
    api.create_repo(rows, repo_type="dataset")
    api.upload_file(repo_id=rows, repo_type="dataset", path_or_fileobj=docstring_rows, path_in_repo="rows.jsonl")
    return model, rows


@pytest.fixture
def bench(hub: LocalHub, published: tuple[str, str], plan, tmp_path: Path):
    """A user of the local Hub of its own, and a plan of 12 steps for a job; its jobs are canceled at the end."""
    from .hubrun import Bench, for_jobs, new_user

    user, token = new_user(hub)
    bench = Bench(hub, tmp_path, user, token, plan(model=published[0], rows=published[1]))
    bench.edit(for_jobs)
    yield bench
    bench.cancel_all()
