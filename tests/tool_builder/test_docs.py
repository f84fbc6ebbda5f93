"""What SKILL.md and the references say: scripts, options, commands, rules and tables are those that there are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from skillpack.kit.oldbash import INSIDE_QUOTES, NEWER_THAN_3_2, NOT_ON_MACOS

from .conftest import SAMPLES, SCRIPTS, SKILL, Desk, command
from .test_check_tool import RULES

DOCUMENTS = [SKILL / "SKILL.md", *sorted((SKILL / "references").glob("*.md"))]
SCRIPT = re.compile(r"scripts/([\w.]+\.(?:py|sh|mts))")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def commands(path: Path) -> list[str]:
    """Every span and line of shell that a document shows."""
    text = re.sub(r"^---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.S)
    blocks = re.findall(r"```bash\n(.*?)```", text, re.S)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").split("\n") if line.strip()]
    return [*lines, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """--help of every script, and of the commands of explore_api.py."""
    found = {}
    for path in [*SCRIPTS.glob("*.*")]:
        words: list[list[str]] = [[]]
        words += [["search"], ["show"], ["shape"]] if path.name == "explore_api.py" else []
        found[path.name] = "".join(
            subprocess.run([*command(path.name), *each, "--help"], capture_output=True, text=True, check=True).stdout
            for each in words
        )
    return found


def test_scripts_and_options_of_the_documents_exist(helps: dict[str, str]) -> None:
    seen = 0
    for path in DOCUMENTS:
        for line in commands(path):
            for part in line.split("|"):
                if match := SCRIPT.search(part):
                    before_tool_arguments = part.partition(" -- ")[0]
                    unknown = set(OPTION.findall(before_tool_arguments)) - set(OPTION.findall(helps[match[1]]))
                    assert not unknown, f"{path.name}: {part}: {unknown}"
                    seen += 1
    assert seen > 12
    assert set(SCRIPT.findall((SKILL / "SKILL.md").read_text(encoding="utf-8"))) == set(helps)


def test_every_help_has_examples_and_exit_codes_and_those_of_samples_run_their_own_names(helps: dict[str, str]) -> None:
    for name, text in helps.items():
        assert "examples:" in text and "exit codes:" in text, name
        assert text.count(name) >= 2, name
        if name in SAMPLES:
            examples = text.partition("examples:")[2].partition("environment:")[0]
            for option in OPTION.findall(examples.split("|")[0]):
                assert option in text.partition("examples:")[0] + text.partition("options:")[2], (name, option)


def test_commands_of_hf_exist() -> None:
    named = {match for path in DOCUMENTS for line in commands(path) for match in re.findall(r"\bhf (\w+ \w+)", line)}
    assert named == {"auth token"} | (named & {"auth login"})
    for each in named:
        program = Path(sys.executable).with_name("hf")
        subprocess.run([program, *each.split(), "--help"], capture_output=True, check=True)


def test_the_rules_that_the_reference_names_are_those_of_the_script() -> None:
    text = (SKILL / "references/checking.md").read_text(encoding="utf-8")
    table = " ".join(row.split("|")[3] for row in text.split("\n") if row.startswith("| ") and row.count("|") == 4)
    read = text.partition("What the text shows: ")[2].partition("\n")[0]
    assert {rule for rule in RULES if re.search(rf"(?<![\w-]){re.escape(rule)}(?![\w-])", table + read)} == set(RULES)


def test_the_tables_of_bash_are_those_of_the_check() -> None:
    text = (SKILL / "references/bash-3.2.md").read_text(encoding="utf-8").replace("\\|", "\0")
    rows = [
        [cell.strip().replace("\0", "|") for cell in row.split("|")[1:-1]]
        for row in text.split("\n")
        if row[:2] == "| "
    ]
    assert [row for row in rows if len(row) == 3 and row[1][:1].isdigit()] == [
        [what, since, instead] for _, what, since, instead in [*NEWER_THAN_3_2, *INSIDE_QUOTES]
    ]
    named = [[what, instead] for _, what, instead in NOT_ON_MACOS]
    assert [row for row in rows if len(row) == 2 and row in named] == named


def test_the_fields_of_the_table_are_what_the_tools_write(desk: Desk) -> None:
    text = (SKILL / "SKILL.md").read_text(encoding="utf-8")
    asked = {
        "find_models_by_paper.sh": [desk.paper], "papers_to_models.mts": [f"Tiny {desk.paper}"],
        "enrich_models.py": [f"{desk.user}/one"], "card_front_matter.sh": [f"{desk.user}/one"],
        "diff_models.py": [f"{desk.user}/one", f"{desk.user}/two"], "stale_repos.sh": ["--days", "0", desk.user],
    }  # fmt: skip
    for name, arguments in asked.items():
        row = next(line for line in text.split("\n") if line.startswith(f"| `scripts/{name}"))
        promised = set(re.findall(r"`([a-z_]+)`", row.partition("→")[2]))
        assert promised and promised <= set(desk.rows(name, *arguments)[0]), name


def test_the_bash_of_the_reference_does_what_it_says(desk: Desk) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", (SKILL / "references/bash-3.2.md").read_text(encoding="utf-8"), re.S)
    done = subprocess.run(["bash", "-c", blocks[0]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    asked = subprocess.run(
        ["bash", "-c", blocks[1] + "\nls $work/token"],
        env=desk.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert desk.user in asked.stdout and asked.stdout.strip().endswith("/token")
