"""An unnamed temporary file for values that are not contiguous in their file."""

from __future__ import annotations

import os
import tempfile

import numpy as np

from weightkit.access.files.copying import write_all
from weightkit.errors import MachineError

_BLOCK = 1 << 20  # bytes to write at a time


class Spool:
    """An unnamed file that holds some weights' values, each contiguous; closing it frees its space."""

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
        """Room for ``size`` more bytes, all zero; returns where it starts.

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
        """Append bytes; returns where they start.

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
        """Fill reserved bytes with one repeated element."""
        block = element * max(1, _BLOCK // len(element))
        for place in range(offset, offset + size, len(block)):
            write_all(self.fd, memoryview(block)[: offset + size - place], place)

    def array(self, offset: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Reserved values as an array, to read or set in place; its mapped pages count as this process's memory."""
        return np.memmap(self._file, dtype=dtype, mode="r+", offset=offset, shape=shape)


def _allocate(fd: int, size: int) -> None:
    """Reserve disk space: a mapped page without space on disk kills the process (SIGBUS)."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
        return
    held = os.fstat(fd).st_size
    while held < size:
        held += os.pwrite(fd, bytes(min(size - held, _BLOCK)), held)


def _no_room(size: int, error: OSError) -> MachineError:
    return MachineError(
        f"its values need {size} bytes in {_place()}: {error.strerror or error}",
        hint="make room there, or set TMPDIR to a folder with enough space",
    )


def _place() -> str:
    try:
        return f"the temporary folder {tempfile.gettempdir()}"
    except OSError:
        return "a temporary folder"
