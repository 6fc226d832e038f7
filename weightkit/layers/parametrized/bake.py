"""From a model with computed weights to a plain model with the same outputs."""

from __future__ import annotations

import contextlib
from typing import Any

import keras

from weightkit.access.live import require_readable, variables_of
from weightkit.errors import RequestError
from weightkit.layers.parametrized.graphs.listed_layers import is_functional
from weightkit.layers.parametrized.graphs.plain_graph import plain_graph
from weightkit.layers.parametrized.rebuilding import copy_weights, rebuild, values_of, without_wrappers


def bake(model: Any) -> Any:
    """Replace every computed weight with a plain weight of the same value.

    Args:
        model: A Functional or Sequential model, or a layer. In a subclassed model, bake the layers one by one. What a
            subclass of Functional becomes is in `parametrize`.

    Returns:
        A new model or layer without wrappers, whose weights have the computed values. It loads without weightkit, and
        is not compiled. The given model does not change. A tied weight becomes a copy.

    Raises:
        RequestError: It is another kind of model, is not built, or on JAX is in a step of a running ``fit``; its class
            computes or holds what its graph does not show, or a layer cannot be made from its configuration.

    Example:
        >>> import keras
        >>> from weightkit.layers import LoRA, bake
        >>> model = keras.Sequential([keras.Input((5,)), LoRA(keras.layers.Dense(3), rank=2)])
        >>> [type(layer).__name__ for layer in bake(model).layers]
        ['Dense']
    """
    if not is_functional(model) and isinstance(model, keras.Model):
        raise RequestError(
            f"bake: model must be Functional, Sequential or a layer, got {type(model).__name__} {model.name!r}",
            hint="copy bake(layer).get_weights() of each layer into a model that is made without wrappers",
        )
    if not isinstance(model, keras.layers.Layer):
        raise RequestError(f"bake: model must be a model or a layer, got {model!r}")
    if not model.built:
        raise RequestError(f"bake: {model.name!r} must be built, and is not", hint="call it on data first")
    require_readable(variables_of(model), f"bake: {model.name} cannot be read")
    with plain_graph(model, "bake") if is_functional(model) else contextlib.nullcontext(model) as graph:
        plain = rebuild(graph, without_wrappers)
        # A Sequential without an Input has its input shape only in the build configuration.
        if not plain.built:
            plain.build_from_config(graph.get_build_config())
        copy_weights(graph, plain, values_of(graph))
    return plain
