"""`skillpack eval`: a skill's tasks done by an agent, with the skill and without, graded and compared."""

from __future__ import annotations

import json
import math
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from skillpack.errors import EXIT_FINDINGS, UsageFailure
from skillpack.kit.script import EXIT_UNCONFIRMED, write_atomic

PATHS = click.argument("skills", metavar="SKILL...", nargs=-1, required=True, type=click.Path(path_type=Path))


def _finite(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """Refuses nan, which reaches no limit, and inf."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of minutes or dollars", context, option)
    return value


@click.command(
    name="eval",
    epilog="Examples:\n\n  skillpack eval skills/NAME --agent claude --task append --repeats 3 --yes\n\n"
    "  skillpack eval skills/* --agent 'my-agent run {prompt}' --max-cost 20 --yes\n\n"
    "  skillpack eval skills/NAME --harbor tasks/",
)
@PATHS
@click.option("--agent", help="claude, codex, gemini, or a command with {prompt}; without it, the prompt is its input.")
@click.option("--task", "only", multiple=True, metavar="ID", help="Only this task; may be given again.")
@click.option("--arm", type=click.Choice(["both", "with", "without"]), default="both", show_default=True)
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Runs of each task in each arm.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=30.0, show_default=True, callback=_finite,
              help="Minutes for one run: the agent, and the jobs that it leaves.")  # fmt: skip
@click.option("--max-minutes", type=float, callback=_finite, help="Start no further run after this many.")
@click.option("--max-cost", type=float, callback=_finite,
              help="Start no further run once the agent has reported this many dollars.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("skill-evals"), show_default=True)
@click.option("--harbor", type=click.Path(path_type=Path, file_okay=False), help="Write the tasks for Harbor here.")
@click.option("--upskill", type=click.Path(path_type=Path, file_okay=False), help="Write the runs for upskill here.")
@click.option("--yes", is_flag=True, help="Run: an agent spends its user's money, and runs commands on this machine.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def evaluate(
    skills: tuple[Path, ...],
    agent: str | None,
    only: tuple[str, ...],
    arm: str,
    repeats: int,
    timeout: float,
    max_minutes: float | None,
    max_cost: float | None,
    out: Path,
    harbor: Path | None,
    upskill: Path | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Do the tasks of each SKILL in fresh folders, each on a fresh local Hub, and grade what is there at the end.

    Runs that are there already are not done again. The agent is not confined: it works on this machine as you do.
    Transcripts are kept, without the values of secret variables and without tokens.

    Exit codes: 0 every run was made, 1 a limit came first, a run could not be made, or the agent itself failed
    (it is not signed in, say), 2 wrong usage, 4 would run agents: again with --yes.
    """
    from skillpack.evals.agents import read_agent
    from skillpack.evals.suite import read_suite
    from skillpack.evals.trial import WITH, WITHOUT, Trial

    if not agent and not harbor:
        raise UsageFailure("say who does the tasks, --agent claude, or --harbor FOLDER to write them for Harbor")
    suites = {skill.resolve().name: read_suite(skill, only) for skill in skills}
    if len(suites) < len({skill.resolve() for skill in skills}):
        raise UsageFailure(
            "two of the skills have the same name, and their runs would lie in one folder: one at a time"
        )
    if harbor:
        from skillpack.evals.harbor import write_task

        written = [write_task(task, harbor, timeout * 60) for tasks in suites.values() for task in tasks]
        click.echo(f"{len(written)} tasks for Harbor in {harbor}", err=True)
    if not agent:
        return 0
    if missing := [name for name in ("starlette", "uvicorn", "huggingface_hub") if find_spec(name) is None]:
        raise UsageFailure(f"{', '.join(missing)} not installed; run: pip install 'skillpack[hub]'")
    chosen = read_agent(agent)
    arms = {"both": (WITH, WITHOUT), "with": (WITH,), "without": (WITHOUT,)}[arm]
    trials = [
        Trial(task, each, number, out / name / f"eval-{task.id}" / each / f"run-{number}")
        for name, tasks in suites.items()
        for number in range(1, repeats + 1)
        for task in tasks
        for each in arms
    ]
    todo = [trial for trial in trials if not trial.is_done]
    if other := [trial for trial in trials if trial.is_done and not trial.is_of(chosen)]:
        raise UsageFailure(
            f"{other[0].folder} was made by another agent, or of the skill or task before it changed"
            f" ({len(other)} such runs): give another --out, or delete them"
        )
    made = len(trials) - len(todo)
    click.echo(f"{len(trials)} runs of {chosen.name}, {made} made already, at most {timeout:g} minutes each", err=True)
    if todo and not yes:
        click.echo("each run spends what the agent costs, and runs commands on this machine: --yes to start", err=True)
        return EXIT_UNCONFIRMED
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)
    problems = _run(todo, chosen, timeout * 60, max_minutes, max_cost)
    documents = _summaries(trials, chosen.name, problems, out)
    if upskill:
        from skillpack.evals.upskill import write_runs

        for document in documents:
            click.echo(f"run logs for upskill in {write_runs(document, upskill)}", err=True)
    from skillpack.evals.benchmark import table

    click.echo(json.dumps(documents, indent=2) if as_json else "\n".join(map(table, documents)), nl=as_json)
    return EXIT_FINDINGS if problems else 0


