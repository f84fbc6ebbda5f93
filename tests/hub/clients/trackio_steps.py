"""Trackio: a run logged locally, synced to a static Space whose data lie in a bucket."""

import os

import trackio
from huggingface_hub import HfApi
from steps import run, step

api = HfApi()
SPACE = f"tester/trackio-{os.getpid()}"


@step
def a_run_is_logged_locally() -> None:
    trackio.init(project="rehearsal", name="first", config={"lr": 0.1})
    for number in range(3):
        trackio.log({"loss": 1.0 / (number + 1)})
    trackio.finish()


@step
def it_is_synced_to_a_space() -> None:
    trackio.sync("rehearsal", SPACE, sdk="static", force=True)
    assert api.space_info(SPACE).sdk == "static"
    assert "README.md" in api.list_repo_files(SPACE, repo_type="space")
    stored = [bucket for bucket in api.list_buckets() if bucket.total_files]
    assert stored and any(
        "metrics" in file.path for bucket in stored for file in api.list_bucket_tree(bucket.id, recursive=True)
    )


run()
