# /// script
# requires-python = ">=3.10"
# dependencies = ["pypandoc_binary>=1.15,<2", "typst>=0.13,<1", "PyYAML>=6,<7", "jsonschema>=4.21,<5"]
# ///
"""Render an article: HTML in one file, PDF, and LaTeX with all it needs, from article.md and references.bib.

ARTICLE is a folder with article.md (new_article.py makes one). HTML and LaTeX are made by pandoc, PDF by typst: no
LaTeX is needed. Both come with `uv run`; installed programs are used where those packages are missing, and what cannot
be made is named. Where pdflatex or tectonic is installed, article.tex is compiled in a folder of its own, and the
result says whether it does: exit 1 where it does not, with everything written all the same.

examples:
  python scripts/render_article.py article
  python scripts/render_article.py paper --to html tex arxiv --json
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

import io
import shutil
import subprocess
import tarfile
from importlib.util import find_spec

STYLES = Path(__file__).resolve().parent.parent / "assets" / "styles"
FORMATS = ("html", "pdf", "tex", "arxiv")
FROM = "markdown-raw_html+pipe_tables+tex_math_dollars+citations+table_captions+implicit_figures"
SECTIONS = ["--shift-heading-level-by=-1"]  # on paper ## is a section; on a page it stays below the title's <h1>
SECONDS = 300  # that a program may take: a page that includes itself never ends


def main(argv: list[str]) -> int:
    options = parser(__doc__)
    options.add_argument("article", type=Path, metavar="ARTICLE", help="folder of the article")
    options.add_argument("--to", nargs="+", choices=FORMATS, default=["html", "pdf", "tex"],
                         help="html, pdf, tex, arxiv (a .tar.gz to submit); default: the first three")  # fmt: skip
    options.add_argument("--no-compile", action="store_true", help="do not try whether the LaTeX compiles")
    options.add_argument("--json", action="store_true", help="print {files, missing, latex} on standard output")
    args = options.parse_args(argv)
    article = read_article(args.article)
    pandoc = find_pandoc()
    if pandoc is None:
        raise Failure("pandoc is not installed", "`uv run` this script, or `pip install pypandoc_binary`")
    source = prepared(article)
    made, missing, latex = [], [], None
    if "html" in args.to:
        made.append(write_html(article, source, pandoc))
    if "pdf" in args.to:
        made.append(write_pdf(article, source, pandoc)) if has_typst() else missing.append(
            "pdf: typst is not installed"
        )
    if {"tex", "arxiv"} & set(args.to):
        text = latex_of(article, source, pandoc)
        latex = None if args.no_compile else compiled(article, text)
        if "tex" in args.to:
            write_atomic(article.folder / "article.tex", text)
            made.append(article.folder / "article.tex")
        if "arxiv" in args.to:
            made.append(write_bundle(article, text))
    recorded(article, made)
    document = {"files": [str(path) for path in made], "missing": missing, "latex": latex}
    for line in missing:
        log(f"not made: {line}")
    if {"tex", "arxiv"} & set(args.to):
        log(verdict_on(latex))
    emit(document) if args.json else say("\n".join(document["files"]))
    return EXIT_FAILED if missing else EXIT_NO if latex and latex["compiles"] is False else EXIT_OK


def verdict_on(latex: dict | None) -> str:
    if latex is None:
        return "whether article.tex compiles was not tried: neither pdflatex nor tectonic is installed, or --no-compile"
    if latex["compiles"] is None:
        return f"whether article.tex compiles is not known, this {latex['engine']} is not whole: {latex['error']}"
    if latex["compiles"]:
        return f"article.tex compiles with {latex['engine']}, {latex['pages'] or 'some'} pages"
    fix = "mend that place of article.md: raw LaTeX, or a character that LaTeX lacks"
    return f"article.tex does not compile with {latex['engine']}: {latex['error']}\n  fix: {fix}"


def recorded(article: Article, made: list[Path]) -> None:
    """Notes what each rendering was made from, so that an older one is not published beside a newer text."""
    path = article.folder / RECORD
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    source = digest_of(source_digests(article.folder))
    write_artifact(path, known | {each.name: [source, file_sha256(each)] for each in made})


def find_pandoc() -> str | None:
    if find_spec("pypandoc"):
        import pypandoc

        try:
            return str(pypandoc.get_pandoc_path())
        except OSError:
            pass  # the package without its binary
    return shutil.which("pandoc")


def has_typst() -> bool:
    return find_spec("typst") is not None or shutil.which("typst") is not None


def prepared(article: Article) -> str:
    """The article as pandoc reads it: an abstract of its own, marks of numbers gone, all in one document."""
    import yaml

    header, body = dict(article.header), MARK.sub("", article.body).replace("<!--open-->", "")
    abstract = re.match(r"\s*## Abstract\s*\n(.*?)(?=^## |\Z)", body, re.S | re.M)
    if abstract:
        header["abstract"], body = abstract[1].strip(), body[abstract.end() :]
    header.pop("template", None)  # a variable of pandoc's own templates
    header.setdefault("link-citations", True)
    header["title"] = str(header.get("title", "Untitled"))
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n\n{body}"


def convert(article: Article, source: str, pandoc: str, *arguments: str) -> str:
    """What pandoc makes of the article. Raises Failure with its message."""
    bibliography = article.folder / str(article.header.get("bibliography", ""))
    citing = ["--citeproc"] if bibliography.is_file() else []
    command = [pandoc, "--from", FROM, "--standalone", *citing, *arguments]  # fmt: skip
    try:
        done = subprocess.run(command, input=source, capture_output=True, text=True, encoding="utf-8",
                              cwd=article.folder, timeout=SECONDS, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Failure(f"pandoc took more than {SECONDS} s", "look for what it loads from the network") from None
    for line in done.stderr.splitlines():
        log(f"pandoc: {line}")
    if unknown := re.findall(r"citation (\S+) not found", done.stderr):
        raise Failure(f"article.md cites {', '.join(sorted(set(unknown)))}, and its bibliography has no such entry",
                      "`paper.py citation ID --append references.bib`, or mend the key", EXIT_USAGE)  # fmt: skip
    if done.returncode:
        raise Failure(
            f"pandoc ended with {done.returncode}: {done.stderr.strip()[:500]}", "mend article.md", EXIT_USAGE
        )
    return done.stdout


def numbering(article: Article) -> list[str]:
    return ["--number-sections"] if article.template == "arxiv" else []


def write_html(article: Article, source: str, pandoc: str) -> Path:
    """article.html in one file, pictures and style inside."""
    style = STYLES / ("modern.css" if article.template == "modern" else "standard.css")
    text = convert(
        article, source, pandoc, "--to", "html5", "--embed-resources", "--mathml", "--columns=10000",
        "--css", str(style), *numbering(article),
    )  # fmt: skip
    path = article.folder / "article.html"
    write_atomic(path, text)
    return path


def write_pdf(article: Article, source: str, pandoc: str) -> Path:
    text = convert(
        article, source, pandoc, "--to", "typst", *SECTIONS, "--variable", "papersize=a4", *numbering(article)
    )
    path, page = article.folder / "article.pdf", article.folder / ".article.typ"
    write_atomic(page, text)  # beside the figures, which typst reads below its root only
    try:
        if find_spec("typst"):
            import typst

            data = typst.compile(str(page), root=str(article.folder))
        else:
            command = ["typst", "compile", "--root", str(article.folder), str(page), "-"]
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
            if done.returncode:
                raise Failure(f"typst: {done.stderr.decode(errors='replace')[:500]}", "mend article.md", EXIT_USAGE)
            data = done.stdout
    except RuntimeError as error:  # typst.TypstError is one
        raise Failure(f"typst: {str(error)[:500]}", "mend article.md", EXIT_USAGE) from None
    finally:
        page.unlink(missing_ok=True)
    write_atomic(path, data)
    return path


def latex_of(article: Article, source: str, pandoc: str) -> str:
    """LaTeX for pdflatex with its references inside, so that no BibTeX runs: what arXiv asks for."""
    return convert(
        article, source, pandoc, "--to", "latex", *SECTIONS, "--variable", "documentclass=article", "--variable",
        "geometry=margin=1in", "--variable", "colorlinks=true", *numbering(article),
    )  # fmt: skip


def compiled(article: Article, text: str) -> dict | None:
    """{engine, compiles, pages, error} of article.tex in a folder of its own; None where no LaTeX is installed.

    compiles is null where the installed LaTeX lacks a package: that is no fault of the article.
    """
    engine = next((name for name in ("pdflatex", "tectonic") if shutil.which(name)), None)
    if engine is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "article.tex").write_text(text, encoding="utf-8")
        for name in pictures(article, text):
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(article.folder / name, Path(folder) / name)
        command = [engine, "article.tex"] if engine == "tectonic" else [
            engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "article.tex"]  # fmt: skip
        output = ""
        for _ in range(1 if engine == "tectonic" else 2):  # the second time references are known
            try:
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace",
                                      timeout=SECONDS, check=False)  # fmt: skip
            except subprocess.TimeoutExpired:
                return {"engine": engine, "compiles": False, "pages": None, "error": f"it took more than {SECONDS} s"}
            output = done.stdout + done.stderr
            if done.returncode:
                wrong = re.search(r"^! .*?(?=\n\n|\Z)|^error: .*", output, re.M | re.S)
                said = (wrong[0] if wrong else output[-500:])[:500]
                lacking = re.search(r"File `[^']+\.(sty|cls|fd)' not found", said) or "network" in said
                return {"engine": engine, "compiles": None if lacking else False, "pages": None, "error": said}
        pages = re.search(r"\((\d+) pages?,", output)
        return {"engine": engine, "compiles": True, "pages": int(pages[1]) if pages else None, "error": None}


def pictures(article: Article, text: str) -> list[str]:
    """Files of the article that the LaTeX includes."""
    names = re.findall(r"\\includegraphics(?:\[[^]]*\])?\{([^}]+)\}", text)
    inside = [name for name in names if (article.folder / name).resolve().is_relative_to(article.folder.resolve())]
    return sorted({name for name in inside if (article.folder / name).is_file()})


def write_bundle(article: Article, text: str) -> Path:
    """article-arxiv.tar.gz: article.tex and its figures, the same bytes each time."""
    files = {"article.tex": text.encode()} | {
        name: (article.folder / name).read_bytes() for name in pictures(article, text)
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    path = article.folder / "article-arxiv.tar.gz"
    write_atomic(path, buffer.getvalue())
    return path


if __name__ == "__main__":
    sys.exit(run(main))
