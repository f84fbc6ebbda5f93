# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3", "PyYAML>=6,<7", "jsonschema>=4.21,<5"]
# ///
"""Publish a checked article: to a model or dataset as a folder, to a static Space as its page, by pull request, once.

ARTICLE is a folder that check_article.py passed; what changed since is refused. Files that the repository has already
are not sent again; an open pull request of this script's is brought up to date in place of a second one. --create makes
a repository that is not there, private unless --public, and commits to it directly. Without --yes nothing is written
(exit 4).

examples:
  python scripts/publish_article.py article --repo me/mine
  python scripts/publish_article.py article --repo me/mine-article --type space --create --yes
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

# region skillpack:card
import difflib
from pathlib import Path
from typing import Any


def read_file(api: Any, repo: str, path: str, revision: str, repo_type: str = "model") -> str | None:
    """A text file with its own line ends; None where there is none."""
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with on_hub(f"reading {path} of {repo}"):
        try:
            file = Path(api.hf_hub_download(repo, path, revision=revision, repo_type=repo_type))
        except RemoteEntryNotFoundError:
            return None
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"{path} of {repo} is not UTF-8: {error}", "mend the file first", EXIT_USAGE) from None


def diff_of(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", lineterm="")
    return "\n".join(lines)


def open_proposals(api: Any, repo: str, title: str, repo_type: str = "model") -> list[int]:
    """Numbers of the open pull requests whose title begins with `title`: those that this script opened."""
    with on_hub(f"listing the pull requests of {repo}"):
        found = api.get_repo_discussions(
            repo, repo_type=repo_type, discussion_type="pull_request", discussion_status="open"
        )
        return [each.num for each in found if each.title.startswith(title)]


def proposal_url(api: Any, repo: str, number: int, repo_type: str = "model") -> str:
    folder = "" if repo_type == "model" else f"{repo_type}s/"
    return f"{api.endpoint}/{folder}{repo}/discussions/{number}"


def commit_file(
    api: Any, repo: str, path: str, text: str, head: str, title: str, about: str, direct: bool, repo_type: str = "model"
) -> dict[str, str | None]:
    """One commit on top of `head`, the commit that was read, verified: {pull_request, commit}, addresses.

    A pull request unless `direct`. Raises Failure, also where somebody else wrote in between.
    """
    from huggingface_hub import CommitOperationAdd

    with on_hub(f"publishing to {repo}"):
        made = api.create_commit(
            repo, [CommitOperationAdd(path, text.encode())], commit_message=title, commit_description=about,
            create_pr=not direct, parent_commit=head, repo_type=repo_type,
        )  # fmt: skip
    if read_file(api, repo, path, made.oid, repo_type) != text:
        raise Failure(f"{repo} does not hold what was sent", "look at its history, then run the same command again")
    return {"pull_request": made.pr_url, "commit": made.commit_url}


# endregion skillpack:card

# region skillpack:article
import hashlib
import json
import re
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

ARTICLE, CHECK = "article.md", "article-check.json"
RENDERINGS = ("article.html", "article.pdf", "article.tex", "article-arxiv.tar.gz")
RECORD = ".rendered.json"  # beside them: {name: [digest of what it was made from, its own]}
TEMPLATES = ("ml-report", "modern", "standard", "arxiv")
#: A number as it is written: 65, -0.072, 1,024, 5e-05, 3 of 3x
NUMBER = re.compile(
    r"(?<![\w.,/+-])[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?(?!(?!x\b)\w|[.,]\d)"
)
#: Behind a number, unseen in every rendering: where it stands, with a factor, or why it stands nowhere.
MARK = re.compile(
    r"<!--\s*(?:source:(?P<why>[^>]*?)|(?P<file>[^\s#>]+)#(?P<pointer>[^\s>]*?)(?P<factor>\s+[*/]\S+)?)\s*-->"
)


class Article(NamedTuple):
    folder: Path
    text: str
    header: dict[str, Any]
    body: str
    body_line: int  # of the file, in which `body` begins; the first is 1

    @property
    def template(self) -> str:
        return str(self.header.get("template", ""))


def read_article(folder: Path) -> Article:
    """article.md of a folder. Raises Failure with EXIT_USAGE where there is none or its header cannot be read."""
    import yaml

    path = folder / ARTICLE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(
            f"{path}: {error}", "give the folder of an article (new_article.py makes one)", EXIT_USAGE
        ) from None
    match = re.match(r"---[ \t]*\n(.*?\n)---[ \t]*(?:\n|$)", text, re.S)
    try:
        header = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError as error:
        raise Failure(f"{path}: the header is no YAML: {error}", "mend it", EXIT_USAGE) from None
    if not match or not isinstance(header, dict):
        raise Failure(f"{path} has no header between --- lines", "begin it with title, author, date", EXIT_USAGE)
    return Article(folder, text, header, text[match.end() :], text.count("\n", 0, match.end()) + 1)


def article_files(folder: Path) -> list[Path]:
    """The files of an article that are published: all but hidden ones and the record of its check."""
    return [path for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != CHECK
            and not any(part.startswith(".") for part in path.relative_to(folder).parts)]  # fmt: skip


def source_digests(folder: Path) -> dict[str, str]:
    """{path: sha256} of the files that a person or a script wrote, and not of what was rendered from them."""
    names = {path.relative_to(folder).as_posix(): path for path in article_files(folder)}
    return {name: file_sha256(path) for name, path in names.items() if name not in RENDERINGS}


def digest_of(digests: dict[str, str]) -> str:
    return hashlib.sha256("".join(f"{name} {value}\n" for name, value in sorted(digests.items())).encode()).hexdigest()


def stale_renderings(folder: Path) -> list[str]:
    """Renderings that were not made from the files as they are now, or were changed since."""
    record = json.loads((folder / RECORD).read_text(encoding="utf-8")) if (folder / RECORD).is_file() else {}
    now = digest_of(source_digests(folder))
    return [name for name in RENDERINGS
            if (folder / name).is_file() and record.get(name) != [now, file_sha256(folder / name)]]  # fmt: skip


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def mark_of(file: str, keys: tuple[str | int, ...], factor: str = "") -> str:
    """The mark of the value at `keys` in `file`: a JSON pointer (RFC 6901) as part of an address."""
    steps = (quote(str(key).replace("~", "~0").replace("/", "~1"), safe="~!$&'()*,;=:@. ").replace(" ", "%20")
             for key in keys)  # fmt: skip
    return (
        f"<!--{file}#{''.join('/' + step.replace('--', '-%2D') for step in steps)}{' ' + factor if factor else ''}-->"
    )


def value_at(document: Any, pointer: str) -> Any:
    """What a JSON pointer, as part of an address, names. Raises KeyError where there is nothing."""
    for step in pointer.split("/")[1:]:
        key = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        elif isinstance(document, dict) and key in document:
            document = document[key]
        else:
            raise KeyError(key)
    return document


def written(shown: str) -> tuple[float, float]:
    """(the number that is written, one unit of its last digit)."""
    digits, _, power = shown.replace(",", "").replace("\u2212", "-").lower().partition("e")
    unit = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
    return float(f"{digits}e{power or 0}"), unit


def agrees(shown: str, value: float) -> bool:
    """Whether `shown` is `value`, rounded to as many digits as are written."""
    number, unit = written(shown)
    return abs(number - value) <= unit * 0.5 * (1 + 1e-9) + abs(value) * 1e-12


def times(value: float, factor: str | None) -> float:
    """`value` by the factor of a mark, such as *100 or /60."""
    if not factor:
        return value
    sign, number = factor.strip()[0], float(factor.strip()[1:])
    return value * number if sign == "*" else value / number


# endregion skillpack:article

TITLE = "Publish the article"  # of pull requests: by it, open ones are found again
LARGEST = 50_000_000  # bytes of a file: an article's figures and results are far below


def main(argv: list[str]) -> int:
    args = arguments(argv)
    article = read_article(args.article)
    files = checked_files(article, args)
    api, who = sign_in()
    repo = full_id(who, args.repo) if args.direct or args.create or "/" not in args.repo else args.repo
    head = head_of(api, repo, args)
    document = {
        "schema": "skillpack/published-article/1", "repo": repo, "type": args.type, "title": title_of(article),
        "created": False, "files": [], "pull_request": None, "commit": None, "state": "published",
    }  # fmt: skip
    if head is None and not args.create:
        raise Failure(f"there is no {args.type} {repo}, or the token may not see it",
                      "check the name, or --create makes it", EXIT_USAGE)  # fmt: skip
    wanted = placed(article, files, api, repo, head, args)
    document["files"] = sorted(missing_at(api, repo, head, wanted, args.type)) if head else sorted(wanted)
    if not document["files"]:
        return told(document | {"state": "there already"}, f"{repo} holds all of it already", args)
    numbers = open_proposals(api, repo, TITLE, args.type) if head and not args.direct else []
    if numbers:
        document["files"] = sorted(missing_at(api, repo, f"refs/pr/{numbers[0]}", wanted, args.type))
        document["pull_request"] = proposal_url(api, repo, numbers[0], args.type)
        if not document["files"]:
            sentence = f"{document['pull_request']} proposes all of it already"
            return told(document | {"state": "proposed already"}, sentence, args)
    direct = args.direct or head is None
    how = "make it, and commit to it" if head is None else "commit to main of it" if direct else (
        f"add to pull request {numbers[0]} of it" if numbers else "open a pull request to it")  # fmt: skip
    log("".join(f"  {name} ({len(wanted[name])} bytes)\n" for name in document["files"]).rstrip())
    if not args.yes:
        if args.json:
            emit(document | {"state": "would be published"})
        raise Failure(f"this would send {len(document['files'])} files to {args.type} {repo}: {how}"
                      f"{' (public)' if head is None and args.public else ' (private)' if head is None else ''}",
                      "ask the user, then run it again with --yes", EXIT_UNCONFIRMED)  # fmt: skip
    if head is None:
        create(api, repo, args)
        document["created"] = True
    document |= send(api, repo, {name: wanted[name] for name in document["files"]}, document["title"],
                     None if direct else (numbers[0] if numbers else 0), args)  # fmt: skip
    return told(document, f"published: {document['pull_request'] or document['commit']}", args)


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("article", type=Path, metavar="ARTICLE", help="folder of the article")
    options.add_argument("--repo", required=True, help="id of the repository")
    options.add_argument("--type", choices=["model", "dataset", "space"], default="model")
    options.add_argument("--path", default="article", help="folder in a model or dataset (default: article)")
    options.add_argument("--create", action="store_true", help="make the repository if it is not there")
    options.add_argument("--public", action="store_true", help="with --create: public in place of private")
    options.add_argument("--direct", action="store_true", help="commit to main in place of a pull request")
    options.add_argument("--yes", action="store_true", help="send it")
    options.add_argument("--json", action="store_true", help="print what was done as JSON on standard output")
    args = options.parse_args(argv)
    if not re.fullmatch(r"[\w][\w.-]*(/[\w][\w.-]*)*", args.path) or ".." in args.path:
        options.error("--path is a folder of the repository, such as article or docs/paper")
    return args


def told(document: dict, sentence: str, args) -> int:
    log(sentence) if args.json else say(sentence)
    if args.json:
        emit(document)
    return EXIT_OK


def title_of(article: Article) -> str:
    return f"{TITLE}: {article.header.get('title', 'untitled')}"[:100]


# ---- what is published


def checked_files(article: Article, args) -> dict[str, bytes]:
    """{path: bytes} of the article. Raises Failure unless check_article.py passed exactly these files."""
    again = f"check_article.py {article.folder}"
    check = read_artifact(article.folder / CHECK, "article-check")
    if not check["passed"]:
        found = f"{check['errors']} errors and {check['warnings']} warnings"
        raise Failure(f"the check found {found}", f"mend them, then {again}", EXIT_USAGE)
    now = source_digests(article.folder)
    changed = sorted(name for name in {*now, *check["files"]} if now.get(name) != check["files"].get(name))
    if changed:
        raise Failure(f"not as it was checked: {', '.join(changed[:5])}", again, EXIT_USAGE)
    render = f"render_article.py {article.folder}"
    if stale := stale_renderings(article.folder):
        raise Failure(f"of another text: {', '.join(stale)}", f"{render}, or delete them", EXIT_USAGE)
    files = {path.relative_to(article.folder).as_posix(): path.read_bytes() for path in article_files(article.folder)}
    if args.type == "space" and "article.html" not in files:
        raise Failure("a Space shows article.html, and there is none", render, EXIT_USAGE)
    large = [name for name, data in files.items() if len(data) > LARGEST]
    if large:
        raise Failure(f"{large[0]} has {len(files[large[0]])} bytes", "an article carries figures and results, no data",
                      EXIT_USAGE)  # fmt: skip
    return files


def placed(article: Article, files: dict[str, bytes], api, repo: str, head: str | None, args) -> dict[str, bytes]:
    """{path in the repository: bytes}. A Space shows the article as its page, and keeps the README.md that it has."""
    if args.type != "space":
        return {f"{args.path}/{name}": data for name, data in files.items()}
    wanted = dict(files) | {"index.html": files["article.html"]}
    del wanted["article.html"]
    readme = read_file(api, repo, "README.md", head, "space") if head else None
    if readme is None:
        return wanted | {"README.md": space_card(article).encode()}
    if not re.search(r"^sdk:\s*[\"']?static\b", readme, re.M):
        raise Failure(f"the Space {repo} is an app, and the article would be a page over it", "name a Space of its own "
                      "with --create", EXIT_USAGE)  # fmt: skip
    return wanted


def space_card(article: Article) -> str:
    import yaml

    header = {"title": str(article.header.get("title", "Article"))[:80], "emoji": "📄", "colorFrom": "gray",
              "colorTo": "blue", "sdk": "static", "app_file": "index.html", "pinned": False}  # fmt: skip
    text = yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=1000)
    return (
        f"---\n{text}---\n\nThe page is made from [article.md](article.md); its numbers stand in [results/](results).\n"
    )


# ---- the Hub


def head_of(api, repo: str, args) -> str | None:
    """The newest commit of the repository; None where there is none."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with on_hub(f"looking up the {args.type} {repo}"):
        try:
            return api.repo_info(repo, repo_type=args.type).sha
        except RepositoryNotFoundError:
            return None


