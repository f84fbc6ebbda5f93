"""new_demo.py: kinds by the task of a model, pins, and components from the annotations of a function."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import LocalHub

from .conftest import EXAMPLES, load, run_script

FUNCTION = '''
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field


def score(
    text: str, times: Annotated[int, Field(ge=1, le=5)] = 2, mode: Literal["up", "down"] = "up"
) -> Iterator[tuple[str, dict[str, float]]]:
    """Repeat a text, and say how long it is."""
    told = (text.upper() if mode == "up" else text.lower()) * times
    yield told[:1], {"long": 0.0, "short": 1.0}
    yield told, {"long": min(1.0, len(told) / 100), "short": 1 - min(1.0, len(told) / 100)}
'''


@pytest.fixture(scope="module")
def new_demo() -> ModuleType:
    return load("new_demo")


def test_every_kind_is_written_with_the_pins_that_were_tested(new_demo: ModuleType, tmp_path: Path) -> None:
    constraints = set((EXAMPLES.parents[3] / "constraints.txt").read_text().split())
    unlisted = {"numpy", "scipy", "pandas", "pillow"}  # held against what is installed
    for kind in new_demo.kinds():
        assert new_demo.main(["--kind", kind, "--out", str(tmp_path / kind)]) == 0
        files = {path.name for path in (tmp_path / kind).iterdir()}
        assert {"app.py", "requirements.txt", "README.md", "check.json"} <= files, kind
        for line in (tmp_path / kind / "requirements.txt").read_text().splitlines():
            if line.startswith("#"):
                continue
            name, _, version = line.partition("==")
            if name in unlisted:
                from importlib.metadata import version as installed

                assert installed(name) == version
            else:
                assert line in constraints, f"{kind}: {line}"
        readme = (tmp_path / kind / "README.md").read_text()
        assert "sdk: gradio" in readme and f"sdk_version: {new_demo.GRADIO}\n" in readme
        assert f"gradio[mcp,oauth]=={new_demo.GRADIO}" in readme and f"gradio=={new_demo.GRADIO}" in constraints


def test_the_examples_stream_by_one_and_the_same_function() -> None:
    texts = set()
    for name in ("chat", "text", "compare", "lora"):
        source = (EXAMPLES / name / "app.py").read_text()
        (function,) = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == "stream"]
        texts.add(ast.get_source_segment(source, function))
    assert len(texts) == 1


def test_a_model_of_the_hub_decides_the_kind_and_is_what_the_app_loads(hub: LocalHub, tmp_path: Path) -> None:
    api, env = hub.api(), hub.env() | {"PYTHONUNBUFFERED": "1"}

    def push(name: str, **files: Any) -> str:
        api.create_repo(name, exist_ok=True)
        for path, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            at = path.replace("__", ".")
            api.upload_file(path_or_fileobj=text.encode(), path_in_repo=at, repo_id=f"{hub.user}/{name}")
        return f"{hub.user}/{name}"

    card = "---\npipeline_tag: text-classification\n---\n"
    models = {
        "classification": push("labels", README__md=card, config__json={"architectures": ["BertModel"]}),
        "chat": push("chats", config__json={"architectures": ["Qwen3ForCausalLM"]}, chat_template__jinja="x",
                     README__md="---\npipeline_tag: text-generation\n---\n"),
        "lora": push("adapter", adapter_config__json={"base_model_name_or_path": "me/base"},
                     README__md="---\nbase_model: me/base\n---\n"),
    }  # fmt: skip
    for kind, model in models.items():
        done = run_script("new_demo.py", "--model", model, "--out", tmp_path / kind, "--json", cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        app = (tmp_path / kind / "app.py").read_text()
        assert f'"{model}"' in app, kind
        assert json.loads((EXAMPLES / kind / "check.json").read_text()) == json.loads(
            (tmp_path / kind / "check.json").read_text()
        )
    assert '"me/base"' in (tmp_path / "lora/app.py").read_text()
    assert f"- {models['chat']}" in (tmp_path / "chat/README.md").read_text()
    both = run_script(
        "new_demo.py", "--model", models["chat"], "--base", "me/base", "--zerogpu", "--out", tmp_path / "both",
        cwd=tmp_path, env=env,
    )  # fmt: skip
    assert both.returncode == 0, both.stderr
    assert '"BASE_ID", "me/base"' in (tmp_path / "both/app.py").read_text()
    assert "torch==2.11.0" in (tmp_path / "both/requirements.txt").read_text()
    assert "python_version: 3.12.12" in (tmp_path / "both/README.md").read_text()
    lost = run_script("new_demo.py", "--model", f"{hub.user}/none", "--out", tmp_path / "x", cwd=tmp_path, env=env)
    assert lost.returncode == 3 and "fix:" in lost.stderr and not (tmp_path / "x").exists()


def folder(path: Path, **files: Any) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name.replace("__", ".")).write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"config__json": {"architectures": ["LlamaForCausalLM"]}}, "text"),
        (
            {"config__json": {"architectures": ["LlamaForCausalLM"]}, "tokenizer_config__json": {"chat_template": "x"}},
            "chat",
        ),
        ({"config__json": {"architectures": ["WhisperForConditionalGeneration"]}}, "audio"),
        ({"config__json": {"architectures": ["T5ForConditionalGeneration"]}}, "text"),
        ({"config__json": {"architectures": ["ViTForImageClassification"]}}, "image"),
        ({"adapter_config__json": {"base_model_name_or_path": "me/base"}}, "lora"),
    ],
)  # fmt: skip
def test_a_folder_with_a_model_decides_too(new_demo: ModuleType, tmp_path: Path, files: Any, kind: str) -> None:
    model = folder(tmp_path / "model", **files)
    assert new_demo.main(["--model", str(model), "--out", str(tmp_path / "out")]) == 0
    assert new_demo.summary(kind) in (tmp_path / "out/app.py").read_text()
    assert str(model) in (tmp_path / "out/app.py").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "opera"], "there is no kind 'opera'"),
        (["--kind", "compare", "--model", "me/m"], "needs the base"),
        (["--kind", "pages", "--model", "me/m"], "runs no model"),
        (["--kind", "pages", "--zerogpu"], "needs no GPU"),
        (["--kind", "chat", "--model", 'x")\nimport os #'], "no name of a model"),
        (["--function", "none.py:f"], "no such file"),
        (["--function", "f.py:g"], "no function 'g'"),
        (["--function", "f.py:untyped"], "x is annotated not at all"),
        (["--function", "f.py:unreturned"], "not annotated"),
        (["--function", "f.py:starred"], "plain parameters"),
        (["--function", "f.py:strange"], "annotated complex"),
        (["--function", "f.py:computed"], "no literal"),
        (["--function", "broken.py:f"], "broken.py:1"),
        (["--model", "empty"], "neither config.json"),
    ],
)
def test_a_wrong_request_says_what_to_do_and_writes_nothing(
    new_demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "f.py").write_text(
        "def f(a: str) -> str: ...\ndef untyped(x) -> str: ...\ndef unreturned(x: str): ...\n"
        "def starred(*x: str) -> str: ...\ndef strange(x: complex) -> str: ...\n"
        "def computed(x: str = str(1)) -> str: ...\n"
    )
    with pytest.raises(Exception, match="fix:") as caught:
        new_demo.main([*arguments, "--out", "out"])
    assert said in str(caught.value) and caught.value.code == 2 and not (tmp_path / "out").exists()


def test_nothing_is_overwritten(new_demo: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("mine")
    with pytest.raises(Exception, match="exists"):
        new_demo.main(["--kind", "pages", "--out", str(tmp_path)])
    assert (tmp_path / "app.py").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_a_function_becomes_a_demo_that_check_app_finds_working(tmp_path: Path) -> None:
    from jsonschema import validate

    (tmp_path / "scoring.py").write_text(FUNCTION)
    made = run_script("new_demo.py", "--function", "scoring.py:score", "--out", "demo", cwd=tmp_path)
    assert made.returncode == 0 and "is a copy: copy it again" in made.stderr, made.stderr
    done = run_script("check_app.py", "demo", "--screenshots", "shots", "--json", "--timeout", 20, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    validate(report, json.loads((EXAMPLES.parent / "app-check.schema.json").read_text()))
    empty, most = "Text is empty: write something first.", "Times has to be from 1 to 5."
    assert [entry["step"] for entry in report["steps"]] == [
        {"fill": {"Text": ""}}, {"click": "Run"}, {"error": empty},
        {"fill": {"Text": "A short sentence."}}, {"click": "Run"}, {"filled": "Result 1"}, {"filled": "Result 2"},
    ]  # fmt: skip
    right, without_text, times = report["api"]
    assert {entry["api_name"] for entry in report["api"]} == {"/score"} and len(report["screenshots"]) == 3
    assert "A SHORT SENTENCE.A SHORT SENTENCE." in right["answer"] and right["refused"] is None
    assert empty in without_text["refused"] and most in times["refused"]


WEIGH = """
from typing import Annotated, Optional

