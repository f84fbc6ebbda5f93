"""Tests of __FILE__, run as a process against a Hub in this file. `python -m unittest test___MODULE__.py`"""

import json
import os
import shlex
import subprocess
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

TOOL = Path(__file__).with_name("__FILE__")
RUN = shlex.split(os.environ.get("TOOL_RUNNER", "__RUN__"))
KEY, VALUE, PATH, FIELDS = "__KEY__", "__EXAMPLE__", "__PATH__", ["__FIELD_LIST__"]
ASKED = PATH.replace("{" + KEY + "}", quote(VALUE, safe="/"))
PLANTED = "hf_planted_in_this_test"
ITEMS = [{field: f"{field} {number}" for field in FIELDS} for number in (1, 2, 3)]


class Hub(BaseHTTPRequestHandler):
    """Two pages of ITEMS at the tool's path; `faults` are statuses that it answers first, `instead` is another body."""

    faults: ClassVar[list[int]] = []
    instead: ClassVar[bytes | None] = None
    seen: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        Hub.seen.append((self.path, self.headers.get("Authorization")))
        second = "cursor" in parse_qs(urlsplit(self.path).query)
        known = urlsplit(self.path).path == urlsplit(ASKED).path
        status = Hub.faults.pop(0) if Hub.faults else 200 if known else 404
        body = json.dumps((ITEMS[2:] if second else ITEMS[:2]) if status == 200 else {"error": "refused"}).encode()
        body = body if Hub.instead is None else Hub.instead
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "1")
        if status == 200 and not second:
            host, mark = self.headers["Host"], "&" if "?" in self.path else "?"
            self.send_header("Link", f'<http://{host}{self.path}{mark}cursor=2>; rel="next"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class ToolTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self) -> None:
        Hub.faults, Hub.instead, Hub.seen = [], None, []

    def tool(self, *arguments: str, given: str = "", output: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        endpoint = f"http://127.0.0.1:{self.server.server_port}"
        environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_TOKEN": PLANTED, "HF_TOOL_RETRIES": "1"}
        done = subprocess.run(
            [*RUN, str(TOOL), *arguments], input=given, env=environment,
            stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
        self.assertNotIn(PLANTED, (done.stdout or "") + done.stderr)
        return done

    def rows(self, done: subprocess.CompletedProcess[str]) -> list[dict]:
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_every_page_is_read_and_the_token_is_sent(self) -> None:
        self.assertEqual(self.rows(self.tool(VALUE)), [{KEY: VALUE, **item} for item in ITEMS])
        self.assertEqual([token for _, token in Hub.seen], [f"Bearer {PLANTED}"] * 2)

    def test_standard_input_gives_the_same(self) -> None:
        piped = self.tool(given=json.dumps({KEY: VALUE, "note": "kept"}) + "\n\n")
        self.assertEqual(self.rows(piped), [{KEY: VALUE, "note": "kept", **item} for item in ITEMS])

    def test_a_limit_ends_it_without_the_next_page(self) -> None:
        self.assertEqual(len(self.rows(self.tool("--limit", "2", VALUE))), 2)
        self.assertEqual(len(Hub.seen), 1)

    def test_a_rate_limit_and_a_server_error_are_tried_again(self) -> None:
        for fault in (429, 503):
            Hub.faults = [fault]
            self.assertEqual(len(self.rows(self.tool(VALUE))), 3)

    def test_it_gives_up_with_3_and_a_refusal_is_1(self) -> None:
        for faults, code in (([500, 500], 3), ([404], 1), ([401], 1)):
            Hub.faults = list(faults)
            done = self.tool(VALUE)
            self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
            self.assertIn(str(faults[0]), done.stderr)

    def test_what_is_no_answer_is_no_empty_list(self) -> None:
        for body in (b"", b"<html></html>", b'{"error": "broken"}'):
            Hub.instead = body
            done = self.tool(VALUE)
            self.assertEqual((done.returncode, done.stdout), (3, ""), done.stderr)

    @unittest.skipUnless(Path("/dev/full").exists(), "only Linux has a disk that is always full")
    def test_a_full_disk_is_an_error(self) -> None:
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            self.assertEqual(self.tool(VALUE, output=full).returncode, 3)

    def test_wrong_calls_ask_nothing(self) -> None:
        empty = json.dumps({KEY: " "})
        wrong = (
            (["--no-such-option"], ""),
            (["--limit", "0", VALUE], ""),
            ([""], ""),
            ([], empty),
            ([], "{}"),
            ([], "["),
        )
        for arguments, given in wrong:
            done = self.tool(*arguments, given=given)
            self.assertEqual((done.returncode, done.stdout, Hub.seen), (2, "", []), done.stderr)

    def test_help_names_the_environment(self) -> None:
        done = self.tool("--help")
        self.assertEqual((done.returncode, Hub.seen), (0, []))
        self.assertIn("HF_TOKEN", done.stdout)


if __name__ == "__main__":
    unittest.main()
