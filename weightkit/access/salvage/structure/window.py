"""The bytes of a damaged HDF5 file, read within bounds and under a budget."""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING

from weightkit.errors import UnsafeFileError

if TYPE_CHECKING:
    from weightkit.access.hdf5.container import Body

UNDEFINED = 2**64 - 1
"""The address of what has none."""
_CALL = 64  # bytes that a read costs besides those that it reads
_WORK, _MORE_WORK = 32, 64 << 20  # bytes that may be read for each byte of the file, and in any file


class Malformed(Exception):  # noqa: N818  # it says what the bytes are, and is no error of this program
    """These bytes are not the structure that was looked for; the text says why."""


class Window:
    """The bytes of one HDF5 file; addresses count from its superblock."""

    def __init__(self, body: Body, base: int = 0) -> None:
        """Read ``body``, whose addresses count from its byte ``base``."""
        self.body, self.base = body, base
        self.length = body.length - base
        self._starts, self._stops = array("q"), array("q")
        self._left = _WORK * body.length + _MORE_WORK

    def read(self, address: int, count: int, what: str) -> bytes:
        """``count`` bytes from an address.

        Raises:
            Malformed: They are not all inside the file.
            UnsafeFileError: The file makes more work than files of its size do.
        """
        if address < 0 or count < 0 or address + count > self.length:
            raise Malformed(f"{what} is outside the file")
        self.charge(count)
        found = os.pread(self.body.fd, count, self.body.start + self.base + address)
        if len(found) < count:
            raise Malformed(f"{what} is outside the file")
        return found

    def charge(self, work: int) -> None:
        """Take work, in bytes, from the budget.

        Raises:
            UnsafeFileError: None is left.
        """
        self._left -= work + _CALL
        if self._left < 0:
            raise UnsafeFileError(
                "finding what is whole in it takes more work than in any file of its size", hint="do not trust it"
            )

    def keep(self, address: int, count: int) -> None:
        """Note that a piece of the file's structure is there."""
        self._starts.append(address)
        self._stops.append(address + count)

    def mark(self) -> int:
        """How many pieces are noted."""
        return len(self._starts)

    def forget(self, mark: int) -> None:
        """Take back what was noted since: it turned out to be no structure."""
        del self._starts[mark:], self._stops[mark:]

    @property
    def structure(self) -> list[tuple[int, int]]:
        """First byte and end of each piece of structure that was read, in the order of reading."""
        return list(zip(self._starts, self._stops, strict=True))
