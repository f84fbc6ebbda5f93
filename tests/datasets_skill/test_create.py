"""create_dataset.py: what it refuses, what it pushes, and what it never does."""

from __future__ import annotations

import json
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skillpack.hub import auth, server
from tests.conftest import LocalHub

from .conftest import Desk, chat

SCRIPT = "create_dataset.py"
ROWS = [chat(f"question {i}", f"answer {i}", topic="a" if i % 2 else "b") for i in range(6)]


def test_rows_become_a_private_dataset_once_and_only_with_yes(desk: Desk) -> None:
    desk.write("rows.jsonl", ROWS)
    asked = desk.script(SCRIPT, "rows.jsonl", "--repo", "chats", "--system-prompt", "Be brief.")
    assert asked.returncode == 4 and "would push" in asked.stdout
    assert not desk.api.repo_exists(f"{desk.user}/chats", repo_type="dataset")
    done = desk.json(SCRIPT, "rows.jsonl", "--repo", "chats", "--system-prompt", "Be brief.", "--yes")
    repo = done["repo_id"]
    assert done["pushed"] and not done["already"] and desk.api.dataset_info(repo).private
    system = {"role": "system", "content": "Be brief."}
    assert desk.loaded(repo) == [{**row, "messages": [system, *row["messages"]]} for row in ROWS]
    card = desk.text(repo)
    assert "license" not in card.partition("---\n\n")[0] and "| default | train | 6 |" in card and "b (3)" in card
    again = desk.json(SCRIPT, "rows.jsonl", "--repo", "chats", "--system-prompt", "Be brief.", "--yes")
    assert again["already"] and again["revision"] == done["revision"]


def test_append_adds_shards_and_changes_nothing_of_a_card_but_its_statistics(desk: Desk) -> None:
    desk.write("rows.jsonl", ROWS)
    repo = desk.json(SCRIPT, "rows.jsonl", "--repo", "chats", "--license", "cc0-1.0", "--yes")["repo_id"]
    mine = desk.text(repo).replace("## Not known", "## Ours\n\nWritten by hand.\n\n## Not known")
    desk.api.upload_file(path_or_fileobj=mine.encode(), path_in_repo="README.md", repo_id=repo, repo_type="dataset")
    before = desk.parquet(repo)
    desk.write("more.jsonl", [chat("new", "row", topic="c")])
    done = desk.json(SCRIPT, "more.jsonl", "--append", "--repo", "chats", "--out", "b2", "--yes")
    after = desk.parquet(repo)
    assert done["files"] == ["data/train-00001.parquet"] and before.items() < after.items()
    assert [row["topic"] for row in desk.rows(repo)] == ["b", "a"] * 3 + ["c"]
    card = desk.text(repo)
    assert "| default | train | 7 |" in card and "c (1)" in card
    cut = lambda text: (text.partition("<!-- skillpack:statistics")[0], text.partition("skillpack:end -->")[2])  # noqa: E731
    assert cut(card) == cut(mine)
    wrong = desk.write("wrong.jsonl", [chat("x", "y", topic=5)])
    refused = desk.script(SCRIPT, wrong.name, "--append", "--repo", "chats", "--out", "b3", "--yes")
    assert refused.returncode == 2 and "topic is int, and string there" in refused.stderr
    assert desk.parquet(repo) == after
    (desk.folder / "table.csv").write_text("height,name\n181,Ada\n")
    other = ("--append", "--repo", "chats", "--config", "people", "--out", "b4", "--yes")
    assert desk.json(SCRIPT, "table.csv", *other)["template"] == "tabular"
    assert desk.loaded(repo, "people") == [{"height": 181, "name": "Ada"}] and len(desk.rows(repo)) == 7


def test_a_readme_of_somebody_else_stays_and_a_filled_repository_needs_append(desk: Desk) -> None:
    repo = desk.api.create_repo(f"{desk.user}/own", repo_type="dataset", private=True).repo_id
    desk.api.upload_file(path_or_fileobj=b"# Mine\n", path_in_repo="README.md", repo_id=repo, repo_type="dataset")
    desk.write("rows.jsonl", ROWS)
    done = desk.script(SCRIPT, "rows.jsonl", "--repo", "own", "--yes")
    assert done.returncode == 0 and "left as it is" in done.stderr
    assert desk.text(repo) == "# Mine\n" and len(desk.rows(repo)) == 6
    desk.write("other.jsonl", ROWS[:2])
    refused = desk.script(SCRIPT, "other.jsonl", "--repo", "own", "--out", "b2", "--yes")
    assert refused.returncode == 2 and "--append" in refused.stderr
    second = desk.json(SCRIPT, "other.jsonl", "--repo", "own", "--split", "test", "--out", "b2", "--yes")
    assert second["files"] == ["data/test-00000.parquet"] and len(desk.rows(repo, split="test")) == 2


