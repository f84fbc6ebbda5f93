"""The `hf` command on repos, step by step; jobs and buckets have tests of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import LocalHub


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "http"])
def test_hf_moves_files_between_here_and_a_repo(hub: LocalHub, xet: bool, tmp_path: Path) -> None:
    repo = f"{hub.user}/by-cli-{'xet' if xet else 'http'}"
    folder = tmp_path / "model"
    (folder / "nested").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A card\n")
    (folder / "nested/model.safetensors").write_bytes(bytes(range(256)) * 20_000)  # 5 MB, sent as a large file

    def hf(*arguments: str, code: int = 0) -> str:
        done = hub.run("hf", *arguments, xet=xet, HF_HOME=str(tmp_path / "hf"))
        assert done.returncode == code, f"hf {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    assert hub.user in hf("auth", "whoami")
    hf("repos", "create", repo, "--private")
    hf("upload", repo, str(folder))
    hf("upload", repo, str(folder / "README.md"), "copies/CARD.md", "--commit-message", "a second name")
    hf("repos", "tag", "create", repo, "v1")
    assert "v1" in hf("repos", "tag", "list", repo)
    assert repo.partition("/")[2] in hf("repos", "ls")
    assert '"license:mit"' in hf("models", "info", repo, "--format", "json").replace("'", '"')

    there = tmp_path / "there"
    hf("download", repo, "--local-dir", str(there), "--revision", "v1", "--exclude", "copies/*")
    assert (there / "nested/model.safetensors").read_bytes() == (folder / "nested/model.safetensors").read_bytes()
    assert not (there / "copies").exists()

    hf("upload", repo, str(folder / "README.md"), "proposal.md", "--create-pr")
    assert "open" in hf("discussions", "list", repo)
    hf("repos", "delete-files", repo, "copies/CARD.md")
    assert "Not Found" in hf("download", repo, "copies/CARD.md", code=1).title()
    hf("repos", "delete", repo, "--yes")
    hf("download", repo, code=1)


def test_hf_says_what_is_wrong_with_a_token(hub: LocalHub) -> None:
    done = hub.run("hf", "auth", "whoami", HF_TOKEN="hf_nobodyhasthistoken")
    assert done.returncode
    assert "Invalid user token" in done.stdout + done.stderr


def test_a_repo_is_duplicated_with_its_commits_and_tags(hub: LocalHub) -> None:
    api, repo, copy = hub.api(), f"{hub.user}/to-duplicate", f"{hub.user}/duplicated"
    api.create_repo(repo, private=True)
    api.upload_file(repo_id=repo, path_or_fileobj=b"one", path_in_repo="a.txt")
    api.create_tag(repo, tag="v1")
    api.upload_file(repo_id=repo, path_or_fileobj=b"two", path_in_repo="a.txt")
    api.create_pull_request(repo, title="not copied")
    done = hub.run("hf", "repos", "duplicate", repo, copy)
    assert done.returncode == 0, done.stderr
    assert [c.commit_id for c in api.list_repo_commits(copy)] == [c.commit_id for c in api.list_repo_commits(repo)]
    refs = api.list_repo_refs(copy, include_pull_requests=True)
    assert [tag.name for tag in refs.tags] == ["v1"] and refs.pull_requests == []
    assert api.model_info(copy).private
    again = hub.run("hf", "repos", "duplicate", repo, copy)
    assert again.returncode and "409" in again.stderr + again.stdout
    other = hub.run("hf", "repos", "duplicate", repo, "somebody/else", HF_TOKEN=hub.add_token("stranger"))
    assert other.returncode
