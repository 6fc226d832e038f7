"""Which layer of one tree is which of another: given names by themselves, automatic ones by their order."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from weightkit.access.matching.tree import Layer
    from weightkit.access.ref import WeightRef

Pairs: TypeAlias = "list[tuple[Layer, Layer]]"
_WORTH_ALIGNING = 4_000_000
"""Pairs of layers that are looked at; beyond, layers are taken as they come."""


def aligned(ours: Layer, theirs: Layer) -> Iterator[tuple[WeightRef, WeightRef]]:
    """The weights of two trees that are each other's."""
    yield from _weights(ours, theirs)
    for first, second in _layers(ours, theirs):
        yield from aligned(first, second)


def _weights(ours: Layer, theirs: Layer) -> Iterator[tuple[WeightRef, WeightRef]]:
    """By name; where one side has none, by their order, which is the order in which Keras itself takes them."""
    first, second = (sorted(layer.weights.values(), key=lambda ref: ref.index) for layer in (ours, theirs))
    unnamed = any(ref.name is None for ref in (*first, *second))
    if unnamed and [ref.shape for ref in first] == [ref.shape for ref in second]:
        yield from zip(first, second, strict=True)
        return
    for name, ref in ours.weights.items():
        if name in theirs.weights:
            yield ref, theirs.weights[name]


def _layers(ours: Layer, theirs: Layer) -> Iterator[tuple[Layer, Layer]]:
    first, second = _grouped(ours), _grouped(theirs)
    for base, group in first.items():
        if base in second:
            yield from _group(group, second[base])


def _grouped(layer: Layer) -> dict[tuple[str, bool], list[Layer]]:
    """Sublayers that may be each other's: alone under a given name, together under an automatic one."""
    found: dict[tuple[str, bool], list[Layer]] = {}
    for child in layer.layers.values():
        base = child.automatic
        key = (child.name, False) if base is None else (base[0], True)
        found.setdefault(key, []).append(child)
    return found


def _group(ours: list[Layer], theirs: list[Layer]) -> Pairs:
    """Layers of one class and automatic names.

    The same names on both sides are taken at their word: a legacy file may hold the layers of a nested model in
    another order, and never other names. Else it goes by number, which is the order in which they were made, and
    where the shapes do not fit, by the order in which they are stored.
    """
    same = {layer.name: layer for layer in theirs}
    if {layer.name for layer in ours} == same.keys():
        return [(layer, same[layer.name]) for layer in ours]
    for first, second in ((_by_number(ours), _by_number(theirs)), (ours, theirs)):
        pairs = list(zip(first, second, strict=False))
        if len(first) == len(second) and all(a.signature == b.signature for a, b in pairs):
            return pairs
    common = [(layer, same[layer.name]) for layer in ours if layer.name in same]
    if len(common) == min(len(ours), len(theirs)) and all(a.signature == b.signature for a, b in common):
        return common
    return in_order(_by_number(ours), _by_number(theirs))


def _by_number(layers: list[Layer]) -> list[Layer]:
    return sorted(layers, key=lambda layer: layer.automatic or ("", 0))


def in_order(ours: Sequence[Layer], theirs: Sequence[Layer]) -> Pairs:
    """The longest runs of layers that look the same, and what lies between them, where as many lie on both sides."""
    if len(ours) * len(theirs) > _WORTH_ALIGNING:
        return list(zip(ours, theirs, strict=False))
    matcher = SequenceMatcher(
        None, [layer.signature for layer in ours], [layer.signature for layer in theirs], autojunk=False
    )
    pairs: Pairs = []
    for tag, first, last, start, end in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and last - first == end - start):
            pairs += zip(ours[first:last], theirs[start:end], strict=True)
    return pairs
