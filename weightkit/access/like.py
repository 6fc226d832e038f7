"""Borrow names and configurations: what one file does not tell of its weights, another of the same model may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from weightkit.access.edits.arithmetic import is_floating
from weightkit.access.ref import Kind, Source
from weightkit.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weightkit.access.configured import Configured
    from weightkit.access.ref import WeightRef
    from weightkit.access.store import WeightStore


def borrow_names(store: WeightStore, other: WeightStore) -> dict[WeightRef, WeightRef]:
    """For each weight of ``store``, itself or a copy of it with the names that ``other`` has at its address.

    Raises:
        RequestError: An object whose weights need names is another in ``other``, or none is there at all.
    """
    theirs = {ref.structure: ref for ref in other}
    ours_by_object, theirs_by_object = _objects(store), _objects(other)
    result, borrowed, wanting = {}, 0, 0
    for ref in store:
        result[ref] = ref
        if None not in (ref.layer, ref.name) and ref.kind is not Kind.UNKNOWN:
            continue
        wanting += ref.kind is Kind.UNKNOWN
        found = theirs.get(ref.structure)
        if found is None or found.name is None:
            continue
        _require_same(ref.owner, ours_by_object[ref.owner], theirs_by_object[ref.owner], other.label)
        result[ref] = _with_names(ref, found)
        borrowed += 1
    if wanting and not borrowed:
        raise RequestError(
            f"{other.label} names none of the {wanting} weights of which nothing is known here",
            hint="give a file of the same model that was saved in the same format",
            file=store.label,
        )
    return result


def borrow_configurations(store: WeightStore, other: WeightStore) -> dict[str, Configured]:
    """The configurations that ``other`` has of objects which have none in ``store`` and hold the same weights."""
    ours, theirs = _objects(store), _objects(other)
    found = {ref.structure: ref for ref in other}
    borrowed = {}
    for ref in store:
        same = ref.structure in found and sorted(ours[ref.owner]) == sorted(theirs[ref.owner])
        if same and store.configured(ref) is None:
            configured = other.configured(found[ref.structure])
            if configured is not None:
                borrowed[ref.structure] = configured
    return borrowed


def _objects(store: Iterable[WeightRef]) -> dict[str, list[str]]:
    """The weights of each object, in words: their places, shapes, and whether they are real numbers."""
    found: dict[str, list[str]] = {}
    for ref in store:
        numbers = "floating-point" if is_floating(ref.dtype) else str(ref.dtype)
        found.setdefault(ref.owner, []).append(f"{ref.structure.rpartition('/')[2]} {ref.shape} {numbers}")
    return found


def _require_same(owner: str, ours: list[str], theirs: list[str], label: str) -> None:
    """Names are borrowed for whole objects: three vectors in the place of four have other names, in part."""
    if sorted(ours) != sorted(theirs):
        raise RequestError(
            f"{owner} holds {', '.join(sorted(ours))} here, and {', '.join(sorted(theirs))} in {label}",
            hint="give a file of the same model",
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
