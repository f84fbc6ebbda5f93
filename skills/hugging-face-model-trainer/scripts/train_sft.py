# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "trl>=1.16,<2",
#   "transformers>=5.23,<6",
#   "peft>=0.21,<1",
#   "datasets>=5.2,<6",
#   "trackio>=0.43,<1",
#   "jsonschema>=4.21,<5",
#   "torch>=2.8,<3",
# ]
# ///
"""Supervised fine-tuning (SFT) by a plan: train, resume, and score base and tuned on the same held-out rows.

Run it again after a crash, a kill or a timeout: it continues from the last whole checkpoint. Run it again
after it has ended: it says so and changes nothing.

examples:
  python scripts/train_sft.py --plan plan.json
  python scripts/train_sft.py --plan plan.json --out runs/second --json
"""

# region skillpack:script
# endregion skillpack:script

# region skillpack:data
# endregion skillpack:data

# region skillpack:training
# endregion skillpack:training

CLOSED_SET = 16  # this many different short answers or fewer: the task is a choice, and is scored as one


def load_splits(dataset: dict):
    """(training rows, held-out rows) of the plan's dataset, mapped to TRL's columns, split as the report says."""
    import datasets

    split, mapping = dataset["split"], dataset["mapping"]
    columns = ("messages", "prompt", "completion", "text")

    def prepare(rows):
        names = rows.column_names
        rows = rows.map(lambda row: map_row(row, mapping), remove_columns=names, desc="mapping rows")
        return rows.select_columns([name for name in columns if name in rows.column_names])

    rows = prepare(open_rows(dataset["source"], streaming=False))
    if split["key"] == "given":
        return rows, prepare(open_rows({**dataset["source"], "split": split["held_out_split"]}, streaming=False))
    sides: dict = {True: [], False: []}
    for index, row in enumerate(rows):
        sides[is_held_out(group_of(row), split["fraction"], split["seed"])].append(index)
    if not sides[True] or not sides[False]:
        raise Failure(
            f"the split leaves {len(sides[False])} rows to train on and {len(sides[True])} held out",
            "change split.fraction or split.seed in the plan, or give more different rows",
            EXIT_USAGE,
        )
    assert isinstance(rows, datasets.Dataset)
    return rows.select(sides[False]), rows.select(sides[True])


def conversation(row: dict) -> tuple[list | str, list | str]:
    """(what the model is given, what it should answer) of a mapped row; of several answers, the last."""
    if "messages" in row:
        return row["messages"][:-1], row["messages"][-1:]
    if "prompt" in row:
        return row["prompt"], row["completion"]
    return "", row["text"]


def loss_columns(rows, tokenizer):
    """(rows, SFTConfig fields) such that loss falls on answers only, wherever the data says what an answer is."""
    from trl.chat_template_utils import get_training_chat_template

    if "messages" not in rows.column_names:
        return rows, {}
    if tokenizer.chat_template is None:
        raise Failure(
            "the rows are conversations, and the model's tokenizer has no chat template",
            "train the instruct variant of the model, or set tokenizer.chat_template and save it with the model",
            EXIT_USAGE,
        )
    if all(sum(turn["role"] == "assistant" for turn in messages) == 1 for messages in rows["messages"]) and all(
        messages[-1]["role"] == "assistant" for messages in rows["messages"]
    ):
        pairs = rows.map(
            lambda row: {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]},
            remove_columns=["messages"],
            desc="prompt and completion",
        )
        return pairs, {"completion_only_loss": True}
    if "{% generation" in tokenizer.chat_template:
        return rows, {"assistant_only_loss": True}
    try:
        template = get_training_chat_template(tokenizer)
    except ValueError:
        log("warning: the chat template does not mark the answers, so loss falls on every turn")
        return rows, {}
    tokenizer.chat_template = template or tokenizer.chat_template
    return rows, {"assistant_only_loss": True}


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


