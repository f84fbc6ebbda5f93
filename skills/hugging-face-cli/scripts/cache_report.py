# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
# ]
# ///
"""Say what the Hub's cache holds, what of it is large or stale, and free what is named, only with --yes.

What --free can name: `stale` (repositories not used for --older-than days), `detached` (revisions that no branch or tag
of the cache names: those that a newer download replaced, and those that were fetched by commit hash), `incomplete`
(downloads that stopped; those of the last hour are left, they may be running) and `formats` (pickled, TensorFlow and
Flax copies of weights whose safetensors lie beside them). Whatever is freed can be downloaded
again; a private or deleted repository perhaps not, so read the list first.

examples:
  python scripts/cache_report.py
  python scripts/cache_report.py --free detached incomplete --free stale --older-than 90 --keep org/model
  python scripts/cache_report.py --free stale --older-than 30 --yes --json
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

import fnmatch
import shutil
import time
from typing import Any

KINDS = ("stale", "detached", "incomplete", "formats")
ACTIVE_SECONDS = 3600  # an incomplete download that was written to within this may be running
#: Weights in the formats that safetensors replaced; no library loads them where it finds safetensors beside them.
OTHER_FORMATS = (
    "pytorch_model*.bin", "adapter_model.bin", "diffusion_pytorch_model*.bin", "tf_model*.h5", "flax_model*.msgpack",
    "diffusion_flax_model*.msgpack", "rust_model.ot",
)  # fmt: skip
DAY = 86400


def name_of(repo: Any) -> str:
    """As `hf cache rm` takes it: model/org/name."""
    return f"{repo.repo_type}/{repo.repo_id}"


def kept_by(repo: Any, patterns: list[str]) -> list[str]:
    """Those of --keep that mean this repository: its name, org/name, type/org/name, or a pattern of one of these."""
    names = (repo.repo_id.rpartition("/")[2], repo.repo_id, name_of(repo))
    return [pattern for pattern in patterns if any(fnmatch.fnmatch(name, pattern) for name in names)]


def require_kept(info: Any, patterns: list[str]) -> None:
    """Raises Failure for a --keep that means nothing here: a typing error would cost what it was to save."""
    met = {pattern for repo in info.repos for pattern in kept_by(repo, patterns)}
    for pattern in patterns:
        if pattern not in met:
            fix = "correct it, or leave it out: " + ", ".join(sorted(map(name_of, info.repos))[:20])
            raise Failure(f"--keep {pattern}: nothing in the cache has that name", fix, EXIT_USAGE)


def duplicate_formats(revision: Any) -> list:
    """Files of a revision that hold, in another format, the weights that its safetensors hold.

    A folder's own safetensors must be there and whole: sharded ones all of the index's files.
    """
    found = []
    by_folder: dict[Path, list] = {}
    for file in revision.files:
        by_folder.setdefault(file.file_path.parent, []).append(file)
    for folder, files in by_folder.items():
        names = {file.file_name for file in files}
        index = next((name for name in names if name.endswith(".safetensors.index.json")), None)
        if index:
            wanted = set(json.loads((folder / index).read_text(encoding="utf-8")).get("weight_map", {}).values())
            whole = bool(wanted) and wanted <= names
        else:
            whole = "model.safetensors" in names or "adapter_model.safetensors" in names
            whole = whole or "diffusion_pytorch_model.safetensors" in names
        if whole:
            found += [file for file in files if any(fnmatch.fnmatch(file.file_name, one) for one in OTHER_FORMATS)]
    return found


def age_days(seconds: float, now: float) -> int:
    return max(0, int((now - seconds) / DAY))


def look(info: Any, options: argparse.Namespace, now: float) -> tuple[list[dict], dict[str, list[dict]]]:
    """(the repositories, the largest first; what each kind would free, as rows with `label`, `bytes` and `what`).

    `what` is a commit hash, a CachedFileInfo or a path, as the kind has it.
    """
    rows: list[dict] = []
    can: dict[str, list[dict]] = {kind: [] for kind in KINDS}
    for repo in sorted(info.repos, key=lambda repo: -repo.size_on_disk):
        days = age_days(max(repo.last_accessed, repo.last_modified), now)
        held = bool(kept_by(repo, options.keep))
        rows.append({
            "repo": name_of(repo), "bytes": repo.size_on_disk, "unused_days": days, "revisions": len(repo.revisions),
            "refs": sorted(repo.refs), "kept": held, "stale": days >= options.older_than,
        })  # fmt: skip
        if held:
            continue
        for revision in repo.revisions:
            label = f"{name_of(repo)}@{revision.commit_hash[:12]}"
            row = {"label": label, "bytes": revision.size_on_disk, "what": revision.commit_hash}
            if days >= options.older_than:
                can["stale"].append(row)
            if not revision.refs:
                can["detached"].append(row)
            if repo.repo_type == "model":
                can["formats"] += [
                    {"label": f"{label}/{file.file_name}", "bytes": file.size_on_disk, "what": file}
                    for file in duplicate_formats(revision)
                ]
    for file in info.incomplete_files:
        written = file.file_path.stat().st_mtime if file.file_path.exists() else now
        if now - written > ACTIVE_SECONDS:
            label = f"{file.file_path.parent.parent.name}/{file.file_path.name}"
            can["incomplete"].append({"label": label, "bytes": file.size_on_disk, "what": file.file_path})
    return rows, can


def freeing(info: Any, can: dict[str, list[dict]], kinds: list[str]) -> tuple[list[Any], int]:
    """(what to execute or unlink, the bytes that this frees): a file that another revision uses too stays."""
    revisions = sorted({row["what"] for kind in ("stale", "detached") if kind in kinds for row in can[kind]})
    strategies: list[Any] = [info.delete_revisions(*revisions)] if revisions else []
    if "formats" in kinds:
        gone = [snapshot for strategy in strategies for snapshot in (*strategy.snapshots, *strategy.repos)]
        files = [row["what"] for row in can["formats"]]
        files = [file for file in files if not any(path in file.file_path.parents for path in gone)]
        strategies += [info.delete_files(*files)] if files else []
    paths = [row["what"] for row in can["incomplete"]] if "incomplete" in kinds else []
    size = sum(strategy.expected_freed_size for strategy in strategies)
    return [*strategies, *paths], size + sum(row["bytes"] for row in can["incomplete"] if "incomplete" in kinds)


def others(cache: Path) -> list[dict]:
    """What lies beside the cache of repositories, which `hf cache` does not count."""
    from huggingface_hub import constants

    places = {
        "datasets": Path(os.environ.get("HF_DATASETS_CACHE", Path(constants.HF_HOME) / "datasets")),
        "xet": Path(constants.HF_XET_CACHE),
        "assets": Path(constants.HF_ASSETS_CACHE),
    }
    notes = {
        "datasets": "tables that `datasets` made; made again when they are missing",
        "xet": "chunks and logs of transfers; may be deleted while nothing is transferred",
        "assets": "what libraries keep there",
    }
    found = []
    for name, folder in places.items():
        if folder.is_dir() and folder != cache:
            size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
            found.append({"name": name, "path": str(folder), "bytes": size, "note": notes[name]})
    return found


def readable(size: float) -> str:
    """Bytes as a person reads them, in steps of 1,000."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def arguments(argv: list[str]) -> argparse.Namespace:
    given = parser(__doc__)
    given.add_argument("--cache-dir", type=Path, metavar="DIR", help="the cache (default: that of HF_HOME)")
    given.add_argument("--older-than", type=float, default=30, metavar="DAYS", help="what counts as stale (30)")
    given.add_argument("--limit", type=int, default=15, metavar="N", help="repositories shown to a person (15)")
    given.add_argument(
        "--free", nargs="+", action="extend", choices=KINDS, default=[], metavar="KIND", help=", ".join(KINDS)
    )
    given.add_argument(
        "--keep", nargs="+", action="extend", default=[], metavar="ID", help="never freed: a name, org/name or pattern"
    )
    given.add_argument("--yes", action="store_true", help="free it; without it, say what would be freed")
    given.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = given.parse_args(argv)
    if options.older_than < 0:
        raise Failure("--older-than is below zero", "give days, for example 30", EXIT_USAGE)
    if options.yes and not options.free:
        raise Failure("--yes without --free: nothing was named", f"--free {' '.join(KINDS)}", EXIT_USAGE)
    return options


