"""A part of an open file, and how the HDF5 file in it is opened.

Only the reading process imports this module.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import h5py
from h5py import h5f, h5p

from weightkit.access.hdf5.superblock import Superblock, superblock_of

_CACHE = (1 << 20, 1 << 20, 2 << 20)  # bytes: at first, at least, at most
_DESCRIPTORS = "/proc/self/fd"  # Linux: reopens the open file itself, whatever its name leads to now


class Part(io.RawIOBase):
    """A part of an open file as a file of its own, so that a member of an archive is read in place."""

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        super().__init__()
        self._descriptor, self._start, self._length = descriptor, start, length
        self._position = 0

    @property
    def whole(self) -> bool:
        """Whether it is the whole file."""
        return self._start == 0 and self._length == os.fstat(self._descriptor).st_size

    def unclosed(self) -> Part | None:
        """The part as its writer would have left it, if it did not close the file; else None."""
        found = superblock_of(self._descriptor, self._start, self._length)
        if found is None or not found.is_marked:
            return None
        return _Unclosed(self._descriptor, self._start, self._length, found.cleared(self._length))

    def fileno(self) -> int:
        """The descriptor of the whole file."""
        return self._descriptor

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to ``offset`` bytes from the start, the position or the end."""
        if whence == os.SEEK_SET:
            self._position = offset
        else:
            self._position = offset + (self._length if whence == os.SEEK_END else self._position)
        return self._position

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def peek(self, place: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``place``; the position stays."""
        inside = max(0, min(count, self._length - place))
        return os.pread(self._descriptor, inside, self._start + place)

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``, with zeros past the end: otherwise libhdf5 sees stale memory."""
        wanted = len(buffer)
        if self._position + wanted <= self._length:  # the common case, and there are millions of calls
            count = os.preadv(self._descriptor, [buffer], self._start + self._position)
            if count == wanted:
                self._position += wanted
                return wanted
        view = memoryview(buffer).cast("B")
        inside = max(0, min(len(view), self._length - self._position))
        done = 0
        while done < inside:
            count = os.preadv(self._descriptor, [view[done:inside]], self._start + self._position + done)
            if count == 0:
                break
            done += count
        view[done:] = bytes(len(view) - done)
        self._position += len(view)
        return len(view)


class _Unclosed(Part):
    """A file that its writer did not close, as if it had: the library would read nothing behind the last flush."""

    def __init__(self, descriptor: int, start: int, length: int, superblock: Superblock) -> None:
        super().__init__(descriptor, start, length)
        self._place, self._head = superblock.place, superblock.content

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer``, with the first bytes that the writer would have written."""
        start = self._position
        count = super().readinto(buffer)
        first, last = max(start, self._place), min(start + count, self._place + len(self._head))
        if first < last:
            head = self._head[first - self._place : last - self._place]
            memoryview(buffer).cast("B")[first - start : last - start] = head
        return count


def open_for_reading(part: Part) -> h5f.FileID:
    """Open the HDF5 file in ``part``; a whole file is read by the library itself, which is faster."""
    unclosed = part.unclosed()
    if unclosed is None and part.whole and Path(_DESCRIPTORS).is_dir():
        with contextlib.suppress(OSError):  # not permitted, or damaged: tried again below
            return h5f.open(f"{_DESCRIPTORS}/{part.fileno()}".encode(), h5f.ACC_RDONLY, fapl=_access())
    access = _access()
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, unclosed or part)
    return h5f.open(b"scanned", h5f.ACC_RDONLY, fapl=access)


def _access() -> h5p.PropFAID:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    cache = access.get_mdc_config()
    # By default, the library's cache of object headers grows to 60 MB over 10,000 weights that are each read once.
    cache.set_initial_size, cache.initial_size, cache.min_size, cache.max_size = True, *_CACHE
    access.set_mdc_config(cache)
    return access
