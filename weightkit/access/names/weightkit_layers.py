"""weightkit's own layers and parametrizations in a configuration: what is registered under its package, no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.names.class_table import own_table

if TYPE_CHECKING:
    from weightkit.access.names.class_table import LayerClass
    from weightkit.access.names.serialized_layer import Serialized


def is_own(layer: Serialized) -> bool:
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
