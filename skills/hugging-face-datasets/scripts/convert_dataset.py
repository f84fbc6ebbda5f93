# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "datasets>=5.2,<6",
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "pyarrow>=20,<30",
# ]
# ///
"""Convert rows between chat formats, and sessions of coding agents into rows, and say what was lost on the way.

Formats: messages, sharegpt, alpaca, prompt-completion, preference, tool-calls (calls as structure) and hermes (calls
as <tool_call> text). Each row is read back from what was written: what does not come back the same is reported as a
loss. Of agents, --from claude-code and --from codex read session files (~/.claude/projects, ~/.codex/sessions).

examples:
  python scripts/convert_dataset.py sharegpt.jsonl --to messages --out rows.jsonl
  python scripts/convert_dataset.py ~/.claude/projects/my-project --from claude-code --to messages --out traces.jsonl
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

# region skillpack:rows
import contextlib
import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

ROW_FILES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
MAX_ROW_BYTES = 8_000_000  # a longer line is reported, not read: one such line can be a whole file without newlines
BATCH_ROWS = 2_000
#: Objects with keys of their own in each row. As an Arrow struct each would get the keys of all the others, as nulls.
FREE_FORM = frozenset({"arguments", "parameters", "tools", "properties", "input_schema", "json_schema"})
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@contextlib.contextmanager
def reading(source: str) -> Iterator[None]:
    """Turns what the Hub's client raises while `source` is read into a Failure; files of this machine cost nothing."""
    if Path(source).expanduser().exists():
        try:
            yield
        except PermissionError as error:
            raise Failure(f"{source}: {error.strerror}", "give a file that you may read", EXIT_USAGE) from None
        return
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client's own httpx

    try:
        yield
    except (HfHubHTTPError, FileNotFoundError, PermissionError) as error:
        raise Failure(
            f"{source}: {(str(error).splitlines() or ['not found'])[0][:300]}",
            "check the name, --config and --revision, and that the token may read it (`hf auth whoami`)",
            EXIT_USAGE,
        ) from None
    except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError is how hf_xet says that the network failed
        said = (str(error).splitlines() or [""])[0][:300]
        fix = "check the network and HF_ENDPOINT, then run the same command again"
        raise Failure(f"{source} cannot be read ({type(error).__name__}: {said})", fix) from None


def find_files(
    source: str, config: str | None = None, split: str | None = None, revision: str | None = None
) -> list[str]:
    """Paths or hf:// addresses of the files that hold the rows of `source`, in a fixed order.

    `source` is a file, a folder of such files, an hf:// pattern, or a dataset of the Hub, of which `config` and
    `split` choose the files as its card says. Raises Failure.
    """
    if source.startswith("hf://"):
        from huggingface_hub import HfFileSystem

        with reading(source):
            files = sorted("hf://" + name for name in HfFileSystem().glob(source) if name.endswith(ROW_FILES))
        return files or _no_rows(source, "check the address: hf://datasets/ORG/NAME/data/*.parquet")
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(
            str(each)
            for each in path.rglob("*")
            if each.suffix.lower() in ROW_FILES
            and not any(part.startswith(".") for part in each.relative_to(path).parts)
        )
        return files or _no_rows(source, f"put files of rows there: {', '.join(ROW_FILES)}")
    if path.is_file():
        return [str(path)] if path.suffix.lower() in ROW_FILES else _no_rows(source, f"give {', '.join(ROW_FILES)}")
    if path.suffix.lower() in ROW_FILES or not HUB_ID.fullmatch(source):
        raise Failure(f"no file or folder {source!r}", "give a path, a Hub id like org/name, or hf://…", EXIT_USAGE)
    return _files_of_dataset(source, config, split, revision)


def _no_rows(source: str, fix: str) -> list[str]:
    raise Failure(f"no files of rows in {source!r}", fix, EXIT_USAGE)


def _files_of_dataset(name: str, config: str | None, split: str | None, revision: str | None) -> list[str]:
    import datasets

    with reading(name):
        try:
            builder = datasets.load_dataset_builder(name, config, revision=revision)
        except ValueError as error:  # an unknown config; the message lists those there are
            raise FileNotFoundError(str(error)) from None
    splits = builder.config.data_files or {}
    chosen = split or (next(iter(splits)) if len(splits) == 1 else "train")
    if chosen not in splits:
        raise Failure(f"{name} has no split {chosen!r}", f"--split one of: {', '.join(map(str, splits))}", EXIT_USAGE)
    return sorted(map(str, splits[chosen]))


def open_file(path: str) -> BinaryIO:
    """`path`, on this machine or hf://, opened to read bytes."""
    if not path.startswith("hf://"):
        return open(path, "rb")  # noqa: PTH123 - the caller closes it
    from huggingface_hub import HfFileSystem

    return io.BufferedReader(HfFileSystem().open(path, "rb"), 1 << 20)


def read_rows(path: str, max_bytes: int = MAX_ROW_BYTES) -> Iterator[tuple[int, Any, str]]:
    """(line, row, problem) of each row: one of `row` and `problem` is empty. Lines of Parquet are numbers of rows.

    Raises Failure when nothing of the file can be read.
    """
    with reading(path), open_file(path) as file:
        suffix = Path(path).suffix.lower()
        if suffix == ".parquet":
            yield from _parquet_rows(path, file)
        elif suffix in (".csv", ".tsv"):
            yield from _csv_rows(path, file, "\t" if suffix == ".tsv" else ",", max_bytes)
        elif suffix == ".json" and _is_array(file):
            yield from _array_rows(path, file)
        else:
            yield from _json_lines(file, max_bytes)


