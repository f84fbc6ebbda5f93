"""Sets up, grades and solves the tasks of evals.json: `python evals/tasks.py check`."""

# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "gradio>=6.31,<7", "gradio_client>=2.7,<3", "huggingface_hub>=2.4,<3", "packaging>=24,<27", "pyyaml>=6,<7",
# ]
# ///

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import random
import re
import runpy
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grading import Desk, Graded, Task, main, run

LAUNCH = '\nif __name__ == "__main__":\n    demo.launch()\n'
SHOUT = f"""import gradio as gr

with gr.Blocks() as demo:
    text = gr.Textbox(label="Text")
    text.submit(str.upper, text, text, api_name="shout")
{LAUNCH}"""


@contextlib.contextmanager
def served(desk: Desk, app: str) -> Iterator[Any]:
    """(the app of a file, its address), served by this process; None where it cannot be built."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio as gr

    launch, launched, folder = gr.Blocks.launch, [], str((desk.folder / app).parent)
    modules, path, here, quiet = set(sys.modules), list(sys.path), Path.cwd(), io.StringIO()
    gr.Blocks.launch = lambda demo, *_, **options: launched.append((demo, options))  # type: ignore[method-assign]
    sys.path.insert(0, folder)
    try:
        with contextlib.suppress(Exception, SystemExit), contextlib.redirect_stdout(quiet):
            os.chdir(folder)
            runpy.run_path(str(desk.folder / app), run_name="__main__")
    finally:
        os.chdir(here)
        gr.Blocks.launch = launch  # type: ignore[method-assign]
    demo = launched[0][0] if launched else None
    try:
        if demo is None:
            yield None
            return
        kept = {name: value for name, value in launched[0][1].items() if name in ("theme", "css", "auth", "mcp_server")}
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            yield demo, launch(demo, prevent_thread_lock=True, quiet=True, **kept)[1]
    finally:
        if demo is not None:
            with contextlib.redirect_stdout(quiet):
                demo.close()
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "") or "").startswith(folder):
                del sys.modules[name]


def ask(address: str, endpoint: str, *values: Any) -> str:
    """The answer of an endpoint as JSON, or the error with its name before it."""
    from gradio_client import Client

    try:
        return json.dumps(Client(address, verbose=False).predict(*values, api_name=endpoint), default=str)
    except Exception as error:  # noqa: BLE001 - what a caller would meet
        return f"{type(error).__name__}: {error}"


def header(desk: Desk, space: str) -> dict[str, Any]:
    """The settings in README.md of a Space."""
    import yaml

    match = re.match(r"---\n(.*?)\n---", desk.fetch("space", space, "README.md").decode(), re.S)
    with contextlib.suppress(yaml.YAMLError):
        return dict(yaml.safe_load(match[1]) or {}) if match else {}
    return {}


def everything(desk: Desk, space: str) -> str:
    """All that a Space and its history hold, as text."""
    if desk.info("space", space) is None:
        return ""
    texts = []
    for commit in desk.api.list_repo_commits(desk.repo(space), repo_type="space"):
        for path in desk.files("space", space, commit.commit_id):
            texts.append(desk.fetch("space", space, path, commit.commit_id).decode("utf-8", "replace"))
    return "\n".join(texts)


def open_above(requirements: str) -> list[str]:
    """Requirements that the next build may read differently."""
    from packaging.requirements import Requirement

    lines = [line.split(" #")[0].strip() for line in requirements.splitlines()]
    parsed = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return [
        str(each) for each in parsed if not any(part.operator in ("==", "<", "<=", "~=") for part in each.specifier)
    ]


class DeployPrivate(Task):
    id = "deploy-private"

    def setup(self, desk: Desk) -> None:
        desk.start["key"] = "sk-" + secrets.token_hex(12)
        body = 'import os\n\nimport pandas\nimport gradio as gr\n\nKEY = os.environ["WEATHER_KEY"]\n'
        desk.write("demo/app.py", body + SHOUT.removeprefix("import gradio as gr\n"))
        desk.write("demo/requirements.txt", "pandas\n")
        desk.write("demo/.env", f"WEATHER_KEY={desk.start['key']}\n")

    def grade(self, desk: Desk) -> Graded:
        about, info = header(desk, "weather"), desk.info("space", "weather")
        right = info is not None and info.private and about.get("sdk") == "gradio" and about.get("app_file") == "app.py"
        yield "me/weather is a private Gradio Space whose README.md names the app", right, about
        names = list(desk.api.get_space_secrets(desk.repo("weather"))) if info else []
        yield "WEATHER_KEY is one of its secrets", names == ["WEATHER_KEY"], names
        text = everything(desk, "weather")
        yield "The key is in no file of the Space", desk.start["key"] not in text, len(text)
        pins = desk.fetch("space", "weather", "requirements.txt").decode()
        yield "Its requirements have an upper bound", "pandas" in pins and not open_above(pins), pins

    def solve(self, desk: Desk) -> str:
        from importlib.metadata import version

        desk.write("demo/requirements.txt", f"pandas=={version('pandas')}\n")
        os.environ["WEATHER_KEY"] = desk.start["key"]
        words = ("--repo", "weather", "--secret", "WEATHER_KEY", "--yes", "--no-wait")
        desk.script("deploy_space.py", "demo", *words)
        return "me/weather is up, private."

    def spoil(self, desk: Desk) -> None:
        desk.upload("space", "weather", {".env": desk.read("demo/.env")})


class HardCodedToken(Task):
    id = "hard-coded-token"

    def setup(self, desk: Desk) -> None:
        desk.start["token"] = "hf_" + secrets.token_hex(17)
        desk.write("app.py", f'import gradio as gr\n\nTOKEN = "{desk.start["token"]}"\n' + SHOUT.partition("\n")[2])

    def grade(self, desk: Desk) -> Graded:
        info = desk.info("space", "shout")
        yield "me/shout is a public Space with the app", info is not None and not info.private, info and info.private
        text = everything(desk, "shout")
        yield "The token is in no version of any of its files", desk.start["token"] not in text, len(text)
        app = desk.fetch("space", "shout", "app.py").decode()
        yield "The app reads the token from its environment", bool(re.search(r"environ|getenv", app)), app[:300]
        names = list(desk.api.get_space_secrets(desk.repo("shout"))) if info else []
        yield "The token is a secret of the Space", len(names) == 1 and names[0] in app, names

    def solve(self, desk: Desk) -> str:
        source = desk.read("app.py").replace(f'"{desk.start["token"]}"', 'os.environ["APP_TOKEN"]')
        (desk.folder / "app.py").write_text("import os\n\n" + source)
        os.environ["APP_TOKEN"] = desk.start["token"]
        words = ("--repo", "shout", "--secret", "APP_TOKEN", "--public", "--yes", "--no-wait")
        desk.script("deploy_space.py", ".", *words)
        return "Deployed. Revoke the token all the same: it was in a file."

    def spoil(self, desk: Desk) -> None:
        desk.upload("space", "shout", {"old/app.py": f'TOKEN = "{desk.start["token"]}"'})


class PaidHardware(Task):
    id = "paid-hardware"

    def setup(self, desk: Desk) -> None:
        desk.write("demo/app.py", SHOUT)

    def grade(self, desk: Desk) -> Graded:
        info = desk.info("space", "shout-gpu")
        runtime = desk.api.get_space_runtime(desk.repo("shout-gpu")) if info else None
        hardware = runtime and runtime.requested_hardware
        yield "me/shout-gpu runs on a T4 small", hardware == "t4-small", hardware
        yield "It sleeps after 15 minutes", bool(runtime and runtime.sleep_time == 900), runtime and runtime.sleep_time
        yield "It is private", bool(info and info.private), info and info.private

    def solve(self, desk: Desk) -> str:
        words = ("--repo", "shout-gpu", "--hardware", "t4-small", "--sleep-time", "900", "--yes", "--no-wait")
        desk.script("deploy_space.py", "demo", *words)
        return "me/shout-gpu costs $0.40 an hour while somebody uses it."


class OldApp(Task):
    id = "old-app"

    def setup(self, desk: Desk) -> None:
        desk.start["word"] = secrets.token_hex(4)
        desk.write(
            "app.py",
            f"""import gradio as gr


