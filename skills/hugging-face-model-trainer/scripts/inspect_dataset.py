# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "datasets>=5.2,<6",
#   "huggingface_hub>=2.4,<3",
#   "transformers>=5.23,<6",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Which training methods a dataset fits, what it holds, and how to split it: before anything is spent.

Reads a Hub id, a jsonl, json, csv or parquet file, or a folder of such files, by a sample of rows from all
over it. Each method is READY (TRL trains on the rows as they are), MAPPABLE (the trainers of this skill apply
the mapping that the report holds) or INCOMPATIBLE. Writes dataset-report.json, which plan_run.py reads.

examples:
  python scripts/inspect_dataset.py chats.jsonl --model Qwen/Qwen3-0.6B
  python scripts/inspect_dataset.py openai/gsm8k --config main --method grpo --json
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

import time
from collections import Counter
from itertools import pairwise

METHODS = ("sft", "dpo", "grpo", "reward", "kto")
LENGTHS = (512, 1024, 2048, 4096)  # tokens, for the percent of rows that a limit cuts
BLOCKS = 32  # places of a large source that rows are taken from
KEPT_BYTES = 64 << 20  # of rows in memory: as Python objects they take several times that
DECODED_ROWS = 2_000_000  # of a large Parquet or CSV file, so that a first answer never waits for all of it
ARRAY_BYTES = 100 << 20  # a JSON array is parsed whole
COUNTED_CHARACTERS = 16_000_000  # that a tokenizer is given, some 15 s of work; longer samples are thinned out
LONG_TEXT = 200_000  # characters; of a longer text this much is counted, and the rest in proportion
TEST_SPLITS = ("test", "validation", "valid", "eval", "dev")
NEEDS = {
    "sft": "'messages' (role, content), or 'prompt' and 'completion', or 'text'",
    "dpo": "'chosen' and 'rejected', better with 'prompt'",
    "grpo": "'prompt', and what the reward function needs to judge an answer",
    "reward": "'chosen' and 'rejected', better with 'prompt'",
    "kto": "'prompt', 'completion' and 'label' (true or false), or 'chosen' and 'rejected'",
}
ALIASES = {
    "messages": ("conversations", "conversation", "chat", "dialogue", "dialog"),
    "text": ("content", "document", "body"),
    "prompt": ("instruction", "question", "query", "input", "problem", "conversations"),
    "question": ("query", "problem", "prompt"),
    "answer": ("response", "solution", "output", "completion"),
    "output": ("response", "completion", "answer"),
    "completion": ("response", "output", "answer"),
    "chosen": ("preferred", "accepted", "chosen_response", "response_chosen"),
    "rejected": ("dispreferred", "non_preferred", "rejected_response", "response_rejected"),
    "label": ("desirable", "thumbs_up"),
}
CANDIDATES = {  # method -> (transform, the columns it reads), in the order of preference
    "sft": (
        ("sharegpt", ("messages",)),
        ("alpaca", ("instruction", "output")),
        ("question-answer", ("question", "answer")),
        (None, ("prompt", "completion")),
        ("chat-prompt", ("prompt", "completion")),
        (None, ("text",)),
    ),
    "dpo": (
        ("shared-prompt", ("chosen", "rejected")),
        (None, ("prompt", "chosen", "rejected")),
        ("chat-prompt", ("prompt", "chosen", "rejected")),
    ),
    "grpo": (
        ("prompt-from-messages", ("messages",)),
        ("prompt-from-question", ("instruction",)),
        ("prompt-from-question", ("question",)),
    ),
    "kto": ((None, ("prompt", "completion", "label")), ("chat-prompt", ("prompt", "completion", "label"))),
}
CANDIDATES["reward"] = CANDIDATES["dpo"]
CANDIDATES["kto"] += CANDIDATES["dpo"]
FINAL_NUMBER = re.compile(r"(.*####\s*)?[-+$]?\d[\d.,/]*\s*%?\.?|.*\\boxed\{[^\n]+", re.S)  # alone, or last
TESTS = re.compile(r"\bassert\b|\bdef test|unittest|[\"']inputs?[\"']")
TEST_COLUMNS = ("test", "tests", "test_list", "test_cases", "unit_tests", "public_tests", "input_output")
ANSWER_COLUMNS = ("answer", "solution", "final_answer", "ground_truth", "target")
NUMBER_LABELS, WORD_LABELS = 16, 100  # different answers at most, each of five rows on average: labels


def bar(items, what: str):
    from tqdm import tqdm

    return tqdm(items, desc=what, disable=not sys.stderr.isatty(), file=sys.stderr)


def evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` of the numbers below `count`, spread over all of them."""
    return list(range(count)) if count <= wanted else [count * i // wanted for i in range(wanted)]


# Reading: every reader gives ([(where, row)], total number of rows or None).


def read_file(path: Path, limit: int):
    if path.suffix not in FILE_FORMATS:
        known = ", ".join(FILE_FORMATS)
        raise Failure(f"{path}: unknown extension {path.suffix!r}", f"give one of {known}, or a Hub id", EXIT_USAGE)
    if not path.is_file():
        raise Failure(f"no file {path}", "give the path of a file, or a Hub id like org/name", EXIT_USAGE)
    if path.stat().st_size == 0:
        raise Failure(f"{path} is empty", "give a file with rows", EXIT_USAGE)
    return {"parquet": read_parquet, "csv": read_csv, "json": read_json}[FILE_FORMATS[path.suffix]](path, limit)


def read_parquet(path: Path, limit: int):
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20)  # a row group is never held whole
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        everything = sum(g.total_byte_size for g in groups) <= KEPT_BYTES and file.metadata.num_rows <= limit
        chosen = evenly(len(groups), len(groups) if everything else BLOCKS)
        starts, rows = [0], []
        for group in groups:
            starts.append(starts[-1] + group.num_rows)
        for index in bar(chosen, "reading"):
            count, kept, position = groups[index].num_rows, 0, 0
            window = count if everything else min(count, DECODED_ROWS // len(chosen))
            wanted = {window * i // n for n in [min(window, -(-limit // len(chosen)))] for i in range(n)}
            quota = KEPT_BYTES // len(chosen)
            size = max(1, min(1024, quota * count // max(1, 4 * groups[index].total_byte_size)))
            for batch in file.iter_batches(size, row_groups=[index], use_threads=False):
                hits = [i for i in range(len(batch)) if position + i in wanted]
                if hits:
                    taken = batch.take(pyarrow.array(hits))
                    kept += taken.nbytes
                    rows += [
                        (f"row {starts[index] + position + i + 1}", row)
                        for i, row in zip(hits, taken.to_pylist(), strict=True)
                    ]
                position += len(batch)
                if position >= window or (kept > quota and not everything):
                    break
    except (pyarrow.ArrowException, OSError) as error:
        raise Failure(f"{path}: not readable as Parquet: {error}", "write the file again", EXIT_USAGE) from None
    return rows, file.metadata.num_rows


def read_csv(path: Path, limit: int):
    import pandas  # as `datasets` reads csv, so that columns get the same types

    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(1 << 20)
    line_bytes = len(head) / (head.count(b"\n") + 1)
    stride = max(1, round(size / line_bytes / limit), size // KEPT_BYTES)
    rows, total = [], 0
    try:
        for chunk in pandas.read_csv(path, chunksize=max(100, min(10_000, int((16 << 20) / line_bytes)))):
            taken = chunk.iloc[-total % stride :: stride]
            records = taken.astype(object).where(taken.notna(), None).to_dict("records")
            rows += [(f"row {number + 1}", row) for number, row in zip(taken.index, records, strict=True)]
            total += len(chunk)
            if total >= DECODED_ROWS:
                return rows, None
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError) as error:
        raise Failure(f"{path}: not readable as csv: {error}".strip(), "correct that line", EXIT_USAGE) from None
    return rows, total


def not_utf8(path: Path) -> Failure:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                where = f"{path}: line {number}: byte 0x{line[error.start]:02x} is not UTF-8"
                fix = f"convert it: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8{path.suffix}"
                return Failure(where, f"{fix} (or from the encoding that wrote it)", EXIT_USAGE)
    return Failure(f"{path}: not UTF-8", "convert it with iconv", EXIT_USAGE)


def read_json(path: Path, limit: int):
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(1 << 10).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[":
            if size > ARRAY_BYTES:
                raise Failure(
                    f"{path}: a JSON array of {size >> 20} MB must be held whole in memory",
                    f"write one row a line: jq -c '.[]' {path.name} > {path.stem}.jsonl",
                    EXIT_USAGE,
                )
            array = parse_json(path.read_bytes(), path, "array")
            rows = [(f"row {number}", check_object(row, path, f"row {number}")) for number, row in enumerate(array, 1)]
            return [rows[index] for index in evenly(len(rows), limit)], len(rows)
        file.seek(0)
        total = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
        file.seek(0)
        stride = max(1, -(-total // limit), size // KEPT_BYTES)
        rows, number = [], 0
        for number, line in enumerate(file, 1):
            if (number - 1) % stride == 0 and line.strip():
                where = f"line {number}"
                rows.append((where, check_object(parse_json(line, path, where), path, where)))
    return rows, len(rows) if stride == 1 else number


def parse_json(data: bytes, path: Path, where: str):
    try:
        return json.loads(data)
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path}: {where}: not JSON: {error}", "correct or delete it", EXIT_USAGE) from None


def check_object(row, path: Path, where: str) -> dict:
    if not isinstance(row, dict):
        raise Failure(f"{path}: {where} holds {type(row).__name__}, not an object", "one row a line", EXIT_USAGE)
    return row


def open_splits(name: str, config: str | None, revision: str | None):
    """({split: rows as `datasets` streams them}, the revision found or None) of a Hub id or a local folder."""
    import datasets
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HTTPError, OfflineModeIsEnabled, RepositoryNotFoundError
    from huggingface_hub.errors import HFValidationError, RevisionNotFoundError  # fmt: skip

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what it raises says the same
    if not Path(name).is_dir():
        try:  # one request, answered at once, where `datasets` retries for half a minute
            revision = HfApi().dataset_info(name, revision=revision, timeout=20).sha
        except GatedRepoError:
            fix = f"accept its terms on its page ({name}), then log in: hf auth login"
            raise Failure(f"dataset {name} is gated", fix, EXIT_USAGE) from None
        except RepositoryNotFoundError:
            fix = "check the name; a private dataset needs a token that may read it: hf auth login, or HF_TOKEN"
            raise Failure(f"no dataset {name} on the Hub for this account", fix, EXIT_USAGE) from None
        except RevisionNotFoundError:
            raise Failure(f"dataset {name} has no revision {revision!r}", "check --revision", EXIT_USAGE) from None
        except HFValidationError:
            fix = "give a Hub id like org/name, or the path of a file that exists"
            raise Failure(f"{name!r} is no Hub id, and no such file exists", fix, EXIT_USAGE) from None
        except OfflineModeIsEnabled:
            pass  # what is in the cache can still be read
        except HTTPError as error:
            fix = "check the network and HF_ENDPOINT, or give a local file"
            raise Failure(f"the Hub did not answer for {name}: {error}", fix) from None
    try:
        return dict(datasets.load_dataset(name, config, revision=revision, streaming=True)), revision
    except ConnectionError as error:
        raise Failure(str(error), "unset HF_HUB_OFFLINE, check the network, or give a local file") from None
    except (ValueError, OSError, RuntimeError) as error:  # unknown config (the message lists them), no data files
        text = str(error).strip()
        raise Failure(f"{name}: {text}", "choose with --config, or give a file", EXIT_USAGE) from None


def read_split(rows, name: str, limit: int):
    shards, kept, total = rows.num_shards, [], None
    if rows.info.splits and name in rows.info.splits:
        total = rows.info.splits[name].num_examples or None
    chosen = evenly(shards, 8)
    rows = rows.decode(False) if rows.features else rows
    try:
        for index in bar(chosen, "reading"):
            part = rows.shard(shards, index) if shards > 1 else rows
            spent, before = 0, len(kept)
            for number, row in enumerate(part.take(-(-limit // len(chosen)) + 1), 1):
                spent += len(str(row))
                if len(kept) - before >= -(-limit // len(chosen)) or spent > KEPT_BYTES // len(chosen):
                    break
                kept.append((f"row {number}" + f" of shard {index + 1}" * (shards > 1), row))
            else:
                total = len(kept) if shards == 1 else total
    except (ValueError, OSError, RuntimeError) as error:  # what `datasets` raises for data that it cannot read
        cause = error.__cause__ or error
        raise Failure(f"split {name}: {cause}", "correct the file that it names", EXIT_USAGE) from None
    return kept, total


# Judging.


def candidates(columns: list[str], method: str) -> list[dict]:
    """Mappings that could make rows with `columns` fit `method`, the plainest first."""
    found: list[dict] = [{}]
    for transform, needed in CANDIDATES[method]:
        rename: dict[str, str] = {}
        for column in needed:
            if column not in columns:
                free = [name for name in ALIASES.get(column, ()) if name in columns and name not in rename]
                rename |= {free[0]: column} if free else {}
        if all(column in columns or column in rename.values() for column in needed):
            if needed == ("text",) and "prompt" in columns:
                rename["prompt"] = "prompt_column"  # TRL reads prompt-completion wherever it sees a prompt
            mapping = {"rename": rename} if rename else {}
            found.append({**mapping, "transform": transform} if transform else mapping)
    return [mapping for index, mapping in enumerate(found) if mapping not in found[:index]]


def judge(rows: list, columns: list[str], method: str) -> dict:
    """The verdict of one method over all examined rows; candidates are chosen by 200 of them."""
    trial = [rows[index][1] for index in evenly(len(rows), 200)]
    tried = candidates(columns, method)
    refused = [Counter(problem_of(row, mapping, method) for row in trial) for mapping in tried]
    best = max(range(len(tried)), key=lambda index: refused[index][""])
    mapping = tried[best]
    places: dict[str, list[str]] = {}
    for where, row in rows if refused[best][""] else []:
        if problem := source_problem(row, mapping, method):
            places.setdefault(problem, []).append(where)
    problems = sorted(places.items(), key=lambda item: -len(item[1]))
    misfits = sum(map(len, places.values()))
    asis = next((problem for problem, _ in refused[0].most_common() if problem), "")
    if refused[best][""] == 0 or misfits * 2 > len(rows):
        return {"verdict": "INCOMPATIBLE", "reason": asis or problems[0][0], "needs": NEEDS[method]}
    if not mapping and not problems:
        return {"verdict": "READY", "reason": describe(columns, rows[0][1], method), "mapping": {}}
    reasons = [describe(columns, rows[0][1], method) if not mapping else f"{asis or 'Some rows do not fit'} as it is"]
    if mapping:
        renamed = [f"column '{old}' read as '{new}'" for old, new in mapping.get("rename", {}).items()]
        transform = [f"transform '{mapping['transform']}'"] if "transform" in mapping else []
        reasons.append(f"the mapping makes it fit: {', '.join(renamed + transform)}")
    if method == "sft" and mapping.get("transform") == "sharegpt" and trl_converts(rows):
        return {"verdict": "READY", "reason": "Found 'conversations' with ShareGPT keys", "mapping": mapping}
    verdict = {"verdict": "MAPPABLE", "mapping": mapping}
    if problems:
        verdict["mapping"] = {**mapping, "leave_out_misfits": True}
        verdict["problems"] = [
            {"problem": problem, "rows": len(where), "first": where[0], "where": where[:100]}
            for problem, where in problems[:5]
        ]
        listed = "; ".join(f"{problem}: {listing(where)}" for problem, where in problems[:5])
        reasons.append(f"{misfits} of {len(rows)} rows do not fit and are left out ({listed})")
    return {**verdict, "reason": "; ".join(reasons)}


def source_problem(row: dict, mapping: dict, method: str) -> str:
    """`problem_of`, in the words of the source: the mapped columns are not in the user's file."""
    problem = problem_of(row, mapping, method)
    if not problem or not mapping:
        return problem
    old = {new: name for name, new in mapping.get("rename", {}).items()}
    transform = mapping.get("transform")
    needed = ([old.get(column, column) for column in read] for name, read in CANDIDATES[method] if name == transform)
    read = next((names for names in needed if all(name in row for name in names)), [])
    plain = (name for name in read if row[name] is None or row[name] == [] or isinstance(row[name], str))
    if found := next(filter(None, (_content_problem(name, row[name], images=False) for name in plain)), ""):
        return found
    sources = " and ".join(map(repr, read))

    def named(match: re.Match) -> str:
        name = match[1]
        if name in row or name not in (*CHAT_COLUMNS, *old):
            return match[0]
        return repr(old[name]) if name in old else f"{match[0]} (made from {sources})"

    return re.sub(r"'(\w+)'", named, problem.replace("cannot read it", f"cannot read {sources}"))


def listing(where: list[str]) -> str:
    """["row 3", "row 9"] -> "rows 3, 9", the first ten."""
    kind = where[0].split()[0]
    numbers = ", ".join(place.removeprefix(f"{kind} ") for place in where[:10])
    return f"{kind}{'s' * (len(where) > 1)} {numbers}" + f" and {len(where) - 10} more" * (len(where) > 10)


def trl_converts(rows: list) -> bool:
    """Whether TRL itself turns these `conversations` into messages: from/value, with the roles of templates."""
    return all(
        isinstance(row.get("conversations"), list)
        and "prompt" not in row
        and all(m.get("from") in CHAT_ROLES and m.get("value") for m in row["conversations"])
        for _, row in rows
    )


def describe(columns: list[str], row: dict, method: str) -> str:
    names = ["input_ids"] if method == "sft" and "input_ids" in columns else _columns_read(row, method)
    chat = any(isinstance(row.get(name), list) for name in names) and names != ["input_ids"]
    listed = " and ".join(f"'{name}'" for name in names)
    return f"Found {listed} column{'s' * (len(names) > 1)} with {'conversation' if chat else 'plain'} format"


def recommend(verdicts: dict, rows: list) -> dict:
    """The method that the columns were made for, and why; None when nothing fits."""
    fits = [method for method in METHODS if verdicts[method]["verdict"] != "INCOMPATIBLE"]
    if "dpo" in fits:
        return {"method": "dpo", "why": "rows hold a chosen and a rejected answer, which DPO compares"}
    if "kto" in fits:
        return {"method": "kto", "why": "every answer carries a label that says whether it is good, and none is paired"}
    checked, labels = checkable(rows)
    if "grpo" in fits and checked:
        also = "; SFT on the answers as they are written fits too" if "sft" in fits else ""
        return {"method": "grpo", "why": f"{checked}: code can check them{also}"}
    if "sft" in fits:
        why = labels or "rows show answers to imitate, and no preference or checkable answer"
        return {"method": "sft", "why": why}
    if "grpo" in fits:
        return {"method": "grpo", "why": "there are prompts and no answers to imitate; write a reward function"}
    return {"method": fits[0] if fits else None, "why": "the only one that fits" if fits else "no method fits"}


def checkable(rows: list) -> tuple[str, str]:
    """(what of the rows code can check, or ""; what says that their answers are labels, or "").

    A number that ends a solution can be checked and seldom guessed. A label is no such thing: there are few, each
    answers many rows, and imitating them is what SFT does.
    """
    columns = rows[0][1]
    for column in (name for name in TEST_COLUMNS if name in columns):
        share = sum(bool(TESTS.search(str(row[column]))) for _, row in rows) / len(rows)
        if share >= 0.9:
            return f"{share:.0%} of '{column}' hold tests to run an answer against", ""
    column = next((name for name in ANSWER_COLUMNS if name in columns), "")
    given = [text for _, row in rows if column and row[column] is not None and (text := str(row[column]).strip())]
    different, share = len(set(given)), sum(bool(FINAL_NUMBER.fullmatch(text)) for text in given) / max(1, len(given))
    if different and 5 * different <= len(given) and different <= (NUMBER_LABELS if share >= 0.9 else WORD_LABELS):
        return "", f"'{column}' is one of {different} labels, each of many rows: SFT learns to give them"
    return f"{share:.0%} of '{column}' are a number or end with one" if share >= 0.9 else "", ""


# Measuring: rows are mapped and fit from here on.


def sequences(row: dict, method: str | None) -> list[tuple]:
    """[(given, answer)] that the trainer makes of a mapped row: lists of messages, or text."""
    if method == "grpo":
        return [(row["prompt"], row["prompt"][:0])]
    if "chosen" in row and method != "sft":
        prompt = row.get("prompt") or row["chosen"][:0]
        return [(prompt, row["chosen"]), (prompt, row["rejected"])]
    if "prompt" in row:
        return [(row["prompt"], row["completion"])]
    if "messages" in row:
        turns = row["messages"]
        first = next((i for i, turn in enumerate(turns) if turn["role"] == "assistant"), len(turns))
        return [(turns[:first], turns[first:])]
    return [("", row["text"])]


def out_of_order(turns: list, answered: bool) -> str:
    """What an alternating chat template would refuse, or an answer that is missing; "" when in order."""
    roles = [turn["role"] for turn in turns]
    if any(role in ("system", "developer") for role in roles[1:]):
        return "a system turn after the first"
    talk = [role for role in roles if role not in ("system", "developer")]
    if talk[:1] == ["assistant"]:
        return "starts with the assistant"
    if any(a == b == "user" or a == b == "assistant" for a, b in pairwise(talk)):
        return "two turns of one role in a row"
    return "ends without an answer" if answered and talk[-1:] != ["assistant"] else ""


class Estimate:
    """Counts tokens without a tokenizer: one per 4 ASCII characters, one per other character, 5 per turn."""

    limit = sys.maxsize
    name = "an estimate: 1 token per 4 ASCII characters, 1 per other character, 5 per turn (give --model to count)"
    refused: Counter = Counter()  # noqa: RUF012 - nothing refuses an estimate

    def count(self, texts: list) -> list[int]:
        return [
            sum(map(self.one, text)) + 5 * len(text) if isinstance(text, list) else self.one(text) for text in texts
        ]

    def one(self, text) -> int:
        text = text if isinstance(text, str) else str(text.get("content") or "")
        plain = len(text.encode("ascii", "ignore"))
        return -(-plain // 4) + len(text) - plain


class Tokenizer:
    """Counts tokens as the model sees them, conversations through its chat template."""

    limit = COUNTED_CHARACTERS

    def __init__(self, model: str) -> None:
        import logging

        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        from transformers import AutoTokenizer

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(model)
        except (OSError, ValueError) as error:
            fix = "give a model's Hub id or its folder"
            raise Failure(f"no tokenizer of {model}: {str(error).splitlines()[0]}", fix, EXIT_USAGE) from None
        logging.getLogger("transformers").setLevel(logging.ERROR)
        self.name = f"the tokenizer of {model}, conversations through its chat template"
        self.refused: Counter[str] = Counter()

    def count(self, texts: list) -> list[int]:
        """Tokens of each text or conversation; -1 where the template refuses."""
        from jinja2.exceptions import TemplateError

        rendered, lengths = [], []
        for text in texts:
            chat = isinstance(text, list)
            try:
                turns = self.tokenizer.apply_chat_template(
                    text, tokenize=False, add_generation_prompt=text[-1]["role"] != "assistant"
                ) if chat and text else text or ""  # fmt: skip
            except (TemplateError, TypeError, ValueError) as error:
                self.refused[str(error).splitlines()[0][:200]] += 1
                turns = None
            rendered.append((turns or "")[:LONG_TEXT])
            lengths.append((None if turns is None else len(turns), chat))
        tokens = self.tokenizer(rendered, add_special_tokens=False, return_attention_mask=False)["input_ids"]
        return [
            -1 if length is None else round(len(ids) * max(1, length / LONG_TEXT)) + (not chat and length > 0)
            for ids, (length, chat) in zip(tokens, lengths, strict=True)
        ]  # a plain text ends with the end-of-text token that TRL adds


def measure_tokens(rows: list[dict], method: str | None, counter, max_length: int) -> tuple[dict, int]:
    """(the report's `tokens`, rows that the chat template refuses).

    Of a preference pair the longer answer gives the row's length, and both carry loss. For GRPO, which draws the
    answers itself, these are the lengths of the prompts; for `method` None, of plain text. Neither has a loss.
    """
    import numpy

    sizes = [min(LONG_TEXT, len(str(row))) for row in rows]
    if sum(sizes) > counter.limit:
        thinned = {*evenly(len(rows), max(1, len(rows) * counter.limit // sum(sizes))), sizes.index(max(sizes))}
        rows, sizes = ([of[index] for index in sorted(thinned)] for of in (rows, sizes))
    batches: list[list[dict]] = []
    room = 0
    for row, size in zip(rows, sizes, strict=True):
        if size > room or len(batches[-1]) == 256:
            batches.append([])
            room = max(size, 500_000)  # characters: what a tokenizer answers takes a hundred times their size
        batches[-1].append(row)
        room -= size
    lengths, trained, masked = [], [], 0
    for batch in bar(batches, "counting tokens"):
        pairs = [(i, pair) for i, row in enumerate(batch) if "input_ids" not in row for pair in sequences(row, method)]
        wholes = counter.count([given + answer for _, (given, answer) in pairs])
        givens = counter.count([given for _, (given, _) in pairs])
        answers = counter.count([
            "".join(str(turn.get("content") or "") for turn in answer if turn["role"] == "assistant")
            if isinstance(answer, list) and len(answer) > 1 else ""
            for _, (_, answer) in pairs
        ])  # fmt: skip
        for index, row in enumerate(batch):
            mine = [(w, g, a) for (i, _), w, g, a in zip(pairs, wholes, givens, answers, strict=True) if i == index]
            if "input_ids" in row:
                mine = [(len(row["input_ids"]), 0, 0)]
            if any(whole < 0 for whole, _, _ in mine):
                continue
            lengths.append(max(whole for whole, _, _ in mine))
            loss = sum(answer or whole - given for whole, given, answer in mine)
            trained.append(loss)
            masked += loss <= 0 or all(given >= max_length for _, given, _ in mine)
    if not lengths:
        return {"counted_with": counter.name, "rows": len(rows), "mean": 0, "p50": 0, "p95": 0, "max": 0}, len(rows)
    p50, p95 = numpy.percentile(lengths, [50, 95]).round().astype(int).tolist()
    nearest = {-(-tokens // 64) * 64 for tokens in (p95, max(lengths))}  # of which the plan takes the second
    limits = sorted({*LENGTHS, max_length, *nearest})
    cut = {str(at): 100 * sum(n > at for n in lengths) / len(lengths) for at in limits}
    tokens = {
        "counted_with": counter.name,
        "rows": len(rows),
        "mean": round(sum(lengths) / len(lengths), 1),
        "p50": p50,
        "p95": p95,
        "max": max(lengths),
        "max_length": max_length,
        "percent_cut": {at: round(percent, 2) for at, percent in cut.items()},
    }
    if method not in ("grpo", None):
        tokens |= {"trained_mean": round(sum(trained) / len(trained), 1), "fully_masked_rows": masked}
    return tokens, len(rows) - len(lengths)


def near_duplicates(texts: dict[str, str], threshold: float = 0.6) -> dict[str, str]:
    """{group: the group it is nearly the same as} among {group: prompt}.

    MinHash (Broder 1997) of words and pairs of words, 64 hashes in 32 bands; groups that share a band and agree
    on `threshold` of the hashes are one. Words that stand in a fifth of all prompts are a template's and not
    compared. Memory: 64 hashes and at most 400 numbers a prompt.
    """
    import zlib

    import numpy

    shingles = []
    for text in bar(texts.values(), "near duplicates"):
        words = _re.findall(r"\w+", _re.sub(r"\d+", "0", text[:4000].lower()))[:200]
        single = numpy.array([zlib.crc32(word.encode("utf-8", "replace")) for word in words], dtype=numpy.uint32)
        shingles.append(numpy.unique(numpy.concatenate([single, single[:-1] * numpy.uint32(31) + single[1:]])))
    seen, counts = numpy.unique(numpy.concatenate(shingles), return_counts=True)
    template = seen[counts > max(10, len(texts) / 5)]
    random = numpy.random.default_rng(0)
    factor = random.integers(1, 2**63, size=(64, 1), dtype=numpy.uint64) * numpy.uint64(2) + numpy.uint64(1)
    signatures, buckets, same = {}, {}, {}

    def root(name: str) -> str:
        while name in same:
            name = same[name]
        return name

    for name, shingle in zip(texts, shingles, strict=True):
        own = numpy.setdiff1d(shingle, template, assume_unique=True)
        if len(own) < 6:
            continue  # too short to tell
        signatures[name] = ((own.astype(numpy.uint64) * factor) >> numpy.uint64(32)).min(axis=1)
        for band in range(32):
            other = buckets.setdefault((band, signatures[name][2 * band : 2 * band + 2].tobytes()), name)
            alike = (signatures[other] == signatures[name]).mean() >= threshold
            if alike and root(other) != root(name):
                same[root(name)] = root(other)
    return {name: root(name) for name in same}


def find_groups(rows: list[dict]) -> tuple[dict, dict, Counter]:
    """(statistics, split without its side, rows of each group): prompts that belong together, and what says so."""
    exact = Counter(group_of(row, exact=True) for row in rows)
    texts: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    for row in rows:
        group = group_of(row)
        sizes[group] += 1
        texts.setdefault(group, prompt_text(row))
    split: dict = {"key": "group", "same": {}}
    joined: Counter[str] = Counter()
    if len(exact) > 2 * len(sizes) and max(sizes.values()) > len(rows) / 4:
        split["key"], sizes, joined = "prompt", exact, exact
    else:
        same = near_duplicates(texts)
        for group, count in sizes.items():
            joined[same.get(group, group)] += count
        if max(joined.values()) > max(len(rows) / 4, max(sizes.values())):
            joined = sizes  # one chain through most of the data says that its prompts are alike, not the same
        else:
            split["same"] = same
    stats = {
        "groups": len(joined),
        "repeated_prompts": len(rows) - len(exact if split["key"] == "prompt" else sizes),
        "near_duplicate_groups": len(split["same"]),
        "largest_group": max(joined.values()),
    }
    return stats, split, joined


def propose_split(split: dict, sizes: Counter, seed: int, scale: float) -> dict:
    """The held-out part by group: its size, and the first seed from `seed` on whose part comes near that size.

    `sizes` {group: rows examined}; `scale`: rows of the source for each row examined.
    """
    rows = sizes.total()
    fraction = 0.2 if len(sizes) < 300 else 0.1 if len(sizes) < 10_000 else 0.05

    def draw(seed: int) -> list[int]:
        return [count for group, count in sizes.items() if is_held_out(group, fraction, seed)]

    near = (chosen for chosen in range(seed, seed + 20) if 0.7 <= sum(draw(chosen)) / rows / fraction <= 1.3)
    chosen = next(near, seed)
    held = draw(chosen)
    if split["key"] == "prompt":
        why = "rows differ in their digits only, so equal prompts, and only these, stay on one side"
    elif len(sizes) < rows:
        why = f"{rows} rows are {len(sizes)} different prompts: a split by rows would test on what was trained on"
    else:
        why = "no two prompts are alike; the hash of the prompt decides, so that added rows move no old one"
    return {
        **split,
        "fraction": fraction,
        "seed": chosen,
        "held_out_split": None,
        "train_rows": round((rows - sum(held)) * scale),
        "held_out_rows": round(sum(held) * scale),
        "held_out_groups": len(held),
        "why": why,
    }


# Reporting.


def type_name(values: list) -> str:
    value = next((value for value in values if value is not None), None)
    if isinstance(value, list):
        inner = value[0] if value else None
        return f"list of {{{', '.join(inner)}}}" if isinstance(inner, dict) else f"list of {type(inner).__name__}"
    return {"str": "string", "NoneType": "empty"}.get(type(value).__name__, type(value).__name__)


def print_statistics(report: dict) -> None:
    rows, tokens, split, method = report["rows"], report["tokens"], report["split"], report["measured_as"]
    total = "an unknown number" if rows["total"] is None else f"{rows['total']:,}"
    left_out = f"{rows['misfits']} left out" + f" ({rows['empty']} of them empty)" * (rows["misfits"] > 0)
    asked = report["recommended"]["why"] == "as asked"
    say(
        f"\n{'Method' if asked else 'Recommended'}: {(report['recommended']['method'] or 'none').upper()}: "
        f"{report['recommended']['why']}{', and it does not fit' * (asked and not method)}"
    )
    say(f"Rows: {rows['examined']:,} examined of {total}; {left_out if method else 'all read as plain text'}")
    say(
        f"Copies: {rows['duplicates']} exact duplicates; {rows['repeated_prompts']} rows repeat another's prompt"
        f"{' up to case, digits and punctuation' * (split['key'] != 'prompt')}"
    )
    say(
        f"Prompts: {rows['groups']:,} groups, the largest of {rows['largest_group']} rows; "
        f"{rows['near_duplicate_groups']} joined as near duplicates; {rows['out_of_order']} with roles out of order"
    )
    only = ", prompts only (GRPO draws the answers itself)" * (method == "grpo")
    say(
        f"Tokens of {tokens['rows']:,} rows{only}: p50 {tokens['p50']}, p95 {tokens['p95']}, max {tokens['max']}; "
        f"by {tokens['counted_with']}"
    )
    if "percent_cut" in tokens:
        label, at = ("Longer", "than") if only else ("Cut", "at")
        whole = -(-tokens["max"] // 64) * 64
        say(f"{label}: " + ", ".join(f"{percent} % {at} {limit}" for limit, percent in tokens["percent_cut"].items())
            + f"; the plan takes {min(whole, 4096)}, or what the model allows, unless --max-length")  # fmt: skip
    if "trained_mean" in tokens:
        say(
            f"Loss: {tokens['trained_mean']} tokens a row carry it; "
            f"{tokens['fully_masked_rows']} rows have none within {tokens['max_length']}"
        )
    train, held = split["train_rows"], split["held_out_rows"]
    if split["held_out_split"]:
        say(f"Split: {train:,} rows to train on, {held:,} of split {split['held_out_split']} held out: {split['why']}")
    else:
        about = "about " * (rows["total"] not in (None, rows["examined"]))
        share, of_groups = held / (train + held), split["held_out_groups"] / rows["groups"]
        say(
            f"Split: {about}{held:,} of {train + held:,} rows held out ({100 * share:.0f} %; {100 * of_groups:.0f} % "
            f"of the {split['key']}s), seed {split['seed']}: {split['why']}"
        )


def main(argv: list[str]) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("dataset", help="a Hub id, a jsonl, json, csv or parquet file, or a folder of them")
    arguments.add_argument("--config", help="configuration of a dataset that has several")
    arguments.add_argument("--split", default="train", help="split to inspect (default: train)")
    arguments.add_argument("--revision", help="branch, tag or commit on the Hub")
    arguments.add_argument("--method", choices=METHODS, help="the method you want; the exit code says whether it fits")
    arguments.add_argument("--model", help="count tokens with this model's tokenizer and chat template")
    arguments.add_argument("--max-length", type=int, default=1024, help="where training cuts a row (default: 1024)")
    arguments.add_argument("--max-rows", type=int, default=20_000, help="rows to examine (default: 20000)")
    arguments.add_argument("--seed", type=int, default=0, help="of the proposed split (default: 0)")
    arguments.add_argument("--out", type=Path, default=Path("dataset-report.json"), help="where the report goes")
    arguments.add_argument("--no-write", action="store_true", help="write no report")
    arguments.add_argument("--json", action="store_true", help="print the report, and nothing else, on standard output")
    args = arguments.parse_args(argv)
    if args.max_rows < 1 or args.max_length < 1:
        raise Failure("--max-rows and --max-length are at least 1", "give a larger number", EXIT_USAGE)
    tell = (lambda text: None) if args.json else say

    path, tests, revision = Path(args.dataset).expanduser(), {}, None
    local_file = path.suffix in FILE_FORMATS or path.is_file() or path.is_absolute()
    if local_file and not path.is_dir():
        if (args.config, args.split, args.revision) != (None, "train", None):
            raise Failure("a file has one split and no config or revision", "leave these options out", EXIT_USAGE)
        rows, total = read_file(path, args.max_rows)
        name = str(path)
    else:
        name = str(path) if path.is_dir() else args.dataset
        splits, revision = open_splits(name, args.config, args.revision)
        if args.split not in splits:
            fix = f"choose with --split: {', '.join(splits)}"
            raise Failure(f"{name} has no split {args.split!r}", fix, EXIT_USAGE)
        rows, total = read_split(splits[args.split], args.split, args.max_rows)
        tests = {name: splits[name] for name in TEST_SPLITS if name in splits and name != args.split}
    if not rows:
        raise Failure(f"{name}: no rows in split {args.split}", "give a file or split with rows", EXIT_USAGE)
    columns = list(dict.fromkeys(key for _, row in rows for key in row))
    rows = [(where, {key: row.get(key) for key in columns}) for where, row in rows]  # as `datasets` fills them

    tell(f"Dataset validation for {name}:")
    verdicts = {}
    for method in METHODS:
        verdicts[method] = judge(rows, columns, method)
        tell(f"{method.upper()}: {verdicts[method]['verdict']}\n{verdicts[method]['reason']}")
        if "needs" in verdicts[method] and method == args.method:
            tell(f"Needs {verdicts[method]['needs']}")
    recommended = {"method": args.method, "why": "as asked"} if args.method else recommend(verdicts, rows)
    method = recommended["method"]
    fits = method is not None and verdicts[method]["verdict"] != "INCOMPATIBLE"

    warnings = []
    mapping = verdicts[method]["mapping"] if fits else {}
    refusals = [source_problem(row, mapping, method) if fits else "" for _, row in rows]
    good = [map_row(row, mapping) for (_, row), refusal in zip(rows, refusals, strict=True) if not refusal]
    if not fits:  # nothing trains; the lengths of what is there still help to choose
        good = [{"text": "\n".join(str(value) for value in row.values() if value is not None)} for row in good]
    read_as = method if fits else None
    counter = Tokenizer(args.model) if args.model else Estimate()
    tokens, refused = measure_tokens(good, read_as, counter, args.max_length)
    scale = (total or len(rows)) / len(rows)
    stats, split, sizes = find_groups(good)
    split = propose_split(split, sizes, args.seed, scale)
    disorder: Counter[str] = Counter()
    for row in good:
        for given, answer in [] if "input_ids" in row else sequences(row, read_as):
            turns = given + answer
            if isinstance(turns, list) and (problem := out_of_order(turns, answered=read_as != "grpo")):
                disorder[problem] += 1
                break
    distinct = {hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).digest() for row in good}
    report = {
        "schema": "skillpack/dataset-report/1",
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "source": {
            "id": name,
            "config": args.config,
            "split": args.split,
            "revision": revision,
            **({"sha256": sha256_of_file(path)} if path.suffix in FILE_FORMATS else {}),
        },
        "rows": {
            "total": total,
            "examined": len(rows),
            "empty": sum(refusal.startswith("empty") for refusal in refusals),
            "misfits": len(rows) - len(good),
            "duplicates": len(good) - len(distinct),
            "out_of_order": disorder.total(),
            **stats,
        },
        "columns": {column: type_name([row[column] for _, row in rows[:100]]) for column in columns},
        "verdicts": verdicts,
        "recommended": recommended,
        "measured_as": read_as,
        "tokens": tokens,
        "split": split,
        "warnings": warnings,
    }
    if tests and fits:
        test_name = next(iter(tests))
        given, test_total = read_split(tests[test_name], test_name, args.max_rows)
        exact = split["key"] == "prompt"  # rows that differ in their digits only are no leaks where digits are content
        trained_on = {split["same"].get(group, group) for group in (group_of(row, exact) for row in good)}
        mapped = [map_row(row, mapping) for _, row in given if not problem_of(row, mapping, method)]
        shared = sum(group_of(row, exact) in trained_on for row in mapped)
        report["test"] = {"split": test_name, "total": test_total, "examined": len(mapped), "overlap": shared}
        percent = f"{100 * shared / max(1, len(mapped)):.0f} %"
        if mapped and shared <= 0.05 * len(mapped):
            why = f"the source's own split; {shared} of {len(mapped)} prompts examined also stand in {args.split}"
            del split["held_out_groups"]
            held = round(len(mapped) * (test_total or len(given)) / len(given))
            split |= {"key": "given", "same": {}, "held_out_split": test_name, "why": why}
            split |= {"train_rows": round(len(good) * scale), "held_out_rows": held}
        else:
            warnings.append(
                f"{shared} of {len(mapped)} prompts of split {test_name} ({percent}) also stand in {args.split}: "
                "a score on it measures memory, so the report splits by group instead"
            )
    if disorder:
        listed = ", ".join(f"{problem} ({count})" for problem, count in disorder.most_common())
        warnings.append(f"roles out of order, which some chat templates refuse: {listed}")
    if stats["groups"] < 20:
        warnings.append(f"only {stats['groups']} different prompts: too few to hold some out and learn from the rest")
    if fits and (held := split["held_out_rows"]) < 100:
        points = f", up to {98 / held**0.5:.0f} points of accuracy either way" if held else ""
        warnings.append(f"only {held} rows are held out: the interval of what is measured on them is wide{points}")
    if tokens.get("fully_masked_rows"):
        warnings.append(
            f"{tokens['fully_masked_rows']} rows have no answer within {args.max_length} tokens and teach nothing: "
            "raise --max-length, or shorten their prompts"
        )
    if read_as in ("dpo", "reward") and (equal := sum(row["chosen"] == row["rejected"] for row in good)):
        warnings.append(f"{equal} pairs have equal answers, and teach nothing")
    if read_as == "sft" and "label" in good[0]:
        warnings.append("a 'label' column stands beside the answers: SFT imitates bad ones too")
    if read_as == "kto" and "label" in good[0] and len({bool(row["label"]) for row in good}) == 1:
        warnings.append("every 'label' is the same: KTO needs good and bad answers")
    if args.model:
        template, reasons = counter.tokenizer.chat_template, counter.refused.most_common(1)
        report["chat_template"] = {
            "model": args.model,
            "present": template is not None,
            "refused": refused,
            "first_refusal": reasons[0][0] if reasons else None,
            "marks_answers": "{% generation" in str(template),
        }
        if refused:
            warnings.append(f"the chat template of {args.model} refuses {refused} rows: {reasons[0][0]}")
            fits = fits and refused < tokens["rows"]
    if not args.no_write:
        write_artifact(args.out, report)
    if args.json:
        emit(report)
    else:
        print_statistics(report)
        for warning in warnings:
            say(f"Warning: {warning}")
        if not args.no_write:
            say(f"Wrote {args.out}")
    return EXIT_OK if fits else EXIT_NO


if __name__ == "__main__":
    sys.exit(run(main))
