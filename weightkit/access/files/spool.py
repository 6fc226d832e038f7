"""An unnamed file on the disk for values that do not lie in one piece in the file they come from."""

from __future__ import annotations

import os
import tempfile

import numpy as np

from weightkit.access.files.copying import write_all
from weightkit.errors import MachineError

_BLOCK = 1 << 20  # bytes that are written at a time


class Spool:
    """An unnamed file that holds the values of some weights in one piece each; closing it frees its space."""

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(prefix="weightkit-")  # noqa: SIM115  # closed by close()
        except OSError as error:
            raise _no_room(0, error) from error
        self.fd = self._file.fileno()
        self._end = 0

    def close(self) -> None:
        """Free the space; safe to call twice."""
        self._file.close()

    def reserve(self, size: int) -> int:
        """Room for ``size`` more bytes, all zero; returns where it begins.

        Raises:
            MachineError: The disk has no room for it.
        """
        offset = self._end
        end = offset + -(-size // 64) * 64  # aligned for any type
        if end > offset:
            try:
                _allocate(self.fd, end)
            except OSError as error:
                raise _no_room(size, error) from error
        self._end = end
        return offset

    def append(self, content: bytes) -> int:
        """Put bytes at the end; returns where they begin.

        Raises:
            MachineError: The disk has no room for them.
        """
        offset = self._end
        try:
            write_all(self.fd, memoryview(content), offset)
        except OSError as error:
            raise _no_room(len(content), error) from error
        self._end = offset + -(-len(content) // 64) * 64
        return offset

    def repeat(self, offset: int, size: int, element: bytes) -> None:
        """Fill reserved bytes with one element over and over."""
        block = element * max(1, _BLOCK // len(element))
        for place in range(offset, offset + size, len(block)):
            write_all(self.fd, memoryview(block)[: offset + size - place], place)

    def array(self, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Reserved values, to be read or set in place; while it lives, its pages count as this process's memory."""
        return np.memmap(self._file, dtype=dtype, mode="r+", offset=offset, shape=shape)


def _allocate(fd: int, size: int) -> None:
    """Have the disk set the space aside: a page of a mapped file that finds none would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    held = os.fstat(fd).st_size
    while held < size:
        held += os.pwrite(fd, bytes(min(size - held, _BLOCK)), held)


def _no_room(size: int, error: OSError) -> MachineError:
    return MachineError(
        f"its values take {size} bytes in the temporary folder {tempfile.gettempdir()}: {error.strerror or error}",
        hint="make room there, or set TMPDIR to a folder that has it",
    )
