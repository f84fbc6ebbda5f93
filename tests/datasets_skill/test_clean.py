"""clean_dataset.py: what goes, what stays, and that the report says why."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import Desk, chat

SCRIPT = "clean_dataset.py"
ENGLISH = "The committee met on Tuesday to discuss the budget for the coming year and agreed on most of its points."
GERMAN = "Der Ausschuss traf sich am Dienstag, um den Haushalt des kommenden Jahres zu besprechen, und war sich einig."


def removed(desk: Desk, out: str = "clean") -> list[tuple[int, str, str]]:
    lines = (desk.folder / out / "removed.jsonl").read_text().splitlines()
    return [(entry["line"], entry["reason"], entry["detail"]) for entry in map(json.loads, lines)]


def kept(desk: Desk, out: str = "clean", split: str = "train") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(desk.folder / out / f"{split}.parquet").to_pylist()
    return found


def sentences(count: int, seed: int = 0, words: int = 40) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(f"{rng.choice('bcdfgklm')}{rng.choice('aeiou')}{rng.randrange(99)}" for _ in range(words))
            for _ in range(count)]  # fmt: skip


def test_each_removed_row_has_its_line_and_its_reason(desk: Desk) -> None:
    lines = [
        json.dumps({"id": 1, "text": ENGLISH}),
        json.dumps({"id": 2, "text": "  " + ENGLISH.replace(" ", "  ")}),
        json.dumps({"id": 3, "text": GERMAN}),
        "{",
        json.dumps({"id": 4, "text": "short"}),
        json.dumps({"id": 5, "text": " \n"}),
        json.dumps({"id": 6, "text": ENGLISH.replace("Tuesday", "Friday")}),
        json.dumps({"id": 7, "text": "x " * 400}),
    ]
    (desk.folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    limits = ("--min-chars", "10", "--max-chars", "500", "--language", "en")
    report = desk.json(SCRIPT, "rows.jsonl", *limits)
    assert report["columns"] == ["text"] and (report["rows_in"], report["rows_out"]) == (8, 2)
    found = sorted(removed(desk))
    assert [(line, reason) for line, reason, _ in found] == [
        (2, "duplicate"), (3, "language"), (4, "malformed"), (5, "too short"), (6, "empty"), (8, "too long"),
    ]  # fmt: skip
    assert found[0][2] == "same as rows.jsonl:1" and found[1][2].startswith("de ")
    assert [row["id"] for row in kept(desk)] == [1, 6]
    again = desk.json(SCRIPT, "rows.jsonl", *limits, "--near", "0.4", "--out", "near")
    assert again["rows_out"] == 1 and any(reason == "near duplicate" for _, reason, _ in removed(desk, "near"))


def test_without_options_only_exact_duplicates_and_empty_rows_go(desk: Desk) -> None:
    rows = [chat("q", "a", id=1), chat("q", "a", id=2), chat("Q", "a", id=3), chat("q", GERMAN, id=4)]
    desk.write("rows.jsonl", rows)
    report = desk.json(SCRIPT, "rows.jsonl")
    assert report["removed"] == {"duplicate": 1} and [row["id"] for row in kept(desk)] == [1, 3, 4]
    assert desk.json(SCRIPT, "rows.jsonl", "--keep-duplicates", "--out", "all")["rows_out"] == 4
    assert desk.json(SCRIPT, "rows.jsonl", "--text", "id", "--out", "ids", code=1)["rows_out"] == 0


def test_equal_texts_with_two_labels_are_two_rows(desk: Desk) -> None:
    desk.write("rows.jsonl", [{"text": "fine", "label": label} for label in (0, 1, 0)])
    assert desk.json(SCRIPT, "rows.jsonl")["removed"] == {"duplicate": 1}
    assert [row["label"] for row in kept(desk)] == [0, 1]


def test_near_duplicates_go_and_unlike_rows_stay(desk: Desk) -> None:
    texts = sentences(60, words=80)
    edited = [text.replace(" ", " changed ", 1) for text in texts[:20]]
    half = [
        " ".join(text.split()[:40] + other.split()[:40]) for text, other in zip(texts[20:30], texts[30:40], strict=True)
    ]
    desk.write("rows.jsonl", [{"text": text} for text in texts + edited + half])
    report = desk.json(SCRIPT, "rows.jsonl", "--near", "0.8")
    assert report["removed"] == {"near duplicate": 20}
    assert {line for line, _, _ in removed(desk)} == set(range(61, 81))


def test_rows_that_hold_an_evaluation_item_go_and_the_shared_words_are_named(desk: Desk) -> None:
    items = sentences(5, seed=1, words=30)
    clean = sentences(20, seed=2, words=30)
    leaked = chat("Question: " + items[3].upper() + "!", "a")
    short = "seven words stand in this item only"
    desk.write("test.jsonl", [{"question": text, "answer": "x"} for text in [*items, short, "too short"]])
    desk.write("rows.jsonl", [*(chat(text, "a") for text in clean), leaked, chat(f"so {short} indeed", "b")])
    report = desk.json(SCRIPT, "rows.jsonl", "--against", "test.jsonl")
    assert report["removed"] == {"contaminated": 2} and report["evaluation"] == {"rows": 7, "too_short_to_check": 1}
    (first, _, why), (second, _, short_why) = removed(desk)
    assert first == 21 and why.startswith("test.jsonl:4 has the same 13 words: ")
    assert second == 22 and short_why == f"test.jsonl:6 has the same 7 words: {short}"


PERSONAL = {
    "mail me at ada.l+x@example.co.uk today": "mail me at [EMAIL] today",
    "call +49 30 901820-12 or (030) 9018 2012": None,
    "card 4111 1111 1111 1111 expires": "card [CARD] expires",
    "order 4111 1111 1111 1112 shipped": "order 4111 1111 1111 1112 shipped",  # fails the check digit
    "host 192.168.10.254 is up": "host [IP] is up",
    "version 1.2.3 of 2026-11-21": "version 1.2.3 of 2026-11-21",
    "ssn 123-45-6789": "ssn [SSN]",
    "pay DE89 3704 0044 0532 0130 00 now": "pay [IBAN] now",
    "token hf_abcdefghijklmnopqrstuvwx": "token [SECRET]",
    "1 + 1 = 2, and 12 * 12 = 144": "1 + 1 = 2, and 12 * 12 = 144",
}


def test_personal_data_is_replaced_and_what_only_looks_like_it_stays(desk: Desk) -> None:
    desk.write("rows.jsonl", [{"n": i, **chat(text, "answer")} for i, text in enumerate(PERSONAL)])
    report = desk.json(SCRIPT, "rows.jsonl", "--redact", "email,card,ip,ssn,iban,secret")
    found = {row["n"]: row["messages"][0]["content"] for row in kept(desk)}
    for number, (text, expected) in enumerate(PERSONAL.items()):
        assert found[number] == (text if expected is None else expected)
    assert report["redacted"] == {"card": 1, "email": 1, "iban": 1, "ip": 1, "secret": 1, "ssn": 1}
    desk.json(SCRIPT, "rows.jsonl", "--redact", "phone", "--out", "phones")
    assert kept(desk, "phones")[1]["messages"][0]["content"] == "call [PHONE] or [PHONE]"
    assert desk.json(SCRIPT, "rows.jsonl", "--out", "none")["redacted"] == {}


def test_dates_versions_of_packages_and_codes_are_no_personal_data(desk: Desk) -> None:
    found = {
        "on 05/06/2024, and 01.02.2024 10:30, and 02-03-2024-04-03-2024": None,
        "npm install @types/node@18.0.0 react@18.2.0": None,
        "part AB12CDEF3456GHIJ7890, US12ABCD3456EFGH and BE68539007547035": None,  # fail the check digits
        "BE68539007547034 PAID": "[IBAN] PAID",
        "to NO93 8601 1117 947.": "to [IBAN].",
        "GB82 WEST 1234 5698 7654 32": "[IBAN]",
        "a@b-c.example, x@sub.exämple.xn--p1ai": "[EMAIL], [EMAIL]",
        "born 05/06/1990, call 030 1234567": "born 05/06/1990, call [PHONE]",
        f"glpat-{'a' * 20} AIza{'b' * 35}": "[SECRET] [SECRET]",
    }
    desk.write("rows.jsonl", [{"text": text} for text in found])
    desk.json(SCRIPT, "rows.jsonl", "--redact", "all")
    assert [row["text"] for row in kept(desk)] == [clean or text for text, clean in found.items()]


def test_a_split_shares_no_prompt_and_no_near_duplicate_and_is_the_same_each_time(desk: Desk) -> None:
    texts = sentences(150, seed=3)
    rows = [chat(text, f"answer {n}") for text in texts for n in (1, 2)]
    rows += [chat(" ".join([*text.split()[:-1], "other"]), "third") for text in texts[:50]]
    desk.write("rows.jsonl", rows)
    options = ("--test-fraction", "0.2", "--validation-fraction", "0.1")
    report = desk.json(SCRIPT, "rows.jsonl", *options)
    assert report["shared"] == {"texts": 0, "prompts": 0, "near": 0} and report["rows_out"] == 350
    assert abs(report["splits"]["test"]["rows"] - 70) <= 1 and abs(report["splits"]["validation"]["rows"] - 35) <= 1
    assert report["split_by"] == "share" and report["siblings"]["alike"] == 0
    sides = {}
    for split in report["splits"]:
        for row in kept(desk, split=split):
            sides.setdefault(" ".join(row["messages"][0]["content"].split()[:-1]), set()).add(split)
    assert len(sides) == 150 and all(len(where) == 1 for where in sides.values())
    desk.json(SCRIPT, "rows.jsonl", *options, "--out", "second")
    desk.json(SCRIPT, "rows.jsonl", *options, "--seed", "1", "--out", "third")
    files = lambda out: {p.name: p.read_bytes() for p in sorted((desk.folder / out).iterdir())}  # noqa: E731
    assert files("clean") == files("second") and files("clean") != files("third")


NAMES, THINGS = ("Tom", "Anna", "Lee", "Maria"), ("apples", "pencils", "books", "coins")


def sums(count: int) -> list[dict[str, str]]:
    """Rows of one template, as many of a school's exercises are."""
    rng = random.Random(5)
    made = []
    for number in range(count):
        who, what, more = rng.choice(NAMES), rng.choice(THINGS), rng.randrange(2, 90)
        text = f"{who} has {number} {what} and buys {more} more at the market. How many are there now in total?"
        made.append({"question": text, "answer": str(number + more)})
    return made


