"""Failures as the clients expect them: a status, a message, and the code that picks the exception class."""

from __future__ import annotations

import errno
import sqlite3


class HubError(Exception):
    """A refusal that is sent to the client; `error_code` becomes X-Error-Code."""

    def __init__(
        self,
        status: int,
        message: str,
        error_code: str | None = None,
        headers: dict[str, str] | None = None,
        **extra: object,
    ):
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_code = error_code
        self.headers = headers or {}
        self.extra = extra  # further keys of the JSON body


def bad_request(message: str) -> HubError:
    return HubError(400, message)


def unauthorized(message: str = "Invalid username or password.") -> HubError:
    return HubError(401, message)


def forbidden(message: str) -> HubError:
    return HubError(403, message)


def repo_not_found() -> HubError:
    return HubError(404, "Repository not found", "RepoNotFound")


def revision_not_found(revision: str) -> HubError:
    return HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def entry_not_found(path: str) -> HubError:
    return HubError(404, f"Entry not found: {path}", "EntryNotFound")


def not_found(message: str) -> HubError:
    return HubError(404, message)


def is_disk_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, sqlite3.OperationalError) and "disk is full" in str(error)
