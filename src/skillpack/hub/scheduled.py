"""Scheduled jobs: a spec, a cron schedule in UTC, and a thread that starts what is due."""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import threading
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from skillpack.kit import cron

from . import auth, jobs, jobspec, runner, volumes
from .errors import HubError, bad_request, not_found
from .http import endpoint, field
from .state import isoformat

if TYPE_CHECKING:
    from .state import Hub

log = logging.getLogger("skillpack.hub.scheduled")

SCHEMA = """
CREATE TABLE IF NOT EXISTS scheduled_jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL COLLATE NOCASE,
    initiator TEXT NOT NULL, spec TEXT NOT NULL, schedule TEXT NOT NULL, suspend INTEGER NOT NULL,
    concurrency INTEGER NOT NULL, created_at REAL NOT NULL, next_run_at REAL,
    last_job_id TEXT, last_job_at REAL);
"""
TICK_S = 1.0


def _next_run(schedule: str) -> float:
    try:
        return cron.parse_schedule(schedule).after(datetime.now(timezone.utc)).timestamp()
    except ValueError as error:
        raise bad_request(f"Invalid schedule: {error}") from error


def info(hub: Hub, row: sqlite3.Row) -> dict[str, Any]:
    spec = json.loads(row["spec"])
    last = {"id": row["last_job_id"], "at": isoformat(row["last_job_at"])} if row["last_job_id"] else None
    shown = {name: spec[name] for name in ("dockerImage", "spaceId", "command", "arguments", "environment")}
    shown |= {name: spec[name] for name in ("flavor", "labels", "volumes")}
    shown |= {"secrets": list(spec["secrets"]), "timeout": spec["timeoutSeconds"], "retry": spec["attempts"] - 1}
    if "expose" in spec:
        shown["expose"] = spec["expose"]
    due = None if row["suspend"] or row["next_run_at"] is None else isoformat(row["next_run_at"])
    return {
        "id": row["id"],
        "createdAt": isoformat(row["created_at"]),
        "jobSpec": shown,
        "schedule": row["schedule"],
        "suspend": bool(row["suspend"]),
        "concurrency": bool(row["concurrency"]),
        "status": {"lastJob": last, "nextJobRunAt": due},
        "owner": jobs.owner_json(hub, row["owner"]),
        "initiator": json.loads(row["initiator"]),
    }


def _find(hub: Hub, namespace: str, scheduled_id: str) -> sqlite3.Row:
    row = hub.db.one("SELECT * FROM scheduled_jobs WHERE id = ? AND owner = ?", (scheduled_id, namespace))
    if row is None:
        raise not_found(f"Scheduled job {scheduled_id!r} not found in {namespace!r}")
    return row


def _named(hub: Hub, request: Request, write: bool = True) -> sqlite3.Row:
    namespace = request.path_params["namespace"]
    auth.require(request, namespace, write)
    return _find(hub, namespace, request.path_params["scheduled"])


def _update(hub: Hub, row: sqlite3.Row, **columns: Any) -> dict[str, Any]:
    names = ", ".join(f"{name} = ?" for name in columns)
    with hub.db.tx() as c:
        c.execute(f"UPDATE scheduled_jobs SET {names} WHERE id = ?", (*columns.values(), row["id"]))
    return info(hub, _find(hub, row["owner"], row["id"]))


def _create(hub: Hub, request: Request, body: Any) -> Any:
    user = auth.require(request, request.path_params["namespace"])
    namespace = jobs.owner_json(hub, request.path_params["namespace"])["name"]
    spec = jobspec.parse(field(body, "jobSpec", dict), scheduled=True)
    volumes.check_access(hub, request, spec["volumes"])
    schedule = field(body, "schedule", str)
    due = _next_run(schedule)
    scheduled_id = secrets.token_hex(12)
    initiator = {"type": "user", "id": jobs.namespace_id(user.name), "name": user.name}
    runner.of(hub).remember(scheduled_id, spec)
    with hub.db.tx() as c:
        c.execute(
            "INSERT INTO scheduled_jobs (id, owner, initiator, spec, schedule, suspend, concurrency, created_at,"
            " next_run_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                scheduled_id,
                namespace,
                json.dumps(initiator),
                json.dumps(jobspec.without_secrets(spec)),
                schedule,
                field(body, "suspend", bool, False),
                field(body, "concurrency", bool, False),
                time.time(),
                due,
            ),
        )
    return info(hub, _find(hub, namespace, scheduled_id))


