"""Bind a port on this machine and serve."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .state import Hub

if TYPE_CHECKING:
    import uvicorn

LOCAL = "127.0.0.1"


def bind(port: int = 0, host: str = LOCAL) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener


def make_server(hub: Hub, listener: socket.socket) -> uvicorn.Server:
    """A server for `hub` on a bound socket; sets `hub.url`."""
    import uvicorn

    from .app import build

    host, port = listener.getsockname()[:2]
    hub.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    config = uvicorn.Config(
        build(hub),
        log_level="warning",
        access_log=False,
        lifespan="on",
        server_header=False,
        date_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=1 << 16,
    )
    return uvicorn.Server(config)


class ThreadServer:
    """A Hub served from a thread of this process: `with ThreadServer(root) as server: server.url`."""

    def __init__(self, root: Path, port: int = 0):
        self.hub = Hub(root)
        self._listener = bind(port)
        self._server = make_server(self.hub, self._listener)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="hub", daemon=True
        )
        self.url = self.hub.url

    def __enter__(self) -> ThreadServer:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the local Hub did not start")
            time.sleep(0.005)
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._listener.close()
