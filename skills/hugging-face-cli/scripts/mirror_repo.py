# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Copy a repository to another namespace or another Hub, as a snapshot or with its history, and prove it by hash.

SOURCE and DEST are NAMESPACE/NAME. DEST lies on HF_ENDPOINT and is written with HF_TOKEN (or `hf auth login`). Where
SOURCE lies on another Hub, name that with --from-endpoint; it is read with HF_SOURCE_TOKEN, and without one as anybody
may: a token is never sent to the other Hub. Within one Hub large files are copied by the Hub, without a download.

Each commit of the copy names the commit it came from, so the same command continues after an interruption, and later
copies only what is new. Commits keep title and text; their hashes, dates and authors are new, and the old author and
date stand in the text. To copy within one Hub once, with the very same commits: `hf repos duplicate`; such a copy, or
one that `git push` made, can be checked and brought up to date here, too.

--check compares the newest state. With --history it takes every branch, commit and tag of SOURCE (with --revision, that
branch): a commit is there where the branch has its id, or one with the same files. Both go by the hashes that the Hubs
state, so that large files which the Hub still copies in the background count as there.

examples:
  python scripts/mirror_repo.py org/model me/model --yes
  python scripts/mirror_repo.py org/data me/data --type dataset --history --from-endpoint https://huggingface.co --yes
  python scripts/mirror_repo.py me/data me/data-backup --type dataset --history --check
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

import glob
import hashlib
import shutil
from collections.abc import Sequence

CAME_FROM = "Mirrored-From: "  # the line in a commit's text that says which commit is now whole here
CAME_FROM_PART = "Mirrored-Part-Of: "  # the same, while more of that commit is to come
BATCH_REGULAR_BYTES = 100_000_000  # files that are not LFS travel inside the commit's body
CLIENT_REFUSES = {".git", ".cache"}  # huggingface_hub uploads nothing below folders of these names


class Side:
    """One end of the copy: a repository on a Hub, with what this script reads of it."""

    def __init__(self, endpoint: str, token: str | bool, repo_type: str, repo_id: str) -> None:
        from huggingface_hub import HfApi

        self.api = HfApi(endpoint=endpoint, token=token)
        self.endpoint, self.type, self.id = endpoint, repo_type, repo_id
        self.here = {"repo_id": repo_id, "repo_type": repo_type}
        self.url = f"{endpoint}/{'' if repo_type == 'model' else repo_type + 's/'}{repo_id}"

    def info(self, revision: str | None = None) -> Any:
        """What the Hub says of it, or None where there is no such repository. Raises Failure."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with on_hub(f"reading {self.url}"):
            try:
                return self.api.repo_info(**self.here, revision=revision)
            except RepositoryNotFoundError:
                return None

    def files(self, revision: str) -> dict[str, Any]:
        """Path -> what the Hub says of the file (RepoFile), of every file at a revision."""
        from huggingface_hub.hf_api import RepoFile

        with on_hub(f"listing {self.url} at {revision}"):
            tree = self.api.list_repo_tree(**self.here, revision=revision, recursive=True)
            return {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def commits(self, revision: str) -> list[Any]:
        """The commits of a revision, the oldest first."""
        with on_hub(f"reading the history of {self.url}"):
            return self.api.list_repo_commits(**self.here, revision=revision)[::-1]

    def refs(self) -> Any:
        with on_hub(f"reading the branches and tags of {self.url}"):
            return self.api.list_repo_refs(**self.here)


def content_hash(file: Any) -> str:
    """What a file holds, as the Hub states it: SHA-256 of a large file, git's hash of another."""
    return f"sha256:{file.lfs.sha256}" if file.lfs else f"git:{file.blob_id}"


def hashes_of(path: Path, kind: str) -> str:
    """The hash of a file on this machine, in the form of `content_hash`; `kind` is "sha256" or "git"."""
    digest = hashlib.sha256() if kind == "sha256" else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return f"{kind}:{digest.hexdigest()}"


