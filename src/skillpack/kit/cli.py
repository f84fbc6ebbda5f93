"""`skillpack sync`: write the generated regions into the bundled scripts, or prove that they are in step."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from skillpack.kit import scripts, source_regions, synced
from skillpack.kit.script import write_atomic


@click.command(
    epilog="Examples:\n\n  skillpack sync            write the regions into skills/*/scripts/*.py\n\n"
    "  skillpack sync --check    change nothing; exit 1 and show the diff when a script has drifted"
)
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path), default="skills")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 and print the diff on drift.")
def sync(root: Path, check: bool) -> None:
    """Copy the shared regions of src/skillpack/kit/ into every script below ROOT (default: skills)."""
    regions = source_regions()
    drifted = 0
    for path in scripts(root):
        before = path.read_text(encoding="utf-8")
        after = synced(before, regions, where=str(path))
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
        click.echo(f"{drifted} script(s) have drifted; run `skillpack sync`", err=True)
        raise SystemExit(1)
    if not drifted:
        click.echo("every region is in step")
