"""What goes wrong: refused clearly, nothing lost, and the server goes on."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from skillpack.hub import server
from skillpack.hub.fsck import Check, Finding
from skillpack.hub.state import Hub
from tests.conftest import LocalHub


def call(
    hub: LocalHub, method: str, path: str, body: Any = None, token: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """One request, as raw as http.client makes it: (status, headers, body)."""
    where = urlsplit(hub.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {token or hub.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    connection.request(method, path, data, sent)
    answer = connection.getresponse()
    found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connection.close()
    return found


def commit_body(path: str, data: bytes = b"x", parent: str | None = None) -> bytes:
    header = {"summary": f"Add {path}", **({"parentCommit": parent} if parent else {})}
    value = {"path": path, "content": base64.b64encode(data).decode(), "encoding": "base64"}
    lines = [{"key": "header", "value": header}, {"key": "file", "value": value}]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@pytest.fixture
def repo(hub: LocalHub, request: pytest.FixtureRequest) -> str:
    name = f"{hub.user}/{hashlib.sha1(request.node.nodeid.encode()).hexdigest()[:12]}"
    hub.api().create_repo(name)
    return name


def problems(root: Path) -> list[Finding]:
    return [finding for finding in Check(Hub(root)).run() if finding.severity == "error"]


@pytest.mark.parametrize(
    "path", ["../up", "a/../../up", "/abs", "a//b", "./a", ".git/config", "a\\b", "a\x00b", "x" * 5000, ""]
)
def test_a_commit_cannot_write_outside_its_repo(hub: LocalHub, repo: str, path: str) -> None:
    status, headers, _ = call(hub, "POST", f"/api/models/{repo}/commit/main", commit_body(path))
    assert status == 400 and "x-error-message" in headers
    assert hub.api().list_repo_files(repo) == [".gitattributes"]


@pytest.mark.parametrize(
    "path", ["..%2F..%2Fhub.sqlite3", "../../../hub.sqlite3", "%2e%2e/secret", "a%5c..%5cb", "%00"]
)
def test_a_download_cannot_read_outside_its_repo(hub: LocalHub, repo: str, path: str) -> None:
    status, _, body = call(hub, "GET", f"/{repo}/resolve/main/{path}")
    assert status in (400, 404) and b"SQLite" not in body


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[" * 100 + b"]" * 100, 400),
        (b'{"a":' * 100 + b"1" + b"}" * 100, 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[]", 400),
        (b'{"name": 5}', 400),
        (b'{"name": null}', 400),
        (b'{"name": "ok", "type": "planet"}', 400),
        (b'{"name": "../up"}', 400),
    ],
)
def test_odd_json_is_refused_with_a_message(hub: LocalHub, body: bytes, status: int) -> None:
    found, headers, answer = call(hub, "POST", "/api/repos/create", body)
    assert found == status and headers["x-error-message"] and json.loads(answer)["error"]


def test_a_deeply_nested_commit_is_refused(hub: LocalHub, repo: str) -> None:
    body = commit_body("a.txt") + b"[" * 100_000 + b"]" * 100_000 + b"\n"
    status, _, _ = call(hub, "POST", f"/api/models/{repo}/commit/main", body)
    assert status == 400 and hub.api().list_repo_files(repo) == [".gitattributes"]


def test_a_wrong_token_is_401_and_a_reading_one_403(hub: LocalHub, repo: str) -> None:
    path = f"/api/models/{repo}/commit/main"
    assert call(hub, "POST", path, commit_body("a"), token="hf_wrong")[0] == 401
    assert call(hub, "POST", path, commit_body("a"), token=hub.add_token(hub.user, "read"))[0] == 403
    assert call(hub, "POST", path, commit_body("a"), token=hub.add_token("somebody"))[0] == 403
    assert call(hub, "GET", f"/api/models/{repo}", token="hf_wrong")[0] == 401


def test_links_for_uploads_cannot_be_forged_or_moved(hub: LocalHub, repo: str) -> None:
    data = b"\0" * 1000
    oid = hashlib.sha256(data).hexdigest()
    batch = {"operation": "upload", "objects": [{"oid": oid, "size": len(data)}], "transfers": ["basic"]}
    _, _, answer = call(hub, "POST", f"/{repo}.git/info/lfs/objects/batch", batch)
    link = json.loads(answer)["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.url)
    other = hashlib.sha256(b"other").hexdigest()
    assert call(hub, "PUT", link.replace(oid, other), data)[0] == 403
    assert call(hub, "PUT", link[:-3] + "abc", data)[0] == 401
    assert call(hub, "PUT", link, b"\1" * 1000)[0] == 400
    assert call(hub, "PUT", link, data * 2)[0] == 413
    assert call(hub, "PUT", link, data)[0] == 200
    lines = [{"key": "header", "value": {"summary": "LFS"}}]
    lines.append({"key": "lfsFile", "value": {"path": "a.bin", "algo": "sha256", "oid": oid, "size": 7}})
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    assert call(hub, "POST", f"/api/models/{repo}/commit/main", body)[0] == 400
    assert call(hub, "POST", f"/api/models/{repo}/commit/main", body.replace(b"7", b"1000"))[0] in (200, 400)


def test_an_object_in_parts_is_kept_once_whole(hub: LocalHub, repo: str) -> None:
    from skillpack.hub import lfs

    data = [os.urandom(1 << 20) * (lfs.PART_BYTES >> 20) for _ in range(9)] + [b"end"]
    size = sum(map(len, data))
    assert size > lfs.MULTIPART_BYTES
    oid = hashlib.sha256(b"".join(data)).hexdigest()
    batch = {"operation": "upload", "objects": [{"oid": oid, "size": size}], "transfers": ["multipart"]}
    _, _, answer = call(hub, "POST", f"/{repo}.git/info/lfs/objects/batch", batch)
    upload = json.loads(answer)["objects"][0]["actions"]["upload"]
    links = {int(k): v.removeprefix(hub.url) for k, v in upload["header"].items() if k.isdigit()}
    complete = upload["href"].removeprefix(hub.url)
    assert len(links) == 10 and call(hub, "POST", complete, {})[0] == 400
    for number in reversed(range(1, 11)):
        assert call(hub, "PUT", links[number], data[number - 1])[0] == 200
    assert call(hub, "PUT", links[10], b"too long")[0] == 413 and call(hub, "PUT", links[10], b"x")[0] == 400
    assert call(hub, "POST", complete, {})[0] == 400
    assert call(hub, "PUT", links[10], b"end")[0] == 200
    assert call(hub, "POST", complete, {})[0] == 200 and call(hub, "POST", complete, {})[0] == 200
    (hub.root / "blobs" / oid[:2] / oid).unlink()


def test_content_that_was_not_uploaded_cannot_be_committed(hub: LocalHub, repo: str) -> None:
    value = {"path": "a.bin", "algo": "sha256", "oid": "ab" * 32, "size": 1}
    lines = [{"key": "header", "value": {"summary": "x"}}, {"key": "lfsFile", "value": value}]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    status, headers, _ = call(hub, "POST", f"/api/models/{repo}/commit/main", body)
    assert status == 400 and "not uploaded" in headers["x-error-message"]


def test_xorbs_and_shards_need_a_token_and_their_form(hub: LocalHub, repo: str) -> None:
    _, headers, _ = call(hub, "GET", f"/api/models/{repo}/xet-write-token/main")
    base, token = urlsplit(headers["x-xet-cas-url"]).path, headers["x-xet-access-token"]
    xorb = f"{base}/v1/xorbs/default/{'ab' * 32}"
    assert call(hub, "POST", xorb, b"junk")[0] == 401
    assert call(hub, "POST", xorb, b"junk", token=token)[0] == 400
    assert call(hub, "POST", xorb, b"\0\xff\xff\xff\0\1\0\0" + b"short", token=token)[0] == 400
    assert call(hub, "POST", f"{base}/v1/shards", b"junk", token=token)[0] == 400
    _, headers, _ = call(hub, "GET", f"/api/models/{repo}/xet-read-token/main")
    good = b"\0\1\0\0\0\1\0\0x"
    assert call(hub, "POST", xorb, good, token=headers["x-xet-access-token"])[0] == 403
    assert call(hub, "POST", xorb, good, token=token)[0] == 200


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=6-", 206, b"6789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=8-100", 206, b"89"),
        ("bytes=10-", 416, None),
        ("bytes=0-1,4-5", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_ranges_follow_the_rfc(hub: LocalHub, asked: str, status: int, expected: bytes | None) -> None:
    name = f"{hub.user}/ranges"
    hub.api().create_repo(name, exist_ok=True)
    hub.api().upload_file(path_or_fileobj=b"0123456789", path_in_repo="d.txt", repo_id=name)
    found, headers, body = call(hub, "GET", f"/{name}/resolve/main/d.txt", Range=asked)
    assert found == status and (expected is None or body == expected)
    assert status != 416 or headers["content-range"] == "bytes */10"


def test_a_client_that_leaves_mid_upload_leaves_nothing(hub: LocalHub, repo: str) -> None:
    where = urlsplit(hub.url)
    before = set((hub.root / "tmp").iterdir())
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        head = f"POST /api/models/{repo}/commit/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {hub.token}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 1000000\r\n\r\n" + commit_body("half.txt"))
        time.sleep(0.2)
    deadline = time.monotonic() + 5
    while set((hub.root / "tmp").iterdir()) - before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not set((hub.root / "tmp").iterdir()) - before
    assert hub.api().list_repo_files(repo) == [".gitattributes"]


def test_many_clients_commit_and_every_commit_lands_once(hub: LocalHub, repo: str) -> None:
    statuses: list[int] = []

    def commit(number: int) -> None:
        statuses.append(call(hub, "POST", f"/api/models/{repo}/commit/main", commit_body(f"{number}.txt"))[0])

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 50
    commits = hub.api().list_repo_commits(repo)
    assert len(commits) == 51 and len({each.commit_id for each in commits}) == 51
    assert set(hub.api().list_repo_files(repo)) == {".gitattributes", *(f"{n}.txt" for n in range(50))}


def test_clients_with_a_parent_are_told_412_and_none_is_lost(hub: LocalHub, repo: str) -> None:
    refused: list[int] = []

    def commit(number: int) -> None:
        for _ in range(100):
            head = hub.api().model_info(repo).sha
            body = commit_body(f"{number}.txt", parent=head)
            status = call(hub, "POST", f"/api/models/{repo}/commit/main", body)[0]
            if status == 200:
                return
            assert status == 412
            refused.append(number)
        raise AssertionError("never landed")

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hub.api().list_repo_commits(repo)) == 9
    assert len(hub.api().list_repo_files(repo)) == 9


KILLED_CLIENT = """
import os, sys
from huggingface_hub import CommitOperationAdd, HfApi
api = HfApi()
for number in range(1000):
    add = [CommitOperationAdd(f"{number}/{name}.txt", os.urandom(100)) for name in range(20)]
    add.append(CommitOperationAdd(f"{number}/w.bin", os.urandom(300_000)))
    print(api.create_commit("tester/killed", add, commit_message=str(number)).oid, flush=True)
