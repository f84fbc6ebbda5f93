"""What the skill's documents say: commands, flags, tasks and numbers, each held against the program that it names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import SCRIPTS, SKILL
from .test_run_and_compare import module_of

DOCUMENTS = sorted([SKILL / "SKILL.md", *(SKILL / "references").glob("*.md")])
OTHERS = {
    "--temperature": "inspect-ai",
    "--log-dir": "inspect-ai",
    "--with": "uv",
    "--private": "hf",
}  # flags of programs that are not ours


def commands() -> list[list[str]]:
    """The words of every command with a script of the skill, in a block or between backticks."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"```bash\n(.*?)```", text, re.S) + re.findall(r"`(uv run [^`]*)`", text)
        found += [shlex.split(block.strip(), comments=True) for block in blocks]
    return found


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words)[:60])
def test_a_command_of_the_documents_is_taken_by_its_script(words: list[str]) -> None:
    name = next(word for word in words if word.endswith(".py"))
    script = module_of(SCRIPTS / Path(name).name)
    script.arguments(words[words.index(name) + 1 :])  # argparse exits when a flag or a combination is unknown


def test_every_flag_that_a_document_names_exists() -> None:
    known = set(OTHERS)
    for script in SCRIPTS.glob("*.py"):
        known |= set(re.findall(r'add_argument\(\s*"(--[\w-]+)"', script.read_text(encoding="utf-8")))
    for path in DOCUMENTS:
        named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", path.read_text(encoding="utf-8")))
        assert named - known - {"--help"} == set(), path.name


def test_every_script_helps_at_once_and_names_its_exit_codes() -> None:
    for script in sorted(SCRIPTS.glob("*.py")):
        command = [sys.executable, "-X", "importtime", str(script), "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "examples:" in done.stdout and "exit codes:" in done.stdout
        assert not re.search(r"\|\s+(torch|transformers|datasets|huggingface_hub|numpy)$", done.stderr, re.M)


def test_the_tasks_that_are_recommended_are_tasks_of_lm_eval() -> None:
    from lm_eval.tasks import TaskManager

    text = (SKILL / "references/benchmarks.md").read_text(encoding="utf-8")
    tasks = {
        task for row in re.findall(r"^\| [^|]+ \| ([^|]*`[^|]*) \|", text, re.M) for task in re.findall(r"`(\w+)`", row)
    }
    assert len(tasks) > 8 and tasks <= set(TaskManager().all_tasks)


def test_the_table_of_intervals_is_what_the_script_computes() -> None:
    script = module_of(SCRIPTS / "run_eval.py")
    text = (SKILL / "references/reading-scores.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) points \| ([\d.]+) points \|", text, re.M)
    assert len(rows) == 5
    for count, *halves in rows:
        for share, half in zip((0.5, 0.8), halves, strict=True):
            low, high = script.wilson(share * int(count), int(count))
            assert round(50 * (high - low), 1) == float(half), (count, share)


def test_the_header_written_by_the_client_is_another_one_which_is_why_publishing_inserts() -> None:
    from huggingface_hub import ModelCard

    card = "---\nlicense: apache-2.0   # as the base\ntags: [one,   two]\n---\nbody"
    assert "# as the base" not in ModelCard(card).data.to_yaml()
