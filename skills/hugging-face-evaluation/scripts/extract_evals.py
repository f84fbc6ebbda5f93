# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "markdown-it-py>=3,<5",
# ]
# ///
"""Scores out of the tables of a model card, or from Artificial Analysis, as JSON that publish_eval.py takes.

SOURCE is a model of the Hub or a Markdown file. Of each table, one side must name benchmarks and the other this model;
each score keeps the line, row and column that it came from. What could be read in two ways is listed under
`ambiguous` with the flag that settles it, and is never guessed: exit 1 while there is any, with the rest written.

Artificial Analysis: --artificial-analysis SLUG, with its key in ARTIFICIAL_ANALYSIS_API_KEY.

examples:
  python scripts/extract_evals.py me/mine --out evals-extracted.json
  python scripts/extract_evals.py README.md --model me/mine --table 2 --name "Mine-7B" --dataset "MyBench=me/mybench"
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

import datetime
import math
import urllib.error
import urllib.parse
import urllib.request

AA_MODELS = "https://artificialanalysis.ai/api/v2/data/llms/models"
AA_KEY = "ARTIFICIAL_ANALYSIS_API_KEY"
AA_PAGE = "https://artificialanalysis.ai/"
MOST_BYTES = 5_000_000  # of a card: more is no text for people
METRIC_WORDS = ("acc", "accuracy", "em", "exact match", "exact_match", "f1", "pass@1", "pass@k", "acc_norm", "score")
SCORE_WORDS = {
    "",
    "score",
    "value",
    "result",
    "results",
    "accuracy",
    "acc",
    "performance",
}  # headers that name no model
SETUP = re.compile(r"\(([^()]*)\)|\b(\d+)[- ]shot\b", re.I)
NUMBER_CELL = re.compile(r"[*_~`\s]*([-+]?\d+(?:\.\d+)?)\s*(%?)\s*(?:(?:±|\+/-)\s*\d+(?:\.\d+)?\s*%?)?[*_~`\s]*")


def main(argv: list[str]) -> int:
    args = arguments(argv)
    known = known_benchmarks(args)
    if args.artificial_analysis:
        source, results, ambiguous = from_artificial_analysis(args, known)
    else:
        source, text = read_source(args)
        results, ambiguous = from_tables(text, args, known)
    document = {
        "schema": "skillpack/extracted-evals/1",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "model": args.model or args.source, "source": source, "results": results, "ambiguous": ambiguous,
    }  # fmt: skip
    write_artifact(args.out, document)
    log(f"wrote {args.out}")
    emit(document) if args.json else say(summary(document))
    return EXIT_NO if ambiguous or not results else EXIT_OK


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("source", nargs="?", help="a model of the Hub, or a Markdown file")
    options.add_argument("--model", help="whose scores these are (default: SOURCE)")
    options.add_argument("--revision", help="of a model of the Hub")
    options.add_argument("--name", help="how the tables call this model (default: the repository's name)")
    options.add_argument("--table", type=int, help="read only this table, counted from 1")
    options.add_argument(
        "--metric", default="accuracy", help="what a table measures that does not say (default: accuracy)"
    )
    options.add_argument("--dataset", action="append", default=[], metavar="NAME=ORG/NAME",
                         help="a benchmark, and its dataset on the Hub; repeatable")  # fmt: skip
    options.add_argument("--artificial-analysis", metavar="SLUG", help="the model's slug or name there")
    options.add_argument("--artificial-analysis-url", default=AA_MODELS, help=argparse.SUPPRESS)
    options.add_argument("--out", type=Path, default=Path("evals-extracted.json"), help="default: evals-extracted.json")
    options.add_argument("--json", action="store_true", help="print the result on standard output")
    args = options.parse_args(argv)
    if bool(args.source) == bool(args.artificial_analysis):
        options.error("give SOURCE or --artificial-analysis")
    if args.artificial_analysis and not args.model:
        options.error("--artificial-analysis needs --model, the repository that the scores are for")
    if args.source and args.source.endswith((".md", ".markdown")) and not args.model:
        options.error("a file needs --model, the repository that the scores are for")
    if bad := [pair for pair in args.dataset if not re.fullmatch(r"[^=]+=[\w.-]+/[\w.-]+", pair)]:
        options.error(f"--dataset {bad[0]!r}: write NAME=ORG/NAME")
    return args


def known_benchmarks(args) -> dict:
    """{squeezed name: dataset of the Hub or None} of the skill's table and of --dataset."""
    path = Path(__file__).resolve().parent.parent / "assets" / "benchmarks.json"
    known = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    return known | {squeezed(name): dataset for name, dataset in (pair.split("=", 1) for pair in args.dataset)}


