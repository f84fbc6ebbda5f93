"""How long inspect_dataset.py takes on a large Parquet file, and how much memory it needs.

Writes a Parquet file of conversations into a temporary folder, runs the script on it as a process, and prints
a table: the import of its libraries, the first answer (the last verdict), the whole run, the peak of memory.

examples:
  python benchmarks/inspect_dataset.py
  python benchmarks/inspect_dataset.py --rows 5000000 --model HuggingFaceTB/SmolLM2-135M-Instruct
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "skills/hugging-face-model-trainer/scripts/inspect_dataset.py"
WORDS = [f"word{number}" for number in range(500)]


def write_rows(path: Path, rows: int, row_group: int) -> None:
    import pyarrow
    import pyarrow.parquet

    random.seed(0)
    turn = pyarrow.struct([("role", pyarrow.string()), ("content", pyarrow.string())])
    schema = pyarrow.schema([("messages", pyarrow.list_(turn))])
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, row_group):
            table = [
                [
                    {"role": "user", "content": f"{number} " + " ".join(random.choices(WORDS, k=40))},
                    {"role": "assistant", "content": " ".join(random.choices(WORDS, k=60))},
                ]
                for number in range(start, min(start + row_group, rows))
            ]
            writer.write_table(pyarrow.table({"messages": table}, schema=schema), row_group_size=row_group)


def measure(command: list[str]) -> tuple[float, float, float]:
    """(seconds to the last verdict, seconds in all, peak resident megabytes) of the script."""
    started, first = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("KTO:"):
            first = time.perf_counter() - started
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the script ended with status {status}")
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
    return first, time.perf_counter() - started, usage.ru_maxrss * unit / 1e6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--model", help="count tokens with this tokenizer, instead of estimating them")
    args = arguments.parse_args()
    imports = "import pyarrow.parquet, numpy, tqdm" + (", transformers" if args.model else "")
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", imports], check=True)
    print(f"import of the libraries: {time.perf_counter() - started:.1f} s")
    print(f"{'row groups of':>14} {'file MB':>8} {'first answer s':>15} {'whole run s':>12} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for row_group in (10_000, args.rows):
            path = Path(folder) / "rows.parquet"
            # Apart, since the peak of a child process starts from what its parent held when it forked.
            writer = multiprocessing.get_context("spawn").Process(target=write_rows, args=(path, args.rows, row_group))
            writer.start()
            writer.join()
            options = ["--no-write", *(["--model", args.model] if args.model else [])]
            first, whole, peak = measure([sys.executable, str(SCRIPT), str(path), *options])
            size = path.stat().st_size / 1e6
            print(f"{row_group:>14,} {size:>8.0f} {first:>15.1f} {whole:>12.1f} {peak:>8.0f}")


if __name__ == "__main__":
    main()
