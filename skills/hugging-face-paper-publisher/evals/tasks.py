"""Sets up, grades and solves the tasks of evals.json: `python evals/tasks.py check`."""

# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3"]
# ///

from __future__ import annotations

import json
import math
import random
import re
from typing import Any

from grading import Desk, Graded, Task, main, run

FAMILIES = [
    "Abara",
    "Brisk",
    "Corvin",
    "Dunmore",
    "Ekholm",
    "Farrow",
    "Galdos",
    "Hask",
    "Ivers",
    "Jandl",
    "Kestrel",
    "Lomax",
]
GIVEN = ["Ada", "Bo", "Cleo", "Dag", "Elif", "Finn", "Greta", "Hugo"]
TOPICS = ["Kettles", "Ladders", "Mirrors", "Violins", "Pencils", "Carpets"]


def request(desk: Desk, method: str, path: str, **more: Any) -> Any:
    from huggingface_hub import get_session, get_token

    headers = {"Authorization": f"Bearer {get_token()}"}
    return get_session().request(method, desk.api.endpoint + path, headers=headers, **more)


def new_paper(desk: Desk, authors: int = 3) -> dict:
    """A paper that the Hub has a page for: {id, title, authors, year}."""
    year = random.randint(16, 25)
    paper = {
        "arxivId": f"{year}{random.randint(1, 12):02d}.{random.randint(1, 99_999):05d}",
        "title": f"On {random.choice(TOPICS)} That Learn {random.randint(100, 999)}",
        "authors": [f"{random.choice(GIVEN)} {family}" for family in random.sample(FAMILIES, authors)],
        "summary": "We look at them.", "publishedAt": f"20{year}-01-15",
    }  # fmt: skip
    request(desk, "POST", "/api/papers/index", json=paper).raise_for_status()
    return {"id": paper["arxivId"], "title": paper["title"], "authors": paper["authors"], "year": f"20{year}"}


def metric(base: float, tuned: float, low: float, high: float, better: str = "higher") -> dict:
    shown = not low <= 0 <= high
    return {"better": better, "base": base, "tuned": tuned, "difference": tuned - base, "low": low, "high": high,
            "beyond_interval": shown}  # fmt: skip


def run_json() -> dict:
    """A finished run as the model trainer writes it, with results that differ from setup to setup."""
    noise = random.Random(random.getrandbits(32))
    base, tuned = noise.uniform(2.2, 3), noise.uniform(1.2, 1.8)
    right, change = noise.randint(60, 120) / 200, tuned - base
    started, ended = base + noise.uniform(0.02, 0.1), tuned - noise.uniform(0.04, 0.12)  # of training: apart from both
    plan = {
        "schema": "skillpack/plan/1", "name": "support", "method": "sft",
        "model": {"id": "/home/ada/models/Base-0.6B", "parameters": 596_049_920, "layers": 28, "hidden_size": 1024,
                  "vocab_size": 32_000},
        "dataset": {"source": {"id": "acme/support-chats", "split": "train", "revision": noise.randbytes(20).hex()},
                    "mapping": {}, "split": {"key": "group", "fraction": 0.1, "seed": 0}, "rows": 4000},
        "hardware": {"where": "local", "device": "cuda", "name": "NVIDIA L4", "memory_gb": 24},
        "settings": {"device": "cuda", "precision": "bf16", "weights": "bf16", "lora": None, "batch_size": 8,
                     "accumulation": 2, "steps": 250, "learning_rate": 2e-05, "warmup_steps": 10,
                     "activation_checkpointing": False, "max_length": 1024, "packing": False, "seed": 0,
                     "save_seconds": 300, "held_out_rows": 200},
        "estimate": {"memory_gb": 11.0, "memory_parts_gb": {}, "train_seconds": 900, "train_seconds_range": [600, 1500],
                     "disk_gb": 2.0, "cost_usd": 0.0},
        "choices": [], "warnings": [],
    }  # fmt: skip
    log = [
        {
            "step": step,
            "loss": ended + (started - ended) * math.exp(-step / 60) + noise.gauss(0, 0.03),
            "learning_rate": 2e-05 * min(1, (250 - step) / 240),
        }
        for step in range(10, 251, 10)
    ]
    return {
        "schema": "skillpack/run/1", "name": "support", "plan_sha256": noise.randbytes(32).hex(), "plan": plan,
        "status": "completed", "stopped_by": "", "steps": 250, "train_rows": 3600,
        "train_seconds": noise.uniform(880, 940), "seconds": noise.uniform(960, 1040),
        "peak_memory_gb": noise.uniform(10, 11),
        "versions": {"torch": "2.13.0", "trl": "1.16.0", "transformers": "5.23.0"}, "log": log, "model_path": "model",
        "comparison": {"rows": 200, "choices": [], "metrics": {
            "loss": metric(base, tuned, change - noise.uniform(0.04, 0.05), change + noise.uniform(0.05, 0.06),
                           "lower"),
            "accuracy": metric(right, right + 0.01, -0.03, 0.045)}},
    }  # fmt: skip


