"""The command `skillpack verify`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from skillpack.errors import EXIT_FINDINGS

if TYPE_CHECKING:
    from skillpack.diagnostics import Diagnostic
    from skillpack.verify.checker import Tally


@click.command()
@click.argument("paths", metavar="[PATH...]", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github", "junit"]),
    default="text",
    show_default=True,
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="Lowest severity that makes the exit code 1.",
)
@click.option("--config", metavar="FILE", help="Settings, in place of skillpack.toml or pyproject.toml here.")
@click.option(
    "--allow-scripts", is_flag=True, help="Run the --help of every script of the skills: for skills you trust."
)
@click.option("--no-cache", is_flag=True, help="Ask every tool again.")
@click.option("--cache-dir", metavar="FOLDER", help="Where answers are kept. [default: ~/.cache/skillpack/verify]")
@click.option("--no-source", is_flag=True, help="Text without the line that each finding is about.")
def verify(
    paths: tuple[str, ...],
    form: str,
    fail_on: str,
    config: str | None,
    allow_scripts: bool,
    no_cache: bool,
    cache_dir: str | None,
    no_source: bool,
) -> int:
    """Hold the commands and code of skills against the tools as installed here.

    PATH is a skill's folder, its SKILL.md, or a folder that is searched for skills; this folder without any. Options,
    values and arguments of shell commands, modules, names and arguments of Python, forms of JSON, YAML and TOML, paths
    and addresses of the Hub are checked. No block is run. What is run is the --help of listed tools, and of scripts
    that the settings name: `skillpack validate` runs nothing at all.

    \b
    Examples:
      skillpack verify skills/
      skillpack verify my-skill --allow-scripts --format json

    Exit codes: 0 nothing to object to, 1 findings, 2 wrong usage, 3 nothing to check or an internal failure.
    """
    from pathlib import Path

    from skillpack.diagnostics import ERROR, WARNING
    from skillpack.errors import Failure, NothingToCheck
    from skillpack.skill import load_skill
    from skillpack.source import find_all
    from skillpack.verify.cache import Cache, default_folder
    from skillpack.verify.settings import load

    try:
        import tree_sitter_bash  # noqa: F401
        import ty  # noqa: F401
    except ImportError as error:
        raise Failure(f"{error.name} is missing: pip install 'skillpack[verify]'") from None
    from skillpack.verify.checker import verify as run

    trees, empty = find_all(paths or (".",))
    skills = [load_skill(tree) for tree in trees if tree.skill_file is not None]
    settings = load(config)
    if allow_scripts:
        settings = settings._replace(scripts=("*",))
    folder = None if no_cache else Path(cache_dir) if cache_dir else default_folder()
    diagnostics, tally = run(skills, settings, Cache(folder), _progress)
    _progress("")
    sys.stdout.write(_rendered(form, diagnostics, tally, len(skills), no_source=no_source))
    if form == "text":
        sys.stdout.write(f"{tally.sentence()}\n")
    if empty:
        raise NothingToCheck(f"no SKILL.md under {', '.join(empty)}: nothing was checked there")
    threshold = WARNING if fail_on == "warning" else ERROR
    failing = fail_on != "never" and any(found.severity >= threshold for found in diagnostics)
    return EXIT_FINDINGS if failing else 0


def _rendered(form: str, diagnostics: list[Diagnostic], tally: Tally, skills: int, *, no_source: bool) -> str:
    from skillpack.reports import github, json, junit, sarif, text
    from skillpack.source import lines_of

    if form == "json":
        return json.render(diagnostics, skills, verified=tally.to_json())
    if form == "sarif":
        import skillpack as package
        from skillpack.verify import KINDS

        summaries = {slug: kind.summary for slug, kind in KINDS.items()}
        return sarif.render(diagnostics, skills, summaries=summaries, version=package.__version__)
    if form == "github":
        return github.render(diagnostics, skills)
    if form == "junit":
        return junit.render(diagnostics, skills)
    from skillpack.verify.checker import grouped

    return text.render(grouped(diagnostics), skills, color=_colors(), lines_of=None if no_source else lines_of)


def _progress(what: str) -> None:
    """Says on a terminal what is being done: a first run takes a minute."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{what} …" if what else "\r\x1b[K", nl=False, err=True)


def _colors() -> bool:
    import os

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
