"""--smoke: what would fail on paid hardware fails here, on a CPU, on a shrunken model, with no weights read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GptOssConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
    Qwen3MoeConfig,
    Qwen3NextConfig,
    SmolLM3Config,
)

from skillpack.kit.script import Failure
from skillpack.kit.smoke import MOST_LAYERS, shrunken_config

from .hubrun import Bench, new_user

pytestmark = pytest.mark.slow


@pytest.fixture
def weightless(tmp_path: Path, tiny_model: Path) -> Path:
    """The tiny model without its weights: what a smoke test may read."""
    folder = tmp_path / "weightless"
    folder.mkdir()
    for file in tiny_model.iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    rows = [{"prompt": [{"role": "user", "content": f"What is {i} and one?"}], "answer": str(i + 1)} for i in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def gpu_plan(document: dict) -> None:
    document["hardware"] |= {"where": "hf-jobs", "device": "cuda", "flavor": "l4x4", "gpus": 4, "strategy": "fsdp2"}
    document["settings"] |= {"device": "cuda", "precision": "bf16", "weights": "bf16"}
    document["settings"]["quantization"] = {"bits": 4, "type": "nf4", "double": True}


def edit(path: Path, change: Callable[[dict], object]) -> Path:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def test_a_plan_for_a_gpu_is_tried_on_a_cpu_without_the_weights_and_leaves_nothing(tmp_path, plan, script, weightless):
    lora = {"r": 4, "lora_alpha": 8, "lora_dropout": 0.0, "target_modules": "all-linear"}
    path = edit(plan(model=weightless, lora=lora, steps=1000), gpu_plan)
    place = tmp_path / "temporary"
    place.mkdir()
    done = script("train_sft.py", "--plan", path, "--smoke", "--json", TMPDIR=str(place))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["smoke"] == "passed"
    assert "2 steps of training on CPU with a shrunken model of the same architecture" in result["proved"]
    assert {"bf16 on cuda", "4-bit weights", "several processes"} <= set(result["not_proved"])
    assert list(place.iterdir()) == [] and not (tmp_path / "runs").exists() and not (tmp_path / "trackio").exists()


def test_a_reward_is_tried_on_generated_answers(tmp_path, plan, script, weightless, prompts):
    (tmp_path / "mine.py").write_text("def short(completions, **_):\n    return [1.0 for _ in completions]\n")
    path = plan(model=weightless, rows=prompts, method="grpo", rewards=["mine.py:short"], num_generations=2)
    done = script("train_grpo.py", "--plan", path, "--smoke", "--json")
    assert done.returncode == 0, done.stderr
    assert any("mine.py:short on generated answers" in line for line in json.loads(done.stdout)["proved"])


def refused(done, *messages: str) -> None:
    assert done.returncode in (2, 3), done.stderr
    for message in messages:
        assert message in done.stderr
    assert "fix:" in done.stderr and "smoke test passed" not in done.stderr


def test_a_wrong_column_fails(plan, script, weightless, prompts):
    done = script("train_sft.py", "--plan", plan(model=weightless, rows=prompts), "--smoke")
    refused(done, "no row fits sft: Missing 'completion' column")


def test_a_missing_chat_template_fails(plan, script, weightless):
    (weightless / "chat_template.jinja").unlink()
    refused(script("train_sft.py", "--plan", plan(model=weightless), "--smoke"), "no chat template")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return [len(c[0]['contents']) for c in completions]", "KeyError"),
        # on the rows' own answers it works; on what a model writes, only the run itself shows it
        ("return [float({'(:': 0}.get(c[0]['content'], 0) if len(c[0]['content']) < 4 else c) for c in completions]",
         "TypeError"),
    ],
)  # fmt: skip
def test_a_bad_reward_fails(tmp_path, plan, script, weightless, prompts, body, message):
    (tmp_path / "mine.py").write_text(f"def judge(completions, **_):\n    {body}\n")
    path = plan(model=weightless, rows=prompts, method="grpo", rewards=["mine.py:judge"], num_generations=2)
    refused(script("train_grpo.py", "--plan", path, "--smoke"), "judge fails", message)


def test_a_setting_that_trl_refuses_fails(plan, script, weightless, prompts):
    path = plan(model=weightless, rows=prompts, method="grpo", rewards=["exact"], num_generations=3, batch_size=4)
    refused(script("train_grpo.py", "--plan", path, "--smoke"), "TRL refuses this plan", "divisible")


def test_no_write_access_fails_and_a_smoke_test_publishes_nothing(bench: Bench):
    bench.edit(lambda document: document.update(push={"repo_id": "tuned", "private": True}))
    reader = bench.hub.add_token(new_user(bench.hub)[0], "read")
    done = bench.script("train_sft.py", "--plan", bench.plan, "--smoke", HF_TOKEN=reader)
    refused(done, "the token only reads")
    done = bench.script("train_sft.py", "--plan", bench.plan, "--smoke", "--json")
    assert done.returncode == 0, done.stderr
    assert any(f"write to {bench.user}/tuned" in line for line in json.loads(done.stdout)["proved"])
    assert not bench.api.repo_exists(f"{bench.user}/tuned")


@pytest.mark.parametrize(
    "config",
    [
        LlamaConfig(), MistralConfig(), Qwen2Config(), Qwen3Config(), Phi3Config(), Olmo2Config(), SmolLM3Config(),
        Gemma3TextConfig(), Qwen3MoeConfig(), GptOssConfig(), Qwen3NextConfig(),
        Phi3Config(rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0] * 48,
                   "long_factor": [1.0] * 48, "original_max_position_embeddings": 4096}),
    ],
    ids=lambda config: type(config).__name__,
)  # fmt: skip
def test_a_model_of_any_size_is_shrunk_to_one_that_computes(config):
    vocabulary = config.vocab_size = 1000  # a real one would only take time here
    config.pad_token_id = 0
    kinds = set(config.layer_types or []) if hasattr(config, "layer_types") else set()
    model = AutoModelForCausalLM.from_config(shrunken_config(config))
    assert model.config.vocab_size == vocabulary
    assert model.config.num_hidden_layers <= MOST_LAYERS
    assert not kinds or set(model.config.layer_types) == kinds
    small = sum(parameter.numel() for parameter in model.parameters()) - 2 * vocabulary * model.config.hidden_size
    assert small < 4_000_000
    model(torch.tensor([[1, 2, 3]]), labels=torch.tensor([[1, 2, 3]])).loss.backward()


def test_a_config_that_is_not_a_decoder_is_refused():
    from transformers import ResNetConfig

    with pytest.raises(Failure, match="cannot shrink"):
        shrunken_config(ResNetConfig())
