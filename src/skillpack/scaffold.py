"""`skillpack new NAME`: a skill to begin with, which passes `skillpack validate --strict` as it is."""

from __future__ import annotations

import json
from pathlib import Path

import click

from skillpack.errors import UsageFailure
from skillpack.kit.script import write_atomic

SKILL = """\
---
name: {name}
description: Counts the lines and words of a text file. Use when the user asks how long a text is.
license: Apache-2.0
compatibility: Requires Python 3.10+ and uv
---

# {title}

Replace the description above first: it is all that an agent reads before it chooses this skill. Say what the skill
does and when to use it, in the words of a user's request.

## Steps

1. Run the script on the file; it prints one JSON document.

   ```bash
   uv run scripts/count.py notes.txt --json
   ```

2. If a number surprises, read [what is counted](references/counting.md).
3. Answer with the numbers, and name the file.
"""

SCRIPT = '''\
# /// script
# requires-python = ">=3.10"
# dependencies = []
# ///
"""Counts the lines and words of a text file.

    uv run scripts/count.py notes.txt
    uv run scripts/count.py notes.txt --json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

EXIT_CODES = "exit codes: 0 counted, 2 wrong arguments, 3 the file cannot be read"


def count(text: str) -> dict[str, int]:
    """How many lines and words `text` has."""
    return {"lines": len(text.splitlines()), "words": len(text.split())}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args(argv)
    try:
        counted = count(arguments.file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        print(f"error: {arguments.file} cannot be read: {error}", file=sys.stderr)
        return 3
    print(json.dumps(counted) if arguments.json else f"{counted['lines']} lines, {counted['words']} words")
    return 0


if __name__ == "__main__":
    sys.exit(main())
'''

REFERENCE = """\
# What is counted

A line ends in a line feed, a carriage return or both; the last one need not end. A word is what stands between blanks.
"""

ASK = "How many words does notes.txt have?"
EVALS = [
    {
        "id": "count-words",
        "prompt": ASK,
        "expected_output": "The number of words in notes.txt, from the script.",
        "files": ["evals/files/notes.txt"],
        "assertions": ["The answer names 5 words"],
        "expectations": ["The answer names 5 words"],
    }
]
QUERIES = [
    {"query": ASK, "should_trigger": True},
    {"query": "Translate notes.txt into French.", "should_trigger": False},
]


def files(name: str) -> dict[str, str]:
    """The files of the skill `name`, by their paths in its folder."""
    return {
        "SKILL.md": SKILL.format(name=name, title=name.replace("-", " ").capitalize()),
        "scripts/count.py": SCRIPT,
        "references/counting.md": REFERENCE,
        "evals/evals.json": json.dumps({"skill_name": name, "evals": EVALS}, indent=2) + "\n",
        "evals/eval_queries.json": json.dumps(QUERIES, indent=2) + "\n",
        "evals/files/notes.txt": "one two\nthree four five\n",
    }


def check_name(name: str) -> None:
    """Raises UsageFailure where the specification has no such name, with one that it has."""
    proposal = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in name.lower()).split())[:64].strip(
        "-"
    )
    if not name or name != proposal:
        instead = f"; {proposal!r} is one" if proposal else ""
        raise UsageFailure(f"a name has 1 to 64 of a-z, 0-9 and single hyphens between them, not {name!r}{instead}")


@click.command(epilog="Examples:\n\n  skillpack new sort-lines\n\n  skillpack new sort-lines --dir skills")
@click.argument("name")
@click.option("--dir", "parent", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where. [here]")
def new(name: str, parent: Path) -> None:
    """Make the folder NAME with a skill in it: SKILL.md, a script, a reference, evals.

    Exit codes: 0 made, 2 the name is not one, or the folder is there already.
    """
    check_name(name)
    folder = parent / name
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageFailure(f"{folder} is there already; nothing was changed") from None
    for path, text in files(name).items():
        write_atomic(folder / path, text)
    click.echo(f"made {folder}; next: write its description, then skillpack validate --strict {folder}")
