"""compare_models.py: base and tuned by the code that the training scores with, held against counts of our own.

The run is trained by train_sft.py, and compared by a process that is killed and run again; what needs no process of
its own calls the script's `main`, so that torch is imported once.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from skillpack.kit.data import group_of, is_held_out

from .conftest import SCRIPTS, script_environment

pytestmark = pytest.mark.slow
SCHEMA = json.loads((SCRIPTS.parent / "assets/comparison.schema.json").read_text())
THINGS = ["lamp", "river", "engine", "garden", "letter", "window", "bridge", "market", "forest", "mirror", "kettle",
          "ladder", "harbor", "violin", "pencil"]  # fmt: skip
TASK = """
task: where_is
dataset_path: json
dataset_kwargs: {data_files: {test: documents.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: mcc, aggregation: matthews_corrcoef, higher_is_better: true}
"""


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def user(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def said(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


def questions() -> list[tuple[str, str]]:
    """200 questions, of which three in four are answered by yes."""
    pairs = [(one, two) for one in THINGS for two in THINGS if one != two][:200]
    rows = [
        (f"Is the {one} by the {two}?", "no" if index % 4 == 0 else "yes") for index, (one, two) in enumerate(pairs)
    ]
    random.Random(0).shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def script_module():
    spec = spec_from_file_location("compare_models", SCRIPTS / "compare_models.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def compare(script_module, tmp_path, monkeypatch):
    """`compare(*arguments)`: (exit code, comparison.json) of a comparison in the test's folder."""
    import torch

    torch.set_num_threads(1)  # tiny models on several threads wait for each other
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # the variable was read at its import

    def run(*arguments: object) -> tuple[int, dict]:
        code = script_module.main([*map(str, arguments), "--out", "result"])
        document = json.loads((tmp_path / "result/comparison.json").read_text())
        assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)] == []
        return code, document

    return run


