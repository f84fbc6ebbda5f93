"""Git LFS over HTTP: the batch call, uploads in one part or several, verification."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from . import auth, content, repos, xet
from .errors import HubError, bad_request
from .http import endpoint, field, receive
from .store import CHUNK

if TYPE_CHECKING:
    from .state import Hub

MULTIPART_BYTES = 512 << 20  # files larger than this come in parts
PART_BYTES = 64 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def size_of(hub: Hub, sha256: str) -> int | None:
    """The size of uploaded content, however it came; None when it did not. Xet content is proved first."""
    if not _SHA256.fullmatch(sha256):
        raise bad_request("An LFS object is named by its SHA-256")
    found = content.locate(hub, sha256)
    return found.size if found is not None else xet.prove_sha256(hub, sha256)


def _batch(hub: Hub, request: Request, body: Any) -> Any:
    operation = field(body, "operation", str)
    repo = repos.of(hub, request, gate=operation == "download")
    user = auth.signed_in(request) if operation == "upload" else None
    if user is not None and not user.may(repo.namespace, write=True):
        # a pull request may be opened by anyone who can write somewhere
        auth.require(request, user.name)
    objects = []
    for each in field(body, "objects", list):
        oid, size = field(each, "oid", str), field(each, "size", int)
        actual = size_of(hub, oid)
        item: dict[str, Any] = {"oid": oid, "size": size}
        if operation == "download":
            if actual is None:
                item["error"] = {"code": 404, "message": "Object does not exist"}
            else:
                token = auth.sign(hub, {"for": "lfs-get", "oid": oid})
                item["actions"] = {"download": {"href": f"{hub.url}/lfs/{oid}?token={token}"}}
        elif actual is None:
            item["authenticated"] = True
            item["actions"] = _upload_actions(hub, oid, size)
        objects.append(item)
    return JSONResponse(
        {"transfer": "basic", "objects": objects}, headers={"Content-Type": "application/vnd.git-lfs+json"}
    )


def _upload_actions(hub: Hub, oid: str, size: int) -> dict[str, Any]:
    def link(purpose: str, **claims: object) -> str:
        token = auth.sign(hub, {"for": purpose, "oid": oid, "size": size, **claims})
        return f"{hub.url}/lfs/{oid}/{purpose.removeprefix('lfs-')}?token={token}"

    verify = {"href": link("lfs-verify")}
    if size <= MULTIPART_BYTES:
        return {"upload": {"href": link("lfs-put")}, "verify": verify}
    count = -(-size // PART_BYTES)
    parts = {str(number): link("lfs-part", part=number) for number in range(1, count + 1)}
    header = {"chunk_size": str(PART_BYTES), **parts}
    return {"upload": {"href": link("lfs-complete", parts=count), "header": header}, "verify": verify}


def _claims(request: Request, purpose: str) -> dict[str, Any]:
    claims = auth.verify(request.app.state.hub, request.query_params.get("token", ""), purpose)
    if claims["oid"] != request.path_params["oid"]:
        raise HubError(403, "The link is for another object")
    return claims


async def _put(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    claims = _claims(request, "lfs-put")
    writer = hub.store.writer()
    try:
        await receive(request, writer.write, claims["size"])
        if (writer.sha256, writer.size) != (claims["oid"], claims["size"]):
            raise bad_request(f"The body has SHA-256 {writer.sha256} and {writer.size} bytes, not what was announced")
        await run_in_threadpool(writer.commit)
    finally:
        await run_in_threadpool(writer.abort)
    return Response(status_code=200, headers={"ETag": f'"{claims["oid"]}"'})


def _assembly(hub: Hub, oid: str) -> Path:
    """Where the parts of an object are put together, each at its place."""
    return hub.store.temporary / f"parts-{oid}"


async def _put_part(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    claims = _claims(request, "lfs-part")
    start = PART_BYTES * (claims["part"] - 1)
    expected = min(PART_BYTES, claims["size"] - start)
    path = _assembly(hub, claims["oid"])
    path.touch()
    with path.open("r+b") as file:
        file.seek(start)
        await receive(request, file.write, expected)
        received = file.tell() - start
    if received != expected:
        raise bad_request(f"Part {claims['part']} has {received} bytes, not {expected}")
    return Response(status_code=200, headers={"ETag": f'"{claims["oid"][:16]}-{claims["part"]}"'})


def _complete(hub: Hub, request: Request, body: Any) -> Any:
    claims = _claims(request, "lfs-complete")
    if content.locate(hub, claims["oid"]) is None:
        path = _assembly(hub, claims["oid"])
        if not path.is_file():
            raise bad_request("No part was uploaded")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
            if digest.hexdigest() != claims["oid"]:
                raise bad_request(f"The parts have SHA-256 {digest.hexdigest()}, not {claims['oid']}")
            os.fsync(file.fileno())
        hub.store.adopt(path, claims["oid"])
    return {"oid": claims["oid"], "size": claims["size"]}


def _verify(hub: Hub, request: Request, body: Any) -> Any:
    claims = _claims(request, "lfs-verify")
    found = content.locate(hub, claims["oid"])
    if found is None or found.size != field(body, "size", int):
        raise HubError(404, "The object was not uploaded, or has another size")
    return {}


def _get(hub: Hub, request: Request, body: Any) -> Response:
    from .resolve import send

    claims = _claims(request, "lfs-get")
    return send(request, content.get(hub, claims["oid"]), {})


def routes(hub: Hub) -> list[BaseRoute]:
    batch = "/{namespace}/{name}.git/info/lfs/objects/batch"
    return [
        endpoint("/{type:repotype}" + batch, _batch, "POST"),
        endpoint(batch, _batch, "POST"),
        Route("/lfs/{oid}/put", _put, methods=["PUT"]),
        Route("/lfs/{oid}/part", _put_part, methods=["PUT"]),
        endpoint("/lfs/{oid}/complete", _complete, "POST"),
        endpoint("/lfs/{oid}/verify", _verify, "POST"),
        endpoint("/lfs/{oid}", _get),
    ]
