# /// script
# requires-python = ">=3.10"
# dependencies = ["matplotlib>=3.9,<4", "PyYAML>=6,<7", "jsonschema>=4.21,<5"]
# ///
"""Write an article from a finished training run: its text, tables, figures and references, each number traced.

RUN is a folder with run.json (and comparison.json beside it) of the model trainer, or a results file.
--results adds eval.json and eval-comparison.json of the evaluation skill. Writes a folder: article.md, references.bib,
results/ (copies, without folders of this machine and rows
of the data), figures/, article.json. Behind each number of article.md stands, in
a comment that no rendering shows, the file and the place that it comes from; check_article.py holds the two together.
What only a person can say is left as a line that begins with TODO, or, where the article can be read without it, as
a sentence "is not stated" with <!--open--> behind it: answer it, or leave it open.

After another run, --refresh takes its results and figures and keeps the text; check_article.py --update then writes the
numbers anew.

templates:
  ml-report   what was done, measured and paid; its open points say what no results file holds
  modern      for the web: the finding first
  standard    abstract, introduction, related work, method, results, discussion, conclusion
  arxiv       the same as a preprint, with numbered sections and a statement on broader impact

examples:
  python scripts/new_article.py runs/mine --author "Ada Byron"
  python scripts/new_article.py runs/mine --template arxiv --author "Ada Byron" --author "Charles Babbage" \\
      --title "Small models learn modules" --results evals/mine-gsm8k/eval.json --out paper
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


# region skillpack:verdict
def standing(metric: dict) -> str:
    """ "better" or "worse" where the 95 % interval of tuned - base excludes zero, else "not shown to differ"."""
    if metric["low"] <= 0 <= metric["high"]:
        return "not shown to differ"
    return "better" if (metric["low"] > 0) == (metric["better"] == "higher") else "worse"


def verdict_of(metrics: dict) -> str:
    """How the tuned model stands to its base by {name: metric}, and no more than the intervals allow."""
    names: dict = {"better": [], "worse": [], "not shown to differ": []}
    for name, metric in metrics.items():
        names[standing(metric)].append(name)
    openings = {"better": "better than its base on", "worse": "worse than its base on"}
    parts = [f"{openings.get(kind, kind + ' on')} {listed(found)}" for kind, found in names.items() if found]
    return ", and ".join(parts)


def listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


# endregion skillpack:verdict

import datetime

ASSETS = Path(__file__).resolve().parent.parent / "assets"
KINDS = ("run", "comparison", "eval", "eval-comparison")
METHODS = {
    "sft": ("supervised fine-tuning", None), "dpo": ("direct preference optimization", "rafailov2023direct"),
    "kto": ("Kahneman-Tversky optimization", "ethayarajh2024kto"),
    "grpo": ("group relative policy optimization", "shao2024deepseekmath"), "reward": ("reward modelling", None),
}  # fmt: skip
TRL = "vonwerra2020trl"
PANELS = 6  # metrics that a figure shows; the table has all
OPEN = "<!--open-->"  # behind what the authors have not stated; check_article.py counts them


def main(argv: list[str]) -> int:
    args = arguments(argv)
    kept = read_article(args.out) if (args.out / ARTICLE).exists() else None
    if kept and not args.refresh:
        raise Failure(f"{args.out / ARTICLE} exists, and may have been edited",
                      "--refresh takes new results and keeps the text; or name another --out", EXIT_USAGE)  # fmt: skip
    if kept:
        args.template = kept.template
    sources = gather(args.run, args.results)
    extra = checked_bibliography(args.bibliography)
    template = (ASSETS / "templates" / f"{args.template}.md").read_text(encoding="utf-8")
    try:
        draft = Draft(sources)
        figures = draw(draft)
        body = filled(template, draft, figures)
    except KeyError as error:
        raise Failure(
            f"the results lack {error}, which scripts of this version write", "make them again", EXIT_USAGE
        ) from None
    header = {
        "title": args.title or draft.title(), "author": args.author, "date": args.date, "template": args.template,
        "bibliography": "references.bib", "lang": "en",
    }  # fmt: skip
    head = yaml_of(header)
    if not args.title:
        head = head.replace("\n", "  # made from the run; ask the author\n", 1)
    text = f"---\n{head}---\n\n{body}"
    for source in sources:
        write_atomic(args.out / source["file"], source["text"])
    for name, figure in figures.items():
        write_atomic(args.out / f"figures/{name}.png", figure["png"])
    if kept:
        text = kept.text
    else:
        write_atomic(args.out / "references.bib", bibliography(text, extra))
    write_artifact(args.out / "article.json", {
        "schema": "skillpack/article/1", "created": now(), "template": args.template,
        "results": [{"file": s["file"], "kind": s["kind"], "sha256": file_sha256(args.out / s["file"]),
                     "sha256_of_original": s["sha256"]} for s in sources],
        "figures": [{"file": f"figures/{name}.png", "sha256": file_sha256(args.out / f"figures/{name}.png"),
                     "from": [figure["from"]]} for name, figure in figures.items()],
    })  # fmt: skip
    if not kept:
        write_atomic(args.out / ARTICLE, redact(text))
    todo, unsaid = text.count("TODO"), text.count(OPEN)
    result = {"article": str(args.out / ARTICLE), "numbers": len(MARK.findall(text)), "todo": todo, "open": unsaid,
              "figures": [f"figures/{name}.png" for name in figures],
              "results": [source["file"] for source in sources]}  # fmt: skip
    log(f"{result['numbers']} numbers are traced to {len(sources)} files; left to write: {todo} (TODO); open: {unsaid}")
    emit(result) if args.json else say(result["article"])
    return EXIT_OK


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run, or a results file")
    options.add_argument("--results", type=Path, nargs="+", default=[], metavar="FILE", help="more results files")
    options.add_argument("--template", choices=TEMPLATES, default="ml-report")
    options.add_argument("--author", action="append", default=[], help="repeat for each author, in order")
    options.add_argument("--title", help="default: from the run")
    options.add_argument("--date", default=datetime.date.today().isoformat(), help="default: today")
    options.add_argument("--bibliography", type=Path, help="a .bib file whose entries are added")
    options.add_argument("--out", type=Path, default=Path("article"), help="folder to write (default: article)")
    options.add_argument("--refresh", action="store_true", help="new results and figures; the text stays as it is")
    options.add_argument("--json", action="store_true", help="print what was written as JSON on standard output")
    args = options.parse_args(argv)
    if not args.author and not args.refresh:
        options.error("name the authors with --author: nobody is guessed")
    return args


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def yaml_of(header: dict) -> str:
    import yaml

    return yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=1000)


# ---- the results files


def gather(run: Path, more: list[Path]) -> list[dict]:
    """[{kind, file in the article, document, text to write, sha256 of the original}]. Raises Failure."""
    if run.is_dir():
        if not (run / "run.json").is_file():
            raise Failure(f"{run} has no run.json: the run has not ended", "wait for it, or run its training script "
                          "again", EXIT_USAGE)  # fmt: skip
        paths = [run / name for name in ("run.json", "comparison.json") if (run / name).is_file()]
    else:
        paths = [run]
    sources: list[dict] = []
    for path in [*paths, *more]:
        source = read_results(path)
        stem, names = Path(path.name).stem, {each["file"] for each in sources}
        if stem in ("eval", "eval-comparison") and source["kind"].startswith("eval"):
            stem = f"{stem}-{path.resolve().parent.name}" if stem == "eval" else stem
        candidates = (f"results/{stem}{'' if n == 1 else f'-{n}'}.json" for n in range(1, 1000))
        sources.append({**source, "file": next(name for name in candidates if name not in names)})
    runs = [source["document"] for source in sources if source["kind"] == "run"]
    if runs and runs[0]["status"] != "completed":
        raise Failure(f"{run} was stopped at step {runs[0]['steps']} and its models are not compared",
                      "finish it: the training script again, or with --finish", EXIT_USAGE)  # fmt: skip
    for source in sources:
        of = (source["document"].get("run") or {}) if source["kind"] == "comparison" else {}
        if runs and of.get("plan_sha256", runs[0]["plan_sha256"]) != runs[0]["plan_sha256"]:
            raise Failure(f"{source['path']} compares the models of another run", "make it again: compare_models.py",
                          EXIT_USAGE)  # fmt: skip
    return sources


def read_results(path: Path) -> dict:
    """A results file of a known kind, and its text as it is published: without the folders of this machine."""
    try:
        raw = path.read_bytes()
        document = json.loads(raw)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", "give a results file", EXIT_USAGE) from None
    except ValueError as error:
        raise Failure(f"{path}: not JSON: {error}", "give a results file", EXIT_USAGE) from None
    schema = str(document.get("schema")) if isinstance(document, dict) else ""
    kind = schema.removeprefix("skillpack/").partition("/")[0]
    if kind not in KINDS or schema != f"skillpack/{kind}/1":
        raise Failure(f"{path}: schema is {schema!r}", f"one of skillpack/({'|'.join(KINDS)})/1", EXIT_USAGE)
    missing = [key for key in REQUIRED[kind] if key not in document]
    if missing:
        raise Failure(f"{path} lacks {', '.join(missing)}", "make it again", EXIT_USAGE)
    kept = without_rows(portable(document))
    text = redact(raw.decode() if kept == document else json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    return {"kind": kind, "path": path, "document": kept, "text": text, "sha256": file_sha256(path)}


REQUIRED = {
    "run": ["plan", "status", "steps", "log", "comparison", "plan_sha256"], "comparison": ["held_out", "run"],
    "eval": ["model", "tasks"], "eval-comparison": ["base", "new", "tasks"],
}  # fmt: skip


def without_rows(document: dict) -> dict:
    """The same without texts of the user's data: samples and answers may be private, and no number stands in them."""
    kept = {key: [] if key == "samples" else value for key, value in document.items()}
    if document.get("probes"):
        kept["probes"] = {**document["probes"], "samples": []}
    if document["schema"].startswith("skillpack/eval-comparison/"):
        kept["tasks"] = [{**task, "flips": {}} for task in document["tasks"]]
    return kept


