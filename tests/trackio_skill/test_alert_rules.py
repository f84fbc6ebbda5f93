"""alert_rules.py: each rule speaks where it should and nowhere else; a receiver gets each alert once."""

from __future__ import annotations

import contextlib
import http.server
import importlib.util
import json
import math
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import SCRIPTS, TRACKIO, Bench

spec = importlib.util.spec_from_file_location("alert_rules", SCRIPTS / "alert_rules.py")
assert spec and spec.loader
alert_rules = importlib.util.module_from_spec(spec)
spec.loader.exec_module(alert_rules)


def points(values: list[float], pace: float = 1.0) -> list[tuple[int, float, float]]:
    """A row a step, `pace` steps a second."""
    return [(step, step / pace, value) for step, value in enumerate(values)]


FALLING = [4.0 * 0.95**step for step in range(60)]
NOISY = [value * (1.3 if step % 3 else 0.8) for step, value in enumerate(FALLING)]
FLAT = FALLING[:20] + [FALLING[19]] * 40
RISING = FALLING[:40] + [FALLING[39] * 1.3**step for step in range(12)]
SPIKE = [*FALLING[:40], 50.0, *FALLING[41:]]
ACCURACY = [1 - 0.95**step for step in range(60)]
AROUND_ZERO = [0.01 * math.sin(step) for step in range(60)]  # the loss of GRPO

VERDICTS = [
    ("not-finite", {}, [*FALLING, math.nan, 1.0], 60),
    ("not-finite", {}, [*FALLING, -math.inf], 60),
    ("not-finite", {}, FALLING, None),
    ("divergence", {}, RISING, 51),
    ("divergence", {}, FALLING, None),
    ("divergence", {}, NOISY, None),
    ("divergence", {}, SPIKE, None),
    ("divergence", {}, [*FALLING[:30], *[1e-6] * 10, *[1e-3] * 10], None),
    ("divergence", {}, FALLING[:9], None),
    ("divergence", {}, AROUND_ZERO, None),
    ("divergence", {"mode": "max"}, [*ACCURACY, *[0.1] * 8], 67),
    ("divergence", {"mode": "max"}, ACCURACY, None),
    ("plateau", {}, FLAT, 59),
    ("plateau", {}, FALLING, None),
    ("plateau", {}, FLAT[:39], None),
    ("plateau", {"min_delta": 0.9}, FALLING, 59),
    ("plateau", {"mode": "max"}, [0.5] * 50, 49),
    ("plateau", {"mode": "max"}, ACCURACY, None),
    ("throughput", {"metric": "loss"}, [100.0] * 40 + [30.0] * 20, 59),
    ("throughput", {"metric": "loss"}, [100.0] * 40 + [60.0] * 20, None),
    ("above", {"metric": "loss", "value": 10}, [*FALLING, 11.0], 60),
    ("above", {"metric": "loss", "value": 10}, FALLING, None),
    ("below", {"metric": "loss", "value": 0.5}, [1.0, 0.4], 1),
    ("below", {"metric": "loss", "value": 0.5}, [1.0, 0.6], None),
]


@pytest.mark.parametrize(("rule", "settings", "values", "step"), VERDICTS)
def test_a_rule_speaks_where_it_should_and_nowhere_else(
    rule: str, settings: Any, values: Any, step: int | None
) -> None:
    found = alert_rules.judge([{"rule": rule, **settings}], {"": points(values), "loss": points(values)})
    assert [alert["step"] for alert in found] == ([] if step is None else [step])


def test_a_loss_that_diverges_is_not_called_flat_as_well() -> None:
    values = {"": points(RISING * 2), "loss": points([*FALLING[:20], *RISING[40:], *[99.0] * 30])}
    assert [alert["rule"] for alert in alert_rules.judge(alert_rules.DEFAULT, values)] == ["divergence"]


