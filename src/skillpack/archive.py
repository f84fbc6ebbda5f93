"""Tree -> the bytes of an archive: the same files give the same bytes on every machine.

Members are stored, not deflated: what a deflater writes differs between versions of zlib, and a digest that is
published must be met by whoever builds the archive again.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

from skillpack.errors import UsageFailure
from skillpack.source import Tree, is_executable, is_link, read_bytes

#: What the clients that unpack archives take at most (`npx skills` 1.5: 50 MiB, 1,000 files).
MAX_BYTES, MAX_MEMBERS = 50 << 20, 1000
#: The earliest time that a zip can hold.
EPOCH = (1980, 1, 1, 0, 0, 0)


class Member(NamedTuple):
    """A file of a skill: its name with slashes, whether it is executable, its bytes."""

    name: str
    executable: bool
    data: bytes


def members(tree: Tree) -> list[Member]:
    """The files of a skill, sorted by name. Raises UsageFailure for links, and for more than clients unpack."""
    found, size = [], 0
    for name in sorted(tree.names):
        if is_link(tree, name):
            raise UsageFailure(f"{tree.path(name)} is a link, which clients drop: put a copy of its target there")
        data = read_bytes(tree, name, MAX_BYTES)
        size += len(data)
        found.append(Member(name, is_executable(tree, name), data))
    if size > MAX_BYTES or len(found) > MAX_MEMBERS:
        limit = f"{MAX_BYTES >> 20} MiB and {MAX_MEMBERS:,} files"
        raise UsageFailure(f"{tree.root}: {size / 2**20:.0f} MiB in {len(found):,} files; clients unpack {limit}")
    return found


def zip_bytes(files: Sequence[Member], folder: str = "") -> bytes:
    """The zip of `files`, below `folder` if one is named: fixed order, time and modes, nothing compressed."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for member in sorted(files):
            info = zipfile.ZipInfo(f"{folder}/{member.name}" if folder else member.name, EPOCH)
            info.create_system = 3  # Unix, also when it is made on Windows: the modes are Unix's
            info.external_attr = (0o100755 if member.executable else 0o100644) << 16
            archive.writestr(info, member.data)
    return buffer.getvalue()


def unzipped(data: bytes) -> list[Member]:
    """The files of an archive of a skill, without the folder that they lie in. Raises UsageFailure for any other zip.

    Nothing is written to a path of the archive's choosing, and no more than MAX_BYTES is unpacked.
    """
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > MAX_MEMBERS or sum(info.file_size for info in infos) > MAX_BYTES:
                raise UsageFailure(f"the archive unpacks to more than {MAX_BYTES >> 20} MiB or {MAX_MEMBERS:,} files")
            found = [Member(i.filename, bool(i.external_attr >> 16 & 0o100), archive.read(i)) for i in infos]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UsageFailure(f"not the archive of a skill: {error}") from None
    tops = {member.name.partition("/")[0] for member in found}
    if "SKILL.md" not in tops and len(tops) == 1:
        found = [member._replace(name=member.name.partition("/")[2]) for member in found]
    for member in found:
        if not member.name or member.name.startswith("/") or "\\" in member.name or ".." in member.name.split("/"):
            raise UsageFailure(f"the archive holds the path {member.name!r}, which leaves its folder")
    return sorted(found)


def sha256(data: bytes) -> str:
    """The digest as hexadecimal text."""
    import hashlib

    return hashlib.sha256(data).hexdigest()
