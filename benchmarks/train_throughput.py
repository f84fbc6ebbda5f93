"""Tokens a second and use of the GPU: what the planner and train_sft.py choose, against the defaults of `trl sft`.

    .venv/bin/python benchmarks/train_throughput.py [--models Qwen3-0.6B,Qwen3-8B] [--changes full,lora] [--steps 20]
    .venv/bin/python benchmarks/train_throughput.py --tiny       # on any machine: shows that this program runs

Needs one CUDA GPU and exits 2 without one. Models are of the published shapes in tests/trainer/plans/models.json
with random weights, and rows are random tokens of one length, so nothing is downloaded and no row is padded: speed
and memory do not depend on the values. Each run is a process of its own, and one that does not fit is a line of the
table. Tokens a second are those of the median step, the first three left out. MFU is 6 operations a parameter and
token (4 where the base is frozen; recomputed activations count as no work: Chowdhery et al. 2022, appendix B) over
the dense 16-bit peak of the GPU in assets/hardware.json. The table is printed on standard output, and after it a
row of each planned run for assets/throughput.json, to which "who" and "source" are to be added.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKILL = ROOT / "skills/hugging-face-model-trainer"
MODELS = ("Qwen3-0.6B", "Qwen3-1.7B", "Qwen3-4B", "Qwen3-8B")
TINY = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128, "vocab_size": 1024, "head_dim": 16,
        "num_attention_heads": 4, "num_key_value_heads": 2}  # fmt: skip
SKIPPED = 3  # steps before the median: allocation and kernel choice
COLUMNS = ("model", "change", "settings", "batch", "checkpointing", "tokens/s", "MFU", "peak GB")


def planner():
    spec = importlib.util.spec_from_file_location("plan_run", SKILL / "scripts/plan_run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def planned(folder: Path, change: str, length: int, steps: int) -> dict:
    """The plan that plan_run.py makes of this machine for rows of `length` tokens."""
    plan_run = planner()
    model, _ = plan_run.read_model(str(folder), None)
    machine = plan_run.read_machine(None) | {"gpus": 1}
    args = plan_run.arguments().parse_args(["--model", str(folder)])
    data = {"rows": 10_000, "mean": length, "p95": length, "max": length, "length": length, "completion": 0,
            "table": plan_run.measured_shares()}  # fmt: skip
    option = plan_run.fit(model, data, machine, "sft", change, args)
    if "no" in option:
        raise SystemExit(option["no"])
    settings = option["settings"] | {"steps": steps, "learning_rate": 2e-5, "warmup_steps": 1, "max_length": length,
                                     "packing": False, "seed": 0}  # fmt: skip
    return {"model": model, "hardware": machine | {"strategy": "single"}, "settings": settings}


def train(shape: dict, change: str, chosen_by: str, length: int, steps: int) -> dict:
    """One run of random rows: {tokens_per_second, peak_gb, batch, checkpointing, parameters}."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3Config, TrainerCallback
    from trl import ModelConfig, SFTConfig, SFTTrainer, get_peft_config

    from skillpack import samples
    from skillpack.kit.guard import peak_memory_gb
    from skillpack.kit.training import trainer_arguments

    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples.write_tiny_model(folder, [text for text, _ in samples.docstrings()])
        tokenizer = AutoTokenizer.from_pretrained(folder)
        (folder / "model.safetensors").unlink()
        config = Qwen3Config(**{key: value for key, value in shape.items() if key != "architectures"})
        config.architectures = ["Qwen3ForCausalLM"]
        config.save_pretrained(folder)
        if chosen_by == "planner":
            plan = planned(folder, change, length, steps)
            fields = trainer_arguments(plan, folder)
            lora = plan["settings"]["lora"]
            adapter = LoraConfig(task_type="CAUSAL_LM", bias="none", **lora) if lora else None
            dtype = torch.float32 if plan["settings"]["weights"] == "fp32" else torch.bfloat16
        else:  # `trl sft`: a model given by name is loaded in float32
            fields = {"output_dir": str(folder), "max_steps": steps, "report_to": "none", "save_strategy": "no",
                      "logging_steps": 1}  # fmt: skip
            fields |= {"use_cpu": True, "bf16": False} if device == "cpu" else {}
            adapter = get_peft_config(ModelConfig(use_peft=True)) if change == "lora" else None
            dtype = torch.float32
        arguments = SFTConfig(**fields, max_length=length)
        batch = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
        random = torch.Generator().manual_seed(0)
        rows = torch.randint(3, 1000, (batch * steps, length), generator=random).tolist()
        torch.set_default_dtype(dtype)
        model = AutoModelForCausalLM.from_config(config)
        torch.set_default_dtype(torch.float32)
        ends: list[float] = []

        class Clock(TrainerCallback):
            def on_step_end(self, *_, **__):
                if device == "cuda":
                    torch.cuda.synchronize()
                ends.append(time.perf_counter())

        trainer = SFTTrainer(model=model, args=arguments, train_dataset=Dataset.from_dict({"input_ids": rows}),
                             processing_class=tokenizer, peft_config=adapter, callbacks=[Clock()])  # fmt: skip
        trainer.train()
    seconds = statistics.median(b - a for a, b in zip(ends[SKIPPED - 1 :], ends[SKIPPED:], strict=False))
    return {
        "tokens_per_second": batch * length / seconds,
        "peak_gb": peak_memory_gb(device),
        "batch": f"{arguments.per_device_train_batch_size} x {arguments.gradient_accumulation_steps}",
        "micro_batch": arguments.per_device_train_batch_size,
        "checkpointing": bool(arguments.activation_checkpointing),
        "parameters": sum(weight.numel() for name, weight in model.named_parameters() if "lora_" not in name),
    }


