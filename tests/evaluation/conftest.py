"""A tiny model, the same after some training, rows, a chat server, and the evaluation skill's scripts as processes."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LocalHub
from tests.desk import BaseDesk
from tests.trainer.conftest import tiny_model  # noqa: F401 - a fixture

SKILL = Path(__file__).parents[2] / "skills/hugging-face-evaluation"
SCRIPTS = SKILL / "scripts"


class Desk(BaseDesk):
    scripts = SCRIPTS
    timeout = 240
    warm = ("run_eval.py",)  # the one that loads models

    def rows(self, name: str, rows: list[dict]) -> Path:
        return self.write(name, rows)


@pytest.fixture
def desk(hub: LocalHub, tmp_path: Path) -> Desk:
    return Desk.new(hub, tmp_path / "work")


@dataclass
class ChatServer:
    """An OpenAI-compatible server on this machine: `answer(messages)` says what it says, and every call is kept."""

    url: str
    calls: list[dict] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    refuse: list[int] = field(default_factory=list)  # statuses with which it answers first
    answer: Any = None


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.keys.append(self.headers.get("Authorization"))
            status = found.refuse.pop(0) if found.refuse else 200
            said = {"error": {"message": f"refused, with {self.headers.get('Authorization')}"}}
            if status == 200:
                found.calls.append(body)
                message = {"role": "assistant", "content": found.answer(body["messages"])}
                said = {"id": "chat-1", "object": "chat.completion", "created": 1, "model": body["model"],
                        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):  # the client was killed
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = ChatServer(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


THINGS = ["lamp", "river", "engine", "garden", "letter", "window", "bridge", "market", "forest", "mirror", "kettle",
          "ladder", "harbor", "violin", "pencil"]  # fmt: skip


def questions(rows: int = 80) -> list[dict]:
    """Chats that ask for yes or no; three in four are answered by yes, so that a model can learn to say that."""
    pairs = [(one, two) for one in THINGS for two in THINGS if one != two]
    random.Random(0).shuffle(pairs)
    return [
        {"messages": [{"role": "user", "content": f"Is the {one} by the {two}?"},
                      {"role": "assistant", "content": "no" if index % 4 == 0 else "yes"}]}
        for index, (one, two) in enumerate(pairs[:rows])
    ]  # fmt: skip


@pytest.fixture(scope="session")
def tuned_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The tiny model after some steps on such questions: it has learned to say yes, and no more."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for row in questions(210)[150:]:
        given = tokenizer.apply_chat_template(row["messages"][:1], add_generation_prompt=True, return_dict=False)
        ids = tokenizer.apply_chat_template(row["messages"], return_dict=False)
        labels = [-100] * len(given) + ids[len(given) :]
        loss = model(torch.tensor([ids]), labels=torch.tensor([labels])).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("tuned") / "Tiny-Qwen3-tuned"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
