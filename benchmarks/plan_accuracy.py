"""What plan_run.py predicts against what a GPU does: peak memory and time of a step.

    .venv/bin/python benchmarks/plan_accuracy.py [--models Qwen3-0.6B,Qwen3-4B] [--changes full,lora] [--steps 12]

Models are made from the published shapes in tests/trainer/plans/models.json with random weights, so nothing is
downloaded: memory and speed do not depend on the values. Goal: memory within 15 %, time within 30 %. The last
column is the row's tokens/s, for assets/throughput.json with who, when and source.

| GPU | model | change | planned GB | peak GB | off | planned s/step | s/step | off | tokens/s |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| not measured yet | | | | | | | | | |
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "skills/hugging-face-model-trainer/scripts"
TYPES = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3"}


def write_shape(folder: Path, config: dict) -> None:
    """A model of the published shape with random bfloat16 weights, and the samples' tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from skillpack import samples

    samples.write_tiny_model(folder, [text for text, _ in samples.docstrings()])
    fields = {key: value for key, value in config.items() if key not in ("architectures", "eos_token_id")}
    shape = AutoConfig.for_model(TYPES[config["architectures"][0]], **fields)
    torch.set_default_dtype(torch.bfloat16)
    AutoModelForCausalLM.from_config(shape).save_pretrained(folder)
    torch.set_default_dtype(torch.float32)


def run(folder: Path, script: str, *arguments: object) -> None:
    command = [sys.executable, SCRIPTS / script, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-400:])


def measure(folder: Path, change: str, steps: int) -> str:
    """One row of the table, of the model in `folder`/model."""
    run(folder, "plan_run.py", "--model", "model", "--steps", steps, f"--{change}", "--held-out-rows", 8)
    plan = json.loads((folder / "plan.json").read_text())
    out = f"runs/{change}"
    run(folder, "train_sft.py", "--plan", "plan.json", "--out", out)
    peak = json.loads((folder / out / "run.json").read_text())["peak_memory_gb"]
    log = [json.loads(line) for line in (folder / out / "log.jsonl").read_text().splitlines()]
    seconds = statistics.median(entry["seconds"] for entry in log[1:])
    planned_gb, planned = plan["estimate"]["memory_gb"], plan["estimate"]["train_seconds"] / steps
    rows = plan["settings"]["batch_size"] * plan["settings"]["accumulation"]
    speed = rows * plan["dataset"]["mean_tokens"] / seconds
    return (
        f"| {planned_gb:.1f} | {peak:.1f} | {planned_gb / peak - 1:+.0%} | {planned:.2f} | {seconds:.2f} "
        f"| {planned / seconds - 1:+.0%} | {speed:,.0f} |"
    )


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", default="SmolLM2-135M,Qwen3-0.6B,Qwen3-1.7B,Qwen3-4B,Qwen3-8B")
    options.add_argument("--changes", default="full,lora")
    options.add_argument("--steps", type=int, default=12)
    options.add_argument("--anywhere", action="store_true", help="also without a GPU")
    args = options.parse_args()
    import torch

    from skillpack import samples

    if not torch.cuda.is_available() and not args.anywhere:
        print("no GPU here: not measured", file=sys.stderr)
        return 3
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    models = json.loads((ROOT / "tests/trainer/plans/models.json").read_text())
    print("\n".join((__doc__ or "").splitlines()[-3:-1]))
    for model in args.models.split(","):
        with tempfile.TemporaryDirectory() as folder_name:
            folder = Path(folder_name)
            write_shape(folder / "model", models[model])
            samples.write_docstrings(folder / "rows.jsonl")
            run(folder, "inspect_dataset.py", "rows.jsonl", "--model", "model")
            for change in args.changes.split(","):
                try:
                    row = measure(folder, change, args.steps)
                except RuntimeError as error:  # it does not fit, which the planner should have said
                    row = f"| {str(error).strip().splitlines()[-1][:120]} |"
                print(f"| {name} | {model} | {change} {row}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
