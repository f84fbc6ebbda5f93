# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "trl>=1.16,<2",
#   "transformers>=5.23,<6",
#   "peft>=0.21,<1",
#   "datasets>=5.2,<6",
#   "jsonschema>=4.21,<5",
#   "torch>=2.8,<3",
# ]
# ///
"""Base against tuned: one harness, one seed, the held-out rows of the training, paired intervals.

Scores both models as the training does (loss and closed answers by likelihood, preferences, a reward model's head,
rewards of answers), lets both answer the held-out prompts greedily, and puts some answers side by side. --tasks adds
tasks of lm-eval 0.4.13 by name or YAML file; it brings some forty packages, so it is installed only when asked for:
  uv run --with lm-eval==0.4.13 scripts/compare_models.py runs/mine --tasks arc_easy
--probes adds prompts of your own, JSON lines of {"prompt", "expected"?}, which are reported apart.

Writes comparison.json, and keeps each score beside it as it comes: the same command continues after a crash, and
another measure later costs only itself. Exits 1 when a metric is worse beyond its interval (of all, or of --gate);
with --require-better also when none is better.

examples:
  python scripts/compare_models.py runs/qwen3-0.6b-codeforces-cots-sft --probes probes.jsonl
  python scripts/compare_models.py --base Qwen/Qwen3-0.6B --tuned me/mine --data test.jsonl --require-better --json
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


# region skillpack:verdict
def standing(metric: dict) -> str:
    """ "better" or "worse" where the 95 % interval of tuned - base excludes zero, else "not shown to differ"."""
    if metric["low"] <= 0 <= metric["high"]:
        return "not shown to differ"
    return "better" if (metric["low"] > 0) == (metric["better"] == "higher") else "worse"


def verdict_of(metrics: dict) -> str:
    """How the tuned model stands to its base by {name: metric}, and no more than the intervals allow."""
    names: dict = {"better": [], "worse": [], "not shown to differ": []}
    for name, metric in metrics.items():
        names[standing(metric)].append(name)
    openings = {"better": "better than its base on", "worse": "worse than its base on"}
    parts = [f"{openings.get(kind, kind + ' on')} {listed(found)}" for kind, found in names.items() if found]
    return ", and ".join(parts)


def listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


# endregion skillpack:verdict

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

# region skillpack:generation
GENERATION_BATCH = 8


def greedy_answers(model, tokenizer, prompts: list, max_new_tokens: int) -> list[tuple[str, bool]]:
    """(likeliest continuation, token by token; whether it was cut at the limit) of each prompt, as one batch.

    A prompt is text or messages. Both models of a comparison stop at the same tokens: those of the model's
    generation config and the tokenizer's end.
    """
    import torch

    model.eval()
    encoded = [
        tokenizer(prompt)["input_ids"]
        if isinstance(prompt, str)
        else tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
        for prompt in prompts
    ]
    longest = max(map(len, encoded))
    padding = [longest - len(ids) for ids in encoded]  # on the left: an answer follows its prompt at once
    ids = [[tokenizer.pad_token_id] * pad + ids for pad, ids in zip(padding, encoded, strict=True)]
    mask = [[0] * pad + [1] * (longest - pad) for pad in padding]
    ends = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
    with torch.no_grad():
        drawn = model.generate(
            input_ids=torch.tensor(ids, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            max_new_tokens=max_new_tokens, do_sample=False, temperature=None, top_p=None, top_k=None,
            pad_token_id=tokenizer.pad_token_id, eos_token_id=sorted(ends),
        )  # fmt: skip
    said = drawn[:, longest:].tolist()
    return [(tokenizer.decode(answer, skip_special_tokens=True), not ends.intersection(answer)) for answer in said]


# endregion skillpack:generation

# region skillpack:sandbox
import builtins
import contextlib
import ctypes
import functools
import inspect
import itertools
import resource
import secrets
import shutil
import signal
import subprocess
import tempfile

TEST_SECONDS = 5  # of a processor, for one answer's code and its tests; by the clock, three times this
TEST_MEMORY_MB, TEST_FILES_MB, TEST_PROCESSES = 1024, 16, 32
SANDBOX_UID = 65534  # of the solver where the trainer is root; the checker is the one below
LEVELS = {
    "namespaces": "no network, no file of this machine but the interpreter's, read-only, and processes of their own",
    "other user": "another user, and an audit hook of Python's that native code can get around",
    "same user": "only limits and an audit hook: code that means harm can get out, and read what you can read",
}


def pack(value, keep: list | None):
    """`value` for JSON, tagged where JSON has no such type; what is not plain data is kept, and its place is sent."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Remote):
        return {"kept": object.__getattribute__(value, "place")}
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return {kind.__name__: [pack(item, keep) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(key, keep), pack(item, keep)] for key, item in value.items()]}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if hasattr(value, "__next__"):
        return {"iter": [pack(item, keep) for item in itertools.islice(value, 10_000)]}
    if keep is None:
        raise TypeError(f"a test cannot hand a {type(value).__name__} to the answer's code: plain data only")
    keep.append(value)
    return {"kept": len(keep) - 1}


def unpack(data, kept):
    """The value that `pack` sent; `kept(place)` gives what was not plain data."""
    if not isinstance(data, dict):
        return data
    [(kind, content)] = data.items()
    if kind == "kept":
        return kept(content)
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "complex":
        return complex(*content)
    if kind == "dict":
        return {unpack(key, kept): unpack(item, kept) for key, item in content}
    makers: dict = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "iter": iter}
    return makers[kind]([unpack(item, kept) for item in content])


class Remote:
    """Something of the answer's code, as a test sees it: it can be called and asked for attributes, no more.

    Its equality is identity, so that no `__eq__` of the answer's decides a test.
    """

    def __init__(self, ask, place: int) -> None:
        self.ask, self.place = ask, place

    def __call__(self, *args, **kwargs):
        return self.ask({"call": self.place, "args": pack(args, None), "kwargs": pack(kwargs, None)}, args)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return self.ask({"get": self.place, "name": name}, ())


def solve(read, write) -> None:
    """The solver: runs the answer's code, then does what the checker asks of it. Nothing here is trusted."""
    kept: list = []

    def reply(make) -> None:
        try:
            document = make()
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it is the answer's, and the checker judges
            document = {"error": [type(error).__name__, str(error)[:500]]}
        write(document)

    def define() -> dict:
        names: dict = {"__name__": "answer"}
        exec(compile(read()["code"], "answer.py", "exec"), names)
        return {"names": {name: pack(value, kept) for name, value in names.items() if not name.startswith("_")}}

    def serve(request: dict) -> dict:
        if "get" in request:
            return {"value": pack(getattr(kept[request["get"]], request["name"]), kept)}
        args, kwargs = (unpack(request[key], kept.__getitem__) for key in ("args", "kwargs"))
        value = pack(kept[request["call"]](*args, **kwargs), kept)
        return {
            "value": value,
            "args": [pack(arg, kept) if isinstance(arg, (list, dict, set)) else None for arg in args],
        }

    reply(define)
    while request := read():
        reply(lambda request=request: serve(request))


