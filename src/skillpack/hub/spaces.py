"""Spaces: variables, secrets (their names alone are ever shown), their runtime and its logs.

Apps run where the Hub was started with `--run-spaces` (see `spacerun`); elsewhere every Space says that it is running.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from . import auth, joblog, repos, spacerun
from .errors import bad_request
from .hardware import FLAVORS
from .http import endpoint, field
from .repos import Repo

if TYPE_CHECKING:
    from .state import Hub

#: Flavors of Jobs that Spaces have too; these two cost nothing there (hub-docs, docs/hub/spaces-overview.md).
FREE = ("cpu-basic", "zero-a10g")
FOLLOW_S = 0.2

SCHEMA = """
CREATE TABLE IF NOT EXISTS space_settings (
    repo INTEGER NOT NULL REFERENCES repos(id) ON DELETE CASCADE, kind TEXT NOT NULL, key TEXT NOT NULL,
    value TEXT NOT NULL, description TEXT, updated_at TEXT NOT NULL, PRIMARY KEY (repo, kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS space_runtimes (
    repo INTEGER PRIMARY KEY REFERENCES repos(id) ON DELETE CASCADE, runtime TEXT NOT NULL);
"""


def runtime(hub: Hub, repo: Repo) -> dict[str, Any]:
    """What the service reports of a Space: its settings as they are kept, and how far its app is."""
    row = hub.db.one("SELECT runtime FROM space_runtimes WHERE repo = ?", (repo.id,))
    kept = json.loads(row[0]) if row is not None else {}
    if hub.run_spaces and kept.get("stage") != "PAUSED":
        run = spacerun.of(hub).current(repo)
        kept |= {"stage": run.stage, "sha": repos.commit_oid(hub, repo), "errorMessage": run.message}
        if run.stage == "RUNNING":
            kept["domains"] = [{"domain": f"127.0.0.1:{run.port}", "isCustom": False, "stage": "READY"}]
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
    repo = _space(hub, request)
    spacerun.of(hub).end(repo)
    return _change_runtime(hub, repo, stage="PAUSED")


def _restart(hub: Hub, request: Request, body: Any) -> Any:
    repo = _space(hub, request)
    spacerun.of(hub).end(repo)
    return _change_runtime(hub, repo, stage="RUNNING")


def _flavors(hub: Hub, request: Request, body: Any) -> Any:
    zero = {**FLAVORS["a10g-large"].to_json(), "name": "zero-a10g", "prettyName": "ZeroGPU"}
    free = {"unitCostMicroUSD": 0, "unitCostUSD": 0.0}
    known = [zero, *(flavor.to_json() for flavor in FLAVORS.values())]
    return [flavor | (free if flavor["name"] in FREE else {}) for flavor in known]


async def _log_events(hub: Hub, repo: Repo, kind: str) -> AsyncIterator[str]:
    """The log as server-sent events, until what it tells of has ended and all of it was sent."""
    path, offset = spacerun.log_path(hub, repo, kind), 0
    yield ": the log of a local Space\n\n"
    while True:
        run = await run_in_threadpool(spacerun.of(hub).current, repo) if hub.run_spaces else None
        lines, offset = await run_in_threadpool(joblog.read_from, path, offset)
        for line in lines:
            record = json.loads(line)
            yield f"data: {json.dumps({**record, 'data': record['data'] + chr(10)})}\n\n"
        over = run is None or (run.stage in spacerun.SETTLED and (kind == "build" or run.stage != "RUNNING"))
        if over and not lines:
            return
        await asyncio.sleep(FOLLOW_S)


async def _logs(request: Request) -> Response:
    hub = request.app.state.hub

    def allowed() -> Repo:
        repo = repos.of(hub, request)
        auth.require(request, repo.namespace)
        return repo

    repo = await run_in_threadpool(allowed)
    events = _log_events(hub, repo, request.path_params["kind"])
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def stop(hub: Hub) -> None:
    spacerun.of(hub).end_all()


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
        endpoint("/api/spaces/hardware", _flavors),
        Route(base + "/logs/{kind:spacelog}", _logs),
        endpoint(base + "/runtime", _runtime),
        endpoint(base + "/hardware", _hardware, "POST"),
        endpoint(base + "/sleeptime", _sleep_time, "POST"),
        endpoint(base + "/pause", _pause, "POST"),
        endpoint(base + "/restart", _restart, "POST"),
        endpoint(base + "/dev-mode", _dev_mode, "POST"),
        endpoint(base + "/volumes", _volumes, "PUT", "POST", "DELETE"),
        endpoint(base + "/{kind:spacesetting}", _settings, "GET", "POST", "DELETE"),
    ]
