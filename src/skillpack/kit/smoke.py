"""The region of the training scripts for --smoke: two steps of a shrunken model on CPU, before a run is paid for."""

from __future__ import annotations

from pathlib import Path

from skillpack.kit.script import EXIT_USAGE, Failure

# region skillpack:smoke
SMOKE_ROWS = 200  # read from the dataset's beginning
# What a model of any size is cut to. The vocabulary stays, so that tokenizer and template are the real ones.
SHRUNKEN = {
    "intermediate_size": 64, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32, "expert_size": 32,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1,
    "topk_group": 1, "first_k_dense_replace": 1, "num_kv_shared_layers": 0,
}  # fmt: skip
LAYERS, MOST_LAYERS, HEADS, HEAD_SIZE = 2, 8, 2, 32


def smoke_plan(plan: dict) -> dict:
    """The plan with what costs time or memory cut: its rows, columns, template, rewards and TRL settings stay."""
    cut = {
        "device": "cpu", "precision": "fp32", "weights": "fp32", "quantization": None, "steps": 2, "warmup_steps": 0,
        "held_out_rows": 2, "save_seconds": 1e-9, "budget_seconds": None, "deadline_seconds": None,
    }  # fmt: skip
    settings = {**plan["settings"], **cut}
    if plan["method"] == "grpo":  # the batch stays: it decides whether whole groups of answers fill a step
        settings["accumulation"] *= plan["hardware"].get("gpus", 1) * plan["hardware"].get("nodes", 1)
        settings["max_completion_length"] = min(16, settings.get("max_completion_length", 16))
    else:
        settings["batch_size"], settings["accumulation"] = min(2, settings["batch_size"]), 1
    alone = {**plan["hardware"], "gpus": 1, "nodes": 1, "strategy": "single"}
    cut_model = {**plan["model"], "shrunken": True}
    return {**plan, "model": cut_model, "hardware": alone, "settings": settings, "smoke": SMOKE_ROWS}


def shrunken_config(config):
    """A config of the same architecture and vocabulary with two small layers, or as many as hold every kind of layer.

    Raises Failure for an architecture whose config it cannot make consistent.
    """
    text = config.get_text_config()
    layers = getattr(text, "num_hidden_layers", None)
    if not layers or not getattr(text, "num_attention_heads", None):
        raise Failure(f"--smoke cannot shrink {type(config).__name__}", "plan a run of --test-run instead", EXIT_USAGE)
    kinds = list(getattr(text, "layer_types", None) or [])
    kept = max([LAYERS, *(kinds.index(kind) + 1 for kind in set(kinds))])
    kept = min(kept, layers, MOST_LAYERS)
    equal = getattr(text, "num_key_value_heads", None) in (None, text.num_attention_heads)
    rope = getattr(text, "rope_parameters", None) or {}
    listed = any(isinstance(value, list) for value in rope.values())  # factors for each pair of a head's entries
    size = (getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads) if listed else HEAD_SIZE
    for name, value in vars(text).copy().items():
        if isinstance(value, list) and len(value) == layers:
            setattr(text, name, value[:kept])
    changes = {
        "num_hidden_layers": kept, "num_attention_heads": HEADS, "num_key_value_heads": HEADS if equal else 1,
        "head_dim": size, "hidden_size": HEADS * size, **SHRUNKEN,
    }  # fmt: skip
    for name, value in changes.items():
        if isinstance(getattr(text, name, None), int):
            setattr(text, name, value)
    return config


def shrunken_model(model: dict, kind, **more: object):
    """The plan's model with random weights and a shrunken config; none of its weights are read."""
    from transformers import AutoConfig

    whole = model.get("base") or model
    config = AutoConfig.from_pretrained(whole["id"], revision=whole.get("revision"), **more)
    return kind.from_config(shrunken_config(config))


def smoke_result(plan: dict, shown: dict, folder: Path) -> dict:
    """What a smoke test has proved, and what it has not, for a person and for a machine."""
    settings = shown["plan"]["settings"]
    proved = [
        f"columns and mapping: {shown['train_rows']} rows to train on among the first {SMOKE_ROWS}",
        "the tokenizer, and the chat template where the rows are conversations",
        "the settings that TRL and PEFT are given",
        f"{shown['steps']} steps of training on CPU with a shrunken model of the same architecture",
        *([f"the rewards {', '.join(settings['rewards'])} on generated answers"] if settings.get("rewards") else []),
        "saving a checkpoint and the model, and scoring base and tuned",
        *([shown["push"]] if shown.get("push") else []),
    ]
    real = plan["settings"]
    left = [
        "that the real weights download, load, and fit in memory",
        "speed, and that training helps",
        *(
            [f"{real['precision']} on {real['device']}"]
            if real["device"] != "cpu" or real["precision"] != "fp32"
            else []
        ),
        *(["4-bit weights"] if real.get("quantization") else []),
        *(["several processes"] if plan["hardware"].get("gpus", 1) * plan["hardware"].get("nodes", 1) > 1 else []),
    ]
    return {"smoke": "passed", "name": plan["name"], "proved": proved, "not_proved": left}


# endregion skillpack:smoke
