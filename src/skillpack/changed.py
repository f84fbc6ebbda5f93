"""Which skills git says have changed. The one place of the validator that runs another program, and only for this.

A repository may be hostile: its settings can name programs that git runs for a status or a comparison. So git is
asked only what needs no worktree file converted, and every such setting is overruled: the file-system monitor, hooks,
the pager, and the filters that the repository's own settings define. Nothing is fetched for a partial clone.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from skillpack.errors import UsageFailure
from skillpack.source import Tree

_OVERRULED = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.untrackedCache": "false",
}
_ENVIRONMENT = {
    "GIT_OPTIONAL_LOCKS": "0",  # the index is not refreshed
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}


def path_or_ref(paths: tuple[str, ...], ref: str) -> tuple[tuple[str, ...], str]:
    """`--changed skills/` names a path and no REF: what exists as a path and begins a command line is one."""
    if not paths and os.path.exists(ref):  # noqa: PTH110
        return (ref,), "HEAD"
    return paths, ref


def changed_trees(trees: Sequence[Tree], ref: str) -> list[Tree]:
    """Those of `trees` with a file that differs from `ref`, is not tracked, or was deleted.

    Compared is with the commit at which this branch left `ref`. Each tree is looked up in the repository that it is
    in. Raises UsageFailure outside a repository, for an unknown `ref`, and where git cannot be run.
    """
    files: dict[str, list[str]] = {}
    kept = []
    for tree in trees:
        top = _top(tree.real)
        if top not in files:
            files[top] = _changed(top, ref)
        # A changed path may be a folder: a repository in this one.
        if any(_touches(tree, str(Path(top, name))) for name in files[top]):
            kept.append(tree)
    return kept


def _touches(tree: Tree, path: str) -> bool:
    if tree.skill_file is None:
        return any(str(Path(tree.real, name)) == path for name in tree.files) or bool(tree.problems)
    inside = f"{tree.real}{os.sep}"
    return path.startswith(inside) or inside.startswith(f"{path.rstrip(os.sep)}{os.sep}")


def _top(folder: str) -> str:
    """The root of the repository that `folder` is in; `folder` itself where there is none, and git will say so."""
    found = next((parent for parent in (Path(folder), *Path(folder).parents) if (parent / ".git").exists()), folder)
    return str(found)


def _changed(top: str, ref: str) -> list[str]:
    """The changed files of the repository at `top`, as git names them."""
    _git(top, "rev-parse", "--git-dir")
    filters = _git(top, "config", "--null", "--name-only", "--get-regexp", r"^filter\.", fails=True)
    overruled = {
        os.fsdecode(name): "false" if name.endswith(b".required") else "" for name in filters.split(b"\0") if name
    }
    commit = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", fails=True).strip()
    if commit:
        base = _git(top, "merge-base", os.fsdecode(commit), "HEAD", fails=True).split() or [commit]
    elif ref == "HEAD":  # no commit yet: everything is new
        base = [_git(top, "hash-object", "-t", "tree", os.devnull).strip()]
    else:
        raise UsageFailure(f"git knows no commit {ref!r}; name a branch, a tag or a commit (fetch it first in CI)")
    tracked = _git(
        top, "diff-index", "--name-only", "--no-renames", "--ignore-submodules=dirty", "-z", os.fsdecode(base[0]), "--",
        settings=overruled,
    )  # fmt: skip
    untracked = _git(top, "ls-files", "--others", "--exclude-standard", "-z", settings=overruled)
    return [os.fsdecode(name) for name in (tracked + untracked).split(b"\0") if name]


def _git(folder: str, *arguments: str, settings: dict[str, str] | None = None, fails: bool = False) -> bytes:
    """What git prints; nothing, when it may fail and does. Settings go by the environment: no name needs quoting."""
    environment = {**os.environ, **_ENVIRONMENT}
    overruled = {**_OVERRULED, **(settings or {})}
    environment["GIT_CONFIG_COUNT"] = str(len(overruled))
    for number, (name, value) in enumerate(overruled.items()):
        environment[f"GIT_CONFIG_KEY_{number}"], environment[f"GIT_CONFIG_VALUE_{number}"] = name, value
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=environment, capture_output=True, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise UsageFailure("--changed needs git, which is not installed here") from None
    if done.returncode and not fails:
        said = done.stderr.decode("utf-8", "replace").strip().split("\n")[0]
        raise UsageFailure(f"--changed needs a git repository at {folder}; git says: {said}")
    return done.stdout if not done.returncode else b""
