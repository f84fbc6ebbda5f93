"""The Jobs API: run, list, inspect, logs, metrics, cancel, duplicate, labels, ports, hardware."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from . import auth, hardware, joblog, jobspec, processes, runner, volumes
from .errors import HubError, bad_request, not_found
from .http import endpoint, field, integer, page
from .state import isoformat

if TYPE_CHECKING:
    from .state import Hub

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL COLLATE NOCASE,
    initiator TEXT NOT NULL, spec TEXT NOT NULL, stage TEXT NOT NULL, message TEXT,
    created_at REAL NOT NULL, started_at REAL, finished_at REAL,
    attempt INTEGER NOT NULL DEFAULT 0, pid INTEGER, cost_micro_usd INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS jobs_of_owner ON jobs (owner, number);
CREATE TABLE IF NOT EXISTS credits (
    namespace TEXT PRIMARY KEY COLLATE NOCASE, micro_usd INTEGER NOT NULL);
"""

STAGES = ("SCHEDULING", "RUNNING", "COMPLETED", "ERROR", "CANCELED", "DELETED")
DEFAULT_CREDIT_MICRO_USD = 1_000_000_000  # a namespace that was given no credit has 1,000 dollars
KEEP_ALIVE_S = 15.0
FOLLOW_S = 0.15


def namespace_id(name: str) -> str:
    return hashlib.sha1(name.encode()).hexdigest()[:24]


def owner_json(hub: Hub, namespace: str) -> dict[str, Any]:
    row = hub.db.one("SELECT name, kind FROM namespaces WHERE name = ?", (namespace,))
    name, kind = (row["name"], row["kind"]) if row else (namespace, "user")
    return {"id": namespace_id(name), "name": name, "type": kind}


def cost_micro_usd(row: sqlite3.Row, now: float) -> int:
    """What a job has cost until now."""
    if row["finished_at"] is not None:
        return int(row["cost_micro_usd"])
    flavor = hardware.FLAVORS[json.loads(row["spec"])["flavor"]]
    return hardware.cost_micro_usd(flavor, now - row["created_at"])


def balance_micro_usd(hub: Hub, namespace: str) -> int:
    """The credit a namespace has left: what it was given, less what its jobs have cost."""
    given = hub.db.one("SELECT micro_usd FROM credits WHERE namespace = ?", (namespace,))
    spent = hub.db.one("SELECT COALESCE(SUM(cost_micro_usd), 0) AS sum FROM jobs WHERE owner = ?", (namespace,))
    return int(given["micro_usd"] if given else DEFAULT_CREDIT_MICRO_USD) - int(spent["sum"] if spent else 0)


def set_credit(hub: Hub, namespace: str, micro_usd: int) -> None:
    """Give a namespace so much credit that `micro_usd` is left now."""
    spent = hub.db.one("SELECT COALESCE(SUM(cost_micro_usd), 0) AS sum FROM jobs WHERE owner = ?", (namespace,))
    with hub.db.tx() as c:
        c.execute(
            "INSERT OR REPLACE INTO credits VALUES (?, ?)", (namespace, micro_usd + int(spent["sum"] if spent else 0))
        )


def info(hub: Hub, row: sqlite3.Row) -> dict[str, Any]:
    """A job as the API answers it; `localBilling` is an addition of the local Hub."""
    spec = json.loads(row["spec"])
    now = time.time()
    until = row["finished_at"] or now
    started = row["started_at"]
    ports = spec.get("expose", {}).get("ports", [])
    micro_usd = cost_micro_usd(row, now)
    answer = {
        "id": row["id"],
        "createdAt": isoformat(row["created_at"]),
        "startedAt": isoformat(started) if started else None,
        "finishedAt": isoformat(row["finished_at"]) if row["finished_at"] else None,
        "dockerImage": spec["dockerImage"],
        "spaceId": spec["spaceId"],
        "command": spec["command"],
        "arguments": spec["arguments"],
        "environment": spec["environment"],
        "secrets": list(spec["secrets"]),  # names alone, as `hf jobs inspect` of the Hub's own guide shows them
        "flavor": spec["flavor"],
        "timeout": spec["timeoutSeconds"],
        "labels": spec["labels"],
        "volumes": spec["volumes"],
        "retry": spec["attempts"] - 1,
        "status": {
            "stage": row["stage"],
            "message": row["message"],
            "exposeUrls": [f"http://127.0.0.1:{port}" for port in ports] or None,
            "sshUrl": None,
        },
        "durations": {
            "schedulingSecs": int(started - row["created_at"]) if started else None,
            "runningSecs": int(until - started) if started else None,
            "totalSecs": int(until - row["created_at"]),
        },
        "owner": owner_json(hub, row["owner"]),
        "initiator": json.loads(row["initiator"]),
        "localBilling": {"microUSD": micro_usd, "usd": micro_usd / 1_000_000, "attempt": row["attempt"]},
    }
    for name in ("expose", "network"):
        if name in spec:
            answer[name] = spec[name]
    return answer


