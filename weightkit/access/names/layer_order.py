"""The order of several layers: the store's own order where it is reliable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.names.keys import key_base
from weightkit.access.ref import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weightkit.access.ref import WeightRef


def turns(layers: Sequence[Sequence[WeightRef]], *, ordered: bool, nested: bool) -> list[int] | None:
    """The position of each of several sibling layers; None where the store does not say.

    Version-3 formats number the layers of a class in a list, even if the store does not know the order of all layers.
    A legacy file stores the weights of a nested model trainable first: there the order is used only if all or none
    of them are known to be trained.

    Args:
        layers: The weights of each layer, including its sublayers' weights.
        ordered: Whether they come in the model's order.
        nested: Whether they are inside another model or layer.
    """
    if len(layers) < 2:  # noqa: PLR2004  # one is in order
        return list(range(len(layers)))
    numbered = _numbers_in_list(layers)
    if numbered is not None:
        return numbered
    if ordered and not (nested and _may_be_sorted_by_trainable(layers)):
        return list(range(len(layers)))
    return None


def is_numbered(ref: WeightRef) -> bool:
    """Whether its path is from version 3, where a key is a class and a number, not a name."""
    return "vars" in ref.structure.split("/")


def _numbers_in_list(layers: Sequence[Sequence[WeightRef]]) -> list[int] | None:
    """The numbers of ``dense``, ``dense_1``, … where the layers' paths diverge."""
    if not all(is_numbered(ref) for refs in layers for ref in refs):
        return None
    paths = [[ref.structure.split("/") for ref in refs] for refs in layers]
    shared = _shared([path for own in paths for path in own])
    keys = [{path[shared] for path in own} for own in paths]
    if any(len(own) != 1 for own in keys):
        return None
    found = [own.pop() for own in keys]
    if len(set(found)) < len(found) or len({key_base(key) for key in found}) > 1:
        return None
    return [int(key[len(key_base(key)) + 1 :] or 0) for key in found]


def _shared(paths: list[list[str]]) -> int:
    """How many first steps all paths have in common."""
    # What the least and the greatest path have in common, all between them have too.
    low, high = min(paths), max(paths)
    return next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)) - 1)


def _may_be_sorted_by_trainable(layers: Sequence[Sequence[WeightRef]]) -> bool:
    refs = [ref for refs in layers for ref in refs]
    if all(is_numbered(ref) for ref in refs):
        return False
    return {ref.trainable for ref in refs if ref.kind is Kind.PARAMETER} not in ({True}, {False})
