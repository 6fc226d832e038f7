"""Pair layers by their order alone, or by their looks where each has its own: names say nothing then."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from weightkit.access.matching.given_names import crosses
from weightkit.access.matching.own_weights import meaning, paired
from weightkit.access.names.layer_order import turns
from weightkit.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.matching.align import Ordered
    from weightkit.access.matching.layer_tree import Layer
    from weightkit.access.matching.pairing import Pairs
    from weightkit.access.ref import WeightRef


def by_order(ours: Layer, theirs: Layer, ordered: Ordered) -> Pairs:
    """The n-th layer with weights is the n-th there, as legacy files mean it.

    Only if every two look the same, and no given name is on both sides at another place.

    Args:
        ours: A whole model.
        theirs: Another one.
        ordered: Whether their layers come in order.

    Returns:
        All weights of both, or none.
    """
    first, second = leaves_in_order(ours, ordered=ordered.ours), leaves_in_order(theirs, ordered=ordered.theirs)
    if not first or not second or len(first) != len(second):
        return {}
    pairs = list(zip(first, second, strict=True))
    return {} if _is_contradicted(first, second) else _all_of(pairs)


def by_look(ours: Layer, theirs: Layer) -> Pairs:
    """Each layer is the one there that looks the same, if no two layers on a side look the same.

    Returns:
        All weights of both, or none.
    """
    first, second = ({_look(layer): layer for _, layer in root.leaves()} for root in (ours, theirs))
    counts = sum(1 for _ in ours.leaves()), sum(1 for _ in theirs.leaves())
    if first.keys() != second.keys() or counts != (len(first), len(second)):
        return {}
    return _all_of((layer, second[look]) for look, layer in first.items())


def why_not_by_order(ours: Layer, theirs: Layer, ordered: Ordered) -> str:
    """Why the order does not say which layer is which, as the end of a sentence."""
    first, second = leaves_in_order(ours, ordered=ordered.ours), leaves_in_order(theirs, ordered=ordered.theirs)
    if first is None or second is None:
        return f"the order of the {'first' if first is None else 'second'}'s layers is not known"
    if len(first) != len(second):
        return f"there are {len(first)} layers with weights in the first and {len(second)} in the second"
    pairs = list(zip(first, second, strict=True))
    for number, pair in enumerate(pairs, 1):
        if not _all_of([pair]):
            here, there = (_described(layer) for layer in pair)
            return f"layer {number} is {here} in the first and {there} in the second"
    return "a name that both have is at another place"


def why_not_by_look(ours: Layer, theirs: Layer) -> str:
    """Why their shapes do not say which layer is which, as the end of a sentence."""
    for which, root in (("first", ours), ("second", theirs)):
        seen: dict[tuple[object, ...], Layer] = {}
        for _, layer in root.leaves():
            other = seen.setdefault(_look(layer), layer)
            if other is not layer:
                one, two = (_any_weight(same).layer or same.name for same in (other, layer))
                return f"{one} and {two} look the same in the {which}"
    return "some layers have shapes that only one of the two has"


def _described(layer: Layer) -> str:
    weights = layer.weights.values()
    return f"{_any_weight(layer).layer or layer.name} ({listed(ref.shape_text for ref in weights)})"


def leaves_in_order(root: Layer, *, ordered: bool) -> list[Layer] | None:
    """The layers with weights in the order of the model; None where that is not known."""
    found: list[Layer] = []
    stack = [root]
    while stack:
        layer = stack.pop()
        if layer.weights:
            found.append(layer)
        below = list(layer.layers.values())
        places = turns([list(one.refs()) for one in below], ordered=ordered, nested=layer is not root)
        if places is None:
            return None
        stack += [one for _, one in sorted(zip(places, below, strict=True), key=lambda placed: -placed[0])]
    return found


def _is_contradicted(ours: Sequence[Layer], theirs: Sequence[Layer]) -> bool:
    """Whether a layer's given name is on both sides, at another place."""
    own, other = ([_any_weight(layer) for layer in layers] for layers in (ours, theirs))
    if crosses(zip(own, other, strict=True), own, other):
        return True
    here, there = _places(ours), _places(theirs)
    return any(here[name] != there[name] for name in here.keys() & there.keys())


def _any_weight(layer: Layer) -> WeightRef:
    return next(iter(layer.weights.values()))


def _places(layers: Sequence[Layer]) -> dict[str, int]:
    """Where each given name is that only one layer has."""
    given = [(place, layer.name) for place, layer in enumerate(layers) if layer.automatic is None]
    counts = Counter(name for _, name in given)
    return {name: place for place, name in given if counts[name] == 1}


def _all_of(layers: Iterable[tuple[Layer, Layer]]) -> Pairs:
    """The pairs of all weights of these layers; none where one has no counterpart of its shape."""
    found: Pairs = {}
    for ours, theirs in layers:
        own = dict(paired(ours.weights, theirs.weights)) or _by_shape(ours, theirs)
        if len(own) != len(ours.weights) or len(own) != len(theirs.weights):
            return {}
        if any(a.shape != b.shape for a, b in own.items()):
            return {}
        found |= own
    return found


def _by_shape(ours: Layer, theirs: Layer) -> Pairs:
    """Weights with other names, if no two of a layer have the same shape."""
    first, second = ({ref.shape: ref for ref in layer.weights.values()} for layer in (ours, theirs))
    if first.keys() != second.keys() or len(first) != len(ours.weights) or len(second) != len(theirs.weights):
        return {}
    return {ref: second[shape] for shape, ref in first.items()}


def _look(layer: Layer) -> tuple[object, ...]:
    return tuple(sorted((meaning(name), ref.shape) for name, ref in layer.weights.items()))
