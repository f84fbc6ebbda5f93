"""Discussions and pull requests."""

from __future__ import annotations

import json
import secrets
import sqlite3
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from . import auth, repos, trees
from .errors import HubError, bad_request, forbidden, not_found
from .http import endpoint, field, integer
from .repos import Repo
from .trees import Entry, TreeEditor

if TYPE_CHECKING:
    from .state import Hub

SCHEMA = """
CREATE TABLE IF NOT EXISTS discussions (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE, number INTEGER NOT NULL, title TEXT NOT NULL,
    author TEXT NOT NULL, status TEXT NOT NULL, pull_request INTEGER NOT NULL, base TEXT, head TEXT,
    merge_commit TEXT, created_at TEXT NOT NULL, PRIMARY KEY (repo, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS discussion_events (
    id TEXT PRIMARY KEY, repo INTEGER NOT NULL, number INTEGER NOT NULL, position INTEGER NOT NULL, type TEXT NOT NULL,
    author TEXT NOT NULL, data TEXT NOT NULL, created_at TEXT NOT NULL,
    FOREIGN KEY (repo, number) REFERENCES discussions(repo, number) ON DELETE CASCADE);
"""

PAGE = 25


def _event(
    hub: Hub, c: sqlite3.Connection, repo: int, number: int, kind: str, author: str, data: dict[str, Any]
) -> dict[str, Any]:
    position = c.execute(
        "SELECT count(*) FROM discussion_events WHERE repo = ? AND number = ?", (repo, number)
    ).fetchone()[0]
    identifier, now = secrets.token_hex(12), hub.now()
    c.execute(
        "INSERT INTO discussion_events VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (identifier, repo, number, position, kind, author, json.dumps(data), now),
    )
    return {"id": identifier, "type": kind, "author": {"name": author}, "createdAt": now, "data": data}


def _comment_data(text: str, author: str, now: str) -> dict[str, Any]:
    latest = {"raw": text, "html": text, "updatedAt": now, "author": {"name": author}}
    return {"edited": False, "hidden": False, "latest": latest, "history": [latest], "numEdits": 0}


def add(
    hub: Hub,
    c: sqlite3.Connection,
    repo: int,
    author: str,
    title: str,
    description: str,
    pull_request: bool,
    base: str = "refs/heads/main",
    head: str | None = None,
) -> int:
    """A new discussion, or a pull request that starts as a draft at `head`; its number."""
    number: int = c.execute("SELECT coalesce(max(number), 0) + 1 FROM discussions WHERE repo = ?", (repo,)).fetchone()[
        0
    ]
    status = "draft" if pull_request else "open"
    c.execute(
        "INSERT INTO discussions VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
        (repo, number, title, author, status, int(pull_request), base, head, hub.now()),
    )
    if pull_request:
        c.execute("INSERT INTO refs VALUES (?, ?, ?, NULL)", (repo, f"refs/pr/{number}", head))
    if description:
        _event(hub, c, repo, number, "comment", author, _comment_data(description, author, hub.now()))
    return number


def record_commit(hub: Hub, c: sqlite3.Connection, repo: int, ref: str, author: str, subject: str, oid: str) -> None:
    """A commit on the ref of a pull request: an event of it, and the end of its being a draft."""
    if not ref.startswith("refs/pr/"):
        return
    number = int(ref.removeprefix("refs/pr/"))
    c.execute(
        "UPDATE discussions SET status = 'open' WHERE repo = ? AND number = ? AND status = 'draft'", (repo, number)
    )
    _event(hub, c, repo, number, "commit", author, {"subject": subject, "oid": oid})


def is_author(hub: Hub, repo: Repo, ref: str, user: str) -> bool:
    """Whether `ref` is that of an open pull request of this user."""
    number = ref.removeprefix("refs/pr/")
    if number == ref or not number.isdecimal():
        return False
    row = hub.db.one("SELECT author, status FROM discussions WHERE repo = ? AND number = ?", (repo.id, int(number)))
    return row is not None and row["author"] == user and row["status"] in ("open", "draft")


def _summary(repo: Repo, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "num": row["number"],
        "title": row["title"],
        "author": {"name": row["author"]},
        "status": row["status"],
        "isPullRequest": bool(row["pull_request"]),
        "createdAt": row["created_at"],
        "repo": {"name": repo.full_name, "type": repo.type},
        "repoOwner": {"name": repo.namespace},
        "pinned": False,
        "numComments": 0,
    }


