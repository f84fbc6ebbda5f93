"""check_article.py: each defect is found where it stands, and what is right is let in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillpack.kit.article import agrees, mark_of, value_at

from .conftest import Desk, module_of

check_article = module_of("check_article.py")


def check(folder: Path, *arguments: str) -> dict:
    code = check_article.main([str(folder), *arguments])
    document = json.loads((folder / "article-check.json").read_text())
    assert code == (0 if document["passed"] else 1)
    return document


@pytest.fixture
def folder(report: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(report, tmp_path / "article"))


RUN, ROWS = "results/run.json", "results/run.json#/comparison/rows"


def after_data(text: str) -> Callable[[Path], None]:
    """Puts a paragraph into the article."""

    def edit(folder: Path) -> None:
        path = folder / "article.md"
        path.write_text(path.read_text().replace("## Data\n", f"## Data\n\n{text}\n", 1))

    return edit


def swap(old: str, new: str, name: str = "article.md") -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return edit


def spoil(name: str, content: bytes | None) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        if content is not None:
            (folder / name).write_bytes(content)

    return edit


ERRORS = {
    "a number that is another one in its file": (after_data(f"It was 1234.5<!--{ROWS}-->."), "number", "1234.5 is"),
    "a share written as percent without a factor": (
        after_data("At 5 %<!--results/run.json#/plan/dataset/split/fraction-->."), "number", "5 is written",
    ),
    "a place that is not there": (after_data(f"It was 3<!--{RUN}#/nothing-->."), "number", "not there"),
    "a place without a number": (after_data(f"It was 3<!--{RUN}#/status-->."), "number", "has no number"),
    "a file outside the article": (after_data("It was 3<!--../run.json#/steps-->."), "number", "not in the article"),
    "a factor that is none": (after_data("It was 3<!--results/run.json#/steps *x-->."), "number", "no factor"),
    "a mark behind a word": (after_data(f"It was many<!--{ROWS}-->."), "number", "no number right before it"),
    "a reason that says nothing": (after_data("It was 3<!--source: -->."), "number", "source is empty"),
    "a result of nowhere": (after_data("Accuracy rose to 87.65 on the test set."), "number", "in no results file"),
    "a share of nowhere": (after_data("Accuracy rose by 91 % on the test set."), "number", "in no results file"),
    "a factor of nowhere": (after_data("It runs 7.77x as fast."), "number", "in no results file"),
    "a result of nowhere in a table": (after_data("| a | b |\n| - | - |\n| x | 0.98765 |"), "number", "0.98765"),
    "a link to a file that is not there": (after_data("See [the data](data/rows.jsonl)."), "link", "data/rows.jsonl"),
    "a link out of the folder": (after_data("See [the data](../../secret.txt)."), "link", "leaves the article"),
    "a link to no section": (after_data("See [there](#no-such-section)."), "link", "#no-such-section"),
    "a link to nothing": (after_data("See [there]()."), "link", "links to nothing"),
    "a figure that is not there": (after_data("![A plot](figures/other.png)"), "figure", "is not there"),
    "a figure that is cut off": (spoil("figures/training.png", b"\x89PNG\r\n\x1a\nabc"), "figure", "cut off"),
    "a figure that is no picture": (spoil("figures/training.png", b"<html>"), "figure", "is no PNG"),
    "an empty figure": (spoil("figures/training.png", b""), "figure", "is empty"),
    "a section that is missing": (swap("## Limitations", "## Other"), "section", "limitations"),
    "a section that is empty": (after_data("## Nothing here"), "section", "'Data' is empty"),
    "no title": (swap("title: ", "subtitle: "), "section", "no title"),
    "something left to write": (after_data("TODO: say why."), "todo", "TODO: say why."),
    "a citation without its entry": (after_data("As shown before [@nobody2020]."), "reference", "@nobody2020"),
    "BibTeX that is broken": (swap("year = {2020}", "year = {20}", "references.bib"), "bibtex", "the year '20'"),
    "no bibliography": (spoil("references.bib", None), "reference", "references.bib is not there"),
    "a results file that changed": (swap('"status": "completed"', '"status": "completed" ', "results/run.json"), "file",
                                    "has changed"),
    "a results file that is gone": (spoil("results/run.json", None), "file", "is not there"),
    "a folder of this machine": (after_data("We trained in /home/ada/runs/mine."), "private", "/home/ada/runs/mine"),
    "a token": (after_data("We used hf_abcdefghijklmnop."), "private", "token"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_a_defect_is_an_error_of_its_kind(name: str, folder: Path) -> None:
    edit, kind, told = ERRORS[name]
    edit(folder)
    found = [each for each in check(folder)["findings"] if each["severity"] == "error" and each["kind"] == kind]
    assert any(told in each["message"] for each in found), found


WARNINGS = {
    "a number that stands in a file": (after_data("There were 128 rows."), "unmarked", f"{RUN}#/plan/dataset/rows"),
    "an integer of nowhere": (after_data("Seen by 4711 people."), "unmarked", "in no results file"),
    "a claim": (after_data("This model outperforms all others."), "claim", "'outperforms' without a citation"),
    "an appeal to what is known": (after_data("It is known that small models forget."), "claim", "It is known"),
    "an entry that is not cited": (swap("@soft", "@misc{b, title={B}}\n@soft", "references.bib"), "reference", "b is"),
    "a figure without words": (after_data("![](figures/training.png)"), "figure", "no words"),
    "a page of an older text": (after_data("A new sentence."), "rendering", "of another text"),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNINGS)
def test_what_may_be_meant_is_a_warning_and_fails_only_when_strict(name: str, folder: Path) -> None:
    edit, kind, told = WARNINGS[name]
    edit(folder)
    found = check(folder)
    assert found["passed"] and any(each["kind"] == kind and told in each["message"] for each in found["findings"])
    assert not check(folder, "--strict")["passed"]


SILENT = {
    "code": "In `run 99.9` and\n\n```\nTODO 98.7 [x](nothing.md)\n```",
    "mathematics": "With $x = 3.14159$ and $$y = 2.71$$",
    "dates, versions and years": "On 2026-11-21, version 1.16.0 of TRL; in 2024, 2.4.0rc1 came.",
    "names with digits": "SmolLM2-135M and Qwen3-0.6B on GSM8K and MMLU-Pro, see v2.",
    "numbers of things": "See Table 12, Section 3 and Figure 4; step 77.",
    "a level of confidence": "The 95 % interval, or 99 % confidence interval.",
    "a cited number": "The paper reports 54.3 points [@vonwerra2020trl].",
    "a number with a reason": "Chance is 0.125<!--source: one of eight classes-->.",
    "a number as percent": "Held out: 20 %<!--results/run.json#/plan/dataset/split/fraction *100-->.",
    "a large number": f"It has 140,000<!--{RUN}#/plan/model/parameters--> of them.",
    "a number in millions": f"It has 0.14<!--{RUN}#/plan/model/parameters /1e6--> million of them.",
    "links": "See [results](results/run.json), [data](#data), [site](https://example.org/1.5), <https://example.org/9.9>.",
    "a claim with its number": f"It is better than its base on 12<!--{ROWS}--> rows.",
    "a claim with its source": "It outperforms others [@vonwerra2020trl].",
    "a mail address": "Write to ada@example.org.",
    "lists": "1. one\n2. two\n\n- three",
}  # fmt: skip


@pytest.mark.parametrize("name", SILENT)
def test_what_is_no_result_is_let_in(name: str, folder: Path) -> None:
    rows = json.loads((folder / "results/run.json").read_text())["comparison"]["rows"]
    after_data(SILENT[name].replace(f"12<!--{ROWS}-->", f"{rows}<!--{ROWS}-->"))(folder)
    found = [each for each in check(folder)["findings"] if each["kind"] not in ("rendering", "open")]
    assert found == []


def test_an_article_by_hand_is_checked_without_marks_and_templates(tmp_path: Path) -> None:
    (tmp_path / "article.md").write_text(
        "---\ntitle: T\nauthor: [A]\ndate: 2026-11-21\n---\n\n## Abstract\n\nAccuracy is 62.5 %, not 99.9 %.\n\n"
        "## Results\n\nText.\n\n## References\n"
    )
    (tmp_path / "scores.json").write_text(json.dumps({"accuracy": 0.625}))
    found = check(tmp_path, "--results", str(tmp_path / "scores.json"))["findings"]
    kinds = [("section", "error"), ("number", "error"), ("unmarked", "warning")]
    assert [(each["kind"], each["severity"]) for each in found] == kinds
    assert "limitation" in found[0]["message"] and found[2]["places"] == ["scores.json#/accuracy *100"]
    assert "99.9" in found[1]["message"] and found[1]["line"] == 9


@pytest.mark.parametrize("text", ["no header", "---\n: [\n---\n", "---\n- a\n---\n"])
def test_a_file_that_is_no_article_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(check_article.Failure) as caught:
        check_article.main([str(tmp_path)])
    assert caught.value.code == 2
    (tmp_path / "article.md").write_text(text)
    with pytest.raises(check_article.Failure) as caught:
        check_article.main([str(tmp_path)])
    assert caught.value.code == 2


def test_addresses_are_asked_only_when_told(desk: Desk, article: Path) -> None:
    after_data(f"See <{desk.hub.url}/api/models> and <{desk.hub.url}/api/papers/0000.00000>.")(article)
    assert not any("answers" in each["message"] for each in desk.json("check_article.py", "article")["findings"])
    found = desk.json("check_article.py", "article", "--online", code=1)["findings"]
    assert [each["message"].endswith("0000.00000 answers 404") for each in found if each["kind"] == "link"] == [True]


def test_open_points_are_counted_and_fail_nothing_and_the_sum_is_said_once(desk: Desk, article: Path) -> None:
    before = check(article, "--strict")
    assert before["passed"] and before["notices"] == 9 == sum(each["kind"] == "open" for each in before["findings"])
    swap("the result: not stated.<!--open-->", "the result: all MIT.")(article)
    done = desk.script("check_article.py", "article")
    assert "8 notices (7 open points)" in done.stdout and "open points" not in done.stderr


MADE_UP = {
    "a straight line": lambda run: run.update(log=[{**run["log"][0], "step": n, "loss": 3 - n / 7} for n in range(9)]),
    "the last training loss": lambda run: run["log"][-1].update(loss=run["comparison"]["metrics"]["loss"]["tuned"]),
    "exactly in the middle": lambda run: run["comparison"]["metrics"]["loss"].update(difference=-1.01, low=-1.06,
                                                                                     high=-0.96),
    "a hash of one digit": lambda run: run.update(plan_sha256="b" * 64),
}  # fmt: skip


@pytest.mark.parametrize("told", MADE_UP)
def test_what_looks_made_up_is_told_and_a_real_run_does_not(told: str, folder: Path) -> None:
    run = json.loads((folder / RUN).read_text())
    assert check_article.signs_of_making(run) == check_article.signs_of_making({**run, "share": 1 / 3}) == []
    MADE_UP[told](run)
    (folder / RUN).write_text(json.dumps(run))
    found = [each for each in check(folder)["findings"] if each["kind"] == "sanity"]
    assert [told in each["message"] and each["severity"] == "notice" for each in found] == [True]


def test_names_that_not_everybody_can_see_are_told_online(desk: Desk, article: Path) -> None:
    shown, hidden = desk.card("shown", "# Shown\n"), f"{desk.user}/hidden"
    desk.api.create_repo(hidden, repo_type="dataset", private=True)
    run = json.loads((article / RUN).read_text())
    run["plan"]["model"]["id"], run["plan"]["dataset"]["source"]["id"] = shown, hidden
    (article / RUN).write_text(json.dumps(run))
    named = [each for each in check(article)["findings"] if each["kind"] == "name"]
    assert [each["severity"] for each in named] == ["notice"] and shown in named[0]["message"]
    found = desk.json("check_article.py", "article", "--online", code=1)["findings"]  # 1: the results file has changed
    named = [each for each in found if each["kind"] == "name"]
    assert [each["severity"] for each in named] == ["warning"] and f"dataset {hidden} is private" in named[0]["message"]


PIECES = st.text(max_size=5) | st.sampled_from([
    "\n", "\n\n", "`", "```\n", "|", "<!--", "-->", "#", "[", "](", ")", "@", "$", "3.5", "%", "TODO", "![", ". ",
    "\r", "\u2028",
    "results/run.json#/steps", "\x00", "best",
])  # fmt: skip


@given(st.lists(PIECES, max_size=40).map("".join))
def test_whatever_stands_in_an_article_is_judged(text: str) -> None:
    article = check_article.Article(Path("nowhere"), text, {"title": "T"}, text, 1)
    results = check_article.Results(Path("nowhere"), [])
    results.documents["results/run.json"] = {"steps": 3}
    check = check_article.Check(article, results)
    for judge in (check.numbers, check.links, check.sections, check.references, check.claims):
        judge()
    assert all(1 <= each["line"] <= text.count("\n") + 1 for each in check.findings)
    assert len(check.bare) == len(check.prose) == len(text)
    check_article.with_updates(text, results)


def test_a_long_article_is_judged_in_time_that_grows_with_its_length() -> None:
    text = "It was 3.5 and [a](#b) and `c` and best [@d].\n" * 4000
    article = check_article.Article(Path("nowhere"), text, {}, text, 1)
    check = check_article.Check(article, check_article.Results(Path("nowhere"), []))
    for judge in (check.numbers, check.links, check.claims):
        judge()
    assert check.counts["untraced"] == 4000


@given(st.floats(-1e12, 1e12, allow_nan=False), st.integers(0, 6))
def test_a_number_agrees_with_what_it_was_written_from_and_is_renewed_in_its_form(value: float, digits: int) -> None:
    for spec in (f".{digits}f", f"+.{digits}f", f",.{digits}f", f".{digits}e"):
        shown = format(value, spec)
        assert agrees(shown, value)
        assert agrees(check_article.in_form(shown, value * 2 + 1), value * 2 + 1)
    assert not agrees(format(value, f".{digits}f"), value + 0.6 * 10.0**-digits + abs(value) * 1e-6 + 1)


@given(st.recursive(st.integers(), lambda inner: st.dictionaries(st.text(max_size=6), inner, min_size=1, max_size=3)
                    | st.lists(inner, min_size=1, max_size=3), max_leaves=8))  # fmt: skip
def test_every_place_of_a_document_can_be_marked_and_found_again(document: object) -> None:
    for pointer, value in check_article.leaves(document):
        assert value_at(document, pointer) == value
    if isinstance(document, dict):
        key = next(iter(document))
        match = check_article.MARK.fullmatch(mark_of("results/run.json", (key,)))
        assert match and value_at(document, match["pointer"]) == document[key]
