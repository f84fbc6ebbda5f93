"""The region of the scripts that read an article: its header, its sections, and the marks that trace its numbers."""

from __future__ import annotations

from pathlib import Path

from skillpack.kit.script import EXIT_USAGE, Failure

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
