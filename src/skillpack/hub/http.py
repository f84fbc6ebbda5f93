"""Between Starlette and handlers: JSON bodies with limits, answers, failures, pages of a list."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .errors import HubError, bad_request

if TYPE_CHECKING:
    from .state import Hub

MAX_JSON_BYTES = 32 << 20
MAX_JSON_DEPTH = 64
SLASH = "\x1f"  # stands for %2F between the server's parsing and the handler's parameters


class _OneSegment(Convertor[str]):
    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value.replace(SLASH, "/")

    def to_string(self, value: str) -> str:
        return value.replace("/", SLASH)


class _Rest(_OneSegment):
    regex = ".*"


class _RepoType(_OneSegment):
    regex = "models|datasets|spaces"


class _SpaceLog(_OneSegment):
    regex = "build|run"


class _SpaceSetting(_OneSegment):
    regex = "secrets|variables"


register_url_convertor("spacesetting", _SpaceSetting())
register_url_convertor("spacelog", _SpaceLog())
register_url_convertor("repotype", _RepoType())
register_url_convertor("rev", _OneSegment())
register_url_convertor("file", _Rest())

Handler = Callable[["Hub", Request, Any], Any]


def parse_json(data: bytes) -> Any:
    """JSON with a cap on nesting, so that no answer depends on the interpreter's recursion limit."""
    depth = deepest = 0
    in_string = escaped = False
    if data.count(b"[") + data.count(b"{") > MAX_JSON_DEPTH:
        for byte in data:
            if in_string:
                if escaped:
                    escaped = False
                elif byte == 0x5C:
                    escaped = True
                elif byte == 0x22:
                    in_string = False
            elif byte == 0x22:
                in_string = True
            elif byte in b"[{":
                depth += 1
                deepest = max(deepest, depth)
                if deepest > MAX_JSON_DEPTH:
                    raise bad_request(f"JSON is nested deeper than {MAX_JSON_DEPTH} levels")
            elif byte in b"]}":
                depth -= 1
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"Body is not valid JSON: {error}") from error


async def read_body(request: Request, limit: int = MAX_JSON_BYTES) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise HubError(413, f"Body is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def endpoint(path: str, handler: Handler, *methods: str) -> Route:
    """A route whose handler runs in a worker thread, with the JSON body parsed."""

    async def call(request: Request) -> Response:
        body: Any = {}
        if request.method in ("POST", "PUT", "PATCH", "DELETE"):
            data = await read_body(request)
            if data:
                body = await run_in_threadpool(parse_json, data)
        answer = await run_in_threadpool(handler, request.app.state.hub, request, body)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    call.__wrapped__ = handler  # type: ignore[attr-defined]  # what openapi reads
    return Route(path, call, methods=list(methods) or ["GET"])


async def receive(request: Request, write: Callable[[bytes], Any], limit: int | None = None) -> None:
    """Stream the body to `write`, a MiB at a time, in a worker thread."""
    pending: list[bytes] = []
    held = total = 0
    async for chunk in request.stream():
        pending.append(chunk)
        held += len(chunk)
        total += len(chunk)
        if limit is not None and total > limit:
            raise HubError(413, f"Body is larger than {limit} bytes")
        if held >= 1 << 20:
            await run_in_threadpool(write, b"".join(pending))
            pending, held = [], 0
    if pending:
        await run_in_threadpool(write, b"".join(pending))


def byte_range(request: Request, size: int) -> tuple[int, int] | None:
    """[start, stop) of a single Range; None when there is none; 416 when it lies outside."""
    header = request.headers.get("range")
    if header is None:
        return None
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if match is None or match.groups() == ("", ""):
        return None  # several ranges, or another unit: RFC 9110 lets us send the whole
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= size or stop <= start:
        raise HubError(416, "Range not satisfiable", headers={"Content-Range": f"bytes */{size}"})
    return start, stop


def field(body: Any, name: str, kind: type, default: Any = ...) -> Any:
    """`body[name]`, checked to be a `kind`; 400 when it is missing without a default or is another type."""
    if not isinstance(body, dict):
        raise bad_request("Body must be a JSON object")
    value = body.get(name)
    if value is None:
        if default is ...:
            raise bad_request(f"Missing field {name!r}")
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise bad_request(f"Field {name!r} must be {kind.__name__}")
    return value


def integer(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number of the query string, clamped to [low, high]."""
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        return max(low, min(high, int(text)))
    except ValueError as error:
        raise bad_request(f"Query parameter {name!r} must be a whole number") from error


def flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1", "yes")


def page(
    hub: Hub,
    request: Request,
    items: Sequence[Any],
    default: int = 100,
    maximum: int = 1000,
    limit: str = "limit",
) -> tuple[Sequence[Any], dict[str, str]]:
    """One page of a list, and the Link header that leads to the next."""
    size = integer(request, limit, default, 1, maximum)
    offset = integer(request, "cursor", 0, 0, 1 << 60)
    headers = {}
    if offset + size < len(items):
        query = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
        query.append(("cursor", str(offset + size)))
        raw_path = request.scope.get("raw_path", b"").decode("ascii")
        headers["Link"] = f'<{hub.url}{raw_path}?{urlencode(query)}>; rel="next"'
    return items[offset : offset + size], headers
