"""JSON files of a skill, read as what they are."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from skillpack.diagnostics import Finding
from skillpack.skill import Skill
from skillpack.source import peek_text


def read_json(skill: Skill, name: str) -> Generator[Finding, None, Any]:
    """The document in the file `name`; a finding and None where it is no JSON."""
    import json

    text = peek_text(skill.tree, name)
    path = skill.tree.path(name)
    if text is None:
        yield Finding("the file cannot be read as text", "save it as JSON in UTF-8", path=path)
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        yield Finding(f"not JSON: {error.msg}", "correct it", line=error.lineno, column=error.colno, path=path)
    except RecursionError:
        yield Finding("the JSON is nested too deeply to be read", "make it flat", path=path)
    return None


def quiet_json(skill: Skill, name: str) -> Any:
    """The document in the file `name`, or None; another rule says what is wrong with it."""
    reading = read_json(skill, name)
    try:
        next(reading)
    except StopIteration as done:
        return done.value
    return None
