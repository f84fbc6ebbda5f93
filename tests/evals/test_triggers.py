"""Routing by words: small skills whose routes are known, and the real ones against the committed baseline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skillpack.evals.triggers import NONE, Router, stem, triggers, words

from .conftest import SKILLS

BASELINE = Path(__file__).with_name("triggers.json")
BAKE = "Bakes bread and cakes. Use when the user wants dough, a loaf or an oven temperature."
SAIL = "Plans a sailing trip. Use when the user asks for tides, wind or a harbour."


def write_skill(root: Path, name: str, description: str, queries: list[tuple[str, bool]]) -> None:
    (root / name / "evals").mkdir(parents=True)
    (root / name / "SKILL.md").write_text(f"---\nname: {name}\ndescription: {description}\n---\n\n# {name}\n")
    rows = [{"query": query, "should_trigger": wanted} for query, wanted in queries]
    (root / name / "evals/eval_queries.json").write_text(json.dumps(rows))


@pytest.fixture
def skills(tmp_path: Path) -> Path:
    root = tmp_path / "skills"
    write_skill(root, "bake", BAKE, [("how hot is the oven for a loaf", True), ("where is the next harbour", False)])
    write_skill(root, "sail", SAIL, [("which harbours have wind today", True), ("my dough does not rise", False)])
    return root


def run(*arguments: object) -> Result:
    return CliRunner().invoke(triggers, list(map(str, arguments)), standalone_mode=False)


def test_requests_go_to_the_description_that_has_their_words(skills: Path) -> None:
    done = run(skills, "--json")
    found = json.loads(done.output)
    assert found["confusion"] == {"bake": {"bake": 1}, "sail": {"sail": 1}}
    assert found["summary"] == {
        "queries": 4, "right": 4, "own": 2, "own_right": 2, "near_misses": 2, "near_misses_right": 2,
    }  # fmt: skip
    assert "2 of 2 requests arrived, 2 of 2 near misses went elsewhere" in run(skills).output


def test_a_query_that_used_to_route_right_and_stops_fails_the_check(skills: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "known.json"
    assert run(skills, "--write", baseline).return_value == 0
    assert run(skills, "--check", baseline).return_value == 0
    page = skills / "bake/SKILL.md"
    page.write_text(page.read_text().replace("a loaf or an oven temperature", "flour"))
    done = run(skills, "--check", baseline)
    assert done.return_value == 1
    assert "used to route right: bake: 'how hot is the oven for a loaf' goes to -" in done.stderr
    assert "bake: 'how hot is the oven for a loaf' went to -" in done.output


def test_a_query_that_was_never_right_does_not_fail_the_check(skills: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "known.json"
    run(skills, "--write", baseline)
    write_skill(skills, "third", "Mends shoes. Use when a sole is loose.", [("an unheard request", True)])
    assert run(skills, "--check", baseline).return_value == 0


def test_a_near_miss_that_comes_back_is_wrong(skills: Path) -> None:
    write_skill(skills, "dough", "Kneads dough. Use for dough that does not rise.", [("my dough does not rise", False)])
    assert "dough: 'my dough does not rise' went to dough" in run(skills).output


def test_rare_words_weigh_more_than_words_of_every_description() -> None:
    router = Router({"a": "model model model upload", "b": "model tides", "c": "model"})
    assert router.route("model tides") == "b"
    assert list(router.scores("upload")) == ["a", "b", "c"]
    assert router.route("nothing shared") == NONE


def test_words_are_stems_and_compounds_count_by_their_parts() -> None:
    assert stem("models") == "model" and stem("used") == "used" and stem("training") == stem("trained") == "train"
    assert words("Fine-tuning the datasets") == ["fine-tun", "fin", "tun", "dataset"]
    assert words("deduplicate") == words("deduplicated") and words("the of a") == []


def test_wrong_input_says_what_to_do(skills: Path, tmp_path: Path) -> None:
    missing = run(skills, "--check", tmp_path / "none.json")
    assert missing.exception is not None and "--write" in str(missing.exception)
    (skills / "bake/evals/eval_queries.json").write_text('{"not": "a list"}')
    assert "eval_queries.json" in str(run(skills).exception)
    for row in ({"query": 3, "should_trigger": True}, {"query": "x", "should_trigger": "false"}):
        (skills / "bake/evals/eval_queries.json").write_text(json.dumps([row]))
        assert "query is a string" in str(run(skills).exception)
    (skills / "bake/evals/eval_queries.json").write_text("[]")
    assert "--write" in str(run(skills, "--write", skills / "bake/SKILL.md/x.json").exception)
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty").exception is not None


def test_no_query_of_the_real_skills_stopped_routing_right() -> None:
    done = run(SKILLS, "--check", BASELINE)
    assert done.return_value == 0, done.stderr
