"""Every example app is built, opened in a real browser, clicked, and called as an API."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from .conftest import EXAMPLES, Apps

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/app.py"))
#: Which tiny models stand in for the ones that an example names.
MODELS = {
    "chat": {"MODEL_ID": "chat"},
    "text": {"MODEL_ID": "chat"},
    "classification": {"MODEL_ID": "classifier"},
    "table": {"MODEL_ID": "classifier"},
    "image": {"MODEL_ID": "image"},
    "audio": {"MODEL_ID": "speech"},
    "compare": {"BASE_ID": "chat", "TUNED_ID": "chat"},
    "lora": {"BASE_ID": "chat", "ADAPTERS": "formal playful"},
}


def environment(apps: Apps, name: str) -> dict[str, str]:
    return {
        variable: " ".join(str(apps.models / model) for model in value.split())
        for variable, value in MODELS.get(name, {}).items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_example_works_in_a_browser_and_as_an_api(
    apps: Apps, checker: ModuleType, browser: Any, options: SimpleNamespace, tmp_path: Path, name: str
) -> None:
    shutil.copytree(EXAMPLES / name, tmp_path / name)  # what an app writes beside itself stays out of the skill
    app, options.name = tmp_path / name / "app.py", name
    plan = checker.read_plan(app.parent / "check.json")
    with apps.start(app, checker, **environment(apps, name)) as target:
        report = checker.check(browser, target, plan, app, options)
    assert report["problems"] == [], json.dumps(report, indent=1) + target.printed()
    assert len(report["steps"]) == len(plan["steps"]) >= 3
    assert len(report["api"]) == len(plan.get("calls", []))
    known = ("elsewhere", "outside of a Space")  # fonts; that signing in is a rehearsal here
    assert [note for note in report["notes"] if not any(words in note for words in known)] == []
    assert len(report["screenshots"]) == 3 and all(Path(each).stat().st_size > 5000 for each in report["screenshots"])


def test_there_are_at_least_ten_examples() -> None:
    assert len(NAMES) >= 10
