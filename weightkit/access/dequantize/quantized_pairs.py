"""Pairs of a weight and its quantized version: they are compared by the real numbers that they stand for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.dequantize.dequantized import Dequantized, DequantizedStore, dequantized
from weightkit.access.dequantize.quantized_side import QuantizedSide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore

Pair = tuple["WeightRef", "WeightRef"]


class QuantizedPairs:
    """Which of the matched weights are quantized in one of two stores only.

    Args:
        pairs: The matched weights that are compared.
        ours: The first store.
        theirs: The second.
    """

    def __init__(self, pairs: Sequence[Pair], ours: WeightStore, theirs: WeightStore) -> None:
        self.refused: dict[Pair, str] = {}
        """Pairs that cannot be compared, and why."""
        self._stored: dict[Pair, Pair] = {}
        self._types: dict[Pair, tuple[str, str]] = {}
        self._virtual: dict[Pair, Pair] = {}
        self._helpers: tuple[set[str], set[str]] = (set(), set())
        stores = (ours, theirs)
        sides = tuple(QuantizedSide(store) for store in stores)
        found: tuple[dict[WeightRef, Dequantized], ...] = ({}, {})
        for pair in pairs:
            for number in (0, 1):
                if sides[number].is_quantized(pair[number]) and sides[1 - number].is_real(pair[1 - number]):
                    self._add(pair, number, sides[number], found[number])
        self.stores = (DequantizedStore(ours, found[0]), DequantizedStore(theirs, found[1]))
        """The two stores, in which such weights are read as real numbers."""

    def _add(self, pair: Pair, number: int, side: QuantizedSide, found: dict[WeightRef, Dequantized]) -> None:
        ref, other = pair[number], pair[1 - number]
        weight = dequantized(side.store, ref, side.parts(ref), other.shape)
        if isinstance(weight, str):
            self.refused[pair] = weight
            return
        read_as = replace(ref, shape=other.shape, dtype=np.dtype(np.float32), kind=other.kind)
        found[read_as] = weight
        virtual = (read_as, other) if number == 0 else (other, read_as)
        self._virtual[pair], self._stored[virtual] = virtual, pair
        types = (weight.stored_as, other.dtype_text)
        self._types[pair] = types if number == 0 else types[::-1]
        self._helpers[number].update(one.structure for one in (*weight.parts, *side.float8_helpers(ref)))

    def read_as(self, pair: Pair) -> Pair:
        """The references under which the two are read to be compared."""
        return self._virtual.get(pair, pair)

    def stored(self, pair: Pair) -> Pair | None:
        """The stored weights of two that were compared as real numbers; None for any others."""
        return self._stored.get(pair)

    def types(self, pair: Pair) -> tuple[str, str]:
        """What the two hold, of a pair that is compared as real numbers: ``float32`` and ``int4``."""
        return self._types[pair]

    def without_helpers(self, refs: Iterable[WeightRef], number: int) -> list[WeightRef]:
        """Weights of one store, without the scales that belong to the comparison."""
        return [ref for ref in refs if ref.structure not in self._helpers[number]]

    def notes(self) -> Iterator[str]:
        """What became of the scales."""
        for store, helpers in zip(self.stores, self._helpers, strict=True):
            if helpers:
                many = f"{len(helpers)} scales and the like are" if len(helpers) > 1 else "1 scale is"
                yield f"{store.label} is quantized: {many} part of the values that are compared"
