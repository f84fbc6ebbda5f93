"""/.well-known/openapi.json: what this Hub serves, read from its own routes and the source of their handlers.

It has the form of the real Hub's document and not its content: the operations are this Hub's, parameters are those
that a handler asks for by name, and answers are not described.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from .http import endpoint

if TYPE_CHECKING:
    from .state import Hub

TYPES = {"int": "integer", "str": "string", "bool": "boolean", "list": "array", "dict": "object", "float": "number"}
REPO_TYPES = ("models", "datasets", "spaces")
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


def _functions(handler: Callable[..., Any]) -> Iterator[ast.AST]:
    """The syntax trees of `handler` and of the functions of its module that it hands its request or body to."""
    pending, seen = [handler], {handler}
    while pending:
        function = pending.pop()
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        yield tree
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called = getattr(function, "__globals__", {}).get(node.func.id)
                given = {each.id for each in node.args if isinstance(each, ast.Name)}
                if called in seen or not inspect.isfunction(called) or not given & {"request", "body"}:
                    continue
                if called.__module__ == handler.__module__:
                    seen.add(called)
                    pending.append(called)


@lru_cache(maxsize=1024)
def _asked_for(handler: Callable[..., Any]) -> tuple[dict[str, str], dict[str, tuple[str, bool]]]:
    """What a handler reads: {query parameter: type}, {field of the body: (type, required)}."""
    query: dict[str, str] = {}
    body: dict[str, tuple[str, bool]] = {}
    for tree in _functions(handler):
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            names = [each.value if isinstance(each, ast.Constant) else None for each in node.args]
            name = ast.unparse(node.func)
            second = names[1] if len(names) > 1 else None
            if name == "page":
                query |= {"limit": "integer", "cursor": "string"}
            elif name in ("integer", "flag") and isinstance(second, str):
                query[second] = "integer" if name == "integer" else "boolean"
            elif re.fullmatch(r"(request\.query_params|query)\.get(list)?", name) and isinstance(names[0], str):
                query.setdefault(names[0], "array" if name.endswith("getlist") else "string")
            elif name == "field" and ast.unparse(node.args[0]) == "body" and isinstance(second, str):
                body[second] = TYPES.get(ast.unparse(node.args[2]), "string"), len(node.args) == 3
    return query, body


def _operation(path: str, method: str, handler: Callable[..., Any]) -> dict[str, Any]:
    query, body = _asked_for(handler)
    placed = [(name, "path", "string") for name in PARAMETER.findall(path)]
    placed += [(name, "query", kind) for name, kind in query.items()]
    tag = path.removeprefix("/api/").split("/")[0] if path.startswith("/api/") else "files"
    found: dict[str, Any] = {
        "tags": [tag],
        "summary": f"{handler.__module__.rpartition('.')[2]}: {handler.__name__.strip('_').replace('_', ' ')}",
        "parameters": [
            {"name": name, "in": where, "required": where == "path", "schema": {"type": kind}}
            for name, where, kind in placed
        ],
        "responses": {"200": {"description": "Not described by the local Hub"}},
    }
    if body and method in METHODS_WITH_BODY:
        schema: dict[str, Any] = {"type": "object", "properties": {n: {"type": kind} for n, (kind, _) in body.items()}}
        schema["required"] = [name for name, (_, required) in body.items() if required]
        found["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return found


def document(routes: list[BaseRoute], url: str) -> dict[str, Any]:
    """An OpenAPI 3.1 document of `routes`, for a Hub at `url`."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        handler = getattr(route.endpoint, "__wrapped__", None) if isinstance(route, Route) else None
        if not isinstance(route, Route) or handler is None or not re.match("/api/|.*/resolve/", route.path):
            continue
        spelled = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        for path in [spelled.replace("{type}", kind) for kind in REPO_TYPES] if "{type}" in spelled else [spelled]:
            for method in sorted((route.methods or set()) - {"HEAD"}):
                paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler)
    about = "Generated from the routes of skillpack's local Hub. Not the real Hub's document."
    return {
        "openapi": "3.1.0",
        "info": {"title": "Local Hub API", "version": "0", "description": about},
        "servers": [{"url": url}],
        "paths": paths,
    }


def _serve(hub: Hub, request: Request, body: Any) -> Any:
    return document(request.app.routes, hub.url)


def routes(hub: Hub) -> list[BaseRoute]:
    return [endpoint("/.well-known/openapi.json", _serve)]
