# /// script
# requires-python = ">=3.10"
# dependencies = ["PyYAML>=6,<7", "jsonschema>=4.21,<5"]
# ///
"""Hold an article against its files: numbers, links, figures, sections, references; list what is claimed without proof.

ARTICLE is a folder with article.md. A number followed by <!--FILE#/PLACE--> must be the value at that place, rounded as
it is written (<!--FILE#/PLACE *100--> times 100); <!--source: WHY--> says why a number stands in no file. Numbers
without a mark are looked up in results/*.json and in --results. Writes article-check.json, which publish_article.py
asks for, and exits 1 on any error.

errors    a number that disagrees with its file or stands in none (with a decimal point or %), a broken link or figure,
          a section that is missing or empty, a TODO, a citation without its entry, BibTeX that cannot be cited,
          a results file or figure that changed since the article was made, a folder of this machine
warnings  a number without a mark, a claim without a citation or number, an entry that is not cited, a figure without
          words, a rendering of an older text, with --online a model or dataset that not everybody can see (with
          --strict errors, too)
notices   what to look at before publishing: points that are open, results that look made up (a log that is a straight
          line, say), names on the Hub that were not looked up; they fail nothing

examples:
  python scripts/check_article.py article
  python scripts/check_article.py paper --results evals/mine/eval.json --online --update --json
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

import bisect
import datetime
from functools import lru_cache
from itertools import pairwise

TEMPLATE_FOLDER = Path(__file__).resolve().parent.parent / "assets" / "templates"
#: What any article needs, where its template is not one of ours: one of the names of each.
SECTIONS = [("abstract", "summary", "in short"), ("result", "evaluation", "what it shows", "experiments"),
            ("limitation", "what it does not show"), ("reference", "bibliography")]  # fmt: skip
CLAIM = re.compile(
    r"\b(state[- ]of[- ]the[- ]art|sota|outperform\w*|best|first to|novel|significant(?:ly)?|superior|surpass\w*|"
    r"well[- ]known|widely|it is known|has been shown|have shown|studies|research shows|prior work|previous work|"
    r"proven|guarantee\w*|always|never fails|human[- ]level|faster than|better than|worse than)\b",
    re.I,
)
CITATION = re.compile(r"(?<![\w\\])-?@(?:\{([^}\s]+)\}|([A-Za-z0-9_][\w:.#$%&+?<>~/-]*[\w]|[A-Za-z0-9_]))")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]*)>?(?:\s+[\"'][^)]*)?\)")
#: Digits that are no result: dates, versions, ordinals of things, years, levels of confidence.
NO_RESULT = re.compile(
    r"\b\d{4}-\d\d(?:-\d\d)?\b|\b[vV]?\d+(?:\.\d+){2,}\S*|\b(?:19|20)\d\d\b(?![.,]\d)"
    r"|\b9[059]\s?%(?=\s(?:confidence )?interval)"
    r"|\b(?:sections?|tables?|figures?|fig\.|equations?|appendix|steps?|stages?|seed|version|python|chapter)\s+\d+\b"
    r"|^\s*\d+[.)]\s",
    re.I | re.M,
)
PRIVATE = re.compile(r"(?<![\w.])(?:/home/|/Users/|/root/|/tmp/|[A-Za-z]:\\Users\\)[^\s\"'<>)`\\]+")
MAGIC = {
    ".png": b"\x89PNG\r\n\x1a\n",
    ".jpg": b"\xff\xd8\xff",
    ".jpeg": b"\xff\xd8\xff",
    ".gif": b"GIF8",
    ".pdf": b"%PDF",
}
SECONDS = 20  # that an address may take to answer


def main(argv: list[str]) -> int:
    options = parser(__doc__)
    options.add_argument("article", type=Path, metavar="ARTICLE", help="folder of the article")
    options.add_argument("--results", type=Path, nargs="+", default=[], metavar="FILE",
                         help="files in which numbers without a mark are looked up, beside results/*.json")  # fmt: skip
    options.add_argument("--update", action="store_true", help="write what the files say over numbers that disagree")
    options.add_argument("--online", action="store_true", help="ask every address, and the Hub for models and datasets")
    options.add_argument("--strict", action="store_true", help="exit 1 on warnings, too")
    options.add_argument("--json", action="store_true", help="print article-check.json on standard output")
    args = options.parse_args(argv)
    article = read_article(args.article)
    results = Results(article.folder, args.results)
    updated = 0
    if args.update:
        text, updated = with_updates(article.text, results)
        if updated:
            write_atomic(article.folder / ARTICLE, text)
            article = read_article(args.article)
    check = Check(article, results)
    for judge in (check.numbers, check.links, check.sections, check.references, check.claims, check.files, check.open):
        judge()
    check.results_that_look_made_up()
    check.names(args.online)
    if args.online:
        check.addresses()
    findings = sorted(check.findings, key=lambda each: (each["line"], each["kind"], each["message"]))
    errors, warnings, notices = (sum(each["severity"] == severity for each in findings)
                                 for severity in ("error", "warning", "notice"))  # fmt: skip
    document = {
        "schema": "skillpack/article-check/1", "checked": now(), "passed": not errors, "strict": args.strict,
        "errors": errors, "warnings": warnings, "notices": notices, "updated": updated, "online": args.online,
        "numbers": check.counts, "files": source_digests(article.folder), "findings": findings,
    }  # fmt: skip
    document["passed"] = not errors and not (args.strict and warnings)
    write_artifact(article.folder / CHECK, document)
    for each in findings:
        log(f"{ARTICLE}:{each['line']}: {each['severity']} {each['kind']}: {each['message']}")
    counts = check.counts
    sentence = (f"{errors} errors, {warnings} warnings, {notices} notices ({check.unsaid} open points); "
                f"{counts['traced']} numbers are what their files say, {counts['disagree']} are not, "
                f"{counts['stated']} have a reason, {counts['untraced']} no mark"
                + (f"; {updated} were brought up to date" if updated else ""))  # fmt: skip
    if args.json:
        log(sentence)
    emit(document) if args.json else say(sentence)
    return EXIT_OK if document["passed"] else EXIT_NO


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


# ---- the results files


class Results:
    """The JSON files in which numbers stand, each read once."""

    def __init__(self, folder: Path, more: list[Path]) -> None:
        self.folder = folder.resolve()
        self.documents: dict[str, Any] = {}
        for path in sorted(folder.glob("results/**/*.json")):
            self.read(path.relative_to(folder).as_posix(), path)
        for path in more:
            if not path.is_file():
                raise Failure(f"{path} is not there", "give results files as JSON", EXIT_USAGE)
            self.read(path.name, path)

    def read(self, name: str, path: Path) -> None:
        try:
            self.documents[name] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Failure(f"{path}: not JSON: {error}", "make it again", EXIT_USAGE) from None

    def value(self, file: str, pointer: str, factor: str | None) -> float:
        """The number of a mark. Raises KeyError with words where there is none."""
        if file not in self.documents:
            path = (self.folder / file).resolve()
            if not path.is_relative_to(self.folder) or not path.is_file():
                raise KeyError(f"the file {file} is not in the article's folder")
            self.read(file, path)
        try:
            value = value_at(self.documents[file], pointer)
        except KeyError as error:
            raise KeyError(f"{file} has no {pointer} ({error.args[0]!r} is not there)") from None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise KeyError(f"{file} has no number at {pointer}")
        try:
            return times(value, factor)
        except (ValueError, ZeroDivisionError):
            raise KeyError(f"{factor!r} is no factor such as *100") from None

    def places(self, shown: str, percent: bool) -> list[str]:
        """Where a number that is written so stands, at most four places; as a share too where % follows."""
        found = []
        for file, document in self.documents.items():
            for pointer, value in leaves(document):
                if agrees(shown, value):
                    found.append(f"{file}#{pointer}")
                elif percent and agrees(shown, value * 100):
                    found.append(f"{file}#{pointer} *100")
                if len(found) == 4:
                    return found
        return found


def leaves(value: Any, at: tuple = ()) -> Any:
    """(pointer, number) of every number below `value`."""
    if isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(each, (*at, key))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield mark_of("", at)[len("<!--#") : -len("-->")], value


MARKED = re.compile(f"(?P<number>{NUMBER.pattern})(?:\\s?%|x)?{MARK.pattern}")


def with_updates(text: str, results: Results) -> tuple[str, int]:
    """(the text with each marked number that disagrees written anew in its own form, how many)."""
    changed = 0

    def renew(match: re.Match) -> str:
        nonlocal changed
        if match["why"] is not None:
            return match[0]
        try:
            value = results.value(match["file"], match["pointer"], match["factor"])
        except KeyError:
            return match[0]
        if agrees(match["number"], value):
            return match[0]
        changed += 1
        return in_form(match["number"], value) + match[0][len(match["number"]) :]

    return MARKED.sub(renew, text), changed


def in_form(shown: str, value: float) -> str:
    """`value` with the sign, commas, digits and power of `shown`."""
    decimals = len(shown.lower().partition("e")[0].partition(".")[2])
    sign, comma = "+" if shown.startswith("+") else "", "," if "," in shown else ""
    text = format(value, f"{sign}{comma}.{decimals}{'e' if 'e' in shown.lower() else 'f'}")
    return text.replace("-", "\u2212", 1) if shown.startswith("\u2212") and value < 0 else text


# ---- what is found


class Check:
    def __init__(self, article: Article, results: Results) -> None:
        self.article, self.results = article, results
        self.findings: list[dict] = []
        self.counts = {"traced": 0, "disagree": 0, "stated": 0, "untraced": 0}
        self.unsaid = 0
        self.bare = without_code(article.body)  # of the same length, so that places are places of the body
        self.prose = blanked(blanked(self.bare, MARKED), re.compile(r"<!--.*?-->", re.S))

    def found(self, severity: str, kind: str, at: int, message: str, **more: object) -> None:
        """A finding at an offset of the body; 0 is its first line."""
        line = self.article.body_line + self.article.body.count("\n", 0, at)
        self.findings.append({"severity": severity, "kind": kind, "line": line, "message": message, **more})

    def numbers(self) -> None:
        marked = [match.span() for match in MARKED.finditer(self.bare)]
        for match in MARKED.finditer(self.bare):
            if match["why"] is not None:
                self.counts["stated"] += 1
                if not match["why"].strip():
                    self.found("error", "number", match.start(), f"{match['number']}: its source is empty")
                continue
            try:
                value = self.results.value(match["file"], match["pointer"], match["factor"])
            except KeyError as error:
                self.counts["disagree"] += 1
                self.found("error", "number", match.start(), f"{match['number']}: {error.args[0]}")
                continue
            if agrees(match["number"], value):
                self.counts["traced"] += 1
            else:
                self.counts["disagree"] += 1
                self.found("error", "number", match.start(), f"{match['number']} is written, and {match['file']}"
                           f"#{match['pointer']} says {value:.10g}", written=match["number"], value=value)  # fmt: skip
        for match in MARK.finditer(self.bare):
            if not any(start <= match.start() < end for start, end in marked):
                self.found("error", "number", match.start(), f"the mark {match[0]} has no number right before it")
        self.unmarked()

    def unmarked(self) -> None:
        """Numbers in text and tables that no mark traces: in a results file, in none, or in a sentence that cites."""
        text = blanked(self.prose, NO_RESULT)
        for pattern in (LINK, CITATION, re.compile(r"^#+ .*$|^\s*\|.*\|\s*\n(?=\s*\|[\s:|-]+\|\s*$)", re.M)):
            text = blanked(text, pattern)  # headings, and the heads of tables
        for match in NUMBER.finditer(text):
            percent = bool(re.match(r"\s?(?:%|percent)", text[match.end() :]))
            self.counts["untraced"] += 1
            if CITATION.search(sentence_at(self.prose, match.start())):
                continue
            places = self.results.places(match[0], percent)
            measured = not places and (percent or "." in match[0])
            said = f"it stands in {', '.join(places)}" if places else "it stands in no results file"
            self.found("error" if measured else "warning", "number" if measured else "unmarked", match.start(),
                       f"{match[0]} has no mark and no citation; {said}", written=match[0], places=places)  # fmt: skip

    def links(self) -> None:
        anchors = {anchor(title) for _, _, title in headings(self.bare)}
        for match in LINK.finditer(self.bare):
            image, words, target = match[1] == "!", match[2], match[3]
            if image and not words.strip():
                self.found("warning", "figure", match.start(), f"{target} has no words for who cannot see it")
            if re.match(r"(https?|mailto|data|doi):", target):
                continue
            path, _, fragment = unquote(target).partition("#")
            if not path:
                if fragment and fragment not in anchors:
                    self.found("error", "link", match.start(), f"#{fragment} is no section of the article")
                elif not fragment:
                    self.found("error", "link", match.start(), f"[{words}] links to nothing")
                continue
            file = (self.article.folder / path).resolve()
            kind = "figure" if image else "link"
            if not file.is_relative_to(self.article.folder.resolve()):
                self.found(
                    "error", kind, match.start(), f"{path} leaves the article's folder: it is not published with it"
                )
            elif not file.exists():
                self.found("error", kind, match.start(), f"{path} is not there")
            elif image and (broken := broken_picture(file)):
                self.found("error", "figure", match.start(), f"{path} {broken}")

    def open(self) -> None:
        """What the authors have not stated: fine to publish, if they mean to."""
        for match in re.finditer(r"<!--\s*open\s*-->", self.bare):
            self.unsaid += 1
            start, end = sentence_span(self.prose, match.start() - 1)
            sentence = " ".join(re.sub(r"<!--.*?-->", "", self.article.body[start:end]).split())
            self.found("notice", "open", match.start(), f"answer it, or leave it open: {sentence[:160]}")
        if re.search(r"^title:.*# made from the run", self.article.text, re.M):
            self.found("notice", "open", 0, "the title was made from the run: ask the author")

    def results_that_look_made_up(self) -> None:
        for file, document in self.results.documents.items():
            for sign in signs_of_making(document) if isinstance(document, dict) else ():
                self.found("notice", "sanity", 0, f"look at this before publishing: {file}: {sign}")

    def names(self, online: bool) -> None:
        """Models and datasets of the results: an article that everybody reads should name what everybody sees."""
        import urllib.error
        import urllib.request

        named = sorted({each for document in self.results.documents.values() for each in hub_names(document)})
        if named and not online:
            told = ", ".join(name for _, name in named)
            self.found("notice", "name", 0, f"not looked up whether everybody can see {told}: --online asks the Hub")
        hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        for kind, name in named if online else ():
            try:  # without a token: as any reader
                urllib.request.urlopen(f"{hub}/api/{kind}s/{name}", timeout=SECONDS).close()
            except urllib.error.HTTPError as error:
                if error.code in (401, 403, 404):
                    self.found("warning", "name", 0, f"{kind} {name} is private or not on the Hub ({error.code}): may "
                               "its name be told?")  # fmt: skip
                else:
                    self.found("warning", "name", 0, f"{kind} {name}: the Hub answers {error.code}; ask again later")
            except OSError as error:
                self.found("warning", "name", 0, f"{kind} {name}: the Hub cannot be reached ({error})")

    def addresses(self) -> None:
        """Every address of the article, asked once."""
        import urllib.error
        import urllib.request

        pattern = re.compile(r"https?://[^\s<>()\"'`\]]+")
        asked: dict[str, str | None] = {}
        for match in pattern.finditer(self.article.body):
            address = match[0].rstrip(".,;:")
            if address not in asked:
                request = urllib.request.Request(address, headers={"User-Agent": "check_article"})
                try:
                    with urllib.request.urlopen(request, timeout=SECONDS):
                        asked[address] = None
                except urllib.error.HTTPError as error:
                    asked[address] = None if error.code in (401, 403, 405, 429) else f"answers {error.code}"
                except (OSError, ValueError) as error:
                    asked[address] = f"cannot be reached ({error})"
            if problem := asked[address]:
                self.found("error", "link", match.start(), f"{address} {problem}")

    def sections(self) -> None:
        for name in ("title", "author", "date"):
            if not self.article.header.get(name):
                self.found("error", "section", 0, f"the header has no {name}")
        found = headings(self.bare)
        titles = [title.lower() for _, _, title in found]
        template = TEMPLATE_FOLDER / f"{self.article.template}.md"
        if self.article.template in TEMPLATES and template.is_file():
            wanted = [(title.lower(),) for _, _, title in headings(template.read_text(encoding="utf-8"))
                      if not title.endswith("(optional)")]  # fmt: skip
            missing = [names for names in wanted if names[0] not in titles]
        else:
            missing = [names for names in SECTIONS if not any(name in title for name in names for title in titles)]
        for names in missing:
            self.found("error", "section", 0, f"there is no section {' or '.join(map(repr, names))}")
        ends = [*found[1:], (len(self.bare), 0, "")]
        for (start, level, title), following in zip(found, ends, strict=False):  # without a section, there is one end
            text = self.bare[
                self.bare.index("\n", start) if "\n" in self.bare[start:] else len(self.bare) : following[0]
            ]
            if not text.strip() and following[1] <= level and title.lower() not in ("references", "bibliography"):
                self.found("error", "section", start, f"the section {title!r} is empty")
        for match in re.finditer(r"\b(TODO|FIXME|TBD|XXX)\b|\blorem ipsum\b", self.prose, re.I):
            if match[0].isupper() or " " in match[0]:
                line = self.prose[match.start() :].partition("\n")[0]
                self.found("error", "todo", match.start(), f"left to write: {line[:100]}")

    def references(self) -> None:
        name = self.article.header.get("bibliography")
        path = self.article.folder / str(name or "references.bib")
        text = ""
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
        elif name:
            self.found("error", "reference", 0, f"{name} is not there")
        entries, problems = check_bibtex(text)
        for line, problem in problems:
            self.found("error", "bibtex", 0, f"{path.name}:{line}: {problem}")
        known, cited = {entry.key for entry in entries}, set()
        for match in CITATION.finditer(blanked(self.prose, re.compile(r"\S+@\S+\.\w+|https?://\S+"))):
            key = match[1] or match[2]
            cited.add(key)
            if key not in known:
                self.found("error", "reference", match.start(), f"@{key} is cited, and {path.name} has no such entry")
        for entry in entries:
            if entry.key not in cited:
                self.found("warning", "reference", 0, f"{path.name}:{entry.line}: {entry.key} is not cited")

    def claims(self) -> None:
        """Sentences that claim something and show neither a citation nor a number of a file."""
        numbered = [match.start() for match in MARKED.finditer(self.bare)]
        prose = blanked(self.prose, re.compile(r"^(#+ |\s*\||\s*:\s|!\[).*$", re.M))
        for match in CLAIM.finditer(prose):
            start, end = sentence_span(self.prose, match.start())
            sentence = " ".join(self.prose[start:end].split())
            if (
                not CITATION.search(sentence)
                and not LINK.search(sentence)
                and not any(start <= n < end for n in numbered)
            ):
                self.found(
                    "warning", "claim", match.start(), f"{match[0]!r} without a citation or a number: {sentence[:160]}"
                )

    def files(self) -> None:
        """What the article was made from, as article.json recorded it, and what would be published with it."""
        record = self.article.folder / "article.json"
        if record.is_file():
            document = read_artifact(record, "article")
            for each in [*document["results"], *document["figures"]]:
                file = self.article.folder / each["file"]
                if not file.is_file():
                    self.found("error", "file", 0, f"{each['file']} was a part of the article and is not there")
                elif file_sha256(file) != each["sha256"]:
                    self.found("error", "file", 0, f"{each['file']} has changed since the article was made: "
                               "new_article.py --refresh, then check_article.py --update")  # fmt: skip
        for file in article_files(self.article.folder):
            if file.suffix in (".md", ".json", ".bib", ".tex"):
                text = file.read_text(encoding="utf-8", errors="replace")
                name = file.relative_to(self.article.folder).as_posix()
                for path in sorted(set(PRIVATE.findall(text)))[:3]:
                    self.found("error", "private", 0, f"{name} names {path}, a folder of this machine")
                if SECRET.search(text):
                    self.found("error", "private", 0, f"{name} holds what looks like a token")
        for name in stale_renderings(self.article.folder):
            self.found("warning", "rendering", 0, f"{name} is of another text: render_article.py makes it again")


# ---- judging results


def signs_of_making(document: dict) -> list[str]:
    """What measured results hardly show: exact lines, exact halves, one number in two places, hashes of one digit."""
    signs = [f"{match[0][1:9]}… is a hash of one digit"
             for match in re.finditer(r'"([0-9a-f])\1{31,}"', json.dumps(document))][:3]  # fmt: skip
    kind = str(document.get("schema")).removeprefix("skillpack/").partition("/")[0]
    losses = [entry["loss"] for entry in document["log"]] if kind == "run" else []
    changes = [after - before for before, after in pairwise(losses)]
    if len(changes) > 3 and max(changes) - min(changes) <= 1e-9 * max(map(abs, losses)):
        signs.append("the logged loss is a straight line")
    measured = document.get({"run": "comparison", "comparison": "held_out"}.get(kind, ""))
    for name, metric in (measured["metrics"] if measured else {}).items():
        if losses and name == "loss" and metric["tuned"] == losses[-1]:
            signs.append("the held-out loss is the last training loss, to every digit")
        below, above = metric["difference"] - metric["low"], metric["high"] - metric["difference"]
        steps = (
            metric["difference"] * measured["rows"]
        )  # whole for rows that are right or wrong, and often in the middle
        if above > 0 and abs(above - below) <= 1e-9 * above and abs(steps - round(steps)) > 1e-6:
            signs.append(f"{name}: the difference is exactly in the middle of its bootstrap interval")
    return signs


def hub_names(document: Any) -> list[tuple[str, str]]:
    """[(model or dataset, id)] of the repositories that a results file names."""
    if not isinstance(document, dict):
        return []
    plan = document.get("plan") or {}
    places = [("model", plan.get("model")), ("dataset", (plan.get("dataset") or {}).get("source"))]
    places += [("model", document.get(key)) for key in ("model", "base", "new")]
    found = [(kind, place.get("id")) for kind, place in places if isinstance(place, dict)]
    return [(kind, name) for kind, name in found
            if isinstance(name, str) and re.fullmatch(r"\w[\w.-]*/[\w.-]+", name)]  # fmt: skip


# ---- reading Markdown


def blanked(text: str, pattern: re.Pattern) -> str:
    """`text` with each match turned into spaces: places stay what they were."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def without_code(text: str) -> str:
    fences = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.S | re.M)
    inline = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\n\n).)*?(?<!`)\1(?!`)", re.S)
    math = re.compile(r"\$\$.*?\$\$|(?<![\\$\w])\$(?=[^\s$])[^$\n]*?[^\s$\\]\$(?!\d)", re.S)
    return blanked(blanked(blanked(text, fences), inline), math)


