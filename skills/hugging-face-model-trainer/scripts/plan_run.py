# /// script
# requires-python = ">=3.10"
# dependencies = ["torch>=2.8,<3", "huggingface_hub>=2.4,<3", "jsonschema>=4.21,<5"]
# ///
"""Decide how and where to train: method, hardware, precision, LoRA, batch, steps, with memory, time and cost.

Reads the dataset report of inspect_dataset.py, the model's config.json and its safetensors headers (no
weights, and never the model's name), and what this machine has, or what Hugging Face Jobs offers and what it
costs today. Writes plan.json and prints a card for the person who approves the run. Every field of plan.json may
be edited before training. Nothing is submitted.

examples:
  python scripts/plan_run.py --model Qwen/Qwen3-0.6B --report dataset-report.json
  python scripts/plan_run.py --model Qwen/Qwen3-32B --where hf-jobs --max-cost 100 --why-not h200
  python scripts/plan_run.py --model ./my-model --max-minutes 30 --max-memory-gb 8
"""

# region skillpack:script
import argparse
import json
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

EXIT_OK, EXIT_NO, EXIT_USAGE, EXIT_FAILED, EXIT_UNCONFIRMED, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = """exit codes:
  0    done
  1    done, and the answer is no (incompatible, does not fit, not better)
  2    wrong arguments or wrong input; nothing was done
  3    could not be done; the message says why and what to do
  4    would spend or publish: run again with --yes
  130  interrupted; run the same command to continue
"""
RESULT = sys.stdout  # `run` sends what libraries print elsewhere, so that one document stays one document
SECRET = re.compile(r"\b(hf_|sk-|api_org_|ghp_)[A-Za-z0-9_-]{8,}")


class Failure(Exception):
    """What went wrong, what to do about it, and the exit code that says so."""

    def __init__(self, problem: str, fix: str = "", code: int = EXIT_FAILED) -> None:
        super().__init__(f"{problem}\n  fix: {fix}" if fix else problem)
        self.problem, self.fix, self.code = problem, fix, code


def redact(text: str) -> str:
    """`text` without the token of the environment and without anything that has the shape of one."""
    token = os.environ.get("HF_TOKEN", "")
    if len(token) > 3:
        text = text.replace(token, "***")
    return SECRET.sub(lambda match: match[1] + "***", text)


def log(message: str) -> None:
    """One line for the person who watches; standard output is for the result alone."""
    print(redact(message), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """The result, for a person, on standard output."""
    print(redact(text), file=RESULT, flush=True)


def emit(document: dict) -> None:
    """The result, for a machine, as one JSON document on standard output."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes beside `path` and renames, so that a reader sees the old file or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_artifact(path: Path, document: dict) -> None:
    """A JSON artefact that the next script reads."""
    write_atomic(path, redact(json.dumps(document, indent=2, ensure_ascii=False)) + "\n")


def read_artifact(path: Path, kind: str, version: int = 1) -> dict:
    """A JSON artefact that an earlier script wrote, `kind` being the name of its schema in assets/.

    It is held against that schema when the script still lies in its skill; a copy sent to a job lies alone,
    and was checked before it was sent. Raises Failure with EXIT_USAGE and the place of the error.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", f"make it first: it is the {kind}", EXIT_USAGE) from None
    except ValueError as error:
        raise Failure(f"{path}: not JSON: {error}", "make it again, or undo the edit", EXIT_USAGE) from None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != f"skillpack/{kind}/{version}":
        raise Failure(
            f"{path}: schema is {found!r}, this script reads 'skillpack/{kind}/{version}'",
            "use scripts of one version of the skill, or make the file again with these",
            EXIT_USAGE,
        )
    schema = Path(__file__).resolve().parent.parent / "assets" / f"{kind}.schema.json"
    if schema.is_file():
        from jsonschema import Draft202012Validator

        validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
        errors = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.path)))
        if errors:
            lines = "; ".join(f"{'.'.join(map(str, e.path)) or 'top'}: {e.message[:200]}" for e in errors[:5])
            raise Failure(f"{path}: {lines}", "correct these fields, or make the file again", EXIT_USAGE)
    return document


def beside(name: str) -> str:
    """The path of a script that lies beside this one, in the words by which this one was called."""
    return shlex.quote(str(Path(sys.argv[0]).parent / name))


class Parser(argparse.ArgumentParser):
    def print_help(self, file=None) -> None:
        super().print_help(file or RESULT)


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose --help is the script's docstring and the exit codes."""
    return Parser(description=doc, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)


def run(main: Callable[[list[str]], int]) -> int:
    """Calls `main(argv)` and turns what it raises into a message and an exit code; a crash is no answer, so never 1."""
    sys.stdout = sys.stderr
    # whatever a locale or the name of a file holds:
    RESULT.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return main(sys.argv[1:])
    except Failure as failure:
        waits = failure.code == EXIT_UNCONFIRMED  # for the user's word: the usual way, and no error
        log(f"{failure.problem}; {failure.fix}" if waits else f"error: {failure}")
        return failure.code
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), RESULT.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        log("interrupted; run the same command to continue")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the boundary: no crash leaves with 1, which is an answer)
        if "No space left on device" in str(error):  # each library raises it as a type of its own
            log("error: the disk is full\n  fix: free some (HF_HOME and TMPDIR count too), then run the same command")
        elif isinstance(error, OSError) and error.filename and error.strerror:
            log(f"error: {error.filename}: {error.strerror}\n  fix: a file or folder that this user may use")
        else:
            log(f"{traceback.format_exc()}unforeseen: a defect of the script, or of a library that it calls")
        return EXIT_FAILED


# endregion skillpack:script

# region skillpack:flavors
import datetime


def dated_flavors() -> tuple[list[dict], str]:
    """(the flavors of assets/hardware.json, where they come from); none for a copy of the script that lies alone."""
    path = Path(__file__).resolve().parent.parent / "assets" / "hardware.json"
    table = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"flavors": []}
    dated = f"the table of {table.get('dated', 'no date')} in assets/hardware.json (not the live list)"
    return table["flavors"], dated


def read_flavors(prices: str = "auto") -> tuple[list[dict], str, bool]:
    """(flavors, where they come from, whether they are live), in the columns of assets/hardware.json.

    `prices`: "live" raises Failure where the Hub does not answer, "dated" does not ask, "auto" falls back.
    """
    if prices != "dated":
        try:
            return (*live_flavors(), True)
        except OSError as error:
            if prices == "live":
                raise Failure(f"the Hub did not list its hardware: {error}", "try again, or --prices dated") from None
            log(f"the Hub did not list its hardware ({type(error).__name__}); taking the dated table")
    return (*dated_flavors(), False)


def live_flavors() -> tuple[list[dict], str]:
    """GET /api/jobs/hardware in the columns of assets/hardware.json. Raises OSError when no answer comes."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError, OfflineModeIsEnabled  # type: ignore[attr-defined]

    api = HfApi()
    try:
        answer = api.list_jobs_hardware()
    except (HTTPError, OfflineModeIsEnabled, ValueError, KeyError) as error:
        raise OSError(str(error)[:200]) from None

    def number(text: str | None) -> float:
        found = re.search(r"[0-9.]+", text or "")
        return float(found[0]) if found else 0.0

    flavors = []
    for entry in answer:
        gpu = entry.accelerator
        count = int(gpu.quantity) if gpu else 0
        disk = entry.ephemeral_storage or ""
        flavors.append(
            {
                "name": entry.name,
                "cores": int(number(entry.cpu)),
                "ram_gb": number(entry.ram),
                "disk_gb": number(disk) * (1000 if "TB" in disk else 1),
                "gpu": gpu.model if gpu else None,
                "gpus": count,
                "gpu_memory_gb": number(gpu.vram) / count if gpu else 0,
                "usd_per_hour": round(entry.unit_cost_micro_usd * 60 / 1e6, 4),
            }
        )
    today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    return flavors, f"{api.endpoint}/api/jobs/hardware, {today}"


# endregion skillpack:flavors

# region skillpack:jobs
import math

ACTIVE = ("SCHEDULING", "RUNNING")  # every other stage is an end: COMPLETED, ERROR, CANCELED, DELETED


def stage_of(job) -> str:
    return str(getattr(job.status.stage, "value", job.status.stage))


def decisive(stages: list[str]) -> str:
    """The stage of jobs that need each other: the worst that one of them is in."""
    for stage in ("ERROR", "CANCELED", "DELETED", "RUNNING", "SCHEDULING"):
        if stage in stages:
            return stage
    return "COMPLETED"


def usd_of(seconds: float, usd_per_hour: float) -> float:
    """Dollars for `seconds` since a job was made: starting and running are billed, by minutes begun.

    To a millionth: a minute of cpu-basic costs $0.000167, and sums of it rounded to $0.0002 would be a fifth too high.
    """
    return round(-(-max(1, seconds) // 60) / 60 * usd_per_hour, 6)


def money(usd: float, at_most: bool = False) -> str:
    """Dollars and cents, and more digits for sums below ten cents; `at_most` rounds up, to keep its word."""
    digits = 2 if usd >= 0.1 or not usd else 4
    if at_most:
        usd = math.ceil(round(usd * 10**digits, 6)) / 10**digits
    return f"${usd:,.{digits}f}"


def clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def seconds_of(text: str) -> int:
    """'90m', '2h', '1.5h', '3600' or '3600s' -> seconds; argparse shows what is raised."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]] if match else 0
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, or a number with s, m, h or d")
    return int(seconds)


# endregion skillpack:jobs

import math
import shutil
import time