@pytest.fixture
def trained(tmp_path, plan, script) -> Path:
    """A folder in which runs/tiny is a run that has learned to answer yes or no."""
    rows = write_rows(tmp_path / "rows.jsonl", [{"messages": user(q) + said(a)} for q, a in questions()])
    done = script("train_sft.py", "--plan", plan(rows=rows, steps=40, learning_rate=4e-3, held_out_rows=30))
    assert done.returncode == 0, done.stderr
    return tmp_path


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def load(folder: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def greedy(model, tokenizer, ids: list[int], steps: int) -> str:
    """The likeliest continuation by the plainest loop there is: no cache, no batch, no generate()."""
    import torch

    begin = len(ids)
    with torch.no_grad():
        while len(ids) < begin + steps:
            ids = [*ids, int(model(torch.tensor([ids])).logits[0, -1].argmax())]
            if ids[-1] in (tokenizer.eos_token_id, model.generation_config.eos_token_id):
                break
    return tokenizer.decode(ids[begin:], skip_special_tokens=True)


def log_likelihood(model, tokenizer, context: str, continuation: str) -> float:
    import torch

    begin, whole = len(tokenizer(context)["input_ids"]), tokenizer(context + continuation)["input_ids"]
    with torch.no_grad():
        table = model(torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(float(table[place - 1, whole[place]]) for place in range(begin, len(whole)))


def test_a_killed_comparison_goes_on_and_agrees_with_the_training_and_with_our_own_counts(trained, script):
    held_out = [(q, a) for q, a in questions() if is_held_out(group_of({"messages": user(q) + said(a)}), 0.2, 0)][:30]
    learned = next(q for q, a in questions() if not is_held_out(group_of({"messages": user(q) + said(a)}), 0.2, 0))
    write_rows(trained / "probes.jsonl", [{"prompt": "Tell me: yes or no?", "expected": "yes"}, {"prompt": learned}])
    documents = [{"question": f"The {thing} is", "choices": [" here.", " a garden by the river.", " yes"],
                  "answer": index % 3} for index, thing in enumerate(THINGS)]  # fmt: skip
    write_rows(trained / "documents.jsonl", documents)
    (trained / "task.yaml").write_text(TASK)
    command = ["runs/tiny", "--probes", "probes.jsonl", "--tasks", "task.yaml", "--json"]
    before = hashes(trained / "runs/tiny/model")

    scores = trained / "runs/tiny/scores/base-likelihoods.jsonl"
    process = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "compare_models.py"), *command], cwd=trained,
        env=script_environment(trained), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 120
    while not scores.is_file() or len(scores.read_text().splitlines()) < 5:
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with scores.open("a") as stream:
        stream.write('{"loss": 99')  # as a process leaves a line that it could not end
    kept = scores.read_text().splitlines()[1:-1]

    done = script("compare_models.py", *command)
    assert done.returncode == 0, done.stderr
    assert f"base: likelihoods: 30, {len(kept)} kept from before" in done.stderr or len(kept) == 30
    assert scores.read_text().splitlines()[1 : len(kept) + 1] == kept
    document = json.loads(done.stdout)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(document)] == []
    assert json.loads((trained / "runs/tiny/comparison.json").read_text()) == document
    assert hashes(trained / "runs/tiny/model") == before

    run = json.loads((trained / "runs/tiny/run.json").read_text())
    held = document["held_out"]
    for name, metric in run["comparison"]["metrics"].items():
        assert {key: held["metrics"][name][key] for key in metric} == pytest.approx(metric, abs=1e-6)
    assert set(run["comparison"]["metrics"]) == {"loss", "accuracy"}
    assert held["perplexity"]["tuned"] == pytest.approx(math.exp(held["metrics"]["loss"]["tuned"]))

    model, tokenizer = load(trained / "runs/tiny/model")
    limit = document["settings"]["max_new_tokens"]
    answers = [greedy(model, tokenizer, tokenizer.apply_chat_template(user(q), add_generation_prompt=True,
               return_dict=False), limit).strip() for q, _ in held_out]  # fmt: skip
    right = [answer == expected for answer, (_, expected) in zip(answers, held_out, strict=True)]
    assert held["rows"] == len(held_out) == 30
    assert held["metrics"]["exact_match"]["tuned"] == pytest.approx(sum(right) / 30)
    assert any(right), "it has learned nothing, and the count would agree by being zero"
    assert held["metrics"]["exact_match"]["beyond_interval"]
    assert {sample["expected"] for sample in document["samples"]} <= {"yes", "no"}
    assert [sample["tuned"] for sample in document["samples"]] == [answers[s["row"]] for s in document["samples"]]

    for side, folder in (("base", Path(run["plan"]["model"]["id"])), ("tuned", trained / "runs/tiny/model")):
        model, tokenizer = load(folder)
        chosen = [max(range(3), key=lambda i: log_likelihood(model, tokenizer, row["question"], row["choices"][i]))
                  for row in documents]  # fmt: skip
        count = sum(choice == row["answer"] for choice, row in zip(chosen, documents, strict=True))
        assert document["tasks"]["where_is"]["metrics"]["acc"][side] == pytest.approx(count / len(documents))
    assert set(document["tasks"]["where_is"]["without_interval"]) == {"mcc"}

    assert document["probes"]["rows"] == 2
    assert document["probes"]["scored"] == 1
    assert not any("probe" in name or name == "contains" for name in document["verdict"]["gate"])
    assert document["warnings"] == ["1 of 2 probes ask what training rows ask: they measure memory"]
    assert "2 probes" in document["not_shown"]

    again = script("compare_models.py", *command, "--gate", "exact_match", "--require-better")
    assert again.returncode == 0, again.stderr
    assert "loading" not in again.stderr.partition("held-out rows")[2], "all scores were kept, and a model was loaded"
    assert json.loads(again.stdout)["held_out"] == held
    reported = script("report_run.py", "runs/tiny")
    assert reported.returncode == 0, reported.stderr
    report = (trained / "training_reports/tiny.md").read_text()
    assert json.loads(again.stdout)["verdict"]["sentence"] in report
    assert "where_is" in report


