"""explore_dataset.py against the viewer of the local Hub."""

from __future__ import annotations

from .conftest import Desk

SCRIPT = "explore_dataset.py"
ROWS = [{"n": i, "text": f"row {i} about {'cats' if i % 3 else 'dogs'}", "even": i % 2 == 0} for i in range(230)]


def test_a_dataset_is_seen_without_a_download(desk: Desk) -> None:
    repo = desk.dataset("rows", ROWS)
    desk.dataset("rows", ROWS[:5], split="test")
    info = desk.json(SCRIPT, "info", repo)
    assert {(each["split"], each["rows"]) for each in info["splits"]} == {("train", 230), ("test", 5)}
    assert info["columns"]["default"] == {"n": "int64", "text": "string", "even": "bool"} and info["can"]["filter"]
    assert "train" in desk.script(SCRIPT, "info", repo).stdout
    head = desk.json(SCRIPT, "head", repo, "--limit", "3")
    assert [row["n"] for row in head["rows"]] == [0, 1, 2]
    rows = desk.json(SCRIPT, "rows", repo, "--offset", "100", "--limit", "120")
    assert [row["n"] for row in rows["rows"]] == list(range(100, 220)) and rows["total"] == 230
    found = desk.json(SCRIPT, "search", repo, "dogs 12", "--split", "test")
    assert found["total"] == 0
    assert desk.json(SCRIPT, "search", repo, "row 12 dogs")["rows"][0]["n"] == 12
    condition = ("filter", repo, '"n" > 220 AND "even" = true', "--order-by", '"n" DESC')
    assert [row["n"] for row in desk.json(SCRIPT, *condition)["rows"]] == [228, 226, 224, 222]
    figures = desk.json(SCRIPT, "statistics", repo)
    assert {each["column_name"] for each in figures["statistics"]} == {"n", "text", "even"}
    shown = desk.script(SCRIPT, "statistics", repo).stdout
    assert "230 rows" in shown and "median" in shown and "█" in shown
    cache = desk.folder.parent / "hf-home"
    assert not [path for path in cache.rglob("*") if path.suffix in (".jsonl", ".parquet")]


def test_what_cannot_be_seen_is_said_with_the_way_out(desk: Desk) -> None:
    repo = desk.dataset("rows", ROWS[:3])
    stranger = desk.hub.add_token("a-stranger")
    hidden = desk.script(SCRIPT, "info", repo, HF_TOKEN=stranger)
    assert hidden.returncode == 2 and "404" in hidden.stderr and "hf auth whoami" in hidden.stderr
    split = desk.script(SCRIPT, "rows", repo, "--split", "dev")
    assert split.returncode == 2 and "there are: default/train" in split.stderr
    sql = desk.script(SCRIPT, "filter", repo, '"none" = 1')
    assert sql.returncode == 2 and "double quotes" in sql.stderr
    down = desk.script(SCRIPT, "info", repo, HF_ENDPOINT="http://127.0.0.1:9")
    assert down.returncode == 3 and "cannot be reached" in down.stderr
