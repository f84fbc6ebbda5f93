"""track.py and track_trainer.py: the patterns that agents copy, run as they are."""

from __future__ import annotations

import json
import sys

import pytest

from .conftest import SCRIPTS, Bench, Desk


def test_a_loop_continues_its_run_and_the_second_call_says_that_it_is_done(bench: Bench) -> None:
    part = bench.json("track.py", "--project", "demo", "--run", "base", "--steps", "15")
    whole = bench.json("track.py", "--project", "demo", "--run", "base", "--steps", "40")
    assert (part["first_step"], whole["first_step"], whole["steps"]) == (0, 15, 40)
    (run,) = bench.json("read_runs.py", "runs")["runs"]
    assert (run["name"], run["rows"], run["last_step"], run["config"]["lr"]) == ("base", 40, 39, 0.1)
    done = bench.script("track.py", "--project", "demo", "--run", "base", "--steps", "40")
    assert done.returncode == 0 and "already at step 40" in done.stderr
    assert bench.json("read_runs.py", "runs")["runs"][0]["rows"] == 40


def test_a_loss_that_is_not_a_number_ends_the_loop_with_an_alert(bench: Bench) -> None:
    done = bench.json("track.py", "--project", "demo", "--run", "wild", "--lr", "5", "--steps", "2000", code=1)
    assert done["stopped"] == "not finite"
    (run,) = bench.json("read_runs.py", "runs")["runs"]
    assert (run["alerts"], run["last_step"]) == (1, done["steps"])


def test_live_metrics_go_to_a_private_space_and_wait_in_its_bucket_until_it_runs(desk: Desk) -> None:
    call = ("--project", "demo", "--run", "live", "--space", "demo-metrics")
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    asked = desk.script("track.py", *call)
    space = f"{desk.user}/demo-metrics"
    assert asked.returncode == 4 and "secret HF_TOKEN" in asked.stderr and not (desk.tracked / "demo.db").exists()
    assert not desk.api.repo_exists(space, repo_type="space")
    desk.json("track.py", *call, "--yes", **nowhere)
    assert desk.api.space_info(space).private and desk.api.bucket_info(f"{space}-bucket").private
    inbox = [file.path for file in desk.api.list_bucket_tree(f"{space}-bucket", recursive=True) if file.type == "file"]
    assert inbox and all(path.startswith("trackio/inbox/") for path in inbox), "no row is lost"
    waits = desk.script("read_runs.py", "runs", "--space", space, "--project", "demo")
    assert waits.returncode == 3 and "inbox" in waits.stderr
    public = desk.script("track.py", *call, "--public", "--yes")
    assert public.returncode == 2 and "is private, and public was asked for" in public.stderr


BOTH = """
import sys
sys.path.insert(0, sys.argv[1])
import track_trainer
for arguments in (["transformers", "--run", "plain"], ["trl", "--lora", "--run", "lora", "--steps", "3"]):
    assert track_trainer.main([*arguments, "--project", "demo"]) == 0
"""


def test_the_trainers_log_by_their_own_steps_and_lora_gets_a_config_that_a_static_page_can_hold(bench: Bench) -> None:
    bench.python(BOTH, SCRIPTS)  # one process, since importing torch and trl takes most of the time
    plain, lora = bench.json("read_runs.py", "metrics")["runs"]
    loss, evaluated = plain["metrics"]["train/loss"], plain["metrics"]["eval/loss"]
    assert (loss["count"], loss["last_step"], evaluated["count"], evaluated["last_step"]) == (10, 10, 2, 10)
    assert plain["last_step"] == 12, "trackio itself counts calls of log()"
    assert lora["metrics"]["train/loss"]["count"] == 3
    config = json.loads(bench.sql("demo", "SELECT config FROM configs WHERE run_name = 'lora'")[0][0])
    assert config["peft_default"]["r"] == 8 and "rank_pattern" not in config["peft_default"]
    bench.python(
        "import pathlib; from trackio.sqlite_storage import SQLiteStorage as S; "
        "S.export_for_static_space('demo', pathlib.Path('static'))"
    )
    assert (bench.folder / "static/aux/configs.parquet").is_file()


def test_without_the_callback_the_same_lora_run_cannot_be_exported(sweep: Bench) -> None:
    """The trap itself: when trackio mends it, the advice of the skill is to be taken back."""
    done = sweep.run(
        sys.executable, "-c", "import pathlib; from trackio.sqlite_storage import SQLiteStorage as S; "
        "S.export_for_static_space('sweep', pathlib.Path('static'))",
    )  # fmt: skip
    assert done.returncode != 0 and "Cannot write struct type 'rank_pattern' with no child field" in done.stderr


BAD = [
    (("track.py", "--project", "my.project", "--run", "a"), "names collide"),
    (("track.py", "--project", "demo"), "--run"),
    (("track.py", "--project", "demo", "--run", "a", "--public"), "goes with --space"),
    (("track_trainer.py", "keras", "--project", "demo", "--run", "a"), "invalid choice"),
    (("track_trainer.py", "trl", "--project", "my project", "--run", "a"), "names collide"),
]


@pytest.mark.parametrize(("command", "said"), BAD)
def test_bad_input_is_refused_with_the_way_out(bench: Bench, command: tuple[str, ...], said: str) -> None:
    done = bench.script(*command)
    assert done.returncode == 2 and said in done.stderr and not bench.tracked.exists()
