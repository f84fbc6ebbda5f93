"""What SKILL.md and the references say: options and commands exist, blocks run, and Gradio does what is said of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import EXAMPLES, SCRIPTS, SKILL, load, run_script

DOCUMENTS = [SKILL / "SKILL.md", *sorted((SKILL / "references").glob("*.md"))]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("facts.py"))],
        cwd=tmp_path_factory.mktemp("facts"), env={**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) | {"printed": done.stderr}


def test_the_server_refuses_and_takes_what_security_md_says(facts: Any) -> None:
    assert facts["file of the server"] == 403
    assert "error" in facts["path of the server"] and "root:" not in facts["path of the server"]
    assert "error" in facts["url of its network"] and facts["fetched"] == []
    assert "greater than maximum" in facts["slider"] and "greater than maximum" in facts["number"]
    assert "Value 9 is greater than maximum value 5." in facts["number"] and facts["empty number"] == "'True'"
    assert "Traceback" in facts["printed"].partition("Value 9 is greater")[0]
    assert "not in the list of choices" in facts["dropdown"] and "Invalid file type" in facts["file_type"]
    assert facts["max_length"] == "'abcdef'" and facts["custom_value"] == "'z'"
    assert "12345" not in facts["explode"] and "AppError" in facts["explode"]
    assert '["ran"]' in facts["private by its name"] and "Cannot find a function" in facts["private by the client"]


def test_events_and_state_behave_as_said(facts: Any) -> None:
    assert facts["a lambda"] == "'x'"
    assert facts["state"] == ["'1'", "'2'", "'1'"]
    assert facts["a cancelled function"] == ["slow"]
    ours, google = facts["fonts from elsewhere"]
    assert ours == [] and "fonts.googleapis.com" in google[0]
    assert facts["three naps of half a second"] > 1.4


def test_what_is_gone_from_gradio_6_is_gone(facts: Any) -> None:
    skill = (SKILL / "SKILL.md").read_text("utf-8")
    for name, said in facts["gone"].items():
        assert name in skill or name.replace("(theme=)", "(theme=...)") in skill, name
        assert ("moved from the Blocks constructor" if "theme" in name else "TypeError") in said, f"{name}: {said}"


def test_the_blocks_of_the_references_run(facts: Any) -> None:
    results = facts["blocks"]
    assert results.pop("fetch").startswith("ValueError") and results.pop("check") == "[True, False, False]"
    assert len(results) >= 9 and set(results.values()) == {"None"}, results


def spans(path: Path) -> list[str]:
    text = re.sub(r"^---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.S)
    return [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]


def said_by(*command: str) -> set[str]:
    program = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run(
        [program, *command[1:], "--help"], capture_output=True, text=True, check=True,
        env={**os.environ, "COLUMNS": "200", "GRADIO_ANALYTICS_ENABLED": "False"},
    )  # fmt: skip
    return set(OPTION.findall(re.sub(r"\x1b\[[\d;]*m", "", done.stdout)))


def test_every_command_and_option_that_the_documents_name_exists() -> None:
    known = {
        path.name: set(OPTION.findall(run_script(path.name, "--help", cwd=SKILL).stdout))
        for path in SCRIPTS.glob("*.py")
    }
    known |= {" ".join(words): said_by(*words) for words in (
        ("gradio", "info"), ("gradio", "predict"), ("hf", "spaces", "wait"), ("hf", "spaces", "logs"),
        ("hf", "spaces", "zero-gpu"),
    )}  # fmt: skip
    everything, named, texts = (
        set().union(*known.values()) | {"--help"},
        0,
        [(p, s) for p in DOCUMENTS for s in spans(p)],
    )
    source = (SCRIPTS / "deploy_space.py").read_text("utf-8") + (SCRIPTS / "check_app.py").read_text("utf-8")
    texts += [(Path("scripts"), span) for span in re.findall(r"`(hf [^`]+)`", source)]
    for path, span in texts:
        if span.startswith("var("):
            continue  # a color of CSS
        command = next((name for name in known if name in span), None)
        options = set(OPTION.findall(span))
        named += len(options)
        unknown = options - (known[command] | {"--help"} if command else everything)
        assert not unknown, f"{path.name}: `{span}`: {unknown}"
        if span.startswith(("hf ", "gradio ")) and not span.startswith(("hf auth", "gradio app.py")):
            assert command, f"{path.name}: `{span}` was not held against a program"
    assert named > 20


def test_the_steps_of_testing_md_are_those_of_the_schema_and_of_the_script() -> None:
    schema = json.loads((SKILL / "assets/demo-check.schema.json").read_text("utf-8"))
    steps = set(schema["properties"]["steps"]["items"]["properties"])
    text = " ".join((SKILL / "references/testing.md").read_text("utf-8").split())
    told = re.search(r"All steps: ([\w, ]+)", text)
    assert told and set(told[1].strip().split(", ")) == steps
    assert {name[3:] for name in vars(load("check_app").Page) if name.startswith("do_")} == steps
    block = re.search(r"```json\n(.*?)```", (SKILL / "references/testing.md").read_text("utf-8"), re.S)
    from jsonschema import validate

    assert block
    validate(json.loads(block[1]), schema)


def test_the_examples_that_skill_md_names_are_there() -> None:
    text = " ".join((SKILL / "SKILL.md").read_text("utf-8").split())
    told = re.search(r"`assets/examples/`: ([\w, ]+)\.", text)
    assert told and told[1].split(", ") == sorted(path.parent.name for path in EXAMPLES.glob("*/app.py"))


def test_zerogpu_md_has_the_versions_of_the_asset() -> None:
    rules = json.loads((SKILL / "assets/zerogpu.json").read_text("utf-8"))
    text = (SKILL / "references/zerogpu.md").read_text("utf-8")
    assert all(version in text for version in [*rules["torch"], *rules["python"], rules["dated"]])


def test_component_reference_reads_the_installed_gradio(tmp_path: Path) -> None:
    names = ("Chatbot", "gr.textbox", "Blocks.launch", "Button.click", "Progress", "render")
    done = run_script("component_reference.py", *names, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    entries = json.loads(done.stdout)["entries"]
    assert [entry["name"] for entry in entries] == list(names)
    chatbot, _, launch, click, *_ = entries
    assert "like" in chatbot["events"] and "list" in chatbot["your function gets"]
    assert next(each for each in launch["parameters"] if each["name"] == "mcp_server")["meaning"]
    assert {"fn", "cancels", "api_visibility"} <= {each["name"] for each in click["parameters"]}


def test_component_reference_lists_and_finds(facts: Any, tmp_path: Path) -> None:
    listed = json.loads(run_script("component_reference.py", "--json", cwd=tmp_path).stdout)
    assert "Textbox" in listed["components"] and "Row" in listed["layouts"] and "click" in listed["events"]
    assert "Text" not in listed["components"] and "Progress" in listed["others"]
    assert "did you mean" in facts["reference"]["Chatbox"] and "Chatbot" in facts["reference"]["Chatbox"]
    assert "Chatbot" in facts["reference"]["watermark"] and facts["reference"]["no-such-word-x"] == "[]"
