"""Sets up, grades and solves the tasks of evals.json: `python evals/tasks.py check`."""

# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3"]
# ///

from __future__ import annotations

import json
import random
import re
import secrets
import time
from typing import Any

from grading import Desk, Graded, Task, jsonl, main, run

SLEEP = ["sleep", "600"]


def start(desk: Desk, *command: str, **options: Any) -> str:
    """A job of the start state; its id."""
    return str(desk.api.run_job(image="python:3.12", command=list(command), namespace=desk.user, **options).id)


def stage(desk: Desk, job_id: str) -> str:
    return str(desk.api.inspect_job(job_id=job_id, namespace=desk.user).status.stage)


class RunScript(Task):
    id = "run-script"

    def setup(self, desk: Desk) -> None:
        numbers = [secrets.randbelow(10_000) for _ in range(500)]  # others each time: an earlier job is not this one
        desk.start["total"] = sum(numbers)
        desk.write("numbers.txt", "\n".join(map(str, numbers)))
        desk.write(
            "total.py",
            "# /// script\n# dependencies = []\n# ///\nimport json, pathlib, sys\n\nsource, folder = sys.argv[1:]\n"
            "found = [int(line) for line in open(source)]\n"
            'result = {"count": len(found), "total": sum(found)}\n'
            'pathlib.Path(folder, "result.json").write_text(json.dumps(result))\n',
        )

    def grade(self, desk: Desk) -> Graded:
        done = [job for job in desk.jobs() if job["status"]["stage"] == "COMPLETED"]
        yield "A job has completed", done, [job["status"]["stage"] for job in desk.jobs()]
        spent = [desk.ceiling(job) for job in desk.jobs()]
        cheap = spent and all(usd <= 0.01 for usd in spent) and all(job["timeout"] != 1800 for job in desk.jobs())
        yield "No job could cost more than a cent, by a timeout that was chosen", cheap, spent
        right = {"count": 500, "total": desk.start["total"]}
        found = desk.document("result.json")
        yield "result.json of the job is in the folder, with the right sums", found == right, found

    def solve(self, desk: Desk) -> str:
        out = f"hf://buckets/{desk.user}/sums:/out"
        desk.script(
            "submit_job.py", "total.py", "--timeout", "10m", "--volume", out, "--yes", "--", "numbers.txt", "/out"
        )
        desk.script("watch_jobs.py", "jobs/total.json", "--follow")
        desk.api.download_bucket_files(f"{desk.user}/sums", [("result.json", desk.folder / "result.json")])
        return "result.json is here."

    def spoil(self, desk: Desk) -> None:
        start(desk, "sleep", "600", flavor="a100-large")
        desk.write("result.json", '{"count": 500, "total": 0}')


class PriceQuestion(Task):
    id = "price-question"

    def setup(self, desk: Desk) -> None:
        pass

    def right(self, desk: Desk) -> tuple[str, float]:
        fits = [
            flavor for flavor in desk.hardware().values()
            if flavor["accelerator"] and flavor["accelerator"]["quantity"] == "1"
            and float(flavor["accelerator"]["vram"].split()[0]) >= 40
        ]  # fmt: skip
        best = min(fits, key=lambda flavor: float(flavor["unitCostUSD"]))
        return best["name"], float(best["unitCostUSD"]) * 180

    def grade(self, desk: Desk) -> Graded:
        name, usd = self.right(desk)
        found = desk.document("price.json")
        yield "price.json names the cheapest flavor of one GPU with 40 GB", found.get("flavor") == name, found
        told = found.get("usd")
        near = isinstance(told, int | float) and abs(told - usd) <= 0.02
        yield (
            "price.json has the most that three hours can cost, by the price of now",
            near,
            f"{told}, and not {usd:.2f}",
        )
        yield "No job was started", found and not desk.jobs(), len(desk.jobs())

    def solve(self, desk: Desk) -> str:
        name, usd = self.right(desk)
        desk.write("price.json", json.dumps({"flavor": name, "usd": round(usd, 2)}))
        return f"{name}, ${usd:.2f}."


PROGRAMS = {
    "memory": "x = []\nwhile True: x.append(bytearray(50_000_000))",
    "package": "import a_package_that_is_not_there",
    "token": "from huggingface_hub import whoami; whoami()",
    "timeout": "import time; time.sleep(60)",
}


