# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "trl>=1.16,<2",
#   "transformers>=5.23,<6",
#   "peft>=0.21,<1",
#   "datasets>=5.2,<6",
#   "trackio>=0.43,<1",
#   "jsonschema>=4.21,<5",
#   "torch>=2.8,<3",
# ]
# ///
"""Supervised fine-tuning (SFT) by a plan: train, resume, and score base and tuned on the same held-out rows.

Run it again after a crash, a kill or a timeout: it continues from the last whole checkpoint. Run it again
after it has ended: it says so and changes nothing.

examples:
  python scripts/train_sft.py --plan plan.json
  python scripts/train_sft.py --plan plan.json --out runs/second --json
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
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), RESULT.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        log("interrupted; run the same command to continue")
        return EXIT_INTERRUPTED


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
    """The rows of a dataset report's `source` {id, config, split, revision}, as `datasets` gives them.

    `id` is a Hub id, the path of a jsonl, json, csv or parquet file, or a folder of such files. Raises Failure
    for what a user can mend.
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


def is_held_out(group: str, fraction: float, seed: int) -> bool:
    """Whether a group belongs to the held-out part: by its hash, so that added rows move no old one."""
    draw = int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big")
    return draw / 2**64 < fraction


def held_out(row: dict, split: dict) -> bool:
    """Whether a mapped row belongs to the held-out part of a dataset report's `split` by group or prompt.

    `split["same"]` {group: group} joins groups whose prompts are near duplicates, as the inspector found them.
    """
    group = group_of(row, exact=split["key"] == "prompt")
    return is_held_out(split.get("same", {}).get(group, group), split["fraction"], split["seed"])


# endregion skillpack:data


# region skillpack:scoring
def watched(rows, what: str):
    """`rows` with a progress bar on a terminal, and a line on the log elsewhere."""
    from tqdm import tqdm

    log(f"{what} on {len(rows)} rows")
    return tqdm(rows, desc=what, disable=not sys.stderr.isatty())


def scored(rows, what: str, measure) -> list[dict]:
    """What `measure(row)` gives for each row, and the row's group; rows for which it gives None are left out."""
    scores = ((row, measure(row)) for row in watched(rows, what))
    return [{**score, "group": group_of(row)} for row, score in scores if score is not None]


def encode(tokenizer, given, answer, max_length: int) -> tuple[list, list]:
    """Token ids of prompt and answer, as TRL's prompt-completion tokenization splits them."""
    if isinstance(given, str):
        prompt = tokenizer(given)["input_ids"] if given else []
        whole = tokenizer(given + answer)["input_ids"] + [tokenizer.eos_token_id]
    else:
        prompt = tokenizer.apply_chat_template(given, add_generation_prompt=True, return_dict=False)
        whole = tokenizer.apply_chat_template(given + answer, return_dict=False)
    shared = 0
    while shared < min(len(prompt), len(whole) - 1) and prompt[shared] == whole[shared]:
        shared += 1
    return whole[:max_length][:shared], whole[:max_length][shared:]


def answer_likelihoods(model, tokenizer, given, answers: list, settings: dict) -> list[tuple[float, int]]:
    """(sum of the log-likelihoods of its tokens, how many) of each answer to what the model is given.

    The prompt runs once, and its cache serves every answer. Nothing when an answer is cut away whole.
    """
    import torch

    model.eval()
    device = model.device
    encoded = [encode(tokenizer, given, answer, settings["max_length"]) for answer in answers]
    prompt, tokens = encoded[0][0], [ids for _, ids in encoded]
    if not prompt:  # plain text: every token but the first is predicted from those before it
        prompt, tokens = tokens[0][:1], [tokens[0][1:]]
    if not all(tokens):
        return []
    longest = max(map(len, tokens))
    padded = torch.tensor([ids + [tokenizer.pad_token_id] * (longest - len(ids)) for ids in tokens], device=device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=settings["precision"] == "bf16")
    with torch.no_grad(), autocast:
        first = model(torch.tensor([prompt], device=device), use_cache=True, logits_to_keep=1)
        cache = first.past_key_values
        cache.batch_repeat_interleave(len(tokens))
        rest = model(padded, past_key_values=cache).logits
    start = first.logits[:, -1:].expand(len(tokens), 1, -1)
    logits = torch.cat([start, rest[:, :-1]], dim=1).float()
    likelihood = torch.log_softmax(logits, -1).gather(2, padded.unsqueeze(2)).squeeze(2)
    return [(float(likelihood[i, : len(ids)].sum()), len(ids)) for i, ids in enumerate(tokens)]


