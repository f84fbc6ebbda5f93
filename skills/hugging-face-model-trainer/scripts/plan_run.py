# /// script
# requires-python = ">=3.10"
# dependencies = ["torch>=2.8,<3", "huggingface_hub>=2.4,<3", "jsonschema>=4.21,<5"]
# ///
"""Decide how to train: precision, LoRA, batch, length, steps, with the memory and the time they will take.

Reads the dataset report of inspect_dataset.py, the model's config.json and its safetensors headers (no
weights, and never the model's name), and what this machine has. Writes plan.json and prints a card for the
person who approves the run. Every field of plan.json may be edited before training.

examples:
  python scripts/plan_run.py --model Qwen/Qwen3-0.6B --report dataset-report.json
  python scripts/plan_run.py --model ./my-model --report dataset-report.json --max-minutes 30 --max-memory-gb 8
"""

# region skillpack:script
import argparse
import json
import os
import re
import sys
import tempfile
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


def write_atomic(path: Path, text: str) -> None:
    """Writes beside `path` and renames, so that a reader sees the old file or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
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


class Parser(argparse.ArgumentParser):
    def print_help(self, file=None) -> None:
        super().print_help(file or RESULT)


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose --help is the script's docstring and the exit codes."""
    return Parser(description=doc, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)


def run(main: Callable[[list[str]], int]) -> int:
    """Calls `main(argv)` and turns what it raises into a message and an exit code."""
    sys.stdout = sys.stderr
    try:
        return main(sys.argv[1:])
    except Failure as failure:
        log(f"error: {failure}")
        return failure.code
    except KeyboardInterrupt:
        log("interrupted; run the same command to continue")
        return EXIT_INTERRUPTED


# endregion skillpack:script

import datetime
import shutil
import time

LORA_ABOVE = 3_000_000_000  # parameters; full fine-tuning above this needs more memory than most single GPUs have
MARGIN = 1.15  # planned memory over estimated memory
RUNTIME_GB = {"cpu": 0.9, "cuda": 1.5, "mps": 1.0}  # interpreter, libraries, kernels
# Share of the measured matrix rate that training reaches on a CPU, batch 4, 135 million parameters: 43 % of fp32
# and 13 % of bf16 (2 cores with AVX-512 BF16, November 2026; benchmarks/train_cpu.py measures it on yours).
CPU_EFFICIENCY = {"fp32": 0.43, "bf16": 0.13}
GPU_EFFICIENCY = 0.30  # an assumption, and the card says so, until a measured table replaces it


def read_model(model_id: str, revision: str | None) -> tuple[dict, list[str]]:
    """(the plan's `model`, warnings) from config.json and safetensors headers, downloading nothing larger."""
    config = read_json(model_id, revision, "config.json")
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
        }
    except KeyError as error:
        raise Failure(
            f"{model_id}: its config has no {error}", "this planner reads decoder-only language models", EXIT_USAGE
        ) from None
    counted = count_parameters(model_id, revision)
    model["parameters"] = counted or shapes_parameters(model, text.get("tie_word_embeddings", True))
    model["parameters_from"] = "safetensors headers" if counted else "the config's shapes"
    return model, config_warnings(model_id, revision, text)


def read_json(model_id: str, revision: str | None, name: str, required: bool = True) -> dict:
    """One small JSON file of a model, from its folder or from the Hub."""
    if Path(model_id).is_dir():
        path = Path(model_id) / name
    elif model_id.startswith((".", "/", "~")):
        raise Failure(f"no folder {model_id}", "give the folder of a model, or a Hub id like org/name", EXIT_USAGE)
    else:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

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
        except EntryNotFoundError:
            path = Path(os.devnull) / name
        except (HfHubHTTPError, OSError) as error:
            raise Failure(f"the Hub did not answer for {model_id}: {error}", "try again, or give a folder") from None
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    if required:
        raise Failure(
            f"{model_id} has no {name}",
            "an adapter alone has none: give its base model, or merge the adapter first"
            if name == "config.json"
            else "",
            EXIT_USAGE,
        )
    return {}


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


def shapes_parameters(model: dict, tied: bool) -> int:
    """Parameters of a dense decoder from its shapes: embeddings, attention, a gated MLP, norms."""
    hidden, width = model["hidden_size"], model["head_dim"]
    attention = hidden * width * 2 * (model["attention_heads"] + model["key_value_heads"])
    layer = attention + 3 * hidden * model["intermediate_size"] + 2 * hidden
    return model["layers"] * layer + model["vocab_size"] * hidden * (1 if tied else 2) + hidden


