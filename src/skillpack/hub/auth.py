"""Who is asking: users, organizations, tokens with a role, and what each may do."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection, Request
from starlette.routing import BaseRoute

from .errors import HubError, forbidden, unauthorized
from .http import endpoint

if TYPE_CHECKING:
    from .state import Hub

SCHEMA = """
CREATE TABLE IF NOT EXISTS namespaces (
    name TEXT PRIMARY KEY COLLATE NOCASE, kind TEXT NOT NULL, fullname TEXT NOT NULL,
    created_at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS members (
    organization TEXT NOT NULL REFERENCES namespaces(name), user TEXT NOT NULL REFERENCES namespaces(name),
    role TEXT NOT NULL, PRIMARY KEY (organization, user));
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES namespaces(name), role TEXT NOT NULL,
    name TEXT NOT NULL, created_at TEXT NOT NULL);
"""

NAMESPACE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,40}[A-Za-z0-9])?")
ROLES = ("read", "write")
WRITERS = ("admin", "write", "contributor")


@dataclass(frozen=True)
class User:
    """The owner of the token that a request carries."""

    name: str
    role: str  # of the token: "read" or "write"
    token_name: str
    organizations: dict[str, str] = field(default_factory=dict)  # name -> role in it

    def may(self, namespace: str, write: bool) -> bool:
        if write and self.role != "write":
            return False
        if namespace.lower() == self.name.lower():
            return True
        role = {name.lower(): role for name, role in self.organizations.items()}.get(namespace.lower())
        return role is not None and (not write or role in WRITERS)


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def add_namespace(hub: Hub, name: str, kind: str = "user") -> None:
    if not NAMESPACE.fullmatch(name):
        raise HubError(400, f"Invalid namespace {name!r}: letters, digits and inner hyphens, at most 42")
    with hub.db.tx() as c:
        c.execute("INSERT INTO namespaces VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (name, kind, name, hub.now()))


def add_member(hub: Hub, organization: str, user: str, role: str = "admin") -> None:
    add_namespace(hub, organization, "org")
    with hub.db.tx() as c:
        c.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?)", (organization, user, role))


def add_token(hub: Hub, user: str, role: str = "write", token: str | None = None, name: str = "local") -> str:
    """Give `user` a token; only its digest is kept."""
    if role not in ROLES:
        raise HubError(400, f"Invalid token role {role!r}: one of {', '.join(ROLES)}")
    token = token or "hf_" + secrets.token_urlsafe(25).replace("-", "A").replace("_", "B")
    with hub.db.tx() as c:
        c.execute(
            "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?)",
            (digest(token), user, role, name, hub.now()),
        )
    return token


def resolve_token(hub: Hub, token: str) -> User | None:
    row = hub.db.one("SELECT user, role, name FROM tokens WHERE digest = ?", (digest(token),))
    if row is None:
        return None
    memberships = hub.db.query("SELECT organization, role FROM members WHERE user = ?", (row["user"],))
    return User(row["user"], row["role"], row["name"], {m["organization"]: m["role"] for m in memberships})


def authenticate(hub: Hub, connection: HTTPConnection) -> User | None:
    """The user of the Authorization header; None without one; 401 for a token that is not known."""
    header = connection.headers.get("authorization")
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    user = resolve_token(hub, token.strip()) if kind.lower() == "bearer" else None
    if user is None:
        raise unauthorized()
    return user


def sign(hub: Hub, claims: dict[str, Any], seconds: int = 86400) -> str:
    """A token that only this Hub could have made: for URLs that carry no Authorization header."""
    body = base64.urlsafe_b64encode(json.dumps({**claims, "exp": int(time.time()) + seconds}).encode()).decode()
    return f"{body}.{hmac.new(hub.secret, body.encode(), hashlib.sha256).hexdigest()}"


def verify(hub: Hub, token: str, purpose: str) -> dict[str, Any]:
    """The claims of a token made by `sign` for this purpose; 401 when forged, 403 when expired."""
    body, _, signature = token.partition(".")
    expected = hmac.new(hub.secret, body.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise unauthorized("Invalid signature")
    try:
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body))
    except (ValueError, binascii.Error) as error:
        raise unauthorized("Invalid token") from error
    if claims.get("for") != purpose:
        raise unauthorized("The token is for something else")
    if claims["exp"] < time.time():
        raise forbidden("The token has expired")
    return claims


def user(request: Request) -> User | None:
    found: User | None = getattr(request.state, "user", None)
    return found


def signed_in(request: Request) -> User:
    found = user(request)
    if found is None:
        raise unauthorized()
    return found


def require(request: Request, namespace: str, write: bool = True) -> User:
    """The user, who may act in `namespace`; 401 without a token, 403 without the right."""
    found = signed_in(request)
    if not found.may(namespace, write):
        if write and found.role != "write":
            raise forbidden(f"The token {found.token_name!r} has role 'read': this needs role 'write'")
        action = "write to" if write else "read"
        raise forbidden(f"You don't have the rights to {action} the namespace {namespace!r}")
    return found


def _whoami(hub: Hub, request: Request, body: Any) -> dict[str, Any]:
    found = signed_in(request)
    return {
        "type": "user",
        "id": hashlib.sha1(found.name.encode()).hexdigest()[:24],
        "name": found.name,
        "fullname": found.name,
        "email": f"{found.name}@localhost",
        "emailVerified": True,
        "canPay": True,
        "isPro": False,
        "billingMode": "prepaid",
        "periodEnd": None,
        "avatarUrl": f"{hub.url}/avatars/{found.name}.svg",
        "orgs": [
            {
                "type": "org",
                "id": hashlib.sha1(name.encode()).hexdigest()[:24],
                "name": name,
                "fullname": name,
                "email": None,
                "canPay": False,
                "isEnterprise": False,
                "roleInOrg": role,
                "avatarUrl": f"{hub.url}/avatars/{name}.svg",
            }
            for name, role in found.organizations.items()
        ],
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": found.token_name,
                "role": found.role,
                "createdAt": hub.now(),
            },
        },
    }


def routes(hub: Hub) -> list[BaseRoute]:
    return [endpoint("/api/whoami-v2", _whoami)]
