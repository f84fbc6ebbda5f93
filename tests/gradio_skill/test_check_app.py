"""check_app.py: what is wrong with an app is found, and nothing is left running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from .conftest import SCRIPTS, Apps, load, run_script

BROKEN = '''
import os
import gradio as gr

def explode(text):
    raise KeyError("no such label: hf_plantedplantedplanted")

def silent(text):
    return ""

with gr.Blocks(css="body {}") as demo:
    text = gr.Textbox(label="Text")
    go = gr.Button("Go", variant="primary")
    result = gr.Textbox(label="Result")
    quiet = gr.Button("Quiet")
    gr.HTML("x", js_on_load="""console.error('it broke in the page');
        document.body.insertAdjacentHTML('beforeend', '<div style="width: 700px">wide</div>')""")
    go.click(explode, text, result)
    quiet.click(lambda: "", None, result)

if __name__ == "__main__":
    print(os.getpid(), file=open("pid", "w"))
    demo.launch(allowed_paths=["."], server_name=os.environ["GRADIO_SERVER_NAME"])
'''
PLAN = {
    "schema": "skillpack/demo-check/1",
    "steps": [{"fill": {"Text": "x"}}, {"click": "Go"}, {"filled": "Result"}],
    "tools": ["classify"],
}


@pytest.mark.slow
def test_each_thing_that_is_wrong_is_named_and_the_app_is_ended(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(BROKEN)
    (tmp_path / "check.json").write_text(json.dumps(PLAN))
    done = run_script("check_app.py", ".", "--json", "--timeout", 2, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    problems = "\n".join(report["problems"])
    for words in (
        "'Result' stays empty", "error on the page", "it broke in the page", "wide and has to be pushed sideways",
        "anyone can read app.py", "no MCP tool is named 'classify'", "exception in the app: KeyError",
        "call of /explode",
    ):  # fmt: skip
        assert words in problems, f"{words}:\n{problems}"
    notes = "\n".join(report["notes"])
    assert "moved from the Blocks constructor" in notes and "/lambda has no name" in notes
    assert "hf_planted" not in done.stdout + done.stderr
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


REFUSING = """
import gradio as gr

def check(text):
    if len(text) < 2:
        raise gr.Error("Too few letters." if text else "Write something.", print_exception=False)
    return text

with gr.Blocks() as demo:
    text = gr.Textbox(label="Text")
    go = gr.Button("Go")
    go.click(check, text, gr.Textbox(label="Result"), api_name="check")

demo.launch()
"""


@pytest.mark.slow
def test_each_of_several_wrong_inputs_in_a_row_has_its_own_message(
    apps: Apps, checker: ModuleType, browser: Any, options: SimpleNamespace, tmp_path: Path
) -> None:
    app = tmp_path / "refusing/app.py"
    app.parent.mkdir()
    app.write_text(REFUSING)
    empty = [{"click": "Go"}, {"error": "Write something"}]
    short = [{"fill": {"Text": "x"}}, {"click": "Go"}, {"error": "Too few"}]
    right = [{"fill": {"Text": "yes"}}, {"click": "Go"}, {"has": {"Result": "yes"}}]
    refused = {"api_name": "/check", "inputs": {"text": "x"}, "error": "Too few"}
    with apps.start(app, checker) as target:
        good = checker.check(
            browser, target, {"steps": [*empty, *short, *short, *right], "calls": [refused]}, app, options
        )
        options.timeout = 2
        again = checker.check(browser, target, {"steps": [*empty, {"error": "Write something"}]}, app, options)
        unexpected = checker.check(
            browser, target, {"steps": [*empty, *short[:2], {"wait": 1.5}], "calls": []}, app, options
        )
    assert good["problems"] == [] and "Too few letters" in good["api"][0]["refused"]
    assert "no new message says 'Write something'" in again["problems"][0]
    assert unexpected["problems"] == ["error on the page: Error: Too few letters."]


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("raise SystemExit('no weights here')", 1, "no weights here"),
        ("import gradio as gr\nprint('built, not launched')", 1, "does it call demo.launch()"),
        ("def (", 2, "nothing was started"),
        ("import gradio as gr\ngr.Blocks().launch(share=True)", 2, "open this machine to the internet"),
    ],
)
def test_an_app_that_does_not_start_says_why(tmp_path: Path, source: str, code: int, said: str) -> None:
    (tmp_path / "app.py").write_text(source)
    done = run_script("check_app.py", "app.py", "--start-timeout", 60, cwd=tmp_path)
    assert done.returncode == code and said in done.stderr and done.stdout == ""


def test_an_address_where_nothing_answers_and_endless_patience_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    module = load("check_app")
    with pytest.raises(module.Failure, match=r"does not answer: .*refused") as refused:
        module.reached(f"http://127.0.0.1:{module.free_port()}")
    assert refused.value.code == 1
    for patience in ("nan", "inf", "0"):
        with pytest.raises(SystemExit) as usage:
            module.main(["app.py", "--start-timeout", patience])
        assert usage.value.code == 2 and "give seconds above 0" in capsys.readouterr().err


def test_a_check_that_is_ended_from_outside_ends_its_app(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n")
    command = [sys.executable, str(SCRIPTS / "check_app.py"), "app.py"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    try:
        while not ((tmp_path / "pid").is_file() and (tmp_path / "pid").read_text()):
            assert process.poll() is None and time.monotonic() < end, "the app was not started"
            time.sleep(0.05)
    finally:
        process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_wrong_calls_say_what_to_do(tmp_path: Path) -> None:
    module = load("check_app")
    (tmp_path / "app.py").write_text("")
    (tmp_path / "plan.json").write_text('{"schema": "skillpack/demo-check/1", "steps": [{"dance": 1}]}')
    table: list[tuple[list[Any], str]] = [
        (["none"], "no such file"),
        ([str(tmp_path), "--steps", str(tmp_path / "none.json")], "make it first"),
        ([str(tmp_path), "--steps", str(tmp_path / "plan.json")], "dance"),
    ]
    for arguments, said in table:
        with pytest.raises(module.Failure, match=said):
            module.main(arguments)


def test_a_missing_browser_is_said_with_the_command_that_installs_one(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import gradio as gr\ngr.Blocks().launch()\n")
    done = run_script("check_app.py", "app.py", "--browser", "/none/chromium", cwd=tmp_path)
    assert done.returncode == 3 and "playwright install chromium" in done.stderr


def test_a_fixed_address_is_noted(checker: ModuleType, tmp_path: Path) -> None:
    app, findings = tmp_path / "app.py", checker.Findings()
    app.write_text("demo.launch(server_port=7861)")
    checker.source_findings(app, findings)
    assert "GRADIO_SERVER_PORT" in findings.notes[0] and os.environ.get("GRADIO_SERVER_PORT") is None
