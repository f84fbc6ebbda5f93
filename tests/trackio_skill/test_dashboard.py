"""trackio's dashboard in a real browser: the runs, their numbers and their alerts are on the page."""

from __future__ import annotations

from pathlib import Path

from tests.hub.chromium import Browser

from .conftest import TRACKIO, Bench, free_port, served


def test_the_dashboard_shows_runs_metrics_and_alerts(sweep: Bench, tmp_path: Path) -> None:
    command = [TRACKIO, "show", "--project", "sweep"]
    with served(command, free_port(), {**sweep.settings, "BROWSER": "true"}, sweep.folder) as url:
        browser = Browser(tmp_path / "profile")
        try:
            browser.visit(f"{url}?project=sweep")
            text = "document.body.innerText"
            browser.until(f"{text}.includes('wild') && {text}.includes('base')")
            browser.until("document.querySelectorAll('canvas, svg').length > 0")
            browser.until(f"{text}.toLowerCase().includes('train') && {text}.includes('loss')")
            browser.until(f"{text}.includes('Alerts (1)') && {text}.includes('look')")
            picture = browser.picture(tmp_path / "metrics.png")
            assert picture.startswith(b"\x89PNG") and len(picture) > 20_000, "an empty page is smaller"
        finally:
            browser.close()
