"""The region of the scripts that train or compare: the rows on either side of the split, the tokenizer, the weights."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from skillpack.kit.data import held_out, map_row, open_rows, problem_of
from skillpack.kit.script import EXIT_USAGE, Failure, log


# region skillpack:loading
def load_splits(plan: dict, columns: tuple):
    """(training rows, held-out rows) of the plan's dataset, mapped to TRL's `columns`, split as the report says.

    Rows that TRL would refuse, or would train on nothing, are left out and counted.
    """
    dataset, method = plan["dataset"], plan["method"]
    split, mapping = dataset["split"], dataset["mapping"]

    def read(source):
        if not plan.get("smoke"):
            return open_rows(source, streaming=False)
        from itertools import islice

        from datasets import Dataset

        return Dataset.from_list(list(islice(open_rows(source, streaming=True), plan["smoke"])))

    def prepare(rows):
        fits = rows.filter(lambda row: not problem_of(row, mapping, method), desc="checking rows")
        if len(fits) < len(rows):
            log(f"left out {len(rows) - len(fits)} of {len(rows)} rows that do not fit; inspect_dataset.py says why")
        if not len(fits):
            raise Failure(
                f"no row fits {method}: {problem_of(rows[0], mapping, method) if len(rows) else 'there are none'}",
                "run inspect_dataset.py on the dataset, and plan again",
                EXIT_USAGE,
            )
        mapped = fits.map(lambda row: map_row(row, mapping), remove_columns=fits.column_names, desc="mapping rows")
        return mapped.select_columns([name for name in columns if name in mapped.column_names] or mapped.column_names)

    rows = prepare(read(dataset["source"]))
    if split["key"] == "given":
        train, test = rows, prepare(read({**dataset["source"], "split": split["held_out_split"]}))
    else:
        sides: dict = {True: [], False: []}
        for index, row in enumerate(rows):
            sides[held_out(row, split)].append(index)
        if plan.get("smoke"):  # the first rows may all be on one side
            sides = {side: sides[side] or sides[not side] for side in sides}
        train, test = rows.select(sides[False]), rows.select(sides[True])
    if not len(train) or not len(test):
        raise Failure(
            f"the split leaves {len(train)} rows to train on and {len(test)} held out",
            "change split.fraction or split.seed in the plan, or give more different rows",
            EXIT_USAGE,
        )
    return train, test.select(range(min(len(test), plan["settings"]["held_out_rows"])))


def pretrained(model: dict, settings: dict, kind=None, **more: object):
    """The weights of a plan's `model`, kept as the plan says; from_pretrained's own default is not that.

    An adapter comes on its base: as it is, to be trained further, or merged where all parameters are trained.
    """
    import torch
    from transformers import AutoModelForCausalLM

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings["weights"]]
    kind, base = kind or AutoModelForCausalLM, model.get("base")
    if not base:
        return kind.from_pretrained(place_of(model), revision=model.get("revision"), dtype=dtype, **more)
    from peft import PeftModel

    whole = kind.from_pretrained(base["id"], revision=base.get("revision"), dtype=dtype, **more)
    adapted = PeftModel.from_pretrained(whole, place_of(model), revision=model.get("revision"), is_trainable=True)
    return adapted if settings.get("lora") else adapted.merge_and_unload().requires_grad_(True)  # PEFT froze the base


def place_of(model: dict) -> str:
    """Where a plan's model lies: as it is called there, or where the job of a second stage has the first one's."""
    return os.environ.get("SKILLPACK_MODEL") or model["id"]


def load_tokenizer(model: dict):
    """The tokenizer, with a padding token: eos where the model names none, since padding carries no loss."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(place_of(model), revision=model.get("revision"))
    except (OSError, ValueError):
        if not model.get("base"):
            raise
        base = model["base"]  # of an adapter that was published without a tokenizer
        tokenizer = AutoTokenizer.from_pretrained(base["id"], revision=base.get("revision"))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def versions(*packages: str) -> dict:
    """Package -> installed version, for the record of a run."""
    from importlib.metadata import version

    return {"python": sys.version.split()[0]} | {package: version(package) for package in packages}


# endregion skillpack:loading


# region skillpack:identity
import hashlib


def file_of(model: str, name: str, revision: str | None = None) -> Path | None:
    """A file of a model's folder or repository, None where it has none. Raises Failure where there is no model."""
    if Path(model).is_dir():
        return Path(model) / name if (Path(model) / name).is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError, RemoteEntryNotFoundError

    try:
        return Path(hf_hub_download(model, name, revision=revision))
    except RemoteEntryNotFoundError:
        return None
    except (OSError, HFValidationError) as error:  # what the Hub answers is an OSError too
        problem = str(error).strip().splitlines()[0]
        raise Failure(
            f"{model}: {problem}", "give a folder, or a Hub id that your token may read", EXIT_USAGE
        ) from None


def version_of(model: str, revision: str | None = None) -> str:
    """What the weights of a model are known by: the commit on the Hub, or a hash of the folder's files and times."""
    if not Path(model).is_dir():
        found = file_of(model, "config.json", revision) or file_of(model, "adapter_config.json", revision)
        if found is None:
            raise Failure(f"{model} has neither config.json nor adapter_config.json", "is it a model?", EXIT_USAGE)
        return found.parent.name
    files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(Path(model).iterdir())]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


# endregion skillpack:identity
