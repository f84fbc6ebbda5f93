"""What bash 3.2 and macOS do not have is found where it is code, and nowhere else.

Each line of NEWER was run through bash 3.2.48 and bash 5.2: the two differ, or 3.2 has no such command.
"""

from __future__ import annotations

import pytest

from skillpack.kit.oldbash import newer_than_bash_3_2

NEWER = r"""
declare -A m; m[a]=1; m[b]=2; echo ${m[a]}
f() { declare -g z=1; }; f; echo $z
x=5; declare -n r=x; echo $r
declare -u s=abc; echo $s
f() { local -; set -f; }; f; echo $-
mapfile -t a < <(printf '1\n2\n'); echo ${a[1]}
readarray -t a < <(printf '1\n2\n'); echo ${a[1]}
coproc cat; echo ok
s=abc; echo ${s^} ${s^^}
s=ABC; echo ${s,,}
s='a b'; echo ${s@Q}
a=(1 2 3); echo ${a[-1]}
s=abc; echo ${s:0:-1}
{ echo e >&2; } |& cat
echo x &>> /dev/null
case a in a) echo 1 ;& b) echo 2 ;; esac
case a in a) echo 1 ;;& a) echo 2 ;; esac
exec {fd}>&1; echo hi >&$fd
printf '%(%Y)T\n' 0
x=1; [[ -v x ]] && echo set
sleep 0 & wait -n; echo $?
read -N 2 x <<<abc; echo $x
read -t 0.5 x <<<abc; echo $x
shopt -s globstar; echo $?
shopt -s inherit_errexit; echo $?
echo {1..9..4}
echo {01..03}
echo $((EPOCHSECONDS > 0))
[ -n "$BASHPID" ] && echo ok
set -u; a=(); echo "x${a[@]}"
printf '%s\n' $'\u00e9'
echo ${ echo hi; }
""".strip().split("\n")
NOT_ON_MACOS = [
    "date -d yesterday +%F", "sed -i s/a/b/ file", "sed -r 's/(a)/b/' file", "grep -oP 'a+' file", "stat -c %s file",
    "base64 -w 0 file", "timeout 5 curl -f x", "tr a b | xargs -d , echo", "head -n -1 file",
]  # fmt: skip
FINE = [
    "# declare -A is not for us", "echo 'mapfile |& ${x^^}'", 'set -u; a=(); echo ${a[@]+"${a[@]}"} ${#a[@]}',
    "cat <<'END'\nmapfile -t x\ndate -d now\nEND", "jq -c '.[] |& .x' file", "x=${y:-1}; z=${y: -1}; q=${y:0:3}",
    "echo {1..9} {a..c}", "read -r -t 5 line", "wait $!", "local name=$1; declare -a list; declare -r fixed=1",
    "2>&1 | tee log >>all 2>&1", "date -u +%Y", "sed -E 's/(a)/b/' file", "sed -i.old s/a/b/ file", "head -n 1 file",
    "case a in a) echo 1 ;; esac", "printf '%s\\n' x", "update -d x", "a=(1); echo \"${a[@]}\"",
]  # fmt: skip


@pytest.mark.parametrize("line", NEWER)
def test_what_bash_3_2_does_not_have_is_found(line: str) -> None:
    (found, *_) = newer_than_bash_3_2(f"#!/bin/bash\n{line}\n")
    assert found.line == 2 and found.since != "macOS" and found.instead and "line 2" in str(found)


@pytest.mark.parametrize("line", NOT_ON_MACOS)
def test_what_macos_has_differently_is_found(line: str) -> None:
    assert [found.since for found in newer_than_bash_3_2(line)] == ["macOS"]


@pytest.mark.parametrize("line", FINE)
def test_what_bash_3_2_has_or_does_not_read_is_left_alone(line: str) -> None:
    assert newer_than_bash_3_2(line) == []


def test_code_in_a_heredoc_whose_end_is_not_quoted_is_read() -> None:
    text = "cat <<END\n${name^^}\nEND\necho ${name,,}\n"
    assert [found.line for found in newer_than_bash_3_2(text)] == [2, 4]
