"""Borrow names: what one file does not tell of its weights, another of the same model may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.ref import Kind, Source
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore


def borrow_names(store: WeightStore, other: WeightStore) -> dict[WeightRef, WeightRef]:
    """For each weight of ``store``, itself or a copy of it with the names that ``other`` has at its address.

    Raises:
        RequestError: A weight that needs a name has another shape in ``other``, or none is there at all.
    """
    theirs = {ref.structure: ref for ref in other}
    result, borrowed, wanting = {}, 0, 0
    for ref in store:
        result[ref] = ref
        if None not in (ref.layer, ref.name) and ref.kind is not Kind.UNKNOWN:
            continue
        wanting += ref.kind is Kind.UNKNOWN
        found = theirs.get(ref.structure)
        if found is None or found.name is None:
            continue
        _require_same_shape(ref, found, other)
        result[ref] = _with_names(ref, found)
        borrowed += 1
    if wanting and not borrowed:
        raise RequestError(
            f"{other.label} names none of the {wanting} weights of which nothing is known here",
            mend="give a file of the same model that was saved in the same format",
            file=store.label,
        )
    return result


def _require_same_shape(ref: WeightRef, found: WeightRef, other: WeightStore) -> None:
    if ref.shape != found.shape:
        raise RequestError(
            f"{ref.structure} has shape {ref.shape} here and {found.shape} in {other.label}",
            mend="give a file of the same model",
        )


def _with_names(ref: WeightRef, found: WeightRef) -> WeightRef:
    return replace(
        ref,
        layer=found.layer,
        name=found.name,
        kind=found.kind,
        layer_class=found.layer_class,
        trainable=found.trainable,
        duplicate=found.duplicate,
        known_from=Source.LIKE,
    )
