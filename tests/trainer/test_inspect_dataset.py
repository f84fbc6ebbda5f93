"""inspect_dataset.py as a process, with the real libraries. Each folder of formats/ is a dataset and its verdicts."""

from __future__ import annotations

import contextlib
import copy
import csv
import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from skillpack.kit.data import held_out, map_row, problem_of
from skillpack.samples import write_tiny_model

SKILL = Path(__file__).parents[2] / "skills/hugging-face-model-trainer"
FORMATS = sorted((Path(__file__).parent / "formats").iterdir())
SCHEMA = json.loads((SKILL / "assets/dataset-report.schema.json").read_text())
NOBODY = "http://127.0.0.1:9"  # nothing listens there


def inspect(*arguments, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, str(SKILL / "scripts/inspect_dataset.py"), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "HF_ENDPOINT": NOBODY, **environment}, check=False
    )


def report_of(*arguments, code: int = 0) -> dict:
    done = inspect(*arguments, "--json", "--no-write")
    assert done.returncode == code, done.stderr
    report = json.loads(done.stdout)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(report)] == []
    return report


@functools.cache
def verdicts_of(folder: Path) -> dict:
    done = inspect(folder / "rows.jsonl", "--json", "--no-write")
    return json.loads(done.stdout)["verdicts"]


def write_rows(path: Path, rows: list) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def chat(question: str, answer: str = "An answer.") -> dict:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


WORDS = (
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "flint",
    "grove",
    "heron",
    "inlet",
    "jetty",
    "knoll",
    "larch",
    "marsh",
    "north",
    "ocean",
    "pines",
)


def question(number: int) -> str:
    """A question for each number below 4,096, no two of them alike."""
    words = [WORDS[(number >> shift) % 16] + WORDS[(7 * number + shift) % 16] for shift in (0, 4, 8)]
    return f"Where do {' and '.join(words)} meet the {WORDS[number % 13]}{WORDS[number % 11]}{number % 7 * 'y'} road?"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    os.environ["OMP_NUM_THREADS"] = "1"
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_model(folder, [path.read_text() for path in Path(__file__).parent.glob("formats/*/rows.jsonl")])
    return folder


# Verdicts


@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_each_format_gets_the_verdicts_of_its_folder(folder):
    expected = json.loads((folder / "verdicts.json").read_text())
    assert {method: entry["verdict"] for method, entry in verdicts_of(folder).items()} == expected


def test_the_block_reads_as_the_announcement_shows_it(tmp_path):
    path = write_rows(tmp_path / "conversation-data.jsonl", [chat(question(n)) for n in range(30)])
    done = inspect(path, "--no-write")
    assert done.returncode == 0
    assert done.stdout.startswith(
        f"Dataset validation for {path}:\n"
        "SFT: READY\nFound 'messages' column with conversation format\n"
        "DPO: INCOMPATIBLE\nMissing 'chosen' and 'rejected' columns\n"
    )
    assert done.stderr == ""


def test_a_later_row_decides_as_much_as_the_first(tmp_path):
    rows = [chat(question(n)) for n in range(200)]
    rows[150] = {"messages": [{"role": "user", "content": "And?"}, {"role": "assistant", "content": None}]}
    verdict = report_of(write_rows(tmp_path / "rows.jsonl", rows))["verdicts"]["sft"]
    assert verdict["verdict"] == "MAPPABLE"
    assert verdict["mapping"] == {"leave_out_misfits": True}
    assert verdict["problems"] == [
        {"problem": "empty message in 'messages'", "rows": 1, "first": "line 151", "where": ["line 151"]}
    ]


def test_the_exit_code_says_whether_the_asked_method_fits(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [chat(question(n)) for n in range(30)])
    assert inspect(path, "--no-write", "--method", "sft").returncode == 0
    done = inspect(path, "--no-write", "--method", "dpo")
    assert done.returncode == 1
    assert "Needs 'chosen' and 'rejected', better with 'prompt'" in done.stdout
    assert inspect(write_rows(tmp_path / "other.jsonl", [{"width": 1}]), "--no-write").returncode == 1


