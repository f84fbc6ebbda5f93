"""sync_space.py against the local Hub: private unless told otherwise, nothing overwritten, nothing without --yes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from .conftest import Desk
from .spaces import gate


def bucket_files(desk: Desk, bucket: str) -> set[str]:
    return {file.path for file in desk.api.list_bucket_tree(bucket, recursive=True) if file.type == "file"}


def test_a_private_live_dashboard_is_made_answers_and_is_brought_up_to_date(desk: Desk) -> None:
    space = f"{desk.user}/metrics"
    with gate(desk, space) as opened:
        found = desk.json("sync_space.py", "--space", "metrics", "--wait", "60", "--yes", **opened.environment())
        assert found["answers"] is True and found["private"] and found["bucket_private"] and found["stores_token"]
        assert opened.asked and set(opened.asked) == {f"{desk.user}-metrics.hf.space:443"}
    assert desk.api.space_info(space).private and desk.api.bucket_info(f"{space}-bucket").private
    assert "trackio/sweep.db" in bucket_files(desk, f"{space}-bucket")
    stranger = desk.hub.api(desk.hub.add_token("stranger"))
    assert not stranger.repo_exists(space, repo_type="space")
    assert desk.sql("sweep", "SELECT * FROM project_metadata") == [], "your database stays as it was"

    watched = desk.json("alert_rules.py", "--space", space, "--run", "wild", code=1)
    assert [alert["rule"] for alert in watched["alerts"]] == ["not-finite"]

    read = desk.json("read_runs.py", "best", "--space", space, "--metric", "train/loss", "--mode", "min")
    assert (read["best"]["value"], read["best"]["step"]) == (1.0, 20)

    desk.python("import trackio; trackio.init(project='sweep', name='late', embed=False); trackio.log({'x': 1.0}); "
                "trackio.finish()")  # fmt: skip
    again = desk.json("sync_space.py", "--space", space, "--yes")
    assert again["answers"] is None and not again["awaited"] and not again["new"] and not again["stores_token"]
    runs = desk.json("read_runs.py", "runs", "--space", space)["runs"]
    assert [run["name"] for run in runs] == ["base", "base", "wild", "late"]

    desk.sql("sweep", "DELETE FROM metrics WHERE run_name = 'late'")
    refused = desk.script("sync_space.py", "--space", space, "--yes")
    assert refused.returncode == 2 and "late" in refused.stderr and "--replace" in refused.stderr
    assert len(desk.json("read_runs.py", "runs", "--space", space)["runs"]) == 4
    desk.json("sync_space.py", "--space", space, "--yes", "--replace")
    assert len(desk.json("read_runs.py", "runs", "--space", space)["runs"]) == 3


def test_a_static_page_is_public_and_its_data_can_be_read_without_a_token(desk: Desk) -> None:
    media = desk.tracked / "media/sweep/base/0"
    media.mkdir(parents=True)
    (media / "plot.png").write_bytes(b"png")
    found = desk.json("sync_space.py", "--space", "page", "--static", "--public", "--yes")
    space = f"{desk.user}/page"
    assert (found["space"], found["private"], found["bucket_private"], found["sdk"]) == (space, False, False, "static")
    assert found["left_out"] == ["peft.rank_pattern: an empty dict"], "which trackio could not have written"
    assert {"metrics.parquet", "runs.json", "aux/configs.parquet", "media/base/0/plot.png"} <= bucket_files(
        desk, found["bucket"]
    )
    assert json.loads(desk.sql("sweep", "SELECT config FROM configs")[1][0])["peft"]["rank_pattern"] == {}, "as it was"
    anyone = desk.json("read_runs.py", "runs", "--space", space, HF_TOKEN="")
    assert [run["rows"] for run in anyone["runs"]] == [3, 4, 4]
    assert [run["config"]["lr"] for run in anyone["runs"]] == [0.1, 0.2, 9.0]
    best = desk.json("read_runs.py", "best", "--space", space, "--metric", "train/loss", "--mode", "min", HF_TOKEN="")
    assert best["best"]["value"] == 1.0
    again = desk.json("sync_space.py", "--space", "page", "--static", "--public", "--yes")
    assert not again["new"]
    live = desk.script("sync_space.py", "--space", "page", "--yes", "--public")
    assert live.returncode == 2 and "static" in live.stderr


def test_without_yes_nothing_leaves_this_machine_and_the_plan_says_what_would(desk: Desk) -> None:
    desk.sql(
        "sweep", "UPDATE configs SET config = json_set(CAST(config AS TEXT), '$.output_dir', '/home/me/secret/run')"
    )
    plan = desk.json("sync_space.py", "--space", "metrics", code=4)
    assert not plan["published"] and plan["private"] and plan["space"] == f"{desk.user}/metrics"
    assert plan["config_keys"] == ["lr", "output_dir", "peft"] and plan["paths"] == ["output_dir"]
    assert not desk.api.repo_exists(f"{desk.user}/metrics", repo_type="space")
    assert list(desk.api.list_buckets()) == []
    said = desk.script("sync_space.py", "--space", "metrics", "--public").stderr
    assert "ANYONE can read" in said and "secret HF_TOKEN" in said and "--yes" in said
    assert "lr, output_dir, peft" in said and "base (" in said and "wild (" in said and "3 runs" in said
    mine = desk.script("sync_space.py", "--space", "metrics").stderr
    assert f"only you ({desk.user}) can read" in mine
    assert "error" not in mine and mine.rstrip().endswith("the same with --yes"), "it waits, and has not failed"


def test_tokens_never_leave_with_the_metrics(desk: Desk) -> None:
    planted = "hf_" + "a1B2" * 8
    desk.sql("sweep", "UPDATE configs SET config = json_set(CAST(config AS TEXT), '$.hub_token', ?)", planted)
    found = desk.json("sync_space.py", "--space", "page", "--static", "--public", "--yes")
    assert "hub_token: a token" in found["left_out"]
    api, path = desk.api, desk.folder / "configs.parquet"
    api.download_bucket_files(found["bucket"], files=[("aux/configs.parquet", str(path))])
    assert {row["hub_token"] for row in pq.read_table(path).to_pylist()} == {"hf_***"}
    desk.sql("sweep", "UPDATE alerts SET text = ?", f"could not push with {planted}")
    refused = desk.script("sync_space.py", "--space", "page", "--static", "--public", "--yes")
    assert refused.returncode == 2 and "looks like a token" in refused.stderr and planted not in refused.stderr


@pytest.mark.parametrize(("public", "code"), [(False, 2), (True, 0)])
def test_a_space_that_is_public_takes_no_private_metrics(desk: Desk, public: bool, code: int) -> None:
    space = f"{desk.user}/open"
    desk.api.create_repo(space, repo_type="space", space_sdk="gradio", private=False)
    done = desk.script("sync_space.py", "--space", "open", "--yes", *["--public"] * public)
    assert done.returncode == code, done.stderr
    assert len(list(desk.api.list_buckets())) == int(public)
    if not public:
        assert "is public, and private was asked for" in done.stderr


@pytest.mark.parametrize("sdk", ["gradio", "static"])
def test_a_space_of_something_else_is_never_touched(desk: Desk, sdk: str) -> None:
    space = f"{desk.user}/demo"
    desk.api.create_repo(space, repo_type="space", space_sdk=sdk, private=False)
    desk.api.upload_file(path_or_fileobj=b"mine", path_in_repo="main.py", repo_id=space, repo_type="space")
    before = desk.api.space_info(space).sha
    options = ["--static"] if sdk == "static" else []
    done = desk.script("sync_space.py", "--space", "demo", "--public", "--yes", *options)
    assert done.returncode == 2 and "something else: main.py" in done.stderr
    if sdk == "gradio":
        live = desk.script("track.py", "--project", "demo", "--run", "a", "--space", "demo", "--public", "--yes")
        assert live.returncode == 2 and "not a Space of trackio" in live.stderr
    assert desk.api.space_info(space).sha == before and not list(desk.api.list_buckets())


def test_a_space_that_was_half_made_is_completed(desk: Desk) -> None:
    space = f"{desk.user}/half"
    desk.json("sync_space.py", "--space", "half", "--yes")
    desk.api.delete_space_volumes(space)  # it gets its bucket last
    unseen = desk.script("sync_space.py", "--space", "half", "--yes", "--wait", "0")
    assert unseen.returncode == 0 and "its build was not awaited" in unseen.stdout
    again = desk.json("sync_space.py", "--space", "half", "--yes")
    assert again["private"] and [v.source for v in desk.api.get_space_runtime(space).volumes or []] == [again["bucket"]]


def test_a_bucket_that_is_public_takes_no_private_metrics(desk: Desk) -> None:
    desk.api.create_bucket(f"{desk.user}/metrics-bucket", private=False)
    done = desk.script("sync_space.py", "--space", "metrics", "--yes")
    assert done.returncode == 2 and "bucket" in done.stderr and not bucket_files(desk, f"{desk.user}/metrics-bucket")


def test_a_dashboard_that_does_not_answer_is_said_and_the_data_is_there(desk: Desk) -> None:
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    done = desk.script("sync_space.py", "--space", "metrics", "--wait", "1", "--yes", **nowhere)
    assert done.returncode == 3 and "does not answer" in done.stderr
    assert "trackio/sweep.db" in bucket_files(desk, f"{desk.user}/metrics-bucket")


BAD = [
    (["--space", "page", "--static"], 2, "a static Space is public"),
    (["--space", "page", "--project", "nothing"], 2, "there are: sweep"),
    (["--space", "page", "--dir", "nowhere"], 2, "nothing was logged there"),
    (["--space", "somebody-else/page"], 2, "may not write"),
    (["--space", "bad name!"], 2, "correct the name"),
    (["--space", "page", "--bucket", "short"], 2, "OWNER/NAME"),
    (["--project", "sweep"], 2, "--space"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), BAD, ids=[said for *_, said in BAD])
def test_bad_input_is_refused_with_the_way_out(desk: Desk, arguments: list[str], code: int, said: str) -> None:
    done = desk.script("sync_space.py", *arguments)
    assert done.returncode == code and said in done.stderr and not done.stdout


def test_no_token_and_a_token_that_only_reads_are_refused_before_anything_else(desk: Desk, tmp_path: Path) -> None:
    none = desk.script("sync_space.py", "--space", "page", HF_TOKEN="")
    assert none.returncode == 3 and "no Hugging Face token" in none.stderr
    read = desk.script("sync_space.py", "--space", "page", "--yes", HF_TOKEN=desk.hub.add_token(desk.user, "read"))
    assert read.returncode == 3 and "only reads" in read.stderr


def test_a_file_that_is_no_database_of_trackio_is_said(desk: Desk) -> None:
    (desk.tracked / "torn.db").write_bytes(b"SQLite format 3\0 and no more")
    torn = desk.script("sync_space.py", "--space", "page", "--project", "torn")
    assert torn.returncode == 3 and "torn.db" in torn.stderr
    with sqlite3.connect(desk.tracked / "other.db") as connection:
        connection.execute("CREATE TABLE something (x)")
    other = desk.script("sync_space.py", "--space", "page", "--project", "other")
    assert other.returncode == 3 and "trackio" in other.stderr