def _list(hub: Hub, request: Request, body: Any) -> Any:
    namespace = request.path_params["namespace"]
    auth.require(request, namespace, write=False)
    wanted = [label.partition("=")[::2] for label in request.query_params.getlist("label")]
    rows = hub.db.query("SELECT * FROM scheduled_jobs WHERE owner = ? ORDER BY number DESC", (namespace,))
    found = [info(hub, row) for row in rows]
    return [each for each in found if all(each["jobSpec"]["labels"].get(k) == v for k, v in wanted)]


def _inspect(hub: Hub, request: Request, body: Any) -> Any:
    return info(hub, _named(hub, request, write=False))


def _delete(hub: Hub, request: Request, body: Any) -> Any:
    row = _named(hub, request)
    with hub.db.tx() as c:
        c.execute("DELETE FROM scheduled_jobs WHERE id = ?", (row["id"],))
    runner.of(hub).forget(row["id"])
    return Response(status_code=204)


def _suspend(hub: Hub, request: Request, body: Any) -> Any:
    return _update(hub, _named(hub, request), suspend=1)


def _resume(hub: Hub, request: Request, body: Any) -> Any:
    row = _named(hub, request)
    return _update(hub, row, suspend=0, next_run_at=_next_run(row["schedule"]))


def _schedule(hub: Hub, request: Request, body: Any) -> Any:
    schedule = field(body, "schedule", str)
    return _update(hub, _named(hub, request), schedule=schedule, next_run_at=_next_run(schedule))


def _labels(hub: Hub, request: Request, body: Any) -> Any:
    row = _named(hub, request)
    labels = jobspec.check_labels(field(body, "labels", dict))
    return _update(hub, row, spec=json.dumps({**json.loads(row["spec"]), "labels": labels}))


def _still_running(hub: Hub, row: sqlite3.Row) -> bool:
    if row["last_job_id"] is None:
        return False
    last = hub.db.one("SELECT stage FROM jobs WHERE id = ?", (row["last_job_id"],))
    return last is not None and last["stage"] not in runner.TERMINAL


def launch(hub: Hub, row: sqlite3.Row) -> dict[str, Any]:
    """Start one job of a scheduled job; 409 while another runs and concurrency is off."""
    if not row["concurrency"] and _still_running(hub, row):
        raise HubError(409, "A job of this schedule is still running, and concurrency is off")
    spec = runner.of(hub).recall(row["id"], json.loads(row["spec"]), "scheduled job")
    job = jobs.create(hub, row["owner"], spec, {"type": "scheduled-job", "id": row["id"]})
    _update(hub, row, last_job_id=job["id"], last_job_at=time.time())
    return job


def _trigger(hub: Hub, request: Request, body: Any) -> Any:
    return launch(hub, _named(hub, request))


def run_due(hub: Hub) -> None:
    """Start every scheduled job whose time has come; a run that cannot start is skipped, and logged."""
    due = hub.db.query("SELECT * FROM scheduled_jobs WHERE suspend = 0 AND next_run_at <= ?", (time.time(),))
    for row in due:
        _update(hub, row, next_run_at=_next_run(row["schedule"]))
        try:
            launch(hub, row)
        except HubError as error:
            log.warning("scheduled job %s did not start: %s", row["id"], error.message)


_STOPS: WeakKeyDictionary[Hub, threading.Event] = WeakKeyDictionary()


def start(hub: Hub) -> None:
    stopped = _STOPS[hub] = threading.Event()

    def tick() -> None:
        while not stopped.wait(TICK_S):
            try:
                run_due(hub)
            except sqlite3.Error as error:  # a full or locked disk: the next tick tries again
                log.warning("schedules: %s", error)

    threading.Thread(target=tick, name="schedules", daemon=True).start()


def stop(hub: Hub) -> None:
    if hub in _STOPS:
        _STOPS[hub].set()


def routes(hub: Hub) -> list[BaseRoute]:
    one = "/api/scheduled-jobs/{namespace}/{scheduled}"
    return [
        endpoint("/api/scheduled-jobs/{namespace}", _create, "POST"),
        endpoint("/api/scheduled-jobs/{namespace}", _list),
        endpoint(one, _inspect),
        endpoint(one, _delete, "DELETE"),
        endpoint(f"{one}/suspend", _suspend, "POST"),
        endpoint(f"{one}/resume", _resume, "POST"),
        endpoint(f"{one}/schedule", _schedule, "POST"),
        endpoint(f"{one}/labels", _labels, "PUT"),
        endpoint(f"{one}/run", _trigger, "POST"),
    ]
