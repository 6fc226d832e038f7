"""Weights that are stored twice: Keras saves the kernel inside a SpectralNormalization as the wrapper's too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.ref import WeightRef

_WRAPPERS = {"SpectralNormalization": "layer"}
"""Classes that save a weight of the layer inside as their own, and the attribute that holds that layer."""


def originals(refs: Iterable[WeightRef]) -> dict[WeightRef, WeightRef]:
    """For each second copy of a weight, the weight of the layer inside: both must hold the same values."""
    listed = list(refs)
    named = {(ref.owner, ref.name): ref for ref in listed}
    found = {}
    for ref in listed:
        attribute = _WRAPPERS.get(ref.layer_class or "")
        if attribute is None or ref.kind is not Kind.PARAMETER:
            continue
        inside = named.get((f"{ref.owner.removesuffix('vars')}{attribute}/vars", ref.name))
        if inside is not None and inside.shape == ref.shape:
            found[ref] = inside
    return found
