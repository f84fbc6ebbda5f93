"""What the real clients do with one small skill for each case: which of them they list.

    npm install --prefix /tmp/clients @anthropic-ai/claude-code@2.1.197 @openai/codex@0.169.0 \
        @github/copilot@1.0.102 @google/gemini-cli@0.61.0
    python benchmarks/clients.py --bin /tmp/clients/node_modules/.bin

Offline and without a login, in a throwaway home. Prints one row a case: listed (yes) or not (no) by each client that
is installed. `tests/test_clients.py` keeps the table of the day that `skillpack.clients.OBSERVED` names.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DESCRIPTION = "description: Sorts lines. Use when unsorted.\n"


def _skill(name: str, rest: str = DESCRIPTION) -> str:
    return f"---\nname: {name}\n{rest}---\nSort the lines.\n"


LONG = "c-" + "long" * 16
CASES: dict[str, str] = {
    "ok": _skill("c-ok"),
    "bom": "\ufeff" + _skill("c-bom"),
    "blank": "\n" + _skill("c-blank"),
    "comment": "<!-- x -->\n" + _skill("c-comment"),
    "nofm": "# Sort\n",
    "unclosed": f"---\nname: c-unclosed\n{DESCRIPTION}Sort the lines.\n",
    "colon": _skill("c-colon", "description: Sorts lines. Use when: unsorted.\n"),
    "at": _skill("c-at", "description: @x sorts\n"),
    "tab": _skill("c-tab", DESCRIPTION + "metadata:\n\ta: b\n"),
    "nodesc": _skill("c-nodesc", "license: MIT\n"),
    "emptydesc": _skill("c-emptydesc", "description:\n"),
    "listdesc": _skill("c-listdesc", "description: [a, b]\n"),
    "numdesc": _skill("c-numdesc", "description: 12\n"),
    "noname": f"---\n{DESCRIPTION}---\nx\n",
    "wrong": _skill("other-name"),
    "caps": _skill("C-Caps"),
    "num": _skill("123"),
    "space": _skill("c space"),
    "under": _skill("c_under"),
    "uni": _skill("café"),
    "hyph": _skill("c--hyph"),
    "long-name": _skill(LONG),
    "desc1025": _skill("c-desc1025", f"description: {'a ' * 512}b\n"),
    "desc1600": _skill("c-desc1600", f"description: {'a ' * 800}b\n"),
    "tools": _skill("c-tools", DESCRIPTION + "allowed-tools: [Read, Bash]\n"),
    "toolsnum": _skill("c-toolsnum", DESCRIPTION + "allowed-tools: 3\n"),
    "metaint": _skill("c-metaint", DESCRIPTION + "metadata: {a: 1}\n"),
    "metalist": _skill("c-metalist", DESCRIPTION + "metadata:\n  a: [b]\n"),
    "metastr": _skill("c-metastr", DESCRIPTION + "metadata: text\n"),
    "extra": _skill("c-extra", DESCRIPTION + "tags: [a]\nlicence: MIT\n"),
    "dup": _skill("c-dup", DESCRIPTION + "license: MIT\nlicense: BSD\n"),
    "dupname": _skill("c-dupname", DESCRIPTION + "name: c-dupname\n"),
    "crlf": _skill("c-crlf").replace("\n", "\r\n"),
    "fold": _skill("c-fold", "description: >-\n  Sorts.\n  Use when.\n"),
    "licnum": _skill("c-licnum", DESCRIPTION + "license: 2\n"),
    "comp600": _skill("c-comp600", DESCRIPTION + f"compatibility: {'a' * 600}\n"),
    "dashes": _skill("c-dashes", "description: a --- b\n"),
    "latin": _skill("c-latin", "description: caf\N{LATIN SMALL LETTER E WITH ACUTE}\n"),
    "lower": _skill("c-lower"),
}


def folder_of(case: str) -> str:
    """The skill's folder; its name is the skill's where the case is not about that."""
    return LONG if case == "long-name" else f"c-{case}"


def case_of(folder: str) -> str:
    """The case whose skill is in `folder`."""
    return "long-name" if folder == LONG else folder.removeprefix("c-")


def write_cases(root: Path) -> None:
    """Writes every case as a skill below `root`."""
    for case, text in CASES.items():
        path = root / folder_of(case) / ("skill.md" if case == "lower" else "SKILL.md")
        path.parent.mkdir(parents=True)
        path.write_bytes(text.encode("latin-1" if case == "latin" else "utf-8"))


def claude(program: str, project: Path, environment: dict[str, str]) -> set[str]:
    command = [program, "-p", "x", "--output-format", "stream-json", "--verbose"]
    shown = _output(command, project, environment)
    return {name for name in json.loads(shown.split("\n")[0])["skills"] if name.startswith("c-")}


def codex(program: str, project: Path, environment: dict[str, str]) -> set[str]:
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"clientInfo": {"name": "x", "version": "1"}}},
        {"jsonrpc": "2.0", "method": "initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "skills/list", "params": {"cwds": [str(project)], "forceReload": True}},
    ]
    with subprocess.Popen(
        [program, "app-server"], cwd=project, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout
        for request in requests:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            time.sleep(1)
        for line in process.stdout:
            answer = json.loads(line)
            if answer.get("id") == 2:
                process.terminate()
                paths = [skill["path"] for entry in answer["result"]["data"] for skill in entry["skills"]]
                return {Path(path).parent.name for path in paths if path.startswith(str(project))}
    return set()


def gemini(program: str, project: Path, environment: dict[str, str]) -> set[str]:
    return _folders(_output([program, "skills", "list", "--all"], project, environment), project)


def copilot(program: str, project: Path, environment: dict[str, str]) -> set[str]:
    shown = _output([program, "skill", "list", "--json"], project, environment)
    listed, _ = json.JSONDecoder().raw_decode(shown)
    return {Path(skill["path"]).name for skill in listed if skill["path"].startswith(str(project))}


RUNS = {"claude": claude, "codex": codex, "gemini": gemini, "copilot": copilot}


def _output(command: list[str], project: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=project, env=environment, text=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL
    )
    return done.stdout


def _folders(shown: str, project: Path) -> set[str]:
    return set(re.findall(rf"{re.escape(str(project))}/\S*?/([^/\s]+)/SKILL\.md", shown))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", help="the folder of the clients' programs; default: those on PATH")
    arguments = parser.parse_args(argv)
    programs = {name: found for name in RUNS if (found := shutil.which(name, path=arguments.bin))}
    if not programs:
        print("none of the clients is installed: see --help", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        project, home = Path(folder, "project"), Path(folder, "home")
        for where in (".agents", ".claude"):
            write_cases(project / where / "skills")
        subprocess.run(["git", "init", "-q", str(project)], check=True)
        (home / ".gemini").mkdir(parents=True)
        (home / ".codex").mkdir()
        (home / ".gemini" / "settings.json").write_text('{"security": {"folderTrust": {"enabled": false}}}')
        environment = {**os.environ, "HOME": str(home), "CODEX_HOME": str(home / ".codex")}
        listed = {name: RUNS[name](program, project, environment) for name, program in programs.items()}
    print(f"{'case':<12}" + "".join(f"{name:<10}" for name in listed))
    for case in CASES:
        marks = ("yes" if folder_of(case) in found else "no" for found in listed.values())
        print(f"{case:<12}" + "".join(f"{mark:<10}" for mark in marks).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
