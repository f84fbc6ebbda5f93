"""Graded trials as run logs of upskill (its repository of 2026), which `upskill runs` plots and writes as CSV.

upskill's own tests look for words in an answer, and cannot hold what a grader sees; so results go out, and not tasks.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from skillpack.evals.trial import WITH
from skillpack.kit.script import write_atomic


def write_runs(document: dict[str, Any], out: Path) -> Path:
    """Writes a batch folder of `document`, a benchmark.json, below `out`; returns it.

    upskill calls runs without a skill "baseline", and passed is only a run that met every expectation.
    """
    about = document["metadata"]
    moment = datetime.fromisoformat(about["timestamp"])
    batch = f"{moment.astimezone(timezone.utc):%Y_%m_%d_%H_%M}_{about['skill_name']}"
    results = []
    for number, run in enumerate(document["runs"], 1):
        found = run["result"]
        metadata = {"model": about["agent"], "task": run["eval_id"], "batch_id": batch, "run_number": number,
                    "timestamp": about["timestamp"]}  # fmt: skip
        stats = {"conversation_span_ms": found["time_seconds"] * 1000, "total_tokens": found["tokens"] or 0,
                 "tool_calls": found["tool_calls"] or 0}  # fmt: skip
        results.append({
            "metadata": metadata,
            "stats": stats,
            "passed": found["failed"] == 0,
            "assertions_passed": found["passed"],
            "assertions_total": found["total"],
            "error_message": "; ".join(run["notes"]) or None,
            "run_type": "with_skill" if run["configuration"] == WITH else "baseline",
            "skill_name": about["skill_name"],
        })  # fmt: skip
        write_atomic(out / batch / f"run_{number}/run_metadata.json", json.dumps(metadata, indent=2))
        write_atomic(out / batch / f"run_{number}/run_result.json", json.dumps(results[-1], indent=2))
    summary = {
        "batch_id": batch,
        "model": about["agent"],
        "task": about["skill_name"],
        "total_runs": len(results),
        "passed_runs": sum(each["passed"] for each in results),
        "results": results,
    }
    write_atomic(out / batch / "batch_summary.json", json.dumps(summary, indent=2))
    return out / batch
