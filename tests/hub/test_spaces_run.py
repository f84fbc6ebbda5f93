"""Spaces that run: a Hub with `--run-spaces` starts each app, and tells how far it is and what it printed."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from skillpack.hub import server

README = "---\ntitle: A Space\nsdk: gradio\nsdk_version: 6.31.0\napp_file: app.py\n---\n"
SERVE = """
import http.server, os
print("secret", os.environ["WORD"], "variable", os.environ["COLOR"])
http.server.test(http.server.SimpleHTTPRequestHandler, bind="127.0.0.1", port=int(os.environ["GRADIO_SERVER_PORT"]))
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HfApi]:
    address, process = server.spawn(tmp_path_factory.mktemp("hub"), "rose", run_spaces=True)
    yield HfApi(endpoint=address.url, token=address.token)
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def space(api: HfApi, name: str, tmp_path: Path, **files: str) -> str:
    repo = f"rose/{name}"
    for path, text in files.items():
        (tmp_path / path.replace("_", ".")).write_text(text)
    api.create_repo(repo, repo_type="space", space_sdk="gradio", private=True, exist_ok=True)
    api.upload_folder(repo_id=repo, repo_type="space", folder_path=tmp_path)
    return repo


def settled(api: HfApi, repo: str) -> str:
    return str(api.wait_for_space(repo, timeout=60, poll_interval=0.1).stage)


def test_an_app_gets_variables_and_secrets_and_its_log_masks_the_secrets(api: HfApi, tmp_path: Path) -> None:
    repo = "rose/serves"
    secrets = [{"key": "WORD", "value": "planted-word"}]
    api.create_repo(repo, repo_type="space", space_sdk="gradio", private=True, space_secrets=secrets)
    api.add_space_variable(repo, "COLOR", "green")
    assert settled(api, repo) == "CONFIG_ERROR"  # nothing but .gitattributes yet
    space(api, "serves", tmp_path, README_md=README, app_py=SERVE)
    assert settled(api, repo) == "RUNNING"
    (domain,) = api.get_space_runtime(repo).raw["domains"]
    assert b"app.py" in urllib.request.urlopen(f"http://{domain['domain']}/", timeout=10).read()
    log = "".join(api.fetch_space_logs(repo))
    assert "secret *** variable green" in log and "planted-word" not in log
    api.pause_space(repo)
    assert settled(api, repo) == "PAUSED"
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://{domain['domain']}/", timeout=10)
    api.restart_space(repo)
    assert settled(api, repo) == "RUNNING"
    api.delete_repo(repo, repo_type="space")


def test_each_way_to_fail_has_its_stage_and_its_log(api: HfApi, tmp_path: Path) -> None:
    repo = space(api, "fails", tmp_path, README_md=README)
    assert settled(api, repo) == "NO_APP_FILE"
    space(api, "fails", tmp_path, app_py="raise SystemExit('no weights')", requirements_txt="no-such-package-x==1\n")
    assert settled(api, repo) == "BUILD_ERROR"
    assert "No matching distribution found for no-such-package-x==1" in "".join(api.fetch_space_logs(repo, build=True))
    space(api, "fails", tmp_path, requirements_txt="pyyaml>=6\n")
    assert settled(api, repo) == "RUNTIME_ERROR"
    assert "no weights" in "".join(api.fetch_space_logs(repo))
    space(api, "fails", tmp_path, README_md=README.replace("gradio\n", "flask\n", 1))
    assert settled(api, repo) == "CONFIG_ERROR"
    assert "sdk" in api.get_space_runtime(repo).raw["errorMessage"]


def test_hardware_is_listed_with_prices_and_logs_are_the_owners(api: HfApi, tmp_path: Path) -> None:
    prices = {each.name: each.unit_cost_usd for each in api.list_spaces_hardware()}
    assert prices["cpu-basic"] == prices["zero-a10g"] == 0 < prices["t4-small"]
    repo = space(api, "public", tmp_path, README_md=README)
    api.update_repo_settings(repo, repo_type="space", private=False)
    with pytest.raises(HfHubHTTPError):
        list(HfApi(endpoint=api.endpoint, token=False).fetch_space_logs(repo, build=True))
