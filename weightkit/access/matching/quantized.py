"""Match quantized layers as what they were before: without scales, in their own shapes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.names.real_shape import QUANTIZED, parts_of, real_shape
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.matching.pairing import Pairs
    from weightkit.access.matching.result import Unlike
    from weightkit.access.ref import WeightRef


class Unquantized:
    """The weights of two stores as they were before layers of them were quantized.

    Args:
        ours: All weights of a store.
        theirs: All weights of another one.
    """

    def __init__(self, ours: Sequence[WeightRef], theirs: Sequence[WeightRef]) -> None:
        owners = [{ref.owner for ref in refs if ref.kind is Kind.QUANTIZATION} for refs in (ours, theirs)]
        self._is_needed = any(owners)
        self._all = ours, theirs
        self._stored: tuple[Pairs, Pairs] = ({}, {})
        self._helpers: tuple[dict[tuple[str, str], WeightRef], ...] = ({}, {})
        self.ours, self.theirs = (
            self._before(refs, owners[side], side) if owners[side] else list(refs)
            for side, refs in enumerate((ours, theirs))
        )

    def _before(self, refs: Sequence[WeightRef], owners: set[str], side: int) -> list[WeightRef]:
        """The weights without those that quantizing added."""
        parts = parts_of(refs, owners)
        found = []
        for ref in refs:
            if ref.kind is Kind.QUANTIZATION and ref.name not in QUANTIZED:
                self._helpers[side][ref.owner, ref.name or ""] = ref
                continue
            if ref.kind is Kind.QUANTIZATION:
                before = replace(ref, shape=real_shape(ref, parts[ref.owner]), kind=Kind.PARAMETER)
                self._stored[side][before] = ref
                found.append(before)
            else:
                found.append(ref)
        return found

    def all_of(
        self, ours: Sequence[WeightRef], theirs: Sequence[WeightRef]
    ) -> tuple[Sequence[WeightRef], Sequence[WeightRef]]:
        """Weights of both as they are stored, with those that quantizing added to their layers."""
        return (self._all_of(ours, 0), self._all_of(theirs, 1)) if self._is_needed else (ours, theirs)

    def _all_of(self, refs: Sequence[WeightRef], side: int) -> list[WeightRef]:
        stored = set(self._as_stored(refs, side))
        owners = {ref.owner for ref in stored}
        stored |= {ref for (owner, _), ref in self._helpers[side].items() if owner in owners}
        return [ref for ref in self._all[side] if ref in stored]

    def layers(self, layers: Iterable[tuple[Sequence[WeightRef], Sequence[WeightRef]]]) -> Unlike:
        """Pairs of layers by their weights as they are stored."""
        return tuple((self._as_stored(a, 0), self._as_stored(b, 1)) for a, b in layers)

    def _as_stored(self, refs: Sequence[WeightRef], side: int) -> tuple[WeightRef, ...]:
        return tuple(self._stored[side].get(ref, ref) for ref in refs)

    def pairs(self, pairs: Pairs) -> Pairs:
        """Pairs of weights as they are stored, with the scales of layers that are quantized on both sides."""
        found = {self._stored[0].get(a, a): self._stored[1].get(b, b) for a, b in pairs.items()}
        if not self._is_needed:
            return found
        owners = {a.owner: b.owner for a, b in found.items()}
        scales = ((ref, owners.get(owner), name) for (owner, name), ref in self._helpers[0].items())
        there = self._helpers[1]
        return found | {ref: there[other, name] for ref, other, name in scales if other and (other, name) in there}