def compare_scores(base: list[dict], tuned: list[dict], metrics: dict, **more: object) -> dict | None:
    """The `comparison` of run.json over the same rows; `metrics` is {key of a score: "lower" or "higher"}."""
    if not base:
        return None
    document: dict = {"rows": len(base), **more, "metrics": {}}
    for key, better in metrics.items():
        before, after = [float(score[key]) for score in base], [float(score[key]) for score in tuned]
        interval = paired_interval(before, after, [score["group"] for score in base])
        document["metrics"][key] = {
            "better": better,
            "base": sum(before) / len(before),
            "tuned": sum(after) / len(after),
            **interval,
            "beyond_interval": interval["high"] < 0 if better == "lower" else interval["low"] > 0,
        }
    return document


def paired_interval(before: list, after: list, groups: list | None = None, draws: int = 4000, seed: int = 0) -> dict:
    """Mean of (after - before) over rows, with the 95 % percentile interval of a paired bootstrap.

    Rows are drawn in pairs, so that what is hard for both models cancels, and by whole `groups` (one name a row),
    since rows that repeat a prompt are not independent. Source: Efron and Tibshirani, An Introduction to the
    Bootstrap (1993), chapter 13; Davison and Hinkley, Bootstrap Methods (1997), section 3.8 for groups.
    """
    import numpy

    differences = numpy.asarray(after, dtype=float) - numpy.asarray(before, dtype=float)
    _, member = numpy.unique(groups if groups is not None else numpy.arange(len(differences)), return_inverse=True)
    sums, counts = numpy.bincount(member, differences), numpy.bincount(member)
    drawn = numpy.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = numpy.percentile(means, [2.5, 97.5])
    return {"difference": float(differences.mean()), "low": float(low), "high": float(high)}


# endregion skillpack:scoring

# region skillpack:answers
CLOSED_SET = 16  # this many different short answers or fewer: the task is a choice, and is scored as one
ANSWER_COLUMNS = ("prompt", "completion", "messages", "text")


def conversation(row: dict) -> tuple[list | str, list | str]:
    """(what the model is given, what it should answer) of a mapped row; of several answers, the last."""
    if "prompt" in row and isinstance(row["prompt"], str):
        return row["prompt"], row["completion"]
    if "prompt" not in row and "messages" not in row:
        return "", row["text"]
    turns = row["prompt"] + row["completion"] if "prompt" in row else row["messages"]
    last = max(index for index, turn in enumerate(turns) if turn["role"] == "assistant")
    return turns[:last], turns[last : last + 1]


def answer_text(answer: list | str) -> str | None:
    """What an answer says; None when it only calls tools."""
    return answer if isinstance(answer, str) else answer[0]["content"]


def closed_answers(train_rows, held_out_rows) -> list[str]:
    """The different answers of a task of choice, or nothing when the answers are open."""
    answers: set = set()
    for row in train_rows:
        answers.add(answer_text(conversation(row)[1]))
        if len(answers) > CLOSED_SET:
            return []
    tested = {answer_text(conversation(row)[1]) for row in held_out_rows}
    return sorted(answers) if len(answers) > 1 and None not in answers and tested <= answers else []


def score_answer(model, tokenizer, row: dict, choices: list[str], settings: dict) -> dict | None:
    """{loss: mean negative log-likelihood of the answer's tokens, accuracy}; None when the answer is cut away.

    In a task of choice, `accuracy` says whether the right answer is the likeliest of `choices` (the sum over its
    tokens, the end of the turn included).
    """
    given, right = conversation(row)
    as_answers = [choice if isinstance(right, str) else [{**right[0], "content": choice}] for choice in choices]
    options = [right, *(option for option in as_answers if option != right)]
    likelihoods = answer_likelihoods(model, tokenizer, given, options, settings)
    if not likelihoods:
        return None
    (total, tokens), others = likelihoods[0], likelihoods[1:]
    return {"loss": -total / tokens, "accuracy": all(total > other for other, _ in others) if choices else None}