def squeezed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower().replace("+", "plus"))


def read_source(args) -> tuple[dict, str]:
    """({kind, name, url, revision}, text) of a card. Raises Failure."""
    if args.source.endswith((".md", ".markdown")):
        path, name = Path(args.source), Path(args.source).name
        source: dict = {"kind": "file", "name": name, "url": None, "revision": None}
    else:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RemoteEntryNotFoundError

        api = HfApi()
        with on_hub(f"reading the card of {args.source}"):
            try:
                revision = api.model_info(args.source, revision=args.revision).sha
                path = Path(api.hf_hub_download(args.source, "README.md", revision=revision))
            except RemoteEntryNotFoundError:
                raise Failure(f"{args.source} has no README.md", "there is nothing to read", EXIT_USAGE) from None
        url = f"{api.endpoint}/{args.source}/blob/{revision}/README.md"
        source = {"kind": "readme", "name": f"{args.source} model card", "url": url, "revision": revision}
    try:
        if path.stat().st_size > MOST_BYTES:
            problem = f"{path.name} has {path.stat().st_size / 1e6:.0f} MB"
            raise Failure(problem, "give the part with the tables as a file", EXIT_USAGE)
        return source, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{args.source}: {error}", "give a Markdown file in UTF-8, or a model's id", EXIT_USAGE) from None


# ---- tables


def tables_of(text: str) -> list[dict]:
    """[{line, header: [cell], rows: [(line, [cell])]}] of the tables outside code, as GitHub reads Markdown."""
    from markdown_it import MarkdownIt

    tables: list = []
    inside = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("table_open", "table_close"):
            inside = token.type == "table_open"
            if inside:
                tables.append({"line": token.map[0] + 1, "lines": []})
        elif inside and token.type == "tr_open":
            tables[-1]["lines"].append((token.map[0] + 1, []))
        elif inside and token.type == "inline":
            tables[-1]["lines"][-1][1].append(plain_text(token))
    return [{"line": t["line"], "header": t["lines"][0][1], "rows": t["lines"][1:]} for t in tables if t["lines"]]


def plain_text(token) -> str:
    parts = (child.content if child.type in ("text", "code_inline") else " " for child in token.children or [])
    return " ".join("".join(parts).split())


def from_tables(text: str, args, known: dict) -> tuple[list[dict], list[dict]]:
    """(results, what is ambiguous) of all tables that hold scores."""
    header = re.match(r"\ufeff?---[ \t]*\r?\n.*?\n---[ \t]*(?:\r?\n|$)", text, re.S)
    if header:  # its lines stay, so that places are those of the file
        text = "\n" * header[0].count("\n") + text[header.end() :]
    results: list = []
    ambiguous: list = []
    tables = tables_of(text)
    if args.table and not 1 <= args.table <= len(tables):
        raise Failure(f"there is no table {args.table}", f"the card has {len(tables)}", EXIT_USAGE)
    for number, table in enumerate(tables, 1):
        if args.table in (None, number) and any(number_of(cell) for _, cells in table["rows"] for cell in cells):
            found, doubts = read_table(number, table, args, known)
            results += found
            ambiguous += doubts
    seen: dict = {}
    for result in results:
        seen.setdefault((squeezed(result["benchmark"]), result["metric"], result["setup"]), []).append(result)
    for (_, metric, _), same in seen.items():
        if len({result["value"] for result in same}) > 1:
            places = ", ".join(f"{result['raw']} (line {result['place']['line']})" for result in same)
            ambiguous.append({"why": f"{same[0]['benchmark']} {metric} has more than one value: {places}",
                              "fix": "say which with --table, or correct the card",
                              "line": same[1]["place"]["line"], "table": same[1]["place"]["table"]})  # fmt: skip
    once = [same[0] for same in seen.values() if len({result["value"] for result in same}) == 1]
    return once, ambiguous


