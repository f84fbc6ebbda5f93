"""The region of the scripts that read and check BibTeX."""

from __future__ import annotations

from skillpack.kit.arxiv import arxiv_id
from skillpack.kit.script import Failure

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
