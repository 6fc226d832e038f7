"""What weightkit's plain layers save, by class and configuration, since Keras files store no names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.names.class_table import NamedWeight
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weightkit.access.names.reading import Weights
    from weightkit.access.names.serialized_layer import Serialized

PACKAGE = "weightkit"

_WEIGHTS: Mapping[str, tuple[str, ...]] = {
    "CheckedEmbedding": ("embeddings a,b",),
    "CosineDense": ("kernel a,b",),
    "FiLM": ("kernel a,b", "bias b"),
    "GlobalResponseNorm": ("gamma a", "beta a"),
    "GradientReversal": ("factor () state",),
    "HyperDense": ("kernel a,b", "kernel_bias b", "output_kernel c,d", "output_bias d", "bias d use_bias"),
    "LayerScale": ("scale *A",),
    "Maxout": ("kernel a,b", "bias b use_bias"),
    "NoisyDense": ("kernel a,b", "kernel_sigma a,b", "bias b use_bias", "bias_sigma b use_bias"),
    "StochasticDepth": (),
}
"""In save order: the name, the sizes as in Keras' table, then ``state``, or the flag that it needs."""


def is_plain(layer: Serialized) -> bool:
    """Whether a configuration is that of one of weightkit's plain layers."""
    return layer.package == PACKAGE and layer.class_name in _WEIGHTS


def weights_of(layer: Serialized) -> Weights:
    """What the layer saves itself, in its save order.

    Example:
        >>> from weightkit.access.names.serialized_layer import Serialized
        >>> maxout = Serialized("Maxout", {"use_bias": False}, builtin=False, package="weightkit")
        >>> [weight.name for weight in weights_of(maxout)]
        ['kernel']
    """
    found = []
    for text in _WEIGHTS[layer.class_name]:
        name, sizes, *rest = text.split(" ")
        state = rest == ["state"]
        if state or all(layer.config.get(flag, True) for flag in rest):
            dimensions = () if sizes == "()" else tuple(sizes.split(","))
            rank = None if sizes.startswith("*") else len(dimensions)
            kind = Kind.STATE if state else Kind.PARAMETER
            found.append(NamedWeight(name, kind, rank, integer=False, dimensions=dimensions))
    return tuple(found)