# endregion skillpack:answers

# region skillpack:guard
import math
import shutil
import signal
import time

WHOLE = "whole"  # the file that is written into a checkpoint last: without it the checkpoint is a torso
FIRST = os.environ.get("RANK", "0") == "0"  # of several processes, the one that writes the run's files
BAD_STEPS = 3  # steps with a loss that is not a number before the run is stopped


def run_guard(plan: dict, out: Path):
    """The callback of a run: logs every step, saves by time, and watches the clock, the loss and signals.

    Two limits of time: past `budget_seconds` of training the run ends well, and is scored as it is (`cut_short`
    says so); `deadline_seconds` is the end of the machine's time, at which it saves and stops, as for a signal
    or a loss that is not a number (`stopped` says which). `finish` closes the dashboard.
    """
    from transformers import TrainerCallback

    settings = plan["settings"]
    tracker, finish_tracker = start_tracker(plan["name"], plan["name"], settings)

    class RunGuard(TrainerCallback):
        def __init__(self) -> None:
            self.stopped, self.cut_short, self.bad, self.trained = "", "", 0, 0.0
            self.started = time.monotonic()
            self.saved = self.stepped = self.started
            self.previous: dict = {}
            self.finish = finish_tracker

        def keep_log(self, step: int) -> None:
            """Drops the lines of steps that a killed run took after its last checkpoint."""
            log_file = out / "log.jsonl"
            lines = log_file.read_text(encoding="utf-8").splitlines() if log_file.is_file() else []
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            if FIRST:
                write_atomic(log_file, "".join(line + "\n" for line in kept))
            self.trained = sum(json.loads(line)["seconds"] for line in kept)

        def on_train_begin(self, args, state, control, **kwargs):
            self.keep_log(state.global_step)
            self.saved = self.stepped = time.monotonic()
            for number in (signal.SIGTERM, signal.SIGINT):
                self.previous[number] = signal.signal(number, self._on_signal)

        def _on_signal(self, number, frame):
            self.stopped = signal.Signals(number).name
            log(f"{self.stopped}: saving a checkpoint, then stopping")

        def on_log(self, args, state, control, logs=None, **kwargs):
            if "loss" not in (logs or {}):
                return
            now = time.monotonic()
            entry = {"step": state.global_step, "seconds": now - self.stepped, "time": time.time(), **logs}
            self.stepped = now
            if FIRST:
                with (out / "log.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
            tracker(logs, state.global_step)
            self.bad = 0 if math.isfinite(logs["loss"]) else self.bad + 1
            deadline, budget = settings.get("deadline_seconds"), settings.get("budget_seconds")
            self.trained += entry["seconds"]
            if budget and self.trained > budget and state.global_step < state.max_steps and not self.stopped:
                self.cut_short = f"the budget of {budget:.0f} s of training"
                control.should_training_stop = True
            if self.bad >= BAD_STEPS:
                self.stopped = f"the loss was not a number for {BAD_STEPS} steps"
            elif deadline and now - self.started > deadline:
                self.stopped = f"the deadline of {deadline:.0f} s"
            control.should_training_stop = bool(self.stopped) or control.should_training_stop
            # Decided here and not at the step's end, where this step's loss is not known yet: a checkpoint of
            # weights that are not numbers would push a good one out.
            due = self.stopped or now - self.saved > settings["save_seconds"]
            control.should_save = bool(self.bad == 0 and due and state.global_step < state.max_steps)

        def on_save(self, args, state, control, **kwargs):
            if FIRST:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()
            self.saved = time.monotonic()

        def on_train_end(self, args, state, control, **kwargs):
            for number, handler in self.previous.items():
                signal.signal(number, handler)

    return RunGuard()


def start_tracker(project: str, name: str, config: dict):
    """(log, finish) of a trackio run, or two functions that do nothing: a dashboard never ends a run.

    Trackio writes to its own folder on this machine (TRACKIO_DIR); a Space is synced by its own command,
    because the first push to a private Space, or of a LoRA run, raises (trackio 0.43).
    """
    if not FIRST:
        return (lambda metrics, step: None), (lambda: None)
    try:
        import trackio

        trackio.init(project=project, name=name, config=config, resume="allow", embed=False)
    except Exception as error:  # noqa: BLE001 - whatever a dashboard raises, the run goes on
        log(f"warning: no dashboard: {type(error).__name__}: {error}")
        return (lambda metrics, step: None), (lambda: None)
    broken: list = []

    def guarded(call):
        try:
            if not broken:
                call()
        except Exception as error:  # noqa: BLE001 - as above
            broken.append(error)
            log(f"warning: the dashboard stopped: {type(error).__name__}: {error}")

    return (lambda metrics, step: guarded(lambda: trackio.log(metrics, step=step))), (lambda: guarded(trackio.finish))


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint below `folder` that was written to its end; torsos of a killed run are deleted."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    for path in found:
        if not (path / WHOLE).is_file():
            log(f"{path.name} was not written to its end; deleted")
            shutil.rmtree(path)
    whole = [path for path in found if path.is_dir()]
    return whole[-1] if whole else None


def peak_memory_gb(device: str) -> float:
    """The most memory (10^9 bytes) this process has held: of the GPU when it trains there, else resident."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux kibibytes


# endregion skillpack:guard

# region skillpack:training
import shutil
import time


def open_run(doc: str, method: str, argv: list[str]):
    """(plan, folder of the run, command line) of a training script; the plan is None when the run is done.

    Raises Failure for a plan of another method, a folder that holds a run of another plan, too little disk.
    """
    options = parser(doc)
    options.add_argument("--plan", type=Path, required=True, help="plan.json of plan_run.py")
    options.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME of the plan)")
    options.add_argument("--finish", action="store_true", help="train no further: score the last checkpoint as it is")
    options.add_argument("--json", action="store_true", help="print run.json on standard output")
    args = options.parse_args(argv)
    plan = read_artifact(args.plan, "plan")
    if plan["method"] != method:
        raise Failure(f"the plan's method is {plan['method']!r}", f"run train_{plan['method']}.py", EXIT_USAGE)
    out = args.out or Path("runs") / plan["name"]
    if (out / "run.json").is_file():
        run = read_artifact(out / "run.json", "run")
        if run["plan_sha256"] != plan_sha256(plan):
            raise Failure(
                f"{out} holds a run of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
            )
        if run["status"] == "completed":
            log(f"done already: {out / 'run.json'}")
            if args.json:
                emit(run)
            return None, out, args
    require_disk(out, plan["estimate"]["disk_gb"])
    claim = out / "plan.sha256"
    if claim.is_file() and claim.read_text(encoding="utf-8").strip() != plan_sha256(plan):
        raise Failure(
            f"{out} holds checkpoints of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
        )
    write_atomic(claim, plan_sha256(plan) + "\n")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    log(f"run {plan['name']} in {out}: loading rows")
    return plan, out, args


def plan_sha256(plan: dict) -> str:
    """Of what decides the weights: the plan's model, dataset and settings."""
    return hashlib.sha256(json.dumps([plan[key] for key in ("model", "dataset", "settings")]).encode()).hexdigest()


def load_splits(plan: dict, columns: tuple):
    """(training rows, held-out rows) of the plan's dataset, mapped to TRL's `columns`, split as the report says.

    Rows that TRL would refuse, or would train on nothing, are left out and counted.
    """
    dataset, method = plan["dataset"], plan["method"]
    split, mapping = dataset["split"], dataset["mapping"]

    def prepare(rows):
        fits = rows.filter(lambda row: not problem_of(row, mapping, method), desc="checking rows")
        if len(fits) < len(rows):
            log(f"left out {len(rows) - len(fits)} of {len(rows)} rows that do not fit; inspect_dataset.py says why")
        if not len(fits):
            raise Failure(f"no row fits {method}", "run inspect_dataset.py on the dataset, and plan again", EXIT_USAGE)
        mapped = fits.map(lambda row: map_row(row, mapping), remove_columns=fits.column_names, desc="mapping rows")
        return mapped.select_columns([name for name in columns if name in mapped.column_names] or mapped.column_names)

    rows = prepare(open_rows(dataset["source"], streaming=False))
    if split["key"] == "given":
        train, test = rows, prepare(open_rows({**dataset["source"], "split": split["held_out_split"]}, streaming=False))
    else:
        sides: dict = {True: [], False: []}
        for index, row in enumerate(rows):
            sides[held_out(row, split)].append(index)
        train, test = rows.select(sides[False]), rows.select(sides[True])
    if not len(train) or not len(test):
        raise Failure(
            f"the split leaves {len(train)} rows to train on and {len(test)} held out",
            "change split.fraction or split.seed in the plan, or give more different rows",
            EXIT_USAGE,
        )
    return train, test.select(range(min(len(test), plan["settings"]["held_out_rows"])))


def once(path: Path, measure) -> list:
    """What `measure()` gives, kept in `path`: a resumed run does not score the base model again."""
    if not path.is_file():
        write_atomic(path, json.dumps(measure()))
    return json.loads(path.read_text(encoding="utf-8"))


def train_guarded(trainer, guard, out: Path, args) -> None:
    """Trains from the newest whole checkpoint, or from the start. `guard` is already one of its callbacks."""
    checkpoint = last_whole_checkpoint(out / "checkpoints")
    if args.finish:
        if not checkpoint:
            raise Failure(f"{out} has no whole checkpoint to finish with", "train first", EXIT_USAGE)
        take_weights(trainer, checkpoint)
        guard.keep_log(trainer.state.global_step)
        guard.cut_short = "--finish"
    else:
        if checkpoint:
            log(f"resuming from {checkpoint.name}")
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    guard.finish()


def take_weights(trainer, checkpoint: Path) -> None:
    """Puts a checkpoint's weights and step into a trainer, without a step of training."""
    from transformers import TrainerState

    if (checkpoint / "adapter_config.json").is_file():
        from peft import load_peft_weights, set_peft_model_state_dict

        set_peft_model_state_dict(trainer.model, load_peft_weights(str(checkpoint)))
    else:
        saved = type(trainer.model).from_pretrained(checkpoint, dtype=trainer.model.dtype)
        trainer.model.load_state_dict(saved.state_dict())
    trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))


