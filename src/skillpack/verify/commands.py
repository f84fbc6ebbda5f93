"""One command of a skill held against what its program takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from skillpack.diagnostics import quoted
from skillpack.verify.interface import MANY, Argument, Command, Option
from skillpack.verify.shell import Word, alternatives, elides, parse

#: Programs that run the command after them, and how many words of their own stand before it.
_PREFIXES = {"sudo": 0, "time": 0, "nohup": 0, "exec": 0, "env": 0, "command": 0, "nice": 0, "timeout": 1, "xargs": 0}
#: Their options that take a value.
_PREFIX_VALUES = {"-n", "-s", "-k", "-u", "-I", "-P", "--signal", "--kill-after"}
#: Words that begin a command although they are no tool that is looked into.
STARTERS = frozenset({*_PREFIXES, "python", "python3", "bash", "sh"})
#: Commands whose first argument begins another command; after an image it begins with the next.
_RUNNERS = {
    ("uv", "run"): "command",
    ("uvx",): "command",
    ("uv", "tool", "run"): "command",
    ("accelerate", "launch"): "script",
    ("torchrun",): "script",
    ("hf", "jobs", "run"): "image",
    ("hf", "jobs", "uv", "run"): "script",
    ("hf", "jobs", "scheduled", "uv", "run"): "script",
}
#: Arguments that name a repository, as the command lines of the Hub's tools call them.
_REPOSITORY = ("repo_id", "from_id", "to_id")


class Mismatch(NamedTuple):
    """What does not fit, and the word at which it shows."""

    kind: str
    message: str
    fix: str
    start: int


class Known(NamedTuple):
    """Where a command is looked up: tools by name and subcommands, scripts by the word that names them."""

    tool: Callable[[str, Sequence[str]], Command | None]
    script: Callable[[str], Command | None]


class Judged(NamedTuple):
    """What one command came to: `names` is the program and its subcommands, empty where it is held against nothing."""

    names: tuple[str, ...]
    command: Command | None
    mismatches: list[Mismatch]


def judge(words: Sequence[Word], known: Known, *, whole: bool = True) -> list[Judged]:
    """The command in `words`, and the one that it runs. With `whole` false arguments may be left out, as in prose."""
    words = _unwrapped(words)
    if not words or not words[0].literal:
        return []
    name, rest = words[0].text, words[1:]
    if re.fullmatch(r"(?:.*/)?python[\d.]*", name):
        return _python(rest, known, whole)
    if name in ("bash", "sh", "zsh", "source", "."):
        if len(rest) > 1 and rest[0].text == "-c":  # a quote stands before what is read
            inner = parse(rest[1].text).commands
            starts = rest[1].start + 1
            moved = ([word._replace(start=word.start + starts) for word in one] for one in inner)
            return [found for one in moved for found in judge(one, known, whole=whole)]
        if not rest or rest[0].text.startswith("-"):
            return []
        name, rest = rest[0].text, rest[1:]
    top = known.script(name)
    path = [name.rpartition("/")[2]]
    if top is None:
        path = [path[0].partition("@")[0]]  # `uvx tool@1.2`
        top = known.tool(path[0], ())
    if top is None:
        return []
    return _judge(top, path, rest, known, whole)


def _python(words: Sequence[Word], known: Known, whole: bool) -> list[Judged]:
    """`python script.py …` and `python -m tool …`."""
    while words and words[0].text.startswith("-") and words[0].text not in ("-m", "-c", "-"):
        words = words[1:]
    if len(words) > 1 and words[0].text == "-m":
        return judge(
            [words[1]._replace(text=words[1].text.replace("accelerate.commands.", "accelerate ")), *words[2:]],
            known,
            whole=whole,
        )
    if words and words[0].text not in ("-c", "-", "-m") and (top := known.script(words[0].text)) is not None:
        return _judge(top, [words[0].text.rpartition("/")[2]], words[1:], known, whole)
    return []


def _judge(command: Command, path: list[str], words: Sequence[Word], known: Known, whole: bool) -> list[Judged]:
    """Walks the words as the program's parser would."""
    found: list[Mismatch] = []
    arguments: list[Word] = []
    index, ended, elided = 0, False, False
    while index < len(words):
        word = words[index]
        index += 1
        text = word.text
        if elides(word):
            elided = True
        elif text == "--" and not ended:
            ended = True
        elif text.startswith("-") and len(text) > 1 and not ended and not _number(text):
            name, has_value, value = text.partition("=")
            option, problem = _option(command, name, word, path)
            if problem:
                found.append(problem)
            if option is None and not problem and command.extra_options and command.arguments and not arguments:
                # It would be taken for the first argument.
                problem = _unknown(command, name, word, path)
                found.append(problem)
            if option is None:
                if problem and not has_value and index < len(words) and not words[index].text.startswith("-"):
                    index += 1 if _unknown_takes_value(command, words[index]) else 0
                continue
            if has_value:
                if option.most == 0:
                    message = f"{name} of `{' '.join(path)}` takes no value"
                    found.append(Mismatch("option-value", message, "leave the value out", word.start))
                found += _value(option, name, word._replace(text=value), path)
                continue
            taken = 0
            while taken < option.most and index < len(words):
                following = words[index]
                if following.text == "--" or (_is_flag(following) and command.option(following.text.partition("=")[0])):
                    break
                if _is_flag(following) and (taken >= option.least or not following.open):
                    break
                if taken >= option.least and (option.most == MANY or option.least == 0) and _is_flag(following):
                    break
                found += _value(option, name, following, path)
                taken, index = taken + 1, index + 1
            if taken < option.least and not elided and whole:
                message = f"{name} of `{' '.join(path)}` needs a value"
                found.append(Mismatch("option-value", message, "give one", word.start))
        elif command.subcommands and not arguments:
            sub = _subcommand(command, word, path)
            if sub is None:
                if word.open or (command.any_arguments and re.search(r"[./:]", text)):
                    arguments.append(word)
                    if word.open:
                        return [Judged(tuple(path), command, found)]
                    continue
                near = _near(text, command.subcommands)
                fix = f"did you mean {near!r}?" if near else f"there are {', '.join(sorted(command.subcommands)[:12])}"
                message = f"`{' '.join(path)}` has no command {quoted(text)}"
                return [Judged(tuple(path), command, [*found, Mismatch("command-unknown", message, fix, word.start)])]
            path = [*path, alternatives(word)[0].split("/")[0]]
            if sub.deferred:
                asked = known.tool(path[0], path[1:])
                if asked is None:
                    return [Judged(tuple(path), None, found)]
                sub = asked
            command = sub
        else:
            arguments.append(word)
            runner = _RUNNERS.get(tuple(path))
            if runner == "image":
                before = [Judged(tuple(path), command, found)]
                return before + judge(_left_over(command, words[index:]), known, whole=whole)
            if runner:
                before = [Judged(tuple(path), command, found)]
                if runner == "script" and not word.text.endswith((".py", ".sh")):
                    return before
                module = any(one.text in ("-m", "--module") for one in words[: index - 1])
                inner = [Word("python", True, word.start), Word("-m", True, word.start)] if module else []
                rest = words[index:]
                if command.extra_options and not command.passes_on:
                    rest = _left_over(command, rest)
                return before + judge([*inner, word, *rest], known, whole=whole)
            if command.passes_on or (command.extra_options and len(arguments) >= len(command.arguments)):
                return [Judged(tuple(path), command, found)]
    if not any(one.kind == "option-unknown" for one in found):  # its value would count as an argument
        found += _arguments(command, arguments, path, words, whole=whole and not elided)
    return [Judged(tuple(path), command, found)]


