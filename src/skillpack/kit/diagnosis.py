"""The region of the scripts that say why a job failed, by what its log and its last message hold."""

from __future__ import annotations

import re

# region skillpack:diagnosis
LOG_LINES = 20_000  # kept of a log for the diagnosis
# What a log says when a job fails, whatever ran in it: kind -> (what to look for, cause). The first that matches is
# the cause, so the special stands before the general.
SYMPTOMS = {
    "oom": (
        r"CUDA out of memory|OutOfMemoryError|MPS backend out of memory|can't allocate memory|Cannot allocate memory"
        r"|^MemoryError|\bOOMKilled\b|std::bad_alloc|ArrayMemoryError|realloc of size \d+ failed"
        r"|No available memory for the cache blocks",
        "out of memory",
    ),
    "disk": (
        r"No space left on device|GB free, the checkpoints and the model need|Errno 28|Disk quota exceeded"
        r"|inline_container.*unexpected pos|a checkpoint could not be written",
        "the disk is full",
    ),
    "columns": (
        r"no row fits|Missing '.*column|KeyError: '(?:messages|prompt|completion|chosen|rejected|text)'"
        r"|Column .* not in the dataset|no token carries loss|CastError|DatasetGenerationCastError|has no column",
        "the rows do not have the columns that the script reads",
    ),
    "auth": (
        r"GatedRepoError|Cannot access gated repo|RepositoryNotFoundError|\b40[13] Client Error|Invalid username or "
        r"password|Invalid user token|LocalTokenNotFoundError|\bUnauthorized\b|DatasetNotFoundError|is not a local "
        r"folder and is not a valid model identifier|Access to .* is restricted|no Hugging Face token",
        "the job may not read or write something on the Hub, or it is not there: no token, an old one, or a wrong name",
    ),
    "import": (
        r"ModuleNotFoundError|ImportError|No solution found when resolving|cannot import name|uv: .*not installed"
        r"|undefined symbol|python\S*: No module named",  # not a library's remark on a package it does without
        "a package is missing or does not fit the others",
    ),
    "hub": (
        r"\b429 |Too Many Requests|\b50[0234] Server Error|ConnectionError|ConnectError|ReadTimeout|ConnectTimeout"
        r"|Name or service not known|Temporary failure in name resolution|RemoteDisconnected|LocalEntryNotFoundError",
        "the Hub could not be reached, or refused for a while",
    ),
    "command": (
        r"exec: .*not found|command not found|exit code: (?:126|127)\b|error: unrecognized arguments|No such file or",
        "the command, a file or an argument is not there",
    ),
    "killed": (
        r"exit code: (?:137|-9)\b|exit code: 143\b|\bKilled\b",
        "it was killed from outside: the machine ran out of main memory, or was taken away",
    ),
}


def with_next(following: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """(kind, pattern, cause, next command) of each symptom that `following` has a next command for."""
    return [(kind, *SYMPTOMS[kind], following[kind]) for kind in SYMPTOMS if kind in following]


def diagnosed(lines: list[str], message: str | None, diagnoses: list[tuple], facts: dict) -> dict:
    """{kind, cause, evidence, next} of a failed job. `facts` fill the {names} of the next command; `logs` is needed."""
    said = [*lines, message or ""]
    for kind, pattern, cause, following in diagnoses:
        found = next((line for line in reversed(said) if re.search(pattern, line)), None)
        if found is not None:
            return {"kind": kind, "cause": cause, "evidence": found[:300], "next": following.format_map(facts)}
    last = next((line for line in reversed(said) if re.search(r"error|exception", line, re.I)), message or "")
    return {
        "kind": "unknown",
        "cause": "the log shows none of the known causes",
        "evidence": last[:300],
        "next": f"read the end of the log: {facts['logs']}",
    }


def timed_out(message: str | None, running: float | None, timeout: float | None) -> bool:
    """Whether its timeout ended a job: it ran for so long, or its message says so."""
    return bool((running and timeout and running >= timeout) or re.search(r"time(?:d )?out", message or "", re.I))


# endregion skillpack:diagnosis
