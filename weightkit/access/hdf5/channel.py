"""The parent's end of the conversation with the reading process, and how long it waits for an answer."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import WriteableBuffer

_SLICES = 20  # at least so many waits make up a silence
_LONGEST_SLICE = 1.0  # seconds
_Answer = TypeVar("_Answer")


class Channel(io.RawIOBase):
    """A socket that counts silence in short waits.

    The waits are what this process itself was running for: the clock goes on while it is stopped, as by Ctrl-Z, or the
    machine sleeps, and then one wait ends late instead of all of them.
    """

    def __init__(self, ours: socket.socket) -> None:
        super().__init__()
        self._socket = ours
        self._waits = 1
        self.replies = io.BufferedReader(self, buffer_size=1 << 16)

    def wait_for(self, silence: float) -> None:
        """From now on, ``silence`` seconds without a byte are a TimeoutError."""
        wait = min(_LONGEST_SLICE, silence / _SLICES)
        self._waits = round(silence / wait)
        self._socket.settimeout(wait)

    def send(self, message: bytes, text: bytes, descriptors: Sequence[int]) -> None:
        """Send a message with descriptors, then text."""
        self._patiently(lambda: socket.send_fds(self._socket, [message], descriptors))
        rest = memoryview(text)
        while rest:
            rest = rest[self._patiently(lambda: self._socket.send(rest)) :]  # noqa: B023  # it is called at once

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer`` with what has arrived; 0 where the other end is closed."""
        return self._patiently(lambda: self._socket.recv_into(buffer))

    def close(self) -> None:
        """Close the socket; safe to call twice."""
        super().close()
        self._socket.close()

    def _patiently(self, call: Callable[[], _Answer]) -> _Answer:
        for _ in range(self._waits - 1):
            try:
                return call()
            except TimeoutError:
                continue
        return call()
