"""The processes of a job: found by the JOB_ID in their environment, measured, and ended.

Process groups are not enough: torchrun gives each worker a session of its own. Where there is no /proc the
group of the job's first process is all that is known, and metrics say zero.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

PROC = Path("/proc")


def of_job(job_id: str) -> list[int]:
    """Process ids whose environment says `JOB_ID=<job_id>`."""
    marker = f"JOB_ID={job_id}".encode()
    found: list[int] = []
    if not PROC.is_dir():
        return found
    for entry in PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue  # gone meanwhile, or another user's
            if marker in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def signal_job(job_id: str, group: int | None, number: int) -> None:
    """Send a signal to the job's process group and to every process that carries its id."""
    if group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for process in of_job(job_id):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def end(job_id: str, group: int | None, grace_s: float = 3.0) -> None:
    """Ask the job's processes to end, and kill what is left after `grace_s`."""
    signal_job(job_id, group, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline and _alive(job_id):
        time.sleep(0.05)
    signal_job(job_id, group, signal.SIGKILL)


def _alive(job_id: str) -> bool:
    return any(_state(process) not in (None, "Z") for process in of_job(job_id))


def _stat(process: int) -> list[str] | None:
    try:
        text = (PROC / str(process) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _state(process: int) -> str | None:
    fields = _stat(process)
    return fields[0] if fields else None


def usage(job_id: str) -> tuple[float, int]:
    """Seconds of processor time and bytes of resident memory, over all processes of the job."""
    seconds, resident = 0.0, 0
    if not PROC.is_dir():
        return seconds, resident
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for process in of_job(job_id):
        fields = _stat(process)
        if fields:
            seconds += (int(fields[11]) + int(fields[12])) / tick
            resident += int(fields[21]) * page
    return seconds, resident
