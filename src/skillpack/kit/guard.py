"""The region that watches a run while it trains: its log, checkpoints, clock, loss, memory and dashboard."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from skillpack.kit.script import Failure, log, write_atomic
from skillpack.kit.spread import FIRST, any_of, await_all, once

# region skillpack:guard
import math
import shutil
import signal
import time

WHOLE = "whole"  # the file that is written into a checkpoint last: without it the checkpoint is a torso
BAD_STEPS = 3  # steps with a loss that is not a number before the run is stopped


class NoTraining(Exception):
    """The checkpoint is loaded, and --finish wants no step more."""


def run_guard(plan: dict, out: Path, scores, mirror=None):
    """The callback of a run: scores the base before the first step, logs every step, saves by time, and watches the
    clock, the loss and signals.

    Two limits of time: past `budget_seconds` of training the run ends well, and is scored as it is (`cut_short`
    says so); `deadline_seconds` is the end of the machine's time, at which it saves and stops, as for a signal
    or a loss that is not a number (`stopped` says which). `finish` closes the dashboard and waits for `mirror`,
    which gets every checkpoint that is whole.
    """
    from transformers import TrainerCallback

    settings = plan["settings"]
    tracker, finish_tracker = start_tracker(plan["name"], plan["name"], settings, out / "trackio")

    class RunGuard(TrainerCallback):
        def __init__(self) -> None:
            self.stopped, self.cut_short, self.bad, self.trained = "", "", 0, 0.0
            # Kept in the environment: after a step out of memory the program begins anew, and its deadline does not.
            self.started = float(os.environ.setdefault("SKILLPACK_STARTED", str(time.monotonic())))
            self.saved = self.stepped = time.monotonic()
            self.previous: dict = {}

        def finish(self) -> None:
            finish_tracker()
            if mirror:
                mirror.wait()

        def keep_log(self, step: int) -> None:
            """Drops the lines of steps that a killed run took after its last checkpoint."""
            log_file = out / "log.jsonl"
            lines = log_file.read_text(encoding="utf-8").splitlines() if log_file.is_file() else []
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            if FIRST:
                write_atomic(log_file, "".join(line + "\n" for line in kept))
            self.trained = sum(json.loads(line)["seconds"] for line in kept)

        def score_base(self, step: int) -> list:
            if step:
                raise Failure(
                    f"{out / 'baseline.json'} is missing, and the model has been trained for {step} steps",
                    "bring the file back, or begin anew with another --out",
                )
            return scores("base")

        def on_train_begin(self, args, state, control, **kwargs):
            self.keep_log(state.global_step)
            # Here the model lies on its device, or in parts on several, and no step has changed it.
            once(out / "baseline.json", lambda: self.score_base(state.global_step))
            if self.cut_short:
                raise NoTraining
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
            if self.bad >= BAD_STEPS:
                self.stopped = f"the loss was not a number for {BAD_STEPS} steps"
            elif deadline and now - self.started > deadline:
                self.stopped = f"the deadline of {deadline:.0f} s"
            # Decided here and not at the step's end, where this step's loss is not known yet: a checkpoint of
            # weights that are not numbers would push a good one out.
            due = now - self.saved > settings["save_seconds"]
            self.stopped, self.cut_short, due = any_of((self.stopped, self.cut_short, due))
            control.should_training_stop = bool(self.stopped or self.cut_short) or control.should_training_stop
            control.should_save = bool(self.bad == 0 and (due or self.stopped) and state.global_step < state.max_steps)

        def on_save(self, args, state, control, **kwargs):
            await_all()  # another process may still be writing its piece
            if FIRST:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()
                if mirror:
                    mirror.push()
            self.saved = time.monotonic()

        def on_train_end(self, args, state, control, **kwargs):
            for number, handler in self.previous.items():
                signal.signal(number, handler)

    return RunGuard()


def start_tracker(project: str, name: str, config: dict, folder: Path):
    """(log, finish) of a trackio run, or two functions that do nothing: a dashboard never ends a run.

    Trackio writes to `folder`, which lies in the run's so that a job's reaches its bucket, unless TRACKIO_DIR is
    set; a Space is synced by its own command, because the first push to a private Space, or of a LoRA run, raises
    (trackio 0.43).
    """
    if not FIRST:
        return (lambda metrics, step: None), (lambda: None)
    if not os.environ.get("TRACKIO_DIR"):
        os.environ["TRACKIO_DIR"] = str(folder)
        # One file that is whole after each write: the default keeps the newest rows beside it, in shared memory
        # that a mounted bucket does not have.
        os.environ.setdefault("TRACKIO_SQLITE_JOURNAL_MODE", "delete")
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


def whole_checkpoints(folder: Path) -> list:
    """The checkpoints below `folder` that were written to their end, the newest last."""
    found = (path.parent for path in folder.glob(f"checkpoint-*/{WHOLE}"))
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint below `folder` that was written to its end; torsos of a killed run are deleted."""
    whole = whole_checkpoints(folder)
    for path in sorted(folder.glob("checkpoint-*")):
        if path not in whole:
            log(f"{path.name} was not written to its end; deleted")
            shutil.rmtree(path)
    return whole[-1] if whole else None


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out: of a GPU (torch has a type for it), or of this process."""
    said = str(error).lower()
    return type(error).__name__ in ("OutOfMemoryError", "MemoryError") or (
        isinstance(error, RuntimeError)
        and ("can't allocate memory" in said or "out of memory" in said or "alloc_failed" in said)
    )


def batch_of(settings: dict, out: Path) -> dict:
    """{batch_size, accumulation, halved: what happened} of a run: the plan's, until a step ran out of memory."""
    path = out / "batch.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    return {"batch_size": settings["batch_size"], "accumulation": settings["accumulation"], "halved": []}


