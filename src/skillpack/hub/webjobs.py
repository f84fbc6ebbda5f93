"""Web pages of jobs: the list, and one job with its stage, cost and live log."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from . import auth, joblog, jobs, pages, runner
from .auth import User
from .pages import Html, badge, html, join, link, section, table
from .session import answer, shown, viewer
from .state import isoformat

if TYPE_CHECKING:
    from .state import Hub

SHOWN_JOBS = 50
SHOWN_LINES = 2000


def _seconds(count: float | None) -> str:
    if count is None:
        return "–"
    minutes, seconds = divmod(int(count), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"


def _usd(micro: int) -> str:
    return f"${micro / 1_000_000:.4f}"


def _state(row: sqlite3.Row) -> dict[str, Any]:
    now = time.time()
    running = (row["finished_at"] or now) - row["started_at"] if row["started_at"] else None
    spec = json.loads(row["spec"])
    return {
        "stage": row["stage"],
        "message": row["message"] or "",
        "running": _seconds(running),
        "cost": _usd(jobs.cost_micro_usd(row, now)),
        "attempt": f"{max(1, row['attempt'])} of {spec['attempts']}",
        "ended": row["stage"] in runner.TERMINAL,
    }


def listed(hub: Hub, user: User) -> tuple[Html, bool]:
    names = [user.name, *user.organizations]
    marks = ", ".join("?" * len(names))
    rows = hub.db.query(
        f"SELECT * FROM jobs WHERE owner IN ({marks}) AND stage != 'DELETED' ORDER BY number DESC LIMIT {SHOWN_JOBS}",
        names,
    )
    cells = []
    for row in rows:
        spec, state = json.loads(row["spec"]), _state(row)
        name = spec["labels"].get("name") or row["id"]
        where = f"/jobs/{quote(row['owner'])}/{row['id']}"
        when = isoformat(row["created_at"])[:16].replace("T", " ")
        cells.append(
            (
                link(where, name),
                badge(row["stage"]),
                spec["flavor"],
                state["running"],
                state["cost"],
                row["owner"],
                when,
            )
        )
    balance = " · ".join(f"{name} has {_usd(jobs.balance_micro_usd(hub, name))} left" for name in names)
    headings = ("Job", "Stage", "Flavor", "Running", "Cost there would be", "Owner", "Created (UTC)")
    active = any(row["stage"] not in runner.TERMINAL for row in rows)
    return section("Jobs", table(headings, cells, "No job yet: hf jobs run python:3.12 python -V"), balance), active


def _job_row(hub: Hub, request: Request) -> tuple[User, sqlite3.Row]:
    viewer(hub, request)
    namespace = request.path_params["namespace"]
    user = auth.require(request, namespace, write=False)
    return user, jobs.find(hub, namespace, request.path_params["job"])


def _line(record: str) -> str:
    return str(json.loads(record)["data"]) + "\n"


def _job(hub: Hub, request: Request) -> Response:
    user, row = _job_row(hub, request)
    spec, state = json.loads(row["spec"]), _state(row)
    lines, offset = joblog.tail(runner.log_path(hub, row["id"]), SHOWN_LINES)
    about = {
        "Environment": [f"{name}={value}" for name, value in spec["environment"].items()],
        "Secrets (names only)": list(spec["secrets"]),
        "Volumes": [
            f"{v['type']} {v['source']}{'/' + v['path'] if 'path' in v else ''} at {v['mountPath']}"
            + (" (read-only)" if v["readOnly"] else "")
            for v in spec["volumes"]
        ],
        "Labels": [f"{name}={value}" for name, value in spec["labels"].items()],
    }
    details = join(
        html("<h2>{title}</h2><pre>{text}</pre>", title=title, text="\n".join(values))
        for title, values in about.items()
        if values
    )
    initiator = json.loads(row["initiator"])
    body = html(
        pages.JOB,
        owner=row["owner"],
        id=row["id"],
        name=spec["labels"].get("name") or row["id"],
        badge=badge(row["stage"]),
        message=state["message"],
        flavor=spec["flavor"],
        running=state["running"],
        cost=state["cost"],
        attempt=state["attempt"],
        created=isoformat(row["created_at"])[:19].replace("T", " ") + " UTC",
        initiator=f"{initiator['type']} {initiator.get('name') or initiator['id']}",
        timeout=_seconds(spec["timeoutSeconds"]),
        image=spec["dockerImage"] or f"Space {spec['spaceId']}",
        command="\n".join([*spec["command"], *spec["arguments"]]),
        details=details,
        live="ended" if state["ended"] else "live",
        events="" if state["ended"] else f"/jobs/{quote(row['owner'])}/{row['id']}/events?from={offset}",
        log="".join(map(_line, lines)),
    )
    return answer(f"Job {row['id']}", body, user, script=not state["ended"])


async def _job_events(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    _, row = await run_in_threadpool(_job_row, hub, request)
    text = request.query_params.get("from", "0")
    first = int(text) if text.isdigit() else 0

    async def events() -> AsyncIterator[str]:
        offset, last = first, ""
        while True:
            current = await run_in_threadpool(jobs.find, hub, row["owner"], row["id"])
            lines, offset = await run_in_threadpool(joblog.read_from, runner.log_path(hub, row["id"]), offset)
            for line in lines:
                yield f"id: {offset}\ndata: {line}\n\n"
            state = _state(current)
            state["ended"] = state["ended"] and not lines
            if (shown := json.dumps(state)) != last:
                yield f"event: state\ndata: {shown}\n\n"
                last = shown
            if state["ended"]:
                return
            await asyncio.sleep(0.0 if lines else 0.3)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def routes(hub: Hub) -> list[BaseRoute]:
    return [shown("/jobs/{namespace}/{job}", _job), Route("/jobs/{namespace}/{job}/events", _job_events)]
