# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Say whether this machine can work with the Hub, and for each thing that stands in the way, the fix.

Looks at: version of huggingface_hub and of the `hf` on PATH, endpoint, proxies, certificates, offline switches, clock,
token and role, cache, free disk, Xet, and variables that no longer do anything. With --repo also whether that
repository can be read, and with --write written. Nothing is changed and no file is downloaded.

examples:
  python scripts/hub_doctor.py
  python scripts/hub_doctor.py --repo org/model --write --need-gb 60 --json
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

import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

OLDEST = (2, 4)  # of huggingface_hub whose commands this skill describes
TIMEOUT_SECONDS = 15.0
CLOCK_SECONDS = 300  # signed links of the storage are refused when the clock is off by more
LOW_DISK_GB = 5
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
#: Variables that people still set -> why they do nothing, or what to set.
UNHEARD = {
    "HF_HUB_ENABLE_HF_TRANSFER": "hf_transfer is not used any more; HF_XET_HIGH_PERFORMANCE=1 is what is fast now",
    "REQUESTS_CA_BUNDLE": "huggingface_hub 2 does not read it; a CA file is named in SSL_CERT_FILE",
    "CURL_CA_BUNDLE": "huggingface_hub 2 does not read it; a CA file is named in SSL_CERT_FILE",
    "HUGGING_FACE_HUB_TOKEN": "an old name, read only where HF_TOKEN is not set; use HF_TOKEN",
    "HUGGINGFACE_HUB_CACHE": "an old name, read only where HF_HUB_CACHE is not set; use HF_HUB_CACHE",
}


class Check(NamedTuple):
    """What was looked at. `state`: ok; note (worth knowing); warn (will hurt some day); fail (stands in the way)."""

    name: str
    state: str
    found: str
    fix: str = ""


