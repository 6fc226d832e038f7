"""The layers with weights as they are compared: their names, their class, and what their weights look like."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from weightkit.access.matching.layer_tree import by_name
from weightkit.access.matching.match import is_weight
from weightkit.access.matching.order import leaves_in_order
from weightkit.access.matching.own_weights import meaning
from weightkit.access.matching.pairing import LISTS
from weightkit.access.names.automatic_names import DIRECTIONS, automatic, numbered_name
from weightkit.access.names.keys import keys_of_class

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.matching.layer_tree import Layer
    from weightkit.access.ref import WeightRef

Shape: TypeAlias = tuple[int, ...]
_MOST_TOKENS = 64
"""Tokens of a name that are looked at; the names of published models have up to twenty."""
_TOKEN = re.compile(r"\d+|[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class ComparedLayer:
    """A layer with weights of its own."""

    address: str
    """The names of the layers around it and its own, else the format's path; empty for the model itself."""
    names: tuple[str, ...]
    """Those of them that a user gave, outermost first."""
    layer_class: str | None
    """Its class as a key, also from an automatic name: ``dense``, ``forward_lstm``."""
    shapes: tuple[Shape, ...]
    """Shapes of its weights in the order in which they are saved."""
    weights: tuple[tuple[str, Shape], ...] | None
    """Meaning and shape of each; None where a name is not known."""

    @property
    def ranks(self) -> tuple[tuple[str, int], ...] | None:
        """Meaning of each weight and its number of axes; None where a name is not known."""
        return None if self.weights is None else tuple((name, len(shape)) for name, shape in self.weights)


def compared_layers(refs: Iterable[WeightRef], *, ordered: bool) -> tuple[list[ComparedLayer], bool]:
    """The layers with weights, without an optimizer's state and counters, and whether they are in the model's order.

    Args:
        refs: All weights of a store.
        ordered: Whether they come in the order of their layers.
    """
    root = by_name(filter(is_weight, refs))
    around = {layer: path for path, layer in root.leaves()}
    in_order = leaves_in_order(root, ordered=ordered)
    if in_order is None:
        return [_compared_layer(layer, around[layer]) for layer in _counted(root.leaves())], False
    return [_compared_layer(layer, around[layer]) for layer in in_order], True


def tokens_of(names: Iterable[str]) -> tuple[str, ...]:
    """The words and numbers in names, without case.

    >>> tokens_of(["features.3", "Conv2_bn"])
    ('features', '3', 'conv', '2', 'bn')
    """
    found = itertools.islice((token for name in names for token in _TOKEN.findall(name.casefold())), _MOST_TOKENS)
    return tuple(str(int(token)) if token.isdecimal() else token for token in found)


def _counted(layers: Iterable[tuple[tuple[Layer, ...], Layer]]) -> list[Layer]:
    """By the number in automatic names where nothing else is known; keys of version 3 sort dense_10 before dense_2."""
    turns: dict[tuple[str, ...], int] = {}

    def place(path: tuple[Layer, ...]) -> list[tuple[int, int]]:
        names = [one.name for one in path]
        steps = [(numbered_name(name) if one.automatic else (name, 0)) for one, name in zip(path, names, strict=True)]
        return [
            (turns.setdefault((*names[:depth], base), len(turns)), number) for depth, (base, number) in enumerate(steps)
        ]

    placed = [(place(path), layer) for path, layer in layers]
    return [layer for _, layer in sorted(placed, key=lambda found: found[0])]


def _compared_layer(layer: Layer, path: tuple[Layer, ...]) -> ComparedLayer:
    refs = sorted(layer.weights.values(), key=lambda ref: ref.index)
    given = tuple(one.name for one in path if not _is_automatic(one) and one.name not in LISTS)
    known = all(ref.name is not None for ref in refs)
    return ComparedLayer(
        refs[0].owner.removesuffix("/vars") if refs[0].layer is None else refs[0].layer,
        given,
        _class_of(layer, path),
        tuple(ref.shape for ref in refs),
        tuple(sorted((meaning(name), ref.shape) for name, ref in layer.weights.items())) if known else None,
    )


def _is_automatic(layer: Layer) -> bool:
    """Whether Keras made its name; not where its class is known to be another than the name says."""
    found = layer.automatic
    if found is None or layer.layer_class is None:
        return found is not None
    keys = keys_of_class(layer.layer_class)
    classes = {*keys, *(base[0] for key in keys if (base := automatic(key)))}
    return found[0].removeprefix(DIRECTIONS[0]).removeprefix(DIRECTIONS[1]) in classes


def _class_of(layer: Layer, path: tuple[Layer, ...]) -> str | None:
    """Its class; that of a recurrent layer for its cell, with the direction where an automatic name says it."""
    bases = [base[0] for one in path if (base := one.automatic) is not None]
    direction = next((base for base in bases if base.startswith(DIRECTIONS)), None)
    known = None if layer.layer_class is None else keys_of_class(layer.layer_class)[0]
    own = layer.automatic
    found = direction or known or (None if own is None else own[0])
    return None if found is None else found.removesuffix("_cell")
