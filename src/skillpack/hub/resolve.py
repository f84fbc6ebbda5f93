"""Files over HTTP: HEAD and GET of `resolve`, with ranges and the headers that clients read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from . import content, repos, trees, xet
from .errors import HubError, entry_not_found
from .http import byte_range, endpoint

if TYPE_CHECKING:
    from .state import Hub


def send(request: Request, source: content.Content, headers: dict[str, str], media_type: str | None = None) -> Response:
    """The content, or the part of it that the Range header asks for; for HEAD the headers alone."""
    wanted = byte_range(request, source.size)
    start, stop = wanted or (0, source.size)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(stop - start), **headers}
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{source.size}"
    status = 206 if wanted is not None else 200
    media_type = media_type or "application/octet-stream"
    if request.method == "HEAD":
        return Response(None, status, headers, media_type)
    return StreamingResponse(source.chunks(start, stop), status, headers, media_type)


def disposition(path: str) -> str:
    name = path.rpartition("/")[2]
    return f"inline; filename*=UTF-8''{quote(name)}; filename=\"{quote(name)}\";"


def _resolve(hub: Hub, request: Request, body: Any) -> Response:
    repo = repos.of(hub, request, gate=True)
    revision, path = request.path_params["revision"], request.path_params["path"]
    oid = repos.commit_oid(hub, repo, revision)
    entry = trees.find(hub.db.connection(), repos.root_tree(hub, repo, oid), path)
    headers = {"X-Repo-Commit": oid}
    if entry is None or entry.kind != "file":
        missing = entry_not_found(path)
        raise HubError(404, missing.message, missing.error_code, headers)
    headers["ETag"] = f'"{entry.sha256 if entry.lfs else entry.oid}"'
    headers["Content-Disposition"] = disposition(path)
    if entry.lfs:
        headers["X-Linked-Size"] = str(entry.size)
        headers["X-Linked-Etag"] = f'"{entry.sha256}"'
        if entry.size:
            route = f"{hub.url}/api/{repo.type}s/{repo.full_name}/xet-read-token/{oid}"
            headers["X-Xet-Hash"] = content.xet_hash(hub, entry.sha256)
            headers["X-Xet-Refresh-Route"] = route
            headers["Link"] = f'<{route}>; rel="xet-auth"'
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(None, 304, headers)
    return send(request, content.get(hub, entry.sha256), headers)


def _xet_token(hub: Hub, request: Request, body: Any) -> Response:
    write = request.path_params["access"] == "write"
    if write:
        from .commits import writer

        writer(hub, request)
    else:
        repos.of(hub, request, gate=True)
    return xet.token_response(hub, write)


def routes(hub: Hub) -> list[BaseRoute]:
    found: list[BaseRoute] = []
    for prefix in ("/{type:repotype}/{namespace}/{name}", "/{namespace}/{name}"):
        for verb in ("resolve", "raw"):
            found.append(endpoint(prefix + f"/{verb}/{{revision:rev}}/{{path:file}}", _resolve, "GET", "HEAD"))
    found.append(endpoint(repos.REPO + "/xet-{access}-token/{revision:rev}", _xet_token))
    return found
