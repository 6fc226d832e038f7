"""Replace a file by a complete new one, and keep the old one.

At every moment the path holds the old or the new file, and both stay reachable whenever this process is killed:
the old file has a second, hidden link before it loses its name, and `leftovers` knows what to do with it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from typing import TYPE_CHECKING

from weightkit.errors import DurabilityError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EOPNOTSUPP})
"""Errors of ``os.link`` on a file system without hard links."""

_TO_HOLD = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def publish(hidden: Path, target: Path) -> None:
    """Rename a file, unless the new name is taken.

    Raises:
        FileExistsError: The name is taken.
    """
    try:
        os.link(hidden, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):  # without hard links no call does both at once: a short race remains
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        hidden.replace(target)
    else:
        with contextlib.suppress(OSError):  # the extra name is cleared by the next edit
            hidden.unlink()


def sync_folder(target: Path) -> None:
    """Sync the folder of a file that was just put in place.

    Raises:
        DurabilityError: The disk does not confirm it.
    """
    try:
        folder = _opened(target.parent)
        if folder is None:
            os.sync()  # all disks: slower, and as sure
            return
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DurabilityError(
            f"replaced, durability not confirmed: {error.strerror}",
            hint="run `sync` and check the disk",
            file=str(target),
        ) from error


def _opened(folder: Path) -> int | None:
    """Its descriptor; None for a folder that one may write to and not list."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return None


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Delay signals until all steps of the replacement are done.

    Masking is not enough: NumPy's threads take the signal instead, and Python then acts on it in this thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python acts on signals only in the main thread
        return
    waiting: list[int] = []
    before = {}
    try:
        for number in _TO_HOLD:
            # A handler that is not Python's is None here, and could not be put back.
            if signal.getsignal(number) is not None:
                before[number] = signal.signal(number, lambda arrived, _: waiting.append(arrived))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for arrived in waiting:
            signal.raise_signal(arrived)
