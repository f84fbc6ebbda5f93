"""The web pages: what they show to whom, that they escape it, and that a real browser renders them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from huggingface_hub import JobStage

from tests.conftest import LocalHub
from tests.hub.chromium import Browser

XSS = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


def login_url(hub: LocalHub) -> str:
    answer = httpx2.post(f"{hub.url}/api/local/login-link", headers={"Authorization": f"Bearer {hub.token}"})
    return str(answer.json()["url"])


@contextmanager
def session(hub: LocalHub) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=hub.url, follow_redirects=True) as client:
        assert client.get(login_url(hub)).status_code == 200
        yield client


@pytest.fixture(scope="module")
def content(hub: LocalHub) -> str:
    """Repos, a bucket, a report and jobs, all with names or text that a careless page would execute."""
    api, mark = hub.api(), secrets.token_hex(3)
    for name, private in ((f"open-{mark}", False), (f"closed-{mark}", True)):
        repo = api.create_repo(name, private=private).repo_id
        card = f"---\ntags: ['{XSS.replace(chr(39), '')}']\n---\n# Card\n{XSS}".encode()
        api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id=repo)
        api.upload_file(path_or_fileobj=XSS.encode(), path_in_repo="training_reports/one.md", repo_id=repo)
        api.upload_file(path_or_fileobj=b"\0\1", path_in_repo="<b>&.bin", repo_id=repo)
    job = api.run_job(
        image=XSS,
        command=["python", "-c", f"print({XSS!r}); print('loss 0.5')", XSS],
        name=f"page-{mark}",
        env={"X": XSS},
        flavor="a100-large",
        namespace=hub.user,
    )
    api.wait_for_job(job.id, namespace=hub.user, poll_interval=0.1)
    failed = api.run_job(image="i", command=["sh", "-c", "exit 9"], name=f"fails-{mark}", namespace=hub.user)
    api.wait_for_job(failed.id, namespace=hub.user, poll_interval=0.1)
    return mark


def job_path(hub: LocalHub, name: str) -> str:
    (job,) = hub.api().list_jobs(namespace=hub.user, labels={"name": name})
    return f"/jobs/{hub.user}/{job.id}"


def assert_escaped(page: str) -> None:
    assert "<script>document" not in page and "<img" not in page
    assert set(re.findall(r"<script[^>]*>", page)) <= {'<script src="/local/page.js" defer>'}


def test_a_stranger_sees_what_is_public_and_no_jobs(hub: LocalHub, content: str) -> None:
    home = httpx2.get(hub.url).text
    assert f"open-{content}" in home and f"closed-{content}" not in home and f"page-{content}" not in home
    assert "not the real" in home
    for path in (f"/{hub.user}/closed-{content}", f"/jobs/{hub.user}/{'0' * 24}", job_path(hub, f"page-{content}")):
        answer = httpx2.get(hub.url + path)
        assert answer.status_code in (401, 403) and "Sign in" in answer.text
    assert httpx2.get(hub.url + job_path(hub, f"page-{content}") + "/events").status_code == 401


def test_the_owner_sees_jobs_with_stage_cost_and_log(hub: LocalHub, content: str) -> None:
    with session(hub) as client:
        home = client.get("/").text
        assert f"closed-{content}" in home and "training_reports/one.md" in home
        row = next(part for part in home.split("<tr>") if f"page-{content}" in part)
        assert "COMPLETED" in row and "$0.0417" in row and "a100-large" in row
        page = client.get(job_path(hub, f"page-{content}")).text
        assert "loss 0.5" in page and "&lt;script&gt;" in page
        failed = client.get(job_path(hub, f"fails-{content}")).text
        assert "Job failed with exit code: 9" in failed
        for text in (home, page, failed):
            assert_escaped(text)


def test_every_page_of_a_repo_escapes_what_it_shows(hub: LocalHub, content: str) -> None:
    with session(hub) as client:
        repo = client.get(f"/{hub.user}/closed-{content}")
        assert_escaped(repo.text)
        assert "&lt;script&gt;document" in repo.text
        for link in re.findall(r'href="(/[^"]*blob[^"]*)"', repo.text):
            shown = client.get(link)
            assert shown.status_code == 200
            assert_escaped(shown.text)
        policy = repo.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert client.get(f"/{hub.user}/absent").status_code == 404
        assert client.get("/api/absent").json() == {"error": "No such endpoint: /api/absent"}


def test_a_session_is_made_by_token_or_link_and_cannot_write(hub: LocalHub, content: str) -> None:
    with httpx2.Client(base_url=hub.url) as client:
        assert client.post("/login", content="token=hf_wrong").status_code == 401
        entered = client.post("/login", content=f"token={hub.token}&next=//evil.example/")
        assert entered.status_code == 303 and entered.headers["location"] == "/"
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and hub.token not in cookie
        assert client.get(f"/{hub.user}/closed-{content}").status_code == 200
        assert client.post(f"/api/jobs/{hub.user}", json={}).status_code == 401
        assert client.get(f"/api/jobs/{hub.user}").status_code == 401
    forged = parse_qs(urlsplit(login_url(hub)).query)["key"][0][:-1] + "x"
    assert httpx2.get(f"{hub.url}/login", params={"key": forged}).status_code == 401


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def test_a_browser_renders_the_home_page(hub: LocalHub, content: str, tab: Browser, tmp_path: Path) -> None:
    tab.visit(login_url(hub))
    assert tab.evaluate("document.title").startswith("Home")
    assert f"page-{content}" in tab.evaluate("document.body.innerText")
    assert tab.evaluate("getComputedStyle(document.querySelector('.badge')).borderRadius") != "0px", "no style"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the window"
    data = tab.picture(tmp_path / "home.png")
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 20_000, "the picture is almost empty"


def test_a_browser_executes_nothing_that_a_repo_holds(hub: LocalHub, content: str, tab: Browser) -> None:
    tab.visit(login_url(hub))
    for path in (f"/{hub.user}/closed-{content}", job_path(hub, f"page-{content}")):
        tab.visit(hub.url + path)
        assert "<script>document.title" in tab.evaluate("document.body.innerText")
        assert "owned" not in tab.evaluate("document.title")
        assert tab.evaluate("document.images.length") == 0


def test_a_browser_follows_a_running_job(hub: LocalHub, tab: Browser, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    script = f'echo before; while ! test -e {flag}; do sleep 0.1; done; echo "after $X"; sleep 1; exit 7'
    job = hub.api().run_job(image="i", command=["sh", "-c", script], env={"X": XSS}, namespace=hub.user)
    hub.api().wait_for_job(job.id, namespace=hub.user, stages=[JobStage.RUNNING], poll_interval=0.1)
    tab.visit(f"{login_url(hub)}&next=/jobs/{hub.user}/{job.id}")
    log, stage = "document.getElementById('log').textContent", "document.querySelector('#stage .badge').textContent"
    tab.until(f"{log}.includes('before') && {stage} === 'RUNNING'")
    assert "after" not in tab.evaluate(log)
    flag.touch()
    tab.until(f"{log}.includes('after <script>') && {stage} === 'ERROR'")
    tab.until("document.getElementById('message').textContent === 'Job failed with exit code: 7'")
    tab.until("document.getElementById('live').textContent === 'ended'")
    assert tab.evaluate(log).count("after <script>") == 1
    assert tab.evaluate("document.images.length") == 0
