# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3", "jsonschema>=4.21,<5", "pyyaml>=6,<7"]
# ///
"""Write a complete demo: app.py, requirements.txt, README.md with the header of a Space, and check.json for check_app.

From a model (its task on the Hub, or its config.json in a folder, decides the kind), from a kind (--list names them;
each is an app that was built, opened and clicked), or from a function of your own: its annotations become components.
Nothing is run, and nothing is downloaded but the description of the model.

examples:
  python scripts/new_demo.py --model me/my-tuned-model --base Qwen/Qwen3-0.6B --out demo
  python scripts/new_demo.py --function scoring.py:score --out demo
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

import ast
import math
from dataclasses import dataclass

EXAMPLES = Path(__file__).resolve().parent.parent / "assets/examples"
#: pipeline_tag of the Hub -> kind of demo
TASKS = {
    "text-generation": "chat",
    "image-text-to-text": None,
    "summarization": "text",
    "translation": "text",
    "text2text-generation": "text",
    "text-classification": "classification",
    "image-classification": "image",
    "automatic-speech-recognition": "audio",
}
#: end of a class name in config.json -> kind
ARCHITECTURES = {
    "ForCausalLM": "chat",
    "ForSequenceClassification": "classification",
    "ForImageClassification": "image",
    "ForCTC": "audio",
    "ForSpeechSeq2Seq": "audio",
    "WhisperForConditionalGeneration": "audio",
    "ForConditionalGeneration": "text",
}
#: annotation -> component as an input, as an output
COMPONENTS = {
    "str": ('gr.Textbox(label="{label}", lines=3, max_length=20_000{value})', 'gr.Textbox(label="{label}", lines=8)'),
    "int": ('gr.Number(label="{label}", precision=0{value})', 'gr.Number(label="{label}")'),
    "float": ('gr.Number(label="{label}"{value})', 'gr.Number(label="{label}")'),
    "bool": ('gr.Checkbox(label="{label}"{value})', 'gr.Checkbox(label="{label}")'),
    "dict[str, float]": (None, 'gr.Label(label="{label}")'),
    "dict": ('gr.JSON(label="{label}"{value})', 'gr.JSON(label="{label}")'),
    "list": ('gr.JSON(label="{label}"{value})', 'gr.JSON(label="{label}")'),
    "Image": ('gr.Image(label="{label}", type="pil")', 'gr.Image(label="{label}")'),
    "ndarray": ('gr.Image(label="{label}", type="numpy")', 'gr.Image(label="{label}")'),
    "DataFrame": ('gr.Dataframe(label="{label}", interactive=True)', 'gr.Dataframe(label="{label}")'),
    "Figure": (None, 'gr.Plot(label="{label}")'),
    "Path": ('gr.File(label="{label}", type="filepath")', 'gr.File(label="{label}")'),
}
SAMPLE_TEXT = "A short sentence."
GRADIO = "6.31.0"  # the version that the examples were tested with
RUN_HERE = f"""## Run here

    pip install "gradio[mcp,oauth]=={GRADIO}" -r requirements.txt
    python app.py

