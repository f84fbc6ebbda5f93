"""`skillpack manifest`: every client's files from one source, for anybody's repository of skills."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from skillpack.catalog import load_catalog
from skillpack.targets import generate, names
from skillpack.targets.lock import computed_hash

ROOT = Path(__file__).parents[1]
IDENTITY = '[pack]\nname = "bakery"\nversion = "1.0.0"\ndescription = "Skills of a bakery."\nowner = { name = "Bea" }\n'


def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([sys.executable, "-m", "skillpack", *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def add_skill(pack: Path, name: str, metadata: str = "") -> Path:
    folder = pack / "skills" / name
    (folder / "scripts").mkdir(parents=True)
    text = f"---\nname: {name}\ndescription: Makes {name}. Use when the user wants {name}.\n{metadata}---\n\n# {name}\n"
    (folder / "SKILL.md").write_text(text, encoding="utf-8")
    (folder / "scripts" / "Run_it.sh").write_text("#!/bin/sh\necho hi\n", encoding="utf-8")
    (folder / "scripts" / "Run_it.sh").chmod(0o755)
    return folder


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A repository of two skills with an identity."""
    for name in ("bread", "cake"):
        add_skill(tmp_path / "pack", name)
    (tmp_path / "pack" / "skillpack.toml").write_text(IDENTITY, encoding="utf-8")
    return tmp_path / "pack"


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_every_target_is_there_and_writes_what_it_says(pack: Path) -> None:
    wanted = {"agentsmd", "claude", "codex", "cursor", "gemini", "lock", "mcp", "readme", "wellknown"}
    assert set(names()) == wanted
    assert set(generate(load_catalog(str(pack)))) == {
        *(".claude-plugin/marketplace.json", ".claude-plugin/plugin.json", ".agents/plugins/marketplace.json"),
        *(".cursor-plugin/marketplace.json", ".cursor-plugin/plugin.json", "gemini-extension.json"),
        *("agentsmd/AGENTS.md", ".well-known/agent-skills/index.json", "skills-lock.json"),
    }


def test_what_is_written_passes_the_validator_strictly(pack: Path) -> None:
    run("manifest", str(pack))
    run("validate", "--strict", "--config", str(pack / "skillpack.toml"), str(pack))


def test_our_own_manifests_are_in_step() -> None:
    run("manifest", "--check", str(ROOT))


def test_two_runs_write_the_same_and_check_shows_the_diff_of_a_hand_edit(pack: Path) -> None:
    run("manifest", str(pack))
    before = files(pack)
    assert "in step" in run("manifest", str(pack)).stdout
    assert files(pack) == before
    path = pack / "gemini-extension.json"
    path.write_text(path.read_text().replace("1.0.0", "1.0.1"), encoding="utf-8")
    said = run("manifest", "--check", str(pack), code=1)
    assert '-  "version": "1.0.1"' in said.stdout and '+  "version": "1.0.0"' in said.stdout
    assert "1 of 9 files have drifted" in said.stderr
    run("manifest", str(pack))
    assert files(pack) == before


def test_another_skill_changes_its_folder_and_the_generated_files_only(pack: Path) -> None:
    run("manifest", str(pack))
    before = files(pack)
    add_skill(pack, "tart")
    run("manifest", "--check", str(pack), code=1)
    run("manifest", str(pack))
    after = files(pack)
    changed = {name for name in after if after[name] != before.get(name)}
    generated = set(generate(load_catalog(str(pack))))
    own = {name for name in changed if name.startswith("skills/tart/")}
    assert own == {"skills/tart/SKILL.md", "skills/tart/scripts/Run_it.sh"}
    assert changed - own <= generated
    for name in (".claude-plugin/marketplace.json", ".agents/plugins/marketplace.json", "agentsmd/AGENTS.md"):
        assert b"tart" in after[name]


def test_one_target_is_written_elsewhere(pack: Path, tmp_path: Path) -> None:
    run("manifest", str(pack), "--target", "claude", "--out", str(tmp_path / "out"))
    assert set(files(tmp_path / "out")) == {".claude-plugin/marketplace.json", ".claude-plugin/plugin.json"}
    said = run("manifest", str(pack), "--target", "cluade", code=2).stderr
    assert "there is no target 'cluade'; there are agentsmd, claude" in said


def test_the_marketplaces_show_the_short_description_and_the_index_when_to_use_it(pack: Path) -> None:
    add_skill(pack, "tart", "metadata:\n  short-description: Tarts for people\n  version: 3.0.0\n")
    texts = generate(load_catalog(str(pack)))
    entries = {entry["name"]: entry for entry in json.loads(texts[".claude-plugin/marketplace.json"])["plugins"]}
    assert entries["tart"]["description"] == "Tarts for people" and entries["tart"]["version"] == "3.0.0"
    assert entries["bread"]["description"] == "Makes bread." and entries["bread"]["version"] == "1.0.0"
    assert "- `skills/tart/SKILL.md`: Use when the user wants tart." in texts["agentsmd/AGENTS.md"]


