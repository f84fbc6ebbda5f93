# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "datasets>=5.2,<6",
#   "duckdb>=1.4,<2",
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "pyarrow>=20,<30",
# ]
# ///
"""SQL over datasets of the Hub and files of this machine, with DuckDB: query, describe, count, export, push.

SOURCE is a file, a folder, a Hub dataset, an hf:// pattern, or - for none; in SQL it is the table `data`. More tables:
--table NAME=SOURCE. Remote Parquet is read in parts, through the Hub's own client: DuckDB is not given the token. SQL
writes nothing, but reads every file that you can read (read_text), the one of a saved token too: run none unread.
Lists count from 1: answers[1] is the first.

examples:
  python scripts/query_dataset.py query me/chats "SELECT topic, count(*) FROM data GROUP BY topic"
  python scripts/query_dataset.py histogram me/chats "length(text)" --bins 20
  python scripts/query_dataset.py export rows.jsonl "SELECT * FROM data WHERE score > 0.5" --to good.parquet
  python scripts/query_dataset.py push me/chats "SELECT * FROM data WHERE ok" --repo good-chats --yes
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

import datetime
import hashlib
import math
import threading

FORMATS = {
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
    ".jsonl": "FORMAT json",
    ".csv": "FORMAT csv, HEADER",
}
READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".tsv": "read_csv"}
CELL = 60
REMOTE = "check the address, the network and HF_ENDPOINT, and that the token may read it (`hf auth whoami`)"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


class Database:
    """A DuckDB in memory with the sources as views; only SELECT is let in, and no extension is downloaded."""

    def __init__(self, args) -> None:
        import duckdb

        self.args, self.duckdb, self.identity = args, duckdb, []
        config = {"autoinstall_known_extensions": False, "memory_limit": args.memory, "threads": args.threads}
        try:
            self.connection = duckdb.connect(config=config)
        except duckdb.Error as error:
            raise Failure(f"--memory or --threads: {first_line(error)}", "e.g. --memory 4GB", EXIT_USAGE) from None
        self.connection.execute("SET enable_progress_bar = false")
        self.remote = False
        if "hf://" in getattr(args, "sql", ""):
            self.reach_hub()
        if args.source != "-":
            self.add("data", args.source, args.config, args.split, args.revision)
        for name, source in args.table:
            self.add(name, source)

    def reach_hub(self) -> None:
        """Lets hf:// addresses be read, through the client's file system: its import is left out where none is."""
        from huggingface_hub import HfFileSystem

        if not self.remote:
            self.connection.register_filesystem(HfFileSystem())
        self.remote = True

    def add(self, name: str, source: str, *parts) -> None:
        local = Path(source).expanduser().exists()
        with contextlib.nullcontext() if local else on_hub(f"reading {source}"):
            files = find_files(source, *parts)
        kinds = {READERS.get(Path(path).suffix.lower(), "read_json") for path in files}
        if len(kinds) > 1:
            raise Failure(f"{source} mixes formats: {', '.join(sorted(kinds))}", "name files of one format", EXIT_USAGE)
        if local:
            self.identity += [[path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns] for path in files]
        else:
            from huggingface_hub import HfFileSystem

            self.reach_hub()
            with on_hub(f"reading {source}"):
                self.identity += [[path, str(HfFileSystem().info(path).get("blob_id"))] for path in files]
        kind = kinds.pop()
        more = {
            "read_json": ", maximum_object_size = 200000000, union_by_name = true",
            "read_csv": ", union_by_name = true",
            "read_parquet": ", union_by_name = true",
        }[kind]
        self.run(f"CREATE VIEW {quoted(name)} AS SELECT * FROM {kind}([{', '.join(map(text, files))}]{more})")

    def run(self, sql: str):
        """A cursor. Raises Failure for bad SQL, and after --timeout seconds."""
        alarm = threading.Timer(self.args.timeout, self.connection.interrupt)
        alarm.start()
        try:
            return self.connection.execute(sql)
        except self.duckdb.InterruptException:
            fix = "--timeout more seconds, fewer columns, or a LIMIT inside"
            raise Failure(f"the query took longer than {self.args.timeout:g} s", fix) from None
        except self.duckdb.OutOfMemoryException as error:
            raise Failure(first_line(error), "--memory more, or aggregate before sorting and joining") from None
        except self.duckdb.Error as error:
            remote = re.search(r"\b(HfHubHTTPError|\w*NotFoundError|Connect\w*|\w*Timeout|RuntimeError)\b", str(error))
            code = EXIT_FAILED if remote and self.remote else EXIT_USAGE
            fix = REMOTE if code == EXIT_FAILED else hint(str(error))
            raise Failure(f"DuckDB: {first_line(error)}", fix, code) from None
        finally:
            alarm.cancel()

    def select(self, sql: str) -> str:
        """`sql` up to its semicolon, if it is one SELECT; a comment may stand at its end. Raises Failure."""
        try:
            statements = self.connection.extract_statements(sql)
        except self.duckdb.Error as error:
            raise Failure(f"DuckDB: {first_line(error)}", hint(str(error)), EXIT_USAGE) from None
        if len(statements) != 1 or statements[0].type != self.duckdb.StatementType.SELECT:
            fix = "give one SELECT; files are written by export, datasets by push"
            raise Failure(f"{len(statements)} statements, or none that only reads", fix, EXIT_USAGE)
        text = sql.encode()  # the places of tokens count bytes
        ends = [at for at, _ in self.duckdb.tokenize(sql) if text[at : at + 1] == b";"]
        return text[: ends[0] if ends else None].decode().strip()

    def table(self, sql: str) -> tuple:
        """(column names, rows) with values that JSON can hold."""
        cursor = self.run(sql)
        names = [column[0] for column in cursor.description]
        is_json = [str(column[1]) == "JSON" for column in cursor.description]
        rows = [[plain(value, parse) for value, parse in zip(row, is_json, strict=True)] for row in cursor.fetchall()]
        return names, rows

    def one(self, sql: str):
        return self.run(sql).fetchone()


