"""Find weights whose values are all still there: elsewhere in the weight, or in another one."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from weightkit.access import spans
from weightkit.compare.equality import are_numbers, is_same
from weightkit.compare.pair import native
from weightkit.compare.rearranged import rearrangement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access import WeightRef, WeightStore
    from weightkit.compare.pair import Compared

_LARGEST = 16 << 20
"""Bytes of a weight that is read whole for this."""
_NEAR = 1e-9
"""How far norms of the same numbers may be apart, in another order of summation."""
_MOST = 8
"""Weights of one norm that are compared with another."""


def find_moves(compared: Sequence[Compared], ours: WeightStore, theirs: WeightStore) -> None:
    """Say of each pair that nothing else explains how it was rearranged, or which other weight its values were in."""
    open_ = [pair for pair in compared if _is_open(pair)]
    for pair in open_:
        if pair.ours.nbytes <= _LARGEST and _near(pair.measures.ours, pair.measures.theirs):
            a, b = pair.values(ours, theirs)
            pair.moved = rearrangement(a.reshape(pair.ours.shape), b.reshape(pair.theirs.shape))
    groups: dict[tuple[object, ...], list[Compared]] = {}
    for pair in compared:
        if pair.measures.changed and _is_plain(pair):
            groups.setdefault((pair.ours.shape, pair.ours.dtype), []).append(pair)
    for group in groups.values():
        _find_sources(group, {id(pair) for pair in open_ if not pair.moved}, ours, theirs)


def _is_open(pair: Compared) -> bool:
    """Whether more than one element changed, and nothing is known of how."""
    measures = pair.measures
    unknown = pair.hypothesis is None and measures.zeroed + measures.alike < measures.changed
    return unknown and measures.changed > 1 and _is_plain(pair)


def _is_plain(pair: Compared) -> bool:
    """Whether its norms tell weights apart: of what is not finite they say nothing."""
    measures, dtype = pair.measures, pair.ours.dtype
    plain = dtype == pair.theirs.dtype and are_numbers(dtype) and dtype.itemsize <= 8  # noqa: PLR2004  # bytes
    return plain and measures.finite == measures.size and measures.ours > 0


def _near(first: float, second: float) -> bool:
    return abs(first - second) <= _NEAR * first


def _find_sources(group: list[Compared], wanted: set[int], ours: WeightStore, theirs: WeightStore) -> None:
    by_norm = sorted(group, key=lambda pair: pair.measures.ours)
    norms = [pair.measures.ours for pair in by_norm]
    for pair in group:
        if id(pair) in wanted and pair.ours.shape == pair.theirs.shape:
            for other in _of_norm(pair.measures.theirs, by_norm, norms):
                if other is not pair and _equal(ours, other.ours, theirs, pair.theirs):
                    pair.source = other
                    break


def _of_norm(norm: float, by_norm: list[Compared], norms: list[float]) -> Iterator[Compared]:
    first = bisect_left(norms, norm * (1 - _NEAR))
    for pair in by_norm[first : first + _MOST]:
        if _near(norm, pair.measures.ours):
            yield pair


def _equal(ours: WeightStore, a: WeightRef, theirs: WeightStore, b: WeightRef) -> bool:
    return all(is_same(native(ours.read(a, span)), native(theirs.read(b, span))) for span in spans(a.size))
