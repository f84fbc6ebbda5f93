"""A job's log: lines of JSON in a file, with secret values masked before anything is written."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from .state import isoformat

MASK = "***"
MIN_SECRET = 3  # shorter values would mask most of the log; docs/local-hub.md says so
MAX_LINE = 64 << 10
MAX_LOG_BYTES = 64 << 20
READ_BYTES = 256 << 10


def masked_values(secrets: Iterable[str]) -> list[str]:
    """The strings to mask, longest first: each secret, and each line of one that has several."""
    values: set[str] = set()
    for secret in secrets:
        values.update(part for text in (secret, *secret.splitlines()) if len(part := text.strip()) >= MIN_SECRET)
    return sorted(values, key=len, reverse=True)


def mask(text: str, values: Iterable[str]) -> str:
    for value in values:
        text = text.replace(value, MASK)
    return text


class LogWriter:
    """Takes the bytes a job prints; appends one JSON object `{timestamp, data}` for each line."""

    def __init__(self, path: Path, secrets: Iterable[str] = ()):
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._written = path.stat().st_size
        self._values = masked_values(secrets)
        self._hold = max((len(value.encode()) for value in self._values), default=1) - 1
        self._buffer = b""
        self._full = False

    def say(self, text: str) -> None:
        """A line of the Hub's own."""
        for line in text.splitlines() or [""]:
            self._append(line)

    def feed(self, chunk: bytes) -> None:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        for line in lines:
            self._emit(line)
        if len(self._buffer) > MAX_LINE:
            self._shorten()

    def _shorten(self) -> None:
        """A line without an end: what a carriage return overwrote is dropped, the rest goes out in parts."""
        head, _, tail = self._buffer.rpartition(b"\r")
        if head and len(tail) <= MAX_LINE:
            self._buffer = tail
            return
        text = mask(self._buffer.decode("utf-8", "replace"), self._values).encode()
        cut = len(text) - self._hold
        self._emit(text[:cut])
        self._buffer = text[cut:]

    def _emit(self, line: bytes) -> None:
        shown = line.rstrip(b"\r").rpartition(b"\r")[2]
        self._append(shown.decode("utf-8", "replace"))

    def _append(self, text: str) -> None:
        if self._full:
            return
        if self._written > MAX_LOG_BYTES:
            self._full = True
            text = f"[local hub] the log has reached {MAX_LOG_BYTES >> 20} MiB; what follows is dropped"
        record = {"timestamp": isoformat(time.time()), "data": mask(text, self._values)}
        data = json.dumps(record, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        self._written += self._file.write(data)

    def close(self) -> None:
        if self._buffer:
            self._emit(self._buffer)
            self._buffer = b""
        self._file.close()


def read_from(path: Path, offset: int) -> tuple[list[str], int]:
    """Whole lines of the log from `offset`, and the offset after them."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(READ_BYTES)
            while data and b"\n" not in data and (more := file.read(READ_BYTES)):
                data += more
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    return data[:end].decode("utf-8", "replace").splitlines() if end else [], offset + end


def tail(path: Path, count: int) -> tuple[list[str], int]:
    """The last `count` lines, and the offset after them."""
    kept: deque[str] = deque(maxlen=count)
    offset = 0
    while True:
        lines, after = read_from(path, offset)
        if after == offset:
            return list(kept), offset
        kept.extend(lines)
        offset = after
