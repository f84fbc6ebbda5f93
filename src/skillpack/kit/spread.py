"""The region of runs of several processes: what they settle together, and how a model is cut over them (FSDP2).

The plan's `hardware.strategy` says which: `single`, `ddp` (each process holds the model and takes other rows) or
`fsdp2` (weights, gradients and optimizer are cut over the processes). With one process, all of this does nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from skillpack.kit.script import EXIT_USAGE, Failure, write_atomic

# region skillpack:spread
FIRST = os.environ.get("RANK", "0") == "0"  # of several processes, the one that writes the run's files


def require_processes(plan: dict) -> None:
    """Raises Failure unless there are as many processes as the plan has GPUs: its batch and its rate count on them.

    One process on several GPUs would be worse than one GPU: the trainer would take torch's DataParallel.
    """
    hardware, started = plan["hardware"], int(os.environ.get("WORLD_SIZE", "1"))
    planned = int(hardware.get("gpus") or 1) * int(hardware.get("nodes") or 1)
    if started != planned:
        command = " ".join(plan.get("launch", {}).get("command", ["python"]))
        raise Failure(
            f"the plan is for {planned} processes, and this is one of {started}",
            f"start it by submit_run.py, or as the plan's launch.command says: {command}",
            EXIT_USAGE,
        )


def several() -> bool:
    """Whether this process is one of several that have met."""
    import torch.distributed

    return torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1


def agreed(decide):
    """What `decide()` gives in the first process, in all of them: files and clocks may differ between machines."""
    if not several():
        return decide()
    import torch.distributed

    answer = [decide() if FIRST else None]
    torch.distributed.broadcast_object_list(answer)
    return answer[0]


def any_of(values: tuple) -> tuple:
    """Each value as the first process has it in which it is not false, so that all stop and save at one step."""
    if not several():
        return values
    import torch.distributed

    everyone: list = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, values)
    return tuple(next(filter(None, column), column[0]) for column in zip(*everyone, strict=True))


def await_all() -> None:
    """Returns when every process has come here."""
    if several():
        import torch.distributed

        torch.distributed.barrier()


def in_parts(plan: dict, rows, measure) -> list:
    """What `measure(rows)` gives in the rows' order, each process having measured a part of them.

    Under FSDP2 no process has a whole model, and all take part in the forward pass of every row.
    """
    if not several() or plan["hardware"].get("strategy") == "fsdp2":
        return measure(rows)
    import torch.distributed

    world, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
    parts: list = [None] * world
    mine = range(rank * len(rows) // world, (rank + 1) * len(rows) // world)
    torch.distributed.all_gather_object(parts, measure(rows.select(mine)))
    return [score for part in parts for score in part]


def once(path: Path, measure) -> None:
    """Writes what `measure()` gives to `path`, unless it is there: a resumed run does not score the base again."""
    if not agreed(path.is_file):
        measured = measure()
        if FIRST:
            write_atomic(path, json.dumps(measured))


def spread_arguments(plan: dict) -> dict:
    """The TrainingArguments of FSDP2, or nothing.

    Each process saves its piece of a checkpoint, and reads it again also when there are more or fewer of them.
    FSDP's own activation checkpointing stays off, since it renames the layers, and an adapter is then saved empty
    (accelerate 1.15, peft 0.21); the trainer's gathers each layer twice in the backward pass.
    """
    if plan["hardware"].get("strategy") != "fsdp2":
        return {}
    config = {"version": 2, "reshard_after_forward": True, "cpu_ram_efficient_loading": True}
    return {"fsdp": True, "fsdp_config": config | {"state_dict_type": "SHARDED_STATE_DICT"}}


def prepare_to_spread(plan: dict) -> None:
    """To be called when TRL's arguments are made, and before the model is loaded.

    The weights are then read by the first process of each machine alone, into memory beside the GPUs, and handed out.
    """
    if plan["hardware"].get("strategy") != "fsdp2":
        return
    os.environ |= {"ACCELERATE_USE_FSDP": "true", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}
    if plan["settings"]["device"] == "cpu":
        # accelerate takes FSDP up among GPUs only. torch does it among CPUs as well, which is how it is tested.
        from accelerate import PartialState
        from accelerate.utils import DistributedType

        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def save_whole_model(trainer, folder: Path) -> None:
    """Saves the model as one that `from_pretrained` reads; under FSDP2 the first process gathers it in its memory."""
    if not trainer.is_fsdp_enabled:
        return trainer.save_model(str(folder))
    trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    weights = trainer.accelerator.get_state_dict(trainer.model)
    for name in getattr(trainer.model, "all_tied_weights_keys", None) or {}:
        weights.pop(name, None)  # gathered, a tied weight is no longer known to be the same
    trainer._save(str(folder), state_dict=weights)


# endregion skillpack:spread
