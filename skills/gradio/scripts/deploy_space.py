# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "gradio>=6.31,<7",
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "packaging>=24,<27",
#   "pyyaml>=6,<7",
# ]
# ///
"""Check a demo's folder, and put it on a Hugging Face Space, private; wait until it runs, or show why it does not.

Without --yes nothing leaves this machine: what would go wrong on a Space is listed (missing or unpinned requirements,
secrets in files, variables that the app reads and nobody sets, the rules of ZeroGPU), with the header of README.md and
the price. With --yes the Space is made or updated, and the build log is shown if it fails. Secrets are named, and read
from the environment: --secret API_KEY sends the value of $API_KEY. Paid hardware is put to sleep after an hour without
visitors, unless --sleep-time says otherwise.

examples:
  python scripts/deploy_space.py demo/ --repo my-demo
  python scripts/deploy_space.py demo/ --repo me/my-demo --hardware zero-a10g --secret API_KEY --yes
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

# region skillpack:hub
import contextlib
from collections.abc import Iterator
from typing import Any

HUB_FIXES = {
    401: "the token is missing, wrong, expired or revoked: `hf auth login`, or set HF_TOKEN",
    402: "the namespace has no credit: add some at https://huggingface.co/settings/billing, or give --namespace of an "
    "organization that pays",
    403: "the token may not do this: make one with write permission, or name another namespace",
    404: "check the name, and that the token may read it",
    409: "somebody else wrote at the same time: run the same command again",
    412: "somebody else wrote at the same time: run the same command again",
    429: "a quota or rate limit: wait a few minutes, and run the same command again",
}


class Refused(Failure):
    """The Hub answered, and said no: nothing was made or changed."""


@contextlib.contextmanager
def on_hub(doing: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turns what the Hub's client raises while `doing` into a Failure with the way out; `passing` goes through."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError  # type: ignore[attr-defined]

    try:
        yield
    except passing:
        raise
    except HFValidationError as error:
        raise Failure(f"{doing}: {error}", "correct the name", EXIT_USAGE) from None
    except OfflineModeIsEnabled:
        raise Failure(f"{doing}: HF_HUB_OFFLINE is set", "unset it: this needs the network") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        said = (error.server_message or str(error).splitlines()[0])[:300]
        fix = HUB_FIXES.get(status, "the message is the Hub's own; if it is passing, run the same command again")
        raise (Refused if 400 <= status < 500 else Failure)(f"{doing}: {status} {said}", fix) from None
    except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError is how hf_xet says that the network failed
        said = (str(error).splitlines() or [""])[0][:300]
        if getattr(error, "filename", None) or "No space left on device" in str(error):
            raise  # a file or the disk of this machine: `run` says so
        if isinstance(error, FileNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise Failure(f"{doing}: {said}", HUB_FIXES[404]) from None  # how `datasets` says that there is none
        raise Failure(
            f"{doing}: {os.environ.get('HF_ENDPOINT', 'the Hub')} cannot be reached ({type(error).__name__}: {said})",
            "check the network and HF_ENDPOINT, then run the same command again: what arrived is not sent twice",
        ) from None


def sign_in(write: bool = True) -> tuple[Any, dict[str, Any]]:
    """(client, whoami). Raises Failure without a token, or with one that only reads where it must `write`."""
    os.environ.setdefault("HF_HUB_DISABLE_EXPERIMENTAL_WARNING", "1")  # read when the client is imported
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if not token:
        raise Failure("no Hugging Face token", "`hf auth login`, or set HF_TOKEN to one with write permission")
    os.environ["HF_TOKEN"] = token  # so that no message can show it
    api = HfApi(token=token)
    with on_hub("signing in"):
        who = api.whoami()
    if write and ((who.get("auth") or {}).get("accessToken") or {}).get("role") == "read":
        raise Failure("the token only reads", "make one with role write: https://huggingface.co/settings/tokens")
    return api, who


def full_id(who: dict[str, Any], repo_id: str) -> str:
    """`repo_id` with its namespace, the user's own by default. Raises Failure where this user may not write."""
    namespace, _, name = repo_id.rpartition("/")
    if not namespace or namespace.lower() == who["name"].lower():
        return f"{who['name']}/{name}"
    roles = {org["name"].lower(): org.get("roleInOrg") for org in who.get("orgs", [])}
    if roles.get(namespace.lower(), "read") == "read":
        known = ", ".join([who["name"], *(name for name, role in roles.items() if role != "read")])
        raise Failure(f"{who['name']} may not write to {namespace!r}", f"name one of: {known}", EXIT_USAGE)
    return repo_id


