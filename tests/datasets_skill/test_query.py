"""query_dataset.py: right answers, once, and nothing that the SQL could change."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import Desk

SCRIPT = "query_dataset.py"
ROWS = [
    {"n": i, "topic": "a" if i < 7 else "b", "score": i / 2, "answers": [f"first {i}", f"second {i}"], "pick": 1}
    for i in range(10)
]


def rows_of(answer: Any) -> list[list[Any]]:
    return [list(row.values()) for row in answer["rows"]]


def test_lists_count_from_one_and_a_word_of_the_sql_is_not_replaced(desk: Desk) -> None:
    desk.write("rows.jsonl", ROWS)
    sql = "SELECT answers[1], answers[pick + 1], 'FROM database' AS data_from, answers[0] FROM data WHERE n = 3"
    assert rows_of(desk.json(SCRIPT, "query", "rows.jsonl", sql)) == [["first 3", "second 3", "FROM database", None]]


def test_rows_of_the_hub_are_queried_with_a_token_that_no_sql_sees(desk: Desk) -> None:
    repo = desk.dataset("rows", ROWS)
    desk.dataset("rows", ROWS[:2], split="test")
    (desk.folder / "names.csv").write_text("topic,name\na,Animals\nb,Books\n")
    sql = "SELECT name, sum(n) FROM data JOIN names USING (topic) GROUP BY name ORDER BY name"
    assert rows_of(desk.json(SCRIPT, "query", repo, sql, "--table", "names=names.csv")) == [
        ["Animals", 21],
        ["Books", 24],
    ]
    assert desk.json(SCRIPT, "count", repo, "--split", "test") == {"rows": 2}
    address = f"SELECT count(*) FROM read_json('hf://datasets/{repo}/train.jsonl')"
    assert rows_of(desk.json(SCRIPT, "query", "-", address)) == [[10]]
    assert rows_of(desk.json(SCRIPT, "query", "-", "SELECT count(*) FROM duckdb_secrets()")) == [[0]]
    stranger = desk.hub.add_token("a-stranger")
    refused = desk.script(SCRIPT, "count", repo, HF_TOKEN=stranger, HF_HOME=str(desk.folder / "h"))
    assert refused.returncode == 2 and "fix:" in refused.stderr


def test_figures_describe_count_and_a_histogram_with_edges(desk: Desk) -> None:
    rows: list[dict[str, Any]] = [*ROWS, {"n": None, "topic": None, "score": None}]
    desk.write("rows.jsonl", rows)
    assert desk.json(SCRIPT, "count", "rows.jsonl", "--where", "topic = 'a'") == {"rows": 7}
    unique = desk.json(SCRIPT, "unique", "rows.jsonl", "topic")
    assert rows_of(unique) == [["a", 7], ["b", 3], [None, 1]] and unique["distinct"] == 2
    whole = desk.json(SCRIPT, "histogram", "rows.jsonl", "n", "--bins", "4")
    assert rows_of(whole) == [[0, 3, 3], [3, 6, 3], [6, 9, 3], [9, 12, 1]] and whole["missing"] == 1
    split = desk.json(SCRIPT, "histogram", "rows.jsonl", "score", "--bins", "3")
    assert rows_of(split) == [[0.0, 1.5, 3], [1.5, 3.0, 3], [3.0, 4.5, 4]]
    same = desk.json(SCRIPT, "histogram", "rows.jsonl", "score * 0 + 7.0")
    assert rows_of(same) == [[7.0, 7.0, 10]]
    text = desk.script(SCRIPT, "histogram", "rows.jsonl", "topic")
    assert text.returncode == 2 and "length(topic)" in text.stderr
    described = {row["column_name"]: row for row in desk.json(SCRIPT, "describe", "rows.jsonl")["rows"]}
    assert described["n"]["max"] == "9" and described["topic"]["count"] == 11


def test_a_column_with_infinite_values_is_described_by_the_others(desk: Desk) -> None:
    pq.write_table(
        pa.table({"x": [1.0, 3.0, math.inf, math.nan], "a b": ["p", "q", "r", "s"]}), desk.folder / "x.parquet"
    )
    done = desk.script(SCRIPT, "describe", "x.parquet", "--json")
    described = {row["column_name"]: row for row in json.loads(done.stdout)["rows"]}
    assert (described["x"]["max"], float(described["x"]["avg"]), described["x"]["null_percentage"]) == (
        "3.0",
        2.0,
        "50.00",
    )
    assert "x: 2 values that are no finite numbers" in done.stderr and described["a b"]["count"] == 4


def test_a_sample_is_the_same_for_a_seed_and_answers_have_a_limit(desk: Desk) -> None:
    desk.write("rows.jsonl", [{"n": i} for i in range(500)])
    sample = [desk.json(SCRIPT, "sample", "rows.jsonl", "--seed", seed)["rows"] for seed in (1, 1, 2)]
    assert sample[0] == sample[1] != sample[2] and len(sample[0]) == 10
    limited = desk.json(SCRIPT, "query", "rows.jsonl", "SELECT * FROM data")
    assert len(limited["rows"]) == 100 and limited["more_rows_than"] == 100
    assert len(desk.json(SCRIPT, "query", "rows.jsonl", "FROM data", "--limit", "0")["rows"]) == 500


def test_results_are_written_whole_in_every_format_and_never_over_a_file(desk: Desk) -> None:
    desk.write("rows.jsonl", ROWS)
    for suffix in ("parquet", "jsonl", "csv"):
        done = desk.json(SCRIPT, "export", "rows.jsonl", "SELECT n, topic FROM data WHERE n > 6", "--to", f"o.{suffix}")
        assert done["rows"] == 3
        assert desk.json(SCRIPT, "count", f"o.{suffix}") == {"rows": 3}
    refused = desk.script(SCRIPT, "export", "rows.jsonl", "FROM data", "--to", "o.csv")
    assert refused.returncode == 2 and "--overwrite" in refused.stderr
    assert (desk.folder / "o.csv").read_text().splitlines()[0] == "n,topic"
    parts = ("--select", "topic, count(*) AS rows", "--where", "n <> 0", "--group-by", "topic", "--order-by", "topic")
    assert rows_of(desk.json(SCRIPT, "transform", "rows.jsonl", *parts)) == [["a", 6], ["b", 3]]
    failed = desk.script(SCRIPT, "export", "rows.jsonl", "SELECT error('x') FROM data", "--to", "new.parquet")
    assert failed.returncode == 2 and not list(desk.folder.glob("*new.parquet*"))


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DROP VIEW data", "one SELECT"),
        ("COPY data TO 'stolen.csv'", "one SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("SELECT nothing FROM data", "lists the columns"),
        ("SELEC n FROM data", "syntax error"),
    ],
)
def test_sql_that_writes_or_is_wrong_is_refused_with_the_reason(desk: Desk, sql: str, message: str) -> None:
    desk.write("rows.jsonl", ROWS[:1])
    done = desk.script(SCRIPT, "query", "rows.jsonl", sql)
    assert done.returncode == 2 and message in done.stderr and not (desk.folder / "stolen.csv").exists()


@pytest.mark.parametrize("end", [" -- and no more", "; -- done; really", " /* ; */ ;;"])
def test_a_comment_or_a_semicolon_at_the_end_of_the_sql_changes_nothing(desk: Desk, end: str) -> None:
    desk.write("rows.jsonl", ROWS)
    sql = f"SELECT n, 'é;' AS t FROM data WHERE n = 3{end}"
    assert rows_of(desk.json(SCRIPT, "query", "rows.jsonl", sql)) == [[3, "é;"]]
    assert desk.json(SCRIPT, "export", "rows.jsonl", sql, "--to", "out.jsonl")["rows"] == 1


def test_a_result_is_pushed_once_private_and_only_with_yes(desk: Desk) -> None:
    desk.write("rows.jsonl", ROWS)
    command = (SCRIPT, "push", "rows.jsonl", "SELECT n, random() AS r FROM data WHERE n > 4", "--repo", "some")
    asked = desk.script(*command)
    assert asked.returncode == 4 and not desk.api.repo_exists(f"{desk.user}/some", repo_type="dataset")
    first = pq.read_table(desk.folder / "query-result.parquet").to_pylist()
    done = desk.json(*command, "--yes")
    assert done["pushed"] and desk.api.dataset_info(done["repo_id"]).private
    assert desk.rows(done["repo_id"]) == first, "a second run of the query would have drawn other numbers"
    assert "random()" in desk.text(done["repo_id"]) and "license:" not in desk.text(done["repo_id"])
    again = desk.json(*command, "--yes")
    assert again["already"] and again["revision"] == done["revision"]
    other = desk.script(SCRIPT, "push", "rows.jsonl", "SELECT n FROM data", "--repo", "some", "--yes")
    assert other.returncode == 2 and "already holds" in other.stderr
    assert desk.rows(done["repo_id"]) == first
    nothing = desk.script(SCRIPT, "push", "rows.jsonl", "FROM data WHERE n > 99", "--repo", "none", "--yes")
    assert nothing.returncode == 1 and not desk.api.repo_exists(f"{desk.user}/none", repo_type="dataset")
    reader = desk.hub.add_token(desk.user, "read")
    refused = desk.script(SCRIPT, "push", "rows.jsonl", "FROM data", "--repo", "r", "--yes", HF_TOKEN=reader)
    assert refused.returncode == 3 and "only reads" in refused.stderr


def test_bad_rows_and_long_queries_end_with_what_to_do(desk: Desk) -> None:
    (desk.folder / "bad.jsonl").write_text(json.dumps(ROWS[0]) + "\n{\n")
    bad = desk.script(SCRIPT, "count", "bad.jsonl")
    assert bad.returncode == 2 and "by line" in bad.stderr
    desk.write("rows.jsonl", ROWS)
    slow = "SELECT sum(sqrt(a.range * b.range)) FROM range(1000000) a, range(1000000) b"
    done = desk.script(SCRIPT, "query", "rows.jsonl", slow, "--timeout", "0.3")
    assert done.returncode == 3 and "longer than 0.3 s" in done.stderr
