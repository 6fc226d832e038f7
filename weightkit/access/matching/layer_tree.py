"""The weights of a store as a tree of layers, by known names, else by the format's own path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

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
    def signature(self) -> Signature:
        """Names and shapes of all weights in it and below it, with automatic names without numbers."""
        if self._signature is None:  # kept, since a layer is compared with many others
            own = sorted((name, ref.shape) for name, ref in self.weights.items())
            below = ((_bare(layer), layer.signature) for layer in self.layers.values())
            self._signature = (tuple(own), tuple(sorted(below, key=repr)))
        return self._signature

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
        for name in layers:
            node = node.layers.setdefault(name, Layer(name))
        node.layer_class = ref.layer_class
        node.weights[weight] = ref
    return root


def address(ref: WeightRef) -> tuple[str, ...]:
    """The steps to a weight: the names of its layers and its own, where they are known, else the format's path."""
    if ref.layer is None:
        return tuple(ref.structure.split("/"))
    name = ref.name if ref.name is not None else f"[{ref.index}]"
    mark = "" if ref.duplicate == 1 else f"#{ref.duplicate}"
    return (*(ref.layer.split("/") if ref.layer else ()), name + mark)


def is_given(ref: WeightRef) -> bool:
    """Whether its whole address is known and has only user-given names."""
    if ref.layer is None or ref.name is None:
        return False
    return not any(automatic(name, ref.layer_class) for name in ref.layer.split("/"))


def _bare(layer: Layer) -> str:
    found = layer.automatic
    return layer.name if found is None else found[0]
