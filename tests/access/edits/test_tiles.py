"""Tiles: the spans of a weight that are computed alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from weightkit.access.edits.tiles import TILE, tiles
from weightkit.access.ref import Kind, WeightRef
from weightkit.access.store import ALL
from weightkit.transforms.scale import Scale


def ref_of(name, size):
    return WeightRef(name, None, 0, name, (size,), np.dtype("f4"), Kind.PARAMETER, None, None, None)


@dataclass(frozen=True)
class Picky(Scale):
    names: tuple[str, ...] = field(default=())

    def whole(self, ref):
        return ref.name in self.names


def test_spans_join_to_the_whole_weight():
    spans = list(tiles(Scale(2.0), ref_of("w", 2 * TILE + 5)))
    assert spans == [slice(0, TILE), slice(TILE, 2 * TILE), slice(2 * TILE, 2 * TILE + 5)]


def test_a_transform_may_ask_for_some_weights_whole():
    transform = Picky(2.0, ("w",))
    assert list(tiles(transform, ref_of("w", 3 * TILE))) == [ALL]
    assert len(list(tiles(transform, ref_of("v", 3 * TILE)))) == 3


def test_one_that_is_not_elementwise_gets_all_of_them_whole():
    class Whole(Scale):
        elementwise = False

    assert list(tiles(Whole(2.0), ref_of("w", 3 * TILE))) == [ALL]
