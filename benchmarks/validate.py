"""How long `skillpack validate` takes: one skill against `import click, yaml`, and a corpus.

    python benchmarks/validate.py
    python benchmarks/validate.py --corpus DIR --runs 40

The two processes run in turn, so that whatever else the machine does weighs on both; the figures are medians.
Without --corpus, one of 4,000 skills is made from this repository's, or from a sample where it has none.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SKILLS = ROOT / "skills"
GOAL = 1.25
FIELDS = "---\nname: {name}\ndescription: Sorts numbers. Use when numbers are out of order.\n---\n"
SAMPLE = FIELDS + "Run `sort`.\n" * 200


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one process, which has to succeed."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - started


def one_skill(skill: Path, runs: int) -> dict[str, float]:
    """Median wall time in seconds: of Python, of Python with click and yaml, and of one validation."""
    # Like an installed package, this one is compiled; Python must be free to read what was compiled.
    compileall.compile_dir(ROOT / "src" / "skillpack", quiet=1)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import click, yaml": [sys.executable, "-c", "import click, yaml"],
        "skillpack validate": [sys.executable, "-m", "skillpack", "validate", str(skill)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for run in range(runs + 3):
        for name, command in commands.items():
            taken = seconds(command, environment)
            if run >= 3:  # the first runs fill the caches of the file system
                times[name].append(taken)
    return {name: statistics.median(taken) for name, taken in times.items()}


def make_corpus(folder: Path, number: int) -> None:
    """Writes `number` skills, each a copy of one of ours under another name."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(SKILLS.glob("*/SKILL.md"))]
    names = [path.name for path in sorted(SKILLS.iterdir())] if texts else []
    for index in range(number):
        name = f"skill-{index}"
        target = folder / name / "SKILL.md"
        target.parent.mkdir()
        if texts:
            at = index % len(texts)
            target.write_text(texts[at].replace(f"name: {names[at]}", f"name: {name}", 1), encoding="utf-8")
        else:
            target.write_text(SAMPLE.replace("{name}", name), encoding="utf-8")


def corpus(folder: Path) -> tuple[int, float]:
    """How many skills there are in `folder`, and the seconds of one process that validates them all."""
    number = sum(1 for _ in folder.rglob("SKILL.md"))
    command = [sys.executable, "-m", "skillpack", "validate", "--fail-on", "never", str(folder)]
    return number, statistics.median(seconds(command, dict(os.environ)) for _ in range(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder of skills")
    parser.add_argument("--runs", type=int, default=30, help="of each process (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        single = Path(temporary) / "single"
        single.mkdir()
        make_corpus(single, 1)
        times = one_skill(single / "skill-0", arguments.runs)
        base = times["import click, yaml"]
        print(f"{'one skill, one process':<24}{'median ms':>10}{'ratio':>8}")
        for name, taken in times.items():
            print(f"{name:<24}{taken * 1000:>10.1f}{taken / base:>8.2f}")
        ratio = times["skillpack validate"] / base
        print(f"\nratio {ratio:.3f}; the goal is at most {GOAL}: {'met' if ratio <= GOAL else 'MISSED'}\n")
        folders = [arguments.corpus] if arguments.corpus else []
        for number in [] if folders else [2000, 4000]:
            folders.append(Path(temporary) / str(number))
            folders[-1].mkdir()
            make_corpus(folders[-1], number)
        print(f"{'a tree, one process':<24}{'skills':>10}{'seconds':>9}{'ms each':>9}")
        for folder in folders:
            number, taken = corpus(folder)
            print(f"{folder.name:<24}{number:>10,}{taken:>9.2f}{taken / max(number, 1) * 1000:>9.3f}")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"\nlargest process: {peak:.0f} MB")


if __name__ == "__main__":
    main()