def closed_answers(train_rows, held_out_rows) -> list[str]:
    """The different answers of a task of choice, or nothing when the answers are open."""
    answers: set = set()
    for row in train_rows:
        answer = conversation(row)[1]
        answers.add(answer if isinstance(answer, str) else answer[0]["content"])
        if len(answers) > CLOSED_SET:
            return []
    tested = {str(a if isinstance(a, str) else a[0]["content"]) for a in (conversation(r)[1] for r in held_out_rows)}
    return sorted(answers) if len(answers) > 1 and tested <= answers else []


def score(model, tokenizer, rows, choices: list[str], max_length: int, what: str) -> list[dict]:
    """For every row: {loss: mean negative log-likelihood of the answer's tokens, tokens, correct or None}.

    In a task of choice, `correct` says whether the right answer is the likeliest of `choices` (the sum over its
    tokens, the end of the turn included). The prompt runs once, and its cache serves every choice.
    """
    import torch
    from tqdm import tqdm

    model.eval()
    device, scores = model.device, []
    for row in tqdm(rows, desc=what, disable=not sys.stderr.isatty()):
        given, right = conversation(row)
        options = [right] + [
            option
            for option in (choice if isinstance(right, str) else [{**right[0], "content": choice}] for choice in choices)
            if option != right
        ]
        encoded = [encode(tokenizer, given, option, max_length) for option in options]
        prompt, answers = encoded[0][0], [answer for _, answer in encoded]
        if not prompt:  # plain text: every token but the first is predicted from those before it
            prompt, answers = answers[0][:1], [answers[0][1:]]
        longest = max(map(len, answers))
        if not longest:
            continue
        padded = torch.tensor([a + [tokenizer.pad_token_id] * (longest - len(a)) for a in answers], device=device)
        with torch.no_grad():
            first = model(torch.tensor([prompt], device=device), use_cache=True)
            cache = first.past_key_values
            cache.batch_repeat_interleave(len(answers))
            rest = model(padded, past_key_values=cache).logits
        start = first.logits[:, -1:].expand(len(answers), 1, -1)
        logits = torch.cat([start, rest[:, :-1]], dim=1).float()
        likelihood = torch.log_softmax(logits, -1).gather(2, padded.unsqueeze(2)).squeeze(2)
        sums = [float(likelihood[i, : len(answer)].sum()) for i, answer in enumerate(answers)]
        correct = max(range(len(sums)), key=sums.__getitem__) == 0 if choices else None
        scores.append({"loss": -sums[0] / len(answers[0]), "tokens": len(answers[0]), "correct": correct})
    return scores


def compare(base: list[dict], tuned: list[dict], choices: list[str]) -> dict:
    """Base against tuned over the same rows, with intervals, for run.json."""
    def mean(scores, key):
        return sum(score[key] for score in scores) / len(scores)

    metrics = {"loss": "lower"} | ({"correct": "higher"} if choices else {})
    document: dict = {"rows": len(base), "choices": choices, "metrics": {}}
    for key, better in metrics.items():
        interval = paired_interval([s[key] for s in base], [s[key] for s in tuned])
        beyond = interval["high"] < 0 if better == "lower" else interval["low"] > 0
        document["metrics"]["accuracy" if key == "correct" else key] = {
            "better": better, "base": mean(base, key), "tuned": mean(tuned, key), **interval, "beyond_interval": beyond,
        }
    return document


