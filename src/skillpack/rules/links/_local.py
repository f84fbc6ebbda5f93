"""What several rules know about links and files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, join, normpath

from skillpack.markdown import Link
from skillpack.skill import Skill

#: Targets of examples: a link that shows how a link is written.
_PLACEHOLDERS = frozenset({"url", "link", "path", "file", "target", "href", "...", "…", "image-url", "link-url"})

#: What paths of files do not hold and variables, patterns, packages and code do.
_SIGNS = (*'{}$<>*@[]"|()=,…', "...", "  ")
_EXAMPLES = tuple(f"{word}{sign}" for word in ("path", "your", "example", "some", "my") for sign in "/-_")

#: Where a link or the definition of one may lead to a file: not to an address, nor to a place on the page.
_ELSEWHERE = r"\s*<?(?!https?://|#|mailto:)"
#: Three expressions: one that begins with letters of its own is found many times as fast as one of many.
_LINK, _DEFINED = rf"\]\({_ELSEWHERE}", rf"\]:{_ELSEWHERE}"
_DEFINITION = rf"(?m:^[\s>*+\-\d.)]*)\[[^\]]+{_DEFINED}"


def maybe_local(text: str) -> bool:
    """Whether a link in the Markdown `text` may lead to a file."""
    if re.search(_LINK, text):
        return True
    return re.search(_DEFINED, text) is not None and re.search(_DEFINITION, text) is not None


def path_of(target: str) -> str | None:
    """The relative path that a link's target names; None when it names no file of the skill.

    No file: an address with a scheme, a place on a page, a path from a site's root, a variable (`{baseDir}`,
    `${CLAUDE_SKILL_DIR}`, `$1`, `<name>`), a package (`@scope/name`), an address of e-mail, an asset (`@logo@`), JSON,
    and the placeholders of examples.
    """
    path = target.partition("#")[0].partition("?")[0].strip()
    if "%" in path:
        from urllib.parse import unquote  # which takes longer to import than the rest of the rule

        path = unquote(path)
    if not path or path[0] in "/#@~" or ":" in path or "\\" in path:
        return None  # path-backslash is about the last
    if any(sign in path for sign in _SIGNS) or path.lower() in _PLACEHOLDERS:
        return None
    first = path.removeprefix("./").lower()
    if first.startswith(_EXAMPLES) or path.isupper():
        return None
    if "." not in path.rpartition("/")[2] and "/" not in path:
        return None  # a word: `[text](link)`
    return path


def resolved(skill: Skill, source: str, path: str) -> str | None:
    """The name in the skill that `path`, written in the file `source`, leads to; None outside the skill.

    From the file's folder as a browser reads it, or, where there is nothing, from the skill's root as the
    specification writes references.
    """
    here = normpath(join(dirname(source), path))
    if here.startswith("..") and dirname(source) == "":
        return None
    if not exists(skill, here):
        root = normpath(path)
        if exists(skill, root):
            return root
    return None if here.startswith("..") else here


def exists(skill: Skill, name: str) -> bool:
    """Whether the skill has a file, or a folder with files, of this name."""
    return name == "." or name in skill.tree.names or name in skill.tree.folders


def local_links(skill: Skill) -> Iterator[tuple[str, Link, str]]:
    """Each link to a path, as (file it stands in, link, path)."""
    for source, document in skill.documents("](", "]:", form=maybe_local):
        if source.rpartition("/")[2].upper().startswith(("README", "CHANGELOG", "CONTRIBUTING", "LICENSE")):
            continue  # for people, and often about another repository
        for link in document.links:
            path = path_of(link.target)
            if path is not None:
                yield source, link, path
