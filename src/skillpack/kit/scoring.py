"""The regions of the scripts that score a model: likelihoods, greedy answers, base against tuned with intervals.

Training and comparing score by one code: `answers` for SFT, `preferences` for DPO and reward models, `generation` for
GRPO and for what a model writes; each stands on `scoring`. Every score is of one row, so that a caller can keep it.
What judges a written answer is in `rewards`.
"""

from __future__ import annotations

import sys

from skillpack.kit.data import group_of
from skillpack.kit.script import log


# region skillpack:scoring
def watched(rows, what: str):
    """`rows` with a progress bar on a terminal, and a line on the log elsewhere."""
    from tqdm import tqdm

    log(f"{what} on {len(rows)} rows")
    return tqdm(rows, desc=what, disable=not sys.stderr.isatty())


def scored(rows, what: str, measure) -> list[dict]:
    """What `measure(row)` gives for each row, and the row's group; rows for which it gives None are left out."""
    scores = ((row, measure(row)) for row in watched(rows, what))
    return [{**score, "group": group_of(row)} for row, score in scores if score is not None]


def encode(tokenizer, given, answer, max_length: int) -> tuple[list, list]:
    """Token ids of prompt and answer, as TRL's prompt-completion tokenization splits them."""
    if isinstance(given, str):
        prompt = tokenizer(given)["input_ids"] if given else []
        whole = tokenizer(given + answer)["input_ids"] + [tokenizer.eos_token_id]
    else:
        prompt = tokenizer.apply_chat_template(given, add_generation_prompt=True, return_dict=False)
        whole = tokenizer.apply_chat_template(given + answer, return_dict=False)
    shared = 0
    while shared < min(len(prompt), len(whole) - 1) and prompt[shared] == whole[shared]:
        shared += 1
    return whole[:max_length][:shared], whole[:max_length][shared:]


def answer_likelihoods(model, tokenizer, given, answers: list, settings: dict) -> list[tuple[float, int]]:
    """(sum of the log-likelihoods of its tokens, how many) of each answer to what the model is given.

    The prompt runs once, and its cache serves every answer. Nothing when an answer is cut away whole.
    """
    import torch

    model.eval()
    device = model.device
    encoded = [encode(tokenizer, given, answer, settings["max_length"]) for answer in answers]
    if not all(ids for _, ids in encoded):
        return []
    shared = min(len(prompt) for prompt, _ in encoded)  # of a prompt that ends in a space, it may join the answer
    prompt, tokens = encoded[0][0][:shared], [(before + ids)[shared:] for before, ids in encoded]
    if not prompt:  # plain text: every token but the first is predicted from those before it
        prompt, tokens = tokens[0][:1], [tokens[0][1:]]
    if not all(tokens):
        return []
    longest = max(map(len, tokens))
    padded = torch.tensor([ids + [tokenizer.pad_token_id] * (longest - len(ids)) for ids in tokens], device=device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=settings["precision"] == "bf16")
    with torch.no_grad(), autocast:
        first = model(torch.tensor([prompt], device=device), use_cache=True, logits_to_keep=1)
        cache = first.past_key_values
        cache.batch_repeat_interleave(len(tokens))
        rest = model(padded, past_key_values=cache).logits
    start = first.logits[:, -1:].expand(len(tokens), 1, -1)
    logits = torch.cat([start, rest[:, :-1]], dim=1).float()
    likelihood = torch.log_softmax(logits, -1).gather(2, padded.unsqueeze(2)).squeeze(2)
    return [(float(likelihood[i, : len(ids)].sum()), len(ids)) for i, ids in enumerate(tokens)]


# endregion skillpack:scoring


# region skillpack:intervals
def compare_scores(base: list[dict], tuned: list[dict], metrics: dict, **more: object) -> dict | None:
    """The `comparison` of run.json over the same rows; `metrics` is {key of a score: "lower" or "higher"}."""
    if not base:
        return None
    document: dict = {"rows": len(base), **more, "metrics": {}}
    for key, better in metrics.items():
        before, after = [float(score[key]) for score in base], [float(score[key]) for score in tuned]
        interval = paired_interval(before, after, [score["group"] for score in base])
        document["metrics"][key] = {
            "better": better,
            "base": sum(before) / len(before),
            "tuned": sum(after) / len(after),
            **interval,
            "beyond_interval": interval["high"] < 0 if better == "lower" else interval["low"] > 0,
        }
    return document


