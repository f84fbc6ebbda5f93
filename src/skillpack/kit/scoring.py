"""The region of the scripts that score a model: likelihood of answers, and base against tuned with intervals."""

from __future__ import annotations

import sys

from skillpack.kit.script import log


# region skillpack:scoring
def watched(rows, what: str):
    """`rows` with a progress bar on a terminal, and a line on the log elsewhere."""
    from tqdm import tqdm

    log(f"{what} on {len(rows)} rows")
    return tqdm(rows, desc=what, disable=not sys.stderr.isatty())


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
    prompt, tokens = encoded[0][0], [ids for _, ids in encoded]
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
    """
    import numpy

    differences = numpy.asarray(after, dtype=float) - numpy.asarray(before, dtype=float)
    _, member = numpy.unique(groups if groups is not None else numpy.arange(len(differences)), return_inverse=True)
    sums, counts = numpy.bincount(member, differences), numpy.bincount(member)
    drawn = numpy.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = numpy.percentile(means, [2.5, 97.5])
    return {"difference": float(differences.mean()), "low": float(low), "high": float(high)}


# endregion skillpack:scoring