def finish_run(plan: dict, out: Path, args, trainer, guard, measure) -> int:
    """Saves the model, writes run.json with the comparison that `measure()` makes, and says how it went.

    A run that a guard stopped keeps its checkpoints, has no comparison, and ends with a Failure.
    """
    if not FIRST:
        if not guard.stopped:
            trainer.save_model(str(out / "model"))  # every process takes part in gathering the weights
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
        "model_path": None,
        "comparison": None,
    }
    if not guard.stopped:
        trainer.save_model(str(out / "model"))
        document["model_path"] = "model"
        document["comparison"] = measure()
    document["seconds"] = time.monotonic() - guard.started
    document["peak_memory_gb"] = peak_memory_gb(plan["settings"]["device"])
    write_artifact(out / "run.json", document)
    if guard.stopped:
        raise Failure(
            f"stopped by {guard.stopped} at step {trainer.state.global_step}",
            "run it again to continue, or with --finish to score the last checkpoint as it is",
        )
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    for name, metric in (document["comparison"] or {"metrics": {}})["metrics"].items():
        log(
            f"{name}: base {metric['base']:.3f}, tuned {metric['tuned']:.3f}, difference {metric['difference']:+.3f} "
            f"[{metric['low']:+.3f}, {metric['high']:+.3f}] over {document['comparison']['rows']} held-out rows"
        )
    log(f"wrote {out / 'run.json'}")
    if args.json:
        emit(document)
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