def portable(value: Any) -> Any:
    """`value` with each absolute path cut to its last part: what is published names no folder of this machine."""
    if isinstance(value, dict):
        return {key: portable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [portable(each) for each in value]
    if isinstance(value, str) and re.fullmatch(r"(?:~|/|[A-Za-z]:[\\/]).*[\\/][^\\/]+", value):
        return re.split(r"[\\/]", value)[-1]
    return value


# ---- the text


class Draft:
    """What the parts of a template are filled with; `n` writes a number with its mark."""

    def __init__(self, sources: list[dict]) -> None:
        self.sources = sources
        self.by_kind = {source["kind"]: source for source in reversed(sources)}
        self.run = self.by_kind["run"]["document"] if "run" in self.by_kind else None
        self.plan = self.run["plan"] if self.run else None
        comparison = self.by_kind.get("comparison")
        self.held_out, self.held_out_at = None, ("", ())  # the wider comparison where it was made, else the run's
        if comparison and comparison["document"]["held_out"]:
            self.held_out, self.held_out_at = comparison["document"]["held_out"], (comparison["file"], ("held_out",))
        elif self.run and self.run["comparison"]:
            self.held_out, self.held_out_at = self.run["comparison"], (self.by_kind["run"]["file"], ("comparison",))

    def title(self) -> str:
        if self.plan:
            return f"{name_of(self.plan['model'])} after {METHODS[self.plan['method']][0]}"
        return f"Results of {Path(self.sources[0]['document'].get('name', 'an evaluation')).name}"

    def number(self, source: dict | str, keys: tuple, spec: str = "g", factor: str = "") -> str:
        """The value at `keys` as text with its mark; a dash where it is null."""
        file, document = (source["file"], source["document"]) if isinstance(source, dict) else (source, None)
        if document is None:
            document = next(each["document"] for each in self.sources if each["file"] == file)
        value = document
        for key in keys:
            value = value[key]
        if value is None:
            return "–"
        return format(times(value, factor or None), spec) + mark_of(file, keys, factor)

    def n(self, *keys: str | int, spec: str = "g", factor: str = "") -> str:
        """A number of run.json."""
        return self.number(self.by_kind["run"], keys, spec, factor)

    def h(self, *keys: str | int, spec: str = ".3f") -> str:
        """A number of the comparison over held-out rows."""
        file, prefix = self.held_out_at
        return self.number(file, (*prefix, *keys), spec)

    # ---- parts: each is named by a template

    def verdict(self) -> str:
        if not self.held_out:
            if self.run:
                return "No held-out row could be scored; base and tuned have not been compared."
            return "" if "eval" in self.by_kind or "eval-comparison" in self.by_kind else "Nothing was measured."
        metrics = self.held_out["metrics"]
        sentence = f"The tuned model is {verdict_of(metrics)}, over {self.h('rows', spec='d')} held-out rows."
        values = [
            f"{name} {self.h('metrics', name, 'base')} to {self.h('metrics', name, 'tuned')} "
            f"(difference {self.interval(name)})" for name in metrics
        ]  # fmt: skip
        return (f"{sentence} From base to tuned, each number rounded by itself, with 95\u00a0% intervals of the "
                f"difference: {'; '.join(values)}.")  # fmt: skip

    def interval(self, name: str) -> str:
        at = ("metrics", name)
        low, high = self.h(*at, "low", spec="+.3f"), self.h(*at, "high", spec="+.3f")
        return f"{self.h(*at, 'difference', spec='+.3f')} [{low}, {high}]"

    def data(self) -> str:
        if not self.plan:
            return ""
        source, split = self.plan["dataset"]["source"], self.plan["dataset"]["split"]
        revision = f" at revision `{source['revision'][:12]}`" if source.get("revision") else ""
        whence = (f"The data is a local file named `{name_of(source)}`, which is no part of this article; where it "
                  f"comes from and can be had is not stated.{OPEN}" if is_local(source) else
                  f"The data is `{name_of(source)}`, split `{source['split']}`{revision}.")  # fmt: skip
        trained = f", {self.n('train_rows', spec='d')} were trained on" if self.run.get("train_rows") else ""
        counts = f"Of its {self.n('plan', 'dataset', 'rows', spec='d')} rows{trained or ' a part was trained on'}."
        if split["key"] == "given":
            held = f"The held-out rows are the dataset's own split `{split.get('held_out_split', 'held out')}`."
        else:
            share = self.n("plan", "dataset", "split", "fraction", factor="*100").replace("<!--", "\u00a0%<!--", 1)
            held = (f"The rest was held out, or left out where a row did not fit; the plan holds out {share} of them, "
                    "by groups of like prompts, so that copies of a row stay on one side.")  # fmt: skip
        scored = f" Of the held-out rows, {self.h('rows', spec='d')} were scored" if self.held_out else ""
        most = f" (by the plan, {self.n('plan', 'settings', 'held_out_rows', spec='d')} at most)." if scored else ""
        return f"{whence} {counts} {held}{scored}{most}"

    def method(self) -> str:
        if not self.plan:
            return ""
        words, key = METHODS[self.plan["method"]]
        settings, model = self.plan["settings"], self.plan["model"]
        revision = f" at revision `{model['revision'][:12]}`" if model.get("revision") else ""
        size = self.n("plan", "model", "parameters", spec=".2f", factor="/1e9") + " billion" if (
            model["parameters"] >= 1e8) else self.n("plan", "model", "parameters", spec=",d")  # fmt: skip
        lora = settings["lora"]
        change = "All parameters were trained." if lora is None else (
            f"Its weights were frozen and LoRA adapters [@hu2021lora] of rank "
            f"{self.n('plan', 'settings', 'lora', 'r', spec='d')} were trained"
            + (" on a base of four bits [@dettmers2023qlora]." if settings.get("quantization") else "."))  # fmt: skip
        stages = "".join(f" Before, it went through {stage['method']} on `{name_of({'id': stage['dataset']})}`."
                         for stage in model.get("stages") or [])  # fmt: skip
        base = (f"a local folder named `{name_of(model)}`, which is no name on the Hub; where it comes from is not "
                f"stated.{OPEN} It has" if is_local(model) else f"`{name_of(model)}`{revision}, with")  # fmt: skip
        return (
            f"The base is {base} {size} parameters.{stages} It was trained by "
            f"{words}{f' [@{key}]' if key else ''} with TRL [@{TRL}]. {change} {self.scoring()}"
        ).strip()

    def scoring(self) -> str:
        if not self.held_out:
            return ""
        schema = next(each["document"]["schema"] for each in self.sources if each["file"] == self.held_out_at[0])
        return (f"In the format of these results (`{schema}`, written by the skill hugging-face-model-trainer), base "
                "and tuned model are scored by the same code on the same held-out rows, and low and high are "
                "95\u00a0% intervals of the mean paired difference, by a bootstrap over groups of rows.")  # fmt: skip

    def results(self) -> str:
        parts = []
        if self.held_out:
            rows = []
            for name, metric in self.held_out["metrics"].items():
                at = ("metrics", name)
                rows.append([f"{name} ({metric['better']} is better)", self.h(*at, "base"), self.h(*at, "tuned"),
                             self.interval(name), standing(metric)])  # fmt: skip
            parts += table(["metric", "base", "tuned", "difference, 95\u00a0% interval", "standing"], rows,
                           f"Base against tuned on {self.h('rows', spec='d')} held-out rows; each number is rounded "
                           "by itself.")  # fmt: skip
        comparison = self.by_kind.get("comparison")
        for task, found in (comparison["document"].get("tasks") or {} if comparison else {}).items():
            at = ("tasks", task, "metrics")
            rows = [[metric, *(self.number(comparison, (*at, metric, key), ".3f")
                               for key in ("base", "tuned", "difference", "low", "high"))]
                    for metric in found["metrics"]]  # fmt: skip
            count = self.number(comparison, ("tasks", task, "rows"), "d")
            parts += table(["metric", "base", "tuned", "difference", "low", "high"], rows,
                           f"`{task}`, {count} documents.")  # fmt: skip
        return "\n".join(parts).strip() or ("" if not self.run else "Nothing was measured.")

    def evaluations(self) -> str:
        parts = []
        for source in self.sources:
            document = source["document"]
            for index, task in enumerate(document["tasks"] if source["kind"] == "eval" else []):
                at = ("tasks", index, "metrics")
                rows = [[name, *(self.number(source, (*at, name, key), ".3f") for key in ("value", "low", "high"))]
                        for name in task["metrics"]]  # fmt: skip
                about = f"`{name_of(document['model'])}` on `{task['task']}`"
                count = self.number(source, ("tasks", index, "rows"), "d")
                parts += table(["metric", "value", "low", "high"], rows, f"{about}, {count} rows ({task['harness']}).")
            for index, task in enumerate(document["tasks"] if source["kind"] == "eval-comparison" else []):
                at = ("tasks", index, "metrics")
                rows = [[name, *(self.number(source, (*at, name, key), ".3f")
                                 for key in ("base", "new", "difference", "low", "high")), metric["standing"]]
                        for name, metric in task["metrics"].items()]  # fmt: skip
                names = f"`{name_of(document['base'])}` (base) against `{name_of(document['new'])}` (new)"
                count = self.number(source, ("tasks", index, "rows"), "d")
                parts += table(["metric", "base", "new", "difference", "low", "high", "standing"], rows,
                               f"{names} on `{task['task']}`, {count} rows.")  # fmt: skip
        return "\n".join(parts).strip()

    def training(self) -> str:
        if not self.run or not self.run["log"]:
            return ""
        entries, last = self.run["log"], len(self.run["log"]) - 1
        told = "reward" if "reward" in entries[0] and "reward" in entries[last] else "loss"
        cut = f" It was cut short by {self.run['stopped_by']}." if self.run.get("stopped_by") else ""
        took = f" in {self.n('train_seconds', spec='.1f')} seconds" if "train_seconds" in self.run else ""
        begun, ended = (f"{self.n('log', at, told, spec='.3f')} at step {self.n('log', at, 'step', spec='d')}"
                        for at in (0, last))  # fmt: skip
        return f"Training took {self.n('steps', spec='d')} steps{took}. The {told} was {begun} and {ended}.{cut}"

    def cost(self) -> str:
        if not self.plan:
            return ""
        hardware, job = self.plan["hardware"], self.run.get("job")
        flavor = (job or {}).get("flavor") or hardware.get("flavor")
        where = f"as a job on Hugging Face Jobs{f', flavor `{flavor}`' if flavor else ''}" if job else (
            f"on what the plan calls `{hardware.get('name', hardware['device'])}`, and not as a job")  # fmt: skip
        rows = [["training, s", self.n("plan", "estimate", "train_seconds", spec=".1f"),
                 self.n("train_seconds", spec=".1f")]] if "train_seconds" in self.run else []  # fmt: skip
        if "peak_memory_gb" in self.run:
            rows.append(["peak memory, GB", self.n("plan", "estimate", "memory_gb", spec=".2f"),
                         self.n("peak_memory_gb", spec=".2f")])  # fmt: skip
        if job:
            rows.append(["cost, $", self.n("plan", "estimate", "cost_usd", spec=".4f"),
                         self.n("job", "cost_usd", spec=".4f")])  # fmt: skip
        return "\n".join([f"It ran {where}.", "", *table(["", "planned", "actual"], rows, "Planned and actual.")])

    def limitations(self) -> str:
        points = []
        more = {"eval", "eval-comparison"} & {*self.by_kind} or (
            "comparison" in self.by_kind and self.by_kind["comparison"]["document"].get("tasks"))  # fmt: skip
        if self.held_out:
            points.append(f"{self.h('rows', spec='d')} held-out rows of the training data's own source were scored; "
                          f"no other data, prompts or tasks{' than those above' if more else ''}.")  # fmt: skip
        if self.run:
            seed = self.n("plan", "settings", "seed", spec="d")
            points.append(f"There is one run of training (seed {seed}). The intervals are over rows, so they say "
                          "nothing of another seed.")  # fmt: skip
            points.append(f"These results do not tell {'all ' if more else ''}what the base could do and the tuned "
                          "model no longer can, and nothing of harmful or false answers.")  # fmt: skip
            if self.run.get("stopped_by"):
                points.append(f"Training was cut short by {self.run['stopped_by']}.")
        for source in self.sources:
            for index, task in enumerate(source["document"]["tasks"] if source["kind"] == "eval" else []):
                if task["cut"]:
                    count = self.number(source, ("tasks", index, "cut"), "d")
                    points.append(f"{count} answers on `{task['task']}` were cut at the limit of new tokens and judged "
                                  "as they stand.")  # fmt: skip
        return "\n".join(f"- {point}" for point in points)

    def reproducibility(self) -> str:
        lines = []
        if self.run:
            versions = ", ".join(f"{name} {number}" for name, number in (self.run.get("versions") or {}).items())
            file = self.by_kind["run"]["file"]
            local = [kind for kind, source in (("model", self.plan["model"]), ("data", self.plan["dataset"]["source"]))
                     if is_local(source)]  # fmt: skip
            lines += [f"The whole plan of the run stands in `{file}` under `plan`: model, data, split and seed. The "
                      "original's sha256, over model, dataset and settings, begins with "
                      f"`{self.run['plan_sha256'][:16]}`. Saved as `plan.json`, `train_{self.plan['method']}.py --plan "
                      "plan.json` of the skill hugging-face-model-trainer runs it again"
                      + (f", once the {' and the '.join(local)} in it can be found from there: this copy keeps the "
                         "last part of a local path, and so has another sha256."
                         if local else "."), ""]  # fmt: skip
            if versions:
                lines += [f"Versions: {versions}.", ""]
        lines += ["Every number of this article stands in one of these files, and its source names the place:", ""]
        rows = [[f"`{each['file']}`", each["kind"], f"`{hashlib.sha256(each['text'].encode()).hexdigest()[:16]}`"]
                for each in self.sources]  # fmt: skip
        return "\n".join(lines + table(["file", "kind", "sha256 begins with"], rows, "Results files."))

    def settings(self) -> str:
        if not self.plan:
            return ""
        shown = {"batch_size": "d", "accumulation": "d", "steps": "d", "learning_rate": "g", "warmup_steps": "d",
                 "max_length": "d", "num_generations": "d", "beta": "g", "seed": "d"}  # fmt: skip
        settings = self.plan["settings"]
        rows = [[name, self.n("plan", "settings", name, spec=spec)] for name, spec in shown.items()
                if settings.get(name) is not None]  # fmt: skip
        rows += [[name, str(settings[name])] for name in ("precision", "weights", "packing") if name in settings]
        for name, spec in {"r": "d", "lora_alpha": "g", "lora_dropout": "g"}.items() if settings["lora"] else ():
            rows.append([f"LoRA {name.removeprefix('lora_')}", self.n("plan", "settings", "lora", name, spec=spec)])
        return "\n".join(table(["setting", "planned"], rows, "Settings of training.")).strip()


PARTS = ("verdict", "data", "method", "results", "evaluations", "training", "cost", "limitations", "reproducibility",
         "settings")  # fmt: skip


def name_of(model: dict) -> str:
    """A model's or dataset's name without a folder of this machine."""
    return model["id"] if not model["id"].startswith(("/", "~", ".")) else Path(model["id"]).name


def is_local(source: dict) -> bool:
    """Whether a model or dataset was files of a machine, which the copy (`portable`) names by their last part."""
    return source["id"].startswith(("/", "~", ".")) or ("/" not in source["id"] and not source.get("revision"))


def table(head: list[str], rows: list[list[str]], caption: str) -> list[str]:
    """A pipe table with its caption, as pandoc reads it, columns as wide as what is in them; nothing for no rows."""
    if not rows:
        return []
    widths = [max(5, *(len(MARK.sub("", row[column])) for row in [head, *rows])) for column in range(len(head))]
    cells = [head, ["-" * width for width in widths], *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return [*(f"| {' | '.join(row)} |" for row in cells), "", f": {caption}", ""]


def filled(template: str, draft: Draft, figures: dict) -> str:
    """The template with its parts; a section marked (optional) goes where it stays empty."""
    captions = {
        "comparison": "Difference of tuned to base by metric, with its 95\u00a0% interval; where the line of zero is "
                      "inside, no difference is shown.",
        "training": "Grey: what was logged by step." + (
            " Blue: its running mean, at each step of the entries around it, a fifth of all or ten at most."
            if draft.run and window(draft.run["log"]) > 1 else ""),
    }  # fmt: skip
    parts = {name: getattr(draft, name)() for name in PARTS}
    parts |= {f"figure_{name}": f"![{caption}](figures/{name}.png)" if name in figures else ""
              for name, caption in captions.items()}  # fmt: skip
    text = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)
    text = re.sub(r"^#+ [^\n]* \(optional\)\n\s*(?=^#|\Z)", "", text, flags=re.M).replace(" (optional)\n", "\n")
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


# ---- references


def checked_bibliography(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: {error}", "give a .bib file", EXIT_USAGE) from None
    _, problems = check_bibtex(text)
    if problems:
        told = "; ".join(f"line {line}: {problem}" for line, problem in problems[:5])
        raise Failure(f"{path}: {told}", "mend these entries", EXIT_USAGE)
    return text


def bibliography(text: str, extra: str) -> str:
    """The entries that the text cites, of those that the skill brings, and all of `extra`."""
    known = (ASSETS / "references.bib").read_text(encoding="utf-8")
    given = {entry.key for entry in parse_bibtex(extra)[0]}
    cited = set(re.findall(r"@([\w:.-]+\w)", text))
    entries = [block for block in re.split(r"\n(?=@)", known.strip())
               if (key := block.partition("{")[2].partition(",")[0]) in cited and key not in given]  # fmt: skip
    return "\n\n".join([*(entry.strip() for entry in entries), *([extra.strip()] if extra.strip() else [])]) + "\n"


# ---- figures


def draw(draft: Draft) -> dict[str, dict]:
    """{name: {png, from: the place of what it shows}} of the figures that the results give."""
    figures: dict[str, dict] = {}
    if not draft.held_out and not (draft.run and draft.run["log"]):
        return figures
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    if draft.held_out and draft.held_out["metrics"]:
        metrics = list(draft.held_out["metrics"].items())[:PANELS]
        figure, axes = pyplot.subplots(
            len(metrics), 1, figsize=(6, 0.6 + len(metrics)), squeeze=False, layout="constrained"
        )
        for axis, (name, metric) in zip(axes[:, 0], metrics, strict=True):
            color = {"better": "#1a7f37", "worse": "#b42318"}.get(standing(metric), "#57606a")
            axis.plot([metric["low"], metric["high"]], [0, 0], color=color, linewidth=3, solid_capstyle="butt")
            axis.plot(metric["difference"], 0, "o", color=color)
            axis.axvline(0, color="black", linewidth=0.8)
            axis.set_yticks([0], [f"{name}\n({metric['better']} is better)"])
            axis.set_ylim(-1, 1)
        axes[-1, 0].set_xlabel("tuned - base")
        file, prefix = draft.held_out_at
        place = f"{file}#{''.join(f'/{key}' for key in (*prefix, 'metrics'))}"
        figures["comparison"] = {"png": png(figure), "from": place}
    if draft.run and draft.run["log"]:
        entries = draft.run["log"]
        names = [name for name in ("loss", "reward") if all(name in entry for entry in entries)]
        figure, axes = pyplot.subplots(1, len(names), figsize=(6, 2.8), squeeze=False, layout="constrained")
        for axis, name in zip(axes[0], names, strict=True):
            steps, values = [entry["step"] for entry in entries], [entry[name] for entry in entries]
            axis.plot(steps, values, color="#afb8c1", linewidth=1)
            if (wide := window(entries)) > 1:
                means = [sum(values[end - wide : end]) / wide for end in range(wide, len(values) + 1)]
                axis.plot(steps[wide // 2 : wide // 2 + len(means)], means, color="#0969da", linewidth=1.8)
            axis.set_xlabel("step")
            axis.set_ylabel(name)
        figures["training"] = {"png": png(figure), "from": f"{draft.by_kind['run']['file']}#/log"}
    return figures


def window(entries: list) -> int:
    """How many logged entries the running mean is over: few of a short log, of which it would be a part only."""
    return min(10, len(entries) // 5)


def png(figure: Any) -> bytes:
    import io

    from matplotlib import pyplot

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=200, bbox_inches="tight", metadata={"Software": None})
    pyplot.close(figure)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(run(main))
