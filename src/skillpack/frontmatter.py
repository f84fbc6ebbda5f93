"""Text -> fields and body, or problems with their places.

YAML is read, never constructed: the events of the parser pass a budget that refuses aliases, anchors, tags and
depth; then the nodes are composed, and every scalar stays the text that was written. `no` is "no" and `1.10` is
"1.10"; what a YAML reader would make of them is their `kind`.
"""

import re
from typing import NamedTuple

import yaml

from skillpack.diagnostics import Finding, Problem, quoted

#: Whether the C library parses. Without it the same YAML takes about twelve times as long.
LIBYAML = bool(yaml.__with_libyaml__)
LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = yaml.CSafeLoader if LIBYAML else yaml.SafeLoader

#: Ceilings of a frontmatter: characters, nodes, levels of nesting.
MAX_CHARACTERS = 1 << 16
MAX_NODES = 5_000
MAX_DEPTH = 16


class Field(NamedTuple):
    """A value with its place in the file. `kind` is str, int, float, bool, null, timestamp, seq or map."""

    value: str | list["Field"] | dict[str, "Field"]
    kind: str
    line: int
    column: int
    key_line: int
    key_column: int
    #: A scalar that YAML 1.1 reads as `kind` and YAML 1.2 as text: `no`, `1:30`, a date.
    disputed: bool = False

    @property
    def text(self) -> str | None:
        """The value when it is text, as written; None when it is anything else."""
        return self.value if isinstance(self.value, str) and (self.kind == "str" or self.disputed) else None

    def plain(self) -> object:
        """The value as lists, mappings and strings, without places."""
        if isinstance(self.value, dict):
            return {key: field.plain() for key, field in self.value.items()}
        if isinstance(self.value, list):
            return [field.plain() for field in self.value]
        return self.value


class Frontmatter(NamedTuple):
    """`fields` is None when the frontmatter could not be read; `body_line` is the line that the body begins on."""

    fields: dict[str, Field] | None
    body: str
    body_line: int
    problems: list[Problem]
    first_line: int = 1


def parse(text: str) -> Frontmatter:
    """Splits `text` and reads its frontmatter. Never raises for what the text contains."""
    problems: list[Problem] = []
    block = _locate(text, problems)
    if block is None:
        return Frontmatter(None, text, 1, problems)
    first, source, body, body_line = block
    if len(source) > MAX_CHARACTERS:
        message = f"the frontmatter has {len(source):,} characters; past {MAX_CHARACTERS:,} it is not read"
        _add(problems, "yaml-budget", message, "move it into the body or into files under references/", first)
        return Frontmatter(None, body, body_line, problems)
    root = _compose(source, first, problems)
    if root is None:
        return Frontmatter(None, body, body_line, problems)
    if isinstance(root, yaml.ScalarNode) and not root.value.strip():
        return Frontmatter({}, body, body_line, problems, first - 1)
    if not isinstance(root, yaml.MappingNode):
        what = "a list" if isinstance(root, yaml.SequenceNode) else "plain text"
        _add(problems, "frontmatter-mapping", f"the frontmatter is {what}", "write `field: value` lines", first)
        return Frontmatter(None, body, body_line, problems)
    return Frontmatter(_mapping(root, first, "", problems), body, body_line, problems, first - 1)


def _add(
    problems: list[Problem], slug: str, message: str, fix: str, line: int, column: int = 1, field: str = ""
) -> None:
    problems.append(Problem(slug, Finding(message, fix, field, line, column)))


def _locate(text: str, problems: list[Problem]) -> tuple[int, str, str, int] | None:
    """Line number of the YAML, the YAML, the body, line number of the body."""
    if text.startswith("---\n"):  # as nearly always: the body need not be split
        end = text.find("\n---", 3)
        while end >= 0:
            rest = text.find("\n", end + 1)
            rest = rest if rest >= 0 else len(text)
            if text[end + 1 : rest].rstrip() == "---":
                return 2, text[4:end] + "\n", text[rest + 1 :], text.count("\n", 0, end + 1) + 2
            end = text.find("\n---", rest)
    lines = text.split("\n")
    start = 0
    if lines[0].rstrip() != "---":
        start = _late_start(lines)
        if start < 0:
            if not text.strip():
                message, fix = "the file is empty", "begin it with `---`, name, description, `---`"
            else:
                message = "there is no frontmatter: the first line is not `---`"
                fix = "begin the file with `---`, name, description, `---`"
            _add(problems, "frontmatter-present", message, fix, 1)
            return None
        before = "a blank line" if not "".join(lines[:start]).strip() else "other text"
        message = f"the frontmatter begins on line {start + 1}, after {before}: clients read none"
        if not start:
            message = "the first line is not exactly `---`: clients read no frontmatter"
        _add(problems, "frontmatter-first", message, "let the first line of the file be `---`", 1)
    for end in range(start + 1, len(lines)):
        if lines[end].startswith("---") and lines[end].rstrip() == "---":
            return start + 2, "\n".join(lines[start + 1 : end]) + "\n", "\n".join(lines[end + 1 :]), end + 2
    _add(
        problems,
        "frontmatter-closed",
        "the frontmatter has no end",
        "put a line `---` between the fields and the text",
        start + 1,
    )
    return None


