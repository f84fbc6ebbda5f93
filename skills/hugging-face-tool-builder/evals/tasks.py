"""Sets up, grades and solves the tasks of evals.json: `python evals/tasks.py check`."""

# /// script
# requires-python = ">=3.10"
# dependencies = ["huggingface_hub>=2.4,<3"]
# ///

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from grading import Desk, Graded, Task, from_jsonl, main, run

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
PAPERS = {"2611.00011": "Ladders in the garden", "2611.00012": "A ladder for two", "2611.00013": "Kettles at sea"}


def card(text: str = "A repository of ours.", **front: object) -> str:
    front = front or {"language": "en"}
    return "---\n" + "".join(f"{name}: {json.dumps(value)}\n" for name, value in front.items()) + f"---\n# {text}\n"


def lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if line.strip()}


def ran(desk: Desk, *command: object, given: str = "") -> subprocess.CompletedProcess[str]:
    """A program of the agent's, run in the working folder, whatever it ends with."""
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=desk.folder, input=given, capture_output=True, text=True, check=False, timeout=120)


def kept(desk: Desk, tool: str, *arguments: str) -> set[str]:
    """The rules that a tool of the agent's does not break, with the local Hub behind the front; none if it fails."""
    endpoint = ("--endpoint", desk.api.endpoint)
    done = ran(desk, sys.executable, SCRIPTS / "check_tool.py", "--json", *endpoint, tool, "--", *arguments)
    try:
        return {check["rule"] for check in json.loads(done.stdout)["checks"] if check["verdict"] != "fail"}
    except ValueError:
        return set()


def index_papers(desk: Desk) -> None:
    """Papers of the local Hub, which stay from one task to the next."""
    from huggingface_hub import get_session, get_token

    for paper, title in PAPERS.items():
        body = {"arxivId": paper, "title": title, "summary": "A study.", "authors": ["A. Writer"]}
        headers = {"Authorization": f"Bearer {get_token()}"}
        get_session().post(f"{desk.api.endpoint}/api/papers/index", json=body, headers=headers)


class MitModels(Task):
    id = "mit-models"
    paper = "2611.00021"
    models: ClassVar = {  # name -> (licence, names the paper)
        "ladder-a": ("mit", True), "ladder-b": ("apache-2.0", True), "ladder-c": (["mit", "bsd-3-clause"], True),
        "mit-2611.00021": ("mit", False), "quiet": ("mit", True), "unmarked": (None, True),
    }  # fmt: skip

    def setup(self, desk: Desk) -> None:
        for name, (license_id, names) in self.models.items():
            text = f"See https://arxiv.org/abs/{self.paper}v2" if names else "Its name is a coincidence"
            front = {"license": license_id} if license_id else {"language": "en"}
            desk.upload("model", name, {"README.md": card(text, **front)}, private=name == "quiet")

    def grade(self, desk: Desk) -> Graded:
        wanted = {desk.repo(name) for name in ("ladder-a", "ladder-c", "quiet")}
        found = lines(desk.read("mit.txt"))
        yield (
            "mit.txt has every model whose card names the paper and whose licences include MIT",
            wanted <= found,
            found,
        )
        yield "It has no other model", bool(found) and found <= wanted, found - wanted

    def solve(self, desk: Desk) -> str:
        found = desk.script("enrich_models.py", *self.everything(desk)).stdout
        chosen = [row["id"] for row in from_jsonl(found) if "mit" in str(row["license"]).split(", ")]
        desk.write("mit.txt", "\n".join(chosen) + "\n")
        return f"{len(chosen)} models."

    def everything(self, desk: Desk) -> list[str]:
        done = desk.run("bash", SCRIPTS / "find_models_by_paper.sh", self.paper)
        return [row["id"] for row in from_jsonl(done.stdout) if row["id"].startswith(f"{desk.user}/")]

    def spoil(self, desk: Desk) -> None:
        desk.write("mit.txt", f"{desk.repo('ladder-a')}\n{desk.repo('mit-2611.00021')}\n")


