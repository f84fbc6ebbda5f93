"""The region of the scripts that start jobs: once, whatever is interrupted, and with no secret in sight."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from skillpack.kit.hub import Refused, on_hub
from skillpack.kit.jobs import ACTIVE, stage_of
from skillpack.kit.script import EXIT_USAGE, Failure, log, write_artifact

# region skillpack:submission
import datetime
import hashlib
import shlex
import time

NODE_LABEL = "skillpack-node"
HEAD = "head"  # the alias of the first node, where the others meet it
INTENT_SECONDS = 120  # an intent younger than this may belong to a call whose job is not in the list yet


def key_of(said: list[str]) -> str:
    """What makes two submissions the same: a hash of all that the job is made of, as the value of a label."""
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:24]


def require_namespace(who: dict, namespace: str | None) -> str:
    """The namespace that pays. Raises Failure when this token's user may not write there."""
    roles = {org["name"].lower(): org.get("roleInOrg") for org in who.get("orgs", [])}
    chosen = namespace or who["name"]
    if chosen.lower() != who["name"].lower():
        if chosen.lower() not in roles:
            known = ", ".join([who["name"], *roles])
            raise Failure(f"{who['name']} is not a member of {chosen!r}", f"give --namespace one of: {known}")
        if roles[chosen.lower()] == "read":
            raise Failure(f"{who['name']} may only read in {chosen!r}", "ask its admin for write, or use another")
    return chosen


def secret_values(names: list[str], token: str) -> dict[str, str]:
    """Name -> value of the variables that a job gets as secrets: from the environment, HF_TOKEN from the sign-in."""
    known = {**os.environ, "HF_TOKEN": token}
    missing = [name for name in names if not known.get(name)]
    if missing:
        raise Failure(f"--secret {missing[0]}: no such variable is set", "set it in the environment", EXIT_USAGE)
    return {name: known[name] for name in names}


def prepare_bucket(api, bucket: str) -> None:
    """A private bucket for what jobs write, made if there is none. Raises Failure when it is public."""
    with on_hub(f"making the bucket {bucket}"):
        api.create_bucket(bucket, private=True, exist_ok=True)
        if not api.bucket_info(bucket).private:
            fix = f"`hf buckets settings {bucket} --private`"
            raise Failure(f"the bucket {bucket} is public, and what jobs write would be too", fix)


@contextlib.contextmanager
def one_at_a_time(lock: Path):
    """Holds a lock file, so that submissions of this machine come one after the other."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            import fcntl
        except ImportError:  # Windows: the look at the list after the call is what is left
            yield
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def find_jobs(api, namespace: str, label: dict[str, str]) -> list:
    """The active or completed jobs of a label: of each node the oldest, so that every submitter agrees."""
    with on_hub("looking for the jobs"):
        found = list(api.list_jobs(namespace=namespace, labels=label))
    kept: dict = {}
    for job in sorted(found, key=lambda job: (job.created_at, job.id)):
        if stage_of(job) in (*ACTIVE, "COMPLETED"):
            kept.setdefault((job.labels or {}).get(NODE_LABEL, "0"), job)
    return [kept[node] for node in sorted(kept, key=int)]


def look_at(api, submission: dict) -> list:
    """The jobs of a submission as they are now; those that the Hub has forgotten are left out."""
    from huggingface_hub.errors import JobNotFoundError

    jobs = []
    for job in submission["jobs"]:
        with contextlib.suppress(JobNotFoundError), on_hub("looking at the jobs", passing=(JobNotFoundError,)):
            jobs.append(api.inspect_job(job_id=job["id"], namespace=submission["namespace"]))
    return jobs


def known_jobs(api, document: dict, before: dict | None, label: dict[str, str]) -> list:
    """Jobs of this submission that are active or completed, by the list and by what was written down before."""
    jobs = find_jobs(api, document["namespace"], label)
    if jobs or not before or before["label"] != document["label"]:
        return jobs
    if before["state"] != "intended":
        return [job for job in look_at(api, before) if stage_of(job) in (*ACTIVE, "COMPLETED")]
    age = time.time() - datetime.datetime.fromisoformat(before["created"]).timestamp()
    while age < INTENT_SECONDS and not jobs:  # an earlier call was cut off: give its job time to appear
        log("an earlier submission was cut off; looking whether its job was made")
        time.sleep(3)
        age += 30
        jobs = find_jobs(api, document["namespace"], label)
    return jobs


def submit(api, document: dict, calls: list[dict], path: Path, label: dict[str, str]) -> list:
    """Starts the jobs, the intent being on disk before the first call. If one fails, none is left running.

    A call is the arguments of `run_job` where it has a command, else of `run_uv_job`.
    """
    write_artifact(path, {**document, "state": "intended"})
    jobs: list = []
    try:
        for call in calls:
            with on_hub("submitting the job"):
                jobs.append((api.run_job if "command" in call else api.run_uv_job)(**call))
    except BaseException as error:
        cancel(api, jobs, "all of the jobs are needed")
        if isinstance(error, Refused):
            write_artifact(path, {**document, "state": "refused"})
        raise
    first = find_jobs(api, document["namespace"], label)
    if first and first[0].id != jobs[0].id:
        cancel(api, jobs, "the same was submitted a moment before from elsewhere")
        return first
    return jobs


def cancel(api, jobs: list, why: str) -> None:
    for job in jobs:
        log(f"canceling {job.id}: {why}")
        with on_hub(f"canceling {job.id}, which goes on and costs"):
            api.cancel_job(job_id=job.id, namespace=job.owner.name)


def equivalent(call: dict, schedule: str | None = None, overlap: bool = False) -> str:
    """The same job by the hf command, for a person who prefers it; secrets by name."""
    uv = "command" not in call
    words = ["hf", "jobs", *(["scheduled"] if schedule else []), *(["uv"] if uv else []), "run"]
    words += [] if schedule else ["--detach"]
    words += ["--concurrency"] if schedule and overlap else []
    words += ["--flavor", call["flavor"], "--timeout", f"{call['timeout']}s", "--namespace", call["namespace"]]
    words += ["--name", call["name"]]
    words += ["--image", call["image"]] if uv and call.get("image") else []
    words += ["--python", call["python"]] if call.get("python") else []
    words += [part for key, value in call["labels"].items() for part in ("--label", f"{key}={value}")]
    words += [part for key, value in call["env"].items() for part in ("--env", f"{key}={value}")]
    words += [part for name in call["secrets"] for part in ("--secrets", name)]
    for volume in call["volumes"]:  # a text is a folder of this machine, which is synced when the job is started
        words += ["--volume", volume if isinstance(volume, str) else volume.to_uri()]
    words += ["--attempts", str(call["attempts"])] if call["attempts"] > 1 else []
    words += [part for port in call.get("expose") or [] for part in ("--expose", str(port))]
    words += ["--ssh"] if call.get("ssh") else []
    if call.get("network_group"):
        words += ["--network-group", call["network_group"]]
        words += [part for alias in call["network_aliases"] for part in ("--network-alias", alias)]
    words += [part for package in call.get("dependencies") or [] for part in ("--with", package)]
    what = [call["script"], *(call["script_args"] or [])] if uv else [call["image"], *call["command"]]
    return shlex.join([*words, *([schedule] if schedule else []), *what])


# endregion skillpack:submission