def decimals(text: str) -> list[str]:
    """Measured-looking numbers of a text: with a point, no versions, nothing in code, links or comments."""
    text = re.sub(r"```.*?```|`[^`]*`|<!--.*?-->|\]\([^)]*\)|^---\n.*?\n---\n", " ", text, flags=re.S)
    return re.findall(r"(?<![\w.])\d+\.\d+(?![\w.]|\.\d)", text)


def leaves(value: Any) -> list[float]:
    if isinstance(value, (dict, list)):
        return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in leaves(each)]
    return [float(value)] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def stands(shown: str, values: list[float]) -> bool:
    """Whether a number is one of `values`, as it is or as percent, rounded as it is written."""
    digits = len(shown.partition(".")[2])
    return any(abs(abs(value) * factor - float(shown)) <= 0.5001 * 10**-digits for value in values
               for factor in (1, 100, 1e-6, 1e-9))  # fmt: skip


def named(text: str, paper_id: str) -> bool:
    return bool(re.search(rf"(arxiv\.org/(abs|pdf)|/papers)/{re.escape(paper_id)}", text))


class WriteUp(Task):
    id = "write-up"

    def setup(self, desk: Desk) -> None:
        desk.start["run"] = run_json()
        desk.write("runs/support/run.json", json.dumps(desk.start["run"]))

    def grade(self, desk: Desk) -> Graded:
        text, page = desk.read("article/article.md"), desk.read("article/article.html")
        metrics = desk.start["run"]["comparison"]["metrics"]
        wanted = [metrics[name][side] for name in metrics for side in ("base", "tuned")]
        missing = [value for value in wanted if not any(stands(shown, [value]) for shown in decimals(text))]
        yield (
            "article/article.md has base and tuned of both metrics as run.json has them",
            text and not missing,
            missing,
        )
        shown = decimals(text)
        strange = [each for each in shown if not stands(each, leaves(desk.start["run"]))]
        yield "No number in it is of nowhere", shown and not strange, strange
        yield "There is a page of the same text", page and all(
            any(stands(each, [value]) for each in decimals(page)) for value in wanted), len(page)  # fmt: skip
        folder = desk.folder / "article"
        told = [path.name for path in folder.rglob("*") if path.is_file() and b"/home/ada" in path.read_bytes()]
        yield "No folder of this machine is in what would be published", bool(text) and not told, told

    def solve(self, desk: Desk) -> str:
        desk.script("new_article.py", "runs/support", "--author", "Ada Byron")
        desk.script("render_article.py", "article", "--to", "html")
        desk.script("check_article.py", "article")
        return "The article is in article/: the loss is better than the base's, accuracy is not shown to differ."

    def spoil(self, desk: Desk) -> None:
        desk.write(
            "article/article.md", desk.read("article/article.md") + "\nIt reached 0.98765. See /home/ada/models.\n"
        )


