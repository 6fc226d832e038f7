"""The spans in which weights are computed: small enough for a core's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.store import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.edits.transform import Transform
    from weightkit.access.ref import WeightRef

# A multiple of the 65,536 elements that one random generator draws, so that none is drawn twice.
TILE = 131_072
"""Elements that are transformed at a time: 512 KiB of float32."""


def tiles(transform: Transform, ref: WeightRef) -> Iterator[slice]:
    """The spans of one weight for a transform, in order; a transform that needs it whole gets one span."""
    if transform.whole(ref):
        yield ALL
        return
    yield from spans(ref.size)


def spans(size: int, start: int = 0) -> Iterator[slice]:
    """The spans of so many elements, from a given one, in order."""
    for first in range(start, size, TILE):
        yield slice(first, min(first + TILE, size))
