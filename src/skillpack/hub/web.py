"""Web pages for people: repos and their files, jobs with stage, cost and live log, runs and reports.

Server-rendered, read-only, no asset from elsewhere. Without a session (see `session`) the pages show what is
public.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import buckets, content, info, pages, papers, repos, session, webjobs
from .auth import User
from .errors import entry_not_found
from .pages import Html, html, join, link, section, table
from .session import answer, crumbs, shown, viewer

if TYPE_CHECKING:
    from .state import Hub

SHOWN_BYTES = 200_000
REFRESH_S = 5
PREFIX = {"model": "/", "dataset": "/datasets/", "space": "/spaces/"}
REPORT_NAMES = ("run.json", "plan.json", "dataset-report.json", "evals.json")


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return ""


def _repo_url(repo: repos.Repo) -> str:
    return PREFIX[repo.type] + quote(repo.full_name)


def _is_report(path: str) -> bool:
    name = PurePosixPath(path).name
    return name in REPORT_NAMES or path.startswith("training_reports/") or name.endswith("-report.md")


def _home(hub: Hub, request: Request) -> Response:
    user = viewer(hub, request)
    parts, active, reports = [], False, []
    if user:
        jobs_part, active = webjobs.listed(hub, user)
        parts.append(jobs_part)
    for repo_type, title in (("model", "Models"), ("dataset", "Datasets"), ("space", "Spaces")):
        rows = []
        for repo in repos.every(hub, repo_type):
            if repos.visible(repo, user):
                files = info.files_at(hub, repo, repos.commit_oid(hub, repo))
                size = _size(sum(entry.size for entry in files.values()))
                access = "private" if repo.private else "public"
                name = link(_repo_url(repo), repo.full_name)
                rows.append((name, access, len(files), size, repo.last_modified[:16].replace("T", " ")))
                found = [(path, f"{_repo_url(repo)}/blob/main/{quote(path)}") for path in files if _is_report(path)]
                reports += [(link(url, path), repo.full_name) for path, url in found]
        headings = ("Name", "Access", "Files", "Size", "Changed (UTC)")
        parts.append(section(title, table(headings, rows, f"No {title.lower()} yet")))
    visible = [b for b in buckets.every(hub) if not b.private or (user and user.may(b.namespace, write=False))]
    bucket_rows = []
    for bucket in visible:
        kept = buckets.files(hub, bucket)
        url = f"/buckets/{quote(bucket.full_name)}"
        bucket_rows.append((link(url, bucket.full_name), len(kept), _size(sum(row["size"] for row in kept))))
        reports += [
            (link(f"{url}/blob/{quote(row['path'])}", row["path"]), bucket.full_name)
            for row in kept
            if _is_report(row["path"])
        ]
    parts.append(section("Buckets", table(("Name", "Files", "Size"), bucket_rows, "No buckets yet")))
    parts.append(section("Runs and reports", table(("File", "In"), reports[:100], "No plan, run or report yet")))
    paper_rows = [(link(f"/papers/{paper['id']}", paper["title"]), paper["id"]) for paper in papers.every(hub)[:20]]
    if paper_rows:
        parts.append(section("Papers", table(("Title", "arXiv"), paper_rows, "")))
    return answer("Home", join(parts), user, refresh_s=REFRESH_S if active else 0)


def _repo_of(hub: Hub, request: Request) -> repos.Repo:
    parameters = request.path_params
    repo_type = parameters.get("type", "models").removesuffix("s")
    name = f"{parameters['namespace']}/{parameters['name']}"
    return repos.readable(hub, request, repo_type, name, gate=True)


def _repo(hub: Hub, request: Request) -> Response:
    user = viewer(hub, request)
    repo = _repo_of(hub, request)
    oid = repos.commit_oid(hub, repo)
    files, about = info.files_at(hub, repo, oid), info.metadata(hub, repo, oid)
    url = _repo_url(repo)
    rows = [(link(f"{url}/blob/main/{quote(path)}", path), _size(entry.size)) for path, entry in files.items()]
    readme = files.get("README.md")
    card = _text_of(hub, readme.sha256, readme.size) if readme else ""
    facts = join(html('<span class="badge">{tag}</span> ', tag=tag) for tag in about["tags"])
    body = join(
        (
            crumbs(("/", "Home"), (url, repo.full_name)),
            html("<h1>{name} <span class='note'>{kind}</span></h1>", name=repo.full_name, kind=repo.type),
            html("<p>{facts}</p><p class='note'>commit {oid}</p>", facts=facts, oid=oid),
            section("Files", table(("Path", "Size"), rows, "No files")),
            html("<h2>Card</h2><pre>{card}</pre>", card=card or "This repo has no README.md"),
        )
    )
    return answer(repo.full_name, body, user)


def _text_of(hub: Hub, sha256: str, size: int) -> str | None:
    """The first part of a text file; None when it is not text."""
    with content.open_content(content.get(hub, sha256)) as file:
        data = file.read(SHOWN_BYTES)
    if b"\0" in data:
        return None
    more = f"\n… {_size(size - len(data))} more" if size > len(data) else ""
    return data.decode("utf-8", "replace") + more


def _file_page(hub: Hub, user: User | None, trail: Html, path: str, sha256: str, size: int, raw: str) -> Response:
    text = _text_of(hub, sha256, size)
    body = html("<pre>{text}</pre>", text=text) if text is not None else Html('<p class="empty">Not a text file</p>')
    facts = html(
        "<p class='note'>{size} · SHA-256 {sha} · {raw}</p>", size=_size(size), sha=sha256, raw=link(raw, "raw")
    )
    return answer(path, join((trail, html("<h1>{path}</h1>", path=path), facts, body)), user)


def _blob(hub: Hub, request: Request) -> Response:
    user = viewer(hub, request)
    repo = _repo_of(hub, request)
    revision, path = request.path_params["revision"], request.path_params["path"]
    entry = repos.find_entry(hub, repo, revision, path)
    if entry.kind != "file":
        raise entry_not_found(path)
    url = _repo_url(repo)
    trail = crumbs(("/", "Home"), (url, repo.full_name), (f"{url}/blob/main/{quote(path)}", path))
    raw = f"{url}/resolve/{quote(revision, safe='')}/{quote(path)}"
    return _file_page(hub, user, trail, path, entry.sha256, entry.size, raw)


def _bucket(hub: Hub, request: Request) -> Response:
    user = viewer(hub, request)
    bucket = buckets.readable(hub, request, f"{request.path_params['namespace']}/{request.path_params['name']}")
    url = f"/buckets/{quote(bucket.full_name)}"
    kept = buckets.files(hub, bucket)
    rows = [(link(f"{url}/blob/{quote(row['path'])}", row["path"]), _size(row["size"])) for row in kept]
    title = html("<h1>{name} <span class='note'>bucket</span></h1>", name=bucket.full_name)
    trail = crumbs(("/", "Home"), (url, bucket.full_name))
    return answer(
        bucket.full_name, join((trail, title, section("Files", table(("Path", "Size"), rows, "Empty")))), user
    )


def _bucket_file(hub: Hub, request: Request) -> Response:
    user = viewer(hub, request)
    bucket = buckets.readable(hub, request, f"{request.path_params['namespace']}/{request.path_params['name']}")
    path = request.path_params["path"]
    row = next((row for row in buckets.files(hub, bucket, path) if row["path"] == path), None)
    if row is None:
        raise entry_not_found(path)
    url = f"/buckets/{quote(bucket.full_name)}"
    trail = crumbs(("/", "Home"), (url, bucket.full_name), (f"{url}/blob/{quote(path)}", path))
    return _file_page(hub, user, trail, path, row["sha256"], row["size"], f"{url}/resolve/{quote(path)}")


def _paper(hub: Hub, request: Request) -> Response:
    user = viewer(hub, request)
    paper = papers.find(hub, request.path_params["paper"])
    names = ", ".join(author["name"] for author in paper["authors"])
    links = join(html("<li>{l}</li>", l=link(paper[k], paper[k])) for k in ("githubRepo", "projectPage") if k in paper)
    body = html(
        "<h1>{title}</h1><p class='note'>{names} · arXiv {id}</p><ul>{links}</ul><pre>{summary}</pre>",
        title=paper["title"],
        names=names,
        id=paper["id"],
        links=links,
        summary=paper["summary"],
    )
    return answer(paper["title"], join((crumbs(("/", "Home")), body)), user)


def _asset(path: str, text: str, media_type: str) -> Route:
    async def call(request: Request) -> Response:
        return Response(text, media_type=media_type, headers={"Cache-Control": "max-age=300"})

    return Route(path, call)


def routes(hub: Hub) -> list[BaseRoute]:
    found: list[BaseRoute] = [
        *session.routes(hub),
        *webjobs.routes(hub),
        shown("/", _home),
        _asset("/local/style.css", pages.STYLE, "text/css"),
        _asset("/local/page.js", pages.SCRIPT, "text/javascript"),
        shown("/papers/{paper}", _paper),
        shown("/buckets/{namespace}/{name}", _bucket),
        shown("/buckets/{namespace}/{name}/blob/{path:file}", _bucket_file),
    ]
    for base in ("/{type:repotype}/{namespace}/{name}", "/{namespace}/{name}"):
        found += [shown(base, _repo), shown(base + "/blob/{revision:rev}/{path:file}", _blob)]
        found.append(shown(base + "/tree/{revision:rev}", _repo))
    return found
