"""Layers that stand in other layers there: in a nested model or a wrapper here, at the top there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.matching.given_names import leads
from weightkit.access.matching.own_weights import meaning, paired

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from weightkit.access.matching.layer_tree import Layer
    from weightkit.access.ref import WeightRef

_Names: TypeAlias = "tuple[str, ...]"


def elsewhere(ours: Layer, theirs: Layer, pairs: dict[WeightRef, WeightRef]) -> Iterator[tuple[WeightRef, WeightRef]]:
    """The pairs of weights of unpaired layers of one given name, where one side only has more layers around it.

    Args:
        ours: A whole model.
        theirs: Another one.
        pairs: What is paired already.
    """
    first, second = _unpaired(ours, pairs), _unpaired(theirs, frozenset(pairs.values()))
    for name, (around, layer) in first.items():
        there = second.get(name)
        if there is not None and leads(around, there[0]) and _weights(layer) == _weights(there[1]):
            yield from paired(layer.weights, there[1].weights)


def _unpaired(root: Layer, pairs: Container[WeightRef]) -> dict[_Names, tuple[_Names, Layer]]:
    """The layers without any paired weight by their last given name, with the given names around it.

    A name that several of them have is left out.
    """
    found: dict[_Names, list[tuple[_Names, Layer]]] = {}
    for path, layer in root.leaves():
        if not any(ref in pairs for ref in layer.weights.values()):
            given = [place for place, one in enumerate(path) if one.automatic is None]
            if given:
                name = tuple(one.base_name for one in path[given[-1] :])
                found.setdefault(name, []).append((tuple(path[place].name for place in given[:-1]), layer))
    return {name: same[0] for name, same in found.items() if len(same) == 1}


def _weights(layer: Layer) -> set[str]:
    return {meaning(name) for name in layer.weights}
