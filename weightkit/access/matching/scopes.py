"""Find the part of one model that the other is: a backbone in a model with a new head, or a layer of its name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from weightkit.access.matching.layer_tree import Layer
    from weightkit.access.matching.pairing import Pairs


def parts_like(whole: Layer, other: Layer, paired: Callable[[Layer, Layer], Pairs]) -> list[tuple[str, Pairs]]:
    """The parts of a model that another one is, as a whole.

    Args:
        whole: A model.
        other: Another one with fewer weights.
        paired: Pairs the weights of a part with those of the other.

    Returns:
        The path of each such part, and its pairs: all weights of it with all of the other, of the same shapes.
    """
    wanted = _shapes(other)
    found = []
    stack = [(layer.name, layer) for layer in whole.layers.values()]
    while stack:
        path, layer = stack.pop()
        shapes = _shapes(layer)
        if shapes == wanted and _is_whole(pairs := paired(layer, other), wanted.total()):
            found.append((path, pairs))
        elif shapes > wanted:  # it may be in it
            stack.extend((f"{path}/{below.name}", below) for below in layer.layers.values())
    return sorted(found, key=lambda part: part[0])


def parts_named(whole: Layer, name: str) -> list[tuple[str, Layer]]:
    """The layers of a model that have a name, each with its path; none below another one.

    Args:
        whole: A model.
        name: The name of a layer, as its user gave it; one that is automatic here is another.
    """
    found = []
    stack = [(layer.name, layer) for layer in whole.layers.values()]
    while stack:
        path, layer = stack.pop()
        if layer.name == name and layer.automatic is None:
            found.append((path, layer))
        else:
            stack.extend((f"{path}/{below.name}", below) for below in layer.layers.values())
    return sorted(found, key=lambda part: part[0])


def _shapes(layer: Layer) -> Counter[tuple[int, ...]]:
    return Counter(ref.shape for ref in layer.refs())


def _is_whole(pairs: Pairs, count: int) -> bool:
    return len(pairs) == count and all(ours.shape == theirs.shape for ours, theirs in pairs.items())