def weigh(weigh: float, bias: Annotated[Optional[float], Ge(0), Lt(9.5)] = None) -> dict[str, float]:
    return {"yes": weigh, "no": 1 - weigh}

def look(photo: "Image", name: str) -> str: ...
def nothing() -> bool: ...
"""


def test_a_generated_app_refuses_what_its_function_cannot_take(
    new_demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import runpy

    import gradio as gr

    monkeypatch.syspath_prepend(tmp_path)
    names = "from annotated_types import Ge, Lt\n"  # the script reads them as text
    (tmp_path / "weighing.py").write_text(names + WEIGH)
    for name in ("weigh", "look", "nothing"):
        arguments = ["--function", f"{tmp_path / 'weighing.py'}:{name}", "--out", str(tmp_path / name)]
        assert new_demo.main(arguments) == 0
    assert "note: weigh takes any number" in capsys.readouterr().err
    checked = runpy.run_path(str(tmp_path / "weigh/app.py"))["checked_weigh"]
    assert checked(0.25, None) == checked(0.25, 9) == {"yes": 0.25, "no": 0.75}
    for values, said in (((None, None), "is empty"), ((-1.0, None), "no bars"), ((0.5, 9.5), "less than 9.5"),
                         ((0.5, -1), "at least 0"), ((0.5, float("nan")), "at least 0")):  # fmt: skip
        with pytest.raises(gr.Error, match=said):
            checked(*values)
    asked = json.loads((tmp_path / "look/check.json").read_text())
    assert asked["steps"] == [{"click": "Run"}, {"error": "Photo is empty: give one first."}] and "calls" not in asked
    assert runpy.run_path(str(tmp_path / "nothing/app.py"))["checked_nothing"]() is None
