# /// script
# requires-python = ">=3.10"
# dependencies = ["gradio>=6.31,<7", "jsonschema>=4.21,<5"]
# ///
"""What the installed gradio has: components, layouts, events, launch() and the rest, read from the library itself.

NAME is anything of gradio: a component (Textbox), a layout (Row), a class (ChatInterface, Request), a function (on,
render), or a method (Blocks.launch, Blocks.queue, Button.click). For a component it says what your function is given,
what it has to return, each parameter with its default and meaning, and its events. Without NAME all are listed.

examples:
  python scripts/component_reference.py Chatbot Blocks.launch
  python scripts/component_reference.py --search streaming --json
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

import inspect
from typing import Any

KINDS = ("components", "layouts", "events", "others")


def described(doc: str | None, section: str = "Parameters:") -> tuple[str, dict[str, str]]:
    """(first paragraph, name -> meaning) of a docstring of gradio."""
    lines = inspect.cleandoc(doc or "").splitlines()
    first = (
        " ".join(line.strip() for line in lines[: lines.index("")] if line.strip()) if "" in lines else " ".join(lines)
    )
    meanings, inside = {}, False
    for line in lines:
        if line.strip() == section:
            inside = True
        elif inside and re.match(r"\S", line):
            break
        elif inside and (found := re.match(r"\s+(\w+): (.*)", line)):
            meanings[found[1]] = found[2]
    return first.partition("Parameters:")[0].strip(), meanings


def shown(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(typing|collections\.abc|gradio\.\w+(\.\w+)*)\.", "", text)


def parameters(function: Any, meanings: dict[str, str]) -> list[dict]:
    """Name, type, default and meaning of each parameter that a caller gives."""
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in ("self", "cls", "block") or parameter.name.startswith("_"):
            continue
        required = parameter.default is inspect.Parameter.empty and parameter.kind not in (
            inspect.Parameter.VAR_KEYWORD,
            inspect.Parameter.VAR_POSITIONAL,
        )
        default = None if parameter.default is inspect.Parameter.empty else repr(parameter.default)
        found.append(
            {
                "name": parameter.name,
                "type": shown(parameter.annotation),
                "required": required,
                "default": default,
                "meaning": meanings.get(parameter.name, ""),
            }
        )
    return found


def exchanged(component: type, method: str) -> str:
    """What a component gives to a function (preprocess), or takes from it (postprocess)."""
    signature = inspect.signature(getattr(component, method))
    if method == "preprocess":
        return shown(signature.return_annotation)
    return next((shown(each.annotation) for name, each in signature.parameters.items() if name != "self"), "")


def catalog() -> dict[str, list[str]]:
    """Every public class and function of gradio, by kind."""
    import gradio
    from gradio.blocks import BlockContext
    from gradio.components.base import Component
    from gradio.events import Events

    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    seen: set[Any] = set()
    for name in sorted(dir(gradio)):
        value = getattr(gradio, name)
        if name.startswith("_") or inspect.ismodule(value) or not callable(value) or value in seen:
            continue
        own = getattr(value, "__name__", name)
        if own != name and getattr(gradio, own, None) is value:
            continue  # another name of the same, as Text is of Textbox
        seen.add(value)
        if inspect.isclass(value) and issubclass(value, Component):
            found["components"].append(name)
        elif inspect.isclass(value) and issubclass(value, BlockContext):
            found["layouts"].append(name)
        else:
            found["others"].append(name)
    found["events"] = sorted(each.event_name for each in vars(Events).values() if hasattr(each, "event_name"))
    return found


def find(name: str) -> Any:
    import difflib

    import gradio

    value: Any = gradio
    for part in name.removeprefix("gr.").split("."):
        known = {each.lower(): each for each in dir(value)}
        if part.lower() not in known:
            near = difflib.get_close_matches(part.lower(), list(known), n=3, cutoff=0.5)
            raise Failure(
                f"gradio {gradio.__version__} has no {name}",
                f"did you mean {', '.join(known[each] for each in near)}?" if near else "without NAME all are listed",
                EXIT_USAGE,
            )
        exact = part if hasattr(value, part) else known[part.lower()]
        value = getattr(value, exact)
    return value


def entry(name: str) -> dict:
    """Everything that is known of one name."""
    from gradio.components.base import Component

    value = find(name)
    if not callable(value):
        raise Failure(
            f"{name} is a {type(value).__name__}: it has no parameters", "name a class or function", EXIT_USAGE
        )
    is_class = inspect.isclass(value)
    text, meanings = described(value.__doc__)
    if is_class:
        meanings |= described(value.__init__.__doc__)[1]
    event = None
    if is_class and issubclass(value, Component):
        event = {
            "your function gets": exchanged(value, "preprocess"),
            "your function returns": exchanged(value, "postprocess"),
            "events": [str(getattr(each, "event_name", each)) for each in value.EVENTS],
        }
    found = {"name": name, "text": text, "parameters": parameters(value.__init__ if is_class else value, meanings)}
    if "." in name and not found["parameters"][0]["meaning"]:  # an event: all of them take the same
        from gradio.events import EventListener

        meanings = described(EventListener._setup.__doc__)[1] | meanings
        found["parameters"] = parameters(value, meanings)
    return found | (event or {})


def search(word: str) -> list[dict]:
    """Names and parameters whose name or meaning holds `word`."""
    hits, names = [], catalog()
    for name in [*names["components"], *names["layouts"], "Blocks.launch", "Blocks.queue", "Button.click"]:
        known = entry(name)
        for each in known["parameters"]:
            if word.lower() in f"{each['name']} {each['meaning']}".lower():
                hits.append({"name": name, "parameter": each["name"], "meaning": each["meaning"]})
        if word.lower() in f"{name} {known['text']}".lower():
            hits.append({"name": name, "parameter": None, "meaning": known["text"]})
    return hits


def show(found: dict) -> None:
    say(f"{found['name']}\n  {found['text']}")
    for key in ("your function gets", "your function returns"):
        if key in found:
            say(f"  {key}: {found[key]}")
    for each in found["parameters"]:
        default = "required" if each["required"] else f"= {each['default']}" if each["default"] else ""
        say(f"  {each['name']}: {each['type']} {default}".rstrip())
        if each["meaning"]:
            say(f"      {each['meaning']}")
    if "events" in found:
        say(f"  events: {', '.join(found['events'])}")


def main(argv: list[str]) -> int:
    options = parser(__doc__)
    options.add_argument("names", nargs="*", metavar="NAME")
    options.add_argument("--search", metavar="WORD", help="parameters whose name or meaning holds it")
    options.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = options.parse_args(argv)
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio

    document: dict[str, Any] = {"gradio": gradio.__version__}
    if args.search:
        document["found"] = search(args.search)
    elif args.names:
        document["entries"] = [entry(name) for name in args.names]
    else:
        document |= catalog()
    if args.json:
        emit(document)
        return EXIT_NO if args.search and not document["found"] else EXIT_OK
    say(f"gradio {gradio.__version__}")
    for found in document.get("entries", []):
        show(found)
    for hit in document.get("found", []):
        say(f"  {hit['name']}{'.' + hit['parameter'] if hit['parameter'] else ''}: {hit['meaning']}")
    for kind in KINDS:
        if kind in document:
            say(f"{kind}: {', '.join(document[kind])}")
    return EXIT_NO if args.search and not document["found"] else EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