def run(shape: dict, change: str, chosen_by: str, args: argparse.Namespace) -> dict:
    """`train` in a process of its own; {"error": its last line} when it failed."""
    one = json.dumps([shape, change, chosen_by, args.length, args.steps])
    done = subprocess.run([sys.executable, __file__, "--one", one], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return {"error": lines[-1][:120] if lines else f"exit {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def table_row(model: str, change: str, chosen_by: str, found: dict, peak_tflops: float | None) -> str:
    cells = [model, change, chosen_by]
    if "error" in found:
        return f"| {' | '.join([*cells, found['error']])} | | | | |"
    work = (6 if change == "full" else 4) * found["parameters"] * found["tokens_per_second"]
    used = f"{work / peak_tflops / 1e12:.0%}" if peak_tflops else "-"
    cells += [found["batch"], "on" if found["checkpointing"] else "off", f"{found['tokens_per_second']:,.0f}", used,
              f"{found['peak_gb']:.1f}"]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--models", default=",".join(MODELS))
    options.add_argument("--changes", default="full,lora")
    options.add_argument("--length", type=int, default=1024, help="tokens of a row (default: 1024)")
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--tiny", action="store_true", help="a model of 0.1 million parameters, also without a GPU")
    options.add_argument("--one", help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.one:
        print(json.dumps(train(*json.loads(args.one))))
        return 0
    import torch

    if not torch.cuda.is_available() and not args.tiny:
        print("error: no CUDA GPU\n  fix: run this on one (`hf jobs` has them), or give --tiny", file=sys.stderr)
        return 2
    shapes = json.loads((ROOT / "tests/trainer/plans/models.json").read_text())
    wanted = {name: shapes[name] for name in args.models.split(",")}
    gpu: dict = {"gpu": "no GPU", "tflops": None}
    if args.tiny:
        wanted, args.length, args.steps = {"tiny": shapes["Qwen3-0.6B"] | TINY}, 32, 5
    else:
        gpu = planner().gpu_of(torch.cuda.get_device_properties(0).name)
    print(f"{gpu['gpu']}, rows of {args.length} tokens, {datetime.date.today()}\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
    rows, failed = [], 0
    for name, shape in wanted.items():
        for change in args.changes.split(","):
            for chosen_by in ("planner", "trl sft"):
                found = run(shape, change, chosen_by, args)
                failed += "error" in found
                print(table_row(name, change, chosen_by, found, gpu["tflops"]), flush=True)
                if chosen_by == "planner" and "error" not in found:
                    rows.append({
                        "id": f"own-{name}-{change}-{gpu['gpu']}".lower().replace(" ", "-"), "model": name,
                        "parameters_b": round(found["parameters"] / 1e9, 2), "method": "sft", "change": change,
                        "gpu": gpu["gpu"], "gpus": 1, "tokens_in_micro_batch": found["micro_batch"] * args.length,
                        "rows_filled": True, "checkpointing": found["checkpointing"],
                        "tokens_per_second_per_gpu": round(found["tokens_per_second"]),
                        "when": str(datetime.date.today()),
                    })  # fmt: skip
    print()
    for row in rows:
        print(json.dumps(row))
    return 1 if failed and not rows else 0


if __name__ == "__main__":
    sys.exit(main())