The first is what a Space installs by `sdk_version`. It is not in requirements.txt, so that the two cannot differ.
"""
NO_REQUIREMENTS = "# gradio itself comes by sdk_version of README.md; add here, pinned, what else the app imports\n"
STREAMS = ("Iterator", "Generator", "Iterable")


def summary(kind: str) -> str:
    return (ast.get_docstring(ast.parse((EXAMPLES / kind / "app.py").read_text("utf-8"))) or "").splitlines()[0]


def kinds() -> dict[str, str]:
    return {path.parent.name: summary(path.parent.name) for path in sorted(EXAMPLES.glob("*/app.py"))}


# From a model


def kind_of_folder(folder: Path) -> tuple[str, str | None]:
    """(kind, base of an adapter) of a model in a folder."""
    adapter = folder / "adapter_config.json"
    if adapter.is_file():
        return "lora", json.loads(adapter.read_text("utf-8")).get("base_model_name_or_path")
    config = folder / "config.json"
    if not config.is_file():
        raise Failure(
            f"{folder} has neither config.json nor adapter_config.json", "name the folder of a model", EXIT_USAGE
        )
    names = json.loads(config.read_text("utf-8")).get("architectures") or [""]
    kind = next((kind for end, kind in ARCHITECTURES.items() if names[0].endswith(end)), None)
    if kind is None:
        raise Failure(
            f"{folder}: no kind of demo is known for {names[0] or 'a model without architectures'}", ADVICE, EXIT_USAGE
        )
    settings = folder / "tokenizer_config.json"
    templated = (folder / "chat_template.jinja").is_file() or (
        settings.is_file() and "chat_template" in json.loads(settings.read_text("utf-8"))
    )
    return ("text" if kind == "chat" and not templated else kind), None


ADVICE = "name a kind (--kind, see --list), or write a function that uses the model and give it by --function"


def kind_of_repo(model: str) -> tuple[str, str | None]:
    """(kind, base of an adapter) of a model on the Hub."""
    from huggingface_hub import HfApi

    with on_hub(f"reading {model}"):
        info = HfApi().model_info(model)
    files = {each.rfilename for each in info.siblings or []}
    card = info.card_data.to_dict() if info.card_data else {}
    if "adapter_config.json" in files:
        base = ((info.config or {}).get("peft") or {}).get("base_model_name_or_path") or card.get("base_model")
        return "lora", base[0] if isinstance(base, list) else base
    kind = TASKS.get(info.pipeline_tag or "")
    if kind is None:
        names = (info.config or {}).get("architectures") or [""]
        kind = next((kind for end, kind in ARCHITECTURES.items() if names[0].endswith(end)), None)
    if kind is None:
        raise Failure(f"{model}: no kind of demo is known for the task {info.pipeline_tag!r}", ADVICE, EXIT_USAGE)
    template = "chat_template.jinja" in files or ((info.config or {}).get("tokenizer_config") or {}).get(
        "chat_template"
    )
    return ("text" if kind == "chat" and not template else kind), None


def settings_of(args: argparse.Namespace) -> tuple[str, dict[str, str]]:
    """(kind, constant of the app -> its value) from what was asked for."""
    kind, base = args.kind, None
    if args.model and (kind is None or (kind == "lora" and not args.base)):
        found, base = kind_of_folder(Path(args.model)) if Path(args.model).is_dir() else kind_of_repo(args.model)
        kind = kind or ("compare" if args.base and found in ("chat", "text") else found)
    known = kinds()
    if kind not in known:
        raise Failure(f"there is no kind {kind!r}", f"one of: {', '.join(known)}", EXIT_USAGE)
    if not args.model:
        return kind, {}
    if kind == "compare":
        if not args.base:
            raise Failure("a comparison needs the base too", "--base ID", EXIT_USAGE)
        return kind, {"BASE_ID": args.base, "TUNED_ID": args.model}
    if kind == "lora":
        if not (args.base or base):
            raise Failure(f"{args.model} does not say what its base is", "--base ID", EXIT_USAGE)
        return kind, {"BASE_ID": args.base or base, "ADAPTERS": " ".join([args.model, *args.adapter])}
    if "MODEL_ID" not in (EXAMPLES / kind / "app.py").read_text("utf-8"):
        raise Failure(f"the kind {kind} runs no model", "leave --model out, or choose another kind", EXIT_USAGE)
    return kind, {"MODEL_ID": args.model}


def with_settings(source: str, settings: dict[str, str]) -> str:
    """The app with other defaults; the variables of the environment still win."""
    for name, value in settings.items():
        if not re.fullmatch(r"[\w./ ~:\\-]+", value):
            raise Failure(f"{value!r} is no name of a model", "OWNER/NAME, or a folder", EXIT_USAGE)
        pattern = re.compile(rf'(os\.environ\.get\("{name}", )"[^"]*"')
        source, count = pattern.subn(lambda match, value=value: match[1] + json.dumps(value), source)
        assert count == 1, name
    return source


# From a function


def annotation_name(node: ast.expr | None) -> str:
    """The annotation as COMPONENTS has it: without modules, None and the parameters that do not matter."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return annotation_name(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [annotation_name(side) for side in (node.left, node.right)]
        return next((side for side in sides if side != "None"), "")
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        name, inner = annotation_name(node.value), ast.unparse(node.slice)
        if name == "Optional":
            return annotation_name(node.slice)
        if name == "Annotated" and isinstance(node.slice, ast.Tuple):
            return annotation_name(node.slice.elts[0])
        if name in ("dict", "Dict") and inner.strip("()") == "str, float":
            return "dict[str, float]"
        return name.lower() if name in ("Dict", "List") else name
    return ast.unparse(node)


