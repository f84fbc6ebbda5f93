"""The pack in every agent, by the commands of docs/install.md."""

from __future__ import annotations

import functools
import http.server
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from .conftest import ROOT, SKILLS, Home, claude_sees, codex_sees, follow, helps, publish

ONE = "hugging-face-model-trainer"


def test_claude_code_validates_both_manifests_strictly(home: Home, ours: Path) -> None:
    for path in (".", ".claude-plugin/plugin.json"):
        assert "Validation passed" in home.run(f"claude plugin validate {path} --strict", cwd=ours)


def test_claude_code_installs_the_bundle_updates_and_removes_it(home: Home, ours: Path) -> None:
    publish(home, ours)
    bare = claude_sees(home)
    follow(home, "Claude Code", "all")
    (installed,) = home.json("claude plugin list --json")
    assert installed["id"] == "skillpack@skillpack" and not installed.get("errors")
    seen = claude_sees(home)
    assert seen["skills"] == [f"skillpack:{name}" for name in SKILLS]
    assert seen["agents"] == bare["agents"], "a stray agent"
    assert seen["mcp_servers"] == ["plugin:skillpack:huggingface"]
    follow(home, "Claude Code", "update")
    follow(home, "Claude Code", "remove")
    assert claude_sees(home) == bare


def test_claude_code_installs_one_skill_whose_scripts_run(home: Home, ours: Path) -> None:
    publish(home, ours)
    follow(home, "Claude Code", "one")
    (installed,) = home.json("claude plugin list --json")
    assert not installed.get("errors")
    assert claude_sees(home)["skills"] == [f"{ONE}:{ONE}"]
    helps(Path(installed["installPath"]))


def test_codex_installs_the_bundle_updates_and_removes_it(home: Home, ours: Path) -> None:
    publish(home, ours)
    follow(home, "OpenAI Codex", "all")
    skills, errors = codex_sees(home)
    assert sorted(skills) == [f"skillpack:{name}" for name in SKILLS] and errors == []
    assert "https://huggingface.co/mcp" in home.run("codex mcp list")
    follow(home, "OpenAI Codex", "update")
    follow(home, "OpenAI Codex", "remove")
    assert codex_sees(home) == ({}, [])


def test_codex_installs_one_skill_whose_scripts_run(home: Home, ours: Path) -> None:
    publish(home, ours)
    follow(home, "OpenAI Codex", "one")
    skills, errors = codex_sees(home)
    assert list(skills) == [f"{ONE}:{ONE}"] and errors == []
    helps(skills[f"{ONE}:{ONE}"].parent)


def test_codex_own_installer_installs_every_skill(home: Home, ours: Path) -> None:
    publish(home, ours)
    codex_sees(home)  # its first run puts the installer there
    follow(home, "OpenAI Codex", "installer")
    installer = home.path / ".codex/skills/.system/skill-installer/scripts/install-skill-from-github.py"
    others = [f"skills/{name}" for name in SKILLS if name != ONE]
    if others:
        home.run([sys.executable, str(installer), "--repo", "acme/skillpack", "--path", *others, "--method", "git"])
    skills, errors = codex_sees(home)
    assert sorted(skills) == SKILLS and errors == []


def test_gemini_validates_installs_updates_and_removes_the_extension(home: Home, ours: Path) -> None:
    clone = publish(home, ours)
    assert "successfully validated" in home.run(f"gemini extensions validate {clone}")
    follow(home, "Gemini CLI", "all", clone)
    said = home.run("gemini extensions list")
    assert "skillpack (0.1.0)" in said and "agentsmd/AGENTS.md" in said and "huggingface" in said
    listed = home.run("gemini skills list")
    assert re.findall(r"^([a-z0-9-]+) \[Enabled\]", listed, re.M) == SKILLS
    assert "Error" not in re.sub(r"\[MCP error\].*", "", said), "an agent or a skill that does not load"
    follow(home, "Gemini CLI", "update", clone)
    follow(home, "Gemini CLI", "remove", clone)
    assert "skillpack" not in home.run("gemini extensions list")


def test_gemini_installs_one_skill_whose_scripts_run_and_removes_it(home: Home, ours: Path) -> None:
    clone = publish(home, ours)
    follow(home, "Gemini CLI", "one", clone)
    assert ONE in home.run("gemini skills list")
    helps(home.path / ".gemini" / "skills" / ONE)
    follow(home, "Gemini CLI", "remove-one", clone)
    assert ONE not in home.run("gemini skills list")


