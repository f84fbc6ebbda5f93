"""The state of one Hub: a folder with a SQLite database and content-addressed blobs."""

from __future__ import annotations

import hashlib
import importlib
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .limits import RateLimit
from .store import Store

MODULES = (
    "auth",
    "trees",
    "content",
    "xet",
    "repos",
    "info",
    "revisions",
    "commits",
    "lfs",
    "discussions",
    "collections",
    "spaces",
    "buckets",
    "jobs",
    "scheduled",
    "viewer",
    "papers",
    "account",
    "openapi",
    "resolve",
    "web",
)
"""Order is order of routing: what matches any path (resolve, pages) comes last."""


def module(name: str) -> Any:
    return importlib.import_module(f"{__package__}.{name}")


def isoformat(seconds: float) -> str:
    """A time as the Hub's JSON has it: 2026-01-31T12:00:00.000Z."""
    when = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


class Database:
    """SQLite in WAL mode: one connection a thread, one writer at a time."""

    def __init__(self, path: Path):
        self.path = path
        self._local = threading.local()
        self._write = threading.Lock()

    def connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            self._local.connection = connection
        return connection

    @contextmanager
    def tx(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: committed whole, or not at all."""
        connection = self.connection()
        with self._write:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def query(self, sql: str, args: Sequence[object] = ()) -> list[sqlite3.Row]:
        return self.connection().execute(sql, args).fetchall()

    def one(self, sql: str, args: Sequence[object] = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.connection().execute(sql, args).fetchone()
        return row


class Hub:
    """What every module of the Hub is given."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.url = ""
        self.isolated = False  # jobs run `uv run` with the real uv, which may download
        self.run_spaces = False  # Spaces are processes of this machine; else they only say that they run
        self.db = Database(self.root / "hub.sqlite3")
        self.store = Store(self.root / "blobs", self.root / "tmp")
        self.xorbs = Store(self.root / "xorbs", self.root / "tmp")
        self.secret = self._secret()
        self.limit = RateLimit(0)
        with self.db.tx() as connection:
            for name in MODULES:
                for statement in getattr(module(name), "SCHEMA", "").split(";"):
                    if statement.strip():
                        connection.execute(statement)

    def _secret(self) -> bytes:
        """The key of signed URLs; it also names this Hub to the caches of Xet clients."""
        path = self.root / "secret"
        if not path.exists():
            temporary = self.store.temporary_path()
            temporary.touch(mode=0o600)
            temporary.write_bytes(secrets.token_bytes(32))
            temporary.replace(path)
        return path.read_bytes()

    @property
    def id(self) -> str:
        return hashlib.sha256(self.secret).hexdigest()[:16]

    def now(self) -> str:
        return isoformat(datetime.now(timezone.utc).timestamp())
