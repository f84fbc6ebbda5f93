"""A second stage on a first one's adapter, and KTO: real runs of a tiny model, here and as jobs of the local Hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .test_train_methods import THINGS, pairs, write_rows

pytestmark = pytest.mark.slow
LORA = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": "all-linear"}


def polite(path: Path) -> Path:
    """Chats to imitate: the form of the chosen answers of `pairs`."""
    rows = [
        {"messages": [{"role": "user", "content": f"Where is the {one} by the {two}?"},
                      {"role": "assistant", "content": f"Certainly, the {one} is here."}]}
        for one in THINGS for two in THINGS[:4]
    ]  # fmt: skip
    return write_rows(path, rows)


def test_kto_makes_good_answers_likelier_and_bad_ones_not(tmp_path, plan, script):
    rows = []
    for index, line in enumerate(pairs(tmp_path / "pairs.jsonl", "chat").read_text().splitlines()):
        row = json.loads(line)
        good = index % 2 == 0
        rows.append({"prompt": row["prompt"], "completion": row["chosen" if good else "rejected"], "label": int(good)})
    path = plan(method="kto", rows=write_rows(tmp_path / "rows.jsonl", rows), steps=30, batch_size=8, held_out_rows=60)
    done = script("train_kto.py", "--plan", path, "--json")
    assert done.returncode == 0, done.stderr
    metrics = json.loads(done.stdout)["comparison"]["metrics"]
    assert metrics["shift"]["beyond_interval"] and metrics["shift"]["difference"] > 0
    assert metrics["likelihood_good"]["beyond_interval"]
    assert metrics["likelihood_bad"]["difference"] < metrics["likelihood_good"]["difference"]
    report = script("report_run.py", "runs/tiny")
    assert report.returncode == 0, report.stderr


def test_kto_refuses_rows_that_are_all_good(tmp_path, plan, script):
    rows = [{"prompt": f"Say {a} {b}", "completion": a, "label": True} for a in THINGS for b in THINGS[:5]]
    done = script("train_kto.py", "--plan", plan(method="kto", rows=write_rows(tmp_path / "rows.jsonl", rows)))
    assert done.returncode == 2
    assert "every label is the same" in done.stderr


@pytest.fixture
def first_stage(tmp_path, plan, script) -> dict:
    """run.json of an SFT run that left a LoRA adapter in runs/first."""
    path = plan(rows=polite(tmp_path / "chats.jsonl"), lora=LORA, steps=12, learning_rate=5e-3)
    document = json.loads(path.read_text()) | {"name": "first"}
    path.write_text(json.dumps(document))
    done = script("train_sft.py", "--plan", path, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def plan_second(script, rows: Path, *more: str) -> dict:
    inspected = script("inspect_dataset.py", rows, "--model", "runs/first/model", "--method", "dpo")
    assert inspected.returncode == 0, inspected.stderr
    planned = script("plan_run.py", "--model", "runs/first", "--method", "dpo", "--json", "--max-memory-gb", "4", *more)
    assert planned.returncode == 0, planned.stderr
    document: dict = json.loads(planned.stdout)
    return document


def first_loss(run: Path) -> float:
    """Of the first step, where nothing has moved yet: -log(1/2) when the reference is the model that training began
    with. Against the raw base, what the first stage changed would be counted as the second's."""
    return float(json.loads((run / "log.jsonl").read_text().splitlines()[0])["loss"])