@pytest.fixture(scope="module")
def shaken(tiny_model, tmp_path_factory) -> Path:
    """The tiny model with noise on its weights: another model, and hardly a worse one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("shaken") / "shaken"
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3 * parameter.std())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return folder


def adapter_of(base: Path, folder: Path, task: str, head: bool = True) -> Path:
    """A new adapter of a model: until it is trained, it changes nothing."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    kind = AutoModelForCausalLM if task == "CAUSAL_LM" else AutoModelForSequenceClassification
    model = kind.from_pretrained(base, **({} if task == "CAUSAL_LM" else {"num_labels": 1}))
    get_peft_model(
        model, LoraConfig(task_type=task, target_modules="all-linear" if head else ["q_proj"])
    ).save_pretrained(folder)
    if not head:
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "adapter_model.safetensors")
        save_file({name: w for name, w in weights.items() if "score" not in name}, folder / "adapter_model.safetensors")
    return folder


def test_no_difference_shown_fails_only_a_gate_that_requires_better(compare, tiny_model, tmp_path):
    rows = write_rows(tmp_path / "text.jsonl", [{"text": f"{q} {a}"} for q, a in questions()[:20]])
    adapter = adapter_of(tiny_model, tmp_path / "adapter", "CAUSAL_LM")
    models = ("--base", tiny_model, "--tuned", adapter, "--data", rows)
    code, document = compare(*models)
    assert code == 0
    assert document["verdict"]["outcome"] == "not shown to differ"
    assert document["tuned"]["kind"] == "adapter"
    assert document["held_out"]["rows"] == 20
    assert document["held_out"]["metrics"]["loss"]["difference"] == pytest.approx(0, abs=1e-6)
    assert set(document["held_out"]["metrics"]) == {"loss"}, "plain text has no answers to match"
    assert document["samples"] == []
    assert document["warnings"][0].startswith("what the tuned model was trained on is not known")
    assert document["data"]["separated"] is False
    assert compare(*models, "--require-better")[0] == 1


def test_worse_beyond_the_interval_fails_and_the_answer_of_a_row_is_its_last(compare, tiny_model, shaken, tmp_path):
    rows = [{"messages": user(q) + said("maybe") + user("So?") + said(f"The number is {index}.") + user("Thanks")}
            for index, (q, _) in enumerate(questions()[:24])]  # fmt: skip
    data = write_rows(tmp_path / "rows.jsonl", rows)
    code, document = compare("--base", tiny_model, "--tuned", shaken, "--data", data, "--max-new-tokens", 4)
    standing = "worse" if document["held_out"]["metrics"]["loss"]["low"] > 0 else "better"
    assert document["verdict"]["outcome"] == standing
    assert code == (1 if standing == "worse" else 0)
    other, back = compare("--base", shaken, "--tuned", tiny_model, "--data", data, "--max-new-tokens", 4)
    assert {code, other} == {0, 1}
    assert back["held_out"]["metrics"]["loss"]["base"] == pytest.approx(
        document["held_out"]["metrics"]["loss"]["tuned"]
    )
    assert [s["expected"] for s in document["samples"]] == [f"The number is {s['row']}." for s in document["samples"]]
    assert document["samples"][0]["prompt"].endswith("assistant: maybe\nuser: So?")
    assert document["cut"] == {"base": 24, "tuned": 24}


def test_answers_that_are_numbers_are_matched_as_numbers(compare, tiny_model, shaken, tmp_path):
    rows = [
        {"prompt": f"{q} ", "completion": f"So #### {index:,}"} for index, (q, _) in enumerate(questions()[:8], 998)
    ]
    _, document = compare("--base", tiny_model, "--tuned", shaken, "--data", write_rows(tmp_path / "r.jsonl", rows))
    assert "number_match" in document["held_out"]["metrics"]
    assert "exact_match" not in document["held_out"]["metrics"]


def pairs(path: Path) -> Path:
    return write_rows(path, [{"prompt": user(q), "chosen": said(a), "rejected": said("perhaps")}
                             for q, a in questions()[:20]])  # fmt: skip


