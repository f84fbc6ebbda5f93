"""The tables of the trainer's and the jobs skill's references, written from the assets that their scripts read.

.venv/bin/python benchmarks/plan_tables.py           write them
.venv/bin/python benchmarks/plan_tables.py --check   exit 1 when one has drifted
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

SKILLS = Path(__file__).resolve().parent.parent / "skills"
SKILL = SKILLS / "hugging-face-model-trainer"
REGION = re.compile(r"(<!-- table (\S+): .*? -->\n).*?(<!-- end of table -->)", re.S)


def rows_of(header: list[str], rows: list[list[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def flavors() -> str:
    table = json.loads((SKILL / "assets/hardware.json").read_text(encoding="utf-8"))
    rows: list[list[object]] = []
    for flavor in sorted(table["flavors"], key=lambda row: row["usd_per_hour"]):
        gpu = f"{flavor['gpus']} x {flavor['gpu']}" if flavor["gpu"] else f"{flavor['cores']} cores"
        memory = flavor["gpu_memory_gb"] or "-"
        rows.append([flavor["name"], gpu, memory, flavor["ram_gb"], f"{flavor['usd_per_hour']:.2f}"])
    head = ["flavor", "has", "GB of one GPU", "GB beside it", "$ an hour"]
    note = f"Source: {table['source']}. The live list, GET /api/jobs/hardware, is right where it differs.\n\n"
    return note + rows_of(head, rows)


def gpus() -> str:
    table = json.loads((SKILL / "assets/hardware.json").read_text(encoding="utf-8"))
    rows: list[list[object]] = [
        [name, gpu["tflops"], gpu["gb_per_second"], "yes" if gpu["bf16"] else "no: fp16"]
        for name, gpu in table["gpus"].items()
    ]
    note = "Source of each figure: gpu_sources in assets/hardware.json. NVIDIA's documents were read in quotations.\n\n"
    return note + rows_of(["GPU", "TFLOP/s, dense 16 bits", "GB/s", "bf16"], rows)


def throughput() -> str:
    table = json.loads((SKILL / "assets/throughput.json").read_text(encoding="utf-8"))
    rows: list[list[object]] = []
    for row in table["rows"]:
        if "tokens_per_second_per_gpu" in row:
            gpu = f"{row['gpus'] or 'several'} x {row['gpu']}"
            tokens, speed = row["tokens_in_micro_batch"] or "not said", round(row["tokens_per_second_per_gpu"])
            rows.append([row["model"], row["change"], gpu, tokens, f"{speed:,}", f"{row['source']}, {row['when']}"])
    return rows_of(["model", "change", "on", "tokens of a micro-batch", "tokens/s of a GPU", "source"], rows)


def cpu() -> str:
    table = json.loads((SKILL / "assets/throughput.json").read_text(encoding="utf-8"))
    rows: list[list[object]] = [
        [row["change"], row["precision"], row["matrix_gflops"], row["seconds_per_step"],
         f"{row['share_of_matrix_rate']:.0%}", f"{row['model']}, {row['source']}, {row['when']}"]
        for row in table["rows"] if row["gpu"] == "cpu"
    ]  # fmt: skip
    return rows_of(["change", "precision", "matrix GFLOP/s", "s/step", "reached in training", "source"], rows)


TABLES = {"cpu": cpu, "flavors": flavors, "gpus": gpus, "throughput": throughput}


def written(text: str) -> str:
    """`text` with every marked table as the assets have it."""
    return REGION.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


def main() -> int:
    drifted = []
    for path in sorted(
        path for skill in (SKILL, SKILLS / "hugging-face-jobs") for path in (skill / "references").glob("*.md")
    ):
        old = path.read_text(encoding="utf-8")
        new = written(old)
        if new != old:
            drifted.append(path.name)
            if "--check" not in sys.argv[1:]:
                path.write_text(new, encoding="utf-8")
    print(f"drifted: {', '.join(drifted)}" if drifted else "every table is as the assets have it")
    return 1 if drifted and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
