"""How long `skillpack validate` takes: one skill against `import click, yaml`, a corpus, and other validators.

    python benchmarks/validate.py
    python benchmarks/validate.py --alone --peers ENVIRONMENTS
    python benchmarks/validate.py --peers ENVIRONMENTS --corpus DIR --runs 20

A corpus is also validated with --cache, in which each skill is known.

The processes run in turn, so that whatever else the machine does weighs on all of them alike. The figures are
medians; a ratio is the median of the ratios of processes that ran next to each other. On a machine with other
work the processor's time tells more than the wall's.

With --alone, a corpus is made of --skills SKILL.md without other files: the bodies of this repository's skills in turn,
under names of their own, described by 30 words of its references each. Links to files, which a skill without any does
not have, become their text.

Without --corpus and --alone, skills are made of this repository's texts in the proportions of 1,118 public ones
(docs/precision.md names the collections): a SKILL.md, 1.3 Python scripts of about 10 KB and 8 references of about
7 KB each.
--peers names a folder of virtual environments that are called as the package in them (`agnix`, `skills-ref`,
`skills-ref-rs`, `skillsaw`, `skillcheck`); those that are there are measured too. A peer is given a corpus where it
takes one: the two of skills-ref take one skill a process. Each of them looks for other things; see docs/.
"""

from __future__ import annotations

import argparse
import compileall
import os
import random
import re
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
KIT = ROOT / "src" / "skillpack" / "kit"
GOAL = 1.25
#: Runs the command it is given and says how much memory it had.
PEAK = (
    "import resource, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr)"
)


class Cost(NamedTuple):
    """Of one process, or the medians of several: wall time and processor time, in seconds."""

    wall: float
    processor: float


def cost(command: list[str], environment: dict[str, str]) -> Cost:
    """What one process takes, which has to succeed."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    if done.returncode not in (0, 1):  # 1: it found something
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


BASE = "import click, yaml"


def environment() -> dict[str, str]:
    """This process's, in which Python is free to read and write what is compiled, as for installed packages."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def peers(folder: Path | None, path: Path, *, corpus: bool) -> dict[str, list[str]]:
    """The command of each validator that is installed below `folder`, for `path`."""
    commands = {
        "agnix": ["agnix", "--max-files", "0", str(path)],
        "skills-ref": ["agentskills", "validate", str(path)],
        "skills-ref-rs": ["skills-ref", "validate", str(path)],
        "skillsaw": ["skillsaw", "lint", str(path)],
        "skillcheck": ["skillcheck", str(path)],
    }
    single = ("skills-ref", "skills-ref-rs") if corpus else ()
    found = {}
    for name, (program, *arguments) in commands.items():
        installed = folder / name / "bin" / program if folder else None
        if installed is not None and installed.exists() and name not in single:
            found[name] = [str(installed), *arguments]
    return found


