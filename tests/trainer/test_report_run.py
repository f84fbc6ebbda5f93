"""report_run.py as a process: the verdict says what the intervals allow, and every number is in run.json."""

from __future__ import annotations

import json
import re

import pytest


def metric(base: float, tuned: float, low: float, high: float, better: str = "lower") -> dict:
    beyond = high < 0 if better == "lower" else low > 0
    return {"better": better, "base": base, "tuned": tuned, "difference": tuned - base, "low": low, "high": high,
            "beyond_interval": beyond}  # fmt: skip


@pytest.fixture
def reported(tmp_path, plan, script):
    """`reported(comparison, **fields)`: (the report's text, the run) for a run with this comparison."""

    def write(comparison: dict | None, **fields: object) -> tuple[str, dict]:
        run = {
            "schema": "skillpack/run/1", "name": "tiny", "plan_sha256": "0", "plan": json.loads(plan().read_text()),
            "status": "completed", "stopped_by": "", "steps": 12, "train_rows": 128, "train_seconds": 3.0,
            "seconds": 9.0, "peak_memory_gb": 1.2, "versions": {"trl": "1.16.0"}, "model_path": "model",
            "log": [{"step": step, "loss": 5.0 / step, "learning_rate": 1e-3} for step in range(1, 13)],
            "comparison": comparison, **fields,
        }  # fmt: skip
        (tmp_path / "runs").mkdir(exist_ok=True)
        (tmp_path / "runs/run.json").write_text(json.dumps(run))
        done = script("report_run.py", "runs", "--json")
        assert done.returncode == 0, done.stderr
        paths = json.loads(done.stdout)
        if run["log"]:
            assert (tmp_path / paths["picture"]).read_bytes().startswith(b"\x89PNG")
        return (tmp_path / paths["report"]).read_text(), run

    return write


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        ({"loss": metric(2.0, 1.0, -1.1, -0.9)}, "better than its base on loss"),
        ({"loss": metric(2.0, 2.5, 0.4, 0.6)}, "worse than its base on loss"),
        ({"loss": metric(2.0, 1.9, -0.3, 0.1)}, "not shown to differ on loss"),
        (
            {"loss": metric(2.0, 1.0, -1.1, -0.9), "accuracy": metric(0.5, 0.52, -0.1, 0.14, "higher")},
            "better than its base on loss, and not shown to differ on accuracy",
        ),
        ({"accuracy": metric(0.6, 0.3, -0.4, -0.2, "higher")}, "worse than its base on accuracy"),
    ],
)
def test_the_first_sentence_claims_no_more_than_the_interval_allows(reported, metrics, sentence):
    text, _ = reported({"rows": 50, "choices": [], "metrics": metrics})
    assert f"**The tuned model is {sentence}, over 50 held-out rows (95 % intervals).**" in text


def test_a_stopped_run_is_reported_without_a_comparison(reported):
    text, _ = reported(None, status="stopped", stopped_by="SIGTERM", model_path=None)
    assert "have not been compared" in text
    assert "Stopped by SIGTERM at step 12" in text
    assert "## Use it" not in text


def test_every_number_of_the_comparison_is_in_run_json(reported):
    text, run = reported({"rows": 50, "choices": ["a", "b"], "metrics": {"loss": metric(2.25, 1.125, -1.5, -0.75)}})
    section = text.partition("## Base against tuned")[2].partition("##")[0]
    known = {f"{value:.3f}" for value in run["comparison"]["metrics"]["loss"].values() if isinstance(value, float)}
    assert {number.lstrip("+-") for number in re.findall(r"[+-]?\d+\.\d+", section)} == {n.lstrip("-") for n in known}


def test_a_folder_without_a_run_is_a_usage_error(tmp_path, script):
    done = script("report_run.py", "nothing")
    assert done.returncode == 2
    assert "nothing: No such file" in done.stderr
