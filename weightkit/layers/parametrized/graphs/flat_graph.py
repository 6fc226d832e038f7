"""A model without models in it, as a graph of the same layers."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError
from weightkit.layers.parametrized.graphs.listed_layers import graph_of, is_functional, leaf_layers, models_inside

if TYPE_CHECKING:
    from collections.abc import Iterator


def shares_layers(model: Any) -> bool:
    """Whether a layer is in two of the nested models, or in one and in the model around it."""
    holders: dict[int, Any] = {}
    pairs = ((layer, holder) for holder in models_inside(model) for layer in holder.layers)
    return any(
        holders.setdefault(id(layer), holder) is not holder
        for layer, holder in pairs
        if not isinstance(layer, keras.layers.InputLayer)
    )


@contextlib.contextmanager
def flat_graph(model: Any, verb: str) -> Iterator[Any]:
    """Give a Functional model that calls the layers of all nested models directly.

    Args:
        model: A built Functional or Sequential model with others in it.
        verb: The function that needs it, for messages.

    Yields:
        The model. Its layers are those of the given model, whose records of calls are restored in the end.

    Raises:
        RequestError: Two layers have the same name, or a nested model is called in a way that its layers are not.
    """
    counted = Counter(layer.name for layer in leaf_layers(model))
    double = next((name for name, count in counted.items() if count > 1), None)
    if double is not None:
        raise RequestError(
            f"{verb}: models in {model.name!r} share layers, so they become one, in which {double!r} must be the name "
            f"of one layer, and is the name of {counted[double]}",
            hint="give each layer a name of its own",
        )
    graph = graph_of(model)
    with _restored_nodes(model):
        outputs = _outputs(graph, graph.inputs, None, verb)
        flat = keras.Model(graph._inputs_struct, outputs, name=model.name)  # noqa: SLF001
        flat._trainable = model._trainable  # noqa: SLF001  # Keras' setter would set the flags of all layers
        yield flat


def _outputs(graph: Any, inputs: list[Any], training: bool | None, verb: str) -> Any:
    """The outputs of a model for other symbolic inputs, through its layers and those of models in it."""

    def called(operation: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            # As a Functional model of Keras 3.15 gives it to its layers.
            if training is not None and "training" in getattr(operation, "_call_context_args", ()):
                kwargs["training"] = training
            if not is_functional(operation):
                return operation(*args, **kwargs)
            return _outputs(graph_of(operation), _inputs(operation, args, kwargs, verb), kwargs.get("training"), verb)

        return call

    return graph._run_through_graph(inputs, operation_fn=called)  # noqa: SLF001


def _inputs(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], verb: str) -> list[Any]:
    """The inputs in the order of the nested model's own.

    Raises:
        RequestError: The nested model would convert them, or gets other arguments.
    """
    graph = graph_of(model)
    given, *others = (*args, *([kwargs["inputs"]] if "inputs" in kwargs else []))
    struct = graph._inputs_struct  # noqa: SLF001
    if isinstance(struct, dict) and isinstance(given, dict):
        given = {key: given.get(key) for key in struct}
    found: list[Any] = keras.tree.flatten(given)
    plain = len(found) == len(graph.inputs) and all(map(_is_like, found, graph.inputs))
    if others or _others(kwargs) or not plain:
        raise RequestError(
            f"{verb}: {model.name!r} shares a layer with another model, and must be called with inputs of its own "
            "dtypes and ranks, without masks and other arguments than training",
            hint="convert the inputs before the call, and make masks inside the model",
        )
    return found


def _others(kwargs: dict[str, Any]) -> list[Any]:
    """What a call gives beside inputs and training; Keras adds the masks of inputs, most of which are None."""
    values = keras.tree.flatten([value for key, value in kwargs.items() if key not in ("inputs", "training")])
    return [value for value in values if value is not None]


def _is_like(given: Any, own: Any) -> bool:
    """Whether a model passes an input on as it is."""
    return given is not None and given.dtype == own.dtype and len(given.shape) == len(own.shape)


@contextlib.contextmanager
def _restored_nodes(model: Any) -> Iterator[None]:
    """Remove the calls of layers that are made inside, of which Keras keeps a record in each layer."""
    operations = {id(one): one for holder in models_inside(model) for one in graph_of(holder).operations}.values()
    records = [record for one in operations for record in (one._inbound_nodes, one._outbound_nodes)]  # noqa: SLF001
    lengths = [len(record) for record in records]
    try:
        yield
    finally:
        for record, length in zip(records, lengths, strict=True):
            del record[length:]
