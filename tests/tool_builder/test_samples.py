"""The six tools against the local Hub: what they find, how they compose, and what they refuse."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from skillpack.kit.oldbash import newer_than_bash_3_2

from .conftest import SAMPLES, SCRIPTS, TEMPLATES, Desk

PLUMBING = re.compile(r"^(?:#|//) region plumbing\n.*?^(?:#|//) endregion plumbing\n", re.M | re.S)


def test_models_are_found_by_the_paper_that_their_cards_name_and_no_others(desk: Desk) -> None:
    for spelled in (desk.paper, f"https://arxiv.org/abs/{desk.paper}v3", f"https://huggingface.co/papers/{desk.paper}"):
        found = desk.rows("find_models_by_paper.sh", spelled)
        assert sorted(row["id"] for row in found) == [f"{desk.user}/{name}" for name in ("hidden", "one", "two")]
        assert {row["paper"] for row in found} == {desk.paper}
    assert [r["id"] for r in desk.rows("find_models_by_paper.sh", "--task", "translation", desk.paper)] == [
        f"{desk.user}/two"
    ]
    assert desk.rows("find_models_by_paper.sh", "0000.00000") == []
    anonymous = desk.rows("find_models_by_paper.sh", desk.paper, HF_TOKEN=None)
    assert f"{desk.user}/hidden" not in [row["id"] for row in anonymous] and len(anonymous) == 2


def test_enriching_keeps_order_and_what_came_in_and_says_null_for_what_is_not_known(desk: Desk) -> None:
    names = [f"{desk.user}/{name}" for name in ("hidden", "other", "one")]
    given = "".join(json.dumps({"id": name, "note": name}) + "\n" for name in names)
    found = desk.rows("enrich_models.py", given=given)
    assert [(row["id"], row["note"], row["license"]) for row in found] == [
        (names[0], names[0], "house-rules"), (names[1], names[1], None), (names[2], names[2], "mit"),
    ]  # fmt: skip
    info = desk.api.model_info(names[2])
    assert found[2]["downloads"] == info.downloads and found[2]["task"] == "text-generation"
    assert found[1]["parameters"] is None and found[2]["last_modified"].startswith(str(info.last_modified)[:10])


def test_one_repo_that_is_gone_does_not_lose_the_others(desk: Desk) -> None:
    given = [f"{desk.user}/one", f"{desk.user}/gone", f"{desk.user}/two"]
    for name in ("enrich_models.py", "card_front_matter.sh"):
        done = desk.script(name, *given)
        assert done.returncode == 1 and "gone" in done.stderr
        assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [given[0], given[2]]


def test_front_matter_is_read_of_models_datasets_and_spaces(desk: Desk) -> None:
    one, none = desk.rows("card_front_matter.sh", f"{desk.user}/one", f"{desk.user}/other")
    assert one["card"] == {"license": "mit", "pipeline_tag": "text-generation"} and none["card"] is None
    for kind in ("dataset", "space"):
        (row,) = desk.rows("card_front_matter.sh", "--type", kind, f"{desk.user}/{kind}")
        assert row["card"]["license"] == "mit"


def test_two_models_differ_where_they_differ(desk: Desk) -> None:
    one, two = f"{desk.user}/one", f"{desk.user}/two"
    changed = {row["field"]: (row["left"], row["right"]) for row in desk.rows("diff_models.py", one, two, "--changed")}
    changed.pop("hub.lastModified", None)  # they were made one after the other
    assert changed == {
        "card.license": ("mit", "apache-2.0"),
        "card.pipeline_tag": ("text-generation", "translation"),
        "hub.pipeline_tag": ("text-generation", "translation"),
        "config.hidden_size": (64, 128),
    }
    everything = desk.rows("diff_models.py", one, two)
    assert {"config.rope.theta", "config.model_type"} <= {row["field"] for row in everything if row["same"]}
    assert desk.rows("diff_models.py", one, one, "--changed") == []
    without = desk.rows("diff_models.py", one, f"{desk.user}/other")
    assert {"field": "config.hidden_size", "left": 64, "right": None, "same": False} in without
    assert desk.script("diff_models.py", one).returncode == 2
    assert desk.script("diff_models.py", one, f"{desk.user}/gone").returncode == 1


def test_papers_lead_to_models(desk: Desk) -> None:
    found = desk.rows("papers_to_models.mts", f"Tiny {desk.paper}")
    assert {row["id"] for row in found} == {f"{desk.user}/{name}" for name in ("hidden", "one", "two")}
    assert {(row["paper"], row["title"]) for row in found} == {(desk.paper, f"Tiny {desk.paper}")}
    assert len(desk.rows("papers_to_models.mts", f"Tiny {desk.paper}", "--limit", 1)) == 1
    assert desk.rows("papers_to_models.mts", "no paper has these words 3141") == []


def test_only_repos_that_lie_still_are_stale(desk: Desk) -> None:
    with desk.hub.state().db.tx() as connection:
        connection.execute(
            "UPDATE repos SET last_modified = '2024-01-02T03:04:05.678Z' WHERE namespace = ? AND name = 'other'",
            (desk.user,),
        )
    (row,) = desk.rows("stale_repos.sh", "--days", 300, desk.user)
    assert row["id"] == f"{desk.user}/other" and row["days"] > 1000 and row["type"] == "model"
    assert len(desk.rows("stale_repos.sh", "--days", 0, desk.user)) == 4
    assert [r["id"] for r in desk.rows("stale_repos.sh", "--days", 0, "--type", "space", desk.user)] == [
        f"{desk.user}/space"
    ]


def test_tools_compose_in_pipes_and_a_reader_may_leave(desk: Desk) -> None:
    free = desk.pipe(
        f"find_models_by_paper.sh {desk.paper} | enrich_models.py | jq -r 'select(.license == \"mit\").id'"
    )
    assert free.split() == [f"{desk.user}/one"]
    cards = desk.pipe(f"papers_to_models.mts 'Tiny {desk.paper}' | card_front_matter.sh | jq -r .card.license | sort")
    assert cards.split() == ["apache-2.0", "mit", "other"]
    assert len(desk.pipe(f"(stale_repos.sh --days 0 {desk.user} || true) | head -n 1").splitlines()) == 1


BAD = [
    ([], "{broken\n"), ([], '{"other": "x"}\n'), ([], "[1]\n"), ([], "null\n"), (["--limit", "0", "x"], ""),
    (["--limit", "many", "x"], ""), (["--nonsense"], ""), (["x", " "], ""),
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_wrong_calls_end_with_2_before_anything_is_asked(desk: Desk, name: str) -> None:
    nobody = "http://127.0.0.1:9"  # asking it would end with 3
    for arguments, given in BAD:
        done = desk.script(name, *arguments, given=given, HF_ENDPOINT=nobody)
        assert (done.returncode, done.stdout) == (2, ""), (arguments, given, done.stderr)
        assert done.stderr.strip()


def test_options_of_one_tool_are_checked_too(desk: Desk) -> None:
    for name, *arguments in (
        ("card_front_matter.sh", "--type", "kernel", "a/b"), ("stale_repos.sh", "--days", "-1", "a"),
        ("stale_repos.sh", "--type", "x", "a"), ("find_models_by_paper.sh", "--task", "a&b=c", "1"),
        ("papers_to_models.mts", "--papers", "0", "x"),
    ):  # fmt: skip
        done = desk.script(name, *arguments, HF_ENDPOINT="http://127.0.0.1:9")
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert desk.script("enrich_models.py", "a/b", HF_ENDPOINT="http://127.0.0.1:9", HF_TOOL_RETRIES="0").returncode == 3


def test_every_tool_has_the_plumbing_of_its_template_word_by_word() -> None:
    for name in SAMPLES:
        template = (TEMPLATES / f"tool{Path(name).suffix}").read_text(encoding="utf-8")
        (region,) = PLUMBING.findall(template)
        assert region in (SCRIPTS / name).read_text(encoding="utf-8"), f"{name}: copy the region from the template"


def test_bash_tools_pass_shellcheck_and_hold_to_bash_3_2() -> None:
    scripts = [*SCRIPTS.glob("*.sh"), TEMPLATES / "tool.sh"]
    assert len(scripts) == 4
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, *scripts], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    for path in scripts:
        assert newer_than_bash_3_2(path.read_text(encoding="utf-8")) == [], path
        assert path.parent == TEMPLATES or os.access(path, os.X_OK)
