"""The live objects of Keras that may hold a layer: layers, models and functions, records of calls, symbolic tensors.

Keras has no list of models. Every object that Python can collect is looked at, so that models are found too that were
made before weightkit was imported, and those that share a layer with the model that is meant.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import keras
from keras.src.ops.node import Node
from keras.src.ops.operation import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class LiveObjects:
    """One look at all of them."""

    def __init__(self) -> None:
        """Look at them, also at models that only refer to themselves and are gone for their user."""
        self.operations: list[Any] = []
        """Layers, models and functions; other operations hold no layers."""
        self.nodes: list[Any] = []
        """Records of calls in graphs."""
        self.tensors: list[Any] = []
        """Symbolic tensors."""
        lists: dict[type, list[Any] | None] = {}
        for one in gc.get_objects():
            # By type: `isinstance` runs the code of proxies that other packages keep.
            kind = type(one)
            if kind not in lists:
                lists[kind] = self._list_of(kind)
            if (found := lists[kind]) is not None:
                found.append(one)
        self._parents: dict[int, list[Any]] = {}
        for one in self.operations:
            for child in children_of(one):
                self._parents.setdefault(id(child), []).append(one)

    def _list_of(self, kind: type) -> list[Any] | None:
        if issubclass(kind, keras.layers.Layer | keras.Function):
            return self.operations
        if issubclass(kind, Node):
            return self.nodes
        return self.tensors if issubclass(kind, keras.KerasTensor) else None

    def parents(self, layer: Any) -> list[Any]:
        """The layers and models that have this one among their layers."""
        return self._parents.get(id(layer), [])

    def above(self, layers: Iterable[Any]) -> list[Any]:
        """All layers and models that these are in, each once, at any depth."""
        found: dict[int, Any] = {}
        waiting = list(layers)
        while waiting:
            for parent in self.parents(waiting.pop()):
                if id(parent) not in found:
                    found[id(parent)] = parent
                    waiting.append(parent)
        return list(found.values())


def look_around(model: Any, layers: Sequence[Any]) -> LiveObjects:
    """Look at them for some layers of a model.

    Where others hold the layers too, those that are gone for their user are removed first, which takes longer.
    """
    live, known = LiveObjects(), inside(model)
    if all(id(one) in known for one in live.above(layers)):
        return live
    del live
    gc.collect()
    return LiveObjects()


def children_of(layer: Any) -> Iterator[Any]:
    """The layers directly in a layer, also the graph of a Sequential model, which its ``layers`` leave out."""
    if isinstance(layer, keras.layers.Layer) and hasattr(layer, "_tracker"):
        seen: set[int] = set()
        for child in (*layer._layers, *layer._tracker.config["layers"][1]):  # noqa: SLF001
            if id(child) not in seen:
                seen.add(id(child))
                yield child


def inside(layer: Any) -> dict[int, Any]:
    """The layer and all layers in it, by ``id``."""
    found = {id(layer): layer}
    waiting = [layer]
    while waiting:
        for child in children_of(waiting.pop()):
            if id(child) not in found:
                found[id(child)] = child
                waiting.append(child)
    return found


def is_operation(thing: Any) -> bool:
    """Whether it is a layer, a model, or another operation of Keras."""
    return issubclass(type(thing), Operation)
