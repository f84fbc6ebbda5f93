"""The region of rewards: functions that judge what a model wrote, by the names that a plan gives them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from skillpack.kit.sandbox import tests_passed
from skillpack.kit.script import EXIT_USAGE, Failure

# region skillpack:rewards
import ast
import math
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

# A number with its sign, currency, thousands separators, fraction, exponent and percent sign; not the 2 of m^2 or H2O.
NUMBER = re.compile(
    r"(?<![\w.^])(?<!\^\{)(?P<sign>[-−+]?)[$€£]?(?P<minus>-?)"
    r"(?P<value>[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?P<power>[eE][-+]?[0-9]{1,3}(?!\w))?(?:\s*/\s*(?P<under>[0-9]+(?:\.[0-9]+)?))?\s*(?P<percent>\\?%|percent\b)?"
)
UNIT = re.compile(r"\s*(?:[a-zA-Z°]{2,}[\w°/^]*|[mgsL°](?:\^?[23²³])?)?\s*\.?$")
TAGS = r"(?:<think>)?(?:(?!</?(?:think|answer)>).)*</think>\s*<answer>(?:(?!</?(?:think|answer)>).)*</answer>"
TOLERANCE = Decimal("1e-6")  # relative, for numbers of which one is not whole; whole numbers must be equal
POOL = min(8, os.cpu_count() or 1)  # answers tested at once


def number_of(match) -> tuple[Decimal, bool] | None:
    """(value, whether it was a percentage) of a match of NUMBER; None for a division by zero."""
    value = Decimal(match["value"].replace(",", "") + (match["power"] or ""))
    if match["under"]:
        if not Decimal(match["under"]):
            return None
        value /= Decimal(match["under"])
    negative = match["sign"] in ("-", "−") or match["minus"]
    return (-value if negative else value), bool(match["percent"])


def plain(text: str) -> str:
    """LaTeX and typography of numbers taken away: \\frac{1}{2} is 1/2, \\text{ cm} is cm, 1\\,000 is 1000."""
    text = re.sub(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", text)
    text = re.sub(r"\\(?:text|mathrm|mbox)\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"(?<=\d)(?:\\[,!; ]|[\u00a0\u202f\u2009]|\{,\})(?=\d)", "", text)
    return re.sub(r"\\left|\\right|\\[,!;]|\^\{?\\circ\}?|\$(?=\s*$)|^\s*\$(?=\\)", "", text).replace("\\$", "$")


def last_number(text: str) -> tuple[Decimal, bool] | None:
    found = [number_of(match) for match in NUMBER.finditer(plain(text))]
    return found[-1] if found else None


def whole_number(text: str) -> tuple[Decimal, bool] | None:
    """The number that a text is, beside a unit and the name of a variable; None where it is more than a number."""
    text = re.sub(r"^[a-zA-Z]\s*=\s*", "", plain(text).strip().strip("$").strip())
    match = NUMBER.match(text)
    return number_of(match) if match and UNIT.match(text, match.end()) else None


def same_number(left: tuple[Decimal, bool] | None, right: tuple[Decimal, bool] | None) -> bool:
    """Equal within TOLERANCE. 50% is 50 and 0.5, as people write both, but 50% is not 0.5%."""
    if left is None or right is None:
        return False
    (one, percent), (other, other_percent) = left, right
    if percent != other_percent:
        share, bare = (one, other) if percent else (other, one)
        return same_value(share, bare) or same_value(share / 100, bare)
    return same_value(one, other)


def same_value(one: Decimal, other: Decimal) -> bool:
    if one == other or (one == one.to_integral_value() and other == other.to_integral_value()):
        return one == other
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def last_box(text: str) -> str | None:
    """What the last \\boxed{...} holds, its own braces included."""
    start = text.rfind("\\boxed{")
    depth, begin = 0, start + len("\\boxed{")
    for index in range(begin, len(text)) if start >= 0 else ():
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth < 0:
            return text[begin:index].strip()
    return None


def final_part(said: str) -> str:
    """What an answer says at its end: inside <answer>, or after </think>, or all of it."""
    tagged = re.findall(r"<answer>(.*?)</answer>", said, re.S)
    return tagged[-1] if tagged else said.rpartition("</think>")[2]


def right_part(answer: object) -> str:
    """The answer of a row's `answer` column: after GSM8K's ####, inside a solution's last \\boxed, or all of it."""
    text = str(answer)
    box = last_box(text)
    return text.rpartition("####")[2].strip() if "####" in text or box is None else box


def reward_number(said: str, answer: object) -> float:
    said = final_part(said)
    marked = said.rpartition("####")[2] if "####" in said else ""
    found = NUMBER.search(plain(marked)) if marked else None
    return float(same_number(number_of(found) if found else last_number(said), last_number(right_part(answer))))


def reward_boxed(said: str, answer: object) -> float:
    box, right = last_box(said), right_part(answer)
    if box is None:
        return 0.0
    bare = [re.sub(r"\s|\$|\.$", "", plain(text)) for text in (box, right)]
    return float((bare[0] == bare[1] != "") or same_number(whole_number(box), whole_number(right)))


def reward_exact(said: str, answer: object) -> float:
    return float(final_part(said).strip() == str(answer).strip())


