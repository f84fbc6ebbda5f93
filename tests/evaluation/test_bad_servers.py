"""run_eval.py and compare_evals.py where a server, or what a model wrote, is not what one hopes for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .conftest import SCRIPTS
from .test_run_and_compare import module_of

ONCE = {  # by question: what the server answers the first time, as it stands on the wire
    "date": b"HTTP/1.1 429 Busy\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n",
    "minus": b"HTTP/1.1 429 Busy\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n",
    "nan": b"HTTP/1.1 429 Busy\r\nRetry-After: nan\r\nContent-Length: 0\r\n\r\n",
    "half": b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"cho',
    "noise": b"BLAH BLAH\r\n\r\n",
}
SAID = {  # by the model that is asked and the question; else "4"
    "odd": {"parts": [{"type": "text", "text": "4"}], "emoji": "half \ud83d of one", "lines": "one\u2028two\x85three"},
}


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][-1]["content"]
            self.close_connection = True
            if question in left:
                self.wfile.write(left.pop(question))
                return
            content = SAID.get(self.path.split("/")[1], {}).get(question, "4")
            body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        def log_message(self, *_: object) -> None:
            pass

    left = dict(ONCE)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    listening.server_close()


def asked(folder: Path, server: str, questions: Iterable[str], out: str) -> list[str]:
    """The arguments with which run_eval.py asks the questions, of which the right answer is always 4."""
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps({"q": question, "a": "4"}) + "\n" for question in questions), "utf-8")
    where = ("--endpoint", server, "--data", str(rows), "--out", str(folder / out))
    return ["m", *where, "--question", "q", "--answer", "a", "--score", "exact"]


def test_a_server_that_answers_half_or_noise_or_an_odd_retry_after_is_asked_again(server: str, tmp_path: Path) -> None:
    assert module_of(SCRIPTS / "run_eval.py").main(asked(tmp_path, f"{server}/v1", ONCE, "out")) == 0
    task = json.loads((tmp_path / "out/eval.json").read_text())["tasks"][0]
    assert task["metrics"]["exact"]["value"] == 1.0 and task["rows"] == len(ONCE)


def test_an_answer_that_is_no_text_is_a_failure_with_its_reason(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = module_of(SCRIPTS / "run_eval.py")
    monkeypatch.setattr(script, "ATTEMPTS", 1)
    with pytest.raises(script.Failure, match="content is a list, not text") as failure:
        script.main(asked(tmp_path, f"{server}/odd/v1", ["parts"], "out"))
    assert failure.value.code == 3


def test_half_an_emoji_and_a_line_separator_in_an_answer_are_compared_like_any_other_text(
    server: str, tmp_path: Path
) -> None:
    script = module_of(SCRIPTS / "run_eval.py")
    for side, path in (("base", "v1"), ("new", "odd/v1")):
        assert script.main(asked(tmp_path, f"{server}/{path}", ["emoji", "lines"], side)) == 0
    samples = tmp_path / "new/samples/rows.jsonl"
    lines = [json.loads(line) for line in samples.read_text("utf-8").split("\n")[:-1]]
    as_of_lm_eval = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)  # so run_inspect.py writes
    samples.write_text(as_of_lm_eval, "utf-8")
    code = module_of(SCRIPTS / "compare_evals.py").main([str(tmp_path / "base"), str(tmp_path / "new")])
    flips = json.loads((tmp_path / "new/comparison.json").read_text("utf-8"))["tasks"][0]["flips"]["exact"]
    assert code == 0 and [flip["new"] for flip in flips["lost"]] == ["half ? of one", "one\u2028two\x85three"]


def test_an_address_that_is_none_is_a_wrong_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = module_of(SCRIPTS / "run_eval.py")
    for address in ("localhost:8000/v1", "notaurl"):
        with pytest.raises(SystemExit) as left:
            script.main(asked(tmp_path, address, ["a"], "out"))
        assert left.value.code == 2 and "http://" in capsys.readouterr().err
