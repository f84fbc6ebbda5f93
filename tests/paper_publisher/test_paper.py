"""paper.py against the local Hub: look up, cite, index, claim; cards linked by pull request, every other byte kept."""

from __future__ import annotations

import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skillpack.kit.arxiv import ArxivId

from .conftest import Desk, module_of

paper = module_of("paper.py")

ATTENTION = "1706.03762"
APA = (
    "Vaswani, A., Shazeer, N., Parmar, N., Uszkoreit, J., Jones, L., Gomez, A. N., Kaiser, L., & Polosukhin, I. "
    "(2017). Attention Is All You Need. arXiv. https://doi.org/10.48550/arXiv.1706.03762"
)
MLA = (
    "Vaswani, Ashish, Noam Shazeer, Niki Parmar, Jakob Uszkoreit, Llion Jones, Aidan N. Gomez, Lukasz Kaiser, and "
    "Illia Polosukhin. “Attention Is All You Need.” arXiv, 12 June 2017, arxiv.org/abs/1706.03762."
)
CHICAGO = (
    "Vaswani, Ashish, Noam Shazeer, Niki Parmar, Jakob Uszkoreit, Llion Jones, Aidan N. Gomez, Lukasz Kaiser, and "
    "Illia Polosukhin. “Attention Is All You Need.” arXiv:1706.03762. Preprint, arXiv, June 12, 2017. "
    "https://doi.org/10.48550/arXiv.1706.03762."
)
BIBTEX = """@misc{vaswani2017attention,
  title = {Attention Is All You Need},
  author = {Vaswani, Ashish and Shazeer, Noam and Parmar, Niki and Uszkoreit, Jakob and Jones, Llion and Gomez, Aidan N. and Kaiser, Lukasz and Polosukhin, Illia},
  year = {2017},
  eprint = {1706.03762},
  archivePrefix = {arXiv},
  primaryClass = {cs.CL},
  url = {https://arxiv.org/abs/1706.03762}
}"""  # noqa: E501 - as it is printed


@pytest.fixture
def paper_id(desk: Desk) -> str:
    """A paper that this user's Hub has a page for."""
    paper_id = f"24{secrets.randbelow(12) + 1:02d}.{secrets.randbelow(99_998) + 1:05d}"
    about = {"title": f"Small [models] & {paper_id}", "summary": "They learn.", "authors": ["Ada Byron", "C. Babbage"],
             "publishedAt": "2024-03-05"}  # fmt: skip
    (desk.hub.root / "arxiv").mkdir(exist_ok=True)
    (desk.hub.root / "arxiv" / f"{paper_id}.json").write_text(json.dumps(about))
    desk.json("paper.py", "index", paper_id, "--yes")
    return paper_id


def test_indexing_posts_once_and_only_with_yes(desk: Desk) -> None:
    paper_id = f"2501.{secrets.randbelow(99_998) + 1:05d}"
    (desk.hub.root / "arxiv").mkdir(exist_ok=True)
    recorded = desk.hub.root / "arxiv" / f"{paper_id}.json"
    assert desk.json("paper.py", "check", paper_id, code=1)["indexed"] is False
    unknown = desk.script("paper.py", "index", paper_id, "--yes")
    assert unknown.returncode == 3 and "404" in unknown.stderr
    recorded.write_text(json.dumps({"title": "New", "authors": ["A B"], "publishedAt": "2025-01-01"}))
    assert desk.json("paper.py", "index", paper_id, code=4)["indexed"] is False
    assert desk.json("paper.py", "check", paper_id, code=1)["indexed"] is False
    assert desk.json("paper.py", "index", f"https://arxiv.org/abs/{paper_id}v2", "--yes")["was_there"] is False
    assert desk.json("paper.py", "check", paper_id)["url"].endswith(f"/papers/{paper_id}")
    assert desk.json("paper.py", "index", paper_id)["was_there"] is True