def read_table(number: int, table: dict, args, known: dict) -> tuple[list[dict], list[dict]]:
    """Results and doubts of one table, whichever side its benchmarks are on."""
    columns, rows = table["header"], [cells[0] if cells else "" for _, cells in table["rows"]]

    def doubt(why: str, fix: str, line: int | None = None) -> dict:
        return {"why": f"table {number}: {why}", "fix": fix, "line": line or table["line"], "table": number}

    benchmarks = {"columns": [benchmark_of(cell, known) for cell in columns[1:]],
                  "rows": [benchmark_of(cell, known) for cell in rows]}  # fmt: skip
    named = {side: [name for name in found if name] for side, found in benchmarks.items()}
    if not named["columns"] and not named["rows"]:
        given = args.table == number
        return [], [doubt("no known benchmark on either side", "if it holds scores, name each: --dataset NAME=ORG/NAME")
                    ] if given or names_model(columns + rows, args) else []  # fmt: skip
    if named["columns"] and named["rows"]:
        return [], [doubt("benchmarks on both sides", "copy the scores into a file with a plain table")]
    by_row = bool(named["rows"])
    others = columns[1:] if by_row else rows
    chosen, why = model_side(others, args)
    if chosen is None:
        return [], [doubt(why, f"name it: --name {json.dumps(others[0] if others else '')}")]
    results, doubts = [], []
    for index, label in enumerate(rows if by_row else columns[1:]):
        row, column = (index, chosen + 1) if by_row else (chosen, index + 1)
        line, cells = table["rows"][row]
        raw = cells[column] if column < len(cells) else ""
        found = number_of(raw)
        name = (benchmarks["rows"] if by_row else benchmarks["columns"])[index]
        if not raw or raw in ("-", "–", "—", "N/A", "n/a"):
            continue
        if not name:
            if found and not re.fullmatch(r"(avg|average|mean|params?|size|rank)\.?.*", label.strip().lower()):
                doubts.append(
                    doubt(f"{label!r} is no known benchmark", f"--dataset {json.dumps(label)}=ORG/NAME", line)
                )
            continue
        if found is None:
            doubts.append(doubt(f"{label}: {raw!r} is not one number", "correct the card, or leave it out", line))
            continue
        place = {"line": line, "table": number, "row": rows[row], "column": columns[column]}
        results.append({**name, "metric": metric_of(label, columns[column] if by_row else "", args), "value": found[0],
                        "raw": raw, "place": place})  # fmt: skip
    return results, doubts


def benchmark_of(cell: str, known: dict) -> dict | None:
    """{benchmark, dataset, setup} where a cell names a benchmark, beside words about its setup."""
    setup = ", ".join(part for match in SETUP.finditer(cell) for part in match.groups() if part and part.strip())
    setup = re.sub(r"^(\d+)$", r"\1-shot", setup)
    bare = SETUP.sub(" ", cell)
    for metric in METRIC_WORDS:
        bare = re.sub(rf"(?<![\w@]){re.escape(metric)}(?![\w@])", " ", bare, flags=re.I)
    name = squeezed(bare)
    if name not in known:
        return None
    words = {word.strip().lower() for word in setup.split(",")}
    rest = ", ".join(part for part in setup.split(", ") if part.lower() not in METRIC_WORDS) if words else ""
    return {"benchmark": " ".join(bare.split()), "dataset": known[name], "setup": rest or None}


def metric_of(label: str, header: str, args) -> str:
    """The metric that a label or its column's header names, else --metric."""
    for text in (label, header):
        words = [part.lower() for match in SETUP.finditer(text) for part in match.groups() if part]
        found = [w for w in METRIC_WORDS if w in words or re.search(rf"(?<![\w@]){re.escape(w)}(?![\w@])", text, re.I)]
        if found and found[-1] != "score":
            best = max(found, key=len)
            return {"acc": "accuracy", "em": "exact_match", "exact match": "exact_match"}.get(best, best)
    return args.metric


