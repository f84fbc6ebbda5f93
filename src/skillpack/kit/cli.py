"""`skillpack sync`: write the generated regions and tables into the skills, or prove that they are in step."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from skillpack.kit import scripts, source_regions, synced, tables
from skillpack.kit.script import write_atomic


@click.command(
    epilog="Examples:\n\n  skillpack sync            write regions into skills/*/scripts/*.py, tables into assets/\n\n"
    "  skillpack sync --check    change nothing; exit 1 and show the diff when one has drifted"
)
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path), default="skills")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 and print the diff on drift.")
def sync(root: Path, check: bool) -> None:
    """Copy the shared regions and tables of src/skillpack/kit/ into the skills below ROOT (default: skills)."""
    regions = source_regions()
    copies = [(path, synced(path.read_text(encoding="utf-8"), regions, where=str(path))) for path in scripts(root)]
    copies += [(path, source.read_text(encoding="utf-8")) for path, source in tables(root)]
    drifted = 0
    for path, after in copies:
        before = path.read_text(encoding="utf-8")
        if after == before:
            continue
        drifted += 1
        if check:
            diff = difflib.unified_diff(
                before.splitlines(True), after.splitlines(True), f"{path} (now)", f"{path} (synced)"
            )
            click.echo("".join(diff), nl=False)
        else:
            write_atomic(path, after)
            click.echo(f"wrote {path}")
    if check and drifted:
        click.echo(f"{drifted} file(s) have drifted; run `skillpack sync`", err=True)
        raise SystemExit(1)
    if not drifted:
        click.echo("every region is in step")
