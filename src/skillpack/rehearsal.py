"""`skillpack rehearse`: the training workflow from end to end, on a local Hub, as an agent runs it.

The skill's scripts are started as processes that know the Hub by HF_ENDPOINT and HF_TOKEN alone, and training is a
job there: what a rehearsal proves is what an installed skill does, less the GPU and the bill. Everything is left in
one folder. Run again, it takes up what it finds: a Hub that still serves, a job that still runs, a finished run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from skillpack.errors import Failure, UsageFailure

#: Steps of the demo: enough for a difference that is larger than its interval, in about two minutes on 2 cores.
DEMO_STEPS, TINY_STEPS = 44, 12
USER = "me"


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
    """One folder in which the steps run: each step's log in `logs/`, a line a step on standard error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRACKIO_"))},
            "TRACKIO_DIR": str(self.folder / "trackio"),
            "HF_HOME": str(self.folder / "hf-home"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_EXPERIMENTAL_WARNING": "1",
            "PYTHONUNBUFFERED": "1",
        }

    def claim(self, arguments: dict[str, Any]) -> None:
        """Records what this folder rehearses, so that a second run continues it and no other overwrites it."""
        record = self.folder / "rehearsal.json"
        if record.is_file() and json.loads(record.read_text(encoding="utf-8")) != arguments:
            raise UsageFailure(f"{self.folder} holds another rehearsal; give another folder with --keep, or delete it")
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(arguments, indent=2) + "\n", encoding="utf-8")

    @contextmanager
    def hub(self) -> Iterator[None]:
        """A local Hub below the folder; one that a killed rehearsal left running is taken over."""
        from skillpack.hub import server

        root = self.folder / "hub"
        address = server.running(root) or server.spawn(root, USER)[0]
        self.environment |= address.environment()
        os.environ.update(self.environment)  # huggingface_hub reads the endpoint when it is imported, below
        click.echo(f"  local Hub at {address.url}", err=True)
        try:
            yield
        finally:
            server.stop(root)

    def script(self, title: str, name: str, *arguments: str, shown: bool = False) -> None:
        """Runs a script of the skill in the folder."""
        self.step(title, Path(name).stem, [str(trainer_scripts() / name), *arguments], shown)

    def step(self, title: str, name: str, arguments: list[str], shown: bool = False) -> None:
        """Runs Python with these arguments; Failure, with the end of the log, when it fails."""
        log = self.folder / "logs" / f"{name}.log"
        log.unlink(missing_ok=True)  # what a rehearsal that was killed left running goes on writing into the old one
        with self.progress(title), log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=self.folder, env=self.environment, stdout=file, stderr=file
            )
            try:
                while process.poll() is None:
                    time.sleep(0.1)
                    if sys.stderr.isatty():
                        click.echo(f"\r\x1b[K    {tail(log.read_text(errors='replace'), 1)[:100]}", err=True, nl=False)
            except BaseException:
                process.terminate()
                process.wait()
                raise
        text = log.read_text(encoding="utf-8", errors="replace")
        if process.returncode:
            raise Failure(f"{name} ended with exit code {process.returncode}; see {log}\n{tail(text)}")
        if shown:
            click.echo("".join(f"    {line}\n" for line in text.splitlines() if line and "\r" not in line), nl=False)

    @contextmanager
    def progress(self, title: str) -> Iterator[None]:
        """`title ... done in N s` on standard error."""
        started = time.monotonic()
        click.echo(f"  {title} ... ", err=True, nl=not sys.stderr.isatty())
        yield
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""
        click.echo(f"{clear}  {title}: done in {time.monotonic() - started:.0f} s", err=True)

    def publish(self, model: Path, rows: Path) -> tuple[str, str]:
        """(model id, dataset id) on the Hub of a folder and a file; what is there already is not sent again."""
        from huggingface_hub import HfApi

        api, model_id, dataset_id = HfApi(), f"{USER}/{model.name}", f"{USER}/{rows.stem}"
        with self.progress("publishing model and rows on the local Hub"):
            api.create_repo(model_id, private=True, exist_ok=True)
            api.upload_folder(repo_id=model_id, folder_path=model)
            api.create_repo(dataset_id, repo_type="dataset", private=True, exist_ok=True)
            api.upload_file(repo_id=dataset_id, repo_type="dataset", path_or_fileobj=rows, path_in_repo=rows.name)
        return model_id, dataset_id

    def train(self, name: str) -> None:
        """Trains by the plan as a job; its run, with the model, lies in `runs/` once it is done.

        The same plan finds its job by a label, so that no second one starts while the first runs.
        """
        where = ["--backend", "hf-jobs", "--flavor", "cpu-basic", "--timeout", "2h", "--attempts", "2"]
        self.script("submitting the job", "submit_run.py", "--plan", "plan.json", *where, "--yes")
        submission = json.loads((self.folder / "runs" / name / "submission.json").read_text(encoding="utf-8"))
        try:
            self.script(
                "training, and scoring base and tuned", "watch_run.py", f"runs/{name}", "--follow", "--download"
            )
        except KeyboardInterrupt:
            from huggingface_hub import HfApi

            for job in submission["jobs"]:
                HfApi().cancel_job(job_id=job["id"], namespace=USER)  # its checkpoints stay in the bucket
            raise


def tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.replace("\r", "\n").strip().splitlines()[-lines:])


def summary(run: dict[str, Any]) -> str:
    """Base against tuned, a line for each metric."""
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
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A model's folder (default: SmolLM2-135M-Instruct).",
)
@click.option(
    "--dataset",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of rows (default: docstrings of the standard library).",
)
@click.option("--reward", default="exact", show_default=True, help="GRPO: as train_grpo.py names it.")
@click.option("--tiny", is_flag=True, help="A tiny model and a few steps: proves the flow, learns nothing.")
@click.option("--steps", type=click.IntRange(min=1), help="Training steps.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    default=Path("rehearsal"),
    show_default=True,
    help="Folder for all it makes.",
)
def rehearse(
    method: str, model: Path | None, dataset: Path | None, reward: str, tiny: bool, steps: int | None, keep: Path
) -> None:
    """Inspect, plan, train as a job, and report, on a Hub of your own: no account, no cost, no download."""
    if method not in methods():
        raise UsageFailure(f"the skill trains {', '.join(methods())}; it has no train_{method}.py")
    missing = [name for name in ("starlette", "uvicorn", "trl", "peft", "datasets") if find_spec(name) is None]
    if missing:
        raise UsageFailure(f"{', '.join(missing)} not installed; run: pip install 'skillpack[hub,train]'")
    from skillpack import samples

    steps = steps or (TINY_STEPS if tiny else DEMO_STEPS)
    rehearsal = Rehearsal(keep)
    arguments = {"method": method, "model": str(model), "dataset": str(dataset), "tiny": tiny, "steps": steps}
    rehearsal.claim({**arguments, "reward": reward})
    click.echo(f"rehearsing {method} in {keep}", err=True)
    plan_file = rehearsal.folder / "plan.json"
    with rehearsal.hub():
        if plan_file.is_file():
            click.echo("  inspected and planned already", err=True)
        else:
            if not (model and dataset):
                making = ["-m", "skillpack.samples", ".", "--method", method, *(["--tiny"] if tiny else [])]
                rehearsal.step("making the sample model and rows", "samples", making)
            model = model or rehearsal.folder / (samples.TINY if tiny else samples.SMOLLM)
            model_id, dataset_id = rehearsal.publish(model, dataset or rehearsal.folder / samples.ROWS[method])
            rehearsal.script(
                "inspecting the dataset", "inspect_dataset.py", dataset_id, "--model", model_id, shown=True
            )
            limits = ["--max-memory-gb", "4", "--steps", str(steps)]
            if method == "grpo":
                limits += ["--reward", reward, "--max-completion-length", "16"]
            rehearsal.script("planning", "plan_run.py", "--model", model_id, "--method", method, *limits, shown=True)
        name = json.loads(plan_file.read_text(encoding="utf-8"))["name"]
        run_file = rehearsal.folder / "runs" / name / "run.json"
        if run_file.is_file() and json.loads(run_file.read_text(encoding="utf-8"))["status"] == "completed":
            click.echo("  trained already; nothing is done twice", err=True)
        else:
            rehearsal.train(name)
        rehearsal.script("writing the report", "report_run.py", f"runs/{name}")
    click.echo(summary(json.loads(run_file.read_text(encoding="utf-8"))))
    click.echo(f"report: {keep / 'training_reports' / (name + '.md')}")
