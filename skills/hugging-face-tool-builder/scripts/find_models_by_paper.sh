#!/usr/bin/env bash
# Finds the models whose card names a paper.
# Runs under bash 3.2, the one of macOS, with jq 1.6 or newer, and curl 7.58 or newer: an older one sends the token
# along when it follows a redirect to another host (CVE-2018-1000007).
set -euo pipefail

usage() {
  cat <<'END'
Finds the models whose card names a paper, the most downloaded first.

usage: find_models_by_paper.sh [--task TASK] [--limit N] [paper ...]

Takes each paper as an argument, or as NDJSON on standard input: one {"paper": "..."} a line. A paper is an arXiv id or
its address at arxiv.org or huggingface.co/papers. Writes NDJSON on standard output: what came in, and id, downloads,
likes, task and library of each model.

options:
  --task TASK  only models of this task, text-generation for one
  --limit N    write at most N models
  --help       this text

examples:
  find_models_by_paper.sh 1706.03762 --task translation --limit 20
  find_models_by_paper.sh https://arxiv.org/abs/2307.09288v2 | enrich_models.py | jq -r 'select(.license == "mit").id'

environment:
  HF_TOKEN         sent to the Hub and never printed; without it only what is public is seen
  HF_ENDPOINT      another Hub than https://huggingface.co
  HF_TOOL_RETRIES  how often a request is tried again after 429, 5xx or a lost connection (4)

exit codes:
  0    done
  1    done, but the Hub refused some of what came in; each is named on standard error
  2    wrong arguments or wrong input; nothing was asked
  3    the Hub could not be asked; what was written until then is right
  130  interrupted
END
}

# region plumbing
endpoint=${HF_ENDPOINT:-https://huggingface.co}
endpoint=${endpoint%/}
origin=${endpoint#*://}
origin=${endpoint%%://*}://${origin%%/*}

fail() { # CODE MESSAGE
  printf 'error: %s\n' "$2" >&2
  exit "$1"
}

for program in curl jq; do
  command -v "$program" >/dev/null || fail 3 "$program is not installed"
done
set -E # the trap below holds inside functions too
trap 'fail 3 "this command failed: $BASH_COMMAND"' ERR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The token reaches curl by a file in a folder of this user alone: arguments are seen by every user of the machine.
: >"$work/token"
if [ -n "${HF_TOKEN:-}" ]; then
  printf 'Authorization: Bearer %s\n' "$HF_TOKEN" >"$work/token"
fi

# get URL: its answer in $work/body, an object or a list of objects, and the address of its next page in $next. Where
# the Hub says no to this request, $answered is empty and $refused 1; the script ends once retrying is no use. curl's
# own --retry would not do: it does not read RateLimit, by which the Hub says when its window of 300 seconds ends.
# Never `if get`: bash turns set -e off inside of a condition.
refused=0 answered='' next=''
get() {
  local said code hops final status wait attempt=0
  answered='' next=''
  while :; do
    status=0
    : >"$work/headers"
    : >"$work/body"
    said=$(curl --fail --silent --location --max-time 60 --header 'Accept: application/json' --header "@$work/token" \
      --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code} %{num_redirects} %{url_effective}' \
      "$1") || status=$?
    read -r code hops final <<<"$said"
    tr -d '\r' <"$work/headers" >"$work/head"
    case $status:$code in
      0:*)
        if jq -en 'input | if type == "array" then all(.[]; type == "object")
            else type == "object" and .error == null end' "$work/body" >/dev/null 2>&1; then
          break
        fi
        code="$code, but not the JSON that was asked for"
        wait=''
        ;;
      22:429 | 22:5*) wait=$(told_to_wait) ;;
      22:*)
        printf 'error: %s: %s\n' "$1" "$code" >&2
        refused=1
        return
        ;;
      *) # no connection, or half an answer
        code="no whole answer (curl's exit code $status)"
        wait=''
        ;;
    esac
    wait=${wait:-$((1 << attempt))}
    attempt=$((attempt + 1))
    if [ "$attempt" -gt "${HF_TOOL_RETRIES:-4}" ] || [ "$wait" -gt 330 ]; then
      fail 3 "$1: $code, after $attempt tries: wait, or look at HF_ENDPOINT"
    fi
    printf '%s; trying again in %s s\n' "$code" "$wait" >&2
    sleep "$wait"
  done
  if [ "$hops" -gt 0 ] && [ -s "$work/token" ]; then
    case $1,$final in
      "$endpoint"/api/*,"$origin"/*) ;;
      "$endpoint"/api/*)
        fail 3 "$1 is now at $final, to which the token does not go: what is private would be missing"
        ;;
    esac
  fi
  next=$(next_page "$1") || fail 3 "$1: its Link header cannot be read"
  [ "$next" != "$1" ] || fail 3 "$1 names itself as its next page"
  answered=yes
}

# next_page URL: the last answer's Link with rel=next, asked of the endpoint: a mirror passes on the Hub's addresses.
next_page() {
  jq -Rrn --arg url "$1" --arg endpoint "$endpoint" --arg prefix "${endpoint#"$origin"}" '
    reduce inputs as $line ([]; if $line | test("^HTTP/") then [] else . + [$line] end)
    | map(select(test("^link:"; "i"))) | join(",")
    | [scan("<([^>]*)>([^<]*)") | select(.[1] | test(";\\s*rel\\s*=\\s*\"?next\"?\\s*(?:[;,]|$)"; "i"))[0]][0] // empty
    | if startswith("?") then ($url | sub("[?].*"; "")) + . else . end | sub("^https?://[^/?]+"; "")
    | if startswith($prefix + "/") then $endpoint + .[($prefix | length):]
      elif startswith("/") then $endpoint + . else error("the next page is at \(.)") end' "$work/head"
}

# Seconds that a refusal asks for: RateLimit: "api";r=0;t=55 on the Hub, Retry-After elsewhere; nothing for neither.
told_to_wait() {
  local window
  window=$(sed -n 's/^[Rr][Aa][Tt][Ee][Ll][Ii][Mm][Ii][Tt]:.*[; ]t=\([0-9]*\).*/\1/p' "$work/head" | tail -n 1)
  if [ -n "$window" ]; then
    printf '%s' $((window + 1))
  else
    sed -n 's/^[Rr][Ee][Tt][Rr][Yy]-[Aa][Ff][Tt][Ee][Rr]: *\([0-9]*\) *$/\1/p' "$work/head" | tail -n 1
  fi
}

