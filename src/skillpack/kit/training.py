"""The region of the training scripts: where a run lives, what is loaded into it, how it ends.

Each script reads: `open_run`, `load_splits`, score the base by `once`, build TRL's trainer, `train_guarded`,
`finish_run` with the comparison. A run is a folder: `checkpoints/`, `model/` (what was trained), `log.jsonl` (one
line a step), `baseline.json` (the base model's scores, so that a resumed run does not measure them again), `run.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from skillpack.kit.data import held_out, map_row, open_rows, problem_of
from skillpack.kit.guard import FIRST, last_whole_checkpoint, peak_memory_gb
from skillpack.kit.script import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    Failure,
    emit,
    log,
    parser,
    read_artifact,
    write_artifact,
    write_atomic,
)

# region skillpack:training
import shutil
import time


def open_run(doc: str, method: str, argv: list[str]):
    """(plan, folder of the run, command line) of a training script; the plan is None when the run is done.

    Raises Failure for a plan of another method, a folder that holds a run of another plan, too little disk.
    """
    options = parser(doc)
    options.add_argument("--plan", type=Path, required=True, help="plan.json of plan_run.py")
    options.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME of the plan)")
    options.add_argument("--finish", action="store_true", help="train no further: score the last checkpoint as it is")
    options.add_argument("--json", action="store_true", help="print run.json on standard output")
    args = options.parse_args(argv)
    plan = read_artifact(args.plan, "plan")
    if plan["method"] != method:
        raise Failure(f"the plan's method is {plan['method']!r}", f"run train_{plan['method']}.py", EXIT_USAGE)
    out = args.out or Path("runs") / plan["name"]
    if (out / "run.json").is_file():
        run = read_artifact(out / "run.json", "run")
        if run["plan_sha256"] != plan_sha256(plan):
            raise Failure(
                f"{out} holds a run of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
            )
        if run["status"] == "completed":
            log(f"done already: {out / 'run.json'}")
            if args.json:
                emit(run)
            return None, out, args
    require_disk(out, plan["estimate"]["disk_gb"])
    claim = out / "plan.sha256"
    if claim.is_file() and claim.read_text(encoding="utf-8").strip() != plan_sha256(plan):
        raise Failure(
            f"{out} holds checkpoints of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
        )
    write_atomic(claim, plan_sha256(plan) + "\n")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    log(f"run {plan['name']} in {out}: loading rows")
    return plan, out, args


def plan_sha256(plan: dict) -> str:
    """Of what decides the weights: the plan's model, dataset and settings."""
    return hashlib.sha256(json.dumps([plan[key] for key in ("model", "dataset", "settings")]).encode()).hexdigest()


def load_splits(plan: dict, columns: tuple):
    """(training rows, held-out rows) of the plan's dataset, mapped to TRL's `columns`, split as the report says.

    Rows that TRL would refuse, or would train on nothing, are left out and counted.
    """
    dataset, method = plan["dataset"], plan["method"]
    split, mapping = dataset["split"], dataset["mapping"]

    def prepare(rows):
        fits = rows.filter(lambda row: not problem_of(row, mapping, method), desc="checking rows")
        if len(fits) < len(rows):
            log(f"left out {len(rows) - len(fits)} of {len(rows)} rows that do not fit; inspect_dataset.py says why")
        if not len(fits):
            raise Failure(f"no row fits {method}", "run inspect_dataset.py on the dataset, and plan again", EXIT_USAGE)
        mapped = fits.map(lambda row: map_row(row, mapping), remove_columns=fits.column_names, desc="mapping rows")
        return mapped.select_columns([name for name in columns if name in mapped.column_names] or mapped.column_names)

    rows = prepare(open_rows(dataset["source"], streaming=False))
    if split["key"] == "given":
        train, test = rows, prepare(open_rows({**dataset["source"], "split": split["held_out_split"]}, streaming=False))
    else:
        sides: dict = {True: [], False: []}
        for index, row in enumerate(rows):
            sides[held_out(row, split)].append(index)
        train, test = rows.select(sides[False]), rows.select(sides[True])
    if not len(train) or not len(test):
        raise Failure(
            f"the split leaves {len(train)} rows to train on and {len(test)} held out",
            "change split.fraction or split.seed in the plan, or give more different rows",
            EXIT_USAGE,
        )
    return train, test.select(range(min(len(test), plan["settings"]["held_out_rows"])))


def once(path: Path, measure) -> list:
    """What `measure()` gives, kept in `path`: a resumed run does not score the base model again."""
    if not path.is_file():
        write_atomic(path, json.dumps(measure()))
    return json.loads(path.read_text(encoding="utf-8"))


