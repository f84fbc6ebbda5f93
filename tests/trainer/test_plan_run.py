"""plan_run.py as a process: what it decides follows from the architecture, the data and the machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from .conftest import SCRIPTS

SCHEMA = json.loads((SCRIPTS.parent / "assets/plan.schema.json").read_text())
QWEN3_8B = {
    "architectures": ["Qwen3ForCausalLM"], "num_hidden_layers": 36, "hidden_size": 4096, "intermediate_size": 12288,
    "vocab_size": 151936, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "max_position_embeddings": 40960, "tie_word_embeddings": False, "rope_theta": 1000000, "eos_token_id": 151645,
}  # fmt: skip


def write_model(folder: Path, **changes: object) -> Path:
    """A model's folder with a config and a template, and no weights."""
    folder.mkdir(exist_ok=True)
    config = {key: value for key, value in {**QWEN3_8B, **changes}.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')
    return folder


@pytest.fixture
def report(tmp_path: Path) -> Path:
    incompatible = {"verdict": "INCOMPATIBLE", "reason": "Missing 'chosen' and 'rejected' columns"}
    document = {
        "schema": "skillpack/dataset-report/1",
        "source": {"id": "org/some-rows", "config": None, "split": "train", "revision": None},
        "rows": {"total": 1000, "examined": 1000},
        "columns": {"messages": "list"},
        "verdicts": dict.fromkeys(("dpo", "grpo", "reward", "kto"), incompatible)
        | {"sft": {"verdict": "READY", "reason": "Found 'messages' column", "mapping": {}}},
        "recommended": {"method": "sft", "why": "answers to imitate"},
        "tokens": {"counted_with": "test", "mean": 200.0, "p50": 180, "p95": 400, "max": 500},
        "split": {"key": "group", "fraction": 0.1, "seed": 0},
    }
    path = tmp_path / "dataset-report.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def planned(script, report):
    """`planned(model, *arguments)`: the plan as a document, held against its schema."""

    def run(model: Path, *arguments: object) -> dict:
        done = script("plan_run.py", "--model", model, "--json", *arguments)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)] == []
        return document

    return run


def test_parameters_are_counted_from_the_headers_where_there_are_weights(planned, tiny_model):
    from transformers import AutoModelForCausalLM

    model = planned(tiny_model)["model"]
    assert model["parameters_from"] == "safetensors headers"
    assert model["parameters"] == AutoModelForCausalLM.from_pretrained(tiny_model).num_parameters()


@pytest.mark.parametrize(
    ("changes", "billions"),
    [
        ({}, 8.19),
        # the original skill read both of these as 1B, from their names
        ({"num_hidden_layers": 64, "hidden_size": 5120, "intermediate_size": 25600, "num_attention_heads": 64}, 32.76),
        ({"num_hidden_layers": 32, "intermediate_size": 11008, "vocab_size": 32000, "num_key_value_heads": None,
          "head_dim": None}, 6.74),
    ],
    ids=["Qwen3-8B", "Qwen3-32B", "Llama-2-7b"],
)  # fmt: skip
def test_without_weights_parameters_follow_from_the_shapes_and_not_from_the_name(
    script, report, tmp_path, changes, billions
):
    done = script("plan_run.py", "--model", write_model(tmp_path / "tiny-1b", **changes), "--max-memory-gb", 1)
    assert done.returncode == 1
    counted = float(re.search(r"with ([0-9.]+)B parameters", done.stderr)[1])
    assert counted == pytest.approx(billions, rel=0.01)


def test_a_small_model_is_tuned_whole_where_it_fits_and_by_lora_where_not(planned, tmp_path):
    model = write_model(tmp_path / "m", num_hidden_layers=28, hidden_size=1024, intermediate_size=3072,
                        num_attention_heads=16, tie_word_embeddings=True)  # fmt: skip
    assert planned(model, "--max-memory-gb", 18)["settings"]["lora"] is None
    small = planned(model, "--max-memory-gb", 8)
    assert small["settings"]["lora"]["target_modules"] == "all-linear"
    assert small["settings"]["learning_rate"] == pytest.approx(10 * 5e-5)
    assert small["estimate"]["memory_gb"] <= 8


def test_above_three_billion_parameters_lora_applies_by_itself(script, report, tmp_path):
    model = write_model(tmp_path / "m")
    done = script("plan_run.py", "--model", model, "--max-memory-gb", "500", "--json")
    if done.returncode:  # this machine has less memory than the adapter run needs
        assert "lora with batch 1 takes about" in done.stderr
    else:
        assert json.loads(done.stdout)["settings"]["lora"]["r"] == 16


def test_what_does_not_fit_is_refused_with_the_numbers_and_exit_1(script, report, tmp_path):
    done = script("plan_run.py", "--model", write_model(tmp_path / "m"), "--max-memory-gb", 4)
    assert done.returncode == 1
    assert "there are 4.0 GB" in done.stderr
    assert not (tmp_path / "plan.json").exists()


def test_a_time_limit_cuts_the_steps(planned, tiny_model):
    whole = planned(tiny_model)["settings"]["steps"]
    cut = planned(tiny_model, "--max-minutes", 0.0005)
    assert 1 <= cut["settings"]["steps"] < whole
    assert any("minutes allow" in choice["why"] for choice in cut["choices"])


@pytest.mark.parametrize(
    ("changes", "warning"),
    [({"rope_theta": None}, "no rope_theta"), ({"eos_token_id": None}, "no eos_token_id")],
)
def test_what_a_config_leaves_to_a_silent_default_is_a_warning(planned, tmp_path, changes, warning):
    model = write_model(tmp_path / "m", num_hidden_layers=1, **changes)
    assert any(warning in line for line in planned(model)["warnings"])
    assert not any(warning in line for line in planned(write_model(tmp_path / "n", num_hidden_layers=1))["warnings"])


def test_a_tokenizer_without_a_chat_template_is_a_warning(planned, tmp_path):
    model = write_model(tmp_path / "m", num_hidden_layers=1)
    (model / "tokenizer_config.json").unlink()
    assert any("no chat template" in line for line in planned(model)["warnings"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "./nothing"], 2, "no folder ./nothing"),
        (["--model", "."], 2, "has no config.json"),
        (["--model", "tiny", "--max-length", "0"], 2, "--max-length is 0"),
        (["--model", "tiny", "--report", "no.json"], 2, "no.json: No such file"),
        (["--model", "tiny", "--method", "ppo"], 2, "invalid choice"),
    ],
)
def test_bad_input_is_a_message_and_its_exit_code(script, report, tiny_model, arguments, code, message):
    done = script("plan_run.py", *(tiny_model if part == "tiny" else part for part in arguments))
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dataset_that_does_not_fit_is_not_planned(script, report, tiny_model):
    document = json.loads(report.read_text())
    document["verdicts"]["sft"] = {"verdict": "INCOMPATIBLE", "reason": "Missing 'messages' column"}
    report.write_text(json.dumps(document))
    done = script("plan_run.py", "--model", tiny_model)
    assert done.returncode == 1
    assert "Missing 'messages' column" in done.stderr


def test_a_report_from_the_future_is_refused(script, report, tiny_model):
    document = json.loads(report.read_text())
    report.write_text(json.dumps({**document, "schema": "skillpack/dataset-report/7"}))
    done = script("plan_run.py", "--model", tiny_model)
    assert done.returncode == 2
    assert "dataset-report/7" in done.stderr
