"""The region that runs code which a model wrote against tests, without trusting it.

Three processes. The trainer starts a checker, which holds the tests and gives the verdict; the checker forks a solver
before it has read anything, and the solver runs the answer's code. Tests call the answer's functions over a pipe, and
only plain data comes back. So code that exits, patches builtins, searches its own memory or returns an object that
equals everything finds neither tests nor verdict where it runs.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from skillpack.kit.script import Failure, log

# region skillpack:sandbox
import builtins
import contextlib
import ctypes
import functools
import inspect
import itertools
import resource
import secrets
import shutil
import signal
import subprocess
import tempfile

TEST_SECONDS = 5  # of a processor, for one answer's code and its tests; by the clock, three times this
TEST_MEMORY_MB, TEST_FILES_MB, TEST_PROCESSES = 1024, 16, 32
SANDBOX_UID = 65534  # of the solver where the trainer is root; the checker is the one below
LEVELS = {
    "namespaces": "no network, no file of this machine but the interpreter's, read-only, and processes of their own",
    "other user": "another user, and an audit hook of Python's that native code can get around",
    "same user": "only limits and an audit hook: code that means harm can get out, and read what you can read",
}


def pack(value, keep: list | None):
    """`value` for JSON, tagged where JSON has no such type; what is not plain data is kept, and its place is sent."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Remote):
        return {"kept": object.__getattribute__(value, "place")}
    for kind in (list, tuple, set, frozenset):
        if isinstance(value, kind):
            return {kind.__name__: [pack(item, keep) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(key, keep), pack(item, keep)] for key, item in value.items()]}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if hasattr(value, "__next__"):
        return {"iter": [pack(item, keep) for item in itertools.islice(value, 10_000)]}
    if keep is None:
        raise TypeError(f"a test cannot hand a {type(value).__name__} to the answer's code: plain data only")
    keep.append(value)
    return {"kept": len(keep) - 1}


def unpack(data, kept):
    """The value that `pack` sent; `kept(place)` gives what was not plain data."""
    if not isinstance(data, dict):
        return data
    [(kind, content)] = data.items()
    if kind == "kept":
        return kept(content)
    if kind == "bytes":
        return bytes.fromhex(content)
    if kind == "complex":
        return complex(*content)
    if kind == "dict":
        return {unpack(key, kept): unpack(item, kept) for key, item in content}
    makers: dict = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "iter": iter}
    return makers[kind]([unpack(item, kept) for item in content])


class Remote:
    """Something of the answer's code, as a test sees it: it can be called and asked for attributes, no more.

    Its equality is identity, so that no `__eq__` of the answer's decides a test.
    """

    def __init__(self, ask, place: int) -> None:
        self.ask, self.place = ask, place

    def __call__(self, *args, **kwargs):
        return self.ask({"call": self.place, "args": pack(args, None), "kwargs": pack(kwargs, None)}, args)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return self.ask({"get": self.place, "name": name}, ())


def solve(read, write) -> None:
    """The solver: runs the answer's code, then does what the checker asks of it. Nothing here is trusted."""
    kept: list = []

    def reply(make) -> None:
        try:
            document = make()
        except BaseException as error:  # noqa: BLE001 - SystemExit too: it is the answer's, and the checker judges
            document = {"error": [type(error).__name__, str(error)[:500]]}
        write(document)

    def define() -> dict:
        names: dict = {"__name__": "answer"}
        exec(compile(read()["code"], "answer.py", "exec"), names)
        return {"names": {name: pack(value, kept) for name, value in names.items() if not name.startswith("_")}}

    def serve(request: dict) -> dict:
        if "get" in request:
            return {"value": pack(getattr(kept[request["get"]], request["name"]), kept)}
        args, kwargs = (unpack(request[key], kept.__getitem__) for key in ("args", "kwargs"))
        value = pack(kept[request["call"]](*args, **kwargs), kept)
        return {
            "value": value,
            "args": [pack(arg, kept) if isinstance(arg, (list, dict, set)) else None for arg in args],
        }

    reply(define)
    while request := read():
        reply(lambda request=request: serve(request))


def check(job: dict, read, write) -> list[bool]:
    """The checker: whether each test of the job holds for its code, which runs in the process behind the pipe."""

    def ask(request: dict, args: tuple):
        write(request)
        answer = read()
        if "error" in answer:
            name, message = answer["error"]
            kind = getattr(builtins, str(name), None)
            raise (kind if isinstance(kind, type) and issubclass(kind, Exception) else RuntimeError)(message)
        for arg, after in zip(args, answer.get("args", ()), strict=False):
            if after is not None:  # what a function did to its argument, done to the test's
                changed = unpack(after, remote)
                arg.clear()
                (arg.extend if isinstance(arg, list) else arg.update)(changed)
        return unpack(answer["value"], remote)

    def remote(place: int) -> Remote:
        return Remote(ask, place)

    write({"code": job["code"]})
    try:
        defined = read()["names"]
    except (KeyError, OSError, ValueError):
        return [False] * len(job["tests"])
    names: dict = {"__name__": "tests"}
    for name, data in defined.items():
        if name in sys.stdlib_module_names:
            names[name] = __import__(name)  # the real one, not what the answer calls by its name
        elif not hasattr(builtins, name):
            names[name] = unpack(data, remote)
    verdicts = []
    for test in job["tests"]:
        try:
            exec(compile(test, "tests.py", "exec"), names)
            verdicts.append(True)
        except BaseException:  # noqa: BLE001 - whatever a test raises, it does not hold
            verdicts.append(False)
    return verdicts


