# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "accelerate>=1.15,<2",
#   "datasets>=5.2,<6",
#   "jsonschema>=4.21,<5",
#   "peft>=0.21,<1",
#   "tokenizers>=0.21,<1",
#   "torch>=2.8,<3",
#   "trackio>=0.43,<0.44",
#   "transformers>=5.23,<6",
#   "trl>=1.16,<2",
# ]
# ///
"""transformers' Trainer and TRL's SFTTrainer with trackio, to run once and then to copy.

Trains a model of some thousand weights, made here, so nothing is downloaded and nothing leaves this machine. What to
copy is SETTINGS, the class StorableConfig, and the two lines that use them.

examples:
  python scripts/track_trainer.py transformers --project demo --run plain
  python scripts/track_trainer.py trl --lora --project demo --run lora --json
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

from typing import Any

WORDS = ("the", "cat", "dog", "sat", "ran", "on", "a", "mat", "road", ".")
SETTINGS = {
    "report_to": "trackio",  # the default is "none"
    # Without this the first push to the Hub makes a public static Space of its own accord, which raises for a private
    # model repo (static Spaces are public) and for LoRA (an empty dict in its config has no place in Parquet).
    "trackio_static_space_id": False,
    "trackio_space_id": None,  # metrics stay here; sync_space.py publishes them, private unless told otherwise
    "logging_steps": 1,
    "logging_first_step": True,
    "disable_tqdm": True,
}


def storable(value: Any) -> Any:
    """`value` without empty dicts, which trackio's static export cannot write (ArrowNotImplementedError)."""
    if isinstance(value, dict):
        kept = {str(key): storable(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item != {}}
    if isinstance(value, set):
        return sorted(map(str, value))
    return [storable(item) for item in value] if isinstance(value, list | tuple) else value


def storable_config() -> Any:
    """A callback that mends the run's config after trackio's own has filled it, and before the first row is logged."""
    import trackio
    from transformers import TrainerCallback

    class StorableConfig(TrainerCallback):
        def on_train_begin(self, args, state, control, model=None, **kwargs):
            if not state.is_world_process_zero:
                return
            config = trackio.config
            for name, adapter in (config.pop("peft_config", None) or {}).items():
                config[f"peft_{name}"] = adapter.to_dict() if hasattr(adapter, "to_dict") else adapter
            mended = storable(dict(config))
            config.clear()
            config.update(mended)

    return StorableConfig()


def tiny_model() -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel, set_seed

    set_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=64, n_embd=16, n_layer=1, n_head=2))


def train_transformers(project: str, name: str, steps: int, out: Path, lora: bool) -> Any:
    import torch
    from transformers import Trainer, TrainingArguments

    rows = [{"input_ids": torch.arange(16) + n % 8, "labels": torch.arange(16) + n % 8} for n in range(64)]
    model = tiny_model()
    if lora:
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], fan_in_fan_out=True))
    settings = TrainingArguments(
        output_dir=str(out), max_steps=steps, per_device_train_batch_size=4, learning_rate=1e-2, save_strategy="no",
        project=project, run_name=name, eval_strategy="steps", eval_steps=5, use_cpu=not torch.cuda.is_available(),
        **SETTINGS,
    )  # fmt: skip
    trainer = Trainer(model, settings, train_dataset=rows, eval_dataset=rows[:8], callbacks=[storable_config()])
    return trainer.train()


def train_trl(project: str, name: str, steps: int, out: Path, lora: bool) -> Any:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer

    vocabulary = {word: number for number, word in enumerate(("<pad>", "<eos>", "<unk>", *WORDS))}
    words = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )  # fmt: skip
    rows = Dataset.from_list(
        [{"text": f"the {a} {b} on a {c} ."} for a in WORDS[1:3] for b in WORDS[3:5] for c in WORDS[7:9]]
    )
    settings = SFTConfig(
        output_dir=str(out), max_steps=steps, per_device_train_batch_size=4, learning_rate=1e-2, save_strategy="no",
        max_length=32, project=project, run_name=name, use_cpu=not torch.cuda.is_available(), bf16=False,
        gradient_checkpointing=False, **SETTINGS,
    )  # fmt: skip
    adapter = LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], fan_in_fan_out=True) if lora else None
    trainer = SFTTrainer(
        tiny_model(), settings, train_dataset=rows, processing_class=tokenizer, peft_config=adapter,
        callbacks=[storable_config()],
    )  # fmt: skip
    return trainer.train()


def arguments(argv: list[str]) -> argparse.Namespace:
    top = parser(__doc__ or "")
    top.add_argument("trainer", choices=("transformers", "trl"))
    top.add_argument("--project", required=True, metavar="NAME")
    top.add_argument("--run", required=True, metavar="NAME", help="the same name again continues the same run")
    top.add_argument("--lora", action="store_true", help="train an adapter")
    top.add_argument("--steps", type=int, default=10)
    top.add_argument("--out", type=Path, default=Path("track-output"), metavar="FOLDER")
    top.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = top.parse_args(argv)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", args.project):
        top.error(
            "--project: letters, digits, - and _; trackio drops all others from the file's name, so names collide"
        )
    return args


def main(argv: list[str]) -> int:
    args = arguments(argv)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    train = train_trl if args.trainer == "trl" else train_transformers
    done = train(args.project, args.run, args.steps, args.out, args.lora)
    found = {"project": args.project, "run": args.run, "steps": done.global_step, "loss": done.training_loss}
    if args.json:
        emit(found)
    else:
        say(f"{args.project}/{args.run}: step {done.global_step}, mean loss {done.training_loss:.4f}")
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(run(main))
