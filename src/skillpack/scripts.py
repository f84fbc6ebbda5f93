"""Text of a Python script -> syntax tree and PEP 723 header. Nothing is executed.

Everything here is lazy: `ast` and `tomllib` are imported for the first skill that has a script.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ast

#: In place of a file's name: Python tries to open it to quote a wrong line, and no file can have a name this long.
NO_FILE = f"<script{'-' * 300}>"
_HEADER = r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$"


class Parsed(NamedTuple):
    """What the parser made of a script: both when only newer Pythons than the oldest asked for can read it."""

    tree: ast.Module | None
    error: SyntaxError | None


class Script:
    """One Python file of a skill: `name` within it, `path` to show, `text`."""

    def __init__(self, name: str, path: str, text: str) -> None:
        self.name, self.path, self.text = name, path, text
        self._header: dict[str, Any] | None = None
        self._read = False
        #: Why the header could not be read, and the line; "" when it could.
        self.header_problem, self.header_line = "", 1
        self._result: Parsed | None = None
        self._calls: list[tuple[str, ast.Call]] | None = None

    @property
    def header(self) -> dict[str, Any] | None:
        """The `script` block of PEP 723 as a mapping; None where there is none or it could not be read."""
        if not self._read:
            self._read = True
            self._header = self._parse_header()
        return self._header

    def _parse_header(self) -> dict[str, Any] | None:
        if "# /// script" not in self.text:
            return None
        import re

        blocks = [match for match in re.finditer(_HEADER, self.text) if match["type"] == "script"]
        opening = self.text.index("# /// script")
        self.header_line = self.text.count("\n", 0, opening) + 1
        if not blocks:
            # Only an opening line at the left margin was meant to be a header; others are text in a string.
            if opening == 0 or self.text[opening - 1] == "\n":
                self.header_problem = "the block is not closed by a line `# ///`, or a line in it is no comment"
            return None
        self.header_line = self.text.count("\n", 0, blocks[0].start()) + 1
        if len(blocks) > 1:
            self.header_problem = "there are two `script` blocks"
            return None
        lines = blocks[0]["content"].splitlines()
        source = "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
        if sys.version_info >= (3, 11):
            import tomllib
        else:
            import tomli as tomllib
        try:
            return tomllib.loads(source)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            self.header_problem = f"not TOML: {error}"
            return None

    @property
    def dependencies(self) -> list[str] | None:
        """The requirements in the header; None where there is no header."""
        if self.header is None:
            return None
        listed = self.header.get("dependencies", [])
        return [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []

    @property
    def oldest_python(self) -> tuple[int, int] | None:
        """The lowest version that `requires-python` admits; None where nothing is said or it cannot be told."""
        wanted = (self.header or {}).get("requires-python")
        if not isinstance(wanted, str):
            return None
        import re

        lowest = [(int(a), int(b)) for a, b in re.findall(r"(?:>=|==|~=)\s*(3)\.(\d{1,3})", wanted)]
        return max(lowest) if lowest else None

    @property
    def tree(self) -> ast.Module | None:
        """The syntax tree; None where the script does not compile."""
        return self._parsed.tree

    @property
    def syntax_error(self) -> SyntaxError | None:
        """Why the script does not compile, at all or in the oldest Python that its header admits."""
        return self._parsed.error

    @property
    def _parsed(self) -> Parsed:
        """Parses once in the usual case: what the oldest Python asked for can read, all later ones can."""
        if self._result is None:
            oldest = self.oldest_python
            if oldest is not None and (3, 7) <= oldest < sys.version_info[:2]:
                self._result = _parse(self.text, oldest)
                if self._result.error is not None:
                    newest = _parse(self.text, None)
                    self._result = newest if newest.error else Parsed(newest.tree, self._result.error)
            else:
                self._result = _parse(self.text, None)
        return self._result

    @property
    def calls(self) -> list[tuple[str, ast.Call]]:
        """Every call with the last part of the name that it calls. One walk serves all rules; look in `text` first."""
        if self._calls is None:
            import ast

            self._calls = []
            for node in ast.walk(self.tree) if self.tree is not None else ():
                if isinstance(node, ast.Call):
                    self._calls.append((called(node), node))
        return self._calls

    @property
    def runs(self) -> bool:
        """Whether the file is meant to be run: it has a shebang, a header or the guard of a main program."""
        return self.text.startswith("#!") or self.header is not None or "__main__" in self.text


def called(call: ast.Call) -> str:
    """The last part of the name of what is called; "" where it has none."""
    import ast

    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _parse(text: str, version: tuple[int, int] | None) -> Parsed:
    """Reads `text` with the grammar of Python `version`, or of this one."""
    import ast
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Parsed(ast.parse(text, NO_FILE, feature_version=version), None)
        except SyntaxError as error:
            return Parsed(None, error)
        except (ValueError, RecursionError, MemoryError) as error:
            return Parsed(None, SyntaxError(f"it cannot be parsed: {type(error).__name__}"))
