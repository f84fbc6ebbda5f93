"""Python of a skill held against the installed libraries, by the type checker ty, which reads and runs nothing.

ty knows more than is wanted here: of its findings those are kept that end a program at once (no such module, name,
attribute, argument). What it says a compiled or lazy module lacks is asked of the module itself (members.py).
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from skillpack.scripts import Script
from skillpack.verify import ABSENT
from skillpack.verify.blocks import Excerpt
from skillpack.verify.cache import Cache
from skillpack.verify.tools import environment as variables
from skillpack.verify.tools import packages

LANGUAGES = frozenset({"python", "py", "python3", "pycon"})
#: Lines of a notebook that are no Python.
_MAGIC = re.compile(r"^(\s*)[!%].*$", re.MULTILINE)
#: Gradio does not annotate what `with gr.Blocks() as demo` gives, which is what is called.
_WITH = re.compile(r"^([ \t]*)with (gr(?:adio)?\.\w+\(.*\)) as (\w+):", re.MULTILINE)
_MEMBERS = Path(__file__).with_name("members.py")
_PATIENCE = 300
#: A class by its name, and no union, literal or type variable.
_CLASS = r"(?:Object of type|Class|Unresolved attribute `\w+` on type) `([A-Za-z_]\w*)`"
#: Rules of ty that hold the arguments of a call against what it takes as a whole.
_COUNTING = frozenset(
    {"missing-argument", "too-many-positional-arguments", "no-matching-overload", "invalid-argument-type"}
)
_UNSURE = frozenset({"None", "object", "Unknown", "Never", "type"})


class Program(NamedTuple):
    """Python to be held against what is installed: a script, or the blocks of a page one after the other.

    `place` gives the line and column in the file for a line and column of `text`. Of a `fragment` more is asked than
    of a script: its names are few and known, and no test runs it. `own` are modules that lie beside it.
    """

    path: str
    text: str
    place: Callable[[int, int], tuple[int, int]]
    fragment: bool
    own: frozenset[str]


class Found(NamedTuple):
    """A finding: its kind, its place in the program's file, what is wrong and what to do."""

    kind: str
    message: str
    fix: str
    line: int
    column: int


