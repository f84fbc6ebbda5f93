# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Start a tool for the Hub: a script in Python, Bash or TypeScript that already keeps the rules, and its tests.

The tool asks the Hub once for each thing that comes in, by argument or as NDJSON, and writes the fields that you name.
Where that is not yet what you need, edit the last part of the file: what stands between the lines `region plumbing`
(pages, retries, token, input, exit codes) is the same in every tool.

examples:
  python scripts/new_tool.py models-of-author --language bash --path '/api/models?author={author}' \\
      --fields id,downloads --example Qwen --purpose 'Lists the models of an author.'
  python scripts/new_tool.py dataset-sizes --path '/api/datasets/{id}?expand=usedStorage' --fields usedStorage \\
      --example HuggingFaceH4/ultrachat_200k --purpose 'Adds to each dataset how much it stores, in bytes.'
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

TEMPLATES = Path(__file__).resolve().parent.parent / "assets" / "templates"
LANGUAGES = {"python": ("py", "python3"), "bash": ("sh", "bash"), "typescript": ("mts", "node")}
NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
PATH = re.compile(r"/[^\s\"'`\\${}]*\{([a-z][A-Za-z0-9_]*)\}[^\s\"'`\\${}]*")
FIELDS = re.compile(r"[\w-]+(,[\w-]+)*")
EXAMPLE = re.compile(r"[\w./:-]+")
PURPOSE = re.compile(r"[^\n\"`\\${}]+")
STAND_IN = (  # what the Hub in check_tool.py has for a {KEY}, by where it stands in the path
    (r"[?&]author=\{", "acme bolt"), (r"/api/users/\{", "acme"), (r"/api/organizations/\{", "bolt"),
    (r"[?&]filter=arxiv:\{|/api/papers/\{", "2401.00001"), (r"/api/papers/search\?q=\{", "tiny"),
    (r"^/(api/)?datasets/\{", "acme/rows-1 acme/rows-2"), (r"^/(api/)?spaces/\{", "acme/demo-1 acme/demo-2"),
    (r"^/api/models/\{|^/\{", "acme/tiny-1 acme/tiny-2"),
)  # fmt: skip


def checked(pattern: re.Pattern[str], text: str, option: str, fix: str) -> re.Match[str]:
    """Everything that goes into code of three languages is plain enough to mean the same in each."""
    match = pattern.fullmatch(text)
    if match is None:
        raise Failure(f"{option} {text!r} cannot stand in a script", fix, EXIT_USAGE)
    return match


def rendered(template: str, values: dict[str, str]) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"__{name}__", value)
    return text


def known(path: str, example: str) -> str:
    """What check_tool.py is to give to the tool: names that its stand-in has, or a Hub that has the example."""
    for place, names in STAND_IN:
        if re.search(place, path):
            return f"-- {names}"
    return f"--endpoint https://huggingface.co -- {example}"


def write_new(path: Path, text: str) -> bool:
    """Whether it was written; False when the same text is there. Raises Failure rather than undo somebody's edits."""
    if path.exists():
        if path.read_text(encoding="utf-8") == text:
            return False
        raise Failure(f"{path} is there and differs", "choose another name or --out, or delete it", EXIT_USAGE)
    write_atomic(path, text)
    path.chmod(0o755)
    return True


def main(argv: list[str]) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("name", help="of the tool: what it gives, in lower case, as in models-of-author")
    arguments.add_argument("--path", required=True, help="of the Hub's API, with one {KEY}: what comes in, by its name")
    arguments.add_argument("--fields", required=True, help="of the answer that are written, with commas between")
    arguments.add_argument("--example", required=True, metavar="VALUE", help="a real KEY, for --help and the tests")
    arguments.add_argument("--purpose", required=True, help="one sentence for --help")
    arguments.add_argument("--language", choices=LANGUAGES, default="python")
    arguments.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="default: this folder")
    arguments.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = arguments.parse_args(argv)
    checked(NAME, options.name, "the name", "lower-case words with '-' or '_' between them")
    key = checked(PATH, options.path, "--path", "a path such as /api/models?author={author}, with one {KEY}")[1]
    checked(FIELDS, options.fields, "--fields", "names with commas between them, without spaces")
    if key in options.fields.split(","):
        fix = "{id} of a repo goes out anyway; where the answer has another id, call the KEY {model} or {author}"
        raise Failure(f"--fields has {key!r}, which would replace the {key} that came in", fix, EXIT_USAGE)
    checked(EXAMPLE, options.example, "--example", "an id such as org/name")
    checked(PURPOSE, options.purpose, "--purpose", 'one line without ", `, \\, $ and braces')
    suffix, run_with = LANGUAGES[options.language]
    module = options.name.replace("-", "_")
    values = {
        "NAME": options.name, "FILE": f"{options.name}.{suffix}", "MODULE": module, "RUN": run_with, "KEY": key,
        "PATH": options.path, "FIELDS": options.fields, "FIELD_NAMES": options.fields.replace(",", ", "),
        "FIELD_LIST": '", "'.join(options.fields.split(",")),
        "EXAMPLE": options.example, "PURPOSE": options.purpose,
    }  # fmt: skip
    files = {
        options.out / values["FILE"]: rendered(f"tool.{suffix}", values),
        options.out / f"test_{module}.py": rendered("test_tool.py", values),
    }
    for path, text in files.items():
        log(f"{path}: {'written' if write_new(path, text) else 'is there already, the same'}")
    tool, test = files
    here = Path(__file__).resolve().parent
    commands = [
        f"python -m unittest discover -s {test.parent} -p {test.name}",
        f"python {here / 'check_tool.py'} {tool} {known(options.path, options.example)}",
    ]
    if options.json:
        emit({"tool": str(tool), "test": str(test), "next": commands})
    else:
        say("next:\n" + "\n".join(f"  {command}" for command in commands))
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(run(main))
