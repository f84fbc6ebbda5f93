"""run_inspect.py as a process, with the real inspect-ai in an environment of its own: its pins differ from ours."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from .conftest import SCRIPTS, ChatServer, Desk
from .test_run_and_compare import assert_fits, samples_of

ROOT = Path(__file__).parents[2]
ITS_OWN = ("fsspec", "pydantic", "pydantic-core", "s3fs")  # what inspect-ai wants of another version than the others do
HEADER = (SCRIPTS / "run_inspect.py").read_text().partition('# ///\n"')[0]
WANTED = [re.search(f'"({name}[^"]+)"', HEADER)[1] for name in ("inspect-ai", "openai")]  # type: ignore[index]
TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate

@task
def sums(n: int = 4):
    rows = [Sample(id=f"sum-{k}", input=f"{k} + {k}?", target=str(2 * k)) for k in range(1, n + 1)]
    return Task(dataset=rows, solver=generate(), scorer=match())

@task
def broken():
    raise RuntimeError("no such thing")
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with inspect-ai, and behind it everything of this one."""
    folder = tmp_path_factory.mktemp("inspect") / "venv"
    pins = folder.parent / "constraints.txt"
    kept = (ROOT / "constraints.txt").read_text().splitlines()
    pins.write_text("\n".join(line for line in kept if line.split("==")[0].strip() not in ITS_OWN))
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert uv, "uv comes with the extra dev"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    found = folder / "bin/python"
    subprocess.run([uv, "pip", "install", "-q", "--python", str(found), "-c", str(pins), *WANTED], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "behind.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return found


@dataclass(frozen=True)
class InspectDesk(Desk):
    python: Path = Path(sys.executable)

    def command(self, name: str, *arguments: object) -> list[str]:
        return [str(self.python), *super().command(name, *arguments)[1:]]


@pytest.fixture
def inspecting(desk: Desk, python: Path) -> InspectDesk:
    (desk.folder / "task.py").write_text(TASK)
    return InspectDesk(desk.hub, desk.folder, desk.user, desk.token, python)


@pytest.mark.slow
def test_a_task_is_run_on_weights_of_the_hub_and_its_result_is_compared_like_any_other(
    inspecting: InspectDesk, tiny_model: Path
) -> None:
    model = f"{inspecting.user}/tiny"
    inspecting.api.create_repo(model)
    commit = inspecting.api.upload_folder(repo_id=model, folder_path=tiny_model).oid
    command = (model, "--task", "task.py@sums", "-T", "n=6", "--limit", "5", "--epochs", "2", "--max-new-tokens", "8")
    result = inspecting.json("run_inspect.py", *command, "--out", "evals/a")
    assert_fits(result, "eval")
    task = result["tasks"][0]
    assert (task["task"], task["rows"], task["harness"]) == ("sums", 10, "inspect-ai 0.3.285")
    assert result["model"] == {"id": model, "kind": "hub", "version": commit, "endpoint": None}
    assert task["metrics"]["match"]["interval"] == "bootstrap over groups", "two epochs of a sample are one group"
    samples = samples_of(inspecting.folder / "evals/a", result)
    assert {sample["group"] for sample in samples} == {f"sum-{k}" for k in range(1, 6)}
    answers = {group: {s["answer"] for s in samples if s["group"] == group} for group in ("sum-1", "sum-5")}
    assert all(len(said) == 1 for said in answers.values()), "weights answer greedily"
    compared = inspecting.json("compare_evals.py", "evals/a", "evals/a", "--out", "same")
    assert compared["tasks"][0]["metrics"]["match"]["difference"] == 0


def test_a_killed_run_on_a_server_goes_on_where_it_was_and_no_log_holds_the_key(
    inspecting: InspectDesk, chat_server: ChatServer
) -> None:
    def answer(messages: list[dict]) -> str:
        time.sleep(0.2)
        text = messages[-1]["content"]
        return str(2 * int((text if isinstance(text, str) else text[0]["text"]).split()[0]))

    chat_server.answer = answer
    command = ("m", "--endpoint", chat_server.url, "--task", "task.py@sums", "-T", "n=24", "--batch-size", "2",
               "--endpoint-key-env", "CHAT_KEY")  # fmt: skip
    environment = inspecting.environment(CHAT_KEY="kept-secret-123")
    started = subprocess.Popen(
        inspecting.command("run_inspect.py", *command), cwd=inspecting.folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's `&` ignores it
    )  # fmt: skip
    while len(chat_server.calls) < 10 and started.poll() is None:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    started.wait(timeout=60)
    before = len(chat_server.calls)
    assert 10 <= before < 24
    result = inspecting.json("run_inspect.py", *command, CHAT_KEY="kept-secret-123")
    assert_fits(result, "eval")
    metric = result["tasks"][0]["metrics"]["match"]
    assert (metric["value"], metric["interval"], metric["rows"]) == (1.0, "Wilson", 24)
    assert len(chat_server.calls) < before + 24, "what was answered before is not asked again"
    assert {call["temperature"] for call in chat_server.calls} == {0}
    logs = list(inspecting.folder.rglob("*.eval"))
    assert logs
    for path in logs[-1:]:
        shown = [str(inspecting.python.with_name("inspect")), "log", "dump", str(path)]
        dumped = subprocess.run(shown, capture_output=True, text=True, check=True, env=inspecting.environment()).stdout
        assert '"sum-1"' in dumped and "kept-secret-123" not in dumped


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--task", "none.py"), 2, "no file none.py"),
        (("--task", "task.py@sums", "-T", "n"), 2, "NAME=VALUE"),
        (("--task", "task.py@sums", "--endpoint-key-env", "NO_KEY"), 2, "NO_KEY is not set"),
        (("--task", "task.py@broken"), 3, "no such thing"),
    ],
)
def test_what_cannot_be_run_is_named(
    inspecting: InspectDesk, chat_server: ChatServer, arguments: tuple, code: int, said: str
) -> None:
    done = inspecting.script("run_inspect.py", "m", "--endpoint", chat_server.url, *arguments)
    assert done.returncode == code and said in done.stderr, done.stderr
    assert not (inspecting.folder / "evals/m-sums/eval.json").exists()
