"""Skills as other programs want to see them: their properties, and the block for an agent's prompt."""

# pathlib takes longer to import than these commands take to run.
# ruff: noqa: PTH100

from __future__ import annotations

import os

from skillpack.errors import UnusableSkill
from skillpack.skill import Skill

_REFERENCE = ("name", "description", "license", "compatibility", "allowed-tools", "metadata")


def properties(skill: Skill) -> dict[str, object]:
    """What the reference library's `read-properties` prints, and then what it leaves out.

    The first keys are the specification's fields, those that the skill has. Then: `path` of the SKILL.md,
    `other-fields` of the frontmatter, `body` with its lines and characters, and `files` of the skill.
    Raises UnusableSkill when there is no name or no description.
    """
    required(skill)
    known = {name: skill.fields[name] for name in _REFERENCE if name in skill.fields}
    shown = {name: field.plain() for name, field in known.items() if field.kind != "null"}
    for name in ("name", "description"):
        shown[name] = str(shown[name]).strip()
    return {
        **shown,
        "path": skill.path,
        "other-fields": {name: field.plain() for name, field in skill.fields.items() if name not in _REFERENCE},
        "body": {"line": skill.body_line, "lines": len(skill.body.splitlines()), "characters": len(skill.body)},
        "files": skill.tree.files,
    }


def required(skill: Skill) -> tuple[str, str]:
    """The skill's name and description. Raises UnusableSkill, with what was found first, when one is missing."""
    name, description = (skill.string("name") or "").strip(), (skill.string("description") or "").strip()
    if name and description:
        return name, description
    if skill.problems:
        raise UnusableSkill(f"{skill.path}: {skill.problems[0].finding.message}; see `skillpack validate`")
    raise UnusableSkill(f"{skill.path}: no {'description' if name else 'name'}; see `skillpack validate`")


def available_skills(skills: list[Skill]) -> str:
    """The `<available_skills>` block that goes into an agent's prompt; locations are absolute paths.

    The lines are those of the reference library. Raises UnusableSkill as `required` does.
    """
    lines = ["<available_skills>"]
    for skill in skills:
        name, description = required(skill)
        location = os.path.abspath(skill.path)
        lines.append("<skill>")
        for tag, text in (("name", name), ("description", description), ("location", location)):
            lines += [f"<{tag}>", _escaped(text), f"</{tag}>"]
        lines.append("</skill>")
    return "\n".join([*lines, "</available_skills>"])


def _escaped(text: str) -> str:
    """`text` for XML: escaped, and without the control characters that XML cannot hold."""
    from html import escape

    legal = "".join(c if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff") else "�" for c in text)
    return escape(legal)
