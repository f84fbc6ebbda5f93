"""Spaces: variables, secrets (their names alone are ever shown), and a runtime that runs nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from . import repos
from .errors import bad_request
from .http import endpoint, field
from .repos import Repo

if TYPE_CHECKING:
    from .state import Hub

SCHEMA = """
CREATE TABLE IF NOT EXISTS space_settings (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE, kind TEXT NOT NULL, key TEXT NOT NULL,
    value TEXT NOT NULL, description TEXT, updated_at TEXT NOT NULL, PRIMARY KEY (repo, kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS space_runtimes (
    repo INTEGER PRIMARY KEY REFERENCES repos(id) ON DELETE CASCADE, runtime TEXT NOT NULL);
"""


def runtime(hub: Hub, repo: Repo) -> dict[str, Any]:
    """What the real service would report of a Space that runs; the local Hub only keeps its settings."""
    row = hub.db.one("SELECT runtime FROM space_runtimes WHERE repo = ?", (repo.id,))
    kept = json.loads(row[0]) if row is not None else {}
    return {
        "stage": "RUNNING",
        "hardware": {"current": "cpu-basic", "requested": "cpu-basic"},
        "storage": None,
        "gcTimeout": 172800,
        "replicas": {"current": 1, "requested": 1},
        "devMode": False,
        "domains": [],
        **kept,
    }


def _change_runtime(hub: Hub, repo: Repo, **changes: Any) -> dict[str, Any]:
    row = hub.db.one("SELECT runtime FROM space_runtimes WHERE repo = ?", (repo.id,))
    kept = {**(json.loads(row[0]) if row is not None else {}), **changes}
    with hub.db.tx() as c:
        c.execute("INSERT OR REPLACE INTO space_runtimes VALUES (?, ?)", (repo.id, json.dumps(kept)))
    return runtime(hub, repo)


def _set(hub: Hub, repo: Repo, kind: str, item: Any) -> None:
    name = field(item, "key", str)
    if not name or not name.replace("_", "a").isalnum():
        raise bad_request(f"Invalid key {name!r}")
    with hub.db.tx() as c:
        c.execute(
            "INSERT OR REPLACE INTO space_settings VALUES (?, ?, ?, ?, ?, ?)",
            (repo.id, kind, name, field(item, "value", str), field(item, "description", str, None), hub.now()),
        )


def configure(hub: Hub, repo: Repo, body: Any) -> None:
    """The settings that `create_repo` sends along."""
    for kind in ("secrets", "variables"):
        for item in field(body, kind, list, []):
            _set(hub, repo, kind, item)
    changes: dict[str, Any] = {}
    if hardware := field(body, "hardware", str, None):
        changes["hardware"] = {"current": hardware, "requested": hardware}
    if seconds := field(body, "sleepTimeSeconds", int, None):
        changes["gcTimeout"] = seconds
    if volumes := field(body, "volumes", list, None):
        changes["volumes"] = volumes
    if changes:
        _change_runtime(hub, repo, **changes)


def _listing(hub: Hub, repo: Repo, kind: str) -> dict[str, Any]:
    rows = hub.db.query("SELECT * FROM space_settings WHERE repo = ? AND kind = ? ORDER BY key", (repo.id, kind))
    return {
        row["key"]: {
            "key": row["key"],
            **({"value": row["value"]} if kind == "variables" else {}),
            "description": row["description"],
            "updatedAt": row["updated_at"],
        }
        for row in rows
    }


def _space(hub: Hub, request: Request, write: bool = True) -> Repo:
    return repos.of(hub, request, write=write)


def _settings(hub: Hub, request: Request, body: Any) -> Any:
    repo, kind = _space(hub, request), request.path_params["kind"]
    if request.method == "POST":
        _set(hub, repo, kind, body)
    elif request.method == "DELETE":
        with hub.db.tx() as c:
            c.execute(
                "DELETE FROM space_settings WHERE repo = ? AND kind = ? AND key = ?",
                (repo.id, kind, field(body, "key", str)),
            )
    return _listing(hub, repo, kind)


def _runtime(hub: Hub, request: Request, body: Any) -> Any:
    return runtime(hub, _space(hub, request, write=False))


def _hardware(hub: Hub, request: Request, body: Any) -> Any:
    flavor = field(body, "flavor", str)
    changes: dict[str, Any] = {"hardware": {"current": flavor, "requested": flavor}}
    if seconds := field(body, "sleepTimeSeconds", int, None):
        changes["gcTimeout"] = seconds
    return _change_runtime(hub, _space(hub, request), **changes)


def _sleep_time(hub: Hub, request: Request, body: Any) -> Any:
    return _change_runtime(hub, _space(hub, request), gcTimeout=field(body, "seconds", int))


def _pause(hub: Hub, request: Request, body: Any) -> Any:
    return _change_runtime(hub, _space(hub, request), stage="PAUSED")


def _restart(hub: Hub, request: Request, body: Any) -> Any:
    return _change_runtime(hub, _space(hub, request), stage="RUNNING")


def _dev_mode(hub: Hub, request: Request, body: Any) -> Any:
    return _change_runtime(hub, _space(hub, request), devMode=field(body, "enabled", bool))


def _volumes(hub: Hub, request: Request, body: Any) -> Any:
    volumes = [] if request.method == "DELETE" else field(body, "volumes", list)
    return _change_runtime(hub, _space(hub, request), volumes=volumes)


def _templates(hub: Hub, request: Request, body: Any) -> Any:
    return []


def routes(hub: Hub) -> list[BaseRoute]:
    base = "/api/{type:repotype}/{namespace}/{name}"
    return [
        endpoint("/api/spaces/templates", _templates),
        endpoint(base + "/runtime", _runtime),
        endpoint(base + "/hardware", _hardware, "POST"),
        endpoint(base + "/sleeptime", _sleep_time, "POST"),
        endpoint(base + "/pause", _pause, "POST"),
        endpoint(base + "/restart", _restart, "POST"),
        endpoint(base + "/dev-mode", _dev_mode, "POST"),
        endpoint(base + "/volumes", _volumes, "PUT", "POST", "DELETE"),
        endpoint(base + "/{kind:spacesetting}", _settings, "GET", "POST", "DELETE"),
    ]