def libc_call(name: str, *args) -> None:
    """A function of the C library. Raises OSError with its name."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*args) == -1:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def enter_namespaces() -> None:
    """Own network, processes and files: a root of its own with the interpreter, read-only, and an empty /tmp.

    Raises OSError where the kernel, or the container this runs in, does not allow it. The next fork is process 1.
    """
    bind, everything, private, detach = 0x1000, 0x4000, 1 << 18, 2
    as_root, uid, gid, root = os.geteuid() == 0, os.getuid(), os.getgid(), Path.cwd()
    # mounts, IPC, network, processes; a user namespace gives the right to the others where the trainer is not root
    libc_call("unshare", 0x20000 | 0x8000000 | 0x40000000 | 0x20000000 | (0 if as_root else 0x10000000))
    if not as_root:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path("/proc/self", name).write_text(text)
    libc_call("mount", None, b"/", None, everything | private, None)
    libc_call("mount", b"tmpfs", bytes(root), b"tmpfs", 0, b"size=%dm,mode=755" % TEST_FILES_MB)
    wanted = {Path(path) for path in ("/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix)}
    for path in sorted(wanted):
        inside = Path(f"{root}{path}")
        if path.is_symlink():
            inside.symlink_to(path.readlink())
        elif path.is_dir() and wanted.isdisjoint(path.parents):
            inside.mkdir(parents=True)
            libc_call("mount", bytes(path), bytes(inside), None, bind | everything, None)
            read_only = (ctypes.c_uint64 * 4)(1, 0, 0, 0)  # mount_setattr(2), Linux 5.12: all mounts below too
            libc_call("syscall", 442, -100, bytes(inside), 0x8000, read_only, 32)
    for device in (Path("/dev/null"), Path("/dev/urandom")):
        inside = Path(f"{root}{device}")
        inside.parent.mkdir(exist_ok=True)
        inside.touch()
        libc_call("mount", bytes(device), bytes(inside), None, bind, None)
    (root / "tmp").mkdir(exist_ok=True)  # the interpreter may lie there
    (root / "tmp").chmod(0o1777)
    os.chdir(root)
    libc_call("pivot_root", b".", b".")
    libc_call("umount2", b".", detach)
    os.chdir("/tmp")


def limit(processes: int) -> None:
    """Limits of this process and its children; of processes the user may have only where the user is not root."""
    bytes_, files = TEST_MEMORY_MB << 20, TEST_FILES_MB << 20
    limits = {"CPU": TEST_SECONDS, "AS": bytes_, "FSIZE": files, "CORE": 0, "NOFILE": 64, "NPROC": processes}
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def drop_rights(level: str, uid: int) -> None:
    """No capability, no way to a new one, and closed to other processes' eyes (ptrace, /proc)."""
    if os.geteuid() == 0 and level != "same user":
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        Path(os.__file__).stat()  # an interpreter below a closed home cannot be read now: OSError, and no verdict
    elif level == "other user":
        raise PermissionError("only root can become another user")
    elif level == "namespaces":
        libc_call("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())
    if sys.platform == "linux":
        libc_call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        libc_call("prctl", 4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def forbid(readable: tuple):
    """An audit hook: no sockets, no processes, no native code, no file but those below `readable`, written in the last.

    What runs below Python's calls does not see it: where namespaces are refused it stops accidents, not attacks.
    """
    never = ("socket.", "subprocess.", "ctypes.", "gc.", "pty.", "os.fork", "os.exec", "os.posix_spawn", "os.system",
             "os.kill", "os.chdir", "os.chroot", "object.__setattr__", "sys.addaudithook")  # fmt: skip
    changing = {"remove", "rename", "rmdir", "mkdir", "link", "symlink", "truncate", "chmod", "chown", "utime"}

    def hook(event: str, args: tuple) -> None:
        if event.startswith(never):
            raise PermissionError(f"{event} is not allowed here")
        change = event.startswith("os.") and event[3:] in changing
        if event == "open" or change:
            writes = change or bool(args[2] & 0o1103)  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC of Linux and macOS
            for path in args[: 2 if change else 1]:
                if isinstance(path, (str, bytes)):
                    real = os.path.realpath(os.fsdecode(path)) + "/"
                    if not real.startswith(readable[-1:] if writes else readable):
                        raise PermissionError(f"{real} is not in the sandbox")

    return hook


def sandboxed(level: str) -> None:
    """The whole of the child process: reads a job from standard input, writes its nonce and verdicts."""
    null, here, verdict = os.open("/dev/null", os.O_RDWR), Path.cwd(), os.dup(1)
    os.dup2(null, 1)  # a test that prints writes nothing beside the verdict
    running = 0
    if level == "namespaces":
        enter_namespaces()
        if child := os.fork():
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    elif os.getuid():  # the limit counts every process of the user
        running = sum(path.stat().st_uid == os.getuid() for path in Path("/proc").glob("[0-9]*"))
    requests, answers = os.pipe(), os.pipe()

    def talk(reading: int, writing: int):
        source, sink = os.fdopen(reading, "r", encoding="utf-8"), os.fdopen(writing, "w", encoding="utf-8")

        def read():
            line = source.readline(1 << 20)
            return json.loads(line) if line.endswith("\n") else {}

        def write(document) -> None:
            sink.write(json.dumps(document) + "\n")
            sink.flush()

        return read, write

    # Forked before standard input is read: the solver never had tests or nonce in its memory.
    if os.fork() == 0:
        for number in (0, 1, 2):
            os.dup2(null, number)
        for number in (verdict, requests[1], answers[0]):
            os.close(number)
        limit(running + TEST_PROCESSES)
        drop_rights(level, SANDBOX_UID)
        if level != "namespaces":
            sys.addaudithook(forbid((sys.base_prefix + "/", sys.prefix + "/", "/usr/", "/dev/", f"{here}/")))
        solve(*talk(requests[0], answers[1]))
        os._exit(0)
    for number in (requests[0], answers[1]):
        os.close(number)
    job = json.load(sys.stdin)
    limit(running + TEST_PROCESSES)
    drop_rights(level, SANDBOX_UID - 1)
    verdicts = check(job, *talk(answers[0], requests[1]))
    os.write(verdict, json.dumps([job["nonce"], verdicts]).encode())
    os._exit(0)


@functools.cache
def sandbox_source() -> str:
    """The program of the child process: the functions above, and no other line of this script."""
    parts: tuple = (
        pack,
        unpack,
        Remote,
        solve,
        check,
        libc_call,
        enter_namespaces,
        limit,
        drop_rights,
        forbid,
        sandboxed,
    )
    names = ("TEST_SECONDS", "TEST_MEMORY_MB", "TEST_FILES_MB", "TEST_PROCESSES", "SANDBOX_UID")
    imports = "from __future__ import annotations\nfrom pathlib import Path\n"
    imports += "import builtins, ctypes, itertools, json, os, resource, sys\n"
    constants = "".join(f"{name} = {globals()[name]}\n" for name in names)
    return imports + constants + "\n\n".join(map(inspect.getsource, parts)) + "\nsandboxed(sys.argv[1])\n"


def run_in_sandbox(level: str, code: str, tests: tuple[str, ...]) -> list[bool] | None:
    """Whether each test holds for `code`; None when the checker gave no verdict (time, or it could not start)."""
    nonce, folder = secrets.token_hex(16), tempfile.mkdtemp(prefix="answer-")
    Path(folder).chmod(0o777)  # the solver may be another user
    command = [sys.executable, "-I", "-c", sandbox_source(), level]
    process = subprocess.Popen(
        command, cwd=folder, env={"PATH": "/usr/bin:/bin", "OPENBLAS_NUM_THREADS": "1"}, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        job = {"nonce": nonce, "code": code, "tests": tests}
        output, _ = process.communicate(json.dumps(job).encode("utf-8", "replace"), timeout=3 * TEST_SECONDS)
        said, verdicts = json.loads(output)
        return verdicts if said == nonce and len(verdicts) == len(tests) else None
    except (subprocess.TimeoutExpired, ValueError, BrokenPipeError):
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.__exit__(None, None, None)  # closes the pipes
        shutil.rmtree(folder, ignore_errors=True)


@functools.cache
def sandbox_level() -> str:
    """The strictest of LEVELS that works on this machine: tried on code that must pass and code that must fail."""
    for level, means in LEVELS.items():
        right = run_in_sandbox(level, "def double(x): return 2 * x", ("assert double(2) == 4",))
        wrong = run_in_sandbox(level, "def double(x): return 3 * x", ("assert double(2) == 4",))
        if (right, wrong) == ([True], [False]):
            log(f"{'' if level == 'namespaces' else 'warning: '}tests of answers run with {means}")
            return level
    raise Failure("no sandbox works on this machine", "take another reward than tests, or run it on Linux")


@functools.lru_cache(maxsize=20_000)
def tests_passed(code: str, tests: tuple[str, ...]) -> float:
    """Share of `tests` (snippets of Python, most often an assert each) that hold for an answer's `code`, 0 to 1."""
    verdicts = run_in_sandbox(sandbox_level(), code, tests)
    return sum(verdicts) / len(tests) if verdicts else 0.0


# endregion skillpack:sandbox