def _left_over(command: Command, words: Sequence[Word]) -> list[Word]:
    """The words that a command leaves to the one that it runs: it takes its own options wherever they stand."""
    left: list[Word] = []
    index = 0
    while index < len(words):
        name, has_value, _ = words[index].text.partition("=")
        if name == "--":
            return [*left, *words[index + 1 :]]
        option = command.option(name) if name.startswith("-") else None
        if option is None:
            left.append(words[index])
        index += 1 + (option.most if option is not None and not has_value else 0)
    return left


def lone_option(
    words: Sequence[Word], own: Sequence[Command], tools: Sequence[Command], *, others: bool
) -> Iterator[Mismatch]:
    """Options named without their program (`--near 0.8`): a script of the skill, or a tool that it names, has each.

    With `others` the skill names programs too that are not looked into: then only what is like an option of its own
    scripts is taken for a wrong one.
    """
    for index, word in enumerate(words):
        name, has_value, value = word.text.partition("=")
        if not re.fullmatch(r"--[a-z][\w-]*[a-z0-9]", name):
            continue
        options = [option for command in (*own, *tools) if (option := command.option(name)) is not None]
        if not options:
            near = _near(name, {one for command in own for option in command.options for one in option.names})
            if near or not others:
                fix = f"did you mean {near}?" if near else "name its program, or correct it"
                message = f"no script or tool that this skill names has an option {name}"
                yield Mismatch("option-unowned", message, fix, word.start)
            continue
        given = word._replace(text=value) if has_value else words[index + 1] if index + 1 < len(words) else None
        if given is not None and not _is_flag(given) and all(option.most for option in options):
            misfits = [list(_value(option, name, given, [])) for option in options]
            if all(misfits):
                yield misfits[0][0]


def _unwrapped(words: Sequence[Word]) -> Sequence[Word]:
    """`words` without programs that only run another, and without assignments."""
    while words and words[0].text in _PREFIXES:
        own = _PREFIXES[words[0].text]
        words = words[1:]
        while words and (words[0].text.startswith("-") or re.match(r"\w+=", words[0].text)):
            words = words[2:] if words[0].text in _PREFIX_VALUES else words[1:]
        words = words[own:]
    return words


