"""The region that watches a run while it trains: its log, its checkpoints, its clock, its loss, its dashboard."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from skillpack.kit.script import log, write_atomic

# region skillpack:guard
import math
import shutil
import signal
import time

WHOLE = "whole"  # the file that is written into a checkpoint last: without it the checkpoint is a torso
FIRST = os.environ.get("RANK", "0") == "0"  # of several processes, the one that writes the run's files
BAD_STEPS = 3  # steps with a loss that is not a number before the run is stopped


def run_guard(plan: dict, out: Path):
    """The callback of a run: logs every step, saves by time, and watches the clock, the loss and signals.

    Two limits of time: past `budget_seconds` of training the run ends well, and is scored as it is (`cut_short`
    says so); `deadline_seconds` is the end of the machine's time, at which it saves and stops, as for a signal
    or a loss that is not a number (`stopped` says which). `finish` closes the dashboard.
    """
    from transformers import TrainerCallback

    settings = plan["settings"]
    tracker, finish_tracker = start_tracker(plan["name"], plan["name"], settings)

    class RunGuard(TrainerCallback):
        def __init__(self) -> None:
            self.stopped, self.cut_short, self.bad, self.trained = "", "", 0, 0.0
            self.started = time.monotonic()
            self.saved = self.stepped = self.started
            self.previous: dict = {}
            self.finish = finish_tracker

        def keep_log(self, step: int) -> None:
            """Drops the lines of steps that a killed run took after its last checkpoint."""
            log_file = out / "log.jsonl"
            lines = log_file.read_text(encoding="utf-8").splitlines() if log_file.is_file() else []
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            if FIRST:
                write_atomic(log_file, "".join(line + "\n" for line in kept))
            self.trained = sum(json.loads(line)["seconds"] for line in kept)

        def on_train_begin(self, args, state, control, **kwargs):
            self.keep_log(state.global_step)
            self.saved = self.stepped = time.monotonic()
            for number in (signal.SIGTERM, signal.SIGINT):
                self.previous[number] = signal.signal(number, self._on_signal)

        def _on_signal(self, number, frame):
            self.stopped = signal.Signals(number).name
            log(f"{self.stopped}: saving a checkpoint, then stopping")

        def on_log(self, args, state, control, logs=None, **kwargs):
            if "loss" not in (logs or {}):
                return
            now = time.monotonic()
            entry = {"step": state.global_step, "seconds": now - self.stepped, "time": time.time(), **logs}
            self.stepped = now
            if FIRST:
                with (out / "log.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
            tracker(logs, state.global_step)
            self.bad = 0 if math.isfinite(logs["loss"]) else self.bad + 1
            deadline, budget = settings.get("deadline_seconds"), settings.get("budget_seconds")
            self.trained += entry["seconds"]
            if budget and self.trained > budget and state.global_step < state.max_steps and not self.stopped:
                self.cut_short = f"the budget of {budget:.0f} s of training"
                control.should_training_stop = True
            if self.bad >= BAD_STEPS:
                self.stopped = f"the loss was not a number for {BAD_STEPS} steps"
            elif deadline and now - self.started > deadline:
                self.stopped = f"the deadline of {deadline:.0f} s"
            control.should_training_stop = bool(self.stopped) or control.should_training_stop
            # Decided here and not at the step's end, where this step's loss is not known yet: a checkpoint of
            # weights that are not numbers would push a good one out.
            due = self.stopped or now - self.saved > settings["save_seconds"]
            control.should_save = bool(self.bad == 0 and due and state.global_step < state.max_steps)

        def on_save(self, args, state, control, **kwargs):
            if FIRST:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()
            self.saved = time.monotonic()

        def on_train_end(self, args, state, control, **kwargs):
            for number, handler in self.previous.items():
                signal.signal(number, handler)

    return RunGuard()


def start_tracker(project: str, name: str, config: dict):
    """(log, finish) of a trackio run, or two functions that do nothing: a dashboard never ends a run.

    Trackio writes to its own folder on this machine (TRACKIO_DIR); a Space is synced by its own command,
    because the first push to a private Space, or of a LoRA run, raises (trackio 0.43).
    """
    if not FIRST:
        return (lambda metrics, step: None), (lambda: None)
    try:
        import trackio

        trackio.init(project=project, name=name, config=config, resume="allow", embed=False)
    except Exception as error:  # noqa: BLE001 - whatever a dashboard raises, the run goes on
        log(f"warning: no dashboard: {type(error).__name__}: {error}")
        return (lambda metrics, step: None), (lambda: None)
    broken: list = []

    def guarded(call):
        try:
            if not broken:
                call()
        except Exception as error:  # noqa: BLE001 - as above
            broken.append(error)
            log(f"warning: the dashboard stopped: {type(error).__name__}: {error}")

    return (lambda metrics, step: guarded(lambda: trackio.log(metrics, step=step))), (lambda: guarded(trackio.finish))


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint below `folder` that was written to its end; torsos of a killed run are deleted."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for path in found:
        if not (path / WHOLE).is_file():
            log(f"{path.name} was not written to its end; deleted")
            shutil.rmtree(path)
    whole = [path for path in found if path.is_dir()]
    return whole[-1] if whole else None


def peak_memory_gb(device: str) -> float:
    """The most memory (10^9 bytes) this process has held: of the GPU when it trains there, else resident."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux kibibytes


# endregion skillpack:guard