def config_warnings(model_id: str, revision: str | None, text: dict) -> list[str]:
    """What a config leaves out that is filled by a default without a word."""
    warnings = []
    if not {"rope_theta", "rope_parameters", "rope_scaling"} & set(text):
        warnings.append("the config names no rope_theta: transformers takes 10,000, and a model of another is damaged")
    if text.get("eos_token_id") is None:
        warnings.append("the config names no eos_token_id: generation may not stop")
    tokenizer = read_json(model_id, revision, "tokenizer_config.json", required=False)
    has_template = "chat_template" in tokenizer or has_file(model_id, revision, "chat_template.jinja")
    if not has_template:
        warnings.append("the tokenizer has no chat template: conversations cannot be trained on as they are")
    return warnings


def has_file(model_id: str, revision: str | None, name: str) -> bool:
    if Path(model_id).is_dir():
        return (Path(model_id) / name).is_file()
    from huggingface_hub import file_exists

    return file_exists(model_id, name, revision=revision)


def read_machine(max_memory_gb: float | None) -> dict:
    """The plan's `hardware`: the device that torch would train on, its memory, and a CPU's measured rates."""
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        machine = {"device": "cuda", "name": properties.name, "memory_gb": torch.cuda.mem_get_info()[0] / 1e9}
        machine["bf16"] = torch.cuda.is_bf16_supported(including_emulation=False)
    elif torch.backends.mps.is_available():
        machine = {"device": "mps", "name": "Apple GPU", "memory_gb": torch.mps.recommended_max_memory() / 1e9}
    else:
        machine = {"device": "cpu", "name": f"{torch.get_num_threads()} CPU threads", "memory_gb": free_memory_gb()}
        machine["gflops"] = {
            "fp32": round(matrix_gflops(torch.float32)),
            "bf16": round(matrix_gflops(torch.bfloat16)),
        }
    if max_memory_gb:
        machine["memory_gb"] = min(machine["memory_gb"], max_memory_gb)
    return {"where": "local", **machine}


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


def lora_parameters(model: dict, rank: int) -> int:
    """Parameters of an adapter on every linear layer of the decoder: rank x (inputs + outputs) each."""
    hidden, inner, width = model["hidden_size"], model["intermediate_size"], model["head_dim"]
    queries, keys = model["attention_heads"] * width, model["key_value_heads"] * width
    linear = [(hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden), (hidden, inner), (hidden, inner),
              (inner, hidden)]  # fmt: skip
    return model["layers"] * rank * sum(map(sum, linear))


def memory_parts(model: dict, settings: dict, tokens: int) -> dict:
    """10^9 bytes of each part of SFT's peak, for `tokens` = rows of a batch x length of its longest row.

    Weights at their width; gradients and AdamW's two moments in float32 of what is trained; activations by
    layer, about 17 hidden and 3 inner vectors a token (Korthikanti et al. 2022, with flash attention and a gated
    MLP), or one hidden vector a layer and one layer whole under checkpointing; logits, of which the loss, its
    gradient and TRL's entropy metric keep about six float32 copies (measured).
    """
    width = {"fp32": 4, "bf16": 2, "fp16": 2}
    lora, device = settings["lora"], settings["device"]
    trained = lora_parameters(model, lora["r"]) if lora else model["parameters"]
    activation = 4 if settings["precision"] == "fp32" else 2
    hidden, inner, layers = model["hidden_size"], model["intermediate_size"], model["layers"]
    layer = tokens * (17 * hidden + 3 * inner) * activation
    held = layers * tokens * hidden * activation + layer if settings["activation_checkpointing"] else layers * layer
    copies = 0 if settings["precision"] == settings["weights"] else width[settings["precision"]] * model["parameters"]
    parts = {
        "weights": model["parameters"] * width[settings["weights"]] + (trained * 4 if lora else 0),
        "casts of weights": copies,  # autocast keeps a copy of every weight in the precision it multiplies in
        "gradients": trained * 4,
        "optimizer": trained * 8,
        "activations": held,
        "logits": 6 * tokens * model["vocab_size"] * 4,
        "runtime": RUNTIME_GB[device] * 1e9,
    }
    return {name: round(size / 1e9, 3) for name, size in parts.items()}


