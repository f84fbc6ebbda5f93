"""The region that reads and writes rows: any JSON comes back from Parquet as it was."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from skillpack.kit.rows import kind_of, merged, parse_row, read_rows, schema_of, to_table

NAMES = st.sampled_from(["a", "b", "content", "arguments", "tools"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
ROWS = st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), min_size=1, max_size=6)


def without_nulls(value: Any) -> Any:
    """A key with null and no such key are one in a table."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def through_parquet(rows: list[dict[str, Any]]) -> list[Any]:
    kinds: dict[str, Any] = {}
    for row in rows:
        for name, value in row.items():
            kinds[name] = merged(kinds.get(name, "null"), kind_of(value, name))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pq.write_table(to_table(rows, schema_of(kinds)), path)
        return [row for _, row, _ in read_rows(str(path))]


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_rows_of_any_shape_come_back_from_parquet(rows: list[dict[str, Any]]) -> None:
    rows = [row for row in rows if all(surrogate_free(value) for value in row.values())]
    if rows:
        assert without_nulls(through_parquet(rows)) == without_nulls(rows)


def surrogate_free(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def test_keys_of_one_row_do_not_appear_in_the_arguments_of_another() -> None:
    rows = [{"arguments": {"city": "Oslo"}}, {"arguments": {"path": "/", "deep": {"x": []}}}]
    assert through_parquet(rows) == rows


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_line_is_a_row_or_a_reason(line: bytes) -> None:
    row, problem = parse_row(line)
    assert (row is None) == bool(problem) and (row is None or isinstance(row, dict))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.text(alphabet='ab",\n\r7.e-', max_size=6), min_size=2, max_size=2), max_size=6))
def test_csv_of_any_text_comes_back_or_is_reported(values: list[list[str]]) -> None:
    import csv

    text = io.StringIO(newline="")
    csv.writer(text).writerows([["a", "b"], *values])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(text.getvalue().encode())
        found = list(read_rows(str(path)))
    assert not [problem for _, _, problem in found if problem]
    back = [[row["a"], row["b"]] for _, row, _ in found]
    for column in (0, 1):
        for value, each in zip(back, values, strict=True):
            got, was = value[column], each[column]
            assert got is None if was == "" else got == was or float(got) == float(was)


def test_codes_stay_text_and_numbers_become_numbers(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("code,n,x,ok,e\n007,1,1.5,true,1e5\n42,-2,3,False,\n")
    (_, first, _), (_, second, _) = read_rows(str(tmp_path / "r.csv"))
    assert first == {"code": "007", "n": 1, "x": 1.5, "ok": True, "e": "1e5"}
    assert second == {"code": "42", "n": -2, "x": 3.0, "ok": False, "e": None}


def test_one_column_of_text_with_semicolons_is_one_column(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("text\none; two\n")
    assert [row for _, row, _ in read_rows(str(tmp_path / "r.csv"))] == [{"text": "one; two"}]
