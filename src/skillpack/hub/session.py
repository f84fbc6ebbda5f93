"""Who looks at the web pages, and what every page is wrapped in.

A browser signs in with a token and gets a cookie that stands for its owner's right to read, never to write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from . import auth, pages
from .auth import User
from .errors import HubError
from .http import endpoint, read_body
from .pages import Html, html, link

if TYPE_CHECKING:
    from .state import Hub

SESSION_S = 30 * 24 * 3600
LOGIN_S = 600
RESERVED = ("api", "datasets-server", "local")  # a wrong address of an API is not the page of a repo
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def _cookie(hub: Hub) -> str:
    return f"local_hub_{hub.id}"  # cookies are shared by all ports of a host


def viewer(hub: Hub, request: Request) -> User | None:
    """The user of the bearer token or of the cookie, put where `auth` looks; a cookie never lets one write."""
    if (found := auth.user(request)) is None and (cookie := request.cookies.get(_cookie(hub))):
        try:
            name = auth.verify(hub, cookie, "web")["user"]
        except HubError:
            return None
        rows = hub.db.query("SELECT organization, role FROM members WHERE user = ?", (name,))
        found = User(name, "read", "web page", {row["organization"]: row["role"] for row in rows})
        request.state.user = found
    return found


def login_url(hub: Hub, user: str) -> str:
    """A link that signs a browser in as `user`, good for ten minutes."""
    return f"{hub.url}/login?{urlencode({'key': auth.sign(hub, {'for': 'login', 'user': user}, LOGIN_S)})}"


def _inside(target: str) -> str:
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


def _enter(hub: Hub, user: str, target: str) -> Response:
    answer = RedirectResponse(_inside(target), status_code=303, headers=HEADERS)
    key = auth.sign(hub, {"for": "web", "user": user}, SESSION_S)
    answer.set_cookie(_cookie(hub), key, max_age=SESSION_S, httponly=True, samesite="strict", path="/")
    return answer


def _login_link(hub: Hub, request: Request, body: Any) -> Any:
    return {"url": login_url(hub, auth.signed_in(request).name)}


def _login_page(target: str, error: str = "", status: int = 200) -> Response:
    note = html('<p class="error">{error}</p>', error=error) if error else Html("")
    body = html(pages.LOGIN, next=_inside(target), error=note)
    return HTMLResponse(pages.page("Sign in", body, None), status, headers=HEADERS)


async def _login(request: Request) -> Response:
    hub = request.app.state.hub
    target = request.query_params.get("next", "/")
    if request.method == "GET":
        key = request.query_params.get("key")
        if key is None:
            return _login_page(target)
        try:
            return _enter(hub, auth.verify(hub, key, "login")["user"], target)
        except HubError as error:
            return _login_page(target, f"{error.message}. `skillpack hub page` prints a new link.", error.status)
    form = parse_qs((await read_body(request, 1 << 16)).decode("utf-8", "replace"))
    target = form.get("next", ["/"])[0]
    user = await run_in_threadpool(auth.resolve_token, hub, form.get("token", [""])[0].strip())
    return _enter(hub, user.name, target) if user else _login_page(target, "This Hub does not know that token.", 401)


async def _logout(request: Request) -> Response:
    answer = RedirectResponse("/", status_code=303)
    answer.delete_cookie(_cookie(request.app.state.hub), path="/")
    return answer


def answer(title: str, body: Html, user: User | None, refresh_s: int = 0, script: bool = False) -> Response:
    text = pages.page(title, body, user.name if user else None, refresh_s, script)
    return HTMLResponse(text, headers=HEADERS)


def crumbs(*parts: tuple[str, str]) -> Html:
    return html('<p class="crumbs">{links}</p>', links=Html(" / ".join(link(url, text) for url, text in parts)))


def shown(path: str, handler: Callable[[Hub, Request], Response]) -> Route:
    """A page; a failure is a page too."""

    async def call(request: Request) -> Response:
        hub = request.app.state.hub
        if request.path_params.get("namespace") in RESERVED:
            raise HTTPException(404, f"No such endpoint: {request.url.path}")
        try:
            return await run_in_threadpool(handler, hub, request)
        except HubError as error:
            user = auth.user(request)
            hint = Html("")
            if user is None and error.status in (401, 403):
                hint = html("<p>{l}</p>", l=link(f"/login?{urlencode({'next': request.url.path})}", "Sign in"))
            body = html("<h1>{s}</h1><p>{m}</p>{hint}", s=error.status, m=error.message, hint=hint)
            text = pages.page(str(error.status), body, user.name if user else None)
            return HTMLResponse(text, error.status, headers=HEADERS)

    return Route(path, call)


def routes(hub: Hub) -> list[BaseRoute]:
    return [
        Route("/login", _login, methods=["GET", "POST"]),
        Route("/logout", _logout),
        endpoint("/api/local/login-link", _login_link, "POST"),
    ]
