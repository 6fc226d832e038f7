"""Which layers store quantized numbers: integers that stand for real weights, beside floats that scale them.

Layers that quantize in training (QKeras, HGQ) keep real kernels, with helper variables that may have the names of
Keras' scales, or be bytes. These are plain weights.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.names.class_weights import find
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from weightkit.access.ref import WeightRef

_OF_FLOAT8 = "_amax_history"
"""The ending of names of Keras' float8, which quantizes without integers."""


def quantized_owners(refs: Iterable[WeightRef]) -> set[str]:
    """The structural addresses of the objects that store quantized numbers."""
    known = list(refs)
    if not any(ref.kind is Kind.QUANTIZATION or _is_byte(ref.dtype) for ref in known):  # nearly always
        return set()
    return {owner for owner, own in _by_owner(known).items() if _is_quantized(own)}


def with_plain_helpers(refs: Sequence[WeightRef], kind: Kind) -> list[WeightRef]:
    """The weights; what only has the name of a scale, in a layer of no quantized numbers, gets this kind instead."""
    if not any(ref.kind is Kind.QUANTIZATION for ref in refs):
        return list(refs)
    quantized = quantized_owners(refs)
    return [replace(ref, kind=kind, trainable=None) if _is_named_only(ref, quantized) else ref for ref in refs]


def _is_named_only(ref: WeightRef, quantized: set[str]) -> bool:
    return ref.kind is Kind.QUANTIZATION and ref.owner not in quantized


def _by_owner(refs: Iterable[WeightRef]) -> dict[str, list[WeightRef]]:
    found: dict[str, list[WeightRef]] = defaultdict(list)
    for ref in refs:
        found[ref.owner].append(ref)
    return found


def _is_quantized(own: Sequence[WeightRef]) -> bool:
    """Whether one object's weights are quantized: by its class in Keras, by the kinds of its integers, or by a look."""
    named = [ref for ref in own if ref.kind is Kind.QUANTIZATION]
    if any(find(ref.layer_class or "") is not None or (ref.name or "").endswith(_OF_FLOAT8) for ref in named):
        return True
    if any(not is_floating(ref.dtype) for ref in named):
        return True
    # Floats of other shapes scale a custom layer's bytes; the bits of a quantizer have the shape of its other numbers.
    floats = {ref.shape for ref in own if is_floating(ref.dtype)}
    unclear = (ref for ref in own if ref.kind in {Kind.UNKNOWN, Kind.PARAMETER} and _is_byte(ref.dtype))
    return any(floats - {ref.shape} for ref in unclear)


def _is_byte(dtype: np.dtype) -> bool:
    return dtype.kind in "iu" and dtype.itemsize == 1