class FailedJobs(Task):
    id = "failed-jobs"

    def setup(self, desk: Desk) -> None:
        options: dict[str, dict[str, Any]] = {"memory": {"labels": {"rlimit-as-mb": "500"}}, "timeout": {"timeout": 1}}
        kinds = list(PROGRAMS)
        random.Random(secrets.token_hex()).shuffle(kinds)
        ids = {start(desk, "python", "-c", PROGRAMS[kind], **options.get(kind, {})): kind for kind in kinds}
        desk.api.wait_for_job(list(ids), namespace=desk.user, poll_interval=0.1)
        desk.start["kinds"] = ids
        desk.write("failed.txt", "\n".join(ids))

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("causes.json")
        for kind in PROGRAMS:
            ids = [job for job, cause in desk.start["kinds"].items() if cause == kind]
            yield f"causes.json gives {kind} to the job that failed by it", found.get(ids[0]) == kind, found
        yield "No job was started", found and not desk.jobs(), len(desk.jobs())

    def solve(self, desk: Desk) -> str:
        words = {"oom": "memory", "import": "package", "auth": "token", "timeout": "timeout"}
        done = desk.script("watch_jobs.py", *desk.start["kinds"], "--json", code=1)
        jobs = json.loads(done.stdout)["jobs"]
        desk.write("causes.json", json.dumps({job["id"]: words[job["diagnosis"]["kind"]] for job in jobs}))
        return "causes.json names the cause of each."


class CancelByLabel(Task):
    id = "cancel-by-label"

    def setup(self, desk: Desk) -> None:
        mine = [start(desk, *SLEEP, labels={"team": "ml", "name": name}) for name in ("sweep-1", "sweep-2", "eval")]
        others = [start(desk, *SLEEP, labels={"team": "web", "name": "sweep-3"}), start(desk, *SLEEP)]
        desk.start |= {"mine": mine, "others": others}

    def grade(self, desk: Desk) -> Graded:
        mine = [stage(desk, job) for job in desk.start["mine"]]
        yield "The three jobs with team=ml are canceled", mine == ["CANCELED"] * 3, mine
        others = [stage(desk, job) for job in desk.start["others"]]
        acted = "CANCELED" in mine
        yield "The other two go on", acted and set(others) <= {"SCHEDULING", "RUNNING"}, others

    def solve(self, desk: Desk) -> str:
        desk.script("manage_jobs.py", "cancel", "--label", "team=ml", "--yes")
        return "Three jobs were canceled, two go on."

    def spoil(self, desk: Desk) -> None:
        desk.api.cancel_job(job_id=desk.start["others"][0], namespace=desk.user)


class MapRows(Task):
    id = "map-rows"

    def notes(self) -> list[dict[str, Any]]:
        draw = random.Random(5)
        return [{"id": n, "note": f"note {n} " + "x" * draw.randrange(30)} for n in range(60)]

    def setup(self, desk: Desk) -> None:
        desk.upload("dataset", "notes", {"train.jsonl": jsonl(self.notes())})
        desk.write("measure.py", 'def measure(rows):\n    return [{"size": len(row["note"])} for row in rows]\n')

    def grade(self, desk: Desk) -> Graded:
        rows = desk.dataset("notes-measured")
        found = sorted((row.get("id", -1), row.get("note"), row.get("size")) for row in rows)
        right = [(row["id"], row["note"], len(row["note"])) for row in self.notes()]
        yield "me/notes-measured has every row once, with its size", found == right, f"{len(rows)} rows of {len(right)}"
        info = desk.info("dataset", "notes-measured")
        yield "me/notes-measured is private", info and info.private, info and info.private
        done = [job for job in desk.jobs() if job["status"]["stage"] == "COMPLETED"]
        yield "The work was done by jobs that have completed", done, [job["status"]["stage"] for job in desk.jobs()]
        most = sum(desk.ceiling(job) for job in desk.jobs())
        yield "All jobs together could cost five cents at most", done and most <= 0.05, most

    def solve(self, desk: Desk) -> str:
        desk.script(
            "batch_map.py", "run", desk.repo("notes"), "--function", "measure.py:measure", "--shards", 2, "--jobs", 1,
            "--timeout", "10m", "--yes", "--follow",
        )  # fmt: skip
        desk.script("batch_map.py", "merge", "measure", "--push-to", "notes-measured", "--yes")
        return "60 rows are in me/notes-measured."

    def spoil(self, desk: Desk) -> None:
        desk.api.update_repo_settings(desk.repo("notes-measured"), private=False, repo_type="dataset")
        for path in desk.files("dataset", "notes-measured"):
            if path.endswith("00000-of-00002.parquet"):
                desk.api.delete_file(path, desk.repo("notes-measured"), repo_type="dataset")
        start(desk, *SLEEP, flavor="a100-large")