def _is_array(file: BinaryIO) -> bool:
    """Whether a .json file is one list, as most are, and not an object a line."""
    start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    file.seek(0)
    return start.startswith(b"[")


def _json_lines(file: BinaryIO, max_bytes: int) -> Iterator[tuple[int, Any, str]]:
    number = 0
    while line := file.readline(max_bytes + 1):
        number += 1
        if len(line) > max_bytes:
            size = len(line)
            while not line.endswith(b"\n") and (line := file.readline(1 << 20)):
                size += len(line)
            yield number, None, f"{size / 1e6:.1f} MB, and --max-row-mb is {max_bytes / 1e6:g}"
        elif line.strip(b"\xef\xbb\xbf \t\r\n"):
            yield number, *parse_row(line)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def parse_row(line: bytes) -> tuple[Any, str]:
    """(row, "") or (None, why not) of a line of JSON."""
    try:
        row = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse)
        if b"\\ud" in line or b"\\uD" in line:
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        return None, f"not UTF-8 at byte {error.start}"
    except UnicodeEncodeError:
        return None, "text with half a surrogate pair, which is not Unicode"
    except RecursionError:
        return None, "nested too deeply"
    except ValueError as error:
        return None, f"not JSON: {error}"
    return (row, "") if isinstance(row, dict) else (None, f"a {type(row).__name__}, not an object")


def _array_rows(path: str, file: BinaryIO) -> Iterator[tuple[int, Any, str]]:
    try:
        rows = json.loads(file.read().decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path}: not JSON: {error}", "correct the file, or write one object a line (.jsonl)") from None
    for number, row in enumerate(rows, 1):
        yield (number, row, "") if isinstance(row, dict) else (number, None, f"a {type(row).__name__}, not an object")


def _csv_reader(file: BinaryIO, delimiter: str, max_bytes: int) -> Any:
    csv.field_size_limit(max_bytes)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    return text, reader


def _csv_rows(path: str, file: BinaryIO, delimiter: str, max_bytes: int) -> Iterator[tuple[int, Any, str]]:
    """Twice through the file: a column is of numbers or booleans when all its values are."""
    read: list[_CsvColumn] = []
    for final in (False, True):
        text, reader = _csv_reader(file, delimiter, max_bytes)
        try:
            header: list[str] = next(reader, [])
        except (csv.Error, UnicodeDecodeError) as error:
            raise Failure(f"{path}:1: {error}", "save it as UTF-8 with a header line", EXIT_USAGE) from None
        if "" in header or len(set(header)) != len(header):
            raise Failure(f"{path}:1: the header has empty or equal names: {header}", "name each column", EXIT_USAGE)
        if len(header) == 1 and (other := next((sign for sign in ";\t|" if sign in header[0]), "")):
            problem = f"{path}:1: {header[0]!r} is one name: {other!r} stands between the columns, not {delimiter!r}"
            fix = f"save it with {delimiter!r}, or as .parquet (DuckDB, and so query_dataset.py export, reads it)"
            raise Failure(problem, fix, EXIT_USAGE)
        read = read or [_CsvColumn() for _ in header]
        while True:
            line = reader.line_num + 1
            try:
                values = next(reader, None)
            except csv.Error as error:
                if final:
                    yield line, None, f"not CSV: {error}"
                continue
            except UnicodeDecodeError:
                if final:
                    yield line, None, "not UTF-8 from here on; the rest of the file was not read"
                break
            if values is None:
                break
            if len(values) != len(header):
                if final and values:
                    yield line, None, f"{len(values)} fields, and the header has {len(header)}"
            elif final:
                yield line, {n: c.value(v) for n, c, v in zip(header, read, values, strict=True)}, ""
            else:
                for column, value in zip(read, values, strict=True):
                    column.look(value)
        text.detach()


BOOLEANS = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}


class _CsvColumn:
    """What the values of a column allow; 007 and 1e5 stay text, since they may be codes."""

    INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
    NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")

    def __init__(self) -> None:
        self.kinds = {"int", "float", "bool"}

    def look(self, value: str) -> None:
        if value and self.kinds:
            fits = {
                "int": self.INTEGER.fullmatch(value),
                "float": self.NUMBER.fullmatch(value),
                "bool": value in BOOLEANS,
            }
            self.kinds &= {kind for kind, fit in fits.items() if fit}

    def value(self, value: str) -> Any:
        if not value:
            return None
        if "int" in self.kinds:
            return int(value)
        if "float" in self.kinds:
            return float(value)
        return BOOLEANS[value] if "bool" in self.kinds else value


def open_parquet(path: str, file: BinaryIO) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file)
    except pa.ArrowException as error:
        raise Failure(f"{path}: not Parquet, or cut short: {error}", "write or download the file again") from None


def _parquet_rows(path: str, file: BinaryIO) -> Iterator[tuple[int, Any, str]]:
    import pyarrow as pa

    number = 0
    with open_parquet(path, file) as parquet:
        decoders = {field.name: decode for field in parquet.schema_arrow if (decode := _decoder(field.type))}
        try:
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield number, {n: decoders[n](v) if n in decoders else v for n, v in row.items()}, ""
        except (pa.ArrowException, OSError) as error:
            problem = f"{path}: damaged after row {number}: {error}"
            raise Failure(problem, "write or download the file again") from None


