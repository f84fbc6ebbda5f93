"""mirror_repo.py: from Hub to Hub and from namespace to namespace, as a snapshot and with history, proved by hash."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from tests.conftest import LocalHub

from .conftest import Desk

WEIGHTS = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def source(other_hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A user of the other Hub with a private model of four commits, a tag and a branch."""
    desk = Desk.new(other_hub, tmp_path_factory.mktemp("source") / "desk")
    api, repo = desk.api, f"{desk.user}/model"
    api.create_repo(repo, private=True)

    def commit(title: str, *operations: object, **more: str) -> None:
        api.create_commit(repo, operations, commit_message=title, commit_description="Why: because.", **more)

    commit("Weights", CommitOperationAdd("model.safetensors", WEIGHTS), CommitOperationAdd("a [1]/*.txt", b"odd\n"))
    api.create_tag(repo, tag="v1")
    commit("A card", CommitOperationAdd("README.md", b"---\nlicense: mit\n---\n# Card\n"))
    api.create_branch(repo, branch="experiment")
    commit("Tidy", CommitOperationDelete("a [1]/*.txt"), CommitOperationAdd("config.json", b"{}\n"))
    commit("Trial", CommitOperationAdd("trial.bin", WEIGHTS[:1000]), revision="experiment")
    return desk


def mirror(desk: Desk, source: Desk, dest: str, *more: object, code: int = 0, **changes: str | None) -> dict:
    changes = {"HF_SOURCE_TOKEN": source.token, **changes}
    name = f"{source.user}/model"
    return desk.json(
        "mirror_repo.py", name, dest, "--from-endpoint", source.hub.url, *more, code=code, **changes
    )  # fmt: skip


def test_history_goes_to_another_hub_and_the_second_run_brings_only_what_is_new(desk: Desk, source: Desk) -> None:
    repo, dest = f"{source.user}/model", f"{desk.user}/copy"
    assert mirror(desk, source, dest, "--history", code=4)["makes_repo"]
    assert not desk.api.repo_exists(dest)

    done = mirror(desk, source, dest, "--history", "--yes")
    assert done["done"] and done["tags"] == ["v1"] and done["differences"] == []
    for revision in ("main", "v1"):
        assert desk.contents(dest, revision) == source.contents(repo, revision)
    assert desk.api.repo_info(dest).private
    theirs, ours = source.api.list_repo_commits(repo), desk.api.list_repo_commits(dest)
    assert [c.title for c in ours][:3] == [c.title for c in theirs][:3] == ["Tidy", "A card", "Weights"]
    assert f"Mirrored-From: {source.hub.url}/{repo}@{theirs[0].commit_id}" in ours[0].message
    assert "Why: because." in ours[0].message and f"Originally-By: {source.user}" in ours[0].message

    part = mirror(desk, source, dest, "--history", "--check", code=1)  # the other branch is another run
    assert part["differences"] == ["branch experiment: there is no such repository, or no such branch"]
    again = mirror(desk, source, dest, "--history", "--yes")
    assert again["done"] and again["commits"] == again["files"] == 0
    assert mirror(desk, source, dest, "--history")["done"]  # and nothing waits for --yes

    branch = mirror(desk, source, dest, "--history", "--revision", "experiment", "--yes")
    assert branch["branch"] == "experiment" and branch["commits"] == 1  # it starts where the branches part
    assert desk.contents(dest, "experiment") == source.contents(repo, "experiment")
    assert desk.contents(dest) == source.contents(repo)

    proof = mirror(desk, source, dest, "--history", "--check")["verified_history"]
    assert proof == {"branches": ["experiment", "main"], "tags": ["v1"], "commits": 5, "same_ids": 0}
    desk.api.delete_tag(dest, tag="v1")
    desk.api.create_tag(dest, tag="v1", revision="main")
    moved = mirror(desk, source, dest, "--history", "--check", code=1)
    assert moved["differences"] == ["tag v1: is on another state"] and moved["verified_history"] is None
    desk.api.super_squash_history(dest, branch="experiment")
    lost = mirror(desk, source, dest, "--history", "--check", "--revision", "experiment", code=1)["differences"]
    assert len(lost) == 4 and all(words.endswith("is missing") for words in lost[:3])  # the newest state alone is there
    assert not list(desk.folder.iterdir())


