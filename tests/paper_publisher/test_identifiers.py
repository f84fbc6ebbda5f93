"""Identifiers, names and BibTeX: properties that hold for whatever stands there."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillpack.kit.arxiv import ArxivId, arxiv_id
from skillpack.kit.bibtex import check_bibtex
from skillpack.kit.script import EXIT_USAGE, Failure

from .conftest import module_of

paper = module_of("paper.py")

LEGACY = st.builds(
    "{}/{:02d}{:02d}{:03d}".format,
    st.sampled_from(["hep-th", "math", "cond-mat", "cs", "astro-ph", "alg-geom", "q-bio"]),
    st.sampled_from([*range(92, 100), *range(7)]), st.integers(1, 12), st.integers(1, 999),
)  # fmt: skip
OF_FOUR = st.builds("{:02d}{:02d}.{:04d}".format, st.integers(8, 14), st.integers(1, 12), st.integers(1, 9999))
OF_FIVE = st.builds("{:02d}{:02d}.{:05d}".format, st.integers(15, 89), st.integers(1, 12), st.integers(1, 99999))
IDS = LEGACY | OF_FOUR | OF_FIVE
FORMS = st.sampled_from([
    "{}", " {} ", "arXiv:{}", "arxiv: {}", "https://arxiv.org/abs/{}", "http://www.arxiv.org/pdf/{}.pdf",
    "arxiv.org/html/{}", "https://export.arxiv.org/abs/{}", "https://huggingface.co/papers/{}", "hf.co/papers/{}.md",
    "https://doi.org/10.48550/arXiv.{}", "doi:10.48550/arxiv.{}", "https://www.alphaxiv.org/abs/{}",
    "https://arxiv.org/abs/{}?context=cs", "https://arxiv.org/abs/{}#S1", "http://127.0.0.1:8000/papers/{}/",
])  # fmt: skip


@given(IDS, st.none() | st.integers(1, 9999), FORMS)
def test_every_way_to_write_an_identifier_gives_it(known: str, version: int | None, form: str) -> None:
    written = form.format(f"{known}v{version}" if version else known)
    found = arxiv_id(written)
    assert found == ArxivId(known, version)
    assert arxiv_id(found.id) == ArxivId(known, None) and arxiv_id(found.url).id == known
    assert found.legacy == ("/" in known)


@given(LEGACY, st.sampled_from(["GT", "AG", "stat-mech", "CL"]))
def test_the_subject_class_of_a_legacy_identifier_is_dropped_as_arxiv_does(known: str, subject: str) -> None:
    archive, _, number = known.partition("/")
    assert arxiv_id(f"{archive}.{subject}/{number}").id == known


@given(st.text() | st.from_regex(r"[a-z.-]{0,9}/?\d{4}\.?\d{3,6}(v\d+)?", fullmatch=True))
def test_any_text_is_an_identifier_or_a_failure_of_usage(text: str) -> None:
    try:
        found = arxiv_id(text)
    except Failure as failure:
        assert failure.code == EXIT_USAGE
    else:
        assert re.fullmatch(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}", found.id, re.A) and arxiv_id(found.id).id == found.id


@pytest.mark.parametrize("text", [
    "", "1706", "1706.3762", "1501.1234", "1412.12345", "1713.03762", "1700.03762", "0703.0001", "1706.00000",
    "1706.03762x", "1706.03762v0", "1706.03762v", "x1706.03762", "hep-th/0704001", "hep-th/9013001", "hep-th/9107001",
    "nothing/9901001", "hep-th/99010011", "HEP-TH", "https://example.org/abs/1706.03762", "../../etc/passwd",
    "1706.03762; rm -rf /", "１７０６.03762", "9912.12345",
])  # fmt: skip
def test_what_arxiv_never_gave_is_refused(text: str) -> None:
    with pytest.raises(Failure) as caught:
        arxiv_id(text)
    assert caught.value.code == EXIT_USAGE


WORD = st.text(st.characters(categories=["Lu", "Ll"]), min_size=2, max_size=9)
NAME = st.lists(WORD, min_size=2, max_size=4).map(" ".join) | st.sampled_from(
    ["OpenAI", "Qwen Team", "Guido van Rossum"]
)
TITLE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=60).filter(str.strip)


def found(title: str, authors: list[str]) -> dict:
    return {"paper": ArxivId("1706.03762", None), "title": " ".join(title.split()), "authors": authors,
            "date": "2017-06-12", "category": "cs.CL"}  # fmt: skip


@given(TITLE, st.lists(NAME, min_size=1, max_size=30))
def test_no_style_loses_an_author(title: str, authors: list[str]) -> None:
    for name, style in paper.STYLES.items():
        text = style(found(title, authors))
        at = 0
        for author in authors:
            family = paper.split_name(author)[1]
            place = text.find(paper.tex(family) if name == "bibtex" else family, at)
            assert place >= 0, (name, author)
            at = place if name != "bibtex" else at


@given(TITLE, st.lists(NAME, min_size=1, max_size=30))
def test_the_bibtex_can_be_read_again_and_has_every_author(title: str, authors: list[str]) -> None:
    entries, problems = check_bibtex(paper.bibtex_entry(found(title, authors)))
    assert problems == [] and len(entries) == 1
    assert len(re.split(r" and ", entries[0].fields["author"])) >= len(authors)
    assert entries[0].fields["eprint"] == "1706.03762"


@given(st.text(max_size=400))
def test_bibtex_of_any_shape_is_read_or_told_and_never_raises(text: str) -> None:
    entries, problems = check_bibtex("@misc{key, title = {" + text)
    assert entries or problems
    check_bibtex(text)


@pytest.mark.parametrize("text, told", [
    ("@misc{a, title={x}", "not closed"),
    ("@article{a, title={x}, journal={j}, year=2020}", "lacks author"),
    ("@misc{a, title={x}}\n@misc{A, title={y}}", "stands in line 1 already"),
    ("@misc{a, title={x}, year={20}}", "the year '20'"),
    ("@misc{a, title={x}, eprint={1706.3762}}", "no arXiv identifier"),
    ("@misc{a, title={x}, author={A Byron et al.}}", "and others"),
    ("@misc{a, title={x}, author={A, B, C, D}}", "joined by `and`"),
    ("@misc{a, title={x}, doi={https://doi.org/10.1234/5}}", "no DOI"),
    ("@misc{a, title={x}, url={example.org}}", "no address"),
    ("@misc{a, title={x} year=2020}", "a comma is missing"),
    ("@misc{a, title=}", "no value"),
    ("@misc{, title={x}}", "no citation key"),
])  # fmt: skip
def test_bibtex_that_cannot_be_cited_is_told_with_its_line(text: str, told: str) -> None:
    _, problems = check_bibtex("% a comment\n\n" + text)
    assert any(told in problem.replace("line 3", "line 1") and line in (3, 4) for line, problem in problems), problems


def test_bibtex_that_can_be_cited_is_let_in() -> None:
    text = """@string{acl = "ACL"}
@InProceedings{a-b:1, title = {The {BERT} of "x"}, author = "J. Devlin and others",
  booktitle = acl # { 2019}, year = 2019,}
@online{c, title={x}, url={https://example.org/a_b}, date={2020-01-02}}
@book{d, editor={E}, title={T}, publisher={P}, date={2020}}
"""
    entries, problems = check_bibtex(text)
    assert problems == [] and [entry.key for entry in entries] == ["a-b:1", "c", "d"]


@pytest.mark.parametrize("name, split", [
    ("Aidan N. Gomez", ("Aidan N.", "Gomez", "")), ("Leandro von Werra", ("Leandro", "von Werra", "")),
    ("Maarten van der Berg", ("Maarten", "van der Berg", "")), ("Sammy Davis Jr.", ("Sammy", "Davis", "Jr.")),
    ("Byron, Ada", ("Ada", "Byron", "")), ("OpenAI", ("", "OpenAI", "")), ("Gemini Team", ("", "Gemini Team", "")),
    ("Van Gogh", ("Van", "Gogh", "")),
])  # fmt: skip
def test_names_are_split_as_a_bibliography_needs_them(name: str, split: tuple) -> None:
    assert paper.split_name(name) == split
