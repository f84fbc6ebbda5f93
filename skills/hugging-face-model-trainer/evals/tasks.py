"""Sets up, grades and solves the tasks of evals.json: `python evals/tasks.py check`."""

# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3"]
# ///

from __future__ import annotations

import ast
import json
import math
import random
import re
import struct
import subprocess
import sys
import time
from typing import Any

from grading import Desk, Failure, Graded, Task, from_jsonl, jsonl, main, run

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{{ message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
#: Dense bf16 (T4: fp16) peak of one GPU in FLOP/s, from NVIDIA's data sheets: what no run can be faster than.
PEAK = (("T4", 65e12), ("L40S", 362e12), ("L4", 121e12), ("A100", 312e12), ("A10G", 125e12), ("H200", 989e12))
FASTEST = 2500e12  # of a GPU that is not in the list


def tiny_model() -> dict[str, str | bytes]:
    """The files of a Qwen3 with 2 layers and random weights, whose tokenizer makes a token of every byte."""
    hidden, middle, vocab = 32, 64, 259
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]  # GPT-2 writes them as characters from 256 on
    letters = {**{byte: chr(byte) for byte in printable}, **{byte: chr(256 + n) for n, byte in enumerate(others)}}
    names = {name: n for n, name in enumerate([*special, *(letters[byte] for byte in range(256))])}
    added = [{"id": n, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for n, name in enumerate(special)]  # fmt: skip
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "fuse_unk": False, "byte_fallback": False, "vocab": names, "merges": []}
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
                 "pre_tokenizer": level, "post_processor": None, "decoder": level, "model": model}  # fmt: skip
    config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": vocab, "head_dim": 16,
              "hidden_size": hidden, "intermediate_size": middle, "num_hidden_layers": 2, "num_attention_heads": 2,
              "num_key_value_heads": 1, "max_position_embeddings": 1024, "rope_theta": 10000.0, "rms_norm_eps": 1e-6,
              "tie_word_embeddings": True, "eos_token_id": 2, "pad_token_id": 0, "dtype": "float32"}  # fmt: skip
    shapes = {"model.embed_tokens.weight": (vocab, hidden), "model.norm.weight": (hidden,)}
    for layer in range(2):
        parts = {"self_attn.q_proj": (32, hidden), "self_attn.k_proj": (16, hidden), "self_attn.v_proj": (16, hidden),
                 "self_attn.o_proj": (hidden, 32), "self_attn.q_norm": (16,), "self_attn.k_norm": (16,),
                 "mlp.gate_proj": (middle, hidden), "mlp.up_proj": (middle, hidden), "mlp.down_proj": (hidden, middle),
                 "input_layernorm": (hidden,), "post_attention_layernorm": (hidden,)}  # fmt: skip
        shapes |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in parts.items()}
    template = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": special[2], "pad_token": special[0],
                "model_max_length": 1024, "chat_template": TEMPLATE}  # fmt: skip
    return {
        "config.json": json.dumps(config),
        "tokenizer.json": json.dumps(tokenizer),
        "tokenizer_config.json": json.dumps(template),
        "model.safetensors": safetensors(shapes),
        "README.md": "---\nlicense: apache-2.0\n---\n\n# A tiny Qwen3 that knows nothing\n",
    }


def safetensors(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> bytes:
    """Random float32 weights of these shapes, ones for the norms, as a safetensors file."""
    draw, header, data = random.Random(seed), {}, b""
    for name, shape in shapes.items():
        size = math.prod(shape)
        values = [1.0] * size if len(shape) == 1 else [draw.gauss(0, 0.05) for _ in range(size)]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * size]}
        data += struct.pack(f"<{size}f", *values)
    head = json.dumps({**header, "__metadata__": {"format": "pt"}}).encode()
    return struct.pack("<Q", len(head)) + head + data


