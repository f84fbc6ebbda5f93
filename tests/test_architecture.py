"""The modules of the package depend on each other in one direction only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "skillpack"
#: Each may import those before it, and itself. A new module needs a place here.
ORDER = [
    *(
        "diagnostics",
        "errors",
        "source",
        "schemas",
        "frontmatter",
        "markdown",
        "scripts",
        "skill",
        "edits",
        "suppress",
        "rules",
        "checker",
        "kit",
        "cache",
        "workers",
        "config",
        "clients",
        "reports",
        "listing",
        "library",
    ),
    *(
        "archive",
        "catalog",
        "targets",
        "fixes",
        "pages",
        "baseline",
        "changed",
        "scaffold",
        "signing",
        "manifests",
        "verify",
        "hub",
        "samples",
        "rehearsal",
        "evals",
    ),
    *("cli", "start", "__main__"),
]


def imported(path: Path) -> set[str]:
    """Names of the modules of this package that the file imports, also inside its functions."""
    inside = path.parent.relative_to(PACKAGE).parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("skillpack.")}
        elif isinstance(node, ast.ImportFrom) and node.level:
            above = inside[: len(inside) - node.level + 1]
            names |= {above[0]} if above else {(node.module or node.names[0].name).split(".")[0]}
        elif isinstance(node, ast.ImportFrom) and node.module == "skillpack":
            names |= {alias.name for alias in node.names if alias.name != "__version__"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("skillpack."):
            names.add((node.module or "").split(".")[1])
    return names


def owner(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_comes_before_it(path: Path) -> None:
    late = [name for name in imported(path) if ORDER.index(name) > ORDER.index(owner(path))]
    assert late == []


def test_this_test_sees_an_import_that_goes_the_wrong_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "rules").mkdir()
    path = tmp_path / "rules" / "bad.py"
    path.write_text("def f():\n    from skillpack.reports import text\nfrom ..checker import check\n", encoding="utf-8")
    assert imported(path) == {"reports", "checker"}
    with pytest.raises(AssertionError):
        test_a_module_imports_only_what_comes_before_it(path)


def test_only_the_commands_print() -> None:
    for path in FILES:
        if owner(path) in ORDER[: ORDER.index("kit")]:
            called = {
                node.func.id
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert "print" not in called, path


def test_only_source_opens_files_for_the_validator() -> None:
    for path in FILES:
        if owner(path) in ORDER[: ORDER.index("kit")] and owner(path) != "source":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"\bopen\(|\.read_text\(|\.read_bytes\(|scandir", text), path