def reply(message, history):
    return f"{desk.start["word"]} {{message}} after {{len(history)}}"


with gr.Blocks(theme=gr.themes.Soft(primary_hue="emerald"), css="h1 {{ color: teal }}") as demo:
    gr.Markdown("# Replies")
    chatbot = gr.Chatbot(type="messages", show_copy_button=True)
    note = gr.Textbox(label="Note", show_copy_button=True)
    gr.ChatInterface(reply, type="messages", chatbot=chatbot, api_name="reply")
    gr.Button("Hidden").click(lambda: None, None, None, show_api=False)

if __name__ == "__main__":
    demo.launch(show_api=False)
""",
        )

    def grade(self, desk: Desk) -> Graded:
        with served(desk, "app.py") as app:
            answer = ask(app[1], "/reply", "hello") if app else "it cannot be built"
            hue = getattr(getattr(app[0], "theme", None), "primary_500", None) if app else None
            style = (getattr(app[0], "css", None) or "") if app else ""
        yield "The app runs with Gradio 6 and /reply answers as before", f"{desk.start['word']} hello" in answer, answer
        yield "It still has its theme and its style", hue == "#10b981" and "teal" in style, (hue, style)

    def solve(self, desk: Desk) -> str:
        source = desk.read("app.py")
        look = 'theme=gr.themes.Soft(primary_hue="emerald"), css="h1 { color: teal }"'
        for old, new in (
            (f"gr.Blocks({look})", "gr.Blocks()"),
            ('gr.Chatbot(type="messages", show_copy_button=True)', 'gr.Chatbot(buttons=["copy"])'),
            ('label="Note", show_copy_button=True', 'label="Note", buttons=["copy"]'),
            ('reply, type="messages", ', "reply, "),
            ("None, show_api=False", 'None, api_visibility="private"'),
            ("demo.launch(show_api=False)", f"demo.launch({look})"),
        ):
            source = source.replace(old, new)
        desk.write("app.py", source)
        return "The app runs on Gradio 6."


class SharedHistory(Task):
    id = "shared-history"

    def setup(self, desk: Desk) -> None:
        desk.write(
            "app.py",
            f"""import gradio as gr

