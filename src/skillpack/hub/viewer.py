"""To be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

if TYPE_CHECKING:
    from .state import Hub


def routes(hub: Hub) -> list[BaseRoute]:
    return []
