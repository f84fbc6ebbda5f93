"""Several processes of one job, and several jobs of one network group, agree on a sum through gloo."""

from __future__ import annotations

import re
import secrets
import socket
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, JobInfo, JobStage

from tests.conftest import LocalHub

ALL_REDUCE = """
import torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.tensor([dist.get_rank() + 1.0])
dist.all_reduce(total)
print(f"rank {dist.get_rank()} of {dist.get_world_size()} has {total.item()}", flush=True)
dist.destroy_process_group()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(hub: LocalHub, *command: str, **options: Any) -> JobInfo:
    options.setdefault("env", {}).update(OMP_NUM_THREADS="1")
    return hub.api().run_job(image="python:3.12", command=list(command), namespace=hub.user, **options)


def lines(hub: LocalHub, *jobs: JobInfo) -> list[str]:
    ended = hub.api().wait_for_job([job.id for job in jobs], namespace=hub.user, poll_interval=0.2, timeout=90)
    found = [line for job in jobs for line in hub.api().fetch_job_logs(job_id=job.id, namespace=hub.user, follow=True)]
    assert [job.status.stage for job in ended] == [JobStage.COMPLETED] * len(jobs), "\n".join(found)
    # ranks that print at once may share a line
    return sorted(re.findall(r"rank \d of \d has \d+\.\d", "\n".join(found)))


def test_one_job_runs_two_processes_with_torchrun(hub: LocalHub) -> None:
    script = f"cat > sum.py <<'END'{ALL_REDUCE}END\nexec torchrun --nproc-per-node 2 --master-port {free_port()} sum.py"
    assert lines(hub, run(hub, "sh", "-c", script)) == ["rank 0 of 2 has 3.0", "rank 1 of 2 has 3.0"]


@pytest.mark.parametrize("where", ["shell", "python"])
def test_two_jobs_of_a_group_meet_at_an_alias(hub: LocalHub, where: str) -> None:
    from skillpack.hub.network import private_hosts_work

    if where == "python" and not private_hosts_work():
        # The name must come from the command then: see "Network groups" in docs/local-hub.md.
        where = "shell"
    group, port = f"train-{secrets.token_hex(3)}", free_port()
    jobs = []
    for rank in (1, 0):  # the one that looks for the alias starts before the one that claims it
        env = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_PORT": str(port)}
        options: dict[str, Any] = {"env": env, "network_group": group}
        if rank == 0:
            options["network_aliases"] = ["head"]
        if where == "shell":
            command = ["sh", "-c", 'MASTER_ADDR=${HF_NETWORK_GROUP_PREFIX}head exec python -c "$0"', ALL_REDUCE]
        else:
            join = "import os; os.environ['MASTER_ADDR'] = os.environ['HF_NETWORK_GROUP_PREFIX'] + 'head'"
            command = ["python", "-c", join + ALL_REDUCE]
        jobs.append(run(hub, *command, **options))
    assert jobs[1].network is not None and jobs[1].network.aliases == ["head"]
    assert lines(hub, *jobs) == ["rank 0 of 2 has 3.0", "rank 1 of 2 has 3.0"]


def test_without_private_names_an_alias_in_the_command_becomes_the_address(hub: LocalHub) -> None:
    from skillpack.hub.network import address_for_aliases

    text = "a ${HF_NETWORK_GROUP_PREFIX}head:29500 b $HF_NETWORK_GROUP_PREFIX c $HF_NETWORK_GROUP_PREFIXhead"
    expected = "a 127.0.0.1:29500 b $HF_NETWORK_GROUP_PREFIX c $HF_NETWORK_GROUP_PREFIXhead"
    assert address_for_aliases(text) == expected


def test_without_private_names_a_job_still_reaches_the_alias(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skillpack.hub import auth, network
    from skillpack.hub.server import ThreadServer

    monkeypatch.setattr(network, "private_hosts_work", lambda: False)
    with ThreadServer(tmp_path) as server:
        auth.add_namespace(server.hub, "rose")
        api = HfApi(endpoint=server.url, token=auth.add_token(server.hub, "rose"))
        job = api.run_job(
            image="i",
            command=["sh", "-c", "echo at ${HF_NETWORK_GROUP_PREFIX}head:80 $HF_NETWORK_GROUP_HOSTNAME"],
            network_group="train",
            namespace="rose",
        )
        shown = list(api.fetch_job_logs(job_id=job.id, namespace="rose", follow=True))
    assert shown[-1] == "at 127.0.0.1:80 127.0.0.1"
