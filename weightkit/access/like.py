"""Borrow names and configurations that a file lacks from another file of the same model."""

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
        RequestError: An object whose weights need names differs in ``other``, or ``other`` names none of them.
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
            f"{other.label} names none of the {wanting} weights that have no names here",
            hint="give a file of the same model that was saved in the same format",
            file=store.label,
        )
    return result


def borrow_configurations(store: WeightStore, other: WeightStore) -> dict[str, Configured]:
    """Configurations that ``other`` has and ``store`` lacks, for objects that hold the same weights."""
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
    """Each object's weights as text: position, shape, and whether they are real numbers."""
    found: dict[str, list[str]] = {}
    for ref in store:
        # The same weight may be float16 in one file and float32 in the other.
        numbers = "floating-point" if is_floating(ref.dtype) else ref.dtype_text
        found.setdefault(ref.owner, []).append(f"{ref.structure.rpartition('/')[2]} {ref.shape} {numbers}")
    return found


def _require_same(owner: str, ours: list[str], theirs: list[str], label: str) -> None:
    """Names are borrowed for whole objects: the names of three vectors differ from those of four."""
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