def halve_batch(settings: dict, out: Path, batch_size: int, step: int, error: BaseException) -> None:
    """Writes down a batch of half of `batch_size` rows and twice the accumulation. Raises Failure when that is one.

    The rows of a step stay the same, so that the run is the one that was planned. An odd batch goes down to the
    next size that divides them. Of several processes, any may be the one whose memory ran out, and the first counts.
    """
    now = batch_of(settings, out)
    if now["batch_size"] < batch_size:
        return
    if batch_size == 1:
        raise Failure(
            "out of memory with one row at a time",
            "plan again with --checkpointing, a lower --max-length, --lora or --qlora, or for more memory",
        ) from None
    rows = batch_size * now["accumulation"]
    smaller = max(size for size in range(1, batch_size // 2 + 1) if rows % size == 0)
    said = (str(error).splitlines() or [type(error).__name__])[0][:200]
    event = {"step": step, "batch_size": batch_size, "error": said}
    document = {"batch_size": smaller, "accumulation": rows // smaller, "halved": [*now["halved"], event]}
    write_atomic(out / "batch.json", json.dumps(document))
    log(
        f"out of memory at step {step} with {batch_size} rows at a time: going on with {smaller}, accumulated "
        f"{rows // smaller} times"
    )


def begin_anew() -> None:
    """Replaces this process by a fresh one of the same command, which continues from the last whole checkpoint.

    Of a process whose memory ran out, no part is worth keeping: what an exception, a graph or an allocator still
    holds is gone. Open files are closed first, or a GPU's driver would keep the old process's memory.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise Failure("a step ran out of memory", "run the same command again: it continues with the smaller batch")
    sys.stdout.flush()
    sys.stderr.flush()
    os.closerange(3, min(os.sysconf("SC_OPEN_MAX"), 1 << 16))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def peak_memory_gb(device: str) -> float:
    """The most memory (10^9 bytes) this process has held: of the GPU when it trains there, else resident."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux kibibytes


# endregion skillpack:guard
