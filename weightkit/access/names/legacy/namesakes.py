"""Layers of one name at several depths of a nested model, whose weights are in one group of a legacy file.

Keras 3 puts the name of a Sequential before its layers' names, but not that of a Functional model. So ``d/kernel`` may
be a ``d`` at any depth, and is told by those that the other weights of the group leave.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weightkit.access.names.legacy.config_tree import without_number
from weightkit.access.names.legacy.groups import Place, place_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from weightkit.access.names.legacy.config_tree import ConfiguredLayer, LayerTree

Scopes = tuple[str, ...]
Found = dict[tuple[Scopes, str], Place]
"""The place of each weight of a group, by its scopes and its own name."""


@dataclass(frozen=True, slots=True)
class Nested:
    """A nested model, all of whose weights are in one group."""

    group: str
    tree: LayerTree
    model: ConfiguredLayer

    def told_apart(self, found: Found) -> Found:
        """The places, corrected where a name alone may be that of several layers."""
        waiting = self._waiting(found)
        if not waiting:
            return found
        others = {id(place.layer) for (scopes, _), place in found.items() if scopes not in waiting}
        chosen = self._chosen(waiting, others)
        corrected = dict(found)
        for (scopes, weight), place in found.items():
            if scopes in chosen:
                corrected[scopes, weight] = self._place(scopes, waiting[scopes], chosen[scopes])
            elif scopes in waiting:
                corrected[scopes, weight] = Place(place.path)
        return corrected

    def _waiting(self, found: Found) -> dict[Scopes, str]:
        """The scopes that may be several layers' of one name, with that name."""
        waiting: dict[Scopes, str] = {}
        for (scopes, _), place in found.items():
            around = place.layer
            if around is not None and around.lists_layers:
                unclear = (name for name in place.inside if self.tree.has_namesakes(around, name))
                if (name := next(unclear, None)) is not None:
                    waiting[scopes] = name
        for layer, several in _of_one_weight(found):
            if layer.name is not None and self.tree.has_namesakes(self.model, layer.name):
                # The longest says most of where it is.
                first, second, *rest = sorted(several, key=len, reverse=True)
                unclear_too = [second, *rest] if len(first) > len(second) else several
                waiting |= dict.fromkeys(unclear_too, layer.name)
        return waiting

    def _chosen(self, waiting: Mapping[Scopes, str], others: set[int]) -> dict[Scopes, ConfiguredLayer]:
        """The layer of each scopes that are the only ones left for the only layer left of their name."""
        by_name: dict[str, list[Scopes]] = defaultdict(list)
        for scopes, name in waiting.items():
            by_name[name].append(scopes)
        chosen = {}
        for name, several in by_name.items():
            left = [layer for layer in self.tree.namesakes(self.model, name) if id(layer) not in others]
            if len(several) == len(left) == 1:
                chosen[several[0]] = left[0]
        return chosen

    def _place(self, scopes: Scopes, name: str, layer: ConfiguredLayer) -> Place:
        """The place of scopes whose part of this name leads to this layer."""
        step = next(i for i, scope in enumerate(scopes) if name in (scope, without_number(scope)))
        rest, start = [*scopes[step + 1 :]], 0
        while start < len(rest) and (found := self.tree.step(layer, rest, start)):
            layer, start = found
        return place_in(self.group, self.model, layer, rest[start:])


def _of_one_weight(found: Found) -> Iterator[tuple[ConfiguredLayer, list[Scopes]]]:
    """The different scopes that were taken for one weight of one layer."""
    same: dict[tuple[int, Scopes, str], list[Scopes]] = defaultdict(list)
    layers: dict[int, ConfiguredLayer] = {}
    for (scopes, name), place in found.items():
        if place.layer is not None:
            layers[id(place.layer)] = place.layer
            same[id(place.layer), place.inside, name].append(scopes)
    return ((layers[key[0]], several) for key, several in same.items() if len(several) > 1)