# endregion skillpack:hub

import ast
import time

FREE = ("cpu-basic", "zero-a10g")
DEFAULT_SLEEP_S = 3600
STAGES_PENDING = ("BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING")
#: What never belongs on a Space: secrets, caches, what Gradio and Python write beside an app.
IGNORED = (
    *(".git/**", "**/.git/**", ".env*", "**/.env*", ".venv/**", "venv/**", "**/__pycache__/**", "**/*.pyc", "**/*.pyi"),
    *(".gradio/**", "**/.gradio/**", "**/.DS_Store", "node_modules/**", "**/*.pem", "**/*.key"),
)
#: On every Gradio Space (hub-docs, spaces-dependencies.md), and what gradio itself depends on.
PREINSTALLED = {
    "gradio", "gradio_client", "huggingface_hub", "datasets", "requests", "spaces", "numpy", "pandas", "PIL",
    "pydantic", "fastapi", "starlette", "httpx", "yaml", "jinja2", "orjson", "uvicorn", "packaging",
    "typing_extensions", "anyio",
}  # fmt: skip
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless", "sklearn": "scikit-learn", "bs4": "beautifulsoup4",
    "skimage": "scikit-image", "dotenv": "python-dotenv", "fitz": "pymupdf", "llama_cpp": "llama-cpp-python",
}  # fmt: skip
KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
TEXT_BYTES = 2_000_000


class Findings:
    """What would go wrong (errors stop a deployment), and what is worth knowing."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.notes: list[str] = []

    def error(self, text: str) -> None:
        self.errors.append(text)

    def note(self, text: str) -> None:
        self.notes.append(text)


# The folder


def files_to_send(folder: Path) -> list[Path]:
    from huggingface_hub.utils import filter_repo_objects

    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [folder / name for name in filter_repo_objects(names, ignore_patterns=list(IGNORED))]


def parse(path: Path, findings: Findings) -> ast.Module:
    try:
        return ast.parse(path.read_text("utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        findings.error(f"{path.name}: {error}")
        return ast.Module([], [])


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute; "" for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def imported(tree: ast.Module) -> dict[str, int]:
    """Top-level name -> line of its first import."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            found.setdefault(name.partition(".")[0], node.lineno)
    return found


def variables_read(tree: ast.Module) -> dict[str, bool]:
    """Name of an environment variable -> whether the app fails without it."""
    found: dict[str, bool] = {}
    for node in ast.walk(tree):
        key, needed = None, False
        if isinstance(node, ast.Subscript) and dotted(node.value).endswith("environ"):
            key, needed = node.slice, isinstance(node.ctx, ast.Load)
        elif isinstance(node, ast.Call) and dotted(node.func).endswith(("environ.get", "getenv")) and node.args:
            key = node.args[0]
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            found[key.value] = found.get(key.value, False) or needed
    return found


def check_app(folder: Path, app: Path, trees: dict[str, ast.Module], findings: Findings) -> None:
    launches = [
        node for tree in trees.values() for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "launch"
    ]  # fmt: skip
    if not launches and "uvicorn" not in imported(trees[app.name]):
        findings.error(f"{app.name} never calls demo.launch(): the Space would end at once")
    for node in launches:
        for keyword in node.keywords:
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            if keyword.arg == "server_port" and value not in (None, 7860):
                findings.error(f"launch(server_port={value}): a Space listens on 7860; leave the argument out")
            if keyword.arg == "server_name" and value in ("127.0.0.1", "localhost"):
                findings.error(f"launch(server_name={value!r}) cannot be reached on a Space; leave the argument out")
            if keyword.arg == "share" and value is True:
                findings.note("launch(share=True) does nothing on a Space; leave it out")
            if keyword.arg == "allowed_paths":
                findings.note("launch(allowed_paths=...): every visitor can read what lies there")
    for path in files_to_send(folder):
        if path.stat().st_size > TEXT_BYTES:
            continue
        for number, line in enumerate(path.read_text("utf-8", "ignore").splitlines(), 1):
            if SECRET.search(line) or KEY_BLOCK.search(line):
                findings.error(f"{path.relative_to(folder)}:{number} holds what looks like a secret: use --secret NAME")
    left_out = [name for name in (".env", ".streamlit/secrets.toml") if (folder / name).is_file()]
    for name in left_out:
        findings.note(f"{name} stays here: name its entries with --secret or --variable")


