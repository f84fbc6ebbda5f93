#!/usr/bin/env bash
# Finds the models whose card names a paper.
# Runs under bash 3.2, the one of macOS, with curl 7.55 or newer and jq 1.6 or newer.
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

fail() { # CODE MESSAGE
  printf 'error: %s\n' "$2" >&2
  exit "$1"
}

for program in curl jq; do
  command -v "$program" >/dev/null || fail 3 "$program is not installed"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The token reaches curl by a file in a folder of this user alone: arguments are seen by every user of the machine.
: >"$work/token"
if [ -n "${HF_TOKEN:-}" ]; then
  printf 'Authorization: Bearer %s\n' "$HF_TOKEN" >"$work/token"
fi

# get URL: its answer in $work/body, the address of its next page in $next. Returns 1 when the Hub says no to this
# request, and ends the script once retrying is no use. curl's own --retry would not do: it does not read RateLimit, by
# which the Hub says when its window of 300 seconds ends.
get() {
  local code status wait attempt=0
  while :; do
    status=0
    : >"$work/headers"
    code=$(curl --fail --silent --location --max-time 60 --header 'Accept: application/json' --header "@$work/token" \
      --dump-header "$work/headers" --output "$work/body" --write-out '%{http_code}' "$1") || status=$?
    tr -d '\r' <"$work/headers" >"$work/head"
    case $status:$code in
      0:*) break ;;
      22:429 | 22:5*) wait=$(told_to_wait) ;;
      22:*)
        printf 'error: %s: %s\n' "$1" "$code" >&2
        return 1
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
  next=$(sed -n 's/^[Ll][Ii][Nn][Kk]:.*<\([^>]*\)>; *rel="next".*/\1/p' "$work/head" | tail -n 1)
  case $next in
    '' | "$endpoint"/*) ;;
    *) fail 3 "the next page is at $next, not at $endpoint: the token stays here" ;;
  esac
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
    jq -nc --arg key "$key" '$ARGS.positional[] | {($key): .}' --args "$@" >"$work/records"
    return
  fi
  [ ! -t 0 ] || fail 2 "give each $key as an argument, or NDJSON on standard input"
  jq -Rc --arg key "$key" '
    select(test("\\S")) | input_line_number as $line | (try fromjson catch error("line \($line): not JSON"))
    | if type == "object" and (.[$key] | type) == "string" then .
      else error("line \($line): not an object with a text \"\($key)\"") end' >"$work/records" ||
    fail 2 "standard input, see the line above"
}

# filled PATH KEY RECORD: PATH with {KEY} replaced; a slash stays, because ids of repos have one.
filled() {
  jq -r --arg path "$1" --arg key "$2" '
    (.[$key] | split("/") | map(@uri) | join("/")) as $value | $path | split("{\($key)}") | join($value)' <<<"$3"
}

# write FILE: its lines, until --limit is reached, where there is one; then it returns 1.
limit='' written=0
write() {
  if [ -z "$limit" ]; then
    cat "$1"
    return
  fi
  head -n $((limit - written)) "$1"
  written=$((written + $(wc -l <"$1")))
  [ "$written" -lt "$limit" ]
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
refused=0
while IFS= read -r record <&3; do
  url=$endpoint$(filled "$path" "$key" "$record")
  while [ -n "$url" ]; do
    if ! get "$url"; then
      refused=1
      break
    fi
    jq -c --argjson record "$record" '
      .[] | $record + {id, downloads, likes, task: .pipeline_tag, library: .library_name}' "$work/body" >"$work/lines"
    write "$work/lines" || exit "$refused"
    url=$next
  done
done 3<"$work/records"
exit "$refused"
