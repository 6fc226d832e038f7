"""How far each weight is from the output, by the graph of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from weightkit.errors import RequestError
from weightkit.training.model.flags import trainable_variables_in

if TYPE_CHECKING:
    from collections.abc import Iterator


def depths_of(model: Any) -> dict[int, int]:
    """The depth of each weight that can be trained: how many layers with weights are after its own, at most.

    The longest path to an output counts, and for a layer or variable in several places the deepest one. A model in the
    model is entered; another layer with layers inside is one layer.

    Args:
        model: A Functional or Sequential model.

    Returns:
        The depths by ``id`` of the variable; 0 for the weights next to an output.

    Raises:
        RequestError: The model has no graph.
    """
    if _graph(model) is None:
        raise RequestError(
            f"{getattr(model, 'name', model)} must be Functional or Sequential: its layers have no graph",
            hint="pass selections to learning_rates",
        )
    found: dict[int, int] = {}
    for layer, depth in _layers(model, 0):
        for variable in _weights(layer):
            found[id(variable)] = max(depth, found.get(id(variable), 0))
    return found


def _layers(model: Any, below: int) -> Iterator[tuple[Any, int]]:
    """Each call of a layer with the number of layers with weights after it, models inside entered."""
    for layer, after in _calls(model):
        if _graph(layer) is None:
            yield layer, below + after
        else:
            yield from _layers(layer, below + after)


def _calls(model: Any) -> Iterator[tuple[Any, int]]:
    """Each call in the graph of one model, from the outputs on, with the longest path after it."""
    after: dict[int, int] = {}
    by_depth = _graph(model)._nodes_by_depth  # noqa: SLF001  # Keras 3.15 has no public accessor
    # A parent is always at a larger depth, which is the longest path in calls.
    for depth in sorted(by_depth):
        for node in by_depth[depth]:
            here = after.setdefault(id(node), 0)
            yield node.operation, here
            through = here + _length(node.operation)
            for parent in node.parent_nodes:
                after[id(parent)] = max(through, after.get(id(parent), 0))


def _length(layer: Any) -> int:
    """The most layers with weights on a path through a layer."""
    if _graph(layer) is None:
        return int(bool(_weights(layer)))
    return max((after + _length(inner) for inner, after in _calls(layer)), default=0)


def _weights(layer: Any) -> list[Any]:
    """The variables that can be trained in a layer and all inside it, frozen or not; none in an operation."""
    return trainable_variables_in(layer) if isinstance(layer, keras.layers.Layer) else []


def _graph(layer: Any) -> Any:
    """The Functional model that a layer is, or that Keras made of a Sequential; None for others."""
    inner = layer._functional if isinstance(layer, keras.Sequential) else layer  # noqa: SLF001
    return inner if hasattr(inner, "_nodes_by_depth") else None