def check_requirements(folder: Path, trees: dict[str, ast.Module], gradio: str, findings: Findings) -> dict[str, str]:
    """Holds requirements.txt against what the app imports; name -> specifier."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    path, found = folder / "requirements.txt", {}
    lines = path.read_text("utf-8").replace("\\\n", "").splitlines() if path.is_file() else []  # pip joins such lines
    for line in lines:
        text = line.split(" #")[0].strip()
        if not text or text.startswith(("#", "--")):
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            fix = "NAME==VERSION, or NAME @ ADDRESS with an address that the Space can reach"
            findings.error(f"requirements.txt: {text!r} names no package: write {fix}")
            continue
        name = canonicalize_name(requirement.name)
        found[name] = str(requirement.specifier)
        if name == "gradio" and not requirement.specifier.contains(gradio, prereleases=True):
            findings.error(f"requirements.txt: {text} excludes sdk_version {gradio} of README.md; take the line out")
        bounded = any(each.operator in ("==", "===", "<", "<=", "~=") for each in requirement.specifier)
        if not bounded and not requirement.url:
            findings.error(
                f"requirements.txt: {text} is open above: the next build may get another version. Write {name}==…"
            )
    local = {path.stem for path in folder.glob("*.py")} | {path.name for path in folder.iterdir() if path.is_dir()}
    for file, tree in trees.items():
        for name, line in imported(tree).items():
            if name in sys.stdlib_module_names or name in local or name in PREINSTALLED:
                continue
            distribution = canonicalize_name(DISTRIBUTIONS.get(name, name))
            if distribution not in found:
                findings.error(f"{file}:{line} imports {name}, and requirements.txt lacks {distribution}")
    return found


def check_zerogpu(trees: dict[str, ast.Module], pins: dict[str, str], python: str, findings: Findings) -> None:
    """The rules of ZeroGPU: assets/zerogpu.json names their source and date."""
    rules = json.loads((Path(__file__).resolve().parent.parent / "assets/zerogpu.json").read_text("utf-8"))
    decorated = 0
    for file, tree in trees.items():
        names = imported(tree)
        if "torch" in names and names.get("spaces", 0) > names["torch"]:
            findings.error(f"{file}: import spaces before torch: it has to be there before CUDA is looked for")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and dotted(node.func) == "torch.compile":
                findings.error(
                    f"{file}:{node.lineno}: ZeroGPU has no torch.compile; spaces.aoti_compile compiles ahead"
                )
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                decorators = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
                if any(dotted(each) == "spaces.GPU" for each in decorators):
                    decorated += 1
                    if isinstance(node, ast.AsyncFunctionDef):
                        findings.error(
                            f"{file}:{node.lineno}: @spaces.GPU takes no async function: write def {node.name}"
                        )
    if not decorated:
        findings.error("ZeroGPU: no function has @spaces.GPU, so no GPU would ever be lent")
    if "torch" in pins and pins["torch"] not in {f"=={version}" for version in rules["torch"]}:
        findings.error(
            f"ZeroGPU runs torch {', '.join(rules['torch'])} ({rules['dated']}): write torch=={rules['torch'][-1]}"
        )
    if not any(known == python or known.startswith(python + ".") for known in rules["python"]):
        findings.error(f"ZeroGPU runs Python {' and '.join(rules['python'])}: --python-version {rules['python'][0]}")


# README.md


def split_readme(text: str) -> tuple[dict, str]:
    """(header, rest) of a README."""
    import yaml

    match = re.match(r"---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", text, re.S)
    if not match:
        return {}, text
    try:
        header = yaml.safe_load(match[1]) or {}
    except yaml.YAMLError as error:
        raise Failure(f"README.md: {str(error).splitlines()[0]}", "correct its header", EXIT_USAGE) from None
    if not isinstance(header, dict):
        raise Failure("README.md: its header is no mapping", "write `key: value` lines", EXIT_USAGE)
    return header, text[match.end() :]


def compose_readme(folder: Path, app: Path, trees: dict[str, ast.Module], args: argparse.Namespace) -> tuple[str, dict]:
    """README.md with every entry that a Space needs; what its author wrote stays."""
    from importlib.metadata import version

    import yaml

    path = folder / "README.md"
    text = path.read_text("utf-8") if path.is_file() else ""
    header, body = split_readme(text)
    title = args.title or header.get("title") or folder.resolve().name.replace("-", " ").replace("_", " ").capitalize()
    wanted = {
        "title": title,
        "emoji": "🔭",
        "colorFrom": "indigo",
        "colorTo": "gray",
        "sdk": "gradio",
        "sdk_version": args.gradio_version or str(header.get("sdk_version") or version("gradio")),
        "python_version": args.python_version or str(header.get("python_version") or "3.12.12"),
        "app_file": app.name,
    }
    used = {dotted(node) for tree in trees.values() for node in ast.walk(tree)}
    if any(name.endswith((".LoginButton", ".OAuthProfile", ".OAuthToken")) for name in used):
        wanted["hf_oauth"] = True
    fixed = ("title", "sdk", "sdk_version", "python_version", "app_file", "hf_oauth")
    merged = {**wanted, **header, **{key: wanted[key] for key in fixed if key in wanted}}
    if merged == header:
        return text, merged
    lines = yaml.safe_dump(merged, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{lines}---\n{body or f'{chr(10)}# {title}{chr(10)}'}", merged


def check_header(header: dict, findings: Findings) -> None:
    if len(str(header.get("short_description", ""))) > 60:
        findings.error("README.md: short_description may have 60 characters")
    for key in ("colorFrom", "colorTo"):
        if header[key] not in ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"):
            findings.error(f"README.md: {key} {header[key]!r} is not a color that Spaces know")


# The Space


def hourly_usd(hardware: str) -> float | None:
    """What an hour costs by the Hub's own list; None where it cannot be asked. Raises Failure for unknown hardware."""
    from huggingface_hub import HfApi

    with on_hub("reading the prices of hardware"):
        known = {each.name: each for each in HfApi().list_spaces_hardware()}
    if hardware not in known:
        raise Failure(f"there is no hardware {hardware!r}", f"name one of: {', '.join(known)}", EXIT_USAGE)
    price = float(known[hardware].unit_cost_usd or 0)
    return price * (60 if known[hardware].unit_label == "minute" else 1)