def paired_interval(before: list, after: list, groups: list | None = None, draws: int = 4000, seed: int = 0) -> dict:
    """Mean of (after - before) over rows, with the 95 % percentile interval of a paired bootstrap.

    Rows are drawn in pairs, so that what is hard for both models cancels, and by whole `groups` (one name a row),
    since rows that repeat a prompt are not independent. Source: Efron and Tibshirani, An Introduction to the
    Bootstrap (1993), chapter 13; Davison and Hinkley, Bootstrap Methods (1997), section 3.8 for groups.
    One group can be drawn in one way only, and shows nothing: its interval reaches to zero.
    """
    import numpy

    differences = numpy.asarray(after, dtype=float) - numpy.asarray(before, dtype=float)
    names = groups if groups is not None else numpy.arange(len(differences))
    _, first, member = numpy.unique(names, return_index=True, return_inverse=True)
    member = first.argsort().argsort()[member]  # in the order of the rows: how groups are called draws no other rows
    sums, counts = numpy.bincount(member, differences), numpy.bincount(member)
    drawn = numpy.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = numpy.percentile(means, [2.5, 97.5])
    if len(sums) == 1:
        low, high = min(0.0, low), max(0.0, high)
    return {"difference": float(differences.mean()), "low": float(low), "high": float(high)}


# endregion skillpack:intervals


# region skillpack:verdict
def standing(metric: dict) -> str:
    """ "better" or "worse" where the 95 % interval of tuned - base excludes zero, else "not shown to differ"."""
    if metric["low"] <= 0 <= metric["high"]:
        return "not shown to differ"
    return "better" if (metric["low"] > 0) == (metric["better"] == "higher") else "worse"


def verdict_of(metrics: dict) -> str:
    """How the tuned model stands to its base by {name: metric}, and no more than the intervals allow."""
    names: dict = {"better": [], "worse": [], "not shown to differ": []}
    for name, metric in metrics.items():
        names[standing(metric)].append(name)
    openings = {"better": "better than its base on", "worse": "worse than its base on"}
    parts = [f"{openings.get(kind, kind + ' on')} {listed(found)}" for kind, found in names.items() if found]
    return ", and ".join(parts)


def listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


# endregion skillpack:verdict


# region skillpack:answers
CLOSED_SET = 16  # this many different short answers or fewer: the task is a choice, and is scored as one
ANSWER_COLUMNS = ("prompt", "completion", "messages", "text")


def conversation(row: dict) -> tuple[list | str, list | str]:
    """(what the model is given, what it should answer) of a mapped row; of several answers, the last."""
    if "prompt" in row and isinstance(row["prompt"], str):
        return row["prompt"], row["completion"]
    if "prompt" not in row and "messages" not in row:
        return "", row["text"]
    turns = row["prompt"] + row["completion"] if "prompt" in row else row["messages"]
    last = max(index for index, turn in enumerate(turns) if turn["role"] == "assistant")
    return turns[:last], turns[last : last + 1]


def answer_text(answer: list | str) -> str | None:
    """What an answer says; None when it only calls tools."""
    return answer if isinstance(answer, str) else answer[0]["content"]


def closed_answers(train_rows, held_out_rows) -> list[str]:
    """The different answers of a task of choice, or nothing when the answers are open."""
    answers: set = set()
    for row in train_rows:
        answers.add(answer_text(conversation(row)[1]))
        if len(answers) > CLOSED_SET:
            return []
    tested = {answer_text(conversation(row)[1]) for row in held_out_rows}
    return sorted(answers) if len(answers) > 1 and None not in answers and tested <= answers else []


def score_answer(model, tokenizer, row: dict, choices: list[str], settings: dict) -> dict | None:
    """{loss: mean negative log-likelihood of the answer's tokens, accuracy}; None when the answer is cut away.

    In a task of choice, `accuracy` says whether the right answer is the likeliest of `choices` (the sum over its
    tokens, the end of the turn included).
    """
    given, right = conversation(row)
    as_answers = [choice if isinstance(right, str) else [{**right[0], "content": choice}] for choice in choices]
    options = [right, *(option for option in as_answers if option != right)]
    likelihoods = answer_likelihoods(model, tokenizer, given, options, settings)
    if not likelihoods:
        return None
    (total, tokens), others = likelihoods[0], likelihoods[1:]
    return {"loss": -total / tokens, "accuracy": all(total > other for other, _ in others) if choices else None}


# endregion skillpack:answers


# region skillpack:preferences
def with_prompt(rows):
    """Rows whose prompt is the part that both answers begin with, taken out where it is not a column."""
    from trl.data_utils import maybe_extract_prompt

    return rows if "prompt" in rows.column_names else rows.map(maybe_extract_prompt, desc="finding the prompts")


