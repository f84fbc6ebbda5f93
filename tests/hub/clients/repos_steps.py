"""Models, datasets and Spaces through HfApi. Usage: HUB_READ=… HUB_STRANGER=… python repos_steps.py"""

import io
import json
import os
import struct
import tempfile
import warnings
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    HfFileSystem,
    ModelCard,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from steps import refuses, run, step

api = HfApi()
NAME = f"repos-{os.getpid()}"
REPO = f"tester/{NAME}"
OTHER = f"tester/{NAME}-other"
reader = HfApi(token=os.environ["HUB_READ"])
stranger = HfApi(token=os.environ["HUB_STRANGER"])
work = Path(tempfile.mkdtemp())
CARD = "---\nlicense: apache-2.0\nlanguage: [en]\ntags: [tiny]\nbase_model: org/base\n---\n# A model\n"


def tensors() -> bytes:
    header = json.dumps(
        {
            "a": {"dtype": "F32", "shape": [4, 5], "data_offsets": [0, 80]},
            "b": {"dtype": "BF16", "shape": [3], "data_offsets": [80, 86]},
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header + bytes(86)


@step
def whoami_names_the_user() -> None:
    about = api.whoami()
    assert about["name"] == "tester" and about["auth"]["accessToken"]["role"] == "write"
    refuses(HfHubHTTPError, HfApi(token="hf_wrong").whoami, "")


@step
def a_repo_is_created_once() -> None:
    url = api.create_repo(REPO, private=True)
    assert url.repo_id == REPO and str(url).endswith(REPO)
    assert api.create_repo(REPO, exist_ok=True).repo_id == REPO
    error = refuses(HfHubHTTPError, lambda: api.create_repo(REPO))
    assert error.response.status_code == 409
    refuses(BadRequestError, lambda: _raw_create("a--b"))


def _raw_create(name: str) -> None:
    from huggingface_hub.utils import get_session, hf_raise_for_status

    headers = {"Authorization": f"Bearer {os.environ['HF_TOKEN']}"}
    answer = get_session().post(f"{os.environ['HF_ENDPOINT']}/api/repos/create", headers=headers, json={"name": name})
    hf_raise_for_status(answer)


@step
def a_folder_is_uploaded_in_one_commit() -> None:
    (work / "README.md").write_text(CARD)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8}
    (work / "config.json").write_text(json.dumps(config))
    (work / "model.safetensors").write_bytes(tensors())
    (work / "data").mkdir()
    (work / "data" / "random.bin").write_bytes(os.urandom(3_000_000))
    (work / "data" / "words.bin").write_bytes(b"compressible \0" * 200_000)
    (work / "data" / "empty.bin").touch()
    (work / "data" / "unicode – name.txt").write_text("text\n")
    commit = api.upload_folder(repo_id=REPO, folder_path=work, commit_message="All of it")
    assert commit.oid == api.model_info(REPO).sha
    assert len(api.list_repo_commits(REPO)) == 2


@step
def a_private_repo_is_hidden_from_others() -> None:
    refuses(RepositoryNotFoundError, lambda: stranger.model_info(REPO))
    refuses(RepositoryNotFoundError, lambda: HfApi(token=False).model_info(REPO))
    assert reader.model_info(REPO).private is True
    refuses(HfHubHTTPError, lambda: reader.upload_file(path_or_fileobj=b"", path_in_repo="x", repo_id=REPO), "403")
    api.update_repo_settings(REPO, private=False)
    assert stranger.model_info(REPO).private is False


@step
def info_carries_config_card_tags_and_parameters() -> None:
    about = api.model_info(REPO)
    assert about.config["model_type"] == "llama" and about.pipeline_tag == "text-generation"
    assert about.card_data.license == "apache-2.0" and about.library_name == "transformers"
    assert {"license:apache-2.0", "tiny", "en", "base_model:org/base", "safetensors"} <= set(about.tags)
    assert about.safetensors.total == 23 and about.safetensors.parameters == {"F32": 20, "BF16": 3}
    expanded = api.model_info(REPO, expand=["safetensors", "usedStorage"])
    assert expanded.safetensors.total == 23 and expanded.used_storage > 5_000_000 and expanded.siblings is None


@step
def info_carries_sizes_and_hashes_when_asked() -> None:
    files = {f.rfilename: f for f in api.model_info(REPO, files_metadata=True).siblings}
    assert files["data/random.bin"].size == 3_000_000 and files["data/random.bin"].lfs.size == 3_000_000
    assert files["config.json"].lfs is None and files["data/empty.bin"].size == 0


@step
def files_come_back_as_they_went() -> None:
    for path in work.rglob("*"):
        if path.is_file():
            name = path.relative_to(work).as_posix()
            assert Path(hf_hub_download(REPO, name)).read_bytes() == path.read_bytes(), name


@step
def a_range_is_read_without_the_rest() -> None:
    files = HfFileSystem()
    expected = (work / "data" / "words.bin").read_bytes()
    with files.open(f"{REPO}/data/words.bin", "rb", block_size=1000) as file:
        file.seek(1_234_567)
        assert file.read(4321) == expected[1_234_567 : 1_234_567 + 4321]
    assert sorted(files.glob(f"{REPO}/data/*.bin"))[0].endswith("empty.bin")


@step
def safetensors_metadata_is_read_remotely() -> None:
    assert api.get_safetensors_metadata(REPO).parameter_count == {"F32": 20, "BF16": 3}


@step
def checksums_of_a_snapshot_agree() -> None:
    folder = snapshot_download(REPO)
    assert (Path(folder) / "data" / "random.bin").stat().st_size == 3_000_000
    assert not api.verify_repo_checksums(REPO).mismatches


@step
def trees_list_files_folders_and_last_commits() -> None:
    flat = {item.path for item in api.list_repo_tree(REPO)}
    assert "data" in flat and "data/random.bin" not in flat
    deep = {item.path: item for item in api.list_repo_tree(REPO, recursive=True, expand=True)}
    assert deep["data/random.bin"].last_commit.title == "All of it"
    assert deep[".gitattributes"].last_commit.title == "initial commit"
    inside = {item.path for item in api.list_repo_tree(REPO, "data")}
    assert "data/unicode – name.txt" in inside
    refuses(RemoteEntryNotFoundError, lambda: list(api.list_repo_tree(REPO, "nowhere")))


@step
def paths_info_tells_of_what_exists() -> None:
    found = api.get_paths_info(REPO, ["data", "config.json", "missing"], expand=True)
    assert {item.path for item in found} == {"data", "config.json"}
    assert api.file_exists(REPO, "config.json") and not api.file_exists(REPO, "missing")


@step
def branches_and_tags_name_commits() -> None:
    api.create_branch(REPO, branch="feature/one")
    api.create_tag(REPO, tag="v1", tag_message="first")
    refs = api.list_repo_refs(REPO)
    assert {b.name for b in refs.branches} == {"main", "feature/one"} and refs.tags[0].name == "v1"
    refuses(HfHubHTTPError, lambda: api.create_tag(REPO, tag="v1"), "409")
    api.create_branch(REPO, branch="feature/one", exist_ok=True)
    api.upload_file(path_or_fileobj=b"b", path_in_repo="only-here.txt", repo_id=REPO, revision="feature/one")
    assert api.file_exists(REPO, "only-here.txt", revision="feature/one")
    assert not api.file_exists(REPO, "only-here.txt")
    api.delete_branch(REPO, branch="feature/one")
    refuses(RevisionNotFoundError, lambda: api.model_info(REPO, revision="feature/one"))


@step
def a_commit_adds_copies_and_deletes() -> None:
    operations = [
        CommitOperationAdd("notes/a.txt", b"a"),
        CommitOperationAdd("notes/b.txt", io.BytesIO(b"b")),
        CommitOperationCopy("data/random.bin", "data/copy.bin"),
        CommitOperationCopy("config.json", "notes/config.json"),
        CommitOperationDelete("data/words.bin"),
    ]
    api.create_commit(REPO, operations, commit_message="Change", commit_description="In one")
    names = api.list_repo_files(REPO)
    assert {"notes/a.txt", "data/copy.bin", "notes/config.json"} <= set(names) and "data/words.bin" not in names
    assert Path(hf_hub_download(REPO, "data/copy.bin")).read_bytes() == (work / "data" / "random.bin").read_bytes()
    api.delete_folder("notes", REPO)
    assert not [name for name in api.list_repo_files(REPO) if name.startswith("notes/")]
    refuses(RemoteEntryNotFoundError, lambda: api.delete_file("no-such-file", REPO))


@step
def a_commit_on_an_old_parent_is_refused() -> None:
    old = api.list_repo_commits(REPO)[-1].commit_id
    add = [CommitOperationAdd("late.txt", b"late")]
    error = refuses(HfHubHTTPError, lambda: api.create_commit(REPO, add, commit_message="x", parent_commit=old))
    assert error.response.status_code == 412
    head = api.model_info(REPO).sha
    api.create_commit(REPO, add, commit_message="In time", parent_commit=head)


@step
def the_history_is_linear_and_readable() -> None:
    commits = api.list_repo_commits(REPO)
    assert commits[0].title == "In time" and commits[-1].title == "initial commit"
    old = api.model_info(REPO, revision=commits[1].commit_id)
    assert "late.txt" not in {file.rfilename for file in old.siblings}
    assert hf_hub_download(REPO, "config.json", revision="v1")


@step
def the_same_folder_again_makes_no_commit() -> None:
    api.upload_folder(repo_id=REPO, folder_path=work)
    before = len(api.list_repo_commits(REPO))
    api.upload_folder(repo_id=REPO, folder_path=work)
    assert len(api.list_repo_commits(REPO)) == before


@step
def a_gitignore_keeps_files_out() -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / ".gitignore").write_text("*.log\nbuild/\n!keep.log\n")
    for name in ("a.log", "keep.log", "b.txt", "build/c.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    api.upload_folder(repo_id=REPO, folder_path=folder, path_in_repo="")
    names = set(api.list_repo_files(REPO))
    assert {"b.txt", "keep.log"} <= names and not {"a.log", "build/c.txt"} & names


@step
def a_pull_request_is_opened_discussed_and_merged() -> None:
    made = api.upload_file(path_or_fileobj=b"new", path_in_repo="pr.txt", repo_id=REPO, create_pr=True)
    assert made.pr_num == 1 and made.pr_revision == "refs/pr/1"
    assert not api.file_exists(REPO, "pr.txt") and api.file_exists(REPO, "pr.txt", revision="refs/pr/1")
    comment = api.comment_discussion(REPO, 1, "Looks right")
    assert api.edit_discussion_comment(REPO, 1, comment.id, "Looks fine").content == "Looks fine"
    assert api.get_discussion_details(REPO, 1).conflicting_files == []
    api.merge_pull_request(REPO, 1)
    assert api.get_discussion_details(REPO, 1).status == "merged" and api.file_exists(REPO, "pr.txt")
    refuses(HfHubHTTPError, lambda: api.merge_pull_request(REPO, 1), "409")


@step
def a_pull_request_with_conflicts_is_not_merged() -> None:
    made = api.upload_file(path_or_fileobj=b"mine", path_in_repo="both.txt", repo_id=REPO, create_pr=True)
    api.upload_file(path_or_fileobj=b"theirs", path_in_repo="both.txt", repo_id=REPO)
    assert api.get_discussion_details(REPO, made.pr_num).conflicting_files == ["both.txt"]
    refuses(HfHubHTTPError, lambda: api.merge_pull_request(REPO, made.pr_num), "409")
    api.change_discussion_status(REPO, made.pr_num, "closed")


@step
def strangers_may_only_propose() -> None:
    add = {"path_or_fileobj": b"s", "path_in_repo": "s.txt", "repo_id": REPO}
    refuses(HfHubHTTPError, lambda: stranger.upload_file(**add), "403")
    made = stranger.upload_folder(repo_id=REPO, folder_path=work / "data", path_in_repo="theirs", create_pr=True)
    assert made.pr_num and api.get_discussion_details(REPO, made.pr_num).author == "stranger"
    refuses(HfHubHTTPError, lambda: stranger.merge_pull_request(REPO, made.pr_num), "403")


@step
def discussions_are_listed_renamed_and_closed() -> None:
    made = api.create_discussion(REPO, "A question", description="Why?")
    api.rename_discussion(REPO, made.num, "A better question")
    api.change_discussion_status(REPO, made.num, "closed", comment="Because")
    details = api.get_discussion_details(REPO, made.num)
    assert details.title == "A better question" and details.status == "closed"
    assert [event.type for event in details.events] == ["comment", "title-change", "comment", "status-change"]
    found = list(api.get_repo_discussions(REPO, discussion_type="discussion"))
    assert [each.num for each in found] == [made.num]


@step
def files_are_copied_between_repos() -> None:
    api.create_repo(OTHER, repo_type="dataset")
    api.copy_files(f"hf://{REPO}/data/", f"hf://datasets/{OTHER}/copied/")
    names = api.list_repo_files(OTHER, repo_type="dataset")
    assert "copied/random.bin" in names
    got = hf_hub_download(OTHER, "copied/random.bin", repo_type="dataset")
    assert Path(got).read_bytes() == (work / "data" / "random.bin").read_bytes()


@step
def lists_are_searched_filtered_and_sorted() -> None:
    assert [m.id for m in api.list_models(author="tester", search=NAME)] == [REPO]
    assert REPO in {m.id for m in api.list_models(filter=["license:apache-2.0", "tiny"])}
    assert not list(api.list_models(search=NAME, filter="license:mit"))
    full = next(iter(api.list_models(search=NAME, full=True, cardData=True, fetch_config=True)))
    assert full.siblings and full.card_data.license == "apache-2.0" and full.config["model_type"] == "llama"
    assert [d.id for d in api.list_datasets(search=NAME, sort="last_modified")] == [OTHER]


@step
def a_gated_repo_is_seen_but_not_read() -> None:
    api.update_repo_settings(OTHER, repo_type="dataset", gated="manual")
    assert stranger.dataset_info(OTHER).gated == "manual"
    get = {"repo_id": OTHER, "filename": "copied/random.bin", "repo_type": "dataset"}
    refuses(GatedRepoError, lambda: stranger.hf_hub_download(**get, cache_dir=tempfile.mkdtemp()))
    refuses(GatedRepoError, lambda: stranger.auth_check(OTHER, repo_type="dataset"))
    api.auth_check(OTHER, repo_type="dataset")


@step
def failures_are_the_clients_own_exceptions() -> None:
    refuses(RepositoryNotFoundError, lambda: api.model_info("tester/never-made"))
    refuses(RemoteEntryNotFoundError, lambda: hf_hub_download(REPO, "never.txt"))
    refuses(RevisionNotFoundError, lambda: hf_hub_download(REPO, "config.json", revision="never"))
    refuses(RepositoryNotFoundError, lambda: api.upload_folder(repo_id="tester/never-made", folder_path=work))


@step
def a_card_is_validated_and_pushed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ModelCard(CARD.replace("tiny", "pushed")).push_to_hub(REPO)
    assert "pushed" in ModelCard.load(REPO).data.tags
    refuses(
        ValueError, lambda: api.upload_file(path_or_fileobj=b"---\na: [\n---\n", path_in_repo="README.md", repo_id=REPO)
    )


@step
def a_squash_keeps_the_files_and_drops_the_past() -> None:
    before = api.list_repo_files(REPO)
    api.super_squash_history(REPO, commit_message="One")
    assert [commit.title for commit in api.list_repo_commits(REPO)] == ["One"]
    assert api.list_repo_files(REPO) == before


@step
def a_moved_repo_answers_to_both_names() -> None:
    api.move_repo(REPO, REPO + "-moved")
    assert api.model_info(REPO + "-moved").id == REPO + "-moved" == api.model_info(REPO).id
    error = refuses(HfHubHTTPError, lambda: api.move_repo(REPO + "-moved", "someone-else/x"))
    assert error.response.status_code == 403


@step
def an_organization_has_repos_of_its_own() -> None:
    api.create_repo(f"acme/{NAME}", private=True)
    assert api.repo_exists(f"acme/{NAME}") and not stranger.repo_exists(f"acme/{NAME}")
    refuses(HfHubHTTPError, lambda: stranger.create_repo(f"acme/{NAME}-no"), "403")
    assert {org["name"] for org in api.whoami()["orgs"]} == {"acme"}


@step
def a_space_keeps_variables_and_hides_secrets() -> None:
    space = f"tester/{NAME}-space"
    api.create_repo(
        space,
        repo_type="space",
        space_sdk="gradio",
        space_secrets=[{"key": "FIRST", "value": "hush-1"}],
        space_variables=[{"key": "COLOR", "value": "red"}],
    )
    api.add_space_secret(space, "SECOND", "hush-2", description="a key")
    assert set(api.get_space_secrets(space)) == {"FIRST", "SECOND"}
    assert api.add_space_variable(space, "SIZE", "9")["SIZE"].value == "9"
    assert set(api.get_space_variables(space)) == {"COLOR", "SIZE"}
    api.delete_space_secret(space, "FIRST")
    assert set(api.get_space_secrets(space)) == {"SECOND"}
    api.request_space_hardware(space, "t4-small")
    assert api.get_space_runtime(space).hardware == "t4-small" and api.pause_space(space).stage == "PAUSED"
    assert api.restart_space(space).stage == "RUNNING" and api.space_info(space).sdk == "gradio"


@step
def collections_hold_items_in_order() -> None:
    made = api.create_collection("Things we like", description="A list", private=True)
    assert api.create_collection("Things we like", exists_ok=True).slug == made.slug
    api.add_collection_item(made.slug, REPO + "-moved", "model", note="good")
    full = api.add_collection_item(made.slug, OTHER, "dataset")
    api.update_collection_item(made.slug, full.items[1].item_object_id, position=0)
    found = api.get_collection(made.slug)
    assert [item.item_type for item in found.items] == ["dataset", "model"] and found.items[1].note == "good"
    api.delete_collection_item(made.slug, found.items[0].item_object_id)
    assert api.update_collection_metadata(made.slug, title="Fewer").title == "Fewer"
    assert [each.slug for each in api.list_collections(owner="tester")] == [made.slug]
    api.delete_collection(made.slug)


@step
def a_deleted_repo_is_gone() -> None:
    api.delete_repo(REPO + "-moved")
    assert not api.repo_exists(REPO) and not api.repo_exists(REPO + "-moved")
    api.delete_repo(REPO, missing_ok=True)
    api.delete_repo(OTHER, repo_type="dataset")


run()