def _decoder(kind: Any) -> Any:
    """A function that makes a value of this Arrow type what it was as JSON, or None where it is that already.

    JSON text is parsed, and the nulls that a struct has for keys which a row did not have are left out.
    """
    import pyarrow as pa

    if isinstance(kind, pa.JsonType):
        return lambda value: None if value is None else json.loads(value)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = _decoder(kind.value_type)
        return inner and (lambda value: None if value is None else [inner(each) for each in value])
    if pa.types.is_struct(kind):
        fields = {kind.field(i).name: _decoder(kind.field(i).type) for i in range(kind.num_fields)}

        def decode(value: dict[str, Any] | None) -> dict[str, Any] | None:
            if value is None:
                return None
            kept = {name: each for name, each in value.items() if each is not None or name == "content"}
            return {name: fields[name](each) if fields[name] else each for name, each in kept.items()}

        return decode
    return None


# Kinds of values: "null", "bool", "int", "float", "string", "json", ("list", kind), ("struct", {name: kind}).


def kind_of(value: Any, name: str = "") -> Any:
    """The kind of a JSON value."""
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(2**63) <= value < 2**63 else "json"
    if isinstance(value, float):
        return "float"
    if name in FREE_FORM or value == {}:
        return "json"
    if isinstance(value, list):
        inner: Any = "null"
        for each in value:
            inner = merged(inner, kind_of(each))
        return ("list", inner)
    if isinstance(value, dict):
        return ("struct", {key: kind_of(each, key) for key, each in value.items()})
    return type(value).__name__  # of Parquet: its own schema says how to write it


def merged(one: Any, other: Any) -> Any:
    """The kind that holds values of both; what no column can hold together is kept as JSON."""
    if one == other or other == "null":
        return one
    if one == "null":
        return other
    if {one, other} == {"int", "float"} if isinstance(one, str) and isinstance(other, str) else False:
        return "float"
    if isinstance(one, tuple) and isinstance(other, tuple) and one[0] == other[0]:
        if one[0] == "list":
            return ("list", merged(one[1], other[1]))
        names = {**one[1], **other[1]}
        return ("struct", {n: merged(one[1].get(n, "null"), other[1].get(n, "null")) for n in names})
    return "json"


def arrow_type(kind: Any, stored: bool = False) -> Any:
    """The Arrow type of a kind; `stored` gives JSON as plain text, from which it is cast."""
    import pyarrow as pa

    if isinstance(kind, tuple):
        if kind[0] == "list":
            return pa.list_(arrow_type(kind[1], stored))
        return pa.struct([(name, arrow_type(each, stored)) for name, each in kind[1].items()])
    plain = {"null": pa.string(), "bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "string": pa.string()}
    return plain[kind] if kind in plain else pa.string() if stored else pa.json_()


def _stored(value: Any, kind: Any) -> Any:
    if value is None or isinstance(kind, str):
        return json.dumps(value, ensure_ascii=False) if kind == "json" and value is not None else value
    if kind[0] == "list":
        return [_stored(each, kind[1]) for each in value]
    return {name: _stored(value.get(name), each) for name, each in kind[1].items()}


def _has_json(kind: Any) -> bool:
    if isinstance(kind, tuple):
        return any(map(_has_json, [kind[1]] if kind[0] == "list" else kind[1].values()))
    return bool(kind == "json")


def kind_of_type(kind: Any) -> Any:
    """The kind of an Arrow type: the inverse of `arrow_type`."""
    import pyarrow as pa

    if isinstance(kind, pa.JsonType):
        return "json"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return ("list", kind_of_type(kind.value_type))
    if pa.types.is_struct(kind):
        return ("struct", {kind.field(i).name: kind_of_type(kind.field(i).type) for i in range(kind.num_fields)})
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int"
    if pa.types.is_floating(kind):
        return "float"
    return "string" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else str(kind)


def to_table(rows: list[Any], schema: Any) -> Any:
    """`rows` as an Arrow table of `schema`. Raises pyarrow.ArrowException for a value of another type."""
    import pyarrow as pa

    kinds = {field.name: kind_of_type(field.type) for field in schema}
    json_names = [name for name, kind in kinds.items() if _has_json(kind)]
    if not json_names:
        return pa.Table.from_pylist(rows, schema=schema)
    for name in json_names:
        rows = [{**row, name: _stored(row.get(name), kinds[name])} for row in rows]
    plain = pa.schema([f if f.name not in json_names else (f.name, arrow_type(kinds[f.name], True)) for f in schema])
    return pa.Table.from_pylist(rows, schema=plain).cast(schema)


def schema_of(kinds: dict[str, Any]) -> Any:
    """The Arrow schema of {column: kind}."""
    import pyarrow as pa

    return pa.schema([(name, arrow_type(kind)) for name, kind in kinds.items()])


def in_batches(rows: Iterable[Any], size: int = BATCH_ROWS) -> Iterator[list[Any]]:
    """Lists of `size` rows; the last may be shorter."""
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


# endregion skillpack:rows

from collections import Counter

SPEAKERS = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
    "bot": "assistant", "model": "assistant", "system": "system", "developer": "developer", "tool": "tool",
    "observation": "tool", "function_response": "tool", "function_call": "function_call",
}  # fmt: skip
WRITTEN_AS = {"user": "human", "assistant": "gpt", "system": "system", "developer": "developer", "tool": "observation"}
CALL_TEXT = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.S)
RESPONSE_TEXT = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.S)
HOME = re.compile(r"(?:/home|/Users|[A-Z]:\\\\?Users)[/\\]+[^/\\\s\"'`:]+")


