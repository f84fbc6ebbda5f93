"""The regions of code that every bundled script carries, and what keeps them in step.

A skill installs as one folder and a job receives one file, so a script can import neither `skillpack` nor a
sibling. What must behave the same in all of them lives here once, between marker lines, and `skillpack sync`
copies it between the same marker lines of each script:

    # region skillpack:script      JSON out, logs, exit codes, redaction, atomic files, artefacts
    # endregion skillpack:script

A region is the text between the markers of `kit/<region>.py`, which is an ordinary module with tests. Tables that
several skills carry (prices of Jobs) lie in `kit/assets/`, and `skillpack sync` copies them over those of their name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from skillpack.errors import UsageFailure

REGION = re.compile(
    r"^# region skillpack:(?P<name>[a-z]+)\n(?P<body>.*?)^# endregion skillpack:(?P=name)\n", re.M | re.S
)
OPENING = re.compile(r"^# (?:end)?region skillpack:\S*", re.M)


def source_regions(folder: Path = Path(__file__).parent) -> dict[str, str]:
    """Region name -> its text, read from the modules of this package."""
    return {
        match["name"]: match["body"]
        for module in sorted(folder.glob("*.py"))
        if module.name not in {"__init__.py", "cli.py"}
        for match in REGION.finditer(module.read_text(encoding="utf-8"))
    }


def scripts(root: Path) -> Iterator[Path]:
    """Every bundled script and template below `root`, a folder of skills or one skill's, and what grades its evals."""
    yield from sorted(path for place in ("scripts", "assets", "evals") for path in root.glob(f"**/{place}/*.py"))


def tables(root: Path) -> Iterator[tuple[Path, Path]]:
    """(asset, its source in this package) of every table that skills below `root` carry a copy of."""
    for source in sorted((Path(__file__).parent / "assets").iterdir()):
        yield from ((path, source) for path in sorted(root.glob(f"**/assets/{source.name}")))


def synced(text: str, regions: dict[str, str], where: str) -> str:
    """`text` with the body of each of its regions replaced by the source's.

    Raises UsageFailure when a marker names a region that does not exist or is not closed.
    """

    def body(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in regions:
            raise UsageFailure(f"{where}: no region named {name!r}; there are: {', '.join(sorted(regions))}")
        return f"# region skillpack:{name}\n{regions[name]}# endregion skillpack:{name}\n"

    replaced, count = REGION.subn(body, text)
    if len(OPENING.findall(replaced)) != 2 * count:
        raise UsageFailure(f"{where}: a region marker is not paired with its end (`# endregion skillpack:NAME`)")
    return replaced
