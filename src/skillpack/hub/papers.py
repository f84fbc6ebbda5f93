"""Papers: index, read, search, links, authorship, daily papers.

Metadata of a paper comes from the request that indexes it, or from a file placed at `arxiv/<id>.json` under the
Hub's root; nothing is fetched. Those files are served as arXiv's own API serves its papers, too, below `/api/arxiv`. A
claim of authorship is confirmed at once: there is no one to review it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from . import auth, info, repos
from .errors import HubError, bad_request, forbidden, not_found
from .http import endpoint, field, integer
from .jobs import namespace_id
from .state import isoformat

if TYPE_CHECKING:
    from .state import Hub

SCHEMA = """
CREATE TABLE IF NOT EXISTS papers (
    id TEXT PRIMARY KEY, indexed_by TEXT NOT NULL, indexed_at REAL NOT NULL, data TEXT NOT NULL);
"""

ARXIV_ID = re.compile(r"\d{4}\.\d{4,5}")
GITHUB = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+/?")
MAX_TEXT = 20_000


def _paper_id(text: str) -> str:
    if not ARXIV_ID.fullmatch(text):
        raise bad_request(f"{text!r} is not an arXiv id such as 2301.00001 (without a version)")
    return text


def find(hub: Hub, paper_id: str) -> dict[str, Any]:
    row = hub.db.one("SELECT data FROM papers WHERE id = ?", (paper_id,))
    if row is None:
        raise not_found(f"Paper {paper_id!r} is not indexed")
    data: dict[str, Any] = json.loads(row["data"])
    return data


def _save(hub: Hub, paper: dict[str, Any]) -> None:
    with hub.db.tx() as c:
        c.execute("UPDATE papers SET data = ? WHERE id = ?", (json.dumps(paper), paper["id"]))


def _user_json(name: str) -> dict[str, Any]:
    return {"_id": namespace_id(name), "user": name, "fullname": name, "type": "user", "avatarUrl": ""}


def _text(source: dict[str, Any], name: str) -> str:
    value = source.get(name)
    return " ".join(value.split())[:MAX_TEXT] if isinstance(value, str) else ""


def _metadata(hub: Hub, paper_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Title, summary, authors and date, as posted or as recorded; 404 when neither is there."""
    source = body
    if not _text(body, "title"):
        recorded = hub.root / "arxiv" / f"{paper_id}.json"
        try:
            paper, category = _metadata(hub, paper_id, {}), json.loads(recorded.read_text("utf-8")).get("category")
    lines = [f"<author><name>{escape(author['name'])}</name></author>" for author in paper["authors"]]
    if category:
        lines.append(f'<arxiv:primary_category xmlns:arxiv="http://arxiv.org/schemas/atom" term="{escape(category)}"/>')
    about = f"<title>{escape(paper['title'])}</title><summary>{escape(paper['summary'])}</summary>"
    when = f"<published>{paper['publishedAt']}</published>"
    entry = f"<id>http://arxiv.org/abs/{paper_id}v1</id>{about}{when}{''.join(lines)}"
    return _atom(asked, [f"  <entry>{entry}</entry>\n"])


def _atom(asked: str, entries: list[str]) -> Response:
    text = ATOM.format(id=escape(asked), count=len(entries), entries="".join(entries))
    return Response(text, media_type="application/atom+xml; charset=utf-8")


def routes(hub: Hub) -> list[BaseRoute]:
    return [
        endpoint("/api/papers/index", _index, "POST"),
        endpoint("/api/papers/search", _search),
        endpoint("/api/papers/{paper}", _one),
        endpoint("/api/papers/{paper}/links", _links, "POST"),
        endpoint("/api/settings/papers/claim", _claim, "POST"),
        endpoint("/api/daily_papers", _daily),
        endpoint("/papers/{paper:rev}.md", _markdown),
        endpoint("/api/arxiv/api/query", _arxiv),
    ]
