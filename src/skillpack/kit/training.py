"""The region of the training scripts: where a run lives, what guards it, how two models are compared.

A run is a folder: `checkpoints/`, `model/` (what was trained), `log.jsonl` (one line a logged step),
`baseline.json` (the base model's scores, kept so that a resumed run need not measure them again), `run.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from skillpack.kit.script import Failure, log, write_atomic

# region skillpack:training
import math
import shutil
import signal
import time

WHOLE = "whole"  # the file that is written into a checkpoint last: without it the checkpoint is a torso
BAD_STEPS = 3  # steps with a loss that is not a number before the run is stopped


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint below `folder` that was written to its end; torsos of a killed run are deleted."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for path in found:
        if not (path / WHOLE).is_file():
            log(f"{path.name} was not written to its end; deleted")
            shutil.rmtree(path)
    whole = [path for path in found if path.is_dir()]
    return whole[-1] if whole else None


def require_disk(folder: Path, needed_gb: float) -> None:
    """Raises Failure when the disk that holds `folder` has less than `needed_gb` free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed_gb:
        raise Failure(
            f"{folder}: {free:.1f} GB free, the checkpoints and the model need about {needed_gb:.1f} GB",
            "free disk space, or put the run elsewhere with --out",
        )


def load_model(model: dict, settings: dict):
    """The base model in the plan's precision. Named dtypes only: a bare string would load in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings["weights"]]
    return AutoModelForCausalLM.from_pretrained(model["id"], revision=model.get("revision"), dtype=dtype)


def load_tokenizer(model: dict):
    """The tokenizer, with a padding token: eos where the model names none, since padding carries no loss."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model["id"], revision=model.get("revision"))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def lora_config(settings: dict):
    """PEFT's configuration of the plan's adapter, or None for full fine-tuning."""
    if settings["lora"] is None:
        return None
    from peft import LoraConfig

    return LoraConfig(task_type="CAUSAL_LM", bias="none", **settings["lora"])


def trainer_arguments(settings: dict, out: Path) -> dict:
    """The TrainingArguments that every method shares, each spelled out where a default would lose work."""
    return {
        "output_dir": str(out / "checkpoints"),
        "per_device_train_batch_size": settings["batch_size"],
        "gradient_accumulation_steps": settings["accumulation"],
        "max_steps": settings["steps"],
        "learning_rate": settings["learning_rate"],
        "warmup_steps": settings["warmup_steps"],
        "lr_scheduler_type": "cosine",
        "use_cpu": settings["device"] == "cpu",
        "bf16": settings["precision"] == "bf16",  # TRL's default is True, which raises on a CPU or a T4
        "fp16": settings["precision"] == "fp16",
        "activation_checkpointing": settings["activation_checkpointing"],
        "logging_steps": 1,
        "logging_nan_inf_filter": False,  # the filter hides NaN behind a running mean
        "save_strategy": "no",  # the run's guard saves by time, so that a short run has checkpoints too
        "save_total_limit": 2,
        "report_to": "none",  # the guard logs to trackio, where a failing dashboard cannot end the run
        "seed": settings["seed"],
        "dataloader_pin_memory": settings["device"] == "cuda",
        "disable_tqdm": False,
    }


def run_guard(out: Path, settings: dict, tracker):
    """The callback of a run: logs every step, saves by time, and stops for NaN, a signal or the deadline.

    `tracker` is a function of (metrics, step). After training, `stopped` says why it ended early, or "".
    """
    from transformers import TrainerCallback

    class RunGuard(TrainerCallback):
        def __init__(self) -> None:
            self.stopped, self.bad, self.started = "", 0, time.monotonic()
            self.saved = self.stepped = self.started
            self.previous: dict = {}

        def on_train_begin(self, args, state, control, **kwargs):
            log_file = out / "log.jsonl"
            lines = log_file.read_text(encoding="utf-8").splitlines() if log_file.is_file() else []
            kept = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            write_atomic(log_file, "".join(line + "\n" for line in kept))
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
            with (out / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
            tracker(logs, state.global_step)
            self.bad = 0 if math.isfinite(logs["loss"]) else self.bad + 1
            deadline = settings.get("deadline_seconds")
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


def paired_interval(before: list, after: list, draws: int = 4000, seed: int = 0) -> dict:
    """Mean of (after - before) over rows, with the 95 % percentile interval of a paired bootstrap.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; rows are resampled in
    pairs, so that what is hard for both models cancels. Lists of one length, at least one number each.
    """
    import numpy

    differences = numpy.asarray(after, dtype=float) - numpy.asarray(before, dtype=float)
    rng = numpy.random.default_rng(seed)
    means = rng.choice(differences, size=(draws, len(differences))).mean(axis=1)
    low, high = numpy.percentile(means, [2.5, 97.5])
    return {"difference": float(differences.mean()), "low": float(low), "high": float(high)}


def peak_memory_gb(device: str) -> float:
    """The most memory (10^9 bytes) this process has held: of the GPU when it trains there, else resident."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux kibibytes


def versions(*packages: str) -> dict:
    """Package -> installed version, for the record of a run."""
    from importlib.metadata import version

    return {"python": sys.version.split()[0]} | {package: version(package) for package in packages}


# endregion skillpack:training
