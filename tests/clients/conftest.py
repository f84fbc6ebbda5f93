"""Real agents in throwaway homes: no login, no network but this machine, versions pinned in package.json."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
MODULES = Path(os.environ.get("SKILLPACK_CLIENTS", HERE)) / "node_modules"
SKILLS = sorted(path.parent.name for path in (ROOT / "skills").glob("*/SKILL.md"))
#: What this process knows and a client must not.
SECRETS = ("TOKEN", "KEY", "SECRET", "PASSWORD", "NODE_OPTIONS", "CLAUDE", "CODEX", "GEMINI", "COPILOT", "GITHUB")

if os.environ.get("SKILLPACK_NO_CLIENTS"):
    collect_ignore_glob = ["test_*.py"]


@dataclass
class Home:
    """A throwaway home directory, and `run` for a client in it. `answers` are the outputs so far."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(
        self, command: str | list[str], *, cwd: Path | None = None, code: int | None = 0, timeout: int = 120
    ) -> str:
        """Standard output and error of the client, which must end with `code` (None: whatever it ends with)."""
        done = subprocess.run(
            command,
            shell=isinstance(command, str),
            cwd=cwd or self.path,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert code is None or done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout[-3000:]}"
        self.code = done.returncode
        return done.stdout

    def json(self, command: str, *, cwd: Path | None = None) -> object:
        """The JSON document on the client's standard output: a file, since opencode cuts a pipe at 64 KiB."""
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run(
                command, shell=True, cwd=cwd or self.path, env=self.env, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.PIPE, text=True, timeout=120,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr[-2000:]}"
            out.seek(0)
            return json.load(out)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """An empty home. The clients are on its PATH, and each finds its settings in it."""
    assert (MODULES / ".bin" / "claude").exists(), (
        "run `make clients`, or set SKILLPACK_NO_CLIENTS=1 to leave these out"
    )
    path = tmp_path / "home"
    path.mkdir()
    kept = {key: value for key, value in os.environ.items() if not any(word in key.upper() for word in SECRETS)}
    env = {
        **kept,
        "HOME": str(path),
        "PATH": f"{MODULES / '.bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(path / ".config"),
        "XDG_DATA_HOME": str(path / ".local/share"),
        "XDG_CACHE_HOME": str(path / ".cache"),
        "GIT_TERMINAL_PROMPT": "0",
        "DO_NOT_TRACK": "1",
        "DISABLE_TELEMETRY": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CI": "1",
    }
    settings = path / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"security": {"folderTrust": {"enabled": false}}}', encoding="utf-8")
    yield Home(path, env)
    shutil.rmtree(path, ignore_errors=True)


def publish(home: Home, repository: Path, name: str = "acme/skillpack") -> Path:
    """Makes github.com/NAME, for the clients of this home, a bare copy of `repository`; returns a clone of it."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    bare, clone = home.path / "git" / f"{name}.git", home.path / "clones" / name
    subprocess.run([*git, "clone", "-q", "--bare", str(repository), str(bare)], check=True)
    subprocess.run([*git, "clone", "-q", str(bare), str(clone)], check=True)
    base = (home.path / "git").as_uri() + "/"
    lines = [f'[url "{base}"]', *(f"\tinsteadOf = {url}" for url in GITHUB)]
    (home.path / ".gitconfig").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return clone


GITHUB = ("https://github.com/", "git@github.com:", "ssh://git@github.com/")


def repository_of(folder: Path) -> Path:
    """Makes `folder` a git repository with all of its files committed to main."""
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a pack"], check=True)
    return folder


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository's published files as they are now, manifests included, as a git repository of their own."""
    folder = tmp_path_factory.mktemp("ours") / "skillpack"
    ignore = shutil.ignore_patterns("__pycache__", ".*cache", "runs", "node_modules")
    shutil.copytree(ROOT / "skills", folder / "skills", ignore=ignore)
    for name in ("README.md", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    command = [sys.executable, "-m", "skillpack", "manifest", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return repository_of(folder)


def commands(section: str, kind: str) -> list[str]:
    """The commands of docs/install.md in the block ```sh KIND of `section`."""
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    body = re.split(r"^## ", text, flags=re.M)
    (part,) = [part for part in body if part.startswith(section)]
    (block,) = re.findall(rf"^```sh {kind}\n(.*?)^```", part, re.M | re.S)
    return block.strip().splitlines()


def follow(home: Home, section: str, kind: str, source: Path | None = None, cwd: Path | None = None) -> str:
    """Runs the commands of that block as a user would; each must end with 0."""
    said = ""
    for line in commands(section, kind):
        line = line.replace("https://github.com/OWNER/REPO", str(source)) if source else line
        said += home.run(line.replace("OWNER/REPO", "acme/skillpack").replace("npx skills", "skills"), cwd=cwd)
    return said


def claude_sees(home: Home) -> dict[str, list[str]]:
    """What a session of Claude Code starts with: its skills of plugins, its plugins, agents and servers."""
    said = home.run("claude -p x --output-format stream-json --verbose", code=None)
    start = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    return {
        "skills": sorted(name for name in start["skills"] if ":" in name),
        "plugins": sorted(plugin["name"] for plugin in start["plugins"]),
        "agents": sorted(start["agents"]),
        "mcp_servers": sorted(server["name"] for server in start["mcp_servers"]),
    }


def codex_sees(home: Home) -> tuple[dict[str, Path], list[object]]:
    """(skill -> its SKILL.md, errors) of the Codex app server, without the skills that are its own."""
    server = subprocess.Popen(
        ["codex", "app-server"], env=home.env, cwd=home.path, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert server.stdin is not None and server.stdout is not None

    def call(number: int, method: str, parameters: object) -> dict:
        server.stdin.write(json.dumps({"id": number, "method": method, "params": parameters}) + "\n")
        server.stdin.flush()
        for line in server.stdout:
            answer = json.loads(line)
            if answer.get("id") == number:
                return answer
        raise AssertionError("the app server ended")

    try:
        call(1, "initialize", {"clientInfo": {"name": "test", "version": "1"}})
        server.stdin.write('{"method": "initialized"}\n')
        (listed,) = call(2, "skills/list", {"cwds": [str(home.path)], "forceReload": True})["result"]["data"]
    finally:
        server.terminate()
        server.wait(10)
    skills = {skill["name"]: Path(skill["path"]) for skill in listed["skills"]}
    return {name: path for name, path in skills.items() if ".system" not in path.parts}, listed["errors"]


def helps(folder: Path) -> None:
    """Every script of the installed skill at `folder` answers --help, from where it landed."""
    scripts = sorted((folder / "scripts").glob("*.py"))
    assert scripts, folder
    for script in scripts:
        done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "usage:" in done.stdout, f"{script}\n{done.stderr}"
