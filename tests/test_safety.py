"""The promises of `validate`: it runs nothing, reaches nothing outside its root, never fails and repeats itself."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skillpack import start, workers
from skillpack.checker import check
from skillpack.cli import main
from skillpack.diagnostics import ERROR, Finding, redacted
from skillpack.errors import Failure
from skillpack.reports import text
from skillpack.rules import Rule, discover
from skillpack.skill import MAX_TEXT, Skill, load_skill
from skillpack.source import MAX_FILE_BYTES, Tree, find
from skillpack.workers import check_trees

CASES = Path(__file__).parent / "rules"
RULES = discover()

# Runs `validate` in both formats under an audit hook. Python's own modules may be loaded, from where they are
# installed; everything else that is opened lies inside the root, and nothing is run, connected to or written.
AUDITED = """
import os, sys
root = os.path.realpath(sys.argv[1])
libraries = tuple({os.path.realpath(path) for path in [*sys.path, sys.prefix, sys.base_prefix] if path})
forbidden = ("subprocess.", "os.exec", "os.system", "os.spawn", "os.posix_spawn", "os.fork", "pty.", "socket.",
             "urllib.", "http.", "ftplib.", "smtplib.", "ctypes.", "os.remove", "os.rename", "os.mkdir", "os.rmdir",
             "os.link", "os.symlink", "os.chmod", "os.truncate", "shutil.", "tempfile.")
seen, forks = [], []

def hook(event, arguments):
    if event == "os.fork" and sys._getframe(1).f_code.co_filename.endswith("workers.py"):
        forks.append(event)  # the program's own share of the work: the hook goes with it
    elif event.startswith(forbidden):
        seen.append((event, str(arguments)))
    elif event in ("exec", "compile"):
        name = arguments[0].co_filename if event == "exec" else str(arguments[1])
        if not (name.startswith("<") or os.path.realpath(name).startswith(libraries)):
            seen.append((event, name))
    elif event in ("open", "os.listdir", "os.scandir"):
        if not isinstance(arguments[0], (str, bytes)):
            return
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if len(os.path.basename(path)) > 255:
            return  # scripts.NO_FILE: no file can have this name
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or not (path == root or path.startswith((root + os.sep, *libraries))):
            seen.append((event, path))

sys.dont_write_bytecode = True
sys.addaudithook(hook)
from skillpack import start, workers
from skillpack.cli import main

def judge(skills, rules, judge=workers.judge):
    judged = judge(skills, rules)
    if seen:  # of a worker, which has no other way to say so
        os.write(2, ascii(seen).encode())
        os._exit(9)
    return judged

workers.judge = judge
codes = [main(["validate", sys.argv[1], "--format", form]) for form in ("text", "json")]
if seen or codes != [1, 1] or len(forks) != 2 * (workers.processors(1000) - 1):
    sys.exit(f"{codes} {seen} {forks}")
