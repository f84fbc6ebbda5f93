# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "datasets>=5.2,<6",
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "jsonschema-rs>=0.60,<1",
#   "pyarrow>=20,<30",
# ]
# ///
"""Make a dataset from rows or documents, hold every row against its template, and push it as Parquet, private.

SOURCE is a jsonl, json, csv, tsv or parquet file, a folder of them, or a folder of .txt and .md documents. Bad rows
are reported by line, and nothing is pushed while there are any, unless --skip-bad. Without --repo the dataset is
built in --out and stays there. An interrupted push goes on where it stopped, and the same rows are never added twice.

examples:
  python scripts/create_dataset.py --example chat > rows.jsonl
  python scripts/create_dataset.py rows.jsonl --template chat --repo support-chats --yes
  python scripts/create_dataset.py more.csv --append --repo me/support-chats --yes
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

import hashlib
import shutil

STATE = ".skillpack/dataset.json"  # hidden, so that `datasets` does not take it for rows
SECTION = ("<!-- skillpack:statistics -->", "<!-- skillpack:end -->")
SHARD_BYTES, GROUP_BYTES = 400_000_000, 24_000_000  # of text, before compression; the viewer wants small groups
MAX_DISTINCT = 30
DOCUMENTS = (".txt", ".md", ".rst")
ATTEMPTS = 5


def _text(**more) -> dict:
    return {"type": "string", "minLength": 1, **more}


def _object(required: dict, optional: dict | None = None) -> dict:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


CALL = _object({"function": _object({"name": _text(), "arguments": {"type": ["object", "string"]}})})
MESSAGE = {
    **_object(
        {"role": {"enum": ["system", "developer", "user", "assistant", "tool"]}},
        {"content": {"type": ["string", "array", "null"]}, "tool_calls": {"type": ["array", "null"], "items": CALL}},
    ),
    "anyOf": [
        {"required": ["content"], "properties": {"content": {"type": ["string", "array"], "minLength": 1}}},
        {"required": ["tool_calls"], "properties": {"tool_calls": {"type": "array", "minItems": 1}}},
    ],
}
ANSWERED = {"contains": {"properties": {"role": {"const": "assistant"}}}}
CHAT = {"type": "array", "minItems": 1, "items": MESSAGE}
SAID = {"anyOf": [_text(), CHAT]}
USER = {"role": "user", "content": "What is the boiling point of water?"}
GOOD = {"role": "assistant", "content": "100 °C at sea level."}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
#: name -> (JSON Schema of a row, example rows). `auto` takes the first whose schema the first row meets.
TEMPLATES = {
    "tool-use": (
        _object({"messages": {**CHAT, **ANSWERED}, "tools": {"type": "array", "minItems": 1}}),
        [
            {
                "messages": [
                    {"role": "user", "content": "Is it raining in Oslo?"},
                    {
                        "role": "assistant",
                        "tool_calls": [
                            {"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
                        ],
                    },
                    {"role": "tool", "name": "weather", "content": "rain, 8 °C"},
                    {"role": "assistant", "content": "Yes, it is raining, at 8 °C."},
                ],
                "tools": [WEATHER],
            }
        ],
    ),
    "chat": (_object({"messages": {**CHAT, **ANSWERED}}), [{"messages": [USER, GOOD]}]),
    "preference": (
        _object({"chosen": SAID, "rejected": SAID}, {"prompt": SAID}),
        [{"prompt": [USER], "chosen": [GOOD], "rejected": [{"role": "assistant", "content": "It boils."}]}],
    ),
    "qa": (
        _object({"question": _text(), "answer": _text()}, {"context": {"type": ["string", "null"]}}),
        [{"question": "What is the capital of France?", "answer": "Paris", "context": None}],
    ),
    "classification": (
        _object({"text": _text(), "label": {"type": ["string", "integer", "boolean"]}}),
        [{"text": "The parcel never came.", "label": "complaint"}, {"text": "Thank you", "label": "praise"}],
    ),
    "completion": (
        {"anyOf": [_object({"prompt": SAID, "completion": SAID}), _object({"text": _text()})]},
        [{"prompt": "The capital of France is", "completion": " Paris."}],
    ),
    "tabular": (None, [{"height_cm": 181, "name": "Ada", "member": True}]),
}


def schema_for(name: str, path: Path | None, row: dict) -> dict:
    """The JSON Schema that every row must meet. Of a table, it is the columns and types of the first row."""
    if name == "custom":
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Failure(f"--schema {path}: {error}", "give a file that holds a JSON Schema", EXIT_USAGE) from None
    if name != "tabular":
        return TEMPLATES[name][0]
    types = {bool: ["boolean"], int: ["number"], float: ["number"], str: ["string"]}
    scalars = ["string", "number", "boolean"]
    columns = {key: {"type": [*types.get(type(value), scalars), "null"]} for key, value in row.items()}
    return {**_object(columns), "additionalProperties": False}


def template_for(row: dict) -> str:
    from jsonschema_rs import validator_for

    found = (name for name, (schema, _) in TEMPLATES.items() if schema and validator_for(schema).is_valid(row))
    return next(found, "tabular")


def first_row(rows) -> dict:
    for _, _, row, _ in rows:
        if row is not None:
            return row
    raise Failure("there is no row that can be read", "the file is empty, or every line of it is bad", EXIT_USAGE)


# Reading: (file, line, row, problem) of everything that SOURCE holds.


def source_files(source: str) -> list:
    folder = Path(source).expanduser()
    if folder.is_dir() and not any(path.suffix.lower() in ROW_FILES for path in folder.rglob("*")):
        documents = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in DOCUMENTS)
        if not documents:
            raise Failure(
                f"{source} holds neither rows ({', '.join(ROW_FILES)}) nor documents ({', '.join(DOCUMENTS)})",
                "images, audio and other files: `hf upload REPO FOLDER --repo-type dataset`",
                EXIT_USAGE,
            )
        return documents
    return find_files(source)


def read_all(source: str, files: list, max_bytes: int):
    for path in files:
        if Path(path).suffix.lower() not in DOCUMENTS:
            for line, row, problem in read_rows(path, max_bytes):
                yield path, line, row, problem
            continue
        data = Path(path).read_bytes()
        name = Path(path).relative_to(Path(source).expanduser()).as_posix()
        try:
            text, problem = data.decode("utf-8-sig"), "" if len(data) <= max_bytes else f"{len(data) / 1e6:.1f} MB"
        except UnicodeDecodeError as error:
            text, problem = "", f"not UTF-8 at byte {error.start}"
        yield path, 1, None if problem else {"text": text, "path": name}, problem


def with_system_prompt(row: dict, prompt: str | None) -> dict:
    """`row` with the system prompt in front of its messages, where it has none of its own."""
    name = "messages" if "messages" in row else "prompt"
    turns = row.get(name)
    if not prompt or not isinstance(turns, list) or not turns or not isinstance(turns[0], dict):
        return row
    if turns[0].get("role") in ("system", "developer"):
        return row
    return {**row, name: [{"role": "system", "content": prompt}, *turns]}


# Checking and counting, in one pass.


class Column:
    """What the card says of a column. Made so that the figures of two parts can be added up."""

    def __init__(self, known: dict | None = None) -> None:
        self.__dict__.update(known or {"count": 0, "missing": 0, "sum": 0, "min": None, "max": None, "values": {}})

    def add(self, value) -> None:
        if value is None:
            self.missing += 1
            return
        amount = value if isinstance(value, (int, float)) else size_of(value)
        self.merge_range(1, amount, amount, amount)
        if self.values is not None:
            key = value if isinstance(value, str) else json.dumps(value) if isinstance(value, (bool, int)) else None
            if key is None or len(key) > 60:
                self.values = None
            else:
                self.values[key] = self.values.get(key, 0) + 1
                self.values = self.values if len(self.values) <= MAX_DISTINCT else None

    def merge_range(self, count: int, total, low, high) -> None:
        self.count += count
        self.sum += total
        self.min = low if self.min is None else min(self.min, low)
        self.max = high if self.max is None else max(self.max, high)

    def merge(self, other: dict) -> None:
        self.missing += other["missing"]
        if other["count"]:
            self.merge_range(other["count"], other["sum"], other["min"], other["max"])
        if self.values is not None and other["values"] is not None:
            for key, number in other["values"].items():
                self.values[key] = self.values.get(key, 0) + number
        if other["values"] is None or len(self.values or {}) > MAX_DISTINCT:
            self.values = None


def size_of(value) -> int:
    """Characters of text, and bytes, in a value, however nested."""
    if isinstance(value, (str, bytes)):
        return len(value)
    if isinstance(value, dict):
        return sum(map(size_of, value.values()))
    return sum(map(size_of, value)) if isinstance(value, (list, tuple)) else 0


def problem_with(row: dict, validator) -> str:
    """Where and how a row misses the schema, or ""."""
    try:
        if validator.is_valid(row):
            return ""
        error = next(validator.iter_errors(row))
    except ValueError:  # Parquet has types that JSON has not
        plain = json.loads(json.dumps(row, default=str))
        if plain == row or validator.is_valid(plain):
            return ""
        error = next(validator.iter_errors(plain))
    where = ".".join(map(str, error.instance_path)) or "row"
    return f"{where}: {error.message[:200]}"


def check(args, files: list, template: str, schema: dict) -> dict:
    """One pass over every row: {rows, bad, kinds, columns, sha256}; bad rows are written to bad-rows.jsonl."""
    from jsonschema_rs import ValidationError, validator_for

    try:
        validator = validator_for(schema)
    except (ValidationError, ValueError) as error:
        message = str(error).splitlines()[0]
        raise Failure(f"--schema is not a JSON Schema: {message}", "see https://json-schema.org", EXIT_USAGE) from None
    kinds: dict = {}
    columns: dict = {}
    digest = hashlib.sha256()
    rows = bad = 0
    shown: list = []
    with (args.out / "bad-rows.jsonl").open("w", encoding="utf-8") as report:
        for path, line, row, problem in read_all(args.source, files, args.max_row_bytes):
            if row is not None:
                row = with_system_prompt(row, args.system_prompt)
                problem = problem_with(row, validator)
            if problem:
                bad += 1
                finding = {"file": Path(path).name, "line": line, "problem": redact(problem)}
                report.write(json.dumps(finding, ensure_ascii=False) + "\n")
                shown = [*shown, finding] if len(shown) < 20 else shown
                continue
            rows += 1
            digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
            for name, value in row.items():
                kinds[name] = merged(kinds.get(name, "null"), kind_of(value, name))
                if name not in columns:
                    columns[name] = Column()
                    columns[name].missing = rows - 1
                columns[name].add(value)
            for name in columns.keys() - row.keys():
                columns[name].add(None)
            if rows % 100_000 == 0:
                log(f"checked {rows:,} rows")
    mixed = [name for name, kind in kinds.items() if kind == "json" and name not in FREE_FORM]
    if mixed:
        log(f"warning: {', '.join(mixed)}: values of several types in one column; stored as JSON")
    return {
        "template": template,
        "rows": rows,
        "bad": bad,
        "bad_shown": shown,
        "kinds": kinds,
        "columns": {name: vars(column) for name, column in columns.items()},
        "sha256": digest.hexdigest(),
    }


# Building: Parquet shards of about 400 MB of text, each written whole or not at all.


def target_schema(files: list, checked: dict, existing, system_prompt: str | None):
    """The Arrow schema to write: that of the shards already there, of Parquet sources, or of the values seen."""
    import pyarrow as pa

    own = schema_of(checked["kinds"])
    if existing is not None:
        known = {field.name: kind_of_type(field.type) for field in existing}
        wrong = [
            f"{name} is {_kind_name(kind)}, and {_kind_name(known[name]) if name in known else 'no column'} there"
            for name, kind in checked["kinds"].items()
            if name not in known or not _fits(kind, known[name])
        ]
        if wrong:
            fix = "give rows of the same columns, or push them as another --config"
            raise Failure(f"the rows do not fit what is there: {'; '.join(wrong[:5])}", fix, EXIT_USAGE)
        return existing
    if system_prompt or not all(path.endswith(".parquet") for path in files):
        return own
    schemas = []
    for path in files:
        with open_file(path) as file:
            schemas.append(open_parquet(path, file).schema_arrow)
    try:
        return pa.unify_schemas(schemas).with_metadata(schemas[0].metadata)
    except pa.ArrowException as error:
        raise Failure(
            f"the files have different columns: {error}", "push them as several --config", EXIT_USAGE
        ) from None


def _fits(kind, known) -> bool:
    return known == "json" or (kind == "null") or merged(known, kind) == known or not isinstance(known, (str, tuple))


def _kind_name(kind) -> str:
    return kind if isinstance(kind, str) else f"{kind[0]}"


def build(args, files: list, schema, system_prompt: str | None, validator) -> list:
    """Writes shards into the build folder: [{file, rows, bytes}]."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards: list = []
    state = {"writer": None, "path": None, "bytes": 0, "rows": 0}

    def close() -> None:
        if state["writer"]:
            state["writer"].close()
            final = args.out / f"shard-{len(shards):05d}.parquet"
            state["path"].replace(final)
            shards.append({"file": final.name, "rows": state["rows"], "bytes": final.stat().st_size})
            log(f"wrote {final} ({state['rows']:,} rows, {shards[-1]['bytes'] / 1e6:.1f} MB)")
            state.update(writer=None, bytes=0, rows=0)

    def flush(rows: list, size: int) -> None:
        if not rows:
            return
        if not state["writer"]:
            state["path"] = args.out / "shard.part"
            state["writer"] = pq.ParquetWriter(state["path"], schema, compression="zstd", write_page_index=True)
        try:
            state["writer"].write_table(to_table(rows, schema))
        except (pa.ArrowException, TypeError) as error:
            fix = "this row group mixes types; give the rows one type a column"
            raise Failure(f"the rows do not fit their columns: {error}", fix) from None
        state["bytes"] += size
        state["rows"] += len(rows)
        if state["bytes"] >= SHARD_BYTES:
            close()

    group: list = []
    size = 0
    for _, _, row, _ in read_all(args.source, files, args.max_row_bytes):
        if row is None:
            continue
        row = with_system_prompt(row, system_prompt)
        if problem_with(row, validator):
            continue
        group.append(row)
        size += size_of(row) + 64
        if size >= GROUP_BYTES or len(group) >= 50_000:
            flush(group, size)
            group, size = [], 0
    flush(group, size)
    close()
    return shards


