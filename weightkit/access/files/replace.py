"""Put a complete file in the place of another, the old one kept.

The path holds the old or the new file at every instant, and both can be reached whenever this process is killed:
the old file has a second, hidden link before it loses its name, and `leftovers` knows what to make of it.
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
"""What making a hard link says on a file system without them."""

_TO_HOLD = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def publish(hidden: Path, target: Path) -> None:
    """Give a file another name, unless that is taken.

    Raises:
        FileExistsError: It is.
    """
    try:
        os.link(hidden, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(target):  # without links no call does both at once; this leaves a moment
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        hidden.replace(target)
    else:
        with contextlib.suppress(OSError):  # one name more, which the next edit clears away
            hidden.unlink()


def sync_folder(target: Path) -> None:
    """Have the disk confirm the names in the folder of a file that was just put in place.

    Raises:
        DurabilityError: It does not.
    """
    try:
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Let no signal fall between two steps of the replacement; it arrives after them.

    Masking would not do: NumPy's threads take what this one does not, and Python then acts on it here.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python acts on signals in the main thread alone
        return
    waiting: list[int] = []
    before = {}
    try:
        for number in _TO_HOLD:
            if signal.getsignal(number) is not None:
                before[number] = signal.signal(number, lambda arrived, _: waiting.append(arrived))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for arrived in waiting:
            signal.raise_signal(arrived)
