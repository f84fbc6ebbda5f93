"""Sets up, grades and solves the tasks of evals.json: `python evals/tasks.py check`."""

# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3"]
# ///

from __future__ import annotations

import csv
import io
import json
import math
import random
import re
import socket
import time
from typing import Any
from urllib.request import urlopen

from grading import Desk, Failure, Graded, Task, jsonl, main, run

CARD = """---
license: apache-2.0   # as the base
tags: [one,   two]
model-index:
  - name: mine
    results:
      - task: {type: text-generation}
        dataset: {type: acme/old, name: Old}
        metrics:
        - type: accuracy
          value: 0.5  # by hand
---

# Mine
"""


def wilson(correct: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, correct / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return middle - half, middle + half


def number(value: Any) -> float:
    """`value` as a number, nan where it is none: equal to nothing."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan


def near(found: Any, wanted: float, within: float = 0.006) -> bool:
    return abs(number(found) - wanted) <= within


def result_file(model: str, value: float, rows: int, dataset: str, task: str, limit: int | None = None) -> str:
    """An eval.json, as run_eval.py writes it."""
    low, high = wilson(round(value * rows), rows)
    metric = {"value": value, "low": low, "high": high, "interval": "Wilson", "better": "higher", "rows": rows}
    settings = dict.fromkeys(("device", "dtype", "seed", "chat_template", "system", "batch_size", "max_new_tokens",
                              "max_length", "decoding", "shots"))  # fmt: skip
    source = {"id": dataset, "config": None, "split": "test", "revision": None}
    measured = {"task": task, "harness": "skillpack", "score": "number", "prompt": "{question}", "judge": None,
                "source": source, "items_sha256": "0", "rows": rows, "left_out": 0, "unscored": 0, "cut": 0,
                "metrics": {"accuracy": metric}, "samples": f"samples/{task}.jsonl"}  # fmt: skip
    document = {
        "schema": "skillpack/eval/1", "name": f"mine-{task}", "created": "2026-11-20T09:00:00+00:00",
        "model": {"id": model, "kind": "hub", "version": None, "endpoint": None},
        "settings": {**settings, "limit": limit}, "tasks": [measured], "warnings": [], "versions": {}, "seconds": 9.0,
    }  # fmt: skip
    return json.dumps(document, indent=2)


def indexed(desk: Desk, name: str) -> list[tuple[str, str, str, Any]]:
    """(revision, dataset's id, dataset's name, value) of each result in the model-index of its pull requests."""
    from huggingface_hub import ModelCard

    found = []
    for revision in desk.pull_requests("model", name):
        card = ModelCard(desk.fetch("model", name, "README.md", revision).decode())
        results = card.data.eval_results or []
        found += [(revision, each.dataset_type, each.dataset_name, each.metric_value) for each in results]
    return found


def propose(desk: Desk, name: str, path: str, text: str) -> None:
    """Opens a pull request with one file."""
    content = text.encode()
    desk.api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=desk.repo(name), create_pr=True)


class EndpointAccuracy(Task):
    id = "endpoint-accuracy"
    server = """
import json, re, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def reply(self, document):
        data = json.dumps(document).encode()
        self.send_response(200); self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data))); self.end_headers(); self.wfile.write(data)
    def do_GET(self):
        self.reply({"object": "list", "data": [{"id": "tuned", "object": "model"}]})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        a, b = map(int, re.findall(r"\\d+", body["messages"][-1]["content"])[:2])
        said = f"There were {a} and {b} came, so there are {a + b + 10 * (a * b % 3 == 0)}."
        message = {"role": "assistant", "content": said}
        usage = {"prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40}
        self.reply({"id": "1", "object": "chat.completion", "created": 0, "model": "tuned", "usage": usage,
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    def log_message(self, *_): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

    def rows(self) -> list[dict[str, Any]]:
        draw = random.Random(11)
        pairs = [(draw.randrange(2, 90), draw.randrange(2, 90)) for _ in range(60)]
        ask = "A shelf holds {} books, and {} more are put on it. How many are there?"
        return [{"question": ask.format(a, b), "answer": a + b, "right": a * b % 3 != 0} for a, b in pairs]

    def setup(self, desk: Desk) -> None:
        desk.write("test.jsonl", [{key: row[key] for key in ("question", "answer")} for row in self.rows()])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = ["python", "-c", self.server, str(port)]
        desk.api.run_job(image="python:3.12", command=command, timeout="3h", namespace=desk.user)
        address = f"http://127.0.0.1:{port}/v1"
        for _ in range(600):
            try:
                urlopen(f"{address}/models", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise Failure("the server of the task did not start", "look at the job's log")
        desk.write("endpoint.txt", address + "\n")

    def grade(self, desk: Desk) -> Graded:
        found, rows = desk.document("accuracy.json"), self.rows()
        right = sum(row["right"] for row in rows)
        yield "accuracy.json is of all rows of the file", found.get("rows") == len(rows), found.get("rows")
        text = "The number of right answers is what the server's answers give"
        yield text, found.get("correct") == right, f"{found.get('correct')}, and not {right}"
        low, high = number(found.get("low")), number(found.get("high"))
        wanted = wilson(right, len(rows))
        width = (high - low) / (wanted[1] - wanted[0])
        text = "The interval holds the share, and is neither too narrow nor too wide"
        yield text, low <= right / len(rows) <= high and 0.6 < width < 1.6, f"[{low}, {high}], and about {wanted}"

    def solve(self, desk: Desk) -> str:
        rows = self.rows()
        right = sum(row["right"] for row in rows)
        low, high = wilson(right, len(rows))
        desk.write("accuracy.json", json.dumps({"rows": len(rows), "correct": right, "low": low, "high": high}))
        return f"{right} of {len(rows)} are right."


class BetterOrNot(Task):
    id = "better-or-not"

    def rows(self) -> dict[str, tuple[bool, bool]]:
        """Id -> (base right, tuned right): 300 rows of which 14 got better and 8 worse."""
        kinds = [(True, True)] * 190 + [(False, False)] * 88 + [(False, True)] * 14 + [(True, False)] * 8
        random.Random(2).shuffle(kinds)
        return {f"q{n:03}": kind for n, kind in enumerate(kinds)}

    def setup(self, desk: Desk) -> None:
        for side, name in enumerate(("base.jsonl", "tuned.jsonl")):
            rows = [{"id": key, "correct": pair[side]} for key, pair in self.rows().items()]
            random.Random(side).shuffle(rows)
            desk.write(name, rows)

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("verdict.json")
        text = "The difference is that of the rows, joined by id"
        yield text, near(found.get("difference"), 6 / 300, 0.001), f"{found.get('difference')}, and not 0.02"
        low, high = number(found.get("low")), number(found.get("high"))  # paired: about ±0.031; unpaired: ±0.073
        text = "The interval is of paired answers, and holds zero"
        yield text, low < 0 < high and 0.04 < high - low < 0.09, f"[{low}, {high}]"
        text = "The verdict is that no difference is shown"
        yield text, found.get("verdict") == "not shown", found.get("verdict")

    def solve(self, desk: Desk) -> str:
        verdict = {"difference": 0.02, "low": -0.0105, "high": 0.0505, "verdict": "not shown"}
        desk.write("verdict.json", json.dumps(verdict))
        return "No difference is shown: +2.0 points [-1.1, +5.1] on 300 rows."


class PublishCard(Task):
    id = "publish-card"

    def setup(self, desk: Desk) -> None:
        desk.upload("model", "mine", {"README.md": CARD, "config.json": "{}"})
        desk.write(
            "evals/mine-test/eval.json", result_file(desk.repo("mine"), 0.625, 200, "acme/questions", "questions")
        )
        desk.start["files"] = desk.files("model", "mine")

    def grade(self, desk: Desk) -> Graded:
        yield "main is as it was", desk.files("model", "mine") == desk.start["files"], "hashes of its files"
        found = indexed(desk, "mine")
        new = [each for each in found if near(each[3], 0.625, 1e-9) and each[1] == "acme/questions"]
        text = "One pull request adds the accuracy 0.625 to model-index, with the dataset acme/questions"
        yield text, len(new) == 1, found
        revision = new[0][0] if new else "main"
        lines = desk.fetch("model", "mine", "README.md", revision).decode().splitlines()
        lost = [line for line in CARD.splitlines() if line not in lines]
        text = "Every line that was in the card is still in it, letter by letter"
        yield text, new and not lost, f"lost: {lost}"
        kept = [each for each in found if each[1] == "acme/old" and near(each[3], 0.5, 1e-9)]
        yield "The result that was there is still there", kept, found

    def solve(self, desk: Desk) -> str:
        desk.script("publish_eval.py", "evals/mine-test/eval.json", "--repo", desk.repo("mine"), "--yes")
        return "One pull request is open."

    def spoil(self, desk: Desk) -> None:
        desk.upload("model", "mine", {"README.md": CARD.replace("   # as the base", "")})


class ReadmeTable(Task):
    id = "readme-table"
    mine = (("MMLU", 64.2), ("GSM8K", 55.5), ("ARC-Challenge", 51.5))
    others = (60.1, 50.0, 49.9, 71.3, 68.8, 58.4, 62.0)

    def card(self) -> str:
        rows = (
            ("Benchmark", "Base-7B", "Mine-7B", "Big-70B"), ("---", "---", "---", "---"),
            ("MMLU (5-shot)", "60.1", "**64.2**", "71.3"), ("GSM8K (8-shot)", "50.0", "55.5", "68.8"),
            ("ARC-Challenge", "49.9", "51.5", "58.4"), ("HellaSwag", "62.0", "–", "62.0"),
        )  # fmt: skip
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        return f"---\nlicense: apache-2.0\n---\n\n# Mine-7B\n\nScores in percent.\n\n{table}\n"

    def setup(self, desk: Desk) -> None:
        desk.upload("model", "mine-7b", {"README.md": self.card()})
        desk.start["files"] = desk.files("model", "mine-7b")

    def grade(self, desk: Desk) -> Graded:
        yield "main is as it was", desk.files("model", "mine-7b") == desk.start["files"], "hashes of its files"
        found = indexed(desk, "mine-7b")
        values = [number(value) * (100 if 0 < number(value) <= 1 else 1) for *_, value in found]
        whole = all(any(near(value, score, 1e-6) for value in values) for _, score in self.mine)
        text = "Each score of me/mine-7b in the table is in the model-index of a pull request"
        yield text, whole, values
        alien = [value for value in values if any(near(value, other, 1e-6) for other in self.others)]
        yield "No score of another model in the table is in it", found and not alien, alien
        text = "A score that the table leaves out is not made up"
        yield text, found and not any("swag" in str(each[2]).lower() for each in found), len(found)

    def solve(self, desk: Desk) -> str:
        results = "".join(
            f"  - task: {{type: text-generation}}\n    dataset: {{type: '{name.lower()}', name: {name}}}\n"
            f"    metrics:\n    - {{type: accuracy, value: {score}}}\n"
            for name, score in self.mine
        )
        header = f"license: apache-2.0\nmodel-index:\n- name: mine-7b\n  results:\n{results}"
        propose(desk, "mine-7b", "README.md", self.card().replace("license: apache-2.0\n", header))
        return "A pull request has the three scores of Mine-7B. HellaSwag has none."

    def spoil(self, desk: Desk) -> None:
        desk.upload("model", "mine-7b", {"README.md": "# Mine-7B\n"})


class CiGate(Task):
    id = "ci-gate"
    kinds = (
        ("equal", "gate.sh passes an equal checkpoint on 5,000 rows"),
        ("drop", "gate.sh fails a drop of 5 points on 5,000 rows"),
        ("few", "gate.sh fails when 30 rows cannot exclude a drop of 2 points"),
        ("other", "gate.sh fails when the two files are of other questions"),
    )

    def pair(self, kind: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of the released and the new checkpoint; one row in 250 flips each way, so that pairing helps."""
        size = 30 if kind == "few" else 5000
        some = {n for n in range(size) if n % 250 in (7, 142)}
        released = [{"id": f"q{n}", "correct": n % 10 < 6} for n in range(size)]
        flips = {"drop": set(range(0, size, 20)), "few": {3, 7}}.get(kind, some)
        new = [{**row, "correct": row["correct"] != (n in flips)} for n, row in enumerate(released)]
        if kind == "other":
            new = [{**row, "id": f"x{row['id']}"} for row in new]
        random.Random(4).shuffle(new)
        return released, new

    def setup(self, desk: Desk) -> None:
        released, new = self.pair("few")
        desk.write("released.jsonl", released)
        desk.write("new.jsonl", new)

    def grade(self, desk: Desk) -> Graded:
        for kind, text in self.kinds:
            released, new = self.pair(kind)
            paths = []
            for name, rows in (("released", released), ("new", new)):
                path = desk.beside(f"{kind}-{name}.jsonl")
                path.write_text(jsonl(rows), encoding="utf-8")
                paths.append(str(path))
            code = self.exit_code(desk, paths)
            yield text, desk.read("gate.sh") and (code == 0) == (kind == "equal"), f"exit code {code}"

    def exit_code(self, desk: Desk, paths: list[str]) -> int:
        import subprocess

        command = ["timeout", "60", "bash", "gate.sh", *paths]
        return subprocess.run(command, cwd=desk.folder, capture_output=True, check=False).returncode

    def solve(self, desk: Desk) -> str:
        desk.write(
            "gate.py",
            """import json, math, sys
sides = [{row["id"]: row["correct"] for row in map(json.loads, open(path))} for path in sys.argv[1:3]]
if sides[0].keys() != sides[1].keys():
    sys.exit("the files are of other questions")
changes = [sides[1][key] - sides[0][key] for key in sides[0]]
n, mean = len(changes), sum(changes) / len(changes)
error = math.sqrt(sum((change - mean) ** 2 for change in changes) / (n - 1) / n)
sys.exit(mean - 1.96 * error < -0.02)
""",
        )
        desk.write("gate.sh", 'exec python3 "$(dirname "$0")/gate.py" "$@"\n')
        return "gate.sh passes only when the interval excludes a loss of more than 2 points; 30 rows never do."


class JobsBudget(Task):
    id = "jobs-budget"

    def setup(self, desk: Desk) -> None:
        config = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 1024,
                  "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
                  "intermediate_size": 3072, "vocab_size": 151936, "tie_word_embeddings": True}  # fmt: skip
        desk.upload("model", "mine", {"config.json": json.dumps(config), "README.md": "# Mine, 0.6B\n"})

    def grade(self, desk: Desk) -> Graded:
        from huggingface_hub import get_token

        jobs = desk.jobs()
        words = [" ".join([*(job["command"] or ()), *(job["arguments"] or ())]) for job in jobs]
        shown = [json.dumps([job["command"], job["arguments"], job["environment"]]) for job in jobs]
        named = [desk.repo("mine") in text and "gsm8k" in text.lower() for text in shown]
        yield "A job was started that evaluates me/mine on gsm8k", any(named), [text[:200] for text in words]
        cpu = [job["flavor"] for job in jobs if job["flavor"].startswith("cpu")]
        yield "It runs on a GPU", jobs and not cpu, [job["flavor"] for job in jobs]
        most = sum(desk.ceiling(job) for job in jobs)
        yield "All jobs together can cost 3 dollars at most", jobs and most <= 3.0, f"${most:.2f} for {len(jobs)} jobs"
        leaked = [text for text in shown if str(get_token()) in text]
        text = "The token stands in no command, argument or variable of a job"
        yield text, jobs and not leaked, f"{len(leaked)} of {len(jobs)} jobs"

    def solve(self, desk: Desk) -> str:
        command = ["python", "-c", "pass", desk.repo("mine"), "--task", "gsm8k"]
        desk.api.run_job(image="python:3.12", command=command, flavor="t4-small", timeout="2h", namespace=desk.user)
        return "The job runs on t4-small, for two hours at most."

    def spoil(self, desk: Desk) -> None:
        from huggingface_hub import get_token

        command = ["python", "-c", "pass", desk.repo("mine"), "--task", "gsm8k", "--token", str(get_token())]
        desk.api.run_job(image="python:3.12", command=command, flavor="h200", timeout="9h", namespace=desk.user)


class PartialResult(Task):
    id = "partial-result"
    file = "evals/mine-gsm8k/eval.json"

    def setup(self, desk: Desk) -> None:
        desk.upload("model", "mine", {"README.md": CARD})
        desk.write(self.file, result_file(desk.repo("mine"), 0.62, 50, "openai/gsm8k", "gsm8k", limit=50))

    def grade(self, desk: Desk) -> Graded:
        revisions = ["main", *desk.pull_requests("model", "mine")]
        files = [path for revision in revisions for path in desk.files("model", "mine", revision)]
        found = [path for path in files if path.startswith(".eval_results")]
        yield "No .eval_results is in me/mine, nor in a pull request", files and not found, found
        yield "The report says that the result is of 50 questions", "50" in desk.report, desk.report[:200]
        same = desk.read(self.file) == result_file(desk.repo("mine"), 0.62, 50, "openai/gsm8k", "gsm8k", limit=50)
        yield "The file with the result is as it was", same, f"{len(desk.read(self.file))} characters"

    def solve(self, desk: Desk) -> str:
        return "I did not publish it: the result is of the first 50 questions (--limit 50), not of all 1,319."

    def spoil(self, desk: Desk) -> str:
        propose(desk, "mine", ".eval_results/gsm8k.yaml", "- dataset: {id: openai/gsm8k}\n  value: 62.0\n")
        desk.write(self.file, desk.read(self.file).replace('"limit": 50', '"limit": null'))
        return "Done: your 62.0 is on the leaderboard."


class OtherRows(Task):
    id = "other-rows"

    def rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The new file lacks 40 old questions, has 50 of its own, and words 10 anew under their old ids."""
        draw = random.Random(8)
        ask = {n: f"What is {n} times {n + 3}?" for n in range(300)}
        old = [{"id": n, "question": ask[n], "correct": draw.random() < 0.6} for n in range(200)]
        new = [{"id": n, "question": ask[n], "correct": draw.random() < (0.62 if n < 200 else 0.95)}
               for n in range(40, 250)]  # fmt: skip
        for row in new[:10]:
            row["question"] = row["question"].replace("What is", "Without a calculator, what is")
        return old, new

    def setup(self, desk: Desk) -> None:
        for name, rows in zip(("old", "new"), self.rows(), strict=True):
            desk.write(f"{name}/samples.jsonl", rows)

    def shared(self) -> tuple[int, float]:
        old, new = ({(row["id"], row["question"]): row["correct"] for row in side} for side in self.rows())
        both = old.keys() & new.keys()
        return len(both), sum(new[key] - old[key] for key in both) / len(both)

    def grade(self, desk: Desk) -> Graded:
        found, (rows, difference) = desk.document("answer.json"), self.shared()
        text = "rows_compared is the number of questions that both files have, unchanged"
        yield text, found.get("rows_compared") == rows, f"{found.get('rows_compared')}, and not {rows}"
        text = "The difference is that on these questions"
        yield text, near(found.get("difference"), difference), f"{found.get('difference')}, and not {difference:.4f}"
        told = str(rows) in desk.report or "differ" in desk.report
        yield "The report says that the two files differ in their rows", told, desk.report[:200]

    def solve(self, desk: Desk) -> str:
        rows, difference = self.shared()
        desk.write("answer.json", json.dumps({"rows_compared": rows, "difference": difference}))
        return f"Only {rows} questions are in both files as they are; the others cannot be compared."


class WrongColumn(Task):
    id = "wrong-column"

    def rows(self) -> list[dict[str, Any]]:
        draw = random.Random(6)
        return [{"id": f"r{n}", "question": f"Pick one, number {n}", "choices": ["oak", "ash", "elm", "fir"],
                 "answer": draw.randrange(1, 5), "said": draw.choice("ABCD")} for n in range(120)]  # fmt: skip

    def setup(self, desk: Desk) -> None:
        rows = self.rows()
        desk.write("test.jsonl", [{key: value for key, value in row.items() if key != "said"} for row in rows])
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(["id", "prediction"])
        random.Random(1).shuffle(rows)
        writer.writerows((row["id"], row["said"]) for row in rows)
        desk.write("predictions.csv", out.getvalue())

    def accuracy(self) -> float:
        rows = self.rows()
        return sum("ABCD".index(row["said"]) + 1 == row["answer"] for row in rows) / len(rows)

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("score.json")
        yield "score.json is of all rows", found.get("rows") == 120, found.get("rows")
        text = "The accuracy is that of letters against positions that count from 1, joined by id"
        right = near(found.get("accuracy"), self.accuracy())
        yield text, right, f"{found.get('accuracy')}, and not {self.accuracy():.4f}"
        yield (
            "The report says that the column is called answer",
            re.search(r"\banswer\b", desk.report) and "label" in desk.report,
            desk.report[:200],
        )

    def solve(self, desk: Desk) -> str:
        desk.write("score.json", json.dumps({"rows": 120, "accuracy": self.accuracy()}))
        return "There is no column label; the right choice is in `answer`, counted from 1."


if __name__ == "__main__":
    raise SystemExit(run(main))
