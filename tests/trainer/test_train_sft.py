"""train_sft.py as a process, with the real TRL, on a model of 0.14 million parameters."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests import warm

from .conftest import SCRIPTS, script_environment

pytestmark = pytest.mark.slow
RUN_SCHEMA = json.loads((SCRIPTS.parent / "assets/run.schema.json").read_text())


def log_steps(folder: Path) -> list[int]:
    path = folder / "runs/tiny/log.jsonl"
    return [json.loads(line)["step"] for line in path.read_text().splitlines()] if path.is_file() else []


def start(folder: Path, plan: Path) -> warm.Process:
    with (folder / "said").open("wb") as said:
        command = [str(SCRIPTS / "train_sft.py"), "--plan", str(plan)]
        return warm.popen(command, folder, script_environment(folder), said, said)


def wait_for(condition, process: warm.Process, folder: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, (folder / "said").read_text()
        assert time.monotonic() < end, "it did not come so far in time"
        time.sleep(0.02)


def test_a_run_lowers_the_held_out_loss_and_writes_what_the_schema_says(tmp_path, plan, script):
    done = script("train_sft.py", "--plan", plan(steps=30, learning_rate=0.003), "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert [error.message for error in Draft202012Validator(RUN_SCHEMA).iter_errors(run)] == []
    assert run["status"] == "completed"
    assert [entry["step"] for entry in run["log"]] == list(range(1, 31))
    loss = run["comparison"]["metrics"]["loss"]
    assert loss["tuned"] < loss["base"]
    assert loss["beyond_interval"]
    assert len(run["comparison"]["choices"]) == 8
    assert (tmp_path / "runs/tiny/model/model.safetensors").is_file()
    assert list((tmp_path / "trackio").rglob("*.db")), "trackio kept no metrics"

    again = script("train_sft.py", "--plan", tmp_path / "plan.json", "--json")
    assert again.returncode == 0
    assert "done already" in again.stderr
    assert json.loads(again.stdout) == run


def test_a_killed_run_continues_from_its_last_whole_checkpoint_and_trains_no_step_twice(tmp_path, plan, script):
    path = plan(steps=200, save_seconds=0.3)
    checkpoints = tmp_path / "runs/tiny/checkpoints"
    process = start(tmp_path, path)
    wait_for(lambda: len(list(checkpoints.glob("checkpoint-*/whole"))) >= 2, process, tmp_path)
    process.kill()
    process.wait()
    saved = max(int(whole.parent.name.rpartition("-")[2]) for whole in checkpoints.glob("checkpoint-*/whole"))
    torso = checkpoints / "checkpoint-9999"
    torso.mkdir()
    (torso / "trainer_state.json").write_text("{", encoding="utf-8")

    done = script("train_sft.py", "--plan", path)
    assert done.returncode == 0, done.stderr
    assert f"resuming from checkpoint-{saved}" in done.stderr
    assert "checkpoint-9999 was not written to its end" in done.stderr
    assert log_steps(tmp_path) == list(range(1, 201)), "a step is missing or was trained twice"


def test_sigterm_saves_a_checkpoint_from_which_the_run_continues(tmp_path, plan, script):
    path = plan(steps=300)
    process = start(tmp_path, path)
    wait_for(lambda: len(log_steps(tmp_path)) > 5, process, tmp_path)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 3
    stderr = (tmp_path / "said").read_text()
    assert "stopped by SIGTERM" in stderr
    stopped = json.loads((tmp_path / "runs/tiny/run.json").read_text())
    assert stopped["status"] == "stopped"
    assert (tmp_path / f"runs/tiny/checkpoints/checkpoint-{stopped['steps']}/whole").is_file()

    done = script("train_sft.py", "--plan", path)
    assert done.returncode == 0, done.stderr
    assert log_steps(tmp_path) == list(range(1, 301))


def test_a_second_training_of_a_folder_and_rows_that_changed_are_refused(
    tmp_path, tiny_model, docstring_rows, plan, script
):
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(docstring_rows.read_bytes())
    inspected = script("inspect_dataset.py", rows, "--model", tiny_model)
    assert inspected.returncode == 0, inspected.stderr
    path = plan(rows=rows, steps=300)
    document = json.loads(path.read_text())
    document["dataset"]["source"] = json.loads((tmp_path / "dataset-report.json").read_text())["source"]
    path.write_text(json.dumps(document))
    process = start(tmp_path, path)
    wait_for(lambda: len(log_steps(tmp_path)) > 5, process, tmp_path)

    second = script("train_sft.py", "--plan", path)
    assert (second.returncode, "another process is training in" in second.stderr) == (3, True), second.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130, "Ctrl-C is an interruption"

    with rows.open("a") as file:
        file.write(docstring_rows.read_text().splitlines()[0] + "\n")
    changed = script("train_sft.py", "--plan", path)
    assert (changed.returncode, "has changed since it was inspected" in changed.stderr) == (2, True), changed.stderr
    rows.write_bytes(docstring_rows.read_bytes())
    done = script("train_sft.py", "--plan", path)
    assert done.returncode == 0, done.stderr
    assert log_steps(tmp_path) == list(range(1, 301))


@pytest.mark.parametrize(
    ("part", "nonsense", "said"),
    [
        ("split", {"fraction": "half"}, "dataset.split.fraction"),
        ("split", {"key": "given"}, "'held_out_split' is a required property"),  # would score rows that it trained on
        ("settings", {"seed": 2**70}, "settings.seed"),
    ],
)
def test_a_plan_edited_to_nonsense_is_refused_by_its_schema(plan, script, part, nonsense, said):
    path = plan()
    document = json.loads(path.read_text())
    (document["dataset"]["split"] if part == "split" else document["settings"]).update(nonsense)
    path.write_text(json.dumps(document))
    done = script("train_sft.py", "--plan", path)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_checkpoint_that_cannot_be_written_is_said_and_the_one_before_is_kept(tmp_path, plan):
    process = start(tmp_path, plan(steps=3000, save_seconds=0.3))
    whole = (tmp_path / "runs/tiny/checkpoints").glob
    wait_for(lambda: list(whole("checkpoint-*/whole")), process, tmp_path)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (700_000, 700_000))  # the optimizer's file is larger
    assert process.wait(timeout=120) == 3
    said = (tmp_path / "said").read_text()
    assert "could not be written: the disk of runs/tiny is full" in said and "Traceback" not in said
    assert list(whole("checkpoint-*/whole"))


def test_the_deadline_stops_a_run_with_a_checkpoint(tmp_path, plan, script):
    done = script("train_sft.py", "--plan", plan(steps=100_000, deadline_seconds=2))
    assert done.returncode == 3
    assert "stopped by the deadline of 2 s" in done.stderr
    assert list((tmp_path / "runs/tiny/checkpoints").glob("checkpoint-*/whole"))


def test_past_its_budget_a_run_ends_well_and_is_scored(tmp_path, plan, script):
    done = script("train_sft.py", "--plan", plan(steps=100_000, budget_seconds=2), "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["status"] == "completed"
    assert run["stopped_by"] == "the budget of 2 s of training"
    assert run["steps"] < 100_000 and run["comparison"]["rows"] == 20
    assert "cut short by the budget" in report(script, tmp_path)


def test_a_stopped_run_is_scored_as_it_is_with_finish(tmp_path, plan, script):
    path = plan(steps=100_000, deadline_seconds=1, warmup_steps=0)
    assert script("train_sft.py", "--plan", path, "--finish").returncode == 2, "there is nothing to finish with"
    assert script("train_sft.py", "--plan", path).returncode == 3
    stopped = log_steps(tmp_path)[-1]
    done = script("train_sft.py", "--plan", path, "--finish", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["steps"] == stopped == log_steps(tmp_path)[-1], "it trained further"
    loss = run["comparison"]["metrics"]["loss"]
    assert loss["tuned"] < loss["base"], "the checkpoint's weights were not scored"
    assert "cut short by --finish" in report(script, tmp_path)


def report(script, folder: Path) -> str:
    done = script("report_run.py", "runs/tiny")
    assert done.returncode == 0, done.stderr
    return (folder / "training_reports/tiny.md").read_text()


def test_a_loss_that_is_not_a_number_stops_the_run_and_saves_nothing(tmp_path, plan, script, tiny_model):
    from safetensors.torch import load_file, save_file

    broken = tmp_path / "broken"
    broken.mkdir()
    for file in tiny_model.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    done = script("train_sft.py", "--plan", plan(model=broken, save_seconds=0.01))
    assert done.returncode == 3
    assert "the loss was not a number for 3 steps" in done.stderr
    assert not list((tmp_path / "runs/tiny").glob("checkpoints/checkpoint-*"))


def test_a_dashboard_that_fails_is_a_warning(tmp_path, plan, script):
    done = script("train_sft.py", "--plan", plan(steps=2), TRACKIO_SERVER_URL="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "warning:" in done.stderr and "dashboard" in done.stderr


def test_lora_trains_an_adapter_that_loads_on_its_base(tmp_path, plan, script):
    lora = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear"}
    done = script("train_sft.py", "--plan", plan(steps=3, lora=lora))
    assert done.returncode == 0, done.stderr
    from peft import AutoPeftModelForCausalLM

    assert AutoPeftModelForCausalLM.from_pretrained(tmp_path / "runs/tiny/model").num_parameters() > 140_000


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"prompt": "What is two and two? ", "completion": "four"}, "prompt"),
        ({"text": "Plain words about one thing and another, to be predicted."}, "text"),
        ({"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Good day"}]}, "sharegpt"),
        ({"messages": [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"},
                       {"role": "user", "content": "Two?"}, {"role": "assistant", "content": "2"}]}, "many turns"),
    ],
)  # fmt: skip
def test_every_form_of_rows_trains(tmp_path, plan, script, row, named):
    rows = tmp_path / "rows.jsonl"
    words = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "joist", "kelp", "larch"]
    text = json.dumps(row)
    first = next(word for word in ("two and two", "one thing", "Hello", "One?") if word in text)
    rows.write_text("".join(text.replace(first, f"{first} {word}") + "\n" for word in words * 2))
    path = plan(rows=rows, steps=2)
    document = json.loads(path.read_text())
    document["dataset"]["split"]["fraction"] = 0.4
    document["dataset"]["mapping"] = {"transform": "sharegpt"} if named == "sharegpt" else {}
    path.write_text(json.dumps(document))
    done = script("train_sft.py", "--plan", path)
    assert done.returncode == 0, done.stderr
    run = json.loads((tmp_path / "runs/tiny/run.json").read_text())
    assert run["train_rows"] > 0 and all(entry["loss"] > 0 for entry in run["log"])


def test_a_folder_with_checkpoints_of_another_plan_is_refused(tmp_path, plan, script):
    assert script("train_sft.py", "--plan", plan(steps=100_000, deadline_seconds=1)).returncode == 3
    (tmp_path / "runs/tiny/run.json").unlink()
    done = script("train_sft.py", "--plan", plan(steps=12, learning_rate=0.01))
    assert done.returncode == 2
    assert "holds checkpoints of another plan" in done.stderr


def test_rows_whose_answers_are_all_cut_off_are_refused_before_training(tmp_path, plan, script):
    done = script("train_sft.py", "--plan", plan(max_length=8))
    assert done.returncode == 2
    assert "no token carries loss" in done.stderr
    assert log_steps(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan.update(schema="skillpack/plan/99"), "this script reads 'skillpack/plan/1'"),
        (lambda plan: plan["settings"].update(learning_rate="fast"), "settings.learning_rate"),
        (lambda plan: plan["settings"].update(steps=0), "settings.steps"),
        (lambda plan: plan["settings"].update(stesp=5), "stesp"),
        (lambda plan: plan.update(method="dpo"), "run train_dpo.py"),
        (lambda plan: plan["estimate"].update(disk_gb=10**9), "GB free"),
        (lambda plan: plan["dataset"]["source"].update(id="nothing.jsonl"), "no file nothing.jsonl"),
    ],
)
def test_a_plan_edited_into_nonsense_is_refused_with_the_place(tmp_path, plan, script, change, message):
    path = plan()
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    done = script("train_sft.py", "--plan", path)
    assert done.returncode in (2, 3)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert log_steps(tmp_path) == []


def test_help_answers_before_any_heavy_import():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(SCRIPTS / "train_sft.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert "exit codes:" in done.stdout
    assert not {"torch", "trl", "datasets", "numpy"} & {
        line.rpartition("|")[2].strip() for line in done.stderr.splitlines()
    }