class Schedule(Task):
    id = "schedule"

    def setup(self, desk: Desk) -> None:
        desk.write("report.py", '# /// script\n# dependencies = []\n# ///\nprint("weekly report")\n')

    def grade(self, desk: Desk) -> Graded:
        found = list(desk.api.list_scheduled_jobs(namespace=desk.user))
        one = found[0] if len(found) == 1 else None
        cron = one and re.sub(r"(?i)\bmon\b", "1", one.schedule or "")
        yield "One schedule runs each Monday at six, UTC", cron == "0 6 * * 1", [each.schedule for each in found]
        yield "Its timeout is fifteen minutes", one and one.job_spec.timeout == 900, one and one.job_spec.timeout
        yield "A run is skipped while the last one goes on", one and one.concurrency is False, one and one.concurrency
        alone = one and "report.py" in " ".join(one.job_spec.command or [])
        yield "It runs report.py", alone, one and one.job_spec.command

    def solve(self, desk: Desk) -> str:
        desk.script("submit_job.py", "report.py", "--timeout", "15m", "--schedule", "0 6 * * 1", "--yes")
        return "The report runs each Monday at 6:00 UTC."

    def spoil(self, desk: Desk) -> None:
        desk.api.create_scheduled_job(
            image="python:3.12", command=["true"], schedule="@daily", concurrency=True, namespace=desk.user
        )


class SecretByName(Task):
    id = "secret-by-name"

    def setup(self, desk: Desk) -> None:
        desk.start["key"] = f"key-{secrets.token_hex(12)}"
        desk.write("service.env", f"SERVICE_KEY={desk.start['key']}\n")
        desk.write(
            "call.py",
            "# /// script\n# dependencies = []\n# ///\nimport hashlib, os\n\n"
            'print("digest", hashlib.sha256(os.environ["SERVICE_KEY"].encode()).hexdigest())\n',
        )

    def grade(self, desk: Desk) -> Graded:
        import hashlib

        digest = hashlib.sha256(desk.start["key"].encode()).hexdigest()
        jobs = desk.jobs()
        logs = ["\n".join(desk.api.fetch_job_logs(job_id=job["id"], namespace=desk.user)) for job in jobs]
        yield "The job has read the key", any(digest in text for text in logs), [text[-80:] for text in logs]
        shown = [job for job in jobs if "SERVICE_KEY" in job["environment"] or desk.start["key"] in json.dumps(job)]
        named = jobs and not shown and any("SERVICE_KEY" in (job["secrets"] or {}) for job in jobs)
        yield (
            "The key is a secret of the job, and not among what all can see",
            named,
            [job["environment"] for job in jobs],
        )
        kept = desk.start["key"] in desk.report
        yield "The report does not show the key", desk.report and not kept, desk.report[:200]

    def solve(self, desk: Desk) -> str:
        job = start(
            desk, "python", "-c", desk.read("call.py"), secrets={"SERVICE_KEY": desk.start["key"]}, timeout="5m"
        )
        desk.api.wait_for_job(job, namespace=desk.user, poll_interval=0.1)
        return "The job has run with the key as a secret."

    def spoil(self, desk: Desk) -> str:
        for job in desk.jobs():
            desk.api.cancel_job(job_id=job["id"], namespace=desk.user)
        start(desk, "true", env={"SERVICE_KEY": desk.start["key"]})
        return f"It has run with {desk.start['key']}."


class LongerTimeout(Task):
    id = "longer-timeout"

    def setup(self, desk: Desk) -> None:
        desk.start["program"] = f"import time; time.sleep(3); print('exported', '{secrets.token_hex(4)}')"
        job = start(desk, "python", "-c", desk.start["program"], timeout=1, labels={"name": "nightly-export"})
        desk.api.wait_for_job(job, namespace=desk.user, poll_interval=0.1)
        desk.start["job"] = job

    def grade(self, desk: Desk) -> Graded:
        jobs = desk.jobs()
        done = [
            job for job in jobs if job["status"]["stage"] == "COMPLETED" and desk.start["program"] in job["command"]
        ]
        yield "The same work has completed in another job", done, [job["status"] for job in jobs]
        yield "No more than two jobs were started for it", done and len(jobs) <= 2, len(jobs)
        cheap = done and all(desk.ceiling(job) <= 0.005 for job in jobs)
        yield "No job could cost more than half a cent", cheap, [desk.ceiling(job) for job in jobs]

    def solve(self, desk: Desk) -> str:
        desk.script("submit_job.py", "--image", "python:3.12", "--timeout", "10m", "--name", "nightly-export", "--yes",
                    "--", "python", "-c", desk.start["program"])  # fmt: skip
        while any(job["finishedAt"] is None for job in desk.jobs()):
            time.sleep(0.2)
        return "It was its timeout of one second; with ten minutes it has completed."

    def spoil(self, desk: Desk) -> None:
        for _ in range(2):
            start(desk, *SLEEP, flavor="a100-large")


if __name__ == "__main__":
    raise SystemExit(run(main))
