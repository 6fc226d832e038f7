"""Where an edit's new values go: each weight has its place in an open file."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.files.copying import STEP, begin_writing, write_all
from weightkit.access.files.openfile import machine_errors
from weightkit.access.store import ALL, Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weightkit.access.ref import WeightRef


@dataclass(frozen=True, slots=True)
class Place:
    """Where a weight's new values go, one after another in C order."""

    fd: int
    offset: int
    """Bytes from the start of the file."""
    dtype: np.dtype


class PlacedSink(Sink):
    """Takes new values and writes them at their places; checks that it gets all of them."""

    def __init__(self, places: Mapping[WeightRef, Place], label: str, finish: Callable[[], int]) -> None:
        """Take the values for these places; ``finish`` writes what comes after them and gives the new file."""
        self._places, self._label, self._finish = places, label, finish
        self._finished: int | None = None
        self._missing = {ref: ref.size for ref in places}
        self._written: dict[int, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def write(self, ref: WeightRef, values: np.ndarray, span: slice = ALL) -> None:
        """Set the elements of ``span`` (C order) of one of the weights. May be called from several threads."""
        first, last, _ = span.indices(ref.size)
        place = self._places[ref] if values.size else None
        if values.size != last - first or (place and values.dtype != place.dtype):
            raise AssertionError(f"{ref.path}: {values.size} elements of {values.dtype} for {last - first}")
        if place is None:
            return
        content = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        start = place.offset + first * place.dtype.itemsize
        with machine_errors("writing the new file", self._label):
            # No lock: each call states its own offset, and spans do not overlap.
            write_all(place.fd, content, start)
        with self._lock:
            self._missing[ref] -= last - first
            due = self._due(place.fd, start, start + len(content))
        if due:
            # Outside the lock, so that other threads go on meanwhile.
            begin_writing(place.fd, *due)

    def _due(self, fd: int, start: int, stop: int) -> tuple[int, int] | None:
        """The range that the disk may start writing out: a contiguous run, once it is large or another run starts."""
        low, high = self._written.get(fd, (start, start))
        # Threads finish out of order, so what is near a run belongs to it.
        if not low - STEP <= start <= high + STEP:
            self._written[fd] = (start, stop)
            return (low, high) if high > low else None
        low, high = min(low, start), max(high, stop)
        due = high - low >= STEP
        self._written[fd] = (high, high) if due else (low, high)
        return (low, high) if due else None

    def complete(self) -> int:
        """Check that every element has been written, and finish the new file, once; its descriptor."""
        if self._finished is None:
            self.require_complete()
            self._finished = self._finish()
        return self._finished

    def require_complete(self) -> None:
        """Check that every element that was to be changed has been written."""
        for ref, missing in self._missing.items():
            if missing:
                raise AssertionError(f"{ref.path}: {missing} elements were not written")
