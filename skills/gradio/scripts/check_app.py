# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "gradio[mcp,oauth]>=6.31,<7",
#   "gradio_client>=2.7,<3",
#   "jsonschema>=4.21,<5",
#   "playwright>=1.60,<2",
# ]
# ///
"""Start a Gradio app, open it in a real headless browser, use it, call its API, and say what is wrong.

APP is app.py, its folder, or the address of an app that already runs. What to do on the page stands in check.json
beside the app (format: assets/demo-check.schema.json; every example has one); without it the empty fields are filled,
the first primary button is clicked, and each endpoint is called with its example input. Found are: an app that does
not start, exceptions in its log, errors in the browser's console, failed requests, error messages on the page, steps
and calls that do not end as they should, a page wider than a phone, and files that nobody should be able to read.

The browser is Chromium: `playwright install chromium` once, or any Chrome or Chromium on the PATH, or --browser.

examples:
  python scripts/check_app.py demo/ --screenshots shots/
  python scripts/check_app.py http://127.0.0.1:7860 --steps demo/check.json --json
"""

# region skillpack:script
import argparse
import json
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

EXIT_OK, EXIT_NO, EXIT_USAGE, EXIT_FAILED, EXIT_UNCONFIRMED, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = """exit codes:
  0    done
  1    done, and the answer is no (incompatible, does not fit, not better)
  2    wrong arguments or wrong input; nothing was done
  3    could not be done; the message says why and what to do
  4    would spend or publish: run again with --yes
  130  interrupted; run the same command to continue
"""
RESULT = sys.stdout  # `run` sends what libraries print elsewhere, so that one document stays one document
SECRET = re.compile(r"\b(hf_|sk-|api_org_|ghp_)[A-Za-z0-9_-]{8,}")


class Failure(Exception):
    """What went wrong, what to do about it, and the exit code that says so."""

    def __init__(self, problem: str, fix: str = "", code: int = EXIT_FAILED) -> None:
        super().__init__(f"{problem}\n  fix: {fix}" if fix else problem)
        self.problem, self.fix, self.code = problem, fix, code


def redact(text: str) -> str:
    """`text` without the token of the environment and without anything that has the shape of one."""
    token = os.environ.get("HF_TOKEN", "")
    if len(token) > 3:
        text = text.replace(token, "***")
    return SECRET.sub(lambda match: match[1] + "***", text)


def log(message: str) -> None:
    """One line for the person who watches; standard output is for the result alone."""
    print(redact(message), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """The result, for a person, on standard output."""
    print(redact(text), file=RESULT, flush=True)


def emit(document: dict) -> None:
    """The result, for a machine, as one JSON document on standard output."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes beside `path` and renames, so that a reader sees the old file or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_artifact(path: Path, document: dict) -> None:
    """A JSON artefact that the next script reads."""
    write_atomic(path, redact(json.dumps(document, indent=2, ensure_ascii=False)) + "\n")


def read_artifact(path: Path, kind: str, version: int = 1) -> dict:
    """A JSON artefact that an earlier script wrote, `kind` being the name of its schema in assets/.

    It is held against that schema when the script still lies in its skill; a copy sent to a job lies alone,
    and was checked before it was sent. Raises Failure with EXIT_USAGE and the place of the error.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", f"make it first: it is the {kind}", EXIT_USAGE) from None
    except ValueError as error:
        raise Failure(f"{path}: not JSON: {error}", "make it again, or undo the edit", EXIT_USAGE) from None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != f"skillpack/{kind}/{version}":
        raise Failure(
            f"{path}: schema is {found!r}, this script reads 'skillpack/{kind}/{version}'",
            "use scripts of one version of the skill, or make the file again with these",
            EXIT_USAGE,
        )
    schema = Path(__file__).resolve().parent.parent / "assets" / f"{kind}.schema.json"
    if schema.is_file():
        from jsonschema import Draft202012Validator

        validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
        errors = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.path)))
        if errors:
            lines = "; ".join(f"{'.'.join(map(str, e.path)) or 'top'}: {e.message[:200]}" for e in errors[:5])
            raise Failure(f"{path}: {lines}", "correct these fields, or make the file again", EXIT_USAGE)
    return document


