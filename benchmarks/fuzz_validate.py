"""Coverage-guided fuzzing of the validator: any bytes give findings, in time, and no rule fails.

    python benchmarks/fuzz_validate.py                                   # 60 seconds, as in `make fuzz`
    python benchmarks/fuzz_validate.py --seconds 3600 --corpus corpus    # longer; what it learns is kept in the folder

Needs atheris, which has wheels for Linux only. The inputs begin with the cases under tests/rules. One input is one
skill: its first byte says which kind of file the rest is (SKILL.md, a script, Markdown or JSON beside a SKILL.md).
It fails on an exception, on a rule that failed (`rule-crashed`), on a place outside the file, on a report that cannot
be written, and on an input that takes more than 5 seconds; the input is then left in crash-… or timeout-… here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["skillpack"]):
    from skillpack.checker import check
    from skillpack.reports import github, json, junit, text
    from skillpack.rules import discover
    from skillpack.skill import load_skill
    from skillpack.source import find

    RULES = discover()
    for rule in RULES:
        _ = rule.judge  # imported here, so that its branches are counted too

CASES = Path(__file__).parents[1] / "tests" / "rules"
MAX_BYTES = 4096
#: What the rest of an input is, by its first byte: the file that it goes to.
TARGETS = ("SKILL.md", "scripts/run.py", "references/notes.md", "evals/evals.json", "scripts/run.sh")
GOOD = b"---\nname: fuzz\ndescription: Sorts numbers. Use when they are out of order.\n---\nSee references/.\n"


def try_one(data: bytes, folder: Path) -> None:
    """Validates one skill and holds what comes out against the promises."""
    target = TARGETS[data[0] % len(TARGETS)] if data else TARGETS[0]
    for name in TARGETS:
        (folder / name).unlink(missing_ok=True)
    (folder / "SKILL.md").write_bytes(GOOD)
    (folder / target).parent.mkdir(exist_ok=True)
    (folder / target).write_bytes(data[1:])
    trees = find(str(folder))
    found = check(map(load_skill, trees), RULES)
    lines = data.count(b"\n") + data.count(b"\r") + GOOD.count(b"\n") + 3
    for one in found:
        assert one.slug != "rule-crashed", one.message
        assert 1 <= one.location.line <= lines and one.location.column >= 1, one
    for render in (text.render, json.render, github.render, junit.render):
        render(found, len(trees)).encode()


def seeds(folder: Path) -> None:
    """Writes the files of the cases as inputs."""
    number = 0
    for path in sorted(CASES.rglob("*")):
        kinds = {".md": 0 if path.name.lower() == "skill.md" else 2, ".py": 1, ".json": 3, ".sh": 4}
        if path.is_file() and not path.is_symlink() and path.suffix in kinds and path.stat().st_size < MAX_BYTES:
            (folder / f"seed-{number}").write_bytes(bytes([kinds[path.suffix]]) + path.read_bytes())
            number += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="(default: %(default)s)")
    parser.add_argument("--corpus", type=Path, help="a folder in which inputs that reach new code are kept")
    arguments = parser.parse_args()
    # In memory where there is such a folder: the files are written a thousand times a second.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        corpus = arguments.corpus or Path(scratch) / "corpus"
        begun, skill = Path(scratch) / "seeds", Path(scratch) / "fuzz"
        for folder in (corpus, begun, skill):
            folder.mkdir(parents=True, exist_ok=True)
        seeds(begun)
        limits = [f"-max_total_time={arguments.seconds}", f"-max_len={MAX_BYTES}", "-timeout=5", "-rss_limit_mb=1024"]
        options = [*limits, "-print_final_stats=1", str(corpus), str(begun)]
        atheris.Setup([sys.argv[0], *options], lambda data: try_one(data, skill))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