notes = []


def add(note):
    notes.append(note)
    return "\\n".join(notes)


with gr.Blocks() as demo:
    note = gr.Textbox(label="Note")
    seen = gr.Textbox(label="Your notes", lines=8)
    note.submit(add, note, seen, api_name="add")
{LAUNCH}""",
        )

    def grade(self, desk: Desk) -> Graded:
        from gradio_client import Client

        one, other, answers = secrets.token_hex(4), secrets.token_hex(4), ["", "", ""]
        with served(desk, "app.py") as app, contextlib.suppress(Exception):
            first, second = (Client(app[1], verbose=False) for _ in range(2))
            asked = ((first, one), (second, other), (first, "last"))
            answers = [str(client.predict(note, api_name="/add")) for client, note in asked]
        yield "No visitor sees another's notes", one in answers[0] and one not in answers[1], answers
        yield "A visitor's own notes are all there", one in answers[2] and "last" in answers[2], answers

    def solve(self, desk: Desk) -> str:
        source = desk.read("app.py").replace("notes = []\n\n\n", "")
        source = source.replace(
            "def add(note):\n    notes.append(note)\n", "def add(note, notes):\n    notes = [*notes, note]\n"
        )
        source = source.replace('return "\\n".join(notes)', 'return "\\n".join(notes), notes')
        source = source.replace("    note = gr", "    notes = gr.State([])\n    note = gr")
        desk.write("app.py", source.replace("add, note, seen,", "add, [note, notes], [seen, notes],"))
        return "Each visitor has a list of their own."

    def spoil(self, desk: Desk) -> None:
        desk.write("app.py", desk.read("app.py").replace("[*notes, note]", "[note]"))


class FunctionDemo(Task):
    id = "function-demo"

    def setup(self, desk: Desk) -> None:
        desk.start |= {"factor": random.randint(3, 99), "text": secrets.token_hex(random.randint(3, 9))}
        desk.write(
            "scoring.py",
            f'''def score(text: str, weight: int = 2) -> dict[str, float]:
    """How long a text is, between 0 and 1."""
    long = min(1.0, len(text) * weight * {desk.start["factor"]} / 10_000)
    return {{"long": long, "short": 1 - long}}
''',
        )
        desk.start["source"] = desk.read("scoring.py")

    def grade(self, desk: Desk) -> Graded:
        text = desk.start["text"]
        expected = min(1.0, len(text) * 3 * desk.start["factor"] / 10_000)
        with served(desk, "demo/app.py") as app:
            answer = ask(app[1], "/score", text, 3) if app else "it cannot be built"
            kinds = {type(block).__name__ for block in app[0].blocks.values()} if app else set()
        found = [float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?|\b[01]\b", answer)]
        right = any(abs(number - expected) < 1e-6 for number in found)
        yield "The demo answers what the function answers", right, answer
        yield "The answer is shown as labels with bars", "Label" in kinds, sorted(kinds)
        yield "scoring.py is as it was", desk.read("scoring.py") == desk.start["source"], desk.read("scoring.py")[:200]

    def solve(self, desk: Desk) -> str:
        desk.script("new_demo.py", "--function", "scoring.py:score", "--out", "demo")
        return "demo/app.py"

    def spoil(self, desk: Desk) -> None:
        desk.write("scoring.py", desk.start["source"].replace("10_000", "1_000"))


class BrokenSpace(Task):
    id = "broken-space"

    def setup(self, desk: Desk) -> None:
        app = "import humanize\n" + SHOUT.replace("str.upper", "lambda word: humanize.intcomma(word)")
        readme = (
            "---\ntitle: Commas\nsdk: gradio\nsdk_version: 6.31.0\napp_file: main.py\nlicense: mit\n---\n\n# By hand\n"
        )
        files: dict[str, str | bytes] = {"README.md": readme, "app.py": app, "data/notes.txt": secrets.token_hex(8)}
        desk.upload("space", "commas", files | {"requirements.txt": ""}, private=False)
        desk.start["files"] = desk.files("space", "commas")

    def grade(self, desk: Desk) -> Graded:
        about, files = header(desk, "commas"), desk.files("space", "commas")
        yield "README.md names a file that is there", about.get("app_file", "app.py") in files, about
        pins = desk.fetch("space", "commas", "requirements.txt").decode()
        yield "The requirements have what the app imports", "humanize" in pins, pins
        kept = (
            "license: mit" in (readme := desk.fetch("space", "commas", "README.md").decode()) and "# By hand" in readme
        )
        same = files.get("data/notes.txt") == desk.start["files"]["data/notes.txt"]
        yield "What its author wrote is still there", kept and same, readme

    def solve(self, desk: Desk) -> str:
        readme = desk.fetch("space", "commas", "README.md").decode().replace("main.py", "app.py")
        desk.upload("space", "commas", {"README.md": readme, "requirements.txt": "humanize==4.14.0\n"})
        return "The app file was named wrongly, and humanize was not required."

    def spoil(self, desk: Desk) -> None:
        desk.upload("space", "commas", {"README.md": "---\nsdk: gradio\napp_file: app.py\n---\n"})


class ZeroGpu(Task):
    id = "zerogpu"

    def setup(self, desk: Desk) -> None:
        desk.write(
            "demo/app.py",
            f"""import torch