class Misfit(ValueError):
    """A row that the format cannot hold, or that is not of the format it is read as."""


# Reading: a row of any format -> {messages, tools, chosen, rejected, rest}; the last three only where there are any.


def conversation(messages: list, rest: dict, **more) -> dict:
    if not messages and not more.get("chosen"):
        raise Misfit("no messages")
    return {"messages": messages, "rest": rest, **{k: v for k, v in more.items() if v is not None}}


def without(row: dict, *names: str) -> dict:
    return {key: value for key, value in row.items() if key not in names and value is not None}


def message(turn) -> dict:
    if not isinstance(turn, dict) or not isinstance(turn.get("role"), str):
        raise Misfit(f"a message without a role: {str(turn)[:80]}")
    if turn["role"] not in ("system", "developer", "user", "assistant", "tool"):
        raise Misfit(f"the role {turn['role']!r}")
    kept = {key: value for key, value in turn.items() if value is not None or key == "content"}
    if kept.get("content") is None and kept.get("tool_calls"):
        kept.pop("content", None)
    if "content" not in kept and "tool_calls" not in kept:
        raise Misfit(f"a message of {turn['role']} without content")
    return kept


def turns(value, role: str) -> list:
    """Messages as they are; text becomes one message of `role`."""
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if not isinstance(value, list):
        raise Misfit(f"{type(value).__name__} where text or messages belong")
    return [message(turn) for turn in value]


def tools_of(row: dict):
    """`tools` as a list, also where it is JSON text, as ShareGPT files have it."""
    tools = row.get("tools")
    if isinstance(tools, str) and tools:
        try:
            return json.loads(tools)
        except ValueError:
            raise Misfit("`tools` is text that is not JSON") from None
    return tools or None


def read_messages(row: dict, lost: Counter) -> dict:
    return conversation(turns(row["messages"], "user"), without(row, "messages", "tools"), tools=tools_of(row))


def from_sharegpt(turn) -> dict:
    speaker = turn.get("from") if isinstance(turn, dict) else None
    value = turn.get("value") if speaker else None
    if speaker not in SPEAKERS or not isinstance(value, str):
        raise Misfit(f"a turn without `from` and `value` that are known: {str(turn)[:80]}")
    more = {key: each for key, each in turn.items() if key not in ("from", "value") and each is not None}
    role = SPEAKERS[speaker]
    if role != "function_call":
        return {"role": role, "content": value, **more}
    try:
        calls = json.loads(value)
    except ValueError:
        raise Misfit("a function_call that is not JSON") from None
    return {
        "role": "assistant",
        "tool_calls": [call_of(each) for each in (calls if isinstance(calls, list) else [calls])],
        **more,
    }


def call_of(call) -> dict:
    if not isinstance(call, dict) or "name" not in call:
        raise Misfit(f"a call without a name: {str(call)[:80]}")
    function = {"name": call["name"], "arguments": call.get("arguments", {})}
    return {**({"id": call["id"]} if "id" in call else {}), "type": "function", "function": function}


def read_sharegpt(row: dict, lost: Counter) -> dict:
    messages: list = []
    if row.get("system"):
        messages.append({"role": "system", "content": row["system"]})
    for turn in map(from_sharegpt, row["conversations"]):
        before = messages[-1] if messages else {}
        if "tool_calls" in turn and before.get("role") == "assistant" and "tool_calls" not in before:
            before.update(turn)  # what was said with a call is one message with it
        else:
            messages.append(turn)
    sides = {}
    if isinstance(row.get("chosen"), dict) and isinstance(row.get("rejected"), dict):
        sides = {name: [from_sharegpt(row[name])] for name in ("chosen", "rejected")}
    rest = without(row, "conversations", "system", "tools", *sides)
    return conversation(messages, rest, tools=tools_of(row), **sides)


def read_alpaca(row: dict, lost: Counter) -> dict:
    messages = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    for asked, answered in row.get("history") or []:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    asked = row["instruction"]
    if row.get("input"):
        lost["where `instruction` ends and `input` begins"] += 1
        asked = f"{asked}\n\n{row['input']}"
    if not isinstance(asked, str) or not isinstance(row["output"], str):
        raise Misfit("instruction, input and output are not all text")
    messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": row["output"]}]
    return conversation(messages, without(row, "instruction", "input", "output", "system", "history"))


def read_prompt_completion(row: dict, lost: Counter) -> dict:
    if isinstance(row["prompt"], str) or isinstance(row["completion"], str):
        lost["that prompt and completion were plain text, without a chat template"] += 1
    messages = turns(row["prompt"], "user") + turns(row["completion"], "assistant")
    return conversation(messages, without(row, "prompt", "completion", "tools"), tools=tools_of(row))


def read_preference(row: dict, lost: Counter) -> dict:
    chosen, rejected = turns(row["chosen"], "assistant"), turns(row["rejected"], "assistant")
    prompt = turns(row["prompt"], "user") if row.get("prompt") else []
    if any(isinstance(row.get(name), str) for name in ("prompt", "chosen", "rejected")):
        lost["that the answers were plain text, without a chat template"] += 1
    while not row.get("prompt") and min(len(chosen), len(rejected)) > 1 and chosen[0] == rejected[0]:
        prompt.append(chosen.pop(0))
        rejected.pop(0)
    if prompt and chosen[: len(prompt)] == prompt and rejected[: len(prompt)] == prompt:
        chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
    rest = without(row, "prompt", "chosen", "rejected", "tools")
    return conversation(prompt, rest, tools=tools_of(row), chosen=chosen, rejected=rejected)


