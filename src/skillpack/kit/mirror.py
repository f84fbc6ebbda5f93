"""The region of the training scripts that keeps a run's checkpoints in the user's bucket too.

A run of a job lies in that bucket already, in the same folder of the same name: a run that was begun here can be
continued as a job, and the other way round.
"""

from __future__ import annotations

import os
from pathlib import Path

from skillpack.kit.guard import WHOLE, whole_checkpoints
from skillpack.kit.hub import on_hub, sign_in
from skillpack.kit.script import Failure, log
from skillpack.kit.spread import FIRST

# region skillpack:mirror
import threading

RUNS_BUCKET = "skillpack-runs"  # private; submit_run.py mounts it at /runs
SMALL_FILES = ("plan.sha256", "log.jsonl", "baseline.json", "batch.json")


class Mirror:
    """Copies the newest whole checkpoint of a run to the bucket, in the background, one at a time.

    A copy that fails is a warning, and the next save tries again with what is newest then.
    """

    def __init__(self, out: Path, folder: str) -> None:
        self.out, self.folder, self.sent = out, folder, ""
        self.thread = threading.Thread(target=self._copy, daemon=True)
        self.api, who = sign_in()
        self.bucket = f"{who['name']}/{RUNS_BUCKET}"
        with on_hub(f"making the bucket {self.bucket}"):
            self.api.create_bucket(self.bucket, private=True, exist_ok=True)
            if not self.api.bucket_info(self.bucket).private:
                raise Failure(
                    f"the bucket {self.bucket} is public, and checkpoints would be too",
                    f"`hf buckets settings {self.bucket} --private`",
                )

    def listed(self) -> set:
        """Paths in the bucket of the files of this run, below its folder."""
        from huggingface_hub.errors import EntryNotFoundError

        try:
            tree = list(self.api.list_bucket_tree(self.bucket, self.folder, recursive=True))
        except EntryNotFoundError:
            return set()
        return {entry.path.removeprefix(self.folder + "/") for entry in tree if entry.type == "file"}

    def restore(self) -> None:
        """Fetches the newest whole checkpoint, and the log and scores that go with it, into the run's empty folder."""
        with on_hub(f"looking for a checkpoint in {self.bucket}"):
            files = self.listed()
            whole = [int(path.split("-")[1].split("/")[0]) for path in files if path.endswith(f"/{WHOLE}")]
            if not whole:
                return
            prefix = f"checkpoints/checkpoint-{max(whole)}/"
            log(f"fetching checkpoint-{max(whole)} from the bucket {self.bucket}")
            wanted = [name for name in files if name.startswith(prefix) or name in SMALL_FILES]
            wanted.sort(key=lambda name: name.endswith(f"/{WHOLE}"))  # last: until then it is a torso
            for batch in (wanted[:-1], wanted[-1:]):
                pairs = [(f"{self.folder}/{name}", self.out / name) for name in batch]
                self.api.download_bucket_files(self.bucket, pairs, raise_on_missing_files=True)

    def push(self) -> None:
        """Starts a copy of the newest checkpoint, unless one is under way."""
        if not self.thread.is_alive():
            self.thread = threading.Thread(target=self._copy, daemon=True)
            self.thread.start()

    def wait(self) -> None:
        """Until the newest checkpoint is in the bucket, or a last try has failed."""
        if self.thread.is_alive():
            self.thread.join()
        whole = whole_checkpoints(self.out / "checkpoints")
        if whole and whole[-1].name != self.sent:
            self._copy()

    def clear(self) -> None:
        """Deletes the checkpoints in the bucket: the model is done, and where it belongs."""
        try:
            with on_hub(f"deleting checkpoints in {self.bucket}"):
                if old := [f"{self.folder}/{name}" for name in self.listed() if name.startswith("checkpoints/")]:
                    self.api.batch_bucket_files(self.bucket, delete=old)
        except Failure as error:
            log(f"warning: {error}")

    def _copy(self) -> None:
        whole = whole_checkpoints(self.out / "checkpoints")
        if not whole:
            return
        newest = whole[-1]
        there = f"checkpoints/{newest.name}"
        files = [(path, f"{there}/{path.relative_to(newest).as_posix()}") for path in newest.rglob("*")
                 if path.is_file() and path.name != WHOLE]  # fmt: skip
        files += [(self.out / name, name) for name in SMALL_FILES if (self.out / name).is_file()]
        try:
            with on_hub(f"copying {newest.name} to {self.bucket}"):
                self.api.batch_bucket_files(self.bucket, add=[(path, f"{self.folder}/{name}") for path, name in files])
                older = [f"{self.folder}/{name}" for name in self.listed()
                         if name.startswith("checkpoints/") and not name.startswith(there + "/")]  # fmt: skip
                self.api.batch_bucket_files(
                    self.bucket, add=[(newest / WHOLE, f"{self.folder}/{there}/{WHOLE}")], delete=older
                )
            self.sent = newest.name
        except Exception as error:  # noqa: BLE001 - whatever the client raises, the run goes on
            log(f"warning: {newest.name} is on this machine only, and the next save tries again: {error}")


def start_mirror(plan: dict, identity: str, out: Path):
    """The mirror of a run that pushes, with what the bucket has of it fetched; None in a job, which lies there."""
    if not FIRST or not plan.get("push") or plan.get("smoke") or os.environ.get("JOB_ID"):
        return None
    mirror = Mirror(out, f"{plan['name'][:80]}-{identity[:8]}")
    if not whole_checkpoints(out / "checkpoints") and not (out / "run.json").is_file():
        mirror.restore()
    return mirror


# endregion skillpack:mirror