@pytest.mark.parametrize("method", ["dpo", "kto", "reward", "grpo"])
def test_every_method_is_scored_by_what_it_trains_for(compare, tiny_model, shaken, tmp_path, method):
    data, more, tuned, metrics = pairs(tmp_path / "pairs.jsonl"), [], shaken, {"preference_accuracy", "margin"}
    if method == "reward":
        tuned, metrics = adapter_of(tiny_model, tmp_path / "head", "SEQ_CLS"), {"pair_accuracy"}
    if method == "kto":
        metrics = {"shift", "likelihood_good", "likelihood_bad"}
    if method == "grpo":
        data = write_rows(tmp_path / "prompts.jsonl", [{"prompt": user(q), "answer": a} for q, a in questions()[:20]])
        judge = "def letters(completions, **columns):\n    return [float(len(c[-1]['content'])) for c in completions]\n"
        (tmp_path / "rewards.py").write_text(judge)
        more, metrics = ["--reward", "rewards.py:letters", "--max-new-tokens", 5], {"reward"}
    _, document = compare("--base", tiny_model, "--tuned", tuned, "--data", data, "--method", method, *more)
    assert set(document["held_out"]["metrics"]) == metrics
    assert document["held_out"]["rows"] == (40 if method == "kto" else 20)  # a pair is two answers
    assert len(document["samples"]) == (0 if method == "reward" else 5)
    if method == "reward":
        from peft import AutoPeftModelForSequenceClassification
        from transformers import AutoTokenizer

        from skillpack.kit.scoring import score_by_head

        model = AutoPeftModelForSequenceClassification.from_pretrained(tuned, num_labels=1)
        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        model.config.pad_token_id = tokenizer.pad_token_id
        rows = [json.loads(line) for line in data.read_text().splitlines()]
        right = [score_by_head(model, tokenizer, row, {"max_length": 1024})["pair_accuracy"] for row in rows]
        assert document["held_out"]["metrics"]["pair_accuracy"]["tuned"] == pytest.approx(sum(right) / len(right))


def test_a_dataset_report_says_which_rows_are_held_out(compare, tiny_model, shaken, tmp_path, plan):
    rows = write_rows(tmp_path / "rows.jsonl", [{"question": q, "answer": a} for q, a in questions()])
    verdict = {"verdict": "MAPPABLE", "reason": "", "mapping": {"transform": "question-answer"}}
    refused = {"verdict": "INCOMPATIBLE", "reason": "no pairs"}
    report = {
        "schema": "skillpack/dataset-report/1", "source": {"id": str(rows), "split": "train"}, "columns": {},
        "rows": {"total": 200, "examined": 200}, "recommended": {"method": "sft", "why": ""},
        "verdicts": {"sft": verdict, **dict.fromkeys(("dpo", "grpo", "reward", "kto"), refused)},
        "tokens": {"counted_with": "x", "mean": 9, "p50": 9, "p95": 9, "max": 9},
        "split": {"key": "group", "fraction": 0.2, "seed": 0},
    }  # fmt: skip
    (tmp_path / "dataset-report.json").write_text(json.dumps(report))
    models = ("--base", tiny_model, "--tuned", shaken, "--data", "dataset-report.json", "--max-new-tokens", 0)
    _, document = compare(*models)
    expected = sum(is_held_out(group_of({"messages": user(q) + said(a)}), 0.2, 0) for q, a in questions())
    assert document["held_out"]["rows"] == expected < 60
    assert document["held_out"]["choices"] == ["no", "yes"]


def refused(script_module, compare, *arguments: object) -> str:
    with pytest.raises(script_module.Failure) as caught:
        compare(*arguments)
    assert caught.value.code == 2
    return str(caught.value)


def test_models_of_the_wrong_kind_are_refused_before_anything_is_scored(script_module, compare, tiny_model, tmp_path):
    data = pairs(tmp_path / "pairs.jsonl")
    headless = adapter_of(tiny_model, tmp_path / "headless", "SEQ_CLS", head=False)
    for tuned, method, message in (
        (tiny_model, "reward", "has no head that scores"),
        (adapter_of(tiny_model, tmp_path / "head", "SEQ_CLS"), "dpo", "is a reward model"),
        (headless, "reward", "was saved without its head"),
    ):
        arguments = ("--base", tiny_model, "--tuned", tuned, "--data", data, "--method", method)
        assert message in refused(script_module, compare, *arguments)
    assert not (tmp_path / "result").exists()


