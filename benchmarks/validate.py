"""How long `skillpack validate` takes: one skill against `import click, yaml`, and a corpus.

    python benchmarks/validate.py
    python benchmarks/validate.py --corpus DIR --runs 40

The processes run in turn, so that whatever else the machine does weighs on all of them alike. The figures are
medians; a ratio is the median of the ratios of processes that ran next to each other. On a machine with other
work the processor's time tells more than the wall's.
Without --corpus, one of 4,000 skills is made from this repository's, or from a sample where it has none.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SKILLS = ROOT / "skills"
GOAL = 1.25
FIELDS = "---\nname: {name}\ndescription: Sorts numbers. Use when numbers are out of order.\n---\n"
SAMPLE = FIELDS + "Run `sort`.\n" * 200


class Cost(NamedTuple):
    """Of one process, or the medians of several: wall time and processor time, in seconds."""

    wall: float
    processor: float


def cost(command: list[str], environment: dict[str, str]) -> Cost:
    """What one process takes, which has to succeed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


BASE = "import click, yaml"


def one_skill(skill: Path, runs: int) -> dict[str, tuple[Cost, Cost]]:
    """Of Python, of Python with click and yaml, and of one validation: what it takes, and its ratios to BASE."""
    # Like an installed package, this one is compiled; Python must be free to read what was compiled.
    compileall.compile_dir(ROOT / "src" / "skillpack", quiet=1)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        BASE: [sys.executable, "-c", BASE],
        "skillpack validate": [sys.executable, "-m", "skillpack", "validate", str(skill)],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for run in range(runs + 3):
        for name, command in commands.items():
            taken = cost(command, environment)
            if run >= 3:  # the first runs fill the caches of the file system
                costs[name].append(taken)
    results = {}
    for name, taken in costs.items():
        pairs = list(zip(taken, costs[BASE], strict=True))
        ratios = Cost(median(c.wall / b.wall for c, b in pairs), median(c.processor / b.processor for c, b in pairs))
        results[name] = (Cost(median(c.wall for c in taken), median(c.processor for c in taken)), ratios)
    return results


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
    return number, median(cost(command, dict(os.environ)).wall for _ in range(3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder of skills")
    parser.add_argument("--runs", type=int, default=40, help="of each process (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        single = Path(temporary) / "single"
        single.mkdir()
        make_corpus(single, 1)
        times = one_skill(single / "skill-0", arguments.runs)
        print(f"{'one skill, one process':<24}{'wall ms':>9}{'ratio':>7}{'processor ms':>14}{'ratio':>7}")
        for name, (taken, ratio) in times.items():
            print(
                f"{name:<24}{taken.wall * 1000:>9.1f}{ratio.wall:>7.2f}"
                f"{taken.processor * 1000:>14.1f}{ratio.processor:>7.2f}"
            )
        reached = times["skillpack validate"][1].wall
        print(f"\nratio {reached:.3f}; the goal is at most {GOAL}: {'met' if reached <= GOAL else 'MISSED'}\n")
        folders = [arguments.corpus] if arguments.corpus else []
        for number in [] if folders else [2000, 4000]:
            folders.append(Path(temporary) / str(number))
            folders[-1].mkdir()
            make_corpus(folders[-1], number)
        print(f"{'a tree, one process':<24}{'skills':>10}{'seconds':>9}{'ms each':>9}")
        for folder in folders:
            number, wall = corpus(folder)
            print(f"{folder.name:<24}{number:>10,}{wall:>9.2f}{wall / max(number, 1) * 1000:>9.3f}")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"\nlargest process: {peak:.0f} MB")


if __name__ == "__main__":
    main()
