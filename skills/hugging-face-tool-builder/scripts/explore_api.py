# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Find your way in the Hub's API: search its OpenAPI document, show an operation, look at a real answer.

The document is read from /.well-known/openapi.json of HF_ENDPOINT (https://huggingface.co by default) and kept for a
day; without the network the kept one is used, and said to be. `shape` asks the Hub itself and needs no document: it is
what to use for an operation that the document leaves out, or whose answer it does not describe.

examples:
  python scripts/explore_api.py search commits
  python scripts/explore_api.py show /api/models/Qwen/Qwen3-0.6B/commits/main
  python scripts/explore_api.py shape '/api/models?author=Qwen&limit=3' --json
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

import hashlib
import time
import urllib.error
import urllib.request
from typing import Any

DAY_SECONDS = 86400
METHODS = ("get", "post", "put", "patch", "delete", "head")
SHOWN, NEAREST = 40, 10


def endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def token() -> str:
    """HF_TOKEN, or what `hf auth login` keeps; "" for neither."""
    if "HF_TOKEN" in os.environ:
        return os.environ["HF_TOKEN"].strip()
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    kept = Path(os.environ.get("HF_TOKEN_PATH", home / "token"))
    found = kept.read_text(encoding="utf-8").strip() if kept.is_file() else ""
    os.environ["HF_TOKEN"] = found  # so that no message can show it
    return found


def fetch(url: str, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
    """(status, body, headers by lower-case name). Raises Failure when nothing answers."""
    request = urllib.request.Request(url, headers={"Accept": "application/json", **headers})
    if bearer := token():
        request.add_unredirected_header("Authorization", f"Bearer {bearer}")  # another host never sees it
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, error.read(), {name.lower(): value for name, value in error.headers.items()}
    except (OSError, ValueError) as error:
        raise Failure(f"{url} cannot be reached: {error}", "check the network and HF_ENDPOINT") from None


# --- the document


def load_document(file: Path | None, refresh: bool) -> dict[str, Any]:
    """The OpenAPI document: of a file, kept, or fetched."""
    if file is not None:
        return parsed(file.read_bytes() if file.is_file() else b"", str(file))
    url = f"{endpoint()}/.well-known/openapi.json"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skillpack" / "openapi"
    path = cache / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if kept and not refresh and time.time() - kept["checked_at"] < DAY_SECONDS:
        return kept["document"]
    try:
        status, body, headers = fetch(url, {"If-None-Match": kept["etag"]} if kept.get("etag") else {})
    except Failure as failure:
        if not kept:
            raise
        days = (time.time() - kept["checked_at"]) / DAY_SECONDS
        log(f"{failure.problem}; using the document of {days:.0f} days ago")
        return kept["document"]
    if status == 304:
        document, etag = kept["document"], kept["etag"]
    elif status == 200:
        document, etag = parsed(body, url), headers.get("etag")
    else:
        raise Failure(f"{url}: {status}", "name a saved copy with --document, or use `shape`, which needs none")
    write_atomic(path, json.dumps({"url": url, "etag": etag, "checked_at": time.time(), "document": document}))
    return document


def parsed(body: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
        if isinstance(document["paths"], dict):
            return document
    except (ValueError, KeyError, TypeError):
        pass
    raise Failure(f"{where}: no OpenAPI document", "it should be JSON with paths", EXIT_USAGE)


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation with its method and path, and the parameters that its path shares."""
    return [
        {**about, "method": method.upper(), "path": path,
         "parameters": [resolved(document, p) for p in [*item.get("parameters", []), *about.get("parameters", [])]]}
        for path, item in document["paths"].items()
        for method, about in item.items()
        if method in METHODS
    ]  # fmt: skip


def resolved(document: dict[str, Any], value: Any, depth: int = 12) -> Any:
    """`value` with every {"$ref": "#/..."} replaced, so deep that one that refers to itself ends."""
    if isinstance(value, list):
        return [resolved(document, each, depth) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value and depth:
        target: Any = document
        for part in str(value["$ref"]).removeprefix("#/").split("/"):
            target = (target or {}).get(part.replace("~1", "/").replace("~0", "~"))
        return resolved(document, target, depth - 1)
    return {name: resolved(document, each, depth) for name, each in value.items()} if depth else value


def matches(template: str, path: str) -> bool:
    """Whether `path` is `template` or an instance of it; {path} stands for several segments."""
    pattern = re.sub(r"\\\{(\w+)\\\}", lambda m: ".+" if m[1] == "path" else "[^/]+", re.escape(template))
    return template == path or re.fullmatch(pattern, path) is not None


def searched(
    found: list[dict[str, Any]], words: list[str], method: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(operations that hold every word, or where there is none those that hold most of them).

    Those with more of them in the path come first.
    """

    def text(each: dict[str, Any]) -> str:
        names = [parameter.get("name", "") for parameter in each["parameters"]]
        parts = [each["method"], each["path"], each.get("summary", ""), each.get("description", "")]
        return " ".join([*parts, *each.get("tags", []), *names]).lower()

    lower = [word.lower() for word in words]
    held = [(sum(word in text(each) for word in lower), each) for each in found]
    held = [(count, each) for count, each in held if not method or each["method"] == method.upper()]

    def holding(count: int) -> list[dict[str, Any]]:
        hits = [each for number, each in held if number == count]
        return sorted(hits, key=lambda e: (-sum(w in e["path"].lower() for w in lower), e["path"], e["method"]))

    hits, most = holding(len(lower)), max((count for count, _ in held), default=0)
    return hits, [] if hits or not most else holding(most)


# --- shapes: of a schema, and of an answer


def schema_shape(schema: Any) -> Any:
    """A JSON Schema as an example of itself: types where values would stand, "?" behind what is optional."""
    if not isinstance(schema, dict):
        return "any"
    if "const" in schema:
        return repr(schema["const"])
    if "enum" in schema:
        return " | ".join(map(repr, schema["enum"]))
    for name in ("anyOf", "oneOf"):
        if name in schema:
            shapes = [schema_shape(each) for each in schema[name]]
            return " | ".join(shapes) if all(isinstance(each, str) for each in shapes) else {name: shapes}
    if "allOf" in schema:
        merged: dict[str, Any] = {}
        for each in schema["allOf"]:
            merged |= found if isinstance(found := schema_shape(each), dict) else {}
        return merged
    if schema.get("type") == "array":
        return [schema_shape(schema.get("items"))]
    if "properties" in schema:
        required = schema.get("required", [])
        return {n if n in required else f"{n}?": schema_shape(each) for n, each in schema["properties"].items()}
    kind = schema.get("type", "any")
    return " | ".join(kind) if isinstance(kind, list) else kind


def value_shape(value: Any) -> Any:
    """The same of a value; the items of a list are laid over each other."""
    if isinstance(value, dict):
        return {name: value_shape(each) for name, each in value.items()}
    if isinstance(value, list):
        shapes = [value_shape(each) for each in value]
        return [overlaid(shapes)] if shapes else []
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names[type(value)]


def overlaid(shapes: list[Any]) -> Any:
    """One shape for several: a name that some objects lack gets "?", other kinds stand beside each other."""
    objects = [shape for shape in shapes if isinstance(shape, dict)]
    lists = [shape for shape in shapes if isinstance(shape, list)]
    kinds: list[Any] = sorted({shape for shape in shapes if isinstance(shape, str)})
    if objects:
        every = {name.removesuffix("?") for shape in objects for name in shape}
        names = [
            name for name in dict.fromkeys(n.removesuffix("?") for shape in objects for n in shape) if name in every
        ]
        kinds.append({
            name if all(name in shape for shape in objects) else f"{name}?":
                overlaid([shape[n] for shape in objects for n in (name, f"{name}?") if n in shape])
            for name in names
        })  # fmt: skip
    if lists:
        inner = [each for shape in lists for each in shape]
        kinds.append([overlaid(inner)] if inner else [])
    if all(isinstance(kind, str) for kind in kinds):
        return " | ".join(kinds)
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


# --- commands


def search(options: argparse.Namespace) -> int:
    every = operations(load_document(options.document, options.refresh))
    rows, near = (
        [{"method": e["method"], "path": e["path"], "summary": e.get("summary", "")} for e in found]
        for found in searched(every, options.words, options.method)
    )
    if options.json:
        emit({"operations": rows, "nearest": near[:SHOWN]})
    else:
        for row in rows[:SHOWN]:
            say(f"{row['method']:6} {row['path']}  {row['summary']}")
        log(f"{len(rows)} operations" + (f", the first {SHOWN} shown: add a word" if len(rows) > SHOWN else ""))
    if not rows:
        log("no operation of the document holds every word; take one away, or ask the Hub itself by `shape`")
        for row in near[:NEAREST]:
            log(f"  near: {row['method']} {row['path']}")
    return EXIT_OK if rows else EXIT_NO


def show(options: argparse.Namespace) -> int:
    document = load_document(options.document, options.refresh)
    every = operations(document)
    path = options.path.partition("?")[0]
    exact = [each for each in every if each["path"] == path]
    found = exact or [each for each in every if matches(each["path"], path)]
    found = [each for each in found if not options.method or each["method"] == options.method.upper()]
    if not found:
        words = [word for word in re.findall(r"[a-z-]{3,}", path) if word != "api"]
        near = [
            f"{each['method']} {each['path']}" for each in every if any(f"/{word}" in each["path"] for word in words)
        ]
        fix = f"near it: {', '.join(near[:5])}" if near else "`search` lists what is there"
        raise Failure(f"the document has no {path}", f"{fix}; `shape` asks the Hub itself", EXIT_NO)
    shown = []
    for each in found:
        body = resolved(document, each.get("requestBody") or {}).get("content") or {}
        answers = {
            status: {"description": (about := resolved(document, raw)).get("description", ""),
                     "shape": schema_shape(media.get("schema")) if (media := first(about.get("content"))) else None}
            for status, raw in (each.get("responses") or {}).items()
        }  # fmt: skip
        shown.append({
            "method": each["method"], "path": each["path"], "summary": each.get("summary", ""),
            "description": each.get("description", ""),
            "parameters": [{"name": p.get("name"), "in": p.get("in"), "required": bool(p.get("required")),
                            "type": schema_shape(p.get("schema")), "description": p.get("description", "")}
                           for p in each["parameters"]],
            "body": {kind: schema_shape(about.get("schema")) for kind, about in body.items()}, "responses": answers,
        })  # fmt: skip
    if options.json:
        emit({"operations": shown})
        return EXIT_OK
    for each in shown:
        say(f"{each['method']} {each['path']}  {each['summary']}\n{each['description']}".strip())
        for p in each["parameters"]:
            must = "required" if p["required"] else "optional"
            say(f"  {p['name']} ({p['in']}, {must}): {p['type']}  {p['description']}".rstrip())
        for kind, shape in each["body"].items():
            say(f"  body, {kind}: {json.dumps(shape, indent=2, ensure_ascii=False)}")
        for status, about in each["responses"].items():
            shape = json.dumps(about["shape"], indent=2, ensure_ascii=False) if about["shape"] else "not described"
            say(f"  {status} {about['description']}: {shape}")
    return EXIT_OK


def first(content: dict[str, Any] | None) -> dict[str, Any] | None:
    return next(iter(content.values()), None) if content else None


def shape(options: argparse.Namespace) -> int:
    if not options.path.startswith("/"):
        raise Failure(f"{options.path!r} is no path", "begin with /, as in /api/models?limit=3", EXIT_USAGE)
    url = endpoint() + options.path
    status, body, headers = fetch(url, {})
    if status != 200:
        said = redact(body.decode("utf-8", "replace"))[:200]
        raise Failure(f"{url}: {status} {said}", "check the path; 401 and 404 can mean that the token may not see it")
    try:
        answer = json.loads(body)
    except ValueError:
        raise Failure(
            f"{url} answers {headers.get('content-type', 'something')}, not JSON", "ask for another"
        ) from None
    found = value_shape(answer)
    more = 'rel="next"' in headers.get("link", "")
    items = len(answer) if isinstance(answer, list) else None
    if options.json:
        emit({"path": options.path, "items": items, "next_page": more, "bytes": len(body), "shape": found})
    else:
        say(json.dumps(found, indent=2, ensure_ascii=False))
        listed = f"{items} items, " if items is not None else ""
        log(f"{listed}{len(body):,} bytes; {'there is a next page' if more else 'no next page'}")
    return EXIT_OK


def main(argv: list[str]) -> int:
    arguments = parser(__doc__)
    commands = arguments.add_subparsers(dest="command", metavar="COMMAND", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON document on standard output")
    read = argparse.ArgumentParser(add_help=False, parents=[common])
    read.add_argument("--method", default="", help="only operations of this method")
    read.add_argument("--refresh", action="store_true", help="ask for the document again")
    read.add_argument("--document", type=Path, metavar="FILE", help="a saved OpenAPI document in place of the Hub's")
    one = commands.add_parser("search", parents=[read], help="operations that hold every word")
    one.add_argument("words", nargs="*", help="all of them have to be in one operation; none: all operations")
    one.set_defaults(does=search)
    one = commands.add_parser("show", parents=[read], help="parameters, body and answers of an operation")
    one.add_argument("path", help="as the document has it, or a real one")
    one.set_defaults(does=show)
    one = commands.add_parser(
        "shape", parents=[common], help="ask for a path (GET), and say what the answer looks like"
    )
    one.add_argument("path", help="with its query, in quotes")
    one.set_defaults(does=shape)
    options = arguments.parse_args(argv)
    return options.does(options)


if __name__ == "__main__":
    raise SystemExit(run(main))
