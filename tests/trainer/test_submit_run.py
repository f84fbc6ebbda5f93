"""submit_run.py as a process, against the local Hub: what it may cost is said first, and nothing starts twice."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest
from jsonschema import Draft202012Validator

from .conftest import SCRIPTS
from .hubrun import Bench, for_two_nodes, new_user

SCHEMA = json.loads((SCRIPTS.parent / "assets/submission.schema.json").read_text())
UNKNOWN_TOKEN = "hf_" + "unknownToTheHub0123456789"


def planted(text: str, *tokens: str) -> list[str]:
    return [token for token in tokens if token in text]


def files_with(folder: Path, token: str) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]


def test_without_yes_the_card_is_shown_and_nothing_is_started_or_made(bench: Bench) -> None:
    done = bench.script("submit_run.py", "--timeout", "90m")
    assert done.returncode == 4, done.stderr
    assert f"cpu-basic, $0.0100 an hour, paid by {bench.user}" in done.stdout
    assert "timeout    1.5 h" in done.stdout
    assert "at most $0.0150" in done.stdout
    assert "--yes" in done.stderr
    assert bench.jobs() == []
    assert list(bench.api.list_buckets(namespace=bench.user)) == []
    assert not (bench.folder / "runs").exists()


def test_a_submission_starts_one_job_as_the_card_says_and_writes_it_down(bench: Bench) -> None:
    secret = f"planted-{secrets.token_hex(8)}"
    done = bench.script(
        "submit_run.py", "--yes", "--json", "--timeout", "20m", "--attempts", 2, "--label", "team=ml",
        "--secret", "WANDB_API_KEY", "--max-cost", "0.01", WANDB_API_KEY=secret,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    submission = json.loads(done.stdout)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(submission)] == []
    assert submission == bench.submission()
    [job] = bench.jobs()
    assert [each["id"] for each in submission["jobs"]] == [job.id]
    assert job.flavor == "cpu-basic" and job.retry == 1
    assert job.labels is not None
    assert (job.labels["team"], job.labels["skillpack-run"]) == ("ml", submission["label"])
    raw = httpx2.get(
        f"{bench.hub.url}/api/jobs/{bench.user}/{job.id}", headers={"Authorization": f"Bearer {bench.token}"}
    ).json()
    assert raw["timeout"] == 1200
    assert sorted(raw["secrets"]) == ["HF_TOKEN", "WANDB_API_KEY"]
    assert bench.api.bucket_info(submission["bucket"]).private
    assert {"type": "bucket", "source": submission["bucket"], "mountPath": "/runs"}.items() <= raw["volumes"][0].items()
    assert planted(done.stdout + done.stderr + json.dumps(raw), secret, bench.token) == []
    assert files_with(bench.folder, secret) == files_with(bench.folder, bench.token) == []
    assert files_with(bench.hub.root, secret) == []


def test_the_command_that_it_prints_makes_the_same_job(bench: Bench) -> None:
    [command] = json.loads(bench.script("submit_run.py", "--json", "--timeout", "20m").stdout)["commands"]
    program, *words = shlex.split(command)
    words.insert(3, "--dry-run")
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *words],
        cwd=bench.folder, env=bench.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bench.script("submit_run.py", "--yes", "--timeout", "20m")
    [job] = bench.jobs()
    assert job.labels is not None and job.command is not None
    for text in ("cpu-basic", "skillpack-runs", "/runs", job.labels["skillpack-run"], job.command[-1]):
        assert text in done.stdout, text
    assert planted(done.stdout, bench.token) == []


def test_the_same_plan_submitted_twenty_times_at_once_makes_one_job(bench: Bench) -> None:
    processes = [bench.start("submit_run.py", "--yes", "--json") for _ in range(20)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 20, answers
    [job] = bench.jobs()
    assert {json.loads(out)["jobs"][0]["id"] for out, _ in answers} == {job.id}
    assert sum("submitted before" in err for _, err in answers) == 19


def test_the_same_plan_from_two_folders_at_once_leaves_one_job(bench: Bench) -> None:
    others = []
    for name in "abcd":
        folder = bench.folder / name
        folder.mkdir()
        (folder / "plan.json").write_text(bench.plan.read_text())
        others.append(Bench(bench.hub, folder, bench.user, bench.token, folder / "plan.json"))
    processes = [other.start("submit_run.py", "--yes") for other in others]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert len([job for job in bench.jobs() if job.status.stage != "CANCELED"]) == 1
    assert len({other.submission()["jobs"][0]["id"] for other in others}) == 1


def test_a_canceled_run_is_submitted_anew_and_again_makes_another_of_an_active_one(bench: Bench) -> None:
    assert bench.script("submit_run.py", "--yes").returncode == 0
    first = bench.submission()
    bench.cancel_all()
    assert bench.script("submit_run.py", "--yes").returncode == 0
    second = bench.submission()
    assert second["jobs"] != first["jobs"]
    assert second["bucket_folder"] == first["bucket_folder"], "the next attempt continues in the same folder"
    done = bench.script("submit_run.py", "--yes", "--again")
    assert done.returncode == 2
    assert "the name is taken: job" in done.stderr
    bench.cancel_all()
    assert bench.script("submit_run.py", "--yes", "--again").returncode == 0
    assert bench.submission()["bucket_folder"] != first["bucket_folder"]
    assert len(bench.jobs()) == 3


def test_a_submission_cut_off_after_its_call_finds_its_job(bench: Bench) -> None:
    assert bench.script("submit_run.py", "--yes").returncode == 0
    whole = bench.submission()
    path = bench.run_folder / "submission.json"
    path.write_text(json.dumps({**whole, "state": "intended", "jobs": []}))
    watched = bench.script("watch_run.py", bench.run_folder)
    assert watched.returncode == 2
    assert "submit_run.py" in watched.stderr
    assert bench.script("submit_run.py", "--yes").returncode == 0
    assert bench.submission()["jobs"] == whole["jobs"]
    path.unlink()
    assert bench.script("submit_run.py", "--yes").returncode == 0
    assert bench.submission()["jobs"] == whole["jobs"]
    assert len(bench.jobs()) == 1


def test_finish_is_another_job_in_the_folder_of_the_run(bench: Bench) -> None:
    assert bench.script("submit_run.py", "--yes").returncode == 0
    trained = bench.submission()
    assert bench.script("submit_run.py", "--yes", "--finish").returncode == 2, "the run is still training"
    bench.cancel_all()
    assert bench.script("submit_run.py", "--yes", "--finish").returncode == 0
    finishing = bench.submission()
    assert finishing["bucket_folder"] == trained["bucket_folder"]
    assert finishing["jobs"] != trained["jobs"]
    job = bench.api.inspect_job(job_id=finishing["jobs"][0]["id"], namespace=bench.user)
    assert (job.command or [])[-1] == "--finish"


def test_a_plan_for_two_nodes_makes_two_jobs_that_meet(bench: Bench) -> None:
    bench.edit(for_two_nodes)
    done = bench.script("submit_run.py", "--yes", "--json", "--timeout", "1h")
    assert done.returncode == 0, done.stderr
    submission = json.loads(done.stdout)
    assert submission["at_most_usd"] == pytest.approx(0.02)
    jobs = {(job.labels or {})["skillpack-node"]: job for job in bench.jobs()}
    assert sorted(jobs) == ["0", "1"]
    assert [each["id"] for each in submission["jobs"]] == [jobs["0"].id, jobs["1"].id]
    groups = {job.network.group for job in jobs.values() if job.network}
    assert len(groups) == 1
    assert jobs["0"].network is not None and jobs["0"].network.aliases == ["head"]
    for rank, job in jobs.items():
        command = " ".join(job.command or [])
        assert "--nnodes 2" in command and "${HF_NETWORK_GROUP_PREFIX}head" in command
        assert "--with trl" in command, "the launcher does not read the script's header"
        assert {"NODE_RANK": rank, "OMP_NUM_THREADS": "1"}.items() <= (job.environment or {}).items()
    assert bench.script("submit_run.py", "--yes", "--timeout", "1h").returncode == 0
    assert len(bench.jobs()) == 2


NONSENSE = {
    "schema from the future": (lambda p: p.update(schema="skillpack/plan/99"), "reads 'skillpack/plan/1'"),
    "rate that is text": (lambda p: p["settings"].update(learning_rate="fast"), "settings.learning_rate"),
    "unknown setting": (lambda p: p["settings"].update(stesp=1), "stesp"),
    "name with a slash": (lambda p: p.update(name="../up"), "name"),
    "unknown flavor": (lambda p: p["hardware"].update(flavor="a9000"), "cpu-basic"),
    "gpu plan on a cpu": (lambda p: p["hardware"].update(device="cuda"), "no GPU"),
    "several GPUs, no launcher": (lambda p: p["hardware"].update(nodes=2), "launch.command"),
    "a flavor of more GPUs": (lambda p: p["hardware"].update(flavor="a100x4", device="cuda"), "a100x4 has 4"),
    "missing dataset": (lambda p: p["dataset"]["source"].update(id="nobody/nothing"), "dataset nobody/nothing"),
    "missing model": (lambda p: p["model"].update(id="nobody/nothing"), "model nobody/nothing"),
    "missing revision": (lambda p: p["model"].update(revision="v9"), "revision"),
    "id that cannot be": (lambda p: p["model"].update(id="a//b"), "a//b"),
    "local rows": (lambda p: p["dataset"]["source"].update(id="rows.jsonl"), "--repo-type dataset"),
    "local model": (lambda p: p["model"].update(id="./Tiny"), "hf upload"),
    "other method": (lambda p: p.update(method="sorcery"), "sorcery"),
}


@pytest.mark.parametrize("case", NONSENSE)
def test_a_plan_that_cannot_run_is_refused_before_anything_is_started(bench: Bench, case: str) -> None:
    change, message = NONSENSE[case]
    bench.edit(change)
    done = bench.script("submit_run.py", "--yes")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "fix:" in done.stderr and "Traceback" not in done.stderr
    assert bench.jobs() == []


def test_a_private_dataset_of_someone_else_is_refused(bench: Bench) -> None:
    owner, token = new_user(bench.hub)
    repo = bench.hub.api(token).create_repo(f"{owner}/secret", repo_type="dataset", private=True).repo_id
    bench.edit(lambda plan: plan["dataset"]["source"].update(id=repo))
    done = bench.script("submit_run.py", "--yes")
    assert done.returncode == 2
    assert "is private and this token may not read it" in done.stderr
    assert bench.jobs() == []


def test_without_credit_it_says_how_to_get_some(bench: Bench) -> None:
    httpx2.put(
        f"{bench.hub.url}/api/local/credit/{bench.user}", json={"usd": 0},
        headers={"Authorization": f"Bearer {bench.token}"},
    ).raise_for_status()  # fmt: skip
    done = bench.script("submit_run.py", "--yes")
    assert done.returncode == 3
    assert "402" in done.stderr and "settings/billing" in done.stderr
    assert bench.jobs() == []
    assert bench.submission()["state"] == "refused"
    httpx2.put(
        f"{bench.hub.url}/api/local/credit/{bench.user}", json={"usd": 1},
        headers={"Authorization": f"Bearer {bench.token}"},
    ).raise_for_status()  # fmt: skip
    began = time.monotonic()
    assert bench.script("submit_run.py", "--yes").returncode == 0
    assert time.monotonic() - began < 8, "it waited for a job that was never made"
    assert len(bench.jobs()) == 1


@pytest.mark.parametrize(
    ("arguments", "changes", "code", "message"),
    [
        (["--max-cost", "0.001"], {}, 1, "it can cost $0.0050, and --max-cost is $0.0010"),
        (["--max-cost", "nan"], {}, 1, "it can cost $0.0050, and --max-cost is $nan"),
        (["--namespace", "somebody-else"], {}, 3, "is not a member of 'somebody-else'"),
        (["--secret", "NOT_SET_ANYWHERE"], {}, 2, "NOT_SET_ANYWHERE"),
        (["--label", "a b=c"], {}, 2, "--label"),
        (["--attempts", "0"], {}, 2, "--attempts"),
        (["--timeout", "soon"], {}, 2, "soon"),
        (["--flavor", "t4-small"], {}, 2, "t4-small has T4"),
        ([], {"HF_TOKEN": None}, 3, "no Hugging Face token"),
        ([], {"HF_TOKEN": UNKNOWN_TOKEN}, 3, "hf auth login"),
        ([], {"HF_ENDPOINT": "http://127.0.0.1:9"}, 3, "cannot be reached"),
        ([], {"HF_HUB_OFFLINE": "1"}, 3, "HF_HUB_OFFLINE"),
    ],
)
def test_what_cannot_be_submitted_says_why_and_starts_nothing(
    bench: Bench, arguments: list[str], changes: dict[str, str | None], code: int, message: str
) -> None:
    done = bench.script("submit_run.py", "--yes", *arguments, **changes)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert planted(done.stdout + done.stderr, bench.token, UNKNOWN_TOKEN) == []
    assert bench.jobs() == []


def test_a_token_that_only_reads_is_refused(bench: Bench) -> None:
    reader = bench.hub.add_token(bench.user, "read")
    done = bench.script("submit_run.py", "--yes", HF_TOKEN=reader)
    assert done.returncode == 3
    assert "the token only reads" in done.stderr
    assert bench.jobs() == []


def test_a_public_bucket_is_not_written_to(bench: Bench) -> None:
    bench.api.create_bucket(f"{bench.user}/skillpack-runs", private=False)
    done = bench.script("submit_run.py", "--yes")
    assert done.returncode == 3
    assert "is public" in done.stderr and "--private" in done.stderr
    assert bench.jobs() == []


def test_a_name_taken_by_a_run_of_another_plan_is_refused(bench: Bench) -> None:
    assert bench.script("submit_run.py", "--yes").returncode == 0
    bench.edit(lambda plan: plan["settings"].update(steps=13))
    done = bench.script("submit_run.py", "--yes")
    assert done.returncode == 2
    assert "the name is taken: job" in done.stderr and "hf jobs cancel" in done.stderr
    bench.cancel_all()
    run = {
        "schema": "skillpack/run/1", "name": "tiny", "plan_sha256": "0", "plan": {}, "status": "completed",
        "steps": 1, "log": [], "comparison": None,
    }  # fmt: skip
    (bench.run_folder / "run.json").write_text(json.dumps(run))
    done = bench.script("submit_run.py", "--yes")
    assert done.returncode == 2
    assert "holds a run of another plan" in done.stderr
    assert len(bench.jobs()) == 1


@pytest.mark.slow
def test_the_local_backend_trains_here_and_costs_nothing(bench: Bench, tiny_model: Path, docstring_rows: Path) -> None:
    def here(plan: dict) -> None:
        plan["hardware"] = {"where": "local", "device": "cpu", "name": "test", "memory_gb": 4}
        plan["model"]["id"], plan["dataset"]["source"]["id"] = str(tiny_model), str(docstring_rows)

    bench.edit(here)
    assert bench.script("submit_run.py", HF_TOKEN=None).returncode == 4
    assert not (bench.run_folder / "run.json").exists()
    done = bench.script("submit_run.py", "--yes", HF_TOKEN=None, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert f"report_run.py runs/{bench.run_folder.name}" in done.stdout
    watched = bench.script("watch_run.py", bench.run_folder, "--json", HF_TOKEN=None)
    assert watched.returncode == 0
    assert (json.loads(watched.stdout)["step"], json.loads(watched.stdout)["cost_usd"]) == (12, 0.0)
    assert bench.jobs() == []


def test_the_upload_that_it_names_makes_local_inputs_readable(
    bench: Bench, tiny_model: Path, docstring_rows: Path
) -> None:
    bench.edit(lambda plan: plan["model"].update(id=str(tiny_model)))
    bench.edit(lambda plan: plan["dataset"]["source"].update(id=str(docstring_rows)))
    ids = {}
    for part in ("model", "dataset"):
        refused = bench.script("submit_run.py")
        assert refused.returncode == 2
        program, *words = shlex.split(refused.stderr.split("`")[1])
        subprocess.run(
            [str(Path(sys.executable).with_name(program)), *words],
            cwd=bench.folder, env=bench.environment(), capture_output=True, check=True,
        )  # fmt: skip
        ids[part] = f"{bench.user}/{words[1]}"
        bench.edit(lambda plan, id_=ids["model"]: plan["model"].update(id=id_))
    bench.edit(lambda plan: plan["dataset"]["source"].update(id=ids["dataset"]))
    assert bench.api.model_info(ids["model"]).private and bench.api.dataset_info(ids["dataset"]).private
    assert bench.script("submit_run.py").returncode == 4
