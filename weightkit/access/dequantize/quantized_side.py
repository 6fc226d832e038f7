"""One side of a match with quantized weights: which they are, and what belongs to each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.names.real_shape import parts_of
from weightkit.access.quantized_layers import quantized_owners

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore

_FLOAT8_HISTORY = "_amax_history"
_FLOAT8_HELPERS = ("_scale", _FLOAT8_HISTORY)


class QuantizedSide:
    """One of the two stores, and which of its weights are quantized."""

    def __init__(self, store: WeightStore) -> None:
        self.store = store
        self._owners = quantized_owners(store)
        self._parts = parts_of(store, self._owners)

    def parts(self, ref: WeightRef) -> Mapping[str, WeightRef]:
        """All weights of its object, by name."""
        return self._parts.get(ref.owner, {})

    def is_quantized(self, ref: WeightRef) -> bool:
        """Whether it holds integers that stand for real numbers, or is rounded to float8 when it is used."""
        if ref.owner not in self._owners:
            return False
        return not is_floating(ref.dtype) or self._is_float8(ref)

    def is_real(self, ref: WeightRef) -> bool:
        """Whether it holds the real numbers themselves."""
        return is_floating(ref.dtype) and not self._is_float8(ref)

    def _is_float8(self, ref: WeightRef) -> bool:
        return f"{ref.name}{_FLOAT8_HISTORY}" in self.parts(ref)

    def float8_helpers(self, ref: WeightRef) -> list[WeightRef]:
        """The scales and histories of a float8 layer, those of its inputs and gradients too."""
        if not self._is_float8(ref):
            return []
        return [one for name, one in self.parts(ref).items() if name.endswith(_FLOAT8_HELPERS)]