def literal_choices(node: ast.expr | None) -> list | None:
    if isinstance(node, ast.Subscript) and annotation_name(node.value) == "Literal":
        found = ast.literal_eval(node.slice)
        return list(found) if isinstance(found, tuple) else [found]
    return None


COMPARED = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
LIMITS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def limits_of(node: ast.expr | None) -> dict[str, float]:
    """Operator -> limit of a number, from `Annotated[float, Field(ge=0, le=1)]` or `Annotated[float, Ge(0)]`."""
    if not (isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Annotated"):
        return {}
    found = {}
    for call in (each for each in ast.walk(node.slice) if isinstance(each, ast.Call)):
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        if call.args and (kind := annotation_name(call.func).lower()) in COMPARED:
            named[kind] = call.args[0]
        with contextlib.suppress(ValueError):  # a limit that is computed cannot be read here
            found |= {sign: ast.literal_eval(named[kind]) for kind, sign in COMPARED.items() if kind in named}
    return found


def may_be_none(annotation: ast.expr | None, default: ast.expr | None) -> bool:
    text = "" if annotation is None else ast.unparse(annotation)
    return bool(re.search(r"\bNone\b|\bOptional\[", text)) or (default is not None and ast.unparse(default) == "None")


@dataclass
class Parameter:
    """One parameter of the function: its component, what it refuses, and values to try it with."""

    name: str
    component: str
    refused: list[tuple[str, str]]  # (condition as source, message)
    sample: Any = None  # None where only the visitor has one, such as a file
    wrong: Any = None


def parameter_of(argument: ast.arg, default: ast.expr | None) -> Parameter | None:
    """None where no component takes what the annotation says. Raises ValueError for a default that is computed."""
    name, kind, label = argument.arg, annotation_name(argument.annotation), label_of(argument.arg)
    given = None if default is None else ast.literal_eval(default)
    value = "" if given is None else f", value={given!r}"
    if choices := literal_choices(argument.annotation):
        first = choices[0] if given is None else given
        refused = [(f"{name} is None", f"{label}: choose one.")]
        return Parameter(name, f'gr.Radio({choices!r}, label="{label}", value={first!r})', refused, first)
    component = COMPONENTS.get(kind, (None,))[0]
    if component is None:
        return None
    optional = may_be_none(argument.annotation, default)
    number, limits = kind in ("int", "float"), limits_of(argument.annotation) if kind in ("int", "float") else {}
    refused, sample, wrong = [], given, None
    if kind == "str":
        if default is None and not optional:
            refused.append((f'not ({name} or "").strip()', f"{label} is empty: write something first."))
            wrong = ""
        sample = SAMPLE_TEXT if given is None else given
    elif kind not in ("bool", "DataFrame") and not optional:  # of these two an empty one is a value as well
        refused.append((f"{name} is None", f"{label} is empty: give {'a number' if number else 'one'} first."))
    low, high = limits.get(">=", limits.get(">")), limits.get("<=", limits.get("<"))
    if number and given is None:
        middle = (low + high) / 2 if limits and None not in (low, high) else (high or 2) - 1 if low is None else low + 1
        sample = middle if kind == "float" else math.ceil(middle) if ">" in limits else math.floor(middle)
    words = ""
    if limits:
        least = "" if low is None else f"{low} {'<=' if '>=' in limits else '<'} "
        most = "" if high is None else f" {'<=' if '<=' in limits else '<'} {high}"
        told = [f"{LIMITS[sign]} {limit}" for sign, limit in limits.items()]
        words = f"from {low} to {high}" if {">=", "<="} <= set(limits) else " and ".join(told)
        known = f"{name} is not None and " if optional else ""
        refused.append((f"{known}not {least}{name}{most}", f"{label} has to be {words}."))
        wrong = low - 1 if low is not None else high + 1
    elif number and refused:
        wrong = ""  # an empty field, which the function would get as None
    if kind == "bool":
        sample = bool(given)
    info = f', info="{words}"' if words else ""
    return Parameter(name, component.format(label=label, value=info + value), refused, sample, wrong)


def label_of(name: str) -> str:
    return name.replace("_", " ").strip().capitalize()


def read_function(target: str) -> tuple[Path, ast.FunctionDef]:
    file, _, name = target.rpartition(":")
    path = Path(file)
    if path.suffix != ".py" or not path.is_file() or not path.stem.isidentifier():
        raise Failure(
            f"--function {target}: no such file", "FILE.py:FUNCTION, the file's name an identifier", EXIT_USAGE
        )
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except SyntaxError as error:
        raise Failure(f"{path}:{error.lineno}: {error.msg}", "correct the file", EXIT_USAGE) from None
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if name not in functions:
        raise Failure(f"{path} has no function {name!r}", f"one of: {', '.join(functions) or 'none'}", EXIT_USAGE)
    return path, functions[name]


def parameters_of(function: ast.FunctionDef) -> list[Parameter]:
    arguments = function.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        raise Failure(f"{function.name} has *args or keyword-only parameters", "give it plain parameters", EXIT_USAGE)
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + list(arguments.defaults)
    found = []
    for argument, default in zip(arguments.args, defaults, strict=True):
        try:
            parameter = parameter_of(argument, default)
        except ValueError:
            raise Failure(
                f"the default of {argument.arg} is no literal", "write the value itself", EXIT_USAGE
            ) from None
        if parameter is None:
            known = ", ".join(key for key, pair in COMPONENTS.items() if pair[0])
            raise Failure(
                f"{function.name}: parameter {argument.arg} is annotated "
                f"{annotation_name(argument.annotation) or 'not at all'}",
                f"annotate it with one of: {known}, Literal[...]", EXIT_USAGE,
            )  # fmt: skip
        found.append(parameter)
    return found


def outputs_of(function: ast.FunctionDef) -> list[tuple[str, str]]:
    """(label, component as source) of each value that is returned."""
    node = function.returns
    if isinstance(node, ast.Subscript) and annotation_name(node.value) in STREAMS:
        node = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
    several = isinstance(node, ast.Subscript) and annotation_name(node.value).lower() == "tuple"
    parts = list(node.slice.elts) if several and isinstance(node.slice, ast.Tuple) else [node]
    found = []
    for number, part in enumerate(parts, 1):
        name = annotation_name(part)
        label = "Result" if len(parts) == 1 else f"Result {number}"
        if name not in COMPONENTS:
            raise Failure(
                f"{function.name} returns {name or 'something that is not annotated'}",
                f"annotate it with one of: {', '.join(COMPONENTS)}, a tuple of them, or Iterator[...] for a stream",
                EXIT_USAGE,
            )
        found.append((label, COMPONENTS[name][1].format(label=label)))
    return found


FUNCTION_APP = '''"""{summary}"""

import functools

import gradio as gr
from {module} import {name}


@functools.wraps({name})
def checked_{name}(*values):
    """What {name} gives, or a message to the visitor: of any other exception only 'Error' is shown."""
{checks}


with gr.Blocks(title={title!r}, delete_cache=(600, 3600)) as demo:
    gr.Markdown({heading!r})
    with gr.Row():
        with gr.Column(min_width=280):
            inputs = [
{inputs}
            ]
            go = gr.Button("Run", variant="primary")
        with gr.Column(min_width=280):
            outputs = [
{outputs}
            ]
{examples}    gr.on({triggers}, checked_{name}, inputs, outputs, api_name={name!r})

if __name__ == "__main__":
    demo.queue(max_size=20).launch()
'''
NO_BARS = "The values leave 0 to 1, so there are no bars to draw: try other inputs."


def checks_of(parameters: list[Parameter], function: ast.FunctionDef, outputs: list[tuple[str, str]]) -> str:
    """The body of the function that the app calls."""
    names = ", ".join(each.name for each in parameters)
    lines = [f"({names},) = values" if len(parameters) == 1 else f"{names} = values"] if parameters else []
    for condition, message in (pair for each in parameters for pair in each.refused):
        lines += [f"if {condition}:", f"    raise gr.Error({json.dumps(message)}, print_exception=False)"]
    streams = isinstance(function.returns, ast.Subscript) and annotation_name(function.returns.value) in STREAMS
    hidden = function.name in {each.name for each in parameters}  # by the parameter of the same name
    call = f"checked_{function.name}.__wrapped__(*values)" if hidden else f"{function.name}(*values)"
    if streams:
        lines.append(f"yield from {call}")
    elif len(outputs) == 1 and outputs[0][1].startswith("gr.Label("):
        lines += [
            f"result = {call}",
            "if not all(-1e-6 <= share <= 1 + 1e-6 for share in result.values()):",
            f"    raise gr.Error({json.dumps(NO_BARS)}, print_exception=False)",
            "return result",
        ]
    else:
        lines.append(f"return {call}")
    return "\n".join(f"    {line}" for line in lines)


def steps_and_calls(function: ast.FunctionDef, parameters: list[Parameter], outputs: list[tuple[str, str]]) -> dict:
    """check.json: one wrong input and a right one, on the page and as a call."""
    required = parameters[: len(parameters) - len(function.args.defaults)]
    fields = (int, float, str)
    fill = {
        label_of(each.name): each.sample
        for each in required
        if type(each.sample) in fields and "gr.Radio" not in each.component
    }
    missing = next((each for each in required if each.sample is None and each.refused), None)
    if missing:  # a file, say, which the author has: until then that it is asked for
        message = next(each.refused[0][1] for each in required if each.refused and "gr.Radio" not in each.component)
        return {"schema": "skillpack/demo-check/1", "steps": [{"click": "Run"}, {"error": message}]}
    name, inputs = f"/{function.name}", {each.name: each.sample for each in parameters if each.sample is not None}
    steps: list[dict] = []
    calls: list[dict] = [{"api_name": name, "inputs": inputs}]
    for each in parameters:
        if each.wrong is None:
            continue
        label, message = label_of(each.name), each.refused[-1][1]
        if not steps:
            steps = [{"fill": {**fill, label: each.wrong}}, {"click": "Run"}, {"error": message}]
            fill[label] = each.sample
        value = None if each.wrong == "" and "gr.Number(" in each.component else each.wrong
        calls.append({"api_name": name, "inputs": inputs | {each.name: value}, "error": message})
    steps += [{"fill": fill}] if fill else []
    steps += [{"click": "Run"}, *({"filled": label} for label, _ in outputs)]
    check = {"schema": "skillpack/demo-check/1", "steps": steps}
    if all(each.sample is not None for each in required):
        check["calls"] = calls
    return check


def from_function(args: argparse.Namespace) -> dict[str, str | bytes]:
    """The files of a demo of one function."""
    path, function = read_function(args.function)
    parameters, outputs = parameters_of(function), outputs_of(function)
    told = (ast.get_docstring(function) or "").partition("\n\n")[0].replace("\n", " ")
    title = args.title or label_of(function.name)
    texts = [at for at, each in enumerate(parameters) if each.component.startswith("gr.Textbox(")]
    row = [each.sample for each in parameters]
    app = FUNCTION_APP.format(
        summary=(told or f"A demo of {function.name}.").replace('"', "'").replace("\\", "/"),
        module=path.stem, name=function.name, title=title, heading=f"# {title}\n{told}",
        checks=checks_of(parameters, function, outputs),
        inputs="\n".join(f"                {each.component}," for each in parameters),
        outputs="\n".join(f"                {source}," for _, source in outputs),
        examples="" if not row or None in row else f"    gr.Examples([{row!r}], inputs)\n",
        triggers=f"[{', '.join(['go.click', *(f'inputs[{at}].submit' for at in texts)])}]",
    )  # fmt: skip
    log(f"note: {path.name} in {args.out} is a copy: copy it again after changes of {path}")
    for each in parameters:
        if each.component.startswith("gr.Number(") and "info=" not in each.component:
            log(
                f"note: {each.name} takes any number: `Annotated[float, Field(ge=0, le=1)]` gives it a range, "
                "or add a check in app.py"
            )
    return {
        "app.py": app,
        path.name: path.read_text("utf-8"),
        "requirements.txt": NO_REQUIREMENTS,
        "check.json": json.dumps(steps_and_calls(function, parameters, outputs), indent=2, ensure_ascii=False) + "\n",
        "README.md": readme(title, told),
    }


# The folder


def readme(title: str, text: str, models: tuple[str, ...] = (), **more: object) -> str:
    import yaml

    header = {
        "title": title,
        "emoji": "🔭",
        "colorFrom": "indigo",
        "colorTo": "gray",
        "sdk": "gradio",
        "sdk_version": GRADIO,
        "app_file": "app.py",
    }
    header |= {"models": list(models)} if models else {}
    lines = yaml.safe_dump({**header, **more}, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{lines}---\n\n# {title}\n\n{text}\n\n{RUN_HERE}"


def from_kind(args: argparse.Namespace) -> dict[str, str | bytes]:
    """The files of a demo of one kind."""
    kind, settings = settings_of(args)
    folder = EXAMPLES / kind
    files: dict[str, str | bytes] = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".pyi", ".pyc")
    }
    files["app.py"] = with_settings((folder / "app.py").read_text("utf-8"), settings)
    requirements = (folder / "requirements.txt").read_text("utf-8")
    more: dict[str, object] = {}
    if args.zerogpu:
        rules = json.loads((EXAMPLES.parent / "zerogpu.json").read_text("utf-8"))
        if "@spaces.GPU" not in files["app.py"]:
            raise Failure(f"the kind {kind} needs no GPU", "leave --zerogpu out", EXIT_USAGE)
        requirements = re.sub(r"^torch==.*$", f"torch=={rules['torch'][-1]}", requirements, flags=re.M)
        more = {"python_version": rules["python"][0], "suggested_hardware": rules["hardware"]}
    files["requirements.txt"] = requirements or NO_REQUIREMENTS
    models = tuple(name for value in settings.values() for name in value.split())
    local = [name for name in models if Path(name).is_dir()]
    for name in local:
        log(f"note: {name} is a folder of this machine: push the model before the demo is deployed")
    title = args.title or (models[-1].rstrip("/").rpartition("/")[2] if models else label_of(kind))
    on_the_hub = tuple(name for name in models if name not in local)
    files["README.md"] = readme(title, summary(kind), on_the_hub, **more)
    return files


