"""Reading the frontmatter: places, kinds, and what no bytes may do."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from skillpack import frontmatter
from skillpack.frontmatter import parse


def fields(yaml_text: str) -> dict[str, frontmatter.Field]:
    parsed = parse(f"---\n{yaml_text}\n---\n")
    assert parsed.problems == []
    assert parsed.fields is not None
    return parsed.fields


def slugs(text: str) -> list[str]:
    return [slug for slug, _ in parse(text).problems]


@pytest.mark.parametrize(
    ("written", "kind", "disputed"),
    [
        ("no", "bool", True),
        ("true", "bool", False),
        ("1.10", "float", False),
        ("1:30", "int", True),
        ("0123", "int", False),
        ("1_000", "int", True),
        ("2026-11-21", "timestamp", True),
        ("2026-99-99", "timestamp", True),
        ("~", "null", False),
        ("9" * 5000, "int", False),
        ("<<", "str", False),
        ("=", "str", False),
        ("abc", "str", False),
    ],
)
def test_a_scalar_stays_the_text_that_was_written(written: str, kind: str, disputed: bool) -> None:
    field = fields(f"a: {written}")["a"]
    assert (field.value, field.kind, field.disputed) == (written, kind, disputed)


def test_a_quoted_scalar_is_text_whatever_it_looks_like() -> None:
    assert {fields(f"a: {quoted}")["a"].kind for quoted in ("'no'", '"1.10"', "'~'", '""')} == {"str"}


def test_a_value_with_dashes_is_kept_whole_where_the_reference_library_cuts_it() -> None:
    parsed = parse("---\nname: x\ndescription: a --- b\n---\nbody --- too\n---\nend\n")
    assert parsed.fields is not None
    assert parsed.fields["description"].value == "a --- b"
    assert parsed.body == "body --- too\n---\nend\n"


def test_flow_style_is_yaml_though_the_reference_library_refuses_it() -> None:
    assert fields("a: [b, {c: d}]")["a"].plain() == ["b", {"c": "d"}]


def test_places_count_lines_of_the_file_and_characters_of_the_line() -> None:
    parsed = parse('---\nname: "é😀"\nmeta: {é😀: b, c: d}\n---\n')
    assert parsed.fields is not None
    meta = parsed.fields["meta"].value
    assert isinstance(meta, dict)
    assert (meta["c"].key_line, meta["c"].key_column, meta["c"].line, meta["c"].column) == (3, 15, 3, 18)


def test_windows_line_ends_change_no_place_and_no_value() -> None:
    text = "---\nname: x\ndescription: >-\n  two\n  lines\nlicense: MIT\n---\nbody\n"
    unix, windows = parse(text), parse(text.replace("\n", "\r\n"))
    assert unix.fields == windows.fields
    assert unix.body_line == windows.body_line == 8


def test_the_fields_after_an_unquoted_colon_are_read_all_the_same() -> None:
    parsed = parse("---\nname: x\ndescription: Use when: now\nlicense: MIT\n---\n")
    assert [slug for slug, _ in parsed.problems] == ["unquoted-colon"]
    assert parsed.fields is not None
    assert parsed.fields["description"].value == "Use when: now"
    assert parsed.fields["license"].line == 4


def test_another_mistake_after_an_unquoted_colon_is_reported_too() -> None:
    assert slugs("---\na: b: c\nd: 'e\n---\n") == ["unquoted-colon", "yaml-syntax"]


def test_quotes_and_backslashes_survive_the_proposed_quoting() -> None:
    (problem,) = parse('---\na: say "x\\y": now\n---\n').problems
    assert yaml.safe_load(problem.finding.fix.removeprefix("write `").removesuffix("`")) == {"a": 'say "x\\y": now'}


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("---\na: " + "[" * 30_000 + "\n---\n", "yaml-budget"),
        ("---\na: " + "{a: " * 15_000 + "\n---\n", "yaml-budget"),
        ("---\n" + "".join(f"k{n}: v\n" for n in range(5_000)) + "---\n", "yaml-budget"),
        ("---\n" + "- " * 30_000 + "\n---\n", "yaml-budget"),
        ("---\n" + "? " * 30_000 + "\n---\n", "yaml-budget"),
        ("---\na: &a [*a]\n---\n", "yaml-aliases"),
        ("---\na: !x y\n---\n", "yaml-tags"),
        ("---\na: ! y\n---\n", "yaml-tags"),
        ("---\n" + "\n" * 100_000, "frontmatter-closed"),
        ("---\n" + "\n" * 100_000 + "---\n", "yaml-budget"),
        ("\n" * 1_000_000, "frontmatter-present"),
        ("---\n" * 250_000, ""),
        ("---\na: " + "'" * 60_000 + "\n---\n", ""),
        ("---\na: b" + ": c" * 20_000 + "\n---\n", "unquoted-colon"),
    ],
    ids=lambda value: value if len(value) < 20 else f"{value[4:12]!r}-{len(value)}",
)
@pytest.mark.parametrize("loader", ["libyaml", "python"])
def test_hostile_frontmatter_is_refused_in_bounded_time(
    text: str, slug: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loader == "python":
        monkeypatch.setattr(frontmatter, "LOADER", yaml.SafeLoader)
    started = time.process_time()
    found = slugs(text)
    assert time.process_time() - started < 5
    assert found[:1] == ([slug] if slug else [])


def test_small_frontmatter_is_within_the_budget() -> None:
    assert slugs("---\nname: x\nmetadata: {a: [b, [c, [d]]]}\n---\n") == []


MARKS = ["---", "...", "%YAML 1.1", "- ", "? ", ": ", "| ", ">-", "#", "[", "]", "{", "}", "'", '"', "@", "`"]
REFUSED = ["&a ", "*a", "!!str ", "<<: ", "\x00", "\ufeff"]
SPACE = ["\n", "\r\n", "\r", "\u2028", "\t", "  "]
PIECES = st.sampled_from([*MARKS, *REFUSED, *SPACE, "name", "description", "metadata:", "a", "é"])


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(["", "---\n", "---\nname: x\n"]))
def test_any_text_gives_fields_or_problems_and_never_an_exception(text: str, start: str) -> None:
    whole = f"{start}{text}\n---\n"
    lines = whole.count("\n") + whole.count("\r") + whole.count("\u2028") + 1
    parsed = parse(whole)
    assert parsed.fields is not None or parsed.problems
    for _, finding in parsed.problems:
        assert 1 <= finding.line <= lines
        assert finding.column >= 1
        assert finding.message


SIGNS = st.sampled_from(
    [*"-:?#|>'\"%@,.~ \n\n  a", "- ", ": ", "? ", "\n  ", "\n    ", "\n     ", "k: ", "- - ", "-  -", "---\n"]
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(SIGNS, max_size=60).map("".join))
def test_what_is_modest_by_its_signs_is_within_the_budget_of_the_parser(text: str) -> None:
    problems: list[frontmatter.Problem] = []
    try:
        within = frontmatter._within_budget(text, 1, problems)
    except yaml.YAMLError:
        within = True
    assert within or not frontmatter._is_modest(text), problems


def test_the_deepest_and_the_longest_that_is_modest_is_within_the_budget() -> None:
    deepest = "".join(" " * n + "k:\n" + " " * n + "- k:\n" for n in range(0, 6, 2))
    for text in (deepest, "k:\n" * 1249):
        assert frontmatter._is_modest(text)
        assert frontmatter._within_budget(text, 1, [])
    assert not frontmatter._is_modest("".join(" " * n + "k:\n" for n in range(7)))
    assert not frontmatter._is_modest("k:\n" * 1251)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_as_a_quoted_value_comes_back_as_it_was(text: str) -> None:
    document = yaml.safe_dump({"description": text}, allow_unicode=True, default_style='"', width=10_000)
    parsed = parse(f"---\n{document}---\n")
    assert parsed.problems == []
    assert parsed.fields is not None
    assert parsed.fields["description"].value == text