def _option(command: Command, name: str, word: Word, path: list[str]) -> tuple[Option | None, Mismatch | None]:
    """The option that `name` is, or what is wrong with it; neither where nothing can be said."""
    option = command.option(name)
    if option is not None or command.extra_options or re.search(r"[<>{}$*]", name) or not word.literal:
        return option, None
    several = [one for one in name.split("|") if one.startswith("-")]
    if len(several) > 1:
        missing = [one for one in several if command.option(one) is None]
        if not missing:
            return command.option(several[0]), None
        name = missing[0]
    if re.fullmatch(r"-[A-Za-z]\S+", name):  # -xyz, -n5
        first = command.option(name[:2])
        if first is not None and (first.most or all(command.option(f"-{letter}") for letter in name[2:])):
            return (None, None) if first.most else (command.option(f"-{name[-1]}"), None)
    return None, _unknown(command, name, word, path)


def _unknown(command: Command, name: str, word: Word, path: list[str]) -> Mismatch:
    near = _near(name, [one for option in command.options for one in option.names])
    shown = " ".join(path)
    fix = f"did you mean {near}?" if near else f"see `{shown} --help`"
    return Mismatch("option-unknown", f"`{shown}` has no option {name}", fix, word.start)


def _unknown_takes_value(command: Command, following: Word) -> bool:
    """Whether the word after an unknown option is more likely its value than an argument."""
    return not command.subcommands and (len(command.arguments) == 0 or not following.literal)


def _value(option: Option | Argument, name: str, word: Word, path: list[str]) -> Iterator[Mismatch]:
    """What is wrong with the value `word` of `name`."""
    whose = f"{name} of `{' '.join(path)}`" if path else name
    for text in alternatives(word):
        one = word._replace(text=text)
        if one.open and not (option.choices and text in option.choices):
            continue
        if option.choices and text not in option.choices and text.lower() not in map(str.lower, option.choices):
            near = _near(text, option.choices)
            listed = ", ".join(option.choices[:12]) + (", …" if len(option.choices) > 12 else "")
            fix = f"did you mean {near}?" if near else f"it is one of {listed}"
            yield Mismatch("option-value", f"{whose} is never {quoted(text)}", fix, word.start)
        elif option.kind == "int" and not re.fullmatch(r"[+-]?\d[\d_]*", text):
            yield Mismatch("option-value", f"{whose} is a whole number, not {quoted(text)}", "give one", word.start)
        elif option.kind == "float" and not _number(text):
            yield Mismatch("option-value", f"{whose} is a number, not {quoted(text)}", "give one", word.start)


def _subcommand(command: Command, word: Word, path: list[str]) -> Command | None:
    names = alternatives(word)
    if "/" in word.text and len(names) == 1:  # `list projects/runs`, as prose lists them
        names = word.text.split("/")
    if all(name in command.subcommands for name in names):
        return command.subcommands[names[0]]
    return None


def _arguments(
    command: Command, words: Sequence[Word], path: list[str], every: Sequence[Word], *, whole: bool
) -> Iterator[Mismatch]:
    """Whether the arguments are as many as the program takes, each of the set that it takes there."""
    shown = " ".join(path)
    if command.any_arguments or command.extra_options:
        return
    if command.subcommands:
        return
    most = sum(argument.most for argument in command.arguments)
    least = sum(argument.least for argument in command.arguments)
    if len(words) > most and not any(word.text == "--" for word in every):
        takes = f"{most} argument{'s' * (most != 1)}" if most else "no arguments"
        word = words[most]
        message = f"`{shown}` takes {takes}; {quoted(word.text)} is one too many"
        yield Mismatch("argument-count", message, f"see `{shown} --help`", word.start)
        return
    if whole and len(words) < least and not {"--help", "-h"} & {word.text for word in every}:
        missing = command.arguments[len(words)].name if len(words) < len(command.arguments) else "an argument"
        start = every[-1].start if every else 0
        yield Mismatch("argument-count", f"`{shown}` needs the argument {missing}", f"see `{shown} --help`", start)
    spare = len(words) - least
    index = 0
    for argument in command.arguments:
        taken = argument.least + max(0, min(spare, argument.most - argument.least))
        spare -= taken - argument.least
        for word in words[index : index + taken]:
            yield from _value(argument, argument.name, word, path)
            if argument.name in _REPOSITORY and not word.open and word.text.startswith((".", "/", "~")):
                message = f"`{shown}` takes the repository first; {quoted(word.text)} is a path"
                yield Mismatch("option-value", message, "swap the arguments", word.start)
        index += taken


def _near(text: str, names: Iterator[str] | Sequence[str] | set[str] | dict[str, Command]) -> str | None:
    near = get_close_matches(text, list(names), n=1, cutoff=0.7)
    return near[0] if near else None


def _number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?|inf|nan", text, re.IGNORECASE) is not None


def _is_flag(word: Word) -> bool:
    return word.text.startswith("-") and len(word.text) > 1 and not _number(word.text) and word.literal