def test_a_small_file_is_split_as_asked_into_the_named_files_and_rows_of_one_template_are_told(desk: Desk) -> None:
    desk.write("sums.jsonl", sums(100))
    named = ("--train-out", "clean_train.jsonl", "--test-out", "clean_test.jsonl", "--split-key", "prompt")
    call = ("sums.jsonl", "--test-fraction", "0.1", *named)
    said = desk.script(SCRIPT, *call)
    assert said.returncode == 0 and "test: 10 rows (10.0%) in clean_test.jsonl" in said.stdout
    assert "10 of 10 held-out rows share about 60% or more of their words with a row of train" in said.stdout
    read = lambda name: [json.loads(line) for line in (desk.folder / name).read_text().splitlines()]  # noqa: E731
    train, test = read("clean_train.jsonl"), read("clean_test.jsonl")
    assert len(train) == 90 and sorted(map(str, train + test)) == sorted(map(str, sums(100)))
    report = desk.json(SCRIPT, *call)
    assert report["splits"]["test"] == {"file": "../clean_test.jsonl", "rows": 10, "share": 0.1}
    found = report["siblings"]
    places = [int(place.rpartition(":")[2]) - 1 for place in found["pair"]]
    likest = [set(f"{row['question']} {row['answer']}".lower().split()) for row in (test[places[0]], train[places[1]])]
    assert abs(found["likeness"] - len(likest[0] & likest[1]) / len(likest[0] | likest[1])) < 0.15
    desk.write("digits.jsonl", [{"question": f"What is {n} plus {7 * n}?", "answer": str(8 * n)} for n in range(50)])
    whole = desk.script(SCRIPT, "digits.jsonl", "--test-fraction", "0.1", "--out", "whole")
    assert whole.returncode == 1 and "not the 10.0% that was asked" in whole.stdout, "a group is never cut"
    assert "--split-key prompt" in whole.stdout
    other = desk.script(SCRIPT, "sums.jsonl", "--train-out", "sums.jsonl", "--out", "other")
    assert other.returncode == 2 and "--train-out sums.jsonl exists" in other.stderr
    assert len(read("sums.jsonl")) == 100


