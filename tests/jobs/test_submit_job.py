"""submit_job.py as a process: what it shows, starts once, and refuses."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from jsonschema import Draft202012Validator

from .conftest import SKILL, Desk

SCHEMA = json.loads((SKILL / "assets/job-submission.schema.json").read_text(encoding="utf-8"))
HELLO = '# /// script\n# dependencies = []\n# ///\nimport os, sys\nprint("hello", sys.argv[1:], *map(open, ()))\n'
TABLE = """# /// script
# dependencies = []
#
# [tool.hf-jobs]
# flavor = "cpu-upgrade"
# timeout = "5m"
# name = "from-its-header"
# labels = { team = "ml" }
# env = { MODE = "fast" }
# ///
print(open(__import__("sys").argv[1]).read())
"""
RUN = ("--image", "python:3.12", "--timeout", "10m")


def test_without_yes_the_card_is_shown_and_nothing_is_started_or_made(desk: Desk) -> None:
    desk.write("hello.py", HELLO)
    bucket = f"hf://buckets/{desk.user}/out:/out"
    shown = desk.script("submit_job.py", "hello.py", "--timeout", "90m", "--volume", bucket, "--", "--rows", 3)
    assert shown.returncode == 4, shown.stderr
    assert "hello.py --rows 3" in shown.stdout
    assert f"cpu-basic (no GPU, 2 cores, 16 GB), $0.0100 an hour, paid by {desk.user}" in shown.stdout
    assert "/api/jobs/hardware" in shown.stdout and "at most $0.0150" in shown.stdout
    assert f"makes      private bucket {desk.user}/out" in shown.stdout
    assert desk.jobs() == [] and list(desk.api.list_buckets(namespace=desk.user)) == []
    assert sorted(path.name for path in desk.folder.iterdir()) == ["hello.py"]


def test_a_script_runs_once_with_its_own_settings_and_the_files_that_are_its_arguments(desk: Desk) -> None:
    desk.write("show.py", TABLE)
    desk.write("words.txt", "what the file says")
    call = ("submit_job.py", "show.py", "--env", "MODE=slow", "--yes", "--", "words.txt")
    made = desk.json(*call)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(made)] == []
    assert made == json.loads((desk.folder / "jobs/from-its-header.json").read_text())
    [job] = desk.jobs()
    assert (job.flavor, made["timeout_seconds"], made["at_most_usd"]) == ("cpu-upgrade", 300, 0.0025)
    assert job.labels is not None
    assert {"team": "ml", "name": "from-its-header", "skillpack-job": made["label"]}.items() <= job.labels.items()
    assert job.environment == {"PYTHONUNBUFFERED": "1", "MODE": "slow"}, "the command line wins over the header"
    desk.wait(job.id)
    assert "what the file says" in desk.log(job.id)
    again = desk.script(*call)
    assert "this was submitted before" in again.stderr and job.id in again.stdout
    desk.write("words.txt", "something else")
    assert desk.json(*call)["jobs"][0]["id"] != job.id, "other content of a file is another job"
    assert len(desk.jobs()) == 2


def test_the_same_call_from_many_places_at_once_leaves_one_job(desk: Desk) -> None:
    calls = [desk.start("submit_job.py", *RUN, "--yes", "--json", "--", "sleep", "60") for _ in range(4)]
    answers = [call.communicate(timeout=60) for call in calls]
    assert [call.returncode for call in calls] == [0] * 4, answers
    assert len({json.loads(out)["jobs"][0]["id"] for out, _ in answers}) == 1
    [job] = desk.jobs()
    path = desk.folder / "jobs/python.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({**whole, "state": "intended", "jobs": []}))
    call = ("submit_job.py", *RUN, "--yes", "--", "sleep", "60")
    assert desk.json(*call)["jobs"][0]["id"] == job.id, "a submission that was cut off finds its job"
    desk.api.cancel_job(job_id=job.id, namespace=desk.user)
    anew = desk.json(*call)["jobs"][0]["id"]
    assert anew != job.id, "a canceled one is started anew"
    other = desk.script(*call[:-1], "61")
    assert f"another job of this name goes on and costs: {anew}" in other.stderr


def test_secrets_go_by_name_and_are_nowhere_to_be_seen(desk: Desk) -> None:
    planted = f"planted-{secrets.token_hex(8)}"
    done = desk.script(
        "submit_job.py", *RUN, "--secret", "API_KEY", "--secret", "HF_TOKEN", "--yes", "--json", "--",
        "python", "-c", "import os; print(len(os.environ['API_KEY']), 'HF_TOKEN' in os.environ)", API_KEY=planted,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [job] = desk.jobs()
    desk.wait(job.id)
    assert desk.log(job.id).endswith(f"{len(planted)} True")
    raw = httpx2.get(
        f"{desk.hub.url}/api/jobs/{desk.user}/{job.id}", headers={"Authorization": f"Bearer {desk.token}"}
    ).json()
    assert sorted(raw["secrets"]) == ["API_KEY", "HF_TOKEN"]
    hf = str(Path(sys.executable).with_name("hf"))
    shown = subprocess.run(
        [hf, "jobs", "inspect", f"{desk.user}/{job.id}", "--json"],
        env=desk.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert sorted(json.loads(shown.stdout)[0]["secrets"]) == ["API_KEY", "HF_TOKEN"]
    written = "".join(path.read_text() for path in desk.folder.rglob("*") if path.is_file())
    for text in (done.stdout, done.stderr, json.dumps(raw), written):
        assert planted not in text and desk.token not in text


def test_the_command_that_it_prints_makes_the_same_job(desk: Desk) -> None:
    desk.write("hello.py", HELLO)
    [command] = desk.json(
        "submit_job.py", "hello.py", "--timeout", "20m", "--with", "httpx2", "--attempts", 2, "--volume",
        f"hf://buckets/{desk.user}/out:/out:rw", "--", "a b", code=4,
    )["commands"]  # fmt: skip
    program, *words = shlex.split(command)
    words.insert(3, "--dry-run")
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *words],
        cwd=desk.folder, env=desk.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in ("cpu-basic", "1200s", f"{desk.user}/out", "skillpack-job", "a b"):
        assert text in done.stdout, text


def test_nodes_are_jobs_of_one_group_that_know_their_rank(desk: Desk) -> None:
    call = ("submit_job.py", *RUN, "--nodes", 2, "--name", "pair", "--yes")
    program = "import os; print('rank', os.environ['NODE_RANK'], 'of', os.environ['NODES'])"
    made = desk.json(*call, "--", "python", "-c", program)
    assert made["at_most_usd"] == pytest.approx(0.0033, abs=1e-4)
    jobs = {(job.labels or {})["skillpack-node"]: job for job in desk.jobs()}
    assert [each["id"] for each in made["jobs"]] == [jobs["0"].id, jobs["1"].id]
    assert len({job.network.group for job in jobs.values() if job.network}) == 1
    assert jobs["0"].network is not None and jobs["0"].network.aliases == ["head"]
    desk.wait(*(job.id for job in jobs.values()))
    assert [desk.log(jobs[rank].id).splitlines()[-1] for rank in "01"] == ["rank 0 of 2", "rank 1 of 2"]
    again = desk.json(*call, "--", "python", "-c", program)
    assert again["jobs"] == made["jobs"] and len(desk.jobs()) == 2


def test_a_folder_goes_along_as_a_volume_and_a_bucket_keeps_what_is_written(desk: Desk) -> None:
    desk.write("rows/a.txt", "from the folder")
    made = desk.json(
        "submit_job.py", *RUN, "--volume", "./rows:/rows", "--volume", f"hf://buckets/{desk.user}/kept:/kept", "--yes",
        "--", "cp", "/rows/a.txt", "/kept/b.txt",
    )  # fmt: skip
    desk.wait(made["jobs"][0]["id"])
    assert desk.api.bucket_info(f"{desk.user}/kept").private
    target = desk.folder / "back.txt"
    desk.api.download_bucket_files(f"{desk.user}/kept", [("b.txt", target)])
    assert target.read_text() == "from the folder"


def test_a_schedule_is_made_once_and_its_month_is_priced(desk: Desk) -> None:
    call = ("submit_job.py", *RUN, "--schedule", "0 */6 * * *", "--name", "four-a-day")
    refused = desk.script(*call, "--max-cost", "0.1", "--", "true")
    assert refused.returncode == 1 and "it can cost $0.20 in 30 days" in refused.stderr
    made = desk.json(*call, "--yes", "--", "true")
    assert (made["runs_30_days"], made["at_most_usd_30_days"]) == (120, pytest.approx(0.2))
    assert desk.json(*call, "--yes", "--", "true")["jobs"] == made["jobs"]
    [schedule] = desk.api.list_scheduled_jobs(namespace=desk.user)
    assert (schedule.id, schedule.schedule, schedule.concurrency) == (made["jobs"][0]["id"], "0 */6 * * *", False)
    assert desk.jobs() == []
    other = desk.json(*call, "--overlap", "--yes", "--", "true")
    assert other["jobs"] != made["jobs"], "another rule for overlaps is another schedule"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["hello.py"], 2, "no --timeout"),
        (["hello.py", "--timeout", "soon"], 2, "soon"),
        (["nothing.py", "--timeout", "5m"], 2, "no file nothing.py"),
        ([*RUN], 2, "a command behind --"),
        (["broken.py", "--timeout", "5m"], 2, "broken.py:1"),
        (["needs.py", "--timeout", "5m"], 2, "imports beside, which lies beside it"),
        (["odd.py", "--timeout", "5m"], 2, "unknown key 'flavour'"),
        (["hello.py", "--timeout", "5m", "--", "missing.yaml"], 2, "no file missing.yaml"),
        (["hello.py", "--timeout", "5m", "--flavor", "a9000"], 2, "cpu-basic"),
        (["hello.py", "--timeout", "5m", "--max-cost", "0.0001"], 1, "--max-cost is $0.0001"),
        (["hello.py", "--timeout", "5m", "--secret", "NOT_SET_ANYWHERE"], 2, "NOT_SET_ANYWHERE"),
        (["hello.py", "--timeout", "5m", "--secret", "KEY=value"], 2, "its value is read from the environment"),
        (["hello.py", "--timeout", "5m", "--env", "T=hf_abcdefghij0123456789"], 2, "is a secret"),
        (["hello.py", "--timeout", "5m", "--label", "a b=c"], 2, "--label"),
        (["hello.py", "--timeout", "5m", "--volume", "hf://datasets/no/thing:/d"], 2, "no/thing does not exist"),
        (["hello.py", "--timeout", "5m", "--volume", "./none:/d"], 2, "no folder to mount"),
        (["hello.py", "--timeout", "5m", "--volume", "hf://buckets/x/y:/data"], 2, "x/y does not exist"),
        (["hello.py", "--timeout", "5m", "--namespace", "somebody-else"], 3, "is not a member"),
        (["hello.py", "--timeout", "5m", "--schedule", "61 * * * *"], 2, "minute '61'"),
        (["hello.py", "--timeout", "5m", "--schedule", "@daily", "--nodes", "2"], 2, "no network group"),
        (["hello.py", "--timeout", "5m", "--prices", "dated", "--yes"], 3, "nothing was started"),
        (["hello.py", "--timeout", "5m", "--prices", "dated", "--max-cost", "nan"], 1, "--max-cost is $nan"),
        (["hello.py", "--timeout", "5m", "--volume", ".:/"], 2, "no folder to mount"),
        (["hello.py", "--timeout", "5m", "--volume", ".:/code:rwx"], 2, "no folder to mount"),
        (["hello.py", "--timeout", "5m", "--label", "skillpack-node=a"], 2, "another key"),
        (["hello.py", "--timeout", "5m", "--label", "team=größe"], 2, "--label"),
        (["hello.py", "--timeout", "5m", "--", "/model/config.yaml"], 2, "in a volume"),
        (["hello.py", "--timeout", "5m", "--", "say " * 99], 2, "put it into a file"),
        (["typed.py", "--timeout", "5m"], 2, "labels = {'team': 3}"),
        (["bytes.py", "--timeout", "5m"], 2, "is not UTF-8 text"),
    ],
)  # fmt: skip
def test_what_cannot_be_submitted_says_why_and_starts_nothing(
    desk: Desk, arguments: list[str], code: int, message: str
) -> None:
    desk.write("hello.py", HELLO)
    desk.write("broken.py", "def (:\n")
    desk.write("needs.py", "import beside\n")
    desk.write("beside.py", "")
    desk.write("odd.py", TABLE.replace("flavor =", "flavour ="))
    desk.write("typed.py", TABLE.replace('"ml"', "3"))
    desk.write("bytes.py", "").write_bytes(b"\xff")
    done = desk.script("submit_job.py", *arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr, done.stderr
    assert desk.jobs() == []


def test_a_command_longer_than_a_file_name_and_a_script_of_any_name_have_a_card(desk: Desk) -> None:
    assert desk.json("submit_job.py", *RUN, "--", "sh", "-c", "true && " * 99 + "true", code=4)["name"] == "python"
    for name, known in (("größe.py", "gr--e"), ("_work.py", "work"), ("数.py", "job")):
        desk.write(name, HELLO)
        assert desk.json("submit_job.py", name, "--timeout", "5m", code=4)["name"] == known


def test_without_a_token_credit_or_network_it_says_how_to_get_one(desk: Desk) -> None:
    call = ("submit_job.py", *RUN, "--yes", "--", "true")
    assert "no Hugging Face token" in desk.script(*call, HF_TOKEN=None).stderr
    assert "cannot be reached" in desk.script(*call, HF_ENDPOINT="http://127.0.0.1:9").stderr
    reader = desk.hub.add_token(desk.user, "read")
    assert "the token only reads" in desk.script(*call, HF_TOKEN=reader).stderr
    httpx2.put(
        f"{desk.hub.url}/api/local/credit/{desk.user}", json={"usd": 0},
        headers={"Authorization": f"Bearer {desk.token}"},
    ).raise_for_status()  # fmt: skip
    broke = desk.script(*call)
    assert broke.returncode == 3 and "settings/billing" in broke.stderr
    assert json.loads((desk.folder / "jobs/python.json").read_text())["state"] == "refused"
    assert desk.jobs() == []


def test_what_a_person_should_know_before_saying_yes_is_noted(desk: Desk) -> None:
    desk.write("push.py", "model.push_to_hub('x')\n")
    (desk.folder / "pictures").mkdir()
    notes = desk.json("submit_job.py", "push.py", "--timeout", "5m", "--attempts", 2, "--", "pictures", code=4)["notes"]
    for text in ("gets no token", "no PEP 723 header", "pictures is a folder here", "begins from zero"):
        assert any(text in note for note in notes), (text, notes)
    quiet = desk.json("submit_job.py", *RUN, "--volume", f"hf://buckets/{desk.user}/out:/out", "--", "true", code=4)
    assert quiet["notes"] == []
