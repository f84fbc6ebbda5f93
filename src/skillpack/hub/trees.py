"""Folders of a repo at a commit: immutable tables of entries, shared between commits that agree on them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from starlette.routing import BaseRoute

from .errors import bad_request

SCHEMA = """
CREATE TABLE IF NOT EXISTS trees (oid TEXT PRIMARY KEY, entries TEXT NOT NULL) WITHOUT ROWID;
"""

MAX_PATH = 4096


class Entry(NamedTuple):
    """A file or a folder in a tree. A folder has only an `oid`."""

    kind: str  # "file" or "directory"
    oid: str  # git's name of the blob; for a folder the name of its tree
    size: int = 0
    sha256: str = ""
    lfs: bool = False


Tree = dict[str, Entry]


def blob_oid(data: bytes) -> str:
    """The name that git gives a file of this content."""
    return hashlib.sha1(b"blob %d\x00" % len(data) + data).hexdigest()


def pointer(sha256: str, size: int) -> bytes:
    """What git stores in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def lfs_entry(sha256: str, size: int) -> Entry:
    return Entry("file", blob_oid(pointer(sha256, size)), size, sha256, True)


def clean_path(path: str) -> str:
    """`path`, if it names something inside the repo; else 400."""
    parts = path.split("/")
    if not path or len(path) > MAX_PATH or any(ord(c) < 32 or c == "\\" for c in path):
        raise bad_request(f"Invalid path {path[:80]!r}")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise bad_request(f"Path {path[:80]!r} is not a path inside the repo")
    return path


class _Cache:
    """Trees that were read lately. A tree never changes, so its name is enough to know it by."""

    def __init__(self, entries: int):
        self._limit = entries
        self._size = 0
        self._trees: OrderedDict[str, Mapping[str, Entry]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, oid: str) -> Mapping[str, Entry] | None:
        with self._lock:
            tree = self._trees.get(oid)
            if tree is not None:
                self._trees.move_to_end(oid)
            return tree

    def put(self, oid: str, tree: Mapping[str, Entry]) -> None:
        with self._lock:
            if oid not in self._trees:
                self._trees[oid] = tree
                self._size += len(tree) + 1
            while self._size > self._limit and len(self._trees) > 1:
                _, dropped = self._trees.popitem(last=False)
                self._size -= len(dropped) + 1


_cache = _Cache(entries=100_000)


def read(connection: sqlite3.Connection, oid: str) -> Tree:
    """A tree from the database; LookupError when it is not there."""
    row = connection.execute("SELECT entries FROM trees WHERE oid = ?", (oid,)).fetchone()
    if row is None:
        raise LookupError(f"tree {oid} is missing")
    return {name: Entry(*fields) for name, fields in json.loads(row[0]).items()}


def load(connection: sqlite3.Connection, oid: str) -> Mapping[str, Entry]:
    """A tree, to read from only."""
    tree = _cache.get(oid)
    if tree is None:
        tree = read(connection, oid)
        _cache.put(oid, tree)
    return tree


def save(connection: sqlite3.Connection, tree: Tree) -> str:
    text = json.dumps(dict(sorted(tree.items())), separators=(",", ":"))
    oid = hashlib.sha1(text.encode()).hexdigest()
    connection.execute("INSERT OR IGNORE INTO trees VALUES (?, ?)", (oid, text))
    return oid


def find(connection: sqlite3.Connection, root: str, path: str) -> Entry | None:
    entry = Entry("directory", root)
    for part in path.split("/") if path else []:
        if entry.kind != "directory":
            return None
        child = load(connection, entry.oid).get(part)
        if child is None:
            return None
        entry = child
    return entry


def walk(
    connection: sqlite3.Connection, oid: str, prefix: str = "", recursive: bool = True
) -> Iterator[tuple[str, Entry]]:
    """(path, entry) of what is below a tree, folders before their content."""
    for name, entry in load(connection, oid).items():
        path = f"{prefix}/{name}" if prefix else name
        yield path, entry
        if recursive and entry.kind == "directory":
            yield from walk(connection, entry.oid, path)


def files(connection: sqlite3.Connection, root: str) -> Iterator[tuple[str, Entry]]:
    return ((path, entry) for path, entry in walk(connection, root) if entry.kind == "file")


class TreeEditor:
    """Changes to a tree, held in memory until `write`; only the folders on the way are loaded."""

    def __init__(self, connection: sqlite3.Connection, root: str | None):
        self._connection = connection
        self._folders: dict[str, Tree] = {"": dict(load(connection, root)) if root else {}}
        self._changed: set[str] = set()

    def _folder(self, path: str, create: bool = False) -> Tree | None:
        known = self._folders.get(path)
        if known is not None:
            return known
        parent_path, _, name = path.rpartition("/")
        parent = self._folder(parent_path, create)
        if parent is None:
            return None
        entry = parent.get(name)
        if entry is None:
            if not create:
                return None
            parent[name] = Entry("directory", "")
            self._folders[path] = {}
            return self._folders[path]
        if entry.kind != "directory":
            if create:
                raise bad_request(f"{path!r} is a file, not a folder")
            return None
        self._folders[path] = dict(load(self._connection, entry.oid))
        return self._folders[path]

    def get(self, path: str) -> Entry | None:
        parent_path, _, name = path.rpartition("/")
        parent = self._folder(parent_path)
        return None if parent is None else parent.get(name)

    def put(self, path: str, entry: Entry) -> None:
        parent_path, _, name = path.rpartition("/")
        parent = self._folder(parent_path, create=True)
        assert parent is not None
        old = parent.get(name)
        if old is not None and old.kind == "directory":
            raise bad_request(f"{path!r} is a folder, not a file")
        parent[name] = entry
        self._changed.add(parent_path)

    def delete(self, path: str, missing: Callable[[str], Exception]) -> None:
        parent_path, _, name = path.rpartition("/")
        parent = self._folder(parent_path)
        if parent is None or name not in parent:
            raise missing(path)
        del parent[name]
        self._changed.add(parent_path)
        for folder in [f for f in self._folders if f == path or f.startswith(path + "/")]:
            del self._folders[folder]
            self._changed.discard(folder)

    def write(self) -> str:
        """Save the changed folders, the deepest first; the name of the new root."""
        changed = set(self._changed)
        for folder in list(changed):
            while folder:
                folder = folder.rpartition("/")[0]
                changed.add(folder)
        for folder in sorted(changed - {""}, key=lambda path: -path.count("/")):
            tree = self._folders[folder]
            parent_path, _, name = folder.rpartition("/")
            parent = self._folder(parent_path)
            assert parent is not None
            if tree:
                parent[name] = Entry("directory", save(self._connection, tree))
            else:
                parent.pop(name, None)
        return save(self._connection, self._folders[""])


def routes(hub: object) -> list[BaseRoute]:
    return []