def check(job: dict, read, write) -> list[bool]:
    """The checker: whether each test of the job holds for its code, which runs in the process behind the pipe."""

    def ask(request: dict, args: tuple):
        write(request)
        answer = read()
        if "error" in answer:
            name, message = answer["error"]
            kind = getattr(builtins, str(name), None)
            raise (kind if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError)(message)
        for arg, after in zip(args, answer.get("args", ()), strict=False):
            if after is not None:  # what a function did to its argument, done to the test's
                changed = unpack(after, remote)
                arg.clear()
                (arg.extend if isinstance(arg, list) else arg.update)(changed)
        return unpack(answer["value"], remote)

    def remote(place: int) -> Remote:
        return Remote(ask, place)

    write({"code": job["code"]})
    try:
        defined = read()["names"]
    except (KeyError, OSError, ValueError):
        return [False] * len(job["tests"])
    names: dict = {"__name__": "tests"}
    for name, data in defined.items():
        if name in sys.stdlib_module_names:
            names[name] = __import__(name)  # the real one, not what the answer calls by its name
        elif not hasattr(builtins, name):
            names[name] = unpack(data, remote)
    verdicts = []
    for test in job["tests"]:
        try:
            exec(compile(test, "tests.py", "exec"), names)
            verdicts.append(True)
        except BaseException:  # noqa: BLE001 - whatever a test raises, it does not hold
            verdicts.append(False)
    return verdicts


