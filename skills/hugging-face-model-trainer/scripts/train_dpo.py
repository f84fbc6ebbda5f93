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
#   "accelerate>=1.15,<2",
#   "bitsandbytes>=0.50,<1; sys_platform == 'linux'",
# ]
# ///
"""Direct preference optimization (DPO) by a plan: train on chosen and rejected answers, resume, compare.

The reference is the model as it was before this run: a frozen copy for full fine-tuning, the base under a new
adapter, a copy of the adapter where the plan's model is one (it is trained on, and stays one adapter of its base).
Run it again after a crash, a kill or a timeout: it continues from the last whole checkpoint.

examples:
  python scripts/train_dpo.py --plan plan.json
  python scripts/train_dpo.py --plan plan.json --smoke
  python scripts/train_dpo.py --plan plan.json --out runs/second --json
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
    if not all(ids for _, ids in encoded):
        return []
    shared = min(len(prompt) for prompt, _ in encoded)  # of a prompt that ends in a space, it may join the answer
    prompt, tokens = encoded[0][0][:shared], [(before + ids)[shared:] for before, ids in encoded]
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


# endregion skillpack:scoring


# region skillpack:intervals
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
    One group can be drawn in one way only, and shows nothing: its interval reaches to zero.
    """
    import numpy

    differences = numpy.asarray(after, dtype=float) - numpy.asarray(before, dtype=float)
    names = groups if groups is not None else numpy.arange(len(differences))
    _, first, member = numpy.unique(names, return_index=True, return_inverse=True)
    member = first.argsort().argsort()[member]  # in the order of the rows: how groups are called draws no other rows
    sums, counts = numpy.bincount(member, differences), numpy.bincount(member)
    drawn = numpy.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = numpy.percentile(means, [2.5, 97.5])
    if len(sums) == 1:
        low, high = min(0.0, low), max(0.0, high)
    return {"difference": float(differences.mean()), "low": float(low), "high": float(high)}


# endregion skillpack:intervals


# region skillpack:preferences
def with_prompt(rows):
    """Rows whose prompt is the part that both answers begin with, taken out where it is not a column."""
    from trl.data_utils import maybe_extract_prompt

    return rows if "prompt" in rows.column_names else rows.map(maybe_extract_prompt, desc="finding the prompts")


def score_pair(model, tokenizer, row: dict, settings: dict) -> dict | None:
    """{preference_accuracy: whether the chosen answer is the likelier, margin}; None when one is cut away.

    Likelihood is the mean log-likelihood of an answer's tokens, since a sum would prefer short answers.
    """
    likelihoods = answer_likelihoods(model, tokenizer, row["prompt"], [row["chosen"], row["rejected"]], settings)
    if not likelihoods:
        return None
    chosen, rejected = (total / tokens for total, tokens in likelihoods)
    return {"preference_accuracy": chosen > rejected, "margin": chosen - rejected}


def judged_ids(row: dict, answer: str, tokenizer) -> list[int]:
    """Token ids of prompt and answer together, as TRL's reward trainer reads a row."""
    given, said = row.get("prompt", ""), row[answer]
    if isinstance(said, str):
        return tokenizer((given or "") + said)["input_ids"] + [tokenizer.eos_token_id]
    return tokenizer.apply_chat_template((given or []) + said, return_dict=False)


def score_by_head(model, tokenizer, row: dict, settings: dict) -> dict:
    """{pair_accuracy: whether a reward model scores the chosen answer higher, chosen, rejected: both scores}."""
    import torch

    model.eval()
    rewards = {}
    for answer in ("chosen", "rejected"):
        ids = judged_ids(row, answer, tokenizer)[: settings["max_length"]]
        with torch.no_grad():
            rewards[answer] = float(model(torch.tensor([ids], device=model.device)).logits[0, 0])
    return {"pair_accuracy": rewards["chosen"] > rewards["rejected"], **rewards}


def as_labelled(rows):
    """Rows of prompt, completion and label, mixed in a fixed order: TRL pairs a prompt with its neighbour's answer."""
    from trl.data_utils import maybe_unpair_preference_dataset

    rows = maybe_unpair_preference_dataset(rows if "label" in rows.column_names else with_prompt(rows))
    return rows.shuffle(seed=0)


def score_label(model, tokenizer, row: dict, settings: dict) -> dict | None:
    """{likelihood: of the answer, mean log-likelihood of its tokens}; None when the answer is cut away."""
    likelihoods = answer_likelihoods(model, tokenizer, row["prompt"], [row["completion"]], settings)
    return {"likelihood": likelihoods[0][0] / likelihoods[0][1], "good": bool(row["label"])} if likelihoods else None


def compare_labels(base: list[dict], tuned: list[dict]) -> dict | None:
    """The comparison of run.json: how likely good and bad answers are, and the sum of how far each moved rightly.

    `shift` is KTO's implicit reward (Ethayarajh et al., 2024, section 3) over beta and the answer's tokens: the change
    of a good answer's mean log-likelihood, and of a bad one's with its sign turned. Of the base it is 0.
    """
    signs = [1 if score["good"] else -1 for score in base]
    moved = [
        {"shift": sign * (after["likelihood"] - before["likelihood"]), "group": before["group"]}
        for sign, before, after in zip(signs, base, tuned, strict=True)
    ]
    still = [{"shift": 0.0, "group": score["group"]} for score in base]
    document = compare_scores(still, moved, {"shift": "higher"})
    for side, better in (("good", "higher"), ("bad", "lower")):
        kept = [index for index, score in enumerate(base) if score["good"] == (side == "good")]
        part = compare_scores([base[i] for i in kept], [tuned[i] for i in kept], {"likelihood": better})
        if document and part:
            document["metrics"][f"likelihood_{side}"] = part["metrics"]["likelihood"]
    return document


# endregion skillpack:preferences

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

# region skillpack:guard
import math
import shutil
import signal
import time

WHOLE = "whole"  # the file that is written into a checkpoint last: without it the checkpoint is a torso
BAD_STEPS = 3  # steps with a loss that is not a number before the run is stopped


class NoTraining(Exception):
    """The checkpoint is loaded, and --finish wants no step more."""


