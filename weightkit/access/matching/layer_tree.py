"""The weights of a store as a tree of layers, by known names, else by the format's own path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.matching.own_weights import meaning
from weightkit.access.names.automatic_names import automatic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from weightkit.access.ref import WeightRef

Shape: TypeAlias = tuple[int, ...]
Signature: TypeAlias = tuple[object, ...]


@dataclass(slots=True, eq=False)
class Layer:
    """A layer or model: its own weights by name, and the layers in it, in the order of the store."""

    name: str = ""
    weights: dict[str, WeightRef] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    layer_class: str | None = None
    _signature: Signature | None = None

    @property
    def automatic(self) -> tuple[str, int] | None:
        """Class part and number of an automatic name."""
        return automatic(self.name, self.layer_class)

    @property
    def base_name(self) -> str:
        """Its name; of an automatic one, the class part."""
        found = self.automatic
        return self.name if found is None else found[0]

    @property
    def only(self) -> Layer | None:
        """The one layer that this one holds, where it holds nothing else."""
        return next(iter(self.layers.values())) if len(self.layers) == 1 and not self.weights else None

    @property
    def signature(self) -> Signature:
        """What the weights in it and below it are, with their shapes and the given names of the layers around them."""
        if self._signature is None:  # kept, since a layer is compared with many others
            only = self.only
            if only is not None and only.automatic:  # a cell, or what a wrapper holds
                self._signature = only.signature
            else:
                own = sorted((meaning(name), ref.shape) for name, ref in self.weights.items())
                below = ((layer.base_name, layer.signature) for layer in self.layers.values())
                self._signature = (tuple(own), tuple(sorted(below, key=repr)))
        return self._signature

    def leaves(self) -> Iterator[tuple[tuple[Layer, ...], Layer]]:
        """All layers with weights of their own, each with the layers from the first below this one down to it."""
        stack: list[tuple[tuple[Layer, ...], Layer]] = [((), self)]
        while stack:
            path, layer = stack.pop()
            if layer.weights:
                yield path, layer
            stack.extend(((*path, below), below) for below in reversed(layer.layers.values()))

    def refs(self) -> Iterator[WeightRef]:
        """All weights in it and below it; not by recursion, which takes a step per level for each weight."""
        stack = [self]
        while stack:
            layer = stack.pop()
            yield from layer.weights.values()
            stack.extend(reversed(layer.layers.values()))


def by_name(refs: Iterable[WeightRef]) -> Layer:
    """The tree of the name addresses; a weight without one is placed by its structural address."""
    root = Layer()
    for ref in refs:
        *layers, weight = address(ref)
        node = root
        for place, step in enumerate(layers):
            node = node.layers.setdefault(step, Layer(step.removeprefix("/")))
            if place < len(ref.around):
                node.layer_class = ref.around[place]
        node.layer_class = ref.layer_class
        node.weights[weight] = ref
    return root


def address(ref: WeightRef) -> tuple[str, ...]:
    """The steps to a weight: the names of its layers and its own, where they are known, else the format's path."""
    if ref.layer is None and not ref.near:
        return tuple(ref.structure.split("/"))
    layers = ref.near if ref.layer is None else filter(None, ref.layer.split("/"))
    name = ref.name if ref.name is not None else f"[{ref.index}]"
    mark = "" if ref.duplicate == 1 else f"#{ref.duplicate}"
    return (*layers, name + mark)


def is_given(ref: WeightRef) -> bool:
    """Whether its whole address is known and has only user-given names."""
    if ref.layer is None or ref.name is None:
        return False
    return not any(automatic(name, ref.layer_class) for name in ref.layer.split("/"))