def test_a_snapshot_is_one_commit_and_check_tells_the_same_from_the_changed(desk: Desk, source: Desk) -> None:
    repo, dest = f"{source.user}/model", f"{desk.user}/snapshot"
    (desk.folder / "mine.txt").write_text("of the user")
    done = mirror(desk, source, dest, "--public", "--work", desk.folder, "--yes")
    assert done["commits"] == 1 and done["verified_files"] == 4
    assert [path.name for path in desk.folder.iterdir()] == ["mine.txt"]
    assert desk.contents(dest) == source.contents(repo) and not desk.api.repo_info(dest).private
    assert mirror(desk, source, dest, "--check")["done"]

    desk.api.upload_file(path_or_fileobj=b"mine\n", path_in_repo="config.json", repo_id=dest)
    found = mirror(desk, source, dest, "--check", code=1)
    assert found["differences"] == ["config.json: differs"] and not found["done"]
    refused = desk.script(
        "mirror_repo.py", repo, dest, "--from-endpoint", source.hub.url, "--yes", HF_SOURCE_TOKEN=source.token
    )
    assert refused.returncode == 2 and "is not from" in refused.stderr and "--overwrite" in refused.stderr
    assert mirror(desk, source, dest, "--overwrite", "--yes")["commits"] == 1
    assert desk.contents(dest) == source.contents(repo)


def test_a_killed_copy_goes_on_where_it_stopped(desk: Desk, source: Desk, tmp_path: Path) -> None:
    files = [CommitOperationAdd(f"part-{n}.bin", bytes([n]) * 2000) for n in range(30)]
    repo, dest = f"{source.user}/parts", f"{desk.user}/parts"
    source.api.create_repo(repo)  # public: no token of the other Hub is needed
    source.api.create_commit(repo, files, commit_message="Thirty files")
    command = desk.command(
        "mirror_repo.py", repo, dest, "--from-endpoint", source.hub.url, "--batch-files", "3", "--yes"
    )
    process = subprocess.Popen(command, cwd=desk.folder, env=desk.environment(), stderr=subprocess.PIPE)
    try:
        while not desk.api.repo_exists(dest) or not 3 <= len(desk.contents(dest)) <= 30:
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    there = len(desk.contents(dest)) - 1
    assert 0 < there < 30
    done = desk.json(
        "mirror_repo.py", repo, dest, "--from-endpoint", source.hub.url, "--batch-files", "20", "--yes"
    )  # fmt: skip
    assert done["done"] and 0 < done["files"] <= 30 - there + 1
    assert desk.contents(dest) == source.contents(repo)
    assert not list(desk.folder.iterdir())


def test_a_duplicate_is_proved_by_its_ids_and_brought_up_to_date(desk: Desk) -> None:
    repo, dest, kind = f"{desk.user}/ledger", f"{desk.user}/ledger-backup", ("--type", "dataset")

    def day(number: int) -> None:
        files = [CommitOperationAdd("day.csv", b"%d\n" % number), CommitOperationAdd("rows.parquet", os.urandom(99))]
        desk.api.create_commit(repo, files, commit_message=f"Day {number}", repo_type="dataset")

    desk.api.create_repo(repo, repo_type="dataset", private=True)
    day(1)
    desk.api.create_tag(repo, tag="audited", repo_type="dataset")
    desk.api.create_branch(repo, branch="draft", repo_type="dataset")
    day(2)
    none = desk.json("mirror_repo.py", repo, dest, *kind, "--history", "--check", code=1)
    assert "branch draft: there is no such repository, or no such branch" in none["differences"]
    desk.hf("repos", "duplicate", repo, dest, *kind)
    assert desk.api.dataset_info(dest).private  # as the original, without --private
    done = desk.script("mirror_repo.py", repo, dest, *kind, "--history", "--check")
    assert done.returncode == 0 and "copied now" not in done.stdout
    assert "branches: draft, main; tags: audited; 3 commits, 3 by the same id, 0 by the same files" in done.stdout

    day(3)
    assert desk.json("mirror_repo.py", repo, dest, *kind, "--history", "--check", code=1)["differences"]
    assert desk.json("mirror_repo.py", repo, dest, *kind, "--history", "--yes")["commits"] == 1
    proof = desk.json("mirror_repo.py", repo, dest, *kind, "--history", "--check")["verified_history"]
    assert proof["commits"] == 4 and proof["same_ids"] == 3
    desk.api.delete_tag(dest, tag="audited", repo_type="dataset")
    lost = desk.json("mirror_repo.py", repo, dest, *kind, "--history", "--check", code=1)
    assert lost["differences"] == ["tag audited: is missing"]


