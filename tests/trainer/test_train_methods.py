"""train_dpo.py, train_reward.py and train_grpo.py as processes, with the real TRL, on a tiny model."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
THINGS = ["lamp", "river", "engine", "garden", "letter", "window", "bridge", "market", "forest", "mirror", "kettle",
          "ladder", "harbor", "violin", "pencil", "blanket", "compass", "lantern", "pillow", "saddle"]  # fmt: skip


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pairs(path: Path, form: str) -> Path:
    """Pairs in which the polite answer is chosen: 200 different prompts."""
    rows = []
    for index, (one, two) in enumerate((a, b) for a in THINGS for b in THINGS[:10]):
        prompt, polite, rude = (
            f"Where is the {one} by the {two}?",
            f"Certainly, the {one} is here.",
            f"No idea, the {one}.",
        )
        if form == "text":
            rows.append({"prompt": prompt, "chosen": " " + polite, "rejected": " " + rude})
        else:
            user = [{"role": "user", "content": prompt}]
            answers = {
                "chosen": [{"role": "assistant", "content": polite}],
                "rejected": [{"role": "assistant", "content": rude}],
            }
            if form == "chat":
                rows.append({"prompt": user, **answers})
            else:
                rows.append({key: user + turns for key, turns in answers.items()})
        assert index < 200
    random.Random(0).shuffle(rows)
    return write_rows(path, rows)


@pytest.fixture
def trained(tmp_path, plan, script):
    """`trained(method, rows, **settings)`: run.json of a run that must succeed."""

    def train(method: str, rows: Path, mapping: dict | None = None, **settings: object) -> dict:
        path = plan(method=method, rows=rows, **settings)
        if mapping:
            document = json.loads(path.read_text())
            document["dataset"]["mapping"] = mapping
            path.write_text(json.dumps(document))
        done = script(f"train_{method}.py", "--plan", path, "--json")
        assert done.returncode == 0, done.stderr
        report = script("report_run.py", "runs/tiny")
        assert report.returncode == 0, report.stderr
        return json.loads(done.stdout)

    return train


@pytest.mark.parametrize(
    ("form", "lora"),
    [("chat", None), ("implicit prompt", None),
     ("text", {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": "all-linear"})],
    ids=["chat", "implicit-prompt", "text-lora"],
)  # fmt: skip
def test_dpo_makes_the_chosen_answers_likelier_beyond_the_interval(tmp_path, trained, form, lora):
    run = trained(
        "dpo", pairs(tmp_path / "rows.jsonl", form), steps=25, learning_rate=5e-3 if lora else 1e-3, lora=lora
    )
    accuracy, margin = (run["comparison"]["metrics"][name] for name in ("preference_accuracy", "margin"))
    assert margin["beyond_interval"] and margin["tuned"] > margin["base"]
    assert accuracy["tuned"] > 0.9
    # As chats the untrained model happens to prefer most of the chosen answers; as text it prefers one in ten.
    assert accuracy["beyond_interval"] or form != "text"


@pytest.mark.parametrize("form", ["chat", "text"])
def test_a_reward_model_prefers_the_chosen_answers_of_held_out_pairs(tmp_path, trained, form):
    run = trained("reward", pairs(tmp_path / "rows.jsonl", form), steps=25, learning_rate=2e-3)
    assert run["comparison"]["metrics"]["pair_accuracy"]["tuned"] > 0.9


def prompts(path: Path) -> Path:
    return write_rows(path, [{"prompt": f"Count the {a} and the {b}:", "answer": str(i)}
                             for i, (a, b) in enumerate((a, b) for a in THINGS for b in THINGS[:5])])  # fmt: skip


REWARD = '''
def spaces(completions, **columns):
    """The share of an answer's characters that are the letter e or a space."""
    texts = [c if isinstance(c, str) else c[-1]["content"] for c in completions]
    return [sum(letter in "e " for letter in text) / max(1, len(text)) for text in texts]

def too_few(completions, **columns):
    return [1.0]

def broken(completions, **columns):
    return [columns["no_such_column"]]
'''


def test_grpo_raises_the_mean_reward_by_more_than_chance_and_logs_each_reward_apart(tmp_path, plan, script):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/rewards.py").write_text(REWARD)  # as a job has it: not where the plan says
    path = plan(
        method="grpo", rows=prompts(tmp_path / "rows.jsonl"), steps=80, learning_rate=1e-2, batch_size=16,
        num_generations=8, max_completion_length=16, rewards=["rewards.py:spaces", "python"], reward_weights=[1, 0.1],
    )  # fmt: skip
    done = script("train_grpo.py", "--plan", path, "--reward-file", "elsewhere/rewards.py", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    rewards = [entry["reward"] for entry in run["log"]]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.1
    metrics = run["comparison"]["metrics"]
    assert metrics["reward"]["beyond_interval"] and metrics["reward_spaces"]["beyond_interval"]
    weighted = metrics["reward_spaces"]["tuned"] + 0.1 * metrics["reward_python"]["tuned"]
    assert metrics["reward"]["tuned"] == pytest.approx(weighted)
    logged = json.loads((tmp_path / "runs/tiny/log.jsonl").read_text().splitlines()[-1])
    assert {"rewards/spaces/mean", "rewards/python/mean"} <= set(logged)
    report = script("report_run.py", "runs/tiny")
    assert report.returncode == 0, report.stderr


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        (["rewards.py:spaces", "rewards.py:spaces"], "have one name"),
        (["number"], "KeyError: 'answer'"),
        (["tests"], "passes the `tests` of a row"),
        (["no-such-reward"], "no reward 'no-such-reward'"),
        (["rewards.py:nothing"], "defines no function 'nothing'"),
        (["rewards.py:too_few"], "gave 1 numbers for 20"),
        (["rewards.py:broken"], "KeyError: 'no_such_column'"),
    ],
)
def test_a_bad_reward_is_refused_before_anything_is_trained(tmp_path, plan, script, rewards, message):
    (tmp_path / "rewards.py").write_text(REWARD)
    rows = [{"prompt": f"Count the {a} and the {b}:", "tests": "count = 2"} for a in THINGS for b in THINGS[:5]]
    path = plan(method="grpo", rows=write_rows(tmp_path / "rows.jsonl", rows), num_generations=4, rewards=rewards)
    done = script("train_grpo.py", "--plan", path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not (tmp_path / "runs/tiny/log.jsonl").exists()


def test_a_reward_that_reads_a_missing_answer_is_refused(tmp_path, plan, script):
    rows = write_rows(
        tmp_path / "rows.jsonl", [{"prompt": f"Say {t} {i}", "answer": "words"} for i in range(9) for t in THINGS]
    )
    path = plan(method="grpo", rows=rows, num_generations=4, rewards=["number"])
    done = script("train_grpo.py", "--plan", path)
    assert done.returncode == 2
    assert "no more than nonsense" in done.stderr
