"""Path -> Tree: the only module of the validator that reads the file system.

A tree is what one skill's folder holds, by name. Its files are read one at a time, through `read_text`, which
caps their size, stays inside the folder and wants UTF-8. Whatever goes wrong becomes a `Problem` of the tree:
nothing here raises for what a file contains.
"""
# pathlib takes longer to import than a validation takes to run.
# ruff: noqa: PTH123, PTH100, PTH110, PTH112, PTH114, PTH118, PTH119, PTH120

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from skillpack.diagnostics import WARNING, Finding, Problem, Severity, quoted
from skillpack.errors import UsageFailure

SKILL_FILE = "SKILL.md"
#: Files past this size are not read. The largest real SKILL.md among 3,792 is far below it.
MAX_FILE_BYTES = 1 << 20
#: A skill with more files than this is reported and its further files are not listed.
MAX_FILES = 20_000
#: Folders nested deeper than this are not entered.
MAX_DEPTH = 64

#: Manifests of plugins and servers at the root of a tree.
MANIFESTS = (
    *(".agents/plugins/marketplace.json", ".claude-plugin/marketplace.json", ".claude-plugin/plugin.json"),
    *(".codex-plugin/plugin.json", ".cursor-plugin/plugin.json", ".mcp.json"),
)
#: Hidden folders in which clients look for skills.
CLIENT_FOLDERS = frozenset({".agents", ".claude", ".codex", ".cursor", ".gemini", ".github"})
_NEVER_ENTERED = frozenset({".git", ".venv", "__pycache__", "node_modules"})
#: Neither waits for a pipe's writer nor follows a link that replaced the file after it was checked.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Tree:
    """One skill's folder: `root` as the user would write it, `folder` its name, `files` relative to it."""

    __slots__ = ("_folders", "_names", "_real", "drafts", "files", "folder", "problems", "root", "skill_file")

    def __init__(self, root: str, skill_file: str | None) -> None:
        self.root = root
        self.folder = os.path.basename(os.path.abspath(root))
        #: The name of the file that defines the skill, as spelled on disk; None where no skill could be read.
        self.skill_file = skill_file
        self.files: list[str] = []
        self.problems: list[Problem] = []
        #: What is read in place of what is on disk, by path; and whether the file is executable.
        self.drafts: dict[str, tuple[bytes, bool]] = {}
        self._real: str | None = None
        self._names: frozenset[str] | None = None
        self._folders: frozenset[str] | None = None

    @property
    def names(self) -> frozenset[str]:
        """The names of the files, with forward slashes."""
        if self._names is None:
            self._names = frozenset(name.replace(os.sep, "/") for name in self.files)
        return self._names

    @property
    def folders(self) -> frozenset[str]:
        """The names of the folders that hold files, and of those that they are in."""
        if self._folders is None:
            parents = {name.rpartition("/")[0] for name in self.names}
            for parent in tuple(parents):
                while parent:
                    parents.add(parent)
                    parent = parent.rpartition("/")[0]
            self._folders = frozenset(parents - {""})
        return self._folders

    def path(self, name: str) -> str:
        """The path to open and to show for the file `name` of this tree."""
        return _join(self.root, name)

    @property
    def real(self) -> str:
        """The folder's own path, with every link in it followed."""
        if self._real is None:
            self._real = os.path.realpath(self.root)
        return self._real

    def contains(self, path: str) -> bool:
        """Whether `path`, with every link in it followed, is still inside the folder."""
        real = os.path.realpath(path)
        return real == self.real or real.startswith(_join(self.real, ""))

    def list(self, path: str) -> None:
        """Adds the file at `path`, which is under the root, to `files`."""
        if len(self.files) < MAX_FILES:
            self.files.append(path if self.root == os.curdir else path[len(_join(self.root, "")) :])
        elif not any(slug == "file-count" for slug, _ in self.problems):
            message = f"the skill has more than {MAX_FILES:,} files; the others were not looked at"
            self.add("file-count", message, "keep data and dependencies out of the skill", self.root)

    def add(
        self,
        slug: str,
        message: str,
        fix: str,
        path: str,
        *,
        line: int = 1,
        column: int = 1,
        severity: Severity | None = None,
    ) -> None:
        """Notes a problem with the file or folder at `path`, for the rule named `slug` to report."""
        finding = Finding(message, fix, line=line, column=column, path=path, severity=severity)
        self.problems.append(Problem(slug, finding))


def find_all(paths: Sequence[str]) -> tuple[list[Tree], list[str]]:
    """The skills at every one of `paths`, each once, and those of the paths that hold no skill.

    Raises UsageFailure as `find` does, before anything else is read.
    """
    found = [(path, find(path)) for path in paths]
    trees = {(os.path.abspath(tree.root), tree.skill_file): tree for _, trees in reversed(found) for tree in trees}
    empty = [path for path, trees in found if all(tree.skill_file is None for tree in trees)]
    return sorted(trees.values(), key=lambda tree: (tree.root, tree.skill_file or "")), empty