def beside(name: str) -> str:
    """The path of a script that lies beside this one, in the words by which this one was called."""
    return shlex.quote(str(Path(sys.argv[0]).parent / name))


class Parser(argparse.ArgumentParser):
    def print_help(self, file=None) -> None:
        super().print_help(file or RESULT)


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose --help is the script's docstring and the exit codes."""
    return Parser(description=doc, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)


def run(main: Callable[[list[str]], int]) -> int:
    """Calls `main(argv)` and turns what it raises into a message and an exit code; a crash is no answer, so never 1."""
    sys.stdout = sys.stderr
    # whatever a locale or the name of a file holds:
    RESULT.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return main(sys.argv[1:])
    except Failure as failure:
        waits = failure.code == EXIT_UNCONFIRMED  # for the user's word: the usual way, and no error
        log(f"{failure.problem}; {failure.fix}" if waits else f"error: {failure}")
        return failure.code
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), RESULT.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        log("interrupted; run the same command to continue")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the boundary: no crash leaves with 1, which is an answer)
        if "No space left on device" in str(error):  # each library raises it as a type of its own
            log("error: the disk is full\n  fix: free some (HF_HOME and TMPDIR count too), then run the same command")
        elif isinstance(error, OSError) and error.filename and error.strerror:
            log(f"error: {error.filename}: {error.strerror}\n  fix: a file or folder that this user may use")
        else:
            log(f"{traceback.format_exc()}unforeseen: a defect of the script, or of a library that it calls")
        return EXIT_FAILED


# endregion skillpack:script

import ast
import contextlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
RUNNING = re.compile(r"Running on local URL:\s+(https?://\S+)")
WARNING = re.compile(r"^(\S+?):\d+: ((?:User|Deprecation|Future|Syntax)Warning: .*)$", re.M)
CUT_OFF = re.compile(r"AbortError|Connection errored out|NetworkError|Failed to fetch")
NAVIGATION_S = 3.0
SAMPLE_TEXT = "A short sentence to try this with."

#: Keeps every message that Gradio shows in a corner: it is gone after ten seconds, or at once when it is closed.
#: Messages of one kind share a box, so it is their texts that are watched, also where one takes the place of another.
WATCH_TOASTS = """
window.__toasts = [];
const KINDS = ['error', 'warning', 'success', 'info'];
const TEXT = '.toast-message-text';
new MutationObserver(changes => {
  const changed = new Set();
  for (const change of changes) {
    const inside = change.target.nodeType === Node.TEXT_NODE ? change.target.parentElement : change.target;
    if (inside && inside.closest && inside.closest(TEXT)) changed.add(inside.closest(TEXT));
    for (const node of change.addedNodes) if (node.querySelectorAll) {
      if (node.matches(TEXT)) changed.add(node);
      node.querySelectorAll(TEXT).forEach(each => changed.add(each));
    }
  }
  for (const message of changed) if (message.isConnected && message.innerText.trim()) {
    const box = message.closest('.toast-body');
    const kind = KINDS.find(name => box.classList.contains(name)) || 'info';
    const title = box.querySelector('.toast-title').firstChild.textContent.trim();
    window.__toasts.push({kind, text: `${title}: ${message.innerText.trim()}`, expected: false});
  }
}).observe(document, {childList: true, subtree: true, characterData: true});
"""
#: Whether a message that no step has waited for yet holds the text; now one has.
EXPECT_TOAST = """text => {
  const found = (window.__toasts || []).find(each => !each.expected && each.text.includes(text));
  if (found) found.expected = true;
  return Boolean(found);
}"""
#: What a component shows, as text: of a field its value, of a picture, a plot or a player that it is there.
CONTENT = """block => {
  const field = block.querySelector('textarea, input:not([type=file]):not([type=range]):not([type=hidden])');
  if (field && block.querySelectorAll('textarea').length <= 1 && !block.querySelector('table')) return field.value;
  const media = [...block.querySelectorAll('img, video, audio, canvas, svg.marks')].filter(e => e.clientWidth > 60);
  const label = block.querySelector('[data-testid=block-label], [data-testid=block-info], .label > p, label > span');
  const text = (block.innerText || '').replace(label ? label.innerText : '', '').trim();
  return media.length ? `[${media[0].tagName.toLowerCase()}] ${text}` : text;
}"""