def main(argv: list[str]) -> int:
    options = parser(__doc__)
    what = options.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="the kinds of demos")
    what.add_argument("--function", metavar="FILE.py:NAME", help="a function with annotations")
    options.add_argument("--kind", help="see --list (default: what the model's task says)")
    options.add_argument("--model", metavar="ID", help="a model or adapter of the Hub, or a folder")
    options.add_argument("--base", metavar="ID", help="the base: beside --model it makes a comparison of the two")
    options.add_argument(
        "--adapter", action="append", default=[], metavar="ID", help="a further LoRA adapter (repeatable)"
    )
    options.add_argument("--title", help="title of page and Space")
    options.add_argument("--zerogpu", action="store_true", help="pins that ZeroGPU runs, and its hardware in README.md")
    options.add_argument("--out", type=Path, metavar="FOLDER", help="where the demo is written")
    options.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = options.parse_args(argv)
    if args.list:
        emit(kinds()) if args.json else say("\n".join(f"{name:15} {text}" for name, text in kinds().items()))
        return EXIT_OK
    if not args.out:
        options.error("--out FOLDER is needed")
    if not (args.function or args.kind or args.model):
        options.error("name a --model, a --kind or a --function")
    if (args.out / "app.py").exists():
        raise Failure(
            f"{args.out / 'app.py'} exists", "another --out, or remove it: nothing is overwritten", EXIT_USAGE
        )
    files = from_function(args) if args.function else from_kind(args)
    for name, content in files.items():
        write_atomic(args.out / name, content)
    document = {"folder": str(args.out), "files": sorted(files), "check": f"check_app.py {args.out}"}
    if args.json:
        emit(document)
    else:
        say(f"wrote {', '.join(sorted(files))} to {args.out}\nnext: check_app.py {args.out} --screenshots shots")
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
