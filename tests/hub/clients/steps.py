"""Steps of a client script: functions run in order in one process, each reported as a line of JSON.

A script imports `step`, decorates its functions with it and ends with `run()`. State between steps is the script's
own module level.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable

STEPS: list[Callable[[], None]] = []


def step(function: Callable[[], None]) -> Callable[[], None]:
    STEPS.append(function)
    return function


def refuses(kind: type[Exception], call: Callable[[], object], text: str = "") -> Exception:
    """The exception that `call` raises, which must be a `kind` and say `text`."""
    try:
        call()
    except kind as error:
        assert text in str(error), f"{text!r} not in {error}"
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def run() -> None:
    for function in STEPS:
        started = time.monotonic()
        try:
            function()
        except Exception:  # noqa: BLE001 - whatever it is, it is the report of this step
            traceback.print_exc()
            print(json.dumps({"step": function.__name__, "ok": False}), flush=True)
            sys.exit(1)
        seconds = round(time.monotonic() - started, 3)
        print(json.dumps({"step": function.__name__, "ok": True, "seconds": seconds}), flush=True)
