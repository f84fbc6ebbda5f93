"""upkeep/refresh.py: versions, prices against the local Hub's list, generators."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.conftest import LocalHub

from .conftest import ROOT

sys.path.insert(0, str(ROOT / "upkeep"))
import refresh
from refresh import outdated, pins, render


class NoHardware:
    """A server whose answer to everything is an empty list."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_: object) -> None:
            pass

    def __enter__(self) -> str:
        self.server = HTTPServer(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


PROGRAM = """
import sys; sys.path.insert(0, "upkeep")
from pathlib import Path
from refresh import prices, render
print(render([prices([Path(sys.argv[1])], write=sys.argv[2] == "write")]))
"""


def test_pins_that_are_not_the_newest_are_listed_and_unknown_ones_are_not_called_new() -> None:
    pinned = pins("# a comment\ntorch==2.13.0\nclick==8.5.1 ; python_version > '3'\nhub>=2\nrich==1\n")
    assert pinned == {"torch": "2.13.0", "click": "8.5.1", "rich": "1"}
    part = outdated("Packages", pinned, {"torch": "2.15.0", "click": "8.5.1", "rich": None})
    assert part.changed == ["torch: 2.13.0 is pinned, 2.15.0 is out"] and part.unread == ["rich"]
    assert "- not read: rich" in render([part])


def test_what_does_not_answer_is_unread_and_not_a_crash() -> None:
    assert refresh.said(sys.executable, "-c", "print(1)") == "1\n"
    assert refresh.said(sys.executable, "-c", "import time; time.sleep(60)", seconds=0.1) == ""
    assert refresh.said("no-such-program") == ""
    assert refresh.said(sys.executable, "-c", "print('not an answer'); raise SystemExit(1)") == ""


def test_only_what_the_generators_wrote_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "a"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "my own work.md").write_text("x")
    monkeypatch.setattr(refresh, "ROOT", tmp_path)
    monkeypatch.setattr(refresh, "GENERATORS", {"rules": (["rules"], ["rules", "--markdown"], "rules.md")})
    assert refresh.generated(write=True).changed == ["`rules.md`"]
    assert refresh.generated(write=True).changed == []


def test_an_empty_list_of_hardware_empties_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "skill/assets/hardware.json"
    table.parent.mkdir(parents=True)
    table.write_text('{"flavors": [{"name": "cpu-basic", "usd_per_hour": 1}]}')
    with NoHardware() as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        report = run_prices(table, "write", **os.environ)
    assert "- not read: the list of hardware: it is empty" in report
    assert "cpu-basic" in table.read_text()


def run_prices(table: Path, how: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(table), how], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def test_prices_that_changed_are_listed_and_written_with_their_date(hub: LocalHub, tmp_path: Path) -> None:
    table = tmp_path / "skill/assets/hardware.json"
    table.parent.mkdir(parents=True)
    table.write_text(json.dumps({"dated": "2026-01", "source": "a page", "gpus": {"T4": {}}, "flavors": []}))
    assert "skill: cpu-basic: $0.01 an hour, new" in run_prices(table, "write", **hub.env())
    written = json.loads(table.read_text())
    assert written["source"].startswith(f"{hub.url}/api/jobs/hardware, ") and written["gpus"] == {"T4": {}}
    assert "- nothing changed" in run_prices(table, "look", **hub.env())

    one = next(flavor for flavor in written["flavors"] if flavor["name"] == "t4-small")
    one["usd_per_hour"] = 9.0
    written["flavors"].append({**one, "name": "retired"})
    table.write_text(json.dumps(written))
    report = run_prices(table, "look", **hub.env())
    assert "skill: t4-small: usd_per_hour was 9.0, is 0.4" in report and "skill: retired: no longer listed" in report
    assert json.loads(table.read_text()) == written, "without --write nothing is written"


def test_a_list_of_prices_that_cannot_be_read_is_no_list_without_changes(hub: LocalHub, tmp_path: Path) -> None:
    table = tmp_path / "hardware.json"
    table.write_text('{"flavors": []}')
    assert "- not read: the list of hardware" in run_prices(table, "write", **hub.env(HF_ENDPOINT="http://127.0.0.1:9"))
