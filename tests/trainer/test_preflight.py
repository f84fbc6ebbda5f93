"""What a training script proves before it loads anything: each refusal says what to do, and nothing has happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .hubrun import Bench, new_user

pytestmark = pytest.mark.slow


def other_files(bench: Bench) -> None:
    bench.api.create_repo(f"{bench.user}/tuned", private=True)
    bench.api.upload_file(repo_id=f"{bench.user}/tuned", path_or_fileobj=b"{}", path_in_repo="config.json")


def other_run(bench: Bench) -> None:
    bench.api.create_repo(f"{bench.user}/tuned", private=True)
    claim = json.dumps({"run": "another"}).encode()
    bench.api.upload_file(repo_id=f"{bench.user}/tuned", path_or_fileobj=claim, path_in_repo="skillpack.json")


def public_repo(bench: Bench) -> None:
    bench.api.create_repo(f"{bench.user}/tuned", private=False)


def nothing(bench: Bench) -> None: ...


@pytest.mark.parametrize(
    ("before", "repo", "token", "message"),
    [
        (nothing, "tuned", "none", "no Hugging Face token"),
        (nothing, "tuned", "wrong", "signing in: 401"),
        (nothing, "tuned", "read", "the token only reads"),
        (nothing, "someone-else/tuned", "write", "may not write to 'someone-else'"),
        (other_files, "tuned", "write", "files that no run put there"),
        (other_run, "tuned", "write", "holds the run 'another'"),
        (public_repo, "tuned", "write", "is public, and the plan says private"),
    ],
)
def test_a_push_that_would_not_be_let_in_is_refused_before_anything_is_loaded(
    bench: Bench, before: Callable[[Bench], object], repo: str, token: str, message: str
) -> None:
    before(bench)
    bench.edit(lambda plan: plan.update(push={"repo_id": repo, "private": True}))
    tokens = {"none": None, "wrong": "hf_" + "x" * 30, "write": bench.token}
    if token == "read":
        tokens["read"] = bench.hub.add_token(new_user(bench.hub)[0], "read")
    done = bench.script("train_sft.py", "--plan", bench.plan, "--yes", HF_TOKEN=tokens[token])
    assert done.returncode in (2, 3), done.stderr
    assert message in done.stderr and "fix:" in done.stderr and "Traceback" not in done.stderr
    assert "loading rows" not in done.stderr and not bench.run_folder.exists()


def test_an_empty_repository_and_one_of_the_same_run_are_taken(bench: Bench) -> None:
    def claimed() -> Any:
        code = "from skillpack.kit.publish import claim_repo; print(claim_repo('tuned', True, 'tiny'))"
        return bench.hub.run("python", "-c", code, HF_TOKEN=bench.token)

    bench.api.create_repo(f"{bench.user}/tuned", private=True)
    for _ in range(2):
        done = claimed()
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == f"{bench.user}/tuned"
    assert bench.api.file_exists(f"{bench.user}/tuned", "skillpack.json")


@pytest.mark.parametrize("method", ["sft", "grpo"])
def test_conversations_without_a_chat_template_are_refused_before_the_weights_are_read(
    tmp_path: Path, plan, script, tiny_model: Path, method: str
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in tiny_model.iterdir():
        if file.name not in ("chat_template.jinja", "model.safetensors"):
            (bare / file.name).write_bytes(file.read_bytes())
    config = json.loads((bare / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (bare / "tokenizer_config.json").write_text(json.dumps(config))
    rows, settings = tmp_path / "rows.jsonl", {"rewards": ["exact"]} if method == "grpo" else {}
    answer = {"completion": [{"role": "assistant", "content": "a"}]} if method == "sft" else {"answer": "a"}
    words = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "joist", "kelp", "larch"]
    rows.write_text(
        "".join(json.dumps({"prompt": [{"role": "user", "content": word}], **answer}) + "\n" for word in words * 2)
    )
    done = script(f"train_{method}.py", "--plan", plan(model=bare, rows=rows, method=method, **settings))
    assert done.returncode == 2, done.stderr
    assert "no chat template" in done.stderr and "instruct variant" in done.stderr
    assert "scoring the base" not in done.stderr


def test_rows_of_other_columns_are_refused_by_name(tmp_path: Path, plan, script) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"question": f"q{i}", "reply": "a"}) + "\n" for i in range(20)))
    done = script("train_sft.py", "--plan", plan(rows=rows))
    assert done.returncode == 2, done.stderr
    assert "no row fits sft: Missing 'messages', 'prompt' or 'text' column" in done.stderr
    assert "run inspect_dataset.py" in done.stderr