@pytest.mark.parametrize(
    ("folder", "method"),
    [
        ("messages", "sft"),
        ("preference", "dpo"),
        ("unpaired-preference", "kto"),
        ("prompt-only", "grpo"),
        ("question-answer", "grpo"),  # answers that end with a number can be checked
        ("prompt-answer", "sft"),  # answers of one word can be guessed
        ("alpaca", "sft"),
        ("unrelated-columns", None),
    ],
)
def test_the_method_follows_from_what_the_columns_are_for(folder, method):
    path = Path(__file__).parent / "formats" / folder / "rows.jsonl"
    recommended = json.loads(inspect(path, "--json", "--no-write").stdout)["recommended"]
    assert recommended["method"] == method


LABELS = ("billing", "shipping", "returns", "account", "technical", "product", "cancel", "other")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Path:
    """490 rows of a classification: 414 questions and 6 without an answer, and 70 of them again in capitals."""
    rows = [(question(n), LABELS[n % 8], "mail") for n in range(414)]
    rows += [(asked.upper(), answer, source) for asked, answer, source in rows[::5][:70]]
    for place in (20, 30, 100, 200, 300, 400):  # none that a row in capitals copies
        rows.insert(place, (question(1000 + place), "", "mail"))
    path = tmp_path_factory.mktemp("labelled") / "labelled.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("question", "answer", "source"), *rows])
    return path


@pytest.fixture(scope="module")
def labelled_run(labelled) -> tuple[dict, str]:
    """(the report, what a person sees) of one run on the labelled rows."""
    done = inspect(labelled, "--out", labelled.with_name("report.json"))
    assert done.returncode == 0, done.stderr
    report = json.loads(labelled.with_name("report.json").read_text())
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(report)] == []
    return report, done.stdout


def test_labels_are_for_sft(labelled_run):
    recommended = labelled_run[0]["recommended"]
    assert recommended["method"] == "sft"
    assert "'answer' is one of 8 labels" in recommended["why"]


@pytest.mark.parametrize(
    ("columns", "method"),
    [
        (lambda n: {"answer": f"So it is {n}.\n#### {n * 7:,}"}, "grpo"),
        (lambda n: {"answer": f"${n * 7}.50"}, "grpo"),
        (lambda n: {"solution": f"Twice {n}, so the sum is $\\boxed{{\\frac{{{n}}}{{3}}}}$."}, "grpo"),
        (lambda n: {"answer": "def f(): ...", "test": f"assert f() == {n}"}, "grpo"),
        (lambda n: {"answer": n % 5 + 1}, "sft"),  # stars
        (lambda n: {"answer": WORDS[n % 16]}, "sft"),
        (lambda n: {"answer": f"{WORDS[n % 16]} {n}"}, "sft"),
        (lambda n: {"answer": "A sentence about it.", "test": n % 2 == 0}, "sft"),  # no code in it
    ],
)  # fmt: skip
def test_grpo_is_recommended_only_where_code_can_check_what_nobody_can_guess(tmp_path, columns, method):
    rows = [{"question": question(n), **columns(n)} for n in range(100)]
    assert report_of(write_rows(tmp_path / "rows.jsonl", rows))["recommended"]["method"] == method


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_the_asked_method_is_the_one_that_is_recommended_and_measured(labelled, method):
    report = report_of(labelled, "--method", method)
    assert report["recommended"] == {"method": method, "why": "as asked"}
    assert report["measured_as"] == method
    refused = report_of(labelled, "--method", "dpo", code=1)
    assert refused["recommended"] == {"method": "dpo", "why": "as asked"}
    assert refused["measured_as"] is None


def test_prompts_have_no_loss(labelled, labelled_run, tmp_path):
    text = inspect(labelled, "--out", tmp_path / "report.json", "--method", "grpo").stdout
    tokens = json.loads((tmp_path / "report.json").read_text())["tokens"]
    assert not {"trained_mean", "fully_masked_rows"} & tokens.keys()
    assert "prompts only (GRPO draws the answers itself)" in text
    assert "Loss:" not in text
    assert "Loss:" in labelled_run[1]


