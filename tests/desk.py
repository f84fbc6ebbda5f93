"""What the tests of the skills share: scripts as processes of a fresh user of the local Hub, and what holds of each.

class Desk(BaseDesk):
    scripts = Path(__file__).parents[2] / "skills/hugging-face-jobs/scripts"

made = Desk.new(hub, tmp_path / "desk")
made.json("watch_jobs.py", "one", code=2, HF_TOKEN=None)
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from huggingface_hub import HfApi, JobInfo

from tests import warm
from tests.conftest import LocalHub

if TYPE_CHECKING:
    from typing import Self


def new_user(hub: LocalHub) -> tuple[str, str]:
    """(name, token) of a fresh user: no other test's repositories, jobs or credit."""
    user = f"user-{secrets.token_hex(4)}"
    return user, hub.add_token(user)


@dataclass(frozen=True)
class BaseDesk:
    """A folder in which the scripts of one skill run as one user of the local Hub."""

    scripts: ClassVar[Path]
    timeout: ClassVar[float] = 120  # seconds that a script may take
    warm: ClassVar[tuple[str, ...]] = ()  # how the names of scripts begin that are forked from a warm Python
    traceback: ClassVar[str] = "Traceback"  # what no stderr holds: a regular expression

    hub: LocalHub
    folder: Path
    user: str
    token: str

    @classmethod
    def new(cls, hub: LocalHub, folder: Path, *more: Any) -> Self:
        """The desk of a fresh user, in a folder that is made; `more` is what a subclass adds."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(hub, folder, *new_user(hub), *more)

    @property
    def api(self) -> HfApi:
        return self.hub.api(self.token)

    @property
    def home(self) -> Path:
        """HF_HOME of the scripts: a cache of their own, or one for all, so that one warm Python serves them."""
        return self.hub.home if self.warm else self.folder.parent / "hf-home"

    @property
    def settings(self) -> dict[str, str]:
        """What the scripts are told beside what every client of the local Hub is told."""
        return {}

    def environment(self, **changes: str | None) -> dict[str, str]:
        """The environment of a script; a change of None takes a variable away."""
        found = self.hub.env(token=self.token) | {"HF_HOME": str(self.home)} | self.settings | changes
        return {name: value for name, value in found.items() if value is not None}

    def command(self, name: str, *arguments: object) -> list[str]:
        return [sys.executable, str(self.scripts / name), *map(str, arguments)]

    def finish(
        self, command: list[str], environment: dict[str, str], given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Any command, run in the folder to its end; `given` is all that it can read from stdin."""
        if command[0] == sys.executable and Path(command[1]).name.startswith(self.warm):
            return warm.run(command[1:], self.folder, environment, self.timeout)
        return subprocess.run(
            command, cwd=self.folder, env=environment, input=given, capture_output=True, text=True,
            timeout=self.timeout, check=False,
        )  # fmt: skip

    def script(
        self, name: str, *arguments: object, given: str = "", **changes: str | None
    ) -> subprocess.CompletedProcess[str]:
        """A script of the skill, run to its end and never in a traceback.

        Neither its output nor a file in the folder holds a secret: the user's token, or a change of a TOKEN or a KEY.
        """
        done = self.finish(self.command(name, *arguments), self.environment(**changes), given)
        assert not re.search(self.traceback, done.stderr), done.stderr
        planted = [self.token, *(value for key, value in changes.items() if value and re.search("TOKEN|KEY", key))]
        for secret in planted:
            assert secret not in done.stdout + done.stderr, "a secret was printed"
            assert not any(secret.encode() in data for data in self._files()), "a secret was written"
        return done

    def json(self, name: str, *arguments: object, code: int = 0, **options: Any) -> Any:
        """What a script prints with --json, which goes before a `--`, and that it ends with `code`."""
        at = arguments.index("--") if "--" in arguments else len(arguments)
        done = self.script(name, *arguments[:at], "--json", *arguments[at:], **options)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def start(self, name: str, *arguments: object) -> subprocess.Popen[str]:
        """A script of the skill as a process that runs on, and can be interrupted."""
        return subprocess.Popen(
            self.command(name, *arguments), cwd=self.folder, env=self.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's `&` ignores it
        )  # fmt: skip

    def write(self, name: str, content: str | list[Any]) -> Path:
        """A file in the folder; rows become JSON Lines."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json_lines(content), encoding="utf-8")
        return path

    def dataset(self, name: str, rows: list[Any], split: str = "train", private: bool = True) -> str:
        """A dataset on the Hub, made by the real client and not by the scripts; its id."""
        repo = f"{self.user}/{name}"
        self.api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        self.api.upload_file(
            path_or_fileobj=json_lines(rows).encode(), path_in_repo=f"{split}.jsonl", repo_id=repo, repo_type="dataset"
        )
        return repo

    def jobs(self) -> list[JobInfo]:
        return list(self.api.list_jobs(namespace=self.user))

    def _files(self) -> Iterator[bytes]:
        for folder, _, names in os.walk(self.folder):  # a job may work in it: what is gone holds nothing
            for path in (Path(folder, name) for name in names):
                with contextlib.suppress(FileNotFoundError):
                    if path.is_file():
                        yield path.read_bytes()


def json_lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