def choose(model: dict, report: dict, machine: dict, args: argparse.Namespace) -> tuple[dict, dict, list[dict]]:
    """(settings, estimate, choices with their reasons). Raises Failure when nothing fits, with the numbers."""
    choices: list[dict] = []

    def because(what: str, value: object, why: str) -> None:
        choices.append({"what": what, "value": str(value), "why": why})

    device, tokens = machine["device"], report["tokens"]
    precision = choose_precision(machine, because)
    length = args.max_length or min(-(-tokens["max"] // 64) * 64, model["max_positions"], 4096)
    cut = "no row is cut" if tokens["max"] <= length else f"p95 is {tokens['p95']}, longer rows are cut"
    because("length", length, f"the longest row has {tokens['max']} tokens: {cut}")

    big = model["parameters"] > LORA_ABOVE
    modes = ["lora"] if args.lora or (big and not args.full) else ["full"] if args.full else ["full", "lora"]
    tried = []
    for mode, checkpointing, batch in [(m, c, b) for m in modes for c in (False, True) for b in (8, 4, 2, 1)]:
        settings = {
            "device": device,
            "precision": precision,
            "weights": "fp32" if mode == "full" else precision,
            "lora": {"r": args.rank, "lora_alpha": 2 * args.rank, "lora_dropout": 0.0, "target_modules": "all-linear"}
            if mode == "lora" else None,
            "batch_size": batch,
            "activation_checkpointing": checkpointing,
        }  # fmt: skip
        if device == "cpu" and batch > 4:
            continue  # a CPU is busy at four rows; more steps of fewer rows learn more for the same time
        parts = memory_parts(model, settings, batch * min(length, tokens["max"]))
        need = sum(parts.values()) * MARGIN
        tried.append((need, mode, batch))
        if need <= machine["memory_gb"]:
            break
    else:
        need, mode, batch = min(tried)
        raise Failure(
            f"{model['id']} with {model['parameters'] / 1e9:.2f}B parameters does not fit: "
            f"{mode} with batch {batch} takes about {need:.1f} GB, and there are {machine['memory_gb']:.1f} GB",
            "take a smaller model, shorten rows with --max-length, or use a machine with more memory",
            EXIT_NO,
        )
    if mode == "full":
        because("method of change", "full", f"{model['parameters'] / 1e9:.2f}B parameters and their optimizer fit")
    else:
        reason = (
            "as asked" if args.lora else f"above {LORA_ABOVE / 1e9:.0f}B" if big else "full fine-tuning does not fit"
        )
        because("method of change", f"LoRA r={args.rank} on every linear layer", f"{reason}; the base stays frozen")
    target = 4 if device == "cpu" else 16
    settings["accumulation"] = max(1, target // batch)
    because("batch", f"{batch} x {settings['accumulation']}", f"the largest that fits {machine['memory_gb']:.1f} GB")
    because("checkpointing of activations", "on" if checkpointing else "off", "trades a third more compute for memory"
            if checkpointing else "the activations fit, and recomputing them costs a third more time")  # fmt: skip

    small = model["parameters"] < 1_000_000_000
    rate = args.learning_rate or {("full", True): 5e-5, ("full", False): 2e-5, ("lora", True): 5e-4}.get(
        (mode, small), 2e-4
    )
    because("learning rate", rate, "as asked" if args.learning_rate else f"{mode}, {'under' if small else 'from'} 1B: "
            "an adapter takes about ten times the rate of full fine-tuning")  # fmt: skip
    choose_steps(model, report, machine, args, settings, because)
    settings |= {
        "learning_rate": rate,
        "warmup_steps": max(1, settings["steps"] // 10),
        "max_length": length,
        "packing": False,
        "seed": args.seed,
        "save_seconds": args.save_seconds,
        "deadline_seconds": None,
        "held_out_rows": args.held_out_rows,
    }
    estimate = estimate_run(model, report, machine, settings, parts)
    return settings, estimate, choices


def choose_precision(machine: dict, because) -> str:
    """bf16 where the hardware multiplies it faster, fp16 on a GPU without it, else fp32."""
    if machine["device"] == "cuda":
        precision = "bf16" if machine["bf16"] else "fp16"
        because("precision", precision, "this GPU has bf16" if machine["bf16"] else "this GPU has no bf16 (T4, V100)")
        return precision
    if machine["device"] == "mps":
        because("precision", "fp32", "mixed precision is not reliable on Apple GPUs")
        return "fp32"
    rates = machine["gflops"]
    precision = "bf16" if rates["bf16"] > 1.5 * rates["fp32"] else "fp32"
    because("precision", precision, f"measured here: fp32 {rates['fp32']:.0f}, bf16 {rates['bf16']:.0f} GFLOP/s")
    return precision


def seconds_per_row(model: dict, report: dict, machine: dict, settings: dict) -> tuple[float, str]:
    """(seconds, what the figure rests on) to train one row of the mean length.

    6 operations a parameter and token for full fine-tuning, 4 where the base is frozen (no weight gradients), a
    third more under checkpointing (Kaplan et al. 2020, section 2.1), over the rate that training reaches.
    """
    work = (4 if settings["lora"] else 6) * (4 / 3 if settings["activation_checkpointing"] else 1)
    operations = work * model["parameters"] * report["tokens"]["mean"]
    precision = settings["precision"]
    if machine["device"] == "cpu":
        rate = machine["gflops"][precision] * CPU_EFFICIENCY[precision] * 1e9
        return (
            operations / rate,
            f"{precision} rate measured here x {CPU_EFFICIENCY[precision]:.0%} reached in training",
        )
    peak = {"cuda": {"bf16": 300e12, "fp16": 60e12}, "mps": {"fp32": 8e12}}[machine["device"]][precision]
    return operations / (peak * GPU_EFFICIENCY), "an assumed rate for this class of GPU: not measured yet"


def choose_steps(model: dict, report: dict, machine: dict, args: argparse.Namespace, settings: dict, because) -> None:
    """Steps for the epochs asked for, cut to what --max-minutes allows."""
    rows = training_rows(report)
    epochs = args.epochs or (3 if rows < 5_000 else 1)
    per_step = settings["batch_size"] * settings["accumulation"]
    steps, why = max(1, round(rows * epochs / per_step)), f"{epochs:g} epochs of {rows} rows"
    if args.max_minutes:
        seconds, _ = seconds_per_row(model, report, machine, settings)
        allowed = max(1, int(args.max_minutes * 60 / (seconds * per_step)))
        if allowed < steps:
            steps, why = allowed, f"what {args.max_minutes:g} minutes allow: {allowed * per_step / rows:.2f} epochs"
    settings["steps"] = args.steps or steps
    because("steps", settings["steps"], "as asked" if args.steps else why)


def training_rows(report: dict) -> int:
    total = report["rows"]["total"] or report["rows"]["examined"]
    return max(1, round(total * (1 - (report["split"]["fraction"] if report["split"]["key"] != "given" else 0))))


def estimate_run(model: dict, report: dict, machine: dict, settings: dict, parts: dict) -> dict:
    seconds, basis = seconds_per_row(model, report, machine, settings)
    seconds *= settings["steps"] * settings["batch_size"] * settings["accumulation"]
    trained = lora_parameters(model, settings["lora"]["r"]) if settings["lora"] else model["parameters"]
    return {
        "memory_gb": round(sum(parts.values()), 2),
        "memory_parts_gb": parts,
        "train_seconds": round(seconds),
        "train_seconds_range": [round(seconds * 0.6), round(seconds * 1.8)],
        "disk_gb": round((trained * 12 * 3 + model["parameters"] * 4) / 1e9, 2),  # two checkpoints, one in writing
        "cost_usd": 0.0,
        "rests_on": basis,
    }


def card(plan: dict) -> str:
    """What a person reads before saying yes."""
    model, estimate, settings = plan["model"], plan["estimate"], plan["settings"]
    low, high = (minutes(value) for value in estimate["train_seconds_range"])
    lines = [
        f"Plan {plan['name']}",
        f"  model      {model['id']} ({model['parameters'] / 1e9:.3g}B parameters, {model['parameters_from']})",
        f"  data       {plan['dataset']['source']['id']}: {plan['dataset']['rows']} rows to train on",
        f"  hardware   {plan['hardware']['name']}, {plan['hardware']['memory_gb']:.1f} GB to use",
        f"  memory     about {estimate['memory_gb']:.1f} GB",
        f"  time       about {minutes(estimate['train_seconds'])} of training ({low} to {high})",
        f"  cost       ${estimate['cost_usd']:.2f} (this machine)",
        f"  steps      {settings['steps']} of {settings['batch_size'] * settings['accumulation']} rows",
        "  why",
    ]
    lines += [f"    {choice['what']}: {choice['value']} - {choice['why']}" for choice in plan["choices"]]
    lines += [f"    time: {estimate['rests_on']}"]
    lines += [f"  warning    {warning}" for warning in plan["warnings"]]
    return "\n".join(lines)


def minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def run_name(model_id: str, dataset_id: str, method: str) -> str:
    """<model>-<dataset>-<method>, as the report's file is called."""
    parts = (Path(model_id).name, re.sub(r"\.(jsonl|json|csv|parquet)$", "", Path(dataset_id).name), method)
    return re.sub(r"[^a-z0-9._-]+", "-", "-".join(parts).lower()).strip("-._")[:96]


def arguments() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("--model", required=True, help="Hub id or folder of the base model")
    options.add_argument("--revision", help="branch, tag or commit of the model")
    options.add_argument("--report", type=Path, default=Path("dataset-report.json"), help="of inspect_dataset.py")
    options.add_argument("--method", choices=["sft"], help="default: what the report recommends")
    options.add_argument("--out", type=Path, default=Path("plan.json"))
    options.add_argument("--name", help="of the run (default: MODEL-DATASET-METHOD)")
    options.add_argument("--max-minutes", type=float, help="of training; the steps are cut to fit")
    options.add_argument("--max-memory-gb", type=float, help="take no more than this, in 10^9 bytes")
    change = options.add_mutually_exclusive_group()
    change.add_argument("--lora", action="store_true", help="train an adapter whatever the size")
    change.add_argument("--full", action="store_true", help="train all parameters whatever the size")
    options.add_argument("--rank", type=int, default=16, help="of the LoRA adapter (default: 16)")
    options.add_argument("--epochs", type=float)
    options.add_argument("--steps", type=int)
    options.add_argument("--learning-rate", type=float)
    options.add_argument("--max-length", type=int, help="tokens; longer rows are cut at their end")
    options.add_argument("--held-out-rows", type=int, default=200, help="scored before and after (default: 200)")
    options.add_argument("--save-seconds", type=float, default=300, help="between checkpoints (default: 300)")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", action="store_true", help="print plan.json on standard output, the card on the log")
    return options


def main(argv: list[str]) -> int:
    args = arguments().parse_args(argv)
    for name in ("max_minutes", "max_memory_gb", "rank", "epochs", "steps", "learning_rate", "max_length"):
        value = getattr(args, name)
        if value is not None and value <= 0:
            raise Failure(f"--{name.replace('_', '-')} is {value}", "give a number above zero", EXIT_USAGE)
    report = read_artifact(args.report, "dataset-report")
    method = args.method or report["recommended"]["method"]
    if method != "sft":
        raise Failure(
            f"the report recommends {method or 'no method'}: {report['recommended']['why']}",
            "this version trains SFT; ask for it with --method sft if the data fits",
            EXIT_NO,
        )
    verdict = report["verdicts"][method]
    if verdict["verdict"] == "INCOMPATIBLE":
        raise Failure(f"the dataset does not fit {method}: {verdict['reason']}", verdict.get("needs", ""), EXIT_NO)
    model, warnings = read_model(args.model, args.revision)
    machine = read_machine(args.max_memory_gb)
    settings, estimate, choices = choose(model, report, machine, args)
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < estimate["disk_gb"]:
        warnings.append(f"the run needs {estimate['disk_gb']:.1f} GB of disk and {free:.1f} GB are free here")
    if estimate["memory_gb"] * MARGIN > 0.9 * machine["memory_gb"]:
        warnings.append("memory is tight: close other programs, or plan again with a lower --max-memory-gb")
    plan = {
        "schema": "skillpack/plan/1",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "name": args.name or run_name(args.model, report["source"]["id"], method),
        "method": method,
        "model": model,
        "dataset": {
            "source": report["source"],
            "mapping": verdict.get("mapping", {}),
            "split": report["split"],
            "rows": training_rows(report),
            "mean_tokens": report["tokens"]["mean"],
        },
        "hardware": machine,
        "settings": settings,
        "estimate": estimate,
        "choices": choices,
        "warnings": warnings + report.get("warnings", []),
    }
    write_artifact(args.out, plan)
    text = card(plan)
    if args.json:
        log(text)
        emit(plan)
    else:
        say(text)
    log(f"wrote {args.out}; next: python scripts/train_{method}.py --plan {args.out}")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
