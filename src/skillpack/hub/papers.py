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
            source = json.loads(recorded.read_text("utf-8"))
        except FileNotFoundError as error:
            raise not_found(
                f"No metadata for arXiv {paper_id}: post title, summary and authors with it, or place"
                f" arxiv/{paper_id}.json under the root of the local Hub (it never asks arXiv)"
            ) from error
        except ValueError as error:
            raise bad_request(f"arxiv/{paper_id}.json is not valid JSON: {error}") from error
        if not isinstance(source, dict) or not _text(source, "title"):
            raise bad_request(f"arxiv/{paper_id}.json must be an object with a title")
    authors: list[dict[str, Any]] = []
    for author in source.get("authors") or []:
        name = _text(author if isinstance(author, dict) else {"name": author}, "name")
        if name:
            author_id = hashlib.sha1(f"{paper_id}/{len(authors)}/{name}".encode()).hexdigest()[:24]
            authors.append({"_id": author_id, "name": name, "hidden": False})
    published = source.get("publishedAt")
    try:
        when = datetime.fromisoformat(str(published).replace("Z", "+00:00")) if published else None
    except ValueError as error:
        raise bad_request(f"publishedAt {published!r} is not an ISO 8601 date") from error
    if when is not None and when.tzinfo is None:
        when = when.replace(tzinfo=timezone.utc)
    return {
        "title": _text(source, "title"),
        "summary": _text(source, "summary"),
        "authors": authors,
        "publishedAt": isoformat(when.timestamp() if when else time.time()),
    }


def _authors_names(paper: dict[str, Any]) -> list[str]:
    return [author["user"]["user"].lower() for author in paper["authors"] if "user" in author]


def _index(hub: Hub, request: Request, body: Any) -> Any:
    user = auth.signed_in(request)
    auth.require(request, user.name)
    paper_id = _paper_id(field(body, "arxivId", str))
    row = hub.db.one("SELECT data FROM papers WHERE id = ?", (paper_id,))
    fresh = _metadata(hub, paper_id, body)
    if row is not None:
        known = json.loads(row["data"])
        if user.name.lower() not in _authors_names(known):
            raise forbidden("The paper is already indexed: only its authors can index it again")
        claimed = {author["_id"]: author for author in known["authors"]}
        fresh["authors"] = [claimed.get(author["_id"], author) for author in fresh["authors"]]
        _save(hub, {**known, **fresh})
        return {}
    paper = {
        "id": paper_id,
        **fresh,
        "submittedOnDailyAt": hub.now(),
        "submittedOnDailyBy": _user_json(user.name),
        "upvotes": 0,
    }
    with hub.db.tx() as c:
        c.execute(
            "INSERT OR IGNORE INTO papers VALUES (?, ?, ?, ?)", (paper_id, user.name, time.time(), json.dumps(paper))
        )
    return {}


def _linked(hub: Hub, request: Request, paper_id: str, repo_type: str) -> list[dict[str, Any]]:
    """The repos whose card names the paper, among those that the request may see."""
    user = auth.user(request)
    found = []
    for repo in repos.every(hub, repo_type):
        if repos.visible(repo, user):
            oid = repos.commit_oid(hub, repo)
            if f"arxiv:{paper_id}" in info.metadata(hub, repo, oid)["tags"]:
                found.append(info.describe(hub, repo, oid, None))
    return found


def _one(hub: Hub, request: Request, body: Any) -> Any:
    paper = find(hub, request.path_params["paper"])
    for name, repo_type in (("Models", "model"), ("Datasets", "dataset"), ("Spaces", "space")):
        found = _linked(hub, request, paper["id"], repo_type)
        paper[f"linked{name}"] = found
        paper[f"numTotal{name}"] = len(found)
    return paper


def _summary(paper: dict[str, Any]) -> dict[str, Any]:
    """A paper as lists have it: the paper itself, and what the list shows beside it."""
    inner = {key: value for key, value in paper.items() if key != "submittedOnDailyBy"}
    return {
        "paper": inner,
        "publishedAt": paper["publishedAt"],
        "title": paper["title"],
        "summary": paper["summary"],
        "numComments": 0,
        "submittedBy": paper["submittedOnDailyBy"],
    }


def every(hub: Hub) -> list[dict[str, Any]]:
    """All papers, the last indexed first."""
    return [json.loads(row["data"]) for row in hub.db.query("SELECT data FROM papers ORDER BY indexed_at DESC")]


def _search(hub: Hub, request: Request, body: Any) -> Any:
    query = request.query_params.get("q", "")
    if len(query) > 250:
        raise bad_request("The query is longer than 250 characters")
    words = query.lower().split()

    def matches(paper: dict[str, Any]) -> bool:
        names = " ".join(author["name"] for author in paper["authors"])
        text = f"{paper['id']} {paper['title']} {paper['summary']} {names}".lower()
        return all(word in text for word in words)

    return [_summary(paper) for paper in every(hub) if matches(paper)][: integer(request, "limit", 120, 1, 120)]


