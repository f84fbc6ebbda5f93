"""`[tool.skillpack.verify]` of pyproject.toml, or `[verify]` of skillpack.toml: what may be run.

tools = ["hf", "uv"]               # in place of the default list (tools.ALLOWED)
extra-tools = ["mytool"]           # beside it
scripts = ["skills/*/scripts/*"]   # scripts of skills that are run with --help; none unless named here
exclude = ["skills/old/**"]        # files whose findings are left out
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from skillpack.config import FILES, read_toml
from skillpack.errors import UsageFailure
from skillpack.verify.tools import ALLOWED


class Settings(NamedTuple):
    """What a user allows."""

    tools: tuple[str, ...] = ALLOWED
    scripts: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def may_run(self, path: str) -> bool:
        """Whether the script at `path`, as it is shown, may be run with --help."""
        return _matches(path, self.scripts)

    def leaves_out(self, path: str) -> bool:
        """Whether findings in the file at `path` are not wanted."""
        return _matches(path, self.exclude)


def load(path: str | None) -> Settings:
    """The settings in the file `path`, or in one of FILES here. Raises UsageFailure for what is wrong with them."""
    name = path or next((name for name in FILES if Path(name).exists()), None)
    if name is None:
        return Settings()
    document = read_toml(name)
    table: Any = document
    for key in ("tool", "skillpack", "verify") if name.endswith("pyproject.toml") else ("verify",):
        table = table.get(key, {})
        if not isinstance(table, dict):
            raise UsageFailure(f"{name}: {key} is a table")
    known = {"tools", "extra-tools", "scripts", "exclude"}
    for key, value in table.items():
        if key not in known:
            raise UsageFailure(f"{name}: verify has no setting {key!r}; there are {', '.join(sorted(known))}")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageFailure(f"{name}: verify.{key} is a list of strings")
        if key.endswith("tools") and (wrong := [item for item in value if not item or "/" in item or "\\" in item]):
            raise UsageFailure(f"{name}: verify.{key}: {wrong[0]!r} is no name of a program as on the PATH")
    tools = (*table.get("tools", ALLOWED), *table.get("extra-tools", ()))
    return Settings(tools, tuple(table.get("scripts", ())), tuple(table.get("exclude", ())))


def _matches(path: str, globs: tuple[str, ...]) -> bool:
    plain = path.replace("\\", "/").removeprefix("./")
    return any(fnmatchcase(plain, glob) or fnmatchcase(plain, f"*/{glob}") for glob in globs)
