"""Models that list their layers: Functional and Sequential ones, their subclasses, and those nested in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTED = ("Sequential", "Functional")


def is_functional(model: Any) -> bool:
    """Whether a model is a Functional or Sequential one, or of a subclass of these."""
    return isinstance(model, keras.Model) and model._obj_type() in _LISTED  # noqa: SLF001  # Keras has no other way


def require_functional(model: Any, verb: str, hint: str) -> None:
    """Refuse a model that cannot be rebuilt from its graph.

    Raises:
        RequestError: It is not a Functional or Sequential model.
    """
    if not is_functional(model):
        what = f"{type(model).__name__} {model.name!r}" if isinstance(model, keras.layers.Layer) else repr(model)
        raise RequestError(f"{verb}: model must be a Functional or Sequential model, got {what}", hint=hint)


def leaf_layers(model: Any) -> Iterator[Any]:
    """The layers of a model and of models in it, without these models and inputs, each once, in order.

    A model and one in it may have the same input, of which a configuration makes two.
    """
    seen: set[int] = set()
    for layer in model.layers:
        below = leaf_layers(layer) if is_functional(layer) else iter((layer,))
        for one in below:
            if id(one) not in seen and not isinstance(one, keras.layers.InputLayer):
                seen.add(id(one))
                yield one


def models_inside(model: Any) -> Iterator[Any]:
    """The model and the Functional and Sequential models nested in it, each once."""
    seen, left = {id(model)}, [model]
    while left:
        one = left.pop()
        yield one
        for layer in one.layers:
            if is_functional(layer) and id(layer) not in seen:
                seen.add(id(layer))
                left.append(layer)


def graph_of(model: Any) -> Any:
    """The graph of a model; a Sequential model keeps it in a Functional one.

    Raises:
        RequestError: A Sequential model has none: it is not built, or a layer has several inputs.
    """
    if not isinstance(model, keras.Sequential):
        return model
    if model._functional is None:  # noqa: SLF001  # Keras 3.15 has no public name for it
        raise RequestError(f"{model.name!r} must be built as a graph, and is not", hint="begin it with an Input")
    return model._functional  # noqa: SLF001
