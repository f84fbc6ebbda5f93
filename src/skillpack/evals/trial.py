"""One task, done once: a fresh folder, a fresh local Hub, the agent, and the grade."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from skillpack.evals.agents import Agent, AgentFailed, Ending, Said, last_line, read_output, redact, run_agent
from skillpack.evals.suite import EvalTask
from skillpack.kit.script import write_atomic

WITH, WITHOUT = "with_skill", "without_skill"
USER = "me"
#: What is not part of a skill for an agent: tasks and graders would give the answers away.
HIDDEN = shutil.ignore_patterns("evals", "__pycache__", ".*")


@dataclass(frozen=True)
class Trial:
    """A run of a task, to be kept in `folder`; it is done once its grading.json is there."""

    task: EvalTask
    arm: str
    number: int
    folder: Path

    @property
    def is_done(self) -> bool:
        return (self.folder / "grading.json").is_file()

    @property
    def title(self) -> str:
        return f"{self.task.skill_name} {self.task.id} {self.arm} {self.number}"

    def inputs(self, agent: Agent) -> str:
        """A digest of what the run is of: the agent's command, the task, and the skill where the agent has it."""
        task = self.task
        digest = hashlib.sha256(json.dumps([agent.words, task.prompt, task.expectations]).encode())
        for folder, folders, names in os.walk(task.skill) if self.arm == WITH else ():
            hidden = HIDDEN(folder, [*folders, *names])
            folders[:] = sorted({*folders} - hidden)
            for name in sorted({*names} - hidden):
                path = Path(folder, name)
                digest.update(f"{path.relative_to(task.skill)}\0".encode(errors="surrogateescape"))
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def is_of(self, agent: Agent) -> bool:
        """Whether the run that is there was made by this agent, of the task and skill as they are now."""
        timing = json.loads((self.folder / "timing.json").read_text(encoding="utf-8"))
        return bool(timing.get("inputs") == self.inputs(agent))

    def result(self) -> dict[str, Any]:
        """What benchmark.json says of it: a row of `runs`."""
        grading = json.loads((self.folder / "grading.json").read_text(encoding="utf-8"))
        timing = json.loads((self.folder / "timing.json").read_text(encoding="utf-8"))
        counted = {"time_seconds": timing["total_duration_seconds"], "tokens": timing["total_tokens"]}
        told = {key: timing[key] for key in ("usd", "tool_calls", "skill_used", "jobs", "timed_out", "exit_code")}
        return {
            "eval_id": self.task.id,
            "eval_name": self.task.id,
            "configuration": self.arm,
            "run_number": self.number,
            "result": {**grading["summary"], **counted, **told},
            "expectations": grading["expectations"],
            "notes": grading["notes"],
        }


