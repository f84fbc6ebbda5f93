"""A tool's name -> what it takes, by running its `--help`, and only that of tools which are allowed.

A console script of Python is asked through probe.py, which reads its parser; any other program through the text of its
help. What was learned is kept by the version of the tool.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from skillpack.verify import helptext
from skillpack.verify.cache import Cache
from skillpack.verify.interface import Command, Option, from_json

#: What may be run unless the settings say otherwise.
ALLOWED = (
    *("hf", "trl", "trackio", "gradio", "uv", "uvx", "accelerate", "torchrun", "lm_eval", "lm-eval", "inspect"),
    *("llama-server", "llama-cli", "llama-quantize", "skillpack"),
)
#: What a script of Python, and any other, has in it that answers to --help.
_READS_ARGUMENTS = (("ArgumentParser", "argparse", "import click", "from click", "typer"), ("--help",))
#: Longest that a program may take to print its help, in seconds.
PATIENCE = 90
PROBE = Path(__file__).with_name("probe.py")
#: Its parser has no list of everything that it does; these arguments lead to the parser that has the most.
_ASK = {"gradio": ["info"]}
#: Commands that a program handles before its parser.
_UNLISTED = {"gradio": ("cc", "component", "upload-mcp")}
#: Options that `hf` takes out of the arguments of every command before it parses them.
_HF_EVERYWHERE = (
    Option(["--format"], 1, 1, ["auto", "human", "agent", "json", "quiet"]),
    Option(["--json"]),
    Option(["-q", "--quiet"]),
    Option(["--no-truncate"]),
)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|COOKIE", re.IGNORECASE)


class _Unanswered(Exception):
    """A program could not be asked this time, which says nothing of the next: it is not kept."""


class Tools:
    """The programs that may be run, and what each takes."""

    def __init__(self, allowed: Sequence[str], cache: Cache) -> None:
        self.allowed = frozenset(allowed)
        self.cache = cache
        self._known: dict[tuple[str, ...], Command | None] = {}

    def command(self, name: str, path: Sequence[str] = ()) -> Command | None:
        """What `name path…` takes; None where it may not be run, is not here, or does not say."""
        if name not in self.allowed:
            return None
        key = (name, *path)
        if key not in self._known:
            self._known[key] = self._ask(name, list(path))
        return self._known[key]

    def named(self, text: str) -> list[str]:
        """The allowed programs whose names are in `text`."""
        return [name for name in sorted(self.allowed) if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text)]

    def lacks(self, name: str) -> bool:
        """Whether the program is allowed and not here."""
        return name in self.allowed and _find(name) is None

    def script(self, path: str, text: str) -> Command | None:
        """What the script at `path`, whose content is `text`, takes. It is run with --help: ask for trusted ones.

        None, and it is not run, where it does not look as if it knew --help: it would do its work.
        """
        if not any(sign in text for sign in _READS_ARGUMENTS[Path(path).suffix != ".py"]):
            return None
        key = ("script", path, hashlib.sha256(text.encode()).hexdigest())
        if key not in self._known:
            around = packages(Path(sys.executable))
            kept = self.cache.get(*key, around)
            if kept is None:
                self._known[key] = None
                try:
                    if path.endswith(".py"):
                        command = _probe(sys.executable, "script", str(Path(path).resolve()), ["--help"])
                    else:
                        command = _read_help(["bash", str(Path(path).resolve())])
                except _Unanswered:
                    return None
                kept = command.to_json() if command else {}
                self.cache.put(kept, *key, around)
            self._known[key] = from_json(kept) if kept else None
        return self._known[key]

    def _ask(self, name: str, path: list[str]) -> Command | None:
        program = _find(name)
        if program is None:
            return None
        entry = _entry_point(program)
        version = _version(program, entry)
        kept = self.cache.get("tool", name, *path, version)
        if kept is None:
            try:
                if entry is not None:
                    arguments = [*(path or _ASK.get(name, [])), "--help"]
                    command = _probe(entry[0], "entry", entry[1], arguments, name=name)
                else:
                    command = _read_help([program, *path])
            except _Unanswered:
                return None
            command = _completed(name, path, command)
            kept = command.to_json() if command else {}
            self.cache.put(kept, "tool", name, *path, version)
        return from_json(kept) if kept else None


def _completed(name: str, path: list[str], command: Command | None) -> Command | None:
    """`command` with what the program takes and its parser does not say."""
    if command is None:
        return None
    if not path:
        for word in _UNLISTED.get(name, ()):
            command.subcommands[word] = Command(deferred=True)
        if name == "gradio":
            command.any_arguments = command.extra_options = True  # `gradio app.py`
    if name == "hf":
        for leaf in command.walk():
            if not leaf.subcommands and not leaf.extra_options:
                own = {word for option in leaf.options for word in option.names}
                leaf.options += [option for option in _HF_EVERYWHERE if own.isdisjoint(option.names)]
    if name == "trl" and path:
        # What a training command does not know goes to `accelerate launch`.
        launcher = _find("accelerate")
        entry = _entry_point(launcher) if launcher else None
        launch = _probe(entry[0], "entry", entry[1], ["launch", "--help"], name="accelerate") if entry else None
        if launch is not None and path[0] not in ("env", "vllm-serve", "skills"):
            command.options += [*launch.options, Option(["--accelerate_config"], 1, 1)]
    return command


def _find(name: str) -> str | None:
    """The program `name`: beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def _entry_point(program: str) -> tuple[str, str] | None:
    """The Python and the `module:function` of a console script; None for any other program."""
    try:
        with Path(program).open("rb") as file:
            head = file.read(2048)
    except OSError:
        return None
    if not head.startswith(b"#!") or b"\0" in head:
        return None
    text = head.decode("utf-8", "replace")
    function = re.search(r"^from ([\w.]+) import (\w+)", text, re.MULTILINE)
    python = text[2:].split("\n", 1)[0].strip()
    if function is None or "python" not in python or not Path(python.split()[0]).exists():
        return None
    return python.split()[0], f"{function[1]}:{function[2]}"


