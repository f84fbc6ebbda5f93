# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Look at a dataset of the Hub without downloading it, through the Dataset Viewer API.

Cells are cut to one line unless --json. The viewer reads what the
Hub has converted: of large datasets the first part only, and then the answer says "partial".

examples:
  python scripts/explore_dataset.py info me/chats
  python scripts/explore_dataset.py search me/chats "parcel lost" --split test
  python scripts/explore_dataset.py filter me/chats "score > 0.5 AND lang = 'en'" --order-by "score DESC"
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

import time

PAGE = 100  # the most rows that the API gives in one answer
CELL = 60
ATTEMPTS = 6


def viewer() -> str:
    """The address of the API: HF_DATASETS_SERVER, or that of the Hub in HF_ENDPOINT."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    own = "https://datasets-server.huggingface.co" if endpoint == "https://huggingface.co" else None
    return os.environ.get("HF_DATASETS_SERVER", own or f"{endpoint}/datasets-server").rstrip("/")


def get(path: str, **parameters) -> dict:
    """One answer of the API; asks again while the viewer is still converting. Raises Failure."""
    from huggingface_hub.utils import build_hf_headers, get_session

    url = f"{viewer()}/{path}"
    for attempt in range(ATTEMPTS):
        with on_hub(f"asking {url}"):
            answer = get_session().get(url, params=parameters, headers=build_hf_headers(), timeout=60)
        waiting = answer.status_code in (429, 500, 502, 503, 504)
        if not waiting or attempt == ATTEMPTS - 1:
            break
        log(f"{answer.status_code}: {message_of(answer)}; asking again")
        time.sleep(float(answer.headers.get("retry-after") or 2**attempt))
    if answer.status_code != 200:
        raise refusal(answer, parameters)
    try:
        return answer.json()
    except ValueError:
        raise Failure(f"{url} did not answer with JSON", "is HF_ENDPOINT a Hub with a viewer?") from None


def message_of(answer) -> str:
    try:
        return str(answer.json().get("error", answer.text))[:300]
    except ValueError:
        return answer.text[:300]


def refusal(answer, parameters: dict) -> Failure:
    said = f"{parameters['dataset']}: {answer.status_code} {message_of(answer)}"
    if answer.status_code in (401, 403, 404):
        fix = "check name, --config and --split (`info` lists them), and that the token may read it: `hf auth whoami`; "
        fix += (
            "the viewer shows private datasets to PRO, Team and Enterprise accounts alone: query_dataset.py needs none"
        )
        return Failure(said, fix, EXIT_USAGE)
    if answer.status_code in (400, 422):
        return Failure(said, "columns in a condition stand in double quotes, text in single ones", EXIT_USAGE)
    return Failure(said, "the viewer has a fault or is converting: try again later, or use query_dataset.py")


def place(args) -> dict:
    """The config and split to read: as asked, else the only one, else default and train."""
    found = get("splits", dataset=args.dataset)["splits"]
    configs = list(dict.fromkeys(each["config"] for each in found))
    config = args.config or (configs[0] if len(configs) == 1 or "default" not in configs else "default")
    splits = [each["split"] for each in found if each["config"] == config]
    split = args.split or (splits[0] if splits and "train" not in splits else "train")
    if split not in splits:
        known = ", ".join(f"{each['config']}/{each['split']}" for each in found)
        raise Failure(f"{args.dataset} has no {config}/{split}", f"there are: {known}", EXIT_USAGE)
    return {"dataset": args.dataset, "config": config, "split": split}


def pages(path: str, limit: int, offset: int, **parameters) -> dict:
    """Up to `limit` rows of a paged answer, with its other fields."""
    rows: list = []
    answer: dict = {}
    while len(rows) < limit:
        length = min(PAGE, limit - len(rows))
        answer = get(path, offset=offset + len(rows), length=length, **parameters)
        rows += answer["rows"]
        if len(answer["rows"]) < length:
            break
    total, partial = answer.get("num_rows_total"), answer.get("partial", False)
    return {"columns": columns_of(answer), "rows": rows, "total": total, "partial": partial}


def columns_of(answer: dict) -> dict:
    return {each["name"]: type_name(each["type"]) for each in answer.get("features", [])}


def type_name(feature) -> str:
    if isinstance(feature, list):
        return f"list<{type_name(feature[0])}>"
    kind = feature.get("_type") if isinstance(feature, dict) else None
    if kind in ("List", "LargeList", "Sequence"):
        return f"list<{type_name(feature['feature'])}>"
    if kind == "Value":
        return feature["dtype"]
    if kind == "ClassLabel":
        return f"label {feature.get('names')}"
    if isinstance(kind, str):
        return kind
    return "{" + ", ".join(f"{name}: {type_name(each)}" for name, each in feature.items()) + "}"


# Commands.


def info(args) -> int:
    splits = get("splits", dataset=args.dataset)["splits"]
    size = get("size", dataset=args.dataset)
    figures = {(each["config"], each["split"]): each for each in size["size"]["splits"]}
    found = get("info", dataset=args.dataset)
    valid = get("is-valid", dataset=args.dataset)
    document = {"dataset": args.dataset, "partial": bool(size.get("partial")), "splits": [], "can": valid}
    for each in splits:
        entry = figures.get((each["config"], each["split"]), {})
        rows, parquet = entry.get("num_rows"), entry.get("num_bytes_parquet_files")
        row = {"config": each["config"], "split": each["split"], "rows": rows, "parquet_bytes": parquet}
        document["splits"].append(row)
    document["columns"] = {
        config: {name: type_name(feature) for name, feature in (part.get("features") or {}).items()}
        for config, part in found["dataset_info"].items()
    }
    if args.json:
        emit(document)
        return EXIT_OK
    table(["config", "split", "rows", "Parquet bytes"], [list(each.values()) for each in document["splits"]])
    for config, columns in document["columns"].items():
        say(f"\ncolumns of {config}:")
        for name, kind in columns.items():
            say(f"  {name}: {kind}")
    off = [name for name, works in valid.items() if not works]
    say(f"not available: {', '.join(off)}" if off else "rows, search, filter and statistics are available")
    return EXIT_OK


def rows(args) -> int:
    return show_rows(args, pages("rows", args.limit, args.offset, **place(args)))


def head(args) -> int:
    answer = get("first-rows", **place(args))
    cut = sorted({name for row in answer["rows"] for name in row.get("truncated_cells", [])})
    if cut:
        log(f"the viewer cut long cells of: {', '.join(cut)}; `rows` gives them whole")
    found = {"columns": columns_of(answer), "rows": answer["rows"][: args.limit], "total": None, "partial": False}
    return show_rows(args, found)


def search(args) -> int:
    return show_rows(args, pages("search", args.limit, args.offset, query=args.query, **place(args)))


def filter_rows(args) -> int:
    order = {"orderby": args.order_by} if args.order_by else {}
    return show_rows(args, pages("filter", args.limit, args.offset, where=args.where, **order, **place(args)))


def statistics(args) -> int:
    answer = get("statistics", **place(args))
    if args.json:
        emit(answer)
        return EXIT_OK
    say(f"{answer['num_examples']:,} rows{', of the first part only' if answer.get('partial') else ''}")
    for column in answer["statistics"]:
        figures = column["column_statistics"]
        say(f"\n{column['column_name']} ({column['column_type']}), missing {figures.get('nan_count', 0):,}")
        if "frequencies" in figures:
            counts = sorted(figures["frequencies"].items(), key=lambda pair: -pair[1])
            say("  " + ", ".join(f"{value}: {number:,}" for value, number in counts[:20]))
        elif "histogram" in figures:
            shown = {name: figures.get(name) for name in ("min", "mean", "median", "max", "std")}
            say("  " + ", ".join(f"{name} {value}" for name, value in shown.items()))
            hist, edges = figures["histogram"]["hist"], figures["histogram"]["bin_edges"]
            for number, low in zip(hist, edges, strict=False):
                bar = "█" * round(40 * number / max(*hist, 1))
                say(f"  {low:>12.6g} {number:>10,} {bar}")
    return EXIT_OK


def parquet(args) -> int:
    chosen = {name: getattr(args, name) for name in ("config", "split") if getattr(args, name)}
    answer = get("parquet", dataset=args.dataset, **chosen)
    if args.json:
        emit(answer)
    else:
        for each in answer["parquet_files"]:
            say(f"{each['config']}/{each['split']} {each['size']:,} {each['url']}")
    return EXIT_OK


def show_rows(args, found: dict) -> int:
    if args.json:
        emit({**found, "rows": [{"row": each["row_idx"], **each["row"]} for each in found["rows"]]})
        return EXIT_OK
    names = list(found["columns"])
    table(["row", *names], [[each["row_idx"], *(each["row"].get(n) for n in names)] for each in found["rows"]])
    if found["total"] is not None:
        say(f"{len(found['rows'])} of {found['total']:,} rows{' (of the first part only)' if found['partial'] else ''}")
    return EXIT_OK


def table(names: list, values: list) -> None:
    cells = [[cell(value) for value in row] for row in [names, *values]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    for row in cells:
        say("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def cell(value) -> str:
    shown = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = shown.replace("\n", "\\n")
    return shown if len(shown) <= CELL else shown[: CELL - 1] + "…"


COMMANDS = {
    "info": (info, "splits, columns, sizes, and what the viewer can do"),
    "head": (head, "the first rows, long cells cut by the viewer"),
    "rows": (rows, "rows from --offset on, whole"),
    "search": (search, "rows with these words in a text column"),
    "filter": (filter_rows, "rows that meet a condition in SQL"),
    "statistics": (statistics, "counts, quantities and histograms of each column"),
    "parquet": (parquet, "addresses of the Parquet files, for query_dataset.py and others"),
}


def arguments(argv: list) -> argparse.Namespace:
    options = parser(__doc__)
    commands = options.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, summary) in COMMANDS.items():
        one = commands.add_parser(name, help=summary, description=summary)
        one.add_argument("dataset", help="ORG/NAME")
        if name == "search":
            one.add_argument("query", help="words, all of which a row must hold")
        if name == "filter":
            one.add_argument("where", help='e.g. "age" > 30 AND "city" = \'Oslo\'')
            one.add_argument("--order-by", help='e.g. "age" DESC')
        if name in ("head", "rows", "search", "filter"):
            one.add_argument("--limit", type=int, default=10, help="rows (default: %(default)s)")
        if name in ("rows", "search", "filter"):
            one.add_argument("--offset", type=int, default=0)
        one.add_argument("--config", help="default: the only one, or `default`")
        one.add_argument("--split", help="default: train, or the first")
        one.add_argument("--json", action="store_true", help="one JSON document on standard output")
    return options.parse_args(argv)


def main(argv: list[str]) -> int:
    args = arguments(argv)
    return COMMANDS[args.command][0](args)


if __name__ == "__main__":
    sys.exit(run(main))
