"""What SKILL.md and the references say of Gradio, tried on the installed one: `python facts.py`, one JSON object."""

from __future__ import annotations

import http.server
import json
import os
import re
import runpy
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio_client import Client, handle_file

REFERENCES = Path(__file__).parents[2] / "skills/gradio/references"
fetched: list[str] = []
ended: list[str] = []


class Inside(http.server.BaseHTTPRequestHandler):
    """A server of the server's own network, which a visitor must not reach through the app."""

    def do_GET(self) -> None:
        fetched.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def slow(_: str) -> str:
    time.sleep(0.8)
    ended.append("slow")
    return ""


def explode(_: str) -> str:
    raise ValueError("the key is 12345")


def add(seen: list[int]) -> tuple[list[int], int]:
    return [*seen, 1], len(seen) + 1


def app() -> gr.Blocks:
    with gr.Blocks() as demo:
        text, seen = gr.Textbox(label="Text"), gr.State([])
        button = gr.Button("b")
        button.click(lambda path: Path(path).read_text() if path else "", gr.File(), text, api_name="read")
        button.click(lambda word: word, gr.Textbox(max_length=3), text, api_name="max_length")
        button.click(lambda number: number, gr.Slider(0, 10), text, api_name="slider")
        button.click(lambda number: number, gr.Number(maximum=5), text, api_name="number")
        button.click(lambda number: str(number is None), gr.Number(), text, api_name="is_none")
        button.click(lambda choice: choice, gr.Dropdown(["a", "b"]), text, api_name="dropdown")
        free = gr.Dropdown(["a"], allow_custom_value=True)
        button.click(lambda choice: choice, free, text, api_name="custom_value")
        button.click(lambda path: "taken", gr.File(file_types=[".csv"]), text, api_name="file_type")
        button.click(explode, text, text, api_name="explode")
        button.click(slow, text, text, api_name="slow")
        button.click(lambda: time.sleep(0.5), None, None, api_name="nap")
        button.click(add, seen, [seen, text], api_name="add")
        button.click(lambda: "ran", None, text, api_name="hidden", api_visibility="private")
        button.click(lambda: "x", None, text)
    return demo


def outcome(attempt: Callable[[], Any]) -> str:
    """What came of it: the value, or the name and text of the error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = repr(attempt())
        except Exception as error:  # noqa: BLE001 - which one is the fact
            return f"{type(error).__name__}: {error}"
    return found[:200] + "".join(f" [{each.message}]" for each in caught if each.category is UserWarning)


def raw(url: str, name: str, data: list[Any]) -> str:
    """A call as any program can make it, without the client."""
    body, headers = json.dumps({"data": data}).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(f"{url}/gradio_api/call/{name}", data=body, headers=headers)
    event = json.load(urllib.request.urlopen(request, timeout=10))["event_id"]
    return urllib.request.urlopen(f"{url}/gradio_api/call/{name}/{event}", timeout=10).read().decode()


def status(url: str) -> int:
    try:
        return int(urllib.request.urlopen(url, timeout=10).status)
    except urllib.error.HTTPError as error:
        return error.code


def of_the_server() -> dict[str, Any]:
    inside = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Inside)
    threading.Thread(target=inside.serve_forever, daemon=True).start()
    demo = app()
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True)
    url, client = url.rstrip("/"), Client(url, verbose=False)
    sent = {"meta": {"_type": "gradio.FileData"}}
    note = Path(tempfile.mkdtemp()) / "note.txt"
    note.write_text("x")

    def call(*values: Any, name: str) -> str:
        return outcome(lambda: client.predict(*values, api_name=f"/{name}"))

    found: dict[str, Any] = {
        "file of the server": status(f"{url}/gradio_api/file={Path(__file__).name}"),
        "path of the server": raw(url, "read", [{"path": "/etc/passwd", **sent}]),
        "url of its network": raw(url, "read", [{"path": f"http://127.0.0.1:{inside.server_port}/x", **sent}]),
        "fetched": fetched,
        **{name: call(value, name=name) for name, value in (("slider", 99), ("number", 9), ("dropdown", "z"))},
        "empty number": call(None, name="is_none"),
        "max_length": call("abcdef", name="max_length"),
        "custom_value": call("z", name="custom_value"),
        "file_type": call(handle_file(str(note)), name="file_type"),
        "explode": call("x", name="explode"),
        "private by its name": raw(url, "hidden", []),
        "private by the client": call(name="hidden"),
        "a lambda": call(name="lambda"),
        "state": [
            call(name="add"),
            call(name="add"),
            outcome(lambda: Client(url, verbose=False).predict(api_name="/add")),
        ],
    }
    job = client.submit("x", api_name="/slow")
    time.sleep(0.2)
    job.cancel()
    time.sleep(1.2)
    found["a cancelled function"] = ended
    began = time.monotonic()
    for each in [client.submit(api_name="/nap") for _ in range(3)]:
        each.result()
    found["three naps of half a second"] = time.monotonic() - began
    demo.close()
    return found


def click(**options: Any) -> None:
    with gr.Blocks():
        gr.Button("x").click(lambda: None, None, None, **options)


GONE: dict[str, Callable[[], Any]] = {
    "Blocks(theme=)": lambda: gr.Blocks(theme=gr.themes.Soft()),
    "Chatbot(type=)": lambda: gr.Chatbot(type="messages"),
    "show_copy_button": lambda: gr.Textbox(show_copy_button=True),
    "show_api": lambda: click(show_api=False),
    "allow_flagging": lambda: gr.Interface(str, "text", "text", allow_flagging="never"),
    "queue(concurrency_count=)": lambda: gr.Blocks().queue(concurrency_count=2),
    "Image(source=)": lambda: gr.Image(source="upload"),
}


def blocks_of_references() -> dict[str, str]:
    """What each Python block of the references does when it is run."""
    found = {}
    for path in sorted(REFERENCES.glob("*.md")):
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.S), 1):
            names: dict[str, Any] = {}
            found[f"{path.name} {number}"] = outcome(lambda code=code, names=names: exec(code, names))  # type: ignore[misc]
            if "test_upper" in names:
                found["test_upper"] = outcome(names["test_upper"])
            if "fetch" in names:
                found["fetch"] = outcome(lambda names=names: names["fetch"]("http://127.0.0.1:1/"))  # type: ignore[misc]
            if "check" in names:
                os.environ["APP_PASSWORD"] = "s3cret"
                found["check"] = outcome(
                    lambda names=names: [names["check"]("a", word) for word in ("s3cret", "x", "")]
                )  # type: ignore[misc]
    return found


if __name__ == "__main__":
    facts = of_the_server() | {"gone": {name: outcome(attempt) for name, attempt in GONE.items()}}
    google = gr.themes.Soft(font=[gr.themes.GoogleFont("Inter")])
    facts["fonts from elsewhere"] = [theme._stylesheets for theme in (gr.themes.Soft(), google)]
    facts["blocks"] = blocks_of_references()
    script = runpy.run_path(str(REFERENCES.parent / "scripts/component_reference.py"))
    facts["reference"] = {"Chatbox": outcome(lambda: script["find"]("Chatbox"))}
    for word in ("watermark", "no-such-word-x"):
        facts["reference"][word] = outcome(lambda word=word: [hit["name"] for hit in script["search"](word)])  # type: ignore[misc]
    print("\n" + json.dumps(facts))
    sys.stdout.flush()
    os._exit(0)  # threads of the servers