def make_space(api: Any, repo_id: str, args: argparse.Namespace, secrets: dict[str, str], variables: dict) -> bool:
    """The Space with its settings; whether it is new. An existing one keeps its visibility."""
    new = not api.repo_exists(repo_id, repo_type="space")
    settings: dict[str, Any] = {}
    if args.sleep_time is not None:
        settings["space_sleep_time"] = args.sleep_time
    if new:
        try:
            with on_hub(f"making the Space {repo_id}"):
                api.create_repo(
                    repo_id, repo_type="space", space_sdk="gradio", private=not args.public,
                    space_hardware=args.hardware, **settings,
                    space_secrets=[{"key": key, "value": value} for key, value in secrets.items()] or None,
                    space_variables=[{"key": key, "value": value} for key, value in variables.items()] or None,
                )  # fmt: skip
        except Failure as failure:
            if "402" in failure.problem or "403" in failure.problem:
                failure.args = (
                    f"{failure}\n  Gradio Spaces need a PRO, Team or Enterprise plan; a free account may have two on "
                    "--hardware zero-a10g (docs/hub/spaces-overview, 2026-08)",
                )
            raise
        return True
    with on_hub(f"setting up {repo_id}"):
        for key, value in secrets.items():
            api.add_space_secret(repo_id, key, value)
        there = api.get_space_variables(repo_id)
        for key, value in variables.items():
            if key not in there or there[key].value != value:
                api.add_space_variable(repo_id, key, value)
        runtime = api.get_space_runtime(repo_id)
        if args.hardware not in (runtime.requested_hardware, runtime.hardware):
            api.request_space_hardware(repo_id, args.hardware, sleep_time=args.sleep_time)
        elif args.sleep_time is not None and runtime.sleep_time != args.sleep_time:
            api.set_space_sleep_time(repo_id, args.sleep_time)
    return False


