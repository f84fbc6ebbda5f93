"""The real clients, unmodified, each in a process that has only HF_ENDPOINT and HF_TOKEN to go by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import LocalHub

CLIENTS = Path(__file__).parent / "clients"


def follow(hub: LocalHub, script: str, xet: bool, at_least: int, tmp_path: Path) -> None:
    from skillpack.hub import auth

    auth.add_member(hub.state(), "acme", hub.user)
    tokens = {"HUB_READ": hub.add_token(hub.user, "read"), "HUB_STRANGER": hub.add_token("stranger")}
    home = {"HF_HOME": str(tmp_path / "hf"), "TRACKIO_DIR": str(tmp_path / "trackio")}
    done = hub.run("python", str(CLIENTS / script), xet=xet, **tokens, **home)
    steps = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"step"')]
    failed = [each["step"] for each in steps if not each["ok"]]
    assert done.returncode == 0 and not failed, f"{failed}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    assert len(steps) >= at_least


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "http"])
def test_repos_do_what_the_client_expects(hub: LocalHub, xet: bool, tmp_path: Path) -> None:
    follow(hub, "repos_steps.py", xet, 33, tmp_path)


def test_buckets_do_what_the_client_expects(hub: LocalHub, tmp_path: Path) -> None:
    follow(hub, "buckets_steps.py", True, 10, tmp_path)


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "http"])
def test_datasets_are_pushed_loaded_and_streamed(hub: LocalHub, xet: bool, tmp_path: Path) -> None:
    follow(hub, "datasets_steps.py", xet, 5, tmp_path)


@pytest.mark.parametrize("xet", [True, False], ids=["xet", "http"])
def test_models_are_pushed_loaded_and_trained(hub: LocalHub, xet: bool, tmp_path: Path) -> None:
    follow(hub, "models_steps.py", xet, 3, tmp_path)


def test_trackio_syncs_to_a_space(hub: LocalHub, tmp_path: Path) -> None:
    follow(hub, "trackio_steps.py", True, 2, tmp_path)