def create(hub: Hub, namespace: str, spec: dict[str, Any], initiator: dict[str, Any]) -> dict[str, Any]:
    """Record a job and start it; 402 when the namespace has no credit left."""
    if balance_micro_usd(hub, namespace) <= 0:
        raise HubError(
            402, f"Pre-paid credit balance is insufficient: add credits to {namespace!r} before running jobs"
        )
    job_id = secrets.token_hex(12)
    shown = json.dumps(jobspec.without_secrets(spec))
    with hub.db.tx() as c:
        c.execute(
            "INSERT INTO jobs (id, owner, initiator, spec, stage, created_at) VALUES (?, ?, ?, ?, 'SCHEDULING', ?)",
            (job_id, namespace, json.dumps(initiator), shown, time.time()),
        )
    answer = info(hub, find(hub, namespace, job_id))
    runner.of(hub).submit(job_id, namespace, spec)
    return answer


def find(hub: Hub, namespace: str, job_id: str) -> sqlite3.Row:
    row = hub.db.one("SELECT * FROM jobs WHERE id = ? AND owner = ?", (job_id, namespace))
    if row is None:
        raise not_found(f"Job {job_id!r} not found in {namespace!r}")
    return row


def _named(hub: Hub, request: Request, write: bool) -> sqlite3.Row:
    namespace = request.path_params["namespace"]
    auth.require(request, namespace, write)
    return find(hub, namespace, request.path_params["job"])


def _hardware(hub: Hub, request: Request, body: Any) -> Any:
    return [flavor.to_json() for flavor in hardware.FLAVORS.values()]


def _run(hub: Hub, request: Request, body: Any) -> Any:
    user = auth.require(request, request.path_params["namespace"])
    namespace = owner_json(hub, request.path_params["namespace"])["name"]
    spec = jobspec.parse(body)
    volumes.check_access(hub, request, spec["volumes"])
    return create(hub, namespace, spec, {"type": "user", "id": namespace_id(user.name), "name": user.name})


def _list(hub: Hub, request: Request, body: Any) -> Any:
    namespace = request.path_params["namespace"]
    auth.require(request, namespace, write=False)
    stages = [stage.upper() for stage in request.query_params.getlist("stage")]
    if unknown := set(stages) - set(STAGES):
        raise bad_request(f"Unknown stage {', '.join(sorted(unknown))}: one of {', '.join(STAGES)}")
    wanted = [label.partition("=")[::2] for label in request.query_params.getlist("label")]
    rows = hub.db.query("SELECT * FROM jobs WHERE owner = ? ORDER BY number DESC", (namespace,))
    kept = []
    for row in rows:
        labels = json.loads(row["spec"])["labels"] if wanted else {}
        in_stage = row["stage"] in stages if stages else row["stage"] != "DELETED"
        if in_stage and all(labels.get(key) == value for key, value in wanted):
            kept.append(row)
    shown, headers = page(hub, request, kept)
    return JSONResponse([info(hub, row) for row in shown], headers=headers)


def _inspect(hub: Hub, request: Request, body: Any) -> Any:
    return info(hub, _named(hub, request, write=False))


def _cancel(hub: Hub, request: Request, body: Any) -> Any:
    row = _named(hub, request, write=True)
    if row["stage"] not in runner.TERMINAL:
        runner.of(hub).end(row["id"], "CANCELED", None)
    return info(hub, find(hub, row["owner"], row["id"]))


def _delete(hub: Hub, request: Request, body: Any) -> Any:
    row = _named(hub, request, write=True)
    if row["stage"] not in runner.TERMINAL:
        raise HubError(409, "Cancel the job before you delete it")
    shutil.rmtree(runner.folder(hub, row["id"]), ignore_errors=True)
    runner.of(hub).forget(row["id"])
    with hub.db.tx() as c:
        c.execute("UPDATE jobs SET stage = 'DELETED' WHERE id = ?", (row["id"],))
    return info(hub, find(hub, row["owner"], row["id"]))


def _duplicate(hub: Hub, request: Request, body: Any) -> Any:
    row = _named(hub, request, write=True)
    spec = runner.of(hub).recall(row["id"], json.loads(row["spec"]), "job")
    volumes.check_access(hub, request, spec["volumes"])
    return create(hub, row["owner"], spec, {"type": "duplicated-job", "id": row["id"]})


def _change(hub: Hub, row: sqlite3.Row, **changes: Any) -> Any:
    with hub.db.tx() as c:
        spec = json.loads(c.execute("SELECT spec FROM jobs WHERE id = ?", (row["id"],)).fetchone()["spec"])
        c.execute("UPDATE jobs SET spec = ? WHERE id = ?", (json.dumps({**spec, **changes}), row["id"]))
    return info(hub, find(hub, row["owner"], row["id"]))