def test_two_appends_at_the_same_time_both_land(desk: Desk) -> None:
    desk.write("rows.jsonl", ROWS)
    repo = desk.json(SCRIPT, "rows.jsonl", "--repo", "busy", "--yes")["repo_id"]

    def append(number: int) -> int:
        desk.write(f"{number}.jsonl", [chat(f"from {number}", "x", topic="n")])
        arguments = (f"{number}.jsonl", "--append", "--repo", "busy", "--out", f"b{number}", "--yes")
        return desk.script(SCRIPT, *arguments).returncode

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(append, (1, 2))) == [0, 0]
    assert len(desk.parquet(repo)) == 3 and "| default | train | 8 |" in desk.text(repo)


def bad_inputs() -> dict[str, tuple[str, bytes, int, str]]:
    table = pa.table({"text": ["x"] * 100, "label": ["y"] * 100})
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer)
    good = json.dumps(chat("a", "b")).encode() + b"\n"
    return {
        "malformed rows": ("r.jsonl", good + b'{"messages": \n[1]\n' + good, 1, "r.jsonl:2: not JSON"),
        "an empty file": ("r.jsonl", b"", 2, "no row that can be read"),
        "a 10 MB line": ("r.jsonl", good + b'"' + b"x" * 10_000_000 + b'"\n' + good, 1, "r.jsonl:2: 10.0 MB"),
        "not UTF-8": ("r.jsonl", good + b'{"messages": "\xff"}\n', 1, "r.jsonl:2: not UTF-8"),
        "half a surrogate": ("r.jsonl", good + b'{"messages": "\\ud800"}\n', 1, "r.jsonl:2: text with half"),
        "NaN": ("r.jsonl", good + b'{"messages": NaN}\n', 1, "NaN is not JSON"),
        "a wrong role": ("r.jsonl", good + good.replace(b"user", b"boss"), 1, "messages.0"),
        "no assistant": ("r.jsonl", good + b'{"messages":[{"role":"user","content":"x"}]}\n', 1, "r.jsonl:2: messages"),
        "too many fields": ("r.csv", b"text,label\nx,y\nx,y,z\n", 1, "r.csv:3: 3 fields, and the header has 2"),
        "an open quote": ("r.csv", b'text,label\nx,y\n"x,y\n', 1, "not CSV"),
        "equal names": ("r.csv", b"a,a\n1,2\n", 2, "equal names"),
        "semicolons": ("r.csv", "\ufefftext;label\nx;y\n".encode(), 2, "'text;label' is one name: ';' stands between"),
        "half a Parquet file": ("r.parquet", buffer.getvalue().to_pybytes()[:-20], 3, "not Parquet, or cut short"),
        "a picture": ("r.png", b"\x89PNG", 2, "no files of rows"),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(bad_inputs()))
def test_bad_input_is_named_by_line_and_nothing_is_pushed(desk: Desk, name: str) -> None:
    file, data, code, message = bad_inputs()[name]
    (desk.folder / file).write_bytes(data)
    told = ("--repo", "bad", "--yes") if name in ("malformed rows", "an empty file", "a 10 MB line") else ()
    done = desk.script(SCRIPT, file, *told)
    assert done.returncode == code and message in done.stdout + done.stderr, done.stdout + done.stderr
    assert not list(desk.folder.glob("dataset-build/shard*"))
    assert not told or not list(desk.api.list_datasets(author=desk.user))


def test_bad_rows_are_left_out_when_told_and_counted_in_the_card(desk: Desk) -> None:
    (desk.folder / "r.csv").write_text("text,label,code,n\nx,a,007,1\nx,b\nz,a,008,2\n", encoding="utf-8")
    done = desk.json(SCRIPT, "r.csv", "--skip-bad", "--repo", "part", "--yes")
    assert (done["template"], done["rows"], done["bad"]) == ("classification", 2, 1)
    assert "1 rows that did not were left out" in desk.text(done["repo_id"])
    found = desk.rows(done["repo_id"])
    assert found == [
        {"text": "x", "label": "a", "code": "007", "n": 1},
        {"text": "z", "label": "a", "code": "008", "n": 2},
    ]


def test_who_may_not_write_is_told_so_before_anything_is_made(desk: Desk, hub: LocalHub) -> None:
    desk.write("rows.jsonl", ROWS)
    call = (SCRIPT, "rows.jsonl", "--repo", "x", "--yes")
    reader = hub.add_token(desk.user, "read")
    revoked = hub.add_token(desk.user)
    with hub.state().db.tx() as c:
        c.execute("DELETE FROM tokens WHERE digest = ?", (auth.digest(revoked),))
    for token, message in ((reader, "only reads"), (revoked, "401"), (None, "no Hugging Face token")):
        done = desk.script(*call, HF_TOKEN=token)
        assert done.returncode == 3 and message in done.stderr and "fix:" in done.stderr
    other = desk.script(SCRIPT, "rows.jsonl", "--repo", "somebody-else/x", "--yes")
    assert other.returncode == 2 and "may not write" in other.stderr
    assert not list(desk.api.list_datasets(author=desk.user))