def train_guarded(trainer, guard, out: Path, args) -> None:
    """Trains from the newest whole checkpoint, or from the start. `guard` is already one of its callbacks."""
    checkpoint = last_whole_checkpoint(out / "checkpoints")
    if args.finish:
        if not checkpoint:
            raise Failure(f"{out} has no whole checkpoint to finish with", "train first", EXIT_USAGE)
        take_weights(trainer, checkpoint)
        guard.keep_log(trainer.state.global_step)
        guard.cut_short = "--finish"
    else:
        if checkpoint:
            log(f"resuming from {checkpoint.name}")
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    guard.finish()


def take_weights(trainer, checkpoint: Path) -> None:
    """Puts a checkpoint's weights and step into a trainer, without a step of training."""
    from transformers import TrainerState

    if (checkpoint / "adapter_config.json").is_file():
        from peft import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(trainer.model, load_peft_weights(str(checkpoint)))
    else:
        saved = type(trainer.model).from_pretrained(checkpoint, dtype=trainer.model.dtype)
        trainer.model.load_state_dict(saved.state_dict())
    trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))


def finish_run(plan: dict, out: Path, args, trainer, guard, measure) -> int:
    """Saves the model, writes run.json with the comparison that `measure()` makes, and says how it went.

    A run that a guard stopped keeps its checkpoints, has no comparison, and ends with a Failure.
    """
    if not FIRST:
        if not guard.stopped:
            trainer.save_model(str(out / "model"))  # every process takes part in gathering the weights
        return EXIT_FAILED if guard.stopped else EXIT_OK
    entries = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    logged = ("step", "loss", "learning_rate", "reward")
    document = {
        "schema": "skillpack/run/1",
        "name": plan["name"],
        "plan_sha256": plan_sha256(plan),
        "plan": plan,
        "status": "stopped" if guard.stopped else "completed",
        "stopped_by": guard.stopped or guard.cut_short,
        "steps": trainer.state.global_step,
        "train_rows": len(trainer.train_dataset),
        "train_seconds": sum(entry["seconds"] for entry in entries),
        "versions": versions("torch", "trl", "transformers", "peft", "datasets", "trackio"),
        "log": [{key: entry[key] for key in logged if key in entry} for entry in entries],
        "model_path": None,
        "comparison": None,
    }
    if not guard.stopped:
        trainer.save_model(str(out / "model"))
        document["model_path"] = "model"
        document["comparison"] = measure()
    document["seconds"] = time.monotonic() - guard.started
    document["peak_memory_gb"] = peak_memory_gb(plan["settings"]["device"])
    write_artifact(out / "run.json", document)
    if guard.stopped:
        raise Failure(
            f"stopped by {guard.stopped} at step {trainer.state.global_step}",
            "run it again to continue, or with --finish to score the last checkpoint as it is",
        )
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    for name, metric in (document["comparison"] or {"metrics": {}})["metrics"].items():
        log(
            f"{name}: base {metric['base']:.3f}, tuned {metric['tuned']:.3f}, difference {metric['difference']:+.3f} "
            f"[{metric['low']:+.3f}, {metric['high']:+.3f}] over {document['comparison']['rows']} held-out rows"
        )
    log(f"wrote {out / 'run.json'}")
    if args.json:
        emit(document)
    return EXIT_OK


def require_disk(folder: Path, needed_gb: float) -> None:
    """Raises Failure when the disk that holds `folder` has less than `needed_gb` free."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed_gb:
        raise Failure(
            f"{folder}: {free:.1f} GB free, the checkpoints and the model need about {needed_gb:.1f} GB",
            "free disk space, or put the run elsewhere with --out",
        )


def load_model(model: dict, settings: dict, kind=None, **more: object):
    """The base model in the plan's precision, which TRL would load in float32; `kind` is AutoModelForCausalLM."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings["weights"]]
    kind = kind or AutoModelForCausalLM
    return kind.from_pretrained(model["id"], revision=model.get("revision"), dtype=dtype, **more)


def load_tokenizer(model: dict):
    """The tokenizer, with a padding token: eos where the model names none, since padding carries no loss."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model["id"], revision=model.get("revision"))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def lora_config(settings: dict, task: str = "CAUSAL_LM"):
    """PEFT's configuration of the plan's adapter, or None for full fine-tuning. `SEQ_CLS` trains the head too."""
    if settings["lora"] is None:
        return None
    from peft import LoraConfig

    return LoraConfig(task_type=task, bias="none", **settings["lora"])


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


def versions(*packages: str) -> dict:
    """Package -> installed version, for the record of a run."""
    from importlib.metadata import version

    return {"python": sys.version.split()[0]} | {package: version(package) for package in packages}


# endregion skillpack:training