def _labels(hub: Hub, request: Request, body: Any) -> Any:
    row = _named(hub, request, write=True)
    return _change(hub, row, labels=jobspec.check_labels(field(body, "labels", dict)))


def _expose(hub: Hub, request: Request, body: Any) -> Any:
    row = _named(hub, request, write=True)
    if row["stage"] in runner.TERMINAL:
        raise HubError(409, "The ports of a finished job cannot change")
    return _change(hub, row, expose=jobspec.check_expose(body))


def _set_credit(hub: Hub, request: Request, body: Any) -> Any:
    namespace = request.path_params["namespace"]
    auth.require(request, namespace)
    usd = body.get("usd") if isinstance(body, dict) else None
    if not isinstance(usd, (int, float)) or isinstance(usd, bool) or not abs(usd) < 1e9:
        raise bad_request("Body must be {'usd': a number}")
    set_credit(hub, namespace, round(usd * 1_000_000))
    return {"namespace": namespace, "balanceUSD": balance_micro_usd(hub, namespace) / 1_000_000}


def _event(data: str, name: str | None = None) -> str:
    return (f"event: {name}\n" if name else "") + f"data: {data}\n\n"


async def log_events(hub: Hub, row: sqlite3.Row, tail: int | None) -> AsyncIterator[str]:
    """The log as server-sent events, until the job has ended and all of it was sent."""
    path = runner.log_path(hub, row["id"])
    offset, quiet = 0, 0.0
    lines: list[str] = []
    if tail is not None:
        lines, offset = await run_in_threadpool(joblog.tail, path, tail)
    yield ": the log of a local job\n\n"
    while True:
        for line in lines:
            yield _event(line)
        current = await run_in_threadpool(find, hub, row["owner"], row["id"])
        lines, offset = await run_in_threadpool(joblog.read_from, path, offset)
        if lines:
            quiet = 0.0
            continue
        if current["stage"] in runner.TERMINAL:
            return
        await asyncio.sleep(FOLLOW_S)
        quiet += FOLLOW_S
        if quiet >= KEEP_ALIVE_S:
            quiet = 0.0
            yield ": keep-alive\n\n"


async def _metric_events(hub: Hub, row: sqlite3.Row) -> AsyncIterator[str]:
    flavor = hardware.FLAVORS[json.loads(row["spec"])["flavor"]]
    before, at = (await run_in_threadpool(processes.usage, row["id"]))[0], time.monotonic()
    yield ": the metrics of a local job\n\n"
    while True:
        await asyncio.sleep(1.0)
        if (await run_in_threadpool(find, hub, row["owner"], row["id"]))["stage"] in runner.TERMINAL:
            return
        seconds, resident = await run_in_threadpool(processes.usage, row["id"])
        now = time.monotonic()
        share = max(0.0, seconds - before) / max(now - at, 1e-3) / flavor.cores
        before, at = seconds, now
        sample = {
            "cpu_usage_pct": round(100 * share),
            "cpu_millicores": flavor.cores * 1000,
            "memory_used_bytes": resident,
            "memory_total_bytes": flavor.memory_bytes,
            "rx_bps": 0,
            "tx_bps": 0,
            "gpus": {},
            "replica": "local",
        }
        yield _event(json.dumps(sample), "metric")


def _stream(events: AsyncIterator[str]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _logs(request: Request) -> Response:
    hub = request.app.state.hub
    row = await run_in_threadpool(_named, hub, request, False)
    tail = integer(request, "tail", 0, 0, 10_000_000) if "tail" in request.query_params else None
    return _stream(log_events(hub, row, tail))


async def _metrics(request: Request) -> Response:
    hub = request.app.state.hub
    row = await run_in_threadpool(_named, hub, request, False)
    if row["stage"] in runner.TERMINAL:
        raise HubError(406, "The job has finished: it has no live metrics")
    return _stream(_metric_events(hub, row))


def start(hub: Hub) -> None:
    runner.recover(hub)


def stop(hub: Hub) -> None:
    runner.of(hub).end_all("The local Hub was stopped while the job was running")


def routes(hub: Hub) -> list[BaseRoute]:
    job = "/api/jobs/{namespace}/{job}"
    return [
        endpoint("/api/jobs/hardware", _hardware),
        endpoint("/api/jobs/{namespace}", _run, "POST"),
        endpoint("/api/jobs/{namespace}", _list),
        endpoint(job, _inspect),
        endpoint(job, _delete, "DELETE"),
        endpoint(f"{job}/cancel", _cancel, "POST"),
        endpoint(f"{job}/duplicate", _duplicate, "POST"),
        endpoint(f"{job}/labels", _labels, "PUT"),
        endpoint(f"{job}/expose", _expose, "PUT"),
        Route(f"{job}/logs", _logs),
        Route(f"{job}/metrics", _metrics),
        endpoint("/api/local/credit/{namespace}", _set_credit, "PUT"),
    ]