def _list(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request)
    query = request.query_params
    rows = hub.db.query("SELECT * FROM discussions WHERE repo = ? ORDER BY number DESC", (repo.id,))
    if query.get("type") in ("pull_request", "discussion"):
        rows = [row for row in rows if bool(row["pull_request"]) == (query["type"] == "pull_request")]
    if query.get("status") in ("open", "closed"):
        rows = [row for row in rows if (row["status"] in ("open", "draft")) == (query["status"] == "open")]
    if "author" in query:
        rows = [row for row in rows if row["author"] == query["author"]]
    start = integer(request, "p", 0, 0, 1 << 30) * PAGE
    return {
        "discussions": [_summary(repo, row) for row in rows[start : start + PAGE]],
        "count": len(rows),
        "start": start,
        "numClosedDiscussions": sum(row["status"] in ("closed", "merged") for row in rows),
    }


def _find(hub: Hub, request: Request) -> tuple[Repo, sqlite3.Row]:
    repo = repos.of(hub, request)
    number = request.path_params["number"]
    row = hub.db.one("SELECT * FROM discussions WHERE repo = ? AND number = ?", (repo.id, number))
    if row is None:
        raise not_found(f"Discussion {number} not found")
    return repo, row


def _events(hub: Hub, repo: Repo, number: int) -> list[dict[str, Any]]:
    rows = hub.db.query(
        "SELECT * FROM discussion_events WHERE repo = ? AND number = ? ORDER BY position", (repo.id, number)
    )
    return [
        {
            "id": row["id"],
            "type": row["type"],
            "author": {"name": row["author"]},
            "createdAt": row["created_at"],
            "data": json.loads(row["data"]),
        }
        for row in rows
    ]


def _tree_at(c: sqlite3.Connection, repo: Repo, oid: str) -> str:
    tree: str = c.execute("SELECT tree FROM commits WHERE repo = ? AND oid = ?", (repo.id, oid)).fetchone()[0]
    return tree


def _changes(c: sqlite3.Connection, before: str, after: str) -> dict[str, tuple[Entry | None, Entry | None]]:
    """The files that differ between two trees."""
    old, new = dict(trees.files(c, before)), dict(trees.files(c, after))
    paths = {*old, *new}
    return {path: (old.get(path), new.get(path)) for path in sorted(paths) if old.get(path) != new.get(path)}


def _pull_state(c: sqlite3.Connection, repo: Repo, row: sqlite3.Row) -> tuple[Any, Any]:
    """(changes of the pull request, changes of its base since)."""
    head = repos.ref_oid(c, repo, f"refs/pr/{row['number']}")
    base = repos.ref_oid(c, repo, row["base"])
    assert head is not None and base is not None
    start = _tree_at(c, repo, row["head"])
    return _changes(c, start, _tree_at(c, repo, head)), _changes(c, start, _tree_at(c, repo, base))


def _conflicts(mine: Any, theirs: Any) -> list[str]:
    return [path for path in mine if path in theirs and mine[path][1] != theirs[path][1]]


def _details(hub: Hub, request: Request, body: Any) -> Any:
    repo, row = _find(hub, request)
    answer = _summary(repo, row)
    answer["events"] = _events(hub, repo, row["number"])
    if row["pull_request"]:
        mine, theirs = _pull_state(hub.db.connection(), repo, row)
        answer["changes"] = {"base": row["base"], "mergeCommitId": row["merge_commit"]}
        merged = row["status"] == "merged"
        answer["filesWithConflicts"] = [] if merged else _conflicts(mine, theirs)
        answer["diff"] = "".join(
            f"diff --git a/{path} b/{path}\nindex {(old.oid if old else '0' * 40)}..{(new.oid if new else '0' * 40)}\n"
            for path, (old, new) in mine.items()
        )
    return answer


def _create(hub: Hub, request: Request, body: Any) -> Any:
    repo = repos.of(hub, request)
    user = auth.require(request, auth.signed_in(request).name)
    title = field(body, "title", str).strip()
    if len(title) < 3:
        raise bad_request("The title must have at least 3 characters")
    pull_request = field(body, "pullRequest", bool, False)
    with hub.db.tx() as c:
        head = repos.ref_oid(c, repo, "refs/heads/main")
        description = field(body, "description", str, "")
        number = add(hub, c, repo.id, user.name, title, description, pull_request, head=head)
    return {"num": number, "url": f"{repo.url(hub)}/discussions/{number}", "pullRequest": pull_request}


def _may_moderate(repo: Repo, row: sqlite3.Row, user: auth.User) -> None:
    if user.name != row["author"] and not user.may(repo.namespace, write=True):
        raise forbidden("Only its author or a member of the repo's namespace may do this")


def _comment(hub: Hub, request: Request, body: Any) -> Any:
    repo, row = _find(hub, request)
    user = auth.require(request, auth.signed_in(request).name)
    data = _comment_data(field(body, "comment", str), user.name, hub.now())
    with hub.db.tx() as c:
        return {"newMessage": _event(hub, c, repo.id, row["number"], "comment", user.name, data)}