def names_model(cells: list[str], args) -> bool:
    return any(squeezed(own_name(args)) == squeezed(cell) for cell in cells)


def own_name(args) -> str:
    return args.name or (args.model or args.source).rpartition("/")[2]


def model_side(cells: list[str], args) -> tuple[int | None, str]:
    """(which of `cells` is this model, "") or (None, why that is not known)."""
    same = [index for index, cell in enumerate(cells) if squeezed(cell) == squeezed(own_name(args))]
    if len(same) == 1:
        return same[0], ""
    if len(same) > 1:
        return None, f"{own_name(args)!r} stands {len(same)} times"
    if len(cells) == 1 and cells[0].strip().lower() in SCORE_WORDS and not args.name:
        return 0, ""
    shown = ", ".join(repr(cell) for cell in cells[:8])
    return None, f"which of {shown} is {own_name(args)!r}?"


def number_of(cell: str) -> tuple[float, str] | None:
    """(number, "%" or "") where a cell is one number, perhaps with a deviation; None for anything else."""
    match = NUMBER_CELL.fullmatch(cell)
    return (float(match[1]), match[2]) if match else None


# ---- Artificial Analysis


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes to the address that was named, and to no other."""

    def redirect_request(self, *_: object) -> None:
        return None


def from_artificial_analysis(args, known: dict) -> tuple[dict, list[dict], list[dict]]:
    """(source, results, ambiguous) of one model, as the service measured it."""
    key = os.environ.get(AA_KEY)
    if not key:
        raise Failure(
            f"{AA_KEY} is not set", f"make a key at {AA_PAGE} and export it; it is never an argument", EXIT_USAGE
        )
    request = urllib.request.Request(args.artificial_analysis_url, headers={"x-api-key": key})
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=60) as answer:
            models = json.loads(answer.read())["data"]
        wanted = squeezed(args.artificial_analysis)
        found = [model for model in models if wanted in (squeezed(model["slug"]), squeezed(model["name"]))]
        near = [model["slug"] for model in models if wanted in squeezed(model["slug"])][:8]
    except urllib.error.HTTPError as error:
        fixes = {401: f"{AA_KEY} is wrong or revoked", 429: "the day's requests are spent: run it again tomorrow"}
        raise Failure(
            f"Artificial Analysis: {error.code} {error.reason}", fixes.get(error.code, "run it again later")
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = f"{type(error).__name__}: {error}".replace(key, "***")
        raise Failure(
            f"Artificial Analysis did not answer as expected ({said})", "check the network; run it again"
        ) from None
    if len(found) != 1:
        problem = f"Artificial Analysis has {len(found) or 'no'} models {args.artificial_analysis!r}"
        raise Failure(problem, f"near it: {', '.join(near) or 'none'}", EXIT_USAGE)
    results = []
    for name, value in (found[0].get("evaluations") or {}).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            kind = {"dataset": known.get(squeezed(name)), "metric": "index" if name.endswith("_index") else "score"}
            about = {"raw": json.dumps(value), "setup": "measured by Artificial Analysis", "place": None}
            results.append({"benchmark": name, **kind, "value": value, **about})
    slug = urllib.parse.quote(found[0]["slug"])
    source = {
        "kind": "artificial-analysis",
        "name": "Artificial Analysis",
        "url": f"{AA_PAGE}models/{slug}",
        "revision": None,
    }
    return source, results, []


def summary(document: dict) -> str:
    lines = [f"{len(document['results'])} results of {document['model']}, {len(document['ambiguous'])} ambiguous"]
    for result in document["results"]:
        place = result["place"]
        where = f"line {place['line']}: row {place['row']!r}, column {place['column']!r}" if place else result["setup"]
        lines.append(f"  {result['benchmark']} {result['metric']}: {result['value']:g} ({where})")
    for doubt in document["ambiguous"]:
        lines += [f"  ? line {doubt['line']}: {doubt['why']}", f"    fix: {doubt['fix']}"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run(main))