# records KEY [VALUE ...]: what came in, one object a line in $work/records, all of it checked before the first request.
records() {
  local key=$1
  shift
  if [ $# -gt 0 ]; then
    jq -nc --arg key "$key" '
      $ARGS.positional[] | if test("\\S") then {($key): .} else error("an argument is empty") end' --args "$@" \
      >"$work/records" || fail 2 "each $key has to have a character, see the line above"
    return
  fi
  [ ! -t 0 ] || fail 2 "give each $key as an argument, or NDJSON on standard input"
  jq -Rc --arg key "$key" '
    select(test("\\S")) | input_line_number as $line | (try fromjson catch error("line \($line): not JSON"))
    | if type == "object" and (.[$key] | type == "string" and test("\\S")) then .
      else error("line \($line): not an object with a text \"\($key)\"") end' >"$work/records" ||
    fail 2 "standard input, see the line above"
}

# filled PATH KEY RECORD: PATH with {KEY} replaced; a slash stays, because ids of repos have one.
filled() {
  jq -r --arg path "$1" --arg key "$2" '
    (.[$key] | split("/") | map(@uri) | join("/")) as $value | $path | split("{\($key)}") | join($value)' <<<"$3"
}

# write FILE: its lines. Ends the script once --limit is reached, the reader has left, or they cannot be written.
limit='' written=0
write() {
  local status=0
  if [ -n "$limit" ]; then
    head -n $((limit - written)) "$1" >"$work/some"
    mv "$work/some" "$1"
  fi
  written=$((written + $(wc -l <"$1")))
  cat "$1" || status=$?
  [ "$status" -ne 141 ] || exit "$refused" # SIGPIPE: the reader, `head` for one, has seen enough
  [ "$status" -eq 0 ] || fail 3 "standard output cannot be written to"
  [ "$written" != "$limit" ] || exit "$refused"
}
# endregion plumbing

path='/api/models?filter=arxiv:{paper}&sort=downloads'
key='paper'

values=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --limit)
      limit=${2:-}
      case $limit in '' | 0 | *[!0-9]*) fail 2 "--limit takes a number above 0" ;; esac
      shift
      ;;
    --task)
      case ${2:-} in '' | *[!a-z0-9-]*) fail 2 "--task takes the name of a task, text-generation for one" ;; esac
      path="$path&pipeline_tag=$2"
      shift
      ;;
    -*) fail 2 "there is no option $1; see --help" ;;
    *) values[${#values[@]}]=$1 ;;
  esac
  shift
done

records "$key" ${values[@]+"${values[@]}"}
# The Hub tags models with arXiv's id, without address and version.
jq -c '.paper |= (sub("^https?://[^/]+/(abs|pdf|papers)/"; "") | sub("(v[0-9]+)?(\\.pdf)?$"; ""))' \
  "$work/records" >"$work/papers"
mv "$work/papers" "$work/records"
while IFS= read -r record <&3; do
  url=$endpoint$(filled "$path" "$key" "$record")
  while [ -n "$url" ]; do
    get "$url"
    [ -n "$answered" ] || break
    jq -c --argjson record "$record" '
      .[] | $record + {id, downloads, likes, task: .pipeline_tag, library: .library_name}' "$work/body" >"$work/lines"
    write "$work/lines"
    url=$next
  done
done 3<"$work/records"
exit "$refused"
