# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "click>=8.1,<9",
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Hold this skill's documents, or any file with `hf` commands, against the `hf` that is installed.

Without --check it writes the tables of commands between the marker lines of SKILL.md and references/*.md, as the
installed `hf` has them. With --check it changes nothing and says what has drifted: a table, a command or a flag that
`hf` does not have, a command under "gone" that is there again. With --lint it holds the commands of any Markdown,
shell script or other text (- is standard input) against the real parser of `hf`; nothing of it is run.

examples:
  python scripts/sync_reference.py --check
  python scripts/sync_reference.py --lint README.md deploy.sh
  echo 'hf repo create x' | python scripts/sync_reference.py --lint -
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

import contextlib
import difflib
import io
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

SKILL = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?P<open><!-- hf: (?P<names>[a-z ]+) -->\n)(?P<body>.*?)(?P<close><!-- /hf -->)", re.S)
FENCE = re.compile(r"^(?P<indent>[ ]*)```(?P<lang>\w*)[^\n]*\n(?P<code>.*?)^(?P=indent)```", re.S | re.M)
SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
SHELLS = {"", "bash", "sh", "shell", "console", "zsh", "fish", "shellsession", "terminal", "powershell", "cmd"}
GONE_TABLE = re.compile(r"^\| gone \|.*?(?=^[^|]|\Z)", re.S | re.M)  # its first column names what must not be there
PROGRAMS = ("hf", "huggingface-cli")
HIDDEN_OPTIONS = {"--help", "--token"}  # a token belongs in HF_TOKEN, never on a command line
MOST_CHOICES = 6
BEFORE_COMMAND = {"do", "then", "else", "time", "exec", "sudo", "if", "while", "!", "{", "uvx", "$"}


class Use(NamedTuple):
    """A command found in a document."""

    line: int
    words: list[str]
    whole: bool  # stands to be run as it is; else it is a mention, and arguments may be missing


class Problem(NamedTuple):
    file: str
    line: int
    command: str
    problem: str


def hf_app() -> Any:
    """The root of the installed `hf`: a click group."""
    try:
        from huggingface_hub.cli.hf import app
    except ImportError as error:
        raise Failure(f"huggingface_hub has no `hf`: {error}", "pip install -U 'huggingface_hub>=2.4,<3'") from None
    return app


def child(group: Any, context: Any, name: str) -> Any:
    """The command of that name or alias below `group`, loaded; None where there is none."""
    command = group.get_command(context, name)
    return command.materialize() if hasattr(command, "materialize") else command


def walk(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is not hidden, with its path; the groups too."""
    import click

    context = click.Context(group, info_name=path[-1] if path else "hf")
    for name in group.list_commands(context):
        command = child(group, context, name)
        if command is None or command.hidden:
            continue
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


def successor(words: list[str]) -> str:
    """What references/renamed.md names for a command that is gone, by the longest beginning they share; or ""."""
    table = SKILL / "references/renamed.md"
    best, now = 1, ""
    for row in re.finditer(r"^\| (`.+?) \| (`.+) \|$", table.read_text("utf-8") if table.is_file() else "", re.M):
        for old in SPAN.findall(row[1]):
            same = 0
            for mine, theirs in zip(words, old.split(), strict=False):
                if mine != theirs:
                    break
                same += 1
            if same > best:
                best, now = same, row[2]
    return now


def refusal(words: list[str], whole: bool = True) -> str | None:
    """Why the installed `hf` does not take these words, the first being the program; None where it does.

    Nothing is run.

    Of a mention (not `whole`) arguments may be missing, and words that stand for others (NAME, …) are not judged.
    """
    import click

    if words[0] != "hf":
        return f"`{words[0]}` is gone"
    group, context, rest = hf_app(), click.Context(hf_app(), info_name="hf"), words[1:]
    path: list[str] = []
    while isinstance(group, click.Group):
        if not rest or rest[0] in ("--help", "-h", "…", "..."):
            return None
        if rest[0].startswith("-"):
            known = {name for param in group.params for name in param.opts}
            return None if rest[0] in known else f"`{' '.join(['hf', *path])}` has no option {rest[0]}"
        if child(group, context, rest[0]) is None:
            near = difflib.get_close_matches(rest[0], group.list_commands(context), n=1)
            return f"no command `{' '.join(['hf', *path, rest[0]])}`" + (f"; is `{near[0]}` meant?" if near else "")
        try:
            name, group, rest = group.resolve_command(context, rest)
        except click.UsageError as error:
            return short(error.message)
        group = group.materialize() if hasattr(group, "materialize") else group
        path.append(name)
        context = click.Context(group, info_name=name, parent=context)
    if "--help" in rest or "-h" in rest or (not rest and not whole):
        return None
    if not whole and any(word in ("…", "...") for word in rest):
        known = {name for param in group.params for name in (*param.opts, *param.secondary_opts)}
        bad = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
        return f"no option {bad[0]}" if bad else None
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            group.make_context(path[-1], rest, parent=context.parent)
    except click.MissingParameter as error:
        return short(error.format_message()) if whole else None
    except click.UsageError as error:
        return short(error.format_message())
    except click.exceptions.Exit:  # without a needed argument it would show its help
        return "needs an argument" if whole else None
    return None


def short(message: str) -> str:
    return message.strip().split("\n")[0].rstrip(".")


def commands_of(text: str, first_line: int, whole: bool) -> Iterator[Use]:
    """The `hf` commands of shell text: after pipes, &&, assignments and `do` too."""
    joined = re.sub(r"\\\n", lambda match: " \0", text)  # a continued line is one; \0 keeps the count of lines
    line = first_line
    for row in joined.split("\n"):
        at, line = line, line + 1 + row.count("\0")
        row = re.sub(r"^\s*\$ ", "", row.replace("\0", " "))
        if not any(program in row for program in PROGRAMS):
            continue
        lexer = shlex.shlex(row.replace("$(", " ( "), posix=True, punctuation_chars=True)
        lexer.commenters, lexer.whitespace_split = "#", True
        try:
            tokens = list(lexer)
        except ValueError:  # a quote that closes on another line
            tokens = row.split()
        part: list[str] = []
        for token in [*tokens, ";"]:
            if set(token) <= set("();<>|&"):
                while part and (part[0] in BEFORE_COMMAND or re.match(r"\w+=", part[0])):
                    part = part[1:]
                if part and part[0] in PROGRAMS:
                    yield Use(at, part, whole)
                part = [] if set(token) <= set("();|&") else ["<"]  # what follows < or > is a file
            else:
                part.append(token)


def uses(text: str, markdown: bool) -> Iterator[Use]:
    """Every `hf` command of a document: in Markdown those of shell blocks, and those in `code` as mentions."""
    if not markdown:
        yield from commands_of(text, 1, True)
        return
    blank = re.compile(r"[^\n]")
    text = BLOCK.sub(lambda match: blank.sub(" ", match[0]), text)  # what this script wrote itself
    for fence in FENCE.finditer(text):
        if fence["lang"].lower() in SHELLS:  # most of what people write has none
            yield from commands_of(fence["code"], text[: fence.start("code")].count("\n") + 1, True)
    prose = FENCE.sub(lambda match: blank.sub(" ", match[0]), text)
    for span in SPAN.finditer(prose):
        if span[1].partition(" ")[0] in PROGRAMS and " " in span[1]:
            line = prose[: span.start()].count("\n") + 1
            yield from commands_of(span[1].replace("\n", " "), line, False)


def gone(text: str) -> tuple[str, list[tuple[int, str]]]:
    """(the text without what it names as gone, (line, command) of each of those)."""
    found: list[tuple[int, str]] = []

    def clear(table: re.Match) -> str:
        start = text[: table.start()].count("\n") + 1
        rows = []
        for number, row in enumerate(table[0].split("\n")):
            cells = row.split(" | ", 1)
            found.extend((start + number, span) for span in SPAN.findall(cells[0]))
            rows.append(" | ".join(["|", *cells[1:]]))
        return "\n".join(rows)

    return GONE_TABLE.sub(clear, text), found


def lint(name: str, text: str, markdown: bool) -> tuple[list[Problem], int]:
    """(what is wrong with the `hf` commands of a text, how many there are)."""
    text, absent = gone(text) if markdown else (text, [])
    problems = [
        Problem(name, line, command, "stands under gone, and the installed hf has it")
        for line, command in absent
        if command.startswith("hf ") and refusal(shlex.split(command), whole=False) is None
    ]
    found = list(uses(text, markdown))
    for use in found:
        if (why := refusal(use.words, use.whole)) is not None:
            now = successor(use.words)
            problems.append(
                Problem(
                    name, use.line, shlex.join(use.words), f"{why.partition('; is ')[0]}; now {now}" if now else why
                )
            )
    return problems, len(found)


def first_sentence(text: str | None) -> str:
    line = (text or "").strip().split("\n")[0]
    return re.split(r"(?<=[a-z)])\. (?=[A-Z])", line)[0].rstrip(".").replace("|", "\\|")


def usage(path: tuple[str, ...], command: Any) -> str:
    """Name and arguments, as --help shows them."""
    import click

    context = click.Context(command, info_name=path[-1])
    arguments = [param.make_metavar(context) for param in command.params if isinstance(param, click.Argument)]
    return " ".join([*path, *(re.sub(r":.*", "", argument) for argument in arguments)])


def options(command: Any) -> str:
    """The options of a command, its own alone; what every command takes is said once, in SKILL.md."""
    import click

    shown = []
    for param in command.params:
        names = [name for name in param.opts if name.startswith("--")]
        if not isinstance(param, click.Option) or param.hidden or not names or names[0] in HIDDEN_OPTIONS:
            continue
        if names[0] in ("--format", "--json", "--quiet"):
            continue
        choices = list(getattr(param.type, "choices", []))
        values = f" {{{','.join(map(str, choices))}}}" if 0 < len(choices) <= MOST_CHOICES else ""
        shown.append(f"`{names[0]}{values}`" + (" (required)" if param.required else ""))
    return " ".join(shown)


def table(name: str) -> str:
    """The commands of one group (or one command), as a table."""
    import click

    app = hf_app()
    top = child(app, click.Context(app, info_name="hf"), name)
    if top is None:
        raise Failure(f"the installed hf has no {name!r}", "take it out of the marker line")
    found = list(walk(top)) if isinstance(top, click.Group) else [((name,), top)]
    head = f"`hf {name} …`" if isinstance(top, click.Group) else "`hf …`"
    rows = [f"| {head} | | options |", "| --- | --- | --- |"]
    for path, command in found:
        if not isinstance(command, click.Group):
            rows.append(f"| `{usage(path, command)}` | {first_sentence(command.help)} | {options(command)} |")
    return "\n".join(rows) + "\n\n"


def overview() -> str:
    """Every group with the names below it."""
    import click
    from huggingface_hub import __version__

    rows = [f"| huggingface_hub {__version__} | commands |", "| --- | --- |"]
    alone = []
    for (name, *rest), command in walk(hf_app()):
        if rest:
            continue
        if not isinstance(command, click.Group):
            alone.append(f"`{name}`")
            continue
        below = [" ".join(path) for path, each in walk(command) if not isinstance(each, click.Group)]
        rows.append(f"| `hf {name}` | {', '.join(below)} |")
    return "\n".join([*rows[:2], f"| `hf` | {', '.join(alone)} |", *rows[2:]]) + "\n"


def generated(text: str) -> str:
    """`text` with what stands between its marker lines made anew."""

    def body(match: re.Match) -> str:
        names = match["names"].split()
        made = overview() if names == ["overview"] else "".join(map(table, names))
        return match["open"] + "\n" + made.rstrip("\n") + "\n\n" + match["close"]

    return BLOCK.sub(body, text)


def read(name: str) -> tuple[str, bool]:
    """(text, whether it is Markdown) of a file, or of standard input."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{name}: {error}", "name a file of text, or -", EXIT_USAGE) from None
    return text, name.endswith((".md", ".mdx", ".markdown"))


def main(argv: list[str]) -> int:
    given = parser(__doc__)
    mode = given.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="change nothing; exit 1 where something has drifted")
    mode.add_argument("--lint", nargs="+", metavar="FILE", help="hold the commands of these files against hf")
    given.add_argument("--json", action="store_true", help="one JSON document on standard output")
    chosen = given.parse_args(argv)

    problems: list[Problem] = []
    drifted: list[str] = []
    count = 0
    documents = chosen.lint or [str(SKILL / "SKILL.md"), *map(str, sorted((SKILL / "references").glob("*.md")))]
    for name in documents:
        text, markdown = read(name)
        made = text if chosen.lint else generated(text)
        if made != text:
            drifted.append(name)
            if chosen.check:
                log(
                    "".join(
                        difflib.unified_diff(text.splitlines(True), made.splitlines(True), name, "installed hf", n=0)
                    )
                )
            else:
                write_atomic(Path(name), made)
        found, number = lint(name, made, markdown)
        problems += found
        count += number

    from huggingface_hub import __version__

    for each in problems:
        log(f"{each.file}:{each.line}: `{each.command}`: {each.problem}")
    if chosen.json:
        emit({
            "huggingface_hub": __version__, "files": len(documents), "commands": count, "drifted": drifted,
            "problems": [each._asdict() for each in problems],
        })  # fmt: skip
    else:
        changed = f", {len(drifted)} tables {'drifted' if chosen.check else 'written'}" if not chosen.lint else ""
        say(f"{count} commands in {len(documents)} files, hf {__version__}: {len(problems)} wrong{changed}")
    return EXIT_NO if problems or (chosen.check and drifted) else EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
