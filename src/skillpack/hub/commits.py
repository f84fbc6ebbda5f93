"""Writing to a repo: what to upload how, and commits, each whole or not at all."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from . import auth, content, discussions, lfs, repos, trees
from .errors import HubError, bad_request, entry_not_found, revision_not_found
from .http import endpoint, parse_json, receive
from .http import field as field_of
from .repos import Repo
from .trees import Entry, TreeEditor, clean_path

if TYPE_CHECKING:
    from .state import Hub

REGULAR_BYTES = 10 << 20  # a text file larger than this goes to LFS
MAX_LINE = 64 << 20
FLUSH_BYTES = 8 << 20  # of small files held in memory


# Before a commit


def _lfs_patterns(hub: Hub, repo: Repo, revision: str) -> list[str]:
    try:
        entry = repos.find_entry(hub, repo, revision, ".gitattributes")
        text = content.read_all(hub, entry.sha256).decode(errors="replace")
    except HubError:
        text = repos.GITATTRIBUTES
    return [line.split()[0] for line in text.splitlines() if "filter=lfs" in line]


def _matches(path: str, patterns: list[str]) -> bool:
    """Whether a .gitattributes pattern names the path: without a slash it is about the file's name."""
    name = path.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(path if "/" in pattern else name, pattern) for pattern in patterns)


def is_ignored(path: str, gitignore: str) -> bool:
    """Whether .gitignore rules leave a path out; the last rule that matches decides."""
    ignored = False
    parts = path.split("/")
    for line in gitignore.splitlines():
        rule = line.rstrip()
        if not rule or rule.startswith("#"):
            continue
        keep = rule.startswith("!")
        rule = rule[1:] if keep else rule
        folder_only = rule.endswith("/")
        rule = rule.rstrip("/")
        if "/" in rule:
            heads = ["/".join(parts[:n]) for n in range(1, len(parts) + (0 if folder_only else 1))]
            hit = any(fnmatch.fnmatchcase(head, rule.lstrip("/")) for head in heads)
        else:
            hit = any(fnmatch.fnmatchcase(p, rule) for p in (parts[:-1] if folder_only else parts))
        if hit:
            ignored = not keep
    return ignored


def _is_binary(sample: bytes) -> bool:
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start < len(sample) - 4  # the sample may end inside a character
    return False


def _preupload(hub: Hub, request: Request, body: Any) -> Any:
    repo, _ = writer(hub, request)
    revision = request.path_params["revision"]
    patterns = _lfs_patterns(hub, repo, revision)
    gitignore = field_of(body, "gitIgnore", str, "")
    connection = hub.db.connection()
    root = repos.root_tree(hub, repo, repos.commit_oid(hub, repo, revision))
    answer = []
    for file in field_of(body, "files", list):
        path, size = clean_path(field_of(file, "path", str)), field_of(file, "size", int, 0)
        try:
            sample = base64.b64decode(field_of(file, "sample", str, ""))
        except binascii.Error as error:
            raise bad_request("Field 'sample' is not base64") from error
        large = size > REGULAR_BYTES or _matches(path, patterns) or _is_binary(sample)
        known = trees.find(connection, root, path)
        answer.append(
            {
                "path": path,
                "uploadMode": "lfs" if large else "regular",
                "shouldIgnore": is_ignored(path, gitignore),
                **({"oid": known.sha256 if known.lfs else known.oid} if known and known.kind == "file" else {}),
            }
        )
    return {"files": answer}


def writer(hub: Hub, request: Request) -> tuple[Repo, auth.User]:
    """Who commits where. To open a pull request, and to add to one's own, the right to read is enough."""
    if request.query_params.get("create_pr") == "1":
        repo = repos.of(hub, request)
        user = auth.signed_in(request)
        if user.role != "write":
            auth.require(request, user.name)
        return repo, user
    repo = repos.of(hub, request)
    user = auth.signed_in(request)
    if user.role == "write" and discussions.is_author(hub, repo, request.path_params["revision"], user.name):
        return repo, user
    return repo, auth.require(request, repo.namespace)


# The commit itself


@dataclass
class Draft:
    """A commit, read from the client and checked as far as that needs no lock."""

    summary: str = ""
    description: str = ""
    parent: str | None = None
    operations: list[tuple[str, str, Any]] = field(default_factory=list)
    small: dict[str, bytes] = field(default_factory=dict)  # content that is not in the database yet


def _read_file(hub: Hub, draft: Draft, value: Any) -> Entry:
    text = field_of(value, "content", str, "")
    if field_of(value, "encoding", str, "utf-8") == "base64":
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise bad_request("The content of a file is not base64") from error
    else:
        data = text.encode()
    sha256 = hashlib.sha256(data).hexdigest()
    if len(data) <= content.SMALL:
        draft.small[sha256] = data
        if sum(map(len, draft.small.values())) > FLUSH_BYTES:
            _flush(hub, draft)
    elif not hub.store.has(sha256):
        writer = hub.store.writer()
        try:
            writer.write(data)
            writer.commit()
        finally:
            writer.abort()
    return Entry("file", trees.blob_oid(data), len(data), sha256)


def _flush(hub: Hub, draft: Draft) -> None:
    with hub.db.tx() as c:
        for sha256, data in draft.small.items():
            content.put_small(c, sha256, data)
    draft.small.clear()