"""


def test_a_killed_server_comes_back_with_whole_commits(tmp_path: Path) -> None:
    root = tmp_path / "hub"
    told: list[str] = []
    delays = [0.35, 0.9, 0.6]
    for round_, delay in enumerate(delays):
        address, process = server.spawn(root, "tester")
        hub = LocalHub(address.url, address.token, root, "tester", tmp_path / "hf", address.pid)
        api = hub.api()
        if round_ == 0:
            api.create_repo("tester/killed")
        client = subprocess.Popen(
            [sys.executable, "-c", KILLED_CLIENT], env=hub.env(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert client.stdout is not None
        told.append(client.stdout.readline().decode().strip())
        time.sleep(delay)
        os.kill(address.pid, signal.SIGKILL)
        process.wait()
        client.kill()
        told += [line.decode().strip() for line in client.stdout.read().splitlines() if len(line) == 40]
        client.wait()
    assert not problems(root)
    address, process = server.spawn(root, "tester")
    try:
        hub = LocalHub(address.url, address.token, root, "tester", tmp_path / "hf", address.pid)
        commits = hub.api().list_repo_commits("tester/killed")
        assert set(filter(None, told)) <= {commit.commit_id for commit in commits}, "a commit that was told is gone"
        for commit in commits[:-1]:
            names = hub.api().list_repo_files("tester/killed", revision=commit.commit_id)
            assert (len(names) - 1) % 21 == 0, "half a commit"
    finally:
        process.terminate()
        process.wait()


def test_a_hub_already_served_is_not_served_twice(hub: LocalHub) -> None:
    with pytest.raises(server.HubInUse, match="already being served"):
        server.spawn(hub.root, "tester")
    assert hub.run("python", "-m", "skillpack.hub", "--root", str(hub.root)).returncode == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
def test_a_full_disk_is_507_and_the_server_lives(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(root)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let us mount a tmpfs")
    address, process = server.spawn(root, "tester", log=tmp_path / "log")
    try:
        hub = LocalHub(address.url, address.token, root, "tester", tmp_path / "hf", address.pid)
        api = hub.api()
        api.create_repo("tester/full")
        status, headers, _ = call(
            hub, "POST", "/api/models/tester/full/commit/main", commit_body("big.txt", os.urandom(30_000_000))
        )
        assert status == 507 and "No space left" in headers["x-error-message"]
        assert api.list_repo_files("tester/full") == [".gitattributes"]
        api.upload_file(path_or_fileobj=b"small", path_in_repo="a.txt", repo_id="tester/full")
        assert not list((root / "tmp").iterdir())
        process.terminate()
        process.wait()
        assert not problems(root)
    finally:
        process.kill()
        process.wait()
        subprocess.run(["umount", "-l", str(root)], check=False)


def test_too_many_requests_are_429_with_the_time_to_wait(tmp_path: Path) -> None:
    from huggingface_hub.utils import parse_ratelimit_headers

    address, process = server.spawn(tmp_path / "hub", "tester", rate_limit=5)
    try:
        hub = LocalHub(address.url, address.token, tmp_path / "hub", "tester", tmp_path / "hf", address.pid)
        answers = [call(hub, "GET", "/api/whoami-v2") for _ in range(12)]
        refused = [headers for status, headers, _ in answers if status == 429]
        assert 1 <= len(refused) <= 7
        told = parse_ratelimit_headers(refused[0])
        assert told is not None and told.remaining == 0 and 0 < told.reset_in_seconds <= 60 and told.limit == 5
    finally:
        process.terminate()
        process.wait()


def test_the_server_stays_up_through_all_of_this(hub: LocalHub) -> None:
    assert hub.api().whoami()["name"] == hub.user
    os.kill(hub.pid, 0)
