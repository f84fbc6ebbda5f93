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

from skillpack.kit.guard import (
    NoTraining, batch_of, begin_anew, halve_batch, last_whole_checkpoint, out_of_memory, peak_memory_gb,
)  # fmt: skip
from skillpack.kit.mirror import start_mirror
from skillpack.kit.hub import full_id, sign_in
from skillpack.kit.publish import push_run, require_push
from skillpack.kit.loading import pretrained, versions
from skillpack.kit.scoring import encode
from skillpack.kit.script import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
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
from skillpack.kit.spread import (
    FIRST, agreed, await_all, prepare_to_spread, require_processes, save_whole_model, spread_arguments,
)  # fmt: skip
from skillpack.kit.smoke import shrunken_model, smoke_plan, smoke_result

# region skillpack:training
import contextlib
import logging
import shutil
import tempfile
import time

LOOKED_AT = 1000  # rows whose tokens are counted before anything is loaded


def open_run(doc: str, method: str, argv: list[str], more: dict | None = None):
    """(plan, folder of the run, command line) of a training script; the plan is None when the run is done.

    Raises Failure for a plan of another method, a folder that holds a run of another plan, too little disk, and a
    push that was not confirmed or would not be let in.
    """
    options = parser(doc)
    options.add_argument("--plan", type=Path, required=True, help="plan.json of plan_run.py")
    options.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME of the plan)")
    options.add_argument("--finish", action="store_true", help="train no further: score the last checkpoint as it is")
    options.add_argument(
        "--smoke", action="store_true", help="try all of it with a tiny model on CPU, and keep nothing"
    )
    options.add_argument("--yes", action="store_true", help="push the model where the plan says")
    options.add_argument("--json", action="store_true", help="print run.json on standard output")
    for flag, meaning in (more or {}).items():
        options.add_argument(flag, **meaning)
    args = options.parse_args(argv)
    args.plan_read = plan = read_artifact(args.plan, "plan")
    if plan["method"] != method:
        raise Failure(f"the plan's method is {plan['method']!r}", f"run train_{plan['method']}.py", EXIT_USAGE)
    if args.smoke:
        return open_smoke(plan, args)
    require_processes(plan)
    out = args.out or Path("runs") / plan["name"]
    if (out / "run.json").is_file():
        run = read_artifact(out / "run.json", "run")
        if run["plan_sha256"] != plan_sha256(plan):
            raise Failure(
                f"{out} holds a run of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
            )
        if run["status"] == "completed":
            log(f"done already: {out / 'run.json'}")
            if plan.get("push") and not run.get("pushed") and FIRST:
                require_push(plan, args.yes)
                publish_run({**run, "plan": plan}, out, None)
                run = read_artifact(out / "run.json", "run")
            if args.json:
                emit(run)
            return None, out, args
    if plan.get("push") and FIRST:
        require_push(plan, args.yes)
    require_disk(out, plan["estimate"]["disk_gb"])
    if FIRST:
        take_folder(out)
    claim = out / "plan.sha256"
    if claim.is_file() and claim.read_text(encoding="utf-8").strip() != plan_sha256(plan):
        raise Failure(
            f"{out} holds checkpoints of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
        )
    write_atomic(claim, plan_sha256(plan) + "\n")
    settle_libraries(plan)
    args.mirror = start_mirror(plan, plan_sha256(plan), out)
    log(f"run {plan['name']} in {out}: loading rows")
    return plan, out, args


def take_folder(out: Path) -> None:
    """Holds a run's folder until this process ends. Raises Failure where another process of this machine does."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        return
    with contextlib.suppress(OSError):  # a file system without locks
        held = os.open(out, os.O_RDONLY)  # never closed: the lock goes with the process, however that ends
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"another process is training in {out}", "wait for it, or give another --out") from None


def open_smoke(plan: dict, args):
    """What `open_run` gives for --smoke: a cut plan, and a folder that is deleted at the end."""
    push = plan.get("push")
    args.pushing = ""
    if push:
        if args.yes:
            require_push(plan, args.yes)
            args.pushing = f"a file was written to {push['repo_id']}"
        else:
            repo_id = full_id(sign_in()[1], push["repo_id"])
            args.pushing = f"the token's role lets it write to {repo_id} (with --yes, a file is written as well)"
    args.mirror = None
    args.folder = tempfile.TemporaryDirectory(prefix="smoke-", ignore_cleanup_errors=True)
    os.environ["TRACKIO_DIR"] = str(Path(args.folder.name) / "trackio")
    plan = smoke_plan(plan)
    settle_libraries(plan)
    log(f"smoke test of {plan['name']}: two steps of a shrunken {plan['model']['id']} on CPU")
    return plan, Path(args.folder.name), args


def settle_libraries(plan: dict) -> None:
    """What must stand before the first import of a library that trains."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if plan["settings"]["device"] == "cpu" and not plan["settings"].get("quantization"):
        # PEFT imports it wherever it is installed: 2 seconds, most of them torch's compiler, for weights of 4 bits.
        sys.modules.setdefault("bitsandbytes", None)  # type: ignore[arg-type]
    # Where it is needed, it warns that a kernel for CPUs is missing, which no run here needs.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def plan_sha256(plan: dict) -> str:
    """Of what decides the weights: the plan's model, dataset and settings."""
    return hashlib.sha256(json.dumps([plan[key] for key in ("model", "dataset", "settings")]).encode()).hexdigest()