def chat(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def tokens(row: dict[str, Any]) -> int:
    """Length of a chat in tokens of the tiny model: every byte is one, `<|im_start|>` and `<|im_end|>` too."""
    return sum(len(f"{turn['role']}\n{turn['content']}\n".encode()) + 2 for turn in row["messages"])


def leaks(jobs: list[dict[str, Any]]) -> list[str]:
    from huggingface_hub import get_token

    return [
        job["id"]
        for job in jobs
        if str(get_token()) in json.dumps([job["command"], job["arguments"], job["environment"]])
    ]


class PrivateDataset(Task):
    id = "private-dataset"
    data, out = "support-chats", "support-bot"

    def setup(self, desk: Desk) -> None:
        desk.upload("model", "tiny-qwen3", tiny_model())
        rows = [chat(f"Where is order {n}?", f"Order {n} is {'late' if n % 3 else 'here'}.") for n in range(120)]
        desk.upload("dataset", self.data, {"train.jsonl": jsonl(rows)})
        desk.start["data"] = desk.files("dataset", self.data)
        desk.start["weights"] = desk.files("model", "tiny-qwen3")["model.safetensors"]

    def grade(self, desk: Desk) -> Graded:
        jobs = desk.jobs()
        done = [job for job in jobs if job["status"]["stage"] == "COMPLETED" and job["flavor"] == "cpu-basic"]
        most = sum(desk.ceiling(job) for job in jobs)
        text = "A job on cpu-basic is done, and all jobs together could cost 10 cents at most"
        yield text, done and most <= 0.10, f"{len(done)} of {len(jobs)} done, at most ${most:.3f}"
        info, files = desk.info("model", self.out), desk.files("model", self.out)
        weights = {path: blob for path, blob in files.items() if path.endswith(".safetensors")}
        new = weights and desk.start["weights"] not in weights.values()
        text = "me/support-bot is private and holds weights that are not the base's"
        yield text, info and info.private and new, f"private: {info and info.private}, {sorted(weights)}"
        card = desk.fetch("model", self.out, "README.md").decode()
        named = desk.repo("tiny-qwen3") in card and desk.repo(self.data) in card
        yield "Its card names the base and the dataset", named, card[:300]
        data = desk.info("dataset", self.data)
        same = data and data.private and desk.files("dataset", self.data) == desk.start["data"]
        yield "me/support-chats is private, and unchanged", same, f"private: {data and data.private}"
        text = "The token stands in no command, argument or variable of a job"
        yield text, jobs and not leaks(jobs), f"{len(leaks(jobs))} of {len(jobs)} jobs"
        told = re.search(r"\b(base|before)\b", desk.report, re.I)
        text = "The report says how base and tuned compare, or that they were not compared"
        yield text, told, desk.report[:300]

    def solve(self, desk: Desk) -> str:
        finished(desk, ["python", "-c", "pass"], timeout="1h")
        card = f"---\nbase_model: {desk.repo('tiny-qwen3')}\ndatasets: [{desk.repo(self.data)}]\n---\n\n# Support bot\n"
        desk.upload("model", self.out, {"README.md": card, "model.safetensors": safetensors({"a": (2, 2)}, seed=1)})
        return "It is trained. No difference to the base is shown on 24 held-out rows."

    def spoil(self, desk: Desk) -> str:
        desk.api.update_repo_settings(desk.repo(self.data), private=False, repo_type="dataset")
        return "Done!"


def finished(desk: Desk, command: list[str], **options: Any) -> str:
    """A job, run to its end; its id."""
    job = desk.api.run_job(image="python:3.12", command=command, namespace=desk.user, **options)
    for _ in range(1200):
        state = desk.api.inspect_job(job_id=job.id, namespace=desk.user).status.stage
        if state in ("COMPLETED", "ERROR", "CANCELED"):
            return str(job.id)
        time.sleep(0.1)
    raise Failure("the task's job did not end", "look at its log on the local Hub")


class WrongColumn(Task):
    id = "wrong-column"

    def rows(self) -> list[dict[str, str | None]]:
        rows: list[dict[str, str | None]] = [
            {"instruction": f"Say {n} in words.", "good": f"It is {n}, in words.", "bad": f"No idea, {n}."}
            for n in range(80)
        ]
        for n in (5, 31):
            rows[n]["bad"] = rows[n]["good"]
        rows[12]["good"], rows[40]["bad"], rows[77]["instruction"] = "", None, "  "
        return rows

    def usable(self) -> list[tuple[Any, ...]]:
        rows = [(row["instruction"], row["good"], row["bad"]) for row in self.rows()]
        return [row for row in rows if all((part or "").strip() for part in row) and row[1] != row[2]]

    def setup(self, desk: Desk) -> None:
        desk.write("pairs.jsonl", self.rows())

    def grade(self, desk: Desk) -> Graded:
        rows, wanted = desk.rows("dpo.jsonl"), self.usable()
        columns = {frozenset(row) for row in rows}
        shaped = rows and all({"prompt", "chosen", "rejected"} <= keys for keys in columns)
        yield "dpo.jsonl has prompt, chosen and rejected in every row", shaped, [sorted(keys) for keys in columns]
        found = [tuple(said(row.get(name)) for name in ("prompt", "chosen", "rejected")) for row in rows]
        kept = [row for row in wanted if found.count(row) == 1]
        text = "Every usable pair is in it, once, the right way round"
        yield text, len(kept) == len(wanted), f"{len(kept)} of {len(wanted)}"
        text = "No pair with an empty side, or with two equal sides, is in it"
        yield text, rows and not set(found) - set(wanted), sorted(set(found) - set(wanted))[:2]
        told = "instruction" in desk.report and re.search(r"\b(5|five)\b", desk.report)
        text = "The report says that there is no column question, and how many rows were left out"
        yield text, told, desk.report[:300]

    def solve(self, desk: Desk) -> str:
        desk.write(
            "dpo.jsonl", [dict(zip(("prompt", "chosen", "rejected"), row, strict=True)) for row in self.usable()]
        )
        return "There is no column question; the prompt is in instruction. 5 of 80 rows were left out."


def said(value: Any) -> str:
    """The text of a string, or of the messages that TRL takes in its place."""
    return "".join(str(turn.get("content")) for turn in value) if isinstance(value, list) else str(value)


class Budget13B(Task):
    id = "budget-13b"
    hidden, layers, middle, vocab = 5120, 40, 13824, 32000
    rows, words = 1500, 500

    @property
    def parameters(self) -> float:
        layer = 4 * self.hidden**2 + 3 * self.hidden * self.middle + 2 * self.hidden
        return 2 * self.vocab * self.hidden + self.layers * layer + self.hidden

    def setup(self, desk: Desk) -> None:
        config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": self.hidden,
                  "intermediate_size": self.middle, "num_hidden_layers": self.layers, "num_attention_heads": 40,
                  "num_key_value_heads": 40, "vocab_size": self.vocab, "max_position_embeddings": 4096,
                  "rope_theta": 10000.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "eos_token_id": 2,
                  "dtype": "bfloat16"}  # fmt: skip
        keep = ("tokenizer.json", "tokenizer_config.json")
        files = {name: text for name, text in tiny_model().items() if name in keep}
        desk.upload("model", "nautilus", {**files, "config.json": json.dumps(config), "README.md": "# Nautilus\n"})
        story = " ".join(["steady"] * self.words)
        data = [chat(f"What did the log of day {n} say?", f"Day {n}: {story}.") for n in range(self.rows)]
        desk.upload("dataset", "logbook", {"train.jsonl": jsonl(data)})

    def best_hours(self, accelerator: dict[str, Any]) -> float:
        """Hours of the fewest FLOPs of LoRA (4 a parameter and token, a token every 8 characters) at the peak rate."""
        peak = next((rate for name, rate in PEAK if name == accelerator["model"]), FASTEST)
        work = 4 * self.parameters * self.rows * self.words * 7 / 8
        return work / (peak * int(accelerator["quantity"])) / 3600

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("answer.json")
        size, hours, cost = (
            value if isinstance(value := found.get(key), (int, float)) else math.nan
            for key in ("parameters_billion", "timeout_hours", "max_cost_usd")
        )
        text = "parameters_billion is what the model's config gives, 13.0"
        yield text, abs(size - self.parameters / 1e9) < 0.15, f"{size}, and {self.parameters / 1e9:.2f}"
        flavor = desk.hardware().get(str(found.get("flavor")), {})
        accelerator = flavor.get("accelerator") or {}
        memory = int(accelerator.get("vram", "0 GB").split()[0])
        text = "The flavor exists, and its memory holds the weights in 4 bits with room for training"
        yield text, memory >= 14, f"{found.get('flavor')}: {memory} GB"
        price = flavor.get("unitCostUSD", math.nan) * 60 * hours
        text = "The most it can cost is the timeout at the flavor's price, and not above 6 dollars"
        yield text, abs(price - cost) <= 0.02 * price + 0.01 and cost <= 6, f"{cost}, and {price:.2f}"
        least = self.best_hours(accelerator) if accelerator else math.inf
        yield "The timeout is longer than the GPU needs at its best", hours > least, f"{hours}, and {least:.3f} hours"
        yield "No job was started", not desk.jobs(), f"{len(desk.jobs())} jobs"

    def solve(self, desk: Desk) -> str:
        answer = {"parameters_billion": 13.02, "flavor": "a100-large", "timeout_hours": 2, "max_cost_usd": 5.0}
        desk.write("answer.json", json.dumps(answer))
        return "One A100 with LoRA; two hours are at most 5 dollars."

    def spoil(self, desk: Desk) -> None:
        desk.api.run_job(image="python:3.12", command=["python", "-c", "pass"], namespace=desk.user)


