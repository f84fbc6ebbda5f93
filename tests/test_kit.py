"""The regions of the bundled scripts, and `skillpack sync`, which writes them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from skillpack.errors import UsageFailure
from skillpack.kit import scripts, source_regions, synced
from skillpack.kit.cli import sync
from skillpack.kit.data import group_of, is_held_out, map_row
from skillpack.kit.scoring import paired_interval
from skillpack.kit.script import Failure, read_artifact, redact, write_atomic

SKILLS = Path(__file__).parent.parent / "skills"
BUNDLED = [path for path in scripts(SKILLS) if path.parent.name == "scripts"]  # not what grades evals
DUCKDB = "import duckdb; duckdb.sql(\"COPY (SELECT * FROM range(1000000)) TO '/dev/full' (FORMAT csv)\")"


def test_every_bundled_script_carries_the_regions_as_they_are_in_the_package():
    assert list(scripts(SKILLS))
    assert CliRunner().invoke(sync, [str(SKILLS), "--check"]).exit_code == 0


def test_a_drifted_script_fails_the_check_and_sync_mends_it(tmp_path):
    script = tmp_path / "skill/scripts/x.py"
    script.parent.mkdir(parents=True)
    script.write_text("# region skillpack:script\nold = 1\n# endregion skillpack:script\nmine = 2\n")
    script.chmod(0o755)
    checked = CliRunner().invoke(sync, [str(tmp_path), "--check"])
    assert checked.exit_code == 1
    assert "-old = 1" in checked.output
    assert "old = 1" in script.read_text()
    assert CliRunner().invoke(sync, [str(tmp_path)]).exit_code == 0
    assert script.read_text().endswith("# endregion skillpack:script\nmine = 2\n")
    assert "def redact" in script.read_text()
    assert script.stat().st_mode & 0o777 == 0o755
    assert CliRunner().invoke(sync, [str(tmp_path), "--check"]).exit_code == 0


def test_a_table_that_several_skills_carry_is_copied_from_its_one_source(tmp_path):
    table = tmp_path / "skill/assets/hardware.json"
    table.parent.mkdir(parents=True)
    table.write_text("{}\n")
    checked = CliRunner().invoke(sync, [str(tmp_path), "--check"])
    assert checked.exit_code == 1 and table.read_text() == "{}\n"
    assert CliRunner().invoke(sync, [str(tmp_path)]).exit_code == 0
    assert json.loads(table.read_text())["flavors"][0]["name"] == "cpu-basic"
    assert CliRunner().invoke(sync, [str(tmp_path), "--check"]).exit_code == 0


@pytest.mark.parametrize(
    "text",
    [
        "# region skillpack:nothing\n# endregion skillpack:nothing\n",
        "# region skillpack:script\nno end\n",
        "# endregion skillpack:script\n",
        "# region skillpack:script\n# endregion skillpack:data\n",
    ],
)
def test_a_marker_that_names_no_region_or_is_not_paired_is_an_error(text):
    with pytest.raises(UsageFailure):
        synced(text, source_regions(), "x.py")


def test_every_script_imports_nothing_of_the_package_and_nothing_of_another_script():
    for path in BUNDLED:
        text = path.read_text()
        siblings = {other.stem for other in path.parent.glob("*.py")} | {"skillpack"}
        assert not [line for line in text.splitlines() if line.split()[:1] in (["import"], ["from"])
                    and line.split()[1].split(".")[0] in siblings]  # fmt: skip


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_help_answers_without_a_heavy_import_and_lists_the_exit_codes(path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", path, "--help"], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "transformers", "datasets", "numpy", "matplotlib", "huggingface_hub", "jsonschema"}
    assert "exit codes:" in done.stdout
    assert done.stdout.count(path.name) >= 3, "the usage, and two examples"


def test_a_reader_that_has_seen_enough_is_no_failure():
    chatty = "run(lambda argv: [say('x' * 9999) for _ in range(99)] and 0)"
    code = f"from skillpack.kit.script import run, say\nraise SystemExit({chatty})"
    done = subprocess.run(f'"{sys.executable}" -c "$CODE" | head -c 9', shell=True, capture_output=True, text=True,
                          env={**os.environ, "CODE": code}, check=False)  # fmt: skip
    assert (done.stdout, done.stderr) == ("x" * 9, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("library", ["open('/dev/full', 'wb', buffering=0).write(b'x')", DUCKDB])
def test_a_full_disk_is_said_in_words_whichever_library_meets_it(library):
    program = f"import sys\nfrom skillpack.kit.script import run\ndef main(argv):\n    {library}\nsys.exit(run(main))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "the disk is full" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("act", "said", "traced"),
    [
        ("open('/dev/null/x', 'w')", "/dev/null/x: Not a directory", False),
        ("{}['hf_abcdefghijKLMNOP']", "KeyError: 'hf_***'", True),  # a traceback goes through the redaction, too
    ],
)
def test_a_crash_is_never_the_answer_no(act, said, traced):
    program = f"import sys\nfrom skillpack.kit.script import run\ndef main(argv):\n    {act}\nsys.exit(run(main))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3 and said in done.stderr and ("Traceback" in done.stderr) == traced


def test_a_result_is_utf8_whatever_the_locale_and_a_file_name_that_is_not_stays_json():
    program = "import sys\nfrom skillpack.kit.script import emit, run\n" \
              "run(lambda argv: emit({'name': chr(0x4f60) + chr(0xdcff)}))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True,
                          env={**os.environ, "PYTHONIOENCODING": "ascii"})  # fmt: skip
    assert json.loads(done.stdout.decode()) == {"name": "\u4f60\udcff"}


def test_a_token_never_reaches_a_message(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "a-token-of-no-known-shape")
    text = redact("a-token-of-no-known-shape and hf_abcdefghijKLMNOP and sk-abcdefgh12345678")
    assert text == "*** and hf_*** and sk-***"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.json"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "new \ud800")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "not JSON"),
        ("[]", "schema is None"),
        (json.dumps({"schema": "skillpack/plan/2"}), "this script reads 'skillpack/plan/1'"),
    ],
)
def test_an_artifact_that_cannot_be_read_is_a_usage_failure_with_the_reason(tmp_path, content, message):
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Failure, match=message) as caught:
        read_artifact(path, "plan")
    assert caught.value.code == 2


def test_rows_whose_prompts_differ_in_case_digits_and_spaces_are_one_group():
    rows = [{"prompt": text, "completion": "x"} for text in ("Order 17, please", "order 4711  please.", "Refund 17")]
    first, second, third = map(group_of, rows)
    assert first == second != third


@given(st.lists(st.text(min_size=1), unique=True, min_size=1), st.integers(0, 5))
def test_a_row_stays_on_its_side_when_rows_are_added(groups, seed):
    assert [is_held_out(group, 0.0, seed) for group in groups] == [False] * len(groups)
    for group in groups:
        assert not is_held_out(group, 0.1, seed) or is_held_out(group, 0.3, seed)


def test_about_the_asked_share_is_held_out():
    share = sum(is_held_out(str(number), 0.2, 0) for number in range(5000)) / 5000
    assert 0.18 < share < 0.22


def test_sharegpt_rows_get_the_roles_that_chat_templates_know():
    row = {"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Good day"}]}
    assert [turn["role"] for turn in map_row(row, {"transform": "sharegpt"})["messages"]] == ["user", "assistant"]


def test_a_paired_interval_holds_the_difference_and_excludes_zero_only_when_rows_agree():
    clear = paired_interval([1.0, 2.0, 3.0, 4.0] * 10, [0.5, 1.4, 2.6, 3.5] * 10)
    assert clear["low"] <= clear["difference"] <= clear["high"] < 0
    unclear = paired_interval([1.0, 2.0] * 10, [2.0, 1.0] * 10)
    assert unclear["low"] < 0 < unclear["high"]
    copies = paired_interval([1.0, 2.0] * 10, [1.4, 1.9] * 10, groups=[0, 1] * 10)
    assert copies["high"] - copies["low"] > 0.4, "ten copies of two prompts count as two, not as twenty"
    assert paired_interval([1.0], [1.0]) == {"difference": 0.0, "low": 0.0, "high": 0.0}
    assert paired_interval([1.0, 1.0], [0.0, 0.0], ["one", "one"]) == {"difference": -1.0, "low": -1.0, "high": 0.0}