def _title(hub: Hub, request: Request, body: Any) -> Any:
    repo, row = _find(hub, request)
    user = auth.signed_in(request)
    _may_moderate(repo, row, user)
    title = field(body, "title", str)
    with hub.db.tx() as c:
        c.execute("UPDATE discussions SET title = ? WHERE repo = ? AND number = ?", (title, repo.id, row["number"]))
        data = {"from": row["title"], "to": title}
        return {"newTitle": _event(hub, c, repo.id, row["number"], "title-change", user.name, data)}


def _status(hub: Hub, request: Request, body: Any) -> Any:
    repo, row = _find(hub, request)
    user = auth.signed_in(request)
    _may_moderate(repo, row, user)
    status = field(body, "status", str)
    if status not in ("open", "closed"):
        raise bad_request("A status is 'open' or 'closed'")
    if row["status"] == "merged":
        raise HubError(409, "The pull request is merged")
    with hub.db.tx() as c:
        c.execute("UPDATE discussions SET status = ? WHERE repo = ? AND number = ?", (status, repo.id, row["number"]))
        if comment := field(body, "comment", str, ""):
            data = _comment_data(comment, user.name, hub.now())
            _event(hub, c, repo.id, row["number"], "comment", user.name, data)
        event = _event(hub, c, repo.id, row["number"], "status-change", user.name, {"status": status})
    return {"newStatus": event}


def _merge(hub: Hub, request: Request, body: Any) -> Any:
    repo, row = _find(hub, request)
    user = auth.require(request, repo.namespace)
    if not row["pull_request"]:
        raise bad_request("Only a pull request can be merged")
    with hub.db.tx() as c:
        status = c.execute(
            "SELECT status FROM discussions WHERE repo = ? AND number = ?", (repo.id, row["number"])
        ).fetchone()[0]
        if status in ("merged", "closed"):
            raise HubError(409, f"The pull request is {status}")
        mine, theirs = _pull_state(c, repo, row)
        if conflicts := _conflicts(mine, theirs):
            raise HubError(409, f"The pull request has conflicts: {', '.join(conflicts)}")
        base = repos.ref_oid(c, repo, row["base"])
        assert base is not None
        editor = TreeEditor(c, _tree_at(c, repo, base))
        for path, (_, new) in mine.items():
            if new is not None:
                editor.put(path, new)
            elif editor.get(path) is not None:
                editor.delete(path, not_found)
        title = f"{row['title']} (#{row['number']})"
        oid = repos.add_commit(hub, c, repo.id, row["base"], base, editor.write(), user.name, title)
        c.execute(
            "UPDATE discussions SET status = 'merged', merge_commit = ? WHERE repo = ? AND number = ?",
            (oid, repo.id, row["number"]),
        )
        if isinstance(body, dict) and (comment := field(body, "comment", str, "")):
            data = _comment_data(comment, user.name, hub.now())
            _event(hub, c, repo.id, row["number"], "comment", user.name, data)
        _event(hub, c, repo.id, row["number"], "status-change", user.name, {"status": "merged"})
    return {"mergeCommitId": oid}


def _edit(hub: Hub, request: Request, body: Any) -> Any:
    repo, row = _find(hub, request)
    user = auth.signed_in(request)
    identifier, action = request.path_params["comment"], request.path_params["action"]
    with hub.db.tx() as c:
        event = c.execute(
            "SELECT * FROM discussion_events WHERE id = ? AND repo = ? AND number = ? AND type = 'comment'",
            (identifier, repo.id, row["number"]),
        ).fetchone()
        if event is None:
            raise not_found("Comment not found")
        if user.name != event["author"] and not (action == "hide" and user.may(repo.namespace, write=True)):
            raise forbidden("Only its author may edit a comment")
        data = json.loads(event["data"])
        if action == "hide":
            data.update(hidden=True, history=[], latest={**data["latest"], "raw": "This comment has been hidden"})
        else:
            text = field(body, "content", str)
            latest = {**data["latest"], "raw": text, "html": text, "updatedAt": hub.now()}
            data.update(edited=True, latest=latest, history=[*data["history"], latest])
        c.execute("UPDATE discussion_events SET data = ? WHERE id = ?", (json.dumps(data), identifier))
    updated = next(e for e in _events(hub, repo, row["number"]) if e["id"] == identifier)
    return {"updatedComment": updated}


def routes(hub: Hub) -> list[BaseRoute]:
    base = repos.REPO + "/discussions"
    one = base + "/{number:int}"
    return [
        endpoint(base, _list),
        endpoint(base, _create, "POST"),
        endpoint(one, _details),
        endpoint(one + "/comment", _comment, "POST"),
        endpoint(one + "/comment/{comment}/{action}", _edit, "POST"),
        endpoint(one + "/title", _title, "POST"),
        endpoint(one + "/status", _status, "POST"),
        endpoint(one + "/merge", _merge, "POST"),
    ]