class NewTool(Task):
    id = "new-tool"
    names = ("rows", "more-rows", "old-rows", "tables")

    def setup(self, desk: Desk) -> None:
        for name in self.names:
            desk.upload("dataset", name, {"README.md": card()})

    def grade(self, desk: Desk) -> Graded:
        one = ran(desk, "bash", "datasets-of.sh", desk.user)
        piped = ran(desk, "bash", "datasets-of.sh", given=json.dumps({"author": desk.user}) + "\n")
        found = [from_jsonl(done.stdout) for done in (one, piped)]
        wanted = {desk.repo(name) for name in self.names}
        whole = all({row.get("id") for row in rows} == wanted for rows in found)
        fields = all({"id", "downloads", "lastModified"} <= row.keys() for rows in found for row in rows)
        yield (
            "datasets-of.sh gives each dataset with the three fields, by argument and by NDJSON",
            whole and fields,
            found,
        )
        rules = kept(desk, "datasets-of.sh", desk.user)
        bad_day = {"pages", "waits-when-told", "waits-for-window", "retries"}
        yield "It reads every page and gets through a rate limit and a passing 503", bad_day <= rules, bad_day - rules
        loud = {"fails-loudly", "gives-up", "half-answers"}
        yield "When the Hub refuses it ends with an error and without output", loud <= rules, loud - rules
        quiet = {"token-secret", "token-stays-home", "token-no-option", "token-sent"}
        yield "The token is sent, and seen by nobody else", quiet <= rules, quiet - rules
        mac = {"bash-3.2", "shellcheck"}
        yield "It runs under the bash of a Mac", mac <= rules, mac - rules

    def solve(self, desk: Desk) -> str:
        desk.script(
            "new_tool.py", "datasets-of", "--language", "bash", "--path", "/api/datasets?author={author}",
            "--fields", "id,downloads,lastModified", "--example", "me", "--purpose", "Lists the datasets of an author.",
        )  # fmt: skip
        return "datasets-of.sh and its tests are there; it keeps all rules."


class MendScript(Task):
    id = "mend-script"
    names = ("alpha", "beta", "gamma")
    script = """#!/bin/bash
# Lists the models of an author, one {"id": ...} a line.
curl -s -H "Authorization: Bearer $HF_TOKEN" "${HF_ENDPOINT:-https://huggingface.co}/api/models?author=$1&limit=1000" |
  jq -c 'if type == "array" then .[] else . end | {id: (.id // .error)}'
"""

    def setup(self, desk: Desk) -> None:
        desk.write("models-of.sh", self.script)
        for name in self.names:
            desk.upload("model", name, {"README.md": card()})

    def grade(self, desk: Desk) -> Graded:
        found = from_jsonl(ran(desk, "bash", "models-of.sh", desk.user).stdout)
        wanted = [{"id": desk.repo(name)} for name in self.names]
        same = sorted(found, key=str) == sorted(wanted, key=str)
        yield "models-of.sh still writes one {id} a line for each model of the author", same, found
        rules = kept(desk, "models-of.sh", desk.user)
        yield "It reads every page", "pages" in rules, sorted(rules)
        yield "A refused request is an exit code that is not 0, and no output", "fails-loudly" in rules, sorted(rules)
        patient = {"retries", "waits-when-told"}
        yield "It gets through a 429 and a 503 that pass", patient <= rules, patient - rules
        yield "The token is on no command line", "token-secret" in rules, sorted(rules)

    def solve(self, desk: Desk) -> str:
        desk.script(
            "new_tool.py", "mended", "--language", "bash", "--path", "/api/models?author={author}", "--fields", "id",
            "--example", "me", "--purpose", "Lists the models of an author.",
        )  # fmt: skip
        desk.write("models-of.sh", desk.read("mended.sh").replace("| $record + ([$fields", "| ([$fields"))
        return "It lost pages and hid errors; both are mended."

    def spoil(self, desk: Desk) -> None:
        desk.write("models-of.sh", self.script.replace("{id: (", "{name: ("))


