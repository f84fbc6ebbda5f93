"""upkeep/refresh.py: versions, prices against the local Hub's list, generators."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import LocalHub

from .conftest import ROOT

sys.path.insert(0, str(ROOT / "upkeep"))
from refresh import outdated, pins, render

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
