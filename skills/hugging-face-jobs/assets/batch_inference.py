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
"""Let a model answer a column of a dataset, on one job: with vLLM on a GPU, with transformers on a CPU.

What is written is kept in --out every --chunk rows; with --out in a mounted bucket a second attempt goes on there. The
whole file is written anew each time: above some 10,000 rows, and for several jobs, take `batch_map.py run DATA --model
MODEL`, which keeps parts and uses this file's `answer`.

examples:
  hf jobs uv run batch_inference.py --dataset org/prompts --model Qwen/Qwen3-4B --push-to me/answers
  python scripts/submit_job.py assets/batch_inference.py --flavor a10g-large --timeout 2h --secret HF_TOKEN \
    --volume hf://buckets/me/answers:/out -- --dataset org/prompts --model Qwen/Qwen3-4B --out /out
"""

import argparse

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

CHAT: dict = {}  # the loaded model, once a process


def answer(rows: list[dict]) -> list[dict]:
    """For batch_map.py: the columns `answer` and `finish` of each row. Settings come from the environment."""
    setting = os.environ.get
    if not CHAT:
        length = setting("MAX_LENGTH")
        CHAT["model"] = Chat(setting("MODEL", ""), setting("MODEL_REVISION"), setting("ENGINE", "auto"),
                             int(length) if length else None)  # fmt: skip
    prompts = prompts_of(rows, setting("PROMPT_COLUMN", "prompt"), setting("SYSTEM_PROMPT"))
    tokens, temperature = int(setting("MAX_NEW_TOKENS", "512")), float(setting("TEMPERATURE", "0"))
    written = CHAT["model"](prompts, tokens, temperature, int(setting("SEED", "0")))
    return [{"answer": each["text"], "finish": each["finish"]} for each in written]


def prompts_of(rows: list[dict], column: str, system: str | None) -> list:
    """The prompts of rows: texts or messages, behind a system prompt where there is one."""
    if rows and column not in rows[0]:
        raise SystemExit(f"the dataset has no column {column!r}; it has {', '.join(rows[0])}")
    prompts = [row[column] for row in rows]
    if not system:
        return prompts
    messages = [[{"role": "user", "content": p}] if isinstance(p, str) else p for p in prompts]
    return [[{"role": "system", "content": system}, *each] for each in messages]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = options.add_argument
    add("--dataset", required=True, help="of the Hub")
    add("--config")
    add("--split", default="train", help="default: train")
    add("--column", default="prompt", help="texts or messages (default: prompt)")
    add("--model", required=True)
    add("--system-prompt")
    add("--max-new-tokens", type=int, default=512, help="default: 512")
    add("--max-length", type=int, help="tokens of prompt and answer (default: the model's); a smaller one saves memory")
    add("--temperature", type=float, default=0.0, help="default: 0, the likeliest words")
    add("--limit", type=int, help="rows, for a trial")
    add("--chunk", type=int, default=256, help="rows that are written and kept at once (default: 256)")
    add("--out", type=Path, default=Path("answers"), help="folder for answers.jsonl; mount a bucket there to keep it")
    add("--engine", choices=["auto", "vllm", "transformers"], default="auto")
    add("--push-to", metavar="REPO", help="push the rows with their answers, private unless --public")
    add("--public", action="store_true")
    args = options.parse_args()
    from datasets import load_dataset

    rows = load_dataset(args.dataset, args.config, split=args.split)
    rows = rows.select(range(min(args.limit or len(rows), len(rows))))
    kept = Kept(args.out / "answers.jsonl")
    prompts_of(rows.select(range(min(1, len(rows)))).to_list(), args.column, None)  # before a model is loaded
    chat = Chat(args.model, engine=args.engine, max_length=args.max_length) if len(kept.rows) < len(rows) else None
    while len(kept.rows) < len(rows):
        part = rows.select(range(len(kept.rows), min(len(kept.rows) + args.chunk, len(rows)))).to_list()
        prompts = prompts_of(part, args.column, args.system_prompt)
        written = chat(prompts, args.max_new_tokens, args.temperature)
        kept.add([{**row, "answer": w["text"], "finish": w["finish"]} for row, w in zip(part, written, strict=True)])
    ends = [row["finish"] for row in kept.rows]
    print(f"{len(ends)} answers: {ends.count('length')} cut at {args.max_new_tokens} tokens, "
          f"{ends.count('too long')} prompts too long", flush=True)  # fmt: skip
    if args.push_to:
        push_rows(kept.rows, args.push_to, args.public)


if __name__ == "__main__":
    main()
