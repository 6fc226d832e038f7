"""From a model with computed weights to the plain model with the same outputs."""

from __future__ import annotations

from typing import Any

import keras

from weightkit.errors import RequestError
from weightkit.layers.parametrized.remaking import copy_weights, is_listed, remade, values_of, without_wrappers


def bake(model: Any) -> Any:
    """Fold every parametrization into plain weights.

    Args:
        model: A Functional or Sequential model, or one layer. A model of a class of your own is made of layers that
            are baked one by one.

    Returns:
        A new model, or layer, of Keras' own layers and yours, without wrappers: its weights are what was computed,
        and it needs no weightkit to be loaded. It is not compiled. The given one stays as it is. A tied weight
        becomes a copy.

    Raises:
        RequestError: It is a model of another kind, or has not been built.

    Example:
        >>> import keras
        >>> from weightkit.layers import LoRA, bake
        >>> model = keras.Sequential([keras.Input((5,)), LoRA(keras.layers.Dense(3), rank=2)])
        >>> [type(layer).__name__ for layer in bake(model).layers]
        ['Dense']
    """
    if not is_listed(model) and isinstance(model, keras.Model):
        raise RequestError(
            f"bake: {model.name!r} is a {type(model).__name__}, no Functional or Sequential model",
            hint="bake its layers one by one, and put them in their places",
        )
    if not isinstance(model, keras.layers.Layer):
        raise RequestError(f"bake: model={model!r} is no model and no layer")
    if not model.built:
        raise RequestError(f"bake: {model.name!r} has not been built and has no weights yet", hint="call it on data")
    plain = remade(model, without_wrappers)
    if not plain.built:
        plain.build_from_config(model.get_build_config())
    copy_weights(model, plain, values_of(model))
    return plain
