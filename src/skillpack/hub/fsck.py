"""Check a Hub's folder: that everything a ref leads to is there and is what its name says."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import content, trees
from .cas import EMPTY_SHA256
from .store import CHUNK, Store

if TYPE_CHECKING:
    from .state import Hub


@dataclass(frozen=True, order=True)
class Finding:
    """`error`: something served is missing or damaged. `note`: waste, which is never served."""

    severity: str
    kind: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.kind}: {self.subject}: {self.detail}"


class Check:
    def __init__(self, hub: Hub, quick: bool = False):
        self.hub = hub
        self.quick = quick  # look whether files are there, do not read them
        self.findings: list[Finding] = []
        self.used: set[str] = set()  # SHA-256 of what is referred to
        self._trees: dict[str, bool] = {}

    def error(self, kind: str, subject: str, detail: str) -> None:
        self.findings.append(Finding("error", kind, subject, detail))

    def note(self, kind: str, subject: str, detail: str) -> None:
        self.findings.append(Finding("note", kind, subject, detail))

    def run(self) -> list[Finding]:
        try:
            for row in self.hub.db.query("PRAGMA integrity_check"):
                if row[0] != "ok":
                    self.error("database", "hub.sqlite3", row[0])
            for row in self.hub.db.query("PRAGMA foreign_key_check"):
                self.error("dangling-row", row[0], f"row {row[1]} refers to a missing row of {row[2]}")
            self._history()
            self._bucket_files()
            self._contents()
            self._xorbs()
            self._strays()
        except sqlite3.DatabaseError as error:
            self.error("database", "hub.sqlite3", str(error))
        return sorted(set(self.findings))

    def _history(self) -> None:
        repos = {row["id"]: row["key"] for row in self.hub.db.query("SELECT id, key FROM repos")}
        commits: dict[Any, sqlite3.Row] = {
            (row["repo"], row["oid"]): row for row in self.hub.db.query("SELECT * FROM commits")
        }
        for row in self.hub.db.query("SELECT repo, name, oid FROM refs"):
            if (row["repo"], row["oid"]) not in commits:
                self.error("dangling-ref", f"{repos.get(row['repo'])} {row['name']}", f"no commit {row['oid']}")
        for (repo, oid), row in commits.items():
            subject = f"{repos.get(repo)}@{oid[:12]}"
            if row["parent"] and (repo, row["parent"]) not in commits:
                self.error("dangling-parent", subject, f"no commit {row['parent']}")
            if not self._tree(row["tree"], subject):
                self.error("missing-tree", subject, row["tree"])

    def _tree(self, oid: str, subject: str) -> bool:
        if oid in self._trees:
            return self._trees[oid]
        try:
            tree = trees.read(self.hub.db.connection(), oid)
        except (LookupError, ValueError):
            self._trees[oid] = False
            return False
        self._trees[oid] = True
        for name, entry in tree.items():
            if entry.kind == "file":
                self.used.add(entry.sha256)
            elif not self._tree(entry.oid, subject):
                self.error("missing-tree", subject, f"{name}: {entry.oid}")
        return True

    def _bucket_files(self) -> None:
        self.used.update(row[0] for row in self.hub.db.query("SELECT DISTINCT sha256 FROM bucket_files"))

    def _contents(self) -> None:
        for sha256 in sorted(self.used):
            try:
                found = content.locate(self.hub, sha256)
                if found is None:
                    self.error("missing-content", sha256, "a file of this content is listed")
                    continue
                if not self.quick and not self._matches(found, sha256):
                    self.error("corrupt-content", sha256, "its bytes hash to something else")
            except (LookupError, OSError, ValueError) as error:
                self.error("missing-content", sha256, str(error))

    @staticmethod
    def _matches(source: content.Content, sha256: str) -> bool:
        digest = hashlib.sha256()
        for chunk in source.chunks(0, source.size):
            digest.update(chunk)
        return digest.hexdigest() == sha256

    def _xorbs(self) -> None:
        for row in self.hub.db.query("SELECT hash, size, sha256 FROM xorbs"):
            path = self.hub.xorbs.path(row["hash"])
            if not path.is_file():
                self.error("missing-xorb", row["hash"], "the file is not there")
            elif path.stat().st_size != row["size"]:
                self.error("corrupt-xorb", row["hash"], f"{path.stat().st_size} bytes, not {row['size']}")
            elif not self.quick:
                digest = hashlib.sha256()
                with path.open("rb") as file:
                    while chunk := file.read(CHUNK):
                        digest.update(chunk)
                if digest.hexdigest() != row["sha256"]:
                    self.error("corrupt-xorb", row["hash"], "its bytes hash to something else")

    def _strays(self) -> None:
        for sha256 in self._names(self.hub.store):
            if sha256 not in self.used:
                self.note("orphan-blob", sha256, "uploaded, and in no commit or bucket")
        known = {row[0] for row in self.hub.db.query("SELECT hash FROM xorbs")}
        for name in self._names(self.hub.xorbs):
            if name not in known:
                self.note("orphan-xorb", name, "an upload that did not finish")
        for path in sorted(self.hub.store.temporary.iterdir()):
            self.note("temporary-file", path.name, f"{path.stat().st_size} bytes of something that did not finish")
        for row in self.hub.db.query("SELECT sha256 FROM small_blobs"):
            if row[0] not in self.used and row[0] != EMPTY_SHA256:
                self.note("orphan-row", row[0], "content in no commit or bucket")

    @staticmethod
    def _names(store: Store) -> list[str]:
        return sorted(path.name for path in store.blobs.glob("??/*"))


def delete_strays(hub: Hub, findings: list[Finding]) -> int:
    """Remove what the notes are about; the Hub must not be running. How many were removed."""
    removed = 0
    for finding in findings:
        if finding.kind == "orphan-blob":
            hub.store.path(finding.subject).unlink(missing_ok=True)
        elif finding.kind == "orphan-xorb":
            hub.xorbs.path(finding.subject).unlink(missing_ok=True)
        elif finding.kind == "temporary-file":
            (hub.store.temporary / finding.subject).unlink(missing_ok=True)
        elif finding.kind == "orphan-row":
            with hub.db.tx() as c:
                c.execute("DELETE FROM small_blobs WHERE sha256 = ?", (finding.subject,))
        else:
            continue
        removed += 1
    return removed