def differing(source: dict[str, Any], dest: dict[str, Any], equal: set[tuple[str, str]]) -> tuple[list, list]:
    """(files of `source` that `dest` lacks or has otherwise, paths that only `dest` has).

    `equal` holds pairs of hashes that were found to be of the same content: one Hub may keep as a large file what the
    other keeps in git.
    """

    def same(path: str) -> bool:
        ours, theirs = content_hash(source[path]), content_hash(dest[path])
        return ours == theirs or (ours, theirs) in equal

    wanted = [file for path, file in sorted(source.items()) if path not in dest or not same(path)]
    return wanted, sorted(set(dest) - set(source))


def is_left_out(path: str) -> bool:
    """Whether the Hub's client refuses to upload it."""
    return not CLIENT_REFUSES.isdisjoint(path.split("/"))


def batches(files: list, most: int, most_bytes: int) -> Iterator[list]:
    """`files` in parts that a commit takes and this disk holds."""
    part: list = []
    size = regular = 0
    for file in files:
        inline = 0 if file.lfs else file.size
        full = len(part) == most or size + file.size > most_bytes or regular + inline > BATCH_REGULAR_BYTES
        if part and full:
            yield part
            part, size, regular = [], 0, 0
        part.append(file)
        size, regular = size + file.size, regular + inline
    if part:
        yield part


