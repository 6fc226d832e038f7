"""The layers of two models that may be one, seen through layers around them that the other side does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.matching.layer_tree import Layer
from weightkit.access.names.automatic_names import numbered_name

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

Groups: TypeAlias = "dict[tuple[str, bool], list[Layer]]"
"""Layers by a given name, or by the class part of an automatic one and whether it is that."""


def grouped(layer: Layer, other: Layer) -> Groups:
    """Sublayers that may match: alone under a given name, together under an automatic one."""
    found: Groups = {}
    bases = frozenset(base[0] for child in other.layers.values() if (base := child.automatic))
    given = {child.name for child in other.layers.values() if child.automatic is None}
    for child in layer.layers.values():
        # A name that is a user's there is one here, also beside automatic names that look like it.
        found.setdefault(_key(child, frozenset() if child.name in given else bases), []).append(child)
    return found


def _key(layer: Layer, bases: frozenset[str]) -> tuple[str, bool]:
    """Its given name, or the class part of its automatic one; the other side may know the class where this does not."""
    base = layer.automatic
    if base is None and layer.layer_class is None and (part := numbered_name(layer.name)[0]) in bases:
        return part, True
    return (layer.name, False) if base is None else (base[0], True)


def seen_through(ours: Layer, theirs: Layer) -> tuple[Layer, Layer]:
    """The two without the layers around only one other that the other side does not have."""
    if (ours.only is None) == (theirs.only is None):
        return ours, theirs
    return _inside(ours, theirs), _inside(theirs, ours)


def _inside(layer: Layer, other: Layer) -> Layer:
    there = grouped(other, layer)
    while (only := layer.only) is not None and _key(only, frozenset()) not in there:
        layer = only
    return layer


def opened(layer: Layer, other: Layer) -> Layer:
    """The layer without the models of automatic names in it that the other side does not have: with their layers.

    Legacy weights alone do not say which models are in a nested model.
    """
    if not any(map(_is_model, layer.layers.values())):  # most layers: nothing is compared for them
        return layer
    members = list(_members(layer, grouped(other, layer).keys()))
    names = {member.name for member in members}
    if len(names) < len(members):  # which of two layers of one name is meant, the other side does not say
        return layer
    return Layer(layer.name, layer.weights, {member.name: member for member in members}, layer.layer_class)


def _members(layer: Layer, there: Container[tuple[str, bool]]) -> Iterator[Layer]:
    for child in layer.layers.values():
        if _is_model(child) and _key(child, frozenset()) not in there:
            yield from _members(child, there)
        else:
            yield child


def _is_model(layer: Layer) -> bool:
    """Whether it may be a model that Keras named."""
    return bool(layer.layers) and not layer.weights and layer.automatic is not None
