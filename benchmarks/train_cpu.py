"""What training reaches on this CPU: matrix rates, and the time and memory of the demo's run in fp32 and in bf16.

"reached" is share_of_matrix_rate of the trainer's assets/throughput.json, from which plan_run.py takes it; run it on an
idle machine. "planned GB" is of the precision that the planner chose.

| trained | precision | matrix GFLOP/s | s/step | training GFLOP/s | reached | planned GB | peak GB |
| --- | --- | --- | --- | --- | --- | --- | --- |
| full | fp32 | 184 | 2.99 | 83 | 45% | 4.4 | 3.6 |
| full | bf16 | 815 | 1.99 | 124 | 15% | 4.4 | 3.6 |
| lora | fp32 | 185 | 2.65 | 62 | 34% | 2.3 | 2.6 |
| lora | bf16 | 783 | 1.47 | 112 | 14% | 2.3 | 2.0 |

2026-11-21, 10 steps, SmolLM2-135M, 2 idle cores with AVX-512 BF16.

    .venv/bin/python benchmarks/train_cpu.py [--steps 10]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from skillpack import samples

SCRIPTS = Path(__file__).parent.parent / "skills/hugging-face-model-trainer/scripts"


def run(folder: Path, script: str, *arguments: str) -> None:
    subprocess.run([sys.executable, SCRIPTS / script, *arguments], cwd=folder, check=True, capture_output=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, default=10)
    steps = options.parse_args().steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples.write_smollm(folder / "model")
        samples.write_docstrings(folder / "rows.jsonl")
        run(folder, "inspect_dataset.py", "rows.jsonl", "--model", "model")
        print("| trained | precision | matrix GFLOP/s | s/step | training GFLOP/s | reached | planned GB | peak GB |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for change in ("full", "lora"):
            run(folder, "plan_run.py", "--model", "model", "--steps", str(steps), f"--{change}", "--held-out-rows", "8")
            for precision in ("fp32", "bf16"):
                plan = json.loads((folder / "plan.json").read_text())
                settings = plan["settings"]
                settings["precision"] = precision
                settings["weights"] = "fp32" if change == "full" else precision
                (folder / "plan.json").write_text(json.dumps(plan))
                out = f"runs/{change}-{precision}"
                run(folder, "train_sft.py", "--plan", "plan.json", "--out", out)
                done = json.loads((folder / out / "run.json").read_text())
                entries = [json.loads(line) for line in (folder / out / "log.jsonl").read_text().splitlines()]
                seconds = statistics.median(entry["seconds"] for entry in entries[1:])
                work = (4 if change == "lora" else 6) * plan["model"]["parameters"] * settings["batch_size"]
                rate = work * plan["dataset"]["mean_tokens"] / seconds / 1e9
                matrix = plan["hardware"]["gflops"][precision]
                planned, peak = plan["estimate"]["memory_gb"], done["peak_memory_gb"]
                figures = (
                    f"{matrix:.0f} | {seconds:.2f} | {rate:.0f} | {rate / matrix:.0%} | {planned:.1f} | {peak:.1f}"
                )
                print(f"| {change} | {precision} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
