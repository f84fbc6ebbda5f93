"""`skillpack rehearse`: the training workflow from end to end, by the skill's own scripts, as an agent runs them.

The scripts are started as processes with nothing but their arguments, so a rehearsal proves what an installed
skill does. Everything is left in one folder; run again, finished steps are not done again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from skillpack.errors import Failure, UsageFailure

#: Steps of the demo: enough for a difference that is larger than its interval, in about two minutes on 2 cores.
DEMO_STEPS, TINY_STEPS = 44, 12


def trainer_scripts() -> Path:
    """The scripts of hugging-face-model-trainer: of this checkout, or those that the wheel carries."""
    package = Path(__file__).resolve().parent
    for skills in (package.parent.parent / "skills", package / "_skills"):
        scripts = skills / "hugging-face-model-trainer" / "scripts"
        if scripts.is_dir():
            return scripts
    raise Failure("the skill hugging-face-model-trainer is not beside this package; run from a checkout")


def methods() -> list[str]:
    """The methods that the skill has a training script for."""
    return sorted(path.stem.removeprefix("train_") for path in trainer_scripts().glob("train_*.py"))


class Rehearsal:
    """One folder in which the scripts run, each step's log in `logs/`, a line a step on standard error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        self.environment = {
            **os.environ,
            "TRACKIO_DIR": str(self.folder / "trackio"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def claim(self, arguments: dict[str, Any]) -> None:
        """Records what this folder rehearses, so that a second run continues it and no other overwrites it."""
        record = self.folder / "rehearsal.json"
        if record.is_file() and json.loads(record.read_text(encoding="utf-8")) != arguments:
            raise UsageFailure(f"{self.folder} holds another rehearsal; give another folder with --keep, or delete it")
        record.write_text(json.dumps(arguments, indent=2) + "\n", encoding="utf-8")

    def script(self, title: str, name: str, *arguments: str, shown: bool = False) -> None:
        """Runs a script of the skill in the folder. Raises Failure with the end of its log when it fails."""
        started = time.monotonic()
        click.echo(f"  {title} ...", err=True)
        log = self.folder / "logs" / f"{name.removesuffix('.py')}.log"
        command = [sys.executable, str(trainer_scripts() / name), *arguments]
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=file, stderr=subprocess.STDOUT
            )
            try:
                self._watch(process, log)
            except BaseException:
                process.terminate()
                process.wait()
                raise
        text = log.read_text(encoding="utf-8", errors="replace")
        if process.returncode:
            tail = "\n".join(text.replace("\r", "\n").strip().splitlines()[-15:])
            raise Failure(f"{name} ended with exit code {process.returncode}; see {log}\n{tail}")
        if shown:
            click.echo("".join(f"    {line}\n" for line in text.splitlines() if "\r" not in line), nl=False)
        click.echo(f"  {title}: done in {time.monotonic() - started:.0f} s", err=True)

    def _watch(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Waits for the process; on a terminal, shows how far training has come."""
        while True:
            try:
                process.wait(0.5)
                break
            except subprocess.TimeoutExpired:
                if sys.stderr.isatty():
                    line = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").strip()
                    click.echo(f"\r\x1b[K    {line.rpartition(chr(10))[2][:100]}", err=True, nl=False)
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", err=True, nl=False)


def make_samples(folder: Path, tiny: bool) -> tuple[Path, Path]:
    """(model folder, rows file): the sample model, or a tiny one, and the standard library's docstrings."""
    from skillpack import samples

    rows = folder / "stdlib-docstrings.jsonl"
    samples.write_docstrings(rows)
    model = folder / ("Tiny-Qwen3" if tiny else "SmolLM2-135M-Instruct")
    if tiny:
        samples.write_tiny_model(model, [text for text, _ in samples.docstrings()])
    else:
        samples.write_smollm(model)
    return model, rows


def summary(run: dict[str, Any]) -> str:
    """Base against tuned in a line for each metric."""
    lines = []
    for name, metric in run["comparison"]["metrics"].items():
        mark = "beyond the interval" if metric["beyond_interval"] else "not beyond the interval"
        lines.append(
            f"{name}: base {metric['base']:.3f}, tuned {metric['tuned']:.3f}, difference {metric['difference']:+.3f}"
            f" [{metric['low']:+.3f}, {metric['high']:+.3f}], {mark}"
        )
    return "\n".join(lines)


@click.command(
    epilog="Examples:\n\n  skillpack rehearse --keep demo     fine-tune the sample model on sample rows\n\n"
    "  skillpack rehearse --tiny          the same with a model of 0.14 million parameters, in a minute"
)
@click.option("--method", default="sft", show_default=True, help="What to train; the skill must have its script.")
@click.option("--model", type=click.Path(), help="A model's folder (default: SmolLM2-135M-Instruct).")
@click.option("--dataset", type=click.Path(), help="A file of rows (default: docstrings of the standard library).")
@click.option("--tiny", is_flag=True, help="A tiny model and a few steps: proves the flow, learns nothing.")
@click.option("--steps", type=click.IntRange(min=1), help="Training steps.")
@click.option("--keep", type=click.Path(path_type=Path), default=Path("rehearsal"), help="Folder for all it makes.")
def rehearse(method: str, model: str | None, dataset: str | None, tiny: bool, steps: int | None, keep: Path) -> None:
    """Inspect, plan, train and report, by the scripts of hugging-face-model-trainer, on this machine."""
    if method not in methods():
        raise UsageFailure(f"the skill trains {', '.join(methods())}; it has no train_{method}.py")
    rehearsal = Rehearsal(keep)
    rehearsal.claim({"method": method, "model": model, "dataset": dataset, "tiny": tiny, "steps": steps})
    click.echo(f"rehearsing {method} in {keep}", err=True)
    base, rows = model and str(Path(model).resolve()), dataset and str(Path(dataset).resolve())
    if not (base and rows):
        sample_model, sample_rows = make_samples(rehearsal.folder, tiny)
        base, rows = base or sample_model.name, rows or sample_rows.name
    plan_file = rehearsal.folder / "plan.json"
    if plan_file.is_file():
        click.echo("  inspected and planned already", err=True)
    else:
        rehearsal.script("inspecting the dataset", "inspect_dataset.py", rows, "--model", base, shown=True)
        limits = ["--max-memory-gb", "4", "--steps", str(steps or (TINY_STEPS if tiny else DEMO_STEPS))]
        rehearsal.script("planning", "plan_run.py", "--model", base, "--method", method, *limits, shown=True)
    name = json.loads(plan_file.read_text(encoding="utf-8"))["name"]
    run_file = rehearsal.folder / "runs" / name / "run.json"
    if run_file.is_file() and json.loads(run_file.read_text(encoding="utf-8"))["status"] == "completed":
        click.echo("  trained already; nothing is done twice", err=True)
    else:
        rehearsal.script("training, and scoring base and tuned", f"train_{method}.py", "--plan", "plan.json")
    rehearsal.script("writing the report", "report_run.py", f"runs/{name}")
    click.echo(summary(json.loads(run_file.read_text(encoding="utf-8"))))
    click.echo(f"report: {keep / 'training_reports' / (name + '.md')}")