READERS = {
    "messages": read_messages,
    "sharegpt": read_sharegpt,
    "alpaca": read_alpaca,
    "prompt-completion": read_prompt_completion,
    "preference": read_preference,
}


def format_of(row: dict) -> str:
    if isinstance(row.get("conversations"), list):
        return "sharegpt"
    for name, columns in (
        ("preference", ("chosen", "rejected")), ("prompt-completion", ("prompt", "completion")),
        ("messages", ("messages",)), ("alpaca", ("instruction", "output")),
    ):  # fmt: skip
        if all(row.get(column) is not None for column in columns):
            return name
    raise Misfit(f"no chat format has the columns {', '.join(row)}")


# Writing: a conversation -> a row, with what cannot be said counted in `lost`.


def beside(chat: dict) -> dict:
    tools = chat.get("tools")
    return {**chat["rest"], **({"tools": tools} if tools else {})}


def said(chat: dict, lost: Counter) -> list:
    """The conversation as one line of turns: of a preference, the chosen side."""
    if "chosen" in chat:
        lost["the rejected answer"] += 1
    return chat["messages"] + chat.get("chosen", [])


def write_messages(chat: dict, lost: Counter) -> dict:
    return {"messages": said(chat, lost), **beside(chat)}


def to_sharegpt(turn: dict, lost: Counter) -> list:
    """A message as one turn, or two where something is said with a call; what else it carries stays beside them."""
    beside = {name: value for name, value in turn.items() if name not in ("role", "content", "tool_calls")}
    written = []
    if "content" in turn and (turn["content"] or not turn.get("tool_calls")):
        if not isinstance(turn["content"], str):
            raise Misfit("content in parts (images?), and ShareGPT holds text")
        written.append({"from": WRITTEN_AS[turn["role"]], "value": turn["content"], **beside})
    if turn.get("tool_calls"):
        calls = [
            {
                "name": call["function"]["name"],
                "arguments": arguments_of(call, lost),
                **({"id": call["id"]} if "id" in call else {}),
            }
            for call in turn["tool_calls"]
        ]
        value = json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)
        written.append({"from": "function_call", "value": value, **({} if written else beside)})
    return written


def write_sharegpt(chat: dict, lost: Counter) -> dict:
    row = {
        "conversations": [each for turn in chat["messages"] for each in to_sharegpt(turn, lost)],
        **beside(chat),
    }
    if "tools" in row:
        row["tools"] = json.dumps(row["tools"], ensure_ascii=False)
    for name in ("chosen", "rejected"):
        if name in chat:
            side = [each for turn in chat[name] for each in to_sharegpt(turn, lost)]
            if len(side) != 1:
                raise Misfit(f"`{name}` has {len(side)} turns, and ShareGPT holds one")
            row[name] = side[0]
    return row


def write_alpaca(chat: dict, lost: Counter) -> dict:
    messages = said(chat, lost)
    if chat.get("tools"):
        raise Misfit("tools, which Alpaca cannot hold")
    system = messages[0]["content"] if messages[0]["role"] == "system" else None
    spoken = messages[1:] if system is not None else messages
    roles = [turn["role"] for turn in spoken]
    if not spoken or roles != ["user", "assistant"] * (len(spoken) // 2):
        raise Misfit(f"turns of {', '.join(roles) or 'nobody'}: Alpaca holds user and assistant by turns")
    for turn in messages:
        if not isinstance(turn.get("content"), str) or turn.get("tool_calls"):
            raise Misfit("content that is not text, or tool calls: Alpaca holds text")
        for name in turn.keys() - {"role", "content"}:
            lost[f"`{name}` of a message"] += 1
    pairs = [[a["content"], b["content"]] for a, b in zip(spoken[::2], spoken[1::2], strict=True)]
    row = {"instruction": pairs[-1][0], "input": "", "output": pairs[-1][1], **chat["rest"]}
    row |= {"system": system} if system is not None else {}
    return row | ({"history": pairs[:-1]} if pairs[:-1] else {})


def write_prompt_completion(chat: dict, lost: Counter) -> dict:
    messages = said(chat, lost)
    if len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise Misfit("the last turn is not an answer of the assistant")
    return {"prompt": messages[:-1], "completion": messages[-1:], **beside(chat)}


def write_preference(chat: dict, lost: Counter) -> dict:
    if "chosen" not in chat:
        raise Misfit("one answer, and a preference needs a rejected one beside it")
    sides = {"chosen": chat["chosen"], "rejected": chat["rejected"]}
    return {**({"prompt": chat["messages"]} if chat["messages"] else {}), **sides, **beside(chat)}


def arguments_of(call: dict, lost: Counter):
    """Arguments as an object, also where they are JSON text, as OpenAI sends them."""
    arguments = call["function"].get("arguments", {})
    if isinstance(arguments, str):
        try:
            return json.loads(arguments)
        except ValueError:
            lost["nothing, but the arguments of a call are not JSON and stay text"] += 1
    return arguments


def structured(turn: dict, lost: Counter) -> list:
    """One message with calls as text -> with calls as structure; results as text -> one tool message each."""
    turn = dict(turn)
    content = turn.get("content")
    if turn.get("tool_calls"):
        turn["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": arguments_of(call, lost)}}
            for call in turn["tool_calls"]
        ]
    if turn["role"] == "assistant" and isinstance(content, str) and "<tool_call>" in content:
        try:
            calls = [call_of(json.loads(text)) for text in CALL_TEXT.findall(content)]
        except ValueError as error:
            raise Misfit(f"a <tool_call> that is not JSON: {error}") from None
        turn["tool_calls"] = [*turn.get("tool_calls", []), *calls]
        turn["content"] = CALL_TEXT.sub("", content).strip()
        if not turn["content"]:
            del turn["content"]
    if turn["role"] in ("user", "tool") and isinstance(content, str) and "<tool_response>" in content:
        if RESPONSE_TEXT.sub("", content).strip():
            raise Misfit("a <tool_response> beside other text")
        return [{**turn, "role": "tool", "content": each} for each in RESPONSE_TEXT.findall(content)]
    return [turn]