def _late_start(lines: list[str]) -> int:
    """Index of a `---` that is followed by name or description, or is the first line with text; -1 for none."""
    blank = True
    for index, line in enumerate(lines[:200]):
        if line.strip().rstrip("-") == "" and line.strip()[:3] == "---":
            following = next((later for later in lines[index + 1 :] if later.strip()), "")
            if (blank and line.strip() == "---") or re.match(r"(name|description)\s*:", following):
                return index
        blank = blank and not line.strip()
    return -1


def _compose(source: str, first: int, problems: list[Problem]) -> yaml.Node | None:
    """The nodes of `source`, or None and a problem. Values with an unquoted colon are reported and quoted."""
    for _ in range(MAX_DEPTH):
        try:
            if not _is_modest(source) and not _within_budget(source, first, problems):
                return None
            return yaml.compose(source, Loader=LOADER) or yaml.ScalarNode("", "", None, None)
        except yaml.MarkedYAMLError as error:
            repaired = _unquoted_colon(source, first, error, problems)
            if repaired is None:
                _syntax(source, first, error, problems)
            if not repaired:
                return None
            source = repaired
        except yaml.reader.ReaderError:
            # Its position counts bytes with libyaml and characters without.
            found = re.search(_NOT_YAML, source)
            before = source[: found.start()] if found else ""
            what = f"the character U+{ord(found[0]):04X}" if found else "a character"
            line, column = first + before.count("\n"), len(before) - before.rfind("\n")
            _add(problems, "yaml-syntax", f"{what} may not occur in YAML", "remove it", line, column)
            return None
    return None


def _is_modest(source: str) -> bool:
    """Whether `source` cannot but stay within the budget, by its signs alone: the parser need not look twice.

    An alias, an anchor and a tag need their signs. Without brackets a value takes a line, with its key and what they
    are nested in four nodes at most, and each level of nesting begins further right, or one more in the same column:
    before the seventh column there is no seventeenth level.
    """
    return 4 * source.count("\n") < MAX_NODES and re.search(_IMMODEST, source) is None