def test_a_split_by_hash_moves_no_old_row_and_one_by_share_may(desk: Desk) -> None:
    rows = [{"text": text} for text in sentences(300, seed=7)]
    desk.write("few.jsonl", rows[:150])
    desk.write("more.jsonl", rows)

    def test_rows(name: str, *options: str) -> set[str]:
        split = ("--test-fraction", "0.2", "--leak-check", "exact", *options, "--out", name + "".join(options))
        assert desk.json(SCRIPT, f"{name}.jsonl", *split)["siblings"] is None
        return {row["text"] for row in kept(desk, split[-1], "test")}

    old = {row["text"] for row in rows[:150]}
    few, more = test_rows("few", "--split-by", "hash"), test_rows("more", "--split-by", "hash")
    assert few and few == more & old and len(few) != 30
    assert len(test_rows("few")) == 30 and len(test_rows("more")) == 60


def test_rows_of_the_hub_and_columns_of_every_type_come_through(desk: Desk) -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {"city": "Oslo", "n": 1}}}
    rows = [
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}], "score": 0.5},
        {**chat("me@example.org", "y"), "score": 1},
    ]
    repo = desk.dataset("rows", rows)
    report = desk.json(SCRIPT, repo, "--redact", "all", "--format", "jsonl")
    found = [json.loads(line) for line in (desk.folder / "clean/train.jsonl").read_text().splitlines()]
    assert report["redacted"] == {"email": 1} and report["rows_out"] == 2
    assert found[0]["messages"][1]["tool_calls"] == [call] and found[1]["messages"][0]["content"] == "[EMAIL]"
    by_address = desk.json(SCRIPT, f"hf://datasets/{repo}/*.jsonl", "--out", "address")
    assert by_address["rows_out"] == 2
    stranger = desk.hub.add_token("a-stranger")
    refused = desk.script(SCRIPT, repo, HF_TOKEN=stranger, HF_HOME=str(desk.folder / "h"))
    assert refused.returncode == 2 and "fix:" in refused.stderr
    wrong = desk.script(SCRIPT, repo, "--split", "dev")
    assert wrong.returncode == 2 and "--split one of: train" in wrong.stderr


