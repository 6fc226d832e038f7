"""The order in which Keras has a Functional model's layers after it was built from its configuration.

It follows from the graph, not from the configuration's list: ``keras.src.ops.function.map_graph`` (Keras 3.15) sorts
layers by depth, and those of one depth in the order in which a walk from the outputs finds them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Call = tuple[str, int]
"""A layer's name and which of its calls."""

_TENSOR = "__keras_tensor__"


def graph_order(config: Mapping[str, Any]) -> list[str] | None:
    """The names of the layers in Keras' order; None where the configuration's graph cannot be read.

    Layers that no output depends on are left out.
    """
    calls, outputs = _calls(config.get("layers")), [*_outputs(config.get("output_layers"))]
    if calls is None or not outputs:
        return None
    walked = _walk([_last_of(call, calls) for call in outputs], calls)
    return None if walked is None else _by_depth(*walked, calls)


def _calls(layers: Any) -> dict[Call, list[Call]] | None:
    """Every call of every layer with the calls whose outputs it takes; None where it is in Keras 2's form."""
    if not isinstance(layers, list):
        return None
    found: dict[Call, list[Call]] = {}
    for layer in layers:
        if not isinstance(layer, Mapping) or not isinstance(layer.get("name"), str):
            return None
        nodes = layer.get("inbound_nodes")
        if not isinstance(nodes, list) or not all(isinstance(node, Mapping) for node in nodes):
            return None
        # An input layer is called by nobody, and has one output all the same.
        for number, node in enumerate(nodes or [{}]):
            found[layer["name"], number] = [*_tensors([node.get("args"), node.get("kwargs")])]
    return found


def _tensors(value: Any) -> Iterator[Call]:
    """The calls that the tensors in a call's arguments come from, in the order in which Keras flattens them."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, list):
            stack.extend(reversed(one))
        elif isinstance(one, Mapping) and one.get("class_name") == _TENSOR:
            config = one.get("config")
            yield from _outputs(config.get("keras_history") if isinstance(config, Mapping) else None)
        elif isinstance(one, Mapping):
            stack.extend(one[key] for key in sorted(one, reverse=True))


def _outputs(value: Any) -> Iterator[Call]:
    """``["dense", 0, 0]``, alone or in lists and dictionaries."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, list):
            if len(one) == 3 and isinstance(one[0], str) and isinstance(one[1], int):  # noqa: PLR2004
                yield one[0], one[1]
            else:
                stack.extend(reversed(one))
        elif isinstance(one, Mapping):
            stack.extend(one[key] for key in sorted(one, reverse=True))


def _last_of(call: Call, calls: Mapping[Call, list[Call]]) -> Call:
    """A nested Functional model counts its calls from one, as its first is its own."""
    name, number = call
    return call if call in calls or number < 1 else (name, number - 1)


def _walk(outputs: list[Call], calls: Mapping[Call, list[Call]]) -> tuple[list[Call], dict[str, int]] | None:
    """All calls, inputs first, and the order in which layers are found from the outputs; None where one is missing."""
    finished: set[Call] = set()
    done: list[Call] = []
    found: dict[str, int] = {}
    for output in outputs:
        stack: list[tuple[Call, Iterator[Call]]] = []
        waiting: Call | None = output
        open_calls: set[Call] = set()
        while waiting is not None or stack:
            if waiting is not None:
                if waiting not in finished:
                    if waiting in open_calls or waiting not in calls:
                        return None
                    open_calls.add(waiting)
                    found.setdefault(waiting[0], len(found))
                    stack.append((waiting, iter([_last_of(call, calls) for call in calls[waiting]])))
                waiting = None
                continue
            call, above = stack[-1]
            waiting = next(above, None)
            if waiting is None:
                stack.pop()
                finished.add(call)
                done.append(call)
    return done, found


def _by_depth(done: list[Call], found: Mapping[str, int], calls: Mapping[Call, list[Call]]) -> list[str]:
    """Layers by how many calls are between them and an output at most, the deepest first."""
    depths: dict[Call, int] = {}
    of_layer: dict[str, int] = {}
    for call in reversed(done):
        depth = max(depths.get(call, 0), of_layer.get(call[0], 0))
        of_layer[call[0]] = depths[call] = depth
        for above in (_last_of(one, calls) for one in calls[call]):
            depths[above] = max(depth + 1, depths.get(above, 0))
    return sorted(of_layer, key=lambda name: (-of_layer[name], found[name]))