@pytest.mark.parametrize("style, expected", [("apa", APA), ("mla", MLA), ("chicago", CHICAGO), ("bibtex", BIBTEX)])
def test_a_citation_has_all_authors_in_order(desk: Desk, recorded: dict, style: str, expected: str) -> None:
    found = desk.json("paper.py", "citation", "https://arxiv.org/pdf/1706.03762v7", "--style", style)
    assert found["citation"] == expected and found["source"] == "arXiv"
    assert found["authors"] == recorded[ATTENTION]["authors"]


def test_et_al_shortens_as_the_guides_say_and_not_before() -> None:
    def found(count: int) -> dict:
        return {"paper": ArxivId(ATTENTION, None), "title": "T", "authors": [f"A Name{n}" for n in range(count)],
                "date": "2017-09-01", "category": None}  # fmt: skip

    assert "…" not in paper.apa(found(20), True) and "Name18, A., … Name20, A. (2017)" in paper.apa(found(21), True)
    assert "et al." not in paper.mla(found(2), True) and paper.mla(found(3), True).startswith("Name0, A, et al. “T.”")
    assert "1 Sept. 2017" in paper.mla(found(1))
    assert "et al." not in paper.chicago(found(10), True) and "Name6, et al." in paper.chicago(found(11), True)


def test_a_legacy_paper_is_cited_and_has_no_page(desk: Desk, recorded: dict) -> None:
    cited = desk.json("paper.py", "citation", "hep-th/9711200v3", "--style", "apa")
    assert cited["citation"].startswith("Maldacena, J. M. (1997). The Large N Limit")
    assert cited["citation"].endswith("10.48550/arXiv.hep-th/9711200")
    assert desk.json("paper.py", "check", "hep-th/9711200", code=1)["indexed"] is False
    refused = desk.script("paper.py", "index", "hep-th/9711200", "--yes")
    assert refused.returncode == 3 and "since April 2007" in refused.stderr
    unknown = desk.script("paper.py", "citation", "hep-th/9901999")
    assert unknown.returncode == 2 and "arXiv has no paper hep-th/9901999" in unknown.stderr


def test_an_entry_is_added_to_a_bibliography_once(desk: Desk, recorded: dict) -> None:
    path = desk.folder / "references.bib"
    path.write_text("@misc{other, title={x}}")
    assert desk.json("paper.py", "citation", ATTENTION, "--append", path)["appended"] is True
    text = path.read_text()
    assert text == f"@misc{{other, title={{x}}}}\n\n{BIBTEX}\n"
    assert desk.json("paper.py", "citation", ATTENTION, "--append", path)["appended"] is False
    assert path.read_text() == text
    path.write_text("@misc{vaswani2017attention, title={another}}")
    assert desk.script("paper.py", "citation", ATTENTION, "--append", path).returncode == 2


def test_papers_are_found_and_listed(desk: Desk, paper_id: str) -> None:
    assert [each["id"] for each in desk.json("paper.py", "search", paper_id)["papers"]] == [paper_id]
    assert desk.json("paper.py", "search", f"{paper_id} nothing-such", code=1)["papers"] == []
    newest = desk.json("paper.py", "daily", "--submitter", desk.user)["papers"]
    assert [each["id"] for each in newest] == [paper_id] and newest[0]["authors"] == ["Ada Byron", "C. Babbage"]
    assert desk.json("paper.py", "daily", "--month", "2001-01", code=1)["papers"] == []


def test_authorship_is_claimed_by_the_name_in_the_paper(desk: Desk, paper_id: str) -> None:
    stranger = desk.script("paper.py", "claim", paper_id, "--yes")
    assert stranger.returncode == 2 and "Ada Byron; C. Babbage" in stranger.stderr
    assert desk.json("paper.py", "claim", paper_id, "--author", "ada byron", code=4)["status"] is None
    assert desk.json("paper.py", "info", paper_id)["claimed"] == {}
    claimed = desk.json("paper.py", "claim", paper_id, "--author", "ada byron", "--yes")
    assert claimed["author"] == "Ada Byron" and claimed["status"] == "claimed_verified"
    assert desk.json("paper.py", "info", paper_id)["claimed"]["Ada Byron"]["user"] == desk.user
    assert desk.script("paper.py", "claim", paper_id, "--author", "Ada Byron").returncode == 0
    other = desk.hub.add_token(f"rival-{secrets.token_hex(3)}")
    taken = desk.script("paper.py", "claim", paper_id, "--author", "Ada Byron", "--yes", HF_TOKEN=other)
    assert taken.returncode == 1 and f"claimed by {desk.user}" in taken.stderr


