"""Buckets: folders of files without history, written and read through Xet."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from . import auth, content, repos, xet
from .errors import HubError, bad_request, entry_not_found, repo_not_found
from .http import endpoint, field, flag, page, parse_json, receive
from .resolve import disposition, send
from .state import isoformat
from .trees import clean_path

if TYPE_CHECKING:
    from .state import Hub

SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL UNIQUE,
    private INTEGER NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bucket_files (
    bucket INTEGER NOT NULL REFERENCES buckets(id) ON DELETE CASCADE, path TEXT NOT NULL, xet_hash TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, mtime TEXT NOT NULL, uploaded_at TEXT NOT NULL, content_type TEXT,
    PRIMARY KEY (bucket, path)) WITHOUT ROWID;
"""

MAX_LINE = 1 << 20
PAGE = 1000


@dataclass(frozen=True)
class Bucket:
    id: int
    namespace: str
    name: str
    private: bool
    created_at: str

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"

    def url(self, hub: Hub) -> str:
        return f"{hub.url}/buckets/{self.full_name}"


def _bucket(row: sqlite3.Row) -> Bucket:
    return Bucket(row["id"], row["namespace"], row["name"], bool(row["private"]), row["created_at"])


def lookup(hub: Hub, bucket_id: str) -> Bucket | None:
    row = hub.db.one("SELECT * FROM buckets WHERE key = ?", (bucket_id.lower(),))
    return _bucket(row) if row is not None else None


def every(hub: Hub) -> list[Bucket]:
    return [_bucket(row) for row in hub.db.query("SELECT * FROM buckets ORDER BY id DESC")]


def readable(hub: Hub, request: Request, bucket_id: str) -> Bucket:
    """The bucket, if the request may see it; a private one and a missing one answer alike."""
    user = auth.user(request)
    bucket = lookup(hub, bucket_id)
    if bucket is None or (bucket.private and not (user and user.may(bucket.namespace, write=False))):
        raise repo_not_found() if user else HubError(401, "Invalid username or password.", "RepoNotFound")
    return bucket


def of(hub: Hub, request: Request, write: bool = False) -> Bucket:
    """The bucket that the path of the request names."""
    bucket = readable(hub, request, f"{request.path_params['namespace']}/{request.path_params['name']}")
    if write:
        auth.require(request, bucket.namespace)
    return bucket


def files(hub: Hub, bucket: Bucket, prefix: str = "") -> list[sqlite3.Row]:
    """The files whose path starts with `prefix`, in order of path."""
    return hub.db.query(
        "SELECT * FROM bucket_files WHERE bucket = ? AND path >= ? AND substr(path, 1, ?) = ? ORDER BY path",
        (bucket.id, prefix, len(prefix), prefix),
    )


def create(hub: Hub, namespace: str, name: str, private: bool = False) -> Bucket:
    """A new bucket; 409 when the name is taken."""
    if not repos.NAME.fullmatch(name):
        raise bad_request(f"Invalid bucket name {name!r}")
    bucket_id = f"{namespace}/{name}"
    with hub.db.tx() as c:
        if c.execute("SELECT 1 FROM buckets WHERE key = ?", (bucket_id.lower(),)).fetchone() is not None:
            raise HubError(409, f"Bucket {bucket_id} already exists", url=f"{hub.url}/buckets/{bucket_id}")
        c.execute(
            "INSERT INTO buckets (namespace, name, key, private, created_at) VALUES (?, ?, ?, ?, ?)",
            (namespace, name, bucket_id.lower(), int(private), hub.now()),
        )
    created = lookup(hub, bucket_id)
    assert created is not None
    return created


# For volumes of jobs


def _known(hub: Hub, bucket_id: str) -> Bucket:
    bucket = lookup(hub, bucket_id)
    if bucket is None:
        raise repo_not_found()
    return bucket


def export(hub: Hub, bucket_id: str, prefix: str, dest: Path) -> int:
    """Write the files below the folder `prefix` ("" for all) as copies under `dest`; how many."""
    dest.mkdir(parents=True, exist_ok=True)
    below = prefix.strip("/") + "/" if prefix.strip("/") else ""
    found = files(hub, _known(hub, bucket_id), below)
    for row in found:
        target = dest / row["path"][len(below) :]
        content.export(hub, row["sha256"], target)
    return len(found)


