"""What a program that is not Python takes, read from what its `--help` prints: the layouts of clap and of llama.cpp."""

from __future__ import annotations

import re

from skillpack.verify.interface import MANY, Command, Option

_NAME = r"--?[A-Za-z0-9][\w-]*"
_METAVAR = r"(?:<[^>]+>|\[[^\]]+\]|\{[^}]+\}|[A-Z][A-Z0-9_,|/.-]*|[a-z]+(?=\s{2,}|$))"
_OPTION = re.compile(
    rf"^\s{{0,10}}({_NAME}(?:[ =]{_METAVAR}(?:\.\.\.)?)?(?:,\s+{_NAME}(?:[ =]{_METAVAR})?(?:\.\.\.)?)*)(?:\s|$)"
)
_COMMAND = re.compile(r"^\s{1,6}([a-z][\w-]*)(?:,\s*[a-z][\w-]*)*(?:\s{2,}\S|$)")
_HEADING = re.compile(r"^(\w[\w ]*):\s*$")
_POSSIBLE = re.compile(r"\[possible values: ([^\]]+)\]")


def parse(text: str) -> Command | None:
    """The command that `text` is the help of; None where no option is found in it."""
    command = Command()
    heading, last = "", None
    for line in text.splitlines():
        if found := _HEADING.match(line):
            heading = found[1].lower()
        elif "command" in heading and "option" not in heading and (found := _COMMAND.match(line)):
            command.subcommands[found[1]] = Command(deferred=True)
        elif found := _OPTION.match(line):
            last = _option(found[1])
            command.options.append(last)
        if last is not None and (values := _POSSIBLE.search(line)):
            last.choices = [value.strip() for value in values[1].split(",")]
    if not command.options:
        return None
    command.any_arguments = True  # how many it takes, a usage line says too loosely
    return command


def _option(written: str) -> Option:
    names = re.findall(rf"(?:^|[\s,])({_NAME})", written)
    values = re.search(rf"{_NAME}[ =]({_METAVAR})", written)
    option = Option(names)
    if values:
        option.least = option.most = 1
        if values[1].startswith("["):
            option.least = 0
        if "..." in written:
            option.most = MANY
        if values[1].startswith("{"):
            option.choices = re.split(r"[,|]", values[1].strip("{}"))
    return option
