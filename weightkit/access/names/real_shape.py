"""What belongs to a quantized weight of Keras, and the shape of the real numbers that it stands for."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from weightkit.access.ref import WeightRef

QUANTIZED = frozenset({"kernel", "embeddings", "reverse_embeddings"})
"""The names of the weights that Keras quantizes; its scales, zero points and groups have other names."""
_BITS_4 = 2  # integers in a byte


def parts_of(refs: Iterable[WeightRef], owners: Container[str]) -> dict[str, dict[str, WeightRef]]:
    """The weights of some objects by name, for each object by its structural address."""
    found: dict[str, dict[str, WeightRef]] = defaultdict(dict)
    for ref in refs:
        if ref.owner in owners and ref.name is not None:
            found[ref.owner][ref.name] = ref
    return found


def real_shape(ref: WeightRef, parts: Mapping[str, WeightRef]) -> tuple[int, ...]:
    """The shape before it was quantized: of int4 that of the integers in it, and for GPTQ and AWQ transposed back.

    Only shapes are looked at. Where they do not tell (an EinsumDense in 4 bits, and an Embedding without groups), it is
    the stored one.

    Args:
        ref: The weight.
        parts: All weights of its object, by name.
    """
    scale, groups = parts.get(f"{ref.name}_scale"), parts.get("g_idx")
    if scale is None or not scale.shape or len(ref.shape) != 2 or ref.dtype.kind not in "iu":  # noqa: PLR2004
        return ref.shape
    if ref.dtype.name == "uint8":
        return ref.shape if ref.layer_class == "EinsumDense" else (ref.shape[1], scale.shape[0])
    if ref.name == "kernel":
        is_packed = ref.layer_class != "EinsumDense" and ref.shape[1] == -(-scale.shape[-1] // _BITS_4)
        return (ref.shape[0], scale.shape[-1]) if is_packed else ref.shape
    if groups is None or f"{ref.name}_zero" not in parts:
        return ref.shape
    return (ref.shape[0], groups.size) if ref.name == "embeddings" else (groups.size, ref.shape[1])
