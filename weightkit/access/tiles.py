"""The spans in which weights are computed: what a core's cache holds at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from weightkit.access.store import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.plan import Transform
    from weightkit.access.ref import WeightRef

TILE = 131_072
"""Elements that are transformed at a time: 512 KiB of float32."""


@runtime_checkable
class PartlyWhole(Protocol):
    """An elementwise transform that has to compute some weights whole nevertheless."""

    def whole(self, ref: WeightRef) -> bool:
        """Whether this one."""


def tiles(transform: Transform, ref: WeightRef) -> Iterator[slice]:
    """The spans of one weight for a transform, in order; one that is not elementwise gets the whole."""
    if not transform.elementwise or (isinstance(transform, PartlyWhole) and transform.whole(ref)):
        yield ALL
        return
    for first in range(0, ref.size, TILE):
        yield slice(first, min(first + TILE, ref.size))