def problem(text: str) -> SyntaxError | None:
    """Why a block is not Python; None where it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(plain(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return error if isinstance(error, SyntaxError) else SyntaxError(str(error))
    return None


def _parses(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def compiles(script: Script, store: Cache) -> Found | None:
    """Why a script is not Python, in the oldest version that its header admits; None where it is."""
    kept = store.get("syntax", sys.version, script.text)
    if kept is None:
        error = script.syntax_error
        kept = [] if error is None else [error.msg, error.lineno or 1, error.offset or 1]
        store.put(kept, "syntax", sys.version, script.text)
    return Found("python-syntax", f"this is not Python: {kept[0]}", "correct it", kept[1], kept[2]) if kept else None


def plain(text: str) -> str:
    """`text` without a notebook's magic and a console's prompts; every line that stays stands where it stood."""
    if _parses(text):
        return text  # a line that begins with `%` goes on with the one before it
    if re.search(r"^>>> ", text, re.MULTILINE):
        kept = (line[4:] if re.match(r"(>>>|\.\.\.) ", line) else "" for line in text.split("\n"))
        text = "\n".join(kept)
    return _MAGIC.sub(lambda line: line[1] + "pass" if line[1] else "", text)


def strings(text: str) -> Iterator[tuple[str, int, int]]:
    """The strings in a block, with their lines and columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for node in ast.walk(ast.parse(plain(text))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, node.lineno, node.col_offset + 1


def joined(path: str, parts: Sequence[Excerpt], own: frozenset[str]) -> Program:
    """The blocks of a page as one program: a later block may use what an earlier one defines."""
    text, starts = "", []
    for part in parts:
        starts.append(text.count("\n") + 1)
        text += plain(part.text).rstrip("\n") + "\n"

    def place(line: int, column: int) -> tuple[int, int]:
        index = max(number for number, start in enumerate(starts) if start <= line)
        return parts[index].at(line - starts[index] + 1, column)

    return Program(path, text, place, True, own)


def inner(program: Program) -> Iterator[Program]:
    """The scripts that stand as strings in a program, known by their PEP 723 header: `hf_jobs("uv", {"script": …})`."""
    if not program.fragment or "# /// script" not in program.text:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for node in ast.walk(ast.parse(program.text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "# /// script" in node.value:
                first = node.lineno
                if problem(node.value) is None and node.value.count("\n") == (node.end_lineno or first) - first:

                    def place(line: int, column: int, first: int = first) -> tuple[int, int]:
                        return program.place(first + line - 1, column)

                    yield Program(program.path, node.value, place, True, program.own)


def check(programs: Sequence[Program], store: Cache) -> list[tuple[Program, Found]]:
    """What is wrong with each program. Programs that are not Python are to be left out."""
    programs = [*programs, *(script for program in programs for script in inner(program))]
    programs = [program._replace(text=_WITH.sub(_bound, program.text)) for program in programs]
    calls = [_calls(program) if program.fragment else {} for program in programs]
    # What ty knows of each function that is called is asked at the end.
    texts = [
        "\n".join([program.text.rstrip("\n"), *(f"reveal_type({written})" for written in called)])
        for program, called in zip(programs, calls, strict=True)
    ]
    environment = f"{packages(Path(sys.executable))} ty {metadata.version('ty')}"
    raw: dict[int, list[dict[str, object]]] = {}
    fresh = []
    for number, text in enumerate(texts):
        kept = store.get("ty", environment, text)
        if kept is None:
            fresh.append(number)
        else:
            raw[number] = kept
    if fresh:
        for number, found in zip(fresh, _ty([texts[number] for number in fresh]), strict=True):
            raw[number] = found
            store.put(found, "ty", environment, texts[number])
    drafts = [(program, found) for number, program in enumerate(programs) for found in _kept(program, raw[number])]
    for number, program in enumerate(programs):
        drafts += [(program, found) for found in _unannotated(program, calls[number], raw[number])]
    members = sorted({found.member for _, found in drafts if found.member is not None})
    present = _present(members, environment, store)
    kept_drafts = [(program, draft) for program, draft in drafts if draft.member not in present]
    return [
        (program, draft.found._replace(fix=draft.found.fix or _fix(draft.member))) for program, draft in kept_drafts
    ]


def _bound(found: re.Match[str]) -> str:
    """`with gr.X() as name:` with the name bound to the call; any other `with` as it is."""
    try:
        alone = isinstance(ast.parse(found[2], mode="eval").body, ast.Call)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        alone = False
    return f"{found[1]}if {found[3]} := {found[2]}:" if alone else found[0]


class _Draft(NamedTuple):
    """A finding, and the question to members.py that takes it back if the answer is yes."""

    found: Found
    member: tuple[str, ...] | None = None


def _ty(texts: Sequence[str]) -> list[list[dict[str, object]]]:
    """What ty says of each text: rule, message, line, column."""
    from ty import find_ty_bin

    with tempfile.TemporaryDirectory(prefix="skillpack-verify-") as folder:
        names = [f"block_{number:04}.py" for number in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            (Path(folder) / name).write_text(text, encoding="utf-8", errors="replace")
        (Path(folder) / "ty.toml").write_text("", encoding="utf-8")
        done = subprocess.run(
            [str(find_ty_bin()), "check", "--output-format", "gitlab", "--exit-zero", "--python", sys.prefix, *names],
            cwd=folder,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode not in (0, 1):
            raise RuntimeError(f"ty failed: {done.stderr.decode('utf-8', 'replace')[-300:]}")
        said = json.loads(done.stdout or b"[]")
    found: list[list[dict[str, object]]] = [[] for _ in texts]
    for one in said:
        begin = one["location"]["positions"]["begin"]
        message = one["description"].split(": ", 1)[1]
        entry = {"rule": one["check_name"], "message": message, "line": begin["line"], "column": begin["column"]}
        found[names.index(Path(one["location"]["path"]).name)].append(entry)
    return found


def _kept(program: Program, said: Sequence[dict[str, object]]) -> Iterator[_Draft]:
    """Those of ty's findings that are findings here."""
    last = program.text.rstrip("\n").count("\n") + 1
    elided = _elided(program) if said and program.fragment and "..." in program.text else []
    for one in said:
        rule, message = str(one["rule"]), str(one["message"])
        line, column = int(str(one["line"])), int(str(one["column"]))
        if line > last or (rule in _COUNTING and any(first <= (line, column) <= end for first, end in elided)):
            continue
        draft = _judged(program, rule, message)
        if draft is not None:
            line, column = program.place(line, column)
            yield draft._replace(found=draft.found._replace(line=line, column=column))


#: As a name is written -> its module, its name there, and its calls.
_Calls = dict[str, tuple[str, str, list[ast.Call]]]


def _calls(program: Program) -> _Calls:
    """The calls with keyword arguments of what is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = list(ast.walk(ast.parse(program.text)))
    modules: dict[str, tuple[str, str]] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {
                one.asname or one.name: (one.name, "") for one in node.names if one.asname or "." not in one.name
            }
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules |= {one.asname or one.name: (node.module, one.name) for one in node.names}
    found: _Calls = {}
    for node in nodes:
        if isinstance(node, ast.Call) and any(keyword.arg for keyword in node.keywords):
            written = ast.unparse(node.func)
            first, _, rest = written.partition(".")
            if re.fullmatch(r"\w+(\.\w+)*", written) and first in modules:
                module, name = modules[first]
                found.setdefault(written, (module, f"{name}.{rest}".strip("."), []))[2].append(node)
    return {written: call for written, call in found.items() if call[1]}


def _unannotated(program: Program, calls: _Calls, said: Sequence[dict[str, object]]) -> Iterator[_Draft]:
    """Each keyword argument of a function whose type ty does not know: its own signature is to tell."""
    first = program.text.rstrip("\n").count("\n") + 2
    unknown = {int(str(one["line"])) - first for one in said if one["message"] == "Revealed type: `Unknown`"}
    for number, (module, name, nodes) in enumerate(calls.values()):
        for keyword in (keyword for node in nodes for keyword in node.keywords) if number in unknown else ():
            if keyword.arg:
                message = f"Argument `{keyword.arg}` does not match any known parameter of function `{module}.{name}`"
                place = program.place(keyword.lineno, keyword.col_offset + 1)
                found = Found("python-call", message, "see the signature in the installed version", *place)
                yield _Draft(found, (module, name, keyword.arg))


def _elided(program: Program) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """From where to where the calls go whose arguments are not all shown: `upload_file(...)`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        calls = [node for node in ast.walk(ast.parse(program.text)) if isinstance(node, ast.Call)]
    return [
        ((call.lineno, call.col_offset + 1), (call.end_lineno or call.lineno, (call.end_col_offset or 0) + 1))
        for call in calls
        if any(isinstance(argument, ast.Constant) and argument.value is ... for argument in call.args)
    ]


def _judged(program: Program, rule: str, message: str) -> _Draft | None:
    if rule == "import-not-found":
        return _import(program, message)
    if rule == "missing-attribute":
        if member := re.match(r"Module `([\w.]+)` has no member `(\w+)`", message):
            return _Draft(Found("python-name", message, "", 1, 1), (member[1], member[2]))
        known = re.match(_CLASS, message)
        sure = known and known[1] not in _UNSURE and not re.search(rf"\bclass {known[1]}\b", program.text)
        if known and sure and program.fragment:
            return _Draft(Found("python-name", message, "see its documentation", 1, 1))
    elif rule == "unknown-argument":
        return _Draft(Found("python-call", message, "see the signature in the installed version", 1, 1))
    elif program.fragment:
        if rule in ("missing-argument", "too-many-positional-arguments", "parameter-already-assigned"):
            return _Draft(Found("python-call", message, "see the signature in the installed version", 1, 1))
        if rule == "no-matching-overload":
            return _Draft(Found("python-overload", message, "see the signatures in the installed version", 1, 1))
        if rule == "invalid-argument-type" and re.search(r"Expected `Literal\[[^`]*`, found `Literal\[", message):
            return _Draft(Found("python-call", message, "take one of these", 1, 1))
        if rule == "unresolved-reference":
            name = message.split("`")[1] if "`" in message else ""
            kind = "python-unimported" if name in sys.stdlib_module_names or _installed(name) else "python-undefined"
            return _Draft(Found(kind, message, "import or define it in the block", 1, 1))
    return None


def _import(program: Program, message: str) -> _Draft | None:
    if member := re.match(r"Module `([\w.]+)` has no member `(\w+)`", message):
        return _Draft(Found("python-import", message, "", 1, 1), (member[1], member[2]))
    named = re.match(r"Cannot resolve imported module `(\.*[\w.]*)`", message)
    if named is None or named[1].startswith("."):
        return None
    top = named[1].partition(".")[0]
    if top in program.own:
        return None
    if not _installed(top):
        fix = "install it to have this code checked"
        return _Draft(Found("not-checked", f"{top} {ABSENT}: what uses it was not checked", fix, 1, 1))
    parent, _, name = named[1].rpartition(".")
    return _Draft(Found("python-import", message, "", 1, 1), (parent, name))


def _installed(module: str) -> bool:
    try:
        spec = find_spec(module)
        return spec is not None and spec.origin is not None  # of a namespace (google) a part may be there
    except (ImportError, ValueError):
        return False


def _fix(member: tuple[str, ...] | None) -> str:
    """What is installed, for the reader to look it up there."""
    names = _distributions().get(member[0].partition(".")[0], []) if member is not None else []
    return f"see {names[0]} {metadata.version(names[0])}" if names else "see its documentation"


@cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _present(members: Sequence[tuple[str, ...]], environment: str, store: Cache) -> set[tuple[str, ...] | None]:
    """Those questions to which members.py answers yes, in a process of its own."""
    present: set[tuple[str, ...] | None] = set()
    unknown = []
    for member in members:
        kept = store.get("member", environment, *member)
        if kept is None:
            unknown.append(member)
        elif kept:
            present.add(member)
    if unknown:
        with tempfile.TemporaryDirectory(prefix="skillpack-verify-") as folder:
            done = subprocess.run(
                [sys.executable, str(_MEMBERS)],
                cwd=folder,
                input=json.dumps(unknown).encode(),
                env=variables(),
                capture_output=True,
                timeout=_PATIENCE,
                check=False,
            )
        # Of a process that an import ended nothing is known, and nothing is kept.
        answers = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else []
        for member, answer in zip(unknown, answers, strict=False):
            store.put(answer, "member", environment, *member)
            if answer:
                present.add(member)
    return present