def missing_at(api, repo: str, revision: str, wanted: dict[str, bytes], repo_type: str) -> set[str]:
    """Paths of `wanted` that the revision lacks or has with other bytes."""
    from huggingface_hub.hf_api import RepoFile

    with on_hub(f"listing {repo}"):
        tree = list(api.list_repo_tree(repo, recursive=True, revision=revision, repo_type=repo_type))
    there = {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def same(entry: Any, data: bytes) -> bool:
        if entry.lfs:
            return bool(entry.lfs.sha256 == hashlib.sha256(data).hexdigest())
        return bool(entry.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest())  # as git names it

    return {path for path, data in wanted.items() if path not in there or not same(there[path], data)}


def create(api, repo: str, args) -> None:
    more = {"space_sdk": "static"} if args.type == "space" else {}
    with on_hub(f"making the {args.type} {repo}"):
        api.create_repo(repo, repo_type=args.type, private=not args.public, **more)


def send(api, repo: str, files: dict[str, bytes], title: str, number: int | None, args) -> dict:
    """One commit, verified: {pull_request, commit}. `number`: of an open pull request, 0: a new one, None: main."""
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(path, data) for path, data in sorted(files.items())]
    about = "Every number of the article stands in one of its results files; check_article.py held the two together."
    with on_hub(f"publishing to {repo}"):
        made = api.create_commit(
            repo, operations, commit_message=title, commit_description=about, repo_type=args.type,
            create_pr=number == 0, revision=f"refs/pr/{number}" if number else None,
        )  # fmt: skip
    if wrong := missing_at(api, repo, made.oid, files, args.type):
        raise Failure(
            f"{repo} does not hold what was sent: {', '.join(sorted(wrong)[:5])}", "run the same command again"
        )
    address = proposal_url(api, repo, number, args.type) if number else made.pr_url
    return {"pull_request": address, "commit": made.commit_url}


if __name__ == "__main__":
    sys.exit(run(main))