@pytest.mark.parametrize(("late", "fires"), [(0.4, True), (0.8, False)])
def test_fewer_steps_a_second_are_seen_by_the_times_of_the_rows(late: float, fires: bool) -> None:
    before = [(step, step / 10, 0.0) for step in range(100)]
    after = [(100 + step, 10 + step / (10 * late), 0.0) for step in range(40)]
    found = alert_rules.judge([{"rule": "throughput", "points": 20}], {"": before + after})
    assert bool(found) is fires


def test_rows_faster_than_trackio_writes_say_nothing_about_pace() -> None:
    rows = [(step, 0.5 * (step // 30), 0.0) for step in range(300)]
    assert alert_rules.judge([{"rule": "throughput", "points": 20}], {"": rows}) == []


def noisy(seed: int, sigma: float, loss: Callable[[int], float], count: int = 120) -> list[float]:
    draw = random.Random(seed)
    return [loss(step) * math.exp(draw.gauss(0, sigma)) for step in range(count)]


def first_alert(values: list[float]) -> int | None:
    """How many points `divergence` needed, looking after each."""
    rule = {"rule": "divergence", **next(each for each in alert_rules.DEFAULT if each["rule"] == "divergence")}
    looks = (end for end in range(1, len(values) + 1) if alert_rules.judge([rule], {"loss": points(values[:end])}))
    return next(looks, None)


@pytest.mark.parametrize("seed", range(5))
def test_divergence_is_told_from_noise_at_whatever_moment_one_looks(seed: int) -> None:
    assert first_alert(noisy(seed, 0.15, lambda step: 1 + 3 * 0.97**step)) is None
    assert first_alert(noisy(seed, 0.5, lambda step: 4 * 0.95**step)) is None
    late = first_alert(noisy(seed, 0.2, lambda step: 1 + 3 * 0.95**step if step < 60 else 6))
    assert late is not None and 60 < late <= 75
    overfit = first_alert(noisy(seed, 0.05, lambda step: 0.5 + 3.5 * 0.9**step + max(0, step - 40) / 50))
    assert overfit is not None and 60 < overfit <= 90


@contextlib.contextmanager
def receiver(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook that keeps what it is sent."""
    got: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/services/T0-secret-path", got
    finally:
        server.shutdown()
        server.server_close()


def test_an_alert_is_sent_and_recorded_once(sweep: Bench) -> None:
    call = ("alert_rules.py", "--run", "wild", "--notify", "--record")
    with receiver() as (url, got):
        first = sweep.json(*call, code=1, TRACKIO_WEBHOOK_URL=url)
        second = sweep.json(*call, code=1, TRACKIO_WEBHOOK_URL=url)
    (alert,) = first["alerts"]
    assert (alert["rule"], alert["metric"], alert["step"], alert["level"]) == ("not-finite", "train/loss", 20, "error")
    assert alert["sent"] and alert["recorded"] and second["alerts"] == first["alerts"]
    assert [(each["run"], each["level"], each["step"]) for each in got] == [("wild", "error", 20)]
    listed = json.loads(sweep.run(TRACKIO, "list", "alerts", "--project", "sweep", "--json").stdout)["alerts"]
    assert [each["title"] for each in listed].count("train/loss is nan") == 1 and len(listed) == 2
    quiet = sweep.json("alert_rules.py", "--run", "base")
    assert quiet["alerts"] == [] and quiet["run"] == "base"


def test_a_receiver_that_fails_is_said_and_gets_the_alert_later(sweep: Bench) -> None:
    call = ("alert_rules.py", "--run", "wild", "--notify")
    with receiver(status=404) as (url, got):
        refused = sweep.json(*call, code=1, TRACKIO_WEBHOOK_URL=url)
    assert refused["undelivered"] and not refused["alerts"][0]["sent"] and len(got) == 1, "404 is not tried again"
    with receiver() as (url, got):
        sent = sweep.json(*call, code=1, TRACKIO_WEBHOOK_URL=url)
    assert sent["alerts"][0]["sent"] and sent["undelivered"] == [] and len(got) == 1


@pytest.mark.parametrize(("url", "key"), [
    ("https://hooks.slack.com/services/T/B/x", "text"), ("https://discord.com/api/webhooks/1/x", "content"),
    ("https://example.org/hooks.slack.com", "title"),
])  # fmt: skip
def test_slack_and_discord_get_what_they_take(url: str, key: str) -> None:
    alert = {"level": "error", "rule": "not-finite", "metric": "loss", "step": 3, "title": "loss is nan", "text": "why"}
    document = alert_rules.payload(url, alert, "sweep", "wild")
    assert "loss is nan" in document[key] and ("rule" in document) is (key == "title")


def test_rules_of_a_file_are_followed_and_a_metric_that_was_never_logged_is_said(sweep: Bench) -> None:
    printed = sweep.script("alert_rules.py", "--print-rules").stdout
    rules = json.loads(printed)
    rules["rules"] = [
        {"rule": "above", "metric": "train/loss", "value": 3.5, "level": "info"},
        {"rule": "plateau", "metric": "eval/los", "level": "error"},
    ]
    (sweep.folder / "rules.json").write_text(json.dumps(rules))
    quiet = sweep.script("alert_rules.py", "--run", "base", "--rules", "rules.json")
    assert quiet.returncode == 0 and "'eval/los' has not been logged" in quiet.stderr, "info is below warn"
    assert "train/loss is above 3.5" in quiet.stdout
    assert sweep.script("alert_rules.py", "--run", "base", "--rules", "rules.json", "--fail-on", "info").returncode == 1


def test_a_loop_is_told_while_the_run_goes_wrong(bench: Bench) -> None:
    options = ("--project", "demo", "--follow", "--every", "0.3", "--for", "60", "--fail-on", "error", "--json")
    watch = [sys.executable, SCRIPTS / "alert_rules.py", *options]
    begun = time.monotonic()
    watcher = subprocess.Popen(
        watch, cwd=bench.folder, env=bench.settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    bench.script("track.py", "--project", "demo", "--run", "wild", "--lr", "2", "--steps", "400", "--pause", "0.01")
    out, err = watcher.communicate(timeout=60)
    assert watcher.returncode == 1, err
    found = json.loads(out)
    assert found["ended"] == "alert" and time.monotonic() - begun < 50
    assert {alert["rule"] for alert in found["alerts"]} & {"divergence", "not-finite"} and "waiting: no project" in err


def test_following_ends_when_the_run_has_fallen_silent_or_the_time_is_over(sweep: Bench) -> None:
    silent = sweep.json("alert_rules.py", "--run", "base", "--follow", "--idle", "0.1", "--every", "0.1")
    assert silent["ended"] == "idle"
    over = sweep.json("alert_rules.py", "--run", "base", "--follow", "--for", "0.3", "--every", "0.2")
    assert over["ended"] == "limit"


BAD = [
    (["--run", "nobody"], "no run 'nobody'"),
    (["--project", "nothing"], "there are: sweep"),
    (["--notify"], "TRACKIO_WEBHOOK_URL"),
    (["--rules", "absent.json"], "absent.json"),
    (["--rules", "bad.json"], "rules.0"),
    (["--for", "10"], "--follow"),
    (["--every", "0", "--follow"], "seconds above 0"),
    (["--space", "a/b", "--record"], "--record"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_is_refused_with_the_way_out(sweep: Bench, arguments: list[str], said: str) -> None:
    rules = {"schema": "skillpack/alert-rules/1", "rules": [{"rule": "above", "metric": "loss"}]}
    (sweep.folder / "bad.json").write_text(json.dumps(rules))
    done = sweep.script("alert_rules.py", *arguments)
    assert done.returncode == 2 and said in done.stderr and not done.stdout


def test_a_watch_outlives_a_database_that_is_only_being_made(bench: Bench) -> None:
    bench.tracked.mkdir()
    (bench.tracked / "demo.db").touch()  # as it is for a moment, when a run begins
    once = bench.script("alert_rules.py")
    assert once.returncode == 3 and "no such table" in once.stderr
    followed = bench.script("alert_rules.py", "--follow", "--every", "0.2", "--for", "0.5")
    assert followed.returncode == 3 and "waiting:" in followed.stderr
