"""How long `skillpack manifest` takes for many skills, as a ratio to reading their files.

.venv/bin/python benchmarks/manifest.py [--skills 1000]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def make(root: Path, count: int) -> None:
    """A pack of `count` skills with a script and a reference each."""
    for number in range(count):
        folder = root / "skills" / f"skill-{number:04}"
        (folder / "scripts").mkdir(parents=True)
        text = f"---\nname: {folder.name}\ndescription: Does thing {number}. Use when the user wants it.\n---\n\n# It\n"
        (folder / "SKILL.md").write_text(text + "A line of the body of this skill.\n" * 100, encoding="utf-8")
        (folder / "scripts" / "run.py").write_text("print('hi')\n" * 200, encoding="utf-8")
        (folder / "notes.md").write_text("A line of a reference.\n" * 200, encoding="utf-8")
    identity = '[pack]\nname = "many"\nversion = "1.0.0"\ndescription = "Many skills."\nowner = { name = "Bea" }\n'
    (root / "skillpack.toml").write_text(identity, encoding="utf-8")


def median(call, times: int = 5) -> float:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--skills", type=int, default=1000)
    count = options.parse_args().skills
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make(root, count)
        command = [sys.executable, "-m", "skillpack", "manifest", str(root)]
        read = median(lambda: [path.read_bytes() for path in (root / "skills").rglob("*") if path.is_file()])
        write = median(lambda: subprocess.run(command, check=True, capture_output=True))
        check = median(lambda: subprocess.run([*command, "--check"], check=True, capture_output=True))
    print("| skills | manifest s | --check s | ratio to reading the files |")
    print("| --- | --- | --- | --- |")
    print(f"| {count:,} | {write:.2f} | {check:.2f} | {write / read:.1f} |")


if __name__ == "__main__":
    main()
