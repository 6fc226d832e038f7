"""Which weights of a source are read as real numbers for the float weights that they were matched with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from weightkit.access.dequantize.dequantized import Dequantized, DequantizedStore
from weightkit.access.dequantize.layout import NotDequantizedError
from weightkit.access.dequantize.quantized_side import QuantizedSide
from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.names.real_shape import real_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore


@dataclass(frozen=True, slots=True)
class Stored:
    """A quantized weight as it is stored."""

    ref: WeightRef
    parts: Mapping[str, WeightRef] = field(repr=False)
    """All weights of its object, by name."""
    helpers: tuple[WeightRef, ...]
    """Its scales and all else that belongs to it."""
    stored_as: str
    """The type of its numbers: ``int8``, ``int4``, ``float8``."""
    like: Configured | None = field(default=None, repr=False)
    """The configuration of the target's layer, which counts where the source has none, as in a ``.weights.h5``."""


@dataclass(frozen=True, slots=True)
class DequantizedSource:
    """The quantized weights of a store; plain data, which outlives the store and applies to it when opened again."""

    weights: Mapping[WeightRef, Stored] = field(default_factory=dict)
    """By the reference under which each is read: in float32, in the shape that it had before."""
    refused: Mapping[WeightRef, str] = field(default_factory=dict)
    """Why a stored weight of integers cannot be dequantized, as the end of a sentence."""
    other_way: frozenset[WeightRef] = frozenset()
    """The target's weights of integers that were matched with real numbers."""

    @classmethod
    def of(
        cls, pairs: Iterable[tuple[WeightRef, WeightRef]], target: WeightStore, source: WeightStore, *, float8: bool
    ) -> Self:
        """The weights of a source that are quantized where the target's are not. Reads no values.

        Args:
            pairs: Matched weights, the target's first.
            target: The store that is filled.
            source: The store that is read.
            float8: Whether to round the weights of float8 layers as these do; they hold real numbers.
        """
        here, there = QuantizedSide(target), QuantizedSide(source)
        weights: dict[WeightRef, Stored] = {}
        refused: dict[WeightRef, str] = {}
        other_way: set[WeightRef] = set()
        for ours, theirs in pairs:
            if here.is_quantized(ours) and there.is_real(theirs) and not is_floating(ours.dtype):
                other_way.add(ours)
            if not there.is_quantized(theirs) or not here.is_real(ours):
                continue
            if is_floating(theirs.dtype) and not float8:
                continue
            try:
                like = _like(target, ours, theirs)
                found = _planned(there, theirs, ours, like)
            except NotDequantizedError as error:
                if not is_floating(theirs.dtype):
                    refused[theirs] = str(error)
                continue
            read_as = replace(theirs, shape=found.shape, dtype=np.dtype(np.float32), kind=ours.kind)
            helpers = (*found.parts, *there.float8_helpers(theirs))
            weights[read_as] = Stored(theirs, there.parts(theirs), helpers, found.stored_as, like)
        return cls(weights, refused, frozenset(other_way))

    def __bool__(self) -> bool:
        return bool(self.weights)

    def has_real_shapes(self, ours: WeightRef, theirs: WeightRef) -> bool:
        """Whether two matched weights can be compared by shape: packed integers have another one."""
        return ours not in self.other_way and theirs not in self.refused

    def stored(self, ref: WeightRef) -> WeightRef:
        """The stored weight that is read under this reference; itself for any other."""
        found = self.weights.get(ref)
        return ref if found is None else found.ref

    def on(self, store: WeightStore) -> WeightStore:
        """The source, opened again: its quantized weights are read as real numbers."""
        return DequantizedStore(
            store,
            {
                read_as: Dequantized(store, stored.ref, stored.parts, read_as.shape, stored.like)
                for read_as, stored in self.weights.items()
            },
        )


def _like(target: WeightStore, ours: WeightRef, theirs: WeightRef) -> Configured | None:
    """The configuration of the target's layer, if it is of the same class."""
    found = target.configured(ours)
    return found if found is not None and found.layer_class == theirs.layer_class else None


def _planned(side: QuantizedSide, ref: WeightRef, target: WeightRef, like: Configured | None) -> Dequantized:
    """The weight in the shape of the target's; if that is not its own, in its own shape."""
    parts = side.parts(ref)
    try:
        return Dequantized(side.store, ref, parts, target.shape, like)
    except NotDequantizedError:
        own = real_shape(ref, parts)
        if own == target.shape:
            raise
        return Dequantized(side.store, ref, parts, own, like)
