"""What clients ask beside repos: card validation, overviews of users and organizations, small registries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from . import auth, buckets, info, repos
from .errors import not_found
from .http import endpoint, field

if TYPE_CHECKING:
    from .state import Hub

LISTS = ("tags", "datasets", "metrics")


def check_card(text: str, repo_type: str) -> tuple[list[str], list[str]]:
    """(errors, warnings) of the metadata of a card."""
    if not text.startswith("---"):
        return [], ["empty or missing yaml metadata in repo card"]
    block, found, _ = text.partition("\n")[2].partition("\n---")
    if not found:
        return ["the metadata block is not closed: end it with a line of three hyphens"], []
    try:
        data = info.load_yaml(block)
    except ValueError as error:
        return [f"invalid YAML: {error}"], []
    if data is None:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(data, dict):
        return ["the metadata must be a mapping of keys to values"], []
    errors = [f'"{key}" must be a list' for key in LISTS if key in data and not isinstance(data[key], (list, str))]
    for key in ("license", "library_name", "pipeline_tag", "pretty_name"):
        if key in data and not isinstance(data[key], (str, list)):
            errors.append(f'"{key}" must be a string')
    if repo_type == "space" and "sdk" not in data:
        errors.append('"sdk" is required')
    return errors, []


def _validate_yaml(hub: Hub, request: Request, body: Any) -> Response:
    errors, warnings = check_card(field(body, "content", str), field(body, "repoType", str, "model"))
    answer: dict[str, Any] = {
        "errors": [{"message": message} for message in errors],
        "warnings": [{"message": message} for message in warnings],
    }
    if errors:
        return JSONResponse({**answer, "error": "; ".join(errors)}, 400)
    return JSONResponse(answer)


def _harnesses(hub: Hub, request: Request, body: Any) -> Any:
    return {"standardEnvVars": ["AI_AGENT", "AGENT"], "harnesses": {}}


def _notifications(hub: Hub, request: Request, body: Any) -> Any:
    auth.signed_in(request)
    return {"count": {"view": 0, "unread": 0, "all": 0}, "notifications": [], "start": 0}


def _overview(hub: Hub, request: Request, body: Any) -> Any:
    row = hub.db.one(
        "SELECT * FROM namespaces WHERE name = ? AND kind = ?",
        (request.path_params["name"], "org" if request.url.path.startswith("/api/organizations") else "user"),
    )
    if row is None:
        raise not_found("This user or organization does not exist")
    user = auth.user(request)
    counts = {
        f"num{kind.title()}s": sum(
            repo.namespace.lower() == row["name"].lower() and repos.visible(repo, user)
            for repo in repos.every(hub, kind)
        )
        for kind in repos.TYPES
    }
    members = hub.db.query("SELECT user FROM members WHERE organization = ?", (row["name"],))
    memberships = hub.db.query("SELECT organization FROM members WHERE user = ?", (row["name"],))
    return {
        "name": row["name"],
        "user": row["name"],
        "fullname": row["fullname"],
        "type": row["kind"],
        "avatarUrl": f"{hub.url}/avatars/{row['name']}.svg",
        "isPro": False,
        "details": "",
        "createdAt": row["created_at"],
        "numUsers": len(members),
        "numLikes": 0,
        "numFollowers": 0,
        "numFollowing": 0,
        "orgs": [
            {"name": each["organization"], "fullname": each["organization"], "avatarUrl": ""} for each in memberships
        ],
        **counts,
    }


def _members(hub: Hub, request: Request, body: Any) -> Any:
    rows = hub.db.query("SELECT user, role FROM members WHERE organization = ?", (request.path_params["name"],))
    return [{"user": row["user"], "fullname": row["user"], "type": "user", "role": row["role"]} for row in rows]


def _repositories(hub: Hub, request: Request, body: Any) -> Any:
    """The repos of a namespace with what they store."""
    namespace = request.path_params.get("name") or auth.signed_in(request).name
    auth.require(request, namespace, write=False)
    found: list[dict[str, Any]] = []
    for kind in repos.TYPES:
        for repo in repos.every(hub, kind):
            if repo.namespace.lower() == namespace.lower():
                files = info.files_at(hub, repo, repos.commit_oid(hub, repo))
                size = sum(entry.size for entry in files.values())
                found.append({"id": repo.full_name, "type": kind, "private": repo.private, "storage": size})
    for bucket in buckets.every(hub):
        if bucket.namespace.lower() == namespace.lower():
            size = sum(row["size"] for row in buckets.files(hub, bucket))
            found.append({"id": bucket.full_name, "type": "bucket", "private": bucket.private, "storage": size})
    total = sum(item["storage"] for item in found) or 1
    for item in found:
        item.update(
            visibility="private" if item["private"] else "public",
            updatedAt=hub.now(),
            storagePercent=100 * item["storage"] / total,
        )
    return found


def _empty(hub: Hub, request: Request, body: Any) -> Any:
    return []


def routes(hub: Hub) -> list[BaseRoute]:
    return [
        endpoint("/api/validate-yaml", _validate_yaml, "POST"),
        endpoint("/api/agent-harnesses", _harnesses),
        endpoint("/api/notifications", _notifications),
        endpoint("/api/users/{name}/overview", _overview),
        endpoint("/api/organizations/{name}/overview", _overview),
        endpoint("/api/organizations/{name}/members", _members),
        endpoint("/api/users/{name}/{list}", _empty),
        endpoint("/api/settings/repositories", _repositories),
        endpoint("/api/organizations/{name}/settings/repositories", _repositories),
    ]
