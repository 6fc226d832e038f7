"""The arguments that a layer has for each of its weights: initializer, regularizer, constraint."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS = {"initializer": keras.initializers, "regularizer": keras.regularizers, "constraint": keras.constraints}


def set_weight_arguments(layer: Any, name: str, initializer: Any, regularizer: Any, constraint: Any) -> None:
    """Set the attributes ``NAME_initializer``, ``NAME_regularizer`` and ``NAME_constraint`` of a layer.

    Args:
        layer: The layer, in its constructor.
        name: The weight's name.
        initializer: Anything that Keras accepts, or a number for a constant.
        regularizer: Anything that Keras accepts.
        constraint: Anything that Keras accepts.

    Raises:
        RequestError: Keras does not know one of them.
    """
    if isinstance(initializer, numbers.Real):
        initializer = keras.initializers.Constant(float(initializer))
    given = {"initializer": initializer, "regularizer": regularizer, "constraint": constraint}
    for kind, value in given.items():
        try:
            setattr(layer, f"{name}_{kind}", _KINDS[kind].get(value))
        except (TypeError, ValueError) as error:
            article = "an" if kind[0] in "aeiou" else "a"
            problem = f"{name}_{kind} must be {article} {kind} that Keras knows, got {value!r}"
            raise RequestError(problem) from error


def add_weight(layer: Any, name: str, shape: Sequence[int], otherwise: Any = None) -> Any:
    """Add the weight, in the layer's ``build``; ``otherwise`` is its initializer where that argument is None."""
    arguments = {kind: getattr(layer, f"{name}_{kind}") for kind in _KINDS}
    arguments["initializer"] = otherwise if arguments["initializer"] is None else arguments["initializer"]
    return layer.add_weight(name=name, shape=tuple(shape), **arguments)


def weight_config(layer: Any, name: str) -> dict[str, Any]:
    """The three arguments, serialized for the layer's ``get_config``."""
    return {f"{name}_{kind}": _serialized(home, getattr(layer, f"{name}_{kind}")) for kind, home in _KINDS.items()}


def _serialized(home: Any, value: Any) -> Any:
    return None if value is None else home.serialize(value)
