"""The Dataset Viewer API over files that the real client uploaded."""

from __future__ import annotations

import io
import json
import secrets
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import LocalHub

TEXTS = ["the cat sat", "a DOG ran", "cats & dogs", "naïve “quotes”", None]


def upload(hub: LocalHub, repo: str, path: str, data: bytes) -> None:
    hub.api().upload_file(path_or_fileobj=data, path_in_repo=path, repo_id=repo, repo_type="dataset")


def parquet(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def rows(hub: LocalHub) -> str:
    """A private dataset of two configs: 250 rows of Parquet in two files, and a test split of JSON lines."""
    repo = hub.api().create_repo(f"rows-{secrets.token_hex(3)}", repo_type="dataset", private=True).repo_id
    for part, span in ((0, range(150)), (1, range(150, 250))):
        table = pa.table(
            {
                "n": list(span),
                "text": [TEXTS[i % 5] for i in span],
                "score": [float("nan") if i == 3 else i / 10 for i in span],
                "messages": [[{"role": "user", "content": f"question {i}"}] for i in span],
                "ok": [i % 2 == 0 for i in span],
            }
        )
        upload(hub, repo, f"data/train-{part:05d}-of-00002.parquet", parquet(table, row_group_size=40))
    upload(hub, repo, "data/test.jsonl", b'{"n": 1, "text": "x"}\n{"n": 2, "text": "y"}\n')
    upload(hub, repo, "extra.csv", b"a,b\n1,one\n2,two\n")
    card = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test.jsonl
- config_name: extra
  data_files: extra.csv
---
"""
    upload(hub, repo, "README.md", card.encode())
    return repo


def get(hub: LocalHub, endpoint: str, token: str | None = None, status: int = 200, **params: Any) -> Any:
    headers = {"Authorization": f"Bearer {token or hub.token}"}
    answer = httpx2.get(f"{hub.url}/datasets-server/{endpoint}", params=params, headers=headers, timeout=30)
    assert answer.status_code == status, answer.text
    return answer.json()


def page(hub: LocalHub, endpoint: str, repo: str, status: int = 200, **params: Any) -> Any:
    params = {"dataset": repo, "config": "default", "split": "train", **params}
    return get(hub, endpoint, status=status, **params)


def test_splits_follow_the_card(hub: LocalHub, rows: str) -> None:
    assert get(hub, "is-valid", dataset=rows)["viewer"] is True
    found = [(each["config"], each["split"]) for each in get(hub, "splits", dataset=rows)["splits"]]
    assert found == [("default", "train"), ("default", "test"), ("extra", "train")]


def test_without_a_card_names_of_files_say_the_split(hub: LocalHub) -> None:
    repo = hub.api().create_repo(f"plain-{secrets.token_hex(3)}", repo_type="dataset").repo_id
    assert get(hub, "is-valid", dataset=repo)["viewer"] is False
    get(hub, "splits", status=422, dataset=repo)
    for path in ("my-dev.jsonl", "train/part.jsonl", "eval_set.json"):
        upload(hub, repo, path, b'{"a": 1}\n')
    found = [each["split"] for each in get(hub, "splits", dataset=repo)["splits"]]
    assert found == ["train", "validation", "test"]


def test_rows_are_paged_across_files_and_groups(hub: LocalHub, rows: str) -> None:
    answer = page(hub, "rows", rows, offset=148, length=4)
    assert [row["row_idx"] for row in answer["rows"]] == [148, 149, 150, 151]
    assert [row["row"]["n"] for row in answer["rows"]] == [148, 149, 150, 151]
    assert answer["num_rows_total"] == 250 and answer["num_rows_per_page"] == 100
    assert page(hub, "rows", rows, offset=3, length=1)["rows"][0]["row"]["score"] is None
    assert page(hub, "rows", rows, offset=1000)["rows"] == []
    assert len(page(hub, "rows", rows)["rows"]) == 100
    page(hub, "rows", rows, status=422, length=101)
    types = {each["name"]: each["type"] for each in answer["features"]}
    assert types["n"] == {"dtype": "int64", "_type": "Value"}
    assert types["messages"]["_type"] == "List" and types["messages"]["feature"]["role"]["dtype"] == "string"


def test_first_rows_cut_long_cells(hub: LocalHub) -> None:
    repo = hub.api().create_repo(f"long-{secrets.token_hex(3)}", repo_type="dataset").repo_id
    upload(hub, repo, "a.jsonl", json.dumps({"text": "x" * 20_000, "n": 1}).encode())
    answer = page(hub, "first-rows", repo)
    assert answer["rows"][0]["truncated_cells"] == ["text"] and len(answer["rows"][0]["row"]["text"]) == 10_000
    assert answer["truncated"] is False


def test_search_finds_every_word_in_any_text_column(hub: LocalHub, rows: str) -> None:
    assert page(hub, "search", rows, query="CAT sat")["num_rows_total"] == 50
    hit = page(hub, "search", rows, query="question 249")["rows"]
    assert [row["row_idx"] for row in hit] == [249] and "file_row_number" not in hit[0]["row"]
    assert page(hub, "search", rows, query="naïve")["num_rows_total"] == 50
    assert page(hub, "search", rows, query="100%_'; DROP")["rows"] == []
    page(hub, "search", rows, status=422)


def test_filter_takes_a_condition_and_an_order(hub: LocalHub, rows: str) -> None:
    answer = page(hub, "filter", rows, where='"n" > 240 AND "ok" = true', orderby='"n" DESC', length=2)
    assert [row["row"]["n"] for row in answer["rows"]] == [248, 246] and answer["num_rows_total"] == 4
    page(hub, "filter", rows, status=422)


@pytest.mark.parametrize(
    "where",
    [
        "1=1; DROP VIEW data",
        "n > (SELECT count(*) FROM read_text('/etc/passwd'))",
        "n > (SELECT count(*) FROM read_csv('https://example.invalid/x.csv'))",
        "n IN (SELECT 1 FROM glob('/etc/*'))",
        "nonsense",
        "\"missing\" = 1",
        "getenv('HOME') != ''",
        "1=1) AND (SELECT current_setting('allowed_directories') IS NOT NULL",
        "1=1) UNION SELECT * FROM read_parquet('/etc/hostname') WHERE (1=1",
    ],
)  # fmt: skip
def test_a_condition_cannot_reach_outside_the_split(hub: LocalHub, rows: str, where: str) -> None:
    status = 200 if "current_setting" in where else 400
    answer = page(hub, "filter", rows, status=status, where=where)
    assert "root:" not in json.dumps(answer)


def test_info_size_and_parquet_agree(hub: LocalHub, rows: str) -> None:
    info = get(hub, "info", dataset=rows)["dataset_info"]
    assert info["default"]["splits"]["train"]["num_examples"] == 250 and set(info) == {"default", "extra"}
    assert get(hub, "info", dataset=rows, config="extra")["dataset_info"]["splits"]["train"]["num_examples"] == 2
    size = get(hub, "size", dataset=rows)["size"]
    assert size["dataset"]["num_rows"] == 254
    assert [each["num_rows"] for each in size["configs"]] == [252, 2]
    files = get(hub, "parquet", dataset=rows)["parquet_files"]
    assert [each["split"] for each in files] == ["train", "test", "train"]
    for each in files:
        answer = httpx2.get(each["url"], headers={"Authorization": f"Bearer {hub.token}"}, follow_redirects=True)
        assert len(answer.content) == each["size"]
        assert pq.read_table(io.BytesIO(answer.content)).num_rows in (250, 2)


def test_statistics_fit_the_type_of_each_column(hub: LocalHub, rows: str) -> None:
    answer = page(hub, "statistics", rows)
    found = {each["column_name"]: each for each in answer["statistics"]}
    assert answer["num_examples"] == 250
    n = found["n"]["column_statistics"]
    assert found["n"]["column_type"] == "int" and (n["min"], n["max"], n["mean"]) == (0, 249, 124.5)
    assert sum(n["histogram"]["hist"]) == 250
    assert found["text"]["column_type"] == "string_label" and found["text"]["column_statistics"]["nan_count"] == 50
    assert found["ok"]["column_statistics"]["frequencies"] == {"False": 125, "True": 125}
    assert found["messages"]["column_type"] == "list"
    assert found["score"]["column_statistics"]["max"] == 24.9


def test_a_new_commit_changes_what_is_shown(hub: LocalHub) -> None:
    repo = hub.api().create_repo(f"fresh-{secrets.token_hex(3)}", repo_type="dataset").repo_id
    upload(hub, repo, "train.csv", b"a\n1\n")
    assert page(hub, "rows", repo)["num_rows_total"] == 1
    upload(hub, repo, "train.csv", b"a\n1\n2\n")
    assert page(hub, "rows", repo)["num_rows_total"] == 2


def test_features_that_datasets_wrote_are_kept(hub: LocalHub) -> None:
    repo = f"{hub.user}/pushed-{secrets.token_hex(3)}"
    script = f"""
from datasets import ClassLabel, Dataset, Features, Value
features = Features({{"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])}})
Dataset.from_dict({{"text": ["a", "b", "c"], "label": [0, 1, 1]}}, features=features).push_to_hub("{repo}")
"""
    done = hub.run("python", "-c", script)
    assert done.returncode == 0, done.stderr
    types = {each["name"]: each["type"] for each in page(hub, "first-rows", repo)["features"]}
    assert types["label"] == {"names": ["neg", "pos"], "_type": "ClassLabel"}
    found = {each["column_name"]: each["column_statistics"] for each in page(hub, "statistics", repo)["statistics"]}
    assert found["label"]["frequencies"] == {"neg": 1, "pos": 2}


def test_what_cannot_be_shown_says_why(hub: LocalHub, rows: str) -> None:
    get(hub, "rows", status=422, dataset=rows)
    get(hub, "splits", status=404, dataset=f"{hub.user}/absent")
    get(hub, "splits", status=404, dataset=rows, token=hub.add_token("viewer-stranger"))
    page(hub, "rows", rows, status=404, split="nope")
    repo = hub.api().create_repo(f"broken-{secrets.token_hex(3)}", repo_type="dataset").repo_id
    upload(hub, repo, "train.parquet", b"not parquet at all")
    upload(hub, repo, "test.jsonl", b'{"a": \n')
    for split in ("train", "test"):
        said = page(hub, "rows", repo, status=422, split=split)["error"]
        assert "cannot be read" in said and str(hub.root) not in said