class Mirror:
    """The copy of one branch from `source` to `dest`."""

    def __init__(self, source: Side, dest: Side, revision: str, branch: str, options: argparse.Namespace) -> None:
        self.source, self.dest, self.branch = source, dest, branch
        self.revision = revision  # of the source, as a hash: it does not move while this runs
        # A folder of its own also below --work: what is in it is deleted.
        self.work = (options.work or Path()) / f".mirror-{dest.id.replace('/', '-')}"
        self.batch_files, self.batch_bytes = options.batch_files, int(options.batch_gb * 1e9)
        self.head: str | None = None  # of the branch there; None while there is none
        self.known: dict[str, str] = {}  # commit of the source -> the commit there that holds the same
        self.equal: set[tuple[str, str]] = set()
        self.proved: set[tuple[str, str]] = set()  # (commit of the source, one there) that hold the same
        self.bytes = self.copied = self.commits = 0

    def name_of(self, commit: str) -> str:
        return f"{self.source.url}@{commit}"

    def look(self, line: Sequence[Any], overwrite: bool) -> bool:
        """Reads what is there already; False when there is no such repository. `line` are the source's commits.

        Raises Failure where the branch ends in something that is neither from this mirror nor a commit of the source.
        """
        if self.dest.info() is None:
            return False
        heads = {ref.name: ref.target_commit for ref in self.dest.refs().branches}
        self.head = heads.get(self.branch)
        for name in dict.fromkeys(n for n in ("main", self.branch) if n in heads):
            commits = self.dest.commits(name)
            for source, there in self.holds(commits).items():
                self.known.setdefault(source, there)
            if name != self.branch or overwrite:
                continue
            ours = self.origin(commits[-1], CAME_FROM) or self.origin(commits[-1], CAME_FROM_PART)
            ours = ours or commits[-1].commit_id in {commit.commit_id for commit in line}
            if not ours and (len(commits) > 1 or set(self.dest.files(name)) - {".gitattributes"}):
                raise Failure(
                    f"{self.dest.url} holds, on {name}, what is not from {self.source.url}: '{commits[-1].title}'",
                    "name another DEST, or --overwrite to replace its files (its history stays)",
                    EXIT_USAGE,
                )
        return True

    def holds(self, commits: Sequence[Any]) -> dict[str, str]:
        """Commit of the source -> the commit there that has its id, as in a duplicate, or says that it came from it."""
        same = {commit.commit_id: commit.commit_id for commit in commits}
        came = {origin: commit.commit_id for commit in commits[::-1] if (origin := self.origin(commit, CAME_FROM))}
        return same | came

    def origin(self, commit: Any, mark: str) -> str | None:
        """The source's commit that a commit there names after `mark`."""
        for line in f"{commit.title}\n{commit.message}".splitlines():
            if line.startswith(mark + self.source.url + "@"):
                return line.rpartition("@")[2].strip()
        return None

    def start_branch(self, line: Sequence[Any]) -> None:
        """Makes the branch there, from the newest commit of `line` that is there already."""
        shared = next((self.known[commit.commit_id] for commit in line[::-1] if commit.commit_id in self.known), None)
        with on_hub(f"making the branch {self.branch} of {self.dest.url}"):
            self.dest.api.create_branch(**self.dest.here, branch=self.branch, revision=shared)
        self.head = {ref.name: ref.target_commit for ref in self.dest.refs().branches}[self.branch]

    def copy_commit(self, commit: Any, title: str, there: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        """Brings the branch from the files `there` to the files `wanted`, those of `commit`: in one commit or more.

        Returns the files that are there now.
        """
        from huggingface_hub import CommitOperationDelete

        changed, gone = differing(wanted, there, self.equal)
        parts = list(batches(changed, self.batch_files, self.batch_bytes)) or ([[]] if gone else [])
        for number, part in enumerate(parts, 1):
            last = number == len(parts)
            operations = self.additions(commit.commit_id, part)
            if last:
                operations += [CommitOperationDelete(path_in_repo=path) for path in gone]
            came = (CAME_FROM if last else CAME_FROM_PART) + self.name_of(commit.commit_id)
            by = ", ".join(commit.authors) or "unknown"
            text = f"{commit.message}\n\n{came}\nOriginally-By: {by}, {commit.created_at:%Y-%m-%d %H:%M:%S %Z}".strip()
            with on_hub(f"writing to {self.dest.url}"):
                done = self.dest.api.create_commit(
                    **self.dest.here, operations=operations, revision=self.branch, parent_commit=self.head,
                    commit_message=title + ("" if len(parts) == 1 else f" ({number} of {len(parts)})"),
                    commit_description=text,
                )  # fmt: skip
            if done.oid != self.head:  # else the client found that all of it was there
                self.head = done.oid
                self.commits += 1
                self.copied += len(part)
                self.bytes += sum(file.size for file in part)
            shutil.rmtree(self.work, ignore_errors=True)
        self.known.setdefault(commit.commit_id, str(self.head))
        return self.dest.files(self.branch) if parts else there

    def additions(self, revision: str, part: list) -> list[Any]:
        """The operations that put these files there: copied by the Hub where it is one Hub, else downloaded."""
        from huggingface_hub import CommitOperationAdd, CommitOperationCopy

        if self.source.endpoint == self.dest.endpoint and self.source.api.token == self.dest.api.token:
            return [
                CommitOperationCopy(
                    src_path_in_repo=file.path, path_in_repo=file.path, src_revision=revision,
                    src_repo_id=self.source.id, src_repo_type=self.source.type,
                )
                for file in part
            ]  # fmt: skip
        if not part:
            return []
        self.work.mkdir(parents=True, exist_ok=True)
        size, free = sum(file.size for file in part), shutil.disk_usage(self.work).free
        if size > free:
            raise Failure(
                f"{self.work} has {free / 1e9:.1f} GB free, and the next part is {size / 1e9:.1f} GB",
                "free some, name another disk with --work, or smaller parts with --batch-gb",
            )
        with on_hub(f"downloading from {self.source.url}"):
            self.source.api.snapshot_download(
                **self.source.here, revision=revision, local_dir=self.work,
                allow_patterns=[glob.escape(file.path) for file in part],
            )  # fmt: skip
        for file in part:
            said = content_hash(file)
            found = hashes_of(self.work / file.path, said.partition(":")[0])
            if found != said:
                raise Failure(
                    f"{file.path} of {self.source.url} came as {found}, and the Hub says {said}",
                    f"delete {self.work} and run the same command again",
                )
        return [CommitOperationAdd(path_in_repo=file.path, path_or_fileobj=self.work / file.path) for file in part]

    def compare(self, wanted: dict[str, Any], there: dict[str, Any], revision: str = "") -> tuple[list, list]:
        """`differing`, after what the two Hubs hash in different ways was read, and hashed in the other's way.

        `wanted` are files of the source at `revision` (default: the newest).
        """
        for file in differing(wanted, there, self.equal)[0]:
            other = there.get(file.path)
            if not other or other.size != file.size or bool(other.lfs) == bool(file.lfs):
                continue
            with on_hub(f"reading {file.path} of {self.source.url}"):
                path = self.source.api.hf_hub_download(
                    **self.source.here, filename=file.path, revision=revision or self.revision, local_dir=self.work
                )
            if hashes_of(Path(path), content_hash(other).partition(":")[0]) == content_hash(other):
                self.equal.add((content_hash(file), content_hash(other)))
        shutil.rmtree(self.work, ignore_errors=True)
        return differing(wanted, there, self.equal)

    def differences(self, wanted: dict[str, Any]) -> list[str]:
        """What the branch there holds otherwise than `wanted`, in words; empty where it is the same."""
        if not self.head:
            return ["there is no such repository, or no such branch"]
        there = self.dest.files(self.branch)
        changed, gone = self.compare(wanted, there)
        differences = [f"{file.path}: {'differs' if file.path in there else 'is missing'}" for file in changed]
        return differences + [f"{path}: is only there" for path in gone]

    def same_state(self, revision: str, there: str) -> bool:
        """Whether a commit of the source and one there are the same, or hold the same files."""
        if revision != there and (revision, there) not in self.proved:
            log(f"comparing the files of {revision[:12]} with those of {there[:12]} there")
            if self.compare(self.source.files(revision), self.dest.files(there), revision) != ([], []):
                return False
        self.proved.add((revision, there))
        return True

    def missing_commits(self, line: Sequence[Any]) -> list[str]:
        """The commits of `line` whose state the history of the branch there does not hold, in words."""
        commits = self.dest.commits(self.branch)
        holds, at = self.holds(commits), commits[0].commit_id
        missing = []
        for commit in line:
            at = holds.get(commit.commit_id, at)  # a commit that changes no file is not copied: the one before holds it
            if not self.same_state(commit.commit_id, at):
                missing.append(f"commit {commit.commit_id[:12]} '{commit.title}': is missing")
        return missing

    def missing_tags(self) -> dict[str, str]:
        """Tag -> the commit there that it belongs on, of the tags that DEST lacks; those that it has stay."""
        have = {tag.name for tag in self.dest.refs().tags}
        tags = {tag.name: tag.target_commit for tag in self.source.refs().tags if tag.name not in have}
        return {name: self.known[commit] for name, commit in tags.items() if commit in self.known}

    def facts(self) -> dict[str, Any]:
        return {
            "source": self.source.url, "dest": self.dest.url, "branch": self.branch, "revision": self.revision,
            "head": self.head,
        }  # fmt: skip


def arguments(argv: list[str]) -> argparse.Namespace:
    given = parser(__doc__)
    given.add_argument("source", metavar="SOURCE", help="NAMESPACE/NAME to copy from")
    given.add_argument("dest", metavar="DEST", help="NAMESPACE/NAME to copy to, made where there is none")
    given.add_argument("--type", choices=["model", "dataset", "space"], default="model", help="(default: model)")
    given.add_argument("--revision", help="branch, tag or commit of SOURCE (default: main)")
    given.add_argument("--branch", help="branch of DEST (default: --revision where it is a branch, else main)")
    given.add_argument("--history", action="store_true", help="every commit and the tags on them, not the last alone")
    given.add_argument("--from-endpoint", metavar="URL", help="the Hub of SOURCE (default: HF_ENDPOINT)")
    given.add_argument("--public", action="store_true", help="make DEST public (default: private)")
    given.add_argument("--overwrite", action="store_true", help="replace the files of a DEST that is not this mirror's")
    given.add_argument("--check", action="store_true", help="copy nothing; exit 1 where DEST does not hold the same")
    given.add_argument("--batch-files", type=int, default=500, metavar="N", help="files a commit at most (500)")
    given.add_argument("--batch-gb", type=float, default=10, metavar="GB", help="and this many GB, on --work too (10)")
    given.add_argument("--work", type=Path, metavar="DIR", help="for files on their way, in .mirror-… there (.)")
    given.add_argument("--yes", action="store_true", help="write to DEST; without it, say what would be copied")
    given.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = given.parse_args(argv)
    for name in (options.source, options.dest):
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
            raise Failure(f"{name!r} is not NAMESPACE/NAME", "for example me/model, with --type dataset", EXIT_USAGE)
    if options.batch_files < 1 or options.batch_gb <= 0:
        raise Failure("--batch-files and --batch-gb are above zero", "leave them out for the defaults", EXIT_USAGE)
    if options.from_endpoint and not re.match(r"https?://[^/]+", options.from_endpoint):
        raise Failure(f"--from-endpoint {options.from_endpoint!r} is no address", "https://…", EXIT_USAGE)
    return options


def main(argv: list[str]) -> int:
    options = arguments(argv)
    from huggingface_hub import constants, get_token

    dest_token = get_token() or False
    if not options.check:
        api, who = sign_in()
        full_id(who, options.dest)
        dest_token = api.token
    origin = (options.from_endpoint or constants.ENDPOINT).rstrip("/")
    source_token = os.environ.get("HF_SOURCE_TOKEN") or (dest_token if origin == constants.ENDPOINT else False)
    source = Side(origin, source_token, options.type, options.source)
    dest = Side(constants.ENDPOINT, dest_token, options.type, options.dest)
    if source.url == dest.url:
        raise Failure("SOURCE and DEST are the same repository", "name another DEST", EXIT_USAGE)
    info = source.info(options.revision or "main")
    if info is None:
        fix = "set HF_SOURCE_TOKEN if it is private" if source_token is False else "check the name, --type and token"
        raise Failure(f"there is no {options.type} {source.url}, or it may not be read", fix, EXIT_USAGE)
    branches = [ref.name for ref in source.refs().branches]
    branch = options.branch or (options.revision if options.revision in branches else "main")
    mirror = Mirror(source, dest, info.sha, branch, options)

    wanted = source.files(info.sha)
    if options.check:
        exists = mirror.look([], overwrite=True)
        history = check_history(options, mirror, exists) if options.history else None
        return report(options, mirror, wanted, [], [], history)
    refused = sorted(filter(is_left_out, wanted))
    for path in refused:
        log(f"left out: {path}: the Hub's client uploads nothing below {' or '.join(sorted(CLIENT_REFUSES))}")
        del wanted[path]
    commits = source.commits(info.sha)
    exists = mirror.look(commits, options.overwrite)
    line = commits if options.history else commits[-1:]
    done = max((n for n, commit in enumerate(line, 1) if commit.commit_id in mirror.known), default=0)
    todo = line[done:] or line[-1:]  # the last once more costs nothing where it is there, and mends it where it is not
    changed, gone = mirror.compare(wanted, dest.files(branch) if mirror.head else {})
    tags = mirror.missing_tags() if options.history and exists else {}
    if not options.yes and (changed or gone or tags or len(line) > done):
        return propose(options, mirror, exists, len(line) - done, changed, gone)

    if not exists:
        with on_hub(f"making {dest.url}"):
            dest.api.create_repo(
                **dest.here, private=not options.public, space_sdk=getattr(info, "sdk", None), exist_ok=True
            )
        mirror.look(commits, overwrite=False)
    if mirror.head is None:
        mirror.start_branch(line)
    there = dest.files(branch)
    for number, commit in enumerate(todo, 1):
        files = wanted if commit.commit_id == info.sha else source.files(commit.commit_id)
        files = {path: file for path, file in files.items() if not is_left_out(path)}
        title = commit.title if options.history else f"Mirror of {options.source} at {info.sha[:12]}"
        log(f"{number} of {len(todo)}: {commit.commit_id[:12]} {commit.title}")
        there = mirror.copy_commit(commit, title, there, files)
    tags = mirror.missing_tags() if options.history else {}
    for name, commit in tags.items():
        with on_hub(f"tagging {dest.url}"):
            dest.api.create_tag(**dest.here, tag=name, revision=commit, exist_ok=True)
    others = sorted(set(branches) - {branch}) if options.history and not options.revision else []
    if others:
        log(f"not copied: the branches {', '.join(others)}; run it once more for each, with --revision NAME")
    return report(options, mirror, wanted, refused, sorted(tags))


def propose(options: argparse.Namespace, mirror: Mirror, exists: bool, commits: int, changed: list, gone: list) -> int:
    """Says what would be written, and that it waits for --yes."""
    size = sum(file.size for file in changed)
    made = "" if exists else f" (made, {'public' if options.public else 'private'})"
    log(
        f"would copy {len(changed)} files, {size / 1e6:.1f} MB, in {max(commits, 1)} commit(s) or more, from "
        f"{mirror.source.url} to {mirror.dest.url}{made}, branch {mirror.branch}; {len(gone)} files there would go"
    )
    log("  fix: run it again with --yes" + ("; older versions of files come on top" if options.history else ""))
    if options.json:
        plan = {"makes_repo": not exists, "commits": max(commits, 1), "files": len(changed), "bytes": size}
        emit({**mirror.facts(), **plan, "deletes": gone, "done": False})
    return EXIT_UNCONFIRMED


def check_history(options: argparse.Namespace, mirror: Mirror, exists: bool) -> dict[str, Any]:
    """Holds every branch, commit and tag of the source against the copy; with --revision, that line and its tags."""
    source, dest = mirror.source, mirror.dest
    refs, there = source.refs(), {tag.name: tag.target_commit for tag in dest.refs().tags} if exists else {}
    lines = {mirror.branch: mirror.revision}
    if not (options.revision or options.branch):
        lines = {ref.name: ref.target_commit for ref in refs.branches}
    differences: list[str] = []
    commits: set[str] = set()
    for branch, head in lines.items():
        line, part = source.commits(head), Mirror(source, dest, head, branch, options)
        part.equal, part.proved = mirror.equal, mirror.proved
        part.look([], overwrite=True)
        words = part.differences(source.files(head)) if branch != mirror.branch else []  # that one `report` compares
        words += part.missing_commits(line) if part.head else []
        differences += [f"branch {branch}: {word}" for word in words]
        commits |= {commit.commit_id for commit in line}
    tags = {tag.name: tag.target_commit for tag in refs.tags if not options.revision or tag.target_commit in commits}
    for name, commit in tags.items():
        if name not in there:
            differences.append(f"tag {name}: is missing")
        elif not mirror.same_state(commit, there[name]):
            differences.append(f"tag {name}: is on another state")
    same = sum(commit == other for commit, other in mirror.proved if commit in commits)
    return {
        "branches": sorted(lines), "tags": sorted(tags), "commits": len(commits), "same_ids": same,
        "differences": differences,
    }  # fmt: skip


def report(
    options: argparse.Namespace, mirror: Mirror, wanted: dict, refused: list[str], tags: list[str],
    history: dict[str, Any] | None = None,
) -> int:  # fmt: skip
    """Holds the copy against the source, file by file and by hash, and says so: 0 the same, 1 not."""
    differences = mirror.differences(wanted)
    if history:
        differences += history.pop("differences")
    same = not differences and not refused
    if options.json:
        emit({
            **mirror.facts(), "commits": mirror.commits, "files": mirror.copied, "bytes": mirror.bytes, "tags": tags,
            "verified_files": len(wanted) if same else 0, "verified_history": history if same else None,
            "left_out": refused, "differences": differences, "done": same,
        })  # fmt: skip
        return EXIT_OK if same else EXIT_NO
    for words in differences[:20]:
        say(words)
    if len(differences) > 20:
        say(f"and {len(differences) - 20} more")
    if not same:
        whole = " with its history" if history else ""
        say(f"{mirror.dest.url} does not hold {mirror.name_of(mirror.revision)}{whole}")
        if options.check:
            log("  fix: without --check it brings what is missing, one branch a run (--revision NAME)")
        return EXIT_NO
    line = f"{mirror.dest.url} holds the {len(wanted)} files of {mirror.name_of(mirror.revision)}, by hash"
    if history:
        branches, tags = (", ".join(history[kind]) or "none" for kind in ("branches", "tags"))
        line += (
            f", and the history: branches: {branches}; tags: {tags}; {history['commits']} commits, "
            f"{history['same_ids']} by the same id, {history['commits'] - history['same_ids']} by the same files"
        )
    elif options.check:
        line += "; of older commits and of tags this says nothing (--history)"
    else:
        line += f"; {mirror.copied} files, {mirror.bytes / 1e6:.1f} MB copied now in {mirror.commits} commit(s)"
    say(line)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
