"""report_run.py as a process: the verdict says what the intervals allow, and every number is in the run's files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from .conftest import SCRIPTS, script_environment

COMPARISON_SCHEMA = json.loads((SCRIPTS.parent / "assets/comparison.schema.json").read_text())
NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w]|\.\d)")


def metric(base: float, tuned: float, low: float, high: float, better: str = "lower") -> dict:
    beyond = high < 0 if better == "lower" else low > 0
    return {"better": better, "base": base, "tuned": tuned, "difference": tuned - base, "low": low, "high": high,
            "beyond_interval": beyond}  # fmt: skip


BETTER, OPEN = metric(2.25, 1.125, -1.5, -0.75), metric(0.5, 0.53125, -0.125, 0.15625, "higher")
WORSE = metric(0.625, 0.28125, -0.4375, -0.21875, "higher")


def comparison(**fields: object) -> dict:
    """A comparison.json with a task, probes and samples, valid by its schema."""
    document = {
        "schema": "skillpack/comparison/1", "name": "tiny", "created": "2026-11-21T08:00:00+00:00",
        "run": {"name": "tiny", "plan_sha256": "0"}, "method": "sft", "base": {"id": "b", "version": "c0ffee"},
        "tuned": {"id": "runs/model", "version": "beef", "kind": "full"},
        "data": {"source": {"id": "rows.jsonl"}, "split": {"key": "group"}, "separated": True},
        "settings": {"device": "cpu", "weights": "fp32", "precision": "fp32", "max_length": 256, "seed": 0,
                     "batch_size": 8, "max_new_tokens": 67, "tokenizer": "tuned"},
        "held_out": {"rows": 59, "choices": [], "metrics": {"loss": BETTER, "exact_match": OPEN},
                     "perplexity": {"base": 9.49, "tuned": 3.08, "ratio": 0.325, "low": 0.223, "high": 0.472}},
        "tasks": {"trivia": {"harness": "lm-eval 0.4.13", "rows": 41, "metrics": {"acc": WORSE},
                             "without_interval": {"f1": {"base": 0.375, "tuned": 0.4375}}}},
        "probes": {"rows": 3, "scored": 1, "metrics": {"contains": OPEN},
                   "samples": [{"prompt": "Say | this", "expected": "this", "base": "no", "tuned": "``` this"}]},
        "samples": [{"row": 7, "prompt": "Where is\n\n\n\n\nit?", "expected": None, "base": "", "tuned": "here"}],
        "cut": {"base": 13, "tuned": 11}, "warnings": ["a thing to know"], "versions": {}, "seconds": 3.0,
        "verdict": {"outcome": "worse", "gate": [],
                    "sentence": "The tuned model is worse than its base on trivia/acc."},
        "not_shown": "This does not show everything.",
    }  # fmt: skip
    document |= fields
    assert [error.message for error in Draft202012Validator(COMPARISON_SCHEMA).iter_errors(document)] == []
    return document


def run_document(plan, **fields: object) -> dict:
    return {
        "schema": "skillpack/run/1", "name": "tiny", "plan_sha256": "0", "plan": json.loads(plan().read_text()),
        "status": "completed", "stopped_by": "", "steps": 12, "train_rows": 128, "train_seconds": 3.0,
        "seconds": 9.0, "peak_memory_gb": 1.2, "versions": {"trl": "1.16.0"}, "model_path": "model",
        "log": [{"step": step, "loss": 5.0 / step, "learning_rate": 1e-3} for step in range(1, 13)],
        "comparison": None, **fields,
    }  # fmt: skip


@pytest.fixture
def reported(tmp_path, plan, script):
    """`reported(comparison, files, **fields)`: (the report's text, the run) for a run with this comparison."""

    def write(compared: dict | None, files: dict | None = None, **fields: object) -> tuple[str, dict]:
        run = run_document(plan, comparison=compared, **fields)
        for name, document in {"run.json": run, **(files or {})}.items():
            (tmp_path / "runs" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "runs" / name).write_text(json.dumps(document))
        done = script("report_run.py", "runs", "--json")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        for picture in result["pictures"]:
            assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
        text = (tmp_path / result["report"]).read_text()
        assert re.findall(r"!\[[^]]*\]\(([^)]*)\)", text) == [
            Path(picture).name for picture in sorted(result["pictures"])
        ], "a picture is written and not shown, or shown and not written"
        return text, run

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
    assert "comparison.png" not in text


def numbers(document: object) -> Iterator[float]:
    """Every number of a JSON document, also those inside its strings."""
    if isinstance(document, dict):
        document = [*document.keys(), *document.values()]
    if isinstance(document, list):
        for part in document:
            yield from numbers(part)
    elif isinstance(document, str):
        yield from map(float, NUMBER.findall(document))
    elif isinstance(document, (int, float)) and not isinstance(document, bool):
        yield float(document)


def strange_numbers(text: str, *documents: dict) -> list[str]:
    """The numbers of a report that are, to as many digits as they show, in none of the documents."""
    prose = re.sub(r"```(?:python|bash)\n.*?```|95 %", "", text, flags=re.S)  # code, and the level of every interval
    known = [abs(number) for document in documents for number in numbers(document)]
    known += [number / 1e9 for number in known]  # parameters in billions

    def found(shown: str) -> bool:
        if "e" in shown:
            return any(f"{number:g}" == shown for number in known)
        digits = len(shown.partition(".")[2])
        return any(f"{number:.{digits}f}" == shown.lstrip("+-") for number in known)

    return [shown for shown in NUMBER.findall(prose) if not found(shown)]


SUBMISSION = {
    "schema": "skillpack/submission/1", "name": "tiny", "backend": "hf-jobs", "state": "submitted", "label": "x",
    "plan_sha256": "0", "run_folder": "runs", "steps": 12, "usd_per_hour": 2.5, "at_most_usd": 5.25,
    "expected_usd": 0.77, "jobs": [{"id": "abc", "node": 0, "url": "https://hub.example/jobs/me/abc"}],
}  # fmt: skip
GGUF = {
    "schema": "skillpack/gguf/1", "name": "tiny", "dtype": "float32", "perplexity": 3.08, "versions": {},
    "source": {"sha256": "0" * 64, "adapter": False, "tuned": True, "base": {"id": "b"}, "local_base": False},
    "text": {"from": "held-out rows", "key": "k", "windows": [64], "tokens": 640},
    "files": [{"file": "tiny-q8_0.gguf", "type": "Q8_0", "bytes": 271828, "sha256": "0" * 64, "tensor_types": {},
               "perplexity": 3.14, "ratio": 1.0195, "problems": [],
               "sample": {"prompt": "p", "text": "t", "tokens": 1, "ended": True}}],
}  # fmt: skip


def test_every_number_of_a_report_is_in_the_files_that_it_names(reported):
    files = {"comparison.json": comparison(), "submission.json": SUBMISSION, "gguf/gguf.json": GGUF}
    job = {"ids": ["abc"], "url": "u", "seconds": 1234.0, "cost_usd": 0.857}
    pushed = {"repo_id": "me/tiny", "revision": "r", "url": "https://hub.example/me/tiny", "files": 5, "bytes": 9}
    text, run = reported({"rows": 50, "metrics": {"loss": BETTER}}, files, job=job, pushed=pushed)
    assert strange_numbers(text, run, *files.values()) == []
    assert strange_numbers(text + "\nIt took 77.31 s.", run, *files.values()) == ["77.31"]
    for section in ("Base against tuned", "What to try next", "Training", "Side by side", "Expected and actual",
                    "Settings", "Use it", "Links"):  # fmt: skip
        assert f"\n## {section}\n" in text
    assert text.startswith("# tiny\n\n**The tuned model is worse than its base on trivia/acc.**")
    for shown in ("| 0.77, at most 5.25 | 0.86 |", "https://hub.example/jobs/me/abc", "https://hub.example/me/tiny",
                  "tiny-q8_0.gguf", "This does not show everything.", "a thing to know", "from_pretrained('me/tiny'",
                  "3 prompts that are not of the data, 1 with an expected answer"):  # fmt: skip
        assert shown in text


def test_without_a_comparison_json_the_report_stands_on_the_run_and_says_what_is_missing(reported):
    text, run = reported({"rows": 50, "choices": ["a", "b"], "metrics": {"loss": BETTER}})
    assert strange_numbers(text, run) == []
    assert "compare_models.py runs --probes" in text
    assert "## Side by side" not in text
    assert "GGUF" not in text


@pytest.mark.parametrize(
    ("fields", "said", "unsaid"),
    [
        ({"comparison": {"rows": 50, "metrics": {"accuracy": WORSE}}}, "A tenth of the learning rate", "second seed"),
        ({"comparison": {"rows": 50, "metrics": {"loss": BETTER}}}, "second seed", "A tenth of the learning rate"),
        ({"comparison": {"rows": 50, "metrics": {"loss": BETTER}}}, "More steps", "had stopped falling"),
        (
            {"comparison": {"rows": 50, "metrics": {"loss": BETTER, "accuracy": OPEN}}},
            "before their content",
            "by heart",
        ),
        ({"comparison": {"rows": 999, "metrics": {"accuracy": OPEN}}}, "Look for what was lost", "More held-out rows"),
        ({"comparison": {"rows": 50, "metrics": {"accuracy": OPEN}}}, "-0.125 to +0.156", "Harder held-out rows"),
        (
            {"comparison": {"rows": 50, "metrics": {"loss": metric(3.0, 2.9, -0.4, 0.2)}},
             "log": [{"step": s, "loss": 0.5, "learning_rate": 1e-3} for s in range(1, 21)]},
            "by heart", "More steps",
        ),
        (
            {"comparison": {"rows": 50, "metrics": {"loss": BETTER}}, "stopped_by": "the budget of 3 s of training",
             "steps": 9},
            "ended training at step 9 of 12", "More steps",
        ),
        (
            {"comparison": {"rows": 50, "metrics": {"accuracy": metric(0.5, 1.0, 0.3, 0.6, "higher")}}},
            "no further gain can show", "More held-out rows",
        ),
    ],
    ids=["worse", "better", "falling", "form", "many-rows", "wide", "by-heart", "budget", "ceiling"],
)  # fmt: skip
def test_what_to_try_next_follows_from_the_numbers(plan, fields, said, unsaid):
    spec = spec_from_file_location("report_run", SCRIPTS / "report_run.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    run = run_document(plan, **fields)
    steps = "\n".join(module.next_steps(module.Run(Path("runs"), run, None, None, None, run["log"])))
    assert said in steps
    assert unsaid not in steps
    assert strange_numbers(steps, run) == []


def test_an_answer_cannot_break_out_of_its_block(reported):
    sample = {"prompt": "p", "expected": None, "base": "```\n# Not a heading\n````", "tuned": "t"}
    text, _ = reported({"rows": 50, "metrics": {"loss": BETTER}}, {"comparison.json": comparison(samples=[sample])})
    block = text.partition("prompt:   p\n")
    assert block[0].endswith("`````text\n")
    assert "`````\n" in block[2]


def test_a_comparison_of_another_run_is_refused(reported, tmp_path, script):
    reported({"rows": 50, "metrics": {"loss": BETTER}})
    (tmp_path / "runs/comparison.json").write_text(
        json.dumps(comparison(run={"name": "tiny", "plan_sha256": "of another"}))
    )
    done = script("report_run.py", "runs")
    assert done.returncode == 2
    assert "compares other models than this run's" in done.stderr


def test_the_code_of_the_report_runs_the_model(reported, tmp_path, tiny_model):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/model").symlink_to(tiny_model)
    text, _ = reported({"rows": 50, "metrics": {"loss": BETTER}})
    code = re.search(r"```python\n(.*?)```", text, re.S)[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=script_environment(tmp_path), capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_folder_without_a_run_is_a_usage_error(tmp_path, script):
    done = script("report_run.py", "nothing")
    assert done.returncode == 2
    assert "nothing: No such file" in done.stderr
