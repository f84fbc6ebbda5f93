# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "huggingface_hub>=2.4,<3",
#   "jsonschema>=4.21,<5",
#   "trackio>=0.43,<0.44",
# ]
# ///
"""A training loop that logs to trackio, to run once and then to copy: the function `train` is the pattern.

It fits a line, on no data but its own, and shows what a loop of one's own needs: numbers not tensors, explicit steps,
one name for one run, a checkpoint that a second call continues from, an alert on a loss that is not a number.
Metrics stay on this machine. With --space they also go live to a Space, private unless --public.

examples:
  python scripts/track.py --project demo --run base --lr 0.1
  python scripts/track.py --project demo --run live --space me/demo-metrics --yes
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

import math
import random
import time


def train(project: str, name: str, lr: float, steps: int, pause: float, checkpoint: Path, space: dict) -> dict:
    """Fits y = 3x + 1 by stochastic gradient descent; returns {steps, loss, stopped}."""
    import trackio

    state = (
        json.loads(checkpoint.read_text()) if checkpoint.is_file() else {"step": 0, "w": 0.0, "b": 0.0, "loss": None}
    )
    start, stopped = state["step"], None
    # resume="allow": the same name continues the same run. The default, "never", begins a second run of that name.
    # config: what the runs differ in. It is published with the metrics, so no paths, no secrets; and no empty dict,
    # which a static Space cannot store.
    trackio.init(project=project, name=name, config={"lr": lr, "steps": steps}, resume="allow", embed=False, **space)
    try:
        for step in range(start, steps):
            x = random.Random(step).uniform(-1, 1)
            error = state["w"] * x + state["b"] - (3 * x + 1)
            loss = error * error
            # float(): a tensor is dropped with a warning. step=: without it trackio counts calls, and a loop that
            # logs twice a step, or continues, draws another axis.
            trackio.log({"train/loss": float(loss), "train/lr": lr}, step=step)
            if not math.isfinite(loss):
                trackio.alert("loss is not a number", f"at step {step}", level=trackio.AlertLevel.ERROR)
                stopped = "not finite"
                break
            state |= {
                "step": step + 1,
                "w": state["w"] - 2 * lr * error * x,
                "b": state["b"] - 2 * lr * error,
                "loss": loss,
            }
            if step % 10 == 9 or step == steps - 1:
                write_atomic(checkpoint, json.dumps(state))
            time.sleep(pause)
    finally:
        trackio.finish()  # rows are written every half second by a thread: this waits for the last ones
    return {"first_step": start, "steps": state["step"], "loss": state["loss"], "stopped": stopped}


def live(args: argparse.Namespace) -> dict:
    """The arguments of `init` for a live Space, after proof that it will be as private as was asked."""
    from huggingface_hub.errors import RepositoryNotFoundError

    api, who = sign_in()
    space = full_id(who, args.space)
    private = not args.public
    with on_hub(f"reading the Space {space}"):
        try:
            info = api.space_info(space)
        except RepositoryNotFoundError:
            info = None
    if info is not None and info.sdk == "static":
        raise Failure(f"{space} is static: it takes no new rows", "name another Space", EXIT_USAGE)
    if info is not None and "trackio" not in (info.tags or []):
        raise Failure(f"{space} is not a Space of trackio, which would change its settings", "name another", EXIT_USAGE)
    if info is not None and bool(info.private) != private:
        now, wanted = ("private", "public") if info.private else ("public", "private")
        raise Failure(
            f"{space} is {now}, and {wanted} was asked for: trackio ignores the wish for a Space that exists",
            f"`hf repos settings {space} --repo-type space --{wanted}`, or name another", EXIT_USAGE,
        )  # fmt: skip
    namespace = space.partition("/")[0]
    alone = f"only you ({namespace})" if namespace == who["name"] else f"only members of {namespace}"
    seen = "anyone can read its metrics and config" if args.public else f"{alone} can read it"
    card = f"{'logs to' if info else 'makes'} the Space {space} and the bucket {space}-bucket: {seen}.\n"
    card += "trackio stores this token in the Space as its secret HF_TOKEN: use one that may write there and no more."
    log(card)
    if not args.yes:
        raise Failure("nothing was logged or made", "the same with --yes", EXIT_UNCONFIRMED)
    return {"space_id": space, "private": private}


def arguments(argv: list[str]) -> argparse.Namespace:
    top = parser(__doc__ or "")
    top.add_argument("--project", required=True, metavar="NAME", help="letters, digits, - and _")
    top.add_argument("--run", required=True, metavar="NAME")
    top.add_argument("--lr", type=float, default=0.1, help="2 diverges, so that alerts can be tried (default: 0.1)")
    top.add_argument("--steps", type=int, default=100)
    top.add_argument("--pause", type=float, default=0.0, metavar="SECONDS", help="between steps, to have time to watch")
    top.add_argument("--checkpoint", type=Path, metavar="FILE", help="default: PROJECT-RUN.json")
    top.add_argument("--space", metavar="OWNER/NAME", help="log to this Space as well, live")
    top.add_argument("--public", action="store_true", help="a Space that anyone may read (default: private)")
    top.add_argument("--yes", action="store_true", help="make the Space and log to it")
    top.add_argument("--json", action="store_true", help="one JSON document on standard output")
    args = top.parse_args(argv)
    if not re.fullmatch(r"[A-Za-z0-9_-]+", args.project):
        top.error(
            "--project: letters, digits, - and _; trackio drops all others from the file's name, so names collide"
        )
    if args.public and not args.space:
        top.error("--public goes with --space: metrics on this machine are seen by nobody else")
    args.checkpoint = args.checkpoint or Path(f"{args.project}-{re.sub(r'[^A-Za-z0-9_-]', '-', args.run)}.json")
    return args


def main(argv: list[str]) -> int:
    args = arguments(argv)
    space = live(args) if args.space else {}
    done = train(args.project, args.run, args.lr, args.steps, args.pause, args.checkpoint, space)
    if done["first_step"] >= args.steps:
        log(f"already at step {args.steps}: nothing was logged; --steps for more, or another --run")
    if args.json:
        emit({"project": args.project, "run": args.run, **done})
    else:
        say(f"{args.project}/{args.run}: step {done['steps']}, loss {done['loss']}")
    return EXIT_NO if done["stopped"] else EXIT_OK


if __name__ == "__main__":
    raise SystemExit(run(main))