def test_a_token_in_a_bad_row_is_not_printed(desk: Desk) -> None:
    planted = "hf_" + secrets.token_hex(16)
    desk.write("rows.jsonl", [ROWS[0], {"messages": planted}])
    done = desk.script(SCRIPT, "rows.jsonl")
    assert done.returncode == 1 and "rows.jsonl:2" in done.stdout
    assert planted not in done.stdout + done.stderr + (desk.folder / "dataset-build/bad-rows.jsonl").read_text()


def test_a_server_that_goes_away_in_mid_push_and_comes_back_gets_every_row_once(tmp_path: Path) -> None:
    root = tmp_path / "hub"
    address, process = server.spawn(root, "tester")
    home = tmp_path / "desk"
    home.mkdir()
    desk = Desk(LocalHub(address.url, address.token, root, "tester", home, address.pid), home, "tester", address.token)
    desk.write("rows.jsonl", [{"text": secrets.token_hex(2000)} for _ in range(1000)])
    run = desk.command(SCRIPT, "rows.jsonl", "--repo", "drop", "--yes")

    def push_until_it_sends() -> subprocess.Popen[str]:
        pushing = subprocess.Popen(
            run, cwd=home, env=desk.environment(HF_HUB_DISABLE_XET="1"), stderr=subprocess.PIPE, text=True
        )
        assert pushing.stderr is not None
        assert any(line.startswith("sending") for line in pushing.stderr)
        return pushing

    try:
        killed = push_until_it_sends()  # the client dies in mid-push: nothing half is there
        killed.kill()
        killed.communicate()
        assert desk.parquet("tester/drop") == {}
        pushing = push_until_it_sends()  # then the network drops in mid-push, for less time than the client tries
        process.kill()
        process.wait()
        address, process = server.spawn(root, "tester", port=int(address.url.rpartition(":")[2]))
        said = pushing.communicate(timeout=120)[1]
        if pushing.returncode:  # it had not been sent when the commit was refused
            assert pushing.returncode == 3 and "run the same command again" in said
            assert subprocess.run(run, cwd=home, env=desk.environment(), check=False).returncode == 0
        assert list(desk.parquet("tester/drop")) == ["data/train-00000.parquet"]
        assert len(desk.rows("tester/drop")) == 1000
    finally:
        process.terminate()
        process.wait()


def test_a_hub_that_cannot_be_reached_is_named_with_what_to_do(desk: Desk) -> None:
    desk.write("rows.jsonl", ROWS)
    done = desk.script(SCRIPT, "rows.jsonl", "--repo", "x", "--yes", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 3 and "cannot be reached" in done.stderr and "run the same command again" in done.stderr


@pytest.mark.parametrize(
    "template", ["chat", "classification", "qa", "completion", "preference", "tool-use", "tabular"]
)
def test_the_example_of_a_template_is_recognised_as_that_template(desk: Desk, template: str) -> None:
    rows = desk.script(SCRIPT, "--example", template).stdout
    (desk.folder / "rows.jsonl").write_text(rows, encoding="utf-8")
    assert desk.json(SCRIPT, "rows.jsonl")["template"] == template


def test_images_count_as_much_as_they_hold_so_that_a_row_group_stays_small(desk: Desk) -> None:
    images = pa.array([bytes(2_000_000)] * 30)
    pq.write_table(pa.table({"text": ["a"] * 30, "image": images}), desk.folder / "images.parquet")
    assert desk.script(SCRIPT, "images.parquet", "--repo", "images").returncode == 4
    assert pq.ParquetFile(desk.folder / "dataset-build/shard-00000.parquet").num_row_groups == 3


def test_a_schema_of_ones_own_and_a_folder_of_documents(desk: Desk) -> None:
    schema = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 3}}}
    (desk.folder / "s.json").write_text(json.dumps(schema))
    docs = desk.folder / "docs"
    (docs / "sub").mkdir(parents=True)
    (docs / "a.md").write_text("first document")
    (docs / "sub/b.txt").write_text("b")
    done = desk.json(SCRIPT, "docs", "--template", "custom", "--schema", "s.json", code=1)
    assert (done["rows"], done["bad"]) == (1, 1) and done["bad_shown"][0]["file"] == "b.txt"
    (docs / "sub/b.txt").write_text("second")
    done = desk.json(SCRIPT, "docs", "--repo", "docs", "--yes")
    assert desk.rows(done["repo_id"])[1] == {"text": "second", "path": "sub/b.txt"}