def main(argv: list[str]) -> int:
    options = arguments(argv)
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    cache = options.cache_dir or Path(constants.HF_HUB_CACHE)
    try:
        info = scan_cache_dir(cache)
    except CacheNotFound:
        raise Failure(
            f"there is no cache at {cache}", "nothing was downloaded yet, or HF_HOME names another place"
        ) from None
    except ValueError as error:  # a file where a folder is wanted
        raise Failure(str(error), "name the folder that holds models--…", EXIT_USAGE) from None
    require_kept(info, options.keep)
    if hasattr(os, "ST_NOATIME") and os.statvfs(cache).f_flag & os.ST_NOATIME:
        log("warning: this disk does not keep when files were read (noatime): unused days count from the download")
    rows, can = look(info, options, time.time())
    todo, size = freeing(info, can, options.free)
    named = {kind: [{key: row[key] for key in ("label", "bytes")} for row in can[kind]] for kind in KINDS}
    document = {
        "cache": str(cache), "bytes": info.size_on_disk, "free_disk_bytes": shutil.disk_usage(cache).free,
        "repos": rows, "candidates": named, "would_free_bytes": {kind: freeing(info, can, [kind])[1] for kind in KINDS},
        "chosen": options.free, "chosen_bytes": size, "freed": False, "freed_bytes": 0,
        "beside": others(cache), "damaged": [str(warning) for warning in info.warnings],
    }  # fmt: skip
    waits = bool(todo) and not options.yes
    if todo and options.yes:
        free_now(cache, todo)
        left = scan_cache_dir(cache)
        before = info.size_on_disk + sum(file.size_on_disk for file in info.incomplete_files)
        after = left.size_on_disk + sum(file.size_on_disk for file in left.incomplete_files)
        document.update(freed=True, freed_bytes=before - after, bytes=left.size_on_disk)
    if options.json:
        emit(document)
    else:
        show(document, options)
    if waits:
        log(f"would free {readable(size)}: {', '.join(options.free)}\n  fix: run it again with --yes")
    return EXIT_UNCONFIRMED if waits else EXIT_OK


