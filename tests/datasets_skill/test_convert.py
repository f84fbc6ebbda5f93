"""convert_dataset.py: what comes back the same, what does not, and sessions of agents."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from .conftest import Desk, chat

SCRIPT = "convert_dataset.py"
SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
TOOLS = {
    "messages": [
        {"role": "user", "content": "Rain in Oslo?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [CALL]},
        {"role": "tool", "content": "rain", "tool_call_id": "call_1", "name": "weather"},
        {"role": "assistant", "content": "Yes."},
    ],
    "tools": [TOOL],
}
LONG = {"messages": [SYSTEM, *chat("a", "b")["messages"], *chat("c", "d")["messages"]], "topic": "t"}
PREFERENCE = {"prompt": LONG["messages"][:2], "chosen": [{"role": "assistant", "content": "good"}],
              "rejected": [{"role": "assistant", "content": "bad"}], "margin": 2}  # fmt: skip


def read(desk: Desk, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (desk.folder / name).read_text(encoding="utf-8").splitlines()]


def test_every_format_that_holds_a_row_gives_it_back_the_same(desk: Desk) -> None:
    paths = {
        "sharegpt": [LONG, TOOLS],
        "prompt-completion": [LONG, TOOLS],
        "alpaca": [LONG],
        "tool-calls": [LONG, TOOLS],
    }
    for target, rows in paths.items():
        desk.write(f"{target}.in.jsonl", rows)
        there = desk.json(SCRIPT, f"{target}.in.jsonl", "--to", target, "--out", f"{target}.jsonl", "--strict")
        assert there["lossless"] and there["rows"] == len(rows)
        desk.json(SCRIPT, f"{target}.jsonl", "--to", "messages", "--out", f"{target}.back.jsonl", "--strict")
        assert read(desk, f"{target}.back.jsonl") == rows
    desk.write("p.jsonl", [PREFERENCE])
    desk.json(SCRIPT, "p.jsonl", "--to", "sharegpt", "--out", "ps.jsonl", "--strict")
    desk.json(SCRIPT, "ps.jsonl", "--to", "preference", "--out", "pb.jsonl", "--strict")
    assert read(desk, "pb.jsonl") == [PREFERENCE]
    assert read(desk, "ps.jsonl")[0]["chosen"] == {"from": "gpt", "value": "good"}


def test_what_is_lost_is_counted_with_its_first_row_and_strict_writes_nothing(desk: Desk) -> None:
    alpaca = {"instruction": "Sum up.", "input": "A long text.", "output": "Short."}
    desk.write("a.jsonl", [{"instruction": "Hi", "output": "Hello"}, alpaca])
    done = desk.json(SCRIPT, "a.jsonl", "--to", "messages", "--out", "m.jsonl")
    assert not done["lossless"] and list(done["losses"]) == ["where `instruction` ends and `input` begins"]
    assert done["losses"]["where `instruction` ends and `input` begins"]["first"] == "a.jsonl:2"
    assert read(desk, "m.jsonl")[1] == chat("Sum up.\n\nA long text.", "Short.")
    desk.json(SCRIPT, "a.jsonl", "--to", "messages", "--out", "s.jsonl", "--strict", code=1)
    assert not (desk.folder / "s.jsonl").exists()
    desk.write("p.jsonl", [PREFERENCE])
    assert list(desk.json(SCRIPT, "p.jsonl", "--to", "messages", "--out", "pm.jsonl")["losses"]) == [
        "the rejected answer"
    ]
    desk.write("t.jsonl", [TOOLS])
    hermes = desk.json(SCRIPT, "t.jsonl", "--to", "hermes", "--out", "h.jsonl")
    assert set(hermes["losses"]) == {
        "`id` of a tool call",
        "`name` of a tool message",
        "`tool_call_id` of a tool message",
    }
    spoken = read(desk, "h.jsonl")[0]["messages"]
    assert spoken[1]["content"].startswith("I look.\n<tool_call>\n{") and "<tool_response>" in spoken[2]["content"]
    desk.json(SCRIPT, "h.jsonl", "--to", "tool-calls", "--out", "b.jsonl", "--strict")
    back = read(desk, "b.jsonl")[0]["messages"][1]
    assert back["tool_calls"][0]["function"] == CALL["function"] and back["content"] == "I look."


@pytest.mark.parametrize(
    ("row", "target", "message"),
    [
        (LONG, "preference", "needs a rejected one"),
        (TOOLS, "alpaca", "tools, which Alpaca cannot hold"),
        ({"messages": [SYSTEM]}, "prompt-completion", "not an answer"),
        ({"conversations": [{"from": "narrator", "value": "x"}]}, "messages", "known"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "sharegpt", "the role 'boss'"),
        ({"a": 1}, "messages", "no chat format has the columns a"),
    ],
)
def test_a_row_that_cannot_be_converted_is_named_and_nothing_is_written(
    desk: Desk, row: dict[str, Any], target: str, message: str
) -> None:
    good = PREFERENCE if target == "preference" else LONG
    desk.write("r.jsonl", [good, row])
    done = desk.script(SCRIPT, "r.jsonl", "--to", target)
    assert done.returncode == 1 and "r.jsonl:2: " in done.stdout and message in done.stdout
    assert not list(desk.folder.glob("*converted*"))
    left = desk.json(SCRIPT, "r.jsonl", "--to", target, "--skip-bad")
    assert (left["rows"], left["bad"]) == (1, 1) and len(read(desk, "converted.jsonl")) == 1


def claude_lines(secret: str) -> list[dict[str, Any]]:
    def line(number: int, kind: str, content: Any, parent: int | None, **more: Any) -> dict[str, Any]:
        message = {"role": kind, "content": content, **more.pop("message", {})}
        base = {"uuid": f"u{number}", "parentUuid": None if parent is None else f"u{parent}", "sessionId": "s1"}
        return {**base, "type": kind, "isSidechain": False, "cwd": "/home/ada/app", "message": message, **more}

    answer = {"message": {"id": "m1", "model": "some-model"}}
    bash = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
    return [
        {"type": "summary", "summary": "A session"},
        line(1, "user", "List the files of /home/ada/app", None),
        line(2, "assistant", [{"type": "thinking", "thinking": "I should list."}], 1, **answer),
        line(3, "assistant", [{"type": "text", "text": "I look."}], 2, **answer),
        line(4, "assistant", [bash], 3, **answer),
        line(5, "assistant", [{"type": "tool_use", "id": "t2", "name": "Read", "input": {"file": "a"}}], 4, **answer),
        line(6, "user", [{"type": "tool_result", "tool_use_id": "t1", "content": f"a.py {secret}"}], 4),
        line(7, "user", [{"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "x"}]}], 5),
        line(8, "assistant", [{"type": "text", "text": "Two files."}], 7, message={"id": "m2"}),
        line(20, "assistant", "inside", 8, isSidechain=True),
        line(9, "user", "wrong question", 8),
        line(10, "assistant", [{"type": "text", "text": "wrong answer"}], 9, message={"id": "m3"}),
        line(11, "user", "right question", 8),
        line(12, "assistant", [{"type": "text", "text": "right answer"}], 11, message={"id": "m4"}),
        line(13, "user", "unanswered", 12),
    ]


def test_a_session_of_claude_code_becomes_one_row_without_secrets(desk: Desk) -> None:
    secret = "hf_" + secrets.token_hex(16)
    (desk.folder / "sessions").mkdir()
    desk.write("sessions/one.jsonl", claude_lines(secret))
    done = desk.json(SCRIPT, "sessions", "--from", "claude-code", "--to", "messages")
    (row,) = read(desk, "converted.jsonl")
    roles = [turn["role"] for turn in row["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "user", "assistant"]
    assert row["messages"][0]["content"] == "List the files of ~/app" and row["session"] == "s1"
    first = row["messages"][1]
    assert first["content"] == "I look." and [c["id"] for c in first["tool_calls"]] == ["t1", "t2"]
    assert row["messages"][2] == {"role": "tool", "tool_call_id": "t1", "content": "a.py hf_***"}
    assert row["messages"][-1]["content"] == "right answer" and row["model"] == "some-model"
    assert [tool["function"]["name"] for tool in row["tools"]] == ["Bash", "Read"]
    assert secret not in json.dumps(row) and "wrong" not in json.dumps(row) and "inside" not in json.dumps(row)
    told = " ".join(done["losses"])
    for word in ("reasoning", "rewound", "subagents", "home folders", "tokens", "after the last answer"):
        assert word in told
    desk.json(SCRIPT, "sessions", "--from", "claude-code", "--to", "messages", "--reasoning", "--out", "r.jsonl")
    assert read(desk, "r.jsonl")[0]["messages"][1]["reasoning_content"] == "I should list."
    assert desk.json("create_dataset.py", "converted.jsonl")["template"] == "tool-use"


def test_a_session_of_codex_becomes_one_row(desk: Desk) -> None:
    def item(kind: str, **payload: Any) -> dict[str, Any]:
        return {"timestamp": "2026-01-01T00:00:00Z", "type": "response_item", "payload": {"type": kind, **payload}}

    lines = [
        {"type": "session_meta", "payload": {"id": "c1", "cwd": "/home/ada"}},
        {"type": "turn_context", "payload": {"model": "other-model"}},
        item("message", role="user", content=[{"type": "input_text", "text": "Run the tests"}]),
        item("reasoning", summary=[{"type": "summary_text", "text": "Use pytest."}], encrypted_content="…"),
        item("function_call", name="shell", arguments='{"command": ["pytest"]}', call_id="x1"),
        {"type": "event_msg", "payload": {"type": "token_count"}},
        item("function_call_output", call_id="x1", output="3 passed"),
        item("custom_tool_call", name="apply_patch", input="*** Begin", call_id="x2"),
        item("custom_tool_call_output", call_id="x2", output="ok"),
        item("message", role="assistant", content=[{"type": "output_text", "text": "All pass."}]),
    ]
    desk.write("rollout-1.jsonl", lines)
    done = desk.json(SCRIPT, "rollout-1.jsonl", "--from", "codex", "--to", "messages", "--reasoning")
    (row,) = read(desk, "converted.jsonl")
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    first = row["messages"][1]
    assert first["reasoning_content"] == "Use pytest." and "content" not in first
    assert first["tool_calls"][0]["function"] == {"name": "shell", "arguments": {"command": ["pytest"]}}
    assert (row["session"], row["model"]) == ("c1", "other-model") and done["rows"] == 1
    desk.write("empty.jsonl", lines[:2])
    none = desk.json(SCRIPT, "empty.jsonl", "--from", "codex", "--to", "messages", "--out", "n.jsonl", code=1)
    assert "no question and answer" in none["bad_shown"][0]["problem"]
