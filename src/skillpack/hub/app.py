"""The ASGI application: one router over the routes of every module, and what each request passes first."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import auth
from .errors import HubError, bad_request, is_disk_full
from .http import SLASH
from .state import MODULES, Hub, module

log = logging.getLogger("skillpack.hub")


def failure(error: HubError) -> Response:
    headers = {"X-Error-Message": error.message.encode("ascii", "replace").decode().replace("\n", " ")}
    if error.error_code:
        headers["X-Error-Code"] = error.error_code
    headers.update(error.headers)
    return JSONResponse({"error": error.message, **error.extra}, status_code=error.status, headers=headers)


def as_hub_error(error: Exception) -> HubError | None:
    """What a failure means to the client; None for a defect of ours."""
    if isinstance(error, HubError):
        return error
    if isinstance(error, HTTPException):
        return HubError(error.status_code, error.detail)
    if is_disk_full(error):
        return HubError(507, "No space left on the disk of the local Hub; nothing was changed")
    return None


def safe_path(raw: bytes) -> str:
    """The decoded path, with %2F kept apart from /; 400 for what could climb out of a repo."""
    segments = []
    for segment in raw.decode("ascii", "replace").split("/"):
        text = unquote(segment, errors="replace")
        if any(ord(character) < 32 for character in text) or "\\" in text:
            raise bad_request("Path holds a control character or a backslash")
        if any(part in (".", "..") for part in text.split("/")):
            raise bad_request("Path climbs out of its folder")
        segments.append(text.replace("/", SLASH))
    return "/".join(segments)


class Gate:
    """Decode the path, find the user, turn failures into answers."""

    def __init__(self, app: ASGIApp, hub: Hub):
        self.app = app
        self.hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = f"local-{secrets.token_hex(8)}"
        started = False

        async def tagged_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                # Not uvicorn's own Date, which lags by a second: the client drops log lines that are later than it.
                date = formatdate(usegmt=True).encode()
                stamp = [(b"date", date), (b"x-request-id", request_id.encode())]
                message["headers"] = [*message["headers"], *stamp]
            await send(message)

        try:
            raw_path = scope.get("raw_path") or scope["path"].encode()
            scope["path"] = safe_path(raw_path.split(b"?")[0])
            connection = HTTPConnection(scope)
            self.hub.limit.check(connection.headers.get("authorization", ""))
            if "authorization" in connection.headers:
                state = scope.setdefault("state", {})
                if scope["path"].startswith(("/cas/", "/v1/telemetry")):
                    state["xet_token"] = connection.headers["authorization"].partition(" ")[2]
                else:
                    state["user"] = await run_in_threadpool(auth.authenticate, self.hub, connection)
            await self.app(scope, receive, tagged_send)
        except ClientDisconnect:
            log.info("client left: %s %s", scope["method"], scope["path"])
        except Exception as error:
            refusal = as_hub_error(error)
            if refusal is None:
                log.exception("%s %s (%s)", scope["method"], scope["path"], request_id)
                refusal = HubError(500, f"Internal error of the local Hub ({request_id})")
            if not started:
                await failure(refusal)(scope, receive, tagged_send)


async def _answer_failure(request: Request, error: Exception) -> Response:
    refusal = as_hub_error(error)
    if refusal is None:  # a defect of ours: Gate logs it
        refusal = HubError(500, "Internal error of the local Hub; its log says more")
    log.info("refused %s %s: %s %s", request.method, request.url.path, refusal.status, refusal.message)
    return failure(refusal)


def build(hub: Hub) -> Gate:
    """The application for one Hub."""
    modules = [module(name) for name in MODULES]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        for each in modules:
            if hasattr(each, "start"):
                await run_in_threadpool(each.start, hub)
        yield
        for each in reversed(modules):
            if hasattr(each, "stop"):
                await run_in_threadpool(each.stop, hub)

    app = Starlette(
        routes=[route for each in modules for route in each.routes(hub)],
        lifespan=lifespan,
        exception_handlers={HTTPException: _answer_failure, HubError: _answer_failure, Exception: _answer_failure},
    )
    app.state.hub = hub
    app.router.redirect_slashes = False
    return Gate(app, hub)