def free_now(cache: Path, todo: list[Any]) -> None:
    """Carries out what `freeing` chose. Raises Failure where the disk refuses."""
    for each in todo:
        try:
            if isinstance(each, Path):
                each.unlink(missing_ok=True)
            else:
                each.execute()
        except OSError as error:
            raise Failure(f"{cache}: {error}", "make it writable, then run the same command again") from None


def show(document: dict, options: argparse.Namespace) -> None:
    """The report, for a person."""
    free = readable(document["free_disk_bytes"])
    say(f"{document['cache']}: {readable(document['bytes'])}, {free} free on its disk")
    for row in document["repos"][: options.limit]:
        marks = ", ".join(word for word in ("stale", "kept") if row[word])
        say(
            f"{readable(row['bytes']):>12}  unused {row['unused_days']:>4} days  {row['revisions']} revision(s)  "
            f"{row['repo']}{'  ' + marks if marks else ''}"
        )
    if len(document["repos"]) > options.limit:
        say(f"... {len(document['repos']) - options.limit} smaller ones (--limit)")
    for kind in KINDS:
        say(f"--free {kind}: {readable(document['would_free_bytes'][kind])} in {len(document['candidates'][kind])}")
        for row in document["candidates"][kind] if kind in options.free else []:
            say(f"    {readable(row['bytes']):>10}  {row['label']}")
    for place in document["beside"]:
        say(f"beside it, {place['path']}: {readable(place['bytes'])} ({place['note']})")
    for warning in document["damaged"]:
        say(f"damaged: {warning}")
    if document["freed"]:
        say(f"freed {readable(document['freed_bytes'])}")


if __name__ == "__main__":
    sys.exit(run(main))
