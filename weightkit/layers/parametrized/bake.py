"""From a model with computed weights to a plain model with the same outputs."""

from __future__ import annotations

from typing import Any

import keras

from weightkit.access.live import require_readable, variables_of
from weightkit.errors import RequestError
from weightkit.layers.parametrized.rebuilding import copy_weights, is_functional, rebuild, values_of, without_wrappers


def bake(model: Any) -> Any:
    """Replace every computed weight with a plain weight of the same value.

    Args:
        model: A Functional or Sequential model, or a layer. In a subclassed model, bake the layers one by one.

    Returns:
        A new model or layer without wrappers, whose weights have the computed values. It loads without weightkit, and
        is not compiled. The given model does not change. A tied weight becomes a copy.

    Raises:
        RequestError: It is another kind of model, is not built, or on JAX is in a step of a running ``fit``.

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
            hint="bake its layers one by one, and replace them",
        )
    if not isinstance(model, keras.layers.Layer):
        raise RequestError(f"bake: model must be a model or a layer, got {model!r}")
    if not model.built:
        raise RequestError(f"bake: {model.name!r} must be built, and is not", hint="call it on data first")
    require_readable(variables_of(model), f"bake: {model.name} cannot be read")
    plain = rebuild(model, without_wrappers)
    # A Sequential without an Input has its input shape only in the build configuration.
    if not plain.built:
        plain.build_from_config(model.get_build_config())
    copy_weights(model, plain, values_of(model))
    return plain
