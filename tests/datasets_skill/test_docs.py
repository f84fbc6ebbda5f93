"""What SKILL.md and the references say: commands exist, the SQL gives what stands beside it, the examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from .conftest import SCRIPTS, SKILL, Desk, chat

DOCUMENTS = [SKILL / "SKILL.md", *sorted((SKILL / "references").glob("*.md"))]
CODE = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def spans(path: Path) -> list[str]:
    text = re.sub(r"^---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.S)
    return [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]


def helps(script: str) -> str:
    """The --help of a script, and of each of its commands."""

    def one(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, SCRIPTS / script, *words, "--help"], capture_output=True, text=True, check=True
        )
        return done.stdout

    top = one()
    commands = re.search(r"^  COMMAND\n(.*?)\n\n", top, re.S | re.M)
    names = re.findall(r"^    (\w+)", commands[1], re.M) if commands else []
    return top + "".join(one(name) for name in names)


def test_every_option_that_the_documents_name_is_one_of_a_script_or_of_hf() -> None:
    known = {name: set(OPTION.findall(helps(name))) for name in sorted(path.name for path in SCRIPTS.glob("*.py"))}
    upload = subprocess.run(
        [str(Path(sys.executable).with_name("hf")), "upload", "--help"], capture_output=True, text=True, check=True
    )
    known["hf upload"] = set(OPTION.findall(upload.stdout))
    everything = set().union(*known.values())
    named = 0
    for path in DOCUMENTS:
        for span in spans(path):
            command = next((name for name in known if name in span), None)
            options = set(OPTION.findall(span))
            named += len(options)
            unknown = options - (known[command] if command else everything)
            assert not unknown, f"{path.name}: `{span}`: {unknown}"
    assert named > 30


def test_the_sql_of_the_notes_gives_what_stands_beside_it() -> None:
    table = re.findall(r"^\| `(SELECT .+?)` \| `(.+?)` \|", (SKILL / "references/sql-notes.md").read_text(), re.M)
    assert len(table) >= 15
    for sql, expected in table:
        (value,) = duckdb.sql(sql.replace("\\|", "|")).fetchone() or ()
        found = "NULL" if value is None else f"{value!r}" if isinstance(value, str) else str(value)
        assert found == expected, sql


def test_the_queries_of_the_notes_run(desk: Desk) -> None:
    block = re.search(r"```sql\n(.*?)```", (SKILL / "references/sql-notes.md").read_text(), re.S)
    assert block
    rows = [chat("q", "a", choices=["no", "yes"], label=1)] * 2
    desk.write("rows.jsonl", rows)
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW data AS FROM read_json('{desk.folder / 'rows.jsonl'}')")
    answers = [connection.execute(sql).fetchall() for sql in re.sub("--.*", "", block[1]).split(";") if sql.strip()]
    assert answers[0] == [("q", "a")] * 2 and answers[3] == [("yes",)] * 2 and answers[4] == [("q", 2)]
    assert answers[1] == [(0,)] and len(answers[2]) == 2


@pytest.mark.slow
def test_the_workflow_of_the_skill_goes_from_end_to_end(desk: Desk) -> None:
    asked = [(f"How do I reset device {n}?", f"Hold {n}.") for n in range(40)]
    conversations = [
        {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]}
        for question, answer in asked
    ]
    desk.write("sharegpt.jsonl", conversations + conversations[:5])
    desk.write("eval.jsonl", [{"question": "How do I reset device 7?"}])
    converted = desk.json("convert_dataset.py", "sharegpt.jsonl", "--to", "messages", "--out", "rows.jsonl")
    assert converted["lossless"]
    report = desk.json(
        "clean_dataset.py", "rows.jsonl", "--redact", "all", "--against", "eval.jsonl", "--test-fraction", "0.1",
        "--split-key", "prompt", "--leak-check", "exact",
    )  # fmt: skip
    assert report["removed"] == {"contaminated": 1, "duplicate": 5}
    desk.json("create_dataset.py", "clean/train.parquet", "--repo", "support", "--yes")
    pushed = desk.json(
        "create_dataset.py", "clean/test.parquet", "--repo", "support", "--split", "test", "--out", "b", "--yes"
    )
    counted = desk.json("query_dataset.py", "count", pushed["repo_id"], "--split", "test")
    assert counted["rows"] == report["splits"]["test"]["rows"]
    seen = desk.json("explore_dataset.py", "info", pushed["repo_id"])
    assert sum(each["rows"] for each in seen["splits"]) == report["rows_out"]
