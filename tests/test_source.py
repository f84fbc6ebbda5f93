"""Finding skills and reading their files: what is entered, what is followed, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skillpack import source
from skillpack.errors import UsageFailure
from skillpack.source import find, find_all, read_text

TEXT = "---\nname: {name}\ndescription: Does it.\n---\n"


def skill(folder: Path, file: str = "SKILL.md") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(TEXT.format(name=folder.name), encoding="utf-8")
    return folder


def found(path: Path) -> list[str]:
    return [os.path.relpath(tree.root, path) for tree in find(str(path)) if tree.skill_file]


def slugs(path: Path) -> list[str]:
    trees = find(str(path))
    for tree in trees:
        if tree.skill_file:
            read_text(tree, tree.skill_file)
    return [slug for tree in trees for slug, _ in tree.problems]


def test_a_tree_is_searched_but_for_hidden_folders_environments_and_dependencies(tmp_path: Path) -> None:
    for seen in ("a", "deep/er/b", ".claude/skills/c", ".agents/skills/d", ".github/skills/e", ".codex/skills/f"):
        skill(tmp_path / seen)
    for unseen in (".git/x", "node_modules/x", ".venv/x", ".cache/x", ".claude/.hidden/x", "__pycache__/x"):
        skill(tmp_path / unseen)
    assert found(tmp_path) == [
        ".agents/skills/d",
        ".claude/skills/c",
        ".codex/skills/f",
        ".github/skills/e",
        "a",
        "deep/er/b",
    ]


def test_the_hidden_shelves_of_a_collection_are_searched(tmp_path: Path) -> None:
    skill(tmp_path / "skills" / ".curated" / "a")
    skill(tmp_path / "other" / ".curated" / "b")
    assert found(tmp_path) == ["skills/.curated/a"]


def test_a_hidden_folder_that_is_named_is_searched(tmp_path: Path) -> None:
    skill(tmp_path / ".cache" / "x")
    assert found(tmp_path / ".cache") == ["x"]


def test_a_skill_in_a_skill_is_found_too(tmp_path: Path) -> None:
    skill(tmp_path)
    skill(tmp_path / "skills" / "inner")
    assert found(tmp_path) == [".", "skills/inner"]


def test_a_skill_can_be_named_by_its_folder_its_file_or_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skill(tmp_path / "a")
    monkeypatch.chdir(tmp_path / "a")
    named = [
        find(path)[0] for path in (str(tmp_path / "a"), str(tmp_path / "a" / "SKILL.md"), ".", "SKILL.md", "../a/")
    ]
    assert {tree.folder for tree in named} == {"a"}
    assert [tree.files for tree in named] == [["SKILL.md"]] * 5
    assert [tree.path("SKILL.md") for tree in named[2:]] == ["SKILL.md", "SKILL.md", "../a/SKILL.md"]


def test_a_skill_named_twice_is_read_once(tmp_path: Path) -> None:
    skill(tmp_path / "a")
    trees, empty = find_all([str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "SKILL.md")])
    assert len(trees) == 1
    assert empty == []


def test_a_path_without_a_skill_is_told_apart_from_one_with(tmp_path: Path) -> None:
    skill(tmp_path / "a")
    (tmp_path / "b").mkdir()
    assert find_all([str(tmp_path / "a"), str(tmp_path / "b")])[1] == [str(tmp_path / "b")]


@pytest.mark.parametrize("name", ["missing", "README.md"])
def test_a_path_that_cannot_be_a_skill_is_wrong_usage(tmp_path: Path, name: str) -> None:
    (tmp_path / "README.md").write_text("# Not a skill\n", encoding="utf-8")
    with pytest.raises(UsageFailure, match=name):
        find(str(tmp_path / name))


def test_skill_md_in_lower_case_counts_where_it_is_given_or_looks_like_a_skill(tmp_path: Path) -> None:
    skill(tmp_path / "a", "skill.md")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "skill.md").write_text("# On skills\n", encoding="utf-8")
    assert found(tmp_path) == ["a"]
    assert found(tmp_path / "docs") == ["."]


def test_of_two_spellings_skill_md_in_capitals_is_read(tmp_path: Path) -> None:
    skill(tmp_path, "skill.md")
    skill(tmp_path)
    assert [tree.skill_file for tree in find(str(tmp_path))] == ["SKILL.md"]


def test_a_file_past_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = skill(tmp_path) / "SKILL.md"
    monkeypatch.setattr(source, "MAX_FILE_BYTES", path.stat().st_size)
    assert slugs(tmp_path) == []
    monkeypatch.setattr(source, "MAX_FILE_BYTES", path.stat().st_size - 1)
    assert slugs(tmp_path) == ["file-size"]


def test_more_files_than_the_limit_are_one_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skill(tmp_path)
    for number in range(5):
        (tmp_path / f"{number}.txt").touch()
    monkeypatch.setattr(source, "MAX_FILES", 6)
    assert slugs(tmp_path) == []
    monkeypatch.setattr(source, "MAX_FILES", 3)
    assert slugs(tmp_path) == ["file-count"]


def test_folders_nested_too_deep_are_reported_and_not_entered(tmp_path: Path) -> None:
    skill(tmp_path / "a")
    skill(tmp_path / "/".join("d" * (source.MAX_DEPTH + 1)))
    assert found(tmp_path) == ["a"]
    assert slugs(tmp_path) == ["folder-unchecked"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "SKILL.md")
    assert slugs(tmp_path) == ["skill-file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_and_a_folder_without_permission_are_problems(tmp_path: Path) -> None:
    (skill(tmp_path / "a") / "SKILL.md").chmod(0)
    skill(tmp_path / "b").chmod(0)
    try:
        assert slugs(tmp_path) == ["skill-file", "folder-unchecked"]
    finally:
        (tmp_path / "b").chmod(0o755)


def test_a_folder_that_cannot_be_listed_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skill(tmp_path / "a")
    locked = skill(tmp_path / "b")
    scandir = os.scandir

    def refuse(path: str):
        if path == str(locked):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert slugs(tmp_path) == ["folder-unchecked"]


def test_links_that_go_round_in_circles_end(tmp_path: Path) -> None:
    skill(tmp_path / "skills" / "a")
    (tmp_path / "skills" / "round").symlink_to(tmp_path)
    (tmp_path / "skills" / "a" / "round").symlink_to(tmp_path / "skills" / "a")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert found(tmp_path) == ["skills/a"]


def test_a_skill_that_links_lead_to_is_found_once_and_under_its_own_path(tmp_path: Path) -> None:
    skill(tmp_path / ".store" / "a")
    (tmp_path / ".claude" / "skills").mkdir(parents=True)
    (tmp_path / ".agents" / "skills").mkdir(parents=True)
    (tmp_path / ".claude" / "skills" / "a").symlink_to("../../.store/a")
    (tmp_path / ".agents" / "skills" / "a").symlink_to("../../.store/a")
    assert found(tmp_path) == [".store/a"]


def test_a_link_to_the_skill_that_is_named_is_followed(tmp_path: Path) -> None:
    skill(tmp_path / "a")
    (tmp_path / "b").symlink_to("a")
    (tree,) = find(str(tmp_path / "b"))
    assert (tree.folder, tree.files, tree.problems) == ("b", ["SKILL.md"], [])


def test_a_link_whose_target_is_gone_is_a_problem_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").symlink_to("gone.md")
    assert slugs(tmp_path) == ["skill-file"]


def test_a_sibling_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    skill(tmp_path / "a")
    (tmp_path / "a-secrets").mkdir()
    (tmp_path / "a-secrets" / "key").touch()
    (tmp_path / "a" / "key").symlink_to("../a-secrets/key")
    assert slugs(tmp_path) == ["link-leaves-skill"]


def test_names_that_are_not_utf_8_are_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    skill(tmp_path / "a").rename(tmp_path / name)
    assert found(tmp_path) == [name]
