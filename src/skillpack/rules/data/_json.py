"""JSON files held against the schemas of this package."""

# pathlib takes longer to import than a validation takes to run.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from skillpack.diagnostics import Finding, quoted
from skillpack.skill import Skill
from skillpack.source import own_text, peek_text


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


def misfits(document: Any, schema: str) -> Iterator[tuple[str, str]]:
    """Where `document` does not fit the schema, as (dotted place, what is wrong); the first 20."""
    import json
    import os

    import jsonschema

    import skillpack

    folder = os.path.join(os.path.dirname(skillpack.__file__), "schemas")
    validator = jsonschema.Draft202012Validator(json.loads(own_text(os.path.join(folder, f"{schema}.schema.json"))))
    for number, error in enumerate(validator.iter_errors(document)):
        if number == 20:
            return
        place = ""
        for step in error.absolute_path:
            place += f"[{step}]" if isinstance(step, int) else f".{step}" if place else str(step)
        yield place, _words(error)


def _words(error: Any) -> str:
    """The error in a few words, without the whole document that jsonschema quotes."""
    wanted, value = error.validator_value, error.instance
    if error.validator == "required":
        missing = [name for name in wanted if name not in value]
        return f"{quoted(missing[0])} is missing"
    if error.validator == "type":
        return f"it is not of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    if error.validator == "pattern":
        return f"{quoted(str(value))} does not have the form {wanted}"
    if error.validator in ("minLength", "minItems"):
        return "it is empty"
    if error.validator == "anyOf":
        keys = [option["required"][0] for option in wanted if "required" in option]
        return f"it has none of {', '.join(keys)}" if keys else "it fits none of the forms that are allowed"
    if error.validator == "enum":
        return f"{quoted(str(value))} is none of {', '.join(map(str, wanted))}"
    return str(error.message).replace(str(value), quoted(str(value)))[:200]


def quiet_json(skill: Skill, name: str) -> Any:
    """The document in the file `name`, or None; another rule says what is wrong with it."""
    reading = read_json(skill, name)
    try:
        next(reading)
    except StopIteration as done:
        return done.value
    return None
