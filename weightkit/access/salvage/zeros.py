"""Holes of zeros, as failed downloads and disks leave them: which weights one reaches into."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weightkit.access.salvage.structure.window import Window

_TELLING = 16  # bytes of zeros in a weight at the edge of a hole; fewer are there by chance
_HOLE = 256  # bytes of zeros next to it that belong to nothing
_ROOM = 2048  # bytes: the library reserves room in pieces of this size, and leaves it zero


class Gaps:
    """What lies between the pieces of a file that are known."""

    def __init__(self, window: Window, spans: list[tuple[int, int]]) -> None:
        """Take the first byte and the end of each known piece."""
        self._window = window
        self._starts = sorted(start for start, _ in spans)
        self._stops = sorted(stop for _, stop in spans)

    def touched(self, start: int, stop: int) -> bool:
        """Whether a hole of zeros next to a piece reaches into it, as far as can be told."""
        before, behind = self._before(start), self._behind(stop)
        edge = min(_TELLING, stop - start)
        at_start = before >= _HOLE and self._is_zero(start, edge) and self._is_zero(start - _HOLE, _HOLE)
        at_end = behind >= _HOLE and self._is_zero(stop - edge, edge) and self._is_zero(stop, _HOLE)
        if not at_start and not at_end:
            return False
        if not self._all_zero(start, stop):
            return True
        # Weights that are all zero are common, and so is room that was never used: only a larger hole tells.
        return (at_start and before > _ROOM and self._all_zero(start - _ROOM, start)) or (
            at_end and behind > _ROOM and self._all_zero(stop, stop + _ROOM)
        )

    def _before(self, start: int) -> int:
        """Bytes between the last piece that ends by ``start`` and it."""
        place = bisect_left(self._stops, start + 1)
        return start - (self._stops[place - 1] if place else 0)

    def _behind(self, stop: int) -> int:
        place = bisect_left(self._starts, stop)
        return (self._starts[place] if place < len(self._starts) else self._window.length) - stop

    def _is_zero(self, start: int, count: int) -> bool:
        return not any(self._window.read(start, count, "a gap"))

    def _all_zero(self, start: int, stop: int) -> bool:
        step = 1 << 16
        return all(self._is_zero(place, min(step, stop - place)) for place in range(start, stop, step))
