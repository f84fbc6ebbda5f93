"""Paths that a skill's text names, and addresses of the Hub."""

from __future__ import annotations

import re
from collections.abc import Collection
from posixpath import basename, normpath

from skillpack.skill import Skill

#: Folders of a skill by the specification, and others that skills keep their own files in.
_FOLDERS = frozenset({"scripts", "references", "assets", "examples", "templates"})
#: How a text names the folder of its own skill.
_ROOT = re.compile(
    r"^(?:\$\{?[A-Z_]*(?:SKILL|PLUGIN|BASE)[A-Z_]*\}?|\{\w*[Dd]ir\}|<[\w -]*(?:skill|dir|path)[\w -]*>"
    r"|~?[\w./-]*skills/[\w.-]+)/"
)
#: Names that stand for any name.
_EXAMPLE = re.compile(
    r"(?:my|your|some|script|file|example)?[_-]?(?:foo|bar|script_name|name|example|script|file)(?=\.)|my[_-].*|your[_-].*"
)
_PATH = re.compile(r"(?:\./)?[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*/?")
_SCRIPT = (".py", ".sh", ".js", ".mjs", ".ts", ".tsx")

_NAME = r"[A-Za-z0-9](?:[\w.-]*\w)?"
_REPOSITORY = rf"{_NAME}/{_NAME}"
_REVISION = r"(?:[\w.-]|%2F|/)+"
#: First segments of addresses on the Hub's site that are no namespace.
_PAGES = frozenset(
    {
        *("api", "docs", "blog", "papers", "learn", "join", "login", "settings", "pricing", "tasks", "organizations"),
        *("collections", "enterprise", "models", "chat", "new", "new-dataset", "new-space", "posts", "support"),
        *("terms-of-service", "privacy", "welcome", "jobs", "inference", "inference-endpoints", "hardware", "storage"),
        *("leaderboards", "mcp", "brand", "changelog", "agents", "kernels"),
    }
)


def missing(skill: Skill, text: str) -> str | None:
    """What a word names as a file of the skill although there is none; None where it names none or it is there."""
    inside = _ROOT.sub("", text)
    if (
        not _PATH.fullmatch(inside)
        or "..." in inside
        or any(part.partition(".")[0].isupper() for part in inside.split("/"))
    ):
        return None
    name = normpath(inside.removeprefix("./"))
    first = name.partition("/")[0]
    if _EXAMPLE.match(basename(name)):
        return None
    own = _FOLDERS & {*skill.tree.folders, "scripts", "references"}  # the others only where there are any
    if "/" not in name or first not in own or not re.search(r"\.\w{1,5}$", name):
        return None
    return None if name in skill.tree.names or name in skill.tree.folders else name


def script_of(skill: Skill, word: str, others: Collection[Skill] = ()) -> tuple[Skill, str] | None:
    """The script that a command names, by its path in a skill or its name alone, and the skill that has it."""
    inside = normpath(_ROOT.sub("", word).removeprefix("./"))
    if not inside.endswith((".py", ".sh")) or "://" in word:
        return None
    for one in (skill, *others):
        if inside in one.tree.names:
            return one, inside
    for one in (skill, *others):
        named = [name for name in sorted(one.tree.names) if basename(name) == basename(inside)]
        if len(named) == 1 and ("/" not in inside or inside.startswith("scripts/") or one is skill):
            if "/" in inside and named[0] != inside and one is skill and inside.partition("/")[0] in _FOLDERS:
                return None
            return one, named[0]
    return None


def misformed(address: str) -> str | None:
    """What is wrong with an address of the Hub; None where nothing is, or it is no such address."""
    address = re.split(r"[)\]},;:!?*]*$", address)[0].rstrip(".")
    if re.search(r"[<>{}$*…]|\.\.\.|%7B", address):
        return None
    if address.startswith("hf://"):
        return _protocol(address[5:].partition(":/")[0])  # a volume's is followed by where it is mounted
    site = re.match(r"https?://(?:www\.)?(huggingface\.co|hf\.co)(?:/([^?#]*))?", address)
    if site is None:
        return None
    if address.startswith("http://"):
        return "the Hub is at https://"
    path = (site[2] or "").strip("/")
    kind = re.match(r"(datasets|spaces|buckets)/", path)
    rest = path[kind.end() :] if kind else path
    first = rest.partition("/")[0]
    if not rest or (not kind and first in _PAGES):
        return None
    words = rest.split("/")
    if not all(re.fullmatch(r"[\w.~%@+=-]+", word) for word in words):
        return None  # not only a path
    if kind and kind[1] == "buckets":
        return None
    if len(words) > 2 and words[2] not in (
        *("blob", "resolve", "tree", "raw", "discussions", "commits", "commit", "settings", "edit", "viewer", "embed"),
        *("new", "upload", "pull", "logs", "duplicate", "blame", "evals"),
    ):
        return f"{words[2]!r} follows no repository: it is /blob/, /resolve/, /tree/ or /raw/ and a revision"
    if len(words) > 2 and words[2] in ("blob", "resolve", "raw") and len(words) < 5:
        return f"/{words[2]}/ needs a revision and a path: /{words[2]}/main/FILE"
    return None


def _protocol(path: str) -> str | None:
    """What is wrong with what follows `hf://`."""
    kind = re.match(r"(datasets|spaces|models|buckets|kernels)/", path)
    rest = path[kind.end() :] if kind else path
    words = rest.rstrip("/").split("/")
    if not rest:
        return None  # the form itself is spoken of
    if re.match(r"(dataset|space|model|bucket)/", path):
        return f"it is hf://{path.partition('/')[0]}s/"
    if words[0].isupper() or (len(words) > 1 and words[1].isupper()):
        return None
    if len(words) < 2 or not re.fullmatch(_NAME, words[0]) or not re.fullmatch(rf"{_NAME}(?:@{_REVISION})?", words[1]):
        return "after hf://datasets/ (or spaces/, buckets/, nothing for a model) comes NAMESPACE/NAME, then @REVISION"
    return None
