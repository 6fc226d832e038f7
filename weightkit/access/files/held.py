"""What an open store holds of the machine, and how it is given back: by closing it, or when it is forgotten."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Protocol

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Closable(Protocol):
    """A descriptor, a process, or what else is given back once."""

    def close(self) -> None:
        """Give it back; safe to call twice."""


class Held:
    """What one store holds open, in the process that opened it."""

    def __init__(self, owner: object, label: str, *things: Closable) -> None:
        """Give ``things`` back, in this order, when the owner is closed or collected."""
        self._label, self._process, self._things = label, os.getpid(), things
        self._open = True
        self._edited = False
        self._lock = threading.Lock()
        self._users = 0  # threads that read or edit now
        self._due = False  # whether the last of them gives back what is held
        self._finalizer = weakref.finalize(owner, _forgotten, label, self._process, things)
        self._finalizer.atexit = False  # the system takes all back, and nobody reads a warning then

    def require_usable(self) -> None:
        """Check that the store is open, and was opened by this process.

        Raises:
            RequestError: It is closed; its file was edited in place; or it came here by a fork, which shares its
                reading process and its lock.
        """
        if not self._open:
            raise RequestError("the store is closed", hint="open it again with open_weights()", file=self._label)
        if self._process != os.getpid():
            raise RequestError(
                f"the store was opened by process {self._process}, and this is process {os.getpid()}",
                hint="open it again in this process",
                file=self._label,
            )
        if self._edited:
            raise RequestError(
                "this store has been edited: open it again", hint="call open_weights() again", file=self._label
            )

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """While it lasts, nothing is given back: another file could get the descriptor in the middle of a read.

        Raises:
            RequestError: As `require_usable` does.
        """
        self.require_usable()  # first without the lock, which a fork may have copied while it was held
        with self._lock:
            self.require_usable()
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                last, self._due = self._due and not self._users, self._due and self._users > 0
            if last:
                _give_back(self._things)

    def mark_edited(self) -> None:
        """Another file is in the place of the one that is held."""
        self._edited = True

    def close(self) -> None:
        """Give everything back, at once or when other threads have done what they began; safe to call twice."""
        # Only one call gets an answer, so that nothing is given back twice.
        if self._finalizer.detach() is None:
            return
        self._open = False
        in_use = False
        if self._process == os.getpid():  # else a fork may have copied the lock while it was held
            with self._lock:
                in_use = self._due = self._users > 0
        if not in_use:
            _give_back(self._things)

    def pass_on(self) -> None:
        """Leave everything to another store."""
        self._finalizer.detach()
        self._open = False


def _forgotten(label: str, process: int, things: Sequence[Closable]) -> None:
    _give_back(things)
    if process == os.getpid():
        warnings.warn(f"{label}: the store was not closed", ResourceWarning, stacklevel=2)


def _give_back(things: Sequence[Closable]) -> None:
    for thing in things:
        thing.close()
