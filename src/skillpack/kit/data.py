"""The region of the scripts that read training rows: open, map to TRL's columns, group, split.

The inspector decides the mapping and the split, the trainers apply them: one code for both, or the rows that
were checked are not the rows that are trained on.
"""

from __future__ import annotations

import argparse  # noqa: F401 - what the region uses of the script region is imported here for the type checker
from pathlib import Path

from skillpack.kit.script import EXIT_USAGE, Failure

# region skillpack:data
import hashlib
import re as _re

FILE_FORMATS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant"}


def open_rows(source: dict, streaming: bool):
    """The rows of a dataset report's `source` {id, config, split, revision}, as `datasets` gives them.

    `id` is a Hub id or the path of a jsonl, json, csv or parquet file. Raises Failure for what a user can mend.
    """
    import datasets

    path = Path(source["id"])
    if path.suffix in FILE_FORMATS:
        if not path.is_file():
            raise Failure(f"no file {path}", "give the path of a file, or a Hub id like org/name", EXIT_USAGE)
        kind = FILE_FORMATS[path.suffix]
        return datasets.load_dataset(kind, data_files=str(path), split="train", streaming=streaming)
    return datasets.load_dataset(
        source["id"],
        source.get("config"),
        split=source["split"],
        revision=source.get("revision"),
        streaming=streaming,
    )


def _chat(messages: list) -> list:
    """ShareGPT's from/value and any role name -> role/content with the roles that chat templates know."""
    chat = []
    for message in messages:
        role = message.get("role", message.get("from"))
        content = message.get("content", message.get("value"))
        chat.append({**_extra(message), "role": ROLES.get(role, role), "content": content})
    return chat


def _extra(message: dict) -> dict:
    """What a message carries beside role and content (tool calls, a name), without empty fields."""
    known = {"role", "from", "content", "value"}
    return {key: value for key, value in message.items() if key not in known and value is not None}


def _user(text: str) -> list:
    return [{"role": "user", "content": text}]


def _assistant(text: str) -> list:
    return [{"role": "assistant", "content": text}]


def _alpaca(row: dict) -> dict:
    given = "\n\n".join(part for part in (row["instruction"], row.get("input")) if part)
    return {"messages": [*_user(given), *_assistant(row["output"])]}


def _question_answer(row: dict) -> dict:
    return {"messages": [*_user(row["question"]), *_assistant(row["answer"])]}


def _prompt_from_question(row: dict) -> dict:
    return {**row, "prompt": _user(row["question"])}


def _prompt_from_messages(row: dict) -> dict:
    """All but the last assistant turn is the prompt of an online method."""
    chat = _chat(row["messages"])
    while chat and chat[-1]["role"] == "assistant":
        chat.pop()
    return {**{key: value for key, value in row.items() if key != "messages"}, "prompt": chat}


def _shared_prompt(row: dict) -> dict:
    """Preferences that repeat the prompt in both answers -> prompt, chosen, rejected."""
    chosen, rejected = _chat(row["chosen"]), _chat(row["rejected"])
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    return {"prompt": chosen[:shared], "chosen": chosen[shared:], "rejected": rejected[shared:]}


def _chat_prompt(row: dict) -> dict:
    """A string prompt beside conversational answers, which TRL refuses -> all conversational."""
    return {"prompt": _user(row["prompt"]), "chosen": _chat(row["chosen"]), "rejected": _chat(row["rejected"])}


TRANSFORMS = {
    "sharegpt": lambda row: {"messages": _chat(row.get("messages") or row["conversations"])},
    "alpaca": _alpaca,
    "question-answer": _question_answer,
    "prompt-from-question": _prompt_from_question,
    "prompt-from-messages": _prompt_from_messages,
    "shared-prompt": _shared_prompt,
    "chat-prompt": _chat_prompt,
}


def map_row(row: dict, mapping: dict) -> dict:
    """`row` in the columns that the trainer takes: first `rename` {old: new}, then `transform`, by name."""
    renamed = {mapping.get("rename", {}).get(key, key): value for key, value in row.items()}
    transform = mapping.get("transform")
    return TRANSFORMS[transform](renamed) if transform else renamed


def prompt_text(row: dict) -> str:
    """What the model is given in a mapped row: the prompt, or all turns before the last answer, or the text."""
    given = row.get("prompt") or row.get("messages") or row.get("chosen") or row.get("text") or ""
    if isinstance(given, str):
        return given
    turns = [turn for turn in given if turn["role"] != "system"]
    if "prompt" not in row and turns and turns[-1]["role"] == "assistant":
        turns = turns[:-1]
    return "\n".join(str(turn.get("content") or "") for turn in turns)


def group_of(row: dict) -> str:
    """The group of a mapped row: rows whose prompts differ only in case, digits, punctuation and spaces.

    Rows of one group go to one side of a split: a copy of a training row in the test set measures memory.
    """
    words = _re.sub(r"\d+", "0", prompt_text(row).lower())
    return hashlib.sha256(" ".join(_re.findall(r"\w+", words)).encode()).hexdigest()[:16]


def is_held_out(group: str, fraction: float, seed: int) -> bool:
    """Whether a group belongs to the held-out part: by its hash, so that added rows move no old one."""
    draw = int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big")
    return draw / 2**64 < fraction


# endregion skillpack:data
