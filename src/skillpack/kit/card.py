"""The region of the scripts that edit a file of a repository: read it whole, show what changes, propose, verify."""

from __future__ import annotations

from skillpack.kit.hub import on_hub
from skillpack.kit.script import EXIT_USAGE, Failure

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
