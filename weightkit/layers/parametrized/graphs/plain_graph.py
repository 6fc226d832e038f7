"""A model that Keras can rebuild from its configuration, with the layers of a model that it cannot."""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any

import keras
from keras.src.models.functional import Functional

from weightkit.errors import RequestError
from weightkit.layers.parametrized.graphs.flat_graph import flat_graph, shares_layers
from weightkit.layers.parametrized.graphs.listed_layers import graph_of, leaf_layers, models_inside
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 5


@contextlib.contextmanager
def plain_graph(model: Any, verb: str) -> Iterator[Any]:
    """Give a model that lists its layers in its configuration, with the layers and weights of the given one.

    Args:
        model: A built Functional or Sequential model, or of a subclass of these.
        verb: The function that needs it, for messages.

    Yields:
        The model itself where its configuration lists its layers, else a plain Functional model. It is flat where
        models in it share layers: from a configuration, Keras 3.15 would make one layer for each model.

    Raises:
        RequestError: A class has a ``call`` of its own, or weights outside its graph.
    """
    for one in models_inside(model):
        _require_graph_is_all(one, verb)
    if shares_layers(model):
        with flat_graph(model, verb) as flat:
            yield flat
    else:
        yield plain_model(model)


def plain_model(model: Any) -> Any:
    """The model itself where its configuration lists its layers, else a plain Functional model of the same layers."""
    if lists_layers(model):
        return model
    graph = graph_of(model)
    made = keras.Model(graph._inputs_struct, graph._outputs_struct, name=model.name)  # noqa: SLF001
    made._trainable = model._trainable  # noqa: SLF001  # Keras' setter would set the flags of all layers
    return made


def lists_layers(model: Any) -> bool:
    """Whether ``from_config(get_config())`` makes the model from the layers in the configuration."""
    if isinstance(model, keras.Sequential) and not _has_same_constructor(type(model), keras.Sequential):
        return False
    try:
        config = model.get_config()
    except Exception:  # noqa: BLE001  # anything, of a class or of a layer, which `rebuild` names
        return False
    if not isinstance(config.get("layers"), list):
        return False
    return "output_layers" in config or isinstance(model, keras.Sequential)


def _has_same_constructor(kind: type[Any], base: type[Any]) -> bool:
    ours, theirs = (inspect.getfullargspec(one.__init__) for one in (kind, base))
    return ours == theirs


def require_separate_weights(model: Any, verb: str) -> None:
    """Refuse a model in which two layers hold a weight, as a head does whose attribute is a table that embeds.

    Raises:
        RequestError: There are such layers: from their configurations, Keras 3.15 makes a weight for each.
    """
    holders: dict[int, Any] = {}
    for layer in leaf_layers(model):
        for weight in layer.weights:
            first = holders.setdefault(id(weight), layer)
            if first is not layer:
                raise RequestError(
                    f"{verb}: {first.name!r} and {layer.name!r} both hold {weight.path}, and would no longer share it "
                    "in a rebuilt model",
                    hint="call one layer in both places, or use Tied",
                )


def _require_graph_is_all(model: Any, verb: str) -> None:
    """Refuse a model that computes or holds what its graph does not show.

    Raises:
        RequestError: It has a ``call`` of its own that a rebuilt model would not have, or weights outside its graph.
    """
    kind = type(model)
    if kind.call not in (Functional.call, keras.Sequential.call) and not lists_layers(model):
        raise RequestError(
            f"{verb}: {kind.__name__} {model.name!r} has a call() of its own, which its graph does not show",
            hint="make it a Functional model, or wrap its layers one by one in its constructor",
        )
    inside = {id(weight) for layer in leaf_layers(model) for weight in layer.weights}
    outside = [weight.path for weight in model.weights if id(weight) not in inside]
    if outside:
        raise RequestError(
            f"{verb}: {kind.__name__} {model.name!r} has weights outside its graph, which a rebuilt model would lose: "
            f"{listed(outside, _SHOWN)}",
            hint="make the layers that hold them part of the graph",
        )
