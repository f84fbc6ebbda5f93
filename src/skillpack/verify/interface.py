"""What a program takes on its command line: options, arguments, subcommands, as its own parser or help says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

#: More values than any option takes: as many as there are before the next option.
MANY = 1_000_000


@dataclass
class Option:
    """One option by all its names; it takes `least` to `most` values, of `choices` where these are closed."""

    names: list[str]
    least: int = 0
    most: int = 0
    choices: list[str] | None = None
    kind: str = ""  # int or float, where the parser converts


@dataclass
class Argument:
    """One positional argument."""

    name: str
    least: int = 1
    most: int = 1
    choices: list[str] | None = None
    kind: str = ""


@dataclass
class Command:
    """A command, or a group of them."""

    options: list[Option] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)
    subcommands: dict[str, Command] = field(default_factory=dict)
    #: Of this command only the name is known; its own `--help` says the rest.
    deferred: bool = False
    #: Options that are not listed are passed on to something else.
    extra_options: bool = False
    #: After the first argument all is for another program.
    passes_on: bool = False
    #: Long options may be shortened.
    abbreviates: bool = False
    #: How many arguments it takes is not known.
    any_arguments: bool = False

    def option(self, name: str) -> Option | None:
        """The option called `name`."""
        for option in self.options:
            if name in option.names:
                return option
        if self.abbreviates and name.startswith("--"):
            near = [option for option in self.options if any(one.startswith(name) for one in option.names)]
            return near[0] if len(near) == 1 else None
        return None

    def walk(self) -> Iterator[Command]:
        """This command and all below it."""
        yield self
        for command in self.subcommands.values():
            yield from command.walk()

    def to_json(self) -> dict[str, Any]:
        """As a document for the cache."""
        return asdict(self)


def from_json(document: dict[str, Any]) -> Command:
    """The command that `to_json`, or probe.py, wrote."""
    given = dict(document)
    options = [Option(**one) for one in given.pop("options", [])]
    arguments = [Argument(**one) for one in given.pop("arguments", [])]
    subcommands = {name: from_json(one) for name, one in given.pop("subcommands", {}).items()}
    return Command(options, arguments, subcommands, **given)
