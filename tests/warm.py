"""A Python that has imported what training needs, and forks a process for each script: an import takes 5 s, a test 2.

    from tests.warm import popen      # as subprocess.Popen: a process of its own, with its own pid, signals and exit

The server is one for each environment of the libraries (they read HF_* when they are imported). It holds no thread, so
that forking is safe. Where there is no pidfd_open (anything but Linux), or a script is not Python's, use subprocess.
"""

from __future__ import annotations

import array
import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

HEAVY = ("torch", "transformers", "datasets", "accelerate", "peft", "trl", "scipy.optimize", "pandas", "sklearn")
#: What libraries read when they are imported. Tokens and folders of runs they read when they need them.
READ_EARLY = ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "OMP_", "PYTHON", "PATH", "HOME", "XDG_", "CUDA_", "TMPDIR")
READ_LATE = ("HF_TOKEN", "PYTEST_CURRENT_TEST")

_servers: dict[tuple, tuple[subprocess.Popen[bytes], socket.socket]] = {}


class Process:
    """A forked script, in the words of subprocess.Popen."""

    def __init__(self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], out: int, err: int) -> None:
        self.args, self.returncode = list(arguments), None
        self.line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        request = json.dumps({"argv": list(arguments), "cwd": str(cwd), "env": dict(environment)}).encode()
        with tempfile.TemporaryFile() as file, theirs:
            file.write(request)
            file.flush()
            handles = array.array("i", [theirs.fileno(), file.fileno(), out, err])
            _server(environment).sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)])
        self.pid = int(self._read())

    def _read(self) -> str:
        text = b""
        while not text.endswith(b"\n"):
            if not (part := self.line.recv(64)):
                raise RuntimeError("the process that forks is gone")
            text += part
        return text.decode()

    def poll(self) -> int | None:
        if self.returncode is None:
            self.line.settimeout(0)
            try:
                peeked = self.line.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return None
            self.line.settimeout(None)
            self.returncode = int(self._read()) if peeked else -signal.SIGKILL
            self.line.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = time.monotonic() + timeout if timeout else None
        while (code := self.poll()) is None:
            if end and time.monotonic() > end:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def popen(arguments: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: IO[Any], stderr: IO[Any]) -> Process:
    """`python ARGUMENTS` (a script's path first) in `cwd`, with this environment, writing into these two files."""
    return Process([str(each) for each in arguments], cwd, env, stdout.fileno(), stderr.fileno())


def run(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """As subprocess.run with captured text, of a Python script."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = popen(arguments, cwd, env, out, err)
        try:
            process.wait(timeout)
        except BaseException:
            process.kill()
            raise
        out.seek(0), err.seek(0)
        said = [file.read().decode("utf-8", "replace") for file in (out, err)]
        return subprocess.CompletedProcess(list(arguments), process.returncode or 0, *said)


def _server(environment: Mapping[str, str]) -> socket.socket:
    early = {k: v for k, v in environment.items() if k.startswith(READ_EARLY) and k not in READ_LATE}
    key = tuple(sorted(early.items()))
    if key not in _servers:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())], env={**environment}, pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        _servers[key] = (process, ours)
    return _servers[key][1]


@atexit.register
def stop() -> None:
    for process, line in _servers.values():
        line.close()  # at which it ends
        process.wait(30)
    _servers.clear()


def serve(line: socket.socket) -> None:
    """Forks for each request, tells the pid, and later the exit status. Ends with its caller."""
    sys.modules["bitsandbytes"] = None  # type: ignore[assignment] # as the scripts do on a CPU
    for name in HEAVY:
        __import__(name)
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer  # noqa: F401 - what is lazy
    from trl import DPOTrainer, GRPOTrainer, RewardTrainer, SFTTrainer  # noqa: F401

    gc.collect()
    gc.freeze()
    waiting = selectors.DefaultSelector()
    waiting.register(line, selectors.EVENT_READ)
    while True:
        for ready, _ in waiting.select():
            if ready.fileobj is line:
                data, handles, _, _ = socket.recv_fds(line, 1, 4)
                if not data:
                    return
                pid = os.fork()
                if not pid:
                    _become(*handles)
                with socket.socket(fileno=handles[0]) as answer:
                    answer.sendall(f"{pid}\n".encode())
                    waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, answer.detach()))
                for handle in handles[1:]:
                    os.close(handle)
            else:
                pid, answer = ready.data
                _, status = os.waitpid(pid, 0)
                os.write(answer, f"{os.waitstatus_to_exitcode(status)}\n".encode())
                os.close(answer)
                waiting.unregister(ready.fd)
                os.close(ready.fd)


def _become(answer: int, request: int, out: int, err: int) -> None:
    """This process is the script from here on, and ends as a Python of its own would."""
    with os.fdopen(request) as file:
        file.seek(0)
        wanted = json.load(file)
    os.close(answer)
    for number, handle in ((1, out), (2, err)):
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(wanted["cwd"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackio"]:
        del sys.modules[name]  # some library imported it, and it reads TRACKIO_DIR then
    sys.argv = wanted["argv"]
    sys.orig_argv[:] = [sys.executable, *sys.argv]
    sys.path[0] = str(Path(sys.argv[0]).parent)
    code: object = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = 0 if end.code is None else end.code
    except BaseException:  # noqa: BLE001 as the interpreter does
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
    finally:  # what a Python does at its end, but for taking the libraries down, which costs seconds after a fork
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