def test_the_readme_keeps_every_byte_outside_its_table(pack: Path) -> None:
    readme = pack / "README.md"
    readme.write_text("# B\r\n\n<!-- skillpack:skills -->\nold\n<!-- /skillpack:skills -->\nrest  \n", encoding="utf-8")
    readme.write_bytes(readme.read_bytes())
    run("manifest", str(pack))
    text = readme.read_bytes().decode()
    assert "| [cake](skills/cake/SKILL.md) | Makes cake. |" in text and "old" not in text
    assert text.endswith("<!-- /skillpack:skills -->\nrest  \n")
    readme.write_text("<!-- skillpack:skills -->\n", encoding="utf-8")
    assert "between one" in run("manifest", str(pack), code=2).stderr


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        ("", "no identity for the manifests"),
        ("[pack]\n", "there is no owner"),
        (IDENTITY.replace('name = "bakery"', 'name = "Bakery Inc"'), "'Bakery Inc' is refused by clients"),
        (IDENTITY.replace('"bakery"', '"agent-skills"'), "reserved"),
        (IDENTITY.replace('"bakery"', '"official-claude-bread"'), "reserved"),
        (IDENTITY.replace('"1.0.0"', '"one"'), "'one' has not the form 1.2.3"),
        (IDENTITY + "colour = 'red'\n", "there is no key 'colour'"),
        (IDENTITY.replace('name = "bakery"', 'name = "bread"'), "the pack is called as its skill 'bread'"),
        (IDENTITY + "mcp = { oven = 'file:///x' }\n", "mcp is a table of server name -> URL"),
        (IDENTITY + "skills = 'recipes'\n", "does not exist"),
    ],
    ids=lambda value: value if " " in value and "\n" not in value else None,
)
def test_an_identity_that_clients_would_refuse_is_refused_here(pack: Path, identity: str, said: str) -> None:
    (pack / "skillpack.toml").write_text(identity, encoding="utf-8")
    before = files(pack)
    assert said in run("manifest", str(pack), code=2).stderr
    assert files(pack) == before


def test_all_that_is_wrong_is_said_at_once(pack: Path) -> None:
    (pack / "skillpack.toml").write_text('[pack]\nname = "A B"\nversion = "x"\nowner = "Bea"\n', encoding="utf-8")
    said = run("manifest", str(pack), code=2).stderr
    assert "there is no description" in said and "'A B' is refused" in said and "'x' has not the form" in said


def test_what_the_identity_leaves_out_comes_from_the_project(pack: Path) -> None:
    (pack / "skillpack.toml").unlink()
    project = '[project]\nname = "bakery"\nversion = "4.0.0"\ndescription = "B."\nauthors = [{ name = "Bea" }]\n'
    more = '[project.urls]\nRepository = "https://github.com/bea/bakery"\n[tool.skillpack.pack]\n'
    (pack / "pyproject.toml").write_text(project + more, encoding="utf-8")
    texts = generate(load_catalog(str(pack)))
    assert json.loads(texts[".claude-plugin/plugin.json"])["version"] == "4.0.0"
    assert json.loads(texts["skills-lock.json"])["skills"]["cake"]["source"] == "bea/bakery"
    (pack / "pyproject.toml").write_text(project + more + 'version = "4.0.1"\n', encoding="utf-8")
    assert "version is '4.0.1' here and '4.0.0' in [project]" in run("manifest", str(pack), code=2).stderr


def test_two_skills_of_one_name_and_a_skill_too_deep_are_refused(pack: Path) -> None:
    shutil.copytree(pack / "skills" / "cake", pack / "skills" / "more" / "cake")
    said = run("manifest", str(pack), code=2).stderr
    assert "clients look for skills one level below skills" in said
    shutil.rmtree(pack / "skills" / "more")
    shutil.copytree(pack / "skills" / "cake", pack / "skills" / "torte")
    assert "the name is not the folder's" in run("manifest", str(pack), code=2).stderr


def test_a_folder_without_skills_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "skills").mkdir()
    (tmp_path / "skillpack.toml").write_text(IDENTITY, encoding="utf-8")
    assert "no SKILL.md" in run("manifest", str(tmp_path), code=3).stderr


def test_the_hash_of_the_lock_orders_names_as_javascript_does(tmp_path: Path) -> None:
    shuffled = [
        "b.md",
        "A.md",
        "a.md",
        "a-1.md",
        "a_1.md",
        "SKILL.md",
        "scripts/x.py",
        "s.md",
        "Z/z.md",
        "10.md",
        "2.md",
    ]
    node = shutil.which("node")
    assert node, "the order is held against Node.js, which `make clients` needs too"
    script = f"console.log(JSON.stringify({json.dumps(shuffled)}.sort((a, b) => a.localeCompare(b))))"
    ordered = json.loads(subprocess.run([node, "-e", script], capture_output=True, text=True, check=True).stdout)
    from skillpack.archive import Member

    ours = computed_hash([Member(name, False, b"") for name in shuffled])
    import hashlib

    assert ours == hashlib.sha256("".join(ordered).encode()).hexdigest()