def run_guard(plan: dict, out: Path, scores, mirror=None):
    """The callback of a run: scores the base before the first step, logs every step, saves by time, and watches the
    clock, the loss and signals.

    Two limits of time: past `budget_seconds` of training the run ends well, and is scored as it is (`cut_short`
    says so); `deadline_seconds` is the end of the machine's time, at which it saves and stops, as for a signal
    or a loss that is not a number (`stopped` says which). `finish` closes the dashboard and waits for `mirror`,
    which gets every checkpoint that is whole.
    """
    from transformers import TrainerCallback

    settings = plan["settings"]
    tracker, finish_tracker = start_tracker(plan["name"], plan["name"], settings, out / "trackio")

    class RunGuard(TrainerCallback):
        def __init__(self) -> None:
            self.stopped, self.cut_short, self.bad, self.trained = "", "", 0, 0.0
            # Kept in the environment: after a step out of memory the program begins anew, and its deadline does not.
            self.started = float(os.environ.setdefault("SKILLPACK_STARTED", str(time.monotonic())))
            self.saved = self.stepped = time.monotonic()
            self.previous: dict = {}

        def finish(self) -> None:
            finish_tracker()
            if mirror:
                mirror.wait()

        def keep_log(self, step: int) -> None:
            """Drops the lines of steps that a killed run took after its last checkpoint."""
            log_file = out / "log.jsonl"
            lines = log_file.read_text(encoding="utf-8").splitlines() if log_file.is_file() else []
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            if FIRST:
                write_atomic(log_file, "".join(line + "\n" for line in kept))
            self.trained = sum(json.loads(line)["seconds"] for line in kept)

        def score_base(self, step: int) -> list:
            if step:
                raise Failure(
                    f"{out / 'baseline.json'} is missing, and the model has been trained for {step} steps",
                    "bring the file back, or begin anew with another --out",
                )
            return scores("base")

        def on_train_begin(self, args, state, control, **kwargs):
            self.keep_log(state.global_step)
            # Here the model lies on its device, or in parts on several, and no step has changed it.
            once(out / "baseline.json", lambda: self.score_base(state.global_step))
            if self.cut_short:
                raise NoTraining
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
            if self.bad >= BAD_STEPS:
                self.stopped = f"the loss was not a number for {BAD_STEPS} steps"
            elif deadline and now - self.started > deadline:
                self.stopped = f"the deadline of {deadline:.0f} s"
            # Decided here and not at the step's end, where this step's loss is not known yet: a checkpoint of
            # weights that are not numbers would push a good one out.
            due = now - self.saved > settings["save_seconds"]
            self.stopped, self.cut_short, due = any_of((self.stopped, self.cut_short, due))
            control.should_training_stop = bool(self.stopped or self.cut_short) or control.should_training_stop
            control.should_save = bool(self.bad == 0 and (due or self.stopped) and state.global_step < state.max_steps)

        def on_save(self, args, state, control, **kwargs):
            await_all()  # another process may still be writing its piece
            if FIRST:
                (Path(args.output_dir) / f"checkpoint-{state.global_step}" / WHOLE).touch()
                if mirror:
                    mirror.push()
            self.saved = time.monotonic()

        def on_train_end(self, args, state, control, **kwargs):
            for number, handler in self.previous.items():
                signal.signal(number, handler)

    return RunGuard()


def start_tracker(project: str, name: str, config: dict, folder: Path):
    """(log, finish) of a trackio run, or two functions that do nothing: a dashboard never ends a run.

    Trackio writes to `folder`, which lies in the run's so that a job's reaches its bucket, unless TRACKIO_DIR is
    set; a Space is synced by its own command, because the first push to a private Space, or of a LoRA run, raises
    (trackio 0.43).
    """
    if not FIRST:
        return (lambda metrics, step: None), (lambda: None)
    if not os.environ.get("TRACKIO_DIR"):
        os.environ["TRACKIO_DIR"] = str(folder)
        # One file that is whole after each write: the default keeps the newest rows beside it, in shared memory
        # that a mounted bucket does not have.
        os.environ.setdefault("TRACKIO_SQLITE_JOURNAL_MODE", "delete")
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


def whole_checkpoints(folder: Path) -> list:
    """The checkpoints below `folder` that were written to their end, the newest last."""
    found = (path.parent for path in folder.glob(f"checkpoint-*/{WHOLE}"))
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint below `folder` that was written to its end; torsos of a killed run are deleted."""
    whole = whole_checkpoints(folder)
    for path in sorted(folder.glob("checkpoint-*")):
        if path not in whole:
            log(f"{path.name} was not written to its end; deleted")
            shutil.rmtree(path)
    return whole[-1] if whole else None


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory ran out: of a GPU (torch has a type for it), or of this process."""
    said = str(error).lower()
    return type(error).__name__ in ("OutOfMemoryError", "MemoryError") or (
        isinstance(error, RuntimeError)
        and ("can't allocate memory" in said or "out of memory" in said or "alloc_failed" in said)
    )


def batch_of(settings: dict, out: Path) -> dict:
    """{batch_size, accumulation, halved: what happened} of a run: the plan's, until a step ran out of memory."""
    path = out / "batch.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    return {"batch_size": settings["batch_size"], "accumulation": settings["accumulation"], "halved": []}