def find(path: str) -> list[Tree]:
    """The skills at `path`: a skill's folder, its SKILL.md, or a folder that is searched. Sorted by path.

    Raises UsageFailure when `path` does not exist or is a file of another name.
    """
    if not os.path.exists(path) and not os.path.islink(path):
        raise UsageFailure(f"{quoted(path, 400)} does not exist; name a folder of skills or a {SKILL_FILE}")
    path = os.path.normpath(path)
    if os.path.basename(path).lower() == SKILL_FILE.lower():
        folder, name = os.path.split(path)
        search = _Search(folder or os.curdir)
        search.enter(folder or os.curdir, 0, [], looking=False, named=name)
        return search.trees
    if not os.path.isdir(path):
        raise UsageFailure(f"{quoted(path, 400)} is neither a folder nor a {SKILL_FILE}")
    search = _Search(path)
    search.enter(path, 0, [], looking=True)
    search.follow()
    return sorted(search.trees, key=lambda tree: tree.root)


def read_text(tree: Tree, name: str) -> str | None:
    """The text of the file `name` of `tree` without a byte order mark; None, and a problem noted, if unreadable."""
    path = tree.path(name)
    data = _read(tree, path)
    if data is None:
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        tree.add("encoding-utf-8", "the file is UTF-16", "save it as UTF-8 without a byte order mark", path)
        return None
    if data.startswith(b"\xef\xbb\xbf"):
        message = "the file begins with a byte order mark: Claude Code, Codex and Gemini CLI drop the skill"
        tree.add("byte-order-mark", message, "save it as UTF-8 without a byte order mark", path)
        data = data[3:]
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        tree.add(
            "encoding-utf-8",
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            "save the file as UTF-8 (it may be Latin-1 or Windows-1252 now)",
            path,
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
        )
        return None


def peek_text(tree: Tree, name: str) -> str | None:
    """The text of a file beside SKILL.md; None, and nothing noted, when it is too large, binary or not readable."""
    data = peek_bytes(tree, name)
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def peek_bytes(tree: Tree, name: str) -> bytes | None:
    """The bytes of a file of the tree; None, and nothing noted, where it cannot be read or is too large."""
    problems, tree.problems = tree.problems, []
    try:
        return _read(tree, tree.path(name))
    finally:
        tree.problems = problems


def lines_of(path: str) -> list[str]:
    """The lines of a file of a skill that was checked, to show one; none where it cannot be read as text."""
    tree = Tree(os.path.dirname(path), None)
    text = peek_text(tree, os.path.basename(path)) if not os.path.islink(path) else None
    return text.split("\n") if text is not None else []


