"""Many trees -> diagnostics, by several processes of this program where that is faster.

The processes are forked: they start with all that is loaded, in a millisecond. Where a system cannot fork, or there
is one processor, this process does it all; the findings are the same, since they are sorted in the end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from skillpack.checker import Judged, conclude, judge
from skillpack.diagnostics import Diagnostic
from skillpack.errors import Failure
from skillpack.rules import Rule
from skillpack.skill import load_skill
from skillpack.source import Tree

if TYPE_CHECKING:
    from skillpack.cache import Cache

#: A process more pays from this many skills on: it costs about as much as a few of them.
TREES_EACH = 30


def check_trees(
    trees: Sequence[Tree],
    rules: Sequence[Rule],
    progress: Callable[[Sequence[Tree]], Iterable[Tree]] = iter,
    workers: int | None = None,
    cache: Cache | None = None,
) -> list[Diagnostic]:
    """Every finding in `trees`. `progress` is handed the share of this process, of the same size as the others'.

    With a `cache`, made of the same rules, skills that it knows are not judged again, and it is saved.
    Raises Failure when a worker ended before its time: what it had to check was not checked.
    """
    workers = workers or processors(len(trees))
    if workers > 1:
        for rule in rules:
            _ = rule.judge  # imported once, before the processes part
    sys.stdout.flush()
    others = [_start(trees[number::workers], rules, cache) for number in range(1, workers)]
    own = _judged(progress(trees[::workers]), rules, cache)
    results = [_result(*other) for other in others]
    if cache is not None:
        cache.save(asked for _, asked in results)
    return conclude([own, *(judged for judged, _ in results)], rules)


def _judged(trees: Iterable[Tree], rules: Sequence[Rule], cache: Cache | None) -> Judged:
    return judge(map(load_skill, trees), rules) if cache is None else cache.judge(trees)


def processors(trees: int) -> int:
    """How many processes so many trees are worth. One where forking is not safe: macOS can, and libraries then fail."""
    return max(1, min(len(os.sched_getaffinity(0)), trees // TREES_EACH)) if sys.platform == "linux" else 1


def _start(trees: Sequence[Tree], rules: Sequence[Rule], cache: Cache | None) -> tuple[int, int]:
    """A process that judges `trees`: its number, and the pipe by which its result comes and what it asked the cache."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    code = 1
    try:  # nothing may leave this block: the caller's stack belongs to the other process
        import pickle

        os.close(reading)
        judged = _judged(trees, rules, cache)
        result = pickle.dumps((judged, cache.asked if cache else {}))
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(result)
        code = 0
    finally:
        os._exit(code)


def _result(process: int, reading: int) -> tuple[Judged, dict[str, Any]]:
    import pickle

    with os.fdopen(reading, "rb") as pipe:
        result = pipe.read()
    _, status = os.waitpid(process, 0)
    if status or not result:
        raise Failure(f"a process that checked a part of the skills ended early (status {status}); nothing is reported")
    judged: tuple[Judged, dict[str, Any]] = pickle.loads(result)
    return judged