def _within_budget(source: str, first: int, problems: list[Problem]) -> bool:
    """Whether the parser's events stay within the budget. Says at most one thing: what is over is not read on."""
    depth = nodes = 0
    for event in yaml.parse(source, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            return _refuse(problems, "yaml-aliases", "an alias (`*name`)", first, event)
        if not isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            depth -= isinstance(event, yaml.CollectionEndEvent)
            continue
        if event.anchor is not None:
            return _refuse(problems, "yaml-aliases", "an anchor (`&name`)", first, event)
        if event.tag is not None:
            return _refuse(problems, "yaml-tags", f"a tag ({quoted(event.tag)})", first, event)
        nodes += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        if nodes > MAX_NODES:
            return _refuse(problems, "yaml-budget", f"more than {MAX_NODES:,} values", first, event)
        if depth > MAX_DEPTH:
            return _refuse(problems, "yaml-budget", f"more than {MAX_DEPTH} levels of nesting", first, event)
    return True


def _refuse(problems: list[Problem], slug: str, what: str, first: int, event: yaml.Event) -> bool:
    message = f"the frontmatter has {what} and is not read further"
    fix = "keep the fields few and flat" if slug == "yaml-budget" else "write the value itself"
    line, column = (event.start_mark.line, event.start_mark.column) if event.start_mark else (0, 0)
    _add(problems, slug, message, fix, first + line, column + 1)
    return False


def _unquoted_colon(source: str, first: int, error: yaml.MarkedYAMLError, problems: list[Problem]) -> str | None:
    """Reports an unquoted `: ` in a value; None when `error` is about something else.

    Returns the source with that value quoted, so that the other fields can be read, or "" when the value goes
    over several lines.
    """
    mark = error.problem_mark
    if mark is None or "mapping values are not allowed" not in (error.problem or ""):
        return None
    lines = source.split("\n")
    number = min(mark.line, len(lines) - 1)
    match = re.match(KEY_AND_VALUE, lines[number])
    if match is None or mark.column < match.start("value"):
        margin = indent(lines[number])
        number = next((n for n in range(number - 1, -1, -1) if lines[n].strip() and indent(lines[n]) < margin), -1)
        match = re.match(KEY_AND_VALUE, lines[number]) if number >= 0 else None
    if match is None:
        return None
    key, value = match["key"], match["value"].rstrip()
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    following = lines[number + 1] if number + 1 < len(lines) else ""
    one_line = number == mark.line and indent(following) <= indent(lines[number])
    shown = escaped if len(escaped) <= 60 else escaped[:59] + "…"
    fix = f'write `{key}: "{shown}"`' if one_line else f"write `{key}: >-` and the text indented below it"
    message = "the value holds an unquoted `: `, so YAML reads a second field in it and strict clients drop the skill"
    _add(problems, "unquoted-colon", message, fix, first + mark.line, mark.column + 1, key)
    if not one_line:
        return ""
    lines[number] = f'{lines[number][: match.start("value")]}"{escaped}"'
    return "\n".join(lines)


#: Signs that may be an anchor, an alias, a tag, a bracket or another line break than usual; what is far to the right;
#: several levels that begin in one line.
_IMMODEST = r"[&*!\[{\t\r\x85\u2028\u2029]|(?m:^ {6})|- +[-?]|(?m:^[ -]*\?)"
_NOT_YAML = r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
KEY_AND_VALUE = r"[ -]*(?P<key>[A-Za-z][\w-]*):[ \t]+(?P<value>[^\s\"'\[{|>&*!].*)"


def indent(line: str) -> int:
    """How many blanks `line` begins with."""
    return len(line) - len(line.lstrip())


def _syntax(source: str, first: int, error: yaml.MarkedYAMLError, problems: list[Problem]) -> None:
    """Reports an error of the YAML parser in the words of someone who writes a skill."""
    lines = source.split("\n")
    mark = error.problem_mark or error.context_mark
    if error.context_mark is not None and (mark is None or mark.line >= len(lines) - 1):
        mark = error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    text = lines[line] if line < len(lines) else ""
    problem = (error.problem or "it cannot be parsed").removeprefix("but ")
    match = re.match(r"([A-Za-z][\w-]*):[ \t]+(?=\S)", text)
    if "\t" in text[: len(text) - len(text.lstrip())]:
        fix = "indent with spaces; YAML does not take tabs"
    elif match and text[match.end()] in "@`%\"'[{&*!|>":
        fix = f"quote the value: `{match[1]}: >-` and the text indented below it takes any character"
    else:
        fix = "write each field as `field: value`, and quote values that hold special characters"
    _add(problems, "yaml-syntax", f"not YAML: {problem}", fix, first + line, column + 1, match[1] if match else "")


def _mapping(node: yaml.MappingNode, first: int, parent: str, problems: list[Problem]) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    for key, value in node.value:
        line, column = first + key.start_mark.line, key.start_mark.column + 1
        if not isinstance(key, yaml.ScalarNode):
            message = "a list or a mapping stands where the name of a field belongs"
            _add(problems, "frontmatter-mapping", message, "write `field: value`", line, column, parent)
            continue
        name = f"{parent}.{key.value}" if parent else key.value
        field = _field(value, first, name, problems, line, column)
        if key.value in fields:
            already = fields[key.value].key_line
            message = f"{quoted(key.value)} is already on line {already}; readers differ in which they keep"
            _add(problems, "duplicate-keys", message, "keep one of the two", line, column, name)
        else:
            fields[key.value] = field
    return fields


def _field(node: yaml.Node, first: int, name: str, problems: list[Problem], key_line: int, key_column: int) -> Field:
    mark = node.start_mark
    place = (first + mark.line, mark.column + 1, key_line, key_column)
    if isinstance(node, yaml.MappingNode):
        return Field(_mapping(node, first, name, problems), "map", *place)
    if isinstance(node, yaml.SequenceNode):
        items = [
            _field(item, first, f"{name}[{index}]", problems, first + item.start_mark.line, item.start_mark.column + 1)
            for index, item in enumerate(node.value)
        ]
        return Field(items, "seq", *place)
    kind = node.tag.rpartition(":")[2]
    if kind in ("str", "merge", "value"):
        return Field(node.value, "str", *place)
    return Field(node.value, kind, *place, disputed=re.fullmatch(_CORE_SCHEMA, node.value) is None)


# What YAML 1.2 reads as null, a boolean or a number. The rest of what YAML 1.1 converts is text there.
_CORE_SCHEMA = (
    r"~|null|Null|NULL||true|True|TRUE|false|False|FALSE"
    r"|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
