"""The command `skillpack`: reads arguments, calls, prints, exits. No logic.

Everything but click is imported inside the command that needs it, so that `validate` starts fast.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click

from skillpack.errors import EXIT_FAILURE, EXIT_FINDINGS, EXIT_INTERRUPT, EXIT_USAGE, Failure

#: Commands that live elsewhere: name -> (module:command, line of help). Imported when they are run.
ELSEWHERE = {
    "eval": ("skillpack.evals.cli:evaluate", "Have an agent do a skill's tasks, and grade them."),
    "explain": ("skillpack.pages:explain", "What a rule wants, why, and how to mend it."),
    "hub": ("skillpack.hub.cli:hub", "A local Hub with Jobs, to rehearse on."),
    "manifest": ("skillpack.manifests:manifest", "Write what each agent reads to find the skills."),
    "pack": ("skillpack.manifests:pack", "Write one archive a skill, the same bytes everywhere."),
    "new": ("skillpack.scaffold:new", "Make a skill to begin with, which passes --strict."),
    "rehearse": ("skillpack.rehearsal:rehearse", "The whole training workflow on this machine."),
    "rules": ("skillpack.pages:list_rules", "List the rules, or make docs/rules.md."),
    "triggers": ("skillpack.evals.triggers:triggers", "Which skill's description a request is nearest to."),
    "verify": ("skillpack.verify.cli:verify", "Hold commands and code against the installed tools; runs their --help."),
    "sync": ("skillpack.kit.cli:sync", "Write the generated regions of the bundled scripts."),
}
#: A process that checks more skills than this shows its progress.
BAR_FROM = 50


class Commands(click.Group):
    """The commands of this module, and those of ELSEWHERE, which are imported only to be run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the alphabet."""
        return sorted([*super().list_commands(ctx), *ELSEWHERE])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of this name."""
        if name not in ELSEWHERE:
            return super().get_command(ctx, name)
        from importlib import import_module

        module, _, attribute = ELSEWHERE[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, for which nothing is imported."""
        own = {name: command.get_short_help_str(80) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted({**own, **{name: text for name, (_, text) in ELSEWHERE.items()}}.items()))


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        import skillpack

        click.echo(f"skillpack {skillpack.__version__}")
        ctx.exit()


@click.group(cls=Commands)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def skillpack() -> None:
    """Validate Agent Skills, and rehearse the training workflow of this pack.

    Exit codes: 0 nothing to object to, 1 findings, 2 wrong usage, 3 nothing to check or an internal failure,
    130 interrupted.
    """


_PATHS = click.argument("paths", metavar="PATH...", nargs=-1, required=True)


@skillpack.command()
@click.argument("paths", metavar="PATH...", nargs=-1)
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
@click.option("--strict", is_flag=True, help="The same as --profile strict --fail-on warning.")
@click.option(
    "--profile",
    type=click.Choice(["spec", "recommended", "strict"]),
    help="spec: what the specification says; recommended: body, links, scripts, hidden text too; strict: every rule."
    " [default: recommended]",
)
@click.option("--config", metavar="FILE", help="Settings, in place of skillpack.toml or pyproject.toml here.")
@click.option("--fix", is_flag=True, help="Correct what can be corrected without a doubt, then check.")
@click.option("--unsafe", is_flag=True, help="With --fix or --diff: also what changes the meaning, such as a name.")
@click.option("--diff", is_flag=True, help="Print what --fix would change, and change nothing; exit 1 if anything.")
@click.option("--baseline", metavar="FILE", help="Leave the findings in FILE out: only new ones are reported.")
@click.option(
    "--update-baseline", is_flag=True, help="Take what is fixed out of the baseline; write it if there is none yet."
)
@click.option(
    "--changed",
    metavar="[REF]",
    is_flag=False,
    flag_value="HEAD",
    help="Only skills with files that git says differ from REF, untracked ones too. [REF: HEAD]",
)
@click.option("--clients", is_flag=True, help="Also say what each client does with each skill (text and json).")
@click.option("--no-source", is_flag=True, help="Text without the line that each finding is about.")
@click.option(
    "--cache", metavar="FOLDER", help="Keep there what was found; a skill that did not change is not judged again."
)
def validate(
    paths: tuple[str, ...],
    form: str,
    fail_on: str,
    strict: bool,
    profile: str | None,
    config: str | None,
    fix: bool,
    unsafe: bool,
    diff: bool,
    baseline: str | None,
    update_baseline: bool,
    changed: str | None,
    clients: bool,
    no_source: bool,
    cache: str | None,
) -> int:
    """Check skills against the Agent Skills specification.

    PATH is a skill's folder, its SKILL.md, or a folder that is searched for skills. Nothing is executed, nothing
    is fetched, and nothing outside PATH is read; --changed, and nothing else, runs git. No findings does not mean
    no risk.

    \b
    Examples:
      skillpack validate skills/
      skillpack validate --strict --format json my-skill/SKILL.md
      skillpack validate skills/ --fix

    Exit codes: 0 nothing to object to, 1 findings, 2 wrong usage, 3 nothing to check or an internal failure.
    """
    from skillpack.config import adjusted, chosen, load
    from skillpack.diagnostics import ERROR, WARNING
    from skillpack.frontmatter import LIBYAML
    from skillpack.rules import discover
    from skillpack.skill import load_skill
    from skillpack.source import find_all
    from skillpack.workers import check_trees

    if changed is not None:
        from skillpack.changed import path_or_ref

        paths, changed = path_or_ref(paths, changed)
    _consistent(
        paths, form, fix=fix, unsafe=unsafe, diff=diff, baseline=baseline, update=update_baseline, table=clients
    )
    if not LIBYAML:
        click.echo("note: PyYAML has no libyaml here; validation is several times slower", err=True)
    trees, empty = find_all(paths)
    every = discover()
    settings = load(config, every)
    if profile or strict:
        settings = settings._replace(profile=profile or "strict")
    rules = chosen(every, settings)
    if changed is not None:
        from skillpack.changed import changed_trees

        trees = changed_trees(trees, changed)
    if fix or diff:
        from skillpack.checker import check
        from skillpack.fixes import run

        changes = run(trees, rules, lambda skill: adjusted(check([skill], rules), every, settings), unsafe, diff)
        if diff:
            return EXIT_FINDINGS if changes else 0
    kept = None
    if cache is not None:
        from skillpack.cache import Cache

        kept = Cache(cache, rules)
    diagnostics = adjusted(check_trees(trees, rules, _with_bar, cache=kept), every, settings)
    if kept is not None:
        click.echo(f"cache: {kept.hits:,} of {len(trees):,} not judged again", err=True)
        if kept.unsaved:
            click.echo(f"note: {kept.unsaved}; what is new was not kept", err=True)
    if baseline is not None:
        from skillpack.baseline import compare

        covered = [tree.root for tree in trees] if changed is not None else list(paths)
        diagnostics = compare(diagnostics, baseline, covered, rules, update=update_baseline)
    checked = sum(tree.skill_file is not None for tree in trees)
    verdicts = None
    if clients:
        from skillpack.clients import verdicts_of

        verdicts = [verdicts_of(load_skill(tree)) for tree in find_all(paths)[0] if tree.skill_file]
    if form == "json":
        from skillpack.reports import json

        _print(json.render(diagnostics, checked, verdicts))
    elif form == "sarif":
        import skillpack as package
        from skillpack.reports import sarif

        summaries = {rule.slug: rule.summary for rule in every}
        _print(sarif.render(diagnostics, checked, summaries=summaries, version=package.__version__))
    elif form in ("github", "junit"):
        from skillpack.reports import github, junit

        _print((github if form == "github" else junit).render(diagnostics, checked))
    elif checked or diagnostics or changed is not None:
        from skillpack.reports import text
        from skillpack.source import lines_of

        _print(text.render(diagnostics, checked, color=_colors(), lines_of=None if no_source else lines_of))
        if verdicts:
            from skillpack.reports import verdicts as table

            _print(f"\n{table.render(verdicts)}")
    if empty:
        from skillpack.errors import NothingToCheck

        raise NothingToCheck(f"no SKILL.md under {', '.join(empty)}: nothing was checked there")
    threshold = WARNING if strict or fail_on == "warning" else ERROR
    failing = fail_on != "never" or strict
    return EXIT_FINDINGS if failing and any(found.severity >= threshold for found in diagnostics) else 0


def _consistent(
    paths: tuple[str, ...],
    form: str,
    *,
    fix: bool,
    unsafe: bool,
    diff: bool,
    baseline: str | None,
    update: bool,
    table: bool,
) -> None:
    """Raises UsageError for options that do nothing without, or cannot be used with, each other."""
    if not paths:
        raise click.UsageError("name a skill, or a folder that holds skills: skillpack validate PATH")
    if unsafe and not (fix or diff):
        raise click.UsageError("--unsafe says which fixes: add --fix or --diff")
    if update and baseline is None:
        raise click.UsageError("--update-baseline needs --baseline FILE")
    if table and form not in ("text", "json"):
        raise click.UsageError("--clients is part of the formats text and json")


@skillpack.command("list")
@_PATHS
def list_(paths: tuple[str, ...]) -> None:
    """List the skills below PATH: name, SKILL.md, first words of the description."""
    from skillpack.reports.text import visible

    skills = _load(paths)
    rows = [(s.string("name") or f"({s.tree.folder})", s.path, s.string("description") or "-") for s in skills]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, path, description in rows:
        short = " ".join(description.split())
        short = short if len(short) <= 60 else short[:59] + "…"
        _print(visible(f"{name:<{widths[0]}}  {path:<{widths[1]}}  {short}") + "\n")


@skillpack.command()
@_PATHS
def show(paths: tuple[str, ...]) -> None:
    """Print the properties of the skills at PATH as JSON.

    One skill gives one object, several a list. The first keys are those of the reference library's
    read-properties; path, other-fields, body and files come after them.
    """
    import json

    from skillpack.listing import properties

    shown = [properties(skill) for skill in _load(paths)]
    _print(json.dumps(shown[0] if len(shown) == 1 else shown, indent=2) + "\n")


@skillpack.command()
@_PATHS
def prompt(paths: tuple[str, ...]) -> None:
    """Print the <available_skills> block for an agent's prompt."""
    from skillpack.listing import available_skills

    _print(available_skills(_load(paths)) + "\n")


def _with_bar(trees: Sequence[Any]) -> Iterator[Any]:
    """The trees one after the other; a bar shows on a terminal how many are done when there are many."""
    if len(trees) <= BAR_FROM or not sys.stderr.isatty():
        yield from trees
        return
    with click.progressbar(trees, label="Checking", file=sys.stderr) as bar:
        yield from bar


def _load(paths: tuple[str, ...]) -> list[Any]:
    """The skills at `paths`. Raises NothingToCheck when one of them holds none."""
    from skillpack.errors import NothingToCheck
    from skillpack.skill import load_skill
    from skillpack.source import find_all

    trees, empty = find_all(paths)
    if empty:
        raise NothingToCheck(f"no SKILL.md under {', '.join(empty)}")
    return [load_skill(tree) for tree in trees if tree.skill_file is not None]


def _print(text: str) -> None:
    sys.stdout.write(text)


def _colors() -> bool:
    import os

    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit code. No exception leaves it."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a path may hold what the terminal cannot show
            reconfigure(errors="backslashreplace")
    try:
        code = skillpack.main(arguments, prog_name="skillpack", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE if isinstance(error, click.UsageError) else error.exit_code
    except Failure as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPT
    except BrokenPipeError:
        # Whoever read the output has gone: what is still buffered goes nowhere, and the job is not done.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except Exception as error:
        import os

        if os.environ.get("SKILLPACK_TRACEBACK"):
            raise
        from skillpack.diagnostics import redacted

        what = redacted(f"{type(error).__name__}: {error}".strip(": ").split("\n")[0])
        click.echo(f"error: internal failure: {what} (SKILLPACK_TRACEBACK=1 shows where)", err=True)
        return EXIT_FAILURE