def halve_batch(settings: dict, out: Path, batch_size: int, step: int, error: BaseException) -> None:
    """Writes down a batch of half of `batch_size` rows and twice the accumulation. Raises Failure when that is one.

    The rows of a step stay the same, so that the run is the one that was planned. An odd batch goes down to the
    next size that divides them. Of several processes, any may be the one whose memory ran out, and the first counts.
    """
    now = batch_of(settings, out)
    if now["batch_size"] < batch_size:
        return
    if batch_size == 1:
        raise Failure(
            "out of memory with one row at a time",
            "plan again with --checkpointing, a lower --max-length, --lora or --qlora, or for more memory",
        ) from None
    rows = batch_size * now["accumulation"]
    smaller = max(size for size in range(1, batch_size // 2 + 1) if rows % size == 0)
    said = (str(error).splitlines() or [type(error).__name__])[0][:200]
    event = {"step": step, "batch_size": batch_size, "error": said}
    document = {"batch_size": smaller, "accumulation": rows // smaller, "halved": [*now["halved"], event]}
    write_atomic(out / "batch.json", json.dumps(document))
    log(
        f"out of memory at step {step} with {batch_size} rows at a time: going on with {smaller}, accumulated "
        f"{rows // smaller} times"
    )


def begin_anew() -> None:
    """Replaces this process by a fresh one of the same command, which continues from the last whole checkpoint.

    Of a process whose memory ran out, no part is worth keeping: what an exception, a graph or an allocator still
    holds is gone. Open files are closed first, or a GPU's driver would keep the old process's memory.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise Failure("a step ran out of memory", "run the same command again: it continues with the smaller batch")
    sys.stdout.flush()
    sys.stderr.flush()
    os.closerange(3, min(os.sysconf("SC_OPEN_MAX"), 1 << 16))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def peak_memory_gb(device: str) -> float:
    """The most memory (10^9 bytes) this process has held: of the GPU when it trains there, else resident."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 1e9
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux kibibytes


# endregion skillpack:guard

# region skillpack:hub
import contextlib
from collections.abc import Iterator
from typing import Any

HUB_FIXES = {
    401: "the token is missing, wrong, expired or revoked: `hf auth login`, or set HF_TOKEN",
    402: "the namespace has no credit: add some at https://huggingface.co/settings/billing, or give --namespace of an "
    "organization that pays",
    403: "the token may not do this: make one with write permission, or name another namespace",
    404: "check the name, and that the token may read it",
    409: "somebody else wrote at the same time: run the same command again",
    412: "somebody else wrote at the same time: run the same command again",
    429: "a quota or rate limit: wait a few minutes, and run the same command again",
}


class Refused(Failure):
    """The Hub answered, and said no: nothing was made or changed."""


@contextlib.contextmanager
def on_hub(doing: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turns what the Hub's client raises while `doing` into a Failure with the way out; `passing` goes through."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError  # type: ignore[attr-defined]

    try:
        yield
    except passing:
        raise
    except HFValidationError as error:
        raise Failure(f"{doing}: {error}", "correct the name", EXIT_USAGE) from None
    except OfflineModeIsEnabled:
        raise Failure(f"{doing}: HF_HUB_OFFLINE is set", "unset it: this needs the network") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        said = (error.server_message or str(error).splitlines()[0])[:300]
        fix = HUB_FIXES.get(status, "the message is the Hub's own; if it is passing, run the same command again")
        raise (Refused if 400 <= status < 500 else Failure)(f"{doing}: {status} {said}", fix) from None
    except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError is how hf_xet says that the network failed
        said = (str(error).splitlines() or [""])[0][:300]
        if getattr(error, "filename", None) or "No space left on device" in str(error):
            raise  # a file or the disk of this machine: `run` says so
        if isinstance(error, FileNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise Failure(f"{doing}: {said}", HUB_FIXES[404]) from None  # how `datasets` says that there is none
        raise Failure(
            f"{doing}: {os.environ.get('HF_ENDPOINT', 'the Hub')} cannot be reached ({type(error).__name__}: {said})",
            "check the network and HF_ENDPOINT, then run the same command again: what arrived is not sent twice",
        ) from None


def sign_in(write: bool = True) -> tuple[Any, dict[str, Any]]:
    """(client, whoami). Raises Failure without a token, or with one that only reads where it must `write`."""
    os.environ.setdefault("HF_HUB_DISABLE_EXPERIMENTAL_WARNING", "1")  # read when the client is imported
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if not token:
        raise Failure("no Hugging Face token", "`hf auth login`, or set HF_TOKEN to one with write permission")
    os.environ["HF_TOKEN"] = token  # so that no message can show it
    api = HfApi(token=token)
    with on_hub("signing in"):
        who = api.whoami()
    if write and ((who.get("auth") or {}).get("accessToken") or {}).get("role") == "read":
        raise Failure("the token only reads", "make one with role write: https://huggingface.co/settings/tokens")
    return api, who


def full_id(who: dict[str, Any], repo_id: str) -> str:
    """`repo_id` with its namespace, the user's own by default. Raises Failure where this user may not write."""
    namespace, _, name = repo_id.rpartition("/")
    if not namespace or namespace.lower() == who["name"].lower():
        return f"{who['name']}/{name}"
    roles = {org["name"].lower(): org.get("roleInOrg") for org in who.get("orgs", [])}
    if roles.get(namespace.lower(), "read") == "read":
        known = ", ".join([who["name"], *(name for name, role in roles.items() if role != "read")])
        raise Failure(f"{who['name']} may not write to {namespace!r}", f"name one of: {known}", EXIT_USAGE)
    return repo_id


# endregion skillpack:hub

# region skillpack:publish
import fnmatch

CLAIM = "skillpack.json"  # in a repository that a run pushes to: which run it belongs to, and proof that we may write
NOT_PUSHED = ["training_args.bin", "checkpoint-*", ".*"]  # a pickle that names folders of this machine; what is half
STALE = ["*.safetensors", "*.safetensors.index.json", "adapter_config.json", "config.json"]  # of an earlier push


def claim_repo(repo_id: str, private: bool, run: str) -> str:
    """Makes the repository and writes a tiny file to it: the proof, before training, that the push will be let in.

    Returns its full id. Raises Failure when it may not be written, holds something other than this run, or is
    public against the plan.
    """
    api, who = sign_in()
    repo_id = full_id(who, repo_id)
    with on_hub(f"making {repo_id}"):
        api.create_repo(repo_id, private=private, exist_ok=True)
        info = api.model_info(repo_id)
        files = {file.rfilename for file in info.siblings or []}
    if private and not info.private:
        raise Failure(
            f"{repo_id} is public, and the plan says private",
            f"`hf repos settings {repo_id} --private`, or set push.private to false in the plan",
            EXIT_USAGE,
        )
    if CLAIM in files:
        with on_hub(f"reading {repo_id}"):
            owner = json.loads(Path(api.hf_hub_download(repo_id, CLAIM, revision=info.sha)).read_text("utf-8"))["run"]
    else:
        owner = None if files - {".gitattributes", "README.md"} else run
    if owner != run:
        raise Failure(
            f"{repo_id} holds {'the run ' + repr(owner) if owner else 'files that no run put there'}",
            "push to another name, or delete that repository",
            EXIT_USAGE,
        )
    if CLAIM not in files:
        with on_hub(f"writing to {repo_id}"):
            claim = json.dumps({"run": run}).encode()
            api.upload_file(repo_id=repo_id, path_or_fileobj=claim, path_in_repo=CLAIM, commit_message=f"Run {run}")
    return repo_id


def pushed_files(folder: Path) -> dict:
    """Path below `folder` -> bytes, of the files that a push takes."""
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return {name: size for name, size in files.items() if not any(fnmatch.fnmatch(name, p) for p in NOT_PUSHED)}


def push_folder(repo_id: str, folder: Path, message: str) -> dict:
    """Uploads `folder` to a model repository, waits, and verifies: {repo_id, revision, url, files, bytes}.

    Weights and configs of an earlier push that the folder no longer has are deleted. Raises Failure.
    """
    api, _ = sign_in()
    files = pushed_files(folder)
    log(f"pushing {len(files)} files, {sum(files.values()) / 1e6:.1f} MB, to {repo_id}")
    with on_hub(f"pushing {folder} to {repo_id}"):
        commit = api.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message=message, ignore_patterns=NOT_PUSHED,
            delete_patterns=STALE,
        )  # fmt: skip
    verify_push(repo_id, files, commit.oid)
    url = f"{api.endpoint}/{repo_id}"
    return {"repo_id": repo_id, "revision": commit.oid, "url": url, "files": len(files), "bytes": sum(files.values())}


def verify_push(repo_id: str, files: dict, revision: str | None = None) -> None:
    """Lists the repository and compares sizes with `files` {path: bytes}. Raises Failure that names what differs."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    with on_hub(f"listing {repo_id}"):
        tree = list(HfApi().list_repo_tree(repo_id, recursive=True, revision=revision))
    remote = {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}
    wrong = [f"{name} ({remote.get(name, 'none')} there, {size} here)" for name, size in files.items()
             if remote.get(name) != size]  # fmt: skip
    if wrong:
        raise Failure(
            f"{repo_id} does not hold what was pushed: {'; '.join(wrong[:5])}",
            "run the same command again: what is there already is not sent twice",
        )


def base_licence(model: dict) -> dict:
    """The licence fields that the base model's own card states, or nothing: none is claimed for it."""
    from huggingface_hub import ModelCard, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    model = model.get("base") or model  # of an adapter, which is published on its base again
    path = Path(model["id"]) / "README.md"
    try:
        if not Path(model["id"]).is_dir():
            with on_hub(f"reading the card of {model['id']}"):
                try:
                    path = Path(hf_hub_download(model["id"], "README.md", revision=model.get("revision")))
                except EntryNotFoundError:
                    return {}
        data = ModelCard(path.read_text(encoding="utf-8")).data.to_dict() if path.is_file() else {}
    except (Failure, ValueError) as error:
        log(f"warning: the base model's card was not read, so no licence is claimed: {error}")
        return {}
    return {key: data[key] for key in ("license", "license_name", "license_link") if key in data}


def model_card(run: dict, repo_id: str, licence: dict) -> str:
    """README.md of the model that `run` (run.json) trained: how it was made, what was measured, how to use it."""
    from huggingface_hub import ModelCardData

    plan, settings = run["plan"], run["plan"]["settings"]
    model, source = plan["model"], plan["dataset"]["source"]
    whole = (model.get("base") or model)["id"]
    base = None if Path(whole).is_dir() else whole
    data = None if Path(source["id"]).exists() else source["id"]
    adapter = settings["lora"] is not None
    header = ModelCardData(
        base_model=base, datasets=[data] if data else None, library_name="peft" if adapter else "transformers",
        pipeline_tag="text-classification" if plan["method"] == "reward" else "text-generation",
        tags=["trl", plan["method"], "lora" if adapter else "full-fine-tuning", "skillpack"],
        base_model_relation=("adapter" if adapter else "finetune") if base else None, **licence,
    )  # fmt: skip
    named = {"base": f"[{base}](https://huggingface.co/{base})" if base else f"a local model ({plan['name']})"}
    named["data"] = f"[{data}](https://huggingface.co/datasets/{data})" if data else "a local file"
    split = plan["dataset"]["split"]
    by = ("the dataset's own held-out split" if split["key"] == "given" else
          f"{split['fraction']:.0%} of the groups of like prompts held out, by hash, seed {split['seed']}")  # fmt: skip
    shown = {"method": plan["method"], **settings, "steps": run["steps"]}  # those taken, not those planned
    hidden = {"device", "save_seconds", "budget_seconds", "deadline_seconds", "held_out_rows"}
    rows = [
        f"| {key} | {json.dumps(value)} |" for key, value in shown.items() if value is not None and key not in hidden
    ]
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    cut = f" The run was cut short by {run['stopped_by']}." if run.get("stopped_by") else ""
    return "\n".join([
        "---", header.to_yaml(), "---", "", f"# {repo_id.rpartition('/')[2]}", "",
        f"{'A LoRA adapter for' if adapter else 'A fine-tuned version of'} {named['base']}"
        f"{' at ' + model['revision'] if base and model.get('revision') else ''}, trained by {plan['method']} with TRL "
        f"on {named['data']}.{cut}", "", "## Data", "",
        f"{run['train_rows']} rows to train on, from the split `{source['split']}`"
        f"{', revision ' + source['revision'] if source.get('revision') else ''}; {by}.", "",
        *comparison_section(run["comparison"]), "## Use", "", "```python", *usage(repo_id, plan["method"], adapter),
        "```", "", "## Settings", "", "| setting | value |", "| --- | --- |", *rows, "", f"Versions: {versions}.", "",
        "## Licence", "",
        f"As the base model's card states: {licence.get('license_name') or licence['license']}."
        if licence.get("license") else "The base model's card states none, and none is claimed here.", "",
    ])  # fmt: skip


def comparison_section(comparison: dict | None) -> list:
    """The lines of a card that show base against tuned, and what that does not show."""
    if not comparison:
        return ["## Measured", "", "Nothing: the run has no comparison with its base.", ""]
    lines = ["## Measured", "", f"Base and tuned, by the same code on the same {comparison['rows']} held-out rows; in "
             "brackets the 95 % interval of the difference (paired bootstrap over groups).", "",
             "| metric | base | tuned | difference |", "| --- | --- | --- | --- |"]  # fmt: skip
    for name, metric in comparison["metrics"].items():
        said = "" if metric["beyond_interval"] else ", not shown to be better"
        lines.append(
            f"| {name} ({metric['better']} is better) | {metric['base']:.3f} | {metric['tuned']:.3f} | "
            f"{metric['difference']:+.3f} [{metric['low']:+.3f}, {metric['high']:+.3f}]{said} |"
        )
    unmeasured = (
        "These rows come from the training data's own source. Not measured: other data and tasks, what the base could "
        "do and this model no longer can, other seeds, harmful or false answers."
    )
    return [*lines, "", unmeasured, ""]


def usage(repo_id: str, method: str, adapter: bool) -> list:
    """The lines of Python with which the model is loaded."""
    kind = "SequenceClassification" if method == "reward" else "CausalLM"
    package, name = ("peft", f"AutoPeftModelFor{kind}") if adapter else ("transformers", f"AutoModelFor{kind}")
    more = ", num_labels=1" if method == "reward" and adapter else ""
    return [
        f"from {package} import {name}",
        "from transformers import AutoTokenizer",
        "",
        f'model = {name}.from_pretrained("{repo_id}"{more})' + ("  # loads its base, too" if adapter else ""),
        f'tokenizer = AutoTokenizer.from_pretrained("{repo_id}")',
    ]


def validate_card(text: str) -> None:
    """Raises Failure when the Hub's own check refuses the card's YAML header."""
    from huggingface_hub import ModelCard

    with on_hub("checking the model card"):
        try:
            ModelCard(text).validate()
        except ValueError as error:
            raise Failure(f"the Hub refuses the model card: {error}", "correct model/README.md in the run") from None


def push_run(run: dict, folder: Path) -> dict:
    """Writes the card of a completed run into its model's folder and pushes that: the `pushed` of run.json."""
    push = run["plan"]["push"]
    repo_id = claim_repo(push["repo_id"], push["private"], run["name"])
    card = model_card(run, repo_id, base_licence(run["plan"]["model"]))
    validate_card(card)
    write_atomic(folder / "README.md", card)
    return push_folder(repo_id, folder, f"{run['plan']['method']} run {run['name']}, {run['steps']} steps")


def require_push(plan: dict, yes: bool) -> None:
    """Before anything is loaded: that a plan which pushes was confirmed, and that its push will be let in."""
    push = plan["push"]
    if not yes:
        raise Failure(
            f"the plan pushes the model to {push['repo_id']} ({'private' if push['private'] else 'public'})",
            "run it again with --yes, or take `push` out of the plan",
            EXIT_UNCONFIRMED,
        )
    log(f"{claim_repo(push['repo_id'], push['private'], plan['name'])} is there and can be written to")


# endregion skillpack:publish

# region skillpack:mirror
import threading

RUNS_BUCKET = "skillpack-runs"  # private; submit_run.py mounts it at /runs
SMALL_FILES = ("plan.sha256", "log.jsonl", "baseline.json", "batch.json")


class Mirror:
    """Copies the newest whole checkpoint of a run to the bucket, in the background, one at a time.

    A copy that fails is a warning, and the next save tries again with what is newest then.
    """

    def __init__(self, out: Path, folder: str) -> None:
        self.out, self.folder, self.sent = out, folder, ""
        self.thread = threading.Thread(target=self._copy, daemon=True)
        self.api, who = sign_in()
        self.bucket = f"{who['name']}/{RUNS_BUCKET}"
        with on_hub(f"making the bucket {self.bucket}"):
            self.api.create_bucket(self.bucket, private=True, exist_ok=True)
            if not self.api.bucket_info(self.bucket).private:
                raise Failure(
                    f"the bucket {self.bucket} is public, and checkpoints would be too",
                    f"`hf buckets settings {self.bucket} --private`",
                )

    def listed(self) -> set:
        """Paths in the bucket of the files of this run, below its folder."""
        from huggingface_hub.errors import EntryNotFoundError

        try:
            tree = list(self.api.list_bucket_tree(self.bucket, self.folder, recursive=True))
        except EntryNotFoundError:
            return set()
        return {entry.path.removeprefix(self.folder + "/") for entry in tree if entry.type == "file"}

    def restore(self) -> None:
        """Fetches the newest whole checkpoint, and the log and scores that go with it, into the run's empty folder."""
        with on_hub(f"looking for a checkpoint in {self.bucket}"):
            files = self.listed()
            whole = [int(path.split("-")[1].split("/")[0]) for path in files if path.endswith(f"/{WHOLE}")]
            if not whole:
                return
            prefix = f"checkpoints/checkpoint-{max(whole)}/"
            log(f"fetching checkpoint-{max(whole)} from the bucket {self.bucket}")
            wanted = [name for name in files if name.startswith(prefix) or name in SMALL_FILES]
            wanted.sort(key=lambda name: name.endswith(f"/{WHOLE}"))  # last: until then it is a torso
            for batch in (wanted[:-1], wanted[-1:]):
                pairs = [(f"{self.folder}/{name}", self.out / name) for name in batch]
                self.api.download_bucket_files(self.bucket, pairs, raise_on_missing_files=True)

    def push(self) -> None:
        """Starts a copy of the newest checkpoint, unless one is under way."""
        if not self.thread.is_alive():
            self.thread = threading.Thread(target=self._copy, daemon=True)
            self.thread.start()

    def wait(self) -> None:
        """Until the newest checkpoint is in the bucket, or a last try has failed."""
        if self.thread.is_alive():
            self.thread.join()
        whole = whole_checkpoints(self.out / "checkpoints")
        if whole and whole[-1].name != self.sent:
            self._copy()

    def clear(self) -> None:
        """Deletes the checkpoints in the bucket: the model is done, and where it belongs."""
        try:
            with on_hub(f"deleting checkpoints in {self.bucket}"):
                if old := [f"{self.folder}/{name}" for name in self.listed() if name.startswith("checkpoints/")]:
                    self.api.batch_bucket_files(self.bucket, delete=old)
        except Failure as error:
            log(f"warning: {error}")

    def _copy(self) -> None:
        whole = whole_checkpoints(self.out / "checkpoints")
        if not whole:
            return
        newest = whole[-1]
        there = f"checkpoints/{newest.name}"
        files = [(path, f"{there}/{path.relative_to(newest).as_posix()}") for path in newest.rglob("*")
                 if path.is_file() and path.name != WHOLE]  # fmt: skip
        files += [(self.out / name, name) for name in SMALL_FILES if (self.out / name).is_file()]
        try:
            with on_hub(f"copying {newest.name} to {self.bucket}"):
                self.api.batch_bucket_files(self.bucket, add=[(path, f"{self.folder}/{name}") for path, name in files])
                older = [f"{self.folder}/{name}" for name in self.listed()
                         if name.startswith("checkpoints/") and not name.startswith(there + "/")]  # fmt: skip
                self.api.batch_bucket_files(
                    self.bucket, add=[(newest / WHOLE, f"{self.folder}/{there}/{WHOLE}")], delete=older
                )
            self.sent = newest.name
        except Exception as error:  # noqa: BLE001 - whatever the client raises, the run goes on
            log(f"warning: {newest.name} is on this machine only, and the next save tries again: {error}")


def start_mirror(plan: dict, identity: str, out: Path):
    """The mirror of a run that pushes, with what the bucket has of it fetched; None in a job, which lies there."""
    if not FIRST or not plan.get("push") or plan.get("smoke") or os.environ.get("JOB_ID"):
        return None
    mirror = Mirror(out, f"{plan['name'][:80]}-{identity[:8]}")
    if not whole_checkpoints(out / "checkpoints") and not (out / "run.json").is_file():
        mirror.restore()
    return mirror


# endregion skillpack:mirror

# region skillpack:smoke
SMOKE_ROWS = 200  # read from the dataset's beginning
# What a model of any size is cut to. The vocabulary stays, so that tokenizer and template are the real ones.
SHRUNKEN = {
    "intermediate_size": 64, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32, "expert_size": 32,
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1,
    "topk_group": 1, "first_k_dense_replace": 1, "num_kv_shared_layers": 0,
}  # fmt: skip
LAYERS, MOST_LAYERS, HEADS, HEAD_SIZE = 2, 8, 2, 32


def smoke_plan(plan: dict) -> dict:
    """The plan with what costs time or memory cut: its rows, columns, template, rewards and TRL settings stay."""
    cut = {
        "device": "cpu", "precision": "fp32", "weights": "fp32", "quantization": None, "steps": 2, "warmup_steps": 0,
        "held_out_rows": 2, "save_seconds": 1e-9, "budget_seconds": None, "deadline_seconds": None,
    }  # fmt: skip
    settings = {**plan["settings"], **cut}
    if plan["method"] == "grpo":  # the batch stays: it decides whether whole groups of answers fill a step
        settings["accumulation"] *= plan["hardware"].get("gpus", 1) * plan["hardware"].get("nodes", 1)
        settings["max_completion_length"] = min(16, settings.get("max_completion_length", 16))
    else:
        settings["batch_size"], settings["accumulation"] = min(2, settings["batch_size"]), 1
    alone = {**plan["hardware"], "gpus": 1, "nodes": 1, "strategy": "single"}
    cut_model = {**plan["model"], "shrunken": True}
    return {**plan, "model": cut_model, "hardware": alone, "settings": settings, "smoke": SMOKE_ROWS}


def shrunken_config(config):
    """A config of the same architecture and vocabulary with two small layers, or as many as hold every kind of layer.

    Raises Failure for an architecture whose config it cannot make consistent.
    """
    text = config.get_text_config()
    layers = getattr(text, "num_hidden_layers", None)
    if not layers or not getattr(text, "num_attention_heads", None):
        raise Failure(f"--smoke cannot shrink {type(config).__name__}", "plan a run of --test-run instead", EXIT_USAGE)
    kinds = list(getattr(text, "layer_types", None) or [])
    kept = max([LAYERS, *(kinds.index(kind) + 1 for kind in set(kinds))])
    kept = min(kept, layers, MOST_LAYERS)
    equal = getattr(text, "num_key_value_heads", None) in (None, text.num_attention_heads)
    rope = getattr(text, "rope_parameters", None) or {}
    listed = any(isinstance(value, list) for value in rope.values())  # factors for each pair of a head's entries
    size = (getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads) if listed else HEAD_SIZE
    for name, value in vars(text).copy().items():
        if isinstance(value, list) and len(value) == layers:
            setattr(text, name, value[:kept])
    changes = {
        "num_hidden_layers": kept, "num_attention_heads": HEADS, "num_key_value_heads": HEADS if equal else 1,
        "head_dim": size, "hidden_size": HEADS * size, **SHRUNKEN,
    }  # fmt: skip
    for name, value in changes.items():
        if isinstance(getattr(text, name, None), int):
            setattr(text, name, value)
    return config


def shrunken_model(model: dict, kind, **more: object):
    """The plan's model with random weights and a shrunken config; none of its weights are read."""
    from transformers import AutoConfig

    whole = model.get("base") or model
    config = AutoConfig.from_pretrained(whole["id"], revision=whole.get("revision"), **more)
    return kind.from_config(shrunken_config(config))


def smoke_result(plan: dict, shown: dict, folder: Path) -> dict:
    """What a smoke test has proved, and what it has not, for a person and for a machine."""
    settings = shown["plan"]["settings"]
    proved = [
        f"columns and mapping: {shown['train_rows']} rows to train on among the first {SMOKE_ROWS}",
        "the tokenizer, and the chat template where the rows are conversations",
        "the settings that TRL and PEFT are given",
        f"{shown['steps']} steps of training on CPU with a shrunken model of the same architecture",
        *([f"the rewards {', '.join(settings['rewards'])} on generated answers"] if settings.get("rewards") else []),
        "saving a checkpoint and the model, and scoring base and tuned",
        *([shown["push"]] if shown.get("push") else []),
    ]
    real = plan["settings"]
    left = [
        "that the real weights download, load, and fit in memory",
        "speed, and that training helps",
        *(
            [f"{real['precision']} on {real['device']}"]
            if real["device"] != "cpu" or real["precision"] != "fp32"
            else []
        ),
        *(["4-bit weights"] if real.get("quantization") else []),
        *(["several processes"] if plan["hardware"].get("gpus", 1) * plan["hardware"].get("nodes", 1) > 1 else []),
    ]
    return {"smoke": "passed", "name": plan["name"], "proved": proved, "not_proved": left}


# endregion skillpack:smoke


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

# region skillpack:training
import contextlib
import logging
import shutil
import tempfile
import time

LOOKED_AT = 1000  # rows whose tokens are counted before anything is loaded


def open_run(doc: str, method: str, argv: list[str], more: dict | None = None):
    """(plan, folder of the run, command line) of a training script; the plan is None when the run is done.

    Raises Failure for a plan of another method, a folder that holds a run of another plan, too little disk, and a
    push that was not confirmed or would not be let in.
    """
    options = parser(doc)
    options.add_argument("--plan", type=Path, required=True, help="plan.json of plan_run.py")
    options.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME of the plan)")
    options.add_argument("--finish", action="store_true", help="train no further: score the last checkpoint as it is")
    options.add_argument(
        "--smoke", action="store_true", help="try all of it with a tiny model on CPU, and keep nothing"
    )
    options.add_argument("--yes", action="store_true", help="push the model where the plan says")
    options.add_argument("--json", action="store_true", help="print run.json on standard output")
    for flag, meaning in (more or {}).items():
        options.add_argument(flag, **meaning)
    args = options.parse_args(argv)
    args.plan_read = plan = read_artifact(args.plan, "plan")
    if plan["method"] != method:
        raise Failure(f"the plan's method is {plan['method']!r}", f"run train_{plan['method']}.py", EXIT_USAGE)
    if args.smoke:
        return open_smoke(plan, args)
    require_processes(plan)
    out = args.out or Path("runs") / plan["name"]
    if (out / "run.json").is_file():
        run = read_artifact(out / "run.json", "run")
        if run["plan_sha256"] != plan_sha256(plan):
            raise Failure(
                f"{out} holds a run of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
            )
        if run["status"] == "completed":
            log(f"done already: {out / 'run.json'}")
            if plan.get("push") and not run.get("pushed") and FIRST:
                require_push(plan, args.yes)
                publish_run({**run, "plan": plan}, out, None)
                run = read_artifact(out / "run.json", "run")
            if args.json:
                emit(run)
            return None, out, args
    if plan.get("push") and FIRST:
        require_push(plan, args.yes)
    require_disk(out, plan["estimate"]["disk_gb"])
    if FIRST:
        take_folder(out)
    claim = out / "plan.sha256"
    if claim.is_file() and claim.read_text(encoding="utf-8").strip() != plan_sha256(plan):
        raise Failure(
            f"{out} holds checkpoints of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
        )
    write_atomic(claim, plan_sha256(plan) + "\n")
    settle_libraries(plan)
    args.mirror = start_mirror(plan, plan_sha256(plan), out)
    log(f"run {plan['name']} in {out}: loading rows")
    return plan, out, args


def take_folder(out: Path) -> None:
    """Holds a run's folder until this process ends. Raises Failure where another process of this machine does."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        return
    with contextlib.suppress(OSError):  # a file system without locks
        held = os.open(out, os.O_RDONLY)  # never closed: the lock goes with the process, however that ends
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"another process is training in {out}", "wait for it, or give another --out") from None


def open_smoke(plan: dict, args):
    """What `open_run` gives for --smoke: a cut plan, and a folder that is deleted at the end."""
    push = plan.get("push")
    args.pushing = ""
    if push:
        if args.yes:
            require_push(plan, args.yes)
            args.pushing = f"a file was written to {push['repo_id']}"
        else:
            repo_id = full_id(sign_in()[1], push["repo_id"])
            args.pushing = f"the token's role lets it write to {repo_id} (with --yes, a file is written as well)"
    args.mirror = None
    args.folder = tempfile.TemporaryDirectory(prefix="smoke-", ignore_cleanup_errors=True)
    os.environ["TRACKIO_DIR"] = str(Path(args.folder.name) / "trackio")
    plan = smoke_plan(plan)
    settle_libraries(plan)
    log(f"smoke test of {plan['name']}: two steps of a shrunken {plan['model']['id']} on CPU")
    return plan, Path(args.folder.name), args


def settle_libraries(plan: dict) -> None:
    """What must stand before the first import of a library that trains."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if plan["settings"]["device"] == "cpu" and not plan["settings"].get("quantization"):
        # PEFT imports it wherever it is installed: 2 seconds, most of them torch's compiler, for weights of 4 bits.
        sys.modules.setdefault("bitsandbytes", None)  # type: ignore[arg-type]
    # Where it is needed, it warns that a kernel for CPUs is missing, which no run here needs.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def plan_sha256(plan: dict) -> str:
    """Of what decides the weights: the plan's model, dataset and settings."""
    return hashlib.sha256(json.dumps([plan[key] for key in ("model", "dataset", "settings")]).encode()).hexdigest()


def require_template(tokenizer, rows) -> None:
    """Raises Failure for rows that are conversations and a tokenizer that cannot write them as text."""
    if tokenizer.chat_template is None and any(isinstance(value, list) for value in rows[0].values()):
        raise Failure(
            "the rows are conversations, and the model's tokenizer has no chat template",
            "train the instruct variant of the model, or set tokenizer.chat_template and save it with the model",
            EXIT_USAGE,
        )


def require_trained_tokens(rows, parts, tokenizer, settings: dict) -> None:
    """Counts the rows in which a token of the answer is left within max_length: no weights are read for it.

    `parts(row)` is (what the model is given, its answers). Up to LOOKED_AT rows; raises Failure when none is left.
    """
    looked_at, limit = rows.select(range(min(len(rows), LOOKED_AT))), settings["max_length"]
    lost = 0
    for given, answers in map(parts, looked_at):
        lost += not all(encode(tokenizer, given, answer, limit)[1] for answer in answers)
    if lost == len(looked_at):
        raise Failure(
            f"no token carries loss once rows are cut at {limit} tokens",
            "raise settings.max_length in the plan, or look at the rows' answers",
            EXIT_USAGE,
        )
    if lost:
        log(f"warning: in {lost} of {len(looked_at)} rows no token carries loss within {limit} tokens")


@contextlib.contextmanager
def trl_settings():
    """Turns TRL's or PEFT's refusal of the plan's settings into a Failure: nothing has been trained yet."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise Failure(
            f"TRL refuses this plan: {error}", "correct settings in the plan, or plan again", EXIT_USAGE
        ) from error


def train_guarded(trainer, guard, out: Path, args) -> None:
    """Trains from the newest whole checkpoint, or from the start. `guard` is already one of its callbacks.

    Where memory runs out, the program begins anew with half the batch, and does not come back from here.
    """
    if not len(trainer.train_dataset):
        raise Failure(
            f"TRL leaves no row within {args.plan_read['settings']['max_length']} tokens",
            "raise settings.max_length in the plan, or look at the rows' answers",
            EXIT_USAGE,
        )
    checkpoint = agreed(lambda: last_whole_checkpoint(out / "checkpoints"))
    if args.finish:
        if not checkpoint:
            raise Failure(f"{out} has no whole checkpoint to finish with", "train first", EXIT_USAGE)
        guard.cut_short = "--finish"
        with contextlib.suppress(NoTraining):
            trainer.train(resume_from_checkpoint=str(checkpoint))
        guard.finish()
        return
    if checkpoint:
        log(f"resuming from {checkpoint.name}")
    short = None
    try:
        if not checkpoint:
            try_longest(trainer)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except Exception as error:  # libraries have many types for it; what is not about memory or the disk goes on
        if "unexpected pos" in str(error):  # all that torch.save says of a write that failed
            raise Failure(
                f"a checkpoint could not be written: the disk of {out} is full, or a quota reached",
                "free some, then run the same command: it continues from the last whole checkpoint",
            ) from None
        if not out_of_memory(error):
            raise
        short = error
    if short:
        rows, step = trainer.args.per_device_train_batch_size, trainer.state.global_step
        halve_batch(args.plan_read["settings"], out, rows, step, short)
        guard.finish()
        begin_anew()
    guard.finish()


def try_longest(trainer) -> None:
    """Makes the first step begin with the longest rows there are, so that memory runs out now and not in an hour.

    Forward and backward only, and no trace of them: gradients are cleared, the random state and TRL's counts are put
    back. Left out where rows are drawn (GRPO) or several processes share the model.
    """
    import torch
    from pyarrow.compute import list_value_length
    from transformers import TrainerCallback

    rows = trainer.train_dataset
    columns = [name for name in ("input_ids", "prompt_ids", "chosen_ids", "rejected_ids") if name in rows.column_names]
    if not columns or trainer.args.world_size > 1:
        return
    table = rows.select_columns(columns).with_format("arrow")[:]
    lengths = sum(list_value_length(table[name]).to_numpy() for name in columns)
    longest = lengths.argsort()[::-1][: trainer.args.per_device_train_batch_size]

    class LongestFirst(TrainerCallback):
        tried = False

        def on_step_begin(self, args, state, control, **kwargs):
            if not self.tried:
                self.tried, tokens = True, trainer._total_train_tokens
                with torch.random.fork_rng():
                    batch = trainer.data_collator([rows[int(index)] for index in longest])
                    trainer.training_step(trainer.model_wrapped, batch)
                trainer.model_wrapped.zero_grad(set_to_none=True)
                trainer._metrics["train"].clear()
                trainer._total_train_tokens = tokens

    trainer.add_callback(LongestFirst())


def finish_run(plan: dict, out: Path, args, trainer, guard, scores, compare) -> int:
    """Saves the model, writes run.json with `compare(base, tuned)` of its scores, and says how it went.

    A run that a guard stopped keeps its checkpoints, has no comparison, and ends with a Failure.
    """
    if plan.get("smoke"):
        return finish_smoke(plan, out, args, trainer, scores)
    if not guard.stopped:
        save_whole_model(trainer, out / "model")
        tuned = scores("tuned")
    if not FIRST:
        await_all()
        if not guard.stopped:
            shutil.rmtree(out / "checkpoints", ignore_errors=True)  # this machine's pieces
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
        "out_of_memory": batch_of(plan["settings"], out)["halved"],
        "model_path": None,
        "comparison": None,
    }
    if not guard.stopped:
        document["model_path"] = "model"
        document["comparison"] = compare(json.loads((out / "baseline.json").read_text(encoding="utf-8")), tuned)
    document["seconds"] = time.monotonic() - guard.started
    document["peak_memory_gb"] = peak_memory_gb(plan["settings"]["device"])
    write_artifact(out / "run.json", document)
    await_all()
    if guard.stopped:
        raise Failure(
            f"stopped by {guard.stopped} at step {trainer.state.global_step}",
            "run it again to continue, or with --finish to score the last checkpoint as it is",
            EXIT_INTERRUPTED if guard.stopped == "SIGINT" else EXIT_FAILED,
        )
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    for name, metric in (document["comparison"] or {"metrics": {}})["metrics"].items():
        log(
            f"{name}: base {metric['base']:.3f}, tuned {metric['tuned']:.3f}, difference {metric['difference']:+.3f} "
            f"[{metric['low']:+.3f}, {metric['high']:+.3f}] over {document['comparison']['rows']} held-out rows"
        )
    log(f"wrote {out / 'run.json'}")
    if plan.get("push"):
        document = publish_run(document, out, args.mirror)
    if args.json:
        emit(document)
    return EXIT_OK


def publish_run(run: dict, out: Path, mirror) -> dict:
    """Pushes a completed run's model, and writes down in run.json that it is there. Raises Failure when it is not."""
    try:
        pushed = push_run(run, out / "model")
    except Failure as failure:
        raise Failure(
            f"the run is completed and lies in {out}, and its model was not published: {failure.problem}",
            f"{failure.fix}; then the same command again, which only pushes",
        ) from None
    run = {**run, "pushed": pushed}
    write_artifact(out / "run.json", run)
    log(f"pushed and verified: {pushed['url']}")
    if mirror:
        mirror.clear()
    return run


def finish_smoke(plan: dict, out: Path, args, trainer, scores) -> int:
    """The end of --smoke: saves and scores as a run would, says what that has proved, and keeps nothing."""
    trainer.save_model(str(out / "model"))
    scores("tuned")
    if not last_whole_checkpoint(out / "checkpoints"):
        raise Failure("no checkpoint was saved", "report this: it is a defect of the script")
    shown = {"plan": plan, "train_rows": len(trainer.train_dataset), "steps": trainer.state.global_step}
    result = smoke_result(args.plan_read, {**shown, "push": args.pushing}, out)
    log("smoke test passed\n  proved:" + "".join(f"\n    {line}" for line in result["proved"]))
    log("  not proved:" + "".join(f"\n    {line}" for line in result["not_proved"]))
    args.folder.cleanup()
    if args.json:
        emit(result)
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


def load_model(plan: dict, kind=None, **more: object):
    """The base model in the plan's precision, which TRL would load in float32; `kind` is AutoModelForCausalLM.

    It is left where it was read to: TRL's trainer puts it on its device. Call it when TRL's arguments are made.
    """
    from transformers import AutoModelForCausalLM

    model, settings = plan["model"], plan["settings"]
    prepare_to_spread(plan)
    if model.get("shrunken"):
        return shrunken_model(model, kind or AutoModelForCausalLM, **more)
    if settings.get("quantization"):
        more["quantization_config"] = four_bits(settings)
    return pretrained(model, settings, kind, **more)


def four_bits(settings: dict):
    """bitsandbytes' configuration of a base of 4-bit weights (QLoRA), multiplied in the plan's precision."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=settings["quantization"]["type"],
        bnb_4bit_use_double_quant=settings["quantization"]["double"],
        bnb_4bit_compute_dtype={"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[
            settings["precision"]
        ],
    )


def lora_config(model, settings: dict, task: str = "CAUSAL_LM"):
    """PEFT's configuration of the plan's adapter; None for full fine-tuning, and for a model that has its adapter.

    `SEQ_CLS` trains the head too.
    """
    if settings["lora"] is None or hasattr(model, "peft_config"):
        return None
    from peft import LoraConfig

    return LoraConfig(task_type=task, bias="none", **settings["lora"])


def trainer_arguments(plan: dict, out: Path) -> dict:
    """The TrainingArguments that every method shares, each spelled out where a default would lose work."""
    settings = plan["settings"]
    batch = batch_of(settings, out)
    return {
        "output_dir": str(out / "checkpoints"),
        "per_device_train_batch_size": batch["batch_size"],
        "gradient_accumulation_steps": batch["accumulation"],
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
        **spread_arguments(plan),
    }


# endregion skillpack:training


def main(argv: list[str]) -> int:
    plan, out, args = open_run(__doc__, "dpo", argv)
    if plan is None:
        return EXIT_OK
    settings = plan["settings"]
    train_rows, test_rows = map(with_prompt, load_splits(plan, ("prompt", "chosen", "rejected")))
    tokenizer = load_tokenizer(plan["model"])
    require_template(tokenizer, train_rows)
    require_trained_tokens(
        train_rows, lambda row: (row["prompt"], [row["chosen"], row["rejected"]]), tokenizer, settings
    )
    log(f"{len(train_rows)} pairs to train on, {len(test_rows)} held out")

    import torch
    from trl import DPOConfig, DPOTrainer

    torch.manual_seed(settings["seed"])
    with trl_settings():
        arguments = DPOConfig(
            **trainer_arguments(plan, out),
            max_length=settings["max_length"],
            beta=settings.get("beta", 0.1),
        )
    model = load_model(plan)

    def scores(what: str) -> list[dict]:
        return in_parts(plan, test_rows, lambda rows: scored(
            rows, f"scoring the {what} model", lambda row: score_pair(trainer.model, tokenizer, row, settings)
        ))  # fmt: skip

    guard = run_guard(plan, out, scores, args.mirror)
    # TRL would read the reference by the base's name: without the plan's revision, and without a merged adapter.
    reference = None if settings["lora"] else load_model(plan)
    with trl_settings():
        trainer = DPOTrainer(
            model=model,
            ref_model=reference,
            args=arguments,
            train_dataset=train_rows,
            processing_class=tokenizer,
            peft_config=lora_config(model, settings),
            callbacks=[guard],
        )
    train_guarded(trainer, guard, out, args)
    if "ref" in getattr(model, "peft_config", {}):
        model.delete_adapter("ref")  # TRL's frozen copy of the adapter, which would be saved beside the trained one
    metrics = {"preference_accuracy": "higher", "margin": "higher"}
    return finish_run(plan, out, args, trainer, guard, scores, lambda *both: compare_scores(*both, metrics))


if __name__ == "__main__":
    sys.exit(run(main))