"""


def hostile(root: Path) -> None:
    """A copy of every case, and beside it what a skill must not make a validator do."""
    import shutil

    shutil.copytree(CASES, root / "cases", symlinks=True)
    folder = root / "hostile"
    (folder / "scripts").mkdir(parents=True)
    (folder / "SKILL.md").write_text(
        "---\nname: hostile\ndescription: !!python/object/apply:os.system ['touch owned']\n---\n", encoding="utf-8"
    )
    (folder / "scripts" / "run.py").write_text("open('owned', 'w')\n", encoding="utf-8")
    (folder / "scripts" / "secret").symlink_to("/etc/passwd")
    (root / "linked").mkdir()
    (root / "linked" / "SKILL.md").symlink_to("/etc/passwd")
    (root / "outside").symlink_to("/etc")


def test_validate_runs_nothing_connects_to_nothing_and_opens_nothing_outside_its_root(tmp_path: Path) -> None:
    hostile(tmp_path / "root")
    done = subprocess.run(
        [sys.executable, "-I", "-c", AUDITED, str(tmp_path / "root")], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("deed", "event"),
    [
        ("open('/etc/hostname')", "open"),
        ("open('x', 'w')", "open"),
        ("os.system('true')", "os.system"),
        ("__import__('socket').socket()", "socket.__new__"),
    ],
)
def test_the_audit_would_see_a_rule_that_breaks_the_promise(tmp_path: Path, deed: str, event: str) -> None:
    hostile(tmp_path / "root")
    code = AUDITED.replace("codes =", f"{deed}\ncodes =")
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "root")], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode != 0
    assert f"[('{event}'" in done.stderr


def diagnose(path: Path) -> str:
    trees = find(str(path))
    return text.render(check(map(load_skill, trees), RULES), len(trees))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"---\n", b"---\nname: x\ndescription: ", b"\xef\xbb\xbf---\n"]))
def test_any_bytes_give_findings_and_never_a_traceback(data: bytes, start: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x" / "SKILL.md"
        path.parent.mkdir()
        path.write_bytes(start + data)
        trees = find(folder)
        diagnostics = check(map(load_skill, trees), RULES)
        assert "rule-crashed" not in {found.slug for found in diagnostics}
        for found in diagnostics:
            assert found.location.path == str(path)
            assert 1 <= found.location.line <= len((start + data).splitlines()) + 2
            assert found.location.column >= 1
        assert text.render(diagnostics, 1).encode()


def test_text_past_the_ceiling_of_a_skill_is_named_and_not_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "big"
    (folder / "references").mkdir(parents=True)
    (folder / "SKILL.md").write_text("---\nname: big\ndescription: d\n---\nSee references/.\n", encoding="utf-8")
    size = (MAX_TEXT // 17) + 1
    assert size < MAX_FILE_BYTES
    for number in range(18):
        (folder / "references" / f"{number:02}.txt").write_text("a" * size, encoding="utf-8")
    found = check(map(load_skill, find(str(tmp_path))), RULES)
    (notice,) = (one for one in found if one.slug == "text-unchecked")
    assert notice.location.path.endswith("17.txt")
    assert "were not looked at" in notice.message or "was not looked at" in notice.message


def test_a_rule_that_crashes_is_an_error_and_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").write_text("---\nname: hf_abcdefghijklmnopqrst\n---\n", encoding="utf-8")

    def crash(skill: Skill) -> Iterator[Finding]:
        yield Finding("the first")
        raise ValueError(skill.string("name"))

    diagnostics = check(map(load_skill, find(str(tmp_path))), [Rule("bad", ERROR, crash), *RULES])
    slugs = [found.slug for found in diagnostics]
    assert {"bad", "rule-crashed", "description-required"} <= set(slugs)
    (crashed,) = (found for found in diagnostics if found.slug == "rule-crashed")
    assert crashed.severity is ERROR
    assert "bad failed with ValueError" in crashed.message
    assert "hf_" not in crashed.message


def test_a_rule_that_crashes_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "SKILL.md").write_text("---\nname: a\ndescription: d\n---\n", encoding="utf-8")
    assert main(["validate", str(tmp_path)]) == 0

    def crash(skill: Skill) -> Iterator[Finding]:
        raise ZeroDivisionError

    monkeypatch.setattr("skillpack.rules.discover", lambda: [Rule("bad", ERROR, crash)])
    assert main(["validate", str(tmp_path)]) == 1


def test_the_start_without_click_reports_what_the_command_reports(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    codes = set()
    for case in sorted(CASES.glob("*/*")):
        reports = []
        for run, options in ((start.main, []), (main, ["--format", "text"])):
            code = run(["validate", str(case), *options])
            reports.append((code, *capsys.readouterr()))
            codes.add(code)
        assert reports[0] == reports[1]
    assert codes == {0, 1}


def test_one_skill_is_validated_without_click_and_an_option_with_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "SKILL.md").write_text("---\nname: a\ndescription: d\n---\nText.\n", encoding="utf-8")
    for options, loaded in (("", False), (", '--strict'", True)):
        call = f"main(['validate', 'a'{options}])"
        code = f"import sys; from skillpack.start import main; {call}; print('click' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
        assert done.stdout.split("\n")[-2] == str(loaded)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_several_processes_find_what_one_finds(number: int) -> None:
    trees = find(str(CASES))
    assert len(trees) > 100
    assert check_trees(trees, RULES, workers=number) == check(map(load_skill, trees), RULES)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has workers")
def test_a_worker_that_ends_early_is_a_failure_and_not_a_clean_report(monkeypatch: pytest.MonkeyPatch) -> None:
    parent, load = os.getpid(), workers.load_skill

    def end(tree: Tree) -> Skill:
        return load(tree) if os.getpid() == parent else os._exit(0)  # as the system does when memory runs out

    monkeypatch.setattr(workers, "load_skill", end)
    with pytest.raises(Failure, match="nothing is reported"):
        check_trees(find(str(CASES)), RULES, workers=2)


def test_the_order_in_which_the_system_lists_a_folder_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    class Shuffled:
        def __init__(self, path: str) -> None:
            with listed(path) as scan:
                self.entries = list(scan)
            random.shuffle(self.entries)

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None:
            pass

    expected = diagnose(CASES)
    monkeypatch.setattr(os, "scandir", Shuffled)
    for seed in range(3):
        random.seed(seed)
        assert diagnose(CASES) == expected


def test_two_processes_with_other_hash_seeds_print_the_same_bytes() -> None:
    command = [sys.executable, "-m", "skillpack", "validate", str(CASES), "--format", "json"]
    first, second = (
        subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}) for seed in "12"
    )
    assert first.returncode == 1
    assert first.stdout == second.stdout


SECRET = "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "junit"])
@pytest.mark.parametrize(
    "frontmatter",
    [
        f"name: {SECRET}\ndescription: d\n",
        f"name: x\ndescription: token: {SECRET}\n",
        f"name: x\ndescription: {'long ' * 11}{SECRET}: it\n",
        f"name: x\ndescription: d\n{SECRET}: y\n",
        f"name: x\ndescription: d\nallowed-tools: [{SECRET}]\n",
        f"name: x\ndescription: d\nmetadata:\n  {SECRET}: 1\n  {SECRET}: 2\n",
        f"name: x\ndescription: !{SECRET} d\n",
    ],
)
def test_a_token_in_a_skill_is_in_no_report(
    form: str, frontmatter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "SKILL.md").write_text(f"---\n{frontmatter}---\n", encoding="utf-8")
    main(["validate", str(tmp_path), "--format", form])
    out = capsys.readouterr().out
    assert "SKILL.md" in out
    assert SECRET[:10] not in out


@pytest.mark.parametrize("harmless", ["hf_home", "self_hf_x", "the sk-learn library", "ghp_", "task-force-of-people"])
def test_words_that_only_begin_like_a_token_stay(harmless: str) -> None:
    assert redacted(harmless) == harmless


def test_control_characters_in_names_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a\x1b[2Jb\nc\u202e"
    folder.mkdir()
    (folder / "SKILL.md").write_text('---\nname: "\\e[31m\\u202e"\n"\\e[2J": x\n---\n', encoding="utf-8")
    main(["validate", str(tmp_path)])
    quoted = capsys.readouterr().out
    main(["validate", str(tmp_path), "--no-source"])
    main(["list", str(tmp_path)])
    out = capsys.readouterr().out
    assert "\x1b" not in out + quoted
    assert "\u202e" not in out + quoted
    assert all(".md" in line or "checked" in line or line.startswith("  ") for line in out.splitlines())
    main(["validate", str(tmp_path), "--format", "json"])
    assert json.loads(capsys.readouterr().out)["diagnostics"][0]["path"] == str(folder / "SKILL.md")


def test_no_message_calls_anything_safe() -> None:
    reports = "".join(path.read_text(encoding="utf-8") for path in CASES.rglob("expected.txt"))
    assert len(reports) > 5_000
    for word in ("safe", "secure", "trusted", "harmless"):
        assert word not in reports.lower()


def test_validate_on_one_skill_imports_next_to_nothing_beyond_click_and_yaml(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "SKILL.md").write_text("---\nname: a\ndescription: d\n---\nText.\n", encoding="utf-8")

    def modules(code: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        return set(done.stderr.split())

    run = f"from skillpack.cli import main\nassert main(['validate', {str(tmp_path)!r}]) == 0"
    extra = {name for name in modules(run) - modules("import click, yaml") if not name.startswith("skillpack")}
    assert extra <= {"unicodedata", "locale", "_locale", "stat", "importlib", "gc"}
