"""The region that reads Bash: constructs that bash 3.2 does not have, and commands that macOS has differently.

macOS has shipped bash 3.2 since 2007 and nothing newer. The list of constructs is from the CHANGES of bash 4.0 to 5.3;
each one in tests/tool_builder/test_oldbash.py was run through bash 3.2.48 and failed there or meant something else.
"""

from __future__ import annotations

# region skillpack:oldbash
import re
from dataclasses import dataclass

NEWER_THAN_3_2 = [  # pattern, what it is, since when, what to write
    (r"\b(?:declare|local|typeset)\s+-\w*A", "an associative array", "4.0", "two arrays, or jq"),
    (r"\b(?:declare|typeset)\s+-\w*g", "declare -g", "4.2", "a plain assignment"),
    (r"\b(?:declare|local|typeset)\s+-\w*n\b", "a name reference", "4.3", "${!name}, or printf -v"),
    (r"\b(?:declare|local|typeset)\s+-\w*[ul]\b", "declare -u or -l", "4.0", "tr '[:upper:]' '[:lower:]'"),
    (r"\blocal\s+-(?:\s|;|$)", "local -", "4.4", "set the option and set it back"),
    (r"\b(?:mapfile|readarray)\b", "mapfile", "4.0", "while IFS= read -r line; do ...; done"),
    (r"\bcoproc\b", "coproc", "4.0", "a named pipe (mkfifo)"),
    (r"\$\{!?[A-Za-z_]\w*(?:\[[^]]*\])?(?:\^\^?|,,?)", "change of case in ${x^} or ${x,}", "4.0", "tr"),
    (r"\$\{!?[A-Za-z_]\w*(?:\[[@*]\])?@[QEPAaUuLKk]\}", "${x@Q}", "4.4", "printf %q"),
    (r"\$\{\w+\[-\d+\]", "a negative subscript", "4.3", "${a[${#a[@]}-1]}"),
    (r"\$\{[A-Za-z_]\w*:[^}:]*:\s*-\d", "a negative length in ${x:0:-1}", "4.2", "${x%?}"),
    (r"\|&", "|&", "4.0", "2>&1 |"),
    (r"&>>", "&>>", "4.0", ">>file 2>&1"),
    (r";;&|;&", ";& or ;;& in case", "4.0", "repeat the commands"),
    (r"\bexec\s+\{\w+\}[<>]", "exec {fd}>", "4.1", "a number from 3 to 9"),
    (r"(?:\[\[|\btest\b|\[)\s+(?:!\s+)?-v\s", "[[ -v x ]]", "4.2", '[ -n "${x+set}" ]'),
    (r"\bwait\s+-\w*[nfp]", "wait -n", "4.3", "wait PID"),
    (r"\bread\b[^;|&\n]*\s-\w*[Ni]\b", "read -N or -i", "4.0", "read -n, dd"),
    (r"\bread\b[^;|&\n]*\s-\w*t\s*\d*\.\d", "a fraction in read -t", "4.0", "whole seconds"),
    (r"\bshopt\s+-\w+\s+[^;\n]*\b(?:globstar|lastpipe|inherit_errexit|autocd|localvar_inherit|globasciiranges)\b",
     "an option of shopt", "4.0 to 5.0", "find, or another way"),
    (r"\{\w+\.\.\w+\.\.-?\d+\}", "a step in {1..9..2}", "4.0", "seq 1 2 9"),
    (r"\{0\d+\.\.\d+\}|\{\d+\.\.0\d+\}", "zeros in {01..10}", "4.0", "seq -w, printf %02d"),
    (r"\b(?:EPOCHSECONDS|EPOCHREALTIME|SRANDOM|BASHPID|BASH_ARGV0)\b", "a variable", "4.0 to 5.1", "date +%s, $$"),
    (r"\$\{\s|\$\{\|", "${ command; }", "5.3", "$(command)"),
]  # fmt: skip
INSIDE_QUOTES = [
    (r"\bprintf\s[^;|&\n]*%\([^)\n]*\)T", "printf %(...)T", "4.2", "date"),
    (r"\$'[^'\n]*\\[uU][0-9a-fA-F]", "$'\\u00e9'", "4.2", "the character itself"),
]
NOT_ON_MACOS = [  # pattern, what it is, what to write
    (r"\bdate(?:\s[^;|&\n)]*)?\s(?:-d|--date)\b", "date -d of GNU", "jq's fromdateiso8601"),
    (r"\bsed\s+(?:-\w*r\b|-i(?=\s))", "sed -r or -i without a suffix", "sed -E, a new file and mv"),
    (r"\bgrep\s+(?:-\w*P\b|--perl)", "grep -P of GNU", "grep -E, or jq"),
    (r"\bstat\s+(?:-\w*c\b|--format)", "stat -c of GNU", "wc -c"),
    (r"\bbase64\s+(?:-w|--wrap)", "base64 -w of GNU", "base64 | tr -d '\\n'"),
    (r"(?:^|[;|&(]|\bthen\b|\bdo\b)\s*(?:timeout|tac|nproc|numfmt|shuf)\s", "a command of GNU", "another way, or jq"),
    (r"\bxargs\s+(?:-\w*d\b|--)", "xargs -d of GNU", "tr '\\n' '\\0' | xargs -0"),
    (r"\bhead\s+-(?:n\s*|c\s*)-\d", "head -n -N of GNU", "sed '$d'"),
    (r"\bmktemp\s[^;|&\n)]*--(?:tmpdir|suffix)", "mktemp --tmpdir of GNU", "mktemp -d"),
]  # fmt: skip
HEREDOC = re.compile(r"<<-?\s*(['\"\\]?)(\w+)['\"]?")


