"""How the tasks beside this file are set up, solved and graded; `skillpack sync` writes it. See tasks.py."""

from __future__ import annotations

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

# region skillpack:grading
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

Graded = Iterator[tuple[str, object, object]]  # (expectation as evals.json has it, whether it is met, what was seen)


class Desk:
    """Where a task is done: a folder, and one user of the local Hub that HF_ENDPOINT and HF_TOKEN name.

    `start` is what the task's setup wants to remember, `report` what the agent said at its end, `transcript` all it
    did, as text. These lie beside the folder and not in it, out of the agent's sight. Nothing here raises for what
    an agent left undone: what is not there is empty.
    """

    def __init__(self, folder: Path) -> None:
        from huggingface_hub import HfApi, constants

        if urlsplit(constants.ENDPOINT).hostname not in ("127.0.0.1", "::1", "localhost"):
            raise Failure(
                f"HF_ENDPOINT is {constants.ENDPOINT}: setting up a task deletes what its user has there",
                'use a local Hub: eval "$(skillpack hub --detach)"',
                EXIT_USAGE,
            )
        self.folder = folder.resolve()
        self.api = HfApi()
        self.user: str = self.api.whoami()["name"]
        start = self.beside("start.json")
        self.start: dict[str, Any] = json.loads(start.read_text("utf-8")) if start.is_file() else {}
        self.report, self.transcript = (
            path.read_text("utf-8", "replace") if path.is_file() else ""
            for path in (self.beside("report.md"), self.beside("transcript.txt"))
        )

    def beside(self, name: str) -> Path:
        """`FOLDER.name`, next to the working folder."""
        return self.folder.with_name(f"{self.folder.name}.{name}")

    # Files of the working folder

    def write(self, name: str, content: str | bytes | Iterable[dict[str, Any]]) -> Path:
        """A file of the working folder: text, bytes, or rows as JSON lines."""
        if not isinstance(content, (str, bytes)):
            content = jsonl(content)
        write_atomic(self.folder / name, content)
        return self.folder / name

    def read(self, name: str) -> str:
        """The text of a file of the working folder, "" where there is none."""
        path = self.folder / name
        return path.read_text("utf-8", "replace") if path.is_file() else ""

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The objects in the JSON lines of a file, [] where there is none or a line is no JSON."""
        return from_jsonl(self.read(name))

    def document(self, name: str) -> dict[str, Any]:
        """A JSON object of the working folder, {} where there is none."""
        try:
            found = json.loads(self.read(name))
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    # The Hub

    def repo(self, name: str) -> str:
        """`name` with the user's namespace, where it has none."""
        return name if "/" in name else f"{self.user}/{name}"

    def upload(self, kind: str, name: str, files: dict[str, str | bytes], private: bool = True) -> str:
        """One commit to a "model", "dataset" or "space", made where there is none; its full name."""
        from huggingface_hub import CommitOperationAdd

        repo = self.repo(name)
        sdk = "static" if kind == "space" else None
        self.api.create_repo(repo, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        added = [
            CommitOperationAdd(path, text.encode() if isinstance(text, str) else text) for path, text in files.items()
        ]
        self.api.create_commit(repo, added, commit_message="Add files", repo_type=kind)
        return repo

    def info(self, kind: str, name: str) -> Any:
        """What the Hub says of a repo (`.private`, `.sha`, `.card_data`, …), None where there is none."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return self.api.repo_info(self.repo(name), repo_type=kind)
        except RepositoryNotFoundError:
            return None

    def files(self, kind: str, name: str, revision: str | None = None) -> dict[str, str]:
        """Path -> hash of every file of a repo, {} where there is none. Equal hashes are equal files."""
        if self.info(kind, name) is None:
            return {}
        tree = self.api.list_repo_tree(self.repo(name), recursive=True, repo_type=kind, revision=revision)
        return {each.path: each.blob_id for each in tree if hasattr(each, "blob_id")}

    def fetch(self, kind: str, name: str, path: str, revision: str | None = None) -> bytes:
        """A file of a repo, b"" where there is none."""
        if path not in self.files(kind, name, revision):
            return b""
        with tempfile.TemporaryDirectory() as cache:
            repo = self.repo(name)
            found = self.api.hf_hub_download(repo, path, repo_type=kind, revision=revision, cache_dir=cache)
            return Path(found).read_bytes()

    def dataset(self, name: str, split: str = "train", config: str | None = None) -> list[dict[str, Any]]:
        """The rows of a dataset as its page shows them, whatever its files are; [] where there are none."""
        repo = self.repo(name)
        if self.info("dataset", repo) is None:
            return []
        splits = self._get(f"/datasets-server/splits?dataset={repo}").get("splits", [])
        configs = [each["config"] for each in splits if each["split"] == split and config in (None, each["config"])]
        if not configs:
            return []
        page = f"/datasets-server/rows?dataset={repo}&config={configs[0]}&split={split}&length=100&offset="
        rows: list[dict[str, Any]] = []
        while found := self._get(f"{page}{len(rows)}").get("rows"):
            rows += [each["row"] for each in found]
        return rows

    def jobs(self) -> list[dict[str, Any]]:
        """The user's jobs since the setup, oldest first, as the API gives them.

        Among the keys: command, arguments, environment, secrets, flavor, timeout (seconds), labels, volumes,
        status {stage, message}.
        """
        known = self.start.get("jobs", [])
        return [job for job in reversed(self._every_job()) if job["id"] not in known]

    def ceiling(self, job: dict[str, Any]) -> float:
        """The most that a job can cost, in dollars: its timeout at the price of its flavor, which attempts share."""
        return float(self.hardware()[job["flavor"]]["unitCostUSD"] * job["timeout"] / 60)

    def hardware(self) -> dict[str, dict[str, Any]]:
        """Flavor -> {accelerator: {model, quantity, vram} or None, unitCostUSD (a minute), …}."""
        return {each["name"]: each for each in self._get("/api/jobs/hardware")}

    def pull_requests(self, kind: str, name: str) -> list[str]:
        """The revisions of a repo's open pull requests, [] where there is no repo."""
        if self.info(kind, name) is None:
            return []
        found = self.api.get_repo_discussions(self.repo(name), repo_type=kind, discussion_type="pull_request")
        return [f"refs/pr/{each.num}" for each in found if each.status in ("open", "draft")]

    def _every_job(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(f"/api/jobs/{self.user}")
        return found

    def _get(self, path: str) -> Any:
        from huggingface_hub import get_session, get_token

        answer = get_session().get(self.api.endpoint + path, headers={"Authorization": f"Bearer {get_token()}"})
        answer.raise_for_status()
        return answer.json()

    def clear(self) -> None:
        """Deletes what the user has on the local Hub and cancels what runs: each task starts from nothing."""
        owned: dict[str, Iterable[Any]] = {
            "model": self.api.list_models(author=self.user),
            "dataset": self.api.list_datasets(author=self.user),
            "space": self.api.list_spaces(author=self.user),
        }
        for kind, repos in owned.items():
            for repo in repos:
                self.api.delete_repo(repo.id, repo_type=kind)
        for bucket in self.api.list_buckets(self.user):
            self.api.delete_bucket(bucket.id)
        for scheduled in self.api.list_scheduled_jobs(namespace=self.user):
            self.api.delete_scheduled_job(scheduled_job_id=scheduled.id, namespace=self.user)
        for job in self._every_job():
            if job["finishedAt"] is None:
                self.api.cancel_job(job_id=job["id"], namespace=self.user)

    # The skill

    def script(self, name: str, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a script of this skill in the working folder. Raises Failure unless it ends with `code`."""
        path = Path(__file__).resolve().parent.parent / "scripts" / name
        return self.run(sys.executable, path, *arguments, code=code)

    def run(self, *command: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a program in the working folder. Raises Failure unless it ends with `code`."""
        words = [str(word) for word in command]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != code:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise Failure(f"{' '.join(words[:4])} … ended with {done.returncode}, not {code}:\n{tail}")
        return done


class Task:
    """A task of evals.json, the one with this `id`. Subclasses are found by themselves."""

    id: str | int

    def setup(self, desk: Desk) -> None:
        """Makes the start state, in an empty folder, for a user who has nothing on the Hub."""

    def grade(self, desk: Desk) -> Graded:
        """Yields (expectation, met, evidence) for each expectation of evals.json, from the end state alone."""
        raise NotImplementedError

    def solve(self, desk: Desk) -> str:
        """Makes a right end state without an agent; returns what an agent would report."""
        raise NotImplementedError

    def spoil(self, desk: Desk) -> str | None:
        """Makes the mistakes of a careless agent in the solved state, and perhaps another report.

        Needed for each expectation that the start state meets (nothing was overwritten, nothing was published):
        an expectation that was never seen to fail grades nothing.
        """


def jsonl(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def from_jsonl(text: str | bytes) -> list[dict[str, Any]]:
    """The rows of JSON lines, [] where a line is none."""
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return []


def set_up(task: Task, folder: Path) -> Desk:
    """The start state of `task` in `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Failure(f"{folder} is not empty", "give a new folder: --folder NEW", EXIT_USAGE)
    for name in ("start.json", "report.md", "transcript.txt"):
        folder.resolve().with_name(f"{folder.resolve().name}.{name}").unlink(missing_ok=True)
    desk = Desk(folder)
    desk.clear()
    task.setup(desk)
    desk.start["jobs"] = [job["id"] for job in desk._every_job()]
    write_atomic(desk.beside("start.json"), json.dumps(desk.start))
    return desk


def solved(task: Task, desk: Desk) -> None:
    """The right end state, after `set_up`."""
    desk.report = task.solve(desk)
    write_atomic(desk.beside("report.md"), desk.report)


def graded(task: Task, desk: Desk, expectations: list[str], strict: bool = False) -> list[dict[str, Any]]:
    """[{text, passed, evidence}] in the order of `expectations`.

    An end state that a grader cannot read is a wrong one: what was not reached is failed, with the exception as
    evidence, or it is raised when `strict`. Raises Failure where grader and evals.json differ.
    """
    found: dict[str, dict[str, Any]] = {}
    unread = ""
    try:
        for text, passed, evidence in task.grade(desk):
            found[text] = {"text": text, "passed": bool(passed), "evidence": str(evidence)[:1000]}
    except Exception as error:
        if strict:
            raise
        unread = f"the grader could not read the end state: {type(error).__name__}: {error}"
    differ = [text for text in found if text not in expectations]
    differ += [text for text in expectations if text not in found and not unread]
    if differ:
        raise Failure(
            f"{task.id}: evals.json and grade() do not both have: {differ}", "let the texts agree", EXIT_USAGE
        )
    return [found.get(text) or {"text": text, "passed": False, "evidence": unread[:1000]} for text in expectations]


def proof(task: Task, folder: Path, expectations: list[str]) -> dict[str, Any]:
    """Whether the grader tells right from wrong: {id, start, solved, spoiled, problems}, counts of what passed."""
    from contextlib import suppress

    desk = set_up(task, folder)
    start = graded(task, desk, expectations, strict=True)
    solved(task, desk)
    right = graded(task, desk, expectations, strict=True)
    desk.report = task.spoil(desk) or desk.report
    spoiled = graded(task, desk, expectations, strict=True)
    with suppress(Exception):  # the next task begins by the same, and says what is wrong
        desk.clear()
    problems = [f"solved, and not met: {each['text']} ({each['evidence']})" for each in right if not each["passed"]]
    if all(each["passed"] for each in start):
        problems.append("the untouched start state meets every expectation")
    both = zip(start, spoiled, strict=True)
    problems += [f"never seen to fail: {one['text']}" for one, other in both if one["passed"] and other["passed"]]
    counts = (sum(each["passed"] for each in grading) for grading in (start, right, spoiled))
    return {"id": task.id, **dict(zip(("start", "solved", "spoiled"), counts, strict=True)), "problems": problems}


def main(argv: list[str]) -> int:
    cli = parser(
        "Set up, grade or solve a task of evals.json on a local Hub (HF_ENDPOINT, HF_TOKEN), whose user loses what\n"
        "he has there. `check` shows that each grader passes what is right and fails what is not.\n\n"
        "examples:\n  python evals/tasks.py setup TASK_ID --folder work\n"
        "  python evals/tasks.py grade TASK_ID --folder work --json\n  python evals/tasks.py check"
    )
    cli.add_argument("action", choices=("list", "setup", "grade", "solve", "check"))
    cli.add_argument(
        "ids", metavar="TASK_ID", nargs="*", help="as in evals.json; list and check: all when none is named"
    )
    cli.add_argument("--folder", type=Path, default=Path(), help="where the agent works (default: here)")
    cli.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = cli.parse_args(argv)
    evals = json.loads((Path(__file__).resolve().parent / "evals.json").read_text("utf-8"))["evals"]
    expectations: dict[str, list[str]] = {str(each["id"]): each["expectations"] for each in evals}
    if apart := [each["id"] for each in evals if each.get("assertions") != each["expectations"]]:
        raise Failure(f"evals.json: assertions and expectations of {apart[0]} differ", "write both alike", EXIT_USAGE)
    tasks = {str(kind.id): kind() for kind in Task.__subclasses__()}
    if tasks.keys() != expectations.keys():
        differ = ", ".join(sorted(tasks.keys() ^ expectations.keys()))
        raise Failure(f"only one of evals.json and tasks.py has: {differ}", "write the other half", EXIT_USAGE)
    unknown = [name for name in args.ids if name not in tasks]
    if unknown or (args.action not in ("list", "check") and len(args.ids) != 1):
        problem = f"no task {unknown[0]!r}" if unknown else f"{args.action} wants one TASK_ID"
        raise Failure(problem, f"there are: {', '.join(tasks)}", EXIT_USAGE)
    chosen = args.ids or list(tasks)
    if args.action == "list":
        emit({"tasks": chosen}) if args.json else say("\n".join(chosen))
    elif args.action == "check":
        return _check([tasks[name] for name in chosen], expectations, args.json)
    elif args.action == "setup":
        desk = set_up(tasks[chosen[0]], args.folder)
        log(f"{chosen[0]} is set up in {desk.folder}, for {desk.user} at {desk.api.endpoint}")
    elif args.action == "solve":
        desk = Desk(args.folder)
        solved(tasks[chosen[0]], desk)
        log(f"{chosen[0]} is solved; the report is {desk.beside('report.md')}")
    else:
        results = graded(tasks[chosen[0]], Desk(args.folder), expectations[chosen[0]])
        return _grade(results, args.json)
    return EXIT_OK


def _grade(results: list[dict[str, Any]], as_json: bool) -> int:
    passed = sum(each["passed"] for each in results)
    summary = {"passed": passed, "failed": len(results) - passed, "total": len(results)}
    if as_json:
        emit({"assertion_results": results, "summary": {**summary, "pass_rate": passed / len(results)}})
    else:
        for each in results:
            say(f"{'pass' if each['passed'] else 'FAIL'}  {each['text']}\n      {each['evidence']}")
        say(f"{passed} of {len(results)}")
    return EXIT_OK if passed == len(results) else EXIT_NO


def _check(tasks: list[Task], expectations: dict[str, list[str]], as_json: bool) -> int:
    found = []
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            try:
                one = proof(task, Path(folder) / "work", expectations[str(task.id)])
            except Exception as error:  # noqa: BLE001 - one broken task does not hide the others
                one = {"id": task.id, "problems": [f"{type(error).__name__}: {error}"]}
        found.append(one)
        total = len(expectations[str(task.id)])
        counts = ", ".join(f"{name} {one[name]}" for name in ("start", "solved", "spoiled") if name in one)
        log(f"{task.id}: {counts} of {total}" + "".join(f"\n  {problem}" for problem in one["problems"]))
    wrong = sum(bool(one["problems"]) for one in found)
    if as_json:
        emit({"tasks": found, "summary": {"tasks": len(found), "wrong": wrong}})
    else:
        say(f"{len(found) - wrong} of {len(found)} graders tell right from wrong")
    return EXIT_NO if wrong else EXIT_OK


# endregion skillpack:grading
