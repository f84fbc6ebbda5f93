"""What was learned of tools and code, kept by what it depends on: versions, contents. Nothing in it ever goes stale."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from skillpack.errors import UsageFailure


@cache
def _code() -> str:
    """A digest of this package: what is kept is as these modules compute it."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(module.read_bytes() for module in modules)).hexdigest()


class Cache:
    """JSON documents under `folder`, each in a file named by a digest of its key; None keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, *key: str) -> Any:
        """What was kept under `key`; None where nothing was, or it cannot be read."""
        if self.folder is None:
            return None
        try:
            return json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def put(self, document: Any, *key: str) -> None:
        """Keeps `document`. A folder that cannot be written costs time later, and nothing now."""
        if self.folder is None:
            return
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(document, file)
            Path(name).replace(path)
        except OSError:
            return

    def _path(self, key: tuple[str, ...]) -> Path:
        assert self.folder is not None
        digest = hashlib.sha256("\0".join((_code(), *key)).encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / digest[:2] / f"{digest[2:32]}.json"


def default_folder() -> Path:
    """Where caches of a user lie. Raises UsageFailure for a user who has no home, as in some containers."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:
        raise UsageFailure("this user has no home folder to keep answers in: add --no-cache or --cache-dir") from None
    return Path(base) / "skillpack" / "verify"
