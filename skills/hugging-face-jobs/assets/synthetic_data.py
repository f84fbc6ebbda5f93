# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "vllm>=0.32,<0.33",
#   "transformers>=5.2,<6",
#   "datasets>=5.2,<6",
#   "huggingface_hub>=2.4,<3",
# ]
#
# [tool.hf-jobs]
# flavor = "a10g-large"
# timeout = "1h"
# secrets = ["HF_TOKEN"]
# ///
"""Make training conversations with a model: for each topic questions, for each question an answer.

Topics come from a column of a dataset, so that they are as varied as the user's own data. Equal questions are made
once, empty and cut texts are left out and counted, and each row says which model, topic and seed it is from. What is
done is kept in --out as it comes; the same command goes on behind it. All of the file is written anew at each --chunk:
split topics that make more than some 10,000 rows over several calls. Read a sample before training on it.

examples:
  hf jobs uv run synthetic_data.py --topics org/products --column name --model Qwen/Qwen3-4B --push-to me/made
  python scripts/submit_job.py assets/synthetic_data.py --timeout 2h --secret HF_TOKEN \
    --volume hf://buckets/me/made:/out -- --topics org/products --column name --model Qwen/Qwen3-4B --out /out
"""

import argparse
import collections

# region skillpack:chat
import json
import os
from pathlib import Path