def require_template(tokenizer, rows) -> None:
    """Raises Failure for rows that are conversations and a tokenizer that cannot write them as text."""
    if tokenizer.chat_template is None and any(isinstance(value, list) for value in rows[0].values()):
        raise Failure(
            "the rows are conversations, and the model's tokenizer has no chat template",
            "train the instruct variant of the model, or set tokenizer.chat_template and save it with the model",
            EXIT_USAGE,
        )


def require_trained_tokens(rows, parts, tokenizer, settings: dict) -> None:
    """Counts the rows in which a token of the answer is left within max_length: no weights are read for it.

    `parts(row)` is (what the model is given, its answers). Up to LOOKED_AT rows; raises Failure when none is left.
    """
    looked_at, limit = rows.select(range(min(len(rows), LOOKED_AT))), settings["max_length"]
    lost = 0
    for given, answers in map(parts, looked_at):
        lost += not all(encode(tokenizer, given, answer, limit)[1] for answer in answers)
    if lost == len(looked_at):
        raise Failure(
            f"no token carries loss once rows are cut at {limit} tokens",
            "raise settings.max_length in the plan, or look at the rows' answers",
            EXIT_USAGE,
        )
    if lost:
        log(f"warning: in {lost} of {len(looked_at)} rows no token carries loss within {limit} tokens")


@contextlib.contextmanager
def trl_settings():
    """Turns TRL's or PEFT's refusal of the plan's settings into a Failure: nothing has been trained yet."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise Failure(
            f"TRL refuses this plan: {error}", "correct settings in the plan, or plan again", EXIT_USAGE
        ) from error


def train_guarded(trainer, guard, out: Path, args) -> None:
    """Trains from the newest whole checkpoint, or from the start. `guard` is already one of its callbacks.

    Where memory runs out, the program begins anew with half the batch, and does not come back from here.
    """
    if not len(trainer.train_dataset):
        raise Failure(
            f"TRL leaves no row within {args.plan_read['settings']['max_length']} tokens",
            "raise settings.max_length in the plan, or look at the rows' answers",
            EXIT_USAGE,
        )
    checkpoint = agreed(lambda: last_whole_checkpoint(out / "checkpoints"))
    if args.finish:
        if not checkpoint:
            raise Failure(f"{out} has no whole checkpoint to finish with", "train first", EXIT_USAGE)
        guard.cut_short = "--finish"
        with contextlib.suppress(NoTraining):
            trainer.train(resume_from_checkpoint=str(checkpoint))
        guard.finish()
        return
    if checkpoint:
        log(f"resuming from {checkpoint.name}")
    short = None
    try:
        if not checkpoint:
            try_longest(trainer)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except Exception as error:  # libraries have many types for it; what is not about memory or the disk goes on
        if "unexpected pos" in str(error):  # all that torch.save says of a write that failed
            raise Failure(
                f"a checkpoint could not be written: the disk of {out} is full, or a quota reached",
                "free some, then run the same command: it continues from the last whole checkpoint",
            ) from None
        if not out_of_memory(error):
            raise
        short = error
    if short:
        rows, step = trainer.args.per_device_train_batch_size, trainer.state.global_step
        halve_batch(args.plan_read["settings"], out, rows, step, short)
        guard.finish()
        begin_anew()
    guard.finish()


def try_longest(trainer) -> None:
    """Makes the first step begin with the longest rows there are, so that memory runs out now and not in an hour.

    Forward and backward only, and no trace of them: gradients are cleared, the random state and TRL's counts are put
    back. Left out where rows are drawn (GRPO) or several processes share the model.
    """
    import torch
    from pyarrow.compute import list_value_length
    from transformers import TrainerCallback

    rows = trainer.train_dataset
    columns = [name for name in ("input_ids", "prompt_ids", "chosen_ids", "rejected_ids") if name in rows.column_names]
    if not columns or trainer.args.world_size > 1:
        return
    table = rows.select_columns(columns).with_format("arrow")[:]
    lengths = sum(list_value_length(table[name]).to_numpy() for name in columns)
    longest = lengths.argsort()[::-1][: trainer.args.per_device_train_batch_size]

    class LongestFirst(TrainerCallback):
        tried = False

        def on_step_begin(self, args, state, control, **kwargs):
            if not self.tried:
                self.tried, tokens = True, trainer._total_train_tokens
                with torch.random.fork_rng():
                    batch = trainer.data_collator([rows[int(index)] for index in longest])
                    trainer.training_step(trainer.model_wrapped, batch)
                trainer.model_wrapped.zero_grad(set_to_none=True)
                trainer._metrics["train"].clear()
                trainer._total_train_tokens = tokens

    trainer.add_callback(LongestFirst())


def finish_run(plan: dict, out: Path, args, trainer, guard, scores, compare) -> int:
    """Saves the model, writes run.json with `compare(base, tuned)` of its scores, and says how it went.

    A run that a guard stopped keeps its checkpoints, has no comparison, and ends with a Failure.
    """
    if plan.get("smoke"):
        return finish_smoke(plan, out, args, trainer, scores)
    if not guard.stopped:
        save_whole_model(trainer, out / "model")
        tuned = scores("tuned")
    if not FIRST:
        await_all()
        if not guard.stopped:
            shutil.rmtree(out / "checkpoints", ignore_errors=True)  # this machine's pieces
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
        "out_of_memory": batch_of(plan["settings"], out)["halved"],
        "model_path": None,
        "comparison": None,
    }
    if not guard.stopped:
        document["model_path"] = "model"
        document["comparison"] = compare(json.loads((out / "baseline.json").read_text(encoding="utf-8")), tuned)
    document["seconds"] = time.monotonic() - guard.started
    document["peak_memory_gb"] = peak_memory_gb(plan["settings"]["device"])
    write_artifact(out / "run.json", document)
    await_all()
    if guard.stopped:
        raise Failure(
            f"stopped by {guard.stopped} at step {trainer.state.global_step}",
            "run it again to continue, or with --finish to score the last checkpoint as it is",
            EXIT_INTERRUPTED if guard.stopped == "SIGINT" else EXIT_FAILED,
        )
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    for name, metric in (document["comparison"] or {"metrics": {}})["metrics"].items():
        log(
            f"{name}: base {metric['base']:.3f}, tuned {metric['tuned']:.3f}, difference {metric['difference']:+.3f} "
            f"[{metric['low']:+.3f}, {metric['high']:+.3f}] over {document['comparison']['rows']} held-out rows"
        )
    log(f"wrote {out / 'run.json'}")
    if plan.get("push"):
        document = publish_run(document, out, args.mirror)
    if args.json:
        emit(document)
    return EXIT_OK


def publish_run(run: dict, out: Path, mirror) -> dict:
    """Pushes a completed run's model, and writes down in run.json that it is there. Raises Failure when it is not."""
    try:
        pushed = push_run(run, out / "model")
    except Failure as failure:
        raise Failure(
            f"the run is completed and lies in {out}, and its model was not published: {failure.problem}",
            f"{failure.fix}; then the same command again, which only pushes",
        ) from None
    run = {**run, "pushed": pushed}
    write_artifact(out / "run.json", run)
    log(f"pushed and verified: {pushed['url']}")
    if mirror:
        mirror.clear()
    return run