def copilot_sees(home: Home) -> dict[str, Path]:
    listed = home.json("copilot skill list --json")
    return {skill["name"]: Path(skill["path"]) for skill in listed if skill["source"] != "builtin"}


def test_copilot_installs_the_bundle_updates_and_removes_it(home: Home, ours: Path) -> None:
    publish(home, ours)
    follow(home, "GitHub Copilot CLI", "all")
    assert sorted(copilot_sees(home)) == SKILLS
    follow(home, "GitHub Copilot CLI", "update")
    follow(home, "GitHub Copilot CLI", "remove")
    assert copilot_sees(home) == {}


def test_copilot_installs_one_skill_whose_scripts_run(home: Home, ours: Path) -> None:
    publish(home, ours)
    follow(home, "GitHub Copilot CLI", "one")
    skills = copilot_sees(home)
    assert list(skills) == [ONE]
    helps(skills[ONE])


def opencode_sees(home: Home, project: Path) -> dict[str, Path]:
    listed = home.json("opencode debug skill", cwd=project)
    return {skill["name"]: Path(skill["location"]) for skill in listed if skill["location"] != "<built-in>"}


def test_npx_skills_installs_all_for_opencode_with_the_hashes_of_our_lock(home: Home, ours: Path) -> None:
    publish(home, ours)
    project = home.path / "project"
    project.mkdir()
    follow(home, "opencode", "all", cwd=project)
    skills = opencode_sees(home, project)
    assert sorted(skills) == SKILLS
    helps(skills[ONE].parent)
    theirs = json.loads((project / "skills-lock.json").read_text(encoding="utf-8"))["skills"]
    own = json.loads((ours / "skills-lock.json").read_text(encoding="utf-8"))["skills"]
    for name in SKILLS:
        assert theirs[name]["computedHash"] == own[name]["computedHash"]
        assert theirs[name]["skillPath"] == own[name]["skillPath"]
    follow(home, "opencode", "update", cwd=project)
    follow(home, "opencode", "remove", cwd=project)
    assert opencode_sees(home, project) == {}


def test_npx_skills_installs_one_skill(home: Home, ours: Path) -> None:
    publish(home, ours)
    project = home.path / "project"
    project.mkdir()
    follow(home, "opencode", "one", cwd=project)
    assert list(opencode_sees(home, project)) == [ONE]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path):
    """(a folder, the URL under which it is served)."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_web_site_offers_the_skills(home: Home, ours: Path, site: tuple[Path, str]) -> None:
    folder, url = site
    skillpack = [sys.executable, "-m", "skillpack"]
    into = str(folder / ".well-known/agent-skills")
    subprocess.run([*skillpack, "pack", "--layout", "flat", "--out", into, str(ours / "skills")], check=True)
    subprocess.run([*skillpack, "manifest", "--target", "wellknown", "--out", str(folder), str(ours)], check=True)
    project = home.path / "project"
    project.mkdir()
    home.run(f"skills add {url} --all", cwd=project)
    assert sorted(path.name for path in (project / ".agents/skills").iterdir()) == SKILLS
    broken = folder / ".well-known/agent-skills" / f"{ONE}.zip"
    broken.write_bytes(broken.read_bytes().replace(b"Fine-tune", b"Fine-tone"))
    other = home.path / "other"
    other.mkdir()
    home.run(f"skills add {url} --all", cwd=other, code=None)
    assert not (other / ".agents/skills" / ONE).exists(), "an archive that does not meet its digest"


@pytest.mark.parametrize("name", ["marketplace", "plugin"])
def test_the_cursor_manifests_fit_the_constraints_that_cursor_publishes(ours: Path, name: str) -> None:
    schema = json.loads((ROOT / f"src/skillpack/schemas/cursor-{name}.schema.json").read_text(encoding="utf-8"))
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    document = json.loads((ours / f".cursor-plugin/{name}.json").read_text(encoding="utf-8"))
    Draft7Validator(schema).validate(document)
    assert not Draft7Validator(schema).is_valid({**document, "$schema": "x"})


def test_the_mcp_commands_of_the_page_are_taken(home: Home) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    for client in ("claude", "codex"):
        (command,) = re.findall(rf"`({client} mcp add [^`]*)`", page)
        home.run(command)
        assert "huggingface" in home.run(f"{client} mcp list", code=None)
