"""A Space of trackio that runs: what the local Hub only keeps, behind the name that trackio calls it by.

trackio reaches a Space at https://OWNER-NAME.hf.space, whatever HF_ENDPOINT says. So a proxy stands where HTTPS_PROXY
points, takes that name with a certificate of its own, and hands over to the Space's own app.py, run with the Space's
own variables on a copy of the bucket that is mounted there. The client is trackio's, unchanged.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from .conftest import Desk, free_port, served


def certificate(folder: Path) -> Path:
    """A certificate for *.hf.space with its key, in one file."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl makes the certificate of the Space: install it"
    path = folder / "space.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=space",
         "-addext", "subjectAltName=DNS:*.hf.space", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return path


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


class Gate:
    """The proxy: `asked` are the hosts it was asked for. The Space is started at the first question."""

    def __init__(self, desk: Desk, space: str) -> None:
        self.desk, self.space, self.asked = desk, space, list[str]()
        self.folder = desk.folder / "space"
        self.folder.mkdir()
        self.pem = certificate(self.folder)
        self.running = contextlib.ExitStack()
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.proxy = asyncio.run_coroutine_threadsafe(self.open(), self.loop).result(10)

    async def open(self) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem)
        inner = await asyncio.start_server(self.space_asked, "127.0.0.1", 0, ssl=context)
        self.inner = inner.sockets[0].getsockname()[1]
        outer = await asyncio.start_server(self.connect, "127.0.0.1", 0)
        return int(outer.sockets[0].getsockname()[1])

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head.split()[1].decode())
        there = await asyncio.open_connection("127.0.0.1", self.inner)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    async def space_asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.port:
            self.port = free_port()
            await asyncio.to_thread(self.start)
        there = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    def start(self) -> None:
        """The Space's files and variables, and its bucket where they say that it is mounted."""
        api, data = self.desk.api, self.folder / "data"
        app = api.hf_hub_download(self.space, "app.py", repo_type="space", local_dir=self.folder / "repo")
        (volume,) = api.get_space_runtime(self.space).volumes or []
        assert (volume.type, volume.mount_path) == ("bucket", "/data")
        api.sync_bucket(f"hf://buckets/{volume.source}", str(data), quiet=True)
        where = api.get_space_variables(self.space)["TRACKIO_DIR"].value
        settings = {**self.desk.settings, "TRACKIO_DIR": where.replace("/data", str(data), 1)}
        self.running.enter_context(served([sys.executable, app], self.port, settings, self.folder))

    def environment(self) -> dict[str, str]:
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.proxy}", "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(self.folder / "cert.pem"),
        }  # fmt: skip

    def close(self) -> None:
        self.running.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


@contextlib.contextmanager
def gate(desk: Desk, space: str) -> Iterator[Gate]:
    opened = Gate(desk, space)
    try:
        yield opened
    finally:
        opened.close()