def own_text(path: str) -> str:
    """The text of a file that belongs to this program: a schema, the settings that a user names."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def is_executable(tree: Tree, name: str) -> bool:
    """Whether the file `name` of the tree has the bit that lets its owner run it."""
    if (draft := tree.drafts.get(tree.path(name))) is not None:
        return draft[1]
    try:
        return bool(os.lstat(tree.path(name)).st_mode & stat.S_IXUSR)
    except OSError:
        return False


def is_link(tree: Tree, name: str) -> bool:
    """Whether the file `name` of the tree is a symbolic link."""
    return os.path.islink(tree.path(name))


def read_bytes(tree: Tree, name: str, limit: int) -> bytes:
    """The bytes of the file `name` of the tree, of a large one `limit` + 1. Raises UsageFailure if unreadable."""
    try:
        with os.fdopen(os.open(tree.path(name), _READ), "rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise UsageFailure(f"{tree.path(name)} cannot be read: {error.strerror}") from None


def has(tree: Tree, name: str) -> bool:
    """Whether there is a file or folder `name` in the folder, also one that the walk does not list."""
    path = tree.path(name)
    return tree.contains(path) and os.path.exists(path)


def _read(tree: Tree, path: str) -> bytes | None:
    """The bytes of a regular file inside the tree, or None and a problem. Never waits, as for a pipe."""
    if (draft := tree.drafts.get(path)) is not None:
        return draft[0]
    if os.path.islink(path) and not tree.contains(path):
        return None  # the walk has noted the link
    try:
        handle = os.open(os.path.realpath(path) if os.path.islink(path) else path, _READ)
    except OSError as error:
        _unreadable(tree, path, error)
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            tree.add("skill-file", f"{os.path.basename(path)} is {kind}", "put a regular file there", path)
            return None
        chunks, size = [], 0
        while size <= MAX_FILE_BYTES and (chunk := os.read(handle, MAX_FILE_BYTES + 1 - size)):
            chunks.append(chunk)
            size += len(chunk)
    except OSError as error:
        _unreadable(tree, path, error)
        return None
    finally:
        os.close(handle)
    if size > MAX_FILE_BYTES:
        message = f"the file is larger than {MAX_FILE_BYTES:,} bytes and was not read"
        tree.add("file-size", message, "move what is long into files of their own under references/", path)
        return None
    return b"".join(chunks)


def _unreadable(tree: Tree, path: str, error: OSError) -> None:
    message = f"{os.path.basename(path)} cannot be read: {error.strerror}"
    tree.add("skill-file", message, "put a regular, readable file there", path)


class _Search:
    """One walk over a folder. It lists each folder once, in the order of names, so that two runs agree."""

    def __init__(self, root: str) -> None:
        self.trees: list[Tree] = []
        self._root = Tree(root, None)
        self._entered: set[str] = set()
        self._links: list[str] = []

    def enter(self, path: str, depth: int, inside: list[Tree], *, looking: bool, named: str | None = None) -> None:
        """Lists `path` into the skills that it is `inside` of, and looks for more skills when `looking`.

        `named` is the SKILL.md that the user gave; otherwise the folder's own is looked for.
        """
        self._entered.add(path)
        here = inside[-1] if inside else None
        if depth > MAX_DEPTH:
            self._unchecked(here, path, f"the folder is nested more than {MAX_DEPTH} deep and was not entered")
            return
        try:
            with os.scandir(path) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            self._unchecked(here, path, f"the folder cannot be listed: {error.strerror}")
            return
        name = named or (_skill_file(entries, given=depth == 0) if looking else None)
        if looking and named is None:
            self._manifests(path, [entry.name for entry in entries])
        if name is not None:
            here = Tree(path, name)
            self.trees.append(here)
            inside = [*inside, here]
        for entry in entries:
            below = _join(path, entry.name)
            if entry.is_dir(follow_symlinks=False):
                # Collections keep their skills on hidden shelves too: skills/.curated, skills/.system.
                visible = entry.name[0] != "." or entry.name in CLIENT_FOLDERS or os.path.basename(path) == "skills"
                if entry.name not in _NEVER_ENTERED and (inside or (looking and visible)):
                    self.enter(below, depth + 1, inside, looking=looking and visible)
                continue
            for tree in inside:
                tree.list(below)
            if entry.is_symlink():
                self._link(below, here, looking)

    def follow(self) -> None:
        """Enters those targets of links inside the root that the walk did not come by."""
        for link in self._links:  # which grows on the way
            target = os.path.normpath(_join(self._root.root, os.path.relpath(os.path.realpath(link), self._root.real)))
            if target not in self._entered:
                self.enter(target, 1, [], looking=True)

    def _manifests(self, path: str, names: Sequence[str]) -> None:
        """Notes the manifests in `path` as a tree without a skill."""
        if not any(name.startswith((".agents", ".c", ".mcp")) for name in names):
            return
        here = Tree(path, None)
        here.files = [name for name in MANIFESTS if name.split("/")[0] in names and has(here, name)]
        if here.files:
            self.trees.append(here)

    def _link(self, path: str, here: Tree | None, looking: bool) -> None:
        if here is not None:
            if not here.contains(path):
                message = "the link leads out of the skill's folder and was not followed"
                here.add("link-leaves-skill", message, "remove it, or put a copy of its target there", path)
        elif looking and os.path.isdir(path):
            if self._root.contains(path):
                self._links.append(path)
            else:
                message = "the link leads out of the folder that is checked and was not followed"
                self._unchecked(None, path, message, "name its target as a path of its own", WARNING)

    def _unchecked(
        self,
        here: Tree | None,
        path: str,
        message: str,
        fix: str = "move it, or check it by a path of its own",
        severity: Severity | None = None,
    ) -> None:
        if here is None:
            here = Tree(path, None)
            self.trees.append(here)
        here.add("folder-unchecked", message, fix, path, severity=severity)


def _skill_file(entries: Sequence[os.DirEntry[str]], *, given: bool) -> str | None:
    """The name of the entry that defines a skill.

    Another spelling than SKILL.md counts where the folder was `given` by the user or the file begins as a
    skill does: a page of documentation may well be called skill.md.
    """
    other = None
    for entry in entries:
        if entry.name == SKILL_FILE:
            return SKILL_FILE
        if entry.name.lower() == "skill.md" and entry.is_file(follow_symlinks=False):
            other = entry if other is None and (given or _begins_with_dashes(entry.path)) else other
    return other.name if other else None


def _begins_with_dashes(path: str) -> bool:
    try:
        handle = os.open(path, _READ)
    except OSError:
        return True  # reading it as a skill will say what is wrong
    try:
        return os.read(handle, 6).removeprefix(b"\xef\xbb\xbf").startswith(b"---")
    finally:
        os.close(handle)


def _join(folder: str, name: str) -> str:
    return name if folder == os.curdir else os.path.join(folder, name)