def test_dpo_goes_on_from_an_adapter_which_stays_one_of_its_base_or_is_merged(
    tmp_path, script, first_stage, tiny_model
):
    second = plan_second(script, pairs(tmp_path / "pairs.jsonl", "chat"), "--steps", "25", "--learning-rate", "5e-3")
    assert second["name"] == "first-pairs-dpo"
    assert second["model"]["base"]["id"] == str(tiny_model)
    assert [stage["method"] for stage in second["model"]["stages"]] == ["sft"]
    assert second["settings"]["lora"]["r"] == LORA["r"]
    done = script("train_dpo.py", "--plan", "plan.json", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["comparison"]["metrics"]["margin"]["beyond_interval"]
    run = tmp_path / "runs/first-pairs-dpo"
    assert first_loss(run) == pytest.approx(0.6931, abs=1e-3)
    assert json.loads((run / "model/adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny_model)
    assert not (run / "model/ref").exists()
    report = script("report_run.py", run)
    assert report.returncode == 0, report.stderr
    assert "first: sft of" in (tmp_path / "training_reports/first-pairs-dpo.md").read_text()

    planned = script("plan_run.py", "--model", "runs/first/model", "--full", "--steps", "2", "--name", "merged",
                     "--max-memory-gb", "4", "--method", "dpo")  # fmt: skip
    assert planned.returncode == 0, planned.stderr
    done = script("train_dpo.py", "--plan", "plan.json", "--json")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs/merged"
    assert first_loss(run) == pytest.approx(0.6931, abs=1e-3)
    assert (run / "model/model.safetensors").is_file() and not (run / "model/adapter_config.json").exists()

    refused = script("plan_run.py", "--model", "runs/first/model", "--method", "reward")
    assert refused.returncode == 2 and "starts from a whole model" in refused.stderr
    run_file = tmp_path / "runs/first/run.json"
    run_file.write_text(json.dumps(first_stage | {"status": "stopped", "stopped_by": "SIGTERM"}))
    stopped = script("plan_run.py", "--model", "runs/first", "--method", "dpo")
    assert stopped.returncode == 1 and "finish it first" in stopped.stderr


def test_two_stages_run_as_jobs_the_second_from_the_bucket_of_the_first(tmp_path, bench):
    bench.edit(lambda document: document["settings"].update(lora=LORA, steps=2, held_out_rows=4))
    for arguments in (
        ("submit_run.py", "--plan", bench.plan, "--yes"),
        ("watch_run.py", bench.run_folder, "--follow", "--download"),
    ):
        done = bench.script(*arguments)
        assert done.returncode == 0, done.stderr
    rows, api = pairs(tmp_path / "pairs.jsonl", "chat"), bench.api
    dataset = f"{bench.user}/pairs"
    api.create_repo(dataset, repo_type="dataset", private=True)
    api.upload_file(repo_id=dataset, repo_type="dataset", path_or_fileobj=rows, path_in_repo="rows.jsonl")
    for arguments in (
        ("inspect_dataset.py", dataset, "--model", "runs/tiny/model", "--method", "dpo"),
        ("plan_run.py", "--model", "runs/tiny", "--where", "hf-jobs", "--flavor", "cpu-basic", "--steps", "2",
         "--held-out-rows", "4"),
    ):  # fmt: skip
        done = bench.script(*arguments)
        assert done.returncode == 0, done.stderr
    model = json.loads((tmp_path / "plan.json").read_text())["model"]
    assert model["bucket"]["id"] == f"{bench.user}/skillpack-runs"
    name = json.loads((tmp_path / "plan.json").read_text())["name"]
    shown = bench.script("submit_run.py", "--plan", "plan.json")
    assert shown.returncode == 4, shown.stderr
    for arguments in (
        ("submit_run.py", "--plan", "plan.json", "--yes"),
        ("watch_run.py", f"runs/{name}", "--follow", "--download"),
        ("report_run.py", f"runs/{name}"),
    ):
        done = bench.script(*arguments)
        assert done.returncode == 0, done.stderr
    assert first_loss(tmp_path / "runs" / name) == pytest.approx(0.6931, abs=1e-3)
    assert (tmp_path / f"runs/{name}/model/adapter_model.safetensors").is_file()
    report = (tmp_path / f"training_reports/{name}.md").read_text()
    assert "tiny: sft of" in report and "dpo" in report


def test_a_reward_of_ones_own_travels_to_the_job_and_a_changed_one_is_another_job(tmp_path, bench):
    def shown() -> dict:
        done = bench.script("submit_run.py", "--plan", bench.plan, "--json")
        assert done.returncode == 4, done.stderr
        document: dict = json.loads(done.stdout)
        return document

    bench.edit(lambda document: document.update(method="grpo"))
    bench.edit(lambda document: document["settings"].update(num_generations=4, rewards=["number", "mine.py:short"]))
    absent = bench.script("submit_run.py", "--plan", bench.plan)
    assert absent.returncode == 2 and "no file mine.py" in absent.stderr
    (tmp_path / "mine.py").write_text("def short(completions, **columns): return [1.0 for _ in completions]\n")
    first = shown()
    assert "--reward-file mine.py" in first["commands"][0]
    assert shown()["label"] == first["label"]
    (tmp_path / "mine.py").write_text("def short(completions, **columns): return [0.5 for _ in completions]\n")
    assert shown()["label"] != first["label"]
