"""A real, headless Chromium, driven over its debugging pipe: no port, no further dependency."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
    *("--remote-debugging-pipe", "--window-size=1280,1000"),
)


def find() -> str:
    """The program; fails the test without one, unless SKILLPACK_NO_BROWSER says to leave it out."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    if os.environ.get("SKILLPACK_NO_BROWSER") == "1":
        pytest.skip("SKILLPACK_NO_BROWSER=1")
    pytest.fail(
        "no Chromium on this machine: the web pages are tested in a real browser. Install it"
        " (Debian, Ubuntu: `apt-get install chromium`; macOS: `brew install --cask chromium`),"
        " or set SKILLPACK_NO_BROWSER=1 to leave these tests out."
    )


class Browser:
    """One tab. Commands are NUL-terminated JSON on descriptor 3, answers on descriptor 4."""

    def __init__(self, profile: Path, seconds: float = 60):
        self._deadline = time.monotonic() + seconds
        command_read, self._commands = _pipe()
        self._answers, answer_write = _pipe()

        def connect() -> None:
            os.dup2(command_read, 3)
            os.dup2(answer_write, 4)

        command = [find(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(3, 4), preexec_fn=connect
        )
        os.close(command_read)
        os.close(answer_write)
        self._buffer, self._number = b"", 0
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def _send(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._buffer:
                left = self._deadline - time.monotonic()
                ready, _, _ = select.select([self._answers], [], [], max(0.0, left))
                chunk = os.read(self._answers, 1 << 20) if ready else b""
                assert chunk, f"the browser did not answer {method}"
                self._buffer += chunk
            line, _, self._buffer = self._buffer.partition(b"\0")
            answer = json.loads(line)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, script: str) -> Any:
        return self._send("Runtime.evaluate", self._session, expression=script, returnByValue=True)["result"].get(
            "value"
        )

    def visit(self, url: str) -> None:
        assert "errorText" not in self._send("Page.navigate", self._session, url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def until(self, condition: str, seconds: float = 20) -> None:
        """Wait for a JavaScript condition to hold."""
        end = time.monotonic() + seconds
        while self.evaluate(condition) is not True:
            assert time.monotonic() < end, f"never true: {condition}\n{self.evaluate('document.body.innerText')}"
            time.sleep(0.1)

    def picture(self, path: Path) -> bytes:
        data = base64.b64decode(self._send("Page.captureScreenshot", self._session)["data"])
        path.write_bytes(data)
        return data

    def close(self) -> None:
        os.close(self._commands)  # the end of the pipe is the browser's signal to leave
        os.close(self._answers)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _pipe() -> tuple[int, int]:
    """A pipe whose descriptors stay clear of 3 and 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