@dataclass(frozen=True)
class BashFinding:
    line: int
    what: str
    since: str  # version of bash, or "macOS"
    instead: str

    def __str__(self) -> str:
        why = "is not on macOS" if self.since == "macOS" else f"needs bash {self.since}"
        return f"line {self.line}: {self.what} {why}; write: {self.instead}"


def bash_code(text: str) -> str:
    """`text` with blanks for what bash does not read as its own: comments, '...' and heredocs with a quoted end."""
    out: list[str] = []
    pending: list[tuple[str, bool]] = []  # ends of heredocs that begin after this line, and whether they are quoted
    quote = ""
    for line in text.split("\n"):
        if pending and not quote:
            end, literal = pending[0]
            if line.strip("\t") == end:
                pending.pop(0)
            out.append("" if literal or line.strip("\t") == end else line)
            continue
        kept: list[str] = []
        at = 0
        while at < len(line):
            here = line[at]
            if quote == "'":
                quote = "" if here == "'" else quote
                kept.append(" ")
            elif here == "\\":
                kept.append(line[at : at + 2])
                at += 1
            elif here == '"':
                quote = "" if quote else '"'
                kept.append(here)
            elif here == "'" and not quote:
                quote = "'"
                kept.append(" ")
            elif here == "#" and not quote and (at == 0 or line[at - 1] in " \t;(|&"):
                break
            else:
                kept.append(here)
            at += 1
        code = "".join(kept)
        # Quoted ends were blanked above, so the line itself says whether they were quoted.
        if "<<" in code and "<<<" not in code:
            pending = [(match[2], bool(match[1])) for match in HEREDOC.finditer(line[: at + 1])]
        out.append(code)
    return "\n".join(out)


def empty_arrays(code: str) -> list[tuple[int, str]]:
    """(line, name) of each "${name[@]}" that ends a script under `set -u` while the array is empty, before bash 4.4."""
    if not re.search(r"\bset\s+-\w*u|\bset\s+-o\s+nounset", code):
        return []
    found = []
    for name in set(re.findall(r"(?:^|[\s;])([A-Za-z_]\w*)=\(\s*\)", code, re.M)):
        for match in re.finditer(rf'(?<!\+")(?<!\+)\$\{{{name}\[[@*]\]\}}', code):
            found.append((code.count("\n", 0, match.start()) + 1, name))
    return found


def newer_than_bash_3_2(text: str) -> list[BashFinding]:
    """What in a Bash script fails, or means something else, under macOS's bash 3.2 and its BSD commands.

    A list of patterns, not a parser: silence is no proof. Run the script under bash 3.2 where there is one.
    """
    code = bash_code(text)
    found = [
        BashFinding(code.count("\n", 0, match.start()) + 1, what, since, instead)
        for pattern, what, since, instead in [*NEWER_THAN_3_2, *((p, w, "macOS", i) for p, w, i in NOT_ON_MACOS)]
        for match in re.finditer(pattern, code, re.M)
    ]
    lines = code.split("\n")
    for pattern, what, since, instead in INSIDE_QUOTES:  # looked for in lines that are not comments alone
        for match in re.finditer(pattern, text):
            number = text.count("\n", 0, match.start()) + 1
            if lines[number - 1].strip():
                found.append(BashFinding(number, what, since, instead))
    for line, name in empty_arrays(code):
        instead = f'${{{name}[@]+"${{{name}[@]}}"}}'
        found.append(BashFinding(line, f'"${{{name}[@]}}" of an empty array under set -u', "4.4", instead))
    return sorted(found, key=lambda finding: (finding.line, finding.what))


# endregion skillpack:oldbash
