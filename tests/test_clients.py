"""What clients do with a skill: the table holds what each of them did when it was run.

`OBSERVED` is what the four clients printed for these skills, offline, at the versions in `clients.CLIENTS`:
`benchmarks/clients.py` runs them again. The reference library is installed here and asked itself.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from skillpack.cli import main
from skillpack.clients import CLIENTS, DROPPED, TRUNCATED, WARNS, verdicts_of
from skillpack.skill import load_skill
from skillpack.source import find

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "rules"

spec = importlib.util.spec_from_file_location("benchmark_clients", ROOT / "benchmarks" / "clients.py")
assert spec is not None
assert spec.loader is not None
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)

#: Client -> the cases that it did not list. Every other case it listed.
OBSERVED = {
    "Claude Code": "bom blank comment nofm unclosed nodesc emptydesc listdesc lower",
    "Codex": "bom blank comment nofm unclosed nodesc emptydesc listdesc lower latin dupname metastr long-name tab",
    "Gemini CLI": "bom blank comment nofm unclosed nodesc noname lower",
    "Copilot CLI": "blank comment nofm unclosed emptydesc listdesc numdesc num uni long-name desc1025 desc1600"
    " dup dupname colon at tab toolsnum lower",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clients")
    benchmark.write_cases(made)
    return made


def verdicts(folder: Path, client: str) -> dict[str, str]:
    found = {}
    for tree in find(str(folder)):
        row = verdicts_of(load_skill(tree))
        (verdict,) = (one.verdict for one in row.verdicts if one.client == client)
        found[benchmark.case_of(tree.folder)] = verdict
    return found


@pytest.mark.parametrize("client", OBSERVED)
def test_the_table_says_what_the_client_did(folder: Path, client: str) -> None:
    given = verdicts(folder, client)
    assert set(given) == set(benchmark.CASES)
    dropped = set(OBSERVED[client].split())
    assert dropped < set(given)
    # Codex mends some YAML and drops the skill for other mistakes; the table does not pretend to know which.
    unclear = {name for name, verdict in given.items() if verdict == "unclear"}
    assert unclear <= {"at", "tab"}
    assert {name for name, verdict in given.items() if verdict == DROPPED} == dropped - unclear


def test_a_loss_that_is_no_drop_is_said_too(folder: Path) -> None:
    claude, copilot = verdicts(folder, "Claude Code"), verdicts(folder, "Copilot CLI")
    assert claude["desc1600"] == TRUNCATED
    assert claude["desc1025"] == "loads"
    assert claude["colon"] == WARNS  # listed, though its own validator refuses it
    assert claude["wrong"] == WARNS  # listed under the folder's name
    assert copilot["nodesc"] == WARNS  # takes the first line of the body
    assert verdicts(folder, "skills-ref")["dashes"] == TRUNCATED


@pytest.mark.skipif(sys.version_info < (3, 11), reason="skills-ref needs Python 3.11")
def test_the_reference_librarys_verdict_is_its_own(folder: Path) -> None:
    from skills_ref.validator import validate

    trees = [tree for place in (folder, CASES) for tree in find(str(place)) if tree.skill_file]
    assert len(trees) > 250
    wrong = []
    for tree in trees:
        verdict = verdicts_of(load_skill(tree)).verdicts[-1]
        try:
            accepted = not validate(Path(tree.root))
        except Exception:  # noqa: BLE001 it crashes on some files
            accepted = False
        if accepted != (verdict.verdict != DROPPED):
            wrong.append((tree.root, accepted, verdict.reasons))
    assert wrong == []


def test_the_table_and_the_json_name_client_version_and_reason(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(folder), "--clients", "--fail-on", "never"]) == 0
    out = capsys.readouterr().out
    assert "Copilot CLI: the description has 1,025 characters, and 1,024 are taken" in out
    assert "not observed: Cursor" in out
    assert all(f"{client} {version}" in out for client, (version, _) in CLIENTS.items() if version)
    assert main(["validate", str(folder), "--clients", "--format", "json", "--fail-on", "never"]) == 0
    report = json.loads(capsys.readouterr().out)
    import jsonschema

    schema = json.loads((ROOT / "src/skillpack/schemas/report.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema)
    assert len(report["clients"]) == len(benchmark.CASES)
    (good,) = (row for row in report["clients"] if row["name"] == "c-ok")
    assert {one["verdict"] for one in good["verdicts"] if one["client"] != "Cursor"} == {"loads"}
    assert main(["validate", str(folder), "--format", "json", "--fail-on", "never"]) == 0
    assert "clients" not in json.loads(capsys.readouterr().out)
