"""The old values of variables that are set before an edit is complete, in a temporary file without a name."""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import IO


class OldValues:
    """A file in the system's temporary folder, made when it is first written to; it goes when it is closed.

    Several threads may write to it and read it.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._usable = True

    def write(self, values: np.ndarray, at: int) -> bool:
        """Write contiguous values at an offset in bytes, without a copy.

        Returns:
            False where the file cannot be made or written: it has no part of them to rely on then, and takes no more.
        """
        # Under the lock, so that no thread writes to a descriptor that another one has just closed.
        with self._lock:
            try:
                self._usable = self._usable and self._write(_bytes(values), at)
            except OSError:  # no space, a limit of the file's size, no temporary folder, a broken disk
                self._usable = False
            return self._usable

    def _write(self, left: memoryview, at: int) -> bool:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # `close` does it
        while left:
            count = os.pwrite(self._file.fileno(), left, at)
            left, at = left[count:], at + count
        return True

    def read(self, values: np.ndarray, at: int) -> None:
        """Fill a contiguous array with what was written at an offset in bytes.

        Raises:
            OSError: The file cannot be read, or is closed.
        """
        left = _bytes(values)
        with self._lock:
            while left:
                count = 0 if self._file is None else os.preadv(self._file.fileno(), [left], at)
                if not count:
                    raise OSError(errno.EIO, "the temporary file with the old values cannot be read")
                left, at = left[count:], at + count

    def close(self) -> None:
        """Give the space back; safe to call twice."""
        with self._lock:
            self._usable = False
            if self._file is not None:
                self._file.close()
                self._file = None


def _bytes(values: np.ndarray) -> memoryview:
    return values.reshape(-1).view(np.uint8).data
