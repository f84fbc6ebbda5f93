"""Papers through HfApi, `hf papers`, and the calls that the client has no method for."""

from __future__ import annotations

import json
import secrets
import xml.etree.ElementTree as etree
from datetime import date
from typing import Any

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from tests.conftest import LocalHub


def post(hub: LocalHub, path: str, body: Any, token: str | None = None) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token or hub.token}"}
    return httpx2.post(hub.url + path, json=body, headers=headers, timeout=30)


def new_id() -> str:
    return f"{secrets.randbelow(10_000):04d}.{secrets.randbelow(100_000):05d}"


@pytest.fixture
def paper(hub: LocalHub) -> str:
    """A paper whose metadata was recorded under the Hub's root."""
    paper_id = new_id()
    recorded = {
        "title": f"Attention  <b>revisited</b>\n{paper_id}",
        "summary": "We look again at attention.",
        "authors": ["Ada Byron", {"name": "C. Babbage"}],
        "publishedAt": "2026-01-02",
    }
    folder = hub.root / "arxiv"
    folder.mkdir(exist_ok=True)
    (folder / f"{paper_id}.json").write_text(json.dumps(recorded))
    assert post(hub, "/api/papers/index", {"arxivId": paper_id}).json() == {}
    return paper_id


def test_a_recorded_paper_is_indexed_and_read(hub: LocalHub, paper: str) -> None:
    info = hub.api().paper_info(paper)
    assert info.id == paper and info.title == f"Attention <b>revisited</b> {paper}"
    assert info.authors is not None and [author.name for author in info.authors] == ["Ada Byron", "C. Babbage"]
    assert info.published_at is not None and info.published_at.year == 2026
    assert hub.api().read_paper(paper).startswith("# Attention")
    assert "Ada Byron" in hub.run("hf", "papers", "info", paper).stdout


def test_metadata_can_be_posted_and_is_never_fetched(hub: LocalHub) -> None:
    paper_id = new_id()
    answer = post(hub, "/api/papers/index", {"arxivId": paper_id})
    assert answer.status_code == 404 and f"arxiv/{paper_id}.json" in answer.json()["error"]
    posted = {"arxivId": paper_id, "title": "Posted", "summary": "s", "authors": ["A"]}
    assert post(hub, "/api/papers/index", posted).status_code == 200
    assert hub.api().paper_info(paper_id).title == "Posted"
    assert post(hub, "/api/papers/index", {"arxivId": "../../etc/passwd"}).status_code == 400
    assert post(hub, "/api/papers/index", {"arxivId": paper_id + "v2"}).status_code == 400
    assert post(hub, "/api/papers/index", posted, token="hf_wrong").status_code == 401


def test_search_and_daily_papers_list_it(hub: LocalHub, paper: str) -> None:
    assert paper in [each.id for each in hub.api().list_papers(query=f"attention byron {paper}")]
    assert [each.id for each in hub.api().list_papers(query=f"{paper} unrelated-word")] == []
    today = date.today().isoformat()
    assert paper in [each.id for each in hub.api().list_daily_papers(date=today, submitter=hub.user)]
    assert list(hub.api().list_daily_papers(date="2001-01-01")) == []
    assert paper in hub.run("hf", "papers", "search", paper).stdout


def test_links_are_set_by_the_submitter_or_a_claimed_author(hub: LocalHub, paper: str) -> None:
    links = {"githubRepo": "https://github.com/acme/attention", "projectPage": "https://example.org"}
    other = hub.add_token("reader")
    assert post(hub, f"/api/papers/{paper}/links", links, token=other).status_code == 403
    raw = httpx2.get(f"{hub.url}/api/papers/{paper}").json()
    claim = {"paperId": paper, "claimAuthorId": raw["authors"][0]["_id"]}
    assert post(hub, "/api/settings/papers/claim", {**claim, "claimAuthorId": "nobody"}).status_code == 404
    assert post(hub, "/api/settings/papers/claim", {**claim, "targetUserId": "someone else"}).status_code == 403
    assert post(hub, "/api/settings/papers/claim", claim).status_code == 200
    rival = hub.add_token("rival")
    assert post(hub, "/api/settings/papers/claim", claim, token=rival).status_code == 409
    assert post(hub, "/api/papers/index", {"arxivId": paper}, token=rival).status_code == 403
    assert post(hub, "/api/papers/index", {"arxivId": paper}).status_code == 200
    assert post(hub, f"/api/papers/{paper}/links", {"githubRepo": "javascript:alert(1)"}).status_code == 400
    assert post(hub, f"/api/papers/{paper}/links", links).status_code == 200
    info = hub.api().paper_info(paper)
    assert info.github_repo == links["githubRepo"] and info.project_page == links["projectPage"]
    assert info.authors is not None and info.authors[0].status == "claimed_verified"
    assert info.authors[0].user is not None and info.authors[0].user.username == hub.user


def test_a_card_that_names_the_paper_links_the_repo(hub: LocalHub, paper: str) -> None:
    card = f"---\ntags: [x]\n---\nSee https://arxiv.org/abs/{paper} and hf.co/papers/{paper}".encode()
    for name, private in (("cites", False), ("hides", True)):
        repo = hub.api().create_repo(f"{name}-{paper}", private=private).repo_id
        hub.api().upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=repo)
    info = hub.api().paper_info(paper)  # the client reads a paper without a token
    assert info.linked_models is not None and [each.id for each in info.linked_models] == [f"{hub.user}/cites-{paper}"]
    assert [each.id for each in hub.api().list_models(filter=f"arxiv:{paper}", author=hub.user)]


def test_an_unknown_paper_is_not_found(hub: LocalHub) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        hub.api().paper_info("0000.00000")
    assert caught.value.response.status_code == 404


def test_a_recorded_paper_is_served_as_arxiv_serves_it(hub: LocalHub, paper: str) -> None:
    def ask(paper_id: str) -> str:
        return httpx2.get(f"{hub.url}/api/arxiv/api/query", params={"id_list": paper_id}).text

    atom = "{http://www.w3.org/2005/Atom}"
    entry = etree.fromstring(ask(f"{paper}v2").encode()).find(f"{atom}entry")
    assert entry is not None and entry.findtext(f"{atom}title") == f"Attention <b>revisited</b> {paper}"
    assert [each.text for each in entry.iter(f"{atom}name")] == ["Ada Byron", "C. Babbage"]
    assert entry.findtext(f"{atom}published", "").startswith("2026-01-02")
    (hub.root / "arxiv/hep-th").mkdir(exist_ok=True)
    (hub.root / "arxiv/hep-th/9901001.json").write_text(json.dumps({"title": "Old", "category": "hep-th"}))
    assert 'term="hep-th"' in ask("hep-th/9901001")
    assert etree.fromstring(ask(new_id()).encode()).find(f"{atom}entry") is None
    assert "/api/errors" in ask("../../hub.db")