def _in_period(day: date, query: dict[str, str]) -> bool:
    year, week, _ = day.isocalendar()
    return (
        query.get("date", day.isoformat()) == day.isoformat()
        and query.get("week", f"{year}-W{week:02d}") == f"{year}-W{week:02d}"
        and query.get("month", day.isoformat()[:7]) == day.isoformat()[:7]
    )


def _daily(hub: Hub, request: Request, body: Any) -> Any:
    query = dict(request.query_params)
    if query.get("sort", "publishedAt") not in ("publishedAt", "trending"):
        raise bad_request("sort must be publishedAt or trending")
    kept = []
    for paper in every(hub):
        day = date.fromisoformat(paper["submittedOnDailyAt"][:10])
        submitter = paper["submittedOnDailyBy"]["user"]
        if _in_period(day, query) and query.get("submitter", submitter) == submitter:
            kept.append(_summary(paper))
    kept.sort(key=lambda paper: str(paper["publishedAt"]), reverse=True)
    size = integer(request, "limit", 50, 1, 100)
    first = integer(request, "p", 0, 0, 1 << 30) * size
    return kept[first : first + size]


def _links(hub: Hub, request: Request, body: Any) -> Any:
    user = auth.signed_in(request)
    auth.require(request, user.name)
    paper = find(hub, request.path_params["paper"])
    submitter = paper["submittedOnDailyBy"]["user"].lower()
    if user.name.lower() not in (*_authors_names(paper), submitter):
        raise forbidden("You are not allowed to update this paper: claim authorship first")
    for name in ("githubRepo", "projectPage", "organizationId"):
        if name not in body:
            continue
        value = field(body, name, str, "")
        if name == "githubRepo" and value and not GITHUB.fullmatch(value):
            raise bad_request("githubRepo must look like https://github.com/owner/name")
        if name == "projectPage" and value and not value.startswith(("https://", "http://")):
            raise bad_request("projectPage must be a URL")
        if name == "organizationId" and value:
            organizations = {namespace_id(each): each for each in user.organizations}
            if value not in organizations:
                raise forbidden("You are not a member of that organization")
            own = organizations[value]
            paper["organization"] = {"_id": value, "name": own, "fullname": own, "avatar": ""}
        elif name == "organizationId":
            paper.pop("organization", None)
        elif value:
            paper[name] = value
        else:
            paper.pop(name, None)
    _save(hub, paper)
    return {"success": True}


def _claim(hub: Hub, request: Request, body: Any) -> Any:
    user = auth.signed_in(request)
    auth.require(request, user.name)
    paper = find(hub, _paper_id(field(body, "paperId", str)))
    target = field(body, "targetUserId", str, namespace_id(user.name))
    if target != namespace_id(user.name):
        raise forbidden("Authorization error: you can claim a paper for yourself only")
    author_id = field(body, "claimAuthorId", str)
    author = next((each for each in paper["authors"] if each["_id"] == author_id), None)
    if author is None:
        raise not_found(f"The paper has no author {author_id!r}")
    if "user" in author and author["user"]["user"] != user.name:
        raise HubError(409, "Another user has claimed this author")
    author |= {"user": _user_json(user.name), "status": "claimed_verified", "statusLastChangedAt": hub.now()}
    _save(hub, paper)
    return {"success": True}


def _markdown(hub: Hub, request: Request, body: Any) -> Any:
    paper = find(hub, request.path_params["paper"])
    authors = ", ".join(author["name"] for author in paper["authors"])
    text = f"# {paper['title']}\n\n{authors}\n\n## Abstract\n\n{paper['summary']}\n"
    return Response(text, media_type="text/markdown; charset=utf-8")


ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
  <title type="html">ArXiv Query: id_list={id}</title>
  <opensearch:totalResults>{count}</opensearch:totalResults>
{entries}</feed>
"""


def _arxiv(hub: Hub, request: Request, body: Any) -> Any:
    """What arXiv's API answers to one identifier, from `arxiv/<id>.json`; an unknown one is a feed without entries."""
    asked = request.query_params.get("id_list", "")
    modern = re.fullmatch(r"(\d{4}\.\d{4,5})(?:v\d+)?", asked)
    legacy = re.fullmatch(r"([a-z-]+)(?:\.[A-Z]{2})?(/\d{7})(?:v\d+)?", asked)
    if not modern and not legacy:
        error = f"incorrect id format for {escape(asked)}"
        entry = (
            f"<id>http://arxiv.org/api/errors#incorrect_id_format</id><title>Error</title><summary>{error}</summary>"
        )
        return _atom(asked, [f"  <entry>{entry}</entry>\n"])
    paper_id = modern[1] if modern else "".join(legacy.groups()) if legacy else ""
    recorded = hub.root / "arxiv" / f"{paper_id}.json"
    if not recorded.is_file():
        return _atom(asked, [])
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
