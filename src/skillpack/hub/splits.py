"""The configs and splits of a dataset repo, each as one Parquet file in a cache folder.

Which files make a split: the `configs` of the card, and without them the names of files and folders.
"""

from __future__ import annotations

import fnmatch
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import info, repos
from .errors import HubError, not_found
from .repos import Repo

if TYPE_CHECKING:
    from .state import Hub

FORMATS = {
    ".parquet": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
}
SPLIT_WORDS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_CONVERTING = threading.Lock()


@dataclass(frozen=True)
class Split:
    """One split of one config, at one commit."""

    repo: Repo
    oid: str
    config: str
    split: str
    files: tuple[tuple[str, int], ...]  # path, bytes

    @property
    def native(self) -> bool:
        """The repo's own file is the Parquet file that is served."""
        return len(self.files) == 1 and self.files[0][0].endswith(".parquet")


def _split_word(path: str) -> str:
    for part in reversed(Path(path).with_suffix("").parts):
        for word in re.split(r"[^a-z]+", part.lower()):
            if word in SPLIT_WORDS:
                return SPLIT_WORDS[word]
    return "train"


def _matching(names: list[str], pattern: str) -> list[str]:
    pattern = pattern.removeprefix("./")
    return [name for name in names if fnmatch.fnmatchcase(name, pattern.replace("**/", "*")) or name == pattern]


def _of_card(configs: Any, names: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    for config in configs if isinstance(configs, list) else []:
        if not isinstance(config, dict):
            continue
        name = str(config.get("config_name", "default"))
        raw = config.get("data_files")
        rules: list[Any] = raw if isinstance(raw, list) else [raw]
        if isinstance(raw, dict):
            rules = [{"split": split, "path": path} for split, path in raw.items()]
        for rule in rules:
            split, patterns = ("train", rule) if isinstance(rule, str) else (None, None)
            if isinstance(rule, dict):
                split, patterns = str(rule.get("split", "train")), rule.get("path")
            wanted = [patterns] if isinstance(patterns, str) else patterns
            if split and isinstance(wanted, list):
                found = [name for pattern in wanted for name in _matching(names, str(pattern))]
                if found:
                    yield name, split, list(dict.fromkeys(found))


def find(hub: Hub, repo: Repo, revision: str = "main") -> list[Split]:
    """Every split of a dataset, in the order of its card, else train, validation, test."""
    oid = repos.commit_oid(hub, repo, revision)
    sizes = {
        file.path: file.size
        for file in repos.list_files(hub, "dataset", repo.full_name, oid)
        if Path(file.path).suffix in FORMATS and not Path(file.path).name.startswith((".", "dataset_infos"))
    }
    configs = (info.metadata(hub, repo, oid)["cardData"] or {}).get("configs")
    groups = {(config, split): files for config, split, files in _of_card(configs, sorted(sizes))}
    if not groups:
        for path in sorted(sizes):
            groups.setdefault(("default", _split_word(path)), []).append(path)
        order = ["train", "validation", "test"]
        groups = dict(sorted(groups.items(), key=lambda item: order.index(item[0][1])))
    return [
        Split(repo, oid, config, split, tuple((path, sizes[path]) for path in files))
        for (config, split), files in groups.items()
    ]


def one(hub: Hub, repo: Repo, config: str, split: str) -> Split:
    for each in find(hub, repo):
        if (each.config, each.split) == (config, split):
            return each
    raise not_found(f"The split {split!r} of config {config!r} does not exist")


def parquet(hub: Hub, split: Split) -> Path:
    """The split as one Parquet file, made when first asked for; 422 when its files cannot be read."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", f"{split.config}-{split.split}")
    home = hub.root / "viewer" / str(split.repo.id)
    target = home / split.oid / safe / "0000.parquet"
    with _CONVERTING:
        if target.is_file():
            return target
        for other in home.iterdir() if home.is_dir() else []:
            if other.name != split.oid:
                shutil.rmtree(other, ignore_errors=True)  # of former commits
        work = hub.root / "tmp" / f"viewer-{secrets.token_hex(8)}"
        work.mkdir(parents=True)
        try:
            made = _convert(_copies(hub, split, work), work)
            target.parent.mkdir(parents=True, exist_ok=True)
            made.replace(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _copies(hub: Hub, split: Split, work: Path) -> list[Path]:
    copies = []
    for number, (path, _) in enumerate(split.files):
        copy = work / f"{number:05d}{Path(path).suffix}"
        with repos.open_file(hub, "dataset", split.repo.full_name, split.oid, path) as source, copy.open("wb") as out:
            shutil.copyfileobj(source, out, 1 << 20)
        copies.append(copy)
    return copies


def _convert(files: list[Path], work: Path) -> Path:
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = work / "made.parquet"
    kinds = {FORMATS[file.suffix] for file in files}
    if len(kinds) > 1:
        raise HubError(422, f"A split mixes formats: {', '.join(sorted(kinds))}", "SplitFormatError")
    kind = kinds.pop()
    try:
        if kind == "parquet":
            if len(files) == 1:
                pq.ParquetFile(files[0]).close()
                return files[0]
            schema = pq.read_schema(files[0])
            with pq.ParquetWriter(made, schema) as writer:
                for file in files:
                    for batch in pq.ParquetFile(file).iter_batches(10_000):
                        writer.write_table(pa.Table.from_batches([batch]).cast(schema))
            return made
        with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as connection:
            read = "read_json(?, format='auto')" if kind == "json" else "read_csv(?, header=true)"
            connection.execute(
                f"COPY (SELECT * FROM {read}) TO '{made}' (FORMAT parquet)", [[str(file) for file in files]]
            )
        return made
    except (duckdb.Error, pa.ArrowException, ValueError) as error:
        reason = str(error).replace(str(work) + "/", "").splitlines()[0]
        raise HubError(422, f"The files of this split cannot be read: {reason}", "DatasetGenerationError") from error
