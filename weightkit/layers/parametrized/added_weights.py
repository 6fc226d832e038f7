"""The arguments that Keras' layers have for each of their weights: how it begins, what it costs, what holds it."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS = {"initializer": keras.initializers, "regularizer": keras.regularizers, "constraint": keras.constraints}


def set_weight_arguments(layer: Any, name: str, initializer: Any, regularizer: Any, constraint: Any) -> None:
    """Give a layer the attributes ``NAME_initializer``, ``NAME_regularizer`` and ``NAME_constraint``.

    Args:
        layer: The layer, in its constructor.
        name: The weight's name.
        initializer: As Keras takes it, or a number: the constant.
        regularizer: As Keras takes it.
        constraint: As Keras takes it.

    Raises:
        RequestError: One of them is nothing that Keras knows.
    """
    if isinstance(initializer, numbers.Real):
        initializer = keras.initializers.Constant(float(initializer))
    given = {"initializer": initializer, "regularizer": regularizer, "constraint": constraint}
    for kind, value in given.items():
        try:
            setattr(layer, f"{name}_{kind}", _KINDS[kind].get(value))
        except (TypeError, ValueError) as error:
            raise RequestError(f"{name}_{kind}={value!r} is no {kind} that Keras knows") from error


def add(layer: Any, name: str, shape: Sequence[int], otherwise: Any = None) -> Any:
    """Make the weight, in the layer's ``build``; ``otherwise`` it begins so, where its initializer is None."""
    arguments = {kind: getattr(layer, f"{name}_{kind}") for kind in _KINDS}
    arguments["initializer"] = otherwise if arguments["initializer"] is None else arguments["initializer"]
    return layer.add_weight(name=name, shape=tuple(shape), **arguments)


def weight_config(layer: Any, name: str) -> dict[str, Any]:
    """The three arguments, for the layer's ``get_config``."""
    return {f"{name}_{kind}": _plain(home, getattr(layer, f"{name}_{kind}")) for kind, home in _KINDS.items()}


def _plain(home: Any, value: Any) -> Any:
    return None if value is None else home.serialize(value)