def finish_smoke(plan: dict, out: Path, args, trainer, scores) -> int:
    """The end of --smoke: saves and scores as a run would, says what that has proved, and keeps nothing."""
    trainer.save_model(str(out / "model"))
    scores("tuned")
    if not last_whole_checkpoint(out / "checkpoints"):
        raise Failure("no checkpoint was saved", "report this: it is a defect of the script")
    shown = {"plan": plan, "train_rows": len(trainer.train_dataset), "steps": trainer.state.global_step}
    result = smoke_result(args.plan_read, {**shown, "push": args.pushing}, out)
    log("smoke test passed\n  proved:" + "".join(f"\n    {line}" for line in result["proved"]))
    log("  not proved:" + "".join(f"\n    {line}" for line in result["not_proved"]))
    args.folder.cleanup()
    if args.json:
        emit(result)
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


def load_model(plan: dict, kind=None, **more: object):
    """The base model in the plan's precision, which TRL would load in float32; `kind` is AutoModelForCausalLM.

    It is left where it was read to: TRL's trainer puts it on its device. Call it when TRL's arguments are made.
    """
    from transformers import AutoModelForCausalLM

    model, settings = plan["model"], plan["settings"]
    prepare_to_spread(plan)
    if model.get("shrunken"):
        return shrunken_model(model, kind or AutoModelForCausalLM, **more)
    if settings.get("quantization"):
        more["quantization_config"] = four_bits(settings)
    return pretrained(model, settings, kind, **more)


def four_bits(settings: dict):
    """bitsandbytes' configuration of a base of 4-bit weights (QLoRA), multiplied in the plan's precision."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=settings["quantization"]["type"],
        bnb_4bit_use_double_quant=settings["quantization"]["double"],
        bnb_4bit_compute_dtype={"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[
            settings["precision"]
        ],
    )


def lora_config(model, settings: dict, task: str = "CAUSAL_LM"):
    """PEFT's configuration of the plan's adapter; None for full fine-tuning, and for a model that has its adapter.

    `SEQ_CLS` trains the head too.
    """
    if settings["lora"] is None or hasattr(model, "peft_config"):
        return None
    from peft import LoraConfig

    return LoraConfig(task_type=task, bias="none", **settings["lora"])


def trainer_arguments(plan: dict, out: Path) -> dict:
    """The TrainingArguments that every method shares, each spelled out where a default would lose work."""
    settings = plan["settings"]
    batch = batch_of(settings, out)
    return {
        "output_dir": str(out / "checkpoints"),
        "per_device_train_batch_size": batch["batch_size"],
        "gradient_accumulation_steps": batch["accumulation"],
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
        **spread_arguments(plan),
    }


# endregion skillpack:training
