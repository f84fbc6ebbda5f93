"""Agents that can be run without a person: their commands, where they look for skills, and what they print.

The flags and the events of Claude Code 2.1.197 and Codex 0.169.0 were seen with a scripted model in place of the real
one; of Gemini CLI 0.61.0 the flags, and the events up to the first answer.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from skillpack.diagnostics import redacted
from skillpack.errors import Failure, UsageFailure
from skillpack.kit.script import SECRET

#: Each may run commands without asking, in the folder of the trial: the trial's Hub is local, the machine is not.
#: Claude Code reads no settings of the user, and so no skills of his.
PRESETS = {
    "claude": "claude -p {prompt} --output-format stream-json --verbose --setting-sources project"
    " --allowedTools Bash,Edit,Write,Read,Glob,Grep,Skill,Task",
    "codex": "codex exec --json --skip-git-repo-check --ephemeral --sandbox workspace-write"
    " -c sandbox_workspace_write.network_access=true {prompt}",
    "gemini": "gemini -p {prompt} --output-format stream-json --yolo --skip-trust",
}
#: Where an agent looks for the skills of a project; any other than these: .agents/skills.
SKILL_FOLDERS = {"claude": ".claude/skills"}
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|COOKIE")
#: Seconds that an agent has between being asked to end and being killed.
GRACE = 5


class AgentFailed(Failure):
    """The agent ended with an error and had done nothing: it is not signed in, say, or its flags are wrong."""


@dataclass(frozen=True)
class Agent:
    """A command with `{prompt}` in it, or one that reads the prompt from its standard input."""

    name: str
    words: tuple[str, ...]

    @property
    def skill_folder(self) -> str:
        return SKILL_FOLDERS.get(self.name, ".agents/skills")

    def command(self, prompt: str) -> list[str]:
        return [word.replace("{prompt}", prompt) for word in self.words]

    @property
    def reads_input(self) -> bool:
        return not any("{prompt}" in word for word in self.words)


def read_agent(text: str) -> Agent:
    """A preset's name, or a command line, which no shell will see. Raises UsageFailure for one that is no command."""
    try:
        words = shlex.split(PRESETS.get(text, text))
    except ValueError as error:
        raise UsageFailure(f"--agent {text!r}: {error}") from None
    if not words:
        raise UsageFailure(f"--agent is empty; give one of {', '.join(PRESETS)}, or a command with {{prompt}} in it")
    return Agent(Path(words[0]).name, tuple(words))


@dataclass(frozen=True)
class Said:
    """What an agent printed: its last answer, and what it counted. None is not counted, and not zero."""

    report: str
    tokens: int | None = None
    usd: float | None = None
    calls: int | None = None


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _table(value: Any) -> dict[str, Any]:
    """`value`, or an empty table: an agent that is no preset may print events of its own under the same names."""
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def read_output(text: str) -> Said:
    """The answer and the counts in an agent's standard output: events of a preset as JSON lines, or plain text."""
    said, calls, seen = Said(""), 0, False
    for event in _events(text):
        kind, item = event.get("type"), _table(event.get("item"))
        if kind == "assistant":  # Claude Code
            content = _table(event.get("message")).get("content")
            parts = content if isinstance(content, list) else []
            calls += sum(_table(part).get("type") == "tool_use" for part in parts)
        elif kind == "result" and "stats" in event:  # Gemini CLI
            said = replace(said, tokens=_table(event["stats"]).get("total_tokens"))
        elif kind == "result":  # Claude Code
            counted = [value for key, value in _table(event.get("usage")).items() if key.endswith("_tokens")]
            tokens = sum(map(_number, counted)) if counted else None
            usd = event.get("total_cost_usd")
            usd = float(usd) if isinstance(usd, int | float) else None
            said = Said(str(event.get("result") or ""), tokens, usd)
        elif kind == "item.completed" and item.get("type") == "agent_message":  # Codex
            said = replace(said, report=str(item.get("text") or ""))
        elif kind == "turn.completed":  # Codex, whose input counts what was cached
            usage = _table(event.get("usage"))
            used = _number(usage.get("input_tokens")) + _number(usage.get("output_tokens"))
            said = replace(said, tokens=(said.tokens or 0) + used)
        elif kind == "message" and event.get("role") == "assistant":  # Gemini CLI, in pieces
            said = replace(said, report=said.report + str(event.get("content") or ""))
        elif kind == "tool_use" or (
            kind == "item.completed" and item.get("type") in ("command_execution", "file_change")
        ):
            calls += 1
        else:
            continue
        seen = True
    return replace(said, calls=calls) if seen else Said(text)


def last_line(said: Said, errors: str) -> str:
    """The line that an agent said last: of its answer where it prints events, else of its errors or its output."""
    texts = (errors, said.report) if said.calls is None else (said.report, errors)
    told = next((text for text in texts if text.strip()), "(nothing)")
    return told.strip().splitlines()[-1][:500]


def redact(text: str, environment: Mapping[str, str]) -> str:
    """`text` without the values of variables whose names say that they are secret, and without tokens by their form."""
    secrets = {value for name, value in environment.items() if SECRET_NAME.search(name.upper()) and len(value) > 7}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return redacted(SECRET.sub(lambda match: match[1] + "***", text))


@dataclass(frozen=True)
class Ending:
    """How an agent's process ended."""

    output: str
    errors: str
    seconds: float
    code: int
    timed_out: bool


def run_agent(agent: Agent, prompt: str, folder: Path, environment: Mapping[str, str], timeout: float) -> Ending:
    """Runs the agent in `folder` for at most `timeout` seconds, and ends all that it started in its group.

    Raises UsageFailure where there is no such program.
    """
    out, err = folder.with_name("stdout"), folder.with_name("stderr")
    began = time.monotonic()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        try:
            process = subprocess.Popen(
                agent.command(prompt),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE if agent.reads_input else subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageFailure(f"--agent: {agent.words[0]}: {error.strerror}; install it, or give its path") from None
        timed_out = False
        try:
            process.communicate(prompt.encode() if agent.reads_input else None, timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _end_group(process)
    seconds = time.monotonic() - began
    output, errors = (path.read_text(encoding="utf-8", errors="replace") for path in (out, err))
    return Ending(output, errors, seconds, process.returncode, timed_out)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends the group of a process that was started as its leader, the leader's children too."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
