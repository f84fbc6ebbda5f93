"""Publishing a run: the card, the push that is verified, and checkpoints that outlive the machine."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from skillpack.kit.publish import model_card, pushed_files, usage

from .hubrun import Bench

pytestmark = pytest.mark.slow
METRIC = {"better": "lower", "base": 2.0, "tuned": 1.5, "difference": -0.5, "low": -0.6, "high": -0.4}


def pushing(bench: Bench, repo: str = "tuned", private: bool = True, **settings: object) -> None:
    def change(plan: dict) -> None:
        plan["push"] = {"repo_id": repo, "private": private}
        plan["settings"] |= settings

    bench.edit(change)


def a_run(**plan: object) -> dict:
    """A completed run of an adapter on a Hub model, as run.json has it."""
    settings = {"lora": {"r": 4}, "learning_rate": 2e-4, "batch_size": 4, "device": "cuda"}
    source = {"id": "org/rows", "split": "train", "revision": "abc"}
    split = {"key": "group", "fraction": 0.2, "seed": 0}
    model = {"id": "org/base", "revision": "def"}
    document = {"name": "n", "method": "sft", "model": model, "settings": settings,
                "dataset": {"source": source, "split": split}, **plan}  # fmt: skip
    metrics = {"loss": {**METRIC, "beyond_interval": True}, "accuracy": {**METRIC, "beyond_interval": False}}
    return {"name": "n", "plan": document, "steps": 12, "train_rows": 100, "stopped_by": "",
            "versions": {"trl": "1.16"}, "comparison": {"rows": 20, "metrics": metrics}}  # fmt: skip


def test_a_run_that_pushes_is_on_the_hub_with_a_card_and_loads_from_there(bench: Bench) -> None:
    pushing(bench, steps=3)
    asked = bench.script("train_sft.py", "--plan", bench.plan)
    assert asked.returncode == 4, asked.stderr
    assert "run it again with --yes" in asked.stderr
    assert not bench.api.repo_exists(f"{bench.user}/tuned"), "it published without --yes"
    assert not bench.run_folder.exists(), "it trained before it asked"

    done = bench.script("train_sft.py", "--plan", bench.plan, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    info = bench.api.model_info(f"{bench.user}/tuned", files_metadata=True)
    assert run["pushed"]["repo_id"] == info.id and run["pushed"]["revision"] == info.sha
    assert info.private
    there = {file.rfilename: file.size for file in info.siblings or []}
    here = pushed_files(bench.run_folder / "model")
    assert here.items() <= there.items() and {"model.safetensors", "README.md", "tokenizer.json"} <= set(here)
    assert "training_args.bin" not in there, "a pickle with folders of this machine"
    header = ModelCard((bench.run_folder / "model/README.md").read_text()).data.to_dict()
    model, rows = (json.loads(bench.plan.read_text())[part] for part in ("model", "dataset"))
    assert header["base_model"] == model["id"] and header["datasets"] == [rows["source"]["id"]]
    assert header["base_model_relation"] == "finetune" and "license" not in header

    code = f"from transformers import AutoModelForCausalLM as A; print(A.from_pretrained('{info.id}').num_parameters())"
    loaded = bench.hub.run("python", "-c", code, HF_TOKEN=bench.token)
    assert loaded.returncode == 0, loaded.stderr

    again = bench.script("train_sft.py", "--plan", bench.plan, "--yes", "--json")
    assert again.returncode == 0 and "done already" in again.stderr
    assert bench.api.model_info(info.id).sha == info.sha, "it pushed what was there"


def test_a_completed_run_whose_push_failed_only_pushes_the_next_time(bench: Bench) -> None:
    bench.edit(lambda plan: plan["settings"].update(steps=1))
    assert bench.script("train_sft.py", "--plan", bench.plan).returncode == 0
    pushing(bench)
    path = bench.run_folder / "run.json"
    trained = json.loads(path.read_text())
    refused = bench.script("train_sft.py", "--plan", bench.plan, "--yes", HF_ENDPOINT="http://127.0.0.1:9")
    assert refused.returncode == 3 and "cannot be reached" in refused.stderr
    done = bench.script("train_sft.py", "--plan", bench.plan, "--yes")
    assert done.returncode == 0, done.stderr
    assert "pushed and verified" in done.stderr and "loading rows" not in done.stderr
    pushed = json.loads(path.read_text()).pop("pushed")
    assert pushed["files"] == len(pushed_files(bench.run_folder / "model"))
    assert json.loads(path.read_text())["log"] == trained["log"]


def test_a_file_that_is_missing_or_cut_on_the_hub_fails_the_push(bench: Bench, tmp_path: Path) -> None:
    repo = bench.api.create_repo(f"{bench.user}/half").repo_id
    bench.api.upload_file(repo_id=repo, path_or_fileobj=b"12345", path_in_repo="model.safetensors")

    def verified(files: dict):
        code = f"from skillpack.kit.publish import verify_push; verify_push({repo!r}, {files!r})"
        return bench.hub.run("python", "-c", code, token=bench.token)

    assert verified({"model.safetensors": 5}).returncode == 0
    done = verified({"model.safetensors": 6, "config.json": 1})
    assert done.returncode != 0
    assert "model.safetensors (5 there, 6 here); config.json (none there, 1 here)" in done.stderr


@pytest.mark.parametrize(
    ("run", "licence", "header", "said"),
    [
        (a_run(), {"license": "apache-2.0"},
         {"base_model": "org/base", "base_model_relation": "adapter", "datasets": ["org/rows"], "license": "apache-2.0",
          "library_name": "peft", "pipeline_tag": "text-generation"},
         ["| loss (lower is better) | 2.000 | 1.500 | -0.500 [-0.600, -0.400] |",
          "not shown to be better", "AutoPeftModelForCausalLM", "revision abc", "card states: apache-2.0"]),
        (a_run(), {"license": "other", "license_name": "own-terms", "license_link": "LICENSE"},
         {"license": "other", "license_name": "own-terms"}, ["card states: own-terms"]),
        (a_run(), {}, {"license": None}, ["none is claimed here"]),
        (a_run(method="reward", settings={"lora": None}), {},
         {"pipeline_tag": "text-classification", "library_name": "transformers", "base_model_relation": "finetune"},
         ["AutoModelForSequenceClassification"]),
        (a_run(model={"id": "."}, dataset={"source": {"id": ".", "split": "train"},
               "split": {"key": "given", "held_out_split": "test"}}), {},
         {"base_model": None, "datasets": None}, ["a local file", "a local model"]),
        ({**a_run(), "comparison": None, "stopped_by": "the budget"}, {}, {},
         ["no comparison", "cut short by the budget"]),
    ],
)  # fmt: skip
def test_the_card_says_what_was_done_and_claims_nothing_else(run, licence, header, said) -> None:
    text = model_card(run, "me/tuned", licence)
    found = yaml.safe_load(text.split("---")[1])
    assert {key: found.get(key) for key in header} == header
    for words in said:
        assert words in text
    assert "skillpack" in found["tags"] and run["plan"]["method"] in found["tags"]


def test_the_lines_of_use_are_python() -> None:
    for method in ("sft", "reward"):
        for adapter in (True, False):
            compile("\n".join(usage("me/tuned", method, adapter)), "card", "exec")


def wait_until(condition, process, seconds: float = 100) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_run_whose_machine_is_gone_continues_elsewhere_from_the_bucket(bench: Bench) -> None:
    pushing(bench, steps=150, save_seconds=0.5)
    bucket = f"{bench.user}/skillpack-runs"

    def saved() -> list[int]:
        if not bench.api.repo_exists(f"{bench.user}/tuned"):
            return []
        try:
            tree = list(bench.api.list_bucket_tree(bucket, recursive=True))
        except OSError:
            return []
        return [int(file.path.split("checkpoint-")[1].split("/")[0]) for file in tree if file.path.endswith("/whole")]

    process = bench.start("train_sft.py", "--plan", bench.plan, "--yes")
    wait_until(saved, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert saved(), "a checkpoint that was pushed is gone"

    done = bench.script("train_sft.py", "--plan", bench.plan, "--yes", "--out", "elsewhere")
    assert done.returncode == 0, done.stderr
    assert "resuming from checkpoint-" in done.stderr and "from the bucket" in done.stderr
    steps = [json.loads(line)["step"] for line in (bench.folder / "elsewhere/log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 151)), "a step is missing or was trained twice"
    assert "scoring the base model" not in done.stderr, "its scores were not fetched"
    assert not saved(), "the checkpoints of a published run still take space"


def test_a_copy_that_fails_is_a_warning_and_a_stopped_run_leaves_its_last_checkpoint(bench: Bench) -> None:
    pushing(bench, steps=100_000, save_seconds=0.5)
    bucket = f"{bench.user}/skillpack-runs"
    process = bench.start("train_sft.py", "--plan", bench.plan, "--yes")
    wait_until(lambda: any(found.id == bucket for found in bench.api.list_buckets()), process)
    bench.api.delete_bucket(bucket)
    assert process.stderr is not None
    assert any("the next save tries again" in line for line in process.stderr), "no warning"
    bench.api.create_bucket(bucket, private=True)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3 and "stopped by SIGTERM" in stderr
    step = json.loads((bench.run_folder / "run.json").read_text())["steps"]
    files = {file.path for file in bench.api.list_bucket_tree(bucket, recursive=True)}
    assert any(path.endswith(f"checkpoints/checkpoint-{step}/whole") for path in files), "the last save was not pushed"


def test_a_job_is_told_that_its_push_was_confirmed(bench: Bench) -> None:
    asked = bench.script("submit_run.py")
    assert asked.returncode == 4 and "pushes to" not in asked.stdout
    pushing(bench)
    asked = bench.script("submit_run.py")
    assert "pushes to  tuned (private), at the end" in asked.stdout
    assert bench.script("submit_run.py", "--yes").returncode == 0
    assert "--yes" in (bench.jobs()[0].command or []) + (bench.jobs()[0].arguments or [])