class DiedAt80(Task):
    id = "died-at-80"
    program = '''"""Trains for --steps steps into OUT, saving every 10; continues from the newest checkpoint in OUT."""
import argparse, json, os, sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("out", type=Path)
parser.add_argument("--steps", type=int, default=100)
parser.add_argument("--learning-rate", type=float, default=1e-5)
parser.add_argument("--max-tokens", type=int, default=None, help="cut rows that are longer")
args = parser.parse_args()
state = {"step": 0, "learning_rates": [], "trained_by": []}
found = sorted(args.out.glob("checkpoint-*/state.json"), key=lambda path: int(path.parent.name.split("-")[1]))
if found:
    state = json.loads(found[-1].read_text())
    print(f"continuing from {found[-1].parent.name}", flush=True)
for step in range(state["step"] + 1, args.steps + 1):
    length = 9120 if step == 83 else 480
    if args.max_tokens is not None:
        length = min(length, args.max_tokens)
    if length > 4096:
        sys.exit(f"step {step}: a row of {length} tokens: out of memory (tried to allocate 21.4 GiB of 16.0 GiB)")
    print(f"step {step}/{args.steps} loss {3 / step ** 0.5:.3f}", flush=True)
    state["step"] = step
    state["learning_rates"] = sorted({*state["learning_rates"], args.learning_rate})
    state["trained_by"].append(os.environ.get("JOB_ID", "local"))
    if step % 10 == 0:
        folder = args.out / f"checkpoint-{step}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state.json").write_text(json.dumps(state))
(args.out / "final").mkdir(parents=True, exist_ok=True)
(args.out / "final/model.json").write_text(json.dumps(state))
'''

    def train(self, desk: Desk, *more: str) -> str:
        from huggingface_hub import Volume

        bucket = Volume(type="bucket", source=desk.repo("runs"), mount_path="/runs")
        command = ["python", "-c", self.program, "/runs/exp1", "--learning-rate", "0.0003", *more]
        return finished(desk, command, volumes=[bucket], flavor="cpu-basic", timeout="30m", labels={"run": "exp1"})

    def setup(self, desk: Desk) -> None:
        desk.write("train.py", self.program)
        desk.api.create_bucket(desk.repo("runs"))
        desk.start["job"] = self.train(desk)

    def final(self, desk: Desk) -> dict[str, Any]:
        import tempfile
        from pathlib import Path

        wanted = "exp1/final/model.json"
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            names = [each.path for each in desk.api.list_bucket_tree(desk.repo("runs"), recursive=True)]
            if wanted not in names:
                return {}
            desk.api.download_bucket_files(desk.repo("runs"), [(wanted, path)])
            found = from_jsonl(path.read_bytes())
        return found[0] if found else {}

    def grade(self, desk: Desk) -> Graded:
        final = self.final(desk)
        trained = final.get("trained_by", [])
        text = "The run is finished: 100 steps, and final/model.json is in the bucket"
        yield (
            text,
            final.get("step") == 100 and len(trained) == 100,
            f"step {final.get('step')}, {len(trained)} trained",
        )
        first = trained[:80].count(desk.start["job"])
        yield "Steps 1 to 80 were trained once, by the first job", first == 80, f"{first} by it"
        rates = final.get("learning_rates")
        yield "The learning rate is the first job's", rates == [0.0003], rates
        told = re.search(r"memory|oom", desk.report, re.I) and re.search(r"9,?120|long|length|token", desk.report, re.I)
        text = "The report names the reason: a row that was too long for the memory"
        yield text, told, desk.report[:300]

    def solve(self, desk: Desk) -> str:
        self.train(desk, "--max-tokens", "4096")
        return "Step 83 has a row of 9,120 tokens, too long for the memory. I cut rows at 4,096 and went on at 80."