def test_rows_that_do_not_fit_are_named_by_the_column_of_the_source_and_their_numbers(labelled_run):
    report, text = labelled_run
    numbers = ["row 21", "row 31", "row 101", "row 201", "row 301", "row 401"]
    assert report["verdicts"]["sft"]["problems"] == [
        {"problem": "empty 'answer'", "rows": 6, "first": "row 21", "where": numbers}
    ]
    assert (report["rows"]["misfits"], report["rows"]["empty"]) == (6, 6)
    assert "6 of 490 rows do not fit and are left out (empty 'answer': rows 21, 31, 101, 201, 301, 401)" in text
    assert "Rows: 490 examined of 490; 6 left out (6 of them empty)" in text


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ({"body": "A text."}, {"body": " "}, "empty 'body'"),
        (
            {"dialogue": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]},
            {"dialogue": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": ""}]},
            "empty message in 'dialogue'",
        ),
        (
            {"instruction": "Why?", "output": "So."},
            {"instruction": "Why?", "output": [{"role": "narrator", "content": "So."}]},
            "'messages' (made from 'instruction' and 'output') has the role 'narrator'",
        ),
    ],
)
def test_each_mapping_says_what_is_wrong_in_the_words_of_the_source(tmp_path, good, bad, problem):
    rows = [good] * 30 + [bad] * 12
    path = write_rows(tmp_path / "rows.jsonl", rows)
    shown = inspect(path, "--out", tmp_path / "report.json", "--method", "sft").stdout
    (entry,) = json.loads((tmp_path / "report.json").read_text())["verdicts"]["sft"]["problems"]
    assert (entry["problem"], len(entry["where"])) == (problem, 12)
    assert f"({problem}: lines 31, 32, 33, 34, 35, 36, 37, 38, 39, 40 and 2 more)" in shown


# Statistics


def test_copies_up_to_case_are_told(labelled_run):
    report, text = labelled_run
    rows = report["rows"]
    assert (rows["duplicates"], rows["repeated_prompts"], rows["groups"]) == (0, 70, 414)
    assert "0 exact duplicates; 70 rows repeat another's prompt up to case, digits and punctuation" in text


def test_the_split_gives_the_numbers_of_rows_that_training_will_see(labelled, labelled_run):
    report, text = labelled_run
    split, mapping = report["split"], report["verdicts"]["sft"]["mapping"]
    with labelled.open(newline="") as file:
        fitting = [row for row in csv.DictReader(file) if not problem_of(row, mapping, "sft")]
    held = sum(held_out(map_row(row, mapping), split) for row in fitting)
    assert (split["train_rows"], split["held_out_rows"]) == (484 - held, held)
    percents = f"{100 * held / 484:.0f} %; {100 * split['held_out_groups'] / 414:.0f} % of the groups"
    assert f"Split: {held} of 484 rows held out ({percents})" in text
    assert any(f"only {held} rows are held out" in warning for warning in report["warnings"])


def test_the_rows_of_a_split_are_those_of_the_whole_source_when_a_sample_was_examined(tmp_path):
    rows = [chat(question(n)) for n in range(4000)]
    report = report_of(write_rows(tmp_path / "rows.jsonl", rows), "--max-rows", 1000)
    split = report["split"]
    assert report["rows"]["examined"] == 1000
    assert split["train_rows"] + split["held_out_rows"] == 4000
    assert 280 <= split["held_out_rows"] <= 520
    assert report["warnings"] == []  # enough of them


def test_repeated_chats_are_counted_and_stay_on_one_side_of_the_split(tmp_path):
    chats = [f"{question(n)} My order is {{}}." for n in range(40)]
    rows = [chat(chats[n % 40].format(1000 + n)) for n in range(597)] + [chat(chats[0].format(1000))] * 3
    report = report_of(write_rows(tmp_path / "rows.jsonl", rows))
    assert report["rows"]["groups"] == 40
    assert report["rows"]["duplicates"] == 3
    assert "600 rows are 40 different prompts" in report["split"]["why"]
    sides: dict = {}
    for n, row in enumerate(rows[:597]):
        sides.setdefault(n % 40, set()).add(held_out(row, report["split"]))
    assert all(len(side) == 1 for side in sides.values())
    assert {True} in sides.values() and {False} in sides.values()