class CompareConfig(Task):
    id = "compare-config"
    left: ClassVar = {
        "model_type": "llama",
        "hidden_size": 64,
        "rope": {"theta": 10000.0, "type": "default"},
        "tie": True,
    }
    right: ClassVar = {
        "model_type": "llama",
        "hidden_size": 96,
        "rope": {"theta": 500000.0, "type": "default"},
        "heads": 4,
    }

    def setup(self, desk: Desk) -> None:
        for name, config in (("first", self.left), ("second", self.right)):
            desk.upload("model", name, {"config.json": json.dumps(config), "README.md": card(license=f"of-{name}")})

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("diff.json")
        wanted = {"hidden_size": [64, 96], "rope.theta": [10000.0, 500000.0], "tie": [True, None], "heads": [None, 4]}
        there = all(found.get(name) == pair for name, pair in wanted.items())
        yield "diff.json has every field that differs, with both values, null where one lacks it", there, found
        yield (
            "It has no field that is the same, and none of the card",
            bool(found) and found.keys() <= wanted.keys(),
            found,
        )

    def solve(self, desk: Desk) -> str:
        done = desk.script("diff_models.py", desk.repo("first"), desk.repo("second"), "--changed")
        rows = [row for row in from_jsonl(done.stdout) if row["field"].startswith("config.")]
        changed = {row["field"].removeprefix("config."): [row["left"], row["right"]] for row in rows}
        desk.write("diff.json", json.dumps(changed))
        return f"{len(changed)} fields differ."

    def spoil(self, desk: Desk) -> None:
        desk.write("diff.json", json.dumps({"hidden_size": [64, 96], "model_type": ["llama", "llama"]}))


class NoLicense(Task):
    id = "no-license"
    cards: ClassVar = {  # name -> card
        "with": card(license="mit"), "several": card(license=["mit", "cc-by-4.0"]), "other": card(license="other"),
        "in-text": card("Licensed under MIT, says this line", language="en"), "bare": "# No front matter\n", "none": "",
    }  # fmt: skip

    def setup(self, desk: Desk) -> None:
        for name, text in self.cards.items():
            desk.upload(
                "dataset", name, {"README.md": text} if text else {"rows.jsonl": "{}\n"}, private=name == "bare"
            )
        desk.upload("model", "a-model", {"README.md": "# No licence, and no dataset\n"})
        desk.start["files"] = {name: desk.files("dataset", name) for name in self.cards}

    def grade(self, desk: Desk) -> Graded:
        found, wanted = lines(desk.read("no-license.txt")), {desk.repo(name) for name in ("in-text", "bare", "none")}
        yield "no-license.txt names each dataset without a licence in its front matter", wanted <= found, found
        yield "It names nothing else", bool(found) and found <= wanted, found - wanted
        now = {name: desk.files("dataset", name) for name in self.cards}
        yield "No repository was changed", now == desk.start["files"], ""

    def solve(self, desk: Desk) -> str:
        names = [each.id for each in desk.api.list_datasets(author=desk.user)]
        done = desk.run("bash", SCRIPTS / "card_front_matter.sh", "--type", "dataset", *names)
        missing = [row["id"] for row in from_jsonl(done.stdout) if not (row["card"] or {}).get("license")]
        desk.write("no-license.txt", "\n".join(missing) + "\n")
        return f"{len(missing)} datasets have none."

    def spoil(self, desk: Desk) -> None:
        desk.write("no-license.txt", desk.repo("with") + "\n")
        desk.upload("dataset", "none", {"README.md": card(license="mit")})


class CommitFields(Task):
    id = "commit-fields"

    def setup(self, desk: Desk) -> None:
        desk.upload("dataset", "rows", {"README.md": card()})

    def answer(self, desk: Desk) -> set[str]:
        answer = desk._get(f"/api/datasets/{desk.repo('rows')}/commits/main")
        return set(answer[0])

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("commits.json")
        path = str(found.get("path"))
        right = re.fullmatch(r"/api/datasets/\{\w+\}(/\{\w+\})?/commits/\{\w+\}", path)
        yield "commits.json has the path of the API", right, path
        fields: Any = found.get("fields")
        same = isinstance(fields, list) and set(map(str, fields)) == self.answer(desk)
        yield "It has the fields that the Hub answers today, and no others", same, fields

    def solve(self, desk: Desk) -> str:
        done = desk.script("explore_api.py", "shape", f"/api/datasets/{desk.repo('rows')}/commits/main", "--json")
        fields = [name.removesuffix("?") for name in json.loads(done.stdout)["shape"][0]]
        path = "/api/datasets/{namespace}/{repo}/commits/{rev}"
        desk.write("commits.json", json.dumps({"path": path, "fields": fields}))
        return f"GET {path}"

    def spoil(self, desk: Desk) -> None:
        desk.write("commits.json", json.dumps({"path": "/api/commits", "fields": ["sha", "message"]}))


