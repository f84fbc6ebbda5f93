"""Xet's two binary formats, as published at huggingface.co/docs/xet: xorbs (chunks) and shards (recipes).

A file in Xet storage is a list of terms, each a range of chunks in a xorb. A xorb is a sequence of chunks,
each with an 8-byte header: version, compressed size (3 bytes), compression, uncompressed size (3 bytes).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .errors import bad_request

MAX_XORB_BYTES = 96 << 20
MAX_SHARD_BYTES = 128 << 20
EMPTY_FILE = "0" * 64
EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

_SHARD_MAGIC = bytes.fromhex("48465265706f4d6574614461746100556967456a7b815783a5bdd95ccdd14aa9")
_WITH_VERIFICATION = 1 << 31
_WITH_METADATA = 1 << 30
_RECORD = 48  # every record of a shard's sections


@dataclass(frozen=True)
class Term:
    """Chunks [start, stop) of a xorb: `length` bytes of a file."""

    xorb: str
    start: int
    stop: int
    length: int


@dataclass(frozen=True)
class FileRecipe:
    xet_hash: str
    sha256: str | None  # as the client says; proved before it is served
    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        return sum(term.length for term in self.terms)


def hash_text(raw: bytes) -> str:
    """A hash as paths and JSON have it: four little-endian 64-bit numbers in hexadecimal."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", raw))


def parse_shard(data: bytes) -> list[FileRecipe]:
    """The files that a shard describes; 400 for what is not a shard."""
    if data[:32] != _SHARD_MAGIC:
        raise bad_request("Not a shard")
    at = _RECORD
    recipes: list[FileRecipe] = []
    while True:
        if at + _RECORD > len(data):
            raise bad_request("The shard ends inside its file section")
        raw_hash, flags, count = data[at : at + 32], *struct.unpack_from("<II", data, at + 32)
        at += _RECORD
        if raw_hash == b"\xff" * 32:
            return recipes
        extra = (count if flags & _WITH_VERIFICATION else 0) + (1 if flags & _WITH_METADATA else 0)
        if at + _RECORD * (count + extra) > len(data):
            raise bad_request("The shard ends inside a file")
        terms = []
        for position in range(count):
            offset = at + position * _RECORD
            length, start, stop = struct.unpack_from("<III", data, offset + 36)
            if stop <= start:
                raise bad_request("The shard has an empty term")
            terms.append(Term(hash_text(data[offset : offset + 32]), start, stop, length))
        at += _RECORD * (count + extra)
        sha256 = hash_text(data[at - _RECORD : at - _RECORD + 32]) if flags & _WITH_METADATA else None
        recipes.append(FileRecipe(hash_text(raw_hash), sha256, tuple(terms)))


class XorbIndex:
    """Where each chunk of a xorb lies: `ends[i]` on disk and `lengths[i]` once decompressed."""

    def __init__(self, starts: array[int], lengths: array[int]):
        self.starts = starts  # one more than there are chunks
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def scan(cls, file: BinaryIO, size: int) -> XorbIndex:
        """Walk the chunk headers of a xorb file; 400 when they do not add up."""
        starts, lengths = array("I", [0]), array("I")
        at = 0
        while at < size:
            file.seek(at)
            header = file.read(8)
            if header[:7] == b"XETBLOB":
                break  # the optional footer
            if len(header) < 8 or header[0] != 0:
                raise bad_request("Not a xorb: a chunk header is damaged")
            at += 8 + int.from_bytes(header[1:4], "little")
            starts.append(at)
            lengths.append(int.from_bytes(header[5:8], "little"))
        if at > size or not lengths:
            raise bad_request("Not a xorb: the last chunk is cut off")
        return cls(starts, lengths)

    def to_bytes(self) -> bytes:
        return self.starts.tobytes() + self.lengths.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> XorbIndex:
        numbers = array("I")
        numbers.frombytes(data)
        middle = len(numbers) // 2 + 1
        return cls(numbers[:middle], numbers[middle:])


def _regroup(data: bytes) -> bytes:
    """Undo BG4: the bytes of each 4-byte word were stored in four runs."""
    out = bytearray(len(data))
    at = 0
    for lane in range(4):
        count = (len(data) - lane + 3) // 4
        out[lane::4] = data[at : at + count]
        at += count
    return bytes(out)


def decompress(scheme: int, data: bytes, length: int) -> bytes:
    if scheme == 0:
        return data
    import pyarrow

    plain: bytes = pyarrow.decompress(data, decompressed_size=length, codec="lz4", asbytes=True)
    if scheme == 1:
        return plain
    if scheme == 2:
        return _regroup(plain)
    raise ValueError(f"unknown compression scheme {scheme}")


def read_chunks(file: BinaryIO, index: XorbIndex, start: int, stop: int) -> Iterator[bytes]:
    """Chunks [start, stop) of a xorb, decompressed."""
    file.seek(index.starts[start])
    for chunk in range(start, stop):
        packed = file.read(index.starts[chunk + 1] - index.starts[chunk])
        yield decompress(packed[4], packed[8:], index.lengths[chunk])
