"""Where a weight of a legacy file stands: its layer, from the group it lies in and the scopes of its name.

The rule: the group, then the scopes; what stands before the group's own name is dropped. Where the file holds the
model's configuration, that tells which layers lie between: a nested model is one group with one flat list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.names.legacy import kinds
from weightkit.access.names.legacy.config_tree import ConfiguredLayer, LayerTree, without_number

if TYPE_CHECKING:
    from collections.abc import Sequence

_WRAPPERS = {"TimeDistributed": frozenset[str](), "SpectralNormalization": frozenset({"vector_u"})}
"""Classes that wrap one layer, with the names of the weights that are their own."""


@dataclass(frozen=True, slots=True)
class LegacyGroup:
    """One layer's group: its name and the names of its weights, in the file's order."""

    name: str
    weight_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a weight stands: the names around it, and the layer of the configuration, where found."""

    path: str
    layer: ConfiguredLayer | None = None
    inside: tuple[str, ...] = ()
    """Scopes below ``layer`` that the configuration does not list: ``lstm_cell``."""

    @property
    def layer_class(self) -> str | None:
        """Class of the innermost layer, where known."""
        if self.layer is None or self.layer.class_name is None:
            return None
        if not self.inside:
            return self.layer.class_name
        return kinds.CELLS.get(self.layer.class_name) if len(self.inside) == 1 else None


class Places:
    """Finds the places of one group's weights."""

    def __init__(self, group: LegacyGroup, tree: LayerTree | None, layer: ConfiguredLayer | None) -> None:
        self._group = group.name
        self._tree = tree
        self._layer = layer
        self._own = group.name.split("/")
        self._before = self._scopes_before(group.weight_names)

    @property
    def alone(self) -> bool:
        """Whether the group is known to be one layer with none inside."""
        return self._layer is not None and not (self._layer.lists_layers or self._layer.children)

    def of(self, scopes: list[str], name: str) -> Place:
        """The place of the weight ``name`` in these scopes."""
        scopes = self._after_own(scopes)
        if self._tree is None or self._layer is None:
            return Place("/".join([self._group, *scopes]))
        layer, start = _walk(self._tree, self._layer, scopes)
        layer, start = _into_wrapped(self._tree, layer, scopes, start, name)
        between = [around.name for around in layer.up() if around.depth > self._layer.depth and around.name]
        inside = tuple(scopes[start:])
        return Place("/".join([self._group, *reversed(between), *inside]), layer, inside)

    def _scopes_before(self, weight_names: Sequence[str]) -> list[str]:
        """Finds the scopes before the group's own that all its weights share: the model's name."""
        first, *others = ([*name.split("/")[:-1]] for name in weight_names or ("",))
        length = len(self._own)
        for start in range(len(first) - length + 1):
            if first[start : start + length] == self._own:
                before = first[:start]
                shared = all(other[: start + length] == first[: start + length] for other in others)
                return before if shared else []
        return []

    def _after_own(self, scopes: list[str]) -> list[str]:
        """Drops the scopes up to and with the group's own name, which may bear a number of TensorFlow's."""
        start, stop = len(self._before), len(self._before) + len(self._own)
        own = scopes[start:stop]
        if own == self._own:
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
    """Follows the scopes down the configuration as far as it knows them; tells where the rest begins."""
    start = 0
    if layer.lists_layers:  # a model knows all its layers: what stands before the first is of another life
        start = next((i for i in range(len(scopes)) if tree.step(layer, scopes, i)), 0)
    return _follow(tree, layer, scopes, start)


def _into_wrapped(
    tree: LayerTree, layer: ConfiguredLayer, scopes: list[str], start: int, name: str
) -> tuple[ConfiguredLayer, int]:
    """Goes on into a wrapper's one layer, which Keras 2 gives the wrapper's name as its scope."""
    while name not in _WRAPPERS.get(layer.class_name or "", {name}) and len(layer.children) == 1:
        layer, start = _follow(tree, layer.children[0], scopes, start)
    return layer, start


def _follow(tree: LayerTree, layer: ConfiguredLayer, scopes: list[str], start: int) -> tuple[ConfiguredLayer, int]:
    while start < len(scopes) and (found := tree.step(layer, scopes, start)):
        layer, start = found
    return layer, start
