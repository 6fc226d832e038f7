"""The HDF5 reader as a thread of the tests, over the same socket, where its isolation is not what is tested.

Starting its process costs 0.4 seconds of processor time, and most tests start several.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import subprocess
import threading
from typing import TYPE_CHECKING

from weightkit.access.hdf5 import scanner
from weightkit.access.hdf5.child import file_part, main

if TYPE_CHECKING:
    import socket

    from weightkit.access.hdf5.limits import Limits

_CLOSED = {errno.EPIPE, errno.ECONNRESET, errno.EBADF, errno.ENOTCONN}
_start_process = scanner._start
_access_with_locks = file_part._access


class ReaderThread:
    """Stands in for the process: it answers on the channel until that closes, without limits and signals."""

    pid = None

    def __init__(self, channel: socket.socket, limits: Limits) -> None:
        self._channel = channel.dup()
        self._thread = threading.Thread(target=self._answer, args=(dataclasses.asdict(limits),), daemon=True)
        self._thread.start()

    def _answer(self, limits: dict[str, object]) -> None:
        try:
            main.converse(self._channel, limits, _grow_freely)
        except OSError as error:
            if error.errno not in _CLOSED:  # else the test went away in the middle of an answer
                raise

    def kill(self) -> None:
        """End the conversation, as a killed process does."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(2)  # both directions

    def poll(self) -> int | None:
        return None if self._thread.is_alive() else 0

    def wait(self, timeout: float | None = None) -> int:
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise subprocess.TimeoutExpired("the reader's thread", timeout or 0)
        return 0


def _grow_freely(size: int) -> None:
    """A bound on the size of files would bind all threads."""


def _access_without_locks() -> object:
    """What the process has by HDF5_USE_FILE_LOCKING: the store holds the lock, and would lock its own reader out."""
    access = _access_with_locks()
    access.set_file_locking(False, True)
    return access


def use(*, thread: bool) -> None:
    """Have each reader that is started from now on be a thread, or a process as for users."""
    scanner._start = ReaderThread if thread else _start_process
    file_part._access = _access_without_locks if thread else _access_with_locks