@pytest.mark.parametrize(
    ("name", "data", "arguments", "message"),
    [
        ("r.jsonl", b"", (), "no row that can be read"),
        ("r.jsonl", b'{"n": 1}\n', (), "no column holds text"),
        ("r.jsonl", b'{"text": "x"}\n', ("--text", "body"), "no column 'body'"),
        ("r.jsonl", b'{"text": "x"}\n', ("--redact", "names"), "names is not one of"),
        ("r.jsonl", b'{"text": "x"}\n', ("--against", "none.jsonl"), "no file or folder"),
        ("r.parquet", b"PAR1", (), "not Parquet"),
        ("r.jsonl", b'{"text": "x"}\n', ("--train-out", "train.csv"), "name a .jsonl or a .parquet file"),
        ("r.jsonl", b'{"text": "x"}\n', ("--test-out", "test.jsonl"), "--test-out needs --test-fraction"),
    ],
)
def test_what_cannot_be_cleaned_is_said_with_the_way_out(
    desk: Desk, name: str, data: bytes, arguments: tuple[str, ...], message: str
) -> None:
    (desk.folder / name).write_bytes(data)
    done = desk.script(SCRIPT, name, *arguments)
    assert done.returncode in (2, 3) and message in done.stderr
    assert not list(Path(desk.folder).glob("clean/*.parquet"))


def test_what_json_cannot_hold_is_refused_and_parquet_holds_it(desk: Desk) -> None:
    texts = pa.array(sentences(12))
    for name, column in (("nan", pa.array([[1.0, float("nan")]] * 12)), ("image", pa.array([b"\x89PNG"] * 12))):
        pq.write_table(pa.table({"text": texts, name: column}), desk.folder / f"{name}.parquet")
        command = (SCRIPT, f"{name}.parquet", "--out", name, "--test-fraction", "0.3")
        refused = desk.script(*command, "--format", "jsonl")
        assert refused.returncode == 2 and name in refused.stderr and "--format parquet" in refused.stderr
        assert not list((desk.folder / name).glob("train*"))
        assert desk.json(*command)["rows_out"] == 12


def test_a_folder_with_other_files_is_not_written_into(desk: Desk) -> None:
    desk.write("rows.jsonl", [{"text": "x"}])
    (desk.folder / "clean").mkdir()
    (desk.folder / "clean/thesis.txt").write_text("mine")
    done = desk.script(SCRIPT, "rows.jsonl")
    assert done.returncode == 2 and "holds other files" in done.stderr
    assert [path.name for path in (desk.folder / "clean").iterdir()] == ["thesis.txt"]
