"""cache_report.py over a cache that the real client filled: what it names is what goes, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HFCacheInfo, scan_cache_dir

from skillpack.hub import repos

from .conftest import Desk

MODEL, ROWS = "model", "rows"


def file_names(info: HFCacheInfo, name: str) -> set[str]:
    return {
        f.file_name for repo in info.repos if repo.repo_id.endswith(name) for rev in repo.revisions for f in rev.files
    }


@pytest.fixture
def cache(desk: Desk) -> Path:
    """A model of two revisions with weights in two formats, a dataset unused for 100 days, two stopped downloads."""
    weights = os.urandom(200_000)
    desk.api.create_repo(f"{desk.user}/{MODEL}")
    desk.api.create_commit(
        f"{desk.user}/{MODEL}",
        [
            CommitOperationAdd("model.safetensors", weights),
            CommitOperationAdd("pytorch_model.bin", weights[:150_000]),
            CommitOperationAdd("onnx/model.onnx", weights[:120_000]),
            CommitOperationAdd("emb/pytorch_model.bin", weights[:90_000]),
        ],
        commit_message="Weights",
    )
    desk.api.create_repo(f"{desk.user}/{ROWS}", repo_type="dataset")
    desk.api.upload_file(
        path_or_fileobj=weights[:100_000], path_in_repo="rows.parquet", repo_id=f"{desk.user}/{ROWS}",
        repo_type="dataset",
    )  # fmt: skip
    folder = desk.home / "hub"
    desk.api.snapshot_download(f"{desk.user}/{MODEL}", cache_dir=folder)
    desk.api.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id=f"{desk.user}/{MODEL}")
    desk.api.snapshot_download(f"{desk.user}/{MODEL}", cache_dir=folder)
    desk.api.snapshot_download(f"{desk.user}/{ROWS}", repo_type="dataset", cache_dir=folder)
    old = time.time() - 100 * 86400
    for repo in scan_cache_dir(folder).repos:
        if repo.repo_id.endswith(ROWS):
            for revision in repo.revisions:
                for file in revision.files:
                    os.utime(file.blob_path, (old, old))
        else:
            for name, age in (("stopped", 7200), ("running", 10)):
                partial = repo.repo_path / "blobs" / f"{name}.incomplete"
                partial.write_bytes(b"x" * 50_000)
                os.utime(partial, (time.time() - age, time.time() - age))
    return folder


def test_the_report_names_what_is_large_and_stale_and_changes_nothing(desk: Desk, cache: Path) -> None:
    before = sorted(cache.rglob("*"))
    found = desk.json("cache_report.py")
    rows = {row["repo"]: row for row in found["repos"]}
    assert list(rows) == [f"model/{desk.user}/{MODEL}", f"dataset/{desk.user}/{ROWS}"]  # the largest first
    assert rows[f"dataset/{desk.user}/{ROWS}"]["stale"] and not rows[f"model/{desk.user}/{MODEL}"]["stale"]
    labels = {kind: [row["label"].partition("/")[2] for row in rows] for kind, rows in found["candidates"].items()}
    assert len(labels["detached"]) == 1 and [name.rpartition("/")[2] for name in labels["incomplete"]] == [
        "stopped.incomplete"
    ]
    assert {name.rpartition("/")[2] for name in labels["formats"]} == {"pytorch_model.bin"}
    assert found["would_free_bytes"]["formats"] == 150_000  # in both revisions one file; not the one without a twin
    attributes = len(repos.GITATTRIBUTES)
    assert (
        found["would_free_bytes"]["stale"] == 100_000 + attributes and found["would_free_bytes"]["incomplete"] == 50_000
    )
    waits = desk.script("cache_report.py", "--free", "stale", "formats")
    assert waits.returncode == 4 and "--yes" in waits.stderr and ROWS in waits.stdout
    assert sorted(cache.rglob("*")) == before


def test_what_is_named_goes_and_what_is_kept_stays(desk: Desk, cache: Path) -> None:
    typo = desk.script("cache_report.py", "--free", "stale", "--keep", "rosw", "--yes")
    assert typo.returncode == 2 and ROWS in typo.stderr and ROWS in str(scan_cache_dir(cache).repos)
    kept = desk.json("cache_report.py", "--free", "stale", "--keep", ROWS, "--yes")
    assert not kept["freed"] and ROWS in str(scan_cache_dir(cache).repos)

    done = desk.json("cache_report.py", "--free", "stale", "incomplete", "--free", "formats", "--yes")
    assert done["freed"] and done["freed_bytes"] == done["chosen_bytes"] == 300_000 + len(repos.GITATTRIBUTES)
    info = scan_cache_dir(cache)
    assert file_names(info, ROWS) == set()
    assert file_names(info, MODEL) >= {"model.safetensors", "model.onnx", "config.json"}
    assert [file.file_path.name for file in info.incomplete_files] == ["running.incomplete"]
    assert (cache / f"models--{desk.user}--{MODEL}/refs/main").is_file()

    desk.json("cache_report.py", "--free", "detached", "--yes")
    assert [len(repo.revisions) for repo in scan_cache_dir(cache).repos] == [1]
    assert Path(
        desk.hf("download", f"{desk.user}/{MODEL}", "model.safetensors", "-q", HF_HUB_OFFLINE="1").strip()
    ).is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--yes"], 2, "nothing was named"),
        (["--older-than", "-1"], 2, "below zero"),
        (["--free", "everything"], 2, "invalid choice"),
        (["--cache-dir", "/nowhere/at/all"], 3, "no cache at"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_bad_input_is_a_message(desk: Desk, arguments: list[str], code: int, words: str) -> None:
    done = desk.script("cache_report.py", *arguments)
    assert done.returncode == code and words in done.stderr
