"""Which bytes of an HDF5 file belong to what, and the check that none belong to two."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from weightkit.errors import DamagedFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

HINT = "use another copy of the file"


class Spans:
    """Spans of one file, each with its owner's name. A file may have millions: they are kept as plain numbers."""

    def __init__(self, length: int) -> None:
        """Take spans in a file of ``length`` bytes."""
        self._length = length
        self._names: list[str] = []
        self._starts, self._stops, self._owners = array("q"), array("q"), array("q")
        self._in_order: list[tuple[int, int, int]] | None = None

    def add(self, name: str, spans: Iterable[tuple[int, int]]) -> None:
        """Keep the first byte and the number of bytes of each of an owner's spans.

        Raises:
            DamagedFileError: One is not inside the file.
        """
        owner = len(self._names)
        self._names.append(name)
        self._in_order = None
        for start, size in spans:
            if start < 0 or size < 0 or start + size > self._length:
                raise DamagedFileError(f"{name}: a part of it is outside the file", hint=HINT)
            self._starts.append(start)
            self._stops.append(start + size)
            self._owners.append(owner)

    def require_free(self, name: str, spans: Iterable[tuple[int, int]]) -> None:
        """Check that other spans share no byte with those that are kept, which lie apart; kept spans are sorted once.

        Raises:
            DamagedFileError: One does.
        """
        if self._in_order is None:
            kept = zip(self._starts, self._stops, self._owners, strict=True)
            self._in_order = sorted(span for span in kept if span[0] < span[1])  # an empty one shares nothing
        for start, size in spans:
            before = bisect_left(self._in_order, (start + size,)) - 1  # the last one that starts before its end
            if before < 0 or not size:
                continue
            first, stop, owner = self._in_order[before]
            if stop > start:
                both = (self._names[owner], name) if first > start else (name, self._names[owner])
                raise DamagedFileError(f"{' and '.join(both)} overlap in the file", hint=HINT)

    def require_apart(self) -> None:
        """Check that no two spans share a byte; an empty one shares nothing.

        Raises:
            DamagedFileError: Two do.
        """
        starts, stops, owners = (np.array(numbers, np.int64) for numbers in (self._starts, self._stops, self._owners))
        order = np.lexsort((stops, starts))
        starts, stops = starts[order], stops[order]
        reach = np.maximum.accumulate(stops)
        shared = np.flatnonzero((starts[1:] < reach[:-1]) & (stops[1:] > starts[1:]))
        if shared.size:
            later = int(shared[0]) + 1
            one, other = (self._names[owners[order[place]]] for place in (later, int(np.argmax(stops[:later]))))
            both = f"{one}: two chunks" if one == other else f"{one} and {other}"
            raise DamagedFileError(f"{both} overlap in the file", hint=HINT)
