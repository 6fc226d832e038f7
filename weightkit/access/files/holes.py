"""Skip the holes of a sparse file: a file of terabytes may hold a few kilobytes."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def data_in(fd: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The spans between two places of a file that are not holes: first byte and end, in order.

    All of it, where the file system does not tell. Moves the descriptor's own place.
    """
    place = start
    while place < stop:
        try:
            first = os.lseek(fd, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # which says that the rest is a hole
                yield place, stop
            return
        if first >= stop:
            return
        place = min(stop, os.lseek(fd, first, os.SEEK_HOLE))
        yield first, place