def upload(api: Any, folder: Path, repo_id: str, readme: str) -> str:
    """One commit with every file; its id. README.md is kept here as it went out."""
    if not (folder / "README.md").is_file() or (folder / "README.md").read_text("utf-8") != readme:
        write_atomic(folder / "README.md", readme)
    with on_hub(f"uploading to {repo_id}"):
        api.upload_folder(
            repo_id=repo_id,
            repo_type="space",
            folder_path=folder,
            ignore_patterns=list(IGNORED),
            commit_message="Deploy",
        )
        return api.repo_info(repo_id, repo_type="space").sha


def wait(api: Any, repo_id: str, commit: str, timeout: float) -> tuple[str, Any]:
    """Follows the Space to the end of its start; (stage, runtime)."""
    end, told = time.monotonic() + timeout, ""
    while True:
        with on_hub(f"asking how far {repo_id} is"):
            runtime = api.get_space_runtime(repo_id)
        if runtime.stage != told:
            told = runtime.stage
            log(f"{repo_id}: {told}")
        of_another = runtime.raw.get("sha") not in (None, commit)  # the last version, which still runs
        if runtime.stage not in STAGES_PENDING and not of_another:
            return str(runtime.stage), runtime
        if time.monotonic() > end:
            raise Failure(
                f"{repo_id} is {runtime.stage} after {timeout:.0f} s",
                f"it goes on: `hf spaces wait {repo_id}`, `hf spaces logs {repo_id} --build`",
            )
        time.sleep(1)


def last_lines(api: Any, repo_id: str, build: bool, count: int = 40) -> list[str]:
    with on_hub(f"reading the log of {repo_id}"):
        lines = [line for chunk in api.fetch_space_logs(repo_id, build=build) for line in chunk.splitlines()]
    return lines[-count:]


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("folder", type=Path, help="the folder with app.py")
    options.add_argument("--repo", required=True, help="NAME or OWNER/NAME of the Space")
    options.add_argument("--app", default="app.py", help="the file that launches the demo (default: app.py)")
    options.add_argument("--title", help="shown on the Space (default: what README.md says, or the folder's name)")
    options.add_argument(
        "--hardware", default="cpu-basic", help="cpu-basic, zero-a10g, t4-small, ... (default: cpu-basic)"
    )
    options.add_argument("--sleep-time", type=int, metavar="S", help="seconds without a visitor; -1: never")
    options.add_argument("--secret", action="append", default=[], metavar="NAME", help="sends $NAME, never shown again")
    options.add_argument("--variable", action="append", default=[], metavar="K=V", help="public settings of the app")
    options.add_argument(
        "--gradio-version", metavar="V", help="sdk_version (default: README.md's, or the one installed here)"
    )
    options.add_argument("--python-version", metavar="V", help="(default: README.md's, or 3.12.12)")
    options.add_argument("--public", action="store_true", help="a new Space is private without this")
    options.add_argument(
        "--max-hourly", type=float, default=None, metavar="USD", help="refuse hardware that costs more"
    )
    options.add_argument("--no-wait", action="store_true", help="return once the files are there")
    options.add_argument("--timeout", type=float, default=1800, metavar="S", help="until it runs (default: 1800)")
    options.add_argument("--yes", action="store_true", help="make or update the Space")
    options.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = options.parse_args(argv)
    args.variables = dict(pair.partition("=")[::2] for pair in args.variable)
    for name in (*args.secret, *args.variables):
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            options.error(
                f"{name.partition('=')[0]!r} is no name of a variable; secrets are given by name, without a value"
            )
    args.secrets = {name: os.environ.get(name, "") for name in args.secret}
    if lacking := [name for name, value in args.secrets.items() if not value]:
        options.error(f"not in the environment: {', '.join(lacking)}")
    if args.sleep_time is None and args.hardware not in FREE:
        args.sleep_time = DEFAULT_SLEEP_S
    return args


