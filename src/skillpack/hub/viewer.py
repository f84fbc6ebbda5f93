"""The Dataset Viewer API, at /datasets-server/: rows, search, filter and figures, read from the repo's files.

Search is substring matching in text columns, not BM25; everything is computed when it is asked for.
"""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import BaseRoute

from . import repos, splits
from .errors import HubError
from .http import endpoint, integer
from .repos import Repo
from .splits import Split

if TYPE_CHECKING:
    import duckdb

    from .state import Hub

PAGE = 100
FIRST_ROWS_CELL = 10_000  # characters of a cell in first-rows
QUERY_S = 10.0


def _required(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise HubError(422, f"Parameter {name!r} is required", "MissingRequiredParameter")
    return value


def _dataset(hub: Hub, request: Request) -> Repo:
    return repos.readable(hub, request, "dataset", _required(request, "dataset"), gate=True)


def _split(hub: Hub, request: Request) -> Split:
    repo = _dataset(hub, request)
    return splits.one(hub, repo, _required(request, "config"), _required(request, "split"))


def _identity(split: Split) -> dict[str, str]:
    return {"dataset": split.repo.full_name, "config": split.config, "split": split.split}


def _done(**answer: Any) -> dict[str, Any]:
    return {**answer, "pending": [], "failed": [], "partial": False}


# Features and cells


def _feature(kind: Any) -> Any:
    """An Arrow type as `datasets` writes it."""
    import pyarrow.types as types

    if types.is_struct(kind):
        return {kind.field(i).name: _feature(kind.field(i).type) for i in range(kind.num_fields)}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if types.is_timestamp(kind):
        return {"dtype": f"timestamp[{kind.unit}]", "_type": "Value"}
    names = {"double": "float64", "float": "float32", "halffloat": "float16", "string_view": "string"}
    return {"dtype": names.get(str(kind), str(kind)), "_type": "Value"}


def features(path: Path) -> dict[str, Any]:
    """Column name -> feature: what `datasets` stored in the file, else what its schema says."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    stored = (schema.metadata or {}).get(b"huggingface")
    if stored:
        try:
            found = json.loads(stored)["info"]["features"]
            if isinstance(found, dict) and list(found) == schema.names:
                return found
        except (ValueError, KeyError, TypeError):
            pass  # written by something else: the schema still says what is there
    return {field.name: _feature(field.type) for field in schema}


def _feature_list(path: Path) -> list[dict[str, Any]]:
    return [{"feature_idx": i, "name": name, "type": kind} for i, (name, kind) in enumerate(features(path).items())]


def cell(value: Any) -> Any:
    """A value that JSON can hold."""
    if isinstance(value, dict):
        return {str(key): cell(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [cell(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _row(number: int, values: dict[str, Any]) -> dict[str, Any]:
    return {"row_idx": number, "row": {name: cell(value) for name, value in values.items()}, "truncated_cells": []}


def slice_rows(path: Path, offset: int, length: int) -> list[dict[str, Any]]:
    """Rows [offset, offset + length) read group by group."""
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as file:
        start = 0
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            if start + count > offset and len(found) < length:
                skip = max(0, offset - start)
                table = file.read_row_group(group).slice(skip, length - len(found))
                found += [_row(start + skip + i, values) for i, values in enumerate(table.to_pylist())]
            start += count
    return found


def count_rows(path: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


# SQL


@contextmanager
def table(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that can read one folder and nothing else, with the split as `data`; 400 for bad SQL."""
    import duckdb

    config: dict[str, Any] = {"threads": 1, "memory_limit": "512MB", "autoinstall_known_extensions": False}
    connection = duckdb.connect(config=config)
    alarm = threading.Timer(QUERY_S, connection.interrupt)
    try:
        connection.execute("SET allowed_directories = [?]", [str(path.parent)])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET python_enable_replacements = false")
        connection.execute("SET lock_configuration = true")
        name = str(path).replace("'", "''")
        connection.execute(f"CREATE VIEW data AS SELECT * FROM read_parquet('{name}', file_row_number = true)")
        alarm.start()
        yield connection
    except duckdb.InterruptException as error:
        raise HubError(400, f"The query took longer than {QUERY_S:.0f} s") from error
    except duckdb.Error as error:
        raise HubError(400, f"The query is invalid: {str(error).splitlines()[0]}", "InvalidParameter") from error
    finally:
        alarm.cancel()
        connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _select(path: Path, condition: str, order: str, values: list[Any], offset: int, length: int) -> dict[str, Any]:
    """A page of the rows that meet `condition`."""
    ordered = f"ORDER BY {order}" if order else "ORDER BY file_row_number"
    with table(path) as connection:
        sql = f"SELECT * FROM data WHERE ({condition}) {ordered} LIMIT {length} OFFSET {offset}"
        count = f"SELECT count(*) FROM data WHERE ({condition})"
        for text in (sql, count):
            if len(connection.extract_statements(text)) != 1:
                raise HubError(400, "One condition, not several statements", "InvalidParameter")
        total = (connection.execute(count, values).fetchone() or (0,))[0]
        cursor = connection.execute(sql, values)
        names = [column[0] for column in cursor.description or []]
        rows = []
        for record in cursor.fetchall():
            row = dict(zip(names, record, strict=True))
            rows.append(_row(row.pop("file_row_number"), row))
    return {
        "features": _feature_list(path),
        "rows": rows,
        "num_rows_total": total,
        "num_rows_per_page": PAGE,
        "partial": False,
    }


# Endpoints


def _is_valid(hub: Hub, request: Request, body: Any) -> Any:
    viewable = bool(splits.find(hub, _dataset(hub, request)))
    return dict.fromkeys(("preview", "viewer", "search", "filter", "statistics"), viewable)


def _chosen(hub: Hub, request: Request) -> list[Split]:
    """The splits of the dataset, of one config, or one split, as the query says."""
    found = splits.find(hub, _dataset(hub, request))
    for name in ("config", "split"):
        if wanted := request.query_params.get(name):
            found = [each for each in found if getattr(each, name) == wanted]
            if not found:
                raise HubError(404, f"The {name} {wanted!r} does not exist", f"{name.capitalize()}NotFoundError")
    return found


def _splits(hub: Hub, request: Request, body: Any) -> Any:
    found = _chosen(hub, request)
    if not found:
        raise HubError(422, "The dataset has no Parquet, JSON or CSV files to show", "EmptyDatasetError")
    return {"splits": [_identity(each) for each in found], "pending": [], "failed": []}


def _info(hub: Hub, request: Request, body: Any) -> Any:
    infos: dict[str, Any] = {}
    for each in _chosen(hub, request):
        path = splits.parquet(hub, each)
        entry: dict[str, Any] = infos.setdefault(
            each.config,
            {
                "features": features(path),
                "builder_name": "parquet",
                "dataset_name": each.repo.name,
                "config_name": each.config,
                "splits": {},
                "download_size": 0,
                "dataset_size": 0,
            },
        )
        size = path.stat().st_size
        entry["splits"][each.split] = {
            "name": each.split,
            "num_bytes": size,
            "num_examples": count_rows(path),
            "dataset_name": each.repo.name,
        }
        entry["download_size"] += sum(size for _, size in each.files)
        entry["dataset_size"] += size
    config = request.query_params.get("config")
    return _done(dataset_info=infos[config] if config else infos)


def _size(hub: Hub, request: Request, body: Any) -> Any:
    chosen = _chosen(hub, request)
    figures: list[dict[str, Any]] = []
    for each in chosen:
        path = splits.parquet(hub, each)
        figures.append(
            {
                **_identity(each),
                "num_bytes_parquet_files": path.stat().st_size,
                "num_bytes_memory": path.stat().st_size,
                "num_rows": count_rows(path),
                "num_columns": len(features(path)),
                "estimated_num_rows": None,
            }
        )
    sums = ("num_bytes_parquet_files", "num_bytes_memory", "num_rows")

    def total(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {name: sum(row[name] for row in rows) for name in sums}

    original = sum(size for each in chosen for _, size in each.files)
    by_config: dict[str, list[dict[str, Any]]] = {}
    for row in figures:
        by_config.setdefault(row["config"], []).append(row)
    name = request.query_params["dataset"]
    configs = [
        {"dataset": name, "config": config, **total(rows), "num_columns": rows[0]["num_columns"]}
        for config, rows in by_config.items()
    ]
    whole = {"dataset": name, "num_bytes_original_files": original, **total(figures)}
    if request.query_params.get("config"):
        return _done(size={"config": configs[0], "splits": figures})
    return _done(size={"dataset": whole, "configs": configs, "splits": figures})


def _bounds(request: Request) -> tuple[int, int]:
    offset = integer(request, "offset", 0, 0, 1 << 62)
    length = request.query_params.get("length")
    if length is not None and length.isdigit() and int(length) > PAGE:
        raise HubError(422, f"Parameter 'length' must not be greater than {PAGE}", "InvalidParameter")
    return offset, integer(request, "length", PAGE, 0, PAGE)


def _rows(hub: Hub, request: Request, body: Any) -> Any:
    path = splits.parquet(hub, _split(hub, request))
    offset, length = _bounds(request)
    return {
        "features": _feature_list(path),
        "rows": slice_rows(path, offset, length),
        "num_rows_total": count_rows(path),
        "num_rows_per_page": PAGE,
        "partial": False,
    }


def _first_rows(hub: Hub, request: Request, body: Any) -> Any:
    split = _split(hub, request)
    path = splits.parquet(hub, split)
    rows = slice_rows(path, 0, PAGE)
    for row in rows:
        for name, value in row["row"].items():
            text = value if isinstance(value, str) else json.dumps(value)
            if len(text) > FIRST_ROWS_CELL:
                row["row"][name] = text[:FIRST_ROWS_CELL]
                row["truncated_cells"].append(name)
    truncated = count_rows(path) > PAGE
    return {**_identity(split), "features": _feature_list(path), "rows": rows, "truncated": truncated}


def _search(hub: Hub, request: Request, body: Any) -> Any:
    path = splits.parquet(hub, _split(hub, request))
    words = _required(request, "query").split()
    offset, length = _bounds(request)
    texts = [
        f"CAST({_quoted(name)} AS VARCHAR)"
        for name, kind in features(path).items()
        if not (isinstance(kind, dict) and kind.get("_type") == "Value" and kind.get("dtype") != "string")
    ]
    if not texts:
        raise HubError(400, "The split has no text to search", "SearchNotAvailable")
    haystack = f"concat_ws(' ', {', '.join(texts)})"
    condition = " AND ".join([f"contains(lower({haystack}), lower(?))"] * len(words)) or "false"
    return _select(path, condition, "", words, offset, length)


def _filter(hub: Hub, request: Request, body: Any) -> Any:
    path = splits.parquet(hub, _split(hub, request))
    where, order = request.query_params.get("where", ""), request.query_params.get("orderby", "")
    if not where and not order:
        raise HubError(422, "Parameter 'where' or 'orderby' is required", "MissingRequiredParameter")
    return _select(path, where or "true", order, [], *_bounds(request))


def _parquet(hub: Hub, request: Request, body: Any) -> Any:
    listed = []
    for each in _chosen(hub, request):
        path = splits.parquet(hub, each)
        if each.native:
            url = f"{hub.url}/datasets/{each.repo.full_name}/resolve/{each.oid}/{quote(each.files[0][0])}"
        else:
            parts = "/".join(quote(part, safe="") for part in (each.config, each.split))
            url = f"{hub.url}/datasets-server/converted/{each.repo.full_name}/{parts}/0000.parquet"
        listed.append({**_identity(each), "url": url, "filename": "0000.parquet", "size": path.stat().st_size})
    return _done(parquet_files=listed)


def _converted(hub: Hub, request: Request, body: Any) -> Any:
    parameters = request.path_params
    repo = repos.readable(hub, request, "dataset", f"{parameters['namespace']}/{parameters['name']}", gate=True)
    path = splits.parquet(hub, splits.one(hub, repo, parameters["config"], parameters["split"]))
    return FileResponse(path, media_type="application/vnd.apache.parquet")


def _statistics(hub: Hub, request: Request, body: Any) -> Any:
    from .statistics import column

    path = splits.parquet(hub, _split(hub, request))
    with table(path) as connection:
        columns = [column(connection, name, kind) for name, kind in features(path).items()]
    return {"num_examples": count_rows(path), "statistics": [each for each in columns if each], "partial": False}


def routes(hub: Hub) -> list[BaseRoute]:
    base = "/datasets-server"
    return [
        endpoint(f"{base}/is-valid", _is_valid),
        endpoint(f"{base}/splits", _splits),
        endpoint(f"{base}/info", _info),
        endpoint(f"{base}/size", _size),
        endpoint(f"{base}/rows", _rows),
        endpoint(f"{base}/first-rows", _first_rows),
        endpoint(f"{base}/search", _search),
        endpoint(f"{base}/filter", _filter),
        endpoint(f"{base}/parquet", _parquet),
        endpoint(f"{base}/statistics", _statistics),
        endpoint(f"{base}/converted/{{namespace}}/{{name}}/{{config:rev}}/{{split:rev}}/0000.parquet", _converted),
    ]
