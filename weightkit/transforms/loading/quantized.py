"""Layers that are quantized on one side alone: filled with real numbers if that is asked for, else refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access import Kind
from weightkit.access.dequantize import DequantizedSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access import Match, WeightRef, WeightStore

_READ = "read quantized layers as real numbers with dequantize=True (--dequantize)"
_QUANTIZE = "load into the float model, and quantize that with Keras (model.quantize)"


class Quantized:
    """The matched layers of which one is quantized. Reads no values.

    Args:
        found: How the weights were matched.
        target: The store that is filled.
        source: The store that is read.
        dequantize: Whether that is asked for.
    """

    def __init__(self, found: Match, target: WeightStore, source: WeightStore, *, dequantize: bool) -> None:
        self._pairs = {ours: theirs for ours, theirs in found.pairs.items() if ours.kind is not Kind.OPTIMIZER}
        self.real = DequantizedSource.of(self._pairs.items(), target, source, float8=dequantize)
        """How quantized weights of the source are read."""
        self.refused: dict[WeightRef, str] = {}
        """Why weights of the target cannot be filled, as the end of a sentence."""
        self.ways: dict[WeightRef, str] = {}
        """What to do about those that can be filled in another way."""
        self._read_as = {stored.ref: ref for ref, stored in self.real.weights.items()}
        if not dequantize:
            types = {stored.ref: stored.stored_as for stored in self.real.weights.values()}
            self._refuse_layers("its layer is quantized there ({}) and not here", types, _READ)
        why = "its layer is quantized there and cannot be dequantized: {}"
        self._refuse_layers(why, self.real.refused)
        self._refuse_other_way(target)

    def read(self, found: Match) -> Match:
        """The match with the references under which the source's weights are read."""
        pairs = {ours: self._read_as.get(theirs, theirs) for ours, theirs in found.pairs.items()}
        return replace(found, pairs=pairs)

    def _refuse_layers(self, why: str, quantized: Mapping[WeightRef, str], way: str = "") -> None:
        """Refuse whole layers, the biases too.

        Args:
            why: The reason, with a place for what is said of a weight.
            quantized: What is said of weights of the source.
            way: What to do about them, if there is something.
        """
        owners = {ours.owner: quantized[theirs] for ours, theirs in self._pairs.items() if theirs in quantized}
        for ref in self._pairs:
            if ref.owner in owners:
                self.refused[ref] = why.format(owners[ref.owner])
                self.ways.pop(ref, None)
                if way:
                    self.ways[ref] = way

    def _refuse_other_way(self, target: WeightStore) -> None:
        owners = {ref.owner for ref in self.real.other_way}
        layers = [ref for ref in target if ref.owner in owners] if owners else []
        self.refused |= dict.fromkeys(layers, "its layer is quantized here and not there")
        self.ways |= dict.fromkeys(layers, _QUANTIZE)
