"""run_eval.py and compare_evals.py as processes: agreement with lm-eval and the trainer, resuming, what is refused."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from .conftest import SCRIPTS, SKILL, ChatServer, Desk, questions

TRAINER = SKILL.parent / "hugging-face-model-trainer/scripts"
CHATS = ("--question", "messages", "--answer", "messages", "--score", "choice")
ENDED = "<|im_end|>\n"  # of a turn, in the tiny model's chat template: part of a choice, as in training
WRITING = (SKILL / "references/writing-a-task.md").read_text(encoding="utf-8")
TASK = WRITING.partition("```yaml\n")[2].partition("```")[0]  # the example of the document runs as it stands

WRITTEN_TASK = """\
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 12}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""


def module_of(path: Path) -> Any:
    spec = spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def samples_of(folder: Path, result: dict, task: int = 0) -> list[dict]:
    lines = (folder / result["tasks"][task]["samples"]).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines[1:]]


def assert_fits(document: dict, schema: str) -> None:
    rules = json.loads((SKILL / "assets" / f"{schema}.schema.json").read_text())
    assert [error.message for error in Draft202012Validator(rules).iter_errors(document)] == []


@pytest.mark.slow
def test_run_eval_lm_eval_by_hand_and_the_trainers_comparison_agree(
    desk: Desk, tiny_model: Path, tuned_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = questions()
    desk.rows("rows.jsonl", rows)
    texts = [[turn["content"] for turn in row["messages"]] for row in rows]
    documents = [{"question": q, "choices": [f"no{ENDED}", f"yes{ENDED}"], "answer": int(a == "yes")} for q, a in texts]
    desk.rows("documents.jsonl", documents)
    (desk.folder / "task.yaml").write_text(TASK)
    monkeypatch.chdir(desk.folder)
    results, by_hand = {}, {}
    script = module_of(SCRIPTS / "run_eval.py")
    for side, model in (("base", tiny_model), ("tuned", tuned_model)):
        command = (model, "--data", "rows.jsonl", *CHATS, "--out", f"evals/{side}")
        if side == "base":
            results[side] = desk.json("run_eval.py", *command)
        else:  # torch is imported here already
            assert script.main(list(map(str, command))) == 0
            results[side] = json.loads(Path("evals/tuned/eval.json").read_text())
        assert_fits(results[side], "eval")
        by_hand[side] = lm_eval_by_hand(model)
        log = samples_of(desk.folder / "evals" / side, results[side])
        assert [sample["scores"]["accuracy"] for sample in log] == by_hand[side], "row by row"
        metric = results[side]["tasks"][0]["metrics"]["accuracy"]
        assert metric["value"] == pytest.approx(sum(by_hand[side]) / len(rows))
        assert metric["low"] < metric["value"] < metric["high"] and metric["interval"] == "Wilson"

    assert script.main([str(tuned_model), "--task", "task.yaml", "--chat", "--out", "evals/task"]) == 0
    found = json.loads(Path("evals/task/eval.json").read_text())
    assert_fits(found, "eval")
    assert [sample["scores"]["acc"] for sample in samples_of(Path("evals/task"), found)] == by_hand["tuned"]
    assert found["tasks"][0]["metrics"]["mcc"]["interval"] is None, "a correlation is no mean of rows"
    assert not list(Path("evals/task").glob("cache-*"))

    trainer = module_of(TRAINER / "compare_models.py")
    code = trainer.main(["--base", str(tiny_model), "--tuned", str(tuned_model), "--data", "rows.jsonl",
                         "--max-new-tokens", "0", "--samples", "0", "--out", "compared"])  # fmt: skip
    trained = json.loads(Path("compared/comparison.json").read_text())["held_out"]["metrics"]["accuracy"]
    ours = desk.json("compare_evals.py", "evals/base", "evals/tuned")
    assert_fits(ours, "eval-comparison")
    accuracy = ours["tasks"][0]["metrics"]["accuracy"]
    assert code == 0 and accuracy["standing"] == "better" and trained["beyond_interval"]
    for key, theirs in {
        "base": "base",
        "new": "tuned",
        "difference": "difference",
        "low": "low",
        "high": "high",
    }.items():
        assert accuracy[key] == pytest.approx(trained[theirs]), key
    flips = ours["tasks"][0]["flips"]["accuracy"]
    pairs = list(zip(by_hand["base"], by_hand["tuned"], strict=True))
    assert (len(flips["lost"]), len(flips["won"])) == (pairs.count((1.0, 0.0)), pairs.count((0.0, 1.0)))
    assert "<svg" in Path("evals/tuned/comparison.svg").read_text()

    worse = desk.script("compare_evals.py", "evals/tuned", "evals/base")
    assert worse.returncode == 1 and "gate: rows/accuracy is worse" in worse.stdout


def test_a_choice_has_one_likelihood_whichever_choices_stand_before_it(tiny_model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    script = module_of(SCRIPTS / "run_eval.py")
    tokenizer, model = AutoTokenizer.from_pretrained(tiny_model), AutoModelForCausalLM.from_pretrained(tiny_model)
    prompt, choices = "Return: ", ["the", "9", "(a)"]
    splits = [tokenizer(prompt + choice)["input_ids"] for choice in choices]
    common = next(i for i, tokens in enumerate(zip(*splits, strict=False)) if len(set(tokens)) > 1)
    assert common == len(tokenizer(prompt)["input_ids"]) - 1, "of some choices the space before them is a part"

    def by_hand(ids: list[int], common: int) -> float:
        ids = [*ids, tokenizer.eos_token_id]
        with torch.no_grad():
            likelihood = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        return sum(float(likelihood[i - 1, ids[i]]) for i in range(common, len(ids)))

    expected = [by_hand(ids, common) for ids in splits]
    settings = {"max_length": 64, "precision": "fp32"}
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        answers = [choices[i] for i in order]
        found = script.answer_likelihoods(model, tokenizer, prompt, answers, settings)
        assert [total for total, _ in found] == pytest.approx([expected[i] for i in order], abs=1e-3)


def lm_eval_by_hand(model: Path) -> list[float]:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    found = simple_evaluate(
        "hf", {"pretrained": str(model), "dtype": "float32"}, ["task.yaml"], device="cpu", apply_chat_template=True,
        task_manager=TaskManager(include_defaults=False), bootstrap_iters=0, batch_size=8,
    )  # fmt: skip
    assert found is not None
    return [float(sample["acc"]) for sample in found["samples"]["by_the"]]


@pytest.mark.slow
def test_an_adapter_of_the_hub_is_put_on_its_base_and_asked_the_rows_of_a_dataset(desk: Desk, tiny_model: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    api, base, adapter, rows = desk.api, f"{desk.user}/base", f"{desk.user}/adapter", f"{desk.user}/rows"
    for name, kind in ((base, "model"), (adapter, "model"), (rows, "dataset")):
        api.create_repo(name, repo_type=kind, private=True)
    api.upload_folder(repo_id=base, folder_path=tiny_model)
    lora = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_model), LoraConfig(r=2, target_modules="all-linear")
    )
    lora.peft_config["default"].base_model_name_or_path = base
    lora.save_pretrained(desk.folder / "adapter")
    api.upload_folder(repo_id=adapter, folder_path=desk.folder / "adapter")
    chats = desk.rows("rows.jsonl", questions(20))
    api.upload_file(repo_id=rows, repo_type="dataset", path_in_repo="test.jsonl", path_or_fileobj=chats)
    found = desk.json("run_eval.py", adapter, "--data", rows, "--split", "test", *CHATS)
    assert found["model"]["version"] == api.model_info(adapter).sha and found["tasks"][0]["rows"] == 20
    again = module_of(SCRIPTS / "run_eval.py")
    command = [str(tiny_model), "--data", str(chats), *CHATS, "--out", str(desk.folder / "base")]
    assert again.main(command) == 0
    plain = json.loads((desk.folder / "base/eval.json").read_text())
    assert found["tasks"][0]["metrics"] == plain["tasks"][0]["metrics"], "an adapter that is new changes nothing"
    refused = desk.script("run_eval.py", adapter, "--data", rows, "--split", "test", *CHATS, HF_TOKEN=desk.hub.token)
    assert refused.returncode == 2 and "that the token may read it" in refused.stderr
    private = desk.script("run_eval.py", adapter, "--data", chats, *CHATS, HF_TOKEN=desk.hub.token)
    assert private.returncode == 2 and "that your token may read" in private.stderr


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_and_writes_what_an_undisturbed_one_writes(desk: Desk, tuned_model: Path) -> None:
    desk.rows("rows.jsonl", questions(200))
    prompt = ("--prompt", "{messages} {who}", "--answer", "right", "--score", "exact", "--max-new-tokens", 24)
    rows = [{"messages": f"Is it {index}?", "who": "{x}", "right": "yes"} for index in range(200)]
    desk.rows("rows.jsonl", rows)
    command = (tuned_model, "--data", "rows.jsonl", *prompt, "--batch-size", 4)
    log = desk.folder / "evals/killed/samples/rows.jsonl"
    process = subprocess.Popen(
        desk.command("run_eval.py", *command, "--out", "evals/killed"), cwd=desk.folder, env=desk.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 120
    while not log.is_file() or len(log.read_text().splitlines()) < 9:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = log.read_text().splitlines()[1:-1]
    with log.open("a") as stream:
        stream.write('{"id": "torn')
    done = desk.script("run_eval.py", *command, "--out", "evals/killed", "--json")
    assert done.returncode == 0, done.stderr
    assert "kept from before" in done.stderr
    assert log.read_text().splitlines()[1 : len(before) // 4 * 4 + 1] == before[: len(before) // 4 * 4]
    result = json.loads(done.stdout)
    written = samples_of(desk.folder / "evals/killed", result)
    assert len(written) == 200 and len({sample["id"] for sample in written}) == 200
    assert written[0]["prompt"] == [{"role": "user", "content": "Is it 0? {x}"}], "only columns are filled in"
    assert result["tasks"][0]["metrics"]["exact"]["value"] == sum(s["answer"].strip() == "yes" for s in written) / 200


@pytest.mark.parametrize(("rows", "shares"), [(20, (0.5, 0.05, 0.15, 0.3)), (100, (0.85, 0.05, 0.02, 0.08))])
def test_the_bound_on_a_loss_holds_about_as_often_as_it_says(rows: int, shares: tuple) -> None:
    """Drawn from known shares of (both right, lost, won, neither): at most 2.5 % should lie beyond the bound."""
    script = module_of(SCRIPTS / "compare_evals.py")
    draw = random.Random(0)
    kinds = [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)]
    beyond = 0
    for _ in range(1500):
        base, new = zip(*draw.choices(kinds, shares, k=rows), strict=True)
        sides = ([{"m": value, "group": row} for row, value in enumerate(side)] for side in (base, new))
        bound = script.newcombe(*sides, "m")
        beyond += bound > shares[2] - shares[1]
    assert 0 < beyond / 1500 < 0.04


def test_rows_that_repeat_a_prompt_show_no_more_than_one_row_of_it() -> None:
    script = module_of(SCRIPTS / "compare_evals.py")

    def compared(base: float, new: float, groups: int, times: int) -> dict:
        pair = [{"scores": {"m": value}} for value in (base, new)]
        pairs = [[{**side, "group": str(group)} for side in pair] for group in range(groups) for _ in range(times)]
        found: dict = script.compared_metric("m", pairs, "higher")
        return found

    for groups, times in ((1, 3), (3, 4), (30, 2)):
        for base, new in ((1.0, 1.0), (0.0, 1.0), (1.0, 0.0)):
            once, repeated = compared(base, new, groups, 1), compared(base, new, groups, times)
            for name in ("p_value", "loss_at_most", "standing"):
                assert repeated[name] == pytest.approx(once[name]), (name, groups, times, base, new)
    assert compared(1.0, 1.0, 1, 3)["loss_at_most"] > 0.5 and compared(0.0, 1.0, 30, 2)["standing"] == "better"


def by_rule(messages: list[dict]) -> str:
    """Answers sums, except those with a 7, and judges an answer by its reference as a careful judge would."""
    asked = messages[-1]["content"]
    if asked.startswith("You grade"):
        reference, answer = (asked.rpartition(f"<{tag}>\n")[2].partition("\n")[0] for tag in ("reference", "answer"))
        return "I cannot say." if "13" in reference else "CORRECT" if reference in answer else "INCORRECT"
    one, two = (int(word) for word in asked.split() if word.isdigit())
    return f"So it is {one + two}." if "7" not in asked else "I do not know."


def sums(count: int = 30) -> list[dict]:
    return [{"a": index, "b": index % 5, "total": str(index + index % 5)} for index in range(count)]


SUM = ("--prompt", "What is {a} plus {b} ?", "--answer", "total")


def test_a_server_is_asked_with_the_key_of_its_own_variable_and_again_when_it_is_busy(
    desk: Desk, chat_server: ChatServer
) -> None:
    desk.rows("sums.jsonl", sums())
    chat_server.answer, chat_server.refuse = by_rule, [503, 429]
    command = ("m", "--endpoint", chat_server.url, "--data", "sums.jsonl", *SUM, "--score", "number")
    result = desk.json("run_eval.py", *command, "--endpoint-key-env", "CHAT_KEY", CHAT_KEY="kept-secret-123")
    assert_fits(result, "eval")
    right = sum("7" not in f"{row['a']} {row['b']}" for row in sums())
    assert result["tasks"][0]["metrics"]["number"]["value"] == right / 30
    assert set(chat_server.keys) == {"Bearer kept-secret-123"}
    assert {(call["temperature"], call["seed"], call["model"]) for call in chat_server.calls} == {(0, 0, "m")}
    asked = len(chat_server.calls)
    again = desk.json("run_eval.py", *command, "--endpoint-key-env", "CHAT_KEY", CHAT_KEY="kept-secret-123")
    assert again["tasks"] == result["tasks"] and len(chat_server.calls) == asked, "all was kept, and it was asked again"

    chat_server.keys.clear()
    desk.json("run_eval.py", *command, "--out", "other")
    assert set(chat_server.keys) == {None}, "the token of the Hub is no server's"
    chat_server.refuse = [401] * 40
    refused = desk.script(
        "run_eval.py", *command, "--out", "new", "--endpoint-key-env", "CHAT_KEY", CHAT_KEY="bad-key-99"
    )
    assert refused.returncode == 3 and "--endpoint-key-env" in refused.stderr
    missing = desk.script("run_eval.py", *command, "--endpoint-key-env", "CHAT_KEY")
    assert missing.returncode == 2 and "CHAT_KEY is not set" in missing.stderr


def test_a_task_of_lm_eval_is_asked_of_a_server_once_and_one_of_likelihoods_is_refused(
    desk: Desk, chat_server: ChatServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.rows("sums.jsonl", [{"question": f"{n} + {n}?", "answer": str(2 * n)} for n in range(1, 9)])
    (desk.folder / "sums.yaml").write_text(WRITTEN_TASK)
    (desk.folder / "choice.yaml").write_text(TASK)
    desk.rows("documents.jsonl", [{"question": "1?", "choices": ["no", "yes"], "answer": 0}])
    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("CHAT_KEY", "kept-secret-123")
    script = module_of(SCRIPTS / "run_eval.py")
    chat_server.refuse = [503]
    chat_server.answer = lambda messages: f"{2 * int(messages[-1]['content'].split()[0])}\nAnd so on."
    command = ["m", "--endpoint", chat_server.url, "--endpoint-key-env", "CHAT_KEY", "--task"]
    assert script.main([*command, "sums.yaml", "--out", "sums"]) == 0
    result = json.loads(Path("sums/eval.json").read_text())
    assert_fits(result, "eval")
    assert result["tasks"][0]["metrics"]["exact_match"]["value"] == 1.0, "the answer ends where the task says"
    assert result["settings"]["chat_template"] and result["model"]["kind"] == "endpoint"
    assert set(chat_server.keys) == {"Bearer kept-secret-123"}
    assert {(call["max_tokens"], tuple(call["stop"]), call["temperature"]) for call in chat_server.calls} == {
        (12, ("\n",), 0)
    }
    with pytest.raises(script.Failure, match="reads likelihoods"):
        script.main([*command, "choice.yaml", "--out", "choice"])
    written = [path.read_text("utf-8", "replace") for path in desk.folder.rglob("*") if path.is_file()]
    assert not any("kept-secret-123" in text for text in (*written, *capsys.readouterr()))


def test_a_judge_that_does_not_decide_leaves_the_row_without_a_score(desk: Desk, chat_server: ChatServer) -> None:
    desk.rows("sums.jsonl", sums())
    chat_server.answer = by_rule
    judge = ("--score", "judge", "--judge-url", chat_server.url, "--judge-model", "j")
    result = desk.json("run_eval.py", "m", "--endpoint", chat_server.url, "--data", "sums.jsonl", *SUM, *judge)
    task = result["tasks"][0]
    undecided = sum("13" in row["total"] for row in sums())
    assert task["unscored"] == undecided > 0 and task["metrics"]["judge"]["rows"] == 30 - undecided
    assert any("no score" in warning for warning in result["warnings"])
    assert task["judge"]["model"] == "j" and "{reference}" in task["judge"]["prompt"]


def test_a_few_rows_show_no_difference_even_when_all_of_them_flip(desk: Desk, chat_server: ChatServer) -> None:
    desk.rows("sums.jsonl", sums(3))
    for side, answer in (("base", "I do not know."), ("new", None)):
        chat_server.answer = (lambda _, said=answer: said) if answer else by_rule
        desk.json("run_eval.py", "m", "--endpoint", chat_server.url, "--data", "sums.jsonl", *SUM, "--score", "number",
                  "--out", side)  # fmt: skip
    done = desk.script("compare_evals.py", "base", "new")
    assert done.returncode == 0 and done.stdout.startswith("No difference shown on sums/number")
    found = json.loads((desk.folder / "new/comparison.json").read_text())["tasks"][0]
    assert found["metrics"]["number"]["low"] > 0 and found["metrics"]["number"]["p_value"] == 0.25
    assert len(found["flips"]["number"]["won"]) == 3
    assert desk.script("compare_evals.py", "base", "new", "--require-better").returncode == 1
    assert desk.script("compare_evals.py", "base", "new", "--max-drop", "0.01").returncode == 0
    tight = desk.script("compare_evals.py", "new", "base", "--max-drop", "0.01", "--out", "back")
    assert tight.returncode == 1 and "is not excluded" in tight.stdout
    same = desk.script("compare_evals.py", "new", "new", "--max-drop", "0.1", "--out", "same")
    assert same.returncode == 1 and "a loss of 0.561 is not excluded" in same.stdout, "three rows cannot exclude that"
    wrong = desk.script("compare_evals.py", "base", "new", "--gate", "sums/exact")
    assert wrong.returncode == 2 and "sums/number" in wrong.stderr

    desk.rows("sums.jsonl", [{**row, "total": "5"} for row in sums(3)])
    desk.json("run_eval.py", "m", "--endpoint", chat_server.url, "--data", "sums.jsonl", *SUM, "--score", "number",
              "--out", "other")  # fmt: skip
    refused = desk.script("compare_evals.py", "base", "other")
    assert refused.returncode == 2 and "differ in their rows" in refused.stderr
    (desk.folder / "new/samples/sums.jsonl").unlink()
    assert "samples/" in desk.script("compare_evals.py", "base", "new").stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no rows"),
        (b'{"a": 1, "b": 2, "total": 3}\n{"a": 1,\n', "rows.jsonl:2: "),
        (b'{"a": 1, "b": 2}\n', "no 'total'; the row has a, b"),
        (b"[1, 2]\n", "rows.jsonl:1: "),
        (b'{"a": 1, "b": 2, "total": "none"}\n', "holds no number"),
        (b'{"a": "' + b"x" * 10_000_000 + b'", "total": 1}\n', "rows.jsonl:1: 10.0 MB"),
    ],
)
def test_rows_that_cannot_be_used_are_named_before_anything_is_asked(
    desk: Desk, chat_server: ChatServer, content: bytes, message: str
) -> None:
    (desk.folder / "rows.jsonl").write_bytes(content)
    done = desk.script(
        "run_eval.py", "m", "--endpoint", chat_server.url, "--data", "rows.jsonl", *SUM, "--score", "number"
    )
    assert done.returncode == 2 and message in done.stderr
    assert len(done.stderr) < 1500 and not chat_server.calls and not (desk.folder / "evals").exists()


def test_how_an_answer_names_a_choice_is_never_guessed() -> None:
    script = module_of(SCRIPTS / "run_eval.py")

    def read(rows: list[dict], *more: str) -> list:
        arguments = [
            "m",
            "--data",
            "d",
            "--question",
            "q",
            "--answer",
            "a",
            "--score",
            "choice",
            "--choices",
            "c",
            *more,
        ]
        return script.choices_of([("f:1", row) for row in rows], script.arguments(arguments))

    assert read([{"a": "B", "c": ["x", "y"]}]) == [(["x", "y"], 1)]
    assert read([{"a": 1, "c": ["x", "y"]}]) == [(["x", "y"], 1)]
    assert read([{"a": "2", "c": {"text": ["x", "y"], "label": ["1", "2"]}}]) == [(["x", "y"], 1)]
    with pytest.raises(script.Failure, match="by text or by index"):
        read([{"a": 1, "c": ["1", "2"]}])
    assert read([{"a": 1, "c": ["1", "2"]}], "--answer-is", "text") == [(["1", "2"], 0)]
    with pytest.raises(script.Failure, match="not one of the choices"):
        read([{"a": "z", "c": ["x", "y"]}])
