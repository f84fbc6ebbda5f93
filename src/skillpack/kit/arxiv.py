"""The region of the scripts that read identifiers of papers."""

from __future__ import annotations

from skillpack.kit.script import EXIT_USAGE, Failure

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
