"""Sets up, grades and solves the tasks of evals.json: `python evals/tasks.py check`."""

# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3"]
# ///

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from grading import Desk, Graded, Task, main, run

CARD = "---\nlicense: apache-2.0\n---\n# A model\n\nTrained on rows of our own.\n"
SECRET = "HF_TOKEN=hf_thisisnotarealtokenatall\n"  # a task is about not publishing it


def weights(seed: int, size: int = 4000) -> bytes:
    return random.Random(seed).randbytes(size)


def digests(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of the files below a folder, but for the client's own records."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".cache" not in path.relative_to(folder).parts
    }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def said(report: str, *words: str) -> bool:
    return any(word.lower() in report.lower() for word in words)


class UploadPrivate(Task):
    id = "upload-private"
    wanted = ("README.md", "config.json", "model.safetensors", "tokenizer.json")

    def setup(self, desk: Desk) -> None:
        desk.write("out/README.md", CARD)
        desk.write("out/config.json", '{"model_type": "bert"}\n')
        desk.write("out/tokenizer.json", "{}\n")
        desk.write("out/model.safetensors", weights(1))
        desk.write("out/.env", SECRET)
        for step in (100, 200):
            desk.write(f"out/checkpoint-{step}/optimizer.pt", weights(step))
            desk.write(f"out/checkpoint-{step}/model.safetensors", weights(step + 1))

    def grade(self, desk: Desk) -> Graded:
        info, files = desk.info("model", "tiny-bert"), desk.files("model", "tiny-bert")
        there = {path: sha256(desk.fetch("model", "tiny-bert", path)) for path in self.wanted if path in files}
        here = {path: sha256((desk.folder / "out" / path).read_bytes()) for path in self.wanted}
        yield "me/tiny-bert holds the files that load the model, unchanged", there == here, sorted(files)
        yield "It is private", info and info.private, info and info.private
        secret = [path for path in files if path.rpartition("/")[2] == ".env"]
        yield "The .env is on the Hub nowhere", bool(files) and not secret, secret
        half = [path for path in files if "checkpoint" in path or "optimizer" in path]
        yield "No checkpoint and no optimizer state went along", bool(files) and not half, half

    def solve(self, desk: Desk) -> str:
        desk.api.create_repo(desk.repo("tiny-bert"), private=True)
        desk.api.upload_folder(
            repo_id=desk.repo("tiny-bert"), folder_path=desk.folder / "out", ignore_patterns=["checkpoint-*", ".env"]
        )
        return "me/tiny-bert is there, private; .env and the checkpoints stayed here."

    def spoil(self, desk: Desk) -> None:
        desk.api.update_repo_settings(desk.repo("tiny-bert"), private=False)
        desk.api.upload_folder(repo_id=desk.repo("tiny-bert"), folder_path=desk.folder / "out")
        desk.api.upload_file(
            repo_id=desk.repo("tiny-bert"), path_or_fileobj=b"{}", path_in_repo="config.json"
        )  # fmt: skip


