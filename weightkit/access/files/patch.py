"""Write an edited file that has the layout of the old one: copy what stays, overwrite what changes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.files.copying import copy_range, write_all
from weightkit.access.files.openfile import machine_errors
from weightkit.access.store import ALL, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access.files.openfile import OpenFile
    from weightkit.access.ref import WeightRef

_WORTH_SKIPPING = 64 << 10  # bytes; below this, copying a span that is overwritten later costs less than a call


class PatchSink:
    """Takes new values for some weights of a file and writes them at their places in the new one."""

    def __init__(self, source: OpenFile, fd: int, places: Mapping[WeightRef, int]) -> None:
        self.outcome: Outcome | None = None
        self._source, self._fd, self._places = source, fd, places
        self._missing = {ref: ref.size for ref in places}
        self._lock = threading.Lock()

    def copy_unchanged(self) -> None:
        """Copy the bytes around the large weights that will be written anew."""
        with machine_errors("copying the file", self._source.name):
            for start, stop in self._ranges_to_copy():
                copy_range(self._source.fd, self._fd, start, stop)

    def write(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> None:
        """Set the elements of ``span`` (C order) of one of the weights. May be called from several threads."""
        first, last, _ = span.indices(ref.size)
        if values.dtype != ref.dtype or values.size != last - first:
            raise AssertionError(f"{ref.path}: {values.size} elements of {values.dtype} for {last - first}")
        if not values.size:
            return
        content = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        offset = self._places[ref] + first * ref.dtype.itemsize
        with machine_errors("writing the new file", self._source.name):
            write_all(self._fd, content, offset)
        with self._lock:
            self._missing[ref] -= last - first

    def require_complete(self) -> None:
        """Check that every element that was to be changed has been written."""
        for ref, missing in self._missing.items():
            if missing:
                raise AssertionError(f"{ref.path}: {missing} elements were not written")

    def _ranges_to_copy(self) -> Iterator[tuple[int, int]]:
        done = 0
        for ref, place in sorted(self._places.items(), key=lambda item: item[1]):
            if ref.nbytes >= _WORTH_SKIPPING:
                yield done, place
                done = place + ref.nbytes
        yield done, self._source.size