LORA_ABOVE = 3_000_000_000  # parameters; full fine-tuning above this needs more memory than most single GPUs have
PATIENCE_FACTOR = 3  # a result within --patience-hours may cost this many times the cheapest run
CPU_BELOW = 50_000_000  # parameters; above this a Job's CPU is not looked at unless --flavor names it: it takes hours
GENERATIONS = 8  # TRL's default: the answers of a prompt that GRPO holds against each other
ADAPTER_KEYS = ("r", "lora_alpha", "lora_dropout", "target_modules")  # what a plan says of an adapter
MARGIN = 1.15  # planned memory over estimated memory
OFF_MARGIN = (
    1.2  # the same without checkpointing of activations: estimates err by up to a fifth, and this is the remedy
)
SHOWN = 0.98  # of a GPU's nominal memory, in 10^9 bytes, is what a process sees
RUNTIME_GB = {"cpu": 0.9, "cuda": 1.5, "mps": 1.0}  # interpreter, libraries, kernels
WIDTH = {"fp32": 4, "bf16": 2, "fp16": 2}  # bytes
NF4 = 0.55  # bytes a parameter: four bits and the constants of each block of 64, themselves quantized
# Memory of the host beside the GPU: 6 GB for Python, CUDA's context and rows; and 8 bytes a parameter for loading,
# for merging an adapter in float32 and for the copy that is written. Above 16B one merges in 16 bits: 4 bytes.
HOST_GB, HOST_BYTES, HOST_BYTES_LARGE, HOST_LARGE = 6, 8, 4, 16_000_000_000
# Of a method: sequences of a row, and operations a parameter and token beyond the policy's own forward and
# backward (2 for a reference model's forward; KTO adds the forwards of its mismatched pairs).
SEQUENCES = {"sft": 1, "dpo": 2, "reward": 2, "kto": 1, "grpo": 1}
EXTRA_WORK = {"sft": 0, "dpo": 2, "reward": 0, "kto": 6, "grpo": 0}
LOSS_TILE = 4096, 32768  # tokens x vocabulary entries: TRL 1.16 computes the loss in tiles, never the whole logits
# TRL's own defaults for full fine-tuning; an adapter takes ten times as much (TRL's guide "LoRA without regret").
RATES = {"sft": 2e-5, "dpo": 1e-6, "kto": 1e-6, "grpo": 1e-6, "reward": 1e-5}
VOCABULARY_USED = 0.8  # of the embeddings have a token; padding takes a few per cent, another's tokenizer most of them
CPU_CORE_GFLOPS = 40  # of a Job's core in float32: assumed, not measured yet
TWO_NODES = 0.54  # speed of a GPU among two nodes over one node: Qwen-7B LoRA at 1,024 tokens, 2.8 s against 5.17 s
SAVING_SECONDS = 600  # of a timeout, kept for saving and for what comes after the last step
DOWNLOAD_GB_PER_SECOND, START_SECONDS = 0.2, 300  # of a Job: assumed, not measured yet
ASSETS = Path(__file__).resolve().parent.parent / "assets"


# --- the model ---------------------------------------------------------------------------------------------------


def read_model(model_id: str, revision: str | None) -> tuple[dict, list[str]]:
    """(the plan's `model`, warnings) from config.json and safetensors headers, downloading no weights."""
    model_id, earlier = earlier_stage(model_id)
    adapter = read_json(model_id, revision, "adapter_config.json", required=False)
    base = {"id": adapter.get("base_model_name_or_path"), "revision": adapter.get("revision")} if adapter else None
    whole, whole_revision = (base["id"], base["revision"]) if base else (model_id, revision)
    if base and not base["id"]:
        raise Failure(f"{model_id} is an adapter and names no base", "set base_model_name_or_path in it", EXIT_USAGE)
    try:
        config = read_json(whole, whole_revision, "config.json")
    except Failure as failure:
        if not base:
            raise
        raise Failure(f"{model_id} is an adapter of {whole}: {failure.problem}", failure.fix, failure.code) from None
    text = config.get("text_config", config)
    try:
        heads = text["num_attention_heads"]
        model = {
            "id": model_id,
            "revision": revision,
            "architecture": (config.get("architectures") or ["unknown"])[0],
            "layers": text["num_hidden_layers"],
            "hidden_size": text["hidden_size"],
            "intermediate_size": text.get("intermediate_size") or 4 * text["hidden_size"],
            "vocab_size": text["vocab_size"],
            "attention_heads": heads,
            "key_value_heads": text.get("num_key_value_heads") or heads,
            "head_dim": text.get("head_dim") or text["hidden_size"] // heads,
            "max_positions": text.get("max_position_embeddings") or 2048,
            "tied_embeddings": text.get("tie_word_embeddings", config.get("tie_word_embeddings", True)),
        }
    except KeyError as error:
        raise Failure(
            f"{model_id}: its config has no {error}", "this planner reads decoder-only language models", EXIT_USAGE
        ) from None
    experts = text.get("num_experts") or text.get("num_local_experts") or text.get("n_routed_experts")
    if experts:
        model["experts"] = experts
        model["experts_per_token"] = text.get("num_experts_per_tok") or 1
        model["expert_size"] = text.get("moe_intermediate_size") or model["intermediate_size"]
        model["shared_size"] = text.get("shared_expert_intermediate_size") or 0
    if base:
        if adapter.get("peft_type") != "LORA":
            raise Failure(f"{model_id} is a {adapter.get('peft_type')} adapter", "LoRA is trained on here", EXIT_USAGE)
        model["base"], model["adapter"] = base, {key: adapter[key] for key in ADAPTER_KEYS}
    model |= earlier
    counted = count_parameters(whole, whole_revision)
    model["parameters"] = counted or shapes_parameters(model)
    model["parameters_from"] = "safetensors headers" if counted else "the config's shapes"
    model["active_parameters"] = model["parameters"] - idle_parameters(model)
    missing = [] if counted or has_weights(whole, whole_revision) else [
        f"{whole} HAS NO WEIGHTS (no .safetensors or .bin file): a run would fail when it loads them; "
        "push them, or name the repository or the folder that has them"
    ]  # fmt: skip
    return model, missing + config_warnings(model_id, revision, text, model)


def earlier_stage(model_id: str) -> tuple[str, dict]:
    """(the model's folder, what the plan's `model` says of the run it came from) for a run's folder or its model/.

    `stages` are the runs that made it, the first one first; `bucket` is where a job left it.
    """
    folder = Path(model_id) if (Path(model_id) / "run.json").is_file() else Path(model_id).parent
    if not (folder / "run.json").is_file():
        return model_id, {}
    run = read_artifact(folder / "run.json", "run")
    place = folder / (run["model_path"] or "model")
    if Path(model_id) not in (folder, place):
        return model_id, {}
    if run["status"] != "completed":
        raise Failure(
            f"{folder} was stopped by {run['stopped_by']}", "finish it first: its script with --finish", EXIT_NO
        )
    submission, found = folder / "submission.json", {}
    if submission.is_file():
        job = read_artifact(submission, "submission")
        if job.get("bucket"):
            found["bucket"] = {"id": job["bucket"], "path": f"{job['bucket_folder']}/{place.name}"}
    if not place.is_dir():
        raise Failure(f"{place} is not here", f"python {beside('watch_run.py')} {folder} --download", EXIT_USAGE)
    earlier = run["plan"]["model"]
    stage = {"name": run["name"], "method": run["plan"]["method"], "model": earlier["id"], "steps": run["steps"],
             "dataset": run["plan"]["dataset"]["source"]["id"]}  # fmt: skip
    return str(place), {"stages": [*earlier.get("stages", []), stage], **found}


def read_json(model_id: str, revision: str | None, name: str, required: bool = True) -> dict:
    """One small JSON file of a model, from its folder or from the Hub."""
    if Path(model_id).is_dir():
        path = Path(model_id) / name
    elif model_id.startswith((".", "/", "~")):
        raise Failure(f"no folder {model_id}", "give the folder of a model, or a Hub id like org/name", EXIT_USAGE)
    else:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
        from huggingface_hub.errors import LocalEntryNotFoundError  # fmt: skip

        try:
            path = Path(hf_hub_download(model_id, name, revision=revision))
        except GatedRepoError:
            raise Failure(f"{model_id} is gated", "accept its licence on its page, then set HF_TOKEN") from None
        except RepositoryNotFoundError:
            raise Failure(
                f"no model {model_id} on the Hub, or it is private",
                "check the id; set HF_TOKEN for a private one",
                EXIT_USAGE,
            ) from None
        except LocalEntryNotFoundError:  # offline, and not in the cache
            if required:
                fix = "unset HF_HUB_OFFLINE, check the network, or give a folder"
                raise Failure(f"the Hub cannot be reached for {model_id}, and the cache has no {name}", fix) from None
            path = Path(os.devnull) / name
        except EntryNotFoundError:
            path = Path(os.devnull) / name
        except (HfHubHTTPError, OSError) as error:
            raise Failure(f"the Hub did not answer for {model_id}: {error}", "try again, or give a folder") from None
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    if not required:
        return {}
    raise Failure(f"{model_id} has no {name}", "give the folder or the id of a whole model", EXIT_USAGE)


def count_parameters(model_id: str, revision: str | None) -> int | None:
    """The exact number of parameters from the safetensors headers, or None where there are none."""
    from huggingface_hub import get_local_safetensors_metadata, get_safetensors_metadata
    from huggingface_hub.errors import HfHubHTTPError, NotASafetensorsRepoError

    try:
        if Path(model_id).is_dir():
            metadata = get_local_safetensors_metadata(model_id)
        else:
            metadata = get_safetensors_metadata(model_id, revision=revision)
    except (NotASafetensorsRepoError, HfHubHTTPError, OSError):
        return None
    return sum(metadata.parameter_count.values())