def _version(program: str, entry: tuple[str, str] | None) -> str:
    """What changes when the program does: versions of packages around a console script, else the file's size and time.

    All packages, and not the tool's own alone: `trl sft` takes what its transformers takes.
    """
    if entry is None:
        status = Path(program).resolve().stat()
        return f"{program} {status.st_size} {status.st_mtime_ns}"
    return f"{entry} {packages(Path(entry[0]))}"


def packages(python: Path) -> str:
    """A digest of the names and versions of what is installed beside the interpreter `python`."""
    folders = sorted(python.parent.parent.glob("lib*/python*/site-packages")) or [
        Path(one) for one in sys.path if one.endswith("site-packages")
    ]
    names = sorted(path.name for folder in folders for path in folder.glob("*.dist-info"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _probe(python: str, kind: str, target: str, arguments: list[str], *, name: str = "") -> Command | None:
    """What probe.py finds; what the program prints as help where it finds nothing."""
    with tempfile.TemporaryDirectory(prefix="skillpack-verify-") as folder:
        out = Path(folder) / "interface.json"
        variables = environment()
        if name:
            variables["SKILLPACK_PROBE_NAME"] = name
        printed = _run([python, str(PROBE), str(out), kind, target, *arguments], folder, variables)
        if out.exists():
            return from_json(json.loads(out.read_text(encoding="utf-8")))
    return helptext.parse(printed)


def _read_help(command: list[str]) -> Command | None:
    with tempfile.TemporaryDirectory(prefix="skillpack-verify-") as folder:
        return helptext.parse(_run([*command, "--help"], folder, environment()))


def _run(command: list[str], folder: str, variables: dict[str, str]) -> str:
    """What the command prints. Raises _Unanswered where it cannot be run or takes too long."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise _Unanswered from None
    return (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")


def environment() -> dict[str, str]:
    """This process's, without what looks like a secret, and without a reason to use the network."""
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    own = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_COLOR": "1", "COLUMNS": "200"}
    return {**kept, **own, "PYTHONDONTWRITEBYTECODE": "1"}  # no __pycache__ beside a skill's scripts
