#!/usr/bin/env python3
# /// script
# requires-python = ">=3.10"
# dependencies = []
# ///
"""__PURPOSE__

Takes each __KEY__ as an argument, or as NDJSON on standard input: one {"__KEY__": "..."} a line.
Writes NDJSON on standard output: what came in, and __FIELD_NAMES__.

examples:
  __NAME__.py __EXAMPLE__
  printf '{"__KEY__": "__EXAMPLE__"}\n' | __NAME__.py --limit 5

environment:
  HF_TOKEN         sent to the Hub and never printed; without it only what is public is seen
  HF_ENDPOINT      another Hub than https://huggingface.co
  HF_TOOL_RETRIES  how often a request is tried again after 429, 5xx or a lost connection (4)

exit codes:
  0    done
  1    done, but the Hub refused some of what came in; each is named on standard error
  2    wrong arguments or wrong input; nothing was asked
  3    the Hub could not be asked; what was written until then is right
  130  interrupted
"""

# region plumbing
import argparse
import http.client
import json
import os
import random
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

ENDPOINT = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
TOKEN = os.environ.get("HF_TOKEN", "").strip()
RETRIES = int(os.environ.get("HF_TOOL_RETRIES", "4"))
TIMEOUT_SECONDS, MAX_WAIT_SECONDS = 60, 330  # the Hub counts requests in windows of 300 seconds


class Refused(Exception):
    """The Hub said no to this request; others may still be answered."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Stop(Exception):
    """Nothing more can be done: a message, and the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows renamed repos and files on other hosts; urllib by itself would send the token to those too."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            following.remove_header("Authorization")
        return following


OPENER = urllib.request.build_opener(Redirects)


def told_to_wait(headers: Message) -> float:
    """Seconds that a refusal asks for: RateLimit: "api";r=0;t=55 on the Hub, Retry-After elsewhere; 0 for none."""
    window = re.search(r"\bt=(\d+)", headers.get("RateLimit", ""))
    after = headers.get("Retry-After", "")
    return float(window[1]) + 1 if window else float(after) if after.isdigit() else 0


def objects(answer: Any) -> list[dict]:
    """A list of objects, or the one object that an answer is. Raises ValueError for anything else, an error too."""
    found = answer if isinstance(answer, list) else [answer]
    if not all(isinstance(item, dict) for item in found) or (found == [answer] and answer.get("error") is not None):
        raise ValueError("200, but not the JSON that was asked for")
    return found


def next_page(url: str, headers: Message) -> str:
    """The Link with rel=next, or "". It is asked of ENDPOINT: a mirror passes on the Hub's own addresses."""
    links = ", ".join(headers.get_all("Link", []))
    found = re.search(r'<([^>]*)>[^<]*;\s*rel\s*=\s*"?next"?\s*(?:[;,]|$)', links, re.I)
    if found is None:
        return ""
    where, prefix = urlsplit(urljoin(url, found[1])), urlsplit(ENDPOINT).path
    path = where.path.removeprefix(prefix) if where.path.startswith(f"{prefix}/") else where.path
    following = ENDPOINT + urlunsplit(("", "", path, where.query, ""))
    if following == url:
        raise Stop(f"{url} names itself as its next page", 3)
    return following


def get(url: str) -> tuple[list[dict], str]:
    """(the objects that `url` answers, the address of its next page or "").

    Raises Refused, or Stop once retrying is no use.
    """
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    if TOKEN:
        request.add_header("Authorization", f"Bearer {TOKEN}")
    for attempt in range(RETRIES + 1):
        wait = 2**attempt * random.uniform(0.5, 1)
        try:
            with OPENER.open(request, timeout=TIMEOUT_SECONDS) as answer:
                moved = urlsplit(answer.url)[:2] != urlsplit(ENDPOINT)[:2]
                if moved and TOKEN and url.startswith(f"{ENDPOINT}/api/"):
                    without = "to which the token does not go: what is private would be missing"
                    raise Stop(f"{url} is now at {answer.url}, {without}", 3)
                return objects(json.load(answer)), next_page(url, answer.headers)
        except urllib.error.HTTPError as error:
            problem = f"{error.code} {error.reason}"
            if error.code != 429 and error.code < 500:
                raise Refused(f"{url}: {problem}", error.code) from None
            wait = told_to_wait(error.headers) or wait
        except (OSError, http.client.HTTPException, ValueError) as error:  # no connection, or half an answer
            problem = str(error) or type(error).__name__
        if attempt == RETRIES or wait > MAX_WAIT_SECONDS:
            break
        print(f"{problem}; trying again in {wait:.0f} s", file=sys.stderr)
        time.sleep(wait)
    raise Stop(f"{url}: {problem}, after {attempt + 1} tries: wait, or look at HF_ENDPOINT", 3)


def pages(path: str) -> Iterator[dict]:
    """Every item of a list, however many pages it has; or the one object that `path` answers."""
    url = ENDPOINT + path
    while url:
        found, url = get(url)
        yield from found


def records(arguments: list[str], key: str) -> list[dict]:
    """What came in, all of it checked before the first request."""
    if arguments:
        if not all(map(str.strip, arguments)):
            raise Stop(f"an argument is empty: each {key} has to have a character", 2)
        return [{key: value} for value in arguments]
    if sys.stdin.isatty():
        raise Stop(f"give each {key} as an argument, or NDJSON on standard input", 2)
    found = []
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise Stop(f"standard input, line {number}: not JSON: {error}", 2) from None
        if not isinstance(record, dict) or not isinstance(record.get(key), str) or not record[key].strip():
            raise Stop(f'standard input, line {number}: not an object with a text "{key}"', 2)
        found.append(record)
    return found


def filled(path: str, key: str, value: str) -> str:
    """`path` with {key} replaced; a slash stays, because ids of repos have one."""
    return path.replace("{" + key + "}", quote(value, safe="/"))


def count(text: str) -> int:
    """The N of --limit."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError("takes a number above 0")
    return int(text)


def emit(record: dict) -> None:
    print(json.dumps(record, ensure_ascii=False), flush=True)


def run(main: Callable[[list[str]], int]) -> int:
    """Calls `main` and turns what it raises into a message and an exit code."""
    try:
        return main(sys.argv[1:])
    except Stop as stop:
        print(f"error: {stop}", file=sys.stderr)
        return stop.code
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # the disk is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"error: standard output cannot be written to: {error.strerror}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


# endregion plumbing

PATH = "__PATH__"
KEY = "__KEY__"
FIELDS = ["__FIELD_LIST__"]


def main(argv: list[str]) -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("values", nargs="*", metavar=KEY)
    arguments.add_argument("--limit", type=count, metavar="N", help="write at most N records")
    options = arguments.parse_args(argv)
    written = refused = 0
    for record in records(options.values, KEY):
        try:
            for item in pages(filled(PATH, KEY, record[KEY])):
                emit({**record, **{field: item.get(field) for field in FIELDS}})
                written += 1
                if written == options.limit:
                    return 1 if refused else 0
        except Refused as error:
            print(f"error: {error}", file=sys.stderr)
            refused += 1
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(run(main))