class WrongNumbers(Task):
    id = "wrong-numbers"

    def setup(self, desk: Desk) -> None:
        desk.write("runs/support/run.json", json.dumps(run_json()))
        desk.script("new_article.py", "runs/support", "--author", "Ada Byron")
        desk.start["right"] = text = desk.read("article/article.md")
        for side in ("base", "tuned"):
            text = re.sub(
                rf"\d\.\d+(?=<!--results/run.json#/comparison/metrics/accuracy/{side}-->)", "0.912", text, count=1
            )
        desk.write("article/article.md", text)
        desk.start["results"] = desk.read("article/results/run.json")

    def grade(self, desk: Desk) -> Graded:
        text, right = desk.read("article/article.md"), desk.start["right"]
        yield (
            "No number disagrees with the results",
            "0.912" not in text and decimals(text) == decimals(right),
            decimals(text),
        )
        plain = [re.sub(r"\d+\.\d+|\s+", "", re.sub(r"<!--.*?-->", "", each)) for each in (text, right)]
        yield "Nothing but numbers was changed", plain[0] == plain[1], len(text)
        same = desk.read("article/results/run.json") == desk.start["results"]
        yield "The results file is as it was", same, len(desk.start["results"])

    def solve(self, desk: Desk) -> str:
        desk.script("check_article.py", "article", "--update")
        return "Two numbers disagreed with results/run.json and are corrected."

    def spoil(self, desk: Desk) -> None:
        desk.write("article/article.md", desk.read("article/article.md").replace("## Limitations", "## Notes"))
        desk.write("article/results/run.json", desk.start["results"].replace('"completed"', '"done"'))


class CiteBib(Task):
    id = "cite-bib"

    def setup(self, desk: Desk) -> None:
        desk.start["paper"] = paper = new_paper(desk, 9)
        desk.start["bib"] = "% by hand\n@misc{mine,\n  title={Mine},  % draft\n  year=2020\n}\n"
        desk.write("references.bib", desk.start["bib"])
        desk.write("paper.txt", f"https://arxiv.org/pdf/{paper['id']}v3\n")

    def grade(self, desk: Desk) -> Graded:
        text, paper = desk.read("references.bib"), desk.start["paper"]
        added = text.replace(desk.start["bib"].strip(), "", 1)
        places = [added.find(name.split()[-1]) for name in paper["authors"]]
        yield (
            "The entry has all nine authors in the paper's order",
            min(places) >= 0 and places == sorted(places),
            added,
        )
        year = re.search(rf"year\s*=\s*[{{\"]?{paper['year']}", added)
        yield "It has the identifier without its version, and the year", paper["id"] in added and year and (
            f"{paper['id']}v3" not in added), added  # fmt: skip
        yield "What was in references.bib is as it was", desk.start["bib"].strip() in text, text[:200]
        yield "The paper is in it once", added.count("@") == 1 == added.count("title"), added.count("@")

    def solve(self, desk: Desk) -> str:
        desk.script("paper.py", "citation", desk.start["paper"]["id"], "--append", "references.bib")
        return "Added."

    def spoil(self, desk: Desk) -> None:
        desk.write("references.bib", desk.read("references.bib").replace("% by hand\n", ""))


class ApaList(Task):
    id = "apa-list"

    def setup(self, desk: Desk) -> None:
        desk.start["papers"] = papers = [new_paper(desk, count) for count in (1, 2, 8)]
        forms = ("arXiv:{}v2", "https://huggingface.co/papers/{}", "https://arxiv.org/abs/{}")
        desk.write(
            "papers.txt", "".join(form.format(each["id"]) + "\n" for form, each in zip(forms, papers, strict=True))
        )

    def grade(self, desk: Desk) -> Graded:
        lines = [line for line in desk.read("citations.txt").splitlines() if line.strip()]
        papers = desk.start["papers"]
        names = [", ".join(f"{name.split()[1]}, {name[0]}." for name in each["authors"][:-1]) for each in papers]
        starts = [f"{first}, & " * bool(first) + f"{each['authors'][-1].split()[1]}, {each['authors'][-1][0]}."
                  for first, each in zip(names, papers, strict=True)]  # fmt: skip
        right = len(lines) == 3 and all(line.startswith(start) for line, start in zip(lines, starts, strict=True))
        yield "A line for each paper, in order, with every author as family name and initials", right, lines
        dated = len(lines) == 3 and all(
            f"({each['year']})" in line and each["title"] in line for line, each in zip(lines, papers, strict=True)
        )
        yield "Year and title are the paper's", dated, lines

    def solve(self, desk: Desk) -> str:
        found = [
            desk.script("paper.py", "citation", each["id"], "--style", "apa").stdout for each in desk.start["papers"]
        ]
        desk.write("citations.txt", "".join(found))
        return "The three citations are in citations.txt."


