"""The spans in which weights are computed: what a core's cache holds at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.store import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.edits.transform import Transform
    from weightkit.access.ref import WeightRef

TILE = 131_072
"""Elements that are transformed at a time: 512 KiB of float32."""


def tiles(transform: Transform, ref: WeightRef) -> Iterator[slice]:
    """The spans of one weight for a transform, in order; one that computes it whole gets all of it."""
    if transform.whole(ref):
        yield ALL
        return
    yield from spans(ref.size)


def spans(size: int) -> Iterator[slice]:
    """The spans of so many elements, in order."""
    for first in range(0, size, TILE):
        yield slice(first, min(first + TILE, size))
