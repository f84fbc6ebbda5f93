"""Jobs through `hf jobs` and `run_uv_job`, each a process with only HF_ENDPOINT and HF_TOKEN to go by."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import LocalHub

HEADER = """# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub"]
#
# [tool.hf-jobs]
# flavor = "t4-small"
# timeout = "5m"
# labels = { kind = "from-header" }
# ///
"""
SCRIPT = (
    HEADER
    + """import json, os, pathlib, sys
config = json.loads(pathlib.Path(sys.argv[1]).read_text())
print("config", config["epochs"], "argument", sys.argv[2], "on", os.environ["ACCELERATOR"])
pathlib.Path(sys.argv[1]).with_name("result.txt").write_text("trained")
"""
)


def hf(hub: LocalHub, *arguments: str, code: int = 0) -> str:
    done = hub.run("hf", *arguments)
    assert done.returncode == code, f"hf {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr if code else done.stdout


def job_id(text: str) -> str:
    found = re.search(r"\b[0-9a-f]{24}\b", text)
    assert found, text
    return found.group()


def test_a_script_goes_from_the_command_line_to_a_job_and_back(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "config.json").write_text('{"epochs": 3}')
    options = ("--with", "datasets", "--label", "try=one")
    script = (str(tmp_path / "train.py"), str(tmp_path / "config.json"), "x")
    dry = hf(hub, "jobs", "uv", "run", "--dry-run", *options, *script)
    assert "t4-small" in dry
    shown = hf(hub, "jobs", "uv", "run", *options, *script)
    assert "config 3 argument x on t4-small" in shown
    (job,) = hub.api().list_jobs(namespace=hub.user, labels={"kind": "from-header", "try": "one"})
    assert job.command is not None and job.command[:2] == ["uv", "run"] and job.flavor == "t4-small"
    assert job.volumes is not None and job.volumes[0].mount_path == "/data"
    copied = hf(hub, "buckets", "cp", f"hf://buckets/{job.volumes[0].source}/{job.volumes[0].path}/result.txt", "-")
    assert copied == "trained"


def test_jobs_are_run_listed_followed_inspected_labelled_and_canceled(hub: LocalHub) -> None:
    shown = hf(hub, "jobs", "run", "--name", "hello", "-e", "WHO=you", "python:3.12", "sh", "-c", "echo hello $WHO")
    assert "hello you" in shown
    failed = hf(hub, "jobs", "run", "python:3.12", "sh", "-c", "exit 4", code=1)
    assert "ERROR" in failed and "exit code: 4" in failed
    job = job_id(hf(hub, "jobs", "run", "--detach", "--name", "long", "python:3.12", "sleep", "60"))
    assert job in hf(hub, "jobs", "ps", "-q")
    assert "hello" in hf(hub, "jobs", "ps", "-a", "--name", "hello")
    assert "hello you" in hf(hub, "jobs", "logs", job_id(hf(hub, "jobs", "ps", "-a", "--name", "hello", "-q")))
    (inspected,) = json.loads(hf(hub, "jobs", "inspect", job, "--json"))
    assert inspected["status"]["stage"] in ("SCHEDULING", "RUNNING") and inspected["labels"] == {"name": "long"}
    hf(hub, "jobs", "labels", job, "--label", "a=b")
    assert "cpu-basic" in hf(hub, "jobs", "hardware")
    hf(hub, "jobs", "cancel", job)
    assert job_id(hf(hub, "jobs", "ps", "-q", "--status", "canceled", "--label", "a=b")) == job


def test_secrets_and_folders_are_passed_on_the_command_line(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "a.txt").write_text("from the folder")
    folder = ("-v", f"{tmp_path / 'inputs'}:/inputs")
    check = "cat /inputs/a.txt; echo; echo token=$HF_TOKEN key=$KEY"
    shown = hf(hub, "jobs", "run", "-s", "HF_TOKEN", "-s", "KEY=planted-key", *folder, "python:3.12", "sh", "-c", check)
    assert "from the folder" in shown and "token=*** key=***" in shown


def test_schedules_are_managed_on_the_command_line(hub: LocalHub) -> None:
    made = hf(hub, "jobs", "scheduled", "run", "--name", "weekly", "@weekly", "python:3.12", "echo", "tick")
    scheduled = job_id(made)
    assert scheduled in hf(hub, "jobs", "scheduled", "ps", "-q")
    hf(hub, "jobs", "scheduled", "suspend", scheduled)
    (inspected,) = json.loads(hf(hub, "jobs", "scheduled", "inspect", scheduled, "--json"))
    assert inspected["suspend"] is True
    hf(hub, "jobs", "scheduled", "resume", scheduled)
    assert job_id(hf(hub, "jobs", "scheduled", "trigger", scheduled)) != scheduled
    hf(hub, "jobs", "scheduled", "delete", scheduled)
    assert scheduled not in hf(hub, "jobs", "scheduled", "ps", "-q")


def uv(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os
    import sys

    command = [sys.executable, "-m", "skillpack.hub.uvrun", *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


def test_uv_run_uses_the_environment_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import sys; print(sys.argv[1:])")
    script = str(tmp_path / "a.py")
    options = ("--with", "trl>=1,torch", "--python", "3.12", "-q")
    assert uv("run", *options, script, "--with", "x").stdout == "['--with', 'x']\n"
    assert uv("run", "--no-project", "python", "-c", "print(1)").stdout == "1\n"
    assert uv("run", "-m", "json.tool", "--help").returncode == 0
    lacking = uv("run", "--with=no-such-package-here==1", script)
    assert lacking.returncode == 0 and "not installed: no-such-package-here==1" in lacking.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "https://example.invalid/x.py"), "downloads nothing"),
        (("pip", "install", "x"), "only `uv run`"),
        (("run",), "nothing to run"),
        (("run", "--with"), "needs a value"),
        (("run", "no-such-program-here"), "No such file"),
    ],
)
def test_uv_refuses_what_would_need_the_network(arguments: tuple[str, ...], said: str) -> None:
    done = uv(*arguments, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode != 0 and said in done.stderr


def test_a_script_can_come_from_the_local_hub_by_url(hub: LocalHub) -> None:
    # Public: `hf jobs uv run` reads the header of the script itself, without a token.
    repo = hub.api().create_repo("scripts", repo_type="dataset", exist_ok=True).repo_id
    hub.api().upload_file(path_or_fileobj=b"print('by url')", path_in_repo="a.py", repo_id=repo, repo_type="dataset")
    url = f"{hub.url}/datasets/{repo}/resolve/main/a.py"
    assert "by url" in hf(hub, "jobs", "uv", "run", "-s", "HF_TOKEN", url)
