"""Xet storage: the CAS API that hf_xet speaks (huggingface.co/docs/xet), and the tokens that lead to it.

Newer calls of the client (v2 shards, v2 reconstructions, upload grants, global deduplication) answer 404, upon
which it uses the ones below.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from . import auth, cas, content
from .cas import FileRecipe, Term, XorbIndex
from .errors import HubError, bad_request, forbidden, not_found, unauthorized
from .http import byte_range, endpoint, read_body, receive

if TYPE_CHECKING:
    from .state import Hub

TOKEN_SECONDS = 86400
PLAIN_CHUNK = 64 << 10  # content that did not come through Xet goes out in chunks of this size,
PLAIN_CHUNKS_PER_XORB = 1024  # this many to a xorb
_PLAIN_STRIDE = PLAIN_CHUNK + 8


def cas_url(hub: Hub) -> str:
    """It names this Hub, so that a client's cache of what it uploaded is not taken for another Hub's."""
    return f"{hub.url}/cas/{hub.id}"


def token_response(hub: Hub, write: bool) -> Response:
    """Where hf_xet reads and writes, and the token it needs there; the caller has checked the right to it."""
    token = auth.sign(hub, {"for": "xet", "write": write}, TOKEN_SECONDS)
    expires = int(time.time()) + TOKEN_SECONDS
    return JSONResponse(
        {"casUrl": cas_url(hub), "accessToken": token, "exp": expires},
        headers={
            "X-Xet-Cas-Url": cas_url(hub),
            "X-Xet-Access-Token": token,
            "X-Xet-Token-Expiration": str(expires),
        },
    )


def _authorize(hub: Hub, request: Request, write: bool) -> None:
    token: str | None = getattr(request.state, "xet_token", None)
    if token is None:
        raise unauthorized("A Xet access token is needed")
    if write and not auth.verify(hub, token, "xet")["write"]:
        raise forbidden("This Xet token reads only")
    auth.verify(hub, token, "xet")


async def _put_xorb(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    _authorize(hub, request, write=True)
    name = request.path_params["hash"]
    if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
        raise bad_request("A xorb is named by 64 hexadecimal digits")
    if await run_in_threadpool(hub.db.one, "SELECT 1 FROM xorbs WHERE hash = ?", (name,)):
        await receive(request, lambda chunk: None, cas.MAX_XORB_BYTES)
        return JSONResponse({"was_inserted": False})
    writer = hub.xorbs.writer()
    try:
        await receive(request, writer.write, cas.MAX_XORB_BYTES)
        await run_in_threadpool(_keep_xorb, hub, name, writer)
    finally:
        await run_in_threadpool(writer.abort)
    return JSONResponse({"was_inserted": True})


def _keep_xorb(hub: Hub, name: str, writer: Any) -> None:
    writer.sync()
    with writer.temporary.open("rb") as file:
        index = XorbIndex.scan(file, writer.size)
    hub.xorbs.adopt(writer.temporary, name)
    with hub.db.tx() as c:
        c.execute(
            "INSERT OR IGNORE INTO xorbs VALUES (?, ?, ?, ?)",
            (name, writer.size, writer.sha256, index.to_bytes()),
        )


async def _put_shard(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    _authorize(hub, request, write=True)
    data = await read_body(request, cas.MAX_SHARD_BYTES)
    await run_in_threadpool(_keep_shard, hub, data)
    return JSONResponse({"result": 1})


def _keep_shard(hub: Hub, data: bytes) -> None:
    recipes = cas.parse_shard(data)
    for recipe in recipes:
        _check_terms(hub, recipe)
    with hub.db.tx() as c:
        c.executemany(
            "INSERT INTO xet_files (hash, sha256, size, terms) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (hash) DO UPDATE SET sha256 = coalesce(sha256, excluded.sha256)",
            [(r.xet_hash, r.sha256, r.size, json.dumps([astuple(term) for term in r.terms])) for r in recipes],
        )


def _check_terms(hub: Hub, recipe: FileRecipe) -> None:
    for term in recipe.terms:
        try:
            index = content.xorb_index(hub, term.xorb)
        except LookupError as error:
            raise bad_request(f"The shard names a xorb that was not uploaded: {term.xorb}") from error
        if term.stop > len(index) or sum(index.lengths[term.start : term.stop]) != term.length:
            raise bad_request("A term of the shard does not fit its xorb")


def prove(hub: Hub, xet_hash: str) -> tuple[str, int] | None:
    """(sha256, size) of a file in Xet storage, read through once; None when it is not there.

    409 when its bytes are not what the client said.
    """
    if xet_hash == cas.EMPTY_FILE:
        return cas.EMPTY_SHA256, 0
    row = hub.db.one("SELECT * FROM xet_files WHERE hash = ?", (xet_hash,))
    if row is None:
        found = content.locate(hub, xet_hash)  # content that is named by its SHA-256
        return (xet_hash, found.size) if found is not None else None
    if row["proved"]:
        return row["sha256"], row["size"]
    digest = hashlib.sha256()
    for chunk in content.XetContent(hub, content.xet_terms(row), row["size"]).chunks(0, row["size"]):
        digest.update(chunk)
    if row["sha256"] not in (None, digest.hexdigest()):
        raise HubError(409, f"The uploaded file has SHA-256 {digest.hexdigest()}, not {row['sha256']}")
    with hub.db.tx() as c:
        c.execute("UPDATE xet_files SET sha256 = ?, proved = 1 WHERE hash = ?", (digest.hexdigest(), xet_hash))
    return digest.hexdigest(), row["size"]


def prove_sha256(hub: Hub, sha256: str) -> int | None:
    """The size of content that a client says it uploaded through Xet as `sha256`; None when it did not."""
    for row in hub.db.query("SELECT hash FROM xet_files WHERE sha256 = ?", (sha256,)):
        proved = prove(hub, row["hash"])
        if proved is not None:
            return proved[1]
    return None


def _plain_terms(name: str, size: int) -> list[Term]:
    terms = []
    step = PLAIN_CHUNK * PLAIN_CHUNKS_PER_XORB
    for number, start in enumerate(range(0, size, step)):
        length = min(step, size - start)
        terms.append(Term(f"{name}:{number}", 0, -(-length // PLAIN_CHUNK), length))
    return terms


def _lengths(hub: Hub, term: Term, plain: bool) -> list[int]:
    if plain:
        full, rest = divmod(term.length, PLAIN_CHUNK)
        return [PLAIN_CHUNK] * full + ([rest] if rest else [])
    return list(content.xorb_index(hub, term.xorb).lengths[term.start : term.stop])


def _on_disk(hub: Hub, xorb: str, start: int, stop: int, lengths: list[int], plain: bool) -> tuple[int, int]:
    if plain:
        return start * _PLAIN_STRIDE, start * _PLAIN_STRIDE + sum(lengths) + 8 * len(lengths)
    index = content.xorb_index(hub, xorb)
    return index.starts[start], index.starts[stop]


def _xorb_name(term: str) -> str:
    """What the client calls a xorb: its hash, or for content that is no xorb a made-up one."""
    return hashlib.sha256(term.encode()).hexdigest() if ":" in term else term


def _reconstruction(hub: Hub, request: Request, body: Any) -> Response:
    _authorize(hub, request, write=False)
    name = request.path_params["hash"]
    row = hub.db.one("SELECT * FROM xet_files WHERE hash = ?", (name,))
    plain = row is None
    if row is not None:
        terms, size = content.xet_terms(row), row["size"]
    else:
        found = content.locate(hub, name)
        if found is None:
            raise not_found("No such file in Xet storage")
        terms, size = _plain_terms(name, found.size), found.size
    start, stop = byte_range(request, size) or (0, size)
    kept: list[tuple[Term, list[int]]] = []  # the chunks that hold [start, stop), and their lengths
    offset = at = 0
    for term in terms:
        if at >= stop:
            break
        lengths = _lengths(hub, term, plain)
        inside: list[int] = []
        for chunk, length in enumerate(lengths, term.start):
            if at + length > start and at < stop:
                if not kept and not inside:
                    offset = start - at
                inside.append(chunk)
            at += length
        if inside:
            part = lengths[inside[0] - term.start : inside[-1] + 1 - term.start]
            kept.append((Term(term.xorb, inside[0], inside[-1] + 1, sum(part)), part))
    return JSONResponse(
        {
            "offset_into_first_range": offset,
            "terms": [
                {
                    "hash": _xorb_name(term.xorb),
                    "unpacked_length": term.length,
                    "range": {"start": term.start, "end": term.stop},
                }
                for term, _ in kept
            ],
            "fetch_info": _fetch_info(hub, kept, plain),
        }
    )


def _fetch_info(hub: Hub, kept: list[tuple[Term, list[int]]], plain: bool) -> dict[str, list[dict[str, Any]]]:
    """Where the chunks of each xorb are fetched. The client needs ranges of a xorb not to overlap."""
    ranges: dict[str, list[list[int]]] = {}
    lengths: dict[str, list[int]] = {}
    for term, part in sorted(kept, key=lambda item: (item[0].xorb, item[0].start)):
        found = ranges.setdefault(term.xorb, [])
        if found and term.start < found[-1][1]:
            found[-1][1] = max(found[-1][1], term.stop)
        else:
            found.append([term.start, term.stop])
        lengths[term.xorb] = part  # plain content has one term a xorb
    answer: dict[str, list[dict[str, Any]]] = {}
    for xorb, found in ranges.items():
        url = f"{cas_url(hub)}/fetch?token={auth.sign(hub, {'for': 'fetch', 'xorb': xorb})}"
        for first, last in found:
            low, high = _on_disk(hub, xorb, first, last, lengths[xorb], plain)
            answer.setdefault(_xorb_name(xorb), []).append(
                {"range": {"start": first, "end": last}, "url": url, "url_range": {"start": low, "end": high - 1}}
            )
    return answer


def _plain_bytes(source: content.Content, number: int, start: int, stop: int) -> Iterator[bytes]:
    """Bytes [start, stop) of the xorb that part `number` of plain content would be."""
    base = number * PLAIN_CHUNK * PLAIN_CHUNKS_PER_XORB
    for chunk in range(start // _PLAIN_STRIDE, -(-stop // _PLAIN_STRIDE)):
        low = base + chunk * PLAIN_CHUNK
        data = b"".join(source.chunks(low, min(source.size, low + PLAIN_CHUNK)))
        length = len(data).to_bytes(3, "little")
        packed = b"\x00" + length + b"\x00" + length + data
        at = chunk * _PLAIN_STRIDE
        yield packed[max(0, start - at) : stop - at]


def _fetch(hub: Hub, request: Request, body: Any) -> Response:
    xorb = auth.verify(hub, request.query_params.get("token", ""), "fetch")["xorb"]
    if ":" in xorb:
        name, number = xorb.split(":")
        source = content.get(hub, name)
        base = int(number) * PLAIN_CHUNK * PLAIN_CHUNKS_PER_XORB
        length = min(PLAIN_CHUNK * PLAIN_CHUNKS_PER_XORB, source.size - base)
        size = length + 8 * -(-length // PLAIN_CHUNK)
        start, stop = byte_range(request, size) or (0, size)
        chunks = content.joined(_plain_bytes(source, int(number), start, stop))
    else:
        size = hub.xorbs.size(xorb)
        start, stop = byte_range(request, size) or (0, size)
        chunks = hub.xorbs.chunks(xorb, start, stop)
    headers = {"Content-Length": str(stop - start), "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return StreamingResponse(chunks, 206 if "range" in request.headers else 200, headers, "application/octet-stream")


async def _not_served(request: Request) -> Response:
    raise not_found("The local Hub does not serve this call; clients use an older one")


def _telemetry(hub: Hub, request: Request, body: Any) -> Any:
    return {}


def routes(hub: Hub) -> list[BaseRoute]:
    return [
        Route("/cas/{hub}/v1/xorbs/{prefix}/{hash}", _put_xorb, methods=["POST"]),
        Route("/cas/{hub}/v1/shards", _put_shard, methods=["POST"]),
        endpoint("/cas/{hub}/v1/reconstructions/{hash}", _reconstruction),
        endpoint("/cas/{hub}/fetch", _fetch),
        Route("/cas/{path:file}", _not_served, methods=["GET", "POST", "PUT"]),
        endpoint("/v1/telemetry", _telemetry, "POST"),
    ]
