"""Pair stacked cells with a recurrent layer that lists all their weights as its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weightkit.access.matching.own_weights import meaning
from weightkit.access.names.automatic_names import numbered_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from weightkit.access.matching.layer_tree import Layer
    from weightkit.access.ref import WeightRef


def of_cells(ours: Layer, theirs: Layer) -> Iterator[tuple[WeightRef, WeightRef]]:
    """The pairs of weights of stacked cells, and of a layer that lists them all as its own, as before Keras 2.4.

    By order, if shapes agree, and names but for their numbers (``kernel``, ``kernel_1``).
    """
    cells, joined = (ours, theirs) if ours.layers else (theirs, ours)
    are_cells = all((base := cell.automatic) and base[0].endswith("_cell") for cell in cells.layers.values())
    if cells.layers and are_cells and not cells.weights and not joined.layers:
        first, second = list(ours.refs()), list(theirs.refs())
        if all(ref.name for ref in (*first, *second)) and list(map(_look, first)) == list(map(_look, second)):
            yield from zip(first, second, strict=True)


def _look(ref: WeightRef) -> tuple[str, tuple[int, ...]]:
    return meaning(numbered_name(ref.name or "")[0]), ref.shape
