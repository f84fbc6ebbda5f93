"""Settings: which rules take part, where, and how much their findings weigh."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skillpack.cli import main

TEXT = (
    "---\nname: {name}\ndescription: Sorts. Use when unsorted.\nmodel: x\n---\n[a](references/a.md)\n"
    "```bash\npip install x\n```\n"
)


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("one", "two"):
        (tmp_path / "skills" / name).mkdir(parents=True)
        (tmp_path / "skills" / name / "SKILL.md").write_text(TEXT.format(name=name), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(capsys: pytest.CaptureFixture[str], *options: str) -> list[tuple[str, str, str]]:
    assert main(["validate", "skills", "--format", "json", "--fail-on", "never", *options]) in (0, 1)
    shown = json.loads(capsys.readouterr().out)["diagnostics"]
    return [(Path(one["path"]).parent.name, one["slug"], one["severity"]) for one in shown]


BOTH = [(skill, slug, "warning") for skill in ("one", "two") for slug in ("field-of-client", "link-target")]


SPEC = [one for one in BOTH if one[1] == "field-of-client"]


def test_without_settings_the_recommended_rules_take_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert found(capsys) == BOTH
    assert found(capsys, "--profile", "spec") == SPEC


@pytest.mark.parametrize("name", ["skillpack.toml", "pyproject.toml"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ('select = ["link-target"]', [one for one in BOTH if one[1] == "link-target"]),
        ('ignore = ["link-target"]', [one for one in BOTH if one[1] != "link-target"]),
        ('exclude = ["skills/one"]', [one for one in BOTH if one[0] == "two"]),
        ('exclude = ["*/two/SKILL.md"]', [one for one in BOTH if one[0] == "one"]),
        ('profile = "spec"', SPEC),
        ('per-path = {"skills/one/**" = ["link-target"]}', [BOTH[0], *BOTH[2:]]),
        ('severity = {link-target = "notice"}', [(a, b, "notice" if b == "link-target" else c) for a, b, c in BOTH]),
    ],
)
def test_a_setting_holds_in_either_file(
    tree: Path, name: str, settings: str, expected: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    table = "[tool.skillpack]\n" if name == "pyproject.toml" else ""
    profile = "" if "profile" in settings else 'profile = "recommended"\n'
    (tree / name).write_text(f"{table}{profile}{settings}\n", encoding="utf-8")
    assert found(capsys) == expected


def test_the_strict_profile_has_more_rules_and_strict_asks_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert ("one", "unpinned-tool", "notice") in found(capsys, "--profile", "strict")
    assert ("one", "unpinned-tool", "notice") in found(capsys, "--strict")
    assert found(capsys, "--profile", "spec") == SPEC


@pytest.mark.parametrize(
    "settings",
    ['ignore = ["link-targets"]', "colour = 1", 'profile = "all"', "select = 1", 'severity = {secret = "bad"}', "= 1"],
)
def test_a_wrong_setting_is_wrong_usage(tree: Path, settings: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "skillpack.toml").write_text(settings + "\n", encoding="utf-8")
    assert main(["validate", "skills"]) == 2
    assert capsys.readouterr().err.startswith("error: skillpack.toml: ")


def test_a_file_of_settings_can_be_named(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "own.toml").write_text('select = ["link-target"]\n', encoding="utf-8")
    assert len(found(capsys, "--config", "own.toml")) == 2
    assert main(["validate", "skills", "--config", "missing.toml"]) == 2


def test_a_crashed_rule_cannot_be_excluded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skillpack.diagnostics import ERROR
    from skillpack.rules import Rule

    def crash(_: object) -> None:
        raise ValueError

    (tree / "skillpack.toml").write_text('exclude = ["skills"]\nprofile = "spec"\n', encoding="utf-8")
    monkeypatch.setattr("skillpack.rules.discover", lambda: [Rule("bad", ERROR, crash)])  # type: ignore[arg-type]
    assert main(["validate", "skills"]) == 1
