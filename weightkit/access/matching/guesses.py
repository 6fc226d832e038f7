"""Which pairs are only guessed: automatic names where one side has more layers that look the same."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weightkit.access.matching.layer_tree import Layer
    from weightkit.access.matching.pairing import Pairs
    from weightkit.access.ref import WeightRef


def without_guesses(pairs: Pairs, ours: Layer, theirs: Layer, *, by_place: bool = False) -> Pairs:
    """The pairs but for those of layers that look like their neighbors, of which one side has more.

    Three Dense layers in the place of two: automatic names do not tell which of them is the new one.

    Args:
        pairs: Pairs by name.
        ours: The whole model.
        theirs: The other one.
        by_place: Whether they are pairs by paths, for which names say nothing.
    """
    first, second = (_twins(root, by_place=by_place) for root in (ours, theirs))
    return {a: b for a, b in pairs.items() if first[a] == second[b]}


def _twins(root: Layer, *, by_place: bool) -> dict[WeightRef, tuple[int, ...]]:
    """For each weight: how many layers beside its own look the same, and beside each layer around that.

    A layer with a given name has none where names count, and one that is alone is seen through.
    """
    alike: dict[int, Counter[object]] = {}
    found: dict[WeightRef, tuple[int, ...]] = {}
    for path, layer in root.leaves():
        counts = []
        for around, inner in zip((root, *path), path, strict=False):
            if (by_place or inner.automatic is not None) and around.only is None:
                if id(around) not in alike:
                    alike[id(around)] = Counter(_look(one, by_place=by_place) for one in around.layers.values())
                counts.append(alike[id(around)][_look(inner, by_place=by_place)])
        found |= dict.fromkeys(layer.weights.values(), tuple(counts))
    return found


def _look(layer: Layer, *, by_place: bool) -> object:
    return ("" if by_place else layer.base_name), layer.signature