def versions() -> Iterator[Check]:
    """The library that runs this script, and the `hf` that the user's shell finds."""
    library = metadata.version("huggingface_hub")
    yield Check("library", "ok", f"huggingface_hub {library}, Python {sys.version.split()[0]}")
    found = shutil.which("hf", path=users_path())
    if found is None:
        yield Check("hf", "warn", "no `hf` on PATH", "pip install -U huggingface_hub")
    else:
        quiet = {**os.environ, "HF_HUB_DISABLE_UPDATE_CHECK": "1"}
        try:
            done = subprocess.run(
                [found, "version", "--format", "json"],
                env=quiet,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            number = json.loads(done.stdout)["version"]
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
            number = ""
        if not number:
            yield Check(
                "hf", "warn", f"{found} does not tell its version: older than 2", "pip install -U huggingface_hub"
            )
        elif tuple(int(part) for part in re.findall(r"\d+", number)[:2]) < OLDEST:
            yield Check("hf", "warn", f"{found} is {number}; this skill describes 2.4", "hf update")
        else:
            yield Check("hf", "ok", f"{found} is {number}")
    if old := shutil.which("huggingface-cli"):
        yield Check(
            "hf", "warn", f"{old} is of an old installation", "use `hf`; references/renamed.md has the new names"
        )
    try:
        yield Check("xet", "ok", f"hf_xet {metadata.version('hf_xet')}")
    except metadata.PackageNotFoundError:
        yield Check(
            "xet", "warn", "hf_xet is missing: uploads are one commit, and slow", "pip install -U huggingface_hub"
        )


def users_path() -> str:
    """PATH without the throw-away environment that `uv run` makes for this script, whose `hf` is not the user's."""
    path = os.environ.get("PATH", "")
    if "environments-v" not in sys.prefix:
        return path
    return os.pathsep.join(folder for folder in path.split(os.pathsep) if not folder.startswith(sys.prefix))


def settings() -> Iterator[Check]:
    """Variables that change, or no longer change, what the client does."""
    from huggingface_hub import constants

    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").upper() in constants.ENV_VARS_TRUE_VALUES:
            yield Check("offline", "fail", f"{name} is set: only what is in the cache is found", f"unset {name}")
    if constants.HF_HUB_DISABLE_XET:
        yield Check(
            "xet", "note", "HF_HUB_DISABLE_XET is set: slower, and nothing is deduplicated; buckets use it anyway"
        )
    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        yield Check("token", "warn", "HF_HUB_DISABLE_IMPLICIT_TOKEN is set: reading is anonymous", "unset it")
    for name, why in UNHEARD.items():
        if os.environ.get(name):
            yield Check("variables", "note", f"{name}: {why}")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = os.environ.get(name)
        if path and not Path(path).exists():
            yield Check("certificates", "fail", f"{name} names {path}, which is not there", f"correct or unset {name}")


def proxies(endpoint: str) -> Iterator[Check]:
    """Which proxy the client takes to the endpoint."""
    parts, known = urlsplit(endpoint), getproxies()
    proxy = known.get(parts.scheme) or known.get("all")
    host = parts.hostname or ""
    spared = [name.strip().lstrip("*").lower() for name in known.get("no", "").split(",") if name.strip()]
    if not proxy or any(not name or host == name.lstrip(".") or host.endswith(name) for name in spared):
        return
    shown = re.sub(r"//[^@/]*@", "//***@", proxy)
    if host in LOOPBACK:
        yield Check("proxy", "fail", f"{endpoint} would be reached through {shown}", f"export NO_PROXY={host}")
    else:
        yield Check("proxy", "note", f"through {shown}")


def connection(endpoint: str) -> Iterator[Check]:
    """Whether the Hub answers, how fast, and whether the two clocks agree."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client's own httpx
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.utils import get_session

    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield Check(
            "endpoint", "fail", f"HF_ENDPOINT is {endpoint!r}: no address", "unset HF_ENDPOINT, or https://HOST"
        )
        return
    began = time.monotonic()
    try:
        answer = get_session().get(f"{endpoint}/api/whoami-v2", timeout=TIMEOUT_SECONDS)
    except OfflineModeIsEnabled:
        return  # `settings` has said so
    except (HTTPError, OSError) as error:
        yield Check("endpoint", "fail", f"{endpoint} cannot be reached: {redact(str(error))[:200]}", way_out(error))
        return
    seconds = time.monotonic() - began
    if answer.status_code == 429 or answer.status_code >= 500:
        yield Check("endpoint", "fail", f"{endpoint} answers {answer.status_code}", "wait some minutes, and try again")
    elif answer.status_code in (200, 401) and "json" in answer.headers.get("content-type", ""):
        here = "" if endpoint == "https://huggingface.co" else " (not the public Hub)"
        yield Check("endpoint", "ok", f"{endpoint} answers in {seconds:.1f} s{here}")
    else:
        found = f"{endpoint}/api/whoami-v2 answers {answer.status_code}, and not as a Hub does"
        yield Check(
            "endpoint", "warn", found, "a login page or a proxy in between, or a mirror that serves files alone"
        )
    if date := answer.headers.get("date"):
        off = time.time() - parsedate_to_datetime(date).timestamp()
        if abs(off) > CLOCK_SECONDS:
            yield Check(
                "clock", "fail", f"this machine's clock is {off:+.0f} s off: signed links fail", "set the clock"
            )


def way_out(error: Exception) -> str:
    """What to do about an address that does not answer, by what the operating system said."""
    words = str(error).lower()
    if "certificate" in words or "ssl" in words:
        return "something between changes the certificate: name your company's CA file in SSL_CERT_FILE"
    if "name or service" in words or "getaddrinfo" in words or "resolution" in words or "nodename" in words:
        return "the name is not found: check HF_ENDPOINT, DNS, and whether a proxy is needed (HTTPS_PROXY)"
    if "timed out" in words or "timeout" in words:
        return "nothing answers: a firewall, or a proxy is needed (HTTPS_PROXY)"
    return "check the network and HF_ENDPOINT"


def token(wants_write: bool) -> Iterator[Check]:
    """Which token is used, whose it is, and what it may do; the token itself is never shown."""
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client's own httpx
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, OIDCError

    stored = Path(constants.HF_TOKEN_PATH)
    named = next((name for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") if os.environ.get(name)), None)
    try:
        used = get_token()
    except OIDCError as error:
        yield Check(
            "token", "fail", f"HF_OIDC_RESOURCE is set, and no token came of it: {error}", "unset it outside CI"
        )
        return
    place = f"the variable {named}" if named else f"the file {stored}"
    if os.environ.get("HF_OIDC_RESOURCE"):
        place = "the OIDC exchange (HF_OIDC_RESOURCE)"
    if os.name == "posix" and stored.is_file() and stored.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Check("token", "warn", f"{stored} can be read by other users", f"chmod 600 {stored}")
    if not used:
        state = "fail" if wants_write else "warn"
        yield Check("token", state, "no token: public repositories only", "`hf auth login`, or set HF_TOKEN")
        return
    os.environ["HF_TOKEN"] = used  # so that no message can show it
    if named and stored.is_file() and stored.read_text(encoding="utf-8", errors="replace").strip() != used:
        yield Check("token", "note", f"{named} hides the token that `hf auth login` stored")
    if re.search(r"\s", used):
        yield Check("token", "fail", f"{place} holds white space inside the token", "copy it again")
        return
    try:
        who = HfApi(token=used).whoami()
    except OfflineModeIsEnabled:
        return
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        fix = f"make a new token and replace {place}" if status == 401 else "run it again in a minute"
        yield Check("token", "fail", f"the Hub refuses the token of {place}: {status}", fix)
        return
    except (HTTPError, OSError):
        return  # `connection` has said so
    access = (who.get("auth") or {}).get("accessToken") or {}
    role = access.get("role", "unknown")
    teams = ", ".join(f"{org['name']} ({org.get('roleInOrg', 'member')})" for org in who.get("orgs", [])) or "none"
    scopes = fine_grained(access)
    found = f"{who['name']}, by {place}; role {role}{scopes}; organizations: {teams}"
    if role == "read":
        state = "fail" if wants_write else "note"
        yield Check(
            "token", state, found + "; it cannot write", "a token of role write: huggingface.co/settings/tokens"
        )
    else:
        yield Check("token", "ok", found)


def fine_grained(access: dict) -> str:
    """What a fine-grained token may do, in words."""
    parts = []
    for scope in (access.get("fineGrained") or {}).get("scoped", []):
        entity = scope.get("entity") or {}
        parts.append(f"{entity.get('name', entity.get('type', '?'))}: {', '.join(scope.get('permissions', []))}")
    return f" ({'; '.join(parts)})" if parts else ""


def repository(repo_id: str, repo_type: str, wants_write: bool) -> Iterator[Check]:
    """Whether this token may read, and write, one repository."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the client's own httpx
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    api = HfApi()
    for does, write in (("read", False), ("written", True))[: 1 + wants_write]:
        try:
            api.auth_check(repo_id, repo_type=repo_type, write=write)
        except GatedRepoError:
            fix = f"ask for access at {api.endpoint}/{'' if repo_type == 'model' else repo_type + 's/'}{repo_id}"
            yield Check("repository", "fail", f"{repo_id} is gated, and this user has no access", fix)
            return
        except RepositoryNotFoundError:
            other = other_type(api, repo_id, repo_type)
            fix = f"it is a {other}: --type {other}" if other else "check the name; or it is private, and of others"
            yield Check("repository", "fail", f"there is no {repo_type} {repo_id} that this user can see", fix)
            return
        except HfHubHTTPError as error:
            said = error.server_message or str(error).splitlines()[0]
            fix = "a token with write permission there, or open a pull request: `hf upload … --create-pr`"
            yield Check("repository", "fail", f"{repo_id} cannot be {does}: {said}"[:300], fix)
            return
        except (HTTPError, OSError, OfflineModeIsEnabled):
            return  # `connection` has said so
    yield Check("repository", "ok", f"{repo_id} can be {'read and written' if wants_write else 'read'}")


def other_type(api: Any, repo_id: str, repo_type: str) -> str | None:
    """The type under which there is a repository of that name, when it is another one."""
    from huggingface_hub.errors import HfHubHTTPError

    for kind in ("model", "dataset", "space"):
        if kind != repo_type:
            try:
                api.auth_check(repo_id, repo_type=kind)
            except HfHubHTTPError:
                continue
            return kind
    return None


def storage(need_gb: float) -> Iterator[Check]:
    """The cache: where, how large, writable, and what is free beside it."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    cache = Path(constants.HF_HUB_CACHE)
    above = next(path for path in (cache, *cache.parents) if path.exists())
    free = shutil.disk_usage(above).free / 1e9
    try:
        info = scan_cache_dir(cache)
        partial = f", {len(info.incomplete_files)} incomplete downloads" if info.incomplete_files else ""
        yield Check(
            "cache", "ok", f"{cache}: {info.size_on_disk / 1e9:.1f} GB in {len(info.repos)} repositories{partial}"
        )
        if info.warnings:
            found = f"{len(info.warnings)} folders of the cache are damaged"
            yield Check("cache", "warn", found, "`hf cache list --show-warnings`; delete those folders")
    except CacheNotFound:
        yield Check("cache", "ok", f"{cache}: empty")
    if not above.is_dir() or not os.access(above, os.W_OK):
        yield Check("cache", "fail", f"{above} cannot be written", "set HF_HOME to a folder of yours")
        return
    with tempfile.TemporaryDirectory(dir=above, prefix=".doctor-") as folder:
        try:
            (Path(folder) / "link").symlink_to("target")
        except OSError:
            found = "the disk of the cache has no symbolic links: each revision keeps its own copy of every file"
            yield Check("cache", "warn", found, "set HF_HOME to another disk, or allow them (Windows: developer mode)")
    home = Path.home() / ".cache/huggingface/hub"
    if cache != home and home.is_dir() and any(home.glob("*--*")):
        yield Check(
            "cache", "note", f"{home} holds repositories that are not used: HF_HOME or HF_HUB_CACHE points away"
        )
    if free < need_gb:
        fix = "`cache_report.py` says what can go; or set HF_HOME to a larger disk"
        yield Check("disk", "fail", f"{free:.1f} GB free at {above}, {need_gb:g} are needed", fix)
    elif free < LOW_DISK_GB:
        yield Check("disk", "warn", f"{free:.1f} GB free at {above}", "`cache_report.py` says what can go")
    else:
        yield Check("disk", "ok", f"{free:.1f} GB free at {above}")


def main(argv: list[str]) -> int:
    given = parser(__doc__)
    given.add_argument("--repo", metavar="ID", help="a repository that must be readable, as NAMESPACE/NAME")
    given.add_argument("--type", choices=["model", "dataset", "space"], default="model", help="of --repo")
    given.add_argument("--write", action="store_true", help="the token (and --repo) must be able to write")
    given.add_argument("--need-gb", type=float, default=0, metavar="GB", help="free disk that the task needs")
    given.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = given.parse_args(argv)
    if options.repo and not re.fullmatch(r"[\w.-]+/[\w.-]+", options.repo):
        raise Failure(f"--repo {options.repo!r} is not NAMESPACE/NAME", "for example org/model", EXIT_USAGE)
    try:
        from huggingface_hub import constants
    except ValueError as error:  # a number in the environment that is none stops the library itself
        raise Failure(f"huggingface_hub does not start: {error}", "correct the HF_ variable with that value") from None

    endpoint = constants.ENDPOINT
    checks = [*versions(), *settings(), *proxies(endpoint), *connection(endpoint), *token(options.write)]
    if options.repo:
        checks += repository(options.repo, options.type, options.write)
    checks += storage(options.need_gb)
    states = [check.state for check in checks]
    verdict = "not ready" if "fail" in states else "ready, with warnings" if "warn" in states else "ready"
    if options.json:
        document = {"verdict": verdict, "endpoint": endpoint, "checks": [check._asdict() for check in checks]}
        emit({**document, "failed": [check.name for check in checks if check.state == "fail"]})
    else:
        for check in checks:
            say(f"{check.state:5}{check.name}: {check.found}" + (f"\n       fix: {check.fix}" if check.fix else ""))
        say(verdict)
    return EXIT_NO if "fail" in states else EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