class LinkCard(Task):
    id = "link-card"
    card = (
        "---\nlicense: mit   # as the base\ntags: [a,   b]\n---\n\n# Mine\n\n## Citation\n\nCite it.   \n\n## License\n"
        "\nMIT\n"
    )

    def setup(self, desk: Desk) -> None:
        desk.start["paper"] = paper = new_paper(desk)
        desk.upload("model", "mine", {"README.md": self.card})
        desk.upload("model", "other", {"README.md": f"# Other\n\nSee https://arxiv.org/abs/{paper['id']}.\n"})
        desk.write("paper.txt", f"{paper['id']}\n")

    def grade(self, desk: Desk) -> Graded:
        paper_id = desk.start["paper"]["id"]
        yield (
            "main of me/mine is as it was",
            desk.fetch("model", "mine", "README.md").decode() == self.card,
            "README.md",
        )
        revisions = desk.pull_requests("model", "mine")
        after = desk.fetch("model", "mine", "README.md", revisions[0]).decode() if len(revisions) == 1 else ""
        yield "One pull request links the paper in the card", named(after, paper_id), revisions
        rest = iter(after.splitlines(keepends=True))
        kept = all(line in rest for line in self.card.splitlines(keepends=True))
        yield "Every line of the card is still in it, letter by letter", kept, after[:300]
        others = desk.pull_requests("model", "other")
        yield "me/other, which links it already, got no pull request", not others, others

    def solve(self, desk: Desk) -> str:
        models = [f"--model={desk.repo(name)}" for name in ("mine", "other")]
        desk.script("paper.py", "link", desk.start["paper"]["id"], *models, "--yes")
        return "One pull request to me/mine; me/other links the paper already."

    def spoil(self, desk: Desk) -> None:
        desk.upload("model", "mine", {"README.md": "# Mine\n"})
        desk.api.upload_file(repo_id=desk.repo("other"), path_or_fileobj=b"# Other\n", path_in_repo="README.md",
                             create_pr=True)  # fmt: skip


class OnTheHub(Task):
    id = "on-the-hub"

    def setup(self, desk: Desk) -> None:
        known = [new_paper(desk)["id"] for _ in range(2)]
        unknown = [f"26{random.randint(1, 9):02d}.{random.randint(1, 99_999):05d}" for _ in range(2)]
        desk.start["pages"] = {**dict.fromkeys(known, True), **dict.fromkeys(unknown, False), "hep-th/9711200": False}
        desk.write("papers.txt", "\n".join(random.sample(sorted(desk.start["pages"]), 5)) + "\n")

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("pages.json")
        right = {key: value for key, value in desk.start["pages"].items() if "/" not in key}
        yield "Which papers have a page is right for each", {key: found.get(key) for key in right} == right, found
        yield (
            "The paper of 1997 is told to have none",
            found.get("hep-th/9711200") is False,
            found.get("hep-th/9711200"),
        )
        there = [key for key, value in right.items()
                 if not value and request(desk, "GET", f"/api/papers/{key}").status_code == 200]  # fmt: skip
        yield "No page was made", not there, there

    def solve(self, desk: Desk) -> str:
        def has(paper: str) -> bool:
            code = 0 if desk.start["pages"][paper] else 1
            return bool(json.loads(desk.script("paper.py", "check", paper, "--json", code=code).stdout)["indexed"])

        desk.write("pages.json", json.dumps({paper: has(paper) for paper in desk.start["pages"]}))
        return "pages.json says which have a page."

    def spoil(self, desk: Desk) -> None:
        absent = next(key for key, value in desk.start["pages"].items() if not value and "/" not in key)
        body = {"arxivId": absent, "title": "T", "authors": ["A"]}
        request(desk, "POST", "/api/papers/index", json=body).raise_for_status()