def as_text(turn: dict, lost: Counter) -> list:
    """One message with calls as structure -> with calls as <tool_call> text."""
    turn = dict(turn)
    calls = turn.pop("tool_calls", [])
    for call in calls:
        if "id" in call:
            lost["`id` of a tool call"] += 1
    if calls:
        texts = [
            json.dumps({"name": call["function"]["name"], "arguments": arguments_of(call, lost)}, ensure_ascii=False)
            for call in calls
        ]
        parts = [turn.get("content") or "", *(f"<tool_call>\n{text}\n</tool_call>" for text in texts)]
        turn["content"] = "\n".join(part for part in parts if part)
    if turn["role"] == "tool":
        for name in turn.keys() - {"role", "content"}:
            lost[f"`{name}` of a tool message"] += 1
        turn = {"role": "tool", "content": f"<tool_response>\n{turn['content']}\n</tool_response>"}
    return [turn]


def rewritten(chat: dict, change, lost: Counter) -> dict:
    names = [name for name in ("messages", "chosen", "rejected") if name in chat]
    return {**chat, **{name: [each for turn in chat[name] for each in change(turn, lost)] for name in names}}


def write_tool_calls(chat: dict, lost: Counter) -> dict:
    return (write_preference if "chosen" in chat else write_messages)(rewritten(chat, structured, lost), lost)


def write_hermes(chat: dict, lost: Counter) -> dict:
    return (write_preference if "chosen" in chat else write_messages)(rewritten(chat, as_text, lost), lost)


WRITERS = {
    "messages": write_messages,
    "sharegpt": write_sharegpt,
    "alpaca": write_alpaca,
    "prompt-completion": write_prompt_completion,
    "preference": write_preference,
    "tool-calls": write_tool_calls,
    "hermes": write_hermes,
}


def comes_back(chat: dict, row: dict, target: str) -> bool:
    """Whether a written row, read again, is the conversation that it was made from."""
    again = READERS[format_of(row)](json.loads(json.dumps(row)), Counter())
    if target in ("tool-calls", "hermes"):
        ignored: Counter = Counter()
        chat, again = rewritten(chat, structured, ignored), rewritten(again, structured, ignored)
    if target == "prompt-completion":
        chat = {**chat, "messages": chat["messages"] + chat.get("chosen", [])}
        chat.pop("chosen", None), chat.pop("rejected", None)
    return plain(chat) == plain(again)


def plain(chat: dict) -> dict:
    """A conversation without the differences that carry nothing: empty content beside calls, arguments as text."""
    ignored: Counter = Counter()
    chat = json.loads(json.dumps(chat))
    for name in ("messages", "chosen", "rejected"):
        for turn in chat.get(name, []):
            if turn.get("tool_calls"):
                turn["tool_calls"] = [[c["function"]["name"], arguments_of(c, ignored), c.get("id")]
                                      for c in turn["tool_calls"]]  # fmt: skip
                if not turn.get("content"):
                    turn.pop("content", None)
    return chat


# Sessions of coding agents: one file, one row.


def read_session(path: str, agent: str, args, lost: Counter) -> dict:
    """The conversation of a session file. Raises Misfit when there is none in it."""
    lines = [row for _, row, problem in read_rows(path, args.max_row_bytes) if not problem]
    reader = claude_code if agent == "claude-code" else codex
    messages, facts = reader(lines, args.reasoning, lost)
    while messages and (messages[-1]["role"] != "assistant" or messages[-1].get("tool_calls")):
        messages.pop()
        lost["turns after the last answer (the session was interrupted)"] += 1
    if not any(turn["role"] == "user" for turn in messages):
        raise Misfit("no question and answer in this session")
    chat = conversation(messages, {"agent": agent, **facts}, tools=tools_seen(messages))
    if "tools" in chat:
        lost["descriptions of the tools (a session does not hold them; names and arguments are those seen)"] += 1
    return private(chat, args.keep_paths, lost)


def private(value, keep_paths: bool, lost: Counter):
    if isinstance(value, dict):
        return {key: private(each, keep_paths, lost) for key, each in value.items()}
    if isinstance(value, list):
        return [private(each, keep_paths, lost) for each in value]
    if not isinstance(value, str):
        return value
    cleaned = redact(value)
    lost["tokens and keys, replaced by ***"] += cleaned != value
    shorter = cleaned if keep_paths else HOME.sub("~", cleaned)
    lost["names of home folders, replaced by ~"] += shorter != cleaned
    return shorter


