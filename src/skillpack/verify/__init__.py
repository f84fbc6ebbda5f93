"""Commands and code of a skill held against the tools as installed: `skillpack verify`, documented in docs/verify.md.

    markdown   text -> [Block]                 (blocks)
    shell      Block -> [Invocation] -> tool   (shell, tools: probe, helptext) -> findings (commands)
    python     Block, script -> ty             -> findings (python)
    data       JSON, YAML, TOML                -> findings (data)
    names      paths and addresses             -> findings (paths)

Unlike `skillpack validate` this runs programs: the `--help` of listed tools, and no block.
"""

from __future__ import annotations

from typing import NamedTuple

from skillpack.diagnostics import ERROR, NOTICE, WARNING, Severity


class Kind(NamedTuple):
    """A kind of finding: how much it weighs, and what it says in general."""

    severity: Severity
    summary: str


#: What is found.
KINDS = {
    "shell-syntax": Kind(ERROR, "A block of shell parses."),
    "command-unknown": Kind(ERROR, "The program has the command."),
    "option-unknown": Kind(ERROR, "The command has the option."),
    "option-unowned": Kind(WARNING, "An option that stands alone belongs to a script or tool that the skill names."),
    "option-value": Kind(ERROR, "An option or argument gets a value that it takes."),
    "argument-count": Kind(ERROR, "A command gets as many arguments as it takes."),
    "path-missing": Kind(ERROR, "A path of the skill that a command or inline code names is there."),
    "python-syntax": Kind(ERROR, "A block or script of Python compiles."),
    "python-import": Kind(ERROR, "What is imported is in the installed library."),
    "python-name": Kind(ERROR, "A module or object has the attribute."),
    "python-call": Kind(ERROR, "A function, class or method takes the arguments."),
    "python-overload": Kind(
        WARNING, "One signature of an overloaded function takes the arguments, by their types too."
    ),
    "python-unimported": Kind(WARNING, "A module that a block uses is imported there or in a block before it."),
    "python-undefined": Kind(NOTICE, "A name that a block uses is defined there or in a block before it."),
    "data-syntax": Kind(ERROR, "A block of JSON, YAML or TOML parses."),
    "data-schema": Kind(ERROR, "A document whose schema is known fits it."),
    "url-form": Kind(ERROR, "An address of the Hub is well formed."),
    "sketch-reason": Kind(WARNING, "A sketch has a reason and a block."),
    "skill-unread": Kind(ERROR, "A SKILL.md can be read as text."),
    "not-checked": Kind(NOTICE, "What the text names is not installed here, so that nothing was held against it."),
}
#: Kinds of which nothing can be said where a tool, or a library, is not installed.
BY_TOOLS = frozenset({"command-unknown", "option-unknown", "option-unowned", "option-value", "argument-count"})
BY_LIBRARIES = frozenset(
    {"python-import", "python-name", "python-call", "python-overload", "python-unimported", "python-undefined"}
)
#: What a `not-checked` says of a tool or library, after its name.
ABSENT = "is not installed here"
