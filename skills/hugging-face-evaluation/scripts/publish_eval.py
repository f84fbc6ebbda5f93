# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "PyYAML>=6,<7",
# ]
# ///
"""Publish scores to a model's repository: as a pull request, once, changing no other byte of what is there.

SCORES is eval.json of run_eval.py, or evals-extracted.json of extract_evals.py. Two forms:
  model-index    (default) results in the header of README.md, of any dataset
  eval-results   .eval_results/NAME.yaml, for a dataset that is registered as a benchmark (it has an eval.yaml):
                 name it with --benchmark, its task with --benchmark-task, and one score with --only
A result that is there already, in the repository or in an open pull request, is not added again; one with another
value is refused unless --overwrite. The diff, the text of the pull request and what a reader will miss (a dataset that
is not on the Hub, a commit that was not recorded) are shown, and without --yes nothing is written (exit 4). After it is
written it is read back: the commit must change those bytes and no others.

examples:
  python scripts/publish_eval.py evals/mine-gsm8k/eval.json --repo me/mine
  python scripts/publish_eval.py eval.json --repo me/mine --to eval-results --benchmark openai/gsm8k \\
      --benchmark-task gsm8k --only "gsm8k/exact_match (strict-match)" --yes
"""

# region skillpack:script
import argparse
import json
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

EXIT_OK, EXIT_NO, EXIT_USAGE, EXIT_FAILED, EXIT_UNCONFIRMED, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = """exit codes:
  0    done
  1    done, and the answer is no (incompatible, does not fit, not better)
  2    wrong arguments or wrong input; nothing was done
  3    could not be done; the message says why and what to do
  4    would spend or publish: run again with --yes
  130  interrupted; run the same command to continue
"""
RESULT = sys.stdout  # `run` sends what libraries print elsewhere, so that one document stays one document
SECRET = re.compile(r"\b(hf_|sk-|api_org_|ghp_)[A-Za-z0-9_-]{8,}")


class Failure(Exception):
    """What went wrong, what to do about it, and the exit code that says so."""

    def __init__(self, problem: str, fix: str = "", code: int = EXIT_FAILED) -> None:
        super().__init__(f"{problem}\n  fix: {fix}" if fix else problem)
        self.problem, self.fix, self.code = problem, fix, code


def redact(text: str) -> str:
    """`text` without the token of the environment and without anything that has the shape of one."""
    token = os.environ.get("HF_TOKEN", "")
    if len(token) > 3:
        text = text.replace(token, "***")
    return SECRET.sub(lambda match: match[1] + "***", text)


def log(message: str) -> None:
    """One line for the person who watches; standard output is for the result alone."""
    print(redact(message), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """The result, for a person, on standard output."""
    print(redact(text), file=RESULT, flush=True)


def emit(document: dict) -> None:
    """The result, for a machine, as one JSON document on standard output."""
    say(json.dumps(document, indent=2, ensure_ascii=False))


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes beside `path` and renames, so that a reader sees the old file or the new one, never a half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_artifact(path: Path, document: dict) -> None:
    """A JSON artefact that the next script reads."""
    write_atomic(path, redact(json.dumps(document, indent=2, ensure_ascii=False)) + "\n")


def read_artifact(path: Path, kind: str, version: int = 1) -> dict:
    """A JSON artefact that an earlier script wrote, `kind` being the name of its schema in assets/.

    It is held against that schema when the script still lies in its skill; a copy sent to a job lies alone,
    and was checked before it was sent. Raises Failure with EXIT_USAGE and the place of the error.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", f"make it first: it is the {kind}", EXIT_USAGE) from None
    except ValueError as error:
        raise Failure(f"{path}: not JSON: {error}", "make it again, or undo the edit", EXIT_USAGE) from None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != f"skillpack/{kind}/{version}":
        raise Failure(
            f"{path}: schema is {found!r}, this script reads 'skillpack/{kind}/{version}'",
            "use scripts of one version of the skill, or make the file again with these",
            EXIT_USAGE,
        )
    schema = Path(__file__).resolve().parent.parent / "assets" / f"{kind}.schema.json"
    if schema.is_file():
        from jsonschema import Draft202012Validator

        validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
        errors = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.path)))
        if errors:
            lines = "; ".join(f"{'.'.join(map(str, e.path)) or 'top'}: {e.message[:200]}" for e in errors[:5])
            raise Failure(f"{path}: {lines}", "correct these fields, or make the file again", EXIT_USAGE)
    return document


def beside(name: str) -> str:
    """The path of a script that lies beside this one, in the words by which this one was called."""
    return shlex.quote(str(Path(sys.argv[0]).parent / name))


class Parser(argparse.ArgumentParser):
    def print_help(self, file=None) -> None:
        super().print_help(file or RESULT)


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser whose --help is the script's docstring and the exit codes."""
    return Parser(description=doc, epilog=EXIT_CODES, formatter_class=argparse.RawDescriptionHelpFormatter)


def run(main: Callable[[list[str]], int]) -> int:
    """Calls `main(argv)` and turns what it raises into a message and an exit code; a crash is no answer, so never 1."""
    sys.stdout = sys.stderr
    # whatever a locale or the name of a file holds:
    RESULT.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return main(sys.argv[1:])
    except Failure as failure:
        waits = failure.code == EXIT_UNCONFIRMED  # for the user's word: the usual way, and no error
        log(f"{failure.problem}; {failure.fix}" if waits else f"error: {failure}")
        return failure.code
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), RESULT.fileno())
        return EXIT_OK
    except KeyboardInterrupt:
        log("interrupted; run the same command to continue")
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the boundary: no crash leaves with 1, which is an answer)
        if "No space left on device" in str(error):  # each library raises it as a type of its own
            log("error: the disk is full\n  fix: free some (HF_HOME and TMPDIR count too), then run the same command")
        elif isinstance(error, OSError) and error.filename and error.strerror:
            log(f"error: {error.filename}: {error.strerror}\n  fix: a file or folder that this user may use")
        else:
            log(f"{traceback.format_exc()}unforeseen: a defect of the script, or of a library that it calls")
        return EXIT_FAILED