def headings(text: str) -> list[tuple[int, int, str]]:
    """(offset, level, title) of the headings, marks and attributes taken off."""
    found = re.finditer(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$", text, re.M)
    return [(each.start(), len(each[1]), re.sub(r"\s*\{[^}]*\}$|<!--.*?-->", "", each[2])) for each in found]


def anchor(title: str) -> str:
    """The fragment by which pandoc and the Hub link a heading."""
    return re.sub(r"[^\w\s.-]", "", title.lower()).strip().replace(" ", "-")


@lru_cache(maxsize=4)
def sentence_ends(text: str) -> list[tuple[int, int]]:
    """Where sentences, rows of tables and points of lists end, and where the next one begins."""
    ends = re.compile(r"(?<=[.!?])\s+(?=[A-Z\[(])|\n\s*\n|\n(?=\s*(?:[-*+|#]|\d+[.)]))")
    return [match.span() for match in ends.finditer(text)]


def sentence_span(text: str, at: int) -> tuple[int, int]:
    """Where the sentence around `at` begins and ends."""
    ends = sentence_ends(text)
    following = bisect.bisect_right(ends, at, key=lambda span: span[1])
    start = ends[following - 1][1] if following else 0
    return start, ends[following][0] if following < len(ends) else len(text)


def sentence_at(text: str, at: int) -> str:
    start, end = sentence_span(text, at)
    return text[start:end]


def broken_picture(file: Path) -> str | None:
    """What is wrong with a picture's bytes, or None."""
    data = file.read_bytes()
    if not data:
        return "is empty"
    magic = MAGIC.get(file.suffix.lower())
    if magic and not data.startswith(magic):
        return f"is no {file.suffix[1:].upper()}"
    if file.suffix.lower() == ".png" and not data.rstrip(b"\0").endswith(b"IEND\xaeB`\x82"):
        return "is cut off"
    if file.suffix.lower() == ".svg" and b"<svg" not in data:
        return "is no SVG"
    return None


if __name__ == "__main__":
    sys.exit(run(main))