class Claim(Task):
    id = "claim"

    def setup(self, desk: Desk) -> None:
        desk.start["paper"] = paper = new_paper(desk, 5)
        desk.write("paper.txt", f"https://huggingface.co/papers/{paper['id']}\nI am {paper['authors'][2].lower()}.\n")

    def claimed(self, desk: Desk) -> list[str]:
        found = request(desk, "GET", f"/api/papers/{desk.start['paper']['id']}").json()
        return [each["name"] for each in found["authors"] if (each.get("user") or {}).get("user") == desk.user]

    def grade(self, desk: Desk) -> Graded:
        wanted, found = desk.start["paper"]["authors"][2], self.claimed(desk)
        yield "The author that the user is, is claimed for the user", wanted in found, found
        yield "No other author is claimed", set(found) <= {wanted}, found

    def solve(self, desk: Desk) -> str:
        paper = desk.start["paper"]
        desk.script("paper.py", "claim", paper["id"], "--author", paper["authors"][2].lower(), "--yes")
        return f"Claimed {paper['authors'][2]}."

    def spoil(self, desk: Desk) -> None:
        paper = desk.start["paper"]
        desk.script("paper.py", "claim", paper["id"], "--author", paper["authors"][0], "--yes")


class Publish(Task):
    id = "publish"

    def setup(self, desk: Desk) -> None:
        desk.write("runs/support/run.json", json.dumps(run_json()))
        desk.script("new_article.py", "runs/support", "--author", "Ada Byron")
        desk.start["right"] = decimals(desk.read("article/article.md"))
        text = re.sub(r"\d\.\d+(?=<!--results/run.json#/comparison/metrics/loss/tuned-->)", "0.111",
                      desk.read("article/article.md"), count=1)  # fmt: skip
        desk.write("article/article.md", text)
        desk.start["card"] = "# Support\n\nBy hand.\n"
        desk.upload("model", "support", {"README.md": desk.start["card"]})

    def grade(self, desk: Desk) -> Graded:
        revisions = desk.pull_requests("model", "support")
        names = list(desk.files("model", "support", revisions[0])) if len(revisions) == 1 else []
        path = next((name for name in names if name.endswith("article.md")), "")
        text = desk.fetch("model", "support", path, revisions[0]).decode() if path else ""
        yield "One pull request carries the article", bool(path), revisions
        folder = path.removesuffix("article.md")
        linked = [f"{folder}{name}" for name in re.findall(r"\]\((figures/[^)]+)\)", text)]
        yield "Its figures and its results file are with it", path and not {*linked, f"{folder}results/run.json"} - {
            *names}, names  # fmt: skip
        yield "Its numbers are those of the results", decimals(text) == desk.start["right"], decimals(text)
        main_files = desk.files("model", "support")
        same = desk.fetch("model", "support", "README.md").decode() == desk.start["card"]
        yield "main is as it was", same and not [name for name in main_files if "article" in name], sorted(main_files)

    def solve(self, desk: Desk) -> str:
        desk.script("check_article.py", "article", "--update")
        desk.script("publish_article.py", "article", "--repo", desk.repo("support"), "--yes")
        return "The article is a pull request; one number disagreed with the results and was corrected."

    def spoil(self, desk: Desk) -> None:
        desk.upload("model", "support", {"README.md": "# Support\n"})


if __name__ == "__main__":
    raise SystemExit(run(main))
