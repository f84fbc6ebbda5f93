"""Somebody else's repository of skills: its manifests load, and its mistakes are found where clients hide them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import ROOT, Home, claude_sees, codex_sees, publish, repository_of

IDENTITY = """[pack]
name = "bakery"
version = "2.1.0"
description = "Skills of a bakery."
owner = { name = "Bea Baker", email = "bea@example.com" }
mcp = { oven = "https://oven.example.com/mcp" }
"""
SKILL = """---
name: {name}
description: Helps with {name} in a bakery. Use when the user asks about {name}.
license: MIT
---

# {name}

Weigh the flour first.
"""


def skillpack(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "skillpack", *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def bakery(tmp_path: Path) -> Path:
    """A repository of two skills with an identity in skillpack.toml, and its manifests."""
    folder = tmp_path / "bakery"
    for name in ("bread-dough", "cake-icing"):
        path = folder / "skills" / name / "SKILL.md"
        path.parent.mkdir(parents=True)
        path.write_text(SKILL.format(name=name), encoding="utf-8")
    (folder / "skillpack.toml").write_text(IDENTITY, encoding="utf-8")
    skillpack("manifest", str(folder))
    return folder


def test_a_foreign_pack_loads_in_claude_code_codex_and_gemini(home: Home, bakery: Path) -> None:
    skillpack("validate", "--strict", str(bakery))
    clone = publish(home, repository_of(bakery), "bea/bakery")
    for path in (".", ".claude-plugin/plugin.json"):
        home.run(f"claude plugin validate {path} --strict", cwd=clone)
    home.run("claude plugin marketplace add bea/bakery")
    home.run("claude plugin install bakery@bakery")
    seen = claude_sees(home)
    assert seen["skills"] == ["bakery:bread-dough", "bakery:cake-icing"]
    assert seen["mcp_servers"] == ["plugin:bakery:oven"]
    home.run("codex plugin marketplace add bea/bakery")
    home.run("codex plugin add cake-icing@bakery")
    skills, errors = codex_sees(home)
    assert list(skills) == ["cake-icing:cake-icing"] and errors == []
    home.run(f"gemini extensions install {clone} --consent")
    assert home.run("gemini skills list").count("[Enabled]") == 2


def edit(path: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    """Changes the JSON document at `path`."""

    def apply(folder: Path) -> None:
        document = json.loads((folder / path).read_text(encoding="utf-8"))
        change(document)
        (folder / path).write_text(json.dumps(document), encoding="utf-8")

    return apply


def rewrite(path: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: (folder / path).write_bytes(change((folder / path).read_bytes())) and None


CLAUDE, CODEX = ".claude-plugin/marketplace.json", ".agents/plugins/marketplace.json"
BREAD = "skills/bread-dough/SKILL.md"
CODEX_ADDS = "codex plugin marketplace add . && codex plugin add bread-dough@bakery"
#: (what is broken, how, the client's command, its exit code, our rule)
CASES = [
    (
        "a plugin's source does not exist",
        edit(CLAUDE, lambda d: d["plugins"][1].update(source="./skills/gone")),
        "claude plugin validate . --strict",
        0,
        "manifest-paths",
    ),
    (
        "a plugin's skills path does not exist",
        edit(CLAUDE, lambda d: d["plugins"][1].update(skills="./gone")),
        "claude plugin validate . --strict",
        0,
        "manifest-paths",
    ),
    (
        "`..` in a skills path",
        edit(CLAUDE, lambda d: d["plugins"][1].update(skills=["./../bread-dough"])),
        "claude plugin validate . --strict",
        0,
        "manifest-paths",
    ),
    (
        "the marketplace's name is reserved",
        edit(CLAUDE, lambda d: d.update(name="agent-skills")),
        "claude plugin validate . --strict",
        0,
        "manifest-shape",
    ),
    (
        "an MCP server of an unknown type",
        edit(".mcp.json", lambda d: d["mcpServers"]["oven"].update(type="telepathy")),
        "claude plugin validate .claude-plugin/plugin.json --strict",
        0,
        "mcp-shape",
    ),
    (
        "an MCP server without a type",
        edit(".mcp.json", lambda d: d["mcpServers"]["oven"].pop("type")),
        "claude plugin validate .claude-plugin/plugin.json --strict",
        0,
        "mcp-shape",
    ),
    (
        ".mcp.json is not JSON",
        rewrite(".mcp.json", lambda data: data[:-3]),
        "claude plugin validate .claude-plugin/plugin.json --strict",
        0,
        "mcp-shape",
    ),
    (
        "the skill's name is not its folder's",
        rewrite(BREAD, lambda data: data.replace(b"name: bread-dough", b"name: bread")),
        "claude plugin validate .claude-plugin/plugin.json --strict",
        0,
        "name-matches-directory",
    ),
    (
        "a description of 2,000 characters",
        rewrite(BREAD, lambda data: data.replace(b"Helps", b"Helps a lot. " * 150)),
        "claude plugin validate .claude-plugin/plugin.json --strict",
        0,
        "description-length",
    ),
    (
        "a byte order mark",
        rewrite(BREAD, lambda data: b"\xef\xbb\xbf" + data),
        "gemini extensions validate .",
        0,
        "byte-order-mark",
    ),
    (
        "no frontmatter",
        rewrite(BREAD, lambda data: b"# Bread\n"),
        "gemini extensions validate .",
        0,
        "frontmatter-present",
    ),
    (
        "Codex: a skills path that does not exist",
        edit(CODEX, lambda d: d["plugins"][1].update(skills="./gone")),
        CODEX_ADDS,
        0,
        "manifest-paths",
    ),
    (
        "Codex: `..` in a source's path",
        edit(CODEX, lambda d: d["plugins"][2]["source"].update(path="./../skills")),
        CODEX_ADDS,
        0,
        "manifest-paths",
    ),
]


@pytest.mark.parametrize(("broken", "change", "command", "code", "slug"), CASES, ids=[case[0] for case in CASES])
def test_what_a_client_hides_the_validator_reports(
    home: Home, bakery: Path, broken: str, change: Callable[[Path], None], command: str, code: int, slug: str
) -> None:
    change(bakery)
    home.run(command, cwd=repository_of(bakery), code=code)
    found = json.loads(skillpack("validate", "--strict", "--format", "json", str(bakery), code=1).stdout)
    assert slug in {finding["slug"] for finding in found["diagnostics"]}
    row = f"| {broken} | `{command}` | {code} | `{slug}` |"
    page = ROOT / "docs" / "what-clients-hide.md"
    if os.environ.get("SKILLPACK_UPDATE"):
        text = page.read_text(encoding="utf-8")
        page.write_text(text if row in text else f"{text}{row}\n", encoding="utf-8")
    assert row in page.read_text(encoding="utf-8")
