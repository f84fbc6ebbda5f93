"""`skillpack hub`: serve, status, stop, fsck."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skillpack.hub import server
from tests.conftest import LocalHub


def hub_command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "skillpack.hub", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of a stopped Hub with one repo: two small files and one large."""
    folder = tmp_path / "hub"
    address, process = server.spawn(folder, "tester")
    api = LocalHub(address.url, address.token, folder, "tester", tmp_path, address.pid).api()
    api.create_repo("tester/kept")
    api.upload_file(path_or_fileobj=b"text", path_in_repo="a.txt", repo_id="tester/kept")
    api.upload_file(path_or_fileobj=bytes(range(256)) * 2000, path_in_repo="a.bin", repo_id="tester/kept")
    process.terminate()
    process.wait()
    return folder


def test_detach_prints_two_exports_and_stop_ends_it(tmp_path: Path) -> None:
    started = time.monotonic()
    done = hub_command("--root", tmp_path / "h", "--user", "ada", "--detach")
    seconds = time.monotonic() - started
    try:
        lines = done.stdout.splitlines()
        assert [line.split("=")[0] for line in lines] == ["export HF_ENDPOINT", "export HF_TOKEN"]
        assert lines[0].split("=")[1].startswith("http://127.0.0.1:")
        about = json.loads(hub_command("status", "--root", tmp_path / "h", "--json").stdout)
        assert about["running"] and about["user"] == "ada"
        assert seconds < 10
        again = hub_command("--root", tmp_path / "h", "--user", "ada", "--detach")  # `eval` in a second shell
        assert (again.returncode, again.stdout) == (0, done.stdout) and "runs already" in again.stderr
        other = hub_command("--root", tmp_path / "h", "--user", "bob", "--detach")
        assert (other.returncode, other.stdout) == (3, "") and "already being served" in other.stderr
    finally:
        assert "unset HF_ENDPOINT HF_TOKEN" in hub_command("stop", "--root", tmp_path / "h").stdout
    assert hub_command("--root", tmp_path / "h", "status").returncode == 3
    assert hub_command("stop", "--root", tmp_path / "h").stdout == "not running\n"


def test_a_second_start_prints_the_same_token(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        tokens.append(hub_command("--root", tmp_path / "h", "--detach").stdout.splitlines()[1])
        hub_command("stop", "--root", tmp_path / "h")
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example.com"])
def test_an_address_that_others_can_reach_is_refused(tmp_path: Path, host: str) -> None:
    done = hub_command("--root", tmp_path / "h", "--host", host)
    assert done.returncode == 2 and "--i-know" in done.stderr and not (tmp_path / "h").exists()


def test_fsck_of_a_whole_hub_is_clean(root: Path) -> None:
    done = hub_command("fsck", "--root", root)
    assert done.returncode == 0 and done.stdout.startswith("0 errors")


def test_fsck_without_a_hub_cannot_check(tmp_path: Path) -> None:
    assert hub_command("fsck", "--root", tmp_path).returncode == 3


def test_fsck_finds_a_damaged_file(root: Path) -> None:
    xorb = next((root / "xorbs").glob("??/*"))
    data = bytearray(xorb.read_bytes())
    data[-1] ^= 1
    xorb.write_bytes(data)
    done = hub_command("fsck", "--root", root)
    assert done.returncode == 1 and "corrupt-xorb" in done.stdout
    assert hub_command("fsck", "--root", root, "--quick").returncode == 0


def test_fsck_finds_a_missing_file(root: Path) -> None:
    next((root / "xorbs").glob("??/*")).unlink()
    done = hub_command("fsck", "--root", root, "--json")
    kinds = {finding["kind"] for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1 and {"missing-xorb", "missing-content"} <= kinds


def test_fsck_finds_a_ref_that_leads_nowhere(root: Path) -> None:
    from skillpack.hub.state import Hub

    hub = Hub(root)
    with hub.db.tx() as c:
        c.execute("UPDATE refs SET oid = ?", ("0" * 40,))
    done = hub_command("fsck", "--root", root)
    assert done.returncode == 1 and "dangling-ref" in done.stdout


def test_fsck_notes_and_removes_what_did_not_finish(root: Path) -> None:
    from skillpack.hub.state import Hub

    hub = Hub(root)
    (root / "tmp" / "half").write_bytes(b"half")
    writer = hub.store.writer()
    writer.write(b"in no commit")
    writer.commit()
    done = hub_command("fsck", "--root", root)
    assert done.returncode == 0 and "temporary-file" in done.stdout and "orphan-blob" in done.stdout
    assert hub_command("fsck", "--root", root, "--delete-orphans").returncode == 0
    assert "0 notes" in hub_command("fsck", "--root", root).stdout