def measured(commands: dict[str, list[str]], runs: int, warm: int, base: str) -> dict[str, tuple[Cost, Cost]]:
    """What each command takes, and its ratios to the one called `base`; the first `warm` runs fill the caches."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for run in range(runs + warm):
        for name, command in commands.items():
            taken = cost(command, environment())
            if run >= warm:
                costs[name].append(taken)
    results = {}
    for name, taken in costs.items():
        pairs = list(zip(taken, costs[base], strict=True))
        ratios = Cost(median(c.wall / b.wall for c, b in pairs), median(c.processor / b.processor for c, b in pairs))
        results[name] = (Cost(median(c.wall for c in taken), median(c.processor for c in taken)), ratios)
    return results


def show(title: str, results: dict[str, tuple[Cost, Cost]]) -> None:
    """Prints a table."""
    print(f"{title:<40}{'wall ms':>10}{'ratio':>8}{'processor ms':>14}{'ratio':>8}")
    for name, (taken, ratio) in results.items():
        print(
            f"{name:<40}{taken.wall * 1000:>10.1f}{ratio.wall:>8.2f}"
            f"{taken.processor * 1000:>14.1f}{ratio.processor:>8.2f}"
        )
    print()


def make_corpus(folder: Path, number: int, *, alone: bool = False) -> None:
    """Writes `number` skills under names of their own; `alone` without scripts and references."""
    text = next(iter(sorted(SKILLS.glob("*/SKILL.md")))).read_text(encoding="utf-8")
    name_line = next(line for line in text.split("\n") if line.startswith("name:"))
    scripts = [path.read_text(encoding="utf-8") for path in sorted(KIT.glob("*.py")) if path.stat().st_size > 4000]
    pages = [path.read_text(encoding="utf-8") for path in sorted(SKILLS.glob("*/references/*.md"))]
    for index in range(number):
        skill = folder / f"skill-{index}"
        skill.mkdir(parents=True)
        (skill / "SKILL.md").write_text(text.replace(name_line, f"name: {skill.name}", 1), encoding="utf-8")
        if alone:
            continue
        (skill / "scripts").mkdir()
        (skill / "references").mkdir()
        for at in range(1 + (index % 10 < 3)):
            script = scripts[(index + at) % len(scripts)]
            (skill / "scripts" / f"run_{at}.py").write_text(script, encoding="utf-8")
        for at in range(8):
            page = pages[(index + at) % len(pages)] + "\n" + pages[(index + at + 1) % len(pages)]
            (skill / "references" / f"page-{at}.md").write_text(page, encoding="utf-8")


def make_alone(folder: Path, number: int) -> None:
    """Writes `number` SKILL.md without other files, in folders of their own."""
    bodies = [path.read_text(encoding="utf-8").split("\n---\n", 1)[1] for path in sorted(SKILLS.glob("*/SKILL.md"))]
    words = " ".join(path.read_text(encoding="utf-8") for path in sorted(SKILLS.glob("*/references/*.md")))
    plain = sorted({word for word in words.split() if word.isalpha()})
    for index in range(number):
        description = f"Use when {' '.join(random.Random(index).sample(plain, 30))}."
        skill = folder / f"skill-{index}"
        skill.mkdir(parents=True)
        header = f"---\nname: {skill.name}\ndescription: {description}\nlicense: Apache-2.0\n---\n"
        body = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", bodies[index % len(bodies)])
        (skill / "SKILL.md").write_text(header + body, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="a folder of skills")
    parser.add_argument("--alone", action="store_true", help="make the corpus of SKILL.md without other files")
    parser.add_argument("--peers", type=Path, help="a folder of environments with other validators")
    parser.add_argument("--runs", type=int, default=20, help="of each process with one skill (default: %(default)s)")
    parser.add_argument("--skills", type=int, default=4000, help="in the corpus that is made (default: %(default)s)")
    arguments = parser.parse_args()
    compileall.compile_dir(ROOT / "src" / "skillpack", quiet=1)  # as an installed package is
    ours = [sys.executable, "-m", "skillpack", "validate"]
    with tempfile.TemporaryDirectory() as temporary:
        single = Path(temporary) / "single"
        make_corpus(single, 1, alone=True)
        skill = single / "skill-0"
        commands = {
            BASE: [sys.executable, "-c", BASE],
            "python -c pass": [sys.executable, "-c", "pass"],
            "skillpack validate": [*ours, str(skill)],
            "skillpack validate --profile spec": [*ours, "--profile", "spec", str(skill)],
            **peers(arguments.peers, skill, corpus=False),
        }
        results = measured(commands, arguments.runs, 3, BASE)
        show("one SKILL.md, one process", results)
        reached = results["skillpack validate"][1].wall
        print(f"ratio {reached:.3f}; the goal is at most {GOAL}: {'met' if reached <= GOAL else 'MISSED'}\n")
        folders = [arguments.corpus] if arguments.corpus else []
        for number in [] if folders else [arguments.skills // 2, arguments.skills]:
            folders.append(Path(temporary) / str(number))
            (make_alone if arguments.alone else make_corpus)(folders[-1], number)
        before = 0.0
        for folder in folders:
            number = sum(1 for _ in folder.rglob("SKILL.md"))
            whole = [*ours, "--fail-on", "never", "--no-source", str(folder)]
            again = [*whole, "--cache", str(Path(temporary) / "kept" / folder.name)]
            cost(again, environment())
            commands = {"skillpack validate": whole, "skillpack validate --cache, no change": again}
            commands |= peers(arguments.peers, folder, corpus=True)
            results = measured(commands, 3, 0, "skillpack validate")
            show(f"{number:,} skills, one command", results)
            wall = results["skillpack validate"][0].wall
            if before:
                print(f"twice the skills took {wall / before:.2f} times as long\n")
            before = wall
        done = subprocess.run(["/usr/bin/env", sys.executable, "-c", PEAK, *whole[1:]], capture_output=True, text=True)
        print(
            f"memory of the largest process of skillpack: {done.stderr.split()[-1]} MB, and of its workers as much each"
        )


if __name__ == "__main__":
    main()
