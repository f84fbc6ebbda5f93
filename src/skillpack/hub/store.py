"""Content-addressed files: written aside, hashed on the way, synced, then renamed into place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20


@dataclass(frozen=True)
class Blob:
    sha256: str
    size: int


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BlobWriter:
    """A blob being written: `write` chunks, then `commit` or `abort`."""

    def __init__(self, store: Store):
        self._store = store
        self.temporary = store.temporary_path()
        self._file: BinaryIO = self.temporary.open("wb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def sync(self) -> None:
        """Everything written is on the disk; nothing more can be written."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def commit(self) -> Blob:
        """Make the blob permanent; idempotent by content."""
        self.sync()
        blob = Blob(self.sha256, self.size)
        self._store.adopt(self.temporary, blob.sha256)
        return blob

    def abort(self) -> None:
        with contextlib.suppress(OSError):  # a full disk fails again when the buffer is flushed
            self._file.close()
        self.temporary.unlink(missing_ok=True)


class Store:
    """Files by SHA-256, in 256 folders, and a folder for what is not finished."""

    def __init__(self, blobs: Path, temporary: Path):
        self.blobs = blobs
        self.temporary = temporary
        blobs.mkdir(parents=True, exist_ok=True)
        temporary.mkdir(parents=True, exist_ok=True)

    def temporary_path(self) -> Path:
        return self.temporary / secrets.token_hex(16)

    def path(self, sha256: str) -> Path:
        return self.blobs / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def size(self, sha256: str) -> int:
        return self.path(sha256).stat().st_size

    def writer(self) -> BlobWriter:
        return BlobWriter(self)

    def adopt(self, finished: Path, sha256: str) -> None:
        """Move a synced file, whose content hashes to `sha256`, to its place."""
        target = self.path(sha256)
        if not target.parent.is_dir():
            target.parent.mkdir(exist_ok=True)
            sync_folder(self.blobs)
        finished.replace(target)
        sync_folder(target.parent)

    def put_file(self, source: Path) -> Blob:
        """Copy a file in."""
        writer = self.writer()
        try:
            with source.open("rb") as file:
                while chunk := file.read(CHUNK):
                    writer.write(chunk)
            return writer.commit()
        except BaseException:
            writer.abort()
            raise

    def open(self, sha256: str) -> BinaryIO:
        return self.path(sha256).open("rb")

    def chunks(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        """Bytes [start, stop) in chunks of at most 1 MiB."""
        with self.open(sha256) as file:
            file.seek(start)
            left = stop - start
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def export(self, sha256: str, destination: Path) -> None:
        """A copy, never a link: who reads it may also write it."""
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path(sha256), destination)
