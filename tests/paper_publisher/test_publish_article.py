"""publish_article.py against the local Hub: what was checked and nothing else, by pull request, once."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from .conftest import Desk, module_of

check_article, render_article = module_of("check_article.py"), module_of("render_article.py")


def edited(article: Path, sentence: str) -> None:
    """A sentence more, checked and rendered again."""
    path = article / "article.md"
    path.write_text(path.read_text().replace("## Data\n", f"## Data\n\n{sentence}\n", 1))
    assert render_article.main([str(article), "--to", "html"]) == 0
    assert check_article.main([str(article)]) == 0


def test_an_article_is_proposed_once_brought_up_to_date_and_then_there(desk: Desk, article: Path) -> None:
    model = desk.card("tiny", "# Tiny\n")
    wanted = ["publish_article.py", "article", "--repo", model]
    shown = desk.json(*wanted, code=4)
    assert shown["state"] == "would be published" and "article/article.md" in shown["files"]
    assert list(desk.api.get_repo_discussions(model)) == []
    first = desk.json(*wanted, "--yes")
    assert first["pull_request"].endswith(f"{model}/discussions/1")
    assert desk.api.list_repo_files(model) == [".gitattributes", "README.md"]
    files = {name for name in desk.api.list_repo_files(model, revision="refs/pr/1") if name.startswith("article/")}
    here = {f"article/{path.relative_to(article)}" for path in article.rglob("*") if path.is_file()}
    assert here - files == {"article/article-check.json", "article/.rendered.json"}
    again = desk.json(*wanted, "--yes")
    assert again["state"] == "proposed already" and again["files"] == []
    edited(article, "One sentence more.")
    update = desk.json(*wanted, "--yes")
    assert update["pull_request"] == first["pull_request"]
    assert sorted(update["files"]) == ["article/article.html", "article/article.md"]
    assert b"One sentence more." in desk.read(model, "article/article.md", "refs/pr/1")
    desk.api.merge_pull_request(model, 1)
    assert desk.json(*wanted)["state"] == "there already"
    assert desk.read(model) == b"# Tiny\n"


def test_a_space_shows_the_article_as_its_page(desk: Desk, article: Path) -> None:
    repo = f"{desk.user}/tiny-article"
    wanted = ["publish_article.py", "article", "--repo", "tiny-article", "--type", "space"]
    assert desk.script(*wanted, "--yes").returncode == 2, "it is not there, and --create is not given"
    assert desk.json(*wanted, "--create", code=4)["created"] is False
    assert not desk.api.repo_exists(repo, repo_type="space")
    made = desk.json(*wanted, "--create", "--yes")
    assert made["created"] and made["pull_request"] is None
    assert desk.read(repo, "index.html", repo_type="space") == (article / "article.html").read_bytes()
    info = desk.api.space_info(repo)
    assert info.private and info.sdk == "static" and desk.json(*wanted)["state"] == "there already"
    app = desk.card("app", "---\nsdk: gradio\n---\n", "space")
    refused = desk.script("publish_article.py", "article", "--repo", app, "--type", "space", "--yes")
    assert refused.returncode == 2 and "is an app" in refused.stderr


def change(article: Path, what: str) -> None:
    if what == "never checked":
        (article / "article-check.json").unlink()
    elif what == "failed its check":
        (article / "article.md").write_text((article / "article.md").read_text() + "\nTODO: more\n")
        check_article.main([str(article)])
    elif what == "changed since":
        (article / "article.md").write_text((article / "article.md").read_text() + "\nmore\n")
    elif what == "a file more":
        (article / "rows.jsonl").write_text("{}\n")
    elif what == "another file's bytes":
        (article / "figures/training.png").write_bytes(b"\x89PNG")
    elif what == "a page of another text":
        (article / "article.html").write_text("<html></html>")
    else:
        (article / "article-check.json").write_text(json.dumps({"schema": "skillpack/article-check/1", "passed": True}))


@pytest.mark.parametrize("what, told", [
    ("never checked", "make it first"), ("failed its check", "1 errors"), ("changed since", "checked: article.md"),
    ("a file more", "rows.jsonl"), ("another file's bytes", "figures/training.png"),
    ("a page of another text", "render_article.py"), ("a check by hand", "required property"),
])  # fmt: skip
def test_what_was_not_checked_is_not_sent(desk: Desk, article: Path, what: str, told: str) -> None:
    change(article, what)
    refused = desk.script("publish_article.py", "article", "--repo", f"{desk.user}/x", "--create", "--yes")
    assert refused.returncode == 2 and told in refused.stderr
    assert not desk.api.repo_exists(f"{desk.user}/x")


def test_who_may_not_write_is_told_before_anything_is_sent(desk: Desk, article: Path) -> None:
    model = desk.card("tiny", "# Tiny\n")
    stranger = desk.hub.add_token(f"stranger-{secrets.token_hex(3)}")
    direct = desk.script("publish_article.py", "article", "--repo", model, "--direct", "--yes", HF_TOKEN=stranger)
    assert direct.returncode == 2 and "may not write" in direct.stderr
    reader = desk.hub.add_token(desk.user, "read")
    read_only = desk.script("publish_article.py", "article", "--repo", model, "--yes", HF_TOKEN=reader)
    assert read_only.returncode == 3 and "only reads" in read_only.stderr
    climbing = desk.script("publish_article.py", "article", "--repo", model, "--path", "../x", "--yes")
    assert climbing.returncode == 2
    assert desk.api.list_repo_files(model) == [".gitattributes", "README.md"]