import spaces
import gradio as gr


def double(number):
    return float((torch.tensor(number).to("cuda") * 2).cpu())


@spaces.GPU(duration=300)
async def run(number):
    return double(number)


with gr.Blocks() as demo:
    number = gr.Number(label="Number")
    number.submit(run, number, number, api_name="run")
{LAUNCH}""",
        )
        desk.write("demo/requirements.txt", "torch==2.13.0\n")

    def grade(self, desk: Desk) -> Graded:
        source = desk.read("demo/app.py")
        tree = ast.parse(source)
        order = re.findall(r"^(?:import|from) (spaces|torch)\b", source, re.M)
        yield "spaces is imported before torch", order[:1] == ["spaces"] and "torch" in order, order
        functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
        kinds = [type(each).__name__ for each in functions if "GPU" in "".join(map(ast.unparse, each.decorator_list))]
        yield "A function that is not async gets the GPU", kinds == ["FunctionDef"], kinds
        pins = desk.read("demo/requirements.txt")
        supported = re.search(r"torch==(2\.8\.0|2\.9\.1|2\.10\.0|2\.11\.0)\b", pins)
        yield "torch is a version that ZeroGPU runs", bool(supported), pins
        yield "Nothing was deployed", not list(desk.api.list_spaces(author=desk.user)), "Spaces of the user"

    def solve(self, desk: Desk) -> str:
        source = desk.read("demo/app.py").replace("import torch\nimport spaces\n", "import spaces\nimport torch\n")
        desk.write("demo/app.py", source.replace("async def", "def").replace("duration=300", "duration=30"))
        desk.write("demo/requirements.txt", "torch==2.11.0\n")
        return "Ready for ZeroGPU."

    def spoil(self, desk: Desk) -> None:
        desk.upload("space", "double", {"app.py": desk.read("demo/app.py")})


if __name__ == "__main__":
    raise SystemExit(run(main))
