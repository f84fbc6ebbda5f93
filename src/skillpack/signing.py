"""Signatures of skills by the OpenSSF Model Signing format, with a key of one's own and no network.

What is signed is the list of the skill's files with their hashes, not the archive: the same signature answers for
the archive and for the folder that a client made of it. The library (extra `sign`) writes a Sigstore bundle.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skillpack.archive import Member
from skillpack.errors import Failure, UsageFailure

#: What the signature of `NAME.skill` is called, beside it.
SUFFIX = ".oms.sig"


def sign(files: Sequence[Member], key: Path, signature: Path) -> None:
    """Writes the signature of `files` by the private elliptic-curve `key` (PEM, not encrypted)."""
    signing = _library().signing
    with _staged(files) as folder:
        try:
            signing.Config().use_elliptic_key_signer(private_key=key).sign(folder, signature)
        except (ValueError, TypeError, OSError) as error:
            raise UsageFailure(f"{key} cannot sign: {_line(error)}; it takes an unencrypted EC key in PEM") from None


def verify(files: Sequence[Member], key: Path, signature: Path) -> str:
    """ "" when `signature` is of exactly these files and by the owner of the public `key`; else what differs."""
    verifying = _library().verifying
    from cryptography.exceptions import InvalidSignature

    with _staged(files) as folder:
        try:
            verifying.Config().use_elliptic_key_verifier(public_key=key).verify(folder, signature)
        except InvalidSignature:
            return "the signature is not by this key"
        except (ValueError, TypeError, KeyError, OSError) as error:
            return _line(error)
    return ""


@contextmanager
def _staged(files: Sequence[Member]) -> Iterator[Path]:
    """The files in a folder of their own: what else lies in the original, caches for one, is not judged."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "skill")
        for member in files:
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member.data)
        yield folder


def _library() -> Any:
    try:
        import model_signing
    except ImportError as error:
        raise Failure(f"signing needs the extra: pip install 'skillpack[sign]' ({error})") from None
    return model_signing


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n")[0][:300]
