"""The last step before a job's command: limits, a tie to the Hub's life, private host names; then exec.

Run as a file, isolated from the job's own PYTHON* variables: `python -I -S launch.py CONFIG COMMAND...`.
CONFIG is JSON: `limits` (name of RLIMIT_* -> bytes or count) and `hosts` (a file to see as /etc/hosts).
"""

import ctypes
import json
import os
import resource
import signal
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_BIND = 0x1000
MS_REC_PRIVATE = 0x44000
PR_SET_PDEATHSIG = 1


def set_limits(limits: dict[str, int]) -> None:
    for name, wanted in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


def private_hosts(path: str) -> None:
    """Show `path` as /etc/hosts to this process and its children; OSError where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNS) != 0:
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - pathlib would cost start-up time
                file.write(text)
    if libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    if libc.mount(path.encode(), b"/etc/hosts", None, MS_BIND, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")


def main(argv: list[str]) -> int:
    config, command = json.loads(argv[0]), argv[1:]
    set_limits(config.get("limits", {}))
    linux = sys.platform == "linux"
    if linux:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if config.get("hosts"):
        try:
            if not linux:
                raise OSError("only on Linux")
            private_hosts(config["hosts"])
        except (OSError, AttributeError) as error:
            print(f"[local hub] no private host names here: {error}", file=sys.stderr)
            return 125
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        print(f"[local hub] exec: {command[0]!r}: not found on this machine", file=sys.stderr)
        return 127
    except OSError as error:
        print(f"[local hub] exec: {command[0]!r}: {error.strerror}", file=sys.stderr)
        return 126


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
