"""`datasets` against the Hub: push, load, stream."""

import json
import os
import tempfile
from pathlib import Path

from datasets import Dataset, DatasetDict, load_dataset, load_dataset_builder
from huggingface_hub import HfApi
from steps import run, step

api = HfApi()
NAME = f"tester/data-{os.getpid()}"


@step
def a_dataset_is_pushed_as_parquet() -> None:
    rows = {"text": [f"row {i}" for i in range(200)], "label": [i % 2 for i in range(200)]}
    split = Dataset.from_dict(rows).train_test_split(test_size=0.25, seed=0)
    DatasetDict(split).push_to_hub(NAME, private=True)
    names = api.list_repo_files(NAME, repo_type="dataset")
    assert {"README.md", "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"} <= set(names)


@step
def it_loads_with_its_splits_and_types() -> None:
    loaded = load_dataset(NAME)
    assert loaded["train"].num_rows == 150 and loaded["test"].num_rows == 50
    assert loaded["train"].features["label"].dtype == "int64"
    assert load_dataset_builder(NAME).info.splits["train"].num_examples == 150


@step
def it_streams() -> None:
    first = next(iter(load_dataset(NAME, split="test", streaming=True)))
    assert first["text"].startswith("row ")
    assert sum(1 for _ in load_dataset(NAME, split="train", streaming=True)) == 150


@step
def a_second_configuration_is_added() -> None:
    Dataset.from_dict({"text": ["only"]}).push_to_hub(NAME, config_name="extra")
    assert load_dataset(NAME, "extra", split="train")["text"][0] == "only"
    assert load_dataset(NAME, "default", split="train").num_rows == 150


@step
def lines_of_json_and_csv_load_and_stream() -> None:
    repo = NAME + "-text"
    api.create_repo(repo, repo_type="dataset")
    folder = Path(tempfile.mkdtemp())
    (folder / "train.jsonl").write_text("".join(json.dumps({"n": i}) + "\n" for i in range(30)))
    (folder / "table.csv").write_text("n,word\n" + "".join(f"{i},w{i}\n" for i in range(20)))
    api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=folder)
    assert load_dataset(repo, data_files="train.jsonl", split="train").num_rows == 30
    assert load_dataset(repo, data_files="table.csv", split="train")["word"][3] == "w3"
    assert len(list(load_dataset(repo, data_files="table.csv", split="train", streaming=True))) == 20


run()