def test_models_and_rows_of_the_hub_are_compared_by_commit(hub, tiny_model, shaken, tmp_path):
    api, tuned, rows = hub.api(), f"{hub.user}/shaken-adapter", f"{hub.user}/questions"
    adapter = adapter_of(tiny_model, tmp_path / "adapter", "CAUSAL_LM")
    for repo, kind, folder in ((f"{hub.user}/tiny", "model", tiny_model), (tuned, "model", adapter)):
        api.create_repo(repo, repo_type=kind)
        commit = api.upload_folder(repo_id=repo, repo_type=kind, folder_path=folder).oid
    api.create_repo(rows, repo_type="dataset")
    data = write_rows(tmp_path / "test.jsonl", [{"prompt": f"{q} ", "completion": a} for q, a in questions()[:8]])
    api.upload_file(repo_id=rows, repo_type="dataset", path_or_fileobj=data, path_in_repo="test.jsonl")
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "compare_models.py"), "--base", f"{hub.user}/tiny", "--tuned", tuned,
         "--data", rows, "--max-new-tokens", "0", "--json"],
        cwd=tmp_path, env=hub.env(), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["tuned"] == {"id": tuned, "version": commit, "kind": "adapter"}
    assert document["settings"]["tokenizer"] == "base"
    assert document["held_out"]["rows"] == 8
    assert (tmp_path / "comparisons/shaken-adapter-against-tiny/comparison.json").is_file()


def test_a_model_that_is_not_there_is_refused(script_module, compare, tiny_model, tmp_path):
    (tmp_path / "empty").mkdir()
    models = ("--base", tiny_model, "--data", "rows.jsonl")
    assert "holds no model" in refused(script_module, compare, *models, "--tuned", "empty")
    assert "nobody/nothing: " in refused(script_module, compare, *models, "--tuned", "nobody/nothing")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"prompt": ""}', "probes.jsonl:2: empty 'prompt'"),
        ('{"prompt": "x", "answer": "y"}', "probes.jsonl:2: unknown key 'answer'"),
        ('{"prompt": "x"', "probes.jsonl:2: not JSON"),
        ('["x"]', "probes.jsonl:2: empty 'prompt'"),
        ('{"prompt": [{"role": "teacher", "content": "x"}]}', "'teacher'"),
    ],
)
def test_a_probe_that_cannot_be_asked_is_named_by_its_line(script_module, compare, tiny_model, tmp_path, line, message):
    (tmp_path / "probes.jsonl").write_text('{"prompt": "fine"}\n' + line + "\n")
    models = ("--base", tiny_model, "--tuned", tiny_model, "--data", "rows.jsonl")
    assert message in refused(script_module, compare, *models, "--probes", "probes.jsonl")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_path": None, "status": "stopped"}, "stopped before its end"),
        ({"model_path": "model"}, "watch_run.py runs --download"),
    ],
)
def test_a_run_that_cannot_be_compared_says_what_to_do(script_module, compare, tmp_path, fields, message):
    run = {"schema": "skillpack/run/1", "name": "tiny", "plan_sha256": "0", "steps": 1, "status": "completed",
           "log": [], "comparison": None, "plan": {"method": "sft", "settings": {}}, **fields}  # fmt: skip
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/run.json").write_text(json.dumps(run))
    assert message in refused(script_module, compare, "runs")


def test_without_lm_eval_the_message_says_how_to_bring_it(script, tmp_path):
    (tmp_path / "lm_eval.py").write_text("raise ImportError('not here')")  # stands before the installed one
    done = script("compare_models.py", "--base", "a", "--tuned", "b", "--data", "c", "--tasks", "arc_easy",
                  PYTHONPATH=str(tmp_path))  # fmt: skip
    assert done.returncode == 2
    assert "uv run --with lm-eval==0.4.13" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["runs/x", "--base", "y"], ["--base", "a", "--tuned", "b"]])
def test_models_come_from_a_run_or_from_the_command_line(script, arguments):
    done = script("compare_models.py", *arguments)
    assert done.returncode == 2
    assert "run" in done.stderr.splitlines()[-1]