def fingerprint(args, files: list, schema: dict, existing) -> str:
    """What a build depends on, so that the same command finds its own and no other's."""
    stats = [[path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns] for path in files if "://" not in path]
    parts = [files, stats, schema, args.system_prompt, args.max_row_bytes, args.skip_bad, str(existing)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def prepare(args, existing) -> dict:
    """Checks the rows and builds the shards in --out, or finds that an earlier call did: the build document."""
    from jsonschema_rs import validator_for

    files = source_files(args.source)
    row = with_system_prompt(first_row(read_all(args.source, files, args.max_row_bytes)), args.system_prompt)
    template = template_for(row) if args.template == "auto" and not args.adopted else args.template
    template, schema = args.adopted or (template, schema_for(template, args.schema, row))
    mark, path = fingerprint(args, files, schema, existing), args.out / "build.json"
    if path.is_file():
        found = read_artifact(path, "dataset-build")
        if found["fingerprint"] == mark and all((args.out / shard["file"]).is_file() for shard in found["shards"]):
            log(f"the build in {args.out} is of these rows")
            return found
    elif args.out.exists() and any(args.out.iterdir()):
        raise Failure(f"{args.out} holds other files", "give another --out", EXIT_USAGE)
    else:
        args.out.mkdir(parents=True, exist_ok=True)
        write_artifact(path, {"schema": "skillpack/dataset-build/1", "fingerprint": "", "shards": []})
    for old in [*args.out.glob("shard-*.parquet"), args.out / "shard.part"]:
        old.unlink(missing_ok=True)
    checked = check(args, files, template, schema)
    built = {"schema": "skillpack/dataset-build/1", "fingerprint": "", "shards": [], **checked, "json_schema": schema}
    built["system_prompt"] = args.system_prompt
    built["files"] = [Path(name).name for name in files]
    if not checked["rows"] or (checked["bad"] and not args.skip_bad):
        return built
    arrow = target_schema(files, checked, existing, args.system_prompt)
    built["shards"] = build(args, files, arrow, args.system_prompt, validator_for(schema))
    built["types"] = {field.name: str(field.type) for field in arrow}
    built["fingerprint"] = mark
    write_artifact(path, built)
    return built


# The card.


def empty_state(built: dict) -> dict:
    state = {"schema": "skillpack/dataset/1", "template": built["template"], "system_prompt": built["system_prompt"]}
    return {**state, "json_schema": built["json_schema"], "configs": {}, "sources": []}


def add_to_state(state: dict, built: dict, config: str, split: str) -> dict:
    """The repository's state with the rows of `built` added to a split."""
    state = json.loads(json.dumps(state))
    part = state["configs"].setdefault(config, {}).setdefault(split, {"rows": 0, "bytes": 0, "columns": {}})
    for name, figures in built["columns"].items():
        column = Column(part["columns"].get(name))
        if name not in part["columns"]:
            column.missing = part["rows"]
        column.merge(figures)
        part["columns"][name] = vars(column)
    for name in part["columns"].keys() - built["columns"].keys():
        part["columns"][name]["missing"] += built["rows"]
    part["rows"] += built["rows"]
    part["bytes"] += sum(shard["bytes"] for shard in built["shards"])
    source = {"sha256": built["sha256"], "rows": built["rows"], "config": config, "split": split}
    state["sources"].append(source)
    return state


def statistics_section(state: dict, types: dict) -> str:
    """The part of the card that is counted, between marker lines, so that --append can replace it and nothing else."""
    lines = [SECTION[0], "## Statistics", "", "Counted over all rows by `create_dataset.py`.", ""]
    lines += ["| config | split | rows | Parquet |", "| --- | --- | --- | --- |"]
    for config, splits in state["configs"].items():
        lines += [f"| {config} | {s} | {p['rows']:,} | {p['bytes'] / 1e6:.1f} MB |" for s, p in splits.items()]
    for config, splits in state["configs"].items():
        for split, part in splits.items():
            lines += ["", f"Columns of {config}/{split}; of text the least, mean and most characters:", ""]
            lines += ["| column | type | missing | least | mean | most | values |", "| --- " * 7 + "|"]
            for name, column in part["columns"].items():
                mean = f"{column['sum'] / column['count']:.4g}" if column["count"] else ""
                values = sorted((column["values"] or {}).items(), key=lambda pair: (-pair[1], pair[0]))
                shown = ", ".join(f"{value} ({number:,})" for value, number in values[:8]) if len(values) < 31 else ""
                shown = shown if sum(n for _, n in values) > len(values) else ""
                cells = [name, types.get(name, ""), column["missing"], column["min"], mean, column["max"], shown]
                lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join([*lines, SECTION[1]])


def _cell(value) -> str:
    text = "" if value is None else str(value)
    return (text if len(text) <= 120 else text[:117] + "…").replace("|", "\\|").replace("\n", " ")


def folder_of(config: str) -> str:
    return "data" if config == "default" else config


def data_files(state: dict) -> list:
    """The `configs` of a card: which files are which split."""
    return [
        {
            "config_name": config,
            "data_files": [{"split": split, "path": f"{folder_of(config)}/{split}-*"} for split in splits],
        }
        for config, splits in state["configs"].items()
    ]


def size_category(rows: int) -> str:
    edges = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    return next((name for edge, name in [*edges, (10_000_000, "1M<n<10M")] if rows < edge), "n>10M")


def new_card(args, state: dict, built: dict, repo_id: str) -> str:
    from huggingface_hub import DatasetCardData

    rows = sum(part["rows"] for splits in state["configs"].values() for part in splits.values())
    header = DatasetCardData(
        license=args.license, language=args.language or None, size_categories=[size_category(rows)],
        configs=data_files(state), tags=["skillpack"],
    )  # fmt: skip
    name = repo_id.rpartition("/")[2]
    made = (
        f"From {', '.join(built['files'][:5])}{' and others' if len(built['files']) > 5 else ''}; every row meets the "
    )
    made += f"template `{built['template']}`, whose JSON Schema is in `{STATE}`."
    made += f" {built['bad']:,} rows that did not were left out." if built["bad"] else ""
    first = next(iter(state["configs"]))
    load = f'load_dataset("{repo_id}"' + (")" if first == "default" else f', "{first}")')
    prompt = state["system_prompt"]
    return "\n".join([
        "---", header.to_yaml(), "---", "", f"# {name}", "", made, "",
        *(["## System prompt", "", "In front of every conversation that had none:", "",
           *("> " + line for line in prompt.splitlines()), ""] if prompt else []),
        statistics_section(state, built["types"]), "", "## Use", "", "```python", "from datasets import load_dataset",
        "", load, "```", "", "## Licence", "", f"{args.license}." if args.license else
        "None is stated: without one nobody else may use these rows. State it in this card's header.", "",
        "## Not known", "", "Where the rows came from before these files, who is named in them, and what they are "
        "unfit for: to be written by who knows.", "",
    ])  # fmt: skip


def updated_card(text: str, state: dict, built: dict) -> str | None:
    """A card of ours with its statistics replaced, or None for a card that somebody else wrote."""
    from huggingface_hub import DatasetCard

    start, end = text.find(SECTION[0]), text.find(SECTION[1])
    if start < 0 or end < start:
        return None
    text = text[:start] + statistics_section(state, built["types"]) + text[end + len(SECTION[1]) :]
    card = DatasetCard(text, ignore_metadata_errors=False)
    declared = card.data.to_dict().get("configs")
    if declared == data_files(state):
        return text
    card.data["configs"] = data_files(state)
    return str(card)


# Pushing: one commit, on top of the head that was looked at.


def repo_state(api, repo_id: str) -> dict:
    """{exists, sha, private, files, state, card} of the dataset repository as it is now."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with on_hub(f"looking up {repo_id}"):
        try:
            info = api.dataset_info(repo_id)
        except RepositoryNotFoundError:
            return {"exists": False, "files": [], "state": None, "card": None}
        files = [file.rfilename for file in info.siblings or []]
        found = {"exists": True, "sha": info.sha, "private": info.private, "files": files, "state": None, "card": None}
        if STATE in files:
            path = api.hf_hub_download(repo_id, STATE, repo_type="dataset", revision=info.sha)
            found["state"] = read_artifact(Path(path), "dataset")
        if "README.md" in files:
            path = api.hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=info.sha)
            found["card"] = Path(path).read_text(encoding="utf-8")
    return found


def shards_there(repo: dict, config: str, split: str) -> list:
    pattern = re.compile(rf"{re.escape(folder_of(config))}/{re.escape(split)}-.*\.parquet")
    return sorted(name for name in repo["files"] if pattern.fullmatch(name))


def next_number(names: list) -> int:
    numbers = [int(match[1]) for name in names if (match := re.search(r"-(\d{5,})(?:-of-\d+)?\.parquet$", name))]
    return max(numbers, default=-1) + 1


def existing_schema(repo_id: str, revision: str, names: list):
    """The Arrow schema of a shard already there, read from its last bytes."""
    import pyarrow.parquet as pq
    from huggingface_hub import HfFileSystem

    with on_hub(f"reading {names[0]}"), HfFileSystem().open(f"datasets/{repo_id}@{revision}/{names[0]}") as file:
        return pq.read_schema(file)


def require_place(args, repo: dict, repo_id: str) -> None:
    """That the push is meant for this repository as it is. Raises Failure."""
    rows = [name for name in repo["files"] if name.endswith(ROW_FILES) and not name.startswith(".")]
    there = shards_there(repo, args.config, args.split)
    if not args.append and (there or (rows and repo["state"] is None)):
        raise Failure(
            f"{repo_id} already holds {there[0] if there else rows[0]}",
            "--append adds shards beside those there; or give another --repo, --config or --split",
            EXIT_USAGE,
        )
    if args.append and not repo["exists"]:
        raise Failure(f"{repo_id} does not exist", "without --append it is made", EXIT_USAGE)
    if args.append and rows and repo["state"] is None and not there:
        raise Failure(
            f"{repo_id} has no {folder_of(args.config)}/{args.split}-*.parquet to append to",
            "append to repositories with that layout; `datasets` would no longer see the other files",
            EXIT_USAGE,
        )
    if repo["exists"] and not repo["private"] and not args.public:
        raise Failure(f"{repo_id} is public", "add --public if these rows may be, or give another --repo", EXIT_USAGE)


def push(args, api, repo_id: str, built: dict) -> dict:
    """Sends the shards, then makes one commit of shards, state and card: all of it is there, or nothing."""
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError

    with on_hub(f"making {repo_id}"):
        api.create_repo(repo_id, repo_type="dataset", private=not args.public, exist_ok=True)
    for _ in range(ATTEMPTS):
        repo = repo_state(api, repo_id)
        done = is_there(repo, built, args)
        if done:
            return done | {"revision": repo["sha"]}
        require_place(args, repo, repo_id)
        number = next_number(shards_there(repo, args.config, args.split))
        adds = []
        for offset, shard in enumerate(built["shards"]):
            path = f"{folder_of(args.config)}/{args.split}-{number + offset:05d}.parquet"
            adds.append(CommitOperationAdd(path, args.out / shard["file"]))
            log(f"sending {path} ({shard['bytes'] / 1e6:.1f} MB)")
            with on_hub(f"sending {path}"):
                api.preupload_lfs_files(repo_id, [adds[-1]], repo_type="dataset")
        files = {add.path_in_repo: shard["bytes"] for add, shard in zip(adds, built["shards"], strict=True)}
        state = add_to_state(repo["state"] or empty_state(built), built, args.config, args.split)
        if repo["state"] is not None or not shards_there(repo, args.config, args.split):
            adds.append(CommitOperationAdd(STATE, (json.dumps(state, indent=1, ensure_ascii=False) + "\n").encode()))
            card = new_card(args, state, built, repo_id) if repo["card"] is None else None
            card = card or updated_card(repo["card"], state, built)
            if card:
                validate_card(card)
                adds.append(CommitOperationAdd("README.md", card.encode()))
            else:
                log_card_advice(state)
        try:
            with on_hub(f"committing to {repo_id}"):
                commit = api.create_commit(
                    repo_id, adds, repo_type="dataset", parent_commit=repo["sha"],
                    commit_message=f"Add {built['rows']} rows to {args.config}/{args.split}",
                )  # fmt: skip
        except Failure as failure:
            if " 412 " not in failure.problem:
                raise
            log("somebody else committed meanwhile: looking again")
            continue
        verify(api, repo_id, commit.oid, files)
        return {"revision": commit.oid, "files": list(files), "already": False}
    raise Failure(f"{repo_id} changed {ATTEMPTS} times meanwhile", "run the same command again")


def is_there(repo: dict, built: dict, args) -> dict | None:
    same = {"sha256": built["sha256"], "config": args.config, "split": args.split}
    for source in (repo["state"] or {}).get("sources", []):
        if not args.again and all(source[key] == value for key, value in same.items()):
            log("these rows are there already; nothing to do (--again adds them once more)")
            return {"files": [], "already": True}
    return None


def validate_card(text: str) -> None:
    from huggingface_hub import DatasetCard

    with on_hub("checking the card"):
        try:
            DatasetCard(text).validate()
        except ValueError as error:
            fix = "check --license and --language: https://huggingface.co/docs/hub/datasets-cards"
            raise Failure(f"the Hub refuses the card: {error}", fix, EXIT_USAGE) from None


def log_card_advice(state: dict) -> None:
    log("the README there is not ours and is left as it is. `datasets` needs this in its header:")
    for entry in data_files(state):
        log(f"  - config_name: {entry['config_name']}\n    data_files:")
        for each in entry["data_files"]:
            log(f"    - split: {each['split']}\n      path: {each['path']}")


def verify(api, repo_id: str, revision: str, files: dict) -> None:
    with on_hub(f"listing {repo_id}"):
        there = {
            f.path: f.size for f in api.get_paths_info(repo_id, list(files), repo_type="dataset", revision=revision)
        }
    if there != files:
        raise Failure(f"{repo_id} does not hold what was pushed: {there} and not {files}", "look at its history")


def arguments(argv: list) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("source", nargs="?", help="file or folder of rows, or folder of documents")
    options.add_argument("--example", choices=list(TEMPLATES), metavar="TEMPLATE", help="print example rows, and stop")
    options.add_argument("--template", choices=["auto", *TEMPLATES, "custom"], default="auto")
    options.add_argument("--schema", type=Path, help="JSON Schema of a row, for --template custom")
    options.add_argument("--system-prompt", help="text, or @FILE: put before conversations that have none")
    options.add_argument("--repo", help="dataset on the Hub: NAME or ORG/NAME")
    options.add_argument("--config", default="default", help="the configuration (subset) that the rows belong to")
    options.add_argument("--split", default="train")
    options.add_argument("--append", action="store_true", help="add shards to a dataset; none there is rewritten")
    options.add_argument("--again", action="store_true", help="append rows that are there already once more")
    options.add_argument("--skip-bad", action="store_true", help="leave bad rows out instead of stopping")
    options.add_argument("--max-row-mb", type=float, default=MAX_ROW_BYTES / 1e6, help="default: %(default)g")
    options.add_argument("--license", help="for a new card; none is chosen for you")
    options.add_argument("--language", action="append", help="for a new card, e.g. en; may be given again")
    options.add_argument("--public", action="store_true", help="everyone may read it; private otherwise")
    options.add_argument("--out", type=Path, default=Path("dataset-build"), help="build folder (default: %(default)s)")
    options.add_argument("--yes", action="store_true", help="push")
    options.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = options.parse_args(argv)
    if not args.example and not args.source:
        options.error("give SOURCE, or --example TEMPLATE")
    if (args.template == "custom") != (args.schema is not None):
        options.error("--template custom and --schema FILE belong together")
    for name in ("config", "split"):
        if not re.fullmatch(r"\w[\w.]*" if name == "split" else r"[\w-][\w.-]*", getattr(args, name)):
            options.error(f"--{name}: letters, digits, '_' and '.' (and '-' in --config)")
    if (args.append or args.yes) and not args.repo and not args.example:
        options.error("--append and --yes need --repo")
    args.max_row_bytes, args.adopted = int(args.max_row_mb * 1e6), None
    if args.system_prompt and args.system_prompt.startswith("@"):
        try:
            args.system_prompt = Path(args.system_prompt[1:]).read_text(encoding="utf-8").strip()
        except OSError as error:
            options.error(f"--system-prompt: {error}")
    return args


def main(argv: list[str]) -> int:
    args = arguments(argv)
    if args.example:
        for row in TEMPLATES[args.example][1]:
            say(json.dumps(row, ensure_ascii=False))
        return EXIT_OK
    api, repo_id, repo, existing = None, args.repo, None, None
    if args.append or args.yes:
        api, who = sign_in()
        repo_id = full_id(who, args.repo)
        repo = repo_state(api, repo_id)
        there = shards_there(repo, args.config, args.split)
        if args.append and there:
            existing = existing_schema(repo_id, repo["sha"], there)
        if args.append and args.config in (repo["state"] or {}).get("configs", {}):
            args.system_prompt = args.system_prompt or repo["state"]["system_prompt"]
            if args.template == "auto":  # held against what the dataset was made with
                args.adopted = repo["state"]["template"], repo["state"]["json_schema"]
    built = prepare(args, existing)
    document = {key: built[key] for key in ("template", "rows", "bad", "bad_shown", "columns")}
    document |= {
        "repo_id": repo_id,
        "config": args.config,
        "split": args.split,
        "pushed": False,
        "build": str(args.out),
    }
    if not built["rows"] or (built["bad"] and not args.skip_bad):
        return finish(args, document, EXIT_NO)
    preview = new_card(args, add_to_state(empty_state(built), built, args.config, args.split), built, repo_id or "NAME")
    write_atomic(args.out / "README.md", preview)
    if repo is not None and not is_there(repo, built, args):
        require_place(args, repo, repo_id)
    if not args.yes:
        return finish(args, document, EXIT_UNCONFIRMED if args.repo else EXIT_OK)
    document |= push(args, api, repo_id, built) | {"pushed": True, "url": f"{api.endpoint}/datasets/{repo_id}"}
    return finish(args, document, EXIT_OK)


def finish(args, document: dict, code: int) -> int:
    if args.json:
        emit(document)
        return code
    say(f"{document['rows']:,} rows of template {document['template']}, {document['bad']:,} bad")
    for finding in document["bad_shown"]:
        say(f"  {finding['file']}:{finding['line']}: {finding['problem']}")
    if document["bad"] > len(document["bad_shown"]):
        say(f"  … all of them in {args.out / 'bad-rows.jsonl'}")
    visible = "public" if args.public else "private"
    place = f"{document['repo_id']} ({visible}), {args.config}/{args.split}"
    if code == EXIT_NO:
        fix = "mend them, or leave them out with --skip-bad" if document["rows"] else "see the problems above"
        say(f"nothing was built: {fix}")
    elif document["pushed"]:
        say(f"{'already in' if document['already'] else 'pushed to'} {document['url']} at {document['revision'][:12]}")
    elif args.repo:
        say(f"would push to {place}; the card is {args.out / 'README.md'}. Run again with --yes")
    else:
        say(f"built in {args.out}; push it with --repo NAME --yes")
    return code


if __name__ == "__main__":
    sys.exit(run(main))