def test_the_page_is_set_by_who_may(desk: Desk, paper_id: str) -> None:
    url = "https://github.com/ada/engine"
    assert desk.json("paper.py", "page", paper_id, "--github", url, code=4)["changed"] == {"githubRepo": url}
    assert desk.json("paper.py", "info", paper_id)["github"] is None
    desk.json("paper.py", "page", paper_id, "--github", url, "--yes")
    assert desk.json("paper.py", "info", paper_id)["github"] == url
    assert desk.json("paper.py", "page", paper_id, "--github", url)["changed"] == {}
    other = desk.hub.add_token(f"reader-{secrets.token_hex(3)}")
    refused = desk.script("paper.py", "page", paper_id, "--github", "", "--yes", HF_TOKEN=other)
    assert refused.returncode == 3 and "403" in refused.stderr
    foreign = desk.script("paper.py", "page", paper_id, "--organization", "nobody", "--yes")
    assert foreign.returncode == 2 and "is not in 'nobody'" in foreign.stderr


CARDS = {
    "plain": "---\nlicense: mit   # as the base\ntags: [a,   b]\n---\n\n# Model\n\nTrailing   \nend without a newline",
    "section": "# M\n\n## Citation\n\nPlease cite.\n\n```\n# no heading\n```\n\n## License\n\nMIT\n",
    "windows": "---\r\nlicense: mit\r\n---\r\n# M\r\n\r\ntext\r\n",
    "mark": "\ufeff# M\n\n## Papers\n",
}


def test_cards_of_all_kinds_are_linked_by_one_pull_request_each(desk: Desk, paper_id: str) -> None:
    model, rows = desk.card("m", CARDS["plain"]), desk.card("d", CARDS["section"], "dataset")
    space = desk.card("s", "---\nsdk: static\n---\n", "space")
    wanted = ["link", paper_id, "--model", model, "--dataset", rows, "--space", space]
    shown = desk.json("paper.py", *wanted, code=4)
    assert [each["state"] for each in shown["repos"]] == ["would be added"] * 3
    assert list(desk.api.get_repo_discussions(model)) == []
    done = desk.json("paper.py", *wanted, "--yes")["repos"]
    assert desk.read(model).decode() == CARDS["plain"]
    for outcome, (repo, kind) in zip(done, [(model, "model"), (rows, "dataset"), (space, "space")], strict=True):
        assert outcome["pull_request"] and outcome["state"] == "added"
        before = desk.read(repo, repo_type=kind).decode()
        after = desk.read(repo, revision="refs/pr/1", repo_type=kind).decode()
        assert only_inserted(before, after) and f"papers/{paper_id}" in after and "@misc{byron2024small" in after
    assert [each["state"] for each in desk.json("paper.py", *wanted, "--yes")["repos"]] == ["proposed already"] * 3
    desk.api.merge_pull_request(model, 1)
    assert desk.json("paper.py", *wanted)["repos"][0]["state"] == "names it already"
    assert desk.json("paper.py", "info", paper_id)["linked"]["models"] == [model]


