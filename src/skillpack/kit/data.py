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
CHAT_ROLES = {"system", "developer", "user", "assistant", "tool"}
CHAT_COLUMNS = ("prompt", "completion", "chosen", "rejected", "messages")
ASIDE = ("label", "margin", "tools", "image", "images")  # read by TRL beside the text: no transform drops them


def open_rows(source: dict, streaming: bool):
    """The rows of a dataset report's `source` {id, config, split, revision, sha256}, as `datasets` gives them.

    `id` is a Hub id, the path of a jsonl, json, csv or parquet file, or a folder of such files. Raises Failure
    for what a user can mend, and for a file that is not the one that was inspected.
    """
    import datasets

    path = Path(source["id"])
    if path.suffix in FILE_FORMATS:
        if not path.is_file():
            raise Failure(f"no file {path}", "give the path of a file, or a Hub id like org/name", EXIT_USAGE)
        if source.get("sha256") not in (None, sha256_of_file(path)):
            raise Failure(
                f"{path} has changed since it was inspected: its split and its plan are of other rows",
                "bring the file back to go on with a run; for the new rows, inspect and plan again, with another --out",
                EXIT_USAGE,
            )
        kind = FILE_FORMATS[path.suffix]
        return datasets.load_dataset(kind, data_files=str(path), split="train", streaming=streaming)
    return datasets.load_dataset(
        source["id"],
        source.get("config"),
        split=source["split"],
        revision=source.get("revision"),
        streaming=streaming,
    )


def sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _chat(messages: list) -> list:
    """ShareGPT's from/value and any role name -> role/content with the roles that chat templates know."""
    chat = []
    for message in messages:
        role = message.get("role") or message.get("from")
        content = message.get("content", message.get("value"))
        chat.append({**_extra(message), "role": ROLES.get(role, role), "content": _text(content)})
    return chat


def _extra(message: dict) -> dict:
    """What a message carries beside role and content (tool calls, a name), without empty fields."""
    known = {"role", "from", "content", "value"}
    return {key: value for key, value in message.items() if key not in known and value is not None}


def _text(content):
    """Text parts joined and a number spelled out; what is neither stays, and `misfit` says so."""
    if isinstance(content, list) and all(isinstance(p, dict) and p.get("type") == "text" for p in content):
        return "".join(part["text"] for part in content)
    return str(content) if isinstance(content, (int, float)) else content


def _turns(value, role: str) -> list:
    """A conversation, one message, or plain text said by `role` -> a conversation."""
    if isinstance(value, list):
        return _chat(value)
    return _chat([value if isinstance(value, dict) else {"role": role, "content": value}])


def _aside(row: dict) -> dict:
    return {name: row[name] for name in ASIDE if name in row}


def _sharegpt(row: dict) -> dict:
    return {**_aside(row), "messages": _chat(row["messages"] if "messages" in row else row["conversations"])}


def _instruction(row: dict) -> str:
    return "\n\n".join(_text(part) for part in (row["instruction"], row.get("input")) if part)


def _alpaca(row: dict) -> dict:
    return {"messages": [*_turns(_instruction(row), "user"), *_turns(row["output"], "assistant")]}


def _question_answer(row: dict) -> dict:
    return {"messages": [*_turns(row["question"], "user"), *_turns(row["answer"], "assistant")]}


def _prompt_from_question(row: dict) -> dict:
    """For an online method: the question, or Alpaca's instruction, is the prompt; the reward reads the rest."""
    return {**row, "prompt": _turns(row["question"] if "question" in row else _instruction(row), "user")}


def _prompt_from_messages(row: dict) -> dict:
    """For an online method: what comes before the last answer is the prompt, and `answer` holds that answer."""
    chat = _chat(row["messages"] if "messages" in row else row["conversations"])
    answers: list = []
    while chat and chat[-1]["role"] == "assistant":
        answers.insert(0, chat.pop()["content"])
    rest = {key: value for key, value in row.items() if key not in ("messages", "conversations")}
    return {"answer": "\n".join(map(str, answers)), **rest, "prompt": chat}


def _shared_prompt(row: dict) -> dict:
    """Preferences that repeat the prompt in both answers -> prompt, chosen, rejected."""
    chosen, rejected = _chat(row["chosen"]), _chat(row["rejected"])
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    return {**_aside(row), "prompt": chosen[:shared], "chosen": chosen[shared:], "rejected": rejected[shared:]}


def _chat_prompt(row: dict) -> dict:
    """Text beside conversations, single messages, ShareGPT keys -> all conversations, the prompt said once."""
    prompt = _turns(row["prompt"], "user")
    sides = {name: _turns(row[name], "assistant") for name in CHAT_COLUMNS[1:4] if name in row}
    if "chosen" in sides and sides["chosen"][0]["role"] != "assistant":
        return _shared_prompt(row)
    for name, turns in sides.items():
        sides[name] = turns[len(prompt) :] if turns[: len(prompt)] == prompt else turns
    return {**_aside(row), "prompt": prompt, **sides}


