"""The mark of an HDF5 file that a program has open for writing, and how a copy loses it.

The library sets it in the first bytes of files of its newer format (``libver="latest"``, and SWMR), and removes it when
the file is closed; h5py, and so Keras, opens no file that has it.

HDF5 File Format Specification 3.0, II.A (superblock, versions 2 and 3).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.files.copying import write_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.hdf5.container import Body

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_VERSIONS = (2, 3)  # older ones have no mark that any library sets
_MARKS = 0b101  # bit 0: open for writing; bit 2: open for writing while others read (SWMR)
_FLAGS, _ADDRESSES = 11, 12  # offsets in bytes of the flags and of the first address
_USER_BLOCK = 512  # bytes of the shortest block before an HDF5 file; a longer one has a power of two times that
_WIDTHS = {2: "H", 4: "I", 8: "Q"}  # bytes of an address
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Superblock:
    """The first bytes of an HDF5 file."""

    place: int
    """Offset in bytes from the start of the part that the file takes: the length of its user block."""
    content: bytes

    @property
    def is_marked(self) -> bool:
        """Whether its writer has not closed the file."""
        return bool(self.content[_FLAGS] & _MARKS)

    def cleared(self, length: int) -> Superblock:
        """The same without the mark, for a part of ``length`` bytes.

        A writer that was killed had not stored yet where the file ends: the library reads nothing behind that.
        """
        head = bytearray(self.content[:-4])
        head[_FLAGS] &= ~_MARKS
        addresses = struct.Struct(f"<4{_WIDTHS[head[9]]}")
        base, more, end, root = addresses.unpack_from(head, _ADDRESSES)
        if base == self.place and length >> 8 * head[9] == 0:  # else no address of this width can say it
            addresses.pack_into(head, _ADDRESSES, base, more, max(end, length), root)
        return Superblock(self.place, bytes(head) + lookup3(bytes(head)).to_bytes(4, "little"))


def superblock_of(descriptor: int, start: int, length: int) -> Superblock | None:
    """The superblock of the HDF5 file at ``length`` bytes from ``start`` of an open file, if it may have the mark."""
    for place in _places(length):
        head = os.pread(descriptor, _ADDRESSES, start + place)
        if head[: len(SIGNATURE)] == SIGNATURE:
            if len(head) < _ADDRESSES or head[8] not in _VERSIONS or head[9] not in _WIDTHS:
                return None
            content = os.pread(descriptor, _ADDRESSES + 4 * head[9] + 4, start + place)
            return Superblock(place, content) if len(content) == _ADDRESSES + 4 * head[9] + 4 else None
    return None


def is_marked(body: Body) -> bool:
    """Whether the writer of an HDF5 file has not closed it: it was killed, or is still at work."""
    found = superblock_of(body.fd, body.start, body.length)
    return found is not None and found.is_marked


def clear_mark(descriptor: int, start: int, length: int) -> None:
    """Remove the mark from a copy, so that h5py opens it; does nothing where there is none."""
    found = superblock_of(descriptor, start, length)
    if found is not None and found.is_marked:
        write_all(descriptor, memoryview(found.cleared(length).content), start + found.place)


def _places(length: int) -> Iterator[int]:
    """Where an HDF5 file may start, in the order in which the library looks."""
    yield 0
    place = _USER_BLOCK
    while place < length:
        yield place
        place *= 2


def lookup3(content: bytes) -> int:
    """The checksum of HDF5's tables: Jenkins' lookup3 with the initial value 0, of one byte or more."""
    a = b = c = (0xDEADBEEF + len(content)) & _WORD
    whole = (len(content) - 1) // 12 * 12
    for x, y, z in struct.iter_unpack("<III", content[:whole]):
        a, b, c = _mixed(a + x & _WORD, b + y & _WORD, c + z & _WORD)
    x, y, z = struct.unpack("<III", content[whole:].ljust(12, b"\0"))
    a, b, c = a + x & _WORD, b + y & _WORD, c + z & _WORD
    for first, second, third in ((14, 11, 25), (16, 4, 14)):
        c = (c ^ b) - _turned(b, first) & _WORD
        a = (a ^ c) - _turned(c, second) & _WORD
        b = (b ^ a) - _turned(a, third) & _WORD
    checksum: int = (c ^ b) - _turned(b, 24) & _WORD
    return checksum


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    for turns in (4, 6, 8, 16, 19, 4):
        a = (a - c & _WORD) ^ _turned(c, turns)
        # The three words change places instead of names.
        a, b, c = b, c + b & _WORD, a
    return a, b, c


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _WORD
