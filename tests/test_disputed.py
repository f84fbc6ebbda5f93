"""Where validators disagree, and where the reference library is wrong: what this one says, case by case."""

from __future__ import annotations

from pathlib import Path

import pytest

from skillpack.checker import check
from skillpack.cli import main
from skillpack.diagnostics import Diagnostic
from skillpack.rules import discover
from skillpack.skill import load_skill
from skillpack.source import find

RULES = discover()


def diagnose(tmp_path: Path, data: bytes, folder: str = "sort", file: str = "SKILL.md") -> list[Diagnostic]:
    path = tmp_path / folder / file
    path.parent.mkdir()
    path.write_bytes(data + b"Sort the lines of a file.\n")
    return check(map(load_skill, find(str(path.parent))), RULES)


def verdicts(diagnostics: list[Diagnostic]) -> list[str]:
    return [f"{found.severity.label} {found.slug}" for found in diagnostics]


DISPUTED = {
    "allowed-tools as a list": ("allowed-tools: [Read, Bash]", ["warning allowed-tools-string"]),
    "a whole number in the metadata": ("metadata: {a: 1}", ["warning metadata-strings"]),
    "a list in the metadata": ("metadata: {a: [b]}", ["warning metadata-strings"]),
    "a mapping in the metadata": ("metadata: {a: {b: c}}", ["warning metadata-strings"]),
    "a field of Claude Code": ("argument-hint: file", ["warning field-of-client"]),
    "a near miss": ("licence: MIT", ["error field-misspelled"]),
    "a field of nobody": ("tags: a", ["warning field-unknown"]),
    "a field twice": ("description: other", ["error duplicate-keys"]),
    "an unquoted colon": ("license: see: here", ["error unquoted-colon"]),
    "flow style": ('metadata: {a: "1", b: c}', []),
    "three dashes in a value": ("license: a --- b", []),
}


@pytest.mark.parametrize(("line", "expected"), DISPUTED.values(), ids=DISPUTED)
def test_a_disputed_line_gets_the_verdict_that_was_decided(tmp_path: Path, line: str, expected: list[str]) -> None:
    data = f"---\nname: sort\ndescription: Sorts.\n{line}\n---\n"
    assert verdicts(diagnose(tmp_path, data.encode())) == expected


@pytest.mark.parametrize("name", ["café", "技能"])
def test_a_name_beyond_a_to_z_is_accepted_and_the_disagreement_is_said(tmp_path: Path, name: str) -> None:
    found = diagnose(tmp_path, f"---\nname: {name}\ndescription: Sorts.\n---\n".encode(), folder=name)
    assert verdicts(found) == ["notice name-ascii"]
    assert "the reference library accepts it, other validators do not" in found[0].message


def test_a_name_that_is_a_number_is_an_error_though_the_reference_library_makes_text_of_it(tmp_path: Path) -> None:
    found = diagnose(tmp_path, b"---\nname: 123\ndescription: Sorts.\n---\n", folder="123")
    assert verdicts(found) == ["error name-string"]


def test_a_name_that_is_not_the_folders_is_an_error_also_for_a_lone_folder(tmp_path: Path) -> None:
    found = diagnose(tmp_path, b"---\nname: sort\ndescription: Sorts.\n---\n", folder="order")
    assert verdicts(found) == ["error name-matches-directory"]


def test_skill_md_in_lower_case_is_read_and_the_clients_that_miss_it_are_named(tmp_path: Path) -> None:
    found = diagnose(tmp_path, b"---\nname: sort\n---\n", file="skill.md")
    assert verdicts(found) == ["error description-required", "warning skill-file-name"]
    assert "Codex, Gemini CLI and Copilot CLI" in found[1].message


def test_a_byte_order_mark_is_named_and_not_taken_for_missing_frontmatter(tmp_path: Path) -> None:
    found = diagnose(tmp_path, b"\xef\xbb\xbf---\nname: sort\nlicence: MIT\n---\n")
    assert verdicts(found) == ["error byte-order-mark", "error description-required", "error field-misspelled"]


def test_a_leading_blank_line_is_an_error_and_the_fields_are_judged_all_the_same(tmp_path: Path) -> None:
    found = diagnose(tmp_path, b"\n---\nname: sort\nlicence: MIT\n---\n")
    assert verdicts(found) == ["error frontmatter-first", "error description-required", "error field-misspelled"]


def test_latin_1_is_a_finding_with_its_place_where_the_reference_library_crashes(tmp_path: Path) -> None:
    found = diagnose(tmp_path, "---\nname: sort\ndescription: Sortiert für é.\n---\n".encode("latin-1"))
    assert verdicts(found) == ["error encoding-utf-8"]
    assert found[0].location[1:] == (3, 24)


def test_a_folder_called_skill_md_is_a_finding_where_the_reference_library_crashes(tmp_path: Path) -> None:
    (tmp_path / "sort" / "SKILL.md").mkdir(parents=True)
    for path in (tmp_path, tmp_path / "sort", tmp_path / "sort" / "SKILL.md"):
        assert verdicts(check(map(load_skill, find(str(path))), RULES)) == ["error skill-file"]


@pytest.mark.parametrize("hidden", ["\u200b", "\u200d", "\U000e0041", "\u202e"], ids=ascii)
def test_invisible_characters_in_a_name_do_not_pass(tmp_path: Path, hidden: str) -> None:
    found = diagnose(tmp_path, f'---\nname: "so{hidden}rt"\ndescription: Sorts.\n---\n'.encode())
    assert "error name-format" in verdicts(found)
    assert hidden not in "".join(diagnostic.message for diagnostic in found)


def test_a_description_is_measured_in_characters(tmp_path: Path) -> None:
    start = "---\nname: sort\ndescription: "
    assert diagnose(tmp_path, f"{start}{'é' * 1024}\n---\n".encode()) == []


@pytest.mark.parametrize(
    ("value", "kept"), [("no", "no"), ("1.10", "1.10"), ("1:30", "1:30"), ("2026-99-99", "2026-99-99")]
)
def test_a_value_keeps_the_form_in_which_it_was_written(tmp_path: Path, value: str, kept: str) -> None:
    (tmp_path / "SKILL.md").write_text(f"---\nname: x\nmetadata: {{a: {value}}}\n---\n", encoding="utf-8")
    (tree,) = find(str(tmp_path))
    assert load_skill(tree).fields["metadata"].plain() == {"a": kept}


def test_nothing_checked_is_no_success(tmp_path: Path) -> None:
    assert main(["validate", str(tmp_path / "missing")]) == 2
    assert main(["validate", str(tmp_path)]) == 3