def _interrupt(number: int, frame: object) -> None:
    """Ends this program as Ctrl-C does: else the agent, in a session of its own, would go on and spend."""
    raise KeyboardInterrupt


def _run(todo: list[Any], agent: Any, timeout: float, max_minutes: float | None, max_cost: float | None) -> list[str]:
    """Makes the runs, one after another; what could not be made, and why."""
    from skillpack.errors import Failure
    from skillpack.evals.agents import AgentFailed
    from skillpack.evals.trial import run_trial
    from skillpack.hub.server import HubNotStarted

    began, spent, problems = time.monotonic(), 0.0, []
    for number, trial in enumerate(todo, 1):
        minutes = (time.monotonic() - began) / 60
        limit = f"{minutes:.0f} minutes" if max_minutes is not None and minutes >= max_minutes else ""
        limit = limit or (f"${spent:.2f}" if max_cost is not None and spent >= max_cost else "")
        if limit:
            problems.append(f"the limit came first, after {limit}: {len(todo) - number + 1} runs were not made")
            break
        click.echo(f"[{number}/{len(todo)}] {trial.title} …", err=True)
        try:
            run_trial(trial, agent, timeout)
        except UsageFailure:
            raise
        except AgentFailed as failure:  # it would fail each, and that is no measurement of the skill
            problems.append(f"{trial.title}: {failure} ({len(todo) - number + 1} runs were not made)")
            break
        except (Failure, OSError, HubNotStarted) as failure:
            problems.append(f"{trial.title}: {failure}")
            click.echo(f"  not made: {failure}", err=True)
            continue
        row = trial.result()
        found = row["result"]
        spent += found["usd"] or 0.0
        if max_cost is not None and found["usd"] is None:
            problems.append(f"{agent.name} does not report its cost, so --max-cost cannot be kept; use --max-minutes")
            break
        noted = "".join(f"; {note}" for note in row["notes"])
        click.echo(f"  {found['passed']} of {found['total']} in {found['time_seconds']:.0f} s{noted}", err=True)
    for problem in problems:
        click.echo(problem, err=True)
    return problems


def _summaries(trials: list[Any], agent: str, problems: list[str], out: Path) -> list[dict[str, Any]]:
    """benchmark.json and benchmark.md of each skill, of the runs that are there."""
    from skillpack.evals.benchmark import benchmark, table

    documents = []
    for name in dict.fromkeys(trial.task.skill_name for trial in trials):
        runs = [trial.result() for trial in trials if trial.task.skill_name == name and trial.is_done]
        if not runs:
            continue
        documents.append(benchmark(name, agent, runs, [each for each in problems if name in each or "limit" in each]))
        write_atomic(out / name / "benchmark.json", json.dumps(documents[-1], indent=2, ensure_ascii=False) + "\n")
        write_atomic(out / name / "benchmark.md", table(documents[-1]))
    return documents