def test_a_direct_link_is_a_commit_and_needs_the_namespace(desk: Desk, paper_id: str) -> None:
    model = desk.card("direct", CARDS["windows"])
    made = desk.json("paper.py", "link", paper_id, "--model", model, "--direct", "--no-bibtex", "--yes")["repos"][0]
    assert made["pull_request"] is None and made["commit"]
    after = desk.read(model).decode()
    assert only_inserted(CARDS["windows"], after) and "\n" not in after.replace("\r\n", "") and "@misc" not in after
    stranger = desk.hub.add_token(f"stranger-{secrets.token_hex(3)}")
    own = desk.card("other", "# M\n")
    refused = desk.script("paper.py", "link", paper_id, "--model", own, "--direct", "--yes", HF_TOKEN=stranger)
    assert refused.returncode == 2 and "may not write" in refused.stderr
    absent = desk.script("paper.py", "link", paper_id, "--model", f"{desk.user}/absent", "--yes")
    assert absent.returncode == 3 and "404" in absent.stderr


def only_inserted(before: str, after: str) -> bool:
    """Whether `after` is `before` with text put in at one place."""
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    return len(after) > len(before) and after[:start] + after[start + len(after) - len(before) :] == before


FOUND = {"paper": ArxivId(ATTENTION, None), "title": "Attention [is] all", "authors": ["A Vaswani"],
         "date": "2017-06-12", "category": None}  # fmt: skip
LINES = st.lists(
    st.sampled_from(["# T", "## Citation", "## Papers and more", "```", "~~~", "text  ", "", "---", "a: b", "|a|b|"])
    | st.text(max_size=9)
)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_a_link_is_put_in_and_nothing_else_is_touched(lines: list, newline: str, ended: bool, bibtex: bool) -> None:
    card = newline.join(lines) + (newline if ended else "")
    after = paper.linked_card(card, "me/mine", ArxivId(ATTENTION, None), FOUND, bibtex)
    assert only_inserted(card, after) and paper.names_paper(after, ArxivId(ATTENTION, None))


def test_the_link_goes_into_the_section_that_is_there() -> None:
    after = paper.linked_card(CARDS["section"], "me/mine", ArxivId(ATTENTION, None), FOUND, False)
    assert after.index("# no heading") < after.index("papers/1706.03762") < after.index("## License")
    assert after.count("## Citation") == 1
    assert "## Citation" in paper.linked_card(CARDS["plain"], "me/mine", ArxivId(ATTENTION, None), FOUND, False)


@pytest.mark.parametrize("card", ["arxiv.org/abs/1706.037621", "papers/1706.0376", "1706.03762 by name alone"])
def test_another_paper_or_a_bare_number_is_no_link(card: str) -> None:
    assert not paper.names_paper(card, ArxivId(ATTENTION, None))
    assert paper.names_paper(f"see https://arxiv.org/pdf/{ATTENTION}v2", ArxivId(ATTENTION, None))


@pytest.mark.parametrize("arguments", [
    [], ["nothing"], ["info"], ["info", "no-id"], ["citation", ATTENTION, "--style", "harvard"], ["link", ATTENTION],
    ["page", ATTENTION], ["daily", "--date", "2024-01-01", "--week", "2024-W01"], ["index", ATTENTION, "--token", "x"],
])  # fmt: skip
def test_wrong_arguments_are_told_and_nothing_is_asked(arguments: list, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        paper.arguments(arguments)
    assert caught.value.code == 2 and "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["search", "x" * 251], ["search", ""], ["search", "x", "--limit", "0"],
                                       ["daily", "--limit", "101"]])  # fmt: skip
def test_limits_of_the_api_are_told_before_it_is_asked(arguments: list) -> None:
    with pytest.raises(paper.Failure) as caught:
        paper.main(arguments)
    assert caught.value.code == 2


def test_a_hub_that_cannot_be_reached_or_a_token_that_only_reads_is_told(desk: Desk, paper_id: str) -> None:
    gone = desk.script("paper.py", "check", paper_id, HF_ENDPOINT="http://127.0.0.1:9")
    assert gone.returncode == 3 and "cannot be reached" in gone.stderr
    reader = desk.hub.add_token(desk.user, "read")
    model = desk.card("mine", "# M\n")
    refused = desk.script("paper.py", "link", paper_id, "--model", model, "--yes", HF_TOKEN=reader)
    assert refused.returncode == 3 and "only reads" in refused.stderr
    assert desk.read(model) == b"# M\n"
