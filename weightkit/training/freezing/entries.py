"""Entries of a weight, such as the rows ``emb[0:8]``, in the argument of `freeze`.

They have no flag of their own. Setting them again after each step would not hold them: weight decay and moving
averages have used them by then. They are held exactly where the weight is computed: by `weightkit.layers.Held`, in a
wrapper that takes the layer's place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from weightkit.errors import SelectionError
from weightkit.layers import Held
from weightkit.layers.parametrized.replacing.in_place import Choice
from weightkit.training.freezing.layer_choice import Layers, choices_in
from weightkit.training.freezing.written_entries import entries_in
from weightkit.training.model.model_view import view_model


def split_entries(model: Any, where: Any) -> tuple[Any, list[Choice]]:
    """Tell whole weights and layers from entries.

    Args:
        model: The model.
        where: The argument of `freeze`.

    Returns:
        What selects whole weights, and what to hold.

    Raises:
        SelectionError: Text names a mask, which only an array can be.
        RequestError: Entries are neither an index as text nor an array of booleans.
    """
    whole: list[Any] = []
    held: list[Choice] = []
    for choice in (where,) if isinstance(where, Mapping) else choices_in(where):
        found = list(_entries(model, choice))
        held += [Choice(_text(weight, entries), weight, [Held(entries)]) for weight, entries in found]
        whole += [] if found or isinstance(choice, Mapping) else [choice]
    return (whole if held or isinstance(where, Iterator | Mapping) else where), held


def _entries(model: Any, choice: Any) -> Iterator[tuple[str, Any]]:
    """Each weight of a choice with its entries; none where it selects whole weights or layers."""
    if isinstance(choice, Mapping):
        yield from choice.items()
    elif (found := entries_in(choice)) is not None and not Layers(view := view_model(model)).matches(choice):
        weight, index = found
        if "mask" in index:
            raise SelectionError(
                f"text cannot hold a mask, got {choice!r}",
                hint=f"give the array: freeze(model, {{{weight!r}: {index[1:-1]}}})",
                file=view.label,
            )
        yield weight, index


def _text(weight: str, entries: Any) -> str:
    return f"{weight}{entries}" if isinstance(entries, str) else f"{weight}[mask]"