class GrpoReward(Task):
    id = "grpo-reward"
    #: (expectation, completion, answer, reward)
    plain = (("It is 12.", "12", 1.0), ("First 5, then 7, so 12", "12", 1.0), ("It is 13.", "12", 0.0))
    written = (
        ("So 1,234 in all.", "He adds them.\n#### 1,234", 1.0), ("1234", "#### 1,234", 1.0), ("-7", "#### -7", 1.0),
        ("7", "#### -7", 0.0), ("It costs 2.50", "#### 2.5", 1.0), ("1,235", "#### 1,234", 0.0),
        ("He adds 40", "He adds 40.\n#### 41", 0.0),
    )  # fmt: skip
    tricks = (("I do not know.", "12", 0.0), ("", "12", 0.0), ("12, or perhaps 13", "12", 0.0), ("12 13 14", "13", 0.0))

    def setup(self, desk: Desk) -> None:
        rows = [{"prompt": [{"role": "user", "content": f"What is {n * 411} plus {n}?"}],
                 "answer": f"Add {n * 411:,} and {n}.\n#### {n * 412:,}"} for n in range(1, 40)]  # fmt: skip
        desk.write("sums.jsonl", rows)

    def rewards(self, desk: Desk, cases: tuple[tuple[str, str, float], ...], messages: bool) -> Any:
        """What correct() gives for the cases, in a process of its own; None where it fails."""
        texts: list[Any] = [text for text, _, _ in cases]
        if messages:
            texts = [[{"role": "assistant", "content": text}] for text in texts]
        program = "import json, sys; from reward import correct; case = json.load(sys.stdin)\n"
        program += "print(json.dumps([float(x) for x in correct(**case)]))"
        case = {
            "completions": texts,
            "answer": [answer for _, answer, _ in cases],
            "prompts": texts,
            "trainer_state": None,
        }
        done = subprocess.run([sys.executable, "-c", program], input=json.dumps(case), cwd=desk.folder, text=True,
                              capture_output=True, check=False, timeout=60)  # fmt: skip
        try:
            return json.loads(done.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            return None

    def grade(self, desk: Desk) -> Graded:
        graded = (
            ("It gives 1.0 to right and 0.0 to wrong plain completions, a number for each", self.plain, False),
            ("It reads completions that are lists of messages", self.plain, True),
            ("It reads answers behind ####, with thousands separators and signs", self.written, False),
            ("It gives 0.0 where no number is written, and where the right number is not the last", self.tricks, True),
        )
        for text, cases, messages in graded:
            found, wanted = self.rewards(desk, cases, messages), [reward for _, _, reward in cases]
            yield text, found == wanted, f"{found}, and not {wanted}"

    def solve(self, desk: Desk) -> str:
        desk.write(
            "reward.py",
            r"""import re

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def last(text):
    found = NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def correct(completions, answer, **kwargs):
    texts = [each if isinstance(each, str) else each[-1]["content"] for each in completions]
    pairs = [(last(text), last(right.split("####")[-1])) for text, right in zip(texts, answer)]
    return [float(said is not None and said == right) for said, right in pairs]
""",
        )
        return "reward.py reads the number behind ####."


class Truncation(Task):
    id = "truncation"

    def rows(self) -> list[dict[str, Any]]:
        draw = random.Random(9)
        return [chat(f"Tell me of day {n}.", "rain é " * int(draw.expovariate(1 / 14) + 2)) for n in range(300)]

    def setup(self, desk: Desk) -> None:
        desk.upload("model", "tiny-qwen3", tiny_model())
        desk.write("chats.jsonl", self.rows())

    def grade(self, desk: Desk) -> Graded:
        found, lengths = desk.document("lengths.json"), sorted(map(tokens, self.rows()))
        numbers = {key: value if isinstance(value := found.get(key), int) else -99 for key in
                   ("rows", "cut_at_256", "max_length", "longest")}  # fmt: skip
        text = "lengths.json is of all rows, and has the longest in tokens of the model's template"
        right = numbers["rows"] == 300 and abs(numbers["longest"] - lengths[-1]) <= 2
        yield text, right, f"{numbers}, and {lengths[-1]}"
        cut = sum(length > 256 for length in lengths)
        near = {sum(length > 256 + slack for length in lengths) for slack in (-2, -1, 0, 1, 2)}
        yield "cut_at_256 is the number of rows that are longer", numbers["cut_at_256"] in near, f"{numbers}, and {cut}"
        needed = lengths[-7]  # six of 300 may be longer
        text = "max_length keeps 98 in 100 rows whole, and is not twice what that needs"
        yield text, needed - 2 <= numbers["max_length"] < 2 * needed, f"{numbers}, and {needed}"

    def solve(self, desk: Desk) -> str:
        lengths = sorted(map(tokens, self.rows()))
        found = {"rows": 300, "cut_at_256": sum(length > 256 for length in lengths), "max_length": lengths[-7],
                 "longest": lengths[-1]}  # fmt: skip
        desk.write("lengths.json", json.dumps(found))
        return "See lengths.json."


#: A tenth of 200 steps, as a number of steps, as a share (transformers 5 takes one below 1), or worked out.
WARM = (20, 0.1, "int(0.1 * 200)", "int(200 * 0.1)", "200 // 10")


class OldScript(Task):
    id = "old-script"
    gone = ("warmup_ratio", "max_seq_length", "evaluation_strategy", "tokenizer")
    old = '''"""Fine-tunes a small model on chats."""
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

rows = load_dataset("json", data_files="chats.jsonl", split="train").train_test_split(0.1, seed=0)
tokenizer = AutoTokenizer.from_pretrained("model")
tokenizer.padding_side = "right"
model = AutoModelForCausalLM.from_pretrained("model")
config = SFTConfig(
    output_dir="out",
    max_steps=200,
    learning_rate=2e-4,
    warmup_ratio=0.1,
    max_seq_length=1024,
    evaluation_strategy="steps",
    eval_steps=50,
)
trainer = SFTTrainer(
    model=model, args=config, tokenizer=tokenizer, train_dataset=rows["train"], eval_dataset=rows["test"]
)
trainer.train()
'''

    def setup(self, desk: Desk) -> None:
        desk.write("train_old.py", self.old)

    def arguments(self, text: str) -> dict[str, dict[str, Any]]:
        """Class -> keyword -> its value, or the source of what is no constant."""
        found: dict[str, dict[str, Any]] = {"SFTConfig": {}, "SFTTrainer": {}}
        try:
            tree = ast.parse(text)
        except SyntaxError:
            return found
        for node in ast.walk(tree):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name in found:
                for keyword in node.keywords:
                    try:
                        value = ast.literal_eval(keyword.value)
                    except ValueError:
                        value = ast.unparse(keyword.value)
                    found[name][str(keyword.arg)] = value
        return found

    def grade(self, desk: Desk) -> Graded:
        found = self.arguments(desk.read("train_new.py"))
        config, trainer = found["SFTConfig"], found["SFTTrainer"]
        left = [name for name in self.gone if name in config or name in trainer]
        text = "train_new.py is Python, and calls SFTConfig and SFTTrainer without an argument that is gone"
        yield text, config and trainer and not left, f"left: {left}, {found}"
        kept = (config.get("max_length"), config.get("eval_strategy"), config.get("eval_steps"))
        yield "max_length is 1024 and the evaluation is by steps, every 50", kept == (1024, "steps", 50), kept
        warm = config.get("warmup_steps")
        yield "The warm-up is a tenth of the 200 steps", config.get("max_steps") == 200 and warm in WARM, warm
        handed = "processing_class" in trainer and config.get("learning_rate") == 2e-4
        text = "The tokenizer is handed to the trainer, and the learning rate is 2e-4"
        yield text, handed, f"{trainer}, {config.get('learning_rate')}"

    def solve(self, desk: Desk) -> str:
        names = [("warmup_ratio=0.1", "warmup_steps=20"), ("max_seq_length", "max_length")]
        names += [("evaluation_strategy", "eval_strategy"), ("tokenizer=tokenizer", "processing_class=tokenizer")]
        text = self.old
        for before, after in names:
            text = text.replace(before, after)
        desk.write("train_new.py", text)
        return "Four arguments have other names."


class Diverged(Task):
    id = "diverged"
    loop = (
        "import sys, time\nprint('learning_rate', sys.argv[1], flush=True)\n"
        "for step in range(1, 7200):\n    loss = 'nan' if sys.argv[2] == 'bad' and step > 3 else f'{3 / step:.3f}'\n"
        "    print(f'step {step} loss {loss}', flush=True)\n    time.sleep(0.05 if step < 20 else 1)\n"
    )

    def setup(self, desk: Desk) -> None:
        finished(desk, ["python", "-c", "print('step 200 loss 0.9')"], labels={"run": "first"})
        for name, rate, kind in (("second", "0.0002", "good"), ("third", "0.05", "bad")):
            job = desk.api.run_job(
                image="python:3.12", command=["python", "-c", self.loop, rate, kind], timeout="2h",
                namespace=desk.user, labels={"run": name},
            )  # fmt: skip
            desk.start[name] = job.id

    def stage(self, desk: Desk, name: str) -> str:
        return str(desk.api.inspect_job(job_id=desk.start[name], namespace=desk.user).status.stage)

    def grade(self, desk: Desk) -> Graded:
        bad, good = self.stage(desk, "third"), self.stage(desk, "second")
        yield "The job whose loss is not a number is canceled", bad == "CANCELED", bad
        yield "The healthy job still runs", good in ("RUNNING", "SCHEDULING"), good
        yield "No job was started", not desk.jobs(), f"{len(desk.jobs())} jobs"
        told = "0.05" in desk.report or "5e-2" in desk.report.lower()
        yield "The report names the learning rate of the diverged job, 0.05", told, desk.report[:300]

    def solve(self, desk: Desk) -> str:
        desk.api.cancel_job(job_id=desk.start["third"], namespace=desk.user)
        for _ in range(100):
            if self.stage(desk, "third") == "CANCELED":
                break
            time.sleep(0.05)
        return "I canceled the third, whose learning rate was 0.05."

    def spoil(self, desk: Desk) -> None:
        desk.api.cancel_job(job_id=desk.start["second"], namespace=desk.user)
        finished(desk, ["python", "-c", "pass"])


if __name__ == "__main__":
    raise SystemExit(run(main))
