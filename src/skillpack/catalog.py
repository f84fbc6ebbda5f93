"""[Skill] + the pack's identity -> Catalog: what every manifest is made from.

The identity is the table `[tool.skillpack.pack]` of pyproject.toml, or `[pack]` of skillpack.toml; what it leaves
out is taken from `[project]`. All keys but `mcp` are short texts that a marketplace shows:

[tool.skillpack.pack]
name = "my-pack"                     # default: project.name
version = "1.0.0"                    # default: project.version
description = "One sentence."        # default: project.description
owner = { name = "…", email = "…" }  # default: the first of project.authors
repository = "https://github.com/…"  # default: project.urls.repository; homepage, license, keywords likewise
category = "machine-learning"
skills = "skills"                    # the folder that holds the skills
[tool.skillpack.pack.mcp]
huggingface = "https://huggingface.co/mcp"   # servers that the pack brings along: name -> URL
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from skillpack.archive import Member, members
from skillpack.config import read_toml
from skillpack.diagnostics import quoted
from skillpack.errors import NothingToCheck, UsageFailure
from skillpack.schemas import RESERVED_MARKETPLACES, reserved_words
from skillpack.skill import Skill, load_skill
from skillpack.source import find, own_text

#: What a plugin may be called: the intersection of what the clients take.
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
KEYS = (
    *("name", "version", "description", "owner", "repository", "homepage", "license", "keywords", "category"),
    *("skills", "mcp"),
)


class Entry(NamedTuple):
    """One skill as marketplaces list it. `path` is its folder, from the root of the repository, with slashes."""

    name: str
    path: str
    #: What the agent reads to decide: the frontmatter's description.
    description: str
    #: What a person reads in a list: `metadata.short-description`, else the description's first sentence.
    summary: str
    version: str
    license: str
    members: list[Member]


class Catalog(NamedTuple):
    """A repository of skills: its identity and its entries, sorted by name."""

    name: str
    version: str
    description: str
    owner: dict[str, str]
    repository: str
    homepage: str
    license: str
    keywords: list[str]
    category: str
    #: The folder of the skills, from the root of the repository.
    skills: str
    mcp: dict[str, str]
    entries: list[Entry]
    #: The README as it is, whose table of skills is generated; "" where there is none.
    readme: str


def load_catalog(root: str = os.curdir) -> Catalog:
    """The catalog of the repository at `root`.

    Raises UsageFailure, with everything that is wrong at once, for an identity that is missing or that clients refuse,
    for skills of one name, and for a version that is said in two ways; NothingToCheck where there are no skills.
    """
    pack, project, where = _identity(root)
    problems: list[str] = []
    urls = {key.lower(): value for key, value in project.get("urls", {}).items()}
    first: dict[str, str] = next(iter(project.get("authors", [])), {})
    owner = pack.get("owner", {key: first[key] for key in ("name", "email") if key in first})
    owner = {"name": owner} if isinstance(owner, str) else owner
    license_ = pack.get("license", project.get("license", ""))
    texts = {
        "name": pack.get("name", project.get("name", "")),
        "version": pack.get("version", project.get("version", "")),
        "description": pack.get("description", project.get("description", "")),
        "repository": pack.get("repository", urls.get("repository", urls.get("source", ""))),
        "homepage": pack.get("homepage", urls.get("homepage", "")),
        "license": license_.get("text", "") if isinstance(license_, dict) else license_,
        "category": pack.get("category", "development"),
        "skills": pack.get("skills", "skills"),
    }
    problems += [f"{key} is a text" for key, value in texts.items() if not isinstance(value, str)]
    problems += [f"there is no key {quoted(key)}; there are {', '.join(KEYS)}" for key in pack if key not in KEYS]
    if not isinstance(owner, dict) or not all(isinstance(value, str) for value in owner.values()):
        problems.append("owner is a table of texts: name, email")
    elif not owner.get("name"):
        problems.append('there is no owner: say `owner = { name = "…" }`')
    if problems:
        raise UsageFailure(_listed(where, problems))
    problems += [f"there is no {key}" for key in ("name", "version", "description") if not texts[key].strip()]
    name, version = texts["name"], texts["version"]
    if name and not NAME.fullmatch(name):
        problems.append(f"name: {quoted(name)} is refused by clients: small letters, digits and single hyphens")
    if name in RESERVED_MARKETPLACES or reserved_words(name):
        problems.append(f"name: {quoted(name)} is reserved: Claude Code or Codex refuses a marketplace of this name")
    if version and not VERSION.fullmatch(version):
        problems.append(f"version: {quoted(version)} has not the form 1.2.3")
    if "version" in pack and "version" in project and pack["version"] != project["version"]:
        problems.append(f"version is {quoted(version)} here and {quoted(project['version'])} in [project]")
    mcp = pack.get("mcp", {})
    if not isinstance(mcp, dict) or not all(re.match(r"https?://", str(url)) for url in mcp.values()):
        problems.append("mcp is a table of server name -> URL")
    if problems:
        raise UsageFailure(_listed(where, problems))
    entries = _entries(root, texts["skills"], version, texts["license"])
    if any(entry.name == name for entry in entries):
        raise UsageFailure(f"{where}: the pack is called as its skill {quoted(name)}, and plugins need different names")
    readme = Path(root, "README.md")
    return Catalog(
        owner={key: owner[key] for key in ("name", "email") if owner.get(key)},
        keywords=list(pack.get("keywords", project.get("keywords", []))),
        mcp={key: str(mcp[key]) for key in sorted(mcp)},
        entries=entries,
        readme=own_text(str(readme)) if readme.is_file() else "",
        **texts,
    )


def _identity(root: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """(the pack's table, the project's table, the name of the file), as far as they are there."""
    own, shared = Path(root, "skillpack.toml"), Path(root, "pyproject.toml")
    document = read_toml(str(shared)) if shared.is_file() else {}
    pack, where = document.get("tool", {}).get("skillpack", {}).get("pack"), f"{shared} [tool.skillpack.pack]"
    if pack is None and own.is_file():
        pack, where = read_toml(str(own)).get("pack"), f"{own} [pack]"
    if pack is None:
        raise UsageFailure(
            f"{root}: no identity for the manifests: add [tool.skillpack.pack] to pyproject.toml, or [pack] to "
            "skillpack.toml, with name, version, description and owner"
        )
    return pack, document.get("project", {}), where


def _entries(root: str, folder: str, version: str, license_: str) -> list[Entry]:
    at = str(Path(root, folder))
    trees = [tree for tree in find(at) if tree.skill_file is not None]
    if not trees:
        raise NothingToCheck(f"no SKILL.md under {at}: there is nothing to list")
    problems, entries = [], []
    for tree in trees:
        skill = load_skill(tree)
        name, description = skill.string("name") or "", skill.string("description") or ""
        if not name or not description or name != tree.folder:
            problems.append(f"{skill.path}: name or description is missing, or the name is not the folder's")
            continue
        path = os.path.relpath(tree.root, root).replace(os.sep, "/")
        if path != f"{folder.strip('/')}/{name}":
            problems.append(f"{skill.path}: clients look for skills one level below {folder}")
            continue
        entries.append(
            Entry(
                name,
                path,
                " ".join(description.split()),
                _summary(skill, description),
                _metadata(skill, "version") or version,
                skill.string("license") or license_,
                members(tree),
            )
        )
    names = [entry.name for entry in entries]
    problems += [f"two skills are called {quoted(name)}" for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise UsageFailure(_listed("the skills", problems) + "\nsee `skillpack validate`")
    return sorted(entries)


def _metadata(skill: Skill, key: str) -> str:
    field = skill.fields.get("metadata")
    plain = field.plain() if field is not None else None
    return str(plain.get(key, "")) if isinstance(plain, dict) else ""


def _summary(skill: Skill, description: str) -> str:
    own = _metadata(skill, "short-description")
    return " ".join((own or re.split(r"(?<=[.!?])\s+(?=[A-Z])", description.strip())[0]).split())


def _listed(where: str, problems: list[str]) -> str:
    return f"{where}: {problems[0]}" if len(problems) == 1 else f"{where}:\n  " + "\n  ".join(problems)
