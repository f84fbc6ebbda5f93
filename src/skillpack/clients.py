"""What each client does with a skill: loads it, loads it with a loss, or drops it.

The verdicts are what the clients did with one small skill for each case, offline, in a throwaway home:
`benchmarks/clients.py` runs them again. Cursor has no offline client, so nothing is claimed of it. The reference
library is `skills-ref validate`, whose code the verdict follows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

import yaml

from skillpack.frontmatter import LOADER
from skillpack.rules._fields import SPECIFIED
from skillpack.skill import Skill

#: When the clients were run.
OBSERVED = "2026-11-21"
LOADS, WARNS, TRUNCATED, DROPPED, UNCLEAR = "loads", "warns", "truncated", "dropped", "unclear"
_RANK = (LOADS, WARNS, TRUNCATED, UNCLEAR, DROPPED)

#: A verdict and its reason.
Said = tuple[str, str]


class Verdict(NamedTuple):
    """What one client does with one skill, and why."""

    client: str
    version: str
    verdict: str
    reasons: list[str]


class Row(NamedTuple):
    """The verdicts on one skill."""

    path: str
    name: str
    verdicts: list[Verdict]


def verdicts_of(skill: Skill) -> Row:
    """What each of CLIENTS does with `skill`."""
    verdicts = []
    for client, (version, judge) in CLIENTS.items():
        said = list(judge(skill))
        worst = max((verdict for verdict, _ in said), key=_RANK.index, default=LOADS)
        verdicts.append(Verdict(client, version, worst, [reason for _, reason in said]))
    return Row(skill.path, skill.string("name") or skill.tree.folder, verdicts)


def _noted(skill: Skill, *slugs: str) -> Iterator[str]:
    """The messages of what was noted under one of `slugs` while the skill was read."""
    return (finding.message for slug, finding in skill.problems if slug in slugs)


def _unread(skill: Skill) -> Iterator[Said]:
    """What every client drops: no frontmatter where it is looked for, or a file that is none."""
    for message in _noted(skill, "frontmatter-present", "frontmatter-first", "frontmatter-closed", "skill-file"):
        yield DROPPED, message
    for message in _noted(skill, "file-size", "yaml-budget", "frontmatter-mapping"):
        yield UNCLEAR, f"{message}: not tried"


def _misnamed(skill: Skill) -> Iterator[Said]:
    if skill.misnamed:
        yield DROPPED, f"the file is called {skill.tree.skill_file}, and exactly SKILL.md is looked for"


def _kind(skill: Skill, name: str) -> str:
    """The kind of the field as a YAML 1.2 reader takes it; "" where it is missing."""
    field = skill.fields.get(name)
    return "" if field is None else "str" if field.text is not None else field.kind


def _too_long(skill: Skill, name: str, limit: int, verdict: str) -> Iterator[Said]:
    text = skill.string(name) or ""
    if len(text) > limit:
        yield verdict, f"the {name} has {len(text):,} characters, and {limit:,} are taken"


def _claude(skill: Skill) -> Iterator[Said]:
    yield from _unread(skill)
    yield from _misnamed(skill)
    for _ in _noted(skill, "byte-order-mark"):
        yield DROPPED, "the file begins with a byte order mark: the session does not list the skill"
    if any(_noted(skill, "unquoted-colon", "yaml-syntax")):
        yield WARNS, "it is listed, and `claude plugin validate` refuses it: the frontmatter is not YAML"
    if skill.readable and _kind(skill, "description") in ("", "null", "seq"):
        yield DROPPED, "there is no description that is text: the session does not list the skill"
    name = skill.string("name")
    if name is not None and name != skill.tree.folder:
        yield WARNS, f"it is listed under the folder's name, {skill.tree.folder}"
    yield from _too_long(skill, "description", 1536, TRUNCATED)


def _codex(skill: Skill) -> Iterator[Said]:
    yield from _unread(skill)
    yield from _misnamed(skill)
    for message in _noted(skill, "byte-order-mark", "encoding-utf-8"):
        yield DROPPED, message
    if any(_noted(skill, "yaml-syntax")):
        yield UNCLEAR, "the frontmatter is not YAML: it mends some mistakes and drops the skill for others"
    for message in _noted(skill, "duplicate-keys"):
        if message.startswith("'name'"):
            yield DROPPED, f"duplicate field: {message}"
    if skill.readable and _kind(skill, "description") in ("", "null", "seq", "map"):
        yield DROPPED, "there is no description that is text"
    if _kind(skill, "metadata") not in ("", "map", "null"):
        yield DROPPED, "the metadata is no mapping"
    yield from _too_long(skill, "name", 64, DROPPED)


def _gemini(skill: Skill) -> Iterator[Said]:
    yield from _unread(skill)
    yield from _misnamed(skill)
    for message in _noted(skill, "byte-order-mark"):
        yield DROPPED, message
    for message in _noted(skill, "encoding-utf-8"):
        yield WARNS, f"{message}: the text is shown damaged"
    for name in ("name", "description"):
        if skill.readable and not _kind(skill, name):
            yield DROPPED, f"there is no {name}"
    if _kind(skill, "description") in ("null", "seq"):
        yield WARNS, "the description is empty, or shown as a list"


def _copilot(skill: Skill) -> Iterator[Said]:
    yield from _unread(skill)
    yield from _misnamed(skill)
    for message in _noted(skill, "encoding-utf-8"):
        yield WARNS, f"{message}: the text is shown damaged"
    if any(_noted(skill, "unquoted-colon", "yaml-syntax", "duplicate-keys")):
        yield DROPPED, "the frontmatter is not YAML, or a field occurs twice"
    if skill.readable and not _kind(skill, "description"):
        yield WARNS, "there is no description: it takes the first line of the body"
    for name in ("name", "description"):
        if _kind(skill, name) not in ("", "str"):
            yield DROPPED, f"the {name} is not a string"
    if _kind(skill, "allowed-tools") not in ("", "str", "seq", "null"):
        yield DROPPED, "allowed-tools is neither a string nor a list"
    name = skill.string("name") or ""
    if name and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.: -]*", name) is None:
        yield DROPPED, "the name has characters other than ASCII letters, digits, and - _ . : and blanks"
    yield from _too_long(skill, "name", 64, DROPPED)
    yield from _too_long(skill, "description", 1024, DROPPED)


def _cursor(skill: Skill) -> Iterator[Said]:
    yield UNCLEAR, "there is no offline client to observe"


def _reference(skill: Skill) -> Iterator[Said]:
    for message in _noted(skill, "encoding-utf-8"):
        yield DROPPED, f"it crashes: {message}"
    text = skill.text
    if text is None:
        yield from _unread(skill)
        return
    if skill.tree.skill_file not in ("SKILL.md", "skill.md"):
        yield DROPPED, f"the file is called {skill.tree.skill_file}"
        return
    marked = any(_noted(skill, "byte-order-mark"))
    parts = text.replace("\r\n", "\n").split("---", 2)
    if marked or not text.startswith("---"):
        yield DROPPED, "the file does not begin with `---`"
        return
    if len(parts) < 3:
        yield DROPPED, "the frontmatter is not closed"
        return
    if "\n---" not in text[: text.find(parts[2])] or not parts[1].endswith("\n"):
        yield TRUNCATED, "it ends the frontmatter at the first `---`, also within a value"
    fields: dict[str, str] = {}
    try:
        root = yaml.compose(parts[1], Loader=LOADER)
        refusal = _strictyaml(root, fields)
    except (yaml.YAMLError, RecursionError):
        refusal = "the frontmatter does not parse"
    if any(_noted(skill, "yaml-aliases", "yaml-tags")):
        refusal = "strictyaml refuses anchors and tags"
    if refusal:
        yield DROPPED, refusal
        return
    others = sorted(fields.keys() - set(SPECIFIED))
    if others:
        yield DROPPED, f"fields beyond the specification: {', '.join(others)}"
    for name in ("name", "description"):
        if not fields.get(name, "").strip():
            yield DROPPED, f"there is no {name}"
    name = unicodedata.normalize("NFKC", fields.get("name", "").strip())
    if name:
        if name != unicodedata.normalize("NFKC", skill.tree.folder):
            yield DROPPED, f"the name is not that of the folder, {skill.tree.folder}"
        hyphens = name[0] == "-" or name[-1] == "-" or "--" in name
        if name != name.lower() or hyphens or not all(c.isalnum() or c == "-" for c in name):
            yield DROPPED, "the name is not made of lower-case letters, digits and single hyphens"
    for field, value, limit in (("name", name, 64), *((f, fields.get(f, ""), n) for f, n in _LIMITS)):
        if len(value) > limit:
            yield DROPPED, f"the {field} has {len(value):,} characters, and {limit:,} are allowed"


_LIMITS = (("description", 1024), ("compatibility", 500))


def _strictyaml(root: yaml.Node | None, fields: dict[str, str]) -> str:
    """Why strictyaml refuses `root`, "" where it does not; the scalars of the mapping go into `fields`."""
    if not isinstance(root, yaml.MappingNode):
        return "the frontmatter is no mapping"
    stack: list[yaml.Node] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, yaml.CollectionNode) and node.flow_style:
            return "strictyaml refuses flow style (`[a, b]`), which is YAML"
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if len(set(keys)) < len(node.value):
                return "a field occurs twice"
            stack += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            stack += node.value
    for key, value in root.value:
        if not isinstance(value, yaml.ScalarNode) and key.value == "compatibility":
            return "the compatibility is no text"
        fields[key.value] = value.value if isinstance(value, yaml.ScalarNode) else ""
    return ""


#: Client -> version observed ("" for none), and the function that gives its verdict.
CLIENTS: dict[str, tuple[str, Callable[[Skill], Iterator[Said]]]] = {
    "Claude Code": ("2.1.197", _claude),
    "Codex": ("0.169.0", _codex),
    "Gemini CLI": ("0.61.0", _gemini),
    "Copilot CLI": ("1.0.102", _copilot),
    "Cursor": ("", _cursor),
    "skills-ref": ("0.1.1", _reference),
}