def has_weights(model_id: str, revision: str | None) -> bool:
    """Whether a file of weights lies in the folder or on the Hub; True where the Hub cannot be asked."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        if Path(model_id).is_dir():
            names = [path.name for path in Path(model_id).iterdir()]
        else:
            names = HfApi().list_repo_files(model_id, revision=revision)
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError):
        return True
    return any(re.search(r"\.(safetensors|bin|pt|pth)$", name) for name in names)


def attention_parameters(model: dict) -> int:
    """Of one layer's queries, keys, values and output."""
    return model["hidden_size"] * model["head_dim"] * 2 * (model["attention_heads"] + model["key_value_heads"])


def embedding_parameters(model: dict) -> int:
    """Of the token embeddings, and of the output layer where it is not the same matrix."""
    return model["vocab_size"] * model["hidden_size"] * (1 if model["tied_embeddings"] else 2)


def shapes_parameters(model: dict) -> int:
    """Parameters of a decoder from its shapes: embeddings, attention, a gated MLP or its experts, norms."""
    hidden, experts = model["hidden_size"], model.get("experts", 0)
    inner = experts * model["expert_size"] + model["shared_size"] if experts else model["intermediate_size"]
    layer = attention_parameters(model) + 3 * hidden * inner + hidden * experts + 2 * hidden
    return model["layers"] * layer + embedding_parameters(model) + hidden


def idle_parameters(model: dict) -> int:
    """Parameters of a mixture of experts that a token does not pass: they fill memory and take no time."""
    if not model.get("experts"):
        return 0
    return (
        model["layers"]
        * (model["experts"] - model["experts_per_token"])
        * 3
        * model["hidden_size"]
        * model["expert_size"]
    )


def config_warnings(model_id: str, revision: str | None, text: dict, model: dict) -> list[str]:
    """What a config leaves out that is filled by a default without a word, and what disagrees."""
    warnings = []
    if not {"rope_theta", "rope_parameters", "rope_scaling"} & set(text):
        warnings.append("the config names no rope_theta: transformers takes 10,000, and a model of another is damaged")
    if text.get("eos_token_id") is None:
        warnings.append("the config names no eos_token_id: generation may not stop")
    tokenizer = read_json(model_id, revision, "tokenizer_config.json", required=False)
    has_template = "chat_template" in tokenizer or has_file(model_id, revision, "chat_template.jinja")
    if not has_template:
        warnings.append("the tokenizer has no chat template: conversations cannot be trained on as they are")
    tokens = read_json(model_id, revision, "tokenizer.json", required=False)
    vocabulary = tokens.get("model", {}).get("vocab")
    ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else range(len(vocabulary or ()))
    highest = max([*ids, *(token["id"] for token in tokens.get("added_tokens", []))], default=0)
    if highest >= model["vocab_size"]:
        warnings.append(
            f"the tokenizer has ids up to {highest} and the model {model['vocab_size']} embeddings: "
            "a row with such a token ends training with an index error"
        )
    elif highest and highest + 1 < VOCABULARY_USED * model["vocab_size"]:
        warnings.append(
            f"the tokenizer has {highest + 1} entries and the model {model['vocab_size']} embeddings: is it this "
            "model's own? Times and cost rest on the tokens that it counts"
        )
    return warnings


def length_warnings(model: dict, longest: int, settings: dict) -> list[str]:
    """Rows that are longer than the tokenizer says that the model takes."""
    allowed = read_json(model["id"], model["revision"], "tokenizer_config.json", required=False).get("model_max_length")
    taken = min(longest, settings["max_length"])
    if not allowed or allowed >= taken:  # a tokenizer without a limit says 1e30
        return []
    return [
        f"the tokenizer's model_max_length is {allowed} and rows have up to {taken} tokens: --max-length {allowed}, "
        "unless the model takes more"
    ]


def has_file(model_id: str, revision: str | None, name: str) -> bool:
    if Path(model_id).is_dir():
        return (Path(model_id) / name).is_file()
    from huggingface_hub import file_exists

    return file_exists(model_id, name, revision=revision)


# --- where it could run --------------------------------------------------------------------------------------------


def asset(name: str) -> dict:
    """A table of assets/, or nothing for a copy of this script that lies alone."""
    path = ASSETS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"gpus": {}, "flavors": [], "rows": []}


def gpu_of(name: str) -> dict:
    """The data sheet's figures of a GPU that is called `name` somewhere; the longest name in the table wins."""
    gpus = asset("hardware.json")["gpus"]
    for known in sorted(gpus, key=len, reverse=True):
        if re.search(rf"\b{re.escape(known)}\b", name):
            return {"gpu": known, **gpus[known]}
    return {"gpu": name, "tflops": None, "gb_per_second": None, "bf16": True}


def read_machine(max_memory_gb: float | None) -> dict:
    """This machine: the device that torch would train on, its memory, and a CPU's measured rates."""
    import torch

    machine: dict = {"where": "local", "gpus": 1, "nodes": 1, "usd_per_hour": 0.0}
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        machine |= {"device": "cuda", "name": properties.name, "memory_gb": torch.cuda.mem_get_info()[0] / 1e9}
        machine |= gpu_of(properties.name) | {"gpus": torch.cuda.device_count()}
        machine["bf16"] = torch.cuda.is_bf16_supported(including_emulation=False)
    elif torch.backends.mps.is_available():
        machine |= {"device": "mps", "name": "Apple GPU", "memory_gb": torch.mps.recommended_max_memory() / 1e9}
    else:
        machine |= {"device": "cpu", "name": f"{torch.get_num_threads()} CPU threads", "memory_gb": free_memory_gb()}
        machine["gflops"] = {
            "fp32": round(matrix_gflops(torch.float32)),
            "bf16": round(matrix_gflops(torch.bfloat16)),
        }
    if max_memory_gb:
        machine["memory_gb"] = min(machine["memory_gb"], max_memory_gb)
    return machine


def free_memory_gb() -> float:
    """Memory that a new process can take without swapping, in 10^9 bytes."""
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 / 1e9
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9 / 2


def matrix_gflops(dtype, windows: int = 8, seconds: float = 0.05) -> float:
    """10^9 floating-point operations a second of a matrix product of a training step's size, measured.

    The best of several short windows: other programs can only slow a window down.
    """
    import torch

    left, right = torch.randn(512, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
    left @ right
    best = 0.0
    for _ in range(windows):
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            left @ right
            count += 1
        best = max(best, 2 * 512 * 1024 * 1024 * count / (time.perf_counter() - start) / 1e9)
    return best


def flavor_machine(entry: dict, nodes: int, source: str) -> dict:
    """A flavor of Jobs in the shape of `read_machine`'s answer; a GPU's memory is that of one GPU."""
    machine = {
        "where": "hf-jobs",
        "flavor": entry["name"],
        "nodes": nodes,
        "ram_gb": entry["ram_gb"],
        "disk_gb": entry["disk_gb"],
        "usd_per_hour": entry["usd_per_hour"],
        "prices_from": source,
    }
    if entry["gpu"]:
        count = entry["gpus"]
        machine |= {"device": "cuda", "gpus": count, "memory_gb": round(entry["gpu_memory_gb"] * SHOWN, 2)}
        machine |= gpu_of(entry["gpu"]) | {"name": f"{count} x {entry['gpu']}" if count > 1 else entry["gpu"]}
    else:
        rate = entry["cores"] * CPU_CORE_GFLOPS
        machine |= {"device": "cpu", "gpus": 1, "memory_gb": entry["ram_gb"] * 0.9, "name": f"{entry['cores']} cores"}
        machine["gflops"] = {"fp32": rate, "bf16": rate}
    return machine


# --- memory --------------------------------------------------------------------------------------------------------


def lora_parameters(model: dict, rank: int) -> int:
    """Parameters of an adapter on every linear layer of the decoder: rank x (inputs + outputs) each.

    The experts of a mixture are one three-dimensional weight each (transformers 5), which PEFT's "all-linear" does
    not touch: there the adapter covers attention and shared experts.
    """
    hidden, width = model["hidden_size"], model["head_dim"]
    inner = model["shared_size"] if model.get("experts") else model["intermediate_size"]
    queries, keys = model["attention_heads"] * width, model["key_value_heads"] * width
    linear = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden)]
    linear += [(hidden, inner), (hidden, inner), (inner, hidden)] if inner else []
    return model["layers"] * rank * sum(map(sum, linear))


def trained_parameters(model: dict, settings: dict) -> int:
    return lora_parameters(model, settings["lora"]["r"]) if settings["lora"] else model["parameters"]


def memory_parts(model: dict, settings: dict, method: str, rows: int, length: int, shards: int = 1) -> dict:
    """10^9 bytes of each part of one device's peak, for a micro-batch of `rows` rows of at most `length` tokens.

    Weights at their width; gradients and AdamW's two moments in float32 of what is trained; activations by
    layer, about 17 hidden and 3 inner vectors a token (Korthikanti et al. 2022, with flash attention and a gated
    MLP), or one hidden vector a layer and one layer whole under checkpointing; logits as the loss tiles of TRL,
    or six float32 copies on a CPU (measured), and as much as scoring one whole row takes. Under FSDP2 `shards`
    devices hold a part each, and one gathers two layers and the embeddings at a time.
    """
    lora, device = settings["lora"], settings["device"]
    width = WIDTH[settings["precision"]]
    trained = trained_parameters(model, settings)
    hidden, layers, embedding = model["hidden_size"], model["layers"], embedding_parameters(model)
    inner = (
        model["experts_per_token"] * model["expert_size"] + model["shared_size"]
        if model.get("experts")
        else model["intermediate_size"]
    )
    tokens = rows * SEQUENCES[method] * length
    base = model["parameters"] * WIDTH[settings["weights"]]
    if settings.get("quantization"):
        base = (model["parameters"] - embedding) * NF4 + embedding * 2
    layer = tokens * (17 * hidden + 3 * inner) * width
    held = layers * tokens * hidden * width + layer if settings["activation_checkpointing"] else layers * layer
    cast = settings["precision"] != settings["weights"] and shards == 1
    parts = {
        "weights": (base + (trained * 4 if lora else 0)) / shards,
        "casts of weights": width * model["parameters"] if cast else 0,  # autocast keeps a copy of every weight
        "gradients": trained * 4 / shards,
        "optimizer": trained * 8 / shards,
        "activations": held,
        "logits": 6 * tokens * model["vocab_size"] * 4,
        "runtime": RUNTIME_GB[device] * 1e9,
    }
    if device != "cpu":
        tile = min(tokens, LOSS_TILE[0]) * min(model["vocab_size"], LOSS_TILE[1]) * width
        loss = tile + tokens * hidden * 4 + (0 if lora else model["vocab_size"] * hidden * 4)
        scoring = length * model["vocab_size"] * (width + 12)  # after a step: no gradients, casts or activations then
        spare = parts["gradients"] + parts["casts of weights"] + held
        parts["logits"] = 0 if method == "reward" else max(loss, scoring - spare)
    if shards > 1:
        per_layer = (model["parameters"] - embedding) / layers
        parts["gathered layers"] = width * (2 * per_layer + embedding)
    if method in ("dpo", "kto") and not lora:
        parts["reference model"] = base / shards
    if method == "grpo":
        generated = rows * settings["accumulation"]  # TRL generates for all accumulated micro-batches at once
        cache = generated * length * layers * 2 * model["key_value_heads"] * model["head_dim"] * width
        parts["generations' KV cache"] = max(0, cache - held - parts["logits"])
    return {name: round(size / 1e9, 3) for name, size in parts.items()}


