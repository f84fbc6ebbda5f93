# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3", "jsonschema>=4.21,<5"]
# ///
"""Papers on the Hugging Face Hub: look up, cite, index, claim, and link with models, datasets and Spaces.

PAPER is an arXiv identifier of any age or form: 1706.03762, hep-th/9901001, an address of arXiv or of the Hub, a DOI.
index, claim, page and link write: without --yes they say what they would do (exit 4). link edits cards by pull
request, keeps every other byte, and adds nothing twice.

examples:
  python scripts/paper.py citation 1706.03762 --style apa
  python scripts/paper.py link 1706.03762 --model me/mine --dataset me/rows --yes
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

# region skillpack:arxiv
import re
from typing import NamedTuple
from urllib.parse import unquote

MODERN_ID = re.compile(r"(\d\d)(\d\d)\.(\d{4,5})", re.A)
LEGACY_ID = re.compile(  # until March 2007: the archives that arXiv lists, closed ones too
    r"(acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|dg-ga|"
    r"funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math|math-ph|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics|plasm-ph|"
    r"q-alg|q-bio|quant-ph|solv-int|supr-con)(?:\.[A-Za-z]{2,}(?:-[A-Za-z]+)?)?/(\d\d)(\d\d)(\d{3})",
    re.A,
)
ARXIV_PREFIX = re.compile(
    r"(?:arxiv:\s*|(?:https?://)?(?:[\w-]+\.)*arxiv\.org/(?:abs|pdf|html|format|src|e-print)/"
    r"|(?:https?://)?[\w.:-]+/papers/|(?:https?://)?(?:www\.)?alphaxiv\.org/(?:abs|overview|pdf)/"
    r"|(?:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)?10\.48550/arxiv\.)",
    re.I,
)
ARXIV_SUFFIX = re.compile(r"(?:v([1-9]\d{0,3}))?(?:\.pdf|\.md)?(?:[?#].*)?/?", re.A | re.I | re.S)


class ArxivId(NamedTuple):
    """An identifier without its version: 1706.03762, or hep-th/9901001, whose subject class is dropped."""

    id: str
    version: int | None

    @property
    def legacy(self) -> bool:
        return "/" in self.id

    @property
    def url(self) -> str:
        return f"https://arxiv.org/abs/{self.id}"


def arxiv_id(text: str) -> ArxivId:
    """The identifier that `text` is or links to: bare, arXiv:…, an address of arXiv or the Hub, or its DOI.

    Raises Failure with EXIT_USAGE for anything else, also for a month or a number that arXiv never gave
    (https://info.arxiv.org/help/arxiv_identifier.html).
    """
    found = text.strip()
    if prefix := ARXIV_PREFIX.match(found):
        found = unquote(found[prefix.end() :])
    for pattern in (MODERN_ID, LEGACY_ID):
        match = pattern.match(found)
        rest = ARXIV_SUFFIX.fullmatch(found, match.end()) if match else None
        if match and rest and (known := canonical(match)):
            return ArxivId(known, int(rest[1]) if rest[1] else None)
    raise Failure(
        f"{text[:200]!r} is no arXiv identifier", "such as 1706.03762, hep-th/9901001, or its address", EXIT_USAGE
    )


def canonical(match: re.Match[str]) -> str | None:
    """The identifier as arXiv writes it; None where none of that month has that form."""
    *archive, year, month, number = match.groups()
    since = int(year) * 100 + int(month) + (0 if int(year) < 91 else -10_000)  # 9108, the first month, is -892
    if not 1 <= int(month) <= 12 or not int(number):
        return None
    if archive:
        return f"{archive[0]}/{year}{month}{number}" if -892 <= since <= 703 else None
    return f"{year}{month}.{number}" if since >= 704 and len(number) == (4 if since < 1501 else 5) else None


# endregion skillpack:arxiv

# region skillpack:bibtex
import re
from typing import NamedTuple

#: Fields that an entry cannot do without (BibTeX's own btxdoc, table of entry types); `a|b` is either.
BIB_REQUIRED = {
    "article": ["author", "title", "journal|eprint|doi|url", "year"],
    "book": ["author|editor", "title", "publisher", "year"],
    "inproceedings": ["author", "title", "booktitle", "year"],
    "conference": ["author", "title", "booktitle", "year"],
    "incollection": ["author", "title", "booktitle", "publisher", "year"],
    "phdthesis": ["author", "title", "school", "year"],
    "mastersthesis": ["author", "title", "school", "year"],
    "techreport": ["author", "title", "institution", "year"],
    "proceedings": ["title", "year"],
    "unpublished": ["author", "title", "note"],
    "misc": ["title"],
    "manual": ["title"],
    "software": ["title"],
    "online": ["title", "url"],
}
BIB_SAME = {"year": "date", "journal": "journaltitle", "school": "institution"}  # BibTeX's name -> biblatex's


class BibEntry(NamedTuple):
    kind: str
    key: str
    fields: dict[str, str]
    line: int


def parse_bibtex(text: str) -> tuple[list[BibEntry], list[tuple[int, str]]]:
    """(entries, [(line, what is wrong)]). What cannot be read is told, and reading goes on at the next @."""
    entries, problems = [], []
    for start in re.finditer(r"^[ \t]*@[ \t]*(\w+)[ \t]*\{", text, re.M):
        kind, line = start[1].lower(), text.count("\n", 0, start.start()) + 1
        if kind in ("comment", "preamble", "string"):
            continue
        end = closing_brace(text, start.end() - 1)
        if end is None:
            problems.append((line, f"@{kind} is not closed: a brace is missing"))
            continue
        key, comma, body = text[start.end() : end].partition(",")
        if not re.fullmatch(r"[^\s{}\"#%~,=\\]+", key.strip()) or not comma:
            problems.append((line, f"@{kind} has no citation key before its first comma"))
            continue
        fields, wrong = bib_fields(body)
        problems += [(line, f"{key.strip()}: {each}") for each in wrong]
        entries.append(BibEntry(kind, key.strip(), fields, line))
    return entries, problems


def closing_brace(text: str, opening: int) -> int | None:
    """Where the brace at `opening` is closed; None where it is not, or another entry begins before."""
    depth = 0
    for brace in re.finditer(r"\\.|[{}]|\n[ \t]*@\w+[ \t]*\{", text[opening:], re.S):
        if brace[0].lstrip().startswith("@"):
            return None
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return opening + brace.start()
    return None


def bib_fields(body: str) -> tuple[dict[str, str], list[str]]:
    """({name: value without its braces or quotes}, what is wrong)."""
    fields: dict[str, str] = {}
    problems, at = [], 0
    while start := re.compile(r"[\s,]*([\w-]+)\s*=\s*").match(body, at):
        name, at = start[1].lower(), start.end()
        parts = []
        while True:
            if body[at : at + 1] == "{":
                end = closing_brace(body, at)
                at, value = (len(body), body[at + 1 :]) if end is None else (end + 1, body[at + 1 : end])
            elif quoted := re.compile(r'"((?:[^"{}]|\{[^{}]*\})*)"').match(body, at):
                at, value = quoted.end(), quoted[1]
            elif bare := re.compile(r"[^\s,#{}\"]+").match(body, at):
                at, value = bare.end(), bare[0]
            else:
                problems.append(f"{name} has no value in braces or quotes")
                return fields, problems
            parts.append(value)
            joined = re.compile(r"\s*#\s*").match(body, at)
            if not joined:
                break
            at = joined.end()
        if name in fields:
            problems.append(f"{name} stands there twice")
        fields[name] = " ".join("".join(parts).split())
        if at < len(body) and not re.match(r"\s*(,|$)", body[at:]):
            problems.append(f"a comma is missing after {name}")
    if rest := body[at:].strip(" \t\r\n,"):
        problems.append(f"cannot be read from {rest[:40]!r} on")
    return fields, problems


def check_bibtex(text: str) -> tuple[list[BibEntry], list[tuple[int, str]]]:
    """(entries, [(line, what is wrong)]): that it can be read, and that each entry could be cited."""
    entries, problems = parse_bibtex(text)
    seen: dict[str, int] = {}
    for entry in entries:
        if entry.key.lower() in seen:
            problems.append((entry.line, f"{entry.key}: the key stands in line {seen[entry.key.lower()]} already"))
        seen.setdefault(entry.key.lower(), entry.line)
        problems += [(entry.line, f"{entry.key}: {problem}") for problem in entry_problems(entry)]
    return entries, sorted(problems)


def entry_problems(entry: BibEntry) -> list[str]:
    given = {name for name, value in entry.fields.items() if value}
    problems = [
        f"@{entry.kind} lacks {wanted.replace('|', ' or ')}"
        for wanted in BIB_REQUIRED.get(entry.kind, ["title"])
        if not any({name, BIB_SAME.get(name, name)} & given for name in wanted.split("|"))
    ]
    fields = entry.fields
    if "year" in given and not re.fullmatch(r"(1[5-9]|20)\d\d", fields["year"]):
        problems.append(f"the year {fields['year']!r} is none")
    if re.search(r"\bet\.? al\b", fields.get("author", "")):
        problems.append("authors are joined by `and`; for more of them write `and others`, not et al.")
    if re.search(r",[^,]+,[^,]+,", fields.get("author", "").partition(" and ")[0]):
        problems.append("authors are joined by `and`, not by commas")
    if "doi" in given and not re.fullmatch(r"10\.\d{4,9}/\S+", fields["doi"]):
        problems.append(f"{fields['doi']!r} is no DOI (10.…/…, without an address)")
    if "url" in given and not re.match(r"(\\url\{)?https?://\S+$", fields["url"]):
        problems.append(f"{fields['url']!r} is no address")
    if "eprint" in given and fields.get("archiveprefix", fields.get("eprinttype", "arxiv")).lower() == "arxiv":
        try:
            arxiv_id(fields["eprint"])
        except Failure:
            problems.append(f"eprint {fields['eprint']!r} is no arXiv identifier")
    return problems


# endregion skillpack:bibtex

import datetime
import unicodedata

ARXIV = os.environ.get("ARXIV_ENDPOINT", "https://export.arxiv.org").rstrip("/")
TITLE = "Link the paper"  # of pull requests: by it, open ones are found again
HEADING = re.compile(r"^##+[ \t]+(?:citation|citing|cite|papers?|references?)\b.*$", re.I)
ANY_HEADING = re.compile(r"^#{1,6}[ \t]")
PARTICLE = re.compile(r"af|al|bin|da|del?|della|de[nr]|di|dos|du|el|ibn|la|le|te[nr]|van|von|zu", re.I)  # of families
SUFFIXES = frozenset(["Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV"])
GROUP = re.compile(r"\b(team|collaboration|consortium|group|project|community|institute|lab|labs|ai)\b", re.I)


def main(argv: list[str]) -> int:
    args = arguments(argv)
    return args.command(args)


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    commands = options.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, function: Callable, about: str, paper: bool = True, writes: bool = False):
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(command=function)
        if paper:
            sub.add_argument("paper", metavar="PAPER", type=identifier, help="arXiv identifier or address")
        if writes:
            sub.add_argument("--yes", action="store_true", help="do it")
        sub.add_argument("--json", action="store_true", help="print one JSON document on standard output")
        return sub

    command("info", show_info, "what the Hub knows: title, authors, links, linked repositories")
    command("check", check, "whether the Hub has the paper: exit 0 or 1")
    sub = command("citation", citation, "a citation with all authors")
    sub.add_argument("--style", choices=list(STYLES), default="bibtex")
    sub.add_argument("--et-al", action="store_true", help="shorten the authors as the style's guide does")
    sub.add_argument("--append", type=Path, metavar="FILE", help="add the BibTeX to this file, if it lacks the paper")
    sub = command("search", search, "papers by title, authors and content", paper=False)
    sub.add_argument("query", help="at most 250 characters")
    sub.add_argument("--limit", type=int, default=10, help="1 to 120 (default: 10)")
    sub = command("daily", daily, "daily papers (default: the newest)", paper=False)
    when = sub.add_mutually_exclusive_group()
    when.add_argument("--date", help="YYYY-MM-DD")
    when.add_argument("--week", help="YYYY-Www")
    when.add_argument("--month", help="YYYY-MM")
    sub.add_argument("--submitter", help="only those that this user submitted")
    sub.add_argument("--sort", choices=["publishedAt", "trending"], default="publishedAt")
    sub.add_argument("--limit", type=int, default=10, help="1 to 100 (default: 10)")
    command("index", index, "make the paper's page on the Hub", writes=True)
    sub = command("claim", claim, "claim that you are one of its authors", writes=True)
    sub.add_argument("--author", help="name as in the paper (default: your full name)")
    sub = command("page", page, "set what its page shows; authors and the submitter may", writes=True)
    sub.add_argument("--github", metavar="URL", help="https://github.com/OWNER/NAME, or '' to take it off")
    sub.add_argument("--project-page", metavar="URL", help="an address, or '' to take it off")
    sub.add_argument("--organization", help="name of an organization of yours, or '' to take it off")
    sub = command("link", link, "name the paper in cards, by pull request", writes=True)
    for kind in ("model", "dataset", "space"):
        sub.add_argument(f"--{kind}", action="append", default=[], metavar="ID", help="repository; repeatable")
    sub.add_argument("--no-bibtex", action="store_true", help="the link alone, without a citation to copy")
    sub.add_argument("--direct", action="store_true", help="commit to main in place of a pull request")
    args = options.parse_args(argv)
    if args.command is page and args.github is args.project_page is args.organization is None:
        options.error("page needs --github, --project-page or --organization")
    if args.command is link and not repositories(args):
        options.error("link needs --model, --dataset or --space")
    return args


def identifier(text: str) -> ArxivId:
    try:
        return arxiv_id(text)
    except Failure as failure:
        raise argparse.ArgumentTypeError(str(failure)) from None


def told(args, document: dict, text: str, code: int = EXIT_OK) -> int:
    emit(document) if args.json else say(text)
    return code


def require_yes(args, document: dict, doing: str) -> None:
    """Raises Failure with EXIT_UNCONFIRMED, the plan already printed, unless --yes."""
    if not args.yes:
        if args.json:
            emit(document)
        raise Failure(f"this would {doing}", "ask the user, then run it again with --yes", EXIT_UNCONFIRMED)


# ---- the Hub's papers


def request(method: str, path: str, body: dict | None = None, **query: object) -> Any:
    """The JSON of a call of the papers API, most of which the client has no method for. Raises what the client does."""
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    response = get_session().request(
        method, constants.ENDPOINT + path, json=body, headers=build_hf_headers(),
        params={name: value for name, value in query.items() if value is not None},
    )  # fmt: skip
    hf_raise_for_status(response)
    return response.json()


def on_the_hub(paper: ArxivId) -> dict | None:
    """What the Hub says about the paper; None where it has no page for it."""
    from huggingface_hub.errors import HfHubHTTPError

    if paper.legacy:  # the index takes \d{4}\.\d{4,5} only
        return None
    with on_hub(f"looking up the paper {paper.id}"):
        try:
            return request("GET", f"/api/papers/{paper.id}")
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code == 404:
                return None
            raise


def require_page(paper: ArxivId) -> dict:
    found = on_the_hub(paper)
    if found is None and paper.legacy:
        raise Failure(f"{paper.id}: the Hub has pages for identifiers since April 2007 only", f"link {paper.url}")
    if found is None:
        raise Failure(f"the Hub has no page for {paper.id}", f"paper.py index {paper.id} --yes")
    return found


def summary(found: dict, names: tuple = ("id", "title", "summary", "publishedAt", "upvotes")) -> dict:
    authors = [author.get("name", "") for author in found.get("authors") or []]
    return {name: found.get(name) for name in names} | {"authors": authors}


def show_info(args) -> int:
    from huggingface_hub import HfApi

    found = require_page(args.paper)
    tag, api = f"arxiv:{args.paper.id}", HfApi()
    with on_hub("listing what is linked to the paper"):
        linked = {
            "models": [each.id for each in api.list_models(filter=tag, limit=100)],
            "datasets": [each.id for each in api.list_datasets(filter=tag, limit=100)],
            "spaces": [each.id for each in api.list_spaces(filter=tag, limit=100)],
        }
    claimed = {
        author["name"]: {"user": (author.get("user") or {}).get("user"), "status": author.get("status")}
        for author in found["authors"] if author.get("user")
    }  # fmt: skip
    document = {"schema": "skillpack/paper/1", **summary(found), "url": address(args.paper), "arxiv": args.paper.url,
                "github": found.get("githubRepo"), "project_page": found.get("projectPage"),
                "organization": (found.get("organization") or {}).get("name"), "claimed": claimed,
                "linked": linked}  # fmt: skip
    lines = [f"{found['title']}\n{', '.join(document['authors'])}\n{document['url']}"]
    lines += [f"{name}: {value}" for name in ("github", "project_page", "organization") if (value := document[name])]
    lines += [f"claimed: {name} by {who['user']} ({who['status']})" for name, who in claimed.items()]
    lines += [f"{name}: {', '.join(ids)}" for name, ids in linked.items() if ids]
    return told(args, document, "\n".join(lines))


def check(args) -> int:
    found = on_the_hub(args.paper)
    document = {"id": args.paper.id, "indexed": found is not None, "url": address(args.paper) if found else None}
    return told(args, document, document["url"] or f"{args.paper.id} is not on the Hub", EXIT_OK if found else EXIT_NO)


def address(paper: ArxivId) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/papers/{paper.id}"


def search(args) -> int:
    if not 0 < len(args.query) <= 250 or not 1 <= args.limit <= 120:
        raise Failure("a query has 1 to 250 characters, a limit 1 to 120", "shorten it", EXIT_USAGE)
    with on_hub("searching papers"):
        return listed(args, request("GET", "/api/papers/search", q=args.query, limit=args.limit))


def daily(args) -> int:
    if not 1 <= args.limit <= 100:
        raise Failure("a limit is 1 to 100", "--limit 100 at most", EXIT_USAGE)
    with on_hub("listing daily papers"):
        found = request("GET", "/api/daily_papers", date=args.date, week=args.week, month=args.month,
                        submitter=args.submitter, sort=args.sort, limit=args.limit)  # fmt: skip
    return listed(args, found)


def listed(args, found: list[dict]) -> int:
    papers = [summary(each["paper"]) for each in found]
    lines = [f"{paper['id']}  {paper['title']}" for paper in papers]
    return told(args, {"papers": papers}, "\n".join(lines) or "none", EXIT_OK if papers else EXIT_NO)


# ---- index, claim, the paper's page


def index(args) -> int:
    document = {"id": args.paper.id, "url": address(args.paper), "indexed": True, "was_there": True}
    if on_the_hub(args.paper):
        return told(args, document, f"{document['url']} is there already")
    if args.paper.legacy:
        require_page(args.paper)
    _, who = sign_in()
    require_yes(args, document | {"indexed": False, "was_there": False}, f"make {document['url']} as {who['name']}")
    with on_hub(f"indexing {args.paper.id}"):
        request("POST", "/api/papers/index", {"arxivId": args.paper.id})
    if not on_the_hub(args.paper):
        raise Failure(f"the Hub took {args.paper.id} and does not show it yet", "run the same command in a minute")
    return told(args, document | {"was_there": False}, document["url"])


def plain(name: str) -> str:
    """A name without case, accents and punctuation: how two spellings of it are told to be one."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c)).split())


def claim(args) -> int:
    found = require_page(args.paper)
    _, who = sign_in()
    wanted = args.author or who.get("fullname") or who["name"]
    authors = [author for author in found["authors"] if plain(author["name"]) == plain(wanted)]
    if len(authors) != 1:
        names = "; ".join(author["name"] for author in found["authors"])
        raise Failure(f"{wanted!r} is {'more than one' if authors else 'none'} of the authors: {names}",
                      "name one with --author, as it is written there", EXIT_USAGE)  # fmt: skip
    (author,) = authors
    holder = (author.get("user") or {}).get("user")
    document = {"id": args.paper.id, "author": author["name"], "user": who["name"], "status": author.get("status")}
    if holder == who["name"]:
        return told(args, document, f"{author['name']} is claimed by {holder} already ({author.get('status')})")
    if holder:
        raise Failure(f"{author['name']} is claimed by {holder}", "write to the Hub's support if that is wrong",
                      EXIT_NO)  # fmt: skip
    require_yes(args, document, f"claim that {who['name']} is {author['name']}, author of {found['title']}")
    body = {"paperId": args.paper.id, "claimAuthorId": author["_id"], "targetUserId": who.get("id")}
    with on_hub("claiming authorship"):
        request("POST", "/api/settings/papers/claim", {name: value for name, value in body.items() if value})
    again = next(each for each in require_page(args.paper)["authors"] if each["_id"] == author["_id"])
    document["status"] = again.get("status") or "sent, and not shown yet"
    return told(args, document, f"claimed {author['name']}: {document['status']}")


def page(args) -> int:
    found = require_page(args.paper)
    _, who = sign_in()
    body = {"githubRepo": args.github, "projectPage": args.project_page}
    if args.organization:
        known = {org["name"].lower(): org["id"] for org in who.get("orgs", []) if org.get("id")}
        if args.organization.lower() not in known:
            raise Failure(f"{who['name']} is not in {args.organization!r}", f"one of: {', '.join(known) or 'none'}",
                          EXIT_USAGE)  # fmt: skip
        body["organizationId"] = known[args.organization.lower()]
    elif args.organization is not None:
        body["organizationId"] = ""
    body = {name: value for name, value in body.items() if value is not None}
    now = {"githubRepo": found.get("githubRepo", ""), "projectPage": found.get("projectPage", ""),
           "organizationId": (found.get("organization") or {}).get("_id", "")}  # fmt: skip
    changes = {name: value for name, value in body.items() if now[name] != value}
    document = {"id": args.paper.id, "url": address(args.paper), "changed": changes}
    if not changes:
        return told(args, document, "the page shows that already")
    require_yes(args, document, f"set {changes} on {document['url']}")
    with on_hub("changing the paper's page; its authors and its submitter may (paper.py claim)"):
        request("POST", f"/api/papers/{found.get('_id', found['id'])}/links", changes)
    return told(args, document, f"{document['url']}: {', '.join(changes)} set")


# ---- links in cards


def repositories(args) -> list[tuple[str, str]]:
    return [(kind, repo) for kind in ("model", "dataset", "space") for repo in getattr(args, kind)]


def link(args) -> int:
    api, who = sign_in()
    paper = metadata(args.paper)
    done: list[dict] = []
    plans = [(kind, repo, *change(api, kind, repo, args, paper)) for kind, repo in repositories(args)]
    for kind, repo, _, before, after in plans:
        outcome = {"repo": repo, "type": kind, "diff": diff_of("README.md", before, after), "pull_request": None,
                   "commit": None, "state": "added"}  # fmt: skip
        if before == after:
            outcome["state"] = "names it already"
        elif number := proposed(api, kind, repo, args.paper):
            outcome |= {"state": "proposed already", "pull_request": proposal_url(api, repo, number, kind)}
        elif args.direct:
            full_id(who, repo)
        log(outcome["diff"] or f"{repo} names the paper already")
        done.append(outcome)
    document = {"schema": "skillpack/paper-links/1", "id": args.paper.id, "repos": done}
    wanted = [each["repo"] for each in done if each["state"] == "added"]
    if wanted:
        pending = {**document, "repos": [each | {"state": "would be added"} if each["state"] == "added" else each
                                         for each in done]}  # fmt: skip
        where = "on main" if args.direct else "by pull request"
        require_yes(args, pending, f"edit the cards of {', '.join(wanted)} {where}")
    title = f"{TITLE} arXiv:{args.paper.id}"
    for outcome, (kind, repo, head, _, after) in zip(done, plans, strict=True):
        if outcome["state"] == "added":
            outcome |= commit_file(api, repo, "README.md", after, head, title, paper["title"], args.direct, kind)
    lines = [f"{each['repo']}: {each['pull_request'] or each['commit'] or each['state']}" for each in done]
    return told(args, document, "\n".join(lines))


def proposed(api, kind: str, repo: str, paper: ArxivId) -> int | None:
    """The number of an open pull request of this script's whose card names the paper."""
    numbers = open_proposals(api, repo, TITLE, kind)
    return next((n for n in numbers if names_paper(read_file(api, repo, "README.md", f"refs/pr/{n}", kind) or "",
                                                   paper)), None)  # fmt: skip


def change(api, kind: str, repo: str, args, paper: dict) -> tuple[str, str, str]:
    """(commit that was read, the card, the card with the link)."""
    with on_hub(f"looking up {repo}"):
        head = api.repo_info(repo, repo_type=kind).sha
    before = read_file(api, repo, "README.md", head, kind) or ""
    if names_paper(before, args.paper):
        return head, before, before
    return head, before, linked_card(before, repo, args.paper, paper, not args.no_bibtex)


def names_paper(card: str, paper: ArxivId) -> bool:
    """Whether the card links to the paper so that the Hub tags it: an address of arXiv or of the Hub."""
    places = r"(?:arxiv\.org/(?:abs|pdf|html)/|[\w.:-]+/papers/)"
    return bool(re.search(places + re.escape(paper.id) + r"(?!\d)", card))


def linked_card(card: str, repo: str, paper: ArxivId, found: dict, bibtex: bool) -> str:
    """The card with the link at the end of its section on papers or citation, or in a new one at its end.

    Nothing is taken away: the result less what was put in is the card, byte for byte.
    """
    newline = "\r\n" if "\r\n" in card else "\n"
    entry = [f"Paper: [{escaped(found['title'])}]({paper.url if paper.legacy else address_of(paper)})"]
    if bibtex:
        entry += ["", "```bibtex", *bibtex_entry(found).splitlines(), "```"]
    text = newline.join([*entry, ""])
    if not card.strip():
        return card + newline.join([f"# {repo.partition('/')[2]}", "", "## Citation", "", text])
    lines = card.splitlines(keepends=True)
    section = next((number for number, line in prose_lines(lines) if HEADING.match(line.rstrip("\r\n"))), None)
    if section is None:
        gap = newline if card.endswith(("\n", "\r")) else newline * 2
        return card + gap + newline.join(["## Citation", "", text])
    following = (number for number, line in prose_lines(lines) if number > section and ANY_HEADING.match(line))
    end = next(following, len(lines))
    while end > section + 1 and not lines[end - 1].strip():
        end -= 1
    start = "" if lines[end - 1].endswith(("\n", "\r")) else newline
    return "".join([*lines[:end], start, newline, text, *lines[end:]])


def address_of(paper: ArxivId) -> str:
    return f"https://huggingface.co/papers/{paper.id}"


def prose_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """(index, line) of the lines outside the YAML header and outside fences, in which # is no heading."""
    fence, first = "", 0
    if lines and lines[0].strip().lstrip("\ufeff") == "---":
        first = next((n + 1 for n, line in enumerate(lines[1:], 1) if line.strip() == "---"), 0)
    for number, line in enumerate(lines[first:], first):
        mark = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if mark and (not fence or (mark[1].startswith(fence) and not line.strip().strip(fence[0]))):
            fence = "" if fence else mark[1]
        elif not fence:
            yield number, line


def escaped(title: str) -> str:
    return re.sub(r"([\[\]\\`*_<])", r"\\\1", title)


# ---- citations


def metadata(paper: ArxivId) -> dict:
    """{id, legacy, title, authors, date, category}: from the Hub, or from arXiv where the Hub lacks the paper."""
    found = on_the_hub(paper)
    if found:
        return {"paper": paper, "title": found["title"], "authors": summary(found)["authors"], "category": None,
                "date": found["publishedAt"][:10], "source": "the Hub"}  # fmt: skip
    return from_arxiv(paper)


def from_arxiv(paper: ArxivId) -> dict:
    """The same from arXiv's API (https://info.arxiv.org/help/api/user-manual.html). Raises Failure."""
    import xml.etree.ElementTree as etree

    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client's own httpx
    from huggingface_hub.utils import get_session

    names = {"a": "http://www.w3.org/2005/Atom", "x": "http://arxiv.org/schemas/atom"}
    log(f"the Hub has no page for {paper.id}: asking arXiv")
    try:
        response = get_session().get(f"{ARXIV}/api/query", params={"id_list": paper.id}, timeout=60)
    except (HTTPError, OSError) as error:
        raise Failure(f"{ARXIV} cannot be reached ({error})", "check the network, or index the paper first") from None
    if response.status_code != 200:
        raise Failure(f"{ARXIV} answered {response.status_code}", "wait a few seconds, and run the same command again")
    try:
        entry = etree.fromstring(response.content).find("a:entry", names)
        title = entry.findtext("a:title", "", names) if entry is not None else ""
        # arXiv answers an error with status 200 and an entry whose id says so
        if entry is None or not title or "/api/errors" in entry.findtext("a:id", "", names):
            raise Failure(f"arXiv has no paper {paper.id}", "check the identifier", EXIT_USAGE)
        category = entry.find("x:primary_category", names)
        authors = [name.text or "" for name in entry.findall("a:author/a:name", names)]
        return {"paper": paper, "title": " ".join(title.split()),
                "authors": [" ".join(name.split()) for name in authors if name.strip()],
                "category": category.get("term") if category is not None else None,
                "date": entry.findtext("a:published", "", names)[:10], "source": "arXiv"}  # fmt: skip
    except etree.ParseError as error:
        raise Failure(f"{ARXIV} did not answer with a feed: {error}", "check ARXIV_ENDPOINT and the network") from None


def citation(args) -> int:
    found = metadata(args.paper)
    text = STYLES[args.style](found, args.et_al)
    document = {"id": args.paper.id, "style": args.style, "citation": text, "title": found["title"],
                "authors": found["authors"], "date": found["date"], "source": found["source"],
                "appended": None}  # fmt: skip
    if args.append:
        document["appended"] = append(args.append, args.paper, bibtex_entry(found))
    return told(args, document, text)


def append(path: Path, paper: ArxivId, entry: str) -> bool:
    """Adds the entry at the end of a .bib file; False where it has the paper or its key. Raises Failure."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    known, _ = parse_bibtex(text)
    ((new,), _) = parse_bibtex(entry)
    fields = " ".join(value for each in known for value in each.fields.values())
    if re.search(rf"(?<![\w.]){re.escape(paper.id)}(?!\d)", fields):
        log(f"{path} has {paper.id} already")
        return False
    if new.key in {each.key for each in known}:
        raise Failure(f"{path} has another entry with the key {new.key}", "rename that one first", EXIT_USAGE)
    write_atomic(path, text + ("" if text.endswith("\n") or not text else "\n") + ("\n" if text else "") + entry + "\n")
    return True


def split_name(name: str) -> tuple[str, str, str]:
    """(given, family, suffix) of a person's name as arXiv writes it; a group's name is all family."""
    if name.count(",") == 1:
        family, given = (part.strip() for part in name.split(","))
        return (family, "", given) if given in SUFFIXES else (given, family, "")
    words = name.split()
    if len(words) < 2 or GROUP.search(name):
        return "", name, ""
    suffix = words.pop() if words[-1] in SUFFIXES and len(words) > 2 else ""
    first = len(words) - 1
    while first > 1 and PARTICLE.fullmatch(words[first - 1]):
        first -= 1
    return " ".join(words[:first]), " ".join(words[first:]), suffix


def initials(given: str) -> str:
    """Ashish N. -> A. N., Jean-Luc -> J.-L."""
    parts = [[part for part in word.split("-") if part] for word in given.replace(".", ". ").split()]
    return " ".join("-".join(f"{part[0].upper()}." for part in word) for word in parts if word)


def inverted(name: str, given_of: Callable[[str], str] = str) -> str:
    """Family, Given[, suffix]."""
    given, family, suffix = split_name(name)
    return ", ".join(part for part in (family, given_of(given), suffix) if part)


def joined(names: list[str], last: str) -> str:
    return f"{', '.join(names[:-1])}, {last} {names[-1]}" if len(names) > 1 else "".join(names)


def apa(found: dict, et_al: bool = False) -> str:
    """APA 7, 9.8: up to twenty authors are all named, of more the first nineteen and the last."""
    names = [inverted(name, initials) for name in found["authors"]]
    who = f"{', '.join(names[:19])}, … {names[-1]}" if et_al and len(names) > 20 else joined(names, "&")
    return f"{stopped(who)} ({found['date'][:4]}). {stopped(found['title'])} arXiv. https://doi.org/{doi(found)}"


def mla(found: dict, et_al: bool = False) -> str:
    """MLA 9, 5.5: of three or more authors the first, et al."""
    names = [inverted(found["authors"][0]), *found["authors"][1:]] if found["authors"] else []
    who = f"{names[0]}, et al." if et_al and len(names) > 2 else joined(names, "and")
    day = datetime.date.fromisoformat(found["date"])
    month = day.strftime("%B") if len(day.strftime("%B")) < 5 else day.strftime("%b.").replace("Sep.", "Sept.")
    return f"{stopped(who)} “{stopped(found['title'])}” arXiv, {day.day} {month} {day.year}, {found['paper'].url[8:]}."


def chicago(found: dict, et_al: bool = False) -> str:
    """Chicago 17, 14.76 (bibliography): up to ten authors are all named, of more the first seven, et al."""
    names = [inverted(found["authors"][0]), *found["authors"][1:]] if found["authors"] else []
    who = f"{', '.join(names[:7])}, et al." if et_al and len(names) > 10 else joined(names, "and")
    day = datetime.date.fromisoformat(found["date"])
    return (f"{stopped(who)} “{stopped(found['title'])}” arXiv:{found['paper'].id}. Preprint, arXiv, "
            f"{day.strftime('%B')} {day.day}, {day.year}. https://doi.org/{doi(found)}.")  # fmt: skip


def stopped(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def doi(found: dict) -> str:
    return f"10.48550/arXiv.{found['paper'].id}"


def bibtex_entry(found: dict, et_al: bool = False) -> str:
    """@misc with all authors; capitals inside words are kept by braces, TeX's own characters are escaped."""
    paper, year = found["paper"], found["date"][:4]
    family = plain(split_name(found["authors"][0])[1]).replace(" ", "") if found["authors"] else "anonymous"
    words = plain(found["title"]).split()
    word = next((word for word in words if len(word) > 3), words[0] if words else "paper")
    ascii_key = "".join(c for c in f"{family}{year}{word}" if c.isascii()) or f"arxiv{year}"
    names = [f"{{{tex(name)}}}" if not split_name(name)[0] else tex(inverted(name)) for name in found["authors"]]
    title = " ".join(f"{{{tex(w)}}}" if re.search(r"\w.*[A-Z]|[0-9]", w) else tex(w) for w in found["title"].split())
    fields = {"title": title, "author": " and ".join(names), "year": year, "eprint": paper.id,
              "archivePrefix": "arXiv", "primaryClass": found["category"] if not paper.legacy else None,
              "url": paper.url}  # fmt: skip
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{ascii_key},\n" + ",\n".join(lines) + "\n}"


def tex(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c, f"\\{c}" if c in "&%$#_" else c) for c in text)


STYLES = {"bibtex": bibtex_entry, "apa": apa, "mla": mla, "chicago": chicago}


if __name__ == "__main__":
    sys.exit(run(main))
