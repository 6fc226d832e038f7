"""Decode and encode the chunks of a dataset: deflate, shuffle and Fletcher-32, with exact lengths.

The HDF5 library returns stale memory when a chunk inflates to fewer bytes than expected; here that is an error.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from weightkit.errors import DamagedFileError

_CHECKSUM = struct.Struct("<I")
_WORDS = 1 << 16  # 16-bit words summed at a time: their weighted sum fits in 64 bits
_HINT = "use another copy of the file"


@dataclass(frozen=True, slots=True)
class Filter:
    """One step of a pipeline, in the order in which it was applied on writing."""

    name: str
    """``deflate``, ``shuffle`` or ``fletcher32``."""
    option: int = 0
    """Level of deflate, bytes of an element for shuffle."""


def decoded(content: bytes, filters: tuple[Filter, ...], mask: int, length: int) -> bytes:
    """The values of one chunk, ``length`` bytes.

    Args:
        content: What the file stores.
        filters: The dataset's pipeline.
        mask: Bit *i* is set if filter *i* was skipped for this chunk.
        length: Bytes that the chunk must decode to.

    Raises:
        DamagedFileError: It does not inflate, its checksum is wrong, or it has another length.
    """
    # A checksum that was added before deflate is in what inflates.
    most = length + _CHECKSUM.size * sum(step.name == "fletcher32" for step in filters)
    for number in reversed(range(len(filters))):
        if not mask >> number & 1:
            content = _undo(filters[number], content, most)
    if len(content) != length:
        raise DamagedFileError(f"a chunk must decode to {length} bytes, got {len(content)}", hint=_HINT)
    return content


def encoded(values: bytes, filters: tuple[Filter, ...]) -> bytes:
    """The stored bytes of one chunk, with every filter applied."""
    for step in filters:
        values = _apply(step, values)
    return values


def fletcher32(content: bytes) -> int:
    """Fletcher's checksum over 16-bit words, most significant byte first, as HDF5 computes it.

    Fletcher 1982, IEEE Transactions on Communications 30; a last odd byte counts as the upper half of a word.
    """
    words = np.frombuffer(content + b"\0" * (len(content) % 2), dtype=">u2").astype(np.uint64)
    first = second = 0
    for start in range(0, len(words), _WORDS):
        block = words[start : start + _WORDS]
        weights = np.arange(len(block), 0, -1, dtype=np.uint64)
        second = _folded(second + first * len(block) + int((block * weights).sum()))
        first = _folded(first + int(block.sum()))
    return second << 16 | first


def _folded(total: int) -> int:
    """The sum modulo 65,535, in the library's representation: 65,535 itself, where a sum is not zero."""
    while total > 0xFFFF:  # noqa: PLR2004  # 16 bits
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _undo(step: Filter, content: bytes, most: int) -> bytes:
    match step.name:
        case "deflate":
            return _inflated(content, most)
        case "fletcher32":
            return _checked(content)
        case _:
            return _unshuffled(content, step.option)


def _apply(step: Filter, values: bytes) -> bytes:
    match step.name:
        case "deflate":
            return zlib.compress(values, step.option)
        case "fletcher32":
            return values + _CHECKSUM.pack(fletcher32(values))
        case _:
            return _shuffled(values, step.option)


def _inflated(content: bytes, most: int) -> bytes:
    """Inflate to at most ``most`` + 1 bytes, so that a decompression bomb takes no memory."""
    try:
        inflater = zlib.decompressobj()
        values = inflater.decompress(content, most + 1)
    except zlib.error as error:
        raise DamagedFileError(f"a chunk does not inflate: {error}", hint=_HINT) from error
    if len(values) > most:
        raise DamagedFileError(f"a chunk inflates to more than {most} bytes", hint=_HINT)
    if not inflater.eof:
        raise DamagedFileError("a chunk's compressed data ends early", hint=_HINT)
    return values


def _checked(content: bytes) -> bytes:
    values, stored = content[: -_CHECKSUM.size], content[-_CHECKSUM.size :]
    if len(stored) != _CHECKSUM.size or _CHECKSUM.pack(fletcher32(values)) != stored:
        raise DamagedFileError("a chunk's checksum is wrong", hint=_HINT)
    return values


def _shuffled(values: bytes, size: int) -> bytes:
    """All first bytes of the elements, then all second bytes, and so on; a remainder at the end stays there."""
    whole = len(values) - len(values) % size
    table = np.frombuffer(values[:whole], np.uint8).reshape(-1, size)
    return table.T.tobytes() + values[whole:]


def _unshuffled(values: bytes, size: int) -> bytes:
    whole = len(values) - len(values) % size
    table = np.frombuffer(values[:whole], np.uint8).reshape(size, -1)
    return table.T.tobytes() + values[whole:]