def _read_line(hub: Hub, repo: Repo, draft: Draft, line: bytes) -> None:
    item = parse_json(line)
    kind, value = field_of(item, "key", str), field_of(item, "value", dict)
    if kind == "header":
        draft.summary = field_of(value, "summary", str)
        draft.description = field_of(value, "description", str, "")
        draft.parent = field_of(value, "parentCommit", str, None)
        return
    path = field_of(value, "path", str)
    path = clean_path(path.rstrip("/") if kind == "deletedFolder" else path)
    if kind == "file":
        draft.operations.append(("put", path, _read_file(hub, draft, value)))
    elif kind == "lfsFile":
        sha256, size = field_of(value, "oid", str), field_of(value, "size", int, None)
        actual = lfs.size_of(hub, sha256)
        if actual is None:
            raise bad_request(f"The content of {path!r} ({sha256[:12]}…) was not uploaded")
        if size not in (None, actual):
            raise bad_request(f"{path!r} has {actual} bytes, not {size}")
        draft.operations.append(("put", path, trees.lfs_entry(sha256, actual)))
    elif kind in ("deletedFile", "deletedFolder", "deletedEntry"):
        draft.operations.append(("delete", path, None))
    elif kind == "copyFile":
        source = clean_path(field_of(value, "srcPath", str))
        draft.operations.append(("copy", path, (source, field_of(value, "srcRevision", str, None))))
    else:
        raise bad_request(f"Unknown operation {kind!r}")


def _read_draft(hub: Hub, repo: Repo, spool: Path) -> Draft:
    draft = Draft()
    with spool.open("rb") as file:
        while line := file.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise HubError(413, f"A line of the commit is larger than {MAX_LINE} bytes; upload the file as LFS")
            if line.strip():
                _read_line(hub, repo, draft, line)
    if not draft.summary:
        raise bad_request("The commit has no header with a summary")
    return draft


def _apply(hub: Hub, repo: Repo, editor: TreeEditor, draft: Draft) -> None:
    for kind, path, detail in draft.operations:
        if kind == "put":
            editor.put(path, detail)
        elif kind == "delete":
            editor.delete(path, entry_not_found)
        else:
            source, revision = detail
            entry = editor.get(source) if revision is None else repos.find_entry(hub, repo, revision, source)
            if entry is None or entry.kind != "file":
                raise entry_not_found(source)
            editor.put(path, entry)


def commit(
    hub: Hub, repo: Repo, user: auth.User, revision: str, draft: Draft, create_pr: bool
) -> tuple[str, str | None]:
    """(commit, URL of the pull request or None). One transaction: it lands whole or leaves no trace."""
    with hub.db.tx() as c:
        ref = repos.resolve_ref(c, repo, revision)
        if ref is None or ref.startswith("refs/tags/"):
            raise revision_not_found(revision)
        head = repos.ref_oid(c, repo, ref)
        assert head is not None
        if draft.parent is not None and not head.startswith(draft.parent):
            raise HubError(412, f"A commit has happened since. Please refresh and try again: {revision} is at {head}")
        for sha256, data in draft.small.items():
            content.put_small(c, sha256, data)
        row = c.execute("SELECT tree FROM commits WHERE repo = ? AND oid = ?", (repo.id, head)).fetchone()
        editor = TreeEditor(c, row["tree"])
        _apply(hub, repo, editor, draft)
        tree = editor.write()
        pull_request = None
        if create_pr:
            number = discussions.add(
                hub, c, repo.id, user.name, draft.summary, draft.description, pull_request=True, base=ref, head=head
            )
            ref = f"refs/pr/{number}"
            pull_request = f"{repo.url(hub)}/discussions/{number}"
        if tree == row["tree"] and draft.operations:
            return head, pull_request
        oid = repos.add_commit(hub, c, repo.id, ref, head, tree, user.name, draft.summary, draft.description)
        discussions.record_commit(hub, c, repo.id, ref, user.name, draft.summary, oid)
    return oid, pull_request


async def _commit(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    repo, user = await run_in_threadpool(writer, hub, request)
    spool = hub.store.temporary_path()
    try:
        with spool.open("wb") as file:
            await receive(request, file.write)
        answer = await run_in_threadpool(_finish, hub, request, repo, user, spool)
    finally:
        spool.unlink(missing_ok=True)
    return JSONResponse(answer)


def _finish(hub: Hub, request: Request, repo: Repo, user: auth.User, spool: Path) -> dict[str, Any]:
    draft = _read_draft(hub, repo, spool)
    create_pr = request.query_params.get("create_pr") == "1"
    oid, pull_request = commit(hub, repo, user, request.path_params["revision"], draft, create_pr)
    return {
        "success": True,
        "commitOid": oid,
        "commitUrl": f"{repo.url(hub)}/commit/{oid}",
        "hookOutput": "",
        **({"pullRequestUrl": pull_request} if pull_request else {}),
    }


def routes(hub: Hub) -> list[BaseRoute]:
    return [
        endpoint(repos.REPO + "/preupload/{revision:rev}", _preupload, "POST"),
        Route(repos.REPO + "/commit/{revision:rev}", _commit, methods=["POST"]),
    ]