def ingest(hub: Hub, bucket_id: str, prefix: str, src: Path) -> int:
    """Copy the regular files below `src` into the folder `prefix`; how many were new or had changed.

    Nothing is deleted. Symbolic links are left out: they could lead anywhere.
    """
    bucket = _known(hub, bucket_id)
    below = prefix.strip("/") + "/" if prefix.strip("/") else ""
    known = {row["path"]: row for row in files(hub, bucket, below)}
    added: list[tuple[object, ...]] = []
    for path in sorted(src.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        name = clean_path(below + path.relative_to(src).as_posix())
        sha256, size = content.put_file(hub, path)
        if name not in known or known[name]["sha256"] != sha256:
            mtime = isoformat(path.stat().st_mtime)
            xet_hash = content.xet_hash(hub, sha256)
            added.append((bucket.id, name, xet_hash, sha256, size, mtime, hub.now(), None))
    _put(hub, added)
    return len(added)


def _put(hub: Hub, rows: list[tuple[object, ...]]) -> None:
    with hub.db.tx() as c:
        c.executemany("INSERT OR REPLACE INTO bucket_files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


# The API


def _info(hub: Hub, bucket: Bucket) -> dict[str, Any]:
    total = hub.db.one("SELECT count(*), coalesce(sum(size), 0) FROM bucket_files WHERE bucket = ?", (bucket.id,))
    assert total is not None
    return {
        "_id": f"{bucket.id:024x}",
        "id": bucket.full_name,
        "author": bucket.namespace,
        "private": bucket.private,
        "visibility": "private" if bucket.private else "public",
        "createdAt": bucket.created_at,
        "totalFiles": total[0],
        "size": total[1],
    }


def _create(hub: Hub, request: Request, body: Any) -> Any:
    user = auth.signed_in(request)
    namespace = request.path_params["namespace"]
    namespace = user.name if namespace == "me" else namespace
    auth.require(request, namespace)
    bucket = create(hub, namespace, request.path_params["name"], repos.wants_private(body))
    return {"url": bucket.url(hub), "name": bucket.full_name, "id": f"{bucket.id:024x}"}


def _get(hub: Hub, request: Request, body: Any) -> Any:
    return _info(hub, of(hub, request))


def _delete(hub: Hub, request: Request, body: Any) -> Any:
    bucket = of(hub, request, write=True)
    with hub.db.tx() as c:
        c.execute("DELETE FROM buckets WHERE id = ?", (bucket.id,))
    return {}


def _list(hub: Hub, request: Request, body: Any) -> Response:
    namespace = request.path_params["namespace"]
    user = auth.user(request)
    if namespace == "me":
        namespace = auth.signed_in(request).name
    search = request.query_params.get("search", "").lower()
    found = [
        _info(hub, bucket)
        for bucket in every(hub)
        if bucket.namespace.lower() == namespace.lower()
        and search in bucket.name.lower()
        and (not bucket.private or (user is not None and user.may(bucket.namespace, write=False)))
    ]
    part, headers = page(hub, request, found)
    return JSONResponse(list(part), headers=headers)


def _settings(hub: Hub, request: Request, body: Any) -> Any:
    bucket = of(hub, request, write=True)
    private = repos.wants_private(body, bucket.private)
    with hub.db.tx() as c:
        c.execute("UPDATE buckets SET private = ? WHERE id = ?", (int(private), bucket.id))
    return {"private": private}


def move(hub: Hub, request: Request, source: str, target: str) -> dict[str, Any]:
    """Rename a bucket, for `/api/repos/move`."""
    bucket = readable(hub, request, source)
    auth.require(request, bucket.namespace)
    namespace, _, name = target.partition("/")
    auth.require(request, namespace)
    if not repos.NAME.fullmatch(name):
        raise bad_request(f"Invalid bucket name {name!r}")
    if lookup(hub, target) not in (None, bucket):
        raise HubError(409, f"{target} already exists")
    with hub.db.tx() as c:
        c.execute(
            "UPDATE buckets SET namespace = ?, name = ?, key = ? WHERE id = ?",
            (namespace, name, target.lower(), bucket.id),
        )
    return {}


def _describe(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "type": "file",
        "path": row["path"],
        "size": row["size"],
        "xetHash": row["xet_hash"],
        "mtime": row["mtime"],
        "uploadedAt": row["uploaded_at"],
        "contentType": row["content_type"],
    }


def _tree(hub: Hub, request: Request, body: Any) -> Response:
    bucket = of(hub, request)
    prefix = request.path_params.get("path", "")
    rows = files(hub, bucket, prefix)
    if flag(request, "recursive"):
        part, headers = page(hub, request, rows, PAGE, PAGE)
        return JSONResponse([_describe(row) for row in part], headers=headers)
    found: dict[str, dict[str, Any]] = {}
    base = prefix.rstrip("/")
    for row in rows:
        # The content of the folder `prefix`; and beside it, whatever else begins with those letters.
        inside = row["path"].startswith(base + "/") if base else True
        start = len(base) + 1 if base and inside else len(prefix)
        head, slash, _ = row["path"][start:].partition("/")
        path = row["path"][:start] + head
        if slash:
            item = {"type": "directory", "path": path, "uploadedAt": row["uploaded_at"]}
            found.setdefault(path, item)["uploadedAt"] = max(found.get(path, item)["uploadedAt"], row["uploaded_at"])
        else:
            found[path] = _describe(row)
    part, headers = page(hub, request, list(found.values()), PAGE, PAGE)
    return JSONResponse(list(part), headers=headers)


def _paths_info(hub: Hub, request: Request, body: Any) -> Any:
    bucket = of(hub, request)
    found = []
    for path in field(body, "paths", list):
        row = hub.db.one("SELECT * FROM bucket_files WHERE bucket = ? AND path = ?", (bucket.id, str(path)))
        if row is not None:
            found.append(_describe(row))
    return found


def _time(value: Any, default: str) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        moment = datetime.fromtimestamp(value / 1000, tz=timezone.utc)
        return isoformat(moment.timestamp())
    return value if isinstance(value, str) else default


async def _batch(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    bucket = await run_in_threadpool(of, hub, request, True)
    spool = hub.store.temporary_path()
    try:
        with spool.open("wb") as file:
            await receive(request, file.write)
        answer = await run_in_threadpool(_apply, hub, request, bucket, spool)
    finally:
        spool.unlink(missing_ok=True)
    return JSONResponse(answer, 422 if answer["failed"] and not answer["succeeded"] else 200)


def _apply(hub: Hub, request: Request, bucket: Bucket, spool: Path) -> dict[str, Any]:
    puts: dict[str, tuple[object, ...] | None] = {}
    failed = []
    with spool.open("rb") as lines:
        while line := lines.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise HubError(413, f"A line of the batch is larger than {MAX_LINE} bytes")
            if not line.strip():
                continue
            item = parse_json(line)
            path = field(item, "path", str)
            try:
                puts[clean_path(path)] = _operation(hub, request, bucket, item)
            except HubError as error:
                failed.append({"path": path, "error": error.message})
    with hub.db.tx() as c:
        for path, row in puts.items():
            if row is None:
                c.execute("DELETE FROM bucket_files WHERE bucket = ? AND path = ?", (bucket.id, path))
            else:
                c.execute("INSERT OR REPLACE INTO bucket_files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    return {"success": not failed, "processed": len(puts), "succeeded": len(puts), "failed": failed}


def _operation(hub: Hub, request: Request, bucket: Bucket, item: Any) -> tuple[object, ...] | None:
    """The row that an operation puts; None when it deletes."""
    kind, path = field(item, "type", str), item["path"]
    if kind == "deleteFile":
        return None
    if kind not in ("addFile", "copyFile"):
        raise bad_request(f"Unknown operation {kind!r}")
    xet_hash = field(item, "xetHash", str)
    if kind == "copyFile":
        source_type, source = field(item, "sourceRepoType", str), field(item, "sourceRepoId", str)
        if source_type == "bucket":
            readable(hub, request, source)
        else:
            repos.readable(hub, request, source_type, source, gate=True)
    proved = xet.prove(hub, xet_hash)
    if proved is None:
        raise bad_request(f"No content with Xet hash {xet_hash} was uploaded")
    sha256, size = proved
    now = hub.now()
    mtime = _time(item.get("mtime"), now)
    return bucket.id, path, xet_hash, sha256, size, mtime, now, field(item, "contentType", str, None)


def _token(hub: Hub, request: Request, body: Any) -> Response:
    write = request.path_params["access"] == "write"
    of(hub, request, write=write)
    return xet.token_response(hub, write)


def _resolve(hub: Hub, request: Request, body: Any) -> Response:
    bucket = of(hub, request)
    path = request.path_params["path"]
    row = hub.db.one("SELECT * FROM bucket_files WHERE bucket = ? AND path = ?", (bucket.id, path))
    if row is None:
        raise entry_not_found(path)
    route = f"{hub.url}/api/buckets/{bucket.full_name}/xet-read-token"
    headers = {
        "ETag": f'"{row["sha256"]}"',
        "X-Linked-Size": str(row["size"]),
        "X-Linked-Etag": f'"{row["sha256"]}"',
        "X-Xet-Hash": row["xet_hash"],
        "X-Xet-Refresh-Route": route,
        "Link": f'<{route}>; rel="xet-auth"',
        "Content-Disposition": disposition(path),
    }
    return send(request, content.get(hub, row["sha256"]), headers, row["content_type"])


def routes(hub: Hub) -> list[BaseRoute]:
    one = "/api/buckets/{namespace}/{name}"
    return [
        endpoint("/api/buckets/{namespace}", _list),
        endpoint(one, _get),
        endpoint(one, _create, "POST"),
        endpoint(one, _delete, "DELETE"),
        endpoint(one + "/settings", _settings, "PUT"),
        endpoint(one + "/tree", _tree),
        endpoint(one + "/tree/{path:file}", _tree),
        endpoint(one + "/paths-info", _paths_info, "POST"),
        Route(one + "/batch", _batch, methods=["POST"]),
        endpoint(one + "/xet-{access}-token", _token),
        endpoint("/buckets/{namespace}/{name}/resolve/{path:file}", _resolve, "GET", "HEAD"),
    ]