def host_gb(model: dict, change: str) -> float:
    """Memory of the machine beside its GPUs, in 10^9 bytes: see HOST_GB. A 4-bit base is read and not merged."""
    if change == "qlora":
        return HOST_GB + 2 * model["parameters"] / 1e9
    each = HOST_BYTES if model["parameters"] <= HOST_LARGE else HOST_BYTES_LARGE
    return HOST_GB + each * model["parameters"] / 1e9


# --- time ----------------------------------------------------------------------------------------------------------


def work_per_token(change: str, checkpointing: bool) -> int:
    """Operations a parameter and token: forward 2; backward 4, or 2 where the base is frozen (no weight
    gradients); checkpointing runs the forward again. Source: Kaplan et al. 2020, section 2.1."""
    return 2 + (4 if change == "full" else 2) + (2 if checkpointing else 0)


def measured_shares() -> list[dict]:
    """The rows of assets/throughput.json that can be used, each with the share of the GPU's peak it reached."""
    gpus, rows = asset("hardware.json")["gpus"], []
    for row in asset("throughput.json")["rows"]:
        if row["rows_filled"] and row.get("tokens_per_second_per_gpu"):
            work = work_per_token(row["change"], bool(row["checkpointing"])) * row["parameters_b"] * 1e9
            rows.append({**row, "share": work * row["tokens_per_second_per_gpu"] / gpus[row["gpu"]]["tflops"] / 1e12})
    return rows


def expected_share(model: dict, machine: dict, change: str, tokens: int, rows: list[dict]) -> tuple[float, str, float]:
    """(share of the GPU's peak that training reaches, the rows it rests on, spread of the estimate).

    The geometric mean of the measured rows, each weighed by its nearness in active parameters, tokens of a
    micro-batch, way of change, GPU and number of GPUs.
    """
    if not rows:
        return 0.3, "an assumed share of 30 %: no table of measurements lies beside this script", 2.5
    weighed = []
    for row in rows:
        distance = abs(math.log(model["active_parameters"] / (row["parameters_b"] * 1e9))) / 2
        distance += abs(math.log(tokens / (row["tokens_in_micro_batch"] or tokens)))
        distance += 0.7 * (change != row["change"]) + 0.7 * (machine["gpu"] != row["gpu"])
        distance += abs(math.log(machine["gpus"] / (row["gpus"] or machine["gpus"]))) / 3
        weighed.append((1 / (0.1 + distance**2), row))
    share = math.exp(sum(w * math.log(row["share"]) for w, row in weighed) / sum(w for w, _ in weighed))
    nearest = [row for _, row in sorted(weighed, key=lambda pair: -pair[0])[:2]]
    spread, basis = 1.7, ", ".join(row["id"] for row in nearest)
    if machine["gpu"] not in {row["gpu"] for row in rows}:
        spread, basis = spread * 1.35, f"{basis}; nothing is measured on {machine['gpu']}: scaled by its peak rate"
    if model["active_parameters"] < min(row["parameters_b"] for row in rows) * 0.5e9:
        spread, basis = spread * 1.35, f"{basis}; no model as small is measured"
    return share, f"{share:.0%} of the GPU's peak, from {basis}", spread


def cpu_share(change: str, precision: str) -> float:
    """Share of a CPU's matrix rate that training reached where it was measured, by assets/throughput.json."""
    rows = [row for row in asset("throughput.json")["rows"] if row["gpu"] == "cpu" and row["precision"] == precision]
    return next((row["share_of_matrix_rate"] for row in rows if row["change"] == change), 0.3)  # none: assumed


def training_time(model: dict, data: dict, machine: dict, settings: dict, method: str, table: list[dict]) -> dict:
    """{"seconds": for one row on one device, "basis": what it rests on, "spread": of the estimate}."""
    change = change_of(settings)
    work = work_per_token(change, settings["activation_checkpointing"]) + EXTRA_WORK[method]
    operations = work * model["active_parameters"] * SEQUENCES[method]
    precision = settings["precision"]
    if machine["device"] == "cpu":
        share = cpu_share(change, precision)
        rate = machine["gflops"][precision] * share * 1e9
        basis = f"{precision} rate measured here x {share:.0%} reached in training on another CPU"
        if machine["where"] != "local":
            basis = f"an assumed {CPU_CORE_GFLOPS} GFLOP/s a core, not measured yet, x {share:.0%} reached in training"
        return {"seconds": operations * data["mean"] / rate, "basis": basis, "spread": 1.8}
    if machine["device"] == "mps":
        seconds = operations * data["mean"] / 2.4e12
        return {"seconds": seconds, "basis": "an assumed rate for this class of GPU: not measured yet", "spread": 3}
    batch = settings["batch_size"]
    padded = data["mean"] if batch == 1 else (data["mean"] + data["p95"]) / 2  # a batch is as long as its longest row
    padded = min(padded, data["length"]) + data["completion"]
    share, basis, spread = expected_share(model, machine, change, round(batch * SEQUENCES[method] * padded), table)
    if machine["nodes"] > 1:
        share, basis = share * TWO_NODES, f"{basis}; x {TWO_NODES} between nodes"
    peak = machine["tflops"] or (300 if machine["bf16"] else 60)
    if not machine["tflops"]:
        basis, spread = f"{basis}; an assumed peak of {peak} TFLOP/s", spread * 1.5
    seconds = operations * padded / (peak * 1e12 * share)
    if method == "grpo":
        seconds += data["completion"] * token_time(model, machine) / (batch * settings["accumulation"])
        basis, spread = f"{basis}; generation by transformers, its speed assumed", spread * 1.5
    return {"seconds": seconds, "basis": basis, "spread": spread}


def token_time(model: dict, machine: dict) -> float:
    """Seconds of a generated token: it reads all weights, and waits for the launch of every layer. Assumed."""
    weights = model["active_parameters"] * 2 / ((machine.get("gb_per_second") or 600) * 1e9)
    return 1.5 * weights + model["layers"] * 0.0006


def scoring_time(model: dict, data: dict, machine: dict, option: dict, method: str) -> float:
    """Seconds to score base and tuned on the held-out rows: forward passes, one row at a time.

    They are taken at the rate of training, by their operations. GRPO draws one completion a row, and waits for
    every token of it. A task of choice scores each of its answers, which the plan does not know of.
    """
    settings = option["settings"]
    work = work_per_token(change_of(settings), settings["activation_checkpointing"]) + EXTRA_WORK[method]
    seconds = option["seconds"] * 2 / work
    if method == "grpo" and machine["device"] != "cpu":
        seconds = data["completion"] * token_time(model, machine)
    devices = 1 if option["strategy"] == "fsdp2" else machine["gpus"] * machine["nodes"]  # there all take each row
    return 2 * data["held_out"] * seconds / devices


# --- one way to run it on one machine ------------------------------------------------------------------------------