def tools_seen(messages: list) -> list | None:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    seen: dict = {}
    for turn in messages:
        for call in turn.get("tool_calls", []):
            properties = seen.setdefault(call["function"]["name"], {})
            given = call["function"]["arguments"]
            for name, value in given.items() if isinstance(given, dict) else ():
                properties.setdefault(name, {"type": kinds.get(type(value), "string")})
    return [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}
        for name, properties in seen.items()
    ] or None


def parts_text(content, lost: Counter) -> str:
    """The text of a content in parts; images and the like are counted."""
    if isinstance(content, str):
        return content
    texts = []
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            lost[f"parts of type {kind}"] += 1
    return "\n".join(texts)


def main_branch(lines: list, lost: Counter) -> list:
    """The entries without the branches that were rewound: of questions asked at one place, only the last counts."""
    children: dict = {}
    for line in lines:
        children.setdefault(line.get("parentUuid"), []).append(line)
    left: list = []
    for parent, entries in children.items():
        asked = [line for line in entries if line.get("type") == "user" and not is_result(line)]
        left += asked[:-1] if parent else []
    gone = set()
    while left:
        line = left.pop()
        gone.add(line.get("uuid"))
        left += children.get(line.get("uuid"), [])
    lost["entries of branches that were rewound"] += len(gone)
    return [line for line in lines if line.get("uuid") not in gone]


def is_result(line: dict) -> bool:
    """Whether a user's entry holds results of tools, and no question."""
    content = line.get("message", {}).get("content")
    return isinstance(content, list) and any(part.get("type") == "tool_result" for part in content)


