"""deploy_space.py: what would fail on a Space is found before, and a Space is made, followed and told of."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import LocalHub

from .conftest import load, run_script

APP = """
import os
import gradio as gr

with gr.Blocks() as demo:
    text = gr.Textbox(label="Text")
    text.submit(lambda word: word.upper() + os.environ["SUFFIX"], text, text, api_name="shout")

if __name__ == "__main__":
    print("the key is", os.environ.get("API_KEY"))
    demo.launch()
"""


@pytest.fixture(scope="module")
def deploy() -> ModuleType:
    return load("deploy_space")


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


LAUNCH = "import gradio as gr\ngr.Blocks().launch()\n"
GPU = "import spaces\nimport torch\nimport gradio as gr\n@spaces.GPU\ndef f(): ...\ngr.Blocks().launch()\n"


@pytest.mark.parametrize(
    ("files", "options", "said"),
    [
        ({"app_py": "print(1)"}, [], "never calls demo.launch()"),
        ({"app_py": "def ("}, [], "invalid syntax"),
        ({"app_py": LAUNCH.replace("()\n", "(server_port=8000)\n")}, [], "7860"),
        ({"app_py": LAUNCH.replace("launch()", "launch(server_name='127.0.0.1')")}, [], "cannot be reached"),
        ({"app_py": LAUNCH + "KEY = 'hf_" + "abcdefghij" * 3 + "'"}, [], "app.py:3 holds what looks like a secret"),
        ({"app_py": LAUNCH, "notes_md": "-----BEGIN PRIVATE KEY-----"}, [], "notes.md:1 holds"),
        ({"app_py": "import torch\n" + LAUNCH}, [], "requirements.txt lacks torch"),
        ({"app_py": "import sklearn\n" + LAUNCH}, [], "lacks scikit-learn"),
        ({"app_py": LAUNCH, "requirements_txt": "numpy\n"}, [], "open above"),
        ({"app_py": LAUNCH, "requirements_txt": "numpy>=2\n"}, [], "open above"),
        ({"app_py": LAUNCH, "requirements_txt": "!!!\n"}, [], "names no package"),
        ({"app_py": LAUNCH, "requirements_txt": "git+https://github.com/x/y\n"}, [], "NAME @ ADDRESS"),
        ({"app_py": LAUNCH, "requirements_txt": "gradio==4.0.0\n"}, [], "excludes sdk_version"),
        ({"app_py": "import os\nos.environ['KEY']\n" + LAUNCH}, [], "needs $KEY"),
        ({"app_py": LAUNCH, "README_md": "---\nshort_description: " + "x" * 61 + "\n---\n"}, [], "60 characters"),
        ({"app_py": LAUNCH, "README_md": "---\ncolorFrom: mauve\n---\n"}, [], "not a color"),
        ({"app_py": LAUNCH}, ["--hardware", "zero-a10g"], "no function has @spaces.GPU"),
        (
            {"app_py": GPU.replace("import spaces\nimport torch", "import torch\nimport spaces"),
             "requirements_txt": "torch==2.11.0"}, ["--hardware", "zero-a10g"], "import spaces before torch",
        ),
        ({"app_py": GPU, "requirements_txt": "torch==2.13.0"}, ["--hardware", "zero-a10g"], "write torch==2.11.0"),
        (
            {"app_py": GPU.replace("def f", "async def f"), "requirements_txt": "torch==2.11.0"},
            ["--hardware", "zero-a10g"], "takes no async function",
        ),
        (
            {"app_py": GPU + "torch.compile(f)\n", "requirements_txt": "torch==2.11.0"},
            ["--hardware", "zero-a10g"], "no torch.compile",
        ),
        (
            {"app_py": GPU, "requirements_txt": "torch==2.11.0"},
            ["--hardware", "zero-a10g", "--python-version", "3.11"], "ZeroGPU runs Python",
        ),
    ],
)  # fmt: skip
def test_what_would_fail_is_found_without_the_network(
    deploy: ModuleType, tmp_path: Path, files: dict[str, str], options: list[str], said: str
) -> None:
    args = deploy.arguments([str(write(tmp_path / "demo", **files)), "--repo", "x", *options])
    _, findings = deploy.examine(args)
    assert any(said in text for text in findings.errors), findings.errors
    assert deploy.main([str(tmp_path / "demo"), "--repo", "x", "--yes", *options]) == 1


@pytest.mark.parametrize(
    ("files", "options"),
    [
        ({"app_py": LAUNCH}, []),
        ({"app_py": "import numpy, json, scoring\n" + LAUNCH, "scoring_py": ""}, []),
        ({"app_py": "import os\nos.environ['KEY']\n" + LAUNCH}, ["--variable", "KEY=1"]),
        ({"app_py": GPU, "requirements_txt": "torch==2.11.0\n"}, ["--hardware", "zero-a10g"]),
        ({"app_py": "import torch\n" + LAUNCH, "requirements_txt": "# pinned\ntorch>=2.8,<3\n"}, []),
    ],
)  # fmt: skip
def test_what_is_right_waits_for_yes(
    deploy: ModuleType, tmp_path: Path, files: dict[str, str], options: list[str]
) -> None:
    folder = write(tmp_path / "demo", **files)
    assert deploy.main([str(folder), "--repo", "x", *options]) == 4
    assert not (folder / "README.md").exists()


def test_what_an_author_wrote_into_readme_stays(deploy: ModuleType, tmp_path: Path) -> None:
    readme = "---\ntitle: Mine\nlicense: mit\nsdk_version: 6.20.0\n---\n\n# By hand\n"
    app = "import gradio as gr\nwith gr.Blocks() as demo:\n    gr.LoginButton()\ndemo.launch()\n"
    args = deploy.arguments([str(write(tmp_path / "demo", app_py=app, README_md=readme)), "--repo", "x"])
    text, findings = deploy.examine(args)
    header, body = deploy.split_readme(text)
    assert findings.errors == [] and body == "\n# By hand\n"
    assert (header["title"], header["license"], header["sdk_version"]) == ("Mine", "mit", "6.20.0")
    assert header["hf_oauth"] is True and header["sdk"] == "gradio" and header["python_version"] == "3.12.12"
    (tmp_path / "demo/README.md").write_text(text)
    assert deploy.examine(args)[0] == text  # composed once, it stays


def result(done: Any, code: int) -> Any:
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_a_space_is_made_followed_and_told_of(running_hub: LocalHub, tmp_path: Path) -> None:
    api = running_hub.api()
    write(tmp_path / "demo", app_py=APP, requirements_txt="numpy<3\n")
    (tmp_path / "demo/.env").write_text("API_KEY=planted-env")
    env = running_hub.env(API_KEY="planted-key-value")
    words = ["demo", "--repo", "shout", "--secret", "API_KEY", "--variable", "SUFFIX=!", "--json"]
    planned = result(run_script("deploy_space.py", *words, cwd=tmp_path, env=env), 4)
    assert planned["files"] == ["app.py", "requirements.txt"] and planned["hourly_usd"] == 0
    assert not api.repo_exists("rose/shout", repo_type="space")
    done = run_script("deploy_space.py", *words, "--yes", cwd=tmp_path, env=env)
    made = result(done, 0)
    assert (made["repo_id"], made["private"], made["stage"], made["created"]) == ("rose/shout", True, "RUNNING", True)
    for secret in ("planted", running_hub.token):
        assert secret not in done.stdout + done.stderr
    assert list(api.get_space_secrets("rose/shout")) == ["API_KEY"]
    assert api.get_space_variables("rose/shout")["SUFFIX"].value == "!"
    assert set(api.list_repo_files("rose/shout", repo_type="space")) == {
        ".gitattributes", "README.md", "app.py", "requirements.txt"
    }  # fmt: skip
    from gradio_client import Client

    assert Client(made["app_url"], verbose=False).predict("hey", api_name="/shout") == "HEY!"
    assert "the key is ***" in "".join(api.fetch_space_logs("rose/shout"))
    again = result(run_script("deploy_space.py", *words, "--yes", cwd=tmp_path, env=env), 0)
    assert again["commit"] == made["commit"] and again["created"] is False
    write(tmp_path / "demo", requirements_txt="numpy<3\nno-such-package-x==1.0\n")
    broken = result(run_script("deploy_space.py", *words, "--yes", cwd=tmp_path, env=env), 1)
    assert broken["stage"] == "BUILD_ERROR" and any("no-such-package-x" in line for line in broken["log"])
    crash = "    raise RuntimeError('no weights')\n    demo.launch()"
    write(tmp_path / "demo", requirements_txt="numpy<3\n", app_py=APP.replace("    demo.launch()", crash))
    crashed = run_script("deploy_space.py", *words[:-1], "--yes", cwd=tmp_path, env=env)
    assert (
        crashed.returncode == 1 and "RuntimeError: no weights" in crashed.stdout and "RUNTIME_ERROR" in crashed.stdout
    )


def test_paid_hardware_is_priced_sleeps_and_can_be_refused(running_hub: LocalHub, tmp_path: Path) -> None:
    write(tmp_path / "demo", app_py=LAUNCH)
    words = ["demo", "--repo", "paid", "--hardware", "t4-small", "--json"]
    env = running_hub.env()
    planned = result(run_script("deploy_space.py", *words, cwd=tmp_path, env=env), 4)
    assert planned["hourly_usd"] == pytest.approx(0.40, abs=0.01) and planned["sleep_time"] == 3600
    assert "more than --max-hourly" in str(
        result(run_script("deploy_space.py", *words, "--max-hourly", 0.1, "--yes", cwd=tmp_path, env=env), 1)["errors"]
    )
    result(run_script("deploy_space.py", *words, "--yes", "--no-wait", cwd=tmp_path, env=env), 0)
    runtime = running_hub.api().get_space_runtime("rose/paid")
    assert (runtime.requested_hardware, runtime.sleep_time) == ("t4-small", 3600)
    unknown = run_script("deploy_space.py", "demo", "--repo", "x", "--hardware", "warp", cwd=tmp_path, env=env)
    assert unknown.returncode == 2 and "t4-small" in unknown.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--secret", "NOT_THERE"], "not in the environment: NOT_THERE"),
        (["--secret", "KEY=planted-value-in-argv"], "secrets are given by name"),
        (["--variable", "no name=1"], "no name of a variable"),
    ],
)
def test_secrets_are_named_and_never_valued(tmp_path: Path, options: list[str], said: str) -> None:
    write(tmp_path / "demo", app_py=LAUNCH)
    done = run_script("deploy_space.py", "demo", "--repo", "x", *options, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and "planted-value" not in done.stderr


def test_a_token_that_may_not_write_there_is_refused(running_hub: LocalHub, tmp_path: Path) -> None:
    write(tmp_path / "demo", app_py=LAUNCH)
    env = running_hub.env()
    done = run_script("deploy_space.py", "demo", "--repo", "other/x", "--yes", cwd=tmp_path, env=env)
    assert done.returncode == 2 and "may not write" in done.stderr
    nobody = {**env, "HF_TOKEN": ""}
    done = run_script("deploy_space.py", "demo", "--repo", "x", "--yes", cwd=tmp_path, env=nobody)
    assert done.returncode == 3 and "hf auth login" in done.stderr


def test_a_requirement_over_two_lines_is_read_as_pip_reads_it(tmp_path):
    deploy = load("deploy_space")
    (tmp_path / "requirements.txt").write_text("numpy>=2 \\\n  ,<3\n")
    findings = deploy.Findings()
    assert set(deploy.check_requirements(tmp_path, {}, "6.31.0", findings)["numpy"].split(",")) == {">=2", "<3"}
    assert findings.errors == []