def score_pair(model, tokenizer, row: dict, settings: dict) -> dict | None:
    """{preference_accuracy: whether the chosen answer is the likelier, margin}; None when one is cut away.

    Likelihood is the mean log-likelihood of an answer's tokens, since a sum would prefer short answers.
    """
    likelihoods = answer_likelihoods(model, tokenizer, row["prompt"], [row["chosen"], row["rejected"]], settings)
    if not likelihoods:
        return None
    chosen, rejected = (total / tokens for total, tokens in likelihoods)
    return {"preference_accuracy": chosen > rejected, "margin": chosen - rejected}


def judged_ids(row: dict, answer: str, tokenizer) -> list[int]:
    """Token ids of prompt and answer together, as TRL's reward trainer reads a row."""
    given, said = row.get("prompt", ""), row[answer]
    if isinstance(said, str):
        return tokenizer((given or "") + said)["input_ids"] + [tokenizer.eos_token_id]
    return tokenizer.apply_chat_template((given or []) + said, return_dict=False)


def score_by_head(model, tokenizer, row: dict, settings: dict) -> dict:
    """{pair_accuracy: whether a reward model scores the chosen answer higher, chosen, rejected: both scores}."""
    import torch

    model.eval()
    rewards = {}
    for answer in ("chosen", "rejected"):
        ids = judged_ids(row, answer, tokenizer)[: settings["max_length"]]
        with torch.no_grad():
            rewards[answer] = float(model(torch.tensor([ids], device=model.device)).logits[0, 0])
    return {"pair_accuracy": rewards["chosen"] > rewards["rejected"], **rewards}


def as_labelled(rows):
    """Rows of prompt, completion and label, mixed in a fixed order: TRL pairs a prompt with its neighbour's answer."""
    from trl.data_utils import maybe_unpair_preference_dataset

    rows = maybe_unpair_preference_dataset(rows if "label" in rows.column_names else with_prompt(rows))
    return rows.shuffle(seed=0)


def score_label(model, tokenizer, row: dict, settings: dict) -> dict | None:
    """{likelihood: of the answer, mean log-likelihood of its tokens}; None when the answer is cut away."""
    likelihoods = answer_likelihoods(model, tokenizer, row["prompt"], [row["completion"]], settings)
    return {"likelihood": likelihoods[0][0] / likelihoods[0][1], "good": bool(row["label"])} if likelihoods else None


def compare_labels(base: list[dict], tuned: list[dict]) -> dict | None:
    """The comparison of run.json: how likely good and bad answers are, and the sum of how far each moved rightly.

    `shift` is KTO's implicit reward (Ethayarajh et al., 2024, section 3) over beta and the answer's tokens: the change
    of a good answer's mean log-likelihood, and of a bad one's with its sign turned. Of the base it is 0.
    """
    signs = [1 if score["good"] else -1 for score in base]
    moved = [
        {"shift": sign * (after["likelihood"] - before["likelihood"]), "group": before["group"]}
        for sign, before, after in zip(signs, base, tuned, strict=True)
    ]
    still = [{"shift": 0.0, "group": score["group"]} for score in base]
    document = compare_scores(still, moved, {"shift": "higher"})
    for side, better in (("good", "higher"), ("bad", "lower")):
        kept = [index for index, score in enumerate(base) if score["good"] == (side == "good")]
        part = compare_scores([base[i] for i in kept], [tuned[i] for i in kept], {"likelihood": better})
        if document and part:
            document["metrics"][f"likelihood_{side}"] = part["metrics"]["likelihood"]
    return document


# endregion skillpack:preferences


# region skillpack:generation
GENERATION_BATCH = 8


def greedy_answers(model, tokenizer, prompts: list, max_new_tokens: int) -> list[tuple[str, bool]]:
    """(likeliest continuation, token by token; whether it was cut at the limit) of each prompt, as one batch.

    A prompt is text or messages. Both models of a comparison stop at the same tokens: those of the model's
    generation config and the tokenizer's end.
    """
    import torch

    model.eval()
    encoded = [
        tokenizer(prompt)["input_ids"]
        if isinstance(prompt, str)
        else tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
        for prompt in prompts
    ]
    longest = max(map(len, encoded))
    padding = [longest - len(ids) for ids in encoded]  # on the left: an answer follows its prompt at once
    ids = [[tokenizer.pad_token_id] * pad + ids for pad, ids in zip(padding, encoded, strict=True)]
    mask = [[0] * pad + [1] * (longest - pad) for pad in padding]
    ends = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
    with torch.no_grad():
        drawn = model.generate(
            input_ids=torch.tensor(ids, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            max_new_tokens=max_new_tokens, do_sample=False, temperature=None, top_p=None, top_k=None,
            pad_token_id=tokenizer.pad_token_id, eos_token_id=sorted(ends),
        )  # fmt: skip
    said = drawn[:, longest:].tolist()
    return [(tokenizer.decode(answer, skip_special_tokens=True), not ends.intersection(answer)) for answer in said]


# endregion skillpack:generation