def accumulation_of(target: int, rows: int, group: int) -> int:
    """Micro-batches of `rows` in a step of about `target` rows; a step holds whole groups, or GRPO refuses it."""
    wanted = max(1, target // rows)
    return next(count for count in range(wanted, wanted + group + 1) if count * rows % group == 0)


def change_of(settings: dict) -> str:
    return "qlora" if settings.get("quantization") else "lora" if settings["lora"] else "full"


def precision_of(machine: dict, change: str) -> tuple[str, str]:
    """(precision, why): bf16 where the hardware trains faster in it, fp16 on a GPU without it, else fp32."""
    if machine["device"] == "cuda":
        if machine["bf16"]:
            return "bf16", "this GPU has bf16"
        return "fp16", "this GPU has no bf16 (T4, V100)"
    if machine["device"] == "mps":
        return "fp32", "mixed precision is not reliable on Apple GPUs"
    rates = machine["gflops"]
    if machine["where"] != "local":
        return "fp32", "what every CPU multiplies"
    precision = max(("fp32", "bf16"), key=lambda name: rates[name] * cpu_share(change, name))
    measured = f"fp32 {rates['fp32']:.0f}, bf16 {rates['bf16']:.0f} GFLOP/s"
    return precision, f"the faster to train in, by products measured here: {measured}"


def fit(model: dict, data: dict, machine: dict, method: str, change: str, args: argparse.Namespace) -> dict:
    """The best way to run `change` on `machine`: {settings, parts, need, strategy, seconds, ...}.

    When nothing fits, {"need": of the smallest attempt, "no": why, in numbers}.
    """
    device, world = machine["device"], machine["gpus"] * machine["nodes"]
    if change == "qlora" and device != "cuda":
        return {"need": math.inf, "no": "4-bit weights need a CUDA GPU (bitsandbytes)"}
    named = args.flavor is not None and args.flavor == machine.get("flavor")
    if device == "cpu" and machine["where"] == "hf-jobs" and model["parameters"] > CPU_BELOW and not named:
        return {"need": math.inf, "no": f"CPUs are left out above {CPU_BELOW / 1e6:.0f}M parameters, unless --flavor"}
    if machine["where"] == "hf-jobs" and device == "cuda" and host_gb(model, change) > 0.95 * machine["ram_gb"]:
        return {
            "need": math.inf,
            "no": f"the machine has {machine['ram_gb']:g} GB of memory beside its GPU, and loading, merging and "
            f"writing {model['parameters'] / 1e9:.2f}B parameters take {host_gb(model, change):.0f} GB",
        }
    precision, _ = precision_of(machine, change)
    target = 4 if device == "cpu" else 32 if method == "grpo" else 16
    length = data["length"] + data["completion"]
    strategies = ["single"] if world == 1 else ["ddp"] if change == "qlora" else ["ddp", "fsdp2"]
    ways = (True,) if args.checkpointing else (False, True)
    tried, fitting = [], []
    for strategy, checkpointing, batch in [(s, c, b) for s in strategies for c in ways for b in (8, 4, 2, 1)]:
        if device == "cpu" and batch > 4:
            continue  # a CPU is busy at four rows; more steps of fewer rows learn more for the same time
        if batch * world > max(target, world):
            continue
        settings = {
            "device": device,
            "precision": precision,
            "weights": "fp32" if change == "full" else precision,
            "lora": model.get("adapter")
            or {"r": args.rank, "lora_alpha": 2 * args.rank, "lora_dropout": 0.0, "target_modules": "all-linear"}
            if change != "full" else None,
            "batch_size": batch,
            "accumulation": accumulation_of(target, batch * world, GENERATIONS if method == "grpo" else 1),
            "activation_checkpointing": checkpointing,
        }  # fmt: skip
        if change == "qlora":
            settings["quantization"] = {"bits": 4, "type": "nf4", "double": True}
        if method == "grpo":
            settings |= {"num_generations": GENERATIONS, "max_completion_length": args.max_completion_length}
        rows_length = min(length, data["max"] + data["completion"])
        parts = memory_parts(model, settings, method, batch, rows_length, world if strategy == "fsdp2" else 1)
        need = sum(parts.values()) * (MARGIN if checkpointing else OFF_MARGIN)
        tried.append((need, batch, strategy))
        if need <= machine["memory_gb"]:
            time_of = training_time(model, data, machine, settings, method, data["table"])
            option = {"settings": settings, "parts": parts, "need": need, "strategy": strategy, **time_of}
            if device == "cpu":
                return option
            fitting.append(option)
        if fitting and batch == 1 and strategy == "ddp" and checkpointing:
            break  # the whole model fits on each GPU: nothing is gained by spreading it
    if fitting:
        return min(fitting, key=lambda option: option["seconds"])
    need, batch, strategy = min(tried)
    return {
        "need": need,
        "no": f"{change} with batch {batch} takes about {need:.1f} GB{' on each GPU' if world > 1 else ''}, "
        f"and there are {machine['memory_gb']:.1f} GB",
    }


def cost_of(option: dict, model: dict, data: dict, machine: dict, method: str, args: argparse.Namespace) -> dict:
    """`option` with steps, seconds and dollars of the whole run, and their range."""
    settings, world = option["settings"], machine["gpus"] * machine["nodes"]
    per_step = settings["batch_size"] * settings["accumulation"] * world
    generations = settings.get("num_generations", 1)  # rows of a step are completions there
    epochs = args.epochs or (3 if method == "sft" and data["rows"] < 5_000 and not args.test_run else 1)
    steps, why = (
        max(1, round(data["rows"] * generations * epochs / per_step)),
        f"{plural(epochs, 'epoch')} of {data['rows']} rows",
    )
    if args.test_run:
        steps, why = max(1, math.ceil(data["rows"] * generations / per_step)), f"{data['rows']} rows, once"
    if args.max_minutes:
        allowed = max(1, int(args.max_minutes * 60 * world / (option["seconds"] * per_step)))
        if allowed < steps:
            done = allowed * per_step / data["rows"] / generations
            steps, why = allowed, f"what {args.max_minutes:g} minutes allow: {plural(round(done, 2), 'epoch')}"
    if args.steps:
        steps, why = args.steps, "as asked"
    seconds = option["seconds"] * steps * per_step / world
    low, high = seconds / option["spread"], seconds * option["spread"]
    start = 0.0
    if machine["where"] == "hf-jobs":
        start = START_SECONDS + model["parameters"] * 2 / 1e9 / DOWNLOAD_GB_PER_SECOND
    score = scoring_time(model, data, machine, option, method)
    run, low_run, high_run = (start + seconds + score, *(start + value * (seconds + score)
                              for value in (1 / option["spread"], option["spread"])))  # fmt: skip
    hourly = machine["usd_per_hour"] * machine["nodes"]
    dollars = [hourly / 60 * math.ceil(value / 60) for value in (run, low_run, high_run)]
    return {**option, "steps": steps, "steps_why": why, "train": seconds, "range": (low, high), "start": start,
            "score": score, "run": run, "slow": high_run,
            "cost": dollars[0], "cost_range": (dollars[1], dollars[2]), "hourly": hourly,
            "machine": machine}  # fmt: skip


# --- the choice ------------------------------------------------------------------------------------------------------


def changes_for(model: dict, args: argparse.Namespace) -> list[str]:
    """The ways of change to try, the preferred one first; 4 bits only where nothing else fits, or as asked."""
    if args.full:
        return ["full"]
    if args.qlora:
        return ["qlora"]
    if args.lora:
        return ["lora"]
    if model.get("adapter"):
        return ["lora"]
    return ["lora"] if model["parameters"] > LORA_ABOVE else ["full", "lora"]


def best_on(machine: dict, changes: list[str], model: dict, data: dict, method: str, args) -> dict:
    """The first of `changes` that fits this machine, with its cost; or why none does."""
    refusals = []
    for change in changes:
        option = fit(model, data, machine, method, change, args)
        if "no" not in option:
            return cost_of(option, model, data, machine, method, args)
        refusals.append(option)
    best = min(refusals, key=lambda refusal: refusal["need"])
    return {"no": best["no"], "need": best["need"], "machine": machine}


def over_limits(option: dict, args: argparse.Namespace) -> str:
    """Why an option that fits is not allowed, or ""."""
    hours = option["run"] / 3600
    if args.max_cost is not None and option["cost_range"][1] > args.max_cost:
        return f"may cost ${option['cost_range'][1]:.2f}, above --max-cost ${args.max_cost:.2f}"
    if option["machine"]["where"] == "hf-jobs" and hours > args.max_hours:
        return f"takes about {hours:.1f} h, above --max-hours {args.max_hours:g}"
    return ""


def choose_option(machines: list[dict], model: dict, data: dict, method: str, args) -> tuple[dict, str]:
    """(the option, why this one). Raises Failure when none is left, with the numbers.

    The lowest price an hour among those that finish within --patience-hours: the smallest machine that does the
    job soon enough costs least when a run is broken off, and waits least for a free one. When none is so fast,
    or that one costs more than PATIENCE_FACTOR times the cheapest run, the lowest total cost. With --goal fastest
    the shortest time, with --goal cheapest the lowest total cost.
    """
    changes = changes_for(model, args)
    wanted = [machine for machine in machines if args.flavor in (None, machine.get("flavor"))]
    if not wanted:
        known = ", ".join(machine["flavor"] for machine in machines)
        raise Failure(f"there is no flavor {args.flavor!r}", f"one of: {known}", EXIT_USAGE)
    for attempt in [changes] + ([["qlora"]] if "lora" in changes else []):
        looked = [best_on(machine, attempt, model, data, method, args) for machine in wanted]
        allowed = [option for option in looked if "no" not in option and not over_limits(option, args)]
        if allowed:
            break
    else:
        refuse(model, wanted, changes, data, method, args)

    soon = [option for option in allowed if option["run"] <= args.patience_hours * 3600]
    if len(machines) == 1 or args.flavor:
        return allowed[0], "this machine" if not args.flavor else "as asked"
    if args.goal == "fastest":
        return min(allowed, key=lambda o: (o["run"], o["cost"])), "the shortest time within the limits"
    if args.goal == "cheapest":
        return min(allowed, key=lambda o: (o["cost"], o["run"])), "the lowest total cost"
    lowest = min(allowed, key=lambda option: (option["cost"], option["run"]))
    chosen = min(soon, key=lambda option: (option["hourly"], option["run"]), default=None)
    if chosen and chosen["cost"] <= PATIENCE_FACTOR * lowest["cost"]:
        why = f"the lowest price an hour of {len(allowed)} that fit, done within {args.patience_hours:g} h"
        return chosen, why
    slow = f"${chosen['cost']:.2f}" if chosen else "more than the limits allow"
    return lowest, f"the lowest total cost: a result within {args.patience_hours:g} h costs {slow}"


def refuse(model: dict, machines: list[dict], changes: list[str], data: dict, method: str, args) -> None:
    """Raises Failure with the numbers: what fits and is not allowed, else what comes nearest to fitting."""
    tried = changes + (["qlora"] if "lora" in changes else [])
    every = [best_on(machine, [change], model, data, method, args) for machine in machines for change in tried]
    fitting = [option for option in every if "no" not in option]
    size = f"{model['id']} with {model['parameters'] / 1e9:.2f}B parameters"
    if fitting:
        cheapest = min(fitting, key=lambda option: option["cost_range"][1])
        fastest = min(fitting, key=lambda option: option["train"])
        raise Failure(
            f"{size} fits, and not within the limits: the cheapest, {cheapest['machine']['flavor']}, "
            f"{over_limits(cheapest, args) or 'is within them'}; the fastest, {fastest['machine']['flavor']}, "
            f"{over_limits(fastest, args) or 'is within them'}",
            "raise the limit, take fewer rows or epochs, shorten rows with --max-length, or a smaller model",
            EXIT_NO,
        )
    nearest = min(every, key=lambda option: option["need"] - option["machine"]["memory_gb"])
    where = f" on {nearest['machine']['flavor']}" if nearest["machine"]["where"] == "hf-jobs" else ""
    more = "; --nodes 2 spreads it over two machines" if where and machines[0]["nodes"] == 1 else ""
    raise Failure(
        f"{size} does not fit{where}: {nearest['no']}",
        f"take a smaller model, shorten rows with --max-length, or use a machine with more memory{more}",
        EXIT_NO,
    )


def why_not(name: str, chosen: dict, machines: list[dict], model: dict, data: dict, method: str, args) -> str:
    """One line on a flavor that was not chosen: its numbers, and what speaks against it."""
    machine = next((each for each in machines if each["flavor"] == name), None)
    if machine is None:
        known = ", ".join(each["flavor"] for each in machines)
        raise Failure(f"there is no flavor {name!r}", f"one of: {known}", EXIT_USAGE)
    if name == chosen["machine"]["flavor"]:
        return "it is the choice"
    changes = changes_for(model, args)
    option = best_on(machine, changes, model, data, method, args)
    if "no" in option and "lora" in changes:
        smaller = best_on(machine, ["qlora"], model, data, method, args)
        if "no" in smaller:
            return option["no"]
        return f"{option['no']}; with --qlora it fits: {numbers_of(smaller)}"
    if "no" in option:
        return option["no"]
    return f"it fits: {numbers_of(option)}, against {numbers_of(chosen)}; {against(option, chosen, args)}"


def numbers_of(option: dict) -> str:
    hours, hourly = option["run"] / 3600, option["hourly"]
    return f"{hours:.1f} h and ${option['cost']:.2f} at ${hourly:.2f} an hour ({change_of(option['settings'])})"


def against(option: dict, chosen: dict, args: argparse.Namespace) -> str:
    """What speaks against an option that fits, by the rules of `choose_option`."""
    if over := over_limits(option, args):
        return over
    if args.flavor:
        return f"--flavor names {args.flavor}"
    if args.goal == "fastest":
        return "it takes longer"
    if args.goal == "cheapest" or chosen["run"] > args.patience_hours * 3600:
        return "the whole run costs more, or as much and takes longer"
    if option["run"] > args.patience_hours * 3600:
        return f"it is not done within --patience-hours {args.patience_hours:g}"
    if option["hourly"] > chosen["hourly"]:
        return "its price an hour is higher (--goal cheapest looks at the whole run)"
    if option["hourly"] == chosen["hourly"]:
        return "it takes longer for the same price an hour"
    return f"it costs more than {PATIENCE_FACTOR} times the cheapest run"


def compare_flavors(machines: list[dict], model: dict, data: dict, method: str, args) -> list[dict]:
    """Every flavor with every way of change: what it takes and costs, the cheapest first; then why others do not."""
    changes = ["full", "lora", "qlora"]
    asked = [name for name in changes if getattr(args, name)] or changes
    asked = [name for name in asked if not (model.get("adapter") and name == "full")]
    table: list[dict] = []
    for machine in machines:
        for change in asked:
            option = best_on(machine, [change], model, data, method, args)
            row = {"flavor": machine["flavor"], "change": change}
            if "no" in option:
                table.append(row | {"fits": False, "why": option["no"]})
                continue
            unlimited = argparse.Namespace(**{**vars(args), "timeout": None, "max_cost": None})
            timeout = timeout_seconds(option, unlimited)
            table.append(row | {
                "fits": True, "why": over_limits(option, args), "memory_gb": round(sum(option["parts"].values()), 1),
                "memory_of_gb": round(machine["memory_gb"], 1), "run_seconds": round(option["run"]),
                "checkpointing": option["settings"]["activation_checkpointing"], "cost_usd": round(option["cost"], 2),
                "timeout_seconds": timeout, "cost_usd_at_most": cost_at_most(option, timeout),
            })  # fmt: skip
    return sorted(table, key=lambda row: (not row["fits"], row.get("cost_usd_at_most", 0)))


def comparison(rows: list[dict]) -> list[str]:
    """The lines of `compare_flavors`; what does not fit on a flavor for one reason has one line."""
    lines = [f"  {'flavor':<16} {'change':<6} {'takes':>8} {'expected':>9} {'at most':>9} {'GB of':>13}"]
    for row in rows:
        if row["fits"]:
            memory = f"{row['memory_gb']:.1f} of {row['memory_of_gb']:.0f}"
            lines.append(f"  {row['flavor']:<16} {row['change']:<6} {minutes(row['run_seconds']):>8} "
                         f"{money(row['cost_usd']):>9} {money(row['cost_usd_at_most']):>9} {memory:>13}"
                         + (f"  no: {row['why']}" if row["why"] else ""))  # fmt: skip
    refused: dict[tuple, list[str]] = {}
    for row in rows:
        if not row["fits"]:
            refused.setdefault((row["flavor"], row["why"]), []).append(row["change"])
    return lines + [f"  {flavor}, {' and '.join(changes)}: {why}" for (flavor, why), changes in refused.items()]


def data_of(model: dict, report: dict, method: str, args: argparse.Namespace) -> dict:
    """What time and memory follow from: rows to train on and to score, tokens of a row, and the measured rates."""
    tokens, rows, held_out = report["tokens"], training_rows(report), args.held_out_rows
    if args.test_run:
        rows, held_out = min(rows, args.test_run), min(held_out, 20)
    length = args.max_length or min(-(-tokens["max"] // 64) * 64, model["max_positions"], 4096)
    return {
        "rows": rows,
        "held_out": min(held_out, report["split"].get("held_out_rows") or held_out),
        "held_out_asked": held_out,
        "mean": min(tokens["mean"], length),
        "p95": min(tokens["p95"], length),
        "uncut_p95": tokens["p95"],
        "max": tokens["max"],
        "length": length,
        "completion": args.max_completion_length if method == "grpo" else 0,
        "table": measured_shares(),
    }


def choose(model: dict, data: dict, machines: list[dict], method: str, args) -> tuple[dict, dict, dict, list[dict]]:
    """(the plan's hardware, settings, estimate, choices with their reasons)."""
    choices: list[dict] = []

    def because(what: str, value: object, why: str) -> None:
        choices.append({"what": what, "value": str(value), "why": why})

    length = data["length"]
    option, why = choose_option(machines, model, data, method, args)
    machine, settings = option["machine"], option["settings"]
    change, small = change_of(settings), model["parameters"] < 1_000_000_000
    if machine["where"] == "hf-jobs":
        because("flavor", machine["flavor"], f"{why}; ${machine['usd_per_hour']:.2f} an hour")
        for name in args.why_not or ():
            because(f"not {name}", "", why_not(name, option, machines, model, data, method, args))
    precision, reason = precision_of(machine, change)
    because("precision", precision, reason)
    cut = "no row is cut" if data["max"] <= length else f"p95 is {data['uncut_p95']}, longer rows are cut"
    because("length", length, f"the longest row has {data['max']} tokens: {cut}")
    asked = {"full": args.full, "lora": args.lora, "qlora": args.qlora}[change]
    if model.get("adapter"):
        value, reason = f"the adapter of {model['base']['id']}", "it is trained on, and its state now is the reference"
        if change == "full":
            value, reason = "full", f"as asked; the adapter is merged into {model['base']['id']} first"
        because("method of change", value, reason)
    elif change == "full":
        because("method of change", "full", f"{model['parameters'] / 1e9:.2f}B parameters and their optimizer fit")
    else:
        big = model["parameters"] > LORA_ABOVE
        reason = "as asked" if asked else f"above {LORA_ABOVE / 1e9:.0f}B" if big else "full fine-tuning does not fit"
        if change == "qlora" and not asked:
            reason = "LoRA on 16-bit weights does not fit within the limits"
        name = "QLoRA (4-bit base)" if change == "qlora" else "LoRA"
        because("method of change", f"{name} r={args.rank} on every linear layer", f"{reason}; the base stays frozen")
    if method == "grpo":
        because(
            "generations",
            f"{GENERATIONS} of up to {data['completion']} tokens",
            "TRL's group; rows of a batch are completions",
        )
    world = machine["gpus"] * machine["nodes"]
    batch = f"{settings['batch_size']} x {settings['accumulation']}" + (f" x {world} GPUs" if world > 1 else "")
    because("batch", batch, f"fits {machine['memory_gb']:.1f} GB{' of each GPU' if world > 1 else ''}")
    on, reason = settings["activation_checkpointing"], "saves memory: the forward runs again in the backward"
    if not on:
        reason = "the activations fit with a fifth to spare, and recomputing them takes a third to a half more time"
    because("checkpointing of activations", "on" if on else "off", "as asked" if args.checkpointing else reason)
    if option["strategy"] != "single":
        because("spread", option["strategy"], "each GPU holds the whole model" if option["strategy"] == "ddp"
                else "the model, its gradients and optimizer are cut over the GPUs")  # fmt: skip
    base = 5e-5 if method == "sft" and small else RATES[method]
    rate = args.learning_rate or (base if change == "full" else 10 * base)
    ten = "an adapter takes about ten times the rate of full fine-tuning"
    reason = "as asked" if args.learning_rate else f"{method} {change}{', under 1B' if small else ''}: {ten}"
    because("learning rate", f"{rate:g}", reason)
    because("packing", "off", "packed rows see each other unless flash attention is installed, and images lack it")
    because("steps", option["steps"], option["steps_why"])
    saved = trained_parameters(model, settings) * 12 / 1e9
    settings |= {
        "steps": option["steps"],
        "learning_rate": rate,
        "warmup_steps": max(1, option["steps"] // 10),
        "max_length": length,
        "packing": False,
        "seed": args.seed,
        "save_seconds": args.save_seconds or max(300, round(20 * saved / DOWNLOAD_GB_PER_SECOND)),
        "budget_seconds": args.max_minutes * 60 if args.max_minutes else None,
        "deadline_seconds": None,
        "held_out_rows": data["held_out_asked"],
    }
    estimate = {
        "memory_gb": round(sum(option["parts"].values()), 2),
        "memory_parts_gb": option["parts"],
        "train_seconds": round(option["train"]),
        "train_seconds_range": [round(value) for value in option["range"]],
        "scoring_seconds": round(option["score"]),
        "run_seconds": round(option["run"]),
        "disk_gb": round((trained_parameters(model, settings) * 12 * 3 + model["parameters"] * 4) / 1e9, 2),
        "cost_usd": round(option["cost"], 2),
        "cost_usd_range": [round(value, 2) for value in option["cost_range"]],
        "rests_on": f"{option['basis']}; scoring {data['held_out']} held-out rows by base and tuned: forward passes at "
        "the rate of training (assumed), one answer a row",
    }
    if machine["where"] == "hf-jobs":
        timeout = timeout_seconds(option, args)
        at_most = cost_at_most(option, timeout)
        estimate |= {
            "timeout_seconds": timeout,
            "cost_usd_at_most": at_most,
            "cost_usd": min(estimate["cost_usd"], at_most),  # with --tight, what is expected may lie behind the timeout
            "cost_usd_range": [min(value, at_most) for value in estimate["cost_usd_range"]],
        }
        after = round(option["start"] + option["score"] / 2) + SAVING_SECONDS
        settings["deadline_seconds"] = max(600 if not args.timeout else 60, timeout - after)
        reason = (
            "as asked"
            if timeout == args.timeout
            else "the slow end of the estimate, the start, scoring and ten minutes to save"
        )
        reason += "; training stops and saves before it"
        because("timeout", f"{timeout / 3600:.2f} h", reason)
    hardware = {key: value for key, value in machine.items() if value is not None}
    return hardware | {"strategy": option["strategy"]}, settings, estimate, choices


def timeout_seconds(option: dict, args: argparse.Namespace) -> int:
    """--timeout, else slow end, start, scoring and ten minutes, in whole quarters of an hour, half an hour at least,
    within --max-cost. Raises Failure for a --timeout that the slow end of the estimate passes, unless --tight."""
    wanted = max(1800, math.ceil((option["slow"] + SAVING_SECONDS) / 900) * 900)
    if args.timeout:
        if args.timeout < option["slow"] and not args.tight:
            raise Failure(
                f"--timeout is {minutes(args.timeout)}, and the slow end of the estimate is {minutes(option['slow'])} "
                f"(expected {minutes(option['run'])})",
                "a longer one, fewer --steps or rows, --max-minutes; or --tight, to stop there and save a checkpoint",
                EXIT_NO,
            )
        wanted = args.timeout
    if args.max_cost is not None and option["hourly"]:
        wanted = min(wanted, int(args.max_cost / option["hourly"] * 60) * 60)
    return wanted


def deadline_warnings(estimate: dict, deadline: float) -> list[str]:
    """That a --timeout leaves too little, after start and saving, for training and for scoring the base before it."""
    before = estimate["scoring_seconds"] / 2
    left = f"the timeout leaves {minutes(max(0, deadline - before))} of training"
    if deadline < before + estimate["train_seconds"]:
        return [f"{left}, and {minutes(estimate['train_seconds'])} are expected: it WILL stop there with a checkpoint, "
                "unscored; submit it again to go on, or with --finish to score it as it is"]  # fmt: skip
    if deadline < before + estimate["train_seconds_range"][1]:
        return [f"{left}, and its slow end is {minutes(estimate['train_seconds_range'][1])}: it may stop there with a "
                "checkpoint, unscored"]  # fmt: skip
    return []


def cost_at_most(option: dict, timeout: int) -> float:
    """Dollars of a whole timeout, billed by the minute begun, and rounded up to the cent: it is never passed."""
    return math.ceil(round(option["hourly"] / 60 * math.ceil(timeout / 60) * 100, 6)) / 100


def training_rows(report: dict) -> int:
    """Rows that are not held out: as the report counted them, else by the share of its split."""
    if report["split"].get("train_rows"):
        return report["split"]["train_rows"]
    total = report["rows"]["total"] or report["rows"]["examined"]
    return max(1, round(total * (1 - (report["split"]["fraction"] if report["split"]["key"] != "given" else 0))))


def launch_of(hardware: dict, method: str) -> dict:
    """How the training script is started on this hardware: words of a command, and its environment.

    One process runs it plainly, several by torchrun; of several machines the first is the meeting point, under its
    alias in the network group. Whether the model is cut over the processes the script reads in the plan.
    """
    script, gpus = [f"train_{method}.py", "--plan", "plan.json"], str(hardware["gpus"])
    if hardware["nodes"] > 1:
        words = ["torchrun", "--nnodes", str(hardware["nodes"]), "--nproc-per-node", gpus, "--node-rank", "$NODE_RANK",
                 "--master-addr", "${HF_NETWORK_GROUP_PREFIX}head", "--master-port", "29500"]  # fmt: skip
    elif hardware["gpus"] > 1:
        words = ["torchrun", "--standalone", "--nproc-per-node", gpus]
    else:
        words = ["python"]
    return {"command": [*words, *script], "environment": {}}


# --- what is shown --------------------------------------------------------------------------------------------------


def card(plan: dict) -> str:
    """What a person reads before saying yes."""
    model, estimate, settings, hardware = plan["model"], plan["estimate"], plan["settings"], plan["hardware"]
    low, high = (minutes(value) for value in estimate["train_seconds_range"])
    world = hardware["gpus"] * hardware["nodes"]
    active = model["active_parameters"]
    size = f"{billions(model['parameters'])} parameters"
    size += f", {billions(active)} of them active" if active < model["parameters"] else ""
    place = hardware["name"]
    if hardware["where"] == "hf-jobs":
        place = f"{hardware['flavor']} ({place})" + (f" x {hardware['nodes']} nodes" if hardware["nodes"] > 1 else "")
        cost = f"${estimate['cost_usd']:.2f} expected (${estimate['cost_usd_range'][0]:.2f} to " \
               f"${estimate['cost_usd_range'][1]:.2f}), never above ${estimate['cost_usd_at_most']:.2f} " \
               f"(timeout {minutes(estimate['timeout_seconds'])})"  # fmt: skip
    else:
        cost = f"${estimate['cost_usd']:.2f} (this machine)"
    lines = [
        f"Plan {plan['name']}",
        f"  method     {plan['method']}",
        f"  model      {model['id']} ({size}, {model['parameters_from']}"
        + (f"; an adapter of {model['base']['id']})" if model.get("base") else ")"),
        *(f"  after      {s['method']} of {s['model']} on {s['dataset']}" for s in model.get("stages", [])),
        f"  data       {plan['dataset']['source']['id']}: {plan['dataset']['rows']} rows to train on",
        f"  hardware   {place}, {hardware['memory_gb']:.1f} GB{' each' if world > 1 else ''} to use",
        f"  memory     about {estimate['memory_gb']:.1f} GB{' on each' if world > 1 else ''}",
        f"  time       about {minutes(estimate['train_seconds'])} of training ({low} to {high}), and "
        f"{minutes(estimate['scoring_seconds'])} of scoring base and tuned",
        f"  cost       {cost}",
        f"  steps      {settings['steps']} of {settings['batch_size'] * settings['accumulation'] * world} rows",
    ]
    if push := plan.get("push"):
        lines += [f"  pushes to  {push['repo_id']} ({'private' if push['private'] else 'public'}), with --yes"]
    if hardware.get("prices_from"):
        lines += [f"  prices     {hardware['prices_from']}"]
    if world > 1:
        lines += [f"  launch     {' '.join(plan['launch']['command'])}"]
    lines += ["  why"]
    lines += [
        f"    {choice['what']}: {choice['value'] + ' - ' if choice['value'] else ''}{choice['why']}"
        for choice in plan["choices"]
    ]
    lines += [f"    time: {estimate['rests_on']}"]
    lines += [f"  warning    {warning}" for warning in plan["warnings"]]
    return "\n".join(lines)


def billions(parameters: int) -> str:
    return f"{parameters / 1e9:.2f}B" if parameters >= 1e9 else f"{parameters / 1e6:.3g}M"


def plural(number: float, thing: str) -> str:
    return f"{number:g} {thing}" + ("" if number == 1 else "s")


def minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.2f}".rstrip("0").rstrip(".") + " h"


def run_name(model_id: str, dataset_id: str, method: str) -> str:
    """<model>-<dataset>-<method>, as the report's file is called."""
    parts = (Path(model_id).name, re.sub(r"\.(jsonl|json|csv|parquet)$", "", Path(dataset_id).name), method)
    return re.sub(r"[^a-z0-9._-]+", "-", "-".join(parts).lower()).strip("-._")[:90]


def script_warnings(method: str) -> list[str]:
    """A method that is planned, and has no training script beside this one."""
    script = Path(__file__).resolve().parent / f"train_{method}.py"
    if not script.is_file():
        return [f"this skill has no {script.name}: take mapping, split and settings from the plan into your own script"]
    return []


def load_warnings(hardware: dict) -> list[str]:
    """A machine with other work: the rates measured on it, and the times, hold only while that work goes on."""
    if hardware["where"] != "local" or hardware["device"] != "cpu" or not hasattr(os, "getloadavg"):
        return []
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < 0.7 * cores:
        return []
    return [f"this machine is busy (load {load:.1f} on {cores} cores): times are uncertain; --max-minutes holds them"]


def next_step(plan: dict, out: Path) -> str:
    """The next command, naming only scripts that are there."""
    scripts, training = Path(__file__).resolve().parent, f"train_{plan['method']}.py"
    if not (scripts / training).is_file():
        return "your own training script, by the plan's mapping, split and settings"
    if plan["hardware"]["where"] == "local":
        words = plan["launch"]["command"]
        return f"{' '.join(words[: words.index('--plan') - 1])} {beside(training)} --plan {out}"
    if (scripts / "submit_run.py").is_file():
        return f"python {beside('submit_run.py')} --plan {out}"
    return f"hf jobs uv run --flavor {plan['hardware']['flavor']} {beside(training)} --plan {out}"


def arguments() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument(
        "--model", required=True, help="Hub id or folder of the base model, or the folder of a run to go on from"
    )
    options.add_argument("--revision", help="branch, tag or commit of the model")
    options.add_argument("--report", type=Path, default=Path("dataset-report.json"), help="of inspect_dataset.py")
    options.add_argument("--method", choices=["sft", "dpo", "grpo", "reward", "kto"], help="default: the report's")
    options.add_argument("--out", type=Path, default=Path("plan.json"))
    options.add_argument("--name", help="of the run (default: MODEL-DATASET-METHOD)")
    place = options.add_argument_group("where it runs")
    place.add_argument("--where", choices=["local", "hf-jobs"], default="local", help="default: local")
    place.add_argument("--flavor", help="of Jobs; default: chosen by --goal")
    place.add_argument("--goal", choices=["smallest", "cheapest", "fastest"], default="smallest",
                       help="default: smallest, the lowest price an hour done within --patience-hours")  # fmt: skip
    place.add_argument("--patience-hours", type=float, default=6, help="default: 6")
    place.add_argument("--max-hours", type=float, default=24, help="of a job (default: 24)")
    place.add_argument("--max-cost", type=float, help="dollars; also caps the timeout")
    place.add_argument("--nodes", type=int, default=1, help="machines of the flavor (default: 1)")
    place.add_argument("--prices", choices=["auto", "live", "dated"], default="auto",
                       help="the Hub's list, or the table of assets/ (default: auto)")  # fmt: skip
    place.add_argument("--why-not", metavar="FLAVOR", nargs="+", action="extend",
                       help="say in numbers why these were not chosen")  # fmt: skip
    place.add_argument("--compare", action="store_true", help="a table of flavors and ways of change, and their costs")
    place.add_argument("--timeout", type=seconds_of, metavar="TIME",
                       help="90m, 2h or seconds (default: slow end, scoring and ten minutes)")  # fmt: skip
    place.add_argument("--tight", action="store_true", help="take a --timeout that may be too short for the run")
    place.add_argument("--test-run", type=int, nargs="?", const=100, metavar="N",
                       help="plan a rehearsal of N rows (default: 100), 20 scored")  # fmt: skip
    options.add_argument(
        "--max-minutes",
        type=float,
        help="of training: the steps are cut to fit, and at the end of this time the run stops and is scored",
    )
    options.add_argument("--max-memory-gb", type=float, help="local: take no more than this, in 10^9 bytes")
    change = options.add_mutually_exclusive_group()
    change.add_argument("--lora", action="store_true", help="train an adapter whatever the size")
    change.add_argument("--qlora", action="store_true", help="train an adapter on a base of 4-bit weights")
    change.add_argument("--full", action="store_true", help="train all parameters whatever the size")
    options.add_argument(
        "--checkpointing",
        action="store_true",
        help="of activations: less memory, a third to a half more time (default: where memory is tight)",
    )
    options.add_argument("--rank", type=int, default=16, help="of the LoRA adapter (default: 16)")
    options.add_argument("--epochs", type=float, help="default: 3 for SFT on fewer than 5,000 rows, else 1")
    options.add_argument("--steps", type=int)
    options.add_argument("--learning-rate", type=float)
    options.add_argument("--max-length", type=int, help="tokens; longer rows are cut at their end")
    options.add_argument(
        "--reward", action="append", help="GRPO: a name of train_grpo.py or FILE.py:FUNCTION, repeatable"
    )
    options.add_argument("--reward-weight", action="append", type=float, help="GRPO: of each --reward (default: 1)")
    options.add_argument("--max-completion-length", type=int, default=512, help="GRPO: of a generation (default: 512)")
    options.add_argument("--held-out-rows", type=int, default=200, help="scored before and after (default: 200)")
    options.add_argument("--save-seconds", type=float, help="between checkpoints (default: 300, more for large ones)")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--push-to", metavar="NAME", help="push the trained model there, privately (NAME or ORG/NAME)")
    options.add_argument("--public", action="store_true", help="with --push-to: for everyone to see")
    options.add_argument("--json", action="store_true", help="print plan.json on standard output, the card on the log")
    return options


POSITIVE = ("max_minutes", "max_memory_gb", "rank", "epochs", "steps", "learning_rate", "max_length", "max_cost",
            "max_hours", "patience_hours", "nodes", "test_run", "max_completion_length", "held_out_rows",
            "save_seconds")  # fmt: skip


def main(argv: list[str]) -> int:
    args = arguments().parse_args(argv)
    for name in POSITIVE:
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise Failure(f"--{name.replace('_', '-')} is {value}", "give a number above zero", EXIT_USAGE)
    jobs_only = (args.nodes > 1, args.flavor, args.why_not, args.max_cost, args.compare, args.timeout)
    if args.where == "local" and any(jobs_only):
        flags = "--nodes, --flavor, --why-not, --compare, --timeout and --max-cost"
        raise Failure(f"{flags} are for jobs", "add --where hf-jobs", EXIT_USAGE)
    if args.tight and not args.timeout:
        raise Failure("--tight says that a --timeout may be short, and there is none", "add --timeout", EXIT_USAGE)
    if args.push_to and not re.fullmatch(r"([A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]{0,95}", args.push_to):
        raise Failure(f"--push-to {args.push_to!r} names no repository", "give NAME or ORG/NAME", EXIT_USAGE)
    if args.public and not args.push_to:
        raise Failure("--public says how, and nothing says where", "add --push-to NAME", EXIT_USAGE)
    report = read_artifact(args.report, "dataset-report")
    method = args.method or report["recommended"]["method"]
    if method is None:
        raise Failure(
            f"the report recommends no method: {report['recommended']['why']}", "name one with --method", EXIT_NO
        )
    verdict = report["verdicts"][method]
    if verdict["verdict"] == "INCOMPATIBLE":
        raise Failure(f"the dataset does not fit {method}: {verdict['reason']}", verdict.get("needs", ""), EXIT_NO)
    model, warnings = read_model(args.model, args.revision)
    if model.get("adapter") and method == "reward":
        raise Failure("a reward model starts from a whole model", "merge the adapter into its base first", EXIT_USAGE)
    if args.where == "local":
        machines = [read_machine(args.max_memory_gb)]
    else:
        flavors, source, _ = read_flavors(args.prices)
        machines = [flavor_machine(entry, args.nodes, source) for entry in flavors]
    data, compared = data_of(model, report, method, args), []
    if args.compare:
        compared = compare_flavors(machines, model, data, method, args)
        (log if args.json else say)("\n".join(comparison(compared)))
    hardware, settings, estimate, choices = choose(model, data, machines, method, args)
    warnings += length_warnings(model, report["tokens"]["max"], settings)
    if args.timeout:
        warnings += deadline_warnings(estimate, settings["deadline_seconds"])
    free = hardware.get("disk_gb") or shutil.disk_usage(Path.cwd()).free / 1e9
    if free < estimate["disk_gb"]:
        warnings.append(f"the run needs {estimate['disk_gb']:.1f} GB of disk and {free:.1f} GB are free there")
    if hardware["where"] == "local" and estimate["memory_gb"] * MARGIN > 0.9 * hardware["memory_gb"]:
        warnings.append("memory is tight: close other programs, or plan again with a lower --max-memory-gb")
    if args.where == "hf-jobs" and Path(report["source"]["id"]).exists():
        warnings.append("the dataset is on this machine, where a job cannot read it: push it, and inspect it there")
    warnings += script_warnings(method) + load_warnings(hardware)
    if method == "grpo":
        settings["rewards"] = args.reward
        if args.reward_weight:
            settings["reward_weights"] = args.reward_weight
        if not args.reward:
            del settings["rewards"]
            warnings.append("no reward is named: add --reward, or settings.rewards to the plan, or it will not start")
    name = args.name or run_name(
        model["stages"][-1]["name"] if model.get("stages") else args.model, report["source"]["id"], method
    ) + ("-test" if args.test_run else "")
    plan = {
        "schema": "skillpack/plan/1",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "name": name,
        "method": method,
        "model": model,
        "hardware": hardware,
        "settings": settings,
        "estimate": estimate,
        "launch": launch_of(hardware, method),
        "choices": choices,
        "warnings": warnings + report.get("warnings", []),
        **({"compared": compared} if compared else {}),
        **({"push": {"repo_id": args.push_to, "private": not args.public}} if args.push_to else {}),
        "dataset": {  # last: its split may be long, and a person edits what stands above
            "source": report["source"],
            "mapping": verdict.get("mapping", {}),
            "split": report["split"],
            "rows": min(training_rows(report), args.test_run or math.inf),
            "mean_tokens": report["tokens"]["mean"],
        },
    }
    write_artifact(args.out, plan)
    text = card(plan)
    if args.json:
        log(text)
        emit(plan)
    else:
        say(text)
    log(f"wrote {args.out}; next: {next_step(plan, args.out)}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
