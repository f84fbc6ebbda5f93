"""Skills -> diagnostics of `verify`: every block to what can judge it, every finding back to its place."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from skillpack.diagnostics import Diagnostic, Location, redacted
from skillpack.skill import Skill
from skillpack.suppress import apply, suppressions
from skillpack.verify import ABSENT, BY_LIBRARIES, BY_TOOLS, KINDS, blocks, commands, data, paths, python, shell
from skillpack.verify.blocks import Block, Excerpt
from skillpack.verify.cache import Cache
from skillpack.verify.interface import Command
from skillpack.verify.python import Program
from skillpack.verify.settings import Settings
from skillpack.verify.tools import Tools

#: Languages of fences in which a line may be a command or the output of one.
_UNSAID = frozenset({"", "text", "txt", "plaintext"})

#: Programs that are not looked into and whose options nobody speaks of alone.
_PLAIN = frozenset(
    {"[", "cat", "cd", "echo", "export", "ls", "mkdir", "mktemp", "printf", "python", "set", "touch", "wc"}
)


@dataclass
class Tally:
    """What was looked at; `open` are the programs whose commands could be held against nothing, with how many."""

    blocks: int = 0
    commands: int = 0
    python: int = 0
    data: int = 0
    sketches: int = 0
    scripts: int = 0
    open: Counter[str] = field(default_factory=Counter)
    tools: set[str] = field(default_factory=set)

    def _most(self) -> str:
        listed = ", ".join(f"{name} {number}" for name, number in self.open.most_common(6))
        return f" ({listed}{', …' if len(self.open) > 6 else ''})" if listed else ""

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {**vars(self), "open": dict(self.open.most_common()), "tools": sorted(self.tools)}

    def sentence(self) -> str:
        """For people."""
        return (
            f"{self.commands} commands, {self.open.total()} of them not held against anything{self._most()}; "
            f"{self.python} Python blocks, {self.scripts} scripts, {self.data} data blocks; {self.sketches} sketches"
        )


def verify(
    skills: Sequence[Skill], settings: Settings, cache: Cache, step: Callable[[str], None] = lambda what: None
) -> tuple[list[Diagnostic], Tally]:
    """Everything that is wrong with the commands and code of `skills`, sorted by place, and what was looked at.

    Programs are run: the --help of the tools and scripts that `settings` allow.
    """
    run = _Run(skills, settings, cache)
    run.warm(step)
    for skill in skills:
        step(skill.tree.folder)
        _Judge(run, skill).judge()
    step("Python, by ty")
    for program, found in python.check(run.programs, cache):
        run.add(program.path, found.kind, found.message, found.fix, found.line, found.column)
        if found.kind == "not-checked":
            run.unasked |= {(program.path, kind) for kind in BY_LIBRARIES}
    kept = {one for one in run.found if not settings.leaves_out(one.location.path)}
    stated = [one for skill in skills for one in suppressions(skill)]
    unsure = [one for one in stated if (one.path, one.slug) in run.unasked]
    kept = apply(kept, unsure, ())  # whether these are needed only a machine with all tools can say
    return sorted(apply(kept, [one for one in stated if one not in unsure], KINDS)), run.tally


def grouped(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """`found` with one notice for each tool and library that is not installed: in how many files, and the first."""
    files = Counter(one.message for one in found if _absent(one))
    shown, said = [], set()
    for one in found:
        if not _absent(one):
            shown.append(one)
        elif one.message not in said:
            said.add(one.message)
            number = files[one.message]
            where = f", in {number} files of which this is the first" if number > 1 else ""
            shown.append(one._replace(message=one.message + where))
    return shown


def _absent(found: Diagnostic) -> bool:
    return found.slug == "not-checked" and f" {ABSENT}: " in found.message


class _Run:
    """What the skills of one run share."""

    def __init__(self, skills: Sequence[Skill], settings: Settings, cache: Cache) -> None:
        self.skills, self.settings = skills, settings
        self.cache = cache
        self.tools = Tools(settings.tools, cache)
        self.tally = Tally()
        self.found: set[Diagnostic] = set()
        #: Paths and kinds of which a tool or library that is not here would have more to say.
        self.unasked: set[tuple[str, str]] = set()
        self.programs: list[Program] = []
        self.schemas = {name: schema for skill in skills for name, schema in _schemas(skill)}

    def warm(self, step: Callable[[str], None]) -> None:
        """Asks the scripts for their options, several at a time."""
        allowed = [
            (skill.tree.path(script.name), script.text)
            for skill in self.skills
            for script in skill.scripts
            if script.runs and self.settings.may_run(skill.tree.path(script.name))
        ]
        step(f"{len(allowed)} scripts, by their --help")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda one: self.tools.script(*one), allowed))

    def add(self, path: str, kind: str, message: str, fix: str, line: int, column: int) -> None:
        """A finding; what a library is not here for is said once a file."""
        if kind == "not-checked":
            same = (
                one for one in self.found if one.slug == kind and one.location.path == path and one.message == message
            )
            if any(same):
                return
        place = Location(path, line, column)
        self.found.add(Diagnostic(place, kind, KINDS[kind].severity, "", redacted(message), redacted(fix)))


class _Judge:
    """One skill."""

    def __init__(self, run: _Run, skill: Skill) -> None:
        self.run, self.skill = run, skill
        self.others = [one for one in run.skills if one is not skill]
        self.known = commands.Known(run.tools.command, self._script)
        #: Options that stand alone in prose, judged once all commands of the skill are known.
        self.lone: list[tuple[str, Excerpt, list[shell.Word]]] = []
        self.seen: list[Command] = []
        #: Whether a command is of a program that is not looked into and may have options of its own.
        self.others_named = False

    def judge(self) -> None:
        """Every Markdown file and every script."""
        if self.skill.text is None:
            fix = "`skillpack validate` says what is wrong with it"
            self.run.add(self.skill.path, "skill-unread", "it cannot be read: nothing of it was checked", fix, 1, 1)
        for name, text in self.skill.texts.items():
            if name == self.skill.tree.skill_file:
                self._page(name, blocks.read(self.skill.body, self.skill.body_line))
            elif name.endswith(".md"):
                self._page(name, blocks.read(text))
        for name in self.skill.unread:
            if name.endswith((".md", ".py")) and name != self.skill.tree.skill_file:
                message = "it cannot be read as text, or is too large: it was not checked"
                self.run.add(self.skill.tree.path(name), "not-checked", message, "save it as UTF-8, or split it", 1, 1)
        for script in self.skill.scripts:
            wrong = python.compiles(script, self.run.cache)
            if wrong is None:
                self.run.tally.scripts += 1
                whole = blocks.whole(script.text)
                self.run.programs.append(Program(script.path, script.text, whole.at, False, self.skill.modules))
            else:
                self.run.add(script.path, wrong.kind, wrong.message, wrong.fix, wrong.line, wrong.column)
        pages = {self.skill.tree.path(name): text for name, text in self.skill.texts.items() if name.endswith(".md")}
        lacking = {path for path, text in pages.items() if any(map(self.run.tools.lacks, self.run.tools.named(text)))}
        self.run.unasked |= {(path, kind) for path in lacking for kind in BY_TOOLS}
        own = self._own_commands()
        if lacking or own is None:
            self.run.unasked |= {(path, "option-unowned") for path in pages}
        if own is None:
            return  # a lone option may be of the script that does not say what it takes
        own += self.seen
        tools = list(self._named_tools())
        for path, excerpt, words in self.lone if own or tools else ():
            if path in lacking:
                continue  # the option may be of the tool that the page names and that is not here
            for found in commands.lone_option(words, own, tools, others=self.others_named):
                self.run.add(path, found.kind, found.message, found.fix, *excerpt.place(found.start))

    def _page(self, name: str, page: blocks.Page) -> None:
        path = self.skill.tree.path(name)
        parts: list[Excerpt] = []
        for block in page.blocks:
            if block.sketch is not None:
                self.run.tally.sketches += 1
            elif not block.fenced:
                self._inline(path, block)
            else:
                self.run.tally.blocks += 1
                self._fenced(path, block, parts)
        if parts:
            self.run.programs.append(python.joined(path, parts, self.skill.modules))
        for sketch in page.sketches:
            fix = "write `<!-- skillpack: sketch: why -->` right before the block"
            self.run.add(path, "sketch-reason", sketch.problem, fix, sketch.line, sketch.column)
        for address, line, column in page.addresses:
            if (wrong := paths.misformed(address)) is not None:
                self.run.add(
                    path, "url-form", f"{address} is no address of the Hub: {wrong}", "correct it", line, column
                )

    def _fenced(self, path: str, block: Block, parts: list[Excerpt]) -> None:
        excerpt, language = block.excerpt, block.language
        if language in shell.LANGUAGES:
            parsed = shell.parse(excerpt.text, language)
            for start in parsed.errors[:1]:
                message, fix = "this is not shell", "correct it, or say with a sketch's comment why it is none"
                self.run.add(path, "shell-syntax", message, fix, *excerpt.place(start))
            for words in parsed.commands if not parsed.errors else ():
                self._command(path, excerpt, words, whole=True)
        elif language in python.LANGUAGES:
            self.run.tally.python += 1
            error = python.problem(excerpt.text)
            if error is None:
                parts.append(excerpt)
                for value, line, column in python.strings(excerpt.text):
                    if (lost := paths.missing(self.skill, value)) is not None:
                        self._lost(path, lost, *excerpt.at(line, column))
            else:
                place = excerpt.at(error.lineno or 1, error.offset or 1)
                fix = "correct it, or say with a sketch's comment why it is none"
                self.run.add(path, "python-syntax", f"this is not Python: {error.msg}", fix, *place)
        elif language in data.LANGUAGES:
            self.run.tally.data += 1
            for found in data.check(excerpt.text, language, self.run.schemas):
                self.run.add(path, found.kind, found.message, found.fix, *excerpt.at(found.line, found.column))
        elif language in _UNSAID:
            for words in shell.parse(excerpt.text, inline=True).commands:
                if words[0].text in self.run.tools.allowed or words[0].text.startswith("scripts/"):
                    self._command(path, excerpt, words, whole=False)

    def _inline(self, path: str, block: Block) -> None:
        text = block.excerpt.text
        if re.match(r"\s*--[a-z]", text):
            self._alone(path, block.excerpt)
            return
        if (lost := paths.missing(self.skill, text.strip().split(" ")[0].split("#")[0])) is not None:
            self._lost(path, lost, *block.excerpt.place(0))
        if not re.search(r"\s", text.strip()):
            return
        first = re.match(r"\s*(?:\$ )?([\w./-]+)", text)
        if first is None:
            return
        program = first[1] in self.run.tools.allowed or first[1] in commands.STARTERS
        if not program and not first[1].endswith((".py", ".sh")):
            # `export --to FILE`: of a script that the text around it names.
            if re.search(r"\s--[a-z]", text) and first[1] in self.own_words:
                self._alone(path, block.excerpt)
            return
        parsed = shell.parse(re.sub(r"^(\s*)\$ ", r"\1  ", text), inline=True)
        for words in parsed.commands if not parsed.errors else ():
            self._command(path, block.excerpt, words, whole=False, paths_seen=first[1])

    def _alone(self, path: str, excerpt: Excerpt) -> None:
        at = excerpt.text.index("--")
        parsed = shell.parse(excerpt.text[at:], inline=True)
        words = [word for command in parsed.commands for word in command]
        if not parsed.errors and words:
            self.lone.append((path, excerpt._replace(text=excerpt.text[at:], offsets=excerpt.offsets[at:]), words))

    @cached_property
    def own_words(self) -> frozenset[str]:
        """The commands of the skill's own scripts, and the values of their options."""
        asked = [self._script(script.name) for script in self.skill.scripts if script.runs]
        every = [one for command in asked if command is not None for one in command.walk()]
        values = (value for command in every for option in command.options for value in option.choices or ())
        return frozenset({*(name for command in every for name in command.subcommands), *values})

    def _command(
        self, path: str, excerpt: Excerpt, words: list[shell.Word], *, whole: bool, paths_seen: str = ""
    ) -> None:
        """One command: the paths in it, and what its program says of it."""
        for word in words:
            lost = paths.missing(self.skill, word.text) if word.literal and word.text != paths_seen else None
            if lost is not None:
                self._lost(path, lost, *excerpt.place(word.start))
        self.run.tally.commands += 1
        # What follows `--` is for a program that the first one runs; which one, its parser does not say.
        ends = [number for number, word in enumerate(words) if word.text == "--"]
        if ends and paths.script_of(self.skill, next((w.text for w in words if w.text.endswith(".py")), "")):
            self.lone.append((path, excerpt, words[ends[0] + 1 :]))
        judged = commands.judge(words, self.known, whole=whole)
        if not judged:
            name = words[0].text.rpartition("/")[2] if words[0].literal else "$"
            self.run.tally.open[name] += 1
            self.others_named |= name not in _PLAIN
            if self.run.tools.lacks(name):
                fix = "install it to have its commands checked"
                message = f"{name} {ABSENT}: its commands were not checked"
                self.run.add(path, "not-checked", message, fix, *excerpt.place(words[0].start))
        elif unasked := self._unasked(words, {one.names[0] for one in judged}):
            self.run.tally.open[unasked] += 1
        for one in judged:
            self.run.tally.tools.add(one.names[0])
            if one.command is not None:
                self.seen.append(one.command)
            for found in one.mismatches:
                self.run.add(path, found.kind, found.message, found.fix, *excerpt.place(found.start))

    def _unasked(self, words: list[shell.Word], asked: set[str]) -> str | None:
        """The script of the skills that a command runs and that was not asked what it takes."""
        found = (paths.script_of(self.skill, word.text, self.others) for word in words if word.literal)
        names = (one[1].rpartition("/")[2] for one in found if one is not None)
        return next((name for name in names if name not in asked), None)

    def _lost(self, path: str, name: str, line: int, column: int) -> None:
        message = f"the skill has no file {name}"
        self.run.add(path, "path-missing", message, "correct the path, or add the file", line, column)

    def _script(self, word: str) -> Command | None:
        """What the script takes that a command names, if it may be run."""
        found = paths.script_of(self.skill, word, self.others)
        if found is None:
            return None
        skill, name = found
        path = skill.tree.path(name)
        text = skill.texts.get(name)
        return self.run.tools.script(path, text) if text is not None and self.run.settings.may_run(path) else None

    def _own_commands(self) -> list[Command] | None:
        """What the scripts of this skill take; None where one does not say."""
        asked = {script.name: self._script(script.name) for script in self.skill.scripts if script.runs}
        if any(command is None for name, command in asked.items() if name.startswith("scripts/")):
            return None
        return [one for command in asked.values() if command is not None for one in command.walk()]

    def _named_tools(self) -> Iterator[Command]:
        """What the tools take that the text of this skill names."""
        text = "\n".join(text for name, text in self.skill.texts.items() if name.endswith(".md"))
        for tool in self.run.tools.named(text):
            for path in ((), ("run",)) if tool == "uv" else ((),):
                asked = self.run.tools.command(tool, path)
                yield from asked.walk() if asked is not None else ()


def _schemas(skill: Skill) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas among the skill's assets, by the constant that their documents carry as `schema`."""
    for name in sorted(skill.tree.names):
        if name.endswith(".schema.json"):
            try:
                schema = json.loads(skill.texts.get(name, ""))
                yield str(schema["properties"]["schema"]["const"]), schema
            except (ValueError, KeyError, TypeError):
                continue
