"""An optional limit on requests, so that what a client does when told 429 can be rehearsed too."""

from __future__ import annotations

import threading
import time

from .errors import HubError

WINDOW_SECONDS = 60


class RateLimit:
    """At most `requests` in each minute for each token; 0 for no limit."""

    def __init__(self, requests: int):
        self.requests = requests
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, int]] = {}  # who -> (minute, requests in it)

    def check(self, who: str) -> None:
        """Count a request; 429, with the headers that tell the client how long to wait, once there are too many."""
        if not self.requests:
            return
        now = time.time()
        minute = int(now // WINDOW_SECONDS)
        with self._lock:
            last, count = self._windows.get(who, (minute, 0))
            count = count + 1 if last == minute else 1
            self._windows[who] = (minute, count)
        if count > self.requests:
            left = max(1, round((minute + 1) * WINDOW_SECONDS - now))
            raise HubError(
                429,
                f"More than {self.requests} requests a minute",
                headers={
                    "RateLimit": f'"api";r=0;t={left}',
                    "RateLimit-Policy": f'"fixed window";"api";q={self.requests};w={WINDOW_SECONDS}',
                    "Retry-After": str(left),
                },
            )