def code_of(said: str) -> str:
    """The last block of code of an answer, or all of it where it fences none."""
    blocks = re.findall(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", said, re.S)
    return blocks[-1] if blocks else final_part(said)


def reward_python(said: str, answer: object = None) -> float:
    code = code_of(said)
    try:
        return float(bool(ast.parse(code).body))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0.0


def reward_tests(said: str, tests: str | list, entry_point: object = None) -> float:
    code, snippets = code_of(said), [tests] if isinstance(tests, str) else list(tests)
    if entry_point:  # HumanEval's tests define check(candidate) and leave the call to the reader
        snippets = [f"{snippet}\ncheck({entry_point})" for snippet in snippets]
    return tests_passed(code, tuple(snippets)) if snippets and reward_python(said) else 0.0


# The columns that each reads, in the order of its function's arguments; the last may be missing where it is optional.
REWARDS: dict = {
    "number": (reward_number, ("answer",)),
    "boxed": (reward_boxed, ("answer",)),
    "exact": (reward_exact, ("answer",)),
    "python": (reward_python, ()),
    "tests": (reward_tests, ("tests", "entry_point")),
}


def said_of(completion) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])


def named_reward(name: str, files: tuple = ()):
    """TRL's reward function of a name: one of REWARDS, `format`, `format:REGEX`, or FILE.py:FUNCTION.

    `files` are where FILE.py may lie beside the place that the name says (a job has it elsewhere). Raises Failure
    with EXIT_USAGE for a name that means nothing.
    """
    if name == "format" or name.startswith("format:"):
        try:
            shape = re.compile(name.partition(":")[2] or TAGS, re.S)
        except re.error as error:
            raise Failure(f"the reward {name!r} is no regular expression: {error}", "correct it", EXIT_USAGE) from None
        return contracted(
            "format", lambda completions, **_: [bool(shape.fullmatch(said_of(c).strip())) for c in completions]
        )
    if name in REWARDS:
        judge, needs = REWARDS[name]

        def reward(completions, **columns):
            read = [columns[key] for key in needs if key in columns or key != "entry_point"]
            with ThreadPoolExecutor(POOL if name == "tests" else 1) as pool:
                return list(pool.map(judge, map(said_of, completions), *read))

        return contracted(name, reward)
    path, _, function = name.rpartition(":")
    found = next(
        (Path(place) for place in (path, *files) if Path(place).name == Path(path).name and Path(place).is_file()), None
    )
    if not path or found is None:
        known = ", ".join((*REWARDS, "format", "format:REGEX"))
        raise Failure(f"no reward {name!r}", f"one of {known}, or FILE.py:FUNCTION", EXIT_USAGE)
    return contracted(function, function_of(found, function))


def function_of(path: Path, name: str):
    """A function of a file of the user's. Raises Failure with EXIT_USAGE when there is none, or the file fails."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec: Any = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's file: whatever it raises is theirs to mend
        raise Failure(f"{path} fails: {type(error).__name__}: {error}", "correct the file", EXIT_USAGE) from None
    if not callable(getattr(module, name, None)):
        raise Failure(f"{path} defines no function {name!r}", "name one that it defines", EXIT_USAGE)
    return getattr(module, name)


def contracted(name: str, function):
    """`function`, held to TRL's contract at every call: a finite number, or None, for each completion.

    TRL would take a NaN for None, and say nothing. Raises Failure, which ends a run at its last checkpoint.
    """

    def reward(completions, **columns):
        what = "a reward is f(completions, **columns) -> a list with one number, or None, for each completion"
        try:
            values = list(function(completions=completions, **columns))
            values = [None if value is None else float(value) for value in values]
        except Failure:
            raise
        except (Exception, SystemExit) as error:
            raise Failure(f"the reward {name} fails: {type(error).__name__}: {error}", what, EXIT_USAGE) from error
        if len(values) != len(completions):
            raise Failure(f"the reward {name} gave {len(values)} numbers for {len(completions)}", what, EXIT_USAGE)
        if wrong := [value for value in values if value is not None and not math.isfinite(value)]:
            raise Failure(f"the reward {name} gave {wrong[0]}", "give None to leave a completion out", EXIT_USAGE)
        return values

    reward.__name__ = name  # what TRL logs it by
    return reward


def judged(reward, completions: list, rows: list[dict]) -> list[float]:
    """What a reward gives for completions to these rows, 0 where it gives None."""
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return [value or 0.0 for value in reward(completions=completions, prompts=columns.pop("prompt"), **columns)]


def each_reward(rewards: list, row: dict, text: str) -> list[float]:
    """What each reward gives for an answer's text to a row's prompt."""
    said = text if isinstance(row["prompt"], str) else [{"role": "assistant", "content": text}]
    return [judged(reward, [said], [dict(row)])[0] for reward in rewards]


def total_reward(rewards: list, row: dict, text: str, weights: list | None = None) -> float:
    """The sum of the rewards of an answer's text, each by its weight (1 where there are none)."""
    each = each_reward(rewards, row, text)
    return sum(value * weight for value, weight in zip(each, weights or [1.0] * len(each), strict=True))


# endregion skillpack:rewards