def test_within_one_hub_large_files_are_not_downloaded(desk: Desk) -> None:
    repo, dest = f"{desk.user}/rows", f"{desk.user}/rows-copy"
    desk.api.create_repo(repo, repo_type="dataset")
    for content in (WEIGHTS, WEIGHTS[:5000]):
        desk.api.upload_file(
            path_or_fileobj=content, path_in_repo="data/rows.parquet", repo_id=repo, repo_type="dataset"
        )
    done = desk.json("mirror_repo.py", repo, dest, "--type", "dataset", "--history", "--yes")
    assert done["done"] and done["bytes"] >= len(WEIGHTS)
    assert desk.contents(dest, repo_type="dataset") == desk.contents(repo, repo_type="dataset")
    kept = [path for path in desk.home.rglob("*") if path.is_file() and path.stat().st_size > 4000]
    assert kept == []


def test_a_file_that_one_hub_keeps_in_git_and_the_other_as_large_is_the_same_file(desk: Desk, source: Desk) -> None:
    repo, dest = f"{source.user}/space", f"{desk.user}/space"
    source.api.create_repo(repo, repo_type="space", space_sdk="gradio")
    source.api.upload_file(path_or_fileobj=b"", path_in_repo=".gitattributes", repo_id=repo, repo_type="space")
    source.api.upload_file(path_or_fileobj=b"text\n", path_in_repo="notes.bin", repo_id=repo, repo_type="space")
    done = desk.json("mirror_repo.py", repo, dest, "--type", "space", "--from-endpoint", source.hub.url, "--yes")
    assert done["done"] and desk.api.space_info(dest).sdk == "gradio"
    there, here = desk.contents(dest, repo_type="space"), source.contents(repo, repo_type="space")
    assert there.keys() == here.keys() and there["notes.bin"] != here["notes.bin"]  # SHA-256 there, git's hash here
    again = desk.json("mirror_repo.py", repo, dest, "--type", "space", "--from-endpoint", source.hub.url, "--yes")
    assert again["done"] and again["commits"] == 0

    desk.api.upload_file(path_or_fileobj=b"tex!\n", path_in_repo="notes.bin", repo_id=dest, repo_type="space")
    found = desk.json(
        "mirror_repo.py", repo, dest, "--type", "space", "--from-endpoint", source.hub.url, "--check", code=1
    )  # fmt: skip
    assert found["differences"] == ["notes.bin: differs"]
    assert not list(desk.folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["model", "me/copy"], 2, "is not NAMESPACE/NAME"),
        (["{user}/nowhere", "{user}/copy"], 2, "there is no model"),
        (["{user}/real", "{user}/real"], 2, "the same repository"),
        (["{user}/real", "somebody-else/copy"], 2, "may not write to"),
        (["{user}/real", "{user}/copy", "--revision", "gone"], 3, "404"),
        (["{user}/real", "{user}/copy", "--batch-files", "0"], 2, "above zero"),
        (["{user}/real", "{user}/copy", "--from-endpoint", "huggingface.co"], 2, "no address"),
        (["{user}/real", "{user}/copy", "--from-endpoint", "http://127.0.0.1:9"], 3, "cannot be reached"),
    ],
    ids=lambda value: "-".join(value)[:40] if isinstance(value, list) else None,
)
def test_bad_input_is_a_message_with_the_way_out(wrong: Desk, arguments: list[str], code: int, words: str) -> None:
    done = wrong.script("mirror_repo.py", *(each.format(user=wrong.user) for each in arguments), "--yes")
    assert done.returncode == code, done.stderr
    assert words in done.stderr and "fix:" in done.stderr


@pytest.fixture(scope="module")
def wrong(hub: LocalHub, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk.new(hub, tmp_path_factory.mktemp("wrong") / "desk")
    desk.api.create_repo(f"{desk.user}/real")
    return desk


def test_a_token_that_only_reads_and_a_private_source_are_told_before_anything_is_made(
    desk: Desk, source: Desk
) -> None:
    reader = desk.hub.add_token(desk.user, "read")
    done = desk.script("mirror_repo.py", f"{desk.user}/a", f"{desk.user}/b", "--yes", HF_TOKEN=reader)
    assert done.returncode == 3 and "only reads" in done.stderr
    private = desk.script(
        "mirror_repo.py", f"{source.user}/model", f"{desk.user}/b", "--from-endpoint", source.hub.url, "--yes"
    )
    assert private.returncode == 2 and "HF_SOURCE_TOKEN" in private.stderr
    assert not desk.api.repo_exists(f"{desk.user}/b")
