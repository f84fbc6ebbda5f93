"""The region of the scripts that read rows of any size from files: where they are, one at a time, as Arrow tables.

A row that cannot be read is a finding with its line, never an exception: one bad line of a million is reported, and
the reader goes on behind it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from skillpack.kit.script import EXIT_USAGE, Failure

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
