"""Measure the local Hub with the real client: large files, many files, many clients, memory, start.

Usage:
    python benchmarks/hub.py
    python benchmarks/hub.py --gigabytes 0.25 --files 2000 --json

Each figure is the client's whole time, hashing included; ratios are to a plain copy of the same bytes, synced.
Nothing here is a gate.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from skillpack.hub import server

CLIENT = """
import json, os, sys, time
from pathlib import Path
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
job, where = sys.argv[1], Path(sys.argv[2])
api = HfApi()
repo = "bench/" + job + ("" if not os.environ.get("HF_HUB_DISABLE_XET") else "-http")
api.create_repo(repo)
started = time.monotonic()
if job == "large":
    api.upload_file(path_or_fileobj=where / "large.bin", path_in_repo="large.bin", repo_id=repo)
else:
    from huggingface_hub import CommitOperationAdd
    add = [CommitOperationAdd("files/" + path.name, path) for path in sorted((where / "files").iterdir())]
    api.create_commit(repo, add, commit_message="All of them")
up = time.monotonic() - started
started = time.monotonic()
if job == "large":
    got = Path(hf_hub_download(repo, "large.bin"))
    assert got.stat().st_size == (where / "large.bin").stat().st_size
else:
    got = Path(snapshot_download(repo, max_workers=8)) / "files"
    assert len(list(got.iterdir())) == len(add)
print(json.dumps({"up": up, "down": time.monotonic() - started}))
"""


def synced_copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def make_inputs(folder: Path, gigabytes: float, files: int) -> None:
    """Bytes that do not compress, as weights hardly do."""
    with (folder / "large.bin").open("wb") as file:
        for _ in range(int(gigabytes * 1024)):
            file.write(os.urandom(1 << 20))
    (folder / "files").mkdir()
    for number in range(files):
        (folder / "files" / f"{number:05d}.txt").write_text(f"file {number}\n" * 20)


def copies(folder: Path) -> tuple[float, float]:
    """Seconds of a plain copy: of the large file, and of the small ones (synced once, at the end)."""
    started = time.monotonic()
    synced_copy(folder / "large.bin", folder / "copy.bin")
    large = time.monotonic() - started
    (folder / "copy.bin").unlink()
    started = time.monotonic()
    shutil.copytree(folder / "files", folder / "copies")
    os.sync()
    small = time.monotonic() - started
    shutil.rmtree(folder / "copies")
    return large, small


def peak_megabytes(pid: int) -> float:
    """The most memory that the server has held at once, from the kernel."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def start_to_answer(folder: Path) -> float:
    started = time.monotonic()
    _, process = server.spawn(folder / "quick")
    seconds = time.monotonic() - started
    process.terminate()
    process.wait()
    return seconds


def many_clients(url: str, token: str, clients: int) -> tuple[float, int]:
    """(seconds, commits that landed) of threads that each commit one file."""
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(endpoint=url, token=token)
    api.create_repo("bench/many")

    def commit(number: int) -> None:
        api.create_commit("bench/many", [CommitOperationAdd(f"{number}.txt", b"x")], commit_message=str(number))

    threads = [threading.Thread(target=commit, args=(number,)) for number in range(clients)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - started, len(api.list_repo_commits("bench/many")) - 1


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args(argv)
    rows: list[dict[str, object]] = []

    def row(what: str, seconds: float, plain: float | None = None, peak: float | None = None, note: str = "") -> None:
        rows.append({"what": what, "seconds": seconds, "ratio": seconds / plain if plain else None, "peak_mb": peak})
        if not options.json:
            ratio = f"{seconds / plain:6.1f}x" if plain else " " * 7
            memory = f"{peak:7.0f} MB" if peak else " " * 10
            print(f"{what:<42}{seconds:8.2f} s {ratio} {memory}  {note}", flush=True)

    with tempfile.TemporaryDirectory(prefix="skillpack-bench-") as name:
        folder = Path(name)
        make_inputs(folder, options.gigabytes, options.files)
        row("start to first answer", start_to_answer(folder))
        large, small = copies(folder)
        row(f"plain copy, {options.gigabytes:g} GB", large)
        row(f"plain copy, {options.files} files", small)
        address, process = server.spawn(folder / "hub", "bench")
        try:
            for xet in (True, False):
                if not xet:  # other bytes, or the Hub says that it has them already
                    with (folder / "large.bin").open("r+b") as file:
                        file.write(os.urandom(1 << 20))
                for job, plain in (("large", large), ("small", small)):
                    if job == "small" and not xet:
                        continue  # text files are not LFS: they travel the same way
                    reset_peak(address.pid)
                    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
                    env = {**kept, **address.environment(), "HF_HOME": str(folder / f"home-{xet}-{job}")}
                    env |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", **({} if xet else {"HF_HUB_DISABLE_XET": "1"})}
                    done = subprocess.run(
                        [sys.executable, "-c", CLIENT, job, name], env=env, stdout=subprocess.PIPE, check=True
                    )
                    found = json.loads(done.stdout.splitlines()[-1])
                    kind = "Xet" if xet else "HTTP"
                    size = f"{options.gigabytes:g} GB, {kind}" if job == "large" else f"{options.files} files"
                    peak = peak_megabytes(address.pid)
                    row(f"upload, {size}", found["up"], plain, peak)
                    row(f"download, {size}", found["down"], plain, peak)
                    shutil.rmtree(folder / f"home-{xet}-{job}", ignore_errors=True)
            reset_peak(address.pid)
            seconds, landed = many_clients(address.url, address.token, options.clients)
            note = f"{landed} of {options.clients} landed"
            row(f"{options.clients} clients, one commit each", seconds, None, peak_megabytes(address.pid), note)
        finally:
            process.terminate()
            process.wait()
    if options.json:
        print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
