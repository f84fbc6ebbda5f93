"""What `uv` means inside a local job: the Python environment that the Hub runs in, and no downloads.

A job finds this module as `uv` on its PATH, unless the Hub was started isolated. `uv run` runs the script or
command in that environment and says which `--with` packages it lacks; every other subcommand is refused.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

WITH_VALUE = frozenset(
    (
        "--with",
        "--with-editable",
        "--with-requirements",
        "--python",
        "-p",
        "--index",
        "--default-index",
        "--index-url",
        "-i",
        "--extra-index-url",
        "--find-links",
        "-f",
        "--index-strategy",
        "--keyring-provider",
        "--resolution",
        "--prerelease",
        "--exclude-newer",
        "--link-mode",
        "--env-file",
        "--project",
        "--directory",
        "--extra",
        "--no-extra",
        "--group",
        "--no-group",
        "--only-group",
        "--package",
        "--config-file",
        "--cache-dir",
        "--color",
        "--refresh-package",
        "--upgrade-package",
        "-P",
        "--reinstall-package",
        "--no-binary-package",
        "--no-build-package",
        "--config-setting",
        "-C",
        "--python-platform",
    )
)
REQUIREMENT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass
class UvRun:
    """`uv run` taken apart; `module` when the target was given with -m."""

    target: str
    arguments: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    module: bool = False
    script: bool = False


def parse(arguments: list[str]) -> UvRun:
    """The arguments after `uv run`; ValueError when they name nothing to run."""
    packages: list[str] = []
    module = script = False
    index = 0
    while index < len(arguments):
        argument = arguments[index]
        name, equals, value = argument.partition("=")
        index += 1
        if argument == "--":
            break
        if argument in ("-m", "--module"):
            module = True
        elif argument in ("-s", "--script"):
            script = True
        elif name in WITH_VALUE:
            if not equals:
                if index >= len(arguments):
                    raise ValueError(f"{name} needs a value")
                value = arguments[index]
                index += 1
            if name == "--with":
                packages.extend(part.strip() for part in value.split(",") if part.strip())
        elif not argument.startswith("-") or argument == "-":
            index -= 1
            break
    if index >= len(arguments):
        raise ValueError("nothing to run")
    return UvRun(arguments[index], arguments[index + 1 :], packages, module, script)


def missing(packages: list[str]) -> list[str]:
    """Those requirements whose distribution is not installed here (versions are not compared)."""
    absent = []
    for requirement in packages:
        name = REQUIREMENT_NAME.match(requirement)
        try:
            importlib.metadata.version(name.group() if name else requirement)
        except importlib.metadata.PackageNotFoundError:
            absent.append(requirement)
    return absent


def fetch_script(url: str) -> str:
    """A script that the local Hub itself serves, saved beside the job; ValueError for any other address."""
    endpoint = os.environ.get("HF_ENDPOINT", "")
    if not endpoint or not url.startswith(endpoint.rstrip("/") + "/"):
        raise ValueError(f"{url} is not on the local Hub, and a local job downloads nothing from elsewhere")
    request = urllib.request.Request(url)
    if token := os.environ.get("HF_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
    except urllib.error.URLError as error:
        raise ValueError(f"{url}: {error}") from error
    folder = Path(tempfile.mkdtemp(prefix="uv-run-"))
    path = folder / (Path(url.split("?")[0]).name or "script.py")
    path.write_bytes(text)
    return str(path)


def command(run: UvRun, python: str) -> list[str]:
    """The argument vector to execute in place of `uv run`."""
    target = run.target
    if run.module:
        return [python, "-m", target, *run.arguments]
    if target == "-":
        return [python, "-", *run.arguments]
    if target.startswith(("http://", "https://")):
        return [python, fetch_script(target), *run.arguments]
    if run.script or target.endswith((".py", ".pyw")) or (Path(target).is_dir() and "/" in target):
        return [python, target, *run.arguments]
    if target in ("python", "python3"):
        return [python, *run.arguments]
    return [target, *run.arguments]


def main(argv: list[str]) -> int:
    def say(text: str) -> None:
        print(f"[local hub] uv: {text}", file=sys.stderr, flush=True)

    if argv[:1] != ["run"]:
        say(f"{' '.join(argv[:2]) or 'no subcommand'}: only `uv run` exists in a local job (see --isolated)")
        return 2
    try:
        run = parse(argv[1:])
        if absent := missing(run.packages):
            say(f"not in the environment of the Hub, and not installed: {', '.join(absent)}")
        vector = command(run, sys.executable)
        os.execvp(vector[0], vector)
    except ValueError as error:
        say(str(error))
        return 2
    except OSError as error:
        say(f"{run.target}: {error.strerror}")
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
