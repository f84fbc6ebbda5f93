"""Models, datasets and Spaces: who may see them, and create, delete, move, settings.

Also what other modules read a repo with: `export`, `open_file`, `list_files`.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from starlette.requests import Request
from starlette.routing import BaseRoute

from . import auth, content, trees
from .errors import HubError, bad_request, entry_not_found, repo_not_found, revision_not_found
from .http import endpoint, field
from .trees import Entry

if TYPE_CHECKING:
    from .state import Hub

SCHEMA = """
CREATE TABLE IF NOT EXISTS repos (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE, private INTEGER NOT NULL, gated TEXT NOT NULL DEFAULT '', sdk TEXT,
    created_at TEXT NOT NULL, last_modified TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS moved (key TEXT PRIMARY KEY, repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS commits (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE, oid TEXT NOT NULL, parent TEXT, tree TEXT NOT NULL,
    title TEXT NOT NULL, message TEXT NOT NULL, author TEXT NOT NULL, created_at TEXT NOT NULL,
    PRIMARY KEY (repo, oid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refs (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE, name TEXT NOT NULL, oid TEXT NOT NULL,
    message TEXT, PRIMARY KEY (repo, name)) WITHOUT ROWID;
"""

TYPES = ("model", "dataset", "space")
NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
LFS_SUFFIXES = [
    "7z", "arrow", "avro", "bin", "bz2", "ckpt", "db", "flac", "ftz", "gguf", "gif", "gz", "h5", "joblib", "jpeg",
    "jpg", "lfs.*", "mlmodel", "model", "mp3", "mp4", "msgpack", "npy", "npz", "ogg", "onnx", "ot", "parquet", "pb",
    "pdf", "pickle", "pkl", "png", "pt", "pth", "rar", "safetensors", "tar", "tflite", "tgz", "wasm", "wav", "webp",
    "xz", "zip", "zst",
]  # fmt: skip
GITATTRIBUTES = "".join(f"*.{s} filter=lfs diff=lfs merge=lfs -text\n" for s in LFS_SUFFIXES)


@dataclass(frozen=True)
class Repo:
    id: int
    type: str
    namespace: str
    name: str
    private: bool
    gated: str  # "", "auto" or "manual"
    sdk: str | None
    created_at: str
    last_modified: str

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"

    def url(self, hub: Hub) -> str:
        return f"{hub.url}/{'' if self.type == 'model' else self.type + 's/'}{self.full_name}"


@dataclass(frozen=True)
class FileEntry:
    path: str
    size: int
    oid: str
    sha256: str
    lfs: bool


def key(repo_type: str, repo_id: str) -> str:
    return f"{repo_type}s/{repo_id}".lower()


def _repo(row: sqlite3.Row) -> Repo:
    return Repo(
        row["id"],
        row["type"],
        row["namespace"],
        row["name"],
        bool(row["private"]),
        row["gated"],
        row["sdk"],
        row["created_at"],
        row["last_modified"],
    )


def lookup(hub: Hub, repo_type: str, repo_id: str) -> Repo | None:
    """The repo of that name, or the one that used to have it."""
    wanted = key(repo_type, repo_id)
    row = hub.db.one("SELECT * FROM repos WHERE key = ?", (wanted,))
    if row is None:
        row = hub.db.one("SELECT repos.* FROM repos JOIN moved ON moved.repo = repos.id WHERE moved.key = ?", (wanted,))
    return _repo(row) if row is not None else None


def every(hub: Hub, repo_type: str) -> list[Repo]:
    return [_repo(row) for row in hub.db.query("SELECT * FROM repos WHERE type = ? ORDER BY id DESC", (repo_type,))]


def visible(repo: Repo, user: auth.User | None) -> bool:
    return not repo.private or (user is not None and user.may(repo.namespace, write=False))


def readable(hub: Hub, request: Request, repo_type: str, repo_id: str, gate: bool = False) -> Repo:
    """The repo, if the request may see it; with `gate` also its gated files.

    A private repo and a missing one answer alike.
    """
    user = auth.user(request)
    repo = lookup(hub, repo_type, repo_id)
    if repo is None or not visible(repo, user):
        raise repo_not_found() if user else HubError(401, "Invalid username or password.", "RepoNotFound")
    if gate and repo.gated and not (user and user.may(repo.namespace, write=False)):
        raise HubError(
            403 if user else 401,
            f"Access to {repo.type} {repo.full_name} is restricted. Ask for access on its page.",
            "GatedRepo",
        )
    return repo


def writable(hub: Hub, request: Request, repo_type: str, repo_id: str) -> tuple[Repo, auth.User]:
    repo = readable(hub, request, repo_type, repo_id)
    return repo, auth.require(request, repo.namespace)


def of(hub: Hub, request: Request, write: bool = False, gate: bool = False) -> Repo:
    """The repo that the path of the request names."""
    parameters = request.path_params
    repo_type = parameters.get("type", "models").removesuffix("s")
    repo_id = f"{parameters['namespace']}/{parameters['name']}"
    if write:
        return writable(hub, request, repo_type, repo_id)[0]
    return readable(hub, request, repo_type, repo_id, gate)


# Revisions


def ref_oid(connection: sqlite3.Connection, repo: Repo, name: str) -> str | None:
    row = connection.execute("SELECT oid FROM refs WHERE repo = ? AND name = ?", (repo.id, name)).fetchone()
    return row[0] if row is not None else None


def resolve_ref(connection: sqlite3.Connection, repo: Repo, revision: str) -> str | None:
    """The full name of the ref that `revision` means."""
    names = [revision] if revision.startswith("refs/") else [f"refs/heads/{revision}", f"refs/tags/{revision}"]
    return next((name for name in names if ref_oid(connection, repo, name) is not None), None)


def commit_oid(hub: Hub, repo: Repo, revision: str = "main") -> str:
    """The commit that a branch, tag, ref or (abbreviated) commit hash means; 404 when none."""
    connection = hub.db.connection()
    name = resolve_ref(connection, repo, revision)
    if name is not None:
        oid = ref_oid(connection, repo, name)
        assert oid is not None
        return oid
    if re.fullmatch(r"[0-9a-f]{7,40}", revision):
        rows = hub.db.query(
            "SELECT oid FROM commits WHERE repo = ? AND oid >= ? AND oid < ? LIMIT 2",
            (repo.id, revision, revision + "g"),
        )
        if len(rows) == 1:
            return str(rows[0][0])
    raise revision_not_found(revision)


def root_tree(hub: Hub, repo: Repo, oid: str) -> str:
    row = hub.db.one("SELECT tree FROM commits WHERE repo = ? AND oid = ?", (repo.id, oid))
    if row is None:
        raise revision_not_found(oid)
    return str(row[0])


def add_commit(
    hub: Hub,
    connection: sqlite3.Connection,
    repo_id: int,
    ref: str,
    parent: str | None,
    tree: str,
    author: str,
    title: str,
    message: str = "",
) -> str:
    """Record a commit on top of `parent` and move `ref` to it, in the caller's transaction."""
    now = hub.now()
    text = f"tree {tree}\nparent {parent}\nrepo {repo_id} {ref}\nauthor {author} {time.time_ns()}\n\n{title}\n{message}"
    oid = hashlib.sha1(text.encode()).hexdigest()
    connection.execute(
        "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (repo_id, oid, parent, tree, title, message, author, now)
    )
    connection.execute(
        "INSERT INTO refs VALUES (?, ?, ?, NULL) ON CONFLICT DO UPDATE SET oid = excluded.oid", (repo_id, ref, oid)
    )
    connection.execute("UPDATE repos SET last_modified = ? WHERE id = ?", (now, repo_id))
    return oid


# What other modules read with


def find_entry(hub: Hub, repo: Repo, revision: str, path: str) -> Entry:
    """The file or folder at `path`; 404 when there is none."""
    entry = trees.find(hub.db.connection(), root_tree(hub, repo, commit_oid(hub, repo, revision)), path)
    if entry is None:
        raise entry_not_found(path)
    return entry


def _known(hub: Hub, repo_type: str, repo_id: str) -> Repo:
    repo = lookup(hub, repo_type, repo_id)
    if repo is None:
        raise repo_not_found()
    return repo


def list_files(hub: Hub, repo_type: str, repo_id: str, revision: str = "main") -> list[FileEntry]:
    """Every file at a revision, in order of path."""
    repo = _known(hub, repo_type, repo_id)
    root = root_tree(hub, repo, commit_oid(hub, repo, revision))
    found = trees.files(hub.db.connection(), root)
    return sorted((FileEntry(p, e.size, e.oid, e.sha256, e.lfs) for p, e in found), key=lambda file: file.path)


def open_file(hub: Hub, repo_type: str, repo_id: str, revision: str, path: str) -> BinaryIO:
    """A seekable file to read from; 404 as for a request."""
    entry = find_entry(hub, _known(hub, repo_type, repo_id), revision, path)
    if entry.kind != "file":
        raise entry_not_found(path)
    return content.open_content(content.get(hub, entry.sha256))


def export(hub: Hub, repo_type: str, repo_id: str, revision: str, dest: Path, prefix: str = "") -> None:
    """Write the files at a revision, or those below `prefix`, as copies under `dest`."""
    dest.mkdir(parents=True, exist_ok=True)
    below = prefix.strip("/") + "/" if prefix.strip("/") else ""
    for file in list_files(hub, repo_type, repo_id, revision):
        if file.path.startswith(below):
            content.export(hub, file.sha256, dest / file.path[len(below) :])


# Create, delete, move, settings


def create(
    hub: Hub, repo_type: str, namespace: str, name: str, author: str, private: bool, sdk: str | None = None
) -> Repo:
    """A new repo with its first commit; 409 when the name is taken."""
    if not NAME.fullmatch(name) or ".." in name or "--" in name or name.endswith(".git"):
        raise bad_request(f"Invalid repo name {name!r}")
    attributes = GITATTRIBUTES.encode()
    sha256 = hashlib.sha256(attributes).hexdigest()
    entry = Entry("file", trees.blob_oid(attributes), len(attributes), sha256)
    with hub.db.tx() as c:
        taken = c.execute("SELECT 1 FROM repos WHERE key = ?", (key(repo_type, f"{namespace}/{name}"),)).fetchone()
        if taken is not None:
            url = f"{hub.url}/{'' if repo_type == 'model' else repo_type + 's/'}{namespace}/{name}"
            raise HubError(409, f"You already created this {repo_type} repo: {namespace}/{name}", url=url)
        now = hub.now()
        c.execute("DELETE FROM moved WHERE key = ?", (key(repo_type, f"{namespace}/{name}"),))
        cursor = c.execute(
            "INSERT INTO repos (type, namespace, name, key, private, sdk, created_at, last_modified) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (repo_type, namespace, name, key(repo_type, f"{namespace}/{name}"), int(private), sdk, now, now),
        )
        assert cursor.lastrowid is not None
        content.put_small(c, sha256, attributes)
        tree = trees.save(c, {".gitattributes": entry})
        add_commit(hub, c, cursor.lastrowid, "refs/heads/main", None, tree, author, "initial commit")
    created = lookup(hub, repo_type, f"{namespace}/{name}")
    assert created is not None
    return created


def wants_private(body: Any, default: bool = False) -> bool:
    visibility = field(body, "visibility", str, "")
    if visibility not in ("", "public", "private", "protected"):
        raise bad_request(f"Invalid visibility {visibility!r}")
    if visibility:
        return bool(visibility == "private")
    return bool(field(body, "private", bool, default))


def _create(hub: Hub, request: Request, body: Any) -> Any:
    user = auth.signed_in(request)
    repo_type = field(body, "type", str, "model")
    if repo_type not in TYPES:
        raise bad_request(f"The local Hub has no repos of type {repo_type!r}")
    namespace = field(body, "organization", str, None) or user.name
    auth.require(request, namespace)
    sdk = field(body, "sdk", str, None)
    repo = create(hub, repo_type, namespace, field(body, "name", str), user.name, wants_private(body), sdk)
    if repo_type == "space":
        from . import spaces

        spaces.configure(hub, repo, body)
    return {"url": repo.url(hub), "name": repo.full_name, "id": f"{repo.id:024x}"}


def _named(hub: Hub, request: Request, body: Any) -> Repo:
    user = auth.signed_in(request)
    namespace = field(body, "organization", str, None) or user.name
    return writable(hub, request, field(body, "type", str, "model"), f"{namespace}/{field(body, 'name', str)}")[0]


def _delete(hub: Hub, request: Request, body: Any) -> Any:
    repo = _named(hub, request, body)
    with hub.db.tx() as c:
        c.execute("DELETE FROM repos WHERE id = ?", (repo.id,))
    return {}


def _move(hub: Hub, request: Request, body: Any) -> Any:
    repo_type = field(body, "type", str, "model")
    source, target = field(body, "fromRepo", str), field(body, "toRepo", str)
    if repo_type == "bucket":
        from . import buckets

        return buckets.move(hub, request, source, target)
    repo, _ = writable(hub, request, repo_type, source)
    namespace, _, name = target.partition("/")
    auth.require(request, namespace)
    if not NAME.fullmatch(name):
        raise bad_request(f"Invalid repo name {name!r}")
    if lookup(hub, repo_type, target) not in (None, repo):
        raise HubError(409, f"{target} already exists")
    with hub.db.tx() as c:
        c.execute("DELETE FROM moved WHERE key = ?", (key(repo_type, target),))
        c.execute(
            "UPDATE repos SET namespace = ?, name = ?, key = ? WHERE id = ?",
            (namespace, name, key(repo_type, target), repo.id),
        )
        c.execute("INSERT OR REPLACE INTO moved VALUES (?, ?)", (key(repo.type, repo.full_name), repo.id))
    return {}


def _settings(hub: Hub, request: Request, body: Any) -> Any:
    repo = of(hub, request, write=True)
    gated = body.get("gated", repo.gated) if isinstance(body, dict) else repo.gated
    if gated not in ("auto", "manual", False, ""):
        raise bad_request("Field 'gated' must be 'auto', 'manual' or false")
    private = wants_private(body, repo.private)
    with hub.db.tx() as c:
        c.execute("UPDATE repos SET private = ?, gated = ? WHERE id = ?", (int(private), gated or "", repo.id))
    return {"private": private, "visibility": "private" if private else "public", "gated": gated or False}


def _auth_check(hub: Hub, request: Request, body: Any) -> Any:
    of(hub, request, write=request.path_params.get("permission") == "write", gate=True)
    return {}


REPO = "/api/{type:repotype}/{namespace}/{name}"


def routes(hub: Hub) -> list[BaseRoute]:
    return [
        endpoint("/api/repos/create", _create, "POST"),
        endpoint("/api/repos/delete", _delete, "DELETE"),
        endpoint("/api/repos/move", _move, "POST"),
        endpoint(REPO + "/settings", _settings, "PUT"),
        endpoint(REPO + "/auth-check", _auth_check),
        endpoint(REPO + "/auth-check/{permission}", _auth_check),
    ]