def libc_call(name: str, *args) -> None:
    """A function of the C library. Raises OSError with its name."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*args) == -1:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def enter_namespaces() -> None:
    """Own network, processes and files: a root of its own with the interpreter, read-only, and an empty /tmp.

    Raises OSError where the kernel, or the container this runs in, does not allow it. The next fork is process 1.
    """
    bind, everything, private, detach = 0x1000, 0x4000, 1 << 18, 2
    as_root, uid, gid, root = os.geteuid() == 0, os.getuid(), os.getgid(), Path.cwd()
    # mounts, IPC, network, processes; a user namespace gives the right to the others where the trainer is not root
    libc_call("unshare", 0x20000 | 0x8000000 | 0x40000000 | 0x20000000 | (0 if as_root else 0x10000000))
    if not as_root:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path("/proc/self", name).write_text(text)
    libc_call("mount", None, b"/", None, everything | private, None)
    libc_call("mount", b"tmpfs", bytes(root), b"tmpfs", 0, b"size=%dm,mode=755" % TEST_FILES_MB)
    wanted = {Path(path) for path in ("/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix)}
    for path in sorted(wanted):
        inside = Path(f"{root}{path}")
        if path.is_symlink():
            inside.symlink_to(path.readlink())
        elif path.is_dir() and wanted.isdisjoint(path.parents):
            inside.mkdir(parents=True)
            libc_call("mount", bytes(path), bytes(inside), None, bind | everything, None)
            read_only = (ctypes.c_uint64 * 4)(1, 0, 0, 0)  # mount_setattr(2), Linux 5.12: all mounts below too
            libc_call("syscall", 442, -100, bytes(inside), 0x8000, read_only, 32)
    for device in (Path("/dev/null"), Path("/dev/urandom")):
        inside = Path(f"{root}{device}")
        inside.parent.mkdir(exist_ok=True)
        inside.touch()
        libc_call("mount", bytes(device), bytes(inside), None, bind, None)
    (root / "tmp").mkdir(exist_ok=True)  # the interpreter may lie there
    (root / "tmp").chmod(0o1777)
    os.chdir(root)
    libc_call("pivot_root", b".", b".")
    libc_call("umount2", b".", detach)
    os.chdir("/tmp")


def limit(processes: int) -> None:
    """Limits of this process and its children; of processes the user may have only where the user is not root."""
    bytes_, files = TEST_MEMORY_MB << 20, TEST_FILES_MB << 20
    limits = {"CPU": TEST_SECONDS, "AS": bytes_, "FSIZE": files, "CORE": 0, "NOFILE": 64, "NPROC": processes}
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def drop_rights(level: str, uid: int) -> None:
    """No capability, no way to a new one, and closed to other processes' eyes (ptrace, /proc)."""
    if os.geteuid() == 0 and level != "same user":
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        Path(os.__file__).stat()  # an interpreter below a closed home cannot be read now: OSError, and no verdict
    elif level == "other user":
        raise PermissionError("only root can become another user")
    elif level == "namespaces":
        libc_call("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
    if sys.platform == "linux":
        libc_call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        libc_call("prctl", 4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def forbid(readable: tuple):
    """An audit hook: no sockets, no processes, no native code, no file but those below `readable`, written in the last.

    What runs below Python's calls does not see it: where namespaces are refused it stops accidents, not attacks.
    """
    never = ("socket.", "subprocess.", "ctypes.", "gc.", "pty.", "os.fork", "os.exec", "os.posix_spawn", "os.system",
             "os.kill", "os.chdir", "os.chroot", "object.__setattr__", "sys.addaudithook")  # fmt: skip
    changing = {"remove", "rename", "rmdir", "mkdir", "link", "symlink", "truncate", "chmod", "chown", "utime"}

    def hook(event: str, args: tuple) -> None:
        if event.startswith(never):
            raise PermissionError(f"{event} is not allowed here")
        change = event.startswith("os.") and event[3:] in changing
        if event == "open" or change:
            writes = change or bool(args[2] & 0o1103)  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC of Linux and macOS
            for path in args[: 2 if change else 1]:
                if isinstance(path, (str, bytes)):
                    real = os.path.realpath(os.fsdecode(path)) + "/"
                    if not real.startswith(readable[-1:] if writes else readable):
                        raise PermissionError(f"{real} is not in the sandbox")

    return hook


def sandboxed(level: str) -> None:
    """The whole of the child process: reads a job from standard input, writes its nonce and verdicts."""
    null, here, verdict = os.open("/dev/null", os.O_RDWR), Path.cwd(), os.dup(1)
    os.dup2(null, 1)  # a test that prints writes nothing beside the verdict
    running = 0
    if level == "namespaces":
        enter_namespaces()
        if child := os.fork():
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    elif os.getuid():  # the limit counts every process of the user
        running = sum(path.stat().st_uid == os.getuid() for path in Path("/proc").glob("[0-9]*"))
    requests, answers = os.pipe(), os.pipe()

    def talk(reading: int, writing: int):
        source, sink = os.fdopen(reading, "r", encoding="utf-8"), os.fdopen(writing, "w", encoding="utf-8")

        def read():
            line = source.readline(1 << 20)
            return json.loads(line) if line.endswith("\n") else {}

        def write(document) -> None:
            sink.write(json.dumps(document) + "\n")
            sink.flush()

        return read, write

    # Forked before standard input is read: the solver never had tests or nonce in its memory.
    if os.fork() == 0:
        for number in (0, 1, 2):
            os.dup2(null, number)
        for number in (verdict, requests[1], answers[0]):
            os.close(number)
        limit(running + TEST_PROCESSES)
        drop_rights(level, SANDBOX_UID)
        if level != "namespaces":
            sys.addaudithook(forbid((sys.base_prefix + "/", sys.prefix + "/", "/usr/", "/dev/", f"{here}/")))
        solve(*talk(requests[0], answers[1]))
        os._exit(0)
    for number in (requests[0], answers[1]):
        os.close(number)
    job = json.load(sys.stdin)
    limit(running + TEST_PROCESSES)
    drop_rights(level, SANDBOX_UID - 1)
    verdicts = check(job, *talk(answers[0], requests[1]))
    os.write(verdict, json.dumps([job["nonce"], verdicts]).encode())
    os._exit(0)


@functools.cache
def sandbox_source() -> str:
    """The program of the child process: the functions above, and no other line of this script."""
    parts: tuple = (
        pack,
        unpack,
        Remote,
        solve,
        check,
        libc_call,
        enter_namespaces,
        limit,
        drop_rights,
        forbid,
        sandboxed,
    )
    names = ("TEST_SECONDS", "TEST_MEMORY_MB", "TEST_FILES_MB", "TEST_PROCESSES", "SANDBOX_UID")
    imports = "from __future__ import annotations\nfrom pathlib import Path\n"
    imports += "import builtins, ctypes, itertools, json, os, resource, sys\n"
    constants = "".join(f"{name} = {globals()[name]}\n" for name in names)
    return imports + constants + "\n\n".join(map(inspect.getsource, parts)) + "\nsandboxed(sys.argv[1])\n"


def run_in_sandbox(level: str, code: str, tests: tuple[str, ...]) -> list[bool] | None:
    """Whether each test holds for `code`; None when the checker gave no verdict (time, or it could not start)."""
    nonce, folder = secrets.token_hex(16), tempfile.mkdtemp(prefix="answer-")
    Path(folder).chmod(0o777)  # the solver may be another user
    command = [sys.executable, "-I", "-c", sandbox_source(), level]
    process = subprocess.Popen(
        command, cwd=folder, env={"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1"}, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        job = {"nonce": nonce, "code": code, "tests": tests}
        output, _ = process.communicate(json.dumps(job).encode("utf-8", "replace"), timeout=3 * TEST_SECONDS)
        said, verdicts = json.loads(output)
        return verdicts if said == nonce and len(verdicts) == len(tests) else None
    except (subprocess.TimeoutExpired, ValueError, BrokenPipeError):
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.__exit__(None, None, None)  # closes the pipes
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def sandbox_level() -> str:
    """The strictest of LEVELS that works on this machine: tried on code that must pass and code that must fail."""
    for level, means in LEVELS.items():
        right = run_in_sandbox(level, "def double(x): return 2 * x", ("assert double(2) == 4",))
        wrong = run_in_sandbox(level, "def double(x): return 3 * x", ("assert double(2) == 4",))
        if (right, wrong) == ([True], [False]):
            log(f"{'' if level == 'namespaces' else 'warning: '}tests of answers run with {means}")
            return level
    raise Failure("no sandbox works on this machine", "take another reward than tests, or run it on Linux")


@functools.lru_cache(maxsize=20_000)
def tests_passed(code: str, tests: tuple[str, ...]) -> float:
    """Share of `tests` (snippets of Python, most often an assert each) that hold for an answer's `code`, 0 to 1."""
    verdicts = run_in_sandbox(sandbox_level(), code, tests)
    return sum(verdicts) / len(tests) if verdicts else 0.0


# endregion skillpack:sandbox

# region skillpack:rewards
import ast
import math
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

# A number with its sign, currency, thousands separators, fraction, exponent and percent sign; not the 2 of m^2 or H2O.
NUMBER = re.compile(
    r"(?<![\w.^])(?<!\^\{)(?P<sign>[-−+]?)[$€£]?(?P<minus>-?)"
    r"(?P<value>[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?P<power>[eE][-+]?[0-9]{1,3}(?!\w))?(?:\s*/\s*(?P<under>[0-9]+(?:\.[0-9]+)?))?\s*(?P<percent>\\?%|percent\b)?"
)
UNIT = re.compile(r"\s*(?:[a-zA-Z°]{2,}[\w°/^]*|[mgsL°](?:\^?[23²³])?)?\s*\.?$")
TAGS = r"(?:<think>)?(?:(?!</?(?:think|answer)>).)*</think>\s*<answer>(?:(?!</?(?:think|answer)>).)*</answer>"
TOLERANCE = Decimal("1e-6")  # relative, for numbers of which one is not whole; whole numbers must be equal
POOL = min(8, os.cpu_count() or 1)  # answers tested at once


def number_of(match) -> tuple[Decimal, bool] | None:
    """(value, whether it was a percentage) of a match of NUMBER; None for a division by zero."""
    value = Decimal(match["value"].replace(",", "") + (match["power"] or ""))
    if match["under"]:
        if not Decimal(match["under"]):
            return None
        value /= Decimal(match["under"])
    negative = match["sign"] in ("-", "−") or match["minus"]
    return (-value if negative else value), bool(match["percent"])


def plain(text: str) -> str:
    """LaTeX and typography of numbers taken away: \\frac{1}{2} is 1/2, \\text{ cm} is cm, 1\\,000 is 1000."""
    text = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", text)
    text = re.sub(r"\\(?:text|mathrm|mbox)\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"(?<=\d)(?:\\[,!; ]|[\u00a0\u202f\u2009]|\{,\})(?=\d)", "", text)
    return re.sub(r"\\left|\\right|\\[,!;]|\^\{?\\circ\}?|\$(?=\s*$)|^\s*\$(?=\\)", "", text).replace("\\$", "$")


def last_number(text: str) -> tuple[Decimal, bool] | None:
    found = [number_of(match) for match in NUMBER.finditer(plain(text))]
    return found[-1] if found else None


def whole_number(text: str) -> tuple[Decimal, bool] | None:
    """The number that a text is, beside a unit and the name of a variable; None where it is more than a number."""
    text = re.sub(r"^[a-zA-Z]\s*=\s*", "", plain(text).strip().strip("$").strip())
    match = NUMBER.match(text)
    return number_of(match) if match and UNIT.match(text, match.end()) else None


def same_number(left: tuple[Decimal, bool] | None, right: tuple[Decimal, bool] | None) -> bool:
    """Equal within TOLERANCE. 50% is 50 and 0.5, as people write both, but 50% is not 0.5%."""
    if left is None or right is None:
        return False
    (one, percent), (other, other_percent) = left, right
    if percent != other_percent:
        share, bare = (one, other) if percent else (other, one)
        return same_value(share, bare) or same_value(share / 100, bare)
    return same_value(one, other)


def same_value(one: Decimal, other: Decimal) -> bool:
    if one == other or (one == one.to_integral_value() and other == other.to_integral_value()):
        return one == other
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def last_box(text: str) -> str | None:
    """What the last \\boxed{...} holds, its own braces included."""
    start = text.rfind("\\boxed{")
    depth, begin = 0, start + len("\\boxed{")
    for index in range(begin, len(text)) if start >= 0 else ():
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth < 0:
            return text[begin:index].strip()
    return None


def final_part(said: str) -> str:
    """What an answer says at its end: inside <answer>, or after </think>, or all of it."""
    tagged = re.findall(r"<answer>(.*?)</answer>", said, re.S)
    return tagged[-1] if tagged else said.rpartition("</think>")[2]


def right_part(answer: object) -> str:
    """The answer of a row's `answer` column: after GSM8K's ####, inside a solution's last \\boxed, or all of it."""
    text = str(answer)
    box = last_box(text)
    return text.rpartition("####")[2].strip() if "####" in text or box is None else box


def reward_number(said: str, answer: object) -> float:
    said = final_part(said)
    marked = said.rpartition("####")[2] if "####" in said else ""
    found = NUMBER.search(plain(marked)) if marked else None
    return float(same_number(number_of(found) if found else last_number(said), last_number(right_part(answer))))


def reward_boxed(said: str, answer: object) -> float:
    box, right = last_box(said), right_part(answer)
    if box is None:
        return 0.0
    bare = [re.sub(r"\s|\$|\.$", "", plain(text)) for text in (box, right)]
    return float((bare[0] == bare[1] != "") or same_number(whole_number(box), whole_number(right)))


def reward_exact(said: str, answer: object) -> float:
    return float(final_part(said).strip() == str(answer).strip())


def code_of(said: str) -> str:
    """The last block of code of an answer, or all of it where it fences none."""
    blocks = re.findall(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", said, re.S)
    return blocks[-1] if blocks else final_part(said)


def reward_python(said: str, answer: object = None) -> float:
    code = code_of(said)
    try:
        return float(bool(ast.parse(code).body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0.0


def reward_tests(said: str, tests: str | list, entry_point: object = None) -> float:
    code, snippets = code_of(said), [tests] if isinstance(tests, str) else list(tests)
    if entry_point:  # HumanEval's tests define check(candidate) and leave the call to the reader
        snippets = [f"{snippet}\ncheck({entry_point})" for snippet in snippets]
    return tests_passed(code, tuple(snippets)) if snippets and reward_python(said) else 0.0


# The columns that each reads, in the order of its function's arguments; the last may be missing where it is optional.
REWARDS: dict = {
    "number": (reward_number, ("answer",)),
    "boxed": (reward_boxed, ("answer",)),
    "exact": (reward_exact, ("answer",)),
    "python": (reward_python, ()),
    "tests": (reward_tests, ("tests", "entry_point")),
}


def said_of(completion) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])


def named_reward(name: str, files: tuple = ()):
    """TRL's reward function of a name: one of REWARDS, `format`, `format:REGEX`, or FILE.py:FUNCTION.

    `files` are where FILE.py may lie beside the place that the name says (a job has it elsewhere). Raises Failure
    with EXIT_USAGE for a name that means nothing.
    """
    if name == "format" or name.startswith("format:"):
        try:
            shape = re.compile(name.partition(":")[2] or TAGS, re.S)
        except re.error as error:
            raise Failure(f"the reward {name!r} is no regular expression: {error}", "correct it", EXIT_USAGE) from None
        return contracted(
            "format", lambda completions, **_: [bool(shape.fullmatch(said_of(c).strip())) for c in completions]
        )
    if name in REWARDS:
        judge, needs = REWARDS[name]

        def reward(completions, **columns):
            read = [columns[key] for key in needs if key in columns or key != "entry_point"]
            with ThreadPoolExecutor(POOL if name == "tests" else 1) as pool:
                return list(pool.map(judge, map(said_of, completions), *read))

        return contracted(name, reward)
    path, _, function = name.rpartition(":")
    found = next(
        (Path(place) for place in (path, *files) if Path(place).name == Path(path).name and Path(place).is_file()), None
    )
    if not path or found is None:
        known = ", ".join((*REWARDS, "format", "format:REGEX"))
        raise Failure(f"no reward {name!r}", f"one of {known}, or FILE.py:FUNCTION", EXIT_USAGE)
    return contracted(function, function_of(found, function))


def function_of(path: Path, name: str):
    """A function of a file of the user's. Raises Failure with EXIT_USAGE when there is none, or the file fails."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec: Any = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's file: whatever it raises is theirs to mend
        raise Failure(f"{path} fails: {type(error).__name__}: {error}", "correct the file", EXIT_USAGE) from None
    if not callable(getattr(module, name, None)):
        raise Failure(f"{path} defines no function {name!r}", "name one that it defines", EXIT_USAGE)
    return getattr(module, name)


def contracted(name: str, function):
    """`function`, held to TRL's contract at every call: a finite number, or None, for each completion.

    TRL would take a NaN for None, and say nothing. Raises Failure, which ends a run at its last checkpoint.
    """

    def reward(completions, **columns):
        what = "a reward is f(completions, **columns) -> a list with one number, or None, for each completion"
        try:
            values = list(function(completions=completions, **columns))
            values = [None if value is None else float(value) for value in values]
        except Failure:
            raise
        except (Exception, SystemExit) as error:
            raise Failure(f"the reward {name} fails: {type(error).__name__}: {error}", what, EXIT_USAGE) from error
        if len(values) != len(completions):
            raise Failure(f"the reward {name} gave {len(values)} numbers for {len(completions)}", what, EXIT_USAGE)
        if wrong := [value for value in values if value is not None and not math.isfinite(value)]:
            raise Failure(f"the reward {name} gave {wrong[0]}", "give None to leave a completion out", EXIT_USAGE)
        return values

    reward.__name__ = name  # what TRL logs it by
    return reward


def judged(reward, completions: list, rows: list[dict]) -> list[float]:
    """What a reward gives for completions to these rows, 0 where it gives None."""
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return [value or 0.0 for value in reward(completions=completions, prompts=columns.pop("prompt"), **columns)]


def each_reward(rewards: list, row: dict, text: str) -> list[float]:
    """What each reward gives for an answer's text to a row's prompt."""
    said = text if isinstance(row["prompt"], str) else [{"role": "assistant", "content": text}]
    return [judged(reward, [said], [dict(row)])[0] for reward in rewards]


def total_reward(rewards: list, row: dict, text: str, weights: list | None = None) -> float:
    """The sum of the rewards of an answer's text, each by its weight (1 where there are none)."""
    each = each_reward(rewards, row, text)
    return sum(value * weight for value, weight in zip(each, weights or [1.0] * len(each), strict=True))


# endregion skillpack:rewards


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

import datetime
import functools
import gc
import random
import time

COLUMNS = {
    "sft": ANSWER_COLUMNS, "dpo": ("prompt", "chosen", "rejected"),
    "kto": ("prompt", "completion", "label", "chosen", "rejected"),
    "reward": ("prompt", "chosen", "rejected", "margin"), "grpo": (),
}  # fmt: skip
METRICS = {
    "sft": {"loss": "lower", "accuracy": "higher"},
    "dpo": {"preference_accuracy": "higher", "margin": "higher"},
    "kto": {"shift": "higher"},
    "reward": {"pair_accuracy": "higher"},
    "grpo": {},
}
LM_EVAL = "lm-eval==0.4.13"
SHORT_ANSWER = 256  # tokens: where answers are longer, no model repeats them word for word, and none is generated


def main(argv: list[str]) -> int:
    args = arguments(argv)
    plan, tuned, out, run = subject(args)
    started = time.monotonic()
    probes = read_probes(args.probes) if args.probes else []
    if args.tasks:
        lm_eval_parts()
        missing = [task for task in args.tasks if task_file(task) and not Path(task).is_file()]
        if missing:
            raise Failure(f"no file {missing[0]}", "give the path of the task's YAML file", EXIT_USAGE)
    plan["settings"] = on_this_machine(plan["settings"], args)
    method, settings = plan["method"], plan["settings"]
    files = tuple(args.reward_file)
    rewards = [named_reward(name, files) for name in settings.get("rewards", [])] if method == "grpo" else []
    adapter = require_kind(tuned, method)
    at = {"base": version_of(plan["model"]["id"], plan["model"].get("revision")), "tuned": version_of(tuned)}
    train, test = load_splits(plan, COLUMNS[method])
    if method in ("dpo", "kto"):
        train, test = map(with_prompt if method == "dpo" else as_labelled, (train, test))
    rows = [dict(row) for row in test]
    choices = closed_answers(train, test) if method == "sft" else []
    tokenizer, read_by = shared_tokenizer(plan["model"], tuned)
    warnings = warnings_of(args, plan, tuned, adapter, run, rows, probes, train)
    for warning in warnings:
        log(f"warning: {warning}")

    told, samples, limit = what_to_answer(args, method, rows, tokenizer, settings)
    order = random.Random(settings["seed"]).sample(range(len(rows)), len(rows))
    answered = sorted(order[: max(told, samples)])
    prompts = [prompt_of(rows[index], method) for index in answered]
    log(f"{len(rows)} held-out rows, {len(prompts)} of them answered, {len(probes)} probes; both models in turn")

    found: dict = {}
    for side, model_of in {"base": None, "tuned": tuned}.items():
        # loaded when the first score is missing, and not at all when all are kept
        load = functools.cache(functools.partial(load_side, plan, model_of, adapter, tokenizer))
        about = [plan["model"]["id"], at["base"], model_of, model_of and at["tuned"], read_by]
        about += [{key: settings[key] for key in ("device", "weights", "precision", "max_length", "seed")}]

        def measured(kind: str, items: list, measure, *more, batch: int = 1, side=side, load=load, about=about) -> list:
            key = hashlib.sha256(json.dumps([about, kind, items, more], default=str).encode()).hexdigest()
            return kept(out / "scores" / f"{side}-{kind}.jsonl", key, items, f"{side}: {kind}",
                        lambda part: measure(load(), part), batch)  # fmt: skip

        def answers(kind: str, asked: list, measured=measured) -> list:
            return measured(kind, asked, lambda model, part: greedy_answers(model, tokenizer, part, limit), limit,
                            args.batch_size, batch=args.batch_size)  # fmt: skip

        found[side] = {
            "scores": measured("likelihoods", rows, lambda model, part: [
                score_row(method, model, tokenizer, part[0], choices, settings)], choices) if METRICS[method] else [],
            "answers": dict(zip(answered, answers("answers", prompts), strict=True)),
            "probes": answers("probes", [as_prompt(probe["prompt"], tokenizer) for probe in probes]),
            "tasks": measured("tasks", args.tasks, lambda model, part: [
                lm_eval_task(model, tokenizer, part[0], args)], args.task_limit, args.task_chat_template,
                [Path(task).read_text("utf-8") for task in args.tasks if task_file(task)]),
        }  # fmt: skip
        load.cache_clear()
        gc.collect()
        free_gpu(settings["device"])

    document = {
        "schema": "skillpack/comparison/1",
        "name": plan["name"],
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "run": run and {"name": run["name"], "plan_sha256": run["plan_sha256"]},
        "method": method,
        "base": {"id": plan["model"]["id"], "version": at["base"]},
        "tuned": {"id": tuned, "version": at["tuned"], "kind": "adapter" if adapter else "full"},
        "data": {"source": plan["dataset"]["source"], "split": {k: v for k, v in plan["dataset"]["split"].items()
                 if k in ("key", "fraction", "seed", "held_out_split")}, "separated": run is not None},
        "settings": {**{key: settings[key] for key in ("device", "weights", "precision", "max_length", "seed")},
                     "batch_size": args.batch_size, "max_new_tokens": limit, "tokenizer": read_by},
        "held_out": held_out_metrics(method, rows, choices, found, order[:told], rewards,
                                     settings.get("reward_weights")),
        "tasks": task_metrics(found, args),
        "probes": probe_metrics(probes, found) if probes else None,
        "samples": [{"row": index, "prompt": shown(prompt_of(rows[index], method)),
                     "expected": expected(rows[index], method),
                     **{side: found[side]["answers"][index][0] for side in found}}
                    for index in sorted(order[:samples])],
        "cut": {side: sum(cut for _, cut in found[side]["answers"].values()) for side in found},
        "warnings": warnings,
        "versions": versions("torch", "transformers", "peft", "datasets", *(["lm-eval"] if args.tasks else [])),
        "seconds": time.monotonic() - started,
    }  # fmt: skip
    document["verdict"] = verdict(document, args)
    document["not_shown"] = not_shown(document)
    write_artifact(out / "comparison.json", document)
    log(f"wrote {out / 'comparison.json'}")
    emit(document) if args.json else say(summary(document))
    outcome = document["verdict"]["outcome"]
    no = outcome in ("worse", "not compared") or (args.require_better and outcome != "better")
    return EXIT_NO if no else EXIT_OK


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("run", type=Path, nargs="?", help="folder of a finished run; or give --base, --tuned, --data")
    options.add_argument("--base", help="a Hub id or a folder")
    options.add_argument("--tuned", help="a Hub id or a folder, of a whole model or an adapter")
    options.add_argument("--data", help="dataset-report.json, a file of rows, or a Hub id; all of its rows are scored "
                         "unless a report says what is held out")  # fmt: skip
    options.add_argument("--split", default="test", help="of --data on the Hub (default: test)")
    options.add_argument("--method", choices=sorted(COLUMNS), default="sft", help="how --data is scored (default: sft)")
    options.add_argument("--reward", action="append", default=[], help="of --method grpo, as in train_grpo.py")
    options.add_argument("--reward-file", action="append", default=[], help="where a reward's FILE.py lies now")
    options.add_argument("--max-length", type=int, default=1024, help="tokens of a row of --data (default: 1024)")
    options.add_argument("--rows", type=int, help="at most so many held-out rows (default: the plan's, or 500)")
    options.add_argument("--seed", type=int, help="of samples and of a new head (default: the plan's, or 0)")
    options.add_argument("--tasks", action="append", default=[], help="of lm-eval, by name or YAML file; repeatable")
    options.add_argument("--task-limit", type=int, help="at most so many documents of each task")
    options.add_argument("--task-chat-template", action="store_true", help="ask the tasks in the chat template")
    options.add_argument("--probes", type=Path, help='JSON lines of {"prompt", "expected"?}, answered by both models')
    options.add_argument("--samples", type=int, default=5, help="answers side by side (default: 5)")
    options.add_argument("--generate-rows", type=int, help="rows whose answers are matched (default: all, where "
                         f"answers have at most {SHORT_ANSWER} tokens)")  # fmt: skip
    options.add_argument("--max-new-tokens", type=int, help="of an answer; 0 generates nothing (default: by the data)")
    options.add_argument("--batch-size", type=int, default=GENERATION_BATCH, help="of generating (default: 8)")
    options.add_argument("--device", choices=["cuda", "mps", "cpu"], help="default: a GPU where there is one")
    options.add_argument("--dtype", choices=["fp32", "bf16", "fp16"], help="of the weights (default: the plan's)")
    options.add_argument("--gate", action="append", default=[], help="metric that decides the exit code, named as in "
                         "the result (accuracy, TASK/acc); default: all but the probes'; repeatable")  # fmt: skip
    options.add_argument("--require-better", action="store_true", help="exit 1 unless a metric is better")
    options.add_argument("--out", type=Path, help="folder of comparison.json (default: the run's)")
    options.add_argument("--json", action="store_true", help="print comparison.json on standard output")
    args = options.parse_args(argv)
    explicit = [name for name in ("base", "tuned", "data") if getattr(args, name)]
    if args.run and explicit:
        options.error(f"a run names its models and data: leave out --{explicit[0]}")
    if not args.run and len(explicit) < 3:
        options.error("give the folder of a run, or all of --base, --tuned and --data")
    if args.batch_size < 1 or args.samples < 0 or (args.rows is not None and args.rows < 1):
        options.error("--batch-size and --rows are at least 1, --samples at least 0")
    if args.probes and args.max_new_tokens == 0:
        options.error("--probes are answered: leave out --max-new-tokens 0")
    return args


def subject(args: argparse.Namespace) -> tuple[dict, str, Path, dict | None]:
    """(what is compared, as the training's plan says it; the tuned model; folder of the result; run.json or None)."""
    if args.run is None:
        plan = explicit_plan(args)
        name = f"{Path(args.tuned).name}-against-{Path(args.base).name}"
        return {**plan, "name": name}, args.tuned, args.out or Path("comparisons") / name, None
    folder = args.run if args.run.is_dir() else args.run.parent
    run = read_artifact(folder / "run.json", "run")
    plan = {**run["plan"], "settings": dict(run["plan"]["settings"])}
    if not run["model_path"]:
        problem, fix = f"{folder} stopped before its end and has no model", "run the training script with --finish"
        raise Failure(problem, fix, EXIT_USAGE)
    tuned = folder / run["model_path"]
    if not tuned.is_dir():
        raise Failure(f"{tuned} is not here", f"fetch it: watch_run.py {folder} --download", EXIT_USAGE)
    if args.rows:
        plan["settings"]["held_out_rows"] = args.rows
    return plan, str(tuned), args.out or folder, run


def explicit_plan(args: argparse.Namespace) -> dict:
    """A plan of models and data that no run names."""
    if args.data.endswith(".json") and _is_report(Path(args.data)):
        report = read_artifact(Path(args.data), "dataset-report")
        found = report["verdicts"][args.method]
        if found["verdict"] == "INCOMPATIBLE":
            raise Failure(f"{args.data} is not data for {args.method}: {found['reason']}", "give --method", EXIT_USAGE)
        dataset = {"source": report["source"], "mapping": found.get("mapping", {}), "split": report["split"]}
    else:  # every row is a test row, and what the models were trained on is not known
        source = {"id": args.data, "split": args.split, "config": None}
        dataset = {"source": source, "mapping": {}, "split": {"key": "given", "held_out_split": args.split}}
    settings = {"max_length": args.max_length, "held_out_rows": args.rows or 500, "seed": args.seed or 0,
                "device": None, "weights": None, "precision": None, "rewards": args.reward}  # fmt: skip
    if args.method == "grpo" and not args.reward:
        raise Failure("no reward judges the answers", "give --reward, as to train_grpo.py", EXIT_USAGE)
    return {"method": args.method, "model": {"id": args.base}, "dataset": dataset, "settings": settings}


def _is_report(path: Path) -> bool:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and str(document.get("schema")).startswith("skillpack/dataset-report/")


def on_this_machine(settings: dict, args: argparse.Namespace) -> dict:
    """Settings with a device that is here, and the plan's dtype where that device computes in it."""
    import torch

    here = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = args.device or here
    best = "bf16" if device == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    weights, precision = args.dtype or settings["weights"] or best, args.dtype or settings["precision"] or best
    if device == "cpu":  # a CPU has no fast 16-bit float, and some operations are missing
        weights, precision = (kind if kind != "fp16" else "fp32" for kind in (weights, precision))
    seed = settings["seed"] if args.seed is None else args.seed
    return {**settings, "device": device, "weights": weights, "precision": precision, "seed": seed}


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


# region skillpack:kept
import time

QUIET_SECONDS = 30  # where no bar is drawn, a line on the log so often


def kept(file: Path, key: str, items: list, what: str, measure: Callable[[list], list], batch: int = 1) -> list:
    """`measure` of each of `items`, `batch` at a time, appended to `file` as they come.

    Where `file` holds a beginning of the same measurement (`key`), the rest is measured; else it begins anew.
    """
    done = _kept_lines(file, key)
    done = done if len(done) == len(items) else done[: len(done) // batch * batch]
    if len(done) == len(items):
        return done
    from tqdm import tqdm

    lines = [json.dumps({"key": key}), *map(json.dumps, done)]
    write_atomic(file, "".join(line + "\n" for line in lines))
    log(f"{what}: {len(items)}" + (f", {len(done)} kept from before" if done else ""))
    bar = tqdm(total=len(items), initial=len(done), desc=what, disable=not sys.stderr.isatty())
    said = time.monotonic()
    with file.open("a", encoding="utf-8") as stream, bar:
        for start in range(len(done), len(items), batch):
            part = measure(items[start : start + batch])
            stream.write("".join(json.dumps(value) + "\n" for value in part))
            stream.flush()
            done += json.loads(json.dumps(part))  # as they are when read back
            bar.update(len(part))
            if bar.disable and time.monotonic() - said > QUIET_SECONDS:
                said = time.monotonic()
                log(f"{what}: {len(done)} of {len(items)}")
    return done


def _kept_lines(file: Path, key: str) -> list:
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]  # what a killed process left without an end is no line
    return [json.loads(line) for line in lines[1:]] if lines and json.loads(lines[0]) == {"key": key} else []


# endregion skillpack:kept


def shared_tokenizer(base: dict, tuned: str):
    """(tokenizer, where it is from) for both models: the tuned one's, whose chat template the training scored with."""
    of_tuned = file_of(tuned, "tokenizer_config.json") is not None
    return load_tokenizer({"id": tuned} if of_tuned else base), "tuned" if of_tuned else "base"


def require_kind(tuned: str, method: str) -> dict | None:
    """The configuration of an adapter, or None for a whole model. Raises Failure for a model of another kind."""
    found = file_of(tuned, "adapter_config.json")
    adapter = json.loads(found.read_text(encoding="utf-8")) if found else None
    if adapter:
        head = adapter["task_type"] == "SEQ_CLS"
    else:
        config = file_of(tuned, "config.json")
        if config is None:
            raise Failure(
                f"{tuned} holds no model", "give the folder with config.json or adapter_config.json", EXIT_USAGE
            )
        named = json.loads(config.read_text(encoding="utf-8")).get("architectures") or []
        head = any("SequenceClassification" in name for name in named)
    if head != (method == "reward"):
        raise Failure(
            f"{tuned} {'is a reward model: it scores answers and writes none' if head else 'has no head that scores'}",
            f"compare it with --method {'reward' if head else 'sft, dpo or grpo'}", EXIT_USAGE,
        )  # fmt: skip
    if head and adapter and Path(tuned).is_dir():
        from peft import load_peft_weights

        if not any(".score." in name or ".classifier." in name for name in load_peft_weights(tuned, device="cpu")):
            raise Failure(f"{tuned} was saved without its head", 'save it with modules_to_save=["score"]', EXIT_USAGE)
    return adapter


def load_side(plan: dict, tuned: str | None, adapter: dict | None, tokenizer):
    """The base model (`tuned` None) or the tuned one, in the plan's dtype on this machine's device."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    settings, reward = plan["settings"], plan["method"] == "reward"
    more = {"num_labels": 1} if reward else {}
    torch.manual_seed(settings["seed"])  # a reward model's base has a new head: the one that training began with
    begun_on = plan["model"].get("base")  # of a run that went on from an adapter, and trained that
    whole = plan["model"] if not tuned else {"id": tuned} if not adapter else begun_on or plan["model"]
    kind = AutoModelForSequenceClassification if reward else AutoModelForCausalLM
    log(f"loading {whole['id']}" + (f" and the adapter {tuned}" if tuned and adapter else ""))
    model = pretrained(whole, settings, kind, **more)
    size = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > size:
        raise Failure(f"the tokenizer has {len(tokenizer)} tokens, {whole['id']} knows {size}",
                      "models are compared where they share a vocabulary", EXIT_USAGE)  # fmt: skip
    if reward:
        model.config.pad_token_id = tokenizer.pad_token_id  # the head reads the last token that is not padding
    if tuned and adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, tuned)
    return model.to(settings["device"]).eval()


def free_gpu(device: str) -> None:
    if device == "cuda":
        import torch

        torch.cuda.empty_cache()


def score_row(method: str, model, tokenizer, row: dict, choices: list, settings: dict) -> dict | None:
    """The scores of one held-out row by likelihood or by a head, by the code that the training scores with."""
    if method == "sft":
        return score_answer(model, tokenizer, row, choices, settings)
    score = {"dpo": score_pair, "kto": score_label, "reward": score_by_head}[method]
    return score(model, tokenizer, row, settings)


def prompt_of(row: dict, method: str):
    """What a model is given before it answers: text or messages."""
    return conversation(row)[0] if method == "sft" else row["prompt"]


def as_prompt(prompt, tokenizer):
    """A probe as the model is asked: text becomes a user's turn where there is a chat template."""
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) and tokenizer.chat_template else prompt


def expected(row: dict, method: str) -> str | None:
    """The right answer as text, where a row has one."""
    if method == "sft":
        return answer_text(conversation(row)[1])
    if method == "kto":
        right = row["completion"] if row["label"] else None
    else:
        right = row.get("chosen") if method == "dpo" else row.get("answer")
    return right[-1]["content"] if isinstance(right, list) else None if right is None else str(right)


def shown(prompt) -> str:
    """A prompt for people: its text, or its turns by role where there are several."""
    if isinstance(prompt, str) or len(prompt) == 1:
        return prompt if isinstance(prompt, str) else str(prompt[0]["content"])
    return "\n".join(f"{turn['role']}: {turn.get('content') or ''}" for turn in prompt)


def what_to_answer(args, method: str, rows: list[dict], tokenizer, settings: dict) -> tuple[int, int, int]:
    """(rows whose answers are matched or rewarded, rows whose answers are shown, tokens of an answer at most)."""
    limit = args.max_new_tokens
    if method == "grpo":
        return len(rows), args.samples, limit or settings.get("max_completion_length", 256)
    if limit == 0 or method == "reward" or not all(prompt_of(row, method) for row in rows):
        why = "--max-new-tokens 0" if limit == 0 else "plain text and a reward model have no answers"
        log(f"no held-out row is answered: {why}")
        return 0, 0, limit or 128
    longest = max(len(tokenizer(expected(row, method) or "")["input_ids"]) for row in rows)
    matched = 0 if method != "sft" or longest > SHORT_ANSWER else len(rows)
    if method == "sft" and args.generate_rows is not None:
        matched = min(len(rows), args.generate_rows)
    return matched, args.samples, limit or max(64, min(longest, SHORT_ANSWER) + 16)


def after_thinking(text: str) -> str:
    """An answer without the thinking before it, which some chat templates ask for and rows do not have."""
    return text.rpartition("</think>")[2].strip()


def is_number(right: str) -> bool:
    """Whether an answer comes to a number: it is one, or marks one as its result."""
    return "####" in right or whole_number(last_box(right) or right) is not None


def held_out_metrics(method: str, rows, choices, found: dict, told: list[int], rewards: list, weights) -> dict | None:
    """The held-out part of the comparison: by likelihood over all rows, by answers over the rows `told`."""
    metrics = {key: better for key, better in METRICS[method].items() if key != "accuracy" or choices}
    scores = [side["scores"] for side in found.values()]
    whole = [index for index, pair in enumerate(zip(*scores, strict=True)) if all(pair)]  # not cut away
    both = [[{**side[index], "group": group_of(rows[index])} for index in whole] for side in scores]
    document: dict = {"rows": len(both[0]), "choices": choices, "metrics": {}, "perplexity": None}
    add_metrics(document, compare_labels(*both) if method == "kto" else compare_scores(*both, metrics))
    if "loss" in document["metrics"]:
        document["perplexity"] = perplexity(document["metrics"]["loss"])
    told = [index for index in sorted(told) if method == "grpo" or expected(rows[index], method) is not None]
    if method in ("sft", "grpo") and told:
        rights = [expected(rows[index], method) for index in told]
        numeric = method == "sft" and all(is_number(right) for right in rights)

        def judge(index: int, text: str, right: str | None) -> dict:
            if method == "grpo":
                each = each_reward(rewards, rows[index], text)
                total = sum(value * weight for value, weight in zip(each, weights or [1.0] * len(each), strict=True))
                named = {f"reward_{reward.__name__}": value for reward, value in zip(rewards, each, strict=True)}
                return {"reward": total, **(named if len(each) > 1 else {})}
            if numeric:
                return {"number_match": reward_number(text, right)}
            return {"exact_match": float(after_thinking(text) == after_thinking(right))}

        both = [
            [{**judge(index, side["answers"][index][0], right), "group": group_of(rows[index])}
             for index, right in zip(told, rights, strict=True)]
            for side in found.values()
        ]  # fmt: skip
        add_metrics(document, compare_scores(*both, {name: "higher" for name in both[0][0] if name != "group"}))
        document["rows"] = document["rows"] or len(told)
    return document if document["metrics"] else None


def add_metrics(document: dict, part: dict | None) -> None:
    for name, metric in (part or {"metrics": {}})["metrics"].items():
        document["metrics"][name] = {**metric, "rows": part["rows"]}


def perplexity(loss: dict) -> dict:
    """exp of the mean loss; its interval is of the ratio tuned / base, the loss's own interval exponentiated."""
    import math

    values = {"base": loss["base"], "tuned": loss["tuned"], "ratio": loss["difference"]}
    values |= {"low": loss["low"], "high": loss["high"]}
    return {key: math.exp(min(value, 700.0)) for key, value in values.items()}


def read_probes(path: Path) -> list[dict]:
    """The probes of a file; Failure with the line for one that cannot be asked."""
    if not path.is_file():
        raise Failure(f"no file {path}", 'write JSON lines of {"prompt": ..., "expected": ...}', EXIT_USAGE)
    probes = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            probe = json.loads(line)
        except ValueError as error:
            raise Failure(f"{path}:{number}: not JSON: {error}", "one JSON object a line", EXIT_USAGE) from None
        prompt = probe.get("prompt") if isinstance(probe, dict) else None
        problem = _content_problem("prompt", prompt, False)
        unknown = sorted(set(probe) - {"prompt", "expected"}) if isinstance(probe, dict) else []
        if problem or unknown:
            raise Failure(f"{path}:{number}: {problem or f'unknown key {unknown[0]!r}'}",
                          'a probe is {"prompt": text or messages, "expected": text, if there is a right answer}',
                          EXIT_USAGE)  # fmt: skip
        probes.append({"prompt": prompt, "expected": None if probe.get("expected") is None else str(probe["expected"])})
    if not probes:
        raise Failure(f"{path} holds no probe", "one JSON object a line", EXIT_USAGE)
    return probes


def probe_metrics(probes: list[dict], found: dict) -> dict:
    """Answers to the probes side by side; where a right one is expected, whether it is said exactly, or within."""
    samples = []
    for index, probe in enumerate(probes):
        said = {side: after_thinking(found[side]["probes"][index][0]) for side in found}
        samples.append({**probe, "prompt": shown(probe["prompt"]), **said})
    right_known = [sample for sample in samples if sample["expected"] is not None]
    both = [
        [{"exact": float(sample[side] == sample["expected"].strip()), "group": str(number),
          "contains": float(sample["expected"].strip().lower() in sample[side].lower())}
         for number, sample in enumerate(right_known)]
        for side in ("base", "tuned")
    ]  # fmt: skip
    compared = compare_scores(*both, {"exact": "higher", "contains": "higher"})
    metrics = compared["metrics"] if compared else {}
    return {"rows": len(samples), "scored": len(right_known), "metrics": metrics, "samples": samples}


def lm_eval_parts() -> tuple:
    """What is used of lm-eval. Raises Failure where it is not installed: the header does not bring it."""
    try:
        from lm_eval import simple_evaluate
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        install = f"uv run --with {LM_EVAL} scripts/compare_models.py …, or pip install {LM_EVAL}"
        raise Failure(f"--tasks needs lm-eval: {error}", install, EXIT_USAGE) from None
    return simple_evaluate, HFLM, TaskManager


def task_file(task: str) -> bool:
    return task.endswith((".yaml", ".yml"))


def lm_eval_task(model, tokenizer, task: str, args) -> dict:
    """{task: {metric: {better, mean, values: {document: value} or None where the mean is not of single values}}}.

    A group gives its tasks. `mean` is lm-eval's own; `values` are per document, for pairing.
    """
    simple_evaluate, HFLM, TaskManager = lm_eval_parts()
    try:
        results = simple_evaluate(
            HFLM(pretrained=model, tokenizer=tokenizer, batch_size=args.batch_size),
            tasks=[str(Path(task).absolute()) if task_file(task) else task],
            task_manager=TaskManager(include_defaults=not task_file(task)),
            limit=args.task_limit, apply_chat_template=args.task_chat_template, bootstrap_iters=0, log_samples=True,
        )  # fmt: skip
    except (KeyError, ValueError, FileNotFoundError) as error:
        raise Failure(
            f"lm-eval cannot run {task}: {error}", "`lm-eval ls tasks` lists the names", EXIT_USAGE
        ) from error
    document: dict = {}
    for name, samples in results["samples"].items():
        metrics: dict = {}
        for sample in samples:
            for metric in sample["metrics"]:
                label = metric if sample["filter"] == "none" else f"{metric} ({sample['filter']})"
                better = "higher" if results["higher_is_better"][name].get(metric) is not False else "lower"
                mean = results["results"][name].get(f"{metric},{sample['filter']}")
                entry = metrics.setdefault(label, {"better": better, "mean": mean, "values": {}})
                entry["values"][str(sample["doc_id"])] = sample[metric]
        for entry in metrics.values():
            values = list(entry["values"].values())
            single = all(isinstance(value, (bool, int, float)) for value in values)
            if not single or abs(sum(values) / len(values) - entry["mean"]) > 1e-6:
                entry["values"] = None
        document[name] = metrics
    return document


def task_metrics(found: dict, args) -> dict:
    """{task: {harness, rows, metrics with intervals, without_interval: {metric: {base, tuned}}}}."""
    tasks: dict = {}
    base, tuned = ({name: metrics for part in found[side]["tasks"] for name, metrics in part.items()} for side in found)
    for name, metrics in base.items():
        entry = tasks[name] = {"harness": LM_EVAL.replace("==", " "), "rows": 0, "metrics": {}, "without_interval": {}}
        for label, metric in metrics.items():
            if not metric["values"] or not tuned[name][label]["values"]:
                entry["without_interval"][label] = {"base": metric["mean"], "tuned": tuned[name][label]["mean"]}
                continue
            both = [[{label: value, "group": document} for document, value in side[name][label]["values"].items()]
                    for side in (base, tuned)]  # fmt: skip
            entry["rows"] = len(both[0])
            add_metrics(entry, compare_scores(*both, {label: metric["better"]}))
    return tasks


def warnings_of(args, plan: dict, tuned: str, adapter, run, rows, probes, train) -> list[str]:
    """What a reader of the result must know, and this script cannot mend."""
    warnings = []
    if run is None:
        warnings.append("what the tuned model was trained on is not known here: rows that it has seen would flatter it")
    put_on = (plan["model"].get("base") or plan["model"])["id"]
    if adapter and (trained_on := adapter.get("base_model_name_or_path")) not in (None, put_on):
        warnings.append(f"the adapter was trained on {trained_on}, and is put on {put_on}")
    if plan["settings"].get("quantization"):
        warnings.append("the training held the base in 4 bits; here both models are whole")
    baseline = args.run and (args.run if args.run.is_dir() else args.run.parent) / "baseline.json"
    if run and baseline.is_file() and not args.rows:
        then = {score["group"] for score in json.loads(baseline.read_text(encoding="utf-8"))}
        if not then <= {group_of(row) for row in rows}:
            warnings.append("the held-out rows are not those of the training: the data has changed since")
    seen = {group_of(row) for row in train} if probes and run else set()
    same = sum(group_of({"prompt": probe["prompt"]}) in seen for probe in probes)
    if same:
        warnings.append(f"{same} of {len(probes)} probes ask what training rows ask: they measure memory")
    return warnings


def gated(document: dict, args) -> dict:
    """{name: metric} of all that may decide the exit code, or of those that --gate names."""
    metrics = dict(document["held_out"]["metrics"]) if document["held_out"] else {}
    for task, entry in document["tasks"].items():
        metrics |= {f"{task}/{name}": metric for name, metric in entry["metrics"].items()}
    missing = [name for name in args.gate if name not in metrics]
    if missing:
        raise Failure(f"no metric {missing[0]!r}", f"--gate takes: {', '.join(metrics) or 'nothing here'}", EXIT_USAGE)
    return {name: metrics[name] for name in args.gate} if args.gate else metrics


def verdict(document: dict, args) -> dict:
    """{outcome: worse where any gating metric is, else better where any is; sentence; gate: the metrics}."""
    metrics = gated(document, args)
    if not metrics:
        sentence = "Nothing could be scored; base and tuned have not been compared."
        return {"outcome": "not compared", "sentence": sentence, "gate": []}
    standings = {standing(metric) for metric in metrics.values()}
    outcome = next(kind for kind in ("worse", "better", "not shown to differ") if kind in standings)
    over = [f"{document['held_out']['rows']} held-out rows"] if document["held_out"] else []
    over += [f"{entry['rows']} documents of {task}" for task, entry in document["tasks"].items()]
    sentence = f"The tuned model is {verdict_of(metrics)}, over {listed(over)} (95 % intervals)."
    return {"outcome": outcome, "sentence": sentence, "gate": list(metrics)}


def not_shown(document: dict) -> str:
    beyond = [f"{len(document['tasks'])} task{'s' * (len(document['tasks']) > 1)}"] if document["tasks"] else []
    beyond += (
        [f"{document['probes']['rows']} probe{'s' * (document['probes']['rows'] > 1)}"] if document["probes"] else []
    )
    return (
        f"This does not show how the models do on prompts and tasks beyond {listed(['the held-out rows', *beyond])}, "
        "what else was lost, whether people would prefer the answers, or what training with another seed would give."
    )


def summary(document: dict) -> str:
    """The result for a person: a line a metric, then what to keep in mind."""
    sections = [("held-out", document["held_out"]), *document["tasks"].items(), ("probes", document["probes"])]
    lines = [document["verdict"]["sentence"]]
    for title, section in sections:
        for name, m in (section or {"metrics": {}})["metrics"].items():
            lines.append(
                f"  {title} {name}: base {m['base']:.3f}, tuned {m['tuned']:.3f}, "
                f"difference {m['difference']:+.3f} [{m['low']:+.3f}, {m['high']:+.3f}]"
            )
    for sample in document["samples"]:
        answers = (f"    {side}: {sample[side][:160]!r}" for side in ("base", "tuned"))
        lines += [f"  > {sample['prompt'][-160:]!r}", *answers]
    return "\n".join([*lines, *(f"warning: {warning}" for warning in document["warnings"]), document["not_shown"]])


if __name__ == "__main__":
    sys.exit(run(main))
