"""Volumes of a job: repos and buckets as folders, mount paths rewritten, changed bucket files written back."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from . import auth, buckets, repos
from .errors import HubError, bad_request

if TYPE_CHECKING:
    from .state import Hub

REPO_TYPES = ("model", "dataset", "space")


def parse(raw: Any) -> list[dict[str, Any]]:
    """The `volumes` of a job spec, checked; 400 says which one is wrong and why."""
    if not isinstance(raw, list):
        raise bad_request("volumes must be a list")
    seen: set[str] = set()
    checked = []
    for item in raw:
        if not isinstance(item, dict):
            raise bad_request("each volume must be an object")
        kind, source, mount = item.get("type"), item.get("source"), item.get("mountPath")
        if kind not in ("bucket", *REPO_TYPES):
            raise bad_request(f"volume type {kind!r}: one of bucket, model, dataset, space")
        if not isinstance(source, str) or not source:
            raise bad_request("a volume needs a source")
        if not isinstance(mount, str) or not mount.startswith("/") or mount.strip("/") == "":
            raise bad_request(f"mountPath {mount!r} must be an absolute path below /")
        mount = "/" + mount.strip("/")
        path = item.get("path") or ""
        for text in (mount, path):
            if not isinstance(text, str) or ".." in PurePosixPath(text).parts or "\0" in text:
                raise bad_request(f"volume path {text!r} climbs out of its folder")
        if mount in seen:
            raise bad_request(f"two volumes at {mount}")
        seen.add(mount)
        volume = {"type": kind, "source": source, "mountPath": mount}
        if item.get("revision"):
            volume["revision"] = str(item["revision"])
        volume["readOnly"] = True if kind != "bucket" else bool(item.get("readOnly", False))
        if path.strip("/"):
            volume["path"] = path.strip("/")
        checked.append(volume)
    return checked


def check_access(hub: Hub, request: Request, volumes: list[dict[str, Any]]) -> None:
    """404 or 403, as the repo or bucket itself would answer, for a volume that the caller may not read."""
    for volume in volumes:
        if volume["type"] == "bucket":
            bucket = buckets.readable(hub, request, volume["source"])
            if not volume["readOnly"]:
                auth.require(request, bucket.namespace)
        else:
            repos.readable(hub, request, volume["type"], volume["source"])


@dataclass
class Mounted:
    """The volumes of one job, on this machine's disk."""

    folders: dict[str, Path] = field(default_factory=dict)  # mount path -> folder
    _writable: list[tuple[str, str, Path, dict[str, tuple[int, int]]]] = field(default_factory=list)

    def rewrite(self, text: str) -> str:
        """`text` with each mount path, where it stands as a path of its own, replaced by its folder."""
        if not self.folders:
            return text
        names = sorted(self.folders, key=len, reverse=True)
        pattern = r"(?<![\w./-])(" + "|".join(re.escape(name) for name in names) + r")(?![\w.-])"
        return re.sub(pattern, lambda found: str(self.folders[found.group(1)]), text)

    def environment(self) -> dict[str, str]:
        """HF_JOB_VOLUME_<PATH> for each folder: a name of the local Hub's own, not of the real service."""
        return {
            "HF_JOB_VOLUME_" + re.sub(r"[^A-Z0-9]+", "_", mount.strip("/").upper()): str(folder)
            for mount, folder in self.folders.items()
        }

    def write_back(self, hub: Hub, scratch: Path) -> list[str]:
        """Put new and changed files into their buckets; returns what was written, for the log."""
        notes = []
        for bucket_id, prefix, folder, before in self._writable:
            after = _snapshot(folder)
            changed = sorted(name for name, state in after.items() if before.get(name) != state)
            if not changed:
                continue
            outbox = scratch / "outbox"
            for name in changed:
                target = outbox / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, target)
            try:
                buckets.ingest(hub, bucket_id, prefix, outbox)
            finally:
                shutil.rmtree(outbox, ignore_errors=True)
            before.clear()
            before.update(after)
            notes.append(f"{len(changed)} changed file(s) written to bucket {bucket_id}")
        return notes


def _snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    state = {}
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in files:
            path = Path(parent) / name
            if path.is_symlink() or not path.is_file():
                continue
            status = path.stat()
            state[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return state


def mount(hub: Hub, volumes: list[dict[str, Any]], folder: Path) -> Mounted:
    """Copy each volume into a folder of its own under `folder`."""
    mounted = Mounted()
    for number, volume in enumerate(volumes):
        target = folder / str(number) / (PurePosixPath(volume["mountPath"]).name or "root")
        target.mkdir(parents=True)
        prefix = volume.get("path", "")
        if volume["type"] == "bucket":
            buckets.export(hub, volume["source"], prefix, target)
            if not volume["readOnly"]:
                mounted._writable.append((volume["source"], prefix, target, _snapshot(target)))
        else:
            revision = volume.get("revision") or "main"
            repos.export(hub, volume["type"], volume["source"], revision, target, prefix)
            if prefix and not any(target.iterdir()):
                raise HubError(404, f"{volume['source']} has no folder {prefix!r} at {revision}")
        mounted.folders[volume["mountPath"]] = target
    return mounted