def load_model(model: dict, settings: dict, kind=None, **more: object):
    """The base model in the plan's precision, which TRL would load in float32; `kind` is AutoModelForCausalLM."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[settings["weights"]]
    kind = kind or AutoModelForCausalLM
    return kind.from_pretrained(model["id"], revision=model.get("revision"), dtype=dtype, **more)


def load_tokenizer(model: dict):
    """The tokenizer, with a padding token: eos where the model names none, since padding carries no loss."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model["id"], revision=model.get("revision"))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def lora_config(settings: dict, task: str = "CAUSAL_LM"):
    """PEFT's configuration of the plan's adapter, or None for full fine-tuning. `SEQ_CLS` trains the head too."""
    if settings["lora"] is None:
        return None
    from peft import LoraConfig

    return LoraConfig(task_type=task, bias="none", **settings["lora"])


def trainer_arguments(settings: dict, out: Path) -> dict:
    """The TrainingArguments that every method shares, each spelled out where a default would lose work."""
    return {
        "output_dir": str(out / "checkpoints"),
        "per_device_train_batch_size": settings["batch_size"],
        "gradient_accumulation_steps": settings["accumulation"],
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
    }


def versions(*packages: str) -> dict:
    """Package -> installed version, for the record of a run."""
    from importlib.metadata import version

    return {"python": sys.version.split()[0]} | {package: version(package) for package in packages}


