"""The files in evals/ have the form that evaluators read.

Why: `evals.json` is `{"skill_name", "evals": [{"id", "prompt", "expected_output", …}]}` and `eval_queries.json` a list
     of `{"query", "should_trigger"}`; a runner that finds another form runs nothing, which reads as success.
     An `evals.json` with neither of these keys is another runner's and is not judged.
Fix: correct the value that is named.
"""

from __future__ import annotations

from collections.abc import Iterator

from skillpack.diagnostics import WARNING, Finding, quoted
from skillpack.rules import rule
from skillpack.rules.data._json import read_json
from skillpack.schemas import misfits
from skillpack.skill import Skill

FIX = "correct the value"


@rule(severity=WARNING)
def check(skill: Skill) -> Iterator[Finding]:
    """Files that are no JSON, do not fit the schema, or name another skill or missing files."""
    for name in ("evals/evals.json", "evals/eval_queries.json"):
        if name not in skill.tree.names:
            continue
        path = skill.tree.path(name)
        document = yield from read_json(skill, name)
        if document is None:
            continue
        schema = "evals" if name.endswith("evals.json") else "eval-queries"
        if schema == "evals" and not (isinstance(document, dict) and {"evals", "skill_name"} & document.keys()):
            continue  # of another runner: no specification says what lies under evals/
        wrong = list(misfits(document, schema))
        yield from (Finding(message, FIX, where, path=path) for where, message in wrong)
        if wrong or schema != "evals":
            continue
        if document["skill_name"] != skill.string("name"):
            message = f"it is about {quoted(document['skill_name'])} and lies in {quoted(skill.string('name') or '')}"
            yield Finding(message, "let the names agree", "skill_name", path=path)
        for index, one in enumerate(document["evals"]):
            for file in one.get("files", []):
                if file not in skill.tree.names and f"evals/{file}" not in skill.tree.names:
                    message = f"{quoted(file)} is not in the skill"
                    yield Finding(message, "add the file", f"evals[{index}].files", path=path)