def first_line(error: Exception) -> str:
    return " ".join(line.strip() for line in str(error).splitlines()[:3])[:400]


def hint(message: str) -> str:
    if "Referenced column" in message or "not found in FROM" in message:
        return "`schema SOURCE` lists the columns; names with capitals or spaces stand in double quotes"
    if "Malformed JSON" in message or "Invalid Input" in message:
        return "the rows themselves may be bad: create_dataset.py SOURCE reports them by line"
    return "references/sql-notes.md has what differs from other databases"


def plain(value, parse: bool = False):
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and parse:
        return json.loads(value)
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)


def show(args, names: list, rows: list, **more) -> int:
    """The result on standard output: a table, or one JSON document of {rows: [{column: value}], …}."""
    if args.json:
        emit({"columns": names, "rows": [dict(zip(names, row, strict=True)) for row in rows], **more})
        return EXIT_OK
    cells = [[cell(value) for value in row] for row in [names, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    for number, row in enumerate(cells):
        say("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            say("  ".join("-" * width for width in widths))
    for name, value in more.items():
        say(f"{name.replace('_', ' ')}: {value}")
    return EXIT_OK


def cell(value) -> str:
    shown = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = shown.replace("\n", "\\n")
    return shown if len(shown) <= CELL else shown[: CELL - 1] + "…"


# Commands.


def query(args, base: Database) -> int:
    sql = base.select(args.sql)
    names, rows = base.table(f"SELECT * FROM ({sql}\n) LIMIT {args.limit + 1}" if args.limit else sql)
    more = bool(args.limit) and len(rows) > args.limit
    return show(args, names, rows[: args.limit or None], **({"more_rows_than": args.limit} if more else {}))


def sample(args, base: Database) -> int:
    base.run("SET threads = 1")  # with more, the same seed gives other rows
    where = f"(SELECT * FROM data WHERE {args.where}\n)" if args.where else "data"
    size = f"reservoir({args.limit or 10} ROWS) REPEATABLE ({args.seed})"
    return show(args, *base.table(base.select(f"SELECT * FROM {where} USING SAMPLE {size}")))


def schema(args, base: Database) -> int:
    names, rows = base.table("DESCRIBE data")
    return show(args, names[:3], [row[:3] for row in rows])


def describe(args, base: Database) -> int:
    columns = [row[0] for row in base.table("DESCRIBE data")[1] if row[1] in ("DOUBLE", "FLOAT")]
    endless = [f"count(*) FILTER (NOT isfinite({quoted(name)}))" for name in columns]
    counts = base.one(f"SELECT {', '.join(endless)} FROM data") if columns else ()
    wrong = {name: number for name, number in zip(columns, counts, strict=True) if number}
    finite = ", ".join(
        f"CASE WHEN isfinite({quoted(name)}) THEN {quoted(name)} END AS {quoted(name)}" for name in wrong
    )
    for name, number in wrong.items():  # DuckDB refuses the standard deviation of such a column
        log(f"warning: {name}: {number} values that are no finite numbers count as missing")
    names, rows = base.table(f"SUMMARIZE SELECT * REPLACE ({finite}) FROM data" if wrong else "SUMMARIZE data")
    return show(args, names, rows)


def count(args, base: Database) -> int:
    condition = f" WHERE {args.where}" if args.where else ""
    number = base.one(base.select(f"SELECT count(*) FROM data{condition}"))[0]
    if args.json:
        emit({"rows": number})
    else:
        say(str(number))
    return EXIT_OK


def unique(args, base: Database) -> int:
    sql = f"SELECT {args.expression} AS value, count(*) AS rows FROM data GROUP BY 1"
    distinct = base.one(base.select(f"SELECT count(value) FROM ({sql})"))[0]
    rows = base.table(f"{sql} ORDER BY rows DESC, value LIMIT {args.limit or 100}")
    return show(args, *rows, distinct=distinct)


def histogram(args, base: Database) -> int:
    """Rows between edges of equal width, from the least value to the greatest; of whole numbers the edges are whole."""
    inner = base.select(f"SELECT {args.expression} AS x FROM data")
    kind = base.run(f"DESCRIBE ({inner})").fetchone()[1]
    if not re.match(r"U?(TINY|SMALL|BIG|HUGE)?INT|INTEGER|UINTEGER|DOUBLE|FLOAT|DECIMAL|REAL", kind):
        fix = f"give a number, e.g. 'length({args.expression})'; counts of values: unique"
        raise Failure(f"{args.expression} is {kind}, not a number", fix, EXIT_USAGE)
    finite = f"SELECT CAST(x AS DOUBLE) AS x FROM ({inner}) WHERE x IS NOT NULL AND isfinite(CAST(x AS DOUBLE))"
    total, missing = base.one(f"SELECT count(*), count(*) - count(x) FROM ({inner})")
    number, low, high = base.one(f"SELECT count(*), min(x), max(x) FROM ({finite})")
    if not number:
        return show(args, ["from", "to", "rows"], [], missing=missing, not_finite=total - missing)
    whole = "INT" in kind
    width = max(1, math.ceil((high - low + 1) / args.bins)) if whole else (high - low) / args.bins
    bins = min(args.bins, int((high - low) // width) + 1) if whole else args.bins if width else 1
    place = f"least({bins - 1}, CAST(floor((x - {low!r}) / {width or 1!r}) AS BIGINT))"
    counts = dict(base.run(f"SELECT {place}, count(*) FROM ({finite}) GROUP BY 1").fetchall())
    edges = [low + width * i for i in range(bins)] + [low + width * bins if whole else high]
    edges = list(map(int, edges)) if whole else edges
    rows = [[edges[i], edges[i + 1], counts.get(i, 0)] for i in range(bins)]
    more = {"missing": missing, "not_finite": total - missing - number, "least": low, "greatest": high}
    if args.json:
        return show(args, ["from", "to", "rows"], rows, **more)
    most = max(row[2] for row in rows)
    shown = [[f"{row[0]:.6g}", f"{row[1]:.6g}", row[2], "█" * math.ceil(40 * row[2] / most)] for row in rows]
    return show(args, ["from", "below", "rows", ""], shown, **more)


def transform(args, base: Database) -> int:
    """SELECT put together from its parts; written with --to, else the first rows are shown."""
    parts = {"WHERE": args.where, "GROUP BY": args.group_by, "ORDER BY": args.order_by}
    clauses = " ".join(f"{word} {value}" for word, value in parts.items() if value)
    args.sql = f"SELECT {args.select} FROM data {clauses}".strip()
    log(args.sql)
    return export(args, base) if args.to else query(args, base)


def export(args, base: Database) -> int:
    sql = base.select(args.sql)
    if args.to.suffix not in FORMATS:
        raise Failure(f"--to {args.to}: unknown format", f"one of {', '.join(FORMATS)}", EXIT_USAGE)
    if args.to.exists() and not args.overwrite:
        raise Failure(f"{args.to} is there already", "--overwrite, or another name", EXIT_USAGE)
    rows = write(base, sql, args.to)
    if args.json:
        emit({"file": str(args.to), "rows": rows, "bytes": args.to.stat().st_size})
    else:
        say(f"{rows:,} rows in {args.to} ({args.to.stat().st_size / 1e6:.1f} MB)")
    return EXIT_OK


def write(base: Database, sql: str, path: Path, more: str = "") -> int:
    """Runs `sql` once into a file that appears whole. Returns its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        cursor = base.run(f"COPY ({sql}\n) TO {text(str(part))} ({FORMATS[path.suffix]}{more})")
        rows = cursor.fetchone()[0]
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return rows


# Pushing: the query runs once, its result is kept, and that file is what is pushed.


def push(args, base: Database) -> int:
    import pyarrow.parquet as pq

    sql = base.select(args.sql)
    identity = json.dumps([sql, base.identity, sorted(args.table)])
    mark = hashlib.sha256(identity.encode()).hexdigest()
    path = args.to or Path("query-result.parquet")
    if path.suffix != ".parquet":
        raise Failure(f"--to {path}: a result is pushed as Parquet", "name it .parquet", EXIT_USAGE)
    known = pq.read_metadata(path).metadata.get(b"skillpack") if path.is_file() else None
    if known == mark.encode():
        log(f"{path} is the result of this query")
    elif path.exists() and known is None and not args.overwrite:
        raise Failure(f"{path} is there already, and not a result of push", "--overwrite, or another --to", EXIT_USAGE)
    else:
        write(base, sql, path, f", KV_METADATA {{skillpack: '{mark}'}}")
    found = pq.read_metadata(path)
    document = {"file": str(path), "rows": found.num_rows, "columns": pq.read_schema(path).names, "repo_id": args.repo}
    document |= {"bytes": path.stat().st_size, "pushed": False}
    if not found.num_rows:
        raise Failure("the query gives no rows", "nothing is pushed; look at it with `query`", EXIT_NO)
    if not args.yes:
        where = f"{args.repo} ({'public' if args.public else 'private'})"
        if args.json:
            emit(document)
        else:
            say(f"would push {found.num_rows:,} rows in {path} to {where}; run again with --yes")
        return EXIT_UNCONFIRMED
    document |= send(args, path, sql, found.num_rows) | {"pushed": True}
    if args.json:
        emit(document)
    else:
        state = "already in" if document["already"] else "pushed to"
        say(f"{found.num_rows:,} rows {state} {document['url']} at {document['revision'][:12]}")
    return EXIT_OK


def send(args, path: Path, sql: str, rows: int) -> dict:
    """One commit of the result, with a card where there is none."""
    from huggingface_hub import CommitOperationAdd

    api, who = sign_in()
    repo_id = full_id(who, args.repo)
    target = f"data/{args.push_split}-00000.parquet"
    with on_hub(f"making {repo_id}"):
        api.create_repo(repo_id, repo_type="dataset", private=not args.public, exist_ok=True)
        info = api.dataset_info(repo_id, files_metadata=True)
    answer = {"repo_id": repo_id, "url": f"{api.endpoint}/datasets/{repo_id}", "already": False}
    with path.open("rb") as file:
        own = hashlib.file_digest(file, "sha256").hexdigest() if sys.version_info >= (3, 11) else sha256(file)
    there = {each.rfilename: each.lfs.sha256 if each.lfs else "" for each in info.siblings or []}
    if there.get(target) == own:
        return answer | {"already": True, "revision": info.sha}
    taken = [name for name in there if name.endswith(ROW_FILES) and (name == target or not name.startswith("data/"))]
    if taken:
        fix = "give another --repo or --push-split; create_dataset.py --append adds rows to a dataset"
        raise Failure(f"{repo_id} already holds {taken[0]}", fix, EXIT_USAGE)
    if not info.private and not args.public:
        raise Failure(f"{repo_id} is public", "add --public if these rows may be, or give another --repo", EXIT_USAGE)
    adds = [CommitOperationAdd(target, path)]
    if "README.md" not in there:
        adds.append(CommitOperationAdd("README.md", card(args, repo_id, sql, rows).encode()))
    with on_hub(f"pushing to {repo_id}"):
        commit = api.create_commit(
            repo_id, adds, repo_type="dataset", parent_commit=info.sha, commit_message=f"Add {rows} rows of a query"
        )
        size = api.get_paths_info(repo_id, [target], repo_type="dataset", revision=commit.oid)[0].size
    if size != path.stat().st_size:
        raise Failure(f"{repo_id} holds {size} bytes of {path.stat().st_size}", "look at its history")
    return answer | {"revision": commit.oid}


def sha256(file) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def card(args, repo_id: str, sql: str, rows: int) -> str:
    """A card that says where the rows come from, and claims no licence for them."""
    today = datetime.date.today().isoformat()
    source = args.source if HUB_ID.fullmatch(args.source) or args.source.startswith("hf://") else Path(args.source).name
    return "\n".join([
        "---", "configs:", "- config_name: default", "  data_files:", f"  - split: {args.push_split}",
        f"    path: data/{args.push_split}-*", "tags:", "- skillpack", "---", "", f"# {repo_id.rpartition('/')[2]}", "",
        f"{rows:,} rows, the result of this query over `{source}`, {today}:", "", "```sql", redact(sql), "```", "",
        "The licence is that of the source; none is stated here.", "",
    ])  # fmt: skip


COMMANDS = {
    "query": (query, "rows of a SELECT; 100 unless --limit says otherwise"),
    "sample": (sample, "rows drawn at random, the same ones for the same --seed"),
    "schema": (schema, "columns and types"),
    "describe": (describe, "least, greatest, mean, quartiles and missing of each column"),
    "count": (count, "number of rows"),
    "unique": (unique, "values of an expression and their rows"),
    "histogram": (histogram, "rows between edges of equal width"),
    "transform": (transform, "select, where, group and order, shown or written --to a file"),
    "export": (export, "the result of a SELECT as .parquet, .jsonl or .csv"),
    "push": (push, "the result of a SELECT as a dataset on the Hub"),
}


def named_source(value: str) -> tuple:
    name, equals, source = value.partition("=")
    if not equals or not name.isidentifier() or name == "data":
        raise argparse.ArgumentTypeError(f"{value!r}: NAME=SOURCE, and the name `data` is taken")
    return name, source


def arguments(argv: list) -> argparse.Namespace:
    options = parser(__doc__)
    commands = options.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, summary) in COMMANDS.items():
        one = commands.add_parser(name, help=summary, description=summary)
        one.add_argument("source", help="file, folder, Hub dataset, hf:// pattern, or - for none")
        if name in ("query", "export", "push"):
            one.add_argument("sql", help="one SELECT; the source is `data`")
        if name in ("unique", "histogram"):
            one.add_argument("expression", help="a column, or SQL over the columns")
        if name in ("sample", "count", "transform"):
            one.add_argument("--where", help="condition in SQL")
        if name == "transform":
            one.add_argument("--select", default="*", help="columns or expressions (default: all)")
            one.add_argument("--group-by")
            one.add_argument("--order-by")
        if name == "histogram":
            one.add_argument("--bins", type=int, default=10)
        if name == "sample":
            one.add_argument("--seed", type=int, default=0)
        if name in ("query", "sample", "unique", "transform"):
            one.add_argument("--limit", type=int, default=10 if name == "sample" else 100, help="0: no limit")
        if name in ("export", "transform", "push"):
            one.add_argument("--to", type=Path, required=name == "export", help="file to write")
            one.add_argument("--overwrite", action="store_true")
        if name == "push":
            one.add_argument("--repo", required=True, help="dataset on the Hub: NAME or ORG/NAME")
            one.add_argument("--push-split", default="train", help="the split that the rows become")
            one.add_argument("--public", action="store_true", help="everyone may read it; private otherwise")
            one.add_argument("--yes", action="store_true", help="push")
        one.add_argument("--table", type=named_source, action="append", default=[], metavar="NAME=SOURCE")
        one.add_argument("--config", help="of a Hub dataset")
        one.add_argument("--split", help="of a Hub dataset (default: train)")
        one.add_argument("--revision", help="of a Hub dataset")
        one.add_argument("--memory", default="2GB", help="limit for DuckDB (default: %(default)s)")
        one.add_argument("--threads", type=int, default=2)
        one.add_argument("--timeout", type=float, default=300, help="seconds for one statement (default: %(default)g)")
        one.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = options.parse_args(argv)
    if getattr(args, "limit", 0) < 0 or getattr(args, "bins", 1) < 1:
        options.error("--limit is 0 or more, --bins 1 or more")
    return args


def main(argv: list[str]) -> int:
    args = arguments(argv)
    return COMMANDS[args.command][0](args, Database(args))


if __name__ == "__main__":
    sys.exit(run(main))
