"""Collections: titled lists of repos, papers and buckets."""

from __future__ import annotations

import re
import secrets
import sqlite3
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from . import auth
from .errors import HubError, bad_request, not_found
from .http import endpoint, field, page

if TYPE_CHECKING:
    from .state import Hub

SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (
    id TEXT PRIMARY KEY, namespace TEXT NOT NULL, slug TEXT NOT NULL UNIQUE, title TEXT NOT NULL, description TEXT,
    private INTEGER NOT NULL, theme TEXT NOT NULL, position INTEGER NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS collection_items (
    id TEXT PRIMARY KEY, collection TEXT NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    item TEXT NOT NULL, type TEXT NOT NULL, note TEXT, position INTEGER NOT NULL, UNIQUE (collection, item, type));
"""

ITEM_TYPES = ("model", "dataset", "space", "paper", "collection", "bucket")
THEMES = ("orange", "blue", "green", "purple", "pink", "indigo")


def _describe(hub: Hub, row: sqlite3.Row) -> dict[str, Any]:
    items = hub.db.query("SELECT * FROM collection_items WHERE collection = ? ORDER BY position", (row["id"],))
    return {
        "slug": row["slug"],
        "title": row["title"],
        "description": row["description"],
        "owner": {"name": row["namespace"], "type": "user"},
        "lastUpdated": row["updated_at"],
        "position": row["position"],
        "private": bool(row["private"]),
        "gating": False,
        "theme": row["theme"],
        "upvotes": 0,
        "items": [
            {
                "_id": item["id"],
                "id": item["item"],
                "type": item["type"],
                "position": position,
                **({"note": {"text": item["note"], "html": item["note"]}} if item["note"] else {}),
                **({"slug": item["item"]} if item["type"] == "collection" else {}),
            }
            for position, item in enumerate(items)
        ],
    }


def _of(hub: Hub, request: Request, write: bool = False) -> sqlite3.Row:
    slug = f"{request.path_params['namespace']}/{request.path_params['slug']}"
    row = hub.db.one("SELECT * FROM collections WHERE slug = ?", (slug,))
    user = auth.user(request)
    if row is None or (row["private"] and not (user and user.may(row["namespace"], write=False))):
        raise not_found(f"Collection {slug} not found")
    if write:
        auth.require(request, row["namespace"])
    return row


def _create(hub: Hub, request: Request, body: Any) -> Response:
    namespace = field(body, "namespace", str)
    auth.require(request, namespace)
    title = field(body, "title", str).strip()
    if not 0 < len(title) < 61:
        raise bad_request("The title of a collection has 1 to 60 characters")
    identifier = secrets.token_hex(12)
    with hub.db.tx() as c:
        same = c.execute(
            "SELECT slug FROM collections WHERE namespace = ? AND title = ?", (namespace, title)
        ).fetchone()
        if same is not None:
            raise HubError(409, f"A collection titled {title!r} already exists", slug=same["slug"])
        words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "collection"
        slug = f"{namespace}/{words}-{identifier}"
        position = c.execute("SELECT count(*) FROM collections WHERE namespace = ?", (namespace,)).fetchone()[0]
        description = field(body, "description", str, None)
        private = int(field(body, "private", bool, False))
        c.execute(
            "INSERT INTO collections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (identifier, namespace, slug, title, description, private, THEMES[0], position, hub.now()),
        )
        if item := field(body, "item", dict, None):
            _add(c, identifier, item, None)
    return _answer(hub, slug)


def _answer(hub: Hub, slug: str) -> Response:
    row = hub.db.one("SELECT * FROM collections WHERE slug = ?", (slug,))
    assert row is not None
    return JSONResponse(_describe(hub, row))


def _add(c: sqlite3.Connection, collection: str, item: Any, note: str | None) -> None:
    kind, name = field(item, "type", str), field(item, "id", str)
    if kind not in ITEM_TYPES:
        raise bad_request(f"Invalid item type {kind!r}")
    position = c.execute(
        "SELECT coalesce(max(position), -1) + 1 FROM collection_items WHERE collection = ?", (collection,)
    ).fetchone()[0]
    try:
        c.execute(
            "INSERT INTO collection_items VALUES (?, ?, ?, ?, ?, ?)",
            (secrets.token_hex(12), collection, name, kind, note, position),
        )
    except sqlite3.IntegrityError as error:
        raise HubError(409, f"{kind} {name} is already in the collection") from error


def _touch(hub: Hub, c: sqlite3.Connection, collection: str) -> None:
    c.execute("UPDATE collections SET updated_at = ? WHERE id = ?", (hub.now(), collection))


def _list(hub: Hub, request: Request, body: Any) -> Response:
    query, user = request.query_params, auth.user(request)
    owners = {owner.lower() for owner in query.getlist("owner")}
    found = []
    for row in hub.db.query("SELECT * FROM collections ORDER BY updated_at DESC"):
        if owners and row["namespace"].lower() not in owners:
            continue
        if row["private"] and not (user and user.may(row["namespace"], write=False)):
            continue
        described = _describe(hub, row)
        names = {f"{item['type']}s/{item['id']}" for item in described["items"]}
        if set(query.getlist("item")) <= names:
            del described["position"]  # the client numbers them itself
            found.append({**described, "items": described["items"][:4]})
    part, headers = page(hub, request, found)
    return JSONResponse(list(part), headers=headers)


def _get(hub: Hub, request: Request, body: Any) -> Any:
    return _describe(hub, _of(hub, request))


def _update(hub: Hub, request: Request, body: Any) -> Any:
    row = _of(hub, request, write=True)
    theme = field(body, "theme", str, row["theme"])
    if theme not in THEMES:
        raise bad_request(f"Invalid theme {theme!r}")
    with hub.db.tx() as c:
        c.execute(
            "UPDATE collections SET title = ?, description = ?, private = ?, theme = ?, position = ? WHERE id = ?",
            (
                field(body, "title", str, row["title"]),
                field(body, "description", str, row["description"]),
                int(field(body, "private", bool, bool(row["private"]))),
                theme,
                field(body, "position", int, row["position"]),
                row["id"],
            ),
        )
        _touch(hub, c, row["id"])
    updated = hub.db.one("SELECT * FROM collections WHERE id = ?", (row["id"],))
    assert updated is not None
    return {"success": True, "data": _describe(hub, updated)}


def _delete(hub: Hub, request: Request, body: Any) -> Any:
    row = _of(hub, request, write=True)
    with hub.db.tx() as c:
        c.execute("DELETE FROM collections WHERE id = ?", (row["id"],))
    return {"success": True}


def _add_item(hub: Hub, request: Request, body: Any) -> Response:
    row = _of(hub, request, write=True)
    with hub.db.tx() as c:
        _add(c, row["id"], field(body, "item", dict), field(body, "note", str, None))
        _touch(hub, c, row["id"])
    return _answer(hub, row["slug"])


def _change_item(hub: Hub, request: Request, body: Any) -> Any:
    row = _of(hub, request, write=True)
    rows = hub.db.query("SELECT * FROM collection_items WHERE collection = ? ORDER BY position", (row["id"],))
    order = [item["id"] for item in rows]
    identifier = request.path_params["item"]
    if identifier not in order:
        raise not_found("Item not found")
    with hub.db.tx() as c:
        if request.method == "DELETE":
            c.execute("DELETE FROM collection_items WHERE id = ?", (identifier,))
        else:
            if "note" in body:
                note = field(body, "note", str)
                c.execute("UPDATE collection_items SET note = ? WHERE id = ?", (note, identifier))
            if (position := field(body, "position", int, None)) is not None:
                order.remove(identifier)
                order.insert(max(0, position), identifier)
                for place, each in enumerate(order):
                    c.execute("UPDATE collection_items SET position = ? WHERE id = ?", (place, each))
        _touch(hub, c, row["id"])
    return {"success": True}


def routes(hub: Hub) -> list[BaseRoute]:
    one = "/api/collections/{namespace}/{slug}"
    return [
        endpoint("/api/collections", _list),
        endpoint("/api/collections", _create, "POST"),
        endpoint(one, _get),
        endpoint(one, _update, "PATCH"),
        endpoint(one, _delete, "DELETE"),
        endpoint(one + "/items", _add_item, "POST"),
        endpoint(one + "/items/{item}", _change_item, "PATCH", "DELETE"),
    ]
