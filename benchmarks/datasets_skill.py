"""Time and memory of clean_dataset.py at size: exact duplicates and filters over a million rows, near duplicates.

usage: python benchmarks/datasets_skill.py [--rows 1000000] [--documents 100000] [--keep FOLDER]

Rows are made of words drawn from the docstrings of the standard library, so that nothing is fetched. A busy machine
shows in the figures: the load average is printed beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "skills/hugging-face-datasets/scripts/clean_dataset.py"


def vocabulary() -> list[str]:
    """Words of the standard library's source, the common ones often."""
    words: list[str] = []
    for path in sorted(Path(os.__file__).parent.glob("*.py"))[:120]:
        words += [word for word in path.read_text("utf-8", "replace").split() if word.isalpha()]
    return words


def write_rows(path: Path, rows: int, words_a_row: int, copies: float, edited: bool) -> None:
    """Parquet of {id, text}: a share `copies` of the rows repeats an earlier one, with a word changed if `edited`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, words = random.Random(0), vocabulary()
    noise = [rng.randbytes(9).hex() for _ in range(50_000)]
    writer, recent = None, []
    for start in range(0, rows, 10_000):
        texts = []
        for _ in range(min(10_000, rows - start)):
            if recent and rng.random() < copies:
                text = rng.choice(recent)
                text = text.replace(" ", f" {rng.choice(noise)} ", 1) if edited else text
            else:
                text = " ".join(rng.choices(words, k=words_a_row) + rng.choices(noise, k=words_a_row // 5))
                recent = [*recent[-200:], text] if len(texts) % 50 == 0 else recent
            texts.append(text)
        table = pa.table({"id": range(start, start + len(texts)), "text": texts})
        writer = writer or pq.ParquetWriter(path, table.schema, compression="snappy")
        writer.write_table(table)
    assert writer
    writer.close()


def measure(label: str, path: Path, out: Path, *options: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    program = "import resource, runpy, sys; sys.argv = sys.argv[1:]\n"
    program += "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    program += "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, str(SCRIPT), str(path), "--out", str(out), *options, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall = time.monotonic() - start
    if done.returncode:
        sys.exit(done.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(done.stdout)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    peak = int(done.stderr.strip().splitlines()[-1]) / 1e6
    removed = ", ".join(f"{number:,} {reason}" for reason, number in report["removed"].items())
    size = path.stat().st_size / 1e9
    print(
        f"{label}: {report['rows_in']:,} rows, {size:.2f} GB: {wall:.0f} s wall, {cpu:.0f} s of processor, "
        f"{peak:.2f} GB peak; removed {removed}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        flush=True,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--documents", type=int, default=100_000)
    options.add_argument("--keep", type=Path, help="folder for the files, instead of a temporary one")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows, documents = folder / "rows.parquet", folder / "documents.parquet"
        if not rows.exists():
            write_rows(rows, args.rows, 130, 0.1, edited=False)
        if not documents.exists():
            write_rows(documents, args.documents, 150, 0.1, edited=True)
        length = ("--min-chars", "200", "--max-chars", "100000")
        measure("exact duplicates and length", rows, folder / "exact", *length)
        measure("near duplicates at 0.8", documents, folder / "near", "--near", "0.8")
        measure("language", documents, folder / "language", "--language", "en", "--language", "de")


if __name__ == "__main__":
    main()
