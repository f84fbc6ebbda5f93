"""Jobs through HfApi: every stage, logs, metrics, attempts, limits, labels, secrets, credit."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, JobInfo, JobStage, Volume
from huggingface_hub._jobs_api import JobHardware
from huggingface_hub.errors import HfHubHTTPError

from tests.conftest import LocalHub

PYTHON = "python:3.12"


def run(hub: LocalHub, *command: str, **options: Any) -> JobInfo:
    return hub.api().run_job(image=PYTHON, command=list(command), namespace=hub.user, **options)


def wait(hub: LocalHub, job: JobInfo, **options: Any) -> JobInfo:
    return hub.api().wait_for_job(job.id, namespace=hub.user, poll_interval=0.1, timeout=60, **options)


def log(hub: LocalHub, job: JobInfo, **options: Any) -> list[str]:
    options = {"follow": True, **options}
    return list(hub.api().fetch_job_logs(job_id=job.id, namespace=hub.user, **options))


def refused(call: Any) -> int:
    with pytest.raises(HfHubHTTPError) as caught:
        call()
    return caught.value.response.status_code


def test_a_job_completes_with_the_environment_of_its_flavor(hub: LocalHub) -> None:
    script = (
        "import os; print(*(os.environ[n] for n in ('JOB_ID','ACCELERATOR','CPU_CORES','MEMORY','HF_ENDPOINT','A')))"
    )
    job = run(hub, "python", "-c", script, flavor="a10g-small", env={"A": "b c"})
    assert job.status.stage == JobStage.SCHEDULING
    assert job.owner.name == hub.user and job.initiator is not None and job.initiator.name == hub.user
    ended = wait(hub, job)
    assert ended.status.stage == JobStage.COMPLETED and ended.status.message is None
    assert ended.durations is not None and ended.durations.total_secs is not None
    assert ended.started_at is not None and ended.finished_at is not None
    lines = log(hub, job)
    assert "recorded, not used" in lines[0]
    assert lines[-1] == f"{job.id} a10g-small 4 15Gi {hub.url} b c"


def test_a_job_does_not_see_the_hubs_own_environment(hub: LocalHub) -> None:
    job = run(hub, "python", "-c", "import os; print(sorted(os.environ))")
    wait(hub, job)
    seen = log(hub, job)[-1]
    assert "'HF_TOKEN'" not in seen and "SKILLPACK_HUB_TOKEN" not in seen


def test_a_failure_is_an_error_with_its_exit_code(hub: LocalHub) -> None:
    ended = wait(hub, run(hub, "sh", "-c", "exit 3"))
    assert (ended.status.stage, ended.status.message) == (JobStage.ERROR, "Job failed with exit code: 3")
    missing = run(hub, "no-such-program")
    assert wait(hub, missing).status.message == "Job failed with exit code: 127"
    assert any("not found" in line for line in log(hub, missing))


def test_a_failure_is_repeated_as_often_as_attempts_says(hub: LocalHub) -> None:
    flaky = "test -e seen || { touch seen; echo first; exit 1; }; echo second"
    job = run(hub, "sh", "-c", flaky, attempts=3)
    assert wait(hub, job).status.stage == JobStage.COMPLETED and job.retry == 2
    assert [line for line in log(hub, job) if line in ("first", "second")] == ["first", "second"]
    hopeless = run(hub, "sh", "-c", "echo try; exit 1", attempts=2)
    assert wait(hub, hopeless).status.stage == JobStage.ERROR
    assert log(hub, hopeless).count("try") == 2


def test_a_timeout_kills_the_whole_tree(hub: LocalHub) -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    began = time.monotonic()
    job = run(hub, "python", "-c", script, timeout=1)
    ended = wait(hub, job)
    assert (ended.status.stage, ended.status.message) == (JobStage.ERROR, "Job timeout")
    assert time.monotonic() - began < 15
    assert processes_of(job.id) == []


def processes_of(job_id: str) -> list[int]:
    from skillpack.hub import processes

    return processes.of_job(job_id)


def test_a_canceled_job_ends_with_what_started_sessions_of_their_own(hub: LocalHub) -> None:
    script = (
        "import subprocess as s, time; s.Popen(['sleep', '60'], start_new_session=True); print('up'); time.sleep(60)"
    )
    job = run(hub, "python", "-c", script)
    for line in hub.api().fetch_job_logs(job_id=job.id, namespace=hub.user, follow=True):
        if line == "up":
            break
    assert wait(hub, job, stages=[JobStage.RUNNING]).status.stage == JobStage.RUNNING
    hub.api().cancel_job(job_id=job.id, namespace=hub.user)
    assert hub.api().inspect_job(job_id=job.id, namespace=hub.user).status.stage == JobStage.CANCELED
    assert processes_of(job.id) == []
    hub.api().cancel_job(job_id=job.id, namespace=hub.user)


def test_a_child_left_behind_ends_with_its_job(hub: LocalHub) -> None:
    job = run(hub, "sh", "-c", "sleep 60 & echo started")
    began = time.monotonic()
    assert wait(hub, job).status.stage == JobStage.COMPLETED
    assert time.monotonic() - began < 10 and processes_of(job.id) == []
    assert "started" in log(hub, job)


def test_logs_follow_a_running_job_line_by_line(hub: LocalHub) -> None:
    job = run(hub, "python", "-c", "import time\nfor i in range(4): print(i); time.sleep(.3)")
    arrived = [
        (line, time.monotonic()) for line in hub.api().fetch_job_logs(job_id=job.id, namespace=hub.user, follow=True)
    ]
    times = dict(arrived)
    assert times["3"] - times["0"] > 0.5, "the lines came all at once"
    assert log(hub, job, follow=False)[-4:] == ["0", "1", "2", "3"]


def test_tail_gives_the_last_lines_at_once_after_the_end(hub: LocalHub) -> None:
    job = run(hub, "sh", "-c", "seq 500")
    wait(hub, job)
    for _ in range(5):
        assert log(hub, job, follow=False, tail=1) == ["500"]
    assert log(hub, job, follow=False, tail=3) == ["498", "499", "500"]


def test_a_progress_bar_leaves_its_last_state(hub: LocalHub) -> None:
    job = run(hub, "printf", "10%%\\r50%%\\r100%%\\ndone\\n")
    wait(hub, job)
    assert log(hub, job)[-2:] == ["100%", "done"]


def test_metrics_stream_while_it_runs_and_are_refused_after(hub: LocalHub) -> None:
    job = run(hub, "python", "-c", "x = bytearray(60_000_000)\nwhile True: pass")
    wait(hub, job, stages=[JobStage.RUNNING])
    first = next(iter(hub.api().fetch_job_metrics(job_id=job.id, namespace=hub.user)))
    assert set(first) >= {"cpu_usage_pct", "cpu_millicores", "memory_used_bytes", "memory_total_bytes", "gpus"}
    assert first["memory_total_bytes"] == 16 << 30
    if Path("/proc/self/stat").exists():
        assert first["memory_used_bytes"] > 1_000_000
    hub.api().cancel_job(job_id=job.id, namespace=hub.user)
    assert list(hub.api().fetch_job_metrics(job_id=job.id, namespace=hub.user)) == []
    assert raw(hub, "GET", f"/api/jobs/{hub.user}/{job.id}/metrics").status_code == 406


def raw(hub: LocalHub, method: str, path: str, **options: Any) -> Any:
    import httpx2

    headers = {"Authorization": f"Bearer {hub.token}"}
    return httpx2.request(method, hub.url + path, headers=headers, timeout=30, **options)


def test_labels_find_a_job_and_can_be_replaced(hub: LocalHub) -> None:
    mark = secrets.token_hex(4)
    job = run(hub, "true", labels={"run": mark, "team": "ml"}, name="labelled")
    other = run(hub, "true", labels={"run": mark})
    found = list(hub.api().list_jobs(namespace=hub.user, labels={"run": mark, "team": "ml"}))
    assert [each.id for each in found] == [job.id] and found[0].labels["name"] == "labelled"
    assert hub.api().update_job_labels(job_id=job.id, labels={"new": mark}, namespace=hub.user).labels == {"new": mark}
    assert [each.id for each in hub.api().list_jobs(namespace=hub.user, labels={"run": mark})] == [other.id]
    assert refused(lambda: run(hub, "true", labels={"a b": "c"})) == 400


def test_the_list_is_paginated_and_filtered_by_stage(hub: LocalHub) -> None:
    user = f"lister-{secrets.token_hex(3)}"
    api = HfApi(endpoint=hub.url, token=hub.add_token(user))
    jobs = [api.run_job(image=PYTHON, command=[name], namespace=user) for name in ("true", "false", "true")]
    api.wait_for_job([job.id for job in jobs], namespace=user, poll_interval=0.1, timeout=60)
    assert [job.id for job in api.list_jobs(namespace=user)] == [job.id for job in reversed(jobs)]
    assert [job.id for job in api.list_jobs(namespace=user, status="error")] == [jobs[1].id]
    both = api.list_jobs(namespace=user, status=[JobStage.COMPLETED, JobStage.ERROR])
    assert len(list(both)) == 3
    import httpx2

    page = httpx2.get(f"{hub.url}/api/jobs/{user}?limit=2", headers={"Authorization": f"Bearer {api.token}"})
    assert (
        len(page.json()) == 2 and len(httpx2.get(page.links["next"]["url"], headers=page.request.headers).json()) == 1
    )
    assert refused(lambda: list(api.list_jobs(namespace=user, status="LOST"))) == 400


def test_a_finished_job_can_be_deleted(hub: LocalHub) -> None:
    job = run(hub, "true")
    wait(hub, job)
    assert raw(hub, "DELETE", f"/api/jobs/{hub.user}/{job.id}").json()["status"]["stage"] == "DELETED"
    assert job.id not in [each.id for each in hub.api().list_jobs(namespace=hub.user)]
    assert hub.api().inspect_job(job_id=job.id, namespace=hub.user).status.stage == JobStage.DELETED


def test_a_rerun_repeats_the_spec_with_its_secrets(hub: LocalHub) -> None:
    check = 'test "$KEY" = planted-value && echo same'
    job = run(hub, "sh", "-c", check, secrets={"KEY": "planted-value"}, attempts=2)
    wait(hub, job)
    again = hub.api().rerun_job(job_id=job.id, namespace=hub.user)
    assert again.id != job.id and again.retry == 1
    assert again.initiator is not None and (again.initiator.type, again.initiator.id) == ("duplicated-job", job.id)
    assert wait(hub, again).status.stage == JobStage.COMPLETED and "same" in log(hub, again)


def contains(root: Path, needle: bytes) -> list[str]:
    return [str(path) for path in root.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_a_secret_reaches_the_job_and_nothing_else(hub: LocalHub) -> None:
    secret, multiline = f"sk-{secrets.token_hex(12)}", f"first-{secrets.token_hex(6)}\nsecond-{secrets.token_hex(6)}"
    script = "import os,sys; print('got', os.environ['KEY'], len(os.environ['KEY'])); print(os.environ['PEM']);"
    script += "sys.stderr.write('x'*70000 + os.environ['KEY'] + 'y'*70000)"
    job = run(
        hub,
        *("python", "-c", script, f"--token={secret}"),
        env={"COPY": secret},
        secrets={"KEY": secret, "PEM": multiline},
        labels={"leak": secret},
    )
    assert wait(hub, job).status.stage == JobStage.COMPLETED
    lines = log(hub, job)
    assert f"got *** {len(secret)}" in lines
    shown = json.dumps(raw(hub, "GET", f"/api/jobs/{hub.user}/{job.id}").json())
    listed = raw(hub, "GET", f"/api/jobs/{hub.user}").text
    page = raw(hub, "GET", f"/jobs/{hub.user}/{job.id}").text
    assert "KEY" in shown and "RUNNING" not in page and "COMPLETED" in page
    for value in (secret, *multiline.split("\n")):
        assert all(value not in text for text in ("\n".join(lines), shown, listed, page))
        assert contains(hub.root, value.encode()) == []
    assert job.secrets == ["KEY", "PEM"]


def test_a_volume_shows_a_repo_and_mount_paths_are_rewritten(hub: LocalHub) -> None:
    repo = hub.api().create_repo(f"vol-{secrets.token_hex(3)}", repo_type="dataset", private=True).repo_id
    hub.api().upload_file(path_or_fileobj=b"hello", path_in_repo="sub/a.txt", repo_id=repo, repo_type="dataset")
    whole = Volume(type="dataset", source=repo, mount_path="/data")
    part = Volume(type="dataset", source=repo, mount_path="/data/part", path="sub")
    job = run(
        hub,
        *(
            "sh",
            "-c",
            'for f in /data/sub/a.txt "$WHERE" "$HF_JOB_VOLUME_DATA/sub/a.txt"; do cat $f; echo; done; echo /database',
        ),
        env={"WHERE": "/data/part/a.txt"},
        volumes=[whole, part],
    )
    assert wait(hub, job).status.stage == JobStage.COMPLETED
    assert log(hub, job)[-4:] == ["hello", "hello", "hello", "/database"]
    missing = Volume(type="model", source=f"{hub.user}/absent", mount_path="/m")
    assert refused(lambda: run(hub, "true", volumes=[missing])) == 404
    climbing = Volume(type="dataset", source=repo, mount_path="/data", path="../..")
    assert refused(lambda: run(hub, "true", volumes=[climbing])) == 400


def test_another_users_private_repo_cannot_be_mounted(hub: LocalHub) -> None:
    repo = hub.api().create_repo(f"mine-{secrets.token_hex(3)}", private=True).repo_id
    user = f"thief-{secrets.token_hex(3)}"
    thief = HfApi(endpoint=hub.url, token=hub.add_token(user))
    volume = Volume(type="model", source=repo, mount_path="/m")
    assert refused(lambda: thief.run_job(image=PYTHON, command=["true"], namespace=user, volumes=[volume])) == 404
    assert refused(lambda: thief.run_job(image=PYTHON, command=["true"], namespace=hub.user)) == 403
    assert refused(lambda: list(thief.list_jobs(namespace=hub.user))) == 403


def test_what_a_job_writes_to_a_bucket_is_there_afterwards(hub: LocalHub) -> None:
    from skillpack.hub import buckets

    name = f"out-{secrets.token_hex(3)}"
    state = hub.state()
    buckets.create(state, hub.user, name, private=True)
    seed = hub.home / name
    seed.mkdir(parents=True)
    (seed / "kept.txt").write_text("kept")
    buckets.ingest(state, f"{hub.user}/{name}", "run", seed)
    writable = Volume(type="bucket", source=f"{hub.user}/{name}", mount_path="/out", path="run")
    script = "cat /out/kept.txt; mkdir -p /out/ckpt; echo w > /out/ckpt/model.bin; echo v2 > /out/kept.txt; exit 1"
    job = run(hub, "sh", "-c", script, volumes=[writable])
    assert wait(hub, job).status.stage == JobStage.ERROR
    assert any("2 changed file(s) written" in line for line in log(hub, job))
    back = hub.home / f"{name}-back"
    buckets.export(state, f"{hub.user}/{name}", "run", back)
    assert (back / "ckpt/model.bin").read_text() == "w\n" and (back / "kept.txt").read_text() == "v2\n"
    fixed = Volume(type="bucket", source=f"{hub.user}/{name}", mount_path="/out", path="run", read_only=True)
    assert (
        wait(hub, run(hub, "sh", "-c", "echo v3 > /out/kept.txt", volumes=[fixed])).status.stage == JobStage.COMPLETED
    )
    buckets.export(state, f"{hub.user}/{name}", "run", back)
    assert (back / "kept.txt").read_text() == "v2\n"


def test_memory_can_be_limited_to_rehearse_running_out(hub: LocalHub) -> None:
    job = run(hub, "python", "-c", "bytearray(2_000_000_000)", labels={"rlimit-as-mb": "800"})
    assert wait(hub, job).status.stage == JobStage.ERROR
    assert any("MemoryError" in line for line in log(hub, job))


def test_what_cannot_be_run_is_refused_before_it_starts(hub: LocalHub) -> None:
    assert refused(lambda: run(hub, "true", flavor="h1000")) == 400
    assert refused(lambda: run(hub, "true", timeout=-5)) == 400
    assert refused(lambda: run(hub, "true", network_group="Not Valid")) == 400
    assert refused(lambda: run(hub)) == 400
    assert refused(lambda: hub.api().inspect_job(job_id="0" * 24, namespace=hub.user)) == 404
    reader = HfApi(endpoint=hub.url, token=hub.add_token(hub.user, role="read"))
    assert refused(lambda: reader.run_job(image=PYTHON, command=["true"], namespace=hub.user)) == 403
    stranger = HfApi(endpoint=hub.url, token="hf_unknown")
    assert refused(lambda: stranger.run_job(image=PYTHON, command=["true"], namespace=hub.user)) == 401


def test_without_credit_a_job_is_refused_with_402(hub: LocalHub) -> None:
    user = f"poor-{secrets.token_hex(3)}"
    api = HfApi(endpoint=hub.url, token=hub.add_token(user))
    spent = api.run_job(image=PYTHON, command=["true"], namespace=user, flavor="h200")
    api.wait_for_job(spent.id, namespace=user, poll_interval=0.1)
    import httpx2

    headers = {"Authorization": f"Bearer {api.token}"}
    shown = httpx2.get(f"{hub.url}/api/jobs/{user}/{spent.id}", headers=headers).json()
    assert shown["localBilling"]["microUSD"] == 83_333  # one minute that was begun, at $5 an hour
    left = httpx2.put(f"{hub.url}/api/local/credit/{user}", json={"usd": 0}, headers=headers).json()
    assert left["balanceUSD"] == 0
    assert refused(lambda: api.run_job(image=PYTHON, command=["true"], namespace=user)) == 402
    httpx2.put(f"{hub.url}/api/local/credit/{user}", json={"usd": 1}, headers=headers)
    assert api.run_job(image=PYTHON, command=["true"], namespace=user).id


def test_hardware_names_every_flavor_of_the_client_with_a_price(hub: LocalHub) -> None:
    listed = {each.name: each for each in hub.api().list_jobs_hardware()}
    assert set(listed) == {flavor.value for flavor in JobHardware}
    assert listed["cpu-basic"].unit_cost_micro_usd == 167 and listed["cpu-basic"].accelerator is None
    a100 = listed["a100-large"]
    assert a100.unit_label == "minute" and round(a100.unit_cost_usd * 60, 2) == 2.5
    assert a100.accelerator is not None and a100.accelerator.vram == "80 GB"


def test_ports_are_told_as_they_are_on_this_machine(hub: LocalHub) -> None:
    job = run(hub, "sleep", "30", expose=[8123])
    assert job.status.expose_urls == ["http://127.0.0.1:8123"] and job.expose == [8123]
    changed = hub.api().update_job_expose(job_id=job.id, expose_public=[9000], namespace=hub.user)
    assert changed.expose == [9000] and changed.expose_public == [9000]
    hub.api().cancel_job(job_id=job.id, namespace=hub.user)
    assert refused(lambda: hub.api().update_job_expose(job_id=job.id, expose=[1], namespace=hub.user)) == 409


@pytest.fixture
def schedule(hub: LocalHub) -> Iterator[dict[str, Any]]:
    made = hub.api().create_scheduled_job(
        image=PYTHON,
        command=["sh", "-c", 'test "$KEY" = planted-two && sleep 1'],
        schedule="0 9 * * 1",
        secrets={"KEY": "planted-two"},
        labels={"kind": "weekly"},
        timeout="2h",
        namespace=hub.user,
    )
    options = {"scheduled_job_id": made.id, "namespace": hub.user}
    yield options
    hub.api().delete_scheduled_job(**options)
    assert refused(lambda: hub.api().inspect_scheduled_job(**options)) == 404


def test_a_schedule_is_kept_suspended_changed_and_triggered(hub: LocalHub, schedule: dict[str, Any]) -> None:
    api = hub.api()
    made = api.inspect_scheduled_job(**schedule)
    due = made.status.next_job_run_at
    assert due is not None and (due.hour, due.minute, due.isoweekday()) == (9, 0, 1)
    assert due > datetime.now(timezone.utc) and made.job_spec.timeout == 7200
    assert [each.id for each in api.list_scheduled_jobs(namespace=hub.user, labels={"kind": "weekly"})] == [made.id]
    api.suspend_scheduled_job(**schedule)
    assert api.inspect_scheduled_job(**schedule).suspend is True
    api.resume_scheduled_job(**schedule)
    assert api.update_scheduled_job_schedule(**schedule, schedule="@daily").schedule == "@daily"
    assert api.update_scheduled_job_labels(**schedule, labels={"a": "b"}).job_spec.labels == {"a": "b"}
    job = api.trigger_scheduled_job(**schedule)
    assert job.initiator is not None and (job.initiator.type, job.initiator.id) == ("scheduled-job", made.id)
    assert refused(lambda: api.trigger_scheduled_job(**schedule)) == 409
    assert wait(hub, job).status.stage == JobStage.COMPLETED
    last = api.inspect_scheduled_job(**schedule).status.last_job
    assert last is not None and last.id == job.id
    with pytest.raises(HfHubHTTPError):
        api.update_scheduled_job_schedule(**schedule, schedule="every monday")


def test_a_schedule_that_is_due_starts_by_itself(hub: LocalHub, schedule: dict[str, Any]) -> None:
    with hub.state().db.tx() as c:
        c.execute("UPDATE scheduled_jobs SET next_run_at = ? WHERE id = ?", (time.time(), schedule["scheduled_job_id"]))
    deadline = time.monotonic() + 15
    while hub.api().inspect_scheduled_job(**schedule).status.last_job is None:
        assert time.monotonic() < deadline, "it never ran"
        time.sleep(0.2)
