"""The region of the scripts that measure for long: what is measured is kept as it comes, and a crash costs little."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from skillpack.kit.script import log, write_atomic


# region skillpack:kept
import time

QUIET_SECONDS = 30  # where no bar is drawn, a line on the log so often


def kept(file: Path, key: str, items: list, what: str, measure: Callable[[list], list], batch: int = 1) -> list:
    """`measure` of each of `items`, `batch` at a time, appended to `file` as they come.

    Where `file` holds a beginning of the same measurement (`key`), the rest is measured; else it begins anew.
    """
    done = _kept_lines(file, key)
    done = done if len(done) == len(items) else done[: len(done) // batch * batch]
    if len(done) == len(items):
        return done
    from tqdm import tqdm

    lines = [json.dumps({"key": key}), *map(json.dumps, done)]
    write_atomic(file, "".join(line + "\n" for line in lines))
    log(f"{what}: {len(items)}" + (f", {len(done)} kept from before" if done else ""))
    bar = tqdm(total=len(items), initial=len(done), desc=what, disable=not sys.stderr.isatty())
    said = time.monotonic()
    with file.open("a", encoding="utf-8") as stream, bar:
        for start in range(len(done), len(items), batch):
            part = measure(items[start : start + batch])
            stream.write("".join(json.dumps(value) + "\n" for value in part))
            stream.flush()
            done += json.loads(json.dumps(part))  # as they are when read back
            bar.update(len(part))
            if bar.disable and time.monotonic() - said > QUIET_SECONDS:
                said = time.monotonic()
                log(f"{what}: {len(done)} of {len(items)}")
    return done


def _kept_lines(file: Path, key: str) -> list:
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]  # what a killed process left without an end is no line
    return [json.loads(line) for line in lines[1:]] if lines and json.loads(lines[0]) == {"key": key} else []


# endregion skillpack:kept
