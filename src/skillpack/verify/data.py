"""JSON, YAML and TOML of a skill: it parses, and fits its schema where one is known."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from skillpack.schemas import misfits
from skillpack.verify.python import Found

LANGUAGES = frozenset({"json", "jsonl", "jsonc", "json5", "yaml", "yml", "toml"})
_DEEP = "it is nested too deep to be read"
#: Keys by which a document is known -> the schema of this package that it has to fit.
_KNOWN = (
    (frozenset({"skill_name", "evals"}), "evals"),
    (frozenset({"mcpServers"}), "mcp"),
)


def check(text: str, language: str, schemas: dict[str, dict[str, Any]]) -> Iterator[Found]:
    """What is wrong with a block; places are within `text`. `schemas` are those of the skills, by their `schema`."""
    try:
        documents = list(_documents(text, language))
    except _Bad as bad:
        yield Found(
            "data-syntax", f"not {language.upper()}: {bad.message}", "correct it, or name another language", *bad.place
        )
        return
    for document, line in documents:
        if not isinstance(document, dict):
            continue
        schema = schemas.get(str(document.get("schema")))
        if schema is not None:
            yield from _against(document, schema, line)
        for keys, name in _KNOWN:
            if keys <= document.keys():
                for place, message in misfits(document, name):
                    yield Found(
                        "data-schema", f"{place or 'the document'}: {message}", f"see the schema {name}", line, 1
                    )


def _against(document: dict[str, Any], schema: dict[str, Any], line: int) -> Iterator[Found]:
    from jsonschema.validators import validator_for

    for error in validator_for(schema)(schema).iter_errors(document):
        place = error.json_path.removeprefix("$.")
        yield Found("data-schema", f"{place}: {error.message[:160]}", f"see {schema.get('title')}.schema.json", line, 1)


class _Bad(Exception):
    """A text that does not parse."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.place = message, (line, column)


def _documents(text: str, language: str) -> Iterator[tuple[Any, int]]:
    """Each document in `text` with its first line. Raises _Bad."""
    if language in ("json", "jsonl", "jsonc", "json5"):
        yield from _json(text, language)
    elif language == "toml":
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            yield tomllib.loads(text), 1
        except RecursionError:
            raise _Bad(_DEEP, 1, 1) from None
        except tomllib.TOMLDecodeError as error:
            where = re.search(r"at line (\d+), column (\d+)", str(error))
            place = (int(where[1]), int(where[2])) if where else (1, 1)
            raise _Bad(str(error).partition(" (at")[0], *place) from None
        except ValueError:
            return  # TOML, with a number that Python does not read
    else:
        import yaml

        if card := re.match(r"---\n.*?\n(?=---[ ]*$)", text, re.DOTALL | re.MULTILINE):
            text = card[0]  # the header of a card, with the card after it
        try:
            for document in yaml.safe_load_all(text):
                yield document, 1
        except (yaml.constructor.ConstructorError, ValueError):
            return  # YAML, with a tag of some application's own (`!reference`), or a date that is none
        except RecursionError:
            raise _Bad(_DEEP, 1, 1) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise _Bad(error.problem or str(error), *place) from None
        except yaml.YAMLError as error:
            raise _Bad(str(error), 1, 1) from None


def _json(text: str, language: str) -> Iterator[tuple[Any, int]]:
    """One document, or several one after the other, as lines of JSON are often shown."""
    if language in ("jsonc", "json5"):
        text = re.sub(
            r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m[1] or re.sub(r"[^\n]", " ", m[0]), text, flags=re.S
        )
        text = re.sub(r",(\s*[}\]])", r" \1", text)
    decoder, at = json.JSONDecoder(), 0
    while (start := re.compile(r"\s*").match(text, at).end()) < len(text):  # type: ignore[union-attr]
        try:
            document, at = decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            raise _Bad(error.msg, error.lineno, error.colno) from None
        except RecursionError:
            raise _Bad(_DEEP, text.count("\n", 0, start) + 1, 1) from None
        except ValueError:
            return  # JSON, with a number that Python does not read
        yield document, text.count("\n", 0, start) + 1
