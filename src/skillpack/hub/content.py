"""Bytes by SHA-256, wherever they are kept: a row (small), a file, or chunks in Xet storage."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from starlette.routing import BaseRoute

from .cas import EMPTY_FILE, EMPTY_SHA256, Term, XorbIndex, read_chunks
from .store import CHUNK, Store

if TYPE_CHECKING:
    from .state import Hub

SMALL = 64 << 10  # up to this size content is a row: 10,000 small files are one transaction, not 10,000 syncs

SCHEMA = """
CREATE TABLE IF NOT EXISTS small_blobs (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS xorbs (
    hash TEXT PRIMARY KEY, size INTEGER NOT NULL, sha256 TEXT NOT NULL, chunk_index BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS xet_files (
    hash TEXT PRIMARY KEY, sha256 TEXT, size INTEGER NOT NULL, terms TEXT NOT NULL,
    proved INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS xet_files_by_sha256 ON xet_files (sha256);
"""


class Content(Protocol):
    """Something to read from."""

    @property
    def size(self) -> int: ...

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes [start, stop), in pieces."""


class SmallContent:
    def __init__(self, data: bytes):
        self.data = data
        self.size = len(data)

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        yield self.data[start:stop]


class FileContent:
    def __init__(self, store: Store, sha256: str):
        self._store = store
        self._sha256 = sha256
        self.path = store.path(sha256)
        self.size = store.size(sha256)

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        return self._store.chunks(self._sha256, start, stop)


class XetContent:
    """A file as terms over xorbs."""

    def __init__(self, hub: Hub, terms: list[Term], size: int):
        self._hub = hub
        self._terms = terms
        self.size = size

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        return joined(self._pieces(start, stop))

    def _pieces(self, start: int, stop: int) -> Iterator[bytes]:
        at = 0
        for term in self._terms:
            if at >= stop:
                return
            if at + term.length <= start:
                at += term.length
                continue
            index = xorb_index(self._hub, term.xorb)
            first = term.start
            while at + index.lengths[first] <= start:
                at += index.lengths[first]
                first += 1
            with self._hub.xorbs.open(term.xorb) as file:
                for piece in read_chunks(file, index, first, term.stop):
                    if at >= stop:
                        return
                    yield piece[max(0, start - at) : stop - at]
                    at += len(piece)


def joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about a MiB: each costs a hop between threads."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


@lru_cache(maxsize=64)
def xorb_index(hub: Hub, xorb: str) -> XorbIndex:
    row = hub.db.one("SELECT chunk_index FROM xorbs WHERE hash = ?", (xorb,))
    if row is None:
        raise LookupError(f"xorb {xorb} is missing")
    return XorbIndex.from_bytes(row[0])


def xet_terms(row: sqlite3.Row) -> list[Term]:
    return [Term(*fields) for fields in json.loads(row["terms"])]


def locate(hub: Hub, sha256: str) -> Content | None:
    """Where the content is; None when the Hub has none of that name."""
    row = hub.db.one("SELECT data FROM small_blobs WHERE sha256 = ?", (sha256,))
    if row is not None:
        return SmallContent(row[0])
    if sha256 == EMPTY_SHA256:
        return SmallContent(b"")
    if hub.store.has(sha256):
        return FileContent(hub.store, sha256)
    row = hub.db.one("SELECT * FROM xet_files WHERE sha256 = ? AND proved = 1 LIMIT 1", (sha256,))
    return XetContent(hub, xet_terms(row), row["size"]) if row is not None else None


def get(hub: Hub, sha256: str) -> Content:
    found = locate(hub, sha256)
    if found is None:
        raise LookupError(f"content {sha256} is missing: run `skillpack hub fsck`")
    return found


def xet_hash(hub: Hub, sha256: str) -> str:
    """The name under which Xet clients fetch this content.

    A file that came through Xet has a true Xet hash. Any other is served to Xet clients as well, under its
    SHA-256, as uncompressed chunks made on the way out.
    """
    if sha256 == EMPTY_SHA256:
        return EMPTY_FILE
    row = hub.db.one("SELECT hash FROM xet_files WHERE sha256 = ? AND proved = 1 LIMIT 1", (sha256,))
    return str(row[0]) if row is not None else sha256


def put_small(connection: sqlite3.Connection, sha256: str, data: bytes) -> None:
    connection.execute("INSERT OR IGNORE INTO small_blobs VALUES (?, ?)", (sha256, data))


def put_file(hub: Hub, source: Path) -> tuple[str, int]:
    """Copy a file in; (sha256, size)."""
    blob = hub.store.put_file(source)
    return blob.sha256, blob.size


def read_all(hub: Hub, sha256: str) -> bytes:
    content = get(hub, sha256)
    return b"".join(content.chunks(0, content.size))


class _Reader(io.RawIOBase):
    """A seekable file over content that is not one file on disk."""

    def __init__(self, content: Content):
        self._content = content
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._content.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        stop = min(self._content.size, self._at + len(buffer))
        if stop <= self._at:
            return 0
        data = b"".join(self._content.chunks(self._at, stop))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_content(content: Content) -> BinaryIO:
    if isinstance(content, FileContent):
        return content.path.open("rb")
    if isinstance(content, SmallContent):
        return io.BytesIO(content.data)
    return io.BufferedReader(_Reader(content), CHUNK)  # type: ignore[type-var]


def export(hub: Hub, sha256: str, destination: Path) -> None:
    """A copy at `destination`, never a link: who reads it may also write it."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    content = get(hub, sha256)
    if isinstance(content, FileContent):
        shutil.copyfile(content.path, destination)
        return
    with destination.open("wb") as file:
        for chunk in content.chunks(0, content.size):
            file.write(chunk)


def routes(hub: Hub) -> list[BaseRoute]:
    return []
