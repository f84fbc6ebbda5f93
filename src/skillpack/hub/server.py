"""Bind a port on this machine and serve: in a thread, in the foreground, or as a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import uvicorn

    from .state import Hub

LOCAL = "127.0.0.1"
STARTUP_SECONDS = 20.0


class HubInUse(RuntimeError):
    """Another process serves this folder."""


class HubNotStarted(RuntimeError):
    """The server did not come up."""


@dataclass(frozen=True)
class Address:
    """What a client of a running Hub needs, and its process."""

    url: str
    user: str
    token: str
    pid: int
    root: str

    def exports(self) -> str:
        return f"export HF_ENDPOINT={self.url}\nexport HF_TOKEN={self.token}"

    def serves(self, user: str, port: int, token: str | None) -> bool:
        """Whether it is what was asked for: this user, this port or any (0), this token or any."""
        return self.user == user and token in (None, self.token) and port in (0, int(self.url.rpartition(":")[2]))

    def environment(self) -> dict[str, str]:
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": self.token}


def bind(port: int = 0, host: str = LOCAL) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(512)
    return listener


def lock(root: Path) -> IO[str] | None:
    """The lock of a Hub's folder, held until the file is closed; None when another process holds it."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = (root / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def running(root: Path) -> Address | None:
    """The server of a folder, if it runs."""
    held = lock(root) if root.is_dir() else None
    if held is not None:
        held.close()
        return None
    try:
        return Address(**json.loads((root / "server.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


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
    )
    return uvicorn.Server(config)


def open_hub(root: Path, user: str, token: str | None) -> tuple[Hub, str]:
    """The Hub of a folder with `user` and a token to write with; clears what an earlier run left unfinished.

    Without `token` the one in the folder is used, so that a second start prints the same lines.
    """
    from . import auth
    from .state import Hub

    hub = Hub(root)
    for path in hub.store.temporary.iterdir():
        if path.is_file():
            path.unlink()
    kept = root / "token"
    if token is None and kept.is_file():
        token = kept.read_text().strip()
    auth.add_namespace(hub, user)
    token = auth.add_token(hub, user, token=token)
    if not kept.is_file():
        kept.touch(mode=0o600)
        kept.write_text(token + "\n")
    return hub, token


def serve(
    root: Path,
    user: str,
    port: int = 0,
    token: str | None = None,
    host: str = LOCAL,
    ready: Callable[[Address], None] | None = None,
    isolated: bool = False,
    rate_limit: int = 0,
    run_spaces: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; `ready` is called when requests are answered."""
    held = lock(root)
    for _ in range(50):  # who asks whether a Hub runs holds the lock for an instant
        if held is not None:
            break
        time.sleep(0.01)
        held = lock(root)
    if held is None:
        raise HubInUse(f"{root} is already being served; `skillpack hub status` says where")
    with held, bind(port, host) as listener:
        hub, token = open_hub(root, user, token)
        hub.isolated = isolated
        hub.run_spaces = run_spaces
        hub.limit.requests = rate_limit
        server = make_server(hub, listener)
        address = Address(hub.url, user, token, os.getpid(), str(hub.root))
        where = root / "server.json"

        def announce() -> None:
            while not server.started:
                if server.should_exit:
                    return
                time.sleep(0.005)
            where.touch(mode=0o600)
            where.write_text(json.dumps(asdict(address)))
            if ready is not None:
                ready(address)

        threading.Thread(target=announce, name="announce", daemon=True).start()
        try:
            server.run(sockets=[listener])
        finally:
            where.unlink(missing_ok=True)


def spawn(
    root: Path,
    user: str = "me",
    port: int = 0,
    token: str | None = None,
    log: Path | None = None,
    isolated: bool = False,
    rate_limit: int = 0,
    run_spaces: bool = False,
) -> tuple[Address, subprocess.Popen[bytes]]:
    """Serve from a process of its own, which outlives this one; its address once it answers."""
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if (already := running(root)) is not None:
        raise HubInUse(f"{root} is already being served at {already.url}")
    environment = {**os.environ, **({"SKILLPACK_HUB_TOKEN": token} if token else {})}
    log = log or root / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "skillpack.hub", "--root", str(root), "--port", str(port), "--user", user),
                *("--rate-limit", str(rate_limit)),
                *(["--isolated"] if isolated else []),
                *(["--run-spaces"] if run_spaces else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        address = running(root)
        if address is not None and address.pid == process.pid:
            return address, process
        if process.poll() is not None:
            break
        time.sleep(0.01)
    if process.poll() is None:
        process.kill()
        process.wait()
    raise HubNotStarted(f"the local Hub did not start; see {log}:\n{log.read_text(errors='replace')[-2000:]}")


def stop(root: Path, seconds: float = 10.0) -> bool:
    """End the server of a folder; whether one was running."""
    address = running(root)
    if address is None:
        return False
    os.kill(address.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while running(root) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    if running(root) is not None:
        os.kill(address.pid, signal.SIGKILL)
    return True


class ThreadServer:
    """A Hub served from a thread of this process: `with ThreadServer(root) as server: server.url`."""

    def __init__(self, root: Path, port: int = 0):
        from .state import Hub

        self.hub = Hub(root)
        self._listener = bind(port)
        self._server = make_server(self.hub, self._listener)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, name="hub", daemon=True
        )
        self.url = self.hub.url

    def __enter__(self) -> ThreadServer:
        self._thread.start()
        deadline = time.monotonic() + STARTUP_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise HubNotStarted("the local Hub did not start")
            time.sleep(0.005)
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._listener.close()
