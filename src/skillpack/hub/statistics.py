"""Statistics of one column of a split, as the Dataset Viewer API answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

BINS = 10
MAX_LABELS = 30
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return connection.execute(sql).fetchone() or ()


def _numbers(connection: duckdb.DuckDBPyConnection, value: str, whole: bool) -> dict[str, Any]:
    low, high, mean, median, deviation = _one(
        connection,
        f"SELECT min({value}), max({value}), avg({value}), median({value}), stddev_samp({value}) FROM data"
        f" WHERE {value} IS NOT NULL AND isfinite(CAST({value} AS DOUBLE))",
    )
    if low is None:
        return {"min": None, "max": None, "mean": None, "median": None, "std": None, "histogram": None}
    bins = min(BINS, int(high) - int(low) + 1) if whole else BINS
    if high == low:
        bins = 1
    width = (high - low) / bins if not whole else -(-(int(high) - int(low) + 1) // bins)
    edges = [min(low + width * i, high) for i in range(bins)] + [high]
    place = f"least({bins - 1}, CAST(floor(({value} - {low}) / {width or 1}) AS BIGINT))"
    counts = dict(
        connection.execute(
            f"SELECT {place} AS bin, count(*) FROM data"
            f" WHERE {value} IS NOT NULL AND isfinite(CAST({value} AS DOUBLE)) GROUP BY bin"
        ).fetchall()
    )
    return {
        "min": low,
        "max": high,
        "mean": round(mean, 5),
        "median": median,
        "std": round(deviation, 5) if deviation is not None else None,
        "histogram": {"hist": [counts.get(i, 0) for i in range(bins)], "bin_edges": edges},
    }


def column(connection: duckdb.DuckDBPyConnection, name: str, feature: Any) -> dict[str, Any] | None:
    """The statistics of a column of numbers, text, booleans or lists; None for any other."""
    quoted = '"' + name.replace('"', '""') + '"'
    total, missing = _one(connection, f"SELECT count(*), count(*) - count({quoted}) FROM data")
    base = {"nan_count": missing, "nan_proportion": round(missing / total, 5) if total else 0.0}
    kind = feature.get("_type") if isinstance(feature, dict) else "List" if isinstance(feature, list) else None
    dtype = feature.get("dtype") if isinstance(feature, dict) else None

    def answer(column_type: str, figures: dict[str, Any]) -> dict[str, Any]:
        return {"column_name": name, "column_type": column_type, "column_statistics": {**base, **figures}}

    if kind == "Value" and dtype in INTEGERS:
        return answer("int", _numbers(connection, quoted, whole=True))
    if kind == "Value" and dtype in FLOATS:
        return answer("float", _numbers(connection, quoted, whole=False))
    if kind in ("List", "LargeList", "Sequence"):
        return answer("list", _numbers(connection, f"len({quoted})", whole=True))
    if (kind == "Value" and dtype in ("bool", "string", "large_string")) or kind == "ClassLabel":
        distinct = _one(connection, f"SELECT count(DISTINCT {quoted}) FROM data")[0]
        if dtype == "bool" or kind == "ClassLabel" or distinct <= MAX_LABELS:
            rows = connection.execute(
                f"SELECT CAST({quoted} AS VARCHAR), count(*) FROM data WHERE {quoted} IS NOT NULL GROUP BY 1 ORDER BY 1"
            ).fetchall()
            if dtype == "bool":
                return answer("bool", {"frequencies": {label.capitalize(): count for label, count in rows}})
            names = feature.get("names", [])
            labels = {names[int(label)] if kind == "ClassLabel" else label: count for label, count in rows}
            column_type = "class_label" if kind == "ClassLabel" else "string_label"
            return answer(column_type, {"n_unique": distinct, "frequencies": labels})
        return answer("string_text", _numbers(connection, f"length({quoted})", whole=True))
    return None
