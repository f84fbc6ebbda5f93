"""The region of the scripts that follow jobs: their logs as they come, until no stage is left that goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from skillpack.kit.hub import on_hub
from skillpack.kit.jobs import ACTIVE, stage_of
from skillpack.kit.script import Failure, log

# region skillpack:following
import queue
import threading
import time
from collections.abc import Iterable

POLL_SECONDS = 3.0
MOST_TROUBLE = 20  # looks in a row that may fail before following gives up


def follow(
    logs: dict[str, Iterable[str]], look: Callable[[], str], heard: Callable[[str, str], None],
    shown: Callable[[str], None],
) -> str:  # fmt: skip
    """The stage that `look` gives at the end, whichever end it is.

    `heard` gets (name, line) of each log as it comes, `shown` the stage, several times a second. A network that fails
    for a while ends nothing: the jobs go on, and it looks again.
    """
    arrived: queue.Queue = queue.Queue()

    def read(name: str, lines: Iterable[str]) -> None:
        with contextlib.suppress(Exception):  # a log may break off; the stage is asked for by itself
            for line in lines:
                arrived.put((name, line))

    readers = [threading.Thread(target=read, args=item, daemon=True) for item in logs.items()]
    for reader in readers:
        reader.start()
    stage, asked, trouble = look(), time.monotonic(), 0
    while stage in ACTIVE:
        with contextlib.suppress(queue.Empty):
            heard(*arrived.get(timeout=0.3))
            while True:
                heard(*arrived.get_nowait())
        reading = any(reader.is_alive() for reader in readers)
        if time.monotonic() - asked > (POLL_SECONDS if reading or not readers else 0.5):  # no more log: it is ending
            asked = time.monotonic()
            try:
                stage, trouble = look(), 0
            except Failure as failure:
                trouble += 1
                if trouble > MOST_TROUBLE:
                    raise
                log(f"warning: {failure.problem}; looking again")
        shown(stage)
    return stage


def job_now(api, namespace: str, job_id: str):
    """A job as it is now. Raises Failure that says where to look for the id."""
    from huggingface_hub.errors import JobNotFoundError

    try:
        with on_hub("looking at the job", passing=(JobNotFoundError,)):
            return api.inspect_job(job_id=job_id, namespace=namespace)
    except JobNotFoundError:
        fix = "check the id (`hf jobs ps -a`), and the namespace: give NAMESPACE/ID"
        raise Failure(f"{namespace} has no job {job_id}", fix) from None


def whole_log(api, job, namespace: str) -> list[str]:
    """All lines of a job's log. Of an ended one it is followed: a plain read leaves out its last second."""
    ended = stage_of(job) not in ACTIVE
    with on_hub("reading the log"):
        return list(api.fetch_job_logs(job_id=job.id, namespace=namespace, follow=ended))


# endregion skillpack:following