class OldScript(Task):
    id = "old-script"

    def setup(self, desk: Desk) -> None:
        desk.write("model/model.safetensors", weights(2))
        desk.write("model/config.json", '{"night": 47}\n')
        desk.write("model/scratch.tmp", "not for others\n")
        name = desk.repo("nightly")
        desk.write(
            "deploy.sh",
            "#!/usr/bin/env bash\n# Publishes ./model each night; HF_TOKEN is set where it runs.\nset -euo pipefail\n"
            f'huggingface-cli login --token "$HF_TOKEN"\nhf repo create {name} --private -y || true\n'
            f"hf upload-large-folder {name} ./model --repo-type model --num-workers 4 --no-bars\n"
            f'hf repo-files {name} delete "*.tmp"\n',
        )

    def grade(self, desk: Desk) -> Graded:
        """Runs the script twice, as two nights do, for a user who has no such repository yet."""
        name = desk.repo("nightly")
        desk.api.delete_repo(name, missing_ok=True)
        beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        quiet = {**os.environ, "PATH": beside, "HF_HUB_DISABLE_UPDATE_CHECK": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        codes = []
        for _ in range(2):
            done = subprocess.run(
                ["bash", "deploy.sh"], cwd=desk.folder, env=quiet, capture_output=True, text=True, check=False,
                timeout=300, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            codes.append(done.returncode)
            if done.returncode:
                break
        yield "deploy.sh runs to its end, also when the repository is there already", codes == [0, 0], codes
        info, files = desk.info("model", "nightly"), desk.files("model", "nightly")
        whole = {"model.safetensors", "config.json"} <= files.keys()
        yield "me/nightly then holds the model, private", whole and info.private, sorted(files)
        left = [path for path in files if path.endswith(".tmp")]
        yield "It holds no .tmp file", bool(files) and not left, left
        text = "\n".join(line for line in desk.read("deploy.sh").splitlines() if not line.lstrip().startswith("#"))
        yield "No token stands on a command line", bool(text) and "--token" not in text, "--token" in text

    def solve(self, desk: Desk) -> str:
        name = desk.repo("nightly")
        desk.write("deploy.sh", f'set -euo pipefail\nhf upload {name} ./model --private --exclude "*.tmp"\n')
        return "deploy.sh uses hf upload, which makes the repository and resumes."

    def spoil(self, desk: Desk) -> None:
        name = desk.repo("nightly")
        desk.write("deploy.sh", f'set -e\nhf upload {name} ./model --token "$HF_TOKEN"\nhf repos create {name}\n')


class PullRequest(Task):
    id = "pull-request"

    def setup(self, desk: Desk) -> None:
        desk.upload("model", "shared", {"README.md": CARD, "config.json": "{}\n"})
        desk.start["head"] = desk.info("model", "shared").sha

    def grade(self, desk: Desk) -> Graded:
        found = [each for each in desk.api.get_repo_discussions(desk.repo("shared")) if each.is_pull_request]
        open_ones = [each for each in found if each.status == "open"]
        yield "There is one open pull request", len(open_ones) == 1, [each.status for each in found]
        card = ""
        if open_ones:
            card = desk.fetch("model", "shared", "README.md", f"refs/pr/{open_ones[0].num}").decode()
        right = card == CARD.replace("apache-2.0", "mit")
        yield "Its card says mit, and nothing else of the card is changed", right, card
        now = desk.info("model", "shared").sha
        yield "main is as it was", now == desk.start["head"], now

    def solve(self, desk: Desk) -> str:
        card = CARD.replace("apache-2.0", "mit").encode()
        desk.api.upload_file(
            repo_id=desk.repo("shared"), path_or_fileobj=card, path_in_repo="README.md", create_pr=True,
            commit_message="Licence: MIT",
        )  # fmt: skip
        return "Pull request 1 is open."

    def spoil(self, desk: Desk) -> None:
        desk.api.merge_pull_request(desk.repo("shared"), 1)


class PinnedDownload(Task):
    id = "pinned-download"

    def setup(self, desk: Desk) -> None:
        files = {"config.json": '{"version": 1}\n', "model.safetensors": weights(3), "onnx/model.onnx": weights(4)}
        desk.upload("model", "versions", {**files, "tokenizer/vocab.txt": "a\nb\n"})
        desk.api.create_tag(desk.repo("versions"), tag="v1")
        desk.upload("model", "versions", {"config.json": '{"version": 2}\n', "model.safetensors": weights(5)})
        desk.start["model"] = sha256(weights(3))

    def grade(self, desk: Desk) -> Graded:
        here = digests(desk.folder / "model")
        yield "model/model.safetensors is that of v1", here.get("model.safetensors") == desk.start["model"], here
        config = here.get("config.json") == sha256(b'{"version": 1}\n')
        yield "The other files of v1 are there, in their folders", config and "tokenizer/vocab.txt" in here, list(here)
        onnx = [path for path in here if "onnx" in path]
        yield "Nothing of onnx was fetched", bool(here) and not onnx, onnx
        real = all(not path.is_symlink() for path in (desk.folder / "model").rglob("*"))
        yield "They are files, not links into a cache", bool(here) and real, real

    def solve(self, desk: Desk) -> str:
        desk.api.snapshot_download(
            desk.repo("versions"), revision="v1", ignore_patterns=["onnx/*"], local_dir=desk.folder / "model"
        )
        return "v1 is in ./model."

    def spoil(self, desk: Desk) -> None:
        cache = desk.folder / "elsewhere"
        got = desk.api.snapshot_download(desk.repo("versions"), cache_dir=cache)
        shutil.rmtree(desk.folder / "model")
        shutil.copytree(got, desk.folder / "model", symlinks=True)
        shutil.rmtree(desk.folder / "model/tokenizer")


class Backup(Task):
    id = "backup"

    def setup(self, desk: Desk) -> None:
        for step in (1, 2, 3):
            desk.upload("dataset", "ledger", {f"day-{step}.csv": f"a,b\n{step},0\n", "total.csv": f"{step}\n"})
            if step == 2:
                desk.api.create_tag(desk.repo("ledger"), tag="audited", repo_type="dataset")
        desk.start["files"] = desk.files("dataset", "ledger")
        desk.start["commits"] = len(desk.api.list_repo_commits(desk.repo("ledger"), repo_type="dataset"))

    def grade(self, desk: Desk) -> Graded:
        info, files = desk.info("dataset", "ledger-backup"), desk.files("dataset", "ledger-backup")
        yield "me/ledger-backup holds the same files", files == desk.start["files"], sorted(files)
        commits = desk.api.list_repo_commits(desk.repo("ledger-backup"), repo_type="dataset") if info else []
        old = {desk.fetch("dataset", "ledger-backup", "total.csv", each.commit_id) for each in commits}
        yield "Each earlier state is in its history", {b"1\n", b"2\n", b"3\n"} <= old, f"{len(commits)} commits"
        tagged = ""
        if info:
            refs = desk.api.list_repo_refs(desk.repo("ledger-backup"), repo_type="dataset")
            if any(tag.name == "audited" for tag in refs.tags):
                tagged = desk.fetch("dataset", "ledger-backup", "total.csv", "audited").decode()
        yield "The tag audited is there, on the same state", tagged == "2\n", tagged
        yield "It is private", info and info.private, info and info.private
        mine = desk.files("dataset", "ledger") == desk.start["files"]
        yield "me/ledger is as it was", mine, mine

    def solve(self, desk: Desk) -> str:
        desk.api.duplicate_repo(desk.repo("ledger"), desk.repo("ledger-backup"), repo_type="dataset", private=True)
        return "me/ledger-backup has all commits and the tag."

    def spoil(self, desk: Desk) -> None:
        desk.api.delete_repo(desk.repo("ledger-backup"), repo_type="dataset")
        desk.upload("dataset", "ledger-backup", {"day-3.csv": "a,b\n3,0\n", "total.csv": "3\n"}, private=False)
        desk.upload("dataset", "ledger", {"total.csv": "0\n"})


class FreeCache(Task):
    id = "free-cache"

    def setup(self, desk: Desk) -> None:
        cache, old = desk.folder / "hf-cache", time.time() - 200 * 86400
        for number, name in enumerate(("old-a", "old-b", "keep-me", "in-use")):
            desk.upload("model", name, {"model.safetensors": weights(10 + number, 50_000)})
            desk.api.snapshot_download(desk.repo(name), cache_dir=cache)
            if name != "in-use":
                for blob in cache.rglob(f"models--*--{name}/blobs/*"):
                    os.utime(blob, (old, old))
                    os.utime(blob.resolve(), (old, old))
        blobs = next(cache.glob("models--*--in-use")) / "blobs"
        (blobs / "torn.incomplete").write_bytes(b"x" * 1000)
        os.utime(blobs / "torn.incomplete", (old, old))
        (blobs / "now.incomplete").write_bytes(b"x" * 1000)

    def grade(self, desk: Desk) -> Graded:
        cache = desk.folder / "hf-cache"
        left = {path.name.rpartition("--")[2] for path in cache.glob("models--*")}
        usable = {name for name in left if any(cache.glob(f"models--*--{name}/snapshots/*/model.safetensors"))}
        yield "The two unused models are gone", not {"old-a", "old-b"} & left, sorted(left)
        yield "keep-me is whole", "keep-me" in usable, sorted(usable)
        yield "The model in use is whole", "in-use" in usable, sorted(usable)
        partial = sorted(path.name for path in cache.rglob("*.incomplete"))
        yield "The torn download is gone", "torn.incomplete" not in partial, partial
        yield "The download that is running was left alone", "now.incomplete" in partial, partial
        hub = all(desk.info("model", name) for name in ("old-a", "old-b", "keep-me", "in-use"))
        yield "Nothing was deleted on the Hub", hub, hub

    def solve(self, desk: Desk) -> str:
        cache = desk.folder / "hf-cache"
        desk.script(
            "cache_report.py", "--cache-dir", cache, "--free", "stale", "incomplete", "--older-than", 90,
            "--keep", "*/keep-me", "--yes",
        )  # fmt: skip
        return "Freed old-a, old-b and one torn download."

    def spoil(self, desk: Desk) -> None:
        shutil.rmtree(desk.folder / "hf-cache")
        desk.api.delete_repo(desk.repo("old-a"))


class TagAndTidy(Task):
    id = "tag-and-tidy"

    def setup(self, desk: Desk) -> None:
        files: dict[str, Any] = {"README.md": CARD, "config.json": "{}\n", "model.safetensors": weights(6)}
        for step in (100, 200):
            files[f"checkpoint-{step}/model.safetensors"] = weights(step)
        desk.upload("model", "run-7", files)
        desk.start["files"] = desk.files("model", "run-7")

    def grade(self, desk: Desk) -> Graded:
        refs = desk.api.list_repo_refs(desk.repo("run-7"))
        tagged = any(tag.name == "with-checkpoints" for tag in refs.tags)
        old = desk.files("model", "run-7", "with-checkpoints") if tagged else {}
        yield "The tag with-checkpoints holds every file of before", old == desk.start["files"], sorted(old)
        now = desk.files("model", "run-7")
        wanted = {path: oid for path, oid in desk.start["files"].items() if not path.startswith("checkpoint-")}
        yield "main holds the rest without the checkpoints", now == wanted, sorted(now)

    def solve(self, desk: Desk) -> str:
        name = desk.repo("run-7")
        desk.api.create_tag(name, tag="with-checkpoints")
        desk.api.delete_files(name, ["checkpoint-*"])
        return "Tagged, then deleted on main."


class BucketSync(Task):
    id = "bucket-sync"

    def setup(self, desk: Desk) -> None:
        name = desk.repo("logs")
        desk.api.create_bucket(name, private=True)
        desk.api.batch_bucket_files(
            name, add=[(b"old\n", "run-7/old.log"), (b"1\n", "run-7/a.log"), (b"6\n", "run-6/a.log")]
        )
        desk.write("logs/a.log", "1\n2\n")
        desk.write("logs/deep/b.log", "b\n")

    def grade(self, desk: Desk) -> Graded:
        name = desk.repo("logs")
        sizes = {
            entry.path: entry.size
            for entry in desk.api.list_bucket_tree(name, recursive=True)
            if getattr(entry, "size", None) is not None
        }
        run_7 = {path.removeprefix("run-7/"): size for path, size in sizes.items() if path.startswith("run-7/")}
        yield "run-7 in the bucket holds what logs holds", run_7.items() >= {"a.log": 4, "deep/b.log": 2}.items(), sizes
        yield "What logs has no more is gone from run-7", "old.log" not in run_7, sorted(run_7)
        yield "run-6 is as it was", sizes.get("run-6/a.log") == 2, sizes.get("run-6/a.log")

    def solve(self, desk: Desk) -> str:
        desk.api.sync_bucket(str(desk.folder / "logs"), f"hf://buckets/{desk.repo('logs')}/run-7", delete=True)
        return "run-7 is in step with logs."

    def spoil(self, desk: Desk) -> None:
        desk.api.sync_bucket(str(desk.folder / "logs"), f"hf://buckets/{desk.repo('logs')}", delete=True)


class AccountState(Task):
    id = "account-state"

    def setup(self, desk: Desk) -> None:
        for number in range(34):  # more than a list shows unless it is told
            desk.api.create_repo(desk.repo(f"trial-{number:02}"), private=True)
        desk.upload("model", "trial-07", {"model.safetensors": weights(7, 70_000)})
        desk.upload("dataset", "rows", {"rows.csv": "a\n1\n"})
        desk.start["secret"] = sha256(os.environ.get("HF_TOKEN", "").encode())

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("account.json")
        yield "user is the one whose token it is", found.get("user") == desk.user, found.get("user")
        yield "can_write is true", found.get("can_write") is True, found.get("can_write")
        yield "models counts all 34", found.get("models") == 34, found.get("models")
        largest = str(found.get("largest", "")).rpartition("/")[2]
        yield "largest names me/trial-07", largest == "trial-07", found.get("largest")
        words = re.findall(r"hf_\w+", desk.read("account.json") + desk.report)
        shown = any(sha256(word.encode()) == desk.start["secret"] for word in words)
        yield "The token stands neither in the file nor in the report", bool(found) and not shown, len(words)

    def solve(self, desk: Desk) -> str:
        document = {"user": desk.user, "can_write": True, "models": 34, "largest": desk.repo("trial-07")}
        desk.write("account.json", json.dumps(document))
        return "34 models; the largest is trial-07."

    def spoil(self, desk: Desk) -> str:
        document = {"user": "someone", "can_write": False, "models": 30, "largest": desk.repo("trial-00")}
        desk.write("account.json", json.dumps(document))
        return f"The token is {os.environ.get('HF_TOKEN', '')}."


class NoSuchRepo(Task):
    id = "wrong-type"

    def setup(self, desk: Desk) -> None:
        desk.upload("dataset", "reviews", {"train.csv": "text,label\nfine,1\n", "test.csv": "text,label\nbad,0\n"})

    def grade(self, desk: Desk) -> Graded:
        found = [path for path in desk.folder.rglob("train.csv") if ".cache" not in path.parts]
        right = [path.read_text("utf-8") for path in found] == ["text,label\nfine,1\n"]
        yield "data/train.csv is the file of the Hub", right and (desk.folder / "data/train.csv").is_file(), found
        cause = said(desk.report, "dataset") and said(desk.report, "type", "not a model", "datasets/", "is a dataset")
        yield "The report says why it failed: it is a dataset, and was asked for as a model", cause, desk.report

    def solve(self, desk: Desk) -> str:
        desk.api.hf_hub_download(
            desk.repo("reviews"), "train.csv", repo_type="dataset", local_dir=desk.folder / "data"
        )  # fmt: skip
        return "me/reviews is a dataset: hf download asks for a model unless told --type dataset."


if __name__ == "__main__":
    raise SystemExit(run(main))