def main(argv: list[str]) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--plan", type=Path, required=True, help="plan.json of plan_run.py")
    arguments.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME of the plan)")
    arguments.add_argument("--json", action="store_true", help="print run.json on standard output")
    args = arguments.parse_args(argv)
    plan = read_artifact(args.plan, "plan")
    if plan["method"] != "sft":
        raise Failure(f"the plan's method is {plan['method']!r}", f"run train_{plan['method']}.py", EXIT_USAGE)
    out = args.out or Path("runs") / plan["name"]
    identity = hashlib.sha256(json.dumps([plan[key] for key in ("model", "dataset", "settings")]).encode()).hexdigest()

    run_file = out / "run.json"
    if run_file.is_file():
        run_document = read_artifact(run_file, "run")
        if run_document["plan_sha256"] != identity:
            raise Failure(
                f"{out} holds a run of another plan", "give another folder with --out, or delete this one", EXIT_USAGE
            )
        if run_document["status"] == "completed":
            log(f"done already: {run_file}")
            if args.json:
                emit(run_document)
            return EXIT_OK

    settings = plan["settings"]
    require_disk(out, plan["estimate"]["disk_gb"])
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    started = time.time()
    log(f"run {plan['name']} in {out}: loading rows")
    train_rows, held_out = load_splits(plan["dataset"])
    held_out = held_out.select(range(min(len(held_out), settings["held_out_rows"])))
    tokenizer = load_tokenizer(plan["model"])
    choices = closed_answers(train_rows, held_out)
    train_rows, loss_fields = loss_columns(train_rows, tokenizer)
    log(f"{len(train_rows)} rows to train on, {len(held_out)} held out, {len(choices) or 'open'} answers")

    import torch
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(settings["seed"])
    model = load_model(plan["model"], settings).to(settings["device"])
    baseline = out / "baseline.json"
    if baseline.is_file():
        base_scores = json.loads(baseline.read_text())
    else:
        base_scores = score(model, tokenizer, held_out, choices, settings["max_length"], "scoring the base model")
        write_atomic(baseline, json.dumps(base_scores))
    tracker, finish_tracker = start_tracker(plan["name"], plan["name"], settings)
    guard = run_guard(out, settings, tracker)
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            **trainer_arguments(settings, out),
            **loss_fields,
            max_length=settings["max_length"],
            packing=settings["packing"],
        ),
        train_dataset=train_rows,
        processing_class=tokenizer,
        peft_config=lora_config(settings),
        callbacks=[guard],
    )
    trained = sum(label != -100 for row in trainer.get_train_dataloader() for label in row["labels"].flatten().tolist())
    if not trained:
        raise Failure(
            f"no token carries loss once rows are cut at {settings['max_length']} tokens",
            "raise settings.max_length in the plan, or look at the rows' answers",
            EXIT_USAGE,
        )
    checkpoint = last_whole_checkpoint(out / "checkpoints")
    if checkpoint:
        log(f"resuming from {checkpoint.name}")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finish_tracker()

    steps = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    document = {
        "schema": "skillpack/run/1",
        "name": plan["name"],
        "plan_sha256": identity,
        "plan": plan,
        "status": "stopped" if guard.stopped else "completed",
        "stopped_by": guard.stopped,
        "steps": trainer.state.global_step,
        "train_rows": len(train_rows),
        "trained_tokens_per_epoch": trained,
        "train_seconds": sum(entry["seconds"] for entry in steps),
        "seconds": time.time() - started,
        "peak_memory_gb": peak_memory_gb(settings["device"]),
        "versions": versions("torch", "trl", "transformers", "peft", "datasets", "trackio"),
        "log": [{key: entry[key] for key in ("step", "loss", "learning_rate")} for entry in steps],
        "model_path": None,
        "comparison": None,
    }
    if guard.stopped:
        write_artifact(run_file, document)
        raise Failure(f"stopped by {guard.stopped} at step {trainer.state.global_step}", "run it again to continue")
    trainer.save_model(str(out / "model"))
    tuned_scores = score(trainer.model, tokenizer, held_out, choices, settings["max_length"], "scoring the tuned model")
    document["model_path"] = str(out / "model")
    document["comparison"] = compare(base_scores, tuned_scores, choices)
    document["seconds"] = time.time() - started
    document["peak_memory_gb"] = peak_memory_gb(settings["device"])
    write_artifact(run_file, document)
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    for name, metric in document["comparison"]["metrics"].items():
        log(
            f"{name}: base {metric['base']:.3f}, tuned {metric['tuned']:.3f}, difference {metric['difference']:+.3f} "
            f"[{metric['low']:+.3f}, {metric['high']:+.3f}] over {len(held_out)} held-out rows"
        )
    log(f"wrote {run_file}")
    if args.json:
        emit(document)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run(main))