# endregion skillpack:training


def loss_columns(rows, tokenizer):
    """(rows, SFTConfig fields) such that loss falls on answers only, wherever the data says what an answer is."""
    from trl.chat_template_utils import get_training_chat_template

    if "messages" not in rows.column_names:
        return rows, {}
    if tokenizer.chat_template is None:
        raise Failure(
            "the rows are conversations, and the model's tokenizer has no chat template",
            "train the instruct variant of the model, or set tokenizer.chat_template and save it with the model",
            EXIT_USAGE,
        )
    if all(sum(turn["role"] == "assistant" for turn in messages) == 1 for messages in rows["messages"]) and all(
        messages[-1]["role"] == "assistant" for messages in rows["messages"]
    ):
        pairs = rows.map(
            lambda row: {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]},
            remove_columns=["messages"],
            desc="prompt and completion",
        )
        return pairs, {"completion_only_loss": True}
    if "{% generation" in tokenizer.chat_template:
        return rows, {"assistant_only_loss": True}
    try:
        template = get_training_chat_template(tokenizer)
    except ValueError:
        log("warning: the chat template does not mark the answers, so loss falls on every turn")
        return rows, {}
    tokenizer.chat_template = template or tokenizer.chat_template
    return rows, {"assistant_only_loss": True}


def main(argv: list[str]) -> int:
    plan, out, args = open_run(__doc__, "sft", argv)
    if plan is None:
        return EXIT_OK
    settings = plan["settings"]
    train_rows, test_rows = load_splits(plan, ANSWER_COLUMNS)
    tokenizer = load_tokenizer(plan["model"])
    choices = closed_answers(train_rows, test_rows)
    train_rows, loss_fields = loss_columns(train_rows, tokenizer)
    log(f"{len(train_rows)} rows to train on, {len(test_rows)} held out, {len(choices) or 'open'} answers")

    import torch
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(settings["seed"])
    model = load_model(plan["model"], settings).to(settings["device"])

    def scores(what: str) -> list[dict]:
        return scored(
            test_rows,
            f"scoring the {what} model",
            lambda row: score_answer(model, tokenizer, row, choices, settings),
        )

    base = once(out / "baseline.json", lambda: scores("base"))
    guard = run_guard(plan, out)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            **trainer_arguments(settings, out),
            **loss_fields,
            max_length=settings["max_length"],
            packing=settings["packing"],
        ),
        train_dataset=train_rows,
        processing_class=tokenizer,
        peft_config=lora_config(settings),
        callbacks=[guard],
    )
    model = trainer.model
    kept = len(trainer.train_dataset)  # TRL leaves out rows in which, once cut, no token carries loss
    if kept < len(train_rows):
        log(f"warning: in {len(train_rows) - kept} rows no token carries loss within {settings['max_length']} tokens")
    if not kept:
        raise Failure(
            f"no token carries loss once rows are cut at {settings['max_length']} tokens",
            "raise settings.max_length in the plan, or look at the rows' answers",
            EXIT_USAGE,
        )
    train_guarded(trainer, guard, out, args)
    metrics = {"loss": "lower"} | ({"accuracy": "higher"} if choices else {})
    return finish_run(
        plan, out, args, trainer, guard, lambda: compare_scores(base, scores("tuned"), metrics, choices=choices)
    )


if __name__ == "__main__":
    sys.exit(run(main))
