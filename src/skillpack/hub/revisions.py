"""Reading and naming revisions: trees, paths, refs, branches, tags, history, squash."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from . import auth, content, repos, trees
from .errors import HubError, bad_request, entry_not_found, forbidden, revision_not_found
from .http import endpoint, field, flag, page, parse_json, read_body
from .repos import Repo
from .trees import Entry

if TYPE_CHECKING:
    from .state import Hub

EXPANDED_PAGE = 50
TREE_PAGE = 1000


def _last_commits(hub: Hub, repo: Repo, oid: str, paths: list[str]) -> dict[str, sqlite3.Row]:
    """For each path the newest commit that changed it."""
    connection = hub.db.connection()
    found: dict[str, sqlite3.Row] = {}
    commit = hub.db.one("SELECT * FROM commits WHERE repo = ? AND oid = ?", (repo.id, oid))
    left = {path: trees.find(connection, commit["tree"], path) for path in paths} if commit else {}
    while commit is not None and left:
        parent = None
        if commit["parent"]:
            parent = hub.db.one("SELECT * FROM commits WHERE repo = ? AND oid = ?", (repo.id, commit["parent"]))
        for path, entry in list(left.items()):
            if parent is None or trees.find(connection, parent["tree"], path) != entry:
                found[path] = commit
                del left[path]
        commit = parent
    return found


def describe(hub: Hub, path: str, entry: Entry, commit: sqlite3.Row | None = None, expand: bool = False) -> Any:
    """A file or a folder as trees and paths-info list it."""
    item: dict[str, Any] = {"type": entry.kind, "oid": entry.oid, "size": entry.size, "path": path}
    if entry.lfs:
        pointer_size = len(trees.pointer(entry.sha256, entry.size))
        item["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": pointer_size}
        item["xetHash"] = content.xet_hash(hub, entry.sha256)
    if commit is not None:
        item["lastCommit"] = {"id": commit["oid"], "title": commit["title"], "date": commit["created_at"]}
    if expand and entry.kind == "file":
        unscanned = {"status": "unscanned", "message": None, "reportLink": None, "reportLabel": None}
        item["securityFileStatus"] = {"status": "unscanned", "avScan": unscanned, "pickleImportScan": None}
    return item


def _describe_all(hub: Hub, repo: Repo, oid: str, found: list[tuple[str, Entry]], expand: bool) -> list[Any]:
    commits = _last_commits(hub, repo, oid, [path for path, _ in found]) if expand else {}
    return [describe(hub, path, entry, commits.get(path), expand) for path, entry in found]


def _tree(hub: Hub, request: Request, body: Any) -> Response:
    repo = repos.of(hub, request)
    oid = repos.commit_oid(hub, repo, request.path_params["revision"])
    prefix = request.path_params.get("path", "").strip("/")
    connection = hub.db.connection()
    root = trees.find(connection, repos.root_tree(hub, repo, oid), prefix)
    if root is None or root.kind != "directory":
        raise entry_not_found(prefix)
    expand = flag(request, "expand")
    found = list(trees.walk(connection, root.oid, prefix, flag(request, "recursive")))
    found.sort(key=lambda item: (item[1].kind != "directory", item[0]))
    size = EXPANDED_PAGE if expand else TREE_PAGE
    part, headers = page(hub, request, found, size, size)
    return JSONResponse(_describe_all(hub, repo, oid, list(part), expand), headers={"X-Repo-Commit": oid, **headers})


async def _paths_info(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    if request.headers.get("content-type", "").startswith("application/json"):
        body = parse_json(await read_body(request))
        paths, expand = field(body, "paths", list), bool(field(body, "expand", bool, False))
    else:
        from urllib.parse import parse_qs

        form = parse_qs((await read_body(request)).decode(errors="replace"), keep_blank_values=True)
        paths, expand = form.get("paths", []), form.get("expand", ["false"])[0].lower() == "true"
    return JSONResponse(await run_in_threadpool(_find_paths, hub, request, paths, expand))


def _find_paths(hub: Hub, request: Request, paths: list[Any], expand: bool) -> list[Any]:
    repo = repos.of(hub, request)
    oid = repos.commit_oid(hub, repo, request.path_params["revision"])
    root = repos.root_tree(hub, repo, oid)
    connection = hub.db.connection()
    found = []
    for path in dict.fromkeys(str(path).strip("/") for path in paths):
        entry = trees.find(connection, root, path) if path else None
        if entry is not None:
            found.append((path, entry))
    return _describe_all(hub, repo, oid, found, expand)


# Refs


def _refs(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request)
    answer: dict[str, list[dict[str, str]]] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
    kinds = {"refs/heads/": "branches", "refs/convert/": "converts", "refs/tags/": "tags", "refs/pr/": "pullRequests"}
    for row in hub.db.query("SELECT * FROM refs WHERE repo = ? ORDER BY name", (repo.id,)):
        for prefix, kind in kinds.items():
            if row["name"].startswith(prefix):
                name = row["name"].removeprefix(prefix)
                answer[kind].append({"name": name, "ref": row["name"], "targetCommit": row["oid"]})
    if request.query_params.get("include_prs") != "1":
        del answer["pullRequests"]
    return answer


def _check_ref_name(name: str) -> str:
    parts = name.split("/")
    if any(part in ("", ".", "..") or part.endswith(".lock") for part in parts) or any(c in name for c in " ~^:?*[\\"):
        raise bad_request(f"Invalid ref name: {name!r}")
    return name


def _create_branch(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request, write=True)
    branch = _check_ref_name(request.path_params["revision"])
    name = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    if not name.startswith(("refs/heads/", "refs/convert/")):
        raise forbidden(f"Cannot create {name}")
    start = repos.commit_oid(hub, repo, field(body, "startingPoint", str, "main") if body else "main")
    with hub.db.tx() as c:
        exists = repos.ref_oid(c, repo, name) is not None
        if exists and not (isinstance(body, dict) and body.get("overwrite")):
            raise HubError(409, f"Reference already exists: {branch}")
        if isinstance(body, dict) and body.get("emptyBranch"):
            tree = trees.save(c, {})
            user = auth.signed_in(request)
            repos.add_commit(hub, c, repo.id, name, None, tree, user.name, "initial commit")
        else:
            c.execute("INSERT OR REPLACE INTO refs VALUES (?, ?, ?, NULL)", (repo.id, name, start))
    return {}


def _delete_branch(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request, write=True)
    branch = request.path_params["revision"]
    name = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    if name == "refs/heads/main" or name.startswith("refs/tags/"):
        raise forbidden(f"Cannot delete {branch}")
    return _drop(hub, repo, name, branch)


def _create_tag(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request, write=True)
    tag = _check_ref_name(field(body, "tag", str))
    target = repos.commit_oid(hub, repo, request.path_params["revision"])
    with hub.db.tx() as c:
        if repos.ref_oid(c, repo, f"refs/tags/{tag}") is not None:
            raise HubError(409, f"Tag reference exists already: {tag}")
        c.execute(
            "INSERT INTO refs VALUES (?, ?, ?, ?)",
            (repo.id, f"refs/tags/{tag}", target, field(body, "message", str, "")),
        )
    return {}


def _delete_tag(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request, write=True)
    tag = request.path_params["revision"]
    return _drop(hub, repo, f"refs/tags/{tag}", tag)


def _drop(hub: Hub, repo: Repo, name: str, revision: str) -> Any:
    with hub.db.tx() as c:
        if c.execute("DELETE FROM refs WHERE repo = ? AND name = ?", (repo.id, name)).rowcount == 0:
            raise revision_not_found(revision)
    return {}


# History


def history(hub: Hub, repo: Repo, oid: str) -> list[sqlite3.Row]:
    """The commits that lead to `oid`, the newest first."""
    rows = {row["oid"]: row for row in hub.db.query("SELECT * FROM commits WHERE repo = ?", (repo.id,))}
    found = []
    at: str | None = oid
    while at is not None:
        found.append(rows[at])
        at = rows[at]["parent"]
    return found


def _commits(hub: Hub, request: Request, body: Any) -> Response:
    repo = repos.of(hub, request)
    oid = repos.commit_oid(hub, repo, request.path_params["revision"])
    formatted = "formatted" in [
        *request.query_params.getlist("expand"),
        *request.query_params.getlist("expand[]"),
    ]
    found = history(hub, repo, oid)
    part, headers = page(hub, request, found, 50, 1000)
    items = []
    for row in part:
        item = {
            "id": row["oid"],
            "title": row["title"],
            "message": row["message"],
            "authors": [{"user": row["author"]}],
            "date": row["created_at"],
        }
        if formatted:
            item["formatted"] = {"title": row["title"], "message": row["message"]}
        items.append(item)
    return JSONResponse(items, headers={"X-Total-Count": str(len(found)), **headers})


def _squash(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request, write=True)
    user = auth.signed_in(request)
    branch = request.path_params["revision"]
    with hub.db.tx() as c:
        name = repos.resolve_ref(c, repo, branch)
        if name is None:
            raise revision_not_found(branch)
        if not name.startswith("refs/heads/"):
            raise bad_request(f"Invalid reference for a branch: {branch}")
        head = repos.ref_oid(c, repo, name)
        tree = c.execute("SELECT tree FROM commits WHERE repo = ? AND oid = ?", (repo.id, head)).fetchone()[0]
        title = field(body, "message", str, f"Super-squash branch '{branch}'")
        repos.add_commit(hub, c, repo.id, name, None, tree, user.name, title)
    return {}


def _lfs_files(hub: Hub, request: Request, body: Any) -> Response:
    repo = repos.of(hub, request, write=True)
    root = repos.root_tree(hub, repo, repos.commit_oid(hub, repo))
    items = [
        {
            "fileOid": entry.sha256,
            "oid": entry.sha256,
            "filename": path,
            "pushedAt": repo.last_modified,
            "ref": "main",
            "size": entry.size,
            "xetHash": content.xet_hash(hub, entry.sha256),
        }
        for path, entry in trees.files(hub.db.connection(), root)
        if entry.lfs
    ]
    part, headers = page(hub, request, items)
    return JSONResponse(list(part), headers=headers)


def _duplicate_lfs(hub: Hub, request: Request, body: Any) -> Any:
    """Content is shared by all repos of a Hub: what the client may read here, it may commit there."""
    repos.of(hub, request, gate=True)
    target = field(body, "target", dict)
    repos.writable(hub, request, field(target, "type", str), field(target, "name", str))
    files = field(body, "files", list)
    known = [file for file in files if content.locate(hub, field(file, "sha256", str)) is not None]
    failed = [{"sha256": file["sha256"], "error": "not found"} for file in files if file not in known]
    return {"success": [{"sha256": file["sha256"]} for file in known], "failed": failed}


def _duplicate(hub: Hub, request: Request, body: Any) -> Any:
    """A copy under another name with the same commits, branches and tags; pull requests stay behind."""
    source = repos.of(hub, request, gate=True)
    user = auth.signed_in(request)
    namespace, _, name = field(body, "repository", str).partition("/")
    auth.require(request, namespace)
    private = repos.wants_private(body, source.private)
    copy = repos.create(hub, source.type, namespace, name, user.name, private, source.sdk)
    with hub.db.tx() as c:
        c.execute("DELETE FROM refs WHERE repo = ?", (copy.id,))
        c.execute("DELETE FROM commits WHERE repo = ?", (copy.id,))
        c.execute(
            "INSERT INTO commits SELECT ?, oid, parent, tree, title, message, author, created_at "
            "FROM commits WHERE repo = ?",
            (copy.id, source.id),
        )
        c.execute(
            "INSERT INTO refs SELECT ?, name, oid, message FROM refs WHERE repo = ? AND name NOT LIKE 'refs/pr/%'",
            (copy.id, source.id),
        )
    if copy.type == "space":
        from . import spaces

        spaces.configure(hub, copy, body)
    return {"url": copy.url(hub), "filesCopyPending": False}


def routes(hub: Hub) -> list[BaseRoute]:
    base, rev = repos.REPO, "/{revision:rev}"
    return [
        endpoint(base + "/tree" + rev, _tree),
        endpoint(base + "/tree" + rev + "/{path:file}", _tree),
        Route(base + "/paths-info" + rev, _paths_info, methods=["POST"]),
        endpoint(base + "/refs", _refs),
        endpoint(base + "/branch/{revision:file}", _create_branch, "POST"),
        endpoint(base + "/branch/{revision:file}", _delete_branch, "DELETE"),
        endpoint(base + "/tag/{revision:file}", _create_tag, "POST"),
        endpoint(base + "/tag/{revision:file}", _delete_tag, "DELETE"),
        endpoint(base + "/commits" + rev, _commits),
        endpoint(base + "/super-squash" + rev, _squash, "POST"),
        endpoint(base + "/duplicate", _duplicate, "POST"),
        endpoint(base + "/lfs-files", _lfs_files),
        endpoint(base + "/lfs-files/duplicate", _duplicate_lfs, "POST"),
    ]