class PapersSummary(Task):
    id = "papers-summary"
    models: ClassVar = {"rung": "2611.00011", "rail": "2611.00011", "hook": "2611.00012", "spout": "2611.00013"}

    def setup(self, desk: Desk) -> None:
        index_papers(desk)
        for name, paper in self.models.items():
            text = f"See https://huggingface.co/papers/{paper}"
            desk.upload("model", name, {"README.md": card(text, license="mit" if name != "rail" else "apache-2.0")})

    def grade(self, desk: Desk) -> Graded:
        found = desk.document("ladders.json")
        ours = {name: desk.repo(name) for name in self.models}
        wanted = {"2611.00011": {ours["rung"]: "mit", ours["rail"]: "apache-2.0"}, "2611.00012": {ours["hook"]: "mit"}}
        there = all(pairs.items() <= dict(found.get(paper) or {}).items() for paper, pairs in wanted.items())
        yield "Each paper about ladders has its models with their licences", there, found
        yield "No other paper is in it", bool(found) and found.keys() <= wanted.keys(), list(found)

    def solve(self, desk: Desk) -> str:
        rows: list[dict[str, Any]] = []
        for paper in ("2611.00011", "2611.00012"):
            rows += from_jsonl(desk.run("bash", SCRIPTS / "find_models_by_paper.sh", paper).stdout)
        enriched = from_jsonl(desk.script("enrich_models.py", *(row["id"] for row in rows)).stdout)
        found: dict[str, dict[str, Any]] = {}
        for row, more in zip(rows, enriched, strict=True):
            found.setdefault(row["paper"], {})[row["id"]] = more["license"]
        desk.write("ladders.json", json.dumps(found))
        return "Two papers, three models."

    def spoil(self, desk: Desk) -> None:
        desk.write("ladders.json", json.dumps({"2611.00013": {desk.repo("spout"): "mit"}}))


class SetLicense(Task):
    id = "set-license"
    solution = '''"""Sets the licence of models: set_license.py --license ID [--yes] MODEL ..."""
import argparse
import sys

from huggingface_hub import ModelCard

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--license", required=True)
arguments.add_argument("--yes", action="store_true")
arguments.add_argument("models", nargs="+")
options = arguments.parse_args()
waiting = 0
for name in options.models:
    card = ModelCard.load(name)
    if card.data.license == options.license:
        continue
    print(f"{name}: {card.data.license} -> {options.license}")
    waiting += not options.yes
    if options.yes:
        card.data.license = options.license
        card.push_to_hub(name)
sys.exit(4 if waiting else 0)
'''

    def setup(self, desk: Desk) -> None:
        for name in ("one", "two"):
            desk.upload("model", name, {"README.md": card(f"Text of {name}", license="apache-2.0", language="en")})

    def grade(self, desk: Desk) -> Graded:
        for name in ("one", "two"):
            desk.upload("model", name, {"README.md": card(f"Text of {name}", license="apache-2.0", language="en")})
        before = desk.info("model", "one").sha
        call = (sys.executable, "set_license.py", "--license", "mit")
        shown = ran(desk, *call, desk.repo("one"), desk.repo("two"))
        untouched = desk.info("model", "one").sha == before
        held = bool(desk.read("set_license.py")) and untouched and "mit" in shown.stdout + shown.stderr
        yield "Without --yes it says what it would do and changes nothing", held and shown.returncode != 1, shown.stdout
        done = ran(desk, *call, "--yes", desk.repo("one"), desk.repo("two"))
        texts = [desk.fetch("model", name, "README.md").decode() for name in ("one", "two")]
        changed = done.returncode == 0 and all(re.search(r"^license: .?mit", text, re.M) for text in texts)
        yield "With --yes both cards say mit", changed, texts
        whole = all(f"# Text of {n}" in t and "language:" in t for n, t in zip(("one", "two"), texts, strict=True))
        yield "The rest of each card is as it was", changed and whole, texts
        first = desk.info("model", "one").sha
        again = ran(desk, *call, "--yes", desk.repo("one"))
        same = changed and again.returncode == 0 and desk.info("model", "one").sha == first
        yield "Run again it makes no commit", same, again.stdout

    def solve(self, desk: Desk) -> str:
        desk.write("set_license.py", self.solution)
        return "set_license.py shows first, and changes with --yes."


if __name__ == "__main__":
    raise SystemExit(run(main))
