"""What several rules know about fields."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.skill import Skill

#: The fields of the specification.
SPECIFIED = ("name", "description", "license", "compatibility", "metadata", "allowed-tools")

#: Fields that one client reads beyond the specification.
OF_CLIENTS = {
    "Claude Code": (
        "agent",
        "argument-hint",
        "arguments",
        "context",
        "disable-model-invocation",
        "disallowed-tools",
        "effort",
        "fallback",
        "hooks",
        "model",
        "paths",
        "shell",
        "user-invocable",
        "version",
        "when_to_use",
    ),
}

#: The kinds of values in the words of a message.
KINDS = {
    "bool": "a boolean",
    "binary": "binary data",
    "float": "a number",
    "int": "a number",
    "map": "a mapping",
    "null": "empty",
    "seq": "a list",
    "timestamp": "a date",
}


def not_a_string(skill: Skill, name: str) -> Iterator[Finding]:
    """A finding when the field `name` is there, is not empty, and is not a string."""
    field = skill.fields.get(name)
    if field is None or field.kind in ("str", "null"):
        return
    what = KINDS.get(field.kind, field.kind)
    if not isinstance(field.value, str):
        yield skill.at(name, f"it is {what}, not a string", f"write `{name}: ` and text on one line")
    elif field.disputed:
        message = f"{quoted(field.value)} is {what} to readers of YAML 1.1 and text to others"
        yield skill.at(name, message, f'write `{name}: "{field.value}"`')._replace(severity=WARNING)
    else:
        yield skill.at(name, f"{quoted(field.value)} is {what}, not a string", f'write `{name}: "{field.value}"`')


def missing(skill: Skill, name: str) -> Iterator[Finding]:
    """A finding when the frontmatter was read and the field `name` is absent or has nothing in it."""
    field = skill.fields.get(name)
    if field is None:
        if skill.readable:
            line = skill.first_line
            yield Finding("the field is missing, and the specification requires it", f"add `{name}: …`", name, line)
    elif field.kind == "null" or (isinstance(field.value, str) and not field.value.strip()):
        yield skill.at(name, "the field is empty, and the specification requires it", f"write `{name}: …`")


def too_long(skill: Skill, name: str, limit: int, fix: str) -> Iterator[Finding]:
    """A finding when the text of the field `name` has more than `limit` characters (not bytes)."""
    text = skill.string(name)
    if text is not None and len(text) > limit:
        yield skill.at(name, f"{len(text):,} characters, and at most {limit:,} are allowed", fix)


def empty(skill: Skill, name: str) -> Iterator[Finding]:
    """A warning when the optional field `name` is there with nothing in it."""
    field = skill.fields.get(name)
    if field is not None and (field.kind == "null" or (isinstance(field.value, str) and not field.value.strip())):
        yield skill.at(name, "the field is empty", "fill it in or remove the line")._replace(severity=WARNING)


def is_known(name: str) -> bool:
    """Whether the specification or a client has a field of exactly this name."""
    return name in SPECIFIED or any(name in names for names in OF_CLIENTS.values())


@lru_cache(maxsize=1024)  # the skills of a tree misspell alike
def nearly(name: str, names: tuple[str, ...]) -> str | None:
    """The one of `names` that `name` is a misspelling of: other case, other separators, or a few wrong letters."""
    plain = _letters(name)
    for known in names:
        target = _letters(known)
        if plain == target or _distance(plain, target) <= (1 if len(target) < 8 else 2):
            return known
    return None


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _distance(left: str, right: str) -> int:
    """Edits between the two, a swap of neighbours counting as one. 3 stands for any number past 2."""
    if abs(len(left) - len(right)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(right, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                row[j] = min(row[j], last[j - 2] + 1)
    return row[-1]
