"""`skillpack eval` with the real Claude Code, whose model is a script: what the model asks for is run and graded."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.evals.conftest import example  # noqa: F401 - a fixture

from .conftest import Home

UPLOAD = "ls .claude/skills; hf upload me/support-chats week47.jsonl data/2.jsonl --repo-type dataset"


def answer(body: dict) -> dict:
    """A shell command first, then a sentence."""
    parts = [
        part for message in body["messages"] if isinstance(message["content"], list) for part in message["content"]
    ]
    if any(part["type"] == "tool_result" for part in parts):
        return {"type": "text", "text": "Added 5 rows."}
    return {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": UPLOAD, "description": "add"}}


class Messages(BaseHTTPRequestHandler):
    """As much of Anthropic's streaming messages API as the client needs."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        block = answer(body)
        asks = block["type"] == "tool_use"
        empty = {**block, "input": {}} if asks else {"type": "text", "text": ""}
        delta = (
            {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            if asks
            else {"type": "text_delta", "text": block["text"]}
        )
        usage = {"input_tokens": 100, "output_tokens": 20}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": []}
        stop = {"stop_reason": "tool_use" if asks else "end_turn", "stop_sequence": None}
        events = [
            {"type": "message_start", "message": {**message, "usage": usage}},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 20}},
            {"type": "message_stop"},
        ]
        data = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def model() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Messages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_claude_code_does_a_task_with_the_skill_and_is_graded(
    home: Home,
    example: Path,  # noqa: F811
    model: str,
    tmp_path: Path,
) -> None:
    environment = {**home.env, "ANTHROPIC_BASE_URL": model, "ANTHROPIC_API_KEY": "sk-ant-not-a-real-key-1234567890"}
    command = [sys.executable, "-m", "skillpack", "eval", str(example), "--agent", "claude", "--arm", "with", "--yes"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], env=environment, capture_output=True, text=True, check=False,
        timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = tmp_path / "out/example/eval-append/with_skill/run-1"
    grading, timing = (json.loads((run / name).read_text("utf-8")) for name in ("grading.json", "timing.json"))
    assert [each["passed"] for each in grading["expectations"]] == [True, True], grading
    assert (run / "report.md").read_text("utf-8") == "Added 5 rows."
    assert (timing["total_tokens"], timing["tool_calls"]) == (240, 1) and timing["usd"] > 0
    assert timing["skill_used"] is False  # it was listed to the model, which opened nothing of it
    transcript = (run / "transcript.txt").read_text("utf-8")
    (start,) = (json.loads(line) for line in transcript.splitlines() if '"subtype":"init"' in line)
    assert "example" in start["skills"]
    assert "not-a-real-key" not in transcript