def test_near_duplicates_join_one_group_and_different_prompts_do_not(tmp_path):
    rows = [chat(question(n)) for n in range(100)]
    apart = report_of(write_rows(tmp_path / "apart.jsonl", rows))
    assert apart["rows"]["groups"] == 100
    story = "The old lighthouse keeper climbed {} narrow stairs every evening before the heavy fog came in."
    joined = report_of(
        write_rows(tmp_path / "near.jsonl", [*rows, chat(story.format("the")), chat(story.format("its"))])
    )
    assert joined["rows"]["groups"] == 101
    assert len(joined["split"]["same"]) == 1


def test_sums_are_split_by_the_exact_prompt_because_their_digits_are_the_content(tmp_path):
    report = report_of(write_rows(tmp_path / "rows.jsonl", [chat(f"What is {n} plus {n * 7}?") for n in range(300)]))
    assert report["split"]["key"] == "prompt"
    assert report["rows"]["groups"] == 300
    assert report["rows"]["repeated_prompts"] == 0


def test_tokens_are_counted_through_the_chat_template_of_the_model(tmp_path, tiny_model):
    from transformers import AutoTokenizer

    rows = [chat(question(n), "An answer. " * (1 + n % 3)) for n in range(60)] + [chat("Why? " * 3000)]
    report = report_of(write_rows(tmp_path / "rows.jsonl", rows), "--model", tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    lengths = [len(tokenizer.apply_chat_template(row["messages"], return_dict=False)) for row in rows]
    prompts = [
        len(tokenizer.apply_chat_template(row["messages"][:1], add_generation_prompt=True, return_dict=False))
        for row in rows
    ]
    tokens = report["tokens"]
    assert tokens["max"] == max(lengths)
    assert tokens["p50"] == sorted(lengths)[30]
    assert tokens["percent_cut"]["4096"] == round(100 / 61, 2)
    assert tokens["percent_cut"][str(-(-tokens["max"] // 64) * 64)] == 0, "the length that the plan takes"
    assert tokens["trained_mean"] == round((sum(lengths) - sum(prompts)) / 61, 1)
    assert tokens["fully_masked_rows"] == 1
    assert report["chat_template"] == {
        "model": str(tiny_model), "present": True, "refused": 0, "first_refusal": None, "marks_answers": False
    }  # fmt: skip
    estimated = report_of(tmp_path / "rows.jsonl")["tokens"]
    assert "an estimate" in estimated["counted_with"]


def test_a_model_without_a_chat_template_does_not_fit_conversations(tmp_path, tiny_model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "plain")
    (tmp_path / "plain/config.json").write_text((tiny_model / "config.json").read_text())
    path = write_rows(tmp_path / "rows.jsonl", [chat(question(n)) for n in range(30)])
    report = report_of(path, "--model", tmp_path / "plain", code=1)
    assert report["chat_template"]["present"] is False
    assert report["chat_template"]["refused"] == 30
    assert any("refuses" in warning for warning in report["warnings"])


def test_roles_out_of_order_are_counted_and_named(tmp_path):
    rows = [chat(question(n)) for n in range(30)]
    rows[4]["messages"].insert(1, {"role": "user", "content": "And?"})
    report = report_of(write_rows(tmp_path / "rows.jsonl", rows))
    assert report["rows"]["out_of_order"] == 1
    assert any("two turns of one role in a row (1)" in warning for warning in report["warnings"])


def test_a_given_test_split_is_used_unless_it_shares_its_prompts(tmp_path):
    write_rows(tmp_path / "clean/train.jsonl", [chat(question(n)) for n in range(100)])
    write_rows(tmp_path / "clean/test.jsonl", [chat(question(n)) for n in range(200, 220)])
    clean = report_of(tmp_path / "clean")
    assert clean["split"]["key"] == "given"
    assert clean["split"]["held_out_split"] == "test"
    assert clean["test"]["overlap"] == 0
    assert (clean["split"]["train_rows"], clean["split"]["held_out_rows"]) == (100, 20)
    write_rows(tmp_path / "leaking/train.jsonl", [chat(question(n)) for n in range(100)])
    write_rows(tmp_path / "leaking/test.jsonl", [chat(question(n)) for n in range(80, 110)])
    leaking = report_of(tmp_path / "leaking")
    assert leaking["split"]["key"] == "group"
    assert leaking["test"]["overlap"] == 20
    assert any("20 of 30 prompts of split test" in warning for warning in leaking["warnings"])
    for name, first in (("sums", 300), ("leaky", 280)):  # their digits are the content
        write_rows(tmp_path / name / "train.jsonl", [chat(f"What is {n} plus {3 * n}?") for n in range(300)])
        write_rows(tmp_path / name / "test.jsonl", [chat(f"What is {n} plus {3 * n}?") for n in range(first, 330)])
    assert report_of(tmp_path / "sums")["split"]["key"] == "given"
    assert report_of(tmp_path / "leaky")["split"]["key"] == "prompt"


# Sources


def test_every_file_kind_gives_the_same_report(tmp_path):
    import pandas

    rows = [{"question": question(n), "answer": f"Near the {n}th house."} for n in range(50)]
    write_rows(tmp_path / "rows.jsonl", rows)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    pandas.DataFrame(rows).to_csv(tmp_path / "rows.csv", index=False)
    pandas.DataFrame(rows).to_parquet(tmp_path / "rows.parquet")
    reports = [report_of(tmp_path / f"rows.{kind}") for kind in ("jsonl", "json", "csv", "parquet")]
    for report in reports:
        assert {**report, "source": None, "created": None} == {**reports[0], "source": None, "created": None}
    assert reports[0]["verdicts"]["sft"]["mapping"] == {"transform": "question-answer"}


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_sample_comes_from_all_over_the_file(tmp_path, kind):
    import pandas

    rows = [{"text": question(n % 4096) if n < 3000 else ""} for n in range(4000)]
    path = tmp_path / f"rows.{kind}"
    if kind == "jsonl":
        write_rows(path, rows)
    elif kind == "csv":
        pandas.DataFrame(rows).to_csv(path, index=False, quoting=1)
    else:
        pandas.DataFrame(rows).to_parquet(path, row_group_size=500)
    report = report_of(path, "--max-rows", 400)
    assert 300 <= report["rows"]["examined"] <= 800
    assert report["rows"]["total"] == 4000
    assert 0.15 < report["rows"]["misfits"] / report["rows"]["examined"] < 0.35


def test_the_report_is_written_whole_and_json_is_alone_on_standard_output(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [chat(question(n)) for n in range(30)])
    done = inspect(path, "--json", "--out", tmp_path / "reports/here.json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "reports/here.json").read_text())
    assert done.stderr == ""


def test_help_answers_within_a_second_and_lists_the_exit_codes():
    started = time.perf_counter()
    done = inspect("--help")
    assert time.perf_counter() - started < 1
    assert "exit codes:" in done.stdout and "examples:" in done.stdout


# Bad input


def refused(*arguments, code: int = 2, **environment) -> str:
    done = inspect(*arguments, "--no-write", **environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    return done.stderr


def test_a_missing_file_is_named(tmp_path):
    assert f"no file {tmp_path}/none.jsonl" in refused(tmp_path / "none.jsonl")


def test_an_unknown_extension_gets_the_list_of_known_ones(tmp_path):
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    assert "unknown extension '.xlsx'" in (message := refused(tmp_path / "rows.xlsx"))
    assert ".jsonl, .json, .csv, .parquet" in message


def test_an_unreachable_hub_is_told_at_once():
    started = time.perf_counter()
    message = refused("some-org/some-data", code=3)
    assert "the Hub did not answer for some-org/some-data" in message and "HF_ENDPOINT" in message
    assert time.perf_counter() - started < 10  # `datasets` alone retries for half a minute


def test_offline_a_dataset_that_is_not_cached_is_told_to_be_out_of_reach(tmp_path):
    message = refused("some-org/some-data", code=3, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert "some-org/some-data" in message and "unset HF_HUB_OFFLINE" in message


def test_a_name_that_is_neither_a_file_nor_a_hub_id_is_refused():
    assert "is no Hub id" in refused("a b/c?d")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.json"])
def test_an_empty_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert "is empty" in refused(tmp_path / name)


def test_a_file_without_rows_is_refused(tmp_path):
    import pandas

    pandas.DataFrame({"text": []}).to_parquet(tmp_path / "rows.parquet")
    assert "no rows in split train" in refused(tmp_path / "rows.parquet")
    (tmp_path / "rows.csv").write_text("text\n")
    assert "no rows in split train" in refused(tmp_path / "rows.csv")


def test_one_malformed_row_in_ten_thousand_is_named_by_its_line(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [{"text": question(n % 4096)} for n in range(10_000)])
    lines = path.read_text().splitlines()
    lines[7776] = lines[7776][:-2]
    path.write_text("\n".join(lines))
    assert "rows.jsonl: line 7777: not JSON" in refused(path)


def test_a_row_that_is_no_object_is_named_by_its_line(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n[1]\n')
    assert "line 2 holds list, not an object" in refused(tmp_path / "rows.jsonl")


def test_a_row_of_ten_megabytes_is_measured_like_any_other(tmp_path):
    rows = [{"text": question(n)} for n in range(100)]
    rows[50] = {"text": "long " * 2_000_000}
    report = report_of(write_rows(tmp_path / "rows.jsonl", rows))
    assert report["rows"]["examined"] == 100
    assert report["tokens"]["max"] == 2_500_000


def test_a_csv_that_is_not_utf8_is_named_with_the_line_and_the_byte(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("question,answer\nWhere?,Here\nQui?,André\n".encode("latin-1"))
    message = refused(path)
    assert "line 3: byte 0xe9 is not UTF-8" in message and "iconv" in message


def test_a_csv_with_a_broken_row_is_named_by_its_line(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    assert "line 3" in refused(tmp_path / "rows.csv")


def test_a_file_that_only_claims_to_be_parquet_is_refused(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"not parquet at all")
    assert "not readable as Parquet" in refused(tmp_path / "rows.parquet")


def test_unknown_splits_and_configs_get_the_list_of_those_that_exist(tmp_path):
    write_rows(tmp_path / "data/train.jsonl", [{"text": "a"}])
    write_rows(tmp_path / "data/test.jsonl", [{"text": "b"}])
    assert "choose with --split: train, test" in refused(tmp_path / "data", "--split", "dev")
    assert "Available: ['default']" in refused(tmp_path / "data", "--config", "french")


def test_a_malformed_row_in_a_folder_is_an_error_with_its_split(tmp_path):
    write_rows(tmp_path / "train.jsonl", [{"text": "a"}] * 10)
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write('{"text": \n')
    assert "split train: " in refused(tmp_path)


def test_options_of_hub_datasets_are_refused_for_a_file(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [{"text": "a"}])
    assert "one split" in refused(path, "--split", "test")


def test_a_model_without_a_tokenizer_is_named(tmp_path):
    path = write_rows(tmp_path / "rows.jsonl", [{"text": question(n)} for n in range(30)])
    (tmp_path / "nothing").mkdir()
    assert "no tokenizer of" in refused(path, "--model", tmp_path / "nothing")


# The Hub


def test_a_dataset_of_the_hub_is_read_with_its_revision_pinned_and_its_test_split(hub, tmp_path):
    api, name = hub.api(), f"{hub.user}/inspected-chats"
    write_rows(tmp_path / "train.jsonl", [chat(question(n)) for n in range(100)])
    write_rows(tmp_path / "test.jsonl", [chat(question(n)) for n in range(200, 220)])
    api.create_repo(name, repo_type="dataset", private=True)
    sha = api.upload_folder(repo_id=name, repo_type="dataset", folder_path=tmp_path).oid
    report = json.loads(inspect(name, "--json", "--no-write", **hub.env()).stdout)
    assert report["source"] == {"id": name, "config": None, "split": "train", "revision": sha}
    assert report["rows"]["examined"] == report["rows"]["total"] == 100
    assert report["split"]["held_out_split"] == "test"
    assert "choose with --split: train, test" in refused(name, "--split", "dev", **hub.env())
    assert "no revision 'none'" in refused(name, "--revision", "none", **hub.env())
    stranger = hub.env(token=hub.add_token("inspect-stranger"))
    message = refused(name, **stranger)  # private: the Hub does not say that it exists
    assert f"no dataset {name} on the Hub for this account" in message and "HF_TOKEN" in message


def test_a_private_dataset_without_a_token_says_to_sign_in(hub, tmp_path):
    api, name = hub.api(), f"{hub.user}/private-chats"
    write_rows(tmp_path / "train.jsonl", [chat("a question")])
    api.create_repo(name, repo_type="dataset", private=True)
    api.upload_folder(repo_id=name, repo_type="dataset", folder_path=tmp_path)
    message = refused(name, **hub.env() | {"HF_TOKEN": "", "HF_HOME": str(tmp_path / "nobody")})
    assert f"no dataset {name} on the Hub for this account" in message
    assert "HF_TOKEN" in message or "hf auth login" in message


def test_an_empty_split_of_a_dataset_is_named(hub, tmp_path):
    api, name = hub.api(), f"{hub.user}/half-empty"
    write_rows(tmp_path / "train.jsonl", [chat(question(n)) for n in range(10)])
    (tmp_path / "test.jsonl").write_text("")
    api.create_repo(name, repo_type="dataset")
    api.upload_folder(repo_id=name, repo_type="dataset", folder_path=tmp_path)
    assert "test" in (message := refused(name, "--split", "test", **hub.env())), message
    assert "no rows" in message or "is empty" in message


def test_a_dataset_that_is_not_on_the_hub_is_named(hub):
    assert "no dataset some-org/none on the Hub" in refused("some-org/none", **hub.env())


# What TRL does


@pytest.fixture(scope="session")
def one_step(tiny_model, tmp_path_factory):
    """A function of (method, rows) that trains one step, and raises what TRL raises."""
    import datasets
    import torch
    import trl
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    torch.set_num_threads(1)
    torch.manual_seed(0)  # of the scoring head; the trainers seed themselves
    datasets.disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    causal = AutoModelForCausalLM.from_pretrained(tiny_model)
    scoring = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1)
    folder = tmp_path_factory.mktemp("trained")
    names = {"sft": "SFT", "dpo": "DPO", "grpo": "GRPO", "reward": "Reward", "kto": "KTO"}
    more = {"grpo": {"num_generations": 2, "max_completion_length": 4}}

    def train(method: str, rows: datasets.Dataset) -> None:
        config = getattr(trl, f"{names[method]}Config")(
            output_dir=str(folder), max_steps=1, per_device_train_batch_size=2, use_cpu=True, bf16=False,
            report_to="none", save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False,
            **more.get(method, {}),
        )  # fmt: skip
        extra = {"reward_funcs": lambda completions, **_: [0.0, 1.0]} if method == "grpo" else {}
        trainer = getattr(trl, f"{names[method]}Trainer")(
            model=copy.deepcopy(scoring if method == "reward" else causal),
            args=config,
            train_dataset=rows,
            processing_class=copy.deepcopy(tokenizer),
            **extra,
        )
        assert trainer.train().global_step == 1

    return train


STRICTER = {  # TRL trains here too, on something that nobody meant
    ("sharegpt-human-gpt", "sft"): "the keys are converted, the roles stay human and gpt",
}
UNDECIDED = {  # TRL asks one column of a set whether the row is a chat, and the order of a set changes with the process
    ("preference-sharegpt", "sft"): "trains on the questions alone, or misses a column 'text'",
}
RAISED = (KeyError, ValueError, TypeError, AttributeError, IndexError)


@pytest.mark.slow
@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_verdicts_agree_with_what_trl_does(folder, one_step, tmp_path):
    import datasets

    raw = datasets.load_dataset("json", data_files=str(folder / "rows.jsonl"), split="train", cache_dir=str(tmp_path))
    for method, entry in verdicts_of(folder).items():
        if (folder.name, method) in UNDECIDED:
            assert entry["verdict"] == "INCOMPATIBLE"
            with contextlib.suppress(*RAISED):
                one_step(method, raw)
        elif entry["verdict"] == "READY" or (folder.name, method) in STRICTER:
            one_step(method, raw)
        else:
            with pytest.raises(RAISED):
                one_step(method, raw)
        if entry["verdict"] == "MAPPABLE":
            mapping = entry["mapping"]
            rows = [map_row(row, mapping) for row in raw if not problem_of(row, mapping, method)]
            one_step(method, datasets.Dataset.from_list(rows))
