"""The user-given names around a weight, and whether a pairing goes against those that both sides have."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.names.automatic_names import automatic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from weightkit.access.ref import WeightRef

_Names: TypeAlias = "tuple[str, ...]"


def crosses(
    pairs: Iterable[tuple[WeightRef, WeightRef]], ours: Iterable[WeightRef], theirs: Iterable[WeightRef]
) -> bool:
    """Whether a weight is paired with one of other given names, while its own are there too.

    Args:
        pairs: Pairs of weights by place.
        ours: All weights of one side.
        theirs: All weights of the other.
    """
    both = {given_names(ref) for ref in ours} & {given_names(ref) for ref in theirs} - {()}
    met = {(given_names(a), given_names(b)) for a, b in pairs} if both else set()
    return any((first in both or second in both) and not _agree(first, second) for first, second in met)


def given_names(ref: WeightRef) -> tuple[str, ...]:
    """The names of the layers around it, outermost first, without automatic and unknown ones."""
    layers = ref.near if ref.layer is None else tuple(filter(None, ref.layer.split("/")))
    classes = (*ref.around[: len(layers)], *[ref.layer_class] * (len(layers) - len(ref.around)))
    named = zip(layers, classes, strict=True)
    return tuple(name for name, known in named if not name.startswith("/") and automatic(name, known) is None)


def leads(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    """Whether one is the other with some names left out."""
    few, many = sorted((ours, theirs), key=len)
    rest = iter(many)
    return all(name in rest for name in few)


def _agree(ours: _Names, theirs: _Names) -> bool:
    """Whether one side has more names around or in what both call the same; no name agrees with none."""
    return ours == theirs or (bool(ours) and bool(theirs) and leads(ours, theirs))