# endregion skillpack:script

# region skillpack:hub
import contextlib
from collections.abc import Iterator
from typing import Any

HUB_FIXES = {
    401: "the token is missing, wrong, expired or revoked: `hf auth login`, or set HF_TOKEN",
    402: "the namespace has no credit: add some at https://huggingface.co/settings/billing, or give --namespace of an "
    "organization that pays",
    403: "the token may not do this: make one with write permission, or name another namespace",
    404: "check the name, and that the token may read it",
    409: "somebody else wrote at the same time: run the same command again",
    412: "somebody else wrote at the same time: run the same command again",
    429: "a quota or rate limit: wait a few minutes, and run the same command again",
}


class Refused(Failure):
    """The Hub answered, and said no: nothing was made or changed."""


@contextlib.contextmanager
def on_hub(doing: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turns what the Hub's client raises while `doing` into a Failure with the way out; `passing` goes through."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError  # type: ignore[attr-defined]

    try:
        yield
    except passing:
        raise
    except HFValidationError as error:
        raise Failure(f"{doing}: {error}", "correct the name", EXIT_USAGE) from None
    except OfflineModeIsEnabled:
        raise Failure(f"{doing}: HF_HUB_OFFLINE is set", "unset it: this needs the network") from None
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        said = (error.server_message or str(error).splitlines()[0])[:300]
        fix = HUB_FIXES.get(status, "the message is the Hub's own; if it is passing, run the same command again")
        raise (Refused if 400 <= status < 500 else Failure)(f"{doing}: {status} {said}", fix) from None
    except (HTTPError, OSError, RuntimeError) as error:  # RuntimeError is how hf_xet says that the network failed
        said = (str(error).splitlines() or [""])[0][:300]
        if getattr(error, "filename", None) or "No space left on device" in str(error):
            raise  # a file or the disk of this machine: `run` says so
        if isinstance(error, FileNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            raise Failure(f"{doing}: {said}", HUB_FIXES[404]) from None  # how `datasets` says that there is none
        raise Failure(
            f"{doing}: {os.environ.get('HF_ENDPOINT', 'the Hub')} cannot be reached ({type(error).__name__}: {said})",
            "check the network and HF_ENDPOINT, then run the same command again: what arrived is not sent twice",
        ) from None


def sign_in(write: bool = True) -> tuple[Any, dict[str, Any]]:
    """(client, whoami). Raises Failure without a token, or with one that only reads where it must `write`."""
    os.environ.setdefault("HF_HUB_DISABLE_EXPERIMENTAL_WARNING", "1")  # read when the client is imported
    from huggingface_hub import HfApi, get_token

    token = get_token()
    if not token:
        raise Failure("no Hugging Face token", "`hf auth login`, or set HF_TOKEN to one with write permission")
    os.environ["HF_TOKEN"] = token  # so that no message can show it
    api = HfApi(token=token)
    with on_hub("signing in"):
        who = api.whoami()
    if write and ((who.get("auth") or {}).get("accessToken") or {}).get("role") == "read":
        raise Failure("the token only reads", "make one with role write: https://huggingface.co/settings/tokens")
    return api, who


def full_id(who: dict[str, Any], repo_id: str) -> str:
    """`repo_id` with its namespace, the user's own by default. Raises Failure where this user may not write."""
    namespace, _, name = repo_id.rpartition("/")
    if not namespace or namespace.lower() == who["name"].lower():
        return f"{who['name']}/{name}"
    roles = {org["name"].lower(): org.get("roleInOrg") for org in who.get("orgs", [])}
    if roles.get(namespace.lower(), "read") == "read":
        known = ", ".join([who["name"], *(name for name, role in roles.items() if role != "read")])
        raise Failure(f"{who['name']} may not write to {namespace!r}", f"name one of: {known}", EXIT_USAGE)
    return repo_id


# endregion skillpack:hub

# region skillpack:card
import difflib
from pathlib import Path
from typing import Any


def read_file(api: Any, repo: str, path: str, revision: str, repo_type: str = "model") -> str | None:
    """A text file with its own line ends; None where there is none."""
    from huggingface_hub.errors import RemoteEntryNotFoundError

    with on_hub(f"reading {path} of {repo}"):
        try:
            file = Path(api.hf_hub_download(repo, path, revision=revision, repo_type=repo_type))
        except RemoteEntryNotFoundError:
            return None
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"{path} of {repo} is not UTF-8: {error}", "mend the file first", EXIT_USAGE) from None


def diff_of(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", lineterm="")
    return "\n".join(lines)


def open_proposals(api: Any, repo: str, title: str, repo_type: str = "model") -> list[int]:
    """Numbers of the open pull requests whose title begins with `title`: those that this script opened."""
    with on_hub(f"listing the pull requests of {repo}"):
        found = api.get_repo_discussions(
            repo, repo_type=repo_type, discussion_type="pull_request", discussion_status="open"
        )
        return [each.num for each in found if each.title.startswith(title)]


def proposal_url(api: Any, repo: str, number: int, repo_type: str = "model") -> str:
    folder = "" if repo_type == "model" else f"{repo_type}s/"
    return f"{api.endpoint}/{folder}{repo}/discussions/{number}"


def commit_file(
    api: Any, repo: str, path: str, text: str, head: str, title: str, about: str, direct: bool, repo_type: str = "model"
) -> dict[str, str | None]:
    """One commit on top of `head`, the commit that was read, verified: {pull_request, commit}, addresses.

    A pull request unless `direct`. Raises Failure, also where somebody else wrote in between.
    """
    from huggingface_hub import CommitOperationAdd

    with on_hub(f"publishing to {repo}"):
        made = api.create_commit(
            repo, [CommitOperationAdd(path, text.encode())], commit_message=title, commit_description=about,
            create_pr=not direct, parent_commit=head, repo_type=repo_type,
        )  # fmt: skip
    if read_file(api, repo, path, made.oid, repo_type) != text:
        raise Failure(f"{repo} does not hold what was sent", "look at its history, then run the same command again")
    return {"pull_request": made.pr_url, "commit": made.commit_url}


# endregion skillpack:card

TITLE = "Add evaluation results"  # of pull requests: by it, open ones are found again
METRICS = {"acc": "accuracy"}  # lm-eval's name -> the Hub's
FOLDER = ".eval_results"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def main(argv: list[str]) -> int:
    args = arguments(argv)
    claims, warnings = claims_of(args.scores, args)
    claims = chosen(claims, args)
    api, who = sign_in()
    repo = args.repo or claims[0]["model"]
    if args.direct:
        full_id(who, repo)
    with on_hub(f"looking up {repo}"):
        head = api.model_info(repo).sha
    change = model_index_change if args.to == "model-index" else eval_results_change
    if args.to == "eval-results":
        require_benchmark(api, args)
    path, before, after, added = change(api, repo, head, claims, args)
    document = {
        "schema": "skillpack/published-eval/1", "repo": repo, "to": args.to, "file": path,
        "added": [described(claim) for claim in added], "already_there": len(claims) - len(added),
        "diff": diff_of(path, before, after), "text": text_of(added, args.notes), "warnings": warnings,
        "pull_request": None, "commit": None, "verified": None,
    }  # fmt: skip
    if not added:
        return told(document, f"nothing to add: {repo} has {counted(claims)} already", args)
    if proposal := open_proposal(api, repo, claims, change, args):
        document |= {"pull_request": proposal, "added": []}
        return told(document, f"nothing to add: {proposal} proposes them already", args)
    if path == "README.md":
        validate(after)
        warnings += unknown_datasets(api, added)
    for warning in warnings:
        log(f"warning: {warning}")
    if not args.json:
        say(f"{document['diff']}\n\nText of the {'commit' if args.direct else 'pull request'}:\n{document['text']}")
    if not args.yes:
        if args.json:
            emit(document)
        where = "the branch main of" if args.direct else "a pull request to"
        fix = "read the diff, then run it again with --yes"
        raise Failure(f"this would add {counted(added)} by {where} {repo}", fix, EXIT_UNCONFIRMED)
    document |= commit_file(api, repo, path, after, head, title_of(added), document["text"], args.direct)
    document["verified"] = verified(api, repo, path, before, after, head, document)
    return told(document, f"published: {document['pull_request'] or document['commit']}\n"
                f"verified: {document['verified']}", args)  # fmt: skip


def arguments(argv: list[str]) -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("scores", type=Path, help="eval.json, or evals-extracted.json")
    options.add_argument("--repo", help="the model's repository (default: the model that was evaluated)")
    options.add_argument("--to", choices=["model-index", "eval-results"], default="model-index")
    options.add_argument(
        "--only", action="append", default=[], help="TASK/METRIC to publish (default: all); repeatable"
    )
    options.add_argument("--dataset", help="id of the dataset, where the scores name a file or none")
    options.add_argument("--benchmark", help="with --to eval-results: dataset that is registered as a benchmark")
    options.add_argument("--benchmark-task", help="with --to eval-results: id of a task in its eval.yaml")
    options.add_argument("--percent", action="store_true", help="publish values times 100")
    options.add_argument(
        "--notes",
        help="what a reader should know: first in the pull request's text; with --to eval-results also the entry's "
        "notes (default: harness, rows, interval)",
    )
    options.add_argument("--overwrite", action="store_true", help="replace the value of a result that is there")
    options.add_argument("--direct", action="store_true", help="commit to main in place of a pull request")
    options.add_argument("--yes", action="store_true", help="write it")
    options.add_argument("--json", action="store_true", help="print what was done as JSON on standard output")
    args = options.parse_args(argv)
    if (args.to == "eval-results") != bool(args.benchmark and args.benchmark_task):
        options.error("--to eval-results goes with --benchmark and --benchmark-task")
    return args


def told(document: dict, sentence: str, args) -> int:
    log(sentence) if args.json else say(sentence)
    if args.json:
        emit(document)
    return EXIT_OK


# ---- what is claimed


def counted(claims: list[dict]) -> str:
    return f"{len(claims)} result{'s' if len(claims) != 1 else ''}"


def claims_of(path: Path, args) -> tuple[list[dict], list[str]]:
    """(results as {model, label, dataset, config, split, name, metric, value, setup, how, source, date}, warnings)."""
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("schema", "")
    except (OSError, ValueError, AttributeError) as error:
        raise Failure(f"{path}: {error}", "give eval.json or evals-extracted.json", EXIT_USAGE) from None
    if kind.startswith("skillpack/extracted-evals/"):
        return claims_of_extracted(read_artifact(path, "extracted-evals"), args)
    result = read_artifact(path, "eval")
    model = result["model"]
    if model["kind"] != "hub" and not args.repo:
        raise Failure(f"the scores are of {model['id']}, which is no repository", "name it with --repo", EXIT_USAGE)
    if model["kind"] == "hub" and args.repo not in (None, model["id"]):
        raise Failure(f"the scores are of {model['id']}, not of {args.repo}", "evaluate that model", EXIT_USAGE)
    warnings = unrecorded(result, args.only)
    if model["kind"] != "hub":
        name = Path(model["id"]).name
        warnings.append(f"the scores are of {model['kind']} {name}: be sure that {args.repo} holds it")
    claims = []
    for task in result["tasks"]:
        source = task["source"]
        on_hub_id = HUB_ID.fullmatch(source["id"] or "") and not Path(source["id"]).exists()
        how = [f"score {task['score']}" if task["score"] else "", f"prompt {quoted(task['prompt'])}",
               f"judge {task['judge']['model']}" if task["judge"] else ""]  # fmt: skip
        for name, metric in task["metrics"].items():
            setup = [task["harness"], *([f"{task['shots']}-shot"] if task.get("shots") is not None else []),
                     f"{metric['rows']} rows"]  # fmt: skip
            interval = f"95 % interval {metric['low']:.4g} to {metric['high']:.4g}" if metric["interval"] else ""
            claims.append({
                "model": model["id"], "label": f"{task['task']}/{name}", "name": task["task"],
                # never a path of this machine
                "dataset": args.dataset or (source["id"] if on_hub_id else task["task"]),
                "config": source["config"], "split": source["split"],
                "metric": METRICS.get(name.partition(" (")[0], name.partition(" (")[0]), "metric_name": name,
                "value": metric["value"], "setup": ", ".join(setup), "interval": interval, "source": None,
                "how": ", ".join(part for part in how if part), "date": result["created"][:10],
            })  # fmt: skip
    return claims, warnings


def unrecorded(result: dict, only: list[str]) -> list[str]:
    """A warning that lists what eval.json does not say of its measurement, so that nobody could repeat it."""
    model, settings = result["model"], result["settings"]
    missing = [] if model["version"] else [f"the version of the model {Path(model['id']).name}"]
    for task in result["tasks"]:
        published = not only or any(f"{task['task']}/{name}" in only for name in task["metrics"])
        if published and not re.fullmatch(r"[0-9a-f]{64}", task["items_sha256"]):
            missing.append(f"the hash of the rows of {task['task']} (items_sha256)")
            if not task["source"]["revision"]:  # the hash alone would tell which rows they were
                missing.append(f"the revision of {task['task']}'s dataset")
    missing += [f"the setting {name}" for name in ("seed", "chat_template", "decoding") if settings[name] is None]
    fix = "measure again with run_eval.py, or say in --notes what you know"
    return [f"not recorded: {', '.join(missing)}; nobody can repeat this measurement: {fix}"] if missing else []


def quoted(prompt: str, most: int = 300) -> str:
    """A prompt in one line of text, cut where it is long."""
    return json.dumps(prompt if len(prompt) <= most else f"{prompt[:most]}…", ensure_ascii=False)


def claims_of_extracted(document: dict, args) -> tuple[list[dict], list[str]]:
    ambiguous = len(document["ambiguous"])
    warnings = [f"ambiguous cells that are not published: {ambiguous}"] if ambiguous else []
    source = document["source"]
    claims = []
    for result in document["results"]:
        label = f"{result['benchmark']}/{result['metric']}"
        dataset = args.dataset or args.benchmark or result["dataset"]
        if not dataset and (not args.only or label in args.only):
            raise Failure(f"no dataset is known for {result['benchmark']!r}", "choose others with --only, or run "
                          f"extract_evals.py with --dataset '{result['benchmark']}=ORG/NAME'", EXIT_USAGE)  # fmt: skip
        claims.append({
            "model": document["model"], "label": label, "name": result["benchmark"], "dataset": dataset,
            "config": None, "split": None, "metric": result["metric"], "metric_name": result["metric"],
            "value": result["value"], "setup": result["setup"] or "", "interval": "",
            "how": f"as stated by {source['url']}" if source["url"] else "",
            "source": {"name": source["name"], "url": source["url"]} if source["url"] else None,
            "date": document["created"][:10],
        })  # fmt: skip
    return claims, warnings


def chosen(claims: list[dict], args) -> list[dict]:
    known = [claim["label"] for claim in claims]
    unknown = [label for label in args.only if label not in known]
    if unknown or not claims:
        raise Failure(f"no score {unknown[0]!r}" if unknown else f"{args.scores} holds no score",
                      f"--only takes: {', '.join(known) or 'nothing here'}", EXIT_USAGE)  # fmt: skip
    kept = [claim for claim in claims if not args.only or claim["label"] in args.only]
    if args.to == "eval-results" and len(kept) != 1:
        raise Failure(f"a benchmark's task has one score, and these are {len(kept)}: {', '.join(known)}",
                      "choose one with --only", EXIT_USAGE)  # fmt: skip
    return [{**claim, "value": claim["value"] * 100} if args.percent else claim for claim in kept]


def described(claim: dict) -> str:
    more = ", ".join(part for part in (claim["setup"], claim["interval"]) if part)
    return f"{claim['label']}: {rounded(claim['value']):g}" + (f" ({more})" if more else "")


def text_of(added: list[dict], notes: str | None) -> str:
    """What the pull request says: the user's notes, then of each result what was measured and how."""
    lines = [f"- {described(claim)}" + (f"\n  {claim['how']}" if claim["how"] else "") for claim in added]
    return "\n".join([*([notes, ""] if notes else []), *lines])


def rounded(value: float) -> float:
    """Six significant digits: more would be noise, and two runs would never be the same result."""
    return float(f"{value:.6g}")


# ---- model-index


def model_index_change(api, repo: str, revision: str, claims: list[dict], args) -> tuple[str, str, str, list[dict]]:
    """(path, text before, text after, claims that are new). Raises Failure where the card cannot be edited safely."""
    before = read_file(api, repo, "README.md", revision) or ""
    after, new = edited_card(before, repo, claims, args.overwrite)
    return "README.md", before, after, new


def edited_card(text: str, repo: str, claims: list[dict], overwrite: bool) -> tuple[str, list[dict]]:
    """(the card with the claims, which of them are new or have another value); every other byte is as it was."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix(mark)
    newline = "\r\n" if "\r\n" in body else "\n"
    start, header = header_of(body)
    results, values = existing_results(header, repo)
    new = []
    edits: list = []  # (start, end, text) in the header
    for claim in claims:
        found = values.get(identity(claim))
        if found is None:
            new.append(claim)
        elif found["value"] != rounded(claim["value"]):
            if not overwrite:
                raise Failure(f"{repo} has {claim['label']} = {found['value']}, and this is {rounded(claim['value'])}",
                              "--overwrite replaces it; or leave it out with --only", EXIT_USAGE)  # fmt: skip
            edits.append((found["start"], found["end"], repr(rounded(claim["value"]))))
            new.append({**claim, "replaces": True})
    added = [claim for claim in new if not claim.get("replaces")]
    if added:
        edits.append(insertion(header, results, repo, added, newline))
    changed = header
    for begin, end, inserted in sorted(edits, reverse=True):
        changed = changed[:begin] + inserted + changed[end:]
    require_only_added(header, changed, new)
    if not new:
        return text, []
    if start is None:
        rest = newline + body if body else f"{newline}# {repo.partition('/')[2]}{newline}"
        return f"{mark}---{newline}{changed}---{newline}{rest}", new
    return mark + body[:start] + changed + body[start + len(header) :], new


def header_of(body: str) -> tuple[int | None, str]:
    """(where the YAML header begins, its text with the last line's end), or (None, "")."""
    match = re.match(r"\s*---[ \t]*\r?\n((?:(?!---[ \t]*\r?$).*\n)*?)---[ \t]*(?:\r?\n|$)", body)
    return (match.start(1), match[1]) if match else (None, "")


def existing_results(header: str, repo: str) -> tuple[object, dict]:
    """(the YAML node of the model's results or None, {identity: value and its place}). Raises Failure."""
    import yaml

    try:
        node = yaml.compose(header, Loader=yaml.SafeLoader)
        data = yaml.safe_load(header) or {}
        index = entry_of(node, "model-index")
        if index is None:
            return None, {}
        names = [entry["name"] for entry in data["model-index"]]
        chosen_entry = 0 if len(names) == 1 else names.index(repo.partition("/")[2])
        results = entry_of(index.value[chosen_entry], "results")
        values: dict = {}
        for result, at in zip(data["model-index"][chosen_entry]["results"], results.value, strict=True):
            for metric, place in zip(result["metrics"], entry_of(at, "metrics").value, strict=True):
                value = entry_of(place, "value")
                values[identity_in_card(result, metric)] = {
                    "value": metric["value"], "start": value.start_mark.index, "end": value.end_mark.index,
                }  # fmt: skip
    except (yaml.YAMLError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        problem = (
            f"the header of {repo}'s README.md has a model-index that cannot be read ({type(error).__name__}: {error})"
        )
        raise Failure(problem, "mend it by hand first; nothing was changed", EXIT_USAGE) from None
    return results, values


def entry_of(node, key: str):
    """The value's node of `key` in a YAML mapping, or None."""
    return next((value for name, value in node.value if name.value == key), None) if node is not None else None


def identity(claim: dict) -> tuple:
    """What makes two results the same measurement: all but the value."""
    return (claim["dataset"], claim["config"], claim["split"], claim["metric"], metric_title(claim))


def identity_in_card(result: dict, metric: dict) -> tuple:
    dataset = result["dataset"]
    return (dataset["type"], dataset.get("config"), dataset.get("split"), metric["type"], metric.get("name"))


def metric_title(claim: dict) -> str:
    return claim["metric_name"] + (f" ({claim['setup']})" if claim["setup"] else "")


def insertion(header: str, results, repo: str, claims: list[dict], newline: str) -> tuple[int, int, str]:
    """(where, where, text) that adds the claims to the header: behind the last result, or as a new model-index."""
    import yaml

    entries = []
    for claim in claims:
        dataset = {"name": claim["name"], "type": claim["dataset"], "config": claim["config"], "split": claim["split"]}
        entries.append({
            "task": {"type": "text-generation"},
            "dataset": {key: value for key, value in dataset.items() if value},
            "metrics": [{"type": claim["metric"], "name": metric_title(claim), "value": rounded(claim["value"])}],
            **({"source": claim["source"]} if claim["source"] else {}),
        })  # fmt: skip

    def dumped(document: object, indent: int) -> str:
        lines = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000).splitlines()
        return "".join(f"{' ' * indent}{line}{newline}" for line in lines)

    if results is None:
        text = dumped({"model-index": [{"name": repo.partition("/")[2], "results": entries}]}, 0)
        return len(header), len(header), text
    if results.flow_style or not results.value:
        raise Failure("the model-index of the card is written in one line ([…])", "write it as a list of lines first; "
                      f"what would be added:\n{dumped(entries, 0)}", EXIT_USAGE)  # fmt: skip
    last = results.value[-1]
    while last.value and not isinstance(last.value, str) and not last.flow_style:
        last = last.value[-1][1] if isinstance(last.value[-1], tuple) else last.value[-1]
    end = last.end_mark.index
    if end and header[end - 1] != "\n":
        end = header.index("\n", end) + 1
    return end, end, dumped(entries, results.start_mark.column)


def require_only_added(before: str, after: str, new: list[dict]) -> None:
    """Proof that the edit is what it should be: read as YAML, the card is the old one and the new results."""
    import yaml

    old, edited = yaml.safe_load(before) or {}, yaml.safe_load(after) or {}
    count = [sum(len(result["metrics"]) for entry in data.pop("model-index", None) or [] for result in entry["results"])
             for data in (old, edited)]  # fmt: skip
    if old != edited or count[1] - count[0] != sum(not claim.get("replaces") for claim in new):
        raise Failure("the card's header cannot be edited safely", "add the results by hand; nothing was changed")


def validate(card: str) -> None:
    """Raises Failure when the client or the Hub's own check refuses the card."""
    from huggingface_hub import ModelCard

    with on_hub("checking the card"):
        try:
            ModelCard(card).validate()
        except ValueError as error:
            raise Failure(f"the Hub refuses the card: {error}", "mend its header first; nothing was changed") from None


# ---- .eval_results


def require_benchmark(api, args) -> None:
    """Raises Failure unless --benchmark is registered and has the task."""
    import yaml

    with on_hub(f"looking up the dataset {args.benchmark}"):
        head = api.dataset_info(args.benchmark).sha
    text = read_file(api, args.benchmark, "eval.yaml", head, "dataset")
    if text is None:
        problem = f"{args.benchmark} has no eval.yaml, so it is no registered benchmark"
        raise Failure(problem, "publish --to model-index", EXIT_USAGE)
    try:
        tasks = [task["id"] for task in yaml.safe_load(text)["tasks"]]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise Failure(f"eval.yaml of {args.benchmark} cannot be read: {error}", "tell its owner", EXIT_USAGE) from None
    if args.benchmark_task not in tasks:
        raise Failure(f"{args.benchmark} has no task {args.benchmark_task!r}", f"one of: {', '.join(map(str, tasks))}",
                      EXIT_USAGE)  # fmt: skip


def eval_results_change(api, repo: str, revision: str, claims: list[dict], args) -> tuple[str, str, str, list[dict]]:
    """(path, text before, text after, claims that are new), for one claim."""
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    (claim,) = claims
    ours = (args.benchmark, args.benchmark_task)
    notes = args.notes or ", ".join(part for part in (claim["metric_name"], claim["setup"], claim["interval"]) if part)
    source = claim["source"] or {}
    entry = EvalResultEntry(
        dataset_id=args.benchmark, task_id=args.benchmark_task, value=rounded(claim["value"]), date=claim["date"],
        notes=notes, source_url=source.get("url"), source_name=source.get("name"),
    )  # fmt: skip
    text = yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True, width=1000)
    with on_hub(f"listing {repo}"):
        files = [name for name in api.list_repo_files(repo, revision=revision) if name.startswith(f"{FOLDER}/")]
    own = f"{FOLDER}/{re.sub(r'[^a-z0-9]+', '-', args.benchmark_task.lower()).strip('-')}.yaml"
    for path in sorted(files):
        before = read_file(api, repo, path, revision) or ""
        try:
            entries, node = yaml.safe_load(before) or [], yaml.compose(before, Loader=yaml.SafeLoader)
            pairs = zip(entries, node.value if node else [], strict=True)
            same = [(known, at) for known, at in pairs
                    if (known["dataset"]["id"], known["dataset"]["task_id"]) == ours]  # fmt: skip
        except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise Failure(f"{path} of {repo} cannot be read: {error}", "mend it first", EXIT_USAGE) from None
        for known, at in same:
            if known["value"] == entry.value:
                return path, before, before, []
            if not args.overwrite:
                raise Failure(f"{path} of {repo} has {known['value']}, and this is {entry.value}",
                              "--overwrite replaces that entry", EXIT_USAGE)  # fmt: skip
            if len(entries) > 1 or at.start_mark.column != 2:
                raise Failure(f"{path} of {repo} holds more than this entry", "replace its value by hand", EXIT_USAGE)
            return path, before, text, [{**claim, "replaces": True}]
    if own in files:
        raise Failure(f"{own} of {repo} is of another benchmark", "rename that file first", EXIT_USAGE)
    return own, "", text, [claim]


# ---- the Hub


def unknown_datasets(api, claims: list[dict]) -> list[str]:
    """A warning for each dataset of the results that the Hub does not show to this token."""
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    warnings = []
    for name in dict.fromkeys(claim["dataset"] for claim in claims):
        problem = "" if HUB_ID.fullmatch(name) else f"{name!r} is no ORG/NAME of the Hub"
        try:
            if not problem:
                with on_hub(f"looking up the dataset {name}", passing=(RepositoryNotFoundError, HFValidationError)):
                    api.dataset_info(name)
        except GatedRepoError:  # a kind of RepositoryNotFoundError, and yet it is there
            pass
        except (RepositoryNotFoundError, HFValidationError):
            problem = f"the Hub shows this token no dataset {name!r}"
        if problem:
            warnings.append(f"{problem}: the card will name it all the same, as `type`; --dataset names another")
    return warnings


def verified(api, repo: str, path: str, before: str, after: str, head: str, published: dict) -> str:
    """What the commit did to `head`, in words. `commit_file` has proved that it holds `after`, byte by byte.

    Raises Failure where another file differs.
    """
    from huggingface_hub.hf_api import RepoFile

    def files(revision: str) -> set[tuple[str, str]]:
        tree = api.list_repo_tree(repo, recursive=True, revision=revision)
        return {(entry.path, entry.blob_id) for entry in tree if isinstance(entry, RepoFile)}

    with on_hub(f"listing {repo}"):
        touched = {name for name, _ in files(head) ^ files(published["commit"].rpartition("/")[2])}
    if touched != {path}:
        where = published["pull_request"] or published["commit"]
        raise Failure(f"{where} touches {', '.join(sorted(touched))}, and was to touch {path} alone",
                      "look at it before it is merged")  # fmt: skip
    old, new = before.encode(), after.encode()
    start = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old))
    added = len(new) - len(old)
    if added > 0 and new[:start] + new[start + added :] == old:
        return f"{added} bytes inserted into {path}, nothing else changed"
    return f"{path} is as the diff shows it, nothing else changed"


def open_proposal(api, repo: str, claims: list[dict], change, args) -> str | None:
    """The address of an open pull request of this script's that holds all of the claims already."""
    for number in open_proposals(api, repo, TITLE):
        try:
            *_, new = change(api, repo, f"refs/pr/{number}", claims, args)
        except Failure as failure:
            if failure.code != EXIT_USAGE:
                raise
            continue  # it proposes another value, or cannot be read: it is not this proposal
        if not new:
            return proposal_url(api, repo, number)
    return None


def title_of(added: list[dict]) -> str:
    return f"{TITLE}: {', '.join(sorted({claim['name'] for claim in added}))}"[:100]


if __name__ == "__main__":
    sys.exit(run(main))
