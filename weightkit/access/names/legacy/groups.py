"""The layer of a weight in a legacy file, from its group and the scopes of its name.

The rule: the group, then the scopes; scopes before the group's own name are dropped. If the file holds the model's
configuration, it gives the layers in between: a nested model is one group with one flat list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.names import wrapper
from weightkit.access.names.legacy import kinds
from weightkit.access.names.legacy.config_tree import ConfiguredLayer, LayerTree, without_number
from weightkit.access.names.naming import layer_path
from weightkit.access.names.serialized_layer import Serialized

if TYPE_CHECKING:
    from collections.abc import Sequence

_WRAPPERS = {"TimeDistributed": frozenset[str](), "SpectralNormalization": frozenset({"vector_u"})}
"""Classes that wrap one layer, with the names of the weights that are their own."""
_TENSOR = re.compile(r":\d+$")


def without_output(name: str) -> str:
    """A weight's name without TensorFlow's number of an operation's output: ``kernel`` for ``kernel:0``."""
    return _TENSOR.sub("", name)


@dataclass(frozen=True, slots=True)
class LegacyGroup:
    """One layer's group: its name and the names of its weights, in the file's order."""

    name: str
    weight_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A weight's place: the names around it, and its layer in the configuration, if found."""

    path: str
    layer: ConfiguredLayer | None = None
    inside: tuple[str, ...] = ()
    """Scopes below ``layer`` that the configuration does not list: ``lstm_cell``."""
    around: tuple[str | None, ...] = ()
    """Class of each layer in ``path``; None where unknown."""

    @property
    def layer_class(self) -> str | None:
        """Class of the innermost layer, if known."""
        if self.layer is None or self.layer.class_name is None:
            return None
        if not self.inside:
            return self.layer.class_name
        return kinds.CELLS.get(self.layer.class_name) if len(self.inside) == 1 else None


def _names_of_its_own(layer: ConfiguredLayer) -> frozenset[str] | None:
    """What a wrapper's own weights are called; None where that is not known, as for other layers."""
    one = Serialized(layer.class_name or "", layer.config, layer.builtin, layer.package)
    if not wrapper.is_wrapper(one):
        return _WRAPPERS.get(one.class_name)
    added = wrapper.added_weights(one.config)
    return None if added is None else frozenset(weight.name for weight in added)


def place_in(group: str, top: ConfiguredLayer, layer: ConfiguredLayer, inside: Sequence[str]) -> Place:
    """The place in a layer of a group.

    Args:
        group: The name of the group.
        top: The layer whose weights it holds.
        layer: That one or one inside it.
        inside: The scopes that lead on from there.
    """
    between = [around for around in layer.up() if around.depth > top.depth and around.name]
    listed = [(group, top.class_name), *((one.name or "", one.class_name) for one in reversed(between))]
    names = [*(name for name, _ in listed), *inside]
    classes = [part for name, cls in listed for part in (*[None] * name.count("/"), cls)]
    return Place(layer_path(names), layer, tuple(inside), tuple(classes))


class Places:
    """Finds the places of one group's weights."""

    def __init__(self, group: LegacyGroup, tree: LayerTree | None, layer: ConfiguredLayer | None) -> None:
        self._group = group.name
        self._tree = tree
        self._layer = layer
        self._own = group.name.split("/")
        self._before = self._scopes_before(group.weight_names)
        self._own_names: dict[ConfiguredLayer, frozenset[str] | None] = {}

    @property
    def alone(self) -> bool:
        """Whether the group is known to be one layer with none inside."""
        return self._layer is not None and not (self._layer.lists_layers or self._layer.children)

    def of(self, scopes: list[str], name: str) -> Place:
        """The place of the weight ``name`` in these scopes."""
        scopes = self._after_own(scopes)
        if self._tree is None or self._layer is None:
            return Place(layer_path([self._group, *scopes]))
        layer, start = _walk(self._tree, self._layer, scopes)
        # Keras 2, and weightkit's wrappers, use the wrapper's name as the scope of what is inside.
        while len(layer.children) == 1 and self._is_inside(layer, name, scopes[start:]):
            layer, start = _follow(self._tree, layer.children[0], scopes, start)
        return place_in(self._group, self._layer, layer, scopes[start:])

    def _is_inside(self, layer: ConfiguredLayer, name: str, scopes: Sequence[str]) -> bool:
        """Whether a layer is a wrapper, and a weight is not its own but that of the layer inside."""
        if layer not in self._own_names:
            self._own_names[layer] = _names_of_its_own(layer)
        own = self._own_names[layer]
        return own is not None and (bool(scopes) or name not in own)

    def _scopes_before(self, weight_names: Sequence[str]) -> list[str]:
        """Find the scopes before the group's own that all its weights share: the model's name."""
        first, *others = ([*name.split("/")[:-1]] for name in weight_names or ("",))
        length = len(self._own)
        for start in range(len(first) - length + 1):
            if first[start : start + length] == self._own:
                before = first[:start]
                shared = all(other[: start + length] == first[: start + length] for other in others)
                return before if shared else []
        return []

    def _after_own(self, scopes: list[str]) -> list[str]:
        """Drop the scopes up to and including the group's own name, which may have TensorFlow's number."""
        start, stop = len(self._before), len(self._before) + len(self._own)
        own = scopes[start:stop]
        if own == self._own:
            # A model may hold a layer of its own name: a weight right below that name is the layer's.
            return scopes[start:] if len(scopes) == stop and self._has("/".join(own)) else scopes[stop:]
        if own and [*own[:-1], without_number(own[-1])] == self._own and not self._has("/".join(own)):
            return scopes[stop:]
        return scopes

    def _has(self, name: str) -> bool:
        """Whether the group is a model with a layer of that name: ``dense_5`` in a model named ``dense``."""
        if self._tree is None or self._layer is None or not self._layer.lists_layers:
            return False
        return self._tree.find(self._layer, name) is not None


def _walk(tree: LayerTree, layer: ConfiguredLayer, scopes: list[str]) -> tuple[ConfiguredLayer, int]:
    """Follow the scopes down the configuration as far as it knows them; also returns where the rest starts."""
    start = 0
    if layer.lists_layers:  # a model lists all its layers: scopes before the first are from an earlier model
        start = next((i for i in range(len(scopes)) if tree.step(layer, scopes, i)), 0)
    return _follow(tree, layer, scopes, start)


def _follow(tree: LayerTree, layer: ConfiguredLayer, scopes: list[str], start: int) -> tuple[ConfiguredLayer, int]:
    while start < len(scopes) and (found := tree.step(layer, scopes, start)):
        layer, start = found
    return layer, start
