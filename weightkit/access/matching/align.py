"""Pair the layers of two trees: user-given names by name, automatic names by order."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.matching.cells import of_cells
from weightkit.access.matching.grouping import Groups, grouped, opened, seen_through
from weightkit.access.matching.own_weights import paired
from weightkit.access.names.automatic_names import numbered_name
from weightkit.access.names.layer_order import is_numbered, turns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access.matching.layer_tree import Layer
    from weightkit.access.ref import WeightRef

Pairs: TypeAlias = "list[tuple[Layer, Layer]]"
_WORTH_ALIGNING = 4_000_000
"""Most pairs of layers to compare; beyond that, layers are paired as they come."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """Whether each of two stores knows the order of its layers."""

    ours: bool = False
    theirs: bool = False


_UNORDERED = Ordered()


def aligned(
    ours: Layer, theirs: Layer, ordered: Ordered = _UNORDERED, *, nested: bool = False
) -> Iterator[tuple[WeightRef, WeightRef]]:
    """The pairs of matching weights of two trees; see `layers`."""
    for first, second in layers(ours, theirs, ordered, nested=nested):
        yield from paired(first.weights, second.weights)
        if ordered.ours and ordered.theirs:
            yield from of_cells(first, second)


def layers(
    ours: Layer, theirs: Layer, ordered: Ordered = _UNORDERED, *, nested: bool = False
) -> Iterator[tuple[Layer, Layer]]:
    """The pairs of matching layers of two trees, these two included.

    Args:
        ours: A layer or a whole model.
        theirs: The same of another store.
        ordered: Whether the stores know the order of their layers.
        nested: Whether the two are parts of models, not whole models.
    """
    ours, theirs = seen_through(ours, theirs)
    yield ours, theirs
    for first, second in _layers(ours, theirs, ordered, nested=nested):
        yield from layers(first, second, ordered, nested=True)


def _layers(ours: Layer, theirs: Layer, ordered: Ordered, *, nested: bool) -> Iterator[tuple[Layer, Layer]]:
    if nested:
        ours, theirs = opened(ours, theirs), opened(theirs, ours)
    first, second = grouped(ours, theirs), grouped(theirs, ours)
    for key, group in first.items():
        if key in second:
            yield from _group(group, second[key], ordered, nested=nested)
    yield from _by_look(_without(first, second), _without(second, first))


def _without(groups: Groups, other: Groups) -> list[Layer]:
    return [layer for key, group in groups.items() if key not in other for layer in group]


def _by_look(ours: list[Layer], theirs: list[Layer]) -> Pairs:
    """Layers with given names on one side and automatic ones on the other, if no two on a side look the same."""
    if {bool(layer.automatic) for layer in ours} ^ {bool(layer.automatic) for layer in theirs} != {True, False}:
        return []
    looks = {layer.signature: layer for layer in theirs}
    if len(looks) < len(theirs) or {layer.signature for layer in ours} != looks.keys() or len(ours) != len(theirs):
        return []
    return [(layer, looks[layer.signature]) for layer in ours]


def _group(ours: list[Layer], theirs: list[Layer], ordered: Ordered, *, nested: bool) -> Pairs:
    """Pair layers of one given name, or of one class with automatic names, which do not count as names.

    They are paired in stored order, as Keras itself loads them; where that is not known, by number, which is the order
    of creation. In a nested model of a legacy file, and where no order is known, equal names on both sides match: such
    a file may store its layers in another order, but not under other names.
    """
    same = {layer.name: layer for layer in theirs}
    by_name = [(layer, same[layer.name]) for layer in ours if layer.name in same]
    alike = len(by_name) == len(ours) == len(theirs)
    # A lone one first: a model in a model in a model is not walked at each level.
    if alike and (len(ours) == 1 or (nested and not all(_is_numbered(layer) for layer in (*ours, *theirs)))):
        return by_name
    first = _in_turn(ours, ordered=ordered.ours, nested=nested)
    second = _in_turn(theirs, ordered=ordered.theirs, nested=nested)
    if pairs := _fitting(first, second):
        return pairs
    if alike:
        return by_name
    numbered = _by_number(ours), _by_number(theirs)
    if pairs := _fitting(*numbered) or _fitting(ours, theirs):
        return pairs
    if len(by_name) == min(len(ours), len(theirs)) and all(a.signature == b.signature for a, b in by_name):
        return by_name
    return in_order(*numbered) if first is None or second is None else in_order(first, second)


def _fitting(ours: list[Layer] | None, theirs: list[Layer] | None) -> Pairs:
    """Pairs in order, if both sides have equally many layers and all pairs look the same; else none."""
    if ours is None or theirs is None or len(ours) != len(theirs):
        return []
    pairs = list(zip(ours, theirs, strict=True))
    return pairs if all(a.signature == b.signature for a, b in pairs) else []


def _in_turn(layers: list[Layer], *, ordered: bool, nested: bool) -> list[Layer] | None:
    """In stored order; None where that is not known."""
    found = turns([list(layer.refs()) for layer in layers], ordered=ordered, nested=nested)
    if found is None:
        return None
    return [layer for _, layer in sorted(zip(found, layers, strict=True), key=lambda pair: pair[0])]


def _is_numbered(layer: Layer) -> bool:
    return all(is_numbered(ref) for ref in layer.refs())


def _by_number(layers: list[Layer]) -> list[Layer]:
    return sorted(layers, key=lambda layer: numbered_name(layer.name)[1])


class _TooMany(Exception):  # noqa: N818  # it ends an attempt, and nobody sees it
    """The layers repeat in a way that takes the cube of their number to align."""


class _Bounded(SequenceMatcher["tuple[object, ...]"]):
    """Gives up where the search for the longest runs starts over too often."""

    _left = 2 * _WORTH_ALIGNING

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        """The longest run within these bounds, which the search for all of them gives."""
        self._left -= ((ahi or 0) - alo) * ((bhi or 0) - blo)
        if self._left < 0:
            raise _TooMany
        return super().find_longest_match(alo, ahi, blo, bhi)


def in_order(ours: Sequence[Layer], theirs: Sequence[Layer]) -> Pairs:
    """The longest runs of layers that look the same, and those between the runs if both sides have equally many."""
    if len(ours) * len(theirs) > _WORTH_ALIGNING:
        return list(zip(ours, theirs, strict=False))
    # `autojunk` ignores what occurs often, and in a deep model most layers look the same.
    matcher = _Bounded(None, [layer.signature for layer in ours], [layer.signature for layer in theirs], autojunk=False)
    pairs: Pairs = []
    try:
        runs = matcher.get_opcodes()
    except _TooMany:
        return list(zip(ours, theirs, strict=False))
    for tag, first, last, start, end in runs:
        if tag == "equal" or (tag == "replace" and last - first == end - start):
            pairs += zip(ours[first:last], theirs[start:end], strict=True)
    return pairs