@contextmanager
def local_hub(root: Path) -> Iterator[dict[str, str]]:
    """The variables that name a Hub of its own; it ends, with its jobs, when the block does."""
    from skillpack.hub import server

    address, process = server.spawn(root, USER)
    try:
        yield address.environment()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment_for(hub: dict[str, str], scratch: Path) -> dict[str, str]:
    """This process's environment, with every setting of the Hub replaced and this Python's programs first."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGINGFACE_", "TRACKIO_"))
    }
    own = {
        "HF_HOME": str(scratch / "hf-home"),
        "TRACKIO_DIR": str(scratch / "trackio"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    return {**kept, **hub, **own}


def run_trial(trial: Trial, agent: Agent, timeout: float) -> None:
    """Does the task, and writes grading.json, timing.json, report.md, transcript.txt and outputs/ in its folder.

    `timeout` (seconds) is for the agent and the jobs that it leaves. Raises Failure when it cannot be set up or graded,
    and AgentFailed, keeping transcript.txt alone, for an agent that ended with an error and had done nothing.
    """
    with tempfile.TemporaryDirectory(prefix="task-") as place, tempfile.TemporaryDirectory(prefix="hub-") as root:
        work, scratch = Path(place) / "work", Path(root)
        with local_hub(scratch / "hub") as hub:
            environment = environment_for(hub, scratch)
            trial.task.run("setup", work, environment)
            before = {job["id"] for job in _jobs(hub)}
            home = work / agent.skill_folder
            if trial.arm == WITH:
                shutil.copytree(trial.task.skill, home / trial.task.skill_name, ignore=HIDDEN)
            start = _state(work, scratch / "hub")
            ending = run_agent(agent, trial.task.prompt, work, environment, timeout)
            said = read_output(redact(ending.output, environment))
            transcript = redact(_transcript(agent, trial.task.prompt, ending), environment)
            failed = ending.code and not ending.timed_out and not (said.tokens or said.calls)
            if failed and _state(work, scratch / "hub") == start:
                shutil.rmtree(trial.folder, ignore_errors=True)
                write_atomic(trial.folder / "transcript.txt", transcript)
                raise AgentFailed(
                    f"{agent.name} itself failed: it ended with {ending.code}, had done nothing, and said at last"
                    f" {last_line(said, redact(ending.errors, environment))!r}. Sign in to it, or mend --agent, then"
                    f" give the same command again; all that it said: {trial.folder / 'transcript.txt'}"
                )
            try:
                jobs = _settled(hub, before, timeout - ending.seconds)
            except OSError:  # the agent ended the Hub: what it did is kept, and grading says that it cannot be graded
                jobs = []
            if trial.arm == WITH:
                shutil.rmtree(home / trial.task.skill_name, ignore_errors=True)
            shutil.rmtree(trial.folder, ignore_errors=True)  # of a run that was cut
            unkept = _kept(work, trial.folder / "outputs")
            for name, text in (("report.md", said.report), ("transcript.txt", transcript)):
                write_atomic(trial.folder / name, text)
                write_atomic(work.with_name(f"work.{name}"), text)  # where the grader looks
            timing = {"inputs": trial.inputs(agent), **_timing(trial, said, ending, jobs)}
            write_atomic(trial.folder / "timing.json", _json(timing))
            graded = json.loads(trial.task.run("grade", work, environment, "--json").stdout)
        results = json.loads(redact(json.dumps(graded["assertion_results"]), environment))
        notes = [f"the agent was ended after {timeout:.0f} s"] if ending.timed_out else []
        notes += [f"the agent ended with {ending.code}"] if ending.code and not ending.timed_out else []
        notes += [f"{unkept} files of its folder could not be kept in outputs/"] if unkept else []
        # one list under two names: agentskills.io reads the first, skill-creator the second
        grading = {"assertion_results": results, "expectations": results, "summary": graded["summary"], "notes": notes}
        write_atomic(trial.folder / "grading.json", _json(grading))  # last: it says that the rest is there


def _state(*roots: Path) -> dict[Path, tuple[int, int]]:
    """Path -> (bytes, mtime) of all below `roots`: it is another one after a file or the Hub was written to.

    What only reads a Hub writes nothing below the Hub's root.
    """
    found = {}
    for folder, folders, names in (walked for root in roots for walked in os.walk(root)):
        for path in (Path(folder, name) for name in (*folders, *names)):
            with suppress(OSError):  # the Hub's database removes files of its own
                about = path.lstat()
                found[path] = (about.st_size, about.st_mtime_ns)
    return found


def _kept(work: Path, outputs: Path) -> int:
    """Copies what the agent left, but sockets and pipes; how many files could not be read."""

    def special(folder: str, names: list[str]) -> set[str]:
        paths = {name: Path(folder, name) for name in names}
        return {name for name, path in paths.items() if not (path.is_symlink() or path.is_file() or path.is_dir())}

    outputs.mkdir(parents=True)
    try:
        shutil.copytree(work, outputs, symlinks=True, ignore=special, dirs_exist_ok=True)
    except shutil.Error as error:
        return len(error.args[0])
    except FileNotFoundError:  # it removed its own folder
        return 0
    return 0


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _timing(trial: Trial, said: Said, ending: Ending, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """timing.json; beside the published keys: what the agent counts itself, and the jobs that it started.

    `skill_used` is whether a file of the skill, or the tool that loads skills, is named in what the agent printed; of
    an agent that prints no events it is not known.
    """
    name = re.escape(trial.task.skill_name)
    used = re.search(rf'\b{name}/(SKILL\.md|scripts|references|assets)\b|"skill":\s*"{name}"', ending.output)
    return {
        "total_tokens": said.tokens,
        "duration_ms": round(ending.seconds * 1000),
        "total_duration_seconds": round(ending.seconds, 1),
        "tool_calls": said.calls,
        "usd": said.usd,
        "skill_used": bool(used) if trial.arm == WITH and said.calls is not None else None,
        "timed_out": ending.timed_out,
        "exit_code": ending.code,
        "jobs": {
            "started": len(jobs),
            "failed": sum(job["status"]["stage"] == "ERROR" for job in jobs),
            "usd": round(sum(job["localBilling"]["usd"] for job in jobs), 4),
        },
    }


def _transcript(agent: Agent, prompt: str, ending: Ending) -> str:
    said = f"--- standard error\n{ending.errors}" if ending.errors else ""
    return f"--- {' '.join(agent.words)}\n{prompt}\n--- standard output\n{ending.output}\n{said}"


def _jobs(hub: dict[str, str]) -> list[dict[str, Any]]:
    request = Request(f"{hub['HF_ENDPOINT']}/api/jobs/{USER}", headers={"Authorization": f"Bearer {hub['HF_TOKEN']}"})
    with urlopen(request, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def _settled(hub: dict[str, str], before: set[str], seconds: float) -> list[dict[str, Any]]:
    """The jobs that the agent started, once they have ended or `seconds` are over: an agent may leave them running."""
    deadline = time.monotonic() + seconds
    while True:
        jobs = [job for job in _jobs(hub) if job["id"] not in before]
        if all(job["finishedAt"] for job in jobs) or time.monotonic() > deadline:
            return jobs
        time.sleep(0.5)