TRANSFORMS = {
    "sharegpt": _sharegpt,
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


def problem_of(row: dict, mapping: dict, method: str) -> str:
    """Why `row`, mapped, cannot train by `method`, or "". Trainers leave such rows out, as the report says."""
    try:
        return misfit(map_row(row, mapping), method)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        return f"{mapping.get('transform')} cannot read it ({type(error).__name__}: {error})"


def misfit(row: dict, method: str) -> str:
    """Why TRL (1.16) refuses a mapped row, trains it on nothing, or reads it wrongly; "" when it fits.

    The rules are those of `_prepare_dataset` in each of TRL's trainers and of `trl.data_utils`: the columns
    decide, `prompt` before `messages` before `text`, and a chat is a list of {role, content}.
    """
    if method == "sft" and "input_ids" in row:
        return "" if row["input_ids"] else "empty 'input_ids'"
    names = _columns_read(row, method)
    missing = [name for name in names if name not in row]
    if missing == ["text"]:
        return "Missing 'messages', 'prompt' or 'text' column"
    if missing:
        beside = " beside 'prompt', which TRL reads first" if names[0] == "prompt" and "prompt" in row else ""
        return f"Missing {' and '.join(map(repr, missing))} column{'s' * (len(missing) > 1)}{beside}"
    if "label" in names and row["label"] not in (True, False):  # 0 and 1 are equal to these
        return f"'label' is {row['label']!r}, not true or false"
    names = [name for name in names if name != "label"]
    problems = (_content_problem(name, row[name], "image" in row or "images" in row) for name in names)
    problem = next(filter(None, problems), "")
    chats = {name: isinstance(row[name], list) for name in CHAT_COLUMNS if name in row and method != "grpo"}
    if problem or len(set(chats.values())) > 1:
        listed, plain = ([name for name in chats if chats[name] is kind] for kind in (True, False))
        return problem or f"{', '.join(listed)} conversational, {', '.join(plain)} plain text: TRL needs one kind"
    if method == "sft" and chats.get(names[-1]) and all(turn["role"] != "assistant" for turn in row[names[-1]]):
        return f"no assistant turn in {names[-1]!r}"
    if "chosen" in names and chats["chosen"]:
        prompt, chosen, rejected = row.get("prompt"), row["chosen"], row["rejected"]
        if prompt and chosen[: len(prompt)] == prompt:
            return "'chosen' repeats the prompt"
        if not prompt and method != "reward" and (chosen[0] != rejected[0] or min(len(chosen), len(rejected)) < 2):
            return "'chosen' and 'rejected' share no prompt"
    return ""


def _columns_read(row: dict, method: str) -> list:
    if method == "grpo":
        return ["prompt"]
    if method in ("dpo", "reward") or (method == "kto" and "chosen" in row and "rejected" in row):
        return ["prompt", "chosen", "rejected"] if "prompt" in row else ["chosen", "rejected"]
    if method == "kto":
        return ["prompt", "completion", "label"]
    if "prompt" in row:
        return ["prompt", "completion"]
    return ["messages" if isinstance(row.get("messages"), list) else "text"]


def _content_problem(name: str, value, images: bool) -> str:
    if not value or (isinstance(value, str) and not value.strip()):
        return f"empty {name!r}"
    if isinstance(value, str) and name != "messages":
        return ""
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value) or name == "text":
        return f"{name!r} holds {type(value).__name__}, not text{' or messages' if name != 'text' else ''}"
    for turn in value:
        role, content = turn.get("role"), turn.get("content")
        if role not in CHAT_ROLES:
            keys = ", ".join(turn) if role is None else f"{role!r}"
            return f"{name!r} has {'a message with the keys' if role is None else 'the role'} {keys}"
        if content is None or (not str(content).strip() and role != "system"):
            if not turn.get("tool_calls"):
                return f"empty message in {name!r}"
        elif not isinstance(content, str) and not images:
            return f"{name!r} has a message whose content is {type(content).__name__}, not text"
    return ""


def prompt_text(row: dict) -> str:
    """What the model is given in a mapped row: the prompt, or all turns before the last answer, or the text."""
    given = row.get("prompt") or row.get("messages") or row.get("chosen") or row.get("text") or ""
    if isinstance(given, str):
        return given
    turns = [turn for turn in given if turn["role"] != "system"]
    if "prompt" not in row and turns and turns[-1]["role"] == "assistant":
        turns = turns[:-1]
    return "\n".join(str(turn.get("content") or "") for turn in turns)


def group_of(row: dict, exact: bool = False) -> str:
    """The group of a mapped row: rows whose prompts differ only in case, digits, punctuation and spaces.

    Rows of one group go to one side of a split: a copy of a training row in the test set measures memory.
    With `exact`, for data whose digits are the content (sums), only equal prompts make a group.
    """
    text = prompt_text(row)
    if not exact:
        text = " ".join(_re.findall(r"\w+", _re.sub(r"\d+", "0", text.lower())))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def draw_of(group: str, seed: int) -> float:
    """A number from 0 to 1 that the hash of a group draws for it, whatever other groups there are."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big") / 2**64


def is_held_out(group: str, fraction: float, seed: int) -> bool:
    """Whether a group belongs to the held-out part: by its hash, so that added rows move no old one."""
    return draw_of(group, seed) < fraction


def held_out(row: dict, split: dict) -> bool:
    """Whether a mapped row belongs to the held-out part of a dataset report's `split` by group or prompt.

    `split["same"]` {group: group} joins groups whose prompts are near duplicates, as the inspector found them.
    """
    group = group_of(row, exact=split["key"] == "prompt")
    return is_held_out(split.get("same", {}).get(group, group), split["fraction"], split["seed"])


# endregion skillpack:data
