"""What has changed outside this repository, and what that changes inside it. `make refresh`; weekly in CI.

Reads the newest version of every pinned package (pip and npm), the prices and flavors of Jobs from the live list
(HF_ENDPOINT, by default the real Hub), and runs every generator. With --write the dated tables take the live prices and
the generators write; versions are never written: a new one has to pass the tests first.

Prints Markdown, one list a part. Exit codes: 0 nothing changed, 1 something did, 3 a source could not be read.

examples:
  python upkeep/refresh.py
  python upkeep/refresh.py --write --json
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CHANGED, UNREAD = 1, 3
#: Title -> arguments of skillpack to check, to write, and the file that takes what it prints, if it prints.
GENERATORS = {
    "regions of the scripts": (["sync", "--check"], ["sync"], None),
    "manifests": (["manifest", "--check"], ["manifest"], None),
    "docs/rules.md": (["rules", "--check", "docs/rules.md"], ["rules", "--markdown"], "docs/rules.md"),
}


@dataclass
class Part:
    """One part of the report: what changed, and what could not be read."""

    title: str
    changed: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def pins(text: str) -> dict[str, str]:
    """Package -> version of the lines `name==version` of constraints.txt."""
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.M))


def said(*command: str, seconds: float = 120) -> str:
    """What a command prints; nothing where it is not here, fails or does not end."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def newest_python(name: str) -> str | None:
    """The newest final release that pip would take here, None when the index does not say."""
    answer = said(sys.executable, "-m", "pip", "index", "versions", "--disable-pip-version-check", name)
    found = re.search(r"^\S+ \(([^)]+)\)", answer, re.M)
    return found[1] if found else None


def newest_npm(name: str) -> str | None:
    return said("npm", "view", name, "version").strip() or None


def outdated(title: str, pinned: dict[str, str], newest: dict[str, str | None]) -> Part:
    """Which pins are not the newest release, and of which nothing is known."""
    part = Part(title)
    for name, version in sorted(pinned.items()):
        found = newest.get(name)
        if found is None:
            part.unread.append(name)
        elif found != version:
            part.changed.append(f"{name}: {version} is pinned, {found} is out")
    return part


def versions() -> list[Part]:
    python = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    agents = json.loads((ROOT / "tests/clients/package.json").read_text(encoding="utf-8"))["dependencies"]
    with ThreadPoolExecutor(4) as pool:
        known = dict(zip(python, pool.map(newest_python, python), strict=True))
        known_agents = dict(zip(agents, pool.map(newest_npm, agents), strict=True))
    return [outdated("Python packages", python, known), outdated("Agents (npm)", agents, known_agents)]


def prices(tables: list[Path], write: bool) -> Part:
    """Flavors that are new, gone or cost another price than in the dated tables."""
    part = Part("Flavors and prices of Jobs")
    from skillpack.kit.flavors import live_flavors

    try:
        live, source = live_flavors()
    except OSError as error:
        part.unread.append(f"the list of hardware: {str(error)[:200]}")
        return part
    if not live:
        part.unread.append("the list of hardware: it is empty")  # not written: a table without prices plans nothing
        return part
    now = {flavor["name"]: flavor for flavor in live}
    for path in tables:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        before = {flavor["name"]: flavor for flavor in table["flavors"]}
        found = [f"{name}: ${one['usd_per_hour']:g} an hour, new" for name, one in now.items() if name not in before]
        found += [f"{name}: no longer listed" for name in before if name not in now]
        for name in before.keys() & now.keys():
            differ = [key for key in before[name] if before[name][key] != now[name].get(key)]
            found += [f"{name}: {key} was {before[name][key]}, is {now[name].get(key)}" for key in sorted(differ)]
        part.changed += [f"{path.parts[-3]}: {line}" for line in sorted(found)]
        if write and found:
            month = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m")
            table |= {"flavors": live, "dated": month, "source": source}
            path.write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return part


def uncommitted() -> dict[str, bytes]:
    """The files that git says differ from the last commit, with their contents."""
    command = ["git", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    paths = [ROOT / entry[3:] for entry in done.stdout.split("\0") if entry]
    return {str(path.relative_to(ROOT)): path.read_bytes() if path.is_file() else b"" for path in paths}


def generated(write: bool) -> Part:
    """Generators whose output is not what is committed; with `write`, the files that they changed."""
    part = Part("Generated files")
    before = uncommitted() if write else {}
    for title, (check, make, target) in GENERATORS.items():
        command = [sys.executable, "-m", "skillpack", *(make if write else check)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode == CHANGED and not write:
            part.changed.append(f"{title}: out of step")
        elif done.returncode:
            part.unread.append(f"{title}: `{' '.join(command[2:])}` ended with {done.returncode}")
        elif write and target:
            (ROOT / target).write_text(done.stdout, encoding="utf-8")
    if write:
        part.changed += [f"`{name}`" for name, content in uncommitted().items() if before.get(name) != content]
    return part


def render(parts: list[Part]) -> str:
    lines = []
    for part in parts:
        lines += [f"## {part.title}", "", *(f"- {line}" for line in part.changed or ["nothing changed"])]
        lines += [f"- not read: {', '.join(part.unread)}"] if part.unread else []
        lines.append("")
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--write", action="store_true", help="write prices and generated files")
    cli.add_argument("--only", choices=("versions", "prices", "generated"), help="one part")
    cli.add_argument("--json", action="store_true", help="one JSON document")
    args = cli.parse_args(argv)
    parts: list[Part] = []
    if args.only in (None, "versions"):
        parts += versions()
    if args.only in (None, "prices"):
        parts.append(prices(sorted(ROOT.glob("skills/*/assets/hardware.json")), args.write))
    if args.only in (None, "generated"):
        parts.append(generated(args.write))
    print(json.dumps([vars(part) for part in parts], indent=2) if args.json else render(parts))
    if any(part.unread for part in parts):
        return UNREAD
    return CHANGED if any(part.changed for part in parts) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