def examine(args: argparse.Namespace) -> tuple[str, Findings]:
    """(README.md, findings) of the folder, by reading alone."""
    folder, findings = args.folder, Findings()
    app = folder / args.app
    if not app.is_file():
        raise Failure(f"{app}: no such file", "name the folder of the demo, and --app", EXIT_USAGE)
    trees = {path.name: parse(path, findings) for path in sorted(folder.glob("*.py"))}
    readme, header = compose_readme(folder, app, trees, args)
    check_header(header, findings)
    check_app(folder, app, trees, findings)
    pins = check_requirements(folder, trees, str(header["sdk_version"]), findings)
    if args.hardware == "zero-a10g":
        check_zerogpu(trees, pins, str(header["python_version"]), findings)
    given = {*args.secrets, *args.variables}
    for tree in trees.values():
        for name, needed in variables_read(tree).items():
            if name in given or name.startswith(("SPACE_", "GRADIO_", "OAUTH_")):
                continue
            if needed:
                findings.error(f"the app needs ${name}, and nobody sets it: --secret {name}, or --variable {name}=…")
            else:
                findings.note(f"the app reads ${name}, which is not set: its default is used")
    if "HF_TOKEN" in args.secrets:
        findings.note("$HF_TOKEN acts as you for every visitor: give a fine-grained one that only reads what is needed")
    return readme, findings


def main(argv: list[str]) -> int:
    args = arguments(argv)
    readme, findings = examine(args)
    document: dict[str, Any] = {
        "repo_id": args.repo, "hardware": args.hardware, "sleep_time": args.sleep_time, "private": not args.public,
        "secrets": sorted(args.secrets), "variables": args.variables,
        "errors": findings.errors, "notes": findings.notes,
        "files": [path.relative_to(args.folder).as_posix() for path in files_to_send(args.folder)], "readme": readme,
        "deployed": False, "stage": None, "log": [],
    }  # fmt: skip
    document["hourly_usd"] = 0.0 if args.hardware in FREE else hourly_usd(args.hardware)
    if args.max_hourly is not None and (document["hourly_usd"] or 0) > args.max_hourly:
        findings.error(f"{args.hardware} costs ${document['hourly_usd']:.2f} an hour, more than --max-hourly")
    if findings.errors:
        return finish(args, document, EXIT_NO)
    if not args.yes:
        return finish(args, document, EXIT_UNCONFIRMED)
    api, who = sign_in()
    repo_id = document["repo_id"] = full_id(who, args.repo)
    document["created"] = make_space(api, repo_id, args, args.secrets, args.variables)
    document["commit"] = upload(api, args.folder, repo_id, readme)
    with on_hub(f"reading {repo_id}"):
        document["private"] = api.repo_info(repo_id, repo_type="space").private
    document |= {"deployed": True, "url": f"{api.endpoint}/spaces/{repo_id}"}
    if args.no_wait:
        return finish(args, document, EXIT_OK)
    document["stage"], runtime = wait(api, repo_id, document["commit"], args.timeout)
    if document["stage"] != "RUNNING":
        document["log"] = last_lines(api, repo_id, build=document["stage"] != "RUNTIME_ERROR")
        document["reason"] = runtime.raw.get("errorMessage")
        return finish(args, document, EXIT_NO)
    domain = (runtime.raw.get("domains") or [{}])[0].get("domain")
    if domain:
        document["app_url"] = f"{'http' if domain.startswith('127.0.0.1') else 'https'}://{domain}"
    return finish(args, document, EXIT_OK)


def finish(args: argparse.Namespace, document: dict, code: int) -> int:
    if args.json:
        emit(document)
        return code
    for text in document["errors"]:
        say(f"error: {text}")
    for text in document["notes"]:
        say(f"note: {text}")
    cost = f"${document['hourly_usd']:.2f} an hour while it runs" if document["hourly_usd"] else "free"
    visible = "private" if document["private"] else "public"
    if document["errors"]:
        say("nothing was deployed: mend the errors first")
    elif code == EXIT_UNCONFIRMED:
        say(readme_header(document["readme"]))
        say(
            f"would send {len(document['files'])} files to {document['repo_id']} "
            f"({visible}, {document['hardware']}, {cost})"
        )
        say("run again with --yes")
    elif document["stage"] in (None, "RUNNING"):
        say(f"{document['url']} ({visible}, {document['hardware']}, {cost}): {document['stage'] or 'building'}")
        say(f"the app: {document['app_url']}" if "app_url" in document else "")
    else:
        for line in document["log"]:
            say(f"  {line}")
        say(f"{document['url']}: {document['stage']} {document.get('reason') or ''}; mend it, and run the same again")
    return code


def readme_header(readme: str) -> str:
    return readme[: readme.index("\n---", 3) + 4]


if __name__ == "__main__":
    sys.exit(run(main))
