"""weightkit's own layers and parametrizations in a configuration: what is registered under its package, no other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from weightkit.access.names.class_table import own_table

if TYPE_CHECKING:
    from weightkit.access.configured import Configured
    from weightkit.access.names.class_table import LayerClass
    from weightkit.access.names.serialized_layer import Serialized

_MEANS, _SIGMAS = frozenset({"kernel", "bias"}), frozenset({"kernel_sigma", "bias_sigma"})


def is_own(layer: Serialized | Configured) -> bool:
    """Whether a class is registered under weightkit's package."""
    return layer.package == own_table().package


def find(layer: Serialized) -> LayerClass | None:
    """The entry of one of weightkit's plain layers; None for any other class.

    Example:
        >>> from weightkit.access.names.serialized_layer import Serialized
        >>> found = find(Serialized("Maxout", {}, builtin=False, package="weightkit"))
        >>> [[weight.name for weight in case.weights] for case in found.cases]
        [['kernel', 'bias'], ['kernel']]
        >>> find(Serialized("Maxout", {}, builtin=False, package="mine"))
    """
    return own_table().classes.get(layer.class_name) if is_own(layer) else None


def find_parametrization(step: Serialized) -> LayerClass | None:
    """The entry of one of weightkit's parametrizations; None for any other class."""
    return own_table().parametrizations.get(step.class_name) if is_own(step) else None


def initializer_of(configured: Configured, name: str, inputs: int | None) -> dict[str, Any] | None:
    """The initializer of a weight that has none in the configuration: those of NoisyDense depend on its inputs.

    Args:
        configured: The configuration of one of weightkit's layers.
        name: The weight's own name.
        inputs: How many inputs the layer has.
    """
    if configured.layer_class != "NoisyDense" or not inputs or name not in _MEANS | _SIGMAS:
        return None
    factorized = configured.config.get("noise", "factorized") == "factorized"
    if name in _MEANS:
        limit = 1 / math.sqrt(inputs) if factorized else math.sqrt(3 / inputs)
        return {"class_name": "RandomUniform", "config": {"minval": -limit, "maxval": limit}}
    sigma = configured.config.get("sigma")
    if not isinstance(sigma, int | float):
        return None
    return {"class_name": "Constant", "config": {"value": sigma / math.sqrt(inputs) if factorized else sigma}}