def claude_code(lines: list, reasoning: bool, lost: Counter) -> tuple:
    messages: list = []
    facts: dict = {}
    side = [line for line in lines if line.get("isSidechain")]
    lost["entries of subagents (sidechains)"] += len(side)
    last_id = None
    for line in main_branch([line for line in lines if not line.get("isSidechain")], lost):
        said = line.get("message")
        if line.get("type") not in ("user", "assistant") or not isinstance(said, dict) or line.get("isMeta"):
            continue
        facts.setdefault("session", line.get("sessionId"))
        content = said.get("content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        if line["type"] == "user":
            results = [part for part in parts if part.get("type") == "tool_result"]
            for part in results:
                text = parts_text(part.get("content"), lost)
                messages.append({"role": "tool", "tool_call_id": part.get("tool_use_id"), "content": text})
            text = parts_text([part for part in parts if part.get("type") != "tool_result"], lost)
            if text:
                messages.append({"role": "user", "content": text})
            last_id = None
            continue
        facts["model"] = said.get("model") or facts.get("model")
        if last_id is None or said.get("id") != last_id or not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": ""})
        last_id = said.get("id")
        for part in parts:
            answer_part(messages[-1], part, reasoning, lost)
    return [turn for turn in map(tidy, messages) if turn], facts


def answer_part(turn: dict, part: dict, reasoning: bool, lost: Counter) -> None:
    kind = part.get("type")
    if kind == "text":
        turn["content"] = "\n".join(filter(None, [turn["content"], part["text"]]))
    elif kind == "tool_use":
        call = {"name": part.get("name"), "arguments": part.get("input") or {}}
        turn.setdefault("tool_calls", []).append({"id": part.get("id"), "type": "function", "function": call})
    elif kind == "thinking" and reasoning:
        turn["reasoning_content"] = "\n".join(filter(None, [turn.get("reasoning_content"), part.get("thinking")]))
    elif kind in ("thinking", "redacted_thinking"):
        lost["reasoning (--reasoning keeps what is readable)"] += 1
    else:
        lost[f"parts of type {kind}"] += 1


def tidy(turn: dict) -> dict | None:
    if not turn.get("content") and turn.get("tool_calls"):
        turn.pop("content", None)
    return turn if turn.get("content") or turn.get("tool_calls") or turn["role"] == "tool" else None


def codex(lines: list, reasoning: bool, lost: Counter) -> tuple:
    messages: list = []
    facts: dict = {}
    thought = ""

    def assistant() -> dict:
        nonlocal thought
        if not messages or messages[-1]["role"] != "assistant":
            messages.append({"role": "assistant", "content": ""})
        if thought:
            messages[-1]["reasoning_content"] = thought
            thought = ""
        return messages[-1]

    for line in lines:
        kind = line.get("type")
        item = line.get("payload") if isinstance(line.get("payload"), dict) else line
        if kind == "session_meta":
            facts["session"] = item.get("id")
        elif kind == "turn_context":
            facts["model"] = item.get("model") or facts.get("model")
        if kind in ("session_meta", "turn_context", "event_msg", "compacted"):
            continue
        kind = item.get("type")
        if kind == "message" and item.get("role") in ("user", "developer", "system", "assistant"):
            text = parts_text(item.get("content"), lost)
            if item["role"] == "assistant":
                turn = assistant()
                turn["content"] = "\n".join(filter(None, [turn["content"], text]))
            elif text:
                messages.append({"role": item["role"], "content": text})
        elif kind in ("function_call", "custom_tool_call"):
            given = item.get("arguments") if kind == "function_call" else {"input": item.get("input")}
            call = {"function": {"name": item.get("name"), "arguments": given}}
            call["function"]["arguments"] = arguments_of(call, lost)
            assistant().setdefault("tool_calls", []).append({"id": item.get("call_id"), "type": "function", **call})
        elif kind in ("function_call_output", "custom_tool_call_output"):
            output = item.get("output")
            output = output.get("content", output) if isinstance(output, dict) else output
            text = output if isinstance(output, str) else parts_text(output, lost)
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
        elif kind == "reasoning":
            summary = parts_text(item.get("summary") or [], lost)
            if reasoning and summary:
                thought = "\n".join(filter(None, [thought, summary]))
            else:
                lost["reasoning (--reasoning keeps what is readable)"] += 1
        elif kind:
            lost[f"items of type {kind}"] += 1
    return [turn for turn in map(tidy, messages) if turn], facts


# All rows.


def conversations(args, report: "Report"):
    """(file, line, conversation, losses) of every row that can be read."""
    sessions = args.source_format in ("claude-code", "codex")
    for path in find_files(args.source, args.config, args.split, args.revision):
        name = Path(path).name
        entries = [(1, {}, "")] if sessions else read_rows(path, args.max_row_bytes)
        for line, row, problem in entries:
            lost: Counter = Counter()
            if problem:
                report.bad(name, line, problem)
                continue
            try:
                if sessions:
                    yield name, line, read_session(path, args.source_format, args, lost), lost
                else:
                    kind = format_of(row) if args.source_format == "auto" else args.source_format
                    yield name, line, READERS[kind](row, lost), lost
            except Misfit as error:
                report.bad(name, line, str(error))
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                report.bad(name, line, f"not of the format {args.source_format}: {type(error).__name__} {error}")


class Report:
    """What became of the rows."""

    def __init__(self) -> None:
        self.rows, self.bad_rows, self.losses = 0, [], {}

    def bad(self, file: str, line: int, problem: str) -> None:
        self.bad_rows.append({"file": file, "line": line, "problem": redact(problem)})

    def count(self, file: str, line: int, lost: Counter) -> None:
        self.rows += 1
        for what, times in lost.items():
            if times:
                entry = self.losses.setdefault(what, {"rows": 0, "times": 0, "first": f"{file}:{line}"})
                entry["rows"] += 1
                entry["times"] += times


def convert(args, report: Report, part: Path) -> None:
    with part.open("w", encoding="utf-8") as output:
        for file, line, chat, lost in conversations(args, report):
            try:
                row = WRITERS[args.to](chat, lost)
                if not +lost and not comes_back(chat, row, args.to):
                    lost["something that the format cannot say: the row does not read back the same"] += 1
            except Misfit as error:
                report.bad(file, line, str(error))
                continue
            report.count(file, line, +lost)
            output.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
            if report.rows % 100_000 == 0:
                log(f"converted {report.rows:,} rows")


def arguments(argv: list) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("source", help="file, folder, Hub dataset or hf:// pattern; of agents, session files")
    options.add_argument("--to", required=True, choices=list(WRITERS))
    options.add_argument(
        "--from", dest="source_format", default="auto", choices=["auto", *READERS, "claude-code", "codex"]
    )
    options.add_argument("--out", type=Path, default=Path("converted.jsonl"), help="default: %(default)s")
    options.add_argument("--overwrite", action="store_true")
    options.add_argument("--config", help="of a Hub dataset")
    options.add_argument("--split", help="of a Hub dataset (default: train)")
    options.add_argument("--revision", help="of a Hub dataset")
    options.add_argument("--strict", action="store_true", help="write nothing when anything would be lost (exit 1)")
    options.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be converted")
    options.add_argument("--reasoning", action="store_true", help="keep an agent's readable reasoning")
    options.add_argument("--keep-paths", action="store_true", help="keep names of home folders in sessions")
    options.add_argument("--max-row-mb", type=float, default=50, help="default: %(default)g")
    options.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = options.parse_args(argv)
    if args.out.suffix != ".jsonl":
        options.error("--out: a name that ends in .jsonl; create_dataset.py makes Parquet of it")
    args.max_row_bytes = int(args.max_row_mb * 1e6)
    return args


def main(argv: list[str]) -> int:
    args = arguments(argv)
    if args.out.exists() and not args.overwrite:
        raise Failure(f"{args.out} is there already", "--overwrite, or another --out", EXIT_USAGE)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part, report = args.out.with_name(f".{args.out.name}.part"), Report()
    try:
        convert(args, report, part)
        stop = (report.bad_rows and not args.skip_bad) or (report.losses and args.strict) or not report.rows
        if not stop:
            part.replace(args.out)
    finally:
        part.unlink(missing_ok=True)
    document = {
        "file": None if stop else str(args.out),
        "rows": report.rows,
        "lossless": not report.losses,
        "losses": report.losses,
        "bad": len(report.bad_rows),
        "bad_shown": report.bad_rows[:20],
    }
    if args.json:
        emit(document)
    else:
        show(args, document)
    return EXIT_NO if stop else EXIT_OK


def show(args, document: dict) -> None:
    kind = "nothing was lost" if document["lossless"] else "lost:"
    say(f"{document['rows']:,} rows as {args.to}; {kind}")
    for what, entry in document["losses"].items():
        say(f"  {what}: {entry['rows']:,} rows, first {entry['first']}")
    for finding in document["bad_shown"]:
        say(f"  {finding['file']}:{finding['line']}: {finding['problem']}")
    if document["bad"]:
        say(f"{document['bad']:,} rows cannot be converted{'' if args.skip_bad else '; --skip-bad leaves them out'}")
    say(f"written to {document['file']}" if document["file"] else "nothing was written")


if __name__ == "__main__":
    sys.exit(run(main))