@dataclass
class Findings:
    """What is wrong, in the order in which it was seen, and what is only worth knowing."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)  # error messages that steps waited for

    def problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


@dataclass
class Target:
    """An app that answers."""

    url: str
    started_s: float | None = None
    log: Path | None = None

    def printed(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log else ""


def fetch(url: str, timeout: float = 10) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read(1 << 20)
    except urllib.error.HTTPError as error:
        return error.code, error.read(1 << 16)


# The app


def source_findings(app: Path, findings: Findings) -> None:
    """What the source says that would go wrong elsewhere. Raises Failure for what must not be run here."""
    try:
        tree = ast.parse(app.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise Failure(f"{app}: {error}", "correct the file: nothing was started", EXIT_USAGE) from None
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "launch"):
            continue
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if keyword.arg == "share" and value is True:
                raise Failure(
                    f"{app}:{node.lineno}: launch(share=True) would open this machine to the internet",
                    "take share=True out; deploy_space.py publishes",
                    EXIT_USAGE,
                )
            if keyword.arg in ("server_name", "server_port") and value is not None:
                findings.note(
                    f"{app.name}:{node.lineno}: launch({keyword.arg}=...) is fixed: leave it to GRADIO_SERVER_NAME and "
                    "GRADIO_SERVER_PORT, which Spaces set"
                )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command(app: Path, args: argparse.Namespace) -> list[str]:
    if not args.isolated:
        return [args.python, "-u", app.name]
    if not (uv := shutil.which("uv")):
        raise Failure("--isolated needs uv", "https://docs.astral.sh/uv/getting-started/installation/", EXIT_USAGE)
    readme = app.parent / "README.md"
    pinned = re.search(r"^sdk_version: *['\"]?([\w.]+)", readme.read_text("utf-8") if readme.is_file() else "", re.M)
    gradio = f"=={pinned[1]}" if pinned else ">=6.31,<7"  # what a Space installs, with these extras
    words = [uv, "run", "--no-project", "--isolated", "--with", f"gradio[mcp,oauth]{gradio}"]
    if (app.parent / "requirements.txt").is_file():
        words += ["--with-requirements", "requirements.txt"]
    return [*words, "python", "-u", app.name]


@contextlib.contextmanager
def started(app: Path, args: argparse.Namespace) -> Iterator[Target]:
    """The app as a process of its own on a free port of this machine; ended with all that it started."""
    port = free_port()
    environment = os.environ | {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "PYTHONWARNINGS": "default",
    }
    with tempfile.TemporaryDirectory(prefix="check-app-") as folder:
        target = Target(f"http://127.0.0.1:{port}", log=Path(folder) / "log")
        began = time.monotonic()
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and the app ends with it
        with target.log.open("wb") as log:
            process = subprocess.Popen(
                command(app, args), cwd=app.parent, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            wait_for(process, target, began + args.start_timeout)
            target.started_s = round(time.monotonic() - began, 1)
            yield target
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(3)
            signal.signal(signal.SIGTERM, before)


def wait_for(process: subprocess.Popen, target: Target, deadline: float) -> None:
    """Returns once the app answers; sets the address that it printed, which is another where it fixes its port."""
    while True:
        if found := RUNNING.search(target.printed()):
            target.url = found[1].replace("0.0.0.0", "127.0.0.1").rstrip("/")
        with contextlib.suppress(OSError):
            if (found or process.poll() is None) and fetch(f"{target.url}/config")[0] in (200, 401):
                return
        tail = "\n".join(target.printed().splitlines()[-15:])
        if process.poll() is not None:
            raise Failure(
                f"the app ended with exit code {process.returncode} before it answered:\n{tail}",
                "does it call demo.launch()? Are its packages installed (--isolated, or --python of its environment)?",
                EXIT_NO,
            )
        if time.monotonic() > deadline:
            raise Failure(
                f"the app did not answer in time:\n{tail}",
                "--start-timeout SECONDS: the first start downloads the model",
                EXIT_NO,
            )
        time.sleep(0.1)


def reached(address: str) -> Target:
    """An app that already runs. Raises Failure where nothing answers."""
    try:
        fetch(address)
    except OSError as error:
        cause = getattr(error, "reason", error)
        raise Failure(
            f"{address} does not answer: {cause}", "start the app, or correct the address; a Space may sleep", EXIT_NO
        ) from None
    return Target(address)


# The page


def find_browser(named: str | None) -> str | None:
    """The program to drive; None for the one that `playwright install chromium` put where playwright looks."""
    if named:
        return named
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@contextlib.contextmanager
def browser(program: str | None) -> Iterator[Any]:
    """A headless Chromium. Root may only start it without its sandbox, as in a container."""
    from playwright.sync_api import Error, sync_playwright

    unsandboxed = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=program, args=[*unsandboxed, "--disable-dev-shm-usage"])
        except Error as error:
            raise Failure(
                f"no browser: {str(error).splitlines()[0]}",
                "`playwright install chromium` (`uv run --with playwright playwright install chromium`), or "
                "--browser PATH of a Chrome or Chromium",
            ) from None
        try:
            yield found
        finally:
            found.close()


class Page:
    """One tab with the app, and the steps that can be done in it."""

    def __init__(self, browser: Any, target: Target, folder: Path, findings: Findings, timeout: float) -> None:
        self.url, self.folder, self.findings, self.timeout = target.url, folder, findings, timeout
        self.host = urllib.parse.urlsplit(target.url).netloc
        self.context = browser.new_context(viewport=DESKTOP, accept_downloads=True)
        self.context.set_default_timeout(timeout * 1000)
        self.context.add_init_script(WATCH_TOASTS)
        self.page = self.context.new_page()
        self.left, self.cut_off = 0.0, []  # when a page was last left, and streams that ended as if it had been
        self.page.on("framenavigated", lambda frame: frame.parent_frame or self._navigated())
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: findings.problem(f"exception in the page: {str(error)[:300]}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)

    def _ours(self, url: str) -> bool:
        return urllib.parse.urlsplit(url).netloc in (self.host, "")

    def _navigated(self) -> None:
        self.left = time.monotonic()

    def _console(self, message: Any) -> None:
        if message.type != "error" or "Failed to load resource" in message.text:  # `_response` says more
            return
        if CUT_OFF.search(message.text):  # what a page says of its streams when it is left: judged at the end
            self.cut_off.append((time.monotonic(), message.text))
        else:
            self.findings.problem(f"browser console: {message.text[:300]}")

    def _failed(self, request: Any) -> None:
        if not self._ours(request.url):
            self.findings.note(f"loads from elsewhere, and failed to: {request.url[:120]}")
        elif "ERR_ABORTED" not in (request.failure or ""):  # a stream that ended is aborted by the page itself
            self.findings.problem(f"request failed: {request.url[:200]} ({request.failure})")

    def _response(self, response: Any) -> None:
        if self._ours(response.url):
            if response.status >= 400:
                self.findings.problem(f"{response.status} for {response.url[:200]}")
        elif response.status < 400:
            self.findings.note(f"loads from elsewhere: {response.url[:120]}")

    def open(self, path: str = "/") -> None:
        self.page.goto(urllib.parse.urljoin(self.url + "/", path.lstrip("/")), wait_until="load")
        self.page.locator(".gradio-container").first.wait_for()
        self.page.wait_for_function(
            "document.querySelectorAll('.gradio-container .block, .gradio-container button').length"
        )
        self.idle()

    def idle(self) -> None:
        """Until no component says that it waits for the server."""
        waiting = (
            "document.querySelector('[data-testid=status-tracker] .eta-bar, [data-testid=status-tracker].generating, "
        )
        waiting += "[data-testid=status-tracker] .progress-text, .pending')"
        self.page.wait_for_timeout(100)
        with contextlib.suppress(Exception):  # the step that follows says what it misses
            self.page.wait_for_function(f"!{waiting}", timeout=self.timeout * 1000)

    def block(self, label: str) -> Any:
        """The component with a label; the innermost, since groups are blocks too."""
        text = re.compile(rf"^\s*{re.escape(label)}\s*$")
        marked = "[data-testid=block-label], [data-testid=block-info], label > span, .label-wrap > span, .label > p"
        return self.page.locator(".block:visible", has=self.page.locator(marked, has_text=text)).last

    def content(self, label: str) -> str:
        return str(self.block(label).evaluate(CONTENT)).strip()

    def until(self, holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        end = time.monotonic() + self.timeout
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(otherwise())
            self.page.wait_for_timeout(50)

    def toasts(self) -> list[dict]:
        return self.page.evaluate("window.__toasts || []")

    # Steps, by the name that check.json gives them

    def do_open(self, path: str) -> None:
        self.leave()
        self.open(path)

    def do_fill(self, fields: dict[str, Any]) -> None:
        for label, value in fields.items():
            place = self.block(label) if label else self.page
            place.locator("textarea:visible, input:visible:not([type=file]):not([type=range])").last.fill(str(value))

    def do_press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def do_click(self, name: str) -> None:
        exact = re.compile(rf"^\s*{re.escape(name)}\s*$")
        found = [self.page.get_by_role(role, name=exact) for role in ("button", "tab", "link", "radio")]
        found += [self.page.get_by_text(exact), self.page.get_by_label(exact)]
        self.until(lambda: any(each.count() for each in found), lambda: f"nothing to click is named {name!r}")
        next(each for each in found if each.count()).locator("visible=true").first.click()

    def do_choose(self, choices: dict[str, str]) -> None:
        for label, value in choices.items():
            block = self.block(label)
            if block.get_by_role("radio").count() or block.get_by_role("checkbox").count():
                block.get_by_label(value, exact=True).check()
            else:
                block.locator("input").first.click()
                self.page.get_by_role("option", name=value, exact=True).click()

    def do_upload(self, files: dict[str, str]) -> None:
        for label, name in files.items():
            self.block(label).locator("input[type=file]").first.set_input_files(self.folder / name)

    def do_download(self, name: str) -> None:
        with self.page.expect_download() as waiting:
            self.do_click(name)
        if not Path(waiting.value.path()).stat().st_size:
            raise AssertionError(f"{name!r} gave an empty file")

    def do_see(self, text: str) -> None:
        place = self.page.get_by_text(text).locator("visible=true")
        self.until(lambda: place.count() > 0, lambda: f"{text!r} is not on the page")

    def do_not_see(self, text: str) -> None:
        place = self.page.get_by_text(text).locator("visible=true")
        self.until(lambda: place.count() == 0, lambda: f"{text!r} is still on the page")

    def do_filled(self, label: str) -> None:
        self.until(lambda: bool(self.content(label)), lambda: f"{label!r} stays empty")

    def do_has(self, contents: dict[str, str]) -> None:
        for label, text in contents.items():
            self.until(
                lambda label=label, text=text: text in self.content(label),
                lambda label=label, text=text: f"{label!r} has {self.content(label)[:200]!r}, not {text!r}",
            )

    def do_error(self, text: str) -> None:
        self.findings.expected.append(text)
        self.until(
            lambda: self.page.evaluate(EXPECT_TOAST, text),
            lambda: f"no new message says {text!r}; shown: {[each['text'] for each in self.toasts()]}",
        )
        self.idle()  # a click that comes while the event still runs is dropped
        boxes = self.page.locator(".toast-body")
        for close in boxes.locator(".toast-close").all():  # it lies over what is in that corner
            close.click()
        self.until(lambda: boxes.count() == 0, lambda: f"the message {text!r} cannot be closed")

    def do_wait(self, seconds: float) -> None:
        self.page.wait_for_timeout(seconds * 1000)

    def step(self, step: dict) -> dict:
        """Does one step; what came of it."""
        from playwright.sync_api import Error

        (name, argument), began = next(iter(step.items())), time.monotonic()
        problem = None
        try:
            getattr(self, f"do_{name}")(argument)
            if name in ("click", "press", "upload", "choose"):
                self.page.wait_for_timeout(50)
        except (AssertionError, Error, OSError) as error:
            problem = str(error).split("\nCall log")[0][:400]
            self.findings.problem(f"step {json.dumps(step, ensure_ascii=False)}: {problem}")
        return {"step": step, "ok": problem is None, "problem": problem, "took_s": round(time.monotonic() - began, 2)}

    def try_it(self) -> list[dict]:
        """Without steps: fill what is empty, and click what stands out."""
        fields = self.page.locator("textarea:visible:not([disabled]):not([readonly])")
        for index in range(fields.count()):
            if not fields.nth(index).input_value():
                fields.nth(index).fill(SAMPLE_TEXT)
        primary = self.page.locator("button.primary:visible")
        if primary.count():
            primary.first.click()
            done = f"clicked {primary.first.inner_text()!r}"
        elif fields.count():
            fields.last.press("Enter")
            done = "pressed Enter in the last field"
        else:
            done = "nothing to fill or to click"
        self.idle()
        return [{"step": {"try": done}, "ok": True, "problem": None, "took_s": 0.0}]

    def leave(self) -> None:
        """Collects the messages of the page before it is left."""
        for toast in self.toasts():
            if toast["kind"] == "error" and not toast["expected"]:
                self.findings.problem(f"error on the page: {toast['text'][:300]}")
        for when, text in self.cut_off:
            if abs(when - self.left) > NAVIGATION_S:
                self.findings.problem(f"browser console: {text[:300]}")
        self.cut_off.clear()
        marked = self.page.locator("[data-testid=status-tracker] .error:visible").count()
        if marked and not self.findings.expected:
            self.findings.problem("error on the page: a component shows 'Error', which is all that a visitor is told")

    def phone(self, picture: Path | None) -> None:
        """The first page as a phone shows it."""
        self.page.set_viewport_size(PHONE)
        self.page.wait_for_timeout(200)
        width = self.page.evaluate("document.scrollingElement.scrollWidth")
        if width > PHONE["width"] + 2:
            self.findings.problem(
                f"on a phone ({PHONE['width']} pixels) the page is {width} wide and has to be pushed sideways"
            )
        if picture:
            self.page.screenshot(path=picture)
        self.page.set_viewport_size(DESKTOP)


def check_page(browser: Any, target: Target, plan: dict, folder: Path, args: Any, findings: Findings) -> dict:
    """Opens the app and does the steps of `plan`; what was done, and the pictures that were taken."""
    from playwright.sync_api import Error

    page, began, pictures = Page(browser, target, folder, findings, args.timeout), time.monotonic(), []
    shots = Path(args.screenshots) if args.screenshots else None
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
        pictures = [shots / f"{args.name}-{kind}.png" for kind in ("start", "end", "phone")]
    steps: list[dict] = []
    try:
        page.open(plan.get("open", "/"))
        report = {"title": page.page.title(), "page_s": round(time.monotonic() - began, 1)}
        if shots:
            page.page.screenshot(path=pictures[0], full_page=True)
        for step in plan.get("steps", []):
            steps.append(page.step(step))
            if not steps[-1]["ok"]:
                break
        if "steps" not in plan:
            steps = page.try_it()
        page.idle()
        if shots:
            page.page.screenshot(path=pictures[1], full_page=True)
        page.leave()
        page.phone(pictures[2] if shots else None)
    except Error as error:
        findings.problem(f"the page did not open: {str(error).splitlines()[0]}")
        report = {"title": None, "page_s": None}
    finally:
        page.context.close()
    return {**report, "steps": steps, "screenshots": [str(path) for path in pictures if path.is_file()]}


# The API


def example_inputs(endpoint: dict) -> dict | None:
    """An input for each parameter that needs one; None where a file would be needed."""
    found = {}
    for parameter in endpoint["parameters"]:
        if parameter["parameter_has_default"]:
            continue
        if "filepath" in str(parameter["python_type"]) or "_type" in str(parameter["example_input"]):
            return None
        found[parameter["parameter_name"]] = parameter["example_input"]
    return found


def check_api(target: Target, plan: dict, folder: Path, findings: Findings) -> list[dict]:
    """Calls the endpoints as a program would."""
    from gradio_client import Client, handle_file

    try:
        client = Client(target.url, verbose=False, download_files=tempfile.mkdtemp(prefix="check-app-"))
    except Exception as error:  # noqa: BLE001 - whatever the client raises, its users meet too
        findings.problem(f"gradio_client cannot connect: {type(error).__name__}: {str(error)[:200]}")
        return []
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    for name in endpoints:
        if re.fullmatch(r"/lambda(_\d+)?", name):
            findings.note(f"endpoint {name} has no name of its own: api_name=..., or api_visibility='private'")
    calls = plan.get("calls")
    if calls is None:
        calls = [{"api_name": name, "inputs": example_inputs(endpoint)} for name, endpoint in endpoints.items()]
    report = []
    for call in calls:
        inputs, began = call["inputs"], time.monotonic()
        entry: dict[str, Any] = {"api_name": call["api_name"], "ok": True, "problem": None}
        report.append(entry)
        if inputs is None:
            entry["problem"] = "not called: it needs a file, name one in check.json"
            findings.note(f"{call['api_name']} was {entry['problem']}")
            continue
        inputs = {k: handle_file(str(folder / v["file"])) if isinstance(v, dict) and set(v) == {"file"} else v
                  for k, v in inputs.items()}  # fmt: skip
        try:
            answer = json.dumps(client.predict(api_name=call["api_name"], **inputs), default=str, ensure_ascii=False)
            said = None
        except Exception as error:  # noqa: BLE001 - the error is the answer
            answer, said = "", f"{type(error).__name__}: {str(error)[:300]}"
        entry |= {"took_s": round(time.monotonic() - began, 2), "answer": answer[:300], "refused": said}
        if "error" in call:
            entry["ok"] = said is not None and call["error"] in said
            entry["problem"] = (
                None if entry["ok"] else f"should be refused with {call['error']!r}, but {said or answer[:200]}"
            )
        elif said or call.get("expect", "") not in answer:
            entry |= {"ok": False, "problem": said or f"{answer[:200]} lacks {call['expect']!r}"}
        if not entry["ok"]:
            findings.problem(f"call of {call['api_name']}: {entry['problem']}")
    return report


def check_server(target: Target, plan: dict, app: Path | None, findings: Findings) -> dict:
    """What the server gives away, which tools it has for agents, and what it printed."""
    for name in filter(None, (app and app.name, ".env", "../.env", "/etc/passwd")):
        status, _ = fetch(f"{target.url}/gradio_api/file={urllib.parse.quote(name)}")
        if status == 200:
            findings.problem(
                f"anyone can read {name} at /gradio_api/file={name}: see allowed_paths and set_static_paths"
            )
    tools: list[str] = []
    status, body = fetch(f"{target.url}/gradio_api/mcp/schema")
    if status == 200:
        tools = [each["name"] for each in json.loads(body)]
    for name in plan.get("tools", []):
        if name not in tools:
            findings.problem(
                f"no MCP tool is named {name!r}; there are {tools}: launch(mcp_server=True), and a docstring"
            )
    printed = target.printed()
    for path, message in dict.fromkeys(WARNING.findall(printed)):
        if "site-packages" not in path or "/gradio/" in path:  # other libraries warn about themselves
            findings.note(f"the app warns: {message[:300]}")
    for trace in printed.split("Traceback (most recent call last):")[1:]:
        last = next((line for line in trace.splitlines()[1:] if line and not line.startswith(" ")), "cut short")
        if not last.startswith("gradio.exceptions."):  # a message to the visitor, who saw it
            findings.problem(f"exception in the app: {last[:300]}")
    return {"mcp_tools": tools}


def read_plan(path: Path | None) -> dict:
    return read_artifact(path, "demo-check") if path else {}


def check(
    browser: Any, target: Target, plan: dict, app: Path | None, args: Any, findings: Findings | None = None
) -> dict:
    """Everything that is checked of one running app."""
    findings = findings or Findings()
    folder = app.parent if app else Path.cwd()
    page = check_page(browser, target, plan, folder, args, findings)
    api = check_api(target, plan, folder, findings)
    server = check_server(target, plan, app, findings)
    return {
        "schema": "skillpack/app-check/1",
        "ok": not findings.problems,
        "app": str(app or target.url),
        "started_s": target.started_s,
        **page,
        "api": api,
        **server,
        "problems": findings.problems,
        "notes": findings.notes,
    }


def seconds(text: str) -> float:
    """A finite number above zero; argparse shows what is raised."""
    if not 0 < (value := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds above 0")
    return value


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("app", help="app.py, its folder, or http(s)://...")
    options.add_argument("--steps", type=Path, metavar="FILE", help="what to do (default: check.json beside the app)")
    options.add_argument("--screenshots", type=Path, metavar="FOLDER", help="writes NAME-start, -end and -phone.png")
    options.add_argument("--python", default=sys.executable, help="the Python that runs the app (default: this one)")
    options.add_argument("--isolated", action="store_true", help="a fresh environment from requirements.txt, by uv")
    options.add_argument("--browser", metavar="PATH", help="the Chrome or Chromium to use")
    options.add_argument("--timeout", type=seconds, default=30, metavar="S", help="for each step (default: 30)")
    options.add_argument(
        "--start-timeout", type=seconds, default=300, metavar="S", help="until the app answers (default: 300)"
    )
    options.add_argument("--json", action="store_true", help="one JSON document on standard output")
    return options.parse_args(argv)


def main(argv: list[str]) -> int:
    args = arguments(argv)
    findings, remote = Findings(), args.app.startswith(("http://", "https://"))
    app = None
    if not remote:
        app = Path(args.app) / "app.py" if Path(args.app).is_dir() else Path(args.app)
        if not app.is_file():
            raise Failure(f"{app}: no such file", "name app.py, its folder, or an address", EXIT_USAGE)
        app = app.resolve()
        if args.steps is None and (app.parent / "check.json").is_file():
            args.steps = app.parent / "check.json"
        source_findings(app, findings)
    args.name = app.parent.name if app else urllib.parse.urlsplit(args.app).netloc.replace(":", "-")
    plan = read_plan(args.steps)
    with contextlib.ExitStack() as stack:
        chrome = stack.enter_context(browser(find_browser(args.browser)))
        target = reached(args.app.rstrip("/")) if remote else stack.enter_context(started(app, args))
        if not remote:
            log(f"{target.url} answers after {target.started_s} s")
        report = check(chrome, target, plan, app, args, findings)
    if args.json:
        emit(report)
    else:
        for entry in report["steps"]:
            say(f"{'ok  ' if entry['ok'] else 'FAIL'} {json.dumps(entry['step'], ensure_ascii=False)}")
        for entry in report["api"]:
            answer = f"refused: {entry['refused']}" if entry.get("refused") else entry.get("answer", "")[:100]
            say(f"{'ok  ' if entry['ok'] else 'FAIL'} {entry['api_name']}: {entry['problem'] or answer}")
        for kind, texts in (("problem", report["problems"]), ("note", report["notes"])):
            for text in texts:
                say(f"{kind}: {text}")
        say(f"screenshots: {', '.join(report['screenshots']) or 'none (--screenshots FOLDER)'}")
        say("the app works as checked" if report["ok"] else f"{len(report['problems'])} problems")
    return EXIT_OK if report["ok"] else EXIT_NO


if __name__ == "__main__":
    sys.exit(run(main))