class Chat:
    """A model that answers conversations; prompts are cut to tokens by one code, whichever engine writes."""

    def __init__(self, model: str, revision: str | None = None, engine: str = "auto", max_length: int | None = None):
        """`engine`: vllm, transformers, or auto (vLLM on a GPU). `max_length`: tokens of prompt and answer together."""
        import torch
        from transformers import AutoConfig, AutoTokenizer

        text = AutoConfig.from_pretrained(model, revision=revision).get_text_config()
        self.max_length = min(max_length or 10**9, getattr(text, "max_position_embeddings", None) or 10**9)
        self.tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
        gpus = torch.cuda.device_count()
        self.engine = engine if engine != "auto" else "vllm" if gpus else "transformers"
        if self.engine == "vllm":
            from vllm import LLM

            self.model = LLM(
                model=model, revision=revision, tensor_parallel_size=max(1, gpus), max_model_len=max_length
            )
        else:
            from transformers import AutoModelForCausalLM

            self.model = AutoModelForCausalLM.from_pretrained(model, revision=revision, dtype="auto").eval()
            self.model.to("cuda" if gpus else "cpu")
        print(f"{model} writes with {self.engine}", flush=True)

    def tokens(self, prompt: str | list[dict]) -> list[int]:
        """Token ids of a text or of messages; a base model without a template gets the contents one after the other."""
        if self.tokenizer.chat_template:
            messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
            return list(self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
        text = prompt if isinstance(prompt, str) else "\n\n".join(message["content"] for message in prompt)
        return self.tokenizer(text)["input_ids"]

    def __call__(self, prompts: list, max_new_tokens: int = 512, temperature: float = 0.0, seed: int = 0) -> list[dict]:
        """{"text", "finish"} of each prompt, in order; finish is stop, length (cut), or too long (nothing written)."""
        encoded = [self.tokens(prompt) for prompt in prompts]
        fits = [len(ids) + max_new_tokens <= self.max_length for ids in encoded]
        write = self._vllm if self.engine == "vllm" else self._transformers
        written = iter(
            write([i for i, fit in zip(encoded, fits, strict=True) if fit], max_new_tokens, temperature, seed)
        )
        return [next(written) if fit else {"text": None, "finish": "too long"} for fit in fits]

    def _vllm(self, encoded: list, max_new_tokens: int, temperature: float, seed: int) -> list[dict]:
        from vllm import SamplingParams

        sampling = SamplingParams(max_tokens=max_new_tokens, temperature=temperature, seed=seed)
        done = self.model.generate([{"prompt_token_ids": ids} for ids in encoded], sampling)
        return [{"text": each.outputs[0].text, "finish": each.outputs[0].finish_reason} for each in done]

    def _transformers(self, encoded: list, max_new_tokens: int, temperature: float, seed: int) -> list[dict]:
        import torch

        written = []
        how = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        torch.manual_seed(seed)
        for ids in encoded:  # one by one: no padding, so no answer depends on its neighbours
            row = torch.tensor([ids], device=self.model.device)
            end = self.tokenizer.eos_token_id
            out = self.model.generate(
                row, attention_mask=torch.ones_like(row), max_new_tokens=max_new_tokens, pad_token_id=end, **how
            )[0, len(ids) :].tolist()
            finish = "length" if len(out) == max_new_tokens and out[-1] != end else "stop"
            written.append({"text": self.tokenizer.decode(out, skip_special_tokens=True), "finish": finish})
        return written


class Kept:
    """Rows that are kept in a file as they come: a second attempt reads them, and goes on behind them.

    Each addition writes all of the file, which is fine for some 10,000 rows; batch_map.py keeps more of them in parts.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, []
        path.parent.mkdir(parents=True, exist_ok=True)
        for line in path.read_text(encoding="utf-8").split("\n") if path.is_file() else []:
            try:
                self.rows.append(json.loads(line))
            except ValueError:
                break  # the last line was cut off
        if self.rows:
            print(f"{len(self.rows)} rows are there from before", flush=True)

    def add(self, rows: list[dict]) -> None:
        """Writes the file anew and renames it, so that it is whole at any time, on a mounted bucket too."""
        self.rows += rows
        part = self.path.with_suffix(".part")
        part.write_text("".join(json.dumps(row, ensure_ascii=True) + "\n" for row in self.rows), encoding="utf-8")
        part.replace(self.path)
        print(f"{len(self.rows)} rows", flush=True)


def push_rows(rows: list[dict], repo: str, public: bool) -> None:
    """The rows as a dataset of the Hub, private unless `public`."""
    from datasets import Dataset

    Dataset.from_list(rows).push_to_hub(repo, private=not public, token=os.environ.get("HF_TOKEN"))
    print(f"pushed {len(rows)} rows to {repo} ({'public' if public else 'private'})", flush=True)


# endregion skillpack:chat

QUESTION = "Write one question that a user could ask about: {topic}\nWrite the question alone, nothing else."
QUESTION_TOKENS = 128


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = options.add_argument
    add("--topics", required=True, metavar="DATASET", help="dataset whose column names what to ask about")
    add("--column", default="topic", help="default: topic")
    add("--split", default="train", help="default: train")
    add("--model", required=True)
    add("--per-topic", type=int, default=4, help="questions of each topic (default: 4)")
    add("--question-prompt", default=QUESTION, help="with {topic} where the topic goes")
    add("--system-prompt", help="for the answers, kept in the rows")
    add("--max-new-tokens", type=int, default=512, help="of an answer (default: 512)")
    add("--max-length", type=int, help="tokens of prompt and answer (default: the model's)")
    add("--temperature", type=float, default=0.9, help="of the questions (default: 0.9)")
    add("--answer-temperature", type=float, default=0.0, help="default: 0, the likeliest words")
    add("--keep-cut", action="store_true", help="keep texts that were cut at the limit of tokens, too")
    add("--limit", type=int, help="topics, for a trial")
    add("--chunk", type=int, default=64, help="topics that are done and kept at once (default: 64)")
    add("--out", type=Path, default=Path("made"), help="folder for rows.jsonl; mount a bucket there to keep it")
    add("--engine", choices=["auto", "vllm", "transformers"], default="auto")
    add("--push-to", metavar="REPO", help="push the rows, private unless --public")
    add("--public", action="store_true")
    args = options.parse_args()
    if "{topic}" not in args.question_prompt:
        options.error("--question-prompt has no {topic}")
    from datasets import load_dataset

    data = load_dataset(args.topics, split=args.split)
    if args.column not in data.column_names:
        raise SystemExit(f"the dataset has no column {args.column!r}; it has {', '.join(data.column_names)}")
    topics = list(dict.fromkeys(str(topic) for topic in data[args.column] if topic))[: args.limit]
    kept = Kept(args.out / "topics.jsonl")  # a line a topic, with its rows: a topic is done or not
    seen = {row["messages"][-2]["content"].lower() for each in kept.rows for row in each["rows"]}
    chat = Chat(args.model, engine=args.engine, max_length=args.max_length) if len(kept.rows) < len(topics) else None
    while len(kept.rows) < len(topics):
        first = len(kept.rows)
        kept.add(made_of(chat, topics[first : first + args.chunk], first, seen, args))
    rows = [row for each in kept.rows for row in each["rows"]]
    (args.out / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    lost = collections.Counter(why for each in kept.rows for why in each["left_out"])
    said = ", ".join(f"{count} {why}" for why, count in lost.items()) or "none"
    print(f"{len(rows)} rows of {len(topics)} topics; left out: {said}", flush=True)
    if args.push_to and rows:
        push_rows(rows, args.push_to, args.public)


def made_of(chat: Chat, topics: list[str], first: int, seen: set, args) -> list[dict]:
    """{"topic", "rows", "left_out"} of each topic: new questions with their answers, and why others are no rows."""
    made: dict = {topic: {"topic": topic, "rows": [], "left_out": []} for topic in topics}
    asked = []
    for number in range(args.per_topic):
        prompts = [args.question_prompt.replace("{topic}", topic) for topic in topics]
        seed = 1_000_003 * number + first  # another for each question and chunk, and the same when it is run again
        for topic, each in zip(topics, chat(prompts, QUESTION_TOKENS, args.temperature, seed), strict=True):
            question = (each["text"] or "").strip()
            why = fault(each, args) or ("equal" if question.lower() in seen else None)
            if why:
                made[topic]["left_out"].append(f"question {why}")
                continue
            seen.add(question.lower())
            asked.append((topic, question, seed))
    system = [{"role": "system", "content": args.system_prompt}] if args.system_prompt else []
    prompts = [[*system, {"role": "user", "content": text}] for _, text, _ in asked]
    answers = chat(prompts, args.max_new_tokens, args.answer_temperature, first)
    for (topic, question, seed), each in zip(asked, answers, strict=True):
        if why := fault(each, args):
            made[topic]["left_out"].append(f"answer {why}")
            continue
        turns = [*system, {"role": "user", "content": question}, {"role": "assistant", "content": each["text"]}]
        made[topic]["rows"].append({"messages": turns, "topic": topic, "seed": seed, "model": args.model})
    return list(made.values())


def fault(written: dict, args) -> str | None:
    """Why a text is not kept, or None."""
    if written["finish"] == "too long":
        return "without room in the model's context"
    if not written["text"].strip():
        return "empty"
    return "cut" if written["finish"] == "length" and not args.keep_cut else None


if __name__ == "__main__":
    main()
