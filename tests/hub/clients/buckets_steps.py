"""Buckets through HfApi, HfFileSystem and `hf`. HF_HUB_DISABLE_XET does not affect them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from huggingface_hub import HfApi, HfFileSystem
from huggingface_hub.errors import BucketNotFoundError, EntryNotFoundError, HfHubHTTPError
from steps import refuses, run, step

api = HfApi()
stranger = HfApi(token=os.environ["HUB_STRANGER"])
BUCKET = f"tester/bucket-{os.getpid()}"
work = Path(tempfile.mkdtemp())


def hf(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("hf")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@step
def a_bucket_is_created_once() -> None:
    assert api.create_bucket(BUCKET, private=True).bucket_id == BUCKET
    assert refuses(HfHubHTTPError, lambda: api.create_bucket(BUCKET)).response.status_code == 409
    api.create_bucket(BUCKET, exist_ok=True)
    refuses(BucketNotFoundError, lambda: stranger.bucket_info(BUCKET))


@step
def files_are_added_in_batches() -> None:
    (work / "logs").mkdir()
    (work / "big.bin").write_bytes(os.urandom(2_500_000))
    (work / "logs" / "a.txt").write_text("a\n" * 1000)
    (work / "logs" / "empty.txt").touch()
    add = [(work / "big.bin", "big.bin"), (work / "logs" / "a.txt", "logs/a.txt")]
    add += [(work / "logs" / "empty.txt", "logs/empty.txt"), (b"bytes", "logs.json")]
    api.batch_bucket_files(BUCKET, add=add)
    about = api.bucket_info(BUCKET)
    assert about.total_files == 4 and about.size == 2_500_000 + 2000 + 5


@step
def trees_and_paths_are_listed() -> None:
    assert {item.path for item in api.list_bucket_tree(BUCKET)} == {"big.bin", "logs", "logs.json"}
    deep = {item.path for item in api.list_bucket_tree(BUCKET, prefix="logs", recursive=True)}
    assert deep == {"logs.json", "logs/a.txt", "logs/empty.txt"}
    found = list(api.get_bucket_paths_info(BUCKET, ["logs/a.txt", "missing"]))
    assert [item.size for item in found] == [2000]


@step
def files_are_downloaded() -> None:
    out = Path(tempfile.mkdtemp())
    wanted = ["big.bin", "logs/a.txt", "logs/empty.txt", "logs.json"]
    api.download_bucket_files(BUCKET, [(name, out / name) for name in wanted])
    assert (out / "big.bin").read_bytes() == (work / "big.bin").read_bytes()
    assert (out / "logs" / "a.txt").read_text() == "a\n" * 1000 and (out / "logs.json").read_bytes() == b"bytes"
    missing = [("missing", out / "missing")]
    refuses(EntryNotFoundError, lambda: api.download_bucket_files(BUCKET, missing, raise_on_missing_files=True))


@step
def the_file_system_reads_and_writes_buckets() -> None:
    files = HfFileSystem()
    with files.open(f"buckets/{BUCKET}/notes/x.txt", "w") as file:
        file.write("through fsspec")
    assert files.cat(f"buckets/{BUCKET}/notes/x.txt") == b"through fsspec"
    assert f"buckets/{BUCKET}/notes" in files.ls(f"buckets/{BUCKET}", detail=False)
    with files.open(f"buckets/{BUCKET}/big.bin", "rb") as file:
        file.seek(1_000_000)
        assert file.read(100) == (work / "big.bin").read_bytes()[1_000_000:1_000_100]


@step
def a_folder_is_synced_both_ways_with_hf() -> None:
    hf("sync", str(work), f"hf://buckets/{BUCKET}/synced")
    again = Path(tempfile.mkdtemp())
    hf("sync", f"hf://buckets/{BUCKET}/synced", str(again))
    assert (again / "big.bin").read_bytes() == (work / "big.bin").read_bytes()
    (work / "logs" / "a.txt").unlink()
    hf("sync", str(work), f"hf://buckets/{BUCKET}/synced", "--delete")
    assert not list(api.get_bucket_paths_info(BUCKET, ["synced/logs/a.txt"]))


@step
def files_are_copied_with_hf() -> None:
    hf("cp", f"hf://buckets/{BUCKET}/big.bin", f"hf://buckets/{BUCKET}/copies/big.bin")
    assert list(api.get_bucket_paths_info(BUCKET, ["copies/big.bin"]))
    out = Path(tempfile.mkdtemp()) / "out.bin"
    hf("cp", f"hf://buckets/{BUCKET}/copies/big.bin", str(out))
    assert out.read_bytes() == (work / "big.bin").read_bytes()


@step
def repo_files_are_copied_into_a_bucket() -> None:
    repo = f"tester/source-{os.getpid()}"
    api.create_repo(repo)
    api.upload_file(path_or_fileobj=work / "big.bin", path_in_repo="weights.bin", repo_id=repo)
    api.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id=repo)
    api.copy_files(f"hf://{repo}", f"hf://buckets/{BUCKET}/from-repo/")
    names = {item.path for item in api.list_bucket_tree(BUCKET, prefix="from-repo/", recursive=True)}
    assert {name.rpartition("/")[2] for name in names} == {"weights.bin", "config.json"}


@step
def files_are_deleted_and_failures_named() -> None:
    api.batch_bucket_files(BUCKET, delete=["logs.json", "logs/a.txt"])
    assert not list(api.get_bucket_paths_info(BUCKET, ["logs.json"]))
    refuses(HfHubHTTPError, lambda: api.batch_bucket_files(BUCKET, add=[(b"x", "../climbs")]), "inside")
    refuses(HfHubHTTPError, lambda: api.batch_bucket_files(BUCKET, copy=[("bucket", BUCKET, "ab" * 32, "x")]))


@step
def a_bucket_is_listed_moved_and_deleted() -> None:
    assert BUCKET in {bucket.id for bucket in api.list_buckets()}
    api.move_bucket(BUCKET, BUCKET + "-moved")
    api.update_bucket_settings(BUCKET + "-moved", private=False)
    assert stranger.bucket_info(BUCKET + "-moved").private is False
    api.delete_bucket(BUCKET + "-moved")
    refuses(BucketNotFoundError, lambda: api.bucket_info(BUCKET + "-moved"))
    api.delete_bucket(BUCKET, missing_ok=True)


run()
