"""What went wrong with the job itself, as opposed to what was found: each with its exit code."""

from __future__ import annotations

#: Findings at or above the failing severity.
EXIT_FINDINGS = 1
#: The command line asks for something that cannot be done: a path that does not exist, an unknown rule.
EXIT_USAGE = 2
#: Nothing was checked, or the program itself failed.
EXIT_FAILURE = 3
#: Interrupted from the keyboard.
EXIT_INTERRUPT = 130


class Failure(Exception):
    """The job could not be done. The message is one line for the user; `exit_code` is the process's."""

    exit_code = EXIT_FAILURE


class UsageFailure(Failure):
    """The user has to change the command or the environment."""

    exit_code = EXIT_USAGE


class NothingToCheck(Failure):
    """No skill was found where one was looked for: never a success."""


class UnusableSkill(Failure):
    """A skill lacks what the command has to print."""

    exit_code = EXIT_FINDINGS
